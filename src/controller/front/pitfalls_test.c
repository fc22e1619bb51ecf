/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What verifiers of Signature Version 4 have got wrong, one test each. Requests are bytes as they come over the wire: the HTTP
 * reader takes them apart, then their signature is checked. Each test has the request that must be taken, too.
 */

#include "controller/front/auth_test.h"

#include "base/mem.h"
#include "controller/front/http.h"
#include "crypto/hash.h"

enum { WIRE_MAX = 8192 };
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* A request under construction, its bytes, and who reads them. */
static struct rig_req q;
static char wire_buf[WIRE_MAX];
static struct {
	struct rig_req r;
	struct http_reader reader;
	char answer[MODEL_CODE_MAX];
} server;
static bool by_tls;

/* Comparisons of signatures: how many, and of how many bytes. */
static unsigned compared;
static size_t compared_len;
int __wrap_mem_equal_ct(const void *a, const void *b, size_t len);
int __real_mem_equal_ct(const void *a, const void *b, size_t len);
int __wrap_mem_equal_ct(const void *a, const void *b, size_t len)
{
	compared++;
	compared_len = len;
	return __real_mem_equal_ct(a, b, len);
}

/* What an honest client would send. */
static const char *wire(void)
{
	size_t len =
		(size_t)snprintf(wire_buf, sizeof(wire_buf), "%.*s %.*s%s%.*s HTTP/1.1\r\n",
				 (int)q.q.method.len, q.q.method.p, (int)q.q.path.len, q.q.path.p,
				 q.q.query.len ? "?" : "", (int)q.q.query.len, q.q.query.p);

	for (size_t k = 0; k < q.q.header_cnt; k++)
		len += (size_t)snprintf(wire_buf + len, sizeof(wire_buf) - len, "%.*s: %.*s\r\n",
					(int)q.q.header[k].name.len, q.q.header[k].name.p,
					(int)q.q.header[k].value.len, q.q.header[k].value.p);
	if (q.q.body_len)
		len += (size_t)snprintf(wire_buf + len, sizeof(wire_buf) - len,
					"Content-Length: %zu\r\n", q.q.body_len);
	len += (size_t)snprintf(wire_buf + len, sizeof(wire_buf) - len, "\r\n%.*s",
				(int)q.q.body_len, q.q.body);
	must(len < sizeof(wire_buf));
	return wire_buf;
}

/* send(): "" accepted, else the code of the refusal; "400" when it is no request at all. */
static const char *send(const char *text)
{
	ssize_t n;

	memset(&server, 0, sizeof(server));
	n = http_read(&server.reader, text, strlen(text), &server.r.q);
	if (n < 0) {
		snprintf(server.answer, sizeof(server.answer), "%u", server.reader.status);
		return server.answer;
	}
	assert_int_equal(n, strlen(text));
	server.r.x.d = &rig;
	server.r.x.req = &server.r.q;
	server.r.x.tls = by_tls;
	server.r.x.conn_number = 1;
	snprintf(server.answer, sizeof(server.answer), "%s", rig_check(&server.r));
	return server.answer;
}

/* The same with one place of it changed; it must be there. */
static const char *send_with(const char *from, const char *to)
{
	static char changed[WIRE_MAX + 1024];
	const char *text = wire(), *at = strstr(text, from);

	assert_non_null(at);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, to,
		 at + strlen(from));
	return send(changed);
}

static void get(const char *path, const char *query)
{
	rig_request(&q, "GET", query, "");
	q.q.path = rig_span(path);
	rig_sign(&q, RIG_ID, RIG_SECRET, "ec2");
}

static void post(const char *name, const char *value, const char *body)
{
	rig_request(&q, "POST", "", body);
	if (name)
		rig_header(&q, name, value);
	rig_sign(&q, RIG_ID, RIG_SECRET, "ec2");
}

#define TAKEN(said) assert_string_equal(said, "")
#define REFUSED(said, code) assert_string_equal(said, code)
#define WRONG "AuthFailure"
#define MALFORMED "IncompleteSignature"

static void pitfall_01__repeated_headers_are_joined_in_their_order(void **state)
{
	(void)state;
	/* signed as one header with both values */
	post("My-Header", "first,second", "");
	TAKEN(send(wire()));
	TAKEN(send_with("My-Header: first,second\r\n",
			"My-Header: first\r\nMy-Header: second\r\n"));
	REFUSED(send_with("My-Header: first,second\r\n",
			  "My-Header: second\r\nMy-Header: first\r\n"),
		WRONG);
	REFUSED(send_with("My-Header: first,second\r\n", "My-Header: first\r\n"), WRONG);
	REFUSED(send_with("X-Amz-Date:", "X-Amz-Date: " RIG_TIME "\r\nX-Amz-Date:"), MALFORMED);
	REFUSED(send_with("Authorization:", "Authorization: x\r\nAuthorization:"), MALFORMED);
	REFUSED(send_with("Host:", "Host: elsewhere\r\nHost:"), "400");
}

