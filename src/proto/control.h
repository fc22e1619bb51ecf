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
	CTL_VERSION = 3,
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
	CTL_PATH_MAX = 256,     /* path of a metadata item, without the version; with NUL */
	CTL_INTERFACES_MAX = 8, /* network interfaces of one instance */
	CTL_ADDRESSES_MAX = 32, /* addresses of one interface */
	CTL_RULES_MAX = 1000,   /* security group rules of one interface, group references resolved */
	CTL_ROUTES_MAX = 100,
	CTL_MAPPINGS_MAX = 500, /* of one message */
	CTL_TUNNEL_MESSAGE_MAX = 1200,
	CTL_CERTIFICATE_MAX = 1024, /* DER */
	CTL_FINGERPRINT_BYTES = 32, /* SHA-256 of a host's identity key (DER SubjectPublicKeyInfo) */
	CTL_UUID_MAX = 40,      /* a KMS key's id as text; with NUL */
	CTL_API_SECRET_BYTES = 40, /* a secret access key, as people get it */
	CTL_API_SEALED_MAX = 256,  /* the same as niterd keeps it */
	CTL_API_DATE_MAX = 12,     /* "20261123"; with NUL */
	CTL_SIGNING_KEY_BYTES = 32,
	CTL_KMS_DIGEST_BYTES = 32, /* SHA-256 of an encryption context; docs/wire/kms-blob.md */
	CTL_KMS_BYTES_MAX = 6144,  /* of a plaintext or a ciphertext blob */
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
	/* launcher -> network card; CTL_ACK answers each */
	CTL_NETCARD_CONFIG = 0x0310,     /* fds: service socket, TAP to the metadata process */
	CTL_NETCARD_INTERFACE_ADD = 0x0311, /* fds: packet ring, eventfd the card signals, eventfd it waits for, vfio-user socket */

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
	/* on the wire's channel: tunnels to other hosts. docs/wire/tunnel.md */
	CTL_TUN_PEER_SET = 0x0520,       /* wire -> security: who may be there */
	CTL_TUN_START = 0x0521,          /* wire -> security: make new keys with this peer */
	CTL_TUN_MESSAGE = 0x0522,        /* both ways: a handshake message that came from, or goes to, the peer */
	CTL_TUN_KEY_READ = 0x0523,       /* wire -> security; CTL_TUN_KEY */
	CTL_TUN_READY = 0x05a0,          /* security -> wire, event: an epoch is agreed on */
	CTL_TUN_KEY = 0x05a1,
	/* on a metadata process's channel */
	CTL_SIGN_IDENTITY = 0x0530,      /* CTL_SIGNED */
	CTL_SIGNED = 0x05b0,
	/* on niterd's channel: the secrets of access keys, and KMS. niterd asks, security answers */
	CTL_API_KEY_CREATE = 0x0540,     /* CTL_API_KEY */
	CTL_API_KEY_DERIVE = 0x0541,     /* CTL_API_KEY_DERIVED */
	CTL_API_KEY = 0x05c0,
	CTL_API_KEY_DERIVED = 0x05c1,
	CTL_KMS_KEY_CREATE = 0x0550,     /* these are all answered by CTL_KMS_ANSWER */
	CTL_KMS_KEY_DESTROY = 0x0551,    /* for good; a key that is not there is no error */
	CTL_KMS_KEY_STATE_SET = 0x0552,
	CTL_KMS_ENCRYPT = 0x0553,
	CTL_KMS_DECRYPT = 0x0554,
	CTL_KMS_DATA_KEY = 0x0555,
	CTL_KMS_RANDOM = 0x0556,
	CTL_KMS_ANSWER = 0x05d0,

	/* niterd -> launcher; CTL_ACK answers unless said otherwise */
	CTL_L_VOLUME_CREATE = 0x0600,    /* CTL_L_PROGRESS any number of times, then CTL_ACK */
	CTL_L_VOLUME_DELETE = 0x0601,
	CTL_L_INSTANCE_START = 0x0602,   /* CTL_L_INSTANCE_STARTED */
	CTL_L_INSTANCE_KILL = 0x0603,    /* CTL_ACK, then CTL_L_INSTANCE_GONE when nothing of it is left */
	CTL_L_HOST_READ = 0x0604,        /* CTL_L_HOST */
	CTL_L_PROCESSES_READ = 0x0605,   /* CTL_L_PROCESSES in pages */
	CTL_L_HOST_STOP = 0x0606,        /* ends every instance and the launcher; in the host image the machine powers off */
	CTL_L_INSTANCES_READ = 0x0607,   /* one CTL_L_INSTANCE_STARTED per living instance with a fresh service socket, then CTL_ACK: for a restarted niterd */
	CTL_L_GATEWAY_START = 0x0610,    /* CTL_L_GATEWAY_STARTED */
	CTL_L_GATEWAY_STOP = 0x0611,
	CTL_L_FORWARD_ADD = 0x0612,      /* a TCP port of this host leads to an instance */
	CTL_L_FORWARD_DEL = 0x0613,
	/* launcher -> niterd */
	CTL_L_CONFIG = 0x0680,           /* first message to niterd; fds: [operators' listener], [API listener], [state directory], [channel to security], [a stream per control port] */
	CTL_L_PROGRESS = 0x0681,
	CTL_L_INSTANCE_STARTED = 0x0682, /* fds: service socket of the hypervisor, [of the network card, of the metadata process]; none on error */
	CTL_L_INSTANCE_GONE = 0x0683,    /* event, seq 0 */
	CTL_L_HOST = 0x0684,
	CTL_L_PROCESSES = 0x0685,
	CTL_L_WIRE_STARTED = 0x0690,     /* event; fds: service socket of niter-wire. Again after each restart: send everything again */
	CTL_L_GATEWAY_STARTED = 0x0691,  /* fds: service socket of the gateway (none on error) */
	CTL_L_GATEWAY_GONE = 0x0692,     /* event */

	/* niterd -> network card and wire, on their service sockets; CTL_ACK answers each unless said otherwise */
	CTL_VPC_INTERFACE_SET = 0x0700,  /* card and wire: what an interface is */
	CTL_VPC_RULES_SET = 0x0701,      /* card: all security group rules of an interface */
	CTL_VPC_ROUTES_SET = 0x0702,     /* card: the route table of an interface's subnet */
	CTL_VPC_MAPPINGS_ADD = 0x0703,   /* card and wire: where addresses of a network are; an existing one is replaced */
	CTL_VPC_MAPPINGS_DEL = 0x0704,
	CTL_VPC_STATS_READ = 0x0705,     /* card, wire and gateway; CTL_VPC_STATS */
	CTL_VPC_STATS = 0x0785,
	CTL_VPC_PROBE = 0x0706,          /* card: the guest is asked for its own address (ARP); CTL_VPC_PROBED, at once */
	CTL_VPC_PROBED = 0x0786,         /* card: frames of the guest so far. More of them at the next probe: it lives */
	CTL_WIRE_PEER_SET = 0x0710,      /* wire: another host */
	CTL_WIRE_PEER_DEL = 0x0711,
	/* launcher -> wire */
	CTL_WIRE_CONFIG = 0x0720,        /* fds: UDP socket, tunnel channel (to niter-security), service socket. CTL_ACK */
	CTL_WIRE_PORT_ADD = 0x0721,      /* fds: packet ring, eventfd the wire signals, eventfd it waits for. CTL_ACK */
	CTL_WIRE_PORT_DEL = 0x0722,      /* CTL_ACK */
	/* launcher -> gateway */
	CTL_GATEWAY_CONFIG = 0x0730,     /* fds: packet ring, eventfd it signals, eventfd it waits for, TAP, service socket. CTL_ACK */
	/* niterd -> gateway */
	CTL_GATEWAY_NAT_ADD = 0x0731,
	CTL_GATEWAY_NAT_DEL = 0x0732,
	/* launcher -> metadata */
	CTL_METADATA_CONFIG = 0x0740,    /* fds: TCP listener (port 80), UDP socket (53), TCP listener (53), service socket, signing channel. CTL_ACK */
	/* niterd -> metadata */
	CTL_METADATA_OPTIONS_SET = 0x0741,
	CTL_METADATA_PUT = 0x0742,       /* one item, or a further part of it */
	CTL_METADATA_COMMIT = 0x0743,    /* what was put since the last commit replaces everything */

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
struct ctl_bytes_tunnel {
	uint16_t len;
	uint8_t b[CTL_TUNNEL_MESSAGE_MAX];
};

