/* SPDX-License-Identifier: Apache-2.0 */

/* niterd's front with nothing behind it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "controller/ec2/call.h"
#include "controller/front/auth.h"
#include "controller/front/front_priv.h"
#include "http_bench.h"

static uint64_t now_ms(void *ptr)
{
	struct timespec ts;

	(void)ptr;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000;
}

void route(struct exchange *x)
{
	char *body = malloc(BENCH_BODY_BYTES);

	if (body)
		memcpy(body, http_bench_body, BENCH_BODY_BYTES);
	exchange_reply(x, 200, "text/xml", body, body ? BENCH_BODY_BYTES : 0);
}

char *route_error(const struct exchange *x, const char *code, const char *text,
		  const char **ret_type, size_t *ret_len)
{
	(void)x;
	(void)code;
	(void)text;
	*ret_type = "text/plain";
	*ret_len = 0;
	return NULL;
}

/* No audit log: evhttp has none either. */
int audit_open(const char *path, struct audit **ret)
{
	(void)path;
	*ret = NULL;
	return 0;
}

void audit_free(struct audit *a)
{
	(void)a;
}

void audit_call(struct audit *a, const struct exchange *x, unsigned status)
{
	(void)a;
	(void)x;
	(void)status;
}

void audit_flush(struct audit *a)
{
	(void)a;
}

int audit_tail(struct audit *a, size_t max, char **ret)
{
	(void)a;
	(void)max;
	(void)ret;
	return -ENOENT;
}

void ec2_sink_set(const struct ec2_sink *s)
{
	(void)s;
}

int turn_acts(struct daemon *d, const struct core_acts *acts)
{
	(void)d;
	(void)acts;
	return 0;
}

int auth_replay_check(struct exchange *x, struct fault *f)
{
	(void)x;
	(void)f;
	return 0;
}

int http_bench_front(int listener)
{
	static struct daemon d = { .core = { .env = { .now_ms = now_ms } } };
	struct loop_event ev[LOOP_EVENTS_MAX];

	if (tls_init() < 0 || loop_init(&d.loop) < 0 || front_new(&d, listener, false) < 0)
		return 1;
	for (;;) {
		uint64_t now = clock_ns(), next = now + 1000000000;
		int n;

		front_timers(&d, now, &next);
		n = loop_wait(&d.loop, ev, next <= now ? 0 : (int)((next - now) / 1000000) + 1);
		front_again(&d);
		for (int k = 0; k < n; k++) {
			if (ev[k].ref->type == REF_FRONT)
				front_accept(&d);
			else
				front_conn_event(ev[k].ref->ptr, ev[k].events);
		}
		front_turn_end(&d, true);
	}
}
