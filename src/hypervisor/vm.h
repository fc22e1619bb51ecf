/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One virtual machine, whole: what every file of this folder shares.
 *
 * Threads: one per vCPU, and the main thread with the loop. vCPU threads handle their own exits; they never wait
 * for the main thread except when parked. To stop the machine the main thread sets ->pause and kicks; every vCPU
 * thread finishes its exit, counts itself in ->parked and sleeps. While all are parked the main thread owns
 * everything.
 *
 *   running --vm_pause()--> paused --vm_resume()--> running
 *                             |
 *                             +--vm_reset()--> paused, as after power-on
 *
 * A guest that wants a reset or to be switched off makes its vCPU thread call vm_ask(), which parks that thread and
 * wakes the loop; the loop does it.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/kvm.h>

#include "base/attr.h"
#include "hypervisor/cmos.h"
#include "hypervisor/irqs.h"
#include "hypervisor/memory.h"
#include "hypervisor/pci.h"
#include "hypervisor/power.h"
#include "hypervisor/topology.h"
#include "hypervisor/uart.h"
#include "proto/control.h"

enum {
	XSAVE_BYTES = 4096,
	MSRS_MAX = 512,
};

/* Written by the vCPU's own thread, read by the main thread at any time. */
struct vcpu_stats {
	_Atomic uint64_t exits, pio, mmio, hlt;
	_Atomic uint64_t unclaimed; /* memory accesses that no device answered */
};

struct vcpu {
	struct vm *vm;
	unsigned idx;
	int fd;
	pthread_t thread;
	struct kvm_run *run; /* mapping of the vCPU descriptor */
	bool io_open;        /* the last exit's instruction is completed by the next KVM_RUN */
	struct vcpu_stats stats;
	/* As after creation, what a reset puts back. The rest is alike for all: struct vm. */
	struct kvm_sregs sregs0;
	struct kvm_lapic_state lapic0;
	struct kvm_mp_state mp0;
};

/* What the guest or a vCPU thread wants of the main thread. The first one counts. */
enum vm_ask {
	VM_ASK_NONE,
	VM_ASK_RESET,
	VM_ASK_TRIPLE_FAULT, /* a reset too; named in the log */
	VM_ASK_OFF,
	VM_ASK_FAILED, /* KVM gave up on the guest: fail_text says why */
};

struct vm {
	int fd;
	struct topology topo;
	unsigned vcpu_cnt;
	struct vcpu vcpu[VCPUS_MAX];
	struct memory mem;
	struct irqs irqs;
	struct uart uart;
	struct power power;
	struct cmos cmos;
	struct pci_root *pci; /* owned */

	/* What to boot, again after every reset. */
	struct ctl_hv_config conf;
	int kernel_fd, initrd_fd; /* owned; initrd_fd -1: none */
	uint64_t mmio64_base;

	_Atomic uint32_t pause;          /* 1: vCPU threads park; they sleep on it */
	_Atomic uint32_t parked;         /* how many do; the main thread sleeps on it */
	_Atomic uint32_t ask;            /* enum vm_ask */
	_Atomic(const char *) fail_text; /* a literal */
	int wake_fd;                     /* eventfd, owned: something was asked */
	uint64_t reset_cnt;              /* main thread only */

	/* State after creation that all vCPUs share. */
	struct kvm_regs regs0;
	bool has_xcrs;
	struct kvm_xcrs xcrs0;
	struct kvm_debugregs debugregs0;
	struct kvm_vcpu_events events0;
	uint8_t xsave0[XSAVE_BYTES];
	struct {
		uint32_t cnt, padding;
		struct kvm_msr_entry entry[MSRS_MAX];
	} msrs0;
};

/* Why a machine could not be made or reset: one line for a person. */
struct vm_fault {
	int err; /* -errno */
	char text[CTL_TEXT_MAX];
};

/* vm_fault_set(): fills @f. Return: @err, so that it can be returned on. */
int vm_fault_set(struct vm_fault *f, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/**
 * vm_make() - the whole machine from the launcher's message; vCPU threads exist and are parked
 * @m:   CTL_HV_CONFIG; its descriptors are taken. Kernel and its command line are a tenant's.
 * @f:   filled on failure; the caller then gives up the process
 *
 * Return: 0, -errno.
 */
MUST_USE int vm_make(struct vm *vm, struct ctl_msg *m, struct vm_fault *f);

/* vm_load(): tables, kernel, initrd into zeroed RAM, and the boot processor's registers. All parked. */
MUST_USE int vm_load(struct vm *vm, struct vm_fault *f);

void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);

/* vm_reset(): as after vm_make() and vm_load(), in place; all parked before and after. Return: 0, -errno. */
MUST_USE int vm_reset(struct vm *vm, struct vm_fault *f);

/* vm_ask(): from a vCPU's thread; it parks when the exit is done. */
void vm_ask(struct vm *vm, enum vm_ask ask);
/* vm_fail(): the guest cannot go on. @text: a literal for a person. */
void vm_fail(struct vm *vm, const char *text);

/* vcpu.c */
/* vcpu_make(): descriptor, CPUID, mapping. @cpuid is the boot processor's table and is changed. */
struct cpuid_table;
MUST_USE int vcpu_make(struct vm *vm, unsigned idx, size_t run_bytes, struct cpuid_table *cpuid);
/* vcpu_start(): the thread, which parks at once. Return: 0, -errno. */
MUST_USE int vcpu_start(struct vcpu *v);
void vcpu_kick(struct vcpu *v);
/* vcpu_signals_init(): once, before any vCPU. Return: 0, -errno. */
MUST_USE int vcpu_signals_init(void);

/* state.c: captured once after creation, put back by every reset. */
MUST_USE int state_capture(struct vm *vm, int kvm_fd);
MUST_USE int state_restore(struct vm *vm);
/* state_boot(): 64-bit entry at @entry on the boot processor. */
MUST_USE int state_boot(struct vm *vm, uint64_t entry);

/* exit.c: deals with what KVM_RUN returned for. */
void exit_handle(struct vcpu *v);
