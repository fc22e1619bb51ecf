/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Everything the launcher knows. One thread, one epoll, fixed tables: after start nothing is allocated.
 *
 *   main.c       arguments, start-up in stages, the loop and its one dispatch
 *   child.c      one child process: start, log, death, cgroup
 *   set.c        an instance's set of processes: its state machine and what the states do
 *   set_start.c  how a set is put together: checks, files, sockets, first messages
 *   set_net.c    the part of a set that has interfaces: network card, metadata process, their namespace and rings
 *   api.c        the listening socket of the EC2 API
 *   wire.c       niter-wire: start, restart, its ports
 *   gateway.c    gateways: TAP in the host's namespace, ring, process
 *   nat.c        the ways out: uplink, forwarding, packet filter
 *   job.c        volumes: format jobs and deletion
 *   security.c   niter-security: start, status, grants
 *   controller.c niterd: start, restart, its requests
 *   stop.c       the end of the host
 *   pin.c        vCPU threads to hardware threads
 *   processes.c  the report of all processes
 *   spawn.c cgroup.c cores.c memory.c jail_path.c ids.c state_dir.c seal.c nic.c nft.c   tools, no state of ours
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/bucket.h"
#include "base/loop.h"
#include "cgroup.h"
#include "cores.h"
#include "memory.h"
#include "nft.h"
#include "proto/control.h"

enum {
	SETS_MAX = 64,
	JOBS_MAX = 4,
	DELETES_MAX = 16,
	PORTS_MAX = 16,
	GATEWAYS_MAX = 16,
	CHILDREN_MAX = 4 * SETS_MAX + JOBS_MAX + GATEWAYS_MAX + 3,

	UID_SECURITY = 200001,
	UID_NITERD = 200002,
	UID_WIRE = 200003,
	UID_JOB = 200010,     /* + number of the job */
	UID_GATEWAY = 200030, /* + number of the gateway */
	UID_SET =
		201000, /* + 16 * number of the set + 0 hypervisor, 1 storage card, 2 network card, 3 metadata */
	UID_SET_STEP = 16,

	/*
	 * PCI device numbers of an instance's functions. As on EC2 the root volume is 4 and the primary interface 5.
	 * Every function has its number whatever else there is, so that what a guest calls it never changes.
	 */
	SLOT_ROOT = 4,
	SLOT_INTERFACE = 5, /* + number of the interface */
	SLOT_VOLUME =
		SLOT_INTERFACE + CTL_INTERFACES_MAX - 1, /* + number of the volume, 1 and more */
};

#define NS_PER_MS ((uint64_t)1000000)
#define NS_PER_S (1000 * NS_PER_MS)
#define NEVER UINT64_MAX

enum ref_type { REF_SIGNAL, REF_PID, REF_CTL, REF_LOG };

enum child_kind {
	CHILD_NONE, /* free slot */
	CHILD_SECURITY,
	CHILD_NITERD,
	CHILD_FORMAT,
	CHILD_HYPERVISOR,
	CHILD_CARD,
	CHILD_NETCARD,
	CHILD_METADATA,
	CHILD_WIRE,
	CHILD_GATEWAY,
};

/* Lines of one child on their way to our log. */
struct child_log {
	char line[1000];
	unsigned len;
	bool cut;           /* the rest of this line is dropped */
	uint32_t dropped;   /* lines over the limit */
	struct bucket rate; /* lines */
};

struct child {
	enum child_kind kind;
	pid_t pid;
	int pidfd, ctl, log; /* owned; -1: closed */
	uid_t uid;
	uint64_t start_ns;
	int cgroup_parent; /* borrowed from the set or from cgroups.host_fd; -1: none */
	char cgroup[CTL_NAME_MAX];
	struct set *set; /* CHILD_HYPERVISOR, CHILD_CARD, CHILD_NETCARD, CHILD_METADATA: whose */
	struct job *job; /* CHILD_FORMAT: whose */
	struct gateway *gateway; /* CHILD_GATEWAY: whose */
	struct loop_ref pid_ref, ctl_ref, log_ref;
	struct child_log out;
};

enum set_state {
	SET_FREE,
	SET_ATTACHING, /* its processes live; security answers for the grants, the cards for volumes and interfaces, the wire for ports */
	SET_BOOTING,   /* the hypervisor has its configuration */
	SET_RUNNING,   /* the guest runs; niterd was told */
	SET_ENDING,    /* all were killed; waiting for their ends */
	SET_CLEANING,  /* waiting for the kernel to let the cgroups go */
	SET_STATES,
};

