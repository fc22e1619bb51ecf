/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/vu_server.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/num.h"
#include "vu_raw.h"

/* A small device and a client that says exactly what a test wants said. One thread: send, handle, receive. */

enum { PAGE = 4096 };

struct dev {
	uint8_t regs[PAGE];
	unsigned accesses, resets, resumes, quiesces, events;
	unsigned busy; /* calls of quiesce that still say "not yet" */
};

struct fix {
	struct dev dev;
	struct pci_config config;
	struct gmem *mem;
	struct vu_server *s;
	int sock; /* the client's end */
	int event_fd, shadow_fd;
	unsigned fds_before;
	uint16_t id;
	struct vu_raw out;
	struct vu_msg in;
};

static int dev_access(void *dev, unsigned region, uint64_t off, void *buf, size_t len, bool write)
{
	struct dev *d = dev;

	assert_true(region == 0 || region == 2);
	d->accesses++;
	if (off == 0xff0)
		return -EIO;
	if (!range_ok(off, len, sizeof(d->regs)))
		return 0;
	if (write)
		memcpy(d->regs + off, buf, len);
	else
		memcpy(buf, d->regs + off, len);
	return 0;
}

static int dev_quiesce(void *dev, bool reset)
{
	struct dev *d = dev;

	d->quiesces++;
	if (d->busy) {
		d->busy--;
		return -EINPROGRESS;
	}
	if (reset) {
		d->resets++;
		memset(d->regs, 0, sizeof(d->regs));
	}
	return 0;
}

static void dev_resume(void *dev)
{
	struct dev *d = dev;

	d->resumes++;
}

static void dev_config_changed(void *dev, unsigned events)
{
	struct dev *d = dev;

	d->events |= events;
}

static const struct vu_server_ops dev_ops = {
	.region_access = dev_access,
	.quiesce = dev_quiesce,
	.resume = dev_resume,
	.config_changed = dev_config_changed,
};

static const struct pci_config_conf dev_conf = {
	.vendor = 0x1d0f,
	.device = 0x8061,
	.class_code = 0x010802,
	.bar = { [0] = { .size = 4 * PAGE, .is_64 = true }, [2] = { .size = PAGE } },
	.msix = { .vector_cnt = 5, .table_bar = 2, .pba_bar = 2, .pba_off = 2048 },
	.express = true,
	.flr = true,
};

/* Runs the server on what has been sent. */
static int run(struct fix *f)
{
	return vu_server_handle(f->s);
}

static void request(struct fix *f, uint16_t cmd)
{
	vu_raw_begin(&f->out, ++f->id, cmd, 0, 0);
}

/* Sends ->out, lets the server answer, receives. Return: errno of the answer, 0 for success. */
static int answer_with(struct fix *f, const int *fds, unsigned fd_cnt)
{
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, fds, fd_cnt), 0);
	assert_int_equal(run(f), 0);
	vu_msg_done(&f->in);
	assert_int_equal(vu_msg_recv(&f->in, f->sock), 1);
	assert_int_equal(f->in.hdr.msg_id, f->id);
	assert_int_equal(f->in.hdr.flags & VU_F_TYPE_MASK, VU_F_REPLY);
	if (!(f->in.hdr.flags & VU_F_ERROR))
		return 0;
	assert_int_equal(f->in.hdr.size, VU_HDR_BYTES);
	assert_int_not_equal(f->in.hdr.error, 0);
	return (int)f->in.hdr.error;
}

static int answer(struct fix *f)
{
	return answer_with(f, NULL, 0);
}

static void hello(struct fix *f, const char *json)
{
	vu_raw_hello(&f->out, json);
	f->id = 1;
	assert_int_equal(answer(f), 0);
}

static void start(struct fix *f)
{
	struct vu_server_conf conf;
	int sock;

	memset(f, 0, sizeof(*f));
	f->fds_before = vu_raw_fd_cnt();
	vu_msg_init(&f->in);
	assert_int_equal(pci_config_init(&f->config, &dev_conf), 0);
	assert_int_equal(gmem_new(&f->mem), 0);
	assert_int_equal(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, &f->sock, &sock), 0);
	f->event_fd = fd_eventfd();
	f->shadow_fd = fd_memfd("shadow", PAGE);
	memset(&conf, 0, sizeof(conf));
	conf.ops = &dev_ops;
	conf.dev = &f->dev;
	conf.config = &f->config;
	conf.mem = f->mem;
	conf.shadow_cnt = 2;
	conf.shadow[0] = (struct vu_server_shadow){ 0, PAGE, 64, f->event_fd, f->shadow_fd, 0 };
	conf.shadow[1] = (struct vu_server_shadow){ 0, PAGE + 64, 4, f->event_fd, -1, 0 };
	assert_int_equal(vu_server_new(sock, &conf, &f->s), 0);
}

static int setup_cold(void **state)
{
	static struct fix f;

	start(&f);
	*state = &f;
	return 0;
}

