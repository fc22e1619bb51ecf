/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * niterd, the shell around the state core: one thread, one epoll loop. Who may touch what:
 *
 *   link.c     the launcher's socket: actions of the core go out, reports come in
 *   live.c     running instances: service socket, console, stop timer
 *   svc.c      service sockets that are only told things: network cards, metadata processes, wire, gateways
 *   net_sync.c when something changed: what each of them is told
 *   security_link.c  questions to the security process: secrets of access keys, KMS
 *   conn.c     clients: unix connections and control ports, lines in, lines out
 *   front/     clients of the EC2 API: HTTP and TLS, signatures, one exchange at a time per connection
 *   turn.c     requests over HTTP that came together share one durable commit
 *   api*.c     one request at a time per client: checks parameters, calls the core, says the result
 *   upload.c   the binary frames of image.put
 *
 * Everything that can be created from outside is bounded by a constant below.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/loop.h"
#include "controller/core.h"
#include "controller/fault.h"
#include "controller/kms/kms.h"
#include "controller/net_push.h"
#include "controller/null.h"
#include "controller/params.h"
#include "controller/security_link.h"
#include "proto/control.h"

enum {
	CONN_MAX = 64,             /* unix connections */
	PORT_MAX = 8,              /* control ports */
	CONN_LINE_MAX = 64 * 1024, /* one request */
	CONN_IN_BYTES = 128 * 1024,
	CONN_OUT_MAX = 2 * 1024 * 1024, /* a client that reads nothing is dropped beyond it */
	LIVE_MAX = 512,                 /* instances that run */
	LINK_VOLUMES_MAX = 1024,        /* requests about volumes under way: every one of a host */
	/* All requests to the launcher: however many volumes are wanted, instances can be started and killed. */
	LINK_REQ_MAX = LINK_VOLUMES_MAX + 2 * LIVE_MAX,
	LIVE_CONSOLE_WAIT_MAX = 8, /* calls that wait for one console */
	PROCESSES_MAX = 1024 * 1024, /* bytes of a process list */
	STOP_TIMEOUT_S = 120, /* how long a guest may take to heed its power button, unless told */
	STOP_TIMEOUT_MAX_S = 3600,
	CONSOLE_WAIT_MAX_MS = 60000,
	GATEWAY_MAX = 16,     /* ways out that run */
	FORWARD_WAIT_S = 30,  /* how long a new port may take to lead somewhere */
	FORWARD_REASON_S = 5, /* ... when it is known why it does not */
	NITERD_API_VERSION = 1,
};

struct daemon;
struct upload;

/* What a client's request is waiting for. */
enum op_kind {
	OP_NONE,
	OP_CAPACITY, /* CTL_L_HOST, then launch or start */
	OP_RUNNING,  /* the instance runs, or could not */
	OP_STOPPED,
	OP_TERMINATED,
	OP_VOLUME_MADE,
	OP_VOLUME_GONE,
	OP_HOST,
	OP_PROCESSES,
	OP_CONSOLE,
	OP_HOST_DRAIN, /* instances are stopping before the host does */
	OP_HOST_STOP,
	OP_UPLOAD,
	OP_FORWARD, /* the launcher's answer about a port */
	OP_ACCOUNT, /* the security process's answer: a secret access key */
};

struct op {
	enum op_kind kind;
	json_t *req_id;             /* owned; echoed in every answer */
	char id[CTL_ID_MAX];        /* instance or volume */
	char volume_id[CTL_ID_MAX]; /* whose progress is shown; empty: none */
	bool wait;                  /* false: answer as soon as the wish is recorded */
	unsigned boot_cnt;          /* OP_RUNNING: a start has come when the instance's is higher */
	uint32_t seq;               /* of the request to the launcher or hypervisor */
	uint64_t deadline_ns,
		next_ns; /* OP_CONSOLE: until when, next look; OP_HOST_DRAIN, OP_FORWARD: until when */
	uint64_t progress_ns; /* last progress line */
	struct core_run run;  /* OP_CAPACITY of a launch */
	bool is_run;
	bool certificate;       /* OP_HOST: only that is wanted */
	struct forward forward; /* OP_FORWARD */
	bool forward_new;       /* ... made by this request: undone when it fails */
	uint64_t off;           /* OP_CONSOLE */
	uint32_t max;
	uint32_t page; /* OP_PROCESSES */
	json_t *list;  /* OP_PROCESSES, owned */
	size_t list_bytes;
};

