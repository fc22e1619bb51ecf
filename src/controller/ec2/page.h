/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pagination: MaxResults and NextToken. Objects come in order of creation; a token says after which one the next page
 * begins. It is bound by a MAC to account, action and filters, so a forged or foreign one is refused.
 *
 *	struct page p;
 *	r = page_begin(c, &p, 5, 1000);
 *	for each object that matches, in order: if (!page_take(&p, created_ms, id)) continue; else write it
 *	page_end(c, &p);  writes <nextToken> when there is more
 */

#include "controller/ec2/call.h"

enum { PAGE_ID_MAX = MODEL_ID_MAX + MODEL_TAG_KEY_MAX }; /* with NUL */

struct page {
	uint64_t max; /* 0: everything */
	uint64_t taken;
	bool more;
	bool after; /* begins after (after_ms, after_id) */
	uint64_t after_ms, last_ms;
	char after_id[PAGE_ID_MAX], last_id[PAGE_ID_MAX];
	uint8_t digest[32]; /* of account, action and the parameters but MaxResults and NextToken */
};

MUST_USE int page_begin(struct ec2_call *c, struct page *p, uint64_t min, uint64_t max);
/* page_take(): is this object on the page? Objects must come in order of (created_ms, id). */
bool page_take(struct page *p, uint64_t created_ms, const char *id);
/* page_full(): nothing more can be taken and it is known that there is more: the walk may stop. */
bool page_full(const struct page *p);
void page_end(struct ec2_call *c, struct page *p);