static int setup(void **state)
{
	setup_cold(state);
	hello(*state, "{\"capabilities\":{\"max_msg_fds\":16}}");
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	vu_msg_done(&f->in);
	vu_server_freep(&f->s);
	gmem_freep(&f->mem);
	fd_closep(&f->sock);
	fd_closep(&f->event_fd);
	fd_closep(&f->shadow_fd);
	assert_int_equal(vu_raw_fd_cnt(), f->fds_before); /* whatever the test did */
	return 0;
}

static void put_dma_map(struct fix *f, uint64_t at, uint64_t size, uint64_t off, uint32_t flags)
{
	request(f, VU_DMA_MAP);
	vu_raw_u32(&f->out, VU_DMA_MAP_BYTES);
	vu_raw_u32(&f->out, flags);
	vu_raw_u64(&f->out, off);
	vu_raw_u64(&f->out, at);
	vu_raw_u64(&f->out, size);
}

static void put_dma_unmap(struct fix *f, uint64_t at, uint64_t size, uint32_t flags)
{
	request(f, VU_DMA_UNMAP);
	vu_raw_u32(&f->out, VU_DMA_UNMAP_BYTES);
	vu_raw_u32(&f->out, flags);
	vu_raw_u64(&f->out, at);
	vu_raw_u64(&f->out, size);
}

static void put_access(struct fix *f, uint16_t cmd, uint32_t region, uint64_t off, uint32_t len)
{
	request(f, cmd);
	vu_raw_u64(&f->out, off);
	vu_raw_u32(&f->out, region);
	vu_raw_u32(&f->out, len);
}

static void put_irqs(struct fix *f, uint32_t flags, uint32_t index, uint32_t start_idx,
		     uint32_t cnt)
{
	request(f, VU_SET_IRQS);
	vu_raw_u32(&f->out, VU_IRQ_SET_BYTES);
	vu_raw_u32(&f->out, flags);
	vu_raw_u32(&f->out, index);
	vu_raw_u32(&f->out, start_idx);
	vu_raw_u32(&f->out, cnt);
}

static bool signalled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void hello__is_answered_with_our_limits(void **state)
{
	struct fix *f = *state;
	struct vu_version v;
	struct rd in;

	vu_raw_begin(&f->out, ++f->id, VU_VERSION, 0, 0);
	vu_raw_u16(&f->out, 0);
	vu_raw_u16(&f->out, 7); /* a later minor */
	assert_int_equal(answer(f), 0);
	in = vu_msg_body(&f->in);
	assert_int_equal(vu_version_parse(&in, &v), 0);
	assert_int_equal(v.minor, VU_VERSION_MINOR);
	assert_int_equal(v.max_msg_fds, VU_FDS_MAX);
	assert_int_equal(v.max_dma_maps, GMEM_REGIONS_MAX);
	assert_int_equal(v.max_data_xfer_size, VU_XFER_MAX_BYTES);
}

static void hello__of_another_major_ends_the_connection(void **state)
{
	struct fix *f = *state;

	vu_raw_begin(&f->out, 1, VU_VERSION, 0, 0);
	vu_raw_u16(&f->out, 1);
	vu_raw_u16(&f->out, 0);
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), -EPROTO);
	assert_int_equal(run(f), -ECONNRESET);
}

static void hello__must_come_first_and_once(void **state)
{
	struct fix *f = *state;

	request(f, VU_DEVICE_RESET);
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), -EPROTO);
	assert_int_equal(f->dev.resets, 0);
}

static void hello__twice_ends_the_connection(void **state)
{
	struct fix *f = *state;

	vu_raw_hello(&f->out, "{}");
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), -EPROTO);
}

static void info__is_complete(void **state)
{
	struct fix *f = *state;
	static const uint64_t size[VU_REGIONS] = {
		4 * PAGE, 0, PAGE, 0, 0, 0, 0, PCI_CFG_BYTES, 0
	};
	struct vu_device_info d;
	struct vu_region_info g;
	struct vu_irq_info q;
	struct rd in;
	uint32_t i;

	request(f, VU_DEVICE_GET_INFO);
	vu_raw_u32(&f->out, 16);
	for (i = 0; i < 3; i++)
		vu_raw_u32(&f->out, 0);
	assert_int_equal(answer(f), 0);
	in = vu_msg_body(&f->in);
	assert_int_equal(vu_device_info_parse(&in, &d), 0);
	assert_int_equal(d.flags, VU_DEVICE_PCI | VU_DEVICE_RESETS);
	assert_int_equal(d.region_cnt, VU_REGIONS);
	assert_int_equal(d.irq_cnt, VU_IRQS);
	for (i = 0; i <= VU_REGIONS; i++) {
		request(f, VU_GET_REGION_INFO);
		vu_region_info_write(&(struct wr){ f->out.buf + VU_HDR_BYTES, 64, 0, false },
				     &(struct vu_region_info){ .argsz = 32, .index = i });
		f->out.len += VU_REGION_INFO_BYTES;
		assert_int_equal(answer(f), i < VU_REGIONS ? 0 : EINVAL);
		if (i == VU_REGIONS)
			break;
		in = vu_msg_body(&f->in);
		assert_int_equal(vu_region_info_parse(&in, &g), 0);
		assert_int_equal(g.size, size[i]);
		assert_int_equal(g.index, i);
	}
	for (i = 0; i <= VU_IRQS; i++) {
		request(f, VU_GET_IRQ_INFO);
		vu_raw_u32(&f->out, 16);
		vu_raw_u32(&f->out, 0);
		vu_raw_u32(&f->out, i);
		vu_raw_u32(&f->out, 0);
		assert_int_equal(answer(f), i < VU_IRQS ? 0 : EINVAL);
		if (i == VU_IRQS)
			break;
		in = vu_msg_body(&f->in);
		assert_int_equal(vu_irq_info_parse(&in, &q), 0);
		assert_int_equal(q.cnt, i == VU_IRQ_MSIX ? 5 : 0);
	}
}