static void pitfall_02__repeated_parameters_all_count(void **state)
{
	(void)state;
	get("/", "a=1&a=2&b=3");
	TAKEN(send(wire()));
	TAKEN(send_with("a=1&a=2&b=3", "b=3&a=2&a=1"));
	REFUSED(send_with("a=1&a=2&b=3", "a=1&a=2&a=2&b=3"), WRONG);
	REFUSED(send_with("a=1&a=2&b=3", "a=2&b=3"), WRONG);
}

static void pitfall_03__header_names_have_no_case(void **state)
{
	(void)state;
	post(NULL, NULL, "");
	TAKEN(send_with("Host:", "hOST:"));
	TAKEN(send_with("X-Amz-Date:", "x-amz-DATE:"));
	REFUSED(send_with("SignedHeaders=host", "SignedHeaders=Host"), MALFORMED);
}

static void pitfall_04__plus_is_a_blank(void **state)
{
	(void)state;
	get("/", "a=b%20c");
	TAKEN(send(wire()));
	TAKEN(send_with("b%20c", "b+c"));
	REFUSED(send_with("b%20c", "b%2Bc"), WRONG);
}

static void pitfall_05__paths_are_encoded_once_more(void **state)
{
	(void)state;
	get("/a%20b", "");
	TAKEN(send(wire()));
	/* a signer that encodes once */
	get("/a b", "");
	REFUSED(send_with("/a b", "/a%20b"), WRONG);
	get("/a%20b", "");
	REFUSED(send_with("/a%20b", "/a%2520b"), WRONG);
}

static void pitfall_06__no_path_is_the_root(void **state)
{
	(void)state;
	get("", "a=b"); /* signed without one */
	TAKEN(send_with("GET ?", "GET /?"));
	REFUSED(send(wire()), "400"); /* but no request has none */
}

static void pitfall_07__dot_segments_are_signed_without_them_and_lead_nowhere(void **state)
{
	(void)state;
	get("/", "");
	TAKEN(send_with("GET /", "GET /a/.././"));
	assert_false(http_span_is(server.r.q.path, "/")); /* what is routed is what was sent */
	REFUSED(send_with("GET /", "GET /a/./"), WRONG);
	REFUSED(send_with("GET /", "GET /%2e%2e/"), WRONG); /* no dot segment */
}

static void pitfall_08__an_encoded_slash_is_no_slash(void **state)
{
	(void)state;
	get("/a%2Fb", "");
	TAKEN(send(wire()));
	REFUSED(send_with("/a%2Fb", "/a/b"), WRONG);
	get("/a/b", "");
	REFUSED(send_with("/a/b", "/a%2Fb"), WRONG);
}

static void pitfall_09__headers_have_one_line(void **state)
{
	struct sigv4_header h[3] = { { { "host", 4 }, { "a\nb", 3 } },
				     { { "x-amz-date", 10 }, { RIG_TIME, 16 } } };
	struct sigv4_request r = { .method = { "GET", 3 }, .path = { "/", 1 }, .header = h };
	struct sigv4 s;

	(void)state;
	post("My-Header", "first second", "");
	TAKEN(send(wire()));
	TAKEN(send_with("first second", "first  \t second"));
	REFUSED(send_with("first second", "first\r\n second"), "400");
	REFUSED(send_with("first second", "first\n second"), "400");
	REFUSED(send_with("first second", "first\rsecond"), "400");
	/* whatever reads HTTP: no line can be smuggled into the canonical request */
	h[2] = (struct sigv4_header){ { "authorization", 13 }, { q.auth, strlen(q.auth) } };
	r.header_cnt = 3;
	assert_int_equal(sigv4_parse(&r, &s), -EPROTO);
}

static void pitfall_10__unsigned_bodies_need_tls(void **state)
{
	(void)state;
	post("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD", "body");
	REFUSED(send(wire()), MALFORMED);
	by_tls = true;
	TAKEN(send(wire()));
	TAKEN(send_with("\r\n\r\nbody", "\r\n\r\nsome"));
	post(NULL, NULL, "body"); /* who does not ask for it has his body checked */
	TAKEN(send(wire()));
	REFUSED(send_with("\r\n\r\nbody", "\r\n\r\nsome"), WRONG);
}

