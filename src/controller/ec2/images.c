/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Images. Those of the operator's account are public: every account sees them, can launch them, and finds them under the
 * owners "niter" and "amazon", which stock tools ask for when they mean "whoever runs this cloud". Images of other
 * accounts are seen by their owner alone. Images come from niter image add; making them here comes with snapshots.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "controller/ec2/call_priv.h"
#include "controller/ec2/images.h"
#include "controller/ec2/networks.h"
#include "controller/ec2/tags.h"

enum { PEOPLE_MAX = 100 };

#define ALIAS "niter"
#define ALIAS_STOCK "amazon"

static bool image_public(const struct image *i)
{
	return strcmp(i->account, MODEL_ACCOUNT_DEFAULT) == 0;
}

bool ec2_image_visible(const struct ec2_call *c, const struct image *i)
{
	return image_public(i) || strcmp(i->account, c->account) == 0;
}

static uint64_t size_gib(const struct image *i)
{
	return i->disk_bytes / GIB + (i->disk_bytes % GIB != 0);
}

static void mapping_xml(struct xml *x, const struct image *i)
{
	xml_open(x, "blockDeviceMapping");
	xml_open(x, "item");
	xml_str(x, "deviceName", CORE_ROOT_DEVICE);
	xml_open(x, "ebs");
	xml_u64(x, "volumeSize", size_gib(i));
	xml_bool(x, "deleteOnTermination", true);
	xml_str(x, "volumeType", "gp3");
	xml_bool(x, "encrypted", true);
	xml_close(x, "ebs");
	xml_close(x, "item");
	xml_close(x, "blockDeviceMapping");
}

static const char *location(const struct image *i, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s/%s", i->account, i->name);
	return buf;
}

static void image_xml(struct ec2_call *c, const void *row)
{
	const struct image *i = row;
	char buf[CTL_ID_MAX + MODEL_NAME_MAX];
	struct xml *x = &c->out;

	xml_str(x, "imageId", i->id);
	xml_str(x, "imageLocation", location(i, buf, sizeof(buf)));
	xml_str(x, "imageState", "available");
	xml_str(x, "imageOwnerId", i->account);
	if (image_public(i))
		xml_str(x, "imageOwnerAlias", ALIAS);
	xml_time(x, "creationDate", i->created_ms);
	xml_bool(x, "isPublic", image_public(i));
	xml_empty(x, "productCodes");
	xml_str(x, "architecture", i->architecture);
	xml_str(x, "imageType", "machine");
	xml_str(x, "name", i->name);
	xml_str(x, "platformDetails", "Linux/UNIX");
	xml_str(x, "usageOperation", "RunInstances");
	xml_str(x, "rootDeviceType", "ebs");
	xml_str(x, "rootDeviceName", CORE_ROOT_DEVICE);
	mapping_xml(x, i);
	xml_str(x, "virtualizationType", "hvm");
	xml_str(x, "hypervisor", "xen");
	xml_bool(x, "enaSupport", true);
	xml_str(x, "imdsSupport", "v2.0");
	tags_xml(c, i->id, true);
}

static bool twelve_digits(const char *s)
{
	return strlen(s) == 12 && strspn(s, "0123456789") == 12;
}

/* Is one of Owner.N the owner of @i? Without any: yes. */
static bool owner_asked(struct ec2_call *c, const struct image *i)
{
	bool any = false;
	const char *o;
	unsigned k = 0;

	while ((o = query_next_str(&c->in, "Owner", &k))) {
		any = true;
		if (strcmp(o, i->account) == 0 ||
		    (strcmp(o, "self") == 0 && strcmp(i->account, c->account) == 0) ||
		    ((strcmp(o, ALIAS) == 0 || strcmp(o, ALIAS_STOCK) == 0) && image_public(i)))
			return true;
	}
	return !any;
}

/* ExecutableBy.N: "all" are the public ones, "self" and accounts are launch permissions, of which there are none. */
static bool executable_asked(struct ec2_call *c, const struct image *i)
{
	bool any = false;
	const char *o;
	unsigned k = 0;

	while ((o = query_next_str(&c->in, "ExecutableBy", &k))) {
		any = true;
		if (strcmp(o, "all") == 0 && image_public(i))
			return true;
	}
	return !any;
}

static bool image_asked(struct ec2_call *c, const void *row)
{
	return ec2_image_visible(c, row) && owner_asked(c, row) && executable_asked(c, row);
}

