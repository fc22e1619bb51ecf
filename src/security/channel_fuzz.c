/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "security/channel.h"
#include "security/wrap.h"

/*
 * Cards and format jobs that send what they like. Two accounts with a volume each, one channel to each, a format
 * channel, and an input of packets: u8 channel, u8 kind, then either raw bytes (u16 length) or the recipe of a
 * request. The model: a key comes only to its own card, for its own wrap under an unchanged description, and it is
 * the right one; a closed channel stays silent; the others go on.
 */

enum { CARDS = 2, FORMAT = 2, CHANNELS = 3, STEPS_MAX = 40 };

static const char *const volumes[] = { "vol-0", "vol-1", "vol-2" };
static const char *const accounts[] = { "111122223333", "444455556666", "111122223333" };
static const char *const instances[] = { "i-0", "i-1", "" };

static struct key *root;
static struct service s;
static struct loop loop;
static struct ctl_key_data made[CARDS];
static struct ctl_msg m;
static int ends[CHANNELS];
static uint8_t store_bytes[STORE_HEADER_AREA_BYTES];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int memory_file(const void *b, size_t len)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	must(fd >= 0 && fd_pwrite_full(fd, b, len, 0) == 0);
	return fd;
}

/* A service with the files it was given instead of a directory. */
static void up(void)
{
	struct store_log_mark mark;

	service_init(&s, &loop);
	must(tree_init(&s.tree, root) == 0);
	must(store_open(memory_file(store_bytes, sizeof(store_bytes)), s.tree.store, &s.store) ==
	     0);
	memset(&mark, 0, sizeof(mark));
	must(release_log_open(&s.log, memory_file("", 0), s.tree.log, &mark) == 0);
	s.has_root = true;
}

static void open_channel(int i)
{
	struct ctl_sec_channel g;
	const char *why = NULL;
	int ours = -1;

	memset(&g, 0, sizeof(g));
	g.purpose = i == FORMAT ? CTL_KEY_FOR_FORMAT : CTL_KEY_FOR_CARD;
	(void)snprintf(g.volume_id, sizeof(g.volume_id), "%s", volumes[i]);
	(void)snprintf(g.account_id, sizeof(g.account_id), "%s", accounts[i]);
	(void)snprintf(g.instance_id, sizeof(g.instance_id), "%s", instances[i]);
	must(fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, &ends[i], &ours) == 0);
	must(channel_grant(&s, &g, ours, &why) == 0);
}

static struct ctl_key_request request(int volume)
{
	struct ctl_key_request q;

	memset(&q, 0, sizeof(q));
	(void)snprintf(q.volume_id, sizeof(q.volume_id), "%s", volumes[volume]);
	(void)snprintf(q.cipher, sizeof(q.cipher), "aes-xts-plain64");
	q.sector_bytes = 4096;
	q.payload_off = 16 << 20;
	q.size = 1 << 30;
	return q;
}

static void turn(void)
{
	struct channel *c;

	for (c = s.channels; c; c = c->next)
		if (c->fd >= 0)
			service_channel(&s, c);
	service_reap(&s);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ctl_sec_channel g;
	struct ctl_key_request q;
	const char *why;
	struct tree t;
	int i, ours, sock;

	(void)argc;
	(void)argv;
	must(setenv("NITER_LOG", "err", 1) == 0); /* NOLINT(concurrency-mt-unsafe): one thread */
	log_init("security-channel-fuzz");
	must(loop_init(&loop) == 0);
	must(key_new_random(32, &root) == 0 && tree_init(&t, root) == 0);
	must(store_image_new(t.store, store_bytes) == 0);
	tree_done(&t);
	up();
	for (i = 0; i < CARDS; i++) {
		memset(&g, 0, sizeof(g));
		g.purpose = CTL_KEY_FOR_FORMAT;
		(void)snprintf(g.volume_id, sizeof(g.volume_id), "%s", volumes[i]);
		(void)snprintf(g.account_id, sizeof(g.account_id), "%s", accounts[i]);
		must(fd_socketpair(SOCK_SEQPACKET, &sock, &ours) == 0);
		must(channel_grant(&s, &g, ours, &why) == 0);
		q = request(i);
		must(ctl_send(sock, CTL_KEY_CREATE, 1, &q, NULL, 0) == 0);
		turn();
		must(ctl_recv(sock, &m) == 1 && m.u.key_data.err == 0);
		made[i] = m.u.key_data;
		ctl_msg_done(&m);
		close(sock);
		turn();
	}
	return 0;
}

