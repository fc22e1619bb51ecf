/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "hypervisor/acpi.h"
#include "hypervisor/assign.h"
#include "hypervisor/boot.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/map.h"
#include "hypervisor/msr.h"
#include "hypervisor/smbios.h"
#include "hypervisor/vm.h"

/*
 * Making the machine, in the order KVM wants: VM, chips, memory, processors; then what is ours: UART, power, PCI
 * and its functions; then the threads. #syscalls-include <linux/kvm.h>
 */

/* Not in Debian 12's headers. */
#ifndef KVM_CAP_PMU_CAPABILITY
#define KVM_CAP_PMU_CAPABILITY 212
#define KVM_PMU_CAP_DISABLE (1 << 0)
#endif

enum {
	FD_KVM, /* order in CTL_HV_CONFIG */
	FD_RAM,
	FD_KERNEL,
	FD_SERVICE, /* main.c's */
	FD_REST,    /* initrd if there is one, then a socket per function */

	FUNCTION_RAM_MAX = 2, /* pieces of guest RAM */
};

int vm_fault_set(struct vm_fault *f, int err, const char *fmt, ...)
{
	va_list ap;

	f->err = err;
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return err;
}

static int fault_kvm(struct vm_fault *f, int err, const char *what)
{
	return vm_fault_set(f, err,
			    "KVM on this host refuses %s (%s): check its version and limits", what,
			    strerror(-err));
}

static int conf_check(const struct ctl_hv_config *c, unsigned fd_cnt, struct vm_fault *f)
{
	if (!topo_is_valid(c->cores, c->threads))
		return vm_fault_set(f, -EINVAL,
				    "%u cores of %u threads: 1 to %d cores of 1 or 2 are possible",
				    c->cores, c->threads, TOPO_CORES_MAX);
	if (fd_cnt != FD_REST + (unsigned)c->has_initrd + c->slot_cnt)
		return vm_fault_set(f, -EPROTO,
				    "the launcher sent %u descriptors, not those it announced",
				    fd_cnt);
	return 0;
}

/* #syscalls:hypervisor ioctl(KVM_CREATE_VM|KVM_GET_API_VERSION|KVM_CHECK_EXTENSION|KVM_ENABLE_CAP) */
static int kvm_vm_make(struct vm *vm, int kvm_fd)
{
	struct kvm_enable_cap no_pmu = { .cap = KVM_CAP_PMU_CAPABILITY,
					 .args = { KVM_PMU_CAP_DISABLE } };

	if (ioctl(kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION ||
	    ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IMMEDIATE_EXIT) <= 0)
		return -ENOTSUP;
	vm->fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return -errno;
	if (ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_PMU_CAPABILITY) > 0 &&
	    ioctl(vm->fd, KVM_ENABLE_CAP, &no_pmu) < 0)
		return -errno;
	return 0;
}

/* #syscalls:hypervisor ioctl(KVM_SET_TSS_ADDR|KVM_SET_IDENTITY_MAP_ADDR) */
static int kvm_addresses_set(struct vm *vm)
{
	uint64_t identity = MAP_KVM_IDENTITY;

	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)MAP_KVM_TSS) < 0)
		return -errno;
	return 0;
}

/* #syscalls:hypervisor ioctl(KVM_GET_SUPPORTED_CPUID|KVM_GET_VCPU_MMAP_SIZE) */
static int vcpus_make(struct vm *vm, int kvm_fd)
{
	static struct cpuid_table host, guest;
	bool deadline = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	int run_bytes = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	uint64_t window, top;
	unsigned i;
	int r;

	host.cnt = CPUID_ENTRIES_MAX;
	if (run_bytes < 0 || ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &host) < 0)
		return -errno;
	cpuid_build(&host, &vm->topo, deadline, &guest);
	window = map_mmio64_base(mem_end(&vm->mem));
	top = (uint64_t)1 << cpuid_phys_bits(&guest);
	vm->mmio64_base = window + MAP_MMIO64_BYTES <= top ? window : 0;
	for (i = 0; i < topo_vcpus(&vm->topo); i++) {
		r = vcpu_make(vm, i, (size_t)run_bytes, &guest);
		if (r < 0)
			return r;
		vm->vcpu_cnt = i + 1;
	}
	return 0;
}

