/* SPDX-License-Identifier: Apache-2.0 */

/* Networks and subnets: what may be made, and what must be gone before they go. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/core_net_priv.h"
#include "controller/core_priv.h"
#include "controller/net_text.h"

#define DEFAULT_VPC_ADDR 0xac1f0000u /* 172.31.0.0/16 and /20, as on EC2 */
enum { DEFAULT_VPC_PREFIX = 16, DEFAULT_SUBNET_PREFIX = 20 };

int core_net_id(struct core *c, enum id_kind kind, char *ret, size_t cap)
{
	uint8_t rnd[ID_RANDOM_BYTES];
	int r = c->env.random(c->env.ptr, rnd, sizeof(rnd));

	if (r == 0)
		id_make(kind, rnd, ret, cap);
	return r;
}

int core_mac_new(struct core *c, uint8_t first, uint8_t ret[NET_MAC_BYTES])
{
	int r = c->env.random(c->env.ptr, ret, NET_MAC_BYTES);

	ret[0] = first;
	return r;
}

int core_net_changed(struct core_acts *acts)
{
	return core_act_add(acts, CORE_NETWORK, "");
}

/* ---- networks ---- */

int core_vpc_find(struct core *c, const char *account, const char *id, struct vpc *ret,
		  struct fault *f)
{
	const struct vpc *v = store_find(c->st, &tbl_vpcs, id);

	if (!v || strcmp(v->account, account) != 0)
		return fault_absent(f, ID_VPC, id);
	*ret = *v;
	return 0;
}

int core_vpc_default(struct core *c, const char *account, struct vpc *ret)
{
	const struct vpc *v;
	struct store_iter it;

	store_each_of(c->st, &tbl_vpcs, "account", account, &it);
	while ((v = store_next(&it))) {
		if (!v->is_default)
			continue;
		*ret = *v;
		return 0;
	}
	return -ENOENT;
}

static bool vni_used(struct core *c, uint32_t vni)
{
	const struct vpc *v;
	struct store_iter it;

	store_each(c->st, &tbl_vpcs, &it);
	while ((v = store_next(&it)))
		if (v->vni == vni)
			return true;
	return false;
}

/*
 * One more than the highest: one that was free for a while is safer than one that was given back a moment ago. Holes are
 * filled when the top is reached. Return: 0, -ENOSPC.
 */
static int vni_free(struct core *c, uint32_t *ret)
{
	uint32_t vni = NET_VNI_FIRST;
	const struct vpc *v;
	struct store_iter it;

	store_each(c->st, &tbl_vpcs, &it);
	while ((v = store_next(&it)))
		if (v->vni >= vni)
			vni = v->vni + 1;
	if (vni > NET_VNI_MAX)
		for (vni = NET_VNI_FIRST; vni <= NET_VNI_MAX && vni_used(c, vni);)
			vni++;
	*ret = vni;
	return vni > NET_VNI_MAX ? -ENOSPC : 0;
}

/* Loopback, link-local (metadata and DNS live there), multicast and what lies above, and 0.0.0.0/8 are nobody's. */
static bool block_usable(const struct net_block *b)
{
	static const struct net_block never[] = {
		{ 0x00000000, 8 }, { 0x7f000000, 8 }, { 0xa9fe0000, 16 }, { 0xe0000000, 3 }
	};

	for (size_t k = 0; k < ARRAY_SIZE(never); k++)
		if (net_inside(b->addr, never[k].addr, never[k].prefix) ||
		    net_inside(never[k].addr, b->addr, b->prefix))
			return false;
	return b->prefix >= NET_VPC_PREFIX_MIN && b->prefix <= NET_VPC_PREFIX_MAX;
}

