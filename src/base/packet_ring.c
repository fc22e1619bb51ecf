/* SPDX-License-Identifier: Apache-2.0 */
#include "base/packet_ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/num.h"

/*
 * Indices are free-running byte counts modulo 2^32; a record starts at index % PACKET_RING_DATA_BYTES. Records are
 * a header and a frame, rounded up to PACKET_RING_ALIGN, never across the end: a pad record fills what is left.
 *
 * Kicks: who is about to sleep writes the index at which it wants to be woken (wake_at, room_at); who moves an
 * index past that value kicks, once. Either side stores its word, then a full fence, then loads the other's: at
 * least one of the two sees the other, so none sleeps while there is work. A value that nobody waits at is passed
 * once in 4 GiB; such a kick is for nothing and harmless.
 */

enum {
	PAD = 1 << 30, /* in flags: no frame, skip to the end of the memory */
	MASK = PACKET_RING_DATA_BYTES - 1,
	RECORD_MAX = PACKET_RING_HDR_BYTES + PACKET_RING_FRAME_MAX,
	ROOM_STEP = PACKET_RING_DATA_BYTES / 4, /* a waiting writer sleeps until so much was read */
	LINE_BYTES = 64,
};
static_assert(RECORD_MAX % PACKET_RING_ALIGN == 0, "the longest record is aligned");
static_assert((PACKET_RING_DATA_BYTES & MASK) == 0, "a power of two");
static_assert(ROOM_STEP >= 2 * RECORD_MAX, "after one step the longest record fits, pad included");

/* One direction, in shared memory. Each word has one writer and a cache line of its own. */
struct ring_ctl {
	_Alignas(LINE_BYTES) _Atomic uint32_t head;    /* writer: bytes written */
	_Alignas(LINE_BYTES) _Atomic uint32_t room_at; /* writer: kick when tail passes */
	_Alignas(LINE_BYTES) _Atomic uint32_t tail;    /* reader: bytes read */
	_Alignas(LINE_BYTES) _Atomic uint32_t wake_at; /* reader: kick when head passes */
};
static_assert(2 * sizeof(struct ring_ctl) <= PACKET_RING_CTL_BYTES, "both fit");

/* Before each frame: one 64-bit word, so that length and flags are loaded together, and 8 unused bytes. */
struct rec {
	_Atomic uint64_t word; /* flags << 32 | length */
	uint64_t unused;
};
static_assert(sizeof(struct rec) == PACKET_RING_HDR_BYTES, "the header");

struct tx {
	struct ring_ctl *ctl; /* shared */
	uint8_t *data;        /* shared */
	uint32_t head;        /* committed */
	uint32_t published;   /* what ctl->head says */
	uint32_t tail;        /* last seen, checked */
	uint32_t pad;         /* bytes to skip before the reserved record */
	uint32_t reserved;    /* bytes of frame; 0: nothing reserved */
	_Atomic bool dead;
};

struct rx {
	struct ring_ctl *ctl; /* shared */
	uint8_t *data;        /* shared, mapped for reading */
	uint32_t head;        /* last seen, checked */
	uint32_t tail;        /* consumed */
	uint32_t released;    /* what ctl->tail says */
	uint32_t peeked;      /* bytes of the record last peeked, pad before it included; 0: none */
	struct packet packet; /* it, if peeked */
	_Atomic bool dead;
};

struct packet_ring {
	_Alignas(LINE_BYTES) struct tx tx;
	_Alignas(LINE_BYTES) struct rx rx;
	uint8_t *map;
};

static uint32_t record_bytes(uint32_t len)
{
	return (uint32_t)align_up(PACKET_RING_HDR_BYTES + len, PACKET_RING_ALIGN);
}

static bool aligned(uint32_t index)
{
	return index % PACKET_RING_ALIGN == 0;
}

/* Did an index that went from @from to @to go past @at? */
static bool passed(uint32_t from, uint32_t to, uint32_t at)
{
	return (uint32_t)(at - from) < (uint32_t)(to - from);
}

static struct rec *record_at(uint8_t *data, uint32_t index)
{
	return (struct rec *)__builtin_assume_aligned(data + (index & MASK), PACKET_RING_ALIGN);
}

static void record_write(uint8_t *data, uint32_t index, uint32_t len, uint32_t flags)
{
	atomic_store_explicit(&record_at(data, index)->word, (uint64_t)flags << 32 | len,
			      memory_order_relaxed);
}

static bool is_dead(const _Atomic bool *dead)
{
	return atomic_load_explicit(dead, memory_order_relaxed);
}

static int die(_Atomic bool *dead)
{
	atomic_store_explicit(dead, true, memory_order_relaxed);
	return -EPROTO;
}

/* ---- life ---- */

/* #syscalls:* fcntl(F_GET_SEALS) fstat newfstatat mmap mprotect munmap */
static int fd_check(int fd)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat st;
	int r = fd_memfd_check(fd, PACKET_RING_BYTES);

	if (r < 0)
		return r;
	if ((fcntl(fd, F_GET_SEALS) & want) != want)
		return -EPROTO;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_size == PACKET_RING_BYTES ? 0 : -EPROTO;
}

