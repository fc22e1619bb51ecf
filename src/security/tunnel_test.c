/* SPDX-License-Identifier: Apache-2.0 */
#include "security/tunnel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "security/tunnel_test.h"

/* Messages of one handshake, in order. */
static struct ctl_bytes_tunnel m1, m2, m3, m4, answer;

static int setup(void **state)
{
	(void)state;
	now_ns = 1000 * TUNNEL_S;
	host_boot(&a);
	host_boot(&b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tunnel_freep(&a.t);
	tunnel_freep(&b.t);
	return 0;
}

static void later(uint64_t seconds)
{
	now_ns += seconds * TUNNEL_S;
}

/* @i begins, @r answers, perhaps after a cookie; nothing is lost. */
static void run(struct host *i, struct host *r)
{
	int ret;

	assert_int_equal(host_start(i, &m1), 0);
	assert_int_equal(m1.len, TUNNEL_INIT_BYTES);
	ret = host_hear(r, &m1, &m2);
	if (ret == -EAGAIN) {
		assert_int_equal(m2.len, TUNNEL_COOKIE_MSG_BYTES);
		assert_int_equal(host_hear(i, &m2, &m1), 0);
		ret = host_hear(r, &m1, &m2);
	}
	assert_int_equal(ret, 0);
	assert_int_equal(m2.len, TUNNEL_REPLY_BYTES);
	assert_int_equal(host_hear(i, &m2, &m3), 0);
	assert_int_equal(m3.len, TUNNEL_FINISH_BYTES);
	assert_int_equal(host_hear(r, &m3, &m4), 0);
	assert_int_equal(m4.len, TUNNEL_DONE_BYTES);
	assert_int_equal(host_hear(i, &m4, &answer), 0);
	assert_int_equal(answer.len, 0);
}

/* Both have @epoch, with mirrored keys. */
static void assert_joined(uint32_t epoch, uint32_t vni)
{
	struct ctl_tun_key ka = host_key(&a, epoch, vni), kb = host_key(&b, epoch, vni);

	assert_int_equal(ka.err, 0);
	assert_int_equal(kb.err, 0);
	assert_memory_equal(&ka.tx, &kb.rx, sizeof(ka.tx));
	assert_memory_equal(&ka.rx, &kb.tx, sizeof(ka.rx));
	assert_memory_not_equal(ka.tx.key, ka.rx.key, sizeof(ka.tx.key));
	assert_true(ka.tx.spi >= 256 && ka.rx.spi >= 256);
}

static void tunnel__gives_both_hosts_the_same_keys(void **state)
{
	struct ctl_tun_key k, other_vni, other_epoch;

	(void)state;
	run(&a, &b);
	assert_int_equal(a.epoch, 1);
	assert_int_equal(b.epoch, 1);
	assert_int_equal(a.ready_cnt + b.ready_cnt, 2);
	assert_joined(1, 0x1001);
	k = host_key(&a, 1, 0x1002);
	other_vni = host_key(&a, 1, 0x1003);
	assert_memory_not_equal(k.tx.key, other_vni.tx.key, sizeof(k.tx.key));
	run(&b, &a);
	assert_int_equal(a.epoch, 2);
	assert_int_equal(b.epoch, 2);
	assert_joined(2, 0x1001);
	other_epoch = host_key(&a, 2, 0x1002);
	assert_memory_not_equal(k.tx.key, other_epoch.tx.key, sizeof(k.tx.key));
	assert_joined(1, 0xffffff); /* the older one is still there */
}

static void tunnel__recovers_from_every_lost_message(void **state)
{
	int lost;

	for (lost = 1; lost <= 4; lost++) {
		setup(state);
		assert_int_equal(host_start(&a, &m1), 0);
		if (lost > 1)
			assert_int_equal(host_hear(&b, &m1, &m2), 0);
		if (lost > 2)
			assert_int_equal(host_hear(&a, &m2, &m3), 0);
		if (lost > 3)
			assert_int_equal(host_hear(&b, &m3, &m4), 0);
		assert_int_equal(a.ready_cnt, 0);
		/* The wire of the one that began asks again: the last message comes again, not a new one. */
		assert_int_equal(host_start(&a, &answer), 0);
		assert_int_equal(answer.len, 0); /* too soon */
		later(1);
		assert_int_equal(host_start(&a, &answer), 0);
		assert_memory_equal(answer.b, lost > 2 ? m3.b : m1.b, answer.len);
		if (lost <= 2) {
			assert_int_equal(host_hear(&b, &answer, &m2), 0);
			assert_int_equal(host_hear(&a, &m2, &answer), 0);
		}
		assert_int_equal(answer.len, TUNNEL_FINISH_BYTES);
		assert_int_equal(host_hear(&b, &answer, &m4), 0);
		assert_int_equal(host_hear(&a, &m4, &answer), 0);
		assert_int_equal(a.ready_cnt, 1);
		assert_int_equal(b.ready_cnt, 1);
		assert_joined(1, 0x1001);
		teardown(state);
	}
}

static void tunnel__takes_doubled_messages_once(void **state)
{
	struct ctl_bytes_tunnel again;

	(void)state;
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), 0);
	assert_int_equal(host_hear(&b, &m1, &again), 0);
	assert_memory_equal(&again, &m2, sizeof(again)); /* said again, not made again */
	assert_int_equal(host_hear(&a, &m2, &m3), 0);
	assert_int_equal(host_hear(&a, &m2, &again), -ESTALE);
	assert_int_equal(host_hear(&b, &m3, &m4), 0);
	assert_int_equal(host_hear(&b, &m3, &again), 0);
	assert_memory_equal(&again, &m4, sizeof(again));
	assert_int_equal(host_hear(&a, &m4, &again), 0);
	assert_int_equal(host_hear(&a, &m4, &again), -ESTALE);
	assert_int_equal(host_hear(&b, &m1, &again), -ESTALE);
	assert_int_equal(a.ready_cnt, 1);
	assert_int_equal(b.ready_cnt, 1);
	assert_joined(1, 0x1001);
}

