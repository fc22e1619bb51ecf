/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hostile guest's commands against the real niter-storage-card: where data is, which blocks, queues, doorbells. Each
 * probe is refused or harmless, and the card serves on. The cases named s26_rowNN are the bug classes of other device
 * models, one each. argv[1]: the program.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "card_probe.h"

/* ---- PRPs ---- */

static void prp__beyond_the_end_of_memory(void **state)
{
	(void)state;
	assert_int_equal(read8(RAM_END, 0), 0x4004);
	assert_int_equal(read8(RAM_END - 4096, 0), 0); /* twin: the last page */
}

static void prp__a_page_too_far(void **state)
{
	(void)state;
	assert_int_equal(read8(RAM_END + 4096, 0), 0x4004);
	assert_int_equal(read8(RAM_END - 2048, RAM_END), 0x4004);
}

static void prp__in_a_hole(void **state)
{
	(void)state;
	assert_int_equal(read8(HOLE, 0), 0x4004);
	assert_int_equal(io((struct nvme_sqe){ .opc = NVME_IO_WRITE, .cdw12 = 7, .prp1 = HOLE }),
			 0x4004);
}

static void prp__own_bar(void **state)
{
	uint32_t bar[2] = { 0xfe000000, 0 };

	(void)state;
	assert_int_equal(vu_client_write(G->vu, VU_REGION_CONFIG, PCI_CFG_BAR0, &bar[0], 4), 0);
	assert_int_equal(vu_client_write(G->vu, VU_REGION_CONFIG, PCI_CFG_BAR0 + 4, &bar[1], 4), 0);
	assert_int_equal(read8(0xfe000000, 0), 0x4004);
	assert_int_equal(read8(0xfe001000, 0), 0x4004);
}

static void prp__other_functions_bar(void **state)
{
	(void)state;
	assert_int_equal(read8(0xfe004000, 0), 0x4004);
}

static void prp__last_address(void **state)
{
	(void)state;
	assert_int_equal(read8(UINT64_MAX & ~3ull, 0), 0x4004);
	assert_int_equal(read8(UINT64_MAX - 4095, 0), 0x4004);
	assert_int_equal(read8(UINT64_MAX, 0), 0x4013);
}

static void prp__beyond_48_bits(void **state)
{
	(void)state;
	assert_int_equal(read8((uint64_t)1 << 48, 0), 0x4004);
}

static void prp__misaligned(void **state)
{
	(void)state;
	assert_int_equal(read8(world.data + 1, 0), 0x4013);
	assert_int_equal(read8(world.data + 2, 0), 0x4013);
	assert_int_equal(read8(world.data + 2048, world.data + 4096 + 4), 0x4013);
	assert_int_equal(read8(world.data + 2048, world.data + 4096), 0); /* twin */
}

static void prp__list_misaligned(void **state)
{
	(void)state;
	assert_int_equal(read_pages(world.data, world.list + 4, 4), 0x4013);
}

static void prp__list_entry_with_offset(void **state)
{
	uint64_t *list = nvme_client_p(G, world.list);

	(void)state;
	list[0] = world.data + 4096;
	list[1] = world.data + 8192 + 512;
	assert_int_equal(read_pages(world.data, world.list, 3), 0x4013);
	list[1] = world.data + 8192;
	assert_int_equal(read_pages(world.data, world.list, 3), 0); /* twin */
}

static void prp__list_crosses_the_end_of_memory(void **state)
{
	uint64_t *last = nvme_client_p(G, RAM_END - 8);

	(void)state;
	*last = RAM_END; /* the chain leads out */
	assert_int_equal(read_pages(world.data, RAM_END - 8, 3), 0x4004);
	assert_int_equal(read_pages(world.data, RAM_END, 3), 0x4004);
}

static void s26_row06__prp_list_that_points_at_itself_ends(void **state)
{
	uint64_t *list = nvme_client_p(G, world.list);
	unsigned i;

	(void)state;
	for (i = 0; i < 512; i++)
		list[i] = world.list;
	/* As data it is merely a strange buffer; as a chain it is followed once and no further. */
	assert_int_equal(read_pages(world.data, world.list + 511 * 8, 64), 0);
	for (i = 0; i < 512; i++)
		list[i] = world.list + 8 * i;
	assert_int_equal(read_pages(world.data, world.list + 511 * 8, 64), 0x4013);
}

