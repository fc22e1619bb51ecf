/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/limit.h"

#include "base/num.h"

enum { NS_PER_S = 1000000000, BITS_PER_BYTE = 8 };

__extension__ typedef unsigned __int128 u128;

static const uint64_t FAST_RATE_MAX = 10000000000;

/* More than any link moves in a life: keeps sums far from overflow. */
static const uint64_t TOKENS_MAX = (uint64_t)1 << 60;

static void bucket_set(struct limit_bucket *b, uint64_t rate, uint64_t burst, bool fresh,
		       uint64_t now_ns)
{
	bool was_limited = b->rate != 0;

	b->rate = rate;
	b->burst = min_u64(burst, TOKENS_MAX);
	b->last_ns = now_ns;
	b->frac = 0;
	if (fresh || !was_limited || b->level > (int64_t)b->burst)
		b->level = (int64_t)b->burst;
}

/* What @ns bring; fractions go into b->frac. Within a second, at rates below 10 GB/s, 64 bits do. */
static uint64_t bucket_grown(struct limit_bucket *b, uint64_t ns)
{
	u128 grown;

	if (ns <= NS_PER_S && b->rate <= FAST_RATE_MAX) {
		uint64_t g = ns * b->rate + b->frac;

		b->frac = g % NS_PER_S;
		return g / NS_PER_S;
	}
	grown = (u128)ns * b->rate + b->frac;
	b->frac = (uint64_t)(grown % NS_PER_S);
	grown /= NS_PER_S;
	return grown > UINT64_MAX ? UINT64_MAX : (uint64_t)grown;
}

static void bucket_fill(struct limit_bucket *b, uint64_t now_ns)
{
	uint64_t whole;

	if (!b->rate || now_ns <= b->last_ns)
		return;
	whole = bucket_grown(b, now_ns - b->last_ns);
	b->last_ns = now_ns;
	if (whole >= (uint64_t)((int64_t)b->burst - b->level)) {
		b->level = (int64_t)b->burst;
		b->frac = 0;
		return;
	}
	b->level += (int64_t)whole;
}

/* Nanoseconds until the level is above zero. */
static uint64_t bucket_wait_ns(struct limit_bucket *b, uint64_t now_ns)
{
	u128 missing;

	if (!b->rate)
		return 0;
	bucket_fill(b, now_ns);
	if (b->level > 0)
		return 0;
	missing = (u128)(uint64_t)(1 - b->level) * NS_PER_S - b->frac;
	missing = (missing + b->rate - 1) / b->rate;
	return missing > UINT64_MAX ? UINT64_MAX : (uint64_t)missing;
}

static void bucket_charge(struct limit_bucket *b, uint64_t tokens, uint64_t now_ns)
{
	if (!b->rate)
		return;
	bucket_fill(b, now_ns);
	if (b->level > -(int64_t)TOKENS_MAX)
		b->level -= (int64_t)min_u64(tokens, TOKENS_MAX);
}

/* @seconds * @rate, cut to TOKENS_MAX. */
static uint64_t tokens_of(uint64_t seconds, uint64_t rate)
{
	uint64_t r;

	return mul_u64(seconds, rate, &r) ? min_u64(r, TOKENS_MAX) : TOKENS_MAX;
}

void limit_set(struct limit *l, const struct vpc_interface *c, bool fresh, uint64_t now_ns)
{
	uint64_t base = c->bps_baseline / BITS_PER_BYTE;
	uint64_t burst = max_u64(c->bps_burst / BITS_PER_BYTE, base);
	uint64_t peak = max_u64(tokens_of(LIMIT_PEAK_MS, burst) / 1000, LIMIT_PEAK_BYTES_MIN);
	uint64_t credit = tokens_of(c->burst_seconds, burst - base);
	unsigned i;
	int dir;

	if (c->bps_baseline && !base)
		base = burst = 1;
	/* A burst rate without a baseline limits the peak only. */
	for (dir = 0; dir < VPC_DIRECTIONS; dir++) {
		bucket_set(&l->peak[dir], burst, peak, fresh, now_ns);
		bucket_set(&l->credit[dir], base, max_u64(credit, peak), fresh, now_ns);
	}
	bucket_set(&l->packets, c->pps, max_u64(c->pps / 100, LIMIT_PACKETS_MIN), fresh, now_ns);
	for (i = 0; i < ARRAY_SIZE(l->service); i++)
		bucket_set(&l->service[i], LIMIT_SERVICE_PPS, LIMIT_SERVICE_PPS, fresh, now_ns);
}

uint64_t limit_wait_ns(struct limit *l, enum vpc_direction dir, uint64_t now_ns,
		       enum limit_cause *ret_cause)
{
	uint64_t bytes, packets;

	bytes = max_u64(bucket_wait_ns(&l->peak[dir], now_ns),
			bucket_wait_ns(&l->credit[dir], now_ns));
	packets = bucket_wait_ns(&l->packets, now_ns);
	*ret_cause = bytes ? LIMIT_BANDWIDTH : packets ? LIMIT_PACKETS : LIMIT_NONE;
	return max_u64(bytes, packets);
}

void limit_charge(struct limit *l, enum vpc_direction dir, uint64_t bytes, uint64_t now_ns)
{
	bucket_charge(&l->peak[dir], bytes, now_ns);
	bucket_charge(&l->credit[dir], bytes, now_ns);
	bucket_charge(&l->packets, 1, now_ns);
}

bool limit_service(struct limit *l, enum limit_service which, uint64_t now_ns)
{
	if (bucket_wait_ns(&l->service[which], now_ns))
		return false;
	bucket_charge(&l->service[which], 1, now_ns);
	return true;
}
