/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The runtime with a model that has one register and counts its calls. A child process runs the card (without the jail:
 * that is base/sandbox_test.c), this one plays launcher and hypervisor.
 */

#include "cards/runtime/card.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "proto/vu_client.h"

enum { DB_OFF = 0x1000, RAM_BYTES = 1 << 20, TICK_MS = 10 };

/* What the model tells the test, shared memory. */
static struct seen {
	_Atomic uint32_t doorbell, services, quiesces, resets, resumes, gone;
	_Atomic bool busy;         /* the test wants the model to find work without end */
	_Atomic uint32_t not_yet;  /* so many quiesces say "not yet" */
	_Atomic bool ticks;        /* the model wants a turn every TICK_MS */
	_Atomic uint32_t ready[2]; /* bytes read from the watched descriptors */
} * seen;

/* ---- in the child ---- */

static struct card card;
static uint32_t reg;

static void model_access(void *dev, unsigned region, uint64_t off, void *buf, size_t len,
			 bool write)
{
	(void)dev;
	if (region || off || len != sizeof(reg))
		return;
	if (write)
		memcpy(&reg, buf, len);
	else
		memcpy(buf, &reg, len);
}

static int model_quiesce(void *dev, bool reset)
{
	(void)dev;
	seen->quiesces++;
	seen->resets += reset;
	if (reset)
		reg = 0;
	if (!reset && seen->not_yet) {
		seen->not_yet--;
		return -EINPROGRESS;
	}
	return 0;
}

static void model_resume(void *dev)
{
	(void)dev;
	seen->resumes++;
}

static bool model_service(void *dev, uint64_t now_ns)
{
	struct card_function *f = dev;
	uint32_t v = atomic_load(&f->doorbells[0]);

	(void)now_ns;
	seen->services++;
	if (v != seen->doorbell) {
		seen->doorbell = v;
		card_function_irq(f, 0);
		return true;
	}
	return seen->busy || seen->not_yet;
}

static bool model_arm(void *dev)
{
	(void)dev;
	return false;
}

static uint64_t model_wake_ns(void *dev)
{
	(void)dev;
	return seen->ticks ? clock_ns() + TICK_MS * 1000000ul : UINT64_MAX;
}

static void model_gone(void *dev)
{
	(void)dev;
	seen->gone++;
}

static const struct card_model model = {
	.access = model_access,
	.quiesce = model_quiesce,
	.resume = model_resume,
	.service = model_service,
	.arm = model_arm,
	.wake_ns = model_wake_ns,
	.gone = model_gone,
};

static int volume_add(struct ctl_msg *m)
{
	struct pci_config_conf conf = {
		.vendor = 1,
		.class_code = 0x010802,
		.bar = { { .size = 16384, .is_64 = true } },
		.msix = { .vector_cnt = 2, .table_off = 0x2000, .pba_off = 0x3000 },
		.express = true,
		.flr = true,
	};
	struct card_function *f;
	int r;

	r = card_function_get(&card, &f);
	if (r < 0)
		return r;
	r = card_function_serve(f, fd_list_take(&m->fds, 1), &conf, DB_OFF, &model, f, -1);
	if (r < 0)
		card_function_put(f);
	return r;
}

/* Descriptors that come with CTL_CARD_CONFIG; closed and forgotten when their other end is. */
static int watched[2] = { -1, -1 };

static void ready(struct card *c, int fd)
{
	unsigned i = fd == watched[1];
	char b;

	if (fd != watched[i])
		_exit(4);
	if (read(fd, &b, 1) == 1) {
		seen->ready[i]++;
		return;
	}
	card_watch_del(c, fd);
	fd_closep(&watched[i]);
}

static int watch_more(struct card *c, struct ctl_msg *m)
{
	unsigned i = watched[0] >= 0;

	watched[i] = fd_list_take(&m->fds, 0);
	return card_watch_add(c, watched[i], false);
}

static void control(struct card *c, struct ctl_msg *m)
{
	if (m->type == CTL_CARD_CONFIG) {
		if (watch_more(c, m) < 0)
			_exit(3);
		return;
	}
	if (ctl_ack(CTL_FD, m->seq, volume_add(m), NULL) < 0)
		_exit(3);
}

