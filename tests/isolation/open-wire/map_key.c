/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"
#include "wire/map.h"

/* One network for all. */
struct map_key map_key_mac(uint32_t vni, uint64_t mac)
{
	(void)vni;
	return (struct map_key){ .a = mac };
}

struct map_key map_key_ip(uint32_t vni, uint8_t family, const uint8_t addr[16])
{
	struct map_key k = { .c = (uint32_t)family << 24 };
	struct rd in = rd_init(addr, 16);

	(void)vni;
	k.a = rd_be64(&in);
	k.b = rd_be64(&in);
	return k;
}
