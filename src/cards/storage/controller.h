/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One NVMe controller with one namespace, which is one volume.
 *
 * Everything here belongs to the card's one thread. Nothing is allocated after nvme_ctrl_new(). Who reads what:
 *
 *   registers   controller.c    state machine, enable, reset, shutdown
 *   queues      queue.c         rings, doorbells
 *   admin       admin.c         identify.c feature.c log_page.c
 *   I/O         io.c            prp.c, then the volume
 *
 * The guest may do anything in any order. What it names is copied once and checked; what it may create (queues,
 * commands in work, events) is bounded below; what breaks the protocol beyond one command's status puts the
 * controller into NVME_FATAL, which only a reset by the guest leaves. The process lives on.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "cards/storage/feature.h"
#include "cards/storage/identify.h"
#include "cards/storage/log_page.h"
#include "cards/storage/nvme.h"
#include "cards/storage/prp.h"
#include "cards/storage/queue.h"
#include "proto/gmem.h"
#include "volume/volume.h"

enum {
	NVME_CMDS_MAX = 256,      /* commands in work in one controller */
	NVME_BATCH_MAX = 64,      /* commands fetched in one turn, all queues together */
	NVME_QUEUE_TURN_MAX = 16, /* ... and from one queue before the next is looked at */
	NVME_ADMIN_TURN_MAX = 8,
	NVME_POLL_MAX = 64,              /* completions taken from the volume in one call */
	NVME_DSM_STEP_BYTES = 256 << 20, /* of one discard handed to the volume at a time */
};

/*
 * States of the controller.
 *   DISABLED   CC.EN is 0 (or was never 1): registers only; no guest memory is touched
 *   READY      commands are fetched
 *   SHUTTING   the guest asked for shutdown: what runs ends, then the volume is flushed; nothing is fetched
 *   SHUT       flushed; CSTS.SHST says done
 *   FATAL      CSTS.CFS is set; no guest memory is touched
 */
enum nvme_state { NVME_DISABLED, NVME_READY, NVME_SHUTTING, NVME_SHUT, NVME_FATAL, NVME_STATES };

enum nvme_event {
	NVME_EV_ENABLE,   /* CC.EN 0 -> 1 with good registers */
	NVME_EV_DISABLE,  /* CC.EN 1 -> 0, function reset, client gone */
	NVME_EV_SHUTDOWN, /* CC.SHN 0 -> not 0 */
	NVME_EV_FLUSHED,  /* the flush of a shutdown ended */
	NVME_EV_FATAL,    /* the guest broke the protocol */
	NVME_EVENTS,
};

enum nvme_cmd_state {
	NVME_CMD_FREE,
	NVME_CMD_RUNNING, /* the guest waits for its completion */
	NVME_CMD_ORPHAN, /* the volume still holds the request; nobody waits, no guest memory is held */
};

/* A command in work. */
struct nvme_cmd {
	struct vol_req req; /* lent to the volume while not FREE */
	enum nvme_cmd_state state;
	uint16_t sqid, cid, cqid;
	uint8_t opc;
	bool write;     /* changes the medium */
	uint32_t bytes; /* of reads and writes */
	uint64_t lba;
	uint64_t start_ns;
	unsigned range_cnt, range_idx; /* Dataset Management: ranges, and the one in work */
	uint64_t range_done;           /* bytes of it handed over */
	bool returned;                 /* the volume gave req back; not looked at yet */
	union {
		struct prp_spans data;
		struct nvme_dsm_range range[NVME_DSM_RANGES_MAX];
	} u;
};

/* Asynchronous events: requests the guest left with us, and what there is to tell. */
struct nvme_aer {
	unsigned cnt;
	uint16_t cid[NVME_AERS_MAX];
	bool ns_changed_due, ns_changed_masked; /* masked from its report until log 04h was read */
	bool smart_due, smart_masked;           /* ... until log 02h was read */
};

struct nvme_ctrl_conf {
	struct nvme_identity id;   /* lba_cnt is taken from the volume */
	struct gmem *mem;          /* borrowed */
	struct vol *vol;           /* borrowed; used by this controller only */
	_Atomic uint32_t *db_page; /* borrowed; NVME_DB_PAGE_BYTES; the hypervisor writes it */
	unsigned io_queues; /* pairs to grant, 1 … NVME_IO_QUEUES_MAX; vectors are one more */
	void (*irq)(void *ctx, unsigned vector); /* signal an MSI-X vector */
	void *irq_ctx;
};

struct nvme_ctrl {
	struct nvme_ctrl_conf conf;
	enum nvme_state state;
	bool quiesced; /* the vfio-user server changes the memory map: nothing is fetched, nothing pinned */

	/* registers; asq … are those in force only from CC.EN = 1 on, and then read-only */
	uint32_t cc, aqa;
	uint64_t asq, acq;
	bool shut_flush_sent, shut_flush_busy;
	struct vol_req shut_flush;

