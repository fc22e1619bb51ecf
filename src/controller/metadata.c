/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tree of EC2's metadata service: the paths cloud-init's EC2 data source walks. What does not exist
 * (a public address, tags, a role) is left out, because cloud-init asks again and again for a listed name that is 404.
 */

#include "controller/metadata.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "controller/net_text.h"

enum { VALUE_MAX = 4096, GROUPS_MAX = 1536, PATH_ROOM = 64 };

/* Where items go, and the first error, after which nothing more is said. */
struct out {
	metadata_item_fn *item;
	void *ptr;
	int err;
};

static void put(struct out *o, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void put(struct out *o, const char *path, const char *fmt, ...)
{
	char value[VALUE_MAX];
	va_list ap;
	int len;

	if (o->err < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	must(len >= 0 &&
	     (size_t)len < sizeof(value)); /* the longest is a document of bounded names */
	o->err = o->item(o->ptr, path, value, (size_t)len);
}

static void put_constants(struct out *o, const struct place *place)
{
	put(o, "meta-data/ami-manifest-path", "(unknown)");
	put(o, "meta-data/events/maintenance/history", "[]");
	put(o, "meta-data/events/maintenance/scheduled", "[]");
	put(o, "meta-data/instance-action", "none");
	put(o, "meta-data/instance-life-cycle", "on-demand");
	put(o, "meta-data/placement/availability-zone", "%s", place->zone);
	put(o, "meta-data/placement/availability-zone-id", "%s", place->zone_id);
	put(o, "meta-data/placement/region", "%s", place->region);
	put(o, "meta-data/profile", "default-hvm");
	put(o, "meta-data/services/domain", "amazonaws.com");
	put(o, "meta-data/services/partition", "aws");
	put(o, "meta-data/system", "nitro");
	put(o, "dynamic/fws/instance-monitoring", "disabled");
}

/* Device names as EC2 shows them: "ami" and "root" are the root volume's, the others are numbered. */
static void put_devices(struct out *o, const struct metadata_source *s)
{
	unsigned others = 0;

	for (size_t k = 0; k < s->volume_cnt; k++) {
		const struct volume *v = &s->volume[k];
		char path[CTL_PATH_MAX];

		if (strcmp(v->instance_id, s->instance->id) != 0)
			continue;
		if (v->device_idx == 0) {
			put(o, "meta-data/block-device-mapping/ami", "%s", v->device);
			put(o, "meta-data/block-device-mapping/root", "%s", v->device);
			continue;
		}
		snprintf(path, sizeof(path), "meta-data/block-device-mapping/ebs%u", ++others);
		put(o, path, "%s", v->device);
	}
}

/* The groups of @ni, one a line: their names, or their ids. */
static const char *group_lines(char *buf, size_t cap, const struct net *n,
			       const struct interface *ni, bool ids)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t k = 0; k < n->group_cnt; k++) {
		const char *word = ids ? n->group[k].id : n->group[k].name;

		if (!net_is_member(n, ni->id, n->group[k].id) || len + strlen(word) + 2 > cap)
			continue;
		len += (size_t)snprintf(buf + len, cap - len, "%s%s", len ? "\n" : "", word);
	}
	return buf;
}

static void put_interface(struct out *o, const struct metadata_source *s,
			  const struct interface *ni)
{
	const struct subnet *sub = net_subnet_find(s->net, ni->subnet_id);
	const struct vpc *v = net_vpc_of(s->net, ni);
	char base[CTL_PATH_MAX], path[CTL_PATH_MAX], mac[NET_MAC_TEXT], addr[NET_IPV4_TEXT],
		host[CTL_NAME_MAX];
	char names[GROUPS_MAX], ids[GROUPS_MAX], subnet[NET_CIDR_TEXT], vpc[NET_CIDR_TEXT],
		number[16], fqdn[160];

	if (!sub || !v) {
		o->err = -EUCLEAN;
		return;
	}
	net_mac_text(mac, ni->mac);
	snprintf(number, sizeof(number), "%u", ni->device_idx);
	snprintf(fqdn, sizeof(fqdn), "%s.%s", net_hostname(host, ni->addr), v->domain);
	{
		const struct {
			const char *name, *value;
		} all[] = {
			{ "device-number", number },
			{ "interface-id", ni->id },
			{ "local-hostname", fqdn },
			{ "local-ipv4s", net_ipv4_text(addr, ni->addr) },
			{ "mac", mac },
			{ "network-card", "0" },
			{ "owner-id", ni->account },
			{ "security-group-ids", group_lines(ids, sizeof(ids), s->net, ni, true) },
			{ "security-groups", group_lines(names, sizeof(names), s->net, ni, false) },
			{ "subnet-id", sub->id },
			{ "subnet-ipv4-cidr-block", net_cidr_text(subnet, sub->addr, sub->prefix) },
			{ "vpc-id", v->id },
			{ "vpc-ipv4-cidr-block", net_cidr_text(vpc, v->addr, v->prefix) },
			{ "vpc-ipv4-cidr-blocks", vpc },
		};

		snprintf(base, sizeof(base), "meta-data/network/interfaces/macs/%s", mac);
		for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
			snprintf(path, sizeof(path), "%.*s/%s", CTL_PATH_MAX - PATH_ROOM, base,
				 all[k].name);
			put(o, path, "%s", all[k].value);
		}
	}
}

