/* SPDX-License-Identifier: Apache-2.0 */

/* Rings of the ENA device: how entries come in and completions go out; see ena_priv.h. */

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "cards/network/ena_priv.h"

enum { SQ_ENTRY_BYTES = 16 };

static bool phase_of(uint16_t index, uint16_t depth)
{
	return !(index / depth & 1);
}

int ena_sq_look(struct ena *e, struct ena_sq *sq, unsigned idx)
{
	/* Acquire: pairs with the hypervisor's store of the guest's write, which follows the driver's entries. */
	uint32_t tail_raw =
		atomic_load_explicit(&e->conf.db_page[ena_db_slot(idx)], memory_order_acquire);
	uint16_t tail = (uint16_t)tail_raw;

	/* Neither beyond what was completed and may be reused, nor back behind what was fetched. */
	if ((uint16_t)(tail - sq->done) > sq->depth ||
	    (uint16_t)(tail - sq->head) > (uint16_t)(tail - sq->done))
		return -EPROTO;
	sq->tail = tail;
	return (uint16_t)(tail - sq->head);
}

int ena_sq_fetch(struct ena *e, struct ena_sq *sq, void *ret, unsigned max, bool *ret_phase)
{
	unsigned slot = sq->head % sq->depth, ready = (uint16_t)(sq->tail - sq->head);
	unsigned cnt = (unsigned)min_u64(min_u64(max, ready), sq->depth - slot);
	int r;

	must(cnt);
	r = gmem_read(e->conf.mem, (gpa_t){ sq->base.v + (uint64_t)slot * SQ_ENTRY_BYTES }, ret,
		      (size_t)cnt * SQ_ENTRY_BYTES);
	if (r < 0)
		return r;
	*ret_phase = phase_of(sq->head, sq->depth);
	sq->head = (uint16_t)(sq->head + cnt);
	return (int)cnt;
}

/* One entry into pinned memory; word 0 ... words - 1, the one with the phase bit last and with release. */
static void entry_store(const struct gmem_span *s, size_t off, const uint32_t *w, unsigned words,
			unsigned flag_word, uint32_t flag)
{
	unsigned i;

	for (i = 0; i < words; i++)
		if (i != flag_word)
			gmem_span_store32(s, off + 4 * (size_t)i, w[i]);
	/* Release: pairs with dma_rmb() after the phase test in ena_com_get_next_rx_cdesc(). */
	gmem_span_store32(s, off + 4 * (size_t)flag_word, w[flag_word] | flag);
}

int ena_cq_post(struct ena *e, struct ena_cq *cq, const void *entry, unsigned cnt, unsigned words,
		unsigned flag_word, uint32_t flag)
{
	const uint32_t *w = entry;
	size_t bytes = 4 * (size_t)words;

	while (cnt) {
		unsigned slot = cq->tail % cq->depth;
		unsigned n = (unsigned)min_u64(cnt, cq->depth - slot);
		bool phase = phase_of(cq->tail, cq->depth);
		struct gmem_span s;
		unsigned i;
		int r;

		r = gmem_map(e->conf.mem, (gpa_t){ cq->base.v + slot * bytes }, n * bytes,
			     GMEM_WRITE, &s);
		if (r < 0)
			return r;
		/* Regions are whole pages and the ring is aligned to its entries: no entry is in two. */
		n = (unsigned)(s.len / bytes);
		for (i = 0; i < n; i++, w += words)
			entry_store(&s, i * bytes, w, words, flag_word, phase ? flag : 0);
		gmem_put(e->conf.mem, &s);
		cq->tail = (uint16_t)(cq->tail + n);
		cnt -= n;
	}
	if (cq->irq_on)
		e->vector[cq->vector].due = true;
	return 0;
}
