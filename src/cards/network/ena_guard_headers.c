/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/network/ena_priv.h"

bool ena_guard_headers(size_t need, size_t len)
{
	return need <= OFFLOAD_HDR_MAX && need <= len;
}
