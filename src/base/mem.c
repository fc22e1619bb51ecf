/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

enum { PAGE_BYTES = 4096 };

/* Whole pages that hold len bytes; 0 when there are none or too many. */
static size_t pages_bytes(size_t len)
{
	if (!len || len > SIZE_MAX / 2)
		return 0;
	return (len + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/*
 * Memory that not even the kernel's own direct map shows, and that is locked by nature.
 * #syscalls:* memfd_secret ftruncate
 */
static void *secret_map_hidden(size_t bytes)
{
	CLEANUP(fd_closep) int fd = -1;

	fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		return MAP_FAILED;
	if (ftruncate(fd, (off_t)bytes) < 0)
		return MAP_FAILED;
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* #syscalls:* mlock */
int secret_new(size_t len, void **ret)
{
	size_t bytes = pages_bytes(len);
	void *p;
	int e;

	if (!bytes)
		return -EINVAL;
	p = secret_map_hidden(bytes);
	if (p == MAP_FAILED) {
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return -errno;
		if (mlock(p, bytes) < 0)
			goto fail;
	}
	if (madvise(p, bytes, MADV_DONTDUMP) < 0 || madvise(p, bytes, MADV_DONTFORK) < 0)
		goto fail;
	*ret = p;
	return 0;
fail:
	e = errno;
	munmap(p, bytes);
	return -e;
}

void secret_free(void *p, size_t len)
{
	if (!p)
		return;
	mem_wipe(p, len);
	munmap(p, pages_bytes(len));
}

void mem_wipe(void *p, size_t len)
{
	if (len)
		__builtin_memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

int mem_equal_ct(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	unsigned diff = 0;
	size_t i;

	for (i = 0; i < len; i++)
		diff |= (unsigned)(x[i] ^ y[i]);
	return diff == 0;
}

int mem_zalloc_pages(size_t len, void **ret)
{
	size_t bytes = pages_bytes(len);
	void *p;

	if (!bytes)
		return -EINVAL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

void mem_free_pages(void *p, size_t len)
{
	if (p)
		munmap(p, pages_bytes(len));
}
