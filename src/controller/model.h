/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the controller knows about: images, volumes, instances. Plain values: a row of the store, an argument of
 * the state machine, an object of the API are the same struct. Nothing here owns memory.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/control.h"

enum {
	MODEL_ID_MAX = 32,   /* of things that are in no message; with NUL */
	MODEL_NAME_MAX = 64, /* names people give to images and instances; with NUL */
	MODEL_CODE_MAX = 64, /* EC2 error and state reason codes; with NUL */
	MODEL_TEXT_MAX = CTL_TEXT_MAX,
	MODEL_SHA_HEX = 65,             /* SHA-256 as text; with NUL */
	MODEL_CONSOLE_TAIL = 64 * 1024, /* bytes kept of a console, as GetConsoleOutput gives */
	MODEL_BLOCK = 4096,             /* volumes and image files are counted in these */
};

/* The account of everything until the EC2 API brings more. */
#define MODEL_ACCOUNT_DEFAULT "123456789012"

/* Numbers are EC2's instance-state codes: part of the API and of the database. */
enum instance_state {
	INSTANCE_PENDING = 0,
	INSTANCE_RUNNING = 16,
	INSTANCE_SHUTTING_DOWN = 32,
	INSTANCE_TERMINATED = 48,
	INSTANCE_STOPPING = 64,
	INSTANCE_STOPPED = 80,
};

/* Part of the database. */
enum volume_state {
	VOLUME_CREATING = 1,
	VOLUME_AVAILABLE = 2,
	VOLUME_IN_USE = 3,
	VOLUME_DELETING = 4,
	VOLUME_ERROR = 5,
};

struct image {
	char id[CTL_ID_MAX];
	char account[CTL_ID_MAX];
	char name[MODEL_NAME_MAX];
	char architecture[16]; /* "x86_64" */
	char kernel_version[CTL_NAME_MAX];
	char cmdline[CTL_CMDLINE_MAX];
	uint64_t kernel_bytes, initrd_bytes, disk_bytes; /* initrd_bytes 0: none */
	uint64_t stored_bytes;                           /* of the three files, holes not counted */
	char sha256_kernel[MODEL_SHA_HEX], sha256_initrd[MODEL_SHA_HEX],
		sha256_disk[MODEL_SHA_HEX]; /* sparse_hash.h */
	uint64_t created_ms;                /* since 1970 */
};

struct volume {
	char id[CTL_ID_MAX];
	char account[CTL_ID_MAX];
	char image_id[CTL_ID_MAX]; /* empty: began blank */
	uint64_t size;             /* bytes */
	enum volume_state state;
	char reason[MODEL_TEXT_MAX]; /* of VOLUME_ERROR */
	uint64_t created_ms;
	/* attachment; instance_id empty: none */
	char instance_id[CTL_ID_MAX];
	char device[CTL_NAME_MAX]; /* "/dev/xvda" */
	unsigned device_idx;       /* 0 is the root volume */
	bool delete_on_termination;
};

/* Phases of the last launch, microseconds; 0 unknown. */
struct launch_times {
	uint64_t volume_us, jail_us, key_us, attach_us, first_run_us, hv_cpu_us;
};

struct instance {
	char id[CTL_ID_MAX];
	char account[CTL_ID_MAX];
	char name[MODEL_NAME_MAX]; /* empty: none */
	char image_id[CTL_ID_MAX];
	char type[CTL_NAME_MAX];
	unsigned cores, threads; /* threads per core */
	uint64_t ram_bytes;
	enum instance_state state;
	char reason_code[MODEL_CODE_MAX]; /* EC2 stateReason; empty: none */
	char reason[MODEL_TEXT_MAX];
	unsigned boot_cnt; /* starts that reached "running": 0 means never */
	uint64_t created_ms, launched_ms, ended_ms; /* launched: of the last start */
	struct launch_times times;
};

/* What the console said until the instance ended. */
struct console_tail {
	char instance_id[CTL_ID_MAX];
	unsigned boot_cnt;
	uint64_t end; /* bytes written in that boot */
	uint32_t len; /* of data: the last ones */
	uint8_t data[MODEL_CONSOLE_TAIL];
};

/* instance_state_name() / volume_state_name(): EC2's words: "shutting-down", "in-use". */
const char *instance_state_name(enum instance_state s);
const char *volume_state_name(enum volume_state s);
/* instance_state_valid(): is this number from the database one of the enum? */
bool instance_state_valid(int64_t v);
bool volume_state_valid(int64_t v);
