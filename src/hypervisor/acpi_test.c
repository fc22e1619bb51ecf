/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "hypervisor/acpi.h"
#include "hypervisor/aml.h"
#include "hypervisor/map.h"
#include "hypervisor/smbios.h"

static uint8_t buf[MAP_TABLES_BYTES];
static int len;

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static void build(unsigned cores, unsigned threads, uint64_t mmio64_bytes)
{
	const struct acpi_conf c = {
		.topo = { cores, threads },
		.mmio32_base = PCI_MMIO32_BASE,
		.mmio32_bytes = PCI_MMIO32_BYTES,
		.mmio64_base = MAP_MMIO64_BYTES,
		.mmio64_bytes = mmio64_bytes,
	};

	memset(buf, 0, sizeof(buf));
	len = acpi_build(&c, MAP_TABLES, buf, sizeof(buf));
	assert_true(len > 0);
}

/* A table the XSDT or the FADT points to. */
static const uint8_t *at_gpa(uint64_t gpa)
{
	assert_in_range(gpa, MAP_TABLES, MAP_TABLES + (uint64_t)len - 36);
	return buf + (gpa - MAP_TABLES);
}

static const uint8_t *table(const char *sig)
{
	const uint8_t *xsdt = at_gpa(le64_load(buf + 24)), *t;
	uint32_t i, n = le32_load(xsdt + 4);

	for (i = 36; i + 8 <= n; i += 8) {
		t = at_gpa(le64_load(xsdt + i));
		if (!memcmp(t, sig, 4))
			return t;
	}
	fail_msg("no %s", sig);
	return NULL;
}

static void check_sum(const uint8_t *t)
{
	assert_int_equal(sum(t, le32_load(t + 4)), 0);
}

static void tables__have_checksums_and_point_at_each_other(void **state)
{
	const uint8_t *fadt;

	(void)state;
	build(2, 2, MAP_MMIO64_BYTES);
	assert_memory_equal(buf, "RSD PTR ", 8);
	assert_int_equal(sum(buf, 20), 0);
	assert_int_equal(sum(buf, 36), 0);
	fadt = table("FACP");
	check_sum(fadt);
	check_sum(table("APIC"));
	check_sum(table("MCFG"));
	check_sum(at_gpa(le64_load(fadt + 140)));
	assert_memory_equal(at_gpa(le64_load(fadt + 140)), "DSDT", 4);
	assert_memory_equal(at_gpa(le32_load(fadt + 36)), "FACS", 4);
	assert_int_equal(le32_load(fadt + 36) % 64, 0);
	assert_int_equal(le32_load(fadt + 56), 0x600); /* where power.h answers */
	assert_int_equal(le64_load(table("MCFG") + 44), PCI_ECAM_BASE);
}

static void madt__lists_thread_0_of_every_core_first(void **state)
{
	static const uint8_t apic_ids[] = { 0, 2, 4, 1, 3, 5 };
	const uint8_t *e;
	unsigned i;

	(void)state;
	build(3, 2, 0);
	e = table("APIC") + 44;
	for (i = 0; i < 6; i++, e += e[1]) {
		assert_int_equal(e[0], 0);
		assert_int_equal(e[2], i);
		assert_int_equal(e[3], apic_ids[i]);
	}
	assert_int_equal(e[0], 1); /* the IOAPIC follows */
}

static void tables__of_the_largest_machine_fit(void **state)
{
	const struct acpi_conf c = { .topo = { TOPO_CORES_MAX, TOPO_THREADS_MAX } };

	(void)state;
	build(TOPO_CORES_MAX, TOPO_THREADS_MAX, MAP_MMIO64_BYTES);
	assert_true(len < MAP_TABLES_BYTES / 2);
	assert_int_equal(acpi_build(&c, MAP_TABLES, buf, (size_t)len - 64), -ENOSPC);
	assert_int_equal(acpi_build(&c, MAP_TABLES, buf, 10), -ENOSPC);
}

static void aml__numbers_and_ids_are_encoded_by_the_book(void **state)
{
	uint8_t b[64];
	struct wr w = wr_init(b, sizeof(b));
	struct aml_mark m;

	(void)state;
	assert_int_equal(aml_eisa_id("PNP0A08"), 0x080ad041);
	aml_int(&w, 0);
	aml_int(&w, 1);
	aml_int(&w, 2);
	aml_int(&w, 0x1234);
	assert_memory_equal(b, "\x00\x01\x0a\x02\x0b\x34\x12", 7);
	w = wr_init(b, sizeof(b));
	m = aml_scope(&w, "\\_SB");
	aml_name_int(&w, "A", 1);
	aml_close(&w, m);
	assert_memory_equal(b,
			    "\x10\x8e\x00\x00\\_SB_\x08"
			    "A___\x01",
			    15);
	assert_int_equal(w.len, 15);
}