/* Where the last holder of this side stopped. Our own words are in reach of the other side too: checked alike. */
static int halves_start(struct packet_ring *r)
{
	r->tx.head = atomic_load(&r->tx.ctl->head);
	r->tx.published = r->tx.head;
	r->tx.tail = atomic_load(&r->tx.ctl->tail);
	r->rx.tail = atomic_load(&r->rx.ctl->tail);
	r->rx.released = r->rx.tail;
	r->rx.head = r->rx.tail;
	if (!aligned(r->tx.head) || !aligned(r->tx.tail) || !aligned(r->rx.tail))
		return -EPROTO;
	return (uint32_t)(r->tx.head - r->tx.tail) <= PACKET_RING_DATA_BYTES ? 0 : -EPROTO;
}

int packet_ring_map(int fd, enum packet_ring_side side, struct packet_ring **ret)
{
	CLEANUP(packet_ring_freep) struct packet_ring *r = NULL;
	struct ring_ctl *ctl;
	unsigned out = side == PACKET_RING_A ? 0 : 1;
	void *map;
	int err;

	err = fd_check(fd);
	if (err < 0)
		return err;
	r = aligned_alloc(LINE_BYTES, sizeof(*r));
	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	map = mmap(NULL, PACKET_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	r->map = map;
	ctl = map;
	r->tx.ctl = &ctl[out];
	r->rx.ctl = &ctl[!out];
	r->tx.data = r->map + PACKET_RING_CTL_BYTES + (size_t)out * PACKET_RING_DATA_BYTES;
	r->rx.data = r->map + PACKET_RING_CTL_BYTES + (size_t)!out * PACKET_RING_DATA_BYTES;
	if (mprotect(r->rx.data, PACKET_RING_DATA_BYTES, PROT_READ) < 0)
		return -errno;
	err = halves_start(r);
	if (err < 0)
		return err;
	*ret = TAKE_PTR(r);
	return 0;
}

void packet_ring_free(struct packet_ring *r)
{
	if (!r)
		return;
	if (r->map)
		munmap(r->map, PACKET_RING_BYTES);
	free(r);
}

void packet_ring_freep(struct packet_ring **r)
{
	packet_ring_free(*r);
	*r = NULL;
}

bool packet_ring_dead(const struct packet_ring *r)
{
	return is_dead(&r->tx.dead) || is_dead(&r->rx.dead);
}

/* ---- writer ---- */

/* Look at the reader's index once: it may move forward, not past what it was shown. */
static int tail_look(struct tx *t)
{
	/* Acquire: pairs with the store in packet_ring_release(): the reader is done with those bytes. */
	uint32_t tail_raw = atomic_load(&t->ctl->tail);

	if (!aligned(tail_raw) ||
	    (uint32_t)(tail_raw - t->tail) > (uint32_t)(t->published - t->tail))
		return die(&t->dead);
	t->tail = tail_raw;
	return 0;
}

/* Bytes to skip so that a record does not cross the end. */
static uint32_t pad_for(const struct tx *t, uint32_t len)
{
	uint32_t left = PACKET_RING_DATA_BYTES - (t->head & MASK);

	return record_bytes(len) <= left ? 0 : left;
}

static bool fits(const struct tx *t, uint32_t len)
{
	uint32_t used = t->head - t->tail;

	return pad_for(t, len) + record_bytes(len) <= PACKET_RING_DATA_BYTES - used;
}

uint8_t *packet_ring_reserve(struct packet_ring *r, uint32_t len)
{
	struct tx *t = &r->tx;

	t->reserved = 0;
	if (is_dead(&t->dead) || len < PACKET_RING_FRAME_MIN || len > PACKET_RING_FRAME_MAX)
		return NULL;
	if (!fits(t, len) && (tail_look(t) < 0 || !fits(t, len)))
		return NULL;
	t->pad = pad_for(t, len);
	t->reserved = len;
	return t->data + ((t->head + t->pad) & MASK) + PACKET_RING_HDR_BYTES;
}

void packet_ring_commit(struct packet_ring *r, uint32_t len, uint32_t flags)
{
	struct tx *t = &r->tx;

	must(len >= PACKET_RING_FRAME_MIN && len <= t->reserved);
	must(!(flags & ~(uint32_t)PACKET_FLAGS_ALL));
	if (t->pad)
		record_write(t->data, t->head, t->pad - PACKET_RING_HDR_BYTES, PAD);
	record_write(t->data, t->head + t->pad, len, flags);
	t->head += t->pad + record_bytes(len);
	t->reserved = 0;
}

bool packet_ring_publish(struct packet_ring *r)
{
	struct tx *t = &r->tx;
	uint32_t from = t->published;

	if (t->head == from || is_dead(&t->dead))
		return false;
	t->published = t->head;
	/*
	 * Release: the records are there before the index. Sequentially consistent with the load: pairs with
	 * packet_ring_arm(), which stores wake_at and then loads head.
	 */
	atomic_store(&t->ctl->head, t->head);
	return passed(from, t->head, atomic_load(&t->ctl->wake_at));
}

bool packet_ring_want_room(struct packet_ring *r, uint32_t len)
{
	struct tx *t = &r->tx;

	must(t->head == t->published); /* else the reader could wait for us while we wait for it */
	if (is_dead(&t->dead) || len > PACKET_RING_FRAME_MAX)
		return true;
	/* Pairs with packet_ring_release(), which stores tail and then loads room_at. */
	atomic_store(&t->ctl->room_at, t->tail + ROOM_STEP - 1);
	return tail_look(t) < 0 || fits(t, len);
}

uint32_t packet_ring_room(const struct packet_ring *r)
{
	if (is_dead(&r->tx.dead))
		return 0;
	return PACKET_RING_DATA_BYTES - (uint32_t)(r->tx.head - r->tx.tail);
}

/* ---- reader ---- */

/* Look at the writer's index once: it may move forward, not past what it had been given. */
static int head_look(struct rx *x)
{
	/* Acquire: pairs with the store in packet_ring_publish(): the records are there. */
	uint32_t head_raw = atomic_load(&x->ctl->head);
	uint32_t room = PACKET_RING_DATA_BYTES - (uint32_t)(x->head - x->released);

	if (!aligned(head_raw) || (uint32_t)(head_raw - x->head) > room)
		return die(&x->dead);
	x->head = head_raw;
	return 0;
}

/* Judge one record header, a private copy. @avail: bytes published from @index on; @ret_bytes: of the record. */
static int record_parse(uint64_t word, uint32_t index, uint32_t avail, uint32_t *ret_bytes)
{
	uint32_t len = (uint32_t)word, flags = (uint32_t)(word >> 32);
	uint32_t left = PACKET_RING_DATA_BYTES - (index & MASK);

	if (flags == (uint32_t)PAD) {
		/* Only where the longest record might not fit, never last: so there is one at most. */
		if (left >= RECORD_MAX || len != left - PACKET_RING_HDR_BYTES || avail <= left)
			return -EPROTO;
		*ret_bytes = left;
		return 0;
	}
	if (flags & ~(uint32_t)PACKET_FLAGS_ALL || len < PACKET_RING_FRAME_MIN ||
	    len > PACKET_RING_FRAME_MAX)
		return -EPROTO;
	*ret_bytes = record_bytes(len);
	return *ret_bytes <= avail && *ret_bytes <= left ? 0 : -EPROTO;
}

/* The record at x->tail, which has been published. */
static int record_look(struct rx *x)
{
	uint32_t at = x->tail, bytes = 0, skip = 0;
	uint64_t word = atomic_load_explicit(&record_at(x->data, at)->word, memory_order_relaxed);

	if (record_parse(word, at, x->head - at, &bytes) < 0)
		return die(&x->dead);
	if (word >> 32 == (uint32_t)PAD) {
		skip = bytes;
		at += skip;
		word = atomic_load_explicit(&record_at(x->data, at)->word, memory_order_relaxed);
		/* At offset 0 no pad is accepted. */
		if (record_parse(word, at, x->head - at, &bytes) < 0)
			return die(&x->dead);
	}
	x->packet.data = x->data + (at & MASK) + PACKET_RING_HDR_BYTES;
	x->packet.len = (uint32_t)word;
	x->packet.flags = (uint32_t)(word >> 32);
	x->peeked = skip + bytes;
	return 1;
}

int packet_ring_peek(struct packet_ring *r, struct packet *ret)
{
	struct rx *x = &r->rx;
	int err;

	if (is_dead(&x->dead))
		return -EPROTO;
	if (!x->peeked) {
		if (x->tail == x->head) {
			err = head_look(x);
			if (err < 0)
				return err;
			if (x->tail == x->head)
				return 0;
		}
		err = record_look(x);
		if (err < 0)
			return err;
	}
	*ret = x->packet;
	return 1;
}

void packet_ring_consume(struct packet_ring *r)
{
	struct rx *x = &r->rx;

	must(x->peeked);
	x->tail += x->peeked;
	x->peeked = 0;
}

bool packet_ring_release(struct packet_ring *r)
{
	struct rx *x = &r->rx;
	uint32_t from = x->released;

	if (x->tail == from || is_dead(&x->dead))
		return false;
	x->released = x->tail;
	/* Release: we are done with those bytes. Then look at room_at: pairs with packet_ring_want_room(). */
	atomic_store(&x->ctl->tail, x->tail);
	return passed(from, x->tail, atomic_load(&x->ctl->room_at));
}

bool packet_ring_arm(struct packet_ring *r)
{
	struct rx *x = &r->rx;

	if (is_dead(&x->dead) || x->tail != x->head)
		return true;
	/* Pairs with packet_ring_publish(), which stores head and then loads wake_at. */
	atomic_store(&x->ctl->wake_at, x->head);
	return head_look(x) < 0 || x->tail != x->head;
}

void packet_ring_copy(void *dst, const uint8_t *src, size_t len)
{
	memcpy(dst, src, len);
	/* The compiler must not go back to src for what it has just put into dst. */
	__asm__ volatile("" : : "r"(dst) : "memory");
}
