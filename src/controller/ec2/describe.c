/* SPDX-License-Identifier: Apache-2.0 */

/* What the actions about networks do alike: walking rows, reading blocks, names and ids. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/ec2/networks.h"
#include "controller/ec2/page.h"
#include "controller/net_text.h"

enum { PAGE_MIN = 5, PAGE_MAX = 1000, TEXT_MAX = 255 };

void ec2_ids_add(struct ec2_ids *ids, const char *id)
{
	if (ids->cnt == ARRAY_SIZE(ids->v))
		return;
	ids->v[ids->cnt].id = id;
	ids->v[ids->cnt++].seen = false;
}

/* Is @id wanted? Marks it. */
static bool ids_want(struct ec2_ids *ids, const char *id)
{
	bool found = ids->cnt == 0;

	for (size_t k = 0; k < ids->cnt; k++) {
		if (strcmp(ids->v[k].id, id) != 0)
			continue;
		ids->v[k].seen = true;
		found = true;
	}
	return found;
}

static int ids_check(struct ec2_call *c, const struct ec2_ids *ids, int kind)
{
	for (size_t k = 0; k < ids->cnt; k++)
		if (!ids->v[k].seen)
			return ec2_refuse_id(c, kind, ids->v[k].id);
	return 0;
}

static void rows_write(struct ec2_call *c, const struct ec2_describe *d, struct ec2_ids *ids,
		       const struct filters *f, struct page *p)
{
	struct store_iter it;
	char buf[EC2_ID_TEXT];
	const void *row;

	if (d->by_account)
		store_each_of(c->core->st, d->table, "account", c->account, &it);
	else
		store_each(c->core->st, d->table, &it);
	while ((row = store_next(&it))) {
		const char *id = d->id(row, buf);

		if (d->mine && !d->mine(c, row))
			continue;
		if (!ids_want(ids, id) || !filters_match(f, c, row, id) ||
		    !page_take(p, d->created_ms ? d->created_ms(row) : 0, id))
			continue;
		xml_open(&c->out, "item");
		d->write(c, row);
		xml_close(&c->out, "item");
	}
}

int ec2_describe(struct ec2_call *c, const struct ec2_describe *d)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	static struct ec2_ids ids; /* one thread */
	const char *id;
	struct page p;
	unsigned i = 0;
	int r;

	ids.cnt = 0;
	while ((id = query_next_str(&c->in, d->param, &i)))
		ec2_ids_add(&ids, id);
	r = d->more ? d->more(c, &ids) : 0;
	if (r == 0)
		r = filters_read(c, d->filter, true, &f);
	if (r == 0)
		r = page_begin(c, &p, PAGE_MIN, PAGE_MAX);
	if (r < 0)
		return r;
	if (query_failed(&c->q))
		return -EINVAL;
	xml_open(&c->out, d->set);
	rows_write(c, d, &ids, f, &p);
	xml_close(&c->out, d->set);
	page_end(c, &p);
	return ids_check(c, &ids, d->kind);
}

const char *ec2_derived_id(char buf[EC2_ID_TEXT], const char *prefix, const char *id)
{
	const char *digits = strrchr(id, '-');

	snprintf(buf, EC2_ID_TEXT, "%s%s", prefix, digits ? digits + 1 : id);
	return buf;
}

/* ---- reading ---- */

struct net_block ec2_read_block(const struct query_at *at, const char *name, bool need)
{
	const char *text = need ? query_need_str(at, name) : query_str(at, name);
	struct net_block b = { 0, 0 };

	if (!text || !text[0])
		return b;
	if (net_cidr_parse(text, &b.addr, &b.prefix) < 0)
		query_refuse(at, "InvalidParameterValue",
			     "Value (%s) for parameter %s is invalid. This is not a valid CIDR "
			     "block.",
			     text, name);
	b.addr &= net_mask(b.prefix);
	return b;
}

