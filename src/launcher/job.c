/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "ids.h"
#include "jail_path.h"
#include "launcher.h"

/*
 * Volumes come into being without a name (O_TMPFILE): a file that is not finished cannot be found, and vanishes
 * with whoever made it, also when the power goes. It gets its name when niter-volume-format has said that the
 * volume is complete. When it is not, the key secret that may have been made for it is destroyed too.
 *
 * A volume is deleted by destroying its key first; after that the file is noise.
 */

#define JOB_STALL_NS (180 * NS_PER_S)
#define DESTROY_NS (30 * NS_PER_S)

enum { VOLUME_GIB_MAX = 16384, VOLUME_UNIT = 4096, PATH_TEXT_MAX = 128, JOB_SEQ = 1 };

static void volume_path(const char *id, char ret[PATH_TEXT_MAX])
{
	(void)snprintf(ret, PATH_TEXT_MAX, "%s.luks", id);
}

static bool volume_exists(struct launcher *l, const char *id)
{
	char path[PATH_TEXT_MAX];
	struct stat st;

	volume_path(id, path);
	return fstatat(l->volumes_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct job *job_of_volume(struct launcher *l, const char *id)
{
	unsigned i;

	for (i = 0; i < JOBS_MAX; i++)
		if (l->jobs[i].state != JOB_FREE && !strcmp(l->jobs[i].volume_id, id))
			return &l->jobs[i];
	return NULL;
}

static void job_done(struct launcher *l, struct job *j)
{
	fd_closep(&j->file);
	j->state = JOB_FREE;
	j->deadline_ns = NEVER;
	if (j->asked && j->err)
		controller_ack(l, j->req_seq, j->err, "%s", j->text);
	else if (j->asked)
		controller_ack(l, j->req_seq, 0, NULL);
	j->asked = false;
	log_info("volume.job", "vol=%s err=%d text=\"%s\"", j->volume_id, j->err, j->text);
}

/* The process is gone. A volume that did not come into being leaves no key secret behind. */
static void job_cleanup(struct launcher *l, struct job *j)
{
	if (j->err && j->granted && security_destroy(l, j->volume_id, &j->sec_seq) == 0) {
		j->state = JOB_DESTROYING;
		j->deadline_ns = clock_ns() + DESTROY_NS;
		return;
	}
	job_done(l, j);
}

void job_fail(struct launcher *l, struct job *j, int err, const char *fmt, ...)
{
	va_list ap;

	if (!j->err) {
		j->err = err < 0 ? err : -EIO;
		va_start(ap, fmt);
		(void)vsnprintf(j->text, sizeof(j->text), fmt, ap);
		va_end(ap);
	}
	if (j->state != JOB_FORMATTING)
		return;
	fd_closep(&j->file);
	j->state = JOB_ENDING;
	j->deadline_ns = NEVER;
	if (j->child)
		child_kill(j->child);
	else
		job_cleanup(l, j);
}

/* Gives the finished file its name. #syscalls:launcher linkat fsync */
static int volume_link(struct launcher *l, struct job *j)
{
	char from[64], to[PATH_TEXT_MAX];

	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", j->file);
	volume_path(j->volume_id, to);
	if (linkat(AT_FDCWD, from, l->volumes_fd, to, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return fsync(l->volumes_fd) < 0 ? -errno : 0;
}

static void job_acked(struct launcher *l, struct job *j, const struct ctl_ack *ack)
{
	int r;

	if (j->state != JOB_FORMATTING || j->acked)
		return;
	if (ack->err) {
		job_fail(l, j, ack->err, "%s",
			 ack->text[0] ? ack->text : "the volume could not be made");
		return;
	}
	j->acked = true;
	r = volume_link(l, j);
	if (r < 0) {
		job_fail(l, j, r, "cannot name the new volume: %s", strerrordesc_np(-r));
		return;
	}
	/* Nothing more is expected of the program but its end. */
	fd_closep(&j->file);
	j->state = JOB_ENDING;
	j->deadline_ns = NEVER;
	child_kill(j->child);
}

void job_ctl(struct launcher *l, struct child *c, const struct ctl_msg *m)
{
	struct ctl_l_progress p = { .step = "volume" };
	struct job *j = c->job;

	if (m->type == CTL_FORMAT_PROGRESS) {
		j->deadline_ns = clock_ns() + JOB_STALL_NS;
		p.done = m->u.format_progress.done;
		p.total = m->u.format_progress.total;
		/* One lost for want of room is no loss. */
		if (j->asked && j->state == JOB_FORMATTING)
			(void)controller_send(l, CTL_L_PROGRESS, j->req_seq, &p, NULL, 0);
	} else if (m->type == CTL_ACK) {
		job_acked(l, j, &m->u.ack);
	} else {
		job_fail(l, j, -EPROTO, "niter-volume-format broke the control protocol");
	}
}

void job_child_gone(struct launcher *l, struct job *j, const char *how)
{
	j->child = NULL;
	if (j->state == JOB_FORMATTING)
		job_fail(l, j, -EIO, "niter-volume-format %s", how);
	else if (j->state == JOB_ENDING)
		job_cleanup(l, j);
}

void job_timer(struct launcher *l, struct job *j, uint64_t now_ns)
{
	if (j->state == JOB_FREE || now_ns < j->deadline_ns)
		return;
	if (j->state == JOB_DESTROYING)
		job_done(l, j);
	else
		job_fail(l, j, -ETIMEDOUT,
			 "niter-volume-format made no progress for three minutes");
}

void job_requester_lost(struct launcher *l)
{
	unsigned i;

	for (i = 0; i < JOBS_MAX; i++) {
		l->jobs[i].asked = false;
		if (l->jobs[i].state == JOB_FORMATTING)
			job_fail(l, &l->jobs[i], -ECANCELED,
				 "niterd restarted while the volume was being made");
	}
	for (i = 0; i < DELETES_MAX; i++)
		l->deletions[i].asked = false;
}

static const char *create_wrong(const struct ctl_l_volume_create *c)
{
	if (!id_volume_ok(c->volume_id))
		return "the volume id is malformed";
	if (!id_account_ok(c->account_id))
		return "the account id is malformed";
	if (c->image_id[0] && !id_image_ok(c->image_id))
		return "the image id is malformed";
	if (!c->size || c->size % VOLUME_UNIT || c->size > VOLUME_GIB_MAX * GIB)
		return "a volume's size is a multiple of 4096 bytes, at most 16 TiB";
	return NULL;
}

/* Return: descriptor, -ENOENT with the job failed, or -1 for a blank volume. */
static int image_open(struct launcher *l, struct job *j, const struct ctl_l_volume_create *c)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[PATH_TEXT_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/disk.raw", c->image_id);
	fs_user_set(UID_NITERD);
	fd = jail_open_file(l->images_fd, path, O_RDONLY);
	fs_user_reset();
	if (fd == -ENOENT)
		job_fail(l, j, fd, "image %s is not on this host: import it first", c->image_id);
	else if (fd < 0)
		job_fail(l, j, fd, "cannot open the disk of image %s: %s", c->image_id,
			 strerrordesc_np(-fd));
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size > c->size) {
		job_fail(l, j, -EFBIG, "image %s needs a volume of at least %llu MiB", c->image_id,
			 (unsigned long long)((uint64_t)st.st_size + MIB - 1) / MIB);
		return -EFBIG;
	}
	return TAKE_FD(fd);
}

static void job_run(struct launcher *l, struct job *j, const struct ctl_l_volume_create *c)
{
	CLEANUP(fd_closep) int image = -1, job_end = -1, sec_end = -1;
	struct ctl_sec_channel ch = { .purpose = CTL_KEY_FOR_FORMAT };
	struct ctl_format_job job = { .size = c->size, .has_image = c->image_id[0] != 0 };
	struct cgroup_limits lim;
	char text[CTL_TEXT_MAX], cgroup[CTL_NAME_MAX];
	int fds[3], r;

	if (job.has_image) {
		image = image_open(l, j, c);
		if (image < 0)
			return;
	}
	j->file = jail_open(l->volumes_fd, ".", O_TMPFILE | O_RDWR, 0600);
	if (j->file < 0)
		return job_fail(l, j, j->file, "cannot make a file in the state directory: %s",
				strerrordesc_np(-j->file));
	r = fd_socketpair(SOCK_SEQPACKET, &job_end, &sec_end);
	if (r < 0)
		return job_fail(l, j, r, "cannot make the key channel: %s", strerrordesc_np(-r));
	memcpy(ch.account_id, c->account_id, sizeof(ch.account_id));
	memcpy(ch.volume_id, c->volume_id, sizeof(ch.volume_id));
	memcpy(ch.kms_key_id, c->kms_key_id,
	       sizeof(ch.kms_key_id)); /* niter-security looks at it */
	r = security_grant(l, &ch, sec_end, &j->sec_seq);
	if (r < 0)
		return job_fail(l, j, r, "the security process takes no grants: %s",
				strerrordesc_np(-r));
	j->granted = true;
	child_limits_host(l, &lim);
	(void)snprintf(cgroup, sizeof(cgroup), "%s-%u", child_program(CHILD_FORMAT), j->num);
	r = child_start(l, CHILD_FORMAT, child_program(CHILD_FORMAT), UID_JOB + j->num,
			l->cgroups.host_fd, cgroup, &lim, &j->child, text);
	if (r < 0)
		return job_fail(l, j, r, "%s", text);
	j->child->job = j;
	memcpy(job.volume_id, c->volume_id, sizeof(job.volume_id));
	fds[0] = j->file;
	fds[1] = job_end;
	fds[2] = image;
	r = child_send(j->child, CTL_FORMAT_JOB, JOB_SEQ, &job, fds, job.has_image ? 3 : 2);
	if (r < 0)
		job_fail(l, j, r, "niter-volume-format does not listen: %s", strerrordesc_np(-r));
}

void job_start(struct launcher *l, uint32_t seq, const struct ctl_l_volume_create *c)
{
	const char *wrong = create_wrong(c);
	struct job *j = NULL;
	unsigned i;

	for (i = 0; i < JOBS_MAX && !j; i++)
		if (l->jobs[i].state == JOB_FREE)
			j = &l->jobs[i];
	if (wrong)
		return controller_ack(l, seq, -EINVAL, "%s", wrong);
	if (l->stopping)
		return controller_ack(l, seq, -ESHUTDOWN, "this host is stopping");
	if (l->sec_state != SEC_RUNNING)
		return controller_ack(l, seq, -ENOKEY, "%s",
				      l->sec_text[0] ? l->sec_text
						     : "the security process is still starting");
	if (volume_exists(l, c->volume_id) || job_of_volume(l, c->volume_id))
		return controller_ack(l, seq, -EEXIST, "volume %s exists already", c->volume_id);
	if (!j)
		return controller_ack(l, seq, -EBUSY,
				      "4 volumes are being made already: try again later");
	memset(j, 0, sizeof(*j));
	j->num = (unsigned)(j - l->jobs);
	j->file = -1;
	j->state = JOB_FORMATTING;
	j->req_seq = seq;
	j->asked = true;
	j->deadline_ns = clock_ns() + JOB_STALL_NS;
	memcpy(j->volume_id, c->volume_id, sizeof(j->volume_id));
	job_run(l, j, c);
}

static void delete_done(struct launcher *l, struct deletion *d, int err, const char *text)
{
	char path[PATH_TEXT_MAX];

	/* No secret left for it: an earlier deletion came this far. */
	if (err == 0 || err == -ENOENT) {
		volume_path(d->volume_id, path);
		err = unlinkat(l->volumes_fd, path, 0) < 0 && errno != ENOENT ? -errno : 0;
		if (err == 0 && fsync(l->volumes_fd) < 0)
			err = -errno;
		text = err ? strerrordesc_np(-err) : "";
	}
	log_info("volume.delete", "vol=%s err=%d", d->volume_id, err);
	d->used = false;
	if (d->asked && err)
		controller_ack(l, d->req_seq, err, "cannot delete volume %s: %s", d->volume_id,
			       text);
	else if (d->asked)
		controller_ack(l, d->req_seq, 0, NULL);
}

void delete_start(struct launcher *l, uint32_t seq, const struct ctl_l_volume_delete *c)
{
	struct deletion *d = NULL;
	unsigned i;
	int r;

	for (i = 0; i < DELETES_MAX && !d; i++)
		if (!l->deletions[i].used)
			d = &l->deletions[i];
	if (!id_volume_ok(c->volume_id))
		return controller_ack(l, seq, -EINVAL, "the volume id is malformed");
	if (set_uses_volume(l, c->volume_id) || job_of_volume(l, c->volume_id))
		return controller_ack(l, seq, -EBUSY, "volume %s is in use", c->volume_id);
	if (!d)
		return controller_ack(l, seq, -EBUSY,
				      "16 volumes are being deleted already: try again");
	memset(d, 0, sizeof(*d));
	memcpy(d->volume_id, c->volume_id, sizeof(d->volume_id));
	r = security_destroy(l, c->volume_id, &d->sec_seq);
	/* Without keys nothing new comes into being; what never did must be removable all the same. */
	if (r < 0 && !volume_exists(l, c->volume_id) && errno == ENOENT)
		return controller_ack(l, seq, 0, NULL);
	if (r < 0)
		return controller_ack(l, seq, r, "cannot destroy the key of volume %s: %s",
				      c->volume_id,
				      l->sec_text[0] ? l->sec_text : strerrordesc_np(-r));
	d->used = d->asked = true;
	d->req_seq = seq;
}

bool job_sec_ack(struct launcher *l, uint32_t seq, int err, const char *text)
{
	unsigned i;

	for (i = 0; i < DELETES_MAX; i++) {
		if (!l->deletions[i].used || l->deletions[i].sec_seq != seq)
			continue;
		delete_done(l, &l->deletions[i], err, text);
		return true;
	}
	for (i = 0; i < JOBS_MAX; i++) {
		struct job *j = &l->jobs[i];

		if (j->state == JOB_FREE || !j->granted || j->sec_seq != seq)
			continue;
		if (j->state == JOB_DESTROYING)
			job_done(l, j);
		else if (err)
			job_fail(l, j, err, "%s",
				 text[0] ? text : "the security process refused a key");
		return true;
	}
	return false;
}

void job_security_lost(struct launcher *l)
{
	unsigned i;

	for (i = 0; i < DELETES_MAX; i++)
		if (l->deletions[i].used)
			delete_done(l, &l->deletions[i], -ENOKEY, l->sec_text);
	for (i = 0; i < JOBS_MAX; i++) {
		if (l->jobs[i].state == JOB_DESTROYING)
			job_done(l, &l->jobs[i]);
		else
			job_fail(l, &l->jobs[i], -ENOKEY, "%s", l->sec_text);
	}
}
