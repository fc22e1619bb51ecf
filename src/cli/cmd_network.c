/* SPDX-License-Identifier: Apache-2.0 */

/* niter network ls, niter peer add|ls|rm|map|unmap */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

static void heads_add(struct table *t, const char *const *heads)
{
	for (size_t k = 0; k < t->col_cnt; k++)
		table_add(t, heads[k]);
}

static void subnet_rows(const json_t *all)
{
	static const char *const heads[] = {
		"VPC", "CIDR", "VNI", "SUBNET", "CIDR", "FREE", "ZONE"
	};
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *v, *s;
	size_t k, j;
	char buf[32];

	heads_add(&t, heads);
	json_array_foreach(json_object_get(all, "vpcs"), k, v)
	{
		json_array_foreach(json_object_get(all, "subnets"), j, s)
		{
			if (strcmp(text_of(s, "vpc"), text_of(v, "id")) != 0)
				continue;
			table_add(&t, text_of(v, "id"));
			table_add(&t, text_of(v, "cidr"));
			snprintf(buf, sizeof(buf), "%#llx", (unsigned long long)u64_of(v, "vni"));
			table_add(&t, buf);
			table_add(&t, text_of(s, "id"));
			table_add(&t, text_of(s, "cidr"));
			snprintf(buf, sizeof(buf), "%llu", (unsigned long long)u64_of(s, "free"));
			table_add(&t, buf);
			table_add(&t, text_of(s, "zone"));
		}
	}
	table_print(&t);
	table_done(&t);
}

/* "tcp 22", "tcp 80-90", "all" */
static const char *rule_what(char *buf, size_t cap, const json_t *r)
{
	const json_t *proto = json_object_get(r, "protocol");
	unsigned long long from = u64_of(r, "from_port"), to = u64_of(r, "to_port");
	json_int_t number = json_integer_value(proto);
	char name[24];

	if (!json_is_integer(proto))
		return "all";
	if (number == 6 || number == 17)
		snprintf(name, sizeof(name), "%s", number == 6 ? "tcp" : "udp");
	else
		snprintf(name, sizeof(name), "protocol %lld", (long long)number);
	if (from == to)
		snprintf(buf, cap, "%s %llu", name, from);
	else
		snprintf(buf, cap, "%s %llu-%llu", name, from, to);
	return buf;
}