static void prp__data_over_the_queues(void **state)
{
	/* The guest overwrites its own rings: its own loss. Completion entries become zeroes. */
	uint16_t r;

	(void)state;
	r = read8(G->q[1].cq_at, 0);
	assert_true(r == 0 || r == NVME_CLIENT_NO_ANSWER || r);
}

/* ---- ranges of blocks ---- */

static uint16_t rw_at(uint8_t opc, uint64_t lba, uint32_t nlb)
{
	struct nvme_sqe sqe = { .opc = opc,
				.nsid = 1,
				.cdw10 = (uint32_t)lba,
				.cdw11 = (uint32_t)(lba >> 32),
				.cdw12 = nlb };

	nvme_client_prps(G, &sqe, world.data, 4096, world.list);
	return nvme_client_do(G, 1, sqe, NULL);
}

static void lba__end_and_beyond(void **state)
{
	(void)state;
	assert_int_equal(rw_at(NVME_IO_READ, WORLD_LBAS - 8, 7), 0);
	assert_int_equal(rw_at(NVME_IO_READ, WORLD_LBAS - 7, 7), 0x4080);
	assert_int_equal(rw_at(NVME_IO_WRITE, WORLD_LBAS - 7, 7), 0x4080);
	assert_int_equal(rw_at(NVME_IO_READ, WORLD_LBAS, 0), 0x4080);
}

static void s26_row07__lba_plus_count_wraps(void **state)
{
	(void)state;
	assert_int_equal(rw_at(NVME_IO_READ, UINT64_MAX, 0), 0x4080);
	assert_int_equal(rw_at(NVME_IO_READ, UINT64_MAX - 6, 7), 0x4080);
	assert_int_equal(rw_at(NVME_IO_WRITE, UINT64_MAX - 6, 7), 0x4080);
	assert_int_equal(rw_at(NVME_IO_WRITE_ZEROES, UINT64_MAX - 6, 0xffff), 0x4080);
	/* LBA * 512 wraps to 0 */
	assert_int_equal(rw_at(NVME_IO_WRITE, (uint64_t)1 << 55, 0), 0x4080);
	assert_int_equal(rw_at(NVME_IO_READ, ((uint64_t)1 << 55) + 8, 7), 0x4080);
}

static void lba__more_than_mdts(void **state)
{
	(void)state;
	assert_int_equal(rw_at(NVME_IO_READ, 0, 512), 0x4002);
	assert_int_equal(rw_at(NVME_IO_WRITE, 0, 0xffff), 0x4002);
}

static uint16_t dsm(unsigned cnt)
{
	return io((struct nvme_sqe){
		.opc = NVME_IO_DSM, .cdw10 = cnt - 1, .cdw11 = 4, .prp1 = world.data });
}

static void dsm__256_ranges_that_wrap(void **state)
{
	struct nvme_dsm_range *r = (void *)world.p;
	unsigned i;

	(void)state;
	for (i = 0; i < 256; i++)
		r[i] = (struct nvme_dsm_range){ .nlb = 0xffffffff, .slba = UINT64_MAX - i };
	assert_int_equal(dsm(256), 0x4080);
	/* twin: 256 good ones, some empty, some overlapping */
	for (i = 0; i < 256; i++)
		r[i] = (struct nvme_dsm_range){ .nlb = i % 3 ? 300 : 0, .slba = i * 100 };
	assert_int_equal(dsm(256), 0);
	/* one bad at the end: none is done */
	r[255].slba = WORLD_LBAS;
	r[255].nlb = 1;
	assert_int_equal(dsm(256), 0x4080);
}

static void dsm__ranges_outside_memory(void **state)
{
	(void)state;
	assert_int_equal(
		io((struct nvme_sqe){ .opc = NVME_IO_DSM, .cdw10 = 255, .cdw11 = 4, .prp1 = HOLE }),
		0x4004);
	assert_int_equal(io((struct nvme_sqe){ .opc = NVME_IO_DSM,
					       .cdw10 = 255,
					       .cdw11 = 4,
					       .prp1 = RAM_END - 2048,
					       .prp2 = RAM_END }),
			 0x4004);
}

static void dsm__the_whole_volume_256_times(void **state)
{
	struct nvme_dsm_range *r = (void *)world.p;
	unsigned i;

	(void)state;
	for (i = 0; i < 256; i++)
		r[i] = (struct nvme_dsm_range){ .nlb = (uint32_t)WORLD_LBAS, .slba = 0 };
	assert_int_equal(dsm(256), 0);
}