enum set_event {
	SET_EV_STARTED,  /* the processes are there */
	SET_EV_ATTACHED, /* every grant, volume, interface and port acknowledged */
	SET_EV_READY,    /* CTL_HV_READY */
	SET_EV_END,      /* failure, guest's end, kill, time-out: the reason is in the set */
	SET_EV_REAPED,   /* no process left */
	SET_EV_CLEAN,    /* no cgroup left */
	SET_EVENTS,
};

/*
 * One packet ring of the wire: an interface's or a gateway's. Its descriptors stay here for a wire that is started again.
 * @id: empty: there is none
 */
struct wire_port {
	char id[CTL_ID_MAX];
	int ring;
	int user_kick,
		wire_kick; /* eventfds: signalled by the card or gateway, signalled by the wire */
	uint32_t seq;      /* of the last CTL_WIRE_PORT_ADD */
	bool ready;        /* the present wire has it */
};

/* What a set with interfaces still waits for while it attaches. */
enum set_net_wait { NET_WAIT_CARD = 1, NET_WAIT_METADATA = 2, NET_WAIT_SIGN = 4 };

/* One instance on this host. */
struct set {
	enum set_state state;
	short num; /* index in the table; chooses the uids */
	struct ctl_l_instance_start conf;
	uint32_t req_seq; /* niterd's CTL_L_INSTANCE_START */
	bool answered;    /* CTL_L_INSTANCE_STARTED was sent (or nobody waits for it any more) */
	uint64_t deadline_ns; /* of the present state */
	uint64_t start_ns;    /* the request was read */
	struct ctl_l_instance_started times;
	struct child *hv, *card, *net, *meta; /* NULL: not there (any more) */
	uint32_t sec_seq;                     /* grants have sec_seq … sec_seq + volume_cnt - 1 */
	uint32_t grants_left;                 /* bit k: volume k's grant is not acknowledged yet */
	uint32_t volumes_left;                /* bit k: volume k is not served yet */
	uint32_t sign_seq;                    /* the metadata process's grant */
	uint32_t net_left;                    /* enum set_net_wait */
	uint32_t nics_left;                   /* bit k: interface k is not served yet */
	struct wire_port port[CTL_INTERFACES_MAX];
	bool mem_taken;
	int cgroup_fd; /* <root>/niter/<instance> */
	int service, service_net,
		service_meta; /* niterd's ends of the service sockets; niterd gets copies */
	/* kept for CTL_HV_CONFIG, closed when it is sent */
	int ram, kernel, initrd, service_hv;
	int vfio[CTL_VOLUMES_MAX], vfio_nic[CTL_INTERFACES_MAX];
	uint16_t reason; /* enum ctl_exit_reason, 0 none yet */
	int err;
	char text[CTL_TEXT_MAX];
};

enum job_state { JOB_FREE, JOB_FORMATTING, JOB_ENDING, JOB_DESTROYING };

/* One volume in the making. */
struct job {
	enum job_state state;
	unsigned num;
	char volume_id[CTL_ID_MAX];
	uint32_t req_seq, sec_seq;
	bool asked;   /* niterd still waits for the answer */
	bool granted; /* security acknowledged (or was at least asked for) the channel */
	bool acked;   /* the program said it succeeded */
	int file;     /* unnamed file in the volumes directory */
	int err;
	char text[CTL_TEXT_MAX];
	uint64_t deadline_ns;
	struct child *child;
};

/* A volume being destroyed: its key first, then its file. */
struct deletion {
	bool used, asked;
	char volume_id[CTL_ID_MAX];
	uint32_t req_seq, sec_seq;
};

enum gateway_state { GW_FREE, GW_STARTING, GW_RUNNING, GW_ENDING };

/* The way out of one network. */
struct gateway {
	enum gateway_state state;
	unsigned num;  /* index in the table; chooses the uid */
	uint8_t block; /* 100.64.<block>.0/24 and the device nitergw<block> are its own */
	struct ctl_l_gateway_start conf;
	uint32_t req_seq;
	bool answered; /* CTL_L_GATEWAY_STARTED was sent, or nobody waits for it any more */
	bool acked;    /* the process has its configuration */
	struct child *child;
	struct wire_port port;
	int service; /* niterd's end */
	int err;
	char text[CTL_TEXT_MAX];
	uint64_t deadline_ns;
};

/* The kernel's part in all ways out. */
struct nat {
	int sock; /* netlink; -1: this kernel cannot */
	bool on;
	bool forwarding_ours; /* switched on for the uplink by us */
	struct nft_rules rules;
	char text[CTL_TEXT_MAX / 2]; /* what is wrong; empty: nothing */
};

