/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ACPI tables of an instance: RSDP, XSDT, FADT, FACS, DSDT, MADT, MCFG. What they promise is what map.h, power.h
 * and pci.h do.   spec: acpi-6.4 §5.2
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "hypervisor/topology.h"

struct acpi_conf {
	struct topology topo;
	uint64_t mmio32_base, mmio32_bytes; /* BAR windows of the PCI root */
	uint64_t mmio64_base, mmio64_bytes; /* 0 bytes: none */
};

/**
 * acpi_build() - all tables, one after the other; the RSDP is at the very start
 * @gpa: where @buf will be in guest memory, a multiple of 64
 *
 * Return: bytes used, or -ENOSPC when @cap is too small.
 */
MUST_USE int acpi_build(const struct acpi_conf *conf, uint64_t gpa, void *buf, size_t cap);