/* A whole recorded handshake, played to both in every state of the next one. */
static void tunnel__is_not_moved_by_an_old_handshake(void **state)
{
	static struct ctl_bytes_tunnel old[4];
	struct ctl_bytes_tunnel *const steps[] = { &m1, &m2, &m3, &m4 };
	unsigned i, k;
	int r;

	(void)state;
	run(&a, &b);
	for (i = 0; i < 4; i++)
		old[i] = *steps[i];
	later(20); /* forgotten by both */
	for (k = 0; k <= 4; k++) {
		for (i = 0; i < 4; i++) {
			r = host_hear(&a, &old[i], &answer);
			/* b's own INIT, played back to a: refused by its fingerprints. */
			assert_true(r == (i == 0 ? -EACCES : -ESTALE));
			r = host_hear(&b, &old[i], &answer);
			if (i)
				assert_int_equal(r, -ESTALE);
		}
		assert_int_equal(a.ready_cnt, 1 + (k > 4));
		if (k == 0)
			assert_int_equal(host_start(&a, &m1), 0);
		if (k == 1) {
			/* The old INIT holds b's one place: a cookie gets past it. */
			assert_int_equal(host_hear(&b, &m1, &answer), -EAGAIN);
			assert_int_equal(answer.len, TUNNEL_COOKIE_MSG_BYTES);
			assert_int_equal(host_hear(&a, &answer, &m1), 0);
			assert_int_equal(host_hear(&b, &m1, &m2), 0);
		}
		if (k == 2)
			assert_int_equal(host_hear(&a, &m2, &m3), 0);
		if (k == 3)
			assert_int_equal(host_hear(&b, &m3, &m4), 0);
		if (k == 4)
			assert_int_equal(host_hear(&a, &m4, &answer), 0);
	}
	assert_int_equal(a.epoch, 2);
	assert_int_equal(b.epoch, 2);
	assert_joined(2, 0x1001);
}

static void flip(struct ctl_bytes_tunnel *m, size_t bit)
{
	m->b[bit / 8] ^= (uint8_t)(1U << bit % 8);
}

/* @good with each bit flipped is dropped by @h; afterwards the good one is taken. */
static void each_flip(struct host *h, const struct ctl_bytes_tunnel *good, struct handshake *hs)
{
	struct ctl_bytes_tunnel bad;
	size_t bit;
	unsigned cnt = h->ready_cnt;

	for (bit = 0; bit < good->len * 8U; bit++) {
		bad = *good;
		flip(&bad, bit);
		assert_true(host_hear(h, &bad, &answer) < 0);
		hs->bad_cnt = 0;
	}
	assert_int_equal(h->ready_cnt, cnt);
}

