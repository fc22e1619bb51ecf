/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hostile guest against what the real niter-storage-card keeps: shadow doorbells, registers, admin data, memory, and
 * hostile attachments. Each probe is refused or harmless, and the card serves on. The cases named s26_rowNN are the bug
 * classes of other device models, one each. argv[1]: the program.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "card_probe.h"

/* ---- shadow doorbells ---- */

static void dbbuf__bad_pages(void **state)
{
	struct nvme_sqe sqe = { .opc = NVME_ADM_DBBUF_CONFIG };

	(void)state;
	sqe.prp1 = HOLE;
	sqe.prp2 = world.data;
	assert_int_equal(world_admin(sqe, NULL), 0x4004);
	sqe.prp1 = world.data;
	sqe.prp2 = HOLE;
	assert_int_equal(world_admin(sqe, NULL), 0x4004);
	sqe.prp2 = world.data + 4;
	assert_int_equal(world_admin(sqe, NULL), 0x4002);
	world_alive();
}

static void s26_row08__shadow_doorbell_out_of_range(void **state)
{
	(void)state;
	assert_int_equal(nvme_client_dbbuf(G), 0);
	G->db_shadow[2] = 0xffffffff;
	nvme_client_doorbell(G, 2, 1);
	expect_fatal();
}

static void dbbuf__slots_are_not_just_16_bits(void **state)
{
	(void)state;
	assert_int_equal(nvme_client_dbbuf(G), 0);
	G->db_shadow[2] = 0x10001;
	nvme_client_doorbell(G, 2, 1);
	expect_fatal();
}

static void dbbuf__memory_behind_it_goes_away(void **state)
{
	uint64_t half = WORLD_RAM_BYTES / 2;
	struct nvme_sqe sqe = { .opc = NVME_ADM_DBBUF_CONFIG,
				.prp1 = NVME_CLIENT_HIGH + half - 8192,
				.prp2 = NVME_CLIENT_HIGH + half - 4096 };
	uint32_t *shadow = nvme_client_p(G, sqe.prp1);

	(void)state;
	shadow[2] = G->q[1].tail;
	shadow[4] = G->q[2].tail;
	assert_int_equal(world_admin(sqe, NULL), 0);
	assert_int_equal(vu_client_dma_unmap(G->vu, NVME_CLIENT_HIGH, half), 0);
	expect_fatal();
	assert_int_equal(vu_client_dma_map(G->vu, NVME_CLIENT_HIGH, half,
					   VU_DMA_READ | VU_DMA_WRITE, G->ram_fd, half),
			 0);
}

/* ---- registers ---- */

static void s26_row01__queue_registers_are_fixed_while_enabled(void **state)
{
	uint64_t asq = nvme_client_reg64(G, NVME_REG_ASQ), acq = nvme_client_reg64(G, NVME_REG_ACQ);
	uint32_t aqa = nvme_client_reg32(G, NVME_REG_AQA);

	(void)state;
	nvme_client_reg32_write(G, NVME_REG_AQA, 0x0fff0fff);
	nvme_client_reg64_write(G, NVME_REG_ASQ, HOLE);
	nvme_client_reg64_write(G, NVME_REG_ACQ, HOLE);
	assert_int_equal(nvme_client_reg32(G, NVME_REG_AQA), aqa);
	assert_int_equal(nvme_client_reg64(G, NVME_REG_ASQ), asq);
	assert_int_equal(nvme_client_reg64(G, NVME_REG_ACQ), acq);
	assert_int_equal(nvme_client_identify(G, NVME_CNS_CTRL, 0, world.data), 0);
	/* twin: while disabled they change */
	assert_int_equal(nvme_client_disable(G), 0);
	nvme_client_reg32_write(G, NVME_REG_AQA, 0x00010001);
	assert_int_equal(nvme_client_reg32(G, NVME_REG_AQA), 0x00010001);
}

