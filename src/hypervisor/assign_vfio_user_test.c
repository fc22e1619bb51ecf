/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/num.h"
#include "hypervisor/assign.h"
#include "hypervisor/pci.h"
#include "irq_fake.h"
#include "vu_card.h"

/*
 * From the guest's access to the card's memory, through PCI root and vfio-user, with a cardboard card (tests/lib/vu_card.h) in
 * a second thread whose configuration space a test can rewrite before it is read.
 */

enum { SLOT = 4, RAM = 1 << 20 };

struct fix {
	struct vu_card card;
	struct irq_fake q;
	struct pci_root *root;
	int sock; /* the card's end */
	int ram;
	bool refuse_dma;
	uint32_t device_flags; /* 0: honest */
	int irq_fd[VU_CARD_VECTORS];
	pthread_t thread;
	bool running;
	unsigned fds_before;
};

static void keep_irqs(struct fix *f, struct vu_msg *req)
{
	uint32_t start = le32_load(req->buf + VU_HDR_BYTES + 12);
	unsigned i;

	for (i = 0; i < req->fds.cnt && start + i < VU_CARD_VECTORS; i++)
		f->irq_fd[start + i] = fd_list_take(&req->fds, i);
}

static void *card_thread(void *arg)
{
	static struct vu_card_reply reply;
	static struct vu_msg req;
	struct fix *f = arg;

	vu_msg_init(&req);
	while (vu_msg_recv(&req, f->sock) == 1) {
		vu_card_answer(&f->card, &req, &reply);
		if (req.hdr.cmd == VU_SET_IRQS)
			keep_irqs(f, &req);
		if (req.hdr.cmd == VU_DMA_MAP && f->refuse_dma) {
			le32_store(reply.msg.buf + 8, VU_F_REPLY | VU_F_ERROR);
			le32_store(reply.msg.buf + 12, ENOMEM);
		}
		if (req.hdr.cmd == VU_DEVICE_GET_INFO && f->device_flags)
			le32_store(reply.msg.buf + VU_HDR_BYTES + 4, f->device_flags);
		vu_msg_done(&req);
		if (fd_msg_send(f->sock, reply.msg.buf, reply.msg.len, reply.fds, reply.fd_cnt) < 0)
			break;
	}
	vu_msg_done(&req);
	shutdown(f->sock, SHUT_RDWR);
	return NULL;
}

static int setup(void **state)
{
	static struct fix f;
	struct pci_root_conf conf = { .mmio32_base = PCI_MMIO32_BASE,
				      .mmio32_bytes = PCI_MMIO32_BYTES };
	unsigned i;

	memset(&f, 0, sizeof(f));
	f.fds_before = vu_raw_fd_cnt();
	for (i = 0; i < VU_CARD_VECTORS; i++)
		f.irq_fd[i] = -1;
	f.ram = fd_memfd("ram", RAM);
	vu_card_init(&f.card);
	conf.irq = irq_fake_init(&f.q);
	assert_int_equal(pci_root_new(&conf, &f.root), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;
	unsigned i;

	pci_root_freep(&f->root);
	if (f->running)
		pthread_join(f->thread, NULL);
	fd_closep(&f->sock);
	fd_closep(&f->ram);
	for (i = 0; i < VU_CARD_VECTORS; i++)
		fd_closep(&f->irq_fd[i]);
	vu_card_done(&f->card);
	assert_int_equal(vu_raw_fd_cnt(), f->fds_before);
	return 0;
}

/* Return: of assign_vfio_user_new(). */
static int attach(struct fix *f, struct assign **ret)
{
	struct assign_ram ram = { .gpa = 0, .len = RAM, .fd = f->ram };
	int sock;

	assert_int_equal(fd_socketpair(SOCK_STREAM, &f->sock, &sock), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, card_thread, f), 0);
	f->running = true;
	return assign_vfio_user_new(sock, &ram, 1, ret);
}

static uint64_t ecam(unsigned reg)
{
	return PCI_ECAM_BASE + (SLOT << 15) + reg;
}

static uint32_t rd32(struct fix *f, uint64_t at)
{
	uint32_t v = 0;

	assert_true(pci_root_mmio(f->root, at, &v, 4, false));
	return v;
}

static void wr32(struct fix *f, uint64_t at, uint32_t v)
{
	assert_true(pci_root_mmio(f->root, at, &v, 4, true));
}

static unsigned cap_find(struct fix *f, uint8_t id)
{
	unsigned at = rd32(f, ecam(PCI_CFG_CAP_PTR)) & 0xff;

	while (at && (rd32(f, ecam(at)) & 0xff) != id)
		at = (rd32(f, ecam(at)) >> 8) & 0xff;
	assert_int_not_equal(at, 0);
	return at;
}

