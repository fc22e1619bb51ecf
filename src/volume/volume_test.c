/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/volume_test.h"

#include <limits.h>

#include "base/bytes.h"
#include "volume/backing_record.h"
#include "volume/luks2.h"
#include "xts_ref.h"

enum { SIZE = 64 * 4096 };

static const uint8_t zeroes[SIZE];

static struct vol *open_on(struct vol_backing *b, const struct vol_opts *opts)
{
	struct vol_params p;
	struct key *k = test_key(1);
	struct vol *v;

	assert_int_equal(vol_params_read(b, &p), 0);
	assert_int_equal(vol_open(b, &p, k, opts, &v), 0);
	key_free(k);
	return v;
}

static struct vol_backing *container(uint64_t seed)
{
	struct vol_params p = test_params(SIZE);
	struct key *k = test_key(1);
	struct vol_backing *b;

	assert_int_equal(record_new(0, seed, &b), 0);
	assert_int_equal(vol_create(b, &p, k), 0);
	record_start(b);
	key_free(k);
	return b;
}

static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
}

/* ---- container ---- */

static void vol_create__is_read_back(void **state)
{
	struct vol_params want = test_params(SIZE), got;
	struct key *k = test_key(1);
	struct vol_backing *b;
	uint64_t size;

	(void)state;
	assert_int_equal(record_new(0, 0, &b), 0);
	assert_int_equal(vol_create(b, &want, k), 0);
	assert_int_equal(vol_params_read(b, &got), 0);
	assert_memory_equal(&got, &want, sizeof(got));
	assert_int_equal(b->ops->size(b, &size), 0);
	assert_int_equal(size, VOL_PAYLOAD_OFF + SIZE);
	vol_backing_free(b);
	key_free(k);
}

static void vol_create__hides_what_was_there(void **state)
{
	struct vol_params p = test_params(SIZE);
	struct key *k = test_key(1);
	struct vol_backing *b;

	(void)state;
	assert_int_equal(record_new(VOL_PAYLOAD_OFF + SIZE, 0, &b), 0);
	memset(record_image(b), 0x77, VOL_PAYLOAD_OFF + SIZE);
	assert_int_equal(vol_create(b, &p, k), 0);
	assert_memory_equal(record_image(b) + VOL_PAYLOAD_OFF, zeroes, SIZE);
	vol_backing_free(b);
	key_free(k);
}

static void vol_create__rejects_bad_parameters(void **state)
{
	struct vol_params p = test_params(SIZE + 512);
	struct key *k = test_key(1), *half;
	struct vol_backing *b;
	uint64_t size;

	(void)state;
	assert_int_equal(record_new(0, 0, &b), 0);
	assert_int_equal(vol_create(b, &p, k), -EINVAL);
	p = test_params(SIZE);
	p.wrapped_len = VOL_WRAPPED_MAX + 1;
	assert_int_equal(vol_create(b, &p, k), -EINVAL);
	p = test_params(VOL_SIZE_MAX + 4096);
	assert_int_equal(vol_create(b, &p, k), -EINVAL);
	p = test_params(SIZE);
	assert_int_equal(key_new_from(key_bytes(k), 32, &half), 0);
	assert_int_equal(vol_create(b, &p, half), -EINVAL);
	assert_int_equal(b->ops->size(b, &size), 0);
	assert_int_equal(size, 0);
	vol_backing_free(b);
	key_free(k);
	key_free(half);
}

static void vol_params_read__uses_the_other_copy_when_one_is_damaged(void **state)
{
	struct vol_backing *b = container(0);
	uint8_t *image = record_image(b);
	struct vol_params p;

	(void)state;
	assert_int_equal(vol_params_read(b, &p), 0);
	assert_false(p.copy_damaged);
	for (unsigned copy = 0; copy < 2; copy++) {
		uint8_t *at = image + copy * LUKS2_COPY_BYTES + 5000;

		*at ^= 1;
		memset(&p, 0, sizeof(p));
		assert_int_equal(vol_params_read(b, &p), 0);
		assert_true(p.copy_damaged);
		assert_string_equal(p.volume_id, "vol-0123456789abcdef0");
		*at ^= 1;
	}
	image[5000] ^= 1;
	image[LUKS2_COPY_BYTES + 4097] ^= 1;
	assert_int_equal(vol_params_read(b, &p), -EBADMSG);
	vol_backing_free(b);
}

