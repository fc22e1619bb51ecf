/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter forward, forward ls|rm, ssh. A forwarded port leads from this machine through the host and the network's
 * gateway to the instance: this machine's port -> (simulated server: the same port there) -> the instance's port.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/host_dirs.h"
#include "cli/host_port.h"

enum {
	PORT_MAX = 65535,
	SSH_PORT = 22,
	SSH_WAIT_S = 300,
	SSH_WAIT_MAX_S = 3600,
	BANNER_MS = 5000, /* for "SSH-2.0-…" once something accepts */
	PAUSE_MS = 1000,
	SSH_ARGS_MAX = 128,
};

#define SSH_USER_DEFAULT "admin" /* of Debian's cloud images */

/*
 * Lets a port lead to @port of @ref. @host_port 0: the one that does already, or else one that is free on this
 * machine, too. *ret: the forward, owned.
 */
static int forward_make(const char *ref, uint64_t port, uint64_t host_port, json_t **ret)
{
	json_t *params = json_pack("{s:s,s:I}", "instance", ref, "port", (json_int_t)port),
	       *result = NULL, *f;
	int code;

	if (!params)
		return cli_usage("this is no instance: \"%s\"", ref);
	if (host_port)
		(void)!json_object_set_new(params, "host_port",
					   json_integer((json_int_t)host_port));
	else
		(void)!json_object_set_new(params, "suggested_port",
					   json_integer((json_int_t)host_port_free()));
	code = client_call_once("forward.add", params, NULL, &result);
	if (code != CLI_OK)
		return code;
	f = json_object_get(result, "forward");
	code = host_port_open((unsigned)u64_of(f, "host_port"));
	if (code == CLI_OK)
		*ret = json_incref(f);
	else if (json_is_true(json_object_get(result, "new")))
		(void)!client_call_once(
			"forward.rm",
			json_pack("{s:O}", "host_port", json_object_get(f, "host_port")), NULL,
			NULL);
	json_decref(result);
	return code;
}

static int port_read(const char *text, uint64_t *ret)
{
	if (number_parse(text, PORT_MAX, ret) < 0 || *ret == 0)
		return cli_usage("this is no port: \"%s\"; ports are 1 to 65535", text);
	return CLI_OK;
}

int verb_forward(const struct verb *v, int argc, char **argv)
{
	const char *host = NULL;
	const struct opt opts[] = { { "--host-port", OPT_TEXT, "PORT",
				      "port of this machine; default: one that is free", &host } };
	uint64_t port = 0, host_port = 0;
	json_t *f = NULL;
	int code;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	code = port_read(argv[1], &port);
	if (code == CLI_OK && host)
		code = port_read(host, &host_port);
	if (code == CLI_OK && host_port)
		code = host_port_check((unsigned)host_port);
	if (code == CLI_OK)
		code = forward_make(argv[0], port, host_port, &f);
	if (code == CLI_OK && cli_json)
		json_print(f);
	else if (code == CLI_OK)
		printf("127.0.0.1:%llu\n", (unsigned long long)u64_of(f, "host_port"));
	json_decref(f);
	return code;
}

int verb_forward_ls(const struct verb *v, int argc, char **argv)
{
	static const char *const heads[] = { "HOST PORT", "INSTANCE", "PORT", "ACTIVE" };
	struct table t = { .col_cnt = ARRAY_SIZE(heads) };
	json_t *result = NULL, *f;
	char buf[24];
	size_t k;
	int code;

	(void)opts_parse(v, argc, argv, NULL, 0);
	code = client_call_once("forward.list", NULL, NULL, &result);
	if (code == CLI_OK && cli_json) {
		json_print(result);
	} else if (code == CLI_OK) {
		for (k = 0; k < ARRAY_SIZE(heads); k++)
			table_add(&t, heads[k]);
		json_array_foreach(json_object_get(result, "forwards"), k, f)
		{
			snprintf(buf, sizeof(buf), "%llu",
				 (unsigned long long)u64_of(f, "host_port"));
			table_add(&t, buf);
			table_add(&t, text_of(f, "instance"));
			snprintf(buf, sizeof(buf), "%llu", (unsigned long long)u64_of(f, "port"));
			table_add(&t, buf);
			table_add(&t, json_is_true(json_object_get(f, "active")) ? "yes" : "no");
		}
		table_print(&t);
		table_done(&t);
	}
	json_decref(result);
	return code;
}

