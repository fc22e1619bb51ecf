/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "controller/ids.h"
#include "crypto/hash.h"

enum { ID_HEX = 17 };

const char *id_prefix(enum id_kind kind)
{
	switch (kind) {
	case ID_INSTANCE:
		return "i-";
	case ID_VOLUME:
		return "vol-";
	case ID_IMAGE:
		return "ami-";
	case ID_VPC:
		return "vpc-";
	case ID_SUBNET:
		return "subnet-";
	case ID_GROUP:
		return "sg-";
	case ID_GROUP_RULE:
		return "sgr-";
	case ID_INTERFACE:
		return "eni-";
	case ID_GATEWAY:
		return "igw-";
	case ID_RESERVATION:
		return "r-";
	case ID_KEY_PAIR:
		return "key-";
	case ID_SNAPSHOT:
		return "snap-";
	case ID_ATTACHMENT:
		return "eni-attach-";
	case ID_ROUTE_TABLE:
		return "rtb-";
	case ID_ACL:
		return "acl-";
	case ID_DHCP_OPTIONS:
		return "dopt-";
	}
	return "";
}

void id_make(enum id_kind kind, const uint8_t rnd[ID_RANDOM_BYTES], char *ret, size_t cap)
{
	snprintf(ret, cap, "%s0%016llx", id_prefix(kind), (unsigned long long)le64_load(rnd));
}

/* Number of hex digits behind the prefix of @kind; -1 when the prefix or a digit is wrong. */
static int id_hex_cnt(enum id_kind kind, const char *s)
{
	const char *prefix = id_prefix(kind);
	size_t n = strlen(prefix);
	size_t hex;

	if (strncmp(s, prefix, n) != 0)
		return -1;
	hex = strspn(s + n, "0123456789abcdef");
	if (s[n + hex] != '\0' || hex > ID_HEX)
		return -1;
	return (int)hex;
}

bool id_valid(enum id_kind kind, const char *s)
{
	return id_hex_cnt(kind, s) == ID_HEX;
}

bool id_short_valid(enum id_kind kind, const char *s)
{
	return id_hex_cnt(kind, s) >= ID_REF_MIN_HEX;
}

static bool name_char_valid(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return !first && (c == '.' || c == '_' || c == '-');
}

bool name_valid(const char *s)
{
	size_t len = strnlen(s, MODEL_NAME_MAX);

	if (len == 0 || len >= MODEL_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!name_char_valid(s[i], i == 0))
			return false;
	return !id_short_valid(ID_INSTANCE, s) && !id_short_valid(ID_VOLUME, s) &&
	       !id_short_valid(ID_IMAGE, s);
}

int id_uuid(const char *instance_id, uint8_t ret[16])
{
	uint8_t sum[HASH_SHA256_BYTES];
	char msg[64];
	int len, r;

	len = snprintf(msg, sizeof(msg), "niter/instance-uuid/v1 %s", instance_id);
	r = hash_sha256(msg, min_u64((uint64_t)len, sizeof(msg) - 1), sum);
	if (r < 0)
		return r;

	memcpy(ret, sum, 16);
	ret[0] = 0xec;
	ret[1] = (uint8_t)(0x20 | (ret[1] & 0x0f));
	ret[6] = (uint8_t)(0x40 | (ret[6] & 0x0f));
	ret[8] = (uint8_t)(0x80 | (ret[8] & 0x3f));
	return 0;
}