static void vol_params_read__takes_the_newer_of_two_sound_copies(void **state)
{
	struct vol_backing *b = container(0);
	uint8_t *image = record_image(b), salt[64] = { 0 };
	struct vol_params p, newer;

	(void)state;
	assert_int_equal(vol_params_read(b, &p), 0);
	newer = p;
	newer.seqid = 2;
	newer.size = SIZE / 2;
	assert_int_equal(luks2_build(&newer, LUKS2_SECONDARY, salt, image + LUKS2_COPY_BYTES), 0);
	assert_int_equal(vol_params_read(b, &p), 0);
	assert_int_equal(p.size, SIZE / 2);
	assert_true(p.copy_damaged);

	/* Its twin: the same number on two different headers. */
	newer.seqid = 1;
	assert_int_equal(luks2_build(&newer, LUKS2_SECONDARY, salt, image + LUKS2_COPY_BYTES), 0);
	assert_int_equal(vol_params_read(b, &p), -EBADMSG);
	vol_backing_free(b);
}

static void vol_params_read__rejects_a_truncated_container(void **state)
{
	struct vol_backing *b = container(0);
	struct vol_params p;

	(void)state;
	assert_int_equal(b->ops->resize(b, VOL_PAYLOAD_OFF + SIZE - 512), 0);
	assert_int_equal(vol_params_read(b, &p), -EBADMSG);
	assert_int_equal(b->ops->resize(b, 20000), 0);
	assert_int_equal(vol_params_read(b, &p), -EBADMSG);
	assert_int_equal(b->ops->resize(b, 0), 0);
	assert_int_equal(vol_params_read(b, &p), -EBADMSG);
	vol_backing_free(b);
}

static void vol_open__rejects_the_wrong_key(void **state)
{
	struct vol_backing *b = container(0);
	struct key *wrong = test_key(2), *half;
	struct vol_params p;
	struct vol *v = NULL;

	(void)state;
	assert_int_equal(vol_params_read(b, &p), 0);
	assert_int_equal(vol_open(b, &p, wrong, NULL, &v), -EKEYREJECTED);
	assert_int_equal(key_new_from(key_bytes(wrong), 32, &half), 0);
	assert_int_equal(vol_open(b, &p, half, NULL, &v), -EINVAL);
	assert_null(v);
	key_free(wrong);
	key_free(half);
	vol_free(open_on(b, NULL));
}

static void vol_open__rejects_bad_options(void **state)
{
	const struct vol_opts bad[] = { { .job_cnt = 1025 },
					{ .job_bytes = 4097 },
					{ .job_bytes = 2 << 20 } };
	struct vol_backing *b = container(0);
	struct key *k = test_key(1);
	struct vol_params p;
	struct vol *v;

	(void)state;
	assert_int_equal(vol_params_read(b, &p), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vol_open(b, &p, k, &bad[i], &v), -EINVAL);
	p.size = SIZE + 4096; /* beyond the backing */
	assert_int_equal(vol_open(b, &p, k, NULL, &v), -EINVAL);
	key_free(k);
	vol_backing_free(b);
}

/* ---- data ---- */

static void vol_write__puts_xts_with_tweak_8n_on_the_backing(void **state)
{
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, NULL);
	struct key *k = test_key(1);
	static uint8_t in[8192], want[4096];

	(void)state;
	fill(in, sizeof(in), 7);
	assert_int_equal(test_run(v, VOL_WRITE, 5 * 4096, in, sizeof(in), false), 0);
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *disk = record_image(b) + VOL_PAYLOAD_OFF;

		xts_ref_encrypt(key_bytes(k), (5 + i) * 8, in + i * 4096, want, 4096);
		assert_memory_equal(disk + (5 + i) * 4096, want, 4096);
	}
	key_free(k);
	vol_free(v);
}

