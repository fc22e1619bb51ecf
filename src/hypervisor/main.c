/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sandbox.h"
#include "hypervisor/narrow.h"
#include "hypervisor/service.h"
#include "hypervisor/talk.h"
#include "hypervisor/vm.h"
#include "proto/control.h"

#include "seccomp_hypervisor.h"

/*
 * niter-hypervisor: the processors, memory and interrupts of one instance, on KVM.
 *
 * It starts with its control socket and nothing else, closes itself in, and waits for one CTL_HV_CONFIG that brings
 * every descriptor it will ever have: /dev/kvm (closed again once the machine is made), the guest's memory, its
 * kernel, a service socket that niterd asks through, a socket per card. It answers; it never starts a conversation,
 * except that it tells the launcher when the guest begins (CTL_HV_READY) and ends (CTL_HV_EXIT).
 *
 * Reading order: vm.h, vcpu.c, exit.c, vm.c, state.c; then the devices.
 */

enum {
	/* per vCPU one, per function a socket, areas and a vector each: far below */
	NOFILE_MAX = 4096,
	FD_SERVICE = 3, /* in CTL_HV_CONFIG */
};

enum ref_type { REF_CONTROL, REF_SERVICE, REF_WAKE, REF_CARD };

struct program {
	struct loop loop;
	int service_fd;
	struct loop_ref control, service, wake, card[PCI_SLOTS];
};

static struct vm the_vm;
static struct program prog;
static struct ctl_msg msg; /* large; main thread only */

/* #syscalls:hypervisor exit_group */
static NORETURN void end(enum ctl_exit_reason reason, const char *text)
{
	struct ctl_hv_exit e = { .reason = (uint16_t)reason };
	size_t len = strnlen(text, sizeof(e.text) - 1);

	memcpy(e.text, text, len);
	service_last_words(&the_vm, prog.service_fd);
	log_info("hv.end", "reason=%d text=\"%s\" resets=%llu", (int)reason, e.text,
		 (unsigned long long)the_vm.reset_cnt);
	if (talk_send(CTL_FD, CTL_HV_EXIT, 0, &e) < 0)
		log_warn("hv.exit_not_told", NULL);
	_exit(reason == CTL_EXIT_SHUTDOWN || reason == CTL_EXIT_KILLED ? EXIT_SUCCESS
								       : EXIT_FAILURE);
}

/* The machine does not come into being: the launcher gets the reason as the answer to its request. */
static NORETURN void refuse(uint32_t seq, const struct vm_fault *f)
{
	log_err("hv.refused", "err=%d text=\"%s\"", f->err, f->text);
	if (talk_ack(CTL_FD, seq, f->err, f->text) < 0)
		log_warn("hv.refusal_not_told", NULL);
	_exit(EXIT_FAILURE);
}

static int watch(int fd, uint32_t events, struct loop_ref *ref, int type, void *ptr)
{
	ref->type = type;
	ref->ptr = ptr;
	return loop_add(&prog.loop, fd, events, ref);
}

/* Before the doors close: what needs system calls that are not on the list. */
static int start(void)
{
	const int keep[] = { CTL_FD, -1, -1 };
	int fds[ARRAY_SIZE(keep)], r;
	struct sandbox_conf conf = {
		.profile = &sandbox_profile_hypervisor,
		.nofile_max = NOFILE_MAX,
		.keep_fds = fds,
		.keep_cnt = ARRAY_SIZE(fds),
	};

	r = loop_init(&prog.loop);
	if (r < 0)
		return r;
	the_vm.wake_fd = fd_eventfd();
	if (the_vm.wake_fd < 0)
		return the_vm.wake_fd;
	r = vcpu_signals_init();
	if (r < 0)
		return r;
	fds[0] = CTL_FD;
	fds[1] = prog.loop.epfd;
	fds[2] = the_vm.wake_fd;
	return sandbox_enter(&conf);
}

/* A service client that does not read must not stop the loop. #syscalls:hypervisor fcntl(F_GETFL|F_SETFL) */
static int service_attach(struct vm_fault *f)
{
	int fd = fd_list_take(&msg.fds, FD_SERVICE), r;

	prog.service_fd = fd;
	r = fd < 0 ? fd : fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -errno : 0;
	if (r == 0)
		r = watch(fd, EPOLLIN, &prog.service, REF_SERVICE, NULL);
	return r < 0 ? vm_fault_set(f, r, "the service socket is unusable (%s)", strerror(-r)) : 0;
}

static int cards_watch(struct vm_fault *f)
{
	unsigned slot;
	int fd, r;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		struct assign *a = pci_root_function(the_vm.pci, slot);

		if (!a)
			continue;
		fd = a->ops->watch_fd(a->p);
		if (fd < 0)
			continue;
		r = watch(fd, EPOLLRDHUP, &prog.card[slot], REF_CARD, a);
		if (r < 0)
			return vm_fault_set(f, r, "card %u cannot be watched (%s)", slot,
					    strerror(-r));
	}
	return 0;
}

