/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The core against a launcher in memory. world_* is that launcher: it holds what really exists and the answers it
 * has not given yet. The simulation plays random wishes, failures, guests that end, and crashes of niterd and of the
 * whole host, lets everything settle, and then compares what the store says with what exists. A failing seed is
 * printed; NITER_SEED=n plays that one alone.
 */

#include "controller/core.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "controller/core_net.h"
#include "controller/ids.h"
#include "controller/net_text.h"
#include "crypto/crypto.h"

enum { THINGS_MAX = 64, ASKED_MAX = 256, SEEDS = 600, STEPS = 60 };

struct asked {
	enum core_act_kind kind;
	char id[CTL_ID_MAX];
};

static struct world {
	struct core core;
	uint64_t now_ms, rnd;
	char live[THINGS_MAX][CTL_ID_MAX]; /* running instances; empty: free */
	char file[THINGS_MAX][CTL_ID_MAX]; /* volume files */
	struct asked asked[ASKED_MAX];     /* not answered yet */
	size_t asked_cnt;
	unsigned fail_percent;
} w;

static uint64_t rnd_next(void)
{
	w.rnd ^= w.rnd << 13;
	w.rnd ^= w.rnd >> 7;
	w.rnd ^= w.rnd << 17;
	return w.rnd;
}

static unsigned rnd_below(unsigned n)
{
	return (unsigned)(rnd_next() % n);
}

static uint64_t fake_now(void *ptr)
{
	(void)ptr;
	return w.now_ms++;
}

static int fake_random(void *ptr, void *buf, size_t len)
{
	(void)ptr;
	for (size_t k = 0; k < len; k++)
		((uint8_t *)buf)[k] = (uint8_t)rnd_next();
	return 0;
}

static char *set_find(char set[THINGS_MAX][CTL_ID_MAX], const char *id)
{
	for (size_t k = 0; k < THINGS_MAX; k++)
		if (strcmp(set[k], id) == 0)
			return set[k];
	return NULL;
}

static void set_add(char set[THINGS_MAX][CTL_ID_MAX], const char *id)
{
	char *slot = set_find(set, id);

	if (!slot)
		slot = set_find(set, "");
	assert_non_null(slot);
	snprintf(slot, CTL_ID_MAX, "%s", id);
}

static void set_remove(char set[THINGS_MAX][CTL_ID_MAX], const char *id)
{
	char *slot = set_find(set, id);

	if (slot)
		slot[0] = '\0';
}

static int world_ask(void *ptr, const struct core_acts *acts)
{
	(void)ptr;
	for (size_t k = 0; k < acts->cnt; k++) {
		bool known = false;

		if (acts->v[k].kind == CORE_SOCKET_DROP || acts->v[k].kind == CORE_NETWORK)
			continue;
		/* As link.c: one request about one thing at a time. */
		for (size_t j = 0; j < w.asked_cnt; j++)
			known = known || (w.asked[j].kind == acts->v[k].kind &&
					  strcmp(w.asked[j].id, acts->v[k].id) == 0);
		if (known)
			continue;
		assert_true(w.asked_cnt < ASKED_MAX);
		w.asked[w.asked_cnt].kind = acts->v[k].kind;
		snprintf(w.asked[w.asked_cnt++].id, CTL_ID_MAX, "%s", acts->v[k].id);
	}
	return 0;
}

static void tell(int r, const struct core_acts *acts)
{
	assert_true(r >= 0);
	(void)world_ask(NULL, acts);
}

static void world_gone(const char *id, enum ctl_exit_reason reason)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };

	set_remove(w.live, id);
	tell(core_gone(&w.core, id, reason, "", &acts), &acts);
}

static void answer_start(const char *id, bool fails)
{
	struct ctl_l_instance_started m = { .first_run_us = 5 };
	static struct ctl_l_instance_start start;
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };

	snprintf(m.instance_id, sizeof(m.instance_id), "%s", id);
	/* What the launcher would be asked must be whole, and its files must be there. */
	if (core_start_message(&w.core, id, &start) == 0) {
		assert_true(start.volume_cnt > 0);
		for (unsigned k = 0; k < start.volume_cnt; k++)
			if (!set_find(w.file, start.volume[k].volume_id))
				fails = true;
	} else {
		fails = true;
	}
	if (fails || set_find(w.live, id)) {
		m.err = -EIO;
		snprintf(m.text, sizeof(m.text), "no luck");
	} else {
		set_add(w.live, id);
	}
	tell(core_started(&w.core, &m, &acts), &acts);
}