static void nsid__others(void **state)
{
	static const uint32_t nsid[] = { 2, 0xfffffffe, 0x01000001 };
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct nvme_sqe sqe = {
			.opc = NVME_IO_READ, .nsid = nsid[i], .cdw12 = 7, .prp1 = world.data
		};

		assert_int_equal(nvme_client_do(G, 1, sqe, NULL), 0x400b);
		sqe.opc = NVME_IO_WRITE;
		assert_int_equal(nvme_client_do(G, 1, sqe, NULL), 0x400b);
		sqe.opc = NVME_IO_FLUSH;
		assert_int_equal(nvme_client_do(G, 1, sqe, NULL), 0x400b);
	}
	assert_int_equal(
		nvme_client_do(
			G, 1,
			(struct nvme_sqe){ .opc = NVME_IO_READ, .cdw12 = 7, .prp1 = world.data },
			NULL),
		0x400b);
	/* all namespaces: flush only */
	assert_int_equal(
		nvme_client_do(G, 1, (struct nvme_sqe){ .opc = NVME_IO_FLUSH, .nsid = 0xffffffff },
			       NULL),
		0);
	assert_int_equal(nvme_client_do(G, 1,
					(struct nvme_sqe){ .opc = NVME_IO_READ,
							   .nsid = 0xffffffff,
							   .cdw12 = 7,
							   .prp1 = world.data },
					NULL),
			 0x400b);
}

static void opcode__io(void **state)
{
	unsigned opc;

	(void)state;
	for (opc = 0; opc < 256; opc++) {
		if (opc <= NVME_IO_READ || opc == NVME_IO_WRITE_ZEROES || opc == NVME_IO_DSM)
			continue;
		assert_int_equal(io((struct nvme_sqe){ .opc = (uint8_t)opc, .prp1 = world.data }),
				 0x4001);
	}
	/* fused, SGL */
	assert_int_equal(
		io((struct nvme_sqe){ .opc = NVME_IO_READ, .flags = 1, .prp1 = world.data }),
		0x4002);
	assert_int_equal(
		io((struct nvme_sqe){ .opc = NVME_IO_READ, .flags = 0x40, .prp1 = world.data }),
		0x4002);
	/* directives */
	assert_int_equal(io((struct nvme_sqe){
				 .opc = NVME_IO_WRITE, .cdw12 = 1u << 20, .prp1 = world.data }),
			 0x4002);
}

/* Format, sanitize, firmware, namespace management, security, directives, vendor opcodes: nothing of it is there. */
static void opcode__admin(void **state)
{
	static const uint8_t known[] = { 0x00, 0x01, 0x02, 0x04, 0x05, 0x06,
					 0x08, 0x09, 0x0a, 0x0c, 0x7c };
	unsigned opc;

	(void)state;
	for (opc = 0; opc < 256; opc++) {
		if (memchr(known, (int)opc, sizeof(known)))
			continue;
		assert_int_equal(world_admin((struct nvme_sqe){ .opc = (uint8_t)opc,
								.nsid = 1,
								.prp1 = world.data,
								.cdw10 = 0xffffffff,
								.cdw11 = 0xffffffff },
					     NULL),
				 0x4001);
	}
}

/* ---- queues ---- */

static void queue__sizes(void **state)
{
	uint64_t at = nvme_client_alloc(G, 65536);

	(void)state;
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 0u << 16 | 5, 3, at), 0x4102);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 0xffffu << 16 | 5, 3, at), 0x4102);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 1024u << 16 | 5, 3, at), 0x4102);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 1023u << 16 | 5, 3, at), 0); /* twin */
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 0u << 16 | 5, 5u << 16 | 1, at), 0x4102);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 0xffffu << 16 | 5, 5u << 16 | 1, at), 0x4102);
}

static void queue__ids(void **state)
{
	uint64_t at = nvme_client_alloc(G, 4096);

	(void)state;
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 0, 3, at), 0x4101);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 1, 3, at),
			 0x4101); /* there already */
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 9, 3, at),
			 0x4101); /* more than granted */
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 0xffff, 3, at), 0x4101);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 7u << 16 | 0, 1u << 16 | 1, at), 0x4101);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 7u << 16 | 1, 1u << 16 | 1, at), 0x4101);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 7u << 16 | 5, 0u << 16 | 1, at), 0x4101);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 7u << 16 | 5, 6u << 16 | 1, at), 0x4100);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 7u << 16 | 5, 0xffffu << 16 | 1, at), 0x4101);
}

