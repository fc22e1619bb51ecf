/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * A line is built on the stack and written with one write(), so that lines of several processes on one pipe do
 * not mix (PIPE_BUF is 4096). What does not fit is cut. A log that cannot be written is lost: logging never
 * blocks or fails the caller's work by its own means.
 */

enum {
	LOG_LINE_MAX = 1024, /* bytes, newline included */
	LOG_CONTEXT_MAX = 128,
	LOG_LIMIT_BURST = 8, /* lines a call site may write at once */
	LOG_FD = 2,
};

static const uint64_t ns_per_s = 1000000000;

static const char *log_prog = "niter";
static char log_fields[LOG_CONTEXT_MAX];
static enum log_level log_max = LOG_LVL_INFO;

static const char *const level_names[] = {
	[LOG_LVL_ERR] = "err",
	[LOG_LVL_WARN] = "warn",
	[LOG_LVL_INFO] = "info",
	[LOG_LVL_DEBUG] = "debug",
};

void log_init(const char *prog)
{
	const char *env = getenv("NITER_LOG"); /* NOLINT(concurrency-mt-unsafe): first thing in main() */

	log_prog = prog;
	log_max = LOG_LVL_INFO;
	if (env && !strcmp(env, "debug"))
		log_max = LOG_LVL_DEBUG;
	if (env && !strcmp(env, "err")) /* fuzzing */
		log_max = LOG_LVL_ERR;
}

void log_context(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(log_fields, sizeof(log_fields), fmt, ap);
	va_end(ap);
}

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * ns_per_s + (uint64_t)ts.tv_nsec;
}

/* A line in the making; appends are cut at the end of the buffer, room for the newline is kept. */
struct line {
	char b[LOG_LINE_MAX];
	size_t len;
};

static void line_vadd(struct line *l, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void line_vadd(struct line *l, const char *fmt, va_list ap)
{
	size_t room = LOG_LINE_MAX - 1 - l->len;
	int n = vsnprintf(l->b + l->len, room, fmt, ap);

	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void line_add(struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_vadd(l, fmt, ap);
	va_end(ap);
}

/* #syscalls:* write */
void log_event(enum log_level lvl, const char *ev, const char *fmt, ...)
{
	uint64_t now_ns;
	struct line l;
	size_t i;
	va_list ap;

	if (lvl > log_max)
		return;
	now_ns = clock_ns();
	l.len = 0;
	line_add(&l, "t=%llu.%06llu lvl=%s prog=%s ev=%s", (unsigned long long)(now_ns / ns_per_s),
		 (unsigned long long)(now_ns % ns_per_s / 1000), level_names[lvl], log_prog, ev);
	if (log_fields[0])
		line_add(&l, " %s", log_fields);
	if (fmt) {
		line_add(&l, " ");
		va_start(ap, fmt);
		line_vadd(&l, fmt, ap);
		va_end(ap);
	}
	/* One event is one line, whatever a string inside it held. */
	for (i = 0; i < l.len; i++)
		if ((unsigned char)l.b[i] < 0x20 || l.b[i] == 0x7f)
			l.b[i] = '?';
	l.b[l.len++] = '\n';
	if (write(LOG_FD, l.b, l.len) < 0)
		return;
}

/* Several threads may come by: counters are relaxed, and one of them wins each second. */
int log_limit_pass(struct log_limit *l)
{
	uint64_t now_ns = clock_ns();
	uint64_t next_ns = __atomic_load_n(&l->next_ns, __ATOMIC_RELAXED);
	uint32_t suppressed;

	if (__atomic_load_n(&l->used, __ATOMIC_RELAXED) < LOG_LIMIT_BURST) {
		__atomic_fetch_add(&l->used, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&l->next_ns, now_ns + ns_per_s, __ATOMIC_RELAXED);
		return 1;
	}
	if (now_ns < next_ns || !__atomic_compare_exchange_n(&l->next_ns, &next_ns, now_ns + ns_per_s, false,
							     __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&l->suppressed, 1, __ATOMIC_RELAXED);
		return 0;
	}
	suppressed = __atomic_exchange_n(&l->suppressed, 0, __ATOMIC_RELAXED);
	if (suppressed)
		log_event(LOG_LVL_WARN, "log.suppressed", "lines=%u", suppressed);
	return 1;
}

const char *log_escape(char *buf, size_t cap, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, n = 0;

	if (!cap)
		return buf;
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		if (n + (plain ? 1 : 4) > cap - 1)
			break;
		if (plain) {
			buf[n++] = (char)c;
			continue;
		}
		buf[n++] = '\\';
		buf[n++] = 'x';
		buf[n++] = hex[c >> 4];
		buf[n++] = hex[c & 15];
	}
	buf[n] = '\0';
	return buf;
}
