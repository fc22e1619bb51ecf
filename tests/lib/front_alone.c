/* SPDX-License-Identifier: Apache-2.0 */

/* niterd's front with nothing behind it: no audit log, no turns, no services. Whoever links it has a route(). */

#include "front_alone.h"

#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "controller/ec2/call.h"
#include "controller/front/auth.h"
#include "controller/front/front_priv.h"

static uint64_t now_ms(void *ptr)
{
	struct timespec ts;

	(void)ptr;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000;
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

struct daemon *front_alone(void)
{
	static struct daemon d = { .core = { .env = { .now_ms = now_ms } } };

	return &d;
}

int front_alone_step(struct daemon *d, int timeout_ms)
{
	uint64_t now = clock_ns(), next = now + (uint64_t)timeout_ms * 1000000U;
	struct loop_event ev[LOOP_EVENTS_MAX];
	int n;

	front_timers(d, now, &next);
	n = loop_wait(&d->loop, ev, next <= now ? 0 : timeout_ms);
	front_again(d);
	for (int k = 0; k < n; k++) {
		if (ev[k].ref->type == REF_FRONT)
			front_accept(d);
		else
			front_conn_event(ev[k].ref->ptr, ev[k].events);
	}
	front_turn_end(d, true);
	return n;
}
