/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The real niter-storage-card with a guest's driver on its vfio-user socket: what works, must work. argv[1]: the
 * program. What must not is in storage_card_probe_test.c.
 *
 * As root the card runs in its real jail, otherwise with NITER_UNJAILED=1 (no empty root, all else alike).
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "card_world.h"

/* ---- identity: facts about EBS volumes, field by field ---- */

static void identity__pci_function_is_an_ebs_controller(void **state)
{
	const uint8_t *cfg = vu_client_info(world.guest.vu)->config;

	(void)state;
	assert_int_equal(le16_load(cfg + PCI_CFG_VENDOR), 0x1d0f);
	assert_int_equal(le16_load(cfg + PCI_CFG_DEVICE), 0x8061);
	assert_int_equal(le16_load(cfg + PCI_CFG_SUBVENDOR), 0x1d0f);
	assert_int_equal(cfg[PCI_CFG_CLASS], 0x02);
	assert_int_equal(cfg[PCI_CFG_CLASS + 1], 0x08);
	assert_int_equal(cfg[PCI_CFG_CLASS + 2], 0x01);
	assert_int_equal(vu_client_info(world.guest.vu)->region_size[0], 16384);
	assert_int_equal(vu_client_info(world.guest.vu)->msix_cnt, 9);
	assert_non_null(world.guest.doorbells);
}

static void identity__registers(void **state)
{
	uint64_t cap = nvme_client_reg64(&world.guest, NVME_REG_CAP);

	(void)state;
	assert_int_equal(cap & 0xffff, 1023);  /* MQES */
	assert_int_equal(cap >> 16 & 1, 1);    /* CQR */
	assert_true((cap >> 24 & 0xff) > 0);   /* TO */
	assert_int_equal(cap >> 32 & 0xf, 0);  /* DSTRD */
	assert_int_equal(cap >> 36 & 1, 0);    /* NSSRS */
	assert_int_equal(cap >> 37 & 0xff, 1); /* CSS, exactly */
	assert_int_equal(cap >> 48 & 0xff, 0); /* MPSMIN, MPSMAX */
	assert_int_equal(cap >> 57, 0);        /* CMBS, CRMS */
	assert_int_equal(nvme_client_reg32(&world.guest, NVME_REG_VS), 0x00010400);
	assert_int_equal(nvme_client_reg32(&world.guest, 0x38), 0);  /* CMBLOC */
	assert_int_equal(nvme_client_reg32(&world.guest, 0x3c), 0);  /* CMBSZ */
	assert_int_equal(nvme_client_reg32(&world.guest, 0x68), 0);  /* CRTO */
	assert_int_equal(nvme_client_reg32(&world.guest, 0xe00), 0); /* PMRCAP */
}

static void identity__controller_is_an_ebs_volume(void **state)
{
	const uint8_t *p = world.p;
	char nqn[256];

	(void)state;
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_CTRL, 0, world.data), 0);
	assert_int_equal(le16_load(p), 0x1d0f);
	assert_int_equal(le16_load(p + 2), 0x1d0f);
	assert_memory_equal(p + 4, "vol0123456789abcdef0", 20);
	assert_memory_equal(p + 24, "Amazon Elastic Block Store              ", 40);
	assert_memory_equal(p + 64, "2.0     ", 8);
	assert_int_equal(p[76], 0);
	assert_int_equal(p[77], 6);
	assert_int_equal(le32_load(p + 80), 0x00010400);
	assert_int_equal(le32_load(p + 92), 0x100);
	assert_int_equal(le32_load(p + 96), 0);
	assert_int_equal(p[111], 1);
	assert_int_equal(le16_load(p + 256), 0x100);
	assert_int_equal(p[258], 3);
	assert_int_equal(p[259], 3);
	assert_int_equal(p[260], 0x03);
	assert_int_equal(p[261], 0);
	assert_int_equal(p[263], 0);
	assert_int_equal(p[265], 0);
	assert_int_equal(p[512], 0x66);
	assert_int_equal(p[513], 0x44);
	assert_int_equal(le32_load(p + 516), 1);
	assert_int_equal(le16_load(p + 520), 0x0c);
	assert_int_equal(p[525], 1);
	assert_int_equal(le32_load(p + 536), 0);
	assert_int_equal(le32_load(p + 540), 0);
	memset(nqn, 0, sizeof(nqn));
	(void)snprintf(nqn, sizeof(nqn),
		       "nqn.2014-08.org.nvmexpress:1d0f1d0fvol0123456789abcdef0%-40s",
		       "Amazon Elastic Block Store");
	assert_memory_equal(p + 768, nqn, 256);
	assert_true(le16_load(p + 2048) != 0);
	assert_memory_equal(p + 3072, "/dev/sdf                        ", 32);
	assert_int_equal(p[3104], 0);
}