static void pitfall_11__the_signed_hash_is_the_bodys(void **state)
{
	(void)state;
	post("X-Amz-Content-SHA256", EMPTY_SHA256, "");
	TAKEN(send(wire()));
	post("X-Amz-Content-SHA256", EMPTY_SHA256, "body"); /* signed like that */
	REFUSED(send(wire()), "SignatureDoesNotMatch");
	by_tls = true;
	REFUSED(send(wire()), "SignatureDoesNotMatch");
}

static void pitfall_12__host_is_signed(void **state)
{
	(void)state;
	post(NULL, NULL, "");
	TAKEN(send(wire()));
	REFUSED(send_with("SignedHeaders=host;x-amz-date", "SignedHeaders=x-amz-date"), MALFORMED);
	REFUSED(send_with("Host: 127.0.0.1:8773", "Host: 127.0.0.1:8774"), WRONG);
}

static void pitfall_13__every_amz_header_is_signed(void **state)
{
	(void)state;
	post("X-Amz-Target", "TrentService.ListKeys", "");
	TAKEN(send(wire()));
	REFUSED(send_with("TrentService.ListKeys", "TrentService.CreateKey"), WRONG);
	post(NULL, NULL, "");
	TAKEN(send_with("Host:", "Unsigned: x\r\nHost:"));
	REFUSED(send_with("Host:", "X-Amz-Target: TrentService.ListKeys\r\nHost:"), MALFORMED);
	REFUSED(send_with("Host:", "x-AMZ-anything: x\r\nHost:"), MALFORMED);
}

static void pitfall_14__the_scopes_day_is_the_requests(void **state)
{
	(void)state;
	post(NULL, NULL, "");
	TAKEN(send(wire()));
	REFUSED(send_with("/20261122/", "/20261121/"), MALFORMED);
	REFUSED(send_with("X-Amz-Date: 20261122", "X-Amz-Date: 20261123"), MALFORMED);
}

static void pitfall_15__the_scopes_region_is_this_one(void **state)
{
	(void)state;
	post(NULL, NULL, "");
	TAKEN(send(wire()));
	REFUSED(send_with("/" NET_REGION "/", "/mars-north-1/"), WRONG);
	assert_int_equal(rig_asked_total, 1); /* nobody is asked for keys of elsewhere */
}

static void pitfall_16__the_scopes_service_is_the_one_that_is_signed(void **state)
{
	(void)state;
	rig_request(&q, "POST", "", "");
	rig_sign(&q, RIG_ID, RIG_SECRET, "sts");
	TAKEN(send(wire()));
	assert_string_equal(server.r.x.service, "sts");
	REFUSED(send_with("/sts/", "/ec2/"), WRONG);
	REFUSED(send_with("/sts/", "/s3/"), WRONG);
}

static void pitfall_17__clocks_may_differ_by_five_minutes(void **state)
{
	(void)state;
	post(NULL, NULL, "");
	rig_now_s = RIG_TIME_S + 300;
	TAKEN(send(wire()));
	rig_now_s = RIG_TIME_S - 300;
	TAKEN(send(wire()));
	rig_now_s = RIG_TIME_S + 301;
	REFUSED(send(wire()), "RequestExpired");
	rig_now_s = RIG_TIME_S - 301;
	REFUSED(send(wire()), "RequestExpired");
}

/* A signed query that is good for @expires seconds; done by hand, as sigv4_sign() makes no such thing. */
static void presign(const char *expires)
{
	static char query[1024];
	struct sigv4_header h = { { "Host", 4 }, { "sts", 3 } };
	struct sigv4_request r = {
		.method = { "GET", 3 }, .path = { "/", 1 }, .header = &h, .header_cnt = 1
	};
	CLEANUP(key_freep) struct key *secret = NULL, *k = NULL;
	uint8_t digest[HASH_SHA256_BYTES];
	char string[256];
	struct sigv4 s;
	int n;

	n = snprintf(query, sizeof(query),
		     "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
		     "&X-Amz-Credential=" RIG_ID "%%2F20261122%%2F" NET_REGION
		     "%%2Fsts%%2Faws4_request&X-Amz-Date=" RIG_TIME "&X-Amz-Expires=%s"
		     "&X-Amz-SignedHeaders=host&X-Amz-Signature=%064d",
		     expires, 0);
	r.query = (struct sigv4_span){ query, (size_t)n };
	if (sigv4_parse(&r, &s) == 0) {
		sigv4_canonical_hash(&r, &s, digest);
		n = snprintf(string, sizeof(string), "AWS4-HMAC-SHA256\n%s\n%.*s\n", s.time,
			     (int)s.scope.len, s.scope.p);
		for (size_t i = 0; i < sizeof(digest); i++)
			n += snprintf(string + n, sizeof(string) - (size_t)n, "%02x", digest[i]);
		assert_int_equal(key_new_from(RIG_SECRET, strlen(RIG_SECRET), &secret), 0);
		assert_int_equal(sigv4_derive(secret, s.date, NET_REGION, "sts", &k), 0);
		assert_int_equal(hash_hmac_sha256(k, string, (size_t)n, digest), 0);
		for (size_t i = 0; i < sizeof(digest); i++)
			snprintf(query + r.query.len - 64 + 2 * i, 3, "%02x", digest[i]);
	}
	rig_request(&q, "GET", query, "");
	q.q.header_cnt = 0;
	rig_header(&q, "Host", "sts");
}

