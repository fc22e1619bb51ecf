/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An instance as DescribeInstances and RunInstances show it: every member of EC2's shape that means something here.
 * Clients take many of them for granted, Terraform without looking. This is the hottest writer of all: what is always
 * the same is written as text, rows are borrowed.
 */

#include <stdio.h>
#include <string.h>

#include "controller/ec2/instances.h"
#include "controller/net_text.h"

/* A literal of XML. */
#define RAW(x, s) xml_raw((x), (s), sizeof(s) - 1)

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

static void state_reason_xml(struct xml *x, const struct instance *i)
{
	char text[MODEL_CODE_MAX + MODEL_TEXT_MAX + 4];

	xml_str(x, "reason", i->reason);
	if (i->state == INSTANCE_PENDING) {
		RAW(x, "<stateReason><code>pending</code><message>pending</message></stateReason>");
		return;
	}
	if (!i->reason_code[0])
		return;
	snprintf(text, sizeof(text), "%s: %s", i->reason_code, i->reason);
	xml_open(x, "stateReason");
	xml_str(x, "code", i->reason_code);
	xml_str(x, "message", text);
	xml_close(x, "stateReason");
}

void metadata_options_xml(struct xml *x, const char *name, const struct instance *i)
{
	xml_open(x, name);
	RAW(x, "<state>applied</state><httpTokens>required</httpTokens>");
	xml_u64(x, "httpPutResponseHopLimit", i->imds_hop_limit);
	xml_str(x, "httpEndpoint", i->imds_enabled ? "enabled" : "disabled");
	RAW(x, "<httpProtocolIpv6>disabled</httpProtocolIpv6>");
	xml_str(x, "instanceMetadataTags", i->imds_tags ? "enabled" : "disabled");
	xml_close(x, name);
}

static void groups_xml(struct ec2_call *c, const struct interface *ni)
{
	const struct interface_group *m;
	struct xml *x = &c->out;
	struct store_iter it;

	xml_open(x, "groupSet");
	store_each_of(c->core->st, &tbl_interface_groups, "interface_id", ni->id, &it);
	while ((m = store_next(&it))) {
		const struct group *g = store_find(c->core->st, &tbl_groups, m->group_id);

		if (!g)
			continue;
		RAW(x, "<item>");
		xml_str(x, "groupId", g->id);
		xml_str(x, "groupName", g->name);
		RAW(x, "</item>");
	}
	xml_close(x, "groupSet");
}

static const char *attach_status(const struct volume *v)
{
	return v->state == VOLUME_CREATING ? "attaching"
	       : v->state == VOLUME_IN_USE ? "attached"
					   : "detaching";
}

static void volumes_xml(struct ec2_call *c, const struct instance *i)
{
	const struct volume *v[CTL_VOLUMES_MAX];
	size_t cnt = instance_volumes(c, i->id, v);
	struct xml *x = &c->out;

	xml_open(x, "blockDeviceMapping");
	for (size_t k = 0; k < cnt; k++) {
		if (v[k]->state == VOLUME_DELETING || v[k]->state == VOLUME_ERROR)
			continue;
		RAW(x, "<item>");
		xml_str(x, "deviceName", v[k]->device);
		RAW(x, "<ebs>");
		xml_str(x, "volumeId", v[k]->id);
		xml_str(x, "status", attach_status(v[k]));
		xml_time(x, "attachTime", v[k]->attached_ms);
		xml_bool(x, "deleteOnTermination", v[k]->delete_on_termination);
		RAW(x, "</ebs></item>");
	}
	xml_close(x, "blockDeviceMapping");
}

static void attachment_xml(struct xml *x, const struct interface *ni)
{
	RAW(x, "<attachment>");
	xml_str(x, "attachmentId", ni->attachment_id);
	xml_u64(x, "deviceIndex", ni->device_idx);
	RAW(x, "<networkCardIndex>0</networkCardIndex><status>attached</status>");
	xml_time(x, "attachTime", ni->attached_ms);
	xml_bool(x, "deleteOnTermination", ni->delete_on_termination);
	RAW(x, "</attachment>");
}

/* What is said of an interface in two places. */
static void address_xml(struct xml *x, const char *addr, const char *dns)
{
	xml_str(x, "privateIpAddress", addr);
	xml_str(x, "privateDnsName", dns);
}

