/* SPDX-License-Identifier: Apache-2.0 */
#include "security/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "security/channel.h"
#include "security/dir.h"

void service_init(struct service *s, struct loop *loop)
{
	memset(s, 0, sizeof(*s));
	s->loop = loop;
	s->log.fd = -1;
	s->refusal_err = -ENOKEY;
	(void)snprintf(s->refusal.why, sizeof(s->refusal.why), "not configured");
	(void)snprintf(s->refusal.text, sizeof(s->refusal.text),
		       "the security process has not been configured yet");
}

void service_done(struct service *s)
{
	while (s->channels) {
		channel_close(s, s->channels);
		service_reap(s);
	}
	identity_done(&s->identity);
	release_log_done(&s->log);
	kms_store_freep(&s->kms_store);
	store_freep(&s->store);
	tree_done(&s->tree);
	mem_wipe(&s->answer, sizeof(s->answer));
}

static int refuse_start(struct service *s, int err, const char *why, const char *what,
			const char *remedy)
{
	(void)snprintf(s->refusal.why, sizeof(s->refusal.why), "%s", why);
	(void)snprintf(s->refusal.text, sizeof(s->refusal.text), "%s (%s): %s", what,
		       strerrordesc_np(-err), remedy);
	return err;
}

/* The store's descriptor; an empty store is made when there is none and never was one. */
static int store_fd_open(struct service *s, int dir, bool *ret_new)
{
	static uint8_t image[STORE_HEADER_AREA_BYTES]; /* one thread, once */
	int r, fd;

	*ret_new = false;
	fd = dir_open(dir, STORE_FILE);
	if (fd != -ENOENT)
		return fd;
	fd = dir_open(dir, RELEASE_LOG_FILE);
	if (fd >= 0) {
		fd_closep(&fd);
		return -ENODATA; /* there was a store once */
	}
	r = store_image_new(s->tree.store, image);
	if (r == 0)
		r = dir_write_new(dir, STORE_FILE, image, sizeof(image));
	if (r < 0)
		return r;
	*ret_new = true;
	return dir_open(dir, STORE_FILE);
}

static int store_start(struct service *s, int dir)
{
	bool fresh;
	int fd, r;

	fd = store_fd_open(s, dir, &fresh);
	if (fd == -ENODATA)
		return refuse_start(
			s, fd, "volumes.store is lost",
			"volumes.store is missing although volumes were made",
			"put it back from a copy; to give all volumes up, remove releases.log too");
	if (fd < 0)
		return refuse_start(s, fd, "volumes.store unusable",
				    "volumes.store cannot be opened or made",
				    "make room on the state disk and see to its permissions, then "
				    "restart the host");
	r = store_open(fd, s->tree.store, &s->store);
	if (r == -EKEYREJECTED)
		return refuse_start(
			s, r, "volumes.store does not fit",
			"volumes.store was not made under this host's root key, or is damaged",
			"put volumes.store and root.sealed back from one and the same copy");
	if (r < 0)
		return refuse_start(s, r, "volumes.store unusable", "volumes.store cannot be read",
				    "check the state disk, then restart the host");
	if (store_damaged_cnt(s->store))
		log_err("sec.store.damaged",
			"records=%u text=\"these volumes cannot be attached any more\"",
			store_damaged_cnt(s->store));
	log_info("sec.store.open", "new=%d volumes=%u", fresh, store_volume_cnt(s->store));
	return 0;
}

static void log_mark(struct service *s)
{
	struct store_log_mark m = { .cnt = s->log.cnt };

	memcpy(m.head, s->log.head, sizeof(m.head));
	store_log_mark_set(s->store, &m);
}

static int log_start(struct service *s, int dir)
{
	struct store_log_mark mark;
	int fd, r;

	store_log_mark_read(s->store, &mark);
	fd = dir_open_or_create(dir, RELEASE_LOG_FILE);
	r = fd < 0 ? fd : release_log_open(&s->log, fd, s->tree.log, &mark);
	if (r < 0)
		return refuse_start(s, r, "releases.log unusable",
				    "releases.log cannot be opened or written",
				    "make room on the state disk, then restart the host");
	if (s->log.damaged_now)
		log_err("sec.log.damaged",
			"seq=%llu text=\"releases.log was changed or cut by somebody else\"",
			(unsigned long long)s->log.cnt);
	log_mark(s);
	return 0;
}

