/* SPDX-License-Identifier: Apache-2.0 */

/* What must hold. Rows are compared with each other, with what clients were told, and with what the host has. */

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "controller/sim/sim.h"

static bool there(struct sim *s, const struct store_table *t, const char *id)
{
	return store_find(s->core.st, t, id) != NULL;
}

static bool resource_there(struct sim *s, const char *id)
{
	static const struct store_table *const tables[] = {
		&tbl_instances, &tbl_volumes,    &tbl_images,   &tbl_key_pairs, &tbl_vpcs,
		&tbl_subnets,   &tbl_interfaces, &tbl_gateways, &tbl_groups,    &tbl_group_rules,
	};

	for (size_t k = 0; k < ARRAY_SIZE(tables); k++)
		if (there(s, tables[k], id))
			return true;
	return false;
}

static void volume_check(struct sim *s, const struct volume *v)
{
	const struct instance *i = store_find(s->core.st, &tbl_instances, v->instance_id);
	const struct volume *other;
	struct store_iter it;

	if (v->instance_id[0] == '\0') {
		if (v->state == VOLUME_IN_USE)
			sim_break(s, "%s is in use by nobody", v->id);
		return;
	}
	if (!i)
		sim_break(s, "%s is of %s, which is not there", v->id, v->instance_id);
	else if (i->state == INSTANCE_TERMINATED)
		sim_break(s, "%s is of %s, which is terminated", v->id, v->instance_id);
	if (v->state == VOLUME_AVAILABLE)
		sim_break(s, "%s is available and of %s", v->id, v->instance_id);
	store_each_of(s->core.st, &tbl_volumes, "instance_id", v->instance_id, &it);
	while ((other = store_next(&it)))
		if (strcmp(other->id, v->id) != 0 &&
		    (other->device_idx == v->device_idx || strcmp(other->device, v->device) == 0))
			sim_break(s, "%s and %s are one device", v->id, other->id);
}

/* What is said to be there has its bytes. */
static void file_check(struct sim *s, const struct volume *v)
{
	if ((v->state == VOLUME_AVAILABLE || v->state == VOLUME_IN_USE) && !host_file(s, v->id))
		sim_break(s, "%s is %s and has no file", v->id, volume_state_name(v->state));
}

static void interface_check(struct sim *s, const struct interface *ni)
{
	const struct instance *i = store_find(s->core.st, &tbl_instances, ni->instance_id);

	if (!there(s, &tbl_subnets, ni->subnet_id))
		sim_break(s, "%s has no subnet", ni->id);
	if (ni->instance_id[0] && (!i || i->state == INSTANCE_TERMINATED))
		sim_break(s, "%s is of %s, which is gone", ni->id, ni->instance_id);
}

static void rows_check(struct sim *s)
{
	const struct interface *ni;
	const struct volume *v;
	const struct tag *tag;
	struct store_iter it;

	store_each(s->core.st, &tbl_volumes, &it);
	while ((v = store_next(&it))) {
		volume_check(s, v);
		file_check(s, v);
	}
	store_each(s->core.st, &tbl_interfaces, &it);
	while ((ni = store_next(&it)))
		interface_check(s, ni);
	store_each(s->core.st, &tbl_tags, &it);
	while ((tag = store_next(&it)))
		if (!resource_there(s, tag->resource_id))
			sim_break(s, "a tag of %s, which is not there", tag->resource_id);
}

/* Does the row hold cores of the host? */
static bool holds(const struct instance *i)
{
	return i->state == INSTANCE_PENDING || i->state == INSTANCE_RUNNING ||
	       i->state == INSTANCE_STOPPING;
}

static void cores_check(struct sim *s)
{
	const struct instance *i;
	struct store_iter it;
	unsigned cores = 0;

	store_each(s->core.st, &tbl_instances, &it);
	while ((i = store_next(&it)))
		cores += holds(i) ? i->cores : 0;
	if (cores > SIM_CORES)
		sim_break(s, "%u cores are given, there are %d", cores, SIM_CORES);
}

static void promise_check(struct sim *s, const struct sim_promise *p)
{
	const struct instance *i;
	struct tag tag;

	if (p->kind == PROMISE_NONE || p->dropped)
		return;
	i = store_find(s->core.st, &tbl_instances, p->id);
	switch (p->kind) {
	case PROMISE_INSTANCE:
		if (!i)
			sim_break(s, "%s was promised and is lost", p->id);
		break;
	case PROMISE_VOLUME:
		if (!there(s, &tbl_volumes, p->id))
			sim_break(s, "%s was promised and is lost", p->id);
		break;
	case PROMISE_GROUP:
		if (!there(s, &tbl_groups, p->id))
			sim_break(s, "%s was promised and is lost", p->id);
		break;
	case PROMISE_INTERFACE:
		if (!there(s, &tbl_interfaces, p->id))
			sim_break(s, "%s was promised and is lost", p->id);
		break;
	case PROMISE_TAG:
		tag = (struct tag){ .key = "k" };
		memcpy(tag.resource_id, p->id, sizeof(tag.resource_id));
		if (resource_there(s, p->id) && !store_find_row(s->core.st, &tbl_tags, &tag))
			sim_break(s, "the tag of %s was promised and is lost", p->id);
		break;
	case PROMISE_NONE:
	case PROMISE_LAUNCH:
	case PROMISE_KINDS:
		break;
	}
}