static void queue__not_contiguous_or_misaligned(void **state)
{
	uint64_t at = nvme_client_alloc(G, 4096);

	(void)state;
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 5, 2, at), 0x4002);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 5, 3, at + 16), 0x4013);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 5, 9u << 16 | 3, at), 0x4108);
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 5, 0xffffu << 16 | 3, at), 0x4108);
}

static void queue__delete_in_the_wrong_order(void **state)
{
	(void)state;
	assert_int_equal(admin(NVME_ADM_DELETE_CQ, 2, 0, 0), 0x410c);
	assert_int_equal(admin(NVME_ADM_DELETE_SQ, 0, 0, 0), 0x4101);
	assert_int_equal(admin(NVME_ADM_DELETE_CQ, 0, 0, 0), 0x4101);
	assert_int_equal(admin(NVME_ADM_DELETE_SQ, 7, 0, 0), 0x4101);
	assert_int_equal(admin(NVME_ADM_DELETE_SQ, 0xffff, 0, 0), 0x4101);
	assert_int_equal(admin(NVME_ADM_DELETE_SQ, 2, 0, 0), 0);
	assert_int_equal(admin(NVME_ADM_DELETE_SQ, 2, 0, 0), 0x4101);
	assert_int_equal(admin(NVME_ADM_DELETE_CQ, 2, 0, 0), 0);
}

/* Every command of the queue is answered, then the deletion; nothing follows. */
static void queue__delete_with_commands_in_flight(void **state)
{
	struct nvme_cqe cqe;
	unsigned i, n = 0;

	(void)state;
	for (i = 0; i < 32; i++) {
		struct nvme_sqe sqe = {
			.opc = NVME_IO_WRITE, .nsid = 1, .cdw10 = i * 512, .cdw12 = 511
		};

		nvme_client_prps(G, &sqe, world.data, 262144, world.list);
		(void)nvme_client_put(G, 2, sqe);
	}
	nvme_client_ring(G, 2);
	assert_int_equal(admin(NVME_ADM_DELETE_SQ, 2, 0, 0), 0);
	while (nvme_client_reap(G, 2, &cqe, 1)) {
		assert_true(nvme_client_status(&cqe) == 0 || nvme_client_status(&cqe) == 0x008);
		n++;
	}
	usleep(20000);
	assert_int_equal(nvme_client_reap(G, 2, &cqe, 1), 0);
	assert_true(n <= 32);
	assert_int_equal(admin(NVME_ADM_DELETE_CQ, 2, 0, 0), 0);
}

static void queue__outside_memory(void **state)
{
	(void)state;
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 63u << 16 | 5, 5u << 16 | 3, HOLE), 0);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 63u << 16 | 5, 5u << 16 | 1, HOLE), 0);
	nvme_client_doorbell(G, 10, 1);
	expect_fatal();
}

static void queue__completions_outside_memory(void **state)
{
	uint64_t at = nvme_client_alloc(G, 4096);

	(void)state;
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 63u << 16 | 5, 5u << 16 | 3, HOLE), 0);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 63u << 16 | 5, 5u << 16 | 1, at), 0);
	nvme_client_doorbell(G, 10, 3);
	expect_fatal();
}

/* Rings over each other and over the admin queue: garbage in, status or failed state out. */
static void queue__overlapping(void **state)
{
	(void)state;
	assert_int_equal(admin(NVME_ADM_CREATE_CQ, 7u << 16 | 5, 5u << 16 | 3, G->q[0].sq_at), 0);
	assert_int_equal(admin(NVME_ADM_CREATE_SQ, 7u << 16 | 5, 5u << 16 | 1, G->q[0].sq_at), 0);
	nvme_client_doorbell(G, 10, 7);
	usleep(50000);
	nvme_client_reg32_write(G, NVME_REG_CC, 0);
}

/* ---- doorbells ---- */

static void doorbell__of_queues_that_are_not_there(void **state)
{
	unsigned slot;

	(void)state;
	for (slot = 2 * 5; slot < 1024; slot++)
		nvme_client_doorbell(G, slot, 0xffffffff);
	world_alive();
	assert_false(probe_fatal());
}