/* A host without an identity still has its volumes: this is no reason not to start. */
static void identity_start(struct service *s, int dir)
{
	struct root_refusal *f = &s->identity_refusal;
	bool fresh = false;
	int r;

	r = identity_open(dir, s->tree.identity, &s->identity, &fresh);
	if (r == 0) {
		s->has_identity = true;
		log_info("sec.identity.open", "new=%d", fresh);
		return;
	}
	(void)snprintf(f->why, sizeof(f->why), "no identity");
	(void)snprintf(
		f->text, sizeof(f->text),
		r == -EBADMSG   ? "%s is damaged, or of another root key (%s): put it back from a "
				  "copy; without it, remove it and tell the other hosts this "
				  "host's new fingerprint"
		: r == -ENOTSUP ? "%s was written by a newer Niter (%s): install that version"
				: "%s cannot be read or made (%s): make room on the state disk and "
				  "see to its permissions, then restart the host",
		IDENTITY_FILE, strerrordesc_np(-r));
	log_err("sec.identity.absent", "err=%d text=\"%s\"", r, f->text);
}

/* The KMS store's descriptor; an empty store is made when there is none. */
static int kms_fd_open(struct service *s, int dir)
{
	static uint8_t image[KMS_STORE_HEADER_BYTES]; /* one thread, once */
	int r, fd;

	fd = dir_open(dir, KMS_STORE_FILE);
	if (fd != -ENOENT)
		return fd;
	r = kms_store_image_new(s->tree.kms, image);
	if (r == 0)
		r = dir_write_new(dir, KMS_STORE_FILE, image, sizeof(image));
	return r < 0 ? r : dir_open(dir, KMS_STORE_FILE);
}

static int kms_absent(UNUSED void *ptr, UNUSED const char *account,
		      UNUSED const uint8_t id[KMS_ID_BYTES])
{
	return -EIO;
}

static int kms_absent_read(UNUSED void *ptr, UNUSED const char *account,
			   UNUSED const uint8_t id[KMS_ID_BYTES],
			   UNUSED enum ctl_kms_state *ret_state, UNUSED struct key **ret)
{
	return -EIO;
}

static int kms_absent_set(UNUSED void *ptr, UNUSED const char *account,
			  UNUSED const uint8_t id[KMS_ID_BYTES], UNUSED enum ctl_kms_state state)
{
	return -EIO;
}

/* A host without KMS still has its volumes and its access keys. */
static void kms_start(struct service *s, int dir)
{
	static const struct keys_vault absent = { .create = kms_absent,
						  .read = kms_absent_read,
						  .set_state = kms_absent_set,
						  .destroy = kms_absent };
	int r;

	r = kms_fd_open(s, dir);
	if (r >= 0)
		r = kms_store_open(r, s->tree.kms, &s->kms_store);
	keys_init(&s->keys, s->tree.api, s->kms_store ? kms_store_vault(s->kms_store) : &absent);
	if (r < 0) {
		log_err("sec.kms.absent", "err=%d text=\"%s cannot be used (%s): %s\"", r,
			KMS_STORE_FILE, strerrordesc_np(-r),
			r == -EKEYREJECTED
				? "put it and root.sealed back from one and the same copy"
				: "see to the state disk, then restart the host");
		return;
	}
	log_info("sec.kms.open", "keys=%u damaged=%u", kms_store_key_cnt(s->kms_store),
		 kms_store_damaged_cnt(s->kms_store));
}

int service_start(struct service *s, int dir, const struct key *root)
{
	int r;

	r = tree_init(&s->tree, root);
	if (r < 0)
		return refuse_start(s, r, "key derivation failed", "keys cannot be derived",
				    "restart the host");
	r = store_start(s, dir);
	if (r == 0)
		r = log_start(s, dir);
	if (r < 0) {
		store_freep(&s->store);
		tree_done(&s->tree);
		return r;
	}
	s->has_root = true;
	kms_start(s, dir);
	identity_start(s, dir);
	return 0;
}

static int on_config(struct service *s, int sock, struct ctl_msg *m)
{
	CLEANUP(key_freep) struct key *root = NULL;
	CLEANUP(fd_closep) int dir = -1;
	CLEANUP(fd_closep) int tpm = -1;
	const struct ctl_sec_config *c = &m->u.sec_config;
	int r;

	if (s->configured)
		return ctl_ack(sock, m->seq, -EALREADY,
			       "the security process is configured already");
	s->configured = true;
	s->lab = c->lab;
	memcpy(s->tpm_kind, c->tpm_kind, sizeof(s->tpm_kind));
	dir = fd_list_take(&m->fds, 0);
	if (dir < 0)
		return dir;
	if (m->fds.cnt > 1)
		tpm = fd_list_take(&m->fds, 1);
	r = root_open(dir, tpm, s->lab, &root, &s->refusal);
	if (r == 0)
		r = service_start(s, dir, root);
	if (r < 0) {
		s->refusal_err = r;
		log_err("sec.root.absent", "err=%d text=\"%s\"", r, s->refusal.text);
		return ctl_ack(sock, m->seq, r, "%s", s->refusal.text);
	}
	log_info("sec.root.ready", "tpm=%s lab=%d", s->tpm_kind, s->lab);
	return ctl_ack(sock, m->seq, 0, NULL);
}

