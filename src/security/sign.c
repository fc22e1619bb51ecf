/* SPDX-License-Identifier: Apache-2.0 */
#include "security/sign.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

/*
 * The grammar, with blanks between all tokens:
 *	document: '{' [member {',' member}] '}'      member: name ':' value
 *	value: scalar | '[' [scalar {',' scalar}] ']'
 * spec: rfc-8259 §2 to §7, narrowed as sign.h says
 */

struct text {
	const char *p; /* into the document */
	size_t len;
};

struct scanner {
	struct rd in;
	struct text name[SIGN_MEMBERS_MAX];
	unsigned name_cnt;
	struct text instance, account;
};

/* The byte that comes next, without taking it; -1 at the end. */
static int peek(const struct scanner *s)
{
	return s->in.left ? s->in.p[0] : -1;
}

static void blanks(struct scanner *s)
{
	while (s->in.left && strchr(" \t\r\n", s->in.p[0]) && s->in.p[0])
		rd_skip(&s->in, 1);
}

/* Takes @c when it comes next. */
static bool got(struct scanner *s, char c)
{
	if (peek(s) != c)
		return false;
	rd_skip(&s->in, 1);
	return true;
}

static bool digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool letter_or_digit(int c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool hex_digit(int c)
{
	return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What follows a backslash. */
static bool escape(struct scanner *s)
{
	uint8_t c = rd_u8(&s->in);
	int i;

	if (c == 'u') {
		for (i = 0; i < 4; i++)
			if (!hex_digit(rd_u8(&s->in)))
				return false;
		return true;
	}
	return c && strchr("\"\\/bfnrt", c);
}

/* A string, quotes included. @ret: what is between them; empty when it has escapes. */
static bool string(struct scanner *s, struct text *ret)
{
	bool escaped = false;
	const uint8_t *start;
	uint8_t c;

	if (!got(s, '"'))
		return false;
	start = s->in.p;
	for (;;) {
		c = rd_u8(&s->in);
		if (c == '"')
			break;
		if (s->in.bad || c < ' ' || c > '~')
			return false;
		if (c != '\\')
			continue;
		escaped = true;
		if (!escape(s))
			return false;
	}
	ret->p = (const char *)start;
	ret->len = escaped ? 0 : (size_t)(s->in.p - start) - 1;
	return true;
}

static bool digits(struct scanner *s)
{
	if (!digit(peek(s)))
		return false;
	while (digit(peek(s)))
		rd_skip(&s->in, 1);
	return true;
}

static bool number(struct scanner *s)
{
	(void)got(s, '-');
	if (!got(s, '0') && !digits(s))
		return false;
	if (got(s, '.') && !digits(s))
		return false;
	if (got(s, 'e') || got(s, 'E')) {
		if (!got(s, '+'))
			(void)got(s, '-');
		return digits(s);
	}
	return true;
}

static bool word(struct scanner *s, const char *w)
{
	for (; *w; w++)
		if (!got(s, *w))
			return false;
	return true;
}

static bool scalar(struct scanner *s, struct text *ret)
{
	int c = peek(s);

	*ret = (struct text){ NULL, 0 };
	if (c == '"')
		return string(s, ret);
	if (c == 't')
		return word(s, "true");
	if (c == 'f')
		return word(s, "false");
	if (c == 'n')
		return word(s, "null");
	return number(s);
}

static bool list(struct scanner *s)
{
	struct text ignored;

	blanks(s);
	if (got(s, ']'))
		return true;
	for (;;) {
		blanks(s);
		if (!scalar(s, &ignored))
			return false;
		blanks(s);
		if (got(s, ']'))
			return true;
		if (!got(s, ','))
			return false;
	}
}

/* @ret: a string without escapes; else empty. */
static bool value(struct scanner *s, struct text *ret)
{
	*ret = (struct text){ NULL, 0 };
	if (got(s, '['))
		return list(s);
	return scalar(s, ret);
}

static bool is(const struct text *t, const char *s)
{
	return t->len == strlen(s) && memcmp(t->p, s, t->len) == 0;
}

static bool name(struct scanner *s, struct text *ret)
{
	size_t i;

	if (!string(s, ret) || !ret->len || s->name_cnt == SIGN_MEMBERS_MAX)
		return false;
	for (i = 0; i < ret->len; i++)
		if (!letter_or_digit(ret->p[i]))
			return false;
	for (i = 0; i < s->name_cnt; i++)
		if (s->name[i].len == ret->len && strncasecmp(s->name[i].p, ret->p, ret->len) == 0)
			return false;
	s->name[s->name_cnt++] = *ret;
	return true;
}

/* Names that only differ in case from the two that count are refused: some readers take them for these. */
static bool note(struct scanner *s, const struct text *n, const struct text *v)
{
	static const char instance[] = "instanceId", account[] = "accountId";

	if (n->len == sizeof(instance) - 1 && strncasecmp(n->p, instance, n->len) == 0) {
		s->instance = *v;
		return is(n, instance) && v->len;
	}
	if (n->len == sizeof(account) - 1 && strncasecmp(n->p, account, n->len) == 0) {
		s->account = *v;
		return is(n, account) && v->len;
	}
	return true;
}

static bool member(struct scanner *s)
{
	struct text n, v;

	blanks(s);
	if (!name(s, &n))
		return false;
	blanks(s);
	if (!got(s, ':'))
		return false;
	blanks(s);
	return value(s, &v) && note(s, &n, &v);
}

static bool document(struct scanner *s)
{
	blanks(s);
	if (!got(s, '{'))
		return false;
	for (;;) {
		if (!member(s))
			return false;
		blanks(s);
		if (got(s, '}'))
			break;
		if (!got(s, ','))
			return false;
	}
	blanks(s);
	return !s->in.left && !s->in.bad;
}

int sign_document_check(const void *doc, size_t len, const char *instance, const char *account)
{
	struct scanner s = { .in = rd_init(doc, len) };

	if (len > SIGN_DOCUMENT_MAX)
		return -EFBIG;
	if (!document(&s) || !s.instance.len)
		return -EINVAL;
	if (!is(&s.instance, instance))
		return -EACCES;
	if (account[0] && s.account.len && !is(&s.account, account))
		return -EACCES;
	return 0;
}
