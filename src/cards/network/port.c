/* SPDX-License-Identifier: Apache-2.0 */
#include "cards/network/port.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"

static_assert((int)ENA_FRAME_MAX <= PACKET_RING_FRAME_MAX && (int)ENA_FRAME_MAX <= VPC_FRAME_MAX,
	      "whatever the device takes fits everywhere");
static_assert((int)PACKET_RING_FRAME_MAX <= VPC_FRAME_MAX, "whatever the ring brings is judged");

int port_init(struct port *p, const struct port_conf *conf)
{
	int r;

	memset(p, 0, sizeof(*p));
	memcpy(p->id, conf->add->interface_id, sizeof(p->id));
	memcpy(p->mac, conf->add->mac, sizeof(p->mac));
	p->mtu = conf->add->mtu;
	p->kick_fd = conf->kick_fd;
	p->wait_fd = conf->wait_fd;
	p->tap_fd = conf->tap_fd;
	p->tick_ns = p->tx_wake_ns = p->rx_wake_ns = UINT64_MAX;

	r = packet_ring_map(conf->ring_fd, PACKET_RING_A, &p->ring);
	if (r == 0)
		r = vpc_port_new(conf->map, conf->seed, &p->vpc);
	if (r < 0)
		port_done(p);
	return r;
}

void port_done(struct port *p)
{
	ena_freep(&p->ena);
	vpc_port_freep(&p->vpc);
	packet_ring_freep(&p->ring);
	fd_closep(&p->kick_fd);
	fd_closep(&p->wait_fd);
}

/* The wire broke its ring, or is gone for good: the port goes on with what needs no wire. */
static void ring_check(struct port *p)
{
	if (p->ring_lost || !packet_ring_dead(p->ring))
		return;
	p->ring_lost = true;
	log_err("port.ring_broken", "dev=%s", p->id);
}

/* ---- guest -> network ---- */

static void op_flush(void *ctx)
{
	struct port *p = ctx;

	if (packet_ring_publish(p->ring))
		fd_event_signal(p->kick_fd);
}

/* Room in the ring. Return: 0 and *ret, NULL if the ring is lost; -EAGAIN. */
static int room(struct port *p, uint32_t len, uint8_t **ret)
{
	*ret = packet_ring_reserve(p->ring, len);
	if (*ret || packet_ring_dead(p->ring))
		return 0;
	op_flush(p); /* else the wire could wait for us while we wait for it */
	if (packet_ring_want_room(p->ring, len))
		*ret = packet_ring_reserve(p->ring, len);
	if (*ret || packet_ring_dead(p->ring))
		return 0;
	p->counters.ring_full++;
	return -EAGAIN;
}

static struct vpc_reply *reply_slot(struct port *p)
{
	return &p->reply[p->reply_cnt < PORT_REPLIES ? p->reply_cnt : PORT_REPLIES - 1];
}

static void reply_add(struct port *p)
{
	if (p->reply_cnt < PORT_REPLIES)
		p->reply_cnt++;
	else
		p->counters.replies_lost++; /* overwritten; the guest asks again */
}

/*
 * Room first, then the contract, then the engine: a frame that has to come again must not have been judged.
 */
static int op_reserve(void *ctx, struct ena_frame *ef, uint8_t **ret)
{
	struct port *p = ctx;
	uint64_t wait_ns;
	uint8_t *slot;
	int r;

	wait_ns = vpc_wait_ns(p->vpc, VPC_TX, p->now_ns);
	if (wait_ns) {
		p->tx_wake_ns = p->now_ns + wait_ns;
		return -EAGAIN;
	}
	r = room(p, (uint32_t)ef->len, &slot);
	if (r < 0)
		return r;
	ring_check(p);

	p->verdict =
		vpc_tx(p->vpc, p->now_ns, ef->hdr, ef->hdr_len, ef->len, &p->frame, reply_slot(p));
	switch (p->verdict) {
	case VPC_WIRE:
		if (!slot)
			return -EIO;
		*ret = slot;
		break;
	case VPC_METADATA:
	case VPC_DHCP:
	case VPC_REPLY:
		*ret = p->scratch;
		break;
	case VPC_DROP:
	case VPC_GUEST:
		return -EPERM;
	}
	/* The engine rewrites MACs and nothing else. */
	memcpy(ef->hdr, p->frame.h, 2 * sizeof(p->mac));
	return 0;
}

