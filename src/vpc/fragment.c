/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/fragment.h"

#include <string.h>

static bool too_old(const struct fragment_datagram *d, uint32_t now_s)
{
	return now_s > d->begin_s && now_s - d->begin_s >= FRAGMENT_S;
}

static struct fragment_datagram *find(struct fragments *t, const struct frame *f, uint32_t now_s)
{
	unsigned i;

	for (i = 0; i < FRAGMENT_DATAGRAMS; i++) {
		struct fragment_datagram *d = &t->datagram[i];

		if (!d->used || d->id != f->frag_id || d->src != f->src || d->dst != f->dst ||
		    d->proto != f->proto)
			continue;
		if (!too_old(d, now_s))
			return d;
		d->used = false;
		return NULL;
	}
	return NULL;
}

static struct fragment_datagram *slot(struct fragments *t)
{
	struct fragment_datagram *oldest = &t->datagram[0];
	unsigned i;

	for (i = 0; i < FRAGMENT_DATAGRAMS; i++) {
		if (!t->datagram[i].used)
			return &t->datagram[i];
		if (t->datagram[i].begin_s < oldest->begin_s)
			oldest = &t->datagram[i];
	}
	return oldest;
}

/* Marks the units [at, at + cnt). Return: false if one of them was marked already. */
static bool mark(struct fragment_datagram *d, unsigned at, unsigned cnt)
{
	unsigned i;

	for (i = at; i < at + cnt; i++) {
		uint64_t bit = (uint64_t)1 << i % 64;

		if (d->map[i / 64] & bit)
			return false;
		d->map[i / 64] |= bit;
	}
	d->got = (uint16_t)(d->got + cnt);
	if (at + cnt > d->top)
		d->top = (uint16_t)(at + cnt);
	return true;
}

static unsigned units(const struct frame *f)
{
	return (f->l3_len - IPV4_BYTES + 7u) / 8; /* frame_parse(): the end is below 64 KiB */
}

bool fragment_first(struct fragments *t, const struct frame *f, uint32_t now_s)
{
	struct fragment_datagram *d = find(t, f, now_s);

	if (d) {
		d->spoiled = true;
		return false;
	}
	d = slot(t);
	memset(d, 0, sizeof(*d));
	d->src = f->src;
	d->dst = f->dst;
	d->id = f->frag_id;
	d->proto = f->proto;
	d->used = true;
	d->begin_s = now_s;
	return mark(d, 0, units(f));
}

bool fragment_later(struct fragments *t, const struct frame *f, uint32_t now_s)
{
	struct fragment_datagram *d = find(t, f, now_s);
	unsigned at = f->frag_off / 8, cnt = units(f);

	if (!d || d->spoiled)
		return false;
	/* A second end, something behind the end, or bytes that were there already. */
	if ((d->end && (!f->frag_more || at + cnt > d->end)) ||
	    (!f->frag_more && at + cnt < d->top) || !mark(d, at, cnt)) {
		d->spoiled = true;
		return false;
	}
	if (!f->frag_more)
		d->end = (uint16_t)(at + cnt);
	/* Complete: its identification may be used again. */
	if (d->end && d->got == d->end)
		d->used = false;
	return true;
}