static void identity__namespace(void **state)
{
	const uint8_t *p = world.p;
	unsigned i;

	(void)state;
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_NS, 1, world.data), 0);
	for (i = 0; i < 24; i += 8)
		assert_int_equal(le64_load(p + i), WORLD_LBAS);
	assert_int_equal(p[24], 0x12); /* NSFEAT: atomics, preferred sizes; both say 4 KiB */
	assert_int_equal(le16_load(p + 36), 7);
	assert_int_equal(le16_load(p + 64), 7);
	assert_int_equal(p[25], 0); /* NLBAF */
	assert_int_equal(p[26], 0); /* FLBAS */
	assert_int_equal(p[30], 0); /* NMIC */
	assert_int_equal(p[33], 0x09);
	assert_int_equal(p[99], 0);
	assert_int_equal(le32_load(p + 128), 9u << 16);
	assert_memory_equal(p + 384, "/dev/sdf                        ", 32);
	assert_memory_equal(p + 416, "vol-0123456789abcdef0           ", 32);

	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_NS_LIST, 0, world.data), 0);
	assert_int_equal(le32_load(p), 1);
	assert_int_equal(le32_load(p + 4), 0);
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_NS_LIST, 1, world.data), 0);
	assert_int_equal(le32_load(p), 0);
	memset(world.p, 0xff, 4096);
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_NS_DESCS, 1, world.data), 0);
	for (i = 0; i < 4096; i += 8)
		assert_int_equal(le64_load(p + i), 0);
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_CSI_CTRL, 0, world.data), 0);
	assert_int_equal(p[1], 13);
	assert_int_equal(p[3], 255);
	assert_int_equal(le32_load(p + 4), 1 << 19);

	/* and what must be refused */
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_NS, 2, world.data), 0x400b);
	assert_int_equal(
		nvme_client_identify(&world.guest, NVME_CNS_NS_LIST, 0xfffffffe, world.data),
		0x400b);
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_NS_DESCS, 0, world.data),
			 0x400b);
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_CSI_NS, 1, world.data),
			 0x4002);
	assert_int_equal(nvme_client_identify(&world.guest, 0xff, 1, world.data), 0x4002);
}

/* ---- data ---- */

static void data__what_was_never_written_is_zero(void **state)
{
	unsigned i;

	(void)state;
	memset(world.p, 0xee, 65536);
	assert_int_equal(world_read(1, 1000, 128, 0), 0);
	for (i = 0; i < 65536; i += 8)
		assert_int_equal(le64_load(world.p + i), 0);
}

/* Random sizes, places, alignments and queues against a copy in this process. */
static void data__random_io_matches_a_model(void **state)
{
	const uint32_t model_lbas = 4096;
	uint8_t *model = calloc(model_lbas, NVME_LBA_BYTES);
	unsigned seed = 7, i;

	(void)state;
	assert_non_null(model);
	for (i = 0; i < 1500; i++) {
		uint32_t cnt = rand_r(&seed) % 4 ? 1 + (unsigned)rand_r(&seed) % 24
						 : 1 + (unsigned)rand_r(&seed) % 512;
		uint32_t lba = (unsigned)rand_r(&seed) % (model_lbas - cnt + 1);
		uint32_t off = (unsigned)rand_r(&seed) % 2048 * 4;
		unsigned qid = 1 + (unsigned)rand_r(&seed) % WORLD_QUEUES;
		size_t len = (size_t)cnt * NVME_LBA_BYTES;

		if (rand_r(&seed) % 2) {
			world_fill(model + (size_t)lba * NVME_LBA_BYTES, len, i);
			memcpy(world.p + off, model + (size_t)lba * NVME_LBA_BYTES, len);
			assert_int_equal(world_write(qid, lba, cnt, off), 0);
		} else {
			memset(world.p + off, 0xee, len);
			assert_int_equal(world_read(qid, lba, cnt, off), 0);
			assert_memory_equal(world.p + off, model + (size_t)lba * NVME_LBA_BYTES,
					    len);
		}
	}
	free(model);
}

/* Many at once on all queues, each its own range; then all are read back. */
static void data__deep_queues(void **state)
{
	struct nvme_client *g = &world.guest;
	struct nvme_cqe cqe[WORLD_DEPTH];
	unsigned round, q, i, done[WORLD_QUEUES + 1];

	(void)state;
	for (round = 0; round < 2; round++) {
		memset(done, 0, sizeof(done));
		if (round == 0)
			world_fill(world.p, WORLD_DATA_BYTES, 99);
		else
			memset(world.p, 0, WORLD_DATA_BYTES);
		for (q = 1; q <= WORLD_QUEUES; q++) {
			for (i = 0; i < WORLD_DEPTH - 1; i++) {
				unsigned n = (q - 1) * WORLD_DEPTH + i;
				struct nvme_sqe sqe = { .opc = round ? NVME_IO_READ : NVME_IO_WRITE,
							.nsid = 1,
							.cdw10 = n * 8,
							.cdw12 = 7,
							.prp1 = world.data + n * 4096 };

				(void)nvme_client_put(g, q, sqe);
			}
			nvme_client_ring(g, q);
		}
		for (q = 1; q <= WORLD_QUEUES; q++) {
			while (done[q] < WORLD_DEPTH - 1) {
				assert_int_equal(
					nvme_client_wait(g, q, &cqe[0], NVME_CLIENT_TIMEOUT_MS), 0);
				assert_int_equal(nvme_client_status(&cqe[0]), 0);
				assert_int_equal(cqe[0].sqid, q);
				done[q]++;
			}
			assert_int_equal(nvme_client_reap(g, q, cqe, WORLD_DEPTH), 0);
		}
	}
	/* the same bytes came back */
	{
		uint8_t *want = malloc(WORLD_DATA_BYTES);

		assert_non_null(want);
		world_fill(want, WORLD_DATA_BYTES, 99);
		for (q = 0; q < WORLD_QUEUES; q++)
			assert_memory_equal(world.p + q * WORLD_DEPTH * 4096,
					    want + q * WORLD_DEPTH * 4096,
					    (WORLD_DEPTH - 1) * 4096);
		free(want);
	}
}