static void function__works_from_guest_to_card(void **state)
{
	struct fix *f = *state;
	struct assign *a = NULL;
	uint64_t bar0, bar2;
	uint8_t b[4];

	assert_int_equal(attach(f, &a), 0);
	assert_int_equal(pci_root_add(f->root, SLOT, a), 0);
	assert_int_equal(rd32(f, ecam(0)), 0x80611d0f);
	wr32(f, ecam(PCI_CFG_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(f->card.command, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	bar0 = rd32(f, ecam(0x10)) & ~0xfu;
	bar2 = rd32(f, ecam(0x18)) & ~0xfu;
	/* a register */
	wr32(f, bar0 + 0x14, 0x460001);
	assert_int_equal(f->card.last_write_off, 0x14);
	assert_int_equal(le32_load(f->card.last_write), 0x460001);
	assert_int_equal(rd32(f, bar0 + 0x1c), 0x42424242);
	/* a doorbell */
	wr32(f, bar0 + 0x1008, 31);
	assert_int_equal(fd_pread_full(f->card.shadow_fd, b, 4, 8), 0);
	assert_int_equal(le32_load(b), 31);
	assert_int_equal(poll(&(struct pollfd){ .fd = f->card.event_fd, .events = POLLIN }, 1, 0),
			 1);
	assert_int_equal(f->card.last_write_off, 0x14); /* no message */
	/* an interrupt */
	wr32(f, bar2 + 16, 0xfee00000);
	wr32(f, bar2 + 24, 0x41);
	wr32(f, bar2 + 28, 0);
	wr32(f, ecam(cap_find(f, PCI_CAP_MSIX)), 0x80000000);
	fd_event_signal(f->irq_fd[1]);
	irq_fake_run(&f->q);
	assert_int_equal(f->q.gsi[1].delivered, 1);
	assert_int_equal(f->q.gsi[1].data, 0x41);
	/* a reset by the guest */
	wr32(f, ecam(cap_find(f, PCI_CAP_EXPRESS) + 8), 0x8000);
	assert_int_equal(f->card.resets, 1);
	assert_int_equal(irq_fake_attached(&f->q), 0);
	/* a reboot */
	assert_int_equal(pci_root_reset(f->root), 0);
	assert_int_equal(f->card.resets, 2);
}

static void s26_row17__a_lost_card_reads_ones_and_the_guest_lives(void **state)
{
	struct fix *f = *state;
	struct assign *a = NULL;
	uint64_t bar0;

	assert_int_equal(attach(f, &a), 0);
	assert_int_equal(pci_root_add(f->root, SLOT, a), 0);
	wr32(f, ecam(PCI_CFG_COMMAND), PCI_COMMAND_MEMORY);
	bar0 = rd32(f, ecam(0x10)) & ~0xfu;
	shutdown(f->sock, SHUT_RDWR);
	assert_int_equal(poll(&(struct pollfd){ .fd = a->ops->watch_fd(a->p) }, 1, 1000), 1);
	a->ops->hangup(a->p);
	assert_true(a->ops->lost(a->p));
	assert_int_equal(rd32(f, bar0 + 0x1c), 0xffffffff);
	wr32(f, bar0 + 0x14, 1);
	wr32(f, ecam(PCI_CFG_COMMAND), 0);
	assert_int_equal(pci_root_reset(f->root), 0); /* a lost card does not hold up a reboot */
	assert_int_equal(rd32(f, ecam(0)), 0x80611d0f);
}

static void io_bar__is_hidden_with_its_doorbells(void **state)
{
	struct fix *f = *state;
	struct assign *a = NULL;

	f->card.config.data[PCI_CFG_BAR0] = 1;
	assert_int_equal(attach(f, &a), 0);
	assert_int_equal(a->info.conf.bar[0].size, 0);
	assert_int_equal(a->info.area_cnt, 0); /* its doorbells with it */
	assert_int_equal(a->info.conf.bar[2].size, PCI_BAR_MIN_BYTES);
	assign_free(a);
}

/* Row 17 and 11: numbers that are each possible, and together no PCI function. */
static void refuse(struct fix *f, int want)
{
	struct assign *a = NULL;

	assert_int_equal(attach(f, &a), want);
	assert_null(a);
}

static void s26_row11__msix_table_outside_its_bar_is_refused(void **state)
{
	struct fix *f = *state;

	le32_store(f->card.config.data + f->card.config.msix_cap + 4, 0x1000 | 2);
	refuse(f, -EPROTO);
}

static void s26_row11__msix_in_a_bar_that_is_not_there_is_refused(void **state)
{
	struct fix *f = *state;

	le32_store(f->card.config.data + f->card.config.msix_cap + 4, 5);
	refuse(f, -EPROTO);
}

static void s26_row11__msix_table_over_pending_bits_is_refused(void **state)
{
	struct fix *f = *state;

	le32_store(f->card.config.data + f->card.config.msix_cap + 8, 16 | 2);
	refuse(f, -EPROTO);
}

static void s26_row17__a_bridge_is_refused(void **state)
{
	struct fix *f = *state;

	f->card.config.data[PCI_CFG_HEADER_TYPE] = 1;
	refuse(f, -EPROTO);
}

static void s26_row17__a_card_without_reset_is_refused(void **state)
{
	struct fix *f = *state;

	f->device_flags = VU_DEVICE_PCI;
	refuse(f, -EPROTO);
}

static void s26_row17__no_device_is_refused(void **state)
{
	struct fix *f = *state;

	memset(f->card.config.data, 0xff, 4);
	refuse(f, -EPROTO);
}

static void dma__that_the_card_refuses_is_an_error(void **state)
{
	struct fix *f = *state;

	f->refuse_dma = true;
	refuse(f, -ENOMEM);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(function__works_from_guest_to_card),
		T(s26_row17__a_lost_card_reads_ones_and_the_guest_lives),
		T(io_bar__is_hidden_with_its_doorbells),
		T(s26_row11__msix_table_outside_its_bar_is_refused),
		T(s26_row11__msix_in_a_bar_that_is_not_there_is_refused),
		T(s26_row11__msix_table_over_pending_bits_is_refused),
		T(s26_row17__a_bridge_is_refused),
		T(s26_row17__a_card_without_reset_is_refused),
		T(s26_row17__no_device_is_refused),
		T(dma__that_the_card_refuses_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
