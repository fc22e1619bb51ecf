/* SPDX-License-Identifier: Apache-2.0 */

/* Key pairs. A private key is made, answered once, and kept nowhere. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bucket.h"
#include "base/log.h"
#include "base/mem.h"
#include "controller/base64.h"
#include "controller/ec2/call_priv.h"
#include "controller/ec2/filter.h"
#include "controller/ec2/tags.h"
#include "controller/ids.h"
#include "crypto/ssh_key.h"

enum {
	KEY_NAME_MAX = MODEL_KEY_NAME_MAX - 1,
	KEY_PAIRS_MAX = 5000, /* of an account */
	RSA_AT_ONCE = 20,     /* RSA pairs made here, of all accounts */
	RSA_PER_S = 1,
};

static const struct key_pair *key_by_name(struct ec2_call *c, const char *name)
{
	const struct key_pair *k;
	struct store_iter i;

	store_each_of(c->core->st, &tbl_key_pairs, "name", name, &i);
	while ((k = store_next(&i)))
		if (strcmp(k->account, c->account) == 0)
			return k;
	return NULL;
}

static const struct key_pair *key_by_id(struct ec2_call *c, const char *id)
{
	const struct key_pair *k = store_find(c->core->st, &tbl_key_pairs, id);

	return k && strcmp(k->account, c->account) == 0 ? k : NULL;
}

/* A name from outside for a refusal. */
struct safe_name {
	char s[160];
};

static struct safe_name safe_name(const char *name)
{
	struct safe_name n;

	log_escape(n.s, sizeof(n.s), name, strlen(name));
	return n;
}

