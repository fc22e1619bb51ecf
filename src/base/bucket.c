/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bucket.h"

#include "base/num.h"

enum { NS_PER_S = 1000000000 };

__extension__ typedef unsigned __int128 u128;

static uint64_t clip_u64(u128 v)
{
	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now_ns)
{
	*b = (struct bucket){ .rate = rate, .burst = burst, .tokens = burst, .last_ns = now_ns };
}

static void bucket_fill(struct bucket *b, uint64_t now_ns)
{
	u128 grown;

	if (now_ns <= b->last_ns) /* also while a debt is being paid off */
		return;
	grown = (u128)(now_ns - b->last_ns) * b->rate + b->frac_ns;
	b->last_ns = now_ns;
	if (grown / NS_PER_S >= b->burst - b->tokens) {
		b->tokens = b->burst;
		b->frac_ns = 0;
		return;
	}
	b->tokens += (uint64_t)(grown / NS_PER_S);
	b->frac_ns = (uint64_t)(grown % NS_PER_S);
}

uint64_t bucket_take(struct bucket *b, uint64_t tokens, uint64_t now_ns)
{
	uint64_t need, wait_ns = 0;

	if (!b->rate)
		return 0;
	bucket_fill(b, now_ns);

	/*
	 * More than the bucket can ever hold passes when it is full; the rest is a debt: the bucket stays empty
	 * until the debt would have been paid.
	 */
	need = min_u64(tokens, b->burst);
	if (b->last_ns > now_ns)
		wait_ns = b->last_ns - now_ns;
	if (wait_ns || b->tokens < need) {
		u128 missing = b->tokens < need ? (u128)(need - b->tokens) * NS_PER_S : 0;

		missing = missing > b->frac_ns ? missing - b->frac_ns : 0;
		wait_ns = clip_u64((u128)wait_ns + (missing + b->rate - 1) / b->rate);
		return wait_ns ? wait_ns : 1;
	}
	b->tokens -= need;
	if (tokens > need) {
		u128 debt_ns = ((u128)(tokens - need) * NS_PER_S + b->rate - 1) / b->rate;

		b->last_ns = clip_u64((u128)now_ns + debt_ns);
		b->frac_ns = 0;
	}
	return 0;
}
