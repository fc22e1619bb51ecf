/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "launcher.h"
#include "nic.h"

/*
 * niter-launcher: the parent of every other process. It makes namespaces, cgroups, uids and descriptors, starts,
 * watches and reaps; it is on no data path, reads nothing a tenant wrote, and never sees a key.
 *
 * Start: arguments; descriptors and directories as root; capabilities and system calls closed; niter-security;
 * niter-wire and niterd; loop. Stop (SIGTERM, or asked by niterd): all sets and gateways, then niterd, niter-wire and
 * niter-security, then exit 0.
 */

enum { RESERVE_MIB = 160, NOFILE = 8192, MEMLOCK_MIB = 64 };

static struct launcher launcher;

static const char usage[] =
	"usage: niter-launcher --mode=server|hosted|simulated --state=DIR --run=DIR "
	"[--libexec=DIR]\n"
	"                      [--lab] [--control-port=PATH]... [--tpm=PATH "
	"--tpm-kind=swtpm|hardware]\n"
	"                      [--placement=auto|whole|shared] [--reserve-mib=N]\n"
	"                      [--overlay=ADDR:PORT] [--uplink=DEVICE] [--api=ADDR:PORT]\n";

static int placement_parse(const char *s, enum cores_policy *ret)
{
	if (!strcmp(s, "auto"))
		*ret = CORES_AUTO;
	else if (!strcmp(s, "whole"))
		*ret = CORES_WHOLE;
	else if (!strcmp(s, "shared"))
		*ret = CORES_SHARED;
	else
		return -EINVAL;
	return 0;
}

static int number_parse(const char *s, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return errno || *end || *s < '0' || *s > '9' || *ret > UINT32_MAX ? -EINVAL : 0;
}

static int option(struct launcher *l, int opt, const char *arg)
{
	struct sockaddr_in address;
	uint64_t n;
	int r = 0;

	switch (opt) {
	case 'm':
		l->mode = arg;
		r = strcmp(arg, "server") && strcmp(arg, "hosted") && strcmp(arg, "simulated")
			    ? -EINVAL
			    : 0;
		break;
	case 's':
		l->state_path = arg;
		break;
	case 'r':
		l->run_path = arg;
		break;
	case 'x':
		l->libexec = arg;
		break;
	case 'l':
		l->lab = true;
		break;
	case 'c':
		if (l->port_cnt == PORTS_MAX)
			return -E2BIG;
		l->ports[l->port_cnt++] = arg;
		break;
	case 't':
		l->tpm_path = arg;
		break;
	case 'k':
		l->tpm_kind = arg;
		break;
	case 'p':
		r = placement_parse(arg, &l->placement);
		break;
	case 'o':
		l->overlay = arg;
		break;
	case 'a':
		l->api = arg;
		r = address_parse(arg, &address);
		break;
	case 'u':
		l->uplink = arg;
		r = *arg && strlen(arg) < NIC_NAME_MAX && !strchr(arg, '/') ? 0 : -EINVAL;
		break;
	case 'R':
		r = number_parse(arg, &n);
		l->reserve = n * MIB;
		break;
	default:
		r = -EINVAL;
	}
	return r;
}

static int arguments(struct launcher *l, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "state", required_argument, NULL, 's' },
		{ "run", required_argument, NULL, 'r' },
		{ "libexec", required_argument, NULL, 'x' },
		{ "lab", no_argument, NULL, 'l' },
		{ "control-port", required_argument, NULL, 'c' },
		{ "tpm", required_argument, NULL, 't' },
		{ "tpm-kind", required_argument, NULL, 'k' },
		{ "placement", required_argument, NULL, 'p' },
		{ "reserve-mib", required_argument, NULL, 'R' },
		{ "overlay", required_argument, NULL, 'o' },
		{ "uplink", required_argument, NULL, 'u' },
		{ "api", required_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	l->libexec = "/usr/lib/niter";
	l->tpm_kind = "hardware";
	l->overlay = "0.0.0.0:4500";
	l->reserve = RESERVE_MIB * MIB;
	while ((opt = getopt_long(argc, argv, "", opts, NULL)) !=
	       -1) /* NOLINT(concurrency-mt-unsafe) */
		if (option(l, opt, optarg) < 0)
			return -EINVAL;
	return l->mode && l->state_path && l->run_path && optind == argc ? 0 : -EINVAL;
}

