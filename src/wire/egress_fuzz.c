/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A card that was taken over, at its ring. Input: records of op (1), length (2, little-endian), bytes.
 *   0 the bytes are a frame in an honest record           1 the bytes go over the ring's memory at an offset (their first 3)
 *   2 the eventfd is signalled for nothing
 * Asserted: a frame arrives where a second opinion written here says, unchanged, and nowhere else; what leaves for host 2
 * opens there and is the frame; a broken ring disturbs no other port; and it can be replaced.
 */

#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "wire_fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t got[PACKET_RING_FRAME_MAX];

enum where { NOWHERE, TO_P2, TO_FAR };

static enum where allowed(const uint8_t *f, size_t len)
{
	static const uint8_t own[6] = { 6, 0, 0, 0, 1, 1 }, ip[4] = { 172, 31, 1, 1 };
	unsigned total;

	if (len < 34 || memcmp(f + 6, own, 6) != 0 || f[12] != 8 || f[13] != 0 || f[14] >> 4 != 4 ||
	    (f[14] & 15) < 5 || memcmp(f + 26, ip, 4) != 0)
		return NOWHERE;
	total = (unsigned)f[16] << 8 | f[17];
	if (total < (f[14] & 15U) * 4 || total + 14 > len)
		return NOWHERE;
	if (!memcmp(f, "\6\0\0\0\1\2", 6))
		return TO_P2;
	if (!memcmp(f, "\6\0\0\0\2", 5) && (f[5] == 1 || f[5] == 9))
		return TO_FAR;
	return NOWHERE;
}

/* What would leave: every datagram opens at host 2. Return: how many; the last one's frame in @got. */
static unsigned left(size_t *ret_len)
{
	struct udp *u = &world.rig.w.udp;
	unsigned n = 0, i;

	for (i = 0; i < u->run_cnt; i++) {
		uint32_t off = u->run[i].off, end = off + u->run[i].len;

		for (; off < end; off += u->run[i].size) {
			struct esp_open job = { .sa = world.peer_rx,
						.packet = u->tx + off,
						.out = u->tx + off,
						.len = u->run[i].size };

			if (job.len > end - off)
				job.len = end - off;
			esp_open(&job, 1);
			must(job.ret == 0);
			memcpy(got, job.frame, job.frame_len);
			*ret_len = job.frame_len;
			n++;
		}
	}
	u->run_cnt = u->run_sent = u->tx_len = 0;
	return n;
}

static void work(void)
{
	struct wire *w = &world.rig.w;
	unsigned i;

	port_activate(w, world.p1 - world.rig.port + w->port);
	port_activate(w, world.p2 - world.rig.port + w->port);
	for (i = 0; i < w->active_cnt; i++)
		if (w->port[w->active[i]].ring)
			(void)port_turn(w, &w->port[w->active[i]]);
	port_kicks(w);
}

static void check(enum where to, const uint8_t *frame, size_t len)
{
	size_t n = 0;
	unsigned cnt;

	cnt = world_delivered(world.p2, got, &n);
	must(cnt == (to == TO_P2) && (!cnt || (n == len && !memcmp(got, frame, len))));
	cnt = left(&n);
	must(cnt == (to == TO_FAR) && (!cnt || (n == len && !memcmp(got, frame, len))));
	must(world_delivered(world.other, got, &n) == 0);
	must(world_delivered(world.p1, got, &n) == 0);
}

static void frame_play(const uint8_t *f, size_t len)
{
	uint8_t *to;

	if (len < PACKET_RING_FRAME_MIN || len > PACKET_RING_FRAME_MAX)
		return;
	to = packet_ring_reserve(world.p1->ring, (uint32_t)len);
	must(to);
	memcpy(to, f, len);
	packet_ring_commit(world.p1->ring, (uint32_t)len, 0);
	(void)!packet_ring_publish(world.p1->ring);
	work();
	check(allowed(f, len), f, len);
}

/* Whatever happened to p1's ring: p2 and its neighbour talk, and p1 gets a new one. */
static void recover(void)
{
	size_t n = 0;

	/* Frames that the broken indices made the wire see may have gone anywhere that their bytes allow. */
	(void)world_delivered(world.p2, got, &n);
	world.rig.w.udp.run_cnt = world.rig.w.udp.run_sent = world.rig.w.udp.tx_len = 0;
	must(rig_port_ring(&world.rig, world.p1) == 0);
	rig_send_to(world.p2, world.p1, 0x1234, 0);
	work();
	must(rig_recv(world.p1, NULL) == 0x1234 && rig_recv(world.p1, NULL) == 0);
}

static void poke(const uint8_t *p, size_t len)
{
	struct rd in = rd_init(p, len);
	uint32_t at = rd_u8(&in);
	uint8_t *mem = mmap(NULL, PACKET_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			    world.p1->mem_fd, 0);

	must(mem != MAP_FAILED);
	at |= (uint32_t)rd_le16(&in) << 8;
	at %= PACKET_RING_BYTES;
	len = in.left < PACKET_RING_BYTES - at ? in.left : PACKET_RING_BYTES - at;
	memcpy(mem + at, in.p, len);
	must(munmap(mem, PACKET_RING_BYTES) == 0);
	work();
	recover();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[UINT16_MAX];
	struct rd in = rd_init(data, size);
	unsigned n = 0;

	world_fresh();
	while (in.left >= 4 && n++ < 32) {
		unsigned op = rd_u8(&in) % 3;
		size_t len = rd_le16(&in);

		if (len > in.left)
			len = in.left;
		memcpy(buf, in.p, len);
		if (op == 0)
			frame_play(buf, len);
		else if (op == 1 && len > 3)
			poke(buf, len);
		else
			work();
		rd_skip(&in, len);
	}
	return 0;
}