struct ctl_bytes_certificate {
	uint16_t len;
	uint8_t b[CTL_CERTIFICATE_MAX];
};

struct ctl_bytes_api_secret {
	uint16_t len; /* 0 or CTL_API_SECRET_BYTES */
	uint8_t b[CTL_API_SECRET_BYTES];
};
struct ctl_bytes_api_sealed {
	uint16_t len;
	uint8_t b[CTL_API_SEALED_MAX];
};
struct ctl_bytes_kms {
	uint16_t len;
	uint8_t b[CTL_KMS_BYTES_MAX];
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
enum ctl_key_purpose {
	CTL_KEY_FOR_FORMAT = 1,
	CTL_KEY_FOR_CARD = 2,
	CTL_KEY_FOR_WIRE = 3,     /* tunnels; one channel per host */
	CTL_KEY_FOR_METADATA = 4, /* signs the identity document of instance_id, nothing else */
	CTL_KEY_FOR_NITERD = 5,   /* CTL_API_KEY_… and CTL_KMS_…; one channel per host, a second one replaces it */
};
struct ctl_sec_channel {
	uint16_t purpose; /* enum ctl_key_purpose */
	char account_id[CTL_ID_MAX];
	char instance_id[CTL_ID_MAX]; /* empty for a format job */
	char volume_id[CTL_ID_MAX];   /* the one volume this grant is for; repeat the message without fd for more */
	char kms_key_id[CTL_UUID_MAX]; /* a format job's: the KMS key that the volume's key is wrapped under, too; empty: none */
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
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES]; /* of this host's identity key; zero: not there yet */
	struct ctl_bytes_certificate certificate; /* X.509, of the key that signs instance identity documents; empty: not there */
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
	char kms_key_id[CTL_UUID_MAX]; /* empty: none but the account's own key */
};
struct ctl_l_volume_delete {
	char volume_id[CTL_ID_MAX];
};
struct ctl_l_volume_ref {
	char volume_id[CTL_ID_MAX];
	char device_name[CTL_NAME_MAX];
	uint8_t read_only;
};
struct ctl_l_interface_ref {
	char interface_id[CTL_ID_MAX]; /* "eni-" + 17 hex */
	uint8_t mac[6];
	uint16_t mtu; /* the most the interface can; bytes without the Ethernet header */
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
	uint16_t interface_cnt;
	struct ctl_l_interface_ref interface[CTL_INTERFACES_MAX]; /* interface_cnt of them on the wire; [0] is the primary */
};
struct ctl_l_progress {
	char step[CTL_NAME_MAX];
	uint64_t done, total;
};
struct ctl_l_instance_started {
	char instance_id[CTL_ID_MAX];
	int32_t err;
	char text[CTL_TEXT_MAX];
	uint8_t has_network; /* service sockets of network card and metadata process come along */
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
	uint8_t has_listener, has_api, has_state_dir, has_security;
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
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES]; /* as in ctl_sec_status */
	struct ctl_bytes_certificate certificate;   /* as in ctl_sec_status */
	char network[CTL_TEXT_MAX]; /* "running", or why no instance with an interface can start */
	char way_out[CTL_TEXT_MAX]; /* interface that gateways lead to ("eth0"), or "none: …" and why */
};
struct ctl_l_processes_read {
	uint32_t page; /* 0 … */
};
struct ctl_l_processes {
	uint8_t more;
	struct ctl_bytes_chunk lines; /* JSON objects, one a line, one a process; docs/wire/control.md lists the members */
};

