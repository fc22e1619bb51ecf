/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/cmos.h"

#include "base/num.h"

/* spec: mc146818: registers; QEMU's use of 0x34 and 0x5b for the memory size */
enum {
	RTC_SECONDS = 0,
	RTC_MINUTES = 2,
	RTC_HOURS = 4,
	RTC_WEEKDAY = 6,
	RTC_DAY = 7,
	RTC_MONTH = 8,
	RTC_YEAR = 9,
	RTC_A = 10,
	RTC_B = 11,
	RTC_D = 13,
	RTC_CENTURY = 0x32,
	CMOS_LOW_RAM = 0x34,  /* 2 bytes, 64 KiB units above 16 MiB */
	CMOS_HIGH_RAM = 0x5b, /* 3 bytes, 64 KiB units */

	A_DIVIDER = 0x26,
	B_24H = 0x02, /* and BCD */
	D_VALID = 0x80,
};

struct date {
	unsigned year, month, day;
};

/* Civil date of a day number; the era arithmetic counts years from March, so that leap days come last. */
static struct date date_of(uint64_t days)
{
	uint64_t z = days + 719468, era = z / 146097;
	unsigned doe = (unsigned)(z % 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	struct date d = { .day = doy - (153 * mp + 2) / 5 + 1, .month = mp < 10 ? mp + 3 : mp - 9 };

	d.year = (unsigned)(yoe + era * 400) + (d.month <= 2);
	return d;
}

static uint8_t bcd(unsigned v)
{
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

void cmos_init(struct cmos *c, uint64_t low_bytes, uint64_t high_bytes)
{
	c->idx = 0;
	c->low_bytes = low_bytes;
	c->high_bytes = high_bytes;
}

void cmos_index_write(struct cmos *c, uint8_t v)
{
	c->idx = v & 0x7f; /* bit 7 would mask NMI */
}

uint8_t cmos_data_read(const struct cmos *c, uint64_t now_s)
{
	uint64_t low = c->low_bytes > 16 * MIB ? (c->low_bytes - 16 * MIB) >> 16 : 0;
	uint64_t high = c->high_bytes >> 16;
	struct date d = date_of(now_s / 86400);
	uint8_t idx = c->idx;

	switch (idx) {
	case RTC_SECONDS:
		return bcd((unsigned)(now_s % 60));
	case RTC_MINUTES:
		return bcd((unsigned)(now_s / 60 % 60));
	case RTC_HOURS:
		return bcd((unsigned)(now_s / 3600 % 24));
	case RTC_WEEKDAY:
		return (uint8_t)((now_s / 86400 + 4) % 7 + 1);
	case RTC_DAY:
		return bcd(d.day);
	case RTC_MONTH:
		return bcd(d.month);
	case RTC_YEAR:
		return bcd(d.year % 100);
	case RTC_CENTURY:
		return bcd(d.year / 100);
	case RTC_A:
		return A_DIVIDER;
	case RTC_B:
		return B_24H;
	case RTC_D:
		return D_VALID;
	case CMOS_LOW_RAM:
	case CMOS_LOW_RAM + 1:
		return (uint8_t)(low >> 8 * (idx - CMOS_LOW_RAM));
	case CMOS_HIGH_RAM:
	case CMOS_HIGH_RAM + 1:
	case CMOS_HIGH_RAM + 2:
		return (uint8_t)(high >> 8 * (idx - CMOS_HIGH_RAM));
	default:
		return 0;
	}
}
