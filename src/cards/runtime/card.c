/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The loop and the attachment of functions; see card.h.
 *
 * Doorbells: one memory descriptor holds a page for each function that may ever be attached, made before the jail. A
 * guest's doorbell write is stored there by the hypervisor, which then signals the function's eventfd. That eventfd is
 * watched edge-triggered and never read: the signal itself carries nothing.
 */

#include "cards/runtime/card.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"

enum { NS_PER_MS = 1000000, SLEEP_MS_MAX = 60000 };

enum ref_type { REF_CONTROL, REF_WATCH, REF_SERVER, REF_KICK, REF_WORK };

int card_init(struct card *card, const struct card_kind *kind, void *ctx)
{
	const size_t len = (size_t)CARD_FUNCTIONS_MAX * CARD_DOORBELL_BYTES;
	unsigned i;
	void *p;
	int r;

	memset(card, 0, sizeof(*card));
	card->kind = kind;
	card->ctx = ctx;
	card->control_ref = (struct loop_ref){ REF_CONTROL, card };
	for (i = 0; i < CARD_WATCHES_MAX; i++) {
		struct card_watch *w = &card->watch[i];

		*w = (struct card_watch){ .card = card, .fd = -1, .ref = { REF_WATCH, w } };
	}

	r = card->doorbell_fd = fd_memfd("doorbells", len);
	if (r < 0)
		return r;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, card->doorbell_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	card->doorbells = p;

	for (i = 0; i < CARD_FUNCTIONS_MAX; i++) {
		struct card_function *f = &card->function[i];

		f->card = card;
		f->idx = i;
		f->work_fd = -1;
		f->doorbells =
			card->doorbells + (size_t)i * CARD_DOORBELL_BYTES / sizeof(*f->doorbells);
		r = f->kick_fd = fd_eventfd();
		if (r < 0)
			return r;
		f->server_ref = (struct loop_ref){ REF_SERVER, f };
		f->kick_ref = (struct loop_ref){ REF_KICK, f };
		f->work_ref = (struct loop_ref){ REF_WORK, f };
	}

	r = loop_init(&card->loop);
	if (r < 0)
		return r;
	return loop_add(&card->loop, CTL_FD, EPOLLIN, &card->control_ref);
}

int card_enter(struct card *card, const struct sandbox_profile *profile)
{
	int keep[CARD_FUNCTIONS_MAX + 3];
	struct sandbox_conf conf = {
		.profile = profile,
		.nofile_max = CARD_NOFILE_MAX,
		.keep_fds = keep,
	};
	unsigned i;

	keep[conf.keep_cnt++] = CTL_FD;
	keep[conf.keep_cnt++] = card->doorbell_fd;
	keep[conf.keep_cnt++] = card->loop.epfd;
	for (i = 0; i < CARD_FUNCTIONS_MAX; i++)
		keep[conf.keep_cnt++] = card->function[i].kick_fd;
	return sandbox_enter(&conf);
}

int card_watch_add(struct card *card, int fd, bool edge)
{
	uint32_t events = edge ? EPOLLIN | EPOLLET : EPOLLIN;
	unsigned i;
	int r;

	for (i = 0; i < CARD_WATCHES_MAX && card->watch[i].fd >= 0; i++)
		;
	if (i == CARD_WATCHES_MAX)
		return -ENOSPC;
	r = loop_add(&card->loop, fd, events, &card->watch[i].ref);
	if (r == 0)
		card->watch[i].fd = fd;
	return r;
}

void card_watch_del(struct card *card, int fd)
{
	unsigned i;

	for (i = 0; fd >= 0 && i < CARD_WATCHES_MAX; i++) {
		if (card->watch[i].fd != fd)
			continue;
		loop_del(&card->loop, fd);
		card->watch[i].fd = -1;
		return;
	}
}

/* ---- functions ---- */

