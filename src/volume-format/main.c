/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-volume-format: makes one volume and ends. It gets one job with the descriptor of an empty file, a key channel,
 * and perhaps an image to copy; asks niter-security for a fresh data key bound to what the header will say; writes the
 * container; copies the image through the same code that serves guests; syncs; answers CTL_ACK. It reads two things
 * that others wrote: the messages, and the image, whose bytes it only copies.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "crypto/crypto.h"
#include "crypto/key.h"
#include "proto/control.h"
#include "seccomp_volume_format.h"
#include "volume-format/image.h"
#include "volume/volume.h"

enum {
	KEYS_ALIVE = 4,
	FDS_MAX =
		16, /* log, control, backing, key channel, image, event descriptor, some to spare */
	DEPTH = 64,
	FD_BACKING = 0, /* of the job message */
	FD_KEY_CHANNEL = 1,
	FD_IMAGE = 2,
};

/* The answer being made: the first error and the line for a person. */
struct outcome {
	int err;
	char text[CTL_TEXT_MAX];
};

static int fail(struct outcome *o, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int fail(struct outcome *o, int err, const char *fmt, ...)
{
	va_list ap;

	if (o->err)
		return o->err;
	o->err = err;
	va_start(ap, fmt);
	(void)vsnprintf(o->text, sizeof(o->text), fmt, ap);
	va_end(ap);
	return err;
}

/* fail_write() - what to say when the volume's own file does not take what it should */
static int fail_write(struct outcome *o, int err)
{
	if (err == -ENOSPC || err == -EDQUOT || err == -EFBIG)
		return fail(o, -ENOSPC,
			    "the disk that holds the volumes is full: free some space there, then "
			    "try again");
	return fail(o, err, "cannot write the volume: %s", strerrordesc_np(-err));
}

/* recv_wait() - the next message, however the socket blocks. #syscalls:volume-format poll ppoll */
static int recv_wait(int sock, struct ctl_msg *ret)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int r;

	while ((r = ctl_recv(sock, ret)) == -EAGAIN)
		(void)poll(&p, 1, -1);
	return r == 0 ? -EPIPE : r;
}

/* ---- key ---- */

static int key_take(struct ctl_key_data *d, struct vol_params *p, struct key **ret,
		    struct outcome *o)
{
	int r;

	if (d->err < 0)
		return fail(o, d->err, "%s", d->text[0] ? d->text : "niter-security gave no key");
	if (d->key.len != VOL_KEY_BYTES || !d->wrapped.len || d->wrapped.len > sizeof(p->wrapped) ||
	    strcmp(d->volume_id, p->volume_id) != 0)
		return fail(o, -EPROTO, "niter-security answered with something that is no key");
	memcpy(p->wrapped, d->wrapped.b, d->wrapped.len);
	p->wrapped_len = d->wrapped.len;
	r = key_new_take(d->key.b, d->key.len, ret);
	return r < 0 ? fail(o, r, "no locked memory for the key") : 0;
}

/* key_ask() - a fresh data key for a volume with @p's parameters, and its wrapped form into @p */
static int key_ask(int channel, struct vol_params *p, struct key **ret, struct outcome *o)
{
	struct ctl_key_request q = {
		.cipher = "aes-xts-plain64",
		.sector_bytes = VOL_UNIT_BYTES,
		.payload_off = VOL_PAYLOAD_OFF,
		.size = p->size,
	};
	static struct ctl_msg m; /* large */
	int r;

	memcpy(q.volume_id, p->volume_id, sizeof(q.volume_id));
	r = ctl_send(channel, CTL_KEY_CREATE, 1, &q, NULL, 0);
	if (r == 0)
		r = recv_wait(channel, &m);
	if (r < 0)
		return fail(o, r, "niter-security does not answer: see `niter host status`");
	if (m.type != CTL_KEY_DATA || m.seq != 1)
		r = fail(o, -EPROTO, "niter-security answered with something that is no key");
	else
		r = key_take(&m.u.key_data, p, ret, o);
	ctl_msg_done(&m);
	return r;
}

/* ---- the job ---- */

struct job {
	struct vol_params params;
	int channel, image;          /* owned; -1 */
	struct vol_backing *backing; /* owned until the volume is open */
	struct vol *vol;             /* owned */
	struct key *key;             /* owned */
	uint64_t image_bytes;
};

static void job_done(struct job *j)
{
	vol_free(j->vol);
	vol_backing_free(j->backing);
	key_free(j->key);
	fd_closep(&j->channel);
	fd_closep(&j->image);
}

