/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A frame from either side of a gateway: the first byte's lowest bit says which. What must hold of whatever passes is
 * computed here anew: addresses, the header's sum, a transport sum that is right or wrong as before, and bytes that nobody
 * may touch.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "gateway/nat.h"
#include "vpc/vpc.h"

#define VPC_A 0xac1f0005u
#define OUTSIDE_A 0x64400702u

enum { L3 = 14, L4 = 34 };

static uint16_t sum_of(uint32_t sum, const uint8_t *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool whole(const uint8_t *ip)
{
	return !(be16_load(ip + 6) & 0x3fff);
}

static bool l4_right(const uint8_t *ip)
{
	size_t bytes = be16_load(ip + 2) - 20u;
	uint32_t pseudo = (uint32_t)be16_load(ip + 12) + be16_load(ip + 14) + be16_load(ip + 16) +
			  be16_load(ip + 18) + ip[9] + (uint32_t)bytes;

	return sum_of(ip[9] == IP_ICMP ? 0 : pseudo, ip + 20, bytes) == 0;
}

/* Bytes behind the transport's sum: only an ICMP error's quotation may change. */
static bool tail_kept(const uint8_t *was, const uint8_t *is, size_t len)
{
	size_t from = L4 + (is[L3 + 9] == IP_TCP ? 18 : 8);

	if (is[L3 + 9] == IP_ICMP && is[L4] != 8 && is[L4] != 0 && is[L4] != 13 && is[L4] != 14 &&
	    whole(is + L3))
		from = L4 + 8 + 20 + 18;
	return len <= from || !memcmp(was + from, is + from, len - from);
}

static void passed(const uint8_t *was, const uint8_t *is, size_t len, bool out)
{
	const uint8_t *ip = is + L3;
	bool summed =
		ip[9] == IP_TCP || ip[9] == IP_ICMP || (ip[9] == IP_UDP && be16_load(was + L4 + 6));

	must(len == (size_t)L3 + be16_load(ip + 2));
	must(sum_of(0, ip, 20) == 0);
	must(ip[8] + 1 == was[L3 + 8]);
	must(be32_load(ip + (out ? 12 : 16)) == (out ? OUTSIDE_A : VPC_A));
	must(be32_load(ip + (out ? 16 : 12)) == be32_load(was + L3 + (out ? 16 : 12)));
	if (whole(ip) && summed)
		must(l4_right(ip) == l4_right(was + L3));
	if (whole(ip) && ip[9] == IP_UDP)
		must(!be16_load(ip + 26) == !be16_load(was + L4 + 6));
	if (!(be16_load(ip + 6) & 0x1fff))
		must(tail_kept(was, is, len));
	else
		must(!memcmp(was + L4, is + L4, len - L4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t port_mac[6] = { 6, 0, 0, 0, 0, 1 },
			     guest_mac[6] = { 6, 0, 0, 0, 0, 5 };
	static uint8_t was[NAT_FRAME_MAX], f[NAT_FRAME_MAX];
	static struct nat n;
	enum nat_verdict v;
	size_t len;
	bool out;

	if (size < 1 + 14 || size - 1 > NAT_FRAME_MAX)
		return 0;
	nat_init(&n, port_mac, 0);
	must(nat_add(&n, VPC_A, guest_mac, OUTSIDE_A) == 0);
	out = data[0] & 1;
	len = size - 1;
	memset(f, 0, sizeof(f));
	memcpy(f, data + 1, len);
	if (data[0] & 2 &&
	    len >= L4) { /* the header's sum is made right, so that mutations get further */
		be16_store(f + L3 + 10, 0);
		be16_store(f + L3 + 10, sum_of(0, f + L3, 20));
	}
	memcpy(was, f, sizeof(f));
	v = out ? nat_out(&n, f, &len, 0) : nat_in(&n, f, &len, 0);
	if (v == NAT_PASS)
		passed(was, f, len, out);
	if (v == NAT_BACK && out) {
		must(len <= L4 + 36 && be32_load(f + L3 + 16) == VPC_A && f[L3 + 9] == IP_ICMP);
		must(sum_of(0, f + L3, 20) == 0 && l4_right(f + L3));
	}
	if (v == NAT_BACK && !out)
		must(len == 42 && be16_load(f + 12) == 0x0806 && be32_load(f + 28) == OUTSIDE_A);
	return 0;
}
