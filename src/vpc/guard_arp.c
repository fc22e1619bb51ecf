/* SPDX-License-Identifier: Apache-2.0 */

#include <string.h>

#include "vpc/vpc_priv.h"

static enum vpc_verdict drop(struct vpc_port *p, enum vpc_reason why)
{
	p->counters.drop[VPC_TX][why]++;
	return VPC_DROP;
}

/* Who has @addr, as far as the guest may know? */
static bool mac_of(const struct vpc_port *p, uint32_t addr, uint8_t ret_mac[6])
{
	const struct vpc_addr a = vpc_ipv4(addr);

	if (addr == p->router4 || addr == VPC_METADATA_ADDR || addr == VPC_DNS_ADDR) {
		memcpy(ret_mac, p->router_mac, 6);
		return true;
	}
	return vpc_addr_in(&a, &p->conf.vpc, p->conf.vpc_prefix) &&
	       vpc_map_find(p->map, p->conf.vni, &a, ret_mac) == 0;
}

/*
 * Only requests, only in the guest's own name. A sender address of zero is a probe (spec: rfc-5227 §2.1.1); nobody answers
 * for the guest's own addresses, so that the guest may have them.
 */
enum vpc_verdict guard_arp(struct vpc_port *p, uint64_t now_ns, struct frame *f,
			   struct vpc_reply *reply)
{
	struct arp_request req;
	uint8_t mac[6];

	if (arp_parse(f, &req) < 0)
		return drop(p, VPC_R_ARP);
	if (req.sender && p->conf.source_dest_check && !port_has_addr4(p, req.sender))
		return drop(p, VPC_R_ARP);
	if (port_has_addr4(p, req.target) || !mac_of(p, req.target, mac))
		return drop(p, VPC_R_ARP);
	if (guard_service_rate(p, LIMIT_ANSWERS, now_ns) != VPC_PASS)
		return drop(p, VPC_R_SERVICE_RATE);
	arp_reply_build(&req, mac, reply);
	p->counters.arp_replies++;
	return VPC_REPLY;
}