static void vol_read__holes_are_zero_by_the_sector(void **state)
{
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, NULL);
	uint8_t *disk = record_image(b) + VOL_PAYLOAD_OFF;
	static uint8_t in[4096], out[4096];

	(void)state;
	memset(out, 1, sizeof(out));
	assert_int_equal(test_run(v, VOL_READ, 0, out, sizeof(out), false), 0);
	assert_memory_equal(out, zeroes, sizeof(out));

	/* The power failed while the first write into a hole had reached three sectors. */
	fill(in, sizeof(in), 3);
	assert_int_equal(test_run(v, VOL_WRITE, 4096, in, sizeof(in), false), 0);
	memset(disk + 4096 + 3 * 512, 0, 5 * 512);
	assert_int_equal(test_run(v, VOL_READ, 4096, out, sizeof(out), false), 0);
	assert_memory_equal(out, in, 3 * 512);
	assert_memory_equal(out + 3 * 512, zeroes, 5 * 512);
	vol_free(v);
}

static void vol_write__of_zeroes_is_no_hole(void **state)
{
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, NULL);
	static uint8_t out[4096], in[4096] = { 0 };

	(void)state;
	assert_int_equal(test_run(v, VOL_WRITE, 0, in, sizeof(in), false), 0);
	assert_memory_not_equal(record_image(b) + VOL_PAYLOAD_OFF, zeroes, 4096);
	assert_int_equal(test_run(v, VOL_READ, 0, out, sizeof(out), false), 0);
	assert_memory_equal(out, zeroes, 4096);
	vol_free(v);
}

static void vol_discard__makes_holes_and_zeroes(void **state)
{
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, NULL);
	uint8_t *disk = record_image(b) + VOL_PAYLOAD_OFF;
	static uint8_t in[5 * 4096], out[5 * 4096];

	(void)state;
	fill(in, sizeof(in), 9);
	assert_int_equal(test_run(v, VOL_WRITE, 0, in, sizeof(in), false), 0);
	/* From the middle of unit 0 to the middle of unit 4. */
	assert_int_equal(test_run(v, VOL_DISCARD, 1024, NULL, 4 * 4096, false), 0);
	assert_memory_equal(disk + 4096, zeroes, 3 * 4096);
	assert_memory_not_equal(disk + 1024, zeroes, 512);
	assert_int_equal(test_run(v, VOL_READ, 0, out, sizeof(out), false), 0);
	assert_memory_equal(out, in, 1024);
	assert_memory_equal(out + 1024, zeroes, 4 * 4096);
	assert_memory_equal(out + 1024 + 4 * 4096, in + 1024 + 4 * 4096, 4096 - 1024);
	vol_free(v);
}

static void vol_discard__writes_zeroes_where_holes_are_unknown(void **state)
{
	const struct record_fault f = { .at = UINT_MAX, .no_punch = true };
	const struct vol_opts small = { .job_bytes = 8192 };
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, &small);
	uint8_t *disk = record_image(b) + VOL_PAYLOAD_OFF;
	static uint8_t in[8 * 4096];

	(void)state;
	record_fault_set(b, &f);
	fill(in, sizeof(in), 9);
	for (unsigned again = 0; again < 2; again++) {
		assert_int_equal(test_run(v, VOL_WRITE, 0, in, sizeof(in), false), 0);
		assert_int_equal(test_run(v, VOL_WRITE_ZEROES, 4096, NULL, 5 * 4096, true), 0);
		assert_memory_equal(disk + 4096, zeroes, 5 * 4096);
		assert_memory_not_equal(disk, zeroes, 4096);
		assert_memory_not_equal(disk + 6 * 4096, zeroes, 4096);
	}
	vol_free(v);
}

