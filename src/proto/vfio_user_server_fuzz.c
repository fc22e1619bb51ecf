/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "proto/gmem_test.h"
#include "proto/vu_server.h"
#include "vu_raw.h"

/*
 * A client that says anything, to a card that does DMA meanwhile. Input: steps of
 *   u8 what, u8 descriptors, u16 length, bytes
 * Asserted: the device sees only accesses inside its BARs; answers are well-formed; memory that could be mapped can be
 * touched; nothing leaks.
 */

enum {
	PAGE = 4096,
	STEPS_MAX = 64,
	BAR0 = 4 * PAGE,
	BAR2 = PAGE,
	VECTORS = 5,
	STEP_RAW = 0,     /* bytes as they are */
	STEP_MESSAGE = 1, /* u8 command, then the payload; the header is right */
	STEP_RESUME = 2,
	STEP_BUSY = 3, /* the device needs that many more calls to become quiet */
	STEP_DMA = 4,  /* u64 address, u16 length: the device copies, maps and puts back */
	STEP_KINDS = 5,
};

struct dev {
	struct gmem *mem;
	unsigned busy;
	struct gmem_span held; /* keeps an unmap waiting until the device is quiet */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once: an eventfd, sealed memory, unsealed memory, a pipe. */
static int pool[4] = { -1, -1, -1, -1 };

static void pool_init(void)
{
	int pipes[2];

	if (pool[0] >= 0)
		return;
	pool[0] = fd_eventfd();
	pool[1] = fd_memfd("fuzz", 8 * PAGE);
	pool[2] = memfd_create("fuzz-unsealed", MFD_CLOEXEC);
	must(pool[0] >= 0 && pool[1] >= 0 && pool[2] >= 0 && ftruncate(pool[2], PAGE) == 0);
	must(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
	pool[3] = pipes[1];
	close(pipes[0]);
}

static int dev_access(void *dev UNUSED, unsigned region, uint64_t off, void *buf, size_t len,
		      bool write)
{
	must((region == 0 && range_ok(off, len, BAR0)) ||
	     (region == 2 && range_ok(off, len, BAR2)));
	must(len >= 1 && len <= VU_XFER_MAX_BYTES);
	if (!write)
		memset(buf, 0x11, len / 2);
	return off == 0xbad ? -EIO : 0;
}

static int dev_quiesce(void *dev, bool reset UNUSED)
{
	struct dev *d = dev;

	if (d->busy) {
		d->busy--;
		return -EINPROGRESS;
	}
	gmem_put(d->mem, &d->held);
	return 0;
}

static void dev_resume(void *dev)
{
	struct dev *d = dev;

	must(!d->held.p && gmem_pins(d->mem) == 0);
}

static const struct vu_server_ops ops = { dev_access, dev_quiesce, dev_resume, NULL };

static const struct pci_config_conf conf = {
	.vendor = 0x1d0f,
	.class_code = 0x010802,
	.bar = { [0] = { .size = BAR0, .is_64 = true }, [2] = { .size = BAR2 } },
	.msix = { .vector_cnt = VECTORS, .table_bar = 2, .pba_bar = 2, .pba_off = 2048 },
	.express = true,
	.flr = true,
	.pm = true,
};

struct run {
	struct dev dev;
	struct pci_config config;
	struct vu_server *s;
	int sock;
	bool dead;
};

/* Everything the server said so far must be a proper answer. */
static void drain(struct run *u)
{
	static struct vu_msg in;

	vu_msg_init(&in);
	while (vu_msg_recv(&in, u->sock) == 1) {
		must((in.hdr.flags & VU_F_TYPE_MASK) == VU_F_REPLY);
		must(!(in.hdr.flags & VU_F_ERROR) ||
		     (in.hdr.size == VU_HDR_BYTES && in.hdr.error != 0));
		must(in.fds.cnt <= VU_FDS_MAX);
		vu_msg_done(&in);
	}
	vu_msg_done(&in);
}

static void send_bytes(struct run *u, const uint8_t *p, size_t len, uint8_t fd_code)
{
	int fds[3];
	unsigned i, cnt = fd_code & 3;

	for (i = 0; i < cnt; i++)
		fds[i] = pool[(fd_code >> (2 + 2 * i)) & 3];
	if (len && fd_msg_send(u->sock, p, len, fds, cnt) < 0)
		return;
	if (vu_server_handle(u->s) < 0)
		u->dead = true;
	drain(u);
}

static void send_message(struct run *u, struct rd *in, uint8_t fd_code)
{
	static struct vu_raw m;
	size_t len;

	vu_raw_begin(&m, 1, rd_u8(in), (fd_code & 0x80) ? VU_F_NO_REPLY : 0, 0);
	len = (size_t)min_u64(in->left, VU_MSG_MAX_BYTES - VU_HDR_BYTES);
	vu_raw_bytes(&m, in->p, len);
	vu_raw_size_true(&m);
	send_bytes(u, m.buf, m.len, fd_code);
}

static void dma(struct run *u, struct rd *in)
{
	gpa_t at = { rd_le64(in) };
	size_t len = rd_le16(in);
	static uint8_t buf[UINT16_MAX];
	struct gmem_span s;

	if (gmem_read(u->dev.mem, at, buf, len) == 0)
		(void)!gmem_write(u->dev.mem, at, buf, len);
	if (gmem_map(u->dev.mem, at, len, GMEM_READ | GMEM_WRITE, &s) < 0)
		return;
	must(s.len >= 1 && s.len <= len);
	memset(s.p, 0x33, s.len);
	if (!u->dev.held.p)
		u->dev.held = s;
	else
		gmem_put(u->dev.mem, &s);
}

static void step(struct run *u, struct rd *in)
{
	uint8_t what = rd_u8(in), fd_code = rd_u8(in);
	uint16_t want = rd_le16(in);
	struct rd body = rd_init(in->p, (size_t)min_u64(want, in->left));

	rd_skip(in, body.left);
	switch (what % STEP_KINDS) {
	case STEP_RAW:
		send_bytes(u, body.p, body.left, fd_code);
		break;
	case STEP_MESSAGE:
		send_message(u, &body, fd_code);
		break;
	case STEP_RESUME:
		if (vu_server_resume(u->s) < 0)
			u->dead = true;
		drain(u);
		break;
	case STEP_BUSY:
		u->dev.busy = fd_code % 4;
		break;
	default:
		dma(u, &body);
		break;
	}
	must(gmem_region_cnt(u->dev.mem) <= GMEM_REGIONS_MAX);
}

static void start(struct run *u)
{
	static struct vu_server_conf sc;
	int peer;

	memset(u, 0, sizeof(*u));
	must(pci_config_init(&u->config, &conf) == 0);
	must(gmem_new(&u->dev.mem) == 0);
	must(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, &u->sock, &peer) == 0);
	memset(&sc, 0, sizeof(sc));
	sc.ops = &ops;
	sc.dev = &u->dev;
	sc.config = &u->config;
	sc.mem = u->dev.mem;
	sc.shadow_cnt = 1;
	sc.shadow[0] = (struct vu_server_shadow){ 0, PAGE, 64, pool[0], pool[1], 0 };
	must(vu_server_new(peer, &sc, &u->s) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	static struct vu_raw hello;
	static struct run u;
	unsigned i, fds;

	pool_init();
	fds = vu_raw_fd_cnt();
	gmem_fuzz_feed(data, size);
	start(&u);
	/* The first byte says whether the hello is left to the input. */
	if (!(rd_u8(&in) & 1)) {
		vu_raw_hello(&hello, "{\"capabilities\":{\"max_msg_fds\":8}}");
		send_bytes(&u, hello.buf, hello.len, 0);
	}
	for (i = 0; i < STEPS_MAX && in.left && !u.dead; i++)
		step(&u, &in);
	gmem_put(u.dev.mem, &u.dev.held);
	vu_server_free(u.s);
	must(gmem_region_cnt(u.dev.mem) == 0);
	gmem_free(u.dev.mem);
	close(u.sock);
	must(vu_raw_fd_cnt() == fds);
	return 0;
}
