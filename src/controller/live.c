/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Running instances. A hypervisor never speaks first, so its console is pulled: when somebody reads it, and, while
 * the instance stops, four times a second, so that the last words are kept. When its guest ends, the hypervisor
 * leaves the end of its ring in the socket (CTL_SVC_CONSOLE_DATA, seq 0), which is read before the socket is closed.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/niterd.h"

enum { PULL_MS = 250, PRESS_S = 5, RECV_PER_WAKE = 16 };

/* Too big for the stack; one thread. */
static struct ctl_msg msg_buf;

struct live *live_find(struct daemon *d, const char *instance_id)
{
	for (size_t k = 0; k < LIVE_MAX; k++)
		if (d->live[k] && strcmp(d->live[k]->id, instance_id) == 0)
			return d->live[k];
	return NULL;
}

static void live_close(struct live *l)
{
	if (l->svc < 0)
		return;
	loop_del(&l->d->loop, l->svc);
	fd_closep(&l->svc);
}

static void live_free(struct live *l)
{
	live_close(l);
	svc_close(&l->card);
	svc_close(&l->metadata);
	free(l->tail);
	free(l);
}

int live_add(struct daemon *d, const char *instance_id, unsigned boot_cnt, int svc)
{
	CLEANUP(fd_closep) int fd = svc;
	struct live *l = live_find(d, instance_id);
	size_t k;
	int flags, r;

	flags = fcntl(fd, F_GETFL); /* the hypervisor must not be able to hold us up */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (l) { /* a second socket replaces the first */
		live_close(l);
	} else {
		for (k = 0; k < LIVE_MAX && d->live[k]; k++)
			;
		if (k == LIVE_MAX)
			return -EMFILE;
		l = calloc(1, sizeof(*l));
		if (!l)
			return -ENOMEM;
		l->tail = calloc(1, sizeof(*l->tail));
		if (!l->tail) {
			free(l);
			return -ENOMEM;
		}
		l->d = d;
		l->svc = l->card.fd = l->metadata.fd = -1;
		d->net_dirty = true;
		snprintf(l->id, sizeof(l->id), "%s", instance_id);
		snprintf(l->tail->instance_id, sizeof(l->tail->instance_id), "%s", instance_id);
		d->live[k] = l;
	}
	l->tail->boot_cnt = boot_cnt;
	l->ref.type = REF_LIVE;
	l->ref.ptr = l;
	r = loop_add(&d->loop, fd, EPOLLIN, &l->ref);
	if (r < 0)
		return r;
	l->svc = TAKE_FD(fd);
	return 0;
}

int live_network(struct daemon *d, const char *instance_id, int card, int metadata)
{
	CLEANUP(fd_closep) int card_fd = card, metadata_fd = metadata;
	struct live *l = live_find(d, instance_id);
	int r;

	if (!l)
		return -ENOENT;
	r = svc_open(d, &l->card, SVC_CARD, instance_id, TAKE_FD(card_fd));
	return r < 0 ? r
		     : svc_open(d, &l->metadata, SVC_METADATA, instance_id, TAKE_FD(metadata_fd));
}

int live_ask(struct live *l, enum ctl_type type, const void *body, uint32_t *ret_seq)
{
	int r;

	if (l->svc < 0)
		return -ENOTCONN;
	if (++l->seq == 0)
		l->seq = 1;
	r = ctl_send(l->svc, type, l->seq, body, NULL, 0);
	if (r < 0)
		return r;
	if (ret_seq)
		*ret_seq = l->seq;
	return 0;
}

/* The last bytes of the console, whoever asked for them. */
static void tail_add(struct console_tail *t, const struct ctl_svc_console_data *m)
{
	uint64_t end, skip = 0;
	size_t len, keep;

	if (!add_u64(m->off, m->data.len, &end) || end <= t->end)
		return;
	if (m->off > t->end) { /* bytes are missing in between */
		t->len = 0;
		t->end = m->off;
	}
	skip = t->end - m->off;
	len = m->data.len - (size_t)skip; /* at most CTL_CHUNK_MAX, less than the tail */
	keep = sizeof(t->data) - len;
	if (t->len > keep) {
		memmove(t->data, t->data + (t->len - keep), keep);
		t->len = (uint32_t)keep;
	}
	memcpy(t->data + t->len, m->data.b + skip, len);
	t->len += (uint32_t)len;
	t->end = end;
}

void live_console_pull(struct live *l)
{
	struct ctl_svc_console_read m = { .off = l->tail->end, .max = CTL_CHUNK_MAX };

	if (l->pulling)
		return;
	if (live_ask(l, CTL_SVC_CONSOLE_READ, &m, &l->pull_seq) == 0)
		l->pulling = true;
}

