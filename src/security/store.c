/* SPDX-License-Identifier: Apache-2.0 */
#include "security/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/random.h"
#include "crypto/kdf.h"
#include "security/store_priv.h"

enum {
	HEADER_COPIES = 2,
	HEADER_STEP = STORE_HEADER_AREA_BYTES / HEADER_COPIES,
	SLOTS_GROW = 256, /* table entries allocated at a time */
	READ_SLOTS = 8,   /* slots read at a time: a page */
	MAC_KEY_BYTES = 32,
};

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_DAMAGED };

struct slot {
	enum slot_state state;
	struct store_record rec; /* of a damaged slot: the ids as they stand there, or empty */
};

struct store {
	int fd;
	struct key *key, *mac_key;
	struct store_header header; /* as the current copy on disk */
	unsigned copy;              /* which one that is */
	struct store_log_mark log_next;
	bool unsettled; /* the header's operation failed half-way: its slot must be wiped first */
	struct slot *slots;
	uint32_t slot_cnt; /* known slots; those beyond are free */
	unsigned used_cnt, damaged_cnt;
};

static uint64_t slot_off(uint32_t slot)
{
	return STORE_HEADER_AREA_BYTES + (uint64_t)slot * STORE_RECORD_BYTES;
}

static int mac_key_derive(const struct key *store_key, struct key **ret)
{
	static const char info[] = "niter/store-header/v1";

	return kdf_hkdf_sha384(store_key, NULL, 0, info, sizeof(info) - 1, MAC_KEY_BYTES, ret);
}

int store_image_new(const struct key *store_key, uint8_t ret[STORE_HEADER_AREA_BYTES])
{
	CLEANUP(key_freep) struct key *mac_key = NULL;
	struct store_header h = { .generation = 1 };
	int r;

	r = mac_key_derive(store_key, &mac_key);
	if (r < 0)
		return r;
	if (random_bytes(h.id, sizeof(h.id)) < 0)
		return -EIO;
	memset(ret, 0, STORE_HEADER_AREA_BYTES);
	return store_header_encode(&h, mac_key, ret);
}

static int store_sync(struct store *s)
{
	/* #syscalls:security,security-serve fdatasync */
	return fdatasync(s->fd) < 0 ? -errno : 0;
}

/* Make the intention durable, in the copy that does not count now. */
static int header_write(struct store *s, enum store_op op, uint32_t slot)
{
	unsigned copy = (s->copy + 1) % HEADER_COPIES;
	struct store_header h = s->header;
	uint8_t b[STORE_HEADER_BYTES];
	int r;

	h.generation++;
	h.op = op;
	h.slot = slot;
	h.log = s->log_next;
	r = store_header_encode(&h, s->mac_key, b);
	if (r < 0)
		return r;
	r = fd_pwrite_full(s->fd, b, sizeof(b), (uint64_t)copy * HEADER_STEP);
	if (r < 0)
		return r;
	r = store_sync(s);
	if (r < 0)
		return r;
	s->header = h;
	s->copy = copy;
	return 0;
}

static int slot_write(struct store *s, uint32_t slot, const uint8_t b[STORE_RECORD_BYTES])
{
	int r;

	r = fd_pwrite_full(s->fd, b, STORE_RECORD_BYTES, slot_off(slot));
	if (r < 0)
		return r;
	return store_sync(s);
}

static int slot_wipe(struct store *s, uint32_t slot)
{
	static const uint8_t zero[STORE_RECORD_BYTES];

	return slot_write(s, slot, zero);
}

/* Room in the table for slots 0..slot. */
static int slots_grow(struct store *s, uint32_t slot)
{
	uint32_t cnt = (slot / SLOTS_GROW + 1) * SLOTS_GROW;
	struct slot *p;

	if (slot < s->slot_cnt)
		return 0;
	if (slot >= STORE_SLOTS_MAX)
		return -ENOSPC;
	p = reallocarray(s->slots, cnt, sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p + s->slot_cnt, 0, (cnt - s->slot_cnt) * sizeof(*p));
	s->slots = p;
	s->slot_cnt = cnt;
	return 0;
}

static void slot_set(struct store *s, uint32_t slot, enum slot_state state,
		     const struct store_record *rec)
{
	struct slot *p = &s->slots[slot];

	s->used_cnt -= p->state == SLOT_USED;
	s->damaged_cnt -= p->state == SLOT_DAMAGED;
	memset(&p->rec, 0, sizeof(p->rec));
	if (rec && state != SLOT_FREE)
		p->rec = *rec;
	p->state = state;
	s->used_cnt += state == SLOT_USED;
	s->damaged_cnt += state == SLOT_DAMAGED;
}

static int slot_find(const struct store *s, const char *volume, enum slot_state state,
		     uint32_t *ret)
{
	uint32_t i;

	for (i = 0; i < s->slot_cnt; i++) {
		if (s->slots[i].state != state || strcmp(s->slots[i].rec.volume, volume) != 0)
			continue;
		*ret = i;
		return 1;
	}
	return 0;
}