/* Does the model let this request have a key? */
static bool may(int channel, enum ctl_type type, const struct ctl_key_request *q)
{
	struct ctl_key_request want = request(channel);

	if (channel == FORMAT)
		return type == CTL_KEY_CREATE && strcmp(q->volume_id, want.volume_id) == 0;
	want.wrapped = made[channel].wrapped;
	return type == CTL_KEY_UNWRAP && strcmp(q->volume_id, want.volume_id) == 0 &&
	       strcmp(q->cipher, want.cipher) == 0 && q->sector_bytes == want.sector_bytes &&
	       q->payload_off == want.payload_off && q->size == want.size &&
	       q->wrapped.len == want.wrapped.len &&
	       memcmp(q->wrapped.b, want.wrapped.b, want.wrapped.len) == 0;
}

/* All answers that have come. */
static void drain(int channel, bool allowed)
{
	while (ctl_recv(ends[channel], &m) == 1) {
		must(m.type == CTL_KEY_DATA);
		if (m.u.key_data.key.len) {
			must(m.u.key_data.err == 0 && allowed);
			must(channel == FORMAT ||
			     memcmp(m.u.key_data.key.b, made[channel].key.b, CTL_KEY_BYTES) == 0);
		} else {
			must(m.u.key_data.err < 0 && m.u.key_data.wrapped.len == 0);
		}
		ctl_msg_done(&m);
	}
}

static void step_raw(int channel, struct rd *in)
{
	size_t len = rd_le16(in) % 600;
	uint8_t b[600];

	len = len < in->left ? len : in->left;
	rd_bytes(in, b, len);
	if (fd_msg_send(ends[channel], b, len, NULL, 0) < 0)
		return;
	turn();
	/* Raw bytes may even be a good request: the structured ones hold the model to account. */
	drain(channel, ctl_decode(b, len, 0, &m) == 0 && may(channel, m.type, &m.u.key_request));
}

static void step_request(int channel, uint8_t kind, struct rd *in)
{
	uint8_t pick = rd_u8(in), field = rd_u8(in), delta = rd_u8(in);
	struct ctl_key_request q = request(pick % 3);
	enum ctl_type type = kind & 1 ? CTL_KEY_CREATE : CTL_KEY_UNWRAP;

	if (pick / 4 % 4 < CARDS)
		q.wrapped = made[pick / 4 % 4].wrapped;
	switch (field % 8) {
	case 0:
		q.sector_bytes ^= delta;
		break;
	case 1:
		q.payload_off ^= (uint64_t)delta << 12;
		break;
	case 2:
		q.size ^= (uint64_t)delta << 30;
		break;
	case 3:
		q.cipher[delta % 15] ^= 1;
		break;
	case 4:
		q.wrapped.b[delta % CTL_WRAPPED_MAX] ^= 0x40;
		break;
	case 5:
		q.wrapped.len = delta;
		break;
	default:
		break;
	}
	if (ctl_send(ends[channel], type, 7, &q, NULL, 0) < 0)
		return;
	turn();
	drain(channel, may(channel, type, &q));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	uint8_t channel, kind;
	int i;

	for (i = 0; i < CHANNELS; i++)
		open_channel(i);
	for (i = 0; i < STEPS_MAX && in.left; i++) {
		channel = rd_u8(&in) % CHANNELS;
		kind = rd_u8(&in);
		if (kind % 4 == 3)
			step_raw(channel, &in);
		else
			step_request(channel, kind, &in);
	}
	for (i = 0; i < CHANNELS; i++)
		close(ends[i]);
	turn();
	must(s.channel_cnt == 0);
	if (store_has(s.store, volumes[FORMAT]))
		must(store_remove(s.store, volumes[FORMAT]) == 0);
	must(store_volume_cnt(s.store) == CARDS && store_damaged_cnt(s.store) == 0);
	return 0;
}
