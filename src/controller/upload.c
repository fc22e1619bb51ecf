/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The frames of image.put, and the files they become. A frame is a header of 16 bytes, little-endian,
 *
 *	u32 file (0 kernel, 1 initrd, 2 disk, 0xffffffff end), u32 len, u64 off
 *
 * and len bytes. Within a file offsets only rise, and every frame but the one that reaches the end of the file
 * covers whole blocks of 4096 bytes; what no frame covers is zero. The end frame holds the three digests.
 * Blocks of zeroes are never written, so a file is as sparse as it can be.
 *
 * Files are made in images/.new-<id>. When everything is there, checked and on stable storage, the directory gets
 * its name; a crash before leaves something that upload_sweep() removes.
 *
 * What it does not do: look into the kernel or the disk. Those are the tenant's, for the hypervisor and the guest.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/ids.h"
#include "controller/niterd.h"
#include "controller/upload_priv.h"
#include "crypto/sparse_hash.h"

enum {
	FRAME_HDR_BYTES = 16,
	FRAME_MAX = 1024 * 1024,
	WRITEBACK_BYTES = 8 * 1024 * 1024, /* written since the disk was last set to work */
	PATH_BYTES = 64,
};

static const char *const file_names[UPLOAD_FILES] = { "kernel", "initrd", "disk.raw" };

struct upload_file {
	int fd; /* owned; -1: this image has none */
	uint64_t size, next_off;
	struct sparse_hash hash;
};

struct upload {
	struct image img;
	char dir[PATH_BYTES];
	struct upload_file file[UPLOAD_FILES];
	uint64_t stored, seen,
		unsynced; /* bytes: written, of all frames, since the last writeback */
	/* the frame under way */
	bool in_frame;
	struct upload_frame frame;
	uint8_t digest[UPLOAD_FILES][SPARSE_HASH_BYTES]; /* as the client sent them */
	bool finished;
};

int upload_frame_parse(const uint8_t *p, size_t len, struct upload_frame *ret)
{
	struct rd in = rd_init(p, len);
	struct upload_frame h;

	h.file = rd_le32(&in);
	h.left = rd_le32(&in);
	h.off = rd_le64(&in);
	if (in.bad)
		return -EPROTO;
	*ret = h;
	return 0;
}

int upload_frame_check(const struct upload_frame *h, uint64_t size, uint64_t next_off)
{
	if (h->left == 0 || h->left > FRAME_MAX || h->off < next_off ||
	    !range_ok(h->off, h->left, size))
		return -EPROTO;
	if (h->off % MODEL_BLOCK != 0)
		return -EPROTO;
	if (h->left % MODEL_BLOCK != 0 && h->off + h->left != size)
		return -EPROTO;
	return 0;
}

