/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Everything niter-wire knows. One thread, one epoll, fixed tables: after start nothing grows.
 *
 *   main.c      start-up, jail, the loop and its one dispatch
 *   wire.c      a turn of it, and what is due by time
 *   config.c    what the launcher and niterd say
 *   mapping.c   where addresses are: niterd's mappings in map and tunnels
 *   port.c      ports: their rings, and frames into them
 *   guard_*.c   who may say what: one guard, one file
 *   egress.c    frames that came out of a port's ring: who may say this, and where does it go
 *   ingress.c   datagrams from other hosts: which key, may they say this, and where does it go
 *   tunnel.c    keys with other hosts: which are used, which wait, which are wiped
 *   keys.c      the channel to niter-security
 *   stats.c     counters
 *   peer.c inner.c map.c udp.c     tools, no state of ours
 *
 * Who may lie: a port's ring (its card was taken over), a datagram (anybody on the network), another host inside its
 * tunnel (it was taken over), niterd about the order of what it says. Frames that nobody may send are dropped and
 * counted at the port, or at "wire" when they came from outside.
 *
 * Time is passed in; ->now_ns is the clock of the turn.
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bucket.h"
#include "base/loop.h"
#include "base/packet_ring.h"
#include "proto/control.h"
#include "vpc/esp.h"
#include "wire/inner.h"
#include "wire/map.h"
#include "wire/peer.h"
#include "wire/udp.h"

enum {
	WIRE_PORTS_MAX = 576, /* 64 instances with 8 interfaces, 64 gateways */
	WIRE_PEERS_MAX = 256,
	WIRE_TUNNELS_MAX = 512, /* networks shared with peers */
	WIRE_RX_KEPT = 3, /* receiving keys of a tunnel: two epochs may follow each other quickly */
	WIRE_RX_SLOTS =
		4096, /* of the SPI table; a power of two, more than twice as many as there can be */
	WIRE_HELD_MAX =
		64, /* frames that wait for the first keys of a tunnel, all tunnels together */
	WIRE_HELD_BYTES = 9216,
	WIRE_KEYS_ASKED_MAX = 16, /* CTL_TUN_KEY_READ under way */

	WIRE_PORT_BUDGET = 64, /* frames of one port in one turn */
	WIRE_IDLE_TURNS = 64,  /* without a frame; then a port is armed although others are busy */
	WIRE_MARKER = 4,       /* zero bytes before a handshake message; spec: rfc-3948 §2.2 */
	WIRE_HANDSHAKES_PER_S = 50, /* and peer */
};
static_assert((int)WIRE_RX_SLOTS >= 2 * (int)WIRE_TUNNELS_MAX * (int)WIRE_RX_KEPT,
	      "the SPI table stays half empty");

#define WIRE_SWITCH_NS                                                                             \
	((uint64_t)3000000000) /* at the latest: the other end has the new keys by now */
#define WIRE_SWITCH_FIRST_NS                                                                       \
	((uint64_t)30000000) /* no older keys: so much for the other end to read its own */
#define WIRE_WIPE_NS ((uint64_t)10000000000) /* older receiving keys, after the switch */
#define WIRE_HELD_NS ((uint64_t)2000000000)  /* a frame waits so long for keys */
#define WIRE_NONE UINT32_MAX

/* Why a frame that came from a port does not travel. Names: stats.c. */
enum port_drop {
	PORT_D_RUNT,
	PORT_D_ARP,
	PORT_D_ETHERTYPE,
	PORT_D_GROUP,
	PORT_D_UNCONFIGURED, /* niterd has not said what this port is */
	PORT_D_SRC_MAC,
	PORT_D_SRC_IP,
	PORT_D_UNKNOWN_DST,
	PORT_D_NO_KEYS,   /* and no room to wait for them, or they did not come */
	PORT_D_EXHAUSTED, /* the sending key is at its hard limit */
	PORT_D_SOCKET_FULL,
	/* frames to a port */
	PORT_D_RING_FULL,
	PORT_DROPS,
};

struct port_counters {
	uint64_t tx_frames, tx_bytes; /* out of the ring, and on their way */
	uint64_t rx_frames, rx_bytes; /* into the ring */
	uint64_t drop[PORT_DROPS];
};