static int vpc_put_new(struct core *c, struct vpc *v)
{
	int r = vni_free(c, &v->vni);

	if (r == 0)
		r = core_net_id(c, ID_VPC, v->id, sizeof(v->id));
	v->created_ms = c->env.now_ms(c->env.ptr);
	v->dns_support = true;
	v->dns_hostnames = v->is_default;
	snprintf(v->domain, sizeof(v->domain), "%s", c->place.domain);
	if (r == 0)
		r = store_put(c->st, &tbl_vpcs, v);
	return r < 0 ? r : core_default_group_add(c, v);
}

static size_t vpcs_of(struct core *c, const char *account)
{
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->st, &tbl_vpcs, "account", account, &it);
	while (store_next(&it))
		cnt++;
	return cnt;
}

int core_vpc_add(struct core *c, const char *account, const struct net_block *b, struct vpc *ret,
		 struct fault *f)
{
	struct vpc v = { .addr = b->addr & net_mask(b->prefix), .prefix = b->prefix };
	char cidr[NET_CIDR_TEXT];
	int r;

	if (!block_usable(b))
		return fault_set(f, EINVAL, "InvalidVpc.Range", NULL, "The CIDR '%s' is invalid.",
				 net_cidr_text(cidr, b->addr, b->prefix));
	if (vpcs_of(c, account) >= NET_VPCS_MAX)
		return fault_set(f, ENOSPC, "VpcLimitExceeded", NULL,
				 "The maximum number of VPCs has been reached.");
	snprintf(v.account, sizeof(v.account), "%s", account);
	r = vpc_put_new(c, &v);
	if (r < 0)
		return fault_internal(f, r, "making a network");
	*ret = v;
	return 0;
}

static int subnet_put_new(struct core *c, const struct vpc *v, const struct net_block *b,
			  bool is_default, struct subnet *ret)
{
	struct subnet s = { .addr = b->addr,
			    .prefix = b->prefix,
			    .is_default = is_default,
			    .created_ms = c->env.now_ms(c->env.ptr) };
	int r = core_net_id(c, ID_SUBNET, s.id, sizeof(s.id));

	snprintf(s.vpc_id, sizeof(s.vpc_id), "%s", v->id);
	if (r == 0)
		r = store_put(c->st, &tbl_subnets, &s);
	if (r == 0)
		*ret = s;
	return r;
}

static int gateway_put_new(struct core *c, const struct vpc *v)
{
	struct gateway g = { .id = "" };
	int r = core_net_id(c, ID_GATEWAY, g.id, sizeof(g.id));

	snprintf(g.vpc_id, sizeof(g.vpc_id), "%s", v->id);
	if (r == 0)
		r = core_mac_new(c, 0x02, g.mac);
	return r < 0 ? r : store_put(c->st, &tbl_gateways, &g);
}

int core_vpc_default_add(struct core *c, const char *account, struct vpc *ret, struct fault *f)
{
	struct net_block b = { DEFAULT_VPC_ADDR, DEFAULT_SUBNET_PREFIX };
	struct vpc v = { .addr = DEFAULT_VPC_ADDR,
			 .prefix = DEFAULT_VPC_PREFIX,
			 .is_default = true };
	struct subnet s;
	int r;

	if (core_vpc_default(c, account, &v) == 0)
		return fault_set(f, EEXIST, "DefaultVpcAlreadyExists", NULL,
				 "A Default VPC already exists for this account in this region.");
	if (c->place.vpc_prefix) {
		v.addr = b.addr = c->place.vpc_addr;
		v.prefix = c->place.vpc_prefix;
		b.prefix = c->place.subnet_prefix;
	}
	snprintf(v.account, sizeof(v.account), "%s", account);
	r = vpc_put_new(c, &v);
	if (r == 0)
		r = subnet_put_new(c, &v, &b, true, &s);
	if (r == 0)
		r = gateway_put_new(c, &v);
	if (r < 0)
		return fault_internal(f, r, "making the default network");
	*ret = v;
	return 0;
}

static int vpc_in_use(const struct vpc *v, struct fault *f)
{
	return fault_set(f, EBUSY, "DependencyViolation", NULL,
			 "The vpc '%s' has dependencies and cannot be deleted.", v->id);
}

