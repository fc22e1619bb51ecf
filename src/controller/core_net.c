/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Networks that come and go with accounts and instances. docs/decisions/0083-default-network.md says what an account
 * has from the start, and why.
 */

#include "controller/core_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/core_priv.h"
#include "controller/ids.h"
#include "controller/net_text.h"

#define DEFAULT_VPC_ADDR 0xac1f0000u /* 172.31.0.0/16 and /20, as on EC2 */
enum { DEFAULT_VPC_PREFIX = 16, DEFAULT_SUBNET_PREFIX = 20 };

static int id_new(struct core *c, enum id_kind kind, char *ret, size_t cap)
{
	uint8_t rnd[ID_RANDOM_BYTES];
	int r = c->env.random(c->env.ptr, rnd, sizeof(rnd));

	if (r == 0)
		id_make(kind, rnd, ret, cap);
	return r;
}

/* Locally administered unicast addresses: 06:… for interfaces, 02:… for gateways, the rest random. */
static int mac_new(struct core *c, uint8_t first, uint8_t ret[NET_MAC_BYTES])
{
	int r = c->env.random(c->env.ptr, ret, NET_MAC_BYTES);

	ret[0] = first;
	return r;
}

/* One rule of @g; from @member's interfaces, or from everywhere. */
static int rule_new(struct core *c, const struct group *g, bool egress, const char *member)
{
	struct group_rule rule = {
		.egress = egress, .proto = NET_PROTO_ALL, .port_min = 0, .port_max = 65535
	};
	int r = id_new(c, ID_GROUP_RULE, rule.id, sizeof(rule.id));

	snprintf(rule.group_id, sizeof(rule.group_id), "%s", g->id);
	snprintf(rule.member_group_id, sizeof(rule.member_group_id), "%s", member);
	return r < 0 ? r : store_put(c->st, &tbl_group_rules, &rule);
}

static int default_group_new(struct core *c, const struct vpc *v)
{
	struct group g = { .name = "default",
			   .description = "default VPC security group",
			   .created_ms = v->created_ms };
	int r = id_new(c, ID_GROUP, g.id, sizeof(g.id));

	snprintf(g.vpc_id, sizeof(g.vpc_id), "%s", v->id);
	snprintf(g.account, sizeof(g.account), "%s", v->account);
	if (r == 0)
		r = store_put(c->st, &tbl_groups, &g);
	if (r == 0)
		r = rule_new(c, &g, false, g.id);
	return r < 0 ? r : rule_new(c, &g, true, "");
}

static int default_subnet_new(struct core *c, const struct vpc *v)
{
	struct subnet s = { .addr = v->addr,
			    .prefix = DEFAULT_SUBNET_PREFIX,
			    .is_default = true,
			    .created_ms = v->created_ms };
	int r = id_new(c, ID_SUBNET, s.id, sizeof(s.id));

	snprintf(s.vpc_id, sizeof(s.vpc_id), "%s", v->id);
	return r < 0 ? r : store_put(c->st, &tbl_subnets, &s);
}

static int gateway_new(struct core *c, const struct vpc *v)
{
	struct gateway g = { .id = "" };
	int r = id_new(c, ID_GATEWAY, g.id, sizeof(g.id));

	snprintf(g.vpc_id, sizeof(g.vpc_id), "%s", v->id);
	if (r == 0)
		r = mac_new(c, 0x02, g.mac);
	return r < 0 ? r : store_put(c->st, &tbl_gateways, &g);
}

static uint32_t vni_free(const struct net *n)
{
	uint32_t vni = NET_VNI_FIRST;

	for (size_t k = 0; k < n->vpc_cnt; k++)
		if (n->vpc[k].vni >= vni)
			vni = n->vpc[k].vni + 1;
	return vni;
}

static int default_network_ensure(struct core *c, const char *account)
{
	struct vpc v = { .addr = DEFAULT_VPC_ADDR,
			 .prefix = DEFAULT_VPC_PREFIX,
			 .is_default = true,
			 .created_ms = c->env.now_ms(c->env.ptr) };
	struct net n;
	bool there;
	int r;

	snprintf(v.domain, sizeof(v.domain), "%s", c->place.domain);
	r = net_load(c->st, &n);
	if (r < 0)
		return r;
	there = net_vpc_default(&n, account) != NULL;
	v.vni = vni_free(&n);
	net_done(&n);
	if (there)
		return 0;
	snprintf(v.account, sizeof(v.account), "%s", account);
	r = v.vni > NET_VNI_MAX ? -ENOSPC : id_new(c, ID_VPC, v.id, sizeof(v.id));
	if (r == 0)
		r = store_put(c->st, &tbl_vpcs, &v);
	if (r == 0)
		r = default_subnet_new(c, &v);
	if (r == 0)
		r = default_group_new(c, &v);
	return r < 0 ? r : gateway_new(c, &v);
}

