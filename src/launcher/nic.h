/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Network devices and namespaces, as the launcher makes them for others. Names are our own constants; addresses are in
 * network byte order. All act in the network namespace the process is in.
 */

#include <stdint.h>

#include "base/attr.h"

enum { NIC_NAME_MAX = 16 /* with NUL */ };

/*
 * nic_tap(): a TAP device, down, without any offload; it goes when the descriptor's last copy is closed.
 * Return: non-blocking descriptor, -EBUSY when a device has that name already, -errno.
 */
MUST_USE int nic_tap(const char *name);
MUST_USE int nic_mac_set(const char *name, const uint8_t mac[6]);
MUST_USE int nic_mtu_set(const char *name, int mtu);
MUST_USE int nic_mtu(const char *name); /* or -errno */
/* nic_address_add(): @label is the device's name, or "name:1" for a second address. */
MUST_USE int nic_address_add(const char *label, const uint8_t addr[4], unsigned prefix);
MUST_USE int nic_address(const char *name, uint8_t ret_addr[4], uint8_t ret_mask[4]);
MUST_USE int nic_up(const char *name);
/* nic_route_default(): everything is a neighbour on @name. */
MUST_USE int nic_route_default(const char *name);
/* nic_default(): the device of this host's default route. -ENETUNREACH: there is none. */
MUST_USE int nic_default(char ret[NIC_NAME_MAX]);
/* nic_default_parse(): the same in a text like /proc/net/route. */
MUST_USE int nic_default_parse(const char *text, char ret[NIC_NAME_MAX]);
/* nic_switch(): /proc/sys/net/@family/conf/@name/@key. @ret_old, if not NULL: what it was. @value: 0 or 1. */
MUST_USE int nic_switch(const char *family, const char *name, const char *key, int value,
			int *ret_old);

/* nic_ports_open(): ports below 1024 need no capability in this namespace. */
MUST_USE int nic_ports_open(void);

/* Sockets that listen on one address of this namespace. Return: non-blocking descriptor, or -errno. */
MUST_USE int nic_listen_tcp(const uint8_t addr[4], uint16_t port);
MUST_USE int nic_bind_udp(const uint8_t addr[4], uint16_t port);

/*
 * netns_self(): descriptor of the namespace this thread is in. netns_enter_new(): into a new, empty one.
 * netns_leave(): back; it cannot fail, since a launcher in the wrong namespace must not go on.
 */
MUST_USE int netns_self(void);
MUST_USE int netns_enter_new(void);
void netns_leave(int home);
