/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controller/core_kms.h"
#include "controller/ec2/volumes.h"

void ec2_volume_key_read(struct ec2_call *c, const struct query_at *at, struct volume *v)
{
	bool encrypted = query_bool(at, "Encrypted", true);
	const char *text = query_str(at, "KmsKeyId");
	struct fault f = { .code = "" };
	static struct kms_key k; /* big; one thread */
	char safe[160];
	int r;

	if (!text)
		return;
	if (!encrypted) {
		query_refuse(at, "InvalidParameterDependency",
			     "The parameter KmsKeyId requires the parameter Encrypted to be set.");
		return;
	}
	r = core_kms_find(c->core, c->account, text, true, &k, &f);
	if (r < 0 || k.state != KMS_KEY_ENABLED) {
		log_escape(safe, sizeof(safe), text, strlen(text));
		query_refuse(at, "InvalidParameterValue", "The KMS key %s %s", safe,
			     r < 0 ? "does not exist" : "is not enabled");
		return;
	}
	if (!k.by_service)
		snprintf(v->kms_key_id, sizeof(v->kms_key_id), "%s", k.id);
}

int ec2_volume_key_ready(struct ec2_call *c)
{
	static struct kms_key k; /* big; one thread */
	int r;

	r = core_kms_service_key(c->core, c->account, &k);
	return r < 0 ? fault_internal(&c->fault, r, "making the key of the account's volumes") : 0;
}

static const char *service_key(struct ec2_call *c)
{
	const struct kms_key *k;
	struct store_iter i;

	store_each_of(c->core->st, &tbl_kms_keys, "account", c->account, &i);
	while ((k = store_next(&i)))
		if (k->by_service)
			return k->id;
	return NULL;
}

const char *ec2_volume_key_arn(struct ec2_call *c, const struct volume *v,
			       char ret[EC2_KEY_ARN_MAX])
{
	const char *id = v->kms_key_id[0] ? v->kms_key_id : service_key(c);

	/* A volume of before there were keys: its account's key by the name it will have. */
	snprintf(ret, EC2_KEY_ARN_MAX, "arn:aws:kms:%s:%s:%s%s", c->core->place.region, v->account,
		 id ? "key/" : CORE_KMS_ALIAS_EBS, id ? id : "");
	return ret;
}
