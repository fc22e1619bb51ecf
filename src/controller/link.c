/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The launcher's socket. A request is remembered by its number until it is answered; what the core wants done
 * twice (the deletion of one volume) is asked once.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/niterd.h"

enum {
	RECV_PER_WAKE = 64,
	RETRY_MS = 250,
	RETRY_SHORT = 40,  /* ten seconds: something of an earlier niterd's is being torn down */
	RETRY_LONG = 2400, /* ten minutes: others' volumes are being made first */
};

/* One message is up to 60 KiB: too big for the stack, used by one thread. */
static struct ctl_msg msg_buf;
static uint8_t send_buf[CTL_MSG_MAX];

int link_init(struct daemon *d, int fd)
{
	d->link.fd = fd;
	d->link.ref.type = REF_LINK;
	d->link.out_tail = &d->link.out;
	return loop_add(&d->loop, fd, EPOLLIN, &d->link.ref);
}

void link_done(struct daemon *d)
{
	while (d->link.out) {
		struct out_msg *o = d->link.out;

		d->link.out = o->next;
		free(o);
	}
	free(d->link.live_ids);
	d->link.live_ids = NULL;
}

static struct link_req *req_find(struct link *l, uint32_t seq)
{
	for (size_t k = 0; k < LINK_REQ_MAX; k++)
		if (l->req[k].kind != LINK_NONE && l->req[k].retry_ns == 0 && l->req[k].seq == seq)
			return &l->req[k];
	return NULL;
}

static bool req_under_way(const struct link *l, enum link_kind kind, const char *id)
{
	for (size_t k = 0; k < LINK_REQ_MAX; k++)
		if (l->req[k].kind == kind && strcmp(l->req[k].id, id) == 0)
			return true;
	return false;
}

static uint32_t seq_next(struct link *l)
{
	if (++l->seq == 0) /* 0 is for events */
		l->seq = 1;
	return l->seq;
}

static bool about_volume(enum link_kind kind)
{
	return kind == LINK_VOLUME_CREATE || kind == LINK_VOLUME_DELETE ||
	       kind == LINK_VOLUME_REMAKE;
}

/* NULL: too many are under way. */
static struct link_req *req_new(struct link *l, enum link_kind kind, const char *id)
{
	size_t max = about_volume(kind) ? LINK_VOLUMES_MAX : LINK_REQ_MAX;

	for (size_t k = 0; k < max; k++) {
		struct link_req *q = &l->req[k];

		if (q->kind != LINK_NONE)
			continue;
		q->kind = kind;
		q->seq = seq_next(l);
		q->tries = 0;
		q->retry_ns = 0;
		q->began_ns = clock_ns();
		snprintf(q->id, sizeof(q->id), "%s", id);
		return q;
	}
	return NULL;
}

static int out_flush(struct daemon *d)
{
	struct link *l = &d->link;
	int r;

	while (l->out) {
		struct out_msg *o = l->out;

		r = fd_msg_send(l->fd, o->b, o->len, NULL, 0);
		if (r == -EAGAIN)
			return loop_mod(&d->loop, l->fd, EPOLLIN | EPOLLOUT, &l->ref);
		if (r < 0)
			return r;
		l->out = o->next;
		if (!l->out)
			l->out_tail = &l->out;
		free(o);
	}
	return loop_mod(&d->loop, l->fd, EPOLLIN, &l->ref);
}

/* Sends now, or when the launcher has room again. */
static int packet_send(struct daemon *d, const uint8_t *p, size_t len)
{
	struct link *l = &d->link;
	struct out_msg *o;
	int r;

	if (!l->out) {
		r = fd_msg_send(l->fd, p, len, NULL, 0);
		if (r != -EAGAIN)
			return r;
	}
	o = malloc(sizeof(*o) + len);
	if (!o)
		return -ENOMEM;
	o->next = NULL;
	o->len = len;
	memcpy(o->b, p, len);
	*l->out_tail = o;
	l->out_tail = &o->next;
	return out_flush(d);
}

