/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/gmem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/num.h"
#include "proto/gmem_priv.h"

/*
 * How a range dies while other threads use it. Every access pins its region first: one added to ->state. CLOSED in
 * the same word says that nobody may pin any more. Unmapping sets CLOSED, then looks at the count: whoever came
 * before is still counted (-EBUSY), whoever comes after sees CLOSED, takes his one back and fails. A slot's other
 * fields change only while it is CLOSED with count 0; they are atomic because a scan may look at a slot that is
 * just changing, and it looks again after it has pinned.
 */
#define CLOSED ((uint32_t)1 << 31)

struct gmem_region {
	_Atomic uint32_t state; /* CLOSED | number of pins */
	bool used;              /* the table's own thread only: the slot is taken */
	_Atomic uint64_t at, len;
	_Atomic(uint8_t *) host; /* NULL: a range without memory */
	_Atomic unsigned prot;
	void *map; /* what to munmap() */
};

struct gmem {
	struct gmem_region region[GMEM_REGIONS_MAX];
};

int gmem_new(struct gmem **ret)
{
	struct gmem *m;
	unsigned i;

	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	for (i = 0; i < GMEM_REGIONS_MAX; i++)
		atomic_init(&m->region[i].state, CLOSED);
	*ret = m;
	return 0;
}

/* #syscalls:* munmap */
static void region_drop(struct gmem_region *g)
{
	if (g->map)
		munmap(g->map, (size_t)atomic_load(&g->len));
	g->map = NULL;
	g->used = false;
	atomic_store(&g->host, NULL);
	atomic_store(&g->len, 0);
}

void gmem_free(struct gmem *m)
{
	unsigned i;

	if (!m)
		return;
	must(gmem_pins(m) == 0);
	for (i = 0; i < GMEM_REGIONS_MAX; i++)
		if (m->region[i].used)
			region_drop(&m->region[i]);
	free(m);
}

void gmem_freep(struct gmem **m)
{
	gmem_free(*m);
	*m = NULL;
}

static bool overlaps(const struct gmem_region *g, uint64_t at, uint64_t len)
{
	uint64_t g_at = atomic_load(&g->at);
	uint64_t g_len = atomic_load(&g->len);

	return g->used && at < g_at + g_len && g_at < at + len;
}

static struct gmem_region *slot_free(struct gmem *m)
{
	unsigned i;

	for (i = 0; i < GMEM_REGIONS_MAX; i++)
		if (!m->region[i].used)
			return &m->region[i];
	return NULL;
}

static int region_check(struct gmem *m, uint64_t at, uint64_t len, uint64_t fd_off)
{
	unsigned i;

	if (len == 0 || !range_ok(at, len, (uint64_t)1 << GMEM_ADDR_BITS) ||
	    fd_off > INT64_MAX - len)
		return -EINVAL;
	if ((at | len | fd_off) % GMEM_PAGE_BYTES)
		return -EINVAL;
	for (i = 0; i < GMEM_REGIONS_MAX; i++)
		if (overlaps(&m->region[i], at, len))
			return -EEXIST;
	return 0;
}

/* #syscalls:* mmap */
static int region_mmap(int fd, uint64_t fd_off, uint64_t len, unsigned prot, void **ret)
{
	int p = (prot & GMEM_READ ? PROT_READ : 0) | (prot & GMEM_WRITE ? PROT_WRITE : 0);
	void *map;
	int r;

	r = fd_memfd_check(fd, fd_off + len);
	if (r < 0)
		return r;
	map = mmap(NULL, (size_t)len, p, MAP_SHARED, fd, (off_t)fd_off);
	if (map == MAP_FAILED)
		return -errno;
	*ret = map;
	return 0;
}

int gmem_region_add(struct gmem *m, gpa_t at, uint64_t len, unsigned prot, int fd, uint64_t fd_off)
{
	struct gmem_region *g;
	void *map = NULL;
	int r;

	if (!prot || (prot & ~(unsigned)(GMEM_READ | GMEM_WRITE)))
		return -EINVAL;
	r = region_check(m, at.v, len, fd_off);
	if (r < 0)
		return r;
	g = slot_free(m);
	if (!g)
		return -ENOSPC;
	if (fd >= 0) {
		r = region_mmap(fd, fd_off, len, prot, &map);
		if (r < 0)
			return r;
	}
	g->used = true;
	g->map = map;
	atomic_store(&g->at, at.v);
	atomic_store(&g->len, len);
	atomic_store(&g->host, map);
	atomic_store(&g->prot, prot);
	atomic_fetch_and(&g->state, ~CLOSED); /* publishes the fields above */
	return 0;
}

static int region_close(struct gmem_region *g)
{
	uint32_t before = atomic_fetch_or(&g->state, CLOSED);

	if (before & ~CLOSED)
		return -EBUSY;
	region_drop(g);
	return 0;
}

int gmem_region_del(struct gmem *m, gpa_t at, uint64_t len)
{
	unsigned i;

	for (i = 0; i < GMEM_REGIONS_MAX; i++) {
		struct gmem_region *g = &m->region[i];

		if (g->used && atomic_load(&g->at) == at.v && atomic_load(&g->len) == len)
			return region_close(g);
	}
	return -ENOENT;
}

int gmem_region_del_all(struct gmem *m)
{
	int r = 0;
	unsigned i;

	for (i = 0; i < GMEM_REGIONS_MAX; i++)
		if (m->region[i].used && region_close(&m->region[i]) < 0)
			r = -EBUSY;
	return r;
}

