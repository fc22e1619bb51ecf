/* SPDX-License-Identifier: Apache-2.0 */

/* A launch: some instances of one reservation, decided and recorded at once. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "controller/core_net.h"
#include "controller/core_priv.h"
#include "controller/core_run.h"
#include "controller/ids.h"

/* What all instances of a launch have in common. */
static int template_make(struct core *c, const struct core_launch *q, struct instance *i)
{
	struct cpu_options cpus = q->cpus.cores ? q->cpus : type_default_cpus(q->type);

	memset(i, 0, sizeof(*i));
	snprintf(i->account, sizeof(i->account), "%s", q->account);
	snprintf(i->image_id, sizeof(i->image_id), "%s", q->image_id);
	snprintf(i->type, sizeof(i->type), "%s", q->type->name);
	snprintf(i->client_token, sizeof(i->client_token), "%s", q->client_token);
	snprintf(i->key_name, sizeof(i->key_name), "%s", q->key_name);
	i->cores = cpus.cores;
	i->threads = cpus.threads;
	i->ram_bytes = (uint64_t)q->type->ram_mib * MIB;
	i->state = INSTANCE_PENDING;
	i->created_ms = i->launched_ms = c->env.now_ms(c->env.ptr);
	i->shutdown_terminates = q->shutdown_terminates;
	i->keep_termination = q->keep_termination;
	i->keep_stop = q->keep_stop;
	i->imds_enabled = !q->imds_off;
	i->imds_tags = q->imds_tags;
	i->imds_hop_limit = q->imds_hop_limit ? q->imds_hop_limit : CORE_HOP_LIMIT;
	i->monitored = q->monitored;
	return core_id_new(c, ID_RESERVATION, i->reservation_id);
}

/* *ret: as many of q->max as the quotas leave, q->min at least. */
static int limits_check(struct core *c, const struct core_launch *q, unsigned *ret, struct fault *f)
{
	size_t most = c->limits.instances ? c->limits.instances : CORE_INSTANCES_MAX;
	uint64_t vcpus = 0, need = (uint64_t)q->min * q->type->vcpus;
	const struct instance *i;
	struct store_iter it;

	if (store_cnt(c->st, &tbl_instances) + q->min > most)
		return fault_set(f, EDQUOT, "InstanceLimitExceeded", "remove some with niter rm",
				 "this host keeps records of at most %zu instances", most);
	*ret = (unsigned)min_u64(q->max, most - store_cnt(c->st, &tbl_instances));
	if (!c->limits.vcpus)
		return 0;
	store_each_of(c->st, &tbl_instances, "account", q->account, &it);
	while ((i = store_next(&it)))
		if (i->state != INSTANCE_TERMINATED && i->state != INSTANCE_STOPPED)
			vcpus += (uint64_t)i->cores * i->threads;
	if (vcpus + need > c->limits.vcpus)
		return fault_set(f, EDQUOT, "VcpuLimitExceeded", "stop some instances",
				 "You have requested more vCPU capacity than your current vCPU "
				 "limit of %u allows.",
				 c->limits.vcpus);
	*ret = (unsigned)min_u64(*ret, (c->limits.vcpus - vcpus) / q->type->vcpus);
	return 0;
}

static int volume_add(struct core *c, const struct core_launch *q, const struct instance *i,
		      unsigned idx, struct core_acts *acts)
{
	const struct core_disk *d = &q->disk[idx];
	struct volume v = d->volume;
	int r = core_id_new(c, ID_VOLUME, v.id);

	if (r < 0)
		return r;
	snprintf(v.account, sizeof(v.account), "%s", i->account);
	snprintf(v.instance_id, sizeof(v.instance_id), "%s", i->id);
	snprintf(v.image_id, sizeof(v.image_id), "%s", idx == 0 ? i->image_id : "");
	snprintf(v.device, sizeof(v.device), "%s", idx == 0 ? CORE_ROOT_DEVICE : d->device);
	v.state = VOLUME_CREATING;
	v.device_idx = idx;
	v.delete_on_termination = !d->keep;
	v.created_ms = v.attached_ms = i->created_ms;
	r = store_put(c->st, &tbl_volumes, &v);
	return r < 0 ? r : core_act_add(acts, CORE_VOLUME_CREATE, v.id);
}

