/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Security group rules of a port: what may open a flow. Nothing may that no rule names.
 */

#include "vpc/vpc.h"

struct secgroup {
	size_t cnt[VPC_DIRECTIONS];
	struct vpc_rule rule[VPC_DIRECTIONS][VPC_RULES_MAX];
};

/* secgroup_set(): Return: 0, -EINVAL: too many, or one makes no sense; nothing changed. */
MUST_USE int secgroup_set(struct secgroup *g, const struct vpc_rule *rule, size_t cnt);
/* secgroup_allows(): may @f, seen in direction @dir, open a flow? */
bool secgroup_allows(const struct secgroup *g, enum vpc_direction dir, const struct frame *f);
