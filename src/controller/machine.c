/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>

#include "controller/machine.h"

enum row {
	ROW_PENDING,
	ROW_RUNNING,
	ROW_STOPPING,
	ROW_STOPPED,
	ROW_SHUTTING_DOWN,
	ROW_TERMINATED,
	ROW_CNT
};

enum verdict { V_REFUSE = 0, V_IGNORE, V_GO };

struct cell {
	enum verdict verdict;
	struct machine_step step;
};

#define GO(state, act)                                                                             \
	{                                                                                          \
		V_GO,                                                                              \
		{                                                                                  \
			INSTANCE_##state, (act)                                                    \
		}                                                                                  \
	}
#define IGNORE                                                                                     \
	{                                                                                          \
		V_IGNORE,                                                                          \
		{                                                                                  \
			INSTANCE_PENDING, 0                                                        \
		}                                                                                  \
	}

/* A cell that is not written refuses: right for wishes; events that can come anywhere are all written. */
static const struct cell table[ROW_CNT][EV_CNT] = {
	[ROW_PENDING] = {
		[EV_VOLUMES_READY] = GO(PENDING, ACT_START),
		[EV_VOLUME_FAILED] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE),
		[EV_STARTED] = GO(RUNNING, 0),
		[EV_LAUNCH_FAILED] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE),
		[EV_START_FAILED] = GO(STOPPED, 0),
		[EV_GONE] = IGNORE, /* the launcher's answer to the start says the same */
		[EV_GONE_FOR_GOOD] = IGNORE,
		[EV_WANT_START] = IGNORE,
		[EV_WANT_TERMINATE] = GO(SHUTTING_DOWN, 0), /* the answer that is under way goes on from there */
		[EV_STOP_TIMEOUT] = IGNORE,
		[EV_VOLUMES_DELETED] = IGNORE,
		[EV_FOUND_LIVE] = GO(RUNNING, 0),
		[EV_FOUND_DEAD] = GO(PENDING, ACT_RESUME),
	},
	[ROW_RUNNING] = {
		[EV_VOLUMES_READY] = IGNORE,
		[EV_VOLUME_FAILED] = IGNORE,
		[EV_STARTED] = IGNORE,
		[EV_LAUNCH_FAILED] = IGNORE,
		[EV_START_FAILED] = IGNORE,
		[EV_GONE] = GO(STOPPED, ACT_SOCKET_DROP),
		[EV_GONE_FOR_GOOD] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE | ACT_SOCKET_DROP),
		[EV_WANT_START] = IGNORE,
		[EV_WANT_STOP] = GO(STOPPING, ACT_BUTTON),
		[EV_WANT_STOP_FORCE] = GO(STOPPING, ACT_KILL),
		[EV_WANT_REBOOT] = GO(RUNNING, ACT_RESET),
		[EV_WANT_TERMINATE] = GO(SHUTTING_DOWN, ACT_KILL),
		[EV_STOP_TIMEOUT] = IGNORE,
		[EV_VOLUMES_DELETED] = IGNORE,
		[EV_FOUND_LIVE] = IGNORE,
		[EV_FOUND_DEAD] = GO(STOPPED, ACT_SOCKET_DROP),
	},
	[ROW_STOPPING] = {
		[EV_VOLUMES_READY] = IGNORE,
		[EV_VOLUME_FAILED] = IGNORE,
		[EV_STARTED] = IGNORE,
		[EV_LAUNCH_FAILED] = IGNORE,
		[EV_START_FAILED] = IGNORE,
		[EV_GONE] = GO(STOPPED, ACT_SOCKET_DROP),
		[EV_GONE_FOR_GOOD] = GO(STOPPED, ACT_SOCKET_DROP),
		[EV_WANT_STOP] = IGNORE,
		[EV_WANT_STOP_FORCE] = GO(STOPPING, ACT_KILL),
		[EV_WANT_TERMINATE] = GO(SHUTTING_DOWN, ACT_KILL),
		[EV_STOP_TIMEOUT] = GO(STOPPING, ACT_KILL),
		[EV_VOLUMES_DELETED] = IGNORE,
		[EV_FOUND_LIVE] = GO(STOPPING, ACT_BUTTON),
		[EV_FOUND_DEAD] = GO(STOPPED, ACT_SOCKET_DROP),
	},
	[ROW_STOPPED] = {
		[EV_VOLUMES_READY] = IGNORE,
		[EV_VOLUME_FAILED] = IGNORE,
		[EV_STARTED] = GO(STOPPED, ACT_KILL), /* nobody wants it any more */
		[EV_LAUNCH_FAILED] = IGNORE,
		[EV_START_FAILED] = IGNORE,
		[EV_GONE] = IGNORE,
		[EV_GONE_FOR_GOOD] = IGNORE,
		[EV_WANT_START] = GO(PENDING, ACT_START),
		[EV_WANT_STOP] = IGNORE,
		[EV_WANT_STOP_FORCE] = IGNORE,
		[EV_WANT_TERMINATE] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE),
		[EV_STOP_TIMEOUT] = IGNORE,
		[EV_VOLUMES_DELETED] = IGNORE,
		[EV_FOUND_LIVE] = GO(STOPPED, ACT_KILL),
		[EV_FOUND_DEAD] = IGNORE,
	},
	[ROW_SHUTTING_DOWN] = {
		[EV_VOLUMES_READY] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE),
		[EV_VOLUME_FAILED] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE),
		[EV_STARTED] = GO(SHUTTING_DOWN, ACT_KILL),
		[EV_LAUNCH_FAILED] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE),
		[EV_START_FAILED] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE),
		[EV_GONE] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE | ACT_SOCKET_DROP),
		[EV_GONE_FOR_GOOD] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE | ACT_SOCKET_DROP),
		[EV_WANT_TERMINATE] = IGNORE,
		[EV_STOP_TIMEOUT] = IGNORE,
		[EV_VOLUMES_DELETED] = GO(TERMINATED, 0),
		[EV_FOUND_LIVE] = GO(SHUTTING_DOWN, ACT_KILL),
		[EV_FOUND_DEAD] = GO(SHUTTING_DOWN, ACT_VOLUMES_DELETE | ACT_SOCKET_DROP),
	},
	[ROW_TERMINATED] = {
		[EV_VOLUMES_READY] = IGNORE,
		[EV_VOLUME_FAILED] = IGNORE,
		[EV_STARTED] = GO(TERMINATED, ACT_KILL),
		[EV_LAUNCH_FAILED] = IGNORE,
		[EV_START_FAILED] = IGNORE,
		[EV_GONE] = IGNORE,
		[EV_GONE_FOR_GOOD] = IGNORE,
		[EV_WANT_TERMINATE] = IGNORE,
		[EV_STOP_TIMEOUT] = IGNORE,
		[EV_VOLUMES_DELETED] = IGNORE,
		[EV_FOUND_LIVE] = GO(TERMINATED, ACT_KILL),
		[EV_FOUND_DEAD] = IGNORE,
	},
};