static int on_destroy(struct service *s, int sock, const struct ctl_msg *m)
{
	const char *volume = m->u.sec_volume_destroy.volume_id;
	const struct release what = { "destroy", volume, "", "" };
	int r;

	if (!s->has_root)
		return ctl_ack(sock, m->seq, s->refusal_err, "%s", s->refusal.text);
	if (!tree_id_ok(volume))
		return ctl_ack(sock, m->seq, -EINVAL, "not a volume id");
	channel_revoke(s, volume);
	log_mark(s);
	r = store_remove(s->store, volume);
	if (r == -ENOENT) {
		log_info("sec.volume.destroy", "vol=%s text=\"had no key\"", volume);
		return ctl_ack(sock, m->seq, 0,
			       NULL); /* gone is gone: the asker may repeat itself */
	}
	if (r < 0) {
		log_err("sec.volume.destroy_failed", "vol=%s err=%d", volume, r);
		return ctl_ack(
			sock, m->seq, r,
			"the key of %s could not be overwritten (%s): check the state disk and "
			"delete the volume again",
			volume, strerrordesc_np(-r));
	}
	log_info("sec.volume.destroy", "vol=%s", volume);
	/* The key is gone already: a log that cannot be written changes nothing about that. */
	r = release_log_add(&s->log, &what);
	if (r < 0)
		log_err("sec.log.write_failed", "op=destroy vol=%s err=%d", volume, r);
	return ctl_ack(sock, m->seq, 0, NULL);
}

static int on_status(struct service *s, int sock, const struct ctl_msg *m)
{
	struct ctl_sec_status st;

	memset(&st, 0, sizeof(st));
	memcpy(st.tpm_kind, s->tpm_kind, sizeof(st.tpm_kind));
	st.lab = s->lab;
	if (s->has_root)
		(void)snprintf(st.root_key, sizeof(st.root_key), "%s",
			       s->lab ? "sealed (lab)" : "sealed");
	else
		(void)snprintf(st.root_key, sizeof(st.root_key), "absent: %s", s->refusal.why);
	st.volume_cnt = s->has_root ? store_volume_cnt(s->store) : 0;
	st.release_cnt = s->release_cnt;
	if (s->has_identity) {
		memcpy(st.fingerprint, s->identity.tunnel.fingerprint, sizeof(st.fingerprint));
		st.certificate.len = (uint16_t)s->identity.cert_len;
		memcpy(st.certificate.b, s->identity.cert, s->identity.cert_len);
	}
	return ctl_send(sock, CTL_SEC_STATUS, m->seq, &st, NULL, 0);
}

static int on_channel(struct service *s, int sock, struct ctl_msg *m)
{
	CLEANUP(fd_closep) int fd = -1;
	const char *why = NULL;
	int r;

	if (m->fds.cnt)
		fd = fd_list_take(&m->fds, 0);
	if (!s->has_root)
		return ctl_ack(sock, m->seq, s->refusal_err, "%s", s->refusal.text);
	r = channel_grant(s, &m->u.sec_channel, fd, &why);
	if (r == -ENOKEY)
		why = s->identity_refusal.text;
	if (r < 0) {
		log_warn("sec.grant.refused", "err=%d why=\"%s\"", r, why);
		return ctl_ack(sock, m->seq, r, "%s", why);
	}
	(void)TAKE_FD(fd);
	return ctl_ack(sock, m->seq, 0, NULL);
}

static int control_dispatch(struct service *s, int sock, struct ctl_msg *m)
{
	/* Only what the launcher sends to us; all else is a launcher of another version. */
	if (m->type == CTL_SEC_CONFIG)
		return on_config(s, sock, m);
	if (m->type == CTL_SEC_CHANNEL)
		return on_channel(s, sock, m);
	if (m->type == CTL_SEC_VOLUME_DESTROY)
		return on_destroy(s, sock, m);
	if (m->type == CTL_SEC_STATUS_READ)
		return on_status(s, sock, m);
	return -EPROTO;
}

int service_control(struct service *s, int sock)
{
	int r;

	r = ctl_recv(sock, &s->msg);
	if (r <= 0)
		return r;
	r = control_dispatch(s, sock, &s->msg);
	ctl_msg_done(&s->msg);
	return r < 0 ? r : 1;
}

void service_channel(struct service *s, struct channel *c)
{
	channel_wake(s, c);
	if (s->has_root)
		log_mark(s);
}

int service_timer(struct service *s)
{
	const uint64_t ms_ns = 1000000;
	uint64_t now = clock_ns(), at;

	at = s->tunnel ? tunnel_expire(s->tunnel, now) : UINT64_MAX;
	if (at == UINT64_MAX)
		return -1;
	return at <= now ? 0 : (int)((at - now) / ms_ns) + 1; /* a minute at most */
}

void service_reap(struct service *s)
{
	struct channel **p = &s->channels, *c;

	while ((c = *p)) {
		if (c->fd >= 0) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		free(c);
		s->channel_cnt--;
	}
}