/* image_check() - does it fit? #syscalls:volume-format fstat newfstatat */
static int image_check(struct job *j, struct outcome *o)
{
	struct stat st;

	if (fstat(j->image, &st) < 0)
		return fail(o, -errno, "cannot read the image: %s", strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size % VOL_LBA_BYTES)
		return fail(o, -EINVAL,
			    "the image is not a disk image: its size, %" PRId64
			    " bytes, is not a multiple of 512; build it again",
			    (int64_t)st.st_size);
	j->image_bytes = (uint64_t)st.st_size;
	if (j->image_bytes > j->params.size)
		return fail(o, -EFBIG,
			    "the image has %" PRIu64 " bytes, the volume only %" PRIu64
			    ": ask for a larger disk (--disk)",
			    j->image_bytes, j->params.size);
	return 0;
}

static int job_take(struct ctl_msg *m, struct job *j, struct outcome *o)
{
	const struct ctl_format_job *q = &m->u.format_job;
	int backing, r;

	memcpy(j->params.volume_id, q->volume_id, sizeof(j->params.volume_id));
	/* The first key of this volume; a later one, after a re-encryption, would be .2 */
	(void)snprintf(j->params.key_id, sizeof(j->params.key_id), "%s.1", q->volume_id);
	j->params.size = q->size;
	if (!q->size || q->size % VOL_UNIT_BYTES || q->size > VOL_SIZE_MAX)
		return fail(o, -EINVAL,
			    "a volume cannot have %" PRIu64 " bytes: use a multiple of 4096",
			    q->size);

	backing = fd_list_take(&m->fds, FD_BACKING);
	j->channel = fd_list_take(&m->fds, FD_KEY_CHANNEL);
	j->image = q->has_image ? fd_list_take(&m->fds, FD_IMAGE) : -1;
	if (backing < 0 || j->channel < 0 || (q->has_image && j->image < 0)) {
		fd_closep(&backing);
		return fail(o, -EPROTO, "the job came without its files");
	}
	r = vol_backing_file_new(backing, DEPTH, &j->backing);
	if (r < 0)
		return fail(o, r, "cannot use the volume's file: %s", strerrordesc_np(-r));
	return q->has_image ? image_check(j, o) : 0;
}

static int job_run(struct job *j, uint32_t seq, struct outcome *o)
{
	struct image_progress progress = { .sock = CTL_FD, .seq = seq };
	int r;

	r = key_ask(j->channel, &j->params, &j->key, o);
	if (r < 0)
		return r;
	r = vol_create(j->backing, &j->params, j->key);
	if (r < 0)
		return fail_write(o, r);
	if (j->image < 0)
		return 0;

	r = vol_open(j->backing, &j->params, j->key, NULL, &j->vol);
	if (r < 0)
		return fail(o, r, "cannot open the volume just made: %s", strerrordesc_np(-r));
	j->backing = NULL;
	r = image_copy(j->image, j->image_bytes, j->vol, &progress);
	if (r == -ENODATA)
		return fail(o, r, "the image became shorter while it was copied");
	return r < 0 ? fail_write(o, r) : 0;
}

static int serve(void)
{
	static struct ctl_msg m; /* large */
	struct job j = { .channel = -1, .image = -1 };
	struct outcome o = { 0 };
	uint32_t seq;
	int r;

	r = recv_wait(CTL_FD, &m);
	if (r < 0)
		return r;
	seq = m.seq;
	if (m.type != CTL_FORMAT_JOB)
		r = fail(&o, -EPROTO, "not a job");
	else
		r = job_take(&m, &j, &o);
	ctl_msg_done(&m);
	if (r == 0)
		r = job_run(&j, seq, &o);
	/* The file is closed and the key wiped before anybody hears that it is done. */
	job_done(&j);
	if (r < 0)
		log_err("format.failed", "vol=%s err=%d text=\"%s\"", j.params.volume_id, r,
			o.text);
	else
		log_info("format.done", "vol=%s bytes=%" PRIu64 " image_bytes=%" PRIu64,
			 j.params.volume_id, j.params.size, j.image_bytes);
	return ctl_ack(CTL_FD, seq, o.err, o.err ? "%s" : NULL, o.text);
}

int main(void)
{
	static const int keep[] = { CTL_FD };
	static const struct sandbox_conf conf = {
		.profile = &sandbox_profile_volume_format,
		.nofile_max = FDS_MAX,
		.keep_fds = keep,
		.keep_cnt = ARRAY_SIZE(keep),
	};
	int r;

	log_init("niter-volume-format");
	r = crypto_init();
	if (r == 0)
		r = key_reserve(KEYS_ALIVE);
	if (r == 0)
		r = sandbox_enter(&conf);
	if (r < 0) {
		log_err("format.start.failed", "err=%d", r);
		return EXIT_FAILURE;
	}
	r = serve();
	if (r < 0)
		log_err("format.answer.failed", "err=%d", r);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
