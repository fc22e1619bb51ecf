/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The life of an instance as a table: [state][event] -> next state and actions. Pure: no clock, no store, no
 * process. core.c looks up what happened, stores the result, and carries the actions out.
 *
 *            run/start             STARTED                stop                GONE
 *   (none) -----------> pending ------------> running -----------> stopping --------> stopped
 *                          | failed              | GONE (guest powered off)              | start: pending
 *                          v                     +--------------------------------------^|
 *                     shutting-down <------------ rm, from every state ------------------+
 *                          | GONE, then volumes deleted
 *                          v
 *                      terminated
 *
 * What may be read: a running or stopping instance has a service socket; any other has none. pending means that a
 * volume is being made or that the launcher is starting it.
 */

#include "base/attr.h"
#include "controller/model.h"

enum machine_event {
	EV_VOLUMES_READY, /* every volume of a new instance is there */
	EV_VOLUME_FAILED, /* ... or one of them could not be made */
	EV_STARTED,       /* the guest's first instruction runs */
	EV_LAUNCH_FAILED, /* the very first start failed */
	EV_START_FAILED,  /* a later start failed */
	EV_GONE,          /* nothing of it is left on the host */
	EV_GONE_FOR_GOOD, /* ... because its guest powered off, and then it shall be terminated */
	EV_WANT_START,
	EV_WANT_STOP,       /* by the power button, with a time-out */
	EV_WANT_STOP_FORCE, /* at once */
	EV_WANT_REBOOT,
	EV_WANT_TERMINATE,
	EV_STOP_TIMEOUT, /* the guest did not heed the power button */
	EV_VOLUMES_DELETED,
	EV_FOUND_LIVE, /* niterd restarted: the launcher has it running */
	EV_FOUND_DEAD, /* niterd restarted: the launcher knows nothing of it */
	EV_CNT,
};

enum machine_action {
	ACT_START = 1 << 0,  /* ask the launcher to start it */
	ACT_BUTTON = 1 << 1, /* press the power button and arm the stop timer */
	ACT_RESET = 1 << 2,
	ACT_KILL = 1 << 3,
	ACT_VOLUMES_DELETE = 1 << 4, /* those that die with the instance */
	ACT_RESUME = 1 << 5,         /* take a launch up again where a crash left it */
	ACT_SOCKET_DROP = 1 << 6,    /* the process is gone: keep its console, close its socket */
};

struct machine_step {
	enum instance_state next;
	unsigned actions; /* machine_action bits, in the order of the enum */
};

/**
 * machine_next() - what @ev does in @state
 *
 * Return: 1 and *ret; 0 when the event changes nothing there (asked for what is already so, or late);
 * -EBUSY when a wish is not allowed in this state ("IncorrectInstanceState").
 */
MUST_USE int machine_next(enum instance_state state, enum machine_event ev,
			  struct machine_step *ret);

/* machine_event_name(): for logs and tests. */
const char *machine_event_name(enum machine_event ev);
