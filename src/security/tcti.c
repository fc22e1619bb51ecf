/* SPDX-License-Identifier: Apache-2.0 */
#include "security/tcti.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "base/mem.h"

enum {
	TCTI_VERSION_1 = 1,
	HDR_BYTES = 10, /* spec: tpm-2.0 part 1 §18: tag, size, code */
};
static const uint64_t tcti_magic = 0x6e697465722d6664; /* any number that is ours */

static struct tcti *tcti_of(TSS2_TCTI_CONTEXT *c)
{
	struct tcti *t = (struct tcti *)c;

	return t && t->common.magic == tcti_magic ? t : NULL;
}

static TSS2_RC tcti_transmit(TSS2_TCTI_CONTEXT *c, size_t len, const uint8_t *cmd)
{
	struct tcti *t = tcti_of(c);

	if (!t)
		return TSS2_TCTI_RC_BAD_CONTEXT;
	if (t->waiting)
		return TSS2_TCTI_RC_BAD_SEQUENCE;
	if (len < HDR_BYTES || len > TCTI_BUF_BYTES)
		return TSS2_TCTI_RC_BAD_VALUE;
	/* The device takes a command in one write. */
	if (fd_write_full(t->fd, cmd, len) < 0)
		return TSS2_TCTI_RC_IO_ERROR;
	t->waiting = 1;
	t->len = 0;
	return TSS2_RC_SUCCESS;
}

/* Size field of the response so far; 0 while unknown. Return: success, or a lie in the size field. */
static TSS2_RC response_size(const struct tcti *t, uint32_t got, uint32_t *ret)
{
	struct rd in = rd_init(t->buf, got);
	uint32_t size;

	*ret = 0;
	if (got < HDR_BYTES)
		return TSS2_RC_SUCCESS;
	rd_skip(&in, sizeof(uint16_t));
	size = rd_be32(&in);
	if (size < HDR_BYTES || size > TCTI_BUF_BYTES || got > size)
		return TSS2_TCTI_RC_MALFORMED_RESPONSE;
	*ret = size;
	return TSS2_RC_SUCCESS;
}

/* One whole response into buf. #syscalls:security,security-serve poll */
static TSS2_RC response_read(struct tcti *t, int timeout_ms)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	uint32_t got = 0, size = 0;
	TSS2_RC rc;
	ssize_t n;
	int r;

	while (!size || got < size) {
		r = poll(&p, 1, got ? TCTI_REST_TIMEOUT_MS : timeout_ms);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return TSS2_TCTI_RC_IO_ERROR;
		if (r == 0)
			return got ? TSS2_TCTI_RC_IO_ERROR : TSS2_TCTI_RC_TRY_AGAIN;
		n = read(t->fd, t->buf + got, sizeof(t->buf) - got);
		if (n <= 0)
			return TSS2_TCTI_RC_IO_ERROR;
		got += (uint32_t)n;
		rc = response_size(t, got, &size);
		if (rc != TSS2_RC_SUCCESS)
			return rc;
	}
	t->len = size;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC tcti_receive(TSS2_TCTI_CONTEXT *c, size_t *len, uint8_t *resp, int32_t timeout)
{
	struct tcti *t = tcti_of(c);
	TSS2_RC rc;

	if (!t || !len)
		return TSS2_TCTI_RC_BAD_CONTEXT;
	if (!t->waiting)
		return TSS2_TCTI_RC_BAD_SEQUENCE;
	if (!t->len) {
		rc = response_read(t,
				   timeout == TSS2_TCTI_TIMEOUT_BLOCK ? TCTI_TIMEOUT_MS : timeout);
		if (rc == TSS2_TCTI_RC_TRY_AGAIN && timeout == TSS2_TCTI_TIMEOUT_BLOCK)
			rc = TSS2_TCTI_RC_IO_ERROR; /* it hangs */
		if (rc != TSS2_RC_SUCCESS)
			return rc;
	}
	if (!resp || *len < t->len) { /* asks for the size */
		*len = t->len;
		return resp ? TSS2_TCTI_RC_INSUFFICIENT_BUFFER : TSS2_RC_SUCCESS;
	}
	memcpy(resp, t->buf, t->len);
	*len = t->len;
	t->len = 0;
	t->waiting = 0;
	mem_wipe(t->buf, sizeof(t->buf));
	return TSS2_RC_SUCCESS;
}

static void tcti_finalize(TSS2_TCTI_CONTEXT *c)
{
	(void)c; /* tcti_done() is ours */
}

static TSS2_RC tcti_cancel(TSS2_TCTI_CONTEXT *c)
{
	(void)c;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC tcti_poll_handles(TSS2_TCTI_CONTEXT *c, TSS2_TCTI_POLL_HANDLE *handles, size_t *cnt)
{
	(void)c;
	(void)handles;
	(void)cnt;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC tcti_set_locality(TSS2_TCTI_CONTEXT *c, uint8_t locality)
{
	(void)c;
	(void)locality;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

void tcti_init(struct tcti *t, int fd)
{
	memset(t, 0, sizeof(*t));
	t->common.magic = tcti_magic;
	t->common.version = TCTI_VERSION_1;
	t->common.transmit = tcti_transmit;
	t->common.receive = tcti_receive;
	t->common.finalize = tcti_finalize;
	t->common.cancel = tcti_cancel;
	t->common.getPollHandles = tcti_poll_handles;
	t->common.setLocality = tcti_set_locality;
	t->fd = fd;
}

void tcti_done(struct tcti *t)
{
	mem_wipe(t, sizeof(*t));
	t->fd = -1;
}

TSS2_TCTI_CONTEXT *tcti_context(struct tcti *t)
{
	return (TSS2_TCTI_CONTEXT *)&t->common;
}