static void put_io_fds(struct fix *f, uint32_t argsz, uint32_t region)
{
	request(f, VU_GET_REGION_IO_FDS);
	vu_raw_u32(&f->out, argsz);
	vu_raw_u32(&f->out, 0);
	vu_raw_u32(&f->out, region);
	vu_raw_u32(&f->out, 0);
}

static void io_fds__offer_the_doorbell_page(void **state)
{
	struct fix *f = *state;
	struct vu_io_fds v;
	struct rd in;

	put_io_fds(f, 1024, 0);
	assert_int_equal(answer(f), 0);
	in = vu_msg_body(&f->in);
	assert_int_equal(vu_io_fds_reply_parse(&in, &v), 0);
	assert_int_equal(v.cnt, 2);
	assert_int_equal(f->in.fds.cnt, 2); /* the eventfd is shared */
	assert_int_equal(v.io[0].type, VU_IO_FD_SHADOW);
	assert_int_equal(v.io[1].type, VU_IO_FD_IOEVENTFD);
	assert_int_equal(v.io[0].fd_idx, v.io[1].fd_idx);
	assert_int_equal(fd_memfd_check(f->in.fds.fd[v.io[0].shadow_fd_idx], PAGE), 0);
	/* too little room: told how much it takes */
	put_io_fds(f, 16, 0);
	assert_int_equal(answer(f), 0);
	assert_int_equal(f->in.fds.cnt, 0);
	assert_int_equal(f->in.hdr.size, VU_HDR_BYTES + VU_IO_FDS_BYTES);
	assert_int_equal(le32_load(f->in.buf + VU_HDR_BYTES), VU_IO_FDS_BYTES + 2 * VU_IO_FD_BYTES);
	/* a region without any */
	put_io_fds(f, 1024, 2);
	assert_int_equal(answer(f), 0);
	assert_int_equal(f->in.fds.cnt, 0);
	put_io_fds(f, 1024, 1);
	assert_int_equal(answer(f), EINVAL);
	put_io_fds(f, 15, 0);
	assert_int_equal(answer(f), EINVAL);
}

static void io_fds__are_kept_from_a_client_that_takes_one(void **state)
{
	struct fix *f = *state;
	struct vu_io_fds v;
	struct rd in;

	hello(f, NULL); /* default: one descriptor a message */
	put_io_fds(f, 1024, 0);
	assert_int_equal(answer(f), 0);
	in = vu_msg_body(&f->in);
	assert_int_equal(vu_io_fds_reply_parse(&in, &v), 0);
	assert_int_equal(v.cnt, 0);
	assert_int_equal(f->in.fds.cnt, 0);
}

static void region_access__reaches_the_device(void **state)
{
	struct fix *f = *state;

	put_access(f, VU_REGION_WRITE, 0, 16, 4);
	vu_raw_u32(&f->out, 0xabcd1234);
	assert_int_equal(answer(f), 0);
	assert_int_equal(f->in.hdr.size, VU_HDR_BYTES + VU_REGION_ACCESS_BYTES);
	put_access(f, VU_REGION_READ, 0, 14, 8);
	assert_int_equal(answer(f), 0);
	assert_int_equal(f->in.hdr.size, VU_HDR_BYTES + VU_REGION_ACCESS_BYTES + 8);
	assert_int_equal(le32_load(f->in.buf + VU_HDR_BYTES + VU_REGION_ACCESS_BYTES + 2),
			 0xabcd1234);
	put_access(f, VU_REGION_READ, 0, 0xff0, 4);
	assert_int_equal(answer(f), EIO);
}