static void vol_write__small_spans_of_any_shape(void **state)
{
	struct vol *v = open_on(container(0), NULL);
	static uint8_t in[3 * 4096], out[3 * 4096];
	struct iovec iov[3 * 4096 / 60 + 2];
	struct vol_req req = { .op = VOL_WRITE, .iov = iov, .off = 512, .len = sizeof(in) };
	struct vol_req *r = &req, *done;
	size_t at = 0;

	(void)state;
	fill(in, sizeof(in), 11);
	for (req.iov_cnt = 0; at < sizeof(in); req.iov_cnt++) {
		size_t n = req.iov_cnt == 3 ? 0 : 60;

		if (n > sizeof(in) - at)
			n = sizeof(in) - at;
		iov[req.iov_cnt] = (struct iovec){ in + at, n };
		at += n;
	}
	vol_submit(v, &r, 1);
	while (!vol_poll(v, &done, 1))
		;
	assert_int_equal(req.res, 0);
	assert_int_equal(test_run(v, VOL_READ, 512, out, sizeof(out), false), 0);
	assert_memory_equal(out, in, sizeof(in));
	vol_free(v);
}

static void vol_submit__rejects_bad_requests(void **state)
{
	const struct vol_opts ro = { .read_only = true };
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, NULL);
	static uint8_t buf[4096];
	struct iovec iov = { buf, sizeof(buf) };
	struct vol_req req, *r = &req, *done;

	(void)state;
	assert_int_equal(test_run(v, VOL_READ, SIZE - 4096, buf, 4096, false), 0);
	assert_int_equal(test_run(v, VOL_READ, SIZE - 3584, buf, 4096, false), -ERANGE);
	assert_int_equal(test_run(v, VOL_READ, UINT64_MAX - 511, buf, 4096, false), -ERANGE);
	assert_int_equal(test_run(v, VOL_DISCARD, 0, NULL, SIZE + 512, false), -ERANGE);
	assert_int_equal(test_run(v, VOL_READ, 1, buf, 512, false), -EINVAL);
	assert_int_equal(test_run(v, VOL_READ, 0, buf, 511, false), -EINVAL);
	assert_int_equal(test_run(v, VOL_READ, 0, buf, 0, false), -EINVAL);
	assert_int_equal(test_run(v, VOL_FLUSH, 0, NULL, 512, false), -EINVAL);
	assert_int_equal(test_run(v, (enum vol_op)99, 0, NULL, 512, false), -EINVAL);
	assert_int_equal(test_run(v, VOL_FLUSH, 0, NULL, 0, false), 0);

	/* Spans that do not add up. */
	req = (struct vol_req){ .op = VOL_WRITE, .iov = &iov, .iov_cnt = 1, .len = 8192 };
	vol_submit(v, &r, 1);
	assert_int_equal(vol_poll(v, &done, 1), 1);
	assert_int_equal(req.res, -EINVAL);
	vol_free(v);

	v = open_on(container(0), &ro);
	assert_int_equal(test_run(v, VOL_READ, 0, buf, 4096, false), 0);
	assert_int_equal(test_run(v, VOL_WRITE, 0, buf, 4096, false), -EROFS);
	assert_int_equal(test_run(v, VOL_DISCARD, 0, NULL, 4096, false), -EROFS);
	vol_free(v);
}

/* ---- errors ---- */

