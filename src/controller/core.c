/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Instances: the machine's table applied to rows. Finding things by reference is core_find.c, launching is
 * core_launch.c, images and volumes are core_things.c.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "controller/core_net.h"
#include "controller/core_priv.h"

enum { ACTS_FIRST = 16, EXPIRE_MAX = 1024 };

void core_acts_done(struct core_acts *acts)
{
	free(acts->v);
	memset(acts, 0, sizeof(*acts));
}

static int acts_grow(struct core_acts *acts, size_t more)
{
	size_t cap = acts->cap ? acts->cap : ACTS_FIRST;
	struct core_act *v;

	while (cap < acts->cnt + more)
		cap *= 2;
	if (cap == acts->cap)
		return 0;
	v = reallocarray(acts->v, cap, sizeof(*v));
	if (!v)
		return -ENOMEM;
	acts->v = v;
	acts->cap = cap;
	return 0;
}

int core_acts_move(struct core_acts *to, struct core_acts *from)
{
	int r = from->cnt ? acts_grow(to, from->cnt) : 0;

	if (r < 0)
		return r;
	for (size_t k = 0; k < from->cnt; k++)
		to->v[to->cnt++] = from->v[k];
	core_acts_done(from);
	return 0;
}

int core_act_add(struct core_acts *acts, enum core_act_kind kind, const char *id)
{
	struct core_act *a;
	int r = acts_grow(acts, 1);

	if (r < 0)
		return r;
	a = &acts->v[acts->cnt++];
	a->kind = kind;
	snprintf(a->id, sizeof(a->id), "%s", id);
	return 0;
}

int core_metadata_changed(struct core_acts *acts, const char *instance_id)
{
	return core_act_add(acts, CORE_METADATA, instance_id);
}

/* "User initiated (2026-11-22 09:45:15 GMT)", as EC2 writes it. */
static void reason_set(struct core *c, struct instance *i, const char *code, const char *text)
{
	time_t now = (time_t)(c->env.now_ms(c->env.ptr) / 1000);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		(void)!strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S GMT", &tm);
	snprintf(i->reason_code, sizeof(i->reason_code), "%s", code);
	snprintf(i->reason, sizeof(i->reason), "%.*s (%s)", (int)(sizeof(i->reason) - 40), text,
		 when);
}

/* A volume of an instance that is gone. Return: 1 it dies, 0 it stays, -errno. */
static int volume_leave(struct core *c, struct volume *v, struct core_acts *acts)
{
	int r = 0;

	if (v->delete_on_termination || v->state == VOLUME_DELETING) {
		v->state = VOLUME_DELETING;
		r = core_act_add(acts, CORE_VOLUME_DELETE, v->id);
		if (r == 0)
			r = store_put(c->st, &tbl_volumes, v);
		return r < 0 ? r : 1;
	}
	if (v->state == VOLUME_CREATING) /* a crash came before it was made */
		r = core_act_add(acts, CORE_VOLUME_REMAKE, v->id);
	if (v->state == VOLUME_IN_USE)
		v->state = VOLUME_AVAILABLE;
	v->instance_id[0] = '\0';
	v->device[0] = '\0';
	v->device_idx = 0;
	v->attached_ms = 0;
	return r < 0 ? r : store_put(c->st, &tbl_volumes, v);
}

/* Copies of the volumes of an instance. Return: how many. */
static size_t volumes_of(struct core *c, const char *instance_id,
			 struct volume ret[CTL_VOLUMES_MAX])
{
	const struct volume *v;
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->st, &tbl_volumes, "instance_id", instance_id, &it);
	while (cnt < CTL_VOLUMES_MAX && (v = store_next(&it)))
		ret[cnt++] = *v;
	return cnt;
}

/* Every volume that dies with @i becomes "deleting"; what stays becomes "available". Return: how many die, -errno. */
static int volumes_delete(struct core *c, const struct instance *i, struct core_acts *acts)
{
	static struct volume list[CTL_VOLUMES_MAX]; /* one thread */
	size_t cnt = volumes_of(c, i->id, list);
	int dying = 0, r;

	for (size_t k = 0; k < cnt; k++) {
		r = volume_leave(c, &list[k], acts);
		if (r < 0)
			return r;
		dying += r;
	}
	return dying;
}