enum conn_state {
	CONN_HELLO,  /* only a hello is heard */
	CONN_READY,  /* lines are requests */
	CONN_FRAMES, /* image.put: bytes are frames */
};

struct conn {
	struct daemon *d;
	struct loop_ref ref;
	int fd;
	bool port; /* a control port: end of file means that the client went away, and the port stays */
	bool eof;    /* the client will send no more */
	bool broken; /* close it at the end of this turn */
	enum conn_state state;
	char *in; /* CONN_IN_BYTES, owned */
	size_t in_len;
	char *out; /* owned */
	size_t out_len, out_cap;
	uint32_t events; /* registered with the loop */
	struct op op;
	struct upload *upload; /* owned; CONN_FRAMES only */
	uint64_t heard_ns;     /* when the last byte came */
	bool more;             /* there may be bytes that no event will tell of */
	char tail[256];        /* a port's last bytes while frames are expected */
	size_t tail_len;
};

/* A message a socket had no room for. */
struct out_msg {
	struct out_msg *next;
	size_t len;
	uint8_t b[];
};

enum svc_kind { SVC_CARD, SVC_METADATA, SVC_WIRE, SVC_GATEWAY };

/* A service socket whose other end is told things and acknowledges them. */
struct svc {
	struct daemon *d; /* NULL: never opened */
	struct loop_ref ref;
	enum svc_kind kind;
	char id[CTL_ID_MAX]; /* instance or gateway; for logs */
	int fd;              /* owned; -1: closed */
	uint32_t seq;
	struct out_msg *out, **out_tail; /* owned */
	size_t out_cnt;
	struct net_want told;
	uint64_t retry_ns; /* something was refused: tell it again then; 0: nothing */
	unsigned tries;    /* refusals since the last success */
	bool metadata_told;
};

/* A gateway process, as far as we know. */
struct way_out {
	char id[CTL_ID_MAX]; /* empty: free */
	bool asked, up, stopping;
	uint32_t outside;
	unsigned outside_prefix;
	uint64_t idle_ns;  /* since when nobody needs it; 0: somebody does */
	uint64_t retry_ns; /* it failed or went: not before */
	unsigned tries;
	char text[CTL_TEXT_MAX]; /* why */
	struct svc svc;
};

/* One status check; health.c. */
struct live_check {
	int state; /* enum ec2_check */
	bool asked; /* ... and not answered yet */
	unsigned misses;
	uint64_t impaired_ms; /* since 1970; 0: it is not */
};

struct live_health {
	uint64_t since_ns, next_ns; /* since_ns 0: not begun */
	struct live_check system, instance;
	uint32_t stats_seq;
	bool frames_known;
	uint64_t frames; /* of its guest, at the last answer */
};

struct ec2_call;

/* A running instance. */
struct live {
	struct daemon *d;
	struct loop_ref ref;
	char id[CTL_ID_MAX];
	int svc;      /* owned; -1: the hypervisor closed it */
	uint32_t seq; /* of the last request */
	bool pulling; /* a console read for the tail is under way: its seq is pull_seq */
	uint32_t pull_seq;
	uint64_t stop_ns;          /* when patience ends; 0: not stopping */
	uint64_t press_ns;         /* the power button is pressed again then */
	uint64_t pull_ns;          /* next look at the console while stopping */
	struct console_tail *tail; /* owned */
	struct svc card, metadata; /* not open: it has no network, or they are gone */
	struct live_health health;
	struct ec2_call *console_wait[LIVE_CONSOLE_WAIT_MAX]; /* for the end of the console's reading */
	size_t console_wait_cnt;
	uint64_t console_ns; /* until when; 0: nobody waits */
	struct live *dead_next;    /* on daemon.dead: freed when the turn's events are handled */
};

enum link_kind {
	LINK_NONE,
	LINK_VOLUME_CREATE,
	LINK_VOLUME_DELETE,
	LINK_VOLUME_REMAKE, /* the deletion before a second creation */
	LINK_START,
	LINK_KILL,
	LINK_HOST,
	LINK_PROCESSES,
	LINK_INSTANCES,
	LINK_STOP,
	LINK_GATEWAY, /* start; id: the gateway's */
	LINK_GATEWAY_STOP,
	LINK_FORWARD_ADD, /* id: the port as text */
	LINK_FORWARD_DEL,
};

