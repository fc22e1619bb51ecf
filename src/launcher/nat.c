/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "launcher.h"
#include "nic.h"

/*
 * What the kernel does for ways out: forwarding between gateways' devices and the uplink, and the packet filter's table
 * (nft.c). Both are there while a gateway is, and only then; nothing is forwarded for anybody else.
 */

static const char no_filter[] =
	"none: this kernel has no nf_tables with NAT (modules nft_chain_nat, nft_masq, nft_nat, "
	"nft_ct, nft_fib_inet)";

void nat_init(struct launcher *l)
{
	static const struct nft_rules probe = { .uplink = "lo",
						.forward_cnt = 1,
						.forward = { { 1, 1, { 100, 64, 0, 2 } } } };
	struct nat *n = &l->nat;
	int r;

	n->sock = nft_open();
	r = n->sock < 0 ? n->sock : nft_apply(n->sock, &probe);
	if (r == 0)
		r = nft_remove(n->sock);
	if (r == 0)
		return;
	fd_closep(&n->sock);
	if (r == -EPERM || r == -EBUSY || r == -EEXIST)
		(void)snprintf(n->text, sizeof(n->text),
			       "none: another niter-launcher holds the table \"niter\" (%s)",
			       strerrordesc_np(-r));
	else
		(void)snprintf(n->text, sizeof(n->text), "%s: %s", no_filter, strerrordesc_np(-r));
	log_warn("nat.none", "text=\"instances have no way out: %s\"", n->text);
}

/* Return: 0, or -errno: there is none. */
static int uplink_name(const struct launcher *l, char ret[NIC_NAME_MAX])
{
	if (!l->uplink)
		return nic_default(ret);
	(void)snprintf(ret, NIC_NAME_MAX, "%s", l->uplink);
	return 0;
}

void nat_way_out(const struct launcher *l, char ret[CTL_TEXT_MAX])
{
	char name[NIC_NAME_MAX];

	if (l->nat.text[0])
		(void)snprintf(ret, CTL_TEXT_MAX, "%s", l->nat.text);
	else if (l->nat.on)
		(void)snprintf(ret, CTL_TEXT_MAX, "%s", l->nat.rules.uplink);
	else if (uplink_name(l, name) < 0)
		(void)snprintf(ret, CTL_TEXT_MAX, "none: this host has no default route");
	else
		(void)snprintf(ret, CTL_TEXT_MAX, "%s", name);
}

static int fail(char text[CTL_TEXT_MAX], int err, const char *what, const char *name)
{
	(void)snprintf(text, CTL_TEXT_MAX, "no way out: %s %s: %s", what, name,
		       strerrordesc_np(-err));
	return err;
}

int nat_on(struct launcher *l, char text[CTL_TEXT_MAX])
{
	struct nat *n = &l->nat;
	struct nft_rules *rules = &n->rules;
	int r, was = 0;

	if (n->on)
		return 0;
	if (n->sock < 0) {
		(void)snprintf(text, CTL_TEXT_MAX, "no way out: %s", n->text);
		return -EOPNOTSUPP;
	}
	memset(rules, 0, sizeof(*rules));
	r = uplink_name(l, rules->uplink);
	if (r < 0)
		return fail(text, r, "the default route", "leads nowhere");
	if (nic_address(rules->uplink, rules->uplink_addr, rules->uplink_mask) < 0)
		memset(rules->uplink_mask, 0,
		       sizeof(rules->uplink_mask)); /* it has no IPv4 network of its own */
	/* The filter first: at no time is anything forwarded without it. */
	rules->only_guests = true;
	r = nft_apply(n->sock, rules);
	if (r < 0)
		return fail(text, r, "the packet filter for", rules->uplink);
	r = nic_switch("ipv4", rules->uplink, "forwarding", 1, &was);
	if (r == 0 && was) { /* a router already: its own traffic goes on */
		rules->only_guests = false;
		r = nft_apply(n->sock, rules);
	}
	n->forwarding_ours = r == 0 && !was;
	if (r < 0) {
		(void)!nft_remove(n->sock);
		return fail(text, r, "forwarding of", rules->uplink);
	}
	n->on = true;
	log_info("nat.on", "uplink=%s", rules->uplink);
	return 0;
}

