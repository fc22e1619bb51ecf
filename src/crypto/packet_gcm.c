/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/packet_gcm.h"

#include <assert.h>
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret_pool.h"
#include "crypto/crypto_priv.h"
#include "crypto/packet_gcm_priv.h"

/*
 * libipsec-mb 1.3 as Debian builds it does not ask enough before it chooses. Without AES instructions its initialisation
 * jumps through a null pointer; where AVX is there but the system does not save its registers (the simulated server
 * has no XSAVE) it runs AVX and dies. So we choose, by what processor and system can do together, and call the one
 * initialisation that fits.
 */

enum { LINE_BYTES = 64, CHUNK_BYTES = 1 << 16 };

/* One key, expanded, and what belongs to it; in locked memory. */
struct slot {
	_Alignas(LINE_BYTES) void *pool;                   /* the pool's while it is free */
	_Alignas(LINE_BYTES) struct gcm_key_data expanded; /* ipsec-mb's */
	_Alignas(LINE_BYTES) struct gcm_context_data ctx;  /* last packet's: key stream */
	uint8_t salt[PACKET_GCM_SALT_BYTES];
	uint64_t next, last; /* sealing: counters; next 0: none left */
	struct key *key;     /* libcrypto's; owned; NULL with ipsec-mb */
	bool used;
};

struct packet_seal {
	struct slot slot;
};

struct packet_open {
	struct slot slot;
};

static_assert(sizeof(struct packet_seal) == sizeof(struct slot), "a slot is either");
static_assert(sizeof(struct packet_open) == sizeof(struct slot), "a slot is either");

static struct secret_pool pool = SECRET_POOL(sizeof(struct slot), CHUNK_BYTES, PACKET_GCM_ALIVE_MAX);

/* Set by packet_gcm_init(), read only after. */
static IMB_MGR *manager; /* NULL: libcrypto */
static const char *name = "none";

/* ---- which implementation ---- */

static bool cpu_can(enum packet_gcm_level level)
{
	bool sse = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
		   __builtin_cpu_supports("sse4.2");
	bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");

	switch (level) {
	case PACKET_GCM_LIBCRYPTO:
		return true;
	case PACKET_GCM_AVX512:
		return sse && avx2 && __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd") &&
		       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
	case PACKET_GCM_AVX2:
		return sse && avx2;
	case PACKET_GCM_SSE:
		return sse;
	case PACKET_GCM_AUTO:
		break;
	}
	return false;
}

static enum packet_gcm_level cpu_best(void)
{
	static const enum packet_gcm_level best_first[] = { PACKET_GCM_AVX512, PACKET_GCM_AVX2,
							    PACKET_GCM_SSE };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(best_first); i++)
		if (cpu_can(best_first[i]))
			return best_first[i];
	return PACKET_GCM_LIBCRYPTO;
}

static const char *arch_name(const IMB_MGR *m)
{
	bool vaes = (m->features & IMB_FEATURE_VAES) && (m->features & IMB_FEATURE_VPCLMULQDQ);

	switch (m->used_arch) {
	case IMB_ARCH_AVX512:
		return vaes ? "ipsec-mb avx512 vaes" : "ipsec-mb avx512";
	case IMB_ARCH_AVX2:
		return "ipsec-mb avx2";
	default:
		return "ipsec-mb sse";
	}
}

static void manager_init(IMB_MGR *m, enum packet_gcm_level level)
{
	switch (level) {
	case PACKET_GCM_AVX512:
		init_mb_mgr_avx512(m);
		break;
	case PACKET_GCM_AVX2:
		init_mb_mgr_avx2(m);
		break;
	case PACKET_GCM_SSE:
	case PACKET_GCM_AUTO:
	case PACKET_GCM_LIBCRYPTO:
	default:
		init_mb_mgr_sse(m);
		break;
	}
}