static void s26_row13__doorbells_before_ready_and_bad_admin_queues(void **state)
{
	static const uint32_t aqa[] = { 0, 0x001f0000, 0x0000001f };
	unsigned i;

	(void)state;
	assert_int_equal(nvme_client_disable(G), 0);
	for (i = 0; i < 64; i++)
		nvme_client_doorbell(G, i, 1);
	assert_false(probe_fatal());

	/* queues of one entry */
	for (i = 0; i < 3; i++) {
		nvme_client_reg32_write(G, NVME_REG_AQA, aqa[i]);
		nvme_client_reg32_write(G, NVME_REG_CC, 0x00460001);
		expect_fatal();
		assert_int_equal(nvme_client_reg32(G, NVME_REG_CSTS) & NVME_CSTS_RDY, 0);
		nvme_client_reg32_write(G, NVME_REG_CC, 0);
		assert_false(probe_fatal());
	}
	/* queues that are no memory */
	nvme_client_reg32_write(G, NVME_REG_AQA, 0x001f001f);
	nvme_client_reg64_write(G, NVME_REG_ASQ, HOLE);
	nvme_client_reg64_write(G, NVME_REG_ACQ, HOLE);
	nvme_client_reg32_write(G, NVME_REG_CC, 0x00460001);
	nvme_client_doorbell(G, 0, 1);
	expect_fatal();
	nvme_client_reg32_write(G, NVME_REG_CC, 0);
}

static void registers__bad_configurations(void **state)
{
	/* command set, page size, arbitration */
	static const uint32_t cc[] = { 0x00460061, 0x00460071, 0x00460081,
				       0x00460781, 0x00460801, 0x00463801 };
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		assert_int_equal(nvme_client_disable(G), 0);
		nvme_client_reg32_write(G, NVME_REG_CC, cc[i]);
		expect_fatal();
	}
}

static void registers__entry_sizes_must_be_set_before_queues(void **state)
{
	uint64_t at;

	(void)state;
	assert_int_equal(nvme_client_disable(G), 0);
	world_boot(0);
	at = nvme_client_alloc(G, 4096);
	nvme_client_reg32_write(G, NVME_REG_CC, 1);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 1, 3, at), 0x4002);
	nvme_client_reg32_write(G, NVME_REG_CC, 0x00460001);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 1, 3, at), 0);
	assert_int_equal(nvme_client_disable(G), 0);
}

static void registers__every_word_written_with_noise(void **state)
{
	unsigned off, i;

	(void)state;
	for (i = 0; i < 3; i++)
		for (off = 0; off < 0x1000; off += 4)
			nvme_client_reg32_write(G, off, 0x9e3779b9u * (off + i));
	nvme_client_reg32_write(G, NVME_REG_CC, 0);
	assert_false(probe_fatal());
}

static void registers__enable_and_shutdown_in_any_order(void **state)
{
	unsigned seed = 3, i;

	(void)state;
	for (i = 0; i < 500; i++)
		nvme_client_reg32_write(G, NVME_REG_CC,
					0x00460000u | ((unsigned)rand_r(&seed) & 0xc001u));
	nvme_client_reg32_write(G, NVME_REG_CC, 0);
	assert_int_equal(nvme_client_csts_wait(G, NVME_CSTS_CFS | NVME_CSTS_RDY, 0), 0);
}

/* ---- admin data ---- */

static void s26_row09__log_page_offsets_and_lengths(void **state)
{
	static const uint64_t off[] = { 4096,           4100,      1u << 31, (uint64_t)1 << 32,
					UINT64_MAX - 3, UINT64_MAX };
	static const uint8_t lid[] = { 1, 2, 3, 4, 0xd0 };
	unsigned i, k;

	(void)state;
	for (k = 0; k < 5; k++) {
		for (i = 0; i < 6; i++) {
			struct nvme_sqe sqe = { .opc = NVME_ADM_GET_LOG_PAGE,
						.nsid = 0xffffffff,
						.prp1 = world.data,
						.cdw10 = lid[k] | 1023u << 16,
						.cdw12 = (uint32_t)off[i],
						.cdw13 = (uint32_t)(off[i] >> 32) };
			uint16_t status;

			memset(world.p, 0xa5, 8192);
			status = world_admin(sqe, NULL);
			assert_true(status == 0x4002 || (status == 0 && off[i] == 4096));
			assert_int_equal(world.p[0], 0xa5);
			/* the longest length there is */
			sqe.cdw10 |= 0xffff0000u;
			sqe.cdw11 = 0xffff;
			sqe.cdw12 = sqe.cdw13 = 0;
			assert_int_equal(world_admin(sqe, NULL), 0x4002);
		}
	}
	/* four bytes too many */
	assert_int_equal(world_admin((struct nvme_sqe){ .opc = NVME_ADM_GET_LOG_PAGE,
							.nsid = 1,
							.prp1 = world.data,
							.cdw10 = 0xd0 | 1024u << 16 },
				     NULL),
			 0);
	assert_int_equal(world.p[4096], 0xa5);
}