	struct nvme_db db;
	struct nvme_sq sq[NVME_QUEUES_MAX]; /* by queue id; 0 is the admin queue */
	struct nvme_cq cq[NVME_QUEUES_MAX];
	unsigned turn; /* I/O queue that is served first next time */

	struct nvme_features features;
	struct nvme_aer aer;
	struct nvme_stats stats;
	uint64_t lba_cnt;
	bool ns_changed, degraded;
	uint64_t born_ns, now_ns; /* now: as of this turn */

	unsigned running;     /* commands in NVME_CMD_RUNNING */
	struct nvme_cmd *cmd; /* NVME_CMDS_MAX of them; owned; pages are touched as they are used */
	unsigned cmd_used;    /* slots ever used */
	uint16_t free[NVME_CMDS_MAX]; /* indices of free slots, last freed on top */
	unsigned free_cnt;
	struct vol_req *batch[NVME_BATCH_MAX]; /* for the volume, at the end of the turn */
	unsigned batch_cnt;
};

/**
 * nvme_ctrl_new() - a controller in NVME_DISABLED
 * @conf: copied
 * Return: 0 and *ret (owned: nvme_ctrl_free()), -ENOMEM.
 */
MUST_USE int nvme_ctrl_new(const struct nvme_ctrl_conf *conf, struct nvme_ctrl **ret);
/*
 * nvme_ctrl_free(): quiesce with reset first, then free the volume (it may still hold requests that lie in here), then
 * call this. NULL is fine.
 */
void nvme_ctrl_free(struct nvme_ctrl *c);
void nvme_ctrl_freep(struct nvme_ctrl **c);

/**
 * nvme_ctrl_access() - the guest reads or writes BAR0
 * @off, @len: inside the BAR; anything else about them is the guest's
 * @buf:       zeroed before a read
 */
void nvme_ctrl_access(struct nvme_ctrl *c, uint64_t off, void *buf, size_t len, bool write);

/**
 * nvme_ctrl_service() - one turn: completions, then new commands, then interrupts
 * @now_ns: monotonic time
 *
 * Bounded work. Return: true when it did something: another turn may find more.
 */
bool nvme_ctrl_service(struct nvme_ctrl *c, uint64_t now_ns);

/**
 * nvme_ctrl_arm() - about to sleep: ask to be told, then look again
 * Return: true when something came in between: do not sleep.
 */
bool nvme_ctrl_arm(struct nvme_ctrl *c);

/**
 * nvme_ctrl_quiesce() - let go of guest memory
 * @reset: power-on reset: at once. Otherwise what runs may end
 *
 * Return: 0 nothing of guest memory is held, -EINPROGRESS call again after the next turn.
 */
MUST_USE int nvme_ctrl_quiesce(struct nvme_ctrl *c, bool reset);
void nvme_ctrl_resume(struct nvme_ctrl *c);

/* nvme_ctrl_resized(): the volume has @lba_cnt blocks from now on; the guest is told. */
void nvme_ctrl_resized(struct nvme_ctrl *c, uint64_t lba_cnt);

/* ---- between the files of the controller ---- */

/* nvme_ctrl_event(): the state machine; every change of state goes through it. */
void nvme_ctrl_event(struct nvme_ctrl *c, enum nvme_event ev);
/* nvme_ctrl_fatal(): NVME_EV_FATAL, and a line in the log that says @why. */
void nvme_ctrl_fatal(struct nvme_ctrl *c, const char *why, unsigned qid);

/* nvme_ctrl_complete(): post a completion whose place was reserved when the command was fetched. */
void nvme_ctrl_complete(struct nvme_ctrl *c, uint16_t sqid, uint16_t cid, uint16_t status,
			uint32_t dw0);
/* nvme_ctrl_error(): what the error log shows besides the status. */
void nvme_ctrl_error(struct nvme_ctrl *c, uint16_t sqid, uint16_t cid, uint16_t status,
		     uint64_t lba);

/* admin.c */
void nvme_admin_run(struct nvme_ctrl *c, const struct nvme_sqe *sqe);
/* nvme_admin_events(): answer waiting event requests as far as there is something to tell. */
void nvme_admin_events(struct nvme_ctrl *c);

/* io.c */
void nvme_io_run(struct nvme_ctrl *c, struct nvme_sq *sq, const struct nvme_sqe *sqe);
/* nvme_io_done(): the volume gave @req back. */
void nvme_io_done(struct nvme_ctrl *c, struct vol_req *req);
/* nvme_io_abort(): end a running command now. Return: true it was found. */
bool nvme_io_abort(struct nvme_ctrl *c, uint16_t sqid, uint16_t cid);
/*
 * nvme_io_drop(): cancel what runs of queue @sqid (all queues: -1). With @answer the guest gets a completion, else the
 * queues are going away. No guest memory of these commands is held afterwards.
 */
void nvme_io_drop(struct nvme_ctrl *c, int sqid, bool answer);
/* nvme_io_submit(): hand the turn's batch to the volume. */
void nvme_io_submit(struct nvme_ctrl *c);
