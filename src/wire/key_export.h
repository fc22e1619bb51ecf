/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proto/control.h"

/*
 * key_export(): called with every pair of keys that is installed. key_export_none.c does nothing; key_export_log.c,
 * which only the meson option key_export links (a lab build), logs them so that a capture can be read.
 */
void key_export(const struct ctl_tun_key *k);
