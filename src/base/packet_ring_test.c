/* SPDX-License-Identifier: Apache-2.0 */
#include "base/packet_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

/* The memory as a hostile neighbour sees it: words of 32 bits. Direction 0 is A to B. */
enum {
	W_HEAD = 0,
	W_ROOM_AT = 16,
	W_TAIL = 32,
	W_WAKE_AT = 48,
	W_DIRECTION = 64,
	PAD_FLAG = 1 << 30
};

struct pair {
	int fd;
	struct packet_ring *a, *b;
	void *map;
	_Atomic uint32_t *words; /* its first page */
	uint8_t *data;           /* A to B */
};

static void pair_map(struct pair *p)
{
	assert_int_equal(packet_ring_map(p->fd, PACKET_RING_A, &p->a), 0);
	assert_int_equal(packet_ring_map(p->fd, PACKET_RING_B, &p->b), 0);
}

static void pair_raw(struct pair *p)
{
	p->fd = packet_ring_fd_new();
	assert_true(p->fd >= 0);
	p->map = mmap(NULL, PACKET_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	assert_true(p->map != MAP_FAILED);
	p->words = p->map;
	p->data = (uint8_t *)p->map + PACKET_RING_CTL_BYTES;
}

static void pair_new(struct pair *p)
{
	pair_raw(p);
	pair_map(p);
}

static void pair_done(struct pair *p)
{
	packet_ring_free(p->a);
	packet_ring_free(p->b);
	munmap(p->map, PACKET_RING_BYTES);
	close(p->fd);
}

static void set(struct pair *p, unsigned word, uint32_t v)
{
	atomic_store(&p->words[word], v);
}

static uint32_t get(struct pair *p, unsigned word)
{
	return atomic_load(&p->words[word]);
}

static void record_put(struct pair *p, uint32_t off, uint32_t len, uint32_t flags)
{
	uint32_t h[2] = { len, flags };

	memcpy(p->data + off, h, sizeof(h));
}

/* Where the kick does not matter. */
static void show(struct packet_ring *r)
{
	bool kick UNUSED = packet_ring_publish(r);
}

static void give(struct packet_ring *r)
{
	bool kick UNUSED = packet_ring_release(r);
}

/* The byte that frame number n has at offset i. */
static uint8_t content(uint32_t n, uint32_t i)
{
	return (uint8_t)(n * 31 + i * 7 + (i >> 8));
}

static int frame_put(struct packet_ring *r, uint32_t n, uint32_t len, uint32_t flags)
{
	uint8_t *p = packet_ring_reserve(r, len);
	uint32_t i;

	if (!p)
		return 0;
	assert_int_equal((uintptr_t)p % PACKET_RING_ALIGN, 0);
	for (i = 0; i < len; i++)
		p[i] = content(n, i);
	packet_ring_commit(r, len, flags);
	return 1;
}

static void frame_check(const struct packet *pkt, uint32_t n, uint32_t len, uint32_t flags)
{
	uint32_t i;

	assert_int_equal(pkt->len, len);
	assert_int_equal(pkt->flags, flags);
	assert_int_equal((uintptr_t)pkt->data % PACKET_RING_ALIGN, 0);
	for (i = 0; i < len; i++)
		if (pkt->data[i] != content(n, i))
			fail_msg("frame %u differs at %u", n, i);
}

static void frame_get(struct packet_ring *r, uint32_t n, uint32_t len, uint32_t flags)
{
	struct packet pkt;

	assert_int_equal(packet_ring_peek(r, &pkt), 1);
	frame_check(&pkt, n, len, flags);
	packet_ring_consume(r);
}

static void map__rejects_memory_that_is_not_a_ring(void **state UNUSED)
{
	CLEANUP(fd_closep) int small = fd_memfd("t", PACKET_RING_BYTES - 4096);
	CLEANUP(fd_closep) int large = fd_memfd("t", PACKET_RING_BYTES + 4096);
	CLEANUP(fd_closep) int open_seals = fd_memfd("t", PACKET_RING_BYTES);
	CLEANUP(fd_closep) int no_memfd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct packet_ring *r = NULL;

	assert_int_equal(fcntl(small, F_ADD_SEALS, F_SEAL_SEAL), 0);
	assert_int_equal(fcntl(large, F_ADD_SEALS, F_SEAL_SEAL), 0);
	assert_int_equal(packet_ring_map(small, PACKET_RING_A, &r), -EPROTO);
	assert_int_equal(packet_ring_map(large, PACKET_RING_A, &r), -EPROTO);
	assert_int_equal(packet_ring_map(open_seals, PACKET_RING_A, &r), -EPROTO);
	assert_true(packet_ring_map(no_memfd, PACKET_RING_A, &r) < 0);
	assert_true(packet_ring_map(-1, PACKET_RING_A, &r) < 0);
	assert_null(r);
	assert_int_equal(fcntl(open_seals, F_ADD_SEALS, F_SEAL_SEAL), 0); /* the twin */
	assert_int_equal(packet_ring_map(open_seals, PACKET_RING_A, &r), 0);
	packet_ring_free(r);
}

static void map__rejects_impossible_indices(void **state UNUSED)
{
	static const struct {
		unsigned word;
		uint32_t v;
	} bad[] = {
		{ W_HEAD, 8 },
		{ W_HEAD, PACKET_RING_DATA_BYTES + 16 },
		{ W_TAIL, 16 },
		{ W_TAIL, 1 },
		{ W_DIRECTION + W_TAIL, 4 },
	};
	struct packet_ring *r = NULL;
	struct pair p = { 0 };
	size_t i;

	pair_raw(&p);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		set(&p, bad[i].word, bad[i].v);
		assert_int_equal(packet_ring_map(p.fd, PACKET_RING_A, &r), -EPROTO);
		set(&p, bad[i].word, 0);
	}
	pair_map(&p);
	pair_done(&p);
}