static void vol_flush__after_a_failed_sync_nothing_is_acknowledged(void **state)
{
	const struct record_fault f = { .at = 0, .only_sync = true, .err = -EIO },
				  none = { .at = UINT_MAX };
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, NULL);
	static uint8_t buf[4096] = { 1 };

	(void)state;
	assert_int_equal(test_run(v, VOL_WRITE, 0, buf, sizeof(buf), false), 0);
	record_fault_set(b, &f);
	assert_int_equal(test_run(v, VOL_FLUSH, 0, NULL, 0, false), -EIO);
	assert_true(vol_failed(v));
	/* The disk is well again, and says so: that is the lie this is about. */
	record_fault_set(b, &none);
	assert_int_equal(test_run(v, VOL_FLUSH, 0, NULL, 0, false), -EIO);
	assert_int_equal(test_run(v, VOL_WRITE, 0, buf, sizeof(buf), false), -EIO);
	assert_int_equal(test_run(v, VOL_WRITE, 0, buf, 512, true), -EIO);
	assert_int_equal(test_run(v, VOL_DISCARD, 0, NULL, 4096, false), -EIO);
	assert_int_equal(test_run(v, VOL_READ, 0, buf, sizeof(buf), false), 0);
	assert_int_equal(buf[0], 1);
	vol_free(v);
}

static void vol_write__a_failed_stable_write_fails_the_volume(void **state)
{
	struct record_fault f = { .at = 0, .err = -ENOSPC }, none = { .at = UINT_MAX };
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, NULL);
	static uint8_t buf[4096] = { 1 };

	(void)state;
	/* A full disk is not a lost sync. */
	f.at = record_ops(b);
	record_fault_set(b, &f);
	assert_int_equal(test_run(v, VOL_WRITE, 0, buf, sizeof(buf), true), -ENOSPC);
	assert_false(vol_failed(v));
	f = (struct record_fault){ .at = record_ops(b), .err = -EIO };
	record_fault_set(b, &f);
	assert_int_equal(test_run(v, VOL_WRITE, 0, buf, sizeof(buf), false), -EIO);
	assert_false(vol_failed(v));
	f.at = record_ops(b);
	record_fault_set(b, &f);
	assert_int_equal(test_run(v, VOL_WRITE, 0, buf, sizeof(buf), true), -EIO);
	assert_true(vol_failed(v));
	record_fault_set(b, &none);
	assert_int_equal(test_run(v, VOL_FLUSH, 0, NULL, 0, false), -EIO);
	vol_free(v);
}

/* Every operation of a scenario fails once, and from there on; nothing is reported that is not so. */
static void vol__every_backing_operation_may_fail(void **state)
{
	static uint8_t in[3 * 4096], out[3 * 4096];

	(void)state;
	fill(in, sizeof(in), 5);
	for (unsigned k = 0; k < 30; k++) {
		for (unsigned sticky = 0; sticky < 2; sticky++) {
			const struct record_fault f = { .at = k, .sticky = sticky, .err = -EIO };
			const struct record_fault none = { .at = UINT_MAX };
			const struct vol_opts small = { .job_bytes = 4096 };
			struct vol_backing *b = container(0);
			struct vol *v = open_on(b, &small);
			bool wrote, flushed, zeroed;

			record_start(b);
			record_fault_set(b, &f);
			wrote = test_run(v, VOL_WRITE, 512, in, sizeof(in), false) == 0;
			flushed = test_run(v, VOL_FLUSH, 0, NULL, 0, false) == 0;
			zeroed = test_run(v, VOL_WRITE_ZEROES, 512, NULL, 1024, true) == 0;
			if (flushed)
				assert_false(vol_failed(v) && zeroed);
			record_fault_set(b, &none);
			assert_int_equal(test_run(v, VOL_READ, 512, out, sizeof(out), false), 0);
			if (wrote)
				assert_memory_equal(out + 1024, in + 1024, sizeof(in) - 1024);
			if (wrote && zeroed)
				assert_memory_equal(out, zeroes, 1024);
			if (vol_failed(v))
				assert_int_equal(test_run(v, VOL_WRITE, 0, in, 512, false), -EIO);
			assert_int_equal(vol_in_flight(v), 0);
			vol_free(v);
		}
	}
}

