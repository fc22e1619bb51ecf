/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * niterd's decisions played on one thread, without clock, disk or processes: EC2 calls go in at one end, a host that
 * exists in memory is at the other, and a seed decides everything in between. A seed is played again by its number.
 *
 *   client.c   what people call, and what was promised to them
 *   host.c     the launcher, the guests and the wire to them: slow, doubling, failing, losing
 *   check.c    what must hold after every step, and at the end
 *   sim.c      turns, crashes, the order of things
 *   mutant.c   the same core with a mistake: the simulation must notice
 *
 * The wire is the launcher's socket: what is about one thing arrives in the order it was sent, things overtake each
 * other freely. When niterd dies, what it had sent may arrive or not, and what was on its way to it is lost.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/core.h"

enum {
	SIM_FILES_MAX = 256,
	SIM_GUESTS_MAX = 64,
	SIM_MESSAGES_MAX = 1024,
	SIM_PROMISES_MAX = 512,
	SIM_TRACE_LINES = 400,
	SIM_SEEN_MAX = 512,
	SIM_CORES = 10, /* of the host */
	SIM_START_TRIES = 40,
	SIM_DELETE_TRIES = 40,
};

/* A guest's process, or one that is being started. */
struct sim_guest {
	char id[CTL_ID_MAX]; /* empty: free */
	bool starting;
	unsigned cores;
	char volume[CTL_VOLUMES_MAX][CTL_ID_MAX];
	size_t volume_cnt;
};

enum sim_message_kind {
	MSG_NONE,
	/* to the host */
	ASK_CREATE,
	ASK_REMAKE,
	ASK_DELETE,
	ASK_START,
	ASK_KILL,
	/* from it */
	TELL_MADE,
	TELL_DELETED,
	TELL_STARTED,
	TELL_GONE,
	TELL_KILLED, /* the answer to ASK_KILL when there was nothing */
	/* what niterd's own timers do */
	TIMER_STOP,
	TIMER_RETRY_START,
	TIMER_RETRY_DELETE,
	TIMER_RETRY_REMAKE,
	/* the host's own: they outlive niterd */
	HOST_RUNS,
	HOST_ENDS,
};

struct sim_message {
	enum sim_message_kind kind;
	char id[CTL_ID_MAX];
	uint64_t due_ms, no; /* no: in the order of sending */
	int err;
	unsigned tries;
	enum ctl_exit_reason reason;
	bool doubled;
	struct ctl_l_instance_start *start; /* owned; ASK_START */
};

/* Something the client was told exists, or a launch whose answer may have been lost. */
enum sim_promise_kind {
	PROMISE_NONE,
	PROMISE_INSTANCE,
	PROMISE_VOLUME,
	PROMISE_TAG,
	PROMISE_GROUP,
	PROMISE_INTERFACE,
	PROMISE_LAUNCH, /* of a client token */
	PROMISE_KINDS,
};

struct sim_promise {
	enum sim_promise_kind kind;
	char id[MODEL_ID_MAX]; /* of the thing; a launch: its token */
	bool stop_wanted,
		fresh;          /* an instance: a stop was accepted, no start since; in this turn */
	bool dropped;           /* the client asked for its end; it may be gone */
	unsigned cnt;           /* a launch's instances */
	char first[CTL_ID_MAX]; /* of a launch that was answered; empty: not yet */
	char body[512];
};

struct sim {
	uint64_t seed, rnd, now_ms;
	struct core core;
	struct core_acts wanted; /* of the turn: nobody hears of them before it is durable */
	bool in_turn;
	/* what is durable */
	unsigned char *image; /* owned */
	size_t image_len;
	unsigned char *older, *newer; /* owned; of the last commits: MUTANT_LOST_COMMIT */
	size_t older_len, newer_len;
	/* a crash is planned: after so many more commits; 0: none */
	unsigned crash_in;
	bool crashed;   /* niterd is dead; what it still does, nobody sees */
	unsigned storm; /* percent: how likely crashes are */
	bool calm;      /* no more failures and crashes */
	bool down;      /* niterd has not been started again yet */
	/* the host */
	struct sim_guest guest[SIM_GUESTS_MAX];
	char file[SIM_FILES_MAX][CTL_ID_MAX];
	struct sim_message msg[SIM_MESSAGES_MAX];
	uint64_t msg_no;
	/* the clients */
	struct sim_promise promise[SIM_PROMISES_MAX], said[SIM_PROMISES_MAX];
	size_t said_cnt; /* promises of this turn: made when it is durable */
	unsigned token_no, calls, accepted;
	/* what states were seen */
	struct sim_seen {
		char id[CTL_ID_MAX];
		enum instance_state state;
	} seen[SIM_SEEN_MAX];
	size_t seen_cnt;
	/* the verdict */
	const char *broken; /* NULL: nothing yet */
	char broken_text[256];
	char trace[SIM_TRACE_LINES][160];
	size_t trace_cnt;
	bool loud;
};

#define SIM_ACCOUNT MODEL_ACCOUNT_DEFAULT
#define SIM_IMAGE "ami-00000000000000001"

/* sim_below(): a number of the seed. sim_chance(): true in @percent of 100. */
unsigned sim_below(struct sim *s, unsigned n);
bool sim_chance(struct sim *s, unsigned percent);
void sim_trace(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* sim_break(): the seed has failed; the first word counts. */
void sim_break(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* sim_play(): Return: whether everything held. */
bool sim_play(struct sim *s, uint64_t seed, unsigned steps);

/* host.c */
MUST_USE int host_acts(struct sim *s, const struct core_acts *acts);
/* host_step(): one thing that is due happens. Return: whether there was one. */
bool host_step(struct sim *s);
/* host_guest_ends(): one guest does something on its own. */
void host_guest_ends(struct sim *s);
/* host_next(): when the next thing is due; UINT64_MAX: never. */
uint64_t host_next(const struct sim *s);
/* host_channel_lost(): niterd is dead. */
void host_channel_lost(struct sim *s);
/* host_drain(): the launcher has read all of the dead one's socket before it starts the next. */
void host_drain(struct sim *s);
/* host_live(): ids of what lives, as the launcher's list says. */
size_t host_live(const struct sim *s, char (*ret)[CTL_ID_MAX]);
struct sim_guest *host_guest(struct sim *s, const char *id);
bool host_file(const struct sim *s, const char *id);
void host_done(struct sim *s);

/* client.c */
/* client_call(): one call of whatever kind, inside the turn. */
void client_call(struct sim *s);
/* client_end(): asks for the end of everything. Return: whether something was still there. */
bool client_end(struct sim *s);
/* client_turn_done(): @durable: the promises made in it count. */
void client_turn_done(struct sim *s, bool durable);

/* check.c */
void check_step(struct sim *s);
void check_settled(struct sim *s);
void check_empty(struct sim *s);

/* mutant.c */
enum { MUTANT_NONE };
extern unsigned mutant;
enum { MUTANT_LOST_COMMIT = 7 };
unsigned mutant_cnt(void);
bool mutant_is(unsigned number);
const char *mutant_name(unsigned n);