static void frames__go_both_ways_in_order(void **state UNUSED)
{
	struct pair p;
	struct packet pkt;

	pair_new(&p);
	assert_int_equal(packet_ring_peek(p.b, &pkt), 0);
	assert_true(frame_put(p.a, 1, 64, 0));
	assert_true(frame_put(p.a, 2, PACKET_RING_FRAME_MAX, PACKET_L4_OK));
	assert_int_equal(packet_ring_peek(p.b, &pkt), 0); /* not published */
	show(p.a);
	assert_true(frame_put(p.b, 3, PACKET_RING_FRAME_MIN, 0));
	show(p.b);
	frame_get(p.b, 1, 64, 0);
	frame_get(p.b, 2, PACKET_RING_FRAME_MAX, PACKET_L4_OK);
	assert_int_equal(packet_ring_peek(p.b, &pkt), 0);
	frame_get(p.a, 3, PACKET_RING_FRAME_MIN, 0);
	assert_int_equal(packet_ring_peek(p.a, &pkt), 0);
	pair_done(&p);
}

static void peek__gives_the_same_frame_until_consumed(void **state UNUSED)
{
	struct pair p;
	struct packet one, two;

	pair_new(&p);
	assert_true(frame_put(p.a, 1, 100, 0));
	assert_true(frame_put(p.a, 2, 100, 0));
	show(p.a);
	assert_int_equal(packet_ring_peek(p.b, &one), 1);
	record_put(&p, 0, 0xffffffff, 0xffffffff); /* the header is looked at once */
	assert_int_equal(packet_ring_peek(p.b, &two), 1);
	assert_ptr_equal(one.data, two.data);
	assert_int_equal(two.len, 100);
	packet_ring_consume(p.b);
	frame_get(p.b, 2, 100, 0);
	pair_done(&p);
}

static void reserve__refuses_lengths_out_of_range(void **state UNUSED)
{
	struct pair p;

	pair_new(&p);
	assert_null(packet_ring_reserve(p.a, 0));
	assert_null(packet_ring_reserve(p.a, PACKET_RING_FRAME_MIN - 1));
	assert_null(packet_ring_reserve(p.a, PACKET_RING_FRAME_MAX + 1));
	assert_null(packet_ring_reserve(p.a, UINT32_MAX));
	assert_non_null(packet_ring_reserve(p.a, PACKET_RING_FRAME_MIN));
	assert_non_null(packet_ring_reserve(p.a, PACKET_RING_FRAME_MAX));
	pair_done(&p);
}

static void commit__may_be_shorter_than_reserved(void **state UNUSED)
{
	struct pair p;
	uint8_t *f;

	pair_new(&p);
	f = packet_ring_reserve(p.a, PACKET_RING_FRAME_MAX);
	assert_non_null(f);
	memset(f, 0x55, 60);
	packet_ring_commit(p.a, 60, 0);
	assert_int_equal(packet_ring_room(p.a), PACKET_RING_DATA_BYTES - 80);
	assert_true(frame_put(p.a, 2, 60, 0));
	show(p.a);
	assert_int_equal(get(&p, W_HEAD), 160);
	pair_done(&p);
}

