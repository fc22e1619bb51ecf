/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/route.h"

#include <errno.h>

static bool valid(const struct vpc_route *r)
{
	if (r->addr.family != VPC_IPV4 && r->addr.family != VPC_IPV6)
		return false;
	if (r->prefix > (r->addr.family == VPC_IPV4 ? 32 : 128))
		return false;
	if (r->target == VPC_ROUTE_MAC)
		return !(r->mac[0] & 1);
	return r->target == VPC_ROUTE_LOCAL || r->target == VPC_ROUTE_BLACKHOLE;
}

int route_table_set(struct route_table *t, const struct vpc_route *route, size_t cnt)
{
	size_t i, k;

	if (cnt > VPC_ROUTES_MAX)
		return -EINVAL;
	for (i = 0; i < cnt; i++)
		if (!valid(&route[i]))
			return -EINVAL;

	for (i = 0; i < cnt; i++) {
		for (k = i; k > 0 && t->route[k - 1].prefix < route[i].prefix; k--)
			t->route[k] = t->route[k - 1];
		t->route[k] = route[i];
	}
	t->cnt = cnt;
	return 0;
}

const struct vpc_route *route_find(const struct route_table *t, const struct vpc_addr *dst)
{
	size_t i;

	for (i = 0; i < t->cnt; i++)
		if (vpc_addr_in(dst, &t->route[i].addr, t->route[i].prefix))
			return &t->route[i];
	return NULL;
}
