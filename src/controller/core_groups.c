/* SPDX-License-Identifier: Apache-2.0 */

/* Security groups and their rules: limits, who refers to whom, and what a card can be told. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/core_net_priv.h"
#include "controller/core_priv.h"
#include "controller/net_text.h"

int core_group_find(struct core *c, const char *account, const char *id, struct group *ret,
		    struct fault *f)
{
	const struct group *g = store_find(c->st, &tbl_groups, id);

	if (!g || strcmp(g->account, account) != 0)
		return fault_absent(f, ID_GROUP, id);
	*ret = *g;
	return 0;
}

int core_group_named(struct core *c, const char *vpc_id, const char *name, struct group *ret)
{
	const struct group *g;
	struct store_iter it;

	store_each_of(c->st, &tbl_groups, "vpc_id", vpc_id, &it);
	while ((g = store_next(&it))) {
		if (strcmp(g->name, name) != 0)
			continue;
		*ret = *g;
		return 0;
	}
	return -ENOENT;
}

/* ---- what a card can be told ---- */

static size_t rows_of(struct core *c, const struct store_table *t, const char *column,
		      const char *value)
{
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->st, t, column, value, &it);
	while (store_next(&it))
		cnt++;
	return cnt;
}

/* As net_push.c resolves them: a rule about a group is one for each member, addresses on other hosts being the default group's. */
static size_t group_weight(struct core *c, const char *group_id, const struct group *def)
{
	const struct group_rule *rule;
	struct store_iter it;
	size_t w = 0;

	store_each_of(c->st, &tbl_group_rules, "group_id", group_id, &it);
	while ((rule = store_next(&it))) {
		if (!rule->member_group_id[0]) {
			w++;
			continue;
		}
		w += rows_of(c, &tbl_interface_groups, "group_id", rule->member_group_id);
		if (strcmp(rule->member_group_id, def->id) == 0)
			w += rows_of(c, &tbl_remotes, "vpc_id", def->vpc_id);
	}
	return w;
}

static size_t interface_weight(struct core *c, const struct interface *ni, const struct group *def)
{
	const struct interface_group *m;
	struct store_iter it;
	size_t w = 0;

	store_each_of(c->st, &tbl_interface_groups, "interface_id", ni->id, &it);
	while ((m = store_next(&it)))
		w += group_weight(c, m->group_id, def);
	return w;
}

static int interfaces_fit(struct core *c, const struct subnet *s, const struct group *def,
			  size_t room, struct fault *f)
{
	const struct interface *ni;
	struct store_iter it;

	store_each_of(c->st, &tbl_interfaces, "subnet_id", s->id, &it);
	while ((ni = store_next(&it))) {
		size_t w = interface_weight(c, ni, def);

		if (w > room)
			return fault_set(f, ENOSPC, "RulesPerSecurityGroupLimitExceeded", NULL,
					 "The security groups of %s would have %zu rules once "
					 "each group they name counts as its members: at most %zu "
					 "can be in force",
					 ni->id, w, room);
	}
	return 0;
}

int core_rules_fit(struct core *c, const char *vpc_id, struct fault *f)
{
	/* Forwarded ports of an instance are rules of its card, too. */
	const size_t room = CTL_RULES_MAX - NET_FORWARDS_INSTANCE_MAX * 32;
	struct group def = { .id = "" };
	const struct subnet *s;
	const struct group *g;
	struct store_iter it;
	size_t all = 0;
	int r = 0;

	if (c->limits.no_cards)
		return 0;
	r = core_group_named(c, vpc_id, "default", &def);
	if (r < 0)
		return fault_internal(f, r, "looking for the default group");
	store_each_of(c->st, &tbl_groups, "vpc_id", vpc_id, &it);
	while ((g = store_next(&it)) && all <= room)
		all += group_weight(c, g->id, &def);
	if (all <= room)
		return 0;
	store_each_of(c->st, &tbl_subnets, "vpc_id", vpc_id, &it);
	while (r == 0 && (s = store_next(&it)))
		r = interfaces_fit(c, s, &def, room, f);
	return r;
}

