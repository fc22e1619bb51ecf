/* SPDX-License-Identifier: Apache-2.0 */

/* Attributes of an instance, one at a time: DescribeInstanceAttribute, ModifyInstanceAttribute and the metadata options. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "controller/core_net.h"
#include "controller/ec2/instances.h"

/* ---- describe ---- */

static int user_data_xml(struct ec2_call *c, const struct instance *i)
{
	CLEANUP(free_p) struct launch_data *d = calloc(1, sizeof(*d));
	struct xml *x = &c->out;
	int r;

	if (!d)
		return -ENOMEM;
	r = store_get_id(c->core->st, &tbl_launch_data, i->id, d);
	if (r < 0 && r != -ENOENT)
		return fault_internal(&c->fault, r, "reading the user data");
	if (r == -ENOENT || d->user_data.len == 0) {
		xml_empty(x, "userData");
		return 0;
	}
	xml_open(x, "userData");
	xml_base64(x, "value", d->user_data.b, d->user_data.len);
	xml_close(x, "userData");
	return 0;
}

static void mapping_xml(struct ec2_call *c, const struct instance *i)
{
	const struct volume *v[CTL_VOLUMES_MAX];
	size_t cnt = instance_volumes(c, i->id, v);
	struct xml *x = &c->out;

	xml_open(x, "blockDeviceMapping");
	for (size_t k = 0; k < cnt; k++) {
		xml_open(x, "item");
		xml_str(x, "deviceName", v[k]->device);
		xml_open(x, "ebs");
		xml_str(x, "volumeId", v[k]->id);
		xml_str(x, "status", v[k]->state == VOLUME_CREATING ? "attaching" : "attached");
		xml_time(x, "attachTime", v[k]->attached_ms);
		xml_bool(x, "deleteOnTermination", v[k]->delete_on_termination);
		xml_close(x, "ebs");
		xml_close(x, "item");
	}
	xml_close(x, "blockDeviceMapping");
}

static void groups_xml(struct ec2_call *c, const struct instance *i)
{
	const struct interface *ni = instance_interface(c, i->id);
	const struct interface_group *m;
	struct xml *x = &c->out;
	struct store_iter it;

	xml_open(x, "groupSet");
	if (ni) {
		store_each_of(c->core->st, &tbl_interface_groups, "interface_id", ni->id, &it);
		while ((m = store_next(&it))) {
			xml_open(x, "item");
			xml_str(x, "groupId", m->group_id);
			xml_close(x, "item");
		}
	}
	xml_close(x, "groupSet");
}

static const char *yes_no(bool v)
{
	return v ? "true" : "false";
}

/* Attributes that are one word. Return: false: @name is none of them. */
static bool word_xml(struct ec2_call *c, const struct instance *i, const char *name)
{
	const struct interface *ni = instance_interface(c, i->id);
	const struct {
		const char *name, *value;
	} words[] = {
		{ "instanceType", i->type },
		{ "disableApiTermination", yes_no(i->keep_termination) },
		{ "disableApiStop", yes_no(i->keep_stop) },
		{ "instanceInitiatedShutdownBehavior",
		  i->shutdown_terminates ? "terminate" : "stop" },
		{ "rootDeviceName", CORE_ROOT_DEVICE },
		{ "sourceDestCheck", yes_no(!ni || ni->source_dest_check) },
		{ "ebsOptimized", "false" },
		{ "enaSupport", "true" },
	};
	static const char *const unset[] = { "sriovNetSupport", "kernel", "ramdisk" };

	for (size_t k = 0; k < ARRAY_SIZE(words); k++)
		if (strcmp(words[k].name, name) == 0) {
			xml_value(&c->out, name, words[k].value);
			return true;
		}
	for (size_t k = 0; k < ARRAY_SIZE(unset); k++)
		if (strcmp(unset[k], name) == 0) {
			xml_empty(&c->out, unset[k]);
			return true;
		}
	return false;
}

