/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opens every vector of tests/corpora/volume-golden/, which says what they are.
 *   golden_test FOLDER
 */

#include "volume/volume_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "crypto/hash.h"
#include "xts_ref.h"

enum { HEADER_BYTES = 32768, PAYLOAD_BYTES = 262144 };

static const char *folder;

static void file_read(const char *vector, const char *name, void *ret, size_t len)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", folder, vector, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s is missing", path);
	assert_int_equal(fd_read_full(fd, ret, len), 0);
	close(fd);
}

static void hash_check(const uint8_t *plain, size_t len, const char *want_hex)
{
	uint8_t sum[HASH_SHA256_BYTES];
	char hex[2 * HASH_SHA256_BYTES + 1];

	assert_int_equal(hash_sha256(plain, len, sum), 0);
	for (unsigned i = 0; i < sizeof(sum); i++)
		(void)snprintf(hex + (size_t)i * 2, 3, "%02x", sum[i]);
	assert_memory_equal(hex, want_hex, sizeof(hex) - 1);
}

/* The number in a vector's file "offset", or 0. */
static uint64_t offset_read(const char *vector)
{
	char path[512], text[32] = "";
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s/offset", folder, vector);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoull(text, NULL, 10);
}

static size_t payload_read(const char *vector, uint8_t ret[PAYLOAD_BYTES])
{
	char path[512];
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s/payload.bin", folder, vector);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	len = read(fd, ret, PAYLOAD_BYTES);
	close(fd);
	assert_true(len > 0 && len % 4096 == 0);
	return (size_t)len;
}

/* The vector as a container again, in a sparse file without a name. */
static int container_make(const char *vector, uint64_t off, const uint8_t *payload, size_t len)
{
	static uint8_t header[HEADER_BYTES];
	uint64_t bytes = VOL_PAYLOAD_OFF + PAYLOAD_BYTES;
	char path[] = "/var/tmp/niter-golden.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)unlink(path);
	if (off) /* as dm-crypt.sh made it: up to the next MiB and one more */
		bytes = VOL_PAYLOAD_OFF + ((off >> 20) + 2) * 1048576;
	file_read(vector, "header.bin", header, sizeof(header));
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(pwrite(fd, payload, len, (off_t)(VOL_PAYLOAD_OFF + off)), len);
	return fd;
}

static void vector_check(const char *vector)
{
	/* Aligned: the backing switches O_DIRECT on, for our descriptor too. */
	static uint8_t payload[PAYLOAD_BYTES], plain[PAYLOAD_BYTES];
	static _Alignas(4096) uint8_t again[PAYLOAD_BYTES];
	uint64_t off = offset_read(vector);
	size_t len = payload_read(vector, payload);
	uint8_t key_raw[VOL_KEY_BYTES];
	char want[65] = { 0 };
	struct vol_backing *b;
	struct vol_params p;
	struct key *k;
	struct vol *v;
	int fd;

	file_read(vector, "key.bin", key_raw, sizeof(key_raw));
	file_read(vector, "plaintext.sha256", want, 64);

	/* By our code ... */
	fd = container_make(vector, off, payload, len);
	assert_int_equal(vol_backing_file_new(dup(fd), 16, &b), 0);
	assert_int_equal(vol_params_read(b, &p), 0);
	assert_false(p.copy_damaged);
	assert_int_equal(key_new_from(key_raw, sizeof(key_raw), &k), 0);
	assert_int_equal(vol_open(b, &p, k, NULL, &v), 0);
	assert_true(vol_size(v) >= off + len);
	assert_int_equal(test_run(v, VOL_READ, off, plain, len, false), 0);
	hash_check(plain, len, want);

	/* ... and writing it again gives the same ciphertext. */
	assert_int_equal(pwrite(fd, again, len, (off_t)(VOL_PAYLOAD_OFF + off)), len);
	assert_int_equal(test_run(v, VOL_WRITE, off, plain, len, true), 0);
	assert_int_equal(pread(fd, again, len, (off_t)(VOL_PAYLOAD_OFF + off)), len);
	assert_memory_equal(again, payload, len);
	memset(again, 0, sizeof(again));
	vol_free(v);
	key_free(k);
	close(fd);

	/* By the second implementation. */
	for (size_t at = 0; at < len; at += 4096)
		xts_ref_decrypt(key_raw, (off + at) / 4096 * 8, payload + at, plain + at, 4096);
	hash_check(plain, len, want);
}

static void golden__every_vector_is_read(void **state)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	unsigned cnt = 0;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): one thread */
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		print_message("vector %s\n", e->d_name);
		vector_check(e->d_name);
		cnt++;
	}
	closedir(d);
	assert_true(cnt > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(golden__every_vector_is_read) };

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
