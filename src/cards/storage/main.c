/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-storage-card: the EBS volumes of one instance, an NVMe controller each.
 *
 * Started by niter-launcher, one per instance. It holds the backing descriptors and data keys of that instance's
 * volumes and that instance's memory, and nothing else: no file system, no network, no other process.
 *
 * Life of a volume here:
 *   CTL_CARD_VOLUME_ADD   backing and vfio-user socket arrive; the header is read and checked
 *   CTL_KEY_UNWRAP        its wrapped key goes to niter-security, over a channel that the launcher made
 *   CTL_KEY_DATA          the key opens the volume; a controller is made and served; CTL_ACK to the launcher
 * Any failure on the way ends in one CTL_ACK that says what is wrong and what to do, and the volume is forgotten.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "cards/runtime/card.h"
#include "cards/storage/controller.h"
#include "crypto/crypto.h"
#include "crypto/key.h"
#include "seccomp_storage_card.h"
#include "volume/volume.h"

enum {
	BACKING_DEPTH = 256,
	VECTORS_MAX = NVME_QUEUES_MAX,
	BAR0_BYTES = 16384,
	MSIX_TABLE_OFF = 0x2000, /* a page of its own each, away from the doorbells */
	MSIX_PBA_OFF = 0x3000,
	QUEUES_MIN = 2, /* UEFI's driver wants two */
};

/*
 * A volume of this card.
 *   FREE     nothing
 *   WAITING  the key was asked for with ->seq
 *   SERVING  ->ctrl is there
 */
enum disk_state { DISK_FREE, DISK_WAITING, DISK_SERVING };

struct disk {
	enum disk_state state;
	struct storage *storage;
	uint32_t seq; /* of the launcher's request; also of ours for the key */
	struct ctl_card_volume_add conf;
	int sock;                    /* vfio-user; owned while WAITING */
	struct vol_backing *backing; /* owned while WAITING */
	struct vol_params params;
	struct card_function *function;
	struct vol *vol;        /* owned while SERVING */
	struct nvme_ctrl *ctrl; /* owned while SERVING */
};

struct storage {
	struct card card;
	int key_fd;         /* owned; -1: no channel (yet, or any more) */
	unsigned io_queues; /* pairs per controller */
	struct disk disk[CARD_FUNCTIONS_MAX];
	struct ctl_msg key_msg;
};

/* ---- the model behind a function ---- */

static void model_access(void *dev, unsigned region, uint64_t off, void *buf, size_t len,
			 bool write)
{
	struct disk *d = dev;

	if (region == 0)
		nvme_ctrl_access(d->ctrl, off, buf, len, write);
}

static int model_quiesce(void *dev, bool reset)
{
	struct disk *d = dev;

	return nvme_ctrl_quiesce(d->ctrl, reset);
}

static void model_resume(void *dev)
{
	struct disk *d = dev;

	nvme_ctrl_resume(d->ctrl);
}

static bool model_service(void *dev, uint64_t now_ns)
{
	struct disk *d = dev;

	return nvme_ctrl_service(d->ctrl, now_ns);
}

static bool model_arm(void *dev)
{
	struct disk *d = dev;

	return nvme_ctrl_arm(d->ctrl);
}

static void disk_done(struct disk *d)
{
	struct storage *s = d->storage;

	vol_free(d->vol); /* first: it may hold requests that lie in the controller */
	nvme_ctrl_free(d->ctrl);
	vol_backing_free(d->backing);
	fd_closep(&d->sock);
	memset(d, 0, sizeof(*d));
	d->storage = s;
	d->sock = -1;
}

static void model_gone(void *dev)
{
	struct disk *d = dev;

	log_info("volume.detached", "dev=%s", d->conf.volume_id);
	disk_done(d);
}

static const struct card_model model = {
	.access = model_access,
	.quiesce = model_quiesce,
	.resume = model_resume,
	.service = model_service,
	.arm = model_arm,
	.gone = model_gone,
};

static void irq(void *ctx, unsigned vector)
{
	struct disk *d = ctx;

	card_function_irq(d->function, vector);
}

/* ---- attach ---- */

static void disk_fail(struct disk *d, int err, const char *what)
{
	int r;

	log_err("volume.refused", "dev=%s err=%d why=\"%s\"", d->conf.volume_id, err, what);
	r = ctl_ack(CTL_FD, d->seq, err, "volume %s: %s", d->conf.volume_id, what);
	if (r < 0)
		log_err("control.send", "err=%d", r);
	disk_done(d);
}

static const char *header_text(int err)
{
	switch (-err) {
	case EBADMSG:
		return "its header is damaged; restore the volume file from a copy";
	case ENOTSUP:
		return "its file is no volume of Niter";
	default:
		return "its file cannot be read; see the host's log for the disk";
	}
}

static void pci_describe(const struct storage *s, struct pci_config_conf *ret)
{
	*ret = (struct pci_config_conf){
		.vendor = 0x1d0f,
		.device = 0x8061,
		.subvendor = 0x1d0f,
		.subdevice = 0x8061,
		.class_code = 0x010802,
		.bar = { { .size = BAR0_BYTES, .is_64 = true } },
		.msix = {
			.vector_cnt = (uint16_t)(s->io_queues + 1),
			.table_off = MSIX_TABLE_OFF,
			.pba_off = MSIX_PBA_OFF,
		},
		.express = true,
		.flr = true,
		.pm = true,
	};
}

