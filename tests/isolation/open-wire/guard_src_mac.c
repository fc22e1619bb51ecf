/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/guard.h"

bool guard_src_mac(const struct port *p, const struct inner *i)
{
	(void)p;
	(void)i;
	return true;
}
