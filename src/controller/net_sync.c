/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who is told what about networks. There are no commands to add or remove things one by one: whenever something
 * changed, everybody's whole picture is made anew from the store and the living instances (net_push.c), compared with what
 * he was told last, and the difference is sent. A socket that is new, because its process or niterd itself was started
 * again, was told nothing yet; so it is told everything.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/metadata.h"
#include "controller/net_text.h"
#include "controller/niterd.h"

enum {
	RETRY_MS = 250,
	RETRY_MAX = 40, /* ten seconds; then only when something changes */
	GATEWAY_RETRY_S = 2,
	GATEWAY_IDLE_S =
		10, /* an instance that is stopped and started finds its way out still there */
	GATEWAY_BACKOFF = 5, /* doublings: a host without an uplink has no way out for long */
	FORWARD_RETRY_S = 5,
	SYNC_RETRY_S = 1,
};

static uint8_t packet_buf[CTL_MSG_MAX];

/* Looks again then, or sooner. */
static void sync_later(struct daemon *d, uint64_t at_ns)
{
	d->net_retry_ns = d->net_retry_ns ? min_u64(d->net_retry_ns, at_ns) : at_ns;
}

static void sync_in_s(struct daemon *d, unsigned s)
{
	sync_later(d, clock_ns() + (uint64_t)s * 1000000000U);
}

/* ---- the picture ---- */

static int state_live(struct daemon *d, struct net_state *s)
{
	s->live = calloc(LIVE_MAX, sizeof(*s->live));
	if (!s->live)
		return -ENOMEM;
	for (size_t k = 0; k < LIVE_MAX; k++) {
		struct net_live *l = &s->live[s->live_cnt];
		struct instance i = { 0 };

		if (!d->live[k])
			continue;
		if (store_get_id(d->core.st, &tbl_instances, d->live[k]->id, &i) < 0)
			continue; /* a stranger, on its way to its end */
		snprintf(l->id, sizeof(l->id), "%s", i.id);
		snprintf(l->type, sizeof(l->type), "%s", i.type);
		s->live_cnt++;
	}
	return 0;
}

static void state_way_outs(struct daemon *d, struct net_state *s)
{
	s->way_out_cnt = 0;
	for (size_t k = 0; k < GATEWAY_MAX; k++) {
		const struct way_out *w = &d->way_out[k];
		struct net_way_out *to = &s->way_out[s->way_out_cnt];

		if (!w->up)
			continue;
		snprintf(to->gateway_id, sizeof(to->gateway_id), "%s", w->id);
		to->outside = w->outside;
		to->outside_prefix = w->outside_prefix;
		s->way_out_cnt++;
	}
}

static void state_done(struct net_state *s)
{
	net_done(&s->net);
	free(s->live);
	free(s->way_out);
}

static int state_make(struct daemon *d, struct net_state *ret)
{
	const char *id[LIVE_MAX];
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->way_out = calloc(GATEWAY_MAX, sizeof(*ret->way_out));
	r = ret->way_out ? state_live(d, ret) : -ENOMEM;
	for (size_t k = 0; r == 0 && k < ret->live_cnt; k++)
		id[k] = ret->live[k].id;
	if (r == 0)
		r = net_load_of(d->core.st, id, ret->live_cnt, &ret->net);
	if (r < 0) {
		state_done(ret);
		return r;
	}
	state_way_outs(d, ret);
	return 0;
}

/* ---- service sockets ---- */

static int svc_item_send(void *ptr, struct net_item *item, uint8_t *packet, size_t len)
{
	uint32_t seq = 0;
	int r = svc_send(ptr, packet, len, &seq);

	net_packet_seq_set(packet, 0); /* as net_diff() compares them */
	if (item) {
		item->seq = seq;
		item->acked = false;
	}
	return r;
}

