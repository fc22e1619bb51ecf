/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "crypto/crypto.h"
#include "security/kms_store_priv.h"

/*
 * A sound store whose file somebody changed. The input is a list of changes: u8 what, u16 where, u8 with what.
 * Whatever is done to the file, material that comes out is what went in, for its key and account, in a state the key had some
 * time; and a store that opens goes on working: a new key, a changed state, an end.
 */

enum {
	KEYS = 4,
	FILE_BYTES = KMS_STORE_HEADER_BYTES + KEYS * KMS_STORE_SLOT_BYTES,
	CHANGES_MAX = 64
};

static const char account[] = "111122223333";
static struct key *root, *materials[KEYS];
static uint8_t sound[FILE_BYTES];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void id_of(unsigned n, uint8_t ret[KMS_ID_BYTES])
{
	memset(ret, (int)n + 1, KMS_ID_BYTES);
}

static int file_with(const uint8_t *b, size_t len)
{
	int fd = memfd_create("kms.store", MFD_CLOEXEC);

	must(fd >= 0 && fd_pwrite_full(fd, b, len, 0) == 0);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct kms_store *s = NULL;
	const struct keys_vault *v;
	enum ctl_kms_state state;
	uint8_t id[KMS_ID_BYTES];
	unsigned i;
	int fd;

	(void)argc;
	(void)argv;
	must(crypto_init() == 0 && key_new_random(32, &root) == 0);
	must(kms_store_image_new(root, sound) == 0);
	fd = file_with(sound, KMS_STORE_HEADER_BYTES);
	must(kms_store_open(dup(fd), root, &s) == 0);
	v = kms_store_vault(s);
	for (i = 0; i < KEYS; i++) {
		id_of(i, id);
		must(v->create(v->ptr, account, id) == 0);
		must(v->read(v->ptr, account, id, &state, &materials[i]) == 0);
	}
	id_of(1, id); /* one has two states in its halves */
	must(v->set_state(v->ptr, account, id, CTL_KMS_DISABLED) == 0);
	kms_store_free(s);
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
	size_t run = (size_t)with % 64 * 16;
	uint8_t *half = b + KMS_STORE_HEADER_BYTES;

	switch (what % 6) {
	case 0:
		b[at] ^= with;
		return len;
	case 1:
		memset(b + at, 0, run < FILE_BYTES - at ? run : FILE_BYTES - at);
		return len;
	case 2: /* one half over another */
		memmove(half + with / 16 % (2 * KEYS) * KMS_STORE_HALF_BYTES,
			half + with % (2 * KEYS) * KMS_STORE_HALF_BYTES, KMS_STORE_HALF_BYTES);
		return len;
	case 3: /* a half is gone */
		memset(half + with % (2 * KEYS) * KMS_STORE_HALF_BYTES, 0, KMS_STORE_HALF_BYTES);
		return len;
	case 4:
		return at;
	default:
		return FILE_BYTES;
	}
}

static void check_key(struct kms_store *s, unsigned n)
{
	const struct keys_vault *v = kms_store_vault(s);
	enum ctl_kms_state state = 0;
	uint8_t id[KMS_ID_BYTES];
	struct key *k = NULL;
	int r;

	id_of(n, id);
	must(v->read(v->ptr, "999988887777", id, &state, &k) < 0);
	r = v->read(v->ptr, account, id, &state, &k);
	must(r < 0 || key_equal(k, materials[n]));
	must(r < 0 || state == CTL_KMS_ENABLED || (n == 1 && state == CTL_KMS_DISABLED));
	key_freep(&k);
	if (r < 0)
		return;
	/* It goes on: a change keeps the material. */
	must(v->set_state(v->ptr, account, id, CTL_KMS_PENDING_DELETION) == 0);
	must(v->read(v->ptr, account, id, &state, &k) == 0);
	must(state == CTL_KMS_PENDING_DELETION && key_equal(k, materials[n]));
	key_freep(&k);
}

static void check(struct kms_store *s)
{
	const struct keys_vault *v = kms_store_vault(s);
	uint8_t id[KMS_ID_BYTES];
	unsigned i;
	int r;

	must(kms_store_key_cnt(s) + kms_store_damaged_cnt(s) <= KEYS);
	for (i = 0; i < KEYS; i++)
		check_key(s, i);
	id_of(KEYS, id);
	must(v->create(v->ptr, account, id) == 0);
	id_of(0, id);
	r = v->destroy(v->ptr, account, id);
	must(r == 0 || r == -ENOENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t b[FILE_BYTES];
	struct rd in = rd_init(data, size);
	struct kms_store *s = NULL;
	size_t len = FILE_BYTES;
	unsigned cnt;
	int i, fd;

	memcpy(b, sound, sizeof(b));
	for (i = 0; i < CHANGES_MAX && in.left >= 4; i++)
		len = change(b, len, &in);
	fd = file_with(b, len);
	if (kms_store_open(dup(fd), root, &s) == 0) {
		check(s);
		cnt = kms_store_key_cnt(s);
		kms_store_free(s);
		/* What it wrote it reads again. */
		must(kms_store_open(dup(fd), root, &s) == 0);
		must(kms_store_key_cnt(s) == cnt);
		kms_store_free(s);
	}
	close(fd);
	return 0;
}
