/* SPDX-License-Identifier: Apache-2.0 */
#include "security/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/mem.h"
#include "security/channel_keys.h"
#include "security/channel_sign.h"
#include "security/channel_tunnel.h"
#include "security/wrap.h"

static const char cipher_ours[] = "aes-xts-plain64";
enum { SECTOR_BYTES = 4096 };

static const char *purpose_name(enum ctl_key_purpose p)
{
	switch (p) {
	case CTL_KEY_FOR_FORMAT:
		return "format";
	case CTL_KEY_FOR_CARD:
		return "card";
	case CTL_KEY_FOR_WIRE:
		return "wire";
	case CTL_KEY_FOR_METADATA:
		return "metadata";
	case CTL_KEY_FOR_NITERD:
		return "niterd";
	}
	return "unknown";
}

void channel_close(struct service *s, struct channel *c)
{
	if (c->fd < 0)
		return;
	channel_tunnel_close(s, c);
	if (s->niterd == c)
		s->niterd = NULL;
	loop_del(s->loop, c->fd);
	fd_closep(&c->fd);
	c->grant_cnt = 0;
}

static struct grant *grant_find(struct channel *c, const char *volume)
{
	unsigned i;

	for (i = 0; i < c->grant_cnt; i++)
		if (strcmp(c->grant[i].volume, volume) == 0)
			return &c->grant[i];
	return NULL;
}

void channel_revoke(struct service *s, const char *volume)
{
	struct channel *c;
	struct grant *g;

	for (c = s->channels; c; c = c->next) {
		g = grant_find(c, volume);
		if (!g)
			continue;
		*g = c->grant[--c->grant_cnt];
		log_info("sec.grant.revoked", "vol=%s inst=%s", volume, c->instance);
	}
}