static void op_commit(void *ctx, const struct ena_frame *ef, uint8_t *to)
{
	struct port *p = ctx;

	switch (p->verdict) {
	case VPC_WIRE:
		packet_ring_commit(p->ring, (uint32_t)ef->len,
				   ef->flags & ENA_FRAME_L4_OK ? PACKET_L4_OK : 0);
		break;
	case VPC_METADATA:
		/* #syscalls:* write */
		if (p->tap_fd < 0 || write(p->tap_fd, to, ef->len) != (ssize_t)ef->len)
			p->counters.metadata_lost++;
		break;
	case VPC_DHCP:
		if (vpc_dhcp(p->vpc, to, ef->len, reply_slot(p)) == VPC_REPLY)
			reply_add(p);
		break;
	case VPC_REPLY:
		reply_add(p);
		break;
	case VPC_DROP:
	case VPC_GUEST:
		break;
	}
	p->verdict = VPC_DROP;
}

static void op_allowance(void *ctx, struct ena_allowance *ret)
{
	struct port *p = ctx;
	const struct vpc_counters *c = vpc_port_counters(p->vpc);
	const struct vpc_interface *i = vpc_port_interface(p->vpc);
	uint64_t max = !i ? 0 : i->conntrack_max ? i->conntrack_max : VPC_CONNTRACK_DEFAULT;

	*ret = (struct ena_allowance){
		.bw_in_exceeded = c->limited[VPC_RX],
		.bw_out_exceeded = c->limited[VPC_TX],
		.pps_exceeded = c->pps_limited,
		.conntrack_exceeded = c->drop[VPC_TX][VPC_R_CONNTRACK_FULL] +
				      c->drop[VPC_RX][VPC_R_CONNTRACK_FULL],
		.linklocal_exceeded = c->drop[VPC_TX][VPC_R_SERVICE_RATE],
		.conntrack_available = max > c->flows ? max - c->flows : 0,
	};
}

const struct ena_port_ops port_ops = {
	.reserve = op_reserve,
	.commit = op_commit,
	.flush = op_flush,
	.allowance = op_allowance,
};

/* ---- network -> guest ---- */

static int give(struct port *p, const uint8_t *hdr, size_t hdr_len, const uint8_t *payload,
		size_t len, unsigned flags)
{
	const struct ena_rx_frame f = {
		.hdr = hdr,
		.hdr_len = hdr_len,
		.payload = payload,
		.len = len,
		.flags = flags,
	};

	return ena_rx(p->ena, &f);
}

static void give_failed(struct port *p, int err)
{
	ena_rx_dropped(p->ena, 1);
	if (err == -ENOBUFS)
		p->counters.rx_no_buffer++;
	else if (err == -ENETDOWN)
		p->counters.rx_down++;
	else
		p->counters.rx_refused++;
}

/* Answers go first come, first served; one without a buffer waits for the next turn. */
static bool replies_give(struct port *p)
{
	unsigned i;
	int r = 0;

	for (i = 0; i < p->reply_cnt; i++) {
		const struct vpc_reply *reply = &p->reply[i];

		r = give(p, reply->b, reply->len, NULL, reply->len, ENA_FRAME_L4_OK);
		if (r == -ENOBUFS)
			break;
		if (r < 0)
			give_failed(p, r);
	}
	if (!i)
		return false;
	p->reply_cnt -= i;
	memmove(p->reply, p->reply + i, p->reply_cnt * sizeof(p->reply[0]));
	return true;
}

