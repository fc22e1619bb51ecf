/* SPDX-License-Identifier: Apache-2.0 */

/* Network interfaces: made for an instance or by themselves; they keep address, MAC and groups until they are deleted. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controller/core_net_priv.h"
#include "controller/core_priv.h"
#include "controller/net_text.h"

int core_interface_find(struct core *c, const char *account, const char *id, struct interface *ret,
			struct fault *f)
{
	const struct interface *ni = store_find(c->st, &tbl_interfaces, id);

	if (!ni || strcmp(ni->account, account) != 0)
		return fault_absent(f, ID_INTERFACE, id);
	*ret = *ni;
	return 0;
}

/* ---- address ---- */

/* Where to look first: below it, everything was taken when it was set. Only a hint; subnets share places. */
static struct core_hint *hint_of(struct core *c, const char *id)
{
	uint32_t h = 0;
	struct core_hint *hint;

	for (const char *p = id; *p; p++)
		h = h * 31 + (uint8_t)*p;
	hint = &c->hint[h % CORE_HINTS];
	if (strcmp(hint->id, id) != 0) {
		snprintf(hint->id, sizeof(hint->id), "%s", id);
		hint->next = 0;
	}
	return hint;
}

/* An interface goes: what it had is free. */
static void hints_lower(struct core *c, const struct interface *ni)
{
	const struct subnet *s = store_find(c->st, &tbl_subnets, ni->subnet_id);
	struct core_hint *addr = hint_of(c, ni->subnet_id), *outside;

	if (ni->addr < addr->next)
		addr->next = ni->addr;
	outside = s ? hint_of(c, s->vpc_id) : NULL;
	if (outside && ni->outside_idx && ni->outside_idx < outside->next)
		outside->next = ni->outside_idx;
}

static bool addr_used(struct core *c, const struct subnet *s, uint32_t addr)
{
	struct remote m = { .addr = addr };
	const struct interface *ni;
	struct store_iter it;

	store_each_of_number(c->st, &tbl_interfaces, "addr", addr, &it);
	while ((ni = store_next(&it)))
		if (strcmp(ni->subnet_id, s->id) == 0)
			return true;
	memcpy(m.vpc_id, s->vpc_id, sizeof(m.vpc_id));
	return store_find_row(c->st, &tbl_remotes, &m) != NULL;
}

static int addr_check(struct core *c, const struct subnet *s, const char *text, uint32_t *ret,
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
	if (addr_used(c, s, addr))
		return fault_set(f, EEXIST, "InvalidIPAddress.InUse",
				 "choose another; see niter network ls",
				 "somebody has the address %s", text);
	*ret = addr;
	return 0;
}

/* The lowest free address, or the one that was asked for. */
static int addr_choose(struct core *c, const struct subnet *s, const char *text, uint32_t *ret,
		       struct fault *f)
{
	uint32_t first = s->addr & net_mask(s->prefix), cnt = ~net_mask(s->prefix) + 1, from = 0;
	struct core_hint *hint = hint_of(c, s->id);
	char cidr[NET_CIDR_TEXT];

	if (text && text[0])
		return addr_check(c, s, text, ret, f);
	if (net_inside(hint->next, s->addr, s->prefix))
		from = hint->next - first;
	for (uint32_t k = 0; k < cnt; k++) {
		uint32_t a = first + (from + k) % cnt;

		if (net_reserved(s, a) || addr_used(c, s, a))
			continue;
		hint->next = a;
		*ret = a;
		return 0;
	}
	return fault_set(f, EADDRNOTAVAIL, "InsufficientFreeAddressesInSubnet",
			 "remove an instance with niter rm", "no address is left in subnet %s",
			 net_cidr_text(cidr, s->addr, s->prefix));
}

/* ---- place ---- */

static int subnet_default(struct core *c, const char *account, struct subnet *ret, struct fault *f)
{
	const struct subnet *s;
	struct store_iter it;
	struct vpc v;

	if (core_vpc_default(c, account, &v) == 0) {
		store_each_of(c->st, &tbl_subnets, "vpc_id", v.id, &it);
		while ((s = store_next(&it))) {
			if (!s->is_default)
				continue;
			*ret = *s;
			return 0;
		}
	}
	return fault_set(f, ENOENT, "MissingInput", "see niter network ls",
			 "No subnets found for the default VPC: this account has no default "
			 "subnet. Please specify a subnet.");
}

/* Has an interface of @v this number behind the gateway? */
static bool outside_used(struct core *c, const struct vpc *v, unsigned idx)
{
	const struct interface *ni;
	struct store_iter it;

	store_each_of_number(c->st, &tbl_interfaces, "outside_idx", idx, &it);
	while ((ni = store_next(&it))) {
		const struct subnet *s = store_find(c->st, &tbl_subnets, ni->subnet_id);

		if (s && strcmp(s->vpc_id, v->id) == 0)
			return true;
	}
	return false;
}

