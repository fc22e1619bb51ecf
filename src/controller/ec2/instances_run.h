/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The parts of RunInstances. */

#include "controller/core_net.h"
#include "controller/ec2/instances.h"

enum { RUN_GROUPS_MAX = 16 };

/* run_disks_read(): BlockDeviceMapping.N of a launch from @img. Return: 0, -errno with the fault. */
MUST_USE int run_disks_read(struct ec2_call *c, const struct image *img, struct core_launch *q);

/* What a launch borrows: names in the query's memory, or rows' ids. */
struct run_network {
	const char *group_id[RUN_GROUPS_MAX];
	char named[RUN_GROUPS_MAX][CTL_ID_MAX];
	size_t group_cnt, named_cnt;
};
/* run_network_read(): subnet, groups, address, or NetworkInterface.1. */
MUST_USE int run_network_read(struct ec2_call *c, struct core_launch *q, struct run_network *n);
