/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/network/ena_priv.h"

bool ena_guard_req_id(uint32_t req_id, uint16_t depth)
{
	return req_id < depth;
}