/* A launch that a crash interrupted: volumes that were never reported, or failed, are made again, then the start. */
static int launch_resume(struct core *c, const struct instance *i, struct core_acts *acts)
{
	static struct volume list[CTL_VOLUMES_MAX]; /* one thread */
	size_t cnt = volumes_of(c, i->id, list);
	bool missing = false;
	int r = 0;

	for (size_t k = 0; r == 0 && k < cnt; k++) {
		if (list[k].state != VOLUME_CREATING && list[k].state != VOLUME_ERROR)
			continue;
		missing = true;
		list[k].state = VOLUME_CREATING;
		r = store_put(c->st, &tbl_volumes, &list[k]);
		if (r == 0)
			r = core_act_add(acts, CORE_VOLUME_REMAKE, list[k].id);
	}
	if (r == 0 && !missing)
		r = core_act_add(acts, CORE_START, i->id);
	return r;
}

static int actions_add(struct core *c, struct instance *i, unsigned actions, struct core_acts *acts)
{
	static const struct {
		enum machine_action bit;
		enum core_act_kind kind;
	} simple[] = {
		{ ACT_START, CORE_START },
		{ ACT_BUTTON, CORE_BUTTON },
		{ ACT_RESET, CORE_RESET },
		{ ACT_KILL, CORE_KILL },
		{ ACT_SOCKET_DROP, CORE_SOCKET_DROP },
	};
	int r = 0;

	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(simple); k++)
		if (actions & simple[k].bit)
			r = core_act_add(acts, simple[k].kind, i->id);
	if (r == 0 && (actions & ACT_RESUME))
		r = launch_resume(c, i, acts);
	if (r == 0 && (actions & ACT_VOLUMES_DELETE)) {
		r = volumes_delete(c, i, acts);
		if (r == 0) /* none to wait for */
			i->state = INSTANCE_TERMINATED;
	}
	return r < 0 ? r : 0;
}

int core_step(struct core *c, struct instance *i, enum machine_event ev, const char *code,
	      const char *why, struct core_acts *acts)
{
	uint64_t now = c->env.now_ms(c->env.ptr);
	enum instance_state before = i->state;
	struct machine_step step;
	int r;

	r = machine_next(i->state, ev, &step);
	if (r <= 0)
		return r;

	i->state = step.next;
	r = actions_add(c, i, step.actions, acts);
	if (r < 0)
		return r;
	if (i->state == before)
		return step.actions ? 1 : 0;

	if (code && i->state != INSTANCE_PENDING)
		reason_set(c, i, code, why);
	if (i->state == INSTANCE_RUNNING) {
		i->boot_cnt++;
		i->reason_code[0] = '\0';
		i->reason[0] = '\0';
	}
	if (i->state == INSTANCE_PENDING) {
		i->launched_ms = now;
		i->reason_code[0] = '\0';
		i->reason[0] = '\0';
	}
	if (i->state == INSTANCE_TERMINATED || i->state == INSTANCE_STOPPED)
		i->ended_ms = now;
	r = i->state == INSTANCE_TERMINATED ? core_net_release(c, i->id) : 0;
	if (r == 0)
		r = core_act_add(acts, CORE_NETWORK, i->id);
	if (r < 0)
		return r;
	log_info("instance.state", "inst=%s from=%s to=%s event=%s", i->id,
		 instance_state_name(before), instance_state_name(i->state),
		 machine_event_name(ev));
	return 1;
}

int core_apply(struct core *c, struct instance *i, enum machine_event ev, const char *code,
	       const char *why, struct core_acts *acts)
{
	size_t acts_before = acts->cnt;
	int changed, r;

	r = store_begin(c->st);
	if (r < 0)
		return r;
	changed = core_step(c, i, ev, code, why, acts);
	if (changed <= 0) {
		store_rollback(c->st);
		acts->cnt = acts_before;
		return changed;
	}
	r = store_put(c->st, &tbl_instances, i);
	if (r == 0)
		r = store_commit(c->st);
	if (r < 0) {
		store_rollback(c->st);
		acts->cnt = acts_before;
		return r;
	}
	return changed;
}

static const char *want_refusal(enum machine_event ev)
{
	switch (ev) {
	case EV_WANT_START:
		return "started";
	case EV_WANT_STOP:
	case EV_WANT_STOP_FORCE:
		return "stopped";
	case EV_WANT_REBOOT:
		return "rebooted";
	case EV_VOLUMES_READY:
	case EV_VOLUME_FAILED:
	case EV_STARTED:
	case EV_LAUNCH_FAILED:
	case EV_START_FAILED:
	case EV_GONE:
	case EV_GONE_FOR_GOOD:
	case EV_WANT_TERMINATE:
	case EV_STOP_TIMEOUT:
	case EV_VOLUMES_DELETED:
	case EV_FOUND_LIVE:
	case EV_FOUND_DEAD:
	case EV_CNT:
		break;
	}
	return "changed";
}

