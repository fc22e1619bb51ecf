/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inside of the ENA device; see ena.h for what it is. Not for the program.
 *
 * Rings. All depths are powers of two; indices run freely in 16 bits; a slot is index % depth; the phase bit is 1 in the
 * first round and turns over with each.
 *
 * Who owns what of a submission ring: entries from ->done to ->tail are ours. ->head is how far they were fetched, each
 * exactly once. The tail comes from the doorbell, not from the phase bits alone: the drivers set a descriptor's phase
 * before its address (ena_com_prepare_tx()), so a descriptor is whole only when the doorbell has passed it. The phase bits
 * are checked on top.
 *
 * Index space of I/O queues: TX pair i is submission and completion queue i, RX pair i is ENA_RX_IDX + i.
 */

#include "cards/network/ena.h"
#include "cards/network/ena_abi.h"
#include "cards/network/offload.h"
#include "cards/network/rss.h"

enum {
	ENA_RX_IDX = ENA_QUEUES_MAX,
	ENA_IO_QUEUES = 2 * ENA_QUEUES_MAX,
	ENA_VECTORS_MAX = ENA_QUEUES_MAX + 1,

	ENA_ADMIN_ENTRY_BYTES = 64,
	ENA_ADMIN_DEPTH_MAX = 1024,
	ENA_ADMIN_TURN_MAX = 8, /* commands in one turn */
	ENA_TX_DEPTH_MAX = 1024,
	ENA_RX_DEPTH_MAX = 4096,
	ENA_DEPTH_MIN = 4,

	ENA_TX_DESCS_MAX = 32, /* of a packet, meta descriptor included */
	ENA_TX_HEADER_MAX =
		96, /* what the driver may name as header length; unused with descriptors in host memory */
	ENA_TX_BYTES_MAX = 65536 + 256, /* of a packet */
	ENA_TX_TURN_MAX = 64,           /* frames of one queue in one turn */
	ENA_RX_DESCS_MAX = 8,           /* buffers of one frame */
	ENA_FETCH_MAX = 32,             /* descriptors fetched in one go */

	ENA_METRICS = 6,
	ENA_GROUPS =
		1 << ENA_G_LINK | 1 << ENA_G_FATAL | 1 << ENA_G_WARNING | 1 << ENA_G_KEEP_ALIVE,
};
#define ENA_TX_STALL_NS ((uint64_t)100 * 1000 * 1000)
#define ENA_KEEP_ALIVE_NS ((uint64_t)1000 * 1000 * 1000)

/*
 * States of the device.
 *   IDLE       after power-on or reset: registers may be written, no guest memory is touched
 *   RUNNING    the admin queue is live; what registers said then is fixed
 *   RESETTING  the guest holds DEV_CTL.reset
 *   FATAL      it broke the protocol; no guest memory is touched; only a reset helps
 */
enum ena_state { ENA_IDLE, ENA_RUNNING, ENA_RESETTING, ENA_FATAL, ENA_STATES };

enum ena_event {
	ENA_EV_START,     /* first doorbell of a well-described admin queue */
	ENA_EV_RESET_ON,  /* DEV_CTL.reset 1 */
	ENA_EV_RESET_OFF, /* ... 0 */
	ENA_EV_POWER_ON,  /* function reset, client gone */
	ENA_EV_FATAL,
	ENA_EVENTS,
};

/* A submission ring and what was fetched of it. */
struct ena_sq {
	gpa_t base;
	uint16_t depth; /* 0: not there */
	uint16_t done;  /* completed before it */
	uint16_t head;  /* fetched before it */
	uint16_t tail;  /* the guest's, as last seen and checked */
};

struct ena_cq {
	gpa_t base;
	uint16_t depth; /* 0: not there */
	uint16_t tail;
	uint16_t vector;
	bool irq_on;
	bool used; /* by a submission queue */
};

struct ena_vector {
	bool masked; /* by itself after each interrupt, until the driver unmasks */
	bool due;    /* something was posted since the last interrupt */
};

struct ena_meta {
	uint16_t mss;
	uint8_t l3_len, l3_off, l4_words;
};

struct ena_sg {
	uint64_t at;
	uint32_t len;
};

enum ena_pkt_state {
	ENA_PKT_NONE,
	ENA_PKT_META, /* its meta descriptor was there */
	ENA_PKT_OPEN, /* data descriptors, not the last yet */
	ENA_PKT_SEND, /* whole, checked: frames go out */
};

/* The packet in work of a TX queue. */
struct ena_pkt {
	enum ena_pkt_state state;
	unsigned desc_cnt, sg_cnt;
	struct ena_sg sg[ENA_TX_DESCS_MAX];
	uint32_t ctrl; /* second word of the first data descriptor */
	uint16_t req_id;
	bool empty_buf; /* a descriptor of length 0 */
	uint32_t len;
	/* in ENA_PKT_SEND */
	bool drop; /* nothing more of it goes out */
	struct offload_plan plan;
	uint32_t seg_idx;
	unsigned sg_idx; /* where the payload goes on */
	uint32_t sg_off;
	size_t hdr_len;
	uint8_t hdr[ENA_HDR_MAX];
};

struct ena_txq {
	struct ena_sq sq;
	struct ena_meta meta; /* the last one that came */
	struct ena_pkt pkt;
	uint64_t stall_ns; /* since when the port has no room; 0: it has */
	unsigned desc_idx, desc_cnt;
	struct ena_tx_desc desc[ENA_FETCH_MAX];
	unsigned cdesc_cnt; /* completions to post at the end of the turn */
	struct ena_tx_cdesc cdesc[ENA_TX_TURN_MAX];
};