enum security_state { SEC_STARTING, SEC_RUNNING, SEC_LOST };

struct launcher {
	/* arguments */
	const char *mode, *state_path, *run_path, *libexec, *tpm_path, *tpm_kind;
	const char *ports[PORTS_MAX];
	unsigned port_cnt;
	bool lab;
	enum cores_policy placement;
	uint64_t reserve;
	const char *overlay; /* ADDR:PORT of the wire's socket */
	const char *api;     /* ADDR:PORT of the EC2 API; NULL: none */
	const char *uplink;  /* device of the ways out; NULL: that of the default route */

	struct loop loop;
	struct loop_ref signal_ref;
	int signal_fd, null_fd;
	int state_fd, images_fd, volumes_fd, security_fd; /* directories below state_path */
	int lock_fd;                                      /* the state directory again, locked */
	int libexec_fd;
	int listener; /* the operators' socket (hosted), or -1 */
	int api_fd;   /* listening socket of the EC2 API, or -1 */
	int port[PORTS_MAX];
	int tpm;        /* until it is handed over */
	int netns;      /* the network namespace the launcher is in */
	int overlay_fd; /* the wire's UDP socket; each wire gets a copy */
	uint16_t overlay_mtu;
	struct cgroups cgroups;
	struct cores cores;
	struct memory memory;
	char cpus_host[CORES_TEXT_MAX]; /* where everything but hypervisors runs; empty: anywhere */

	struct child children[CHILDREN_MAX];
	struct set sets[SETS_MAX];
	struct job jobs[JOBS_MAX];
	struct deletion deletions[DELETES_MAX];
	struct gateway gateways[GATEWAYS_MAX];
	uint8_t gateway_block; /* next one to try */
	struct nat nat;

	struct child *wire;
	int wire_service;    /* niterd's end */
	uint32_t wire_seq;   /* last one used */
	uint64_t wire_at_ns; /* start it then; NEVER: no */
	uint64_t wire_backoff_ns;
	char wire_text[CTL_TEXT_MAX]; /* why there is none; empty: it runs */

	struct child *security;
	enum security_state sec_state;
	uint32_t sec_seq; /* last one used */
	uint32_t sec_config_seq, sec_status_seq;
	uint64_t sec_deadline_ns;
	struct ctl_sec_status sec_status;
	char sec_text[CTL_TEXT_MAX]; /* why it is lost */

	struct child *niterd;
	uint64_t niterd_at_ns; /* start it then; NEVER: no */
	uint64_t niterd_backoff_ns;

	bool stopping;
	uint64_t stop_deadline_ns; /* for the present step of the stop */

	struct ctl_msg msg; /* the one being handled */
	struct ctl_l_processes report;
};

/* ---- child.c */

/**
 * child_start() - a program in its own cgroup below @cgroup_parent
 * @program:  file name below the libexec directory; also the cgroup's name unless @cgroup is given
 * Return: 0 and *ret (its slot), or -errno with one line in @text (CTL_TEXT_MAX).
 */
MUST_USE int child_start(struct launcher *l, enum child_kind kind, const char *program, uid_t uid,
			 int cgroup_parent, const char *cgroup, const struct cgroup_limits *lim,
			 struct child **ret, char *text);
/* child_send(): non-blocking. A child whose socket is full or closed is broken; the caller ends it. */
MUST_USE int child_send(struct child *c, enum ctl_type type, uint32_t seq, const void *body,
			const int *fds, unsigned fd_cnt);
void child_kill(struct child *c); /* NULL is fine; its end comes as an event */
/* child_log_read(): what it wrote, line by line, into our log. */
void child_log_read(struct launcher *l, struct child *c);
/* child_is_dead(): did it end, and waits to be reaped? */
bool child_is_dead(const struct child *c);
/* child_reap(): @ret_how is how it ended, "was killed by signal 9 (SIGKILL)". The slot is free afterwards. */
void child_reap(struct launcher *l, struct child *c, char *ret_how, size_t cap);
const char *child_program(enum child_kind kind);
void child_limits_host(const struct launcher *l, struct cgroup_limits *ret);

/* child_installed(): is there such a program? */
bool child_installed(const struct launcher *l, enum child_kind kind);

/* ---- set.c */
struct set *set_find(struct launcher *l, const char *instance_id);
/* set_end(): the set ends for this reason; the first reason stays. Text is for a person. */
void set_end(struct launcher *l, struct set *s, enum ctl_exit_reason reason, int err,
	     const char *fmt, ...) PRINTF_LIKE(5, 6);
