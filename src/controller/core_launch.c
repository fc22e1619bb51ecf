/* SPDX-License-Identifier: Apache-2.0 */

/* Launching: the checks, the rows, the reports about volumes, the launcher's messages. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "controller/core_net.h"
#include "controller/core_priv.h"
#include "controller/ids.h"
#include "controller/types.h"

#define TYPE_DEFAULT "t3.micro"
#define ROOT_DEVICE "/dev/xvda"

enum {
	DISK_MAX_TIB = 16,
	INSERT_TRIES = 4, /* a fresh id that is taken means a broken random source, not bad luck */
};

int core_id_new(struct core *c, int kind, char ret[CTL_ID_MAX])
{
	uint8_t rnd[ID_RANDOM_BYTES];
	int r = c->env.random(c->env.ptr, rnd, sizeof(rnd));

	if (r < 0)
		return r;
	id_make((enum id_kind)kind, rnd, ret, CTL_ID_MAX);
	return 0;
}

static int check_type(const struct core_run *q, struct instance *i, struct fault *f)
{
	const char *name = q->type[0] ? q->type : TYPE_DEFAULT;
	const struct instance_type *t = type_find(name);
	struct cpu_options cpus;
	char safe[CTL_NAME_MAX * 2];
	int r;

	if (!t) {
		log_escape(safe, sizeof(safe), name, strlen(name));
		return fault_set(f, EINVAL, "InvalidInstanceType",
				 "run niter types to see those there are",
				 "unknown instance type \"%s\"", safe);
	}
	cpus = type_default_cpus(t);
	if (q->cpus[0]) {
		r = cpus_parse(t, q->cpus, &cpus);
		if (r == -ERANGE)
			return fault_set(f, EINVAL, "InvalidParameterValue",
					 "ask for fewer or take a larger type",
					 "%s has at most %u core%s with 2 threads each", t->name,
					 t->vcpus / 2U, t->vcpus > 2 ? "s" : "");
		if (r < 0)
			return fault_set(f, EINVAL, "InvalidParameterValue",
					 "write CORESxTHREADS, as in 2x1",
					 "this is no number of CPUs");
	}
	snprintf(i->type, sizeof(i->type), "%s", t->name);
	i->cores = cpus.cores;
	i->threads = cpus.threads;
	i->ram_bytes = (uint64_t)t->ram_mib * MIB;
	return 0;
}

static int check_name(struct core *c, const struct core_run *q, struct fault *f)
{
	CLEANUP(free_p) struct instance *list = NULL;
	size_t cnt = 0;
	int r;

	if (q->name[0] && !name_valid(q->name))
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "use up to 63 letters, digits, dots, dashes and underscores; not "
				 "the shape of an id",
				 "an instance cannot have that name");
	r = store_list(c->st, &tbl_instances, (void **)&list, &cnt);
	if (r < 0)
		return fault_internal(f, r, "reading the instances");
	if (cnt >= CORE_INSTANCES_MAX)
		return fault_set(f, EDQUOT, "InstanceLimitExceeded", "remove some with niter rm",
				 "this host keeps records of at most %d instances",
				 CORE_INSTANCES_MAX);
	for (size_t k = 0; q->name[0] && k < cnt; k++)
		if (list[k].state != INSTANCE_TERMINATED &&
		    strcmp(list[k].account, q->account) == 0 && strcmp(list[k].name, q->name) == 0)
			return fault_set(f, EEXIST, "InvalidParameterValue", "choose another name",
					 "instance %s is called \"%s\" already", list[k].id,
					 q->name);
	return 0;
}

/* Bytes of the root volume. */
static int check_disk(const struct core_run *q, const struct image *img, uint64_t *ret,
		      struct fault *f)
{
	uint64_t want = q->disk_bytes ? q->disk_bytes : img->disk_bytes;

