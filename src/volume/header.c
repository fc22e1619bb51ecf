/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The two header copies on a backing: choose the sound and newest one, write fresh ones.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"
#include "crypto/pbkdf2.h"
#include "volume/backing.h"
#include "volume/digest.h"
#include "volume/luks2.h"

/* Page-aligned room for both copies, for O_DIRECT. */
struct area {
	void *p;
};

static void area_done(struct area *a)
{
	mem_free_pages(a->p, LUKS2_BOTH_BYTES);
}

static int area_read(struct vol_backing *b, struct area *a, uint64_t size)
{
	int r;

	if (size < LUKS2_BOTH_BYTES)
		return -EBADMSG;
	r = mem_zalloc_pages(LUKS2_BOTH_BYTES, &a->p);
	if (r < 0)
		return r;
	return backing_run(b, BACKING_READ, 0, a->p, LUKS2_BOTH_BYTES);
}

static bool text_same(const char *a, const char *b, size_t cap)
{
	return strncmp(a, b, cap) == 0;
}

static bool bytes_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* same() - do two sound copies say the same? */
static bool same(const struct vol_params *a, const struct vol_params *b)
{
	return text_same(a->volume_id, b->volume_id, sizeof(a->volume_id)) &&
	       text_same(a->key_id, b->key_id, sizeof(a->key_id)) &&
	       text_same(a->cipher, b->cipher, sizeof(a->cipher)) &&
	       text_same(a->uuid, b->uuid, sizeof(a->uuid)) && a->sector_bytes == b->sector_bytes &&
	       a->payload_off == b->payload_off && a->size == b->size &&
	       a->digest_iterations == b->digest_iterations &&
	       bytes_same(a->wrapped, a->wrapped_len, b->wrapped, b->wrapped_len) &&
	       bytes_same(a->salt, a->salt_len, b->salt, b->salt_len) &&
	       bytes_same(a->digest, a->digest_len, b->digest, b->digest_len);
}

/*
 * choose() - the copy that counts
 * @r: what luks2_parse() said of each
 *
 * Two sound copies with one sequence number that say different things are nobody's crash: somebody made them.
 */
static int choose(const struct vol_params p[2], const int r[2], struct vol_params *ret)
{
	int best = LUKS2_PRIMARY;

	for (int i = 0; i < 2; i++) {
		if (r[i] < 0 && r[i] != -EBADMSG && r[i] != -ENOTSUP)
			return r[i];
	}
	if (r[0] < 0 && r[1] < 0)
		return r[0] == -ENOTSUP || r[1] == -ENOTSUP ? -ENOTSUP : -EBADMSG;

	if (r[0] == 0 && r[1] == 0) {
		if (p[0].seqid == p[1].seqid && !same(&p[0], &p[1]))
			return -EBADMSG;
		best = p[1].seqid > p[0].seqid ? LUKS2_SECONDARY : LUKS2_PRIMARY;
	} else if (r[0] < 0) {
		best = LUKS2_SECONDARY;
	}
	*ret = p[best];
	ret->copy_damaged = r[0] < 0 || r[1] < 0 || p[0].seqid != p[1].seqid;
	return 0;
}

int vol_params_read(struct vol_backing *b, struct vol_params *ret)
{
	CLEANUP(area_done) struct area a = { NULL };
	struct vol_params p[2];
	uint64_t size;
	int r, rc[2];

	memset(p, 0, sizeof(p));
	r = b->ops->size(b, &size);
	if (r < 0)
		return r;
	r = area_read(b, &a, size);
	if (r < 0)
		return r;

	rc[0] = luks2_parse(a.p, LUKS2_PRIMARY, size, &p[0]);
	rc[1] = luks2_parse((uint8_t *)a.p + LUKS2_COPY_BYTES, LUKS2_SECONDARY, size, &p[1]);
	return choose(p, rc, ret);
}

/* ---- digest of the volume key ---- */

