/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

enum { BENCH_BODY_BYTES = 1000 };
extern char http_bench_body[BENCH_BODY_BYTES];

/* Serve for ever on @listener. */
int http_bench_front(int listener);
int http_bench_evhttp(int listener);