int core_want(struct core *c, const char *instance_id, enum machine_event ev,
	      struct core_acts *acts, struct fault *f)
{
	struct instance i = { 0 };
	int r;

	r = store_get_id(c->st, &tbl_instances, instance_id, &i);
	if (r < 0)
		return fault_internal(f, r, "reading the instance");
	if (ev == EV_WANT_TERMINATE && i.keep_termination)
		return fault_set(f, EPERM, "OperationNotPermitted", NULL,
				 "The instance '%s' may not be terminated. Modify its "
				 "'disableApiTermination' instance attribute and try again.",
				 i.id);
	if ((ev == EV_WANT_STOP || ev == EV_WANT_STOP_FORCE) && i.keep_stop)
		return fault_set(f, EPERM, "OperationNotPermitted", NULL,
				 "The instance '%s' may not be stopped. Modify its "
				 "'disableApiStop' instance attribute and try again.",
				 i.id);
	r = core_apply(c, &i, ev, "Client.UserInitiatedShutdown", "User initiated", acts);
	if (r == -EBUSY)
		return fault_set(f, EBUSY, "IncorrectInstanceState", "see niter ps --all",
				 "instance %s is %s: it is not in a state from which it can be %s",
				 i.id, instance_state_name(i.state), want_refusal(ev));
	if (r < 0)
		return fault_internal(f, r, "recording the new state");
	return r;
}

/* A report about an instance we may know nothing of (any more). */
static int report(struct core *c, const char *instance_id, enum machine_event ev, const char *code,
		  const char *why, struct core_acts *acts)
{
	struct instance i = { 0 };
	int r;

	r = store_get_id(c->st, &tbl_instances, instance_id, &i);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = core_apply(c, &i, ev, code, why, acts);
	return r == -EBUSY ? 0 : r;
}

int core_stop_timeout(struct core *c, const char *instance_id, struct core_acts *acts)
{
	return report(c, instance_id, EV_STOP_TIMEOUT, NULL, NULL, acts);
}

int core_started(struct core *c, const struct ctl_l_instance_started *m, struct core_acts *acts)
{
	const char *code = "Server.InternalError";
	struct instance i = { 0 };
	enum machine_event ev = EV_STARTED;
	int r;

	r = store_get_id(c->st, &tbl_instances, m->instance_id, &i);
	if (r == -ENOENT)
		return m->err == 0 ? core_act_add(acts, CORE_KILL, m->instance_id) : 0;
	if (r < 0)
		return r;

	if (m->err != 0)
		ev = i.boot_cnt ? EV_START_FAILED : EV_LAUNCH_FAILED;
	if (m->err == -ENOMEM || m->err == -ENOSPC || m->err == -EDQUOT)
		code = "Server.InsufficientInstanceCapacity";
	if (m->err == -EKEYREVOKED || m->err == -EKEYEXPIRED) /* docs/wire/control.md */
		code = CORE_BAD_KMS_KEY;
	if (m->err == 0) {
		i.times.jail_us = m->jail_us;
		i.times.key_us = m->key_us;
		i.times.attach_us = m->attach_us;
		i.times.first_run_us = m->first_run_us;
		i.times.hv_cpu_us = m->hv_cpu_us;
	}
	r = core_apply(c, &i, ev, m->err ? code : NULL,
		       m->text[0] ? m->text : "the instance could not be started", acts);
	return r == -EBUSY ? 0 : r;
}

int core_gone(struct core *c, const char *instance_id, enum ctl_exit_reason reason,
	      const char *text, struct core_acts *acts)
{
	struct instance i = { 0 };
	const char *code = NULL; /* what a person asked for has its reason already */
	enum machine_event ev = EV_GONE;
	int r;

	r = store_get_id(c->st, &tbl_instances, instance_id, &i);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (i.state == INSTANCE_RUNNING)
		code = reason == CTL_EXIT_SHUTDOWN ? "Client.InstanceInitiatedShutdown"
						   : "Server.InternalError";
	if (reason == CTL_EXIT_SHUTDOWN) {
		text = "Instance initiated shutdown";
		ev = i.shutdown_terminates ? EV_GONE_FOR_GOOD : EV_GONE;
	}
	r = core_apply(c, &i, ev, code, text && text[0] ? text : "the instance ended", acts);
	return r == -EBUSY ? 0 : r;
}

static int id_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_live(const char *id, const char (*sorted)[CTL_ID_MAX], size_t cnt)
{
	return cnt > 0 && bsearch(id, sorted, cnt, sizeof(*sorted), id_order);
}

