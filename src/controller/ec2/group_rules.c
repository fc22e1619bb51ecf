/* SPDX-License-Identifier: Apache-2.0 */

/* Rules of security groups: allowed, revoked, changed, described. What changes is in force on running instances at once. */

#include "controller/ec2/group_rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One thread: a request's rules are too many for a stack. */
static struct rule_list list;

/* The group of GroupId, or of GroupName in the default network. */
static int group_of_call(struct ec2_call *c, struct group *ret)
{
	const char *id = query_str(&c->in, "GroupId"), *name = query_str(&c->in, "GroupName");

	if (!id && !name)
		(void)query_need_str(&c->in, "GroupId");
	if (id && name)
		query_refuse(&c->in, "InvalidParameterCombination", "Give GroupId or GroupName");
	if (query_failed(&c->q))
		return -EINVAL;
	return id ? core_group_find(c->core, c->account, id, ret, &c->fault)
		  : ec2_group_named(c, name, ret);
}

static void rule_item(struct ec2_call *c, const struct group_rule *r)
{
	xml_open(&c->out, "item");
	ec2_rule_xml(c, r, c->account);
	tags_xml(c, r->id, true);
	xml_close(&c->out, "item");
}

/* ---- authorize ---- */

static bool twice(const struct rule_list *l, size_t k)
{
	const struct group_rule *a = &l->rule[k];

	for (size_t j = 0; j < k; j++) {
		const struct group_rule *b = &l->rule[j];

		if (a->proto == b->proto && a->port_min == b->port_min &&
		    a->port_max == b->port_max && a->addr == b->addr && a->prefix == b->prefix &&
		    strcmp(a->member_group_id, b->member_group_id) == 0)
			return true;
	}
	return false;
}

static int authorize(struct ec2_call *c, bool egress)
{
	struct tag_list tags;
	struct group g;
	int r = group_of_call(c, &g);

	if (r < 0)
		return r;
	ec2_read_permissions(c, &g, egress, false, &list);
	tags_read_spec(c, "security-group-rule", "security-group-rule", &tags);
	if (query_failed(&c->q))
		return -EINVAL;
	for (size_t k = 0; r == 0 && k < list.cnt; k++) {
		if (twice(&list, k))
			return ec2_refuse(c, "InvalidParameterValue",
					  "The same permission must not appear multiple times");
		r = core_rule_add(c->core, &g, &list.rule[k], &c->acts, &c->fault);
		if (r == 0)
			r = tags_put(c, list.rule[k].id, &tags);
	}
	if (r < 0)
		return r;
	ec2_return(c);
	xml_open(&c->out, "securityGroupRuleSet");
	for (size_t k = 0; k < list.cnt; k++)
		rule_item(c, &list.rule[k]);
	xml_close(&c->out, "securityGroupRuleSet");
	return 0;
}

int ec2_authorize_ingress(struct ec2_call *c)
{
	return authorize(c, false);
}

int ec2_authorize_egress(struct ec2_call *c)
{
	return authorize(c, true);
}

/* ---- revoke ---- */

static int rule_of_group(struct ec2_call *c, const struct group *g, bool egress, const char *id,
			 struct group_rule *ret)
{
	int r = core_rule_find(c->core, c->account, id, ret, &c->fault);

	if (r < 0)
		return r;
	if (strcmp(ret->group_id, g->id) != 0 || ret->egress != egress)
		return ec2_refuse(c, "InvalidSecurityGroupRuleId.NotFound",
				  "The security group rule ID '%s' does not exist in this "
				  "direction of group '%s'",
				  id, g->id);
	return 0;
}

static int ids_to_rules(struct ec2_call *c, const struct group *g, bool egress)
{
	const char *id;
	unsigned i = 0;
	int r = 0;

	list.cnt = 0;
	list.impossible = false;
	while (r == 0 && (id = query_next_str(&c->in, "SecurityGroupRuleId", &i))) {
		if (list.cnt == PERMISSIONS_MAX)
			return ec2_refuse(c, "InvalidParameterValue", "More than %d rules",
					  PERMISSIONS_MAX);
		r = rule_of_group(c, g, egress, id, &list.rule[list.cnt]);
		for (size_t k = 0; r == 0 && k < list.cnt; k++)
			if (strcmp(list.rule[k].id, id) == 0)
				r = ec2_refuse(c, "InvalidParameterValue",
					       "The same rule must not appear multiple times");
		list.cnt += r == 0;
	}
	return r;
}

static int permissions_to_rules(struct ec2_call *c, const struct group *g, bool egress)
{
	ec2_read_permissions(c, g, egress, true, &list);
	if (query_failed(&c->q))
		return -EINVAL;
	for (size_t k = 0; k < list.cnt; k++)
		if (twice(&list, k))
			return ec2_refuse(c, "InvalidParameterValue",
					  "The same permission must not appear multiple times");
	for (size_t k = 0; !list.impossible && k < list.cnt; k++)
		list.impossible = core_rule_same(c->core, &list.rule[k]) < 0;
	if (list.impossible)
		return ec2_refuse(c, "InvalidPermission.NotFound",
				  "The specified rule does not exist in this security group.");
	return 0;
}

