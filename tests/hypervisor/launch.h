/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plays launcher and niterd for one niter-hypervisor: starts the real program without a jail, sends it its machine,
 * reads its console. For tests and for the small init that runs in the simulated server.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "proto/control.h"

struct launch_conf {
	const char *program; /* niter-hypervisor */
	const char *kernel;
	const char *initrd; /* NULL: none */
	const char *cmdline;
	unsigned cores, threads;
	uint64_t ram_bytes;
	const int *function_socks; /* vfio-user sockets; borrowed */
	const uint8_t *slots;
	unsigned function_cnt;
	bool quiet; /* its log goes nowhere */
};

struct launched {
	pid_t pid;
	int ctl, svc, ram;
	uint64_t console_off;
	uint64_t ready_cpu_us;
	char refusal[CTL_TEXT_MAX]; /* when it did not start */
};

/* launch() - Return: 0 it said ready, -ECHILD it refused (->refusal), -errno. launched_end() either way. */
MUST_USE int launch(const struct launch_conf *c, struct launched *ret);

/* launched_console(): what was printed since the last call. Return: bytes, NUL-terminated in @buf. */
size_t launched_console(struct launched *l, char *buf, size_t cap);

/* launched_expect(): collects console output in @buf until it holds @text. Return: 0, -ETIMEDOUT. */
MUST_USE int launched_expect(struct launched *l, char *buf, size_t cap, const char *text,
			     int timeout_ms);

/* launched_ask(): a service request without fields. Return: 0 acknowledged (or answered), -errno. */
MUST_USE int launched_ask(struct launched *l, enum ctl_type type, struct ctl_svc_stats *ret_stats);

/* launched_exit(): waits for CTL_HV_EXIT. Return: enum ctl_exit_reason, -ETIMEDOUT, -errno. */
MUST_USE int launched_exit(struct launched *l, int timeout_ms, char text[CTL_TEXT_MAX]);

/* launched_end(): kills what is left, closes. */
void launched_end(struct launched *l);
