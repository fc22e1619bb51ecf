/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Identifiers and names. An id is a prefix and 17 lower-case hex digits, the first of them 0, as on EC2;
 * ids are never reused. The instance's SMBIOS UUID follows from its id, so it survives stop and start.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/model.h"

enum id_kind {
	ID_INSTANCE,
	ID_VOLUME,
	ID_IMAGE,
	ID_VPC,
	ID_SUBNET,
	ID_GROUP,
	ID_GROUP_RULE,
	ID_INTERFACE,
	ID_GATEWAY,
	ID_RESERVATION,
	ID_KEY_PAIR,
	ID_SNAPSHOT,
	ID_ATTACHMENT, /* of an interface */
	ID_ROUTE_TABLE,
	ID_ACL,
	ID_DHCP_OPTIONS,
};

enum {
	ID_RANDOM_BYTES = 8, /* what an id is made of */
	ID_REF_MIN_HEX = 3,  /* hex digits a person must type at least when he shortens an id */
};

/* id_prefix(): "i-", "vol-", "ami-", "vpc-", "subnet-", "sg-", "sgr-", "eni-", "igw-", "r-", "key-", "snap-", "eni-attach-", "rtb-", "acl-", "dopt-". */
const char *id_prefix(enum id_kind kind);
/* id_make(): an id out of random bytes; a subnet's needs MODEL_ID_MAX, the others fit CTL_ID_MAX. */
void id_make(enum id_kind kind, const uint8_t rnd[ID_RANDOM_BYTES], char *ret, size_t cap);
/* id_valid(): whole and well-formed? */
bool id_valid(enum id_kind kind, const char *s);
/* id_short_valid(): the beginning of an id (prefix and at least ID_REF_MIN_HEX digits), or a whole one? */
bool id_short_valid(enum id_kind kind, const char *s);
/* name_valid(): 1..63 of A-Z a-z 0-9 . _ - beginning with a letter or digit, and not shaped like an id. */
bool name_valid(const char *s);

/**
 * id_uuid() - SMBIOS UUID of an instance, in the order of printing
 *
 * SHA-256 of a domain string and the id, with the first three hex digits set to "ec2" and RFC 4122 version 4
 * and variant bits. Return: 0, -EIO when libcrypto fails.
 */
MUST_USE int id_uuid(const char *instance_id, uint8_t ret[16]);
