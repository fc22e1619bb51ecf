/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * niter-metadata's parts. One thread, one loop, all memory there from the start.
 */

#include "base/bucket.h"
#include "base/loop.h"
#include "metadata/http_conn.h"
#include "proto/control.h"
#include "vpc/dns.h"

enum {
	HTTP_CONNS_MAX = 64,
	HTTP_RATE = 1000, /* requests a second */
	HTTP_RATE_BURST = 100,
	DNS_CONNS_MAX = 8,
	DNS_RATE = 1000,
	DNS_RATE_BURST = 100,
	/* 3 standard ones, control, epoll, 5 of the configuration, the connections, and a second configuration */
	METADATA_NOFILE_MAX = 3 + 2 + 5 + HTTP_CONNS_MAX + DNS_CONNS_MAX + 6,
};

enum ref_type {
	REF_CONTROL,
	REF_SERVICE,
	REF_SIGN,
	REF_HTTP_LISTENER,
	REF_HTTP_CONN,
	REF_DNS_UDP,
	REF_DNS_LISTENER,
	REF_DNS_CONN,
};

/*
 * buffers_set(): a limit to what the kernel keeps for a connection of this listener; else a guest that takes nothing makes it keep
 * megabytes for each. Return: 0, -errno.
 */
MUST_USE int buffers_set(int listener);

/* ---- HTTP ---- */

/*
 * FREE     no descriptor
 * READING  waits for the rest of a request, or for the next one
 * WAITING  has a request whose turn has not come
 * WRITING  the peer's window is full
 * LINGER   all is said; what the peer still sends is thrown away, so that it gets to read the answer
 */
enum peer_state { PEER_FREE, PEER_READING, PEER_WAITING, PEER_WRITING, PEER_LINGER };

struct http_peer {
	enum peer_state state;
	int fd; /* owned */
	bool eof;
	uint32_t events; /* what the loop watches for */
	uint64_t deadline_ns;
	uint64_t moved_ns; /* when bytes last went either way */
	struct loop_ref ref;
	struct http_conn conn;
};

struct http_server {
	struct loop *loop;
	struct imds *imds;
	int listener; /* owned; -1: not configured */
	struct loop_ref listener_ref;
	uint64_t listener_ns; /* > 0: not watched until then: every connection is young */
	struct bucket rate;
	uint64_t rate_ns; /* when the next of the WAITING has its turn */
	unsigned turn;    /* where the search for it begins */
	struct http_peer peer[HTTP_CONNS_MAX];
};

void http_server_init(struct http_server *s, struct loop *loop, struct imds *imds, uint64_t now_ns);
/* http_server_listen(): @fd is taken. Return: 0, -errno. */
MUST_USE int http_server_listen(struct http_server *s, int fd);
void http_server_accept(struct http_server *s, uint64_t now_ns);
void http_server_ready(struct http_server *s, struct http_peer *p, uint32_t events,
		       uint64_t now_ns);
/* http_server_tick(): deadlines and turns. Return: when it wants to be called next. */
uint64_t http_server_tick(struct http_server *s, uint64_t now_ns);

/* ---- DNS ---- */

struct dns_peer {
	int fd; /* owned; -1: free */
	uint64_t deadline_ns;
	size_t in_len;
	struct loop_ref ref;
	uint8_t in[2 + DNS_QUERY_MAX];
};

struct dns_server {
	struct loop *loop;
	struct dns_zone zone;
	int udp, listener; /* owned; -1: not configured */
	struct loop_ref udp_ref, listener_ref;
	struct bucket rate;
	struct dns_peer peer[DNS_CONNS_MAX];
};

void dns_server_init(struct dns_server *s, struct loop *loop, uint64_t now_ns);
/* dns_server_listen(): both descriptors are taken. Return: 0, -errno. */
MUST_USE int dns_server_listen(struct dns_server *s, int udp, int listener);
void dns_server_udp(struct dns_server *s, uint64_t now_ns);
void dns_server_accept(struct dns_server *s, uint64_t now_ns);
void dns_server_ready(struct dns_server *s, struct dns_peer *p, uint64_t now_ns);
uint64_t dns_server_tick(struct dns_server *s, uint64_t now_ns);

/* ---- what niterd and niter-security say ---- */

struct service {
	int fd; /* niterd; owned; -1: none */
	struct loop_ref ref;
	int sign_fd; /* niter-security; owned; -1: none */
	struct loop_ref sign_ref;
	uint32_t sign_seq; /* of the latest question */
	bool sign_waits;
	struct loop *loop;
	struct imds *imds;
	struct dns_zone *zone;
	struct tree tree[2];
	unsigned next; /* which of them is being filled */
	int spoilt;    /* -errno: an item of the batch was wrong */
	char why[CTL_TEXT_MAX];
	struct ctl_msg msg;
};

void service_init(struct service *s, struct loop *loop, struct imds *imds, struct dns_zone *zone);
/* service_watch(): @fd is taken and replaces what was there. Return: 0, -errno. */
MUST_USE int service_watch(struct service *s, int fd);
MUST_USE int service_watch_sign(struct service *s, int fd);
void service_ready(struct service *s);
void service_sign_ready(struct service *s);
