/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tests: every implementation this processor can run, not only the fastest. */

#include "crypto/packet_gcm.h"

enum packet_gcm_level {
	PACKET_GCM_AUTO,
	PACKET_GCM_LIBCRYPTO,
	PACKET_GCM_SSE,
	PACKET_GCM_AVX2,
	PACKET_GCM_AVX512,
};

/*
 * packet_gcm_init_level(): as packet_gcm_init(), with this one; while no object is alive, it may be called again.
 * Return: as packet_gcm_init(); -ENOTSUP when this processor cannot run it.
 */
MUST_USE int packet_gcm_init_level(enum packet_gcm_level level);