int verb_forward_rm(const struct verb *v, int argc, char **argv)
{
	int cnt = opts_parse(v, argc, argv, NULL, 0), code = CLI_OK;

	for (int k = 0; k < cnt; k++) {
		json_t *result = NULL;
		uint64_t port = 0;

		if (port_read(argv[k], &port) != CLI_OK)
			return CLI_USAGE;
		if (client_call_once("forward.rm",
				     json_pack("{s:I}", "host_port", (json_int_t)port), NULL,
				     &result) != CLI_OK) {
			code = CLI_FAILED;
			continue;
		}
		host_port_close((unsigned)port);
		if (cli_json)
			json_print(result);
		json_decref(result);
	}
	return code;
}

/* ---- ssh ---- */

/* Does an SSH server say hello at 127.0.0.1:@port? QEMU and the kernel accept before the instance does. */
static bool ssh_answers(unsigned port)
{
	const struct sockaddr_in sa = { .sin_family = AF_INET,
					.sin_port = htons((uint16_t)port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char head[4];

	if (fd < 0 ||
	    (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS))
		return false;
	if (poll(&p, 1, BANNER_MS) <= 0)
		return false;
	return recv(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	       memcmp(head, "SSH-", 4) == 0;
}

/* Is it still worth waiting? */
static bool instance_runs(const char *id)
{
	json_t *result = NULL, *i;
	bool runs = false;
	size_t k;

	if (client_call_once("instance.list", NULL, NULL, &result) != CLI_OK)
		return false;
	json_array_foreach(json_object_get(result, "instances"), k, i)
	{
		if (strcmp(text_of(i, "id"), id) == 0)
			runs = strcmp(text_of(i, "state"), "running") == 0;
	}
	json_decref(result);
	return runs;
}

static int ssh_wait(const char *id, unsigned port, uint64_t seconds)
{
	uint64_t end = clock_ns() + seconds * 1000000000U;
	struct progress p = { .open = false };
	char step[64];

	snprintf(step, sizeof(step), "waiting for the SSH server of %.24s", id);
	for (unsigned k = 0; !ssh_answers(port); k++) {
		progress_show(&p, step, 0, 0);
		if (k % 5 == 4 && !instance_runs(id)) {
			progress_end(&p);
			return cli_error(
				"instance %s does not run any more: niter console %s says why", id,
				id);
		}
		if (clock_ns() > end) {
			progress_end(&p);
			return cli_error("no SSH server answers in %s: does its image have one? "
					 "niter console %s",
					 id, id);
		}
		(void)poll(NULL, 0, PAUSE_MS);
	}
	progress_end(&p);
	return CLI_OK;
}

/* HOME/ssh/ID: the instance's host key, as its first connection showed it. */
static int known_hosts_path(const char *id, char ret[HOST_PATH_MAX])
{
	char name[64];

	if (mkdir(host_home(), 0700) < 0 && errno != EEXIST)
		return cli_error("cannot make %s: %s", host_home(), strerrordesc_np(errno));
	if (host_path(ret, "ssh") < 0)
		return cli_error("the path of NITER_HOME is too long");
	if (mkdir(ret, 0700) < 0 && errno != EEXIST)
		return cli_error("cannot make %s: %s", ret, strerrordesc_np(errno));
	snprintf(name, sizeof(name), "ssh/%.24s", id);
	return host_path(ret, name) < 0 ? cli_error("the path of NITER_HOME is too long") : CLI_OK;
}

struct ssh_call {
	const char *id, *user, *identity;
	unsigned port;
	int word_cnt;
	char **word; /* the command; borrowed */
};

/* Becomes ssh. Return: CLI_FAILED, if it could not. */
static int ssh_exec(const struct ssh_call *c)
{
	char known[HOST_PATH_MAX + 48], alias[64], port[8], target[160], path[HOST_PATH_MAX];
	const char *argv[SSH_ARGS_MAX];
	/* execvp() takes what it does not change without saying so */
	const union {
		const char **words;
		char *const *argv;
	} call = { .words = argv };
	int n = 0, code = known_hosts_path(c->id, path);
	const char *head[] = { "ssh",
			       "-p",
			       port,
			       "-o",
			       known,
			       "-o",
			       alias,
			       "-o",
			       "StrictHostKeyChecking=accept-new",
			       "-o",
			       "LogLevel=ERROR" };

	if (code != CLI_OK)
		return code;
	snprintf(known, sizeof(known), "UserKnownHostsFile=\"%s\"", path);
	snprintf(alias, sizeof(alias), "HostKeyAlias=%.24s", c->id);
	snprintf(port, sizeof(port), "%u", c->port);
	snprintf(target, sizeof(target), "%s@127.0.0.1", c->user);
	for (size_t k = 0; k < ARRAY_SIZE(head); k++)
		argv[n++] = head[k];
	if (c->identity) {
		argv[n++] = "-i";
		argv[n++] = c->identity;
		argv[n++] = "-o";
		argv[n++] = "IdentitiesOnly=yes";
	}
	argv[n++] = target;
	if (c->word_cnt)
		argv[n++] = "--";
	for (int k = 0; k < c->word_cnt; k++) {
		if (n >= SSH_ARGS_MAX - 1)
			return cli_usage("the command has too many words");
		argv[n++] = c->word[k];
	}
	argv[n] = NULL;
	fflush(stdout);
	execvp(argv[0], call.argv);
	if (errno == ENOENT)
		return cli_error("no ssh on this machine: apt-get install openssh-client");
	return cli_error("ssh does not start: %s", strerrordesc_np(errno));
}

/* A user name goes into ssh's command line. */
static bool user_valid(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= 64 && s[0] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

int verb_ssh(const struct verb *v, int argc, char **argv)
{
	const char *user = SSH_USER_DEFAULT, *identity = NULL, *timeout = NULL;
	const struct opt opts[] = {
		{ "--user", OPT_TEXT, "NAME",
		  "who to be there; default " SSH_USER_DEFAULT ", as in Debian's images", &user },
		{ "-i", OPT_TEXT, "FILE", "private key; default: what ssh tries by itself",
		  &identity },
		{ "--timeout", OPT_TEXT, "SECONDS", "patience for its SSH server; default 300",
		  &timeout },
	};
	int cnt = opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts)), code;
	struct ssh_call c = {
		.user = user, .identity = identity, .word_cnt = cnt - 1, .word = argv + 1
	};
	uint64_t seconds = SSH_WAIT_S;
	json_t *f = NULL;

	if (timeout && number_parse(timeout, SSH_WAIT_MAX_S, &seconds) < 0)
		return cli_usage("this is no number of seconds: \"%s\"", timeout);
	if (!user_valid(user))
		return cli_usage("this is no user name: \"%s\"", user);
	if (identity && access(identity, R_OK) < 0)
		return cli_error("cannot read %s: %s", identity, strerrordesc_np(errno));
	code = forward_make(argv[0], SSH_PORT, 0, &f);
	if (code != CLI_OK)
		return code;
	c.id = text_of(f, "instance");
	c.port = (unsigned)u64_of(f, "host_port");
	if (!json_is_true(json_object_get(f, "active")))
		code = cli_error("instance %s does not run: niter start %s", c.id, c.id);
	if (code == CLI_OK)
		code = ssh_wait(c.id, c.port, seconds);
	if (code == CLI_OK)
		code = ssh_exec(&c);
	json_decref(f);
	return code;
}