static void interface_xml(struct ec2_call *c, const struct interface *ni)
{
	const struct subnet *s = store_find(c->core->st, &tbl_subnets, ni->subnet_id);
	const struct vpc *v = s ? store_find(c->core->st, &tbl_vpcs, s->vpc_id) : NULL;
	char dns[INSTANCE_DNS_MAX], addr[NET_IPV4_TEXT], mac[NET_MAC_TEXT];
	struct xml *x = &c->out;

	dns_text(dns, ni->addr, v);
	net_ipv4_text(addr, ni->addr);
	RAW(x, "<item>");
	xml_str(x, "networkInterfaceId", ni->id);
	xml_str(x, "subnetId", ni->subnet_id);
	xml_str(x, "vpcId", s ? s->vpc_id : "");
	xml_str(x, "description", ni->description);
	xml_str(x, "ownerId", ni->account);
	RAW(x, "<status>in-use</status>");
	xml_str(x, "macAddress", net_mac_text(mac, ni->mac));
	address_xml(x, addr, dns);
	xml_bool(x, "sourceDestCheck", ni->source_dest_check);
	groups_xml(c, ni);
	attachment_xml(x, ni);
	RAW(x, "<privateIpAddressesSet><item>");
	address_xml(x, addr, dns);
	RAW(x, "<primary>true</primary></item></privateIpAddressesSet><ipv6AddressesSet/>"
	       "<interfaceType>interface</interfaceType></item>");
}

static void interfaces_xml(struct ec2_call *c, const struct instance *i)
{
	const struct interface *ni;
	struct store_iter it;

	xml_open(&c->out, "networkInterfaceSet");
	store_each_of(c->core->st, &tbl_interfaces, "instance_id", i->id, &it);
	while ((ni = store_next(&it)))
		interface_xml(c, ni);
	xml_close(&c->out, "networkInterfaceSet");
}

/* Its primary interface seen from the instance. A terminated one has no address, and then no network either. */
static void place_xml(struct ec2_call *c, const struct interface *ni)
{
	const struct subnet *s = ni ? store_find(c->core->st, &tbl_subnets, ni->subnet_id) : NULL;
	char dns[INSTANCE_DNS_MAX], addr[NET_IPV4_TEXT];
	struct xml *x = &c->out;

	RAW(x, "<placement>");
	xml_str(x, "availabilityZone", c->core->place.zone);
	RAW(x, "<groupName/><tenancy>default</tenancy></placement><dnsName/>");
	if (!s) {
		RAW(x, "<privateDnsName/><groupSet/>");
		return;
	}
	xml_str(x, "privateDnsName",
		dns_text(dns, ni->addr, store_find(c->core->st, &tbl_vpcs, s->vpc_id)));
	xml_str(x, "privateIpAddress", net_ipv4_text(addr, ni->addr));
	xml_str(x, "subnetId", s->id);
	xml_str(x, "vpcId", s->vpc_id);
	xml_bool(x, "sourceDestCheck", ni->source_dest_check);
	groups_xml(c, ni);
}

static void machine_xml(struct xml *x, const struct instance *i)
{
	RAW(x, "<cpuOptions>");
	xml_u64(x, "coreCount", i->cores);
	xml_u64(x, "threadsPerCore", i->threads);
	RAW(x, "</cpuOptions>");
	xml_str(x, "clientToken", i->client_token);
	metadata_options_xml(x, "metadataOptions", i);
	RAW(x, "<monitoring><state>");
	if (i->monitored)
		RAW(x, "enabled");
	else
		RAW(x, "disabled");
	RAW(x, "</state></monitoring><enclaveOptions><enabled>");
	if (i->enclaves)
		RAW(x, "true");
	else
		RAW(x, "false");
	RAW(x, "</enabled></enclaveOptions>");
	xml_time(x, "usageOperationUpdateTime", i->created_ms);
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
	struct xml *x = &c->out;

	RAW(x, "<item>");
	xml_str(x, "instanceId", i->id);
	xml_str(x, "imageId", i->image_id);
	state_xml(x, "instanceState", i->state);
	state_reason_xml(x, i);
	xml_opt(x, "keyName", i->key_name);
	xml_u64(x, "amiLaunchIndex", i->launch_idx);
	xml_str(x, "instanceType", i->type);
	xml_time(x, "launchTime", i->launched_ms);
	place_xml(c, instance_interface(c, i->id));
	machine_xml(x, i);
	volumes_xml(c, i);
	interfaces_xml(c, i);
	tags_xml(c, i->id, true);
	RAW(x, constants);
	RAW(x, "</item>");
}

void reservation_begin(struct ec2_call *c, const struct instance *i)
{
	struct xml *x = &c->out;

	xml_str(x, "reservationId", i->reservation_id);
	xml_str(x, "ownerId", i->account);
	RAW(x, "<groupSet/><instancesSet>");
}

void reservation_end(struct ec2_call *c)
{
	RAW(&c->out, "</instancesSet>");
}
