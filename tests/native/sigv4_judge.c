/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Judges a stream of requests as the API does, for sigv4_botocore.py. Standard input holds records; for each one byte goes
 * out: '1' accepted, else why not. Signing keys are kept as the API keeps them.
 *
 *   file    = u32 count of secrets, (text id, text secret) ..., records until the end
 *   record  = u64 time now, u8 unsigned bodies allowed, text method, path, query, u32 count of headers, (text name, value) ...,
 *             text body
 *   text    = u32 length, bytes;  numbers are little-endian
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/sigv4.h"

enum { SECRETS_MAX = 16, KEYS_MAX = 4096, INPUT_STEP = 1 << 20 };

static struct {
	struct sigv4_span id;
	struct key *secret;
} secret[SECRETS_MAX];
static size_t secret_cnt;

static struct {
	char name[256];
	struct key *k;
} kept[KEYS_MAX];
static size_t kept_cnt;

static struct sigv4_span text(struct rd *in)
{
	uint32_t len = rd_le32(in);
	struct sigv4_span s = { (const char *)in->p, len };

	rd_skip(in, len);
	must(!in->bad);
	return s;
}

static bool same(struct sigv4_span a, struct sigv4_span b)
{
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

static const struct key *secret_of(struct sigv4_span id)
{
	for (size_t k = 0; k < secret_cnt; k++)
		if (same(secret[k].id, id))
			return secret[k].secret;
	return NULL;
}

static const struct key *signing_key(const struct sigv4 *s, const struct key *of)
{
	char name[256], region[SIGV4_NAME_MAX + 1], service[SIGV4_NAME_MAX + 1];
	size_t at = 0;

	snprintf(region, sizeof(region), "%.*s", (int)s->region.len, s->region.p);
	snprintf(service, sizeof(service), "%.*s", (int)s->service.len, s->service.p);
	snprintf(name, sizeof(name), "%.*s/%s/%s/%s", (int)s->access_key_id.len, s->access_key_id.p,
		 s->date, region, service);
	while (at < kept_cnt && strcmp(kept[at].name, name) != 0)
		at++;
	if (at < kept_cnt)
		return kept[at].k;
	if (kept_cnt == KEYS_MAX)
		key_free(kept[at = 0].k);
	else
		kept_cnt++;
	memcpy(kept[at].name, name, sizeof(name));
	must(sigv4_derive(of, s->date, region, service, &kept[at].k) == 0);
	return kept[at].k;
}

/* Return: the byte that is said. */
static char judge(const struct sigv4_request *r, uint64_t now_s)
{
	const struct key *of;
	struct sigv4 s;
	int err = sigv4_parse(r, &s);

	if (err < 0)
		return err == -ENODATA ? 'n' : 'p';
	if (sigv4_time_check(&s, now_s) < 0)
		return 't';
	of = secret_of(s.access_key_id);
	if (!of || s.token.len > 0)
		return 'k';
	err = sigv4_verify(r, &s, signing_key(&s, of));
	return err == 0 ? '1' : err == -EBADMSG ? 'b' : 's';
}

static void record(struct rd *in)
{
	struct sigv4_header header[SIGV4_HEADERS_MAX];
	struct sigv4_request r = { .header = header };
	uint64_t now_s = rd_le64(in);

	r.unsigned_payload = rd_u8(in) != 0;
	r.method = text(in);
	r.path = text(in);
	r.query = text(in);
	r.header_cnt = rd_le32(in);
	must(r.header_cnt <= SIGV4_HEADERS_MAX);
	for (size_t k = 0; k < r.header_cnt; k++) {
		header[k].name = text(in);
		header[k].value = text(in);
	}
	r.body = text(in);
	putchar(judge(&r, now_s));
}

static uint8_t *input(size_t *ret_len)
{
	size_t cap = INPUT_STEP, len = 0, n;
	uint8_t *p = malloc(cap);

	must(p);
	while ((n = fread(p + len, 1, cap - len, stdin)) > 0) {
		len += n;
		if (len == cap) {
			cap *= 2;
			p = realloc(p, cap);
			must(p);
		}
	}
	*ret_len = len;
	return p;
}

int main(void)
{
	size_t len = 0;
	uint8_t *p = input(&len);
	struct rd in = rd_init(p, len);
	uint32_t cnt = rd_le32(&in);

	if (crypto_init() < 0 || cnt > SECRETS_MAX)
		return 1;
	for (; secret_cnt < cnt; secret_cnt++) {
		struct sigv4_span s;

		secret[secret_cnt].id = text(&in);
		s = text(&in);
		must(key_new_from(s.p, s.len, &secret[secret_cnt].secret) == 0);
	}
	while (in.left > 0)
		record(&in);
	free(p);
	return fflush(stdout) == 0 ? 0 : 1;
}
