/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "ids.h"
#include "jail_path.h"
#include "launcher.h"

/*
 * Putting a set together: checks first, then files, then processes. Card and hypervisor start at the same time;
 * the hypervisor gets its configuration when every volume is served.
 */

enum {
	CORES_PER_SET_MAX = 128,
	VCPUS_MAX = 254, /* 8-bit APIC ids */
	PATH_TEXT_MAX = 128,
	PIDS_CARD = 24,
	PIDS_NET = 24,       /* network card and metadata process, besides a thread a queue pair */
	PIDS_HV = 16,        /* besides the vCPUs; KVM's own workers count too */
	MEM_SLACK_MIB = 128, /* above guest memory, for both processes and KVM's tables */
	NET_SLACK_MIB = 96,  /* network card, metadata process and rings */
};

void set_fds_done(struct set *s)
{
	unsigned k;

	fd_closep(&s->ram);
	fd_closep(&s->kernel);
	fd_closep(&s->initrd);
	fd_closep(&s->service_hv);
	for (k = 0; k < CTL_VOLUMES_MAX; k++)
		fd_closep(&s->vfio[k]);
	for (k = 0; k < CTL_INTERFACES_MAX; k++)
		fd_closep(&s->vfio_nic[k]);
}

static struct set *slot_get(struct launcher *l)
{
	unsigned i, k;

	for (i = 0; i < SETS_MAX; i++) {
		struct set *s = &l->sets[i];

		if (s->state != SET_FREE)
			continue;
		memset(s, 0, sizeof(*s));
		s->num = (short)i;
		s->deadline_ns = NEVER;
		s->cgroup_fd = s->service = s->ram = s->kernel = s->initrd = s->service_hv = -1;
		for (k = 0; k < CTL_VOLUMES_MAX; k++)
			s->vfio[k] = -1;
		set_net_init(s);
		return s;
	}
	return NULL;
}

/* Shape only; nothing is looked up. Return: NULL, or what is wrong with it. */
static const char *conf_wrong(const struct ctl_l_instance_start *c)
{
	unsigned i, k;

	if (!id_instance_ok(c->instance_id))
		return "the instance id is malformed";
	if (!id_account_ok(c->account_id))
		return "the account id is malformed";
	if (!id_image_ok(c->image_id))
		return "the image id is malformed";
	if (!name_ok(c->type_name))
		return "the instance type's name is malformed";
	if (c->threads < 1 || c->threads > 2 || c->cores < 1 || c->cores > CORES_PER_SET_MAX ||
	    c->cores * c->threads > VCPUS_MAX)
		return "the number of cores or threads is out of range";
	if (c->ram_bytes < 16 * MIB || c->ram_bytes % MIB)
		return "the memory size is not a whole number of MiB of at least 16";
	if (c->volume_cnt < 1 || c->volume_cnt > CTL_VOLUMES_MAX)
		return "an instance needs 1 to 16 volumes";
	for (i = 0; i < c->volume_cnt; i++) {
		if (!id_volume_ok(c->volume[i].volume_id) || !name_ok(c->volume[i].device_name))
			return "a volume id or device name is malformed";
		for (k = 0; k < i; k++)
			if (!strcmp(c->volume[i].volume_id, c->volume[k].volume_id))
				return "a volume is named twice";
	}
	return set_net_wrong(c);
}

static void refuse(struct launcher *l, uint32_t seq, const char *instance_id, int err,
		   const char *text)
{
	static struct ctl_l_instance_started no;

	memset(&no, 0, sizeof(no));
	(void)snprintf(no.instance_id, sizeof(no.instance_id), "%s", instance_id);
	(void)snprintf(no.text, sizeof(no.text), "%s", text);
	no.err = err;
	log_warn("set.refused", "inst=%s text=\"%s\"", no.instance_id, no.text);
	(void)controller_send(l, CTL_L_INSTANCE_STARTED, seq, &no, NULL, 0);
}

