/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * niterd without a host: --launcher=null. The whole API answers, nothing real runs, no other process is needed: for
 * tests of clients and of niterd itself. What the core wants of a launcher has happened at the end of the turn.
 * Keys are in this process's memory and in its state directory, so they protect nothing; it says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/core.h"

struct daemon;

enum {
	NULL_IMAGES_MAX = 16,
	NULL_PORT = 8773,
	NULL_DISK_MIB = 1024, /* of an image, unless told */
	NULL_OWNERS_MAX = 8,  /* accounts besides the first */
};

struct null_image {
	char name[MODEL_NAME_MAX];
	uint64_t disk_mib;
};

/* An account and its access key, as tests know them. */
struct null_owner {
	char account[CTL_ID_MAX];
	char access_key_id[CTL_ID_MAX];
	const char *secret; /* 40 characters; NULL: made, or there since an earlier start */
};

struct null_options {
	bool help;
	uint32_t addr;     /* to listen on */
	unsigned port;     /* 0: any */
	const char *state; /* directory; NULL: in memory only */
	char account[CTL_ID_MAX];
	struct place place;
	struct null_owner owner[NULL_OWNERS_MAX];
	size_t owner_cnt;
	struct null_image image[NULL_IMAGES_MAX];
	size_t image_cnt;
	unsigned cores;                     /* of the host that is not there; 0: without end */
	uint64_t ram_mib;                   /* 0: without end */
	const char *access_key_id, *secret; /* NULL: made, or there since an earlier start */
};

/**
 * null_options_parse() - the command line
 * @ret: strings are borrowed from @argv
 * Return: 1 and *ret; 0 it does not ask for a null launcher; -EINVAL, said on standard error.
 */
MUST_USE int null_options_parse(int argc, char **argv, struct null_options *ret);
void null_usage(int fd);

struct null_host {
	const struct null_options *o;
	struct core_act *act; /* owned: not settled yet */
	size_t cnt, cap;
	uint64_t retry_ns; /* settling failed: again then; 0: it did not */
};

/* null_listen(): Return: the listening socket, -errno; @o gets its port. Before the sandbox closes. */
MUST_USE int null_listen(struct null_options *o);
/* null_state(): the state directory, made if need be. Return: its descriptor, -errno. */
MUST_USE int null_state(const struct null_options *o);
/* null_start(): images and recovery, once the store is open. */
MUST_USE int null_start(struct daemon *d, const struct null_options *o);

/* null_keys.c: what stands in for the security process. */
/* null_keys_init(): before the sandbox closes. *ret_link: for security_link_open(); *ret_engine: also to be kept open. */
MUST_USE int null_keys_init(const struct null_options *o, int state_fd, int *ret_link,
			    int *ret_engine);
/* null_keys_start(): answers from now on; accounts and access keys of the command line are there, and are printed. */
MUST_USE int null_keys_start(struct daemon *d, const struct null_options *o);
void null_keys_event(void);
void null_keys_done(void);

/* null_print(): what dprintf() does, without asking what kind of file @fd is: after the sandbox has closed, too. */
void null_print(int fd, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* null_say(): what this is and where it listens, on standard error and in the log. */
void null_say(const struct null_options *o);
/* null_acts(): what the core wants. Return: 0, -ENOMEM. */
MUST_USE int null_acts(struct daemon *d, const struct core_acts *acts);
/* null_settle(): all of it has happened. At the end of a turn. */
void null_settle(struct daemon *d, uint64_t now_ns, uint64_t *next);
void null_free(struct daemon *d);