/* Ends are final. */
static void states_check(struct sim *s)
{
	const struct instance *i;
	struct store_iter it;

	store_each(s->core.st, &tbl_instances, &it);
	while ((i = store_next(&it))) {
		size_t at = 0;

		while (at < s->seen_cnt && strcmp(s->seen[at].id, i->id) != 0)
			at++;
		if (at == SIM_SEEN_MAX)
			return;
		if (at == s->seen_cnt) {
			s->seen_cnt++;
			memcpy(s->seen[at].id, i->id, CTL_ID_MAX);
		} else if ((s->seen[at].state == INSTANCE_TERMINATED &&
			    i->state != INSTANCE_TERMINATED) ||
			   (s->seen[at].state == INSTANCE_SHUTTING_DOWN &&
			    i->state != INSTANCE_SHUTTING_DOWN &&
			    i->state != INSTANCE_TERMINATED)) {
			sim_break(s, "%s was %s and is %s", i->id,
				  instance_state_name(s->seen[at].state),
				  instance_state_name(i->state));
		}
		s->seen[at].state = i->state;
	}
}

void check_step(struct sim *s)
{
	rows_check(s);
	cores_check(s);
	states_check(s);
	for (size_t k = 0; k < SIM_PROMISES_MAX; k++)
		promise_check(s, &s->promise[k]);
}

/* One launch per token, whole or not at all. */
static void token_check(struct sim *s, const struct sim_promise *p)
{
	const struct instance *i;
	struct store_iter it;
	char reservation[MODEL_ID_MAX] = "";
	unsigned cnt = 0;

	store_each(s->core.st, &tbl_instances, &it);
	while ((i = store_next(&it))) {
		if (strcmp(i->client_token, p->id) != 0)
			continue;
		if (cnt++ == 0)
			memcpy(reservation, i->reservation_id, sizeof(reservation));
		else if (strcmp(reservation, i->reservation_id) != 0)
			sim_break(s, "token %s made two reservations", p->id);
	}
	if (p->first[0] && (cnt != p->cnt || strcmp(p->first, reservation) != 0))
		sim_break(s, "token %s: %u instances of %s, told were %u of %s", p->id, cnt,
			  reservation, p->cnt, p->first);
}

static void instance_settled(struct sim *s, const struct instance *i)
{
	const struct sim_guest *g = host_guest(s, i->id);
	bool lives = g && !g->starting;

	if (i->state != INSTANCE_RUNNING && i->state != INSTANCE_STOPPED &&
	    i->state != INSTANCE_TERMINATED)
		sim_break(s, "%s stays %s", i->id, instance_state_name(i->state));
	if (lives != (i->state == INSTANCE_RUNNING))
		sim_break(s, "%s is %s and its guest %s", i->id, instance_state_name(i->state),
			  lives ? "lives" : "does not");
}

void check_settled(struct sim *s)
{
	const struct instance *i;
	const struct volume *v;
	struct store_iter it;

	store_each(s->core.st, &tbl_instances, &it);
	while ((i = store_next(&it)))
		instance_settled(s, i);
	store_each(s->core.st, &tbl_volumes, &it);
	while ((v = store_next(&it)))
		if (v->state == VOLUME_CREATING || v->state == VOLUME_DELETING)
			sim_break(s, "%s stays %s", v->id, volume_state_name(v->state));
	for (size_t k = 0; k < SIM_GUESTS_MAX; k++)
		if (s->guest[k].id[0] && !there(s, &tbl_instances, s->guest[k].id))
			sim_break(s, "%s lives and nobody knows it", s->guest[k].id);
	for (size_t k = 0; k < SIM_FILES_MAX; k++)
		if (s->file[k][0] && !there(s, &tbl_volumes, s->file[k]))
			sim_break(s, "the file of %s stays behind", s->file[k]);
	for (size_t k = 0; k < SIM_PROMISES_MAX; k++) {
		i = store_find(s->core.st, &tbl_instances, s->promise[k].id);
		if (s->promise[k].kind == PROMISE_LAUNCH)
			token_check(s, &s->promise[k]);
		else if (s->promise[k].stop_wanted && i && i->state == INSTANCE_RUNNING)
			sim_break(s, "%s was told to stop and runs", i->id);
	}
}

void check_empty(struct sim *s)
{
	static const struct {
		const struct store_table *table;
		const char *what;
		size_t cnt;
	} left[] = {
		{ &tbl_instances, "instance", 0 },
		{ &tbl_volumes, "volume", 0 },
		{ &tbl_interfaces, "interface", 0 },
		{ &tbl_interface_groups, "interface in a group", 0 },
		{ &tbl_tags, "tag", 0 },
		{ &tbl_groups, "group", 1 },
		{ &tbl_forwards, "forward", 0 },
	};

	for (size_t k = 0; k < ARRAY_SIZE(left); k++)
		if (store_cnt(s->core.st, left[k].table) != left[k].cnt)
			sim_break(s, "%zu rows of kind %s, there should be %zu",
				  store_cnt(s->core.st, left[k].table), left[k].what, left[k].cnt);
	for (size_t k = 0; k < SIM_FILES_MAX; k++)
		if (s->file[k][0])
			sim_break(s, "the file of %s stays behind", s->file[k]);
	for (size_t k = 0; k < SIM_GUESTS_MAX; k++)
		if (s->guest[k].id[0])
			sim_break(s, "guest %s stays behind", s->guest[k].id);
}
