/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An encrypted volume: a LUKS2 container (docs/wire/volume.md) on a backing, read and written in the clear by
 * its one owner, never in the clear on the backing.
 *
 * Life:  vol_backing_file_new()  a descriptor becomes a backing
 *        vol_params_read()       the header, hostile bytes, copied once and checked; no key needed
 *        vol_open()              with the key that niter-security released for exactly these parameters
 *        vol_submit(), vol_poll()  batches of requests, without allocation
 *        vol_free()
 *
 * Guests see 512-byte LBAs; the unit of encryption is 4096 bytes. A 512-byte sector of ciphertext that is all
 * zero was never written (or was discarded) and reads as zeroes. One thread owns a volume and everything it
 * was given; nothing here locks. Nothing here logs: errors are returned.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attr.h"

struct key; /* crypto/key.h: an opaque, locked, wiped key */
struct vol;
struct vol_backing;

enum {
	VOL_LBA_BYTES = 512,
	VOL_UNIT_BYTES = 4096,
	VOL_KEY_BYTES = 64,    /* AES-256-XTS: two independent 256-bit keys */
	VOL_ID_MAX = 24,       /* "vol-0123456789abcdef0"; with NUL */
	VOL_KEY_ID_MAX = 64,   /* with NUL */
	VOL_CIPHER_MAX = 32,   /* with NUL */
	VOL_WRAPPED_MAX = 256, /* bytes of a wrapped data key */
	VOL_SALT_MAX = 64,
	VOL_UUID_MAX = 40, /* with NUL */
	VOL_DIGEST_MAX = 64,
	VOL_IOV_MAX = 1024, /* spans of one request */
};
#define VOL_PAYLOAD_OFF ((uint64_t)16 << 20) /* bytes: where our writer puts the payload */
#define VOL_SIZE_MAX ((uint64_t)64 << 40)    /* bytes of payload */
/* Bytes of one read or write; discard and write-zeroes have no limit but the size. */
#define VOL_REQ_BYTES_MAX ((uint64_t)1 << 30)

/*
 * What the header says. The fields down to ->wrapped go to niter-security (CTL_KEY_UNWRAP), which binds them:
 * the header itself is not authenticated, so nothing in here is trusted before the key came back.
 */
struct vol_params {
	char volume_id[VOL_ID_MAX];
	char key_id[VOL_KEY_ID_MAX];
	char cipher[VOL_CIPHER_MAX]; /* always "aes-xts-plain64": others are refused */
	uint32_t sector_bytes;       /* always 4096 */
	uint64_t payload_off;        /* bytes, multiple of 4096 */
	/* Bytes of payload, multiple of 4096, > 0; all of it lies inside the backing. */
	uint64_t size;
	uint16_t wrapped_len;
	uint8_t wrapped[VOL_WRAPPED_MAX];

	/* digest of the volume key: PBKDF2-HMAC-SHA256 */
	uint32_t digest_iterations;
	uint16_t salt_len, digest_len;
	uint8_t salt[VOL_SALT_MAX];
	uint8_t digest[VOL_DIGEST_MAX];

	char uuid[VOL_UUID_MAX]; /* of the container; no meaning to us */
	uint64_t seqid;          /* of the header copy that was used */
	/* One of the two header copies is damaged or older: worth a warning in the log. */
	bool copy_damaged;
};

/* ---- backing: where the bytes of the container are ---- */

/**
 * vol_backing_file_new() - a regular file or block device as backing
 * @fd:        taken (closed by vol_backing_free(), also when this fails); opened for reading, and for writing
 *             unless the volume is to be read-only. O_DIRECT is switched on when the file system has it
 * @depth:     operations in flight at most: 1 … 4096
 *
 * Call it before the sandbox closes or after: #syscalls are declared beside the code.
 * Return: 0 and *ret (owned: vol_backing_free()), or -errno.
 */
MUST_USE int vol_backing_file_new(int fd, unsigned depth, struct vol_backing **ret);
/* vol_backing_free(): waits for operations in flight. NULL is fine. */
void vol_backing_free(struct vol_backing *b);

/* ---- header ---- */

/**
 * vol_params_read() - read and check both header copies
 *
 * Blocks (two small reads). The newer sound copy is used.
 * Return: 0; -EBADMSG no sound LUKS2 header, or it contradicts itself or the size of the backing;
 * -ENOTSUP a sound LUKS2 container that is not one of ours (other cipher, no niter token); -errno of the read.
 */
MUST_USE int vol_params_read(struct vol_backing *b, struct vol_params *ret);

/**
 * vol_create() - write a fresh container: header copies, then the payload as one hole
 * @b:      empty backing (size 0) or one that may be overwritten entirely
 * @p:      in: volume_id, key_id, size, wrapped. out: everything else, as vol_params_read() would give it
 * @key:    VOL_KEY_BYTES; only its digest is written
 *
 * Blocks. The header is written last and synced, so a crash leaves either nothing that opens or all of it.
 * Return: 0, -EINVAL for parameters that vol_params_read() would refuse, -ENOSPC, -errno.
 */
