/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who makes room when the table is full; the order is in conntrack.h.
 */

#include "vpc/conntrack.h"

enum { FAIR_LOOK = 8 /* oldest half-open flows among which the victim is chosen */ };

/* Of the oldest half-open flows of a list, one of the remote that has most. */
static uint32_t fair_victim(const struct conntrack *ct, enum ct_list list)
{
	uint32_t idx = ct->list[list].first, look, most = 0, victim = 0;

	for (look = 0; idx && look < FAIR_LOOK; look++) {
		const struct ct_flow *f = &ct->flow[idx];

		if (ct->half[f->remote] > most) {
			most = ct->half[f->remote];
			victim = idx;
		}
		idx = f->next;
	}
	return victim;
}

uint32_t conntrack_victim(const struct conntrack *ct, enum vpc_direction dir, uint32_t now_s)
{
	uint32_t idx;

	idx = ct->list[CT_LIST_CLOSED].first;
	if (!idx)
		idx = fair_victim(ct, dir == VPC_TX ? CT_LIST_HALF_TX : CT_LIST_HALF_RX);
	if (!idx)
		idx = fair_victim(ct, dir == VPC_TX ? CT_LIST_HALF_RX : CT_LIST_HALF_TX);
	if (!idx)
		idx = ct->list[CT_LIST_CLOSING].first;
	if (!idx)
		idx = ct->list[CT_LIST_REPLIED].first;
	if (!idx) {
		idx = ct->list[CT_LIST_OPEN].first;
		if (idx && conntrack_age_s(&ct->flow[idx], now_s) < CT_IDLE_S)
			idx = 0;
	}
	return idx;
}