static void tunnel__drops_every_flipped_bit_of_reply_finish_and_done(void **state)
{
	(void)state;
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), 0);
	each_flip(&a, &m2, &a.t->peers->ours);
	assert_int_equal(host_hear(&a, &m2, &m3), 0);
	each_flip(&b, &m3, &b.t->peers->theirs);
	assert_int_equal(host_hear(&b, &m3, &m4), 0);
	each_flip(&a, &m4, &a.t->peers->ours);
	assert_int_equal(host_hear(&a, &m4, &answer), 0);
	assert_joined(1, 0x1001);
}

/* A changed INIT may be answered, but the answer is worth nothing to whoever sent the unchanged one. */
static void tunnel__never_completes_over_a_flipped_init(void **state)
{
	struct ctl_bytes_tunnel bad;
	unsigned answered = 0;
	size_t bit;
	int r;

	(void)state;
	assert_int_equal(host_start(&a, &m1), 0);
	for (bit = 0; bit < TUNNEL_INIT_BYTES * 8U; bit++) {
		bad = m1;
		flip(&bad, bit);
		handshake_wipe(&b.t->peers->theirs);
		bucket_init(&b.t->peers->plain, 1, 4, now_ns);
		bucket_init(&b.t->plain, 1, 4, now_ns);
		r = host_hear(&b, &bad, &m2);
		if (r < 0)
			continue;
		answered++;
		assert_int_equal(m2.len, TUNNEL_REPLY_BYTES);
		r = host_hear(&a, &m2, &m3);
		assert_true(r < 0 && m3.len == 0);
		a.t->peers->ours.bad_cnt = 0;
	}
	/* Only the number, sid and X25519 key have other values that mean something. */
	assert_int_equal(answered, 32 + 64 + 256);
	assert_int_equal(a.ready_cnt + b.ready_cnt, 0);
}

static void tunnel__drops_what_is_no_message(void **state)
{
	struct ctl_bytes_tunnel *const good[] = { &m1, &m2, &m3, &m4 };
	struct ctl_bytes_tunnel bad;
	unsigned i;

	(void)state;
	run(&a, &b);
	for (i = 0; i < 4; i++) {
		bad = *good[i];
		bad.len--;
		assert_int_equal(host_hear(&b, &bad, &answer), -EPROTO);
		bad.len = (uint16_t)(bad.len + 2);
		bad.b[bad.len - 1] = 0;
		assert_int_equal(host_hear(&b, &bad, &answer), -EPROTO);
		bad = *good[i];
		bad.b[2] = 2;
		assert_int_equal(host_hear(&b, &bad, &answer), -ENOTSUP);
		bad.b[2] = 1;
		bad.b[3] = 7;
		assert_int_equal(host_hear(&b, &bad, &answer), -EPROTO);
		bad.len = (uint16_t)i;
		assert_int_equal(host_hear(&b, &bad, &answer), -EPROTO);
	}
}

static void tunnel__tells_that_the_host_is_another_one(void **state)
{
	static const uint8_t wrong[TUNNEL_FINGERPRINT_BYTES] = { 0xff, 1, 2 };

	(void)state;
	/* a expects somebody else at b's address. */
	assert_int_equal(host_peer_set(&a, a.peer, wrong), 0);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), -EACCES);
	assert_int_equal(m2.len, TUNNEL_REFUSED_BYTES);
	assert_int_equal(host_hear(&a, &m2, &answer), 0);
	assert_int_equal(a.ready_err, -EACCES);
	assert_non_null(strstr(a.out.ready.text, "another fingerprint"));
	/* Once for one TUN_START: it is only a hint, and anybody on the way could send it. */
	assert_int_equal(host_hear(&a, &m2, &answer), -ESTALE);
	/* b expects somebody else at a's address. */
	assert_int_equal(host_peer_set(&a, a.peer, b.id.fingerprint), 0);
	assert_int_equal(host_peer_set(&b, b.peer, wrong), 0);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), -EACCES);
	assert_int_equal(host_hear(&a, &m2, &answer), 0);
	assert_non_null(strstr(a.out.ready.text, "does not know"));
	/* The hint ended nothing. */
	assert_int_equal(host_peer_set(&b, b.peer, a.id.fingerprint), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), 0);
	assert_int_equal(host_hear(&a, &m2, &m3), 0);
}

static void tunnel__refuses_an_unknown_peer(void **state)
{
	struct ctl_tun_message m = { .peer = 1234 };

	(void)state;
	assert_int_equal(tunnel_start(a.t, 1234, now_ns, &a.out), -ENOENT);
	assert_true(a.out.has_ready && a.out.ready.err == -ENOENT && !a.out.has_message);
	assert_int_equal(host_start(&a, &m.data), 0);
	assert_int_equal(tunnel_message(b.t, &m, now_ns, &b.out), -ENOENT);
	assert_false(b.out.has_ready || b.out.has_message);
}

