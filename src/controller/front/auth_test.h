/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A daemon that has a store, one account with one access key, a clock, and a security process that answers when the test
 * says so. One includer per test program: it defines front_retry() and security_link_ask().
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/front/auth.h"
#include "controller/front/front.h"
#include "controller/niterd.h"
#include "crypto/crypto.h"
#include "crypto/sigv4.h"

#define RIG_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define RIG_ID "AKIAEXAMPLE234567ABC"
#define RIG_STRANGER "AKIASTRANGER34567ABC"
#define RIG_ACCOUNT "210987654321"
#define RIG_TIME "20261122T094516Z"
#define RIG_TIME_S 1795340716U

enum { RIG_ASKED_MAX = 512 };

static struct daemon rig;
static uint64_t rig_now_s;
static bool rig_no_security;

static struct {
	struct ctl_api_key_derive m;
	security_link_fn *fn;
	void *ptr;
} rig_asked[RIG_ASKED_MAX];
static size_t rig_asked_cnt, rig_asked_total;

/* A request, and what became of it. */
struct rig_req {
	struct exchange x;
	struct http_request q;
	struct fault f;
	int r;
	bool retried;
	char auth[SIGV4_AUTHORIZATION_MAX];
};

int security_link_ask(UNUSED struct security_link *l, enum ctl_type type, const void *body,
		      security_link_fn *fn, void *ptr)
{
	if (rig_no_security)
		return -ENOTCONN;
	if (rig_asked_cnt == RIG_ASKED_MAX)
		return -EBUSY;
	assert_int_equal(type, CTL_API_KEY_DERIVE);
	memcpy(&rig_asked[rig_asked_cnt].m, body, sizeof(rig_asked[0].m));
	rig_asked[rig_asked_cnt].fn = fn;
	rig_asked[rig_asked_cnt++].ptr = ptr;
	rig_asked_total++;
	return 0;
}

void front_retry(struct exchange *x)
{
	struct rig_req *q = (struct rig_req *)((char *)x - offsetof(struct rig_req, x));

	q->retried = true;
	if (x->req)
		q->r = auth_check(x, &q->f);
}

/* The security process: the secret is good for its owner only. */
static void rig_derive(const struct ctl_api_key_derive *q, struct ctl_api_key_derived *ret)
{
	CLEANUP(key_freep) struct key *secret = NULL, *k = NULL;

	ret->err = -EACCES;
	if (strcmp(q->access_key_id, RIG_ID) != 0 || strcmp(q->account_id, RIG_ACCOUNT) != 0 ||
	    q->sealed.len != 3 || memcmp(q->sealed.b, "box", 3) != 0)
		return;
	assert_int_equal(key_new_from(RIG_SECRET, strlen(RIG_SECRET), &secret), 0);
	assert_int_equal(sigv4_derive(secret, q->date, q->region, q->service, &k), 0);
	memcpy(ret->key, key_bytes(k), sizeof(ret->key));
	ret->err = 0;
}

/* rig_answer(): all questions put so far are answered; @err: by the link instead. */
static void rig_answer(int err)
{
	static struct ctl_msg m;
	size_t cnt = rig_asked_cnt;

	for (size_t k = 0; k < cnt; k++) {
		memset(&m, 0, sizeof(m));
		m.type = CTL_API_KEY_DERIVED;
		rig_derive(&rig_asked[k].m, &m.u.api_key_derived);
		rig_asked[k].fn(rig_asked[k].ptr, err, err < 0 ? NULL : &m);
	}
	memmove(rig_asked, rig_asked + cnt, (rig_asked_cnt - cnt) * sizeof(rig_asked[0]));
	rig_asked_cnt -= cnt;
}

static uint64_t rig_now(UNUSED void *ptr)
{
	return rig_now_s * 1000;
}

static int rig_random(UNUSED void *ptr, void *buf, size_t len)
{
	memset(buf, 7, len);
	return 0;
}

