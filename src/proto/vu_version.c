/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/vfio_user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

/*
 * The VERSION message and its JSON. The hypervisor links no JSON library for four numbers, so this file reads just enough:
 * a strict walk over one value that picks the capabilities it knows by name. Names and values it does not know are
 * checked for grammar and skipped. A known name with another type, twice, or beyond 2^53 breaks the protocol.
 */

enum {
	JSON_DEPTH_MAX = 8,

	/* spec: vfio-user "Version", defaults of what is left out */
	DEFAULT_MSG_FDS = 1,
	DEFAULT_XFER_BYTES = 1 << 20,
	DEFAULT_DMA_MAPS = 65535,
	DEFAULT_PGSIZES = 4096,
};

#define JSON_NUMBER_MAX ((uint64_t)1 << 53)

struct json {
	const char *p; /* next character */
	const char *end;
	bool bad;
};

/* A known capability: where its number goes. */
struct cap {
	const char *name;
	uint64_t *ret;
	bool seen;
};

enum { CAPS = 4 };

static void json_space(struct json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
		j->p++;
}

/* json_peek(): next character that is not a blank, 0 at the end. */
static char json_peek(struct json *j)
{
	json_space(j);
	return j->p < j->end ? *j->p : 0;
}

static void json_expect(struct json *j, char c)
{
	if (json_peek(j) == c && c)
		j->p++;
	else
		j->bad = true;
}

static bool json_accept(struct json *j, char c)
{
	if (json_peek(j) != c)
		return false;
	j->p++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind a backslash. */
static void json_escape(struct json *j)
{
	unsigned i;
	char c = j->p < j->end ? *j->p++ : 0;

	if (c && strchr("\"\\/bfnrt", c))
		return;
	if (c != 'u')
		j->bad = true;
	for (i = 0; i < 4 && !j->bad; i++)
		if (j->p == j->end || !is_hex(*j->p++))
			j->bad = true;
}

/* Gives the raw characters between the quotes, escapes not resolved. */
static void json_string(struct json *j, const char **ret, size_t *ret_len)
{
	*ret = "";
	*ret_len = 0;
	json_expect(j, '"');
	if (j->bad)
		return;
	*ret = j->p;
	while (j->p < j->end && *j->p != '"' && !j->bad) {
		unsigned char c = (unsigned char)*j->p++;

		if (c < 0x20)
			j->bad = true;
		else if (c == '\\')
			json_escape(j);
	}
	if (j->bad || j->p == j->end) {
		j->bad = true;
		return;
	}
	*ret_len = (size_t)(j->p - *ret);
	j->p++;
}

static void json_digits(struct json *j)
{
	if (j->p == j->end || !is_digit(*j->p))
		j->bad = true;
	while (j->p < j->end && is_digit(*j->p))
		j->p++;
}

static void json_number(struct json *j)
{
	json_accept(j, '-');
	if (j->p < j->end && *j->p == '0')
		j->p++;
	else
		json_digits(j);
	if (j->p < j->end && *j->p == '.') {
		j->p++;
		json_digits(j);
	}
	if (j->p < j->end && (*j->p == 'e' || *j->p == 'E')) {
		j->p++;
		if (j->p < j->end && (*j->p == '+' || *j->p == '-'))
			j->p++;
		json_digits(j);
	}
}

/* A number a capability may have: digits only. */
static uint64_t json_count(struct json *j)
{
	uint64_t v = 0;
	const char *from;

	json_space(j);
	from = j->p;
	while (j->p < j->end && is_digit(*j->p) && v <= JSON_NUMBER_MAX)
		v = v * 10 + (uint64_t)(*j->p++ - '0');
	if (j->p == from || v > JSON_NUMBER_MAX || (*from == '0' && j->p - from > 1) ||
	    (j->p < j->end && strchr(".eE", *j->p)))
		j->bad = true;
	return v;
}

static void json_literal(struct json *j, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(j->end - j->p) < len || memcmp(j->p, word, len) != 0)
		j->bad = true;
	else
		j->p += len;
}

static void json_skip(struct json *j, unsigned depth);

static void json_skip_array(struct json *j, unsigned depth)
{
	json_expect(j, '[');
	if (json_accept(j, ']'))
		return;
	do
		json_skip(j, depth);
	while (!j->bad && json_accept(j, ','));
	json_expect(j, ']');
}

