/* SPDX-License-Identifier: Apache-2.0 */

#include "ena_play.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"
#include "proto/gmem_test.h"

/* Low memory comes and goes; high memory stays. */
enum {
	HALF = PLAY_RAM_BYTES / 2,
	HIGH_AT = 16 << 20,
	FEED_MAX = 4096,
	ADMIN_DEPTH = 32,
	DESCS_MAX = 40
};

enum step {
	STEP_REG_WRITE,
	STEP_REG_READ,
	STEP_RAW,
	STEP_DOORBELL,
	STEP_SERVICE,
	STEP_COMMAND,
	STEP_TX,
	STEP_RX,
	STEP_FLUSH,
	STEP_ARM,
	STEP_QUIESCE,
	STEP_POWER,
	STEP_ADMIN,
	STEP_QUEUES,
	STEP_MEMORY,
	STEP_LINK,
	STEP_PORT,
	STEP_AENQ,
	STEP_CNT,
};

static _Atomic uint32_t doorbells[ENA_DB_BYTES / 4];

static int ram(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = fd_memfd("play", PLAY_RAM_BYTES);
	must(fd >= 0);
	return fd;
}

/* ---- port ---- */

static void irq(void *ctx, unsigned vector)
{
	struct ena_play *p = ctx;

	must(vector <= PLAY_PAIRS);
	must(p->e->state == ENA_RUNNING);
	p->irqs++;
}

static int port_reserve(void *port, struct ena_frame *f, uint8_t **ret)
{
	struct ena_play *p = port;

	must(f->len >= ENA_ETH_BYTES && f->len <= ENA_FRAME_MAX && f->hdr_len <= f->len &&
	     f->hdr_len <= ENA_HDR_MAX);
	must(f->seg_idx < f->seg_cnt && f->queue < PLAY_PAIRS);
	must(f->seg_cnt > 1 || f->hdr_len == f->len || f->hdr_len == ENA_HDR_MAX ||
	     f->hdr_len >= 54);
	if (!p->room)
		return -EAGAIN;
	p->room--;
	if (p->refuse)
		return -EPERM;
	free(p->to);
	p->to = malloc(f->len);
	must(p->to);
	*ret = p->to;
	return 0;
}

static void port_commit(void *port, const struct ena_frame *f, uint8_t *to)
{
	struct ena_play *p = port;
	struct offload_class c;

	must(to == p->to);
	p->frames++;
	/* What the port decided about is what goes out: all but a checksum field behind the IP header. */
	must(memcmp(to, f->hdr, min_u64(f->hdr_len, 34)) == 0);
	if (f->seg_cnt == 1)
		return;
	offload_classify(to, f->hdr_len, f->len, &c);
	must(c.tcp || c.ipv6); /* behind extension headers it is not looked for */
	must(!c.l3_bad && f->flags & ENA_FRAME_L4_OK);
	if (c.tcp)
		must(offload_verify(&c, to, f->hdr_len, to + f->hdr_len));
}

static void port_flush(void *port)
{
	(void)port;
}

static const struct ena_port_ops port_ops = {
	.reserve = port_reserve,
	.commit = port_commit,
	.flush = port_flush,
};

/* ---- life ---- */

static void low_map(struct ena_play *p)
{
	must(gmem_region_add(p->mem, (gpa_t){ 0 }, HALF, GMEM_READ | GMEM_WRITE, ram(), 0) == 0);
	p->low_mapped = true;
}

void ena_play_start(struct ena_play *p)
{
	struct ena_conf conf = {
		.db_page = doorbells,
		.name = "eni-0123456789abcdef0",
		.mac = { 6, 1, 2, 3, 4, 5 },
		.mtu = ENA_MTU_MAX,
		.queue_pairs = PLAY_PAIRS,
		.irq = irq,
		.irq_ctx = p,
		.ops = &port_ops,
		.port = p,
	};
	unsigned i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < ARRAY_SIZE(doorbells); i++)
		atomic_store_explicit(&doorbells[i], 0, memory_order_relaxed);
	must(gmem_new(&p->mem) == 0);
	low_map(p);
	must(gmem_region_add(p->mem, (gpa_t){ HIGH_AT }, HALF, GMEM_READ | GMEM_WRITE, ram(),
			     HALF) == 0);
	conf.mem = p->mem;
	p->room = 100000;
	must(ena_new(&conf, &p->e) == 0);
}

