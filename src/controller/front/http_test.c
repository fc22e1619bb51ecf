/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "controller/front/http.h"

#define HOST "Host: 127.0.0.1:8773\r\n"

/* In an exact allocation, so that a sanitizer sees the first byte read too far. */
static ssize_t read_once(const char *text, size_t len, struct http_reader *r,
			 struct http_request *ret, char **ret_buf)
{
	char *buf = malloc(len ? len : 1);

	assert_non_null(buf);
	memcpy(buf, text, len);
	memset(r, 0, sizeof(*r));
	*ret_buf = buf;
	return http_read(r, buf, len, ret);
}

static void takes(const char *text, struct http_request *ret)
{
	struct http_reader r;
	char *buf;

	assert_int_equal(read_once(text, strlen(text), &r, ret, &buf), strlen(text));
	free(buf); /* only lengths are looked at afterwards */
}

static void refuses_bytes(unsigned status, const char *text, size_t len)
{
	struct http_request q;
	struct http_reader r;
	char *buf;

	if (read_once(text, len, &r, &q, &buf) != -EPROTO || r.status != status)
		fail_msg("not refused with %u but %u: %s", status, r.status, text);
	assert_non_null(r.reason);
	free(buf);
}

static void refuses(unsigned status, const char *text)
{
	refuses_bytes(status, text, strlen(text));
}

static void http_read__understands_a_request_with_a_body(void **state)
{
	static const char text[] = "POST /?a=b HTTP/1.1\r\n" HOST
				   "Content-Length: 5\r\nX-Two:\t a b \r\nx-two:\r\n\r\nhello";
	struct http_request q;
	struct http_reader r;
	size_t cnt;
	char *buf;

	(void)state;
	assert_int_equal(read_once(text, sizeof(text) - 1, &r, &q, &buf), sizeof(text) - 1);
	assert_true(http_span_is(q.method, "POST"));
	assert_true(http_span_is(q.target, "/?a=b"));
	assert_true(http_span_is(q.path, "/"));
	assert_true(http_span_is(q.query, "a=b"));
	assert_int_equal(q.minor, 1);
	assert_false(q.close);
	assert_int_equal(q.header_cnt, 4);
	assert_true(http_span_is(q.header[2].value, "a b"));
	assert_int_equal(q.header[3].value.len, 0);
	assert_null(http_header_find(&q, "X-TWO", &cnt));
	assert_int_equal(cnt, 2);
	assert_non_null(http_header_find(&q, "HOST", &cnt));
	assert_int_equal(q.body_len, 5);
	assert_memory_equal(q.body, "hello", 5);
	free(buf);
}

static void http_read__stops_at_the_end_of_a_request(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n";
	struct http_request q;
	struct http_reader r;
	char *buf;

	(void)state;
	assert_int_equal(read_once(text, sizeof(text) - 1, &r, &q, &buf),
			 strlen("GET / HTTP/1.1\r\n" HOST "\r\n"));
	assert_int_equal(q.body_len, 0);
	free(buf);
}

