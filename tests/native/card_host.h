/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The world around a niter-storage-card, for tests and measurements: starts the real program (in its real jail when
 * we are root), makes volumes, and plays launcher and niter-security on its two sockets.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "proto/control.h"

struct card_host {
	pid_t pid;
	int ctl; /* our end of the control socket */
	int key; /* our end of the key channel */
	uint32_t seq;
	struct ctl_msg msg; /* the last answer */
};

/* A volume file and its key. */
struct card_volume {
	char path[256];
	char id[CTL_ID_MAX];
	uint64_t size;
	struct key *key;
};

/**
 * card_host_start() - start @program and configure it
 * @env: NAME=VALUE strings, ends with NULL; may be NULL
 * Return: 0, -errno.
 */
MUST_USE int card_host_start(struct card_host *h, const char *program, const char *const *env);
/* card_host_stop(): closes the control socket. Return: the program's exit status, or -signal. */
int card_host_stop(struct card_host *h);
/* card_host_kill(): SIGKILL, at once. */
void card_host_kill(struct card_host *h);

/* card_volume_new(): a fresh container at @path. Return: 0, -errno. */
MUST_USE int card_volume_new(struct card_volume *v, const char *path, const char *id,
			     uint64_t size);
/* card_volume_free(): forgets the key and removes the file. */
void card_volume_free(struct card_volume *v);

enum card_key_answer { CARD_KEY_RIGHT, CARD_KEY_WRONG, CARD_KEY_REFUSED, CARD_KEY_HANGUP };

/**
 * card_host_attach() - CTL_CARD_VOLUME_ADD and everything behind it
 * @fd:       descriptor to send as backing, or -1 to open v->path
 * @ret_sock: our end of the vfio-user socket, owned; only on success
 * Return: 0, or what the card's answer says (-errno; the line is in h->msg.u.ack.text).
 */
MUST_USE int card_host_attach(struct card_host *h, const struct card_volume *v, bool read_only,
			      int fd, enum card_key_answer answer, int *ret_sock);