static void admin__data_outside_memory(void **state)
{
	(void)state;
	assert_int_equal(nvme_client_identify(G, NVME_CNS_CTRL, 0, HOLE), 0x4004);
	assert_int_equal(nvme_client_identify(G, NVME_CNS_CTRL, 0, RAM_END - 2048), 0x4004);
	assert_int_equal(nvme_client_identify(G, NVME_CNS_CTRL, 0, world.data + 3), 0x4013);
	assert_int_equal(nvme_client_identify(G, NVME_CNS_CTRL, 0, world.data + 2048), 0);
}

/* Every byte of an answer is ours to say: nothing of an earlier answer or of our stack shines through. */
static void s26_row24__answers_hold_no_leftovers(void **state)
{
	static const uint8_t cns[] = { 0, 2, 3, 6 };
	uint8_t *again = world.p + 65536;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint32_t nsid = cns[i] == 2 ? 0 : 1;

		memset(world.p, 0xff, 4096);
		assert_int_equal(nvme_client_identify(G, cns[i], nsid, world.data), 0);
		(void)world_read(1, 0, 512, 0x20000);
		(void)nvme_client_identify(G, NVME_CNS_CTRL, 0, world.data + 131072);
		memset(again, 0, 4096);
		assert_int_equal(nvme_client_identify(G, cns[i], nsid, world.data + 65536), 0);
		assert_memory_equal(world.p, again, 4096);
	}
}

static void admin__abort_storm(void **state)
{
	unsigned seed = 5, i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		uint32_t dw0;

		if (i % 8 == 0) {
			struct nvme_sqe sqe = {
				.opc = NVME_IO_READ, .nsid = 1, .cdw12 = 7, .prp1 = world.data
			};
			struct nvme_cqe cqe[WORLD_DEPTH];

			(void)nvme_client_reap(G, 1, cqe, WORLD_DEPTH);
			(void)nvme_client_put(G, 1, sqe);
			nvme_client_ring(G, 1);
		}
		assert_int_equal(
			world_admin((struct nvme_sqe){ .opc = NVME_ADM_ABORT,
						       .cdw10 = (unsigned)rand_r(&seed) << 16 |
								((unsigned)rand_r(&seed) % 70000 &
								 0xffff) },
				    &dw0),
			0);
	}
	usleep(20000);
	world_reboot();
}

/* ---- memory ---- */

static void s26_row02__transfer_ends_inside_the_last_page(void **state)
{
	(void)state;
	/* 4 KiB that begin 2 KiB before the end: the second half has no memory, and the first is not touched by a read. */
	memset(nvme_client_p(G, RAM_END - 2048), 0x77, 2048);
	assert_int_equal(read8(RAM_END - 2048, RAM_END), 0x4004);
	assert_int_equal(*(uint8_t *)nvme_client_p(G, RAM_END - 1), 0x77);
}