int card_function_get(struct card *card, struct card_function **ret)
{
	struct card_function *f;
	unsigned i;
	int r;

	for (i = 0; i < CARD_FUNCTIONS_MAX && card->function[i].used; i++)
		;
	if (i == CARD_FUNCTIONS_MAX)
		return -ENOSPC;

	f = &card->function[i];
	r = gmem_new(&f->mem);
	if (r < 0)
		return r;
	f->used = true;
	*ret = f;
	return 0;
}

static int op_access(void *dev, unsigned region, uint64_t off, void *buf, size_t len, bool write)
{
	struct card_function *f = dev;

	f->model->access(f->dev, region, off, buf, len, write);
	return 0;
}

static int op_quiesce(void *dev, bool reset)
{
	struct card_function *f = dev;

	return f->model->quiesce(f->dev, reset);
}

static void op_resume(void *dev)
{
	struct card_function *f = dev;

	f->model->resume(f->dev);
}

static const struct vu_server_ops server_ops = {
	.region_access = op_access,
	.quiesce = op_quiesce,
	.resume = op_resume,
};

static int function_watch(struct card_function *f)
{
	struct loop *l = &f->card->loop;
	int r;

	f->server_events = vu_server_events(f->server);
	r = loop_add(l, vu_server_fd(f->server), f->server_events, &f->server_ref);
	if (r == 0)
		r = loop_add(l, f->kick_fd, EPOLLIN | EPOLLET, &f->kick_ref);
	if (r == 0 && f->work_fd >= 0)
		r = loop_add(l, f->work_fd, EPOLLIN, &f->work_ref);
	return r;
}

static void function_unwatch(struct card_function *f)
{
	struct loop *l = &f->card->loop;

	if (f->work_fd >= 0)
		loop_del(l, f->work_fd);
	loop_del(l, f->kick_fd);
	if (f->server)
		loop_del(l, vu_server_fd(f->server));
}

int card_function_serve(struct card_function *f, int sock, const struct pci_config_conf *conf,
			uint64_t db_off, const struct card_model *model, void *dev, int work_fd)
{
	CLEANUP(fd_closep) int fd = sock;
	struct vu_server_conf sc = {
		.ops = &server_ops,
		.dev = f,
		.config = &f->config,
		.mem = f->mem,
		.shadow = { {
			.region = 0,
			.off = db_off,
			.size = CARD_DOORBELL_BYTES,
			.event_fd = f->kick_fd,
			.mem_fd = f->card->doorbell_fd,
			.mem_off = (uint64_t)f->idx * CARD_DOORBELL_BYTES,
		} },
		.shadow_cnt = 1,
	};
	int r;

	r = pci_config_init(&f->config, conf);
	if (r < 0)
		return r;
	r = vu_server_new(TAKE_FD(fd), &sc, &f->server);
	if (r < 0)
		return r;

	f->model = model;
	f->dev = dev;
	f->work_fd = work_fd;
	r = function_watch(f);
	if (r < 0) {
		function_unwatch(f);
		vu_server_freep(&f->server);
		f->dev = NULL;
		return r;
	}
	f->serving = true;
	return 0;
}

void card_function_put(struct card_function *f)
{
	size_t i;

	if (f->serving)
		function_unwatch(f);
	f->serving = false;
	f->dev = NULL;
	f->work_fd = -1;
	vu_server_freep(&f->server);
	gmem_freep(&f->mem);
	for (i = 0; i < CARD_DOORBELL_BYTES / sizeof(*f->doorbells); i++)
		atomic_store_explicit(&f->doorbells[i], 0, memory_order_relaxed);
	f->used = false;
}

void card_function_irq(struct card_function *f, unsigned vector)
{
	vu_server_irq(f->server, vector);
}

static void function_lost(struct card_function *f, int r)
{
	void *dev = f->dev;

	log_info("card.client_gone", "function=%u err=%d", f->idx, r);
	/* With reset it never says "not yet". */
	must(f->model->quiesce(dev, true) == 0);
	card_function_put(f);
	f->model->gone(dev);
}

