/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter, the person's command. It starts no process of an instance itself: it asks niterd, which asks the launcher.
 * Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
 */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/api/profile.h"
#include "cli/api/verbs.h"
#include "cli/cli.h"

const struct verb verbs[] = {
	{ "image build", "debian", 1, 1, "Build an image from Debian's own packages and upload it",
	  verb_image_build },
	{ "image put", "DIR", 1, 1,
	  "Upload an image: DIR holds kernel, disk.raw, image.json, and initrd if there is one",
	  verb_image_put },
	{ "image ls", "", 0, 0, "List the images", verb_image_ls },
	{ "image rm", "IMAGE...", 1, -1, "Remove images", verb_image_rm },
	{ "run", "IMAGE", 1, 1, "Launch an instance of an image, with an encrypted disk of its own",
	  verb_run },
	{ "ps", "", 0, 0, "List the instances", verb_ps },
	{ "console", "ID", 1, 1, "Print what an instance said on its serial port", verb_console },
	{ "stop", "ID...", 1, -1, "Stop instances; their disks stay", verb_stop },
	{ "start", "ID...", 1, -1, "Start stopped instances", verb_start },
	{ "reboot", "ID...", 1, -1, "Reset running instances", verb_reboot },
	{ "rm", "ID...", 1, -1,
	  "Terminate instances and destroy the keys of their disks, and so the data", verb_rm },
	{ "ssh", "ID [-- COMMAND...]", 1, -1, "Open a shell in an instance, or run a command there",
	  verb_ssh },
	{ "forward ls", "", 0, 0, "List the ports of this machine that lead to instances",
	  verb_forward_ls },
	{ "forward rm", "HOST-PORT...", 1, -1, "Close ports of this machine again",
	  verb_forward_rm },
	{ "forward", "ID PORT", 2, 2,
	  "Let a TCP port of this machine lead to a port of an instance", verb_forward },
	{ "network ls", "", 0, 0, "List the networks: subnets, security groups, interfaces",
	  verb_network_ls },
	{ "network create", "CIDR", 1, 1, "Make a network, as in 10.0.0.0/16",
	  verb_network_create },
	{ "network rm", "NETWORK...", 1, -1, "Remove networks", verb_network_rm },
	{ "subnet ls", "", 0, 0, "List the subnets", verb_subnet_ls },
	{ "subnet create", "NETWORK CIDR", 2, 2, "Make a subnet of a network", verb_subnet_create },
	{ "subnet rm", "SUBNET...", 1, -1, "Remove subnets", verb_subnet_rm },
	{ "group ls", "", 0, 0, "List the security groups and their rules", verb_group_ls },
	{ "group create", "NAME", 1, 1, "Make a security group", verb_group_create },
	{ "group rm", "GROUP...", 1, -1, "Remove security groups", verb_group_rm },
	{ "group allow", "GROUP WHAT", 2, 2,
	  "Add a rule: WHAT is all, icmp, tcp/22 or udp/5000-6000", verb_group_allow },
	{ "group deny", "GROUP WHAT", 2, 2, "Take a rule away again", verb_group_deny },
	{ "key ls", "", 0, 0, "List the SSH keys that instances can be launched with",
	  verb_key_ls },
	{ "key create", "NAME", 1, 1, "Make an SSH key; its private half is given out once",
	  verb_key_create },
	{ "key import", "FILE.pub", 1, 1, "Hand in the public half of a key you have",
	  verb_key_import },
	{ "key rm", "KEY...", 1, -1, "Forget keys", verb_key_rm },
	{ "account create", "NAME", 1, 1,
	  "Make an account and its first access key; prints lines for a shell",
	  verb_account_create },
	{ "account ls", "", 0, 0, "List the accounts and their access keys", verb_account_ls },
	{ "account rm", "ACCOUNT...", 1, -1, "Remove accounts that have nothing left",
	  verb_account_rm },
	{ "account key", "create ACCOUNT|rm KEY", 2, -1,
	  "Make another access key of an account, or remove some", verb_account_key },
	{ "peer add", "NAME ADDRESS FINGERPRINT", 3, 3, "Name another host that networks reach to",
	  verb_peer_add },
	{ "peer ls", "", 0, 0, "List the other hosts and the addresses they have", verb_peer_ls },
	{ "peer rm", "NAME...", 1, -1, "Forget other hosts and their addresses", verb_peer_rm },
	{ "peer map", "NAME", 1, 1, "Say that another host has an address of a network",
	  verb_peer_map },
	{ "peer unmap", "NAME", 1, 1, "Say that it no longer has it", verb_peer_unmap },
	{ "types", "", 0, 0, "List the instance types", verb_types },
	{ "volume create", "", 0, 0, "Make an empty encrypted volume", verb_volume_create },
	{ "volume ls", "", 0, 0, "List the volumes", verb_volume_ls },
	{ "volume rm", "VOLUME...", 1, -1, "Destroy volumes: their keys first", verb_volume_rm },
	{ "host processes", "", 0, 0, "List the host's processes and what each may do",
	  verb_host_processes },
	{ "audit", "", 0, 0, "Show the last calls of the EC2 API: who, what, with what result",
	  verb_audit },
	{ "host certificate", "", 0, 0,
	  "Print the certificate that identity documents are checked with", verb_host_certificate },
	{ "host start", "", 0, -1, "Start the host: on this machine's KVM, or a simulated server",
	  verb_host },
	{ "host stop", "", 0, -1, "Stop all instances and the host", verb_host },
	{ "host status", "", 0, -1, "Say what kind of host runs and what it has left", verb_host },
	{ "host log", "", 0, -1, "Print what the host's own programs logged", verb_host },
};
const size_t verb_cnt = ARRAY_SIZE(verbs);

