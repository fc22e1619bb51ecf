/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the verbs of `niter` share. Standard output is for results (text or, with --json, one JSON value); progress,
 * remarks and errors go to standard error. Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

enum opt_type { OPT_FLAG, OPT_TEXT };

/* One option of a verb. */
struct opt {
	const char *name; /* "--name" */
	enum opt_type type;
	const char *arg; /* what stands behind it in the help: "NAME"; NULL for flags */
	const char *about;
	void *ret; /* bool, or const char * (borrowed from argv) */
};

struct verb {
	const char *name;       /* "image ls" */
	const char *args;       /* "IMAGE", "ID…", "" */
	int args_min, args_max; /* words that are no options; -1: any number */
	const char *about;      /* one line */
	int (*run)(const struct verb *v, int argc, char **argv);
};

/* What every verb has. */
extern bool cli_json; /* --json was given */

/**
 * opts_parse() - take the options out of a verb's words
 * @argv: without the verb; the words that are no options are moved to its front
 *
 * --help prints the verb's help and ends the program; a wrong command line ends it with CLI_USAGE.
 * Return: how many words are left, between args_min and args_max.
 */
int opts_parse(const struct verb *v, int argc, char **argv, const struct opt *opts, size_t opt_cnt);

/* cli_error(): "niter: …" on standard error. Return: CLI_FAILED. */
int cli_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* cli_usage(): the same, and where help is. Return: CLI_USAGE. */
int cli_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* number_parse(): decimal digits, no sign, no leading zero, at most @max. Return: 0, -EINVAL, -ERANGE. */
MUST_USE int number_parse(const char *s, uint64_t max, uint64_t *ret);
/* size_parse(): "512M", "8G", "8GiB", "1T", "4096". Return: 0, -EINVAL, -ERANGE. */
MUST_USE int size_parse(const char *s, uint64_t *ret);
/* size_text(): "512 MiB", "1.5 GiB". Return: @buf. */
const char *size_text(char *buf, size_t cap, uint64_t bytes);
/* age_text(): "12s", "5m", "3h", "2d" since an API time; "-" when it is none. @now_ms since 1970. */
const char *age_text(char *buf, size_t cap, const char *when, uint64_t now_ms);

/* Tables: columns as wide as their widest cell, two blanks between. */
struct table {
	size_t col_cnt, cell_cnt;
	char **cell; /* owned; row by row, the first row is the heading */
};
void table_add(struct table *t,
	       const char *text); /* text is copied; control characters become '?' */
void table_print(const struct table *t);
void table_done(struct table *t);

/* json_print(): @v (borrowed) as indented JSON and a newline on standard output. */
void json_print(const json_t *v);
/* text_of(): a member that is a text; "-" when there is none. */
const char *text_of(const json_t *o, const char *key);
uint64_t u64_of(const json_t *o, const char *key);

/* Progress on standard error: a bar that is redrawn on a terminal, else a line a step and one every ten per cent. */
struct progress {
	char step[64];
	unsigned tenth;
	bool open; /* a bar stands on the line */
};
void progress_show(struct progress *p, const char *step, uint64_t done, uint64_t total);
/* progress_end(): clears the bar. */
void progress_end(struct progress *p);

/* The verbs. */
extern const struct verb verbs[];
extern const size_t verb_cnt;
int verb_image_build(const struct verb *v, int argc, char **argv);
int verb_image_put(const struct verb *v, int argc, char **argv);
int verb_image_ls(const struct verb *v, int argc, char **argv);
int verb_image_rm(const struct verb *v, int argc, char **argv);
int verb_run(const struct verb *v, int argc, char **argv);
int verb_ps(const struct verb *v, int argc, char **argv);
int verb_console(const struct verb *v, int argc, char **argv);
int verb_stop(const struct verb *v, int argc, char **argv);
int verb_start(const struct verb *v, int argc, char **argv);
int verb_reboot(const struct verb *v, int argc, char **argv);
int verb_rm(const struct verb *v, int argc, char **argv);
int verb_types(const struct verb *v, int argc, char **argv);
int verb_volume_create(const struct verb *v, int argc, char **argv);
int verb_volume_ls(const struct verb *v, int argc, char **argv);
int verb_volume_rm(const struct verb *v, int argc, char **argv);
int verb_network_ls(const struct verb *v, int argc, char **argv);
int verb_network_create(const struct verb *v, int argc, char **argv);
int verb_network_rm(const struct verb *v, int argc, char **argv);
int verb_subnet_ls(const struct verb *v, int argc, char **argv);
int verb_subnet_create(const struct verb *v, int argc, char **argv);
int verb_subnet_rm(const struct verb *v, int argc, char **argv);
int verb_group_ls(const struct verb *v, int argc, char **argv);
int verb_group_create(const struct verb *v, int argc, char **argv);
int verb_group_rm(const struct verb *v, int argc, char **argv);
int verb_group_allow(const struct verb *v, int argc, char **argv);
int verb_group_deny(const struct verb *v, int argc, char **argv);
int verb_key_ls(const struct verb *v, int argc, char **argv);
int verb_key_create(const struct verb *v, int argc, char **argv);
int verb_key_import(const struct verb *v, int argc, char **argv);
int verb_key_rm(const struct verb *v, int argc, char **argv);
int verb_account_create(const struct verb *v, int argc, char **argv);
int verb_account_ls(const struct verb *v, int argc, char **argv);
int verb_account_rm(const struct verb *v, int argc, char **argv);
int verb_account_key(const struct verb *v, int argc, char **argv);
int verb_peer_add(const struct verb *v, int argc, char **argv);
int verb_peer_ls(const struct verb *v, int argc, char **argv);
int verb_peer_rm(const struct verb *v, int argc, char **argv);
int verb_peer_map(const struct verb *v, int argc, char **argv);
int verb_peer_unmap(const struct verb *v, int argc, char **argv);
int verb_forward(const struct verb *v, int argc, char **argv);
int verb_forward_ls(const struct verb *v, int argc, char **argv);
int verb_forward_rm(const struct verb *v, int argc, char **argv);
int verb_ssh(const struct verb *v, int argc, char **argv);
int verb_audit(const struct verb *v, int argc, char **argv);
int verb_host_certificate(const struct verb *v, int argc, char **argv);
int verb_host_processes(const struct verb *v, int argc, char **argv);
int verb_host(const struct verb *v, int argc, char **argv);
