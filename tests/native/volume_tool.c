/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A container from the command line, for tests only: the key lies in a file, which no program of ours would do.
 *
 *   volume-tool create FILE BYTES KEYFILE [VOLUME-ID]   a fresh container around the 64 bytes of KEYFILE
 *   volume-tool write FILE KEYFILE OFF < plaintext      multiples of 512; ends with a flush
 *   volume-tool read FILE KEYFILE OFF BYTES > plaintext
 *   volume-tool discard FILE KEYFILE OFF BYTES
 *   volume-tool show FILE                               what the header says, a member a line
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "crypto/key.h"
#include "volume/volume.h"

enum { CHUNK = 1 << 20 };

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "volume-tool: %s: %s\n", what,
		      strerror(-r)); /* NOLINT(concurrency-mt-unsafe) */
	return 1;
}

static int key_read(const char *path, struct key **ret)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t b[VOL_KEY_BYTES];
	int r;

	if (fd < 0)
		return -errno;
	r = fd_read_full(fd, b, sizeof(b));
	if (r < 0)
		return r;
	return key_new_take(b, sizeof(b), ret);
}

static int backing_open(const char *path, int flags, struct vol_backing **ret)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return vol_backing_file_new(fd, 64, ret);
}

static int create(const char *path, const char *bytes, const char *key_path, const char *id)
{
	struct vol_params p = { .size = strtoull(bytes, NULL, 10), .wrapped_len = 32 };
	CLEANUP(key_freep) struct key *k = NULL;
	struct vol_backing *b = NULL;
	int r;

	(void)snprintf(p.volume_id, sizeof(p.volume_id), "%s", id);
	(void)snprintf(p.key_id, sizeof(p.key_id), "%s.1", id);
	r = key_read(key_path, &k);
	if (r < 0)
		return fail(key_path, r);
	r = backing_open(path, O_RDWR | O_CREAT, &b);
	if (r < 0)
		return fail(path, r);
	r = vol_create(b, &p, k);
	vol_backing_free(b);
	return r < 0 ? fail("create", r) : 0;
}

static int show(const char *path)
{
	struct vol_backing *b = NULL;
	struct vol_params p;
	int r;

	r = backing_open(path, O_RDONLY, &b);
	if (r < 0)
		return fail(path, r);
	r = vol_params_read(b, &p);
	vol_backing_free(b);
	if (r < 0)
		return fail("header", r);
	(void)printf("volume_id=%s\nkey_id=%s\ncipher=%s\nsector_bytes=%" PRIu32
		     "\npayload_off=%" PRIu64 "\nsize=%" PRIu64
		     "\nwrapped_len=%u\nuuid=%s\nseqid=%" PRIu64 "\ncopy_damaged=%d\n",
		     p.volume_id, p.key_id, p.cipher, p.sector_bytes, p.payload_off, p.size,
		     p.wrapped_len, p.uuid, p.seqid, p.copy_damaged);
	return 0;
}

static int run(struct vol *v, enum vol_op op, uint64_t off, void *buf, uint64_t len)
{
	struct iovec iov = { buf, len };
	struct vol_req req = { .op = op, .off = off, .len = len }, *r = &req, *done;
	struct pollfd pfd = { .fd = vol_event_fd(v), .events = POLLIN };

	if (op == VOL_READ || op == VOL_WRITE) {
		req.iov = &iov;
		req.iov_cnt = 1;
	}
	vol_submit(v, &r, 1);
	while (!vol_poll(v, &done, 1))
		(void)poll(&pfd, 1, -1);
	return req.res;
}

static int copy(struct vol *v, enum vol_op op, uint64_t off, uint64_t len, uint8_t *buf)
{
	size_t n = 0;
	int r;

	if (op == VOL_DISCARD)
		return run(v, op, off, NULL, len);
	if (op == VOL_READ) {
		for (; len; off += n, len -= n) {
			n = len < CHUNK ? len : CHUNK;
			r = run(v, op, off, buf, n);
			if (r < 0)
				return r;
			if (fwrite(buf, 1, n, stdout) != n)
				return -EIO;
		}
		return fflush(stdout) == 0 ? 0 : -EIO;
	}
	while ((n = fread(buf, 1, CHUNK, stdin)) > 0) {
		r = run(v, op, off, buf, n);
		if (r < 0)
			return r;
		off += n;
	}
	return run(v, VOL_FLUSH, 0, NULL, 0);
}

static int data(enum vol_op op, const char *path, const char *key_path, uint64_t off, uint64_t len)
{
	CLEANUP(key_freep) struct key *k = NULL;
	struct vol_backing *b = NULL;
	struct vol_params p;
	struct vol *v = NULL;
	uint8_t *buf;
	int r;

	r = key_read(key_path, &k);
	if (r < 0)
		return fail(key_path, r);
	r = backing_open(path, O_RDWR, &b);
	if (r < 0)
		return fail(path, r);
	r = vol_params_read(b, &p);
	if (r == 0)
		r = vol_open(b, &p, k, NULL, &v);
	if (r < 0) {
		vol_backing_free(b);
		return fail("open", r);
	}
	buf = malloc(CHUNK);
	r = buf ? copy(v, op, off, len, buf) : -ENOMEM;
	free(buf);
	vol_free(v);
	return r < 0 ? fail("data", r) : 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";

	if (strcmp(cmd, "create") == 0 && (argc == 5 || argc == 6))
		return create(argv[2], argv[3], argv[4],
			      argc == 6 ? argv[5] : "vol-0123456789abcdef0");
	if (strcmp(cmd, "show") == 0 && argc == 3)
		return show(argv[2]);
	if (strcmp(cmd, "write") == 0 && argc == 5)
		return data(VOL_WRITE, argv[2], argv[3], strtoull(argv[4], NULL, 10), 0);
	if (argc == 6 && (strcmp(cmd, "read") == 0 || strcmp(cmd, "discard") == 0))
		return data(cmd[0] == 'r' ? VOL_READ : VOL_DISCARD, argv[2], argv[3],
			    strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
	(void)fprintf(stderr,
		      "volume-tool: create|write|read|discard|show FILE …, see its source\n");
	return 2;
}
