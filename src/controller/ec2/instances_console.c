/* SPDX-License-Identifier: Apache-2.0 */

/*
 * GetConsoleOutput: the last 64 KiB of the serial console. A running instance's is read from its hypervisor, which
 * takes a moment; afterwards, and when it is gone, what was kept is answered.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/instances.h"

static void console_xml(struct ec2_call *c, const struct instance *i, const struct console_tail *t)
{
	uint64_t now = c->core->env.now_ms(c->core->env.ptr);
	struct xml *x = &c->out;

	xml_str(x, "instanceId", i->id);
	xml_time(x, "timestamp", i->ended_ms > i->launched_ms ? i->ended_ms : now);
	if (t && t->len > 0)
		xml_base64(x, "output", t->data, t->len);
}

int instance_console(struct ec2_call *c)
{
	CLEANUP(free_p) struct console_tail *kept = NULL;
	const struct instance *i = instance_need(c);
	const struct console_tail *t = NULL;
	int r = 0;

	if (!i)
		return -EINVAL;
	/* Every type has Latest here. */
	(void)query_bool(&c->in, "Latest", false);
	if (c->d && ec2_live()->console && !c->kept)
		r = ec2_live()->console(c->d, i->id, c);
	if (r < 0)
		return r;
	if (c->d && ec2_live()->tail)
		t = ec2_live()->tail(c->d, i->id);
	if (!t) {
		kept = calloc(1, sizeof(*kept));
		if (!kept)
			return -ENOMEM;
		r = store_get_id(c->core->st, &tbl_consoles, i->id, kept);
		if (r < 0 && r != -ENOENT)
			return fault_internal(&c->fault, r, "reading the console");
		t = r == 0 ? kept : NULL;
	}
	console_xml(c, i, t);
	return 0;
}