/* Somebody who knows everything but b's private key. */
static void tunnel__refuses_an_impostor_in_either_role(void **state)
{
	struct tunnel_identity forged = b.id;
	CLEANUP(key_freep) struct key *own = NULL;
	uint8_t pub[P384_PUBLIC_BYTES];
	struct host c = b;

	(void)state;
	assert_int_equal(p384_new(&own, pub), 0);
	forged.key = own;
	c.t = NULL;
	assert_int_equal(tunnel_new(&forged, &c.t), 0);
	assert_int_equal(host_peer_set(&c, c.peer, a.id.fingerprint), 0);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&c, &m1, &m2), 0);
	assert_int_equal(host_hear(&a, &m2, &m3), -EKEYREJECTED);
	assert_int_equal(m3.len, 0);
	handshake_wipe(&a.t->peers->ours);
	assert_int_equal(host_start(&c, &m1), 0);
	assert_int_equal(host_hear(&a, &m1, &m2), 0);
	assert_int_equal(host_hear(&c, &m2, &m3), 0);
	assert_int_equal(host_hear(&a, &m3, &m4), -EKEYREJECTED);
	assert_int_equal(a.ready_cnt, 0);
	/* With its own public key it is not b. */
	handshake_wipe(&c.t->peers->ours);
	handshake_wipe(&a.t->peers->theirs);
	memcpy(c.t->id.pub, pub, sizeof(pub));
	assert_int_equal(host_start(&c, &m1), 0);
	assert_int_equal(host_hear(&a, &m1, &m2), 0);
	assert_int_equal(host_hear(&c, &m2, &m3), 0);
	assert_int_equal(host_hear(&a, &m3, &m4), -EACCES);
	handshake_wipe(&a.t->peers->theirs);
	handshake_wipe(&c.t->peers->theirs);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&c, &m1, &m2), 0);
	assert_int_equal(host_hear(&a, &m2, &m3), -EACCES);
	assert_int_equal(a.ready_cnt, 0);
	tunnel_free(c.t);
}

/* Messages cannot be played back to their sender, nor under another role. */
static void tunnel__drops_its_own_messages(void **state)
{
	(void)state;
	run(&a, &b);
	assert_int_equal(host_hear(&a, &m1, &answer), -EACCES);
	assert_int_equal(host_hear(&b, &m2, &answer), -ESTALE);
	assert_int_equal(host_hear(&a, &m3, &answer), -ESTALE);
	assert_int_equal(host_hear(&b, &m4, &answer), -ESTALE);
	assert_int_equal(a.ready_cnt + b.ready_cnt, 2);
}

/* Both begin. What arrives when is one bit a message; in every case the lower fingerprint's handshake is the one. */
static void tunnel__has_one_winner_when_both_begin(void **state)
{
	static struct ctl_bytes_tunnel ib, ra, rb, fa, fb, da, db;
	unsigned order;

	for (order = 0; order < 4; order++) {
		setup(state);
		assert_int_equal(host_start(&a, &m1), 0);
		if (order & 1) {
			/* b has answered before it begins itself. */
			assert_int_equal(host_hear(&b, &m1, &rb), 0);
			assert_int_equal(host_start(&b, &ib), 0);
		} else {
			assert_int_equal(host_start(&b, &ib), 0);
			assert_int_equal(host_hear(&b, &m1, &rb), 0);
		}
		if (order & 2) {
			later(1);
			/* a's INIT might be lost: it says it again. */
			assert_int_equal(host_hear(&a, &ib, &ra), -EINPROGRESS);
			assert_memory_equal(ra.b, m1.b, m1.len);
			assert_int_equal(host_hear(&a, &rb, &fa), 0);
		} else {
			assert_int_equal(host_hear(&a, &rb, &fa), 0);
			assert_int_equal(host_hear(&a, &ib, &ra), -EINPROGRESS);
			assert_int_equal(ra.len, 0);
		}
		assert_int_equal(host_hear(&b, &fa, &db), 0);
		assert_int_equal(host_hear(&a, &db, &answer), 0);
		assert_joined(1, 0x1001);
		/* b's own is over: nothing of it goes on. */
		assert_int_equal(b.t->peers->ours.state, HS_NONE);
		assert_int_equal(a.ready_cnt, 1);
		assert_int_equal(b.ready_cnt, 1);
		teardown(state);
	}
	/* a has answered b before it begins itself: FINISH of b is not taken while a's own is under way. */
	setup(state);
	assert_int_equal(host_start(&b, &ib), 0);
	assert_int_equal(host_hear(&a, &ib, &ra), 0);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &ra, &fb), 0);
	assert_int_equal(host_hear(&a, &fb, &da), -EINPROGRESS);
	assert_int_equal(host_hear(&b, &m1, &rb), 0);
	assert_int_equal(host_hear(&a, &rb, &fa), 0);
	assert_int_equal(host_hear(&b, &fa, &db), 0);
	assert_int_equal(host_hear(&a, &db, &answer), 0);
	assert_joined(1, 0x1001);
	assert_int_equal(host_hear(&a, &fb, &da), -ERANGE); /* late: its epoch is taken */
	assert_int_equal(a.ready_cnt, 1);
	assert_int_equal(b.ready_cnt, 1);
}

