/* SPDX-License-Identifier: Apache-2.0 */

/*
 * References: what a person types for a thing. A whole id or a name is exact; the beginning of an id must fit
 * one thing only. Instances that are terminated answer to their whole id only.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/core_priv.h"
#include "controller/ids.h"

/* Words for the refusals of one kind of thing. */
struct kind_words {
	enum id_kind kind;
	const char *noun;
	const char *not_found; /* EC2 code */
	const char *remedy;
};

static const struct kind_words words_instance = { ID_INSTANCE, "instance",
						  "InvalidInstanceID.NotFound",
						  "run niter ps to see those there are" };
static const struct kind_words words_image = { ID_IMAGE, "image", "InvalidAMIID.NotFound",
					       "run niter image ls to see those there are" };
static const struct kind_words words_volume = { ID_VOLUME, "volume", "InvalidVolume.NotFound",
						"run niter volume ls to see those there are" };

static int fault_unknown(struct fault *f, const struct kind_words *w, const char *ref)
{
	char safe[MODEL_NAME_MAX * 2];

	log_escape(safe, sizeof(safe), ref, strlen(ref));
	return fault_set(f, ENOENT, w->not_found, w->remedy, "unknown %s \"%s\"", w->noun, safe);
}

/* How well a thing answers to @ref. */
enum match { MATCH_NONE, MATCH_BEGINNING, MATCH_EXACT };

static enum match match_of(const struct kind_words *w, const char *ref, const char *id,
			   const char *name)
{
	if (strcmp(id, ref) == 0 || (name[0] != '\0' && strcmp(name, ref) == 0))
		return MATCH_EXACT;
	if (id_short_valid(w->kind, ref) && strncmp(id, ref, strlen(ref)) == 0)
		return MATCH_BEGINNING;
	return MATCH_NONE;
}

/* The search so far. */
struct search {
	const struct kind_words *words;
	const char *account, *ref;
	size_t idx;
	unsigned exact_cnt, beginning_cnt;
};

static void search_offer(struct search *s, size_t idx, const char *account, const char *id,
			 const char *name)
{
	if (strcmp(account, s->account) != 0)
		return;
	switch (match_of(s->words, s->ref, id, name)) {
	case MATCH_EXACT:
		s->exact_cnt++;
		s->idx = idx;
		break;
	case MATCH_BEGINNING:
		s->beginning_cnt++;
		if (s->exact_cnt == 0)
			s->idx = idx;
		break;
	case MATCH_NONE:
		break;
	}
}

static int search_result(const struct search *s, struct fault *f)
{
	if (s->exact_cnt == 0 && s->beginning_cnt == 0)
		return fault_unknown(f, s->words, s->ref);
	if (s->exact_cnt > 1)
		return fault_set(f, EEXIST, "InvalidParameterValue", "type an id",
				 "%u %ss are called \"%s\"", s->exact_cnt, s->words->noun, s->ref);
	if (s->exact_cnt == 0 && s->beginning_cnt > 1)
		return fault_set(f, EEXIST, "InvalidParameterValue", "type more of the id",
				 "%u %ss have an id that begins with \"%s\"", s->beginning_cnt,
				 s->words->noun, s->ref);
	return 0;
}

const char *core_name_of(struct core *c, const char *instance_id)
{
	const struct tag *t;
	struct store_iter it;

	store_each_of(c->st, &tbl_tags, "resource_id", instance_id, &it);
	while ((t = store_next(&it)))
		if (strcmp(t->key, "Name") == 0)
			return t->value;
	return "";
}

int core_name_set(struct core *c, const struct instance *i, const char *name)
{
	struct tag t = { .key = "Name" };

	snprintf(t.resource_id, sizeof(t.resource_id), "%s", i->id);
	snprintf(t.account, sizeof(t.account), "%s", i->account);
	snprintf(t.value, sizeof(t.value), "%s", name);
	return store_put(c->st, &tbl_tags, &t);
}

int core_instance_find(struct core *c, const char *account, const char *ref, struct instance *ret,
		       struct fault *f)
{
	struct search s = { .words = &words_instance, .account = account, .ref = ref };
	const struct instance *i, *found = NULL;
	struct store_iter it;
	int r;

	store_each_of(c->st, &tbl_instances, "account", account, &it);
	for (size_t k = 1; (i = store_next(&it)); k++) {
		if (i->state == INSTANCE_TERMINATED && strcmp(i->id, ref) != 0)
			continue;
		search_offer(&s, k, i->account, i->id, core_name_of(c, i->id));
		if (s.idx == k)
			found = i;
	}
	r = search_result(&s, f);
	if (r < 0)
		return r;
	must(found); /* search_result() saw one */
	*ret = *found;
	return 0;
}

int core_image_find(struct core *c, const char *account, const char *ref, struct image *ret,
		    struct fault *f)
{
	struct search s = { .words = &words_image, .account = account, .ref = ref };
	CLEANUP(free_p) struct image *list = NULL;
	size_t cnt = 0;
	int r;

	r = store_list(c->st, &tbl_images, (void **)&list, &cnt);
	if (r < 0)
		return fault_internal(f, r, "reading the images");
	for (size_t k = 0; k < cnt; k++)
		search_offer(&s, k, list[k].account, list[k].id, list[k].name);
	r = search_result(&s, f);
	if (r < 0)
		return r;
	*ret = list[s.idx];
	return 0;
}

int core_volume_find(struct core *c, const char *account, const char *ref, struct volume *ret,
		     struct fault *f)
{
	struct search s = { .words = &words_volume, .account = account, .ref = ref };
	CLEANUP(free_p) struct volume *list = NULL;
	size_t cnt = 0;
	int r;

	r = store_list(c->st, &tbl_volumes, (void **)&list, &cnt);
	if (r < 0)
		return fault_internal(f, r, "reading the volumes");
	for (size_t k = 0; k < cnt; k++)
		search_offer(&s, k, list[k].account, list[k].id, "");
	r = search_result(&s, f);
	if (r < 0)
		return r;
	*ret = list[s.idx];
	return 0;
}
