/* SPDX-License-Identifier: Apache-2.0 */

/* Rules of security groups: EC2's words for them, both ways. */

#include "controller/ec2/group_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/net_text.h"

enum { PORT_ANY = 65535, PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58 };

static const struct {
	unsigned proto;
	const char *name;
} names[] = {
	{ NET_PROTO_ALL, "-1" }, { PROTO_TCP, "tcp" },       { PROTO_UDP, "udp" },
	{ PROTO_ICMP, "icmp" },  { PROTO_ICMPV6, "icmpv6" },
};

static bool is_icmp(unsigned proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMPV6;
}

static bool has_ports(unsigned proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || is_icmp(proto);
}

/* ---- reading ---- */

/* A name or a number; 255 is what we call all of them, and a reserved number. */
static unsigned read_protocol(const struct query_at *at)
{
	const char *text = query_need_str(at, "IpProtocol");
	size_t digits = strspn(text, "0123456789");
	unsigned long v;

	for (size_t k = 0; k < ARRAY_SIZE(names); k++)
		if (strcmp(names[k].name, text) == 0)
			return names[k].proto;
	v = digits && digits < 4 && text[digits] == '\0' ? strtoul(text, NULL, 10) : NET_PROTO_ALL;
	if (v >= NET_PROTO_ALL)
		query_refuse(at, "InvalidParameterValue",
			     "Invalid value '%s' for IP protocol. Unknown protocol.", text);
	return (unsigned)v;
}

static void read_icmp(const struct query_at *at, struct group_rule *r)
{
	int64_t type = query_i64(at, "FromPort", -1, 255, INT64_MIN);
	int64_t code = query_i64(at, "ToPort", -1, 255, INT64_MIN);

	if (type == INT64_MIN || code == INT64_MIN)
		query_refuse(at, "MissingParameter",
			     "ICMP needs a type in FromPort and a code in ToPort; -1 is any");
	if (type == -1 && code != -1)
		query_refuse(at, "InvalidParameterValue",
			     "ICMP code (%d) without a type has no meaning", (int)code);
	r->port_min = type < 0 ? PORT_ANY : (unsigned)type;
	r->port_max = code < 0 ? PORT_ANY : (unsigned)code;
}

static void read_range(const struct query_at *at, struct group_rule *r)
{
	int64_t from = query_i64(at, "FromPort", -1, PORT_ANY, INT64_MIN);
	int64_t to = query_i64(at, "ToPort", -1, PORT_ANY, INT64_MIN);

	if (from == INT64_MIN || to == INT64_MIN)
		query_refuse(at, "InvalidParameterValue",
			     "Invalid value 'Must specify both from and to ports with TCP/UDP.' "
			     "for portRange.");
	if (from < 0 || to < 0 || from > to)
		query_refuse(at, "InvalidParameterValue",
			     "Invalid value '%d-%d' for portRange: from the lower to the higher, "
			     "0 to 65535",
			     (int)from, (int)to);
	r->port_min = (unsigned)from;
	r->port_max = (unsigned)to;
}

/* Protocol and ports. A protocol without ports has all of them, whatever the request says. */
static void read_what(const struct query_at *at, struct group_rule *r)
{
	r->proto = read_protocol(at);
	r->port_min = 0;
	r->port_max = PORT_ANY;
	if (query_failed(at->q))
		return;
	if (is_icmp(r->proto)) {
		read_icmp(at, r);
	} else if (has_ports(r->proto)) {
		read_range(at, r);
	} else {
		query_ignore(at, "FromPort");
		query_ignore(at, "ToPort");
	}
}

static void read_text(const struct query_at *at, struct group_rule *r)
{
	const char *text = ec2_read_text(at, "Description");

	snprintf(r->description, sizeof(r->description), "%.*s", NET_GROUP_NAME_MAX - 1,
		 text ? text : "");
}