static void region_access__out_of_range_is_refused(void **state)
{
	struct fix *f = *state;
	static const struct {
		uint32_t region;
		uint64_t off;
		uint32_t len;
	} bad[] = {
		{ 0, 4 * PAGE, 1 },
		{ 0, 4 * PAGE - 1, 2 },
		{ 0, UINT64_MAX, 1 },
		{ 0, UINT64_MAX, 2 },
		{ 0, 0, 0 },
		{ 0, 0, VU_XFER_MAX_BYTES + 1 },
		{ 1, 0, 4 },
		{ 6, 0, 4 },
		{ 8, 0, 4 },
		{ 9, 0, 4 },
		{ UINT32_MAX, 0, 4 },
		{ 0, 0, UINT32_MAX },
		{ 7, PCI_CFG_BYTES, 1 },
		{ 7, PCI_CFG_BYTES - 2, 4 },
	};
	static uint8_t zeroes[VU_XFER_MAX_BYTES + 1];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put_access(f, VU_REGION_READ, bad[i].region, bad[i].off, bad[i].len);
		assert_int_equal(answer(f), EINVAL);
		put_access(f, VU_REGION_WRITE, bad[i].region, bad[i].off, bad[i].len);
		vu_raw_bytes(&f->out, zeroes,
			     bad[i].len < sizeof(zeroes) ? bad[i].len : sizeof(zeroes));
		assert_int_equal(answer(f), EINVAL);
	}
	assert_int_equal(f->dev.accesses, 0);
	/* data shorter and longer than said */
	put_access(f, VU_REGION_WRITE, 0, 0, 8);
	vu_raw_u32(&f->out, 0);
	assert_int_equal(answer(f), EINVAL);
	put_access(f, VU_REGION_WRITE, 0, 0, 4);
	vu_raw_u64(&f->out, 0);
	assert_int_equal(answer(f), EINVAL);
	assert_int_equal(f->dev.accesses, 0);
}

static void region_write__no_reply_is_honoured(void **state)
{
	struct fix *f = *state;

	put_access(f, VU_REGION_WRITE, 0, 0, 4);
	le32_store(f->out.buf + 8, VU_F_NO_REPLY);
	vu_raw_u32(&f->out, 5);
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	/* an error is not reported either */
	put_access(f, VU_REGION_WRITE, 1, 0, 4);
	le32_store(f->out.buf + 8, VU_F_NO_REPLY);
	vu_raw_u32(&f->out, 5);
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(vu_raw_recv(f->sock, &f->in), -EAGAIN);
	assert_int_equal(f->dev.regs[0], 5);
}

static void config__is_served_from_region_7(void **state)
{
	struct fix *f = *state;

	put_access(f, VU_REGION_READ, VU_REGION_CONFIG, 0, PCI_CFG_LEGACY_BYTES);
	assert_int_equal(answer(f), 0);
	assert_int_equal(le32_load(f->in.buf + VU_HDR_BYTES + VU_REGION_ACCESS_BYTES), 0x80611d0f);
	put_access(f, VU_REGION_WRITE, VU_REGION_CONFIG, PCI_CFG_COMMAND, 2);
	vu_raw_u16(&f->out, 6);
	assert_int_equal(answer(f), 0);
	assert_int_equal(f->dev.events, PCI_EV_COMMAND);
	assert_int_equal(pci_config_command(&f->config), 6);
}

static void config__flr_resets_the_device(void **state)
{
	struct fix *f = *state;

	f->dev.regs[3] = 1;
	assert_int_equal(pci_config_write(&f->config, PCI_CFG_COMMAND, "\6", 2), PCI_EV_COMMAND);
	put_access(f, VU_REGION_WRITE, VU_REGION_CONFIG, f->config.express_cap + 8U, 2);
	vu_raw_u16(&f->out, 0x8000);
	f->dev.busy = 1;
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), 0);
	assert_false(vu_server_idle(f->s));
	assert_int_equal(vu_raw_recv(f->sock, &f->in), -EAGAIN);
	assert_int_equal(vu_server_resume(f->s), 0);
	assert_int_equal(vu_raw_recv(f->sock, &f->in), 1);
	assert_int_equal(f->in.hdr.size, VU_HDR_BYTES + VU_REGION_ACCESS_BYTES);
	assert_int_equal(f->dev.resets, 1);
	assert_int_equal(f->dev.regs[3], 0);
	assert_int_equal(pci_config_command(&f->config), 0);
}

static void reset__is_answered_when_io_is_done(void **state)
{
	struct fix *f = *state;
	struct gmem_span span;
	int fd = fd_memfd("ram", PAGE);

	put_dma_map(f, 0, PAGE, 0, 3);
	assert_int_equal(answer_with(f, &fd, 1), 0);
	close(fd);
	assert_int_equal(gmem_map(f->mem, (gpa_t){ 0 }, 64, GMEM_WRITE, &span), 0);
	request(f, VU_DEVICE_RESET);
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(vu_server_events(f->s), 0);
	assert_int_equal(vu_server_resume(f->s), 0);
	assert_int_equal(vu_raw_recv(f->sock, &f->in), -EAGAIN); /* a span is still out */
	gmem_put(f->mem, &span);
	assert_int_equal(vu_server_resume(f->s), 0);
	assert_int_equal(vu_raw_recv(f->sock, &f->in), 1);
	assert_int_equal(f->in.hdr.flags, VU_F_REPLY);
	assert_int_equal(vu_server_events(f->s), EPOLLIN);
	assert_int_equal(f->dev.resumes, 1);
}

