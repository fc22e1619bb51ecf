/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * vfio-user messages by hand, for tests that say what no decent peer says. Little-endian fields are appended to a
 * body; the header can lie.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "proto/vfio_user.h"

struct vu_raw {
	uint8_t buf[4 * VU_MSG_MAX_BYTES];
	size_t len; /* bytes, header included */
};

/* vu_raw_begin(): an empty message whose size field is set by vu_raw_send() unless vu_raw_size() came later. */
void vu_raw_begin(struct vu_raw *m, uint16_t id, uint16_t cmd, uint32_t flags, uint32_t error);
void vu_raw_u16(struct vu_raw *m, uint16_t v);
void vu_raw_u32(struct vu_raw *m, uint32_t v);
void vu_raw_u64(struct vu_raw *m, uint64_t v);
void vu_raw_bytes(struct vu_raw *m, const void *p, size_t len);
/* The header's size field says this from now on. */
void vu_raw_size(struct vu_raw *m, uint32_t size);
void vu_raw_size_true(struct vu_raw *m);

/* The request a decent client begins with. */
void vu_raw_hello(struct vu_raw *m, const char *json);

/* Return: 0, -errno. All @m->len bytes go out. */
MUST_USE int vu_raw_send(int sock, const struct vu_raw *m, const int *fds, unsigned fd_cnt);

/* One message from a non-blocking or blocking socket. Return: as vu_msg_recv(). */
MUST_USE int vu_raw_recv(int sock, struct vu_msg *ret);

/* vu_raw_fd_cnt(): open descriptors of this process, to see leaks. */
unsigned vu_raw_fd_cnt(void);
