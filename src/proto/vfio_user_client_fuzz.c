/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "proto/vu_client.h"
#include "vu_card.h"

/*
 * A card that lies. What an honest card answers to the same calls is recorded once; the input edits that record, and
 * it lies in the socket before the client asks, so that no second thread is needed. Input:
 *   edits of 4 bytes: u8 message, u8 kind, u8 position, u8 value
 * Asserted: whatever the client believes is inside the bounds it promises; every shadow can be written; nothing leaks;
 * nothing waits (the socket ends after the record).
 */

enum { MESSAGES_MAX = 48, EDITS_MAX = 64, QUICK_MS = 200 };

struct message {
	uint8_t buf[VU_MSG_MAX_BYTES + 64];
	size_t len;
	int fds[VU_FDS_MAX + 4];
	unsigned fd_cnt;
	bool dropped;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct message record[MESSAGES_MAX], play[MESSAGES_MAX];
static unsigned record_cnt;
static struct vu_card card;
static int pool[4]; /* eventfd, sealed memory, unsealed memory, pipe */

/* The calls a client makes in its life; the record answers exactly these. */
static void live(struct vu_client *c)
{
	uint8_t b[8] = { 0 };
	int fds[2] = { pool[0], pool[0] };

	(void)!vu_client_dma_map(c, 0, VU_CARD_DOORBELLS, VU_DMA_READ | VU_DMA_WRITE, pool[1], 0);
	(void)!vu_client_irqs_set(c, fds, vu_client_info(c)->msix_cnt < 2 ? 0 : 2);
	(void)!vu_client_read(c, 0, 0x1c, b, 4);
	(void)!vu_client_write(c, 0, 0x14, b, 4);
	(void)!vu_client_read(c, 0, 0, b, 8);
	(void)!vu_client_write(c, VU_REGION_CONFIG, PCI_CFG_COMMAND, b, 2);
	(void)!vu_client_reset(c);
	(void)!vu_client_dma_unmap(c, 0, VU_CARD_DOORBELLS);
}

static void *record_thread(void *arg)
{
	static struct vu_card_reply reply;
	static struct vu_msg req;
	int sock = *(int *)arg;

	vu_msg_init(&req);
	while (vu_msg_recv(&req, sock) == 1) {
		struct message *m = &record[record_cnt];

		must(record_cnt < MESSAGES_MAX);
		vu_card_answer(&card, &req, &reply);
		vu_msg_done(&req);
		memcpy(m->buf, reply.msg.buf, reply.msg.len);
		m->len = reply.msg.len;
		memcpy(m->fds, reply.fds, sizeof(m->fds));
		m->fd_cnt = reply.fd_cnt;
		record_cnt++;
		must(fd_msg_send(sock, m->buf, m->len, m->fds, m->fd_cnt) == 0);
	}
	vu_msg_done(&req);
	return NULL;
}

static void record_once(void)
{
	struct vu_client *c;
	int a, b, pipes[2];
	pthread_t t;

	if (record_cnt)
		return;
	pool[0] = fd_eventfd();
	pool[1] = fd_memfd("fuzz", VU_CARD_DOORBELLS);
	pool[2] = memfd_create("fuzz-unsealed", MFD_CLOEXEC);
	must(ftruncate(pool[2], VU_CARD_DOORBELLS) == 0 &&
	     pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
	pool[3] = pipes[1];
	close(pipes[0]);
	vu_card_init(&card);
	must(fd_socketpair(SOCK_STREAM, &a, &b) == 0);
	must(pthread_create(&t, NULL, record_thread, &b) == 0);
	must(vu_client_new(a, 0, &c) == 0);
	live(c);
	must(!vu_client_lost(c));
	vu_client_free(c);
	pthread_join(t, NULL);
	close(b);
}

enum edit_kind {
	EDIT_BYTE,    /* payload byte, counted from the header's end */
	EDIT_HEADER,  /* header byte */
	EDIT_XOR_BIT, /* one bit of the payload */
	EDIT_LENGTH, /* the message gets that many bytes shorter or longer, its size field follows */
	EDIT_CUT,    /* the same, and the size field does not */
	EDIT_FD,     /* descriptor @position becomes kind @value */
	EDIT_FD_CNT,
	EDIT_DROP,
	EDIT_WORD, /* a 32-bit word of the payload becomes one of the hard values */
	EDIT_KINDS,
};

static void edit_length(struct message *m, uint8_t value, bool honest)
{
	int by = (int8_t)value;

	if (by < 0 && m->len < (size_t)-by + 4)
		return;
	if (by > 0)
		memset(m->buf + m->len, value, (size_t)by % 64);
	m->len = by < 0 ? m->len - (size_t)-by : m->len + (size_t)by % 64;
	if (m->len > VU_MSG_MAX_BYTES)
		m->len = VU_MSG_MAX_BYTES;
	if (honest && m->len >= 8)
		le32_store(m->buf + 4, (uint32_t)m->len);
}

static void edit(struct message *m, uint8_t kind, uint8_t pos, uint8_t value)
{
	static const uint32_t hard[] = { 0,          1,    0x7fffffff, 0x80000000,
					 0xffffffff, 4095, 4096,       0xfffffffc };
	size_t body = m->len > VU_HDR_BYTES ? m->len - VU_HDR_BYTES : 0;

	switch ((enum edit_kind)(kind % EDIT_KINDS)) {
	case EDIT_BYTE:
		if (body)
			m->buf[VU_HDR_BYTES + pos % body] = value;
		break;
	case EDIT_HEADER:
		m->buf[pos % VU_HDR_BYTES] = value;
		break;
	case EDIT_XOR_BIT:
		if (body)
			m->buf[VU_HDR_BYTES + pos % body] ^= (uint8_t)(1U << value % 8);
		break;
	case EDIT_LENGTH:
		edit_length(m, value, true);
		break;
	case EDIT_CUT:
		edit_length(m, value, false);
		break;
	case EDIT_FD:
		m->fds[pos % ARRAY_SIZE(m->fds)] = pool[value % 4];
		break;
	case EDIT_FD_CNT:
		for (; m->fd_cnt < value % (ARRAY_SIZE(m->fds) + 1); m->fd_cnt++)
			m->fds[m->fd_cnt] = pool[pos % 4];
		m->fd_cnt = value % (ARRAY_SIZE(m->fds) + 1);
		break;
	case EDIT_DROP:
		m->dropped = true;
		break;
	case EDIT_WORD:
		if (body >= 4)
			le32_store(m->buf + VU_HDR_BYTES + pos % (body - 3),
				   hard[value % ARRAY_SIZE(hard)]);
		break;
	case EDIT_KINDS:
		break;
	}
}

static void believe_check(struct vu_client *c)
{
	const struct vu_client_info *info = vu_client_info(c);
	const struct vu_client_shadow *w;
	unsigned i, k, cnt;

	for (i = 0; i <= VU_REGION_BAR5; i++)
		must(!info->region_size[i] || (is_pow2(info->region_size[i]) &&
					       info->region_size[i] <= VU_CLIENT_BAR_MAX_BYTES));
	must(info->region_size[VU_REGION_CONFIG] <= PCI_CFG_BYTES);
	must(info->msix_cnt <= MSIX_VECTORS_MAX);
	w = vu_client_shadows(c, &cnt);
	for (i = 0; i < cnt; i++) {
		must(w[i].region <= VU_REGION_BAR5 && (w[i].off | w[i].size) % 4 == 0 && w[i].size);
		must(range_ok(w[i].off, w[i].size, info->region_size[w[i].region]));
		for (k = 0; k < i; k++)
			must(w[k].region != w[i].region || w[k].off + w[k].size <= w[i].off ||
			     w[i].off + w[i].size <= w[k].off);
		if (w[i].mem)
			memset(w[i].mem, 0x55, (size_t)w[i].size);
	}
}

/* A card that answers and hangs up. */
static void replay(int sock)
{
	unsigned i;

	for (i = 0; i < record_cnt; i++) {
		struct message *m = &play[i];

		if (!m->dropped && m->len &&
		    fd_msg_send(sock, m->buf, m->len, m->fds, m->fd_cnt) < 0)
			break;
	}
	must(shutdown(sock, SHUT_WR) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	struct vu_client *c;
	unsigned i, fds;
	int a, b;

	record_once();
	fds = vu_raw_fd_cnt();
	memcpy(play, record, sizeof(play));
	for (i = 0; i < EDITS_MAX && in.left >= 4; i++) {
		uint8_t which = rd_u8(&in), kind = rd_u8(&in), pos = rd_u8(&in), value = rd_u8(&in);

		edit(&play[which % record_cnt], kind, pos, value);
	}
	must(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, &a, &b) == 0);
	replay(b);
	if (vu_client_new(a, QUICK_MS, &c) == 0) {
		believe_check(c);
		live(c);
		vu_client_free(c);
	}
	close(b);
	must(vu_raw_fd_cnt() == fds);
	return 0;
}
