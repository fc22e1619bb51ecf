/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Instances, images and volumes as the verbs show them: found by what people type (an id, its beginning, a name), and
 * turned from the API's members into the JSON that `niter --json` prints.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* thing_instances(): {"instances": […]} in order of launch. @all: terminated ones too. Return: CLI_OK and *ret (owned), CLI_FAILED. */
MUST_USE int thing_instances(bool all, json_t **ret);
/* thing_instance(): the one @id. *ret: owned. */
MUST_USE int thing_instance(const char *id, json_t **ret);
/* thing_instance_find(): the id of the instance that @ref means. */
MUST_USE int thing_instance_find(const char *ref, char *ret, size_t cap);
MUST_USE int thing_image_find(const char *ref, char *ret, size_t cap);
/* thing_volumes(): {"volumes": […]}. */
MUST_USE int thing_volumes(json_t **ret);
MUST_USE int thing_volume_find(const char *ref, char *ret, size_t cap);

/**
 * thing_instance_wait() - until @id is in @state
 * @p: shows how it goes
 * Return: CLI_OK and *ret (owned), or CLI_FAILED with the line printed when it took another way.
 */
struct progress;
MUST_USE int thing_instance_wait(const char *id, const char *state, struct progress *p,
				 json_t **ret);
