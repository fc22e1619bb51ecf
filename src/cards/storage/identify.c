/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Identify pages. Offsets are the specification's; spelled here once, next to what we say there.
 */

#include "cards/storage/identify.h"

#include <string.h>

#include "base/bytes.h"

/* @s padded with spaces to @len, not terminated. */
static void text_put(uint8_t *p, size_t len, const char *s)
{
	size_t n = strnlen(s, len);

	memset(p, ' ', len);
	memcpy(p, s, n);
}

/* "vol-0123…" as EBS prints it into a serial number: without the dash. */
static void serial_make(const struct nvme_identity *id, char ret[21])
{
	size_t i, n = 0;

	for (i = 0; id->volume_id[i] && n < 20; i++)
		if (id->volume_id[i] != '-')
			ret[n++] = id->volume_id[i];
	ret[n] = '\0';
}

static const char model[] = "Amazon Elastic Block Store";

static void nqn_put(uint8_t *p, const char *serial)
{
	static const char prefix[] = "nqn.2014-08.org.nvmexpress:1d0f1d0f";
	size_t n = sizeof(prefix) - 1;

	/* The rest of the 256 bytes stays zero. */
	memcpy(p, prefix, n);
	text_put(p + n, 20, serial);
	text_put(p + n + 20, 40, model);
}

/* spec: nvme-1.4 §5.15.2.2, figure 247 */
static void controller_page(const struct nvme_identity *id, uint8_t *p)
{
	char serial[21];

	serial_make(id, serial);

	le16_store(p + 0, 0x1d0f); /* VID */
	le16_store(p + 2, 0x1d0f); /* SSVID */
	text_put(p + 4, 20, serial);
	text_put(p + 24, 40, model);
	text_put(p + 64, 8, "2.0"); /* FR */
	p[77] = NVME_MDTS;
	le32_store(p + 80, NVME_VERSION);
	le32_store(p + 92, 1u << 8);  /* OAES: namespace attribute notices */
	p[111] = 1;                   /* CNTRLTYPE: I/O */
	le16_store(p + 256, 1u << 8); /* OACS: Doorbell Buffer Config */
	p[258] = NVME_ABORTS_MAX - 1;
	p[259] = NVME_AERS_MAX - 1;
	p[260] = 0x03; /* FRMW: one slot, read only */
	p[262] = NVME_ERROR_LOG_ENTRIES - 1;
	le16_store(p + 266, 0x157); /* WCTEMP: 70 °C; 1.2 and later want it not 0 */
	le16_store(p + 268, 0x157); /* CCTEMP */
	p[512] = 0x66;              /* SQES */
	p[513] = 0x44;              /* CQES */
	le32_store(p + 516, 1);     /* NN */
	le16_store(p + 520, (1u << 2) | (1u << 3)); /* ONCS: Dataset Management, Write Zeroes */
	p[525] = 1;                                 /* VWC: present; flush means what it says */
	nqn_put(p + 768, serial);
	le16_store(p + 2048, 2500); /* PSD0: 25 W, in 10 mW */
	text_put(p + 3072, NVME_EBS_NAME_BYTES, id->device_name);
}

/* spec: nvme-1.4 §5.15.2.1, figure 245 */
static void namespace_page(const struct nvme_identity *id, uint8_t *p)
{
	le64_store(p + 0, id->lba_cnt);  /* NSZE */
	le64_store(p + 8, id->lba_cnt);  /* NCAP */
	le64_store(p + 16, id->lba_cnt); /* NUSE */
	/*
	 * NSFEAT: atomic sizes and preferred sizes below are set. Linux takes the smaller of both as its physical
	 * block size: 4096 with 512-byte blocks, as on EBS.
	 */
	p[24] = 1u << 4 | 1u << 1;
	p[33] = 0x09; /* DLFEAT: deallocated reads as zeroes; Write Zeroes may deallocate */
	/* A unit of encryption is written with one write. 0-based, in blocks: NAWUN, NAWUPF, NABSN, NABSPF */
	le16_store(p + 34, 7);
	le16_store(p + 36, 7);
	le16_store(p + 40, 7);
	le16_store(p + 44, 7);
	/* 4096-byte hints, 0-based in blocks: NPWG, NPWA, NPDG, NPDA, NOWS */
	le16_store(p + 64, 7);
	le16_store(p + 66, 7);
	le16_store(p + 68, 7);
	le16_store(p + 70, 7);
	le16_store(p + 72, 7);
	p[99] = id->read_only ? 1 : 0;                       /* NSATTR: write protected */
	le32_store(p + 128, (uint32_t)NVME_LBA_SHIFT << 16); /* LBAF0: 512 bytes, no metadata */
	text_put(p + 384, NVME_EBS_NAME_BYTES, id->device_name);
	text_put(p + 384 + 32, 32, id->volume_id);
}

/* spec: nvm-cs-1.0 §4.1.5.4 */
static void csi_controller_page(uint8_t *p)
{
	p[1] = NVME_WZSL;
	p[3] = NVME_DMRL;
	le32_store(p + 4, NVME_DMRSL);
}

uint16_t nvme_identify(const struct nvme_identity *id, uint32_t nsid, uint8_t cns, uint8_t csi,
		       uint8_t ret[NVME_DATA_BYTES])
{
	memset(ret, 0, NVME_DATA_BYTES);

	switch (cns) {
	case NVME_CNS_NS:
		/* All ones asks for what namespaces have in common; with one namespace that is the namespace. */
		if (nsid != NVME_NSID)
			return NVME_SC_INVALID_NS | NVME_SC_DNR;
		namespace_page(id, ret);
		return NVME_SC_SUCCESS;
	case NVME_CNS_CTRL:
		controller_page(id, ret);
		return NVME_SC_SUCCESS;
	case NVME_CNS_NS_LIST:
		/* Namespaces above @nsid. The last two numbers are not allowed. */
		if (nsid >= 0xfffffffeu)
			return NVME_SC_INVALID_NS | NVME_SC_DNR;
		if (nsid < NVME_NSID)
			le32_store(ret, NVME_NSID);
		return NVME_SC_SUCCESS;
	case NVME_CNS_NS_DESCS:
		/* An empty list: EBS volumes are told apart by serial number. */
		if (nsid != NVME_NSID)
			return NVME_SC_INVALID_NS | NVME_SC_DNR;
		return NVME_SC_SUCCESS;
	case NVME_CNS_CSI_CTRL:
		if (csi != 0)
			return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
		csi_controller_page(ret);
		return NVME_SC_SUCCESS;
	default:
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	}
}
