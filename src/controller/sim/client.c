/* SPDX-License-Identifier: Apache-2.0 */

/* People's calls, as form bodies through the dispatcher of EC2 actions, and what the answers promise. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "controller/ec2/call.h"
#include "controller/sim/sim.h"

static const char *const types[] = { "t3.micro", "m5.large", "m5.xlarge" };

/* The next <name>…</name> behind *at. Return: whether there is one. */
static bool value_next(const char **at, const char *name, char *ret, size_t cap)
{
	char tag[64];
	const char *p, *end;

	snprintf(tag, sizeof(tag), "<%s>", name);
	p = strstr(*at, tag);
	if (!p)
		return false;
	p += strlen(tag);
	end = strchr(p, '<');
	if (!end || (size_t)(end - p) >= cap)
		return false;
	memcpy(ret, p, (size_t)(end - p));
	ret[end - p] = '\0';
	*at = end;
	return true;
}

/* Return: the answer of a call that succeeded, owned; NULL: it was refused. */
static char *call(struct sim *s, const char *body)
{
	char form[768], code[64] = "";
	unsigned status = 0;
	char *ret = NULL;
	const char *at;
	size_t len = 0;
	int r;

	snprintf(form, sizeof(form), "%s&Version=2016-11-15", body);
	r = ec2_handle(NULL, &s->core, SIM_ACCOUNT, form, strlen(form), NULL, &status, &ret, &len);
	s->calls++;
	if (r < 0) {
		sim_break(s, "call %s: %d", body, r);
		return NULL;
	}
	ret = realloc(ret, len + 1);
	must(ret);
	ret[len] = '\0';
	at = ret;
	if (status != 200)
		(void)value_next(&at, "Code", code, sizeof(code));
	sim_trace(s, "call %.90s: %u %s", body, status, code);
	if (status >= 500 && strcmp(code, "InsufficientInstanceCapacity") != 0)
		sim_break(s, "call %.100s: %s", body, code);
	if (status == 200) {
		s->accepted++;
		return ret;
	}
	free(ret);
	return NULL;
}

/* Something new that counts when the turn is durable. */
static struct sim_promise *say(struct sim *s, enum sim_promise_kind kind, const char *id)
{
	struct sim_promise *p;

	must(s->said_cnt < SIM_PROMISES_MAX);
	p = &s->said[s->said_cnt++];
	memset(p, 0, sizeof(*p));
	p->kind = kind;
	snprintf(p->id, sizeof(p->id), "%s", id);
	return p;
}

static struct sim_promise *promise_find(struct sim *s, enum sim_promise_kind kind, const char *id)
{
	for (size_t k = 0; k < SIM_PROMISES_MAX; k++)
		if (s->promise[k].kind == kind && strcmp(s->promise[k].id, id) == 0)
			return &s->promise[k];
	return NULL;
}

static void promise_add(struct sim *s, const struct sim_promise *p)
{
	struct sim_promise *at = promise_find(s, p->kind, p->id);
	bool dropped = at && at->dropped;

	for (size_t k = 0; !at && k < SIM_PROMISES_MAX; k++)
		if (s->promise[k].kind == PROMISE_NONE)
			at = &s->promise[k];
	if (!at)
		return; /* the rest goes unwatched */
	*at = *p;
	at->dropped = dropped;
}

void client_turn_done(struct sim *s, bool durable)
{
	for (size_t k = 0; durable && k < s->said_cnt; k++)
		if (s->said[k].kind != PROMISE_NONE)
			promise_add(s, &s->said[k]);
	s->said_cnt = 0;
	for (size_t k = 0; k < SIM_PROMISES_MAX; k++) {
		if (s->promise[k].fresh && !durable) /* nobody knows */
			s->promise[k].stop_wanted = false;
		s->promise[k].fresh = false;
	}
}

static struct sim_promise *promise_any(struct sim *s, enum sim_promise_kind kind)
{
	bool living = sim_chance(s, 85); /* most calls are about what is there */
	struct sim_promise *pick = NULL;
	unsigned cnt = 0;

	for (size_t k = 0; k < SIM_PROMISES_MAX; k++)
		if (s->promise[k].kind == kind && !(living && s->promise[k].dropped) &&
		    sim_below(s, ++cnt) == 0)
			pick = &s->promise[k];
	return pick;
}

/* A launch was answered: its instances exist from now on. */
static void launched(struct sim *s, struct sim_promise *launch, const char *answer)
{
	const char *at = answer;
	char id[CTL_ID_MAX], reservation[CTL_ID_MAX] = "";
	unsigned cnt = 0;

	(void)value_next(&at, "reservationId", reservation, sizeof(reservation));
	if (launch && launch->first[0] && (strcmp(launch->first, reservation) != 0))
		sim_break(s, "token %s: %s, and before %s", launch->id, reservation, launch->first);
	while (value_next(&at, "instanceId", id, sizeof(id))) {
		say(s, PROMISE_INSTANCE, id);
		cnt++;
	}
	if (cnt == 0 || !reservation[0])
		sim_break(s, "a launch without instances");
	if (launch && launch->first[0] && launch->cnt != cnt)
		sim_break(s, "token %s: %u instances, and before %u", launch->id, cnt, launch->cnt);
	if (launch) {
		struct sim_promise *p = say(s, PROMISE_LAUNCH, launch->id);

		p->cnt = cnt;
		memcpy(p->first, reservation, sizeof(p->first));
		memcpy(p->body, launch->body, sizeof(p->body));
	}
}

