/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "crypto/hash.h"
#include "security/sealed.h"
#include "security/tpm_priv.h"

/*
 * root.sealed from bytes anybody chose. Taken as they are, and once more with a checksum that fits. What is
 * accepted has one encoding; its blobs go through the library's parsers.
 */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return setenv("TSS2_LOG", "all+NONE", 1); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static void try(const uint8_t *b, size_t len)
{
	uint8_t out[SEALED_FILE_MAX];
	struct sealed s;
	int n;

	if (sealed_decode(b, len, &s) < 0)
		return;
	n = sealed_encode(&s, out, sizeof(out));
	must(n >= 0 && (size_t)n == len && memcmp(out, b, len) == 0);
	n = tpm_object_check(&s, "niter/root/v1/lab");
	must(n == 0 || n == -EKEYREJECTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t b[SEALED_FILE_MAX];

	try(data, size);
	if (size < HASH_SHA256_BYTES || size > sizeof(b))
		return 0;
	memcpy(b, data, size);
	must(hash_sha256(b, size - HASH_SHA256_BYTES, b + size - HASH_SHA256_BYTES) == 0);
	try(b, size);
	return 0;
}
