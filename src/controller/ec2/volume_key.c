/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/volumes.h"

#define SERVICE_ALIAS "alias/aws/ebs"

/* What follows "arn:aws:kms:REGION:ACCOUNT:" of this region and account; @text itself when it is no ARN; NULL: another's. */
static const char *arn_rest(struct ec2_call *c, const char *text)
{
	char own[EC2_KEY_ARN_MAX];
	int n;

	if (strncmp(text, "arn:", 4) != 0)
		return text;
	n = snprintf(own, sizeof(own), "arn:aws:kms:%s:%s:", c->core->place.region, c->account);
	return strncmp(text, own, (size_t)n) == 0 ? text + n : NULL;
}

static const struct kms_key *key_find(struct ec2_call *c, const char *text, const char *rest)
{
	const struct kms_key *k;

	if (rest && rest != text) {
		if (strncmp(rest, "key/", 4) != 0)
			return NULL;
		rest += 4;
	}
	k = rest ? store_find(c->core->st, &tbl_kms_keys, rest) : NULL;
	return k && strcmp(k->account, c->account) == 0 ? k : NULL;
}

void ec2_volume_key_read(struct ec2_call *c, const struct query_at *at, struct volume *v)
{
	bool encrypted = query_bool(at, "Encrypted", true);
	const char *text = query_str(at, "KmsKeyId"), *rest;
	const struct kms_key *k;
	char safe[160];

	if (!text)
		return;
	if (!encrypted) {
		query_refuse(at, "InvalidParameterDependency",
			     "The parameter KmsKeyId requires the parameter Encrypted to be set.");
		return;
	}
	rest = arn_rest(c, text);
	if (rest && strcmp(rest, SERVICE_ALIAS) == 0)
		return;
	k = key_find(c, text, rest);
	if (!k || k->state != KMS_KEY_ENABLED) {
		log_escape(safe, sizeof(safe), text, strlen(text));
		query_refuse(at, "InvalidParameterValue", "The KMS key %s %s", safe,
			     k ? "is not enabled" : "does not exist");
		return;
	}
	snprintf(v->kms_key_id, sizeof(v->kms_key_id), "%s", k->id);
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

	snprintf(ret, EC2_KEY_ARN_MAX, "arn:aws:kms:%s:%s:%s%s", c->core->place.region, v->account,
		 id ? "key/" : SERVICE_ALIAS, id ? id : "");
	return ret;
}