	if (want > DISK_MAX_TIB * 1024 * GIB)
		return fault_set(f, EINVAL, "InvalidParameterValue", "ask for less",
				 "a volume holds at most %d TiB", DISK_MAX_TIB);
	if (want < img->disk_bytes)
		return fault_set(f, EINVAL, "InvalidBlockDeviceMapping",
				 "ask for more, or leave it out",
				 "the image needs a disk of %llu MiB",
				 (unsigned long long)((img->disk_bytes + MIB - 1) / MIB));
	*ret = align_up(want, MODEL_BLOCK);
	return 0;
}

static int check_all(struct core *c, const struct core_run *q, struct instance *i,
		     uint64_t *ret_disk, struct interface *ret_ni, struct fault *f)
{
	struct image img = { 0 };
	int r;

	memset(i, 0, sizeof(*i));
	r = core_image_find(c, q->account, q->image, &img, f);
	if (r == 0)
		r = check_type(q, i, f);
	if (r == 0)
		r = check_name(c, q, f);
	if (r == 0)
		r = check_disk(q, &img, ret_disk, f);
	if (r == 0)
		r = core_data_check(q, f);
	if (r == 0)
		r = core_net_check(c, q, ret_ni, f);
	if (r < 0)
		return r;

	snprintf(i->account, sizeof(i->account), "%s", q->account);
	snprintf(i->name, sizeof(i->name), "%s", q->name);
	snprintf(i->image_id, sizeof(i->image_id), "%s", img.id);
	i->state = INSTANCE_PENDING;
	i->created_ms = i->launched_ms = c->env.now_ms(c->env.ptr);
	return 0;
}

int core_check_run(struct core *c, const struct core_run *q, struct instance *ret, struct fault *f)
{
	struct interface ni;
	uint64_t disk;

	return check_all(c, q, ret, &disk, &ni, f);
}

static int rows_insert(struct core *c, const struct core_run *q, const struct instance *i,
		       struct volume *v, struct interface *ni, struct core_acts *acts)
{
	int r;

	r = store_begin(c->st);
	if (r < 0)
		return r;
	r = store_put(c->st, &tbl_instances, i);
	if (r == 0)
		r = store_put(c->st, &tbl_volumes, v);
	if (r == 0)
		r = core_net_attach(c, q, i, ni);
	if (r == 0)
		r = core_act_add(acts, CORE_VOLUME_CREATE, v->id);
	if (r == 0)
		r = store_commit(c->st);
	if (r < 0)
		store_rollback(c->st);
	return r;
}

int core_run(struct core *c, const struct core_run *q, struct core_acts *acts, struct instance *ret,
	     struct fault *f)
{
	size_t acts_before = acts->cnt;
	struct volume v = { .state = VOLUME_CREATING, .delete_on_termination = true };
	struct interface ni;
	struct instance i;
	int r;

	r = check_all(c, q, &i, &v.size, &ni, f);
	if (r < 0)
		return r;
	r = core_id_new(c, ID_INSTANCE, i.id);
	if (r == 0)
		r = core_id_new(c, ID_VOLUME, v.id);
	if (r < 0)
		return fault_internal(f, r, "random numbers");

	snprintf(v.account, sizeof(v.account), "%s", i.account);
	snprintf(v.image_id, sizeof(v.image_id), "%s", i.image_id);
	snprintf(v.instance_id, sizeof(v.instance_id), "%s", i.id);
	snprintf(v.device, sizeof(v.device), "%s", ROOT_DEVICE);
	v.created_ms = i.created_ms;
	r = rows_insert(c, q, &i, &v, &ni, acts);
	if (r < 0) {
		acts->cnt = acts_before;
		return fault_internal(f, r, "recording the instance");
	}
	*ret = i;
	return 0;
}