static void data__prp_list_may_chain(void **state)
{
	struct nvme_client *g = &world.guest;
	uint64_t chain = nvme_client_alloc(g, 4096), *first, *second;
	struct nvme_sqe sqe = { .opc = NVME_IO_WRITE, .nsid = 1, .cdw12 = 511 };
	unsigned i;

	(void)state;
	/* 64 pages: the list begins three entries before its page ends, the third points to the rest. */
	first = nvme_client_p(g, world.list);
	second = nvme_client_p(g, chain);
	first[509] = world.data + 1 * 4096;
	first[510] = world.data + 2 * 4096;
	first[511] = chain;
	for (i = 3; i < 64; i++)
		second[i - 3] = world.data + i * 4096;
	sqe.prp1 = world.data;
	sqe.prp2 = world.list + 509 * 8;
	world_fill(world.p, 64 * 4096, 5);
	assert_int_equal(nvme_client_do(g, 1, sqe, NULL), 0);

	memcpy(world.p + (512 << 10), world.p, 64 * 4096);
	memset(world.p, 0, 64 * 4096);
	sqe.opc = NVME_IO_READ;
	assert_int_equal(nvme_client_do(g, 2, sqe, NULL), 0);
	assert_memory_equal(world.p, world.p + (512 << 10), 64 * 4096);

	/* its twin: the chain pointer has an offset */
	first[511] = chain + 8;
	assert_int_equal(nvme_client_do(g, 1, sqe, NULL), 0x4013);
	world_alive();
}

/* Pages in both DMA ranges and in any order. */
static void data__scattered_pages(void **state)
{
	struct nvme_client *g = &world.guest;
	uint64_t *list = nvme_client_p(g, world.list), page[16];
	struct nvme_sqe sqe = { .opc = NVME_IO_WRITE, .nsid = 1, .cdw10 = 64, .cdw12 = 127 };
	unsigned i;
	uint8_t want[4096];

	(void)state;
	for (i = 0; i < 16; i++) {
		page[i] = i % 2 ? NVME_CLIENT_HIGH + (100 + 3 * i) * 4096
				: world.data + (64 - 2 * i) * 4096;
		world_fill(nvme_client_p(g, page[i]), 4096, 500 + i);
		if (i)
			list[i - 1] = page[i];
	}
	sqe.prp1 = page[0];
	sqe.prp2 = world.list;
	assert_int_equal(nvme_client_do(g, 1, sqe, NULL), 0);
	for (i = 0; i < 16; i++)
		memset(nvme_client_p(g, page[i]), 0, 4096);
	sqe.opc = NVME_IO_READ;
	assert_int_equal(nvme_client_do(g, 3, sqe, NULL), 0);
	for (i = 0; i < 16; i++) {
		world_fill(want, sizeof(want), 500 + i);
		assert_memory_equal(nvme_client_p(g, page[i]), want, 4096);
	}
}

