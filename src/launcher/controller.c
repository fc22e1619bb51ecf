/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "ids.h"
#include "launcher.h"

/*
 * niterd: started after niter-security, restarted whenever it ends. Instances do not notice. What it had asked
 * for and was not answered is taken back, because the new niterd does not know of it.
 */

#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (10 * NS_PER_S)
#define LIVED_WELL_NS (10 * NS_PER_S)

enum { NITERD_MEM_MIB = 512, NITERD_PIDS = 32 };

/*
 * niterd's channel to the security process: it asks there for secrets of access keys and KMS, and holds neither. Return: its end
 * (owned), -errno: then it goes on without.
 */
static int security_channel(struct launcher *l)
{
	struct ctl_sec_channel ch = { .purpose = CTL_KEY_FOR_NITERD };
	CLEANUP(fd_closep) int mine = -1, theirs = -1;
	uint32_t seq;
	int r;

	r = fd_socketpair(SOCK_SEQPACKET, &mine, &theirs);
	if (r == 0)
		r = security_grant(l, &ch, theirs, &seq);
	if (r < 0) {
		log_err("niterd.no_keys", "text=\"%s\"", strerrordesc_np(-r));
		return r;
	}
	return TAKE_FD(mine);
}

void controller_start(struct launcher *l)
{
	CLEANUP(fd_closep) int security = -1;
	struct ctl_l_config conf = { .has_listener = l->listener >= 0,
				     .has_api = l->api_fd >= 0,
				     .has_state_dir = 1 };
	int fds[4 + PORTS_MAX];
	struct cgroup_limits lim;
	char text[CTL_TEXT_MAX];
	unsigned cnt = 0, i;
	int r;

	l->niterd_at_ns = NEVER;
	if (l->stopping)
		return;
	child_limits_host(l, &lim);
	lim.memory_max = NITERD_MEM_MIB * MIB;
	lim.pids_max = NITERD_PIDS;
	r = child_start(l, CHILD_NITERD, child_program(CHILD_NITERD), UID_NITERD,
			l->cgroups.host_fd, NULL, &lim, &l->niterd, text);
	if (r < 0) {
		log_err("niterd.start", "text=\"%s\"", text);
		controller_gone(l, "could not be started", 0);
		return;
	}
	(void)snprintf(conf.host_mode, sizeof(conf.host_mode), "%s", l->mode);
	conf.port_cnt = (uint16_t)l->port_cnt;
	if (conf.has_listener)
		fds[cnt++] = l->listener;
	if (conf.has_api)
		fds[cnt++] = l->api_fd;
	fds[cnt++] = l->state_fd;
	security = security_channel(l);
	conf.has_security = security >= 0;
	if (conf.has_security)
		fds[cnt++] = security;
	for (i = 0; i < l->port_cnt; i++)
		fds[cnt++] = l->port[i];
	if (child_send(l->niterd, CTL_L_CONFIG, 0, &conf, fds, cnt) < 0)
		child_kill(l->niterd);
	else
		wire_announce(l);
}

void controller_gone(struct launcher *l, const char *how, uint64_t lived_ns)
{
	l->niterd = NULL;
	set_requester_lost(l);
	job_requester_lost(l);
	gateway_requester_lost(l);
	if (l->stopping)
		return;
	if (lived_ns >= LIVED_WELL_NS)
		l->niterd_backoff_ns = 0;
	else
		l->niterd_backoff_ns =
			min_u64(max_u64(2 * l->niterd_backoff_ns, BACKOFF_MIN_NS), BACKOFF_MAX_NS);
	l->niterd_at_ns = clock_ns() + l->niterd_backoff_ns;
	log_warn("niterd.restart", "how=\"%s\" in_ms=%llu", how,
		 (unsigned long long)(l->niterd_backoff_ns / NS_PER_MS));
}

int controller_send(struct launcher *l, enum ctl_type type, uint32_t seq, const void *body,
		    const int *fds, unsigned fd_cnt)
{
	int r;

	if (!l->niterd)
		return -ENOTCONN;
	r = child_send(l->niterd, type, seq, body, fds, fd_cnt);
	if (r < 0 && type != CTL_L_PROGRESS) {
		log_err("niterd.deaf", "err=%d type=%#x", r, (unsigned)type);
		child_kill(l->niterd);
	}
	return r;
}

void controller_ack(struct launcher *l, uint32_t seq, int err, const char *fmt, ...)
{
	struct ctl_ack ack = { .err = err };
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		(void)vsnprintf(ack.text, sizeof(ack.text), fmt, ap);
		va_end(ap);
	}
	(void)controller_send(l, CTL_ACK, seq, &ack, NULL, 0);
}

