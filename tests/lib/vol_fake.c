/* SPDX-License-Identifier: Apache-2.0 */

#include "vol_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

struct vol {
	uint64_t size;
	uint8_t *bytes; /* NULL: nothing is kept */
	bool failed;
	int fail_next;
	unsigned submitted;
	struct vol_req last;
	struct vol_req *waiting[VOL_FAKE_REQS_MAX]; /* oldest first */
	unsigned waiting_cnt;
	struct vol_req *done[VOL_FAKE_REQS_MAX];
	unsigned done_cnt;
};

struct vol *vol_fake_new(uint64_t size, bool data)
{
	struct vol *v = calloc(1, sizeof(*v));

	must(v);
	v->size = size;
	if (data) {
		v->bytes = calloc(1, size);
		must(v->bytes);
	}
	return v;
}

void vol_free(struct vol *v)
{
	if (!v)
		return;
	free(v->bytes);
	free(v);
}

uint8_t *vol_fake_bytes(struct vol *v)
{
	return v->bytes;
}

uint64_t vol_size(const struct vol *v)
{
	return v->size;
}

bool vol_failed(const struct vol *v)
{
	return v->failed;
}

int vol_event_fd(const struct vol *v)
{
	(void)v;
	return -1;
}

unsigned vol_in_flight(const struct vol *v)
{
	return v->waiting_cnt + v->done_cnt;
}

static int find(struct vol_req *const *list, unsigned cnt, const struct vol_req *req)
{
	unsigned i;

	for (i = 0; i < cnt; i++)
		if (list[i] == req)
			return (int)i;
	return -1;
}

static void req_check(const struct vol *v, const struct vol_req *req)
{
	uint64_t sum = 0;
	unsigned i;

	must(find(v->waiting, v->waiting_cnt, req) < 0 && find(v->done, v->done_cnt, req) < 0);
	must(req->off % VOL_LBA_BYTES == 0 && req->len % VOL_LBA_BYTES == 0);
	must(req->op == VOL_FLUSH ? req->len == 0 : req->len > 0);
	must(range_ok(req->off, req->len, v->size)); /* the controller checked */
	must(req->iov_cnt <= VOL_IOV_MAX);
	for (i = 0; i < req->iov_cnt; i++) {
		must(req->iov[i].iov_base && req->iov[i].iov_len);
		sum += req->iov[i].iov_len;
	}
	must(sum == (req->op == VOL_READ || req->op == VOL_WRITE ? req->len : 0));
}

void vol_submit(struct vol *v, struct vol_req *const *reqs, unsigned cnt)
{
	unsigned i;

	for (i = 0; i < cnt; i++) {
		req_check(v, reqs[i]);
		must(v->waiting_cnt + v->done_cnt < VOL_FAKE_REQS_MAX);
		reqs[i]->priv.canceled = false;
		v->waiting[v->waiting_cnt++] = reqs[i];
		v->last = *reqs[i];
		v->submitted++;
	}
}

unsigned vol_poll(struct vol *v, struct vol_req **ret, unsigned max)
{
	unsigned n = v->done_cnt < max ? v->done_cnt : max;

	memcpy(ret, v->done, n * sizeof(ret[0]));
	memmove(v->done, v->done + n, (v->done_cnt - n) * sizeof(v->done[0]));
	v->done_cnt -= n;
	return n;
}

int vol_cancel(struct vol *v, struct vol_req *req)
{
	/* Not one that was returned, or never submitted. */
	must(find(v->waiting, v->waiting_cnt, req) >= 0 || find(v->done, v->done_cnt, req) >= 0);
	req->priv.canceled = true;
	return 0;
}

static void req_move(struct vol *v, struct vol_req *req)
{
	uint64_t at = req->off;
	unsigned i;

	for (i = 0; i < req->iov_cnt; i++) {
		uint8_t *p = req->iov[i].iov_base;
		size_t len = req->iov[i].iov_len;

		if (req->op == VOL_WRITE && v->bytes)
			memcpy(v->bytes + at, p, len);
		else if (req->op == VOL_READ && v->bytes)
			memcpy(p, v->bytes + at, len);
		else if (req->op == VOL_READ)
			memset(p, 0, len);
		at += len;
	}
}

static void req_finish(struct vol *v, struct vol_req *req)
{
	bool changes = req->op != VOL_READ;

	req->res = v->fail_next;
	v->fail_next = 0;
	if (req->priv.canceled)
		req->res = -ECANCELED;
	else if (!req->res && v->failed && changes)
		req->res = -EIO;
	if (!req->res && (req->op == VOL_DISCARD || req->op == VOL_WRITE_ZEROES) && v->bytes)
		memset(v->bytes + req->off, 0, req->len);
	if (!req->res)
		req_move(v, req);
	v->done[v->done_cnt++] = req;
}

unsigned vol_fake_finish(struct vol *v, unsigned cnt, bool newest_first)
{
	unsigned n;

	for (n = 0; n < cnt && v->waiting_cnt; n++) {
		unsigned i = newest_first ? v->waiting_cnt - 1 : 0;
		struct vol_req *req = v->waiting[i];

		memmove(v->waiting + i, v->waiting + i + 1,
			(v->waiting_cnt - i - 1) * sizeof(v->waiting[0]));
		v->waiting_cnt--;
		req_finish(v, req);
	}
	return n;
}

void vol_fake_fail_next(struct vol *v, int err)
{
	v->fail_next = err;
}

void vol_fake_fail_sync(struct vol *v)
{
	v->failed = true;
}

unsigned vol_fake_submitted(const struct vol *v)
{
	return v->submitted;
}

const struct vol_req *vol_fake_last(const struct vol *v)
{
	return &v->last;
}
