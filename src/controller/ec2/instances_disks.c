/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Block device mappings of a launch. An image maps one device, its root disk; a mapping of that name changes it,
 * others add blank volumes, numbered as they come.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "controller/ec2/instances_run.h"
#include "controller/ec2/volumes.h"
#include "controller/volume_types.h"

enum { GIB_MAX = 65536 };

static bool device_valid(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < CTL_NAME_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789/") == n;
}

static void device_read(const struct query_at *at, const struct core_launch *q, char *ret)
{
	const char *name = query_need_str(at, "DeviceName");

	if (query_failed(at->q))
		return;
	if (!device_valid(name)) {
		query_refuse(at, "InvalidBlockDeviceMapping", "Invalid device name %.64s", name);
		return;
	}
	for (size_t k = 1; k < q->disk_cnt; k++)
		if (strcmp(q->disk[k].device, name) == 0)
			query_refuse(at, "InvalidBlockDeviceMapping", "Duplicate device name: %s",
				     name);
	snprintf(ret, CTL_NAME_MAX, "%s", name);
}

/* One volume; @bytes: what it has when nobody says, 0: somebody must. */
static void ebs_read(struct ec2_call *c, const struct query_at *at, uint64_t bytes,
		     struct core_disk *d)
{
	struct query_at ebs = query_in(at, "Ebs");
	uint64_t gib = query_u64(&ebs, "VolumeSize", 1, GIB_MAX, 0);
	struct volume_wish w = {
		.type = query_str(&ebs, "VolumeType"),
		.bytes = gib ? gib * GIB : bytes,
		.iops = query_u64(&ebs, "Iops", 1, UINT32_MAX, 0),
		.throughput = query_u64(&ebs, "Throughput", 1, UINT32_MAX, 0),
		.any_size = gib == 0,
	};

	d->keep = !query_bool(&ebs, "DeleteOnTermination", true);
	query_unsupported(&ebs, "SnapshotId", "snapshots are not offered yet");
	query_unsupported(&ebs, "OutpostArn", NULL);
	query_unsupported(&ebs, "VolumeInitializationRate", NULL);
	query_unsupported(&ebs, "AvailabilityZone", NULL);
	ec2_volume_key_read(c, &ebs, &d->volume);
	if (query_failed(&c->q))
		return;
	if (w.bytes == 0) {
		query_refuse(at, "MissingParameter",
			     "The request must contain the parameter size or snapshotId");
		return;
	}
	if (w.bytes < bytes) {
		query_refuse(at, "InvalidBlockDeviceMapping",
			     "Volume of size %lluGB is smaller than the image's disk, expect size "
			     ">= %lluGB",
			     (unsigned long long)gib,
			     (unsigned long long)((bytes + GIB - 1) / GIB));
		return;
	}
	(void)!volume_type_check(&w, &d->volume, &c->fault);
}

static void mapping_read(struct ec2_call *c, const struct query_at *at, const struct image *img,
			 struct core_launch *q)
{
	char name[CTL_NAME_MAX] = "";
	bool none = query_given(at, "NoDevice");
	struct core_disk *d = &q->disk[q->disk_cnt];
	bool root;

	device_read(at, q, name);
	query_unsupported(at, "VirtualName", "no instance type has instance store");
	if (query_failed(&c->q))
		return;
	root = strcmp(name, CORE_ROOT_DEVICE) == 0;
	if (root && none) {
		query_refuse(at, "InvalidBlockDeviceMapping",
			     "The root device %s cannot be left out", name);
		return;
	}
	if (none) /* the image maps nothing else */
		return;
	if (root) {
		if (q->disk[0].device[0])
			query_refuse(at, "InvalidBlockDeviceMapping", "Duplicate device name: %s",
				     name);
		snprintf(q->disk[0].device, sizeof(q->disk[0].device), "%s", name);
		ebs_read(c, at, img->disk_bytes, &q->disk[0]);
		return;
	}
	if (q->disk_cnt == CORE_DISKS_MAX) {
		query_refuse(at, "AttachmentLimitExceeded",
			     "An instance has at most %d volumes here", CORE_DISKS_MAX);
		return;
	}
	snprintf(d->device, sizeof(d->device), "%s", name);
	ebs_read(c, at, 0, d);
	q->disk_cnt++;
}

int run_disks_read(struct ec2_call *c, const struct image *img, struct core_launch *q)
{
	struct volume_wish w = { .bytes = img->disk_bytes, .any_size = true };
	struct query_at at;
	unsigned i = 0;
	int r;

	q->disk_cnt = 1;
	r = volume_type_check(&w, &q->disk[0].volume, &c->fault);
	while (r == 0 && query_next(&c->in, "BlockDeviceMapping", &i, &at)) {
		mapping_read(c, &at, img, q);
		if (query_failed(&c->q))
			return -EINVAL;
	}
	return r < 0 ? r : ec2_volume_key_ready(c);
}
