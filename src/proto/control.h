/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The control protocol: everything our own processes say to each other, on SOCK_SEQPACKET pairs that the
 * launcher made. One message is one packet: a 16-byte header, then the fields of its struct in order,
 * little-endian, strings and byte fields with a 16-bit length before them. Descriptors ride along
 * (SCM_RIGHTS), their count and order are part of the message. docs/wire/control.md is the wire page.
 *
 * Every message is described by one row of a field table in control.c; ctl_send() and ctl_recv() are the only
 * encoder and decoder. A message of unknown type, wrong length, wrong descriptor count, or a string with a NUL
 * or too long for its array is -EPROTO, and its descriptors are closed.
 *
 * The first inherited descriptor of every program the launcher starts is its control socket: CTL_FD.
 */

#include <stdint.h>

#include "base/attr.h"
#include "base/fd.h"

enum {
	CTL_FD = 3,
	CTL_VERSION = 1,
	CTL_MSG_MAX = 60 * 1024, /* bytes, header included */

	CTL_ID_MAX = 24,       /* "i-0123456789abcdef0", "vol-…", "ami-…", account ids; with NUL */
	CTL_NAME_MAX = 64,     /* device name, instance type; with NUL */
	CTL_TEXT_MAX = 512,    /* one line for a person; with NUL */
	CTL_CMDLINE_MAX = 2048, /* kernel command line; with NUL */
	CTL_VOLUMES_MAX = 16,
	CTL_FUNCTIONS_MAX = 24, /* assigned PCI functions of one instance */
	CTL_WRAPPED_MAX = 256,  /* a wrapped data key */
	CTL_KEY_BYTES = 64,     /* AES-256-XTS: two independent 256-bit keys */
	CTL_CHUNK_MAX = 32 * 1024,
};

enum ctl_type {
	/* launcher -> hypervisor */
	CTL_HV_CONFIG = 0x0100,  /* fds: kvm, ram memfd, kernel, service socket, [initrd], then a vfio-user socket per function */
	CTL_HV_KILL = 0x0101,    /* end now */
	/* hypervisor -> launcher */
	CTL_HV_READY = 0x0180,   /* just before the first KVM_RUN */
	CTL_HV_EXIT = 0x0181,    /* the guest ended; the process exits after it */

	/* niterd -> hypervisor, on the instance's service socket; every request has one answer */
	CTL_SVC_CONSOLE_READ = 0x0200,
	CTL_SVC_POWER_BUTTON = 0x0201, /* answer: CTL_ACK */
	CTL_SVC_RESET = 0x0202,        /* answer: CTL_ACK */
	CTL_SVC_STATS_READ = 0x0203,
	/* hypervisor -> niterd */
	CTL_SVC_CONSOLE_DATA = 0x0280,
	CTL_SVC_STATS = 0x0281,

	/* launcher -> card */
	CTL_CARD_CONFIG = 0x0300,        /* fds: key channel (to niter-security) */
	CTL_CARD_VOLUME_ADD = 0x0301,    /* fds: backing file, vfio-user socket. answer: CTL_ACK once the key is in and the function serves */
	/* niter-volume-format */
	CTL_FORMAT_JOB = 0x0400,         /* launcher -> it; fds: backing file, key channel, [image file] */
	CTL_FORMAT_PROGRESS = 0x0480,
	/* ... and it ends with CTL_ACK, then exits */

	/* launcher -> security. answers: CTL_ACK, or the status */
	CTL_SEC_CONFIG = 0x0500,         /* fds: store directory, [tpm device] */
	CTL_SEC_CHANNEL = 0x0501,        /* fds: key channel */
	CTL_SEC_VOLUME_DESTROY = 0x0502,
	CTL_SEC_STATUS_READ = 0x0503,
	CTL_SEC_STATUS = 0x0580,
	/* on a key channel: card or volume-format asks, security answers */
	CTL_KEY_CREATE = 0x0510,         /* volume-format only */
	CTL_KEY_UNWRAP = 0x0511,         /* card only */
	CTL_KEY_DATA = 0x0590,

