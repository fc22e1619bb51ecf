/* SPDX-License-Identifier: Apache-2.0 */

/* What people add to networks by hand: other hosts, addresses there, ports that lead in. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/core_net.h"
#include "controller/ids.h"
#include "controller/net_text.h"

enum { FORWARD_FIRST = 20000, FORWARD_LAST = 29999, PORT_MIN = 1, PORT_MAX = 65535 };

/* "10.77.0.2" or "10.77.0.2:4500" */
static int endpoint_parse(const char *text, uint32_t *ret_addr, unsigned *ret_port)
{
	char host[64];
	const char *colon = strchr(text, ':');
	unsigned long port = NET_PORT_TUNNEL;
	char *end = NULL;

	if (colon) {
		if (colon[1] < '1' || colon[1] > '9')
			return -EINVAL;
		errno = 0;
		port = strtoul(colon + 1, &end, 10);
		if (errno != 0 || *end != '\0' || port > PORT_MAX)
			return -EINVAL;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon ? colon - text : (long)strlen(text)),
		 text);
	*ret_port = (unsigned)port;
	return net_ipv4_parse(host, ret_addr);
}

/* Addresses that no other host can have. */
static bool addr_is_host(uint32_t a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a >> 28 < 14;
}

static int peer_check(const struct core_peer *q, struct peer *p, struct fault *f)
{
	char safe[128];

	if (!name_valid(q->name))
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "use up to 63 letters, digits, dots, dashes and underscores",
				 "a host cannot have that name");
	snprintf(p->name, sizeof(p->name), "%s", q->name);
	if (endpoint_parse(q->address, &p->addr, &p->port) < 0 || !addr_is_host(p->addr)) {
		log_escape(safe, sizeof(safe), q->address, strlen(q->address));
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "write it as in 10.77.0.2 or 10.77.0.2:4500",
				 "\"%s\" is no address of a host", safe);
	}
	if (net_fingerprint_parse(q->fingerprint, p->fingerprint) < 0)
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "copy the 64 hex digits that niter host status prints over there",
				 "this is no fingerprint of a host");
	return 0;
}

int core_peer_add(struct core *c, const struct core_peer *q, struct peer *ret, struct fault *f)
{
	struct peer p = { .number = 1 };
	struct net n;
	int r;

	r = peer_check(q, &p, f);
	if (r < 0)
		return r;
	r = net_load(c->st, &n);
	if (r < 0)
		return fault_internal(f, r, "reading the networks");
	while (net_peer_find(&n, p.number))
		p.number++;
	if (n.peer_cnt >= NET_PEERS_MAX)
		r = fault_set(f, EDQUOT, "ResourceLimitExceeded", "remove one with niter peer rm",
			      "at most %d other hosts can be named", NET_PEERS_MAX);
	for (size_t k = 0; r == 0 && k < n.peer_cnt; k++) {
		if (strcmp(n.peer[k].name, p.name) == 0)
			r = fault_set(f, EEXIST, "InvalidParameterValue",
				      "remove it first with niter peer rm, or choose another name",
				      "a host is called \"%s\" already", p.name);
		else if (n.peer[k].addr == p.addr && n.peer[k].port == p.port)
			r = fault_set(f, EEXIST, "InvalidParameterValue", "see niter peer ls",
				      "host \"%s\" has this address already", n.peer[k].name);
	}
	net_done(&n);
	if (r < 0)
		return r;
	r = store_put(c->st, &tbl_peers, &p);
	if (r < 0)
		return fault_internal(f, r, "recording the host");
	*ret = p;
	return 0;
}

int core_peer_find(struct core *c, const char *name, struct peer *ret, struct fault *f)
{
	char safe[MODEL_NAME_MAX * 2];
	struct net n;
	int r;

	r = net_load(c->st, &n);
	if (r < 0)
		return fault_internal(f, r, "reading the networks");
	r = -ENOENT;
	for (size_t k = 0; k < n.peer_cnt; k++) {
		if (strcmp(n.peer[k].name, name) != 0)
			continue;
		*ret = n.peer[k];
		r = 0;
	}
	net_done(&n);
	if (r == 0)
		return 0;
	log_escape(safe, sizeof(safe), name, strlen(name));
	return fault_set(f, ENOENT, "InvalidParameterValue",
			 "run niter peer ls to see those there are", "no host is called \"%s\"",
			 safe);
}

int core_peer_rm(struct core *c, const struct peer *p, struct fault *f)
{
	int r = store_delete(c->st, &tbl_peers, p);

	return r < 0 ? fault_internal(f, r, "forgetting the host") : 0;
}

