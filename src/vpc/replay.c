/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/replay.h"

#include <string.h>

/*
 * spec: rfc-6479: a ring of bits; number n is bit n % 64 of word n / 64 % REPLAY_WORDS. When the window moves forward,
 * the words it enters are cleared whole; the ring is twice the window, so none of them is still inside it.
 */

static uint64_t bit_of(uint32_t seq)
{
	return (uint64_t)1 << (seq % 64);
}

static uint32_t word_of(uint32_t seq)
{
	return seq / 64 % REPLAY_WORDS;
}

void replay_init(struct replay *w, uint32_t top)
{
	memset(w, 0, sizeof(*w));
	w->top = top;
	if (top)
		memset(w->seen, 0xff, sizeof(w->seen));
	/* Numbers of the same word that have not come yet. */
	if (top && top % 64 != 63)
		w->seen[word_of(top)] = (bit_of(top) << 1) - 1;
}

bool replay_check(const struct replay *w, uint32_t seq)
{
	if (!seq)
		return false;
	if (seq > w->top)
		return true;
	if (w->top - seq >= REPLAY_WINDOW)
		return false;
	return !(w->seen[word_of(seq)] & bit_of(seq));
}

bool replay_update(struct replay *w, uint32_t seq)
{
	uint32_t word, words;

	if (!replay_check(w, seq))
		return false;
	if (seq > w->top) {
		words = seq / 64 - w->top / 64;
		if (words > REPLAY_WORDS)
			words = REPLAY_WORDS;
		for (word = w->top / 64 + 1; words; words--, word++)
			w->seen[word % REPLAY_WORDS] = 0;
		w->top = seq;
	}
	w->seen[word_of(seq)] |= bit_of(seq);
	return true;
}
