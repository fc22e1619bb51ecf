/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/talk.h"

#include <string.h>

#include "base/fd.h"

static uint8_t packet[CTL_MSG_MAX];

int talk_send(int sock, enum ctl_type type, uint32_t seq, const void *body)
{
	int len = ctl_encode(type, seq, body, 0, packet, sizeof(packet));

	return len < 0 ? len : fd_msg_send(sock, packet, (size_t)len, NULL, 0);
}

int talk_ack(int sock, uint32_t seq, int err, const char *text)
{
	static struct ctl_ack a;

	a.err = err;
	memset(a.text, 0, sizeof(a.text));
	memcpy(a.text, text, strnlen(text, sizeof(a.text) - 1));
	return talk_send(sock, CTL_ACK, seq, &a);
}

int talk_recv(int sock, struct ctl_msg *ret)
{
	CLEANUP(fd_list_done) struct fd_list fds = { .cnt = 0 };
	ssize_t n;
	int r;

	n = fd_msg_recv(sock, packet, sizeof(packet), &fds);
	if (n <= 0)
		return (int)n;
	r = ctl_decode(packet, (size_t)n, fds.cnt, ret);
	if (r < 0)
		return r;
	ret->fds = fds;
	fds.cnt = 0; /* they are the caller's now */
	return 1;
}
