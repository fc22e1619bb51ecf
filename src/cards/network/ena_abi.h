/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ENA as its drivers see it: registers, admin commands, features, events and ring entries. There is no public
 * specification; the drivers are it, and the names are theirs. Nothing here is Niter's choice.
 *
 * Entries are copied out of guest memory as a whole and used in place: x86-64 only, which is little-endian.
 *
 * spec: ena-linux ena_regs_defs.h, ena_admin_defs.h, ena_eth_io_defs.h
 */

#include <assert.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ring entries are used in place");

/* Offsets in BAR 0. spec: ena-linux ena_regs_defs.h */
enum ena_reg {
	ENA_REG_VERSION = 0x00,
	ENA_REG_CONTROLLER_VERSION = 0x04,
	ENA_REG_CAPS = 0x08,
	ENA_REG_CAPS_EXT = 0x0c,
	ENA_REG_AQ_BASE_LO = 0x10,
	ENA_REG_AQ_BASE_HI = 0x14,
	ENA_REG_AQ_CAPS = 0x18,
	ENA_REG_ACQ_BASE_LO = 0x20,
	ENA_REG_ACQ_BASE_HI = 0x24,
	ENA_REG_ACQ_CAPS = 0x28,
	ENA_REG_AQ_DB = 0x2c,
	ENA_REG_ACQ_TAIL = 0x30,
	ENA_REG_AENQ_CAPS = 0x34,
	ENA_REG_AENQ_BASE_LO = 0x38,
	ENA_REG_AENQ_BASE_HI = 0x3c,
	ENA_REG_AENQ_HEAD_DB = 0x40,
	ENA_REG_INTR_MASK = 0x4c,
	ENA_REG_DEV_CTL = 0x54,
	ENA_REG_DEV_STS = 0x58,
};

#define ENA_DEV_CTL_RESET 0x1u
#define ENA_DEV_CTL_REASON(v) (((v) >> 28) | ((v) >> 24 & 0xfu) << 4)
#define ENA_DEV_STS_READY 0x01u
#define ENA_DEV_STS_RESETTING 0x08u
#define ENA_DEV_STS_FATAL 0x20u
#define ENA_INTR_MASK_ADMIN 0x1u
#define ENA_UNMASK 0x40000000u /* in a completion queue's unmask register */

enum ena_opcode {
	ENA_ADMIN_CREATE_SQ = 1,
	ENA_ADMIN_DESTROY_SQ = 2,
	ENA_ADMIN_CREATE_CQ = 3,
	ENA_ADMIN_DESTROY_CQ = 4,
	ENA_ADMIN_GET_FEATURE = 8,
	ENA_ADMIN_SET_FEATURE = 9,
	ENA_ADMIN_GET_STATS = 11,
};

enum ena_status {
	ENA_ST_OK = 0,
	ENA_ST_RESOURCES = 1,
	ENA_ST_BAD_OPCODE = 2,
	ENA_ST_UNSUPPORTED = 3,
	ENA_ST_MALFORMED = 4,
	ENA_ST_ILLEGAL = 5,
	ENA_ST_UNKNOWN = 6,
	ENA_ST_BUSY = 7,
};

enum ena_feature {
	ENA_F_DEVICE_ATTRIBUTES = 1,
	ENA_F_MAX_QUEUES = 2,
	ENA_F_HW_HINTS = 3,
	ENA_F_MAX_QUEUES_EXT = 7,
	ENA_F_RSS_FUNCTION = 10,
	ENA_F_OFFLOAD = 11,
	ENA_F_RSS_TABLE = 12,
	ENA_F_MTU = 14,
	ENA_F_RSS_INPUT = 18,
	ENA_F_AENQ = 26,
	ENA_F_LINK = 27,
	ENA_F_HOST_ATTR = 28,
};

enum ena_stats_type { ENA_STATS_BASIC = 0, ENA_STATS_METRICS = 4 };

enum ena_capability { ENA_CAP_METRICS = 1 << 2 };