static void tunnel__numbers_epochs_alike_after_a_reboot(void **state)
{
	(void)state;
	run(&a, &b);
	run(&b, &a);
	run(&a, &b);
	assert_int_equal(b.epoch, 3);
	host_boot(&b); /* remembers nothing */
	run(&b, &a);
	assert_int_equal(a.epoch, 4);
	assert_int_equal(b.epoch, 4);
	assert_joined(4, 0x1001);
	host_boot(&a);
	run(&b, &a);
	assert_int_equal(a.epoch, 5);
	assert_joined(5, 0x1001);
}

/* DONE is lost and so is the memory of it: one end has an epoch that the other never got. */
static void tunnel__goes_on_when_only_one_end_was_ready(void **state)
{
	(void)state;
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), 0);
	assert_int_equal(host_hear(&a, &m2, &m3), 0);
	assert_int_equal(host_hear(&b, &m3, &m4), 0);
	assert_int_equal(b.epoch, 1);
	later(11);
	run(&a, &b);
	assert_int_equal(a.epoch, 2);
	assert_int_equal(b.epoch, 2);
	assert_joined(2, 0x1001);
}

static void tunnel__forgets_a_handshake_after_ten_seconds(void **state)
{
	(void)state;
	assert_int_equal(tunnel_expire(a.t, now_ns) == UINT64_MAX, 1);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), 0);
	assert_true(tunnel_expire(a.t, now_ns) == now_ns + HANDSHAKE_NS);
	assert_true(tunnel_expire(b.t, now_ns) == now_ns + HANDSHAKE_NS);
	now_ns += HANDSHAKE_NS - 1;
	assert_int_equal(host_hear(&a, &m2, &m3), 0); /* just in time */
	now_ns += 1;
	assert_int_equal(host_hear(&b, &m3, &answer), -ESTALE);
	assert_true(tunnel_expire(b.t, now_ns) == UINT64_MAX);
	assert_null(b.t->peers->theirs.master);
	assert_int_equal(host_start(&a, &answer), 0);
	assert_int_equal(answer.len, TUNNEL_INIT_BYTES);
	assert_memory_not_equal(answer.b, m1.b, m1.len); /* a fresh one */
}

static void tunnel__is_deaf_after_eight_wrong_answers(void **state)
{
	struct ctl_bytes_tunnel bad;
	int i;

	(void)state;
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), 0);
	bad = m2;
	flip(&bad, TUNNEL_REPLY_BYTES * 8 - 1);
	for (i = 0; i < BAD_MAX; i++)
		assert_int_equal(host_hear(&a, &bad, &answer), -EKEYREJECTED);
	assert_int_equal(host_hear(&a, &m2, &answer), -ESTALE);
	later(10);
	run(&a, &b);
	assert_joined(a.epoch, 0x1001);
}

/* Whoever only knows the two fingerprints and sends under a's address. */
static void forge_init(struct ctl_bytes_tunnel *ret)
{
	struct tunnel_msg m = { .type = TUNNEL_INIT };
	CLEANUP(key_freep) struct key *x = NULL, *p = NULL;

	assert_int_equal(tunnel_random(m.sid_i, sizeof(m.sid_i)), 0);
	assert_int_equal(x25519_new(&x, m.x25519), 0);
	assert_int_equal(p384_new(&p, m.p384), 0);
	memcpy(m.fp_i, a.id.fingerprint, sizeof(m.fp_i));
	memcpy(m.fp_r, b.id.fingerprint, sizeof(m.fp_r));
	ret->len = (uint16_t)tunnel_msg_encode(&m, ret->b);
}

