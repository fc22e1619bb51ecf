/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An instance as DescribeInstances and RunInstances show it: every member of EC2's shape that means something here.
 * Clients take many of them for granted, Terraform without looking.
 *
 * This is the hottest writer of all, so it has its own buffer: what is always the same is copied as text of known
 * length, each row is looked up once and borrowed, and names and ids, which need no escaping, are not looked through.
 * What people wrote goes through xml_str(), after what is in the buffer.
 */

#include <stdio.h>
#include <string.h>

#include "controller/core_net.h"
#include "controller/ec2/instances.h"
#include "controller/net_text.h"

struct fast {
	struct xml *x;
	size_t len;
	uint64_t time_ms; /* of time_text; 0: none */
	char time_text[XML_TIME_MAX];
	char b[4096];
};

static void flush(struct fast *f)
{
	xml_raw(f->x, f->b, f->len);
	f->len = 0;
}

static inline void put(struct fast *f, const char *s, size_t n)
{
	if (n > sizeof(f->b) - f->len)
		flush(f);
	memcpy(f->b + f->len, s, n);
	f->len += n;
}

/* A literal of XML. */
#define LIT(f, s) put((f), (s), sizeof(s) - 1)

/* Ids, names of types and states: short, and nothing in them needs escaping. */
static void word(struct fast *f, const char *s)
{
	put(f, s, strlen(s));
}

#define WORD(f, name, s)                                                                           \
	do {                                                                                       \
		LIT(f, "<" name ">");                                                              \
		word(f, s);                                                                        \
		LIT(f, "</" name ">");                                                             \
	} while (0)

#define BOOL(f, name, v)                                                                           \
	do {                                                                                       \
		if (v)                                                                             \
			LIT(f, "<" name ">true</" name ">");                                       \
		else                                                                               \
			LIT(f, "<" name ">false</" name ">");                                      \
	} while (0)

/* What people wrote. */
static void text(struct fast *f, const char *name, const char *s)
{
	flush(f);
	xml_str(f->x, name, s);
}

static void number(struct fast *f, unsigned v)
{
	char digits[12];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	put(f, digits + at, sizeof(digits) - at);
}

#define NUMBER(f, name, v)                                                                         \
	do {                                                                                       \
		LIT(f, "<" name ">");                                                              \
		number(f, v);                                                                      \
		LIT(f, "</" name ">");                                                             \
	} while (0)

/* Times of one instance are often the same. */
static void time_put(struct fast *f, uint64_t ms)
{
	if (ms != f->time_ms) {
		xml_time_text(ms, f->time_text);
		f->time_ms = ms;
	}
	put(f, f->time_text, XML_TIME_MAX - 1);
}

#define TIME(f, name, ms)                                                                          \
	do {                                                                                       \
		LIT(f, "<" name ">");                                                              \
		time_put(f, ms);                                                                   \
		LIT(f, "</" name ">");                                                             \
	} while (0)

static void addr_put(struct fast *f, uint32_t addr, const char *sep)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		number(f, addr >> shift & 255);
		if (shift)
			put(f, sep, 1);
	}
}

size_t instance_volumes(struct ec2_call *c, const char *instance_id,
			const struct volume *ret[CTL_VOLUMES_MAX])
{
	const struct volume *v;
	struct store_iter it;
	size_t cnt = 0, at;

	store_each_of(c->core->st, &tbl_volumes, "instance_id", instance_id, &it);
	while (cnt < CTL_VOLUMES_MAX && (v = store_next(&it))) {
		for (at = cnt++; at > 0 && ret[at - 1]->device_idx > v->device_idx; at--)
			ret[at] = ret[at - 1];
		ret[at] = v;
	}
	return cnt;
}

const struct interface *instance_interface(struct ec2_call *c, const char *instance_id)
{
	const struct interface *ni;
	struct store_iter it;

	store_each_of(c->core->st, &tbl_interfaces, "instance_id", instance_id, &it);
	while ((ni = store_next(&it)))
		if (ni->device_idx == 0)
			return ni;
	return NULL;
}