/* #syscalls:niterd mkdir mkdirat unlink unlinkat openat ftruncate */
static int file_create(struct upload *u, unsigned k, uint64_t size)
{
	struct upload_file *file = &u->file[k];
	char path[PATH_BYTES + 16];

	file->fd = -1;
	file->size = size;
	sparse_hash_init(&file->hash);
	if (size == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", u->dir, file_names[k]);
	file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (file->fd < 0)
		return -errno;
	return ftruncate(file->fd, (off_t)size) < 0 ? -errno : 0;
}

int upload_new(const struct image *i, struct upload **ret, struct fault *f)
{
	const uint64_t size[UPLOAD_FILES] = { i->kernel_bytes, i->initrd_bytes, i->disk_bytes };
	struct upload *u;
	int r = 0;

	u = calloc(1, sizeof(*u));
	if (!u)
		return fault_internal(f, ENOMEM, "receiving the image");
	u->img = *i;
	for (unsigned k = 0; k < UPLOAD_FILES; k++)
		u->file[k].fd = -1;
	snprintf(u->dir, sizeof(u->dir), "images/.new-%s", i->id);
	if (mkdir(u->dir, 0755) < 0)
		r = -errno;
	for (unsigned k = 0; r == 0 && k < UPLOAD_FILES; k++)
		r = file_create(u, k, size[k]);
	if (r < 0) {
		upload_free(u);
		return fault_internal(f, r, "making room for the image");
	}
	*ret = u;
	return 0;
}

/* Sets the disk to work now, so that the end does not wait for all of it. #syscalls:niterd sync_file_range pwrite64 */
static void writeback(struct upload *u, struct upload_file *file, size_t len)
{
	u->unsynced += len;
	if (u->unsynced < WRITEBACK_BYTES)
		return;
	u->unsynced = 0;
	(void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* only a hint */
}

/* @len bytes of the frame under way: whole blocks, or what is left of it. */
static int blocks_write(struct upload *u, const uint8_t *p, size_t len)
{
	struct upload_file *file = &u->file[u->frame.file];
	size_t done = 0;
	int r;

	while (done < len) {
		size_t n = min_u64(len - done, MODEL_BLOCK);
		uint64_t off = u->frame.off + done;

		if (!sparse_hash_is_zero(p + done, n)) {
			r = fd_pwrite_full(file->fd, p + done, n, off);
			if (r == 0)
				r = sparse_hash_add(&file->hash, off / MODEL_BLOCK, p + done, n);
			if (r < 0)
				return r;
			u->stored += n;
			writeback(u, file, n);
		}
		done += n;
	}
	u->seen += len;
	u->frame.off += len;
	u->frame.left -= (uint32_t)len;
	file->next_off = u->frame.off;
	return 0;
}

static int fault_frame(struct fault *f, const char *what)
{
	return fault_set(f, EPROTO, "InvalidRequest", "see docs/wire/api.md",
			 "the image's data is malformed: %s", what);
}

/* Return: bytes eaten, 0 when the header is not whole yet. */
static ssize_t header_eat(struct upload *u, const uint8_t *p, size_t len, struct fault *f)
{
	const struct upload_file *file;
	int r;

	if (len < FRAME_HDR_BYTES)
		return 0;
	r = upload_frame_parse(p, len, &u->frame);
	if (r < 0)
		return fault_frame(f, "no header");
	if (u->frame.file == UPLOAD_END) {
		if (u->frame.left != sizeof(u->digest) || u->frame.off != 0)
			return fault_frame(f, "the end frame has another size");
	} else {
		if (u->frame.file >= UPLOAD_FILES || u->file[u->frame.file].fd < 0)
			return fault_frame(f, "a frame for a file that was not announced");
		file = &u->file[u->frame.file];
		if (upload_frame_check(&u->frame, file->size, file->next_off) < 0)
			return fault_frame(f, "a frame out of order or out of range");
	}
	u->in_frame = true;
	return FRAME_HDR_BYTES;
}

ssize_t upload_feed(struct upload *u, const uint8_t *p, size_t len, bool *done, struct fault *f)
{
	size_t n;
	int r;

	if (!u->in_frame)
		return header_eat(u, p, len, f);

	if (u->frame.file == UPLOAD_END) {
		if (len < sizeof(u->digest))
			return 0;
		memcpy(u->digest, p, sizeof(u->digest));
		*done = true;
		return sizeof(u->digest);
	}
	n = min_u64(len, u->frame.left);
	if (n < u->frame.left)
		n = align_down(n, MODEL_BLOCK);
	if (n == 0)
		return 0;
	r = blocks_write(u, p, n);
	if (r < 0)
		return fault_internal(f, r, "writing the image");
	if (u->frame.left == 0)
		u->in_frame = false;
	return (ssize_t)n;
}

static void hex_of(const uint8_t digest[SPARSE_HASH_BYTES], char ret[MODEL_SHA_HEX])
{
	for (size_t k = 0; k < SPARSE_HASH_BYTES; k++)
		snprintf(ret + 2 * k, 3, "%02x", digest[k]);
}

/* The digests of what came must be those that were announced. */
static int digests_check(struct upload *u, struct fault *f)
{
	char *hex[UPLOAD_FILES] = { u->img.sha256_kernel, u->img.sha256_initrd,
				    u->img.sha256_disk };
	int r;

	for (unsigned k = 0; k < UPLOAD_FILES; k++) {
		uint8_t sum[SPARSE_HASH_BYTES];

		r = sparse_hash_final(&u->file[k].hash, u->file[k].size, sum);
		if (r < 0)
			return fault_internal(f, r, "checking the image");
		if (memcmp(sum, u->digest[k], sizeof(sum)) != 0)
			return fault_set(
				f, EBADMSG, "InvalidImageData", "send it again",
				"the image's %s changed on the way: its SHA-256 is another",
				file_names[k]);
		hex_of(sum, hex[k]);
	}
	return 0;
}

/* image.json beside the files: for people who look at a backup, and for a database that was lost. */
static int json_write(const struct upload *u)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(free_p) char *text = NULL;
	char path[PATH_BYTES + 16];
	json_t *j = json_of_image(&u->img);
	int r;

	text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
	json_decref(j);
	if (!text)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/image.json", u->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_full(fd, text, strlen(text));
	return r < 0 ? r : fd_sync(fd);
}

/* #syscalls:niterd fsync fdatasync */
int fd_sync(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

static int dir_sync(const char *path)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_sync(fd);
}

/* #syscalls:niterd rename renameat renameat2 */
static int publish(struct upload *u)
{
	char path[PATH_BYTES];
	int r = 0;

	for (unsigned k = 0; r == 0 && k < UPLOAD_FILES; k++)
		if (u->file[k].fd >= 0)
			r = fd_sync(u->file[k].fd);
	if (r == 0)
		r = json_write(u);
	if (r == 0)
		r = dir_sync(u->dir);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "images/%s", u->img.id);
	if (rename(u->dir, path) < 0)
		return -errno;
	u->finished = true;
	return dir_sync("images");
}