static void make_machine(void)
{
	struct ctl_hv_ready ready = { .syscalls_hint = 0 };
	struct vm_fault f;
	uint32_t seq;
	int r;

	r = talk_recv(CTL_FD, &msg);
	if (r <= 0)
		_exit(EXIT_FAILURE); /* the launcher went away */
	seq = msg.seq;
	if (msg.type != CTL_HV_CONFIG) {
		vm_fault_set(&f, -EPROTO, "the first message was not CTL_HV_CONFIG");
		refuse(seq, &f);
	}
	log_context("inst=%s", msg.u.hv_config.instance_id);
	if (service_attach(&f) < 0 || vm_make(&the_vm, &msg, &f) < 0 || cards_watch(&f) < 0)
		refuse(seq, &f);
	ctl_msg_done(&msg);
	r = watch(CTL_FD, EPOLLIN, &prog.control, REF_CONTROL, NULL);
	if (r == 0)
		r = watch(the_vm.wake_fd, EPOLLIN, &prog.wake, REF_WAKE, NULL);
	if (r == 0)
		r = narrow_main();
	if (r < 0) {
		vm_fault_set(&f, r, "the loop cannot be set up (%s)", strerror(-r));
		refuse(seq, &f);
	}
	ready.cpu_us = process_cpu_us();
	if (talk_send(CTL_FD, CTL_HV_READY, seq, &ready) < 0)
		_exit(EXIT_FAILURE);
	log_info("hv.ready", "cores=%u threads=%u ram_mib=%llu functions=%u cpu_us=%llu",
		 the_vm.topo.cores, the_vm.topo.threads,
		 (unsigned long long)(the_vm.mem.bytes >> 20), the_vm.conf.slot_cnt,
		 (unsigned long long)ready.cpu_us);
	vm_resume(&the_vm);
}

static void reset_machine(const char *why)
{
	static struct log_limit limit; /* a guest may do this all day */
	struct vm_fault f;

	if (log_limit_pass(&limit))
		log_info("hv.reset", "why=%s", why);
	vm_pause(&the_vm);
	if (vm_reset(&the_vm, &f) < 0)
		end(CTL_EXIT_INTERNAL, f.text);
	vm_resume(&the_vm);
}

static void on_wake(void)
{
	const char *text;

	fd_event_clear(the_vm.wake_fd);
	switch (atomic_load(&the_vm.ask)) {
	case VM_ASK_RESET:
		reset_machine("asked");
		break;
	case VM_ASK_TRIPLE_FAULT:
		reset_machine("triple-fault");
		break;
	case VM_ASK_OFF:
		end(CTL_EXIT_SHUTDOWN, "the guest switched itself off");
	case VM_ASK_FAILED:
		text = atomic_load(&the_vm.fail_text);
		end(CTL_EXIT_INTERNAL, text ? text : "unknown");
	default:
		break;
	}
}

static void on_control(void)
{
	int r = talk_recv(CTL_FD, &msg);

	if (r == -EAGAIN)
		return;
	if (r == 0)
		_exit(EXIT_FAILURE); /* no launcher, no instance */
	if (r > 0 && msg.type == CTL_HV_KILL)
		end(CTL_EXIT_KILLED, "killed");
	log_warn("hv.control.unexpected", "err=%d", r);
	if (r > 0)
		ctl_msg_done(&msg);
}

/* niterd may go and come back; without a client the instance runs on. */
static void on_service(void)
{
	int r = talk_recv(prog.service_fd, &msg);

	if (r == -EAGAIN)
		return;
	if (r > 0) {
		r = service_handle(&the_vm, prog.service_fd, &msg);
		ctl_msg_done(&msg);
		if (r == 0 || r == -EAGAIN)
			return;
	}
	log_warn("hv.service.closed", "err=%d", r);
	loop_del(&prog.loop, prog.service_fd);
	fd_closep(&prog.service_fd);
}

static void on_card(struct assign *a)
{
	a->ops->hangup(a->p);
	end(CTL_EXIT_CARD_LOST, "a card process of this instance ended");
}

/* #syscalls:hypervisor-run epoll_pwait epoll_ctl read exit_group pread64 fstat fallocate */
static void run(void)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	int i, n;

	for (;;) {
		n = loop_wait(&prog.loop, ev, -1);
		for (i = 0; i < n; i++) {
			switch ((enum ref_type)ev[i].ref->type) {
			case REF_CONTROL:
				on_control();
				break;
			case REF_SERVICE:
				on_service();
				break;
			case REF_WAKE:
				on_wake();
				break;
			case REF_CARD:
				on_card(ev[i].ref->ptr);
				break;
			}
		}
	}
}

int main(void)
{
	log_init("niter-hypervisor");
	if (start() < 0)
		return EXIT_FAILURE;
	make_machine();
	run();
}