/* Volume is open: make the controller and serve it. On failure the function's slot is free again. */
static int disk_serve(struct disk *d)
{
	struct nvme_ctrl_conf conf = {
		.vol = d->vol,
		.io_queues = d->storage->io_queues,
		.irq = irq,
		.irq_ctx = d,
	};
	struct pci_config_conf pci;
	int r;

	r = card_function_get(&d->storage->card, &d->function);
	if (r < 0)
		return r;
	memcpy(conf.id.volume_id, d->conf.volume_id, sizeof(conf.id.volume_id));
	memcpy(conf.id.device_name, d->conf.device_name, sizeof(conf.id.device_name));
	conf.id.read_only = d->conf.read_only;
	conf.mem = d->function->mem;
	conf.db_page = d->function->doorbells;

	r = nvme_ctrl_new(&conf, &d->ctrl);
	if (r == 0) {
		pci_describe(d->storage, &pci);
		r = card_function_serve(d->function, TAKE_FD(d->sock), &pci, NVME_REG_DBS, &model,
					d, vol_event_fd(d->vol));
	}
	if (r < 0)
		card_function_put(d->function);
	return r;
}

/* @k: the data key; freed by the caller at once, only the key schedule stays. */
static void disk_open(struct disk *d, const struct key *k)
{
	struct vol_opts opts = { .read_only = d->conf.read_only };
	int r;

	r = vol_open(d->backing, &d->params, k, &opts, &d->vol);
	if (r == -EKEYREJECTED) {
		disk_fail(d, r, "the key that niter-security released does not open it");
		return;
	}
	if (r < 0) {
		disk_fail(d, r, "it cannot be opened; is the host out of memory?");
		return;
	}
	d->backing = NULL; /* the volume has it */

	r = disk_serve(d);
	if (r < 0) {
		disk_fail(d, r, "its device cannot be made; is the host out of memory?");
		return;
	}
	d->state = DISK_SERVING;
	log_info("volume.attached", "dev=%s bytes=%llu name=%s", d->conf.volume_id,
		 (unsigned long long)vol_size(d->vol), d->conf.device_name);
	if (d->params.copy_damaged)
		log_warn("volume.header_copy_damaged", "dev=%s", d->conf.volume_id);
	r = ctl_ack(CTL_FD, d->seq, 0, NULL);
	if (r < 0)
		log_err("control.send", "err=%d", r);
}

static int key_ask(struct disk *d)
{
	const struct vol_params *p = &d->params;
	struct ctl_key_request req = { .sector_bytes = p->sector_bytes,
				       .payload_off = p->payload_off,
				       .size = p->size };

	/* Both are NUL-terminated and shorter than what they go into. */
	memcpy(req.volume_id, p->volume_id, sizeof(p->volume_id));
	memcpy(req.cipher, p->cipher, sizeof(p->cipher));
	req.wrapped.len = p->wrapped_len;
	memcpy(req.wrapped.b, p->wrapped, p->wrapped_len);
	return ctl_send(d->storage->key_fd, CTL_KEY_UNWRAP, d->seq, &req, NULL, 0);
}
static_assert((int)VOL_ID_MAX == CTL_ID_MAX && (int)VOL_CIPHER_MAX <= CTL_NAME_MAX &&
		      (int)VOL_WRAPPED_MAX == CTL_WRAPPED_MAX,
	      "a header's fields fit into a key request");

static void disk_add(struct storage *s, struct ctl_msg *m)
{
	struct disk *d;
	unsigned i;
	int r, fd;

	for (i = 0; i < CARD_FUNCTIONS_MAX && s->disk[i].state != DISK_FREE; i++)
		;
	if (i == CARD_FUNCTIONS_MAX) {
		r = ctl_ack(
			CTL_FD, m->seq, -ENOSPC,
			"volume %s: this instance has %d volumes already, the most there can be",
			m->u.card_volume_add.volume_id, CARD_FUNCTIONS_MAX);
		if (r < 0)
			log_err("control.send", "err=%d", r);
		return;
	}

	d = &s->disk[i];
	d->seq = m->seq;
	d->conf = m->u.card_volume_add;
	fd = fd_list_take(&m->fds, 0);
	d->sock = fd_list_take(&m->fds, 1);
	must(fd >= 0 && d->sock >= 0); /* ctl_recv() checked their number */

	r = vol_backing_file_new(fd, BACKING_DEPTH, &d->backing);
	if (r < 0) {
		disk_fail(d, r, "its file cannot be used");
		return;
	}
	r = vol_params_read(d->backing, &d->params);
	if (r < 0) {
		disk_fail(d, r, header_text(r));
		return;
	}
	if (strcmp(d->params.volume_id, d->conf.volume_id) != 0) {
		disk_fail(d, -EBADMSG, "its file holds another volume");
		return;
	}
	r = s->key_fd >= 0 ? key_ask(d) : -ENOTCONN;
	if (r < 0) {
		disk_fail(d, r, "niter-security does not answer; drain and reboot this host");
		return;
	}
	d->state = DISK_WAITING;
}

