/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between the files of networks in the core only. */

#include "controller/core_net.h"
#include "controller/ids.h"

/* core_net_id(): as core_id_new(), for ids that need more room. */
MUST_USE int core_net_id(struct core *c, enum id_kind kind, char *ret, size_t cap);
/* core_mac_new(): locally administered unicast: 06:… for interfaces, 02:… for gateways, the rest random. */
MUST_USE int core_mac_new(struct core *c, uint8_t first, uint8_t ret[NET_MAC_BYTES]);
/* core_net_changed(): cards, wire and gateways must be told. */
MUST_USE int core_net_changed(struct core_acts *acts);

/* core_rules_fit(): can the card of every interface of this network be told all its rules? After a change, before the commit. */
MUST_USE int core_rules_fit(struct core *c, const char *vpc_id, struct fault *f);
MUST_USE int core_default_group_add(struct core *c, const struct vpc *v);
/* core_interfaces_release(): an instance is terminated: its interfaces go, or stay without it, as each of them says. */
MUST_USE int core_interfaces_release(struct core *c, const char *instance_id);