static void list_add(const struct query_at *at, struct rule_list *l, const struct group_rule *r)
{
	if (query_failed(at->q))
		return;
	if (l->cnt == PERMISSIONS_MAX)
		query_refuse(at, "RulesPerSecurityGroupLimitExceeded",
			     "The maximum number of rules per security group has been reached.");
	else
		l->rule[l->cnt++] = *r;
}

/* A group of the same network. Another's account is as good as none. */
static void read_group(struct ec2_call *c, const struct query_at *at, const struct group *g,
		       const char *id, const char *name, struct group_rule *r)
{
	const char *user = query_str(at, "UserId");
	struct group member;
	struct fault f;
	int found = -1;

	if (!id && !name)
		query_refuse(at, "MissingParameter",
			     "The request must contain the parameter groupId");
	if (query_failed(at->q))
		return;
	if (id)
		found = core_group_find(c->core, c->account, id, &member, &f);
	else
		found = core_group_named(c->core, g->vpc_id, name, &member);
	if (found == 0 && strcmp(member.vpc_id, g->vpc_id) == 0 &&
	    (!user || strcmp(user, c->account) == 0)) {
		snprintf(r->member_group_id, sizeof(r->member_group_id), "%s", member.id);
		return;
	}
	if (id && found < 0)
		query_refuse(at, f.code, "%s", f.text);
	else
		query_refuse(at, "InvalidGroup.NotFound",
			     "The security group '%s' does not exist in VPC '%s'", id ? id : name,
			     g->vpc_id);
}

static void read_blocks(const struct query_at *at, const struct group_rule *what,
			struct rule_list *l)
{
	struct query_at range;
	unsigned i = 0;

	while (query_next(at, "IpRanges", &i, &range)) {
		struct group_rule r = *what;
		struct net_block b = ec2_read_block(&range, "CidrIp", true);

		r.addr = b.addr;
		r.prefix = b.prefix;
		read_text(&range, &r);
		list_add(at, l, &r);
	}
}

static void read_groups(struct ec2_call *c, const struct query_at *at, const struct group *g,
			const struct group_rule *what, struct rule_list *l)
{
	struct query_at pair;
	unsigned i = 0;

	while (query_next(at, "Groups", &i, &pair)) {
		struct group_rule r = *what;
		const char *vpc = query_str(&pair, "VpcId");

		query_unsupported(&pair, "VpcPeeringConnectionId", NULL);
		query_unsupported(&pair, "PeeringStatus", NULL);
		if (vpc && strcmp(vpc, g->vpc_id) != 0)
			query_refuse(&pair, "UnsupportedOperation",
				     "Groups of other networks cannot be named");
		read_group(c, &pair, g, query_str(&pair, "GroupId"), query_str(&pair, "GroupName"),
			   &r);
		read_text(&pair, &r);
		list_add(at, l, &r);
	}
}

static void read_impossible(const struct query_at *at, const char *name, bool exist,
			    struct rule_list *l)
{
	if (!query_any(at, name))
		return;
	if (!exist) {
		query_unsupported(at, name, "there is no IPv6, and there are no prefix lists");
		return;
	}
	query_ignore(at, name);
	l->impossible = true;
}

static void read_permission(struct ec2_call *c, const struct query_at *at, const struct group *g,
			    const struct group_rule *base, bool exist, struct rule_list *l)
{
	struct group_rule what = *base;
	size_t before = l->cnt;

	read_what(at, &what);
	read_blocks(at, &what, l);
	read_groups(c, at, g, &what, l);
	read_impossible(at, "Ipv6Ranges", exist, l);
	read_impossible(at, "PrefixListIds", exist, l);
	if (l->cnt == before && !l->impossible)
		query_refuse(at, "MissingParameter",
			     "The request must contain the parameter ipRanges or groups");
}

/* CidrIp, SourceSecurityGroupName …: how it was said before there were lists. */
static void read_flat(struct ec2_call *c, const struct group *g, const struct group_rule *base,
		      struct rule_list *l)
{
	const char *cidr = query_str(&c->in, "CidrIp");
	const char *name = query_str(&c->in, "SourceSecurityGroupName");
	const char *owner = query_str(&c->in, "SourceSecurityGroupOwnerId");
	struct group_rule r = *base;