static int people_check(struct ec2_call *c, const char *param, const char *words)
{
	char safe[96];
	const char *o;
	unsigned k = 0, cnt = 0;

	while ((o = query_next_str(&c->in, param, &k))) {
		if (cnt++ == PEOPLE_MAX) /* each image is compared with all of them */
			return ec2_refuse(c, "InvalidParameterValue", "At most %d of %s.N",
					  PEOPLE_MAX, param);
		if (twelve_digits(o) || ec2_word_in(words, o))
			continue;
		log_escape(safe, sizeof(safe), o, strlen(o));
		return ec2_refuse(c, "InvalidUserID.Malformed", "Invalid user id: \"%s\"", safe);
	}
	return 0;
}

#define GETTER(name, what)                                                                         \
	static void get_##name(struct ec2_call *c, const void *o, struct filter_emit *e)           \
	{                                                                                          \
		const struct image *i = o;                                                         \
                                                                                                   \
		(void)c;                                                                           \
		(void)i;                                                                           \
		what;                                                                              \
	}

GETTER(id, filter_str(e, i->id))
GETTER(name, filter_str(e, i->name))
GETTER(description, filter_str(e, ""))
GETTER(state, filter_str(e, "available"))
GETTER(architecture, filter_str(e, i->architecture))
GETTER(owner, filter_str(e, i->account))
GETTER(public, filter_bool(e, image_public(i)))
GETTER(root_type, filter_str(e, "ebs"))
GETTER(root_name, filter_str(e, CORE_ROOT_DEVICE))
GETTER(virtualization, filter_str(e, "hvm"))
GETTER(hypervisor, filter_str(e, "xen"))
GETTER(type, filter_str(e, "machine"))
GETTER(created, filter_time(e, i->created_ms))
GETTER(ena, filter_bool(e, true))
GETTER(size, filter_u64(e, size_gib(i)))
GETTER(volume_type, filter_str(e, "gp3"))
GETTER(yes, filter_bool(e, true))
GETTER(none, filter_str(e, NULL))

static void get_alias(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (!image_public(o))
		return;
	filter_str(e, ALIAS);
	filter_str(e, ALIAS_STOCK);
}

static const struct filter_def image_filters[] = {
	{ "image-id", get_id },
	{ "name", get_name },
	{ "description", get_description },
	{ "state", get_state },
	{ "architecture", get_architecture },
	{ "owner-id", get_owner },
	{ "owner-alias", get_alias },
	{ "is-public", get_public },
	{ "root-device-type", get_root_type },
	{ "root-device-name", get_root_name },
	{ "virtualization-type", get_virtualization },
	{ "hypervisor", get_hypervisor },
	{ "image-type", get_type },
	{ "platform", get_none }, /* only Windows has one */
	{ "creation-date", get_created },
	{ "source-instance-id", get_none },
	{ "ena-support", get_ena },
	{ "block-device-mapping.snapshot-id", get_none },
	{ "block-device-mapping.volume-size", get_size },
	{ "block-device-mapping.device-name", get_root_name },
	{ "block-device-mapping.volume-type", get_volume_type },
	{ "block-device-mapping.encrypted", get_yes },
	{ "block-device-mapping.delete-on-termination", get_yes },
	{ .name = NULL },
};

static const char *row_id(const void *row, char buf[EC2_ID_TEXT])
{
	(void)buf;
	return ((const struct image *)row)->id;
}

static uint64_t row_created(const void *row)
{
	return ((const struct image *)row)->created_ms;
}

static int describe_images(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "ImageId",
		.kind = ID_IMAGE,
		.set = "imagesSet",
		.table = &tbl_images,
		.filter = image_filters,
		.mine = image_asked,
		.id = row_id,
		.created_ms = row_created,
		.write = image_xml,
	};
	int r;

	/* No image is deprecated or disabled. */
	(void)query_bool(&c->in, "IncludeDeprecated", false);
	(void)query_bool(&c->in, "IncludeDisabled", false);
	r = people_check(c, "Owner",
			 "self aws-marketplace aws-backup-vault " ALIAS " " ALIAS_STOCK);
	if (r == 0)
		r = people_check(c, "ExecutableBy", "self all");
	return r < 0 ? r : ec2_describe(c, &d);
}

const struct ec2_action ec2_image_actions[] = {
	{ .name = "DescribeImages", .fn = describe_images },
	{ .name = NULL },
};
