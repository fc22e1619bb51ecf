/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/packet_ring.h"

/* As fd_new.c: no "#syscalls:*" here on purpose. */

int packet_ring_fd_new(void)
{
	CLEANUP(fd_closep) int fd = fd_memfd("niter-packets", PACKET_RING_BYTES);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) < 0)
		return -errno;
	return TAKE_FD(fd);
}