static enum row row_of(enum instance_state s)
{
	switch (s) {
	case INSTANCE_PENDING:
		return ROW_PENDING;
	case INSTANCE_RUNNING:
		return ROW_RUNNING;
	case INSTANCE_STOPPING:
		return ROW_STOPPING;
	case INSTANCE_STOPPED:
		return ROW_STOPPED;
	case INSTANCE_SHUTTING_DOWN:
		return ROW_SHUTTING_DOWN;
	case INSTANCE_TERMINATED:
		return ROW_TERMINATED;
	}
	must(false); /* the enum is whole: -Wswitch-enum sees to that */
	return ROW_TERMINATED;
}

int machine_next(enum instance_state state, enum machine_event ev, struct machine_step *ret)
{
	const struct cell *c = &table[row_of(state)][ev];

	if (c->verdict == V_REFUSE)
		return -EBUSY;
	if (c->verdict == V_IGNORE)
		return 0;
	*ret = c->step;
	return 1;
}

const char *machine_event_name(enum machine_event ev)
{
	static const char *const names[EV_CNT] = {
		[EV_VOLUMES_READY] = "volumes-ready",
		[EV_VOLUME_FAILED] = "volume-failed",
		[EV_STARTED] = "started",
		[EV_LAUNCH_FAILED] = "launch-failed",
		[EV_START_FAILED] = "start-failed",
		[EV_GONE] = "gone",
		[EV_GONE_FOR_GOOD] = "gone-for-good",
		[EV_WANT_START] = "want-start",
		[EV_WANT_STOP] = "want-stop",
		[EV_WANT_STOP_FORCE] = "want-stop-force",
		[EV_WANT_REBOOT] = "want-reboot",
		[EV_WANT_TERMINATE] = "want-terminate",
		[EV_STOP_TIMEOUT] = "stop-timeout",
		[EV_VOLUMES_DELETED] = "volumes-deleted",
		[EV_FOUND_LIVE] = "found-live",
		[EV_FOUND_DEAD] = "found-dead",
	};

	return ev < EV_CNT && names[ev] ? names[ev] : "unknown";
}
