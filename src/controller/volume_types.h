/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * EBS's volume types: what sizes, IOPS and throughputs each may have, and what it has when nobody says. One check for
 * CreateVolume and for the block device mappings of RunInstances.
 */

#include "controller/fault.h"
#include "controller/model.h"

#define VOLUME_TYPE_DEFAULT "gp3"

struct volume_wish {
	const char *type;    /* NULL or "": VOLUME_TYPE_DEFAULT */
	uint64_t bytes;      /* checked against the type in whole GiB, rounded up */
	uint64_t iops;       /* 0: not said */
	uint64_t throughput; /* MiB/s; 0: not said */
	bool any_size; /* smaller than the type's least is fine: an image's disk, as the image is */
};

/**
 * volume_type_check() - may a volume be like that?
 * @ret: type, iops, throughput and size are set, nothing else
 * Return: 0, -EINVAL with @f: UnknownVolumeType, InvalidParameterValue, InvalidParameterCombination, MissingParameter.
 */
MUST_USE int volume_type_check(const struct volume_wish *w, struct volume *ret, struct fault *f);
