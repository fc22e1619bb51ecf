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
	MODEL_UUID_MAX = 40,
	MODEL_SEALED_MAX = 256,
	MODEL_KEY_NAME_MAX = 256,
	MODEL_PUBLIC_KEY_MAX = 2048,
	MODEL_TAG_KEY_MAX = 384,   /* 127 UTF-16 units; with NUL */
	MODEL_TAG_VALUE_MAX = 784, /* 255 units … */
	MODEL_KMS_DESCRIPTION_MAX = 8193,
	MODEL_BLOCK = 4096, /* volumes and image files are counted in these */
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

/* Who owns things. Ids are 12 digits. */
struct account {
	char id[CTL_ID_MAX];
	char name[MODEL_NAME_MAX];
	uint64_t created_ms;
};

/* An access key of an account. Its secret is known to the security process alone, which sealed it in here. */
struct access_key {
	char id[CTL_ID_MAX]; /* "AKIA" and 16 of A-Z 2-7 */
	char account[CTL_ID_MAX];
	uint16_t sealed_len;
	uint8_t sealed[MODEL_SEALED_MAX];
	uint64_t created_ms;
};

/* A public key that instances are launched with. */
struct key_pair {
	char id[CTL_ID_MAX]; /* "key-…" */
	char account[CTL_ID_MAX];
	char name[MODEL_KEY_NAME_MAX];
	char type[16]; /* "rsa", "ed25519" */
	char fingerprint[96];
	char public_key[MODEL_PUBLIC_KEY_MAX]; /* one OpenSSH line */
	uint64_t created_ms;
};

struct tag {
	char resource_id[MODEL_ID_MAX];
	char account[CTL_ID_MAX];
	char key[MODEL_TAG_KEY_MAX];
	char value[MODEL_TAG_VALUE_MAX];
};

/* A ClientToken that was used: kept 24 hours at least. */
struct client_token {
	char account[CTL_ID_MAX];
	char action[48];
	char token[65];
	char digest[MODEL_SHA_HEX]; /* of the parameters */
	char result[MODEL_NAME_MAX];
	uint64_t created_ms;
};

/* What this database alone knows: random bytes made once, as hex. */
struct setting {
	char name[32];
	char value[MODEL_SHA_HEX];
};

/* What is known here of a KMS key; its material is the security process's. States are KMS's words. */
enum kms_key_state { KMS_KEY_ENABLED = 1, KMS_KEY_DISABLED = 2, KMS_KEY_PENDING_DELETION = 3 };
struct kms_key {
	char id[MODEL_UUID_MAX];
	char account[CTL_ID_MAX];
	char description[MODEL_KMS_DESCRIPTION_MAX];
	bool by_service; /* "alias/aws/ebs": made by us for the account's volumes */
	enum kms_key_state state;
	uint64_t created_ms, deletion_ms; /* deletion_ms 0: none is planned */
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
	char type[16];                   /* "gp3" */
	uint32_t iops;                   /* 0: the type has none to say */
	uint32_t throughput;             /* MiB/s; gp3 only */
	char kms_key_id[MODEL_UUID_MAX]; /* empty: the account's own */
	uint64_t attached_ms;            /* 0: not attached */
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
	char reservation_id[MODEL_ID_MAX]; /* instances of one RunInstances share it */
	unsigned launch_idx;               /* ami-launch-index */
	char client_token[65];
	char key_name[MODEL_KEY_NAME_MAX]; /* empty: none */
	bool shutdown_terminates;          /* instanceInitiatedShutdownBehavior */
	bool keep_termination, keep_stop;  /* disableApiTermination, disableApiStop */
	bool imds_enabled, imds_tags;
	unsigned imds_hop_limit; /* 1 … 64 */
	bool enclaves;           /* EnclaveOptions.Enabled */
	bool monitored;
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
