/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/vu_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/num.h"
#include "proto/vu_server.h"
#include "vu_card.h"

/*
 * The client against a cardboard card in a second thread (tests/lib/vu_card.h) that tells the truth but for one
 * answer, then against our own server.
 */

enum { PAGE = 4096, QUICK_MS = 300 };

/* Changes the answer to one command; @nth counts the requests of that command from 0. */
struct lie {
	uint16_t cmd;
	int nth; /* -1: every one */
	void (*tell)(struct vu_card *c, struct vu_card_reply *p);
};

struct fix {
	struct vu_card card;
	struct lie lie;
	int sock; /* the card's end; the card's thread only */
	pthread_t thread;
	struct vu_client *client;
	unsigned fds_before;
	int irq_cnt; /* eventfds of the last SET_IRQS */
	int irq_fd[MSIX_VECTORS_MAX];
};

static void keep_irqs(struct fix *f, struct vu_msg *req)
{
	uint32_t start = le32_load(req->buf + VU_HDR_BYTES + 12);
	unsigned i;

	for (i = 0; i < req->fds.cnt && start + i < MSIX_VECTORS_MAX; i++) {
		fd_closep(&f->irq_fd[start + i]);
		f->irq_fd[start + i] = fd_list_take(&req->fds, i);
		f->irq_cnt = (int)(start + i + 1);
	}
}

static void *card_thread(void *arg)
{
	static struct vu_card_reply reply;
	static struct vu_msg req;
	struct fix *f = arg;
	int seen = 0;

	vu_msg_init(&req);
	while (vu_msg_recv(&req, f->sock) == 1) { /* the card's end is a blocking socket */
		vu_card_answer(&f->card, &req, &reply);
		if (req.hdr.cmd == VU_SET_IRQS)
			keep_irqs(f, &req);
		if (f->lie.tell && req.hdr.cmd == f->lie.cmd) {
			if (f->lie.nth < 0 || seen == f->lie.nth)
				f->lie.tell(&f->card, &reply);
			seen++;
		}
		vu_msg_done(&req);
		if (!reply.silent &&
		    fd_msg_send(f->sock, reply.msg.buf, reply.msg.len, reply.fds, reply.fd_cnt) < 0)
			break;
	}
	vu_msg_done(&req);
	shutdown(f->sock, SHUT_RDWR);
	return NULL;
}

static int setup(void **state)
{
	static struct fix f;
	unsigned i;

	memset(&f, 0, sizeof(f));
	f.fds_before = vu_raw_fd_cnt();
	for (i = 0; i < MSIX_VECTORS_MAX; i++)
		f.irq_fd[i] = -1;
	vu_card_init(&f.card);
	*state = &f;
	return 0;
}

static void lie_silent(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	p->silent = true;
}

static void lie_cut(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	p->msg.len -= 1; /* and the size field still promises it: the deadline must end this */
}

/* Return: of vu_client_new(). */
static int attach(struct fix *f, struct lie lie)
{
	int sock;

	f->lie = lie;
	assert_int_equal(fd_socketpair(SOCK_STREAM, &f->sock, &sock), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, card_thread, f), 0);
	/* Only who waits for silence has a short deadline: a slow machine must not fail the others. */
	return vu_client_new(sock, lie.tell == lie_silent || lie.tell == lie_cut ? QUICK_MS : 0,
			     &f->client);
}

static void detach(struct fix *f)
{
	unsigned i;

	vu_client_freep(&f->client);
	pthread_join(f->thread, NULL);
	fd_closep(&f->sock);
	for (i = 0; i < MSIX_VECTORS_MAX; i++)
		fd_closep(&f->irq_fd[i]);
}

static int teardown(void **state)
{
	struct fix *f = *state;

	vu_card_done(&f->card);
	assert_int_equal(vu_raw_fd_cnt(), f->fds_before);
	return 0;
}

static const struct lie honest = { 0, 0, NULL };

