/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/fd.h"
#include "base/log.h"
#include "launcher.h"

/* The end of the host: all sets, jobs and gateways, then niterd, niter-wire, niter-security. Guests are not asked. */

enum { STOP_SETS_S = 30, STOP_CHILD_S = 5 };

void launcher_stop(struct launcher *l, const char *why)
{
	unsigned i;

	if (l->stopping)
		return;
	log_info("launcher.stop", "why=\"%s\"", why);
	l->stopping = true;
	l->niterd_at_ns = NEVER;
	l->stop_deadline_ns = clock_ns() + STOP_SETS_S * NS_PER_S;
	for (i = 0; i < JOBS_MAX; i++)
		if (l->jobs[i].state != JOB_FREE)
			job_fail(l, &l->jobs[i], -ESHUTDOWN, "this host is stopping");
	for (i = 0; i < SETS_MAX; i++)
		if (l->sets[i].state != SET_FREE)
			set_end(l, &l->sets[i], CTL_EXIT_KILLED, -ESHUTDOWN,
				"the host is stopping");
	for (i = 0; i < GATEWAYS_MAX; i++)
		gateway_end(l, &l->gateways[i], -ESHUTDOWN, "the host is stopping");
}

static bool sets_and_jobs_left(const struct launcher *l)
{
	unsigned i, cnt = 0;

	for (i = 0; i < SETS_MAX; i++)
		cnt += l->sets[i].state != SET_FREE;
	for (i = 0; i < JOBS_MAX; i++)
		cnt += l->jobs[i].state != JOB_FREE;
	for (i = 0; i < GATEWAYS_MAX; i++)
		cnt += l->gateways[i].state != GW_FREE;
	for (i = 0; i < DELETES_MAX; i++)
		cnt += l->deletions[i].used;
	return cnt;
}

/* Closing its control socket is how a program is told to end. Return: it is gone. */
static bool child_dismiss(struct launcher *l, struct child *c, uint64_t now_ns)
{
	if (!c)
		return true;
	if (c->ctl >= 0) {
		loop_del(&l->loop, c->ctl);
		fd_closep(&c->ctl);
		l->stop_deadline_ns = now_ns + STOP_CHILD_S * NS_PER_S;
	} else if (now_ns >= l->stop_deadline_ns) {
		child_kill(c);
		l->stop_deadline_ns = now_ns + STOP_CHILD_S * NS_PER_S;
	}
	return false;
}

/* Return: everything is gone. */
bool launcher_stop_step(struct launcher *l, uint64_t now_ns)
{
	if (sets_and_jobs_left(l) && now_ns < l->stop_deadline_ns)
		return false;
	return child_dismiss(l, l->niterd, now_ns) && child_dismiss(l, l->wire, now_ns) &&
	       child_dismiss(l, l->security, now_ns);
}
