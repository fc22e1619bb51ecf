/* SPDX-License-Identifier: Apache-2.0 */

/* See ena_driver.h. spec: ena-linux ena_netdev.c, ena_com.c, ena_eth_com.c */

#include "ena_driver.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

enum {
	PAGE = 4096,
	POLLS_MAX = 20000,
	RING_ENTRY = 16,
	TX_CDESC = 8,
	RX_CDESC = 16,
	KEY_AT = 1024,
	LOG2_128 = 7
};

static uint32_t rd(struct ena_driver *d, unsigned off)
{
	return d->ops->reg_read(d->ctx, off);
}

static void wr(struct ena_driver *d, unsigned off, uint32_t v)
{
	d->ops->reg_write(d->ctx, off, v);
}

static bool phase_of(uint16_t index, unsigned depth)
{
	return !(index / depth & 1);
}

/* ---- device ---- */

static int sts_wait(struct ena_driver *d, uint32_t want)
{
	unsigned i;

	for (i = 0; i < POLLS_MAX; i++) {
		if ((rd(d, ENA_REG_DEV_STS) & ENA_DEV_STS_RESETTING) == want)
			return 0;
		(void)d->ops->wait(d->ctx, 0);
	}
	return -ETIME;
}

int ena_driver_reset(struct ena_driver *d, unsigned reason)
{
	uint32_t caps;
	int r;

	if (!(rd(d, ENA_REG_DEV_STS) & ENA_DEV_STS_READY))
		return -EINVAL;
	caps = rd(d, ENA_REG_CAPS);
	if (!(caps >> 1 & 0x1f))
		return -EINVAL;
	wr(d, ENA_REG_DEV_CTL, ENA_DEV_CTL_RESET | reason << 28);
	wr(d, 0x60, 0); /* MMIO_RESP */
	wr(d, 0x64, 0);
	r = sts_wait(d, ENA_DEV_STS_RESETTING);
	if (r < 0)
		return r;
	wr(d, ENA_REG_DEV_CTL, 0);
	d->queue_cnt = 0;
	return sts_wait(d, 0);
}

static void base_write(struct ena_driver *d, unsigned lo, uint64_t at)
{
	wr(d, lo, (uint32_t)at);
	wr(d, lo + 4, (uint32_t)(at >> 32));
}

void ena_driver_admin(struct ena_driver *d)
{
	const uint32_t caps = 64u << 16 | ENA_DRIVER_ADMIN_DEPTH;

	if (!d->aq_at) {
		d->aq_at = d->ops->alloc(d->ctx, sizeof(*d->aq) * ENA_DRIVER_ADMIN_DEPTH);
		d->acq_at = d->ops->alloc(d->ctx, sizeof(*d->acq) * ENA_DRIVER_ADMIN_DEPTH);
		d->aenq_at = d->ops->alloc(d->ctx, sizeof(*d->aenq) * ENA_DRIVER_AENQ_DEPTH);
		d->buf_at = d->ops->alloc(d->ctx, PAGE);
	}
	d->aq = d->ops->mem(d->ctx, d->aq_at);
	d->acq = d->ops->mem(d->ctx, d->acq_at);
	d->aenq = d->ops->mem(d->ctx, d->aenq_at);
	d->buf = d->ops->mem(d->ctx, d->buf_at);
	memset(d->aq, 0, sizeof(*d->aq) * ENA_DRIVER_ADMIN_DEPTH);
	memset(d->acq, 0, sizeof(*d->acq) * ENA_DRIVER_ADMIN_DEPTH);
	memset(d->aenq, 0, sizeof(*d->aenq) * ENA_DRIVER_AENQ_DEPTH);
	d->aq_tail = d->acq_head = 0;
	d->aenq_head = 0;

	base_write(d, ENA_REG_AQ_BASE_LO, d->aq_at);
	base_write(d, ENA_REG_ACQ_BASE_LO, d->acq_at);
	wr(d, ENA_REG_AQ_CAPS, caps);
	wr(d, ENA_REG_ACQ_CAPS, caps);
	base_write(d, ENA_REG_AENQ_BASE_LO, d->aenq_at);
	wr(d, ENA_REG_AENQ_CAPS, 64u << 16 | ENA_DRIVER_AENQ_DEPTH);
}