static void group_rows(const json_t *all)
{
	static const char *const heads[] = { "GROUP", "NAME", "DIRECTION", "WHAT", "FROM/TO" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *g, *r;
	size_t k, j;
	char buf[64];

	heads_add(&t, heads);
	json_array_foreach(json_object_get(all, "groups"), k, g)
	{
		json_array_foreach(json_object_get(g, "rules"), j, r)
		{
			table_add(&t, text_of(g, "id"));
			table_add(&t, text_of(g, "name"));
			table_add(&t, text_of(r, "direction"));
			table_add(&t, rule_what(buf, sizeof(buf), r));
			table_add(&t, json_object_get(r, "group") ? text_of(r, "group")
								  : text_of(r, "cidr"));
		}
	}
	table_print(&t);
	table_done(&t);
}

static void interface_rows(const json_t *all)
{
	static const char *const heads[] = { "INTERFACE", "INSTANCE", "PRIVATE IP", "MAC",
					     "SUBNET" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *i;
	size_t k;

	heads_add(&t, heads);
	json_array_foreach(json_object_get(all, "interfaces"), k, i)
	{
		table_add(&t, text_of(i, "id"));
		table_add(&t, text_of(i, "instance"));
		table_add(&t, text_of(i, "private_ip"));
		table_add(&t, text_of(i, "mac"));
		table_add(&t, text_of(i, "subnet"));
	}
	table_print(&t);
	table_done(&t);
}

int verb_network_ls(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("network.list", NULL, NULL, &result);
	if (code == CLI_OK && cli_json) {
		json_print(result);
	} else if (code == CLI_OK) {
		subnet_rows(result);
		putchar('\n');
		group_rows(result);
		putchar('\n');
		interface_rows(result);
	}
	json_decref(result);
	return code;
}

/* Asks, and prints the JSON or nothing. */
static int ask_quietly(const char *method, json_t *params)
{
	json_t *result = NULL;
	int code;

	if (!params)
		return cli_usage("the words must be UTF-8");
	code = client_call_once(method, params, NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	json_decref(result);
	return code;
}

int verb_peer_add(const struct verb *v, int argc, char **argv)
{
	(void)opts_parse(v, argc, argv, NULL, 0);
	return ask_quietly("peer.add", json_pack("{s:s,s:s,s:s}", "name", argv[0], "address",
						 argv[1], "fingerprint", argv[2]));
}

int verb_peer_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0), code = CLI_OK;

	for (int k = 0; k < cnt; k++)
		if (ask_quietly("peer.rm", json_pack("{s:s}", "peer", argv[k])) != CLI_OK)
			code = CLI_FAILED;
	return code;
}

/* A line for every address, and one for a host that has none. */
static void peer_rows(const json_t *list)
{
	static const char *const heads[] = { "NAME",       "ADDRESS", "FINGERPRINT",
					     "PRIVATE IP", "MAC",     "VPC" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *p, *m;
	size_t k, j;

	heads_add(&t, heads);
	json_array_foreach(list, k, p)
	{
		const json_t *maps = json_object_get(p, "mappings");
		size_t rows = json_array_size(maps) ? json_array_size(maps) : 1;

		for (j = 0; j < rows; j++) {
			m = json_array_get(maps, j);
			table_add(&t, text_of(p, "name"));
			table_add(&t, text_of(p, "address"));
			table_add(&t, text_of(p, "fingerprint"));
			table_add(&t, text_of(m, "private_ip"));
			table_add(&t, text_of(m, "mac"));
			table_add(&t, text_of(m, "vpc"));
		}
	}
	table_print(&t);
	table_done(&t);
}

int verb_peer_ls(const struct verb *v, int argc, char **argv)
{
	json_t *result = NULL;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("peer.list", NULL, NULL, &result);
	if (code == CLI_OK && cli_json)
		json_print(result);
	else if (code == CLI_OK)
		peer_rows(json_object_get(result, "peers"));
	json_decref(result);
	return code;
}

static void set_text(json_t *o, const char *key, const char *v)
{
	if (v)
		(void)!json_object_set_new(o, key, json_string(v));
}

int verb_peer_map(const struct verb *v, int argc, char **argv)
{
	const char *mac = NULL, *ip = NULL, *vpc = NULL;
	const struct opt opts[] = {
		{ "--ip", OPT_TEXT, "ADDRESS", "the instance's private address", &ip },
		{ "--mac", OPT_TEXT, "MAC",
		  "its interface's MAC address; niter network ls prints it there", &mac },
		{ "--vpc", OPT_TEXT, "VPC", "the network; default: the default one", &vpc },
	};
	json_t *params;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (!ip || !mac)
		return cli_usage("say which address: --ip and --mac");
	params = json_pack("{s:s,s:s,s:s}", "peer", argv[0], "private_ip", ip, "mac", mac);
	set_text(params, "vpc", vpc);
	return ask_quietly("peer.map", params);
}

int verb_peer_unmap(const struct verb *v, int argc, char **argv)
{
	const char *ip = NULL, *vpc = NULL;
	const struct opt opts[] = {
		{ "--ip", OPT_TEXT, "ADDRESS", "the instance's private address", &ip },
		{ "--vpc", OPT_TEXT, "VPC", "the network; default: the default one", &vpc },
	};
	json_t *params;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (!ip)
		return cli_usage("say which address: --ip");
	params = json_pack("{s:s,s:s}", "peer", argv[0], "private_ip", ip);
	set_text(params, "vpc", vpc);
	return ask_quietly("peer.unmap", params);
}