/* Sends what @want has and the socket's other end does not; @want is consumed. @made: how making it ended. */
static void svc_sync(struct svc *s, struct net_want *want, int made)
{
	int r = made;

	if (r == 0)
		r = net_diff(&s->told, want, svc_item_send, s);
	if (r == 0) {
		struct net_want old = s->told;

		s->told = *want;
		net_want_done(&old);
		return;
	}
	net_want_done(want);
	if (r == -EPIPE || r == -ECONNRESET) { /* the launcher will say what it was */
		svc_close(s);
		return;
	}
	log_warn("net.sync", "kind=%d id=%s err=%d", (int)s->kind, s->id, r);
	if (made < 0 || r == -ENOMEM)
		sync_in_s(s->d, SYNC_RETRY_S);
	else
		svc_close(s);
}

static struct net_item *item_of_seq(struct net_want *w, uint32_t seq)
{
	for (size_t k = 0; k < w->item_cnt; k++)
		if (w->item[k].seq == seq)
			return &w->item[k];
	return NULL;
}

void net_svc_ack(struct svc *s, uint32_t seq, const struct ctl_ack *a)
{
	struct net_item *item = item_of_seq(&s->told, seq);

	if (a->err == 0) {
		if (item)
			item->acked = true;
		s->tries = 0;
		return;
	}
	if (s->tries == 0 || s->tries == RETRY_MAX)
		log_warn("net.refused", "kind=%d id=%s what=\"%s\" err=%d text=\"%s\" last=%d",
			 (int)s->kind, s->id,
			 item                      ? item->key
			 : s->kind == SVC_METADATA ? "metadata"
						   : "mappings",
			 a->err, a->text, s->tries == RETRY_MAX);
	if (s->tries++ >= RETRY_MAX)
		return;
	if (item)
		item->set_len = 0; /* differs from everything: is sent again */
	else if (s->kind == SVC_METADATA)
		s->metadata_told = false;
	else
		s->told.map_cnt = 0;
	s->retry_ns = clock_ns() + (uint64_t)RETRY_MS * 1000000U;
	sync_later(s->d, s->retry_ns);
}

/* ---- metadata ---- */

static int metadata_message(struct svc *s, enum ctl_type type, const void *body)
{
	uint32_t seq;
	int len = ctl_encode(type, 0, body, 0, packet_buf, sizeof(packet_buf));

	return len < 0 ? len : svc_send(s, packet_buf, (size_t)len, &seq);
}

static int metadata_item(void *ptr, const char *path, const void *value, size_t len)
{
	static struct ctl_metadata_item m;

	m.more = 0;
	m.data.len = (uint16_t)len;
	if (len > sizeof(m.data.b))
		return -EMSGSIZE;
	snprintf(m.path, sizeof(m.path), "%s", path);
	memcpy(m.data.b, value, len);
	return metadata_message(ptr, CTL_METADATA_PUT, &m);
}

static int metadata_options(struct svc *s, const struct net *n, const struct instance *i)
{
	struct ctl_metadata_options m = { .enabled = i->imds_enabled,
					  .hop_limit = (uint8_t)i->imds_hop_limit };
	const struct interface *ni = net_interface_of(n, s->id);
	const struct vpc *v = ni ? net_vpc_of(n, ni) : NULL;

	if (!v)
		return -EUCLEAN;
	be32_store(m.vpc_addr, v->addr);
	m.vpc_prefix = (uint8_t)v->prefix;
	snprintf(m.domain, sizeof(m.domain), "%s", v->domain);
	m.dns_off = !v->dns_support;
	return metadata_message(s, CTL_METADATA_OPTIONS_SET, &m);
}

/* Copies of its tags. Return: how many. */
static size_t tags_of(struct daemon *d, const char *instance_id, struct tag ret[METADATA_TAGS_MAX])
{
	const struct tag *t;
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(d->core.st, &tbl_tags, "resource_id", instance_id, &it);
	while (cnt < METADATA_TAGS_MAX && (t = store_next(&it)))
		ret[cnt++] = *t;
	return cnt;
}

