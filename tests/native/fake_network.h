/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the fake launcher's cards, wire and gateways were told, as lines of JSON in a file. */

#include "base/attr.h"
#include "proto/control.h"

/* fake_trace_open(): begins at the end of the file; NULL: nothing is written. */
void fake_trace_open(const char *path);
void fake_trace_line(const char *line);
void fake_trace_start(const struct ctl_l_instance_start *s);
void fake_trace_gateway(const struct ctl_l_gateway_start *s);
void fake_trace_gateway_stop(const char *gateway_id);
/* fake_trace_message(): @who ("card", "wire", …) of @id ("i-…", or empty) has received @m. */
void fake_trace_message(const char *who, const char *id, const struct ctl_msg *m);
