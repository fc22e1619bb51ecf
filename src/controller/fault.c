/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controller/fault.h"

int fault_set(struct fault *f, int err, const char *code, const char *remedy, const char *fmt, ...)
{
	va_list ap;

	snprintf(f->code, sizeof(f->code), "%s", code);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy ? remedy : "");
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return -err;
}

int fault_internal(struct fault *f, int err, const char *what)
{
	if (err < 0)
		err = -err;
	if (err == ENOSPC || err == EDQUOT)
		return fault_set(f, err, "InsufficientDiskSpace",
				 "free space with niter image rm, niter volume rm or niter rm",
				 "%s: the host's state disk is full", what);
	return fault_set(f, err, "InternalError", "see niter host log", "%s: %s", what,
			 strerrordesc_np(err));
}
