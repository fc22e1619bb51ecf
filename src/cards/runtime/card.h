/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The card runtime: what every card program is, whatever its functions do.
 *
 *   card_init()    everything that needs system calls a jailed card does not have: doorbell memory, eventfds, loop
 *   card_enter()   the jail
 *   card_loop()    one thread, one epoll, until the launcher closes the control socket
 *
 * A card has up to CARD_FUNCTIONS_MAX PCI functions. Each is one vfio-user connection, one memory map and one device
 * model. The runtime owns connection, memory map and doorbells and calls the model through struct card_model; the
 * program owns the models and answers control messages through struct card_kind.
 *
 * The loop: ready descriptors first; then turns of every model while one of them has work; then every model arms its
 * notifications and looks again; then sleep, at most until a model wants to be woken. Descriptors are looked at again after CARD_WORK_NS_MAX at the latest.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/loop.h"
#include "base/sandbox.h"
#include "proto/control.h"
#include "proto/gmem.h"
#include "proto/pci.h"
#include "proto/vu_server.h"

enum {
	CARD_FUNCTIONS_MAX = CTL_VOLUMES_MAX,
	CARD_DOORBELL_BYTES = 4096,     /* one page of the shared doorbell memory per function */
	CARD_WORK_NS_MAX = 1000 * 1000, /* then descriptors are looked at again */
	CARD_NOFILE_MAX =
		1024, /* a function: socket, backing, engine's eventfd, an eventfd per vector */
	CARD_WATCHES_MAX = 32,
};

struct card;
struct card_function;

/* A device model. All calls come from the card's thread; @dev is what card_function_serve() was given. */
struct card_model {
	/* See struct vu_server_ops. */
	void (*access)(void *dev, unsigned region, uint64_t off, void *buf, size_t len, bool write);
	int (*quiesce)(void *dev, bool reset);
	void (*resume)(void *dev);
	/* One bounded turn. Return: true when it did something: another turn follows before sleep is thought of. */
	bool (*service)(void *dev, uint64_t now_ns);
	/* About to sleep: ask for notifications, look again. Return: true when there is work after all. */
	bool (*arm)(void *dev);
	/* Optional. Monotonic time at which service() has work without being told; UINT64_MAX: never. Asked before sleep. */
	uint64_t (*wake_ns)(void *dev);
	/* The connection is gone; the model was quiesced with reset. Free @dev; the function's slot is free afterwards. */
	void (*gone)(void *dev);
};

struct card_function {
	struct card *card;
	unsigned idx; /* in the card; its doorbell page */
	bool used;
	bool serving;
	const struct card_model *model;
	void *dev;                /* the model's */
	struct gmem *mem;         /* owned */
	struct vu_server *server; /* owned; NULL until serving */
	struct pci_config config;
	_Atomic uint32_t *doorbells; /* CARD_DOORBELL_BYTES, shared with the hypervisor */
	int kick_fd;                 /* owned eventfd: the hypervisor stored a doorbell */
	int work_fd; /* borrowed from the model, or -1: readable when service() has work */
	uint32_t server_events; /* what the loop waits for on the connection */
	struct loop_ref server_ref, kick_ref, work_ref;
};

/* A card program. */
struct card_kind {
	const char *prog;
	/* A control message for this card; CTL_CARD_CONFIG and the rest alike. Descriptors in @m may be taken. */
	void (*control)(struct card *card, struct ctl_msg *m);
	/* A descriptor that the program added with card_watch_add() is ready. It may have been so for nothing. */
	void (*ready)(struct card *card, int fd);
};

struct card_watch {
	struct card *card;
	int fd; /* borrowed, -1: free */
	struct loop_ref ref;
};

struct card {
	const struct card_kind *kind; /* borrowed for ever */
	void *ctx;                    /* the program's */
	struct loop loop;
	struct loop_ref control_ref;
	struct card_watch watch[CARD_WATCHES_MAX];
	int doorbell_fd; /* memfd of all doorbell pages, owned */
	_Atomic uint32_t *doorbells;
	uint64_t
		poll_ns; /* keep looking for work this long after the last, before sleeping; 0: do not */
	struct card_function function[CARD_FUNCTIONS_MAX];
	struct ctl_msg msg; /* too large for the stack */
};

/**
 * card_init() - before the jail
 * @kind: borrowed for ever
 * Return: 0, -errno. There is no undoing: a card that cannot start exits.
 */
MUST_USE int card_init(struct card *card, const struct card_kind *kind, void *ctx);

/* card_enter(): the jail; see sandbox_enter(). Keeps the control socket and what card_init() made. */
MUST_USE int card_enter(struct card *card, const struct sandbox_profile *profile);

/* card_loop(): Return: 0 the launcher closed the control socket, -errno. */
MUST_USE int card_loop(struct card *card);

/**
 * card_watch_add() - one more descriptor for kind->ready()
 * @fd:   borrowed until card_watch_del()
 * @edge: told once per signal, nobody needs to read it (eventfds); else told again and again while it is readable
 * Return: 0, -ENOSPC, -errno.
 */
MUST_USE int card_watch_add(struct card *card, int fd, bool edge);
/* card_watch_del(): before @fd is closed. Nothing happens when it is not watched. */
void card_watch_del(struct card *card, int fd);

/**
 * card_function_get() - a free slot with an empty memory map
 * Return: 0 and *ret (give it back with card_function_put() unless it serves), -ENOSPC, -ENOMEM.
 */
MUST_USE int card_function_get(struct card *card, struct card_function **ret);

/**
 * card_function_serve() - connect a model to a vfio-user socket
 * @sock:    stream socket; taken, also on failure
 * @conf:    configuration space; BAR 0 has its doorbells at @db_off, CARD_DOORBELL_BYTES of them
 * @work_fd: borrowed from the model: wakes the loop; -1: none
 * Return: 0, -errno (the model is not called any more; @dev stays the caller's).
 */
MUST_USE int card_function_serve(struct card_function *f, int sock,
				 const struct pci_config_conf *conf, uint64_t db_off,
				 const struct card_model *model, void *dev, int work_fd);

/* card_function_put(): ends the connection if there is one, without model->gone(). The model must be quiet. */
void card_function_put(struct card_function *f);

/* card_function_irq(): signal MSI-X vector @vector. */
void card_function_irq(struct card_function *f, unsigned vector);