uint8_t ena_driver_cmd(struct ena_driver *d, struct ena_aq_entry c, struct ena_acq_entry *ret)
{
	struct ena_acq_entry *slot = &d->acq[d->acq_head % ENA_DRIVER_ADMIN_DEPTH];
	uint8_t want = phase_of(d->acq_head, ENA_DRIVER_ADMIN_DEPTH);
	unsigned i;

	c.command_id = d->next_id++ & 0xfff;
	c.flags = (uint8_t)((c.flags & ~1u) | phase_of(d->aq_tail, ENA_DRIVER_ADMIN_DEPTH));
	d->aq[d->aq_tail++ % ENA_DRIVER_ADMIN_DEPTH] = c;
	wr(d, ENA_REG_AQ_DB, d->aq_tail);
	for (i = 0; i < POLLS_MAX && (__atomic_load_n(&slot->flags, __ATOMIC_ACQUIRE) & 1) != want;
	     i++)
		if (!d->ops->wait(d->ctx, 0))
			break;
	if ((__atomic_load_n(&slot->flags, __ATOMIC_ACQUIRE) & 1) != want ||
	    slot->command_id != c.command_id)
		return ENA_DRIVER_NO_ANSWER;
	d->acq_head++;
	if (ret)
		*ret = *slot;
	return slot->status;
}

static struct ena_aq_entry feature_cmd(struct ena_driver *d, uint8_t opcode, uint8_t feature,
				       size_t buf_len)
{
	struct ena_aq_entry c = { .opcode = opcode };

	/* Linux sets the "indirect" bit and means a direct address. */
	c.flags = buf_len ? 1 << 2 : 0;
	c.ctrl.buf_len = (uint32_t)buf_len;
	c.ctrl.buf_lo = buf_len ? (uint32_t)d->buf_at : 0;
	c.ctrl.buf_hi = buf_len ? (uint16_t)(d->buf_at >> 32) : 0;
	c.ctrl.feature.id = feature;
	return c;
}

uint8_t ena_driver_get(struct ena_driver *d, uint8_t feature, size_t buf_len,
		       struct ena_acq_entry *ret)
{
	return ena_driver_cmd(d, feature_cmd(d, ENA_ADMIN_GET_FEATURE, feature, buf_len), ret);
}

uint8_t ena_driver_set(struct ena_driver *d, uint8_t feature, size_t buf_len, const uint32_t *w,
		       unsigned cnt)
{
	struct ena_aq_entry c = feature_cmd(d, ENA_ADMIN_SET_FEATURE, feature, buf_len);

	memcpy(c.ctrl.feature.w, w, cnt * sizeof(*w));
	return ena_driver_cmd(d, c, NULL);
}

int ena_driver_event(struct ena_driver *d, struct ena_aenq_entry *ret)
{
	struct ena_aenq_entry *e = &d->aenq[d->aenq_head % ENA_DRIVER_AENQ_DEPTH];

	if ((__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & 1) !=
	    phase_of(d->aenq_head, ENA_DRIVER_AENQ_DEPTH))
		return 0;
	*ret = *e;
	d->aenq_head++;
	wr(d, ENA_REG_AENQ_HEAD_DB, (uint16_t)(d->aenq_head + ENA_DRIVER_AENQ_DEPTH));
	return 1;
}

/* ---- probe ---- */

/* ena_rss_init_default(), half of it at probe, all of it at up. Return: status of the first that failed. */
static uint8_t rss_key(struct ena_driver *d)
{
	const uint32_t w[] = { 0, ENA_RSS_TOEPLITZ, 0xffffffff };
	struct ena_rss_key *k = (struct ena_rss_key *)(void *)d->buf;
	struct ena_acq_entry a;
	uint8_t st;
	unsigned i;

	k->parts = ENA_RSS_KEY_PARTS;
	for (i = 0; i < ENA_RSS_KEY_BYTES; i++)
		k->key[i] = (uint8_t)(37 * i + 11);
	st = ena_driver_get(d, ENA_F_RSS_FUNCTION, sizeof(*k), &a);
	if (st || !(a.rss_function.supported & ENA_RSS_TOEPLITZ))
		return st ? st : ENA_ST_UNSUPPORTED;
	return ena_driver_set(d, ENA_F_RSS_FUNCTION, sizeof(*k), w, 3);
}