/* The address a person asked for. */
static int addr_check(const struct net *n, const struct subnet *s, const char *text, uint32_t *ret,
		      struct fault *f)
{
	char cidr[NET_CIDR_TEXT], safe[NET_IPV4_TEXT * 4];
	uint32_t addr;

	net_cidr_text(cidr, s->addr, s->prefix);
	if (net_ipv4_parse(text, &addr) < 0) {
		log_escape(safe, sizeof(safe), text, strlen(text));
		return fault_set(f, EINVAL, "InvalidParameterValue", "write one as in 172.31.0.10",
				 "\"%s\" is no IPv4 address", safe);
	}
	if (!net_inside(addr, s->addr, s->prefix) || net_reserved(s, addr))
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "choose another, or leave it out",
				 "%s is no address for an instance of subnet %s, whose first four "
				 "and last are reserved",
				 text, cidr);
	if (net_addr_used(n, s->vpc_id, addr))
		return fault_set(f, EEXIST, "InvalidIPAddress.InUse",
				 "choose another; see niter network ls",
				 "somebody has the address %s", text);
	*ret = addr;
	return 0;
}

static int place_find(const struct net *n, const struct core_run *q, struct interface *ret,
		      struct fault *f)
{
	const struct vpc *v = net_vpc_default(n, q->account);
	const struct subnet *s = v ? net_subnet_default(n, v->id) : NULL;
	char cidr[NET_CIDR_TEXT];
	uint32_t addr = 0;

	if (!s)
		return fault_set(f, ENOENT, "InvalidSubnetID.NotFound", "see niter network ls",
				 "this account has no default subnet");
	if (q->private_ip[0]) {
		int r = addr_check(n, s, q->private_ip, &addr, f);

		if (r < 0)
			return r;
	} else if (net_addr_free(n, s, &addr) < 0) {
		return fault_set(f, EADDRNOTAVAIL, "InsufficientFreeAddressesInSubnet",
				 "remove an instance with niter rm",
				 "no address is left in subnet %s",
				 net_cidr_text(cidr, s->addr, s->prefix));
	}
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->account, sizeof(ret->account), "%s", q->account);
	snprintf(ret->subnet_id, sizeof(ret->subnet_id), "%s", s->id);
	ret->addr = addr;
	ret->source_dest_check = true;
	ret->outside_idx = net_outside_free(n, v->id);
	return 0;
}

int core_net_check(struct core *c, const struct core_run *q, struct interface *ret, struct fault *f)
{
	struct net n;
	int r;

	r = net_load(c->st, &n);
	if (r < 0)
		return fault_internal(f, r, "reading the networks");
	r = place_find(&n, q, ret, f);
	net_done(&n);
	return r;
}

int core_data_check(const struct core_run *q, struct fault *f)
{
	if (q->public_key[0] && !net_key_valid(q->public_key))
		return fault_set(f, EINVAL, "InvalidKey.Format",
				 "give the line of a .pub file that ssh-keygen wrote",
				 "the key is no OpenSSH public key");
	if (q->key_name[0] && !q->public_key[0])
		return fault_set(f, EINVAL, "MissingParameter", "give the key, too",
				 "a key name without a public key means nothing");
	if (q->key_name[0] && !net_key_name_valid(q->key_name))
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "use up to 63 printable characters without a slash",
				 "a key cannot have that name");
	if (q->user_data && q->user_data->len > NET_USER_DATA_MAX)
		return fault_set(f, EINVAL, "InvalidUserData.Malformed", "make it smaller",
				 "user data holds at most %d bytes", NET_USER_DATA_MAX);
	return 0;
}

static int launch_data_put(struct core *c, const struct core_run *q, const struct instance *i)
{
	struct launch_data *d;
	int r;

	if (!q->public_key[0] && !(q->user_data && q->user_data->len))
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	snprintf(d->instance_id, sizeof(d->instance_id), "%s", i->id);
	if (q->public_key[0]) {
		snprintf(d->public_key, sizeof(d->public_key), "%s", q->public_key);
		snprintf(d->key_name, sizeof(d->key_name), "%s",
			 q->key_name[0] ? q->key_name : "key");
	}
	if (q->user_data)
		d->user_data = *q->user_data;
	r = store_put(c->st, &tbl_launch_data, d);
	free(d);
	return r;
}

static int default_group_join(struct core *c, const struct interface *ni)
{
	struct interface_group m = { .interface_id = "" };
	const struct group *g = NULL;
	const struct vpc *v;
	struct net n;
	int r;

	r = net_load(c->st, &n);
	if (r < 0)
		return r;
	v = net_vpc_of(&n, ni);
	g = v ? net_group_default(&n, v->id) : NULL;
	snprintf(m.interface_id, sizeof(m.interface_id), "%s", ni->id);
	if (g)
		snprintf(m.group_id, sizeof(m.group_id), "%s", g->id);
	net_done(&n);
	return g ? store_put(c->st, &tbl_interface_groups, &m) : -ENOENT;
}