static int rig_begin(UNUSED void **state)
{
	const struct account a = { .id = RIG_ACCOUNT, .name = "tenant" };
	const struct access_key k = {
		.id = RIG_ID, .account = RIG_ACCOUNT, .sealed = "box", .sealed_len = 3
	};

	memset(&rig, 0, sizeof(rig));
	rig.core.env = (struct core_env){ rig_now, rig_random, NULL };
	rig.core.place = (struct place)PLACE_DEFAULT;
	rig_now_s = RIG_TIME_S;
	rig_no_security = false;
	rig_asked_cnt = rig_asked_total = 0;
	assert_int_equal(store_open(":memory:", &rig.core.st), 0);
	assert_int_equal(store_put(rig.core.st, &tbl_accounts, &a), 0);
	assert_int_equal(store_put(rig.core.st, &tbl_access_keys, &k), 0);
	return 0;
}

static int rig_end(UNUSED void **state)
{
	rig_answer(-ENOTCONN);
	auth_free(&rig);
	store_free(rig.core.st);
	return 0;
}

static struct http_span rig_span(const char *s)
{
	return (struct http_span){ s, strlen(s) };
}

static void rig_header(struct rig_req *q, const char *name, const char *value)
{
	must(q->q.header_cnt < HTTP_HEADERS_MAX);
	q->q.header[q->q.header_cnt++] = (struct http_header){ rig_span(name), rig_span(value) };
}

/* rig_request(): everything but the signature. */
static void rig_request(struct rig_req *q, const char *method, const char *query, const char *body)
{
	memset(q, 0, sizeof(*q));
	q->x.d = &rig;
	q->x.req = &q->q;
	q->q.method = rig_span(method);
	q->q.path = rig_span("/");
	q->q.query = rig_span(query);
	q->q.body = body;
	q->q.body_len = strlen(body);
	rig_header(q, "Host", "127.0.0.1:8773");
	rig_header(q, "X-Amz-Date", RIG_TIME);
}

/* rig_sign(): all headers there are, as any SDK would. */
static void rig_sign(struct rig_req *q, const char *id, const char *secret, const char *service)
{
	struct sigv4_header header[HTTP_HEADERS_MAX];
	CLEANUP(key_freep) struct key *k = NULL;
	struct sigv4_request r = {
		.method = { q->q.method.p, q->q.method.len },
		.path = { q->q.path.p, q->q.path.len },
		.query = { q->q.query.p, q->q.query.len },
		.header = header,
		.header_cnt = q->q.header_cnt,
		.body = { q->q.body, q->q.body_len },
		.unsigned_payload = true,
	};

	for (size_t i = 0; i < q->q.header_cnt; i++)
		header[i] = (struct sigv4_header){
			{ q->q.header[i].name.p, q->q.header[i].name.len },
			{ q->q.header[i].value.p, q->q.header[i].value.len },
		};
	assert_int_equal(key_new_from(secret, strlen(secret), &k), 0);
	assert_int_equal(sigv4_sign(&r, id, k, NET_REGION, service, q->auth, sizeof(q->auth)), 0);
	rig_header(q, "Authorization", q->auth);
}

/* rig_check(): as the front does it; a question is answered at once. Return: the code of the refusal, "" for none. */
static const char *rig_check(struct rig_req *q)
{
	q->f.code[0] = '\0';
	q->r = auth_check(&q->x, &q->f);
	if (q->r == -EINPROGRESS)
		rig_answer(0);
	assert_int_not_equal(q->r, -EINPROGRESS);
	if (q->r == 0)
		assert_string_equal(q->f.code, "");
	return q->f.code;
}

/* A request as it is often needed. */
UNUSED static void rig_good(struct rig_req *q, const char *body)
{
	rig_request(q, "POST", "", body);
	rig_header(q, "Content-Type", "application/x-www-form-urlencoded");
	rig_sign(q, RIG_ID, RIG_SECRET, "ec2");
}