/* The frame in p->packet, judged as p->rx. Return: true: done with it, false: it waits for a buffer. */
static bool packet_give(struct port *p)
{
	const struct packet *pkt = &p->packet;
	int r;

	r = give(p, p->rx.h, p->rx.h_len, pkt->data + p->rx.h_len, pkt->len,
		 pkt->flags & PACKET_L4_OK ? ENA_FRAME_L4_OK : 0);
	if (r == -ENOBUFS) {
		/* Only the first waits: a guest that gives no buffers must not make every frame late. */
		if (!p->held && !p->starved)
			p->held_until_ns = p->now_ns + PORT_HOLD_NS;
		p->held = true;
		if (p->now_ns < p->held_until_ns)
			return false;
	}
	p->held = false;
	p->starved = r == -ENOBUFS;
	if (r < 0)
		give_failed(p, r);
	return true;
}

/* Return: true: one frame was dealt with. */
static bool packet_step(struct port *p)
{
	uint8_t hdr[FRAME_HEADERS_MAX];
	uint64_t wait_ns;
	size_t have;

	if (!p->held) {
		if (packet_ring_peek(p->ring, &p->packet) <= 0)
			return false;
		wait_ns = vpc_wait_ns(p->vpc, VPC_RX, p->now_ns);
		if (wait_ns) {
			p->rx_wake_ns = p->now_ns + wait_ns;
			return false;
		}
		have = min_u64(p->packet.len, sizeof(hdr));
		packet_ring_copy(hdr, p->packet.data, have);
		if (vpc_rx(p->vpc, p->now_ns, hdr, have, p->packet.len, &p->rx) != VPC_GUEST) {
			ena_rx_dropped(p->ena, 1);
			packet_ring_consume(p->ring);
			return true;
		}
	}
	if (!packet_give(p))
		return false;
	packet_ring_consume(p->ring);
	return true;
}

static bool ring_pump(struct port *p)
{
	unsigned n = 0;

	p->rx_wake_ns = UINT64_MAX;
	while (n < PORT_RX_BATCH && packet_step(p))
		n++;
	if (n && packet_ring_release(p->ring))
		fd_event_signal(p->kick_fd);
	ring_check(p);
	return n != 0;
}

void port_metadata_rx(struct port *p, const struct frame *f, const uint8_t *frame, size_t len)
{
	int r = give(p, f->h, f->h_len, frame + f->h_len, len, ENA_FRAME_L4_OK);

	if (r < 0)
		give_failed(p, r);
	ena_rx_flush(p->ena);
}

/* ---- turns ---- */

/* Both directions share the packet rate: they take turns in being first at it, else the first would take all. */
bool port_service(struct port *p, uint64_t now_ns)
{
	bool did, gave = false;

	p->now_ns = now_ns;
	p->tx_wake_ns = UINT64_MAX;
	if (p->tick_ns == UINT64_MAX || now_ns >= p->tick_ns) {
		vpc_port_tick(p->vpc, now_ns);
		p->tick_ns = now_ns + PORT_TICK_NS;
	}
	p->rx_first = !p->rx_first;
	if (p->rx_first)
		gave = ring_pump(p);
	did = ena_service(p->ena, now_ns);
	gave |= replies_give(p);
	if (!p->rx_first)
		gave |= ring_pump(p);
	if (gave)
		ena_rx_flush(p->ena);
	return did || gave;
}

bool port_arm(struct port *p)
{
	bool more = ena_arm(p->ena);

	/* Frames that wait for the contract or a buffer need no kick: the clock, or the guest, brings the next turn. */
	if (!p->held && p->rx_wake_ns == UINT64_MAX && !packet_ring_dead(p->ring))
		more |= packet_ring_arm(p->ring);
	return more;
}

