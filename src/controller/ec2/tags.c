/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/ec2/tags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/call_priv.h"
#include "controller/metadata.h"

enum { KEY_UNITS_MAX = 127, VALUE_UNITS_MAX = 255 }; /* UTF-16 units */

static size_t utf16_units(const char *s)
{
	size_t n = 0;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		n += (c & 0xc0) != 0x80;
		n += c >= 0xf0;
	}
	return n;
}

static void check_key(const struct query_at *at, const char *key, const struct tag_list *l)
{
	char safe[128];

	if (strncmp(key, "aws:", 4) == 0)
		query_refuse(at, "InvalidParameterValue",
			     "Tag keys starting with 'aws:' are reserved for internal use");
	if (utf16_units(key) > KEY_UNITS_MAX)
		query_refuse(at, "InvalidParameterValue",
			     "Tag key exceeds the maximum length of %d characters", KEY_UNITS_MAX);
	for (size_t i = 0; i < l->cnt; i++) {
		if (strcmp(l->tag[i].key, key) != 0)
			continue;
		log_escape(safe, sizeof(safe), key, strlen(key));
		query_refuse(at, "InvalidParameterValue", "Duplicate tag key '%s' specified.",
			     safe);
	}
}

static void tag_add(const struct query_at *at, struct tag_list *l)
{
	const char *key = query_need_str(at, "Key"), *value = query_str(at, "Value");

	if (!value)
		value = "";
	check_key(at, key, l);
	if (utf16_units(value) > VALUE_UNITS_MAX)
		query_refuse(at, "InvalidParameterValue",
			     "Tag value exceeds the maximum length of %d characters",
			     VALUE_UNITS_MAX);
	if (l->cnt == TAGS_MAX)
		query_refuse(at, "TagLimitExceeded", "More than %d tags", TAGS_MAX);
	if (query_failed(at->q))
		return;
	l->tag[l->cnt].key = key;
	l->tag[l->cnt++].value = value;
}

static void tags_append(const struct query_at *at, struct tag_list *l)
{
	struct query_at tag;
	unsigned i = 0;

	while (query_next(at, "Tag", &i, &tag))
		tag_add(&tag, l);
}

void tags_read(struct ec2_call *c, const struct query_at *at, struct tag_list *ret)
{
	(void)c;
	ret->cnt = 0;
	tags_append(at, ret);
}

bool ec2_word_in(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " ");

		if (n == len && strncmp(p, word, n) == 0)
			return true;
		p += n;
		p += strspn(p, " ");
	}
	return false;
}

void tags_read_spec(struct ec2_call *c, const char *type, const char *allowed, struct tag_list *ret)
{
	struct query_at spec;
	char safe[96];
	unsigned i = 0;

	ret->cnt = 0;
	while (query_next(&c->in, "TagSpecification", &i, &spec)) {
		const char *is = query_need_str(&spec, "ResourceType");

		if (strcmp(is, type) == 0) {
			tags_append(&spec, ret);
		} else if (!ec2_word_in(allowed, is)) {
			log_escape(safe, sizeof(safe), is, strlen(is));
			query_refuse(
				&spec, "InvalidParameterValue",
				"'%s' is not a valid taggable resource type for this operation.",
				safe);
		}
	}
}

static size_t tags_count(struct core *core, const char *id)
{
	struct store_iter i;
	size_t cnt = 0;

	store_each_of(core->st, &tbl_tags, "resource_id", id, &i);
	while (store_next(&i))
		cnt++;
	return cnt;
}

int tags_shown(struct ec2_call *c, const char *id)
{
	const struct instance *i = store_find(c->core->st, &tbl_instances, id);
	const struct tag *t;
	struct store_iter it;
	char safe[160];
	int r;

	if (!i || !i->imds_tags)
		return 0;
	store_each_of(c->core->st, &tbl_tags, "resource_id", id, &it);
	while ((t = store_next(&it))) {
		if (metadata_tag_valid(t->key))
			continue;
		log_escape(safe, sizeof(safe), t->key, strlen(t->key));
		return ec2_refuse(c, "InvalidParameterValue",
				  "'%s' is not a valid tag key. Tag keys must match pattern "
				  "([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a reserved name "
				  "('.', '..', '_index')",
				  safe);
	}
	r = core_metadata_changed(&c->acts, id);
	return r < 0 ? fault_internal(&c->fault, r, "telling the metadata service") : 0;
}

int tags_put(struct ec2_call *c, const char *id, const struct tag_list *l)
{
	CLEANUP(free_p) struct tag *row = NULL;
	int r;

	if (l->cnt == 0)
		return 0;
	row = calloc(1, sizeof(*row));
	if (!row)
		return -ENOMEM;
	snprintf(row->resource_id, sizeof(row->resource_id), "%s", id);
	snprintf(row->account, sizeof(row->account), "%s", c->account);
	for (size_t i = 0; i < l->cnt; i++) {
		snprintf(row->key, sizeof(row->key), "%s", l->tag[i].key);
		snprintf(row->value, sizeof(row->value), "%s", l->tag[i].value);
		r = store_put(c->core->st, &tbl_tags, row);
		if (r < 0)
			return fault_internal(&c->fault, r, "recording tags");
	}
	if (tags_count(c->core, id) > TAGS_MAX)
		return ec2_refuse(c, "TagLimitExceeded",
				  "The maximum number of tags of a resource is %d", TAGS_MAX);
	return tags_shown(c, id);
}

int tags_drop(struct core *core, const char *id)
{
	CLEANUP(free_p) struct tag *row = malloc(sizeof(*row));
	const struct tag *t;
	struct store_iter i;
	int r = 0;

	if (!row)
		return -ENOMEM;
	while (r == 0) {
		store_each_of(core->st, &tbl_tags, "resource_id", id, &i);
		t = store_next(&i);
		if (!t)
			break;
		*row = *t;
		r = store_delete(core->st, &tbl_tags, row);
	}
	return r;
}

void tags_xml(struct ec2_call *c, const char *id, bool always)
{
	struct xml *x = &c->out;
	const struct tag *t;
	struct store_iter i;

	store_each_of(c->core->st, &tbl_tags, "resource_id", id, &i);
	t = store_next(&i);
	if (!t) {
		if (always)
			xml_empty(x, "tagSet");
		return;
	}
	xml_open(x, "tagSet");
	for (; t; t = store_next(&i)) {
		xml_open(x, "item");
		xml_str(x, "key", t->key);
		xml_str(x, "value", t->value);
		xml_close(x, "item");
	}
	xml_close(x, "tagSet");
}

const char *tags_value(struct core *core, const char *id, const char *key)
{
	struct store_iter i;
	const struct tag *t;

	store_each_of(core->st, &tbl_tags, "resource_id", id, &i);
	while ((t = store_next(&i)))
		if (strcmp(t->key, key) == 0)
			return t->value;
	return NULL;
}
