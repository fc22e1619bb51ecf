/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The VPC engine: what a network card decides about frames. The only public header of the folder.
 *
 * Frame in, verdict out. The engine does no I/O, never looks at a clock (callers pass nanoseconds of a monotonic one)
 * and allocates nothing once its objects are made. All state belongs to one thread.
 *
 *   vpc_map     addresses of networks, filled by the controller; one for all ports of a card
 *   vpc_port    one network interface: its contract, security group rules, routes, tracked connections, counters
 *   vpc_tx()    guest -> network:  DROP, WIRE, METADATA, REPLY (ARP is answered here) or DHCP (answered by vpc_dhcp())
 *   vpc_rx()    network -> guest:  DROP or GUEST
 *   vpc_metadata_rx()   metadata process -> guest: which port, or an answer to its ARP
 *
 * A port that was not configured drops everything. So does one whose rules (or routes) have not come: no rule allows.
 *
 * Memory of a frame may be written by somebody else meanwhile. Headers are therefore copied once into struct frame,
 * judged there and rewritten there; what goes on is frame.h[0 .. h_len), followed by the caller's bytes from h_len on.
 *
 * IPv4 only for now: IPv6 frames are dropped and counted. Addresses have room for both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "vpc/checksum.h"
#include "vpc/frame.h"

enum {
	VPC_RULES_MAX = 1000,        /* of one port */
	VPC_ROUTES_MAX = 100,        /* of one port */
	VPC_ADDRESSES_MAX = 32,      /* of one port */
	VPC_NAME_MAX = 64,           /* host name, domain; with NUL */
	VPC_MAPPINGS_MAX = 1 << 17,  /* of one map */
	VPC_CONNTRACK_MAX = 1 << 18, /* flows of one port */
	VPC_CONNTRACK_DEFAULT = 1 << 14,
	VPC_FRAME_MAX = 9216, /* bytes, Ethernet header included */
	VPC_REPLY_MAX = 640,  /* bytes of the longest answer the engine makes */
	VPC_METADATA_MTU = 1500,
};

/* The metadata service's two addresses, and the MACs at either end of the TAP that leads to it. */
#define VPC_METADATA_ADDR 0xa9fea9feu            /* 169.254.169.254: HTTP */
#define VPC_DNS_ADDR 0xa9fea9fdu                 /* 169.254.169.253: DNS */
extern const uint8_t vpc_metadata_mac[6];        /* the service: 02:00:a9:fe:a9:fe */
extern const uint8_t vpc_metadata_router_mac[6]; /* the card's end: 02:00:a9:fe:a9:01 */

/* vpc_router_mac(): the MAC that answers for a network's router (first address of every subnet); from @vni. */
void vpc_router_mac(uint32_t vni, uint8_t ret[6]);

/* ---- mappings ---- */

struct vpc_map;

/**
 * vpc_map_new() - an empty map
 * @cap:  mappings at most; up to VPC_MAPPINGS_MAX
 * @seed: 16 random bytes, so that nobody can choose colliding addresses
 */
MUST_USE int vpc_map_new(size_t cap, const uint8_t seed[16], struct vpc_map **ret);
void vpc_map_free(struct vpc_map *m);
void vpc_map_freep(struct vpc_map **m);
/* vpc_map_add(): a new mapping, or another MAC for a known address. Return: 0, -ENOSPC, -EINVAL (family). */
MUST_USE int vpc_map_add(struct vpc_map *m, uint32_t vni, const struct vpc_addr *addr,
			 const uint8_t mac[6]);
/* vpc_map_del(): Return: 0, -ENOENT. */
MUST_USE int vpc_map_del(struct vpc_map *m, uint32_t vni, const struct vpc_addr *addr);
/* vpc_map_find(): Return: 0 and @ret_mac, -ENOENT. */
MUST_USE int vpc_map_find(const struct vpc_map *m, uint32_t vni, const struct vpc_addr *addr,
			  uint8_t ret_mac[6]);
size_t vpc_map_cnt(const struct vpc_map *m);

/* ---- ports ---- */

