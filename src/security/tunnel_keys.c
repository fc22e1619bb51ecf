/* SPDX-License-Identifier: Apache-2.0 */
#include "security/tunnel_keys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/kdf.h"

enum { SA_BYTES = 32 + 4 + 4, SPI_MIN = 256, LABEL_MAX = 64 };

void transcript_add(struct transcript *t, const uint8_t *b, size_t len)
{
	must(len <= sizeof(t->b) - t->len);
	memcpy(t->b + t->len, b, len);
	t->len += len;
}

int transcript_hash(const struct transcript *t, size_t but, uint8_t ret[HASH_SHA384_BYTES])
{
	must(but <= t->len);
	return hash_sha384(t->b, t->len - but, ret);
}

int tunnel_random(void *ret, size_t len)
{
	return random_bytes(ret, len);
}

int tunnel_fingerprint(const uint8_t pub[P384_PUBLIC_BYTES], uint8_t ret[TUNNEL_FINGERPRINT_BYTES])
{
	uint8_t der[ECDSA_P384_SPKI_BYTES];

	ecdsa_p384_spki(pub, der);
	return hash_sha256(der, sizeof(der), ret);
}

int tunnel_identity_init(struct tunnel_identity *id, const struct key *key)
{
	int r;

	id->key = key;
	r = p384_public(key, id->pub);
	if (r < 0)
		return r;
	return tunnel_fingerprint(id->pub, id->fingerprint);
}

int tunnel_master(const struct key *x25519, const struct key *p384, const struct tunnel_msg *peer,
		  const uint8_t t2[HASH_SHA384_BYTES], struct key **ret)
{
	static const char info[] = "niter/tunnel/v1/master";
	CLEANUP(key_freep) struct key *a = NULL, *b = NULL, *ikm = NULL;
	int r;

	r = x25519_shared(x25519, peer->x25519, &a);
	if (r == 0)
		r = p384_shared(p384, peer->p384, &b);
	if (r == 0)
		r = key_new_zero(X25519_BYTES + P384_SHARED_BYTES, &ikm);
	if (r < 0)
		return r;
	memcpy(key_bytes_mut(ikm), key_bytes(a), X25519_BYTES);
	memcpy(key_bytes_mut(ikm) + X25519_BYTES, key_bytes(b), P384_SHARED_BYTES);
	return kdf_hkdf_sha384(ikm, t2, HASH_SHA384_BYTES, info, sizeof(info) - 1,
			       TUNNEL_SECRET_BYTES, ret);
}

static const char *mac_label(enum tunnel_type type)
{
	if (type == TUNNEL_REPLY)
		return "niter/tunnel/v1/mac-reply";
	if (type == TUNNEL_FINISH)
		return "niter/tunnel/v1/mac-finish";
	must(type == TUNNEL_DONE);
	return "niter/tunnel/v1/mac-done";
}

/* Return: NULL: messages of this type are not signed. */
static const char *signature_label(enum tunnel_type type)
{
	if (type == TUNNEL_REPLY)
		return "niter/tunnel/v1/responder";
	return type == TUNNEL_FINISH ? "niter/tunnel/v1/initiator" : NULL;
}

/* The mac that belongs at the transcript's end. */
static int mac_make(const struct transcript *t, enum tunnel_type type, const struct key *master,
		    uint8_t ret[TUNNEL_MAC_BYTES])
{
	const char *label = mac_label(type);
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t h[HASH_SHA384_BYTES];
	int r;

	r = transcript_hash(t, TUNNEL_TAIL_MAC, h);
	if (r < 0)
		return r;
	r = kdf_hkdf_sha384(master, NULL, 0, label, strlen(label), TUNNEL_MAC_BYTES, &k);
	if (r < 0)
		return r;
	return hash_hmac_sha256(k, h, sizeof(h), ret);
}

/* What a signature at the transcript's end is about. Return: bytes, -EIO. */
static int signed_text(const struct transcript *t, const char *label,
		       uint8_t ret[LABEL_MAX + HASH_SHA384_BYTES])
{
	size_t len = strlen(label);
	int r;

	must(len <= LABEL_MAX);
	memcpy(ret, label, len);
	r = transcript_hash(t, TUNNEL_TAIL_SIGNATURE, ret + len);
	return r < 0 ? r : (int)(len + HASH_SHA384_BYTES);
}

int tunnel_proof_make(struct transcript *t, enum tunnel_type type, const struct key *master,
		      const struct tunnel_identity *id)
{
	const char *label = signature_label(type);
	uint8_t text[LABEL_MAX + HASH_SHA384_BYTES];
	int n, r;

	if (label) {
		n = signed_text(t, label, text);
		if (n < 0)
			return n;
		r = ecdsa_p384_sign(id->key, text, (size_t)n,
				    t->b + t->len - TUNNEL_TAIL_SIGNATURE);
		if (r < 0)
			return r;
	}
	return mac_make(t, type, master, t->b + t->len - TUNNEL_TAIL_MAC);
}

int tunnel_proof_check(const struct transcript *t, enum tunnel_type type, const struct key *master,
		       const uint8_t pub[P384_PUBLIC_BYTES])
{
	const char *label = signature_label(type);
	uint8_t text[LABEL_MAX + HASH_SHA384_BYTES], mac[TUNNEL_MAC_BYTES];
	int n, r;

	r = mac_make(t, type, master, mac);
	if (r < 0)
		return r;
	if (!mem_equal_ct(mac, t->b + t->len - TUNNEL_TAIL_MAC, sizeof(mac)))
		return -EKEYREJECTED;
	if (!label)
		return 0;
	n = signed_text(t, label, text);
	if (n < 0)
		return n;
	r = ecdsa_p384_verify(pub, text, (size_t)n, t->b + t->len - TUNNEL_TAIL_SIGNATURE);
	return r == -EBADMSG ? -EKEYREJECTED : r;
}

int tunnel_secret(const struct transcript *t, const struct key *master, struct key **ret)
{
	static const char info[] = "niter/tunnel/v1/secret";
	uint8_t h[HASH_SHA384_BYTES];
	int r;

	r = transcript_hash(t, 0, h);
	if (r < 0)
		return r;
	return kdf_hkdf_sha384(master, h, sizeof(h), info, sizeof(info) - 1, TUNNEL_SECRET_BYTES,
			       ret);
}

int tunnel_sa(const struct key *secret, unsigned direction, uint32_t epoch, uint32_t vni,
	      struct ctl_tun_sa *ret)
{
	static const char label[] = "niter/tunnel/v1/sa";
	CLEANUP(key_freep) struct key *okm = NULL;
	uint8_t info[LABEL_MAX];
	struct wr out = wr_init(info, sizeof(info));
	struct rd in;
	int r;

	wr_bytes(&out, label, sizeof(label) - 1);
	wr_u8(&out, (uint8_t)direction);
	wr_le32(&out, epoch);
	wr_le32(&out, vni);
	must(!out.bad);
	r = kdf_hkdf_sha384(secret, NULL, 0, info, out.len, SA_BYTES, &okm);
	if (r < 0)
		return r;
	in = rd_init(key_bytes(okm), SA_BYTES);
	rd_bytes(&in, ret->key, sizeof(ret->key));
	rd_bytes(&in, ret->salt, sizeof(ret->salt));
	ret->spi = rd_le32(&in);
	if (ret->spi < SPI_MIN)
		ret->spi += SPI_MIN;
	return 0;
}
