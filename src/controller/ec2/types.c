/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DescribeInstanceTypes and DescribeInstanceTypeOfferings: the table of controller/types.c in EC2's words. What is said is
 * true here (one interface, no instance store, no hibernation), not what Amazon's machines can do.
 */

#include "controller/types.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/call.h"
#include "controller/ec2/filter.h"
#include "controller/ec2/page.h"

enum { PAGE_MIN = 5, TYPES_MAX = 100, OFFERINGS_MAX = 1000, INTERFACES_MAX = 1, THREADS_MAX = 2 };

#define RAW(x, s) xml_raw((x), (s), sizeof(s) - 1)

static bool burstable(const struct instance_type *t)
{
	return t->name[0] == 't';
}

static bool free_tier(const struct instance_type *t)
{
	return strcmp(t->name, "t3.micro") == 0;
}

/* "Up to 5 Gigabit", "25 Gigabit". */
static const char *performance(char ret[32], const struct instance_type *t)
{
	unsigned tenths = t->net_mbit_burst / 100;

	if (tenths % 10)
		snprintf(ret, 32, "%s%u.%u Gigabit",
			 t->net_mbit_baseline < t->net_mbit_burst ? "Up to " : "", tenths / 10,
			 tenths % 10);
	else
		snprintf(ret, 32, "%s%u Gigabit",
			 t->net_mbit_baseline < t->net_mbit_burst ? "Up to " : "", tenths / 10);
	return ret;
}

static void gbps_xml(struct xml *x, const char *name, unsigned mbit)
{
	char text[16];

	snprintf(text, sizeof(text), "%u.%03u", mbit / 1000, mbit % 1000);
	xml_str(x, name, text);
}

static void cpus_xml(struct xml *x, const struct instance_type *t)
{
	RAW(x, "<processorInfo><supportedArchitectures><item>x86_64</item></supportedArchitectures>"
	       "</processorInfo><vCpuInfo>");
	xml_u64(x, "defaultVCpus", t->vcpus);
	xml_u64(x, "defaultCores", t->vcpus / 2U);
	RAW(x, "<defaultThreadsPerCore>2</defaultThreadsPerCore><validCores>");
	for (unsigned k = 1; k <= t->vcpus / 2U; k++)
		xml_u64(x, "item", k);
	RAW(x,
	    "</validCores><validThreadsPerCore><item>1</item><item>2</item></validThreadsPerCore>"
	    "</vCpuInfo>");
}

static void network_xml(struct xml *x, const struct instance_type *t)
{
	char text[32];

	performance(text, t);
	RAW(x, "<networkInfo>");
	xml_str(x, "networkPerformance", text);
	xml_u64(x, "maximumNetworkInterfaces", INTERFACES_MAX);
	RAW(x, "<maximumNetworkCards>1</maximumNetworkCards>"
	       "<defaultNetworkCardIndex>0</defaultNetworkCardIndex><networkCards><item>"
	       "<networkCardIndex>0</networkCardIndex>");
	xml_str(x, "networkPerformance", text);
	xml_u64(x, "maximumNetworkInterfaces", INTERFACES_MAX);
	gbps_xml(x, "baselineBandwidthInGbps", t->net_mbit_baseline);
	gbps_xml(x, "peakBandwidthInGbps", t->net_mbit_burst);
	RAW(x, "</item></networkCards><ipv4AddressesPerInterface>1</ipv4AddressesPerInterface>"
	       "<ipv6AddressesPerInterface>0</ipv6AddressesPerInterface>"
	       "<ipv6Supported>false</ipv6Supported><enaSupport>required</enaSupport>"
	       "<efaSupported>false</efaSupported>"
	       "<encryptionInTransitSupported>true</encryptionInTransitSupported>"
	       "<enaSrdSupported>false</enaSrdSupported></networkInfo>");
}

static const char constants[] =
	"<currentGeneration>true</currentGeneration><supportedUsageClasses><item>on-demand</item>"
	"</supportedUsageClasses><supportedRootDeviceTypes><item>ebs</item>"
	"</supportedRootDeviceTypes><supportedVirtualizationTypes><item>hvm</item>"
	"</supportedVirtualizationTypes><bareMetal>false</bareMetal><hypervisor>nitro</hypervisor>"
	"<instanceStorageSupported>false</instanceStorageSupported>"
	"<ebsInfo><ebsOptimizedSupport>default</ebsOptimizedSupport>"
	"<encryptionSupport>supported</encryptionSupport><nvmeSupport>required</nvmeSupport>"
	"<maximumEbsAttachments>16</maximumEbsAttachments></ebsInfo>"
	"<placementGroupInfo><supportedStrategies/></placementGroupInfo>"
	"<hibernationSupported>false</hibernationSupported>"
	"<dedicatedHostsSupported>false</dedicatedHostsSupported>"
	"<autoRecoverySupported>false</autoRecoverySupported>"
	"<supportedBootModes><item>legacy-bios</item></supportedBootModes>"
	"<nitroEnclavesSupport>unsupported</nitroEnclavesSupport>"
	"<nitroTpmSupport>unsupported</nitroTpmSupport>";

