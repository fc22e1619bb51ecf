/* SPDX-License-Identifier: Apache-2.0 */
#include "security/kms_store.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/random.h"
#include "crypto/kdf.h"
#include "security/kms_store_priv.h"
#include "security/tree.h"

enum {
	HALVES = 2,
	SLOTS_GROW = 64, /* table entries allocated at a time */
	MAC_KEY_BYTES = 32,
};

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_DAMAGED };

struct slot {
	enum slot_state state;
	uint8_t half;          /* the one that counts */
	struct kms_record rec; /* SLOT_USED */
};

struct kms_store {
	int fd;
	struct key *key;
	uint8_t id[KMS_STORE_ID_BYTES];
	struct slot *slots;
	uint32_t slot_cnt; /* known slots; those beyond are free */
	unsigned key_cnt, damaged_cnt;
	struct keys_vault vault;
};

static uint64_t half_off(uint32_t slot, unsigned half)
{
	return KMS_STORE_HEADER_BYTES + (uint64_t)slot * KMS_STORE_SLOT_BYTES +
	       (uint64_t)half * KMS_STORE_HALF_BYTES;
}

static int mac_key_derive(const struct key *store_key, struct key **ret)
{
	static const char info[] = "niter/kms-header/v1";

	return kdf_hkdf_sha384(store_key, NULL, 0, info, sizeof(info) - 1, MAC_KEY_BYTES, ret);
}

int kms_store_image_new(const struct key *store_key, uint8_t ret[KMS_STORE_HEADER_BYTES])
{
	CLEANUP(key_freep) struct key *mac_key = NULL;
	uint8_t id[KMS_STORE_ID_BYTES];
	int r;

	r = mac_key_derive(store_key, &mac_key);
	if (r < 0)
		return r;
	if (random_bytes(id, sizeof(id)) < 0)
		return -EIO;
	return kms_header_encode(id, mac_key, ret);
}

/* One half, durable. #syscalls:security,security-serve fdatasync */
static int half_write(struct kms_store *s, uint32_t slot, unsigned half,
		      const uint8_t b[KMS_STORE_HALF_BYTES])
{
	int r;

	r = fd_pwrite_full(s->fd, b, KMS_STORE_HALF_BYTES, half_off(slot, half));
	if (r < 0)
		return r;
	return fdatasync(s->fd) < 0 ? -errno : 0;
}

static int half_wipe(struct kms_store *s, uint32_t slot, unsigned half)
{
	static const uint8_t zero[KMS_STORE_HALF_BYTES];

	return half_write(s, slot, half, zero);
}

static int half_put(struct kms_store *s, uint32_t slot, uint8_t half, const struct kms_record *rec,
		    const struct key *material)
{
	struct kms_place place = { .store_id = s->id, .slot = slot, .half = half };
	uint8_t b[KMS_STORE_HALF_BYTES];
	int r;

	r = kms_half_encode(rec, material, s->key, &place, b);
	return r < 0 ? r : half_write(s, slot, half, b);
}

static void slot_set(struct kms_store *s, uint32_t slot, enum slot_state state)
{
	struct slot *p = &s->slots[slot];

	s->key_cnt -= p->state == SLOT_USED;
	s->damaged_cnt -= p->state == SLOT_DAMAGED;
	p->state = state;
	s->key_cnt += state == SLOT_USED;
	s->damaged_cnt += state == SLOT_DAMAGED;
}

static int slots_grow(struct kms_store *s, uint32_t slot)
{
	uint32_t cnt = (slot / SLOTS_GROW + 1) * SLOTS_GROW;
	struct slot *p;

	if (slot < s->slot_cnt)
		return 0;
	if (slot >= KMS_STORE_SLOTS_MAX)
		return -ENOSPC;
	p = reallocarray(s->slots, cnt, sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p + s->slot_cnt, 0, (cnt - s->slot_cnt) * sizeof(*p));
	s->slots = p;
	s->slot_cnt = cnt;
	return 0;
}

static int slot_find(const struct kms_store *s, const uint8_t id[KMS_ID_BYTES], uint32_t *ret)
{
	uint32_t i;

	for (i = 0; i < s->slot_cnt; i++) {
		if (s->slots[i].state != SLOT_USED ||
		    memcmp(s->slots[i].rec.id, id, KMS_ID_BYTES) != 0)
			continue;
		*ret = i;
		return 1;
	}
	return 0;
}

static int slot_find_free(struct kms_store *s, uint32_t *ret)
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

/* Two whole halves of one slot are of one key. */
static bool same_key(const struct kms_record *a, const struct kms_record *b)
{
	return memcmp(a->id, b->id, sizeof(a->id)) == 0 && strcmp(a->account, b->account) == 0 &&
	       a->generation != b->generation;
}

/*
 * What a slot's two halves say. Both are written before a key counts, so an empty one beside one that is not whole is a
 * beginning or an end that nobody was told of: it goes.
 */
