/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The power management block of an ICH9 (PM1a, timer, GPE0), its interrupt (SCI), and every way a guest has to
 * ask for reset or power-off. It decides nothing: it says what was asked.
 *   spec: acpi-6.4 §4.8.3 (PM1), §4.8.4 (GPE); spec: intel-ich9 §13.8
 */

#include <pthread.h>
#include <stdint.h>

#include "base/attr.h"
#include "hypervisor/line.h"

/* What the guest wants. */
enum power_ask { POWER_NONE, POWER_RESET, POWER_OFF };

enum {
	POWER_PM1_EVT = 0x00, /* offsets in the block: the FADT says them too */
	POWER_PM1_CNT = 0x04,
	POWER_PM_TMR = 0x08,
	POWER_GPE0 = 0x20,
	POWER_GPE0_BYTES = 16,    /* status, then enable */
	POWER_RESET_VALUE = 0x0f, /* for port 0xcf9 */
	POWER_S5_TYPE = 0, /* SLP_TYP of soft-off, as on QEMU's Q35; stock OVMF relies on it */
};

struct power {
	pthread_mutex_t lock; /* all below */
	struct line sci;
	uint16_t pm1_sts, pm1_en, pm1_cnt;
	uint8_t gpe_sts[POWER_GPE0_BYTES / 2], gpe_en[POWER_GPE0_BYTES / 2];
};

/* power_init(): @sci is copied. Return: 0, -errno. */
MUST_USE int power_init(struct power *p, const struct line *sci);
void power_reset(struct power *p);

/* power_button(): somebody pressed it; the guest's system does the rest. */
void power_button(struct power *p);

/* The guest's accesses to the block; @off 0 … 0x7f from its base, @len 1, 2 or 4. */
uint32_t power_read(struct power *p, unsigned off, unsigned len, uint64_t now_ns);
MUST_USE enum power_ask power_write(struct power *p, unsigned off, unsigned len, uint32_t v);