static int message_send(struct daemon *d, enum ctl_type type, uint32_t seq, const void *body)
{
	int len = ctl_encode(type, seq, body, 0, send_buf, sizeof(send_buf));

	return len < 0 ? len : packet_send(d, send_buf, (size_t)len);
}

/* Asks; the request is forgotten again if it could not be sent. */
static int ask(struct daemon *d, enum link_kind kind, const char *id, enum ctl_type type,
	       const void *body, uint32_t *ret_seq)
{
	struct link_req *q = req_new(&d->link, kind, id);
	int r;

	if (!q)
		return -EBUSY;
	r = message_send(d, type, q->seq, body);
	if (r < 0) {
		q->kind = LINK_NONE;
		return r;
	}
	if (ret_seq)
		*ret_seq = q->seq;
	return 0;
}

int link_ask_host(struct daemon *d, uint32_t *ret_seq)
{
	return ask(d, LINK_HOST, "", CTL_L_HOST_READ, NULL, ret_seq);
}

int link_ask_processes(struct daemon *d, uint32_t page, uint32_t *ret_seq)
{
	struct ctl_l_processes_read m = { .page = page };

	return ask(d, LINK_PROCESSES, "", CTL_L_PROCESSES_READ, &m, ret_seq);
}

int link_ask_stop(struct daemon *d, uint32_t *ret_seq)
{
	return ask(d, LINK_STOP, "", CTL_L_HOST_STOP, NULL, ret_seq);
}

int link_ask_instances(struct daemon *d)
{
	d->link.live_ids = calloc(LIVE_MAX, sizeof(*d->link.live_ids));
	if (!d->link.live_ids)
		return -ENOMEM;
	return ask(d, LINK_INSTANCES, "", CTL_L_INSTANCES_READ, NULL, NULL);
}

int link_ask_gateway(struct daemon *d, const struct ctl_l_gateway_start *m)
{
	return ask(d, LINK_GATEWAY, m->gateway_id, CTL_L_GATEWAY_START, m, NULL);
}

int link_ask_gateway_stop(struct daemon *d, const char *gateway_id)
{
	struct ctl_l_gateway_ref m = { .gateway_id = "" };

	snprintf(m.gateway_id, sizeof(m.gateway_id), "%s", gateway_id);
	return ask(d, LINK_GATEWAY_STOP, gateway_id, CTL_L_GATEWAY_STOP, &m, NULL);
}

int link_ask_forward(struct daemon *d, unsigned host_port, uint8_t *packet, size_t len,
		     uint32_t *ret_seq)
{
	bool add = net_packet_type(packet, len) == CTL_L_FORWARD_ADD;
	struct link_req *q;
	char id[16];
	int r;

	snprintf(id, sizeof(id), "%u", host_port);
	q = req_new(&d->link, add ? LINK_FORWARD_ADD : LINK_FORWARD_DEL, id);
	if (!q)
		return -EBUSY;
	net_packet_seq_set(packet, q->seq);
	r = packet_send(d, packet, len);
	if (r < 0)
		q->kind = LINK_NONE;
	*ret_seq = q->seq;
	return r;
}

/* Sends what a request about a volume or a start asks for, as the store has it now. */
static int req_send(struct daemon *d, const struct link_req *q)
{
	static struct ctl_l_instance_start start;
	struct ctl_l_volume_create create;
	struct ctl_l_volume_delete del = { .volume_id = "" };
	int r;

	if (q->kind == LINK_START) {
		r = core_start_message(&d->core, q->id, &start);
		return r < 0 ? r : message_send(d, CTL_L_INSTANCE_START, q->seq, &start);
	}
	if (q->kind == LINK_VOLUME_CREATE) {
		r = core_create_message(&d->core, q->id, &create);
		return r < 0 ? r : message_send(d, CTL_L_VOLUME_CREATE, q->seq, &create);
	}
	snprintf(del.volume_id, sizeof(del.volume_id), "%s", q->id);
	return message_send(d, CTL_L_VOLUME_DELETE, q->seq, &del);
}

