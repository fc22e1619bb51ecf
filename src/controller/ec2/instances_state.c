/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Start, stop, reboot, terminate, and what else is done to several instances at once: all of them or, when one is
 * refused, none.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/instances.h"

/* One wish about each instance of a call. @ev: by instance: what is wished */
struct wish {
	enum machine_event ev;
	bool change; /* answered with states before and after */
};

static void change_xml(struct ec2_call *c, const char *id, enum instance_state before)
{
	const struct instance *i = store_find(c->core->st, &tbl_instances, id);
	struct xml *x = &c->out;

	xml_open(x, "item");
	xml_str(x, "instanceId", id);
	state_xml(x, "currentState", i ? i->state : before);
	state_xml(x, "previousState", before);
	xml_close(x, "item");
}

static int wish_one(struct ec2_call *c, const struct wish *w, const char *id)
{
	const struct instance *i = instance_find(c, id);
	enum instance_state before;
	int r;

	if (!i)
		return -EINVAL;
	before = i->state;
	if (w->ev == EV_WANT_START && before == INSTANCE_STOPPED &&
	    core_place_cnt(c->core, i, 1) == 0)
		return core_place_full(i, &c->fault);
	r = core_want(c->core, id, w->ev, &c->acts, &c->fault);
	if (r < 0)
		return r;
	if (w->change)
		change_xml(c, id, before);
	return 0;
}

static int wish_all(struct ec2_call *c, const struct wish *w)
{
	CLEANUP(free_p) const char **ids = malloc(INSTANCE_IDS_MAX * sizeof(*ids));
	size_t cnt;
	int r = 0;

	if (!ids)
		return -ENOMEM;
	cnt = instance_ids(c, ids);
	if (cnt == 0)
		query_refuse(&c->in, "MissingParameter",
			     "The request must contain the parameter InstanceId");
	if (query_failed(&c->q))
		return -EINVAL;
	r = query_leftovers(&c->q);
	if (w->change)
		xml_open(&c->out, "instancesSet");
	for (size_t k = 0; r == 0 && k < cnt; k++)
		r = wish_one(c, w, ids[k]);
	if (w->change)
		xml_close(&c->out, "instancesSet");
	else
		ec2_return(c);
	return r;
}

int instances_start(struct ec2_call *c)
{
	int r = instance_start_check(c);

	query_ignore(&c->in, "AdditionalInfo");
	return r < 0 ? r : wish_all(c, &(struct wish){ EV_WANT_START, true });
}

int instances_stop(struct ec2_call *c)
{
	bool force = query_bool(&c->in, "Force", false);

	/* Both mean that the guest is not asked. */
	force = query_bool(&c->in, "SkipOsShutdown", false) || force;
	if (query_bool(&c->in, "Hibernate", false))
		query_refuse(&c->in, "UnsupportedHibernationConfiguration",
			     "Hibernate=true is not supported");
	return wish_all(c, &(struct wish){ force ? EV_WANT_STOP_FORCE : EV_WANT_STOP, true });
}

int instances_terminate(struct ec2_call *c)
{
	/* A guest that is terminated is not asked anyway. */
	(void)query_bool(&c->in, "Force", false);
	(void)query_bool(&c->in, "SkipOsShutdown", false);
	return wish_all(c, &(struct wish){ EV_WANT_TERMINATE, true });
}

int instances_reboot(struct ec2_call *c)
{
	return wish_all(c, &(struct wish){ EV_WANT_REBOOT, false });
}

/* ---- monitoring: a word that is kept ---- */

static int monitor_one(struct ec2_call *c, const char *id, bool on)
{
	const struct instance *found = instance_find(c, id);
	struct xml *x = &c->out;
	struct instance i;
	int r;

	if (!found)
		return -EINVAL;
	i = *found;
	i.monitored = on;
	r = store_put(c->core->st, &tbl_instances, &i);
	if (r < 0)
		return fault_internal(&c->fault, r, "recording");
	xml_open(x, "item");
	xml_str(x, "instanceId", i.id);
	xml_open(x, "monitoring");
	xml_str(x, "state", on ? "enabled" : "disabled");
	xml_close(x, "monitoring");
	xml_close(x, "item");
	return 0;
}

static int monitor_all(struct ec2_call *c, bool on)
{
	CLEANUP(free_p) const char **ids = malloc(INSTANCE_IDS_MAX * sizeof(*ids));
	size_t cnt = ids ? instance_ids(c, ids) : 0;
	int r = ids ? 0 : -ENOMEM;

	if (ids && cnt == 0)
		query_refuse(&c->in, "MissingParameter",
			     "The request must contain the parameter InstanceId");
	if (query_failed(&c->q))
		return -EINVAL;
	xml_open(&c->out, "instancesSet");
	for (size_t k = 0; r == 0 && k < cnt; k++)
		r = monitor_one(c, ids[k], on);
	xml_close(&c->out, "instancesSet");
	return r;
}

int instances_monitor(struct ec2_call *c)
{
	return monitor_all(c, true);
}

int instances_unmonitor(struct ec2_call *c)
{
	return monitor_all(c, false);
}

/* ---- what Terraform reads besides ---- */

/* CPU credits: burstable types run at full speed here, which is what "unlimited" means. */
int instances_credits(struct ec2_call *c)
{
	CLEANUP(free_p) const char **ids = malloc(INSTANCE_IDS_MAX * sizeof(*ids));
	size_t cnt = ids ? instance_ids(c, ids) : 0;
	int r = ids ? 0 : -ENOMEM;

	query_ignore(&c->in, "MaxResults");
	xml_open(&c->out, "instanceCreditSpecificationSet");
	for (size_t k = 0; r == 0 && k < cnt; k++) {
		const struct instance *i = instance_find(c, ids[k]);

		if (!i)
			return -EINVAL;
		if (strncmp(i->type, "t3", 2) != 0)
			continue;
		xml_open(&c->out, "item");
		xml_str(&c->out, "instanceId", i->id);
		xml_str(&c->out, "cpuCredits", "unlimited");
		xml_close(&c->out, "item");
	}
	xml_close(&c->out, "instanceCreditSpecificationSet");
	return r;
}

/* Only Windows has one. */
int instance_password(struct ec2_call *c)
{
	const struct instance *i = instance_need(c);

	if (!i)
		return -EINVAL;
	xml_str(&c->out, "instanceId", i->id);
	xml_time(&c->out, "timestamp", i->launched_ms);
	xml_empty(&c->out, "passwordData");
	return 0;
}
