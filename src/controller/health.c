/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Status checks, measured. The system check of an instance: its hypervisor answers on its service socket, and its
 * network card on its own. The instance check: its guest answers ARP for its own address (CTL_VPC_PROBE), which a kernel
 * does by itself as long as it lives. Both are "initializing" until the first answer and "impaired" when three in a row
 * are missing. Also here: what else the EC2 API wants to know of what lives.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/num.h"
#include "controller/ec2/instances.h"
#include "controller/niterd.h"

enum {
	POLL_S = 10,
	POLL_FIRST_S = 1, /* until both checks had an answer */
	MISSES_MAX = 3,
	FIRST_MAX_S = 600, /* a guest that never answered is not starting any more */
	CONSOLE_WAIT_S = 5,
};

static uint64_t now_ms(const struct live *l)
{
	return l->d->core.env.now_ms(l->d->core.env.ptr);
}

static void check_set(struct live *l, struct live_check *c, enum ec2_check to, const char *what)
{
	if (c->state == (int)to)
		return;
	log_info("health", "inst=%s check=%s from=%d to=%d", l->id, what, c->state, (int)to);
	c->state = (int)to;
	c->impaired_ms = to == CHECK_IMPAIRED ? now_ms(l) : 0;
}

static void check_answered(struct live *l, struct live_check *c, const char *what)
{
	c->misses = 0;
	check_set(l, c, CHECK_OK, what);
}

/* The last question had no answer. */
static void check_missed(struct live *l, struct live_check *c, uint64_t now_ns, const char *what)
{
	bool first = c->state == CHECK_INITIALIZING;

	if (++c->misses < MISSES_MAX)
		return;
	if (!first || now_ns - l->health.since_ns > (uint64_t)FIRST_MAX_S * 1000000000U)
		check_set(l, c, CHECK_IMPAIRED, what);
}

/* ---- questions ---- */

static void ask_hypervisor(struct live *l, uint64_t now_ns)
{
	struct live_check *c = &l->health.system;

	if (c->asked)
		check_missed(l, c, now_ns, "system");
	c->asked = true;
	if (live_ask(l, CTL_SVC_STATS_READ, NULL, &l->health.stats_seq) < 0)
		l->health.stats_seq = 0;
}

static const struct interface *primary(struct live *l)
{
	const struct interface *ni;
	struct store_iter it;

	store_each_of(l->d->core.st, &tbl_interfaces, "instance_id", l->id, &it);
	while ((ni = store_next(&it)))
		if (ni->device_idx == 0)
			return ni;
	return NULL;
}

static void ask_guest(struct live *l, uint64_t now_ns)
{
	struct live_check *c = &l->health.instance;
	const struct interface *ni = primary(l);
	struct ctl_vpc_probe m = { .interface_id = "" };
	uint8_t packet[128];
	uint32_t seq;
	int len;

	if (c->asked)
		check_missed(l, c, now_ns, "instance");
	c->asked = true;
	if (!ni || !svc_is_open(&l->card))
		return;
	memcpy(m.interface_id, ni->id, sizeof(m.interface_id));
	len = ctl_encode(CTL_VPC_PROBE, 0, &m, 0, packet, sizeof(packet));
	if (len > 0)
		(void)!svc_send(&l->card, packet, (size_t)len, &seq);
}

void health_stats(struct live *l, uint32_t seq)
{
	if (seq != l->health.stats_seq || !l->health.system.asked)
		return;
	l->health.system.asked = false;
	check_answered(l, &l->health.system, "system");
}

/* Its frames have grown in number since the last answer: its guest lives. */
void health_probed(struct svc *s, const struct ctl_vpc_probed *m)
{
	struct live *l = live_find(s->d, s->id);
	struct live_health *h;

	if (!l || &l->card != s)
		return;
	h = &l->health;
	if (h->frames_known && m->frames != h->frames) {
		h->instance.asked = false;
		check_answered(l, &h->instance, "instance");
	}
	h->frames = m->frames;
	h->frames_known = true;
}

void health_timers(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	for (size_t k = 0; k < LIVE_MAX; k++) {
		struct live *l = d->live[k];
		bool first;

		if (!l)
			continue;
		if (!l->health.since_ns) {
			l->health.since_ns = now_ns;
			l->health.system.state = l->health.instance.state = CHECK_INITIALIZING;
		}
		if (now_ns >= l->health.next_ns) {
			ask_hypervisor(l, now_ns);
			ask_guest(l, now_ns);
			first = l->health.system.state == CHECK_INITIALIZING ||
				l->health.instance.state == CHECK_INITIALIZING;
			l->health.next_ns =
				now_ns + (first ? POLL_FIRST_S : POLL_S) * 1000000000ULL;
		}
		*next = min_u64(*next, l->health.next_ns);
		if (l->console_ns && now_ns >= l->console_ns)
			live_console_done(l);
		else if (l->console_ns)
			*next = min_u64(*next, l->console_ns);
	}
}

/* ---- what the API asks ---- */

static enum ec2_check check_of(const struct live *l, const struct live_check *c)
{
	return l->health.since_ns ? (enum ec2_check)c->state : CHECK_INITIALIZING;
}

static void health_of(struct daemon *d, const char *instance_id, struct ec2_health *ret)
{
	struct live *l = live_find(d, instance_id);

	if (d->null) /* nothing runs, so nothing can be ill */
		return;
	if (!l) {
		*ret = (struct ec2_health){ CHECK_NO_DATA, CHECK_NO_DATA, 0 };
		return;
	}
	ret->system = check_of(l, &l->health.system);
	ret->instance = check_of(l, &l->health.instance);
	ret->impaired_ms = l->health.system.impaired_ms ? l->health.system.impaired_ms
							: l->health.instance.impaired_ms;
}

/* The console is read; those who wait for it are called when it is, or when patience ends. */
static int console_ask(struct daemon *d, const char *instance_id, struct ec2_call *c)
{
	struct live *l = live_find(d, instance_id);
	void *mark;

	if (!l || l->svc < 0 || l->console_wait_cnt == LIVE_CONSOLE_WAIT_MAX)
		return 0;
	mark = malloc(1); /* says that it was asked for */
	if (!mark)
		return -ENOMEM;
	ec2_call_keep(c, mark);
	l->console_wait[l->console_wait_cnt++] = c;
	l->console_ns = clock_ns() + CONSOLE_WAIT_S * 1000000000ULL;
	live_console_pull(l);
	return -EINPROGRESS;
}

static const struct console_tail *console_tail(struct daemon *d, const char *instance_id)
{
	struct live *l = live_find(d, instance_id);

	return l ? l->tail : NULL;
}

static bool stopping(struct daemon *d)
{
	return d->host_stopping;
}

void live_console_done(struct live *l)
{
	struct ec2_call *waits[LIVE_CONSOLE_WAIT_MAX];
	size_t cnt = l->console_wait_cnt;

	l->console_ns = 0;
	l->console_wait_cnt = 0;
	memcpy(waits, l->console_wait, sizeof(waits));
	for (size_t k = 0; k < cnt; k++) {
		if (turn_begin(l->d) < 0)
			log_err("health.console", "inst=%s", l->id);
		ec2_call_again(waits[k]);
	}
	if (cnt > 0)
		turn_end(l->d); /* who called goes on with something else */
}

void health_init(void)
{
	static const struct ec2_live hooks = { health_of, console_ask, console_tail, stopping };

	ec2_live_set(&hooks);
}
