/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/auth_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/front/front.h"
#include "controller/security_link.h"

#define SECOND_NS 1000000000U

enum entry_state { ENTRY_FREE, ENTRY_ASKED, ENTRY_READY, ENTRY_FAILED };

struct waiter {
	struct waiter *next;
	struct exchange *x; /* whose kept it is */
};

/* What a key is for. */
struct name {
	char access_key_id[SIGV4_KEY_ID_MAX + 1];
	char region[SIGV4_NAME_MAX + 1], service[SIGV4_NAME_MAX + 1];
	char date[9];
};

struct entry {
	enum entry_state state;
	int err;         /* ENTRY_FAILED */
	struct key *key; /* owned; NULL for a stranger's */
	struct name name;
	uint64_t used;          /* when last, by auth_keys.clock */
	struct waiter *waiting; /* ENTRY_ASKED */
	bool forgotten;         /* ENTRY_ASKED: the access key was removed meanwhile */
};

/* Entries and, apart from them so that a look through all is quick, the hashes of their names; 0: free. */
struct auth_keys {
	struct security_link *link; /* borrowed */
	struct key *decoy;          /* random: what a stranger's signature is compared with */
	uint64_t clock;
	uint64_t second; /* in which stranger_asks were put */
	unsigned stranger_asks;
	uint64_t hash[AUTH_KEYS_KNOWN + AUTH_KEYS_STRANGER];
	struct entry entry[AUTH_KEYS_KNOWN + AUTH_KEYS_STRANGER]; /* strangers last */
};

int auth_keys_new(struct security_link *link, struct auth_keys **ret)
{
	struct auth_keys *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->link = link;
	r = key_new_random(SIGV4_KEY_BYTES, &a->decoy);
	if (r < 0) {
		free(a);
		return r;
	}
	*ret = a;
	return 0;
}

static void entry_clear(struct auth_keys *a, struct entry *e)
{
	key_free(e->key);
	memset(e, 0, sizeof(*e));
	a->hash[e - a->entry] = 0;
}

void auth_keys_free(struct auth_keys *a)
{
	if (!a)
		return;
	for (size_t k = 0; k < ARRAY_SIZE(a->entry); k++)
		entry_clear(a, &a->entry[k]);
	key_free(a->decoy);
	free(a);
}

/* FNV-1a; never 0. Who makes two names collide loses a string comparison. */
static uint64_t name_hash(const struct name *n)
{
	const char *const part[] = { n->access_key_id, n->date, n->region, n->service };
	uint64_t h = 0xcbf29ce484222325U;

	for (size_t k = 0; k < ARRAY_SIZE(part); k++)
		for (const char *p = part[k];; p++) {
			h = (h ^ (unsigned char)*p) * 0x100000001b3U;
			if (!*p)
				break;
		}
	return h ? h : 1;
}

static bool name_same(const struct name *a, const struct name *b)
{
	return strcmp(a->access_key_id, b->access_key_id) == 0 && strcmp(a->date, b->date) == 0 &&
	       strcmp(a->region, b->region) == 0 && strcmp(a->service, b->service) == 0;
}

static void span_copy(char *to, size_t cap, struct sigv4_span from)
{
	must(from.len < cap); /* sigv4_parse() */
	memcpy(to, from.p, from.len);
	to[from.len] = '\0';
}

static void name_of(const struct sigv4 *s, struct name *ret)
{
	span_copy(ret->access_key_id, sizeof(ret->access_key_id), s->access_key_id);
	span_copy(ret->region, sizeof(ret->region), s->region);
	span_copy(ret->service, sizeof(ret->service), s->service);
	memcpy(ret->date, s->date, sizeof(ret->date));
}

/* Which entries are those of strangers, which of known names. */
static void range(bool known, size_t *first, size_t *end)
{
	*first = known ? 0 : AUTH_KEYS_KNOWN;
	*end = known ? AUTH_KEYS_KNOWN : AUTH_KEYS_KNOWN + AUTH_KEYS_STRANGER;
}

static struct entry *entry_find(struct auth_keys *a, bool known, const struct name *n, uint64_t h)
{
	size_t first, end;

	range(known, &first, &end);
	for (size_t k = first; k < end; k++)
		if (a->hash[k] == h && name_same(&a->entry[k].name, n) && !a->entry[k].forgotten)
			return &a->entry[k];
	return NULL;
}

/* A free one, or the one not used for longest; NULL when all are being asked for. */
static struct entry *entry_room(struct auth_keys *a, bool known)
{
	struct entry *oldest = NULL;
	size_t first, end;

	range(known, &first, &end);
	for (size_t k = first; k < end; k++) {
		struct entry *e = &a->entry[k];

		if (e->state == ENTRY_FREE)
			return e;
		if (e->state == ENTRY_READY && (!oldest || e->used < oldest->used))
			oldest = e;
	}
	if (oldest)
		entry_clear(a, oldest);
	return oldest;
}

