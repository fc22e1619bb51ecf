/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The other side of the launcher's socket. Requests are carried out as niter-launcher does: a file is there or not, a
 * guest needs its files and cores, what is in use cannot be deleted. What niterd's link.c does on its side of the
 * socket is here, too: one request about one thing at a time, trying again while something is busy.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "controller/sim/sim.h"

enum { RETRY_MS = 250, STOP_PATIENCE_MS = 120000 };

struct sim_guest *host_guest(struct sim *s, const char *id)
{
	for (size_t k = 0; k < SIM_GUESTS_MAX; k++)
		if (strcmp(s->guest[k].id, id) == 0)
			return &s->guest[k];
	return NULL;
}

bool host_file(const struct sim *s, const char *id)
{
	for (size_t k = 0; k < SIM_FILES_MAX; k++)
		if (strcmp(s->file[k], id) == 0)
			return true;
	return false;
}

static void file_add(struct sim *s, const char *id)
{
	for (size_t k = 0; k < SIM_FILES_MAX; k++)
		if (!s->file[k][0]) {
			memcpy(s->file[k], id, CTL_ID_MAX);
			return;
		}
	must(false);
}

static void file_remove(struct sim *s, const char *id)
{
	for (size_t k = 0; k < SIM_FILES_MAX; k++)
		if (strcmp(s->file[k], id) == 0)
			s->file[k][0] = '\0';
}

/* Does a guest, living or starting, hold the volume? */
static bool volume_held(struct sim *s, const char *id)
{
	for (size_t k = 0; k < SIM_GUESTS_MAX; k++)
		for (size_t v = 0; s->guest[k].id[0] && v < s->guest[k].volume_cnt; v++)
			if (strcmp(s->guest[k].volume[v], id) == 0)
				return true;
	return false;
}

/* A guest that niterd has no row for, or one that is stopped: a start that was asked again too late. It is being killed. */
static bool stray(struct sim *s, const char *id)
{
	const struct instance *i = s->down ? NULL : store_find(s->core.st, &tbl_instances, id);

	return !s->down && (!i || i->state == INSTANCE_STOPPED || i->state == INSTANCE_TERMINATED);
}

static unsigned cores_taken(struct sim *s, bool strays)
{
	unsigned cores = 0;

	for (size_t k = 0; k < SIM_GUESTS_MAX; k++)
		if (s->guest[k].id[0] && (strays || !stray(s, s->guest[k].id)))
			cores += s->guest[k].cores;
	return cores;
}

size_t host_live(const struct sim *s, char (*ret)[CTL_ID_MAX])
{
	size_t cnt = 0;

	for (size_t k = 0; k < SIM_GUESTS_MAX; k++)
		if (s->guest[k].id[0] && !s->guest[k].starting)
			memcpy(ret[cnt++], s->guest[k].id, CTL_ID_MAX);
	return cnt;
}

static bool is_ask(enum sim_message_kind k)
{
	return k >= ASK_CREATE && k <= ASK_KILL;
}

static bool under_way(const struct sim *s, enum sim_message_kind kind, const char *id)
{
	for (size_t k = 0; k < SIM_MESSAGES_MAX; k++)
		if (s->msg[k].kind == kind && strcmp(s->msg[k].id, id) == 0)
			return true;
	return false;
}

static struct sim_message *post(struct sim *s, enum sim_message_kind kind, const char *id,
				unsigned delay)
{
	for (size_t k = 0; k < SIM_MESSAGES_MAX; k++) {
		struct sim_message *m = &s->msg[k];

		if (m->kind != MSG_NONE)
			continue;
		memset(m, 0, sizeof(*m));
		m->kind = kind;
		m->no = ++s->msg_no;
		m->due_ms = s->now_ms + delay;
		snprintf(m->id, sizeof(m->id), "%s", id);
		return m;
	}
	must(false);
	return NULL;
}

static void message_drop(struct sim_message *m)
{
	free(m->start);
	memset(m, 0, sizeof(*m));
}

void host_done(struct sim *s)
{
	for (size_t k = 0; k < SIM_MESSAGES_MAX; k++)
		message_drop(&s->msg[k]);
}

static unsigned delay(struct sim *s)
{
	return sim_chance(s, 10) ? sim_below(s, 5000) : sim_below(s, 50);
}

/* Answers to the core, which may want more. */
static void told(struct sim *s, int r, struct core_acts *acts)
{
	if (r < 0)
		sim_break(s, "a report was not taken: %d", r);
	else if (host_acts(s, acts) < 0)
		sim_break(s, "no memory");
}

