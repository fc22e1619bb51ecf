/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "init.h"

#define APIC_BASE_ENABLE ((__u64)1 << 11)

int keeper_start(void)
{
	CLEANUP(fd_closep) int kvm = -1;
	struct kvm_sregs sregs;
	int vm, cpu0, cpu1;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return -errno;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0)
		return -errno;
	cpu0 = ioctl(vm, KVM_CREATE_VCPU, 0);
	cpu1 = ioctl(vm, KVM_CREATE_VCPU, 1);
	if (cpu0 < 0 || cpu1 < 0 || ioctl(cpu1, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.apic_base &= ~APIC_BASE_ENABLE;
	return ioctl(cpu1, KVM_SET_SREGS, &sregs) < 0 ? -errno : 0;
}
