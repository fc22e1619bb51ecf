/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of instance actions share. The table of actions is in instances.c. */

#include "controller/core_run.h"
#include "controller/ec2/call.h"
#include "controller/ec2/filter.h"
#include "controller/ec2/tags.h"
#include "controller/ids.h"

enum { INSTANCE_DNS_MAX = 160, INSTANCE_IDS_MAX = QUERY_INDEX_MAX };

/* ---- What lives. niterd says it; without it (unit tests, the null launcher) every running instance is well. ---- */

enum ec2_check { CHECK_OK, CHECK_IMPAIRED, CHECK_INITIALIZING, CHECK_NO_DATA };
struct ec2_health {
	enum ec2_check system, instance;
	uint64_t impaired_ms; /* since when; 0: it is not, or nobody knows */
};

struct ec2_live {
	void (*health)(struct daemon *d, const char *instance_id, struct ec2_health *ret);
	/*
	 * console(): shall the console be read from the hypervisor? Return: -EINPROGRESS: ec2_call_again() comes
	 * when what it says was kept; 0: what is kept is all there is.
	 */
	MUST_USE int (*console)(struct daemon *d, const char *instance_id, struct ec2_call *c);
	/* console_tail(): what is kept of a running instance's; NULL: nothing. Borrowed until the next turn. */
	const struct console_tail *(*tail)(struct daemon *d, const char *instance_id);
	/* stopping(): the host ends; nothing more is started. */
	bool (*stopping)(struct daemon *d);
};
void ec2_live_set(const struct ec2_live *l);
const struct ec2_live *ec2_live(void);
/* instance_health(): of a running instance. */
struct ec2_health instance_health(struct ec2_call *c, const struct instance *i);

/* instance_start_check(): may anything be started? Return: 0, -EINVAL with the fault. */
MUST_USE int instance_start_check(struct ec2_call *c);

/* ---- Reading ---- */

/* instance_take(): the account's instance with this id. Return: NULL with the call's fault. Borrowed until a row changes. */
const struct instance *instance_find(struct ec2_call *c, const char *id);
/* instance_need(): the one of the parameter InstanceId. */
const struct instance *instance_need(struct ec2_call *c);
/* instance_ids(): InstanceId.N, each once, in the query's memory. Return: how many. */
size_t instance_ids(struct ec2_call *c, const char *ret[INSTANCE_IDS_MAX]);
/* instance_options_read(): MetadataOptions' members at @at into @i; what is not offered is refused. */
void instance_options_read(const struct query_at *at, struct instance *i);
/* instance_user_data(): base64 to bytes. *ret: owned; NULL when absent. Return: 0, -errno with the fault. */
MUST_USE int instance_user_data(struct ec2_call *c, const struct query_at *at, const char *name,
				struct user_data **ret);
/* instance_cpus_read(): CpuOptions at @at, checked against @t. */
void instance_cpus_read(const struct query_at *at, const struct instance_type *t,
			struct cpu_options *ret);

/* ---- Rows around an instance ---- */

/* instance_volumes(): in order of their device. Return: how many. */
size_t instance_volumes(struct ec2_call *c, const char *instance_id,
			const struct volume *ret[CTL_VOLUMES_MAX]);
/* instance_interface(): its primary one; NULL: it has none any more. */
const struct interface *instance_interface(struct ec2_call *c, const char *instance_id);
/* instance_dns(): "ip-172-31-0-5.ec2.internal". */
const char *instance_dns(struct ec2_call *c, const struct interface *ni,
			 char ret[INSTANCE_DNS_MAX]);

/* ---- Writing ---- */

/* instance_xml(): the <item> of instancesSet. */
void instance_xml(struct ec2_call *c, const struct instance *i);
/* reservation_xml(): the members of a reservation. @cnt instances of it */
void reservation_begin(struct ec2_call *c, const struct instance *i);
void reservation_end(struct ec2_call *c);
/* state_xml(): <@name><code>…</code><name>…</name></@name>. */
void state_xml(struct xml *x, const char *name, enum instance_state s);
void metadata_options_xml(struct xml *x, const char *name, const struct instance *i);

extern const struct filter_def instance_filters[];

ec2_fn instances_run, instances_describe, instances_status, instances_start, instances_stop,
	instances_terminate, instances_reboot, instance_attribute, instance_modify,
	instance_options, instance_console, instances_credits, instances_monitor,
	instances_unmonitor, instance_password;
MUST_USE int instances_replay(struct ec2_call *c, const char *result);
