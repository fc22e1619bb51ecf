/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "launcher.h"

/*
 * One instance's set of processes lives and dies together. Every wait has a deadline. Whatever happens, the way
 * out is the same: END, then all processes are killed and reaped, then the cgroups go, then cores and memory are
 * given back, and only then niterd hears that it failed or is gone. So an answer means nothing is left.
 */

#define ATTACH_NS (60 * NS_PER_S)
#define BOOT_NS (60 * NS_PER_S)
#define REAP_NS (10 * NS_PER_S)
#define CLEAN_RETRY_NS (5 * NS_PER_MS)

/* NO: this cannot happen here; it is ignored with a line in the log. */
#define NO SET_STATES

enum set_state set_next(enum set_state state, enum set_event ev)
{
	/* clang-format off */
	static const enum set_state next[SET_STATES][SET_EVENTS] = {
		/*                  STARTED        ATTACHED     READY        END           REAPED        CLEAN */
		[SET_FREE]      = { SET_ATTACHING, NO,          NO,          NO,           NO,           NO },
		[SET_ATTACHING] = { NO,            SET_BOOTING, NO,          SET_ENDING,   NO,           NO },
		[SET_BOOTING]   = { NO,            NO,          SET_RUNNING, SET_ENDING,   NO,           NO },
		[SET_RUNNING]   = { NO,            NO,          NO,          SET_ENDING,   NO,           NO },
		[SET_ENDING]    = { NO,            NO,          NO,          SET_ENDING,   SET_CLEANING, NO },
		[SET_CLEANING]  = { NO,            NO,          NO,          SET_CLEANING, NO,           SET_FREE },
	};
	/* clang-format on */

	return next[state][ev];
}

struct set *set_find(struct launcher *l, const char *instance_id)
{
	unsigned i;

	for (i = 0; i < SETS_MAX; i++)
		if (l->sets[i].state != SET_FREE &&
		    !strcmp(l->sets[i].conf.instance_id, instance_id))
			return &l->sets[i];
	return NULL;
}

bool set_uses_volume(struct launcher *l, const char *volume_id)
{
	unsigned i, k;

	for (i = 0; i < SETS_MAX; i++)
		for (k = 0; l->sets[i].state != SET_FREE && k < l->sets[i].conf.volume_cnt; k++)
			if (!strcmp(l->sets[i].conf.volume[k].volume_id, volume_id))
				return true;
	return false;
}

static uint64_t since_us(const struct set *s)
{
	return (clock_ns() - s->start_ns) / 1000;
}

void set_answer(struct launcher *l, struct set *s, int err)
{
	struct ctl_l_instance_started *t = &s->times;

	if (s->answered)
		return;
	s->answered = true;
	memcpy(t->instance_id, s->conf.instance_id, sizeof(t->instance_id));
	t->err = err;
	t->has_network = !err && s->conf.interface_cnt;
	(void)snprintf(t->text, sizeof(t->text), "%s", err ? s->text : "");
	(void)set_send_started(l, s, s->req_seq);
}

int set_send_started(struct launcher *l, struct set *s, uint32_t seq)
{
	const int fds[] = { s->service, s->service_net, s->service_meta };
	unsigned cnt = s->times.err ? 0 : s->times.has_network ? 3 : 1;

	return controller_send(l, CTL_L_INSTANCE_STARTED, seq, &s->times, fds, cnt);
}

static void set_free(struct launcher *l, struct set *s)
{
	struct ctl_l_instance_gone gone = { .reason = s->reason };

	cores_give(&l->cores, s->num);
	if (s->mem_taken)
		memory_give(&l->memory, s->conf.ram_bytes + set_net_memory(&s->conf));
	s->mem_taken = false;
	log_info("set.gone", "inst=%s reason=%u text=\"%s\"", s->conf.instance_id, s->reason,
		 s->text);
	if (!s->answered) {
		set_answer(l, s, s->err ? s->err : -EIO);
		return;
	}
	memcpy(gone.instance_id, s->conf.instance_id, sizeof(gone.instance_id));
	memcpy(gone.text, s->text, sizeof(gone.text));
	(void)controller_send(l, CTL_L_INSTANCE_GONE, 0, &gone, NULL, 0);
}

/* Return: every cgroup of the set is gone. */
static bool set_clean(struct launcher *l, struct set *s)
{
	bool left;

	if (s->cgroup_fd >= 0) {
		left = cgroup_remove(s->cgroup_fd, child_program(CHILD_HYPERVISOR)) < 0;
		left |= cgroup_remove(s->cgroup_fd, child_program(CHILD_CARD)) < 0;
		left |= cgroup_remove(s->cgroup_fd, child_program(CHILD_NETCARD)) < 0;
		left |= cgroup_remove(s->cgroup_fd, child_program(CHILD_METADATA)) < 0;
		if (left || cgroup_remove(l->cgroups.root_fd, s->conf.instance_id) < 0)
			return false;
	}
	fd_closep(&s->cgroup_fd);
	return true;
}