static void put_primary(struct out *o, const struct metadata_source *s, const struct interface *ni)
{
	const struct vpc *v = net_vpc_of(s->net, ni);
	char mac[NET_MAC_TEXT], addr[NET_IPV4_TEXT], host[CTL_NAME_MAX], names[GROUPS_MAX];

	if (!v) {
		o->err = -EUCLEAN;
		return;
	}
	net_hostname(host, ni->addr);
	put(o, "meta-data/ami-id", "%s", s->instance->image_id);
	put(o, "meta-data/hostname", "%s.%s", host, v->domain);
	put(o, "meta-data/instance-id", "%s", s->instance->id);
	put(o, "meta-data/instance-type", "%s", s->instance->type);
	put(o, "meta-data/local-hostname", "%s.%s", host, v->domain);
	put(o, "meta-data/local-ipv4", "%s", net_ipv4_text(addr, ni->addr));
	put(o, "meta-data/mac", "%s", net_mac_text(mac, ni->mac));
	put(o, "meta-data/ami-launch-index", "%u", s->instance->launch_idx);
	put(o, "meta-data/reservation-id", "%s", s->instance->reservation_id);
	put(o, "meta-data/security-groups", "%s",
	    group_lines(names, sizeof(names), s->net, ni, false));
}

/* EC2's members in EC2's order; what is signed is these bytes. */
static void put_document(struct out *o, const struct metadata_source *s, const struct interface *ni)
{
	time_t launched = (time_t)(s->instance->launched_ms / 1000);
	char when[32] = "", addr[NET_IPV4_TEXT];
	struct tm tm;

	if (gmtime_r(&launched, &tm))
		(void)!strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put(o, "dynamic/instance-identity/document",
	    "{\n"
	    "  \"accountId\" : \"%s\",\n"
	    "  \"architecture\" : \"x86_64\",\n"
	    "  \"availabilityZone\" : \"%s\",\n"
	    "  \"billingProducts\" : null,\n"
	    "  \"devpayProductCodes\" : null,\n"
	    "  \"marketplaceProductCodes\" : null,\n"
	    "  \"imageId\" : \"%s\",\n"
	    "  \"instanceId\" : \"%s\",\n"
	    "  \"instanceType\" : \"%s\",\n"
	    "  \"kernelId\" : null,\n"
	    "  \"pendingTime\" : \"%s\",\n"
	    "  \"privateIp\" : \"%s\",\n"
	    "  \"ramdiskId\" : null,\n"
	    "  \"region\" : \"%s\",\n"
	    "  \"version\" : \"2017-09-30\"\n"
	    "}",
	    s->instance->account, s->place->zone, s->instance->image_id, s->instance->id,
	    s->instance->type, when, net_ipv4_text(addr, ni->addr), s->place->region);
}

static void put_data(struct out *o, const struct launch_data *d)
{
	if (d->key_name[0]) {
		put(o, "meta-data/public-keys", "0=%s", d->key_name);
		put(o, "meta-data/public-keys/0/openssh-key", "%s", d->public_key);
	}
	if (d->user_data.len && o->err == 0)
		o->err = o->item(o->ptr, "user-data", d->user_data.b, d->user_data.len);
}

bool metadata_tag_valid(const char *key)
{
	size_t n = strlen(key);

	return n > 0 && strcmp(key, ".") != 0 && strcmp(key, "..") != 0 &&
	       strcmp(key, "_index") != 0 &&
	       strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			   "+-=._:@,") == n;
}

static void put_tags(struct out *o, const struct metadata_source *s)
{
	char path[CTL_PATH_MAX];

	for (size_t k = 0; k < s->tag_cnt; k++) {
		if (!metadata_tag_valid(s->tag[k].key))
			continue;
		snprintf(path, sizeof(path), "meta-data/tags/instance/%.190s", s->tag[k].key);
		put(o, path, "%s", s->tag[k].value);
	}
}

int metadata_items(const struct metadata_source *s, metadata_item_fn *item, void *ptr)
{
	const struct interface *primary = net_interface_of(s->net, s->instance->id);
	struct out o = { item, ptr, 0 };

	if (!primary)
		return -EUCLEAN;
	put_constants(&o, s->place);
	put_primary(&o, s, primary);
	put_devices(&o, s);
	for (size_t k = 0; k < s->net->interface_cnt; k++)
		if (strcmp(s->net->interface[k].instance_id, s->instance->id) == 0)
			put_interface(&o, s, &s->net->interface[k]);
	put_document(&o, s, primary);
	if (s->data)
		put_data(&o, s->data);
	if (s->instance->imds_tags)
		put_tags(&o, s);
	return o.err;
}