/* An address that a port may use as source. */
struct port_address {
	uint8_t family;
	uint8_t b[16];
};

/*
 * A port: what the launcher said (a ring) and what niterd said (an interface), in any order. It carries frames when
 * both are there. A ring whose other side broke it is dead: it stays until the launcher takes it away.
 */
struct port {
	char id[CTL_ID_MAX]; /* empty: free slot */
	/* the launcher's half */
	struct packet_ring *ring; /* owned; NULL: none, or dead */
	int kick_fd, wait_fd;     /* owned */
	struct loop_ref ref;
	bool dead;
	bool active;   /* in the list of ports that get a turn; else its ring is armed */
	bool kick;     /* frames were put into the ring in this turn */
	unsigned idle; /* turns without a frame */
	/* niterd's half */
	bool configured;
	uint16_t flags; /* enum ctl_vpc_flag */
	uint32_t vni;
	uint64_t mac;
	uint8_t vpc_addr[4], vpc_prefix;
	uint16_t address_cnt;
	struct port_address address[CTL_ADDRESSES_MAX];
	struct port_counters cnt;
};

struct peer {
	uint32_t id; /* 0: free slot */
	struct udp_addr addr;
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES];
	struct peer_clock clock;
	uint32_t epoch; /* the newest agreed on; 0: none */
	uint64_t ready_cnt;
	struct bucket handshakes; /* messages let through to niter-security */
};

enum keys_state {
	KEYS_NONE,   /* none to be had: no epoch, or they could not be used */
	KEYS_WANTED, /* CTL_TUN_KEY_READ is to be sent */
	KEYS_ASKED,
	KEYS_HERE, /* those of ->epoch are installed */
};

/* Receiving keys. In the SPI table; the tunnel knows their SPIs. */
struct rx_sa {
	uint32_t spi; /* 0: free slot */
	uint32_t tunnel, epoch;
	uint64_t wipe_ns;   /* PEER_NEVER: in use */
	struct esp_rx *esp; /* owned */
};

struct tx_sa {
	struct esp_tx *esp; /* owned; NULL: none */
	uint32_t epoch;
	uint32_t rx_spi; /* of the receiving keys that came with it */
	bool told;       /* that it is exhausted */
};

/*
 * A network shared with another host. It exists while mappings name it, and longer while it has keys: niter-security
 * gives each key out once.
 */
struct tunnel {
	uint32_t peer_id; /* 0: free slot */
	uint32_t vni;
	uint32_t peer;    /* index; WIRE_NONE: niterd has not said where this host is */
	uint32_t mac_cnt; /* MAC entries of the map that lead here */
	enum keys_state keys;
	uint32_t epoch;                /* of KEYS_WANTED, ASKED, HERE */
	struct tx_sa tx, next;         /* used; used from switch_ns on */
	uint64_t switch_ns;            /* PEER_NEVER: there is no next */
	uint32_t rx_spi[WIRE_RX_KEPT]; /* newest first; 0: none */
};

/* A frame that waits for the first keys of its tunnel. */
struct held {
	uint32_t tunnel; /* WIRE_NONE: free */
	uint32_t port, len;
	uint64_t until_ns, order;
	uint8_t b[WIRE_HELD_BYTES];
};

/* What came from outside and does not travel. Names: stats.c. */
enum wire_drop {
	WIRE_D_RUNT,
	WIRE_D_UNKNOWN_SPI,
	WIRE_D_REPLAY,
	WIRE_D_ICV,
	WIRE_D_FORMAT, /* authentic, but another network than that of the key, or not the Geneve we speak */
	WIRE_D_INNER,   /* ARP, group addresses, neither IPv4 nor IPv6, runts */
	WIRE_D_SRC_MAC, /* not that host's */
	WIRE_D_SRC_IP,
	WIRE_D_UNKNOWN_DST,
	WIRE_D_HANDSHAKE_PEER, /* a handshake message from nobody we know */
	WIRE_D_HANDSHAKE_RATE,
	WIRE_D_HANDSHAKE_SIZE,
	WIRE_D_HANDSHAKE_CHANNEL, /* niter-security is gone, or does not keep up */
	WIRE_DROPS,
};

