/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/net_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

int net_ipv4_parse(const char *s, uint32_t *ret)
{
	struct in_addr a;

	if (inet_pton(AF_INET, s, &a) != 1)
		return -EINVAL;
	*ret = ntohl(a.s_addr);
	return 0;
}

const char *net_ipv4_text(char buf[NET_IPV4_TEXT], uint32_t addr)
{
	snprintf(buf, NET_IPV4_TEXT, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
		 addr & 255);
	return buf;
}

const char *net_cidr_text(char buf[NET_CIDR_TEXT], uint32_t addr, unsigned prefix)
{
	snprintf(buf, NET_CIDR_TEXT, "%u.%u.%u.%u/%u", addr >> 24, addr >> 16 & 255,
		 addr >> 8 & 255, addr & 255, prefix & 63);
	return buf;
}

int net_cidr_parse(const char *s, uint32_t *ret_addr, unsigned *ret_prefix)
{
	char addr[NET_IPV4_TEXT];
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : 0, digits = slash ? strlen(slash + 1) : 0;
	unsigned prefix = 0;

	if (len == 0 || len >= sizeof(addr) || digits == 0 || digits > 2 ||
	    strspn(slash + 1, "0123456789") != digits || (digits == 2 && slash[1] == '0'))
		return -EINVAL;
	for (size_t k = 0; k < digits; k++)
		prefix = prefix * 10 + (unsigned)(slash[1 + k] - '0');
	if (prefix > 32)
		return -EINVAL;
	snprintf(addr, sizeof(addr), "%.*s", (int)len, s);
	if (net_ipv4_parse(addr, ret_addr) < 0)
		return -EINVAL;
	*ret_prefix = prefix;
	return 0;
}

/* Value of a hex digit; -1: none. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* @cnt bytes of two digits each. @colons: 1 there must be one between bytes, 0 there may be. Return: 0, -EINVAL. */
static int hex_bytes(const char *s, uint8_t *ret, size_t cnt, bool colons)
{
	for (size_t k = 0; k < cnt; k++) {
		int hi, lo;

		if (k > 0 && *s == ':')
			s++;
		else if (k > 0 && colons)
			return -EINVAL;
		hi = hex_value(s[0]);
		lo = hi < 0 ? -1 : hex_value(s[1]);
		if (lo < 0)
			return -EINVAL;
		ret[k] = (uint8_t)(hi * 16 + lo);
		s += 2;
	}
	return *s == '\0' ? 0 : -EINVAL;
}

int net_mac_parse(const char *s, uint8_t ret[NET_MAC_BYTES])
{
	uint8_t mac[NET_MAC_BYTES];

	if (hex_bytes(s, mac, sizeof(mac), true) < 0)
		return -EINVAL;
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

const char *net_mac_text(char buf[NET_MAC_TEXT], const uint8_t m[NET_MAC_BYTES])
{
	snprintf(buf, NET_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return buf;
}

int net_fingerprint_parse(const char *s, uint8_t ret[CTL_FINGERPRINT_BYTES])
{
	uint8_t f[CTL_FINGERPRINT_BYTES];

	if (hex_bytes(s, f, sizeof(f), false) < 0)
		return -EINVAL;
	memcpy(ret, f, sizeof(f));
	return 0;
}

const char *net_fingerprint_text(char buf[2 * CTL_FINGERPRINT_BYTES + 1],
				 const uint8_t f[CTL_FINGERPRINT_BYTES])
{
	for (size_t k = 0; k < CTL_FINGERPRINT_BYTES; k++)
		snprintf(buf + 2 * k, 3, "%02x", f[k]);
	return buf;
}

const char *net_hostname(char buf[CTL_NAME_MAX], uint32_t addr)
{
	snprintf(buf, CTL_NAME_MAX, "ip-%u-%u-%u-%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
		 addr & 255);
	return buf;
}

uint32_t net_mask(unsigned prefix)
{
	return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

bool net_inside(uint32_t addr, uint32_t block, unsigned prefix)
{
	return ((addr ^ block) & net_mask(prefix)) == 0;
}

static int base64_value(char c)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(set, c) : NULL;

	return at ? (int)(at - set) : -1;
}

/* The beginning of a key's blob is its type's name with a 32-bit length before it. */
static bool blob_names(const char *b64, size_t len, const char *type)
{
	uint8_t head[64] = { 0 };
	size_t n = 0, want = strlen(type);

	for (size_t k = 0; k + 4 <= len && n + 3 <= sizeof(head); k += 4) {
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			int d = base64_value(b64[k + j]);

			v = v << 6 | (uint32_t)(d < 0 ? 0 : d);
		}
		head[n++] = (uint8_t)(v >> 16);
		head[n++] = (uint8_t)(v >> 8);
		head[n++] = (uint8_t)v;
	}
	return n >= want + 4 && be32_load(head) == want && memcmp(head + 4, type, want) == 0;
}

bool net_key_valid(const char *line)
{
	static const char *const types[] = { "ssh-ed25519",
					     "ssh-rsa",
					     "ecdsa-sha2-nistp256",
					     "ecdsa-sha2-nistp384",
					     "ecdsa-sha2-nistp521",
					     "sk-ssh-ed25519@openssh.com",
					     "sk-ecdsa-sha2-nistp256@openssh.com" };
	const char *type = NULL, *b64;
	size_t len = 0;

	if (strlen(line) >= NET_KEY_MAX)
		return false;
	for (const char *p = line; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			return false;
	for (size_t k = 0; !type && k < ARRAY_SIZE(types); k++)
		if (strncmp(line, types[k], strlen(types[k])) == 0 && line[strlen(types[k])] == ' ')
			type = types[k];
	if (!type)
		return false;
	b64 = line + strlen(type) + 1;
	while (base64_value(b64[len]) >= 0)
		len++;
	for (unsigned pad = 0; pad < 2 && b64[len] == '='; pad++)
		len++;
	return len % 4 == 0 && len >= 64 && (b64[len] == '\0' || b64[len] == ' ') &&
	       blob_names(b64, len, type);
}

bool net_key_name_valid(const char *name)
{
	size_t len = strnlen(name, CTL_NAME_MAX);

	if (len == 0 || len >= CTL_NAME_MAX)
		return false;
	for (size_t k = 0; k < len; k++)
		if (name[k] < 0x20 || name[k] > 0x7e || name[k] == '/')
			return false;
	return true;
}