unsigned gmem_region_cnt(struct gmem *m)
{
	unsigned i, cnt = 0;

	for (i = 0; i < GMEM_REGIONS_MAX; i++)
		cnt += m->region[i].used;
	return cnt;
}

unsigned gmem_pins(struct gmem *m)
{
	unsigned i, cnt = 0;

	for (i = 0; i < GMEM_REGIONS_MAX; i++)
		cnt += atomic_load(&m->region[i].state) & ~CLOSED;
	return cnt;
}

static void region_unpin(struct gmem_region *g)
{
	uint32_t before = atomic_fetch_sub(&g->state, 1);

	must(before & ~CLOSED);
}

static bool region_holds(struct gmem_region *g, uint64_t at)
{
	uint64_t g_at = atomic_load_explicit(&g->at, memory_order_relaxed);
	uint64_t g_len = atomic_load_explicit(&g->len, memory_order_relaxed);

	return at >= g_at && at - g_at < g_len;
}

/* Return: false when the slot is closed or holds something else by now. */
static bool region_pin(struct gmem_region *g, uint64_t at)
{
	uint32_t before = atomic_fetch_add(&g->state, 1);

	if (!(before & CLOSED) && region_holds(g, at))
		return true;
	region_unpin(g);
	return false;
}

/*
 * The one place where an address becomes a pointer: at most @len bytes at @at that lie together.
 */
static int gmem_pin(struct gmem *m, uint64_t at, size_t len, unsigned need, struct gmem_span *ret)
{
	unsigned i;

	if (len == 0)
		return -EPROTO;
	for (i = 0; i < GMEM_REGIONS_MAX; i++) {
		struct gmem_region *g = &m->region[i];
		uint64_t off;
		uint8_t *host;

		if (!region_holds(g, at) || !region_pin(g, at))
			continue;
		host = atomic_load(&g->host);
		if (!host || (atomic_load(&g->prot) & need) != need) {
			region_unpin(g);
			return -EPROTO;
		}
		off = at - atomic_load(&g->at);
		ret->p = host + off;
		ret->len = (size_t)min_u64(len, atomic_load(&g->len) - off);
		ret->region_idx = i;
		return 0;
	}
	return -EPROTO;
}

int gmem_map(struct gmem *m, gpa_t at, size_t len, unsigned need, struct gmem_span *ret)
{
	return gmem_pin(m, at.v, len, need, ret);
}

void gmem_put(struct gmem *m, struct gmem_span *s)
{
	if (!s->p)
		return;
	region_unpin(&m->region[s->region_idx]);
	s->p = NULL;
	s->len = 0;
}

/* Regions end below 2^48, so the sum that steps through them cannot overflow once a pin succeeded. */
int gmem_read(struct gmem *m, gpa_t at, void *buf, size_t len)
{
	uint8_t *to = buf;
	size_t done = 0;

	while (done < len) {
		struct gmem_span s;
		int r = gmem_pin(m, at.v + done, len - done, GMEM_READ, &s);

		if (r < 0) {
			memset(buf, 0, len);
			return r;
		}
		gmem_copy_in(to + done, s.p, s.len, at.v + done);
		done += s.len;
		gmem_put(m, &s);
	}
	return 0;
}

/* @buf NULL: zeroes. */
static int gmem_out(struct gmem *m, uint64_t at, const uint8_t *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct gmem_span s;
		int r = gmem_pin(m, at + done, len - done, GMEM_WRITE, &s);

		if (r < 0)
			return r;
		if (buf)
			gmem_copy_out(s.p, buf + done, s.len);
		else
			gmem_copy_zero(s.p, s.len);
		done += s.len;
		gmem_put(m, &s);
	}
	return 0;
}

int gmem_write(struct gmem *m, gpa_t at, const void *buf, size_t len)
{
	return gmem_out(m, at.v, buf, len);
}

int gmem_zero(struct gmem *m, gpa_t at, size_t len)
{
	return gmem_out(m, at.v, NULL, len);
}

/* A word that is aligned lies in one page, hence in one region. */
static int word_pin(struct gmem *m, uint64_t at, unsigned need, struct gmem_span *ret)
{
	if (at % sizeof(uint32_t))
		return -EPROTO;
	return gmem_pin(m, at, sizeof(uint32_t), need, ret);
}

int gmem_load32(struct gmem *m, gpa_t at, uint32_t *ret)
{
	struct gmem_span s;
	int r;

	r = word_pin(m, at.v, GMEM_READ, &s);
	if (r < 0)
		return r;
	*ret = gmem_copy_load32(s.p, at.v);
	gmem_put(m, &s);
	return 0;
}

int gmem_store32(struct gmem *m, gpa_t at, uint32_t v)
{
	struct gmem_span s;
	int r;

	r = word_pin(m, at.v, GMEM_WRITE, &s);
	if (r < 0)
		return r;
	gmem_copy_store32(s.p, v);
	gmem_put(m, &s);
	return 0;
}

static uint8_t *span_word(const struct gmem_span *s, size_t off)
{
	uint8_t *p = s->p;

	must(p && range_ok(off, sizeof(uint32_t), s->len) && ((uintptr_t)(p + off) & 3) == 0);
	return p + off;
}

/* Shadow words are meant to be read again and again: no address is given, so nothing counts them. */
uint32_t gmem_span_load32(const struct gmem_span *s, size_t off)
{
	return gmem_copy_load32(span_word(s, off), UINT64_MAX);
}

void gmem_span_store32(const struct gmem_span *s, size_t off, uint32_t v)
{
	gmem_copy_store32(span_word(s, off), v);
}
