/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Takes a guard away from niter-metadata, to show that a probe would get through without it. Linked into a variant of the
 * program (ld --wrap) that only tests/isolation/metadata_probes.py runs; the product holds none of this.
 * NITER_SABOTAGE: names of guards, by comma.
 */

#include <stdlib.h>
#include <string.h>

#include "metadata/guard.h"

/* clang-format off */
#define WRAPPED(type, name, ...) type __real_##name(__VA_ARGS__); type __wrap_##name(__VA_ARGS__)
WRAPPED(int, guard_framing, const struct http_request *req);
WRAPPED(int, guard_enabled, const struct imds *m);
WRAPPED(int, guard_host, const struct imds *m, const struct http_request *req);
WRAPPED(int, guard_method, const struct http_request *req, bool token_path);
WRAPPED(int, guard_forwarded, const struct http_request *req);
WRAPPED(int, guard_ttl, const struct http_request *req, unsigned *ret);
WRAPPED(int, guard_token, const struct imds *m, const struct http_request *req, uint64_t now_ns);
WRAPPED(int, guard_token_once, const struct http_request *req);
WRAPPED(int, guard_hop_limit, int fd, uint8_t hops);
WRAPPED(uint64_t, guard_rate, struct bucket *b, uint64_t now_ns);
WRAPPED(bool, guard_late, uint64_t deadline_ns, uint64_t now_ns);
WRAPPED(int, token_key_draw, uint8_t key[SIPHASH_KEY_BYTES]);
WRAPPED(bool, token_expired, uint64_t expiry_ns, uint64_t now_ns);
WRAPPED(bool, token_equal, const char *a, const char *b);
WRAPPED(void, token_mac, const struct tokens *t, const uint8_t claim[24], uint8_t ret[SIPHASH_BYTES]);
/* clang-format on */

static bool off(const char *guard)
{
	const char *list = getenv("NITER_SABOTAGE");
	size_t n = strlen(guard);

	for (; list && *list; list += strcspn(list, ","), list += *list == ',')
		if (!strncmp(list, guard, n) && (list[n] == ',' || !list[n]))
			return true;
	return false;
}

int __wrap_guard_framing(const struct http_request *req)
{
	return off("framing") ? 0 : __real_guard_framing(req);
}

int __wrap_guard_enabled(const struct imds *m)
{
	return off("enabled") ? 0 : __real_guard_enabled(m);
}

int __wrap_guard_host(const struct imds *m, const struct http_request *req)
{
	return off("host") ? 0 : __real_guard_host(m, req);
}

int __wrap_guard_method(const struct http_request *req, bool token_path)
{
	return off("method") ? 0 : __real_guard_method(req, token_path);
}

int __wrap_guard_forwarded(const struct http_request *req)
{
	return off("forwarded") ? 0 : __real_guard_forwarded(req);
}

int __wrap_guard_ttl(const struct http_request *req, unsigned *ret)
{
	*ret = 60;
	return off("ttl") ? 0 : __real_guard_ttl(req, ret);
}

int __wrap_guard_token(const struct imds *m, const struct http_request *req, uint64_t now_ns)
{
	return off("token") ? 0 : __real_guard_token(m, req, now_ns);
}

int __wrap_guard_token_once(const struct http_request *req)
{
	return off("token-once") ? 0 : __real_guard_token_once(req);
}

int __wrap_guard_hop_limit(int fd, uint8_t hops)
{
	return off("hop-limit") ? 0 : __real_guard_hop_limit(fd, hops);
}

uint64_t __wrap_guard_rate(struct bucket *b, uint64_t now_ns)
{
	return off("rate") ? 0 : __real_guard_rate(b, now_ns);
}

bool __wrap_guard_late(uint64_t deadline_ns, uint64_t now_ns)
{
	return off("late") ? false : __real_guard_late(deadline_ns, now_ns);
}

int __wrap_token_key_draw(uint8_t key[SIPHASH_KEY_BYTES])
{
	if (!off("key"))
		return __real_token_key_draw(key);
	memset(key, 7, SIPHASH_KEY_BYTES);
	return 0;
}

bool __wrap_token_expired(uint64_t expiry_ns, uint64_t now_ns)
{
	return off("expiry") ? false : __real_token_expired(expiry_ns, now_ns);
}

bool __wrap_token_equal(const char *a, const char *b)
{
	return off("mac") ? true : __real_token_equal(a, b);
}

void __wrap_token_mac(const struct tokens *t, const uint8_t claim[24], uint8_t ret[SIPHASH_BYTES])
{
	struct tokens nobody = *t;

	if (off("instance"))
		memset(nobody.instance_id, 0, sizeof(nobody.instance_id));
	__real_token_mac(&nobody, claim, ret);
}