static int take_resources(struct launcher *l, struct set *s)
{
	const struct ctl_l_instance_start *c = &s->conf;

	if (memory_take(&l->memory, c->ram_bytes + set_net_memory(c)) < 0)
		return START_FAIL(l, s, -ENOMEM,
				  "host has %llu MiB free, %s needs %llu MiB: stop an instance or "
				  "use a smaller type",
				  (unsigned long long)(memory_free(&l->memory) / MIB), c->type_name,
				  (unsigned long long)((c->ram_bytes + set_net_memory(c)) / MIB));
	s->mem_taken = true;
	if (cores_take(&l->cores, s->num, c->cores, c->threads) < 0)
		return START_FAIL(l, s, -ENOSPC,
				  "host has %u cores free, %s needs %u: stop an instance or use a "
				  "smaller type",
				  cores_free(&l->cores), c->type_name,
				  cores_needed(&l->cores, c->cores, c->threads));
	return 0;
}

static int open_image_file(struct launcher *l, const char *image_id, const char *name)
{
	char path[PATH_TEXT_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", image_id, name);
	fs_user_set(UID_NITERD);
	fd = jail_open_file(l->images_fd, path, O_RDONLY);
	fs_user_reset();
	return fd;
}

static int open_image(struct launcher *l, struct set *s)
{
	s->kernel = open_image_file(l, s->conf.image_id, "kernel");
	if (s->kernel == -ENOENT)
		return START_FAIL(l, s, -ENOENT,
				  "image %s has no kernel on this host: import it again",
				  s->conf.image_id);
	if (s->kernel < 0)
		return START_FAIL(l, s, s->kernel, "cannot open the kernel of image %s: %s",
				  s->conf.image_id, strerrordesc_np(-s->kernel));
	s->initrd = open_image_file(l, s->conf.image_id, "initrd");
	if (s->initrd < 0 && s->initrd != -ENOENT)
		return START_FAIL(l, s, s->initrd, "cannot open the initrd of image %s: %s",
				  s->conf.image_id, strerrordesc_np(-s->initrd));
	return 0;
}

static int make_cgroup(struct launcher *l, struct set *s)
{
	struct cgroup_limits lim = {
		.memory_max = s->conf.ram_bytes + s->conf.ram_bytes / 64 + MEM_SLACK_MIB * MIB,
		.pids_max = PIDS_CARD + PIDS_HV + 2U * s->conf.cores * s->conf.threads,
		.oom_group = true,
	};
	int r;

	if (s->conf.interface_cnt) {
		lim.memory_max += NET_SLACK_MIB * MIB;
		lim.pids_max += PIDS_NET + 2U * s->conf.cores * s->conf.threads;
	}

	if (l->cgroups.root_fd < 0)
		return 0;
	r = cgroup_new(&l->cgroups, l->cgroups.root_fd, s->conf.instance_id, true, &lim,
		       &s->cgroup_fd);
	if (r < 0)
		return START_FAIL(l, s, r, "cannot make the cgroup of %s: %s", s->conf.instance_id,
				  strerrordesc_np(-r));
	return 0;
}

static int start_processes(struct launcher *l, struct set *s)
{
	struct cgroup_limits card, hv = {
		.pids_max = PIDS_HV + 2U * s->conf.cores * s->conf.threads,
		.isolated = !l->cores.shared,
	};
	static char cpus[CORES_TEXT_MAX];
	uid_t uid = UID_SET + UID_SET_STEP * (uid_t)s->num;
	char text[CTL_TEXT_MAX];
	int r;

	child_limits_host(l, &card);
	card.memory_max =
		0; /* guest memory it touches first is charged to it: the set's own limit counts */
	card.pids_max = PIDS_CARD;
	if (cores_text(&l->cores, s->num, cpus, sizeof(cpus)) == 0 && !l->cores.shared)
		hv.cpus = cpus;
	r = child_start(l, CHILD_CARD, child_program(CHILD_CARD), uid + 1, s->cgroup_fd, NULL,
			&card, &s->card, text);
	if (r < 0)
		return START_FAIL(l, s, r, "%s", text);
	s->card->set = s;
	r = child_start(l, CHILD_HYPERVISOR, child_program(CHILD_HYPERVISOR), uid, s->cgroup_fd,
			NULL, &hv, &s->hv, text);
	if (r < 0)
		return START_FAIL(l, s, r, "%s", text);
	s->hv->set = s;
	r = set_net_start(l, s, uid);
	if (r < 0)
		return r;
	s->times.jail_us = (clock_ns() - s->start_ns) / 1000;
	return 0;
}

/* One channel for the card; its first grant carries the other end to niter-security. */
static int grant_keys(struct launcher *l, struct set *s)
{
	CLEANUP(fd_closep) int card_end = -1, sec_end = -1;
	struct ctl_sec_channel ch = { .purpose = CTL_KEY_FOR_CARD };
	struct ctl_card_config conf;
	uint32_t seq;
	unsigned k;
	int r;

	r = fd_socketpair(SOCK_SEQPACKET, &card_end, &sec_end);
	if (r < 0)
		return START_FAIL(l, s, r, "cannot make the key channel: %s", strerrordesc_np(-r));
	memcpy(ch.account_id, s->conf.account_id, sizeof(ch.account_id));
	memcpy(ch.instance_id, s->conf.instance_id, sizeof(ch.instance_id));
	for (k = 0; k < s->conf.volume_cnt; k++) {
		memcpy(ch.volume_id, s->conf.volume[k].volume_id, sizeof(ch.volume_id));
		r = security_grant(l, &ch, k ? -1 : sec_end, &seq);
		if (r < 0)
			return START_FAIL(l, s, r, "the security process takes no grants: %s",
					  strerrordesc_np(-r));
		if (!k)
			s->sec_seq = seq;
	}
	memcpy(conf.instance_id, s->conf.instance_id, sizeof(conf.instance_id));
	r = child_send(s->card, CTL_CARD_CONFIG, 0, &conf, &card_end, 1);
	if (r < 0)
		return START_FAIL(l, s, r, "niter-storage-card does not listen: %s",
				  strerrordesc_np(-r));
	return 0;
}

static int add_volume(struct launcher *l, struct set *s, unsigned k)
{
	const struct ctl_l_volume_ref *v = &s->conf.volume[k];
	CLEANUP(fd_closep) int file = -1, card_end = -1;
	struct ctl_card_volume_add add = { .read_only = v->read_only };
	char path[PATH_TEXT_MAX];
	int r, fds[2];

	(void)snprintf(path, sizeof(path), "%s.luks", v->volume_id);
	file = jail_open_file(l->volumes_fd, path, v->read_only ? O_RDONLY : O_RDWR);
	if (file == -ENOENT)
		return START_FAIL(l, s, -ENOENT, "volume %s is not on this host", v->volume_id);
	if (file < 0)
		return START_FAIL(l, s, file, "cannot open volume %s: %s", v->volume_id,
				  strerrordesc_np(-file));
	r = fd_socketpair(SOCK_STREAM, &s->vfio[k], &card_end);
	if (r < 0)
		return START_FAIL(l, s, r, "cannot make a device socket: %s", strerrordesc_np(-r));
	memcpy(add.volume_id, v->volume_id, sizeof(add.volume_id));
	memcpy(add.device_name, v->device_name, sizeof(add.device_name));
	fds[0] = file;
	fds[1] = card_end;
	r = child_send(s->card, CTL_CARD_VOLUME_ADD, k + 1, &add, fds, 2);
	if (r < 0)
		return START_FAIL(l, s, r, "niter-storage-card does not listen: %s",
				  strerrordesc_np(-r));
	return 0;
}

/* #syscalls:launcher memfd_create ftruncate fcntl */
static int start_all(struct launcher *l, struct set *s)
{
	unsigned k;
	int r;

	r = take_resources(l, s);
	if (r == 0)
		r = open_image(l, s);
	if (r == 0)
		r = make_cgroup(l, s);
	if (r < 0)
		return r;
	s->ram = fd_memfd("guest-ram", s->conf.ram_bytes);
	if (s->ram < 0)
		return START_FAIL(l, s, s->ram, "cannot make guest memory: %s",
				  strerrordesc_np(-s->ram));
	r = fd_socketpair(SOCK_SEQPACKET, &s->service, &s->service_hv);
	if (r < 0)
		return START_FAIL(l, s, r, "cannot make the service socket: %s",
				  strerrordesc_np(-r));
	r = start_processes(l, s);
	if (r < 0)
		return r;
	s->grants_left = s->volumes_left = (1U << s->conf.volume_cnt) - 1;
	r = grant_keys(l, s);
	for (k = 0; r == 0 && k < s->conf.volume_cnt; k++)
		r = add_volume(l, s, k);
	return r < 0 ? r : set_net_attach(l, s);
}

void set_start(struct launcher *l, uint32_t seq, const struct ctl_l_instance_start *conf)
{
	const char *wrong = conf_wrong(conf);
	struct set *s;
	unsigned k;

	if (wrong)
		return refuse(l, seq, "", -EINVAL, wrong);
	if (l->stopping)
		return refuse(l, seq, conf->instance_id, -ESHUTDOWN, "this host is stopping");
	if (l->sec_state != SEC_RUNNING)
		return refuse(l, seq, conf->instance_id, -ENOKEY,
			      l->sec_text[0]
				      ? l->sec_text
				      : "the security process is lost: drain and reboot this host");
	if (set_find(l, conf->instance_id))
		return refuse(l, seq, conf->instance_id, -EEXIST,
			      "the instance is already running on this host");
	for (k = 0; k < conf->volume_cnt; k++)
		if (set_uses_volume(l, conf->volume[k].volume_id))
			return refuse(l, seq, conf->instance_id, -EBUSY,
				      "a volume is attached to another instance");
	if (conf->interface_cnt && wire_wrong(l))
		return refuse(l, seq, conf->instance_id, -ENETDOWN, wire_wrong(l));
	for (k = 0; k < conf->interface_cnt; k++)
		if (wire_port_known(l, conf->interface[k].interface_id))
			return refuse(l, seq, conf->instance_id, -EBUSY,
				      "an interface belongs to another instance");
	s = slot_get(l);
	if (!s)
		return refuse(l, seq, conf->instance_id, -ENOSPC,
			      "this host runs its maximum of 64 instances");
	s->start_ns = clock_ns();
	s->conf = *conf;
	s->req_seq = seq;
	set_move(l, s, SET_EV_STARTED);
	(void)start_all(l, s); /* a failure has ended the set already */
}

/* #syscalls:launcher openat */
int set_boot(struct launcher *l, struct set *s)
{
	static struct ctl_hv_config conf;
	CLEANUP(fd_closep) int kvm = -1;
	int fds[FD_MSG_FDS_MAX];
	unsigned cnt = 0, k;
	int r;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		r = -errno;
		set_end(l, s, CTL_EXIT_INTERNAL, r, "this machine has no usable /dev/kvm (%s)",
			strerrordesc_np(-r));
		return r;
	}
	memset(&conf, 0, sizeof(conf));
	memcpy(conf.instance_id, s->conf.instance_id, sizeof(conf.instance_id));
	memcpy(conf.type_name, s->conf.type_name, sizeof(conf.type_name));
	memcpy(conf.uuid, s->conf.uuid, sizeof(conf.uuid));
	memcpy(conf.cmdline, s->conf.cmdline, sizeof(conf.cmdline));
	conf.cores = s->conf.cores;
	conf.threads = s->conf.threads;
	conf.ram_bytes = s->conf.ram_bytes;
	conf.has_initrd = s->initrd >= 0;
	conf.slot_cnt = s->conf.volume_cnt;
	fds[cnt++] = kvm;
	fds[cnt++] = s->ram;
	fds[cnt++] = s->kernel;
	fds[cnt++] = s->service_hv;
	if (conf.has_initrd)
		fds[cnt++] = s->initrd;
	for (k = 0; k < s->conf.volume_cnt; k++) {
		conf.slot[k] = (uint8_t)(k ? SLOT_VOLUME + k : SLOT_ROOT);
		fds[cnt++] = s->vfio[k];
	}
	cnt = set_net_boot(s, &conf, fds, cnt);
	r = child_send(s->hv, CTL_HV_CONFIG, 1, &conf, fds, cnt);
	set_fds_done(s);
	return r;
}
