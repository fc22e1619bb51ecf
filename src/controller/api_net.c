/* SPDX-License-Identifier: Apache-2.0 */

/* Methods about networks: what there is, other hosts, ports that lead in. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/core_net.h"
#include "controller/front/front.h"
#include "controller/net_text.h"
#include "controller/niterd.h"

/* Reads all networks, or answers with what went wrong. Return: whether *ret is to be used, and net_done(). */
static bool net_take(struct conn *c, struct net *ret)
{
	struct fault f;
	int r = net_load(c->d->core.st, ret);

	if (r == 0)
		return true;
	(void)!fault_internal(&f, r, "reading the networks");
	conn_fault(c, &f);
	return false;
}

static json_t *json_of_vpc(const struct net *n, const struct vpc *v)
{
	const struct gateway *g = net_gateway_of(n, v->id);
	char cidr[NET_CIDR_TEXT];
	json_t *o = json_pack("{s:s,s:s,s:s,s:i,s:s,s:b}", "id", v->id, "account", v->account,
			      "cidr", net_cidr_text(cidr, v->addr, v->prefix), "vni", (int)v->vni,
			      "domain", v->domain, "default", (int)v->is_default);

	if (o && g)
		(void)!json_object_set_new(o, "gateway", json_string(g->id));
	return o;
}

static json_t *json_of_subnet(const struct net *n, const struct subnet *s,
			      const struct place *place)
{
	uint64_t free_cnt = ((uint64_t)1 << (32 - s->prefix)) - 5;
	char cidr[NET_CIDR_TEXT];

	for (size_t k = 0; k < n->interface_cnt; k++)
		free_cnt -= strcmp(n->interface[k].subnet_id, s->id) == 0 && free_cnt > 0;
	return json_pack("{s:s,s:s,s:s,s:s,s:I,s:b}", "id", s->id, "vpc", s->vpc_id, "cidr",
			 net_cidr_text(cidr, s->addr, s->prefix), "zone", place->zone, "free",
			 (json_int_t)free_cnt, "default", (int)s->is_default);
}

static json_t *json_of_rule(const struct group_rule *r)
{
	char cidr[NET_CIDR_TEXT];
	json_t *o =
		json_pack("{s:s,s:s}", "id", r->id, "direction", r->egress ? "egress" : "ingress");

	if (!o)
		return NULL;
	if (r->proto == NET_PROTO_ALL)
		(void)!json_object_set_new(o, "protocol", json_string("all"));
	else
		(void)!json_object_set_new(o, "protocol", json_integer(r->proto));
	if (r->proto != NET_PROTO_ALL) {
		(void)!json_object_set_new(o, "from_port", json_integer(r->port_min));
		(void)!json_object_set_new(o, "to_port", json_integer(r->port_max));
	}
	if (r->member_group_id[0])
		(void)!json_object_set_new(o, "group", json_string(r->member_group_id));
	else
		(void)!json_object_set_new(o, "cidr",
					   json_string(net_cidr_text(cidr, r->addr, r->prefix)));
	return o;
}

static json_t *json_of_group(const struct net *n, const struct group *g)
{
	json_t *rules = json_array();

	for (size_t k = 0; k < n->rule_cnt; k++)
		if (strcmp(n->rule[k].group_id, g->id) == 0)
			(void)!json_array_append_new(rules, json_of_rule(&n->rule[k]));
	return json_pack("{s:s,s:s,s:s,s:s,s:o}", "id", g->id, "vpc", g->vpc_id, "name", g->name,
			 "description", g->description, "rules", rules);
}

static json_t *json_of_interface(const struct net *n, const struct interface *ni)
{
	const struct vpc *v = net_vpc_of(n, ni);
	char addr[NET_IPV4_TEXT], mac[NET_MAC_TEXT], host[CTL_NAME_MAX], name[160];
	json_t *groups = json_array();

	for (size_t k = 0; k < n->membership_cnt; k++)
		if (strcmp(n->membership[k].interface_id, ni->id) == 0)
			(void)!json_array_append_new(groups,
						     json_string(n->membership[k].group_id));
	snprintf(name, sizeof(name), "%s.%s", net_hostname(host, ni->addr), v ? v->domain : "");
	return json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:s,s:o,s:b}", "id", ni->id, "instance",
			 ni->instance_id, "device_index", (int)ni->device_idx, "mac",
			 net_mac_text(mac, ni->mac), "private_ip", net_ipv4_text(addr, ni->addr),
			 "private_dns", name, "subnet", ni->subnet_id, "vpc", v ? v->id : "",
			 "groups", groups, "source_dest_check", (int)ni->source_dest_check);
}

json_t *json_of_interfaces(const struct net *n, const char *instance_id)
{
	json_t *all = json_array();

	for (size_t k = 0; k < n->interface_cnt; k++)
		if (!instance_id || strcmp(n->interface[k].instance_id, instance_id) == 0)
			(void)!json_array_append_new(all, json_of_interface(n, &n->interface[k]));
	return all;
}