/* ---- Networks. Addresses are in network byte order; an IPv4 address is the first 4 bytes, the rest zero. */

enum ctl_family { CTL_IPV4 = 4, CTL_IPV6 = 6 };

struct ctl_address {
	uint8_t family; /* enum ctl_family */
	uint8_t addr[16];
};
struct ctl_netcard_config {
	char instance_id[CTL_ID_MAX];
	uint16_t vcpu_cnt; /* as many queue pairs are offered, at most */
};
struct ctl_netcard_interface_add {
	char interface_id[CTL_ID_MAX];
	uint8_t mac[6];
	uint16_t mtu;
};
enum ctl_vpc_flag {
	CTL_VPC_SOURCE_DEST_CHECK = 1,
	CTL_VPC_GATEWAY = 2, /* this port is a gateway: it may speak for every address outside the network's blocks, for none inside */
};
struct ctl_vpc_interface {
	char interface_id[CTL_ID_MAX];
	uint32_t vni;      /* 24 bits */
	uint8_t mac[6];
	uint16_t mtu;      /* told to the guest by DHCP */
	uint16_t flags;    /* enum ctl_vpc_flag */
	uint8_t vpc_addr[4], vpc_prefix;       /* the network's IPv4 block */
	uint8_t subnet_addr[4], subnet_prefix;
	char hostname[CTL_NAME_MAX]; /* "ip-172-31-0-5" */
	char domain[CTL_NAME_MAX];   /* "ec2.internal" */
	/* contract of the interface; 0: no limit. Bits per second count whole frames */
	uint64_t bps_baseline, bps_burst; /* burst: rate while credits last */
	uint64_t burst_seconds;           /* how long a full credit lasts at bps_burst */
	uint64_t pps;
	uint32_t conntrack_max;
	uint16_t address_cnt;
	struct ctl_address address[CTL_ADDRESSES_MAX]; /* [0]: the primary IPv4 address */
};
struct ctl_vpc_rule {
	uint8_t egress;
	uint8_t proto;     /* IP protocol number; 255: all */
	uint16_t port_min, port_max; /* TCP, UDP; ICMP: type and code, 65535: all */
	uint8_t family, prefix;
	uint8_t addr[16];
};
struct ctl_vpc_rules {
	char interface_id[CTL_ID_MAX];
	uint16_t rule_cnt;
	struct ctl_vpc_rule rule[CTL_RULES_MAX];
};
enum ctl_route_target { CTL_ROUTE_LOCAL = 1, CTL_ROUTE_MAC = 2 /* a gateway or an interface */, CTL_ROUTE_BLACKHOLE = 3 };
struct ctl_vpc_route {
	uint8_t family, prefix;
	uint8_t addr[16];
	uint8_t target; /* enum ctl_route_target */
	uint8_t mac[6]; /* CTL_ROUTE_MAC */
};
struct ctl_vpc_routes {
	char interface_id[CTL_ID_MAX];
	uint16_t route_cnt;
	struct ctl_vpc_route route[CTL_ROUTES_MAX];
};
/* A gateway's mapping has family 0 and no address: only its MAC is known to the wire. */
struct ctl_vpc_mapping {
	uint8_t family;
	uint8_t addr[16];
	uint8_t mac[6];
	uint32_t peer; /* host; 0: this one */
};
struct ctl_vpc_mappings {
	uint32_t vni;
	uint16_t mapping_cnt;
	struct ctl_vpc_mapping mapping[CTL_MAPPINGS_MAX];
};
struct ctl_vpc_probe {
	char interface_id[CTL_ID_MAX];
};
struct ctl_vpc_probed {
	char interface_id[CTL_ID_MAX];
	uint64_t frames; /* that its guest sent since the card serves it, whatever became of them */
	uint8_t asked;   /* 0: nobody could be asked: no driver runs, or the interface is not set */
};
/* Counters: "interface_id name value" a line. */
struct ctl_vpc_stats {
	struct ctl_bytes_chunk lines;
};
struct ctl_wire_peer {
	uint32_t peer;           /* chosen by niterd, not 0 */
	uint8_t family;
	uint8_t addr[16];
	uint16_t port;
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES];
};
struct ctl_wire_peer_ref {
	uint32_t peer;
};
struct ctl_wire_config {
	uint16_t mtu; /* of the uplink: largest IP packet between hosts */
};
struct ctl_wire_port_ref {
	char interface_id[CTL_ID_MAX]; /* "eni-…", or the gateway's "igw-…" */
};
struct ctl_gateway_config {
	char gateway_id[CTL_ID_MAX];
	uint8_t mac[6]; /* of its port in the network */
};
/* One to one: packets of vpc_addr leave as outside_addr, packets to outside_addr arrive at vpc_addr. */
struct ctl_gateway_nat {
	uint8_t vpc_addr[4];
	uint8_t vpc_mac[6];
	uint8_t outside_addr[4];
};
struct ctl_metadata_config {
	char instance_id[CTL_ID_MAX];
};
struct ctl_metadata_options {
	uint8_t enabled;         /* 0: every request is answered 403 */
	uint8_t hop_limit;       /* 1 … 64: IP TTL of the answer to the token request */
	uint8_t tokens_optional; /* 0: a request without token is answered 401 */
	uint8_t vpc_addr[4], vpc_prefix; /* names of addresses inside are answered */
	char domain[CTL_NAME_MAX];
	uint8_t dns_off; /* 1: every query is refused */
};
struct ctl_metadata_item {
	char path[CTL_PATH_MAX]; /* below the version: "meta-data/instance-id", "user-data" */
	uint8_t more;            /* another message with the same path follows: append */
	struct ctl_bytes_chunk data;
};
struct ctl_tun_peer {
	uint32_t peer;
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES];
};
struct ctl_tun_peer_ref {
	uint32_t peer;
};
struct ctl_tun_message {
	uint32_t peer;
	struct ctl_bytes_tunnel data;
};
struct ctl_tun_ready {
	uint32_t peer;
	uint32_t epoch; /* counts up with every handshake of this peer */
	int32_t err;    /* -EACCES: not the host it should be */
	char text[CTL_TEXT_MAX];
};
struct ctl_tun_key_read {
	uint32_t peer, epoch, vni;
};
struct ctl_tun_sa {
	uint32_t spi;    /* >= 256 */
	uint8_t key[32]; /* AES-256-GCM */
	uint8_t salt[4];
};
struct ctl_tun_key {
	uint32_t peer, epoch, vni;
	int32_t err;
	struct ctl_tun_sa tx, rx;
};
struct ctl_sign_identity {
	struct ctl_bytes_chunk document; /* the exact bytes that will be served */
};
struct ctl_signed {
	int32_t err;
	struct ctl_bytes_wrapped signature; /* RSA PKCS#1 v1.5, SHA-256 */
	struct ctl_bytes_chunk pkcs7;       /* DER SignedData with the document inside */
};
/* What niterd asks of the security process. Of secrets it sees what its answers hold, and keeps nothing of it. */
struct ctl_api_key_create {
	char account_id[CTL_ID_MAX];
	char access_key_id[CTL_ID_MAX];
};
struct ctl_api_key {
	int32_t err;
	struct ctl_bytes_api_secret secret; /* base64's alphabet; told to a person once, never again */
	struct ctl_bytes_api_sealed sealed; /* good for this account and access key id only */
};
struct ctl_api_key_derive {
	char account_id[CTL_ID_MAX];
	char access_key_id[CTL_ID_MAX];
	struct ctl_bytes_api_sealed sealed;
	char date[CTL_API_DATE_MAX]; /* "20261123" */
	char region[CTL_NAME_MAX];
	char service[CTL_NAME_MAX];
};
struct ctl_api_key_derived {
	int32_t err; /* -EACCES: sealed for another account or key, or damaged */
	uint8_t key[CTL_SIGNING_KEY_BYTES]; /* spec: sigv4; zero with an error */
};
enum ctl_kms_state { CTL_KMS_ENABLED = 1, CTL_KMS_DISABLED = 2, CTL_KMS_PENDING_DELETION = 3 };
struct ctl_kms_key {
	char account_id[CTL_ID_MAX];
	char key_id[CTL_UUID_MAX];
	uint8_t state; /* enum ctl_kms_state; CTL_KMS_KEY_STATE_SET only, else 0 */
};
struct ctl_kms_crypt {
	char account_id[CTL_ID_MAX];
	char key_id[CTL_UUID_MAX]; /* empty for CTL_KMS_DECRYPT: whichever made the blob */
	uint8_t context[CTL_KMS_DIGEST_BYTES];
	struct ctl_bytes_kms data;
};
struct ctl_kms_data_key {
	char account_id[CTL_ID_MAX];
	char key_id[CTL_UUID_MAX];
	uint8_t context[CTL_KMS_DIGEST_BYTES];
	uint16_t len;           /* bytes, 1 … 1024 */
	uint8_t with_plaintext; /* 0: nobody but the security process ever sees it */
};
struct ctl_kms_random {
	uint16_t len; /* bytes, 1 … 1024 */
};
/*
 * err: -ENOKEY no such key in this account, -EKEYREVOKED disabled, -EKEYEXPIRED its deletion is scheduled, -EBADMSG the
 * blob is not what this key made for this account and context, -EKEYREJECTED another key made it, -EEXIST,
 * -EINVAL, -ENOSPC, -EIO.
 */
