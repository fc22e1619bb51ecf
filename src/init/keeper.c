/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The keeper VM of a simulated server. KVM switches branches of the running kernel's code (static keys) when the
 * first VM comes and the last one goes, and when a first vCPU without APIC appears. QEMU's emulation of several CPUs
 * cannot stand code that changes under a running CPU: "Oops: int3". A VM that never runs and never goes away keeps
 * the switches where they are. Real hardware needs none of this.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "init.h"

enum {
	KEEPER_VCPUS = 2,
	APIC_BASE_ENABLE = 1 << 11,
};

/* The descriptors stay open as long as PID 1 lives. */
int init_keeper(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_sregs sregs;
	int vm, vcpu = -1;

	if (kvm < 0)
		return -errno;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || ioctl(vm, KVM_CREATE_IRQCHIP) < 0)
		return -errno;
	for (int n = 0; n < KEEPER_VCPUS; n++) {
		vcpu = ioctl(vm, KVM_CREATE_VCPU, n);
		if (vcpu < 0)
			return -errno;
	}
	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.apic_base &= ~(uint64_t)APIC_BASE_ENABLE;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 ? -errno : 0;
}