/* The name of a pair to be. */
static const char *new_name_read(struct ec2_call *c)
{
	const char *name = query_need_str(&c->in, "KeyName");
	size_t len = strlen(name);

	for (const char *p = name; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			len = SIZE_MAX;
	if (len > KEY_NAME_MAX)
		query_refuse(&c->in, "InvalidParameterValue",
			     "The key pair name must be at most %d printable ASCII characters",
			     KEY_NAME_MAX);
	return name;
}

/* Everything about the new row but the key. */
static int row_begin(struct ec2_call *c, const char *name, struct key_pair *ret)
{
	struct store_iter i;
	size_t cnt = 0;
	int r;

	if (key_by_name(c, name))
		return ec2_refuse(c, "InvalidKeyPair.Duplicate", "The keypair '%s' already exists.",
				  safe_name(name).s);
	store_each_of(c->core->st, &tbl_key_pairs, "account", c->account, &i);
	while (store_next(&i))
		cnt++;
	if (cnt >= KEY_PAIRS_MAX)
		return ec2_refuse(c, "KeyPairLimitExceeded",
				  "The maximum number of key pairs has been reached.");
	*ret = (struct key_pair){ .created_ms = c->core->env.now_ms(c->core->env.ptr) };
	snprintf(ret->account, sizeof(ret->account), "%s", c->account);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	r = core_id_new(c->core, ID_KEY_PAIR, ret->id);
	return r < 0 ? fault_internal(&c->fault, r, "making an id") : 0;
}

static int row_put(struct ec2_call *c, const struct ssh_public *p, const struct tag_list *tags,
		   struct key_pair *k)
{
	char line[SSH_LINE_MAX];
	int r;

	ssh_public_line(p, line);
	snprintf(k->type, sizeof(k->type), "%s", ssh_key_type_name(p->type));
	snprintf(k->public_key, sizeof(k->public_key), "%s %s", line, k->name);
	r = store_put(c->core->st, &tbl_key_pairs, k);
	return r < 0 ? fault_internal(&c->fault, r, "recording the key pair")
		     : tags_put(c, k->id, tags);
}

static enum ssh_key_type type_read(struct ec2_call *c)
{
	const char *type = query_str(&c->in, "KeyType");
	const char *format = query_str(&c->in, "KeyFormat");

	if (format && strcmp(format, "ppk") == 0)
		query_unsupported(&c->in, "KeyFormat", "ppk; puttygen makes it out of pem");
	else if (format && strcmp(format, "pem") != 0)
		query_refuse(&c->in, "InvalidParameterValue",
			     "Value for parameter KeyFormat is invalid. Expected pem or ppk.");
	if (type && strcmp(type, "ed25519") == 0)
		return SSH_KEY_ED25519;
	if (type && strcmp(type, "rsa") != 0)
		query_refuse(&c->in, "InvalidParameterValue",
			     "Value for parameter KeyType is invalid. Expected rsa or ed25519.");
	return SSH_KEY_RSA;
}

/*
 * Making an RSA key keeps niterd busy for a fifth of a second. EC2 limits the rate of such calls, and so does this:
 * for all accounts together, because it is for the others that it is done.
 */
static int rate_check(struct ec2_call *c)
{
	static struct bucket b;
	uint64_t now_ns = c->core->env.now_ms(c->core->env.ptr) * 1000000;

	if (b.rate == 0 || now_ns < b.last_ns) /* the first, or the clock was set back */
		bucket_init(&b, RSA_PER_S, RSA_AT_ONCE, now_ns);
	if (bucket_take(&b, 1, now_ns) == 0)
		return 0;
	return ec2_refuse(c, "RequestLimitExceeded",
			  "Request limit exceeded. Keys of type ed25519 have none.");
}

static int create_key_pair(struct ec2_call *c)
{
	const char *name = new_name_read(c);
	enum ssh_key_type type = type_read(c);
	char private[SSH_PRIVATE_MAX] = { 0 };
	struct tag_list tags;
	struct ssh_public p;
	struct key_pair k;
	int r;

	tags_read_spec(c, "key-pair", "key-pair", &tags);
	if (query_failed(&c->q))
		return -EINVAL;
	r = row_begin(c, name, &k);
	if (r < 0)
		return r;
	r = type == SSH_KEY_RSA ? rate_check(c) : 0;
	if (r < 0)
		return r;
	r = ssh_pair_new(type, private, &p, k.fingerprint);
	if (r < 0)
		return fault_internal(&c->fault, r, "making a key");
	r = row_put(c, &p, &tags, &k);
	if (r == 0) {
		xml_str(&c->out, "keyName", k.name);
		xml_str(&c->out, "keyFingerprint", k.fingerprint);
		xml_str(&c->out, "keyMaterial", private);
		xml_str(&c->out, "keyPairId", k.id);
		tags_xml(c, k.id, true);
	}
	mem_wipe(private, sizeof(private));
	return r;
}

static int material_read(struct ec2_call *c, struct ssh_public *ret)
{
	const char *text = query_need_str(&c->in, "PublicKeyMaterial");
	CLEANUP(free_p) uint8_t *raw = malloc(SSH_MATERIAL_MAX);
	ssize_t len;
	int r;

	if (query_failed(&c->q))
		return -EINVAL;
	if (!raw)
		return -ENOMEM;
	len = base64_decode(text, raw, SSH_MATERIAL_MAX);
	r = len < 0 ? -EBADMSG : ssh_public_read(raw, (size_t)len, ret);
	if (r == -EBADMSG)
		return ec2_refuse(c, "InvalidKey.Format",
				  "Key is not in valid OpenSSH public key format");
	return r < 0 ? fault_internal(&c->fault, r, "reading the key") : 0;
}

static int import_key_pair(struct ec2_call *c)
{
	const char *name = new_name_read(c);
	struct tag_list tags;
	struct ssh_public p;
	struct key_pair k;
	int r;

	tags_read_spec(c, "key-pair", "key-pair", &tags);
	r = material_read(c, &p);
	if (r == 0)
		r = row_begin(c, name, &k);
	if (r < 0)
		return r;
	r = ssh_public_fingerprint(&p, k.fingerprint);
	if (r < 0)
		return fault_internal(&c->fault, r, "reading the key");
	r = row_put(c, &p, &tags, &k);
	if (r < 0)
		return r;
	xml_str(&c->out, "keyName", k.name);
	xml_str(&c->out, "keyFingerprint", k.fingerprint);
	xml_str(&c->out, "keyPairId", k.id);
	tags_xml(c, k.id, true);
	return 0;
}

static void key_name(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct key_pair *)o)->name);
}

static void key_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct key_pair *)o)->id);
}

static void key_fingerprint(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct key_pair *)o)->fingerprint);
}

static const struct filter_def key_filters[] = {
	{ "key-name", key_name },
	{ "key-pair-id", key_id },
	{ "fingerprint", key_fingerprint },
	{ .name = NULL },
};