/* A second opinion: Intel's disassembler reads the DSDT, and its compiler takes what it wrote. */
static void dsdt__is_read_by_iasl(void **state)
{
	char dir[] = "/tmp/niter-acpi-XXXXXX", cmd[256];
	const uint8_t *dsdt;
	FILE *f;
	int r;

	(void)state;
	if (access("/usr/bin/iasl", X_OK) < 0) {
		print_message("skip: iasl is not installed (package acpica-tools)\n");
		skip();
	}
	build(2, 2, MAP_MMIO64_BYTES);
	dsdt = at_gpa(le64_load(table("FACP") + 140));
	assert_non_null(mkdtemp(dir));
	(void)snprintf(cmd, sizeof(cmd), "%s/dsdt.dat", dir);
	f = fopen(cmd, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(dsdt, le32_load(dsdt + 4), 1, f), 1);
	(void)fclose(f);
	(void)snprintf(cmd, sizeof(cmd),
		       "cd %s && iasl -d dsdt.dat >log 2>&1 && iasl dsdt.dsl >log 2>&1 && "
		       "grep -q ' 0 Errors, 0 Warnings' log",
		       dir);
	r = system(cmd); /* NOLINT(cert-env33-c): our own fixed words */
	assert_int_equal(r, 0);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	r = system(cmd); /* NOLINT(cert-env33-c) */
	assert_int_equal(r, 0);
}

static const uint8_t uuid[16] = { 0xec, 0x2d, 0x1e, 0x2f, 0xaa, 0xbb, 0x4c, 0xdd,
				  0x81, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 };

static int smbios(uint64_t ram_bytes, size_t cap)
{
	const struct smbios_conf c = {
		.instance_id = "i-0123456789abcdef0",
		.type_name = "t3.micro",
		.uuid = uuid,
		.topo = { 1, 2 },
		.ram_bytes = ram_bytes,
	};

	return smbios_build(&c, MAP_SMBIOS, buf, cap);
}

/* The structure of a type, found by walking as dmidecode does. */
static const uint8_t *smbios_find(uint8_t type)
{
	const uint8_t *p = buf + (le32_load(buf + 24) - MAP_SMBIOS), *end = p + le16_load(buf + 22);

	while (p < end) {
		if (p[0] == type)
			return p;
		p += p[1];
		while (p[0] || p[1])
			p++;
		p += 2;
	}
	return NULL;
}

static const char *smbios_string(const uint8_t *s, unsigned off)
{
	const char *p = (const char *)s + s[1];
	unsigned n = s[off];

	assert_int_not_equal(n, 0);
	while (--n)
		p += strlen(p) + 1;
	return p;
}

static void smbios__tells_a_guest_that_it_is_on_ec2(void **state)
{
	const uint8_t *s;

	(void)state;
	assert_true(smbios(1ULL << 30, sizeof(buf)) > 0);
	assert_memory_equal(buf, "_SM_", 4);
	assert_int_equal(sum(buf, 31), 0);
	assert_int_equal(sum(buf + 16, 15), 0);
	s = smbios_find(1);
	assert_string_equal(smbios_string(s, 4), "Amazon EC2");
	assert_string_equal(smbios_string(s, 5), "t3.micro");
	assert_string_equal(smbios_string(s, 7), "ec2d1e2f-aabb-4cdd-8102-030405060708");
	/* printed ec2d1e2f-…, stored with the first three fields swapped */
	assert_memory_equal(s + 8,
			    "\x2f\x1e\x2d\xec\xbb\xaa\xdd\x4c\x81\x02\x03\x04\x05\x06\x07\x08", 16);
	s = smbios_find(2);
	assert_string_equal(smbios_string(s, 4), "Amazon EC2");
	assert_string_equal(smbios_string(s, 8), "i-0123456789abcdef0");
	s = smbios_find(3);
	assert_string_equal(smbios_string(s, 8), "Amazon EC2");
	assert_string_equal(smbios_string(smbios_find(0), 4), "Amazon EC2");
	assert_string_equal(smbios_string(smbios_find(0), 5), "1.0");
	assert_int_equal(le16_load(smbios_find(17) + 12), 1024); /* MiB */
	assert_non_null(smbios_find(127));
}

static void smbios__large_memory_uses_the_wide_field(void **state)
{
	(void)state;
	assert_true(smbios(64ULL << 30, sizeof(buf)) > 0);
	assert_int_equal(le16_load(smbios_find(17) + 12), 0x7fff);
	assert_int_equal(le32_load(smbios_find(17) + 28), 64 * 1024);
	assert_int_equal(smbios(1ULL << 30, 100), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables__have_checksums_and_point_at_each_other),
		cmocka_unit_test(madt__lists_thread_0_of_every_core_first),
		cmocka_unit_test(tables__of_the_largest_machine_fit),
		cmocka_unit_test(aml__numbers_and_ids_are_encoded_by_the_book),
		cmocka_unit_test(dsdt__is_read_by_iasl),
		cmocka_unit_test(smbios__tells_a_guest_that_it_is_on_ec2),
		cmocka_unit_test(smbios__large_memory_uses_the_wide_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
