/* SPDX-License-Identifier: Apache-2.0 */

#include <string.h>

#include "vpc/vpc_priv.h"

unsigned guard_src_mac(const struct vpc_port *p, const struct frame *f)
{
	return memcmp(frame_src_mac(f), p->conf.mac, 6) == 0 ? VPC_PASS : VPC_R_SRC_MAC;
}
