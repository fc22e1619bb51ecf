/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between the core_*.c files only. */

#include "controller/core.h"

/* State reason of an instance with a volume whose KMS key is disabled, or at its end. */
#define CORE_BAD_KMS_KEY "Client.InvalidKmsKey.InvalidState"

MUST_USE int core_act_add(struct core_acts *acts, enum core_act_kind kind, const char *id);

/**
 * core_step() - apply one event to @i in memory; volumes it touches are written
 * @code: EC2 state reason to record if the state changes; NULL: none
 * Return: as machine_next().
 */
MUST_USE int core_step(struct core *c, struct instance *i, enum machine_event ev, const char *code,
		       const char *why, struct core_acts *acts);
/* core_apply(): core_step() and the row, in one transaction. */
MUST_USE int core_apply(struct core *c, struct instance *i, enum machine_event ev, const char *code,
			const char *why, struct core_acts *acts);
/* core_volumes_room(): may @account have @more volumes? */
MUST_USE int core_volumes_room(struct core *c, const char *account, size_t more, struct fault *f);
/* core_name_set(): the tag Name of @i. */
MUST_USE int core_name_set(struct core *c, const struct instance *i, const char *name);
