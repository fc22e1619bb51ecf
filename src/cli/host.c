/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter host start|stop|status|log: the machine the instances run on. "start" asks KVM itself whether it can run a
 * guest; where it cannot, the same host image boots as a simulated server.
 */
#include "cli/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/host_dirs.h"
#include "cli/host_native.h"
#include "cli/host_port.h"
#include "cli/host_sim.h"
#include "cli/kvm_probe.h"

enum {
	HOST_STOP_S = 90,
	SIM_MEMORY_MIB = 3072,
	SIM_MEMORY_MIN_MIB = 768,
	SIM_CPUS_MAX = 64,
	SIM_DISK_GIB = 16,
};

static int number_option(const char *name, const char *text, unsigned min, unsigned max, unsigned *ret)
{
	unsigned long v;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *end || v < min || v > max)
		return cli_usage("%s needs a number from %u to %u, not \"%s\"", name, min, max, text);
	*ret = (unsigned)v;
	return 0;
}

static int host_answer(const char *state)
{
	struct host_record record;
	json_t *o;

	host_record_load(&record);
	o = json_pack("{s:s,s:s,s:I,s:I}", "state", state, "mode",
		      record.mode == HOST_NATIVE      ? "native"
		      : record.mode == HOST_SIMULATED ? "simulated"
						      : "none",
		      "pid", (json_int_t)record.pid, "boot_retries", (json_int_t)record.retries);
	if (cli_json)
		json_print(o);
	else
		printf("host %s%s%s\n", state, record.mode == HOST_NONE ? "" : ", ",
		       record.mode == HOST_NONE ? "" : text_of(o, "mode"));
	json_decref(o);
	return CLI_OK;
}

struct start_args {
	bool native, simulated, snapshot;
	const char *memory, *cpus, *api;
	const char *link, *link_address, *link_capture;
	bool link_listen;
};

/* A second network device needs an address: "10.77.0.1/24". */
static int link_check(const struct start_args *a, struct host_sim_conf *conf)
{
	char addr[INET_ADDRSTRLEN];
	unsigned prefix;
	uint8_t b[4];
	int end = 0;

	if (!a->link) {
		if (a->link_address || a->link_capture || a->link_listen)
			return cli_usage("--link-address, --link-listen and --link-capture belong to --link");
		return 0;
	}
	if (!a->link_address || sscanf(a->link_address, "%15[0-9.]/%2u%n", addr, &prefix, &end) != 2 ||
	    a->link_address[end] || inet_pton(AF_INET, addr, b) != 1 || prefix < 1 || prefix > 31)
		return cli_usage("--link needs --link-address, like 10.77.0.1/24");
	conf->link = strncmp(a->link, "unix:", 5) == 0 ? a->link + 5 : a->link;
	if (strlen(conf->link) > 100 || strchr(conf->link, ',') || (a->link_capture && strchr(a->link_capture, ',')))
		return cli_usage("a path is too long for a socket, or has a comma");
	conf->link_address = a->link_address;
	conf->link_capture = a->link_capture;
	conf->link_listen = a->link_listen;
	return 0;
}

static int start_args_check(const struct start_args *a, struct host_sim_conf *conf)
{
	int r;

	if (a->native && a->simulated)
		return cli_usage("--native and --simulated exclude each other");
	r = number_option("--memory", a->memory, SIM_MEMORY_MIN_MIB, 1024 * 1024, &conf->memory_mib);
	if (r == 0)
		r = number_option("--cpus", a->cpus, 1, SIM_CPUS_MAX, &conf->cpus);
	if (r == 0 && conf->cpus > 1 && conf->cpus % 2 != 0)
		r = cli_usage("--cpus is 1 or even: a core has two threads");
	if (r == 0)
		r = number_option("--api", a->api, 1, 65535, &conf->api_port);
	if (r == 0)
		r = link_check(a, conf);
	conf->snapshot = a->snapshot;
	return r;
}

static int verb_host_start(const struct verb *v, int argc, char **argv)
{
	struct host_sim_conf conf = { .memory_mib = SIM_MEMORY_MIB, .cpus = 1, .disk_gib = SIM_DISK_GIB };
	struct start_args a = { 0 };
	const struct opt opts[] = {
		{ "--native", OPT_FLAG, NULL, "only on this machine's own KVM", &a.native },
		{ "--simulated", OPT_FLAG, NULL, "as a simulated server, also where KVM works", &a.simulated },
		{ "--memory", OPT_TEXT, "MIB", "memory of the simulated server (3072)", &a.memory },
		{ "--cpus", OPT_TEXT, "N", "CPUs of the simulated server: 1, or cores of two threads (1)", &a.cpus },
		{ "--api", OPT_TEXT, "PORT", "port of 127.0.0.1 for the EC2 API (8773, or one that is free)", &a.api },
		{ "--link", OPT_TEXT, "PATH", "unix socket that joins two simulated servers", &a.link },
		{ "--link-listen", OPT_FLAG, NULL, "this server makes that socket and waits for the other", &a.link_listen },
		{ "--link-address", OPT_TEXT, "A/P", "address of this server on the link: 10.77.0.1/24", &a.link_address },
		{ "--link-capture", OPT_TEXT, "FILE", "write everything on the link to a pcap file", &a.link_capture },
		{ "--snapshot", OPT_FLAG, NULL, "resume a ready simulated server, or keep one", &a.snapshot },
	};
	struct host_record record;
	const char *why = "";
	unsigned retries;
	int r;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	r = start_args_check(&a, &conf);
	if (r != 0)
		return r;
	host_record_load(&record);
	if (record.mode != HOST_NONE)
		return cli_error("the host runs already: niter host status");
	conf.api_port = host_port_api(conf.api_port);
	if (conf.api_port == 0)
		return CLI_FAILED;

	if (!a.simulated && kvm_probe(&why))
		return host_native_start(conf.api_port) != 0 ? CLI_FAILED : host_answer("running");
	if (a.native)
		return cli_error("no hosted mode here: %s", why);
	if (!a.simulated)
		fprintf(stderr, "niter: %s: starting a simulated server\n", why);
	if (host_sim_start(&conf, &retries) != 0)
		return CLI_FAILED;
	return host_answer("running");
}

