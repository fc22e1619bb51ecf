/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A host's wire without a process: its rings, its UDP socket on the loopback, a fake niter-security, and a clock that
 * the test turns. Two of them talk to each other through real datagrams.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/packet_ring.h"
#include "tunnel_fake.h"
#include "wire/wire.h"

enum { RIG_PORTS = 8, RIG_VNI = 0x1001, RIG_MTU = 1500 };

struct rig_port {
	char id[CTL_ID_MAX];
	uint64_t mac;
	uint8_t ip[4];
	uint32_t vni;
	struct packet_ring *ring; /* side A */
	int kick_fd, wait_fd;     /* the wire signals wait_fd; kick_fd is ours */
	int mem_fd;               /* the ring's memory, for a hostile card */
};

struct rig {
	struct wire w;
	struct tunnel_fake sec;
	int service; /* our end */
	int udp_fd;  /* ours: the wire has a copy */
	uint8_t host;
	uint16_t udp_port;
	uint64_t now_ns;
	struct rig_port port[RIG_PORTS];
	unsigned port_cnt;
	struct ctl_msg msg; /* the last answer */
	struct ctl_vpc_stats stats;
};

/* rig_init(): @host 1 … 250: its fingerprint, its share of MACs and addresses. */
void rig_init(struct rig *r, uint8_t host);
void rig_done(struct rig *r);
/* rig_channel(): the launcher configures it anew: another channel to niter-security, another service socket. */
void rig_channel(struct rig *r);

/* rig_peer(): @r learns of @other. Host numbers are peer ids. */
void rig_peer(struct rig *r, const struct rig *other);

/* rig_port(): ring and interface of 172.31.<host>.<n> with MAC 06:00:00:00:<host>:<n>. */
struct rig_port *rig_port(struct rig *r, unsigned n, uint32_t vni, uint16_t flags);
/* The halves of it. Return: what the wire answers. */
int rig_port_ring(struct rig *r, struct rig_port *p);
int rig_port_set(struct rig *r, const struct rig_port *p, uint16_t flags);
/* rig_map(): @r learns where @p is; @host 0: here. @family 4, or 0 for a gateway. Return: the answer. */
int rig_map(struct rig *r, const struct rig_port *p, unsigned family, uint32_t host);
int rig_unmap(struct rig *r, const struct rig_port *p, unsigned family, uint32_t host);
/* rig_control(): a message of the launcher; the answer is in r->msg. rig_request(): one of niterd. Return: the answer. */
void rig_control(struct rig *r, struct ctl_msg *m);
int rig_request(struct rig *r, enum ctl_type type, const void *body, size_t len);

struct rig_frame {
	uint64_t src, dst;
	uint8_t src_ip[4], dst_ip[4];
	unsigned len;  /* of the frame; 0: 98 */
	uint32_t tag;  /* found again in the frame that arrives */
	unsigned type; /* ethertype; 0: IPv4 */
};

/* rig_frame_make(): Return: its bytes. @buf: PACKET_RING_FRAME_MAX */
unsigned rig_frame_make(const struct rig_frame *f, uint8_t *buf);
/* rig_send(): from @p's card. rig_send_to(): an honest frame from @p to @to. */
void rig_send(struct rig_port *p, const struct rig_frame *f);
void rig_send_to(struct rig_port *p, const struct rig_port *to, uint32_t tag, unsigned len);
/* rig_recv(): Return: the tag of the next frame that @p's card gets; 0: none. @ret_len may be NULL. */
uint32_t rig_recv(struct rig_port *p, unsigned *ret_len);

/* rig_run(): both (or one: @b NULL) work until nothing moves, @ns later. */
void rig_run(struct rig *a, struct rig *b, uint64_t ns);
/* rig_stat(): a counter as niterd would read it. Missing ones are 0. */
uint64_t rig_stat(struct rig *r, const char *who, const char *name);

/* The parts of it that a test with real processes uses, too. */
void rig_port_name(struct rig_port *p, uint8_t host, unsigned n, uint32_t vni);
void rig_interface(const struct rig_port *p, uint16_t flags, struct ctl_vpc_interface *ret);
void rig_mapping(const struct rig_port *p, unsigned family, uint32_t host,
		 struct ctl_vpc_mappings *ret);
uint64_t rig_stat_find(struct ctl_vpc_stats *s, const char *who, const char *name);
