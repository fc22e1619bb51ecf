/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "security/tunnel_test.h"

/*
 * Two hosts and a network that belongs to the input: every message said is kept (the last SLOTS of them), and each step
 * delivers one of them to either host, whole, changed or cut, or raw bytes; lets a host's wire ask; lets time go by; or
 * boots a host. The model, whatever the network does:
 *	- an epoch rises at each host, and only a host that is there makes it ready: an end that has epoch n from
 *	  a handshake has keys that match those of the other end for the same handshake, or the other end has none
 *	- what was changed on the way moves nothing (no READY comes of it)
 *	- a message that is decoded and encoded again is the same bytes
 *	- once the network behaves, a few requests of both wires join them: same epoch, mirrored keys
 */

enum { SLOTS = 16, STEPS_MAX = 24, HOSTS = 2, SETTLE = 30 };

static struct ctl_bytes_tunnel slot[SLOTS];
static unsigned slot_next;
static uint32_t vni; /* each key is given out once: the check takes the next */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct host *host(unsigned i)
{
	return i % HOSTS ? &b : &a;
}

static void keep(const struct ctl_bytes_tunnel *m)
{
	if (!m->len)
		return;
	slot[slot_next++ % SLOTS] = *m;
}

/* Both directions fit, if both have this epoch of one and the same handshake. */
static bool joined(uint32_t epoch)
{
	struct ctl_tun_key ka, kb;

	vni++;
	ka = host_key(&a, epoch, vni);
	kb = host_key(&b, epoch, vni);
	if (ka.err || kb.err)
		return false;
	must(ka.tx.spi >= 256 && kb.tx.spi >= 256);
	return memcmp(&ka.tx, &kb.rx, sizeof(ka.tx)) == 0 &&
	       memcmp(&ka.rx, &kb.tx, sizeof(ka.rx)) == 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(crypto_init() == 0);
	host_keys();
	return 0;
}

static void canonical(const struct ctl_bytes_tunnel *m)
{
	uint8_t again[TUNNEL_MSG_MAX];
	struct tunnel_msg d;

	if (tunnel_msg_decode(m->b, m->len, &d) == 0)
		must(tunnel_msg_encode(&d, again) == m->len && memcmp(again, m->b, m->len) == 0);
}

static void deliver(struct host *h, const struct ctl_bytes_tunnel *m, bool genuine)
{
	static struct ctl_bytes_tunnel said;
	unsigned cnt = h->ready_cnt;
	int r;

	canonical(m);
	r = host_hear(h, m, &said);
	must(genuine || h->ready_cnt == cnt);
	must(r >= 0 || h->ready_cnt == cnt);
	must(r == 0 || (r >= -4095 && r < 0));
	keep(&said);
}

static void step(struct rd *in)
{
	static struct ctl_bytes_tunnel m;
	uint8_t what = rd_u8(in), arg = rd_u8(in);
	struct host *h = host(what & 1);
	uint16_t at;

	switch (what >> 1 & 7) {
	case 0:
		(void)!host_start(h, &m);
		keep(&m);
		return;
	case 1:
	case 2:
	case 3:
		/* Mostly what came last, else an old one. */
		m = slot[(what & 0x80 ? arg : slot_next - 1 - arg % 2) % SLOTS];
		deliver(h, &m, true);
		return;
	case 4:
		m = slot[arg % SLOTS];
		at = rd_le16(in);
		if (!m.len)
			return;
		m.b[at / 8 % m.len] ^= (uint8_t)(1U << at % 8);
		/* A changed cookie alone may pass as none: the handshake does not count it. */
		deliver(h, &m, m.len == TUNNEL_INIT_BYTES);
		return;
	case 5:
		m.len = rd_le16(in) % (CTL_TUNNEL_MESSAGE_MAX + 1);
		m.len = (uint16_t)(m.len < in->left ? m.len : in->left);
		rd_bytes(in, m.b, m.len);
		deliver(h, &m, false);
		return;
	case 6:
		now_ns += (uint64_t)arg * TUNNEL_S / 8;
		(void)tunnel_expire(a.t, now_ns);
		(void)tunnel_expire(b.t, now_ns);
		return;
	default:
		if (arg == 0xff)
			host_boot(h);
	}
}

/* A network that works: everything said arrives, in order. */
static void settle(void)
{
	static struct ctl_bytes_tunnel m, said;
	unsigned i, hops;
	struct host *h;

	for (i = 0; i < SETTLE; i++) {
		now_ns += TUNNEL_S;
		h = host(i);
		(void)!host_start(h, &m);
		for (hops = 0; m.len && hops < 8; hops++) {
			h = other(h);
			(void)!host_hear(h, &m, &said);
			m = said;
		}
		if (a.epoch && a.epoch == b.epoch && joined(a.epoch))
			break;
	}
	must(i < SETTLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	int i;

	now_ns = 1000 * TUNNEL_S;
	vni = 0;
	slot_next = 0;
	memset(slot, 0, sizeof(slot));
	host_boot(&a);
	host_boot(&b);
	for (i = 0; i < STEPS_MAX && in.left; i++)
		step(&in);
	settle();
	tunnel_freep(&a.t);
	tunnel_freep(&b.t);
	return 0;
}
