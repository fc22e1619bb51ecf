/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The one place where our error codes become NVMe status.
 */

#include "cards/storage/nvme.h"

/**
 * nvme_status_of() - status of a command that ended with @r
 * @r:     0, or -errno from the volume, the PRP walk or guest memory
 * @write: the command would have changed the medium
 *
 * Return: enum nvme_status, with the do-not-retry bit where trying again cannot help.
 */
uint16_t nvme_status_of(int r, int write);
