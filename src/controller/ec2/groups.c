/* SPDX-License-Identifier: Apache-2.0 */

/* Security groups. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/ec2/group_rules.h"
#include "controller/net_text.h"

static const char *group_id(const void *row, char buf[EC2_ID_TEXT])
{
	(void)buf;
	return ((const struct group *)row)->id;
}

static uint64_t group_created(const void *row)
{
	return ((const struct group *)row)->created_ms;
}

int ec2_group_named(struct ec2_call *c, const char *name, struct group *ret)
{
	struct vpc v;

	if (core_vpc_default(c->core, c->account, &v) < 0)
		return ec2_refuse(c, "VPCIdNotSpecified", "No default VPC for this user");
	if (core_group_named(c->core, v.id, name, ret) == 0)
		return 0;
	return ec2_refuse(c, "InvalidGroup.NotFound",
			  "The security group '%s' does not exist in default VPC '%s'", name, v.id);
}

/* ---- filters ---- */

static void get_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct group *)o)->id);
}

static void get_name(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct group *)o)->name);
}

static void get_description(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct group *)o)->description);
}

static void get_vpc(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct group *)o)->vpc_id);
}

static void get_owner(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct group *)o)->account);
}

/* What a filter asks of each rule. */
typedef void rule_get_fn(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e);

/* A rule costs the filter its text, whether it is compared far or not at all. */
enum { RULE_STEPS = 64 };

static void each_rule(struct ec2_call *c, const void *o, bool egress, rule_get_fn *get,
		      struct filter_emit *e)
{
	const struct group *g = o;
	const struct group_rule *r;
	struct store_iter it;

	store_each_of(c->core->st, &tbl_group_rules, "group_id", g->id, &it);
	while ((r = store_next(&it))) {
		if (r->egress != egress)
			continue;
		c->filter_steps += RULE_STEPS;
		get(c, r, e);
	}
}

static void rule_cidr(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e)
{
	char cidr[NET_CIDR_TEXT];

	(void)c;
	if (!r->member_group_id[0])
		filter_str(e, net_cidr_text(cidr, r->addr, r->prefix));
}

static void rule_port(const struct group_rule *r, bool to, struct filter_emit *e)
{
	int port[2];
	char text[16];

	if (!ec2_ports(r, &port[0], &port[1]))
		return;
	snprintf(text, sizeof(text), "%d", port[to]);
	filter_str(e, text);
}

static void rule_from(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e)
{
	(void)c;
	rule_port(r, false, e);
}

static void rule_to(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e)
{
	(void)c;
	rule_port(r, true, e);
}

static void rule_protocol(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e)
{
	char buf[8];

	(void)c;
	filter_str(e, ec2_protocol(r, buf));
}

static void rule_member(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e)
{
	(void)c;
	if (r->member_group_id[0])
		filter_str(e, r->member_group_id);
}

static void rule_member_name(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e)
{
	const struct group *g = r->member_group_id[0]
					? store_find(c->core->st, &tbl_groups, r->member_group_id)
					: NULL;

	if (g)
		filter_str(e, g->name);
}

static void rule_user(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e)
{
	if (r->member_group_id[0])
		filter_str(e, c->account);
}

static void rule_nothing(struct ec2_call *c, const struct group_rule *r, struct filter_emit *e)
{
	(void)c;
	(void)r;
	(void)e;
}

#define RULE_GETTERS(what, fn)                                                                     \
	static void in_##what(struct ec2_call *c, const void *o, struct filter_emit *e)            \
	{                                                                                          \
		each_rule(c, o, false, fn, e);                                                     \
	}                                                                                          \
	static void out_##what(struct ec2_call *c, const void *o, struct filter_emit *e)           \
	{                                                                                          \
		each_rule(c, o, true, fn, e);                                                      \
	}

RULE_GETTERS(cidr, rule_cidr)
RULE_GETTERS(from, rule_from)
RULE_GETTERS(to, rule_to)
RULE_GETTERS(protocol, rule_protocol)
RULE_GETTERS(member, rule_member)
RULE_GETTERS(member_name, rule_member_name)
RULE_GETTERS(user, rule_user)
RULE_GETTERS(nothing, rule_nothing)

static const struct filter_def group_filters[] = {
	{ "description", get_description },
	{ "egress.ip-permission.cidr", out_cidr },
	{ "egress.ip-permission.from-port", out_from },
	{ "egress.ip-permission.group-id", out_member },
	{ "egress.ip-permission.group-name", out_member_name },
	{ "egress.ip-permission.ipv6-cidr", out_nothing },
	{ "egress.ip-permission.prefix-list-id", out_nothing },
	{ "egress.ip-permission.protocol", out_protocol },
	{ "egress.ip-permission.to-port", out_to },
	{ "egress.ip-permission.user-id", out_user },
	{ "group-id", get_id },
	{ "group-name", get_name },
	{ "ip-permission.cidr", in_cidr },
	{ "ip-permission.from-port", in_from },
	{ "ip-permission.group-id", in_member },
	{ "ip-permission.group-name", in_member_name },
	{ "ip-permission.ipv6-cidr", in_nothing },
	{ "ip-permission.prefix-list-id", in_nothing },
	{ "ip-permission.protocol", in_protocol },
	{ "ip-permission.to-port", in_to },
	{ "ip-permission.user-id", in_user },
	{ "owner-id", get_owner },
	{ "vpc-id", get_vpc },
	{ NULL, NULL },
};