static void dma_map__gives_memory(void **state)
{
	struct fix *f = *state;
	int fd = fd_memfd("ram", 4 * PAGE);
	uint32_t v;

	put_dma_map(f, MIB, 2 * PAGE, PAGE, 3);
	assert_int_equal(answer_with(f, &fd, 1), 0);
	put_dma_map(f, GIB, PAGE, 0, 3 | VU_DMA_MMAP);
	assert_int_equal(answer_with(f, &fd, 1), 0);
	close(fd);
	assert_int_equal(gmem_store32(f->mem, (gpa_t){ MIB + 8 }, 99), 0);
	assert_int_equal(gmem_load32(f->mem, (gpa_t){ MIB + 8 }, &v), 0);
	assert_int_equal(v, 99);
	put_dma_map(f, MIB + PAGE, PAGE, 0, 3); /* overlaps */
	fd = fd_memfd("ram", PAGE);
	assert_int_equal(answer_with(f, &fd, 1), EEXIST);
	close(fd);
	put_dma_unmap(f, MIB, 2 * PAGE, 0);
	assert_int_equal(answer(f), 0);
	assert_int_equal(f->in.hdr.size, VU_HDR_BYTES + VU_DMA_UNMAP_BYTES);
	assert_int_equal(gmem_load32(f->mem, (gpa_t){ MIB + 8 }, &v), -EPROTO);
	put_dma_unmap(f, MIB, 2 * PAGE, 0);
	assert_int_equal(answer(f), ENOENT);
	put_dma_unmap(f, 0, 0, VU_DMA_UNMAP_ALL);
	assert_int_equal(answer(f), 0);
	assert_int_equal(gmem_region_cnt(f->mem), 0);
}

static void dma_map__bad_numbers_are_refused(void **state)
{
	struct fix *f = *state;
	int fd = fd_memfd("ram", 4 * PAGE);
	static const uint64_t bad[][3] = {
		/* address, size, offset */
		{ 1, PAGE, 0 },
		{ 0, 0, 0 },
		{ 0, PAGE + 1, 0 },
		{ 0, PAGE, 1 },
		{ 0, 5 * PAGE, 0 },
		{ 0, PAGE, 4 * PAGE },
		{ 0, PAGE, UINT64_MAX - PAGE + 1 },
		{ UINT64_MAX - PAGE + 1, 2 * PAGE, 0 },
		{ (uint64_t)1 << 48, PAGE, 0 },
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put_dma_map(f, bad[i][0], bad[i][1], bad[i][2], 3);
		assert_int_equal(answer_with(f, &fd, 1), EINVAL);
	}
	put_dma_map(f, 0, PAGE, 0, 0);
	assert_int_equal(answer_with(f, &fd, 1), EINVAL);
	put_dma_map(f, 0, PAGE, 0, 0x103);
	assert_int_equal(answer_with(f, &fd, 1), EINVAL);
	put_dma_map(f, 0, PAGE, 0, 3);
	vu_raw_u32(&f->out, 0); /* too long */
	assert_int_equal(answer_with(f, &fd, 1), EINVAL);
	put_dma_map(f, 0, PAGE, 0, 3);
	f->out.len -= 4; /* too short */
	assert_int_equal(answer_with(f, &fd, 1), EINVAL);
	put_dma_unmap(f, 0, PAGE, 1); /* dirty bitmap */
	assert_int_equal(answer(f), EINVAL);
	assert_int_equal(gmem_region_cnt(f->mem), 0);
	close(fd);
}

static void dma_map__table_is_bounded(void **state)
{
	struct fix *f = *state;
	int fd = fd_memfd("ram", PAGE);
	unsigned i;

	for (i = 0; i < GMEM_REGIONS_MAX; i++) {
		put_dma_map(f, i * MIB, PAGE, 0, 3);
		assert_int_equal(answer_with(f, &fd, 1), 0);
	}
	put_dma_map(f, GIB, PAGE, 0, 3);
	assert_int_equal(answer_with(f, &fd, 1), ENOSPC);
	close(fd);
}

