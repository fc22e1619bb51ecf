/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Guest to network: descriptors become packets, packets become frames for the port; see ena.h for the life of a frame.
 *
 * Each TX queue works on one packet at a time, which survives the end of a turn: when the port has no room, or the turn
 * has done enough, the next turn goes on with the next frame of it. What is kept is private (descriptors, headers);
 * guest memory is mapped only while bytes are copied.
 *
 * Mistakes. What no driver would write (a packet that starts twice, descriptors without end, a ring outside memory) fails
 * the device. A packet whose claims do not fit its bytes is dropped, counted and completed.
 */

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "cards/network/ena_priv.h"

/* ---- descriptors to packets ---- */

/* Return: 1 and *ret, 0 there is none, -EPROTO. */
static int desc_next(struct ena *e, struct ena_txq *q, struct ena_tx_desc *ret)
{
	bool phase;
	int r, i;

	if (q->desc_idx == q->desc_cnt) {
		if (q->sq.head == q->sq.tail)
			return 0;
		r = ena_sq_fetch(e, &q->sq, q->desc, ENA_FETCH_MAX, &phase);
		if (r < 0)
			return r;
		for (i = 0; i < r; i++)
			if (!(q->desc[i].w[0] & ENA_TX0_PHASE) == phase)
				return -EPROTO;
		q->desc_idx = 0;
		q->desc_cnt = (unsigned)r;
	}
	*ret = q->desc[q->desc_idx++];
	return 1;
}

/* Index behind the last descriptor taken. */
static uint16_t desc_index(const struct ena_txq *q)
{
	return (uint16_t)(q->sq.head - (q->desc_cnt - q->desc_idx));
}

/* spec: ena-linux struct ena_eth_io_tx_meta_desc */
static int meta_take(struct ena_txq *q, const struct ena_tx_desc *d)
{
	const uint32_t must_have =
		ENA_META0_EXT_VALID | ENA_META0_EXTENDED | ENA_META0_STORE | ENA_TX0_FIRST;
	uint32_t w0 = d->w[0], w2 = d->w[2];

	/* One after another is fine: the driver may store and send nothing. */
	if (q->pkt.state == ENA_PKT_OPEN || (w0 & must_have) != must_have)
		return -EPROTO;
	q->meta.mss = (uint16_t)(ENA_META0_MSS_HI(w0) << 10 | ENA_META2_MSS_LO(w2));
	q->meta.l3_len = (uint8_t)ENA_META2_L3_LEN(w2);
	q->meta.l3_off = (uint8_t)ENA_META2_L3_OFF(w2);
	q->meta.l4_words = (uint8_t)ENA_META2_L4_WORDS(w2);
	q->pkt.state = ENA_PKT_META;
	q->pkt.desc_cnt = 1;
	if (w0 & ENA_TX0_LAST)
		q->pkt.state = ENA_PKT_NONE;
	return 0;
}

static int data_first(struct ena_txq *q, const struct ena_tx_desc *d)
{
	struct ena_pkt *p = &q->pkt;
	uint32_t req_id = ENA_TX0_REQ_ID_HI(d->w[0]) << 10 | ENA_TX1_REQ_ID_LO(d->w[1]);

	if (!ena_guard_req_id(req_id, q->sq.depth))
		return -EPROTO;
	p->desc_cnt = p->state == ENA_PKT_META && !(d->w[0] & ENA_TX0_FIRST);
	p->state = ENA_PKT_OPEN;
	p->req_id = (uint16_t)req_id;
	p->ctrl = d->w[1];
	p->sg_cnt = 0;
	p->len = 0;
	p->empty_buf = false;
	return 0;
}

/* Return: 1 the packet is whole, 0 more to come, -EPROTO. spec: ena-linux struct ena_eth_io_tx_desc */
static int desc_take(struct ena_txq *q, const struct ena_tx_desc *d)
{
	struct ena_pkt *p = &q->pkt;
	uint32_t w0 = d->w[0], len = ENA_TX0_LEN(w0);
	int r;

	if (w0 & ENA_TX0_META)
		return meta_take(q, d);
	if (!ena_guard_chain(p, w0))
		return -EPROTO;
	if (p->state != ENA_PKT_OPEN) {
		r = data_first(q, d);
		if (r < 0)
			return r;
	}
	p->desc_cnt++;
	p->sg[p->sg_cnt++] = (struct ena_sg){
		.at = d->w[2] | (uint64_t)ENA_TX3_ADDR_HI(d->w[3]) << 32,
		.len = len,
	};
	p->len += len;
	p->empty_buf |= len == 0;
	return !!(w0 & ENA_TX0_LAST);
}

/* ---- payload ---- */

