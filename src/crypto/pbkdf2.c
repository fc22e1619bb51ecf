/* SPDX-License-Identifier: Apache-2.0 */

#include "crypto/pbkdf2.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>

int pbkdf2_sha256(const struct key *k, const void *salt, size_t salt_len, uint32_t iterations,
		  uint8_t *ret, size_t len)
{
	if (!iterations || iterations > INT_MAX || salt_len > INT_MAX || !len || len > INT_MAX)
		return -EINVAL;
	if (PKCS5_PBKDF2_HMAC((const char *)key_bytes(k), (int)key_len(k), salt, (int)salt_len,
			      (int)iterations, EVP_sha256(), (int)len, ret) != 1)
		return -EIO;
	return 0;
}
