/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/cpuid.h"

#include <string.h>

#include "base/num.h"

/* spec: intel-sdm vol. 2A "CPUID"; spec: amd-apm vol. 3 appendix E */
enum {
	LEAF_VENDOR = 0,
	LEAF_FEATURES = 1,
	LEAF_TLB_INTEL = 2,
	LEAF_CACHE_INTEL = 4,
	LEAF_POWER = 6,
	LEAF_FEATURES_7 = 7,
	LEAF_TOPOLOGY = 0xb,
	LEAF_XSAVE = 0xd,
	LEAF_TSC = 0x15,
	LEAF_TOPOLOGY_V2 = 0x1f,

	CACHE_L1D = 1,
	CACHE_L1I = 2,
	CACHE_UNIFIED = 3,
	CACHE_SHARE_SHIFT = 14, /* 12 bits: logical processors that share it, less one */
	CACHE_CORES_SHIFT = 26, /* 6 bits, Intel only: cores in the package, less one */
};

#define LEAF_KVM_SIGNATURE 0x40000000u
#define LEAF_KVM_FEATURES 0x40000001u
#define LEAF_EXT 0x80000000u
#define LEAF_EXT_FEATURES 0x80000001u
#define LEAF_EXT_BRAND_FIRST 0x80000002u
#define LEAF_EXT_POWER 0x80000007u
#define LEAF_EXT_SIZES 0x80000008u
#define LEAF_EXT_TLB1G 0x80000019u
#define LEAF_EXT_PERF_OPT 0x8000001au
#define LEAF_EXT_CACHE 0x8000001du
#define LEAF_EXT_TOPOLOGY 0x8000001eu
#define LEAF_EXT_FEATURES_21 0x80000021u

#define BIT(n) (1u << (n))

/* Leaf 1 */
#define F1_ECX_HIDE                                                                                \
	(BIT(2) /* DTES64 */ | BIT(3) /* MONITOR */ | BIT(4) /* DS-CPL */ | BIT(5) /* VMX */ |     \
	 BIT(6) /* SMX */ | BIT(7) /* EIST */ | BIT(8) /* TM2 */ | BIT(11) /* SDBG */ |            \
	 BIT(14) /* xTPR */ | BIT(15) /* PDCM */ | BIT(18) /* DCA */ |                             \
	 BIT(27) /* OSXSAVE: live */)
#define F1_ECX_X2APIC BIT(21)
#define F1_ECX_TSC_DEADLINE BIT(24)
#define F1_ECX_XSAVE BIT(26)
#define F1_ECX_HYPERVISOR BIT(31)
#define F1_EDX_HIDE                                                                                \
	(BIT(21) /* DS */ | BIT(22) /* ACPI */ | BIT(29) /* TM */ | BIT(30) /* IA64 */ |           \
	 BIT(31) /* PBE */)
#define F1_EDX_HTT BIT(28)
/* Leaf 6 */
#define F6_EAX_SHOW BIT(2) /* ARAT: the APIC timer never stops */
/* Leaf 7 */
#define F7_EBX_HIDE                                                                                \
	(BIT(2) /* SGX */ | BIT(12) /* PQM */ | BIT(15) /* PQE */ | BIT(25) /* Processor Trace */)
#define F7_ECX_HIDE                                                                                \
	(BIT(4) /* OSPKE: live */ | BIT(5) /* WAITPKG */ | BIT(13) /* TME */ | BIT(23) /* KL */ |  \
	 BIT(30) /* SGX_LC */)
#define F7_EDX_HIDE                                                                                \
	(BIT(5) /* UINTR */ | BIT(15) /* hybrid */ | BIT(18) /* PCONFIG */ |                       \
	 BIT(19) /* ARCH_LBR */ | BIT(22) /* AMX-BF16 */ | BIT(24) /* AMX-TILE */ |                \
	 BIT(25) /* AMX-INT8 */)
#define F7_1_EAX_HIDE (BIT(21) /* AMX-FP16 */)
#define F7_1_EDX_HIDE (BIT(8) /* AMX-COMPLEX */ | BIT(19) /* AVX10 */)
/* Leaf 0x80000001 */
#define FE1_ECX_HIDE                                                                               \
	(BIT(2) /* SVM */ | BIT(10) /* IBS */ | BIT(12) /* SKINIT */ | BIT(13) /* WDT */ |         \
	 BIT(15) /* LWP */ | BIT(19) /* node id MSR */ | BIT(23) /* PerfCtrCore */ |               \
	 BIT(24) /* PerfCtrNB */ | BIT(27) /* PerfTSC */ | BIT(28) /* PerfCtrLLC */ |              \
	 BIT(29) /* MWAITX */)
