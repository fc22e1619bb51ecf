/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

/**
 * image_upload() - send an image directory (kernel, initrd if there is one, disk.raw, image.json) to the host
 * @name: instead of the one in image.json; NULL for that
 * Return: CLI_OK with the id printed, or CLI_FAILED with a line printed; the host keeps nothing then.
 */
MUST_USE int image_upload(const char *dir, const char *name);