/* A request that may be asked again; once at a time for one volume or instance. */
static int ask_again(struct daemon *d, enum link_kind kind, const char *id)
{
	struct link_req *q;
	int r;

	if (req_under_way(&d->link, kind, id))
		return 0;
	q = req_new(&d->link, kind, id);
	if (!q)
		return -EBUSY;
	r = req_send(d, q);
	if (r < 0)
		q->kind = LINK_NONE;
	return r;
}

static int volume_delete(struct daemon *d, enum link_kind kind, const char *id)
{
	if (req_under_way(&d->link, LINK_VOLUME_DELETE, id) ||
	    req_under_way(&d->link, LINK_VOLUME_REMAKE, id))
		return 0;
	return ask_again(d, kind, id);
}

/* Is this answer worth another try? Then the request sleeps in its place. */
static bool retry(struct link_req *q, int err)
{
	unsigned max = q->kind == LINK_VOLUME_CREATE ? RETRY_LONG : RETRY_SHORT;

	if (q->kind == LINK_NONE || q->kind == LINK_KILL || q->kind > LINK_START)
		return false;
	if (err != -EBUSY && !(err == -EEXIST && q->kind == LINK_START))
		return false;
	if (q->tries++ >= max)
		return false;
	q->retry_ns = clock_ns() + (uint64_t)RETRY_MS * 1000000U;
	return true;
}

static int instance_kill(struct daemon *d, const char *id)
{
	struct ctl_l_instance_kill m = { .instance_id = "" };

	if (req_under_way(&d->link, LINK_KILL, id))
		return 0;
	snprintf(m.instance_id, sizeof(m.instance_id), "%s", id);
	return ask(d, LINK_KILL, id, CTL_L_INSTANCE_KILL, &m, NULL);
}

static int instance_reset(struct daemon *d, const char *id)
{
	struct live *l = live_find(d, id);

	return l ? live_ask(l, CTL_SVC_RESET, NULL, NULL) : -ENOTCONN;
}

/* Without a service socket nobody can press the button: the patience runs out at once. */
static int instance_button(struct daemon *d, const char *id)
{
	struct live *l = live_find(d, id);

	if (!l || l->svc < 0)
		return instance_kill(d, id);
	live_stop_arm(l, (uint64_t)STOP_TIMEOUT_S * 1000000000U);
	return 0;
}

static int act(struct daemon *d, const struct core_act *a)
{
	switch (a->kind) {
	case CORE_VOLUME_CREATE:
		return ask_again(d, LINK_VOLUME_CREATE, a->id);
	case CORE_VOLUME_REMAKE:
		return volume_delete(d, LINK_VOLUME_REMAKE, a->id);
	case CORE_VOLUME_DELETE:
		return volume_delete(d, LINK_VOLUME_DELETE, a->id);
	case CORE_START:
		return ask_again(d, LINK_START, a->id);
	case CORE_BUTTON:
		return instance_button(d, a->id);
	case CORE_RESET:
		return instance_reset(d, a->id);
	case CORE_KILL:
		return instance_kill(d, a->id);
	case CORE_SOCKET_DROP:
		live_drop(d, a->id);
		return 0;
	case CORE_METADATA:
		net_metadata_changed(d, a->id);
		return 0;
	case CORE_NETWORK:
		d->net_dirty = true;
		return 0;
	}
	return -EINVAL;
}

static int start_failed(struct daemon *d, const char *id, int err, const char *text);

/* An action that cannot even be asked for is reported to the core as failed, so that nothing waits for ever. */
static int act_failed(struct daemon *d, const struct core_act *a, int err)
{
	CLEANUP(core_acts_done) struct core_acts more = { .v = NULL };
	int r = 0;

	log_err("link.act", "kind=%d id=%s err=%d", (int)a->kind, a->id, err);
	if (a->kind == CORE_START)
		return start_failed(d, a->id, err, strerrordesc_np(-err));
	if (a->kind == CORE_VOLUME_CREATE || a->kind == CORE_VOLUME_REMAKE)
		r = core_volume_made(&d->core, a->id, err, strerrordesc_np(-err), 0, &more);
	else if (a->kind == CORE_VOLUME_DELETE)
		r = core_volume_deleted(&d->core, a->id, err, strerrordesc_np(-err), &more);
	return r < 0 ? r : link_acts(d, &more);
}