#define FE1_ECX_CMP_LEGACY BIT(1)
#define FE1_ECX_TOPOEXT BIT(22)
/* KVM's own: what KVM_GET_SUPPORTED_CPUID gives today; a new bit waits until somebody looked at it. */
#define FKVM_EAX_SHOW 0x01007efbu

struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *c, uint32_t function, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < c->cnt; i++)
		if (c->entry[i].function == function && c->entry[i].index == index)
			return &c->entry[i];
	return NULL;
}

static const struct kvm_cpuid_entry2 *host_find(const struct cpuid_table *c, uint32_t function)
{
	uint32_t i;

	for (i = 0; i < c->cnt; i++)
		if (c->entry[i].function == function)
			return &c->entry[i];
	return NULL;
}

static void add(struct cpuid_table *c, const struct kvm_cpuid_entry2 *e)
{
	if (c->cnt < CPUID_ENTRIES_MAX)
		c->entry[c->cnt++] = *e;
}

/* A leaf with sub-leaves of our own making. */
static void add_indexed(struct cpuid_table *c, uint32_t function, uint32_t index, uint32_t eax,
			uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	const struct kvm_cpuid_entry2 e = {
		.function = function,
		.index = index,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = eax,
		.ebx = ebx,
		.ecx = ecx,
		.edx = edx,
	};

	add(c, &e);
}

struct policy {
	const struct topology *t;
	bool is_amd;
	bool has_tsc_deadline;
};

static unsigned package_bits(const struct topology *t)
{
	return topo_bits(t->threads) + topo_bits(t->cores);
}

static void features_1(const struct policy *p, struct kvm_cpuid_entry2 *e)
{
	unsigned cpus = topo_vcpus(p->t);

	/* AMD counts processors here, Intel the APIC ids set aside for them. */
	e->ebx &= 0x0000ffff;
	e->ebx |= (p->is_amd ? cpus : 1u << package_bits(p->t)) << 16;
	e->ecx &= ~(F1_ECX_HIDE | F1_ECX_TSC_DEADLINE);
	e->ecx |= F1_ECX_X2APIC | F1_ECX_HYPERVISOR;
	if (p->has_tsc_deadline)
		e->ecx |= F1_ECX_TSC_DEADLINE;
	e->edx = (e->edx & ~(F1_EDX_HIDE | F1_EDX_HTT)) | (cpus > 1 ? F1_EDX_HTT : 0);
}

static void features_7(struct kvm_cpuid_entry2 *e)
{
	if (e->index == 0) {
		e->ebx &= ~F7_EBX_HIDE;
		e->ecx &= ~F7_ECX_HIDE;
		e->edx &= ~F7_EDX_HIDE;
	} else if (e->index == 1) {
		e->eax &= ~F7_1_EAX_HIDE;
		e->edx &= ~F7_1_EDX_HIDE;
	}
}

/* Who shares a cache: a core's threads levels 1 and 2, the whole package level 3. */
static void cache_sharing(const struct policy *p, struct kvm_cpuid_entry2 *e)
{
	unsigned level = e->eax >> 5 & 7;
	unsigned bits = level >= 3 ? package_bits(p->t) : topo_bits(p->t->threads);
	uint32_t cores = (1u << topo_bits(p->t->cores)) - 1;

	e->eax &= BIT(CACHE_SHARE_SHIFT) - 1;
	e->eax |= ((1u << bits) - 1) << CACHE_SHARE_SHIFT;
	if (!p->is_amd)
		e->eax |= min_u64(cores, 63) << CACHE_CORES_SHIFT & 0xfc000000;
}

static void features_ext_1(const struct policy *p, struct kvm_cpuid_entry2 *e)
{
	e->ecx &= ~(FE1_ECX_HIDE | FE1_ECX_CMP_LEGACY | FE1_ECX_TOPOEXT);
	if (!p->is_amd)
		return;
	e->ecx |= FE1_ECX_TOPOEXT;
	if (topo_vcpus(p->t) > 1)
		e->ecx |= FE1_ECX_CMP_LEGACY;
}