static bool set_has_child(const struct set *s)
{
	return s->hv || s->card || s->net || s->meta;
}

static void set_enter(struct launcher *l, struct set *s)
{
	int r;

	switch (s->state) {
	case SET_ATTACHING:
		s->deadline_ns = clock_ns() + ATTACH_NS;
		break;
	case SET_BOOTING:
		s->times.attach_us = since_us(s);
		s->deadline_ns = clock_ns() + BOOT_NS;
		r = set_boot(l, s);
		if (r < 0)
			set_end(l, s, CTL_EXIT_INTERNAL, r,
				"niter-hypervisor took no configuration: %s", strerrordesc_np(-r));
		break;
	case SET_RUNNING:
		s->times.first_run_us = since_us(s);
		s->deadline_ns = NEVER;
		set_pin(l, s);
		log_info("set.running", "inst=%s us=%llu", s->conf.instance_id,
			 (unsigned long long)s->times.first_run_us);
		set_answer(l, s, 0);
		break;
	case SET_ENDING:
		s->deadline_ns = clock_ns() + REAP_NS;
		set_fds_done(s);
		fd_closep(&s->service);
		set_net_end(l, s);
		child_kill(s->hv);
		child_kill(s->card);
		child_kill(s->net);
		child_kill(s->meta);
		if (!set_has_child(s))
			set_move(l, s, SET_EV_REAPED);
		break;
	case SET_CLEANING:
		s->deadline_ns = clock_ns() + CLEAN_RETRY_NS;
		if (set_clean(l, s))
			set_move(l, s, SET_EV_CLEAN);
		break;
	case SET_FREE:
		s->deadline_ns = NEVER;
		set_free(l, s);
		break;
	case SET_STATES:
		break;
	}
}

void set_move(struct launcher *l, struct set *s, enum set_event ev)
{
	enum set_state next = set_next(s->state, ev);

	if (next == SET_STATES) {
		log_warn("set.event_ignored", "inst=%s state=%u event=%u", s->conf.instance_id,
			 s->state, ev);
		return;
	}
	if (next == s->state)
		return;
	log_debug("set.state", "inst=%s from=%u to=%u", s->conf.instance_id, s->state, next);
	s->state = next;
	set_enter(l, s);
}

void set_end(struct launcher *l, struct set *s, enum ctl_exit_reason reason, int err,
	     const char *fmt, ...)
{
	va_list ap;

	if (!s->reason) {
		s->reason = (uint16_t)reason;
		s->err = err;
		va_start(ap, fmt);
		(void)vsnprintf(s->text, sizeof(s->text), fmt, ap);
		va_end(ap);
	}
	set_move(l, s, SET_EV_END);
}

void set_attached(struct launcher *l, struct set *s)
{
	if (s->state == SET_ATTACHING && !s->grants_left && !s->volumes_left && !set_net_waits(s))
		set_move(l, s, SET_EV_ATTACHED);
}

void set_grant_ack(struct launcher *l, uint32_t seq, const struct ctl_ack *ack)
{
	unsigned i;

	for (i = 0; i < SETS_MAX; i++) {
		struct set *s = &l->sets[i];
		uint32_t k = seq - s->sec_seq;

		if (s->state != SET_ATTACHING ||
		    (k >= s->conf.volume_cnt && (!s->sign_seq || seq != s->sign_seq)))
			continue;
		if (ack->err) {
			set_end(l, s, CTL_EXIT_INTERNAL, ack->err, "%s",
				ack->text[0] ? ack->text : "the security process refused a grant");
			return;
		}
		if (k >= s->conf.volume_cnt)
			s->net_left &= ~(uint32_t)NET_WAIT_SIGN;
		else
			s->grants_left &= ~(1U << k);
		if (!s->grants_left)
			s->times.key_us = since_us(s);
		set_attached(l, s);
		return;
	}
}

static void card_ctl(struct launcher *l, struct set *s, const struct ctl_msg *m)
{
	const struct ctl_ack *ack = &m->u.ack;
	uint32_t k = m->seq - 1; /* volume k was sent with seq k + 1 */

	if (m->type != CTL_ACK) {
		set_end(l, s, CTL_EXIT_CARD_LOST, -EPROTO,
			"niter-storage-card broke the control protocol");
		return;
	}
	if (ack->err) {
		set_end(l, s, CTL_EXIT_CARD_LOST, ack->err, "%s",
			ack->text[0] ? ack->text : "niter-storage-card could not attach a volume");
		return;
	}
	if (s->state == SET_ATTACHING && k < s->conf.volume_cnt)
		s->volumes_left &= ~(1U << k);
	set_attached(l, s);
}