static void ring__fills_and_takes_as_much_again_after_release(void **state UNUSED)
{
	struct pair p;
	uint32_t n, cnt = 0, i;

	pair_new(&p);
	while (frame_put(p.a, cnt, 1000, 0))
		cnt++;
	assert_int_equal(cnt, PACKET_RING_DATA_BYTES / 1024); /* 16 + 1000, rounded up to 1024 */
	show(p.a);
	for (n = 0; n < cnt; n++)
		frame_get(p.b, n, 1000, 0);
	assert_false(frame_put(p.a, 0, 1000, 0)); /* consumed is not released */
	give(p.b);
	for (i = 0; i < cnt; i++)
		assert_true(frame_put(p.a, i, 1000, 0));
	assert_false(frame_put(p.a, 0, PACKET_RING_FRAME_MIN, 0));
	pair_done(&p);
}

/* Random lengths, so that every kind of end is met, and indices that wrap at 2^32 on the way. */
static void frames__survive_every_wrap(void **state UNUSED)
{
	struct pair p;
	uint32_t n, got = 0, put = 0, start = 0U - 3 * PACKET_RING_DATA_BYTES;
	static uint32_t lens[1 << 16];
	unsigned rnd = 1;

	pair_raw(&p);
	set(&p, W_HEAD, start);
	set(&p, W_TAIL, start);
	pair_map(&p);
	for (n = 0; n < 4000; n++) {
		rnd = rnd * 1103515245 + 12345;
		lens[put] = PACKET_RING_FRAME_MIN +
			    (rnd >> 8) % (PACKET_RING_FRAME_MAX - PACKET_RING_FRAME_MIN + 1);
		if (frame_put(p.a, put, lens[put], 0))
			put++;
		show(p.a);
		if (n % 3 == 0)
			continue;
		for (; got < put && rnd % 5; got++, rnd /= 2)
			frame_get(p.b, got, lens[got], 0);
		give(p.b);
	}
	for (; got < put; got++)
		frame_get(p.b, got, lens[got], 0);
	assert_true(get(&p, W_HEAD) < start); /* went through 2^32 */
	assert_true(put > 2000);
	pair_done(&p);
}

static void publish__kicks_a_sleeper_once(void **state UNUSED)
{
	struct pair p;
	struct packet pkt;

	pair_new(&p);
	assert_int_equal(packet_ring_peek(p.b, &pkt), 0);
	assert_false(packet_ring_arm(p.b));
	assert_false(packet_ring_publish(p.a)); /* nothing to show */
	assert_true(frame_put(p.a, 1, 64, 0));
	assert_true(packet_ring_publish(p.a));
	assert_true(frame_put(p.a, 2, 64, 0));
	assert_false(packet_ring_publish(p.a)); /* already kicked */
	frame_get(p.b, 1, 64, 0);
	frame_get(p.b, 2, 64, 0);
	assert_true(frame_put(p.a, 3, 64, 0));
	assert_false(packet_ring_publish(p.a)); /* busy, not armed */
	frame_get(p.b, 3, 64, 0);
	give(p.b);
	assert_false(packet_ring_arm(p.b));
	assert_true(frame_put(p.a, 4, 64, 0));
	assert_true(packet_ring_publish(p.a));
	pair_done(&p);
}

static void arm__looks_again_before_sleep(void **state UNUSED)
{
	struct pair p;
	struct packet pkt;

	pair_new(&p);
	assert_int_equal(packet_ring_peek(p.b, &pkt), 0);
	assert_true(frame_put(p.a, 1, 64, 0));
	show(p.a); /* between the last look and the sleep */
	assert_true(packet_ring_arm(p.b));
	assert_true(packet_ring_arm(p.b)); /* still not consumed */
	frame_get(p.b, 1, 64, 0);
	give(p.b);
	assert_false(packet_ring_arm(p.b));
	pair_done(&p);
}

static void want_room__is_kicked_when_a_good_part_is_free(void **state UNUSED)
{
	struct pair p;
	uint32_t cnt = 0, n, kicks = 0;

	pair_new(&p);
	while (frame_put(p.a, cnt, 1000, 0))
		cnt++;
	show(p.a);
	frame_get(p.b, 0, 1000, 0);
	give(p.b);
	assert_true(packet_ring_want_room(p.a, 1000)); /* looked again */
	assert_true(frame_put(p.a, 0, 1000, 0));
	assert_false(frame_put(p.a, 0, 1000, 0));
	show(p.a);
	assert_false(packet_ring_want_room(p.a, 1000));
	for (n = 1; n < cnt; n++) {
		frame_get(p.b, n, 1000, 0);
		kicks += packet_ring_release(p.b);
		if (kicks && n < PACKET_RING_DATA_BYTES / 4 / 1024)
			fail_msg("kicked after %u frames", n);
	}
	assert_int_equal(kicks, 1);
	pair_done(&p);
}

