/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/msr.h"

static struct cpuid_table host, guest;

static void host_leaf(uint32_t f, uint32_t index, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	host.entry[host.cnt++] = (struct kvm_cpuid_entry2){
		.function = f, .index = index, .eax = a, .ebx = b, .ecx = c, .edx = d
	};
}

/* A host that says yes to everything. */
static void host_make(int amd)
{
	memset(&host, 0, sizeof(host));
	if (amd)
		host_leaf(0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65);
	else
		host_leaf(0, 0, 0x20, 0x756e6547, 0x6c65746e, 0x49656e69);
	host_leaf(1, 0, 0xa00f11, 0x07200800, ~0U, ~0U);
	if (!amd) {
		host_leaf(4, 0, 0xfc004121, 0x1c0003f, 0x3f, 0);
		host_leaf(4, 3, 0xfc07c163, 0x1c0003f, 0x3fff, 6);
	}
	host_leaf(5, 0, 0x40, 0x40, 3, 0x11);
	host_leaf(6, 0, ~0U, ~0U, ~0U, ~0U);
	host_leaf(7, 0, 1, ~0U, ~0U, ~0U);
	host_leaf(0xa, 0, ~0U, ~0U, ~0U, ~0U);
	host_leaf(0xd, 0, 7, 0x240, 0x340, 0);
	host_leaf(0x12, 0, ~0U, ~0U, ~0U, ~0U);
	host_leaf(0x14, 0, ~0U, ~0U, ~0U, ~0U);
	host_leaf(0x40000000, 0, 0x40000010, 0x4b4d564b, 0x564b4d56, 0x4d);
	host_leaf(0x40000001, 0, ~0U, 0, 0, 0);
	host_leaf(0x80000000, 0, 0x80000028, 0, 0, 0);
	host_leaf(0x80000001, 0, 0xa00f11, 0, ~0U, ~0U);
	host_leaf(0x80000008, 0, 0x3030, 0, 0x703f, 0);
	host_leaf(0x8000000a, 0, ~0U, ~0U, ~0U, ~0U);
	if (amd) {
		host_leaf(0x8000001d, 0, 0x4121, 0x1c0003f, 0x3f, 0);
		host_leaf(0x8000001d, 3, 0x3c163, 0x3c0003f, 0x7fff, 1);
	}
	host_leaf(0x8000001f, 0, ~0U, ~0U, ~0U, ~0U);
	host_leaf(0x80000022, 0, ~0U, ~0U, ~0U, ~0U);
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t f, uint32_t index)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(&guest, f, index);

	assert_non_null(e);
	return e;
}

static void build(int amd, unsigned cores, unsigned threads, unsigned vcpu)
{
	const struct topology t = { cores, threads };

	host_make(amd);
	cpuid_build(&host, &t, true, &guest);
	cpuid_set_apic_id(&guest, &t, topo_apic_id(&t, vcpu));
}

