/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sim/sim.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/num.h"
#include "controller/core_net.h"
#include "controller/ec2/call.h"
#include "controller/store_priv.h"

enum { TURN_CALLS_MAX = 3, SETTLE_STEPS = 20000, DAY_MS = 26 * 3600 * 1000 };

static uint64_t rnd_next(struct sim *s)
{
	s->rnd ^= s->rnd << 13;
	s->rnd ^= s->rnd >> 7;
	s->rnd ^= s->rnd << 17;
	return s->rnd * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

unsigned sim_below(struct sim *s, unsigned n)
{
	return (unsigned)(rnd_next(s) % n);
}

bool sim_chance(struct sim *s, unsigned percent)
{
	return sim_below(s, 100) < percent;
}

static uint64_t env_now(void *ptr)
{
	return ((struct sim *)ptr)->now_ms;
}

static int env_random(void *ptr, void *buf, size_t len)
{
	for (size_t k = 0; k < len; k++)
		((uint8_t *)buf)[k] = (uint8_t)rnd_next(ptr);
	return 0;
}

void sim_trace(struct sim *s, const char *fmt, ...)
{
	char *line = s->trace[s->trace_cnt++ % SIM_TRACE_LINES];
	int at = snprintf(line, sizeof(s->trace[0]), "%8llu ",
			  (unsigned long long)(s->now_ms % 100000000));
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line + at, sizeof(s->trace[0]) - (size_t)at, fmt, ap);
	va_end(ap);
	if (s->loud)
		(void)fprintf(stderr, "%s\n", line);
}

void sim_break(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->broken)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(s->broken_text, sizeof(s->broken_text), fmt, ap);
	va_end(ap);
	s->broken = s->broken_text;
	sim_trace(s, "BROKEN %s", s->broken);
}

/* Something has become durable. */
static void committed(void *ptr)
{
	struct sim *s = ptr;

	if (mutant_is(MUTANT_LOST_COMMIT) && !s->crashed) {
		free(s->older);
		s->older = s->newer;
		s->older_len = s->newer_len;
		must(store_image(s->core.st, &s->newer, &s->newer_len) == 0);
	}
	if (s->crash_in == 0 || s->crashed)
		return;
	if (--s->crash_in > 0)
		return;
	free(s->image);
	s->image = NULL;
	must(store_image(s->core.st, &s->image, &s->image_len) == 0);
	s->crashed = true;
}

static struct sim *playing;

static int sink_acts(UNUSED struct daemon *d, const struct core_acts *acts)
{
	CLEANUP(core_acts_done) struct core_acts copy = { .v = NULL };

	if (!playing->in_turn)
		return host_acts(playing, acts);
	copy.v = reallocarray(NULL, acts->cnt, sizeof(*copy.v));
	must(copy.v);
	memcpy(copy.v, acts->v, acts->cnt * sizeof(*copy.v));
	copy.cnt = copy.cap = acts->cnt;
	return core_acts_move(&playing->wanted, &copy);
}

/* The turn has come to its end. */
static void turn_over(struct sim *s, bool durable)
{
	s->in_turn = false;
	if (durable && !s->crashed) {
		must(host_acts(s, &s->wanted) == 0);
		client_turn_done(s, true);
	}
	core_acts_done(&s->wanted);
	memset(&s->wanted, 0, sizeof(s->wanted));
}

/* niterd dies now, or has died: what is durable stays. */
static void die(struct sim *s)
{
	if (!s->crashed) {
		free(s->image);
		s->image = NULL;
		must(store_image(s->core.st, &s->image, &s->image_len) == 0);
	}
	if (mutant_is(MUTANT_LOST_COMMIT) && s->older) {
		free(s->image);
		s->image = TAKE_PTR(s->older);
		s->image_len = s->older_len;
	}
	sim_trace(s, "niterd dies");
	store_freep(&s->core.st);
	s->crashed = true;
	s->crash_in = 0;
	s->down = true;
	host_channel_lost(s);
	client_turn_done(s, false);
}

static int recover_each(void *ptr, const struct core_acts *acts)
{
	return host_acts(ptr, acts);
}

static void crash_plan(struct sim *s)
{
	if (!s->calm && sim_chance(s, s->storm))
		s->crash_in = 1 + sim_below(s, 4);
}

static void capacity_say(struct sim *s)
{
	struct ctl_l_host h = { .cores = SIM_CORES, .placement = "whole-cores" };

	h.ram_bytes = h.ram_free_bytes = 1ULL << 50;
	core_capacity_said(&s->core, &h, NULL, NULL);
}

