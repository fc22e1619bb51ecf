/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "security/store_priv.h"

/*
 * A sound store whose file somebody changed. The input is a list of changes: u8 what, u16 where, u8 with what.
 * Whatever is done to the file, a secret that comes out is the one that went in, for its volume and account, and a
 * store that opens goes on working.
 */

enum {
	VOLUMES = 4,
	FILE_BYTES = STORE_HEADER_AREA_BYTES + VOLUMES * STORE_RECORD_BYTES,
	CHANGES_MAX = 64
};

static const char *const names[VOLUMES] = { "vol-a", "vol-b", "vol-c", "vol-d" };
static const char account[] = "111122223333";

static struct key *root, *secrets[VOLUMES];
static uint8_t sound[FILE_BYTES];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_with(const uint8_t *b, size_t len)
{
	int fd = memfd_create("store", MFD_CLOEXEC);

	must(fd >= 0 && fd_pwrite_full(fd, b, len, 0) == 0);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct store *s = NULL;
	int fd, i;

	(void)argc;
	(void)argv;
	must(key_new_random(32, &root) == 0);
	must(store_image_new(root, sound) == 0);
	fd = file_with(sound, STORE_HEADER_AREA_BYTES);
	must(store_open(dup(fd), root, &s) == 0);
	for (i = 0; i < VOLUMES; i++)
		must(store_add(s, names[i], account, &secrets[i]) == 0);
	store_free(s);
	must(fd_pread_full(fd, sound, sizeof(sound), 0) == 0);
	close(fd);
	return 0;
}

/* One change. Return: the file's length after it. */
static size_t change(uint8_t b[FILE_BYTES], size_t len, struct rd *in)
{
	uint8_t what = rd_u8(in);
	size_t at = rd_le16(in) % FILE_BYTES;
	uint8_t with = rd_u8(in);
	size_t run = (size_t)with % 64 * 8;
	uint8_t *rec = b + STORE_HEADER_AREA_BYTES;

	switch (what % 6) {
	case 0:
		b[at] ^= with;
		return len;
	case 1:
		memset(b + at, 0, run < FILE_BYTES - at ? run : FILE_BYTES - at);
		return len;
	case 2: /* a record copied over another */
		memmove(rec + with / 16 % VOLUMES * STORE_RECORD_BYTES,
			rec + with % VOLUMES * STORE_RECORD_BYTES, STORE_RECORD_BYTES);
		return len;
	case 3: /* one copy of the header over the other */
		memmove(b + (with & 1) * 4096, b + !(with & 1) * 4096, STORE_HEADER_BYTES);
		return len;
	case 4:
		return at;
	default:
		return FILE_BYTES;
	}
}

static void check(struct store *s)
{
	struct key *k = NULL;
	int i, r;

	must(store_volume_cnt(s) <= VOLUMES);
	for (i = 0; i < VOLUMES; i++) {
		r = store_read(s, names[i], "999988887777", &k);
		must(r < 0);
		r = store_read(s, names[i], account, &k);
		must(r < 0 || key_equal(k, secrets[i]));
		key_freep(&k);
	}
	r = store_add(s, "vol-new", account, &k);
	must(r == 0 || r == -28 /* ENOSPC */);
	key_freep(&k);
	must(store_remove(s, names[0]) <= 0 && !store_has(s, names[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t b[FILE_BYTES];
	struct rd in = rd_init(data, size);
	struct store *s = NULL;
	size_t len = FILE_BYTES;
	int i;

	memcpy(b, sound, sizeof(b));
	for (i = 0; i < CHANGES_MAX && in.left >= 4; i++)
		len = change(b, len, &in);
	if (store_open(file_with(b, len), root, &s) < 0)
		return 0;
	check(s);
	store_free(s);
	return 0;
}
