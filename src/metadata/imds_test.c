/* SPDX-License-Identifier: Apache-2.0 */

/* The rules of IMDSv2, through a whole connection without its socket. */

#include "metadata/imds.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metadata/guard.h"
#include "metadata/http_conn.h"

#define S 1000000000ull
#define GET(path, fields) "GET " path " HTTP/1.1\r\nHost: 169.254.169.254\r\n" fields "\r\n"
#define PUT(fields) "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\n" fields "\r\n"
#define TTL "X-aws-ec2-metadata-token-ttl-seconds: "
#define TOKEN "X-aws-ec2-metadata-token: "

static struct tree tree;
static struct imds imds;
static struct http_conn conn;
static struct bucket rate;
static char token[TOKEN_CHARS + 1];
static const char *body;

static int setup(void **state)
{
	(void)state;
	memset(&imds, 0, sizeof(imds));
	tree_clear(&tree);
	assert_int_equal(tree_put(&tree, "meta-data/mac", "06:00", 5, false), 0);
	assert_int_equal(tree_put(&tree, "user-data", "\0x", 2, false), 0);
	assert_int_equal(tokens_init(&imds.tokens), 0);
	tokens_bind(&imds.tokens, "i-1");
	imds.options = (struct imds_options){ .set = true, .enabled = true, .hop_limit = 1 };
	(void)snprintf(imds.options.domain, sizeof(imds.options.domain), "ec2.internal");
	imds.tree = &tree;
	http_conn_reset(&conn);
	bucket_init(&rate, 0, 0, 0);
	token_make(&imds.tokens, 100, 0, token);
	return 0;
}

/* The status of the next answer of the connection; 0: none. The bytes have to be there already. */
static int step(uint64_t now_ns, enum http_step *ret)
{
	uint64_t wait_ns = 0;
	enum http_step r = http_conn_step(&conn, &imds, &rate, now_ns, &wait_ns);

	if (ret)
		*ret = r;
	if (r == STEP_MORE || r == STEP_WAIT)
		return 0;
	assert_true(conn.out_off < conn.out_end && conn.out_end < sizeof(conn.out));
	conn.out[conn.out_end] = '\0';
	body = strstr(conn.out + conn.out_off, "\r\n\r\n") + 4;
	return (int)strtol(conn.out + conn.out_off + 9, NULL, 10);
}

static void feed(const char *text)
{
	size_t len = strlen(text);

	assert_true(len <= sizeof(conn.in) - conn.in_len);
	memcpy(conn.in + conn.in_len, text, len);
	conn.in_len += len;
}

static int ask_at(uint64_t now_ns, const char *text)
{
	http_conn_reset(&conn);
	feed(text);
	return step(now_ns, NULL);
}

static int ask(const char *text)
{
	return ask_at(0, text);
}

static int ask_token(const char *path, const char *tok)
{
	char text[512];

	(void)snprintf(text, sizeof(text), GET("%s", TOKEN "%s\r\n"), path, tok);
	return ask(text);
}

static void put__gives_a_token_that_opens(void **state)
{
	enum http_step r;
	char t[TOKEN_CHARS + 1];

	(void)state;
	feed(PUT(TTL "21600\r\n"));
	assert_int_equal(step(0, &r), 200);
	assert_int_equal(r, STEP_TOKEN);
	assert_int_equal(strlen(body), TOKEN_CHARS);
	assert_non_null(strstr(conn.out + conn.out_off, TTL "21600\r\n"));
	memcpy(t, body, sizeof(t));
	assert_int_equal(ask_token("/latest/meta-data/mac", t), 200);
	assert_string_equal(body, "06:00");
	assert_int_equal(ask(PUT(TTL "1\r\nContent-Length: 0\r\n")), 200);
}

static void put__wants_one_ttl_in_range(void **state)
{
	static const char *const bad[] = {
		"",
		TTL "\r\n",
		TTL "0\r\n",
		TTL "21601\r\n",
		TTL "-1\r\n",
		TTL "+1\r\n",
		TTL "1.0\r\n",
		TTL "1e3\r\n",
		TTL "0x10\r\n",
		TTL "1 2\r\n",
		TTL "1,2\r\n",
		TTL "021600\r\n",
		TTL "99999999999999999999\r\n",
		TTL "60\r\n" TTL "60\r\n",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(text, sizeof(text), PUT("%s"), bad[i]);
		assert_int_equal(ask(text), 400);
	}
}

static void put__gives_nothing_to_a_proxy(void **state)
{
	(void)state;
	assert_int_equal(ask(PUT(TTL "60\r\nX-Forwarded-For: 10.0.0.1\r\n")), 403);
	assert_int_equal(ask(PUT(TTL "60\r\nx-forwarded-for:\r\n")), 403);
	assert_int_equal(ask(PUT(TTL "60\r\nX-Forwarded-Host: a\r\n")), 200);
}