static void tunnel__is_not_pushed_aside_by_forged_inits(void **state)
{
	static struct ctl_bytes_tunnel forged, cookie;
	int i;

	(void)state;
	/* Before: the forger holds b's place. */
	forge_init(&forged);
	assert_int_equal(host_hear(&b, &forged, &answer), 0);
	assert_int_equal(answer.len, TUNNEL_REPLY_BYTES);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &cookie), -EAGAIN);
	assert_int_equal(cookie.len, TUNNEL_COOKIE_MSG_BYTES);
	assert_int_equal(host_hear(&a, &cookie, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &m2), 0);
	/* Meanwhile: many of them, and what they cost is a hash each. */
	for (i = 0; i < 100; i++) {
		forge_init(&forged);
		assert_int_equal(host_hear(&b, &forged, &answer), -EAGAIN);
		assert_int_equal(answer.len, TUNNEL_COOKIE_MSG_BYTES);
	}
	assert_int_equal(host_hear(&a, &m2, &m3), 0);
	assert_int_equal(host_hear(&b, &m3, &m4), 0);
	/* After: DONE was lost; it is still said again. */
	forge_init(&forged);
	assert_int_equal(host_hear(&b, &forged, &answer), -EAGAIN);
	assert_int_equal(host_hear(&b, &m3, &m4), 0);
	assert_int_equal(host_hear(&a, &m4, &answer), 0);
	assert_joined(1, 0x1001);
	/* The whole place of b is free again after ten seconds, and a flood cannot use more than its tokens. */
	later(10);
	for (i = 0; i < 8; i++) {
		handshake_wipe(&b.t->peers->theirs);
		forge_init(&forged);
		assert_int_equal(host_hear(&b, &forged, &answer), i < 4 ? 0 : -EAGAIN);
	}
	later(1);
	forge_init(&forged);
	assert_int_equal(host_hear(&b, &forged, &answer), 0);
}

static void tunnel__takes_a_cookie_for_its_init_only(void **state)
{
	static struct ctl_bytes_tunnel forged, cookie, again, stale;
	int i;

	(void)state;
	forge_init(&forged);
	assert_int_equal(host_hear(&b, &forged, &answer), 0);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &cookie), -EAGAIN);
	/* Another INIT with it. */
	forge_init(&forged);
	memcpy(forged.b + TUNNEL_INIT_FIXED_BYTES, cookie.b + 16, TUNNEL_COOKIE_BYTES);
	assert_int_equal(host_hear(&b, &forged, &answer), -EAGAIN);
	/* One whose handshake it is not. */
	stale = cookie;
	flip(&stale, 8 * 8);
	assert_int_equal(host_hear(&a, &stale, &answer), -ESTALE);
	/* The one before is still valid after 120 s, not after 240 s. */
	for (i = 1; i <= 2; i++) {
		later(120);
		forge_init(&forged);
		(void)!host_hear(&b, &forged, &answer);
		stale = m1;
		memcpy(stale.b + TUNNEL_INIT_FIXED_BYTES, cookie.b + 16, TUNNEL_COOKIE_BYTES);
		assert_int_equal(host_hear(&b, &stale, &again), i == 1 ? 0 : -EAGAIN);
	}
	/* Two cookies for one TUN_START, no more: nobody makes a talk without end. */
	assert_int_equal(host_start(&a, &m1), 0);
	memcpy(cookie.b + 8, m1.b + 8, TUNNEL_SID_BYTES);
	assert_int_equal(host_hear(&a, &cookie, &answer), 0);
	assert_int_equal(host_hear(&a, &cookie, &answer), 0);
	assert_int_equal(host_hear(&a, &cookie, &answer), -ESTALE);
	later(1);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&a, &cookie, &answer), 0);
}

static void tunnel__bounds_what_proved_senders_cost(void **state)
{
	struct ctl_bytes_tunnel init;
	unsigned good = 0;
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		forge_init(&init);
		if (host_hear(&b, &init, &answer) == 0)
			continue;
		assert_int_equal(answer.len, TUNNEL_COOKIE_MSG_BYTES);
		memcpy(init.b + TUNNEL_INIT_FIXED_BYTES, answer.b + 16, TUNNEL_COOKIE_BYTES);
		if (host_hear(&b, &init, &answer) == 0)
			good++;
		else
			assert_int_equal(answer.len, 0);
	}
	assert_int_equal(good, 4);
}

