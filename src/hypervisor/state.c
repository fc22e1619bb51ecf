/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "hypervisor/map.h"
#include "hypervisor/vm.h"

/*
 * Processor state: taken once, when KVM has just made the vCPUs, and put back by every reset. KVM has no "reset"
 * of its own, and what it gives a new vCPU is exactly what a processor has after power-on.
 *
 * All vCPUs begin alike but for their APIC id, whether they are the boot processor, and whether they wait for a
 * start-up message. #syscalls-include <linux/kvm.h>
 */

enum {
	MSR_TSC = 0x10,
	CR0_PE = 1 << 0,
	CR4_PAE = 1 << 5,
	EFER_LME = 1 << 8,
	EFER_LMA = 1 << 10,
	RFLAGS_ALWAYS = 1 << 1,
	SELECTOR_CODE = 0x10, /* in the table boot_load() wrote */
	SELECTOR_DATA = 0x18,
	GDT_BYTES = 0x20,
};

#define CR0_PG 0x80000000u
#define CR0_ET 0x10u

/* Values of all MSRs KVM lists, less those it cannot read. KVM stops at the first that fails. */
static int msrs_capture(struct vm *vm, int kvm_fd)
{
	static struct {
		uint32_t cnt;
		uint32_t idx[MSRS_MAX];
	} list;
	uint32_t from = 0, i;
	int r;

	list.cnt = MSRS_MAX;
	if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, &list) < 0)
		return -errno;
	vm->msrs0.cnt = 0;
	while (from < list.cnt) {
		static struct {
			uint32_t cnt, padding;
			struct kvm_msr_entry entry[MSRS_MAX];
		} some;

		some.cnt = list.cnt - from;
		for (i = 0; i < some.cnt; i++)
			some.entry[i] = (struct kvm_msr_entry){ .index = list.idx[from + i] };
		r = ioctl(vm->vcpu[0].fd, KVM_GET_MSRS, &some);
		if (r < 0)
			return -errno;
		memcpy(&vm->msrs0.entry[vm->msrs0.cnt], some.entry,
		       (size_t)r * sizeof(some.entry[0]));
		vm->msrs0.cnt += (uint32_t)r;
		from += (uint32_t)r + 1;
	}
	/* A zero makes KVM bring the counters of all vCPUs into step again. */
	for (i = 0; i < vm->msrs0.cnt; i++)
		if (vm->msrs0.entry[i].index == MSR_TSC)
			vm->msrs0.entry[i].data = 0;
	return 0;
}

/*
 * #syscalls:hypervisor ioctl(KVM_GET_MSR_INDEX_LIST|KVM_GET_MSRS|KVM_GET_SREGS|KVM_GET_LAPIC|KVM_GET_MP_STATE)
 * #syscalls:hypervisor ioctl(KVM_GET_REGS|KVM_GET_XCRS|KVM_GET_DEBUGREGS|KVM_GET_VCPU_EVENTS|KVM_GET_XSAVE)
 */
int state_capture(struct vm *vm, int kvm_fd)
{
	int bsp = vm->vcpu[0].fd;
	unsigned i;

	for (i = 0; i < vm->vcpu_cnt; i++) {
		struct vcpu *v = &vm->vcpu[i];

		if (ioctl(v->fd, KVM_GET_SREGS, &v->sregs0) < 0 ||
		    ioctl(v->fd, KVM_GET_LAPIC, &v->lapic0) < 0 ||
		    ioctl(v->fd, KVM_GET_MP_STATE, &v->mp0) < 0)
			return -errno;
	}
	if (ioctl(bsp, KVM_GET_REGS, &vm->regs0) < 0 ||
	    ioctl(bsp, KVM_GET_DEBUGREGS, &vm->debugregs0) < 0 ||
	    ioctl(bsp, KVM_GET_VCPU_EVENTS, &vm->events0) < 0 ||
	    ioctl(bsp, KVM_GET_XSAVE, vm->xsave0) < 0)
		return -errno;
	/* Only where the host's processor has XSAVE, or KVM has its state to give. */
	vm->has_xcrs = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XCRS) > 0;
	if (vm->has_xcrs && ioctl(bsp, KVM_GET_XCRS, &vm->xcrs0) < 0)
		return -errno;
	return msrs_capture(vm, kvm_fd);
}