static void key_xml(struct ec2_call *c, const struct key_pair *k, bool with_public)
{
	struct xml *x = &c->out;

	xml_open(x, "item");
	xml_str(x, "keyPairId", k->id);
	xml_str(x, "keyFingerprint", k->fingerprint);
	xml_str(x, "keyName", k->name);
	xml_str(x, "keyType", k->type);
	tags_xml(c, k->id, true);
	if (with_public)
		xml_str(x, "publicKey", k->public_key);
	xml_time(x, "createTime", k->created_ms);
	xml_close(x, "item");
}

/* Pairs that were asked for, by name or id: all must be there. */
struct asked {
	const struct key_pair *k[2 * QUERY_INDEX_MAX];
	size_t cnt;
};

static int asked_read(struct ec2_call *c, struct asked *ret)
{
	const struct key_pair *k;
	const char *s;
	unsigned i = 0;

	ret->cnt = 0;
	while ((s = query_next_str(&c->in, "KeyName", &i))) {
		k = key_by_name(c, s);
		if (!k)
			return ec2_refuse(c, "InvalidKeyPair.NotFound",
					  "The key pair '%s' does not exist", safe_name(s).s);
		ret->k[ret->cnt++] = k;
	}
	i = 0;
	while ((s = query_next_str(&c->in, "KeyPairId", &i))) {
		k = key_by_id(c, s);
		if (!k)
			return ec2_refuse_id(c, ID_KEY_PAIR, s);
		ret->k[ret->cnt++] = k;
	}
	return 0;
}

static int row_cmp(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (const void *const *)a,
		  y = (uintptr_t) * (const void *const *)b;

	return (x > y) - (x < y);
}

static int describe_key_pairs(struct ec2_call *c)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	bool with_public = query_bool(&c->in, "IncludePublicKey", false);
	static struct asked asked; /* one thread */
	const struct key_pair *k;
	struct store_iter i;
	int r;

	r = filters_read(c, key_filters, true, &f);
	if (r == 0)
		r = asked_read(c, &asked);
	if (r < 0)
		return r;
	/* Sorted by address, to be found by address. */
	qsort(asked.k, asked.cnt, sizeof(void *), row_cmp);
	xml_open(&c->out, "keySet");
	store_each_of(c->core->st, &tbl_key_pairs, "account", c->account, &i);
	while ((k = store_next(&i)))
		if ((asked.cnt == 0 || bsearch(&k, asked.k, asked.cnt, sizeof(void *), row_cmp)) &&
		    filters_match(f, c, k, k->id))
			key_xml(c, k, with_public);
	xml_close(&c->out, "keySet");
	return 0;
}

static int delete_key_pair(struct ec2_call *c)
{
	const char *name = query_str(&c->in, "KeyName"), *id = query_str(&c->in, "KeyPairId");
	const struct key_pair *k = NULL;
	char gone[CTL_ID_MAX] = "";
	int r;

	if (!name && !id)
		return ec2_refuse(c, "MissingParameter",
				  "The request must contain the parameter KeyName or KeyPairId");
	if (name && id)
		return ec2_refuse(c, "InvalidParameterCombination",
				  "Either KeyName or KeyPairId, not both");
	if (name) {
		k = key_by_name(c, name);
	} else {
		k = key_by_id(c, id);
		if (!k)
			return ec2_refuse_id(c, ID_KEY_PAIR, id);
	}
	if (k) {
		snprintf(gone, sizeof(gone), "%s", k->id);
		r = store_delete_id(c->core->st, &tbl_key_pairs, gone);
		if (r < 0)
			return fault_internal(&c->fault, r, "deleting the key pair");
	}
	ec2_return(c);
	xml_opt(&c->out, "keyPairId", gone);
	return 0;
}

const struct ec2_action ec2_key_actions[] = {
	{ .name = "CreateKeyPair", .fn = create_key_pair, .changes = true },
	{ .name = "DeleteKeyPair", .fn = delete_key_pair, .changes = true },
	{ .name = "DescribeKeyPairs", .fn = describe_key_pairs },
	{ .name = "ImportKeyPair", .fn = import_key_pair, .changes = true },
	{ .name = NULL },
};