/* STATELESS_OFFLOAD */
enum ena_offload {
	ENA_TX_L3_CSUM = 1 << 0,
	ENA_TX_L4_IPV4_PART = 1 << 1,
	ENA_TX_L4_IPV4_FULL = 1 << 2,
	ENA_TX_L4_IPV6_PART = 1 << 3,
	ENA_TX_L4_IPV6_FULL = 1 << 4,
	ENA_TX_TSO_IPV4 = 1 << 5,
	ENA_TX_TSO_IPV6 = 1 << 6,
	ENA_TX_TSO_ECN = 1 << 7,
	ENA_RX_L3_CSUM = 1 << 0,
	ENA_RX_L4_IPV4 = 1 << 1,
	ENA_RX_L4_IPV6 = 1 << 2,
	ENA_RX_HASH = 1 << 3,
};

/* Admin queue entries. Bytes behind a command's own fields are leftovers: never interpreted. */
struct ena_aq_entry {
	uint16_t command_id; /* 12 bits */
	uint8_t opcode;
	uint8_t flags; /* bit 0: phase */
	union {
		struct {
			uint8_t identity; /* 7:5 direction */
			uint8_t reserved;
			uint8_t caps_2; /* 3:0 placement, 6:4 completion policy */
			uint8_t caps_3; /* 0: physically contiguous */
			uint16_t cq_idx;
			uint16_t depth;
			uint32_t base_lo;
			uint16_t base_hi;
			uint16_t mbz;
		} create_sq;
		struct {
			uint16_t sq_idx;
			uint8_t identity;
			uint8_t reserved;
		} destroy_sq;
		struct {
			uint8_t caps_1; /* 5: interrupts */
			uint8_t caps_2; /* 4:0 entry size in words */
			uint16_t depth;
			uint32_t vector;
			uint32_t base_lo;
			uint16_t base_hi;
			uint16_t mbz;
		} create_cq;
		struct {
			uint16_t cq_idx;
			uint16_t reserved;
		} destroy_cq;
		struct {
			uint32_t buf_len;
			uint32_t buf_lo;
			uint16_t buf_hi;
			uint16_t mbz;
			union {
				struct {
					uint8_t select; /* 1:0: 1 current, 3 default */
					uint8_t id;
					uint8_t version;
					uint8_t reserved;
					uint32_t w[11];
				} feature;
				struct {
					uint8_t type;
					uint8_t scope;
					uint16_t reserved;
					uint16_t queue_idx;
					uint16_t device_id;
					uint32_t metrics_lo, metrics_hi;
				} stats;
			};
		} ctrl;
		uint32_t w[15];
	};
};
static_assert(sizeof(struct ena_aq_entry) == 64, "admin queue entry");

enum { ENA_DIRECTION_TX = 1, ENA_DIRECTION_RX = 2, ENA_PLACEMENT_HOST = 1 };