static void answer_volume(const struct asked *a, bool fails)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct volume v;

	if (a->kind == CORE_VOLUME_DELETE) {
		/* A deletion fails only while the fault lasts; it is what keys hang on. */
		set_remove(w.file, a->id);
		tell(core_volume_deleted(&w.core, a->id, 0, "", &acts), &acts);
		return;
	}
	if (store_get_id(w.core.st, &tbl_volumes, a->id, &v) < 0)
		return;
	if (a->kind == CORE_VOLUME_CREATE && set_find(w.file, a->id))
		fails = true; /* it exists already */
	if (!fails)
		set_add(w.file, a->id);
	tell(core_volume_made(&w.core, a->id, fails ? -ENOSPC : 0, fails ? "full" : "", 1000,
			      &acts),
	     &acts);
}

/* The launcher gets to one of the requests. */
static void world_answer(size_t k)
{
	struct asked a = w.asked[k];
	bool fails = rnd_below(100) < w.fail_percent;

	w.asked[k] = w.asked[--w.asked_cnt];
	switch (a.kind) {
	case CORE_VOLUME_CREATE:
	case CORE_VOLUME_REMAKE:
	case CORE_VOLUME_DELETE:
		answer_volume(&a, fails);
		break;
	case CORE_START:
		answer_start(a.id, fails);
		break;
	case CORE_BUTTON: /* a deaf guest is killed by the time-out */
		if (fails) {
			CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };

			tell(core_stop_timeout(&w.core, a.id, &acts), &acts);
		} else {
			world_gone(a.id, CTL_EXIT_SHUTDOWN);
		}
		break;
	case CORE_KILL:
		world_gone(a.id, CTL_EXIT_KILLED);
		break;
	case CORE_RESET:
	case CORE_SOCKET_DROP:
	case CORE_METADATA:
	case CORE_NETWORK:
		break;
	}
}

/* niterd dies. The launcher takes back what it was asked for; some of it was done, and nobody heard. */
static void world_crash(bool host_too)
{
	for (size_t k = 0; k < w.asked_cnt; k++)
		if (w.asked[k].kind == CORE_VOLUME_CREATE && rnd_below(2))
			set_add(w.file, w.asked[k].id);
	for (size_t k = 0; k < w.asked_cnt; k++)
		if (w.asked[k].kind == CORE_KILL && rnd_below(2))
			set_remove(w.live, w.asked[k].id);
	w.asked_cnt = 0;
	if (host_too)
		memset(w.live, 0, sizeof(w.live));
	assert_int_equal(core_recover(&w.core, (const char(*)[CTL_ID_MAX])w.live, THINGS_MAX,
				      world_ask, NULL),
			 0);
}

static void world_init(uint64_t seed)
{
	struct image i = { .kernel_bytes = 1, .disk_bytes = 8 << 20, .created_ms = 1 };
	struct fault f;

	store_free(w.core.st);
	memset(&w, 0, sizeof(w));
	w.rnd = seed * 0x9e3779b97f4a7c15 + 1;
	w.now_ms = 1795370000000;
	w.core.env = (struct core_env){ fake_now, fake_random, NULL };
	assert_int_equal(store_open(":memory:", &w.core.st), 0);
	assert_int_equal(core_net_init(&w.core), 0);
	snprintf(i.id, sizeof(i.id), "ami-0123456789abcdef0");
	snprintf(i.account, sizeof(i.account), "%s", MODEL_ACCOUNT_DEFAULT);
	snprintf(i.name, sizeof(i.name), "debian");
	snprintf(i.cmdline, sizeof(i.cmdline), "console=ttyS0");
	assert_int_equal(core_image_add(&w.core, &i, &f), 0);
}

static struct core_run run_of(const char *name)
{
	struct core_run q = { .account = MODEL_ACCOUNT_DEFAULT,
			      .image = "debian",
			      .type = "t3.nano" };

	snprintf(q.name, sizeof(q.name), "%s", name);
	return q;
}

static int world_run(const char *name, struct instance *ret)
{
	struct core_run q = run_of(name);
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct fault f;
	int r = core_run(&w.core, &q, &acts, ret, &f);

	if (r == 0)
		(void)world_ask(NULL, &acts);
	return r;
}