uint64_t port_wake_ns(const struct port *p)
{
	uint64_t wake = min_u64(ena_wake_ns(p->ena), p->tick_ns);

	wake = min_u64(wake, min_u64(p->tx_wake_ns, p->rx_wake_ns));
	return p->held ? min_u64(wake, p->held_until_ns) : wake;
}

/*
 * The guest's kernel answers ARP by itself as long as it lives. Its answer is a frame like any other, and is counted
 * as one before it is dropped: nobody else shall hear it. Answers somebody waits for come first.
 */
bool port_probe(struct port *p, uint64_t *ret_frames)
{
	struct ena_stats dev;

	ena_stats_get(p->ena, &dev);
	*ret_frames = dev.tx_frames + dev.tx_drops;
	if (!ena_running(p->ena) || p->reply_cnt > 0 || vpc_probe(p->vpc, reply_slot(p)) < 0)
		return false;
	reply_add(p);
	return true;
}

/* ---- statistics ---- */

struct lines {
	const char *id;
	char *buf;
	size_t cap, len;
};

static void line(struct lines *l, const char *name, uint64_t v)
{
	char text[PORT_LINE_BYTES];
	int n = snprintf(text, sizeof(text), "%s %s %llu\n", l->id, name, (unsigned long long)v);

	if (n <= 0 || n >= (int)sizeof(text) || (size_t)n > l->cap - l->len)
		return;
	memcpy(l->buf + l->len, text, (size_t)n);
	l->len += (size_t)n;
}

static void drop_lines(struct lines *l, const struct vpc_counters *c)
{
	char name[PORT_LINE_BYTES / 2];
	unsigned dir, why;

	for (dir = 0; dir < VPC_DIRECTIONS; dir++) {
		for (why = 0; why < VPC_REASONS; why++) {
			if (!c->drop[dir][why])
				continue;
			snprintf(name, sizeof(name), "%s_drop_%s", dir == VPC_TX ? "tx" : "rx",
				 vpc_reason_name((enum vpc_reason)why));
			line(l, name, c->drop[dir][why]);
		}
	}
}

size_t port_stats(struct port *p, char *buf, size_t cap)
{
	const struct vpc_counters *c = vpc_port_counters(p->vpc);
	struct lines l = { .id = p->id, .buf = buf, .cap = cap };
	struct ena_stats dev;

	ena_stats_get(p->ena, &dev);
	line(&l, "tx_frames", c->frames[VPC_TX]);
	line(&l, "tx_bytes", c->bytes[VPC_TX]);
	line(&l, "rx_frames", c->frames[VPC_RX]);
	line(&l, "rx_bytes", c->bytes[VPC_RX]);
	line(&l, "tx_limited", c->limited[VPC_TX]);
	line(&l, "rx_limited", c->limited[VPC_RX]);
	line(&l, "pps_limited", c->pps_limited);
	line(&l, "metadata_tx", c->metadata_tx);
	line(&l, "metadata_rx", c->metadata_rx);
	line(&l, "arp_replies", c->arp_replies);
	line(&l, "dhcp_replies", c->dhcp_replies);
	line(&l, "flows", c->flows);
	line(&l, "flows_evicted", c->flows_evicted);
	line(&l, "flows_expired", c->flows_expired);
	line(&l, "rx_no_buffer", p->counters.rx_no_buffer);
	line(&l, "rx_down", p->counters.rx_down);
	line(&l, "rx_refused", p->counters.rx_refused);
	line(&l, "replies_lost", p->counters.replies_lost);
	line(&l, "metadata_lost", p->counters.metadata_lost);
	line(&l, "ring_full", p->counters.ring_full);
	line(&l, "ring_broken", p->ring_lost);
	line(&l, "device_tx_drops", dev.tx_drops);
	line(&l, "device_rx_drops", dev.rx_drops);
	line(&l, "device_resets", dev.resets);
	line(&l, "device_fatals", dev.fatals);
	drop_lines(&l, c);
	return l.len;
}
