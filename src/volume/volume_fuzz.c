/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An open volume against a model that is a flat array: each 6 bytes of the input are a request (op and fua, offset, length,
 * how many to submit at once), on a backing that completes in random order, does some operations by halves, and fails
 * one if the first byte says so. Every request completes exactly once, reads return what the model holds, and nothing
 * is touched beyond what was asked for.
 */

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "volume/backing_record.h"
#include "volume/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
	SECTORS = 128,
	BYTES = SECTORS * 512,
	BATCH = 8,
	REQ_BYTES = 6,
	REQS_MAX = 64,
	GUARD = 64,
	GUARD_BYTE = 0x5a
};

struct one {
	struct vol_req req;
	struct iovec iov[2];
	uint8_t buf[GUARD + BYTES + GUARD];
	uint8_t want[BYTES]; /* of a read */
	bool done;
};

static struct vol_backing *blank; /* a fresh container, to copy from */
static struct key *key;
static struct one one[BATCH];
static uint8_t model[BYTES];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct vol_params p = {
		.volume_id = "vol-1", .key_id = "vol-1.1", .size = BYTES, .wrapped_len = 1
	};
	uint8_t b[64];

	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i * 5 + 1);
	must(key_new_from(b, sizeof(b), &key) == 0);
	must(record_new(0, 0, &blank) == 0);
	must(vol_create(blank, &p, key) == 0);
	record_start(blank);
	return 0;
}

static void one_make(struct one *o, const uint8_t *b, uint8_t seq)
{
	static const enum vol_op ops[8] = { VOL_READ, VOL_WRITE, VOL_WRITE,   VOL_WRITE,
					    VOL_READ, VOL_FLUSH, VOL_DISCARD, VOL_WRITE_ZEROES };
	unsigned first = b[1] % SECTORS, cnt = b[2] % 40 + 1;
	size_t split;

	memset(&o->req, 0, sizeof(o->req));
	o->req.op = ops[b[0] & 7];
	o->req.fua = b[0] & 8;
	o->req.ctx = o;
	o->done = false;
	memset(o->buf, GUARD_BYTE, sizeof(o->buf));
	if (o->req.op == VOL_FLUSH)
		return;
	if (cnt > SECTORS - first)
		cnt = SECTORS - first;
	o->req.off = (uint64_t)first * 512;
	o->req.len = (uint64_t)cnt * 512;
	if (o->req.op != VOL_READ && o->req.op != VOL_WRITE)
		return;
	memset(o->buf + GUARD, seq, o->req.len);
	memcpy(o->buf + GUARD, b, REQ_BYTES);
	split = (size_t)b[3] * 8 % (o->req.len + 1);
	o->iov[0] = (struct iovec){ o->buf + GUARD, split };
	o->iov[1] = (struct iovec){ o->buf + GUARD + split, o->req.len - split };
	o->req.iov = o->iov;
	o->req.iov_cnt = 2;
}

static void model_apply(struct one *o)
{
	if (o->req.op == VOL_READ)
		memcpy(o->want, model + o->req.off, o->req.len);
	else if (o->req.op == VOL_WRITE)
		memcpy(model + o->req.off, o->buf + GUARD, o->req.len);
	else if (o->req.op != VOL_FLUSH)
		memset(model + o->req.off, 0, o->req.len);
}

static void one_check(const struct one *o, bool faulty)
{
	must(o->done);
	for (unsigned i = 0; i < GUARD; i++)
		must(o->buf[i] == GUARD_BYTE && o->buf[GUARD + o->req.len + i] == GUARD_BYTE);
	if (faulty)
		return;
	must(o->req.res == 0);
	if (o->req.op == VOL_READ)
		must(memcmp(o->buf + GUARD, o->want, o->req.len) == 0);
}

static void batch_run(struct vol *v, unsigned cnt, bool faulty)
{
	struct vol_req *p[BATCH], *done[BATCH];

	for (unsigned i = 0; i < cnt; i++)
		p[i] = &one[i].req;
	vol_submit(v, p, cnt);
	for (unsigned n = 0; n < cnt;) {
		unsigned got = vol_poll(v, done, BATCH);

		for (unsigned i = 0; i < got; i++) {
			struct one *o = done[i]->ctx;

			must(!o->done);
			o->done = true;
		}
		n += got;
		must(n <= cnt);
	}
	must(vol_in_flight(v) == 0);
	for (unsigned i = 0; i < cnt; i++)
		one_check(&one[i], faulty);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_fault f = { .at = UINT_MAX, .err = -EIO };
	struct vol_backing *b;
	struct vol_params p;
	struct vol_opts opts = { 0 };
	struct vol *v;
	unsigned n = 0;

	if (size < 4)
		return 0;
	memset(model, 0, sizeof(model));
	must(record_crash(blank, 0, 0, UINT_MAX, 0, &b) == 0);
	must(vol_params_read(b, &p) == 0);
	opts.job_cnt = data[1] % 16 + 1;
	opts.job_bytes = (size_t)(data[2] % 4 + 1) * 4096;
	must(vol_open(b, &p, key, &opts, &v) == 0);
	record_start(b);
	record_seed(b, data[3]);
	if (data[0] & 1)
		f.at = data[0] >> 2;
	f.short_one = data[0] & 2 ? 3 : 0;
	f.no_punch = data[2] & 128;
	record_fault_set(b, &f);

	for (size_t at = 4; at + REQ_BYTES <= size && at < 4 + REQS_MAX * REQ_BYTES;
	     at += REQ_BYTES) {
		one_make(&one[n], data + at, (uint8_t)at);
		model_apply(&one[n]);
		n++;
		if (n == BATCH || data[at + 4] & 1 || at + 2 * REQ_BYTES > size) {
			batch_run(v, n, data[0] & 1);
			n = 0;
		}
	}
	vol_free(v);
	return 0;
}
