/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * When to ask niter-security for keys with another host. Pure: the clock and the random bits are passed in.
 *
 *   IDLE     nothing is asked: no network has addresses there, or niter-security is gone
 *   WAITING  CTL_TUN_START is due at ->due_ns
 *   STARTED  asked; without CTL_TUN_READY until ->due_ns it is asked again
 *   READY    keys were agreed on, by whichever side asked; renewed at ->due_ns
 *
 * Asked again every second, from the tenth time on every five, each up to a quarter later by chance, so that two
 * hosts, or a thousand after a power cut, do not go on asking in step.
 *
 * spec: docs/wire/tunnel.md "What the wire does", 2, 5 and 6
 */

#include <stdint.h>

#include "base/attr.h"

enum peer_state { PEER_IDLE, PEER_WAITING, PEER_STARTED, PEER_READY, PEER_STATES };

enum peer_event {
	PEER_EV_WANT,    /* there is a network to share */
	PEER_EV_UNWANT,  /* there is none any more */
	PEER_EV_DUE,     /* ->due_ns has come */
	PEER_EV_READY,   /* keys agreed on */
	PEER_EV_RENEW,   /* a key comes near its limit, or cannot be used */
	PEER_EV_STRANGE, /* it sends under keys that we do not have */
	PEER_EVENTS,
};

#define PEER_NEVER UINT64_MAX
#define PEER_S ((uint64_t)1000000000)
#define PEER_RENEW_NS (900 * PEER_S) /* keys are this old at most */
#define PEER_RETRY_NS (1 * PEER_S)
#define PEER_RETRY_SLOW_NS (5 * PEER_S)
#define PEER_STRANGE_NS                                                                            \
	(5 * PEER_S) /* between two starts for strange packets; doubles each time up to */
#define PEER_STRANGE_MAX_NS (320 * PEER_S)
enum { PEER_TRIES_FAST = 10 };

struct peer_clock {
	enum peer_state state;
	unsigned tries;      /* since the last READY */
	uint64_t due_ns;     /* PEER_NEVER when idle */
	uint64_t started_ns; /* of the last CTL_TUN_START; 0: never */
	uint64_t strange_ns; /* before this, strange packets mean nothing */
	uint64_t strange_gap_ns;
};

void peer_clock_init(struct peer_clock *p);

/**
 * peer_clock_move() - one event
 * @chance: random bits for the jitter
 * Return: 1 send CTL_TUN_START now, 0 nothing to do.
 */
MUST_USE int peer_clock_move(struct peer_clock *p, enum peer_event ev, uint64_t now_ns,
			     uint32_t chance);
