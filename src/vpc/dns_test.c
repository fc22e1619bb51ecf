/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static struct dns_zone zone;
static uint8_t out[4096];

static int setup(void **state)
{
	(void)state;
	assert_int_equal(dns_zone_set(&zone, "ec2.internal", 0xac1f0000, 16), 0);
	return 0;
}

/* ---- queries ---- */

static uint8_t query[4096];

static void text_write(struct wr *w, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");

		wr_u8(w, (uint8_t)n);
		wr_bytes(w, text, n);
		text += n + (text[n] == '.');
	}
	wr_u8(w, 0);
}

/* @edns: the size it offers; 0: without. Return: bytes of query. */
static size_t query_make(const char *name, uint16_t type, uint16_t edns)
{
	struct wr w = wr_init(query, sizeof(query));

	wr_be16(&w, 0xbeef);
	wr_be16(&w, 0x0100);
	wr_be16(&w, 1);
	wr_be32(&w, 0);
	wr_be16(&w, edns ? 1 : 0);
	text_write(&w, name);
	wr_be16(&w, type);
	wr_be16(&w, 1);
	if (edns) {
		wr_u8(&w, 0);
		wr_be16(&w, DNS_OPT);
		wr_be16(&w, edns);
		wr_be32(&w, 0x8000);
		wr_be16(&w, 0);
	}
	assert_false(w.bad);
	return w.len;
}

/* ---- answers: a reader of its own ---- */

struct row {
	char name[256];
	unsigned type;
	uint32_t ttl;
	char value[256]; /* an address, or a name */
};

static struct {
	unsigned rcode, flags, questions, additionals;
	struct row answer, authority; /* type 0: none */
	size_t len;
} got;

static size_t name_text(const uint8_t *msg, size_t len, size_t off, char *ret)
{
	struct dns_name n;
	size_t at = off;
	char *p = ret;

	assert_int_equal(dns_name_parse(msg, len, &at, &n), 0);
	for (unsigned i = 0; n.b[i]; i += n.b[i] + 1u)
		p += sprintf(p, "%s%.*s", i ? "." : "", n.b[i], (const char *)n.b + i + 1);
	*p = '\0';
	return at;
}

static size_t row_read(const uint8_t *msg, size_t len, size_t off, struct row *ret)
{
	size_t size;

	off = name_text(msg, len, off, ret->name);
	ret->type = be16_load(msg + off);
	ret->ttl = be32_load(msg + off + 4);
	size = be16_load(msg + off + 8);
	off += 10;
	if (ret->type == DNS_A)
		assert_non_null(inet_ntop(AF_INET, msg + off, ret->value, sizeof(ret->value)));
	else if (ret->type != DNS_OPT)
		assert_true(name_text(msg, len, off, ret->value) <= off + size);
	return off + size;
}

static void answer_read(const uint8_t *msg, size_t len)
{
	unsigned answers = be16_load(msg + 6), authorities = be16_load(msg + 8);
	char name[256];
	size_t off = DNS_HEADER_BYTES;
	struct row opt;

	memset(&got, 0, sizeof(got));
	got.len = len;
	assert_int_equal(be16_load(msg), 0xbeef);
	got.flags = be16_load(msg + 2);
	assert_true(got.flags & 0x8000);
	got.rcode = got.flags & 15;
	got.questions = be16_load(msg + 4);
	got.additionals = be16_load(msg + 10);
	if (got.questions)
		off = name_text(msg, len, off, name) + 4;
	if (answers)
		off = row_read(msg, len, off, &got.answer);
	if (authorities)
		off = row_read(msg, len, off, &got.authority);
	if (got.additionals) {
		off = row_read(msg, len, off, &opt);
		got.rcode |= (opt.ttl >> 24) << 4;
	}
	assert_int_equal(off, len);
}

static void ask(const char *name, uint16_t type)
{
	for (unsigned edns = 0; edns < 2; edns++) {
		size_t n = query_make(name, type, edns ? 4096 : 0);

		n = dns_answer(&zone, query, n, true, out, sizeof(out));
		assert_true(n > 0 && n <= DNS_UDP_MAX);
		answer_read(out, n);
		assert_int_equal(got.additionals, edns);
	}
}