static int metadata_tell(struct svc *s, const struct net *n)
{
	CLEANUP(free_p) struct launch_data *data = calloc(1, sizeof(*data));
	CLEANUP(free_p) struct volume *volume = NULL;
	CLEANUP(free_p) struct tag *tag = calloc(METADATA_TAGS_MAX, sizeof(*tag));
	struct metadata_source src = { .net = n, .place = &s->d->core.place };
	struct instance i = { 0 };
	int r;

	if (!data || !tag)
		return -ENOMEM;
	snprintf(data->instance_id, sizeof(data->instance_id), "%s", s->id);
	r = store_get_id(s->d->core.st, &tbl_instances, s->id, &i);
	if (r == 0)
		r = store_list(s->d->core.st, &tbl_volumes, (void **)&volume, &src.volume_cnt);
	if (r < 0)
		return r;
	r = store_get(s->d->core.st, &tbl_launch_data, data);
	if (r < 0 && r != -ENOENT)
		return r;
	src.instance = &i;
	src.data = r == 0 ? data : NULL;
	src.volume = volume;
	src.tag = tag;
	src.tag_cnt = tags_of(s->d, s->id, tag);
	r = metadata_options(s, n, &i);
	if (r == 0)
		r = metadata_items(&src, metadata_item, s);
	return r < 0 ? r : metadata_message(s, CTL_METADATA_COMMIT, NULL);
}

static void metadata_sync(struct svc *s, const struct net *n)
{
	int r;

	if (!svc_is_open(s) || s->metadata_told)
		return;
	r = metadata_tell(s, n);
	if (r == 0) {
		s->metadata_told = true;
		return;
	}
	if (r != -EPIPE && r != -ECONNRESET)
		log_warn("net.metadata", "inst=%s err=%d", s->id, r);
	svc_close(s);
}

void net_metadata_changed(struct daemon *d, const char *instance_id)
{
	struct live *l = live_find(d, instance_id);

	if (!l)
		return;
	l->metadata.metadata_told = false;
	d->net_dirty = true;
}

/* ---- gateways ---- */

static struct way_out *way_out_find(struct daemon *d, const char *id)
{
	for (size_t k = 0; k < GATEWAY_MAX; k++)
		if (strcmp(d->way_out[k].id, id) == 0)
			return &d->way_out[k];
	return NULL;
}

static void gateway_stop(struct daemon *d, struct way_out *w)
{
	int r = link_ask_gateway_stop(d, w->id);

	if (r < 0) {
		log_warn("net.gateway_stop", "id=%s err=%d", w->id, r);
		sync_in_s(d, SYNC_RETRY_S);
		return;
	}
	svc_close(&w->svc);
	w->up = false;
	w->stopping = true;
}

/* A host has room for so many at once: one that nobody needs makes place before its time. */
static struct way_out *way_out_free(struct daemon *d)
{
	struct way_out *w = way_out_find(d, "");

	for (size_t k = 0; !w && k < GATEWAY_MAX; k++)
		if (d->way_out[k].stopping)
			return NULL; /* there will be room in a moment */
	for (size_t k = 0; !w && k < GATEWAY_MAX; k++) {
		if (!d->way_out[k].up || !d->way_out[k].idle_ns)
			continue;
		gateway_stop(d, &d->way_out[k]);
		return NULL;
	}
	if (!w)
		sync_in_s(d, GATEWAY_RETRY_S);
	return w;
}

/* Gateways that no living instance needs any more end after a while. */
static void gateways_idle(struct daemon *d, const struct net_state *s)
{
	uint64_t now = clock_ns();

	for (size_t k = 0; k < GATEWAY_MAX; k++) {
		struct way_out *w = &d->way_out[k];
		bool needed = false;

		for (size_t j = 0; j < s->net.gateway_cnt; j++)
			needed = needed || (strcmp(s->net.gateway[j].id, w->id) == 0 &&
					    net_gateway_needed(s, &s->net.gateway[j]));
		if (needed || !w->id[0])
			w->idle_ns = 0;
		else if (!w->idle_ns)
			w->idle_ns = now;
		if (!w->up || !w->idle_ns)
			continue;
		if (now - w->idle_ns >= GATEWAY_IDLE_S * UINT64_C(1000000000))
			gateway_stop(d, w);
		else
			sync_later(d, w->idle_ns + GATEWAY_IDLE_S * UINT64_C(1000000000));
	}
}

