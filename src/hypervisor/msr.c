/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/msr.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

struct msr_span {
	uint32_t first, last;
};

/*
 * KVM answers those it knows and refuses the rest by itself; a register that only one vendor has may stand here
 * for both. Linux reads some AMD ones without a safety net, so they must not fault: KVM gives zero.
 * spec: intel-sdm vol. 4; spec: amd-apm vol. 2 appendix A
 */
static const struct msr_span allowed[] = {
	{ 0x000, 0x001 }, /* P5 machine check */
	{ 0x010, 0x012 }, /* TSC, old kvm-clock */
	{ 0x017, 0x017 }, /* platform id */
	{ 0x01b, 0x01b }, /* APIC base */
	{ 0x02a, 0x02a }, /* power-on configuration */
	{ 0x034, 0x034 }, /* SMI count */
	{ 0x03a, 0x03b }, /* feature control (VMX and SGX locked off), TSC adjust */
	{ 0x048, 0x049 }, /* speculation control */
	{ 0x079, 0x079 }, /* microcode: KVM drops it */
	{ 0x08b, 0x08b },           { 0x0cd, 0x0ce }, /* bus clock, platform info */
	{ 0x0fe, 0x0fe },                             /* MTRR capabilities */
	{ 0x10a, 0x10b },                             /* architecture capabilities, flush */
	{ 0x11e, 0x11e },           { 0x122, 0x123 }, /* TSX, SRBDS control */
	{ 0x140, 0x140 },                             /* CPUID faulting */
	{ 0x174, 0x176 },                             /* SYSENTER */
	{ 0x179, 0x17b },                             /* machine check */
	{ 0x198, 0x199 },                             /* P-state */
	{ 0x19a, 0x19c },                             /* thermal */
	{ 0x1a0, 0x1a0 },                             /* misc enable */
	{ 0x1c4, 0x1c5 },                             /* XFD */
	{ 0x1d9, 0x1d9 },                             /* debug control */
	{ 0x1db, 0x1de },                             /* last branch and exception */
	{ 0x1fc, 0x1fc },           { 0x200, 0x20f }, /* MTRR */
	{ 0x250, 0x250 },           { 0x258, 0x259 },
	{ 0x268, 0x26f },           { 0x277, 0x277 }, /* PAT */
	{ 0x2ff, 0x2ff },           { 0x400, 0x47f }, /* machine check banks */
	{ 0x606, 0x606 },                             /* RAPL unit: zero */
	{ 0x6e0, 0x6e0 },                             /* TSC deadline */
	{ 0xda0, 0xda0 },                             /* XSS */
	{ 0x4b564d00, 0x4b564d08 },                   /* KVM's own */
	{ 0xc0000080, 0xc0000084 }, /* EFER (SVME needs the hidden CPUID bit), STAR … */
	{ 0xc0000100, 0xc0000103 }, /* FS, GS, TSC_AUX */
	{ 0xc0010010, 0xc0010010 }, /* SYSCFG */
	{ 0xc0010015, 0xc0010015 }, /* HWCR */
	{ 0xc001001a, 0xc001001a }, /* TOP_MEM */
	{ 0xc001001d, 0xc001001d }, { 0xc001001f, 0xc001001f }, /* NB_CFG */
	{ 0xc0010055, 0xc0010055 },                             /* interrupt pending */
	{ 0xc0010058, 0xc0010058 },                             /* MMIO configuration base: zero */
	{ 0xc0010061, 0xc001006b },                             /* P-states */
	{ 0xc0010112, 0xc0010113 },                             /* TSEG: zero */
	{ 0xc001011f, 0xc001011f },                             /* virtual SSBD */
	{ 0xc0010140, 0xc0010141 },                             /* OS visible workarounds */
	{ 0xc0011020, 0xc0011023 },                             /* LS, DC, IC, BU configuration */
	{ 0xc0011029, 0xc001102a },                             /* DE, BU configuration */
};

/* Windows of KVM's filter: each has a bitmap. Outside of all of them the default holds: refuse. */
enum { WINDOWS = 6, BITMAP_BYTES = 0xe00 / 8 };
static const struct msr_span window[WINDOWS] = {
	{ 0x0, 0xdff },
	{ 0x4b564d00, 0x4b564d3f },
	{ 0xc0000080, 0xc00000bf },
	{ 0xc0000100, 0xc000013f },
	{ 0xc0010000, 0xc00101ff },
	{ 0xc0011000, 0xc001103f },
};

int msr_is_allowed(unsigned msr)
{
	size_t i;

	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (msr >= allowed[i].first && msr <= allowed[i].last)
			return 1;
	return 0;
}

/*
 * #syscalls-include <linux/kvm.h>
 * #syscalls:hypervisor ioctl(KVM_X86_SET_MSR_FILTER)
 */
int msr_filter_set(int vm_fd)
{
	static uint8_t bitmap[WINDOWS][BITMAP_BYTES];
	struct kvm_msr_filter f = { .flags = KVM_MSR_FILTER_DEFAULT_DENY };
	uint32_t w, msr;

	for (w = 0; w < WINDOWS; w++) {
		for (msr = window[w].first; msr <= window[w].last; msr++)
			if (msr_is_allowed(msr))
				bitmap[w][(msr - window[w].first) / 8] |=
					(uint8_t)(1u << (msr - window[w].first) % 8);
		f.ranges[w] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.nmsrs = window[w].last - window[w].first + 1,
			.base = window[w].first,
			.bitmap = bitmap[w],
		};
	}
	if (ioctl(vm_fd, KVM_X86_SET_MSR_FILTER, &f) < 0)
		return errno == ENOTTY || errno == EINVAL ? -ENOTSUP : -errno;
	return 0;
}
