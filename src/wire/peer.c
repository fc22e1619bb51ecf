/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/peer.h"

enum act {
	KEEP,    /* nothing */
	SOON,    /* due now, but not sooner than the time-out after the last request */
	ASK,     /* CTL_TUN_START */
	RENEW,   /* due when the keys are old */
	REST,    /* never due */
	STRANGE, /* SOON, unless that was done for the same reason not long ago */
};

struct move {
	enum peer_state to;
	enum act act;
};

static const struct move table[PEER_STATES][PEER_EVENTS] = {
	[PEER_IDLE] = {
		[PEER_EV_WANT] = { PEER_WAITING, SOON },
		[PEER_EV_UNWANT] = { PEER_IDLE, REST },
		[PEER_EV_DUE] = { PEER_IDLE, REST },
		[PEER_EV_READY] = { PEER_READY, RENEW },
		[PEER_EV_RENEW] = { PEER_IDLE, REST },
		[PEER_EV_STRANGE] = { PEER_IDLE, REST },
	},
	[PEER_WAITING] = {
		[PEER_EV_WANT] = { PEER_WAITING, KEEP },
		[PEER_EV_UNWANT] = { PEER_IDLE, REST },
		[PEER_EV_DUE] = { PEER_STARTED, ASK },
		[PEER_EV_READY] = { PEER_READY, RENEW },
		[PEER_EV_RENEW] = { PEER_WAITING, KEEP },
		[PEER_EV_STRANGE] = { PEER_WAITING, KEEP },
	},
	[PEER_STARTED] = {
		[PEER_EV_WANT] = { PEER_STARTED, KEEP },
		[PEER_EV_UNWANT] = { PEER_IDLE, REST },
		[PEER_EV_DUE] = { PEER_STARTED, ASK },
		[PEER_EV_READY] = { PEER_READY, RENEW },
		[PEER_EV_RENEW] = { PEER_STARTED, KEEP },
		[PEER_EV_STRANGE] = { PEER_STARTED, KEEP },
	},
	[PEER_READY] = {
		[PEER_EV_WANT] = { PEER_READY, KEEP },
		[PEER_EV_UNWANT] = { PEER_IDLE, REST },
		[PEER_EV_DUE] = { PEER_STARTED, ASK },
		[PEER_EV_READY] = { PEER_READY, RENEW },
		[PEER_EV_RENEW] = { PEER_WAITING, SOON },
		[PEER_EV_STRANGE] = { PEER_READY, STRANGE },
	},
};

/* Up to a quarter more. */
static uint64_t jitter(uint64_t ns, uint32_t chance)
{
	return ns + ns / 4 * (chance & 1023) / 1024;
}

static uint64_t retry_ns(const struct peer_clock *p, uint32_t chance)
{
	return jitter(p->tries < PEER_TRIES_FAST ? PEER_RETRY_NS : PEER_RETRY_SLOW_NS, chance);
}

void peer_clock_init(struct peer_clock *p)
{
	*p = (struct peer_clock){ .state = PEER_IDLE, .due_ns = PEER_NEVER };
}

static void soon(struct peer_clock *p, uint64_t now_ns, uint32_t chance)
{
	uint64_t earliest = p->started_ns ? p->started_ns + retry_ns(p, chance) : 0;

	p->due_ns = earliest > now_ns ? earliest : now_ns;
}

static void agreed(struct peer_clock *p, uint64_t now_ns, uint32_t chance)
{
	p->tries = 0;
	/* Sooner by chance, so that it is not always both sides at once. */
	p->due_ns = now_ns + PEER_RENEW_NS - (jitter(PEER_RENEW_NS, chance) - PEER_RENEW_NS) / 4;
	/* The other side may still be a moment ahead of us. */
	if (p->strange_ns < now_ns + PEER_STRANGE_NS)
		p->strange_ns = now_ns + PEER_STRANGE_NS;
}

static void strange(struct peer_clock *p, uint64_t now_ns, uint32_t chance)
{
	if (now_ns < p->strange_ns)
		return;
	/* After a long quiet time it begins anew. */
	if (now_ns - p->strange_ns > PEER_STRANGE_MAX_NS || p->strange_gap_ns < PEER_STRANGE_NS)
		p->strange_gap_ns = PEER_STRANGE_NS;
	else if (p->strange_gap_ns < PEER_STRANGE_MAX_NS)
		p->strange_gap_ns *= 2;
	p->strange_ns = now_ns + p->strange_gap_ns;
	p->state = PEER_WAITING;
	soon(p, now_ns, chance);
}

int peer_clock_move(struct peer_clock *p, enum peer_event ev, uint64_t now_ns, uint32_t chance)
{
	const struct move *m = &table[p->state][ev];

	p->state = m->to;
	switch (m->act) {
	case KEEP:
		return 0;
	case SOON:
		soon(p, now_ns, chance);
		return 0;
	case ASK:
		p->started_ns = now_ns;
		p->tries++;
		p->due_ns = now_ns + retry_ns(p, chance);
		return 1;
	case RENEW:
		agreed(p, now_ns, chance);
		return 0;
	case REST:
		p->due_ns = PEER_NEVER;
		return 0;
	case STRANGE:
		strange(p, now_ns, chance);
		return 0;
	}
	return 0;
}