static uint8_t rss_input(struct ena_driver *d)
{
	static const uint16_t want[ENA_RSS_PROTOS_USED] = { 0x3c, 0x3c, 0x3c, 0x3c,
							    0x0c, 0x0c, 0x0c, 0x03 };
	const uint32_t sort = 6u << 16;
	struct ena_rss_input *in = (struct ena_rss_input *)(void *)d->buf;
	unsigned i;
	uint8_t st;

	st = ena_driver_get(d, ENA_F_RSS_INPUT, sizeof(*in), NULL);
	for (i = 0; !st && i < ENA_RSS_PROTOS_USED; i++) {
		if (want[i] & ~in->supported[i].fields)
			return ENA_ST_UNSUPPORTED;
		in->selected[i].fields = want[i];
	}
	return st ? st : ena_driver_set(d, ENA_F_RSS_INPUT, sizeof(*in), &sort, 1);
}

static uint8_t rss_table(struct ena_driver *d)
{
	const uint32_t w[] = { 0, LOG2_128, 0xffffffff, 0 };
	struct ena_rss_entry *t = (struct ena_rss_entry *)(void *)d->buf;
	unsigned i;

	for (i = 0; i < 128; i++)
		t[i] = (struct ena_rss_entry){ .sq_idx = d->q[i % d->queue_cnt].rx.idx };
	return ena_driver_set(d, ENA_F_RSS_TABLE, 128 * sizeof(*t), w, 4);
}

int ena_driver_probe(struct ena_driver *d)
{
	const uint32_t host[5] = { 0x1000 };
	struct ena_acq_entry a;
	uint32_t groups[2] = { 0 };

	if (ena_driver_reset(d, 0) < 0 || (rd(d, ENA_REG_CONTROLLER_VERSION) & 0xffffff) < 1)
		return -ETIME;
	ena_driver_admin(d);
	wr(d, ENA_REG_INTR_MASK, ENA_INTR_MASK_ADMIN);
	if (ena_driver_set(d, ENA_F_HOST_ATTR, 0, host, 5) == ENA_DRIVER_NO_ANSWER)
		return -ETIME;
	if (ena_driver_get(d, ENA_F_DEVICE_ATTRIBUTES, 0, &d->attributes) ||
	    ena_driver_get(d, ENA_F_MAX_QUEUES_EXT, 0, &d->queues_ext) ||
	    d->queues_ext.queues_ext.version != 1 || ena_driver_get(d, ENA_F_AENQ, 0, &a) ||
	    ena_driver_get(d, ENA_F_OFFLOAD, 0, &d->offload))
		return -EIO;
	d->max_rx_descs = (unsigned)min_u64(19, d->queues_ext.queues_ext.rx_descs);
	if (ena_driver_get(d, ENA_F_AENQ, 0, &d->aenq_config))
		return -EIO;
	groups[1] = d->aenq_config.aenq.supported & 0x1f;
	if (ena_driver_set(d, ENA_F_AENQ, 0, groups, 2))
		return -EIO;
	wr(d, ENA_REG_INTR_MASK, 0);
	wr(d, ENA_REG_AENQ_HEAD_DB, ENA_DRIVER_AENQ_DEPTH);
	if (ena_driver_get(d, ENA_F_RSS_TABLE, 0, &a) || a.rss_table.min_log2 > LOG2_128 ||
	    a.rss_table.max_log2 < LOG2_128)
		return -EIO;
	if (rss_key(d) || rss_input(d))
		return -EIO;
	return ena_driver_set(d, ENA_F_HOST_ATTR, 0, host, 5) == ENA_DRIVER_NO_ANSWER ? -ETIME : 0;
}

/* ---- queues ---- */

