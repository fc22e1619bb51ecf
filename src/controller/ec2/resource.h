/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Things with an id, whatever their kind: for tags. */

#include "controller/ec2/call.h"

/**
 * ec2_resource_check() - is @id something of the call's account?
 * Return: 0, -EINVAL with the fault: the kind's NotFound or Malformed, InvalidID for no known kind.
 */
MUST_USE int ec2_resource_check(struct ec2_call *c, const char *id);
/* ec2_resource_type(): "security-group" for "sg-…", as DescribeTags calls it; NULL: no kind that has tags. */
const char *ec2_resource_type(const char *id);