struct wire_counters {
	uint64_t esp_tx_frames, esp_rx_frames, keepalives;
	uint64_t handshakes_tx, handshakes_rx, starts, epochs, keys_installed, keys_refused,
		keys_wiped, spi_collisions;
	uint64_t held, ports_dead;
	uint64_t drop[WIRE_DROPS];
};

/* What a ready descriptor is. */
enum ref_type { REF_CONTROL, REF_SERVICE, REF_TUNNEL, REF_UDP, REF_PORT };

struct wire {
	struct loop loop;
	uint64_t now_ns;
	struct loop_ref control_ref, service_ref, tunnel_ref, udp_ref;
	int service_fd, tunnel_fd; /* owned; -1: none */
	bool udp_ready;            /* the socket may have datagrams */
	bool udp_watched_out;
	struct udp udp;
	struct map map;
	struct port port[WIRE_PORTS_MAX];
	uint32_t active[WIRE_PORTS_MAX], active_cnt;
	uint32_t kick[WIRE_PORTS_MAX], kick_cnt;
	struct peer peer[WIRE_PEERS_MAX];
	struct tunnel tunnel[WIRE_TUNNELS_MAX];
	struct rx_sa rx[WIRE_RX_SLOTS];
	struct held *held; /* WIRE_HELD_MAX */
	unsigned held_cnt;
	uint64_t held_order;
	uint64_t tick_ns; /* when something is due; PEER_NEVER: nothing */
	uint32_t tun_seq;
	unsigned keys_asked;
	uint64_t chance; /* state of the jitter's generator; no secret depends on it */
	struct wire_counters cnt;
	struct ctl_msg msg; /* received */
	struct ctl_vpc_stats stats;
};

/* ---- wire.c ---- */

/* wire_init(): tables, nothing of the outside. @seed: random. wire_done() gives all back. Return: 0, -errno. */
MUST_USE int wire_init(struct wire *w, uint64_t seed);
void wire_done(struct wire *w);
/* wire_turn(): bounded work for everybody. Return: true when somebody had some. */
bool wire_turn(struct wire *w);
/* wire_arm(): ask every ring for a kick. Return: true when there is work after all: do not sleep. */
MUST_USE bool wire_arm(struct wire *w);
/* wire_tick(): what is due by time. Then ->tick_ns is the next time. */
void wire_tick(struct wire *w);
/* wire_due(): look again at what is due, no later than @ns. */
void wire_due(struct wire *w, uint64_t ns);
uint32_t wire_chance(struct wire *w);

/* ---- config.c ---- */

/* wire_control(): a message of the launcher. wire_service(): one of niterd. They answer. */
void wire_control(struct wire *w, struct ctl_msg *m);
void wire_service(struct wire *w, struct ctl_msg *m);

/* ---- mapping.c ---- */

/* mapping_add(): one mapping, new or in place of what its address had. Return: 0, -EINVAL, -ENOSPC; then unchanged. */
MUST_USE int mapping_add(struct wire *w, uint32_t vni, const struct ctl_vpc_mapping *m);
/* mapping_del(): if it is still as @m says; else nothing happens. */
void mapping_del(struct wire *w, uint32_t vni, const struct ctl_vpc_mapping *m);
/* mapping_port_set(): @port speaks for (@vni, @mac). Return: 0, -EEXIST: another one does, -ENOSPC. */
MUST_USE int mapping_port_set(struct wire *w, uint32_t vni, uint64_t mac, uint32_t port);
void mapping_port_clear(struct wire *w, uint32_t vni, uint64_t mac);

/* ---- port.c ---- */

struct port *port_find(struct wire *w, const char *id);
/* port_get(): found or made. NULL: no room. */
struct port *port_get(struct wire *w, const char *id);
/* port_ring_set(): takes all three, also on error. Return: 0, -errno. */
MUST_USE int port_ring_set(struct wire *w, struct port *p, struct packet_ring *ring, int kick_fd,
			   int wait_fd);