/* The lowest free slot; the table grows by it if need be. */
static int slot_find_free(struct store *s, uint32_t *ret)
{
	uint32_t i = 0;
	int r;

	while (i < s->slot_cnt && s->slots[i].state != SLOT_FREE)
		i++;
	r = slots_grow(s, i);
	if (r < 0)
		return r;
	*ret = i;
	return 0;
}

/* Take one slot's bytes at start. */
static int slot_load(struct store *s, uint32_t slot, const uint8_t b[STORE_RECORD_BYTES])
{
	CLEANUP(key_freep) struct key *secret = NULL;
	struct store_record rec;
	int r;

	r = store_record_decode(b, s->key, s->header.id, slot, &rec, &secret);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r == 0)
		return 0;
	slot_set(s, slot, r == 1 ? SLOT_USED : SLOT_DAMAGED, &rec);
	return 0;
}

static int slot_compare(const void *a, const void *b)
{
	const struct slot *const *x = a, *const *y = b;
	int r = strcmp((*x)->rec.volume, (*y)->rec.volume);

	if (r)
		return r;
	return (*x > *y) - (*x < *y);
}

/* One volume, one record: a second whole one is an old one that somebody put back. Neither is believed. */
static int slots_check_twins(struct store *s)
{
	CLEANUP(free_p) struct slot **by_name = NULL;
	struct store_record rec;
	size_t n = 0, i;

	by_name = calloc((size_t)s->used_cnt + 1, sizeof(struct slot *));
	if (!by_name)
		return -ENOMEM;
	for (i = 0; i < s->slot_cnt; i++)
		if (s->slots[i].state == SLOT_USED)
			by_name[n++] = &s->slots[i];
	qsort(by_name, n, sizeof(struct slot *), slot_compare);
	for (i = 1; i < n; i++) {
		if (strcmp(by_name[i]->rec.volume, by_name[i - 1]->rec.volume) != 0)
			continue;
		rec = by_name[i]->rec;
		slot_set(s, (uint32_t)(by_name[i] - s->slots), SLOT_DAMAGED, &rec);
		slot_set(s, (uint32_t)(by_name[i - 1] - s->slots), SLOT_DAMAGED, &rec);
	}
	return 0;
}

static int slots_load(struct store *s)
{
	uint8_t b[READ_SLOTS * STORE_RECORD_BYTES];
	uint64_t size, off;
	size_t len, i;
	uint32_t slot = 0;
	struct stat st;
	int r;

	/* #syscalls:security fstat newfstatat ftruncate */
	if (fstat(s->fd, &st) < 0)
		return -errno;
	size = (uint64_t)st.st_size;
	/* A record torn at the end of the file: its rest reads as zeroes, like everything never written. */
	if (size % STORE_RECORD_BYTES) {
		size += STORE_RECORD_BYTES - size % STORE_RECORD_BYTES;
		if (ftruncate(s->fd, (off_t)size) < 0)
			return -errno;
	}
	for (off = STORE_HEADER_AREA_BYTES; off < size && slot < STORE_SLOTS_MAX; off += len) {
		len = size - off < sizeof(b) ? (size_t)(size - off) : sizeof(b);
		memset(b, 0, sizeof(b));
		r = fd_pread_full(s->fd, b, len, off);
		if (r < 0)
			return r;
		for (i = 0; i * STORE_RECORD_BYTES < len && slot < STORE_SLOTS_MAX; i++, slot++) {
			r = slots_grow(s, slot);
			if (r == 0)
				r = slot_load(s, slot, b + i * STORE_RECORD_BYTES);
			if (r < 0)
				return r;
		}
	}
	return slots_check_twins(s);
}

/* Finish what the header says was going on: a whole record that was being added stays, all else goes. */
static int settle(struct store *s)
{
	uint32_t slot = s->header.slot;
	int r;

	r = slots_grow(s, slot);
	if (r < 0)
		return r;
	r = slot_wipe(s, slot);
	if (r < 0)
		return r;
	slot_set(s, slot, SLOT_FREE, NULL);
	s->unsettled = false;
	return 0;
}

static int recover(struct store *s)
{
	enum slot_state state = SLOT_FREE;

	if (s->header.op == STORE_OP_NONE)
		return 0;
	if (s->header.slot < s->slot_cnt)
		state = s->slots[s->header.slot].state;
	if (state == SLOT_FREE || (s->header.op == STORE_OP_ADD && state == SLOT_USED))
		return 0;
	return settle(s);
}

static int headers_load(struct store *s)
{
	uint8_t b[STORE_HEADER_BYTES];
	struct store_header h;
	bool found = false, newer = false;
	unsigned i;
	int r;

	for (i = 0; i < HEADER_COPIES; i++) {
		r = fd_pread_full(s->fd, b, sizeof(b), (uint64_t)i * HEADER_STEP);
		if (r == -ENODATA)
			continue;
		if (r < 0)
			return r;
		r = store_header_decode(b, s->mac_key, &h);
		if (r < 0 && r != -EBADMSG && r != -ENOTSUP)
			return r;
		newer = newer || r == -ENOTSUP;
		if (r < 0 || (found && h.generation <= s->header.generation))
			continue;
		s->header = h;
		s->copy = i;
		found = true;
	}
	if (!found)
		return newer ? -ENOTSUP : -EKEYREJECTED;
	s->log_next = s->header.log;
	return 0;
}

