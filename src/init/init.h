/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * niter-init: PID 1 of the host image. The parts, in the order main.c uses them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	INIT_WORD_MAX = 128,
	INIT_PORTS_MAX = 16,
	INIT_SEED_BYTES = 32,
};

/* The words of the kernel command line that are ours. */
struct init_conf {
	char mode[INIT_WORD_MAX];     /* niter.mode=server|simulated */
	char state[INIT_WORD_MAX];    /* niter.state=/dev/… the state disk */
	char tpm_kind[INIT_WORD_MAX]; /* niter.tpm-kind=swtpm|hardware */
	bool lab;                     /* niter.lab=1: this boot is not measured */
	bool wait_go;                 /* niter.wait-go=1: wait on the port niter.boot */
};

/* cmdline.c: @text is /proc/cmdline. Return: 0, -EPROTO for a niter.* word that is unknown or wrong. */
MUST_USE int init_cmdline_parse(const char *text, struct init_conf *ret);

/* go.c: "go <64 hex> <unix seconds>\n". Return: 0, -EPROTO. */
MUST_USE int init_go_parse(const char *line, uint8_t ret_seed[INIT_SEED_BYTES], int64_t *ret_seconds);
/* Says "ready" on @port, waits for "go", stirs the seed into the kernel's generator and sets the clock. */
MUST_USE int init_go_wait(const char *port);

/* mounts.c: the kernel's file systems, then from the initramfs to a tmpfs, where pivot_root works for jails. */
MUST_USE int init_mount_kernel(void);
MUST_USE int init_move_root(void);
MUST_USE int init_mount_state(const char *device);
void init_unmount_state(void);

/* modules.c: @list is a file of lines "NAME [PARAMETER=VALUE ...]", loaded in order from /lib/modules/NAME.ko. */
MUST_USE int init_modules_load(const char *list);

/* settings.c: sysctls that close what nobody needs on a host. */
void init_settings(void);

/* keeper.c: a VM that never runs and is held open (simulated server only). Return: 0, -errno. */
MUST_USE int init_keeper(void);

/* ports.c: the device node of the virtio-serial port called @name. Return: 0, -ENOENT. */
MUST_USE int init_port_find(const char *name, char ret_path[INIT_WORD_MAX]);
