/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Frames between two processes through shared memory: one sealed memfd with two rings of bytes, one each way,
 * each with one writer and one reader. Side A is the user of a port (network card, gateway), side B the wire.
 *
 * The other side is hostile. Every index and length it writes is loaded once and checked; what cannot be makes
 * this half of the ring dead: the call returns -EPROTO (or NULL), every later one does so too, and nobody else
 * notices. Bytes of a frame stay in shared memory, where the other side may still change them: copy the headers
 * with packet_ring_copy() before looking at them, decide on the copy and send the copy on.
 *
 * Nothing here makes a system call once mapped and nothing blocks. Two eventfds that the rings do not know carry
 * the kicks: when a call says "kick", signal the descriptor the other side waits for. A busy reader is not kicked.
 *
 *   writer                                     reader
 *   p = packet_ring_reserve(r, len)            n = packet_ring_peek(r, &pkt)   1: a frame
 *   fill p                                     use pkt
 *   packet_ring_commit(r, len, flags)          packet_ring_consume(r)          next peek: next frame
 *   ... more frames ...                        ... more frames ...
 *   if (packet_ring_publish(r)) kick           if (packet_ring_release(r)) kick   only now may the writer reuse them
 *
 *   no room, about to wait:                    empty, about to sleep:
 *   if (packet_ring_want_room(r, len)) again   if (packet_ring_arm(r)) again
 *
 * One wait descriptor serves both directions: a kick means "look at both". Kicks may come for nothing.
 * Threads: one may send and one may receive on the same struct packet_ring; their halves share nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	PACKET_RING_DATA_BYTES = 1 << 20, /* each way; a power of two */
	PACKET_RING_CTL_BYTES = 4096,
	PACKET_RING_BYTES = PACKET_RING_CTL_BYTES + 2 * PACKET_RING_DATA_BYTES,
	PACKET_RING_FRAME_MIN = 14,   /* an Ethernet header */
	PACKET_RING_FRAME_MAX = 9216, /* bytes of one frame, Ethernet header included, no FCS */
	PACKET_RING_HDR_BYTES = 16,   /* before each frame */
	PACKET_RING_ALIGN = 16,       /* of a frame's first byte */
};

enum packet_ring_side {
	PACKET_RING_A, /* card, gateway, any user of a port */
	PACKET_RING_B, /* wire */
};

/* Flags of a frame. An unknown one kills the ring. */
enum {
	/* The sender itself computed or verified the TCP, UDP or ICMP checksum. */
	PACKET_L4_OK = 1 << 0,
	PACKET_FLAGS_ALL = PACKET_L4_OK,
};

struct packet_ring; /* opaque, private to one process */

struct packet {
	const uint8_t *data; /* in shared memory, aligned; valid until packet_ring_release() */
	uint32_t len;        /* bytes, PACKET_RING_FRAME_MIN..PACKET_RING_FRAME_MAX */
	uint32_t flags;      /* PACKET_…: what the other side claims */
};

/**
 * packet_ring_fd_new() - a memfd of PACKET_RING_BYTES, empty rings, sealed in size and seals
 * Return: descriptor (owned, close-on-exec), or -errno.
 */
MUST_USE int packet_ring_fd_new(void);

/**
 * packet_ring_map() - take one side of a ring
 * @fd:   borrowed; checked for size and seals, so that a peer cannot truncate it under us
 * @ret:  owned: packet_ring_free()
 *
 * Starts where the indices in memory stand: a process that was restarted takes its side over, loses what it had
 * peeked or not yet published, and goes on. Only one process may hold a side at one time.
 * Return: 0, -EPROTO when it is not such a memfd or its indices are impossible, -ENOMEM, -errno.
 */
MUST_USE int packet_ring_map(int fd, enum packet_ring_side side, struct packet_ring **ret);

/* packet_ring_free(): unmaps. NULL is fine. packet_ring_freep() for CLEANUP. */
void packet_ring_free(struct packet_ring *r);
void packet_ring_freep(struct packet_ring **r);

/* packet_ring_dead(): has the other side broken the ring, in either half? */
bool packet_ring_dead(const struct packet_ring *r);

/**
 * packet_ring_reserve() - room for one frame
 * @len: bytes the frame has at most, PACKET_RING_FRAME_MIN..PACKET_RING_FRAME_MAX
 *
 * A second reserve without commit takes the place of the first.
 * Return: where the frame goes, aligned to PACKET_RING_ALIGN (the other side can read and write it);
 * NULL when there is no room, when @len is out of range, or when the ring is dead.
 */
MUST_USE uint8_t *packet_ring_reserve(struct packet_ring *r, uint32_t len);

/**
 * packet_ring_commit() - the reserved frame is complete; not yet visible to the reader
 * @len:    bytes it really has, PACKET_RING_FRAME_MIN..what was reserved
 * @flags:  PACKET_…
 */
void packet_ring_commit(struct packet_ring *r, uint32_t len, uint32_t flags);

/**
 * packet_ring_publish() - show the reader everything committed
 * Return: true: kick the other side, it may be asleep.
 */
MUST_USE bool packet_ring_publish(struct packet_ring *r);

/**
 * packet_ring_want_room() - ask to be kicked when there is room again
 * @len: as for the packet_ring_reserve() that failed
 *
 * The kick comes when a good part of the ring is free, not for every frame.
 * Return: true when there is room by now (or the ring is dead): do not wait, try again.
 */
MUST_USE bool packet_ring_want_room(struct packet_ring *r, uint32_t len);

/* packet_ring_room(): bytes free for the writer by what it last knew; 0 if dead. For statistics and shaping. */
uint32_t packet_ring_room(const struct packet_ring *r);

/**
 * packet_ring_peek() - the next frame, left where it is
 * @ret: set when the result is 1
 *
 * The same frame again until packet_ring_consume().
 * Return: 1 a frame, 0 none, -EPROTO the ring is dead.
 */
MUST_USE int packet_ring_peek(struct packet_ring *r, struct packet *ret);

/* packet_ring_consume(): go past the frame last peeked. Its bytes stay valid until packet_ring_release(). */
void packet_ring_consume(struct packet_ring *r);

/**
 * packet_ring_release() - give the writer the room of everything consumed
 * Return: true: kick the other side, it waits for room.
 */
MUST_USE bool packet_ring_release(struct packet_ring *r);

/**
 * packet_ring_arm() - ask to be kicked for the next frame: the last thing before sleeping
 *
 * Everything peeked must have been consumed and released.
 * Return: true when there is work after all (or the ring is dead): do not sleep.
 */
MUST_USE bool packet_ring_arm(struct packet_ring *r);

/**
 * packet_ring_copy() - the one look at shared bytes
 * @dst: private; what is in it afterwards is what was decided on, whatever the other side does meanwhile
 */
void packet_ring_copy(void *dst, const uint8_t *src, size_t len);