int instance_attribute(struct ec2_call *c)
{
	const struct instance *i = instance_need(c);
	const char *name = query_need_str(&c->in, "Attribute");

	if (!i || query_failed(&c->q))
		return -EINVAL;
	xml_str(&c->out, "instanceId", i->id);
	if (strcmp(name, "userData") == 0)
		return user_data_xml(c, i);
	if (strcmp(name, "blockDeviceMapping") == 0) {
		mapping_xml(c, i);
	} else if (strcmp(name, "groupSet") == 0) {
		groups_xml(c, i);
	} else if (strcmp(name, "productCodes") == 0) {
		xml_empty(&c->out, "productCodes");
	} else if (strcmp(name, "enclaveOptions") == 0) {
		xml_open(&c->out, "enclaveOptions");
		xml_bool(&c->out, "enabled", i->enclaves);
		xml_close(&c->out, "enclaveOptions");
	} else if (!word_xml(c, i, name)) {
		return ec2_refuse(c, "InvalidParameterValue",
				  "Value (%.64s) for parameter attribute is invalid. Unknown "
				  "attribute.",
				  name);
	}
	return 0;
}

/* ---- modify ---- */

/* One attribute: where its value is, in both spellings. */
struct change {
	struct ec2_call *c;
	struct instance i;  /* as it shall be */
	struct query_at at; /* "DisableApiStop." or the root */
	const char *member; /* "Value", of that */
	bool row;           /* the instance's row has changed */
};

static const char *value(struct change *ch)
{
	return query_need_str(&ch->at, ch->member);
}

static bool value_bool(struct change *ch)
{
	(void)value(ch);
	return query_bool(&ch->at, ch->member, false);
}

static int need_stopped(struct change *ch)
{
	if (ch->i.state == INSTANCE_STOPPED)
		return 0;
	return ec2_refuse(ch->c, "IncorrectInstanceState",
			  "The instance '%s' is not in the 'stopped' state.", ch->i.id);
}

static int set_type(struct change *ch)
{
	const char *name = value(ch);
	const struct instance_type *t;
	struct cpu_options cpus;

	if (query_failed(&ch->c->q))
		return -EINVAL;
	t = type_find(name);
	if (!t)
		return ec2_refuse(ch->c, "InvalidParameterValue",
				  "Invalid value '%.64s' for InstanceType.", name);
	cpus = type_default_cpus(t);
	snprintf(ch->i.type, sizeof(ch->i.type), "%s", t->name);
	ch->i.cores = cpus.cores;
	ch->i.threads = cpus.threads;
	ch->i.ram_bytes = (uint64_t)t->ram_mib * MIB;
	ch->row = true;
	return need_stopped(ch);
}

static int set_user_data(struct change *ch)
{
	CLEANUP(free_p) struct launch_data *d = calloc(1, sizeof(*d));
	CLEANUP(free_p) struct user_data *data = NULL;
	struct ec2_call *c = ch->c;
	int r;

	if (!d)
		return -ENOMEM;
	r = instance_user_data(c, &ch->at, ch->member, &data);
	if (r == 0)
		r = need_stopped(ch);
	if (r < 0)
		return r;
	r = store_get_id(c->core->st, &tbl_launch_data, ch->i.id, d);
	if (r < 0 && r != -ENOENT)
		return fault_internal(&c->fault, r, "reading the user data");
	snprintf(d->instance_id, sizeof(d->instance_id), "%s", ch->i.id);
	memset(&d->user_data, 0, sizeof(d->user_data));
	if (data)
		d->user_data = *data;
	r = store_put(c->core->st, &tbl_launch_data, d);
	return r < 0 ? fault_internal(&c->fault, r, "recording the user data") : 0;
}

static int set_keep_termination(struct change *ch)
{
	ch->i.keep_termination = value_bool(ch);
	ch->row = true;
	return 0;
}

static int set_keep_stop(struct change *ch)
{
	ch->i.keep_stop = value_bool(ch);
	ch->row = true;
	return 0;
}

static int set_shutdown(struct change *ch)
{
	const char *v = value(ch);

	if (query_failed(&ch->c->q))
		return -EINVAL;
	if (strcmp(v, "stop") != 0 && strcmp(v, "terminate") != 0)
		return ec2_refuse(ch->c, "InvalidParameterValue",
				  "InstanceInitiatedShutdownBehavior must be stop or terminate");
	ch->i.shutdown_terminates = strcmp(v, "terminate") == 0;
	ch->row = true;
	return 0;
}