static void doorbell__tail_beyond_the_queue(void **state)
{
	(void)state;
	nvme_client_doorbell(G, 2, WORLD_DEPTH);
	expect_fatal();
}

static void doorbell__tail_all_ones(void **state)
{
	(void)state;
	nvme_client_doorbell(G, 2, 0xffffffff);
	expect_fatal();
}

static void doorbell__admin_tail_beyond_the_queue(void **state)
{
	(void)state;
	nvme_client_doorbell(G, 0, 32);
	expect_fatal();
}

static void doorbell__head_ahead_of_what_was_posted(void **state)
{
	struct nvme_cqe cqe;
	unsigned i;

	(void)state;
	/* The head is looked at when room runs out. */
	nvme_client_doorbell(G, 3, WORLD_DEPTH - 1);
	for (i = 0; i < WORLD_DEPTH - 1; i++)
		(void)nvme_client_put(G, 1, (struct nvme_sqe){ .opc = NVME_IO_FLUSH, .nsid = 1 });
	nvme_client_ring(G, 1);
	(void)!nvme_client_wait(G, 1, &cqe, 200);
	nvme_client_reg32_write(G, NVME_REG_CC, 0);
}

static void doorbell__stale_tail_processes_old_entries_only(void **state)
{
	(void)state;
	world_alive();
	/* Going back by one means "almost a whole ring": entries are the guest's old ones. */
	nvme_client_doorbell(G, 2, (uint32_t)(G->q[1].tail + WORLD_DEPTH - 1) % WORLD_DEPTH);
	usleep(50000);
	nvme_client_reg32_write(G, NVME_REG_CC, 0);
}

static void doorbell__odd_register_accesses(void **state)
{
	uint64_t v = UINT64_MAX;
	unsigned len;

	(void)state;
	for (len = 1; len <= 8; len++) {
		if (len == 4 || len == 8)
			continue;
		assert_int_equal(vu_client_write(G->vu, 0, NVME_REG_DBS + 8, &v, len), 0);
		assert_int_equal(vu_client_write(G->vu, 0, NVME_REG_CC, &v, len), 0);
	}
	assert_int_equal(vu_client_write(G->vu, 0, NVME_REG_DBS + 9, &v, 4), 0);
	assert_int_equal(vu_client_write(G->vu, 0, NVME_REG_DBS + 0xffc + 4, &v, 8),
			 0); /* the MSI-X page */
	world_alive();
	assert_false(probe_fatal());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		PROBE(prp__beyond_the_end_of_memory),
		PROBE(prp__a_page_too_far),
		PROBE(prp__in_a_hole),
		PROBE(prp__own_bar),
		PROBE(prp__other_functions_bar),
		PROBE(prp__last_address),
		PROBE(prp__beyond_48_bits),
		PROBE(prp__misaligned),
		PROBE(prp__list_misaligned),
		PROBE(prp__list_entry_with_offset),
		PROBE(prp__list_crosses_the_end_of_memory),
		PROBE(prp__data_over_the_queues),
		PROBE(lba__end_and_beyond),
		PROBE(lba__more_than_mdts),
		PROBE(dsm__256_ranges_that_wrap),
		PROBE(dsm__ranges_outside_memory),
		PROBE(dsm__the_whole_volume_256_times),
		PROBE(nsid__others),
		PROBE(opcode__io),
		PROBE(opcode__admin),
		PROBE(queue__sizes),
		PROBE(queue__ids),
		PROBE(queue__not_contiguous_or_misaligned),
		PROBE(queue__delete_in_the_wrong_order),
		PROBE(queue__delete_with_commands_in_flight),
		PROBE(queue__outside_memory),
		PROBE(queue__completions_outside_memory),
		PROBE(queue__overlapping),
		PROBE(doorbell__of_queues_that_are_not_there),
		PROBE(doorbell__tail_beyond_the_queue),
		PROBE(doorbell__tail_all_ones),
		PROBE(doorbell__admin_tail_beyond_the_queue),
		PROBE(doorbell__head_ahead_of_what_was_posted),
		PROBE(doorbell__stale_tail_processes_old_entries_only),
		PROBE(doorbell__odd_register_accesses),
		PROBE(s26_row06__prp_list_that_points_at_itself_ends),
		PROBE(s26_row07__lba_plus_count_wraps),
	};

	if (argc < 2)
		return 2;
	world_program = argv[1];
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
