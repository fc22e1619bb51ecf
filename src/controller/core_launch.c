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
#include "controller/core_run.h"
#include "controller/ids.h"
#include "controller/types.h"
#include "controller/volume_types.h"

#define TYPE_DEFAULT "t3.micro"

enum { DISK_MAX_TIB = 16 };

int core_id_new(struct core *c, int kind, char ret[CTL_ID_MAX])
{
	uint8_t rnd[ID_RANDOM_BYTES];
	int r = c->env.random(c->env.ptr, rnd, sizeof(rnd));

	if (r < 0)
		return r;
	id_make((enum id_kind)kind, rnd, ret, CTL_ID_MAX);
	return 0;
}

static int check_type(const struct core_run *q, struct core_launch *to, struct fault *f)
{
	const char *name = q->type[0] ? q->type : TYPE_DEFAULT;
	char safe[CTL_NAME_MAX * 2];
	int r;

	to->type = type_find(name);
	if (!to->type) {
		log_escape(safe, sizeof(safe), name, strlen(name));
		return fault_set(f, EINVAL, "InvalidInstanceType",
				 "run niter types to see those there are",
				 "unknown instance type \"%s\"", safe);
	}
	if (!q->cpus[0])
		return 0;
	r = cpus_parse(to->type, q->cpus, &to->cpus);
	if (r == -ERANGE)
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "ask for fewer or take a larger type",
				 "%s has at most %u core%s with 2 threads each", to->type->name,
				 to->type->vcpus / 2U, to->type->vcpus > 2 ? "s" : "");
	return r < 0 ? fault_set(f, EINVAL, "InvalidParameterValue",
				 "write CORESxTHREADS, as in 2x1", "this is no number of CPUs")
		     : 0;
}

static int check_name(struct core *c, const struct core_run *q, struct core_launch *to,
		      struct fault *f)
{
	const struct instance *i;
	struct store_iter it;

	if (q->name[0] && !name_valid(q->name))
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "use up to 63 letters, digits, dots, dashes and underscores; not "
				 "the shape of an id",
				 "an instance cannot have that name");
	store_each_of(c->st, &tbl_instances, "account", q->account, &it);
	while (q->name[0] && (i = store_next(&it)))
		if (i->state != INSTANCE_TERMINATED && strcmp(core_name_of(c, i->id), q->name) == 0)
			return fault_set(f, EEXIST, "InvalidParameterValue", "choose another name",
					 "instance %s is called \"%s\" already", i->id, q->name);
	snprintf(to->name, sizeof(to->name), "%s", q->name);
	return 0;
}

/* The root volume. */
static int check_disk(struct core *c, const struct core_run *q, struct core_launch *to,
		      struct fault *f)
{
	struct volume_wish w = { .any_size = true };
	struct image img;
	int r;

	r = core_image_find(c, q->account, q->image, &img, f);
	if (r < 0)
		return r;
	w.bytes = q->disk_bytes ? q->disk_bytes : img.disk_bytes;
	if (w.bytes > DISK_MAX_TIB * 1024 * GIB)
		return fault_set(f, EINVAL, "InvalidParameterValue", "ask for less",
				 "a volume holds at most %d TiB", DISK_MAX_TIB);
	if (w.bytes < img.disk_bytes)
		return fault_set(f, EINVAL, "InvalidBlockDeviceMapping",
				 "ask for more, or leave it out",
				 "the image needs a disk of %llu MiB",
				 (unsigned long long)((img.disk_bytes + MIB - 1) / MIB));
	to->disk_cnt = 1;
	snprintf(to->image_id, sizeof(to->image_id), "%s", img.id);
	return volume_type_check(&w, &to->disk[0].volume, f);
}

static void key_take(const struct core_run *q, struct core_launch *to)
{
	if (!q->public_key[0])
		return;
	snprintf(to->public_key, sizeof(to->public_key), "%s", q->public_key);
	snprintf(to->key_name, sizeof(to->key_name), "%s", q->key_name[0] ? q->key_name : "key");
}

/* A wish of the operator's protocol in the core's own words. */
static int run_read(struct core *c, const struct core_run *q, struct core_launch *to,
		    struct fault *f)
{
	int r;

	memset(to, 0, sizeof(*to));
	snprintf(to->account, sizeof(to->account), "%s", q->account);
	to->min = to->max = 1;
	to->anywhere = true; /* core_capacity_check() says more, to people */
	to->private_ip = q->private_ip[0] ? q->private_ip : NULL;
	to->user_data = q->user_data;
	r = check_type(q, to, f);
	if (r == 0)
		r = check_name(c, q, to, f);
	if (r == 0)
		r = check_disk(c, q, to, f);
	if (r == 0)
		r = core_data_check(q, f);
	key_take(q, to);
	return r;
}

