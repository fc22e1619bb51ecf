/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Writing XML: elements in order into one growing buffer. Names are our own literals; text is escaped. After the first
 * failed allocation everything is a no-op and xml_failed() says so. A member that is unset is not written at all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct xml {
	char *buf; /* owned */
	size_t len, cap;
	bool failed;
};

void xml_done(struct xml *x);
bool xml_failed(const struct xml *x);

void xml_open(struct xml *x, const char *name);  /* <name> */
void xml_close(struct xml *x, const char *name); /* </name> */
void xml_empty(struct xml *x, const char *name); /* <name/> */
void xml_str(struct xml *x, const char *name,
	     const char *text); /* always, also "" (then <name/>) */
void xml_opt(struct xml *x, const char *name, const char *text); /* not when NULL or "" */
void xml_strn(struct xml *x, const char *name, const char *text, size_t len);
void xml_u64(struct xml *x, const char *name, uint64_t v);
void xml_i64(struct xml *x, const char *name, int64_t v);
void xml_bool(struct xml *x, const char *name, bool v);
void xml_time(struct xml *x, const char *name,
	      uint64_t ms); /* since 1970: 2026-11-22T09:45:15.000Z */
/* xml_time_text(): the same as text. */
enum { XML_TIME_MAX = 25 }; /* with NUL */
void xml_time_text(uint64_t ms, char ret[XML_TIME_MAX]);
void xml_base64(struct xml *x, const char *name, const void *p, size_t len);
/* xml_value(): <name><value>text</value></name>, as attributes are answered. */
void xml_value(struct xml *x, const char *name, const char *text);
/* xml_raw(): bytes that xml_* functions wrote before. */
void xml_raw(struct xml *x, const char *p, size_t len);
