/* SPDX-License-Identifier: Apache-2.0 */

#include "crypto/xts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/crypto_priv.h"

struct xts {
	EVP_CIPHER_CTX *enc,
		*dec; /* owned; libcrypto wipes their key schedules when they are freed */
};

void xts_free(struct xts *x)
{
	if (!x)
		return;
	EVP_CIPHER_CTX_free(x->enc);
	EVP_CIPHER_CTX_free(x->dec);
	free(x);
}

void xts_freep(struct xts **x)
{
	xts_free(*x);
}

static int ctx_new(const struct key *k, int encrypt, EVP_CIPHER_CTX **ret)
{
	const struct crypto_algs *algs = crypto_algs();
	EVP_CIPHER_CTX *c;

	if (!algs)
		return -EIO;
	c = EVP_CIPHER_CTX_new();
	if (!c)
		return -ENOMEM;
	if (EVP_CipherInit_ex2(c, algs->aes_256_xts, key_bytes(k), NULL, encrypt, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(c, 0) != 1) {
		EVP_CIPHER_CTX_free(c);
		return -EIO;
	}
	*ret = c;
	return 0;
}

int xts_new(const struct key *k, struct xts **ret)
{
	CLEANUP(xts_freep) struct xts *x = NULL;
	int r;

	/* Equal halves turn the tweak into something the attacker can compute; libcrypto refuses them for
	 * encryption only. */
	if (key_len(k) != XTS_KEY_BYTES ||
	    mem_equal_ct(key_bytes(k), key_bytes(k) + XTS_KEY_BYTES / 2, XTS_KEY_BYTES / 2))
		return -EINVAL;

	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	r = ctx_new(k, 1, &x->enc);
	if (r < 0)
		return r;
	r = ctx_new(k, 0, &x->dec);
	if (r < 0)
		return r;

	*ret = TAKE_PTR(x);
	return 0;
}

static int run(EVP_CIPHER_CTX *c, uint64_t unit, const uint8_t *in, uint8_t *out, size_t cnt)
{
	const uint64_t unit_max = UINT64_MAX / XTS_TWEAK_STEP;
	uint8_t tweak[16] = { 0 };
	int n;

	if (unit > unit_max || cnt > unit_max - unit)
		return -EINVAL;

	for (size_t i = 0; i < cnt; i++) {
		le64_store(tweak, (unit + i) * XTS_TWEAK_STEP);
		if (EVP_CipherInit_ex2(c, NULL, NULL, tweak, -1, NULL) != 1 ||
		    EVP_CipherUpdate(c, out + i * XTS_UNIT_BYTES, &n, in + i * XTS_UNIT_BYTES,
				     XTS_UNIT_BYTES) != 1 ||
		    n != XTS_UNIT_BYTES)
			return -EIO;
	}
	return 0;
}

int xts_encrypt(struct xts *x, uint64_t unit, const void *in, void *out, size_t cnt)
{
	return run(x->enc, unit, in, out, cnt);
}

int xts_decrypt(struct xts *x, uint64_t unit, const void *in, void *out, size_t cnt)
{
	return run(x->dec, unit, in, out, cnt);
}