int link_acts(struct daemon *d, const struct core_acts *acts)
{
	int first = 0;

	if (d->null)
		return null_acts(d, acts);
	for (size_t k = 0; k < acts->cnt; k++) {
		int r = act(d, &acts->v[k]);

		if (r < 0) {
			if (first == 0)
				first = r;
			r = act_failed(d, &acts->v[k], r);
			if (r < 0)
				return r;
		}
	}
	return first;
}

/* Runs a report's actions and lets waiting requests look again. */
static int settle(struct daemon *d, int r, const struct core_acts *acts)
{
	if (r < 0)
		return r;
	(void)!link_acts(d, acts); /* what failed was reported to the core */
	api_check(d);
	return 0;
}

static int start_failed(struct daemon *d, const char *id, int err, const char *text)
{
	struct ctl_l_instance_started m = { .err = err };
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };

	snprintf(m.instance_id, sizeof(m.instance_id), "%s", id);
	snprintf(m.text, sizeof(m.text), "%s", text);
	return settle(d, core_started(&d->core, &m, &acts), &acts);
}

/* The service sockets of an instance that runs. */
static int sockets_take(struct daemon *d, struct ctl_msg *m, unsigned boot_cnt)
{
	const struct ctl_l_instance_started *s = &m->u.l_instance_started;
	int card, svc = fd_list_take(&m->fds, 0), r;

	if (svc < 0)
		return svc;
	r = live_add(d, s->instance_id, boot_cnt, svc);
	if (r < 0 || !s->has_network)
		return r;
	card = fd_list_take(&m->fds, 1);
	return live_network(d, s->instance_id, card, fd_list_take(&m->fds, 2));
}

/* Had the launcher counted this instance when it said what is free? */
static bool host_has(void *ptr, const char *instance_id)
{
	struct daemon *d = ptr;
	struct link *l = &d->link;

	for (size_t k = 0; k < LINK_REQ_MAX; k++)
		if (l->req[k].kind == LINK_START && l->req[k].retry_ns == 0 &&
		    l->req[k].seq < l->host_seq && strcmp(l->req[k].id, instance_id) == 0)
			return true;
	return live_find(d, instance_id) != NULL;
}

/* What is free has changed, or is not known yet: the core is told what the launcher says. */
static void room_ask(struct daemon *d)
{
	/* A launcher that ends with a question unread takes its last answer with it. */
	if (d->host_stopping || req_under_way(&d->link, LINK_HOST, ""))
		return;
	if (link_ask_host(d, NULL) < 0)
		log_warn("link.host", "text=\"the launcher cannot be asked\"");
}

/* A start's answer, a line of the list of living ones, or an instance nobody asked for. */
static int started(struct daemon *d, struct ctl_msg *m, struct link_req *q)
{
	struct ctl_l_instance_started *s = &m->u.l_instance_started;
	enum link_kind kind = q ? q->kind : LINK_NONE;
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct instance i = { 0 };
	int r;

	if (kind == LINK_START) {
		if (retry(q, s->err))
			return 0;
		q->kind = LINK_NONE;
		snprintf(s->instance_id, sizeof(s->instance_id), "%s", q->id);
	}
	if (s->err == 0) {
		r = store_get_id(d->core.st, &tbl_instances, s->instance_id, &i);
		r = sockets_take(d, m, kind == LINK_START && r == 0 ? i.boot_cnt + 1 : i.boot_cnt);
		if (r < 0)
			return r;
	}
	if (kind == LINK_INSTANCES) {
		if (s->err == 0 && d->link.live_cnt < LIVE_MAX)
			snprintf(d->link.live_ids[d->link.live_cnt++], CTL_ID_MAX, "%s",
				 s->instance_id);
		return 0;
	}
	room_ask(d);
	return settle(d, core_started(&d->core, s, &acts), &acts);
}