/* The halves touch in the memory descriptor but not in guest memory: a transfer must not run on from one to the other. */
static void s26_row03__neighbours_here_are_no_neighbours_there(void **state)
{
	uint64_t half = WORLD_RAM_BYTES / 2;

	(void)state;
	memset(nvme_client_p(G, NVME_CLIENT_HIGH), 0x66, 4096);
	assert_int_equal(read8(half - 2048, half), 0x4004);
	assert_int_equal(*(uint8_t *)nvme_client_p(G, NVME_CLIENT_HIGH), 0x66);
	/* twin: by its own address it is reached */
	assert_int_equal(read8(half - 2048, NVME_CLIENT_HIGH), 0);
	assert_int_equal(*(uint8_t *)nvme_client_p(G, NVME_CLIENT_HIGH), 0);
}

static void s26_row04__no_way_from_a_transfer_into_registers(void **state)
{
	uint32_t bar = 0xfd000000;
	unsigned i;

	(void)state;
	assert_int_equal(vu_client_write(G->vu, VU_REGION_CONFIG, PCI_CFG_BAR0, &bar, 4), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(read8(bar + i * 4096, 0), 0x4004);
		assert_int_equal(read_pages(bar, world.list, 3), 0x4004);
	}
	/* queues there */
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 5, 5u << 16 | 3, bar), 0);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 7u << 16 | 5, 5u << 16 | 1, bar), 0);
	nvme_client_doorbell(G, 10, 1);
	expect_fatal();
}

/* No extended capability at all, so no SR-IOV; and nothing can be written into being. */
static void s26_row10__no_virtual_functions(void **state)
{
	uint32_t v, off;

	(void)state;
	for (off = 0x100; off < 0x1000; off += 4) {
		v = 0xffffffff;
		assert_int_equal(vu_client_write(G->vu, VU_REGION_CONFIG, off, &v, 4), 0);
		assert_int_equal(vu_client_read(G->vu, VU_REGION_CONFIG, off, &v, 4), 0);
		assert_int_equal(v, 0);
	}
}

static void s26_row12__first_address_zero(void **state)
{
	uint64_t *list = nvme_client_p(G, world.list);
	unsigned i;
	uint8_t want[4096];

	(void)state;
	/* Page 0 is memory like any other; the entries after it look adjacent. */
	world_fill(want, sizeof(want), 9);
	for (i = 0; i < 4; i++)
		memcpy(world.p + i * 4096, want, 4096);
	assert_int_equal(world_write(1, 0, 32, 0), 0);
	list[0] = 0;
	list[1] = 4096;
	list[2] = 0;
	memset(nvme_client_p(G, 0), 0, 4096);
	assert_int_equal(read_pages(world.data, world.list, 3), 0);
	assert_memory_equal(nvme_client_p(G, 0), want, 4096);
	assert_int_equal(read8(0, 0), 0);
	assert_memory_equal(nvme_client_p(G, 0), want, 4096);
	nvme_client_reg32_write(G, NVME_REG_CC, 0); /* page 1 was the admin queue */
}

/* A guest that never stops writing its queue entries and lists while they are read. */
static void s26_row05__memory_changes_under_the_card(void **state)
{
	uint64_t *list = nvme_client_p(G, world.list);
	unsigned round, i;

	(void)state;
	for (round = 0; round < 300; round++) {
		for (i = 0; i < 8; i++) {
			struct nvme_sqe sqe = { .opc = NVME_IO_READ, .nsid = 1, .cdw12 = 63 };

			nvme_client_prps(G, &sqe, world.data, 32768, world.list);
			(void)nvme_client_put(G, 1, sqe);
		}
		nvme_client_ring(G, 1);
		for (i = 0; i < 400; i++) {
			list[i % 8] = i % 3 ? UINT64_MAX - i : HOLE + i;
			G->q[1].sqe[i % WORLD_DEPTH].prp1 = i % 2 ? HOLE : UINT64_MAX;
			G->q[1].sqe[(i * 7) % WORLD_DEPTH].cdw12 = 0xffffffff;
		}
		for (i = 0; i < 8; i++) {
			struct nvme_cqe cqe;

			assert_int_equal(nvme_client_wait(G, 1, &cqe, NVME_CLIENT_TIMEOUT_MS), 0);
		}
	}
}