static uint16_t discard(uint64_t lba, uint32_t cnt)
{
	struct nvme_dsm_range r = { .nlb = cnt, .slba = lba };

	memcpy(world.p, &r, sizeof(r));
	return nvme_client_do(
		&world.guest, 1,
		(struct nvme_sqe){ .opc = NVME_IO_DSM, .nsid = 1, .cdw11 = 4, .prp1 = world.data },
		NULL);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static void data__discarded_blocks_read_as_zero_and_the_file_shrinks(void **state)
{
	struct stat before, after;

	(void)state;
	world_fill(world.p, 262144, 3);
	assert_int_equal(world_write(1, 0, 512, 0), 0);
	assert_int_equal(nvme_client_flush(&world.guest, 1), 0);
	assert_int_equal(stat(world.volume.path, &before), 0);

	/* not whole units at either end */
	assert_int_equal(discard(3, 400), 0);
	assert_int_equal(nvme_client_flush(&world.guest, 1), 0);
	assert_int_equal(world_read(1, 0, 512, 0), 0);
	assert_false(all_zero(world.p, 3 * 512));
	assert_true(all_zero(world.p + 3 * 512, 400 * 512));
	assert_false(all_zero(world.p + 403 * 512, 109 * 512));
	assert_int_equal(stat(world.volume.path, &after), 0);
	assert_true(after.st_blocks < before.st_blocks);

	/* twin: out of range, nothing happens */
	assert_int_equal(discard(WORLD_LBAS - 1, 2), 0x4080);
	/* other attributes are hints */
	assert_int_equal(nvme_client_do(&world.guest, 1,
					(struct nvme_sqe){
						.opc = NVME_IO_DSM, .nsid = 1, .prp1 = world.data },
					NULL),
			 0x4080);
}

static void data__write_zeroes(void **state)
{
	struct nvme_sqe sqe = { .opc = NVME_IO_WRITE_ZEROES, .nsid = 1, .cdw10 = 5, .cdw12 = 99 };

	(void)state;
	world_fill(world.p, 131072, 4);
	assert_int_equal(world_write(1, 0, 256, 0), 0);
	assert_int_equal(nvme_client_do(&world.guest, 1, sqe, NULL), 0);
	sqe.cdw10 = 150;
	sqe.cdw12 = 9 | 1u << 25 | 1u << 30; /* DEAC, FUA */
	assert_int_equal(nvme_client_do(&world.guest, 1, sqe, NULL), 0);
	assert_int_equal(world_read(1, 0, 256, 0), 0);
	assert_false(all_zero(world.p, 5 * 512));
	assert_true(all_zero(world.p + 5 * 512, 100 * 512));
	assert_false(all_zero(world.p + 105 * 512, 45 * 512));
	assert_true(all_zero(world.p + 150 * 512, 10 * 512));
	assert_false(all_zero(world.p + 160 * 512, 96 * 512));
	/* 32 MiB in one command */
	sqe.cdw10 = 0;
	sqe.cdw12 = 0xffff;
	assert_int_equal(nvme_client_do(&world.guest, 1, sqe, NULL), 0);
	assert_int_equal(world_read(1, 0, 256, 0), 0);
	assert_true(all_zero(world.p, 131072));
}

/* What was acknowledged after FLUSH or with FUA is there when another card opens the volume. */
static void data__flushed_and_fua_writes_survive_a_killed_card(void **state)
{
	uint8_t want[4096];

	(void)state;
	world_fill(want, sizeof(want), 21);
	memcpy(world.p, want, sizeof(want));
	assert_int_equal(world_write(1, 800, 8, 0), 0);
	assert_int_equal(nvme_client_flush(&world.guest, 2), 0);
	assert_int_equal(
		nvme_client_rw(&world.guest, 1, true, 901, 8, world.data, world.list, true), 0);

	nvme_client_close(&world.guest);
	card_host_kill(&world.host);
	world_card_start(false);
	world_boot(1);
	assert_int_equal(world_read(1, 800, 8, 0), 0);
	assert_memory_equal(world.p, want, sizeof(want));
	assert_int_equal(world_read(1, 901, 8, 0), 0);
	assert_memory_equal(world.p, want, sizeof(want));
}

static void data__read_only_volume_refuses_changes(void **state)
{
	struct nvme_sqe zeroes = { .opc = NVME_IO_WRITE_ZEROES, .nsid = 1 };

	(void)state;
	world_card_stop();
	world_card_start(true);
	world_boot(1);
	assert_int_equal(nvme_client_identify(&world.guest, NVME_CNS_NS, 1, world.data), 0);
	assert_int_equal(world.p[99], 1);
	assert_int_equal(world_write(1, 0, 8, 0), 0x4020);
	assert_int_equal(nvme_client_do(&world.guest, 1, zeroes, NULL), 0x4020);
	assert_int_equal(discard(0, 8), 0x4020);
	assert_int_equal(world_read(1, 0, 8, 0), 0);
}

/* ---- shadow doorbells ---- */

static void dbbuf__io_works_and_the_guest_hardly_rings(void **state)
{
	struct nvme_client *g = &world.guest;
	struct nvme_cqe cqe;
	uint64_t rings;
	unsigned i, done = 0, put = 0;

	(void)state;
	assert_int_equal(nvme_client_dbbuf(g), 0);
	world_alive();

	/* Keep the queue busy: the card sees the tail by itself most of the time. */
	rings = g->rings;
	while (done < 4000) {
		for (i = 0; i < 8 && put - done < 32; i++, put++)
			(void)nvme_client_put(g, 1,
					      (struct nvme_sqe){ .opc = NVME_IO_READ,
								 .nsid = 1,
								 .cdw10 = (put * 8) % 4096,
								 .cdw12 = 7,
								 .prp1 = world.data });
		nvme_client_ring(g, 1);
		assert_int_equal(nvme_client_wait(g, 1, &cqe, NVME_CLIENT_TIMEOUT_MS), 0);
		assert_int_equal(nvme_client_status(&cqe), 0);
		done++;
	}
	print_message("%u commands, %u doorbell exits\n", done, (unsigned)(g->rings - rings));
	while (done < put) {
		assert_int_equal(nvme_client_wait(g, 1, &cqe, NVME_CLIENT_TIMEOUT_MS), 0);
		done++;
	}
}

/* One at a time, so that the card goes to sleep each time: no wake-up may be lost. */
static void dbbuf__no_wakeup_is_lost(void **state)
{
	unsigned i;

	(void)state;
	assert_int_equal(nvme_client_dbbuf(&world.guest), 0);
	for (i = 0; i < 3000; i++)
		assert_int_equal(world_read(1 + i % WORLD_QUEUES, i % 64 * 8, 8, 0), 0);
}

static void dbbuf__reset_turns_it_off(void **state)
{
	(void)state;
	assert_int_equal(nvme_client_dbbuf(&world.guest), 0);
	world_alive();
	world_reboot();
	world_alive();
	assert_int_equal(nvme_client_dbbuf(&world.guest), 0);
	world_alive();
}

/* ---- admin ---- */

static uint16_t log_get(uint8_t lid, uint32_t nsid, uint32_t dwords, uint64_t off, uint64_t prp2)
{
	struct nvme_sqe sqe = { .opc = NVME_ADM_GET_LOG_PAGE,
				.nsid = nsid,
				.cdw10 = lid | (dwords - 1) << 16,
				.cdw12 = (uint32_t)off,
				.cdw13 = (uint32_t)(off >> 32),
				.prp1 = world.data,
				.prp2 = prp2 };

	return world_admin(sqe, NULL);
}

static void log__pages(void **state)
{
	const uint8_t *p = world.p;

	(void)state;
	assert_int_equal(world_write(1, 0, 8, 0), 0);
	assert_int_equal(world_read(1, 0, 16, 0), 0);
	assert_int_equal(world_read(1, WORLD_LBAS, 1, 0), 0x4080);

	assert_int_equal(log_get(NVME_LOG_ERROR, 0xffffffff, 1024, 0, 0), 0);
	assert_int_equal(le64_load(p), 1);
	assert_int_equal(le16_load(p + 8), 1);
	assert_int_equal(le16_load(p + 12) >> 1, 0x4080);
	assert_int_equal(log_get(NVME_LOG_SMART, 0xffffffff, 128, 0, 0), 0);
	assert_int_equal(p[0], 0);
	assert_int_equal(le64_load(p + 64), 1);
	assert_int_equal(le64_load(p + 80), 1);
	assert_int_equal(le64_load(p + 176), 1);
	assert_int_equal(log_get(NVME_LOG_FIRMWARE, 0, 128, 0, 0), 0);
	assert_int_equal(p[0], 1);
	assert_int_equal(log_get(NVME_LOG_CHANGED_NS, 0xffffffff, 1024, 0, 0), 0);
	assert_int_equal(le32_load(p), 0);

	/* refused */
	assert_int_equal(log_get(0x05, 0, 128, 0, 0), 0x4109);
	assert_int_equal(log_get(NVME_LOG_SMART, 0, 128, 516, 0), 0x4002);
	assert_int_equal(log_get(NVME_LOG_SMART, 0, 128, 2, 0), 0x4002);
	assert_int_equal(log_get(NVME_LOG_SMART, 2, 128, 0, 0), 0x400b);
}

/* AWS's own tool asks for one dword more than the page, with no memory behind it. */
static void log__ebs_statistics_never_write_past_the_page(void **state)
{
	const uint8_t *p = world.p;

	(void)state;
	assert_int_equal(world_read(1, 0, 16, 0), 0);
	memset(world.p, 0xaa, 8192);
	assert_int_equal(log_get(NVME_LOG_EBS_STATS, 1, 1025, 0, 0), 0);
	assert_int_equal(le32_load(p), 0x3C23B510);
	assert_int_equal(le64_load(p + 8), 1);
	assert_int_equal(le64_load(p + 24), 8192);
	assert_true(le64_load(p + 512) <= 64);
	assert_true(le64_load(p + 2056) <= 64);
	assert_int_equal(p[4096], 0xaa);
	/* page 0 of memory, which "PRP2 = 0" names, is untouched */
	assert_true(all_zero(nvme_client_p(&world.guest, 0), 4096));

	/* with an offset, near the end: only what is there */
	memset(world.p, 0xaa, 8192);
	assert_int_equal(log_get(NVME_LOG_EBS_STATS, 1, 1025, 4092, 0), 0);
	assert_int_equal(p[0], 0);
	assert_int_equal(p[4], 0xaa);
}

static uint16_t feature(uint8_t opc, uint8_t fid, uint32_t v, uint32_t *ret)
{
	return world_admin((struct nvme_sqe){ .opc = opc, .cdw10 = fid, .cdw11 = v }, ret);
}

static void feature__answers(void **state)
{
	uint32_t v;

	(void)state;
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_QUEUES, 0, &v), 0);
	assert_int_equal(v, 7u << 16 | 7);
	assert_int_equal(feature(NVME_ADM_SET_FEATURES, NVME_FEAT_QUEUES, 0, &v),
			 0x400c); /* queues exist */
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_WRITE_CACHE, 0, &v), 0);
	assert_int_equal(v, 1);
	assert_int_equal(feature(NVME_ADM_SET_FEATURES, NVME_FEAT_WRITE_CACHE, 0, &v), 0);
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_WRITE_CACHE, 0, &v), 0);
	assert_int_equal(v, 0);
	world_alive(); /* every write is durable now */
	assert_int_equal(feature(NVME_ADM_SET_FEATURES, NVME_FEAT_ASYNC_EVENT, 0x100, &v), 0);
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_ASYNC_EVENT, 0, &v), 0);
	assert_int_equal(v, 0x100);
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_ARBITRATION, 0, &v), 0);
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_POWER, 0, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(feature(NVME_ADM_SET_FEATURES, NVME_FEAT_POWER, 1, &v), 0x4002);
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_TEMPERATURE, 0, &v), 0);
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_TEMPERATURE, 1u << 16, &v),
			 0x4002);
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, 0x0e, 0, &v), 0x4002);
	assert_int_equal(feature(NVME_ADM_SET_FEATURES, 0x16, 0, &v), 0x4002);
	/* a reset forgets */
	world_reboot();
	assert_int_equal(feature(NVME_ADM_GET_FEATURES, NVME_FEAT_WRITE_CACHE, 0, &v), 0);
	assert_int_equal(v, 1);
}