static void get__needs_a_token(void **state)
{
	(void)state;
	assert_int_equal(ask(GET("/latest/meta-data/mac", "")), 401);
	assert_int_equal(ask(GET("/", "")), 401);
	assert_int_equal(ask(GET("/nothing", "")), 401);
	assert_int_equal(ask_token("/latest/meta-data/mac", ""), 401);
	assert_int_equal(ask_token("/latest/meta-data/mac", "x"), 401);
	assert_int_equal(ask_token("/latest/meta-data/mac", token), 200);
	assert_int_equal(ask_token("/nothing", token), 404);
	token[3] ^= 1;
	assert_int_equal(ask_token("/latest/meta-data/mac", token), 401);
}

static void get__refuses_a_token_that_has_expired(void **state)
{
	char text[512];

	(void)state;
	(void)snprintf(text, sizeof(text), GET("/latest/meta-data/mac", TOKEN "%s\r\n"), token);
	assert_int_equal(ask_at(100 * S - 1, text), 200);
	assert_int_equal(ask_at(100 * S, text), 401);
}

static void get__works_without_a_token_where_that_is_allowed(void **state)
{
	(void)state;
	imds.options.tokens_optional = true;
	assert_int_equal(ask(GET("/latest/meta-data/mac", "")), 200);
	assert_int_equal(ask_token("/latest/meta-data/mac", token), 200);
	assert_int_equal(ask_token("/latest/meta-data/mac", "x"),
			 401); /* a wrong one is still wrong */
}

static void get__takes_one_token(void **state)
{
	char text[512];

	(void)state;
	(void)snprintf(text, sizeof(text),
		       GET("/latest/meta-data/mac", TOKEN "%s\r\n" TOKEN "%s\r\n"), token, token);
	assert_int_equal(ask(text), 400);
}

static void methods__have_one_place_each(void **state)
{
	static const char *const other[] = { "HEAD",  "POST",  "DELETE", "OPTIONS",
					     "TRACE", "PATCH", "get" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		for (unsigned k = 0; k < 2; k++) {
			(void)snprintf(text, sizeof(text),
				       "%s %s HTTP/1.1\r\nHost: 169.254.169.254\r\n" TTL
				       "60\r\n" TOKEN "%s\r\n\r\n",
				       other[i], k ? "/latest/api/token" : "/latest/meta-data/mac",
				       token);
			assert_int_equal(ask(text), 405);
			assert_non_null(
				strstr(conn.out + conn.out_off, k ? "Allow: PUT" : "Allow: GET"));
			assert_string_equal(body, "");
		}
	}
	assert_int_equal(ask_token("/latest/api/token", token), 405);
	assert_int_equal(
		ask("PUT /latest/api HTTP/1.1\r\nHost: 169.254.169.254\r\n" TTL "60\r\n\r\n"), 405);
	assert_int_equal(ask("PUT /2021-03-23/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\n" TTL
			     "60\r\n\r\n"),
			 405);
	assert_int_equal(ask("PUT /latest/api/token/ HTTP/1.1\r\nHost: 169.254.169.254\r\n" TTL
			     "60\r\n\r\n"),
			 200);
}

static int ask_host(const char *host)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		       "PUT /latest/api/token HTTP/1.1\r\nHost: %s\r\n" TTL "60\r\n\r\n", host);
	return ask(text);
}

static void hosts__are_our_own_names_only(void **state)
{
	static const char *const good[] = {
		"169.254.169.254",  "169.254.169.254:80",         "instance-data",
		"INSTANCE-DATA:80", "instance-data.ec2.internal", "instance-data.EC2.internal:80"
	};
	static const char *const bad[] = { "",
					   "evil.example",
					   "169.254.169.254.evil.example",
					   "169.254.169.253",
					   "169.254.169.254:8080",
					   "169.254.169.254:",
					   ":80",
					   "x@169.254.169.254",
					   "instance-data.",
					   "instance-data.x",
					   "instance-dataec2.internal",
					   "instance-data.ec2.internal.",
					   "169.254.169.254, evil",
					   "[::1]",
					   "0xa9fea9fe",
					   "2852039166" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(ask_host(good[i]), 200);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ask_host(bad[i]), 403);
	assert_int_equal(ask("PUT /latest/api/token HTTP/1.1\r\n" TTL "60\r\n\r\n"), 400);
	assert_int_equal(ask("PUT /latest/api/token HTTP/1.0\r\n" TTL "60\r\n\r\n"), 200);
	assert_int_equal(ask(PUT("Host: 169.254.169.254\r\n" TTL "60\r\n")), 400);
	assert_int_equal(ask("PUT http://evil.example/latest/api/token HTTP/1.1\r\nHost: "
			     "169.254.169.254\r\n" TTL "60\r\n\r\n"),
			 403);
	assert_int_equal(ask("PUT http://instance-data/latest/api/token HTTP/1.1\r\nHost: "
			     "evil.example\r\n" TTL "60\r\n\r\n"),
			 403);
	assert_int_equal(ask("PUT http://instance-data/latest/api/token HTTP/1.1\r\nHost: "
			     "instance-data\r\n" TTL "60\r\n\r\n"),
			 200);
}