static int start_failed(const char *what, int r)
{
	log_err("launcher.start", "step=\"%s\" err=%d text=\"%s\"", what, r, strerrordesc_np(-r));
	return r;
}

static void tables_init(struct launcher *l)
{
	unsigned i;

	l->signal_fd = l->null_fd = l->state_fd = l->images_fd = l->volumes_fd = l->security_fd =
		-1;
	l->lock_fd = l->libexec_fd = l->listener = l->api_fd = l->tpm = -1;
	l->netns = l->overlay_fd = l->wire_service = l->nat.sock = -1;
	for (i = 0; i < PORTS_MAX; i++)
		l->port[i] = -1;
	for (i = 0; i < SETS_MAX; i++)
		l->sets[i] = (struct set){ .num = (short)i, .deadline_ns = NEVER };
	for (i = 0; i < JOBS_MAX; i++)
		l->jobs[i].deadline_ns = NEVER;
	for (i = 0; i < GATEWAYS_MAX; i++)
		l->gateways[i].deadline_ns = NEVER;
	l->niterd_at_ns = l->wire_at_ns = l->sec_deadline_ns = l->stop_deadline_ns = NEVER;
}

static int basics_open(struct launcher *l)
{
	struct rlimit nofile = { NOFILE, NOFILE },
		      memlock = { MEMLOCK_MIB * MIB, MEMLOCK_MIB * MIB };
	sigset_t set;
	int r;

	umask(077);
	if (setrlimit(RLIMIT_NOFILE, &nofile) < 0)
		log_warn("launcher.descriptor_limit", "text=\"%s\"", strerrordesc_np(errno));
	(void)setrlimit(RLIMIT_MEMLOCK, &memlock); /* children get less; they could not raise it */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	l->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (l->null_fd < 0)
		return start_failed("/dev/null", -errno);
	l->libexec_fd = open(l->libexec, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->libexec_fd < 0)
		return start_failed(l->libexec, -errno);
	r = loop_init(&l->loop);
	if (r < 0)
		return start_failed("epoll", r);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return start_failed("signals", -errno);
	sigdelset(&set, SIGPIPE);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signal_fd < 0)
		return start_failed("signals", -errno);
	l->signal_ref = (struct loop_ref){ .type = REF_SIGNAL };
	r = loop_add(&l->loop, l->signal_fd, EPOLLIN, &l->signal_ref);
	return r < 0 ? start_failed("epoll", r) : 0;
}