	/* niterd -> launcher; CTL_ACK answers unless said otherwise */
	CTL_L_VOLUME_CREATE = 0x0600,    /* CTL_L_PROGRESS any number of times, then CTL_ACK */
	CTL_L_VOLUME_DELETE = 0x0601,
	CTL_L_INSTANCE_START = 0x0602,   /* CTL_L_INSTANCE_STARTED */
	CTL_L_INSTANCE_KILL = 0x0603,    /* CTL_ACK, then CTL_L_INSTANCE_GONE when nothing of it is left */
	CTL_L_HOST_READ = 0x0604,        /* CTL_L_HOST */
	CTL_L_PROCESSES_READ = 0x0605,   /* CTL_L_PROCESSES in pages */
	CTL_L_HOST_STOP = 0x0606,        /* ends every instance and the launcher; in the host image the machine powers off */
	CTL_L_INSTANCES_READ = 0x0607,   /* one CTL_L_INSTANCE_STARTED per living instance with a fresh service socket, then CTL_ACK: for a restarted niterd */
	/* launcher -> niterd */
	CTL_L_CONFIG = 0x0680,           /* first message to niterd; fds: [API listener], [state directory], [a stream per control port] */
	CTL_L_PROGRESS = 0x0681,
	CTL_L_INSTANCE_STARTED = 0x0682, /* fds: service socket (none on error) */
	CTL_L_INSTANCE_GONE = 0x0683,    /* event, seq 0 */
	CTL_L_HOST = 0x0684,
	CTL_L_PROCESSES = 0x0685,

	CTL_ACK = 0x0001,                /* answers the request with the same seq */
};

/* Byte strings carry their own length. */
struct ctl_bytes_wrapped {
	uint16_t len;
	uint8_t b[CTL_WRAPPED_MAX];
};
struct ctl_bytes_key {
	uint16_t len; /* 0 or CTL_KEY_BYTES */
	uint8_t b[CTL_KEY_BYTES];
};
struct ctl_bytes_chunk {
	uint16_t len;
	uint8_t b[CTL_CHUNK_MAX];
};

struct ctl_ack {
	int32_t err; /* 0 or -errno */
	char text[CTL_TEXT_MAX]; /* what went wrong and what to do, for a person; empty when err is 0 */
};

struct ctl_hv_config {
	char instance_id[CTL_ID_MAX];
	char type_name[CTL_NAME_MAX]; /* SMBIOS product, "t3.micro" */
	uint8_t uuid[16];             /* SMBIOS order of printing: begins ec2… */
	uint16_t cores;
	uint8_t threads;              /* per core: 1 or 2 */
	uint8_t has_initrd;
	uint64_t ram_bytes;
	char cmdline[CTL_CMDLINE_MAX];
	uint16_t slot_cnt;
	uint8_t slot[CTL_FUNCTIONS_MAX]; /* device number on bus 0 of function k, slot_cnt of them on the wire */
};

struct ctl_hv_ready {
	uint64_t cpu_us;   /* CPU time of the process so far */
	uint32_t syscalls_hint; /* 0: unknown */
};

enum ctl_exit_reason { CTL_EXIT_SHUTDOWN = 1, CTL_EXIT_TRIPLE_FAULT, CTL_EXIT_CARD_LOST, CTL_EXIT_INTERNAL, CTL_EXIT_KILLED };

struct ctl_hv_exit {
	uint16_t reason; /* enum ctl_exit_reason */
	char text[CTL_TEXT_MAX];
};

struct ctl_svc_console_read {
	uint64_t off; /* bytes since the instance's start */
	uint32_t max; /* bytes wanted; clipped to CTL_CHUNK_MAX */
};
struct ctl_svc_console_data {
	uint64_t off;  /* of data[0]; greater than asked when the ring has dropped older bytes */
	uint64_t end;  /* bytes written so far */
	struct ctl_bytes_chunk data;
};
struct ctl_svc_stats {
	uint64_t exits, exits_pio, exits_mmio, exits_hlt, doorbells, resets;
	uint64_t cpu_us;
};

struct ctl_card_config {
	char instance_id[CTL_ID_MAX];
};
struct ctl_card_volume_add {
	char volume_id[CTL_ID_MAX];   /* "vol-" + 17 hex */
	char device_name[CTL_NAME_MAX]; /* "/dev/xvda", what EBS shows in the vendor area */
	uint8_t read_only;
};

