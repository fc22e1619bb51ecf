/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What niterd tells this process, and the signatures of niter-security. spec: docs/wire/metadata.md
 *
 * There are two trees. One is served, the other is filled by CTL_METADATA_PUT; CTL_METADATA_COMMIT changes their places, so a
 * guest never reads half of one and half of the other.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/bytes.h"
#include "base/log.h"
#include "metadata/base64.h"
#include "metadata/metadata.h"

static const char document_path[] = "dynamic/instance-identity/document";
static const char *const own_paths[TREE_OWN_ITEMS_MAX] = {
	"dynamic/instance-identity/signature",
	"dynamic/instance-identity/rsa2048",
	"dynamic/instance-identity/pkcs7",
};

enum { BASE64_COLUMNS = 76 };

void service_init(struct service *s, struct loop *loop, struct imds *imds, struct dns_zone *zone)
{
	s->loop = loop;
	s->imds = imds;
	s->zone = zone;
	s->fd = -1;
	s->sign_fd = -1;
	s->ref = (struct loop_ref){ REF_SERVICE, s };
	s->sign_ref = (struct loop_ref){ REF_SIGN, s };
}

static void unwatch(struct service *s, int *fd)
{
	if (*fd >= 0)
		loop_del(s->loop, *fd);
	fd_closep(fd);
}

/* Forgets what was put since the last commit: perhaps by a niterd that was ended in the middle of it. */
static void batch_reset(struct service *s)
{
	tree_clear(&s->tree[s->next]);
	s->spoilt = 0;
	s->why[0] = '\0';
}

int service_watch(struct service *s, int fd)
{
	unwatch(s, &s->fd);
	batch_reset(s);
	s->fd = fd;
	return loop_add(s->loop, fd, EPOLLIN, &s->ref);
}

int service_watch_sign(struct service *s, int fd)
{
	must(s->sign_fd < 0);
	s->sign_fd = fd;
	return loop_add(s->loop, fd, EPOLLIN, &s->sign_ref);
}

static void answer(struct service *s, uint32_t seq, int err, const char *text)
{
	int r = ctl_ack(s->fd, seq, err, "%s", text);

	if (r < 0)
		log_err("service.send", "err=%d", r);
}

/* ---- the names ---- */

static const char *octet_end(const char *p, const char *end, uint32_t *ret)
{
	const char *start = p;
	uint32_t v = 0;

	while (p < end && *p >= '0' && *p <= '9' && p - start < 3)
		v = v * 10 + (uint32_t)(*p++ - '0');
	*ret = v;
	return p == start || v > 255 ? NULL : p;
}

/* "172.31.0.5" */
static bool ipv4_parse(const char *p, size_t len, uint32_t *ret)
{
	const char *end = p + len;
	uint32_t addr = 0, v;
	unsigned i;

	for (i = 0; i < 4; i++) {
		if (i && (p == end || *p++ != '.'))
			return false;
		p = octet_end(p, end, &v);
		if (!p)
			return false;
		addr = addr << 8 | v;
	}
	*ret = addr;
	return p == end;
}

/* The instance's own name, from two items of the tree and the domain. */
static void own_name_set(struct service *s)
{
	const struct tree *t = s->imds->tree;
	char name[CTL_PATH_MAX];
	const char *host, *ip;
	size_t host_len, ip_len;
	uint32_t addr;

	(void)!dns_zone_set_own(s->zone, "", 0);
	if (!t || !s->zone->set)
		return;
	host = tree_value(t, "meta-data/local-hostname", &host_len);
	ip = tree_value(t, "meta-data/local-ipv4", &ip_len);
	if (!host || !ip || host_len >= sizeof(name) || memchr(host, 0, host_len) ||
	    !ipv4_parse(ip, ip_len, &addr))
		return;
	memcpy(name, host, host_len);
	name[host_len] = '\0';
	if (dns_zone_set_own(s->zone, name, addr) < 0)
		log_info("name.outside", NULL);
}

/* ---- options ---- */

static bool is_lower_name(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(s);
}

static void options_set(struct service *s, const struct ctl_msg *m)
{
	const struct ctl_metadata_options *o = &m->u.metadata_options;
	struct imds_options *to = &s->imds->options;
	struct dns_zone zone;

	batch_reset(s);
	if (o->hop_limit < 1 || o->hop_limit > 64) {
		answer(s, m->seq, -EINVAL, "the hop limit is 1 to 64");
		return;
	}
	if (!is_lower_name(o->domain) ||
	    dns_zone_set(&zone, o->domain, be32_load(o->vpc_addr), o->vpc_prefix) < 0) {
		answer(s, m->seq, -EINVAL, "the domain or the network's block is none");
		return;
	}
	*s->zone = zone;
	s->zone->refuses = o->dns_off;
	to->enabled = o->enabled;
	to->hop_limit = o->hop_limit;
	to->tokens_optional = o->tokens_optional;
	memcpy(to->domain, o->domain, sizeof(to->domain));
	to->set = true;
	own_name_set(s);
	answer(s, m->seq, 0, "");
}
static_assert((int)IMDS_DOMAIN_MAX == CTL_NAME_MAX && (int)TOKEN_ID_MAX == CTL_ID_MAX,
	      "names of the control protocol fit");

