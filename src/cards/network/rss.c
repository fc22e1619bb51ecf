/* SPDX-License-Identifier: Apache-2.0 */

/* See rss.h. The hash is a sum (XOR) over input bytes, so a table per byte position makes it one look-up per byte. */

#include "cards/network/rss.h"

#include <string.h>

#include "base/bytes.h"

/* What spreads frames until the driver has set its own; from the published description of the algorithm. */
static const uint8_t default_key[ENA_RSS_KEY_BYTES] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

uint16_t rss_supported(enum ena_rss_proto proto)
{
	switch (proto) {
	case ENA_RSS_TCP4:
	case ENA_RSS_UDP4:
	case ENA_RSS_TCP6:
	case ENA_RSS_UDP6:
		return ENA_RSS_L3_DA | ENA_RSS_L3_SA | ENA_RSS_L4_DP | ENA_RSS_L4_SP;
	case ENA_RSS_IP4:
	case ENA_RSS_IP6:
	case ENA_RSS_IP4_FRAG:
		return ENA_RSS_L3_DA | ENA_RSS_L3_SA;
	case ENA_RSS_NOT_IP:
		return ENA_RSS_L2_DA | ENA_RSS_L2_SA;
	case ENA_RSS_PROTOS_USED:
		break;
	}
	return 0;
}

/* The 32 bits of the key that begin at bit @bit; @key: first byte first. */
static uint32_t window(const uint8_t *key, unsigned bit)
{
	const uint8_t *p = key + bit / 8;
	unsigned shift = bit % 8;
	uint64_t v = (uint64_t)be32_load(p) << 8;

	if (shift)
		v |= p[4];
	return (uint32_t)(v >> (8 - shift));
}

static void words_make(struct rss *r, const uint8_t *key)
{
	unsigned i, b;

	for (i = 0; i < RSS_INPUT_MAX; i++) {
		r->word[i][0] = 0;
		/* The lowest bit of a byte is its last one, and what is left of it was done before. */
		for (b = 1; b < 256; b++)
			r->word[i][b] = r->word[i][b & (b - 1)] ^
					window(key, 8 * i + 7 - (unsigned)__builtin_ctz(b));
	}
}

void rss_reset(struct rss *r, uint16_t sq_idx)
{
	unsigned i;

	memset(r->key, 0, sizeof(r->key));
	r->key_set = false;
	r->init_val = 0;
	for (i = 0; i < ENA_RSS_PROTOS_USED; i++)
		r->fields[i] = rss_supported((enum ena_rss_proto)i);
	for (i = 0; i < RSS_TABLE_SIZE; i++)
		r->table[i] = sq_idx;
	/* A guest may reset its device all day long. */
	if (!r->words_default)
		words_make(r, default_key);
	r->words_default = true;
}

void rss_key_set(struct rss *r, const uint8_t key[ENA_RSS_KEY_BYTES])
{
	uint8_t turned[ENA_RSS_KEY_BYTES];
	unsigned i;

	memcpy(r->key, key, sizeof(r->key));
	r->key_set = true;
	r->words_default = false;
	for (i = 0; i < sizeof(turned); i++)
		turned[i] = key[sizeof(turned) - 1 - i];
	words_make(r, turned);
}

static enum ena_rss_proto proto_of(const struct offload_class *c)
{
	if (c->ipv4 && c->frag)
		return ENA_RSS_IP4_FRAG;
	if (c->ipv4)
		return c->tcp ? ENA_RSS_TCP4 : c->udp ? ENA_RSS_UDP4 : ENA_RSS_IP4;
	if (c->ipv6)
		return c->tcp ? ENA_RSS_TCP6 : c->udp ? ENA_RSS_UDP6 : ENA_RSS_IP6;
	return ENA_RSS_NOT_IP;
}

struct input {
	uint32_t hash;
	unsigned len;
};

static void feed(const struct rss *r, struct input *in, const uint8_t *p, unsigned len)
{
	unsigned i;

	for (i = 0; i < len; i++)
		in->hash ^= r->word[in->len + i][p[i]];
	in->len += len;
}

uint32_t rss_hash(const struct rss *r, const struct offload_class *c, const uint8_t *hdr)
{
	uint16_t fields = r->fields[proto_of(c)];
	const uint8_t *src = hdr + c->l3_off + (c->ipv6 ? 8 : 12);
	unsigned addr = c->ipv6 ? 16 : 4;
	struct input in = { 0 };

	if (!c->ipv4 && !c->ipv6) {
		if (fields & ENA_RSS_L2_DA)
			feed(r, &in, hdr, 6);
		if (fields & ENA_RSS_L2_SA)
			feed(r, &in, hdr + 6, 6);
		return in.hash;
	}
	if (fields & ENA_RSS_L3_SA)
		feed(r, &in, src, addr);
	if (fields & ENA_RSS_L3_DA)
		feed(r, &in, src + addr, addr);
	if (fields & ENA_RSS_L4_SP)
		feed(r, &in, hdr + c->l4_off, 2);
	if (fields & ENA_RSS_L4_DP)
		feed(r, &in, hdr + c->l4_off + 2, 2);
	return in.hash;
}

uint16_t rss_queue(const struct rss *r, uint32_t hash)
{
	return r->table[hash % RSS_TABLE_SIZE];
}