static int store_load(struct store *s, const struct key *store_key)
{
	int r;

	r = key_new_from(key_bytes(store_key), key_len(store_key), &s->key);
	if (r < 0)
		return r;
	r = mac_key_derive(store_key, &s->mac_key);
	if (r < 0)
		return r;
	r = headers_load(s);
	if (r < 0)
		return r;
	r = slots_load(s);
	if (r < 0)
		return r;
	return recover(s);
}

int store_open(int fd, const struct key *store_key, struct store **ret)
{
	CLEANUP(store_freep) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		fd_closep(&fd);
		return -ENOMEM;
	}
	s->fd = fd;
	r = store_load(s, store_key);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	fd_closep(&s->fd);
	key_free(s->key);
	key_free(s->mac_key);
	free(s->slots);
	free(s);
}

void store_freep(struct store **s)
{
	store_free(*s);
	*s = NULL;
}

unsigned store_volume_cnt(const struct store *s)
{
	return s->used_cnt;
}

unsigned store_damaged_cnt(const struct store *s)
{
	return s->damaged_cnt;
}

int store_has(const struct store *s, const char *volume)
{
	uint32_t slot;

	return slot_find(s, volume, SLOT_USED, &slot);
}

/* A header that announces @op; what an earlier failure left is cleared first. */
static int op_begin(struct store *s, enum store_op op, uint32_t slot)
{
	int r;

	r = header_write(s, op, slot);
	if (r < 0)
		return r;
	s->unsettled = true;
	return 0;
}

int store_add(struct store *s, const char *volume, const char *account, struct key **ret)
{
	CLEANUP(key_freep) struct key *secret = NULL;
	uint8_t b[STORE_RECORD_BYTES];
	struct store_record rec;
	uint32_t slot = 0;
	int r;

	if (!tree_id_ok(volume) || !tree_id_ok(account))
		return -EINVAL;
	if (s->unsettled) {
		r = settle(s);
		if (r < 0)
			return r;
	}
	if (store_has(s, volume))
		return -EEXIST;
	r = slot_find_free(s, &slot);
	if (r < 0)
		return r;
	memset(&rec, 0, sizeof(rec));
	memcpy(rec.volume, volume, strlen(volume));
	memcpy(rec.account, account, strlen(account));
	r = key_new_random(STORE_SECRET_BYTES, &secret);
	if (r < 0)
		return r;
	r = store_record_encode(&rec, secret, s->key, s->header.id, slot, b);
	if (r < 0)
		return r;
	r = op_begin(s, STORE_OP_ADD, slot);
	if (r < 0)
		return r;
	r = slot_write(s, slot, b);
	if (r < 0) {
		(void)settle(s); /* else before the next change, or at the next start */
		return r;
	}
	s->unsettled = false;
	slot_set(s, slot, SLOT_USED, &rec);
	*ret = TAKE_PTR(secret);
	return 0;
}

int store_read(struct store *s, const char *volume, const char *account, struct key **ret)
{
	CLEANUP(key_freep) struct key *secret = NULL;
	uint8_t b[STORE_RECORD_BYTES];
	struct store_record rec;
	uint32_t slot = 0;
	int r;

	if (!slot_find(s, volume, SLOT_USED, &slot))
		return slot_find(s, volume, SLOT_DAMAGED, &slot) ? -EBADMSG : -ENOENT;
	if (s->unsettled && s->header.slot == slot)
		return -ENOENT; /* its end has begun */
	if (strcmp(s->slots[slot].rec.account, account) != 0)
		return -EACCES;
	r = fd_pread_full(s->fd, b, sizeof(b), slot_off(slot));
	if (r < 0)
		return r;
	r = store_record_decode(b, s->key, s->header.id, slot, &rec, &secret);
	if (r < 0)
		return r;
	if (r == 0 || memcmp(&rec, &s->slots[slot].rec, sizeof(rec)) != 0)
		return -EBADMSG;
	*ret = TAKE_PTR(secret);
	return 0;
}

int store_remove(struct store *s, const char *volume)
{
	uint32_t slot = 0;
	int r, found = 0;

	if (s->unsettled) {
		r = settle(s);
		if (r < 0)
			return r;
	}
	/* Damaged twins too. */
	while (slot_find(s, volume, SLOT_USED, &slot) ||
	       slot_find(s, volume, SLOT_DAMAGED, &slot)) {
		found = 1;
		r = op_begin(s, STORE_OP_REMOVE, slot);
		if (r == 0)
			r = settle(s);
		if (r < 0)
			return r;
	}
	return found ? 0 : -ENOENT;
}

void store_log_mark_read(const struct store *s, struct store_log_mark *ret)
{
	*ret = s->header.log;
}

void store_log_mark_set(struct store *s, const struct store_log_mark *m)
{
	s->log_next = *m;
}