int core_net_attach(struct core *c, const struct core_run *q, const struct instance *i,
		    struct interface *ni)
{
	int r;

	snprintf(ni->instance_id, sizeof(ni->instance_id), "%s", i->id);
	ni->device_idx = 0;
	ni->created_ms = i->created_ms;
	r = id_new(c, ID_INTERFACE, ni->id, sizeof(ni->id));
	if (r == 0)
		r = mac_new(c, 0x06, ni->mac);
	if (r == 0)
		r = store_put(c->st, &tbl_interfaces, ni);
	if (r == 0)
		r = default_group_join(c, ni);
	return r < 0 ? r : launch_data_put(c, q, i);
}

static int forwards_release(struct core *c, const struct net *n, const char *instance_id)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < n->forward_cnt; k++)
		if (strcmp(n->forward[k].instance_id, instance_id) == 0)
			r = store_delete(c->st, &tbl_forwards, &n->forward[k]);
	return r;
}

int core_net_release(struct core *c, const char *instance_id)
{
	CLEANUP(free_p) struct launch_data *d = calloc(1, sizeof(*d));
	struct net n;
	int r;

	if (!d)
		return -ENOMEM;
	r = net_load(c->st, &n);
	if (r < 0)
		return r;
	for (size_t k = 0; r == 0 && k < n.interface_cnt; k++)
		if (strcmp(n.interface[k].instance_id, instance_id) == 0)
			r = store_delete(c->st, &tbl_interfaces, &n.interface[k]);
	if (r == 0)
		r = forwards_release(c, &n, instance_id);
	net_done(&n);
	snprintf(d->instance_id, sizeof(d->instance_id), "%s", instance_id);
	if (r == 0)
		r = store_delete(c->st, &tbl_launch_data, d);
	return r == -ENOENT ? 0 : r;
}

int core_net_start(struct core *c, const char *instance_id, struct ctl_l_instance_start *m)
{
	struct net n;
	int r;

	r = net_load(c->st, &n);
	if (r < 0)
		return r;
	for (size_t k = 0; k < n.interface_cnt; k++) {
		const struct interface *ni = &n.interface[k];

		if (strcmp(ni->instance_id, instance_id) != 0)
			continue;
		/* Interfaces are numbered without gaps: only run makes them, and only the first. */
		if (ni->device_idx >= CTL_INTERFACES_MAX || ni->device_idx != m->interface_cnt) {
			r = -EINVAL;
			break;
		}
		snprintf(m->interface[m->interface_cnt].interface_id, CTL_ID_MAX, "%s", ni->id);
		memcpy(m->interface[m->interface_cnt].mac, ni->mac, NET_MAC_BYTES);
		m->interface[m->interface_cnt++].mtu = NET_MTU;
	}
	net_done(&n);
	return r;
}

/* An instance that an older niterd launched gets its interface now; it has it from its next start on. */
static int interface_ensure(struct core *c, const struct instance *i)
{
	struct core_run q = { .account = "" };
	struct interface ni;
	struct fault f;
	struct net n;
	bool there;
	int r;

	r = net_load(c->st, &n);
	if (r < 0)
		return r;
	there = net_interface_of(&n, i->id) != NULL;
	net_done(&n);
	if (there)
		return 0;
	snprintf(q.account, sizeof(q.account), "%s", i->account);
	r = default_network_ensure(c, i->account);
	if (r == 0)
		r = core_net_check(c, &q, &ni, &f);
	return r < 0 ? r : core_net_attach(c, &q, i, &ni);
}

static int all_ensure(struct core *c)
{
	CLEANUP(free_p) struct instance *list = NULL;
	size_t cnt = 0;
	int r;

	r = default_network_ensure(c, MODEL_ACCOUNT_DEFAULT);
	if (r == 0)
		r = store_list(c->st, &tbl_instances, (void **)&list, &cnt);
	for (size_t k = 0; r == 0 && k < cnt; k++)
		if (list[k].state != INSTANCE_TERMINATED)
			r = interface_ensure(c, &list[k]);
	return r;
}

int core_net_init(struct core *c)
{
	static const struct place place = PLACE_DEFAULT;
	int r;

	if (c->place.region[0] == '\0')
		c->place = place;
	r = store_begin(c->st);
	if (r < 0)
		return r;
	r = all_ensure(c);
	if (r == 0)
		r = store_commit(c->st);
	if (r < 0)
		store_rollback(c->st);
	return r;
}