static void gateway_ensure(struct daemon *d, const struct gateway *g)
{
	struct way_out *w = way_out_find(d, g->id);
	struct ctl_l_gateway_start m = { .vpc_id = "" };
	uint64_t now = clock_ns();
	int r;

	if (!w)
		w = way_out_free(d);
	if (!w || w->asked || w->up || w->stopping)
		return;
	if (w->retry_ns > now) {
		sync_later(d, w->retry_ns);
		return;
	}
	snprintf(w->id, sizeof(w->id), "%s", g->id);
	snprintf(m.gateway_id, sizeof(m.gateway_id), "%s", g->id);
	snprintf(m.vpc_id, sizeof(m.vpc_id), "%s", g->vpc_id);
	memcpy(m.mac, g->mac, sizeof(m.mac));
	r = link_ask_gateway(d, &m);
	if (r < 0) {
		log_warn("net.gateway", "id=%s err=%d", g->id, r);
		sync_in_s(d, SYNC_RETRY_S);
		return;
	}
	w->asked = true;
}

void net_gateway_gone(struct daemon *d, const char *gateway_id, const char *text)
{
	struct way_out *w = way_out_find(d, gateway_id);

	if (!w || gateway_id[0] == '\0')
		return;
	if (w->stopping || w->idle_ns) { /* as it was told, or nobody minds */
		svc_close(&w->svc);
		w->id[0] = w->text[0] = '\0';
		w->asked = w->up = w->stopping = false;
		w->idle_ns = w->retry_ns = 0;
		w->tries = 0;
		d->net_dirty = true;
		return;
	}
	if (strcmp(w->text, text) != 0)
		log_warn("net.gateway_gone", "id=%s text=\"%s\"", w->id, text);
	svc_close(&w->svc);
	w->asked = w->up = false;
	w->retry_ns = clock_ns() + ((uint64_t)GATEWAY_RETRY_S << w->tries) * 1000000000U;
	w->tries += w->tries < GATEWAY_BACKOFF;
	snprintf(w->text, sizeof(w->text), "%s", text);
	d->net_dirty = true;
}

void net_gateway_started(struct daemon *d, const struct ctl_l_gateway_started *m, int svc)
{
	struct way_out *w = way_out_find(d, m->gateway_id);
	int r = m->err < 0 ? m->err : -EPROTO;

	if (!w) /* one that runs since before niterd was started again */
		w = way_out_find(d, "");
	if (w && m->gateway_id[0])
		snprintf(w->id, sizeof(w->id), "%s", m->gateway_id);
	else
		w = NULL;
	if (svc >= 0 && w)
		r = svc_open(d, &w->svc, SVC_GATEWAY, m->gateway_id, svc);
	else if (svc >= 0)
		fd_closep(&svc);
	if (!w || r < 0) {
		net_gateway_gone(d, m->gateway_id, m->text[0] ? m->text : strerrordesc_np(-r));
		api_check(d);
		return;
	}
	w->asked = false;
	w->up = true;
	w->text[0] = '\0';
	w->tries = 0;
	w->outside = be32_load(m->outside_addr) & net_mask(m->outside_prefix);
	w->outside_prefix = m->outside_prefix;
	d->net_dirty = true;
}

/* ---- ports that lead in ---- */

static unsigned forward_port(const struct net_item *item)
{
	return (unsigned)strtoul(item->key + strlen("forward "), NULL, 10);
}

static int forward_send(void *ptr, struct net_item *item, uint8_t *packet, size_t len)
{
	uint32_t seq = 0;
	int r = link_ask_forward(ptr, forward_port(item), packet, len, &seq);

	net_packet_seq_set(packet, 0);
	item->seq = seq;
	item->acked = false;
	return r;
}

static void forwards_sync(struct daemon *d, const struct net_state *s)
{
	struct net_want want = { .item = NULL }, old = d->forwards;
	int r = net_want_forwards(s, &want);

	if (r == 0)
		r = net_diff(&d->forwards, &want, forward_send, d);
	if (r < 0) {
		log_warn("net.forwards", "err=%d", r);
		net_want_done(&want);
		sync_in_s(d, SYNC_RETRY_S);
		return;
	}
	d->forwards = want;
	net_want_done(&old);
}

void net_gateways_hurry(struct daemon *d)
{
	for (size_t k = 0; k < GATEWAY_MAX; k++)
		d->way_out[k].retry_ns = 0;
}

