/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/packet_ring.h"

/*
 * A byte string is a list of steps. First byte even: side A against a neighbour that writes anything anywhere in the
 * shared memory; what A is shown must lie in its ring and be within the limits, and a dead ring stays dead. Odd: two
 * honest sides against two queues: every frame comes out once, whole and in order, and who sleeps is kicked.
 */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 600, QUEUE = 1 << 16, WORDS = 8, WORD_STRIDE = 16 };
enum { HEAD, ROOM_AT, TAIL, WAKE_AT }; /* words of one direction; A to B first */

static int fd;
static uint8_t *shared;

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	void *m;

	fd = packet_ring_fd_new();
	must(fd >= 0);
	m = mmap(NULL, PACKET_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(m != MAP_FAILED);
	shared = m;
	return 0;
}

static uint32_t word_get(unsigned dir, unsigned word)
{
	return le32_load(shared + ((size_t)dir * 4 + word) * WORD_STRIDE * 4);
}

static void word_set(unsigned dir, unsigned word, uint32_t v)
{
	le32_store(shared + ((size_t)dir * 4 + word) * WORD_STRIDE * 4, v);
}

/* ---- hostile ---- */

struct hostile {
	struct packet_ring *a;
	bool peeked;
	uint64_t shown; /* bytes since the last release */
};

static const uint8_t *ring_data(unsigned dir)
{
	return shared + PACKET_RING_CTL_BYTES + (size_t)dir * PACKET_RING_DATA_BYTES;
}

/* A's mapping is another one than ours: compare offsets through a byte that only we know to be there. */
static void shown_check(struct hostile *h, const struct packet *p)
{
	must(p->len >= PACKET_RING_FRAME_MIN && p->len <= PACKET_RING_FRAME_MAX);
	must((uintptr_t)p->data % PACKET_RING_ALIGN == 0);
	must(!(p->flags & ~(uint32_t)PACKET_FLAGS_ALL));
	/* Reads all of it: outside the map this is a fault. */
	for (uint32_t i = 0; i < p->len; i++)
		__asm__ volatile("" : : "r"(p->data[i]));
	if (!h->peeked)
		h->shown += p->len;
	must(h->shown <= PACKET_RING_DATA_BYTES);
	h->peeked = true;
}

static void hostile_put(struct hostile *h, uint32_t len)
{
	uint8_t *p = packet_ring_reserve(h->a, len);

	if (!p)
		return;
	memset(p, 0x5a, len);
	packet_ring_commit(h->a, len, 0);
}

/* A record as an honest writer would add it, so that a walk gets far. */
static void hostile_good(uint32_t len)
{
	uint32_t head = word_get(1, HEAD) & ~15U, at = head % PACKET_RING_DATA_BYTES;
	uint32_t bytes = (PACKET_RING_HDR_BYTES + len + 15) & ~15U,
		 left = PACKET_RING_DATA_BYTES - at;
	uint8_t *data = shared + (ring_data(1) - shared);

	if (bytes > left) {
		le32_store(data + at, left - PACKET_RING_HDR_BYTES);
		le32_store(data + at + 4, 1U << 30);
		head += left;
		at = 0;
	}
	le32_store(data + at, len);
	le32_store(data + at + 4, PACKET_L4_OK);
	word_set(1, HEAD, head + bytes);
}

static void hostile_step(struct hostile *h, struct rd *r)
{
	uint8_t step = rd_u8(r), which;
	bool dead = packet_ring_dead(h->a), ignored;
	uint32_t at, v;
	struct packet p;
	int got;

	switch (step % 10) {
	case 0:
		which = rd_u8(r);
		word_set(which / 4 % 2, which % 4, rd_le32(r));
		break;
	case 1:
		at = rd_le16(r) * 16U;
		v = rd_le32(r);
		memcpy(shared + PACKET_RING_CTL_BYTES + PACKET_RING_DATA_BYTES + at, &v, 4);
		v = rd_le32(r);
		memcpy(shared + PACKET_RING_CTL_BYTES + PACKET_RING_DATA_BYTES + at + 4, &v, 4);
		break;
	case 2:
		hostile_put(h, rd_le16(r));
		break;
	case 3:
		ignored = packet_ring_publish(h->a);
		break;
	case 4:
		got = packet_ring_peek(h->a, &p);
		if (got == 1)
			shown_check(h, &p);
		must(got == 1 || got == 0 || packet_ring_dead(h->a));
		break;
	case 5:
		if (h->peeked)
			packet_ring_consume(h->a);
		h->peeked = false;
		break;
	case 6:
		if (h->peeked)
			break;
		ignored = packet_ring_release(h->a);
		h->shown = 0;
		break;
	case 7:
		ignored = packet_ring_arm(h->a);
		break;
	case 8:
		ignored = packet_ring_publish(h->a);
		if (!packet_ring_dead(h->a))
			ignored = packet_ring_want_room(h->a, PACKET_RING_FRAME_MAX);
		break;
	case 9:
		hostile_good(PACKET_RING_FRAME_MIN + rd_le16(r) % 9000U);
		break;
	}
	(void)ignored;
	must(!dead || packet_ring_dead(h->a));
	must(packet_ring_room(h->a) <= PACKET_RING_DATA_BYTES);
}

