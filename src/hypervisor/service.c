/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/service.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "hypervisor/talk.h"
#include "hypervisor/vm.h"

enum { LAST_WORDS_BYTES = 3 * CTL_CHUNK_MAX }; /* fits into a socket's buffer unread */

uint64_t process_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int console_read(struct vm *vm, int sock, const struct ctl_msg *m)
{
	const struct ctl_svc_console_read *req = &m->u.svc_console_read;
	static struct ctl_svc_console_data data; /* 32 KiB; main thread only */
	size_t want = (size_t)min_u64(req->max, CTL_CHUNK_MAX);

	data.data.len = (uint16_t)uart_console_read(&vm->uart, req->off, data.data.b, want,
						    &data.off, &data.end);
	return talk_send(sock, CTL_SVC_CONSOLE_DATA, m->seq, &data);
}

void service_last_words(struct vm *vm, int sock)
{
	static struct ctl_svc_console_data data;
	uint64_t off, end;

	(void)uart_console_read(&vm->uart, UINT64_MAX, data.data.b, 0, &off, &end);
	off = end > LAST_WORDS_BYTES ? end - LAST_WORDS_BYTES : 0;
	while (off < end) {
		data.data.len = (uint16_t)uart_console_read(&vm->uart, off, data.data.b,
							    CTL_CHUNK_MAX, &data.off, &data.end);
		/* A full socket, or nobody there: they do not want to know. */
		if (talk_send(sock, CTL_SVC_CONSOLE_DATA, 0, &data) < 0)
			return;
		off = data.off + data.data.len;
	}
}

static int stats_read(struct vm *vm, int sock, const struct ctl_msg *m)
{
	struct ctl_svc_stats s = { .resets = vm->reset_cnt, .cpu_us = process_cpu_us() };
	struct pci_root_stats pci;
	unsigned i;

	for (i = 0; i < vm->vcpu_cnt; i++) {
		const struct vcpu_stats *v = &vm->vcpu[i].stats;

		s.exits += atomic_load_explicit(&v->exits, memory_order_relaxed);
		s.exits_pio += atomic_load_explicit(&v->pio, memory_order_relaxed);
		s.exits_mmio += atomic_load_explicit(&v->mmio, memory_order_relaxed);
		s.exits_hlt += atomic_load_explicit(&v->hlt, memory_order_relaxed);
	}
	pci_root_stats(vm->pci, &pci);
	s.doorbells = pci.doorbells;
	return talk_send(sock, CTL_SVC_STATS, m->seq, &s);
}

int service_handle(struct vm *vm, int sock, const struct ctl_msg *m)
{
	if (m->type == CTL_SVC_CONSOLE_READ)
		return console_read(vm, sock, m);
	if (m->type == CTL_SVC_STATS_READ)
		return stats_read(vm, sock, m);
	if (m->type == CTL_SVC_POWER_BUTTON) {
		power_button(&vm->power);
		return talk_ack(sock, m->seq, 0, "");
	}
	if (m->type == CTL_SVC_RESET) {
		vm_ask(vm, VM_ASK_RESET);
		return talk_ack(sock, m->seq, 0, "");
	}
	return -EPROTO;
}
