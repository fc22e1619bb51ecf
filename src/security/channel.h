/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "security/service.h"

/**
 * channel_grant() - the launcher opens a channel, or adds a volume to the one this instance has
 * @g:  what it says; @fd: our end, or -1 to add; taken on success only
 * @ret_why: literal, on failure
 * Return: 0, -EINVAL not a grant, -EBADF nothing to add to, -EBUSY the volume is another instance's now, -EUSERS,
 * -E2BIG too many, -EEXIST the volume has a key already, -ENOENT it has none, -ENOKEY the host has no identity.
 */
MUST_USE int channel_grant(struct service *s, const struct ctl_sec_channel *g, int fd,
			   const char **ret_why);

/* channel_wake(): read and answer what is there. */
void channel_wake(struct service *s, struct channel *c);

/* channel_revoke(): nobody may ask for @volume any more. */
void channel_revoke(struct service *s, const char *volume);

/* channel_close(): the descriptor; the object goes at service_reap(). */
void channel_close(struct service *s, struct channel *c);