uint8_t ena_driver_cq_make(struct ena_driver *d, struct ena_driver_ring *r, bool rx, uint16_t depth,
			   unsigned vector)
{
	struct ena_aq_entry c = { .opcode = ENA_ADMIN_CREATE_CQ };
	size_t bytes = depth * (size_t)(rx ? RX_CDESC : TX_CDESC);
	struct ena_acq_entry a;
	uint8_t st;

	if (!r->cq_at)
		r->cq_at = d->ops->alloc(d->ctx, bytes);
	r->cdesc = d->ops->mem(d->ctx, r->cq_at);
	memset(r->cdesc, 0, bytes);
	c.create_cq.caps_1 = 1 << 5;
	c.create_cq.caps_2 = (uint8_t)(rx ? RX_CDESC / 4 : TX_CDESC / 4);
	c.create_cq.depth = depth;
	c.create_cq.vector = vector;
	c.create_cq.base_lo = (uint32_t)r->cq_at;
	c.create_cq.base_hi = (uint16_t)(r->cq_at >> 32);
	st = ena_driver_cmd(d, c, &a);
	r->idx = a.create_cq.cq_idx;
	r->unmask_off = a.create_cq.unmask_off;
	r->depth = depth;
	return st;
}

uint8_t ena_driver_sq_make(struct ena_driver *d, struct ena_driver_ring *r, bool rx, uint16_t depth)
{
	struct ena_aq_entry c = { .opcode = ENA_ADMIN_CREATE_SQ };
	struct ena_acq_entry a;
	uint8_t st;

	if (!r->at)
		r->at = d->ops->alloc(d->ctx, (size_t)depth * RING_ENTRY);
	r->desc = d->ops->mem(d->ctx, r->at);
	memset(r->desc, 0, (size_t)depth * RING_ENTRY);
	r->tail = r->head = 0;
	c.create_sq.identity = (uint8_t)((rx ? ENA_DIRECTION_RX : ENA_DIRECTION_TX) << 5);
	c.create_sq.caps_2 = ENA_PLACEMENT_HOST;
	c.create_sq.caps_3 = 1;
	c.create_sq.cq_idx = r->idx;
	c.create_sq.depth = depth;
	c.create_sq.base_lo = (uint32_t)r->at;
	c.create_sq.base_hi = (uint16_t)(r->at >> 32);
	st = ena_driver_cmd(d, c, &a);
	r->idx = a.create_sq.sq_idx;
	r->db_off = a.create_sq.doorbell_off;
	return st;
}

int ena_driver_up(struct ena_driver *d, unsigned queues, uint16_t depth)
{
	uint32_t mtu = d->attributes.attributes.max_mtu;
	unsigned i, k;

	for (i = 0; i < queues; i++) {
		struct ena_driver_queue *q = &d->q[i];

		memset(q->tx_used, 0, sizeof(q->tx_used));
		memset(q->rx_posted, 0, sizeof(q->rx_posted));
		memset(&q->meta, 0, sizeof(q->meta));
		q->tx_next = 0;
		q->tx_room = depth;
		if (ena_driver_cq_make(d, &q->tx, false, depth, i + 1) ||
		    ena_driver_sq_make(d, &q->tx, false, depth))
			return -EIO;
	}
	for (i = 0; i < queues; i++)
		if (ena_driver_cq_make(d, &d->q[i].rx, true, depth, i + 1) ||
		    ena_driver_sq_make(d, &d->q[i].rx, true, depth))
			return -EIO;
	d->queue_cnt = queues;
	if (rss_table(d) || rss_key(d) || rss_input(d) || ena_driver_set(d, ENA_F_MTU, 0, &mtu, 1))
		return -EIO;
	for (i = 0; i < queues; i++) {
		d->q[i].rx_free_cnt = 0;
		for (k = 0; k + 1 < depth; k++) {
			d->q[i].rx_free[d->q[i].rx_free_cnt++] = (uint16_t)k;
			if (!d->q[i].rx_buf[k])
				d->q[i].rx_buf[k] = d->ops->alloc(d->ctx, PAGE);
			if (!d->q[i].rx_buf[k])
				return -ENOMEM;
		}
		ena_driver_rx_refill(d, i);
		ena_driver_unmask(d, i);
	}
	return 0;
}

static int ring_unmake(struct ena_driver *d, struct ena_driver_ring *r, bool rx)
{
	struct ena_aq_entry sq = { .opcode = ENA_ADMIN_DESTROY_SQ },
			    cq = { .opcode = ENA_ADMIN_DESTROY_CQ };

	sq.destroy_sq.sq_idx = r->idx;
	sq.destroy_sq.identity = (uint8_t)((rx ? ENA_DIRECTION_RX : ENA_DIRECTION_TX) << 5);
	cq.destroy_cq.cq_idx = r->idx;
	return ena_driver_cmd(d, sq, NULL) || ena_driver_cmd(d, cq, NULL) ? -EIO : 0;
}