/* Compares the choice with libcrypto, at sizes around the blocks of every implementation. */
static int self_test(void)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 64, 255, 256, 257, 769, 1426 };
	static const uint8_t zero[PACKET_GCM_KEY_BYTES] = { 1, 2, 3 }, salt[4] = { 9, 8, 7, 6 };
	static const uint8_t nonce[GCM_NONCE_BYTES] = { 9, 8, 7, 6, 0, 0, 0, 0, 0, 0, 0, 1 };
	uint8_t in[1426], want[1426], got[1426], want_tag[16], got_tag[16];
	CLEANUP(key_freep) struct key *k = NULL;
	size_t i;
	int r;

	r = key_new_from(zero, sizeof(zero), &k);
	for (i = 0; r == 0 && i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7);
	for (i = 0; r == 0 && i < ARRAY_SIZE(sizes); i++) {
		CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
		CLEANUP(packet_open_freep) struct packet_open *o = NULL;

		r = gcm_seal_nonce(k, nonce, salt, sizeof(salt), in, sizes[i], want, want_tag);
		if (r == 0)
			r = packet_seal_new(k, salt, 1, 1, &s);
		if (r == 0)
			r = packet_open_new(k, salt, &o);
		memcpy(got, in, sizeof(got));
		if (r == 0)
			r = packet_seal_run(s, salt, sizeof(salt), got, sizes[i], got_tag);
		if (r == 0 &&
		    (memcmp(got, want, sizes[i]) != 0 || memcmp(got_tag, want_tag, 16) != 0))
			r = -EIO;
		if (r == 0)
			r = packet_open_run(o, nonce + 4, salt, sizeof(salt), want, sizes[i],
					    want_tag, got);
		if (r == 0 && memcmp(got, in, sizes[i]) != 0)
			r = -EIO;
	}
	return r;
}

int packet_gcm_init_level(enum packet_gcm_level level)
{
	IMB_MGR *m;

	must(!pool.taken); /* expanded keys are the implementation's own */
	if (level == PACKET_GCM_AUTO)
		level = cpu_best();
	if (!cpu_can(level))
		return -ENOTSUP;
	if (manager)
		free_mb_mgr(manager);
	manager = NULL;
	name = "libcrypto";
	if (level != PACKET_GCM_LIBCRYPTO) {
		m = alloc_mb_mgr(0);
		if (!m)
			return -ENOMEM;
		manager_init(m, level);
		if (imb_get_errno(m) != 0 || !m->gcm256_enc || !m->gcm256_dec || !m->gcm256_pre) {
			free_mb_mgr(m);
			return -EIO;
		}
		manager = m;
		name = arch_name(m);
	}
	return self_test();
}

int packet_gcm_init(void)
{
	return packet_gcm_init_level(PACKET_GCM_AUTO);
}

const char *packet_gcm_name(void)
{
	return name;
}

/* ---- slots ---- */

int packet_gcm_reserve(unsigned cnt)
{
	int r = secret_pool_reserve(&pool, cnt);

	return r == 0 && !manager ? key_reserve(cnt) : r;
}

static void slot_give(struct slot *s)
{
	if (!s)
		return;
	must(s->used); /* freed twice? */
	key_free(s->key);
	secret_pool_give(&pool, s);
}

static int slot_new(const struct key *k, const uint8_t *salt, struct slot **ret)
{
	struct slot *s;
	void *taken;
	int r;

	if (key_len(k) != PACKET_GCM_KEY_BYTES)
		return -EINVAL;
	r = secret_pool_take(&pool, &taken);
	if (r < 0)
		return r;
	s = taken;
	s->used = true;
	memcpy(s->salt, salt, sizeof(s->salt));
	if (manager) {
		IMB_AES256_GCM_PRE(manager, key_bytes(k), &s->expanded);
	} else {
		r = key_new_from(key_bytes(k), key_len(k), &s->key);
		if (r < 0) {
			slot_give(s);
			return r;
		}
	}
	*ret = s;
	return 0;
}

/* ---- packets ---- */

static bool args_ok(size_t aad_len, size_t len)
{
	return aad_len <= PACKET_GCM_AAD_MAX && len <= PACKET_GCM_MSG_MAX;
}

/*
 * The nonce is the salt, then the IV. Made of whole words, so that the loads that follow at once need not wait.
 * spec: rfc-4106 §4
 */
