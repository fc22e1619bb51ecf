/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One figure per batch. What is beyond BENCH_SERIES_MAX is left out. */
enum { BENCH_SERIES_MAX = 1 << 17 };
struct bench_series {
	unsigned cnt;
	double v[BENCH_SERIES_MAX];
};
void bench_series_clear(struct bench_series *s);
void bench_series_add(struct bench_series *s, double v);
/* bench_series_median(): sorts it. */
double bench_series_median(struct bench_series *s);

/*
 * What others would do with the same packets on the same core; each prints one line of JSON.
 *
 * baseline_openssl(): a plain tunnel: AES-256-GCM by libcrypto, batched sendmmsg and recvmmsg, one datagram each, both ends in
 * one thread. No rings, no card, no network logic.
 * baseline_ipsec_mb(): sealing and opening by libipsec-mb in memory, nothing else: no tunnel with it can be faster.
 */
void baseline_openssl(unsigned frame, double seconds);
void baseline_ipsec_mb(unsigned frame, double seconds);