static const char *dns_text(char ret[INSTANCE_DNS_MAX], uint32_t addr, const struct vpc *v)
{
	char host[CTL_NAME_MAX];

	snprintf(ret, INSTANCE_DNS_MAX, "%s.%s", net_hostname(host, addr), v ? v->domain : "");
	return ret;
}

const char *instance_dns(struct ec2_call *c, const struct interface *ni, char ret[INSTANCE_DNS_MAX])
{
	const struct subnet *s = store_find(c->core->st, &tbl_subnets, ni->subnet_id);

	return dns_text(ret, ni->addr, s ? store_find(c->core->st, &tbl_vpcs, s->vpc_id) : NULL);
}

void state_xml(struct xml *x, const char *name, enum instance_state s)
{
	xml_open(x, name);
	xml_u64(x, "code", (uint64_t)s);
	xml_str(x, "name", instance_state_name(s));
	xml_close(x, name);
}

void metadata_options_xml(struct xml *x, const char *name, const struct instance *i)
{
	xml_open(x, name);
	xml_str(x, "state", "applied");
	xml_str(x, "httpTokens", "required");
	xml_u64(x, "httpPutResponseHopLimit", i->imds_hop_limit);
	xml_str(x, "httpEndpoint", i->imds_enabled ? "enabled" : "disabled");
	xml_str(x, "httpProtocolIpv6", "disabled");
	xml_str(x, "instanceMetadataTags", i->imds_tags ? "enabled" : "disabled");
	xml_close(x, name);
}

/* An interface with what it stands in. */
struct place_of {
	const struct interface *ni; /* NULL: a terminated instance has none */
	const struct subnet *subnet;
	const struct vpc *vpc;
	const struct group *group[NET_INTERFACE_GROUPS_MAX];
	size_t group_cnt;
};

static void place_find(struct ec2_call *c, const struct interface *ni, struct place_of *ret)
{
	const struct interface_group *m;
	struct store *st = c->core->st;
	struct store_iter it;

	ret->ni = ni;
	ret->group_cnt = 0;
	ret->subnet = store_find(st, &tbl_subnets, ni->subnet_id);
	ret->vpc = ret->subnet ? store_find(st, &tbl_vpcs, ret->subnet->vpc_id) : NULL;
	store_each_of(st, &tbl_interface_groups, "interface_id", ni->id, &it);
	while (ret->group_cnt < NET_INTERFACE_GROUPS_MAX && (m = store_next(&it))) {
		const struct group *g = store_find(st, &tbl_groups, m->group_id);

		if (g)
			ret->group[ret->group_cnt++] = g;
	}
}

static void state_put(struct fast *f, const struct instance *i)
{
	char message[MODEL_CODE_MAX + MODEL_TEXT_MAX + 4];

	LIT(f, "<instanceState><code>");
	number(f, (unsigned)i->state);
	LIT(f, "</code><name>");
	word(f, instance_state_name(i->state));
	LIT(f, "</name></instanceState>");
	if (i->reason[0])
		text(f, "reason", i->reason);
	else
		LIT(f, "<reason/>");
	if (i->state == INSTANCE_PENDING)
		LIT(f, "<stateReason><code>pending</code><message>pending</message></stateReason>");
	if (i->state == INSTANCE_PENDING || !i->reason_code[0])
		return;
	snprintf(message, sizeof(message), "%s: %s", i->reason_code, i->reason);
	LIT(f, "<stateReason>");
	WORD(f, "code", i->reason_code);
	text(f, "message", message);
	LIT(f, "</stateReason>");
}

static void groups_put(struct fast *f, const struct place_of *p)
{
	LIT(f, "<groupSet>");
	for (size_t k = 0; k < p->group_cnt; k++) {
		LIT(f, "<item>");
		WORD(f, "groupId", p->group[k]->id);
		if (strcmp(p->group[k]->name, "default") == 0)
			LIT(f, "<groupName>default</groupName>");
		else
			text(f, "groupName", p->group[k]->name);
		LIT(f, "</item>");
	}
	LIT(f, "</groupSet>");
}

