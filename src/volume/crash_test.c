/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is left after the power fails: a random load on a backing that records; then, for moments of that run, every
 * disk content that was possible then (all subsets of what was not yet stable up to 2^4, random subsets above, and
 * one write torn between its sectors) is opened as a volume and compared, sector by sector, with what the volume had
 * promised. The promise: a write that was completed before a flush was submitted, and the flush completed, is there, and
 * so is a completed write with fua; what was submitted after it may be there or not, but each sector holds one of these
 * versions, never a mixture and never noise.
 *
 * NITER_CRASH_STATES=n makes it check at least n states.
 */

#include "volume/volume_test.h"

#include <limits.h>

#include "volume/backing_record.h"

enum { UNITS = 6, SECTORS = UNITS * 8, OPS = 40, IN_FLIGHT = 4, STATES_DEFAULT = 3000 };

/* A version of a sector: which operation wrote it. 0 is the hole at the start. */
struct change {
	enum vol_op op;
	bool fua;
	unsigned first, cnt; /* sectors */
	uint64_t submitted, completed;
	uint8_t data[8 * 2 * 512];
	struct vol_req req;
	struct iovec iov;
};

static struct change change[OPS];
static uint64_t rnd = 88172645463325252ULL;

static uint64_t next(uint64_t below)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd % below;
}

static void change_make(struct change *c, unsigned idx)
{
	static const enum vol_op ops[8] = { VOL_WRITE, VOL_WRITE, VOL_WRITE,   VOL_WRITE,
					    VOL_WRITE, VOL_FLUSH, VOL_DISCARD, VOL_WRITE_ZEROES };

	memset(c, 0, sizeof(*c));
	c->op = ops[next(8)];
	c->fua = c->op != VOL_FLUSH && next(6) == 0;
	c->completed = UINT64_MAX;
	c->first = (unsigned)next(SECTORS);
	c->cnt = next(2) ? 8 : (unsigned)next(16) + 1;
	if (c->cnt == 8 && next(3))
		c->first &= ~7U;
	if (c->cnt > SECTORS - c->first)
		c->cnt = SECTORS - c->first;
	if (c->op == VOL_FLUSH)
		c->first = c->cnt = 0;
	/* Every sector of every version is different from all others. */
	for (unsigned i = 0; i < c->cnt * 512; i++)
		c->data[i] = (uint8_t)(idx + 1 + (i / 512) * 41 + i * (i % 7));
	for (unsigned i = 0; i < c->cnt; i++)
		memcpy(c->data + (size_t)i * 512, &idx, sizeof(idx));
	c->iov = (struct iovec){ c->data, (size_t)c->cnt * 512 };
	c->req = (struct vol_req){ .op = c->op, .fua = c->fua, .ctx = c };
	c->req.off = (uint64_t)c->first * 512;
	c->req.len = (uint64_t)c->cnt * 512;
	if (c->op == VOL_WRITE) {
		c->req.iov = &c->iov;
		c->req.iov_cnt = 1;
	}
}

static void load_run(struct vol *v, struct vol_backing *b)
{
	struct vol_req *done[OPS];
	unsigned made = 0, ended = 0;

	while (ended < OPS) {
		struct vol_req *batch[IN_FLIGHT];
		unsigned n = 0, got;

		while (made < OPS && made - ended < IN_FLIGHT && n < IN_FLIGHT && next(4)) {
			change_make(&change[made], made);
			change[made].submitted = record_now(b);
			batch[n++] = &change[made++].req;
		}
		vol_submit(v, batch, n);
		got = vol_poll(v, done, OPS);
		for (unsigned i = 0; i < got; i++) {
			struct change *c = done[i]->ctx;

			assert_int_equal(done[i]->res, 0);
			c->completed = record_now(b);
		}
		ended += got;
	}
}

/* durable() - must change @c have survived a power failure at @time? */
static bool durable(const struct change *c, uint64_t time)
{
	if (c->completed > time)
		return false;
	if (c->fua)
		return true;
	for (unsigned i = 0; i < OPS; i++) {
		if (change[i].op == VOL_FLUSH && change[i].submitted >= c->completed &&
		    change[i].completed <= time)
			return true;
	}
	return false;
}

static bool sector_is(const struct change *c, unsigned sector, const uint8_t *got)
{
	static const uint8_t zero[512];

	return memcmp(got,
		      c && c->op == VOL_WRITE ? c->data + (size_t)(sector - c->first) * 512 : zero,
		      512) == 0;
}

static bool covers(const struct change *c, unsigned sector)
{
	return c->op != VOL_FLUSH && sector >= c->first && sector < c->first + c->cnt;
}