static int kvm_make(struct vm *vm, int kvm_fd, int ram_fd, struct vm_fault *f)
{
	int r = kvm_vm_make(vm, kvm_fd);

	if (r < 0)
		return fault_kvm(f, r, "a virtual machine");
	r = kvm_addresses_set(vm);
	if (r < 0)
		return fault_kvm(f, r, "the address map");
	r = irqs_init(&vm->irqs, vm->fd);
	if (r < 0)
		return fault_kvm(f, r, "interrupt controllers");
	r = msr_filter_set(vm->fd);
	if (r < 0)
		return fault_kvm(f, r, "a filter for model-specific registers");
	r = mem_init(&vm->mem, vm->fd, ram_fd, vm->conf.ram_bytes);
	if (r < 0)
		return vm_fault_set(f, r, "guest memory of %llu MiB cannot be set up (%s)",
				    (unsigned long long)(vm->conf.ram_bytes >> 20), strerror(-r));
	r = vcpus_make(vm, kvm_fd);
	if (r < 0)
		return fault_kvm(f, r, "processors");
	r = state_capture(vm, kvm_fd);
	if (r < 0)
		return fault_kvm(f, r, "to tell the processors' state");
	return 0;
}

static int devices_make(struct vm *vm)
{
	const struct line uart = { .vm_fd = vm->fd, .gsi = IRQ_UART };
	const struct line sci = { .vm_fd = vm->fd, .gsi = IRQ_SCI };
	struct pci_root_conf pci = {
		.irq = irqs_if(&vm->irqs),
		.mmio32_base = PCI_MMIO32_BASE,
		.mmio32_bytes = PCI_MMIO32_BYTES,
		.mmio64_base = vm->mmio64_base,
		.mmio64_bytes = vm->mmio64_base ? MAP_MMIO64_BYTES : 0,
	};
	int r;

	cmos_init(&vm->cmos, vm->mem.low_bytes, vm->mem.high_bytes);
	r = uart_init(&vm->uart, &uart, clock_ns());
	if (r < 0)
		return r;
	r = power_init(&vm->power, &sci);
	if (r < 0)
		return r;
	return pci_root_new(&pci, &vm->pci);
}

static int function_add(struct vm *vm, unsigned slot, int sock, struct vm_fault *f)
{
	CLEANUP(assign_freep) struct assign *a = NULL;
	struct assign_ram ram[FUNCTION_RAM_MAX] = {
		{ .len = vm->mem.low_bytes, .fd = vm->mem.fd },
		{ .gpa = MAP_HIGH_RAM_BASE,
		  .len = vm->mem.high_bytes,
		  .fd = vm->mem.fd,
		  .fd_off = vm->mem.low_bytes },
	};
	int r;

	r = assign_vfio_user_new(sock, ram, vm->mem.high_bytes ? 2 : 1, &a);
	if (r < 0)
		return vm_fault_set(f, r,
				    "the card of PCI device %u does not answer as it should (%s)",
				    slot, strerror(-r));
	r = pci_root_add(vm->pci, slot, a);
	if (r < 0)
		return vm_fault_set(f, r, "PCI device %u cannot be put on the bus (%s)", slot,
				    strerror(-r));
	a = NULL; /* taken */
	return 0;
}