static void pitfall_18__signed_queries_end_after_a_week_at_most(void **state)
{
	(void)state;
	presign("60");
	TAKEN(send(wire()));
	rig_now_s = RIG_TIME_S + 61;
	REFUSED(send(wire()), "RequestExpired");
	presign("604800");
	TAKEN(send(wire()));
	REFUSED(send_with("Expires=604800", "Expires=604799"), WRONG);
	presign("604801");
	REFUSED(send(wire()), MALFORMED);
	presign("0");
	REFUSED(send(wire()), MALFORMED);
	presign("-1");
	REFUSED(send(wire()), MALFORMED);
	rig_now_s = RIG_TIME_S - 301;
	presign("604800");
	REFUSED(send(wire()), "RequestExpired");
}

static void pitfall_19__who_overhears_a_request_cannot_repeat_it(void **state)
{
	struct fault f = { .code = "" };

	(void)state;
	post(NULL, NULL, "Action=CreateVpc");
	TAKEN(send(wire()));
	assert_int_equal(auth_replay_check(&server.r.x, &f), 0);
	/* a client that sends two alike in one second, one after the other */
	assert_int_equal(auth_replay_check(&server.r.x, &f), 0);
	/* somebody else's connection */
	TAKEN(send(wire()));
	server.r.x.conn_number = 2;
	assert_int_equal(auth_replay_check(&server.r.x, &f), -EALREADY);
	assert_string_equal(f.code, "RequestLimitExceeded"); /* SDKs sign again then */
	/* reading may be repeated: nobody asks */
	TAKEN(send(wire()));
	/* another signature is another request */
	rig_request(&q, "POST", "", "Action=CreateVpc");
	q.q.header[1].value = rig_span("20261122T094517Z");
	rig_sign(&q, RIG_ID, RIG_SECRET, "ec2");
	TAKEN(send(wire()));
	server.r.x.conn_number = 2;
	assert_int_equal(auth_replay_check(&server.r.x, &f), 0);
}

static void pitfall_20__signatures_are_compared_in_constant_time(void **state)
{
	char *at, *hex;

	(void)state;
	post(NULL, NULL, "");
	TAKEN(send(wire()));
	hex = strstr(q.auth, "Signature=") + strlen("Signature=");
	for (size_t k = 0; k < 64; k += 63) {
		at = hex + k;
		*at = *at == '0' ? '1' : '0';
		compared = 0;
		REFUSED(send(wire()), WRONG);
		/* whole, once, by the function that has no branches */
		assert_int_equal(compared, 1);
		assert_int_equal(compared_len, HASH_SHA256_BYTES);
		post(NULL, NULL, "");
	}
}

static void pitfall_21__an_unknown_key_looks_like_a_wrong_signature(void **state)
{
	static struct fault wrong;
	unsigned work;

	(void)state;
	rig_request(&q, "POST", "", "");
	rig_sign(&q, RIG_ID, "wrong secret", "ec2");
	compared = 0;
	REFUSED(send(wire()), WRONG);
	wrong = server.r.f;
	work = compared;
	assert_int_equal(rig_asked_total, 1);

	rig_request(&q, "POST", "", "");
	rig_sign(&q, RIG_STRANGER, "wrong secret", "ec2");
	compared = 0;
	REFUSED(send(wire()), WRONG);
	assert_string_equal(server.r.f.text, wrong.text);
	assert_int_equal(compared, work);     /* it was compared all the same */
	assert_int_equal(rig_asked_total, 2); /* and the security process asked, alike */
	assert_string_equal(server.r.x.account, "");
	/* the second time neither needs to ask */
	REFUSED(send(wire()), WRONG);
	assert_int_equal(rig_asked_total, 2);
}

