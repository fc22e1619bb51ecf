/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Datagrams from the network. Input: records of op (1), length (2, little-endian), bytes.
 *   0 the bytes are a datagram from host 2's address     1 ... from a stranger's
 *   2 host 2, which was taken over, sends the bytes as a frame, sealed properly
 *   3 as 0, with an SPI that exists                      4 the last sealed packet again
 *   5 the last sealed packet with a byte of it changed
 * Asserted: only op 2 ever delivers, and exactly what a second opinion written here allows, unchanged; a handshake message
 * reaches niter-security only from a host we know, unchanged.
 */

#include <string.h>

#include "base/bytes.h"
#include "wire_fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t datagram[UDP_RX_BYTES], sealed[UDP_RX_BYTES], got[PACKET_RING_FRAME_MAX];
static size_t sealed_len;

/* The second opinion, byte by byte: may host 2 have this frame delivered to p1 or p2? */
static struct rig_port *allowed(const uint8_t *f, size_t len)
{
	static const uint8_t far[6] = { 6, 0, 0, 0, 2, 1 }, gateway[6] = { 6, 0, 0, 0, 2, 9 };
	static const uint8_t far_ip[4] = { 172, 31, 2, 1 };
	bool from_gateway = len >= 12 && !memcmp(f + 6, gateway, 6);
	unsigned total, known;

	if (len < 34 || f[12] != 8 || f[13] != 0 || f[14] >> 4 != 4 || (f[14] & 15) < 5)
		return NULL; /* IPv6 has no address here at all */
	total = (unsigned)f[16] << 8 | f[17];
	if (total < (f[14] & 15U) * 4 || total + 14 > len)
		return NULL;
	if (memcmp(f, "\6\0\0\0\1", 5) != 0 || (f[5] != 1 && f[5] != 2))
		return NULL;
	if (memcmp(f + 6, far, 6) != 0 && !from_gateway)
		return NULL;
	known = !memcmp(f + 26, far_ip, 4); /* by either of that host's */
	if (!known && !(from_gateway && !(f[26] == 172 && f[27] == 31)))
		return NULL;
	return f[5] == 1 ? world.p1 : world.p2;
}

/* Whatever lies in the rings: @to gets @frame, once, and nobody else anything. */
static void check_delivery(struct rig_port *to, const uint8_t *frame, size_t len)
{
	struct rig_port *const port[] = { world.p1, world.p2, world.other };
	size_t i, n = 0;

	for (i = 0; i < ARRAY_SIZE(port); i++) {
		unsigned cnt = world_delivered(port[i], got, &n);

		must(cnt == (port[i] == to));
		must(!cnt || (n == len && !memcmp(got, frame, len)));
	}
}

static void check_handshake(const uint8_t *d, size_t len, bool known)
{
	struct ctl_msg *m = &world.rig.msg;

	while (ctl_recv(world.rig.sec.fd, m) == 1) {
		if (m->type == CTL_TUN_MESSAGE) {
			must(known && len > 4 && !memcmp(d, "\0\0\0\0", 4));
			must(m->u.tun_message.peer == 2 && m->u.tun_message.data.len == len - 4 &&
			     !memcmp(m->u.tun_message.data.b, d + 4, len - 4));
		}
		ctl_msg_done(m);
	}
}

static void play(const uint8_t *d, size_t len, bool known)
{
	memcpy(datagram, d, len);
	ingress_datagram(&world.rig.w, datagram, len, known ? &world.peer : &world.stranger);
	port_kicks(&world.rig.w);
	check_handshake(d, len, known);
}

static void frame_play(const uint8_t *f, size_t len)
{
	struct esp_seal job = {
		.sa = world.peer_tx, .head = f, .head_len = (uint32_t)len, .out = sealed
	};

	if (len < GENEVE_FRAME_MIN || len > ESP_FRAME_MAX)
		return;
	esp_seal(&job, 1);
	must(job.ret > 0);
	sealed_len = (size_t)job.ret;
	play(sealed, sealed_len, true);
	check_delivery(allowed(f, len), f, len);
}

static void record(unsigned op, const uint8_t *p, size_t len)
{
	static uint8_t buf[UDP_RX_BYTES];
	struct wr w = wr_init(buf, 4);

	memcpy(buf, p, len);
	if (op == 2) {
		frame_play(buf, len);
		return;
	}
	if (op == 3 && len >= 4)
		wr_be32(&w, world.keys.rx.spi);
	if (op == 4 || op == 5) {
		len = sealed_len;
		memcpy(buf, sealed, len);
	}
	if (op == 5 && len > 8)
		buf[8 + p[0] % (len - 8)] ^= 0x40;
	play(buf, len, op != 1);
	check_delivery(NULL, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	unsigned n = 0;

	world_fresh();
	sealed_len = 0;
	while (in.left >= 4 && n++ < 64) {
		unsigned op = rd_u8(&in) % 6;
		size_t len = rd_le16(&in);

		if (len > in.left)
			len = in.left;
		if (len)
			record(op, in.p, len);
		rd_skip(&in, len);
	}
	return 0;
}