static void run_new(struct sim *s)
{
	struct sim_promise launch = { .kind = PROMISE_LAUNCH };
	bool token = sim_chance(s, 70);
	unsigned max = 1 + sim_below(s, 3);
	char *answer;
	int len;

	len = snprintf(launch.body, sizeof(launch.body),
		       "Action=RunInstances&ImageId=" SIM_IMAGE
		       "&InstanceType=%s&MinCount=1&MaxCount=%u",
		       types[sim_below(s, ARRAY_SIZE(types))], max);
	if (sim_chance(s, 40))
		len += snprintf(launch.body + len, sizeof(launch.body) - (size_t)len,
				"&BlockDeviceMapping.1.DeviceName=/dev/sdf"
				"&BlockDeviceMapping.1.Ebs.VolumeSize=1"
				"&BlockDeviceMapping.1.Ebs.DeleteOnTermination=%s",
				sim_chance(s, 50) ? "true" : "false");
	if (sim_chance(s, 20))
		len += snprintf(launch.body + len, sizeof(launch.body) - (size_t)len,
				"&InstanceInitiatedShutdownBehavior=terminate");
	if (token) {
		snprintf(launch.id, sizeof(launch.id), "token-%u", ++s->token_no);
		snprintf(launch.body + len, sizeof(launch.body) - (size_t)len, "&ClientToken=%s",
			 launch.id);
		promise_add(s, &launch); /* it was sent, whatever becomes of it */
	}
	answer = call(s, launch.body);
	if (answer)
		launched(s, token ? &launch : NULL, answer);
	free(answer);
}

/* The answer was lost, or the client is not sure: the same again. */
static void run_again(struct sim *s)
{
	struct sim_promise *launch = promise_any(s, PROMISE_LAUNCH);
	char *answer;

	if (!launch)
		return;
	answer = call(s, launch->body);
	if (answer)
		launched(s, launch, answer);
	free(answer);
}

/* A call about one thing that exists; @end: the client wants no more of it. */
static void about(struct sim *s, enum sim_promise_kind kind, const char *fmt, bool end)
{
	struct sim_promise *p = promise_any(s, kind);
	char body[256];

	if (!p)
		return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(body, sizeof(body), fmt, p->id);
#pragma GCC diagnostic pop
	p->dropped = p->dropped || end;
	free(call(s, body));
}

/* A wish about an instance. @states: what it may be afterwards, as the answer says. */
static void wish(struct sim *s, const char *action, const char *states)
{
	struct sim_promise *p = promise_any(s, PROMISE_INSTANCE);
	char body[256], state[32] = "", *answer;
	const char *at;

	if (!p)
		return;
	snprintf(body, sizeof(body), "Action=%s&InstanceId.1=%s", action, p->id);
	p->dropped = p->dropped || strcmp(action, "TerminateInstances") == 0;
	answer = call(s, body);
	if (!answer)
		return;
	at = strstr(answer, "<currentState>");
	if (at && (!value_next(&at, "name", state, sizeof(state)) || !strstr(states, state)))
		sim_break(s, "%s: %s is %s", action, p->id, state);
	if (!at && states[0])
		sim_break(s, "%s: no state", action);
	p->fresh = true;
	if (strncmp(action, "Stop", 4) == 0)
		p->stop_wanted = true;
	else if (strncmp(action, "Start", 5) == 0)
		p->stop_wanted = false;
	free(answer);
}

static void make(struct sim *s, enum sim_promise_kind kind, const char *body, const char *member)
{
	char *answer = call(s, body), id[MODEL_ID_MAX];
	const char *at = answer;

	if (!answer)
		return;
	if (value_next(&at, member, id, sizeof(id)))
		say(s, kind, id);
	else
		sim_break(s, "no %s in the answer to %s", member, body);
	free(answer);
}

static void group_make(struct sim *s)
{
	char body[160];

	snprintf(body, sizeof(body),
		 "Action=CreateSecurityGroup&GroupName=g%u&GroupDescription=simulated",
		 ++s->token_no);
	make(s, PROMISE_GROUP, body, "groupId");
}

static void interface_make(struct sim *s)
{
	struct store_iter it;
	const struct subnet *sub;
	char body[160];

	store_each(s->core.st, &tbl_subnets, &it);
	sub = store_next(&it);
	if (!sub)
		return;
	snprintf(body, sizeof(body), "Action=CreateNetworkInterface&SubnetId=%s", sub->id);
	make(s, PROMISE_INTERFACE, body, "networkInterfaceId");
}

