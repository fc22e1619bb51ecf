/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which TCP segments fit which state. Sequence numbers are not followed: the two ends do that, and a RST that an end
 * refuses to believe is undone by that end's next segment (see CT_CLOSED). Simultaneous open is not supported.
 */

#include "vpc/conntrack.h"

enum tcp_event { EV_SYN, EV_SYN_ACK, EV_ACK, EV_FIN, EV_RST, EV_BAD, EVENTS };

enum {
	STAY = -2,
	NO = -1,
	BEGIN = CT_FREE, /* a new flow: the rules decide */
};

/* [state][from opener?][event]. Rows of states that TCP never has refuse everything. */
static const int next[CT_STATES][2][EV_BAD] = {
	[CT_FREE] = { { NO, NO, NO, NO, NO }, { NO, NO, NO, NO, NO } },
	[CT_REPLIED] = { { NO, NO, NO, NO, NO }, { NO, NO, NO, NO, NO } },
	/* An ACK that answers a SYN is the other end's "I have an older connection": it asks for a RST. */
	[CT_NEW] = { { NO, CT_SYN_ACK, STAY, NO, CT_CLOSED }, { STAY, NO, NO, NO, CT_CLOSED } },
	[CT_SYN_ACK] = { { NO, STAY, STAY, NO, CT_CLOSED },
			 { STAY, NO, CT_OPEN, CT_CLOSING, CT_CLOSED } },
	/* The opener may have lost its memory and begin anew: the other end's answer will tell it. */
	[CT_OPEN] = { { NO, STAY, STAY, CT_CLOSING, CT_CLOSED },
		      { STAY, NO, STAY, CT_CLOSING, CT_CLOSED } },
	[CT_CLOSING] = { { NO, NO, STAY, CT_CLOSING, CT_CLOSED },
			 { STAY, NO, STAY, CT_CLOSING, CT_CLOSED } },
	[CT_CLOSED] = { { BEGIN, NO, STAY, STAY, STAY }, { BEGIN, NO, STAY, STAY, STAY } },
};

static enum tcp_event event_of(uint8_t flags)
{
	switch (flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) {
	case TCP_SYN:
		return EV_SYN;
	case TCP_SYN | TCP_ACK:
		return EV_SYN_ACK;
	case TCP_ACK:
		return EV_ACK;
	case TCP_FIN | TCP_ACK:
		return EV_FIN;
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		return EV_RST;
	default: /* none at all, FIN alone, SYN with FIN or RST, ... */
		return EV_BAD;
	}
}

bool conntrack_tcp_begins(uint8_t flags)
{
	return event_of(flags) == EV_SYN;
}

int conntrack_tcp(const struct ct_flow *flow, bool from_opener, uint8_t flags)
{
	enum vpc_direction other = flow->opener == VPC_TX ? VPC_RX : VPC_TX;
	enum vpc_direction dir = from_opener ? (enum vpc_direction)flow->opener : other;
	enum tcp_event ev = event_of(flags);
	int to;

	if (ev == EV_BAD)
		return NO;
	to = next[flow->state][from_opener][ev];
	if (to == STAY)
		to = flow->state;
	/* Both sides have said FIN. */
	if (to == CT_CLOSING && ev == EV_FIN && flow->fin & (1u << !dir))
		to = CT_CLOSED;
	/* The side that was sent a RST goes on: it did not believe it, so the connection is open still. */
	if (flow->state == CT_CLOSED && flow->rst && flow->rst != dir + 1 && ev == EV_ACK)
		to = CT_OPEN;
	return to;
}
