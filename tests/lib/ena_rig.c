/* SPDX-License-Identifier: Apache-2.0 */

#include "ena_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "proto/gmem_test.h"
#include "vpc/vpc.h"

struct rig rig;
static _Atomic uint32_t doorbells[ENA_DB_BYTES / 4];

static void irq(void *ctx, unsigned vector)
{
	(void)ctx;
	assert_true(vector <= RIG_PAIRS);
	rig.irqs[vector]++;
}

/* ---- port ---- */

static int port_reserve(void *port, struct ena_frame *f, uint8_t **ret)
{
	(void)port;
	rig.reserves++;
	assert_true(f->hdr_len <= f->len && f->len <= ENA_FRAME_MAX && f->len >= ENA_ETH_BYTES);
	assert_true(f->seg_idx < f->seg_cnt);
	if (!rig.room)
		return -EAGAIN;
	if (rig.refuse)
		return rig.refuse;
	if (rig.rewrite_mac)
		memset(f->hdr, 2, 6);
	*ret = rig.scratch;
	return 0;
}

static void port_commit(void *port, const struct ena_frame *f, uint8_t *to)
{
	struct rig_frame *k = &rig.frame[rig.frame_cnt++];

	(void)port;
	assert_true(rig.frame_cnt <= RIG_FRAMES_MAX && to == rig.scratch);
	if (rig.room != UINT32_MAX)
		rig.room--;
	*k =
		(struct rig_frame){ f->len,     f->flags, f->seg_idx,
				    f->seg_cnt, f->queue, malloc(f->len) };
	assert_non_null(k->b);
	memcpy(k->b, to, f->len);
}

static void port_flush(void *port)
{
	(void)port;
	rig.flushes++;
}

static void port_allowance(void *port, struct ena_allowance *ret)
{
	(void)port;
	*ret = rig.allowance;
}

static const struct ena_port_ops port_ops = {
	.reserve = port_reserve,
	.commit = port_commit,
	.flush = port_flush,
	.allowance = port_allowance,
};

void rig_frames_clear(void)
{
	while (rig.frame_cnt)
		free(rig.frame[--rig.frame_cnt].b);
}

/* ---- driver's way to the device ---- */

static uint32_t op_read(void *ctx, unsigned off)
{
	uint32_t v = 0;

	(void)ctx;
	ena_access(rig.e, 0, off, &v, sizeof(v), false);
	return v;
}

static void op_write(void *ctx, unsigned off, uint32_t v)
{
	(void)ctx;
	ena_access(rig.e, 0, off, &v, sizeof(v), true);
}

static uint64_t op_alloc(void *ctx, size_t len)
{
	uint64_t half = RIG_RAM_BYTES / 2, at = rig.next;

	(void)ctx;
	len = align_up(len, 4096);
	if (at < half && at + len > half)
		at = half;
	if (at + len > RIG_RAM_BYTES)
		return 0;
	rig.next = at + len;
	memset(rig.ram + at, 0, len);
	return at < half ? at : at - half + RIG_HIGH;
}

static void *op_mem(void *ctx, uint64_t at)
{
	(void)ctx;
	if (at < RIG_RAM_BYTES / 2)
		return rig.ram + at;
	if (at >= RIG_HIGH && at - RIG_HIGH < RIG_RAM_BYTES / 2)
		return rig.ram + RIG_RAM_BYTES / 2 + (at - RIG_HIGH);
	return NULL;
}

static bool op_wait(void *ctx, unsigned vector)
{
	(void)ctx;
	(void)vector;
	rig_turn();
	return rig.e->state == ENA_RUNNING;
}

static const struct ena_driver_ops driver_ops = { op_read, op_write, op_alloc, op_mem, op_wait };

uint64_t rig_alloc(size_t len)
{
	return op_alloc(NULL, len);
}

void *rig_p(uint64_t at)
{
	return op_mem(NULL, at);
}

uint32_t rig_reg(unsigned off)
{
	return op_read(NULL, off);
}

void rig_reg_write(unsigned off, uint32_t v)
{
	op_write(NULL, off, v);
}

/* ---- life ---- */