void ena_play_end(struct ena_play *p)
{
	must(ena_quiesce(p->e, true) == 0);
	must(gmem_pins(p->mem) == 0 && p->e->state == ENA_IDLE);
	free(p->to);
	ena_free(p->e);
	gmem_free(p->mem);
}

static void reg_write(struct ena_play *p, uint64_t off, uint32_t v)
{
	ena_access(p->e, 0, off, &v, sizeof(v), true);
}

static bool service(struct ena_play *p, uint64_t ns)
{
	p->now_ns += ns;
	return ena_service(p->e, p->now_ns);
}

void ena_play_admin(struct ena_play *p)
{
	reg_write(p, ENA_REG_DEV_CTL, ENA_DEV_CTL_RESET);
	reg_write(p, ENA_REG_DEV_CTL, 0);
	reg_write(p, ENA_REG_AQ_BASE_LO, HIGH_AT);
	reg_write(p, ENA_REG_ACQ_BASE_LO, HIGH_AT + 4096);
	reg_write(p, ENA_REG_AENQ_BASE_LO, HIGH_AT + 8192);
	reg_write(p, ENA_REG_AQ_CAPS, 64u << 16 | ADMIN_DEPTH);
	reg_write(p, ENA_REG_ACQ_CAPS, 64u << 16 | ADMIN_DEPTH);
	reg_write(p, ENA_REG_AENQ_CAPS, 64u << 16 | 16);
	reg_write(p, ENA_REG_AQ_DB, 0);
	must(p->e->state == ENA_RUNNING);
}

/* ---- commands ---- */

static void command(struct ena_play *p, struct ena_aq_entry *c, const uint8_t *buf, size_t len)
{
	static uint8_t feed[sizeof(*c) + FEED_MAX];
	uint16_t head = p->e->admin.head;

	c->flags = (uint8_t)((c->flags & ~1u) | !(head / ADMIN_DEPTH & 1));
	memcpy(feed, c, sizeof(*c));
	len = (size_t)min_u64(len, FEED_MAX);
	if (len)
		memcpy(feed + sizeof(*c), buf, len);
	gmem_fuzz_feed(feed, sizeof(*c) + len);
	reg_write(p, ENA_REG_AQ_DB, (uint16_t)(head + 1));
	(void)service(p, 1);
}

void ena_play_queues(struct ena_play *p, uint16_t depth)
{
	unsigned i;

	for (i = 0; i < 2 * PLAY_PAIRS; i++) {
		bool rx = i >= PLAY_PAIRS;
		unsigned idx = rx ? ENA_RX_IDX + i - PLAY_PAIRS : i;
		struct ena_aq_entry cq = { .opcode = ENA_ADMIN_CREATE_CQ },
				    sq = { .opcode = ENA_ADMIN_CREATE_SQ };

		cq.create_cq.caps_1 = 1 << 5;
		cq.create_cq.caps_2 = rx ? 4 : 2;
		cq.create_cq.depth = depth;
		cq.create_cq.vector = 1 + i % PLAY_PAIRS;
		cq.create_cq.base_lo = HIGH_AT + 0x10000 + 0x4000 * i;
		sq.create_sq.identity = (uint8_t)((rx ? ENA_DIRECTION_RX : ENA_DIRECTION_TX) << 5);
		sq.create_sq.caps_2 = ENA_PLACEMENT_HOST;
		sq.create_sq.caps_3 = 1;
		sq.create_sq.cq_idx = (uint16_t)idx;
		sq.create_sq.depth = depth;
		sq.create_sq.base_lo = HIGH_AT + 0x40000 + 0x4000 * i;
		if (p->e->state == ENA_RUNNING && !p->e->quiesced) {
			command(p, &cq, NULL, 0);
			command(p, &sq, NULL, 0);
		}
	}
}

void ena_play_command(struct ena_play *p, struct rd *in)
{
	struct ena_aq_entry c;
	uint8_t buf[600];
	size_t len;

	/* Short inputs are good for much: what they leave out is zero. */
	memset(&c, 0, sizeof(c));
	len = min_u64(in->left, 44);
	rd_bytes(in, &c, len);
	len = min_u64(in->left, sizeof(buf));
	len = min_u64(len, rd_le16(in));
	len = min_u64(len, in->left);
	rd_bytes(in, buf, len);
	if (ena_live(p->e))
		command(p, &c, buf, len);
}

/* ---- rings ---- */