static int remote_vpc(const struct net *n, const struct core_remote *q, const struct vpc **ret,
		      struct fault *f)
{
	char safe[CTL_ID_MAX * 2];

	*ret = q->vpc[0] ? net_vpc_find(n, q->vpc) : net_vpc_default(n, q->account);
	if (*ret && strcmp((*ret)->account, q->account) == 0)
		return 0;
	log_escape(safe, sizeof(safe), q->vpc, strlen(q->vpc));
	return fault_set(f, ENOENT, "InvalidVpcID.NotFound",
			 "run niter network ls to see those there are", "unknown network \"%s\"",
			 safe);
}

static int remote_check(const struct net *n, const struct core_remote *q, struct remote *m,
			struct fault *f)
{
	const struct vpc *v = NULL;
	char cidr[NET_CIDR_TEXT];
	size_t cnt = 0;
	int r;

	r = remote_vpc(n, q, &v, f);
	if (r < 0)
		return r;
	snprintf(m->vpc_id, sizeof(m->vpc_id), "%s", v->id);
	if (net_ipv4_parse(q->ip, &m->addr) < 0 || !net_inside(m->addr, v->addr, v->prefix))
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "give the instance's private address",
				 "this is no address of the network %s",
				 net_cidr_text(cidr, v->addr, v->prefix));
	if (net_mac_parse(q->mac, m->mac) < 0 || (m->mac[0] & 1))
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "give the one that niter network ls prints over there, as in "
				 "06:12:34:56:78:9a",
				 "this is no MAC address of an interface");
	for (size_t k = 0; k < n->interface_cnt; k++)
		if ((n->interface[k].addr == m->addr && net_vpc_of(n, &n->interface[k]) == v) ||
		    memcmp(n->interface[k].mac, m->mac, sizeof(m->mac)) == 0)
			return fault_set(f, EEXIST, "InvalidIPAddress.InUse",
					 "see niter network ls",
					 "instance %s of this host has this address",
					 n->interface[k].instance_id);
	for (size_t k = 0; k < n->remote_cnt; k++) {
		bool same = strcmp(n->remote[k].vpc_id, m->vpc_id) == 0;

		cnt += same;
		if (!(same && n->remote[k].addr == m->addr) &&
		    memcmp(n->remote[k].mac, m->mac, sizeof(m->mac)) == 0)
			return fault_set(f, EEXIST, "InvalidParameterValue", "see niter peer ls",
					 "another address has this MAC address already");
	}
	if (cnt >= NET_REMOTES_MAX)
		return fault_set(
			f, EDQUOT, "ResourceLimitExceeded", "remove some with niter peer unmap",
			"at most %d addresses of a network can be on other hosts", NET_REMOTES_MAX);
	return 0;
}

int core_peer_map(struct core *c, const struct peer *p, const struct core_remote *q,
		  struct remote *ret, struct fault *f)
{
	struct remote m = { .peer = p->number };
	struct net n;
	int r;

	r = net_load(c->st, &n);
	if (r < 0)
		return fault_internal(f, r, "reading the networks");
	r = remote_check(&n, q, &m, f);
	net_done(&n);
	if (r < 0)
		return r;
	r = store_put(c->st, &tbl_remotes, &m);
	if (r < 0)
		return fault_internal(f, r, "recording the address");
	*ret = m;
	return 0;
}

int core_peer_unmap(struct core *c, const struct peer *p, const struct core_remote *q,
		    struct fault *f)
{
	struct remote m = { .peer = 0 };
	const struct vpc *v = NULL;
	struct net n;
	int r;

	r = net_load(c->st, &n);
	if (r < 0)
		return fault_internal(f, r, "reading the networks");
	r = remote_vpc(&n, q, &v, f);
	if (r == 0 && v && net_ipv4_parse(q->ip, &m.addr) == 0) {
		snprintf(m.vpc_id, sizeof(m.vpc_id), "%s", v->id);
		for (size_t k = 0; k < n.remote_cnt; k++)
			if (n.remote[k].addr == m.addr && strcmp(n.remote[k].vpc_id, v->id) == 0)
				m.peer = n.remote[k].peer;
	}
	net_done(&n);
	if (r < 0)
		return r;
	if (m.peer != p->number)
		return fault_set(f, ENOENT, "InvalidParameterValue", "see niter peer ls",
				 "host \"%s\" has no such address", p->name);
	r = store_delete(c->st, &tbl_remotes, &m);
	return r < 0 ? fault_internal(f, r, "forgetting the address") : 0;
}