/*
 * Without XSAVE nobody can switch the registers these use, so a processor that has them cannot exist; Linux believes
 * their bits all the same (its AES module tries AVX). Numbers are bits.
 */
static void without_xsave(struct cpuid_table *c)
{
	static const struct {
		uint32_t function, index, ebx, ecx, edx, eax;
	} hide[] = {
		{ LEAF_FEATURES, 0, 0, BIT(12) | BIT(28) | BIT(29) /* FMA, AVX, F16C */, 0, 0 },
		{ LEAF_FEATURES_7, 0,
		  BIT(5) | BIT(14) | BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) |
			  BIT(31) /* AVX2, MPX, AVX512 F DQ IFMA PF ER CD BW VL */,
		  BIT(1) | BIT(3) | BIT(6) | BIT(9) | BIT(10) | BIT(11) | BIT(12) |
			  BIT(14) /* VBMI, PKU, VBMI2, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ */,
		  BIT(2) | BIT(3) | BIT(8) | BIT(23) /* 4VNNIW, 4FMAPS, VP2INTERSECT, FP16 */, 0 },
		{ LEAF_FEATURES_7, 1, 0, 0, BIT(4) | BIT(5) | BIT(10) /* AVX-VNNI-INT8, NE-CONVERT, VNNI-INT16 */,
		  BIT(4) | BIT(5) | BIT(23) /* AVX-VNNI, AVX512_BF16, AVX-IFMA */ },
		{ LEAF_EXT_FEATURES, 0, 0, BIT(11) | BIT(16) /* XOP, FMA4 */, 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hide); i++) {
		struct kvm_cpuid_entry2 *e = cpuid_find(c, hide[i].function, hide[i].index);

		if (!e)
			continue;
		e->eax &= ~hide[i].eax;
		e->ebx &= ~hide[i].ebx;
		e->ecx &= ~hide[i].ecx;
		e->edx &= ~hide[i].edx;
	}
}

/**
 * leaf_apply() - one leaf of the host's made the guest's
 * Return: false when the guest does not get it (it then reads zeroes).
 */
static bool leaf_apply(const struct policy *p, struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case LEAF_VENDOR:
		e->eax = p->is_amd
				 ? LEAF_XSAVE
				 : (uint32_t)min_u64(max_u64(e->eax, LEAF_XSAVE), LEAF_TOPOLOGY_V2);
		return true;
	case LEAF_FEATURES:
		features_1(p, e);
		return true;
	case LEAF_CACHE_INTEL:
		if (p->is_amd || !(e->eax & 31))
			return false;
		cache_sharing(p, e);
		return true;
	case LEAF_POWER:
		e->eax &= F6_EAX_SHOW;
		e->ebx = e->ecx = e->edx = 0;
		return true;
	case LEAF_FEATURES_7:
		features_7(e);
		return true;
	case LEAF_KVM_SIGNATURE:
		e->eax = LEAF_KVM_FEATURES;
		return true;
	case LEAF_KVM_FEATURES:
		e->eax &= FKVM_EAX_SHOW;
		return true;
	case LEAF_EXT:
		e->eax = p->is_amd ? LEAF_EXT_FEATURES_21 : LEAF_EXT_SIZES;
		return true;
	case LEAF_EXT_FEATURES:
		features_ext_1(p, e);
		return true;
	case LEAF_EXT_SIZES:
		/* AMD: logical processors less one, and the bits of an APIC id that count them. */
		e->ecx = p->is_amd ? (topo_vcpus(p->t) - 1) | package_bits(p->t) << 12 : 0;
		return true;
	case LEAF_EXT_CACHE:
		if (!p->is_amd || !(e->eax & 31))
			return false;
		cache_sharing(p, e);
		return true;
	case LEAF_TLB_INTEL:
	case LEAF_XSAVE:
	case LEAF_TSC:
	case LEAF_TSC + 1:
	case LEAF_EXT_BRAND_FIRST:
	case LEAF_EXT_BRAND_FIRST + 1:
	case LEAF_EXT_BRAND_FIRST + 2:
	case LEAF_EXT_BRAND_FIRST + 3: /* L1 */
	case LEAF_EXT_BRAND_FIRST + 4: /* L2, L3 */
	case LEAF_EXT_POWER:
	case LEAF_EXT_TLB1G:
	case LEAF_EXT_PERF_OPT:
	case LEAF_EXT_FEATURES_21:
		return true;
	default:
		return false;
	}
}

