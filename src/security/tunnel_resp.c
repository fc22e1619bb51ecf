/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "security/tunnel_priv.h"

/* The host that answers: who gets an answer, REPLY, DONE. */

/* Keys for cookies, changed when they are old; the one before stays valid. */
static int cookie_keys(struct tunnel *t, uint64_t now_ns)
{
	uint64_t age = now_ns - t->cookie_born_ns;
	struct key *k = NULL;
	int r;

	if (t->cookie_key[0] && age < COOKIE_KEY_NS)
		return 0;
	r = key_new_random(HASH_SHA256_BYTES, &k);
	if (r < 0)
		return r;
	key_freep(&t->cookie_key[1]);
	if (t->cookie_key[0] && age < 2 * COOKIE_KEY_NS)
		t->cookie_key[1] = TAKE_PTR(t->cookie_key[0]);
	key_freep(&t->cookie_key[0]);
	t->cookie_key[0] = k;
	t->cookie_born_ns = now_ns;
	return 0;
}

static int cookie_make(const struct key *k, uint32_t peer, const uint8_t *init,
		       uint8_t ret[TUNNEL_COOKIE_BYTES])
{
	uint8_t text[4 + TUNNEL_INIT_FIXED_BYTES], mac[HASH_SHA256_BYTES];
	int r;

	le32_store(text, peer);
	memcpy(text + 4, init, TUNNEL_INIT_FIXED_BYTES);
	r = hash_hmac_sha256(k, text, sizeof(text), mac);
	if (r == 0)
		memcpy(ret, mac, TUNNEL_COOKIE_BYTES);
	return r;
}

/* Does the sender get what we send to the peer's address? Return: 1, 0, -errno. */
static int cookie_check(struct tunnel *t, const struct peer *p, const struct tunnel_msg *m,
			const uint8_t *b)
{
	uint8_t want[TUNNEL_COOKIE_BYTES];
	unsigned i;
	int r;

	for (i = 0; i < ARRAY_SIZE(t->cookie_key); i++) {
		if (!t->cookie_key[i])
			continue;
		r = cookie_make(t->cookie_key[i], p->id, b, want);
		if (r < 0)
			return r;
		if (mem_equal_ct(want, m->cookie, sizeof(want)))
			return 1;
	}
	return 0;
}

static int cookie_ask(struct tunnel *t, const struct peer *p, const struct tunnel_msg *init,
		      const uint8_t *b, struct tunnel_out *out)
{
	struct tunnel_msg m = { .type = TUNNEL_COOKIE };
	int r;

	r = cookie_make(t->cookie_key[0], p->id, b, m.cookie);
	if (r < 0)
		return r;
	memcpy(m.sid_i, init->sid_i, sizeof(m.sid_i));
	out_message(out, p->id, &m);
	return -EAGAIN;
}

static int refuse(const struct tunnel *t, const struct peer *p, const struct tunnel_msg *init,
		  enum tunnel_refusal why, struct tunnel_out *out)
{
	struct tunnel_msg m = { .type = TUNNEL_REFUSED, .number = why };

	memcpy(m.sid_i, init->sid_i, sizeof(m.sid_i));
	memcpy(m.fp_r, t->id.fingerprint, sizeof(m.fp_r));
	out_message(out, p->id, &m);
	return -EACCES;
}

/* May this INIT cost us something? Return: 0, -EAGAIN (a COOKIE may be on its way), -errno. */
static int admit(struct tunnel *t, struct peer *p, const struct tunnel_msg *m, const uint8_t *b,
		 uint64_t now_ns, struct tunnel_out *out)
{
	static const uint8_t none[TUNNEL_COOKIE_BYTES];
	int r;

	r = cookie_keys(t, now_ns);
	if (r == 0)
		r = cookie_check(t, p, m, b);
	if (r < 0)
		return r;
	if (r == 1 && bucket_take(&p->proved, 1, now_ns) == 0 &&
	    bucket_take(&t->proved, 1, now_ns) == 0)
		return 0;
	if (r == 1)
		return -EAGAIN;
	if (memcmp(m->cookie, none, sizeof(none)) != 0 || handshake_alive(&p->theirs, now_ns) ||
	    bucket_take(&p->plain, 1, now_ns) != 0 || bucket_take(&t->plain, 1, now_ns) != 0)
		return cookie_ask(t, p, m, b, out);
	return 0;
}

