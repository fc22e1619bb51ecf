/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The world around a niter-wire, for tests and measurements: starts the real program (in its real jail when we are
 * root), plays launcher, niterd and niter-security for it, and holds the other side of its rings. And a network
 * between two of them, in which a test can look at, change, keep and repeat every datagram.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "proto/control.h"
#include "tunnel_fake.h"
#include "wire_rig.h"

enum { WIRE_HOST_PORTS = 8, NET_QUEUE = 64, NET_DATAGRAM_MAX = 10000 };

struct wire_host {
	uint8_t number; /* 1 … : of the host; also its id as a peer, and all bytes of its fingerprint */
	const char *program;
	pid_t pid;
	int ctl, service,
		udp; /* ours; udp: a copy of its socket, so that a restarted one gets it again */
	uint16_t udp_port;
	uint16_t mtu;
	struct tunnel_fake sec;
	struct rig_port port[WIRE_HOST_PORTS];
	unsigned port_cnt;
	struct ctl_msg msg; /* the last answer */
	uint32_t seq;
};

/**
 * wire_host_start() - start @program and configure it
 * @env: NAME=VALUE strings, ends with NULL; may be NULL
 * Return: 0, -errno. The caller checks.
 */
MUST_USE int wire_host_start(struct wire_host *h, const char *program, uint8_t number, uint16_t mtu,
			     const char *const *env);
/* wire_host_stop(): closes the control socket. Return: the program's exit status, or -signal. Rings stay. */
int wire_host_stop(struct wire_host *h);
/* wire_host_kill(): SIGKILL. wire_host_restart(): a new process with the same socket and new rings. */
void wire_host_kill(struct wire_host *h);
MUST_USE int wire_host_restart(struct wire_host *h, const char *const *env);
/* wire_host_done(): stop, and give everything back. Return: as wire_host_stop(). */
int wire_host_done(struct wire_host *h);

/* wire_host_port(): as rig_port(). wire_host_port_ring(): its ring again, to a new process. */
struct rig_port *wire_host_port(struct wire_host *h, unsigned n, uint32_t vni, uint16_t flags);
int wire_host_port_ring(struct wire_host *h, struct rig_port *p);
int wire_host_port_set(struct wire_host *h, const struct rig_port *p, uint16_t flags);
int wire_host_port_del(struct wire_host *h, const struct rig_port *p);
/* wire_host_peer(): @other is at 127.0.0.1:@port. wire_host_map(): as rig_map(). Return: the answer. */
int wire_host_peer(struct wire_host *h, const struct wire_host *other, uint16_t port);
int wire_host_map(struct wire_host *h, const struct rig_port *p, unsigned family, uint32_t peer);
/* wire_host_stat(): a counter. */
uint64_t wire_host_stat(struct wire_host *h, const char *who, const char *name);

/* ---- the network between two hosts ---- */

enum net_fate { NET_PASS, NET_DROP, NET_FLIP, NET_TWICE, NET_KEEP };

struct net_datagram {
	unsigned len;
	bool to_b;
	uint8_t b[NET_DATAGRAM_MAX];
};

struct net {
	struct wire_host *a, *b;
	int at_a, at_b; /* sockets: what a thinks is b, what b thinks is a */
	uint16_t port_a, port_b;
	enum net_fate fate; /* of ESP packets */
	unsigned flip_at;   /* bit from the end */
	unsigned kept_cnt;
	struct net_datagram kept[NET_QUEUE];
	/* every ESP packet's (SPI, IV), for the claim that none repeats */
	struct net_seen {
		uint32_t spi;
		uint64_t iv;
	} * seen;
	size_t seen_cnt, seen_cap;
	uint64_t esp, handshakes, others;
	FILE *pcap; /* borrowed; ESP packets go there as if 10.77.0.1 and .2 had sent them; NULL: nowhere */
	bool clear; /* a tag of a frame was readable */
};

void net_init(struct net *n, struct wire_host *a, struct wire_host *b);
void net_done(struct net *n);
/* net_pcap_begin(): the header of a capture file. */
void net_pcap_begin(FILE *f);
/* net_send(): @d as it is. */
void net_send(struct net *n, const struct net_datagram *d);

/**
 * wire_world_run() - carry datagrams and play niter-security
 * @until: checked again and again; NULL: until the time is over
 * Return: 0, -ETIMEDOUT with an @until.
 */
int wire_world_run(struct net *n, bool (*until)(void *), void *arg, unsigned ms);
