/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/model.h"

const char *instance_state_name(enum instance_state s)
{
	switch (s) {
	case INSTANCE_PENDING:
		return "pending";
	case INSTANCE_RUNNING:
		return "running";
	case INSTANCE_SHUTTING_DOWN:
		return "shutting-down";
	case INSTANCE_TERMINATED:
		return "terminated";
	case INSTANCE_STOPPING:
		return "stopping";
	case INSTANCE_STOPPED:
		return "stopped";
	}
	return "unknown";
}

const char *volume_state_name(enum volume_state s)
{
	switch (s) {
	case VOLUME_CREATING:
		return "creating";
	case VOLUME_AVAILABLE:
		return "available";
	case VOLUME_IN_USE:
		return "in-use";
	case VOLUME_DELETING:
		return "deleting";
	case VOLUME_ERROR:
		return "error";
	}
	return "unknown";
}

bool instance_state_valid(int64_t v)
{
	return v == INSTANCE_PENDING || v == INSTANCE_RUNNING || v == INSTANCE_SHUTTING_DOWN ||
	       v == INSTANCE_TERMINATED || v == INSTANCE_STOPPING || v == INSTANCE_STOPPED;
}

bool volume_state_valid(int64_t v)
{
	return v >= VOLUME_CREATING && v <= VOLUME_ERROR;
}
