/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The kernel's packet filter for the ways out of networks: table "inet niter", written as one nf_tables transaction
 * over netlink. The table belongs to the socket (NFT_TABLE_F_OWNER): nobody else can change it, and the kernel
 * removes it when the socket closes, however its process ended.
 *
 * What it says is in nft.c. Guests' packets come from devices named "nitergw…".
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	NFT_NAME_MAX = 16, /* of a network device, with NUL */
	NFT_FORWARDS_MAX = 128,
	NFT_BATCH_MAX = 256 * 1024,
};

/* A TCP port of this host that leads to an instance. Addresses in network byte order. */
struct nft_forward {
	uint16_t host_port;
	uint16_t port;
	uint8_t addr[4];
};

struct nft_rules {
	char uplink[NFT_NAME_MAX]; /* the only device guests' packets may leave by */
	uint8_t uplink_addr[4],
		uplink_mask
			[4]; /* its own network, which guests may not reach; mask 0.0.0.0: none */
	bool only_guests; /* forwarding was switched on for us: nothing else is forwarded from the uplink */
	unsigned forward_cnt;
	struct nft_forward forward[NFT_FORWARDS_MAX];
};

/* nft_open(): the netlink socket. -errno: the kernel has no nfnetlink. */
MUST_USE int nft_open(void);
/**
 * nft_apply() - the table as @rules say, in place of what was there, in one step
 * Return: 0, or -errno; then the old table stands.
 */
MUST_USE int nft_apply(int sock, const struct nft_rules *rules);
/* nft_remove(): no table any more. */
MUST_USE int nft_remove(int sock);
/* nft_build(): the transaction alone, for tests. Return: bytes, -EMSGSIZE. */
MUST_USE int nft_build(const struct nft_rules *rules, uint8_t *buf, size_t cap);