void nat_off(struct launcher *l)
{
	struct nat *n = &l->nat;
	int r;

	if (!n->on)
		return;
	n->on = false;
	r = n->forwarding_ours ? nic_switch("ipv4", n->rules.uplink, "forwarding", 0, NULL) : 0;
	if (r < 0)
		log_warn("nat.forwarding_left", "uplink=%s err=%d", n->rules.uplink, r);
	r = nft_remove(n->sock);
	if (r < 0)
		log_warn("nat.left", "err=%d", r);
	log_info("nat.off", "uplink=%s", n->rules.uplink);
}

/* ---- forwards ---- */

static int forward_index(const struct nft_rules *r, uint16_t host_port)
{
	unsigned i;

	for (i = 0; i < r->forward_cnt; i++)
		if (r->forward[i].host_port == host_port)
			return (int)i;
	return -ENOENT;
}

static bool has_gateway(const struct launcher *l, const uint8_t addr[4])
{
	unsigned i;

	for (i = 0; i < GATEWAYS_MAX; i++)
		if (l->gateways[i].state == GW_RUNNING && addr[2] == l->gateways[i].block)
			return addr[0] == 100 && addr[1] == 64 && addr[3] > 1 && addr[3] < 255;
	return false;
}

void nat_forward_add(struct launcher *l, uint32_t seq, const struct ctl_l_forward *f)
{
	struct nft_rules *rules = &l->nat.rules;
	struct nft_forward *slot, old;
	unsigned cnt = rules->forward_cnt;
	int i = forward_index(rules, f->host_port), r;

	if (!f->host_port || !f->port)
		return controller_ack(l, seq, -EINVAL, "port 0 cannot be forwarded");
	if (!l->nat.on || !has_gateway(l, f->outside_addr))
		return controller_ack(l, seq, -ENETUNREACH,
				      "that address is behind no gateway of this host");
	if (i < 0 && cnt == NFT_FORWARDS_MAX)
		return controller_ack(l, seq, -ENOSPC,
				      "this host forwards its maximum of 128 ports");
	slot = &rules->forward[i < 0 ? cnt : (unsigned)i];
	old = *slot;
	*slot = (struct nft_forward){ .host_port = f->host_port, .port = f->port };
	memcpy(slot->addr, f->outside_addr, sizeof(slot->addr));
	rules->forward_cnt += i < 0;
	r = nft_apply(l->nat.sock, rules);
	if (r < 0) {
		*slot = old;
		rules->forward_cnt = cnt;
		return controller_ack(l, seq, r, "the packet filter refuses: %s",
				      strerrordesc_np(-r));
	}
	controller_ack(l, seq, 0, NULL);
}

static void forward_remove(struct nft_rules *r, unsigned i)
{
	r->forward[i] = r->forward[--r->forward_cnt];
}

void nat_forward_del(struct launcher *l, uint32_t seq, const struct ctl_l_forward_ref *f)
{
	int i = l->nat.on ? forward_index(&l->nat.rules, f->host_port) : -ENOENT, r;

	if (i < 0)
		return controller_ack(l, seq, -ENOENT, "port %u is not forwarded", f->host_port);
	forward_remove(&l->nat.rules, (unsigned)i);
	r = nft_apply(l->nat.sock, &l->nat.rules);
	controller_ack(l, seq, r, r < 0 ? "the packet filter refuses: %s" : NULL,
		       r < 0 ? strerrordesc_np(-r) : "");
}

void nat_forwards_forget(struct launcher *l, uint8_t block)
{
	struct nft_rules *r = &l->nat.rules;
	unsigned i = 0, before = r->forward_cnt;

	while (i < r->forward_cnt) {
		if (r->forward[i].addr[2] == block)
			forward_remove(r, i);
		else
			i++;
	}
	if (l->nat.on && r->forward_cnt != before && nft_apply(l->nat.sock, r) < 0)
		log_err("nat.forwards", "text=\"forwards to 100.64.%u.0/24 are left\"", block);
}