void set_move(struct launcher *l, struct set *s, enum set_event ev);
void set_ctl(struct launcher *l, struct child *c, const struct ctl_msg *m);
void set_ctl_lost(struct launcher *l, struct child *c, int err);
void set_child_gone(struct launcher *l, struct set *s, enum child_kind kind, const char *how);
void set_grant_ack(struct launcher *l, uint32_t seq, const struct ctl_ack *ack);
void set_timer(struct launcher *l, struct set *s, uint64_t now_ns);
void set_requester_lost(struct launcher *l);
bool set_uses_volume(struct launcher *l, const char *volume_id);
/* set_next(): where [state][event] leads; SET_STATES: not allowed there. */
enum set_state set_next(enum set_state state, enum set_event ev);
void set_answer(struct launcher *l, struct set *s, int err);
/* set_attached(): something was acknowledged: goes on when it was the last. */
void set_attached(struct launcher *l, struct set *s);
/* set_send_started(): CTL_L_INSTANCE_STARTED with its service sockets. */
int set_send_started(struct launcher *l, struct set *s, uint32_t seq);

/* ---- set_start.c */
void set_start(struct launcher *l, uint32_t seq, const struct ctl_l_instance_start *conf);
/* set_boot(): hands the hypervisor all it needs. */
MUST_USE int set_boot(struct launcher *l, struct set *s);
void set_fds_done(struct set *s);
/* START_FAIL(): ends the set with this reason. Its value: @err. */
#define START_FAIL(l, s, err, ...)                                                                 \
	({                                                                                         \
		int err_ = (err);                                                                  \
		set_end(l, s, CTL_EXIT_INTERNAL, err_, __VA_ARGS__);                               \
		err_;                                                                              \
	})

/* ---- set_net.c: nothing in there for a set without interfaces */
/* set_net_init(): no descriptor is open. */
void set_net_init(struct set *s);
/* set_net_start(): the two processes; set_net_attach(): their first messages. -errno after START_FAIL(). */
MUST_USE int set_net_start(struct launcher *l, struct set *s, uid_t uid);
MUST_USE int set_net_attach(struct launcher *l, struct set *s);
/* set_net_memory(): bytes that the network part of a set needs, besides the guest's memory. */
uint64_t set_net_memory(const struct ctl_l_instance_start *c);
/* set_net_wrong(): what is wrong with the interfaces of @c; NULL: nothing. */
const char *set_net_wrong(const struct ctl_l_instance_start *c);
bool set_net_waits(const struct set *s);
/* set_net_late(): whom a set that attaches too long waits for. */
const char *set_net_late(const struct launcher *l, const struct set *s);
void set_net_ctl(struct launcher *l, struct child *c, const struct ctl_msg *m);
/* set_net_boot(): adds the hypervisor's functions to @conf and @fds. Return: number of descriptors now. */
unsigned set_net_boot(struct set *s, struct ctl_hv_config *conf, int *fds, unsigned cnt);
/* set_net_end(): rings and sockets go. */
void set_net_end(struct launcher *l, struct set *s);

/* ---- wire.c */

/* A new wire gets every port at once, before it reads the first: the socket must hold them all. */
enum { WIRE_CTL_BYTES = 4 << 20 };

/* wire_open(): its socket, while everything is allowed. A failure only means: no network on this host. */
void wire_open(struct launcher *l);
void wire_start(struct launcher *l);
void wire_ctl(struct launcher *l, const struct ctl_msg *m);
void wire_gone(struct launcher *l, const char *how, uint64_t lived_ns);
/* wire_announce(): tells niterd of the wire that runs, if one does. */
void wire_announce(struct launcher *l);
/* wire_wrong(): why nothing can have a port; NULL: nothing is wrong. */
const char *wire_wrong(const struct launcher *l);
void wire_port_init(struct wire_port *p);
MUST_USE int wire_port_new(struct wire_port *p, const char *id);
/* wire_port_add(): to the wire; if none runs, the next one gets it. */
void wire_port_add(struct launcher *l, struct wire_port *p);
void wire_port_del(struct launcher *l, struct wire_port *p);
/* wire_port_known(): is an interface or gateway of this name here? */
bool wire_port_known(struct launcher *l, const char *id);