static void json_skip_object(struct json *j, unsigned depth)
{
	const char *name;
	size_t len;

	json_expect(j, '{');
	if (json_accept(j, '}'))
		return;
	do {
		json_string(j, &name, &len);
		json_expect(j, ':');
		if (!j->bad)
			json_skip(j, depth);
	} while (!j->bad && json_accept(j, ','));
	json_expect(j, '}');
}

/* Any value. */
static void json_skip(struct json *j, unsigned depth)
{
	const char *s;
	size_t len;

	if (depth == JSON_DEPTH_MAX) {
		j->bad = true;
		return;
	}
	switch (json_peek(j)) {
	case '{':
		json_skip_object(j, depth + 1);
		break;
	case '[':
		json_skip_array(j, depth + 1);
		break;
	case '"':
		json_string(j, &s, &len);
		break;
	case 't':
		json_literal(j, "true");
		break;
	case 'f':
		json_literal(j, "false");
		break;
	case 'n':
		json_literal(j, "null");
		break;
	default:
		json_number(j);
		break;
	}
}

static bool name_is(const char *s, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(s, name, len) == 0;
}

static void json_capability(struct json *j, const char *name, size_t len, struct cap caps[CAPS])
{
	unsigned i;

	for (i = 0; i < CAPS; i++) {
		if (!name_is(name, len, caps[i].name))
			continue;
		if (caps[i].seen)
			j->bad = true;
		caps[i].seen = true;
		*caps[i].ret = json_count(j);
		return;
	}
	json_skip(j, 2);
}

static void json_capabilities(struct json *j, struct cap caps[CAPS])
{
	const char *name;
	size_t len;

	json_expect(j, '{');
	if (json_accept(j, '}'))
		return;
	do {
		json_string(j, &name, &len);
		json_expect(j, ':');
		if (!j->bad)
			json_capability(j, name, len, caps);
	} while (!j->bad && json_accept(j, ','));
	json_expect(j, '}');
}

static void json_version(struct json *j, struct cap caps[CAPS])
{
	bool seen = false;
	const char *name;
	size_t len;

	json_expect(j, '{');
	if (json_accept(j, '}'))
		return;
	do {
		json_string(j, &name, &len);
		json_expect(j, ':');
		if (j->bad)
			return;
		if (name_is(name, len, "capabilities")) {
			if (seen)
				j->bad = true;
			seen = true;
			json_capabilities(j, caps);
		} else {
			json_skip(j, 1);
		}
	} while (!j->bad && json_accept(j, ','));
	json_expect(j, '}');
}

int vu_version_parse(struct rd *in, struct vu_version *ret)
{
	struct vu_version v = {
		.max_msg_fds = DEFAULT_MSG_FDS,
		.max_data_xfer_size = DEFAULT_XFER_BYTES,
		.max_dma_maps = DEFAULT_DMA_MAPS,
		.pgsizes = DEFAULT_PGSIZES,
	};
	struct cap caps[CAPS] = {
		{ "max_msg_fds", &v.max_msg_fds, false },
		{ "max_data_xfer_size", &v.max_data_xfer_size, false },
		{ "max_dma_maps", &v.max_dma_maps, false },
		{ "pgsizes", &v.pgsizes, false },
	};
	struct json j;

	v.major = rd_le16(in);
	v.minor = rd_le16(in);
	if (in->bad)
		return -EPROTO;
	if (in->left) {
		const char *text = (const char *)in->p;

		/* spec: vfio-user "Version": the text includes its terminating NUL */
		if (text[in->left - 1] != 0)
			return -EPROTO;
		j = (struct json){ .p = text, .end = text + in->left - 1 };
		json_version(&j, caps);
		if (j.bad || json_peek(&j) != 0 || j.p != j.end)
			return -EPROTO;
		rd_skip(in, in->left);
	}
	*ret = v;
	return 0;
}

void vu_version_write(struct wr *out, const struct vu_version *v)
{
	char text[256];
	int n;

	wr_le16(out, v->major);
	wr_le16(out, v->minor);
	n = snprintf(text, sizeof(text),
		     "{\"capabilities\":{\"max_msg_fds\":%llu,\"max_data_xfer_size\":%llu,"
		     "\"max_dma_maps\":%llu,\"pgsizes\":%llu}}",
		     (unsigned long long)v->max_msg_fds, (unsigned long long)v->max_data_xfer_size,
		     (unsigned long long)v->max_dma_maps, (unsigned long long)v->pgsizes);
	must(n > 0 && (size_t)n < sizeof(text));
	wr_bytes(out, text, (size_t)n + 1);
}