static const struct forward *forward_find(const struct net *n, uint64_t host_port)
{
	for (size_t k = 0; k < n->forward_cnt; k++)
		if (n->forward[k].host_port == host_port)
			return &n->forward[k];
	return NULL;
}

static const struct forward *forward_of(const struct net *n, const char *instance_id, uint64_t port)
{
	for (size_t k = 0; k < n->forward_cnt; k++)
		if (n->forward[k].port == port &&
		    strcmp(n->forward[k].instance_id, instance_id) == 0)
			return &n->forward[k];
	return NULL;
}

/* Return: 1 *ret is new, 0 *ret was there, -errno with @f. */
static int forward_decide(const struct net *n, const struct instance *i,
			  const struct core_forward *q, struct forward *ret, struct fault *f)
{
	const struct interface *ni = net_interface_of(n, i->id);
	uint64_t host_port = q->host_port, port = q->port;
	const struct forward *old =
		host_port ? forward_find(n, host_port) : forward_of(n, i->id, port);
	size_t mine = 0;

	if (old && old->port == port && strcmp(old->instance_id, i->id) == 0) {
		*ret = *old;
		return 0;
	}
	if (old)
		return fault_set(f, EADDRINUSE, "InvalidParameterValue",
				 "choose another, or remove that with niter forward rm",
				 "port %u of this host leads to port %u of %s already",
				 old->host_port, old->port, old->instance_id);
	if (!ni || ni->outside_idx == 0)
		return fault_set(
			f, EADDRNOTAVAIL, "InvalidParameterValue",
			"remove an instance with niter rm",
			"instance %s has no way out: the gateway has no number left for it", i->id);
	for (size_t k = 0; k < n->forward_cnt; k++)
		mine += strcmp(n->forward[k].instance_id, i->id) == 0;
	if (mine >= NET_FORWARDS_INSTANCE_MAX)
		return fault_set(
			f, EDQUOT, "ResourceLimitExceeded", "remove one with niter forward rm",
			"at most %d ports can lead to one instance", NET_FORWARDS_INSTANCE_MAX);
	if (n->forward_cnt >= NET_FORWARDS_MAX)
		return fault_set(f, EDQUOT, "ResourceLimitExceeded",
				 "remove one with niter forward rm",
				 "at most %d ports can lead to instances", NET_FORWARDS_MAX);
	if (host_port == 0 && !forward_find(n, q->suggested_port))
		host_port = q->suggested_port;
	for (unsigned p = FORWARD_FIRST; host_port == 0 && p <= FORWARD_LAST; p++)
		if (!forward_find(n, p))
			host_port = p;
	memset(ret, 0, sizeof(*ret));
	ret->host_port = (unsigned)host_port;
	ret->port = (unsigned)port;
	snprintf(ret->instance_id, sizeof(ret->instance_id), "%s", i->id);
	return 1;
}

int core_forward_add(struct core *c, const struct instance *i, const struct core_forward *q,
		     struct forward *ret, struct fault *f)
{
	struct net n;
	int r, fresh;

	if (q->port < PORT_MIN || q->port > PORT_MAX || q->host_port > PORT_MAX ||
	    q->suggested_port > PORT_MAX)
		return fault_set(f, EINVAL, "InvalidParameterValue", "choose one",
				 "ports are 1 to %d", PORT_MAX);
	if (i->state == INSTANCE_TERMINATED || i->state == INSTANCE_SHUTTING_DOWN)
		return fault_set(f, EBUSY, "IncorrectInstanceState", "see niter ps",
				 "instance %s is being removed", i->id);
	r = net_load(c->st, &n);
	if (r < 0)
		return fault_internal(f, r, "reading the networks");
	fresh = forward_decide(&n, i, q, ret, f);
	net_done(&n);
	if (fresh <= 0)
		return fresh;
	r = store_put(c->st, &tbl_forwards, ret);
	return r < 0 ? fault_internal(f, r, "recording the port") : 1;
}

int core_forward_rm(struct core *c, uint64_t host_port, struct fault *f)
{
	struct forward old = { .host_port = (unsigned)host_port };
	int r = host_port > PORT_MAX ? -ENOENT : store_delete(c->st, &tbl_forwards, &old);

	if (r == -ENOENT)
		return fault_set(f, ENOENT, "InvalidParameterValue",
				 "run niter forward ls to see those there are",
				 "port %llu of this host leads to no instance",
				 (unsigned long long)host_port);
	return r < 0 ? fault_internal(f, r, "forgetting the port") : 0;
}