/* Row 22: the answer to an unmap comes after the last byte of I/O. */
static void s26_row22__dma_unmap_waits_for_io(void **state)
{
	struct fix *f = *state;
	int fd = fd_memfd("ram", PAGE);
	struct gmem_span span;

	put_dma_map(f, 0, PAGE, 0, 3);
	assert_int_equal(answer_with(f, &fd, 1), 0);
	close(fd);
	assert_int_equal(gmem_map(f->mem, (gpa_t){ 0 }, 64, GMEM_WRITE, &span), 0);
	f->dev.busy = 1;
	put_dma_unmap(f, 0, PAGE, 0);
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	/* a request behind it must wait too */
	put_access(f, VU_REGION_READ, 0, 0, 4);
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->dev.accesses, 0);
	assert_int_equal(vu_server_resume(f->s), 0); /* quiet, but the span is out */
	assert_int_equal(vu_raw_recv(f->sock, &f->in), -EAGAIN);
	memset(span.p, 1, span.len); /* the memory is still there */
	gmem_put(f->mem, &span);
	assert_int_equal(vu_server_resume(f->s), 0);
	assert_int_equal(vu_raw_recv(f->sock, &f->in), 1);
	assert_int_equal(f->in.hdr.cmd, VU_DMA_UNMAP);
	assert_int_equal(f->in.hdr.flags, VU_F_REPLY);
	assert_int_equal(gmem_region_cnt(f->mem), 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->dev.accesses, 1);
}

static void irqs__are_signalled_by_eventfd(void **state)
{
	struct fix *f = *state;
	int fds[5];
	unsigned i;

	for (i = 0; i < 5; i++)
		fds[i] = fd_eventfd();
	vu_server_irq(f->s, 1); /* nobody listens */
	put_irqs(f, VU_IRQ_DATA_EVENTFD | VU_IRQ_ACTION_TRIGGER, VU_IRQ_MSIX, 0, 5);
	assert_int_equal(answer_with(f, fds, 5), 0);
	vu_server_irq(f->s, 1);
	vu_server_irq(f->s, 5); /* out of range */
	assert_true(signalled(fds[1]));
	assert_false(signalled(fds[0]));
	/* the client may trigger one itself */
	put_irqs(f, VU_IRQ_DATA_NONE | VU_IRQ_ACTION_TRIGGER, VU_IRQ_MSIX, 4, 1);
	assert_int_equal(answer(f), 0);
	assert_true(signalled(fds[4]));
	put_irqs(f, VU_IRQ_DATA_BOOL | VU_IRQ_ACTION_TRIGGER, VU_IRQ_MSIX, 2, 2);
	vu_raw_bytes(&f->out, "\0\1", 2);
	assert_int_equal(answer(f), 0);
	assert_false(signalled(fds[2]));
	assert_true(signalled(fds[3]));
	/* take one away, then all */
	put_irqs(f, VU_IRQ_DATA_EVENTFD | VU_IRQ_ACTION_TRIGGER, VU_IRQ_MSIX, 0, 1);
	assert_int_equal(answer(f), 0);
	vu_server_irq(f->s, 0);
	assert_false(signalled(fds[0]));
	put_irqs(f, VU_IRQ_DATA_NONE | VU_IRQ_ACTION_TRIGGER, VU_IRQ_MSIX, 0, 0);
	assert_int_equal(answer(f), 0);
	vu_server_irq(f->s, 2);
	assert_false(signalled(fds[2]));
	for (i = 0; i < 5; i++)
		close(fds[i]);
}

static void irqs__bad_sets_are_refused(void **state)
{
	struct fix *f = *state;
	enum { EV = VU_IRQ_DATA_EVENTFD, NONE = VU_IRQ_DATA_NONE, TRIG = VU_IRQ_ACTION_TRIGGER };
	static const uint32_t bad[][5] = {
		/* flags, index, start, count, descriptors */
		{ EV | TRIG, 2, 5, 1, 1 },
		{ EV | TRIG, 2, 4, 2, 2 },
		{ EV | TRIG, 2, UINT32_MAX, 1, 1 },
		{ EV | TRIG, 2, 1, UINT32_MAX, 1 },
		{ EV | TRIG, 2, 0, 0, 0 },
		{ EV | TRIG, 0, 0, 1, 1 },
		{ EV | TRIG, 5, 0, 1, 1 },
		{ EV | TRIG, UINT32_MAX, 0, 1, 1 },
		{ EV | TRIG, 2, 0, 3, 2 },
		{ EV | TRIG, 2, 0, 2, 3 },
		{ NONE | TRIG, 2, 0, 1, 1 },
		{ NONE | TRIG, 2, 1, 0, 0 },
		{ NONE | EV | TRIG, 2, 0, 1, 0 },
		{ EV, 2, 0, 1, 1 },
		{ NONE | VU_IRQ_ACTION_MASK, 2, 0, 1, 0 },
		{ NONE | TRIG | VU_IRQ_ACTION_MASK, 2, 0, 1, 0 },
		{ TRIG, 2, 0, 1, 0 },
		{ 0xffffffff, 2, 0, 1, 0 },
	};
	int fds[5];
	unsigned i;

	for (i = 0; i < 5; i++)
		fds[i] = fd_eventfd();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put_irqs(f, bad[i][0], bad[i][1], bad[i][2], bad[i][3]);
		assert_int_equal(answer_with(f, fds, bad[i][4]), EINVAL);
	}
	for (i = 0; i < 5; i++) {
		vu_server_irq(f->s, i);
		assert_false(signalled(fds[i]));
		close(fds[i]);
	}
}