static void client_new__learns_the_card(void **state)
{
	struct fix *f = *state;
	const struct vu_client_shadow *w;
	const struct vu_client_info *info;
	unsigned cnt;

	assert_int_equal(attach(f, honest), 0);
	info = vu_client_info(f->client);
	assert_true(info->resets);
	assert_int_equal(info->region_size[0], VU_CARD_BAR0);
	assert_int_equal(info->region_size[2], VU_CARD_BAR2);
	assert_int_equal(info->region_size[1], 0);
	assert_int_equal(info->region_size[VU_REGION_CONFIG], PCI_CFG_BYTES);
	assert_int_equal(info->msix_cnt, VU_CARD_VECTORS);
	assert_int_equal(le32_load(info->config), 0x80611d0f);
	w = vu_client_shadows(f->client, &cnt);
	assert_int_equal(cnt, 1);
	assert_int_equal(w->off, 0x1000);
	assert_int_equal(w->size, VU_CARD_DOORBELLS);
	assert_non_null(w->mem);
	detach(f);
}

static void client__reads_writes_and_resets(void **state)
{
	struct fix *f = *state;
	uint8_t b[8];

	assert_int_equal(attach(f, honest), 0);
	assert_int_equal(vu_client_read(f->client, 0, 0x14, b, 4), 0);
	assert_int_equal(le32_load(b), 0x42424242);
	le32_store(b, 0x00460001);
	assert_int_equal(vu_client_write(f->client, 0, 0x14, b, 4), 0);
	assert_int_equal(f->card.last_write_off, 0x14);
	assert_memory_equal(f->card.last_write, b, 4);
	assert_int_equal(vu_client_reset(f->client), 0);
	assert_int_equal(f->card.resets, 1);
	detach(f);
}

static void client_access__out_of_range_never_leaves(void **state)
{
	struct fix *f = *state;
	uint8_t b[16];

	assert_int_equal(attach(f, honest), 0);
	memset(b, 0, sizeof(b));
	assert_int_equal(vu_client_read(f->client, 0, VU_CARD_BAR0, b, 4), -EINVAL);
	assert_int_equal(le32_load(b), 0xffffffff);
	assert_int_equal(vu_client_read(f->client, 0, UINT64_MAX, b, 8), -EINVAL);
	assert_int_equal(vu_client_read(f->client, 1, 0, b, 4), -EINVAL);
	assert_int_equal(vu_client_read(f->client, 9, 0, b, 4), -EINVAL);
	assert_int_equal(vu_client_read(f->client, 0, 0, b, 16), -EINVAL);
	assert_int_equal(vu_client_write(f->client, 0, 0, b, 0), -EINVAL);
	assert_false(vu_client_lost(f->client));
	detach(f);
}