static int world_want(const char *id, enum machine_event ev)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct fault f = { .code = "" };
	int r = core_want(&w.core, id, ev, &acts, &f);

	assert_true((r < 0) == (f.code[0] != '\0'));
	(void)world_ask(NULL, &acts);
	return r;
}

static void world_settle(void)
{
	for (int k = 0; w.asked_cnt > 0; k++) {
		assert_true(k < 1000);
		world_answer(rnd_below((unsigned)w.asked_cnt));
	}
}

static enum instance_state state_of(const char *id)
{
	struct instance i = { 0 };

	assert_int_equal(store_get_id(w.core.st, &tbl_instances, id, &i), 0);
	return i.state;
}

/* Nothing is under way: what the store says is what exists. */
static void world_check(void)
{
	struct instance *n = NULL;
	struct volume *v = NULL;
	size_t n_cnt, v_cnt, live = 0, files = 0, running = 0, there = 0;
	struct net net;

	assert_int_equal(store_list(w.core.st, &tbl_instances, (void **)&n, &n_cnt), 0);
	assert_int_equal(store_list(w.core.st, &tbl_volumes, (void **)&v, &v_cnt), 0);
	for (size_t k = 0; k < THINGS_MAX; k++) {
		live += w.live[k][0] != '\0';
		files += w.file[k][0] != '\0';
	}
	for (size_t k = 0; k < n_cnt; k++) {
		assert_true(n[k].state == INSTANCE_RUNNING || n[k].state == INSTANCE_STOPPED ||
			    n[k].state == INSTANCE_TERMINATED);
		if (n[k].state != INSTANCE_RUNNING)
			continue;
		running++;
		assert_non_null(set_find(w.live, n[k].id));
		assert_true(n[k].boot_cnt > 0);
	}
	assert_int_equal(running, live);
	for (size_t k = 0; k < v_cnt; k++) {
		assert_true(v[k].state == VOLUME_IN_USE || v[k].state == VOLUME_AVAILABLE ||
			    v[k].state == VOLUME_ERROR);
		if (v[k].state == VOLUME_IN_USE)
			assert_int_not_equal(state_of(v[k].instance_id), INSTANCE_TERMINATED);
		if (v[k].state != VOLUME_ERROR)
			assert_non_null(set_find(w.file, v[k].id));
	}
	assert_true(files <= v_cnt);
	/* Whatever is not terminated has its one interface, in one group; what is, has nothing left. */
	assert_int_equal(net_load(w.core.st, &net), 0);
	for (size_t k = 0; k < n_cnt; k++) {
		assert_int_equal(net_interface_of(&net, n[k].id) != NULL,
				 n[k].state != INSTANCE_TERMINATED);
		there += n[k].state != INSTANCE_TERMINATED;
	}
	assert_int_equal(net.interface_cnt, there);
	assert_int_equal(net.membership_cnt, there);
	net_done(&net);
	free(n);
	free(v);
}

static void simulation_step(void)
{
	static const enum machine_event wishes[] = { EV_WANT_START, EV_WANT_STOP,
						     EV_WANT_STOP_FORCE, EV_WANT_REBOOT,
						     EV_WANT_TERMINATE };
	struct instance *n = NULL, i;
	size_t cnt = 0;

	assert_int_equal(store_list(w.core.st, &tbl_instances, (void **)&n, &cnt), 0);
	switch (rnd_below(10)) {
	case 0:
		if (cnt < 20)
			(void)world_run(rnd_below(2) ? "a" : "", &i);
		break;
	case 1:
	case 2:
	case 3:
		if (cnt)
			(void)world_want(n[rnd_below((unsigned)cnt)].id,
					 wishes[rnd_below(ARRAY_SIZE(wishes))]);
		break;
	case 4: /* a guest ends by itself */
		for (size_t k = 0; k < THINGS_MAX; k++)
			if (w.live[k][0] && rnd_below(3) == 0) {
				char id[CTL_ID_MAX];

				memcpy(id, w.live[k], sizeof(id));
				world_gone(id, CTL_EXIT_TRIPLE_FAULT);
			}
		break;
	case 5:
		if (rnd_below(3) == 0)
			world_crash(rnd_below(2) == 0);
		break;
	default:
		if (w.asked_cnt)
			world_answer(rnd_below((unsigned)w.asked_cnt));
		break;
	}
	free(n);
}

