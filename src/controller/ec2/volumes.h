/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the actions about volumes and those about instances share. */

#include "controller/ec2/call.h"

enum { EC2_KEY_ARN_MAX = 128 };

/**
 * ec2_volume_key_read() - Encrypted and KmsKeyId at @at, into @v
 *
 * Every volume is encrypted, whatever Encrypted says. KmsKeyId: id, ARN, or the service's alias, which is what a volume has
 * without one. Refusals are the query's fault.
 */
void ec2_volume_key_read(struct ec2_call *c, const struct query_at *at, struct volume *v);
/* ec2_volume_key_ready(): the account's own key for its volumes has an id. Changes rows. Return: 0, -errno with the fault. */
MUST_USE int ec2_volume_key_ready(struct ec2_call *c);
/* ec2_volume_key_arn(): as answers have it. */
const char *ec2_volume_key_arn(struct ec2_call *c, const struct volume *v,
			       char ret[EC2_KEY_ARN_MAX]);