struct ena_acq_entry {
	uint16_t command_id;
	uint8_t status; /* enum ena_status */
	uint8_t flags;  /* bit 0: phase */
	uint16_t extended_status;
	uint16_t sq_head;
	union {
		uint32_t w[14];
		struct {
			uint16_t sq_idx;
			uint16_t reserved;
			uint32_t doorbell_off, llq_descs_off, llq_headers_off;
		} create_sq;
		struct {
			uint16_t cq_idx;
			uint16_t depth;
			uint32_t numa_off, head_off, unmask_off;
		} create_cq;
		struct {
			uint32_t impl_id, device_version, features, capabilities, phys_bits,
				virt_bits;
			uint8_t mac[6];
			uint8_t reserved[2];
			uint32_t max_mtu;
		} attributes;
		struct {
			uint32_t sq_num, sq_depth, cq_num, cq_depth, llq_num, llq_depth, header_max;
			uint16_t tx_descs, rx_descs;
		} queues;
		struct {
			uint8_t version;
			uint8_t reserved[3];
			uint32_t tx_sq_num, tx_cq_num, rx_sq_num, rx_cq_num;
			uint32_t tx_sq_depth, tx_cq_depth, rx_sq_depth, rx_cq_depth;
			uint32_t header_max;
			uint16_t tx_descs, rx_descs;
		} queues_ext;
		struct {
			uint16_t mmio_read_ms, watchdog_ms, missing_tx_ms, missing_tx_cnt, admin_ms;
			uint16_t netdev_watchdog_ms, tx_sgl_max, rx_sgl_max;
		} hints;
		struct {
			uint32_t supported, enabled;
		} aenq;
		struct {
			uint32_t tx, rx, rx_enabled;
		} offload;
		struct {
			uint32_t mbps, supported, flags;
		} link;
		struct {
			uint32_t supported, selected, init_val;
		} rss_function;
		struct {
			uint16_t supported_sort, enabled_sort;
		} rss_input;
		struct {
			uint16_t min_log2, max_log2, log2;
			uint8_t flags;
			uint8_t reserved;
			uint32_t inline_idx;
			uint16_t inline_cq;
			uint16_t inline_reserved;
		} rss_table;
		struct {
			uint32_t tx_bytes_lo, tx_bytes_hi, tx_pkts_lo, tx_pkts_hi;
			uint32_t rx_bytes_lo, rx_bytes_hi, rx_pkts_lo, rx_pkts_hi;
			uint32_t rx_drops_lo, rx_drops_hi, tx_drops_lo, tx_drops_hi;
			uint32_t rx_overruns_lo, rx_overruns_hi;
		} basic;
		struct {
			uint32_t reported_lo, reported_hi;
		} metrics;
	};
};
static_assert(sizeof(struct ena_acq_entry) == 64, "admin completion");

#define ENA_RSS_TOEPLITZ (1u << 1) /* in supported, selected */

enum {
	ENA_RSS_KEY_PARTS = 10,
	ENA_RSS_KEY_BYTES = 4 * ENA_RSS_KEY_PARTS,
	ENA_RSS_PROTOS = 16,
};

/* Which packets a row of the hash input table is for. */
enum ena_rss_proto {
	ENA_RSS_TCP4,
	ENA_RSS_UDP4,
	ENA_RSS_TCP6,
	ENA_RSS_UDP6,
	ENA_RSS_IP4,
	ENA_RSS_IP6,
	ENA_RSS_IP4_FRAG,
	ENA_RSS_NOT_IP,
	ENA_RSS_PROTOS_USED,
};

enum ena_rss_field {
	ENA_RSS_L2_DA = 1 << 0,
	ENA_RSS_L2_SA = 1 << 1,
	ENA_RSS_L3_DA = 1 << 2,
	ENA_RSS_L3_SA = 1 << 3,
	ENA_RSS_L4_DP = 1 << 4,
	ENA_RSS_L4_SP = 1 << 5,
};

/* Control buffers of RSS features. */
struct ena_rss_key {
	uint32_t parts, reserved;
	uint8_t key[ENA_RSS_KEY_BYTES]; /* last byte first: see rss.h */
};
struct ena_rss_fields {
	uint16_t fields, reserved;
};
struct ena_rss_input {
	struct ena_rss_fields supported[ENA_RSS_PROTOS], selected[ENA_RSS_PROTOS];
	struct ena_rss_fields reserved[2 * ENA_RSS_PROTOS];
};
struct ena_rss_entry {
	uint16_t sq_idx; /* the drivers call it cq_idx, and write the RX submission queue's index */
	uint16_t reserved;
};

/* Events. */
enum ena_group {
	ENA_G_LINK = 0,
	ENA_G_FATAL = 1,
	ENA_G_WARNING = 2,
	ENA_G_NOTIFICATION = 3,
	ENA_G_KEEP_ALIVE = 4,
};

struct ena_aenq_entry {
	uint16_t group, syndrome;
	uint8_t flags; /* bit 0: phase */
	uint8_t reserved[3];
	uint32_t timestamp_lo, timestamp_hi;
	union {
		uint32_t link_flags; /* bit 0: up */
		struct {
			uint32_t rx_drops_lo, rx_drops_hi, tx_drops_lo, tx_drops_hi;
			uint32_t rx_overruns_lo, rx_overruns_hi;
		} keep_alive;
		uint32_t w[12];
	};
};
static_assert(sizeof(struct ena_aenq_entry) == 64, "event");

