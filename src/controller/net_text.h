/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Addresses as people write them, and what is checked about them and about keys. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/net_model.h"

enum { NET_IPV4_TEXT = 16, NET_MAC_TEXT = 18, NET_CIDR_TEXT = 20 }; /* with NUL */

/* net_ipv4_parse(): "172.31.0.5", no leading zeros. Return: 0, -EINVAL. */
MUST_USE int net_ipv4_parse(const char *s, uint32_t *ret);
const char *net_ipv4_text(char buf[NET_IPV4_TEXT], uint32_t addr);
const char *net_cidr_text(char buf[NET_CIDR_TEXT], uint32_t addr, unsigned prefix);
/* net_cidr_parse(): "10.0.0.0/8"; host bits are kept, no leading zeros. Return: 0, -EINVAL. */
MUST_USE int net_cidr_parse(const char *s, uint32_t *ret_addr, unsigned *ret_prefix);
/* net_mac_parse(): "06:12:34:56:78:9a", either case. Return: 0, -EINVAL. */
MUST_USE int net_mac_parse(const char *s, uint8_t ret[NET_MAC_BYTES]);
const char *net_mac_text(char buf[NET_MAC_TEXT], const uint8_t mac[NET_MAC_BYTES]);
/* net_fingerprint_parse(): 64 hex digits; colons between bytes are passed over. Return: 0, -EINVAL. */
MUST_USE int net_fingerprint_parse(const char *s, uint8_t ret[CTL_FINGERPRINT_BYTES]);
const char *net_fingerprint_text(char buf[2 * CTL_FINGERPRINT_BYTES + 1],
				 const uint8_t f[CTL_FINGERPRINT_BYTES]);
/* net_hostname(): "ip-172-31-0-5". */
const char *net_hostname(char buf[CTL_NAME_MAX], uint32_t addr);

/* net_mask(): of a prefix of 0 … 32. net_inside(): is @addr in the block? */
uint32_t net_mask(unsigned prefix);
bool net_inside(uint32_t addr, uint32_t block, unsigned prefix);

/* net_key_valid(): one line "TYPE BASE64 [COMMENT]" of a type OpenSSH has, printable, the base64 naming the same type. */
bool net_key_valid(const char *line);
/* net_key_name_valid(): 1 … 63 printable ASCII characters, no slash. */
bool net_key_name_valid(const char *name);
