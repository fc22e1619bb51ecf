/* SPDX-License-Identifier: Apache-2.0 */

#include "ec2_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "controller/core_net.h"
#include "controller/store_priv.h"
#include "crypto/hash.h"

enum { BODY_MAX = 64 * 1024, VALUES = 8, VALUE_MAX = 1024 };

struct ec2_world ew;

static uint64_t fake_now(void *ptr)
{
	(void)ptr;
	return ew.now_ms++;
}

static int fake_random(void *ptr, void *buf, size_t len)
{
	(void)ptr;
	for (size_t k = 0; k < len; k++) {
		ew.rnd ^= ew.rnd << 13;
		ew.rnd ^= ew.rnd >> 7;
		ew.rnd ^= ew.rnd << 17;
		((uint8_t *)buf)[k] = (uint8_t)(ew.rnd >> 24);
	}
	return 0;
}

static int acts_take(struct daemon *d, const struct core_acts *acts)
{
	struct core_acts copy = { .v = NULL };

	(void)d;
	copy.v = malloc(acts->cnt * sizeof(acts->v[0]));
	must(copy.v);
	memcpy(copy.v, acts->v, acts->cnt * sizeof(acts->v[0]));
	copy.cnt = copy.cap = acts->cnt;
	return core_acts_move(&ew.acts, &copy);
}

static void account_add(const char *id, const char *name)
{
	struct account a = { .created_ms = ew.now_ms++ };

	snprintf(a.id, sizeof(a.id), "%s", id);
	snprintf(a.name, sizeof(a.name), "%s", name);
	must(store_put(ew.core.st, &tbl_accounts, &a) == 0);
}

static void image_add(const char *id, const char *account, const char *name)
{
	struct image i = { .architecture = "x86_64",
			   .cmdline = "x",
			   .kernel_bytes = 1,
			   .disk_bytes = (uint64_t)3 << 30,
			   .created_ms = ew.now_ms++ };
	struct fault f;

	snprintf(i.id, sizeof(i.id), "%s", id);
	snprintf(i.account, sizeof(i.account), "%s", account);
	snprintf(i.name, sizeof(i.name), "%s", name);
	must(core_image_add(&ew.core, &i, &f) == 0);
}

void ec2_world_start(void)
{
	static const struct ec2_sink sink = { .acts = acts_take };

	ec2_world_stop();
	ew.now_ms = 1795340715000;
	ew.rnd = 88172645463325252;
	ew.core.env = (struct core_env){ fake_now, fake_random, NULL };
	must(store_open(":memory:", &ew.core.st) == 0);
	account_add(EC2_A, "a");
	account_add(EC2_B, "b");
	must(core_net_init(&ew.core) == 0);
	must(core_net_account(&ew.core, EC2_B) == 0);
	image_add("ami-0123456789abcdef0", EC2_A, "debian");
	ec2_sink_set(&sink);
}

void ec2_world_stop(void)
{
	store_free(ew.core.st);
	core_acts_done(&ew.acts);
	free(ew.body);
	ew = (struct ec2_world){ .status = 0 };
}

unsigned ec2_ask(const char *account, const char *body)
{
	static char full[BODY_MAX];
	int n = snprintf(full, sizeof(full), "%s&Version=2016-11-15", body);

	must(n > 0 && (size_t)n < sizeof(full));
	return ec2_ask_raw(account, full, (size_t)n);
}

unsigned ec2_ask_raw(const char *account, const char *body, size_t len)
{
	char *answer = NULL;

	free(ew.body);
	ew.body = NULL;
	must(ec2_handle(NULL, &ew.core, account, body, len, NULL, &ew.status, &answer, &ew.len) ==
	     0);
	ew.body = realloc(answer, ew.len + 1);
	must(ew.body);
	ew.body[ew.len] = '\0';
	return ew.status;
}

unsigned ec2_askf(const char *fmt, ...)
{
	static char body[BODY_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(body, sizeof(body), fmt, ap);
	va_end(ap);
	must(n > 0 && (size_t)n < sizeof(body));
	return ec2_ask(EC2_A, body);
}

bool ec2_answer_has(const char *text)
{
	return strstr(ew.body, text) != NULL;
}

size_t ec2_answer_count(const char *text)
{
	size_t cnt = 0;

	for (const char *p = ew.body; (p = strstr(p, text)); p += strlen(text))
		cnt++;
	return cnt;
}

static void unescape(char *s)
{
	static const char *const from[] = { "&lt;", "&gt;", "&quot;", "&#13;", "&amp;" };
	static const char to[] = "<>\"\r&";
	char *out = s;

	while (*s) {
		size_t k = 0;

		while (k < ARRAY_SIZE(from) && strncmp(s, from[k], strlen(from[k])) != 0)
			k++;
		if (k < ARRAY_SIZE(from)) {
			*out++ = to[k];
			s += strlen(from[k]);
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

const char *ec2_answer_value(const char *name)
{
	static char values[VALUES][VALUE_MAX];
	static unsigned next;
	char *v = values[next++ % VALUES];
	char tag[128];
	const char *p, *end;

	v[0] = '\0';
	snprintf(tag, sizeof(tag), "<%s>", name);
	p = strstr(ew.body, tag);
	if (!p)
		return v;
	p += strlen(tag);
	end = strchr(p, '<');
	must(end && (size_t)(end - p) < VALUE_MAX);
	memcpy(v, p, (size_t)(end - p));
	v[end - p] = '\0';
	unescape(v);
	return v;
}

bool ec2_refused(const char *code)
{
	return ew.status != 200 && strcmp(ec2_answer_value("Code"), code) == 0;
}

void ec2_world_digest(uint8_t ret[32])
{
	struct {
		uint8_t before[32], rows[32];
	} both = { .before = { 0 } };

	for (size_t t = 0; t < STORE_TABLES; t++) {
		void *rows = NULL;
		size_t cnt = 0;

		if (store_tables[t]->on_demand)
			continue;
		must(store_list(ew.core.st, store_tables[t], &rows, &cnt) == 0);
		must(hash_sha256(rows ? rows : "", cnt * store_tables[t]->row_bytes, both.rows) ==
		     0);
		must(hash_sha256(&both, sizeof(both), both.before) == 0);
		free(rows);
	}
	memcpy(ret, both.before, sizeof(both.before));
}
