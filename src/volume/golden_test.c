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
#include "volume/backing_record.h"
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

static void hash_check(const uint8_t *plain, const char *want_hex)
{
	uint8_t sum[HASH_SHA256_BYTES];
	char hex[2 * HASH_SHA256_BYTES + 1];

	assert_int_equal(hash_sha256(plain, PAYLOAD_BYTES, sum), 0);
	for (unsigned i = 0; i < sizeof(sum); i++)
		(void)snprintf(hex + (size_t)i * 2, 3, "%02x", sum[i]);
	assert_memory_equal(hex, want_hex, sizeof(hex) - 1);
}

static void vector_check(const char *vector)
{
	static uint8_t payload[PAYLOAD_BYTES], plain[PAYLOAD_BYTES];
	uint8_t key_raw[VOL_KEY_BYTES];
	char want[65] = { 0 };
	struct vol_backing *b;
	struct vol_params p;
	struct key *k;
	struct vol *v;

	file_read(vector, "key.bin", key_raw, sizeof(key_raw));
	file_read(vector, "payload.bin", payload, sizeof(payload));
	file_read(vector, "plaintext.sha256", want, 64);

	/* By our code ... */
	assert_int_equal(record_new(VOL_PAYLOAD_OFF + PAYLOAD_BYTES, 0, &b), 0);
	file_read(vector, "header.bin", record_image(b), HEADER_BYTES);
	memcpy(record_image(b) + VOL_PAYLOAD_OFF, payload, sizeof(payload));
	assert_int_equal(vol_params_read(b, &p), 0);
	assert_false(p.copy_damaged);
	assert_int_equal(key_new_from(key_raw, sizeof(key_raw), &k), 0);
	assert_int_equal(vol_open(b, &p, k, NULL, &v), 0);
	assert_int_equal(vol_size(v), PAYLOAD_BYTES);
	assert_int_equal(test_run(v, VOL_READ, 0, plain, sizeof(plain), false), 0);
	hash_check(plain, want);

	/* ... and writing it again gives the same ciphertext. */
	memset(record_image(b) + VOL_PAYLOAD_OFF, 0, PAYLOAD_BYTES);
	assert_int_equal(test_run(v, VOL_WRITE, 0, plain, sizeof(plain), false), 0);
	assert_memory_equal(record_image(b) + VOL_PAYLOAD_OFF, payload, sizeof(payload));
	vol_free(v);
	key_free(k);

	/* By the second implementation. */
	for (size_t unit = 0; unit < PAYLOAD_BYTES / 4096; unit++)
		xts_ref_decrypt(key_raw, unit * 8, payload + unit * 4096, plain + unit * 4096,
				4096);
	hash_check(plain, want);
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
