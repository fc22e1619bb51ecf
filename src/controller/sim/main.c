/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sim [--seeds N] [--from SEED] [--steps N] [--seed SEED] [--mutant N] [--mutants]
 *
 * Plays seeds until one fails, and prints its trace; --seed plays one of them aloud. --mutants puts one mistake after
 * the other into the core and says which ones no seed noticed.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/sim/sim.h"
#include "crypto/crypto.h"

enum { SEEDS = 300, STEPS = 200, MUTANT_SEEDS = 600 };

static struct sim s;

static void trace_print(void)
{
	size_t from = s.trace_cnt > SIM_TRACE_LINES ? s.trace_cnt - SIM_TRACE_LINES : 0;

	for (size_t k = from; !s.loud && k < s.trace_cnt; k++)
		(void)fprintf(stderr, "%s\n", s.trace[k % SIM_TRACE_LINES]);
	(void)fprintf(stderr, "seed %llu: %s\nplay it again: sim --seed %llu\n",
		      (unsigned long long)s.seed, s.broken, (unsigned long long)s.seed);
}

static int seeds_play(uint64_t from, uint64_t cnt, unsigned steps)
{
	uint64_t calls = 0, accepted = 0;

	for (uint64_t k = from; k < from + cnt; k++) {
		if (!sim_play(&s, k, steps)) {
			trace_print();
			return 1;
		}
		calls += s.calls;
		accepted += s.accepted;
	}
	printf("%llu seeds, %llu calls, %llu accepted: everything held\n", (unsigned long long)cnt,
	       (unsigned long long)calls, (unsigned long long)accepted);
	/* A simulation in which nothing happens proves nothing. */
	return accepted >= cnt * 10 ? 0 : 1;
}

/* Return: how many mutants lived. */
static int mutants_play(uint64_t seeds, unsigned steps)
{
	unsigned lived = 0;

	for (mutant = 1; mutant <= mutant_cnt(); mutant++) {
		uint64_t k = 0;

		while (k < seeds && sim_play(&s, k, steps))
			k++;
		if (k == seeds)
			lived++;
		printf("%2u %-40s %s\n", mutant, mutant_name(mutant),
		       k == seeds ? "LIVED" : s.broken);
	}
	printf("%u of %u mistakes were noticed\n", mutant_cnt() - lived, mutant_cnt());
	return (int)lived;
}

int main(int argc, char **argv)
{
	uint64_t seeds = SEEDS, from = 0;
	unsigned steps = STEPS;
	bool mutants = false;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): first thing in main() */
	must(setenv("NITER_LOG", "err", 0) == 0);
	log_init("sim");
	must(crypto_init() == 0);
	for (int k = 1; k < argc; k++) {
		const char *arg = k + 1 < argc ? argv[k + 1] : "0";

		if (strcmp(argv[k], "--mutants") == 0) {
			mutants = true;
			seeds = MUTANT_SEEDS;
			continue;
		}
		if (strcmp(argv[k], "--seeds") == 0) {
			seeds = strtoull(arg, NULL, 10);
		} else if (strcmp(argv[k], "--from") == 0) {
			from = strtoull(arg, NULL, 10);
		} else if (strcmp(argv[k], "--mutant") == 0) {
			mutant = (unsigned)strtoul(arg, NULL, 10);
		} else if (strcmp(argv[k], "--steps") == 0) {
			steps = (unsigned)strtoul(arg, NULL, 10);
		} else if (strcmp(argv[k], "--seed") == 0) {
			from = strtoull(arg, NULL, 10);
			seeds = 1;
			s.loud = true;
		} else {
			return 2;
		}
		k++;
	}
	return mutants ? mutants_play(seeds, steps) : seeds_play(from, seeds, steps);
}