struct nonce {
	uint64_t word[2]; /* 12 bytes are used */
};
static_assert(PACKET_GCM_SALT_BYTES + PACKET_GCM_IV_BYTES == GCM_NONCE_BYTES, "twelve");

/* @iv: as its bytes lie in memory */
static struct nonce nonce_of(const struct slot *s, uint64_t iv)
{
	uint32_t salt;

	memcpy(&salt, s->salt, sizeof(salt));
	return (struct nonce){ { iv << 32 | salt, iv >> 32 } };
}

static const uint8_t *nonce_bytes(const struct nonce *n)
{
	return (const uint8_t *)n->word;
}

/* mem_equal_ct() for a tag: a good part of the time a small packet takes. */
static bool tag_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

int packet_seal_new(const struct key *k, const uint8_t salt[PACKET_GCM_SALT_BYTES], uint64_t first,
		    uint64_t last, struct packet_seal **ret)
{
	struct slot *s = NULL;
	int r;

	if (!first || last < first)
		return -EINVAL;
	r = slot_new(k, salt, &s);
	if (r < 0)
		return r;
	s->next = first;
	s->last = last;
	*ret = (struct packet_seal *)s;
	return 0;
}

uint64_t packet_seal_next(const struct packet_seal *s)
{
	return s->slot.next;
}

int packet_seal_run(struct packet_seal *seal, const void *aad, size_t aad_len, uint8_t *buf,
		    size_t len, uint8_t *tag)
{
	struct slot *s = &seal->slot;
	struct nonce nonce = nonce_of(s, __builtin_bswap64(s->next));

	if (!args_ok(aad_len, len))
		return -EINVAL;
	if (!s->next)
		return -EKEYEXPIRED;
	/* Used up before it is used, whatever happens below. */
	s->next = s->next == s->last ? 0 : s->next + 1;
	if (!manager)
		return gcm_seal_nonce(s->key, nonce_bytes(&nonce), aad, aad_len, buf, len, buf,
				      tag);
	IMB_AES256_GCM_ENC(manager, &s->expanded, &s->ctx, buf, buf, len, nonce_bytes(&nonce), aad,
			   aad_len, tag, PACKET_GCM_TAG_BYTES);
	return 0;
}

int packet_open_new(const struct key *k, const uint8_t salt[PACKET_GCM_SALT_BYTES],
		    struct packet_open **ret)
{
	struct slot *s = NULL;
	int r = slot_new(k, salt, &s);

	if (r < 0)
		return r;
	*ret = (struct packet_open *)s;
	return 0;
}

int packet_open_run(struct packet_open *open, const uint8_t *iv, const void *aad, size_t aad_len,
		    const uint8_t *in, size_t len, const uint8_t *tag, uint8_t *out)
{
	struct slot *s = &open->slot;
	uint8_t got[PACKET_GCM_TAG_BYTES];
	struct nonce nonce;
	uint64_t iv_word;

	if (!args_ok(aad_len, len))
		return -EINVAL;
	memcpy(&iv_word, iv, sizeof(iv_word));
	nonce = nonce_of(s, iv_word);
	if (!manager)
		return gcm_open_nonce(s->key, nonce_bytes(&nonce), aad, aad_len, in, len, tag, out);
	IMB_AES256_GCM_DEC(manager, &s->expanded, &s->ctx, out, in, len, nonce_bytes(&nonce), aad,
			   aad_len, got, PACKET_GCM_TAG_BYTES);
	if (tag_equal(got, tag))
		return 0;
	mem_wipe(out, len);
	mem_wipe(got, sizeof(got)); /* the right tag of a forged packet */
	return -EBADMSG;
}

void packet_seal_free(struct packet_seal *s)
{
	if (s)
		slot_give(&s->slot);
}

void packet_open_free(struct packet_open *o)
{
	if (o)
		slot_give(&o->slot);
}

void packet_seal_freep(struct packet_seal **s)
{
	packet_seal_free(*s);
	*s = NULL;
}

void packet_open_freep(struct packet_open **o)
{
	packet_open_free(*o);
	*o = NULL;
}
