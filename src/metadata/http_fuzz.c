/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A request's head. However it arrives in pieces, its end is found at the same place; what was understood, written down
 * again in the plainest way, is understood the same; and a path means one thing only.
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "metadata/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char plain[16384];

static bool text_equal(struct http_text a, struct http_text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static void path_check(const char *path)
{
	const char *p;

	must(strlen(path) < HTTP_LINE_MAX);
	for (p = path; *p; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
	for (p = path;; p++) {
		size_t n = strcspn(p, "/");

		must(!(n == 1 && p[0] == '.') && !(n == 2 && p[0] == '.' && p[1] == '.'));
		p += n;
		if (!*p)
			return;
	}
}

/* @req as a head in which every character of the path is written as %XX. Return: bytes. */
static size_t plain_write(const struct http_request *req)
{
	static const char *const names[HTTP_FIELD_IDS] = {
		[HTTP_HOST] = "HOST",
		[HTTP_TOKEN] = "x-AWS-ec2-metadata-token",
		[HTTP_TTL] = "x-aws-ec2-metadata-token-TTL-seconds",
		[HTTP_FORWARDED_FOR] = "x-forwarded-for",
		[HTTP_LENGTH] = "content-length",
		[HTTP_TRANSFER] = "transfer-encoding",
		[HTTP_EXPECT] = "expect",
	};
	size_t n, id, i;

	n = (size_t)snprintf(plain, sizeof(plain), "%s ",
			     req->method == HTTP_GET   ? "GET"
			     : req->method == HTTP_PUT ? "PUT"
						       : "x");
	if (req->absolute)
		n += (size_t)snprintf(plain + n, sizeof(plain) - n, "http://%.*s",
				      (int)req->authority.len, req->authority.p);
	plain[n++] = '/';
	for (i = 0; req->path[i]; i++)
		n += (size_t)snprintf(plain + n, sizeof(plain) - n,
				      req->path[i] == '/' ? "/" : "%%%02x",
				      (unsigned)(unsigned char)req->path[i]);
	if (n > 1 && req->path[0] && req->path[strlen(req->path) - 1] == '/' &&
	    strlen(req->path) > 1)
		plain[n++] = '/'; /* an empty last segment: one '/' is taken away again */
	n += (size_t)snprintf(plain + n, sizeof(plain) - n, " HTTP/1.%u\r\n", req->minor);
	for (id = 0; id < HTTP_FIELD_IDS; id++)
		for (i = 0; names[id] && i < req->field[id].cnt; i++)
			n += (size_t)snprintf(plain + n, sizeof(plain) - n, "%s:%.*s\r\n",
					      names[id], i ? 0 : (int)req->field[id].value.len,
					      req->field[id].value.p);
	n += (size_t)snprintf(plain + n, sizeof(plain) - n, "%s\r\n",
			      req->close && req->minor ? "connection: close\r\n" : "");
	return n;
}

static void round_trip(const struct http_request *req)
{
	static struct http_request again;
	size_t len, scanned = 0, id;
	int status, n;

	if (3 * strlen(req->path) + req->authority.len > HTTP_LINE_MAX - 64)
		return;
	len = plain_write(req);
	if (len > HTTP_HEAD_MAX)
		return;
	n = http_head_end(plain, len, &scanned, &status);
	must(n > 0 && (size_t)n == len);
	must(http_parse(plain, len, &again, &status) == 0);
	must(again.method == req->method && again.minor == req->minor && again.close == req->close);
	must(again.absolute == req->absolute && text_equal(again.authority, req->authority));
	must(strcmp(again.path, req->path) == 0);
	for (id = 0; id < HTTP_CONNECTION; id++) {
		must(again.field[id].cnt == req->field[id].cnt);
		must(text_equal(again.field[id].value, req->field[id].value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_request req;
	const char *p = (const char *)data;
	size_t scanned = 0, len, at = 0;
	int status = 0, whole, piece = 0, r;

	whole = http_head_end(p, size, &scanned, &status);
	must(whole <= (int)min_u64(size, HTTP_HEAD_MAX));
	for (len = 0; len <= size && piece == 0; len++)
		piece = http_head_end(p, len, &at, &status);
	/* In pieces a line that is too long is noticed earlier than what comes behind it. */
	must(piece == whole || (piece < 0 && status == 414));
	if (whole <= 0)
		return 0;

	r = http_parse(p, (size_t)whole, &req, &status);
	must(r == 0 || status == 400 || status == 414 || status == 431 || status == 505);
	if (r < 0)
		return 0;
	path_check(req.path);
	round_trip(&req);
	return 0;
}
