/* SPDX-License-Identifier: Apache-2.0 */

/* Refusals: their HTTP status, their body, and the codes of ids that are not there. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/call_priv.h"
#include "controller/ec2/query_priv.h"
#include "controller/ids.h"

/* Sorted by name is not needed: errors are rare. All others are 400. */
static const struct {
	const char *code;
	unsigned status;
} statuses[] = {
	{ "AuthFailure", 401 },
	{ "DryRunOperation", 412 },
	{ "InsufficientAddressCapacity", 500 },
	{ "InsufficientDiskSpace", 500 },
	{ "InsufficientHostCapacity", 500 },
	{ "InsufficientInstanceCapacity", 500 },
	{ "InsufficientVolumeCapacity", 500 },
	{ "InternalError", 500 },
	{ "MissingAuthenticationToken", 403 },
	{ "OptInRequired", 403 },
	{ "RequestLimitExceeded", 503 },
	{ "ServiceUnavailable", 503 },
	{ "Unavailable", 503 },
	{ "UnauthorizedOperation", 403 },
};

unsigned ec2_status(const char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (strcmp(statuses[i].code, code) == 0)
			return statuses[i].status;
	return 400;
}

int ec2_error(const char *code, const char *text, const char *request_id, char **ret_body,
	      size_t *ret_len)
{
	struct xml x = { .buf = NULL };
	size_t len = strlen(text);

	/* A text that was cut may end inside a character. */
	while (len > 0 && !query_utf8_valid(text, len))
		len--;
	xml_raw(&x, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", 39);
	xml_open(&x, "Response");
	xml_open(&x, "Errors");
	xml_open(&x, "Error");
	xml_str(&x, "Code", code);
	xml_strn(&x, "Message", text, len);
	xml_close(&x, "Error");
	xml_close(&x, "Errors");
	xml_str(&x, "RequestID", request_id);
	xml_close(&x, "Response");
	if (xml_failed(&x)) {
		xml_done(&x);
		return -ENOMEM;
	}
	*ret_body = x.buf;
	*ret_len = x.len;
	return 0;
}

int ec2_refuse(struct ec2_call *c, const char *code, const char *fmt, ...)
{
	char text[MODEL_TEXT_MAX];
	va_list ap;

	if (c->fault.code[0] != '\0')
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fault_set(&c->fault, EINVAL, code, NULL, "%s", text);
}

struct id_words {
	const char *noun, *not_found, *malformed;
};

static const struct id_words id_words[] = {
	[ID_INSTANCE] = { "instance ID", "InvalidInstanceID.NotFound",
			  "InvalidInstanceID.Malformed" },
	[ID_VOLUME] = { "volume", "InvalidVolume.NotFound", "InvalidParameterValue" },
	[ID_IMAGE] = { "image id", "InvalidAMIID.NotFound", "InvalidAMIID.Malformed" },
	[ID_VPC] = { "vpc ID", "InvalidVpcID.NotFound", "InvalidVpcID.Malformed" },
	[ID_SUBNET] = { "subnet ID", "InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed" },
	[ID_GROUP] = { "security group", "InvalidGroup.NotFound", "InvalidGroupId.Malformed" },
	[ID_GROUP_RULE] = { "security group rule ID", "InvalidSecurityGroupRuleId.NotFound",
			    "InvalidSecurityGroupRuleId.Malformed" },
	[ID_INTERFACE] = { "networkInterface ID", "InvalidNetworkInterfaceID.NotFound",
			   "InvalidNetworkInterfaceId.Malformed" },
	[ID_GATEWAY] = { "internetGateway ID", "InvalidInternetGatewayID.NotFound",
			 "InvalidInternetGatewayId.Malformed" },
	[ID_RESERVATION] = { "reservation ID", "InvalidReservationID.NotFound",
			     "InvalidReservationID.Malformed" },
	[ID_KEY_PAIR] = { "key pair", "InvalidKeyPair.NotFound", "InvalidParameterValue" },
	[ID_SNAPSHOT] = { "snapshot", "InvalidSnapshot.NotFound", "InvalidParameterValue" },
	[ID_ATTACHMENT] = { "interface attachment", "InvalidAttachmentID.NotFound",
			    "InvalidAttachmentID.Malformed" },
	[ID_ROUTE_TABLE] = { "routeTable ID", "InvalidRouteTableID.NotFound",
			     "InvalidRouteTableId.Malformed" },
	[ID_ACL] = { "networkAcl ID", "InvalidNetworkAclID.NotFound",
		     "InvalidNetworkAclId.Malformed" },
	[ID_DHCP_OPTIONS] = { "dhcpOption ID", "InvalidDhcpOptionID.NotFound",
			      "InvalidDhcpOptionsId.Malformed" },
};

/* As EC2 makes them, also in the old days. */
static bool id_well_formed(enum id_kind kind, const char *id)
{
	const char *prefix = id_prefix(kind);
	size_t n = strlen(prefix), digits;

	if (strncmp(id, prefix, n) != 0)
		return false;
	digits = strspn(id + n, "0123456789abcdef");
	return id[n + digits] == '\0' && (digits == 8 || digits == 17);
}

int ec2_refuse_id(struct ec2_call *c, int kind, const char *id)
{
	const struct id_words *w = &id_words[kind];
	char safe[96];

	log_escape(safe, sizeof(safe), id, strlen(id));
	if (!id_well_formed((enum id_kind)kind, id))
		return ec2_refuse(c, w->malformed, "Invalid id: \"%s\" (expecting \"%s...\")", safe,
				  id_prefix((enum id_kind)kind));
	return ec2_refuse(c, w->not_found, "The %s '%s' does not exist", w->noun, safe);
}
