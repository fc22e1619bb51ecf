/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/niterd.h"

enum {
	PATH_BYTES = 64,
	LINE_MAX_BYTES = 512,
	BUF_BYTES = 64 * 1024,
	STRANGERS_BURST = 20, /* lines of unsigned calls at once; then one per second */
};

struct audit {
	char path[PATH_BYTES]; /* empty: only the log has it */
	int fd;                /* owned; -1: could not be opened */
	uint64_t bytes;
	char buf[BUF_BYTES];
	size_t len;
	uint64_t strangers_ns; /* the time their allowance has been used up to */
	uint64_t dropped;
};

/* #syscalls:niterd openat */
static int file_open(struct audit *a)
{
	struct stat st;

	a->fd = open(a->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->fd < 0 || fstat(a->fd, &st) < 0)
		return -errno;
	a->bytes = (uint64_t)st.st_size;
	return 0;
}

int audit_open(const char *path, struct audit **ret)
{
	struct audit *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->fd = -1;
	snprintf(a->path, sizeof(a->path), "%s", path ? path : "");
	r = path ? file_open(a) : 0;
	if (r < 0) {
		audit_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	audit_flush(a);
	fd_closep(&a->fd);
	free(a);
}

/* #syscalls:niterd rename */
static void rotate(struct audit *a)
{
	char from[PATH_BYTES + 4], to[PATH_BYTES + 4];

	for (unsigned k = AUDIT_FILES - 1; k > 0; k--) {
		if (k > 1)
			snprintf(from, sizeof(from), "%s.%u", a->path, k - 1);
		else
			snprintf(from, sizeof(from), "%s", a->path);
		snprintf(to, sizeof(to), "%s.%u", a->path, k);
		if (rename(from, to) < 0 && errno != ENOENT)
			log_warn_limited("audit.rotate", "err=%d", -errno);
	}
	fd_closep(&a->fd);
	if (file_open(a) < 0)
		log_warn_limited("audit.open", "err=%d", -errno);
}

void audit_flush(struct audit *a)
{
	if (!a || a->len == 0)
		return;
	if (!a->path[0]) {
		a->len = 0;
		return;
	}
	if (a->fd < 0)
		(void)!file_open(a);
	if (a->fd < 0 || fd_write_full(a->fd, a->buf, a->len) < 0)
		log_warn_limited("audit.write", "err=%d", -errno); /* the log has the lines */
	a->bytes += a->len;
	a->len = 0;
	if (a->bytes >= AUDIT_FILE_BYTES)
		rotate(a);
}

/* A bucket of STRANGERS_BURST that fills by one each second. */
static bool stranger_pass(struct audit *a)
{
	uint64_t now = clock_ns(), second = 1000000000U, burst = STRANGERS_BURST * second;

	if (a->strangers_ns + burst < now)
		a->strangers_ns = now - burst;
	if (now - a->strangers_ns < second) {
		a->dropped++;
		return false;
	}
	a->strangers_ns += second;
	return true;
}

static const char *or_dash(const char *s)
{
	return s[0] ? s : "-";
}

void audit_call(struct audit *a, const struct exchange *x, unsigned status)
{
	uint64_t ms = x->d->core.env.now_ms(x->d->core.env.ptr);
	char line[LINE_MAX_BYTES], action[sizeof(x->action) * 4], key[sizeof(x->access_key_id) * 4];
	time_t s = (time_t)(ms / 1000);
	struct tm tm = { 0 };
	int n;

	if (!a || (!x->account[0] && !stranger_pass(a)))
		return;
	/* An action or a key may be no more than what somebody wrote. */
	log_escape(action, sizeof(action), x->action, strlen(x->action));
	log_escape(key, sizeof(key), x->access_key_id, strlen(x->access_key_id));
	(void)gmtime_r(&s, &tm);
	n = snprintf(line, sizeof(line),
		     "time=%04d-%02d-%02dT%02d:%02d:%02d.%03uZ account=%s key=%s peer=%s tls=%d "
		     "service=%s action=\"%s\" status=%u code=%s request=%s",
		     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		     (unsigned)(ms % 1000), or_dash(x->account), or_dash(key), x->peer, x->tls,
		     or_dash(x->service), action, status, or_dash(x->code), x->request_id);
	if (n < 0)
		return;
	log_info("audit", "%s", line);
	n = (int)min_u64((uint64_t)n, sizeof(line) - 1);
	line[n] = '\n';
	if ((size_t)n + 1 > sizeof(a->buf) - a->len)
		audit_flush(a);
	memcpy(a->buf + a->len, line, (size_t)n + 1);
	a->len += (size_t)n + 1;
}

/* Reads the last @max bytes of a file into @buf. Return: bytes; 0 when there is no such file. */
static size_t tail_read(const char *path, char *buf, size_t max)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	len = min_u64((uint64_t)st.st_size, max);
	return fd_pread_full(fd, buf, len, (uint64_t)st.st_size - len) < 0 ? 0 : len;
}

int audit_tail(struct audit *a, size_t max, char **ret)
{
	CLEANUP(free_p) char *buf = malloc(max + 1);
	char path[PATH_BYTES + 4];
	size_t have = 0, n;

	if (!buf)
		return -ENOMEM;
	audit_flush(a);
	/* From the newest file backwards, each in front of what is there. */
	for (unsigned k = 0; k < AUDIT_FILES && have < max; k++) {
		snprintf(path, sizeof(path), k ? "%s.%u" : "%s", a->path, k);
		n = tail_read(path, buf, max - have);
		if (n == 0)
			continue;
		/* The piece was read to the front: swap it before the rest. */
		memmove(buf + max - have - n, buf, n);
		have += n;
	}
	memmove(buf, buf + max - have, have);
	buf[have] = '\0';
	if (have == max) { /* the first line may have lost its beginning */
		char *lf = strchr(buf, '\n');

		memmove(buf, lf ? lf + 1 : buf + have, strlen(lf ? lf + 1 : buf + have) + 1);
	}
	*ret = TAKE_PTR(buf);
	return 0;
}