/* Row 18: a message brings exactly the descriptors it may; all others are closed (teardown counts). */
static void s26_row18__unexpected_fds_are_closed(void **state)
{
	struct fix *f = *state;
	int fd = fd_memfd("ram", PAGE), two[2] = { fd, fd };

	request(f, VU_DEVICE_GET_INFO);
	vu_raw_u32(&f->out, 16);
	vu_raw_u64(&f->out, 0);
	vu_raw_u32(&f->out, 0);
	assert_int_equal(answer_with(f, &fd, 1), EINVAL);
	put_access(f, VU_REGION_READ, 0, 0, 4);
	assert_int_equal(answer_with(f, &fd, 1), EINVAL);
	assert_int_equal(f->dev.accesses, 0);
	put_dma_map(f, 0, PAGE, 0, 3);
	assert_int_equal(answer_with(f, two, 2), EINVAL);
	request(f, 99);
	assert_int_equal(answer_with(f, two, 2), ENOTSUP);
	request(f, VU_DEVICE_RESET);
	assert_int_equal(answer_with(f, two, 2), EINVAL);
	assert_int_equal(f->dev.resets, 0);
	close(fd);
	assert_int_equal(gmem_region_cnt(f->mem), 0);
}

/* Row 18: the wrong kind of descriptor. */
static void s26_row18__wrong_fd_types_are_refused(void **state)
{
	struct fix *f = *state;
	int pipes[2], unsealed = memfd_create("unsealed", MFD_CLOEXEC), ev = fd_eventfd();

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(ftruncate(unsealed, PAGE), 0);
	put_dma_map(f, 0, PAGE, 0, 3);
	assert_int_equal(answer_with(f, &unsealed, 1), EINVAL);
	put_dma_map(f, 0, PAGE, 0, 3);
	assert_int_equal(answer_with(f, &pipes[0], 1), EINVAL);
	put_dma_map(f, 0, PAGE, 0, 3);
	assert_int_equal(answer_with(f, &ev, 1), EINVAL);
	put_irqs(f, VU_IRQ_DATA_EVENTFD | VU_IRQ_ACTION_TRIGGER, VU_IRQ_MSIX, 0, 1);
	assert_int_equal(answer_with(f, &pipes[1], 1), EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	close(unsealed);
	close(ev);
}

/* Row 4: there is no message that turns a BAR into DMA memory. */
static void s26_row04__memory_without_descriptor_is_not_mapped(void **state)
{
	struct fix *f = *state;
	uint32_t v;

	put_dma_map(f, 0xc0000000, PAGE, 0, 3);
	assert_int_equal(answer(f), 0); /* other VMMs announce such ranges */
	assert_int_equal(gmem_load32(f->mem, (gpa_t){ 0xc0000000 }, &v), -EPROTO);
	put_dma_unmap(f, 0xc0000000, PAGE, 0);
	assert_int_equal(answer(f), 0);
}

static void stream__replies_and_lies_end_the_connection(void **state)
{
	struct fix *f = *state;

	request(f, VU_DEVICE_RESET);
	le32_store(f->out.buf + 8, VU_F_REPLY);
	vu_raw_size_true(&f->out);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), -EPROTO);
	assert_int_equal(f->dev.resets, 0);
}

static void stream__oversized_messages_end_the_connection(void **state)
{
	struct fix *f = *state;

	request(f, VU_DEVICE_RESET);
	vu_raw_size(&f->out, VU_MSG_MAX_BYTES + 1);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), -EPROTO);
}

static void stream__undersized_messages_end_the_connection(void **state)
{
	struct fix *f = *state;

	request(f, VU_DEVICE_RESET);
	vu_raw_size(&f->out, VU_HDR_BYTES - 1);
	assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	assert_int_equal(run(f), -EPROTO);
}

static void stream__hangup_is_seen(void **state)
{
	struct fix *f = *state;

	fd_closep(&f->sock);
	assert_int_equal(run(f), -ECONNRESET);
}

/* Row 6 in this place: a client that pipelines gets a bounded share of the loop, and nothing is lost. */
static void s26_row06__work_per_wake_is_bounded(void **state)
{
	struct fix *f = *state;
	unsigned i;

	for (i = 0; i < 100; i++) {
		put_access(f, VU_REGION_READ, 0, 0, 4);
		vu_raw_size_true(&f->out);
		assert_int_equal(vu_raw_send(f->sock, &f->out, NULL, 0), 0);
	}
	assert_int_equal(run(f), 0);
	assert_true(f->dev.accesses > 0 && f->dev.accesses < 100);
	for (i = 0; i < 20; i++)
		assert_int_equal(run(f), 0);
	assert_int_equal(f->dev.accesses, 100);
}

