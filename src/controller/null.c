/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/null.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/ids.h"
#include "controller/net_text.h"
#include "controller/niterd.h"

enum { BACKLOG = 512, RETRY_NS = 1000000000, NULL_INSTANCES_MAX = 1000000 };

int null_listen(struct null_options *o)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)o->port),
				  .sin_addr.s_addr = htonl(o->addr) };
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(sa);
	int one = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	o->port = ntohs(sa.sin_port);
	return TAKE_FD(fd);
}

int null_state(const struct null_options *o)
{
	const char *path = o->state ? o->state : "/";
	int fd;

	if (o->state && mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_DIRECTORY | O_CLOEXEC | (o->state ? O_RDONLY : O_PATH));
	return fd < 0 ? -errno : fd;
}

void null_print(int fd, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (len > 0)
		(void)!fd_write_full(fd, line, min_u64((uint64_t)len, sizeof(line) - 1));
}

void null_say(const struct null_options *o)
{
	char addr[NET_IPV4_TEXT];

	net_ipv4_text(addr, o->addr);
	log_warn("niterd.null",
		 "addr=%s port=%u state=%s text=\"nothing real runs, no key is protected\"", addr,
		 o->port, o->state ? "kept" : "memory");
	null_print(STDERR_FILENO,
		   "niterd: null launcher: NOTHING REAL RUNS and no key is protected; "
		   "for tests only\n");
	null_print(STDOUT_FILENO, "endpoint http://%s:%u\n", addr, o->port);
	null_print(STDOUT_FILENO, "region %s\n", o->place.region);
}

/* Of the same name the same id, whenever it is made: scripts may know it. */
static void image_id(const char *name, char ret[CTL_ID_MAX])
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	snprintf(ret, CTL_ID_MAX, "ami-0%016llx", (unsigned long long)h);
}

static int image_ensure(struct daemon *d, const struct null_options *o,
			const struct null_image *want)
{
	struct image i = { .architecture = "x86_64",
			   .kernel_version = "none",
			   .kernel_bytes = MODEL_BLOCK,
			   .disk_bytes = want->disk_mib * MIB,
			   .created_ms = d->core.env.now_ms(d->core.env.ptr) };
	int r = 0;

	image_id(want->name, i.id);
	snprintf(i.account, sizeof(i.account), "%s", o->account);
	snprintf(i.name, sizeof(i.name), "%s", want->name);
	if (!store_find(d->core.st, &tbl_images, i.id))
		r = store_put(d->core.st, &tbl_images, &i);
	if (r == 0)
		null_print(STDOUT_FILENO, "image %s %s\n", i.id, i.name);
	return r;
}

static int recover_each(void *ptr, const struct core_acts *acts)
{
	return null_acts(ptr, acts);
}

/* What ran when this process ended runs on: nothing real was lost. */
static int recover(struct daemon *d)
{
	size_t cnt = store_cnt(d->core.st, &tbl_instances), live_cnt = 0;
	CLEANUP(free_p) char(*live)[CTL_ID_MAX] = calloc(cnt + 1, sizeof(*live));
	const struct instance *i;
	struct store_iter at;

	if (!live)
		return -ENOMEM;
	store_each(d->core.st, &tbl_instances, &at);
	while ((i = store_next(&at)))
		if (i->state == INSTANCE_RUNNING)
			memcpy(live[live_cnt++], i->id, sizeof(*live));
	return core_recover(&d->core, (const char(*)[CTL_ID_MAX])live, live_cnt, recover_each, d);
}

/* What the host that is not there has. Nothing but memory bounds how many rows there may be. */
static void room_set(struct core *c, const struct null_options *o)
{
	c->limits.instances = NULL_INSTANCES_MAX;
	c->limits.volumes = UINT_MAX;
	c->limits.no_cards = true;
	c->capacity = (struct core_capacity){
		.known = o->cores || o->ram_mib,
		.whole_cores = o->cores > 0,
		.cores = o->cores,
		.ram_bytes = o->ram_mib ? o->ram_mib * MIB : UINT64_MAX / 2,
	};
}

