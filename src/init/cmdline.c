/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "init.h"

static int word_store(const char *value, size_t len, char ret[INIT_WORD_MAX])
{
	if (len == 0 || len >= INIT_WORD_MAX)
		return -EPROTO;
	memcpy(ret, value, len);
	ret[len] = '\0';
	return 0;
}

static int flag_store(const char *value, size_t len, bool *ret)
{
	if (len != 1 || (*value != '0' && *value != '1'))
		return -EPROTO;
	*ret = *value == '1';
	return 0;
}

static bool word_is(const char *word, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(word, name, len) == 0;
}

static int word_parse(const char *word, size_t len, struct init_conf *c)
{
	const char *eq = memchr(word, '=', len);
	size_t name_len = eq ? (size_t)(eq - word) : len;
	size_t value_len = eq ? len - name_len - 1 : 0;

	if (!eq)
		return -EPROTO;
	if (word_is(word, name_len, "niter.mode"))
		return word_store(eq + 1, value_len, c->mode);
	if (word_is(word, name_len, "niter.state"))
		return word_store(eq + 1, value_len, c->state);
	if (word_is(word, name_len, "niter.tpm-kind"))
		return word_store(eq + 1, value_len, c->tpm_kind);
	if (word_is(word, name_len, "niter.lab"))
		return flag_store(eq + 1, value_len, &c->lab);
	if (word_is(word, name_len, "niter.wait-go"))
		return flag_store(eq + 1, value_len, &c->wait_go);
	return -EPROTO;
}

int init_cmdline_parse(const char *text, struct init_conf *ret)
{
	struct init_conf c = { .mode = "server", .tpm_kind = "hardware" };
	int r;

	while (*text) {
		size_t len = strcspn(text, " \n");

		if (strncmp(text, "niter.", 6) == 0) {
			r = word_parse(text, len, &c);
			if (r < 0)
				return r;
		}
		text += len;
		text += strspn(text, " \n");
	}
	if (strcmp(c.mode, "server") != 0 && strcmp(c.mode, "simulated") != 0)
		return -EPROTO;
	*ret = c;
	return 0;
}
