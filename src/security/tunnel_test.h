/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Two hosts in one process, with a clock and a network that the test holds. For tunnel_test.c and tunnel_fuzz.c. */

#include <stdio.h>
#include <string.h>

#include "security/tunnel_priv.h"

enum { PEER_OF_A = 7, PEER_OF_B = 9 }; /* numbers are each host's own */

struct host {
	struct key *key;
	struct tunnel_identity id;
	struct tunnel *t;
	uint32_t peer;             /* how it calls the other one */
	uint32_t epoch, ready_cnt; /* of the last good TUN_READY; how many came */
	int ready_err;
	struct tunnel_out out;
};

static struct host a, b; /* a has the lower fingerprint */
static uint64_t now_ns;

static inline struct host *other(const struct host *h)
{
	return h == &a ? &b : &a;
}

static inline void host_keys(void)
{
	uint8_t pub[P384_PUBLIC_BYTES];
	struct host h;

	must(p384_new(&a.key, pub) == 0 && tunnel_identity_init(&a.id, a.key) == 0);
	must(p384_new(&b.key, pub) == 0 && tunnel_identity_init(&b.id, b.key) == 0);
	if (memcmp(a.id.fingerprint, b.id.fingerprint, sizeof(a.id.fingerprint)) > 0) {
		h = a;
		a = b;
		b = h;
	}
	a.peer = PEER_OF_A;
	b.peer = PEER_OF_B;
}

static inline int host_peer_set(struct host *h, uint32_t peer, const uint8_t *fp)
{
	struct ctl_tun_peer p = { .peer = peer };

	memcpy(p.fingerprint, fp, sizeof(p.fingerprint));
	return tunnel_peer_set(h->t, &p, now_ns, &h->out);
}

/* A fresh process on this host that knows the other one. */
static inline void host_boot(struct host *h)
{
	tunnel_freep(&h->t);
	h->epoch = h->ready_cnt = 0;
	h->ready_err = 0;
	must(tunnel_new(&h->id, &h->t) == 0);
	must(host_peer_set(h, h->peer, other(h)->id.fingerprint) == 0);
}

static inline void host_note(struct host *h)
{
	if (!h->out.has_ready)
		return;
	h->ready_err = h->out.ready.err;
	if (h->out.ready.err == 0) {
		must(h->out.ready.epoch > h->epoch);
		h->epoch = h->out.ready.epoch;
		h->ready_cnt++;
	}
}

/* What it says is in h->out, and as bytes in *ret (len 0: nothing). */
static inline int host_said(struct host *h, int r, struct ctl_bytes_tunnel *ret)
{
	host_note(h);
	ret->len = 0;
	if (h->out.has_message) {
		must(h->out.message.peer == h->peer);
		*ret = h->out.message.data;
	}
	return r;
}

static inline int host_start(struct host *h, struct ctl_bytes_tunnel *ret)
{
	return host_said(h, tunnel_start(h->t, h->peer, now_ns, &h->out), ret);
}

static inline int host_hear(struct host *h, const struct ctl_bytes_tunnel *msg,
			    struct ctl_bytes_tunnel *ret)
{
	static struct ctl_tun_message m; /* too large for the stack of a test with many of them */

	m.peer = h->peer;
	m.data = *msg;
	return host_said(h, tunnel_message(h->t, &m, now_ns, &h->out), ret);
}

static inline struct ctl_tun_key host_key(struct host *h, uint32_t epoch, uint32_t vni)
{
	struct ctl_tun_key_read q = { .peer = h->peer, .epoch = epoch, .vni = vni };
	struct ctl_tun_key k;

	(void)!tunnel_key(h->t, &q, &k);
	return k;
}
