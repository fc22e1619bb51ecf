/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an instance reads from its metadata service, as items of docs/wire/metadata.md. Pure: rows in, paths and
 * values out.
 */

#include "base/attr.h"
#include "controller/net.h"

/* Everything the tree is made of; borrowed. */
struct metadata_source {
	const struct net *net;
	const struct place *place;
	const struct instance *instance;
	const struct launch_data *data; /* NULL: neither key nor user data */
	const struct volume *volume;    /* all of the host */
	size_t volume_cnt;
	const struct tag *tag; /* of the instance; shown when it says so */
	size_t tag_cnt;
};

enum { METADATA_TAGS_MAX = 50 };

/* metadata_tag_valid(): can this key be a name in the tree? EC2's characters: letters, digits, and + - = . _ : @ , */
bool metadata_tag_valid(const char *key);

/* @value: @len bytes, borrowed for the call. Return: 0, or -errno to end the walk. */
typedef MUST_USE int metadata_item_fn(void *ptr, const char *path, const void *value, size_t len);

/* metadata_items(): every item once. Return: 0, -EUCLEAN the instance has no interface, or what @item returned. */
MUST_USE int metadata_items(const struct metadata_source *s, metadata_item_fn *item, void *ptr);