static int help(void)
{
	puts("niter - instances of the EC2 kind on your own machine\n\n"
	     "usage: niter VERB [WORDS] [OPTIONS]\n");
	for (size_t k = 0; k < verb_cnt; k++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", verbs[k].name, verbs[k].args[0] ? " " : "",
			 verbs[k].args);
		printf("  niter %-33s %s\n", left, verbs[k].about);
	}
	puts("\nniter VERB --help says more about one of them; --json prints results as JSON.\n"
	     "ID is an instance's id, the beginning of one, or its name.\n"
	     "Exit codes: 0 done, 1 it failed, 2 the command line is wrong.");
	return CLI_OK;
}

/* How many words of @argv are the verb's name; 0 when they are another's. */
static int verb_match(const struct verb *v, int argc, char **argv)
{
	const char *blank = strchr(v->name, ' ');
	size_t first = blank ? (size_t)(blank - v->name) : strlen(v->name);

	if (strncmp(argv[0], v->name, first) != 0 || argv[0][first] != '\0')
		return 0;
	if (!blank)
		return 1;
	return argc > 1 && strcmp(argv[1], blank + 1) == 0 ? 2 : 0;
}

/* What a tenant has in place of the operator's verbs, when an endpoint or a profile is named. */
static const struct {
	int (*host)(const struct verb *v, int argc, char **argv);
	int (*tenant)(const struct verb *v, int argc, char **argv);
} tenant_verbs[] = {
	{ verb_run, api_run },
	{ verb_ps, api_ps },
	{ verb_console, api_console },
	{ verb_stop, api_stop },
	{ verb_start, api_start },
	{ verb_reboot, api_reboot },
	{ verb_rm, api_rm },
	{ verb_types, api_types },
	{ verb_volume_create, api_volume_create },
	{ verb_volume_ls, api_volume_ls },
	{ verb_volume_rm, api_volume_rm },
};

static int verb_go(const struct verb *v, int argc, char **argv)
{
	if (profile_is_named(argc, argv))
		for (size_t k = 0; k < ARRAY_SIZE(tenant_verbs); k++)
			if (tenant_verbs[k].host == v->run)
				return tenant_verbs[k].tenant(v, argc, argv);
	return v->run(v, argc, argv);
}

/* Is @word the first word of verbs with two? */
static int group_help(const char *word)
{
	size_t len = strlen(word);
	bool any = false;

	for (size_t k = 0; k < verb_cnt; k++) {
		if (strncmp(verbs[k].name, word, len) != 0 || verbs[k].name[len] != ' ')
			continue;
		if (!any)
			fprintf(stderr, "niter: which of these?\n");
		any = true;
		fprintf(stderr, "  niter %s %s\n", verbs[k].name, verbs[k].args);
	}
	return any ? CLI_USAGE : cli_usage("unknown verb \"%s\"", word);
}

int main(int argc, char **argv)
{
	log_init("niter");
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
			  strcmp(argv[1], "help") == 0))
		return help();
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		puts("niter " NITER_VERSION);
		return CLI_OK;
	}
	if (argc < 2)
		return cli_usage("say what to do");
	for (size_t k = 0; k < verb_cnt; k++) {
		int words = verb_match(&verbs[k], argc - 1, argv + 1);

		if (words > 0)
			return verb_go(&verbs[k], argc - 1 - words, argv + 1 + words);
	}
	return group_help(argv[1]);
}
