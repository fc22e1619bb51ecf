/* SPDX-License-Identifier: Apache-2.0 */

/* When a request was signed: without libc's calendar, which would look for the time zone's file. */

#include <errno.h>

#include "crypto/sigv4_priv.h"

enum { DAY_S = 86400 };

/* Decimal digits, exactly @len. */
int sigv4_number(const char *p, size_t len, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -EPROTO;
		v = v * 10 + (unsigned)(p[i] - '0');
	}
	if (v > max)
		return -EPROTO;
	*ret = v;
	return 0;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static uint64_t days_of(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month <= 2 ? year - 1 : year;
	unsigned m = month <= 2 ? month + 9 : month - 3; /* March is 0 */
	uint64_t days = (uint64_t)y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;

	return days - 719468; /* 1 March of year 0 to 1 January 1970 */
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static int time_set(struct sigv4 *s, const char *digits)
{
	unsigned y, mon, d, h, min, sec;

	/* digits: YYYYMMDDhhmmss */
	if (sigv4_number(digits, 4, 9999, &y) < 0 || sigv4_number(digits + 4, 2, 12, &mon) < 0 ||
	    sigv4_number(digits + 6, 2, 31, &d) < 0 || sigv4_number(digits + 8, 2, 23, &h) < 0 ||
	    sigv4_number(digits + 10, 2, 59, &min) < 0 ||
	    sigv4_number(digits + 12, 2, 60, &sec) < 0)
		return -EPROTO;
	if (y < 1970 || mon < 1 || d < 1 || d > month_days(y, mon))
		return -EPROTO;
	memcpy(s->date, digits, 8);
	s->date[8] = '\0';
	memcpy(s->time, digits, 8);
	s->time[8] = 'T';
	memcpy(s->time + 9, digits + 8, 6);
	memcpy(s->time + 15, "Z", 2);
	s->time_s = days_of(y, mon, d) * DAY_S + h * 3600 + min * 60 + sec;
	return 0;
}

/* "20261122T094516Z" */
int sigv4_time_basic(struct sigv4 *s, struct sigv4_span v)
{
	char digits[14];

	if (v.len != 16 || v.p[8] != 'T' || v.p[15] != 'Z')
		return -EPROTO;
	memcpy(digits, v.p, 8);
	memcpy(digits + 8, v.p + 9, 6);
	return time_set(s, digits);
}

/* spec: rfc-9110 §5.6.7: "Sun, 22 Nov 2026 09:45:16 GMT"; the name of the day is not looked at */
int sigv4_time_http(struct sigv4 *s, struct sigv4_span v)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char d[14];
	unsigned m = 0;

	if (v.len != 29 || memcmp(v.p + 3, ", ", 2) != 0 || v.p[7] != ' ' || v.p[11] != ' ' ||
	    v.p[16] != ' ' || v.p[19] != ':' || v.p[22] != ':' || memcmp(v.p + 25, " GMT", 4) != 0)
		return -EPROTO;
	while (m < 12 && memcmp(v.p + 8, months + (size_t)3 * m, 3) != 0)
		m++;
	if (m == 12)
		return -EPROTO;
	memcpy(d, v.p + 12, 4);
	d[4] = (char)('0' + (m + 1) / 10);
	d[5] = (char)('0' + (m + 1) % 10);
	memcpy(d + 6, v.p + 5, 2);
	memcpy(d + 8, v.p + 17, 2);
	memcpy(d + 10, v.p + 20, 2);
	memcpy(d + 12, v.p + 23, 2);
	return time_set(s, d);
}

int sigv4_time_check(const struct sigv4 *s, uint64_t now_s)
{
	if (s->time_s > now_s && s->time_s - now_s > SIGV4_SKEW_S)
		return -ETIME;
	if (s->time_s < now_s && now_s - s->time_s > (s->presigned ? s->expires_s : SIGV4_SKEW_S))
		return -ETIME;
	return 0;
}