/* A device node, or the unix socket of a software TPM. Without one the security process says what that means. */
static void tpm_open(struct launcher *l)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;

	if (!l->tpm_path)
		return;
	if (stat(l->tpm_path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", l->tpm_path);
		l->tpm = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (l->tpm >= 0 && connect(l->tpm, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
			int e = errno;

			fd_closep(&l->tpm);
			errno = e;
		}
	} else {
		l->tpm = open(l->tpm_path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	}
	if (l->tpm < 0)
		log_warn("tpm.absent", "path=%s text=\"%s\"", l->tpm_path, strerrordesc_np(errno));
}

static int ports_open(struct launcher *l)
{
	unsigned i;

	for (i = 0; i < l->port_cnt; i++) {
		l->port[i] = open(l->ports[i], O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (l->port[i] < 0)
			return start_failed(l->ports[i], -errno);
	}
	return 0;
}

static int host_read(struct launcher *l)
{
	char why[256];
	int r;

	r = cores_read(&l->cores, "/sys/devices/system/cpu", l->placement);
	if (r < 0)
		return start_failed("processor topology", r);
	if (!l->cores.shared &&
	    cores_text(&l->cores, CORE_OWNER_HOST, l->cpus_host, sizeof(l->cpus_host)) < 0)
		l->cpus_host[0] = 0;
	r = memory_read(&l->memory, l->reserve);
	if (r < 0)
		return start_failed("/proc/meminfo", r);
	r = cgroups_init(&l->cgroups, l->lab, why, sizeof(why));
	if (why[0])
		log_event(r < 0 ? LOG_LVL_ERR : LOG_LVL_WARN, "cgroup.limits", "text=\"%s\"%s", why,
			  r < 0 ? "" : " lab=1 limits=off");
	if (r < 0)
		return start_failed("control groups", r);
	log_info("host", "mode=%s cores=%u placement=%s mib_for_instances=%llu", l->mode,
		 l->cores.core_cnt, l->cores.shared ? "shared-core-lab" : "whole-cores",
		 (unsigned long long)(memory_free(&l->memory) / MIB));
	return 0;
}

static int start(struct launcher *l)
{
	int r;

	r = basics_open(l);
	if (r == 0)
		r = host_read(l);
	if (r == 0)
		r = state_dir_open(l);
	if (r == 0)
		r = ports_open(l);
	if (r < 0)
		return r;
	tpm_open(l);
	l->netns = netns_self();
	if (l->netns < 0)
		return start_failed("/proc/self/ns/net", l->netns);
	wire_open(l);
	api_open(l);
	nat_init(l);
	if (!strcmp(l->mode, "hosted")) {
		r = listener_open(l->run_path, &l->listener);
		if (r < 0)
			return start_failed(l->run_path, r);
	}
	r = seal_caps();
	if (r < 0)
		return start_failed("capabilities", r);
	r = seal_syscalls();
	return r < 0 ? start_failed("system call filter", r) : 0;
}

static void child_message(struct launcher *l, struct child *c, const struct ctl_msg *m)
{
	switch (c->kind) {
	case CHILD_SECURITY:
		security_ctl(l, m);
		break;
	case CHILD_NITERD:
		controller_ctl(l, m);
		break;
	case CHILD_FORMAT:
		job_ctl(l, c, m);
		break;
	case CHILD_HYPERVISOR:
	case CHILD_CARD:
	case CHILD_NETCARD:
	case CHILD_METADATA:
		set_ctl(l, c, m);
		break;
	case CHILD_WIRE:
		wire_ctl(l, m);
		break;
	case CHILD_GATEWAY:
		gateway_ctl(l, c->gateway, m);
		break;
	case CHILD_NONE:
		break;
	}
}

/* One message. Return: 1 there was one, 0 nothing now, -1 the socket is closed or broken and gone from the loop. */
static int child_ctl(struct launcher *l, struct child *c)
{
	int r;

	if (c->kind == CHILD_NONE || c->ctl < 0)
		return 0;
	r = ctl_recv(c->ctl, &l->msg);
	if (r == 1) {
		child_message(l, c, &l->msg);
		ctl_msg_done(&l->msg);
		return 1;
	}
	if (r == -EAGAIN)
		return 0;
	if (r == -ECONNRESET) /* it ended without reading everything */
		r = 0;
	loop_del(&l->loop, c->ctl);
	fd_closep(&c->ctl);
	if (r < 0)
		log_err("child.protocol", "name=%s pid=%d err=%d", child_program(c->kind), c->pid,
			r);
	if (c->kind == CHILD_FORMAT && r < 0)
		job_fail(l, c->job, r, "niter-volume-format broke the control protocol");
	else if (c->set)
		set_ctl_lost(l, c, r);
	else if (!l->stopping || r < 0)
		child_kill(c); /* one that hears nothing any more is of no use */
	return -1;
}

static void child_end(struct launcher *l, struct child *c)
{
	enum child_kind kind = c->kind;
	struct set *s = c->set;
	struct job *j = c->job;
	struct gateway *g = c->gateway;
	uint64_t lived_ns = clock_ns() - c->start_ns;
	char how[CTL_TEXT_MAX / 2];

	if (kind == CHILD_NONE || !child_is_dead(c))
		return;
	while (child_ctl(l, c) > 0) /* its last words come before its end */
		;
	child_reap(l, c, how, sizeof(how));
	switch (kind) {
	case CHILD_SECURITY:
		l->security = NULL;
		security_lost(l, "niter-security %s", how);
		break;
	case CHILD_NITERD:
		controller_gone(l, how, lived_ns);
		break;
	case CHILD_FORMAT:
		job_child_gone(l, j, how);
		break;
	case CHILD_HYPERVISOR:
	case CHILD_CARD:
	case CHILD_NETCARD:
	case CHILD_METADATA:
		set_child_gone(l, s, kind, how);
		break;
	case CHILD_WIRE:
		wire_gone(l, how, lived_ns);
		break;
	case CHILD_GATEWAY:
		gateway_child_gone(l, g, how);
		break;
	case CHILD_NONE:
		break;
	}
}

static int timeout_ms(const struct launcher *l, uint64_t now_ns)
{
	uint64_t at = min_u64(l->niterd_at_ns, l->sec_deadline_ns);
	unsigned i;

	at = min_u64(min_u64(at, l->stop_deadline_ns), l->wire_at_ns);
	for (i = 0; i < GATEWAYS_MAX; i++)
		at = min_u64(at, l->gateways[i].deadline_ns);
	for (i = 0; i < SETS_MAX; i++)
		if (l->sets[i].state != SET_FREE)
			at = min_u64(at, l->sets[i].deadline_ns);
	for (i = 0; i < JOBS_MAX; i++)
		if (l->jobs[i].state != JOB_FREE)
			at = min_u64(at, l->jobs[i].deadline_ns);
	if (at == NEVER)
		return -1;
	if (at <= now_ns)
		return 0;
	return (int)min_u64((at - now_ns) / NS_PER_MS + 1, 60000);
}

static void timers(struct launcher *l, uint64_t now_ns)
{
	unsigned i;

	for (i = 0; i < SETS_MAX; i++)
		set_timer(l, &l->sets[i], now_ns);
	for (i = 0; i < JOBS_MAX; i++)
		job_timer(l, &l->jobs[i], now_ns);
	for (i = 0; i < GATEWAYS_MAX; i++)
		gateway_timer(l, &l->gateways[i], now_ns);
	security_timer(l, now_ns);
	if (now_ns >= l->niterd_at_ns)
		controller_start(l);
	if (now_ns >= l->wire_at_ns)
		wire_start(l);
}

static void dispatch(struct launcher *l, const struct loop_event *ev)
{
	struct child *c = ev->ref->ptr;
	struct signalfd_siginfo si;

	switch ((enum ref_type)ev->ref->type) {
	case REF_SIGNAL:
		if (read(l->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
			launcher_stop(l, "signal");
		break;
	case REF_PID:
		child_end(l, c);
		break;
	case REF_CTL:
		(void)child_ctl(l, c);
		break;
	case REF_LOG:
		child_log_read(l, c);
		break;
	}
}

/*
 * A slot freed and taken again within one round may see an event of its predecessor. All reads are non-blocking,
 * and the pidfd is asked with WNOHANG before a child counts as dead.
 */
static int run(struct launcher *l)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	uint64_t now_ns;
	int i, n;

	for (;;) {
		now_ns = clock_ns();
		timers(l, now_ns);
		if (l->stopping && launcher_stop_step(l, now_ns))
			return 0;
		n = loop_wait(&l->loop, ev, timeout_ms(l, clock_ns()));
		if (n < 0)
			return n;
		for (i = 0; i < n; i++)
			dispatch(l, &ev[i]);
	}
}

/* #syscalls:launcher signalfd4 read */
int main(int argc, char **argv)
{
	struct launcher *l = &launcher;
	int r;

	log_init("niter-launcher");
	tables_init(l);
	if (arguments(l, argc, argv) < 0) {
		(void)fputs(usage, stderr);
		return 2;
	}
	r = start(l);
	if (r < 0)
		return 1;
	security_start(l);
	r = run(l);
	nat_off(l);
	if (l->listener >= 0)
		listener_remove(l->run_path);
	cgroups_done(&l->cgroups);
	log_info("launcher.end", "err=%d", r);
	return r < 0 ? 1 : 0;
}
