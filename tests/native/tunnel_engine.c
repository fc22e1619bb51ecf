/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel_engine.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/ecdh.h"
#include "security/tunnel.h"

struct tunnel_engine {
	struct key *key;
	struct tunnel_identity id;
	struct tunnel *t;
	struct tunnel_out out;
	struct ctl_tun_key answer;
	struct ctl_msg msg;
	int fd;
	unsigned lose, keys, refused;
	uint32_t chance;
};

struct tunnel_engine *tunnel_engine_new(void)
{
	struct tunnel_engine *e = calloc(1, sizeof(*e));
	uint8_t pub[P384_PUBLIC_BYTES];

	must(e && p384_new(&e->key, pub) == 0 && tunnel_identity_init(&e->id, e->key) == 0);
	e->fd = -1;
	e->chance = 1;
	tunnel_engine_boot(e);
	return e;
}

void tunnel_engine_boot(struct tunnel_engine *e)
{
	tunnel_freep(&e->t);
	must(tunnel_new(&e->id, &e->t) == 0);
}

void tunnel_engine_free(struct tunnel_engine *e)
{
	tunnel_freep(&e->t);
	key_freep(&e->key);
	free(e);
}

const uint8_t *tunnel_engine_fingerprint(const struct tunnel_engine *e)
{
	return e->id.fingerprint;
}

void tunnel_engine_attach(struct tunnel_engine *e, int fd)
{
	e->fd = fd;
}

void tunnel_engine_lose(struct tunnel_engine *e, unsigned per_cent)
{
	e->lose = per_cent;
}

unsigned tunnel_engine_keys(const struct tunnel_engine *e)
{
	return e->keys;
}

unsigned tunnel_engine_refused(const struct tunnel_engine *e)
{
	return e->refused;
}

static bool lost(struct tunnel_engine *e)
{
	e->chance = e->chance * 1664525 + 1013904223;
	return (e->chance >> 8) % 100 < e->lose;
}

static void out_send(struct tunnel_engine *e)
{
	if (e->out.has_ready)
		must(ctl_send(e->fd, CTL_TUN_READY, 0, &e->out.ready, NULL, 0) == 0);
	if (e->out.has_message && !lost(e))
		must(ctl_send(e->fd, CTL_TUN_MESSAGE, 0, &e->out.message, NULL, 0) == 0);
}

static void key_read(struct tunnel_engine *e)
{
	if (tunnel_key(e->t, &e->msg.u.tun_key_read, &e->answer) == 0)
		e->keys++;
	else
		e->refused++;
	must(ctl_send(e->fd, CTL_TUN_KEY, e->msg.seq, &e->answer, NULL, 0) == 0);
}

bool tunnel_engine_step(struct tunnel_engine *e, uint64_t now_ns)
{
	struct ctl_msg *m = &e->msg;
	bool did = false;

	(void)tunnel_expire(e->t, now_ns);
	while (ctl_recv(e->fd, m) == 1) {
		did = true;
		memset(&e->out, 0, sizeof(e->out));
		if (m->type == CTL_TUN_KEY_READ)
			key_read(e);
		else if (m->type == CTL_TUN_START)
			(void)!tunnel_start(e->t, m->u.tun_peer_ref.peer, now_ns, &e->out);
		else if (m->type == CTL_TUN_PEER_SET)
			(void)!tunnel_peer_set(e->t, &m->u.tun_peer, now_ns, &e->out);
		else if (m->type == CTL_TUN_MESSAGE && !lost(e))
			(void)!tunnel_message(e->t, &m->u.tun_message, now_ns, &e->out);
		out_send(e);
		ctl_msg_done(m);
	}
	return did;
}