static void kill_request(struct launcher *l, uint32_t seq, const struct ctl_l_instance_kill *k)
{
	struct set *s;

	if (!id_instance_ok(k->instance_id))
		return controller_ack(l, seq, -EINVAL, "the instance id is malformed");
	s = set_find(l, k->instance_id);
	if (!s)
		return controller_ack(l, seq, -ENOENT, "instance %s does not run on this host",
				      k->instance_id);
	controller_ack(l, seq, 0, NULL);
	set_end(l, s, CTL_EXIT_KILLED, -ECANCELED, "stopped by request");
}

static unsigned cpu_count(const struct cores *c)
{
	unsigned i, n = 0;

	for (i = 0; i < c->core_cnt; i++)
		n += (unsigned)c->core[i].cpu_cnt;
	return n;
}

static void host_request(struct launcher *l, uint32_t seq)
{
	static const char *const sec[] = {
		[SEC_STARTING] = "starting",
		[SEC_RUNNING] = "running",
		[SEC_LOST] = "lost: drain and reboot this host",
	};
	struct ctl_l_host h = {
		.cores = (uint16_t)l->cores.core_cnt,
		.threads = (uint16_t)cpu_count(&l->cores),
		.cores_free =
			(uint16_t)(l->cores.shared ? l->cores.core_cnt : cores_free(&l->cores)),
		.ram_bytes = l->memory.total,
		.ram_free_bytes = memory_free(&l->memory),
		.lab = l->lab,
	};

	(void)snprintf(h.mode, sizeof(h.mode), "%s", l->mode);
	(void)snprintf(h.placement, sizeof(h.placement), "%s",
		       l->cores.shared ? "shared-core lab" : "whole-cores");
	(void)snprintf(h.tpm_kind, sizeof(h.tpm_kind), "%s", l->sec_status.tpm_kind);
	(void)snprintf(h.root_key, sizeof(h.root_key), "%s", l->sec_status.root_key);
	(void)snprintf(h.security, sizeof(h.security), "%s", sec[l->sec_state]);
	memcpy(h.fingerprint, l->sec_status.fingerprint, sizeof(h.fingerprint));
	h.certificate = l->sec_status.certificate;
	(void)snprintf(h.network, sizeof(h.network), "%s",
		       wire_wrong(l) ? wire_wrong(l) : "running");
	nat_way_out(l, h.way_out);
	(void)controller_send(l, CTL_L_HOST, seq, &h, NULL, 0);
	security_status_ask(l);
}

static void instances_request(struct launcher *l, uint32_t seq)
{
	unsigned i;

	for (i = 0; i < SETS_MAX; i++) {
		struct set *s = &l->sets[i];

		if (s->state == SET_RUNNING && set_send_started(l, s, seq) < 0)
			return;
	}
	controller_ack(l, seq, 0, NULL);
}

/* niterd is unprivileged: whatever breaks the protocol ends it, and a new one starts. */
void controller_ctl(struct launcher *l, const struct ctl_msg *m)
{
	uint32_t seq = m->seq;

	if (m->type == CTL_L_VOLUME_CREATE) {
		job_start(l, seq, &m->u.l_volume_create);
	} else if (m->type == CTL_L_VOLUME_DELETE) {
		delete_start(l, seq, &m->u.l_volume_delete);
	} else if (m->type == CTL_L_INSTANCE_START) {
		set_start(l, seq, &m->u.l_instance_start);
	} else if (m->type == CTL_L_INSTANCE_KILL) {
		kill_request(l, seq, &m->u.l_instance_kill);
	} else if (m->type == CTL_L_GATEWAY_START) {
		gateway_start(l, seq, &m->u.l_gateway_start);
	} else if (m->type == CTL_L_GATEWAY_STOP) {
		gateway_stop(l, seq, &m->u.l_gateway_ref);
	} else if (m->type == CTL_L_FORWARD_ADD) {
		nat_forward_add(l, seq, &m->u.l_forward);
	} else if (m->type == CTL_L_FORWARD_DEL) {
		nat_forward_del(l, seq, &m->u.l_forward_ref);
	} else if (m->type == CTL_L_HOST_READ) {
		host_request(l, seq);
	} else if (m->type == CTL_L_INSTANCES_READ) {
		instances_request(l, seq);
	} else if (m->type == CTL_L_PROCESSES_READ) {
		processes_report(l, m->u.l_processes_read.page, &l->report);
		(void)controller_send(l, CTL_L_PROCESSES, seq, &l->report, NULL, 0);
	} else if (m->type == CTL_L_HOST_STOP) {
		controller_ack(l, seq, 0, NULL);
		launcher_stop(l, "asked by niterd");
	} else {
		log_err("niterd.protocol", "type=%#x", (unsigned)m->type);
		child_kill(l->niterd);
	}
}
