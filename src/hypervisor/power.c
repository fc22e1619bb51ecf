/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/power.h"

#include <string.h>

enum {
	PM1_TMR = 1 << 0,
	PM1_GBL = 1 << 5,
	PM1_PWRBTN = 1 << 8,
	PM1_RTC = 1 << 10, /* enabled by Linux and never raised */
	PM1_WAKE = 1 << 15,
	PM1_STS_MASK = PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_RTC | PM1_WAKE,
	PM1_EN_MASK = PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_RTC,

	CNT_SCI_EN = 1 << 0, /* always on: there is no SMI and no legacy mode */
	CNT_SLP_TYP_SHIFT = 10,
	CNT_SLP_TYP_MASK = 7,
	CNT_SLP_EN = 1 << 13, /* write only */
	CNT_MASK = CNT_SCI_EN | 1 << 1 | CNT_SLP_TYP_MASK << CNT_SLP_TYP_SHIFT,
};

static const uint64_t ns_per_s = 1000000000;
static const uint64_t tmr_hz = 3579545;

int power_init(struct power *p, const struct line *sci)
{
	memset(p, 0, sizeof(*p));
	p->sci = *sci;
	p->pm1_cnt = CNT_SCI_EN;
	return -pthread_mutex_init(&p->lock, NULL);
}

static void sci_update(struct power *p)
{
	bool level = p->pm1_sts & p->pm1_en;
	unsigned i;

	for (i = 0; i < POWER_GPE0_BYTES / 2; i++)
		level = level || (p->gpe_sts[i] & p->gpe_en[i]);
	line_set(&p->sci, level);
}

void power_reset(struct power *p)
{
	pthread_mutex_lock(&p->lock);
	p->pm1_sts = 0;
	p->pm1_en = 0;
	p->pm1_cnt = CNT_SCI_EN;
	memset(p->gpe_sts, 0, sizeof(p->gpe_sts));
	memset(p->gpe_en, 0, sizeof(p->gpe_en));
	sci_update(p);
	pthread_mutex_unlock(&p->lock);
}

void power_button(struct power *p)
{
	pthread_mutex_lock(&p->lock);
	p->pm1_sts |= PM1_PWRBTN;
	sci_update(p);
	pthread_mutex_unlock(&p->lock);
}

/* The 3.58 MHz counter, 32 bits. Split so that the product cannot overflow in 2^34 seconds. */
static uint32_t timer_at(uint64_t now_ns)
{
	return (uint32_t)(now_ns / ns_per_s * tmr_hz + now_ns % ns_per_s * tmr_hz / ns_per_s);
}

/* One byte of the block: any access is made of these. */
static uint8_t byte_read(const struct power *p, unsigned off, uint32_t timer)
{
	unsigned gpe = off - POWER_GPE0;

	if (off < POWER_PM1_EVT + 2)
		return (uint8_t)(p->pm1_sts >> 8 * off);
	if (off < POWER_PM1_EVT + 4)
		return (uint8_t)(p->pm1_en >> 8 * (off - 2));
	if (off >= POWER_PM1_CNT && off < POWER_PM1_CNT + 2)
		return (uint8_t)(p->pm1_cnt >> 8 * (off - POWER_PM1_CNT));
	if (off >= POWER_PM_TMR && off < POWER_PM_TMR + 4)
		return (uint8_t)(timer >> 8 * (off - POWER_PM_TMR));
	if (off < POWER_GPE0 || gpe >= POWER_GPE0_BYTES)
		return 0;
	return gpe < sizeof(p->gpe_sts) ? p->gpe_sts[gpe] : p->gpe_en[gpe - sizeof(p->gpe_sts)];
}

uint32_t power_read(struct power *p, unsigned off, unsigned len, uint64_t now_ns)
{
	uint32_t timer = timer_at(now_ns), v = 0;
	unsigned i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < len; i++)
		v |= (uint32_t)byte_read(p, off + i, timer) << 8 * i;
	pthread_mutex_unlock(&p->lock);
	return v;
}

static uint16_t byte_put(uint16_t old, unsigned idx, uint8_t v)
{
	return (uint16_t)((old & ~(0xffu << 8 * idx)) | (uint32_t)v << 8 * idx);
}

static void byte_write(struct power *p, unsigned off, uint8_t v)
{
	unsigned gpe = off - POWER_GPE0;

	if (off < POWER_PM1_EVT + 2) { /* a written one clears */
		p->pm1_sts &= (uint16_t) ~((uint32_t)v << 8 * off) & PM1_STS_MASK;
	} else if (off < POWER_PM1_EVT + 4) {
		p->pm1_en = byte_put(p->pm1_en, off - 2, v) & PM1_EN_MASK;
	} else if (off >= POWER_PM1_CNT && off < POWER_PM1_CNT + 2) {
		p->pm1_cnt = (byte_put(p->pm1_cnt, off - POWER_PM1_CNT, v) & CNT_MASK) | CNT_SCI_EN;
	} else if (off >= POWER_GPE0 && gpe < sizeof(p->gpe_sts)) {
		p->gpe_sts[gpe] &= (uint8_t)~v;
	} else if (off >= POWER_GPE0 && gpe < POWER_GPE0_BYTES) {
		p->gpe_en[gpe - sizeof(p->gpe_sts)] = v;
	}
}

/* Does this write set SLP_EN, with the type of soft-off? Other sleep states do not exist and change nothing. */
static bool is_power_off(const struct power *p, unsigned off, unsigned len, uint32_t v)
{
	unsigned at = POWER_PM1_CNT + 1; /* SLP_EN's byte */

	if (off > at || len <= at - off || !(v >> 8 * (at - off) & CNT_SLP_EN >> 8))
		return false;
	return (p->pm1_cnt >> CNT_SLP_TYP_SHIFT & CNT_SLP_TYP_MASK) == POWER_S5_TYPE;
}

enum power_ask power_write(struct power *p, unsigned off, unsigned len, uint32_t v)
{
	enum power_ask ask;
	unsigned i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < len; i++)
		byte_write(p, off + i, (uint8_t)(v >> 8 * i));
	ask = is_power_off(p, off, len, v) ? POWER_OFF : POWER_NONE;
	sci_update(p);
	pthread_mutex_unlock(&p->lock);
	return ask;
}