int core_run(struct core *c, const struct core_run *q, struct core_acts *acts, struct instance *ret,
	     struct fault *f)
{
	static struct core_launch to; /* one thread */
	char reservation[CTL_ID_MAX];
	const struct instance *i;
	struct store_iter it;
	int r;

	r = run_read(c, q, &to, f);
	if (r == 0)
		r = core_launch(c, &to, acts, reservation, f);
	if (r < 0)
		return r;
	store_each_of(c->st, &tbl_instances, "reservation_id", reservation, &it);
	i = store_next(&it);
	must(i); /* it was recorded just now */
	*ret = *i;
	return 0;
}

/* The launch itself, taken back. */
int core_check_run(struct core *c, const struct core_run *q, struct instance *ret, struct fault *f)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	int r;

	r = store_begin(c->st);
	if (r < 0)
		return fault_internal(f, r, "checking a launch");
	r = core_run(c, q, &acts, ret, f);
	store_rollback(c->st);
	return r;
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

/* Is a volume of @instance_id in @state? */
static bool volumes_any(struct core *c, const char *instance_id, enum volume_state state)
{
	const struct volume *v;
	struct store_iter it;

	store_each_of(c->st, &tbl_volumes, "instance_id", instance_id, &it);
	while ((v = store_next(&it)))
		if (v->state == state)
			return true;
	return false;
}

/* Why a volume could not be made: it is the owner's doing when its KMS key may not be used. */
static const char *volume_error_code(struct core *c, const struct volume *v)
{
	const struct kms_key *k;

	if (!v->kms_key_id[0])
		return "Server.InternalError";
	k = store_find(c->st, &tbl_kms_keys, v->kms_key_id);
	return k && k->state == KMS_KEY_ENABLED ? "Server.InternalError" : CORE_BAD_KMS_KEY;
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
	r = core_step(c, &i, ev, why ? volume_error_code(c, v) : NULL, why, acts);
	if (r == -EBUSY)
		return 0;
	return r < 0 ? r : store_put(c->st, &tbl_instances, &i);
}

/* What is wrong with the volumes of an instance: borrowed until the next call. */
static const char *volume_error(struct core *c, const char *instance_id)
{
	static char text[MODEL_TEXT_MAX];
	const struct volume *v;
	struct store_iter it;

	text[0] = '\0';
	store_each_of(c->st, &tbl_volumes, "instance_id", instance_id, &it);
	while ((v = store_next(&it)))
		if (v->state == VOLUME_ERROR)
			snprintf(text, sizeof(text), "%s", v->reason);
	return text;
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
	if (r < 0 || v->instance_id[0] == '\0' || volumes_any(c, v->instance_id, VOLUME_CREATING))
		return r;
	/* The last one is there: one that could not be made spoils the launch. */
	if (volumes_any(c, v->instance_id, VOLUME_ERROR))
		return owner_step(c, v, EV_VOLUME_FAILED, took_us, volume_error(c, v->instance_id),
				  acts);
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
	if (volumes_any(c, owned.instance_id, VOLUME_DELETING))
		return 0;
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
	if (r == 0 && v.state != VOLUME_CREATING)
		r = -ESTALE;
	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->volume_id, sizeof(ret->volume_id), "%s", v.id);
	snprintf(ret->account_id, sizeof(ret->account_id), "%s", v.account);
	snprintf(ret->image_id, sizeof(ret->image_id), "%s", v.image_id);
	snprintf(ret->kms_key_id, sizeof(ret->kms_key_id), "%s", v.kms_key_id);
	ret->size = v.size;
	return 0;
}

static int start_volumes(struct core *c, const struct instance *i, struct ctl_l_instance_start *m)
{
	bool seen[CTL_VOLUMES_MAX] = { false };
	const struct volume *v;
	struct store_iter it;

	store_each_of(c->st, &tbl_volumes, "instance_id", i->id, &it);
	while ((v = store_next(&it))) {
		struct ctl_l_volume_ref *ref;

		if (v->device_idx >= CTL_VOLUMES_MAX || v->state != VOLUME_IN_USE)
			return -EINVAL;
		ref = &m->volume[v->device_idx];
		snprintf(ref->volume_id, sizeof(ref->volume_id), "%s", v->id);
		snprintf(ref->device_name, sizeof(ref->device_name), "%s", v->device);
		seen[v->device_idx] = true;
	}
	while (m->volume_cnt < CTL_VOLUMES_MAX && seen[m->volume_cnt])
		m->volume_cnt++;
	return 0;
}

int core_start_message(struct core *c, const char *instance_id, struct ctl_l_instance_start *ret)
{
	struct instance i = { 0 };
	struct image img = { 0 };
	int r;

	r = store_get_id(c->st, &tbl_instances, instance_id, &i);
	if (r == 0 && i.state != INSTANCE_PENDING)
		r = -ESTALE;
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