MUST_USE int vol_create(struct vol_backing *b, struct vol_params *p, const struct key *key);

/* ---- open volume ---- */

struct vol_opts {
	bool read_only;   /* every change is refused with -EROFS */
	unsigned job_cnt; /* backing operations in flight; 0: 128 */
	size_t job_bytes; /* largest single backing operation, multiple of 4096; 0: 128 KiB. job_cnt * job_bytes
			    * of private buffers are reserved, touched only as far as used */
};

/**
 * vol_open() - check the key against the header's digest and make ready for I/O
 * @b:    taken on success only
 * @p:    copied; from vol_params_read() on the same backing
 * @key:  borrowed for the call
 * @opts: NULL: all zero
 *
 * Everything the I/O path needs is allocated here.
 * Return: 0 and *ret (owned: vol_free()); -EKEYREJECTED wrong key; -EINVAL; -ENOMEM; -errno.
 */
MUST_USE int vol_open(struct vol_backing *b, const struct vol_params *p, const struct key *key,
		      const struct vol_opts *opts, struct vol **ret);
/* vol_free(): waits for what the backing still has in flight (spans are not touched any more); frees backing
 * and key schedule. Requests not yet polled are forgotten. NULL is fine. */
void vol_free(struct vol *v);

uint64_t vol_size(const struct vol *v); /* bytes; multiple of VOL_UNIT_BYTES */
/* vol_failed(): a sync failed; no write, flush or discard will ever be acknowledged again (reads go on). */
bool vol_failed(const struct vol *v);
/* vol_event_fd(): readable when vol_poll() may have something to give. Borrowed. */
int vol_event_fd(const struct vol *v);

enum vol_op {
	VOL_READ,
	/* fua: stable when completed. */
	VOL_WRITE,
	/* Every write completed before this was submitted is stable when it completes. */
	VOL_FLUSH,
	/* Reads as zeroes afterwards: whole units become holes, parts of units are written with zeroes. */
	VOL_DISCARD,
	/* As VOL_DISCARD; fua honoured. */
	VOL_WRITE_ZEROES,
};

/*
 * A request slot, owned by the caller, lent to the volume from vol_submit() until vol_poll() returns it.
 * Fill the first part; leave the second alone (zero it once). The spans may be guest memory that changes
 * under us: they carry payload only. Each byte of a span is read once into, or written once from, private memory.
 */
struct vol_req {
	enum vol_op op;
	bool fua;
	/* Spans: at most VOL_IOV_MAX, 0 for ops without data. The array itself is private memory, borrowed until
	 * completion; only what it points to is the guest's. */
	unsigned iov_cnt;
	const struct iovec *iov;
	/* Bytes, multiples of VOL_LBA_BYTES. len = sum of the spans for read and write, 0 for flush, else > 0. */
	uint64_t off, len;
	void *ctx; /* the caller's */
	/* Out: 0 or -errno: -EINVAL (a bug of the caller), -ERANGE beyond the end, -EROFS, -ENOSPC, -EIO,
	 * -ECANCELED. */
	int res;

	/* private */
	struct {
		struct vol_req *next;
		uint64_t cursor;  /* bytes of len already turned into jobs */
		unsigned iov_idx; /* span, and byte in it, that belong to cursor */
		size_t iov_off;
		unsigned jobs; /* in flight or waiting */
		bool queued, canceled, syncing;
	} priv;
};

/**
 * vol_submit() - hand over a batch
 *
 * Never fails: each request gets exactly one completion, errors included. Reads and writes in flight at the
 * same time that overlap are carried out one after the other, unit by unit, in order of submission.
 * As much as fits is started with one call to the backing; the rest follows from vol_poll().
 */
void vol_submit(struct vol *v, struct vol_req *const *reqs, unsigned cnt);

/**
 * vol_poll() - completed requests; starts follow-up work. Does not block.
 * Return: how many were written to ret, 0 … @max. Call again until it is less than @max.
 */
unsigned vol_poll(struct vol *v, struct vol_req **ret, unsigned max);

/**
 * vol_cancel() - stop a submitted request that vol_poll() has not returned yet
 *
 * When this returns, the spans are not touched any more. The slot still completes through vol_poll(), with
 * -ECANCELED (or its result, if it had ended), once the backing has let go of it.
 * Return: 0 nothing of it reached the backing; -EINPROGRESS a part may have (a write may be on disk, or half).
 */
int vol_cancel(struct vol *v, struct vol_req *req);

/* vol_in_flight(): requests submitted and not yet returned by vol_poll(). */
unsigned vol_in_flight(const struct vol *v);
