/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "controller/ec2/call.h"

/* ec2_image_visible(): the operator's images are everybody's; others only their owner's. */
bool ec2_image_visible(const struct ec2_call *c, const struct image *i);
