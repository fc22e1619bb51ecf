/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Network to guest: a frame goes into as many posted buffers as it needs, one completion each. Completions are written
 * in batches; the interrupt follows at the flush.
 */

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "cards/network/ena_priv.h"

enum { BUF_64K = 65536 };

static int post(struct ena *e, struct ena_rxq *q)
{
	unsigned idx = ENA_RX_IDX + (unsigned)(q - e->rxq), cnt = q->cdesc_cnt;
	int r;

	if (!cnt)
		return 0;
	q->cdesc_cnt = 0;
	r = ena_cq_post(e, &e->cq[idx], q->cdesc, cnt, sizeof(q->cdesc[0]) / 4, 0, ENA_RXC_PHASE);
	if (r < 0)
		return r;
	q->sq.done = (uint16_t)(q->sq.done + cnt);
	return 0;
}

void ena_rx_flush(struct ena *e)
{
	unsigned i;

	if (!ena_live(e))
		return;
	for (i = 0; i < e->conf.queue_pairs; i++) {
		if (e->rxq[i].sq.depth && post(e, &e->rxq[i]) < 0) {
			ena_fatal(e, "rx_ring", ENA_RX_IDX + i);
			return;
		}
	}
	ena_irqs(e);
}

/* ---- buffers ---- */

static uint32_t desc_len(const struct ena_rx_desc *d)
{
	return d->length ? d->length : BUF_64K;
}

/* More buffers, fetched behind those at hand. Return: how many, 0 none, -EPROTO. */
static int descs_fetch(struct ena *e, struct ena_rxq *q)
{
	unsigned left = q->desc_cnt - q->desc_idx, idx = ENA_RX_IDX + (unsigned)(q - e->rxq);
	bool phase;
	int r, i;

	r = ena_sq_look(e, &q->sq, idx);
	if (r <= 0)
		return r;
	memmove(q->desc, q->desc + q->desc_idx, left * sizeof(q->desc[0]));
	q->desc_idx = 0;
	q->desc_cnt = left;
	r = ena_sq_fetch(e, &q->sq, q->desc + left, ENA_FETCH_MAX - left, &phase);
	for (i = 0; i < r; i++) {
		const struct ena_rx_desc *d = &q->desc[left + (unsigned)i];

		if (!(d->ctrl & ENA_RX_PHASE) == phase || !ena_guard_req_id(d->req_id, q->sq.depth))
			return -EPROTO;
	}
	if (r > 0)
		q->desc_cnt += (unsigned)r;
	return r;
}

/* How many buffers a frame of @len takes. Return: 1 ..., -ENOBUFS, -EMSGSIZE, -EPROTO. */
static int descs_for(struct ena *e, struct ena_rxq *q, size_t len)
{
	size_t room = 0;
	unsigned n;
	int r;

	for (n = 0; n < ENA_RX_DESCS_MAX && room < len; n++) {
		if (q->desc_idx + n == q->desc_cnt) {
			r = descs_fetch(e, q);
			if (r <= 0)
				return r < 0 ? r : -ENOBUFS;
		}
		room += desc_len(&q->desc[q->desc_idx + n]);
	}
	return room < len ? -EMSGSIZE : (int)n;
}

/* Bytes @from ... of the frame into one buffer. */
static int buffer_write(struct ena *e, const struct ena_rx_frame *f, uint64_t at, size_t from,
			size_t len)
{
	size_t hdr = from < f->hdr_len ? (size_t)min_u64(len, f->hdr_len - from) : 0;
	int r = 0;

	if (hdr)
		r = gmem_write(e->conf.mem, (gpa_t){ at }, f->hdr + from, hdr);
	if (r == 0 && len > hdr)
		r = gmem_write(e->conf.mem, (gpa_t){ at + hdr },
			       f->payload + (from + hdr - f->hdr_len), len - hdr);
	return r;
}

/* ---- frames ---- */

static uint32_t status_of(const struct ena_rx_frame *f, const struct offload_class *c)
{
	uint32_t s = 0;

	if (c->ipv4)
		s |= ENA_L3_IPV4 | (c->l3_bad ? ENA_RXC_L3_CSUM_ERR : 0) |
		     (c->frag ? ENA_RXC_IPV4_FRAG : 0);
	if (c->ipv6)
		s |= ENA_L3_IPV6;
	if (!c->tcp && !c->udp)
		return s;
	s |= ENA_RXC_L4(c->tcp ? ENA_L4_TCP : ENA_L4_UDP) | ENA_RXC_L4_CHECKED;
	if (!(f->flags & ENA_FRAME_L4_OK) && !offload_verify(c, f->hdr, f->hdr_len, f->payload))
		s |= ENA_RXC_L4_CSUM_ERR;
	return s;
}

/* The queue the table names; if the guest has taken that down, any. */
static struct ena_rxq *queue_for(struct ena *e, uint32_t hash)
{
	unsigned idx = rss_queue(&e->rss, hash), i;

	if (e->rxq[idx - ENA_RX_IDX].sq.depth)
		return &e->rxq[idx - ENA_RX_IDX];
	for (i = 0; i < e->conf.queue_pairs; i++)
		if (e->rxq[i].sq.depth)
			return &e->rxq[i];
	return NULL;
}

static int deliver(struct ena *e, struct ena_rxq *q, const struct ena_rx_frame *f, uint32_t status,
		   uint32_t hash)
{
	size_t done = 0;
	int n, i, r;

	n = descs_for(e, q, f->len);
	if (n < 0)
		return n;
	if (q->cdesc_cnt + (unsigned)n > ARRAY_SIZE(q->cdesc)) {
		r = post(e, q);
		if (r < 0)
			return r;
	}
	for (i = 0; i < n; i++) {
		const struct ena_rx_desc *d = &q->desc[q->desc_idx++];
		size_t len = (size_t)min_u64(desc_len(d), f->len - done);
		bool last = i == n - 1;

		r = buffer_write(e, f, d->addr_lo | (uint64_t)d->addr_hi << 32, done, len);
		if (r < 0)
			return r;
		done += len;
		q->cdesc[q->cdesc_cnt++] = (struct ena_rx_cdesc){
			.status = ENA_RXC_BUFFER | (i == 0 ? ENA_RXC_FIRST : 0) |
				  (last ? ENA_RXC_LAST | status : 0),
			.length = (uint16_t)len,
			.req_id = d->req_id,
			.hash = last ? hash : 0,
		};
	}
	return 0;
}

int ena_rx(struct ena *e, const struct ena_rx_frame *f)
{
	struct offload_class c;
	struct ena_rxq *q;
	uint32_t hash;
	int r;

	must(f->len >= ENA_ETH_BYTES && f->hdr_len <= f->len);
	if (!ena_live(e))
		return e->state == ENA_RUNNING ? -ENOBUFS : -ENETDOWN;
	if (f->len > (size_t)e->conf.mtu + ENA_ETH_BYTES)
		return -EMSGSIZE;

	offload_classify(f->hdr, f->hdr_len, f->len, &c);
	hash = rss_hash(&e->rss, &c, f->hdr);
	q = queue_for(e, hash);
	if (!q)
		return -ENETDOWN;
	r = deliver(e, q, f, status_of(f, &c), hash);
	if (r == -EPROTO)
		ena_fatal(e, "rx_ring", ENA_RX_IDX + (unsigned)(q - e->rxq));
	if (r < 0)
		return r;
	e->stats.rx_frames++;
	e->stats.rx_bytes += f->len;
	return 0;
}

void ena_rx_dropped(struct ena *e, uint64_t cnt)
{
	e->stats.rx_drops += cnt;
}
