/* SPDX-License-Identifier: Apache-2.0 */
#include "security/release_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/*
 * seq=7 time=1700000000 op=release volume=vol-… account=… instance=i-… prev=<64 hex> hash=<64 hex> mac=<32 hex>
 * hash is SHA-256 of the line up to " hash="; mac the first half of HMAC-SHA-256 of those 32 bytes.
 */
enum {
	LINE_MAX_BYTES = 512,
	HASH_HEX = 2 * HASH_SHA256_BYTES,
	MAC_BYTES = 16,
	MAC_HEX = 2 * MAC_BYTES,
	TAIL_BYTES = 6 + HASH_HEX + 5 + MAC_HEX + 1, /* " hash=" … " mac=" … newline */
	PREV_BYTES = 6 + HASH_HEX,                   /* " prev=" … */
	READ_BYTES = 4096,
};

static const char op_damage[] = "damage";

static void hex_write(char *ret, const uint8_t *b, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		ret[2 * i] = digits[b[i] >> 4];
		ret[2 * i + 1] = digits[b[i] & 15];
	}
}

/* The end of a line whose beginning, of @len bytes, stands in @line. Return: 0, -EIO. */
static int tail_make(const struct key *key, const char *line, size_t len,
		     uint8_t ret_hash[HASH_SHA256_BYTES], char ret[TAIL_BYTES])
{
	uint8_t mac[HASH_SHA256_BYTES];
	int r;

	r = hash_sha256(line, len, ret_hash);
	if (r < 0)
		return r;
	r = hash_hmac_sha256(key, ret_hash, HASH_SHA256_BYTES, mac);
	if (r < 0)
		return r;
	memcpy(ret, " hash=", 6);
	hex_write(ret + 6, ret_hash, HASH_SHA256_BYTES);
	memcpy(ret + 6 + HASH_HEX, " mac=", 5);
	hex_write(ret + 6 + HASH_HEX + 5, mac, MAC_BYTES);
	ret[TAIL_BYTES - 1] = '\n';
	return 0;
}

static int line_write(struct release_log *l, const struct release *what, uint64_t seq,
		      const uint8_t prev[HASH_SHA256_BYTES])
{
	char line[LINE_MAX_BYTES], prev_hex[HASH_HEX + 1] = "";
	uint8_t hash[HASH_SHA256_BYTES];
	int r, len;

	hex_write(prev_hex, prev, HASH_SHA256_BYTES);
	len = snprintf(line, sizeof(line),
		       "seq=%llu time=%lld op=%s volume=%s account=%s instance=%s prev=%s",
		       (unsigned long long)seq, (long long)time(NULL), what->op, what->volume,
		       what->account[0] ? what->account : "-",
		       what->instance[0] ? what->instance : "-", prev_hex);
	if (len < 0 || (size_t)len + TAIL_BYTES > sizeof(line))
		return -EINVAL;
	r = tail_make(l->key, line, (size_t)len, hash, line + len);
	if (r < 0)
		return r;
	/* A line that a failure tore is overwritten by the next one, or cut off at the next start. */
	r = fd_pwrite_full(l->fd, line, (size_t)len + TAIL_BYTES, l->end);
	if (r < 0)
		return r;
	if (fdatasync(l->fd) < 0)
		return -errno;
	l->end += (size_t)len + TAIL_BYTES;
	l->cnt = seq;
	memcpy(l->head, hash, sizeof(hash));
	return 0;
}

int release_log_add(struct release_log *l, const struct release *r)
{
	return line_write(l, r, l->cnt + 1, l->head);
}

/* What the check of the file found so far. */
struct scan {
	bool broken;         /* since the last line that said "damage" */
	bool mark_seen;      /* the line the mark names is there */
	uint64_t damage_seq; /* of the last line that said "damage" */
};

/* One line that is ours. Return: 1 authentic, 0 not, -EIO. */
static int line_check(const struct release_log *l, const char *line, size_t len,
		      uint8_t ret_hash[HASH_SHA256_BYTES])
{
	char want[TAIL_BYTES];
	int r;

	if (len < TAIL_BYTES + PREV_BYTES)
		return 0;
	r = tail_make(l->key, line, len - TAIL_BYTES, ret_hash, want);
	if (r < 0)
		return r;
	return mem_equal_ct(line + len - TAIL_BYTES, want, TAIL_BYTES);
}