/* MSRs that refuse their own first value are left alone: they never changed. */
static int msrs_restore(struct vm *vm, const struct vcpu *v)
{
	static struct {
		uint32_t cnt, padding;
		struct kvm_msr_entry entry[MSRS_MAX];
	} some;
	uint32_t from = 0;
	int r;

	while (from < vm->msrs0.cnt) {
		some.cnt = vm->msrs0.cnt - from;
		memcpy(some.entry, &vm->msrs0.entry[from], some.cnt * sizeof(some.entry[0]));
		r = ioctl(v->fd, KVM_SET_MSRS, &some);
		if (r < 0)
			return -errno;
		from += (uint32_t)r + 1;
	}
	return 0;
}

/*
 * The order is KVM's: the APIC's mode is in the segment registers' struct, its timer's deadline in an MSR.
 * #syscalls:hypervisor,hypervisor-run ioctl(KVM_SET_SREGS|KVM_SET_REGS|KVM_SET_XCRS|KVM_SET_XSAVE|KVM_SET_DEBUGREGS)
 * #syscalls:hypervisor,hypervisor-run ioctl(KVM_SET_LAPIC|KVM_SET_MSRS|KVM_SET_VCPU_EVENTS|KVM_SET_MP_STATE)
 */
static int vcpu_restore(struct vm *vm, struct vcpu *v)
{
	int r;

	if (ioctl(v->fd, KVM_SET_SREGS, &v->sregs0) < 0 ||
	    ioctl(v->fd, KVM_SET_LAPIC, &v->lapic0) < 0 ||
	    ioctl(v->fd, KVM_SET_REGS, &vm->regs0) < 0 ||
	    (vm->has_xcrs && ioctl(v->fd, KVM_SET_XCRS, &vm->xcrs0) < 0) ||
	    ioctl(v->fd, KVM_SET_XSAVE, vm->xsave0) < 0 ||
	    ioctl(v->fd, KVM_SET_DEBUGREGS, &vm->debugregs0) < 0)
		return -errno;
	r = msrs_restore(vm, v);
	if (r < 0)
		return r;
	if (ioctl(v->fd, KVM_SET_VCPU_EVENTS, &vm->events0) < 0 ||
	    ioctl(v->fd, KVM_SET_MP_STATE, &v->mp0) < 0)
		return -errno;
	return 0;
}

int state_restore(struct vm *vm)
{
	unsigned i;
	int r;

	for (i = 0; i < vm->vcpu_cnt; i++) {
		r = vcpu_restore(vm, &vm->vcpu[i]);
		if (r < 0) {
			log_err("vm.restore_failed", "vcpu=%u err=%d", i, r);
			return r;
		}
	}
	return 0;
}

/* spec: linux-boot "64-bit boot protocol" */
int state_boot(struct vm *vm, uint64_t entry)
{
	const struct kvm_segment code = { .limit = 0xffffffff,
					  .selector = SELECTOR_CODE,
					  .type = 11,
					  .present = 1,
					  .s = 1,
					  .l = 1,
					  .g = 1 };
	const struct kvm_segment data = { .limit = 0xffffffff,
					  .selector = SELECTOR_DATA,
					  .type = 3,
					  .present = 1,
					  .s = 1,
					  .db = 1,
					  .g = 1 };
	struct kvm_sregs s = vm->vcpu[0].sregs0;
	struct kvm_regs r = { .rip = entry, .rsi = MAP_BOOT_PARAMS, .rflags = RFLAGS_ALWAYS };

	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.gdt.base = MAP_BOOT_GDT;
	s.gdt.limit = GDT_BYTES - 1;
	s.idt.base = 0;
	s.idt.limit = 0;
	s.cr0 = CR0_PE | CR0_ET | CR0_PG;
	s.cr3 = MAP_BOOT_PAGE_TABLES;
	s.cr4 = CR4_PAE;
	s.efer = EFER_LME | EFER_LMA;
	if (ioctl(vm->vcpu[0].fd, KVM_SET_SREGS, &s) < 0 ||
	    ioctl(vm->vcpu[0].fd, KVM_SET_REGS, &r) < 0)
		return -errno;
	return 0;
}