static void event__requests_wait_are_limited_and_can_be_aborted(void **state)
{
	struct nvme_client *g = &world.guest;
	struct nvme_sqe aer = { .opc = NVME_ADM_ASYNC_EVENT };
	struct nvme_cqe cqe[8];
	uint16_t cid[4];
	unsigned i;
	uint32_t dw0;

	(void)state;
	for (i = 0; i < 4; i++)
		cid[i] = nvme_client_put(g, 0, aer);
	nvme_client_ring(g, 0);
	/* the fifth is one too many */
	assert_int_equal(world_admin(aer, NULL), 0x4105);
	assert_int_equal(nvme_client_reap(g, 0, cqe, 8), 0);

	/* Abort: two completions, the victim's with "abort requested", ours with 0 in dword 0. */
	(void)nvme_client_put(
		g, 0, (struct nvme_sqe){ .opc = NVME_ADM_ABORT, .cdw10 = (uint32_t)cid[2] << 16 });
	nvme_client_ring(g, 0);
	assert_int_equal(nvme_client_wait(g, 0, &cqe[0], NVME_CLIENT_TIMEOUT_MS), 0);
	assert_int_equal(nvme_client_wait(g, 0, &cqe[1], NVME_CLIENT_TIMEOUT_MS), 0);
	assert_int_equal(cqe[0].cid, cid[2]);
	assert_int_equal(nvme_client_status(&cqe[0]), 0x007);
	assert_int_equal(nvme_client_status(&cqe[1]), 0);
	assert_int_equal(cqe[1].dw0, 0);
	/* again: not there any more */
	assert_int_equal(world_admin((struct nvme_sqe){ .opc = NVME_ADM_ABORT,
							.cdw10 = (uint32_t)cid[2] << 16 },
				     &dw0),
			 0);
	assert_int_equal(dw0, 1);
}