static void pitfall_22__session_tokens_are_bound(void **state)
{
	(void)state;
	post(NULL, NULL, "");
	TAKEN(send(wire()));
	REFUSED(send_with("Host:", "X-Amz-Security-Token: t\r\nHost:"), MALFORMED);
	/* signed, but nobody has one here */
	post("X-Amz-Security-Token", "t", "");
	REFUSED(send(wire()), WRONG);
	REFUSED(send_with("Security-Token: t", "Security-Token: u"), WRONG);
	presign("60");
	TAKEN(send(wire()));
	REFUSED(send_with("?Action", "?X-Amz-Security-Token=t&Action"), WRONG);
}

static void pitfall_23__chunks_smuggle_nothing(void **state)
{
	(void)state;
	post(NULL, NULL, "0\r\n\r\n");
	TAKEN(send(wire()));
	REFUSED(send_with("Content-Length: 5", "Transfer-Encoding: chunked"), "501");
	REFUSED(send_with("Content-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
		"400");
	post("X-Amz-Content-SHA256", EMPTY_SHA256, "0;chunk-signature=x");
	by_tls = true;
	REFUSED(send_with(EMPTY_SHA256, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), MALFORMED);
	REFUSED(send_with(EMPTY_SHA256, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), MALFORMED);
}

static void pitfall_24__who_waits_for_100_is_checked_like_all(void **state)
{
	(void)state;
	post(NULL, NULL, "body");
	TAKEN(send_with("Host:", "Expect: 100-continue\r\nHost:"));
	assert_true(server.reader.expects);
	REFUSED(send_with("\r\n\r\nbody", "\r\nExpect: 100-continue\r\n\r\nsome"), WRONG);
	REFUSED(send_with("Host:", "Expect: 200-ok\r\nHost:"), "417");
}

static void pitfall_25__a_body_has_one_length(void **state)
{
	(void)state;
	post(NULL, NULL, "body");
	TAKEN(send(wire()));
	REFUSED(send_with("Content-Length: 4", "Content-Length: 4\r\nContent-Length: 4"), "400");
	REFUSED(send_with("Content-Length: 4", "Content-Length: 4\r\nContent-Length: 3"), "400");
	REFUSED(send_with("Content-Length: 4", "Content-Length: 4, 4"), "400");
	REFUSED(send_with("Content-Length: 4", "Content-Length: +4"), "400");
}

static int begin(void **state)
{
	by_tls = false;
	return rig_begin(state);
}

#define PITFALL(f) cmocka_unit_test_setup_teardown(f, begin, rig_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PITFALL(pitfall_01__repeated_headers_are_joined_in_their_order),
		PITFALL(pitfall_02__repeated_parameters_all_count),
		PITFALL(pitfall_03__header_names_have_no_case),
		PITFALL(pitfall_04__plus_is_a_blank),
		PITFALL(pitfall_05__paths_are_encoded_once_more),
		PITFALL(pitfall_06__no_path_is_the_root),
		PITFALL(pitfall_07__dot_segments_are_signed_without_them_and_lead_nowhere),
		PITFALL(pitfall_08__an_encoded_slash_is_no_slash),
		PITFALL(pitfall_09__headers_have_one_line),
		PITFALL(pitfall_10__unsigned_bodies_need_tls),
		PITFALL(pitfall_11__the_signed_hash_is_the_bodys),
		PITFALL(pitfall_12__host_is_signed),
		PITFALL(pitfall_13__every_amz_header_is_signed),
		PITFALL(pitfall_14__the_scopes_day_is_the_requests),
		PITFALL(pitfall_15__the_scopes_region_is_this_one),
		PITFALL(pitfall_16__the_scopes_service_is_the_one_that_is_signed),
		PITFALL(pitfall_17__clocks_may_differ_by_five_minutes),
		PITFALL(pitfall_18__signed_queries_end_after_a_week_at_most),
		PITFALL(pitfall_19__who_overhears_a_request_cannot_repeat_it),
		PITFALL(pitfall_20__signatures_are_compared_in_constant_time),
		PITFALL(pitfall_21__an_unknown_key_looks_like_a_wrong_signature),
		PITFALL(pitfall_22__session_tokens_are_bound),
		PITFALL(pitfall_23__chunks_smuggle_nothing),
		PITFALL(pitfall_24__who_waits_for_100_is_checked_like_all),
		PITFALL(pitfall_25__a_body_has_one_length),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("controller/sigv4-pitfalls", tests, NULL, NULL);
}