struct link_req {
	enum link_kind kind;
	uint32_t seq;
	char id[CTL_ID_MAX];
	uint64_t began_ns;
	unsigned tries;
	uint64_t retry_ns; /* the launcher was busy: ask again then; 0: an answer is awaited */
};

struct link {
	struct loop_ref ref;
	int fd;
	uint32_t seq, host_seq; /* of the last request; of the one that CTL_L_HOST answered last */
	struct link_req req[LINK_REQ_MAX];
	struct out_msg *out, **out_tail;
	char (*live_ids)[CTL_ID_MAX]; /* while recovering; owned */
	size_t live_cnt;
};

/* What requests over HTTP did since the last commit; see turn_begin(). */
struct turn {
	bool open;
	struct core_acts acts;
};

struct front;
struct auth;

struct daemon {
	struct null_host *null; /* owned; NULL: there is a launcher */
	struct loop loop;
	struct core core;
	struct link link;
	struct security_link security;
	struct loop_ref security_ref;
	struct kms kms;
	struct loop_ref listener_ref;
	int listener, state_fd;
	bool listener_full; /* not watched: all slots are taken */
	char host_mode[CTL_NAME_MAX];
	struct conn *conn[CONN_MAX + PORT_MAX]; /* owned; NULL: free */
	struct live *live[LIVE_MAX];            /* owned; NULL: free */
	struct live *dead;                      /* owned; see live.dead_next */
	struct svc wire;
	struct way_out way_out[GATEWAY_MAX];
	struct net_want forwards; /* what the launcher was told of ports */
	bool net_dirty;           /* networks changed: net_sync() at the end of this turn */
	uint64_t net_retry_ns;    /* ... or then; 0: never */
	bool recovered;           /* requests are served */
	struct front *front;      /* owned; NULL: no API listener */
	struct auth *auth;        /* owned; front/auth.c */
	struct turn turn;
	bool host_stopping;
	bool quit;
	int exit_code;
	uint64_t expire_ns;
};

enum {
	REF_LINK = 1,
	REF_LISTENER,
	REF_CONN,
	REF_LIVE,
	REF_SVC,
	REF_SECURITY,
	REF_FRONT,
	REF_FRONT_CONN,
	REF_SECURITY_NULL,
};

/* link.c */
MUST_USE int link_init(struct daemon *d, int fd);
void link_done(struct daemon *d);
/* link_event(): the launcher's socket is ready. Return: 0, -errno when niterd must end. */
MUST_USE int link_event(struct daemon *d, uint32_t events);
/* link_ask(): a request without a body of its own. Return: its seq (> 0), -errno. */
MUST_USE int link_ask_host(struct daemon *d, uint32_t *ret_seq);
MUST_USE int link_ask_processes(struct daemon *d, uint32_t page, uint32_t *ret_seq);
MUST_USE int link_ask_stop(struct daemon *d, uint32_t *ret_seq);
MUST_USE int link_ask_instances(struct daemon *d);
/* link_timers(): asks again what the launcher was too busy for. */
MUST_USE int link_timers(struct daemon *d, uint64_t now_ns, uint64_t *next);
/* link_acts(): carries the core's actions out. Return: 0, -errno of the first that could not be. */
MUST_USE int link_acts(struct daemon *d, const struct core_acts *acts);

/* turn.c */
/**
 * turn_begin() - what follows is durable at turn_end(), together with other requests of this turn
 *
 * The turn is one outer transaction; each request's own is an inner one. Answers given with exchange_reply() wait for its end.
 * Requests over HTTP begin it (also one that goes on after waiting); whatever else happens ends it first. Does nothing in a turn.
 * Return: 0, -errno.
 */
MUST_USE int turn_begin(struct daemon *d);
/* turn_acts(): to be carried out once the turn is durable; outside a turn at once. Return: 0, -ENOMEM. */
MUST_USE int turn_acts(struct daemon *d, const struct core_acts *acts);
/* turn_end(): commits, carries the actions out, lets the answers go; all of them are InternalError when it cannot. */
void turn_end(struct daemon *d);
void turn_free(struct daemon *d);

