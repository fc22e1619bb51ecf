/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The PRP walk; see prp.h. Two passes: first all addresses are collected and checked (lists are read here, each
 * once), then the pages are pinned one by one. Nothing is merged before it is pinned, so an address of 0 or two
 * entries that only look adjacent cannot confuse it.
 */

#include "cards/storage/prp.h"

#include <errno.h>

#include "base/num.h"

static void page_add(struct prp_pages *out, uint64_t at, uint64_t len)
{
	must(out->cnt < PRP_PAGES_MAX);
	out->page[out->cnt].at = (gpa_t){ at };
	out->page[out->cnt].len = (uint32_t)len;
	out->cnt++;
}

/* The pages behind a list pointer: @left bytes of data remain. */
static int list_walk(struct gmem *mem, uint64_t list, uint64_t left, struct prp_pages *out)
{
	uint64_t entry[PRP_LIST_ENTRIES];
	unsigned lists;
	int r;

	for (lists = 0; lists < PRP_LISTS_MAX; lists++) {
		unsigned room = (unsigned)(NVME_PAGE_BYTES - list % NVME_PAGE_BYTES) / 8;
		uint64_t want = align_up(left, NVME_PAGE_BYTES) / NVME_PAGE_BYTES;
		bool chained = want > room;
		unsigned cnt = chained ? room : (unsigned)want, i;

		if (list % 8)
			return -EINVAL;
		r = gmem_read(mem, (gpa_t){ list }, entry, cnt * sizeof(entry[0]));
		if (r < 0)
			return r;

		for (i = 0; i < cnt - chained; i++) {
			uint64_t len = min_u64(left, NVME_PAGE_BYTES);

			if (entry[i] % NVME_PAGE_BYTES)
				return -EINVAL;
			page_add(out, entry[i], len);
			left -= len;
		}
		if (!chained)
			return 0;

		list = entry[cnt - 1];
		if (list % NVME_PAGE_BYTES)
			return -EINVAL;
	}

	return -EINVAL;
}

int prp_walk(struct gmem *mem, uint64_t prp1, uint64_t prp2, size_t len, struct prp_pages *ret)
{
	uint64_t first = min_u64(len, NVME_PAGE_BYTES - prp1 % NVME_PAGE_BYTES);
	uint64_t left = len - first;

	must(len > 0 && len <= PRP_DATA_MAX);
	ret->cnt = 0;
	if (prp1 % 4)
		return -EINVAL;
	page_add(ret, prp1, first);

	if (!left)
		return 0;
	if (left > NVME_PAGE_BYTES)
		return list_walk(mem, prp2, left, ret);
	if (prp2 % NVME_PAGE_BYTES)
		return -EINVAL;
	page_add(ret, prp2, left);
	return 0;
}

/* The same region pins both: one pin is enough for the longer span. */
static bool span_joins(const struct gmem_span *a, const struct gmem_span *b)
{
	return a->region_idx == b->region_idx && (const char *)a->p + a->len == (const char *)b->p;
}

static int span_add(struct gmem *mem, gpa_t at, uint32_t len, unsigned need, struct prp_spans *s)
{
	struct gmem_span span = { 0 };
	int r;

	r = gmem_map(mem, at, len, need, &span);
	if (r < 0)
		return r;
	/* Regions are whole pages and a piece never leaves its page. */
	if (span.len != len) {
		gmem_put(mem, &span);
		return -EPROTO;
	}

	if (s->cnt && span_joins(&s->span[s->cnt - 1], &span)) {
		s->span[s->cnt - 1].len += len;
		s->iov[s->cnt - 1].iov_len += len;
		gmem_put(mem, &span);
		return 0;
	}
	s->iov[s->cnt] = (struct iovec){ span.p, span.len };
	s->span[s->cnt++] = span;
	return 0;
}

int prp_map(struct gmem *mem, uint64_t prp1, uint64_t prp2, size_t len, unsigned need,
	    struct prp_spans *ret)
{
	struct prp_pages pages;
	unsigned i;
	int r;

	ret->cnt = 0;
	r = prp_walk(mem, prp1, prp2, len, &pages);
	for (i = 0; r == 0 && i < pages.cnt; i++)
		r = span_add(mem, pages.page[i].at, pages.page[i].len, need, ret);
	if (r < 0)
		prp_put(mem, ret);
	return r;
}

void prp_put(struct gmem *mem, struct prp_spans *s)
{
	unsigned i;

	for (i = 0; i < s->cnt; i++)
		gmem_put(mem, &s->span[i]);
	s->cnt = 0;
}

int prp_copy_out(struct gmem *mem, uint64_t prp1, uint64_t prp2, size_t total, const void *buf,
		 size_t len)
{
	struct prp_pages pages;
	const uint8_t *p = buf;
	unsigned i;
	int r;

	must(len <= total);
	r = prp_walk(mem, prp1, prp2, total, &pages);
	for (i = 0; r == 0 && len > 0; i++) {
		size_t n = min_u64(len, pages.page[i].len);

		r = gmem_write(mem, pages.page[i].at, p, n);
		p += n;
		len -= n;
	}
	return r;
}

int prp_copy_in(struct gmem *mem, uint64_t prp1, uint64_t prp2, size_t total, void *buf, size_t len)
{
	struct prp_pages pages;
	uint8_t *p = buf;
	unsigned i;
	int r;

	must(len <= total);
	r = prp_walk(mem, prp1, prp2, total, &pages);
	for (i = 0; r == 0 && len > 0; i++) {
		size_t n = min_u64(len, pages.page[i].len);

		r = gmem_read(mem, pages.page[i].at, p, n);
		p += n;
		len -= n;
	}
	return r;
}
