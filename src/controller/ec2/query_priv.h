/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between query.c and query_parse.c only. */

#include "controller/ec2/query.h"

/* query_name_cmp(): order of names: part by part, "." between them, numbers as numbers and before words. */
int query_name_cmp(const char *a, const char *b);
/* query_utf8_valid(): UTF-8 that XML 1.0 can carry, U+FFFE and U+FFFF are none. */
bool query_utf8_valid(const char *s, size_t len);
