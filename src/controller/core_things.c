/* SPDX-License-Identifier: Apache-2.0 */

/* Images, and volumes that belong to no instance. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "controller/core_priv.h"
#include "controller/ids.h"
#include "controller/volume_types.h"

int core_image_name_check(struct core *c, const char *account, const char *name, struct fault *f)
{
	CLEANUP(free_p) struct image *list = NULL;
	size_t cnt = 0;
	int r;

	if (!name_valid(name))
		return fault_set(f, EINVAL, "InvalidAMIName.Malformed",
				 "use up to 63 letters, digits, dots, dashes and underscores; not "
				 "the shape of an id",
				 "an image cannot have that name");
	r = store_list(c->st, &tbl_images, (void **)&list, &cnt);
	if (r < 0)
		return fault_internal(f, r, "reading the images");
	for (size_t k = 0; k < cnt; k++)
		if (strcmp(list[k].account, account) == 0 && strcmp(list[k].name, name) == 0)
			return fault_set(f, EEXIST, "InvalidAMIName.Duplicate",
					 "choose another with --name, or remove that one with "
					 "niter image rm",
					 "image %s is called \"%s\" already", list[k].id, name);
	return 0;
}

int core_image_add(struct core *c, const struct image *i, struct fault *f)
{
	int r;

	r = core_image_name_check(c, i->account, i->name, f);
	if (r < 0)
		return r;
	r = store_put(c->st, &tbl_images, i);
	return r < 0 ? fault_internal(f, r, "recording the image") : 0;
}

int core_image_rm(struct core *c, const struct image *i, struct fault *f)
{
	CLEANUP(free_p) struct instance *list = NULL;
	size_t cnt = 0;
	int r;

	r = store_list(c->st, &tbl_instances, (void **)&list, &cnt);
	if (r < 0)
		return fault_internal(f, r, "reading the instances");
	for (size_t k = 0; k < cnt; k++)
		if (list[k].state != INSTANCE_TERMINATED && strcmp(list[k].image_id, i->id) == 0)
			return fault_set(f, EBUSY, "DependencyViolation",
					 "remove it first with niter rm",
					 "instance %s boots from image %s", list[k].id, i->name);
	r = store_delete_id(c->st, &tbl_images, i->id);
	return r < 0 ? fault_internal(f, r, "forgetting the image") : 0;
}

int core_volumes_room(struct core *c, const char *account, size_t more, struct fault *f)
{
	size_t most = c->limits.volumes ? c->limits.volumes : CORE_VOLUMES_MAX, cnt = 0;
	struct store_iter it;

	/* Most often all accounts together have fewer. */
	if (store_cnt(c->st, &tbl_volumes) + more <= most)
		return 0;
	store_each_of(c->st, &tbl_volumes, "account", account, &it);
	while (store_next(&it))
		cnt++;
	if (cnt + more <= most)
		return 0;
	return fault_set(f, EDQUOT, "VolumeLimitExceeded",
			 "remove some: niter volume ls shows those there are",
			 "You have reached the maximum number of volumes, %zu.", most);
}

int core_volume_add(struct core *c, const char *account, const struct volume *wish,
		    struct core_acts *acts, struct volume *ret, struct fault *f)
{
	struct volume v = *wish;
	size_t acts_before = acts->cnt;
	int r = core_volumes_room(c, account, 1, f);

	if (r < 0)
		return r;
	v.state = VOLUME_CREATING;
	v.size = align_up(v.size, MODEL_BLOCK);
	v.created_ms = c->env.now_ms(c->env.ptr);
	snprintf(v.account, sizeof(v.account), "%s", account);
	r = core_id_new(c, ID_VOLUME, v.id);
	if (r == 0)
		r = core_act_add(acts, CORE_VOLUME_CREATE, v.id);
	if (r == 0)
		r = store_put(c->st, &tbl_volumes, &v);
	if (r < 0) {
		acts->cnt = acts_before;
		return fault_internal(f, r, "recording the volume");
	}
	*ret = v;
	return 0;
}

int core_volume_new(struct core *c, const char *account, uint64_t bytes, struct core_acts *acts,
		    struct volume *ret, struct fault *f)
{
	struct volume_wish w = { .bytes = bytes, .any_size = true };
	struct volume v = { .size = 0 };
	int r;

	if (bytes == 0)
		return fault_set(f, EINVAL, "InvalidParameterValue", "as in --size 10G",
				 "a volume holds at least 1 byte");
	r = volume_type_check(&w, &v, f);
	return r < 0 ? r : core_volume_add(c, account, &v, acts, ret, f);
}

int core_volume_rm(struct core *c, const struct volume *v, struct core_acts *acts, struct fault *f)
{
	size_t acts_before = acts->cnt;
	struct volume gone = *v;
	int r;

	if (v->instance_id[0] != '\0')
		return fault_set(f, EBUSY, "VolumeInUse", "remove the instance with niter rm",
				 "volume %s belongs to instance %s", v->id, v->instance_id);
	if (v->state == VOLUME_CREATING || v->state == VOLUME_DELETING)
		return fault_set(f, EBUSY, "IncorrectState", "wait a moment", "volume %s is %s",
				 v->id, volume_state_name(v->state));
	gone.state = VOLUME_DELETING;
	r = core_act_add(acts, CORE_VOLUME_DELETE, v->id);
	if (r == 0)
		r = store_put(c->st, &tbl_volumes, &gone);
	if (r < 0) {
		acts->cnt = acts_before;
		return fault_internal(f, r, "recording the deletion");
	}
	return 0;
}
