/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tags of everything that has an id: rows of store table `tags`, limits and checks of EC2. */

#include "controller/ec2/call.h"

enum { TAGS_MAX = 50 };

/* The tags one TagSpecification (or Tag.N of CreateTags) asks for. */
struct tag_list {
	struct {
		const char *key, *value; /* in the query's memory */
	} tag[TAGS_MAX];
	size_t cnt;
};

/* tags_read_spec(): TagSpecification.N whose ResourceType is @type ("instance"); others than those of @allowed ("instance volume") are refused. */
void tags_read_spec(struct ec2_call *c, const char *type, const char *allowed,
		    struct tag_list *ret);
/* tags_read(): Tag.N{Key,Value} at @at. */
void tags_read(struct ec2_call *c, const struct query_at *at, struct tag_list *ret);
/* tags_put(): sets them on @id, inside the call's transaction. Return: 0, -errno with the fault (TagLimitExceeded). */
MUST_USE int tags_put(struct ec2_call *c, const char *id, const struct tag_list *l);
/* tags_shown(): an instance whose metadata service shows tags: can it show all of them? Then it is told. Others: nothing. */
MUST_USE int tags_shown(struct ec2_call *c, const char *id);
/* tags_drop(): all of them, when the resource is gone. */
MUST_USE int tags_drop(struct core *core, const char *id);
/* tags_xml(): <tagSet>…</tagSet>. @always: also an empty one. */
void tags_xml(struct ec2_call *c, const char *id, bool always);
/* tags_value(): of one tag; NULL when @id has none of that key. Borrowed until a row changes. */
const char *tags_value(struct core *core, const char *id, const char *key);
