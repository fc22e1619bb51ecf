/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who makes room when the table is full; the order is in conntrack.h.
 */

#include "vpc/conntrack.h"

enum { FAIR_LOOK = 8 /* oldest half-open flows among which the victim is chosen */ };

/* Of the oldest half-open flows of a list, one of the remote that has most. */
static struct ct_flow *fair_victim(struct conntrack *ct, enum ct_list list)
{
	uint32_t idx = ct->list[list].first, look, most = 0;
	struct ct_flow *victim = NULL;

	for (look = 0; idx && look < FAIR_LOOK; look++) {
		struct ct_flow *f = &ct->flow[idx];

		if (ct->half[f->remote] > most) {
			most = ct->half[f->remote];
			victim = f;
		}
		idx = f->next;
	}
	return victim;
}

static struct ct_flow *first_of(struct conntrack *ct, enum ct_list list)
{
	return ct->list[list].first ? &ct->flow[ct->list[list].first] : NULL;
}

struct ct_flow *conntrack_victim(struct conntrack *ct, enum vpc_direction dir, uint32_t now_s)
{
	struct ct_flow *f;

	f = first_of(ct, CT_LIST_CLOSED);
	if (!f)
		f = fair_victim(ct, dir == VPC_TX ? CT_LIST_HALF_TX : CT_LIST_HALF_RX);
	if (!f)
		f = fair_victim(ct, dir == VPC_TX ? CT_LIST_HALF_RX : CT_LIST_HALF_TX);
	if (!f)
		f = first_of(ct, CT_LIST_CLOSING);
	if (!f)
		f = first_of(ct, CT_LIST_REPLIED);
	if (!f) {
		f = first_of(ct, CT_LIST_OPEN);
		if (f && conntrack_age_s(f, now_s) < CT_IDLE_S)
			f = NULL;
	}
	return f;
}