static void s26_row22__unmap_during_transfers(void **state)
{
	uint64_t half = WORLD_RAM_BYTES / 2;
	struct nvme_cqe cqe;
	unsigned round, i;

	(void)state;
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 16; i++) {
			struct nvme_sqe sqe = { .opc = NVME_IO_READ, .nsid = 1, .cdw12 = 127 };

			nvme_client_prps(G, &sqe, NVME_CLIENT_HIGH + (1 << 20), 65536, world.list);
			(void)nvme_client_put(G, 1, sqe);
		}
		nvme_client_ring(G, 1);
		assert_int_equal(vu_client_dma_unmap(G->vu, NVME_CLIENT_HIGH, half), 0);
		memset(nvme_client_p(G, NVME_CLIENT_HIGH), 0x3c, 2 << 20);
		for (i = 0; i < 16; i++) {
			assert_int_equal(nvme_client_wait(G, 1, &cqe, NVME_CLIENT_TIMEOUT_MS), 0);
			assert_true(nvme_client_status(&cqe) == 0 ||
				    nvme_client_status(&cqe) == 0x4004);
		}
		/* after the answer to the unmap nothing was written there */
		for (i = 0; i < 2 << 20; i += 512)
			assert_int_equal(((uint8_t *)nvme_client_p(G, NVME_CLIENT_HIGH))[i], 0x3c);
		assert_int_equal(vu_client_dma_map(G->vu, NVME_CLIENT_HIGH, half,
						   VU_DMA_READ | VU_DMA_WRITE, G->ram_fd, half),
				 0);
	}
}

/* A guest cannot make the card talk: its faults cost a bounded number of lines. */
static void s26_row19__faults_do_not_flood_the_log(void **state)
{
	struct stat before, after;
	unsigned i;

	(void)state;
	assert_int_equal(fstat(2, &before), 0);
	for (i = 0; i < 300; i++) {
		nvme_client_doorbell(G, 0, 0xffff);
		expect_fatal();
		world_reboot();
	}
	assert_int_equal(fstat(2, &after), 0);
	if (S_ISREG(after.st_mode))
		assert_true(after.st_size - before.st_size < 16384);
}

/* Every wake-up counts when the guest waits for each answer: nothing stalls after re-arming. */
static void s26_row20__no_stall_after_arming(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 3000; i++)
		assert_int_equal(world_read(1 + i % WORLD_QUEUES, i % 100, 1, 0), 0);
}

static void s26_row23__noise_as_commands_ends_no_process(void **state)
{
	struct nvme_cqe cqe[WORLD_DEPTH];
	unsigned round, i;

	(void)state;
	for (round = 0; round < 400; round++) {
		unsigned qid = round % 3;

		for (i = 0; i < 8; i++) {
			struct nvme_sqe sqe;

			world_fill(&sqe, sizeof(sqe), round * 8 + i);
			if (qid)
				sqe.opc %= 12;
			else
				sqe.opc %= 16;
			if (i % 2) {
				sqe.nsid = 1;
				sqe.flags = 0;
				sqe.prp1 %= RAM_END;
				sqe.prp2 %= RAM_END;
			}
			(void)nvme_client_put(G, qid, sqe);
		}
		nvme_client_ring(G, qid);
		usleep(300);
		(void)nvme_client_reap(G, qid, cqe, WORLD_DEPTH);
		if (round % 16 == 15)
			world_reboot();
	}
	world_reboot();
}

/* ---- attach: what launcher and niter-security may get wrong ---- */

static void expect_refused(int r, int err, const char *text)
{
	assert_int_equal(r, err);
	assert_non_null(strstr(world.host.msg.u.ack.text, text));
}

