/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "security/tunnel_priv.h"

/* The host that begins: INIT, FINISH, and what it makes of REPLY, DONE, COOKIE and REFUSED. */

int initiator_begin(struct tunnel *t, struct peer *p, uint64_t now_ns)
{
	struct tunnel_msg m = { .type = TUNNEL_INIT, .number = p->epoch };
	struct handshake *h = &p->ours;
	int r;

	handshake_wipe(h);
	r = tunnel_random(m.sid_i, sizeof(m.sid_i));
	if (r == 0)
		r = x25519_new(&h->x25519, m.x25519);
	if (r == 0)
		r = p384_new(&h->p384, m.p384);
	if (r < 0) {
		handshake_wipe(h);
		return r;
	}
	memcpy(m.fp_i, t->id.fingerprint, sizeof(m.fp_i));
	memcpy(m.fp_r, p->fp, sizeof(m.fp_r));
	memcpy(h->sid_i, m.sid_i, sizeof(h->sid_i));
	h->out_len = tunnel_msg_encode(&m, h->out);
	transcript_add(&h->t, h->out, TUNNEL_INIT_FIXED_BYTES);
	h->born_ns = now_ns;
	h->state = HS_INIT;
	return 0;
}

/* Is @m for our handshake, which stands at @state? */
static bool is_ours(struct peer *p, enum handshake_state state, const struct tunnel_msg *m,
		    uint64_t now_ns)
{
	struct handshake *h = &p->ours;

	return handshake_alive(h, now_ns) && h->state == state &&
	       memcmp(m->sid_i, h->sid_i, sizeof(h->sid_i)) == 0;
}

/* Who sent this REPLY? Return: 0 the peer, and *ret_master (owned), *t ends with REPLY; -errno. */
static int reply_check(const struct peer *p, const struct tunnel_msg *m, const uint8_t *b,
		       size_t len, struct transcript *t, struct key **ret_master)
{
	CLEANUP(key_freep) struct key *master = NULL;
	uint8_t fp[TUNNEL_FINGERPRINT_BYTES], t2[HASH_SHA384_BYTES];
	int r;

	if (m->number <= p->epoch)
		return -ERANGE;
	r = tunnel_fingerprint(m->identity, fp);
	if (r < 0)
		return r;
	if (memcmp(fp, p->fp, sizeof(fp)) != 0)
		return -EACCES;
	*t = p->ours.t;
	transcript_add(t, b, len);
	r = transcript_hash(t, TUNNEL_TAIL_SIGNATURE, t2);
	if (r == 0)
		r = tunnel_master(p->ours.x25519, p->ours.p384, m, t2, &master);
	if (r == 0)
		r = tunnel_proof_check(t, TUNNEL_REPLY, master, m->identity);
	if (r < 0)
		return r;
	*ret_master = TAKE_PTR(master);
	return 0;
}

/* FINISH behind REPLY in @t. */
static int finish_make(struct tunnel *t, const struct tunnel_msg *reply, const struct key *master,
		       struct transcript *tr)
{
	struct tunnel_msg m = { .type = TUNNEL_FINISH, .number = reply->number };
	uint8_t b[TUNNEL_MSG_MAX];

	memcpy(m.sid_i, reply->sid_i, sizeof(m.sid_i));
	memcpy(m.sid_r, reply->sid_r, sizeof(m.sid_r));
	memcpy(m.identity, t->id.pub, sizeof(m.identity));
	transcript_add(tr, b, tunnel_msg_encode(&m, b));
	return tunnel_proof_make(tr, TUNNEL_FINISH, master, &t->id);
}

int initiator_reply(struct tunnel *t, struct peer *p, const struct tunnel_msg *m, const uint8_t *b,
		    size_t len, uint64_t now_ns, struct tunnel_out *out)
{
	CLEANUP(key_freep) struct key *master = NULL;
	struct handshake *h = &p->ours;
	struct transcript tr;
	int r;

	if (!is_ours(p, HS_INIT, m, now_ns) || h->bad_cnt >= BAD_MAX)
		return -ESTALE;
	r = reply_check(p, m, b, len, &tr, &master);
	if (r < 0) {
		h->bad_cnt++;
		return r;
	}
	r = finish_make(t, m, master, &tr);
	if (r < 0)
		return r;
	key_freep(&h->x25519);
	key_freep(&h->p384);
	h->master = TAKE_PTR(master);
	h->t = tr;
	h->epoch = m->number;
	memcpy(h->sid_r, m->sid_r, sizeof(h->sid_r));
	h->out_len = TUNNEL_FINISH_BYTES;
	memcpy(h->out, tr.b + tr.len - TUNNEL_FINISH_BYTES, TUNNEL_FINISH_BYTES);
	h->state = HS_FINISH;
	handshake_say(h, p->id, now_ns, out);
	return 0;
}

int initiator_done(struct peer *p, const struct tunnel_msg *m, const uint8_t *b, size_t len,
		   uint64_t now_ns, struct tunnel_out *out)
{
	struct handshake *h = &p->ours;
	struct transcript tr;
	int r;

	if (!is_ours(p, HS_FINISH, m, now_ns) || memcmp(m->sid_r, h->sid_r, sizeof(h->sid_r)) != 0)
		return -ESTALE;
	if (m->number != h->epoch || h->epoch <= p->epoch)
		return -ERANGE;
	tr = h->t;
	transcript_add(&tr, b, len);
	r = tunnel_proof_check(&tr, TUNNEL_DONE, h->master, NULL);
	if (r == 0)
		r = session_take(p, h, true, now_ns);
	if (r < 0)
		return r;
	handshake_wipe(h);
	out_ready(out, p->id, p->epoch, 0, "");
	return 0;
}

int initiator_cookie(struct peer *p, const struct tunnel_msg *m, uint64_t now_ns,
		     struct tunnel_out *out)
{
	struct handshake *h = &p->ours;

	if (!is_ours(p, HS_INIT, m, now_ns) || h->cookie_cnt >= COOKIES_MAX)
		return -ESTALE;
	h->cookie_cnt++;
	memcpy(h->out + TUNNEL_INIT_FIXED_BYTES, m->cookie, sizeof(m->cookie));
	handshake_say(h, p->id, now_ns, out);
	return 0;
}

int initiator_refused(struct peer *p, const struct tunnel_msg *m, uint64_t now_ns,
		      struct tunnel_out *out)
{
	/* Nobody vouches for this message: it is told to a person, and changes nothing. */
	if (!is_ours(p, HS_INIT, m, now_ns) || p->told)
		return -ESTALE;
	p->told = true;
	out_ready(out, p->id, 0, -EACCES,
		  m->number == TUNNEL_ANOTHER_HOST
			  ? "the host at that address has another fingerprint: compare it with "
			    "'niter host status' there"
			  : "the host at that address does not know this one by its address and "
			    "fingerprint: add it there");
	return 0;
}