static void live_message(struct live *l, const struct ctl_msg *m)
{
	if (m->type == CTL_ACK && m->u.ack.err != 0) {
		log_warn("live.refused", "inst=%s err=%d", l->id, m->u.ack.err);
		return;
	}
	if (m->type == CTL_SVC_STATS)
		health_stats(l, m->seq);
	if (m->type != CTL_SVC_CONSOLE_DATA)
		return;
	tail_add(l->tail, &m->u.svc_console_data);
	if (l->pulling && m->seq == l->pull_seq) {
		l->pulling = false;
		if (m->u.svc_console_data.end > l->tail->end && m->u.svc_console_data.data.len > 0)
			live_console_pull(l);
		else
			live_console_done(l);
		return;
	}
	if (m->seq != 0)
		api_console_data(l, m->seq, &m->u.svc_console_data);
}

/* Return: 1 more may come, 0 nothing now, -errno the socket is of no use any more. */
static int live_recv(struct live *l)
{
	int r = ctl_recv(l->svc, &msg_buf);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	live_message(l, &msg_buf);
	ctl_msg_done(&msg_buf);
	return 1;
}

void live_event(struct live *l)
{
	int r = 1;

	for (int k = 0; r > 0 && k < RECV_PER_WAKE && l->svc >= 0; k++)
		r = live_recv(l);
	if (r < 0) {
		/* CTL_L_INSTANCE_GONE will say why; readers get what was kept. */
		log_debug("live.closed", "inst=%s err=%d", l->id, r);
		live_close(l);
		live_console_done(l);
		api_check(l->d);
	}
}

void live_drop(struct daemon *d, const char *instance_id)
{
	struct live *l = live_find(d, instance_id);
	int r;

	if (!l)
		return;
	for (int k = 0; k < RECV_PER_WAKE && l->svc >= 0; k++)
		if (live_recv(l) <= 0)
			break;
	r = store_put(d->core.st, &tbl_consoles, l->tail);
	if (r < 0)
		log_warn("live.console", "inst=%s err=%d", l->id, r);
	for (size_t k = 0; k < LIVE_MAX; k++)
		if (d->live[k] == l)
			d->live[k] = NULL;
	live_close(l);
	live_console_done(l); /* they find what was kept */
	svc_close(&l->card);
	svc_close(&l->metadata);
	l->dead_next = d->dead;
	d->net_dirty = true;
	d->dead = l;
}

void live_reap(struct daemon *d)
{
	while (d->dead) {
		struct live *l = d->dead;

		d->dead = l->dead_next;
		live_free(l);
	}
}

static int press(struct live *l, uint64_t now_ns)
{
	int r = live_ask(l, CTL_SVC_POWER_BUTTON, NULL, NULL);

	if (r < 0)
		log_warn("live.button", "inst=%s err=%d", l->id, r);
	l->press_ns = now_ns + (uint64_t)PRESS_S * 1000000000U;
	return r;
}

void live_stop_arm(struct live *l, uint64_t timeout_ns)
{
	uint64_t now = clock_ns();

	l->stop_ns = press(l, now) < 0 ? now : now + timeout_ns;
	l->pull_ns = now;
}

static void stop_timeout(struct live *l)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	int r;

	log_info("live.stop_timeout", "inst=%s", l->id);
	l->stop_ns = 0;
	r = core_stop_timeout(&l->d->core, l->id, &acts);
	if (r >= 0)
		r = link_acts(l->d, &acts);
	if (r < 0)
		log_err("live.stop_timeout", "inst=%s err=%d", l->id, r);
}

void live_timers(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	for (size_t k = 0; k < LIVE_MAX; k++) {
		struct live *l = d->live[k];

		if (!l || l->pull_ns == 0)
			continue;
		if (now_ns >= l->pull_ns) {
			live_console_pull(l);
			l->pull_ns = now_ns + (uint64_t)PULL_MS * 1000000U;
		}
		if (l->stop_ns && now_ns >= l->stop_ns)
			stop_timeout(l);
		/* A guest that had nobody listening yet when it was pressed may have somebody now. */
		if (l->stop_ns && now_ns >= l->press_ns)
			(void)!press(l, now_ns);
		*next = min_u64(*next, l->pull_ns); /* sooner than the button */
		if (l->stop_ns)
			*next = min_u64(*next, l->stop_ns);
	}
}

void live_free_all(struct daemon *d)
{
	live_reap(d);
	for (size_t k = 0; k < LIVE_MAX; k++) {
		if (d->live[k])
			live_free(d->live[k]);
		d->live[k] = NULL;
	}
}
