/* SPDX-License-Identifier: Apache-2.0 */

#include "fake_network.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *trace;

void fake_trace_open(const char *path)
{
	if (!path)
		return;
	trace = fopen(path, "a");
	if (!trace) {
		fprintf(stderr, "fake-launcher: %s: %s\n", path, strerrordesc_np(errno));
		exit(1);
	}
	setvbuf(trace, NULL, _IOFBF, 1 << 16);
}

static void add(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void add(const char *fmt, ...)
{
	va_list ap;

	if (!trace)
		return;
	va_start(ap, fmt);
	vfprintf(trace, fmt, ap);
	va_end(ap);
}

static void end(void)
{
	add("}\n");
	if (trace)
		fflush(trace);
}

void fake_trace_line(const char *line)
{
	add("%s\n", line);
	if (trace)
		fflush(trace);
}

static void add_mac(const char *key, const uint8_t *m)
{
	add(",\"%s\":\"%02x:%02x:%02x:%02x:%02x:%02x\"", key, m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void add_addr(const char *key, const uint8_t *a)
{
	add(",\"%s\":\"%u.%u.%u.%u\"", key, a[0], a[1], a[2], a[3]);
}

static void add_hex(const char *key, const uint8_t *p, size_t len)
{
	add(",\"%s\":\"", key);
	for (size_t k = 0; k < len; k++)
		add("%02x", p[k]);
	add("\"");
}

void fake_trace_start(const struct ctl_l_instance_start *s)
{
	add("{\"to\":\"launcher\",\"what\":\"start\",\"instance\":\"%s\",\"interfaces\":%u",
	    s->instance_id, s->interface_cnt);
	if (s->interface_cnt) {
		add(",\"interface\":\"%s\",\"mtu\":%u", s->interface[0].interface_id,
		    s->interface[0].mtu);
		add_mac("mac", s->interface[0].mac);
	}
	end();
}

void fake_trace_gateway(const struct ctl_l_gateway_start *s)
{
	add("{\"to\":\"launcher\",\"what\":\"gateway\",\"gateway\":\"%s\",\"vpc\":\"%s\"",
	    s->gateway_id, s->vpc_id);
	add_mac("mac", s->mac);
	end();
}

void fake_trace_gateway_stop(const char *gateway_id)
{
	add("{\"to\":\"launcher\",\"what\":\"gateway-stop\",\"gateway\":\"%s\"", gateway_id);
	end();
}

static void interface(const struct ctl_vpc_interface *m)
{
	add(",\"what\":\"interface\",\"interface\":\"%s\",\"vni\":%u,\"mtu\":%u,\"flags\":%u",
	    m->interface_id, m->vni, m->mtu, m->flags);
	add_mac("mac", m->mac);
	add_addr("vpc", m->vpc_addr);
	add_addr("subnet", m->subnet_addr);
	add(",\"vpc_prefix\":%u,\"subnet_prefix\":%u,\"hostname\":\"%s\",\"domain\":\"%s\"",
	    m->vpc_prefix, m->subnet_prefix, m->hostname, m->domain);
	add(",\"limits\":[%llu,%llu,%llu,%llu,%u]", (unsigned long long)m->bps_baseline,
	    (unsigned long long)m->bps_burst, (unsigned long long)m->burst_seconds,
	    (unsigned long long)m->pps, m->conntrack_max);
	if (m->address_cnt)
		add_addr("address", m->address[0].addr);
}

static void rules(const struct ctl_vpc_rules *m)
{
	add(",\"what\":\"rules\",\"interface\":\"%s\",\"rules\":[", m->interface_id);
	for (unsigned k = 0; k < m->rule_cnt; k++) {
		const struct ctl_vpc_rule *r = &m->rule[k];

		add("%s\"%s %u %u-%u %u.%u.%u.%u/%u\"", k ? "," : "", r->egress ? "out" : "in",
		    r->proto, r->port_min, r->port_max, r->addr[0], r->addr[1], r->addr[2],
		    r->addr[3], r->prefix);
	}
	add("]");
}

static void routes(const struct ctl_vpc_routes *m)
{
	add(",\"what\":\"routes\",\"interface\":\"%s\",\"routes\":[", m->interface_id);
	for (unsigned k = 0; k < m->route_cnt; k++) {
		const struct ctl_vpc_route *r = &m->route[k];

		add("%s\"%u.%u.%u.%u/%u %u %02x:%02x:%02x:%02x:%02x:%02x\"", k ? "," : "",
		    r->addr[0], r->addr[1], r->addr[2], r->addr[3], r->prefix, r->target, r->mac[0],
		    r->mac[1], r->mac[2], r->mac[3], r->mac[4], r->mac[5]);
	}
	add("]");
}

static void mappings(const char *what, const struct ctl_vpc_mappings *m)
{
	add(",\"what\":\"%s\",\"vni\":%u,\"mappings\":[", what, m->vni);
	for (unsigned k = 0; k < m->mapping_cnt; k++) {
		const struct ctl_vpc_mapping *x = &m->mapping[k];

		add("%s[%u,\"%u.%u.%u.%u\",\"%02x:%02x:%02x:%02x:%02x:%02x\",%u]", k ? "," : "",
		    x->family, x->addr[0], x->addr[1], x->addr[2], x->addr[3], x->mac[0], x->mac[1],
		    x->mac[2], x->mac[3], x->mac[4], x->mac[5], x->peer);
	}
	add("]");
}

static void nat(const char *what, const struct ctl_gateway_nat *m)
{
	add(",\"what\":\"%s\"", what);
	add_addr("vpc_addr", m->vpc_addr);
	add_mac("vpc_mac", m->vpc_mac);
	add_addr("outside_addr", m->outside_addr);
}

static void metadata(const struct ctl_msg *m)
{
	const struct ctl_metadata_options *o = &m->u.metadata_options;

	if (m->type == CTL_METADATA_COMMIT) {
		add(",\"what\":\"commit\"");
	} else if (m->type == CTL_METADATA_PUT) {
		/* A path may hold whatever a key is called: hex says everything. */
		add(",\"what\":\"put\",\"more\":%u", m->u.metadata_item.more);
		add_hex("path", (const uint8_t *)m->u.metadata_item.path,
			strlen(m->u.metadata_item.path));
		add_hex("data", m->u.metadata_item.data.b, m->u.metadata_item.data.len);
	} else {
		add(",\"what\":\"options\",\"enabled\":%u,\"hop_limit\":%u,\"tokens_optional\":%u,"
		    "\"domain\":\"%s\"",
		    o->enabled, o->hop_limit, o->tokens_optional, o->domain);
		add_addr("vpc", o->vpc_addr);
	}
}

void fake_trace_message(const char *who, const char *id, const struct ctl_msg *m)
{
	add("{\"to\":\"%s\",\"id\":\"%s\"", who, id);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
	switch (m->type) {
	case CTL_VPC_INTERFACE_SET:
		interface(&m->u.vpc_interface);
		break;
	case CTL_VPC_RULES_SET:
		rules(&m->u.vpc_rules);
		break;
	case CTL_VPC_ROUTES_SET:
		routes(&m->u.vpc_routes);
		break;
	case CTL_VPC_MAPPINGS_ADD:
		mappings("map", &m->u.vpc_mappings);
		break;
	case CTL_VPC_MAPPINGS_DEL:
		mappings("unmap", &m->u.vpc_mappings);
		break;
	case CTL_WIRE_PEER_SET:
		add(",\"what\":\"peer\",\"peer\":%u,\"port\":%u", m->u.wire_peer.peer,
		    m->u.wire_peer.port);
		add_addr("addr", m->u.wire_peer.addr);
		add_hex("fingerprint", m->u.wire_peer.fingerprint, CTL_FINGERPRINT_BYTES);
		break;
	case CTL_WIRE_PEER_DEL:
		add(",\"what\":\"unpeer\",\"peer\":%u", m->u.wire_peer_ref.peer);
		break;
	case CTL_GATEWAY_NAT_ADD:
		nat("nat", &m->u.gateway_nat);
		break;
	case CTL_GATEWAY_NAT_DEL:
		nat("unnat", &m->u.gateway_nat);
		break;
	case CTL_L_FORWARD_ADD:
		add(",\"what\":\"forward\",\"host_port\":%u,\"port\":%u", m->u.l_forward.host_port,
		    m->u.l_forward.port);
		add_addr("outside_addr", m->u.l_forward.outside_addr);
		break;
	case CTL_L_FORWARD_DEL:
		add(",\"what\":\"unforward\",\"host_port\":%u", m->u.l_forward_ref.host_port);
		break;
	case CTL_METADATA_OPTIONS_SET:
	case CTL_METADATA_PUT:
	case CTL_METADATA_COMMIT:
		metadata(m);
		break;
	default:
		add(",\"what\":\"type %#x\"", (unsigned)m->type);
		break;
	}
#pragma GCC diagnostic pop
	end();
}
