/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Attributes and ownership helpers every file may use.
 */

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

/* CLEANUP(f) on a local: f(&local) runs when the local leaves its scope, on every path. */
#define CLEANUP(f) __attribute__((cleanup(f)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* TAKE_PTR(p): the value of p, which becomes NULL: ownership moves to the caller. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) take_ptr_ = (p);                                                     \
		(p) = NULL;                                                                        \
		take_ptr_;                                                                         \
	})

/* TAKE_FD(fd): the value of fd, which becomes -1: ownership moves to the caller. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int take_fd_ = (fd);                                                               \
		(fd) = -1;                                                                         \
		take_fd_;                                                                          \
	})

/*
 * must(cond): our own invariant. Never reachable from guest or peer bytes; stays on in release.
 */
#define must(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond))                                                                       \
			must_failed(#cond, __FILE__, __LINE__);                                    \
	} while (0)

NORETURN void must_failed(const char *cond, const char *file, int line);

/* free() for CLEANUP: CLEANUP(free_p) char *s = NULL; */
void free_p(void *pp);
