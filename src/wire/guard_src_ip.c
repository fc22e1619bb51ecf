/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "wire/guard.h"

bool guard_src_ip(const struct port *p, const struct inner *i)
{
	unsigned k;

	if (p->flags & CTL_VPC_GATEWAY) /* for the whole world, but for nobody inside */
		return i->family == CTL_IPV4 &&
		       !inner_in_block(i->src_ip, p->vpc_addr, p->vpc_prefix);
	if (!(p->flags & CTL_VPC_SOURCE_DEST_CHECK))
		return true;
	for (k = 0; k < p->address_cnt; k++)
		if (p->address[k].family == i->family &&
		    !memcmp(p->address[k].b, i->src_ip, sizeof(i->src_ip)))
			return true;
	return false;
}
