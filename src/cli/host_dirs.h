/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a host keeps its files, and what was started there. Shared by the host verbs and the client connection.
 *
 *   HOME/host.json        what runs: mode, process ids, how often the boot was tried again
 *   HOME/state.raw        simulated: the server's state disk; survives `niter host stop`
 *   HOME/tpm/             simulated: the software TPM's memory
 *   HOME/run/ctl.N        simulated: control ports 0 … HOST_CTL_PORTS-1
 *   HOME/run/console.log  what the host itself says (never an instance's console)
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

enum {
	HOST_PATH_MAX = 512,
	HOST_CTL_PORTS = 8,
	HOST_API_PORT = 8773, /* of the EC2 API; of this machine unless it is taken */
};

enum host_mode { HOST_NONE, HOST_NATIVE, HOST_SIMULATED };

struct host_record {
	enum host_mode mode;
	pid_t pid;        /* QEMU, or the launcher */
	unsigned retries; /* boots of the simulated server that had to be tried again */
	unsigned api_port; /* of 127.0.0.1: the EC2 API; 0: none was asked for */
};

/* host_home(): $NITER_HOME, or /var/lib/niter for root, or the user's data directory. Static storage. */
const char *host_home(void);
/* host_path(): HOME/@name into @buf. Return: 0, -ENAMETOOLONG. */
MUST_USE int host_path(char buf[HOST_PATH_MAX], const char *name);
/* host_record_load(): what host.json says, if that process still lives; mode HOST_NONE otherwise. */
void host_record_load(struct host_record *ret);
MUST_USE int host_record_save(const struct host_record *r);
void host_record_remove(void);