/* The same from many addresses at once: 40 without and 40 with a cookie, whoever they are. */
static void tunnel__bounds_what_all_peers_cost_together(void **state)
{
	struct tunnel_msg m = { .type = TUNNEL_INIT, .fp_i = { 1 } };
	CLEANUP(key_freep) struct key *x = NULL, *p = NULL;
	static struct ctl_tun_message init;
	unsigned good = 0, round;
	uint32_t peer;
	int r;

	(void)state;
	assert_int_equal(x25519_new(&x, m.x25519), 0);
	assert_int_equal(p384_new(&p, m.p384), 0);
	memcpy(m.fp_r, b.id.fingerprint, sizeof(m.fp_r));
	for (peer = 100; peer < 160; peer++) {
		m.fp_i[1] = (uint8_t)peer;
		assert_int_equal(host_peer_set(&b, peer, m.fp_i), 0);
	}
	for (round = 0; round < 3; round++) {
		for (peer = 100; peer < 160; peer++) {
			m.fp_i[1] = (uint8_t)peer;
			m.sid_i[0] = (uint8_t)round;
			memset(m.cookie, 0, sizeof(m.cookie));
			init.peer = peer;
			init.data.len = (uint16_t)tunnel_msg_encode(&m, init.data.b);
			r = tunnel_message(b.t, &init, now_ns, &b.out);
			if (r == -EAGAIN && b.out.has_message) {
				memcpy(init.data.b + TUNNEL_INIT_FIXED_BYTES,
				       b.out.message.data.b + 16, TUNNEL_COOKIE_BYTES);
				r = tunnel_message(b.t, &init, now_ns, &b.out);
			}
			assert_true(r == 0 || (r == -EAGAIN && !b.out.has_message));
			good += r == 0;
		}
	}
	assert_int_equal(good, 80);
	later(1);
	run(&a, &b); /* and a second later the next has its turn */
}

static void tunnel__refuses_keys_that_are_no_points(void **state)
{
	struct ctl_bytes_tunnel bad;

	(void)state;
	forge_init(&bad);
	memset(bad.b + 80, 0, X25519_BYTES);
	assert_int_equal(host_hear(&b, &bad, &answer), -EBADMSG);
	forge_init(&bad);
	memset(bad.b + 112, 0, P384_PUBLIC_BYTES);
	assert_int_equal(host_hear(&b, &bad, &answer), -EBADMSG);
	assert_int_equal(answer.len, 0);
	assert_int_equal(b.t->peers->theirs.state, HS_NONE);
	run(&a, &b);
}

static void tunnel__ends_at_the_last_epoch(void **state)
{
	(void)state;
	a.t->peers->epoch = UINT32_MAX - 1;
	run(&a, &b);
	assert_int_equal(b.epoch, UINT32_MAX);
	later(11);
	assert_int_equal(host_start(&a, &m1), 0);
	assert_int_equal(host_hear(&b, &m1, &answer), -ERANGE);
	assert_int_equal(answer.len, 0);
}

static void tunnel_key__is_given_out_once(void **state)
{
	struct ctl_tun_key k;

	(void)state;
	assert_int_equal(host_key(&a, 0, 0x1001).err, -ENOENT);
	assert_int_equal(host_key(&a, 1, 0x1001).err, -ENOENT);
	run(&a, &b);
	assert_int_equal(host_key(&a, 1, 0).err, -EINVAL);
	assert_int_equal(host_key(&a, 1, 0x1000000).err, -EINVAL);
	assert_int_equal(host_key(&a, 2, 0x1001).err, -ENOENT);
	assert_int_equal(host_key(&a, 1, 0x1001).err, 0);
	k = host_key(&a, 1, 0x1001);
	assert_int_equal(k.err, -EALREADY);
	assert_int_equal(k.tx.spi, 0);
	assert_int_equal(k.tx.key[0] | k.tx.key[31] | k.rx.key[0] | k.rx.salt[0], 0);
	assert_int_equal(host_key(&a, 1, 0x1002).err, 0);
	/* A new epoch has new keys for the same network. */
	run(&a, &b);
	assert_int_equal(host_key(&a, 2, 0x1001).err, 0);
	assert_int_equal(host_key(&a, 1, 0x1002).err, -EALREADY);
}

