/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Included in front of every file of niter-hypervisor, which alone is linked with musl: what Debian 12's musl
 * (1.2.3) does not know yet and our shared folders use. docs/decisions/ says why musl.
 */

#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef __NR_memfd_secret
#define __NR_memfd_secret 447
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

#define strerrordesc_np(err) strerror(err)

#define preadv2(fd, iov, cnt, off, flags)                                                          \
	((ssize_t)syscall(SYS_preadv2, (fd), (iov), (cnt), (long)(off), 0L, (flags)))
