/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char blanks[] = " \t\n";

/* @len bytes at @p as a string. -EINVAL if too long for @cap. */
static int word_copy(const char *p, size_t len, char *ret, size_t cap)
{
	if (len >= cap)
		return -EINVAL;
	memcpy(ret, p, len);
	ret[len] = 0;
	return 0;
}

static int one_of(const char *v, const char *const *set)
{
	for (; *set; set++)
		if (!strcmp(v, *set))
			return 0;
	return -EINVAL;
}

static int flag(const char *v, bool *ret)
{
	*ret = v[0] == '1';
	return (v[0] == '0' || v[0] == '1') && !v[1] ? 0 : -EINVAL;
}

/* A device node's name directly below /dev. */
static int device(const char *v)
{
	if (strncmp(v, "/dev/", 5) != 0 || !v[5] || strchr(v + 5, '/') || v[5] == '.')
		return -EINVAL;
	return 0;
}

/* v is shorter than WORD_MAX: word_parse() looked. r: what its judge said of it. */
static int word_keep(char ret[WORD_MAX], const char *v, int r)
{
	memcpy(ret, v, strlen(v) + 1);
	return r;
}

/* An address in the dotted form that ends where @end points. Return: what follows, or NULL. */
static const char *address_parse(const char *p, const char *end_set, uint8_t ret[4])
{
	char text[INET_ADDRSTRLEN];
	size_t len = strcspn(p, end_set);

	if (word_copy(p, len, text, sizeof(text)) < 0 || inet_pton(AF_INET, text, ret) != 1 ||
	    !ret[0])
		return NULL;
	return p + len;
}

int link_parse(const char *text, bool has_gateway, struct link_conf *ret)
{
	static const char name_set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	struct link_conf c = { .name = "" };
	size_t len = strspn(text, name_set);
	const char *p = text + len;

	if (!len || *p++ != ',' || word_copy(text, len, c.name, sizeof(c.name)) < 0)
		return -EINVAL;
	p = address_parse(p, "/", c.addr);
	if (!p || *p++ != '/')
		return -EINVAL;
	len = strspn(p, "0123456789");
	if (len < 1 || len > 2)
		return -EINVAL;
	c.prefix = (unsigned)(p[0] - '0');
	if (len == 2)
		c.prefix = c.prefix * 10 + (unsigned)(p[1] - '0');
	p += len;
	if (c.prefix < 1 || c.prefix > 31)
		return -EINVAL;
	if (has_gateway) {
		p = *p == ',' ? address_parse(p + 1, "", c.gateway) : NULL;
		if (!p)
			return -EINVAL;
	}
	if (*p)
		return -EINVAL;
	*ret = c;
	return 0;
}

static int option(struct cmdline *c, const char *key, const char *v)
{
	static const char *const modes[] = { "server", "simulated", NULL };
	static const char *const tpms[] = { "hardware", "swtpm", NULL };
	static const char *const places[] = { "auto", "whole", "shared", NULL };

	if (!strcmp(key, "mode"))
		return word_keep(c->mode, v, one_of(v, modes));
	if (!strcmp(key, "tpm-kind"))
		return word_keep(c->tpm_kind, v, one_of(v, tpms));
	if (!strcmp(key, "placement"))
		return word_keep(c->placement, v, one_of(v, places));
	if (!strcmp(key, "state"))
		return word_keep(c->state, v, device(v));
	if (!strcmp(key, "uplink"))
		return link_parse(v, true, &c->uplink);
	if (!strcmp(key, "link"))
		return link_parse(v, false, &c->link);
	if (!strcmp(key, "lab"))
		return flag(v, &c->lab);
	if (!strcmp(key, "wait-go"))
		return flag(v, &c->wait_go);
	return -EINVAL;
}

static int word_parse(struct cmdline *c, const char *p, size_t len)
{
	static const char prefix[] = "niter.";
	char word[2 * WORD_MAX], *v;
	size_t skip = sizeof(prefix) - 1;

	if (len < skip || memcmp(p, prefix, skip) != 0)
		return 0;
	if (word_copy(p + skip, len - skip, word, sizeof(word)) < 0)
		return -EINVAL;
	v = strchr(word, '=');
	if (!v)
		return -EINVAL;
	*v++ = 0;
	if (strlen(v) >= WORD_MAX)
		return -EINVAL;
	return option(c, word, v);
}

int cmdline_parse(const char *text, struct cmdline *ret, char *ret_bad, size_t cap)
{
	struct cmdline c = { .mode = "server", .tpm_kind = "hardware", .placement = "auto" };
	size_t len;

	for (; *text; text += len) {
		text += strspn(text, blanks);
		len = strcspn(text, blanks);
		if (word_parse(&c, text, len) < 0) {
			(void)snprintf(ret_bad, cap, "%.*s", (int)len, text);
			return -EINVAL;
		}
	}
	*ret = c;
	return 0;
}

int module_next(const char **p, struct module *ret)
{
	static const char name_set[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *s = *p;
	size_t len, n;

	for (;;) {
		s += strspn(s, blanks);
		if (*s != '#')
			break;
		s += strcspn(s, "\n");
	}
	len = strcspn(s, "\n");
	*p = s + len;
	if (!len)
		return 0;
	n = strspn(s, name_set);
	if (!n || (s[n] && !strchr(blanks, s[n])) ||
	    word_copy(s, n, ret->name, sizeof(ret->name)) < 0)
		return -EINVAL;
	s += n;
	len -= n;
	n = strspn(s, " \t");
	s += n;
	len -= n;
	while (len && strchr(blanks, s[len - 1]))
		len--;
	return word_copy(s, len, ret->params, sizeof(ret->params)) < 0 ? -EINVAL : 1;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int go_parse(const char *line, uint8_t ret_seed[SEED_BYTES], int64_t *ret_seconds)
{
	uint8_t seed[SEED_BYTES];
	int64_t s = 0;
	size_t i;

	if (strncmp(line, "go ", 3) != 0)
		return -EPROTO;
	line += 3;
	for (i = 0; i < SEED_BYTES; i++, line += 2) {
		int hi = hex_digit(line[0]), lo = hi < 0 ? -1 : hex_digit(line[1]);

		if (lo < 0)
			return -EPROTO;
		seed[i] = (uint8_t)(hi << 4 | lo);
	}
	if (*line++ != ' ' || *line < '1' || *line > '9')
		return -EPROTO;
	for (i = 0; *line >= '0' && *line <= '9' && i < 12; i++)
		s = s * 10 + (*line++ - '0');
	if (strcmp(line, "\n") != 0)
		return -EPROTO;
	memcpy(ret_seed, seed, sizeof(seed));
	*ret_seconds = s;
	return 0;
}