static void expect(const char *name, uint16_t type, const char *value)
{
	ask(name, type);
	assert_int_equal(got.rcode, DNS_NOERROR);
	assert_true(got.flags & 0x0400);
	assert_string_equal(got.answer.name, name);
	assert_string_equal(got.answer.value, value);
	assert_int_equal(got.answer.ttl, 60);
	assert_int_equal(got.authority.type, 0);
}

static void expect_none(const char *name, uint16_t type, enum dns_rcode rcode, const char *soa)
{
	ask(name, type);
	assert_int_equal(got.rcode, rcode);
	assert_int_equal(got.answer.type, 0);
	assert_int_equal(got.authority.type, soa ? DNS_SOA : 0);
	assert_string_equal(got.authority.name, soa ? soa : "");
	assert_int_equal(!!(got.flags & 0x0400), soa != NULL);
}

static void dns_answer__knows_the_blocks_names(void **state)
{
	(void)state;
	expect("ip-172-31-0-5.ec2.internal", DNS_A, "172.31.0.5");
	expect("IP-172-31-255-255.EC2.INTERNAL", DNS_A, "172.31.255.255");
	expect("ip-172-31-0-0.ec2.internal", DNS_ANY, "172.31.0.0");
	expect("instance-data.ec2.internal", DNS_A, "169.254.169.254");
	expect("5.0.31.172.in-addr.arpa", DNS_PTR, "ip-172-31-0-5.ec2.internal");
	expect("ec2.internal", DNS_NS, "ns.ec2.internal");
	expect("ec2.internal", DNS_SOA, "ns.ec2.internal");
	expect("31.172.in-addr.arpa", DNS_SOA, "ns.ec2.internal");
}