static void start_failed(struct sim *s, const char *id, int err)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct ctl_l_instance_started m = { .err = err, .text = "simulated" };

	snprintf(m.instance_id, sizeof(m.instance_id), "%s", id);
	told(s, core_started(&s->core, &m, &acts), &acts);
}

static void ask_start(struct sim *s, const char *id, unsigned tries)
{
	struct sim_message *m;
	struct ctl_l_instance_start *start;
	int r;

	if (under_way(s, ASK_START, id) || under_way(s, TELL_STARTED, id) ||
	    under_way(s, TIMER_RETRY_START, id))
		return;
	start = calloc(1, sizeof(*start));
	must(start);
	r = core_start_message(&s->core, id, start);
	if (r < 0) {
		free(start);
		sim_trace(s, "start of %s cannot be asked: %d", id, r);
		start_failed(s, id, r);
		return;
	}
	m = post(s, ASK_START, id, delay(s));
	m->start = start;
	m->tries = tries;
}

static void ask_volume(struct sim *s, enum sim_message_kind kind, const char *id, unsigned tries)
{
	if (under_way(s, kind, id) || (kind == ASK_DELETE && under_way(s, ASK_REMAKE, id)))
		return;
	if ((kind == ASK_DELETE &&
	     (under_way(s, TIMER_RETRY_DELETE, id) || under_way(s, TELL_DELETED, id))) ||
	    (kind != ASK_DELETE && under_way(s, TELL_MADE, id)))
		return;
	post(s, kind, id, delay(s))->tries = tries;
}

static void act(struct sim *s, const struct core_act *a)
{
	struct sim_message *m;

	switch (a->kind) {
	case CORE_VOLUME_CREATE:
		ask_volume(s, ASK_CREATE, a->id, 0);
		break;
	case CORE_VOLUME_REMAKE:
		ask_volume(s, ASK_REMAKE, a->id, 0);
		break;
	case CORE_VOLUME_DELETE:
		ask_volume(s, ASK_DELETE, a->id, 0);
		break;
	case CORE_START:
		ask_start(s, a->id, 0);
		break;
	case CORE_BUTTON:
		/* Most guests heed it; some want to be told by the timer. */
		if (host_guest(s, a->id) && sim_chance(s, 70)) {
			m = post(s, HOST_ENDS, a->id, delay(s) + 100);
			m->reason = CTL_EXIT_SHUTDOWN;
		}
		post(s, TIMER_STOP, a->id, STOP_PATIENCE_MS);
		break;
	case CORE_KILL:
		if (!under_way(s, ASK_KILL, a->id))
			post(s, ASK_KILL, a->id, delay(s))->reason = CTL_EXIT_KILLED;
		break;
	case CORE_RESET:
	case CORE_SOCKET_DROP:
	case CORE_NETWORK:
	case CORE_METADATA:
		break;
	}
}

int host_acts(struct sim *s, const struct core_acts *acts)
{
	for (size_t k = 0; !s->crashed && k < acts->cnt; k++) {
		sim_trace(s, "  act %d %s", (int)acts->v[k].kind, acts->v[k].id);
		act(s, &acts->v[k]);
	}
	return 0;
}

void host_channel_lost(struct sim *s)
{
	for (size_t k = 0; k < SIM_MESSAGES_MAX; k++)
		if (s->msg[k].kind != MSG_NONE && s->msg[k].kind < HOST_RUNS &&
		    (!is_ask(s->msg[k].kind) || sim_chance(s, 30)))
			message_drop(&s->msg[k]);
}

static void tell(struct sim *s, enum sim_message_kind kind, const char *id, int err, unsigned tries)
{
	struct sim_message *m;

	if (s->down)
		return; /* nobody is there to hear it */
	m = post(s, kind, id, delay(s));
	m->err = err;
	m->tries = tries;
	m->doubled = !s->calm && sim_chance(s, 10);
}

/* A guest is gone: with what it held. */
static void guest_ends(struct sim *s, struct sim_guest *g, enum ctl_exit_reason reason)
{
	char id[CTL_ID_MAX];

	memcpy(id, g->id, sizeof(id));
	sim_trace(s, "host: guest %s ends, reason %d", id, (int)reason);
	memset(g, 0, sizeof(*g));
	if (s->down)
		return;
	tell(s, TELL_GONE, id, 0, 0);
	for (size_t k = 0; k < SIM_MESSAGES_MAX; k++)
		if (s->msg[k].kind == TELL_GONE && strcmp(s->msg[k].id, id) == 0)
			s->msg[k].reason = reason;
}