static void http_read__waits_for_every_byte(void **state)
{
	static const char text[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
	struct http_reader r = { 0 };
	struct http_request q;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(http_read(&r, text, len, &q), 0);
	assert_int_equal(http_read(&r, text, sizeof(text) - 1, &q), sizeof(text) - 1);
}

static void http_read__refuses_lines_that_do_not_end_in_crlf(void **state)
{
	struct http_request q;

	(void)state;
	takes("GET / HTTP/1.1\r\n" HOST "\r\n", &q);
	refuses(400, "GET / HTTP/1.1\n");
	refuses(400, "GET / HTTP/1.1\r" HOST);
	refuses(400, "GET / HTTP/1.1\r\nA: b\nHost: x\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\nA: b\r\rHost: x\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST "\n");
	refuses(400, "\nGET / HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
}

static void http_read__refuses_control_characters_at_once(void **state)
{
	(void)state;
	refuses_bytes(400, "GET /\0", 6);
	refuses(400, "GET / HTTP/1.1\r\nA: \x01");
	refuses(400, "GET / HTTP/1.1\r\nA: \x7f");
}

static void http_read__refuses_other_request_lines(void **state)
{
	struct http_request q;

	(void)state;
	takes("DELETE /a/b HTTP/1.1\r\n" HOST "\r\n", &q);
	refuses(400, "GET  / HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET / HTTP/1.1 \r\n" HOST "\r\n");
	refuses(400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, " GET / HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "G(T / HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GETGETGETGETGETGET / HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET /\r\n\r\n");
	refuses(400, "GET / http/1.1\r\n" HOST "\r\n");
	refuses(400, "GET / HTTP/1.1.1\r\n" HOST "\r\n");
	refuses(505, "GET / HTTP/1.2\r\n" HOST "\r\n");
	refuses(505, "GET / HTTP/0.9\r\n" HOST "\r\n");
	refuses(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	refuses(400, "\r\n\r\n");
}

static void http_read__refuses_targets_that_are_no_path(void **state)
{
	struct http_request q;

	(void)state;
	takes("GET http://127.0.0.1:8773/x?y HTTP/1.1\r\n" HOST "\r\n", &q);
	assert_int_equal(q.path.len, 2);
	assert_int_equal(q.query.len, 1);
	takes("GET HTTPS://127.0.0.1:8773/ HTTP/1.1\r\n" HOST "\r\n", &q);
	refuses(400, "GET http://other/ HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET http://127.0.0.1:8773 HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET http://127.0.0.1:8773?q HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET http://user@127.0.0.1:8773/ HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET http:/// HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET ftp://127.0.0.1:8773/ HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET * HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "CONNECT 127.0.0.1:22 HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET x HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET /#x HTTP/1.1\r\n" HOST "\r\n");
	refuses(400, "GET /\xc3\xbc HTTP/1.1\r\n" HOST "\r\n");
}

static void http_read__refuses_malformed_headers(void **state)
{
	struct http_request q;

	(void)state;
	takes("GET / HTTP/1.1\r\n" HOST "A:b\r\n\r\n", &q);
	takes("GET / HTTP/1.1\r\n" HOST "A:\xc3\xbc\r\n\r\n", &q);
	refuses(400, "GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST "A\t: b\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST " A: b\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST "A\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST "\"A\": b\r\n\r\n");
}

static void http_read__refuses_missing_and_double_hosts(void **state)
{
	struct http_request q;

	(void)state;
	takes("GET / HTTP/1.0\r\n\r\n", &q);
	takes("GET / HTTP/1.1\r\nhost: [::1]:8773\r\n\r\n", &q);
	refuses(400, "GET / HTTP/1.1\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n");
	refuses(400, "GET / HTTP/1.0\r\n" HOST HOST "\r\n");
	refuses(400, "GET / HTTP/1.1\r\nHost:\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
	refuses(400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n");
}

static void http_read__refuses_every_doubt_about_the_length(void **state)
{
	struct http_request q;

	(void)state;
	takes("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", &q);
	refuses(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n");
	refuses(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\nx");
	refuses(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\nx");
	refuses(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nx");
	refuses(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\nx");
	refuses(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 01\r\n\r\nx");
	refuses(400, "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n");
	refuses(400, "POST / HTTP/1.1\r\n" HOST
		     "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx");
	refuses(400, "POST / HTTP/1.1\r\n" HOST
		     "transfer-encoding: identity\r\nContent-Length: 1\r\n\r\nx");
	refuses(501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	refuses(501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \r\n\r\n");
	refuses(501, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: identity\r\n\r\n");
}

static void http_read__bounds_body_head_and_headers(void **state)
{
	static char text[HTTP_HEAD_BYTES_MAX + 1024];
	struct http_reader r = { 0 };
	struct http_request q;
	size_t len, fill;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text),
			       "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n",
			       HTTP_BODY_BYTES_MAX);
	assert_int_equal(http_read(&r, text, len, &q), 0);
	assert_int_equal(r.body_len, HTTP_BODY_BYTES_MAX);
	refuses(413, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n");
	refuses(413, "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n");

	/* A head of exactly the limit, and of one byte more. */
	for (fill = 0; fill < 2; fill++) {
		len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "A: ");
		memset(text + len, 'x', sizeof(text) - len);
		memcpy(text + HTTP_HEAD_BYTES_MAX - 4 + fill, "\r\n\r\n", 4);
		memset(&r, 0, sizeof(r));
		if (fill == 0)
			assert_int_equal(http_read(&r, text, HTTP_HEAD_BYTES_MAX, &q),
					 HTTP_HEAD_BYTES_MAX);
		else
			refuses_bytes(431, text, HTTP_HEAD_BYTES_MAX + 1);
	}
	for (fill = HTTP_HEADERS_MAX - 1; fill <= HTTP_HEADERS_MAX; fill++) {
		len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);
		for (size_t k = 0; k < fill; k++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "A: b\r\n");
		len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
		if (fill < HTTP_HEADERS_MAX)
			takes(text, &q);
		else
			refuses(431, text);
	}
}

static void http_read__knows_what_is_expected(void **state)
{
	static const char text[] =
		"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n";
	struct http_reader r = { 0 };
	struct http_request q;

	(void)state;
	assert_int_equal(http_read(&r, text, sizeof(text) - 1, &q), 0);
	assert_true(r.expects);
	refuses(417, "POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n");
	refuses(417,
		"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n");
}

static void http_read__knows_when_the_connection_ends(void **state)
{
	struct http_request q;

	(void)state;
	takes("GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n", &q);
	assert_false(q.close);
	takes("GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", &q);
	assert_true(q.close);
	takes("GET / HTTP/1.1\r\n" HOST "Connection: x\r\nConnection: close\r\n\r\n", &q);
	assert_true(q.close);
	takes("GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n", &q);
	assert_true(q.close);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_read__understands_a_request_with_a_body),
		cmocka_unit_test(http_read__stops_at_the_end_of_a_request),
		cmocka_unit_test(http_read__waits_for_every_byte),
		cmocka_unit_test(http_read__refuses_lines_that_do_not_end_in_crlf),
		cmocka_unit_test(http_read__refuses_control_characters_at_once),
		cmocka_unit_test(http_read__refuses_other_request_lines),
		cmocka_unit_test(http_read__refuses_targets_that_are_no_path),
		cmocka_unit_test(http_read__refuses_malformed_headers),
		cmocka_unit_test(http_read__refuses_missing_and_double_hosts),
		cmocka_unit_test(http_read__refuses_every_doubt_about_the_length),
		cmocka_unit_test(http_read__bounds_body_head_and_headers),
		cmocka_unit_test(http_read__knows_what_is_expected),
		cmocka_unit_test(http_read__knows_when_the_connection_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
