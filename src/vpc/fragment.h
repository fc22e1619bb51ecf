/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fragments are not reassembled. The first one of a datagram carries the whole transport header and is judged like any
 * packet; if it passes, it is noted here, and later ones pass by it: of the same datagram, each byte once, none behind the
 * end, within FRAGMENT_S. One that overlaps spoils its datagram. Later ones that come before the first are dropped.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "vpc/vpc.h"

enum {
	FRAGMENT_DATAGRAMS =
		64, /* on their way at one time, of one port and direction; the oldest makes room */
	FRAGMENT_S = 15,
	FRAGMENT_UNITS = 65536 / 8,
};

struct fragment_datagram {
	uint32_t src, dst;
	uint16_t id;
	uint8_t proto;
	bool used, spoiled;
	uint32_t begin_s;
	uint16_t got, top,
		end; /* 8-byte units that came; behind the last of them; that there are, 0: not known yet */
	uint64_t map[FRAGMENT_UNITS / 64];
};

struct fragments {
	struct fragment_datagram datagram[FRAGMENT_DATAGRAMS];
};

/* fragment_first(): a first fragment passed; note it. Return: false: its datagram is known already, drop it. */
MUST_USE bool fragment_first(struct fragments *t, const struct frame *f, uint32_t now_s);
/* fragment_later(): Return: may this later fragment pass? */
MUST_USE bool fragment_later(struct fragments *t, const struct frame *f, uint32_t now_s);
