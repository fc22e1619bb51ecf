/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Features and statistics. What the driver sets is checked as a whole before anything changes. The control buffer's
 * address is always direct, whichever of the two flag bits says so: Linux sets the "indirect" one and means direct.
 */

#include <errno.h>
#include <string.h>

#include "cards/network/ena_priv.h"

enum {
	FEATURES = 1 << ENA_F_DEVICE_ATTRIBUTES | 1 << ENA_F_MAX_QUEUES | 1 << ENA_F_HW_HINTS |
		   1 << ENA_F_MAX_QUEUES_EXT | 1 << ENA_F_RSS_FUNCTION | 1 << ENA_F_OFFLOAD |
		   1 << ENA_F_RSS_TABLE | 1 << ENA_F_MTU | 1 << ENA_F_RSS_INPUT | 1 << ENA_F_AENQ |
		   1 << ENA_F_LINK | 1 << ENA_F_HOST_ATTR,
	OFFLOAD_TX = ENA_TX_L3_CSUM | ENA_TX_L4_IPV4_PART | ENA_TX_L4_IPV4_FULL |
		     ENA_TX_L4_IPV6_PART | ENA_TX_L4_IPV6_FULL | ENA_TX_TSO_IPV4 | ENA_TX_TSO_IPV6 |
		     ENA_TX_TSO_ECN,
	OFFLOAD_RX = ENA_RX_L3_CSUM | ENA_RX_L4_IPV4 | ENA_RX_L4_IPV6 | ENA_RX_HASH,
	DEVICE_VERSION = 1,
	BUF_FLAGS = 1 << 1 | 1 << 2,
	MTU_MIN = 68, /* spec: rfc-791 §3.2 */
	LINK_DUPLEX = 1 << 1,
	WATCHDOG_MS = 20000, /* a slow host is not a dead one */
	MISSING_TX_MS = 20000,
};
#define INLINE_NONE 0xffffffffu

void ena_feature_reset(struct ena *e)
{
	e->mtu = e->conf.mtu;
	rss_reset(&e->rss, ENA_RX_IDX);
}

/* ---- control buffer ---- */

static bool has_buf(const struct ena_aq_entry *c)
{
	return c->flags & BUF_FLAGS && c->ctrl.buf_len;
}

static gpa_t buf_at(const struct ena_aq_entry *c)
{
	return (gpa_t){ c->ctrl.buf_lo | (uint64_t)c->ctrl.buf_hi << 32 };
}

static uint8_t buf_read(struct ena *e, const struct ena_aq_entry *c, void *ret, size_t len)
{
	if (!has_buf(c) || c->ctrl.buf_len < len)
		return ENA_ST_MALFORMED;
	return gmem_read(e->conf.mem, buf_at(c), ret, len) < 0 ? ENA_ST_ILLEGAL : ENA_ST_OK;
}

static uint8_t buf_write(struct ena *e, const struct ena_aq_entry *c, const void *p, size_t len)
{
	if (c->ctrl.buf_len < len)
		return ENA_ST_MALFORMED;
	return gmem_write(e->conf.mem, buf_at(c), p, len) < 0 ? ENA_ST_ILLEGAL : ENA_ST_OK;
}

/* ---- get ---- */

static void attributes(const struct ena *e, struct ena_acq_entry *a)
{
	a->attributes.device_version = DEVICE_VERSION;
	a->attributes.features = FEATURES;
	a->attributes.capabilities = ENA_CAP_METRICS;
	a->attributes.phys_bits = GMEM_ADDR_BITS;
	a->attributes.virt_bits = GMEM_ADDR_BITS;
	memcpy(a->attributes.mac, e->conf.mac, sizeof(a->attributes.mac));
	a->attributes.max_mtu = e->conf.mtu;
}

static void queues(const struct ena *e, struct ena_acq_entry *a)
{
	a->queues.sq_num = a->queues.cq_num = e->conf.queue_pairs;
	a->queues.sq_depth = a->queues.cq_depth = ENA_TX_DEPTH_MAX;
	a->queues.header_max = ENA_TX_HEADER_MAX;
	a->queues.tx_descs = ENA_TX_DESCS_MAX;
	a->queues.rx_descs = ENA_RX_DESCS_MAX;
}

static void queues_ext(const struct ena *e, struct ena_acq_entry *a)
{
	a->queues_ext.version = 1;
	a->queues_ext.tx_sq_num = a->queues_ext.tx_cq_num = e->conf.queue_pairs;
	a->queues_ext.rx_sq_num = a->queues_ext.rx_cq_num = e->conf.queue_pairs;
	a->queues_ext.tx_sq_depth = a->queues_ext.tx_cq_depth = ENA_TX_DEPTH_MAX;
	a->queues_ext.rx_sq_depth = a->queues_ext.rx_cq_depth = ENA_RX_DEPTH_MAX;
	a->queues_ext.header_max = ENA_TX_HEADER_MAX;
	a->queues_ext.tx_descs = ENA_TX_DESCS_MAX;
	a->queues_ext.rx_descs = ENA_RX_DESCS_MAX;
}