static int functions_add(struct vm *vm, struct ctl_msg *m, struct vm_fault *f)
{
	unsigned first = FD_REST + (unsigned)vm->conf.has_initrd, i;
	int r, sock;

	for (i = 0; i < vm->conf.slot_cnt; i++) {
		sock = fd_list_take(&m->fds, first + i);
		if (sock < 0)
			return vm_fault_set(f, sock, "a function's socket is missing");
		r = function_add(vm, vm->conf.slot[i], sock, f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int threads_start(struct vm *vm, struct vm_fault *f)
{
	unsigned i;
	int r;

	atomic_store(&vm->pause, 1);
	for (i = 0; i < vm->vcpu_cnt; i++) {
		r = vcpu_start(&vm->vcpu[i]);
		if (r < 0)
			return vm_fault_set(f, r, "no thread for processor %u (%s)", i,
					    strerror(-r));
	}
	return 0;
}

int vm_make(struct vm *vm, struct ctl_msg *m, struct vm_fault *f)
{
	CLEANUP(fd_closep) int kvm_fd = -1;
	int ram_fd, r;

	vm->conf = m->u.hv_config;
	vm->kernel_fd = vm->initrd_fd = -1;
	r = conf_check(&vm->conf, m->fds.cnt, f);
	if (r < 0)
		return r;
	vm->topo = (struct topology){ .cores = vm->conf.cores, .threads = vm->conf.threads };
	kvm_fd = fd_list_take(&m->fds, FD_KVM);
	ram_fd = fd_list_take(&m->fds, FD_RAM);
	vm->kernel_fd = fd_list_take(&m->fds, FD_KERNEL);
	if (vm->conf.has_initrd)
		vm->initrd_fd = fd_list_take(&m->fds, FD_REST);

	r = kvm_make(vm, kvm_fd, ram_fd, f);
	if (r < 0)
		return r;
	r = devices_make(vm);
	if (r < 0)
		return vm_fault_set(f, r, "no memory for the machine's devices (%s)", strerror(-r));
	r = functions_add(vm, m, f);
	if (r < 0)
		return r;
	r = vm_load(vm, f);
	if (r < 0)
		return r;
	return threads_start(vm, f);
}

static int tables_write(struct vm *vm)
{
	const struct acpi_conf acpi = {
		.topo = vm->topo,
		.mmio32_base = PCI_MMIO32_BASE,
		.mmio32_bytes = PCI_MMIO32_BYTES,
		.mmio64_base = vm->mmio64_base,
		.mmio64_bytes = vm->mmio64_base ? MAP_MMIO64_BYTES : 0,
	};
	const struct smbios_conf smbios = {
		.instance_id = vm->conf.instance_id,
		.type_name = vm->conf.type_name,
		.uuid = vm->conf.uuid,
		.topo = vm->topo,
		.ram_bytes = vm->mem.bytes,
	};
	void *at = mem_at(&vm->mem, MAP_TABLES, MAP_TABLES_BYTES);
	int r;

	must(at);
	r = acpi_build(&acpi, MAP_TABLES, at, MAP_TABLES_BYTES);
	if (r < 0)
		return r;
	at = mem_at(&vm->mem, MAP_SMBIOS, MAP_SMBIOS_BYTES);
	must(at);
	r = smbios_build(&smbios, MAP_SMBIOS, at, MAP_SMBIOS_BYTES);
	return r < 0 ? r : 0;
}

int vm_load(struct vm *vm, struct vm_fault *f)
{
	const struct boot_conf boot = {
		.kernel_fd = vm->kernel_fd,
		.initrd_fd = vm->initrd_fd,
		.cmdline = vm->conf.cmdline,
		.rsdp = MAP_TABLES,
	};
	enum boot_fault fault;
	uint64_t entry;
	int r;

	fault = boot_load(&vm->mem, &boot, &entry);
	if (fault != BOOT_OK)
		return vm_fault_set(f, -ENOEXEC, "%s", boot_fault_text(fault));
	r = tables_write(vm);
	if (r < 0)
		return vm_fault_set(f, r, "the machine's tables do not fit");
	r = state_boot(vm, entry);
	if (r < 0)
		return fault_kvm(f, r, "the kernel's entry state");
	return 0;
}

/* Functions first: no card may write to memory that is about to be emptied. */
int vm_reset(struct vm *vm, struct vm_fault *f)
{
	int r = pci_root_reset(vm->pci);

	if (r < 0)
		return vm_fault_set(f, r, "a card did not reset (%s)", strerror(-r));
	uart_reset(&vm->uart);
	power_reset(&vm->power);
	cmos_init(&vm->cmos, vm->mem.low_bytes, vm->mem.high_bytes);
	r = state_restore(vm);
	if (r == 0)
		r = irqs_reset(&vm->irqs);
	if (r < 0)
		return fault_kvm(f, r, "to reset the processors");
	r = mem_zero(&vm->mem);
	if (r < 0)
		return vm_fault_set(f, r, "guest memory cannot be emptied (%s)", strerror(-r));
	atomic_store(&vm->ask, VM_ASK_NONE);
	vm->reset_cnt++;
	return vm_load(vm, f);
}