static void vol__short_results_are_continued(void **state)
{
	const struct record_fault f = { .at = UINT_MAX, .short_one = 2 };
	struct vol_backing *b = container(0);
	struct vol *v = open_on(b, NULL);
	static uint8_t in[16 * 4096], out[16 * 4096];

	(void)state;
	record_fault_set(b, &f);
	fill(in, sizeof(in), 21);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(test_run(v, VOL_WRITE, 4096, in, sizeof(in), false), 0);
		assert_int_equal(test_run(v, VOL_READ, 4096, out, sizeof(out), false), 0);
		assert_memory_equal(in, out, sizeof(in));
		assert_int_equal(test_run(v, VOL_DISCARD, 4096, NULL, sizeof(in), false), 0);
		assert_int_equal(test_run(v, VOL_READ, 4096, out, sizeof(out), false), 0);
		assert_memory_equal(out, zeroes, sizeof(in));
	}
	vol_free(v);
}

/* ---- order and cancel ---- */

static void vol_cancel__takes_back_the_spans(void **state)
{
	struct vol_backing *b = container(99);
	const struct vol_opts few = { .job_cnt = 1 };
	struct vol *v = open_on(b, &few);
	static uint8_t a[4096], c[4096], guard[4096];
	struct iovec ia = { a, sizeof(a) }, ic = { c, sizeof(c) };
	struct vol_req ra = { .op = VOL_READ, .iov = &ia, .iov_cnt = 1, .len = 4096 };
	struct vol_req rc = { .op = VOL_WRITE, .iov = &ic, .iov_cnt = 1, .len = 4096 };
	struct vol_req *both[2] = { &ra, &rc }, *done;
	unsigned n = 0;

	(void)state;
	memset(a, 0xee, sizeof(a));
	memset(guard, 0xee, sizeof(guard));
	memset(c, 1, sizeof(c));
	vol_submit(v, both, 2);
	assert_int_equal(vol_cancel(v, &ra), -EINPROGRESS);
	assert_int_equal(vol_cancel(v, &rc), 0); /* only one job: still in the queue */
	while (n < 2)
		n += vol_poll(v, &done, 1);
	assert_int_equal(ra.res, -ECANCELED);
	assert_int_equal(rc.res, -ECANCELED);
	assert_memory_equal(a, guard, sizeof(a));
	assert_memory_equal(record_image(b) + VOL_PAYLOAD_OFF, zeroes, 4096);
	assert_int_equal(vol_in_flight(v), 0);
	vol_free(v);
}

static void vol_cancel__of_a_flush_that_waits(void **state)
{
	struct vol *v = open_on(container(5), NULL);
	struct vol_req f1 = { .op = VOL_FLUSH }, f2 = { .op = VOL_FLUSH }, *p1 = &f1, *p2 = &f2,
		       *done;
	unsigned n = 0;

	(void)state;
	vol_submit(v, &p1, 1);
	vol_submit(v, &p2, 1);
	assert_int_equal(vol_cancel(v, &f2), 0);
	while (n < 2)
		n += vol_poll(v, &done, 1);
	assert_int_equal(f1.res, 0);
	assert_int_equal(f2.res, -ECANCELED);
	vol_free(v);
}

/*
 * Many overlapping requests in flight, completed in random order: what remains is what one after the other would
 * leave, because overlapping ones keep their order.
 */