void network_list(struct conn *c, const json_t *params)
{
	json_t *vpcs, *subnets, *groups;
	struct net n;

	if (!params_take(c, params, NULL, 0) || !net_take(c, &n))
		return;
	vpcs = json_array();
	subnets = json_array();
	groups = json_array();
	for (size_t k = 0; k < n.vpc_cnt; k++)
		(void)!json_array_append_new(vpcs, json_of_vpc(&n, &n.vpc[k]));
	for (size_t k = 0; k < n.subnet_cnt; k++)
		(void)!json_array_append_new(subnets,
					     json_of_subnet(&n, &n.subnet[k], &c->d->core.place));
	for (size_t k = 0; k < n.group_cnt; k++)
		(void)!json_array_append_new(groups, json_of_group(&n, &n.group[k]));
	conn_result(c, json_pack("{s:o,s:o,s:o,s:o}", "vpcs", vpcs, "subnets", subnets, "groups",
				 groups, "interfaces", json_of_interfaces(&n, NULL)));
	net_done(&n);
}

/* ---- other hosts ---- */

static json_t *json_of_peer(const struct net *n, const struct peer *p)
{
	char addr[NET_IPV4_TEXT], mac[NET_MAC_TEXT], print[2 * CTL_FINGERPRINT_BYTES + 1],
		place[32];
	json_t *maps = json_array();

	for (size_t k = 0; k < n->remote_cnt; k++) {
		const struct remote *m = &n->remote[k];

		if (m->peer == p->number)
			(void)!json_array_append_new(
				maps, json_pack("{s:s,s:s,s:s}", "private_ip",
						net_ipv4_text(addr, m->addr), "mac",
						net_mac_text(mac, m->mac), "vpc", m->vpc_id));
	}
	snprintf(place, sizeof(place), "%s:%u", net_ipv4_text(addr, p->addr), p->port);
	return json_pack("{s:s,s:i,s:s,s:s,s:o}", "name", p->name, "number", (int)p->number,
			 "address", place, "fingerprint",
			 net_fingerprint_text(print, p->fingerprint), "mappings", maps);
}

static void peer_answer(struct conn *c, const struct peer *p)
{
	struct net n;

	c->d->net_dirty = true;
	if (!net_take(c, &n))
		return;
	conn_result(c, json_pack("{s:o}", "peer", json_of_peer(&n, p)));
	net_done(&n);
}

void peer_add(struct conn *c, const json_t *params)
{
	struct core_peer q = { .name = "" };
	const struct param table[] = {
		{ "name", PARAM_TEXT, true, q.name, sizeof(q.name) },
		{ "address", PARAM_TEXT, true, q.address, sizeof(q.address) },
		{ "fingerprint", PARAM_TEXT, true, q.fingerprint, sizeof(q.fingerprint) },
	};
	struct fault f;
	struct peer p;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_peer_add(&c->d->core, &q, &p, &f) < 0)
		conn_fault(c, &f);
	else
		peer_answer(c, &p);
}

void peer_list(struct conn *c, const json_t *params)
{
	json_t *all;
	struct net n;

	if (!params_take(c, params, NULL, 0) || !net_take(c, &n))
		return;
	all = json_array();
	for (size_t k = 0; k < n.peer_cnt; k++)
		(void)!json_array_append_new(all, json_of_peer(&n, &n.peer[k]));
	net_done(&n);
	conn_result(c, json_pack("{s:o}", "peers", all));
}

