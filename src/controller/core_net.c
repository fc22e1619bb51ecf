/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Networks that come and go with accounts and instances. docs/decisions/0083-default-network.md says what an account
 * has from the start, and why.
 */

#include "controller/core_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/core_net_priv.h"
#include "controller/core_priv.h"
#include "controller/ids.h"
#include "controller/net_text.h"

static int default_network_ensure(struct core *c, const char *account)
{
	struct fault f;
	struct vpc v;

	if (core_vpc_default(c, account, &v) == 0)
		return 0;
	return core_vpc_default_add(c, account, &v, &f);
}

int core_net_account(struct core *c, const char *account)
{
	return default_network_ensure(c, account);
}

static struct core_interface_want want_of(const struct core_run *q)
{
	return (struct core_interface_want){ .account = q->account, .private_ip = q->private_ip };
}

int core_net_check(struct core *c, const struct core_run *q, struct interface *ret, struct fault *f)
{
	const struct core_interface_want want = want_of(q);
	int r = store_begin(c->st);

	if (r < 0)
		return fault_internal(f, r, "reading the networks");
	r = core_interface_add(c, &want, ret, f);
	store_rollback(c->st);
	return r;
}

int core_data_check(const struct core_run *q, struct fault *f)
{
	if (q->public_key[0] && !net_key_valid(q->public_key))
		return fault_set(f, EINVAL, "InvalidKey.Format",
				 "give the line of a .pub file that ssh-keygen wrote",
				 "the key is no OpenSSH public key");
	if (q->key_name[0] && !q->public_key[0])
		return fault_set(f, EINVAL, "MissingParameter", "give the key, too",
				 "a key name without a public key means nothing");
	if (q->key_name[0] && !net_key_name_valid(q->key_name))
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "use up to 63 printable characters without a slash",
				 "a key cannot have that name");
	if (q->user_data && q->user_data->len > NET_USER_DATA_MAX)
		return fault_set(f, EINVAL, "InvalidUserData.Malformed", "make it smaller",
				 "user data holds at most %d bytes", NET_USER_DATA_MAX);
	return 0;
}

static int launch_data_put(struct core *c, const struct core_run *q, const struct instance *i)
{
	struct launch_data *d;
	int r;

	if (!q->public_key[0] && !(q->user_data && q->user_data->len))
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	snprintf(d->instance_id, sizeof(d->instance_id), "%s", i->id);
	if (q->public_key[0]) {
		snprintf(d->public_key, sizeof(d->public_key), "%s", q->public_key);
		snprintf(d->key_name, sizeof(d->key_name), "%s",
			 q->key_name[0] ? q->key_name : "key");
	}
	if (q->user_data)
		d->user_data = *q->user_data;
	r = store_put(c->st, &tbl_launch_data, d);
	free(d);
	return r;
}

int core_net_attach(struct core *c, const struct core_run *q, const struct instance *i,
		    struct interface *ni)
{
	const struct core_interface_want want = want_of(q);
	struct fault f;
	int r = core_interface_add(c, &want, ni, &f);

	if (r == 0)
		r = core_interface_attach(c, ni, i, 0, true, &f);
	return r < 0 ? r : launch_data_put(c, q, i);
}

static int forwards_release(struct core *c, const char *instance_id)
{
	const struct forward *f;
	struct forward row;
	struct store_iter it;
	int r = 0;

	while (r == 0) {
		store_each_of(c->st, &tbl_forwards, "instance_id", instance_id, &it);
		f = store_next(&it);
		if (!f)
			break;
		row = *f;
		r = store_delete(c->st, &tbl_forwards, &row);
	}
	return r;
}

int core_net_release(struct core *c, const char *instance_id)
{
	int r = core_interfaces_release(c, instance_id);

	if (r == 0)
		r = forwards_release(c, instance_id);
	if (r == 0)
		r = store_delete_id(c->st, &tbl_launch_data, instance_id);
	return r == -ENOENT ? 0 : r;
}

static const struct interface *interface_at(struct core *c, const char *instance_id, unsigned idx)
{
	const struct interface *ni;
	struct store_iter it;

	store_each_of(c->st, &tbl_interfaces, "instance_id", instance_id, &it);
	while ((ni = store_next(&it)))
		if (ni->device_idx == idx)
			return ni;
	return NULL;
}

int core_net_start(struct core *c, const char *instance_id, struct ctl_l_instance_start *m)
{
	for (unsigned k = 0; k < CTL_INTERFACES_MAX; k++) {
		const struct interface *ni = interface_at(c, instance_id, k);

		if (!ni)
			break;
		snprintf(m->interface[k].interface_id, CTL_ID_MAX, "%s", ni->id);
		memcpy(m->interface[k].mac, ni->mac, NET_MAC_BYTES);
		m->interface[k].mtu = NET_MTU;
		m->interface_cnt = (uint16_t)(k + 1);
	}
	return 0;
}

/* An instance that an older niterd launched gets its interface now; it has it from its next start on. */
static int interface_ensure(struct core *c, const struct instance *i)
{
	const struct core_interface_want want = { .account = i->account };
	struct interface ni;
	struct fault f;
	int r;

	if (interface_at(c, i->id, 0))
		return 0;
	r = default_network_ensure(c, i->account);
	if (r == 0)
		r = core_interface_add(c, &want, &ni, &f);
	return r < 0 ? r : core_interface_attach(c, &ni, i, 0, true, &f);
}

/* The first account's: once, since people may delete it. */
static int first_network_ensure(struct core *c)
{
	const struct setting made = { .name = "default-network", .value = "made" };
	int r;

	if (store_find(c->st, &tbl_settings, made.name))
		return 0;
	r = default_network_ensure(c, MODEL_ACCOUNT_DEFAULT);
	return r < 0 ? r : store_put(c->st, &tbl_settings, &made);
}

static int all_ensure(struct core *c)
{
	CLEANUP(free_p) struct instance *list = NULL;
	size_t cnt = 0;
	int r;

	r = first_network_ensure(c);
	if (r == 0)
		r = store_list(c->st, &tbl_instances, (void **)&list, &cnt);
	for (size_t k = 0; r == 0 && k < cnt; k++)
		if (list[k].state != INSTANCE_TERMINATED)
			r = interface_ensure(c, &list[k]);
	return r;
}

int core_net_init(struct core *c)
{
	static const struct place place = PLACE_DEFAULT;
	int r;

	if (c->place.region[0] == '\0')
		c->place = place;
	r = store_begin(c->st);
	if (r < 0)
		return r;
	r = all_ensure(c);
	if (r == 0)
		r = store_commit(c->st);
	if (r < 0)
		store_rollback(c->st);
	return r;
}