/* link_ask_gateway(): starts it; link_ask_forward(): @packet is a CTL_L_FORWARD_… with seq 0, which is set. */
MUST_USE int link_ask_gateway(struct daemon *d, const struct ctl_l_gateway_start *m);
MUST_USE int link_ask_gateway_stop(struct daemon *d, const char *gateway_id);
MUST_USE int link_ask_forward(struct daemon *d, unsigned host_port, uint8_t *packet, size_t len,
			      uint32_t *ret_seq);

/* svc.c */
/* svc_open(): @fd is taken, also on failure. What was open there is closed and forgotten first. */
MUST_USE int svc_open(struct daemon *d, struct svc *s, enum svc_kind kind, const char *id, int fd);
void svc_close(struct svc *s);
bool svc_is_open(const struct svc *s);
/* svc_send(): one encoded message; its seq is written into it. Return: 0 sent or queued, -errno. */
MUST_USE int svc_send(struct svc *s, uint8_t *packet, size_t len, uint32_t *ret_seq);
void svc_event(struct svc *s, uint32_t events);

/* net_sync.c */
/* net_sync(): tells everybody what has changed since they were told last. */
void net_sync(struct daemon *d);
void net_timers(struct daemon *d, uint64_t now_ns, uint64_t *next);
/* Answers and events. @svc: taken. */
void net_svc_ack(struct svc *s, uint32_t seq, const struct ctl_ack *a);
void net_wire_started(struct daemon *d, int svc);
void net_gateway_started(struct daemon *d, const struct ctl_l_gateway_started *m, int svc);
void net_gateway_gone(struct daemon *d, const char *gateway_id, const char *text);
void net_forward_acked(struct daemon *d, uint32_t seq, unsigned host_port, const struct ctl_ack *a);
/* net_forward_state(): Return: 1 the port leads to its instance, 0 not yet, and @ret_text says why if anybody knows. */
MUST_USE int net_forward_state(struct daemon *d, unsigned host_port, const char **ret_text);
/* net_metadata_changed(): an instance shall read something else from its metadata service. */
void net_metadata_changed(struct daemon *d, const char *instance_id);
/* net_gateways_hurry(): somebody waits: a gateway that failed is tried again now. */
void net_gateways_hurry(struct daemon *d);
/* net_recovered(): the list of living instances is complete; before their rows are settled with it. */
void net_recovered(struct daemon *d);
void net_free(struct daemon *d);

/* api_net.c: network.*, peer.*, forward.* */
typedef void method_fn(struct conn *c, const json_t *params);
method_fn network_list, peer_add, peer_list, peer_rm, peer_map, peer_unmap, forward_add,
	forward_list, forward_rm;
/* api_forward_look(): is it ready? api_forward_failed(): the launcher refused it. */
void api_forward_look(struct conn *c);
void api_forward_failed(struct daemon *d, unsigned host_port, const char *text);

/* api_accounts.c */
method_fn account_create, account_list, account_rm, account_key_create, account_key_rm;

/* api_front.c */
method_fn host_api_certificate, audit_read;

/* live.c */
struct live *live_find(struct daemon *d, const char *instance_id);
/* live_network(): the service sockets of network card and metadata process; both are taken. */
MUST_USE int live_network(struct daemon *d, const char *instance_id, int card, int metadata);
/* live_add(): @svc is taken. */
MUST_USE int live_add(struct daemon *d, const char *instance_id, unsigned boot_cnt, int svc);
/* live_drop(): keeps the console, closes the socket, frees. */
void live_drop(struct daemon *d, const char *instance_id);
void live_event(struct live *l);
MUST_USE int live_ask(struct live *l, enum ctl_type type, const void *body, uint32_t *ret_seq);
/* live_console_pull(): reads what the console has said since; live_console_done(): those who waited for it are called. */
void live_console_pull(struct live *l);
void live_console_done(struct live *l);
/* live_stop_arm(): presses the power button and starts to count. */
void live_stop_arm(struct live *l, uint64_t timeout_ns);
/* live_timers(): what is due. *next: the earliest time something else will be. */
void live_timers(struct daemon *d, uint64_t now_ns, uint64_t *next);
/* live_reap(): at the end of a turn, when no event can refer to them any more. */
void live_reap(struct daemon *d);
void live_free_all(struct daemon *d);