/* What an interface is. Checked by vpc_port_set(); the port keeps a copy. */
struct vpc_interface {
	uint32_t vni; /* 24 bits, not 0 */
	uint8_t mac[6];
	uint16_t mtu; /* bytes of an IP packet; told to the guest, and enforced */
	bool source_dest_check;
	struct vpc_addr vpc; /* the network's block */
	uint8_t vpc_prefix;
	struct vpc_addr subnet;
	uint8_t subnet_prefix;
	char hostname[VPC_NAME_MAX];
	char domain[VPC_NAME_MAX];
	/* Bits per second of whole frames, in each direction; 0: no limit. */
	uint64_t bps_baseline, bps_burst, burst_seconds;
	uint64_t pps;           /* both directions together; 0: no limit */
	uint32_t conntrack_max; /* flows; 0: VPC_CONNTRACK_DEFAULT */
	uint16_t addr_cnt;
	struct vpc_addr
		addr[VPC_ADDRESSES_MAX]; /* [0]: the primary IPv4 address, inside the subnet */
};

enum { VPC_PROTO_ALL = 255, VPC_PORT_ALL = 65535 };

struct vpc_rule {
	bool egress;
	uint8_t proto; /* IP protocol number; VPC_PROTO_ALL */
	/* TCP, UDP: ports. ICMP: type and code, VPC_PORT_ALL: any. Others: unused. */
	uint16_t port_min, port_max;
	struct vpc_addr addr; /* remote side */
	uint8_t prefix;
};

enum vpc_route_target { VPC_ROUTE_LOCAL = 1, VPC_ROUTE_MAC = 2, VPC_ROUTE_BLACKHOLE = 3 };

struct vpc_route {
	struct vpc_addr addr;
	uint8_t prefix;
	uint8_t target; /* enum vpc_route_target */
	uint8_t mac[6]; /* VPC_ROUTE_MAC */
};

enum vpc_direction { VPC_TX /* guest -> network */, VPC_RX, VPC_DIRECTIONS };

/* Why a frame was dropped; also the counters' order. Names: vpc_reason_name(). */
enum vpc_reason {
	VPC_R_UNCONFIGURED, /* the controller has not said what the port is */
	VPC_R_MALFORMED,    /* lengths or fields that contradict each other */
	VPC_R_VLAN,
	VPC_R_IPV6,
	VPC_R_ETHERTYPE, /* neither IPv4 nor ARP */
	VPC_R_OPTIONS,   /* IPv4 options */
	VPC_R_MTU,
	VPC_R_SRC_MAC,
	VPC_R_DST_MAC,
	VPC_R_SRC_ADDR,
	VPC_R_DST_ADDR,
	VPC_R_MULTICAST,  /* or broadcast */
	VPC_R_ARP,        /* forged, a reply, or nobody there */
	VPC_R_DHCP,       /* a server's message, or one that is not for us */
	VPC_R_LINK_LOCAL, /* 169.254.0.0/16, but not a service of ours */
	VPC_R_FRAGMENT,   /* tiny, overlapping, without a first one */
	VPC_R_RULES,      /* no security group rule allows it */
	VPC_R_STATE,      /* belongs to no tracked connection */
	VPC_R_CONNTRACK_FULL,
	VPC_R_ICMP,         /* redirect, or an error about a packet that nobody sent */
	VPC_R_ROUTE,        /* no route, or a black hole */
	VPC_R_MAPPING,      /* nobody has this address */
	VPC_R_SERVICE_RATE, /* too many requests to metadata, DNS, DHCP, ARP */
	VPC_REASONS,
};
const char *vpc_reason_name(enum vpc_reason r);

struct vpc_counters {
	uint64_t frames[VPC_DIRECTIONS], bytes[VPC_DIRECTIONS]; /* passed to wire or guest */
	uint64_t drop[VPC_DIRECTIONS][VPC_REASONS];
	uint64_t limited[VPC_DIRECTIONS]; /* times a frame had to wait for bandwidth */
	uint64_t pps_limited;             /* ... or for the packet rate */
	uint64_t metadata_tx, metadata_rx, arp_replies, dhcp_replies;
	uint64_t flows, flows_evicted, flows_expired; /* now; ever */
};

struct vpc_port;

/**
 * vpc_port_new() - a port that drops everything
 * @map:  borrowed; outlives the port
 * @seed: 16 random bytes, for the flow table's hash
 *
 * Takes all memory it will ever need (pages that are never used cost nothing).
 */
MUST_USE int vpc_port_new(const struct vpc_map *map, const uint8_t seed[16], struct vpc_port **ret);
void vpc_port_free(struct vpc_port *p);
void vpc_port_freep(struct vpc_port **p);