static const char *attach_status(const struct volume *v)
{
	return v->state == VOLUME_CREATING ? "attaching"
	       : v->state == VOLUME_IN_USE ? "attached"
					   : "detaching";
}

static void volumes_put(struct ec2_call *c, struct fast *f, const struct instance *i)
{
	const struct volume *v[CTL_VOLUMES_MAX];
	size_t cnt = instance_volumes(c, i->id, v);

	LIT(f, "<blockDeviceMapping>");
	for (size_t k = 0; k < cnt; k++) {
		if (v[k]->state == VOLUME_DELETING || v[k]->state == VOLUME_ERROR)
			continue;
		LIT(f, "<item>");
		WORD(f, "deviceName", v[k]->device);
		LIT(f, "<ebs>");
		WORD(f, "volumeId", v[k]->id);
		WORD(f, "status", attach_status(v[k]));
		TIME(f, "attachTime", v[k]->attached_ms);
		BOOL(f, "deleteOnTermination", v[k]->delete_on_termination);
		LIT(f, "</ebs></item>");
	}
	LIT(f, "</blockDeviceMapping>");
}

/* What is said of an interface in three places. */
static void address_put(struct fast *f, const struct place_of *p)
{
	LIT(f, "<privateIpAddress>");
	addr_put(f, p->ni->addr, ".");
	LIT(f, "</privateIpAddress><privateDnsName>ip-");
	addr_put(f, p->ni->addr, "-");
	LIT(f, ".");
	word(f, p->vpc ? p->vpc->domain : "");
	LIT(f, "</privateDnsName>");
}

static void attachment_put(struct fast *f, const struct interface *ni)
{
	LIT(f, "<attachment>");
	WORD(f, "attachmentId", ni->attachment_id);
	NUMBER(f, "deviceIndex", ni->device_idx);
	LIT(f, "<networkCardIndex>0</networkCardIndex><status>attached</status>");
	TIME(f, "attachTime", ni->attached_ms);
	BOOL(f, "deleteOnTermination", ni->delete_on_termination);
	LIT(f, "</attachment>");
}

static void interface_put(struct fast *f, const struct place_of *p)
{
	const struct interface *ni = p->ni;
	char mac[NET_MAC_TEXT];

	LIT(f, "<item>");
	WORD(f, "networkInterfaceId", ni->id);
	WORD(f, "subnetId", ni->subnet_id);
	WORD(f, "vpcId", p->subnet ? p->subnet->vpc_id : "");
	if (ni->description[0])
		text(f, "description", ni->description);
	else
		LIT(f, "<description/>");
	WORD(f, "ownerId", ni->account);
	LIT(f, "<status>in-use</status>");
	WORD(f, "macAddress", net_mac_text(mac, ni->mac));
	address_put(f, p);
	BOOL(f, "sourceDestCheck", ni->source_dest_check);
	groups_put(f, p);
	attachment_put(f, ni);
	LIT(f, "<privateIpAddressesSet><item>");
	address_put(f, p);
	LIT(f, "<primary>true</primary></item></privateIpAddressesSet><ipv6AddressesSet/>"
	       "<interfaceType>interface</interfaceType></item>");
}

/* Its primary interface seen from the instance, and all of them. */
static void network_put(struct ec2_call *c, struct fast *f, const struct instance *i)
{
	struct place_of p, primary = { .ni = NULL };
	const struct interface *ni;
	struct store_iter it;

	LIT(f, "<networkInterfaceSet>");
	store_each_of(c->core->st, &tbl_interfaces, "instance_id", i->id, &it);
	while ((ni = store_next(&it))) {
		place_find(c, ni, &p);
		interface_put(f, &p);
		if (ni->device_idx == 0)
			primary = p;
	}
	LIT(f, "</networkInterfaceSet>");
	if (!primary.subnet) {
		LIT(f, "<privateDnsName/><groupSet/>");
		return;
	}
	address_put(f, &primary);
	WORD(f, "subnetId", primary.subnet->id);
	WORD(f, "vpcId", primary.subnet->vpc_id);
	BOOL(f, "sourceDestCheck", primary.ni->source_dest_check);
	groups_put(f, &primary);
}

