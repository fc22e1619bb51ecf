/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The machine's address map and ports. It is a Q35's: stock OVMF must find its way around later, and stock
 * Linux today. What belongs to PCI (windows, ECAM) is in pci.h.
 *
 *   0            low RAM, at most MAP_LOW_RAM_MAX
 *   0xa0000      (RAM that no table mentions: there is no VGA)
 *   0xe0000      ACPI and SMBIOS tables, reserved in e820
 *   0xc0000000   32-bit BAR window (PCI_MMIO32_BASE)
 *   0xe0000000   ECAM of one bus (PCI_ECAM_BASE)
 *   0xfec00000   IOAPIC, in the kernel
 *   0xfee00000   local APIC, in the kernel; MSI addresses
 *   0xfffbc000   three pages and one that KVM on Intel wants for its own
 *   4 GiB        high RAM, then the 64-bit BAR window (map_mmio64_base())
 */

#include <stdint.h>

#include "hypervisor/pci.h"

#define MAP_LOW_RAM_MAX PCI_MMIO32_BASE
#define MAP_IOAPIC 0xfec00000ull
#define MAP_LAPIC 0xfee00000ull
#define MAP_KVM_IDENTITY 0xfffbc000ull
#define MAP_KVM_TSS 0xfffbd000ull
#define MAP_HIGH_RAM_BASE 0x100000000ull
#define MAP_MMIO64_BYTES 0x800000000ull /* 32 GiB; as much is its alignment */

/* Below 1 MiB; the boot structures are the kernel's to overwrite once it runs. */
enum {
	MAP_BOOT_GDT = 0x500,
	MAP_BOOT_PARAMS = 0x7000,
	MAP_BOOT_PAGE_TABLES = 0x9000, /* 6 pages: the first 4 GiB, identity */
	MAP_BOOT_CMDLINE = 0x20000,
	MAP_EBDA = 0x9fc00,
	MAP_VGA_HOLE = 0xa0000,
	MAP_TABLES = 0xe0000,
	MAP_TABLES_BYTES = 0x10000, /* ACPI */
	MAP_SMBIOS = 0xf0000,
	MAP_SMBIOS_BYTES = 0x10000,
	MAP_HIMEM = 0x100000,
};

enum {
	PORT_PIT_SPEAKER = 0x61, /* in the kernel */
	PORT_I8042_DATA = 0x60,
	PORT_I8042_CMD = 0x64,
	PORT_CMOS_INDEX = 0x70,
	PORT_CMOS_DATA = 0x71,
	PORT_UART = 0x3f8,
	PORT_UART_CNT = 8,
	PORT_PM_CNT = 0x80, /* from PCI_PM_BASE */
	PORT_PCI = 0xcf8,
	PORT_RESET = 0xcf9, /* a byte inside PCI's address port */
	PORT_PCI_END = 0xd00,

	IRQ_UART = 4,
	IRQ_RTC = 8, /* named in the tables, never raised */
	IRQ_SCI = 9,
};

/* map_mmio64_base() - where the 64-bit BAR window begins in a machine whose RAM ends at @ram_end */
static inline uint64_t map_mmio64_base(uint64_t ram_end)
{
	uint64_t from = ram_end < MAP_HIGH_RAM_BASE ? MAP_HIGH_RAM_BASE : ram_end;

	return (from + MAP_MMIO64_BYTES - 1) & ~(MAP_MMIO64_BYTES - 1);
}
