/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who may say what: one guard, one file, so that a test can link another file in the place of one and show that its
 * probes would get through (tests/isolation/wire_probes_test.c).
 */

#include <stdbool.h>

#include "wire/wire.h"

/* From a ring: is the source MAC, the source address, this port's? */
bool guard_src_mac(const struct port *p, const struct inner *i);
bool guard_src_ip(const struct port *p, const struct inner *i);

/* From another host, in tunnel @t. @src: entry of the source MAC, NULL: nobody's. */
bool guard_peer_mac(const struct tunnel *t, const struct map_entry *src);
/* @to: who would get the packet */
bool guard_peer_ip(const struct wire *w, const struct tunnel *t, const struct inner *i,
		   const struct map_entry *src, const struct port *to);
