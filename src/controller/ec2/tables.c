/* SPDX-License-Identifier: Apache-2.0 */

/* Which actions there are: the tables of the files of actions, sorted once. */

#include <stdlib.h>
#include <string.h>

#include "controller/ec2/call_priv.h"

enum { ACTIONS_MAX = 1024 };

const struct ec2_action *const ec2_tables[] = {
	ec2_absent_actions, ec2_account_actions,   ec2_group_actions, ec2_instance_actions,
	ec2_image_actions,  ec2_interface_actions, ec2_key_actions,   ec2_network_actions,
	ec2_tag_actions,    ec2_volume_actions,    ec2_type_actions,  NULL,
};

static struct entry {
	const struct ec2_action *action;
} sorted[ACTIONS_MAX];
static size_t sorted_cnt;

static int entry_cmp(const void *a, const void *b)
{
	const struct ec2_action *x = ((const struct entry *)a)->action;
	const struct ec2_action *y = ((const struct entry *)b)->action;
	int r = strcmp(x->name, y->name);

	/* One that is offered comes before the same one among the absent. */
	return r != 0 ? r : (x->fn == ec2_absent) - (y->fn == ec2_absent);
}

static void actions_sort(void)
{
	size_t cnt = 0, kept = 0;

	for (size_t t = 0; ec2_tables[t]; t++)
		for (const struct ec2_action *a = ec2_tables[t]; a->name; a++) {
			must(cnt < ACTIONS_MAX);
			sorted[cnt++].action = a;
		}
	qsort(sorted, cnt, sizeof(sorted[0]), entry_cmp);
	for (size_t i = 0; i < cnt; i++) {
		const struct ec2_action *a = sorted[i].action;

		if (kept > 0 && strcmp(sorted[kept - 1].action->name, a->name) == 0) {
			must(a->fn == ec2_absent);
			continue;
		}
		sorted[kept++].action = a;
	}
	sorted_cnt = kept;
}

static int name_cmp(const void *name, const void *entry)
{
	return strcmp(name, ((const struct entry *)entry)->action->name);
}

const struct ec2_action *ec2_action_find(const char *name)
{
	const struct entry *hit;

	if (sorted_cnt == 0)
		actions_sort();
	hit = bsearch(name, sorted, sorted_cnt, sizeof(sorted[0]), name_cmp);
	return hit ? hit->action : NULL;
}