/* Rings. spec: ena-linux ena_eth_io_defs.h */
struct ena_tx_desc {
	uint32_t w[4];
};

#define ENA_TX0_LEN(w) ((w)&0xffffu)
#define ENA_TX0_REQ_ID_HI(w) ((w) >> 16 & 0x3fu)
#define ENA_TX0_META (1u << 23)
#define ENA_TX0_PHASE (1u << 24)
#define ENA_TX0_FIRST (1u << 26)
#define ENA_TX0_LAST (1u << 27)
#define ENA_TX0_COMP_REQ (1u << 28)
#define ENA_TX1_L3(w) ((w)&0xfu)
#define ENA_TX1_DF (1u << 4)
#define ENA_TX1_TSO (1u << 7)
#define ENA_TX1_L4(w) ((w) >> 8 & 0x1fu)
#define ENA_TX1_L3_CSUM (1u << 13)
#define ENA_TX1_L4_CSUM (1u << 14)
#define ENA_TX1_L4_PARTIAL (1u << 17)
#define ENA_TX1_REQ_ID_LO(w) ((w) >> 22)
#define ENA_TX3_ADDR_HI(w) ((w)&0xffffu)

#define ENA_META0_EXT_VALID (1u << 14)
#define ENA_META0_MSS_HI(w) ((w) >> 16 & 0xfu)
#define ENA_META0_EXTENDED (1u << 20)
#define ENA_META0_STORE (1u << 21)
#define ENA_META2_L3_LEN(w) ((w)&0xffu)
#define ENA_META2_L3_OFF(w) ((w) >> 8 & 0xffu)
#define ENA_META2_L4_WORDS(w) ((w) >> 16 & 0x3fu)
#define ENA_META2_MSS_LO(w) ((w) >> 22)

enum ena_proto { ENA_L3_IPV4 = 8, ENA_L3_IPV6 = 11, ENA_L4_TCP = 12, ENA_L4_UDP = 13 };

struct ena_tx_cdesc {
	uint16_t req_id;
	uint8_t status;
	uint8_t flags; /* bit 0: phase */
	uint16_t sub_qid;
	uint16_t sq_head;
};
static_assert(sizeof(struct ena_tx_cdesc) == 8, "TX completion");

struct ena_rx_desc {
	uint16_t length; /* 0: 64 KiB */
	uint8_t reserved;
	uint8_t ctrl; /* 0 phase, 2 first, 3 last, 4 completion asked for */
	uint16_t req_id;
	uint16_t reserved2;
	uint32_t addr_lo;
	uint16_t addr_hi;
	uint16_t reserved3;
};
static_assert(sizeof(struct ena_rx_desc) == 16, "RX descriptor");

enum {
	ENA_RX_PHASE = 1 << 0,
	ENA_RX_FIRST = 1 << 2,
	ENA_RX_LAST = 1 << 3,
	ENA_RX_COMP_REQ = 1 << 4,
};

struct ena_rx_cdesc {
	uint32_t status;
	uint16_t length;
	uint16_t req_id;
	uint32_t hash;
	uint16_t sub_qid;
	uint8_t offset;
	uint8_t reserved;
};
static_assert(sizeof(struct ena_rx_cdesc) == 16, "RX completion");

#define ENA_RXC_L4(proto) ((uint32_t)(proto) << 8)
#define ENA_RXC_L3_CSUM_ERR (1u << 13)
#define ENA_RXC_L4_CSUM_ERR (1u << 14)
#define ENA_RXC_IPV4_FRAG (1u << 15)
#define ENA_RXC_L4_CHECKED (1u << 16)
#define ENA_RXC_PHASE (1u << 24)
#define ENA_RXC_FIRST (1u << 26)
#define ENA_RXC_LAST (1u << 27)
#define ENA_RXC_BUFFER (1u << 30)