/* health.c */
void health_init(void);
void health_timers(struct daemon *d, uint64_t now_ns, uint64_t *next);
/* Answers: of a hypervisor, of a network card. */
void health_stats(struct live *l, uint32_t seq);
void health_probed(struct svc *s, const struct ctl_vpc_probed *m);

/* conn.c */
MUST_USE int conn_add(struct daemon *d, int fd, bool port);
void conn_accept(struct daemon *d);
void conn_event(struct conn *c, uint32_t events);
/* conn_timers(): also reaps broken connections. */
void conn_timers(struct daemon *d, uint64_t now_ns, uint64_t *next);
void conn_free_all(struct daemon *d);
/* conn_send(): one JSON object as a line; @msg is consumed. */
void conn_send(struct conn *c, json_t *msg);
void conn_send_text(struct conn *c, const char *text);
/* The three answers; each ends the request but progress. @result is consumed. */
void conn_result(struct conn *c, json_t *result);
void conn_fault(struct conn *c, const struct fault *f);
void conn_progress(struct conn *c, const char *step, uint64_t done, uint64_t total);
/* conn_op_done(): frees what the op owns. */
void conn_op_done(struct conn *c);

/* api.c */
/* params_take(): reads the parameters of a method, or answers with what is wrong. Return: whether to go on. */
bool params_take(struct conn *c, const json_t *params, const struct param *table, size_t cnt);
/* instance_take(): the instance @ref names, or the answer that there is none. */
bool instance_take(struct conn *c, const char *ref, struct instance *ret);
/* api_request(): one line of a client that said hello. */
void api_request(struct conn *c, const char *line, size_t len);
/* api_hello(): is it a hello? Then *ret is the session (owned by the caller: json_decref). */
MUST_USE int api_hello(const char *line, size_t len, json_t **ret);
void api_hello_answer(struct conn *c, const json_t *session);

/* api_wait.c: requests that wait. */
void api_check(struct daemon *d);
void api_link_failed(struct daemon *d, uint32_t seq, int err, const char *text);
void api_host(struct daemon *d, uint32_t seq, const struct ctl_l_host *h);
void api_processes(struct daemon *d, uint32_t seq, const struct ctl_l_processes *p);
void api_host_stopped(struct daemon *d, uint32_t seq);
void api_volume_progress(struct daemon *d, const char *volume_id, const struct ctl_l_progress *p);
void api_volume_made(struct daemon *d, const char *volume_id);
void api_console_data(struct live *l, uint32_t seq, const struct ctl_svc_console_data *m);
/* api_console_look(): asks the hypervisor, or answers from what was kept. */
void api_console_look(struct conn *c);
void api_timers(struct conn *c, uint64_t now_ns, uint64_t *next);

/* api_json.c */
json_t *json_of_instance(struct daemon *d, const struct instance *i);
/* json_of_interfaces(): those of an instance; NULL: all there are. */
json_t *json_of_interfaces(const struct net *n, const char *instance_id);
json_t *json_of_image(const struct image *i);
json_t *json_of_volume(const struct volume *v);

/* upload.c */
/**
 * upload_new() - begins an image: makes its directory, empty of what it will hold
 * @i: id, name, sizes; the rest is filled in at the end
 */
MUST_USE int upload_new(const struct image *i, struct upload **ret, struct fault *f);
/* upload_feed(): Return: bytes eaten of @p (0: more are needed), -errno with @f. *done when the end frame came. */
MUST_USE ssize_t upload_feed(struct upload *u, const uint8_t *p, size_t len, bool *done,
			     struct fault *f);
/* upload_finish(): checks, makes everything durable, gives the directory its name; *ret: the row. */
MUST_USE int upload_finish(struct upload *u, struct image *ret, struct fault *f);
/* upload_free(): removes what upload_finish() did not finish. */
void upload_free(struct upload *u);
void upload_progress(const struct upload *u, uint64_t *ret_done, uint64_t *ret_total);
/* upload_sweep(): removes half-made images and those without a row; once at the start. */
MUST_USE int upload_sweep(struct core *c);
/* upload_remove(): the files of an image. */
MUST_USE int upload_remove(const char *image_id);