static int set_source_dest_check(struct change *ch)
{
	const struct interface *found = instance_interface(ch->c, ch->i.id);
	struct interface ni;
	int r;

	if (!found)
		return ec2_refuse(ch->c, "IncorrectInstanceState",
				  "The instance '%s' has no network interface", ch->i.id);
	ni = *found;
	ni.source_dest_check = value_bool(ch);
	if (query_failed(&ch->c->q))
		return -EINVAL;
	r = core_interface_put(ch->c->core, &ni, &ch->c->acts);
	return r < 0 ? fault_internal(&ch->c->fault, r, "recording") : 0;
}

/* True of every instance, or of none. */
static int set_ebs_optimized(struct change *ch)
{
	(void)value_bool(ch);
	return need_stopped(ch);
}

static int set_ena(struct change *ch)
{
	if (!value_bool(ch) && !query_failed(&ch->c->q))
		return ec2_refuse(ch->c, "UnsupportedOperation",
				  "EnaSupport=false is not supported: every interface is an ENA");
	return 0;
}

static int set_groups(struct change *ch)
{
	const struct interface *found = instance_interface(ch->c, ch->i.id);
	const char *id[NET_INTERFACE_GROUPS_MAX];
	struct interface ni;
	const char *one;
	unsigned k = 0;
	size_t cnt = 0;

	while ((one = query_next_str(&ch->c->in, "GroupId", &k))) {
		if (cnt == ARRAY_SIZE(id))
			return ec2_refuse(ch->c, "SecurityGroupsPerInterfaceLimitExceeded",
					  "An interface has at most %d security groups",
					  NET_INTERFACE_GROUPS_MAX);
		id[cnt++] = one;
	}
	if (!found || cnt == 0)
		return ec2_refuse(ch->c, "InvalidParameterCombination",
				  "No groups, or no network interface");
	ni = *found;
	return core_interface_groups(ch->c->core, &ni, id, cnt, &ch->c->acts, &ch->c->fault);
}

static int mapping_set(struct change *ch, const struct query_at *at)
{
	const char *device = query_need_str(at, "DeviceName"), *id;
	struct query_at ebs = query_in(at, "Ebs");
	const struct volume *v[CTL_VOLUMES_MAX];
	size_t cnt = instance_volumes(ch->c, ch->i.id, v), k;
	struct volume row;
	int r;

	query_unsupported(at, "NoDevice", NULL);
	query_unsupported(at, "VirtualName", NULL);
	id = query_str(&ebs, "VolumeId");
	for (k = 0; k < cnt && strcmp(v[k]->device, device) != 0; k++)
		;
	if (query_failed(&ch->c->q))
		return -EINVAL;
	if (k == cnt || (id && strcmp(id, v[k]->id) != 0))
		return ec2_refuse(ch->c, "InvalidInstanceAttributeValue",
				  "No device is currently mapped at %.64s", device);
	row = *v[k];
	row.delete_on_termination =
		query_bool(&ebs, "DeleteOnTermination", row.delete_on_termination);
	r = store_put(ch->c->core->st, &tbl_volumes, &row);
	return r < 0 ? fault_internal(&ch->c->fault, r, "recording") : 0;
}

static int set_mapping(struct change *ch)
{
	struct query_at at;
	unsigned k = 0;
	int r = 0;

	while (r == 0 && query_next(&ch->c->in, "BlockDeviceMapping", &k, &at))
		r = mapping_set(ch, &at);
	return r;
}

/* The new spelling is NAME.Value, the old one Attribute=name and Value. */
static const struct {
	const char *name, *old; /* old NULL: it has none */
	bool list;              /* NAME.N, not NAME.Value */
	int (*set)(struct change *ch);
} attributes[] = {
	{ "InstanceType", "instanceType", false, set_type },
	{ "UserData", "userData", false, set_user_data },
	{ "DisableApiTermination", "disableApiTermination", false, set_keep_termination },
	{ "DisableApiStop", "disableApiStop", false, set_keep_stop },
	{ "InstanceInitiatedShutdownBehavior", "instanceInitiatedShutdownBehavior", false,
	  set_shutdown },
	{ "SourceDestCheck", "sourceDestCheck", false, set_source_dest_check },
	{ "EbsOptimized", "ebsOptimized", false, set_ebs_optimized },
	{ "EnaSupport", "enaSupport", false, set_ena },
	{ "GroupId", NULL, true, set_groups },
	{ "BlockDeviceMapping", "blockDeviceMapping", true, set_mapping },
};