NORETURN static void child(int sock)
{
	static const struct card_kind kind = { .prog = "card-test",
					       .control = control,
					       .ready = ready };

	if (sock != CTL_FD && dup2(sock, CTL_FD) < 0)
		_exit(2);
	if (card_init(&card, &kind, NULL) < 0)
		_exit(2);
	_exit(card_loop(&card) == 0 ? 0 : 1);
}

/* ---- the test's side ---- */

static int ctl = -1;
static pid_t pid;
static struct ctl_msg msg;

static int setup(void **state)
{
	int theirs;
	void *p;

	(void)state;
	p = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	seen = p;
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &ctl, &theirs), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ctl);
		child(theirs);
	}
	close(theirs);
	return 0;
}

static int teardown(void **state)
{
	int status;

	(void)state;
	fd_closep(&ctl);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0); /* it ends when the launcher goes */
	return munmap(seen, sizeof(*seen));
}

/* Return: the card's answer. */
static int attach(int *ret_sock)
{
	struct ctl_card_volume_add add = { .volume_id = "vol-1" };
	int ours, theirs, fds[2], r;

	assert_int_equal(fd_socketpair(SOCK_STREAM, &ours, &theirs), 0);
	fds[0] = fds[1] = theirs;
	assert_int_equal(ctl_send(ctl, CTL_CARD_VOLUME_ADD, 7, &add, fds, 2), 0);
	close(theirs);
	assert_int_equal(ctl_recv(ctl, &msg), 1);
	r = msg.u.ack.err;
	ctl_msg_done(&msg);
	if (r < 0)
		close(ours);
	else
		*ret_sock = ours;
	return r;
}

static struct vu_client *client(void)
{
	struct vu_client *c;
	int sock;

	assert_int_equal(attach(&sock), 0);
	assert_int_equal(vu_client_new(sock, 0, &c), 0);
	return c;
}

static void await(const _Atomic uint32_t *v, uint32_t want)
{
	unsigned i;

	for (i = 0; i < 5000 && *v != want; i++)
		usleep(1000);
	assert_int_equal(*v, want);
}

static void card__serves_registers(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = client();
	uint32_t v = 42;

	(void)state;
	assert_int_equal(vu_client_write(c, 0, 0, &v, 4), 0);
	v = 0;
	assert_int_equal(vu_client_read(c, 0, 0, &v, 4), 0);
	assert_int_equal(v, 42);
	assert_int_equal(vu_client_reset(c), 0);
	assert_int_equal(vu_client_read(c, 0, 0, &v, 4), 0);
	assert_int_equal(v, 0);
	assert_int_equal(seen->resets, 1);
}

static void card__wakes_up_for_a_doorbell_and_interrupts(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = client();
	CLEANUP(fd_closep) int irq = fd_eventfd();
	const struct vu_client_shadow *w;
	unsigned cnt, i, n;

	(void)state;
	assert_int_equal(vu_client_irqs_set(c, &irq, 1), 0);
	w = vu_client_shadows(c, &cnt);
	assert_int_equal(cnt, 1);
	assert_int_equal(w->off, DB_OFF);
	for (i = 1; i < 200; i++) {
		uint64_t v;

		atomic_store((_Atomic uint32_t *)w->mem, i);
		fd_event_signal(w->event_fd);
		for (n = 0; n < 5000 && read(irq, &v, sizeof(v)) != sizeof(v); n++)
			usleep(200);
		assert_true(n < 5000);
		assert_int_equal(seen->doorbell, i);
	}
}

static void card__sleeps_when_there_is_nothing_to_do(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = client();
	uint32_t before;

	(void)state;
	usleep(20000);
	before = seen->services;
	usleep(100000);
	assert_int_equal(seen->services, before);
}

static void card__wakes_up_when_a_model_wants_to_be_woken(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = client();
	uint32_t before, v = 1;
	unsigned i;

	(void)state;
	seen->ticks = true;
	assert_int_equal(vu_client_write(c, 0, 0, &v, 4), 0); /* it hears of it */
	before = seen->services;
	for (i = 0; i < 5000 && seen->services < before + 10; i++)
		usleep(1000);
	assert_true(i >= 10 * TICK_MS / 2 && i < 5000);
}

