/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "wire/wire.h"

static const char *const port_drop_names[PORT_DROPS] = {
	[PORT_D_RUNT] = "drop_runt",
	[PORT_D_ARP] = "drop_arp",
	[PORT_D_ETHERTYPE] = "drop_ethertype",
	[PORT_D_GROUP] = "drop_group_address",
	[PORT_D_UNCONFIGURED] = "drop_unconfigured",
	[PORT_D_SRC_MAC] = "drop_source_mac",
	[PORT_D_SRC_IP] = "drop_source_ip",
	[PORT_D_UNKNOWN_DST] = "drop_unknown_destination",
	[PORT_D_NO_KEYS] = "drop_no_keys",
	[PORT_D_EXHAUSTED] = "drop_key_exhausted",
	[PORT_D_SOCKET_FULL] = "drop_socket_full",
	[PORT_D_RING_FULL] = "drop_ring_full",
};

static const char *const wire_drop_names[WIRE_DROPS] = {
	[WIRE_D_RUNT] = "drop_runt",
	[WIRE_D_UNKNOWN_SPI] = "drop_unknown_spi",
	[WIRE_D_REPLAY] = "drop_replay",
	[WIRE_D_ICV] = "drop_icv",
	[WIRE_D_FORMAT] = "drop_format",
	[WIRE_D_INNER] = "drop_inner",
	[WIRE_D_SRC_MAC] = "drop_source_mac",
	[WIRE_D_SRC_IP] = "drop_source_ip",
	[WIRE_D_UNKNOWN_DST] = "drop_unknown_destination",
	[WIRE_D_HANDSHAKE_PEER] = "drop_handshake_stranger",
	[WIRE_D_HANDSHAKE_RATE] = "drop_handshake_rate",
	[WIRE_D_HANDSHAKE_SIZE] = "drop_handshake_size",
	[WIRE_D_HANDSHAKE_CHANNEL] = "drop_handshake_channel",
};

/* Lines that do not fit are left out; the last line says so. */
struct text {
	struct ctl_bytes_chunk *to;
	bool cut;
};

enum { ROOM_FOR_CUT = 32 };

static void line(struct text *t, const char *who, const char *name, uint64_t value)
{
	size_t room = sizeof(t->to->b) - ROOM_FOR_CUT - t->to->len;
	int n;

	/* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.*): bounded */
	n = snprintf((char *)t->to->b + t->to->len, room, "%s %s %" PRIu64 "\n", who, name, value);
	if (n < 0 || (size_t)n >= room) {
		t->cut = true;
		return;
	}
	t->to->len = (uint16_t)(t->to->len + n);
}

static void wire_lines(struct text *t, const struct wire *w)
{
	const struct udp_counters *u = &w->udp.cnt;
	unsigned i;

	line(t, "wire", "esp_tx_frames", w->cnt.esp_tx_frames);
	line(t, "wire", "esp_rx_frames", w->cnt.esp_rx_frames);
	line(t, "wire", "udp_tx_datagrams", u->tx_datagrams);
	line(t, "wire", "udp_tx_bytes", u->tx_bytes);
	line(t, "wire", "udp_tx_calls", u->tx_calls);
	line(t, "wire", "udp_tx_runs", u->tx_runs);
	line(t, "wire", "udp_tx_errors", u->tx_errors);
	line(t, "wire", "udp_tx_fragmented", u->tx_fragmented);
	line(t, "wire", "udp_rx_datagrams", u->rx_datagrams);
	line(t, "wire", "udp_rx_bytes", u->rx_bytes);
	line(t, "wire", "udp_rx_calls", u->rx_calls);
	line(t, "wire", "handshakes_tx", w->cnt.handshakes_tx);
	line(t, "wire", "handshakes_rx", w->cnt.handshakes_rx);
	line(t, "wire", "handshakes_asked", w->cnt.starts);
	line(t, "wire", "epochs", w->cnt.epochs);
	line(t, "wire", "keys_installed", w->cnt.keys_installed);
	line(t, "wire", "keys_refused", w->cnt.keys_refused);
	line(t, "wire", "keys_wiped", w->cnt.keys_wiped);
	line(t, "wire", "spi_collisions", w->cnt.spi_collisions);
	line(t, "wire", "frames_held", w->cnt.held);
	line(t, "wire", "ports_dead", w->cnt.ports_dead);
	line(t, "wire", "keepalives", w->cnt.keepalives);
	line(t, "wire", "mappings", w->map.cnt);
	for (i = 0; i < WIRE_DROPS; i++)
		line(t, "wire", wire_drop_names[i], w->cnt.drop[i]);
}

static void port_lines(struct text *t, const struct port *p)
{
	unsigned i;

	line(t, p->id, "tx_frames", p->cnt.tx_frames);
	line(t, p->id, "tx_bytes", p->cnt.tx_bytes);
	line(t, p->id, "rx_frames", p->cnt.rx_frames);
	line(t, p->id, "rx_bytes", p->cnt.rx_bytes);
	for (i = 0; i < PORT_DROPS; i++)
		if (p->cnt.drop[i])
			line(t, p->id, port_drop_names[i], p->cnt.drop[i]);
	if (p->dead)
		line(t, p->id, "dead", 1);
}

void stats_write(const struct wire *w, struct ctl_vpc_stats *ret)
{
	struct text t = { .to = &ret->lines };
	unsigned i;

	ret->lines.len = 0;
	wire_lines(&t, w);
	for (i = 0; i < WIRE_PORTS_MAX; i++)
		if (w->port[i].id[0])
			port_lines(&t, &w->port[i]);
	if (t.cut) /* there is room for it: see line() */
		ret->lines.len = (uint16_t)(ret->lines.len +
					    snprintf((char *)ret->lines.b + ret->lines.len,
						     ROOM_FOR_CUT, "wire lines_left_out 1\n"));
}