	if (owner && (!name || strcmp(owner, c->account) != 0))
		query_refuse(&c->in, "InvalidGroup.NotFound",
			     "The security group '%s' does not exist", name ? name : "");
	if (cidr && name)
		query_refuse(&c->in, "InvalidParameterCombination",
			     "Give CidrIp or SourceSecurityGroupName");
	if (name && !query_any(&c->in, "IpProtocol")) {
		/* A group alone: everything. */
		r.proto = NET_PROTO_ALL;
		r.port_max = PORT_ANY;
	} else {
		read_what(&c->in, &r);
	}
	if (name) {
		read_group(c, &c->in, g, NULL, name, &r);
	} else {
		struct net_block b = ec2_read_block(&c->in, "CidrIp", true);

		r.addr = b.addr;
		r.prefix = b.prefix;
	}
	list_add(&c->in, l, &r);
}

void ec2_read_permissions(struct ec2_call *c, const struct group *g, bool egress, bool exist,
			  struct rule_list *ret)
{
	static const char *const flat[] = { "IpProtocol",
					    "FromPort",
					    "ToPort",
					    "CidrIp",
					    "SourceSecurityGroupName",
					    "SourceSecurityGroupOwnerId" };
	struct group_rule base = { .egress = egress };
	struct query_at at;
	bool is_flat = false;
	unsigned i = 0;

	ret->cnt = 0;
	ret->impossible = false;
	snprintf(base.group_id, sizeof(base.group_id), "%s", g->id);
	for (size_t k = 0; k < ARRAY_SIZE(flat); k++)
		is_flat = is_flat || query_any(&c->in, flat[k]);
	if (is_flat && query_any(&c->in, "IpPermissions"))
		query_refuse(&c->in, "InvalidParameterCombination",
			     "IpPermissions and the members it replaces exclude each other");
	else if (is_flat)
		read_flat(c, g, &base, ret);
	else if (!query_any(&c->in, "IpPermissions"))
		query_refuse(&c->in, "MissingParameter",
			     "The request must contain the parameter ipPermissions");
	while (query_next(&c->in, "IpPermissions", &i, &at))
		read_permission(c, &at, g, &base, exist, ret);
}

void ec2_read_rule(struct ec2_call *c, const struct query_at *at, const struct group *g,
		   struct group_rule *rule)
{
	const char *id = query_str(at, "ReferencedGroupId");
	struct net_block b;

	query_unsupported(at, "CidrIpv6", NULL);
	query_unsupported(at, "PrefixListId", NULL);
	b = ec2_read_block(at, "CidrIpv4", !id);
	if (id && query_any(at, "CidrIpv4"))
		query_refuse(at, "InvalidParameterCombination",
			     "Give CidrIpv4 or ReferencedGroupId");
	read_what(at, rule);
	read_text(at, rule);
	rule->addr = b.addr;
	rule->prefix = b.prefix;
	rule->member_group_id[0] = '\0';
	if (id)
		read_group(c, at, g, id, NULL, rule);
}

/* ---- answers ---- */

const char *ec2_protocol(const struct group_rule *r, char buf[8])
{
	for (size_t k = 0; k < ARRAY_SIZE(names); k++)
		if (names[k].proto == r->proto)
			return names[k].name;
	snprintf(buf, 8, "%u", r->proto & 255);
	return buf;
}

bool ec2_ports(const struct group_rule *r, int *ret_from, int *ret_to)
{
	bool any = is_icmp(r->proto);

	*ret_from = any && r->port_min == PORT_ANY ? -1 : (int)r->port_min;
	*ret_to = any && r->port_max == PORT_ANY ? -1 : (int)r->port_max;
	return has_ports(r->proto);
}

