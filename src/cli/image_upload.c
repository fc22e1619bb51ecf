/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sends an image: the description as parameters, then frames of the blocks that hold anything. Holes are found
 * by SEEK_DATA, zeroes within data by looking. The digests travel in the last frame, so every file is read once.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/image.h"
#include "crypto/sparse_hash.h"

enum {
	FILES = 3,
	FRAME_HDR_BYTES = 16,
	FRAME_BYTES = 256 * 1024,
	PATH_BYTES = 1024,
};
#define FRAME_END 0xffffffffU

struct source {
	const char *name;
	int fd; /* owned; -1: there is none */
	uint64_t size;
	struct sparse_hash hash;
};

struct upload {
	struct client *c;
	struct source file[FILES];
	struct progress progress;
	uint64_t done, total; /* bytes, holes included */
	uint8_t frame[FRAME_HDR_BYTES + FRAME_BYTES];
};

static int source_open(const char *dir, const char *name, bool must_exist, struct source *ret)
{
	char path[PATH_BYTES];
	struct stat st;

	ret->name = name;
	ret->fd = -1;
	ret->size = 0;
	sparse_hash_init(&ret->hash);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0 && errno == ENOENT && !must_exist)
		return CLI_OK;
	if (ret->fd < 0 && errno == ENOENT)
		return cli_error("there is no %s: give a directory that holds kernel, disk.raw and image.json", path);
	if (ret->fd < 0)
		return cli_error("cannot read %s: %s", path, strerrordesc_np(errno));
	if (fstat(ret->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return cli_error("%s is no file", path);
	if (st.st_size == 0)
		return cli_error("%s is empty: build the image again", path);
	ret->size = (uint64_t)st.st_size;
	return CLI_OK;
}

/* A frame whose @len bytes stand at @p; the FRAME_HDR_BYTES before them are free for its header. */
static int frame_send(struct upload *u, uint32_t file, uint64_t off, uint8_t *p, size_t len)
{
	uint8_t *hdr = p - FRAME_HDR_BYTES;

	le32_store(hdr, file);
	le32_store(hdr + 4, (uint32_t)len);
	le64_store(hdr + 8, off);
	return client_write(u->c, hdr, FRAME_HDR_BYTES + len);
}

/* Sends the runs of blocks that are not zero among the @len bytes of the buffer, which are those at @off. */
static int piece_send(struct upload *u, unsigned k, uint64_t off, size_t len)
{
	uint8_t *p = u->frame + FRAME_HDR_BYTES;
	size_t at, n, run = 0;

	for (at = 0; at < len; at += n) {
		n = min_u64(len - at, SPARSE_HASH_BLOCK);
		if (!sparse_hash_is_zero(p + at, n)) {
			if (sparse_hash_add(&u->file[k].hash, (off + at) / SPARSE_HASH_BLOCK,
					    p + at, n) < 0)
				return cli_error("libcrypto failed");
			run += n;
			continue;
		}
		/* The header overwrites bytes before the run: those are sent, or zero. */
		if (run && frame_send(u, k, off + at - run, p + at - run, run) != CLI_OK)
			return CLI_FAILED;
		run = 0;
	}
	return run ? frame_send(u, k, off + len - run, p + len - run, run) : CLI_OK;
}

/* Where the next data is, from @off on; the size when there is none. */
static uint64_t data_next(const struct source *s, uint64_t off)
{
	off_t at = lseek(s->fd, (off_t)off, SEEK_DATA);

	if (at >= 0)
		return align_down((uint64_t)at, SPARSE_HASH_BLOCK);
	return errno == ENXIO ? s->size : off; /* a file system that knows no holes */
}

static int source_send(struct upload *u, unsigned k)
{
	struct source *s = &u->file[k];
	uint64_t off = 0;

	while (s->fd >= 0 && off < s->size) {
		uint64_t at = max_u64(data_next(s, off), off);
		size_t len;

		u->done += at - off;
		off = at;
		len = min_u64(s->size - off, FRAME_BYTES);
		if (len == 0)
			break;
		if (fd_pread_full(s->fd, u->frame + FRAME_HDR_BYTES, len, off) < 0)
			return cli_error("cannot read %s", s->name);
		if (piece_send(u, k, off, len) != CLI_OK)
			return CLI_FAILED;
		off += len;
		u->done += len;
		progress_show(&u->progress, "uploading", u->done, u->total);
	}
	return CLI_OK;
}

static int digests_send(struct upload *u)
{
	for (unsigned k = 0; k < FILES; k++) {
		struct source *s = &u->file[k];

		if (sparse_hash_final(&s->hash, s->size,
				      u->frame + FRAME_HDR_BYTES + (size_t)k * SPARSE_HASH_BYTES) <
		    0)
			return cli_error("libcrypto failed");
	}
	return frame_send(u, FRAME_END, 0, u->frame + FRAME_HDR_BYTES,
			  (size_t)FILES * SPARSE_HASH_BYTES);
}

static void copy_text(json_t *to, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (json_is_string(v))
		(void)json_object_set(to, key, v);
}

static int description_read(const char *dir, const char *name, const struct upload *u, json_t **ret)
{
	char path[PATH_BYTES];
	json_error_t err;
	json_t *in, *out;

	snprintf(path, sizeof(path), "%s/image.json", dir);
	in = json_load_file(path, JSON_REJECT_DUPLICATES, &err);
	if (!in)
		return cli_error("cannot read %s: %s: build the image again", path, err.text);
	out = json_pack("{s:I,s:I,s:I}", "kernel_bytes", (json_int_t)u->file[0].size,
			"initrd_bytes", (json_int_t)u->file[1].size, "disk_bytes",
			(json_int_t)u->file[2].size);
	copy_text(out, in, "name");
	copy_text(out, in, "architecture");
	copy_text(out, in, "kernel_version");
	copy_text(out, in, "cmdline");
	if (name)
		(void)json_object_set_new(out, "name", json_string(name));
	json_decref(in);
	*ret = out;
	return CLI_OK;
}

static int upload_run(struct upload *u, json_t *params)
{
	json_t *result = NULL;
	const json_t *img;
	char a[32], b[32];
	int code;

	code = client_open(&u->c);
	if (code != CLI_OK) {
		json_decref(params);
		return code;
	}
	code = client_begin(u->c, "image.put", params);
	if (code != CLI_OK)
		return code;
	for (unsigned k = 0; k < FILES; k++)
		u->total += u->file[k].size;
	for (unsigned k = 0; code == CLI_OK && k < FILES; k++)
		code = source_send(u, k);
	if (code == CLI_OK)
		(void)digests_send(u);
	/* A refusal in the middle is waiting to be read: what went wrong is in there. */
	progress_end(&u->progress);
	code = client_end(u->c, NULL, &result);
	if (code != CLI_OK)
		return code;

	img = json_object_get(result, "image");
	if (cli_json) {
		json_print(result);
	} else {
		fprintf(stderr, "image %s: %s of disk, %s stored\n", text_of(img, "name"),
			size_text(a, sizeof(a), u64_of(img, "disk_bytes")),
			size_text(b, sizeof(b), u64_of(img, "stored_bytes")));
		puts(text_of(img, "id"));
	}
	json_decref(result);
	return CLI_OK;
}

int image_upload(const char *dir, const char *name)
{
	static const char *const names[FILES] = { "kernel", "initrd", "disk.raw" };
	struct upload *u = calloc(1, sizeof(*u));
	json_t *params = NULL;
	int code = CLI_OK;

	if (!u)
		return cli_error("no memory");
	for (unsigned k = 0; k < FILES; k++)
		u->file[k].fd = -1;
	for (unsigned k = 0; code == CLI_OK && k < FILES; k++)
		code = source_open(dir, names[k], k != 1, &u->file[k]);
	if (code == CLI_OK)
		code = description_read(dir, name, u, &params);
	if (code == CLI_OK)
		code = upload_run(u, params);
	for (unsigned k = 0; k < FILES; k++)
		fd_closep(&u->file[k].fd);
	client_free(u->c);
	free(u);
	return code;
}