int upload_finish(struct upload *u, struct image *ret, struct fault *f)
{
	int r;

	r = digests_check(u, f);
	if (r < 0)
		return r;
	u->img.stored_bytes = u->stored;
	r = publish(u);
	if (r < 0)
		return fault_internal(f, r, "storing the image");
	*ret = u->img;
	return 0;
}

void upload_progress(const struct upload *u, uint64_t *ret_done, uint64_t *ret_total)
{
	uint64_t done = 0;

	for (unsigned k = 0; k < UPLOAD_FILES; k++)
		done += u->file[k].next_off;
	*ret_done = done;
	*ret_total = u->img.kernel_bytes + u->img.initrd_bytes + u->img.disk_bytes;
}

/* #syscalls:niterd rmdir */
static int dir_remove(const char *dir)
{
	static const char *const names[] = { "kernel", "initrd", "disk.raw", "image.json" };
	char path[PATH_BYTES + 16];

	for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[k]);
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
	}
	return rmdir(dir) < 0 && errno != ENOENT ? -errno : 0;
}

int upload_remove(const char *image_id)
{
	char path[PATH_BYTES];

	if (!id_valid(ID_IMAGE, image_id))
		return -EINVAL;
	snprintf(path, sizeof(path), "images/%s", image_id);
	return dir_remove(path);
}

void upload_free(struct upload *u)
{
	int r;

	if (!u)
		return;
	for (unsigned k = 0; k < UPLOAD_FILES; k++)
		fd_closep(&u->file[k].fd);
	if (!u->finished) {
		r = dir_remove(u->dir);
		if (r < 0)
			log_warn("image.leftover", "dir=%s err=%d", u->dir, r);
	}
	free(u);
}

/* A directory that no row speaks of: half-made, or its image was removed. */
static int sweep_one(struct core *c, const char *name)
{
	struct image img = { 0 };
	char path[PATH_BYTES + 256];
	int r;

	if (name[0] == '.' && strncmp(name, ".new-", 5) != 0)
		return 0;
	r = id_valid(ID_IMAGE, name) ? store_get_id(c->st, &tbl_images, name, &img) : -ENOENT;
	if (r != -ENOENT)
		return r;
	snprintf(path, sizeof(path), "images/%s", name);
	r = dir_remove(path);
	log_info("image.swept", "dir=%s err=%d", path, r);
	return 0;
}

/* #syscalls:niterd getdents64 fstat newfstatat */
int upload_sweep(struct core *c)
{
	struct dirent *e;
	DIR *dir;
	int r = 0;

	if (mkdir("images", 0755) < 0 && errno != EEXIST && errno != EACCES)
		return -errno;
	dir = opendir("images");
	if (!dir)
		return -errno;
	while (r == 0 && (e = readdir(dir))) /* NOLINT(concurrency-mt-unsafe): one thread */
		r = sweep_one(c, e->d_name);
	closedir(dir);
	return r;
}
