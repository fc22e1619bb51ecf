/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of an open volume share: a key, a small container, requests one at a time. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/key.h"
#include "volume/volume.h"

static inline struct key *test_key(uint8_t first)
{
	uint8_t b[64];
	struct key *k;

	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(first + i * 3);
	assert_int_equal(key_new_from(b, sizeof(b), &k), 0);
	return k;
}

static inline struct vol_params test_params(uint64_t size)
{
	struct vol_params p = {
		.volume_id = "vol-0123456789abcdef0",
		.key_id = "vol-0123456789abcdef0.1",
		.size = size,
		.wrapped_len = 48,
	};

	memset(p.wrapped, 0xa5, p.wrapped_len);
	return p;
}

/* One request from start to end. */
static inline int test_run(struct vol *v, enum vol_op op, uint64_t off, void *buf, uint64_t len,
			   bool fua)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct vol_req req = { .op = op, .fua = fua, .off = off, .len = len }, *r = &req,
		       *done = NULL;

	if (op == VOL_READ || op == VOL_WRITE) {
		req.iov = &iov;
		req.iov_cnt = 1;
	}
	vol_submit(v, &r, 1);
	while (!vol_poll(v, &done, 1))
		;
	assert_ptr_equal(done, r);
	return req.res;
}