static void permission_head(struct xml *x, const struct group_rule *r)
{
	int from, to;
	char buf[8];

	xml_str(x, "ipProtocol", ec2_protocol(r, buf));
	if (!ec2_ports(r, &from, &to))
		return;
	xml_i64(x, "fromPort", from);
	xml_i64(x, "toPort", to);
}

static bool same_what(const struct group_rule *a, const struct group_rule *b)
{
	return a->proto == b->proto && a->port_min == b->port_min && a->port_max == b->port_max;
}

static void group_item(struct ec2_call *c, const struct group_rule *r)
{
	xml_open(&c->out, "item");
	xml_str(&c->out, "userId", c->account);
	xml_str(&c->out, "groupId", r->member_group_id);
	xml_opt(&c->out, "description", r->description);
	xml_close(&c->out, "item");
}

static void block_item(struct ec2_call *c, const struct group_rule *r)
{
	char cidr[NET_CIDR_TEXT];

	xml_open(&c->out, "item");
	xml_str(&c->out, "cidrIp", net_cidr_text(cidr, r->addr, r->prefix));
	xml_opt(&c->out, "description", r->description);
	xml_close(&c->out, "item");
}

/* One item: all rules of @rule that let the same through as @what. */
static void permission_item(struct ec2_call *c, const struct group_rule *const *rule, size_t cnt,
			    const struct group_rule *what)
{
	struct xml *x = &c->out;

	xml_open(x, "item");
	permission_head(x, what);
	xml_open(x, "groups");
	for (size_t k = 0; k < cnt; k++)
		if (same_what(rule[k], what) && rule[k]->member_group_id[0])
			group_item(c, rule[k]);
	xml_close(x, "groups");
	xml_open(x, "ipRanges");
	for (size_t k = 0; k < cnt; k++)
		if (same_what(rule[k], what) && !rule[k]->member_group_id[0])
			block_item(c, rule[k]);
	xml_close(x, "ipRanges");
	xml_empty(x, "ipv6Ranges");
	xml_empty(x, "prefixListIds");
	xml_close(x, "item");
}

void ec2_permissions_xml(struct ec2_call *c, const struct group *g, bool egress)
{
	const struct group_rule *rule[NET_RULES_MAX], *r;
	const char *set = egress ? "ipPermissionsEgress" : "ipPermissions";
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->core->st, &tbl_group_rules, "group_id", g->id, &it);
	while ((r = store_next(&it)))
		if (r->egress == egress && cnt < NET_RULES_MAX)
			rule[cnt++] = r;
	xml_open(&c->out, set);
	for (size_t k = 0; k < cnt; k++) {
		bool first = true;

		for (size_t j = 0; j < k; j++)
			first = first && !same_what(rule[j], rule[k]);
		if (first)
			permission_item(c, rule, cnt, rule[k]);
	}
	xml_close(&c->out, set);
}

void ec2_rule_xml(struct ec2_call *c, const struct group_rule *r, const char *account)
{
	char buf[8], cidr[NET_CIDR_TEXT];
	struct xml *x = &c->out;
	int from, to;

	xml_str(x, "securityGroupRuleId", r->id);
	xml_str(x, "groupId", r->group_id);
	xml_opt(x, "groupOwnerId", account);
	xml_bool(x, "isEgress", r->egress);
	xml_str(x, "ipProtocol", ec2_protocol(r, buf));
	if (!ec2_ports(r, &from, &to))
		from = to = -1;
	xml_i64(x, "fromPort", from);
	xml_i64(x, "toPort", to);
	if (!r->member_group_id[0])
		xml_str(x, "cidrIpv4", net_cidr_text(cidr, r->addr, r->prefix));
	else if (!account)
		xml_str(x, "referencedGroupId", r->member_group_id);
	if (r->member_group_id[0] && account) {
		xml_open(x, "referencedGroupInfo");
		xml_str(x, "groupId", r->member_group_id);
		xml_str(x, "userId", account);
		xml_close(x, "referencedGroupInfo");
	}
	xml_opt(x, "description", r->description);
}