static int slot_judge(struct kms_store *s, uint32_t slot, const int whole[HALVES],
		      const struct kms_record rec[HALVES])
{
	struct slot *p = &s->slots[slot];
	int r = 0;

	if (whole[0] == 0 && whole[1] == 0)
		return 0;
	if (whole[0] == 1 || whole[1] == 1) {
		p->half = whole[0] == 1 && (whole[1] != 1 || rec[0].generation > rec[1].generation)
				  ? 0
				  : 1;
		p->rec = rec[p->half];
		slot_set(s, slot, SLOT_USED);
		if (whole[0] == 1 && whole[1] == 1 && !same_key(&rec[0], &rec[1]))
			slot_set(s, slot, SLOT_DAMAGED);
		return 0;
	}
	if (whole[0] == -EBADMSG && whole[1] == -EBADMSG) {
		slot_set(s, slot, SLOT_DAMAGED);
		return 0;
	}
	r = half_wipe(s, slot, 0);
	return r < 0 ? r : half_wipe(s, slot, 1);
}

static int slot_load(struct kms_store *s, uint32_t slot, const uint8_t b[KMS_STORE_SLOT_BYTES])
{
	struct kms_record rec[HALVES];
	int whole[HALVES];
	unsigned i;

	for (i = 0; i < HALVES; i++) {
		CLEANUP(key_freep) struct key *material = NULL;
		struct kms_place place = { .store_id = s->id, .slot = slot, .half = (uint8_t)i };

		whole[i] = kms_half_decode(b + (size_t)i * KMS_STORE_HALF_BYTES, s->key, &place,
					   &rec[i], &material);
		if (whole[i] < 0 && whole[i] != -EBADMSG)
			return whole[i];
	}
	return slot_judge(s, slot, whole, rec);
}

/* One key, one slot: a second one is an old one that somebody put back. Neither is believed. */
static void slots_check_twins(struct kms_store *s)
{
	uint32_t i, j;

	for (i = 0; i < s->slot_cnt; i++) {
		bool twin = false;

		for (j = i + 1; s->slots[i].state == SLOT_USED && j < s->slot_cnt; j++) {
			if (s->slots[j].state != SLOT_USED ||
			    memcmp(s->slots[i].rec.id, s->slots[j].rec.id, KMS_ID_BYTES) != 0)
				continue;
			slot_set(s, j, SLOT_DAMAGED);
			twin = true;
		}
		if (twin)
			slot_set(s, i, SLOT_DAMAGED);
	}
}

static int slots_load(struct kms_store *s)
{
	uint8_t b[KMS_STORE_SLOT_BYTES];
	uint64_t size, off, left;
	uint32_t slot;
	struct stat st;
	int r;

	/* #syscalls:security fstat newfstatat */
	if (fstat(s->fd, &st) < 0)
		return -errno;
	size = (uint64_t)st.st_size;
	for (slot = 0; slot < KMS_STORE_SLOTS_MAX; slot++) {
		off = half_off(slot, 0);
		if (off >= size)
			break;
		left = size - off;
		memset(b, 0,
		       sizeof(b)); /* a file that ends inside a slot: the rest reads as zeroes */
		r = fd_pread_full(s->fd, b, left < sizeof(b) ? (size_t)left : sizeof(b), off);
		if (r == 0)
			r = slots_grow(s, slot);
		if (r == 0)
			r = slot_load(s, slot, b);
		if (r < 0)
			return r;
	}
	slots_check_twins(s);
	return 0;
}

static int store_load(struct kms_store *s, const struct key *store_key)
{
	CLEANUP(key_freep) struct key *mac_key = NULL;
	uint8_t b[KMS_STORE_HEADER_BYTES];
	int r;

	r = key_new_from(key_bytes(store_key), key_len(store_key), &s->key);
	if (r == 0)
		r = mac_key_derive(store_key, &mac_key);
	if (r < 0)
		return r;
	r = fd_pread_full(s->fd, b, sizeof(b), 0);
	if (r < 0)
		return r == -ENODATA ? -EKEYREJECTED : r;
	r = kms_header_decode(b, mac_key, s->id);
	return r < 0 ? r : slots_load(s);
}

static int key_slot(const struct kms_store *s, const char *account, const uint8_t id[KMS_ID_BYTES],
		    uint32_t *ret)
{
	if (!slot_find(s, id, ret))
		return -ENOENT;
	return strcmp(s->slots[*ret].rec.account, account) == 0 ? 0 : -EACCES;
}

static bool record_same(const struct kms_record *a, const struct kms_record *b)
{
	return memcmp(a->id, b->id, sizeof(a->id)) == 0 && strcmp(a->account, b->account) == 0 &&
	       a->state == b->state && a->generation == b->generation;
}

