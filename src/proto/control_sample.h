/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One example of every message, for tests. Every string holds exactly one letter Q, and no other field a byte of
 * that value, so that a test finds the strings in the packet.
 */

#include <stddef.h>

#include "proto/control.h"

struct control_sample {
	const char *name;
	enum ctl_type type;
	const void *body; /* NULL: the type has none */
	size_t body_len;
	unsigned fd_cnt; /* descriptors it travels with */
	unsigned fd_alt; /* another number that is fine too; else the same */
};

extern const struct control_sample control_samples[];
extern const size_t control_sample_cnt;
