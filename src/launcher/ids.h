/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names that come from niterd and will become names of files and cgroups. Nothing is made of them before they
 * pass here: a fixed prefix, a dash, and 8 or 17 lower-case hex digits, so no name can ever hold a slash or a dot.
 */

#include <stdbool.h>

/* @id: NUL-terminated */
bool id_instance_ok(const char *id); /* "i-…" */
bool id_volume_ok(const char *id);   /* "vol-…" */
bool id_image_ok(const char *id);    /* "ami-…" */
bool id_interface_ok(const char *id); /* "eni-…" */
bool id_gateway_ok(const char *id);   /* "igw-…" */
/* Account ids go to niter-security only: 1 to CTL_ID_MAX-1 of a-z, 0-9 and "-". */
bool id_account_ok(const char *id);
/* EC2 type and device names only appear in texts and messages: printable, no blanks or quotes; may be empty. */
bool name_ok(const char *name);
