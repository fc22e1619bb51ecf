/* SPDX-License-Identifier: Apache-2.0 */
#include "ids.h"

#include <string.h>

enum { ID_HEX_OLD = 8, ID_HEX = 17 };

static bool id_ok(const char *id, const char *prefix)
{
	static const char hex[] = "0123456789abcdef";
	size_t at = strlen(prefix), len = strlen(id);

	if (strncmp(id, prefix, at) != 0)
		return false;
	if (len != at + ID_HEX_OLD && len != at + ID_HEX)
		return false;
	return strspn(id + at, hex) == len - at;
}

bool id_instance_ok(const char *id)
{
	return id_ok(id, "i-");
}

bool id_volume_ok(const char *id)
{
	return id_ok(id, "vol-");
}

bool id_image_ok(const char *id)
{
	return id_ok(id, "ami-");
}

bool id_interface_ok(const char *id)
{
	return id_ok(id, "eni-");
}

bool id_gateway_ok(const char *id)
{
	return id_ok(id, "igw-");
}

bool id_account_ok(const char *id)
{
	static const char set[] = "0123456789abcdefghijklmnopqrstuvwxyz-";

	return id[0] && strspn(id, set) == strlen(id);
}

bool name_ok(const char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name >= 0x7f || *name == '"' || *name == '\\')
			return false;
	return true;
}