/* After any call into the server: its wish may have changed. */
static void function_rewatch(struct card_function *f)
{
	uint32_t events = vu_server_events(f->server);

	if (events == f->server_events)
		return;
	f->server_events = events;
	if (loop_mod(&f->card->loop, vu_server_fd(f->server), events, &f->server_ref) < 0)
		function_lost(f, -EIO);
}

static void function_step(struct card_function *f, int (*step)(struct vu_server *))
{
	int r = step(f->server);

	if (r < 0)
		function_lost(f, r);
	else
		function_rewatch(f);
}

/* ---- loop ---- */

/* Return: 1 go on, 0 the launcher went away, -errno. */
static int control_ready(struct card *card)
{
	int r = ctl_recv(CTL_FD, &card->msg);

	if (r == -EAGAIN || r == -EINTR)
		return 1;
	if (r <= 0)
		return r;
	card->kind->control(card, &card->msg);
	ctl_msg_done(&card->msg);
	return 1;
}

/* Return: as control_ready(). */
static int dispatch(struct card *card, const struct loop_event *ev)
{
	struct card_function *f = ev->ref->ptr;
	struct card_watch *w = ev->ref->ptr;

	switch ((enum ref_type)ev->ref->type) {
	case REF_CONTROL:
		return control_ready(card);
	case REF_WATCH:
		/* An event of the same round may have ended it. */
		if (w->fd >= 0)
			card->kind->ready(card, w->fd);
		return 1;
	case REF_SERVER:
		/* An event of the same round may have ended it. */
		if (f->serving)
			function_step(f, vu_server_handle);
		return 1;
	case REF_KICK:
	case REF_WORK:
		return 1; /* every model gets its turn anyway */
	}
	return 1;
}

/* One turn of every model. Return: true when one has more. */
static bool turn(struct card *card, uint64_t now_ns)
{
	bool more = false;
	unsigned i;

	for (i = 0; i < CARD_FUNCTIONS_MAX; i++) {
		struct card_function *f = &card->function[i];

		if (!f->serving)
			continue;
		more |= f->model->service(f->dev, now_ns);
		if (!vu_server_idle(f->server))
			function_step(f, vu_server_resume);
	}
	return more;
}

static bool arm(struct card *card)
{
	bool more = false;
	unsigned i;

	for (i = 0; i < CARD_FUNCTIONS_MAX; i++)
		if (card->function[i].serving)
			more |= card->function[i].model->arm(card->function[i].dev);
	return more;
}

/*
 * Turns until there is nothing to do, or the descriptors have waited long enough.
 * Return: true when there may be more to do: look at the descriptors, do not sleep.
 */
static bool work(struct card *card)
{
	uint64_t start_ns = clock_ns(), now_ns = start_ns, until_ns = start_ns + card->poll_ns;

	do {
		bool did = turn(card, now_ns);

		now_ns = clock_ns();
		if (did)
			until_ns = now_ns + card->poll_ns;
		else if (now_ns >= until_ns && !arm(card))
			return false;
	} while (now_ns - start_ns < CARD_WORK_NS_MAX);
	return true;
}

/* How long nobody needs a turn; -1: for ever. */
static int sleep_ms(const struct card *card)
{
	uint64_t wake_ns = UINT64_MAX, now_ns;
	unsigned i;

	for (i = 0; i < CARD_FUNCTIONS_MAX; i++) {
		const struct card_function *f = &card->function[i];

		if (f->serving && f->model->wake_ns)
			wake_ns = min_u64(wake_ns, f->model->wake_ns(f->dev));
	}
	if (wake_ns == UINT64_MAX)
		return -1;
	now_ns = clock_ns();
	if (wake_ns <= now_ns)
		return 0;
	return (int)min_u64((wake_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS, SLEEP_MS_MAX);
}

int card_loop(struct card *card)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	bool busy = false;
	int n, i, r;

	for (;;) {
		n = loop_wait(&card->loop, ev, busy ? 0 : sleep_ms(card));
		if (n < 0)
			return n;
		for (i = 0; i < n; i++) {
			r = dispatch(card, &ev[i]);
			if (r <= 0)
				return r;
		}
		busy = work(card);
	}
}