static int data_put(struct core *c, const struct core_launch *q, const struct instance *i)
{
	CLEANUP(free_p) struct launch_data *d = NULL;

	if (!q->public_key[0] && !(q->user_data && q->user_data->len))
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	snprintf(d->instance_id, sizeof(d->instance_id), "%s", i->id);
	snprintf(d->public_key, sizeof(d->public_key), "%s", q->public_key);
	snprintf(d->key_name, sizeof(d->key_name), "%s", q->key_name);
	if (q->user_data)
		d->user_data = *q->user_data;
	return store_put(c->st, &tbl_launch_data, d);
}

/* The interface of the next instance: a new one, or the one that was named. */
static int interface_get(struct core *c, const struct core_launch *q, struct interface *ret,
			 struct fault *f)
{
	const struct core_interface_want want = {
		.account = q->account,
		.subnet_id = q->subnet_id,
		.private_ip = q->private_ip,
		.description = q->interface_description,
		.group_id = q->group_id,
		.group_cnt = q->group_cnt,
	};

	if (q->interface_id)
		return core_interface_find(c, q->account, q->interface_id, ret, f);
	return core_interface_add(c, &want, ret, f);
}

static int instance_add(struct core *c, const struct core_launch *q, const struct instance *i,
			struct interface *ni, struct core_acts *acts, struct fault *f)
{
	int r = store_put(c->st, &tbl_instances, i);

	for (unsigned k = 0; r == 0 && k < q->disk_cnt; k++)
		r = volume_add(c, q, i, k, acts);
	if (r == 0)
		r = data_put(c, q, i);
	if (r == 0 && q->name[0])
		r = core_name_set(c, i, q->name);
	if (r < 0)
		return fault_internal(f, r, "recording the instances");
	return core_interface_attach(c, ni, i, 0, !q->interface_id && !q->interface_keep, f);
}

static int id_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Fresh ids in their order: instances of one reservation are listed by their launch index. */
static int ids_make(struct core *c, unsigned cnt, char (*ret)[CTL_ID_MAX])
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < cnt; k++)
		r = core_id_new(c, ID_INSTANCE, ret[k]);
	if (r == 0)
		qsort(ret, cnt, sizeof(*ret), id_order);
	return r;
}

static int all_add(struct core *c, const struct core_launch *q, struct instance *i, unsigned cnt,
		   struct core_acts *acts, struct fault *f)
{
	CLEANUP(free_p) char(*ids)[CTL_ID_MAX] = calloc(cnt, sizeof(*ids));
	int r = ids ? ids_make(c, cnt, ids) : -ENOMEM;

	if (r < 0)
		return fault_internal(f, r, "making ids");
	for (unsigned k = 0; k < cnt; k++) {
		struct interface ni;

		r = interface_get(c, q, &ni, f);
		if (r == -EADDRNOTAVAIL && k >= q->min)
			break; /* as many as there is room for */
		memcpy(i->id, ids[k], sizeof(i->id));
		i->launch_idx = k;
		if (r == 0)
			r = instance_add(c, q, i, &ni, acts, f);
		if (r < 0)
			return r;
	}
	r = core_act_add(acts, CORE_NETWORK, "");
	return r < 0 ? fault_internal(f, r, "recording the instances") : 0;
}

int core_launch(struct core *c, const struct core_launch *q, struct core_acts *acts,
		char ret_reservation[CTL_ID_MAX], struct fault *f)
{
	size_t acts_before = acts->cnt;
	struct instance i;
	unsigned cnt, max = q->max;
	int r;

	r = template_make(c, q, &i);
	if (r < 0)
		return fault_internal(f, r, "random numbers");
	r = limits_check(c, q, &max, f);
	if (r < 0)
		return r;
	cnt = q->anywhere ? max : core_place_cnt(c, &i, max);
	if (cnt < q->min)
		return core_place_full(&i, f);
	r = core_volumes_room(c, q->account, (size_t)cnt * q->disk_cnt, f);
	if (r < 0)
		return r;

	r = store_begin(c->st);
	if (r < 0)
		return fault_internal(f, r, "recording the instances");
	r = all_add(c, q, &i, cnt, acts, f);
	if (r == 0) {
		r = store_commit(c->st);
		if (r < 0)
			r = fault_internal(f, r, "recording the instances");
	}
	if (r < 0) {
		store_rollback(c->st);
		acts->cnt = acts_before;
		return r;
	}
	memcpy(ret_reservation, i.reservation_id, CTL_ID_MAX);
	return 0;
}