int core_capacity_check(const struct ctl_l_host *h, const struct instance *i, struct fault *f)
{
	bool whole = strcmp(h->placement, "whole-cores") == 0;

	if (i->ram_bytes > h->ram_free_bytes)
		return fault_set(f, ENOMEM, "InsufficientInstanceCapacity",
				 "take a smaller type, or stop an instance with niter stop",
				 "%s needs %llu MiB of memory; this host has %llu MiB free of %llu",
				 i->type, (unsigned long long)(i->ram_bytes / MIB),
				 (unsigned long long)(h->ram_free_bytes / MIB),
				 (unsigned long long)(h->ram_bytes / MIB));
	if (whole && i->cores > h->cores_free)
		return fault_set(f, EBUSY, "InsufficientInstanceCapacity",
				 "ask for fewer with --cpus, or stop an instance with niter stop",
				 "%s needs %u whole core%s; this host has %u free of %u", i->type,
				 i->cores, i->cores > 1 ? "s" : "", h->cores_free, h->cores);
	return 0;
}

/* Is a volume of @instance_id still in @state? Return: 1, 0, -errno. */
static int volumes_any(struct core *c, const char *instance_id, enum volume_state state)
{
	CLEANUP(free_p) struct volume *list = NULL;
	size_t cnt = 0;
	int r;

	r = store_list(c->st, &tbl_volumes, (void **)&list, &cnt);
	for (size_t k = 0; r == 0 && k < cnt; k++)
		if (list[k].state == state && strcmp(list[k].instance_id, instance_id) == 0)
			return 1;
	return r;
}

/* Runs @ev on the instance @v belongs to, inside the caller's transaction. */
static int owner_step(struct core *c, const struct volume *v, enum machine_event ev,
		      uint64_t took_us, const char *why, struct core_acts *acts)
{
	struct instance i = { 0 };
	int r;

	r = store_get_id(c->st, &tbl_instances, v->instance_id, &i);
	if (r < 0)
		return r;
	i.times.volume_us += took_us;
	r = core_step(c, &i, ev, why ? "Server.InternalError" : NULL, why, acts);
	if (r == -EBUSY)
		return 0;
	return r < 0 ? r : store_put(c->st, &tbl_instances, &i);
}

static int made_apply(struct core *c, struct volume *v, int err, const char *text, uint64_t took_us,
		      struct core_acts *acts)
{
	int r;

	v->state = v->instance_id[0] ? VOLUME_IN_USE : VOLUME_AVAILABLE;
	if (err < 0) {
		v->state = VOLUME_ERROR;
		snprintf(v->reason, sizeof(v->reason), "%s",
			 text[0] ? text : strerrordesc_np(-err));
	}
	r = store_put(c->st, &tbl_volumes, v);
	if (r < 0 || v->instance_id[0] == '\0')
		return r;
	if (err < 0)
		return owner_step(c, v, EV_VOLUME_FAILED, took_us, v->reason, acts);
	r = volumes_any(c, v->instance_id, VOLUME_CREATING);
	if (r != 0)
		return r < 0 ? r : 0;
	return owner_step(c, v, EV_VOLUMES_READY, took_us, NULL, acts);
}

int core_volume_made(struct core *c, const char *volume_id, int err, const char *text,
		     uint64_t took_us, struct core_acts *acts)
{
	size_t acts_before = acts->cnt;
	struct volume v = { 0 };
	int r;

	r = store_get_id(c->st, &tbl_volumes, volume_id, &v);
	if (r == -ENOENT || (r == 0 && v.state != VOLUME_CREATING))
		return 0;
	if (r == 0)
		r = store_begin(c->st);
	if (r < 0)
		return r;
	r = made_apply(c, &v, err, text, took_us, acts);
	if (r == 0)
		r = store_commit(c->st);
	if (r < 0) {
		store_rollback(c->st);
		acts->cnt = acts_before;
	}
	return r;
}

static int deleted_apply(struct core *c, struct volume *v, int err, const char *text,
			 struct core_acts *acts)
{
	struct volume owned = *v;
	int r;

