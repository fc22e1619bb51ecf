/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"
#include "crypto/key.h"
#include "volume/volume.h"

/* digest_check() - is this the key the header was made for? Return: 0, -EKEYREJECTED, -EINVAL, -EIO. */
MUST_USE int digest_check(const struct vol_params *p, const struct key *key);
