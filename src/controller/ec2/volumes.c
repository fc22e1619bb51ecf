/* SPDX-License-Identifier: Apache-2.0 */

/* Volumes that are made, described and deleted by themselves. What a launch makes, instances_disks.c reads. */

#include "controller/ec2/volumes.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "controller/ec2/call_priv.h"
#include "controller/ec2/networks.h"
#include "controller/ec2/tags.h"
#include "controller/volume_types.h"

enum { VOLUME_GIB_MAX = 65536 };

static uint64_t size_gib(const struct volume *v)
{
	return v->size / GIB + (v->size % GIB != 0);
}

static const char *attachment_status(const struct volume *v)
{
	return v->state == VOLUME_CREATING ? "attaching" : "attached";
}

/* What status a client sees: a volume made for an instance is creating until it is there. */
static void attachments_xml(struct xml *x, const struct volume *v)
{
	if (v->instance_id[0] == '\0') {
		xml_empty(x, "attachmentSet");
		return;
	}
	xml_open(x, "attachmentSet");
	xml_open(x, "item");
	xml_str(x, "volumeId", v->id);
	xml_str(x, "instanceId", v->instance_id);
	xml_str(x, "device", v->device);
	xml_str(x, "status", attachment_status(v));
	xml_time(x, "attachTime", v->attached_ms);
	xml_bool(x, "deleteOnTermination", v->delete_on_termination);
	xml_close(x, "item");
	xml_close(x, "attachmentSet");
}

static void volume_xml(struct ec2_call *c, const void *row)
{
	const struct volume *v = row;
	char arn[EC2_KEY_ARN_MAX];
	struct xml *x = &c->out;

	xml_str(x, "volumeId", v->id);
	xml_u64(x, "size", size_gib(v));
	xml_empty(x, "snapshotId");
	xml_str(x, "availabilityZone", c->core->place.zone);
	xml_str(x, "status", volume_state_name(v->state));
	xml_time(x, "createTime", v->created_ms);
	attachments_xml(x, v);
	xml_bool(x, "encrypted", true);
	xml_str(x, "kmsKeyId", ec2_volume_key_arn(c, v, arn));
	if (v->iops > 0)
		xml_u64(x, "iops", v->iops);
	if (v->throughput > 0)
		xml_u64(x, "throughput", v->throughput);
	xml_str(x, "volumeType", v->type);
	xml_bool(x, "multiAttachEnabled", false);
	tags_xml(c, v->id, false);
}

static void zone_read(struct ec2_call *c)
{
	if (!query_any(&c->in, "AvailabilityZone") && !query_any(&c->in, "AvailabilityZoneId"))
		query_refuse(&c->in, "MissingParameter",
			     "The request must contain the parameter AvailabilityZone or "
			     "AvailabilityZoneId");
	ec2_read_zone(c);
}

static void multi_attach_read(struct ec2_call *c, const char *type)
{
	if (!query_bool(&c->in, "MultiAttachEnabled", false))
		return;
	if (type && (strcmp(type, "io1") == 0 || strcmp(type, "io2") == 0))
		query_unsupported(&c->in, "MultiAttachEnabled", "a volume has one writer");
	else
		query_refuse(&c->in, "InvalidParameterCombination",
			     "The parameter multiAttachEnabled is only supported for io1 and io2 "
			     "volumes.");
}

/* Everything a request says about the volume. Return: 0, -errno with the fault. */
static int wish_read(struct ec2_call *c, struct volume *ret)
{
	struct volume_wish w = {
		.type = query_str(&c->in, "VolumeType"),
		.iops = query_u64(&c->in, "Iops", 1, UINT32_MAX, 0),
		.throughput = query_u64(&c->in, "Throughput", 1, UINT32_MAX, 0),
	};

	query_unsupported(&c->in, "SnapshotId", "snapshots are not offered yet");
	query_unsupported(&c->in, "SourceVolumeId", NULL);
	query_unsupported(&c->in, "OutpostArn", NULL);
	query_unsupported(&c->in, "VolumeInitializationRate", NULL);
	query_unsupported(&c->in, "Operator", NULL);
	zone_read(c);
	if (!query_any(&c->in, "Size"))
		query_refuse(&c->in, "MissingParameter",
			     "The request must contain the parameter size or snapshotId");
	w.bytes = query_u64(&c->in, "Size", 1, VOLUME_GIB_MAX, 0) * GIB;
	multi_attach_read(c, w.type);
	ec2_volume_key_read(c, &c->in, ret);
	if (query_failed(&c->q))
		return -EINVAL;
	return volume_type_check(&w, ret, &c->fault);
}