static struct ena_sq *sq_of(struct ena_play *p, unsigned idx)
{
	return idx >= ENA_RX_IDX ? &p->e->rxq[idx - ENA_RX_IDX].sq : &p->e->txq[idx].sq;
}

/*
 * @cnt descriptors of 16 bytes with the phase bit (@byte, @bit) made right are what the device will fetch next, then @tail
 * bytes. The device fetches in runs of one round, so the feed is right as long as they are in it.
 */
static void descs_feed(struct ena_play *p, struct rd *in, unsigned idx, unsigned byte, uint8_t bit)
{
	static uint8_t feed[DESCS_MAX * 16 + FEED_MAX];
	struct ena_sq *sq = sq_of(p, idx);
	unsigned cnt = rd_u8(in) % DESCS_MAX, i;
	size_t len;

	for (i = 0; i < cnt; i++) {
		uint8_t *d = feed + (size_t)i * 16;

		memset(d, 0, 16);
		rd_bytes(in, d, (size_t)min_u64(16, in->left));
		d[byte] = (uint8_t)(d[byte] & ~bit);
		if (sq->depth && !((uint16_t)(sq->head + i) / sq->depth & 1))
			d[byte] |= bit;
	}
	len = (size_t)min_u64(in->left, min_u64(FEED_MAX, rd_le16(in)));
	len = (size_t)min_u64(len, in->left);
	rd_bytes(in, feed + (size_t)cnt * 16, len);
	gmem_fuzz_feed(feed, (size_t)cnt * 16 + len);
	atomic_store(&doorbells[ena_db_slot(idx)], (uint16_t)(sq->tail + cnt));
}

void ena_play_tx(struct ena_play *p, struct rd *in)
{
	descs_feed(p, in, rd_u8(in) % PLAY_PAIRS, 3, 1);
	(void)service(p, 1000);
}

void ena_play_rx(struct ena_play *p, struct rd *in)
{
	struct ena_rx_frame f = { 0 };
	CLEANUP(free_p) uint8_t *hdr = NULL, *payload = NULL;
	size_t len = rd_le16(in) % (ENA_FRAME_MAX + 20);
	int r;

	descs_feed(p, in, ENA_RX_IDX + rd_u8(in) % PLAY_PAIRS, 3, 1);
	f.len = max_u64(len, ENA_ETH_BYTES);
	f.hdr_len = min_u64(f.len, 14 + rd_u8(in) % 120);
	f.flags = rd_u8(in) & ENA_FRAME_L4_OK;
	hdr = calloc(1, f.hdr_len);
	payload = calloc(1, f.len - f.hdr_len + 1);
	must(hdr && payload);
	rd_bytes(in, hdr, (size_t)min_u64(in->left, f.hdr_len));
	f.hdr = hdr;
	f.payload = payload;
	r = ena_rx(p->e, &f);
	must(r == 0 || r == -ENOBUFS || r == -ENETDOWN || r == -EMSGSIZE || r == -EPROTO);
	must(r != -EPROTO || p->e->state == ENA_FATAL);
	must(r != -ENETDOWN || p->e->state != ENA_RUNNING || !p->e->rxq[0].sq.depth);
}

/* ---- books ---- */

static void sq_check(const struct ena_sq *sq, const struct ena_cq *cq, unsigned unused)
{
	must(!sq->depth == !cq->used);
	if (!sq->depth)
		return;
	must(is_pow2(sq->depth) && sq->depth <= cq->depth && is_pow2(cq->depth));
	must((uint16_t)(sq->tail - sq->done) <= sq->depth);
	must((uint16_t)(sq->head - sq->done) <= (uint16_t)(sq->tail - sq->done));
	must(unused <= (uint16_t)(sq->head - sq->done));
}

