/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The state core: what people ask for and what happened to processes go in, rows of the store and actions come
 * out. It starts nothing, waits for nothing and reads no clock of its own: clock and random numbers are given, so a
 * test plays days in milliseconds. A function either commits everything it decided, or changes nothing and
 * leaves *acts as it was.
 *
 * The shell around it (link.c, api_*.c) carries the actions out and reports back with core_volume_made(),
 * core_volume_deleted(), core_started(), core_gone(). Reports may be late, doubled or about things long gone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/fault.h"
#include "controller/machine.h"
#include "controller/model.h"
#include "controller/net_model.h"
#include "controller/store.h"

enum {
	CORE_INSTANCES_MAX =
		65536, /* records, terminated ones included; what lives at once is the launcher's limit */
	CORE_VOLUMES_MAX = 65536,     /* of an account */
	CORE_TERMINATED_MS = 3600000, /* how long a terminated instance stays visible */
};

#define CORE_ROOT_DEVICE "/dev/xvda"

struct core_env {
	uint64_t (*now_ms)(void *ptr);                            /* since 1970 */
	MUST_USE int (*random)(void *ptr, void *buf, size_t len); /* unpredictable; 0 or -errno */
	void *ptr;
};

/* What instances may hold of the host, all together; from what the launcher says (core_capacity_said()). */
struct core_capacity {
	bool known; /* false: the launcher alone decides */
	bool whole_cores;
	unsigned cores;
	uint64_t ram_bytes;
};

/* Quotas of one account; 0: none. */
struct core_limits {
	unsigned instances; /* all records, terminated ones included; 0: CORE_INSTANCES_MAX */
	unsigned volumes;   /* 0: CORE_VOLUMES_MAX */
	unsigned vcpus;
	bool no_cards; /* rules are told to nobody: any number of them is in force */
};

/* Where something free is looked for first: an address of a subnet, a number behind the way out of a network. */
struct core_hint {
	char id[MODEL_ID_MAX]; /* of either; empty: unused */
	uint32_t next;
	size_t cnt; /* interfaces there were when no number was left */
};

enum { CORE_HINTS = 64 };

struct core {
	struct store *st; /* borrowed */
	struct core_env env;
	struct core_capacity capacity;
	struct core_limits limits;
	struct core_hint hint[CORE_HINTS];
	struct place place; /* core_net_init() makes an empty one PLACE_DEFAULT */
};

enum core_act_kind {
	CORE_VOLUME_CREATE, /* ask the launcher; volume_id */
	CORE_VOLUME_REMAKE, /* delete what a crash left half-made, then create; volume_id */
	CORE_VOLUME_DELETE, /* destroys the key, then the file; volume_id */
	CORE_START,         /* instance_id, as below */
	CORE_BUTTON,
	CORE_RESET,
	CORE_KILL,
	CORE_SOCKET_DROP,
	CORE_METADATA, /* what the instance reads from its metadata service has changed; instance_id */
	CORE_NETWORK, /* who is where has changed: look what cards, wire and gateways must know; instance_id */
};

struct core_act {
	enum core_act_kind kind;
	char id[CTL_ID_MAX]; /* volume or instance, as the kind says */
};

/* As many as a call needs. On the stack: CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL }; */
struct core_acts {
	struct core_act *v; /* owned: core_acts_done() */
	size_t cnt, cap;
};
void core_acts_done(struct core_acts *acts);
/* core_acts_move(): what @from holds comes behind what @to holds; @from is empty afterwards. Return: 0, -ENOMEM and nothing moved. */
MUST_USE int core_acts_move(struct core_acts *to, struct core_acts *from);

struct core_run {
	char account[CTL_ID_MAX];
	char image[MODEL_NAME_MAX]; /* reference: name, id or its beginning; unchecked */
	char type[CTL_NAME_MAX];    /* empty: the default */
	char cpus[16];              /* "2x1"; empty: all of the type */
	char name[MODEL_NAME_MAX];  /* empty: none */
	uint64_t disk_bytes;        /* 0: as big as the image */
	char private_ip[32];        /* empty: any; unchecked */
	char key_name[CTL_NAME_MAX], public_key[NET_KEY_MAX]; /* empty: none; unchecked */
	struct user_data *user_data; /* NULL: none; whose it is, the caller says */
};

/* core_check_run(): everything about a launch that can be said without changing anything. *ret: the row to be. */
MUST_USE int core_check_run(struct core *c, const struct core_run *q, struct instance *ret,
			    struct fault *f);
/* core_run(): the same check, then the instance (pending) and its root volume (creating) are recorded. */
MUST_USE int core_run(struct core *c, const struct core_run *q, struct core_acts *acts,
		      struct instance *ret, struct fault *f);
