/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The world around a niter-network-card, for tests and measurements: starts the real program (in its real jail when we are
 * root) and plays launcher, niterd, wire and metadata process on its descriptors.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/packet_ring.h"
#include "proto/control.h"

struct network_host {
	pid_t pid;
	int ctl;     /* our end of the control socket */
	int service; /* niterd's end */
	int tap;     /* the metadata process's end: a datagram is a frame */
	uint32_t seq;
	struct ctl_msg msg; /* the last answer */
};

/* An interface seen from outside the card. */
struct network_port {
	char id[CTL_ID_MAX];
	uint8_t mac[6];
	int ring_fd;
	struct packet_ring *ring; /* the wire's side */
	int to_card, from_card;   /* eventfds */
	int vfio;                 /* our end of the vfio-user socket; owned */
};

/* network_host_start(): @env: NAME=VALUE strings, ends with NULL; may be NULL. Return: 0, -errno. */
MUST_USE int network_host_start(struct network_host *h, const char *program, const char *const *env,
				uint16_t vcpus);
/* network_host_stop(): closes the control socket. Return: the program's exit status, or -signal. */
int network_host_stop(struct network_host *h);

/* network_host_add(): one more interface. Return: 0, or what the card's answer says. */
MUST_USE int network_host_add(struct network_host *h, const char *id, const uint8_t mac[6],
			      uint16_t mtu, struct network_port *ret);
void network_port_done(struct network_port *p);

/* network_host_tell(): a request on the service socket. Return: what the answer says; the answer is in h->msg. */
MUST_USE int network_host_tell(struct network_host *h, enum ctl_type type, const void *body);
/* network_host_counter(): from the card's statistics; -1: not in there. */
long long network_host_counter(struct network_host *h, const char *id, const char *name);

/* network_interface(): 172.31.0.@host/20 of VPC 172.31.0.0/16, VNI 0x1001, no limits. */
void network_interface(const struct network_port *p, uint8_t host, struct ctl_vpc_interface *ret);
