/* SPDX-License-Identifier: Apache-2.0 */

/* Which actions there are: the tables of the files of actions, sorted once. */

#include <stdlib.h>
#include <string.h>

#include "controller/ec2/call_priv.h"

enum { ACTIONS_MAX = 1024 };

const struct ec2_action *const ec2_tables[] = {
	ec2_absent_actions,
	ec2_account_actions,
	ec2_group_actions,
	ec2_instance_actions,
	ec2_image_actions,
	ec2_interface_actions,
	ec2_key_actions,
	ec2_network_actions,
	ec2_tag_actions,
	ec2_volume_actions,
	ec2_type_actions,
	NULL,
};

static const struct ec2_action *sorted[ACTIONS_MAX];
static size_t sorted_cnt;

static int action_cmp(const void *a, const void *b)
{
	const struct ec2_action *x = *(const struct ec2_action *const *)a;
	const struct ec2_action *y = *(const struct ec2_action *const *)b;
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
			sorted[cnt++] = a;
		}
	qsort(sorted, cnt, sizeof(sorted[0]), action_cmp);
	for (size_t i = 0; i < cnt; i++) {
		if (kept > 0 && strcmp(sorted[kept - 1]->name, sorted[i]->name) == 0) {
			must(sorted[i]->fn == ec2_absent);
			continue;
		}
		sorted[kept++] = sorted[i];
	}
	sorted_cnt = kept;
}

static int name_cmp(const void *name, const void *row)
{
	return strcmp(name, (*(const struct ec2_action *const *)row)->name);
}

const struct ec2_action *ec2_action_find(const char *name)
{
	const struct ec2_action **hit;

	if (sorted_cnt == 0)
		actions_sort();
	hit = bsearch(name, sorted, sorted_cnt, sizeof(sorted[0]), name_cmp);
	return hit ? *hit : NULL;
}
