/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/network/ena_priv.h"

bool ena_guard_chain(const struct ena_pkt *p, uint32_t w0)
{
	if (p->state == ENA_PKT_OPEN)
		return !(w0 & ENA_TX0_FIRST) && p->desc_cnt < ENA_TX_DESCS_MAX;
	return p->state == ENA_PKT_META || w0 & ENA_TX0_FIRST;
}