static int revoke(struct ec2_call *c, bool egress)
{
	bool by_id = query_any(&c->in, "SecurityGroupRuleId");
	struct group g;
	int r = group_of_call(c, &g);

	if (r == 0)
		r = by_id ? ids_to_rules(c, &g, egress) : permissions_to_rules(c, &g, egress);
	for (size_t k = 0; r == 0 && k < list.cnt; k++)
		r = core_rule_rm(c->core, &list.rule[k], &c->acts);
	if (r < 0)
		return c->fault.code[0] ? r : fault_internal(&c->fault, r, "removing a rule");
	ec2_return(c);
	xml_empty(&c->out, "unknownIpPermissionSet");
	xml_open(&c->out, "revokedSecurityGroupRuleSet");
	for (size_t k = 0; k < list.cnt; k++) {
		xml_open(&c->out, "item");
		ec2_rule_xml(c, &list.rule[k], NULL);
		xml_close(&c->out, "item");
	}
	xml_close(&c->out, "revokedSecurityGroupRuleSet");
	return 0;
}

int ec2_revoke_ingress(struct ec2_call *c)
{
	return revoke(c, false);
}

int ec2_revoke_egress(struct ec2_call *c)
{
	return revoke(c, true);
}

/* ---- change ---- */

static int modify_one(struct ec2_call *c, const struct group *g, const struct query_at *at)
{
	const char *id = query_need_str(at, "SecurityGroupRuleId");
	struct query_at to = query_in(at, "SecurityGroupRule");
	struct group_rule rule;
	int r;

	if (query_failed(&c->q))
		return -EINVAL;
	r = core_rule_find(c->core, c->account, id, &rule, &c->fault);
	if (r < 0)
		return r;
	if (strcmp(rule.group_id, g->id) != 0)
		return ec2_refuse(c, "InvalidSecurityGroupRuleId.NotFound",
				  "The security group rule ID '%s' does not exist in group '%s'",
				  id, g->id);
	ec2_read_rule(c, &to, g, &rule);
	if (query_failed(&c->q))
		return -EINVAL;
	return core_rule_put(c->core, g, &rule, &c->acts, &c->fault);
}

int ec2_modify_rules(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "GroupId");
	struct query_at at;
	struct group g;
	unsigned i = 0;
	int r;

	if (!query_any(&c->in, "SecurityGroupRule"))
		query_refuse(&c->in, "MissingParameter",
			     "The request must contain the parameter SecurityGroupRule");
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_group_find(c->core, c->account, id, &g, &c->fault);
	while (r == 0 && query_next(&c->in, "SecurityGroupRule", &i, &at))
		r = modify_one(c, &g, &at);
	if (r == 0)
		ec2_return(c);
	return r;
}

/* Descriptions by rule id. */
static int text_by_id(struct ec2_call *c, const struct group *g, bool egress)
{
	struct query_at at;
	unsigned i = 0;
	int r = 0;

	while (r == 0 && query_next(&c->in, "SecurityGroupRuleDescription", &i, &at)) {
		const char *id = query_need_str(&at, "SecurityGroupRuleId");
		const char *text = ec2_read_text(&at, "Description");
		struct group_rule rule;

		if (query_failed(&c->q))
			return -EINVAL;
		r = rule_of_group(c, g, egress, id, &rule);
		if (r < 0)
			return r;
		snprintf(rule.description, sizeof(rule.description), "%s", text ? text : "");
		r = core_rule_put(c->core, g, &rule, &c->acts, &c->fault);
	}
	return r;
}

/* Descriptions by what the rules are: what was read has the new ones. */
static int text_by_permission(struct ec2_call *c, const struct group *g, bool egress)
{
	int r = 0;

	ec2_read_permissions(c, g, egress, true, &list);
	if (query_failed(&c->q))
		return -EINVAL;
	for (size_t k = 0; r == 0 && k < list.cnt; k++) {
		struct group_rule rule = list.rule[k];

		if (list.impossible || core_rule_same(c->core, &rule) < 0)
			return ec2_refuse(c, "InvalidPermission.NotFound",
					  "The specified rule does not exist in this security "
					  "group.");
		memcpy(rule.description, list.rule[k].description, sizeof(rule.description));
		r = core_rule_put(c->core, g, &rule, &c->acts, &c->fault);
	}
	return r;
}

static int update_text(struct ec2_call *c, bool egress)
{
	bool by_id = query_any(&c->in, "SecurityGroupRuleDescription");
	struct group g;
	int r = group_of_call(c, &g);

	if (r == 0)
		r = by_id ? text_by_id(c, &g, egress) : text_by_permission(c, &g, egress);
	if (r == 0)
		ec2_return(c);
	return r;
}

int ec2_update_text_ingress(struct ec2_call *c)
{
	return update_text(c, false);
}

int ec2_update_text_egress(struct ec2_call *c)
{
	return update_text(c, true);
}

/* ---- describe ---- */

static const char *rule_id(const void *row, char buf[EC2_ID_TEXT])
{
	(void)buf;
	return ((const struct group_rule *)row)->id;
}

static bool rule_mine(struct ec2_call *c, const void *row)
{
	const struct group *g =
		store_find(c->core->st, &tbl_groups, ((const struct group_rule *)row)->group_id);

	return g && strcmp(g->account, c->account) == 0;
}

static void get_group(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct group_rule *)o)->group_id);
}

static void get_rule(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct group_rule *)o)->id);
}

static const struct filter_def rule_filters[] = {
	{ "group-id", get_group },
	{ "security-group-rule-id", get_rule },
	{ NULL, NULL },
};

static void rule_write(struct ec2_call *c, const void *row)
{
	const struct group_rule *r = row;

	ec2_rule_xml(c, r, c->account);
	tags_xml(c, r->id, true);
}

int ec2_describe_rules(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "SecurityGroupRuleId",
		.kind = ID_GROUP_RULE,
		.set = "securityGroupRuleSet",
		.table = &tbl_group_rules,
		.filter = rule_filters,
		.mine = rule_mine,
		.id = rule_id,
		.write = rule_write,
	};

	return ec2_describe(c, &d);
}