void host_guest_ends(struct sim *s)
{
	struct sim_guest *g = &s->guest[sim_below(s, SIM_GUESTS_MAX)];

	for (size_t k = 0; k < SIM_GUESTS_MAX && (!g->id[0] || g->starting); k++)
		g = &s->guest[k];
	if (g->id[0] && !g->starting)
		guest_ends(s, g, sim_chance(s, 50) ? CTL_EXIT_SHUTDOWN : CTL_EXIT_TRIPLE_FAULT);
}

static void volume_make(struct sim *s, const struct sim_message *m)
{
	int err = 0;

	if (m->kind == ASK_REMAKE && volume_held(s, m->id))
		err = -EBUSY;
	else if (m->kind == ASK_REMAKE)
		file_remove(s, m->id);
	if (err == 0 && host_file(s, m->id))
		err = -EEXIST;
	if (err == 0 && !s->calm && sim_chance(s, 5))
		err = -ENOSPC;
	if (err == 0)
		file_add(s, m->id);
	sim_trace(s, "host: volume %s made: %d", m->id, err);
	if (err == -EBUSY && !s->down)
		post(s, TIMER_RETRY_REMAKE, m->id, RETRY_MS)->tries = m->tries + 1;
	else
		tell(s, TELL_MADE, m->id, err, m->tries);
}

static void volume_delete(struct sim *s, const struct sim_message *m)
{
	const struct volume *v = s->down ? NULL : store_find(s->core.st, &tbl_volumes, m->id);
	int err = 0;

	if (volume_held(s, m->id))
		err = -EBUSY;
	else if (!host_file(s, m->id))
		err = -ENOENT;
	else if (!s->calm && sim_chance(s, 3))
		err = -EIO;
	else
		file_remove(s, m->id);
	sim_trace(s, "host: volume %s deleted: %d", m->id, err);
	if (err == 0 && v && (v->state == VOLUME_IN_USE || v->state == VOLUME_AVAILABLE))
		sim_break(s, "volume %s was deleted and is %s", m->id, volume_state_name(v->state));
	if (s->down)
		return;
	if (err == -EBUSY && m->tries < SIM_DELETE_TRIES)
		post(s, TIMER_RETRY_DELETE, m->id, RETRY_MS)->tries = m->tries + 1;
	else
		tell(s, TELL_DELETED, m->id, err, 0);
}

static int start_check(struct sim *s, const struct sim_message *m)
{
	const struct ctl_l_instance_start *q = m->start;

	if (host_guest(s, m->id))
		return -EEXIST;
	for (size_t k = 0; k < q->volume_cnt; k++) {
		if (!host_file(s, q->volume[k].volume_id)) {
			sim_break(s, "%s is started without its volume %s", m->id,
				  q->volume[k].volume_id);
			return -ENOENT;
		}
		if (volume_held(s, q->volume[k].volume_id)) {
			sim_break(s, "volume %s would have two writers", q->volume[k].volume_id);
			return -EBUSY;
		}
	}
	if (!stray(s, m->id) && cores_taken(s, false) + q->cores > SIM_CORES)
		sim_break(s, "%s is given %u cores, of %d are %u taken", m->id, q->cores, SIM_CORES,
			  cores_taken(s, false));
	if (cores_taken(s, true) + q->cores > SIM_CORES)
		return -ENOMEM;
	return !s->calm && sim_chance(s, 5) ? -EIO : 0;
}

static void guest_start(struct sim *s, const struct sim_message *m)
{
	struct sim_guest *g;
	int err = start_check(s, m);

	sim_trace(s, "host: start of %s: %d", m->id, err);
	if (err == -EEXIST && m->tries < SIM_START_TRIES) {
		if (!s->down)
			post(s, TIMER_RETRY_START, m->id, RETRY_MS)->tries = m->tries + 1;
		return;
	}
	if (err < 0) {
		tell(s, TELL_STARTED, m->id, err, m->tries);
		return;
	}
	g = host_guest(s, "");
	must(g);
	memset(g, 0, sizeof(*g));
	memcpy(g->id, m->id, sizeof(g->id));
	g->starting = true;
	g->cores = m->start->cores;
	g->volume_cnt = m->start->volume_cnt;
	for (size_t k = 0; k < g->volume_cnt; k++)
		memcpy(g->volume[k], m->start->volume[k].volume_id, CTL_ID_MAX);
	/* It takes a while; the launcher tells whoever is niterd by then. */
	post(s, HOST_RUNS, m->id, 10 + delay(s));
}

static void guest_runs(struct sim *s, const struct sim_message *m)
{
	struct sim_guest *g = host_guest(s, m->id);

	if (!g || !g->starting)
		return;
	g->starting = false;
	sim_trace(s, "host: %s runs", m->id);
	tell(s, TELL_STARTED, m->id, 0, 0);
}