/* May @sector hold @got after a power failure at @time? Overlapping changes take effect in order of submission. */
static bool sector_allowed(unsigned sector, const uint8_t *got, uint64_t time)
{
	int from = -1;

	for (int i = 0; i < OPS; i++) {
		if (covers(&change[i], sector) && change[i].submitted < time &&
		    durable(&change[i], time))
			from = i;
	}
	if (sector_is(from < 0 ? NULL : &change[from], sector, got))
		return true;
	for (int i = from + 1; i < OPS; i++) {
		if (covers(&change[i], sector) && change[i].submitted <= time &&
		    sector_is(&change[i], sector, got))
			return true;
	}
	return false;
}

static void state_check(struct vol_backing *b, uint64_t time, uint64_t keep, unsigned torn,
			uint64_t mask)
{
	static uint8_t got[SECTORS * 512];
	struct key *k = test_key(1);
	struct vol_backing *disk;
	struct vol_params p;
	struct vol *v;

	assert_int_equal(record_crash(b, time, keep, torn, mask, &disk), 0);
	assert_int_equal(vol_params_read(disk, &p), 0);
	assert_int_equal(vol_open(disk, &p, k, NULL, &v), 0);
	assert_int_equal(test_run(v, VOL_READ, 0, got, sizeof(got), false), 0);
	for (unsigned s = 0; s < SECTORS; s++) {
		if (!sector_allowed(s, got + (size_t)s * 512, time))
			fail_msg("sector %u at time %lu, kept %lx, torn %u mask %lx", s, time, keep,
				 torn, mask);
	}
	vol_free(v);
	key_free(k);
}

static unsigned moment_check(struct vol_backing *b, uint64_t time)
{
	unsigned loose = record_unstable(b, time), n = 0;
	uint64_t subsets = loose <= 4 ? 1ULL << loose : 16;

	for (uint64_t i = 0; i < subsets; i++, n++)
		state_check(b, time, loose <= 4 ? i : next(UINT64_MAX), UINT_MAX, 0);
	for (unsigned i = 0; i < loose && i < 4; i++, n++)
		state_check(b, time, next(UINT64_MAX), i, next(UINT64_MAX));
	return n;
}

static void vol__keeps_its_promise_in_every_crash_state(void **state)
{
	const char *want_text = getenv("NITER_CRASH_STATES");
	unsigned long want = want_text ? strtoul(want_text, NULL, 10) : STATES_DEFAULT, cnt = 0,
		      runs = 0;

	(void)state;
	for (uint64_t seed = 1; cnt < want; seed++, runs++) {
		struct vol_params p = test_params((uint64_t)UNITS * 4096);
		const struct vol_opts opts = { .job_cnt = 16, .job_bytes = 8192 };
		struct key *k = test_key(1);
		struct vol_backing *b;
		struct vol *v;

		assert_int_equal(record_new(0, seed, &b), 0);
		assert_int_equal(vol_create(b, &p, k), 0);
		assert_int_equal(vol_open(b, &p, k, &opts, &v), 0);
		record_start(b);
		load_run(v, b);
		for (unsigned i = 0; i < 8; i++)
			cnt += moment_check(b, next(record_now(b) + 1));
		cnt += moment_check(b, record_now(b));
		vol_free(v);
		key_free(k);
	}
	print_message("%lu crash states of %lu runs\n", cnt, runs);
}

/* The test of the test: a volume that does not sync must be found out. */
static void vol__crash_states_find_a_lost_write(void **state)
{
	struct vol_params p = test_params((uint64_t)UNITS * 4096);
	struct key *k = test_key(1);
	struct vol_backing *b;
	struct vol *v;

	(void)state;
	assert_int_equal(record_new(0, 0, &b), 0);
	assert_int_equal(vol_create(b, &p, k), 0);
	assert_int_equal(vol_open(b, &p, k, NULL, &v), 0);
	record_start(b);
	memset(change, 0, sizeof(change));
	change[0].op = VOL_WRITE;
	change[0].cnt = 8;
	change[0].fua = true; /* as claimed; the request below is not */
	memset(change[0].data, 7, 4096);
	assert_int_equal(test_run(v, VOL_WRITE, 0, change[0].data, 4096, false), 0);
	for (unsigned i = 1; i < OPS; i++)
		change[i].op = VOL_FLUSH, change[i].completed = UINT64_MAX;
	assert_int_equal(record_unstable(b, record_now(b)), 1);
	assert_false(sector_allowed(0, (const uint8_t[512]){ 0 }, record_now(b)));
	assert_true(sector_allowed(0, change[0].data, record_now(b)));
	vol_free(v);
	key_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vol__keeps_its_promise_in_every_crash_state),
		cmocka_unit_test(vol__crash_states_find_a_lost_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