static void tunnel_key__of_old_epochs_go(void **state)
{
	(void)state;
	run(&a, &b);
	run(&a, &b);
	later(59);
	assert_true(tunnel_expire(a.t, now_ns) == now_ns + TUNNEL_S);
	assert_int_equal(host_key(&a, 1, 1).err, 0);
	later(1);
	assert_true(tunnel_expire(a.t, now_ns) == UINT64_MAX);
	assert_int_equal(host_key(&a, 1, 2).err, -ENOENT);
	assert_int_equal(host_key(&a, 2, 2).err, 0);
	/* At most two, whatever the time. */
	run(&a, &b);
	run(&a, &b);
	assert_int_equal(host_key(&a, 2, 3).err, -ENOENT);
	assert_int_equal(host_key(&a, 3, 3).err, 0);
	assert_int_equal(host_key(&a, 4, 3).err, 0);
}

static void tunnel_key__is_bounded(void **state)
{
	uint32_t vni;

	(void)state;
	run(&a, &b);
	for (vni = 1; vni <= TUNNEL_VNIS_MAX; vni++)
		assert_int_equal(host_key(&a, 1, vni).err, 0);
	assert_int_equal(host_key(&a, 1, vni).err, -E2BIG);
	assert_int_equal(host_key(&a, 1, 1).err, -EALREADY);
}

static void tunnel_peer_set__keeps_changes_and_removes(void **state)
{
	static const uint8_t none[TUNNEL_FINGERPRINT_BYTES],
		another[TUNNEL_FINGERPRINT_BYTES] = { 3 };

	(void)state;
	run(&a, &b);
	assert_int_equal(host_peer_set(&a, a.peer, b.id.fingerprint), 0);
	assert_int_equal(host_key(&a, 1, 1).err, 0); /* the same: nothing happened */
	assert_int_equal(host_peer_set(&a, a.peer, another), 0);
	assert_int_equal(host_key(&a, 1, 2).err, -ENOENT);
	assert_int_equal(host_peer_set(&a, a.peer, none), 0);
	assert_int_equal(a.t->peer_cnt, 0);
	assert_int_equal(host_start(&a, &m1), -ENOENT);
	assert_int_equal(host_peer_set(&a, a.peer, none), 0);
	assert_int_equal(host_peer_set(&a, a.peer, a.id.fingerprint), -EINVAL);
	assert_int_equal(a.out.ready.err, -EINVAL);
	assert_int_equal(host_peer_set(&a, 0, another), -EINVAL);
}

static void tunnel_peer_set__is_bounded(void **state)
{
	uint8_t fp[TUNNEL_FINGERPRINT_BYTES] = { 1 };
	uint32_t i;

	(void)state;
	for (i = 1; i < TUNNEL_PEERS_MAX; i++) {
		fp[1] = (uint8_t)i;
		assert_int_equal(host_peer_set(&a, 1000 + i, fp), 0);
	}
	assert_int_equal(host_peer_set(&a, 5000, fp), -EUSERS);
	assert_int_equal(a.out.ready.err, -EUSERS);
	run(&a, &b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(tunnel__gives_both_hosts_the_same_keys),
		T(tunnel__recovers_from_every_lost_message),
		T(tunnel__takes_doubled_messages_once),
		T(tunnel__is_not_moved_by_an_old_handshake),
		T(tunnel__drops_every_flipped_bit_of_reply_finish_and_done),
		T(tunnel__never_completes_over_a_flipped_init),
		T(tunnel__drops_what_is_no_message),
		T(tunnel__tells_that_the_host_is_another_one),
		T(tunnel__refuses_an_unknown_peer),
		T(tunnel__refuses_an_impostor_in_either_role),
		T(tunnel__drops_its_own_messages),
		T(tunnel__has_one_winner_when_both_begin),
		T(tunnel__numbers_epochs_alike_after_a_reboot),
		T(tunnel__goes_on_when_only_one_end_was_ready),
		T(tunnel__forgets_a_handshake_after_ten_seconds),
		T(tunnel__is_deaf_after_eight_wrong_answers),
		T(tunnel__is_not_pushed_aside_by_forged_inits),
		T(tunnel__takes_a_cookie_for_its_init_only),
		T(tunnel__bounds_what_proved_senders_cost),
		T(tunnel__bounds_what_all_peers_cost_together),
		T(tunnel__refuses_keys_that_are_no_points),
		T(tunnel__ends_at_the_last_epoch),
		T(tunnel_key__is_given_out_once),
		T(tunnel_key__of_old_epochs_go),
		T(tunnel_key__is_bounded),
		T(tunnel_peer_set__keeps_changes_and_removes),
		T(tunnel_peer_set__is_bounded),
#undef T
	};

	if (crypto_init() < 0)
		return 1;
	host_keys();
	return cmocka_run_group_tests_name("security/tunnel", tests, NULL, NULL);
}
