/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One line per event, logfmt, to the log descriptor (default 2):
 *   t=12.345678 lvl=warn prog=niter-storage-card ev=nvme.sq.bad_doorbell inst=i-0a1b dev=vol-3 qid=2
 * Never keys, payload or host pointers. Values with blanks are quoted and escaped by log_event().
 */

#include <stdint.h>

#include "base/attr.h"

enum log_level { LOG_LVL_ERR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* @prog is borrowed for ever. Reads NITER_LOG=debug (or err) once. Call first in main(). */
void log_init(const char *prog);
/* log_context(): fields put into every later line, e.g. log_context("inst=%s", id). At most 127 bytes. */
void log_context(const char *fmt, ...) PRINTF_LIKE(1, 2);

/**
 * log_event() - one line
 * @ev:   event name, literal, dotted: "nvme.sq.bad_doorbell"
 * @fmt:  the fields, "qid=%u tail=%u"; NULL for none. Strings from outside go through log_escape().
 */
void log_event(enum log_level lvl, const char *ev, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_err(ev, ...) log_event(LOG_LVL_ERR, ev, __VA_ARGS__)
#define log_warn(ev, ...) log_event(LOG_LVL_WARN, ev, __VA_ARGS__)
#define log_info(ev, ...) log_event(LOG_LVL_INFO, ev, __VA_ARGS__)
#define log_debug(ev, ...) log_event(LOG_LVL_DEBUG, ev, __VA_ARGS__)

/* Anything a guest or peer can trigger: at most @burst lines, then one per second per call site. */
struct log_limit {
	uint64_t next_ns;
	uint32_t used, suppressed;
};
MUST_USE int log_limit_pass(struct log_limit *l);
#define log_warn_limited(ev, ...)                                                                  \
	do {                                                                                       \
		static struct log_limit limit_;                                                    \
		if (log_limit_pass(&limit_))                                                       \
			log_event(LOG_LVL_WARN, ev, __VA_ARGS__);                                  \
	} while (0)

/* log_escape(): @s with control bytes, quotes and backslashes as \xNN, cut to @cap-1. Return: @buf. */
const char *log_escape(char *buf, size_t cap, const char *s, size_t len);

/* clock_ns(): CLOCK_MONOTONIC in ns. */
uint64_t clock_ns(void);