/* A client that never reads its answers holds up itself alone. */
static void stream__full_socket_stops_reading(void **state)
{
	struct fix *f = *state;
	unsigned i, sent = 0;

	for (i = 0; i < 10000; i++) {
		put_access(f, VU_REGION_READ, 0, 0, VU_XFER_MAX_BYTES - 32);
		vu_raw_size_true(&f->out);
		if (vu_raw_send(f->sock, &f->out, NULL, 0) == 0)
			sent++;
		assert_int_equal(run(f), 0);
		if (vu_server_events(f->s) == EPOLLOUT)
			break;
	}
	assert_int_equal(vu_server_events(f->s), EPOLLOUT);
	for (i = 0; i < sent; i++) {
		vu_msg_done(&f->in);
		while (vu_msg_recv(&f->in, f->sock) == -EAGAIN)
			assert_int_equal(run(f), 0);
		assert_int_equal(f->in.hdr.size,
				 VU_HDR_BYTES + VU_REGION_ACCESS_BYTES + VU_XFER_MAX_BYTES - 32);
	}
}

/* Row 24: what the device does not fill in is zero, whatever was in the buffer before. */
static void s26_row24__replies_carry_no_old_bytes(void **state)
{
	struct fix *f = *state;
	static uint8_t junk[256];
	unsigned i;

	memset(junk, 0xee, sizeof(junk));
	put_access(f, VU_REGION_WRITE, 0, 2 * PAGE, sizeof(junk));
	vu_raw_bytes(&f->out, junk, sizeof(junk));
	assert_int_equal(answer(f), 0);
	put_access(f, VU_REGION_READ, 0, 2 * PAGE, sizeof(junk));
	assert_int_equal(answer(f), 0);
	for (i = 0; i < sizeof(junk); i++)
		assert_int_equal(f->in.buf[VU_HDR_BYTES + VU_REGION_ACCESS_BYTES + i], 0);
}

/* Row 23: no command with any length of zeroes or ones ends the process; the connection stays or ends properly. */
static void s26_row23__no_message_reaches_an_assertion(void **state)
{
	struct fix *f = *state;
	static uint8_t fill[96];
	unsigned cmd, len, ones;

	for (cmd = 0; cmd < 24; cmd++) {
		for (len = 0; len <= sizeof(fill); len++) {
			for (ones = 0; ones < 2; ones++) {
				if (cmd == VU_VERSION) /* a second one ends the connection: tested apart */
					continue;
				memset(fill, ones ? 0xff : 0, sizeof(fill));
				request(f, (uint16_t)cmd);
				vu_raw_bytes(&f->out, fill, len);
				(void)answer(f);
			}
		}
	}
	assert_int_equal(gmem_region_cnt(f->mem), 0);
}

static void server_new__rejects_shadows_outside_their_bar(void **state UNUSED)
{
	static struct pci_config config;
	static struct vu_server_conf conf;
	struct vu_server *s;
	int a, b;

	assert_int_equal(pci_config_init(&config, &dev_conf), 0);
	memset(&conf, 0, sizeof(conf));
	conf.ops = &dev_ops;
	conf.config = &config;
	conf.shadow_cnt = 1;
	conf.shadow[0] = (struct vu_server_shadow){ 0, 4 * PAGE - 4, 8, 0, 0, 0 };
	assert_int_equal(fd_socketpair(SOCK_STREAM, &a, &b), 0);
	assert_int_equal(vu_server_new(b, &conf, &s), -EINVAL);
	close(a);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
#define COLD(t) cmocka_unit_test_setup_teardown(t, setup_cold, teardown)
	const struct CMUnitTest tests[] = {
		COLD(hello__is_answered_with_our_limits),
		COLD(hello__of_another_major_ends_the_connection),
		COLD(hello__must_come_first_and_once),
		T(hello__twice_ends_the_connection),
		T(info__is_complete),
		T(io_fds__offer_the_doorbell_page),
		COLD(io_fds__are_kept_from_a_client_that_takes_one),
		T(region_access__reaches_the_device),
		T(region_access__out_of_range_is_refused),
		T(region_write__no_reply_is_honoured),
		T(config__is_served_from_region_7),
		T(config__flr_resets_the_device),
		T(reset__is_answered_when_io_is_done),
		T(dma_map__gives_memory),
		T(dma_map__bad_numbers_are_refused),
		T(dma_map__table_is_bounded),
		T(s26_row22__dma_unmap_waits_for_io),
		T(irqs__are_signalled_by_eventfd),
		T(irqs__bad_sets_are_refused),
		T(s26_row18__unexpected_fds_are_closed),
		T(s26_row18__wrong_fd_types_are_refused),
		T(s26_row04__memory_without_descriptor_is_not_mapped),
		T(stream__replies_and_lies_end_the_connection),
		T(stream__oversized_messages_end_the_connection),
		T(stream__undersized_messages_end_the_connection),
		T(stream__hangup_is_seen),
		T(s26_row06__work_per_wake_is_bounded),
		T(stream__full_socket_stops_reading),
		T(s26_row24__replies_carry_no_old_bytes),
		T(s26_row23__no_message_reaches_an_assertion),
		cmocka_unit_test(server_new__rejects_shadows_outside_their_bar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
