/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "security/service.h"

/* channel_sign_answer(): one request of a metadata process. Return: 0, -errno: the channel is closed. */
MUST_USE int channel_sign_answer(struct service *s, struct channel *c, const struct ctl_msg *m);