static void type_xml(struct xml *x, const struct instance_type *t)
{
	RAW(x, "<item>");
	xml_str(x, "instanceType", t->name);
	xml_bool(x, "freeTierEligible", free_tier(t));
	xml_bool(x, "burstablePerformanceSupported", burstable(t));
	cpus_xml(x, t);
	RAW(x, "<memoryInfo>");
	xml_u64(x, "sizeInMiB", t->ram_mib);
	RAW(x, "</memoryInfo>");
	network_xml(x, t);
	RAW(x, constants);
	RAW(x, "</item>");
}

/* ---- filters ---- */

/* A getter of a type @t. */
#define GET(name)                                                                                  \
	static void get_##name(UNUSED const struct instance_type *t, struct filter_emit *e);       \
	static void name(struct ec2_call *c, const void *object, struct filter_emit *e)            \
	{                                                                                          \
		(void)c;                                                                           \
		get_##name(object, e);                                                             \
	}                                                                                          \
	static void get_##name(UNUSED const struct instance_type *t, struct filter_emit *e)

#define SAY(name, value)                                                                           \
	GET(name)                                                                                  \
	{                                                                                          \
		filter_str(e, (value));                                                            \
	}

#define COUNT(name, value)                                                                         \
	GET(name)                                                                                  \
	{                                                                                          \
		filter_u64(e, (value));                                                            \
	}

SAY(name_of, t->name)
SAY(hypervisor, "nitro")
SAY(architecture, "x86_64")
SAY(unsupported, "unsupported")
SAY(supported, "supported")
SAY(required, "required")
SAY(by_default, "default")
SAY(on_demand, "on-demand")
SAY(ebs, "ebs")
SAY(hvm, "hvm")
SAY(legacy_bios, "legacy-bios")
COUNT(vcpus, t->vcpus)
COUNT(cores, t->vcpus / 2U)
COUNT(threads, THREADS_MAX)
COUNT(memory, t->ram_mib)
COUNT(interfaces, INTERFACES_MAX)
COUNT(cards, 1)
COUNT(ipv6_addresses, 0)

GET(yes)
{
	filter_bool(e, true);
}

GET(no)
{
	filter_bool(e, false);
}

GET(is_burstable)
{
	filter_bool(e, burstable(t));
}

GET(is_free)
{
	filter_bool(e, free_tier(t));
}

GET(net)
{
	char text[32];

	filter_str(e, performance(text, t));
}

GET(valid_cores)
{
	for (unsigned k = 1; k <= t->vcpus / 2U; k++)
		filter_u64(e, k);
}

GET(valid_threads)
{
	for (unsigned k = 1; k <= THREADS_MAX; k++)
		filter_u64(e, k);
}

/* clang-format off: a table */
static const struct filter_def type_filters[] = {
	{ "instance-type", name_of },
	{ "current-generation", yes },
	{ "bare-metal", no },
	{ "burstable-performance-supported", is_burstable },
	{ "free-tier-eligible", is_free },
	{ "hypervisor", hypervisor },
	{ "processor-info.supported-architecture", architecture },
	{ "vcpu-info.default-vcpus", vcpus },
	{ "vcpu-info.default-cores", cores },
	{ "vcpu-info.default-threads-per-core", threads },
	{ "vcpu-info.valid-cores", valid_cores },
	{ "vcpu-info.valid-threads-per-core", valid_threads },
	{ "memory-info.size-in-mib", memory },
	{ "nitro-enclaves-support", unsupported },
	{ "nitro-tpm-support", unsupported },
	{ "network-info.ena-support", required },
	{ "network-info.efa-supported", no },
	{ "network-info.encryption-in-transit-supported", yes },
	{ "network-info.ipv4-addresses-per-interface", cards },
	{ "network-info.ipv6-addresses-per-interface", ipv6_addresses },
	{ "network-info.ipv6-supported", no },
	{ "network-info.maximum-network-cards", cards },
	{ "network-info.maximum-network-interfaces", interfaces },
	{ "network-info.network-performance", net },
	{ "ebs-info.ebs-optimized-support", by_default },
	{ "ebs-info.encryption-support", supported },
	{ "ebs-info.nvme-support", required },
	{ "supported-usage-class", on_demand },
	{ "supported-root-device-type", ebs },
	{ "supported-virtualization-type", hvm },
	{ "supported-boot-mode", legacy_bios },
	{ "instance-storage-supported", no },
	{ "hibernation-supported", no },
	{ "dedicated-hosts-supported", no },
	{ "auto-recovery-supported", no },
	{ NULL, NULL },
};
/* clang-format on */

