/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Inside tunnel.c, tunnel_init.c (who begins) and tunnel_resp.c (who answers). */

#include "base/bucket.h"
#include "security/tunnel.h"

#define TUNNEL_S 1000000000ULL
#define HANDSHAKE_NS (10 * TUNNEL_S)
#define RESEND_NS (TUNNEL_S / 5)
#define SESSION_OVERLAP_NS (60 * TUNNEL_S)
#define COOKIE_KEY_NS (120 * TUNNEL_S)

enum {
	BAD_MAX = 8,     /* wrong REPLYs or FINISHes before a handshake is deaf */
	COOKIES_MAX = 2, /* taken for one TUN_START */
	SESSIONS = 2,
};

/*
 * NONE    nothing; all else is zero
 * INIT    we began: INIT is in @out, ephemeral keys are there. REPLY moves on
 * FINISH  we began: FINISH is in @out, master is there. DONE ends it
 * REPLY   the peer began: REPLY is in @out, master is there. FINISH moves on
 * DONE    the peer began and all is done: DONE is in @out, to be said again. No keys
 */
enum handshake_state { HS_NONE, HS_INIT, HS_FINISH, HS_REPLY, HS_DONE };

struct handshake {
	enum handshake_state state;
	uint64_t born_ns, sent_ns;
	unsigned bad_cnt, cookie_cnt;
	uint32_t epoch; /* known from REPLY on */
	uint8_t sid_i[TUNNEL_SID_BYTES], sid_r[TUNNEL_SID_BYTES];
	struct key *x25519, *p384, *master;
	struct transcript t;
	uint8_t out[TUNNEL_MSG_MAX]; /* our last message */
	size_t out_len;
};

struct session {
	uint32_t epoch; /* 0: none */
	bool initiator;
	uint64_t born_ns;
	struct key *secret;
	uint32_t *vni; /* whose keys were given out */
	unsigned vni_cnt, vni_cap;
};

struct peer {
	struct peer *next;
	uint32_t id;
	uint8_t fp[TUNNEL_FINGERPRINT_BYTES];
	struct handshake ours, theirs;    /* who began */
	struct session session[SESSIONS]; /* newest first */
	uint32_t epoch;                   /* the last one */
	bool told;                        /* a refusal, since the last TUN_START */
	struct bucket plain, proved;      /* INITs without and with cookie */
};

struct tunnel {
	struct tunnel_identity id;
	struct peer *peers;
	unsigned peer_cnt;
	struct bucket plain, proved; /* INITs without and with cookie, of all peers */
	struct key *cookie_key[2];
	uint64_t cookie_born_ns;
};

void handshake_wipe(struct handshake *h);
/* handshake_alive(): is there one? One that is too old is wiped. */
bool handshake_alive(struct handshake *h, uint64_t now_ns);
/* handshake_say(): @h's last message goes out. */
void handshake_say(struct handshake *h, uint32_t peer, uint64_t now_ns, struct tunnel_out *out);
/* out_message(): a message of no handshake. */
void out_message(struct tunnel_out *out, uint32_t peer, const struct tunnel_msg *m);
void out_ready(struct tunnel_out *out, uint32_t peer, uint32_t epoch, int err, const char *text);

/* peer_goes_first(): of two handshakes begun at once, is ours the one that counts? */
bool peer_goes_first(const struct tunnel *t, const struct peer *p);

/**
 * session_take() - a finished handshake becomes the newest epoch
 * @h: its transcript ends with FINISH, its master is used
 */
MUST_USE int session_take(struct peer *p, struct handshake *h, bool initiator, uint64_t now_ns);

/* As initiator. Arguments and results as tunnel_message(). */
MUST_USE int initiator_begin(struct tunnel *t, struct peer *p, uint64_t now_ns);
MUST_USE int initiator_reply(struct tunnel *t, struct peer *p, const struct tunnel_msg *m,
			     const uint8_t *b, size_t len, uint64_t now_ns, struct tunnel_out *out);
MUST_USE int initiator_done(struct peer *p, const struct tunnel_msg *m, const uint8_t *b,
			    size_t len, uint64_t now_ns, struct tunnel_out *out);
MUST_USE int initiator_cookie(struct peer *p, const struct tunnel_msg *m, uint64_t now_ns,
			      struct tunnel_out *out);
MUST_USE int initiator_refused(struct peer *p, const struct tunnel_msg *m, uint64_t now_ns,
			       struct tunnel_out *out);

/* As responder. */
MUST_USE int responder_init(struct tunnel *t, struct peer *p, const struct tunnel_msg *m,
			    const uint8_t *b, uint64_t now_ns, struct tunnel_out *out);
MUST_USE int responder_finish(struct tunnel *t, struct peer *p, const struct tunnel_msg *m,
			      const uint8_t *b, size_t len, uint64_t now_ns,
			      struct tunnel_out *out);
