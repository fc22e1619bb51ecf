/* SPDX-License-Identifier: Apache-2.0 */
#include "network_baseline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/log.h"

enum { BATCH = 64, HEADER = 16, AAD = 8, TAG = 16, INNER = 18, PACKET_MAX = 10240 };

static const uint8_t key[32] = { 1 }, salt[4] = { 2 };
static uint8_t packet[BATCH][PACKET_MAX], came[BATCH][PACKET_MAX], frame_bytes[PACKET_MAX];

static struct bench_series series;

void bench_series_clear(struct bench_series *s)
{
	s->cnt = 0;
}

void bench_series_add(struct bench_series *s, double v)
{
	if (s->cnt < BENCH_SERIES_MAX)
		s->v[s->cnt++] = v;
}

static int order(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

double bench_series_median(struct bench_series *s)
{
	must(s->cnt);
	qsort(s->v, s->cnt, sizeof(s->v[0]), order);
	return s->v[s->cnt / 2];
}

static void report(uint64_t frames, uint64_t ns)
{
	(void)printf("{\"frames\": %llu, \"ns_total\": %.2f, \"ns_mean\": %.2f}\n",
		     (unsigned long long)frames, bench_series_median(&series),
		     (double)ns / (double)frames);
}

static void iv_put(uint8_t iv[12], uint64_t n)
{
	unsigned i;

	memcpy(iv, salt, 4);
	for (i = 0; i < 8; i++)
		iv[4 + i] = (uint8_t)(n >> (56 - 8 * i));
}

/* ---- libcrypto ---- */

static void seal(EVP_CIPHER_CTX *c, uint8_t *p, const uint8_t *frame, unsigned len, uint64_t n)
{
	uint8_t iv[12];
	int out;

	iv_put(iv, n);
	memcpy(p + 8, iv + 4, 8);
	must(EVP_EncryptInit_ex(c, NULL, NULL, NULL, iv) == 1);
	must(EVP_EncryptUpdate(c, NULL, &out, p, AAD) == 1);
	must(EVP_EncryptUpdate(c, p + HEADER, &out, frame, (int)len) == 1);
	must(EVP_EncryptFinal_ex(c, p + HEADER + len, &out) == 1);
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, p + HEADER + len) == 1);
}

static void open_packet(EVP_CIPHER_CTX *c, uint8_t *p, unsigned len)
{
	uint8_t iv[12];
	int out;

	memcpy(iv, salt, 4);
	memcpy(iv + 4, p + 8, 8);
	must(EVP_DecryptInit_ex(c, NULL, NULL, NULL, iv) == 1);
	must(EVP_DecryptUpdate(c, NULL, &out, p, AAD) == 1);
	must(EVP_DecryptUpdate(c, p + HEADER, &out, p + HEADER, (int)len) == 1);
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, p + HEADER + len) == 1);
	must(EVP_DecryptFinal_ex(c, p + HEADER + len, &out) == 1);
}

static int udp_pair(int ret[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int size = 4 << 20;

	ret[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ret[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ret[0] < 0 || ret[1] < 0 || bind(ret[1], (struct sockaddr *)&a, len) < 0 ||
	    getsockname(ret[1], (struct sockaddr *)&a, &len) < 0 ||
	    connect(ret[0], (struct sockaddr *)&a, len) < 0)
		return -errno;
	(void)setsockopt(ret[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

static unsigned batch_run(EVP_CIPHER_CTX *enc, EVP_CIPHER_CTX *dec, const int fd[2], unsigned frame,
			  uint64_t *n)
{
	static struct mmsghdr m[BATCH];
	static struct iovec iov[BATCH];
	int i, got;

	for (i = 0; i < BATCH; i++) {
		seal(enc, packet[i], frame_bytes, frame, ++*n);
		iov[i] = (struct iovec){ packet[i], HEADER + frame + TAG };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	must(sendmmsg(fd[0], m, BATCH, 0) == BATCH);
	for (i = 0; i < BATCH; i++)
		iov[i] = (struct iovec){ came[i], PACKET_MAX };
	got = recvmmsg(fd[1], m, BATCH, MSG_DONTWAIT, NULL);
	for (i = 0; i < got; i++)
		open_packet(dec, came[i], m[i].msg_len - HEADER - TAG);
	return got > 0 ? (unsigned)got : 0;
}

void baseline_openssl(unsigned frame, double seconds)
{
	EVP_CIPHER_CTX *enc = EVP_CIPHER_CTX_new(), *dec = EVP_CIPHER_CTX_new();
	uint64_t n = 0, frames = 0, start, end, t;
	int fd[2];

	must(enc && dec && udp_pair(fd) == 0);
	must(EVP_EncryptInit_ex(enc, EVP_aes_256_gcm(), NULL, key, NULL) == 1);
	must(EVP_DecryptInit_ex(dec, EVP_aes_256_gcm(), NULL, key, NULL) == 1);
	bench_series_clear(&series);
	start = t = clock_ns();
	end = start + (uint64_t)(seconds * 1e9);
	while (t < end) {
		unsigned got = batch_run(enc, dec, fd, frame, &n);
		uint64_t now = clock_ns();

		if (got)
			bench_series_add(&series, (double)(now - t) / got);
		frames += got;
		t = now;
	}
	report(frames, t - start);
	EVP_CIPHER_CTX_free(enc);
	EVP_CIPHER_CTX_free(dec);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/* ---- libipsec-mb ---- */

void baseline_ipsec_mb(unsigned frame, double seconds)
{
	static struct gcm_key_data expanded;
	static struct gcm_context_data ctx;
	IMB_MGR *mgr = alloc_mb_mgr(0);
	uint64_t n = 0, frames = 0, start, end, t;
	unsigned len = frame + INNER, i;
	uint8_t iv[12], tag[TAG];

	must(mgr);
	init_mb_mgr_auto(mgr, NULL);
	IMB_AES256_GCM_PRE(mgr, key, &expanded);
	bench_series_clear(&series);
	start = t = clock_ns();
	end = start + (uint64_t)(seconds * 1e9);
	while (t < end) {
		uint64_t now;

		for (i = 0; i < BATCH; i++, frames++) {
			uint8_t *p = packet[i];

			iv_put(iv, ++n);
			IMB_AES256_GCM_ENC(mgr, &expanded, &ctx, p + HEADER, p + HEADER, len, iv, p,
					   AAD, tag, TAG);
			IMB_AES256_GCM_DEC(mgr, &expanded, &ctx, p + HEADER, p + HEADER, len, iv, p,
					   AAD, tag, TAG);
		}
		now = clock_ns();
		bench_series_add(&series, (double)(now - t) / BATCH);
		t = now;
	}
	report(frames, t - start);
	free_mb_mgr(mgr);
}
