/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of front/ share. */

#include "base/loop.h"
#include "controller/front/audit.h"
#include "controller/front/front.h"
#include "controller/front/http.h"
#include "controller/niterd.h"
#include "crypto/tls.h"

/* Relative to the state directory. */
#define FRONT_CERTIFICATE_PATH "niterd/api-tls.pem"
#define FRONT_AUDIT_PATH "niterd/api-audit.log"

enum {
	IN_START = 2048,              /* bytes of a connection's buffer at first */
	IN_SMALL = 32 * 1024,         /* up to here a buffer is not counted */
	IN_BIG_TOTAL = 64 << 20,      /* bytes of all buffers beyond that */
	OUT_TOTAL = 64 << 20,         /* bytes of answers that wait for their clients */
	TURN_CONN_BYTES = 256 * 1024, /* read of one connection before others have their turn */
	LINGER_BYTES = 4 << 20,       /* read and dropped after a refusal */
	IDLE_S = 75,                  /* between requests */
	HEAD_S = 10, /* from a request's first byte to its last header; a handshake */
	BODY_S = 20, /* ... to the last byte of its body */
	SEND_S = 60, /* for a client to read its answer */
	LINGER_S = 2,
};

/*
 * IDLE      no byte of a request has come; also before the first byte of all, which decides about TLS
 * HANDSHAKE TLS is being agreed upon
 * READ      a part of a request has come
 * CALL      the request is being answered; nothing is read
 * SEND      the answer leaves; nothing is read
 * LINGER    a refusal has left; what comes is dropped, so that the client reads it instead of a reset
 * DEAD      waits for front_timers()
 */
enum conn_phase {
	FRONT_IDLE,
	FRONT_HANDSHAKE,
	FRONT_READ,
	FRONT_CALL,
	FRONT_SEND,
	FRONT_LINGER,
	FRONT_DEAD,
};

struct front_conn {
	struct daemon *d;
	struct loop_ref ref;
	struct front_conn *next, *prev; /* of all */
	struct front_conn *again_next;
	int fd;          /* owned */
	struct tls *tls; /* owned; NULL: plain */
	enum conn_phase phase;
	bool known;     /* the first byte has been seen */
	bool again;     /* on front.again */
	bool close;     /* after the answer */
	bool continued; /* "100 Continue" was said */
	bool secret;    /* request or answer at hand holds a secret: its bytes are wiped */
	uint32_t events;
	uint64_t began_ns, due_ns; /* of the phase */
	struct http_reader reader;
	char *in; /* owned; NULL when empty */
	size_t in_len, in_cap, used, dropped;
	char *out; /* owned */
	size_t out_len, out_done;
	struct front_call *call; /* whose exchange points here */
	uint64_t number;         /* of all there ever were */
	uint32_t peer_key;       /* for fairness among addresses */
	char peer[64];
};

/* An exchange and what becomes of it. */
struct front_call {
	struct exchange x;
	struct http_request req;
	struct front_call *next; /* on front.held */
	bool in_turn, authentic;
	unsigned status;
	const char *type;
	char *body; /* owned */
	size_t len;
};

struct front {
	struct daemon *d;
	struct loop_ref ref;
	int listener; /* owned */
	bool full;    /* the listener is not watched */
	struct tls_server *tls;
	char *pem; /* owned: certificate_free() */
	struct audit *audit;
	struct front_conn *conns, *dead, *again, **again_tail;
	size_t conn_cnt, call_cnt, in_big, out_total;
	struct front_call *held, **held_tail;
	char address[FRONT_ADDRESS_MAX];
	unsigned port;
	uint64_t numbers; /* connections so far */
	uint64_t due_ns;  /* when the time limits are looked at next */
};

static inline struct front_call *call_of(struct exchange *x)
{
	return (void *)((char *)x - offsetof(struct front_call, x));
}

/* conn.c */
MUST_USE int front_conn_new(struct daemon *d, int fd, const char *peer, uint32_t peer_key);
/* front_conn_end(): its exchange goes on alone; freed by front_timers(). */
void front_conn_end(struct front_conn *c);
void front_conn_free(struct front_conn *c);
void front_conn_go(struct front_conn *c);
/* front_conn_send(): @head: "HTTP/1.1 200 OK\r\n…" with its empty line; @body: taken. */
void front_conn_send(struct front_conn *c, const char *head, size_t head_len, char *body,
		     size_t len);
void front_conn_phase(struct front_conn *c, enum conn_phase phase, unsigned seconds);

/* exchange.c */
/* call_new(): *ret belongs to exchange_reply(). -EBUSY: too many. */
MUST_USE int call_new(struct front_conn *c, struct front_call **ret);
/* call_refuse(): what is no request gets an answer without an exchange; the connection ends after it. */
void call_refuse(struct front_conn *c, unsigned status, const char *reason);

/* front.c */
/* front_answer_drop(): makes room where answers of OUT_TOTAL bytes wait. Return: whether there was one to drop. */
MUST_USE bool front_answer_drop(struct front *f);

/* certificate.c */
/**
 * certificate_open() - the server's key and certificate, kept in @path (NULL: nowhere); made when there is none that is good
 * @listener: an address it listens on is in the certificate, besides localhost and 127.0.0.1
 * Return: 0 and *ret (owned: certificate_free()), -errno.
 */
MUST_USE int certificate_open(const char *path, int listener, char **ret);
void certificate_free(char *pem);

/* route.c */
void route(struct exchange *x);
/* route_error(): an error in the form of the service that was asked. @body: owned by the caller afterwards. */
char *route_error(const struct exchange *x, const char *code, const char *text,
		  const char **ret_type, size_t *ret_len);