int digest_check(const struct vol_params *p, const struct key *key)
{
	uint8_t d[VOL_DIGEST_MAX];
	int r;

	if (key_len(key) != VOL_KEY_BYTES)
		return -EINVAL;
	r = pbkdf2_sha256(key, p->salt, p->salt_len, p->digest_iterations, d, p->digest_len);
	if (r < 0)
		return r;
	return mem_equal_ct(d, p->digest, p->digest_len) ? 0 : -EKEYREJECTED;
}

/* ---- fresh container ---- */

/* spec: rfc-9562 §5.4 (UUIDv4) */
static int uuid_make(char ret[VOL_UUID_MAX])
{
	uint8_t u[16];
	int r;

	r = random_bytes(u, sizeof(u));
	if (r < 0)
		return r;
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
	memset(ret, 0, VOL_UUID_MAX);
	(void)snprintf(ret, VOL_UUID_MAX,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		       u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		       u[13], u[14], u[15]);
	return 0;
}

static int params_fill(struct vol_params *p, const struct key *key)
{
	int r;

	memset(p->cipher, 0, sizeof(p->cipher));
	memcpy(p->cipher, "aes-xts-plain64", sizeof("aes-xts-plain64"));
	p->sector_bytes = VOL_UNIT_BYTES;
	p->payload_off = VOL_PAYLOAD_OFF;
	p->seqid = 1;
	p->copy_damaged = false;
	p->digest_iterations = LUKS2_DIGEST_ITERATIONS;
	p->salt_len = 32;
	p->digest_len = 32;
	memset(p->salt, 0, sizeof(p->salt));
	memset(p->digest, 0, sizeof(p->digest));
	r = uuid_make(p->uuid);
	if (r < 0)
		return r;
	r = random_bytes(p->salt, p->salt_len);
	if (r < 0)
		return r;
	r = pbkdf2_sha256(key, p->salt, p->salt_len, p->digest_iterations, p->digest,
			  p->digest_len);
	if (r < 0)
		return r;
	return luks2_params_check(p) < 0 ? -EINVAL : 0;
}

static int area_build(const struct vol_params *p, uint8_t *area)
{
	uint8_t salt[2][64];
	int r;

	r = random_bytes(salt, sizeof(salt));
	if (r < 0)
		return r;
	r = luks2_build(p, LUKS2_PRIMARY, salt[0], area);
	if (r < 0)
		return r;
	return luks2_build(p, LUKS2_SECONDARY, salt[1], area + LUKS2_COPY_BYTES);
}

int vol_create(struct vol_backing *b, struct vol_params *p, const struct key *key)
{
	CLEANUP(area_done) struct area a = { NULL };
	struct vol_params fresh = *p;
	uint64_t size = 0;
	int r;

	if (key_len(key) != VOL_KEY_BYTES || p->size > VOL_SIZE_MAX)
		return -EINVAL;
	r = params_fill(&fresh, key);
	if (r < 0)
		return r;
	r = b->ops->size(b, &size);
	if (r < 0)
		return r;
	r = mem_zalloc_pages(LUKS2_BOTH_BYTES, &a.p);
	if (r < 0)
		return r;

	/* What was there goes first: an old header must not open over a new payload, nor old bytes show in it. */
	if (size > 0) {
		r = backing_run(b, BACKING_WRITE, 0, a.p, LUKS2_BOTH_BYTES);
		if (r < 0)
			return r;
		r = backing_run(b, BACKING_SYNC, 0, NULL, 0);
		if (r < 0)
			return r;
		r = backing_run(b, BACKING_PUNCH, 0, NULL, size - size % VOL_UNIT_BYTES);
		if (r < 0)
			return r;
	}
	r = b->ops->resize(b, fresh.payload_off + fresh.size);
	if (r < 0)
		return r;
	r = backing_run(b, BACKING_SYNC, 0, NULL, 0);
	if (r < 0)
		return r;

	r = area_build(&fresh, a.p);
	if (r < 0)
		return r;
	r = backing_run(b, BACKING_WRITE, 0, a.p, LUKS2_BOTH_BYTES);
	if (r < 0)
		return r;
	r = backing_run(b, BACKING_SYNC, 0, NULL, 0);
	if (r < 0)
		return r;

	*p = fresh;
	return 0;
}