static bool payload_skip(struct ena_pkt *p, size_t len)
{
	while (len) {
		size_t n;

		if (p->sg_idx == p->sg_cnt)
			return false;
		n = (size_t)min_u64(len, p->sg[p->sg_idx].len - p->sg_off);
		p->sg_off += (uint32_t)n;
		len -= n;
		if (p->sg_off == p->sg[p->sg_idx].len) {
			p->sg_idx++;
			p->sg_off = 0;
		}
	}
	return true;
}

/* The next @len bytes, in place until they are copied. Return: 0, -EPROTO not guest memory. */
static int payload_copy(struct ena *e, struct ena_pkt *p, uint8_t *to, size_t len)
{
	while (len) {
		const struct ena_sg *sg = &p->sg[p->sg_idx];
		struct gmem_span s;
		size_t n;
		int r;

		r = gmem_map(e->conf.mem, (gpa_t){ sg->at + p->sg_off },
			     (size_t)min_u64(len, sg->len - p->sg_off), GMEM_READ, &s);
		if (r < 0)
			return r;
		n = s.len;
		memcpy(to, s.p, n);
		gmem_put(e->conf.mem, &s);
		must(payload_skip(p, n));
		to += n;
		len -= n;
	}
	return 0;
}

/* The one look at the headers. Return: 0, -EPROTO. */
static int headers_copy(struct ena *e, struct ena_pkt *p)
{
	size_t done = 0;

	p->sg_idx = 0;
	p->sg_off = 0;
	while (done < p->hdr_len) {
		const struct ena_sg *sg = &p->sg[p->sg_idx];
		size_t n = (size_t)min_u64(sg->len, p->hdr_len - done);
		int r;

		r = gmem_read(e->conf.mem, (gpa_t){ sg->at }, p->hdr + done, n);
		if (r < 0)
			return r;
		done += n;
		must(payload_skip(p, n));
	}
	return 0;
}

/* ---- packets to frames ---- */

static bool request(const struct ena_txq *q, struct offload_req *ret)
{
	uint32_t c = q->pkt.ctrl, l3 = ENA_TX1_L3(c), l4 = ENA_TX1_L4(c);
	struct offload_req o = {
		.tso = c & ENA_TX1_TSO,
		.l3_csum = c & ENA_TX1_L3_CSUM,
		.l4_csum = c & ENA_TX1_L4_CSUM,
		.l4_partial = c & ENA_TX1_L4_PARTIAL,
		.ipv6 = l3 == ENA_L3_IPV6,
		.tcp = l4 == ENA_L4_TCP,
		.l3_off = q->meta.l3_off,
		.l3_len = q->meta.l3_len,
		.l4_words = q->meta.l4_words,
		.mss = q->meta.mss,
	};

	*ret = o;
	if ((o.tso || o.l3_csum || o.l4_csum) && l3 != ENA_L3_IPV4 && l3 != ENA_L3_IPV6)
		return false;
	return !(o.tso || o.l4_csum) || l4 == ENA_L4_TCP || l4 == ENA_L4_UDP;
}

/* A whole packet: make the plan. Return: 0, -EPROTO its memory is not the guest's. */
static int packet_begin(struct ena *e, struct ena_txq *q)
{
	struct ena_pkt *p = &q->pkt;
	struct offload_req o;
	size_t need;
	int r;

	p->state = ENA_PKT_SEND;
	p->drop = true;
	p->seg_idx = 0;
	p->plan.seg_cnt = 1;
	if (!request(q, &o) || p->empty_buf || p->len < ENA_ETH_BYTES || p->len > ENA_TX_BYTES_MAX)
		return 0;
	need = offload_hdr_need(&o);
	if (!ena_guard_headers(need, p->len))
		return 0;
	p->hdr_len = need ? need : (size_t)min_u64(p->len, ENA_HDR_MAX);

	r = headers_copy(e, p);
	if (r < 0)
		return r;
	if (offload_plan(&o, p->hdr, p->hdr_len, p->len, (size_t)e->conf.mtu + ENA_ETH_BYTES,
			 &p->plan) < 0) {
		p->plan.seg_cnt = 1;
		return 0;
	}
	if (!p->plan.tso)
		offload_prepare(&p->plan, p->hdr);
	p->drop = false;
	return 0;
}

/* Copy one frame where the port wants it. Return: 0, -EPROTO. */
static int frame_put(struct ena *e, struct ena_pkt *p, struct ena_frame *f, uint8_t *to)
{
	int r;

	memcpy(to, f->hdr, f->hdr_len);
	r = payload_copy(e, p, to + f->hdr_len, f->len - f->hdr_len);
	if (r < 0)
		return r;
	if (p->plan.l4_csum) {
		offload_l4(&p->plan, f->hdr, f->hdr_len, to, f->len);
		f->flags |= ENA_FRAME_L4_OK;
	}
	e->conf.ops->commit(e->conf.port, f, to);
	e->committed = true;
	e->stats.tx_frames++;
	e->stats.tx_bytes += f->len;
	return 0;
}