	if (err == 0 || err == -ENOENT) {
		r = store_delete_id(c->st, &tbl_volumes, v->id);
	} else {
		/* It stays to be seen and to be tried again; its key may be there still. */
		v->state = VOLUME_ERROR;
		snprintf(v->reason, sizeof(v->reason), "not deleted: %s",
			 text[0] ? text : strerrordesc_np(-err));
		v->instance_id[0] = '\0';
		r = store_put(c->st, &tbl_volumes, v);
	}
	if (r < 0 || owned.instance_id[0] == '\0')
		return r;
	r = volumes_any(c, owned.instance_id, VOLUME_DELETING);
	if (r != 0)
		return r < 0 ? r : 0;
	return owner_step(c, &owned, EV_VOLUMES_DELETED, 0, NULL, acts);
}

int core_volume_deleted(struct core *c, const char *volume_id, int err, const char *text,
			struct core_acts *acts)
{
	size_t acts_before = acts->cnt;
	struct volume v = { 0 };
	int r;

	r = store_get_id(c->st, &tbl_volumes, volume_id, &v);
	if (r == -ENOENT || (r == 0 && v.state != VOLUME_DELETING))
		return 0;
	if (r == 0)
		r = store_begin(c->st);
	if (r < 0)
		return r;
	r = deleted_apply(c, &v, err, text, acts);
	if (r == 0)
		r = store_commit(c->st);
	if (r < 0) {
		store_rollback(c->st);
		acts->cnt = acts_before;
	}
	return r;
}

int core_create_message(struct core *c, const char *volume_id, struct ctl_l_volume_create *ret)
{
	struct volume v = { 0 };
	int r;

	r = store_get_id(c->st, &tbl_volumes, volume_id, &v);
	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->volume_id, sizeof(ret->volume_id), "%s", v.id);
	snprintf(ret->account_id, sizeof(ret->account_id), "%s", v.account);
	snprintf(ret->image_id, sizeof(ret->image_id), "%s", v.image_id);
	ret->size = v.size;
	return 0;
}

static int start_volumes(struct core *c, const struct instance *i, struct ctl_l_instance_start *m)
{
	CLEANUP(free_p) struct volume *list = NULL;
	bool seen[CTL_VOLUMES_MAX] = { false };
	size_t cnt = 0;
	int r;

	r = store_list(c->st, &tbl_volumes, (void **)&list, &cnt);
	for (size_t k = 0; r == 0 && k < cnt; k++) {
		const struct volume *v = &list[k];
		struct ctl_l_volume_ref *ref;

		if (strcmp(v->instance_id, i->id) != 0)
			continue;
		if (v->device_idx >= CTL_VOLUMES_MAX || v->state != VOLUME_IN_USE)
			return -EINVAL;
		ref = &m->volume[v->device_idx];
		snprintf(ref->volume_id, sizeof(ref->volume_id), "%s", v->id);
		snprintf(ref->device_name, sizeof(ref->device_name), "%s", v->device);
		seen[v->device_idx] = true;
	}
	while (r == 0 && m->volume_cnt < CTL_VOLUMES_MAX && seen[m->volume_cnt])
		m->volume_cnt++;
	return r;
}

int core_start_message(struct core *c, const char *instance_id, struct ctl_l_instance_start *ret)
{
	struct instance i = { 0 };
	struct image img = { 0 };
	int r;

	r = store_get_id(c->st, &tbl_instances, instance_id, &i);
	if (r == 0)
		r = store_get_id(c->st, &tbl_images, i.image_id, &img);
	if (r < 0)
		return r;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->instance_id, sizeof(ret->instance_id), "%s", i.id);
	snprintf(ret->account_id, sizeof(ret->account_id), "%s", i.account);
	snprintf(ret->image_id, sizeof(ret->image_id), "%s", i.image_id);
	snprintf(ret->type_name, sizeof(ret->type_name), "%s", i.type);
	snprintf(ret->cmdline, sizeof(ret->cmdline), "%s", img.cmdline);
	ret->cores = (uint16_t)i.cores;
	ret->threads = (uint8_t)i.threads;
	ret->ram_bytes = i.ram_bytes;
	r = start_volumes(c, &i, ret);
	if (r == 0)
		r = core_net_start(c, i.id, ret);
	return r < 0 ? r : id_uuid(i.id, ret->uuid);
}