static void side__goes_on_after_its_process_was_restarted(void **state UNUSED)
{
	struct pair p;
	struct packet pkt;

	pair_new(&p);
	assert_true(frame_put(p.a, 1, 64, 0));
	assert_true(frame_put(p.a, 2, 64, 0));
	assert_true(frame_put(p.a, 3, 64, 0));
	show(p.a);
	frame_get(p.b, 1, 64, 0);
	give(p.b);
	frame_get(p.b, 2, 64, 0); /* seen, not released: comes again */
	packet_ring_free(p.b);
	assert_int_equal(packet_ring_map(p.fd, PACKET_RING_B, &p.b), 0);
	frame_get(p.b, 2, 64, 0);
	frame_get(p.b, 3, 64, 0);
	give(p.b);
	assert_true(frame_put(p.a, 4, 64, 0)); /* never published: lost */
	packet_ring_free(p.a);
	assert_int_equal(packet_ring_map(p.fd, PACKET_RING_A, &p.a), 0);
	assert_int_equal(packet_ring_peek(p.b, &pkt), 0);
	assert_true(frame_put(p.a, 5, 64, 0));
	show(p.a);
	frame_get(p.b, 5, 64, 0);
	pair_done(&p);
}

static void reader__dies_of_impossible_heads(void **state UNUSED)
{
	static const uint32_t heads[] = { 1,          8,      15,
					  81,         88,     PACKET_RING_DATA_BYTES + 16,
					  0x80000000, 0U - 16 };
	struct packet pkt;
	struct pair p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		pair_new(&p);
		record_put(&p, 0, 64, 0);
		set(&p, W_HEAD, heads[i]);
		assert_int_equal(packet_ring_peek(p.b, &pkt), -EPROTO);
		set(&p, W_HEAD, 80); /* too late */
		assert_int_equal(packet_ring_peek(p.b, &pkt), -EPROTO);
		assert_true(packet_ring_dead(p.b));
		assert_true(packet_ring_arm(p.b));
		assert_false(packet_ring_dead(p.a));
		pair_done(&p);
	}
}

static void reader__dies_of_a_head_that_goes_back(void **state UNUSED)
{
	struct packet pkt;
	struct pair p;

	pair_new(&p);
	assert_true(frame_put(p.a, 1, 64, 0));
	assert_true(frame_put(p.a, 2, 64, 0));
	show(p.a);
	frame_get(p.b, 1, 64, 0);
	frame_get(p.b, 2, 64, 0);
	set(&p, W_HEAD, 80);
	assert_int_equal(packet_ring_peek(p.b, &pkt), -EPROTO);
	pair_done(&p);
}

static void reader__dies_of_impossible_records(void **state UNUSED)
{
	static const struct {
		uint32_t len, flags, head;
		int want;
	} cases[] = {
		{ 64, 0, 80, 1 },
		{ 65, 0, 80, -EPROTO }, /* longer than what was published */
		{ 64, 0, 64, -EPROTO },
		{ 13, 0, 80, -EPROTO },
		{ 0, 0, 80, -EPROTO },
		{ 0xffffffff, 0, 80, -EPROTO },
		{ 0xfffffff0, 0, 80, -EPROTO }, /* rounds to zero */
		{ PACKET_RING_FRAME_MAX, 0, 16384, 1 },
		{ PACKET_RING_FRAME_MAX + 1, 0, 16384, -EPROTO },
		{ 64, PACKET_FLAGS_ALL, 80, 1 },
		{ 64, PACKET_FLAGS_ALL + 1, 80, -EPROTO },
		{ 64, 0x80000000, 80, -EPROTO },
		{ PACKET_RING_DATA_BYTES - 16, PAD_FLAG, PACKET_RING_DATA_BYTES,
		  -EPROTO }, /* at 0 */
	};
	struct packet pkt;
	struct pair p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		pair_new(&p);
		record_put(&p, 0, cases[i].len, cases[i].flags);
		set(&p, W_HEAD, cases[i].head);
		assert_int_equal(packet_ring_peek(p.b, &pkt), cases[i].want);
		pair_done(&p);
	}
}

