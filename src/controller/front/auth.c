/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/auth.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/front/auth_keys.h"
#include "controller/front/auth_replay.h"
#include "controller/niterd.h"
#include "crypto/sigv4.h"

struct auth {
	struct auth_keys *keys;     /* owned */
	struct auth_replay *replay; /* owned */
};

/* Services a signature can be for. */
static const char *const services[] = { "ec2", "sts", "kms" };

static int auth_of(struct daemon *d, struct auth **ret)
{
	struct auth *a = d->auth;
	int r;

	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		r = auth_keys_new(&d->security, &a->keys);
		if (r == 0)
			r = auth_replay_new(&a->replay);
		if (r < 0) {
			auth_keys_free(a->keys);
			free(a);
			return r;
		}
		d->auth = a;
	}
	*ret = a;
	return 0;
}

void auth_free(struct daemon *d)
{
	if (!d->auth)
		return;
	auth_keys_free(d->auth->keys);
	auth_replay_free(d->auth->replay);
	free(d->auth);
	d->auth = NULL;
}

void auth_forget(struct daemon *d, const char *access_key_id)
{
	if (d->auth)
		auth_keys_forget(d->auth->keys, access_key_id);
}

static struct sigv4_span span_of(struct http_span s)
{
	return (struct sigv4_span){ s.p, s.len };
}

/* Without TLS nothing protects a body but the signature. */
static void request_of(const struct exchange *x, struct sigv4_header header[HTTP_HEADERS_MAX],
		       struct sigv4_request *ret)
{
	const struct http_request *q = x->req;

	static_assert((int)HTTP_HEADERS_MAX <= (int)SIGV4_HEADERS_MAX, "all of them");
	for (size_t k = 0; k < q->header_cnt; k++)
		header[k] = (struct sigv4_header){ span_of(q->header[k].name),
						   span_of(q->header[k].value) };
	*ret = (struct sigv4_request){
		.method = span_of(q->method),
		.path = span_of(q->path),
		.query = span_of(q->query),
		.header = header,
		.header_cnt = q->header_cnt,
		.body = { q->body, q->body_len },
		.unsigned_payload = x->tls,
	};
}

static bool span_is(struct sigv4_span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

/* Who asks is told in the words of the service, also when the signature is no good. */
static bool service_take(struct exchange *x, const struct sigv4 *s)
{
	for (size_t k = 0; k < ARRAY_SIZE(services); k++) {
		if (!span_is(s->service, services[k]))
			continue;
		snprintf(x->service, sizeof(x->service), "%s", services[k]);
		return true;
	}
	return false;
}

static int refuse(struct fault *f)
{
	return fault_set(f, EACCES, "AuthFailure", NULL,
			 "AWS was not able to validate the provided access credentials");
}

/* What can be said before any key is known. */
static int statement_check(struct exchange *x, const struct sigv4_request *q, struct sigv4 *s,
			   struct fault *f)
{
	uint64_t now_s = x->d->core.env.now_ms(x->d->core.env.ptr) / 1000;
	int r = sigv4_parse(q, s);
	bool known_service = s->service.len > 0 && service_take(x, s);

	if (r == -ENODATA)
		return fault_set(f, EACCES, "MissingAuthenticationToken", NULL,
				 "Request is missing Authentication Token");
	if (r < 0)
		return fault_set(f, EACCES, "IncompleteSignature", NULL,
				 "The request signature does not conform to AWS standards");
	if (sigv4_time_check(s, now_s) < 0)
		return fault_set(f, EACCES, "RequestExpired", NULL,
				 "Request has expired: it was signed at %s", s->time);
	if (!span_is(s->region, x->d->core.place.region))
		return fault_set(f, EACCES, "AuthFailure", NULL,
				 "Credential should be scoped to a valid region: '%s'",
				 x->d->core.place.region);
	if (!known_service)
		return fault_set(
			f, EACCES, "AuthFailure", NULL,
			"Credential should be scoped to correct service: 'ec2', 'sts' or 'kms'");
	return 0;
}

/* A session token belongs to temporary credentials; there are none here that one could belong to. */
static const struct access_key *row_of(struct exchange *x, const struct sigv4 *s)
{
	char id[CTL_ID_MAX];

	if (s->token.len > 0 || s->access_key_id.len >= sizeof(id))
		return NULL;
	memcpy(id, s->access_key_id.p, s->access_key_id.len);
	id[s->access_key_id.len] = '\0';
	return store_find(x->d->core.st, &tbl_access_keys, id);
}

/* Not of the name that asks; which one does not matter. */
static const struct access_key *row_other(struct exchange *x)
{
	struct store_iter it;

	store_each(x->d->core.st, &tbl_access_keys, &it);
	return store_next(&it);
}

static int key_fault(int err, struct fault *f)
{
	if (err == -EINPROGRESS)
		return err;
	if (err == -EBUSY)
		return fault_set(f, EBUSY, "RequestLimitExceeded", NULL, "Request limit exceeded.");
	if (err == -ENOTCONN || err == -ETIMEDOUT)
		return fault_set(f, EAGAIN, "Unavailable", NULL,
				 "The security process does not answer: try again");
	log_err("auth.key", "err=%d", err);
	return fault_internal(f, err, "the secret access key cannot be used");
}

int auth_check(struct exchange *x, struct fault *f)
{
	struct sigv4_header header[HTTP_HEADERS_MAX];
	const struct access_key *row;
	const struct key *k = NULL;
	struct sigv4_request q;
	struct sigv4 s;
	struct auth *a;
	int r;

	r = auth_of(x->d, &a);
	if (r < 0)
		return fault_internal(f, r, "checking the signature");
	request_of(x, header, &q);
	r = statement_check(x, &q, &s, f);
	if (r < 0)
		return r;
	row = row_of(x, &s);
	r = auth_keys_get(a->keys, row, row ? NULL : row_other(x), &s, x, &k);
	if (r < 0)
		return key_fault(r, f);
	r = sigv4_verify(&q, &s, k);
	if (!row || r == -EKEYREJECTED)
		return refuse(f);
	if (r < 0)
		return fault_set(f, EACCES, "SignatureDoesNotMatch", NULL,
				 "The provided 'x-amz-content-sha256' header does not match what "
				 "was computed.");
	snprintf(x->account, sizeof(x->account), "%s", row->account);
	snprintf(x->access_key_id, sizeof(x->access_key_id), "%s", row->id);
	return 0;
}

int auth_replay_check(struct exchange *x, struct fault *f)
{
	struct sigv4_header header[HTTP_HEADERS_MAX];
	uint64_t now_s = x->d->core.env.now_ms(x->d->core.env.ptr) / 1000;
	struct sigv4_request q;
	struct sigv4 s;

	if (!x->req || !x->d->auth)
		return 0; /* nobody waits, or no signature came here */
	request_of(x, header, &q);
	if (sigv4_parse(&q, &s) < 0)
		return refuse(f); /* cannot be: auth_check() took it */
	if (auth_replay_first(x->d->auth->replay, s.signature, x->conn_number, now_s,
			      s.time_s + (s.presigned ? s.expires_s : SIGV4_SKEW_S)))
		return 0;
	return fault_set(f, EALREADY, "RequestLimitExceeded", NULL,
			 "This very request was accepted before: sign it again to repeat it");
}