static bool stalled_long(struct ena *e, struct ena_txq *q)
{
	if (!q->stall_ns)
		q->stall_ns = e->now_ns;
	return e->now_ns - q->stall_ns >= ENA_TX_STALL_NS;
}

/* Offer the next frame. Return: 1 it is gone, 0 the port has no room, -EPROTO. */
static int frame_next(struct ena *e, struct ena_txq *q)
{
	struct ena_pkt *p = &q->pkt;
	uint8_t seg[OFFLOAD_HDR_MAX], *to;
	struct ena_frame f = {
		.hdr = p->hdr,
		.hdr_len = p->hdr_len,
		.len = p->len,
		.seg_idx = p->seg_idx,
		.seg_cnt = p->plan.seg_cnt,
		.queue = (unsigned)(q - e->txq),
	};
	int r;

	if (p->plan.tso) {
		f.hdr = seg;
		f.len = f.hdr_len + offload_headers(&p->plan, p->hdr, p->seg_idx, seg);
	}
	r = e->conf.ops->reserve(e->conf.port, &f, &to);
	if (r == -EAGAIN) {
		if (!stalled_long(e, q))
			return 0;
	} else {
		q->stall_ns = 0;
	}
	p->seg_idx++;
	if (r == 0)
		return frame_put(e, p, &f, to) < 0 ? -EPROTO : 1;
	e->stats.tx_drops++;
	must(payload_skip(p, f.len - f.hdr_len));
	return 1;
}

static void complete(struct ena_txq *q)
{
	q->sq.done = desc_index(q);
	q->cdesc[q->cdesc_cnt++] = (struct ena_tx_cdesc){
		.req_id = q->pkt.req_id,
		.sq_head = q->sq.done,
	};
	q->pkt.state = ENA_PKT_NONE;
}

/* Return: 1 a packet is at hand, 0 not (yet), -EPROTO. */
static int packet_next(struct ena *e, struct ena_txq *q)
{
	struct ena_tx_desc d;
	int r;

	while (q->pkt.state != ENA_PKT_SEND) {
		r = desc_next(e, q, &d);
		if (r <= 0)
			return r;
		r = desc_take(q, &d);
		if (r > 0)
			r = packet_begin(e, q);
		if (r < 0)
			return r;
	}
	return 1;
}

/* Return: true when something was done. */
static bool queue_turn(struct ena *e, struct ena_txq *q)
{
	unsigned idx = (unsigned)(q - e->txq), left = ENA_TX_TURN_MAX;
	int r;

	r = ena_sq_look(e, &q->sq, idx);
	while (r >= 0 && left) {
		r = packet_next(e, q);
		if (r <= 0)
			break;
		if (q->pkt.drop) {
			e->stats.tx_drops++;
			q->pkt.seg_idx = q->pkt.plan.seg_cnt;
		} else {
			r = frame_next(e, q);
			if (r <= 0)
				break;
		}
		left--;
		if (q->pkt.seg_idx == q->pkt.plan.seg_cnt)
			complete(q);
	}
	if (r >= 0 && q->cdesc_cnt)
		r = ena_cq_post(e, &e->cq[idx], q->cdesc, q->cdesc_cnt, sizeof(q->cdesc[0]) / 4, 0,
				1u << 24);
	q->cdesc_cnt = 0;
	if (r < 0)
		ena_fatal(e, "tx_ring", idx);
	return left < ENA_TX_TURN_MAX;
}

bool ena_tx_turn(struct ena *e)
{
	unsigned n = e->conf.queue_pairs, i;
	bool did = false;

	must(n > 0);
	for (i = 0; i < n && ena_live(e); i++) {
		struct ena_txq *q = &e->txq[(e->turn + i) % n];

		if (q->sq.depth)
			did |= queue_turn(e, q);
	}
	e->turn = (e->turn + 1) % n;
	return did;
}

/* A frame is offered again when the port has room; until then there is nothing to do. */
static bool waits(const struct ena_txq *q)
{
	return q->sq.depth && q->stall_ns && q->pkt.state == ENA_PKT_SEND;
}

bool ena_tx_work(struct ena *e)
{
	unsigned i;

	for (i = 0; i < e->conf.queue_pairs; i++) {
		struct ena_txq *q = &e->txq[i];
		int r;

		if (!q->sq.depth || waits(q))
			continue;
		r = ena_sq_look(e, &q->sq, i);
		/* A bad doorbell is work too: the next turn deals with it. */
		if (r || q->desc_idx != q->desc_cnt || q->pkt.state == ENA_PKT_SEND)
			return true;
	}
	return false;
}

uint64_t ena_tx_wake_ns(const struct ena *e)
{
	uint64_t at = UINT64_MAX;
	unsigned i;

	for (i = 0; i < e->conf.queue_pairs; i++)
		if (waits(&e->txq[i]))
			at = min_u64(at, e->txq[i].stall_ns + ENA_TX_STALL_NS);
	return at;
}