static void topology__apic_ids_follow_cores_and_threads(void **state)
{
	static const struct {
		struct topology t;
		unsigned vcpu, core, apic;
	} want[] = {
		{ { 1, 1 }, 0, 0, 0 },     { { 1, 2 }, 1, 0, 1 }, { { 2, 2 }, 1, 1, 2 },
		{ { 2, 2 }, 2, 0, 1 },     { { 2, 2 }, 3, 1, 3 }, { { 4, 1 }, 3, 3, 3 },
		{ { 3, 2 }, 2, 2, 4 },     { { 3, 2 }, 5, 2, 5 }, { { 32, 2 }, 31, 31, 62 },
		{ { 32, 2 }, 63, 31, 63 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(topo_core(&want[i].t, want[i].vcpu), want[i].core);
		assert_int_equal(topo_apic_id(&want[i].t, want[i].vcpu), want[i].apic);
	}
	assert_true(topo_is_valid(32, 2));
	assert_false(topo_is_valid(33, 1));
	assert_false(topo_is_valid(0, 1));
	assert_false(topo_is_valid(1, 3));
	assert_false(topo_is_valid(1, 0));
}

static void leaf_b__has_shifts_counts_and_the_id(void **state)
{
	(void)state;
	build(1, 3, 2, 5);
	assert_int_equal(leaf(0xb, 0)->eax, 1);
	assert_int_equal(leaf(0xb, 0)->ebx, 2);
	assert_int_equal(leaf(0xb, 0)->ecx, 0x100);
	assert_int_equal(leaf(0xb, 1)->eax, 3); /* 3 cores take 2 bits */
	assert_int_equal(leaf(0xb, 1)->ebx, 6);
	assert_int_equal(leaf(0xb, 1)->ecx, 0x201);
	assert_int_equal(leaf(0xb, 1)->edx, 5);
	assert_int_equal(leaf(0xb, 2)->ebx, 0);
	assert_int_equal(leaf(1, 0)->ebx >> 24, 5);
}

static void amd__counts_processors_and_names_cores(void **state)
{
	(void)state;
	build(1, 2, 2, 3);
	assert_int_equal(leaf(1, 0)->ebx >> 16 & 0xff, 4);
	assert_int_equal(leaf(0x80000008, 0)->ecx, 3 | 2 << 12);
	assert_int_equal(leaf(0x8000001e, 0)->eax, 3);
	assert_int_equal(leaf(0x8000001e, 0)->ebx, 1 | 1 << 8); /* core 1, two threads */
	assert_int_equal(leaf(0x8000001d, 0)->eax >> 14 & 0xfff, 1);
	assert_int_equal(leaf(0x8000001d, 3)->eax >> 14 & 0xfff, 3);
	assert_int_not_equal(leaf(0x80000001, 0)->ecx & 1 << 22, 0); /* topology extensions */
	assert_int_not_equal(leaf(0x80000001, 0)->ecx & 1 << 1, 0);
	assert_null(cpuid_find(&guest, 0x1f, 0));
	assert_int_equal(leaf(0, 0)->eax, 0xd);
}

static void amd__without_cache_leaves_gets_plausible_ones(void **state)
{
	const struct topology t = { 2, 2 };
	uint32_t i;

	(void)state;
	host_make(1);
	for (i = 0; i < host.cnt; i++)
		if (host.entry[i].function == 0x8000001d)
			host.entry[i].eax = 0;
	cpuid_build(&host, &t, false, &guest);
	assert_int_equal(leaf(0x8000001d, 3)->eax >> 14 & 0xfff, 3);
	assert_int_equal(leaf(0x8000001d, 2)->eax >> 14 & 0xfff, 1);
	assert_int_equal(leaf(1, 0)->ecx & 1 << 24, 0); /* no TSC deadline timer asked for */
}

static void intel__leaf_4_and_1f_describe_the_package(void **state)
{
	(void)state;
	build(0, 4, 2, 1);
	assert_int_equal(leaf(4, 0)->eax >> 14 & 0xfff, 1);
	assert_int_equal(leaf(4, 3)->eax >> 14 & 0xfff, 7);
	assert_int_equal(leaf(4, 3)->eax >> 26, 3);
	assert_int_equal(leaf(0x1f, 1)->eax, 3);
	assert_int_equal(leaf(0x1f, 1)->edx, 2);
	assert_int_equal(leaf(0, 0)->eax, 0x1f);
	assert_null(cpuid_find(&guest, 0x8000001e, 0));
}

static void single__processor_has_no_hyperthreading_bit(void **state)
{
	(void)state;
	build(1, 1, 1, 0);
	assert_int_equal(leaf(1, 0)->edx & 1 << 28, 0);
	assert_int_equal(leaf(0x80000001, 0)->ecx & 1 << 1, 0);
	build(1, 1, 2, 0);
	assert_int_not_equal(leaf(1, 0)->edx & 1 << 28, 0);
}

/* One row for each thing a guest must not see, on a host that has it all. */
static void policy__hides_what_is_not_the_guests(void **state)
{
	static const struct {
		uint32_t leaf, mask;
		char reg;
	} hidden[] = {
		{ 1, 1 << 3, 'c' },           { 1, 1 << 5, 'c' },
		{ 1, 1 << 15, 'c' },          { 1, 1 << 21, 'd' },
		{ 7, 1 << 2, 'b' },           { 7, 1 << 12, 'b' },
		{ 7, 1 << 25, 'b' },          { 7, 1 << 5, 'c' },
		{ 7, 1 << 19, 'd' },          { 0x80000001, 1 << 2, 'c' },
		{ 0x80000001, 1 << 12, 'c' }, { 0x80000001, 1 << 23, 'c' },
		{ 0x80000001, 1 << 29, 'c' }, { 0x40000001, 1U << 31, 'a' },
	};
	static const uint32_t absent[] = { 5, 0xa, 0x12, 0x14, 0x8000000a, 0x8000001f, 0x80000022 };
	const struct kvm_cpuid_entry2 *e;
	uint32_t v;
	size_t i;

	(void)state;
	build(1, 2, 2, 0);
	for (i = 0; i < ARRAY_SIZE(hidden); i++) {
		e = leaf(hidden[i].leaf, 0);
		v = hidden[i].reg == 'a'   ? e->eax
		    : hidden[i].reg == 'b' ? e->ebx
		    : hidden[i].reg == 'c' ? e->ecx
					   : e->edx;
		assert_int_equal(v & hidden[i].mask, 0);
	}
	for (i = 0; i < ARRAY_SIZE(absent); i++)
		assert_null(cpuid_find(&guest, absent[i], 0));
	assert_int_equal(leaf(6, 0)->eax, 4);
	assert_int_equal(leaf(6, 0)->ecx, 0);
	assert_int_equal(leaf(0x40000000, 0)->eax, 0x40000001);
	assert_int_not_equal(leaf(1, 0)->ecx & 1U << 31, 0);
	assert_int_equal(cpuid_phys_bits(&guest), 48);
}

static void msr__list_allows_and_refuses(void **state)
{
	static const unsigned yes[] = { 0x10,       0x1b,       0x277,      0x2ff,     0x6e0,
					0x4b564d01, 0xc0000080, 0xc0000103, 0xc0010015 };
	static const unsigned no[] = { 0x9e,       0xc1,       0x186,      0x309,      0x345,
				       0x38f,      0x480,      0x491,      0x570,      0x40000000,
				       0x40000118, 0xc0000104, 0xc0010000, 0xc0010111, 0xc0010114,
				       0xc0010117, 0xc0010130, 0xc0010200, 0xc0011030, 0xffffffff };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(msr_is_allowed(yes[i]));
	for (i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(msr_is_allowed(no[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topology__apic_ids_follow_cores_and_threads),
		cmocka_unit_test(leaf_b__has_shifts_counts_and_the_id),
		cmocka_unit_test(amd__counts_processors_and_names_cores),
		cmocka_unit_test(amd__without_cache_leaves_gets_plausible_ones),
		cmocka_unit_test(intel__leaf_4_and_1f_describe_the_package),
		cmocka_unit_test(single__processor_has_no_hyperthreading_bit),
		cmocka_unit_test(policy__hides_what_is_not_the_guests),
		cmocka_unit_test(msr__list_allows_and_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