struct ctl_format_job {
	char volume_id[CTL_ID_MAX];
	uint64_t size; /* bytes, multiple of 4096 */
	uint8_t has_image;
};
struct ctl_format_progress {
	uint64_t done, total; /* bytes */
};

struct ctl_sec_config {
	uint8_t lab; /* 1: this boot is not measured; the root key is marked "lab" */
	char tpm_kind[CTL_NAME_MAX]; /* "swtpm", "hardware", "none" */
};
enum ctl_key_purpose { CTL_KEY_FOR_FORMAT = 1, CTL_KEY_FOR_CARD = 2 };
struct ctl_sec_channel {
	uint16_t purpose; /* enum ctl_key_purpose */
	char account_id[CTL_ID_MAX];
	char instance_id[CTL_ID_MAX]; /* empty for a format job */
	char volume_id[CTL_ID_MAX];   /* the one volume this grant is for; repeat the message without fd for more */
};
struct ctl_sec_volume_destroy {
	char volume_id[CTL_ID_MAX];
};
struct ctl_sec_status {
	char tpm_kind[CTL_NAME_MAX];
	uint8_t lab;
	char root_key[CTL_NAME_MAX]; /* "sealed", "sealed (lab)", "absent: …" */
	uint32_t volume_cnt;
	uint32_t release_cnt; /* data keys released since boot */
};
/* What the wrap binds (associated data). All of it comes from the volume's header, or will be written there. */
struct ctl_key_request {
	char volume_id[CTL_ID_MAX];
	char cipher[CTL_NAME_MAX]; /* "aes-xts-plain64" */
	uint32_t sector_bytes;     /* 4096 */
	uint64_t payload_off;      /* bytes */
	uint64_t size;             /* bytes of the payload */
	struct ctl_bytes_wrapped wrapped; /* empty for CTL_KEY_CREATE */
};
struct ctl_key_data {
	char volume_id[CTL_ID_MAX];
	int32_t err;
	char text[CTL_TEXT_MAX];
	struct ctl_bytes_key key;
	struct ctl_bytes_wrapped wrapped; /* CTL_KEY_CREATE's answer only */
};

struct ctl_l_volume_create {
	char volume_id[CTL_ID_MAX];
	char account_id[CTL_ID_MAX];
	uint64_t size;           /* bytes */
	char image_id[CTL_ID_MAX]; /* empty: a blank volume */
};
struct ctl_l_volume_delete {
	char volume_id[CTL_ID_MAX];
};
struct ctl_l_volume_ref {
	char volume_id[CTL_ID_MAX];
	char device_name[CTL_NAME_MAX];
	uint8_t read_only;
};
struct ctl_l_instance_start {
	char instance_id[CTL_ID_MAX];
	char account_id[CTL_ID_MAX];
	char image_id[CTL_ID_MAX]; /* kernel and initrd come from it */
	char type_name[CTL_NAME_MAX];
	uint8_t uuid[16];
	uint16_t cores;
	uint8_t threads;
	uint64_t ram_bytes;
	char cmdline[CTL_CMDLINE_MAX];
	uint16_t volume_cnt;
	struct ctl_l_volume_ref volume[CTL_VOLUMES_MAX]; /* volume_cnt of them on the wire; [0] is the root volume */
};
struct ctl_l_progress {
	char step[CTL_NAME_MAX];
	uint64_t done, total;
};
struct ctl_l_instance_started {
	char instance_id[CTL_ID_MAX];
	int32_t err;
	char text[CTL_TEXT_MAX];
	/* phases, microseconds since the launcher read the request */
	uint64_t jail_us, key_us, attach_us, first_run_us;
	uint64_t hv_cpu_us;
};
struct ctl_l_instance_kill {
	char instance_id[CTL_ID_MAX];
};
struct ctl_l_instance_gone {
	char instance_id[CTL_ID_MAX];
	uint16_t reason; /* enum ctl_exit_reason */
	char text[CTL_TEXT_MAX];
};
struct ctl_l_config {
	char host_mode[CTL_NAME_MAX]; /* "server", "hosted", "simulated" */
	uint8_t has_listener, has_state_dir;
	uint16_t port_cnt; /* control ports (virtio-serial) handed over as descriptors */
};
struct ctl_l_host {
	char mode[CTL_NAME_MAX];
	char placement[CTL_NAME_MAX]; /* "whole-cores" or "shared-core lab" */
	uint16_t cores, threads;
	uint16_t cores_free;
	uint64_t ram_bytes, ram_free_bytes;
	char tpm_kind[CTL_NAME_MAX];
	char root_key[CTL_NAME_MAX];
	uint8_t lab;
	char security[CTL_NAME_MAX]; /* "running" or "lost: drain and reboot this host" */
};
struct ctl_l_processes_read {
	uint32_t page; /* 0 … */
};
struct ctl_l_processes {
	uint8_t more;
	struct ctl_bytes_chunk lines; /* JSON objects, one a line, one a process; docs/wire/control.md lists the members */
};