/* REPLY behind INIT in h->t, with the ephemeral keys whose public parts are in @m. */
static int reply_make(struct tunnel *t, const struct tunnel_msg *init, struct tunnel_msg *m,
		      struct handshake *h)
{
	CLEANUP(key_freep) struct key *x = NULL, *p = NULL;
	uint8_t b[TUNNEL_MSG_MAX], t2[HASH_SHA384_BYTES];
	int r;

	r = x25519_new(&x, m->x25519);
	if (r == 0)
		r = p384_new(&p, m->p384);
	if (r < 0)
		return r;
	transcript_add(&h->t, b, tunnel_msg_encode(m, b));
	r = transcript_hash(&h->t, TUNNEL_TAIL_SIGNATURE, t2);
	if (r == 0)
		r = tunnel_master(x, p, init, t2, &h->master);
	if (r == 0)
		r = tunnel_proof_make(&h->t, TUNNEL_REPLY, h->master, &t->id);
	return r;
}

/* A whole new handshake, on the side: the one that is there stays until this one is whole. */
static int respond(struct tunnel *t, struct peer *p, const struct tunnel_msg *init,
		   const uint8_t *b, uint64_t now_ns, struct handshake *ret)
{
	uint32_t last = init->number > p->epoch ? init->number : p->epoch;
	struct tunnel_msg m = { .type = TUNNEL_REPLY, .number = last + 1 };
	int r;

	if (last == UINT32_MAX)
		return -ERANGE;
	r = tunnel_random(m.sid_r, sizeof(m.sid_r));
	if (r < 0)
		return r;
	memcpy(m.sid_i, init->sid_i, sizeof(m.sid_i));
	memcpy(m.identity, t->id.pub, sizeof(m.identity));
	transcript_add(&ret->t, b, TUNNEL_INIT_FIXED_BYTES);
	r = reply_make(t, init, &m, ret);
	if (r < 0)
		return r;
	memcpy(ret->sid_i, m.sid_i, sizeof(ret->sid_i));
	memcpy(ret->sid_r, m.sid_r, sizeof(ret->sid_r));
	ret->epoch = m.number;
	ret->born_ns = now_ns;
	ret->out_len = TUNNEL_REPLY_BYTES;
	memcpy(ret->out, ret->t.b + ret->t.len - TUNNEL_REPLY_BYTES, TUNNEL_REPLY_BYTES);
	ret->state = HS_REPLY;
	return 0;
}

int responder_init(struct tunnel *t, struct peer *p, const struct tunnel_msg *m, const uint8_t *b,
		   uint64_t now_ns, struct tunnel_out *out)
{
	struct handshake fresh = { .state = HS_NONE };
	struct handshake *h = &p->theirs;
	int r;

	if (memcmp(m->fp_r, t->id.fingerprint, sizeof(m->fp_r)) != 0)
		return refuse(t, p, m, TUNNEL_ANOTHER_HOST, out);
	if (memcmp(m->fp_i, p->fp, sizeof(m->fp_i)) != 0)
		return refuse(t, p, m, TUNNEL_NOT_KNOWN, out);
	if (handshake_alive(&p->ours, now_ns) && peer_goes_first(t, p)) {
		if (p->ours.state == HS_INIT && now_ns - p->ours.sent_ns >= RESEND_NS)
			handshake_say(&p->ours, p->id, now_ns, out);
		return -EINPROGRESS;
	}
	if (handshake_alive(h, now_ns) && memcmp(h->t.b, b, TUNNEL_INIT_FIXED_BYTES) == 0) {
		if (h->state != HS_REPLY)
			return -ESTALE;
		handshake_say(h, p->id, now_ns, out);
		return 0;
	}
	r = admit(t, p, m, b, now_ns, out);
	if (r == 0)
		r = respond(t, p, m, b, now_ns, &fresh);
	if (r < 0) {
		handshake_wipe(&fresh);
		return r;
	}
	handshake_wipe(h);
	*h = fresh;
	handshake_say(h, p->id, now_ns, out);
	return 0;
}

