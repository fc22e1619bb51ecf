/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * NVMe as the specification writes it: registers, opcodes, status codes and the two queue entries.
 * Names are the specification's. Nothing here is Niter's choice; those are in controller.h.
 *
 * Entries are copied out of guest memory as a whole and used in place, so their fields are in the order and
 * byte order of the wire: x86-64 only, which is little-endian.
 *
 * spec: nvme-1.4 §3.1 (registers), §4.2 (commands), §4.6 (completions)
 */

#include <assert.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "wire structs are used in place");

/* spec: nvme-1.4 §3.1: offsets in BAR0 */
enum nvme_reg {
	NVME_REG_CAP = 0x00,
	NVME_REG_VS = 0x08,
	NVME_REG_INTMS = 0x0c,
	NVME_REG_INTMC = 0x10,
	NVME_REG_CC = 0x14,
	NVME_REG_CSTS = 0x1c,
	NVME_REG_NSSR = 0x20,
	NVME_REG_AQA = 0x24,
	NVME_REG_ASQ = 0x28,
	NVME_REG_ACQ = 0x30,
	NVME_REG_DBS = 0x1000,
};

#define NVME_CC_EN 0x1u
#define NVME_CC_CSS(cc) (((cc) >> 4) & 0x7u)
#define NVME_CC_MPS(cc) (((cc) >> 7) & 0xfu)
#define NVME_CC_AMS(cc) (((cc) >> 11) & 0x7u)
#define NVME_CC_SHN(cc) (((cc) >> 14) & 0x3u)
#define NVME_CC_IOSQES(cc) (((cc) >> 16) & 0xfu)
#define NVME_CC_IOCQES(cc) (((cc) >> 20) & 0xfu)
#define NVME_CC_WRITABLE 0x00fffff1u

#define NVME_CSTS_RDY 0x1u
#define NVME_CSTS_CFS 0x2u
#define NVME_CSTS_SHST_BUSY 0x4u
#define NVME_CSTS_SHST_DONE 0x8u

enum nvme_admin_opc {
	NVME_ADM_DELETE_SQ = 0x00,
	NVME_ADM_CREATE_SQ = 0x01,
	NVME_ADM_GET_LOG_PAGE = 0x02,
	NVME_ADM_DELETE_CQ = 0x04,
	NVME_ADM_CREATE_CQ = 0x05,
	NVME_ADM_IDENTIFY = 0x06,
	NVME_ADM_ABORT = 0x08,
	NVME_ADM_SET_FEATURES = 0x09,
	NVME_ADM_GET_FEATURES = 0x0a,
	NVME_ADM_ASYNC_EVENT = 0x0c,
	NVME_ADM_DBBUF_CONFIG = 0x7c,
};

enum nvme_io_opc {
	NVME_IO_FLUSH = 0x00,
	NVME_IO_WRITE = 0x01,
	NVME_IO_READ = 0x02,
	NVME_IO_WRITE_ZEROES = 0x08,
	NVME_IO_DSM = 0x09,
};

enum nvme_cns {
	NVME_CNS_NS = 0x00,
	NVME_CNS_CTRL = 0x01,
	NVME_CNS_NS_LIST = 0x02,
	NVME_CNS_NS_DESCS = 0x03,
	NVME_CNS_CSI_NS = 0x05,
	NVME_CNS_CSI_CTRL = 0x06,
};

enum nvme_feature {
	NVME_FEAT_ARBITRATION = 0x01,
	NVME_FEAT_POWER = 0x02,
	NVME_FEAT_TEMPERATURE = 0x04,
	NVME_FEAT_ERROR_RECOVERY = 0x05,
	NVME_FEAT_WRITE_CACHE = 0x06,
	NVME_FEAT_QUEUES = 0x07,
	NVME_FEAT_COALESCING = 0x08,
	NVME_FEAT_VECTOR = 0x09,
	NVME_FEAT_ATOMICITY = 0x0a,
	NVME_FEAT_ASYNC_EVENT = 0x0b,
};

enum nvme_log {
	NVME_LOG_ERROR = 0x01,
	NVME_LOG_SMART = 0x02,
	NVME_LOG_FIRMWARE = 0x03,
	NVME_LOG_CHANGED_NS = 0x04,
	NVME_LOG_EBS_STATS = 0xd0,
};

/*
 * Status as it stands in a completion above the phase bit: SC in bits 7:0, SCT in 10:8, More in 13, DNR in 14.
 * spec: nvme-1.4 §4.6.1
 */
enum nvme_status {
	NVME_SC_SUCCESS = 0x000,
	NVME_SC_INVALID_OPCODE = 0x001,
	NVME_SC_INVALID_FIELD = 0x002,
	NVME_SC_DATA_TRANSFER = 0x004,
	NVME_SC_INTERNAL = 0x006,
	NVME_SC_ABORT_REQUESTED = 0x007,
	NVME_SC_ABORT_SQ_DELETED = 0x008,
	NVME_SC_INVALID_NS = 0x00b,
	NVME_SC_SEQUENCE = 0x00c,
	NVME_SC_PRP_OFFSET = 0x013,
	NVME_SC_NS_WRITE_PROTECTED = 0x020,
	NVME_SC_LBA_RANGE = 0x080,
	NVME_SC_CAPACITY = 0x081,

	NVME_SC_CQ_INVALID = 0x100,
	NVME_SC_QID_INVALID = 0x101,
	NVME_SC_QUEUE_SIZE = 0x102,
	NVME_SC_AER_LIMIT = 0x105,
	NVME_SC_INVALID_VECTOR = 0x108,
	NVME_SC_INVALID_LOG = 0x109,
	NVME_SC_QUEUE_DELETION = 0x10c,
	NVME_SC_FEATURE_NOT_SAVEABLE = 0x10d,
	NVME_SC_FEATURE_NOT_CHANGEABLE = 0x10e,

	NVME_SC_WRITE_FAULT = 0x280,
	NVME_SC_READ_ERROR = 0x281,

	NVME_SC_DNR = 0x4000,
};

/* A command. A value of this type is always a private copy; the guest's is never looked at again. */
struct nvme_sqe {
	uint8_t opc;
	uint8_t flags; /* FUSE 1:0, PSDT 7:6 */
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2, cdw3;
	uint64_t mptr;
	uint64_t prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
static_assert(sizeof(struct nvme_sqe) == 64, "spec: nvme-1.4 §4.2");

struct nvme_cqe {
	uint32_t dw0, dw1;
	uint16_t sq_head, sqid;
	uint16_t cid, status_phase; /* phase in bit 0 */
};
static_assert(sizeof(struct nvme_cqe) == 16, "spec: nvme-1.4 §4.6");

/* One range of a Dataset Management command. spec: nvme-1.4 §6.7 */
struct nvme_dsm_range {
	uint32_t attr;
	uint32_t nlb; /* 1-based, unlike everywhere else */
	uint64_t slba;
};
static_assert(sizeof(struct nvme_dsm_range) == 16, "spec: nvme-1.4 §6.7");

enum {
	NVME_PAGE_BYTES = 4096, /* CAP.MPSMIN = MPSMAX = 0 */
	NVME_LBA_BYTES = 512,
	NVME_LBA_SHIFT = 9,
	NVME_DATA_BYTES = 4096, /* identify answers */
	NVME_NSID = 1,          /* the one namespace of a controller */
	NVME_DSM_RANGES_MAX = 256,
};
#define NVME_NSID_ALL 0xffffffffu