/* Every command gets one completion, aborted or not, and memory is quiet after an abort was confirmed. */
static void abort__of_commands_in_flight(void **state)
{
	struct nvme_client *g = &world.guest;
	unsigned round, aborted = 0;

	(void)state;
	world_fill(world.p, 262144, 77);
	assert_int_equal(world_write(1, 0, 512, 0), 0);
	for (round = 0; round < 200; round++) {
		struct nvme_sqe sqe = { .opc = round % 2 ? NVME_IO_READ : NVME_IO_WRITE,
					.nsid = 1,
					.cdw12 = 511 };
		struct nvme_cqe cqe;
		uint16_t cid[8], victim;
		uint32_t dw0;
		unsigned i, seen = 0;

		nvme_client_prps(g, &sqe, world.data, 262144, world.list);
		for (i = 0; i < 8; i++)
			cid[i] = nvme_client_put(g, 1, sqe);
		nvme_client_ring(g, 1);
		victim = cid[7 - round % 4];
		assert_int_equal(
			world_admin((struct nvme_sqe){ .opc = NVME_ADM_ABORT,
						       .cdw10 = (uint32_t)victim << 16 | 1 },
				    &dw0),
			0);
		for (i = 0; i < 8; i++) {
			assert_int_equal(nvme_client_wait(g, 1, &cqe, NVME_CLIENT_TIMEOUT_MS), 0);
			assert_true(cqe.cid >= cid[0] || cid[7] < cid[0]);
			if (nvme_client_status(&cqe) == 0x007) {
				assert_int_equal(cqe.cid, victim);
				assert_int_equal(dw0, 0);
				seen++;
			} else {
				assert_int_equal(nvme_client_status(&cqe), 0);
			}
		}
		assert_int_equal(seen, dw0 ? 0 : 1);
		aborted += seen;
		assert_int_equal(nvme_client_reap(g, 1, &cqe, 1), 0);
	}
	print_message("%u of 200 were aborted in flight\n", aborted);
	world_alive();
}

/* ---- life cycle ---- */

static void life__shutdown_ends_with_shst_done_and_a_reset_leads_back(void **state)
{
	struct nvme_client *g = &world.guest;

	(void)state;
	assert_int_equal(world_write(1, 0, 8, 0), 0);
	nvme_client_reg32_write(g, NVME_REG_CC, nvme_client_reg32(g, NVME_REG_CC) | 1u << 14);
	assert_int_equal(nvme_client_csts_wait(g, 0xc, NVME_CSTS_SHST_DONE), 0);
	world_reboot();
	world_alive();
}

static void flood(unsigned round)
{
	struct nvme_client *g = &world.guest;
	unsigned q, i;

	for (q = 1; q <= 2; q++) {
		for (i = 0; i < 16; i++) {
			struct nvme_sqe sqe = { .opc = (round + i) % 2 ? NVME_IO_READ
								       : NVME_IO_WRITE,
						.nsid = 1,
						.cdw10 = i * 128,
						.cdw12 = 127 };

			nvme_client_prps(g, &sqe, world.data, 65536, world.list);
			(void)nvme_client_put(g, q, sqe);
		}
		nvme_client_ring(g, q);
	}
}

