/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "hypervisor/map.h"
#include "hypervisor/vm.h"

/*
 * Why KVM_RUN returned: one function per reason. Ports and addresses that nothing answers read as ones and swallow
 * writes, as on a bus. Everything here runs on vCPU threads, several at once; devices lock for themselves.
 */

/* One writer: no need for an atomic addition. */
static void count(_Atomic uint64_t *c)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static uint32_t data_get(const void *p, size_t len)
{
	uint32_t v = 0;

	memcpy(&v, p, len); /* little-endian, like the guest */
	return v;
}

static void data_put(void *p, size_t len, uint32_t v)
{
	memcpy(p, &v, len);
}

static void uart_access(struct vm *vm, unsigned reg, uint8_t *p, size_t len, bool write)
{
	uint64_t now = write ? clock_ns() : 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (reg + i >= PORT_UART_CNT)
			break;
		if (write)
			uart_write(&vm->uart, (unsigned)(reg + i), p[i], now);
		else
			p[i] = uart_read(&vm->uart, (unsigned)(reg + i));
	}
}

static void ask(struct vm *vm, enum power_ask what)
{
	if (what != POWER_NONE)
		vm_ask(vm, what == POWER_OFF ? VM_ASK_OFF : VM_ASK_RESET);
}

static bool power_access(struct vm *vm, uint16_t port, void *p, size_t len, bool write)
{
	uint16_t base = pci_root_pm_base(vm->pci);
	unsigned off = (unsigned)port - base;

	if (!base || port < base || off >= PORT_PM_CNT)
		return false;
	if (write)
		ask(vm, power_write(&vm->power, off, (unsigned)len, data_get(p, len)));
	else
		data_put(p, len, power_read(&vm->power, off, (unsigned)len, clock_ns()));
	return true;
}

/* Single-byte ports. spec: intel-ich9 §13.7 (0xcf9); pc-at keyboard controller (0x64: pulse the reset line) */
static bool byte_access(struct vm *vm, uint16_t port, uint8_t *p, bool write)
{
	enum { RESET_CPU = 1 << 2, KBC_PULSE_RESET = 0xfe };
	struct timespec now;

	switch (port) {
	case PORT_I8042_CMD:
		if (write && *p == KBC_PULSE_RESET)
			vm_ask(vm, VM_ASK_RESET);
		else if (!write)
			*p = 0; /* never busy */
		return true;
	case PORT_I8042_DATA:
		if (!write)
			*p = 0;
		return true;
	case PORT_CMOS_INDEX:
		if (write)
			cmos_index_write(&vm->cmos, *p);
		return true;
	case PORT_CMOS_DATA:
		if (!write) {
			clock_gettime(CLOCK_REALTIME, &now);
			*p = cmos_data_read(&vm->cmos, (uint64_t)now.tv_sec);
		}
		return true;
	case PORT_RESET:
		if (write && (*p & RESET_CPU))
			vm_ask(vm, VM_ASK_RESET);
		else if (!write)
			*p = 0;
		return true;
	default:
		return false;
	}
}

static void port_access(struct vm *vm, uint16_t port, void *p, size_t len, bool write)
{
	if (port >= PORT_UART && port < PORT_UART + PORT_UART_CNT) {
		uart_access(vm, port - PORT_UART, p, len, write);
		return;
	}
	if (len == 1 && byte_access(vm, port, p, write))
		return;
	if (pci_root_pio(vm->pci, port, p, len, write))
		return;
	(void)power_access(vm, port, p, len, write);
}

static void exit_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	bool write = run->io.direction == KVM_EXIT_IO_OUT;
	uint8_t *p = (uint8_t *)run + run->io.data_offset;
	size_t len = run->io.size;
	uint32_t i;

	count(&v->stats.pio);
	v->io_open = true;
	if (!write)
		memset(p, 0xff, len * run->io.count);
	for (i = 0; i < run->io.count; i++, p += len)
		port_access(v->vm, run->io.port, p, len, write);
}

static void exit_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	bool write = run->mmio.is_write;

	count(&v->stats.mmio);
	v->io_open = true;
	if (!write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
	if (!pci_root_mmio(v->vm->pci, run->mmio.phys_addr, run->mmio.data, run->mmio.len, write))
		count(&v->stats.unclaimed);
}

/* Only without an in-kernel APIC: not ours, but harmless. */
static void exit_hlt(struct vcpu *v)
{
	count(&v->stats.hlt);
}

/* A triple fault: on a PC that is a reset, and so it is on EC2. */
static void exit_shutdown(struct vcpu *v)
{
	vm_ask(v->vm, VM_ASK_TRIPLE_FAULT);
}

static void exit_fail_entry(struct vcpu *v)
{
	log_err("vcpu.entry_failed", "vcpu=%u reason=0x%llx", v->idx,
		(unsigned long long)v->run->fail_entry.hardware_entry_failure_reason);
	vm_fail(v->vm, "the host's processor refuses to enter the guest: see the host's log");
}

static void exit_internal_error(struct vcpu *v)
{
	log_err("vcpu.internal_error", "vcpu=%u suberror=%u", v->idx, v->run->internal.suberror);
	vm_fail(v->vm, "KVM met an instruction that it cannot emulate: the guest did something no "
		       "system does, or this host's KVM has no hardware behind it");
}

static void exit_system_event(struct vcpu *v)
{
	vm_ask(v->vm,
	       v->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ? VM_ASK_OFF : VM_ASK_RESET);
}

static void exit_unknown(struct vcpu *v)
{
	log_err("vcpu.exit_unknown", "vcpu=%u reason=%u", v->idx, v->run->exit_reason);
	vm_fail(v->vm, "KVM stopped the guest for a reason this version does not know");
}

void exit_handle(struct vcpu *v)
{
	count(&v->stats.exits);
	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		exit_io(v);
		break;
	case KVM_EXIT_MMIO:
		exit_mmio(v);
		break;
	case KVM_EXIT_HLT:
		exit_hlt(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		exit_shutdown(v);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		exit_fail_entry(v);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		exit_internal_error(v);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		exit_system_event(v);
		break;
	default:
		exit_unknown(v);
		break;
	}
}