/* ---- gateway.c */
void gateway_start(struct launcher *l, uint32_t seq, const struct ctl_l_gateway_start *conf);
void gateway_stop(struct launcher *l, uint32_t seq, const struct ctl_l_gateway_ref *ref);
void gateway_end(struct launcher *l, struct gateway *g, int err, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void gateway_ctl(struct launcher *l, struct gateway *g, const struct ctl_msg *m);
void gateway_child_gone(struct launcher *l, struct gateway *g, const char *how);
/* gateway_ready(): something was acknowledged. */
void gateway_ready(struct launcher *l, struct gateway *g);
void gateway_timer(struct launcher *l, struct gateway *g, uint64_t now_ns);
void gateway_requester_lost(struct launcher *l);

/* ---- nat.c */
/* nat_init(): asks the kernel whether it can, while everything is allowed. */
void nat_init(struct launcher *l);
/* nat_on(): for the first gateway. Return: 0, or -errno with the reason in @text. */
MUST_USE int nat_on(struct launcher *l, char text[CTL_TEXT_MAX]);
/* nat_off(): nothing of it is left. */
void nat_off(struct launcher *l);
void nat_forward_add(struct launcher *l, uint32_t seq, const struct ctl_l_forward *f);
void nat_forward_del(struct launcher *l, uint32_t seq, const struct ctl_l_forward_ref *f);
/* nat_forwards_forget(): all that lead to 100.64.<block>.0/24. */
void nat_forwards_forget(struct launcher *l, uint8_t block);
/* nat_way_out(): for host status. */
void nat_way_out(const struct launcher *l, char ret[CTL_TEXT_MAX]);

/* ---- pin.c */
/* set_pin(): each thread of its hypervisor to a hardware thread of the set's own cores. Nothing in shared mode. */
void set_pin(struct launcher *l, const struct set *s);

/* ---- job.c */
void job_start(struct launcher *l, uint32_t seq, const struct ctl_l_volume_create *conf);
void job_ctl(struct launcher *l, struct child *c, const struct ctl_msg *m);
void job_fail(struct launcher *l, struct job *j, int err, const char *fmt, ...) PRINTF_LIKE(4, 5);
void job_child_gone(struct launcher *l, struct job *j, const char *how);
void job_timer(struct launcher *l, struct job *j, uint64_t now_ns);
void job_requester_lost(struct launcher *l);
void delete_start(struct launcher *l, uint32_t seq, const struct ctl_l_volume_delete *conf);
/* job_sec_ack(): an answer of niter-security. Return: it was for a job or a deletion. */
bool job_sec_ack(struct launcher *l, uint32_t seq, int err, const char *text);
void job_security_lost(struct launcher *l);

/* ---- security.c */
void security_start(struct launcher *l);
void security_ctl(struct launcher *l, const struct ctl_msg *m);
void security_lost(struct launcher *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
void security_timer(struct launcher *l, uint64_t now_ns);
void security_status_ask(struct launcher *l);
/* security_grant(): hands one end of a key channel over (@fd -1: one more volume on the same). -errno. */
MUST_USE int security_grant(struct launcher *l, const struct ctl_sec_channel *ch, int fd,
			    uint32_t *ret_seq);
MUST_USE int security_destroy(struct launcher *l, const char *volume_id, uint32_t *ret_seq);

/* ---- controller.c */
void controller_start(struct launcher *l);
void controller_ctl(struct launcher *l, const struct ctl_msg *m);
void controller_gone(struct launcher *l, const char *how, uint64_t lived_ns);
/* controller_send(): to niterd if it is there. Return: -ENOTCONN, -errno of the socket. */
int controller_send(struct launcher *l, enum ctl_type type, uint32_t seq, const void *body,
		    const int *fds, unsigned fd_cnt);
void controller_ack(struct launcher *l, uint32_t seq, int err, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* ---- processes.c */
void processes_report(struct launcher *l, uint32_t page, struct ctl_l_processes *ret);

/* ---- state_dir.c */
MUST_USE int state_dir_open(struct launcher *l);
MUST_USE int listener_open(const char *run_path, int *ret);
/* The socket file, at the end: clients then say that no host runs, not that it does not answer. */
void listener_remove(const char *run_path);

/* ---- api.c */
/* address_parse(): "127.0.0.1:8773". Return: 0, -EINVAL. */
MUST_USE int address_parse(const char *text, struct sockaddr_in *ret);
/* api_open(): api_fd, when there is to be one; a host whose address is taken runs without. */
void api_open(struct launcher *l);

/* ---- seal.c */
MUST_USE int seal_caps(void);
MUST_USE int seal_syscalls(void);

/* ---- stop.c */
void launcher_stop(struct launcher *l, const char *why);
/* launcher_stop_step(): goes on with the stop. Return: everything is gone. */
bool launcher_stop_step(struct launcher *l, uint64_t now_ns);