static void guest_kill(struct sim *s, const struct sim_message *m)
{
	struct sim_guest *g = host_guest(s, m->id);

	if (g && g->starting) { /* the launcher ends it once it is up */
		post(s, HOST_ENDS, m->id, 20)->reason = m->reason;
		return;
	}
	if (g)
		guest_ends(s, g, m->reason);
	else if (m->kind == ASK_KILL)
		tell(s, TELL_KILLED, m->id, 0, 0);
}

static void made_tell(struct sim *s, const struct sim_message *m, struct core_acts *acts)
{
	told(s, core_volume_made(&s->core, m->id, m->err, "", 1000, acts), acts);
}

static void started_tell(struct sim *s, const struct sim_message *m, struct core_acts *acts)
{
	struct ctl_l_instance_started q = { .err = m->err };

	snprintf(q.instance_id, sizeof(q.instance_id), "%s", m->id);
	told(s, core_started(&s->core, &q, acts), acts);
}

static void deliver_once(struct sim *s, const struct sim_message *m)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };

	switch (m->kind) {
	case ASK_CREATE:
	case ASK_REMAKE:
		volume_make(s, m);
		break;
	case ASK_DELETE:
		volume_delete(s, m);
		break;
	case ASK_START:
		guest_start(s, m);
		break;
	case HOST_RUNS:
		guest_runs(s, m);
		break;
	case ASK_KILL:
	case HOST_ENDS:
		guest_kill(s, m);
		break;
	case TELL_MADE:
		made_tell(s, m, &acts);
		break;
	case TELL_DELETED:
		told(s, core_volume_deleted(&s->core, m->id, m->err, "", &acts), &acts);
		break;
	case TELL_STARTED:
		started_tell(s, m, &acts);
		break;
	case TELL_GONE:
	case TELL_KILLED:
		told(s, core_gone(&s->core, m->id, m->reason, "", &acts), &acts);
		break;
	case TIMER_STOP:
		told(s, core_stop_timeout(&s->core, m->id, &acts), &acts);
		break;
	case TIMER_RETRY_START:
		ask_start(s, m->id, m->tries);
		break;
	case TIMER_RETRY_DELETE:
		ask_volume(s, ASK_DELETE, m->id, m->tries);
		break;
	case TIMER_RETRY_REMAKE:
		ask_volume(s, ASK_REMAKE, m->id, m->tries);
		break;
	case MSG_NONE:
		break;
	}
}

/* The launcher reads its socket in order; of what it says, only what is about the same thing keeps its order. */
static bool first_of_its_thing(const struct sim *s, const struct sim_message *m)
{
	for (size_t k = 0; k < SIM_MESSAGES_MAX; k++) {
		const struct sim_message *o = &s->msg[k];

		if (o->kind != MSG_NONE && o->no < m->no && o->kind < TIMER_STOP &&
		    m->kind < TIMER_STOP && is_ask(o->kind) == is_ask(m->kind) &&
		    (is_ask(m->kind) || strcmp(o->id, m->id) == 0))
			return false;
	}
	return true;
}

void host_drain(struct sim *s)
{
	for (;;) {
		struct sim_message *pick = NULL;
		struct sim_message m;

		for (size_t k = 0; k < SIM_MESSAGES_MAX; k++)
			if (is_ask(s->msg[k].kind) && (!pick || s->msg[k].no < pick->no))
				pick = &s->msg[k];
		if (!pick)
			return;
		m = *pick;
		memset(pick, 0, sizeof(*pick));
		deliver_once(s, &m);
		free(m.start);
	}
}

uint64_t host_next(const struct sim *s)
{
	uint64_t next = UINT64_MAX;

	for (size_t k = 0; k < SIM_MESSAGES_MAX; k++)
		if (s->msg[k].kind != MSG_NONE && s->msg[k].due_ms < next &&
		    first_of_its_thing(s, &s->msg[k]))
			next = s->msg[k].due_ms;
	return next;
}

bool host_step(struct sim *s)
{
	struct sim_message *pick = NULL;
	unsigned cnt = 0;
	struct sim_message m;

	for (size_t k = 0; k < SIM_MESSAGES_MAX; k++) {
		struct sim_message *o = &s->msg[k];

		if (o->kind == MSG_NONE || o->due_ms > s->now_ms || !first_of_its_thing(s, o))
			continue;
		if (sim_below(s, ++cnt) == 0)
			pick = o;
	}
	if (!pick)
		return false;
	m = *pick;
	memset(pick, 0, sizeof(*pick));
	sim_trace(s, "message %d %s err %d", (int)m.kind, m.id, m.err);
	deliver_once(s, &m);
	if (m.doubled && !s->crashed)
		deliver_once(s, &m);
	free(m.start);
	return true;
}