static void ram_make(void)
{
	const unsigned rw = GMEM_READ | GMEM_WRITE;
	uint64_t half = RIG_RAM_BYTES / 2;
	int fd = fd_memfd("rig", RIG_RAM_BYTES);
	void *p;

	assert_true(fd >= 0);
	assert_int_equal(gmem_new(&rig.mem), 0);
	assert_int_equal(gmem_region_add(rig.mem, (gpa_t){ 0 }, half, rw, fd, 0), 0);
	assert_int_equal(gmem_region_add(rig.mem, (gpa_t){ RIG_HIGH }, half, rw, fd, half), 0);
	p = mmap(NULL, RIG_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	rig.ram = p;
	rig.next = 4096;
	close(fd);
}

int rig_setup_off(void **state)
{
	struct ena_conf conf = {
		.db_page = doorbells,
		.name = "eni-0123456789abcdef0",
		.mac = { 6, 1, 2, 3, 4, 5 },
		.mtu = ENA_MTU_MAX,
		.queue_pairs = RIG_PAIRS,
		.irq = irq,
		.ops = &port_ops,
	};
	unsigned i;

	(void)state;
	memset(&rig, 0, sizeof(rig));
	for (i = 0; i < ARRAY_SIZE(doorbells); i++)
		atomic_store(&doorbells[i], 0);
	rig.room = UINT32_MAX;
	rig.now_ns = 1000;
	ram_make();
	conf.mem = rig.mem;
	assert_int_equal(ena_new(&conf, &rig.e), 0);
	rig.d.ops = &driver_ops;
	return 0;
}

static void bring_up(void)
{
	struct ena_aenq_entry ev;

	assert_int_equal(ena_driver_probe(&rig.d), 0);
	assert_int_equal(ena_driver_up(&rig.d, RIG_PAIRS, RIG_DEPTH), 0);
	rig_turn();
	while (ena_driver_event(&rig.d, &ev))
		;
	memset(rig.irqs, 0, sizeof(rig.irqs));
}

int rig_setup(void **state)
{
	(void)rig_setup_off(state);
	bring_up();
	return 0;
}

int rig_teardown(void **state)
{
	(void)state;
	assert_int_equal(ena_quiesce(rig.e, true), 0);
	assert_int_equal(gmem_pins(rig.mem), 0);
	rig_frames_clear();
	ena_free(rig.e);
	gmem_free(rig.mem);
	(void)munmap(rig.ram, RIG_RAM_BYTES);
	return 0;
}

void rig_turn(void)
{
	bool did;

	do {
		gmem_count_begin();
		rig.now_ns += 1000;
		did = ena_service(rig.e, rig.now_ns);
		assert_true(rig.same_memory || gmem_count_doubles() == 0);
		assert_int_equal(gmem_pins(rig.mem), 0);
	} while (did || ena_arm(rig.e));
}

void rig_assert_fatal_and_recover(void)
{
	assert_int_equal(rig.e->state, ENA_FATAL);
	assert_int_equal(rig_reg(ENA_REG_DEV_STS), ENA_DEV_STS_READY | ENA_DEV_STS_FATAL);
	/* Nothing it is told helps, but a reset. */
	rig_reg_write(ENA_REG_AQ_DB, 1);
	rig_reg_write(ENA_REG_AENQ_HEAD_DB, 16);
	rig_turn();
	assert_int_equal(rig.e->state, ENA_FATAL);
	bring_up();
	rig_frames_clear();
	rig_alive();
}

void rig_alive(void)
{
	uint8_t p[256], got[512];
	size_t len = rig_packet(p, false, false, 50, 7);
	struct ena_driver_rx rx;
	unsigned q, n = rig.frame_cnt;

	for (q = 0; q < RIG_PAIRS; q++) {
		rig_tx(q, p, len, len, NULL);
		assert_int_equal(rig.frame_cnt, n + q + 1);
		assert_int_equal(rig.frame[n + q].len, len);
		assert_memory_equal(rig.frame[n + q].b, p, len);
		assert_int_equal(ena_driver_tx_reap(&rig.d, q), 1);
	}
	assert_int_equal(rig_rx(p, len, 0), 0);
	ena_rx_flush(rig.e);
	for (q = 0; q < RIG_PAIRS; q++)
		if (ena_driver_rx(&rig.d, q, got, sizeof(got), &rx))
			break;
	assert_true(q < RIG_PAIRS);
	assert_int_equal(rx.len, len);
	assert_memory_equal(got, p, len);
}

/* ---- packets ---- */

void rig_tx(unsigned q, const void *p, size_t len, size_t piece, const struct ena_driver_offload *o)
{
	struct ena_driver_sg sg[ENA_DRIVER_SG_MAX];
	uint64_t keep = rig.next;
	size_t done = 0;
	unsigned n = 0;

	while (done < len) {
		size_t k = (size_t)min_u64(piece, len - done);

		assert_true(n < ENA_DRIVER_SG_MAX);
		sg[n] = (struct ena_driver_sg){ rig_alloc(k + 7), (uint16_t)k };
		assert_true(sg[n].at);
		sg[n].at += 7; /* nothing is aligned */
		memcpy(rig_p(sg[n].at), (const uint8_t *)p + done, k);
		done += k;
		n++;
	}
	assert_true(ena_driver_tx(&rig.d, q, sg, n, o) >= 0);
	ena_driver_ring_db(&rig.d, &rig.d.q[q].tx);
	rig_turn();
	rig.next = keep;
}

int rig_rx(const void *p, size_t len, unsigned flags)
{
	struct ena_rx_frame f = { .hdr = p, .hdr_len = len, .len = len, .flags = flags };

	/* As the card does it: headers apart from the rest. */
	if (len > 128) {
		f.hdr_len = 128;
		f.payload = (const uint8_t *)p + 128;
	}
	gmem_count_begin();
	return ena_rx(rig.e, &f);
}

static size_t ip_write(uint8_t *p, bool ipv6, bool tcp, size_t l4_len)
{
	uint8_t *ip = p + 14;

	memset(p, 0, 14 + 40);
	memcpy(p, "\x06\x0a\x0b\x0c\x0d\x0e\x06\x01\x02\x03\x04\x05", 12);
	be16_store(p + 12, ipv6 ? 0x86dd : 0x0800);
	if (ipv6) {
		ip[0] = 0x60;
		be16_store(ip + 4, (uint16_t)l4_len);
		ip[6] = tcp ? 6 : 17;
		ip[7] = 64;
		memcpy(ip + 8,
		       "\xfd\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\xfd\x00\0\0\0\0\0\0\0\0\0\0\0\0\0"
		       "\x06",
		       32);
		return 40;
	}
	ip[0] = 0x45;
	be16_store(ip + 2, (uint16_t)(20 + l4_len));
	be16_store(ip + 4, 0xfffe); /* wraps after two segments */
	ip[8] = 64;
	ip[9] = tcp ? 6 : 17;
	memcpy(ip + 12, "\xac\x1f\x00\x05\xac\x1f\x00\x06", 8);
	be16_store(ip + 10, checksum_fold(checksum_add(0, ip, 20)));
	return 20;
}

size_t rig_packet(uint8_t *p, bool ipv6, bool tcp, size_t payload, uint32_t seed)
{
	size_t l4_hdr = tcp ? 32 : 8, l4_len = l4_hdr + payload,
	       l3 = ip_write(p, ipv6, tcp, l4_len), i;
	uint8_t *l4 = p + 14 + l3;
	uint64_t sum;

	memset(l4, 0, l4_hdr);
	be16_store(l4, (uint16_t)(40000 + seed % 1000));
	be16_store(l4 + 2, 5201);
	if (tcp) {
		be32_store(l4 + 4, 0xfffffff0 + seed); /* wraps */
		be32_store(l4 + 8, 77);
		l4[12] = 8 << 4;
		l4[13] = 0x18;
		memcpy(l4 + 20, "\x01\x01\x08\x0a\x00\x00\x12\x34\x00\x00\x43\x21", 12);
	} else {
		be16_store(l4 + 4, (uint16_t)l4_len);
	}
	for (i = 0; i < payload; i++)
		l4[l4_hdr + i] = (uint8_t)(seed + i * 7 + (i >> 8));
	sum = checksum_add(0, p + 14 + (ipv6 ? 8 : 12), ipv6 ? 32 : 8) + (tcp ? 6 : 17) + l4_len;
	be16_store(l4 + (tcp ? 16 : 6), checksum_fold(checksum_add(sum, l4, l4_len)));
	return 14 + l3 + l4_len;
}
