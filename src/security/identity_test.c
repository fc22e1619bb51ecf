/* SPDX-License-Identifier: Apache-2.0 */
#include "security/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "crypto/crypto.h"
#include "crypto/hex_test.h"
#include "security/dir.h"
#include "security/swtpm_test.h"
#include "security/tree.h"

static const char *golden_path;
static char path[64];
static int dir = -1;
static struct key *key;

static int setup(void **state)
{
	(void)state;
	test_dir_new(path, sizeof(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(key_new_random(32, &key), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fd_closep(&dir);
	key_freep(&key);
	test_dir_remove(path);
	return 0;
}

static void identity_open__makes_one_and_keeps_it(void **state)
{
	struct identity one, two;
	uint8_t old[TUNNEL_FINGERPRINT_BYTES];
	struct stat st;
	bool fresh = false;

	(void)state;
	assert_int_equal(identity_open(dir, key, &one, &fresh), 0);
	assert_true(fresh);
	assert_int_equal(fstatat(dir, IDENTITY_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(identity_open(dir, key, &two, &fresh), 0);
	assert_false(fresh);
	assert_memory_equal(one.tunnel.fingerprint, two.tunnel.fingerprint,
			    sizeof(one.tunnel.fingerprint));
	assert_true(key_equal(one.host, two.host) && key_equal(one.rsa.p, two.rsa.p) &&
		    key_equal(one.rsa.q, two.rsa.q));
	assert_int_equal(one.cert_len, two.cert_len);
	assert_memory_equal(one.cert, two.cert, one.cert_len);
	memcpy(old, one.tunnel.fingerprint, sizeof(old));
	identity_done(&one);
	identity_done(&two);
	/* Given up on purpose: a new one. */
	assert_int_equal(unlinkat(dir, IDENTITY_FILE, 0), 0);
	assert_int_equal(identity_open(dir, key, &one, &fresh), 0);
	assert_true(fresh);
	assert_memory_not_equal(one.tunnel.fingerprint, old, sizeof(old));
	identity_done(&one);
}

/* Never replaced: a damaged file, one of another root key, one that is too long. */
static void identity_open__refuses_and_keeps_a_file_it_cannot_open(void **state)
{
	CLEANUP(key_freep) struct key *other = NULL;
	uint8_t b[IDENTITY_FILE_MAX + 1] = { 0 }, again[sizeof(b)];
	struct identity id;
	bool fresh;
	int n;

	(void)state;
	assert_int_equal(identity_open(dir, key, &id, &fresh), 0);
	identity_done(&id);
	assert_int_equal(key_new_random(32, &other), 0);
	assert_int_equal(identity_open(dir, other, &id, &fresh), -EBADMSG);
	n = dir_read(dir, IDENTITY_FILE, b, sizeof(b));
	assert_true(n > 0);
	b[n / 2] ^= 1;
	assert_int_equal(dir_write_new(dir, IDENTITY_FILE, b, (size_t)n), 0);
	assert_int_equal(identity_open(dir, key, &id, &fresh), -EBADMSG);
	assert_int_equal(dir_read(dir, IDENTITY_FILE, again, sizeof(again)), n);
	assert_memory_equal(b, again, (size_t)n);
	b[8] = 2; /* version */
	assert_int_equal(dir_write_new(dir, IDENTITY_FILE, b, (size_t)n), 0);
	assert_int_equal(identity_open(dir, key, &id, &fresh), -ENOTSUP);
	assert_int_equal(dir_write_new(dir, IDENTITY_FILE, b, sizeof(b)), 0);
	assert_int_equal(identity_open(dir, key, &id, &fresh), -EBADMSG);
	assert_int_equal(dir_write_new(dir, IDENTITY_FILE, b, 0), 0);
	assert_int_equal(identity_open(dir, key, &id, &fresh), -EBADMSG);
}

static void identity_decode__refuses_every_changed_bit(void **state)
{
	uint8_t b[IDENTITY_FILE_MAX], bad[IDENTITY_FILE_MAX];
	struct identity id;
	size_t bit;
	bool fresh;
	int n, r;

	(void)state;
	assert_int_equal(identity_open(dir, key, &id, &fresh), 0);
	identity_done(&id);
	n = dir_read(dir, IDENTITY_FILE, b, sizeof(b));
	assert_true(n > 0);
	for (bit = 0; bit < (size_t)n * 8; bit++) {
		memcpy(bad, b, sizeof(bad));
		bad[bit / 8] ^= (uint8_t)(1U << bit % 8);
		r = identity_decode(bad, (size_t)n, key, &id);
		assert_true(r == -EBADMSG || r == -ENOTSUP);
	}
	assert_int_equal(identity_decode(b, (size_t)n - 1, key, &id), -EBADMSG);
	assert_int_equal(identity_decode(b, (size_t)n, key, &id), 0);
	identity_done(&id);
}

/* Two files of one identity have nothing secret in common: each is sealed under a key of its own. */
static void identity_encode__seals_afresh(void **state)
{
	uint8_t b[IDENTITY_FILE_MAX], again[IDENTITY_FILE_MAX];
	struct identity id;
	bool fresh;
	int n;

	(void)state;
	assert_int_equal(identity_open(dir, key, &id, &fresh), 0);
	n = identity_encode(&id, key, b);
	assert_true(n > 0);
	assert_int_equal(identity_encode(&id, key, again), n);
	assert_memory_not_equal(b + n - 64, again + n - 64, 32);
	assert_null(memmem(b, (size_t)n, key_bytes(id.host), 16));
	assert_null(memmem(b, (size_t)n, key_bytes(id.rsa.p), 16));
	identity_done(&id);
}

/* Is it anywhere in this process's memory that can be read from outside? */
static bool memory_has(const struct key *k)
{
	static uint8_t chunk[1 << 20];
	const size_t len = 16;
	unsigned long from, to, at;
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(mem >= 0 && maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx r", &from, &to) != 2) /* NOLINT(cert-err34-c) */
			continue;
		if (to - from > 1UL << 32) /* a sanitizer's map of the memory */
			continue;
		for (at = from; at < to; at += sizeof(chunk) - len) {
			n = pread(mem, chunk, to - at < sizeof(chunk) ? to - at : sizeof(chunk),
				  (off_t)at);
			if (n > 0 && memmem(chunk, (size_t)n, key_bytes(k), len))
				found = true;
		}
	}
	(void)fclose(maps);
	close(mem);
	return found;
}

/* The first bytes as they stand in a big number of libcrypto's: from the other end. */
static void turned(const struct key *k, struct key **ret)
{
	size_t i, len = key_len(k);

	assert_int_equal(key_new_zero(len, ret), 0);
	for (i = 0; i < len; i++)
		key_bytes_mut(*ret)[i] = key_bytes(k)[len - 1 - i];
}

static void identity__leaves_no_copy_behind_after_signing(void **state)
{
	struct key *turned_key[3] = { NULL, NULL, NULL };
	CLEANUP(key_freep) struct key *probe = NULL;
	uint8_t sig[RSA_SIGNATURE_BYTES], der[2048], ecdsa[ECDSA_P384_SIGNATURE_BYTES],
		pub[P384_PUBLIC_BYTES];
	CLEANUP(key_freep) struct key *peer = NULL, *shared = NULL;
	const struct key *secret[3];
	volatile uint8_t *copy;
	struct identity id;
	bool fresh;
	int i;

	(void)state;
	assert_int_equal(key_new_random(16, &probe), 0);
	if (memory_has(probe))
		skip(); /* no memfd_secret here: locked pages can be read */
	copy = malloc(16);
	assert_non_null(copy);
	for (i = 0; i < 16; i++)
		copy[i] = key_bytes(probe)[i];
	assert_true(memory_has(probe)); /* the search works */
	free((void *)(uintptr_t)copy);
	if (memory_has(probe))
		skip(); /* a sanitizer's free() leaves what was there */

	assert_int_equal(identity_open(dir, key, &id, &fresh), 0);
	identity_done(&id);
	assert_int_equal(identity_open(dir, key, &id, &fresh), 0);
	assert_int_equal(rsa_sign(&id.rsa, "x", 1, sig), 0);
	assert_true(rsa_pkcs7(&id.rsa, id.cert, id.cert_len, "x", 1, der, sizeof(der)) > 0);
	assert_int_equal(ecdsa_p384_sign(id.host, "x", 1, ecdsa), 0);
	assert_int_equal(p384_new(&peer, pub), 0);
	assert_int_equal(p384_shared(id.host, pub, &shared), 0);
	secret[0] = id.host;
	secret[1] = id.rsa.p;
	secret[2] = id.rsa.q;
	for (i = 0; i < 3; i++) {
		turned(secret[i], &turned_key[i]);
		assert_false(memory_has(secret[i]));
		assert_false(memory_has(turned_key[i]));
		key_freep(&turned_key[i]);
	}
	assert_false(memory_has(shared));
	identity_done(&id);
}

/* The format is frozen: a file made outside Niter (Python) from docs/wire/security-store.md. */
static void identity_decode__reads_the_golden_file(void **state)
{
	uint8_t root_bytes[32], b[IDENTITY_FILE_MAX], want[32], sig[RSA_SIGNATURE_BYTES], der[2048];
	CLEANUP(key_freep) struct key *root = NULL;
	struct identity id;
	struct tree t;
	ssize_t n;
	int fd;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(root_bytes); i++)
		root_bytes[i] = (uint8_t)i;
	assert_int_equal(key_new_from(root_bytes, sizeof(root_bytes), &root), 0);
	assert_int_equal(tree_init(&t, root), 0);
	fd = open(golden_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, b, sizeof(b));
	close(fd);
	assert_true(n > 0);
	assert_int_equal(identity_decode(b, (size_t)n, t.identity, &id), 0);
	for (i = 0; i < P384_SCALAR_BYTES; i++)
		assert_int_equal(key_bytes(id.host)[i], 0x77);
	hex("c0a770925213584808610ccb8f41b68494b7bec77f42a75ca26a5568870a8dfa", want, sizeof(want));
	assert_memory_equal(id.tunnel.fingerprint, want, sizeof(want));
	assert_int_equal(rsa_sign(&id.rsa, "x", 1, sig), 0);
	/* The certificate in it belongs to the key in it. */
	assert_true(rsa_pkcs7(&id.rsa, id.cert, id.cert_len, "x", 1, der, sizeof(der)) > 0);
	identity_done(&id);
	tree_done(&t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(identity_open__makes_one_and_keeps_it),
		T(identity_open__refuses_and_keeps_a_file_it_cannot_open),
		T(identity_decode__refuses_every_changed_bit),
		T(identity_encode__seals_afresh),
		T(identity__leaves_no_copy_behind_after_signing),
		T(identity_decode__reads_the_golden_file),
#undef T
	};

	if (argc != 2 || crypto_init() < 0)
		return 1;
	golden_path = argv[1];
	(void)mallopt(M_PERTURB, 0x5a); /* as the program does */
	return cmocka_run_group_tests_name("security/identity", tests, NULL, NULL);
}
