/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * niter-init's parts, in the order in which main() goes through them.
 */

#include "base/attr.h"
#include "cmdline.h"

enum { PORTS_MAX = 16, PORT_PATH_MAX = 64 };

/* ---- setup.c: each logs what it could not do */

/* root_move(): the initramfs becomes the root of an ordinary mount, so that jails can pivot away from it later. */
MUST_USE int root_move(void);
/* mounts_make(): proc, sysfs, devtmpfs, cgroup2, tmpfs on /run; console on 0, 1 and 2. */
MUST_USE int mounts_make(void);
/* root_seal(): nothing can be written to the root any more. */
MUST_USE int root_seal(void);
void modules_load(const char *list_path, const char *dir);
void sysctls_set(void);
/* sysctls_close(): those that forbid what start-up needed: loading modules. */
void sysctls_close(void);
int text_read(const char *path, char *ret, size_t cap);

/* ---- net.c */
/* net_up(): loopback, uplink and link as the command line says. What cannot be had is a line in the log. */
void net_up(const struct cmdline *c);

/* ---- keeper.c */

/**
 * keeper_start() - a virtual machine that never runs, held open for ever
 *
 * For the simulated server only. KVM keeps static keys for "some VM has no in-kernel APIC" and "some APIC is
 * disabled"; when VMs come and go they are patched in and out of the running kernel's code, and QEMU's emulation of
 * several CPUs now and then executes a half-patched instruction (Oops: int3). This machine keeps them on.
 * Return: 0, or -errno. Its descriptors are never closed.
 */
MUST_USE int keeper_start(void);

/* ---- port.c */

/* port_find(): device node of the virtio port with this name. -ENOENT. */
MUST_USE int port_find(const char *name, char ret[PORT_PATH_MAX]);
/* port_wait_go(): says "ready" on niter.boot, waits for "go", seeds the kernel's random numbers, sets the clock. */
MUST_USE int port_wait_go(void);

/* ---- launch.c */

MUST_USE int state_mount(const char *device);
/* launcher_run(): starts it, reaps until it ends. Return: its exit code, 128 + signal, or -errno. */
MUST_USE int launcher_run(const struct cmdline *c);
NORETURN void power_off(void);