/* ---- the tree ---- */

static bool is_top(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && path[n] == '/';
}

static int path_judge(const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(own_paths); i++)
		if (!strcmp(path, own_paths[i]))
			return -EINVAL;
	return !strcmp(path, "user-data") || is_top(path, "meta-data") || is_top(path, "dynamic")
		       ? 0
		       : -EINVAL;
}

static const char *put_text(int r)
{
	switch (-r) {
	case EEXIST:
		return "is there twice";
	case E2BIG:
		return "is too long";
	case ENOSPC:
		return "does not fit any more";
	default:
		return "is not a path that can be put here";
	}
}

static void put(struct service *s, const struct ctl_msg *m)
{
	const struct ctl_metadata_item *item = &m->u.metadata_item;
	char escaped[CTL_PATH_MAX];
	int r;

	if (s->spoilt)
		return;
	r = path_judge(item->path);
	if (r == 0)
		r = tree_put(&s->tree[s->next], item->path, item->data.b, item->data.len,
			     item->more);
	if (r == 0)
		return;
	s->spoilt = r;
	log_escape(escaped, sizeof(escaped), item->path, strlen(item->path));
	(void)snprintf(s->why, sizeof(s->why), "the item %s %s", escaped, put_text(r));
}

static void sign_ask(struct service *s)
{
	static struct ctl_sign_identity q;
	const void *document;
	size_t len;
	int r;

	s->sign_waits = false;
	document = tree_value(s->imds->tree, document_path, &len);
	if (!document || s->sign_fd < 0)
		return;
	q.document.len = (uint16_t)len;
	memcpy(q.document.b, document, len);
	r = ctl_send(s->sign_fd, CTL_SIGN_IDENTITY, ++s->sign_seq, &q, NULL, 0);
	if (r < 0)
		log_err("sign.ask", "err=%d", r);
	else
		s->sign_waits = true;
}
static_assert((int)TREE_VALUE_MAX <= CTL_CHUNK_MAX, "a document fits into a question");

static void commit(struct service *s, const struct ctl_msg *m)
{
	int r = s->spoilt;

	if (r == 0) {
		r = tree_check(&s->tree[s->next]);
		if (r < 0)
			(void)snprintf(s->why, sizeof(s->why), "%s",
				       r == -EINVAL ? "the last item is not whole"
						    : "a directory's listing is too long");
	}
	if (r < 0) {
		answer(s, m->seq, r, s->why);
	} else {
		s->imds->tree = &s->tree[s->next];
		s->next = 1 - s->next;
		own_name_set(s);
		sign_ask(s);
		log_info("metadata.committed", "items=%u bytes=%zu", s->imds->tree->cnt,
			 s->imds->tree->used);
		answer(s, m->seq, 0, "");
	}
	batch_reset(s);
}

void service_ready(struct service *s)
{
	struct ctl_msg *m = &s->msg;
	int r = ctl_recv(s->fd, m);

	if (r == -EAGAIN || r == -EINTR)
		return;
	if (r <= 0) {
		log_info("service.closed", "err=%d", r);
		unwatch(s, &s->fd);
		return;
	}
	if (m->type == CTL_METADATA_OPTIONS_SET)
		options_set(s, m);
	else if (m->type == CTL_METADATA_PUT)
		put(s, m);
	else if (m->type == CTL_METADATA_COMMIT)
		commit(s, m);
	else
		log_err("service.unexpected", "type=%#x", (unsigned)m->type);
	ctl_msg_done(m);
}

/* ---- signatures ---- */

static void signed_arrived(struct service *s, const struct ctl_signed *a)
{
	static char text[BASE64_LINES_BYTES(CTL_CHUNK_MAX)];
	struct tree *t = &s->tree[1 - s->next]; /* the one being served */
	size_t len;
	int r;

	if (a->err < 0 || a->signature.len == 0 || a->pkcs7.len == 0) {
		log_err("sign.refused", "err=%d", a->err);
		return;
	}
	len = base64_write(a->signature.b, a->signature.len, BASE64_COLUMNS, text);
	r = tree_put_own(t, own_paths[0], text, len);
	len = base64_write(a->pkcs7.b, a->pkcs7.len, BASE64_COLUMNS, text);
	if (r == 0)
		r = tree_put_own(t, own_paths[1], text, len);
	if (r == 0)
		r = tree_put_own(t, own_paths[2], text, len);
	if (r < 0)
		log_err("sign.too_long", "err=%d", r);
	else
		log_info("sign.done", "bytes=%zu", len);
}

void service_sign_ready(struct service *s)
{
	struct ctl_msg *m = &s->msg;
	int r = ctl_recv(s->sign_fd, m);

	if (r == -EAGAIN || r == -EINTR)
		return;
	if (r <= 0) {
		log_warn("sign.closed", "err=%d", r);
		unwatch(s, &s->sign_fd);
		return;
	}
	if (m->type == CTL_SIGNED && s->sign_waits && m->seq == s->sign_seq) {
		s->sign_waits = false;
		signed_arrived(s, &m->u.signed_identity);
	} else {
		log_warn_limited("sign.unexpected", "type=%#x seq=%u", (unsigned)m->type, m->seq);
	}
	ctl_msg_done(m);
}
