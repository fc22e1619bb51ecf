/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One host's wire for fuzz targets: two ports here, one of another network, an instance and a gateway on host 2, whose keys the
 * target holds. Made once; world_fresh() gives every input the same state.
 */

#include "wire_rig.h"

struct wire_fuzz_world {
	struct rig rig;
	struct rig_port *p1, *p2, *other; /* p1, p2: RIG_VNI, checked; other: RIG_VNI + 1 */
	struct rig_port far, far_gateway; /* on host 2: names, no rings */
	struct udp_addr peer, stranger;
	struct ctl_tun_key keys;
	struct esp_tx *peer_tx; /* host 2's ends of the keys */
	struct esp_rx *peer_rx;
};

extern struct wire_fuzz_world world;

void world_fresh(void);
/* world_delivered(): frames that lie in @p's ring; they are taken out. The last one is in @buf. */
unsigned world_delivered(struct rig_port *p, uint8_t *buf, size_t *ret_len);