/* 0: none is left, or there is no gateway. */
static unsigned outside_choose(struct core *c, const struct vpc *v)
{
	struct core_hint *hint = hint_of(c, v->id);
	size_t cnt = store_cnt(c->st, &tbl_interfaces);
	struct store_iter it;

	store_each_of(c->st, &tbl_gateways, "vpc_id", v->id, &it);
	if (!store_next(&it))
		return 0;
	/* Fewer than when none was left: something was rolled back. */
	if (hint->next < NET_OUTSIDE_FIRST || (hint->next > NET_OUTSIDE_LAST && cnt < hint->cnt))
		hint->next = NET_OUTSIDE_FIRST;
	for (; hint->next <= NET_OUTSIDE_LAST; hint->next++)
		if (!outside_used(c, v, hint->next))
			return hint->next;
	hint->cnt = cnt + 1;
	return 0;
}

/* ---- groups ---- */

static int group_check(struct core *c, const char *account, const char *vpc_id, const char *id,
		       struct group *ret, struct fault *f)
{
	int r = core_group_find(c, account, id, ret, f);

	if (r == 0 && strcmp(ret->vpc_id, vpc_id) != 0)
		return fault_set(f, EINVAL, "InvalidGroup.NotFound", NULL,
				 "The security group '%s' does not exist in VPC '%s'", id, vpc_id);
	return r;
}

static int group_join(struct core *c, const struct interface *ni, const char *group_id)
{
	struct interface_group m = { .interface_id = "" };

	snprintf(m.interface_id, sizeof(m.interface_id), "%s", ni->id);
	snprintf(m.group_id, sizeof(m.group_id), "%s", group_id);
	return store_put(c->st, &tbl_interface_groups, &m);
}

/* Naming a group twice is naming it once. */
static int groups_join(struct core *c, const struct interface *ni, const char *vpc_id,
		       const char *const *group_id, size_t cnt, struct fault *f)
{
	struct group g;
	int r = 0;

	if (cnt > NET_INTERFACE_GROUPS_MAX)
		return fault_set(f, EINVAL, "SecurityGroupsPerInterfaceLimitExceeded", NULL,
				 "The maximum number of security groups per interface has been "
				 "reached: %d",
				 NET_INTERFACE_GROUPS_MAX);
	if (cnt == 0) {
		r = core_group_named(c, vpc_id, "default", &g);
		if (r == 0)
			r = group_join(c, ni, g.id);
		return r < 0 ? fault_internal(f, r, "joining the default group") : 0;
	}
	for (size_t k = 0; r == 0 && k < cnt; k++) {
		r = group_check(c, ni->account, vpc_id, group_id[k], &g, f);
		if (r < 0)
			return r;
		r = group_join(c, ni, g.id);
	}
	return r < 0 ? fault_internal(f, r, "joining a group") : 0;
}

static int groups_leave(struct core *c, const struct interface *ni)
{
	const struct interface_group *m;
	struct interface_group row;
	struct store_iter it;
	int r = 0;

	while (r == 0) {
		store_each_of(c->st, &tbl_interface_groups, "interface_id", ni->id, &it);
		m = store_next(&it);
		if (!m)
			break;
		row = *m;
		r = store_delete(c->st, &tbl_interface_groups, &row);
	}
	return r;
}

int core_interface_groups(struct core *c, const struct interface *ni, const char *const *group_id,
			  size_t cnt, struct core_acts *acts, struct fault *f)
{
	const struct subnet *s = store_find(c->st, &tbl_subnets, ni->subnet_id);
	char vpc_id[CTL_ID_MAX];
	int r;

	if (!s)
		return fault_internal(f, EUCLEAN, "changing groups");
	snprintf(vpc_id, sizeof(vpc_id), "%s", s->vpc_id);
	r = groups_leave(c, ni);
	if (r < 0)
		return fault_internal(f, r, "leaving groups");
	r = groups_join(c, ni, vpc_id, group_id, cnt, f);
	if (r == 0)
		r = core_rules_fit(c, vpc_id, f);
	if (r < 0)
		return r;
	r = core_net_changed(acts);
	if (r == 0 && ni->instance_id[0]) /* reads the names of its groups there */
		r = core_metadata_changed(acts, ni->instance_id);
	return r < 0 ? fault_internal(f, r, "changing groups") : 0;
}

/* ---- interfaces ---- */

static size_t interfaces_of(struct core *c, const char *account)
{
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->st, &tbl_interfaces, "account", account, &it);
	while (store_next(&it))
		cnt++;
	return cnt;
}

