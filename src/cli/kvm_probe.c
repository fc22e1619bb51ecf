/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The probe guest: one page of code and three page tables, in 64-bit mode from its first instruction. Some
 * machines have a /dev/kvm that opens and creates VMs, yet sends every instruction through KVM's emulator, which
 * knows neither xsave nor cmpxchg16b; Linux cannot boot there. Only trying tells. A processor that does not claim
 * cmpxchg16b (an emulated one may leave it out) is not asked for it: Linux will not use it there either.
 */
#include "cli/kvm_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/fd.h"

enum {
	PROBE_RAM = 64 * 1024,
	PROBE_PML4 = 0x1000,
	PROBE_PDPT = 0x2000,
	PROBE_PD = 0x3000,
	PROBE_CODE = 0x4000,
	PROBE_DATA = 0x8000, /* 64-byte aligned, room for an xsave area */
	PROBE_PORT = 0xe9,
	PROBE_ANSWER = 0x5a,
	PROBE_RUNS_MAX = 16,
	PROBE_XSAVE_BYTES = 15, /* of code, left out where the processor claims no xsave */
	CPUID_1_ECX_XSAVE = 1 << 26,

	CR0_PE = 1u << 0,
	CR0_MP = 1u << 1,
	CR0_NE = 1u << 5,
	CR0_PG = 1u << 31,
	CR4_PAE = 1u << 5,
	CR4_OSFXSR = 1u << 9,
	CR4_OSXSAVE = 1u << 18,
	EFER_LME = 1u << 8,
	EFER_LMA = 1u << 10,
};

static const uint8_t probe_code[] = {
	0x31, 0xc9,                               /* xor  ecx, ecx                     */
	0xb8, 0x03, 0x00, 0x00, 0x00,             /* mov  eax, 3: x87 and SSE          */
	0x31, 0xd2,                               /* xor  edx, edx                     */
	0x0f, 0x01, 0xd1,                         /* xsetbv                            */
	0x0f, 0xae, 0x27,                         /* xsave [rdi]: PROBE_XSAVE_BYTES up to here */
	0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, /* add  rdi, 0x1000: zeroed memory   */
	0xb8, 0x01, 0x00, 0x00, 0x00,             /* mov  eax, 1                       */
	0x0f, 0xa2,                               /* cpuid                             */
	0x89, 0xce,                               /* mov  esi, ecx                     */
	0x31, 0xc0, 0x31, 0xd2, 0x31, 0xc9,       /* xor  eax, eax; edx; ecx           */
	0xbb, 0x5a, 0x00, 0x00, 0x00,             /* mov  ebx, PROBE_ANSWER            */
	0x0f, 0xba, 0xe6, 0x0d,                   /* bt   esi, 13: is there cx16?      */
	0x73, 0x07,                               /* jnc  over the next two            */
	0xf0, 0x48, 0x0f, 0xc7, 0x0f,             /* lock cmpxchg16b [rdi]             */
	0xeb, 0x02,                               /* jmp  over the next                */
	0x89, 0x1f,                               /* mov  [rdi], ebx                   */
	0x8a, 0x07,                               /* mov  al, [rdi]: the answer        */
	0xf3, 0x0f, 0xb8, 0xd0,                   /* popcnt edx, eax                   */
	0xe6, 0xe9,                               /* out  PROBE_PORT, al               */
	0xf4,                                     /* hlt                               */
};

static void probe_memory(uint8_t *ram)
{
	uint64_t entry;

	entry = PROBE_PDPT | 3;
	memcpy(ram + PROBE_PML4, &entry, sizeof(entry));
	entry = PROBE_PD | 3;
	memcpy(ram + PROBE_PDPT, &entry, sizeof(entry));
	entry = 0x83; /* one 2 MiB page at 0, writable */
	memcpy(ram + PROBE_PD, &entry, sizeof(entry));
	memcpy(ram + PROBE_CODE, probe_code, sizeof(probe_code));
}

