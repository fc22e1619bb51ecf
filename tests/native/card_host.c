/* SPDX-License-Identifier: Apache-2.0 */

#include "card_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "jailed_program.h"
#include "volume/volume.h"

enum { ANSWER_MS = 20000 };

int card_host_start(struct card_host *h, const char *program, const char *const *env)
{
	CLEANUP(fd_closep) int theirs = -1, key = -1;
	struct ctl_card_config conf = { .instance_id = "i-0123456789abcdef0" };
	int r;

	memset(h, 0, sizeof(*h));
	h->ctl = h->key = -1;
	r = fd_socketpair(SOCK_SEQPACKET, &h->ctl, &theirs);
	if (r == 0)
		r = fd_socketpair(SOCK_SEQPACKET, &h->key, &key);
	if (r == 0)
		r = jailed_start(program, "niter-storage-card", 201001, theirs, env, &h->pid);
	if (r < 0)
		return r;
	return ctl_send(h->ctl, CTL_CARD_CONFIG, 0, &conf, &key, 1);
}

int card_host_stop(struct card_host *h)
{
	ctl_msg_done(&h->msg);
	fd_closep(&h->ctl);
	fd_closep(&h->key);
	return jailed_wait(&h->pid);
}

void card_host_kill(struct card_host *h)
{
	if (h->pid > 0)
		(void)kill(h->pid, SIGKILL);
	(void)card_host_stop(h);
}

int card_volume_new(struct card_volume *v, const char *path, const char *id, uint64_t size)
{
	struct vol_params p = { .size = size, .wrapped_len = 4, .wrapped = "wrap" };
	struct vol_backing *b;
	int fd, r;

	memset(v, 0, sizeof(*v));
	(void)snprintf(v->path, sizeof(v->path), "%s", path);
	(void)snprintf(v->id, sizeof(v->id), "%s", id);
	v->size = size;
	(void)snprintf(p.volume_id, sizeof(p.volume_id), "%s", id);
	(void)snprintf(p.key_id, sizeof(p.key_id), "key-test");

	r = key_new_random(CTL_KEY_BYTES, &v->key);
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = vol_backing_file_new(fd, 4, &b);
	if (r < 0)
		return r;
	r = vol_create(b, &p, v->key);
	vol_backing_free(b);
	return r;
}

void card_volume_free(struct card_volume *v)
{
	key_freep(&v->key);
	if (v->path[0])
		(void)unlink(v->path);
	v->path[0] = '\0';
}

static int answer_wait(int fd, struct ctl_msg *m)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	if (poll(&p, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	ctl_msg_done(m);
	r = ctl_recv(fd, m);
	return r == 0 ? -ECONNRESET : r;
}

/* Plays niter-security for one request. */
static int key_serve(struct card_host *h, const struct card_volume *v, enum card_key_answer answer)
{
	struct ctl_key_data data = { .err = answer == CARD_KEY_REFUSED ? -EACCES : 0 };
	int r;

	r = answer_wait(h->key, &h->msg);
	if (r < 0)
		return r;
	if (h->msg.type != CTL_KEY_UNWRAP || strcmp(h->msg.u.key_request.volume_id, v->id) != 0 ||
	    h->msg.u.key_request.size != v->size || h->msg.u.key_request.sector_bytes != 4096 ||
	    strcmp(h->msg.u.key_request.cipher, "aes-xts-plain64") != 0)
		return -EPROTO;

	if (answer == CARD_KEY_HANGUP) {
		fd_closep(&h->key);
		return 0;
	}
	memcpy(data.volume_id, v->id, sizeof(data.volume_id));
	if (answer == CARD_KEY_REFUSED) {
		(void)snprintf(data.text, sizeof(data.text), "no grant for this volume");
	} else {
		data.key.len = CTL_KEY_BYTES;
		memcpy(data.key.b, key_bytes(v->key), CTL_KEY_BYTES);
		data.key.b[7] ^= answer == CARD_KEY_WRONG;
	}
	return ctl_send(h->key, CTL_KEY_DATA, h->msg.seq, &data, NULL, 0);
}

int card_host_attach(struct card_host *h, const struct card_volume *v, bool read_only, int backing,
		     enum card_key_answer answer, int *ret_sock)
{
	CLEANUP(fd_closep) int file = -1, ours = -1, theirs = -1;
	struct ctl_card_volume_add add = { .device_name = "/dev/sdf", .read_only = read_only };
	struct pollfd p[2] = { { .fd = h->ctl, .events = POLLIN },
			       { .fd = h->key, .events = POLLIN } };
	int r, fds[2];

	file = backing >= 0 ? dup(backing)
			    : open(v->path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (file < 0)
		return -errno;
	r = fd_socketpair(SOCK_STREAM, &ours, &theirs);
	if (r < 0)
		return r;
	memcpy(add.volume_id, v->id, sizeof(add.volume_id));
	fds[0] = file;
	fds[1] = theirs;
	r = ctl_send(h->ctl, CTL_CARD_VOLUME_ADD, ++h->seq, &add, fds, 2);
	if (r < 0)
		return r;

	/* Either it asks for the key or it has refused already. */
	if (poll(p, 2, ANSWER_MS) < 1)
		return -ETIMEDOUT;
	if (!(p[0].revents & POLLIN)) {
		r = key_serve(h, v, answer);
		if (r < 0)
			return r;
	}
	r = answer_wait(h->ctl, &h->msg);
	if (r < 0)
		return r;
	if (h->msg.type != CTL_ACK || h->msg.seq != h->seq)
		return -EPROTO;
	if (h->msg.u.ack.err == 0)
		*ret_sock = TAKE_FD(ours);
	return h->msg.u.ack.err;
}