static int create_volume(struct ec2_call *c)
{
	struct volume wish = { .size = 0 }, v;
	struct tag_list tags;
	int r;

	tags_read_spec(c, "volume", "volume", &tags);
	r = wish_read(c, &wish);
	if (r == 0)
		r = ec2_volume_key_ready(c);
	if (r == 0)
		r = core_volume_add(c->core, c->account, &wish, &c->acts, &v, &c->fault);
	if (r == 0)
		r = tags_put(c, v.id, &tags);
	if (r < 0)
		return r;
	ec2_token_result(c, v.id);
	volume_xml(c, &v);
	return 0;
}

static int create_volume_again(struct ec2_call *c, const char *id)
{
	const struct volume *v = store_find(c->core->st, &tbl_volumes, id);

	if (!v)
		return ec2_refuse_id(c, ID_VOLUME, id);
	volume_xml(c, v);
	return 0;
}

static int delete_volume(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "VolumeId");
	const struct volume *found;
	struct volume v;
	int r;

	if (query_failed(&c->q))
		return -EINVAL;
	found = store_find(c->core->st, &tbl_volumes, id);
	if (!found || strcmp(found->account, c->account) != 0)
		return ec2_refuse_id(c, ID_VOLUME, id);
	v = *found;
	if (v.instance_id[0] != '\0')
		return ec2_refuse(c, "VolumeInUse", "Volume %s is currently attached to %s", v.id,
				  v.instance_id);
	r = core_volume_rm(c->core, &v, &c->acts, &c->fault);
	if (r == 0)
		ec2_return(c);
	return r;
}

static void get_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct volume *)o)->id);
}

static void get_status(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, volume_state_name(((const struct volume *)o)->state));
}

static void get_size(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_u64(e, size_gib(o));
}

static void get_type(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct volume *)o)->type);
}

static void get_snapshot(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "");
}

static void get_encrypted(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_bool(e, true);
}

static void get_zone(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, c->core->place.zone);
}

static void get_zone_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, c->core->place.zone_id);
}

static void get_created(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_time(e, ((const struct volume *)o)->created_ms);
}

static void get_multi_attach(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_bool(e, false);
}

/* The attachment, when there is one. */
static const struct volume *attached(const void *o)
{
	const struct volume *v = o;

	return v->instance_id[0] != '\0' ? v : NULL;
}

static void get_att_instance(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (attached(o))
		filter_str(e, attached(o)->instance_id);
}

static void get_att_device(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (attached(o))
		filter_str(e, attached(o)->device);
}

static void get_att_status(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (attached(o))
		filter_str(e, attachment_status(o));
}

static void get_att_delete(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (attached(o))
		filter_bool(e, attached(o)->delete_on_termination);
}

static void get_att_time(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (attached(o))
		filter_time(e, attached(o)->attached_ms);
}

static const struct filter_def volume_filters[] = {
	{ "volume-id", get_id },
	{ "status", get_status },
	{ "size", get_size },
	{ "volume-type", get_type },
	{ "snapshot-id", get_snapshot },
	{ "encrypted", get_encrypted },
	{ "availability-zone", get_zone },
	{ "availability-zone-id", get_zone_id },
	{ "create-time", get_created },
	{ "multi-attach-enabled", get_multi_attach },
	{ "attachment.instance-id", get_att_instance },
	{ "attachment.device", get_att_device },
	{ "attachment.status", get_att_status },
	{ "attachment.delete-on-termination", get_att_delete },
	{ "attachment.attach-time", get_att_time },
	{ .name = NULL },
};

static const char *row_id(const void *row, char buf[EC2_ID_TEXT])
{
	(void)buf;
	return ((const struct volume *)row)->id;
}

static uint64_t row_created(const void *row)
{
	return ((const struct volume *)row)->created_ms;
}

static int describe_volumes(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "VolumeId",
		.kind = ID_VOLUME,
		.set = "volumeSet",
		.table = &tbl_volumes,
		.by_account = true,
		.filter = volume_filters,
		.id = row_id,
		.created_ms = row_created,
		.write = volume_xml,
	};

	(void)query_bool(&c->in, "IncludeManagedResources", false); /* there are none */
	if (query_any(&c->in, "VolumeId") && query_any(&c->in, "MaxResults"))
		return ec2_refuse(c, "InvalidParameterCombination",
				  "The parameter volumeSet cannot be used with the parameter "
				  "maxResults");
	return ec2_describe(c, &d);
}

const struct ec2_action ec2_volume_actions[] = {
	{ .name = "CreateVolume",
	  .fn = create_volume,
	  .replay = create_volume_again,
	  .changes = true },
	{ .name = "DeleteVolume", .fn = delete_volume, .changes = true },
	{ .name = "DescribeVolumes", .fn = describe_volumes },
	{ .name = NULL },
};