/* core_capacity_check(): does @i fit on a host of which the launcher said @h? */
MUST_USE int core_capacity_check(const struct ctl_l_host *h, const struct instance *i,
				 struct fault *f);

/* core_capacity_said(): what the host has, when the launcher runs what @live says (NULL: nothing). */
typedef bool core_live_fn(void *ptr, const char *instance_id);
void core_capacity_said(struct core *c, const struct ctl_l_host *h, core_live_fn *live, void *ptr);

/**
 * core_want() - a wish about an existing instance: one of EV_WANT_*
 * @why:   reason for people, kept with the instance ("User initiated")
 * Return: 1 something happens now, 0 it is so already, -errno with @f.
 */
MUST_USE int core_want(struct core *c, const char *instance_id, enum machine_event ev,
		       struct core_acts *acts, struct fault *f);
/* core_metadata_changed(): a row that the metadata service of @instance_id shows has changed. */
MUST_USE int core_metadata_changed(struct core_acts *acts, const char *instance_id);
/* core_stop_timeout(): the guest ignored the power button. */
MUST_USE int core_stop_timeout(struct core *c, const char *instance_id, struct core_acts *acts);

/* Reports. @err is 0 or -errno, @text the launcher's line for people. */
MUST_USE int core_volume_made(struct core *c, const char *volume_id, int err, const char *text,
			      uint64_t took_us, struct core_acts *acts);
MUST_USE int core_volume_deleted(struct core *c, const char *volume_id, int err, const char *text,
				 struct core_acts *acts);
MUST_USE int core_started(struct core *c, const struct ctl_l_instance_started *m,
			  struct core_acts *acts);
MUST_USE int core_gone(struct core *c, const char *instance_id, enum ctl_exit_reason reason,
		       const char *text, struct core_acts *acts);

/**
 * core_recover() - once after niterd's own start: settle every row with what lives
 * @live:  ids of the instances the launcher runs
 * @each:  called with the actions of one row at a time
 */
typedef MUST_USE int core_acts_fn(void *ptr, const struct core_acts *acts);
MUST_USE int core_recover(struct core *c, const char (*live)[CTL_ID_MAX], size_t live_cnt,
			  core_acts_fn *each, void *ptr);

/* core_expire(): forgets instances that ended CORE_TERMINATED_MS ago. */
MUST_USE int core_expire(struct core *c);

/*
 * core_start_message() / core_create_message(): what the launcher is asked, from the store. -ESTALE: nobody wants it any
 * more, so an old request must not be sent again.
 */
MUST_USE int core_start_message(struct core *c, const char *instance_id,
				struct ctl_l_instance_start *ret);
MUST_USE int core_create_message(struct core *c, const char *volume_id,
				 struct ctl_l_volume_create *ret);

/* core_id_new(): a fresh id. */
MUST_USE int core_id_new(struct core *c, int kind, char ret[CTL_ID_MAX]);

/* core_name_of(): an instance's name is its tag Name. "" when it has none; borrowed until a row changes. */
const char *core_name_of(struct core *c, const char *instance_id);

/* References as people type them: whole id, name, or the beginning of an id that only one thing has. */
MUST_USE int core_instance_find(struct core *c, const char *account, const char *ref,
				struct instance *ret, struct fault *f);
MUST_USE int core_image_find(struct core *c, const char *account, const char *ref,
			     struct image *ret, struct fault *f);
MUST_USE int core_volume_find(struct core *c, const char *account, const char *ref,
			      struct volume *ret, struct fault *f);

/* core_image_name_check(): may an image be called that? */
MUST_USE int core_image_name_check(struct core *c, const char *account, const char *name,
				   struct fault *f);
/* core_image_add(): records an image whose files are in place. */
MUST_USE int core_image_add(struct core *c, const struct image *i, struct fault *f);
/* core_image_rm(): forgets it, unless an instance would miss its kernel; the caller removes the files. */
MUST_USE int core_image_rm(struct core *c, const struct image *i, struct fault *f);

/* core_volume_add(): a blank volume that no instance has; @wish: from volume_type_check(), with its KMS key. */
MUST_USE int core_volume_add(struct core *c, const char *account, const struct volume *wish,
			     struct core_acts *acts, struct volume *ret, struct fault *f);
/* core_volume_new(): the same, of the default type, as big as somebody likes. */
MUST_USE int core_volume_new(struct core *c, const char *account, uint64_t bytes,
			     struct core_acts *acts, struct volume *ret, struct fault *f);
/* core_volume_rm(): delete an available or broken volume. */
MUST_USE int core_volume_rm(struct core *c, const struct volume *v, struct core_acts *acts,
			    struct fault *f);