struct ena_rxq {
	struct ena_sq sq;
	unsigned desc_idx, desc_cnt;
	struct ena_rx_desc desc[ENA_FETCH_MAX];
	unsigned cdesc_cnt; /* completions to post at the next flush */
	struct ena_rx_cdesc cdesc[ENA_FETCH_MAX];
};

struct ena_admin {
	gpa_t aq, acq;
	uint16_t depth;
	uint16_t head, tail; /* of the AQ */
	uint16_t acq_tail;
	bool posted; /* an interrupt is due */
};

struct ena_aenq {
	gpa_t base;
	uint16_t depth;         /* 0: not live */
	uint16_t sent, free_to; /* entries up to free_to may be written */
	bool link_due;
	uint32_t groups;        /* enabled */
	uint64_t keep_alive_ns; /* next one; 0: at once */
};

/* Registers that describe rings, as last written. */
struct ena_regs {
	uint64_t aq_base, acq_base, aenq_base;
	uint32_t aq_caps, acq_caps, aenq_caps;
	bool irq_masked; /* INTR_MASK */
};

struct ena {
	struct ena_conf conf;
	char name[24];
	enum ena_state state;
	bool quiesced;
	bool link_up;
	uint64_t now_ns; /* as of this turn */
	struct ena_regs regs;
	struct ena_admin admin;
	struct ena_aenq aenq;
	uint32_t mtu; /* the guest's */
	struct ena_cq cq[ENA_IO_QUEUES];
	struct ena_txq txq[ENA_QUEUES_MAX];
	struct ena_rxq rxq[ENA_QUEUES_MAX];
	struct ena_vector vector[ENA_VECTORS_MAX];
	unsigned turn;                /* TX queue that is served first next time */
	bool committed;               /* the port has frames to flush */
	struct ena_stats stats, base; /* base: as of the guest's last reset */
	struct rss rss;
};

/* ---- ena.c ---- */

/* ena_event(): the state machine; every change of state goes through it. */
void ena_event(struct ena *e, enum ena_event ev);
/* ena_fatal(): ENA_EV_FATAL, and a line in the log that says @why. */
void ena_fatal(struct ena *e, const char *why, unsigned queue);
/* ena_live(): guest memory may be touched. */
static inline bool ena_live(const struct ena *e)
{
	return e->state == ENA_RUNNING && !e->quiesced;
}
/* Interrupts that are due and may be raised. */
void ena_irqs(struct ena *e);

/* ---- ena_queue.c ---- */

/* Doorbell words of queue @idx in the shared page. */
static inline unsigned ena_db_slot(unsigned idx)
{
	return 2 * idx;
}
static inline unsigned ena_unmask_slot(unsigned idx)
{
	return 2 * idx + 1;
}

/**
 * ena_sq_look() - where the guest says the ring ends
 * Return: entries to fetch, -EPROTO for a tail that cannot be.
 */
MUST_USE int ena_sq_look(struct ena *e, struct ena_sq *sq, unsigned idx);

/**
 * ena_sq_fetch() - copy the next entries, 16 bytes each, all of one round
 * @max: at least 1; there is one to fetch
 * @ret_phase: the phase bit they must have
 * Return: how many, -EPROTO the ring is not in guest memory.
 */
MUST_USE int ena_sq_fetch(struct ena *e, struct ena_sq *sq, void *ret, unsigned max,
			  bool *ret_phase);

/**
 * ena_cq_post() - write completions; the word with the phase bit last
 * @entry: @cnt of @words 32-bit words each, without phase
 * @flag_word, @flag: where the phase bit is
 * Return: 0, -EPROTO the ring is not in guest memory.
 */
MUST_USE int ena_cq_post(struct ena *e, struct ena_cq *cq, const void *entry, unsigned cnt,
			 unsigned words, unsigned flag_word, uint32_t flag);

/*
 * ---- guards ---- each in a file of its own, so that a test can link another one in its place and see that the guard is
 * what denies (tests/isolation/ena_probes_test.c). Return: true: go on.
 */

/* ena_guard_chain(): a packet may have one more descriptor, and this is what it may be. */
MUST_USE bool ena_guard_chain(const struct ena_pkt *p, uint32_t w0);
/* ena_guard_headers(): @need bytes of headers to be repeated are in a packet of @len, and have room. */
MUST_USE bool ena_guard_headers(size_t need, size_t len);
/* ena_guard_req_id(): a request id can be told in a ring of @depth. */
MUST_USE bool ena_guard_req_id(uint32_t req_id, uint16_t depth);

/* ---- ena_admin.c, ena_feature.c ---- */

/* ena_admin_turn(): Return: true when there were commands. */
bool ena_admin_turn(struct ena *e);
/* ena_admin_work(): Return: true when there are. */
bool ena_admin_work(const struct ena *e);
/* Return: enum ena_status. @a: zeroed; only the payload is written. */
uint8_t ena_feature_get(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a);
uint8_t ena_feature_set(struct ena *e, const struct ena_aq_entry *c);
uint8_t ena_stats_tell(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a);
/* The defaults after a reset. */
void ena_feature_reset(struct ena *e);

/* ---- ena_aenq.c ---- */

/* ena_aenq_head(): the guest wrote AENQ_HEAD_DB. */
void ena_aenq_head(struct ena *e, uint16_t head);
/* ena_aenq_turn(): events that are due. */
void ena_aenq_turn(struct ena *e);

/* ---- ena_tx.c, ena_rx.c ---- */

/* ena_tx_turn(): Return: true when something was done. */
bool ena_tx_turn(struct ena *e);
/* ena_tx_work(): Return: true when a turn would do something. */
bool ena_tx_work(struct ena *e);
/* ena_tx_wake_ns(): when a stalled queue starts to drop; UINT64_MAX: none is stalled. */
uint64_t ena_tx_wake_ns(const struct ena *e);