static void client__maps_memory_and_interrupts(void **state)
{
	struct fix *f = *state;
	int ram = fd_memfd("ram", 4 * PAGE), fds[VU_CARD_VECTORS];
	struct pollfd p;
	unsigned i;

	assert_int_equal(attach(f, honest), 0);
	assert_int_equal(
		vu_client_dma_map(f->client, 0, 4 * PAGE, VU_DMA_READ | VU_DMA_WRITE, ram, 0), 0);
	assert_int_equal(vu_client_dma_unmap(f->client, 0, 4 * PAGE), 0);
	for (i = 0; i < VU_CARD_VECTORS; i++)
		fds[i] = fd_eventfd();
	/* the card takes three descriptors a message: five vectors need two */
	assert_int_equal(vu_client_irqs_set(f->client, fds, VU_CARD_VECTORS), 0);
	assert_int_equal(f->irq_cnt, VU_CARD_VECTORS);
	fd_event_signal(f->irq_fd[4]);
	p = (struct pollfd){ .fd = fds[4], .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(vu_client_irqs_set(f->client, NULL, 0), 0);
	assert_int_equal(vu_client_irqs_set(f->client, fds, VU_CARD_VECTORS + 1), -EINVAL);
	for (i = 0; i < VU_CARD_VECTORS; i++)
		close(fds[i]);
	close(ram);
	detach(f);
}

static void lie_error(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	p->msg.len = VU_HDR_BYTES;
	le32_store(p->msg.buf + 8, VU_F_REPLY | VU_F_ERROR);
	le32_store(p->msg.buf + 12, EACCES);
	vu_raw_size_true(&p->msg);
	p->fd_cnt = 0;
}

static void client__an_answered_error_is_not_the_end(void **state)
{
	struct fix *f = *state;
	uint8_t b[4];

	assert_int_equal(attach(f, (struct lie){ VU_REGION_WRITE, -1, lie_error }), 0);
	memset(b, 0, sizeof(b));
	assert_int_equal(vu_client_write(f->client, 0, 0, b, 4), -EACCES);
	assert_int_equal(vu_client_read(f->client, 0, 0, b, 4), 0);
	assert_false(vu_client_lost(f->client));
	detach(f);
}

static void client__a_card_without_io_fds_is_fine(void **state)
{
	struct fix *f = *state;
	unsigned cnt;

	assert_int_equal(attach(f, (struct lie){ VU_GET_REGION_IO_FDS, -1, lie_error }), 0);
	vu_client_shadows(f->client, &cnt);
	assert_int_equal(cnt, 0);
	detach(f);
}

/* ---- lies ---- */

#define LIE32(name, at, v)                                                                         \
	static void name(struct vu_card *c UNUSED, struct vu_card_reply *p)                        \
	{                                                                                          \
		le32_store(p->msg.buf + (at), (v));                                                \
	}
#define LIE64(name, at, v)                                                                         \
	static void name(struct vu_card *c UNUSED, struct vu_card_reply *p)                        \
	{                                                                                          \
		le64_store(p->msg.buf + (at), (v));                                                \
	}
#define H VU_HDR_BYTES

LIE32(lie_cmd, 0, (uint32_t)le16_load(p->msg.buf) | 77u << 16)
LIE32(lie_id, 0, le32_load(p->msg.buf) + 1)
LIE32(lie_not_reply, 8, 0)
LIE32(lie_size_small, 4, 15)
LIE32(lie_size_huge, 4, VU_MSG_MAX_BYTES + 1)
LIE32(lie_size_max, 4, UINT32_MAX)
LIE32(lie_error_with_body, 8, VU_F_REPLY | VU_F_ERROR)
LIE32(lie_major, H, 0x00010001)
LIE32(lie_minor, H, 0x00020000)
LIE32(lie_not_pci, H + 4, VU_DEVICE_RESETS)
LIE32(lie_few_regions, H + 8, 7)
LIE32(lie_many_regions, H + 8, 1u << 30)
LIE32(lie_few_irqs, H + 12, 2)
LIE32(lie_many_irqs, H + 12, UINT32_MAX)
LIE32(lie_index, H + 8, 3)
LIE64(lie_bar_odd, H + 16, 12345)
LIE64(lie_bar_huge, H + 16, (uint64_t)1 << 40)
LIE64(lie_bar_top, H + 16, (uint64_t)1 << 63)
LIE64(lie_cfg_small, H + 16, 64)
LIE64(lie_cfg_huge, H + 16, 65536)
LIE32(lie_vectors, H + 12, 2049)
LIE32(lie_no_eventfd, H + 4, 0)
LIE32(lie_io_flags, H + 4, 1)
LIE32(lie_io_cnt, H + 12, 2)
LIE32(lie_io_cnt_huge, H + 12, UINT32_MAX)
LIE64(lie_io_off, H + 16, VU_CARD_BAR0)
LIE64(lie_io_off_top, H + 16, UINT64_MAX - 3)
LIE64(lie_io_off_odd, H + 16, 0x1001)
LIE64(lie_io_size, H + 24, VU_CARD_BAR0)
LIE64(lie_io_size_top, H + 24, UINT64_MAX - 3)
LIE32(lie_io_fd_idx, H + 32, 2)
LIE32(lie_io_fd_idx_huge, H + 32, UINT32_MAX)
LIE32(lie_io_same_fd, H + 44, 0)
LIE32(lie_io_mem_idx, H + 44, 2)
LIE64(lie_io_mem_off, H + 48, 4)
LIE64(lie_io_mem_off_top, H + 48, UINT64_MAX - 4095)
LIE64(lie_io_mem_off_odd, H + 48, 1)
LIE64(lie_read_off, H, 1)
LIE32(lie_read_region, H + 8, 0)
LIE32(lie_read_len, H + 12, UINT32_MAX)

static void lie_truncated(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	p->msg.len -= 1;
	vu_raw_size_true(&p->msg);
}

static void lie_longer(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	vu_raw_u16(&p->msg, 0);
	vu_raw_size_true(&p->msg);
}

static void lie_fds(struct vu_card *c, struct vu_card_reply *p)
{
	p->fds[p->fd_cnt++] = c->shadow_fd;
}

static void lie_many_fds(struct vu_card *c, struct vu_card_reply *p)
{
	while (p->fd_cnt < VU_FDS_MAX + 1)
		p->fds[p->fd_cnt++] = c->event_fd;
}

static void lie_no_fds(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	p->fd_cnt = 0;
}

static void lie_swap_fds(struct vu_card *c, struct vu_card_reply *p)
{
	if (!p->fd_cnt)
		return;
	p->fds[0] = c->shadow_fd;
	p->fds[1] = c->event_fd;
}

static int lie_fd = -1; /* what stands in for the doorbell memory */

static void lie_other_mem(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	if (p->fd_cnt)
		p->fds[1] = lie_fd;
}

static void lie_json(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	p->msg.buf[p->msg.len - 1] = '}'; /* no NUL */
}

static void lie_xfer(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	static const char json[] = "{\"capabilities\":{\"max_data_xfer_size\":4}}";

	p->msg.len = VU_HDR_BYTES + VU_VERSION_BYTES;
	vu_raw_bytes(&p->msg, json, sizeof(json));
	vu_raw_size_true(&p->msg);
}

/* A second entry that overlaps the first. */
static void lie_io_overlap(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	if (!p->fd_cnt)
		return;
	vu_raw_bytes(&p->msg, p->msg.buf + H + VU_IO_FDS_BYTES, VU_IO_FD_BYTES);
	le32_store(p->msg.buf + H, VU_IO_FDS_BYTES + 2 * VU_IO_FD_BYTES);
	le32_store(p->msg.buf + H + 12, 2);
	vu_raw_size_true(&p->msg);
}

/* The capability list of the configuration space goes in a circle (first read: the whole 256 bytes). */
static void lie_caps_loop(struct vu_card *c UNUSED, struct vu_card_reply *p)
{
	uint8_t *cfg = p->msg.buf + H + VU_REGION_ACCESS_BYTES;

	cfg[cfg[PCI_CFG_CAP_PTR] + 1] = cfg[PCI_CFG_CAP_PTR];
}

struct lie_case {
	struct lie lie;
	int want; /* of vu_client_new(); 0: any failure */
};

static void refuse(struct fix *f, const struct lie_case *l, unsigned cnt)
{
	unsigned i;
	int r;

	for (i = 0; i < cnt; i++) {
		r = attach(f, l[i].lie);
		if (r >= 0 || (l[i].want && r != l[i].want))
			fail_msg("lie %u of %u: got %d, wanted %d", i, cnt, r, l[i].want);
		detach(f);
	}
}

/* Row 17: everything a card says while it is attached, said wrong, one at a time. */
static void s26_row17__replies_that_lie_lose_the_card(void **state)
{
	static const struct lie_case lies[] = {
		/* headers, of any message */
		{ { VU_VERSION, 0, lie_cmd }, -EPROTO },
		{ { VU_DEVICE_GET_INFO, 0, lie_cmd }, -EPROTO },
		{ { VU_GET_REGION_INFO, 0, lie_id }, -EPROTO },
		{ { VU_GET_REGION_INFO, 0, lie_not_reply }, -EPROTO },
		{ { VU_GET_IRQ_INFO, 0, lie_size_small }, -EPROTO },
		{ { VU_GET_IRQ_INFO, 0, lie_size_huge }, -EPROTO },
		{ { VU_GET_IRQ_INFO, 0, lie_size_max }, -EPROTO },
		{ { VU_GET_IRQ_INFO, 0, lie_error_with_body }, -EPROTO },
		/* version */
		{ { VU_VERSION, 0, lie_major }, -EPROTO },
		{ { VU_VERSION, 0, lie_minor }, -EPROTO },
		{ { VU_VERSION, 0, lie_json }, -EPROTO },
		{ { VU_VERSION, 0, lie_xfer }, -EPROTO },
		{ { VU_VERSION, 0, lie_error }, -EACCES },
		/* device */
		{ { VU_DEVICE_GET_INFO, 0, lie_not_pci }, -EPROTO },
		{ { VU_DEVICE_GET_INFO, 0, lie_few_regions }, -EPROTO },
		{ { VU_DEVICE_GET_INFO, 0, lie_many_regions }, -EPROTO },
		{ { VU_DEVICE_GET_INFO, 0, lie_few_irqs }, -EPROTO },
		{ { VU_DEVICE_GET_INFO, 0, lie_many_irqs }, -EPROTO },
		{ { VU_DEVICE_GET_INFO, 0, lie_truncated }, -EPROTO },
		{ { VU_DEVICE_GET_INFO, 0, lie_longer }, -EPROTO },
		/* regions */
		{ { VU_GET_REGION_INFO, 0, lie_index }, -EPROTO },
		{ { VU_GET_REGION_INFO, 0, lie_bar_odd }, -EPROTO },
		{ { VU_GET_REGION_INFO, 1, lie_bar_huge }, -EPROTO },
		{ { VU_GET_REGION_INFO, 5, lie_bar_top }, -EPROTO },
		{ { VU_GET_REGION_INFO, VU_REGION_CONFIG, lie_cfg_small }, -EPROTO },
		{ { VU_GET_REGION_INFO, VU_REGION_CONFIG, lie_cfg_huge }, -EPROTO },
		{ { VU_GET_REGION_INFO, 3, lie_truncated }, -EPROTO },
		/* interrupts */
		{ { VU_GET_IRQ_INFO, 0, lie_vectors }, -EPROTO },
		{ { VU_GET_IRQ_INFO, 0, lie_no_eventfd }, -EPROTO },
		{ { VU_GET_IRQ_INFO, 0, lie_index }, -EPROTO },
		{ { VU_GET_IRQ_INFO, 0, lie_truncated }, -EPROTO },
		/* configuration */
		{ { VU_REGION_READ, 0, lie_read_off }, -EPROTO },
		{ { VU_REGION_READ, 0, lie_read_region }, -EPROTO },
		{ { VU_REGION_READ, 0, lie_read_len }, -EPROTO },
		{ { VU_REGION_READ, 0, lie_truncated }, -EPROTO },
		{ { VU_REGION_READ, 0, lie_longer }, -EPROTO },
		{ { VU_REGION_READ, 0, lie_caps_loop }, -EPROTO },
		/* doorbells */
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_flags }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_index }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_cnt }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_cnt_huge }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_off }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_off_top }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_off_odd }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_size }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_size_top }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_overlap }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_truncated }, -EPROTO },
	};

	refuse(*state, lies, ARRAY_SIZE(lies));
}

