/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Datagrams from the network: anybody may have sent them. First who: the SPI names a key, and the key names a host and
 * a network. Then, in vpc/esp, the number and the tag. Only then is the inside looked at, and that host may only speak
 * for what niterd says is there: another host that was taken over can spoof its own instances and nobody else's.
 */

#include <errno.h>

#include "base/bytes.h"
#include "base/num.h"
#include "wire/guard.h"
#include "wire/wire.h"

static void frame_deliver(struct wire *w, const struct tunnel *t, const uint8_t *frame, size_t len)
{
	const struct map_entry *src, *dst;
	struct map_key k;
	struct inner i;
	struct port *p;

	if (inner_parse(frame, len, &i) != INNER_OK) {
		w->cnt.drop[WIRE_D_INNER]++;
		return;
	}
	k = map_key_mac(t->vni, i.src);
	src = map_find(&w->map, &k);
	if (!guard_peer_mac(t, src)) {
		w->cnt.drop[WIRE_D_SRC_MAC]++;
		return;
	}
	k = map_key_mac(t->vni, i.dst);
	dst = map_find(&w->map, &k);
	p = dst && dst->port ? &w->port[dst->port - 1] : NULL;
	if (!p) {
		w->cnt.drop[WIRE_D_UNKNOWN_DST]++;
		return;
	}
	if (!guard_peer_ip(w, t, &i, src, p)) {
		w->cnt.drop[WIRE_D_SRC_IP]++;
		return;
	}
	/* All of it is private: the ring's other side sees it only now. */
	port_deliver(w, p, frame, len, NULL, 0, 0);
}

static void opened(struct wire *w, struct rx_sa *sa, const struct esp_open *job)
{
	switch (-job->ret) {
	case 0:
		w->cnt.esp_rx_frames++;
		tunnel_rx_used(w, sa);
		frame_deliver(w, &w->tunnel[sa->tunnel], job->frame, job->frame_len);
		return;
	case EALREADY:
		w->cnt.drop[WIRE_D_REPLAY]++;
		return;
	case EPROTO:
		w->cnt.drop[WIRE_D_FORMAT]++;
		return;
	default:
		w->cnt.drop[WIRE_D_ICV]++;
		return;
	}
}

static void esp_datagram(struct wire *w, uint8_t *buf, size_t len, const struct udp_addr *from)
{
	struct esp_open job = { .packet = buf, .out = buf, .len = (uint32_t)len };
	struct peer *peer;
	uint32_t spi, seq;
	struct rx_sa *sa;

	if (esp_peek(buf, len, &spi, &seq) < 0) {
		w->cnt.drop[WIRE_D_RUNT]++;
		return;
	}
	sa = tunnel_rx_find(w, spi);
	if (!sa) {
		w->cnt.drop[WIRE_D_UNKNOWN_SPI]++;
		peer = peer_by_addr(w, from);
		if (peer)
			peer_event(w, peer, PEER_EV_STRANGE);
		return;
	}
	job.sa = sa->esp;
	esp_open(&job, 1);
	opened(w, sa, &job);
}

/* spec: rfc-3948 §2.2, §2.3: four zero bytes are no ESP; a single 0xff keeps a NAT's mapping alive. */
void ingress_datagram(struct wire *w, uint8_t *buf, size_t len, const struct udp_addr *from)
{
	struct rd in = rd_init(buf, len);
	uint32_t marker = rd_be32(&in);

	if (len == 1 && buf[0] == 0xff)
		w->cnt.keepalives++;
	else if (in.bad)
		w->cnt.drop[WIRE_D_RUNT]++;
	else if (!marker)
		keys_handshake(w, buf + WIRE_MARKER, len - WIRE_MARKER, from);
	else
		esp_datagram(w, buf, len, from);
}
