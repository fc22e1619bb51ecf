/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Networks as the controller knows them: plain rows, like model.h. IPv4 addresses are numbers in host order here and
 * bytes in network order in messages (net_push.c).
 */

#include <stdbool.h>
#include <stdint.h>

#include "controller/model.h"

enum {
	NET_MAC_BYTES = 6,
	NET_VNI_FIRST = 0x1001,
	NET_VNI_MAX = 0xffffff,
	NET_MTU = 9001,
	NET_KEY_MAX = 2048,            /* an OpenSSH public key line; with NUL */
	NET_USER_DATA_MAX = 16384,     /* bytes, as on EC2 */
	NET_GROUP_NAME_MAX = 256,      /* with NUL */
	NET_REMOTES_MAX = 256,         /* addresses on other hosts, of one network */
	NET_PEERS_MAX = 64,            /* other hosts */
	NET_FORWARDS_MAX = 128,        /* as many as the launcher takes */
	NET_FORWARDS_INSTANCE_MAX = 8, /* each becomes up to 32 rules */
	NET_OUTSIDE_FIRST = 2, /* numbers of interfaces behind a gateway: 100.64.K.2 ... 254 */
	NET_OUTSIDE_LAST = 254,
	NET_PROTO_ALL = 255,
	NET_PORT_TUNNEL = 4500,
};

/* One region, one zone: docs/decisions/0083-default-network.md. */
#define NET_REGION "us-east-1"
#define NET_ZONE "us-east-1a"
#define NET_ZONE_ID "use1-az1"
#define NET_DOMAIN "ec2.internal" /* what EC2 calls it in us-east-1 */

/* Where instances of this host are told to be. */
struct place {
	char region[32], zone[32], zone_id[32];
	char domain[CTL_NAME_MAX]; /* of a new network's names */
	/* of an account's default network and its subnet; prefix 0: 172.31.0.0/16 and /20, as on EC2 */
	uint32_t vpc_addr;
	unsigned vpc_prefix, subnet_prefix;
};

#define PLACE_DEFAULT                                                                              \
	{                                                                                          \
		.region = NET_REGION, .zone = NET_ZONE, .zone_id = NET_ZONE_ID,                    \
		.domain = NET_DOMAIN                                                               \
	}

struct vpc {
	char id[CTL_ID_MAX];
	char account[CTL_ID_MAX];
	uint32_t addr;
	unsigned prefix;
	uint32_t vni;
	char domain[CTL_NAME_MAX];
	bool is_default;
	uint64_t created_ms;
	bool dns_support, dns_hostnames;
};

struct subnet {
	char id[MODEL_ID_MAX];
	char vpc_id[CTL_ID_MAX];
	uint32_t addr;
	unsigned prefix;
	bool is_default;
	uint64_t created_ms;
	bool map_public_ip; /* kept for clients; there are no public addresses yet */
};

struct group {
	char id[CTL_ID_MAX];
	char vpc_id[CTL_ID_MAX];
	char account[CTL_ID_MAX];
	char name[NET_GROUP_NAME_MAX];
	char description[NET_GROUP_NAME_MAX];
	uint64_t created_ms;
};

/* The remote side is a block, or the members of another group of the same network. */
struct group_rule {
	char id[CTL_ID_MAX];
	char group_id[CTL_ID_MAX];
	bool egress;
	unsigned proto;              /* IP protocol number, or NET_PROTO_ALL */
	unsigned port_min, port_max; /* ICMP: type and code, 65535 is any (-1) */
	uint32_t addr;
	unsigned prefix;
	char member_group_id[CTL_ID_MAX]; /* empty: the block counts */
	char description[NET_GROUP_NAME_MAX];
};

struct interface {
	char id[CTL_ID_MAX];
	char account[CTL_ID_MAX];
	char subnet_id[MODEL_ID_MAX];
	char instance_id[CTL_ID_MAX];
	unsigned device_idx;
	uint8_t mac[NET_MAC_BYTES];
	uint32_t addr; /* primary private address */
	bool source_dest_check;
	unsigned
		outside_idx; /* its number behind the gateway; 0: none was left, so it has no way out */
	uint64_t created_ms;
	char description[NET_GROUP_NAME_MAX];
	char attachment_id[MODEL_ID_MAX]; /* "eni-attach-…"; empty: not attached */
	uint64_t attached_ms;
	bool delete_on_termination;
};

struct interface_group {
	char interface_id[CTL_ID_MAX];
	char group_id[CTL_ID_MAX];
};

/* A network's way out: a gateway process while somebody needs it. */
struct gateway {
	char id[CTL_ID_MAX];
	char vpc_id[CTL_ID_MAX];
	uint8_t mac[NET_MAC_BYTES];
};

struct user_data {
	uint32_t len; /* 0: none */
	uint8_t b[NET_USER_DATA_MAX];
};

/* What an instance was launched with and reads back from its metadata service. */
struct launch_data {
	char instance_id[CTL_ID_MAX];
	char key_name[MODEL_KEY_NAME_MAX]; /* empty: no key */
	char public_key[NET_KEY_MAX];      /* "ssh-ed25519 AAAA… name" */
	struct user_data user_data;
};

/* Another host. */
struct peer {
	unsigned number; /* in messages; not 0 */
	char name[MODEL_NAME_MAX];
	uint32_t addr;
	unsigned port;
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES];
};

/* An address of a network that another host has. */
struct remote {
	char vpc_id[CTL_ID_MAX];
	uint32_t addr;
	uint8_t mac[NET_MAC_BYTES];
	unsigned peer;
};

/* A TCP port of this host that leads to an instance. */
struct forward {
	unsigned host_port;
	char instance_id[CTL_ID_MAX];
	unsigned port;
};