static void machine_put(struct fast *f, const struct instance *i)
{
	LIT(f, "<cpuOptions>");
	NUMBER(f, "coreCount", i->cores);
	NUMBER(f, "threadsPerCore", i->threads);
	LIT(f, "</cpuOptions><metadataOptions><state>applied</state>"
	       "<httpTokens>required</httpTokens>");
	NUMBER(f, "httpPutResponseHopLimit", i->imds_hop_limit);
	WORD(f, "httpEndpoint", i->imds_enabled ? "enabled" : "disabled");
	LIT(f, "<httpProtocolIpv6>disabled</httpProtocolIpv6>");
	WORD(f, "instanceMetadataTags", i->imds_tags ? "enabled" : "disabled");
	LIT(f, "</metadataOptions><monitoring>");
	WORD(f, "state", i->monitored ? "enabled" : "disabled");
	LIT(f, "</monitoring><enclaveOptions>");
	BOOL(f, "enabled", i->enclaves);
	LIT(f, "</enclaveOptions>");
	TIME(f, "usageOperationUpdateTime", i->created_ms);
}

/* The same for every instance of this product. */
static const char constants[] =
	"<productCodes/><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType>"
	"<rootDeviceName>" CORE_ROOT_DEVICE "</rootDeviceName>"
	"<virtualizationType>hvm</virtualizationType><hypervisor>xen</hypervisor>"
	"<ebsOptimized>false</ebsOptimized><enaSupport>true</enaSupport>"
	"<capacityReservationSpecification><capacityReservationPreference>open"
	"</capacityReservationPreference></capacityReservationSpecification>"
	"<hibernationOptions><configured>false</configured></hibernationOptions>"
	"<currentInstanceBootMode>legacy-bios</currentInstanceBootMode>"
	"<platformDetails>Linux/UNIX</platformDetails><usageOperation>RunInstances</usageOperation>"
	"<privateDnsNameOptions><hostnameType>ip-name</hostnameType>"
	"<enableResourceNameDnsARecord>false</enableResourceNameDnsARecord>"
	"<enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord>"
	"</privateDnsNameOptions><maintenanceOptions><autoRecovery>default</autoRecovery>"
	"</maintenanceOptions>";

void instance_xml(struct ec2_call *c, const struct instance *i)
{
	struct fast fast, *f = &fast;

	f->x = &c->out;
	f->len = 0;
	f->time_ms = 0;
	LIT(f, "<item>");
	WORD(f, "instanceId", i->id);
	WORD(f, "imageId", i->image_id);
	state_put(f, i);
	if (i->key_name[0])
		text(f, "keyName", i->key_name);
	NUMBER(f, "amiLaunchIndex", i->launch_idx);
	WORD(f, "instanceType", i->type);
	TIME(f, "launchTime", i->launched_ms);
	LIT(f, "<placement>");
	WORD(f, "availabilityZone", c->core->place.zone);
	LIT(f, "<groupName/><tenancy>default</tenancy></placement><dnsName/>");
	if (i->client_token[0])
		text(f, "clientToken", i->client_token);
	else
		LIT(f, "<clientToken/>");
	machine_put(f, i);
	network_put(c, f, i);
	volumes_put(c, f, i);
	LIT(f, constants);
	flush(f);
	tags_xml(c, i->id, true);
	xml_close(f->x, "item");
}

void reservation_begin(struct ec2_call *c, const struct instance *i)
{
	struct xml *x = &c->out;

	xml_str(x, "reservationId", i->reservation_id);
	xml_str(x, "ownerId", i->account);
	xml_empty(x, "groupSet");
	xml_open(x, "instancesSet");
}

void reservation_end(struct ec2_call *c)
{
	xml_close(&c->out, "instancesSet");
}
