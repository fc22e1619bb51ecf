/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A writer of AML, the byte code of ACPI tables: as many of its words as our DSDT needs. Things that hold others
 * are opened and closed: m = aml_device(w, …); …; aml_close(w, m).
 *   spec: acpi-6.4 §20 (encoding), §6.4 (resource descriptors)
 */

#include <stdint.h>

#include "base/bytes.h"

struct aml_mark {
	size_t len_at;    /* where the package length goes */
	size_t buffer_at; /* for resource templates: where the buffer's size goes; else 0 */
};

/* Names are "\\_SB", "PCI0", "_CRS": at most one segment after an optional root sign. */
struct aml_mark aml_scope(struct wr *w, const char *name);
struct aml_mark aml_device(struct wr *w, const char *name);
struct aml_mark aml_method(struct wr *w, const char *name, unsigned arg_cnt);
struct aml_mark aml_if(struct wr *w);
struct aml_mark aml_else(struct wr *w);
struct aml_mark aml_package(struct wr *w, unsigned cnt);
void aml_close(struct wr *w, struct aml_mark m);

void aml_int(struct wr *w, uint64_t v);
void aml_bytes(struct wr *w, const void *p, size_t len); /* a buffer of these bytes */
void aml_string(struct wr *w, const char *s);
void aml_name(struct wr *w, const char *name); /* Name(NAME, …): its value follows */
void aml_name_int(struct wr *w, const char *name, uint64_t v);
void aml_ref(struct wr *w, const char *name); /* the name alone */
void aml_arg(struct wr *w, unsigned idx);
void aml_op(struct wr *w, unsigned op); /* an opcode below 0x100; its operands follow */
uint32_t aml_eisa_id(const char *id);   /* "PNP0A08" */

enum {
	AML_STORE = 0x70,
	AML_AND = 0x7b,
	AML_OR = 0x7d,
	AML_CREATE_DWORD_FIELD = 0x8a,
	AML_NOT = 0x92,
	AML_EQUAL = 0x93,
	AML_RETURN = 0xa4,
	AML_LOCAL0 = 0x60,
	AML_NO_TARGET = 0x00, /* where an operation may store its result and need not */
};

/* Resource templates: between aml_resources() and aml_resources_end(). */
struct aml_mark aml_resources(struct wr *w);
void aml_resources_end(struct wr *w, struct aml_mark m);
void aml_res_irq(struct wr *w, unsigned irq); /* edge, active high, exclusive */
void aml_res_io(struct wr *w, uint16_t from, uint8_t len);
void aml_res_memory32_fixed(struct wr *w, uint32_t base, uint32_t len);
/* Windows of a bridge: what it produces. */
void aml_res_bus_window(struct wr *w, uint16_t first, uint16_t last);
void aml_res_io_window(struct wr *w, uint16_t first, uint16_t last);
void aml_res_memory_window32(struct wr *w, uint32_t base, uint32_t len);
void aml_res_memory_window64(struct wr *w, uint64_t base, uint64_t len);
