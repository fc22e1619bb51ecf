/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A whole connection. First byte: how the rest is split and which options are set. Two connections get the same bytes, one at
 * once, one in pieces: their answers are the same, byte for byte. The tree holds a secret, which never comes out unless the
 * request carried a token; byte 0x01 stands for one.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "metadata/http_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char secret[] = "The-Secret";

static struct tree tree;
static struct imds start; /* every run begins with it */
static struct http_conn conn;

struct output {
	size_t len;
	unsigned answers;
	bool full;
	char b[1 << 20];
};
static struct output one, pieces;

static void world_make(void)
{
	tree_clear(&tree);
	must(tree_put(&tree, "meta-data/instance-id", secret, sizeof(secret) - 1, false) == 0);
	must(tree_put(&tree, "meta-data/tags/a b", secret, sizeof(secret) - 1, false) == 0);
	must(tree_put(&tree, "user-data", secret, sizeof(secret) - 1, false) == 0);
	must(tokens_init(&start.tokens) == 0);
	tokens_bind(&start.tokens, "i-1");
	start.tree = &tree;
	memcpy(start.options.domain, "x", 2);
}

/* One answer: a head with a length, a body of that length. */
static void answer_check(const struct http_conn *c)
{
	const char *head = c->out + c->out_off, *end;
	size_t len = c->out_end - c->out_off;
	long status, body;

	must(len > 30 && !memcmp(head, "HTTP/1.1 ", 9));
	end = memmem(head, len, "\r\n\r\n", 4);
	must(end);
	status = strtol(head + 9, NULL, 10);
	must(status == 200 || (status >= 400 && status <= 505));
	body = strtol((const char *)memmem(head, len, "Content-Length: ", 16) + 16, NULL, 10);
	must((size_t)body == (size_t)(head + len - (end + 4)));
}

static void answers_take(struct http_conn *c, struct imds *m, struct output *o)
{
	struct bucket unlimited;
	uint64_t wait_ns;

	bucket_init(&unlimited, 0, 0, 0);
	while (!c->close) {
		size_t n;

		if (http_conn_step(c, m, &unlimited, 1, &wait_ns) == STEP_MORE)
			return;
		answer_check(c);
		n = c->out_end - c->out_off;
		o->full |= n > sizeof(o->b) - o->len;
		if (!o->full) {
			memcpy(o->b + o->len, c->out + c->out_off, n);
			o->len += n;
		}
		o->answers++;
		c->out_off = c->out_end = 0;
	}
}

/* @split: 0: as much at a time as there is room for. */
static void play(const uint8_t *p, size_t size, unsigned split, uint8_t options, struct output *o)
{
	struct imds m = start;
	uint32_t x = split;

	m.options.set = true;
	m.options.enabled = !(options & 1);
	m.options.tokens_optional = (options & 2) && !(options & 1);
	http_conn_reset(&conn);
	o->len = o->answers = 0;
	o->full = false;
	while (size && !conn.close) {
		size_t n = sizeof(conn.in) - conn.in_len;

		must(n > 0); /* a full buffer without an answer would be for ever */
		if (split) {
			x = x * 1664525 + 1013904223;
			n = min_u64(n, 1 + (x >> 24) % 16);
		}
		n = min_u64(n, size);
		memcpy(conn.in + conn.in_len, p, n);
		conn.in_len += n;
		p += n;
		size -= n;
		answers_take(&conn, &m, o);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t text[1 << 18];
	char token[TOKEN_CHARS];
	struct imds m;
	bool tokens = false;
	size_t i, n = 0;

	if (!start.tree)
		world_make();
	if (size < 1)
		return 0;
	m = start;
	token_make(&m.tokens, 60, 0, token);
	for (i = 1; i < size && n < sizeof(text) - TOKEN_CHARS; i++) {
		if (data[i] == 1) {
			memcpy(text + n, token, TOKEN_CHARS);
			n += TOKEN_CHARS;
			tokens = true;
		} else {
			text[n++] = data[i];
		}
	}
	play(text, n, 0, data[0], &one);
	play(text, n, 1u + (data[0] >> 2), data[0], &pieces);
	/* A head that is too long may be noticed as a line that is: then only the last answer differs. */
	must(one.answers == pieces.answers && one.full == pieces.full);
	if (!memmem(one.b, one.len, " 414 ", 5) && !memmem(pieces.b, pieces.len, " 414 ", 5))
		must(one.len == pieces.len && memcmp(one.b, pieces.b, one.len) == 0);
	if (!tokens && !(data[0] & 2))
		must(!memmem(one.b, one.len, secret, sizeof(secret) - 1));
	if (data[0] & 1)
		must(!memmem(one.b, one.len, secret, sizeof(secret) - 1));
	return 0;
}