static int recover_each(void *ptr, const struct core_acts *acts)
{
	struct daemon *d = ptr;

	(void)!link_acts(d, acts);
	return 0;
}

static int recovered(struct daemon *d)
{
	struct link *l = &d->link;
	int r;

	net_recovered(d);
	r = core_recover(&d->core, (const char(*)[CTL_ID_MAX])l->live_ids, l->live_cnt,
			 recover_each, d);
	log_info("niterd.recovered", "instances=%zu err=%d", l->live_cnt, r);
	free(l->live_ids);
	l->live_ids = NULL;
	d->recovered = true;
	room_ask(d);
	return r;
}

static int acked_volume(struct daemon *d, const struct link_req *q, const struct ctl_ack *a)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	int r;

	if (q->kind == LINK_VOLUME_REMAKE && (a->err == 0 || a->err == -ENOENT))
		return ask_again(d, LINK_VOLUME_CREATE, q->id);
	if (q->kind == LINK_VOLUME_DELETE) {
		r = core_volume_deleted(&d->core, q->id, a->err, a->text, &acts);
		return settle(d, r, &acts);
	}
	if (a->err == 0)
		api_volume_made(d, q->id);
	r = core_volume_made(&d->core, q->id, a->err, a->text, (clock_ns() - q->began_ns) / 1000,
			     &acts);
	return settle(d, r, &acts);
}

static int gateway_failed(struct daemon *d, const char *id, int err, const char *text)
{
	struct ctl_l_gateway_started m = { .err = err };

	snprintf(m.gateway_id, sizeof(m.gateway_id), "%s", id);
	snprintf(m.text, sizeof(m.text), "%s", text);
	net_gateway_started(d, &m, -1);
	return 0;
}

static int acked(struct daemon *d, const struct ctl_msg *m, struct link_req *slot)
{
	struct link_req q = *slot;
	const struct ctl_ack *a = &m->u.ack;
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };

	if (retry(slot, a->err))
		return 0;
	slot->kind = LINK_NONE;
	switch (q.kind) {
	case LINK_VOLUME_CREATE:
	case LINK_VOLUME_DELETE:
	case LINK_VOLUME_REMAKE:
		return acked_volume(d, &q, a);
	case LINK_START: /* only to say that it could not be */
		return start_failed(d, q.id, a->err < 0 ? a->err : -EIO, a->text);
	case LINK_KILL: /* CTL_L_INSTANCE_GONE follows, unless there was nothing */
		if (a->err == 0)
			return 0;
		return settle(d, core_gone(&d->core, q.id, CTL_EXIT_KILLED, "", &acts), &acts);
	case LINK_INSTANCES:
		return recovered(d);
	case LINK_STOP:
		if (a->err == 0)
			api_host_stopped(d, q.seq);
		else
			api_link_failed(d, q.seq, a->err, a->text);
		return 0;
	case LINK_GATEWAY: /* only to say that it could not be */
		return gateway_failed(d, q.id, a->err < 0 ? a->err : -EIO, a->text);
	case LINK_GATEWAY_STOP: /* it says itself that it is gone, unless it was not there */
		if (a->err < 0)
			net_gateway_gone(d, q.id, a->text);
		return 0;
	case LINK_FORWARD_ADD:
		net_forward_acked(d, q.seq, (unsigned)strtoul(q.id, NULL, 10), a);
		return 0;
	case LINK_FORWARD_DEL:
		if (a->err < 0 && a->err != -ENOENT)
			log_warn("link.forward_del", "port=%s err=%d", q.id, a->err);
		return 0;
	case LINK_HOST:
	case LINK_PROCESSES:
		api_link_failed(d, q.seq, a->err < 0 ? a->err : -EIO, a->text);
		return 0;
	case LINK_NONE:
		break;
	}
	return 0;
}