static void link(const struct ena *e, struct ena_acq_entry *a)
{
	static const uint32_t mbps[] = { 1000, 2500, 5000, 10000, 25000, 40000, 50000, 100000 };
	unsigned i;

	a->link.mbps = e->conf.link_mbps;
	for (i = 0; i < ARRAY_SIZE(mbps); i++)
		if (mbps[i] == e->conf.link_mbps)
			a->link.supported = 1u << i;
	a->link.flags = LINK_DUPLEX;
}

/* The buffer is left alone until a key was set: Linux has a random key of its own there, and sets it afterwards. */
static uint8_t rss_function_get(struct ena *e, const struct ena_aq_entry *c,
				struct ena_acq_entry *a)
{
	struct ena_rss_key key = { .parts = ENA_RSS_KEY_PARTS };

	a->rss_function.supported = ENA_RSS_TOEPLITZ;
	a->rss_function.selected = ENA_RSS_TOEPLITZ;
	a->rss_function.init_val = e->rss.init_val;
	if (!has_buf(c) || !e->rss.key_set)
		return ENA_ST_OK;
	memcpy(key.key, e->rss.key, sizeof(key.key));
	return buf_write(e, c, &key, sizeof(key));
}

static uint8_t rss_input_get(struct ena *e, const struct ena_aq_entry *c)
{
	struct ena_rss_input in = { 0 };
	unsigned i;

	for (i = 0; i < ENA_RSS_PROTOS_USED; i++) {
		in.supported[i].fields = rss_supported((enum ena_rss_proto)i);
		in.selected[i].fields = e->rss.fields[i];
	}
	return has_buf(c) ? buf_write(e, c, &in, sizeof(in)) : ENA_ST_OK;
}

static uint8_t rss_table_get(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a)
{
	struct ena_rss_entry t[RSS_TABLE_SIZE] = { 0 };
	unsigned i;

	a->rss_table.min_log2 = a->rss_table.max_log2 = a->rss_table.log2 = RSS_TABLE_LOG2;
	a->rss_table.inline_idx = INLINE_NONE;
	for (i = 0; i < RSS_TABLE_SIZE; i++)
		t[i].sq_idx = e->rss.table[i];
	return has_buf(c) ? buf_write(e, c, t, sizeof(t)) : ENA_ST_OK;
}

uint8_t ena_feature_get(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a)
{
	switch (c->ctrl.feature.id) {
	case ENA_F_DEVICE_ATTRIBUTES:
		attributes(e, a);
		return ENA_ST_OK;
	case ENA_F_MAX_QUEUES:
		queues(e, a);
		return ENA_ST_OK;
	case ENA_F_MAX_QUEUES_EXT:
		queues_ext(e, a);
		return ENA_ST_OK;
	case ENA_F_HW_HINTS:
		a->hints.watchdog_ms = WATCHDOG_MS;
		a->hints.missing_tx_ms = MISSING_TX_MS;
		return ENA_ST_OK;
	case ENA_F_OFFLOAD:
		a->offload.tx = OFFLOAD_TX;
		a->offload.rx = a->offload.rx_enabled = OFFLOAD_RX;
		return ENA_ST_OK;
	case ENA_F_AENQ:
		a->aenq.supported = ENA_GROUPS;
		a->aenq.enabled = e->aenq.groups;
		return ENA_ST_OK;
	case ENA_F_LINK:
		link(e, a);
		return ENA_ST_OK;
	case ENA_F_RSS_FUNCTION:
		return rss_function_get(e, c, a);
	case ENA_F_RSS_INPUT:
		return rss_input_get(e, c);
	case ENA_F_RSS_TABLE:
		return rss_table_get(e, c, a);
	default:
		return ENA_ST_UNSUPPORTED;
	}
}

/* ---- set ---- */

static uint8_t rss_function_set(struct ena *e, const struct ena_aq_entry *c)
{
	struct ena_rss_key key;
	uint8_t st;

	if (c->ctrl.feature.w[1] != ENA_RSS_TOEPLITZ)
		return ENA_ST_UNSUPPORTED;
	if (has_buf(c)) {
		st = buf_read(e, c, &key, sizeof(key));
		if (st != ENA_ST_OK)
			return st;
		if (key.parts != ENA_RSS_KEY_PARTS)
			return ENA_ST_ILLEGAL;
		rss_key_set(&e->rss, key.key);
	}
	e->rss.init_val = c->ctrl.feature.w[2];
	return ENA_ST_OK;
}