/* ---- groups ---- */

/* One rule of @g without a question; from @member's interfaces, or from everywhere. */
static int rule_put_new(struct core *c, const struct group *g, bool egress, const char *member)
{
	struct group_rule rule = {
		.egress = egress, .proto = NET_PROTO_ALL, .port_min = 0, .port_max = 65535
	};
	int r = core_net_id(c, ID_GROUP_RULE, rule.id, sizeof(rule.id));

	snprintf(rule.group_id, sizeof(rule.group_id), "%s", g->id);
	snprintf(rule.member_group_id, sizeof(rule.member_group_id), "%s", member);
	return r < 0 ? r : store_put(c->st, &tbl_group_rules, &rule);
}

static int group_put_new(struct core *c, const struct vpc *v, const char *name,
			 const char *description, struct group *ret)
{
	struct group g = { .created_ms = c->env.now_ms(c->env.ptr) };
	int r = core_net_id(c, ID_GROUP, g.id, sizeof(g.id));

	snprintf(g.vpc_id, sizeof(g.vpc_id), "%s", v->id);
	snprintf(g.account, sizeof(g.account), "%s", v->account);
	snprintf(g.name, sizeof(g.name), "%s", name);
	snprintf(g.description, sizeof(g.description), "%s", description);
	if (r == 0)
		r = store_put(c->st, &tbl_groups, &g);
	if (r == 0)
		*ret = g;
	return r < 0 ? r : rule_put_new(c, &g, true, "");
}

int core_default_group_add(struct core *c, const struct vpc *v)
{
	struct group g;
	int r = group_put_new(c, v, "default", "default VPC security group", &g);

	return r < 0 ? r : rule_put_new(c, &g, false, g.id);
}

int core_group_add(struct core *c, const struct vpc *v, const char *name, const char *description,
		   struct group *ret, struct fault *f)
{
	struct group g;
	int r;

	if (strcmp(name, "default") == 0)
		return fault_set(f, EINVAL, "InvalidParameterValue", NULL,
				 "Cannot use reserved security group name: default");
	if (core_group_named(c, v->id, name, &g) == 0)
		return fault_set(f, EEXIST, "InvalidGroup.Duplicate", NULL,
				 "The security group '%s' already exists for VPC '%s'", name,
				 v->id);
	if (rows_of(c, &tbl_groups, "account", v->account) >= NET_GROUPS_MAX)
		return fault_set(f, ENOSPC, "SecurityGroupLimitExceeded", NULL,
				 "The maximum number of security groups has been reached.");
	r = group_put_new(c, v, name, description, ret);
	return r < 0 ? fault_internal(f, r, "making a security group") : 0;
}

/* Does a rule of another group name it, or is an interface in it? */
static bool group_in_use(struct core *c, const struct group *g)
{
	const struct group_rule *rule;
	struct store_iter it;

	if (rows_of(c, &tbl_interface_groups, "group_id", g->id))
		return true;
	store_each_of(c->st, &tbl_group_rules, "member_group_id", g->id, &it);
	while ((rule = store_next(&it)))
		if (strcmp(rule->group_id, g->id) != 0)
			return true;
	return false;
}

int core_group_rm(struct core *c, const struct group *g, struct fault *f)
{
	int r;

	if (strcmp(g->name, "default") == 0)
		return fault_set(f, EBUSY, "CannotDelete", NULL,
				 "the specified group: \"%s\" name: \"default\" cannot be deleted "
				 "by a user",
				 g->id);
	if (group_in_use(c, g))
		return fault_set(f, EBUSY, "DependencyViolation", NULL,
				 "resource %s has a dependent object", g->id);
	r = store_delete(c->st, &tbl_groups, g);
	return r < 0 ? fault_internal(f, r, "removing a security group") : 0;
}

/* ---- rules ---- */