/* The union of all, so that a receiver needs one buffer. About CTL_CHUNK_MAX bytes: keep it off small stacks. */
union ctl_any {
	struct ctl_ack ack;
	struct ctl_hv_config hv_config;
	struct ctl_hv_ready hv_ready;
	struct ctl_hv_exit hv_exit;
	struct ctl_svc_console_read svc_console_read;
	struct ctl_svc_console_data svc_console_data;
	struct ctl_svc_stats svc_stats;
	struct ctl_card_config card_config;
	struct ctl_card_volume_add card_volume_add;
	struct ctl_format_job format_job;
	struct ctl_format_progress format_progress;
	struct ctl_sec_config sec_config;
	struct ctl_sec_channel sec_channel;
	struct ctl_sec_volume_destroy sec_volume_destroy;
	struct ctl_sec_status sec_status;
	struct ctl_key_request key_request;
	struct ctl_key_data key_data;
	struct ctl_l_volume_create l_volume_create;
	struct ctl_l_volume_delete l_volume_delete;
	struct ctl_l_instance_start l_instance_start;
	struct ctl_l_progress l_progress;
	struct ctl_l_instance_started l_instance_started;
	struct ctl_l_instance_kill l_instance_kill;
	struct ctl_l_instance_gone l_instance_gone;
	struct ctl_l_config l_config;
	struct ctl_l_host l_host;
	struct ctl_l_processes_read l_processes_read;
	struct ctl_l_processes l_processes;
};

struct ctl_msg {
	enum ctl_type type;
	uint32_t seq;       /* chosen by the asker, repeated in the answer; 0 for events */
	union ctl_any u;
	struct fd_list fds; /* received descriptors, owned */
};

/**
 * ctl_send() - encode one message and send it
 * @body: the struct that belongs to @type; NULL for types without a body
 * @fds:  borrowed
 *
 * The encoding buffer is wiped afterwards when the type can carry a key.
 * Return: 0, -EMSGSIZE if it does not fit, -errno of the socket.
 */
MUST_USE int ctl_send(int sock, enum ctl_type type, uint32_t seq, const void *body, const int *fds, unsigned fd_cnt);

/**
 * ctl_recv() - receive and decode one message
 * @ret: meaningful on success only; ->fds then owned by the caller (ctl_msg_done())
 *
 * Return: 1 a message, 0 the peer closed, -EAGAIN, -EPROTO, -errno.
 */
MUST_USE int ctl_recv(int sock, struct ctl_msg *ret);

/* ctl_msg_done(): closes descriptors nobody took, wipes keys. */
void ctl_msg_done(struct ctl_msg *m);

/* ctl_ack(): CTL_ACK with @err and a line made from @fmt (may be NULL). */
MUST_USE int ctl_ack(int sock, uint32_t seq, int err, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* ctl_decode(): the parser alone, for fuzzing and tests; @fd_cnt descriptors came along. */
MUST_USE int ctl_decode(const void *buf, size_t len, unsigned fd_cnt, struct ctl_msg *ret);
/* ctl_encode(): the encoder alone. Return: bytes, or -EMSGSIZE / -EINVAL. */
MUST_USE int ctl_encode(enum ctl_type type, uint32_t seq, const void *body, unsigned fd_cnt, void *buf, size_t cap);