int ena_driver_down(struct ena_driver *d)
{
	unsigned i;
	int r = 0;

	for (i = 0; i < d->queue_cnt; i++)
		r |= ring_unmake(d, &d->q[i].tx, false);
	for (i = 0; i < d->queue_cnt; i++)
		r |= ring_unmake(d, &d->q[i].rx, true);
	d->queue_cnt = 0;
	return r ? -EIO : 0;
}

/* ---- rings ---- */

bool ena_driver_phase(const struct ena_driver_ring *r)
{
	return phase_of(r->tail, r->depth);
}

void ena_driver_desc(struct ena_driver_ring *r, const void *desc)
{
	memcpy(r->desc + (size_t)(r->tail % r->depth) * RING_ENTRY, desc, RING_ENTRY);
	r->tail++;
}

void ena_driver_ring_db(struct ena_driver *d, const struct ena_driver_ring *r)
{
	wr(d, r->db_off, r->tail);
}

void ena_driver_unmask(struct ena_driver *d, unsigned q)
{
	wr(d, d->q[q].tx.unmask_off, ENA_UNMASK);
}

/* spec: ena-linux ena_com_create_meta() */
static void meta_put(struct ena_driver_ring *r, const struct ena_driver_offload *o)
{
	struct ena_tx_desc m = { 0 };

	m.w[0] = ENA_TX0_META | ENA_META0_EXT_VALID | ENA_META0_EXTENDED | ENA_META0_STORE |
		 ENA_TX0_FIRST | ((uint32_t)o->mss >> 10 & 0xf) << 16 |
		 (ena_driver_phase(r) ? ENA_TX0_PHASE : 0);
	m.w[2] = o->l3_len | (uint32_t)o->l3_off << 8 | (uint32_t)o->l4_words << 16 |
		 (uint32_t)o->mss << 22;
	ena_driver_desc(r, &m);
}

static uint32_t ctrl_of(const struct ena_driver_offload *o)
{
	if (!o)
		return 0;
	return (o->ipv6 ? ENA_L3_IPV6 : ENA_L3_IPV4) |
	       (uint32_t)(o->tcp ? ENA_L4_TCP : ENA_L4_UDP) << 8 | (o->tso ? ENA_TX1_TSO : 0) |
	       (o->l3_csum ? ENA_TX1_L3_CSUM : 0) | (o->l4_csum ? ENA_TX1_L4_CSUM : 0) |
	       (o->l4_partial ? ENA_TX1_L4_PARTIAL : 0);
}

static bool meta_same(const struct ena_driver_offload *a, const struct ena_driver_offload *b)
{
	return a->mss == b->mss && a->l3_len == b->l3_len && a->l3_off == b->l3_off &&
	       a->l4_words == b->l4_words;
}

int ena_driver_tx(struct ena_driver *d, unsigned q, const struct ena_driver_sg *sg, unsigned cnt,
		  const struct ena_driver_offload *o)
{
	struct ena_driver_queue *dq = &d->q[q];
	struct ena_driver_ring *r = &dq->tx;
	bool meta = o && !meta_same(o, &dq->meta);
	uint16_t id = dq->tx_next;
	unsigned i;

	if (dq->tx_room < cnt + 2 || dq->tx_used[id])
		return -ENOSPC;
	if (meta) {
		meta_put(r, o);
		dq->meta = *o;
	}
	for (i = 0; i < cnt; i++) {
		struct ena_tx_desc t = { { sg[i].len | (ena_driver_phase(r) ? ENA_TX0_PHASE : 0), 0,
					   (uint32_t)sg[i].at,
					   (uint32_t)(sg[i].at >> 32) & 0xffff } };

		if (i == 0) {
			t.w[0] |= ENA_TX0_COMP_REQ | (meta ? 0 : ENA_TX0_FIRST) |
				  (uint32_t)(id >> 10) << 16;
			t.w[1] = ctrl_of(o) | (uint32_t)id << 22;
			t.w[3] |= 66u << 24; /* header length: unused */
		}
		if (i == cnt - 1)
			t.w[0] |= ENA_TX0_LAST;
		ena_driver_desc(r, &t);
	}
	dq->tx_used[id] = true;
	dq->tx_descs[id] = (uint16_t)(cnt + meta);
	dq->tx_room = (uint16_t)(dq->tx_room - cnt - meta);
	dq->tx_next = (uint16_t)((id + 1) % r->depth);
	return id;
}

