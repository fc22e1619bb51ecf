/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* niterd's channel: secrets of access keys and KMS (keys/keys.h). */

#include "security/service.h"

/* channel_keys_answer(): one request. Return: 0, -errno: the channel is closed. */
MUST_USE int channel_keys_answer(struct service *s, struct channel *c, const struct ctl_msg *m);
