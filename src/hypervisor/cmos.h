/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The clock chip as far as anyone needs it: the time of day (the host's, read-only), and the memory size that
 * stock OVMF asks for. No alarm, no interrupt.
 */

#include <stdint.h>

struct cmos {
	_Atomic uint8_t idx;            /* port 0x70; one register for all vCPUs, as in hardware */
	uint64_t low_bytes, high_bytes; /* RAM below and above 4 GiB */
};

void cmos_init(struct cmos *c, uint64_t low_bytes, uint64_t high_bytes);
void cmos_index_write(struct cmos *c, uint8_t v);
/* @now_s: seconds since 1970, UTC */
uint8_t cmos_data_read(const struct cmos *c, uint64_t now_s);