/* Is the other end still held by somebody? A card that died may not have been noticed yet. */
static bool channel_alive(const struct channel *c)
{
	struct pollfd p = { .fd = c->fd, .events = 0 };

	return poll(&p, 1, 0) == 0 || !(p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* A volume belongs to one instance at a time. */
static bool volume_is_elsewhere(struct service *s, const struct ctl_sec_channel *g)
{
	struct channel *c;

	for (c = s->channels; c; c = c->next) {
		if (c->fd < 0 || !grant_find(c, g->volume_id))
			continue;
		if (strcmp(c->instance, g->instance_id) == 0)
			continue;
		if (channel_alive(c))
			return true;
		channel_close(s, c);
	}
	return false;
}

/* The instance's living channel; a format job's is complete from the start. */
static struct channel *channel_find(struct service *s, const struct ctl_sec_channel *g)
{
	struct channel *c;

	for (c = s->channels; c; c = c->next)
		if (c->fd >= 0 && c->purpose == CTL_KEY_FOR_CARD &&
		    g->purpose == CTL_KEY_FOR_CARD && strcmp(c->instance, g->instance_id) == 0 &&
		    strcmp(c->account, g->account_id) == 0)
			return c;
	return NULL;
}

/* A channel that is for no volume: the wire's, a metadata process's, or niterd's. */
static bool grant_is_plain(const struct ctl_sec_channel *g)
{
	return g->purpose == CTL_KEY_FOR_WIRE || g->purpose == CTL_KEY_FOR_METADATA ||
	       g->purpose == CTL_KEY_FOR_NITERD;
}

static int grant_check_plain(const struct ctl_sec_channel *g, int fd, const char **ret_why)
{
	*ret_why = "not a grant: purpose or an id is wrong";
	if (g->volume_id[0] || g->kms_key_id[0])
		return -EINVAL;
	if (g->purpose != CTL_KEY_FOR_METADATA && (g->account_id[0] || g->instance_id[0]))
		return -EINVAL;
	if (g->purpose == CTL_KEY_FOR_METADATA &&
	    (!tree_id_ok(g->instance_id) || (g->account_id[0] && !tree_id_ok(g->account_id))))
		return -EINVAL;
	*ret_why = "there is nothing to add to such a channel";
	return fd < 0 ? -EBADF : 0;
}

static int grant_check(struct service *s, const struct ctl_sec_channel *g, const char **ret_why)
{
	bool card = g->purpose == CTL_KEY_FOR_CARD;
	uint8_t kms_id[KMS_ID_BYTES];

	*ret_why = "not a grant: purpose or an id is wrong";
	if (!card && g->purpose != CTL_KEY_FOR_FORMAT)
		return -EINVAL;
	if (!tree_id_ok(g->account_id) || !tree_id_ok(g->volume_id))
		return -EINVAL;
	if (card ? !tree_id_ok(g->instance_id) : g->instance_id[0] != 0)
		return -EINVAL;
	if (g->kms_key_id[0] && (card || kms_id_parse(g->kms_key_id, kms_id) < 0))
		return -EINVAL;
	*ret_why = "the volume already has a key: delete it first";
	if (!card && store_has(s->store, g->volume_id))
		return -EEXIST;
	*ret_why = "the volume has no key here: it was deleted, or made on another host";
	if (card && !store_has(s->store, g->volume_id))
		return -ENOENT;
	*ret_why = "the volume is attached to another instance: stop that one first";
	if (volume_is_elsewhere(s, g))
		return -EBUSY;
	return 0;
}

/* Our end must never make us wait. #syscalls:security,security-serve fcntl(F_GETFL|F_SETFL) */
static int fd_make_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int channel_new(struct service *s, const struct ctl_sec_channel *g, int fd,
		       struct channel **ret)
{
	CLEANUP(free_p) struct channel *c = NULL;
	int r;

	if (s->channel_cnt >= CHANNELS_MAX)
		return -EUSERS;
	r = fd_make_nonblocking(fd);
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->ref.type = SERVICE_REF_CHANNEL;
	c->ref.ptr = c;
	c->purpose = (enum ctl_key_purpose)g->purpose; /* one of the five: checked */
	bucket_init(&c->rate, CHANNEL_SIGN_RATE, CHANNEL_SIGN_BURST, clock_ns());
	memcpy(c->account, g->account_id, sizeof(c->account));
	memcpy(c->instance, g->instance_id, sizeof(c->instance));
	r = loop_add(s->loop, fd, EPOLLIN, &c->ref);
	if (r < 0)
		return r;
	c->fd = fd;
	c->next = s->channels;
	s->channels = c;
	s->channel_cnt++;
	*ret = TAKE_PTR(c);
	return 0;
}

/* One wire and one niterd a host: a second channel means that it was started again. */
static int channel_grant_plain(struct service *s, const struct ctl_sec_channel *g, int fd,
			       const char **ret_why)
{
	struct channel *c = NULL;
	int r;

	r = grant_check_plain(g, fd, ret_why);
	if (r < 0)
		return r;
	if (!s->has_identity && g->purpose != CTL_KEY_FOR_NITERD)
		return -ENOKEY;
	*ret_why = "no further channel could be opened";
	if (g->purpose == CTL_KEY_FOR_WIRE && s->wire)
		channel_close(s, s->wire);
	if (g->purpose == CTL_KEY_FOR_NITERD && s->niterd)
		channel_close(s, s->niterd);
	r = channel_new(s, g, fd, &c);
	if (r == 0 && g->purpose == CTL_KEY_FOR_WIRE)
		r = channel_tunnel_open(s, c);
	else if (r == 0 && g->purpose == CTL_KEY_FOR_NITERD)
		s->niterd = c;
	if (r < 0 && c) {
		loop_del(s->loop, c->fd);
		c->fd = -1; /* the caller's again */
	}
	if (r == 0)
		log_info("sec.grant", "purpose=%s inst=%s", purpose_name(c->purpose), c->instance);
	return r;
}

static void grant_add(struct channel *c, const struct ctl_sec_channel *g)
{
	struct grant *n = &c->grant[c->grant_cnt++];

	memset(n, 0, sizeof(*n));
	memcpy(n->volume, g->volume_id, sizeof(n->volume));
	n->has_kms = g->kms_key_id[0] && kms_id_parse(g->kms_key_id, n->kms_id) == 0;
}

int channel_grant(struct service *s, const struct ctl_sec_channel *g, int fd, const char **ret_why)
{
	struct channel *c = NULL;
	int r;

	if (grant_is_plain(g))
		return channel_grant_plain(s, g, fd, ret_why);
	r = grant_check(s, g, ret_why);
	if (r < 0)
		return r;
	if (fd >= 0) {
		*ret_why = "no further key channel could be opened";
		r = channel_new(s, g, fd, &c);
		if (r < 0)
			return r;
	} else {
		*ret_why = "this instance has no key channel to add a volume to";
		c = channel_find(s, g);
		if (!c)
			return -EBADF;
		if (grant_find(c, g->volume_id))
			return 0;
		*ret_why = "too many volumes on one key channel";
		if (c->grant_cnt == CHANNEL_GRANTS_MAX)
			return -E2BIG;
	}
	grant_add(c, g);
	log_info("sec.grant", "purpose=%s vol=%s inst=%s", purpose_name(c->purpose), g->volume_id,
		 g->instance_id);
	return 0;
}

/* Only what our own volumes look like gets a key. */
static bool use_is_ours(const struct ctl_key_request *q)
{
	return strcmp(q->cipher, cipher_ours) == 0 && q->sector_bytes == SECTOR_BYTES && q->size &&
	       q->size % SECTOR_BYTES == 0 && q->payload_off &&
	       q->payload_off % SECTOR_BYTES == 0 && q->size <= INT64_MAX - q->payload_off &&
	       q->payload_off <= INT64_MAX && q->wrapped.len == 0;
}

static void use_of(const struct channel *c, const struct ctl_key_request *q, struct wrap_use *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->account = c->account;
	ret->volume = q->volume_id;
	ret->cipher = q->cipher;
	ret->sector_bytes = q->sector_bytes;
	ret->payload_off = q->payload_off;
	ret->size = q->size;
}

static int key_release(struct service *s, const struct channel *c, struct grant *g, const char *op,
		       const struct key *data_key)
{
	const struct release what = { op, g->volume, c->account, c->instance };
	int r;

	r = release_log_add(&s->log, &what); /* first the record, then the key */
	if (r < 0)
		return r;
	memcpy(s->answer.key.b, key_bytes(data_key), WRAP_KEY_BYTES);
	s->answer.key.len = WRAP_KEY_BYTES;
	g->release_cnt++;
	s->release_cnt++;
	return 0;
}

/* The KMS key a volume hangs on. One that was destroyed is as one whose end is near: nothing opens the volume. */
static int kms_key(struct service *s, const struct channel *c, const uint8_t *id,
		   struct wrap_use *use, struct key **ret)
{
	int r;

	r = keys_volume_key(&s->keys, c->account, id, ret);
	if (r < 0)
		return r == -ENOKEY ? -EKEYEXPIRED : r;
	use->kms_id = id;
	use->kms_key = *ret;
	return 0;
}

static int key_create(struct service *s, const struct channel *c, struct grant *g,
		      const struct ctl_key_request *q)
{
	CLEANUP(key_freep)
	struct key *account = NULL, *secret = NULL, *data_key = NULL, *kms = NULL;
	struct wrap_use use;
	int r, len;

	if (!use_is_ours(q))
		return -EINVAL;
	use_of(c, q, &use);
	r = tree_account_key(&s->tree, c->account, &account);
	if (r == 0 && g->has_kms)
		r = kms_key(s, c, g->kms_id, &use, &kms);
	if (r == 0)
		r = wrap_data_key_new(&data_key);
	if (r == 0)
		r = store_add(s->store, q->volume_id, c->account, &secret);
	if (r < 0)
		return r;
	len = wrap_seal(account, secret, &use, data_key, s->answer.wrapped.b);
	r = len < 0 ? len : 0;
	if (r == 0)
		r = key_release(s, c, g, "create", data_key);
	if (r < 0) {
		if (store_remove(s->store, q->volume_id) < 0)
			log_err("sec.volume.destroy_failed", "vol=%s", q->volume_id);
		return r;
	}
	s->answer.wrapped.len = (uint16_t)len;
	return 0;
}

static int key_unwrap(struct service *s, const struct channel *c, struct grant *g,
		      const struct ctl_key_request *q)
{
	CLEANUP(key_freep)
	struct key *account = NULL, *secret = NULL, *data_key = NULL, *kms = NULL;
	uint8_t kms_id[WRAP_KMS_ID_BYTES];
	struct wrap_use use;
	int r;

	use_of(c, q, &use);
	r = wrap_kms_id(q->wrapped.b, q->wrapped.len, kms_id);
	if (r == 1)
		r = kms_key(s, c, kms_id, &use, &kms);
	if (r < 0)
		return r;
	r = store_read(s->store, q->volume_id, c->account, &secret);
	if (r == 0)
		r = tree_account_key(&s->tree, c->account, &account);
	if (r == 0)
		r = wrap_open(account, secret, &use, q->wrapped.b, q->wrapped.len, &data_key);
	if (r == 0)
		r = key_release(s, c, g, "release", data_key);
	return r;
}

static const char *refusal_text(int err)
{
	switch (err) {
	case -EPERM:
		return "this key channel is not good for that: wrong purpose or volume";
	case -EDQUOT:
		return "the key went over this channel often enough: restart the instance";
	case -ENOENT:
		return "the volume's key was destroyed, or never was on this host";
	case -EACCES:
		return "the volume belongs to another account";
	case -EEXIST:
		return "the volume already has a key: delete it first";
	case -EKEYREVOKED:
		return "the volume's KMS key is disabled: enable it, then start the instance again";
	case -EKEYEXPIRED:
		return "the volume's KMS key was destroyed, or its deletion is scheduled: cancel "
		       "that "
		       "while there is time";
	case -EKEYREJECTED:
		return "the volume's header holds a key that was wrapped for another volume, "
		       "account or host";
	case -EBADMSG:
		return "the volume's header does not fit its key: cipher, size or place were "
		       "changed, or it is damaged";
	case -EPROTO:
	case -ENOTSUP:
		return "the volume's header holds no wrapped key this version knows";
	case -EINVAL:
		return "a volume of this kind gets no key";
	case -ENOSPC:
		return "no room for the volume's key: make room on the state disk, or delete "
		       "volumes";
	default:
		return "the key could not be given: see the log of niter-security";
	}
}

static int request_check(const struct channel *c, enum ctl_type type, const char *volume,
			 struct grant **ret)
{
	enum ctl_type wanted = c->purpose == CTL_KEY_FOR_CARD ? CTL_KEY_UNWRAP : CTL_KEY_CREATE;
	struct channel *owner = c->ref.ptr;

	if (type != wanted)
		return -EPERM;
	*ret = grant_find(owner, volume);
	if (!*ret)
		return -EPERM;
	/* A new volume gets one key, once. */
	if ((*ret)->release_cnt >= (type == CTL_KEY_CREATE ? 1U : CHANNEL_RELEASES_MAX))
		return -EDQUOT;
	return 0;
}

static void channel_refused(struct service *s, struct channel *c, const struct ctl_msg *m, int err)
{
	char id[3 * CTL_ID_MAX];
	const char *volume = m->u.key_request.volume_id;

	s->refused_cnt++;
	c->refused_cnt++;
	log_warn_limited("sec.key.refused", "purpose=%s inst=%s asked=0x%x vol=\"%s\" err=%d",
			 purpose_name(c->purpose), c->instance, (unsigned)m->type,
			 log_escape(id, sizeof(id), volume, strlen(volume)), err);
	s->answer.err = err;
	s->answer.key.len = 0;
	s->answer.wrapped.len = 0;
	(void)snprintf(s->answer.text, sizeof(s->answer.text), "%s", refusal_text(err));
}

/* One request, one answer. Return: 0, -errno: the channel is closed. */
static int channel_answer(struct service *s, struct channel *c, const struct ctl_msg *m)
{
	const struct ctl_key_request *q = &m->u.key_request;
	struct grant *g = NULL;
	int r;

	if (m->type != CTL_KEY_CREATE && m->type != CTL_KEY_UNWRAP)
		return -EPROTO;
	memset(&s->answer, 0, sizeof(s->answer));
	memcpy(s->answer.volume_id, q->volume_id, sizeof(s->answer.volume_id));
	r = request_check(c, m->type, q->volume_id, &g);
	if (r == 0)
		r = m->type == CTL_KEY_CREATE ? key_create(s, c, g, q) : key_unwrap(s, c, g, q);
	if (r < 0)
		channel_refused(s, c, m, r);
	r = ctl_send(c->fd, CTL_KEY_DATA, m->seq, &s->answer, NULL, 0);
	mem_wipe(&s->answer, sizeof(s->answer));
	if (r == 0 && c->refused_cnt >= CHANNEL_REFUSED_MAX)
		return -EPERM;
	return r;
}

static int channel_dispatch(struct service *s, struct channel *c, const struct ctl_msg *m)
{
	if (c->purpose == CTL_KEY_FOR_WIRE)
		return channel_tunnel_answer(s, c, m);
	if (c->purpose == CTL_KEY_FOR_METADATA)
		return channel_sign_answer(s, c, m);
	if (c->purpose == CTL_KEY_FOR_NITERD)
		return channel_keys_answer(s, c, m);
	return channel_answer(s, c, m);
}

void channel_wake(struct service *s, struct channel *c)
{
	unsigned i;
	int r = 1;

	for (i = 0; c->fd >= 0 && r > 0 && i < CHANNEL_MSGS_PER_WAKE; i++) {
		r = channel_tunnel_flush(s, c);
		if (r > 0)
			r = ctl_recv(c->fd, &s->msg);
		if (r == -EAGAIN)
			return;
		if (r > 0) {
			r = channel_dispatch(s, c, &s->msg);
			ctl_msg_done(&s->msg);
			if (r == 0)
				r = 1;
		}
		if (r < 0)
			log_warn_limited("sec.channel.closed", "purpose=%s inst=%s err=%d",
					 purpose_name(c->purpose), c->instance, r);
	}
	if (r <= 0)
		channel_close(s, c);
}