/* port_configure(): Return: 0, -EINVAL, -EEXIST: another port has this MAC, -ENOSPC. */
MUST_USE int port_configure(struct wire *w, struct port *p, const struct ctl_vpc_interface *c);
void port_del(struct wire *w, struct port *p);
void port_activate(struct wire *w, struct port *p);
/* port_turn(): Return: frames taken. */
unsigned port_turn(struct wire *w, struct port *p);
/* port_rest(): armed and out of the list. Return: true when it has work after all and stays. */
bool port_rest(struct wire *w, struct port *p);
/**
 * port_deliver() - a frame into a port's ring
 * @head: its first @head_len bytes, private; @rest: the others, may lie in another ring
 * Return: 0, -ENOBUFS: full, or the port has no ring; counted.
 */
int port_deliver(struct wire *w, struct port *p, const uint8_t *head, size_t head_len,
		 const uint8_t *rest, size_t rest_len, uint32_t flags);
/* port_kicks(): wakes those who got frames in this turn. */
void port_kicks(struct wire *w);

/* ---- egress.c ---- */

/* egress_frame(): one frame out of @p's ring. */
void egress_frame(struct wire *w, struct port *p, const struct packet *pkt);
/* egress_tunnel(): an accepted frame to another host. */
void egress_tunnel(struct wire *w, uint32_t tunnel, struct port *p, const uint8_t *head,
		   size_t head_len, const uint8_t *rest, size_t rest_len);
/* egress_held(): frames that waited for @tunnel's keys leave. */
void egress_held(struct wire *w, uint32_t tunnel);
/* egress_forget(): frames that wait too long, or for @tunnel (WIRE_NONE: any), are dropped. */
void egress_held_expire(struct wire *w, uint32_t tunnel);

/* ---- ingress.c ---- */

/* ingress_datagram(): one datagram; @buf is private and is decrypted in place. */
void ingress_datagram(struct wire *w, uint8_t *buf, size_t len, const struct udp_addr *from);

/* ---- tunnel.c ---- */

/* tunnel_get(): found or made, not counted. WIRE_NONE: no room. */
uint32_t tunnel_get(struct wire *w, uint32_t peer_id, uint32_t vni);
/* One MAC more or less leads there. */
void tunnel_ref(struct wire *w, uint32_t tunnel);
void tunnel_unref(struct wire *w, uint32_t tunnel);
struct rx_sa *tunnel_rx_find(struct wire *w, uint32_t spi);
/* tunnel_rx_used(): @sa authenticated a packet. */
void tunnel_rx_used(struct wire *w, struct rx_sa *sa);
/* tunnel_install(): keys from niter-security, for KEYS_ASKED. Return: 0, -EEXIST: SPI in use, -errno. */
MUST_USE int tunnel_install(struct wire *w, struct tunnel *t, const struct ctl_tun_key *k);
/* tunnel_peer_keys(): @peer has a new epoch: ask for the keys of every network shared with it. */
void tunnel_peer_keys(struct wire *w, uint32_t peer);
/* tunnel_peer_forget(): wipe every key shared with @peer. @gone: it has no address any more. */
void tunnel_peer_forget(struct wire *w, uint32_t peer, bool gone);
/* tunnel_peer_shared(): does any mapping lead there? */
bool tunnel_peer_shared(const struct wire *w, uint32_t peer);
void tunnel_tick(struct wire *w, struct tunnel *t);

/* ---- keys.c ---- */

struct peer *peer_by_id(struct wire *w, uint32_t id);
struct peer *peer_by_addr(struct wire *w, const struct udp_addr *addr);
/* peer_event(): moves the peer's clock and does what it says. */
void peer_event(struct wire *w, struct peer *p, enum peer_event ev);
/* keys_peer_set(): tell niter-security; @p->fingerprint zero: gone. */
void keys_peer_set(struct wire *w, const struct peer *p);
/* keys_message(): a message of niter-security. */
void keys_message(struct wire *w, struct ctl_msg *m);
/* keys_handshake(): a handshake message came from the network. */
void keys_handshake(struct wire *w, const uint8_t *buf, size_t len, const struct udp_addr *from);
/* keys_ask(): sends CTL_TUN_KEY_READ as far as it may. */
void keys_ask(struct wire *w);
/* keys_opened(): a channel that knows nothing yet. What is installed goes on until it is replaced. */
void keys_opened(struct wire *w);
/* keys_closed(): niter-security is gone. What is installed goes on. */
void keys_closed(struct wire *w);

/* ---- stats.c ---- */

void stats_write(const struct wire *w, struct ctl_vpc_stats *ret);