/* An authentic line: does it continue the chain? */
static void line_take(struct release_log *l, struct scan *s, const char *line, size_t len,
		      const uint8_t hash[HASH_SHA256_BYTES], const struct store_log_mark *mark)
{
	char prev[HASH_HEX], text[LINE_MAX_BYTES] = "";
	unsigned long long seq = 0;
	bool damage;

	memcpy(text, line, len - TAIL_BYTES);
	seq = strtoull(text + strlen("seq="), NULL, 10);
	damage = strstr(text, " op=damage ") != NULL;
	hex_write(prev, l->head, HASH_SHA256_BYTES);
	if (damage) {
		l->damage_cnt++;
		s->damage_seq = seq;
		s->broken = false;
	} else if (seq != l->cnt + 1 ||
		   memcmp(line + len - TAIL_BYTES - HASH_HEX, prev, HASH_HEX) != 0) {
		s->broken = true;
	}
	l->cnt = seq;
	memcpy(l->head, hash, HASH_SHA256_BYTES);
	if (seq == mark->cnt && memcmp(hash, mark->head, sizeof(mark->head)) == 0)
		s->mark_seen = true;
}

/* Lines in b[0..len). Return: bytes of whole lines, -EIO. */
static int chunk_scan(struct release_log *l, struct scan *s, const char *b, size_t len,
		      const struct store_log_mark *mark)
{
	uint8_t hash[HASH_SHA256_BYTES];
	const char *at = b, *nl;
	size_t line;
	int r;

	while ((nl = memchr(at, '\n', len - (size_t)(at - b)))) {
		line = (size_t)(nl - at) + 1;
		r = line <= LINE_MAX_BYTES ? line_check(l, at, line, hash) : 0;
		if (r < 0)
			return r;
		if (r)
			line_take(l, s, at, line, hash, mark);
		else
			s->broken = true;
		at = nl + 1;
	}
	return (int)(at - b);
}

static int file_scan(struct release_log *l, struct scan *s, uint64_t size,
		     const struct store_log_mark *mark)
{
	char b[READ_BYTES];
	size_t len;
	int r;

	while (l->end < size) {
		len = size - l->end < sizeof(b) ? (size_t)(size - l->end) : sizeof(b);
		r = fd_pread_full(l->fd, b, len, l->end);
		if (r < 0)
			return r;
		r = chunk_scan(l, s, b, len, mark);
		if (r < 0)
			return r;
		if (r == 0 && len < sizeof(b))
			break; /* a torn last line */
		if (r == 0) {
			s->broken = true; /* no line of ours is that long */
			r = (int)len;
		}
		l->end += (unsigned)r;
	}
	return 0;
}

static int log_load(struct release_log *l, const struct store_log_mark *mark)
{
	static const uint8_t zero[HASH_SHA256_BYTES];
	const struct release damage = { op_damage, "-", "", "" };
	struct scan s = { .mark_seen = mark->cnt == 0 };
	struct stat st;
	int r;

	if (fstat(l->fd, &st) < 0)
		return -errno;
	r = file_scan(l, &s, (uint64_t)st.st_size, mark);
	if (r < 0)
		return r;
	/* #syscalls:security ftruncate */
	if (l->end < (uint64_t)st.st_size && ftruncate(l->fd, (off_t)l->end) < 0)
		return -errno;
	l->damaged_now = s.broken || (!s.mark_seen && s.damage_seq <= mark->cnt);
	if (!l->damaged_now)
		return 0;
	l->damage_cnt++;
	return line_write(l, &damage, (l->cnt > mark->cnt ? l->cnt : mark->cnt) + 1, zero);
}

int release_log_open(struct release_log *l, int fd, const struct key *key,
		     const struct store_log_mark *mark)
{
	int r;

	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->key = key;
	r = log_load(l, mark);
	if (r < 0)
		release_log_done(l);
	return r;
}

void release_log_done(struct release_log *l)
{
	fd_closep(&l->fd);
}