static uint8_t rss_input_set(struct ena *e, const struct ena_aq_entry *c)
{
	struct ena_rss_input in;
	unsigned i;
	uint8_t st;

	st = buf_read(e, c, &in, sizeof(in));
	if (st != ENA_ST_OK)
		return st;
	for (i = 0; i < ENA_RSS_PROTOS_USED; i++)
		if (in.selected[i].fields & ~(unsigned)rss_supported((enum ena_rss_proto)i))
			return ENA_ST_ILLEGAL;
	for (i = 0; i < ENA_RSS_PROTOS_USED; i++)
		e->rss.fields[i] = in.selected[i].fields;
	return ENA_ST_OK;
}

static bool rx_idx_ok(const struct ena *e, unsigned idx)
{
	return idx >= ENA_RX_IDX && idx < ENA_RX_IDX + e->conf.queue_pairs;
}

static uint8_t rss_table_set(struct ena *e, const struct ena_aq_entry *c)
{
	struct ena_rss_entry t[RSS_TABLE_SIZE];
	const uint32_t *w =
		c->ctrl.feature.w; /* sizes, size and flags, inline index, inline entry */
	unsigned i;
	uint8_t st;

	if (w[2] != INLINE_NONE) {
		if (w[2] >= RSS_TABLE_SIZE || !rx_idx_ok(e, w[3] & 0xffff))
			return ENA_ST_ILLEGAL;
		e->rss.table[w[2]] = (uint16_t)w[3];
		return ENA_ST_OK;
	}
	if ((w[1] & 0xffff) != RSS_TABLE_LOG2)
		return ENA_ST_ILLEGAL;
	st = buf_read(e, c, t, sizeof(t));
	if (st != ENA_ST_OK)
		return st;
	for (i = 0; i < RSS_TABLE_SIZE; i++)
		if (!rx_idx_ok(e, t[i].sq_idx))
			return ENA_ST_ILLEGAL;
	for (i = 0; i < RSS_TABLE_SIZE; i++)
		e->rss.table[i] = t[i].sq_idx;
	return ENA_ST_OK;
}

uint8_t ena_feature_set(struct ena *e, const struct ena_aq_entry *c)
{
	const uint32_t *w = c->ctrl.feature.w;

	switch (c->ctrl.feature.id) {
	case ENA_F_AENQ:
		if (w[1] & ~(uint32_t)ENA_GROUPS)
			return ENA_ST_ILLEGAL;
		e->aenq.groups = w[1];
		return ENA_ST_OK;
	case ENA_F_MTU:
		if (w[0] < MTU_MIN || w[0] > e->conf.mtu)
			return ENA_ST_ILLEGAL;
		e->mtu = w[0];
		return ENA_ST_OK;
	case ENA_F_HOST_ATTR:
		return ENA_ST_OK; /* what the guest's system is called is not our business */
	case ENA_F_RSS_FUNCTION:
		return rss_function_set(e, c);
	case ENA_F_RSS_INPUT:
		return rss_input_set(e, c);
	case ENA_F_RSS_TABLE:
		return rss_table_set(e, c);
	default:
		return ENA_ST_UNSUPPORTED;
	}
}

/* ---- statistics ---- */

static void basic(const struct ena *e, struct ena_acq_entry *a)
{
	const struct ena_stats *s = &e->stats, *b = &e->base;
	const uint64_t v[] = { s->tx_bytes - b->tx_bytes, s->tx_frames - b->tx_frames,
			       s->rx_bytes - b->rx_bytes, s->rx_frames - b->rx_frames,
			       s->rx_drops - b->rx_drops, s->tx_drops - b->tx_drops };
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		a->w[2 * i] = (uint32_t)v[i];
		a->w[2 * i + 1] = (uint32_t)(v[i] >> 32);
	}
}

/* Without a buffer the driver asks which there are; with one it wants those it asked for, packed. */
static uint8_t metrics(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a)
{
	uint32_t want = c->ctrl.stats.metrics_lo & ((1u << ENA_METRICS) - 1);
	struct ena_allowance l = { 0 };
	uint64_t all[ENA_METRICS], v[ENA_METRICS];
	unsigned i, cnt = 0;

	a->metrics.reported_lo = want;
	if (!c->ctrl.buf_len)
		return ENA_ST_OK;
	if (e->conf.ops->allowance)
		e->conf.ops->allowance(e->conf.port, &l);
	all[0] = l.bw_in_exceeded;
	all[1] = l.bw_out_exceeded;
	all[2] = l.pps_exceeded;
	all[3] = l.conntrack_exceeded;
	all[4] = l.linklocal_exceeded;
	all[5] = l.conntrack_available;
	for (i = 0; i < ENA_METRICS; i++)
		if (want & 1u << i)
			v[cnt++] = all[i];
	return cnt ? buf_write(e, c, v, cnt * sizeof(v[0])) : ENA_ST_OK;
}

uint8_t ena_stats_tell(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a)
{
	switch (c->ctrl.stats.type) {
	case ENA_STATS_BASIC:
		basic(e, a);
		return ENA_ST_OK;
	case ENA_STATS_METRICS:
		return metrics(e, c, a);
	default:
		return ENA_ST_UNSUPPORTED;
	}
}