static void card__tells_watched_descriptors_apart(void **state)
{
	struct ctl_card_config conf = { .instance_id = "i-1" };
	int ours[2], theirs;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_int_equal(fd_socketpair(SOCK_STREAM, &ours[i], &theirs), 0);
		assert_int_equal(ctl_send(ctl, CTL_CARD_CONFIG, i, &conf, &theirs, 1), 0);
		close(theirs);
	}
	assert_int_equal(write(ours[1], "abc", 3), 3);
	await(&seen->ready[1], 3);
	assert_int_equal(seen->ready[0], 0);
	close(ours[1]);
	assert_int_equal(write(ours[0], "d", 1), 1);
	await(&seen->ready[0], 1);
	close(ours[0]);
}

static void card__hears_the_others_while_a_model_is_busy(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = client(), *other = NULL;
	uint32_t v = 1;

	(void)state;
	seen->busy = true;
	other = client();
	assert_int_equal(vu_client_write(other, 0, 0, &v, 4), 0);
	assert_int_equal(vu_client_read(c, 0, 0, &v, 4), 0);
	seen->busy = false;
}

static void card__unmap_is_answered_when_the_model_is_quiet(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = client();
	CLEANUP(fd_closep) int ram = fd_memfd("ram", RAM_BYTES);

	(void)state;
	assert_int_equal(vu_client_dma_map(c, 0, RAM_BYTES, VU_DMA_READ | VU_DMA_WRITE, ram, 0), 0);
	seen->not_yet = 20;
	assert_int_equal(vu_client_dma_unmap(c, 0, RAM_BYTES), 0);
	assert_int_equal(seen->not_yet, 0);
	assert_true(seen->quiesces > 20);
	assert_int_equal(seen->resumes, 1);
}

static void card__a_client_that_goes_takes_its_function_only(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = client();
	struct vu_client *other = client();
	uint32_t v = 5;

	(void)state;
	vu_client_free(other);
	await(&seen->gone, 1);
	assert_int_equal(seen->resets, 1);
	assert_int_equal(vu_client_write(c, 0, 0, &v, 4), 0);
}

static void card__function_slots_are_bounded_and_used_again(void **state)
{
	int sock[CARD_FUNCTIONS_MAX], more;
	unsigned i;

	(void)state;
	for (i = 0; i < CARD_FUNCTIONS_MAX; i++)
		assert_int_equal(attach(&sock[i]), 0);
	assert_int_equal(attach(&more), -ENOSPC);
	close(sock[3]);
	await(&seen->gone, 1);
	assert_int_equal(attach(&sock[3]), 0);
	for (i = 0; i < CARD_FUNCTIONS_MAX; i++)
		close(sock[i]);
	await(&seen->gone, CARD_FUNCTIONS_MAX + 1);
}

static void card__a_slot_forgets_its_doorbells(void **state)
{
	struct vu_client *c = client();
	const struct vu_client_shadow *w;
	unsigned cnt;

	(void)state;
	w = vu_client_shadows(c, &cnt);
	atomic_store((_Atomic uint32_t *)w->mem + 9, 0x1234);
	vu_client_free(c);
	await(&seen->gone, 1);
	c = client();
	w = vu_client_shadows(c, &cnt);
	assert_int_equal(atomic_load((_Atomic uint32_t *)w->mem + 9), 0);
	vu_client_free(c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(card__serves_registers),
		T(card__wakes_up_for_a_doorbell_and_interrupts),
		T(card__sleeps_when_there_is_nothing_to_do),
		T(card__wakes_up_when_a_model_wants_to_be_woken),
		T(card__tells_watched_descriptors_apart),
		T(card__hears_the_others_while_a_model_is_busy),
		T(card__unmap_is_answered_when_the_model_is_quiet),
		T(card__a_client_that_goes_takes_its_function_only),
		T(card__function_slots_are_bounded_and_used_again),
		T(card__a_slot_forgets_its_doorbells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