/* Who sent this FINISH? *t ends with it. Return: 0 the peer, -errno. */
static int finish_check(const struct peer *p, const struct tunnel_msg *m,
			const struct transcript *t)
{
	uint8_t fp[TUNNEL_FINGERPRINT_BYTES];
	int r;

	r = tunnel_fingerprint(m->identity, fp);
	if (r < 0)
		return r;
	if (memcmp(fp, p->fp, sizeof(fp)) != 0)
		return -EACCES;
	return tunnel_proof_check(t, TUNNEL_FINISH, p->theirs.master, m->identity);
}

/* DONE into h->out; h->t keeps ending with FINISH. */
static int done_make(struct tunnel *t, struct handshake *h)
{
	struct tunnel_msg m = { .type = TUNNEL_DONE, .number = h->epoch };
	struct transcript tr = h->t;
	uint8_t b[TUNNEL_MSG_MAX];
	int r;

	memcpy(m.sid_i, h->sid_i, sizeof(m.sid_i));
	memcpy(m.sid_r, h->sid_r, sizeof(m.sid_r));
	transcript_add(&tr, b, tunnel_msg_encode(&m, b));
	r = tunnel_proof_make(&tr, TUNNEL_DONE, h->master, &t->id);
	if (r < 0)
		return r;
	h->out_len = TUNNEL_DONE_BYTES;
	memcpy(h->out, tr.b + tr.len - TUNNEL_DONE_BYTES, TUNNEL_DONE_BYTES);
	return 0;
}

/* It is the peer: an epoch begins. */
static int finish_take(struct tunnel *t, struct peer *p, const struct transcript *tr,
		       uint64_t now_ns)
{
	struct handshake *h = &p->theirs;
	int r;

	h->t = *tr;
	r = done_make(t, h);
	if (r == 0)
		r = session_take(p, h, false, now_ns);
	if (r < 0) {
		handshake_wipe(h);
		return r;
	}
	key_freep(&h->master);
	h->state = HS_DONE;
	handshake_wipe(&p->ours); /* what it was for has come */
	return 0;
}

int responder_finish(struct tunnel *t, struct peer *p, const struct tunnel_msg *m, const uint8_t *b,
		     size_t len, uint64_t now_ns, struct tunnel_out *out)
{
	struct handshake *h = &p->theirs;
	struct transcript tr;
	int r;

	if (!handshake_alive(h, now_ns) || memcmp(m->sid_i, h->sid_i, sizeof(h->sid_i)) != 0 ||
	    memcmp(m->sid_r, h->sid_r, sizeof(h->sid_r)) != 0 || h->bad_cnt >= BAD_MAX)
		return -ESTALE;
	if (h->state == HS_DONE) {
		if (memcmp(h->t.b + h->t.len - len, b, len) != 0)
			return -ESTALE;
		handshake_say(h, p->id, now_ns, out);
		return 0;
	}
	if (handshake_alive(&p->ours, now_ns) && peer_goes_first(t, p))
		return -EINPROGRESS;
	if (m->number != h->epoch || h->epoch <= p->epoch)
		return -ERANGE;
	tr = h->t;
	transcript_add(&tr, b, len);
	r = finish_check(p, m, &tr);
	if (r < 0) {
		h->bad_cnt++;
		return r;
	}
	r = finish_take(t, p, &tr, now_ns);
	if (r < 0)
		return r;
	handshake_say(h, p->id, now_ns, out);
	out_ready(out, p->id, p->epoch, 0, "");
	return 0;
}