static void framing__leaves_no_room_for_a_second_request(void **state)
{
	static const struct {
		const char *fields;
		int status;
	} table[] = {
		{ "Content-Length: 0\r\n", 200 },
		{ "Content-Length: 000\r\n", 200 },
		{ "Content-Length: 1\r\n", 413 },
		{ "Content-Length: 0\r\nContent-Length: 0\r\n", 400 },
		{ "Content-Length: 0, 0\r\n", 400 },
		{ "Content-Length: +0\r\n", 400 },
		{ "Content-Length:\r\n", 400 },
		{ "Transfer-Encoding: chunked\r\n", 400 },
		{ "Transfer-Encoding: identity\r\n", 400 },
		{ "transfer-encoding:\r\n", 400 },
		{ "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400 },
		{ "Expect: 100-continue\r\n", 417 },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		(void)snprintf(text, sizeof(text), PUT(TTL "60\r\n%s"), table[i].fields);
		assert_int_equal(ask(text), table[i].status);
		assert_int_equal(conn.close, table[i].status != 200);
	}
}

static void service__may_be_off_or_not_there_yet(void **state)
{
	(void)state;
	imds.options.enabled = false;
	assert_int_equal(ask_token("/latest/meta-data/mac", token), 403);
	assert_int_equal(ask(PUT(TTL "60\r\n")), 403);
	imds.tree = NULL;
	assert_int_equal(ask(PUT(TTL "60\r\n")), 503);
	assert_non_null(strstr(conn.out + conn.out_off, "Retry-After: 1"));
	setup(NULL);
	imds.options.set = false;
	assert_int_equal(ask(PUT(TTL "60\r\n")), 503);
}

static void paths__begin_with_a_version(void **state)
{
	(void)state;
	assert_int_equal(ask_token("/2009-04-04/meta-data/mac", token), 200);
	assert_int_equal(ask_token("/2009-04-05/meta-data/mac", token), 404);
	assert_int_equal(ask_token("/latest", token), 200);
	assert_string_equal(body, "meta-data/\nuser-data");
	assert_int_equal(ask_token("/latest/", token), 200);
	assert_int_equal(ask_token("/latest//", token), 404);
	assert_int_equal(ask_token("//", token), 404);
	assert_int_equal(ask_token("/latest/user-data", token), 200);
	assert_non_null(strstr(conn.out + conn.out_off, "application/octet-stream"));
	assert_int_equal(conn.out + conn.out_end - body, 2);
}

static void http_conn_step__answers_one_after_the_other(void **state)
{
	char text[512];
	enum http_step r;

	(void)state;
	(void)snprintf(text, sizeof(text), GET("/latest/meta-data/mac", TOKEN "%s\r\n"), token);
	feed(text);
	feed(GET("/x", ""));
	feed("GE");
	assert_int_equal(step(0, NULL), 200);
	assert_int_equal(step(0, NULL), 401);
	assert_int_equal(step(0, &r), 0);
	assert_int_equal(r, STEP_MORE);
	assert_int_equal(conn.in_len, 2);
	feed("T / HTTP/1.1\r\nHost: a b\r\n\r\n");
	assert_int_equal(step(0, NULL), 403);
}

static void http_conn_step__keeps_to_the_rate(void **state)
{
	enum http_step r;

	(void)state;
	bucket_init(&rate, 1000, 10, 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ask(GET("/", "")), 401);
	http_conn_reset(&conn);
	feed(GET("/", ""));
	assert_int_equal(step(0, &r), 0);
	assert_int_equal(r, STEP_WAIT);
	assert_int_equal(step(999999, &r), 0);
	assert_int_equal(step(1000000, &r), 401);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(put__gives_a_token_that_opens, setup),
		cmocka_unit_test_setup(put__wants_one_ttl_in_range, setup),
		cmocka_unit_test_setup(put__gives_nothing_to_a_proxy, setup),
		cmocka_unit_test_setup(get__needs_a_token, setup),
		cmocka_unit_test_setup(get__refuses_a_token_that_has_expired, setup),
		cmocka_unit_test_setup(get__works_without_a_token_where_that_is_allowed, setup),
		cmocka_unit_test_setup(get__takes_one_token, setup),
		cmocka_unit_test_setup(methods__have_one_place_each, setup),
		cmocka_unit_test_setup(hosts__are_our_own_names_only, setup),
		cmocka_unit_test_setup(framing__leaves_no_room_for_a_second_request, setup),
		cmocka_unit_test_setup(service__may_be_off_or_not_there_yet, setup),
		cmocka_unit_test_setup(paths__begin_with_a_version, setup),
		cmocka_unit_test_setup(http_conn_step__answers_one_after_the_other, setup),
		cmocka_unit_test_setup(http_conn_step__keeps_to_the_rate, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
