/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "hypervisor/map.h"

enum { SLOT_LOW = 0, SLOT_HIGH = 1 };

#define RAM_MIN (16 * MIB)
#define RAM_ALIGN (2 * MIB)

int mem_layout(uint64_t bytes, struct memory *ret)
{
	if (bytes < RAM_MIN || bytes % RAM_ALIGN || bytes > (uint64_t)1 << 46)
		return -EINVAL;
	ret->bytes = bytes;
	ret->low_bytes = min_u64(bytes, MAP_LOW_RAM_MAX);
	ret->high_bytes = bytes - ret->low_bytes;
	return 0;
}

static int slot_set(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t bytes, const uint8_t *host)
{
	struct kvm_userspace_memory_region reg = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)host,
	};

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &reg) < 0 ? -errno : 0;
}

/*
 * #syscalls-include <linux/kvm.h>
 * #syscalls:hypervisor mmap madvise fstat ioctl(KVM_SET_USER_MEMORY_REGION)
 */
int mem_init(struct memory *m, int vm_fd, int fd, uint64_t bytes)
{
	void *host;
	int r;

	m->fd = fd;
	r = mem_layout(bytes, m);
	if (r < 0)
		return r;
	r = fd_memfd_check(fd, bytes);
	if (r < 0)
		return r;
	host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (host == MAP_FAILED)
		return -errno;
	m->host = host;
	/* Both are wishes: a kernel without huge shared pages runs the guest just as well. */
	(void)madvise(host, bytes, MADV_HUGEPAGE);
	(void)madvise(host, bytes, MADV_DONTDUMP);
	r = slot_set(vm_fd, SLOT_LOW, 0, m->low_bytes, m->host);
	if (r < 0 || !m->high_bytes)
		return r;
	return slot_set(vm_fd, SLOT_HIGH, MAP_HIGH_RAM_BASE, m->high_bytes, m->host + m->low_bytes);
}

/* #syscalls:hypervisor fallocate */
int mem_zero(const struct memory *m)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(m->fd, mode, 0, (off_t)m->bytes) < 0 ? -errno : 0;
}

void *mem_at(const struct memory *m, uint64_t gpa, uint64_t len)
{
	if (range_ok(gpa, len, m->low_bytes))
		return m->host + gpa;
	if (gpa < MAP_HIGH_RAM_BASE || !range_ok(gpa - MAP_HIGH_RAM_BASE, len, m->high_bytes))
		return NULL;
	return m->host + m->low_bytes + (gpa - MAP_HIGH_RAM_BASE);
}

uint64_t mem_end(const struct memory *m)
{
	return m->high_bytes ? MAP_HIGH_RAM_BASE + m->high_bytes : m->low_bytes;
}

unsigned mem_regions(const struct memory *m, struct mem_region ret[MEM_REGIONS_MAX])
{
	const struct mem_region all[] = {
		{ 0, MAP_EBDA, E820_RAM },
		{ MAP_EBDA, MAP_VGA_HOLE - MAP_EBDA, E820_RESERVED },
		{ MAP_TABLES, MAP_HIMEM - MAP_TABLES, E820_RESERVED },
		{ MAP_HIMEM, m->low_bytes - MAP_HIMEM, E820_RAM },
		{ PCI_ECAM_BASE, PCI_ECAM_BUS_BYTES, E820_RESERVED },
		{ MAP_KVM_IDENTITY, MAP_HIGH_RAM_BASE - MAP_KVM_IDENTITY, E820_RESERVED },
		{ MAP_HIGH_RAM_BASE, m->high_bytes, E820_RAM },
	};
	unsigned i, n = 0;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].bytes)
			ret[n++] = all[i];
	return n;
}