static void simulation(uint64_t seed)
{
	world_init(seed);
	w.fail_percent = seed % 3 == 0 ? 0 : 15;
	for (int k = 0; k < STEPS; k++)
		simulation_step();
	world_settle();
	world_check();
	world_crash(seed & 1);
	world_settle();
	world_check();
}

static void core__settles_with_what_exists_whatever_happens(void **state)
{
	const char *one = getenv("NITER_SEED");

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t s = one ? strtoull(one, NULL, 10) : seed;

		print_message(seed % 200 == 0 || one ? "seed %llu\n" : "", (unsigned long long)s);
		w.rnd = s;
		fflush(stdout);
		simulation(s);
		if (one)
			break;
	}
}

static void core_run__goes_from_pending_to_running(void **state)
{
	struct instance i;

	(void)state;
	world_init(1);
	assert_int_equal(world_run("web", &i), 0);
	assert_int_equal(i.state, INSTANCE_PENDING);
	assert_int_equal(w.asked[0].kind, CORE_VOLUME_CREATE);
	world_answer(0);
	assert_int_equal(w.asked[0].kind, CORE_START);
	assert_int_equal(state_of(i.id), INSTANCE_PENDING);
	world_answer(0);
	assert_int_equal(state_of(i.id), INSTANCE_RUNNING);
	assert_int_equal(w.asked_cnt, 0);
	world_check();
}

static void core_run__that_fails_leaves_nothing(void **state)
{
	struct instance i;

	(void)state;
	for (int at = 0; at < 2; at++) {
		world_init(2);
		assert_int_equal(world_run("web", &i), 0);
		if (at == 1)
			world_answer(0);
		w.fail_percent = 100;
		world_answer(0);
		w.fail_percent = 0;
		world_settle();
		assert_int_equal(state_of(i.id), INSTANCE_TERMINATED);
		assert_null(set_find(w.file, "vol"));
		for (size_t k = 0; k < THINGS_MAX; k++)
			assert_int_equal(w.file[k][0], 0);
		assert_int_equal(world_run("web", &i), 0); /* the name is free again */
	}
}

static void core_start__that_fails_leaves_it_stopped(void **state)
{
	struct instance i;

	(void)state;
	world_init(3);
	assert_int_equal(world_run("web", &i), 0);
	world_settle();
	assert_int_equal(world_want(i.id, EV_WANT_STOP), 1);
	world_settle();
	assert_int_equal(world_want(i.id, EV_WANT_START), 1);
	w.fail_percent = 100;
	world_answer(0);
	assert_int_equal(state_of(i.id), INSTANCE_STOPPED);
	w.fail_percent = 0;
	assert_int_equal(world_want(i.id, EV_WANT_START), 1);
	world_settle();
	assert_int_equal(state_of(i.id), INSTANCE_RUNNING);
	world_check();
}

static void core_recover__stops_what_the_host_lost(void **state)
{
	struct instance i;

	(void)state;
	world_init(4);
	assert_int_equal(world_run("web", &i), 0);
	world_settle();
	world_crash(false);
	assert_int_equal(state_of(i.id), INSTANCE_RUNNING);
	world_crash(true);
	assert_int_equal(store_get_id(w.core.st, &tbl_instances, i.id, &i), 0);
	assert_int_equal(i.state, INSTANCE_STOPPED);
	assert_string_equal(i.reason_code, "Server.HostStopped");
}

static void core_expire__forgets_after_an_hour(void **state)
{
	struct instance i;

	(void)state;
	world_init(5);
	assert_int_equal(world_run("web", &i), 0);
	world_settle();
	assert_int_equal(world_want(i.id, EV_WANT_TERMINATE), 1);
	world_settle();
	w.now_ms += CORE_TERMINATED_MS - 1000;
	assert_int_equal(core_expire(&w.core), 0);
	assert_int_equal(state_of(i.id), INSTANCE_TERMINATED);
	w.now_ms += 2000;
	assert_int_equal(core_expire(&w.core), 0);
	assert_int_equal(store_get_id(w.core.st, &tbl_instances, i.id, &i), -ENOENT);
}

/* A start message of @q must be refused with @code, and nothing recorded. */
static void refused(const struct core_run *q, const char *code)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct instance i, *n;
	struct fault f = { .code = "" };
	size_t cnt;

	assert_true(core_run(&w.core, q, &acts, &i, &f) < 0);
	assert_string_equal(f.code, code);
	assert_true(f.text[0] != '\0' && f.remedy[0] != '\0');
	assert_int_equal(acts.cnt, 0);
	assert_int_equal(store_list(w.core.st, &tbl_instances, (void **)&n, &cnt), 0);
	assert_int_equal(cnt, 0);
}