static void hostile_run(struct rd *r)
{
	struct hostile h = { 0 };
	uint32_t start = rd_le32(r) & ~15U;
	int i;

	for (i = 0; i < 2; i++) {
		word_set((unsigned)i, HEAD, start);
		word_set((unsigned)i, TAIL, start);
	}
	must(packet_ring_map(fd, PACKET_RING_A, &h.a) == 0);
	for (i = 0; i < STEPS_MAX && r->left; i++)
		hostile_step(&h, r);
	packet_ring_free(h.a);
}

/* ---- honest ---- */

struct queue {
	uint32_t len[QUEUE]; /* of frame number i % QUEUE */
	uint32_t put, shown, got;
	bool asleep, waits; /* reader, writer; a kick ends both */
	uint32_t waits_len;
};

static struct queue queues[2];

static uint8_t content(uint32_t n, uint32_t i)
{
	return (uint8_t)(n * 31 + i);
}

static void honest_put(struct packet_ring *r, struct queue *q, uint32_t len)
{
	uint32_t room = packet_ring_room(r), i;
	uint8_t *p;

	if (q->put - q->got == QUEUE)
		return;
	p = packet_ring_reserve(r, len);
	if (!p) {
		must(len < PACKET_RING_FRAME_MIN || len > PACKET_RING_FRAME_MAX ||
		     room < 2 * (PACKET_RING_FRAME_MAX + 16));
		return;
	}
	for (i = 0; i < len; i += 7)
		p[i] = content(q->put, i);
	packet_ring_commit(r, len, len % 2);
	q->len[q->put++ % QUEUE] = len;
}

static void honest_get(struct packet_ring *r, struct queue *q)
{
	struct packet p;
	uint32_t i, len = q->len[q->got % QUEUE];
	int got = packet_ring_peek(r, &p);

	must(got == (q->got != q->shown));
	if (!got)
		return;
	must(p.len == len && p.flags == len % 2);
	for (i = 0; i < len; i += 7)
		must(p.data[i] == content(q->got, i));
	packet_ring_consume(r);
	q->got++;
}

static void honest_publish(struct packet_ring *r, struct queue *q)
{
	bool kick = packet_ring_publish(r);

	must(kick || !q->asleep || q->shown == q->put);
	if (q->shown != q->put)
		q->asleep = false;
	q->shown = q->put;
}

static void honest_release(struct packet_ring *r, struct queue *q)
{
	if (packet_ring_release(r))
		q->waits = false;
	/* All was read and given back: nobody may still wait for room. */
	must(!q->waits || q->got != q->shown);
}

static void honest_step(struct packet_ring *side[2], struct rd *r)
{
	uint8_t step = rd_u8(r);
	unsigned dir = step & 1;
	struct packet_ring *writer = side[dir], *reader = side[!dir];
	struct queue *q = &queues[dir];
	unsigned i, cnt;

	switch ((step >> 1) % 7) {
	case 0:
		honest_put(writer, q, rd_le16(r) % (PACKET_RING_FRAME_MAX + 20U));
		break;
	case 1:
		honest_publish(writer, q);
		break;
	case 2:
		honest_get(reader, q);
		break;
	case 3:
		honest_release(reader, q);
		break;
	case 4:
		if (!packet_ring_arm(reader)) {
			must(q->got == q->shown);
			q->asleep = true;
		}
		break;
	case 5:
		honest_publish(writer, q);
		if (!packet_ring_want_room(writer, PACKET_RING_FRAME_MAX))
			q->waits = true;
		break;
	case 6: /* many at once, so that the end of the memory and a full ring are met */
		cnt = rd_u8(r);
		for (i = 0; i < cnt; i++)
			honest_put(writer, q, 9000);
		for (i = 0; i < cnt && step & 128; i++)
			honest_get(reader, q);
		break;
	}
	must(!packet_ring_dead(side[0]) && !packet_ring_dead(side[1]));
}

static void honest_run(struct rd *r)
{
	struct packet_ring *side[2];
	uint32_t start = rd_le32(r) & ~15U;
	unsigned i;

	for (i = 0; i < 2; i++) {
		queues[i].put = queues[i].shown = queues[i].got = 0;
		queues[i].asleep = queues[i].waits = false;
		word_set(i, HEAD, start);
		word_set(i, TAIL, start);
		/* Far from where the run goes, so that no kick comes for nothing. */
		word_set(i, WAKE_AT, start - 1);
		word_set(i, ROOM_AT, start - 1);
	}
	must(packet_ring_map(fd, PACKET_RING_A, &side[0]) == 0);
	must(packet_ring_map(fd, PACKET_RING_B, &side[1]) == 0);
	for (i = 0; i < STEPS_MAX && r->left; i++)
		honest_step(side, r);
	for (i = 0; i < 2; i++) {
		honest_publish(side[i], &queues[i]);
		while (queues[i].got != queues[i].put)
			honest_get(side[!i], &queues[i]);
		honest_release(side[!i], &queues[i]);
	}
	packet_ring_free(side[0]);
	packet_ring_free(side[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	memset(shared, 0, PACKET_RING_CTL_BYTES);
	if (rd_u8(&r) % 2)
		honest_run(&r);
	else
		hostile_run(&r);
	return 0;
}