/* vpc_port_set(): Return: 0, -EINVAL: @c contradicts itself, nothing changed. Tracked flows stay unless VNI or MAC change. */
MUST_USE int vpc_port_set(struct vpc_port *p, const struct vpc_interface *c, uint64_t now_ns);
/* All rules (routes) of the port, replacing what it had. Flows that are tracked go on, as on EC2. Return: 0, -EINVAL. */
MUST_USE int vpc_port_rules_set(struct vpc_port *p, const struct vpc_rule *rule, size_t cnt);
MUST_USE int vpc_port_routes_set(struct vpc_port *p, const struct vpc_route *route, size_t cnt);
/* vpc_port_interface(): what was set; NULL before. */
const struct vpc_interface *vpc_port_interface(const struct vpc_port *p);
/* vpc_port_tick(): once a second or so: forget what timed out. */
void vpc_port_tick(struct vpc_port *p, uint64_t now_ns);
/* vpc_port_counters(): as of now; valid until the next call. */
const struct vpc_counters *vpc_port_counters(struct vpc_port *p);
/* vpc_port_has_addr(): is this one of the port's own addresses? */
bool vpc_port_has_addr(const struct vpc_port *p, const struct vpc_addr *a);

/* ---- datapath ---- */

enum vpc_verdict {
	VPC_DROP,     /* counted */
	VPC_WIRE,     /* headers rewritten: send it */
	VPC_METADATA, /* headers rewritten: write it to the metadata TAP */
	VPC_REPLY,    /* an answer for the sender lies in struct vpc_reply */
	VPC_DHCP,     /* let vpc_dhcp() see the whole frame */
	VPC_GUEST,    /* give it to the guest */
};

struct vpc_reply {
	size_t len;
	uint8_t b[VPC_REPLY_MAX];
};

/* vpc_probe(): an ARP request for the port's own primary address, from its router. Return: 0 and *ret, -ENOENT: nothing is set. */
MUST_USE int vpc_probe(const struct vpc_port *p, struct vpc_reply *ret);

/**
 * vpc_wait_ns() - may a frame be taken now?
 *
 * Ask before a frame is taken from the guest (VPC_TX) or from the ring (VPC_RX): a frame that has to wait stays where
 * it is, so that its sender feels the limit. vpc_tx() and vpc_rx() then charge what was really there, dropped or not.
 * Return: 0 yes, else nanoseconds until then.
 */
MUST_USE uint64_t vpc_wait_ns(struct vpc_port *p, enum vpc_direction dir, uint64_t now_ns);

/**
 * vpc_tx() - judge a frame the guest sent
 * @hdr:   its first @have bytes, Ethernet header first; see frame_parse()
 * @len:   bytes of the whole frame, no FCS
 * @f:     private copy of the headers, rewritten; valid for WIRE and METADATA
 * @reply: for REPLY: to the guest
 */
MUST_USE enum vpc_verdict vpc_tx(struct vpc_port *p, uint64_t now_ns, const void *hdr, size_t have,
				 size_t len, struct frame *f, struct vpc_reply *reply);

/**
 * vpc_dhcp() - the whole frame after vpc_tx() said DHCP
 * @frame: private memory now, @len bytes; judged from the beginning again
 * Return: VPC_REPLY or VPC_DROP.
 */
MUST_USE enum vpc_verdict vpc_dhcp(struct vpc_port *p, const void *frame, size_t len,
				   struct vpc_reply *reply);

/* vpc_rx(): judge a frame that came from the wire; arguments as for vpc_tx(), @f valid for GUEST. */
MUST_USE enum vpc_verdict vpc_rx(struct vpc_port *p, uint64_t now_ns, const void *hdr, size_t have,
				 size_t len, struct frame *f);

/**
 * vpc_metadata_rx() - whom is a frame from the metadata TAP for?
 * @port: @cnt ports, NULL entries allowed
 * @f:    for an index: as vpc_rx() gives it
 *
 * Return: the index of the port with the destination address (of several: the one that spoke last); -EAGAIN: an ARP
 * request, answered in @reply, for the TAP; -EPROTO: nothing that the metadata service may say.
 */
MUST_USE int vpc_metadata_rx(struct vpc_port *const *port, size_t cnt, uint64_t now_ns,
			     const void *hdr, size_t have, size_t len, struct frame *f,
			     struct vpc_reply *reply);
