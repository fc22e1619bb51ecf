/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "launcher.h"

/*
 * niter-security starts once. When it is lost, nothing else may unseal a second time: running instances go on,
 * new grants are refused, and the host asks for a drained reboot (design, decision 9).
 */

#define SEC_ANSWER_NS (60 * NS_PER_S)

void security_lost(struct launcher *l, const char *fmt, ...)
{
	char why[CTL_TEXT_MAX - 96];
	va_list ap;

	if (l->sec_state == SEC_LOST)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)snprintf(l->sec_text, sizeof(l->sec_text),
		       "%s: no keys are given out any more, drain and reboot this host", why);
	l->sec_state = SEC_LOST;
	l->sec_deadline_ns = NEVER;
	child_kill(l->security);
	if (l->stopping)
		return;
	log_err("security.lost", "text=\"%s\"", l->sec_text);
	job_security_lost(l);
	/* Users must be able to ask what is wrong. */
	if (!l->niterd && l->niterd_at_ns == NEVER)
		controller_start(l);
}

void security_start(struct launcher *l)
{
	struct ctl_sec_config conf = { .lab = l->lab };
	struct cgroup_limits lim;
	char text[CTL_TEXT_MAX];
	int fds[2], r;

	child_limits_host(l, &lim);
	r = child_start(l, CHILD_SECURITY, child_program(CHILD_SECURITY), UID_SECURITY,
			l->cgroups.host_fd, NULL, &lim, &l->security, text);
	if (r < 0) {
		security_lost(l, "%s", text);
		return;
	}
	(void)snprintf(conf.tpm_kind, sizeof(conf.tpm_kind), "%s",
		       l->tpm >= 0 ? l->tpm_kind : "none");
	fds[0] = l->security_fd;
	fds[1] = l->tpm;
	l->sec_config_seq = ++l->sec_seq;
	l->sec_deadline_ns = clock_ns() + SEC_ANSWER_NS;
	r = child_send(l->security, CTL_SEC_CONFIG, l->sec_config_seq, &conf, fds,
		       l->tpm >= 0 ? 2 : 1);
	if (r < 0)
		security_lost(l, "niter-security does not listen: %s", strerrordesc_np(-r));
	/* Nobody else gets either of them, ever. */
	fd_closep(&l->tpm);
	fd_closep(&l->security_fd);
}

void security_status_ask(struct launcher *l)
{
	if (l->sec_state == SEC_LOST || !l->security)
		return;
	l->sec_status_seq = ++l->sec_seq;
	if (child_send(l->security, CTL_SEC_STATUS_READ, l->sec_status_seq, NULL, NULL, 0) < 0)
		security_lost(l, "niter-security does not listen");
}

static void config_ack(struct launcher *l, const struct ctl_ack *ack)
{
	if (ack->err) {
		security_lost(l, "%s", ack->text[0] ? ack->text : "niter-security could not start");
		return;
	}
	l->sec_state = SEC_RUNNING;
	l->sec_deadline_ns = NEVER;
	log_info("security.running", "tpm=%s", l->tpm_kind);
	security_status_ask(l);
	wire_start(l);
	controller_start(l);
}

void security_ctl(struct launcher *l, const struct ctl_msg *m)
{
	const struct ctl_ack *ack = &m->u.ack;

	if (m->type == CTL_SEC_STATUS && l->sec_state == SEC_STARTING &&
	    m->seq == l->sec_config_seq) {
		l->sec_status = m->u.sec_status;
		config_ack(l, &(struct ctl_ack){ .err = 0 });
	} else if (m->type == CTL_SEC_STATUS) {
		l->sec_status = m->u.sec_status;
	} else if (m->type != CTL_ACK) {
		security_lost(l, "niter-security broke the control protocol (message %#x)",
			      (unsigned)m->type);
	} else if (m->seq == l->sec_config_seq && l->sec_state == SEC_STARTING) {
		config_ack(l, ack);
	} else if (!job_sec_ack(l, m->seq, ack->err, ack->text)) {
		set_grant_ack(l, m->seq, ack);
	}
}

void security_timer(struct launcher *l, uint64_t now_ns)
{
	if (now_ns >= l->sec_deadline_ns)
		security_lost(l, "niter-security did not answer in time");
}

int security_grant(struct launcher *l, const struct ctl_sec_channel *ch, int fd, uint32_t *ret_seq)
{
	int r;

	if (l->sec_state != SEC_RUNNING || !l->security)
		return -ENOKEY;
	r = child_send(l->security, CTL_SEC_CHANNEL, l->sec_seq + 1, ch, &fd, fd >= 0 ? 1 : 0);
	if (r < 0)
		return r;
	*ret_seq = ++l->sec_seq;
	return 0;
}

int security_destroy(struct launcher *l, const char *volume_id, uint32_t *ret_seq)
{
	struct ctl_sec_volume_destroy d;
	int r;

	if (l->sec_state != SEC_RUNNING || !l->security)
		return -ENOKEY;
	(void)snprintf(d.volume_id, sizeof(d.volume_id), "%s", volume_id);
	r = child_send(l->security, CTL_SEC_VOLUME_DESTROY, l->sec_seq + 1, &d, NULL, 0);
	if (r < 0)
		return r;
	*ret_seq = ++l->sec_seq;
	return 0;
}
