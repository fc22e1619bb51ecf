/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the two stand-ins for gmem_copy.c offer to tests. Link dep_proto_server_count or dep_proto_server_fuzz
 * instead of dep_proto_server.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * dep_proto_server_count: rule "copy once". A test (or a card's own test build) brackets one request; every byte
 * that gmem_read() or gmem_load32() fetched twice in between counts. Spans (payload) are not counted.
 */
void gmem_count_begin(void);
/* Return: bytes of control memory read more than once since gmem_count_begin(). */
unsigned gmem_count_doubles(void);

/*
 * dep_proto_server_fuzz: gmem_read() and the loads return the next bytes of @p, whatever was written before; when
 * these are used up, changing pseudo-random bytes. @p is borrowed until the next feed.
 */
void gmem_fuzz_feed(const void *p, size_t len);
/* Return: bytes of the feed not used yet. */
size_t gmem_fuzz_left(void);
