/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rules of offload.h with a second implementation beside it that adds bytes one by one. Whether both mean what Linux
 * means is asked by tests/native/offload_oracle_test.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "cards/network/offload.h"

static uint8_t pkt[9100], out[9100];

/* The checksum over @len bytes at @p, @sum before it; what a receiver computes (0 when right) if the field is in it. */
static uint16_t slow_check(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static uint32_t slow_pseudo(const uint8_t *p, bool ipv6, size_t l4_len)
{
	return (uint16_t)~slow_check(p + 14 + (ipv6 ? 8 : 12), ipv6 ? 32 : 8,
				     (uint32_t)(p[14 + (ipv6 ? 6 : 9)] + l4_len));
}

/* Headers only; payload by @seed. Return: bytes. */
static size_t packet(bool ipv6, bool tcp, size_t payload, uint32_t seed)
{
	size_t l3 = ipv6 ? 40 : 20, l4 = tcp ? 20 : 8, len = 14 + l3 + l4 + payload, i;

	for (i = 0; i < len; i++)
		pkt[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
	be16_store(pkt + 12, ipv6 ? 0x86dd : 0x0800);
	pkt[14] = ipv6 ? 0x60 : 0x45;
	be16_store(pkt + 14 + (ipv6 ? 4 : 2), (uint16_t)(l4 + payload + (ipv6 ? 0 : 20)));
	pkt[14 + (ipv6 ? 6 : 9)] = tcp ? 6 : 17;
	if (!ipv6)
		be16_store(pkt + 20, 0x4000);
	if (tcp)
		pkt[14 + l3 + 12] = 0x50;
	return len;
}

static struct offload_req req(bool ipv6, bool tcp)
{
	return (struct offload_req){ .l4_csum = true,
				     .ipv6 = ipv6,
				     .tcp = tcp,
				     .l3_off = 14,
				     .l3_len = ipv6 ? 40 : 20,
				     .l4_words = 5,
				     .mss = 1000 };
}

static void l4__full_checksum_of_every_length(void **state)
{
	unsigned v, n;

	(void)state;
	for (v = 0; v < 4; v++) {
		for (n = 0; n < 1500; n += n < 70 ? 1 : 37) {
			bool ipv6 = v & 1, tcp = v & 2;
			struct offload_req q = req(ipv6, tcp);
			struct offload_plan p;
			size_t len = packet(ipv6, tcp, n, n * 4 + v), l4 = 14u + q.l3_len, hdr,
			       field;

			hdr = len < 640 ? len : 640;
			assert_int_equal(offload_plan(&q, pkt, hdr, len, 9015, &p), 0);
			memcpy(out, pkt, len);
			offload_prepare(&p, pkt);
			offload_l4(&p, pkt, hdr, out, len);
			field = be16_load(out + l4 + (tcp ? 16 : 6));
			assert_int_equal(
				slow_check(out + l4, len - l4, slow_pseudo(pkt, ipv6, len - l4)),
				0);
			assert_true(tcp || field);
			/* Nothing else changed. */
			memcpy(pkt + l4 + (tcp ? 16 : 6), out + l4 + (tcp ? 16 : 6), 2);
			assert_memory_equal(out, pkt, len);
		}
	}
}

/* A UDP sum of zero is sent as ffff, in both modes; TCP's only where Linux does so. */
static void l4__zero_is_written_as_linux_writes_it(void **state)
{
	static const struct {
		bool tcp, partial;
		uint16_t want;
	} v[] = { { false, false, 0xffff },
		  { false, true, 0xffff },
		  { true, true, 0xffff },
		  { true, false, 0 } };
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(v); i++) {
		struct offload_req q = req(false, v[i].tcp);
		struct offload_plan p;
		size_t len = packet(false, v[i].tcp, 10, i), l4 = 34,
		       field = l4 + (v[i].tcp ? 16 : 6);

		q.l4_partial = v[i].partial;
		be16_store(pkt + field, 0);
		be16_store(pkt + len - 2, 0);
		/* The last word makes the sum ffff, hence the checksum 0. */
		be16_store(pkt + len - 2,
			   slow_check(pkt + l4, len - l4,
				      v[i].partial ? 0 : slow_pseudo(pkt, false, len - l4)));
		assert_int_equal(offload_plan(&q, pkt, len, len, 9015, &p), 0);
		memcpy(out, pkt, len);
		offload_prepare(&p, pkt);
		offload_l4(&p, pkt, len, out, len);
		assert_int_equal(be16_load(out + field), v[i].want);
	}
}

static void plan__whole_checksum_needs_the_whole_length(void **state)
{
	struct offload_req q = req(false, true);
	struct offload_plan p;
	size_t len = packet(false, true, 100, 1);

	(void)state;
	assert_int_equal(offload_plan(&q, pkt, len, len, 9015, &p), 0);
	be16_store(pkt + 16, (uint16_t)(len - 14 - 1));
	assert_int_equal(offload_plan(&q, pkt, len, len, 9015, &p), -71);
	be16_store(pkt + 16, (uint16_t)(len - 14 + 1));
	assert_int_equal(offload_plan(&q, pkt, len, len, 9015, &p), -71);
}

static void plan__nothing_asked_nothing_checked(void **state)
{
	struct offload_req q = { .l3_off = 255, .l3_len = 255, .l4_words = 63, .mss = 1 };
	struct offload_plan p;

	(void)state;
	assert_int_equal(offload_plan(&q, pkt, 14, 14, 9015, &p), 0);
	assert_int_equal(p.seg_cnt, 1);
	assert_false(p.l4_csum || p.l3_csum || p.tso);
	assert_int_equal(offload_plan(&q, pkt, 640, 9016, 9015, &p), -71);
}

static void segments__every_size(void **state)
{
	static const uint16_t mss[] = { 32, 33, 536, 1448, 8948, 16383 };
	static const uint32_t payload[] = { 1, 31, 32, 33, 64, 1448, 2897, 65000 };
	unsigned v, m, n;

	(void)state;
	for (v = 0; v < 2; v++) {
		for (m = 0; m < ARRAY_SIZE(mss); m++) {
			for (n = 0; n < ARRAY_SIZE(payload); n++) {
				struct offload_req q = req(v, true);
				struct offload_plan p;
				size_t hdr = packet(v, true, 0, n), sum = 0;
				uint32_t i;
				int r;

				q.tso = true;
				q.mss = mss[m];
				r = offload_plan(&q, pkt, hdr, hdr + payload[n], 9015, &p);
				assert_int_equal(r, hdr + mss[m] > 9015 ? -71 : 0);
				if (r < 0)
					continue;
				assert_int_equal(p.seg_cnt, (payload[n] + mss[m] - 1) / mss[m]);
				for (i = 0; i < p.seg_cnt; i++) {
					size_t len = offload_headers(&p, pkt, i, out);

					assert_true(len >= 1 && len <= mss[m]);
					assert_true(len == mss[m] || i == p.seg_cnt - 1);
					sum += len;
				}
				assert_int_equal(sum, payload[n]);
			}
		}
	}
}

static void classify__lengths_that_contradict(void **state)
{
	struct offload_class c;
	size_t len = packet(false, true, 100, 1);
	uint32_t n;

	(void)state;
	offload_classify(pkt, len, len, &c);
	assert_true(c.ipv4 && c.tcp);
	be16_store(pkt + 16, (uint16_t)(len - 14 + 1)); /* longer than the frame */
	offload_classify(pkt, len, len, &c);
	assert_false(c.ipv4 || c.tcp);
	be16_store(pkt + 16, 19); /* shorter than its header */
	offload_classify(pkt, len, len, &c);
	assert_false(c.ipv4);
	be16_store(pkt + 16, 39); /* no room for TCP */
	offload_classify(pkt, len, len, &c);
	assert_true(c.ipv4 && !c.tcp);
	pkt[14] = 0x4f; /* options beyond the view */
	offload_classify(pkt, 40, len, &c);
	assert_false(c.ipv4);
	for (n = 0; n < 60; n++) { /* any view */
		len = packet(n & 1, true, 100, n);
		offload_classify(pkt, n, len, &c);
		assert_true(n >= 34 || !c.ipv4);
		assert_true(n >= 54 || !c.tcp);
	}
}

/* Split anywhere between what was copied and what was not. */
static void verify__any_split(void **state)
{
	unsigned v, odd;
	size_t hdr;

	(void)state;
	for (v = 0; v < 4; v++) {
		for (odd = 0; odd < 2; odd++) {
			bool ipv6 = v & 1, tcp = v & 2;
			size_t len = packet(ipv6, tcp, 200 + odd, v), l4 = ipv6 ? 54 : 34,
			       field = l4 + (tcp ? 16 : 6);
			struct offload_class c;

			be16_store(pkt + field, 0);
			be16_store(pkt + field, slow_check(pkt + l4, len - l4,
							   slow_pseudo(pkt, ipv6, len - l4)));
			for (hdr = l4 + 20; hdr <= len; hdr++) {
				offload_classify(pkt, hdr, len, &c);
				assert_true(offload_verify(&c, pkt, hdr, pkt + hdr));
				pkt[len - 1] ^= 4;
				assert_false(offload_verify(&c, pkt, hdr, pkt + hdr));
				pkt[len - 1] ^= 4;
			}
		}
	}
}

static void verify__padding_is_not_in_it(void **state)
{
	struct offload_class c;
	size_t len = packet(false, false, 3, 7);

	(void)state;
	be16_store(pkt + 40, 0);
	be16_store(pkt + 40, slow_check(pkt + 34, 11, slow_pseudo(pkt, false, 11)));
	memset(pkt + len, 0xaa, 60 - len);
	offload_classify(pkt, 60, 60, &c);
	assert_true(c.udp && offload_verify(&c, pkt, 60, NULL));
	be16_store(pkt + 40, 0); /* none was made */
	assert_true(offload_verify(&c, pkt, 60, NULL));
	be16_store(pkt + 40, 1);
	assert_false(offload_verify(&c, pkt, 60, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l4__full_checksum_of_every_length),
		cmocka_unit_test(l4__zero_is_written_as_linux_writes_it),
		cmocka_unit_test(plan__whole_checksum_needs_the_whole_length),
		cmocka_unit_test(plan__nothing_asked_nothing_checked),
		cmocka_unit_test(segments__every_size),
		cmocka_unit_test(classify__lengths_that_contradict),
		cmocka_unit_test(verify__any_split),
		cmocka_unit_test(verify__padding_is_not_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