struct question {
	struct auth_keys *a;
	struct entry *e;
};

/* Those who waited go on; they find the entry READY or FAILED. */
static void waiters_tell(struct waiter *w)
{
	while (w) {
		struct waiter *next = w->next;
		struct exchange *x = w->x;

		x->kept = NULL;
		free(w);
		front_retry(x);
		w = next;
	}
}

static void derived(void *ptr, int err, const struct ctl_msg *m)
{
	struct question q = *(struct question *)ptr;
	bool known = q.e < &q.a->entry[AUTH_KEYS_KNOWN];
	struct waiter *w = q.e->waiting;

	free(ptr);
	q.e->waiting = NULL;
	if (err == 0 && known)
		err = m->u.api_key_derived.err;
	if (err == 0 && known)
		err = key_new_from(m->u.api_key_derived.key, SIGV4_KEY_BYTES, &q.e->key);
	q.e->state = err < 0 ? ENTRY_FAILED : ENTRY_READY;
	q.e->err = err;
	waiters_tell(w);
	if (err < 0 || q.e->forgotten)
		entry_clear(q.a, q.e);
}

static int wait_for(struct entry *e, struct exchange *x)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->x = x;
	w->next = e->waiting;
	e->waiting = w;
	x->kept = w;
	return -EINPROGRESS;
}

/* The question about a stranger has another's sealed secret, which is not good for that name: a refusal is the answer. */
static void question_fill(const struct access_key *row, const struct name *n,
			  struct ctl_api_key_derive *m)
{
	memset(m, 0, sizeof(*m));
	snprintf(m->account_id, sizeof(m->account_id), "%s", row ? row->account : "");
	snprintf(m->access_key_id, sizeof(m->access_key_id), "%.*s", CTL_ID_MAX - 1,
		 n->access_key_id);
	snprintf(m->date, sizeof(m->date), "%s", n->date);
	snprintf(m->region, sizeof(m->region), "%s", n->region);
	snprintf(m->service, sizeof(m->service), "%s", n->service);
	if (row) {
		m->sealed.len = row->sealed_len;
		memcpy(m->sealed.b, row->sealed, row->sealed_len);
	}
}

static int entry_ask(struct auth_keys *a, bool known, const struct access_key *row,
		     const struct name *n, uint64_t h, struct exchange *x)
{
	struct question *q = NULL;
	struct ctl_api_key_derive m;
	struct entry *e = entry_room(a, known);
	int r;

	if (!e)
		return -EBUSY;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	*q = (struct question){ a, e };
	question_fill(row, n, &m);
	r = security_link_ask(a->link, CTL_API_KEY_DERIVE, &m, derived, q);
	if (r < 0) {
		free(q);
		return r;
	}
	e->state = ENTRY_ASKED;
	e->name = *n;
	e->used = ++a->clock;
	a->hash[e - a->entry] = h;
	return wait_for(e, x);
}

/* May another question about a stranger be put? Who asks about thousands must not keep others waiting. */
static bool stranger_pass(struct auth_keys *a)
{
	uint64_t second = clock_ns() / SECOND_NS;

	if (second != a->second)
		a->stranger_asks = 0;
	a->second = second;
	return a->stranger_asks++ < AUTH_STRANGER_ASKS_S;
}

int auth_keys_get(struct auth_keys *a, const struct access_key *row, const struct access_key *other,
		  const struct sigv4 *s, struct exchange *x, const struct key **ret)
{
	struct entry *e;
	struct name n;
	uint64_t h;

	name_of(s, &n);
	h = name_hash(&n);
	e = entry_find(a, row != NULL, &n, h);
	if (!e && !row && !stranger_pass(a)) {
		*ret = a->decoy;
		return 0;
	}
	if (!e)
		return entry_ask(a, row != NULL, row ? row : other, &n, h, x);
	if (e->state == ENTRY_ASKED)
		return wait_for(e, x);
	if (e->state == ENTRY_FAILED)
		return e->err;
	e->used = ++a->clock;
	*ret = e->key ? e->key : a->decoy;
	return 0;
}

void auth_keys_forget(struct auth_keys *a, const char *access_key_id)
{
	for (size_t k = 0; k < AUTH_KEYS_KNOWN; k++) {
		struct entry *e = &a->entry[k];

		if (e->state == ENTRY_FREE || strcmp(e->name.access_key_id, access_key_id) != 0)
			continue;
		if (e->state == ENTRY_READY)
			entry_clear(a, e);
		else
			e->forgotten = true;
	}
}

size_t auth_keys_cnt(const struct auth_keys *a)
{
	size_t cnt = 0;

	for (size_t k = 0; k < AUTH_KEYS_KNOWN; k++)
		cnt += a->entry[k].key != NULL;
	return cnt;
}