struct ctl_kms_answer {
	int32_t err;
	char key_id[CTL_UUID_MAX]; /* that did it */
	struct ctl_bytes_kms plain, blob;
};
struct ctl_l_gateway_start {
	char vpc_id[CTL_ID_MAX];
	char gateway_id[CTL_ID_MAX]; /* "igw-…": the wire's port */
	uint8_t mac[6];
};
struct ctl_l_gateway_ref {
	char gateway_id[CTL_ID_MAX];
};
struct ctl_l_gateway_started {
	char gateway_id[CTL_ID_MAX];
	int32_t err;
	char text[CTL_TEXT_MAX];
	uint8_t outside_addr[4], outside_prefix; /* addresses the host routes to this gateway; .1 is the host's own */
};
struct ctl_l_gateway_gone {
	char gateway_id[CTL_ID_MAX];
	char text[CTL_TEXT_MAX];
};
struct ctl_l_forward {
	uint16_t host_port;
	uint8_t outside_addr[4];
	uint16_t port;
};
struct ctl_l_forward_ref {
	uint16_t host_port;
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
	struct ctl_netcard_config netcard_config;
	struct ctl_netcard_interface_add netcard_interface_add;
	struct ctl_vpc_interface vpc_interface;
	struct ctl_vpc_rules vpc_rules;
	struct ctl_vpc_routes vpc_routes;
	struct ctl_vpc_mappings vpc_mappings;
	struct ctl_vpc_stats vpc_stats;
	struct ctl_vpc_probe vpc_probe;
	struct ctl_vpc_probed vpc_probed;
	struct ctl_wire_peer wire_peer;
	struct ctl_wire_peer_ref wire_peer_ref;
	struct ctl_wire_config wire_config;
	struct ctl_wire_port_ref wire_port_ref;
	struct ctl_gateway_config gateway_config;
	struct ctl_gateway_nat gateway_nat;
	struct ctl_metadata_config metadata_config;
	struct ctl_metadata_options metadata_options;
	struct ctl_metadata_item metadata_item;
	struct ctl_tun_peer tun_peer;
	struct ctl_tun_peer_ref tun_peer_ref;
	struct ctl_tun_message tun_message;
	struct ctl_tun_ready tun_ready;
	struct ctl_tun_key_read tun_key_read;
	struct ctl_tun_key tun_key;
	struct ctl_sign_identity sign_identity;
	struct ctl_signed signed_identity;
	struct ctl_api_key_create api_key_create;
	struct ctl_api_key api_key;
	struct ctl_api_key_derive api_key_derive;
	struct ctl_api_key_derived api_key_derived;
	struct ctl_kms_key kms_key;
	struct ctl_kms_crypt kms_crypt;
	struct ctl_kms_data_key kms_data_key;
	struct ctl_kms_random kms_random;
	struct ctl_kms_answer kms_answer;
	struct ctl_l_gateway_start l_gateway_start;
	struct ctl_l_gateway_ref l_gateway_ref;
	struct ctl_l_gateway_started l_gateway_started;
	struct ctl_l_gateway_gone l_gateway_gone;
	struct ctl_l_forward l_forward;
	struct ctl_l_forward_ref l_forward_ref;
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
