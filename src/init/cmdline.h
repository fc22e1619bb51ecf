/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The texts niter-init reads: its words on the kernel command line, the list of modules, the host's "go".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { WORD_MAX = 64, SEED_BYTES = 32, MODULE_NAME_MAX = 56, MODULE_PARAM_MAX = 256 };

enum { LINK_NAME_MAX = 16 };

/* "eth0,10.0.2.15/24,10.0.2.2": a network device, its address, and for an uplink the router. Network byte order. */
struct link_conf {
	char name[LINK_NAME_MAX]; /* empty: none was named */
	uint8_t addr[4], gateway[4];
	unsigned prefix; /* 1 … 31 */
};

struct cmdline {
	char mode[WORD_MAX];      /* "server" (default) or "simulated" */
	char state[WORD_MAX];     /* block device of the state disk; empty: none was named */
	char tpm_kind[WORD_MAX];  /* "hardware" (default) or "swtpm" */
	char placement[WORD_MAX]; /* "auto" (default), "whole" or "shared" */
	bool lab, wait_go;
	struct link_conf uplink; /* to the world; ways out of networks lead there */
	struct link_conf link;   /* to other hosts of ours; it has no router */
};

/**
 * cmdline_parse() - the words that begin with "niter."
 * Other words belong to the kernel. A word of ours that is unknown, too long or has a value that is not
 * allowed is an error: a mistyped option must not start a host that is not the one that was meant.
 * @ret_bad: on error the word, cut to @cap-1
 * Return: 0, or -EINVAL.
 */
MUST_USE int cmdline_parse(const char *text, struct cmdline *ret, char *ret_bad, size_t cap);

/* link_parse(): one of the two texts; @has_gateway: an uplink's. -EINVAL if it is anything else. */
MUST_USE int link_parse(const char *text, bool has_gateway, struct link_conf *ret);

struct module {
	char name[MODULE_NAME_MAX];
	char params[MODULE_PARAM_MAX];
};

/**
 * module_next() - next line of the list "name [param=value]…"; blank lines and "#…" are skipped
 * @p: moves behind the line
 * Return: 1 a module, 0 the end, -EINVAL a name that is none (nothing is skipped silently).
 */
MUST_USE int module_next(const char **p, struct module *ret);

/* go_parse(): "go <64 hex digits> <seconds since 1970>\n". -EPROTO if it is anything else. */
MUST_USE int go_parse(const char *line, uint8_t ret_seed[SEED_BYTES], int64_t *ret_seconds);
