/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Launching in the core: one reservation of some instances, each with its volumes and its network interface, decided at
 * once and recorded in one transaction. What is wished is plain values; everything that people wrote is checked here
 * or by the one who filled them in, as said at each member.
 */

#include "controller/core.h"
#include "controller/types.h"

enum {
	CORE_DISKS_MAX = CTL_VOLUMES_MAX,
	CORE_HOP_LIMIT = 1, /* of the metadata service, when nobody says: EC2's default */
};

/* A volume of each instance. */
struct core_disk {
	char device[CTL_NAME_MAX]; /* unique within a launch; ignored for the root */
	struct volume volume;      /* size, type, iops, throughput, kms_key_id; checked */
	bool keep;                 /* it outlives the instance */
};

struct core_launch {
	char account[CTL_ID_MAX];
	char image_id[CTL_ID_MAX]; /* one that account may launch */
	const struct instance_type *type;
	struct cpu_options cpus;   /* {0}: all of the type */
	unsigned min, max;         /* how many: 1 … */
	char name[MODEL_NAME_MAX]; /* tag Name; empty: none */
	struct core_disk disk[CORE_DISKS_MAX];
	size_t disk_cnt; /* [0] is the root's; at least 1 */

	/* Where its interface goes. */
	const char *interface_id; /* an existing one; NULL: a new one, as follows. All unchecked */
	const char *subnet_id, *private_ip, *interface_description; /* NULL: default, any, none */
	const char *const *group_id; /* none: the network's default one */
	size_t group_cnt;
	bool interface_keep; /* it outlives the instance */

	/* What the guest reads from its metadata service. */
	char key_name[MODEL_KEY_NAME_MAX], public_key[MODEL_PUBLIC_KEY_MAX]; /* empty: none */
	const struct user_data *user_data;                                   /* NULL: none */
	bool imds_off, imds_tags;
	unsigned imds_hop_limit; /* 0: CORE_HOP_LIMIT */

	char client_token[65];
	bool anywhere; /* the caller asks the launcher itself whether there is room */
	bool shutdown_terminates, keep_termination, keep_stop, monitored;
};

/**
 * core_launch() - record the instances, pending, and what must be made for them
 * @ret_reservation: whose instances they are
 *
 * As many as there is room for, between min and max. Return: 0, -errno with @f and nothing changed.
 */
MUST_USE int core_launch(struct core *c, const struct core_launch *q, struct core_acts *acts,
			 char ret_reservation[CTL_ID_MAX], struct fault *f);

/* core_place.c: is there room? What rows hold against what the host has. */
/* core_place_cnt(): how many instances like @i still fit, at most @max. */
unsigned core_place_cnt(struct core *c, const struct instance *i, unsigned max);
/* core_place_full(): the refusal, as EC2 words it. Return: -ENOSPC. */
MUST_USE int core_place_full(const struct instance *i, struct fault *f);