static void life__a_thousand_resets_in_flight(void **state)
{
	struct nvme_client *g = &world.guest;
	unsigned round;

	(void)state;
	for (round = 0; round < 1000; round++) {
		flood(round);
		assert_int_equal(nvme_client_disable(g), 0);
		/* RDY is 0: nothing may be written into our memory any more, whatever was in flight. */
		memset(world.p, 0x5a, 65536);
		if (round % 100 == 0) {
			usleep(2000);
			assert_int_equal(world.p[0], 0x5a);
			assert_int_equal(world.p[65535], 0x5a);
		}
		nvme_client_forget(g);
		assert_int_equal(nvme_client_enable(g, 32), 0);
		assert_int_equal(nvme_client_queues(g, 2, WORLD_DEPTH), 2);
		world.data = nvme_client_alloc(g, WORLD_DATA_BYTES);
		world.list = nvme_client_alloc(g, 4096);
		world.p = nvme_client_p(g, world.data);
	}
	world_alive();
}

static void life__function_resets_in_flight(void **state)
{
	struct nvme_client *g = &world.guest;
	unsigned round;
	uint16_t devctl;
	int cap;

	(void)state;
	cap = pci_caps_find(vu_client_info(g->vu)->config, PCI_CAP_EXPRESS, 16);
	assert_true(cap > 0);
	for (round = 0; round < 50; round++) {
		flood(round);
		if (round % 2) {
			assert_int_equal(vu_client_reset(g->vu), 0);
		} else {
			devctl = 1u << 15; /* initiate function level reset */
			assert_int_equal(vu_client_write(g->vu, VU_REGION_CONFIG, (unsigned)cap + 8,
							 &devctl, 2),
					 0);
		}
		assert_int_equal(nvme_client_reg32(g, NVME_REG_CC), 0);
		assert_int_equal(nvme_client_reg32(g, NVME_REG_CSTS), 0);
		assert_int_equal(nvme_client_reg64(g, NVME_REG_ASQ), 0);
		world_boot(WORLD_QUEUES);
	}
	world_alive();
}

static void life__unmap_waits_for_io_in_flight(void **state)
{
	struct nvme_client *g = &world.guest;
	uint64_t half = WORLD_RAM_BYTES / 2;
	struct nvme_cqe cqe;
	unsigned round, i;

	(void)state;
	for (round = 0; round < 20; round++) {
		flood(round);
		assert_int_equal(vu_client_dma_unmap(g->vu, NVME_CLIENT_HIGH, half), 0);
		/* The other half still serves. What was asked before has been answered or follows. */
		for (i = 0; i < 32; i++)
			assert_int_equal(
				nvme_client_wait(g, 1 + i / 16, &cqe, NVME_CLIENT_TIMEOUT_MS), 0);
		assert_int_equal(world_read(1, 0, 8, 0), 0);
		assert_int_equal(vu_client_dma_map(g->vu, NVME_CLIENT_HIGH, half,
						   VU_DMA_READ | VU_DMA_WRITE, g->ram_fd, half),
				 0);
	}
	world_alive();
}

/* A guest that does not read its completions blocks itself and nobody else, and goes on when it reads. */
static void life__a_full_completion_queue_holds_commands_back(void **state)
{
	struct nvme_client *g = &world.guest;
	struct nvme_sqe cq = { .opc = NVME_ADM_CREATE_CQ,
			       .cdw10 = 7u << 16 | 5,
			       .cdw11 = 5u << 16 | 3 };
	struct nvme_sqe sq = { .opc = NVME_ADM_CREATE_SQ,
			       .cdw10 = 63u << 16 | 5,
			       .cdw11 = 5u << 16 | 1 };
	struct nvme_client_queue *q = &g->q[5];
	struct nvme_cqe cqe;
	unsigned mode, i;

	(void)state;
	for (mode = 0; mode < 2; mode++) {
		int irq_fd = q->irq_fd;

		memset(q, 0, sizeof(*q));
		q->irq_fd = irq_fd;
		if (mode)
			assert_int_equal(nvme_client_dbbuf(g), 0);
		q->sq_at = nvme_client_alloc(g, 4096);
		q->cq_at = nvme_client_alloc(g, 4096);
		q->sqe = nvme_client_p(g, q->sq_at);
		q->cqe = nvme_client_p(g, q->cq_at);
		q->size = 64;
		q->phase = true;
		cq.prp1 = q->cq_at;
		sq.prp1 = q->sq_at;
		assert_int_equal(world_admin(cq, NULL), 0);
		assert_int_equal(world_admin(sq, NULL), 0);

		for (i = 0; i < 40; i++)
			(void)nvme_client_put(g, 5,
					      (struct nvme_sqe){ .opc = NVME_IO_FLUSH, .nsid = 1 });
		nvme_client_ring(g, 5);
		usleep(30000);
		assert_int_equal(world_read(1, 0, 8, 0), 0); /* others go on */
		/* 8 entries: 7 completions are there, the 8th is not */
		for (i = 0; i < 7; i++)
			assert_int_equal(q->cqe[i].status_phase & 1, 1);
		assert_int_equal(q->cqe[7].status_phase & 1, 0);

		for (i = 0; i < 40; i++) {
			uint64_t end = 2000;

			while ((q->cqe[i % 8].status_phase & 1) != ((i / 8 + 1) & 1) && --end)
				usleep(1000);
			assert_true(end);
			memcpy(&cqe, (const void *)(uintptr_t)&q->cqe[i % 8], sizeof(cqe));
			assert_int_equal(nvme_client_status(&cqe), 0);
			q->head = (uint16_t)((i + 1) % 8);
			if (mode) {
				uint16_t old = (uint16_t)g->db_shadow[11], event;

				__atomic_store_n(&g->db_shadow[11], q->head, __ATOMIC_SEQ_CST);
				event = (uint16_t)__atomic_load_n(&g->db_event[11],
								  __ATOMIC_SEQ_CST);
				if ((uint16_t)(q->head - event - 1) < (uint16_t)(q->head - old))
					nvme_client_doorbell(g, 11, q->head);
			} else {
				nvme_client_doorbell(g, 11, q->head);
			}
		}
		assert_int_equal(
			world_admin((struct nvme_sqe){ .opc = NVME_ADM_DELETE_SQ, .cdw10 = 5 },
				    NULL),
			0);
		assert_int_equal(
			world_admin((struct nvme_sqe){ .opc = NVME_ADM_DELETE_CQ, .cdw10 = 5 },
				    NULL),
			0);
		q->size = 0;
	}
}