/* Which types were named. Return: 0 and how many, -EINVAL with the fault. */
static int named_read(struct ec2_call *c, bool *named, size_t *ret_cnt)
{
	const char *name;
	unsigned k = 0;

	*ret_cnt = 0;
	while ((name = query_next_str(&c->in, "InstanceType", &k))) {
		const struct instance_type *t = type_find(name);

		if (!t)
			return ec2_refuse(c, "InvalidInstanceType",
					  "The following supplied instance types do not exist: "
					  "[%.64s]",
					  name);
		named[t - instance_types] = true;
		++*ret_cnt;
	}
	return 0;
}

static int describe_types(struct ec2_call *c)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	CLEANUP(free_p) bool *named = calloc(instance_type_cnt, sizeof(*named));
	struct page p;
	size_t cnt;
	int r;

	if (!named)
		return -ENOMEM;
	r = filters_read(c, type_filters, false, &f);
	if (r == 0)
		r = page_begin(c, &p, PAGE_MIN, TYPES_MAX);
	if (r == 0)
		r = named_read(c, named, &cnt);
	if (r < 0)
		return r;
	xml_open(&c->out, "instanceTypeSet");
	for (size_t k = 0; k < instance_type_cnt && !page_full(&p); k++) {
		const struct instance_type *t = &instance_types[k];

		if ((cnt == 0 || named[k]) && filters_match(f, c, t, NULL) &&
		    page_take(&p, k, t->name))
			type_xml(&c->out, t);
	}
	xml_close(&c->out, "instanceTypeSet");
	page_end(c, &p);
	return 0;
}

/* ---- offerings ---- */

struct offering {
	const struct instance_type *type;
	const char *location;
};

static void offering_type(struct ec2_call *c, const void *object, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct offering *)object)->type->name);
}

static void offering_location(struct ec2_call *c, const void *object, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct offering *)object)->location);
}

static const struct filter_def offering_filters[] = {
	{ "instance-type", offering_type },
	{ "location", offering_location },
	{ NULL, NULL },
};

static const char *location_read(struct ec2_call *c, const char **ret_kind)
{
	const struct place *place = &c->core->place;
	const char *kind = query_str(&c->in, "LocationType");

	*ret_kind = kind ? kind : "region";
	if (strcmp(*ret_kind, "region") == 0)
		return place->region;
	if (strcmp(*ret_kind, "availability-zone") == 0)
		return place->zone;
	if (strcmp(*ret_kind, "availability-zone-id") == 0)
		return place->zone_id;
	query_refuse(&c->in, "InvalidParameterValue",
		     "LocationType must be region, availability-zone or availability-zone-id");
	return "";
}

static int describe_offerings(struct ec2_call *c)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	const char *kind, *location = location_read(c, &kind);
	struct xml *x = &c->out;
	struct page p;
	int r;

	r = filters_read(c, offering_filters, false, &f);
	if (r == 0)
		r = page_begin(c, &p, PAGE_MIN, OFFERINGS_MAX);
	if (r < 0)
		return r;
	xml_open(x, "instanceTypeOfferingSet");
	for (size_t k = 0; k < instance_type_cnt && !page_full(&p); k++) {
		struct offering o = { &instance_types[k], location };

		if (!filters_match(f, c, &o, NULL) || !page_take(&p, k, o.type->name))
			continue;
		RAW(x, "<item>");
		xml_str(x, "instanceType", o.type->name);
		xml_str(x, "locationType", kind);
		xml_str(x, "location", location);
		RAW(x, "</item>");
	}
	xml_close(x, "instanceTypeOfferingSet");
	page_end(c, &p);
	return 0;
}

const struct ec2_action ec2_type_actions[] = {
	{ "DescribeInstanceTypes", describe_types, NULL, false },
	{ "DescribeInstanceTypeOfferings", describe_offerings, NULL, false },
	{ NULL, NULL, NULL, false },
};