static void attach__keys(void **state)
{
	struct card_volume v;
	char path[128];
	int sock;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/second.luks", world.dir);
	assert_int_equal(card_volume_new(&v, path, "vol-0000000000000000b", WORLD_VOLUME_BYTES), 0);
	expect_refused(card_host_attach(&world.host, &v, false, -1, CARD_KEY_WRONG, &sock),
		       -EKEYREJECTED, "does not open");
	expect_refused(card_host_attach(&world.host, &v, false, -1, CARD_KEY_REFUSED, &sock),
		       -EACCES, "no grant");
	world_alive();
	assert_int_equal(card_host_attach(&world.host, &v, false, -1, CARD_KEY_RIGHT, &sock), 0);
	close(sock);
	expect_refused(card_host_attach(&world.host, &v, false, -1, CARD_KEY_HANGUP, &sock),
		       -ENOTCONN, "niter-security");
	expect_refused(card_host_attach(&world.host, &v, false, -1, CARD_KEY_RIGHT, &sock),
		       -ENOTCONN, "niter-security");
	card_volume_free(&v);
}

/* fd confusion: the card is handed something else than it was promised. */
static void s26_row18__descriptors_of_the_wrong_kind(void **state)
{
	CLEANUP(fd_closep)
	int ev = fd_eventfd(), null = open("/dev/null", O_RDWR | O_CLOEXEC), a = -1, b = -1,
	    mem = -1;
	struct card_volume v = world.volume;
	int sock, r;

	(void)state;
	mem = memfd_create("empty", MFD_CLOEXEC);
	assert_int_equal(fd_socketpair(SOCK_STREAM, &a, &b), 0);
	r = card_host_attach(&world.host, &v, false, ev, CARD_KEY_RIGHT, &sock);
	assert_true(r < 0 && r != -ETIMEDOUT);
	r = card_host_attach(&world.host, &v, false, null, CARD_KEY_RIGHT, &sock);
	assert_true(r < 0 && r != -ETIMEDOUT);
	r = card_host_attach(&world.host, &v, false, a, CARD_KEY_RIGHT, &sock);
	assert_true(r < 0 && r != -ETIMEDOUT);
	r = card_host_attach(&world.host, &v, false, mem, CARD_KEY_RIGHT, &sock);
	assert_true(r < 0 && r != -ETIMEDOUT);
	world_alive();
}

static void attach__headers(void **state)
{
	struct card_volume v, named;
	char path[128];
	uint8_t junk[512];
	int sock, fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/second.luks", world.dir);
	assert_int_equal(card_volume_new(&v, path, "vol-0000000000000000b", WORLD_VOLUME_BYTES), 0);
	/* another volume's file */
	named = v;
	(void)snprintf(named.id, sizeof(named.id), "vol-0000000000000000c");
	expect_refused(card_host_attach(&world.host, &named, false, -1, CARD_KEY_RIGHT, &sock),
		       -EBADMSG, "another volume");
	/* both header copies damaged */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(junk, 0x11, sizeof(junk));
	assert_int_equal(fd_pwrite_full(fd, junk, sizeof(junk), 64), 0);
	assert_int_equal(fd_pwrite_full(fd, junk, sizeof(junk), 16384 + 64), 0);
	expect_refused(card_host_attach(&world.host, &v, false, -1, CARD_KEY_RIGHT, &sock),
		       -EBADMSG, "damaged");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_true(card_host_attach(&world.host, &v, false, -1, CARD_KEY_RIGHT, &sock) < 0);
	close(fd);
	card_volume_free(&v);
	world_alive();
}