/* niterd starts on what is durable. */
static void start(struct sim *s)
{
	char live[SIM_GUESTS_MAX][CTL_ID_MAX];
	size_t cnt;
	int r;

	host_drain(s);
	cnt = host_live(s, live);
	sim_trace(s, "niterd starts, %zu live", cnt);
	s->crashed = s->down = false;
	must(store_open_image(s->image, s->image_len, &s->core.st) == 0);
	store_on_commit(s->core.st, committed, s);
	crash_plan(s);
	r = core_net_init(&s->core);
	capacity_say(s);
	if (r == 0)
		r = core_recover(&s->core, (const char(*)[CTL_ID_MAX])live, cnt, recover_each, s);
	if (r < 0)
		sim_break(s, "recovery: %d", r);
	if (s->crashed)
		die(s);
}

/* Some calls that share a commit. */
static void turn(struct sim *s)
{
	unsigned cnt = 1 + sim_below(s, TURN_CALLS_MAX);
	int r = store_begin(s->core.st);

	must(r == 0);
	s->in_turn = true;
	for (unsigned k = 0; k < cnt; k++)
		client_call(s);
	if (!s->calm && sim_chance(s, s->storm)) { /* before anything of it is durable */
		store_rollback(s->core.st);
		turn_over(s, false);
		die(s);
		return;
	}
	r = store_commit(s->core.st);
	if (r < 0)
		sim_break(s, "commit: %d", r);
	turn_over(s, r == 0);
}

static void step(struct sim *s)
{
	unsigned what = sim_below(s, 100);

	crash_plan(s);
	if (s->down)
		start(s);
	else if (what < 30)
		turn(s);
	else if (what < 34)
		host_guest_ends(s);
	else if (what < 36 && !s->calm && sim_chance(s, s->storm * 10))
		die(s);
	else if (what < 37)
		(void)!core_expire(&s->core);
	else if (what < 60 || !host_step(s))
		s->now_ms += sim_below(s, 400);
	if (s->crashed && !s->down)
		die(s);
	if (!s->down && !s->broken)
		check_step(s);
}

/* Everything that is under way comes to its end. */
static void settle(struct sim *s)
{
	for (int k = 0; k < SETTLE_STEPS && !s->broken; k++) {
		uint64_t next = host_next(s);

		if (next == UINT64_MAX)
			return;
		if (next > s->now_ms)
			s->now_ms = next;
		(void)!host_step(s);
		if (!s->down)
			check_step(s);
	}
	if (!s->broken)
		sim_break(s, "it never comes to rest");
}

/* Calm weather: everything settles, then everything is given back, and nothing is left. */
static void finish(struct sim *s)
{
	s->calm = true;
	s->crash_in = 0;
	if (s->down)
		start(s);
	settle(s);
	if (!s->broken)
		check_settled(s);
	if (s->broken)
		return;
	die(s); /* nothing is under way: a fresh start finds nothing to do */
	start(s);
	settle(s);
	if (!s->broken)
		check_settled(s);
	for (int k = 0; k < 20 && !s->broken && client_end(s); k++)
		settle(s);
	s->now_ms += DAY_MS;
	if (!s->broken && core_expire(&s->core) < 0)
		sim_break(s, "expiry fails");
	if (!s->broken)
		check_empty(s);
}

/* Of a database without anything but the default network and an image: made once, for every seed. */
static void first_image(struct sim *s)
{
	static unsigned char *image;
	static size_t len;
	struct image img = { .id = SIM_IMAGE,
			     .account = SIM_ACCOUNT,
			     .name = "null",
			     .architecture = "x86_64",
			     .kernel_bytes = 1,
			     .disk_bytes = 1 << 20,
			     .created_ms = 1 };

	if (!image) {
		must(store_open(":memory:", &s->core.st) == 0);
		must(store_put(s->core.st, &tbl_images, &img) == 0);
		must(core_net_init(&s->core) == 0);
		must(store_image(s->core.st, &image, &len) == 0);
		store_freep(&s->core.st);
	}
	s->image = malloc(len);
	must(s->image);
	memcpy(s->image, image, len);
	s->image_len = len;
}

bool sim_play(struct sim *s, uint64_t seed, unsigned steps)
{
	static const struct ec2_sink sink = { .acts = sink_acts };
	bool loud = s->loud;

	memset(s, 0, sizeof(*s));
	s->loud = loud;
	s->seed = seed;
	s->rnd = 1;
	s->now_ms = UINT64_C(1800000000000);
	s->core.env = (struct core_env){ env_now, env_random, s };
	playing = s;
	ec2_sink_set(&sink);
	first_image(s);
	s->rnd = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15); /* whichever seed was the first */
	s->storm = sim_below(s, 4);
	s->down = true;
	start(s);
	for (unsigned k = 0; k < steps && !s->broken; k++)
		step(s);
	if (!s->broken)
		finish(s);
	store_freep(&s->core.st);
	host_done(s);
	free(s->image);
	free(s->older);
	free(s->newer);
	s->image = s->older = s->newer = NULL;
	return !s->broken;
}
