/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rows and material, kept in step. After a start the security process is told the state of every key, one after the
 * other: whatever a crash left undone is done then. Keys whose end has come are destroyed there first; the row goes
 * when that is known, so a crash in between only means that it is asked again.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controller/kms/kms_priv.h"

enum { SWEEP_S = 60, MS_NS = 1000000 };

static int key_ask(struct daemon *d, enum ctl_type type, const struct kms_key *k, uint8_t state,
		   security_link_fn *fn)
{
	struct ctl_kms_key m = { .state = state };

	snprintf(m.account_id, sizeof(m.account_id), "%s", k->account);
	snprintf(m.key_id, sizeof(m.key_id), "%s", k->id);
	return security_link_ask(&d->security, type, &m, fn, d);
}

static void sync_next(struct daemon *d);

static void sync_answered(void *ptr, int err, const struct ctl_msg *m)
{
	struct daemon *d = ptr;

	if (err == 0 && m->u.kms_answer.err < 0)
		log_err("kms.sync", "key=%s err=%d text=\"its material cannot be used\"",
			d->kms.sync_id, m->u.kms_answer.err);
	if (err == 0)
		sync_next(d);
	else
		d->kms.syncing = false;
}

/* The row after the one told last, in order of age. */
static const struct kms_key *sync_row(struct daemon *d)
{
	const struct kms_key *k;
	struct store_iter it;
	bool found = d->kms.sync_id[0] == '\0';

	store_each(d->core.st, &tbl_kms_keys, &it);
	while ((k = store_next(&it))) {
		if (found && !k->by_service)
			return k;
		found = found || strcmp(k->id, d->kms.sync_id) == 0;
	}
	return NULL;
}

static void sync_next(struct daemon *d)
{
	const struct kms_key *k = sync_row(d);

	d->kms.syncing = k != NULL;
	if (!k)
		return;
	snprintf(d->kms.sync_id, sizeof(d->kms.sync_id), "%s", k->id);
	if (key_ask(d, CTL_KMS_KEY_STATE_SET, k, (uint8_t)k->state, sync_answered) < 0)
		d->kms.syncing = false;
}

void kms_start(struct daemon *d)
{
	_Static_assert((int)KMS_KEY_ENABLED == (int)CTL_KMS_ENABLED, "");
	_Static_assert((int)KMS_KEY_DISABLED == (int)CTL_KMS_DISABLED, "");
	_Static_assert((int)KMS_KEY_PENDING_DELETION == (int)CTL_KMS_PENDING_DELETION, "");
	d->kms.sync_id[0] = '\0';
	sync_next(d);
}

static void sweep_answered(void *ptr, int err, const struct ctl_msg *m)
{
	struct daemon *d = ptr;
	int r = err < 0 ? err : m->u.kms_answer.err;

	d->kms.sweeping = false;
	if (r == 0)
		r = core_kms_gone(&d->core, d->kms.sweep_id);
	if (r < 0) {
		log_warn("kms.sweep", "key=%s err=%d", d->kms.sweep_id, r);
		return;
	}
	log_info("kms.destroyed", "key=%s", d->kms.sweep_id);
	d->kms.sweep_ns = 0; /* the next one */
}

/* Row and material of one key whose end has come. A frame of its own: a row is large. */
static uint64_t sweep(struct daemon *d)
{
	static struct kms_key k; /* one thread */
	uint64_t next_ms;

	if (core_kms_due(&d->core, &k, &next_ms)) {
		snprintf(d->kms.sweep_id, sizeof(d->kms.sweep_id), "%s", k.id);
		if (key_ask(d, CTL_KMS_KEY_DESTROY, &k, 0, sweep_answered) == 0)
			d->kms.sweeping = true;
	}
	return next_ms;
}

void kms_timers(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	if (!security_link_is_open(&d->security))
		return;
	if (!d->kms.sweeping && now_ns >= d->kms.sweep_ns) {
		d->kms.sweep_ns = now_ns + (uint64_t)SWEEP_S * 1000 * MS_NS;
		(void)sweep(d);
	}
	if (d->kms.sweep_ns < *next)
		*next = d->kms.sweep_ns;
}