static void core_run__refuses_with_a_code_and_a_remedy(void **state)
{
	struct core_run q;

	(void)state;
	world_init(6);
	q = run_of("web");
	snprintf(q.image, sizeof(q.image), "nothing\x1b[31m");
	refused(&q, "InvalidAMIID.NotFound");
	q = run_of("web");
	snprintf(q.type, sizeof(q.type), "t9.huge");
	refused(&q, "InvalidInstanceType");
	q = run_of("we b");
	refused(&q, "InvalidParameterValue");
	q = run_of("web");
	snprintf(q.cpus, sizeof(q.cpus), "2x2");
	refused(&q, "InvalidParameterValue");
	q = run_of("web");
	q.disk_bytes = 4096;
	refused(&q, "InvalidBlockDeviceMapping");
	q = run_of("web");
	q.disk_bytes = UINT64_MAX;
	refused(&q, "InvalidParameterValue");
	q = run_of("web");
	snprintf(q.account, sizeof(q.account),
		 "999999999999"); /* another's image does not exist for him */
	refused(&q, "InvalidAMIID.NotFound");
}

static void core_capacity_check__says_what_is_missing(void **state)
{
	struct ctl_l_host h = { .placement = "whole-cores",
				.cores = 4,
				.cores_free = 1,
				.ram_bytes = 4 * GIB,
				.ram_free_bytes = GIB };
	struct instance i = { .type = "t3.nano", .cores = 1, .threads = 2, .ram_bytes = 512 * MIB };
	struct fault f;

	(void)state;
	assert_int_equal(core_capacity_check(&h, &i, &f), 0);
	i.cores = 2;
	assert_int_equal(core_capacity_check(&h, &i, &f), -EBUSY);
	assert_string_equal(f.code, "InsufficientInstanceCapacity");
	snprintf(h.placement, sizeof(h.placement), "shared-core lab");
	assert_int_equal(core_capacity_check(&h, &i, &f), 0);
	i.ram_bytes = 2 * GIB;
	assert_int_equal(core_capacity_check(&h, &i, &f), -ENOMEM);
	assert_non_null(strstr(f.text, "2048 MiB"));
}

static void core_find__wants_one_answer(void **state)
{
	struct instance a, b, out;
	struct fault f;
	char ref[CTL_ID_MAX];

	(void)state;
	world_init(7);
	assert_int_equal(world_run("a", &a), 0);
	assert_int_equal(world_run("b", &b), 0);
	assert_int_equal(core_instance_find(&w.core, MODEL_ACCOUNT_DEFAULT, "a", &out, &f), 0);
	assert_string_equal(out.id, a.id);
	assert_int_equal(core_instance_find(&w.core, MODEL_ACCOUNT_DEFAULT, b.id, &out, &f), 0);
	snprintf(ref, sizeof(ref), "%.12s", a.id);
	assert_int_equal(core_instance_find(&w.core, MODEL_ACCOUNT_DEFAULT, ref, &out, &f), 0);
	assert_string_equal(out.id, a.id);
	assert_int_equal(core_instance_find(&w.core, MODEL_ACCOUNT_DEFAULT, "i-0", &out, &f),
			 -ENOENT);
	assert_int_equal(core_instance_find(&w.core, "999999999999", a.id, &out, &f), -ENOENT);
	assert_int_equal(core_instance_find(&w.core, MODEL_ACCOUNT_DEFAULT, "", &out, &f), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(core_run__goes_from_pending_to_running),
		cmocka_unit_test(core_run__that_fails_leaves_nothing),
		cmocka_unit_test(core_start__that_fails_leaves_it_stopped),
		cmocka_unit_test(core_recover__stops_what_the_host_lost),
		cmocka_unit_test(core_expire__forgets_after_an_hour),
		cmocka_unit_test(core_run__refuses_with_a_code_and_a_remedy),
		cmocka_unit_test(core_capacity_check__says_what_is_missing),
		cmocka_unit_test(core_find__wants_one_answer),
		cmocka_unit_test(core__settles_with_what_exists_whatever_happens),
	};
	int r;

	if (crypto_init() < 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	store_free(w.core.st);
	return r;
}