static bool same(const struct group_rule *a, const struct group_rule *b)
{
	return a->egress == b->egress && a->proto == b->proto && a->port_min == b->port_min &&
	       a->port_max == b->port_max && a->addr == b->addr && a->prefix == b->prefix &&
	       strcmp(a->member_group_id, b->member_group_id) == 0;
}

int core_rule_same(struct core *c, struct group_rule *rule)
{
	const struct group_rule *x;
	struct store_iter it;

	store_each_of(c->st, &tbl_group_rules, "group_id", rule->group_id, &it);
	while ((x = store_next(&it))) {
		if (!same(x, rule))
			continue;
		*rule = *x;
		return 0;
	}
	return -ENOENT;
}

int core_rule_find(struct core *c, const char *account, const char *id, struct group_rule *ret,
		   struct fault *f)
{
	const struct group_rule *rule = store_find(c->st, &tbl_group_rules, id);
	const struct group *g = rule ? store_find(c->st, &tbl_groups, rule->group_id) : NULL;

	if (!g || strcmp(g->account, account) != 0)
		return fault_absent(f, ID_GROUP_RULE, id);
	*ret = *rule;
	return 0;
}

static int duplicate(const struct group_rule *r, struct fault *f)
{
	char cidr[NET_CIDR_TEXT];

	return fault_set(f, EEXIST, "InvalidPermission.Duplicate", NULL,
			 "the specified rule \"peer: %s, protocol: %d, from port: %d, to port: %d, "
			 "ALLOW\" already exists",
			 r->member_group_id[0] ? r->member_group_id
					       : net_cidr_text(cidr, r->addr, r->prefix),
			 r->proto == NET_PROTO_ALL ? -1 : (int)r->proto, (int)r->port_min,
			 (int)r->port_max);
}

static size_t rules_of(struct core *c, const struct group *g, bool egress)
{
	const struct group_rule *rule;
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->st, &tbl_group_rules, "group_id", g->id, &it);
	while ((rule = store_next(&it)))
		cnt += rule->egress == egress;
	return cnt;
}

static int rule_write(struct core *c, const struct group *g, const struct group_rule *rule,
		      struct core_acts *acts, struct fault *f)
{
	int r = store_put(c->st, &tbl_group_rules, rule);

	if (r < 0)
		return fault_internal(f, r, "writing a rule");
	r = core_rules_fit(c, g->vpc_id, f);
	if (r < 0)
		return r;
	r = core_net_changed(acts);
	return r < 0 ? fault_internal(f, r, "writing a rule") : 0;
}

int core_rule_add(struct core *c, const struct group *g, struct group_rule *rule,
		  struct core_acts *acts, struct fault *f)
{
	struct group_rule other;
	int r;

	snprintf(rule->group_id, sizeof(rule->group_id), "%s", g->id);
	other = *rule;
	if (core_rule_same(c, &other) == 0)
		return duplicate(&other, f);
	if (rules_of(c, g, rule->egress) >= NET_RULES_MAX)
		return fault_set(f, ENOSPC, "RulesPerSecurityGroupLimitExceeded", NULL,
				 "The maximum number of rules per security group has been "
				 "reached.");
	r = core_net_id(c, ID_GROUP_RULE, rule->id, sizeof(rule->id));
	return r < 0 ? fault_internal(f, r, "making a rule") : rule_write(c, g, rule, acts, f);
}

int core_rule_put(struct core *c, const struct group *g, const struct group_rule *rule,
		  struct core_acts *acts, struct fault *f)
{
	struct group_rule other = *rule;

	if (core_rule_same(c, &other) == 0 && strcmp(other.id, rule->id) != 0)
		return duplicate(&other, f);
	return rule_write(c, g, rule, acts, f);
}

int core_rule_rm(struct core *c, const struct group_rule *rule, struct core_acts *acts)
{
	int r = store_delete(c->st, &tbl_group_rules, rule);

	return r < 0 ? r : core_net_changed(acts);
}
