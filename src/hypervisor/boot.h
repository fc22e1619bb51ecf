/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Kernel files. boot_parse() reads the head of one (a tenant's bytes) and decides everything; boot_load() then
 * copies pieces whose place and length are known to be good.
 *
 * Two kinds: a bzImage that has a 64-bit entry, and an uncompressed vmlinux (ELF). Both are entered in long mode
 * with boot_params in RSI.   spec: linux-boot "64-bit boot protocol", "The Real-Mode Kernel Header"
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "hypervisor/memory.h"

enum {
	BOOT_HEAD_BYTES = 8192, /* of the file, for boot_parse() */
	BOOT_SEGMENTS_MAX = 16,
	BOOT_HDR_OFF = 0x1f1, /* the setup header, in the file and in boot_params */
	BOOT_HDR_MAX = 0x290 - BOOT_HDR_OFF,
};

/* Why a file is not taken. The text says what to do. */
enum boot_fault {
	BOOT_OK,
	BOOT_SHORT,
	BOOT_NOT_A_KERNEL,
	BOOT_OLD_PROTOCOL,
	BOOT_NO_64BIT_ENTRY,
	BOOT_BAD_HEADER,
	BOOT_BAD_ELF,
	BOOT_BAD_SEGMENT,
	BOOT_BAD_ENTRY,
	BOOT_NO_ROOM,
	BOOT_CMDLINE_LONG,
	BOOT_INITRD_EMPTY,
	BOOT_INITRD_NO_ROOM,
	BOOT_READ,
	BOOT_FAULTS,
};

struct boot_segment {
	uint64_t off, len; /* in the file */
	uint64_t gpa;
};

struct boot_plan {
	struct boot_segment seg[BOOT_SEGMENTS_MAX];
	unsigned seg_cnt;
	uint64_t entry; /* gpa */
	uint64_t end;   /* first byte above what the kernel needs before it can look after itself */
	uint64_t initrd_top;       /* initrd must end at or below */
	uint32_t cmdline_max;      /* bytes without NUL */
	uint8_t hdr[BOOT_HDR_MAX]; /* setup header for boot_params; zero-filled for an ELF */
	uint32_t hdr_len;
};

/* boot_fault_text(): one line for a person; a literal. */
const char *boot_fault_text(enum boot_fault f);

/**
 * boot_parse() - decide how a kernel file is to be loaded
 * @head:      first bytes of the file, unchecked
 * @head_len:  how many: BOOT_HEAD_BYTES, or the whole file if it is shorter
 * @file_len:  size of the file
 * @low_bytes: RAM below 4 GiB; every segment ends up in [1 MiB, @low_bytes)
 * @ret:       written on success only
 *
 * Return: BOOT_OK or the reason.
 */
MUST_USE enum boot_fault boot_parse(const void *head, size_t head_len, uint64_t file_len,
				    uint64_t low_bytes, struct boot_plan *ret);

/* What to boot; descriptors are borrowed. */
struct boot_conf {
	int kernel_fd;
	int initrd_fd; /* -1: none */
	const char *cmdline;
	uint64_t rsdp; /* gpa of the ACPI root pointer */
};

/* boot_place(): where an initrd of @len bytes goes. Return: gpa, or 0 when it does not fit. */
uint64_t boot_place_initrd(const struct boot_plan *p, uint64_t len);

/**
 * boot_load() - kernel, initrd, command line, boot_params, page tables and GDT into zeroed RAM
 * @ret_entry: RIP of the boot processor; written on success only
 *
 * Return: BOOT_OK or the reason.
 */
MUST_USE enum boot_fault boot_load(const struct memory *m, const struct boot_conf *conf,
				   uint64_t *ret_entry);