/* Ports of instances that ended while niterd was away are closed; the others are said again, which changes nothing. */
void net_recovered(struct daemon *d)
{
	const struct forward *f;
	struct store_iter it;
	int r = 0;

	store_each(d->core.st, &tbl_forwards, &it);
	while (r == 0 && (f = store_next(&it)))
		if (!live_find(d, f->instance_id))
			r = net_want_undo_forward(&d->forwards, f->host_port);
	if (r < 0)
		log_warn("net.recovered", "err=%d", r);
	d->net_dirty = true;
}

void net_forward_acked(struct daemon *d, uint32_t seq, unsigned host_port, const struct ctl_ack *a)
{
	struct net_item *item = item_of_seq(&d->forwards, seq);

	if (item && a->err == 0) {
		item->acked = true;
	} else if (item) {
		log_warn("net.forward", "port=%u err=%d text=\"%s\"", host_port, a->err, a->text);
		item->set_len = 0;
		sync_in_s(d, FORWARD_RETRY_S);
		api_forward_failed(d, host_port, a->text[0] ? a->text : strerrordesc_np(-a->err));
	}
	api_check(d);
}

int net_forward_state(struct daemon *d, unsigned host_port, const char **ret_text)
{
	*ret_text = "";
	for (size_t k = 0; k < GATEWAY_MAX; k++)
		if (d->way_out[k].text[0])
			*ret_text = d->way_out[k].text;
	for (size_t k = 0; k < d->forwards.item_cnt; k++)
		if (forward_port(&d->forwards.item[k]) == host_port)
			return d->forwards.item[k].acked;
	return 0;
}

/* ---- all of it ---- */

void net_wire_started(struct daemon *d, int svc)
{
	int r = svc_open(d, &d->wire, SVC_WIRE, "", svc);

	if (r < 0)
		log_err("net.wire", "err=%d", r);
}

static void sync_all(struct daemon *d, struct net_state *s)
{
	gateways_idle(d, s);
	for (size_t k = 0; k < s->net.gateway_cnt; k++)
		if (net_gateway_needed(s, &s->net.gateway[k]))
			gateway_ensure(d, &s->net.gateway[k]);
	if (svc_is_open(&d->wire)) {
		struct net_want want = { .item = NULL };
		int r = net_want_wire(s, &want);

		svc_sync(&d->wire, &want, r);
	}
	for (size_t k = 0; k < LIVE_MAX; k++) {
		struct net_want want = { .item = NULL };
		struct live *l = d->live[k];

		if (l && svc_is_open(&l->card)) {
			int r = net_want_card(s, l->id, &want);

			svc_sync(&l->card, &want, r);
		}
		if (l)
			metadata_sync(&l->metadata, &s->net);
	}
	for (size_t k = 0; k < s->way_out_cnt; k++) {
		struct way_out *w = way_out_find(d, s->way_out[k].gateway_id);
		struct net_want want = { .item = NULL };

		if (w && svc_is_open(&w->svc)) {
			int r = net_want_gateway(s, &s->way_out[k], &want);

			svc_sync(&w->svc, &want, r);
		}
	}
	forwards_sync(d, s);
}

void net_sync(struct daemon *d)
{
	struct net_state s;
	int r;

	d->net_dirty = false;
	r = state_make(d, &s);
	if (r < 0) {
		log_err("net.state", "err=%d", r);
		sync_in_s(d, SYNC_RETRY_S);
		return;
	}
	sync_all(d, &s);
	state_done(&s);
}

void net_timers(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	if (!d->recovered) /* the list of living instances comes first */
		return;
	if (d->net_retry_ns && now_ns >= d->net_retry_ns) {
		d->net_retry_ns = 0;
		d->net_dirty = true;
	}
	if (d->net_dirty)
		net_sync(d);
	if (d->net_retry_ns)
		*next = min_u64(*next, d->net_retry_ns);
}

void net_free(struct daemon *d)
{
	svc_close(&d->wire);
	for (size_t k = 0; k < GATEWAY_MAX; k++)
		svc_close(&d->way_out[k].svc);
	net_want_done(&d->forwards);
}
