/* SPDX-License-Identifier: Apache-2.0 */

/* DescribeInstances and DescribeInstanceStatus: walks in order of creation, nothing is copied. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/instances.h"
#include "controller/ec2/page.h"

enum { PAGE_MIN = 5, PAGE_MAX = 1000 };

struct named {
	const struct instance *i;
};

/* The instances of a call: those that were named, or all of the account. */
struct walk {
	struct ec2_call *c;
	struct store_iter it;
	struct named *named; /* owned; NULL: all */
	size_t named_cnt, at;
	struct filters *filters; /* owned */
	struct page page;
};

static void walk_done(struct walk *w)
{
	free(w->named);
	filters_free(w->filters);
}

static int age_order(const void *a, const void *b)
{
	const struct instance *x = ((const struct named *)a)->i;
	const struct instance *y = ((const struct named *)b)->i;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

static int named_read(struct ec2_call *c, struct walk *w)
{
	const char **ids = malloc(INSTANCE_IDS_MAX * sizeof(*ids));

	w->named = malloc(INSTANCE_IDS_MAX * sizeof(*w->named));
	if (!ids || !w->named) {
		free(ids);
		return -ENOMEM;
	}
	w->named_cnt = instance_ids(c, ids);
	for (size_t k = 0; k < w->named_cnt; k++) {
		w->named[k].i = instance_find(c, ids[k]);
		if (!w->named[k].i) {
			free(ids);
			return -EINVAL;
		}
	}
	free(ids);
	if (w->page.max)
		return ec2_refuse(c, "InvalidParameterCombination",
				  "The parameter instancesSet cannot be used with the parameter "
				  "maxResults");
	qsort(w->named, w->named_cnt, sizeof(*w->named), age_order);
	return 0;
}

static int walk_begin(struct ec2_call *c, const struct filter_def *defs, bool tags, struct walk *w)
{
	int r;

	memset(w, 0, sizeof(*w));
	w->c = c;
	r = filters_read(c, defs, tags, &w->filters);
	if (r == 0)
		r = page_begin(c, &w->page, PAGE_MIN, PAGE_MAX);
	if (r == 0 && query_any(&c->in, "InstanceId"))
		r = named_read(c, w);
	else
		store_each_of(c->core->st, &tbl_instances, "account", c->account, &w->it);
	if (r < 0)
		walk_done(w);
	return r;
}

/* The next one that is to be seen; NULL after the last. @all: also those that do not run */
static const struct instance *walk_next(struct walk *w, bool all)
{
	const struct instance *i;

	while (!page_full(&w->page)) {
		if (w->named)
			i = w->at < w->named_cnt ? w->named[w->at++].i : NULL;
		else
			i = store_next(&w->it);
		if (!i)
			break;
		if ((all || i->state == INSTANCE_RUNNING) &&
		    filters_match(w->filters, w->c, i, i->id) &&
		    page_take(&w->page, i->created_ms, i->id))
			return i;
	}
	return NULL;
}

int instances_describe(struct ec2_call *c)
{
	const struct instance *i, *before = NULL;
	struct walk w;
	int r;

	query_ignore(&c->in, "IncludeManagedResources");
	r = walk_begin(c, instance_filters, true, &w);
	if (r < 0)
		return r;
	xml_open(&c->out, "reservationSet");
	while ((i = walk_next(&w, true))) {
		if (before && strcmp(before->reservation_id, i->reservation_id) != 0) {
			reservation_end(c);
			xml_close(&c->out, "item");
			before = NULL;
		}
		if (!before) {
			xml_open(&c->out, "item");
			reservation_begin(c, i);
		}
		instance_xml(c, i);
		before = i;
	}
	if (before) {
		reservation_end(c);
		xml_close(&c->out, "item");
	}
	xml_close(&c->out, "reservationSet");
	page_end(c, &w.page);
	walk_done(&w);
	return 0;
}

/* ---- status ---- */

static const char *const check_status[] = {
	[CHECK_OK] = "ok",
	[CHECK_IMPAIRED] = "impaired",
	[CHECK_INITIALIZING] = "initializing",
	[CHECK_NO_DATA] = "insufficient-data",
};

static const char *const check_reachability[] = {
	[CHECK_OK] = "passed",
	[CHECK_IMPAIRED] = "failed",
	[CHECK_INITIALIZING] = "initializing",
	[CHECK_NO_DATA] = "insufficient-data",
};

static void check_xml(struct xml *x, const char *name, const struct instance *i,
		      enum ec2_check check, uint64_t since_ms)
{
	xml_open(x, name);
	if (i->state != INSTANCE_RUNNING) {
		xml_str(x, "status", "not-applicable");
		xml_close(x, name);
		return;
	}
	xml_str(x, "status", check_status[check]);
	xml_open(x, "details");
	xml_open(x, "item");
	xml_str(x, "name", "reachability");
	xml_str(x, "status", check_reachability[check]);
	if (check == CHECK_IMPAIRED && since_ms)
		xml_time(x, "impairedSince", since_ms);
	xml_close(x, "item");
	xml_close(x, "details");
	xml_close(x, name);
}

static void status_item(struct ec2_call *c, const struct instance *i)
{
	struct ec2_health h = instance_health(c, i);
	struct xml *x = &c->out;

	xml_open(x, "item");
	xml_str(x, "instanceId", i->id);
	xml_str(x, "availabilityZone", c->core->place.zone);
	state_xml(x, "instanceState", i->state);
	check_xml(x, "systemStatus", i, h.system, h.impaired_ms);
	check_xml(x, "instanceStatus", i, h.instance, h.impaired_ms);
	check_xml(x, "attachedEbsStatus", i, h.system,
		  h.impaired_ms); /* its cards are asked, too */
	xml_empty(x, "eventsSet");
	xml_close(x, "item");
}

#define GET(name)                                                                                  \
	static void get_##name(struct ec2_call *c, const void *object, struct filter_emit *e)

GET(zone)
{
	(void)object;
	filter_str(e, c->core->place.zone);
}

GET(state_name)
{
	(void)c;
	filter_str(e, instance_state_name(((const struct instance *)object)->state));
}

GET(state_code)
{
	(void)c;
	filter_u64(e, (uint64_t)((const struct instance *)object)->state);
}

static void emit_check(struct ec2_call *c, const struct instance *i, bool system,
		       const char *const *words, struct filter_emit *e)
{
	struct ec2_health h = instance_health(c, i);

	if (i->state != INSTANCE_RUNNING)
		filter_str(e, "not-applicable");
	else
		filter_str(e, words[system ? h.system : h.instance]);
}

GET(system_status)
{
	emit_check(c, object, true, check_status, e);
}

GET(system_reachability)
{
	emit_check(c, object, true, check_reachability, e);
}

GET(instance_status)
{
	emit_check(c, object, false, check_status, e);
}

GET(instance_reachability)
{
	emit_check(c, object, false, check_reachability, e);
}

/* There are no scheduled events. */
GET(nothing)
{
	(void)c;
	(void)object;
	(void)e;
}

static const struct filter_def status_filters[] = {
	{ "availability-zone", get_zone },
	{ "instance-state-name", get_state_name },
	{ "instance-state-code", get_state_code },
	{ "instance-status.status", get_instance_status },
	{ "instance-status.reachability", get_instance_reachability },
	{ "system-status.status", get_system_status },
	{ "system-status.reachability", get_system_reachability },
	{ "attached-ebs-status.status", get_system_status },
	{ "event.code", get_nothing },
	{ "event.description", get_nothing },
	{ "event.instance-event-id", get_nothing },
	{ "event.not-after", get_nothing },
	{ "event.not-before", get_nothing },
	{ "event.not-before-deadline", get_nothing },
	{ NULL, NULL },
};

int instances_status(struct ec2_call *c)
{
	bool all = query_bool(&c->in, "IncludeAllInstances", false);
	const struct instance *i;
	struct walk w;
	int r;

	r = walk_begin(c, status_filters, false, &w);
	if (r < 0)
		return r;
	xml_open(&c->out, "instanceStatusSet");
	while ((i = walk_next(&w, all)))
		status_item(c, i);
	xml_close(&c->out, "instanceStatusSet");
	page_end(c, &w.page);
	walk_done(&w);
	return 0;
}