static void tag_set(struct sim *s, bool set)
{
	struct sim_promise *p =
		promise_any(s, sim_chance(s, 70) ? PROMISE_INSTANCE : PROMISE_VOLUME);
	struct sim_promise *old;
	char body[256], *answer;

	if (!p)
		return;
	old = promise_find(s, PROMISE_TAG, p->id);
	if (old && !set)
		old->dropped = true;
	for (size_t k = 0; !set && k < s->said_cnt; k++) /* set in this very turn */
		if (s->said[k].kind == PROMISE_TAG && strcmp(s->said[k].id, p->id) == 0)
			s->said[k].kind = PROMISE_NONE;
	snprintf(body, sizeof(body), "Action=%s&ResourceId.1=%s&Tag.1.Key=k%s",
		 set ? "CreateTags" : "DeleteTags", p->id, set ? "&Tag.1.Value=v" : "");
	answer = call(s, body);
	if (answer && set && !old)
		say(s, PROMISE_TAG, p->id);
	free(answer);
}

void client_call(struct sim *s)
{
	switch (sim_below(s, 24)) {
	case 0:
	case 1:
	case 2:
	case 3:
		run_new(s);
		break;
	case 4:
	case 5:
		run_again(s);
		break;
	case 6:
	case 7:
		wish(s, "StopInstances", "stopping stopped");
		break;
	case 8:
		wish(s, "StopInstances&Force=true", "stopping stopped");
		break;
	case 9:
	case 10:
		wish(s, "StartInstances", "pending running");
		break;
	case 11:
		wish(s, "RebootInstances", "");
		break;
	case 12:
	case 13:
		wish(s, "TerminateInstances", "shutting-down terminated");
		break;
	case 14:
		make(s, PROMISE_VOLUME, "Action=CreateVolume&Size=1&AvailabilityZone=us-east-1a",
		     "volumeId");
		break;
	case 15:
		about(s, PROMISE_VOLUME, "Action=DeleteVolume&VolumeId=%s", true);
		break;
	case 16:
	case 17:
		tag_set(s, true);
		break;
	case 18:
		tag_set(s, false);
		break;
	case 19:
		group_make(s);
		break;
	case 20:
		about(s, PROMISE_GROUP, "Action=DeleteSecurityGroup&GroupId=%s", true);
		break;
	case 21:
		interface_make(s);
		break;
	case 22:
		about(s, PROMISE_INTERFACE, "Action=DeleteNetworkInterface&NetworkInterfaceId=%s",
		      true);
		break;
	default:
		free(call(s, "Action=DescribeInstances"));
		break;
	}
}

/* One call of @fmt for the first row for which it is right to say so. Return: whether there was one. */
static bool end_one(struct sim *s, const struct store_table *t, const char *fmt,
		    bool (*want)(const void *row), size_t id_cap)
{
	char ids[64][MODEL_ID_MAX], body[256];
	const void *row;
	struct store_iter it;
	size_t cnt = 0;

	store_each(s->core.st, t, &it);
	while (cnt < ARRAY_SIZE(ids) && (row = store_next(&it)))
		if (want(row))
			snprintf(ids[cnt++], MODEL_ID_MAX, "%.*s", (int)id_cap, (const char *)row);
	for (size_t k = 0; k < cnt; k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(body, sizeof(body), fmt, ids[k]);
#pragma GCC diagnostic pop
		free(call(s, body));
	}
	return cnt > 0;
}

static bool instance_lives(const void *row)
{
	const struct instance *i = row;

	return i->state != INSTANCE_TERMINATED;
}

static bool volume_free(const void *row)
{
	const struct volume *v = row;

	return v->state == VOLUME_AVAILABLE || v->state == VOLUME_ERROR;
}

static bool interface_free(const void *row)
{
	const struct interface *i = row;

	return i->instance_id[0] == '\0';
}

static bool group_made(const void *row)
{
	const struct group *g = row;

	return strcmp(g->name, "default") != 0;
}

bool client_end(struct sim *s)
{
	bool more;

	for (size_t k = 0; k < SIM_PROMISES_MAX; k++)
		s->promise[k].dropped = true;
	/* The first member of each of these rows is its id. */
	more = end_one(s, &tbl_instances, "Action=TerminateInstances&InstanceId.1=%s",
		       instance_lives, CTL_ID_MAX);
	more = end_one(s, &tbl_volumes, "Action=DeleteVolume&VolumeId=%s", volume_free,
		       CTL_ID_MAX) ||
	       more;
	more = end_one(s, &tbl_interfaces, "Action=DeleteNetworkInterface&NetworkInterfaceId=%s",
		       interface_free, CTL_ID_MAX) ||
	       more;
	more = end_one(s, &tbl_groups, "Action=DeleteSecurityGroup&GroupId=%s", group_made,
		       CTL_ID_MAX) ||
	       more;
	client_turn_done(s, true);
	return more;
}