/* Return: 1 when KVM offers xsave to guests, 0 when not, -errno. */
static MUST_USE int probe_cpuid(int kvm, int vcpu)
{
	static union {
		struct kvm_cpuid2 head;
		uint8_t room[sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2)];
	} cpuid;

	cpuid.head.nent = 256;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) < 0)
		return -errno;
	if (ioctl(vcpu, KVM_SET_CPUID2, &cpuid) < 0)
		return -errno;
	for (uint32_t n = 0; n < cpuid.head.nent; n++)
		if (cpuid.head.entries[n].function == 1)
			return (cpuid.head.entries[n].ecx & CPUID_1_ECX_XSAVE) != 0;
	return 0;
}

static MUST_USE int probe_registers(int vcpu, int xsave)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.cs.base = 0;
	s.cs.selector = 8;
	s.cs.type = 11;
	s.cs.present = 1;
	s.cs.s = 1;
	s.cs.l = 1;
	s.cs.db = 0;
	s.cs.g = 1;
	s.cs.limit = 0xffffffff;
	s.ds = s.cs;
	s.ds.selector = 16;
	s.ds.type = 3;
	s.ds.l = 0;
	s.es = s.fs = s.gs = s.ss = s.ds;
	s.cr0 = CR0_PE | CR0_MP | CR0_NE | CR0_PG;
	s.cr3 = PROBE_PML4;
	s.cr4 = CR4_PAE | CR4_OSFXSR | (xsave ? CR4_OSXSAVE : 0);
	s.efer = EFER_LME | EFER_LMA;
	if (ioctl(vcpu, KVM_SET_SREGS, &s) < 0)
		return -errno;

	memset(&r, 0, sizeof(r));
	r.rip = PROBE_CODE + (xsave ? 0 : PROBE_XSAVE_BYTES);
	r.rdi = PROBE_DATA;
	r.rflags = 2;
	if (ioctl(vcpu, KVM_SET_REGS, &r) < 0)
		return -errno;
	return 0;
}

static MUST_USE int probe_answers(int vcpu, const struct kvm_run *run)
{
	for (unsigned n = 0; n < PROBE_RUNS_MAX; n++) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return 0;
		}
		if (run->exit_reason != KVM_EXIT_IO)
			return 0;
		if (run->io.port == PROBE_PORT && run->io.direction == KVM_EXIT_IO_OUT)
			return *((const uint8_t *)run + run->io.data_offset) == PROBE_ANSWER;
	}
	return 0;
}

static MUST_USE int probe_run(int kvm, int vm, uint8_t *ram)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = PROBE_RAM,
		.userspace_addr = (uintptr_t)ram,
	};
	CLEANUP(fd_closep) int vcpu = -1;
	int run_len = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int answers, xsave;
	void *run;

	probe_memory(ram);
	if (run_len < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return 0;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return 0;
	xsave = probe_cpuid(kvm, vcpu);
	if (xsave < 0 || probe_registers(vcpu, xsave) < 0)
		return 0;
	run = mmap(NULL, (size_t)run_len, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return 0;
	answers = probe_answers(vcpu, run);
	munmap(run, (size_t)run_len);
	return answers;
}

int kvm_probe(const char **ret_why)
{
	CLEANUP(fd_closep) int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CLEANUP(fd_closep) int vm = -1;
	int answers;
	void *ram;

	if (kvm < 0) {
		*ret_why = errno == EACCES ? "no permission to open /dev/kvm" : "no /dev/kvm";
		return 0;
	}
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		*ret_why = "/dev/kvm speaks another version";
		return 0;
	}
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0) {
		*ret_why = "KVM cannot create a virtual machine here";
		return 0;
	}
	ram = mmap(NULL, PROBE_RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED) {
		*ret_why = "no memory for the probe guest";
		return 0;
	}
	answers = probe_run(kvm, vm, ram);
	munmap(ram, PROBE_RAM);
	if (!answers)
		*ret_why = "KVM has no hardware virtualisation behind it (the probe guest failed)";
	return answers;
}
