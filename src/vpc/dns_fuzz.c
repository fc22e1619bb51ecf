/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A DNS message. First byte: the size of an answer and the zone. Names are read a second time by a reader that counts its hops, and
 * what is answered to a good query is compared with what its name, as text, should be answered.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "vpc/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Return: bytes of the name at @off, written out; 0: none. */
static size_t name_read(const uint8_t *m, size_t len, size_t off, uint8_t *ret, unsigned hops)
{
	size_t n = 0;

	while (off < len && m[off] < 64) {
		if (m[off] + 1u > len - off || n + m[off] + 1 > 255)
			return 0;
		memcpy(ret + n, m + off, m[off] + 1u);
		n += m[off] + 1u;
		if (m[off] == 0)
			return n;
		off += m[off] + 1u;
	}
	if (off + 2 > len || m[off] < 0xc0 || hops == 0)
		return 0;
	uint8_t rest[255];
	size_t more = name_read(m, len, (size_t)(m[off] & 63) << 8 | m[off + 1], rest, hops - 1);

	if (more == 0 || n + more > 255)
		return 0;
	memcpy(ret + n, rest, more);
	return n + more;
}

static void names_check(const uint8_t *m, size_t len)
{
	uint8_t want[255];
	struct dns_name name;
	size_t off, at, n;

	for (off = DNS_HEADER_BYTES; off < len && off < 64; off++) {
		at = off;
		if (dns_name_parse(m, len, &at, &name) < 0)
			continue;
		n = name_read(m, len, off, want, 300);
		must(n == name.len && memcmp(want, name.b, n) == 0);
		must(at > off && at <= len);
	}
}

/* The question's name as lower-case text; false when a label has a dot or a byte that no name of ours has. */
static bool question_text(const uint8_t *m, size_t len, char *ret)
{
	struct dns_name name;
	size_t at = DNS_HEADER_BYTES, i, k, n = 0;

	must(dns_name_parse(m, len, &at, &name) == 0);
	for (i = 0; name.b[i]; i += name.b[i] + 1u) {
		if (i)
			ret[n++] = '.';
		for (k = 1; k <= name.b[i]; k++) {
			char c = (char)name.b[i + k];

			if (c <= 0x20 || c > 0x7e || c == '.')
				return false;
			ret[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
		}
	}
	ret[n] = '\0';
	return true;
}

/* Is @text exactly what the printed form of its own numbers is, and inside 172.31.0.0/16? */
static bool is_ours(const char *text, bool reverse, uint32_t *ret)
{
	unsigned a, b, c, d;
	char again[300];

	if (sscanf(text, reverse ? "%3u.%3u.%3u.%3u" : "ip-%3u-%3u-%3u-%3u", &a, &b, &c, &d) != 4)
		return false;
	(void)snprintf(again, sizeof(again),
		       reverse ? "%u.%u.%u.%u.in-addr.arpa" : "ip-%u-%u-%u-%u.ec2.internal", a, b,
		       c, d);
	if (strcmp(again, text) != 0)
		return false;
	if (reverse) {
		unsigned t = a;

		a = d;
		d = t;
		t = b;
		b = c;
		c = t;
	}
	*ret = a << 24 | b << 16 | c << 8 | d;
	return a == 172 && b == 31 && c < 256 && d < 256;
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && !strcmp(s + n - k, suffix);
}

/* The code a good IN query for this name gets, and whether an address record is the answer to type A. */
static unsigned model(const char *text, uint32_t *ret_addr, bool *ret_name)
{
	*ret_addr = 0;
	*ret_name = true;
	if (!strcmp(text, "ec2.internal"))
		return DNS_NOERROR;
	if (has_suffix(text, ".ec2.internal")) {
		if (is_ours(text, false, ret_addr))
			return DNS_NOERROR;
		*ret_addr = !strcmp(text, "instance-data.ec2.internal") ? 0xa9fea9fe
			    : !strcmp(text, "ns.ec2.internal")          ? 0xa9fea9fd
									: 0;
		return *ret_addr ? DNS_NOERROR : DNS_NXDOMAIN;
	}
	*ret_name = false;
	if (!strcmp(text, "31.172.in-addr.arpa"))
		return DNS_NOERROR;
	if (!has_suffix(text, ".31.172.in-addr.arpa"))
		return DNS_REFUSED;
	if (is_ours(text, true, ret_addr))
		return DNS_NOERROR;
	*ret_addr = 0;
	for (unsigned v = 0; v < 256; v++) {
		char again[64];

		(void)snprintf(again, sizeof(again), "%u.31.172.in-addr.arpa", v);
		if (!strcmp(again, text))
			return DNS_NOERROR;
	}
	return DNS_NXDOMAIN;
}

/* A question that came back, so the query was one. */
static void meaning_check(const uint8_t *q, size_t len, const uint8_t *out, size_t out_len)
{
	unsigned rcode = be16_load(out + 2) & 15, type, class;
	char text[300];
	struct dns_name name;
	size_t at = DNS_HEADER_BYTES;
	uint32_t addr;
	bool forward;

	must(dns_name_parse(out, out_len, &at, &name) == 0);
	type = be16_load(out + at);
	class = be16_load(out + at + 2);
	/* BADVERS: its upper bits are in the OPT record. */
	if (be16_load(out + 10) && out[out_len - 11 + 5])
		return;
	if (!question_text(q, len, text)) {
		must(rcode != DNS_NOERROR);
		return;
	}
	if (class != 1 || type == DNS_AXFR || type == DNS_IXFR) {
		must(rcode == DNS_REFUSED);
		return;
	}
	must(rcode == model(text, &addr, &forward));
	if (forward && addr && (type == DNS_A || type == DNS_ANY) && !(out[2] & 2)) {
		must(be16_load(out + 6) == 1 && be16_load(out + 8) == 0);
		must(be32_load(out + at + 4 + 12) == addr);
	} else if (forward && rcode == DNS_NXDOMAIN && !(out[2] & 2)) {
		must(be16_load(out + 6) == 0 && be16_load(out + 8) == 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_zone zone;
	static uint8_t out[4096];
	size_t n;
	bool udp;

	if (size < 1)
		return 0;
	must(dns_zone_set(&zone, "ec2.internal", 0xac1f0000, 16) == 0);
	udp = data[0] & 1;
	data++;
	size--;
	names_check(data, size);
	n = dns_answer(&zone, data, size, udp, out, sizeof(out));
	if (n == 0) {
		must(size < DNS_HEADER_BYTES || data[2] & 0x80);
		return 0;
	}
	must(n >= DNS_HEADER_BYTES && n <= DNS_UDP_MAX);
	must(!memcmp(out, data, 2) && out[2] & 0x80 && (out[2] & 0x79) == (data[2] & 0x79));
	must(be16_load(out + 4) <= 1 && be16_load(out + 6) <= 1 && be16_load(out + 8) <= 1);
	if (be16_load(out + 4))
		meaning_check(data, size, out, n);
	else
		must(n == DNS_HEADER_BYTES);
	return 0;
}
