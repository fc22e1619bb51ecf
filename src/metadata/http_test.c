/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct http_request req;
static int status;

static int parse_bytes(const char *p, size_t len)
{
	size_t scanned = 0;
	int n = http_head_end(p, len, &scanned, &status);

	return n <= 0 ? n : http_parse(p, (size_t)n, &req, &status) < 0 ? -EPROTO : n;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void http_parse__reads_a_request(void **state)
{
	static const char text[] = "GET /latest/meta-data/?a=b HTTP/1.1\r\n"
				   "host:169.254.169.254\r\n"
				   "X-Aws-EC2-Metadata-Token: \t abc== \r\n"
				   "X-Empty:\r\n"
				   "Connection: keep-alive, CLOSE\r\n"
				   "\r\nnext";

	(void)state;
	assert_int_equal(parse(text), (int)strlen(text) - 4);
	assert_int_equal(req.method, HTTP_GET);
	assert_int_equal(req.minor, 1);
	assert_true(req.close);
	assert_false(req.absolute);
	assert_string_equal(req.path, "latest/meta-data");
	assert_int_equal(req.field[HTTP_HOST].cnt, 1);
	assert_true(http_text_is(req.field[HTTP_HOST].value, "169.254.169.254"));
	assert_int_equal(req.field[HTTP_TOKEN].value.len, 5);
	assert_memory_equal(req.field[HTTP_TOKEN].value.p, "abc==", 5);
	assert_int_equal(req.field[HTTP_TTL].cnt, 0);
}

static void http_parse__knows_methods_and_versions(void **state)
{
	(void)state;
	assert_true(parse("PUT / HTTP/1.0\r\n\r\n") > 0);
	assert_int_equal(req.method, HTTP_PUT);
	assert_int_equal(req.minor, 0);
	assert_true(req.close);
	assert_true(parse("get / HTTP/1.1\r\n\r\n") > 0); /* methods have a case */
	assert_int_equal(req.method, HTTP_OTHER);
	assert_false(req.close);
	assert_true(parse("HEAD / HTTP/1.1\r\n\r\n") > 0);
	assert_int_equal(req.method, HTTP_OTHER);
	assert_int_equal(parse("GET / HTTP/1.2\r\n\r\n"), -EPROTO);
	assert_int_equal(status, 505);
	assert_int_equal(parse("GET / http/1.1\r\n\r\n"), -EPROTO);
	assert_int_equal(status, 400);
}

static void http_parse__counts_fields_that_come_twice(void **state)
{
	(void)state;
	assert_true(parse("GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\n\r\n") > 0);
	assert_int_equal(req.field[HTTP_HOST].cnt, 2);
	assert_true(http_text_is(req.field[HTTP_HOST].value, "a"));
}

static void http_parse__refuses_what_is_no_request(void **state)
{
	static const char *const bad[] = {
		"\r\nGET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\n\n",
		"GET / HTTP/1.1\r\nA: b\n\r\n",
		"GET / HTTP/1.1\r\rA: b\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
		"GET /\r\n\r\n",
		"GET\r\n\r\n",
		" GET / HTTP/1.1\r\n\r\n",
		"GET  / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1 \r\n\r\n",
		"GET / x HTTP/1.1\r\n\r\n",
		"GET\t/ HTTP/1.1\r\n\r\n",
		"(GET) / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nA\r\n\r\n",
		"GET / HTTP/1.1\r\nA : b\r\n\r\n",
		"GET / HTTP/1.1\r\n A: b\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n\r\n",
		"GET / HTTP/1.1\r\n: b\r\n\r\n",
		"GET / HTTP/1.1\r\nA: \x7f\r\n\r\n",
		"GET / HTTP/1.1\r\nA: \x1b[0m\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse(bad[i]) != -EPROTO)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(status, 400);
	}
	assert_int_equal(parse_bytes("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 23), -EPROTO);
}

static void http_head_end__waits_for_the_empty_line(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nA: b\r\n\r\nGET";
	const size_t head = sizeof(text) - 4;
	size_t scanned = 0;

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++)
		assert_int_equal(http_head_end(text, len, &scanned, &status),
				 len < head ? 0 : head);
}

static void http_head_end__keeps_to_its_limits(void **state)
{
	static char big[HTTP_HEAD_MAX + 2];
	size_t scanned = 0;

	(void)state;
	memset(big, 'a', sizeof(big));
	assert_int_equal(http_head_end(big, HTTP_LINE_MAX, &scanned, &status), 0);
	assert_int_equal(http_head_end(big, HTTP_LINE_MAX + 1, &scanned, &status), -EPROTO);
	assert_int_equal(status, 414);

	memcpy(big, "GET / HTTP/1.1\r\nA: ", 19);
	scanned = 0;
	assert_int_equal(http_head_end(big, HTTP_HEAD_MAX - 1, &scanned, &status), 0);
	assert_int_equal(http_head_end(big, HTTP_HEAD_MAX, &scanned, &status), -EPROTO);
	assert_int_equal(status, 431);
	memcpy(big + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	scanned = 0;
	assert_int_equal(http_head_end(big, HTTP_HEAD_MAX, &scanned, &status), HTTP_HEAD_MAX);
	memcpy(big + HTTP_HEAD_MAX - 4, "a\r\n\r\n", 5);
	scanned = 0;
	assert_int_equal(http_head_end(big, HTTP_HEAD_MAX + 1, &scanned, &status), -EPROTO);
	assert_int_equal(status, 431);
}

static void http_parse__refuses_a_line_or_fields_too_many(void **state)
{
	static char text[HTTP_HEAD_MAX + 64];
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text), "GET /%02048d HTTP/1.1\r\n\r\n", 0);
	assert_int_equal(parse_bytes(text, n), -EPROTO);
	assert_int_equal(status, 414);
	for (unsigned cnt = HTTP_FIELDS_MAX; cnt <= HTTP_FIELDS_MAX + 1; cnt++) {
		n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n");
		for (unsigned i = 0; i < cnt; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "A%u: b\r\n", i);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
		assert_int_equal(parse_bytes(text, n), cnt > HTTP_FIELDS_MAX ? -EPROTO : (int)n);
		if (cnt > HTTP_FIELDS_MAX)
			assert_int_equal(status, 431);
	}
}

static int target(const char *text)
{
	memset(&req, 0, sizeof(req));
	return http_target_parse((struct http_text){ text, strlen(text) }, &req);
}

static void http_target_parse__decodes_once(void **state)
{
	static const char *const good[][2] = {
		{ "/", "" },         { "/a", "a" },           { "/a/", "a" },
		{ "/a//", "a/" },    { "//", "/" },           { "//a", "/a" },
		{ "/a//b", "a//b" }, { "/a%20b", "a b" },     { "/%61%2Db", "a-b" },
		{ "/%2541", "%41" }, { "/a?b/../c%zz", "a" }, { "/?", "" },
		{ "/...", "..." },   { "/.a/a.", ".a/a." },   { "/%c3%a4", "\xc3\xa4" },
		{ "http://h", "" },  { "HTTP://h/", "" },     { "http://h:80/a", "a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (target(good[i][0]) < 0)
			fail_msg("refused: %s", good[i][0]);
		assert_string_equal(req.path, good[i][1]);
		assert_int_equal(req.absolute, good[i][0][0] != '/');
	}
	assert_int_equal(target("http://u@h:1/a"), 0);
	assert_true(http_text_is(req.authority, "u@h:1"));
	assert_int_equal(target("http://169.254.169.254?x"),
			 -EPROTO); /* no path before the query */
}

static void http_target_parse__refuses_what_has_two_meanings(void **state)
{
	static const char *const bad[] = {
		"",          "*",      "a",          "a:80",     "/a b",    "/%",
		"/%2",       "/%zz",   "/%00",       "/%0a",     "/%7f",    "/%2f",
		"/a%2Fb",    "/.",     "/..",        "/./a",     "/../a",   "/a/..",
		"/a/./b",    "/%2e",   "/%2E%2e/a",  "/.%2e/a",  "/a#b",    "/a?b#c",
		"/\xc3\xa4", "/a\x7f", "https://h/", "ftp://h/", "http:/h", "http://h#a",
		"/a?\x01",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (target(bad[i]) != -EPROTO)
			fail_msg("accepted: %s", bad[i]);
}

static void http_answer_head__says_what_follows(void **state)
{
	struct http_answer a = { .status = 200, .type = "text/plain", .body_len = 56, .ttl_s = 60 };
	char head[HTTP_ANSWER_HEAD_MAX + 1];

	(void)state;
	head[http_answer_head(&a, head)] = '\0';
	assert_string_equal(head, "HTTP/1.1 200 OK\r\nServer: EC2ws\r\nContent-Type: text/plain\r\n"
				  "Content-Length: 56\r\n"
				  "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n");
	a = (struct http_answer){
		.status = 405, .type = "text/plain", .allow = "GET", .close = true
	};
	head[http_answer_head(&a, head)] = '\0';
	assert_string_equal(head, "HTTP/1.1 405 Method Not Allowed\r\nServer: EC2ws\r\n"
				  "Content-Type: text/plain\r\nContent-Length: 0\r\nAllow: GET\r\n"
				  "Connection: close\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_parse__reads_a_request),
		cmocka_unit_test(http_parse__knows_methods_and_versions),
		cmocka_unit_test(http_parse__counts_fields_that_come_twice),
		cmocka_unit_test(http_parse__refuses_what_is_no_request),
		cmocka_unit_test(http_head_end__waits_for_the_empty_line),
		cmocka_unit_test(http_head_end__keeps_to_its_limits),
		cmocka_unit_test(http_parse__refuses_a_line_or_fields_too_many),
		cmocka_unit_test(http_target_parse__decodes_once),
		cmocka_unit_test(http_target_parse__refuses_what_has_two_meanings),
		cmocka_unit_test(http_answer_head__says_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