/* ---- answer ---- */

static void group_write(struct ec2_call *c, const void *row)
{
	const struct group *g = row;
	char arn[EC2_ARN_MAX];
	struct xml *x = &c->out;

	snprintf(arn, sizeof(arn), "arn:aws:ec2:%s:%s:security-group/%s", c->core->place.region,
		 g->account, g->id);
	xml_str(x, "ownerId", g->account);
	xml_str(x, "groupName", g->name);
	xml_str(x, "groupId", g->id);
	xml_str(x, "groupDescription", g->description);
	xml_str(x, "securityGroupArn", arn);
	xml_str(x, "vpcId", g->vpc_id);
	ec2_permissions_xml(c, g, false);
	ec2_permissions_xml(c, g, true);
	tags_xml(c, g->id, true);
}

/* ---- actions ---- */

/* Groups by name are groups of the default network. */
static int ids_of_names(struct ec2_call *c, struct ec2_ids *ids)
{
	const char *name;
	unsigned i = 0;
	int r = 0;

	while (r == 0 && (name = query_next_str(&c->in, "GroupName", &i))) {
		const struct group *row;
		struct group g;

		r = ec2_group_named(c, name, &g);
		row = r == 0 ? store_find(c->core->st, &tbl_groups, g.id) : NULL;
		if (row)
			ec2_ids_add(ids, row->id);
	}
	return r;
}

static int describe_groups(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "GroupId",
		.kind = ID_GROUP,
		.set = "securityGroupInfo",
		.table = &tbl_groups,
		.by_account = true,
		.filter = group_filters,
		.more = ids_of_names,
		.id = group_id,
		.created_ms = group_created,
		.write = group_write,
	};

	return ec2_describe(c, &d);
}

static int create_group(struct ec2_call *c)
{
	const char *name = ec2_read_text(&c->in, "GroupName");
	const char *text = ec2_read_text(&c->in, "GroupDescription");
	const char *vpc = query_str(&c->in, "VpcId");
	struct tag_list tags;
	char arn[EC2_ARN_MAX];
	struct group g;
	struct vpc v;
	int r = 0;

	if (!name)
		name = query_need_str(&c->in, "GroupName");
	if (!text)
		text = query_need_str(&c->in, "GroupDescription");
	if (strncmp(name, id_prefix(ID_GROUP), strlen(id_prefix(ID_GROUP))) == 0)
		query_refuse(&c->in, "InvalidParameterValue",
			     "Invalid value '%s' for groupName. Group names may not be in the "
			     "format sg-*",
			     name);
	tags_read_spec(c, "security-group", "security-group", &tags);
	if (query_failed(&c->q))
		return -EINVAL;
	if (vpc)
		r = core_vpc_find(c->core, c->account, vpc, &v, &c->fault);
	else if (core_vpc_default(c->core, c->account, &v) < 0)
		r = ec2_refuse(c, "VPCIdNotSpecified", "No default VPC for this user");
	if (r == 0)
		r = core_group_add(c->core, &v, name, text, &g, &c->fault);
	if (r == 0)
		r = tags_put(c, g.id, &tags);
	if (r < 0)
		return r;
	snprintf(arn, sizeof(arn), "arn:aws:ec2:%s:%s:security-group/%s", c->core->place.region,
		 g.account, g.id);
	ec2_return(c);
	xml_str(&c->out, "groupId", g.id);
	xml_str(&c->out, "securityGroupArn", arn);
	tags_xml(c, g.id, true);
	return 0;
}

static int delete_group(struct ec2_call *c)
{
	const char *id = query_str(&c->in, "GroupId"), *name = query_str(&c->in, "GroupName");
	struct group g;
	int r;

	if (!id && !name)
		(void)query_need_str(&c->in, "GroupId");
	if (id && name)
		query_refuse(&c->in, "InvalidParameterCombination", "Give GroupId or GroupName");
	if (query_failed(&c->q))
		return -EINVAL;
	r = id ? core_group_find(c->core, c->account, id, &g, &c->fault)
	       : ec2_group_named(c, name, &g);
	if (r == 0)
		r = core_group_rm(c->core, &g, &c->fault);
	if (r < 0)
		return r;
	ec2_return(c);
	xml_str(&c->out, "groupId", g.id);
	return 0;
}

const struct ec2_action ec2_group_actions[] = {
	{ "DescribeSecurityGroups", describe_groups, NULL, false },
	{ "CreateSecurityGroup", create_group, NULL, true },
	{ "DeleteSecurityGroup", delete_group, NULL, true },
	{ "AuthorizeSecurityGroupIngress", ec2_authorize_ingress, NULL, true },
	{ "AuthorizeSecurityGroupEgress", ec2_authorize_egress, NULL, true },
	{ "RevokeSecurityGroupIngress", ec2_revoke_ingress, NULL, true },
	{ "RevokeSecurityGroupEgress", ec2_revoke_egress, NULL, true },
	{ "DescribeSecurityGroupRules", ec2_describe_rules, NULL, false },
	{ "ModifySecurityGroupRules", ec2_modify_rules, NULL, true },
	{ "UpdateSecurityGroupRuleDescriptionsIngress", ec2_update_text_ingress, NULL, true },
	{ "UpdateSecurityGroupRuleDescriptionsEgress", ec2_update_text_egress, NULL, true },
	{ NULL, NULL, NULL, false },
};
