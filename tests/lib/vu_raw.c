/* SPDX-License-Identifier: Apache-2.0 */
#include "vu_raw.h"

#include <dirent.h>
#include <string.h>

void vu_raw_bytes(struct vu_raw *m, const void *p, size_t len)
{
	must(len <= sizeof(m->buf) - m->len);
	memcpy(m->buf + m->len, p, len);
	m->len += len;
}

void vu_raw_u16(struct vu_raw *m, uint16_t v)
{
	uint8_t b[2];

	le16_store(b, v);
	vu_raw_bytes(m, b, sizeof(b));
}

void vu_raw_u32(struct vu_raw *m, uint32_t v)
{
	uint8_t b[4];

	le32_store(b, v);
	vu_raw_bytes(m, b, sizeof(b));
}

void vu_raw_u64(struct vu_raw *m, uint64_t v)
{
	uint8_t b[8];

	le64_store(b, v);
	vu_raw_bytes(m, b, sizeof(b));
}

void vu_raw_size(struct vu_raw *m, uint32_t size)
{
	le32_store(m->buf + 4, size);
}

void vu_raw_size_true(struct vu_raw *m)
{
	vu_raw_size(m, (uint32_t)m->len);
}

void vu_raw_begin(struct vu_raw *m, uint16_t id, uint16_t cmd, uint32_t flags, uint32_t error)
{
	m->len = 0;
	vu_raw_u16(m, id);
	vu_raw_u16(m, cmd);
	vu_raw_u32(m, 0);
	vu_raw_u32(m, flags);
	vu_raw_u32(m, error);
}

void vu_raw_hello(struct vu_raw *m, const char *json)
{
	vu_raw_begin(m, 1, VU_VERSION, 0, 0);
	vu_raw_u16(m, VU_VERSION_MAJOR);
	vu_raw_u16(m, VU_VERSION_MINOR);
	if (json)
		vu_raw_bytes(m, json, strlen(json) + 1);
	vu_raw_size_true(m);
}

int vu_raw_send(int sock, const struct vu_raw *m, const int *fds, unsigned fd_cnt)
{
	return fd_msg_send(sock, m->buf, m->len, fds, fd_cnt);
}

int vu_raw_recv(int sock, struct vu_msg *ret)
{
	vu_msg_init(ret);
	return vu_msg_recv(ret, sock);
}

unsigned vu_raw_fd_cnt(void)
{
	unsigned cnt = 0;
	DIR *d = opendir("/proc/self/fd");

	must(d);
	while (readdir(d)) /* one thread: readdir() is fine */
		cnt++;
	closedir(d);
	return cnt;
}