int null_start(struct daemon *d, const struct null_options *o)
{
	struct null_host *h = calloc(1, sizeof(*h));
	int r = 0;

	if (!h)
		return -ENOMEM;
	h->o = o;
	d->null = h;
	room_set(&d->core, o);
	for (size_t k = 0; r == 0 && k < o->image_cnt; k++)
		r = image_ensure(d, o, &o->image[k]);
	if (r == 0)
		r = recover(d);
	d->recovered = true;
	return r;
}

int null_acts(struct daemon *d, const struct core_acts *acts)
{
	struct null_host *h = d->null;

	if (acts->cnt > h->cap - h->cnt) {
		size_t cap = h->cap * 2 + acts->cnt;
		struct core_act *bigger = reallocarray(h->act, cap, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		h->act = bigger;
		h->cap = cap;
	}
	if (acts->cnt > 0)
		memcpy(h->act + h->cnt, acts->v, acts->cnt * sizeof(*h->act));
	h->cnt += acts->cnt;
	return 0;
}

/* All that its console says. */
static int console_put(struct daemon *d, const char *id)
{
	static const char line[] = "niterd: null launcher: nothing runs here\r\n";
	static struct console_tail t;
	const struct instance *i = store_find(d->core.st, &tbl_instances, id);

	if (!i)
		return 0;
	memcpy(t.instance_id, i->id, sizeof(t.instance_id));
	t.boot_cnt = i->boot_cnt;
	t.end = t.len = sizeof(line) - 1;
	memcpy(t.data, line, t.len);
	return store_put(d->core.st, &tbl_consoles, &t);
}

static int start(struct daemon *d, const char *id, struct core_acts *more)
{
	struct ctl_l_instance_started m = { .err = 0 };
	int r;

	snprintf(m.instance_id, sizeof(m.instance_id), "%s", id);
	r = core_started(&d->core, &m, more);
	return r < 0 ? r : console_put(d, id);
}

static int settle_one(struct daemon *d, const struct core_act *a, struct core_acts *more)
{
	switch (a->kind) {
	case CORE_VOLUME_CREATE:
	case CORE_VOLUME_REMAKE:
		return core_volume_made(&d->core, a->id, 0, "", 0, more);
	case CORE_VOLUME_DELETE:
		return core_volume_deleted(&d->core, a->id, 0, "", more);
	case CORE_START:
		return start(d, a->id, more);
	case CORE_BUTTON:
		return core_gone(&d->core, a->id, CTL_EXIT_SHUTDOWN, "", more);
	case CORE_KILL:
		return core_gone(&d->core, a->id, CTL_EXIT_KILLED, "", more);
	case CORE_RESET:
	case CORE_SOCKET_DROP:
	case CORE_METADATA:
	case CORE_NETWORK:
		return 0;
	}
	return -EINVAL;
}

/* One transaction for all of it. On failure the list is as it was: memory and database are, too. */
static int settle_all(struct daemon *d)
{
	struct null_host *h = d->null;
	size_t before = h->cnt;
	int r = store_begin(d->core.st);

	if (r < 0)
		return r;
	for (size_t k = 0; r >= 0 && k < h->cnt; k++) {
		CLEANUP(core_acts_done) struct core_acts more = { .v = NULL };
		struct core_act a = h->act[k]; /* the list may move */

		r = settle_one(d, &a, &more);
		if (r >= 0)
			r = null_acts(d, &more);
	}
	if (r >= 0)
		r = store_commit(d->core.st);
	if (r < 0) {
		store_rollback(d->core.st);
		h->cnt = before;
		return r;
	}
	h->cnt = 0;
	return 0;
}

void null_settle(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	struct null_host *h = d->null;
	int r;

	if (!h || h->cnt == 0)
		return;
	if (now_ns >= h->retry_ns) {
		r = settle_all(d);
		h->retry_ns = 0;
		if (r == 0) {
			api_check(d);
			return;
		}
		log_err("null.settle", "err=%d", r);
		h->retry_ns = now_ns + RETRY_NS;
	}
	*next = min_u64(*next, h->retry_ns);
}

void null_free(struct daemon *d)
{
	if (!d->null)
		return;
	free(d->null->act);
	free(d->null);
	d->null = NULL;
}