static int gone(struct daemon *d, const struct ctl_l_instance_gone *g)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	int r;

	log_info("instance.gone", "inst=%s reason=%u", g->instance_id, g->reason);
	r = core_gone(&d->core, g->instance_id, (enum ctl_exit_reason)g->reason, g->text, &acts);
	r = settle(d, r, &acts);
	live_drop(d, g->instance_id); /* whatever the row says: the process is gone */
	room_ask(d);
	return r;
}

static int dispatch(struct daemon *d, struct ctl_msg *m)
{
	struct link_req *q = m->seq ? req_find(&d->link, m->seq) : NULL;

	/* Only what a launcher sends to niterd; the list of types is the protocol's. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
	switch (m->type) {
	case CTL_ACK:
		return q ? acked(d, m, q) : 0;
	case CTL_L_PROGRESS:
		if (q)
			api_volume_progress(d, q->id, &m->u.l_progress);
		return 0;
	case CTL_L_INSTANCE_STARTED:
		return started(d, m, q);
	case CTL_L_INSTANCE_GONE:
		return gone(d, &m->u.l_instance_gone);
	case CTL_L_HOST:
		if (q)
			q->kind = LINK_NONE;
		d->link.host_seq = m->seq;
		core_capacity_said(&d->core, &m->u.l_host, host_has, d);
		api_host(d, m->seq, &m->u.l_host);
		return 0;
	case CTL_L_WIRE_STARTED:
		net_wire_started(d, fd_list_take(&m->fds, 0));
		return 0;
	case CTL_L_GATEWAY_STARTED:
		if (q) {
			snprintf(m->u.l_gateway_started.gateway_id, CTL_ID_MAX, "%s", q->id);
			q->kind = LINK_NONE;
		}
		net_gateway_started(d, &m->u.l_gateway_started,
				    m->u.l_gateway_started.err == 0 ? fd_list_take(&m->fds, 0)
								    : -1);
		return 0;
	case CTL_L_GATEWAY_GONE:
		net_gateway_gone(d, m->u.l_gateway_gone.gateway_id, m->u.l_gateway_gone.text);
		return 0;
	case CTL_L_PROCESSES:
		if (q)
			q->kind = LINK_NONE;
		api_processes(d, m->seq, &m->u.l_processes);
		return 0;
	default:
		log_err("link.type", "type=%d", (int)m->type);
		return -EPROTO;
	}
#pragma GCC diagnostic pop
}

/* What is asked again may be unwanted by now; who waits for a start's answer gets one. */
static int retry_failed(struct daemon *d, struct link_req *q, int err)
{
	enum link_kind kind = q->kind;

	q->kind = LINK_NONE;
	if (kind == LINK_START)
		return start_failed(d, q->id, err, strerrordesc_np(-err));
	return err == -ESTALE || err == -ENOENT ? 0 : err;
}

int link_timers(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < LINK_REQ_MAX; k++) {
		struct link_req *q = &d->link.req[k];

		if (q->kind == LINK_NONE || q->retry_ns == 0)
			continue;
		if (now_ns < q->retry_ns) {
			*next = min_u64(*next, q->retry_ns);
			continue;
		}
		q->retry_ns = 0;
		q->seq = seq_next(&d->link);
		r = req_send(d, q);
		if (r < 0)
			r = retry_failed(d, q, r);
	}
	return r;
}

int link_event(struct daemon *d, uint32_t events)
{
	int r = 0;

	if (events & EPOLLOUT)
		r = out_flush(d);
	for (int k = 0; r >= 0 && k < RECV_PER_WAKE; k++) {
		r = ctl_recv(d->link.fd, &msg_buf);
		if (r == -EAGAIN)
			return 0;
		if (r == 0)
			return -EPIPE;
		if (r < 0)
			return r;
		r = dispatch(d, &msg_buf);
		ctl_msg_done(&msg_buf);
	}
	return r < 0 ? r : 0;
}