/* What lives and has no row must not live. */
static int strangers_kill(struct core *c, const char (*live)[CTL_ID_MAX], size_t live_cnt,
			  core_acts_fn *each, void *ptr)
{
	for (size_t k = 0; k < live_cnt; k++) {
		CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
		struct instance i = { 0 };
		int r = store_get_id(c->st, &tbl_instances, live[k], &i);

		if (r != -ENOENT && r < 0)
			return r;
		if (r == 0)
			continue;
		r = core_act_add(&acts, CORE_KILL, live[k]);
		if (r == 0)
			r = each(ptr, &acts);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Volumes of no instance whose creation or deletion a crash interrupted. */
static int volumes_recover(struct core *c, core_acts_fn *each, void *ptr)
{
	CLEANUP(free_p) struct volume *list = NULL;
	size_t cnt = 0;
	int r;

	r = store_list(c->st, &tbl_volumes, (void **)&list, &cnt);
	for (size_t k = 0; r >= 0 && k < cnt; k++) {
		CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };

		if (list[k].instance_id[0] == '\0' && list[k].state == VOLUME_CREATING)
			r = core_act_add(&acts, CORE_VOLUME_REMAKE, list[k].id);
		else if (list[k].state == VOLUME_DELETING)
			r = core_act_add(&acts, CORE_VOLUME_DELETE, list[k].id);
		if (r >= 0 && acts.cnt)
			r = each(ptr, &acts);
	}
	return r < 0 ? r : 0;
}

/* An older niterd kept names in the instance's row. */
static int name_move(struct core *c, struct instance *i)
{
	int r = 0;

	if (i->name[0] == '\0')
		return 0;
	if (core_name_of(c, i->id)[0] == '\0')
		r = core_name_set(c, i, i->name);
	i->name[0] = '\0';
	return r < 0 ? r : store_put(c->st, &tbl_instances, i);
}

int core_recover(struct core *c, const char (*live)[CTL_ID_MAX], size_t live_cnt,
		 core_acts_fn *each, void *ptr)
{
	CLEANUP(free_p) char(*sorted)[CTL_ID_MAX] = calloc(live_cnt + 1, sizeof(*sorted));
	CLEANUP(free_p) struct instance *list = NULL;
	size_t cnt = 0;
	int r;

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, live, live_cnt * sizeof(*sorted));
	qsort(sorted, live_cnt, sizeof(*sorted), id_order);
	r = store_list(c->st, &tbl_instances, (void **)&list, &cnt);
	if (r == 0)
		r = volumes_recover(c, each, ptr);
	for (size_t k = 0; r >= 0 && k < cnt; k++) {
		CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
		bool lives = is_live(list[k].id, (const char(*)[CTL_ID_MAX])sorted, live_cnt);
		const char *code =
			list[k].state == INSTANCE_RUNNING && !lives ? "Server.HostStopped" : NULL;

		r = name_move(c, &list[k]);
		if (r < 0)
			break;
		r = core_apply(c, &list[k], lives ? EV_FOUND_LIVE : EV_FOUND_DEAD, code,
			       "The host stopped while the instance was running", &acts);
		if (r >= 0 && acts.cnt)
			r = each(ptr, &acts);
	}
	if (r >= 0)
		r = strangers_kill(c, live, live_cnt, each, ptr);
	return r < 0 ? r : 0;
}

int core_expire(struct core *c)
{
	static char ids[EXPIRE_MAX][CTL_ID_MAX]; /* one thread; the rest comes the next time */
	uint64_t now = c->env.now_ms(c->env.ptr);
	const struct instance *i;
	struct store_iter it;
	size_t cnt = 0;
	int r = 0;

	store_each(c->st, &tbl_instances, &it);
	while (cnt < EXPIRE_MAX && (i = store_next(&it)))
		if (i->state == INSTANCE_TERMINATED && now >= i->ended_ms &&
		    now - i->ended_ms >= CORE_TERMINATED_MS)
			memcpy(ids[cnt++], i->id, CTL_ID_MAX);
	if (cnt > 0)
		r = store_begin(c->st);
	if (cnt == 0 || r < 0)
		return r;
	for (size_t k = 0; r == 0 && k < cnt; k++) {
		r = store_delete_id(c->st, &tbl_instances, ids[k]);
		if (r == -EBUSY) /* a volume that could not be deleted still says whose it was */
			r = 0;
	}
	if (r == 0)
		r = store_commit(c->st);
	if (r < 0)
		store_rollback(c->st);
	return r;
}