/* A ring whose next record starts @left bytes before the end. */
static void pair_near_end(struct pair *p, uint32_t left)
{
	pair_raw(p);
	set(p, W_HEAD, PACKET_RING_DATA_BYTES - left);
	set(p, W_TAIL, PACKET_RING_DATA_BYTES - left);
	pair_map(p);
}

static void reader__accepts_only_the_pad_that_is_due(void **state UNUSED)
{
	static const struct {
		uint32_t left, len, flags, head; /* head: bytes published from there on */
		int want;
	} cases[] = {
		{ 32, 16, PAD_FLAG, 32 + 80, 1 },
		{ 16, 0, PAD_FLAG, 16 + 80, 1 },
		{ 32, 16, PAD_FLAG, 32, -EPROTO },  /* a pad and nothing after it */
		{ 32, 16, PAD_FLAG, 16, -EPROTO },  /* half published */
		{ 32, 15, PAD_FLAG, 112, -EPROTO }, /* not to the end */
		{ 32, 32, PAD_FLAG, 112, -EPROTO }, /* beyond it */
		{ 32, 16, PAD_FLAG | 1, 112, -EPROTO },
		{ 32, 64, 0, 112, -EPROTO },                  /* a frame across the end */
		{ 9232, 9216, PAD_FLAG, 9232 + 80, -EPROTO }, /* the longest frame fits there */
		{ 9216, 9200, PAD_FLAG, 9216 + 80, 1 },
	};
	struct packet pkt;
	struct pair p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		pair_near_end(&p, cases[i].left);
		record_put(&p, PACKET_RING_DATA_BYTES - cases[i].left, cases[i].len,
			   cases[i].flags);
		record_put(&p, 0, 64, 0);
		set(&p, W_HEAD, PACKET_RING_DATA_BYTES - cases[i].left + cases[i].head);
		assert_int_equal(packet_ring_peek(p.b, &pkt), cases[i].want);
		if (cases[i].want == 1) {
			assert_int_equal(pkt.len, 64);
			packet_ring_consume(p.b);
			assert_int_equal(packet_ring_peek(p.b, &pkt), 0);
		}
		pair_done(&p);
	}
}

static void reader__accepts_no_second_pad(void **state UNUSED)
{
	struct packet pkt;
	struct pair p;

	pair_near_end(&p, 32);
	record_put(&p, PACKET_RING_DATA_BYTES - 32, 16, PAD_FLAG);
	record_put(&p, 0, PACKET_RING_DATA_BYTES - 16, PAD_FLAG);
	set(&p, W_HEAD, 2 * PACKET_RING_DATA_BYTES - 32);
	assert_int_equal(packet_ring_peek(p.b, &pkt), -EPROTO);
	pair_done(&p);
}

static void writer__dies_of_impossible_tails(void **state UNUSED)
{
	static const uint32_t tails[] = { 1, 8, 80 + 16, 0U - 16, 0x80000000 };
	struct pair p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tails); i++) {
		pair_new(&p);
		assert_true(frame_put(p.a, 1, 64, 0));
		show(p.a);
		while (frame_put(p.a, 1, 1000,
				 0)) /* committed, not published: the tail may not go there */
			;
		set(&p, W_TAIL, tails[i]);
		assert_null(packet_ring_reserve(p.a, 1000));
		assert_true(packet_ring_dead(p.a));
		set(&p, W_TAIL, 80);
		assert_null(packet_ring_reserve(p.a, 1000));
		assert_int_equal(packet_ring_room(p.a), 0);
		assert_false(packet_ring_publish(p.a));
		pair_done(&p);
	}
}

static void rings__die_alone(void **state UNUSED)
{
	struct packet pkt;
	struct pair p;

	pair_new(&p);
	set(&p, W_HEAD, 1);
	assert_int_equal(packet_ring_peek(p.b, &pkt), -EPROTO);
	assert_true(frame_put(p.b, 7, 64, 0)); /* the other half of B lives: its owner decides */
	show(p.b);
	frame_get(p.a, 7, 64, 0);
	pair_done(&p);
}

/* ---- two threads, each writer and reader, that really sleep ---- */

enum { THREAD_FRAMES = 60000 };

struct party {
	struct packet_ring *r;
	int kick, wait;
	unsigned seed;
	uint32_t sent, got, slept;
};

static uint32_t len_of(uint32_t n)
{
	return n % 97 == 0 ? PACKET_RING_FRAME_MAX : PACKET_RING_FRAME_MIN + n * 2654435761U % 1500;
}

