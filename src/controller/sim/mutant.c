/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mistakes, one at a time. The linker puts these functions in front of the core's (--wrap), so the core itself is what
 * niterd runs. Each cell of the state machine that acts gives one mistake per action that is forgotten, and one
 * for a state that does not change; the last ones are whole functions that do nothing.
 */

#include <stdio.h>

#include "base/attr.h"
#include "controller/core_net.h"
#include "controller/core_run.h"
#include "controller/ec2/call_priv.h"
#include "controller/machine.h"
#include "controller/sim/sim.h"

unsigned mutant = MUTANT_NONE;

/* clang-format off: names are the linker's */
int __real_machine_next(enum instance_state state, enum machine_event ev, struct machine_step *ret);
int __wrap_machine_next(enum instance_state state, enum machine_event ev, struct machine_step *ret);
unsigned __real_core_place_cnt(struct core *c, const struct instance *i, unsigned max);
unsigned __wrap_core_place_cnt(struct core *c, const struct instance *i, unsigned max);
int __real_core_net_release(struct core *c, const char *instance_id);
int __wrap_core_net_release(struct core *c, const char *instance_id);
int __real_token_seen(struct ec2_call *c, const char *token, char ret_result[MODEL_NAME_MAX]);
int __wrap_token_seen(struct ec2_call *c, const char *token, char ret_result[MODEL_NAME_MAX]);
int __real_token_keep(struct ec2_call *c, const char *token);
int __wrap_token_keep(struct ec2_call *c, const char *token);
int __real_core_recover(struct core *c, const char (*live)[CTL_ID_MAX], size_t live_cnt,
			core_acts_fn *each, void *ptr);
int __wrap_core_recover(struct core *c, const char (*live)[CTL_ID_MAX], size_t live_cnt,
			core_acts_fn *each, void *ptr);
int __real_core_expire(struct core *c);
int __wrap_core_expire(struct core *c);
int __real_core_volume_made(struct core *c, const char *volume_id, int err, const char *text,
			    uint64_t took_us, struct core_acts *acts);
int __wrap_core_volume_made(struct core *c, const char *volume_id, int err, const char *text,
			    uint64_t took_us, struct core_acts *acts);
/* clang-format on */

static const enum instance_state states[] = { INSTANCE_PENDING, INSTANCE_RUNNING, INSTANCE_STOPPING,
					      INSTANCE_STOPPED, INSTANCE_SHUTTING_DOWN };

enum { STAYS = 1 << 30 };

/* Actions whose loss nobody outside sees: a socket that is closed later, a guest that is not reset. */
enum { QUIET = ACT_SOCKET_DROP | ACT_RESET };

static const char *const whole[] = {
	"capacity is not counted",       "interfaces stay when an instance ends",
	"a token is not looked for",     "a token is not kept",
	"nothing is recovered",          "nothing expires",
	"a volume that failed was made", "a commit is lost in a crash",
};

/* What mistake @n changes. Return: whether there is one in the machine's table. */
static bool cell_of(unsigned n, enum instance_state *ret_state, enum machine_event *ret_ev,
		    unsigned *ret_what)
{
	for (size_t k = 0; k < ARRAY_SIZE(states); k++)
		for (unsigned ev = 0; ev < EV_CNT; ev++) {
			struct machine_step step;
			unsigned what;

			if (__real_machine_next(states[k], (enum machine_event)ev, &step) != 1)
				continue;
			what = (step.actions & ~(unsigned)QUIET) |
			       (step.next != states[k] ? (unsigned)STAYS : 0);
			for (unsigned bit = 1; bit <= (unsigned)STAYS; bit <<= 1) {
				if (!(what & bit) || --n > 0)
					continue;
				*ret_state = states[k];
				*ret_ev = (enum machine_event)ev;
				*ret_what = bit;
				return true;
			}
		}
	return false;
}

static unsigned cells(void)
{
	enum instance_state state;
	enum machine_event ev;
	unsigned what, n = 0;

	while (cell_of(n + 1, &state, &ev, &what))
		n++;
	return n;
}

unsigned mutant_cnt(void)
{
	return cells() + (unsigned)ARRAY_SIZE(whole);
}

/* Is it the mistake of that number among the whole functions? */
bool mutant_is(unsigned number)
{
	static unsigned cnt;

	if (mutant == MUTANT_NONE)
		return false;
	if (cnt == 0)
		cnt = cells();
	return mutant == cnt + 1 + number;
}

const char *mutant_name(unsigned n)
{
	static const char *const actions[] = { "start",  "button", "reset", "kill",
					       "delete", "resume", "socket" };
	static char name[96];
	enum instance_state state;
	enum machine_event ev;
	unsigned what;

	if (!cell_of(n, &state, &ev, &what))
		return whole[n - cells() - 1];
	snprintf(name, sizeof(name), "%s, %s: %s%s", instance_state_name(state),
		 machine_event_name(ev), what == (unsigned)STAYS ? "stays" : "no ",
		 what == (unsigned)STAYS ? "" : actions[__builtin_ctz(what)]);
	return name;
}

int __wrap_machine_next(enum instance_state state, enum machine_event ev, struct machine_step *ret)
{
	int r = __real_machine_next(state, ev, ret);
	enum instance_state at;
	enum machine_event when;
	unsigned what;

	if (mutant == MUTANT_NONE || r != 1 || !cell_of(mutant, &at, &when, &what) || at != state ||
	    when != ev)
		return r;
	if (what == (unsigned)STAYS)
		ret->next = state;
	else
		ret->actions &= ~what;
	return r;
}

unsigned __wrap_core_place_cnt(struct core *c, const struct instance *i, unsigned max)
{
	return mutant_is(0) ? max : __real_core_place_cnt(c, i, max);
}

int __wrap_core_net_release(struct core *c, const char *instance_id)
{
	return mutant_is(1) ? 0 : __real_core_net_release(c, instance_id);
}

int __wrap_token_seen(struct ec2_call *c, const char *token, char ret_result[MODEL_NAME_MAX])
{
	return mutant_is(2) ? 0 : __real_token_seen(c, token, ret_result);
}

int __wrap_token_keep(struct ec2_call *c, const char *token)
{
	return mutant_is(3) ? 0 : __real_token_keep(c, token);
}

int __wrap_core_recover(struct core *c, const char (*live)[CTL_ID_MAX], size_t live_cnt,
			core_acts_fn *each, void *ptr)
{
	return mutant_is(4) ? 0 : __real_core_recover(c, live, live_cnt, each, ptr);
}

int __wrap_core_expire(struct core *c)
{
	return mutant_is(5) ? 0 : __real_core_expire(c);
}

int __wrap_core_volume_made(struct core *c, const char *volume_id, int err, const char *text,
			    uint64_t took_us, struct core_acts *acts)
{
	return __real_core_volume_made(c, volume_id, mutant_is(6) ? 0 : err, text, took_us, acts);
}
