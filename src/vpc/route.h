/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The route table of a port's subnet: the longest prefix wins. IPv6 routes are kept and never match yet.
 */

#include "vpc/vpc.h"

struct route_table {
	size_t cnt;
	struct vpc_route route[VPC_ROUTES_MAX]; /* longest prefix first */
};

/* route_table_set(): Return: 0, -EINVAL: too many, or one makes no sense; nothing changed. */
MUST_USE int route_table_set(struct route_table *t, const struct vpc_route *route, size_t cnt);
/* route_find(): Return: the route for @dst, NULL if there is none. */
const struct vpc_route *route_find(const struct route_table *t, const struct vpc_addr *dst);