static void dns_answer__tells_no_data_from_no_name(void **state)
{
	static const char *const none[] = {
		"ip-172-30-0-5.ec2.internal",
		"ip-172-31-0-256.ec2.internal",
		"ip-172-31-0.ec2.internal",
		"ip-172-31-0-05.ec2.internal",
		"ip-172-31-0-5-.ec2.internal",
		"ip-172-31-0-5-6.ec2.internal",
		"ip172-31-0-5.ec2.internal",
		"x.ip-172-31-0-5.ec2.internal",
		"ip-172-31-0-5.x.ec2.internal",
		"ip-.ec2.internal",
		"ip.ec2.internal",
		"i.ec2.internal",
		"ip-172-31-0-0005.ec2.internal",
		"www.ec2.internal",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		expect_none(none[i], DNS_A, DNS_NXDOMAIN, "ec2.internal");
	expect_none("ip-172-31-0-5.ec2.internal", DNS_AAAA, DNS_NOERROR, "ec2.internal");
	expect_none("ip-172-31-0-5.ec2.internal", DNS_PTR, DNS_NOERROR, "ec2.internal");
	expect_none("ec2.internal", DNS_A, DNS_NOERROR, "ec2.internal");
	expect_none("0.31.172.in-addr.arpa", DNS_PTR, DNS_NOERROR, "31.172.in-addr.arpa");
	expect_none("5.0.31.172.in-addr.arpa", DNS_A, DNS_NOERROR, "31.172.in-addr.arpa");
	expect_none("05.0.31.172.in-addr.arpa", DNS_PTR, DNS_NXDOMAIN, "31.172.in-addr.arpa");
	expect_none("x.0.31.172.in-addr.arpa", DNS_PTR, DNS_NXDOMAIN, "31.172.in-addr.arpa");
	expect_none("1.5.0.31.172.in-addr.arpa", DNS_PTR, DNS_NXDOMAIN, "31.172.in-addr.arpa");
}

static void dns_answer__refuses_everything_outside(void **state)
{
	static const char *const outside[] = { "",
					       "internal",
					       "example.com",
					       "ec2.internal.example.com",
					       "xec2.internal",
					       "ec2internal",
					       "in-addr.arpa",
					       "172.in-addr.arpa",
					       "32.172.in-addr.arpa",
					       "1.1.30.172.in-addr.arpa",
					       "x.in-addr.arpa" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		expect_none(outside[i], DNS_A, DNS_REFUSED, NULL);
	expect_none("ec2.internal", DNS_AXFR, DNS_REFUSED, NULL);
	expect_none("ec2.internal", DNS_IXFR, DNS_REFUSED, NULL);
	zone.refuses = true;
	expect_none("ip-172-31-0-5.ec2.internal", DNS_A, DNS_REFUSED, NULL);
	expect_none("5.0.31.172.in-addr.arpa", DNS_PTR, DNS_REFUSED, NULL);
	memset(&zone, 0, sizeof(zone));
	expect_none("ec2.internal", DNS_A, DNS_SERVFAIL, NULL);
}

static void dns_answer__keeps_to_odd_blocks(void **state)
{
	(void)state;
	assert_int_equal(dns_zone_set(&zone, "x", 0x0a010203, 20), 0); /* 10.1.0.0/20 */
	expect("ip-10-1-15-255.x", DNS_A, "10.1.15.255");
	expect_none("ip-10-1-16-0.x", DNS_A, DNS_NXDOMAIN, "x");
	expect("255.15.1.10.in-addr.arpa", DNS_PTR, "ip-10-1-15-255.x");
	expect_none("0.16.1.10.in-addr.arpa", DNS_PTR, DNS_REFUSED, NULL);
	expect_none("1.10.in-addr.arpa", DNS_PTR, DNS_REFUSED, NULL); /* larger than the block */
	expect_none("15.1.10.in-addr.arpa", DNS_PTR, DNS_NOERROR, "15.1.10.in-addr.arpa");
	assert_int_equal(dns_zone_set(&zone, "x", 0x0a010203, 32), 0);
	expect("ip-10-1-2-3.x", DNS_A, "10.1.2.3");
	expect_none("ip-10-1-2-2.x", DNS_A, DNS_NXDOMAIN, "x");
	assert_int_equal(dns_zone_set(&zone, "x", 0x0a010203, 8), 0);
	expect("ip-10-255-0-1.x", DNS_A, "10.255.0.1");
	assert_int_equal(dns_zone_set(&zone, "x", 0, 7), -EINVAL);
	assert_int_equal(dns_zone_set(&zone, "x", 0, 33), -EINVAL);
}

static void dns_answer__knows_the_instances_own_name(void **state)
{
	(void)state;
	assert_int_equal(dns_zone_set_own(&zone, "web.eu.ec2.internal", 0xac1f0005), 0);
	expect("web.eu.ec2.internal", DNS_A, "172.31.0.5");
	expect("5.0.31.172.in-addr.arpa", DNS_PTR, "web.eu.ec2.internal");
	expect("ip-172-31-0-5.ec2.internal", DNS_A, "172.31.0.5");
	expect_none("eu.ec2.internal", DNS_A, DNS_NOERROR, "ec2.internal");
	expect_none("us.ec2.internal", DNS_A, DNS_NXDOMAIN, "ec2.internal");
	assert_int_equal(dns_zone_set_own(&zone, "web.example.com", 1), -EINVAL);
	expect_none("web.eu.ec2.internal", DNS_A, DNS_NXDOMAIN, "ec2.internal");
	assert_int_equal(dns_zone_set_own(&zone, "ec2.internal", 1), -EINVAL);
	assert_int_equal(dns_zone_set_own(&zone, "a b.ec2.internal", 1), -EINVAL);
	assert_int_equal(dns_zone_set_own(&zone, "", 0), 0);
}

/* ---- messages ---- */

static unsigned rcode_of(size_t len)
{
	size_t n = dns_answer(&zone, query, len, true, out, sizeof(out));

	if (n == 0)
		return 99;
	answer_read(out, n);
	return got.rcode;
}

static void dns_answer__judges_headers(void **state)
{
	size_t n = query_make("ec2.internal", DNS_A, 0);

	(void)state;
	assert_int_equal(rcode_of(n), DNS_NOERROR);
	for (size_t k = 0; k < n; k++)
		assert_int_equal(rcode_of(k), k < DNS_HEADER_BYTES ? 99 : DNS_FORMERR);
	query[n] = 0;
	assert_int_equal(rcode_of(n + 1), DNS_FORMERR);
	query[2] = 0x80; /* an answer */
	assert_int_equal(rcode_of(n), 99);
	query[2] = 0x28;
	assert_int_equal(rcode_of(n), DNS_NOTIMP);
	assert_int_equal(got.flags & 0x7800, 0x2800);
	for (unsigned i = 5; i < 12; i += 2) {
		n = query_make("ec2.internal", DNS_A, 0);
		query[i] = i == 5 ? 0 : 1;
		assert_int_equal(rcode_of(n), DNS_FORMERR);
	}
	n = query_make("ec2.internal", DNS_A, 0);
	query[n - 1] = 3; /* CHAOS */
	assert_int_equal(rcode_of(n), DNS_REFUSED);
}

static void dns_answer__speaks_edns_0(void **state)
{
	size_t n = query_make("ec2.internal", DNS_A, 4096);

	(void)state;
	assert_int_equal(rcode_of(n), DNS_NOERROR);
	assert_int_equal(got.additionals, 1);
	query[n - 5] = 1; /* version */
	assert_int_equal(rcode_of(n), DNS_BADVERS);
	n = query_make("ec2.internal", DNS_A, 4096);
	memcpy(query + n, query + n - 11, 11); /* twice */
	query[11] = 2;
	assert_int_equal(rcode_of(n + 11), DNS_FORMERR);
	n = query_make("ec2.internal", DNS_A, 4096);
	query[n - 1] = 1; /* more data than there is */
	assert_int_equal(rcode_of(n), DNS_FORMERR);
	query[n] = 0;
	assert_int_equal(rcode_of(n + 1), DNS_NOERROR);
	n = query_make("ec2.internal", DNS_A, 4096);
	memcpy(query + n - 10, "\0\1", 2); /* another additional record: left alone */
	assert_int_equal(rcode_of(n), DNS_NOERROR);
	assert_int_equal(got.additionals, 0);
}

static void dns_answer__truncates_what_does_not_fit(void **state)
{
	char name[256] = "", domain[256] = "";
	size_t n;

	(void)state;
	/* A domain and a name as long as they can be: question, SOA with two more names. */
	for (unsigned i = 0; i < 3; i++)
		n = strlen(domain),
		snprintf(domain + n, sizeof(domain) - n, "%s%.63s", i ? "." : "",
			 "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd");
	n = strlen(domain), snprintf(domain + n, sizeof(domain) - n, ".%.40s",
				     "dddddddddddddddddddddddddddddddddddddddddddd");
	assert_int_equal(dns_zone_set(&zone, domain, 0, 8), 0);
	snprintf(name, sizeof(name), "w.%.250s", domain);
	n = dns_answer(&zone, query, query_make(name, DNS_A, 0), true, out, sizeof(out));
	answer_read(out, n);
	assert_true(got.flags & 0x0200);
	assert_int_equal(got.authority.type, 0);
	assert_true(n <= DNS_UDP_MIN);
	n = dns_answer(&zone, query, query_make(name, DNS_A, 100), true, out,
		       sizeof(out)); /* 100 counts as 512 */
	answer_read(out, n);
	assert_true(got.flags & 0x0200);
	assert_int_equal(got.additionals, 1);
	n = dns_answer(&zone, query, query_make(name, DNS_A, 4096), true, out, sizeof(out));
	answer_read(out, n);
	assert_false(got.flags & 0x0200);
	assert_int_equal(got.authority.type, DNS_SOA);
	n = dns_answer(&zone, query, query_make(name, DNS_A, 0), false, out, sizeof(out));
	answer_read(out, n);
	assert_false(got.flags & 0x0200);
	assert_int_equal(got.authority.type, DNS_SOA);
}

/* ---- names ---- */

static void dns_name_parse__follows_pointers_backwards_only(void **state)
{
	uint8_t m[64] = { 0 };
	struct dns_name name;
	size_t off;

	(void)state;
	memcpy(m + 12, "\1a\0", 3);
	memcpy(m + 15, "\1b\xc0\x0c", 4);         /* b.a */
	memcpy(m + 19, "\xc0\x0f", 2);            /* b.a */
	memcpy(m + 21, "\xc0\x15", 2);            /* itself */
	memcpy(m + 23, "\1c\xc0\x17", 4);         /* c, and c again */
	memcpy(m + 27, "\xc0\x1d\1d\xc0\x1b", 6); /* forward; and back to the first */
	memcpy(m + 33, "\xc0\x04", 2);            /* into the header */
	memcpy(m + 35, "\xc0\x10", 2); /* into the middle of a label's name: a name as any other */
	off = 15;
	assert_int_equal(dns_name_parse(m, sizeof(m), &off, &name), 0);
	assert_int_equal(off, 19);
	assert_int_equal(name.len, 5);
	assert_memory_equal(name.b, "\1b\1a\0", 5);
	off = 19;
	assert_int_equal(dns_name_parse(m, sizeof(m), &off, &name), 0);
	assert_int_equal(off, 21);
	assert_memory_equal(name.b, "\1b\1a\0", 5);
	for (unsigned i = 0; i < 5; i++) {
		const size_t bad[] = { 21, 23, 27, 29, 33 };

		off = bad[i];
		assert_int_equal(dns_name_parse(m, sizeof(m), &off, &name), -EPROTO);
		assert_int_equal(off, bad[i]);
	}
}

static void dns_name_parse__keeps_to_its_limits(void **state)
{
	uint8_t m[600];
	struct dns_name name;
	size_t off = 12;

	(void)state;
	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < 3; i++)
		m[12 + 64 * i] = 63;
	m[12 + 192] = 61;
	assert_int_equal(dns_name_parse(m, sizeof(m), &off, &name), 0);
	assert_int_equal(name.len, 255);
	m[12 + 192] = 62;
	off = 12;
	assert_int_equal(dns_name_parse(m, sizeof(m), &off, &name), -EPROTO);
	m[12] = 64; /* 01 and 10 in the top bits mean nothing today */
	assert_int_equal(dns_name_parse(m, sizeof(m), &off, &name), -EPROTO);
	m[12] = 0x80;
	assert_int_equal(dns_name_parse(m, sizeof(m), &off, &name), -EPROTO);
	for (size_t len = 0; len < 15; len++) {
		memcpy(m + 12, "\2ab\0", 4);
		off = 12;
		assert_int_equal(dns_name_parse(m, len, &off, &name), -EPROTO);
	}
	m[12] = 0xc0;
	assert_int_equal(dns_name_parse(m, 13, &off, &name), -EPROTO);
}

static void dns_name_from_text__takes_host_names(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		".a",
		"a.",
		"a..b",
		"a b",
		"a/b",
		"\xc3\xa4",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	};
	char longest[300];
	struct dns_name n;

	(void)state;
	assert_int_equal(dns_name_from_text("Ec2.internal", &n), 0);
	assert_int_equal(n.len, 14);
	assert_memory_equal(n.b, "\3Ec2\10internal\0", 14);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(dns_name_from_text(bad[i], &n), -EINVAL);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '.' : 'a';
	longest[253] = '\0'; /* 127 labels of one character: 255 bytes */
	assert_int_equal(dns_name_from_text(longest, &n), 0);
	assert_int_equal(n.len, 255);
	longest[253] = '.';
	longest[255] = '\0';
	assert_int_equal(dns_name_from_text(longest, &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(dns_answer__knows_the_blocks_names, setup),
		cmocka_unit_test_setup(dns_answer__tells_no_data_from_no_name, setup),
		cmocka_unit_test_setup(dns_answer__refuses_everything_outside, setup),
		cmocka_unit_test_setup(dns_answer__keeps_to_odd_blocks, setup),
		cmocka_unit_test_setup(dns_answer__knows_the_instances_own_name, setup),
		cmocka_unit_test_setup(dns_answer__judges_headers, setup),
		cmocka_unit_test_setup(dns_answer__speaks_edns_0, setup),
		cmocka_unit_test_setup(dns_answer__truncates_what_does_not_fit, setup),
		cmocka_unit_test(dns_name_parse__follows_pointers_backwards_only),
		cmocka_unit_test(dns_name_parse__keeps_to_its_limits),
		cmocka_unit_test(dns_name_from_text__takes_host_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