void peer_rm(struct conn *c, const json_t *params)
{
	char name[MODEL_NAME_MAX] = "";
	const struct param table[] = { { "peer", PARAM_TEXT, true, name, sizeof(name) } };
	struct fault f;
	struct peer p;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_peer_find(&c->d->core, name, &p, &f) < 0 ||
	    core_peer_rm(&c->d->core, &p, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	c->d->net_dirty = true;
	conn_result(c, json_pack("{s:s}", "removed", p.name));
}

/* peer.map and peer.unmap: @add says which. */
static void peer_address(struct conn *c, const json_t *params, bool add)
{
	char name[MODEL_NAME_MAX] = "";
	struct core_remote q = { .account = MODEL_ACCOUNT_DEFAULT };
	const struct param table[] = {
		{ "peer", PARAM_TEXT, true, name, sizeof(name) },
		{ "private_ip", PARAM_TEXT, true, q.ip, sizeof(q.ip) },
		{ "vpc", PARAM_TEXT, false, q.vpc, sizeof(q.vpc) },
		{ "mac", PARAM_TEXT, true, q.mac, sizeof(q.mac) },
	};
	struct remote m;
	struct fault f;
	struct peer p;
	int r;

	if (!params_take(c, params, table, ARRAY_SIZE(table) - !add))
		return;
	r = core_peer_find(&c->d->core, name, &p, &f);
	if (r == 0)
		r = add ? core_peer_map(&c->d->core, &p, &q, &m, &f)
			: core_peer_unmap(&c->d->core, &p, &q, &f);
	if (r < 0)
		conn_fault(c, &f);
	else
		peer_answer(c, &p);
}

void peer_map(struct conn *c, const json_t *params)
{
	peer_address(c, params, true);
}

void peer_unmap(struct conn *c, const json_t *params)
{
	peer_address(c, params, false);
}

/* ---- ports that lead in ---- */

static json_t *json_of_forward(struct daemon *d, const struct forward *w)
{
	const char *text = "";
	int up = net_forward_state(d, w->host_port, &text);

	return json_pack("{s:i,s:s,s:i,s:b}", "host_port", (int)w->host_port, "instance",
			 w->instance_id, "port", (int)w->port, "active", up);
}

void api_forward_look(struct conn *c)
{
	const char *text = "";
	struct fault f;

	/* Of an instance that does not run: the port leads to it when it does. */
	if (!live_find(c->d, c->op.forward.instance_id) ||
	    net_forward_state(c->d, c->op.forward.host_port, &text) > 0) {
		conn_result(c,
			    json_pack("{s:o,s:b}", "forward", json_of_forward(c->d, &c->op.forward),
				      "new", (int)c->op.forward_new));
		return;
	}
	/* A reason that lasts is given early: no uplink, no wire. */
	if (clock_ns() < c->op.deadline_ns && (text[0] == '\0' || clock_ns() < c->op.next_ns))
		return;
	if (c->op.forward_new && core_forward_rm(&c->d->core, c->op.forward.host_port, &f) == 0)
		c->d->net_dirty = true;
	(void)!fault_set(&f, ETIMEDOUT, "InternalError", "see niter host log",
			 "the network's gateway does not come up%s%s", text[0] ? ": " : "", text);
	conn_fault(c, &f);
}

void api_forward_failed(struct daemon *d, unsigned host_port, const char *text)
{
	for (size_t k = 0; k < ARRAY_SIZE(d->conn); k++) {
		struct conn *c = d->conn[k];
		struct fault f;

		if (!c || c->op.kind != OP_FORWARD || c->op.forward.host_port != host_port)
			continue;
		if (c->op.forward_new && core_forward_rm(&d->core, host_port, &f) == 0)
			d->net_dirty = true;
		(void)!fault_set(
			&f, EADDRINUSE, "InvalidParameterValue", "choose another port of the host",
			"port %u of the host cannot lead to the instance: %s", host_port, text);
		conn_fault(c, &f);
	}
}

void forward_add(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	struct core_forward q = { .port = 0 };
	const struct param table[] = {
		{ "instance", PARAM_TEXT, true, ref, sizeof(ref) },
		{ "port", PARAM_U64, true, &q.port, 0 },
		{ "host_port", PARAM_U64, false, &q.host_port, 0 },
		{ "suggested_port", PARAM_U64, false, &q.suggested_port, 0 },
	};
	struct instance i = { 0 };
	struct fault f;
	int r;

	if (!params_take(c, params, table, ARRAY_SIZE(table)) || !instance_take(c, ref, &i))
		return;
	if (q.suggested_port == front_port(c->d))
		q.suggested_port = 0;
	r = q.host_port && q.host_port == front_port(c->d)
		    ? fault_set(&f, EADDRINUSE, "InvalidParameterValue",
				"choose another port of the host",
				"port %llu of this host is the API's",
				(unsigned long long)q.host_port)
		    : core_forward_add(&c->d->core, &i, &q, &c->op.forward, &f);
	if (r < 0) {
		conn_fault(c, &f);
		return;
	}
	c->op.kind = OP_FORWARD;
	c->op.forward_new = r > 0;
	c->op.deadline_ns = clock_ns() + (uint64_t)FORWARD_WAIT_S * 1000000000U;
	c->op.next_ns = clock_ns() + (uint64_t)FORWARD_REASON_S * 1000000000U;
	net_gateways_hurry(c->d);
	net_sync(c->d);
	api_forward_look(c);
}

void forward_list(struct conn *c, const json_t *params)
{
	json_t *all;
	struct net n;

	if (!params_take(c, params, NULL, 0) || !net_take(c, &n))
		return;
	all = json_array();
	for (size_t k = 0; k < n.forward_cnt; k++)
		(void)!json_array_append_new(all, json_of_forward(c->d, &n.forward[k]));
	net_done(&n);
	conn_result(c, json_pack("{s:o}", "forwards", all));
}

void forward_rm(struct conn *c, const json_t *params)
{
	uint64_t host_port = 0;
	const struct param table[] = { { "host_port", PARAM_U64, true, &host_port, 0 } };
	struct fault f;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_forward_rm(&c->d->core, host_port, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	c->d->net_dirty = true;
	conn_result(c, json_pack("{s:I}", "removed", (json_int_t)host_port));
}
