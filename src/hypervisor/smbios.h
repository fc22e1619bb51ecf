/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SMBIOS 2.8 tables with the strings by which guests know that they are on EC2.
 *   spec: smbios-2.8 §5.2.1 (entry point), §7 (structures)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "hypervisor/topology.h"

struct smbios_conf {
	const char *instance_id; /* board asset tag */
	const char *type_name;   /* product */
	const uint8_t *uuid;     /* 16 bytes in the order of printing: ec 2… */
	struct topology topo;
	uint64_t ram_bytes;
};

/* smbios_build(): entry point first. @gpa: of @buf, below 4 GiB. Return: bytes, -ENOSPC. */
MUST_USE int smbios_build(const struct smbios_conf *conf, uint64_t gpa, void *buf, size_t cap);
