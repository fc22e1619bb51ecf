/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controller/fault.h"
#include "controller/ids.h"

int fault_set(struct fault *f, int err, const char *code, const char *remedy, const char *fmt, ...)
{
	va_list ap;

	snprintf(f->code, sizeof(f->code), "%s", code);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy ? remedy : "");
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return -err;
}

int fault_internal(struct fault *f, int err, const char *what)
{
	if (err < 0)
		err = -err;
	if (err == ENOSPC || err == EDQUOT)
		return fault_set(f, err, "InsufficientDiskSpace",
				 "free space with niter image rm, niter volume rm or niter rm",
				 "%s: the host's state disk is full", what);
	return fault_set(f, err, "InternalError", "see niter host log", "%s: %s", what,
			 strerrordesc_np(err));
}

/* ---- ids that are not there ---- */

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

int fault_absent(struct fault *f, int kind, const char *id)
{
	const struct id_words *w = &id_words[kind];
	char safe[96];

	log_escape(safe, sizeof(safe), id, strlen(id));
	if (!id_well_formed((enum id_kind)kind, id))
		return fault_set(f, ENOENT, w->malformed, NULL,
				 "Invalid id: \"%s\" (expecting \"%s...\")", safe,
				 id_prefix((enum id_kind)kind));
	return fault_set(f, ENOENT, w->not_found, NULL, "The %s '%s' does not exist", w->noun,
			 safe);
}