/* A default network's way out cannot be detached by itself, so it goes along. */
static int gateway_drop(struct core *c, const struct vpc *v)
{
	const struct gateway *g;
	struct store_iter it;
	struct gateway row;

	store_each_of(c->st, &tbl_gateways, "vpc_id", v->id, &it);
	g = store_next(&it);
	if (!g)
		return 0;
	row = *g;
	return store_delete(c->st, &tbl_gateways, &row);
}

int core_vpc_rm(struct core *c, const struct vpc *v, struct fault *f)
{
	struct group def = { .id = "" };
	struct store_iter it;
	const struct group *g;
	int r;

	store_each_of(c->st, &tbl_subnets, "vpc_id", v->id, &it);
	if (store_next(&it))
		return vpc_in_use(v, f);
	store_each_of(c->st, &tbl_remotes, "vpc_id", v->id, &it);
	if (store_next(&it))
		return vpc_in_use(v, f);
	store_each_of(c->st, &tbl_groups, "vpc_id", v->id, &it);
	while ((g = store_next(&it))) {
		if (strcmp(g->name, "default") != 0)
			return vpc_in_use(v, f);
		def = *g;
	}
	r = def.id[0] ? store_delete(c->st, &tbl_groups, &def) : 0;
	if (r == 0)
		r = gateway_drop(c, v);
	if (r == 0)
		r = store_delete(c->st, &tbl_vpcs, v);
	return r < 0 ? fault_internal(f, r, "removing a network") : 0;
}

/* The DNS server of an instance is its metadata process. */
static int names_changed(struct core *c, const struct vpc *v, struct core_acts *acts)
{
	const struct interface *ni;
	const struct subnet *s;
	struct store_iter it, inner;
	int r = 0;

	store_each_of(c->st, &tbl_subnets, "vpc_id", v->id, &it);
	while (r == 0 && (s = store_next(&it))) {
		store_each_of(c->st, &tbl_interfaces, "subnet_id", s->id, &inner);
		while (r == 0 && (ni = store_next(&inner)))
			if (ni->instance_id[0] && ni->device_idx == 0)
				r = core_metadata_changed(acts, ni->instance_id);
	}
	return r;
}

int core_vpc_put(struct core *c, const struct vpc *v, struct core_acts *acts)
{
	int r = store_put(c->st, &tbl_vpcs, v);

	if (r == 0)
		r = core_net_changed(acts);
	return r < 0 ? r : names_changed(c, v, acts);
}

/* ---- subnets ---- */

int core_subnet_find(struct core *c, const char *account, const char *id, struct subnet *ret,
		     struct fault *f)
{
	const struct subnet *s = store_find(c->st, &tbl_subnets, id);
	const struct vpc *v = s ? store_find(c->st, &tbl_vpcs, s->vpc_id) : NULL;

	if (!v || strcmp(v->account, account) != 0)
		return fault_absent(f, ID_SUBNET, id);
	*ret = *s;
	return 0;
}

static bool blocks_overlap(const struct net_block *b, const struct subnet *s)
{
	return net_inside(b->addr, s->addr, s->prefix) || net_inside(s->addr, b->addr, b->prefix);
}

/* Return: how many subnets @v has; *ret_clash: does one of them share addresses with @b? */
static size_t subnets_of(struct core *c, const struct vpc *v, const struct net_block *b,
			 bool *ret_clash)
{
	const struct subnet *s;
	struct store_iter it;
	size_t cnt = 0;

	*ret_clash = false;
	store_each_of(c->st, &tbl_subnets, "vpc_id", v->id, &it);
	while ((s = store_next(&it))) {
		*ret_clash = *ret_clash || blocks_overlap(b, s);
		cnt++;
	}
	return cnt;
}