void ena_play_check(struct ena_play *p)
{
	const struct ena *e = p->e;
	unsigned i;

	must(gmem_pins(p->mem) == 0);
	for (i = 0; i < ENA_QUEUES_MAX; i++) {
		const struct ena_txq *t = &e->txq[i];
		const struct ena_rxq *r = &e->rxq[i];

		must(i < PLAY_PAIRS || (!t->sq.depth && !r->sq.depth));
		must(t->desc_idx <= t->desc_cnt && t->desc_cnt <= ENA_FETCH_MAX && !t->cdesc_cnt);
		must(r->desc_idx <= r->desc_cnt && r->desc_cnt <= ENA_FETCH_MAX &&
		     r->cdesc_cnt <= ENA_FETCH_MAX);
		must(t->pkt.sg_cnt <= ENA_TX_DESCS_MAX && t->pkt.desc_cnt <= ENA_TX_DESCS_MAX);
		must(t->pkt.state != ENA_PKT_SEND || t->pkt.seg_idx <= t->pkt.plan.seg_cnt);
		sq_check(&t->sq, &e->cq[i], t->desc_cnt - t->desc_idx);
		sq_check(&r->sq, &e->cq[ENA_RX_IDX + i], r->desc_cnt - r->desc_idx);
		if (r->sq.depth)
			must(r->desc_cnt - r->desc_idx + r->cdesc_cnt ==
			     (uint16_t)(r->sq.head - r->sq.done));
	}
	for (i = 0; i < RSS_TABLE_SIZE; i++)
		must(e->rss.table[i] >= ENA_RX_IDX && e->rss.table[i] < ENA_RX_IDX + PLAY_PAIRS);
	must((uint16_t)(e->admin.tail - e->admin.head) <= e->admin.depth);
	must((uint16_t)(e->aenq.free_to - e->aenq.sent) <= e->aenq.depth);
	if (e->state != ENA_RUNNING)
		must(!e->admin.depth && !e->aenq.depth && !e->cq[0].depth &&
		     ena_wake_ns(e) == UINT64_MAX);
}

/* ---- steps ---- */

static void memory_toggle(struct ena_play *p)
{
	if (!p->low_mapped) {
		low_map(p);
		return;
	}
	must(ena_quiesce(p->e, false) == 0);
	must(gmem_region_del(p->mem, (gpa_t){ 0 }, HALF) == 0);
	p->low_mapped = false;
	ena_resume(p->e);
}

static void raw(struct ena_play *p, struct rd *in)
{
	uint8_t buf[16];
	unsigned region = rd_u8(in) % 6;
	uint16_t off = rd_le16(in) % 0x4000;
	size_t len = rd_u8(in) % sizeof(buf) + 1;

	rd_bytes(in, buf, len);
	ena_access(p->e, region, off, buf, len, true);
}

static void reg_read(struct ena_play *p, struct rd *in)
{
	uint8_t buf[64] = { 0 };
	uint16_t off = rd_le16(in) % 0x4000;

	ena_access(p->e, 0, off, buf, rd_u8(in) % sizeof(buf) + 1, false);
}

void ena_play_step(struct ena_play *p, struct rd *in)
{
	uint8_t op = rd_u8(in);
	unsigned k;

	switch ((enum step)(op % STEP_CNT)) {
	case STEP_REG_WRITE:
		k = rd_u8(in);
		reg_write(p, k % 28 * 4, rd_le32(in));
		break;
	case STEP_REG_READ:
		reg_read(p, in);
		break;
	case STEP_RAW:
		raw(p, in);
		break;
	case STEP_DOORBELL:
		k = rd_u8(in);
		atomic_store(&doorbells[k % 34], rd_le32(in));
		break;
	case STEP_SERVICE:
		(void)service(p, (uint64_t)rd_le16(in) << 16);
		break;
	case STEP_COMMAND:
		ena_play_command(p, in);
		break;
	case STEP_TX:
		ena_play_tx(p, in);
		break;
	case STEP_RX:
		ena_play_rx(p, in);
		break;
	case STEP_FLUSH:
		ena_rx_flush(p->e);
		break;
	case STEP_ARM:
		(void)ena_arm(p->e);
		break;
	case STEP_QUIESCE:
		must(ena_quiesce(p->e, false) == 0);
		(void)service(p, 1);
		ena_resume(p->e);
		break;
	case STEP_POWER:
		must(ena_quiesce(p->e, true) == 0);
		ena_resume(p->e);
		break;
	case STEP_ADMIN:
		ena_play_admin(p);
		break;
	case STEP_QUEUES:
		ena_play_queues(p, (uint16_t)(4u << rd_u8(in) % 4));
		break;
	case STEP_MEMORY:
		memory_toggle(p);
		break;
	case STEP_LINK:
		ena_link_set(p->e, rd_u8(in) & 1);
		break;
	case STEP_PORT:
		k = rd_u8(in);
		p->refuse = k & 1;
		p->room = k & 2 ? k >> 2 : 100000;
		break;
	case STEP_AENQ:
		reg_write(p, ENA_REG_AENQ_HEAD_DB, (uint16_t)(p->e->aenq.sent + rd_u8(in)));
		break;
	case STEP_CNT:
		break;
	}
}
