/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct host_sim_conf {
	unsigned memory_mib; /* of the simulated server */
	unsigned cpus;       /* even: cores of two threads; 1: one CPU */
	unsigned disk_gib;   /* state disk, sparse, when it has to be made */
	const char *link;         /* unix socket that joins two simulated servers; NULL: no second network device */
	const char *link_address; /* of that device, "10.77.0.1/24" */
	const char *link_capture; /* file (pcap) that gets everything on it; NULL: none */
	bool link_listen;         /* this one makes the socket, the other connects */
	unsigned api_port;   /* of this machine's 127.0.0.1, leads to the server's EC2 API */
	bool snapshot;       /* resume from HOME/ready-….snapshot; make it when there is none */
};

/**
 * host_sim_start() - boot the host image in QEMU's software emulation of an AMD-V server, with a software TPM
 * @ret_retries: how many boots had to be tried again (QEMU's emulation, not our code, fails now and then)
 *
 * Returns when niterd answers. On failure nothing is left running and one line says what to do.
 * Return: 0, or 1 with the line printed.
 */
MUST_USE int host_sim_start(const struct host_sim_conf *conf, unsigned *ret_retries);

/* host_sim_kill(): ends QEMU (and with it swtpm) by its process id, when it does not end by itself. */
void host_sim_kill(int pid);