int ena_driver_tx_reap(struct ena_driver *d, unsigned q)
{
	struct ena_driver_queue *dq = &d->q[q];
	struct ena_driver_ring *r = &dq->tx;
	int n = 0;

	for (;;) {
		struct ena_tx_cdesc *c =
			(struct ena_tx_cdesc *)(void *)(r->cdesc +
							(size_t)(r->head % r->depth) * TX_CDESC);

		if ((__atomic_load_n(&c->flags, __ATOMIC_ACQUIRE) & 1) !=
		    phase_of(r->head, r->depth))
			return n;
		if (c->req_id >= r->depth || !dq->tx_used[c->req_id])
			return -EIO;
		dq->tx_used[c->req_id] = false;
		dq->tx_room = (uint16_t)(dq->tx_room + dq->tx_descs[c->req_id]);
		r->head++;
		n++;
	}
}

void ena_driver_rx_refill(struct ena_driver *d, unsigned q)
{
	struct ena_driver_queue *dq = &d->q[q];
	struct ena_driver_ring *r = &dq->rx;

	while (dq->rx_free_cnt) {
		uint16_t id = dq->rx_free[--dq->rx_free_cnt];
		struct ena_rx_desc desc = { .length = ENA_DRIVER_RX_BYTES,
					    .req_id = id,
					    .addr_lo = (uint32_t)dq->rx_buf[id],
					    .addr_hi = (uint16_t)(dq->rx_buf[id] >> 32) };

		desc.ctrl = (uint8_t)(ENA_RX_FIRST | ENA_RX_LAST | ENA_RX_COMP_REQ |
				      ena_driver_phase(r));
		ena_driver_desc(r, &desc);
		dq->rx_posted[id] = true;
	}
	ena_driver_ring_db(d, r);
}

static struct ena_rx_cdesc *rx_cdesc(const struct ena_driver_ring *r, uint16_t index)
{
	return (struct ena_rx_cdesc *)(void *)(r->cdesc + (size_t)(index % r->depth) * RX_CDESC);
}

/* Is there a whole frame? spec: ena-linux ena_com_cdesc_rx_pkt_get() Return: completions, 0 none, -EFAULT, -EIO. */
static int rx_whole(const struct ena_driver_queue *dq)
{
	const struct ena_driver_ring *r = &dq->rx;
	unsigned n = 0;
	uint32_t status;

	do {
		struct ena_rx_cdesc *c = rx_cdesc(r, (uint16_t)(r->head + n));

		status = __atomic_load_n(&c->status, __ATOMIC_ACQUIRE);
		if (!!(status & ENA_RXC_PHASE) != phase_of((uint16_t)(r->head + n), r->depth))
			return 0;
		if (!!(status & ENA_RXC_FIRST) != (n == 0) || status & (1u << 7 | 1u << 17))
			return -EFAULT;
		if (c->req_id >= r->depth || !dq->rx_posted[c->req_id])
			return -EIO;
		n++;
	} while (!(status & ENA_RXC_LAST));
	return (int)n;
}

int ena_driver_rx(struct ena_driver *d, unsigned q, uint8_t *buf, size_t cap,
		  struct ena_driver_rx *ret)
{
	struct ena_driver_queue *dq = &d->q[q];
	int n = rx_whole(dq), i;

	memset(ret, 0, sizeof(*ret));
	if (n <= 0)
		return n;
	if ((unsigned)n > d->max_rx_descs)
		return -ENOSPC;
	for (i = 0; i < n; i++) {
		struct ena_rx_cdesc *c = rx_cdesc(&dq->rx, dq->rx.head++);

		if (!dq->rx_posted[c->req_id] || ret->len + c->length > cap)
			return -ENOSPC;
		memcpy(buf + ret->len, d->ops->mem(d->ctx, dq->rx_buf[c->req_id]), c->length);
		dq->rx_posted[c->req_id] = false;
		dq->rx_free[dq->rx_free_cnt++] = c->req_id;
		ret->len += c->length;
		ret->hash = c->hash;
		ret->status = c->status;
	}
	ret->descs = (unsigned)n;
	return 1;
}
