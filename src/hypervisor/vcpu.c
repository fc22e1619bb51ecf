/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/narrow.h"
#include "hypervisor/vm.h"

/*
 * A vCPU thread: KVM_RUN, deal with the exit, again. A kick is a signal whose handler sets ->immediate_exit: it
 * ends KVM_RUN when it arrives in it, and keeps the next one from entering the guest when it arrives before.
 */

enum {
	KICK_SIGNAL = SIGUSR1,
	STACK_BYTES = 128 * 1024,
};

static _Thread_local struct kvm_run *kick_run;

/* #syscalls:hypervisor,hypervisor-run,hypervisor-vcpu rt_sigreturn */
static void on_kick(int sig)
{
	(void)sig;
	if (kick_run)
		__atomic_store_n(&kick_run->immediate_exit, 1, __ATOMIC_RELAXED);
}

int vcpu_signals_init(void)
{
	struct sigaction sa = { .sa_handler = on_kick };

	return sigaction(KICK_SIGNAL, &sa, NULL) < 0 ? -errno : 0;
}

/* #syscalls:hypervisor,hypervisor-run tkill rt_sigprocmask */
void vcpu_kick(struct vcpu *v)
{
	(void)pthread_kill(v->thread, KICK_SIGNAL);
}

/* #syscalls:hypervisor,hypervisor-run,hypervisor-vcpu futex */
static void futex_wait(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, timeout, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, VCPUS_MAX + 1, NULL, NULL, 0);
}

static void vcpu_park(struct vcpu *v)
{
	struct vm *vm = v->vm;

	atomic_fetch_add(&vm->parked, 1);
	futex_wake_all(&vm->parked);
	while (atomic_load(&vm->pause))
		futex_wait(&vm->pause, 1, NULL);
	atomic_fetch_sub(&vm->parked, 1);
}

void vm_pause(struct vm *vm)
{
	const struct timespec again = { .tv_nsec = 20 * 1000 * 1000 };
	uint32_t parked;
	unsigned i;

	atomic_store(&vm->pause, 1);
	while ((parked = atomic_load(&vm->parked)) < vm->vcpu_cnt) {
		for (i = 0; i < vm->vcpu_cnt; i++)
			vcpu_kick(&vm->vcpu[i]);
		futex_wait(&vm->parked, parked, &again);
	}
}

void vm_resume(struct vm *vm)
{
	atomic_store(&vm->pause, 0);
	futex_wake_all(&vm->pause);
}

void vm_ask(struct vm *vm, enum vm_ask ask)
{
	uint32_t none = VM_ASK_NONE;

	(void)atomic_compare_exchange_strong(&vm->ask, &none, (uint32_t)ask);
	atomic_store(&vm->pause, 1);
	fd_event_signal(vm->wake_fd);
}

void vm_fail(struct vm *vm, const char *text)
{
	atomic_store(&vm->fail_text, text);
	vm_ask(vm, VM_ASK_FAILED);
}

/* #syscalls:hypervisor ioctl(KVM_CREATE_VCPU|KVM_SET_CPUID2) mmap */
int vcpu_make(struct vm *vm, unsigned idx, size_t run_bytes, struct cpuid_table *cpuid)
{
	unsigned apic_id = topo_apic_id(&vm->topo, idx);
	struct vcpu *v = &vm->vcpu[idx];
	void *run;

	v->vm = vm;
	v->idx = idx;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)apic_id);
	if (v->fd < 0)
		return -errno;
	cpuid_set_apic_id(cpuid, &vm->topo, apic_id);
	if (ioctl(v->fd, KVM_SET_CPUID2, cpuid) < 0)
		return -errno;
	run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	v->run = run;
	return 0;
}

/* One KVM_RUN and what follows. #syscalls:hypervisor,hypervisor-vcpu ioctl(KVM_RUN) */
static void vcpu_step(struct vcpu *v)
{
	int r = ioctl(v->fd, KVM_RUN, 0);

	if (r == 0) {
		v->io_open = false;
		exit_handle(v);
		return;
	}
	/* EAGAIN: a processor that waited for its start-up message was woken. */
	if (errno == EINTR || errno == EAGAIN) {
		v->io_open = false;
		__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_RELAXED);
		return;
	}
	log_err("vcpu.run_failed", "vcpu=%u err=%d", v->idx, errno);
	vm_fail(v->vm, "the host's KVM refuses to run the guest: see the host's log");
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	struct vm *vm = v->vm;

	kick_run = v->run;
	must(narrow_vcpu() == 0);
	for (;;) {
		if (atomic_load(&vm->pause)) {
			/* Let KVM finish the instruction that exited, without entering the guest. */
			while (v->io_open) {
				__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_RELAXED);
				vcpu_step(v);
			}
			vcpu_park(v);
		}
		vcpu_step(v);
	}
	return NULL;
}

/* #syscalls:hypervisor mmap mprotect munmap clone(thread) rt_sigprocmask futex */
int vcpu_start(struct vcpu *v)
{
	pthread_attr_t attr;
	int r;

	r = pthread_attr_init(&attr);
	if (!r)
		r = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (!r)
		r = pthread_create(&v->thread, &attr, vcpu_thread, v);
	return -r;
}