/* Which one is meant. Return: its index, -EINVAL with the fault. */
static int attribute_choose(struct change *ch)
{
	struct ec2_call *c = ch->c;
	const char *old = query_str(&c->in, "Attribute");
	int found = -1;

	query_unsupported(&c->in, "Kernel", NULL);
	query_unsupported(&c->in, "Ramdisk", NULL);
	query_unsupported(&c->in, "SriovNetSupport", NULL);
	for (size_t k = 0; k < ARRAY_SIZE(attributes) && !query_failed(&c->q); k++) {
		bool by_old = old && attributes[k].old && strcmp(attributes[k].old, old) == 0;

		/* The old spelling names lists as well. */
		if (!by_old && !query_any(&c->in, attributes[k].name))
			continue;
		if (found >= 0)
			return ec2_refuse(c, "InvalidParameterCombination",
					  "Fields for multiple attribute types specified: %s, %s",
					  attributes[found].name, attributes[k].name);
		found = (int)k;
		ch->at = by_old && !attributes[k].list ? c->in
						       : query_in(&c->in, attributes[k].name);
		ch->member = "Value";
		/* Some clients write the value without its ".Value". */
		if (!by_old && !attributes[k].list && !query_any(&ch->at, "Value")) {
			ch->at = c->in;
			ch->member = attributes[k].name;
		}
	}
	if (query_failed(&c->q))
		return -EINVAL;
	if (found < 0)
		return ec2_refuse(c, old ? "InvalidParameterValue" : "InvalidParameterCombination",
				  old ? "Value (%.64s) for parameter attribute is invalid."
				      : "No attributes specified.%.0s",
				  old ? old : "");
	return found;
}

int instance_modify(struct ec2_call *c)
{
	const struct instance *i = instance_need(c);
	struct change ch = { .c = c };
	int k, r;

	if (!i)
		return -EINVAL;
	ch.i = *i;
	k = attribute_choose(&ch);
	if (k < 0)
		return k;
	if (ch.i.state == INSTANCE_TERMINATED || ch.i.state == INSTANCE_SHUTTING_DOWN)
		return ec2_refuse(c, "IncorrectInstanceState",
				  "The instance '%s' is %s: it cannot be modified", ch.i.id,
				  instance_state_name(ch.i.state));
	r = attributes[k].set(&ch);
	if (r == 0 && query_failed(&c->q))
		r = -EINVAL;
	if (r == 0 && ch.row) {
		r = store_put(c->core->st, &tbl_instances, &ch.i);
		if (r < 0)
			r = fault_internal(&c->fault, r, "recording the instance");
	}
	if (r == 0)
		r = core_metadata_changed(&c->acts, ch.i.id);
	if (r == 0)
		ec2_return(c);
	return r;
}

int instance_options(struct ec2_call *c)
{
	const struct instance *found = instance_need(c);
	struct instance i;
	int r;

	if (!found)
		return -EINVAL;
	i = *found;
	if (i.state == INSTANCE_TERMINATED || i.state == INSTANCE_SHUTTING_DOWN)
		return ec2_refuse(c, "IncorrectInstanceState",
				  "The instance '%s' is %s: it cannot be modified", i.id,
				  instance_state_name(i.state));
	instance_options_read(&c->in, &i);
	if (query_failed(&c->q))
		return -EINVAL;
	r = store_put(c->core->st, &tbl_instances, &i);
	if (r == 0) {
		r = tags_shown(c, i.id);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = core_metadata_changed(&c->acts, i.id);
	if (r < 0)
		return fault_internal(&c->fault, r, "recording the options");
	xml_str(&c->out, "instanceId", i.id);
	metadata_options_xml(&c->out, "instanceMetadataOptions", &i);
	return 0;
}