static void topology_leaf(struct cpuid_table *c, const struct topology *t, uint32_t leaf)
{
	enum { TYPE_SMT = 1 << 8, TYPE_CORE = 2 << 8 };

	add_indexed(c, leaf, 0, topo_bits(t->threads), t->threads, TYPE_SMT | 0, 0);
	add_indexed(c, leaf, 1, package_bits(t), topo_vcpus(t), TYPE_CORE | 1, 0);
	add_indexed(c, leaf, 2, 0, 0, 2, 0);
}

/* Sizes for a host that tells none (an emulated one): ways, sets; lines are 64 bytes. */
static void amd_cache_default(const struct policy *p, struct cpuid_table *c)
{
	static const struct {
		uint32_t type, level, ways, sets;
	} caches[] = {
		{ CACHE_L1D, 1, 8, 64 },
		{ CACHE_L1I, 1, 8, 64 },
		{ CACHE_UNIFIED, 2, 8, 1024 },
		{ CACHE_UNIFIED, 3, 16, 16384 },
	};
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		add_indexed(c, LEAF_EXT_CACHE, i,
			    caches[i].type | caches[i].level << 5 | BIT(8) /* self-initialising */,
			    63 | (caches[i].ways - 1) << 22, caches[i].sets - 1, 0);
		cache_sharing(p, &c->entry[c->cnt - 1]);
	}
}

static void amd_leaves(const struct policy *p, struct cpuid_table *c)
{
	const struct kvm_cpuid_entry2 topology = { .function = LEAF_EXT_TOPOLOGY };

	if (!cpuid_find(c, LEAF_EXT_CACHE, 0))
		amd_cache_default(p, c);
	add(c, &topology);
}

void cpuid_build(const struct cpuid_table *host, const struct topology *t, bool has_tsc_deadline,
		 struct cpuid_table *ret)
{
	const struct kvm_cpuid_entry2 *vendor = host_find(host, LEAF_VENDOR);
	struct policy p = { .t = t, .has_tsc_deadline = has_tsc_deadline };
	struct kvm_cpuid_entry2 *e;
	uint32_t i;

	/* "AuthenticAMD" and "HygonGenuine" describe themselves alike. */
	p.is_amd = vendor && (vendor->ecx == 0x444d4163 || vendor->ecx == 0x656e6975);
	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < host->cnt && i < CPUID_ENTRIES_MAX; i++) {
		struct kvm_cpuid_entry2 copy = host->entry[i];

		if (leaf_apply(&p, &copy))
			add(ret, &copy);
	}
	e = cpuid_find(ret, LEAF_FEATURES, 0);
	if (e && !(e->ecx & F1_ECX_XSAVE))
		without_xsave(ret);
	topology_leaf(ret, t, LEAF_TOPOLOGY);
	e = cpuid_find(ret, LEAF_VENDOR, 0);
	if (e && e->eax >= LEAF_TOPOLOGY_V2)
		topology_leaf(ret, t, LEAF_TOPOLOGY_V2);
	if (p.is_amd)
		amd_leaves(&p, ret);
	cpuid_set_apic_id(ret, t, 0);
}

void cpuid_set_apic_id(struct cpuid_table *c, const struct topology *t, unsigned apic_id)
{
	uint32_t core = apic_id >> topo_bits(t->threads), i;

	for (i = 0; i < c->cnt; i++) {
		struct kvm_cpuid_entry2 *e = &c->entry[i];

		switch (e->function) {
		case LEAF_FEATURES:
			e->ebx = (e->ebx & 0x00ffffff) | apic_id << 24;
			break;
		case LEAF_TOPOLOGY:
		case LEAF_TOPOLOGY_V2:
			e->edx = apic_id;
			break;
		case LEAF_EXT_TOPOLOGY:
			e->eax = apic_id;
			e->ebx = core | (t->threads - 1) << 8;
			break;
		default:
			break;
		}
	}
}

unsigned cpuid_phys_bits(const struct cpuid_table *c)
{
	const struct kvm_cpuid_entry2 *e = host_find(c, LEAF_EXT_SIZES);

	return e ? e->eax & 0xff : 36;
}