static unsigned fds_of(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Volumes come and go, with guests that hang up in the middle of everything: nothing of them stays. */
static void attach__again_and_again_leaves_nothing(void **state)
{
	static struct nvme_client other;
	struct card_volume v;
	char path[128];
	unsigned round, before = 0;
	int sock;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/second.luks", world.dir);
	assert_int_equal(card_volume_new(&v, path, "vol-0000000000000000b", WORLD_VOLUME_BYTES), 0);
	for (round = 0; round < 60; round++) {
		assert_int_equal(
			card_host_attach(&world.host, &v, false, -1, CARD_KEY_RIGHT, &sock), 0);
		if (round % 3 == 0) { /* says something that is no message */
			assert_int_equal(
				fd_write_full(sock, "GET / HTTP/1.1\r\nHost: card\r\n\r\n", 32), 0);
			close(sock);
			world_alive();
			continue;
		}
		assert_int_equal(nvme_client_open(&other, sock, WORLD_RAM_BYTES), 0);
		if (round % 3 == 1) { /* hangs up with commands in flight */
			unsigned i;

			assert_int_equal(nvme_client_enable(&other, 32), 0);
			assert_int_equal(nvme_client_queues(&other, 2, WORLD_DEPTH), 2);
			for (i = 0; i < 20; i++)
				(void)nvme_client_put(&other, 1,
						      (struct nvme_sqe){ .opc = NVME_IO_WRITE,
									 .nsid = 1,
									 .cdw10 = i * 8,
									 .cdw12 = 7,
									 .prp1 = 0x100000 });
			nvme_client_ring(&other, 1);
		}
		nvme_client_close(&other);
		world_alive();
		usleep(5000);
		if (round == 10)
			before = fds_of(world.host.pid);
	}
	usleep(50000);
	/* One may still be on its way out. */
	assert_true(fds_of(world.host.pid) <= before);
	card_volume_free(&v);
}

/* As many volumes as there can be, and one more. */
static void attach__one_too_many(void **state)
{
	struct card_volume v[CTL_VOLUMES_MAX];
	int sock[CTL_VOLUMES_MAX];
	unsigned i, n;

	(void)state;
	for (i = 0; i < CTL_VOLUMES_MAX; i++) {
		char path[128], id[32];

		(void)snprintf(path, sizeof(path), "%s/v%u.luks", world.dir, i);
		(void)snprintf(id, sizeof(id), "vol-%017x", i);
		assert_int_equal(card_volume_new(&v[i], path, id, 1 << 20), 0);
	}
	for (n = 0; n < CTL_VOLUMES_MAX - 1; n++)
		assert_int_equal(
			card_host_attach(&world.host, &v[n], false, -1, CARD_KEY_RIGHT, &sock[n]),
			0);
	expect_refused(card_host_attach(&world.host, &v[n], false, -1, CARD_KEY_RIGHT, &sock[n]),
		       -ENOSPC, "16 volumes");
	world_alive();
	for (i = 0; i < n; i++)
		close(sock[i]);
	for (i = 0; i < CTL_VOLUMES_MAX; i++)
		card_volume_free(&v[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		PROBE(dbbuf__bad_pages),
		PROBE(dbbuf__slots_are_not_just_16_bits),
		PROBE(dbbuf__memory_behind_it_goes_away),
		PROBE(registers__bad_configurations),
		PROBE(registers__entry_sizes_must_be_set_before_queues),
		PROBE(registers__every_word_written_with_noise),
		PROBE(registers__enable_and_shutdown_in_any_order),
		PROBE(admin__data_outside_memory),
		PROBE(admin__abort_storm),
		PROBE(attach__headers),
		PROBE(attach__keys),
		PROBE(attach__again_and_again_leaves_nothing),
		PROBE(attach__one_too_many),
		PROBE(s26_row01__queue_registers_are_fixed_while_enabled),
		PROBE(s26_row02__transfer_ends_inside_the_last_page),
		PROBE(s26_row03__neighbours_here_are_no_neighbours_there),
		PROBE(s26_row04__no_way_from_a_transfer_into_registers),
		PROBE(s26_row05__memory_changes_under_the_card),
		PROBE(s26_row08__shadow_doorbell_out_of_range),
		PROBE(s26_row09__log_page_offsets_and_lengths),
		PROBE(s26_row10__no_virtual_functions),
		PROBE(s26_row12__first_address_zero),
		PROBE(s26_row13__doorbells_before_ready_and_bad_admin_queues),
		PROBE(s26_row18__descriptors_of_the_wrong_kind),
		PROBE(s26_row19__faults_do_not_flood_the_log),
		PROBE(s26_row20__no_stall_after_arming),
		PROBE(s26_row22__unmap_during_transfers),
		PROBE(s26_row23__noise_as_commands_ends_no_process),
		PROBE(s26_row24__answers_hold_no_leftovers),
	};

	if (argc < 2)
		return 2;
	world_program = argv[1];
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
