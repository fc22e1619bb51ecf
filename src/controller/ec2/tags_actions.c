/* SPDX-License-Identifier: Apache-2.0 */

/* CreateTags, DeleteTags, DescribeTags. All ids are checked before the first tag is changed. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/call_priv.h"
#include "controller/ec2/filter.h"
#include "controller/ec2/page.h"
#include "controller/ec2/resource.h"
#include "controller/ec2/tags.h"

/* Return: how many ids, all of them there; -errno with the fault. */
static int resources_check(struct ec2_call *c)
{
	const char *id;
	unsigned i = 0;
	int r, cnt = 0;

	while ((id = query_next_str(&c->in, "ResourceId", &i))) {
		r = ec2_resource_check(c, id);
		if (r < 0)
			return r;
		cnt++;
	}
	if (cnt == 0)
		return ec2_refuse(c, "MissingParameter",
				  "The request must contain the parameter resourceIdSet");
	return cnt;
}

static int create_tags(struct ec2_call *c)
{
	struct tag_list l;
	const char *id;
	unsigned i = 0;
	int r;

	tags_read(c, &c->in, &l);
	r = resources_check(c);
	if (r < 0)
		return r;
	if (l.cnt == 0)
		query_refuse(&c->in, "MissingParameter",
			     "The request must contain the parameter tagSet");
	while ((id = query_next_str(&c->in, "ResourceId", &i))) {
		r = tags_put(c, id, &l);
		if (r < 0)
			return r;
	}
	ec2_return(c);
	return 0;
}

/* What DeleteTags asks for: keys, each with its value or any. */
struct wish {
	const char *key, *value; /* value NULL: whatever it is */
};

static size_t wishes_read(struct ec2_call *c, struct wish *ret, size_t cap)
{
	struct query_at tag;
	unsigned i = 0;
	size_t cnt = 0;

	while (query_next(&c->in, "Tag", &i, &tag)) {
		struct wish w = { .key = query_need_str(&tag, "Key") };

		if (query_given(&tag, "Value")) {
			w.value = query_str(&tag, "Value");
			w.value = w.value ? w.value : "";
		}
		if (strncmp(w.key, "aws:", 4) == 0)
			query_refuse(&tag, "InvalidParameterValue",
				     "Tag keys starting with 'aws:' are reserved for internal use");
		if (cnt == cap) {
			query_refuse(&tag, "InvalidParameterValue", "At most %zu tags", cap);
			return cnt;
		}
		ret[cnt++] = w;
	}
	return cnt;
}

static int tag_delete(struct ec2_call *c, const char *id, const struct wish *w)
{
	CLEANUP(free_p) struct tag *row = calloc(1, sizeof(*row));
	int r;

	if (!row)
		return -ENOMEM;
	if (strlen(w->key) >= sizeof(row->key)) /* nothing can be called that */
		return 0;
	snprintf(row->resource_id, sizeof(row->resource_id), "%s", id);
	snprintf(row->key, sizeof(row->key), "%s", w->key);
	r = store_get(c->core->st, &tbl_tags, row);
	if (r == -ENOENT || (r == 0 && w->value && strcmp(w->value, row->value) != 0))
		return 0;
	return r < 0 ? r : store_delete(c->core->st, &tbl_tags, row);
}

static int delete_tags(struct ec2_call *c)
{
	struct wish w[TAGS_MAX];
	size_t cnt = wishes_read(c, w, ARRAY_SIZE(w));
	const char *id;
	unsigned i = 0;
	int r;

	r = resources_check(c);
	if (r < 0)
		return r;
	while ((id = query_next_str(&c->in, "ResourceId", &i))) {
		r = cnt == 0 ? tags_drop(c->core, id) : 0;
		for (size_t k = 0; k < cnt && r == 0; k++)
			r = tag_delete(c, id, &w[k]);
		if (r < 0)
			return fault_internal(&c->fault, r, "deleting tags");
		r = tags_shown(c, id);
		if (r < 0)
			return r;
	}
	ec2_return(c);
	return 0;
}

static void tag_key(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct tag *)o)->key);
}

static void tag_value(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct tag *)o)->value);
}

static void tag_resource(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct tag *)o)->resource_id);
}

static void tag_type(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ec2_resource_type(((const struct tag *)o)->resource_id));
}

static const struct filter_def tag_filters[] = {
	{ "key", tag_key },
	{ "value", tag_value },
	{ "resource-id", tag_resource },
	{ "resource-type", tag_type },
	{ .name = NULL },
};

static void tag_xml(struct ec2_call *c, const struct tag *t)
{
	struct xml *x = &c->out;

	xml_open(x, "item");
	xml_str(x, "resourceId", t->resource_id);
	xml_opt(x, "resourceType", ec2_resource_type(t->resource_id));
	xml_str(x, "key", t->key);
	xml_str(x, "value", t->value);
	xml_close(x, "item");
}

/* Where a tag is on the list: by resource, then key. */
static void tag_place(const struct tag *t, char ret[PAGE_ID_MAX])
{
	snprintf(ret, PAGE_ID_MAX, "%s/%s", t->resource_id, t->key);
}

static int describe_tags(struct ec2_call *c)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	char place[PAGE_ID_MAX];
	const struct tag *t;
	struct store_iter i;
	struct page p;
	int r;

	r = filters_read(c, tag_filters, true, &f);
	if (r == 0)
		r = page_begin(c, &p, 5, 1000);
	if (r < 0)
		return r;
	xml_open(&c->out, "tagSet");
	store_each_of(c->core->st, &tbl_tags, "account", c->account, &i);
	while (!page_full(&p) && (t = store_next(&i))) {
		tag_place(t, place);
		if (filters_match(f, c, t, t->resource_id) && page_take(&p, 0, place))
			tag_xml(c, t);
	}
	xml_close(&c->out, "tagSet");
	page_end(c, &p);
	return 0;
}

const struct ec2_action ec2_tag_actions[] = {
	{ .name = "CreateTags", .fn = create_tags, .changes = true },
	{ .name = "DeleteTags", .fn = delete_tags, .changes = true },
	{ .name = "DescribeTags", .fn = describe_tags },
	{ .name = NULL },
};