static int place_choose(struct core *c, const struct core_interface_want *q, struct subnet *ret_s,
			struct vpc *ret_v, struct fault *f)
{
	int r = q->subnet_id && q->subnet_id[0]
			? core_subnet_find(c, q->account, q->subnet_id, ret_s, f)
			: subnet_default(c, q->account, ret_s, f);

	return r < 0 ? r : core_vpc_find(c, q->account, ret_s->vpc_id, ret_v, f);
}

int core_interface_add(struct core *c, const struct core_interface_want *q, struct interface *ret,
		       struct fault *f)
{
	struct interface ni = { .source_dest_check = true };
	struct subnet s;
	struct vpc v;
	int r;

	r = place_choose(c, q, &s, &v, f);
	if (r == 0)
		r = addr_choose(c, &s, q->private_ip, &ni.addr, f);
	if (r < 0)
		return r;
	if (store_cnt(c->st, &tbl_interfaces) >= NET_INTERFACES_MAX &&
	    interfaces_of(c, q->account) >= NET_INTERFACES_MAX)
		return fault_set(f, ENOSPC, "NetworkInterfaceLimitExceeded", NULL,
				 "You have reached the maximum number of network interfaces.");
	snprintf(ni.account, sizeof(ni.account), "%s", q->account);
	snprintf(ni.subnet_id, sizeof(ni.subnet_id), "%s", s.id);
	snprintf(ni.description, sizeof(ni.description), "%s",
		 q->description ? q->description : "");
	ni.outside_idx = outside_choose(c, &v);
	ni.created_ms = c->env.now_ms(c->env.ptr);
	r = core_net_id(c, ID_INTERFACE, ni.id, sizeof(ni.id));
	if (r == 0)
		r = core_mac_new(c, 0x06, ni.mac);
	if (r == 0)
		r = store_put(c->st, &tbl_interfaces, &ni);
	if (r < 0)
		return fault_internal(f, r, "making an interface");
	r = groups_join(c, &ni, v.id, q->group_id, q->group_cnt, f);
	if (r == 0)
		r = core_rules_fit(c, v.id, f);
	if (r == 0)
		*ret = ni;
	return r;
}

int core_interface_attach(struct core *c, struct interface *ni, const struct instance *i,
			  unsigned device_idx, bool delete_on_termination, struct fault *f)
{
	int r;

	if (ni->instance_id[0])
		return fault_set(f, EBUSY, "InvalidNetworkInterface.InUse", NULL,
				 "Network interface '%s' is currently in use.", ni->id);
	r = core_net_id(c, ID_ATTACHMENT, ni->attachment_id, sizeof(ni->attachment_id));
	snprintf(ni->instance_id, sizeof(ni->instance_id), "%s", i->id);
	ni->device_idx = device_idx;
	ni->attached_ms = c->env.now_ms(c->env.ptr);
	ni->delete_on_termination = delete_on_termination;
	if (r == 0)
		r = store_put(c->st, &tbl_interfaces, ni);
	return r < 0 ? fault_internal(f, r, "attaching an interface") : 0;
}

int core_interface_rm(struct core *c, const struct interface *ni, struct fault *f)
{
	int r;

	if (ni->instance_id[0])
		return fault_set(f, EBUSY, "InvalidNetworkInterface.InUse", NULL,
				 "Network interface '%s' is currently in use.", ni->id);
	hints_lower(c, ni);
	r = store_delete(c->st, &tbl_interfaces, ni);
	return r < 0 ? fault_internal(f, r, "removing an interface") : 0;
}

int core_interface_put(struct core *c, const struct interface *ni, struct core_acts *acts)
{
	int r = store_put(c->st, &tbl_interfaces, ni);

	return r < 0 ? r : core_net_changed(acts);
}

static int interface_release(struct core *c, struct interface *ni)
{
	if (ni->delete_on_termination) {
		hints_lower(c, ni);
		return store_delete(c->st, &tbl_interfaces, ni);
	}
	ni->instance_id[0] = '\0';
	ni->attachment_id[0] = '\0';
	ni->attached_ms = 0;
	ni->device_idx = 0;
	return store_put(c->st, &tbl_interfaces, ni);
}

int core_interfaces_release(struct core *c, const char *instance_id)
{
	const struct interface *ni;
	struct interface row;
	struct store_iter it;
	int r = 0;

	while (r == 0) {
		store_each_of(c->st, &tbl_interfaces, "instance_id", instance_id, &it);
		ni = store_next(&it);
		if (!ni)
			break;
		row = *ni;
		r = interface_release(c, &row);
	}
	return r;
}