const char *ec2_read_text(const struct query_at *at, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789 ._-:/()#,@[]+=&;{}!$*";
	const char *text = query_str(at, name);

	if (text && (strlen(text) > TEXT_MAX || strspn(text, allowed) != strlen(text)))
		query_refuse(at, "InvalidParameterValue",
			     "Value for parameter %s is invalid. Up to %d of these characters are "
			     "allowed: %s",
			     name, TEXT_MAX, "a-z, A-Z, 0-9, spaces, ._-:/()#,@[]+=&;{}!$*");
	return text;
}

size_t ec2_read_ids(const struct query_at *at, const char *name, const char **ret, size_t max)
{
	const char *id;
	unsigned i = 0;
	size_t cnt = 0;

	while ((id = query_next_str(at, name, &i))) {
		if (cnt == max) {
			query_refuse(at, "InvalidParameterValue", "%s names more than %zu", name,
				     max);
			return cnt;
		}
		ret[cnt++] = id;
	}
	return cnt;
}

void ec2_read_zone(struct ec2_call *c)
{
	const char *zone = query_str(&c->in, "AvailabilityZone");
	const char *id = query_str(&c->in, "AvailabilityZoneId");

	if (zone && strcmp(zone, c->core->place.zone) != 0)
		query_refuse(&c->in, "InvalidParameterValue",
			     "Value (%s) for parameter availabilityZone is invalid. There is one "
			     "availability zone: %s.",
			     zone, c->core->place.zone);
	if (id && strcmp(id, c->core->place.zone_id) != 0)
		query_refuse(&c->in, "InvalidParameterValue",
			     "Value (%s) for parameter availabilityZoneId is invalid. There is one "
			     "availability zone: %s.",
			     id, c->core->place.zone_id);
}

void ec2_only_one(struct ec2_call *c, const char *const *names, size_t cnt)
{
	size_t given = 0;

	for (size_t k = 0; k < cnt; k++)
		given += query_any(&c->in, names[k]);
	if (given == 0)
		query_refuse(&c->in, "MissingParameter",
			     "The request must contain one attribute to change");
	if (given > 1)
		query_refuse(&c->in, "InvalidParameterCombination",
			     "Only one attribute can be changed in a request");
}

void ec2_read_false(struct ec2_call *c, const char *name)
{
	struct query_at at = query_in(&c->in, name);
	bool v = query_bool(&c->in, name, false);

	if (query_bool(&at, "Value", false) || v)
		query_refuse(&c->in, "UnsupportedOperation", "%s cannot be true here", name);
}

/* ---- answers ---- */

void ec2_groups_xml(struct ec2_call *c, const char *interface_id)
{
	const struct interface_group *m;
	struct store_iter it;

	xml_open(&c->out, "groupSet");
	store_each_of(c->core->st, &tbl_interface_groups, "interface_id", interface_id, &it);
	while ((m = store_next(&it))) {
		const struct group *g = store_find(c->core->st, &tbl_groups, m->group_id);

		xml_open(&c->out, "item");
		xml_str(&c->out, "groupId", m->group_id);
		xml_str(&c->out, "groupName", g ? g->name : "");
		xml_close(&c->out, "item");
	}
	xml_close(&c->out, "groupSet");
}

const char *ec2_private_dns(struct ec2_call *c, const struct interface *ni, char ret[EC2_ARN_MAX])
{
	const struct subnet *s = store_find(c->core->st, &tbl_subnets, ni->subnet_id);
	const struct vpc *v = s ? store_find(c->core->st, &tbl_vpcs, s->vpc_id) : NULL;
	char host[CTL_NAME_MAX];

	snprintf(ret, EC2_ARN_MAX, "%s.%s", net_hostname(host, ni->addr), v ? v->domain : "");
	return ret;
}

const struct gateway *ec2_gateway_of(struct ec2_call *c, const char *vpc_id)
{
	struct store_iter it;

	store_each_of(c->core->st, &tbl_gateways, "vpc_id", vpc_id, &it);
	return store_next(&it);
}
