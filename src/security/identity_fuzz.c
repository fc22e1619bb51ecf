/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "security/identity.h"

/*
 * identity.sealed from a disk that somebody else holds. The input is a change of a good file: u16 place, u8 what is
 * changed there, u16 how many bytes are left; then, if there is more, the input itself as a file. Whatever was changed is
 * refused; unchanged it is the same identity.
 */

static struct key *key;
static struct identity good;
static uint8_t file[IDENTITY_FILE_MAX];
static size_t file_len;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t pub[P384_PUBLIC_BYTES];
	int n;

	(void)argc;
	(void)argv;
	must(crypto_init() == 0 && key_new_random(32, &key) == 0);
	must(p384_new(&good.host, pub) == 0 && rsa_new(&good.rsa) == 0);
	n = rsa_certificate(&good.rsa, "x", good.cert);
	must(n > 0);
	good.cert_len = (size_t)n;
	n = identity_encode(&good, key, file);
	must(n > 0);
	file_len = (size_t)n;
	return 0;
}

static void refused(const uint8_t *b, size_t len)
{
	struct identity id;
	int r = identity_decode(b, len, key, &id);

	must(r == -EBADMSG || r == -ENOTSUP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	static uint8_t b[IDENTITY_FILE_MAX];
	size_t at = rd_le16(&in) % file_len;
	uint8_t change = rd_u8(&in);
	uint16_t keep = rd_le16(&in);
	size_t left = keep > file_len ? file_len : keep;
	struct identity id;

	memcpy(b, file, file_len);
	b[at] ^= change;
	if (change)
		refused(b, file_len);
	memcpy(b, file, file_len);
	if (left < file_len) {
		refused(b, left);
	} else {
		must(identity_decode(b, file_len, key, &id) == 0);
		must(key_equal(id.host, good.host) && key_equal(id.rsa.p, good.rsa.p) &&
		     key_equal(id.rsa.q, good.rsa.q) && id.cert_len == good.cert_len &&
		     memcmp(id.cert, good.cert, good.cert_len) == 0);
		identity_done(&id);
	}
	if (in.left)
		refused(in.p, in.left);
	return 0;
}