static void hv_ctl(struct launcher *l, struct set *s, const struct ctl_msg *m)
{
	if (m->type == CTL_HV_READY) {
		s->times.hv_cpu_us = m->u.hv_ready.cpu_us;
		set_move(l, s, SET_EV_READY);
	} else if (m->type == CTL_HV_EXIT) {
		set_end(l, s, m->u.hv_exit.reason, s->answered ? 0 : -EIO, "%s", m->u.hv_exit.text);
	} else if (m->type == CTL_ACK && m->u.ack.err) {
		set_end(l, s, CTL_EXIT_INTERNAL, m->u.ack.err, "%s", m->u.ack.text);
	} else if (m->type != CTL_ACK) {
		set_end(l, s, CTL_EXIT_INTERNAL, -EPROTO,
			"niter-hypervisor broke the control protocol");
	}
}

void set_ctl(struct launcher *l, struct child *c, const struct ctl_msg *m)
{
	if (c->kind == CHILD_CARD)
		card_ctl(l, c->set, m);
	else if (c->kind == CHILD_NETCARD || c->kind == CHILD_METADATA)
		set_net_ctl(l, c, m);
	else
		hv_ctl(l, c->set, m);
}

/* The socket closed. Its owner most likely died: how, is known in a moment (set_child_gone()). */
void set_ctl_lost(struct launcher *l, struct child *c, int err)
{
	if (err < 0)
		set_end(l, c->set, CTL_EXIT_INTERNAL, err, "%s broke the control protocol",
			child_program(c->kind));
	child_kill(c);
}

void set_child_gone(struct launcher *l, struct set *s, enum child_kind kind, const char *how)
{
	if (kind == CHILD_HYPERVISOR)
		s->hv = NULL;
	else if (kind == CHILD_CARD)
		s->card = NULL;
	else if (kind == CHILD_NETCARD)
		s->net = NULL;
	else
		s->meta = NULL;
	set_end(l, s, kind == CHILD_HYPERVISOR ? CTL_EXIT_INTERNAL : CTL_EXIT_CARD_LOST, -EIO,
		"%s %s", child_program(kind), how);
	if (s->state == SET_ENDING && !set_has_child(s))
		set_move(l, s, SET_EV_REAPED);
}

static void set_late(struct launcher *l, struct set *s)
{
	switch (s->state) {
	case SET_ATTACHING:
		if (s->grants_left)
			set_end(l, s, CTL_EXIT_INTERNAL, -ETIMEDOUT,
				"niter-security did not answer for the volumes' keys in time");
		else if (!s->volumes_left)
			set_end(l, s, CTL_EXIT_INTERNAL, -ETIMEDOUT, "%s", set_net_late(l, s));
		else
			set_end(l, s, CTL_EXIT_CARD_LOST, -ETIMEDOUT,
				"niter-storage-card did not attach the volumes in time");
		break;
	case SET_BOOTING:
		set_end(l, s, CTL_EXIT_INTERNAL, -ETIMEDOUT,
			"niter-hypervisor was not ready in time");
		break;
	case SET_ENDING: /* a process that cannot be killed hangs in the kernel; say so and go on waiting */
		log_err("set.stuck", "inst=%s", s->conf.instance_id);
		cgroup_kill(l->cgroups.root_fd, s->conf.instance_id);
		s->deadline_ns = clock_ns() + REAP_NS;
		break;
	case SET_CLEANING:
		s->deadline_ns = clock_ns() + CLEAN_RETRY_NS;
		if (set_clean(l, s))
			set_move(l, s, SET_EV_CLEAN);
		break;
	case SET_FREE:
	case SET_RUNNING:
	case SET_STATES:
		break;
	}
}

void set_timer(struct launcher *l, struct set *s, uint64_t now_ns)
{
	if (s->state != SET_FREE && now_ns >= s->deadline_ns)
		set_late(l, s);
}

/* niterd died: whoever it was starting has nobody who would ever own it. */
void set_requester_lost(struct launcher *l)
{
	unsigned i;

	for (i = 0; i < SETS_MAX; i++) {
		struct set *s = &l->sets[i];

		if (s->state == SET_FREE || s->answered)
			continue;
		s->answered = true;
		set_end(l, s, CTL_EXIT_KILLED, -ECANCELED,
			"niterd restarted while the instance was starting");
	}
}