static bool party_send(struct party *t, unsigned burst)
{
	bool blocked = false;

	while (burst-- && t->sent < THREAD_FRAMES && !blocked) {
		uint8_t *p = packet_ring_reserve(t->r, len_of(t->sent));
		uint32_t i;

		blocked = !p;
		if (blocked)
			break;
		for (i = 0; i < len_of(t->sent); i += 61)
			p[i] = content(t->sent, i);
		packet_ring_commit(t->r, len_of(t->sent), 0);
		t->sent++;
	}
	if (packet_ring_publish(t->r))
		fd_event_signal(t->kick);
	return blocked;
}

static void party_recv(struct party *t, unsigned burst)
{
	struct packet pkt;
	uint32_t i;

	while (burst-- && packet_ring_peek(t->r, &pkt) == 1) {
		assert_int_equal(pkt.len, len_of(t->got));
		for (i = 0; i < pkt.len; i += 61)
			assert_int_equal(pkt.data[i], content(t->got, i));
		packet_ring_consume(t->r);
		t->got++;
	}
	if (packet_ring_release(t->r))
		fd_event_signal(t->kick);
}

static void *party_run(void *arg)
{
	struct party *t = arg;
	bool blocked;

	while (t->sent < THREAD_FRAMES || t->got < THREAD_FRAMES) {
		struct pollfd w = { .fd = t->wait, .events = POLLIN };

		t->seed = t->seed * 1103515245 + 12345;
		blocked = party_send(t, (t->seed >> 16) % 200);
		party_recv(t, (t->seed >> 20) % 200);
		assert_false(packet_ring_dead(t->r));
		if (!blocked && t->sent < THREAD_FRAMES)
			continue;
		if (packet_ring_arm(t->r))
			continue;
		if (blocked && packet_ring_want_room(t->r, len_of(t->sent)))
			continue;
		if (t->sent == THREAD_FRAMES && t->got == THREAD_FRAMES)
			break;
		t->slept++;
		/* A lost wake-up shows here. */
		assert_int_equal(poll(&w, 1, 20000), 1);
		fd_event_clear(t->wait);
	}
	return NULL;
}

static void rings__lose_no_frame_and_no_kick_between_threads(void **state UNUSED)
{
	struct party a = { .kick = fd_eventfd(), .wait = fd_eventfd(), .seed = 1 };
	struct party b = { .kick = a.wait, .wait = a.kick, .seed = 2 };
	pthread_t th;
	struct pair p;

	pair_new(&p);
	a.r = p.a;
	b.r = p.b;
	assert_int_equal(pthread_create(&th, NULL, party_run, &b), 0);
	party_run(&a);
	pthread_join(th, NULL);
	assert_int_equal(a.got, THREAD_FRAMES);
	assert_int_equal(b.got, THREAD_FRAMES);
	print_message("slept %u and %u times for %d frames each way\n", a.slept, b.slept,
		      THREAD_FRAMES);
	close(a.kick);
	close(a.wait);
	pair_done(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(map__rejects_memory_that_is_not_a_ring),
		cmocka_unit_test(map__rejects_impossible_indices),
		cmocka_unit_test(frames__go_both_ways_in_order),
		cmocka_unit_test(peek__gives_the_same_frame_until_consumed),
		cmocka_unit_test(reserve__refuses_lengths_out_of_range),
		cmocka_unit_test(commit__may_be_shorter_than_reserved),
		cmocka_unit_test(ring__fills_and_takes_as_much_again_after_release),
		cmocka_unit_test(frames__survive_every_wrap),
		cmocka_unit_test(publish__kicks_a_sleeper_once),
		cmocka_unit_test(arm__looks_again_before_sleep),
		cmocka_unit_test(want_room__is_kicked_when_a_good_part_is_free),
		cmocka_unit_test(side__goes_on_after_its_process_was_restarted),
		cmocka_unit_test(reader__dies_of_impossible_heads),
		cmocka_unit_test(reader__dies_of_a_head_that_goes_back),
		cmocka_unit_test(reader__dies_of_impossible_records),
		cmocka_unit_test(reader__accepts_only_the_pad_that_is_due),
		cmocka_unit_test(reader__accepts_no_second_pad),
		cmocka_unit_test(writer__dies_of_impossible_tails),
		cmocka_unit_test(rings__die_alone),
		cmocka_unit_test(rings__lose_no_frame_and_no_kick_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
