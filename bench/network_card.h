/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A guest and its network card in one thread, for measurements: the ENA device, the VPC engine with security groups and
 * source check, and the ring, as niter-network-card has them; the guest's driver is played. Two of them, 172.31.1.1 and 172.31.2.1.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_card;

enum { BENCH_CARD_DEPTH = 1024, BENCH_CARD_VNI = 0x1001 };

/* bench_card_new(): @host 1 or 2; @map_host: the other. Ends the program when anything fails. */
struct bench_card *bench_card_new(uint8_t host, uint8_t other);
/* Its ring's memory and eventfds, borrowed: what the wire signals, what it waits for. */
void bench_card_fds(const struct bench_card *c, int ret[3]);

enum bench_packet {
	BENCH_UDP, /* datagrams of one flow; checksum left to the device */
	BENCH_TSO, /* one TCP send of 60 KiB, to be cut into packets of @frame bytes */
	BENCH_SYN,
	BENCH_SYN_ACK,
	BENCH_ACK,
};

/**
 * bench_card_send() - the guest's driver puts packets into its ring and rings; nothing is done yet
 * @frame: bytes of each frame on the network, Ethernet header included
 * Return: packets it had room for.
 */
unsigned bench_card_send(struct bench_card *c, enum bench_packet kind, unsigned cnt,
			 unsigned frame);
/* bench_card_work(): the card's turns until there is nothing more to do. */
void bench_card_work(struct bench_card *c, uint64_t now_ns);
/* bench_card_reap(): the guest's driver takes what came, gives buffers back, forgets what was sent. Return: frames that came. */
unsigned bench_card_reap(struct bench_card *c);
/* bench_card_drops(): frames that were dropped anywhere in it. bench_card_describe(): why; for a person. */
uint64_t bench_card_drops(const struct bench_card *c);
void bench_card_describe(struct bench_card *c);