static void life__two_volumes_of_one_card_are_apart(void **state)
{
	static struct nvme_client other;
	struct card_volume v;
	char path[128];
	int sock = -1;
	uint64_t data;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/second.luks", world.dir);
	assert_int_equal(card_volume_new(&v, path, "vol-0000000000000000b", WORLD_VOLUME_BYTES), 0);
	assert_int_equal(card_host_attach(&world.host, &v, false, -1, CARD_KEY_RIGHT, &sock), 0);
	assert_int_equal(nvme_client_open(&other, sock, WORLD_RAM_BYTES), 0);
	assert_int_equal(nvme_client_enable(&other, 32), 0);
	assert_int_equal(nvme_client_queues(&other, 1, WORLD_DEPTH), 1);
	data = nvme_client_alloc(&other, 65536);

	world_fill(world.p, 4096, 1);
	assert_int_equal(world_write(1, 0, 8, 0), 0);
	assert_int_equal(nvme_client_rw(&other, 1, false, 0, 8, data, 0, false), 0);
	assert_true(all_zero(nvme_client_p(&other, data), 4096));
	/* one goes, the other stays */
	nvme_client_close(&other);
	world_alive();
	/* and may come back */
	assert_int_equal(card_host_attach(&world.host, &v, false, -1, CARD_KEY_RIGHT, &sock), 0);
	assert_int_equal(nvme_client_open(&other, sock, WORLD_RAM_BYTES), 0);
	assert_int_equal(nvme_client_enable(&other, 32), 0);
	nvme_client_close(&other);
	card_volume_free(&v);
}

/* What lies on the host is ciphertext: what the guest wrote is not found. */
static void life__plaintext_is_nowhere_in_the_file(void **state)
{
	uint8_t *file = malloc(4 << 20);
	CLEANUP(fd_closep) int fd = -1;
	ssize_t n;
	size_t i;

	(void)state;
	assert_non_null(file);
	for (i = 0; i < 4096; i += 16)
		memcpy(world.p + i, "tenant-marker-42", 16);
	assert_int_equal(world_write(1, 0, 8, 0), 0);
	assert_int_equal(nvme_client_flush(&world.guest, 1), 0);
	fd = open(world.volume.path, O_RDONLY | O_CLOEXEC);
	n = pread(fd, file, 4 << 20, 16 << 20);
	assert_int_equal(n, 4 << 20);
	assert_false(all_zero(file, 4096));
	assert_null(memmem(file, (size_t)n, "tenant-marker-42", 16));
	free(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(identity__pci_function_is_an_ebs_controller),
		IN_WORLD(identity__registers),
		IN_WORLD(identity__controller_is_an_ebs_volume),
		IN_WORLD(identity__namespace),
		IN_WORLD(data__what_was_never_written_is_zero),
		IN_WORLD(data__random_io_matches_a_model),
		IN_WORLD(data__deep_queues),
		IN_WORLD(data__prp_list_may_chain),
		IN_WORLD(data__scattered_pages),
		IN_WORLD(data__discarded_blocks_read_as_zero_and_the_file_shrinks),
		IN_WORLD(data__write_zeroes),
		IN_WORLD(data__flushed_and_fua_writes_survive_a_killed_card),
		IN_WORLD(data__read_only_volume_refuses_changes),
		IN_WORLD(dbbuf__io_works_and_the_guest_hardly_rings),
		IN_WORLD(dbbuf__no_wakeup_is_lost),
		IN_WORLD(dbbuf__reset_turns_it_off),
		IN_WORLD(log__pages),
		IN_WORLD(log__ebs_statistics_never_write_past_the_page),
		IN_WORLD(feature__answers),
		IN_WORLD(event__requests_wait_are_limited_and_can_be_aborted),
		IN_WORLD(abort__of_commands_in_flight),
		IN_WORLD(life__shutdown_ends_with_shst_done_and_a_reset_leads_back),
		IN_WORLD(life__a_thousand_resets_in_flight),
		IN_WORLD(life__function_resets_in_flight),
		IN_WORLD(life__unmap_waits_for_io_in_flight),
		IN_WORLD(life__a_full_completion_queue_holds_commands_back),
		IN_WORLD(life__two_volumes_of_one_card_are_apart),
		IN_WORLD(life__plaintext_is_nowhere_in_the_file),
	};

	if (argc < 2)
		return 2;
	world_program = argv[1];
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
