/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What niter-security answers: the launcher's messages, and the requests on channels: key channels of cards and
 * format jobs, the wire's (channel_tunnel.h), those of metadata processes (channel_sign.h), and niterd's (channel_keys.h).
 *
 * A key channel is a grant with a wire: the launcher says for whom and for which volumes it is good before the card
 * holds its end. What comes on it can only ask for these. A refusal is answered, logged and counted; a channel that
 * is refused CHANNEL_REFUSED_MAX times, speaks another protocol or does not read its answers is closed. Nobody else
 * notices.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bucket.h"
#include "base/loop.h"
#include "keys/keys.h"
#include "proto/control.h"
#include "security/identity.h"
#include "security/kms_store.h"
#include "security/release_log.h"
#include "security/root.h"
#include "security/store.h"
#include "security/tree.h"
#include "security/tunnel.h"

enum {
	CHANNELS_MAX =
		960, /* two an instance, one a format job, the wire's, niterd's; the launcher grants 1024 descriptors */
	CHANNEL_GRANTS_MAX = 32,   /* volumes of one instance: its hot-plug slots and some */
	CHANNEL_REFUSED_MAX = 8,   /* refusals before it is closed */
	CHANNEL_RELEASES_MAX = 8,  /* times the key of one volume goes over one channel */
	CHANNEL_MSGS_PER_WAKE = 8, /* then others have their turn */
	CHANNEL_SIGN_BURST = 16,   /* documents, then ... */
	CHANNEL_SIGN_RATE = 1,     /* ... one a second */
};

enum service_ref_type { SERVICE_REF_CONTROL, SERVICE_REF_CHANNEL };

struct grant {
	char volume[TREE_ID_MAX];
	unsigned release_cnt;
	bool has_kms; /* a format job's: wrap under this KMS key, too */
	uint8_t kms_id[KMS_ID_BYTES];
};

struct channel {
	struct loop_ref ref;
	struct channel *next;
	int fd; /* owned; -1: closed, freed after this wake */
	enum ctl_key_purpose purpose;
	char account[TREE_ID_MAX], instance[TREE_ID_MAX];
	struct grant grant[CHANNEL_GRANTS_MAX];
	unsigned grant_cnt, refused_cnt;
	struct bucket rate; /* of a metadata process */
};

/* A message that must not be lost, and for which the wire's channel has no room: nothing is read there meanwhile. */
struct late {
	enum ctl_type type; /* 0: none */
	uint32_t seq;
	union {
		struct ctl_tun_ready ready;
		struct ctl_tun_key key;
	} u; /* wiped after use */
};

struct service {
	struct loop *loop; /* borrowed */
	bool configured, has_root, lab;
	char tpm_kind[CTL_NAME_MAX];
	struct root_refusal refusal; /* why there is no root key */
	int refusal_err;
	struct tree tree;
	struct store *store;
	struct kms_store *kms_store; /* NULL: it could not be opened; everything else goes on */
	struct keys keys;
	struct release_log log;
	struct channel *channels;
	unsigned channel_cnt;
	bool has_identity;
	struct root_refusal identity_refusal; /* why not */
	struct identity identity;
	struct channel *wire;              /* the one of CTL_KEY_FOR_WIRE, if it is open */
	struct channel *niterd;            /* the one of CTL_KEY_FOR_NITERD, if it is open */
	struct tunnel *tunnel;             /* as long as @wire is */
	struct late late;                  /* to @wire */
	uint32_t release_cnt, refused_cnt; /* since start */
	struct ctl_msg msg;                /* the one being handled: too large for the stack */
	struct ctl_key_data answer;        /* wiped after use */
	struct ctl_tun_key tun_key;        /* wiped after use */
	struct keys_answer keys_answer;    /* wiped after use */
	struct ctl_signed signed_doc;
	struct tunnel_out tunnel_out;
};

/* service_init(): no root key yet. */
void service_init(struct service *s, struct loop *loop);
void service_done(struct service *s);

/* service_start(): store and log below @dir, under @root (the caller's). Return: 0; else s->refusal says why. */
MUST_USE int service_start(struct service *s, int dir, const struct key *root);

/**
 * service_control() - one message from the launcher
 * Return: 1 handled, 0 the launcher is gone, -errno: the program ends.
 */
MUST_USE int service_control(struct service *s, int sock);

/* service_channel(): a key channel is readable or gone. */
void service_channel(struct service *s, struct channel *c);

/* service_timer(): does what is due. Return: milliseconds until it is to be called again, -1: never. */
int service_timer(struct service *s);

/* service_reap(): frees closed channels; after all events of one wake. */
void service_reap(struct service *s);