static void vol__overlapping_requests_keep_their_order(void **state)
{
	enum { N = 24, ROUNDS = 60 };
	static uint8_t data[N][8 * 4096], model[SIZE], out[SIZE];
	struct vol_req req[N], *p[N], *done[N];
	struct iovec iov[N];
	unsigned rnd = 1;

	(void)state;
	for (unsigned seed = 1; seed <= 4; seed++) {
		struct vol_backing *b = container(seed);
		const struct vol_opts opts = { .job_cnt = seed * 3, .job_bytes = 8192 };
		struct vol *v = open_on(b, &opts);

		memset(model, 0, sizeof(model));
		for (unsigned round = 0; round < ROUNDS; round++) {
			for (unsigned i = 0; i < N; i++) {
				uint64_t off, len;

				rnd = rnd * 1664525 + 1013904223;
				off = (rnd >> 8) % (8 * 12) * 512;
				len = ((rnd >> 20) % 24 + 1) * 512;
				fill(data[i], len, rnd);
				iov[i] = (struct iovec){ data[i], len };
				req[i] =
					(struct vol_req){ .op = VOL_WRITE, .off = off, .len = len };
				if (rnd >> 29 == 0)
					req[i].op = VOL_DISCARD;
				if (rnd >> 29 == 1)
					req[i].fua = true;
				if (req[i].op == VOL_WRITE) {
					req[i].iov = &iov[i];
					req[i].iov_cnt = 1;
					memcpy(model + off, data[i], len);
				} else {
					memset(model + off, 0, len);
				}
				p[i] = &req[i];
			}
			vol_submit(v, p, N / 2);
			vol_submit(v, p + N / 2, N - N / 2);
			for (unsigned n = 0; n < N;)
				n += vol_poll(v, done, N);
			for (unsigned i = 0; i < N; i++)
				assert_int_equal(req[i].res, 0);
			record_start(b);
		}
		assert_int_equal(test_run(v, VOL_READ, 0, out, SIZE, false), 0);
		assert_memory_equal(out, model, SIZE);
		vol_free(v);
	}
}

static void vol_read__sees_no_half_of_an_overlapping_write(void **state)
{
	struct vol *v = open_on(container(3), NULL);
	static uint8_t in[4096], out[4096];
	struct iovec iw = { in, sizeof(in) }, ir = { out, sizeof(out) };
	struct vol_req w = { .op = VOL_WRITE, .iov = &iw, .iov_cnt = 1, .len = 4096 };
	struct vol_req r = { .op = VOL_READ, .iov = &ir, .iov_cnt = 1, .len = 4096 };
	struct vol_req *both[2] = { &w, &r }, *done[2];

	(void)state;
	for (unsigned i = 1; i < 20; i++) {
		memset(in, (int)i, sizeof(in));
		vol_submit(v, both, 2);
		for (unsigned n = 0; n < 2;)
			n += vol_poll(v, done, 2);
		assert_memory_equal(in, out, sizeof(in));
	}
	vol_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vol_create__is_read_back),
		cmocka_unit_test(vol_create__hides_what_was_there),
		cmocka_unit_test(vol_create__rejects_bad_parameters),
		cmocka_unit_test(vol_params_read__uses_the_other_copy_when_one_is_damaged),
		cmocka_unit_test(vol_params_read__takes_the_newer_of_two_sound_copies),
		cmocka_unit_test(vol_params_read__rejects_a_truncated_container),
		cmocka_unit_test(vol_open__rejects_the_wrong_key),
		cmocka_unit_test(vol_open__rejects_bad_options),
		cmocka_unit_test(vol_write__puts_xts_with_tweak_8n_on_the_backing),
		cmocka_unit_test(vol_read__holes_are_zero_by_the_sector),
		cmocka_unit_test(vol_write__of_zeroes_is_no_hole),
		cmocka_unit_test(vol_discard__makes_holes_and_zeroes),
		cmocka_unit_test(vol_discard__writes_zeroes_where_holes_are_unknown),
		cmocka_unit_test(vol_write__small_spans_of_any_shape),
		cmocka_unit_test(vol_submit__rejects_bad_requests),
		cmocka_unit_test(vol_flush__after_a_failed_sync_nothing_is_acknowledged),
		cmocka_unit_test(vol_write__a_failed_stable_write_fails_the_volume),
		cmocka_unit_test(vol__every_backing_operation_may_fail),
		cmocka_unit_test(vol__short_results_are_continued),
		cmocka_unit_test(vol_cancel__takes_back_the_spans),
		cmocka_unit_test(vol_cancel__of_a_flush_that_waits),
		cmocka_unit_test(vol__overlapping_requests_keep_their_order),
		cmocka_unit_test(vol_read__sees_no_half_of_an_overlapping_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