/* The material of a slot's half that counts. */
static int slot_read(const struct kms_store *s, uint32_t slot, struct key **ret)
{
	CLEANUP(key_freep) struct key *material = NULL;
	const struct slot *p = &s->slots[slot];
	struct kms_place place = { .store_id = s->id, .slot = slot, .half = p->half };
	uint8_t b[KMS_STORE_HALF_BYTES];
	struct kms_record rec;
	int r;

	r = fd_pread_full(s->fd, b, sizeof(b), half_off(slot, p->half));
	if (r == 0)
		r = kms_half_decode(b, s->key, &place, &rec, &material);
	if (r < 0)
		return r;
	if (r == 0 || !record_same(&rec, &p->rec))
		return -EBADMSG;
	*ret = TAKE_PTR(material);
	return 0;
}

static int vault_create(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES])
{
	CLEANUP(key_freep) struct key *material = NULL;
	struct kms_record rec = { .state = CTL_KMS_ENABLED, .generation = 1 };
	struct kms_store *s = ptr;
	uint32_t slot = 0;
	int r;

	if (!tree_id_ok(account))
		return -EINVAL;
	if (slot_find(s, id, &slot))
		return -EEXIST;
	r = slot_find_free(s, &slot);
	if (r == 0)
		r = key_new_random(KMS_MATERIAL_BYTES, &material);
	if (r < 0)
		return r;
	memcpy(rec.id, id, KMS_ID_BYTES);
	memcpy(rec.account, account, strlen(account));
	r = half_put(s, slot, 0, &rec, material);
	if (r == 0) {
		rec.generation++;
		r = half_put(s, slot, 1, &rec, material);
	}
	if (r <
	    0) { /* what cannot be taken back now is found at the next start, and known to nobody */
		if (half_wipe(s, slot, 1) < 0 || half_wipe(s, slot, 0) < 0)
			slot_set(s, slot, SLOT_DAMAGED);
		return r;
	}
	s->slots[slot].rec = rec;
	s->slots[slot].half = 1;
	slot_set(s, slot, SLOT_USED);
	return 0;
}

static int vault_read(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES],
		      enum ctl_kms_state *ret_state, struct key **ret)
{
	struct kms_store *s = ptr;
	uint32_t slot = 0;
	int r;

	r = key_slot(s, account, id, &slot);
	if (r == 0)
		r = slot_read(s, slot, ret);
	if (r == 0)
		*ret_state = s->slots[slot].rec.state;
	return r;
}

static int vault_set_state(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES],
			   enum ctl_kms_state state)
{
	CLEANUP(key_freep) struct key *material = NULL;
	struct kms_store *s = ptr;
	struct kms_record rec;
	uint32_t slot = 0;
	struct slot *p;
	int r;

	r = key_slot(s, account, id, &slot);
	if (r < 0)
		return r;
	p = &s->slots[slot];
	if (p->rec.state == state)
		return 0;
	r = slot_read(s, slot, &material);
	if (r < 0)
		return r;
	rec = p->rec;
	rec.state = state;
	rec.generation++;
	/* If this fails, what stands there is torn or does not count yet; either way the next change writes it anew. */
	r = half_put(s, slot, p->half ^ 1, &rec, material);
	if (r < 0)
		return r;
	p->rec = rec;
	p->half ^= 1;
	return 0;
}

static int vault_destroy(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES])
{
	struct kms_store *s = ptr;
	uint32_t slot = 0;
	unsigned half;
	int r;

	r = key_slot(s, account, id, &slot);
	if (r < 0)
		return r;
	half = s->slots[slot].half;
	/* The older half first: as long as the newer one is there, the key is what it was. */
	r = half_wipe(s, slot, half ^ 1U);
	if (r == 0)
		r = half_wipe(s, slot, half);
	if (r == 0)
		slot_set(s, slot, SLOT_FREE);
	return r;
}

int kms_store_open(int fd, const struct key *store_key, struct kms_store **ret)
{
	CLEANUP(kms_store_freep) struct kms_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		fd_closep(&fd);
		return -ENOMEM;
	}
	s->fd = fd;
	s->vault = (struct keys_vault){ .create = vault_create,
					.read = vault_read,
					.set_state = vault_set_state,
					.destroy = vault_destroy,
					.ptr = s };
	r = store_load(s, store_key);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

void kms_store_free(struct kms_store *s)
{
	if (!s)
		return;
	fd_closep(&s->fd);
	key_free(s->key);
	free(s->slots);
	free(s);
}

void kms_store_freep(struct kms_store **s)
{
	kms_store_free(*s);
	*s = NULL;
}

unsigned kms_store_key_cnt(const struct kms_store *s)
{
	return s->key_cnt;
}

unsigned kms_store_damaged_cnt(const struct kms_store *s)
{
	return s->damaged_cnt;
}

const struct keys_vault *kms_store_vault(const struct kms_store *s)
{
	return &s->vault;
}