/* Row 17 and 18: descriptors. Whatever came is closed: teardown counts. */
static void s26_row18__fds_of_a_lying_card_are_closed(void **state)
{
	static const struct lie_case lies[] = {
		{ { VU_VERSION, 0, lie_fds }, -EPROTO },
		{ { VU_DEVICE_GET_INFO, 0, lie_fds }, -EPROTO },
		{ { VU_GET_IRQ_INFO, 0, lie_many_fds }, -EPROTO },
		{ { VU_REGION_READ, 0, lie_fds }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_many_fds }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_no_fds }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_swap_fds }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_fd_idx }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_fd_idx_huge }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_same_fd }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_mem_idx }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_mem_off }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_mem_off_top }, -EPROTO },
		{ { VU_GET_REGION_IO_FDS, 0, lie_io_mem_off_odd }, -EPROTO },
	};

	refuse(*state, lies, ARRAY_SIZE(lies));
}

/* Row 18: doorbell memory that could vanish under the hypervisor. */
static void s26_row18__doorbell_memory_must_be_sealed(void **state)
{
	static const struct lie_case l = { { VU_GET_REGION_IO_FDS, 0, lie_other_mem }, 0 };
	int fds[2];

	lie_fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(lie_fd, VU_CARD_DOORBELLS), 0);
	refuse(*state, &l, 1);
	assert_int_equal(ftruncate(lie_fd, VU_CARD_DOORBELLS / 2), 0);
	assert_int_equal(fcntl(lie_fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	refuse(*state, &l, 1); /* sealed but short */
	close(lie_fd);
	assert_int_equal(pipe(fds), 0);
	lie_fd = fds[0];
	refuse(*state, &l, 1);
	close(fds[0]);
	close(fds[1]);
	lie_fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	if (lie_fd < 0)
		return; /* a kernel without huge pages cannot be lied to that way */
	assert_int_equal(ftruncate(lie_fd, 2 * MIB), 0);
	assert_int_equal(fcntl(lie_fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	refuse(*state, &l, 1);
	close(lie_fd);
}

/* Row 17: silence. The deadline ends it, the instance lives on, reads are ones. */
static void s26_row17__a_silent_card_is_lost_at_the_deadline(void **state)
{
	struct fix *f = *state;
	uint8_t b[4];
	uint64_t from;
	struct pollfd p;

	assert_int_equal(attach(f, (struct lie){ VU_REGION_READ, 1, lie_silent }), 0);
	memset(b, 0, sizeof(b));
	from = clock_ns();
	assert_int_equal(vu_client_read(f->client, 0, 0, b, 4), -ETIMEDOUT);
	assert_true(clock_ns() - from >= (uint64_t)QUICK_MS * 1000000);
	assert_int_equal(le32_load(b), 0xffffffff);
	assert_true(vu_client_lost(f->client));
	from = clock_ns();
	memset(b, 0, sizeof(b));
	assert_int_equal(vu_client_read(f->client, 0, 0, b, 4), -ENOTCONN);
	assert_int_equal(le32_load(b), 0xffffffff);
	assert_int_equal(vu_client_write(f->client, 0, 0, b, 4), -ENOTCONN);
	assert_int_equal(vu_client_reset(f->client), -ENOTCONN);
	assert_int_equal(vu_client_dma_unmap(f->client, 0, PAGE), -ENOTCONN);
	assert_int_equal(vu_client_irqs_set(f->client, NULL, 0), -ENOTCONN);
	assert_true(clock_ns() - from < (uint64_t)QUICK_MS * 1000000);
	/* the loop that watches it sees a hang-up */
	p = (struct pollfd){ .fd = vu_client_fd(f->client) };
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_true(p.revents & POLLHUP);
	detach(f);
}

static void s26_row17__silence_while_attaching_ends(void **state)
{
	static const struct lie_case lies[] = {
		{ { VU_VERSION, 0, lie_silent }, -ETIMEDOUT },
		{ { VU_GET_REGION_INFO, 4, lie_silent }, -ETIMEDOUT },
		{ { VU_GET_REGION_IO_FDS, 0, lie_cut }, -ETIMEDOUT },
	};

	refuse(*state, lies, ARRAY_SIZE(lies));
}

/* Row 17: answers at run time. */
static void s26_row17__lies_at_run_time_lose_the_card(void **state)
{
	static const struct lie lies[] = {
		{ VU_REGION_READ, 1, lie_read_off },  { VU_REGION_READ, 1, lie_read_len },
		{ VU_REGION_READ, 1, lie_truncated }, { VU_REGION_READ, 1, lie_longer },
		{ VU_REGION_READ, 1, lie_id },        { VU_REGION_READ, 1, lie_fds },
	};
	struct fix *f = *state;
	uint8_t b[4];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		assert_int_equal(attach(f, lies[i]), 0);
		memset(b, 0, sizeof(b));
		assert_int_equal(vu_client_read(f->client, 0, 4, b, 4), -EPROTO);
		assert_int_equal(le32_load(b), 0xffffffff);
		assert_true(vu_client_lost(f->client));
		detach(f);
	}
	assert_int_equal(attach(f, (struct lie){ VU_DMA_UNMAP, 0, lie_read_off }), 0);
	assert_int_equal(vu_client_dma_unmap(f->client, 0, PAGE), -EPROTO);
	detach(f);
	assert_int_equal(attach(f, (struct lie){ VU_DEVICE_RESET, 0, lie_longer }), 0);
	assert_int_equal(vu_client_reset(f->client), -EPROTO);
	detach(f);
}

static void client__hangup_is_the_end(void **state)
{
	struct fix *f = *state;
	uint8_t b[4];

	assert_int_equal(attach(f, honest), 0);
	shutdown(f->sock, SHUT_RDWR);
	assert_int_equal(vu_client_read(f->client, 0, 0, b, 4), -ENOTCONN);
	assert_int_equal(le32_load(b), 0xffffffff);
	assert_true(vu_client_lost(f->client));
	detach(f);
}

/* ---- our own server at the other end ---- */

struct real {
	struct vu_server *s;
	struct gmem *mem;
	struct pci_config config;
	int ring; /* eventfd of the doorbells */
	_Atomic bool stop;
	uint32_t reg;
};

static int real_access(void *dev, unsigned region UNUSED, uint64_t off UNUSED, void *buf,
		       size_t len, bool write)
{
	struct real *d = dev;

	if (len != 4)
		return 0;
	if (write)
		d->reg = le32_load(buf);
	else
		le32_store(buf, d->reg);
	return 0;
}

static int real_quiesce(void *dev, bool reset)
{
	struct real *d = dev;

	if (reset)
		d->reg = 0;
	return 0;
}

static void real_resume(void *dev UNUSED) {}

static const struct vu_server_ops real_ops = { real_access, real_quiesce, real_resume, NULL };

static void *real_thread(void *arg)
{
	struct real *d = arg;

	for (;;) {
		struct pollfd p = { .fd = vu_server_fd(d->s),
				    .events = (short)vu_server_events(d->s) };

		if (poll(&p, 1, 1000) != 1 || vu_server_handle(d->s) < 0)
			return NULL;
	}
}

static void client__and_server_understand_each_other(void **state)
{
	static const struct pci_config_conf conf = {
		.vendor = 0x1d0f,
		.device = 0x8061,
		.class_code = 0x010802,
		.bar = { [0] = { .size = 4 * PAGE, .is_64 = true } },
		.msix = { .vector_cnt = 33, .table_off = 2 * PAGE, .pba_off = 3 * PAGE },
		.express = true,
		.flr = true,
	};
	static struct vu_server_conf sc;
	static struct real d;
	const struct vu_client_shadow *w;
	struct vu_client *c;
	int sock, peer, shadow, ram, fds[33];
	unsigned cnt, i;
	pthread_t t;
	uint8_t b[4];
	uint32_t v;

	(void)state;
	memset(&d, 0, sizeof(d));
	assert_int_equal(pci_config_init(&d.config, &conf), 0);
	assert_int_equal(gmem_new(&d.mem), 0);
	assert_int_equal(fd_socketpair(SOCK_STREAM, &sock, &peer), 0);
	shadow = fd_memfd("doorbells", PAGE);
	ram = fd_memfd("ram", 8 * PAGE);
	d.ring = fd_eventfd();
	memset(&sc, 0, sizeof(sc));
	sc.ops = &real_ops;
	sc.dev = &d;
	sc.config = &d.config;
	sc.mem = d.mem;
	sc.shadow_cnt = 1;
	sc.shadow[0] = (struct vu_server_shadow){ 0, PAGE, 1024, d.ring, shadow, 512 };
	assert_int_equal(vu_server_new(peer, &sc, &d.s), 0);
	assert_int_equal(pthread_create(&t, NULL, real_thread, &d), 0);

	assert_int_equal(vu_client_new(sock, 0, &c), 0);
	assert_int_equal(vu_client_info(c)->msix_cnt, 33);
	assert_int_equal(vu_client_dma_map(c, MIB, 8 * PAGE, VU_DMA_READ | VU_DMA_WRITE, ram, 0),
			 0);
	assert_int_equal(vu_client_dma_map(c, MIB, 8 * PAGE, VU_DMA_READ | VU_DMA_WRITE, ram, 0),
			 -EEXIST);
	for (i = 0; i < 33; i++)
		fds[i] = fd_eventfd();
	assert_int_equal(vu_client_irqs_set(c, fds, 33), 0);
	vu_server_irq(d.s, 32);
	assert_int_equal(poll(&(struct pollfd){ .fd = fds[32], .events = POLLIN }, 1, 0), 1);
	le32_store(b, 0xfeed);
	assert_int_equal(vu_client_write(c, 0, 0x14, b, 4), 0);
	assert_int_equal(vu_client_read(c, 0, 0x14, b, 4), 0);
	assert_int_equal(le32_load(b), 0xfeed);
	w = vu_client_shadows(c, &cnt);
	assert_int_equal(cnt, 1);
	le32_store((uint8_t *)w->mem + 8, 31); /* a doorbell */
	fd_event_signal(w->event_fd);
	assert_int_equal(fd_pread_full(shadow, b, 4, 512 + 8), 0);
	assert_int_equal(le32_load(b), 31);
	assert_int_equal(poll(&(struct pollfd){ .fd = d.ring, .events = POLLIN }, 1, 0), 1);
	assert_int_equal(gmem_store32(d.mem, (gpa_t){ MIB }, 0x77), 0);
	assert_int_equal(fd_pread_full(ram, b, 4, 0), 0);
	assert_int_equal(le32_load(b), 0x77);
	assert_int_equal(vu_client_reset(c), 0);
	assert_int_equal(vu_client_read(c, 0, 0x14, b, 4), 0);
	assert_int_equal(le32_load(b), 0);
	assert_int_equal(vu_client_dma_unmap(c, MIB, 8 * PAGE), 0);
	assert_int_equal(gmem_load32(d.mem, (gpa_t){ MIB }, &v), -EPROTO);
	assert_int_equal(vu_client_dma_unmap(c, MIB, 8 * PAGE), -ENOENT);

	vu_client_free(c);
	pthread_join(t, NULL);
	vu_server_free(d.s);
	gmem_free(d.mem);
	for (i = 0; i < 33; i++)
		close(fds[i]);
	close(d.ring);
	close(ram);
	close(shadow);
}

/* Many vCPUs at one card. */
static void *hammer(void *arg)
{
	struct vu_client *c = arg;
	unsigned i;
	uint8_t b[4];

	for (i = 0; i < 200; i++) {
		if (vu_client_read(c, 0, 4UL * (i % 16), b, 4) < 0 || le32_load(b) != 0x42424242)
			return c;
		if (vu_client_write(c, 0, 4UL * (i % 16), b, 4) < 0)
			return c;
	}
	return NULL;
}

static void client__serves_several_threads(void **state)
{
	struct fix *f = *state;
	pthread_t t[4];
	unsigned i;
	void *failed;

	assert_int_equal(attach(f, honest), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, f->client), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], &failed);
		assert_null(failed);
	}
	detach(f);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(client_new__learns_the_card),
		T(client__reads_writes_and_resets),
		T(client_access__out_of_range_never_leaves),
		T(client__maps_memory_and_interrupts),
		T(client__an_answered_error_is_not_the_end),
		T(client__a_card_without_io_fds_is_fine),
		T(s26_row17__replies_that_lie_lose_the_card),
		T(s26_row18__fds_of_a_lying_card_are_closed),
		T(s26_row18__doorbell_memory_must_be_sealed),
		T(s26_row17__a_silent_card_is_lost_at_the_deadline),
		T(s26_row17__silence_while_attaching_ends),
		T(s26_row17__lies_at_run_time_lose_the_card),
		T(client__hangup_is_the_end),
		T(client__and_server_understand_each_other),
		T(client__serves_several_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