/* Waits for the process to end by itself. Return: whether it has. */
static bool host_ended(int seconds)
{
	uint64_t end = clock_ns() + (uint64_t)seconds * 1000000000u;
	struct host_record record;

	do {
		host_record_load(&record);
		if (record.mode == HOST_NONE)
			return true;
		usleep(20000);
	} while (clock_ns() < end);
	return false;
}

static int verb_host_stop(const struct verb *v, int argc, char **argv)
{
	struct host_record record;
	struct client *c;

	(void)opts_parse(v, argc, argv, NULL, 0);
	host_record_load(&record);
	if (record.mode == HOST_NONE) {
		host_record_remove();
		return host_answer("stopped");
	}
	if (client_try(&c, 5000) == 0) {
		struct progress p = { 0 };

		/* The answer may be lost with the host: only its end counts. */
		(void)!client_call(c, "host.stop", NULL, &p, NULL);
		progress_end(&p);
		client_free(c);
	}
	if (!host_ended(HOST_STOP_S)) {
		fprintf(stderr, "niter: the host does not end by itself: ending it\n");
		host_sim_kill(record.pid);
	}
	host_record_remove();
	return host_answer("stopped");
}

static void status_line(const char *key, json_t *value)
{
	if (json_is_string(value))
		printf("%-16s %s\n", key, json_string_value(value));
	else if (json_is_integer(value))
		printf("%-16s %lld\n", key, (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		printf("%-16s %s\n", key, json_is_true(value) ? "yes" : "no");
}

/* The server says where it listens; people here reach it at a port of this machine. */
static void api_say(json_t *status, unsigned port)
{
	char url[48];

	if (port == 0 || !json_is_string(json_object_get(status, "api")) || !text_of(status, "api")[0])
		return;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	json_object_set_new(status, "api", json_string(url));
}

static int verb_host_status(const struct verb *v, int argc, char **argv)
{
	struct host_record record;
	json_t *status = NULL, *value;
	const char *key;

	(void)opts_parse(v, argc, argv, NULL, 0);
	host_record_load(&record);
	if (record.mode == HOST_NONE)
		return host_answer("stopped");
	if (client_call_once("host.status", NULL, NULL, &status) != 0)
		return CLI_FAILED;
	json_object_set_new(status, "state", json_string("running"));
	json_object_set_new(status, "pid", json_integer(record.pid));
	json_object_set_new(status, "boot_retries", json_integer(record.retries));
	api_say(status, record.api_port);
	if (cli_json)
		json_print(status);
	else
		json_object_foreach(status, key, value)
			status_line(key, value);
	json_decref(status);
	return CLI_OK;
}

static int verb_host_log(const struct verb *v, int argc, char **argv)
{
	char path[HOST_PATH_MAX], buf[4096];
	CLEANUP(fd_closep) int fd = -1;
	bool follow = false;
	const struct opt opts[] = { { "--follow", OPT_FLAG, NULL, "go on as the log grows", &follow } };
	struct host_record record;
	ssize_t n;

	(void)opts_parse(v, argc, argv, opts, ARRAY_SIZE(opts));
	if (host_path(path, "run/console.log") < 0)
		return cli_error("the path of NITER_HOME is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_error("no log in %s: the host was never started: niter host start", path);
	do {
		while ((n = read(fd, buf, sizeof(buf))) > 0)
			if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
				return CLI_FAILED;
		fflush(stdout);
		host_record_load(&record);
		if (follow)
			usleep(200000);
	} while (follow && record.mode != HOST_NONE);
	return CLI_OK;
}

static const struct verb host_verbs[] = {
	{ "host start", "", 0, 0, "start the host: this machine's KVM, or a simulated server", verb_host_start },
	{ "host stop", "", 0, 0, "stop every instance and the host; its state disk stays", verb_host_stop },
	{ "host status", "", 0, 0, "what runs, where, with which TPM and room", verb_host_status },
	{ "host log", "", 0, 0, "what the host itself said (never an instance's console)", verb_host_log },
};

int host_main(int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "host %.16s", argc > 0 ? argv[0] : "");
	for (size_t n = 0; n < ARRAY_SIZE(host_verbs); n++)
		if (strcmp(host_verbs[n].name, name) == 0)
			return host_verbs[n].run(&host_verbs[n], argc - 1, argv + 1);
	return cli_usage("niter host has start, stop, status, log and processes, not \"%s\"", argc > 0 ? argv[0] : "");
}