/* ---- key channel ---- */

static void key_lost(struct storage *s)
{
	unsigned i;

	log_warn("key_channel.closed", NULL);
	card_watch_del(&s->card, s->key_fd);
	fd_closep(&s->key_fd);
	for (i = 0; i < CARD_FUNCTIONS_MAX; i++)
		if (s->disk[i].state == DISK_WAITING)
			disk_fail(&s->disk[i], -ENOTCONN,
				  "niter-security is gone; drain and reboot this host");
}

static struct disk *disk_waiting(struct storage *s, const struct ctl_msg *m)
{
	unsigned i;

	for (i = 0; i < CARD_FUNCTIONS_MAX; i++) {
		struct disk *d = &s->disk[i];

		if (d->state == DISK_WAITING && d->seq == m->seq &&
		    !strcmp(d->conf.volume_id, m->u.key_data.volume_id))
			return d;
	}
	return NULL;
}

static void key_arrived(struct storage *s, struct ctl_msg *m)
{
	CLEANUP(key_freep) struct key *k = NULL;
	struct ctl_key_data *data = &m->u.key_data;
	struct disk *d;
	int r;

	d = m->type == CTL_KEY_DATA ? disk_waiting(s, m) : NULL;
	if (!d) {
		log_warn_limited("key_channel.unexpected", "type=%#x seq=%u", (unsigned)m->type,
				 m->seq);
		return;
	}
	if (data->err < 0 || data->key.len != CTL_KEY_BYTES) {
		disk_fail(d, data->err < 0 ? data->err : -EPROTO,
			  data->text[0] ? data->text : "niter-security refused its key");
		return;
	}
	r = key_new_take(data->key.b, data->key.len, &k);
	if (r < 0) {
		disk_fail(d, r, "no memory for its key");
		return;
	}
	disk_open(d, k);
}

static void key_ready(struct card *card, int fd)
{
	struct storage *s = card->ctx;
	int r;

	r = ctl_recv(fd, &s->key_msg);
	if (r == -EAGAIN || r == -EINTR)
		return;
	if (r <= 0) {
		key_lost(s);
		return;
	}
	key_arrived(s, &s->key_msg);
	ctl_msg_done(&s->key_msg); /* wipes */
}

/* ---- control ---- */

static void configure(struct storage *s, struct ctl_msg *m)
{
	int r;

	if (s->key_fd >= 0) {
		log_err("control.unexpected", "type=%#x", (unsigned)m->type);
		return;
	}
	s->key_fd = fd_list_take(&m->fds, 0);
	must(s->key_fd >= 0);
	log_context("inst=%s", m->u.card_config.instance_id);
	r = card_watch_add(&s->card, s->key_fd, false);
	if (r < 0)
		log_err("key_channel.watch", "err=%d", r);
}

static void control(struct card *card, struct ctl_msg *m)
{
	struct storage *s = card->ctx;

	if (m->type == CTL_CARD_CONFIG)
		configure(s, m);
	else if (m->type == CTL_CARD_VOLUME_ADD)
		disk_add(s, m);
	else
		log_err("control.unexpected", "type=%#x", (unsigned)m->type);
}

static const struct card_kind kind = {
	.prog = "niter-storage-card",
	.control = control,
	.ready = key_ready,
};

/*
 * What base/, glibc and libcrypto call on our behalf in the jail. Named one by one: the list that base/sandbox.c has for
 * everybody is twice as long (meson.build leaves base/ out).
 * #syscalls:storage-card read write close recvmsg sendmsg epoll_wait epoll_ctl fcntl(F_GET_SEALS)
 * #syscalls:storage-card brk mremap futex clock_gettime restart_syscall exit_group
 */
static int run(struct storage *s)
{
	unsigned i;
	int r;

	s->key_fd = -1;
	for (i = 0; i < CARD_FUNCTIONS_MAX; i++) {
		s->disk[i].storage = s;
		s->disk[i].sock = -1;
	}
	s->io_queues = (unsigned)max_u64(
		QUEUES_MIN, min_u64(env_u64("NITER_NVME_QUEUES", 8), NVME_IO_QUEUES_MAX));

	r = crypto_init();
	/* One key at a time is alive; the second slot is spare. */
	if (r == 0)
		r = key_reserve(2);
	if (r == 0)
		r = card_init(&s->card, &kind, s);
	if (r < 0)
		return r;
	s->card.poll_ns = env_u64("NITER_CARD_POLL_US", 0) * 1000;
	r = card_enter(&s->card, &sandbox_profile_storage_card);
	return r < 0 ? r : card_loop(&s->card);
}

int main(void)
{
	static struct storage storage;
	int r;

	log_init(kind.prog);
	r = run(&storage);
	if (r < 0)
		log_err("card.ended", "err=%d text=\"%s\"", r, strerrordesc_np(-r));
	return r < 0 ? 1 : 0;
}