int core_subnet_add(struct core *c, const struct vpc *v, const struct net_block *raw,
		    struct subnet *ret, struct fault *f)
{
	const struct net_block b = { raw->addr & net_mask(raw->prefix), raw->prefix };
	char cidr[NET_CIDR_TEXT];
	bool clash;
	size_t cnt;
	int r;

	if (b.prefix < NET_VPC_PREFIX_MIN || b.prefix > NET_VPC_PREFIX_MAX ||
	    b.prefix < v->prefix || !net_inside(b.addr, v->addr, v->prefix))
		return fault_set(f, EINVAL, "InvalidSubnet.Range", NULL,
				 "The CIDR '%s' is invalid.",
				 net_cidr_text(cidr, b.addr, b.prefix));
	cnt = subnets_of(c, v, &b, &clash);
	if (clash)
		return fault_set(f, EEXIST, "InvalidSubnet.Conflict", NULL,
				 "The CIDR '%s' conflicts with another subnet",
				 net_cidr_text(cidr, b.addr, b.prefix));
	if (cnt >= NET_SUBNETS_MAX)
		return fault_set(f, ENOSPC, "SubnetLimitExceeded", NULL,
				 "The maximum number of subnets of VPC '%s' has been reached.",
				 v->id);
	r = subnet_put_new(c, v, &b, false, ret);
	return r < 0 ? fault_internal(f, r, "making a subnet") : 0;
}

static bool default_subnet_there(struct core *c, const struct vpc *v)
{
	const struct subnet *s;
	struct store_iter it;

	store_each_of(c->st, &tbl_subnets, "vpc_id", v->id, &it);
	while ((s = store_next(&it)))
		if (s->is_default)
			return true;
	return false;
}

int core_subnet_default_add(struct core *c, const char *account, struct subnet *ret,
			    struct fault *f)
{
	struct net_block b = { DEFAULT_VPC_ADDR, c->place.vpc_prefix ? c->place.subnet_prefix
								     : DEFAULT_SUBNET_PREFIX };
	struct vpc v;
	bool clash = true;
	int r;

	if (core_vpc_default(c, account, &v) < 0)
		return fault_set(f, ENOENT, "DefaultVpcDoesNotExist", NULL,
				 "No default VPC exists for this account in this region.");
	if (default_subnet_there(c, &v))
		return fault_set(f, EEXIST, "DefaultSubnetAlreadyExistsInAvailabilityZone", NULL,
				 "A default subnet already exists in %s.", c->place.zone);
	for (b.addr = v.addr; clash && net_inside(b.addr, v.addr, v.prefix);) {
		(void)subnets_of(c, &v, &b, &clash);
		if (clash)
			b.addr += ~net_mask(b.prefix) + 1;
	}
	if (clash)
		return fault_set(f, ENOSPC, "InvalidSubnet.Conflict", NULL,
				 "The default VPC '%s' has no /%u left.", v.id, b.prefix);
	r = subnet_put_new(c, &v, &b, true, ret);
	return r < 0 ? fault_internal(f, r, "making the default subnet") : 0;
}

size_t core_subnet_used(struct core *c, const struct subnet *s)
{
	const struct remote *m;
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->st, &tbl_interfaces, "subnet_id", s->id, &it);
	while (store_next(&it))
		cnt++;
	store_each_of(c->st, &tbl_remotes, "vpc_id", s->vpc_id, &it);
	while ((m = store_next(&it)))
		cnt += net_inside(m->addr, s->addr, s->prefix);
	return cnt;
}

int core_subnet_put(struct core *c, const struct subnet *s)
{
	return store_put(c->st, &tbl_subnets, s);
}

int core_subnet_rm(struct core *c, const struct subnet *s, struct fault *f)
{
	int r;

	if (core_subnet_used(c, s))
		return fault_set(f, EBUSY, "DependencyViolation", NULL,
				 "The subnet '%s' has dependencies and cannot be deleted.", s->id);
	r = store_delete(c->st, &tbl_subnets, s);
	return r < 0 ? fault_internal(f, r, "removing a subnet") : 0;
}
