/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/uart.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"

/* spec: pc16550d §8: registers and bits; only those that a driver can notice */
enum {
	REG_DATA = 0, /* or divisor low */
	REG_IER = 1,  /* or divisor high */
	REG_IIR = 2,  /* write: FCR */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,

	IER_MASK = 0x0f,
	IER_THRI = 0x02,
	IIR_NONE = 0x01,
	IIR_THRI = 0x02,
	IIR_FIFO = 0xc0,
	FCR_ENABLE = 0x01,
	LCR_DLAB = 0x80,
	MCR_MASK = 0x1f,
	MCR_OUT2 = 0x08, /* the gate to the interrupt line */
	MCR_LOOP = 0x10,
	LSR_EMPTY = 0x60,     /* holding register and shifter */
	MSR_CONNECTED = 0xb0, /* carrier, data set ready, clear to send */
};

static const char mute_note[] =
	"\r\n[niter: the console is limited to 1 MiB/s, output was lost]\r\n";

int uart_init(struct uart *u, const struct line *irq, uint64_t now_ns)
{
	void *ring;
	int r;

	memset(u, 0, sizeof(*u));
	r = mem_zalloc_pages(UART_RING_BYTES, &ring);
	if (r < 0)
		return r;
	u->ring = ring;
	u->irq = *irq;
	bucket_init(&u->rate, UART_RATE, UART_RATE, now_ns);
	return -pthread_mutex_init(&u->lock, NULL);
}

static void irq_update(struct uart *u)
{
	bool pending = (u->ier & IER_THRI) && u->thre_pending;

	line_set(&u->irq, pending && (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOP));
}

void uart_reset(struct uart *u)
{
	pthread_mutex_lock(&u->lock);
	u->ier = u->lcr = u->mcr = u->scr = u->fcr = u->dll = u->dlm = 0;
	u->thre_pending = false;
	irq_update(u);
	pthread_mutex_unlock(&u->lock);
}

static void ring_put(struct uart *u, const void *p, size_t len)
{
	const uint8_t *b = p;
	size_t i;

	for (i = 0; i < len; i++)
		u->ring[(u->total + i) % UART_RING_BYTES] = b[i];
	u->total += len;
}

static void transmit(struct uart *u, uint8_t v, uint64_t now_ns)
{
	if (!(u->mcr & MCR_LOOP)) {
		if (bucket_take(&u->rate, 1, now_ns) == 0) {
			ring_put(u, &v, 1);
			u->muted = false;
		} else if (!u->muted) {
			ring_put(u, mute_note, sizeof(mute_note) - 1);
			u->muted = true;
		}
	}
	u->thre_pending = true;
}

static uint8_t iir_read(struct uart *u)
{
	uint8_t fifo = u->fcr & FCR_ENABLE ? IIR_FIFO : 0;

	if (!(u->ier & IER_THRI) || !u->thre_pending)
		return fifo | IIR_NONE;
	u->thre_pending = false;
	return fifo | IIR_THRI;
}

/* In loop-back the modem outputs show up as inputs: DTR→DSR, RTS→CTS, OUT1→RI, OUT2→DCD. */
static uint8_t msr_read(const struct uart *u)
{
	uint8_t m = u->mcr;

	if (!(m & MCR_LOOP))
		return MSR_CONNECTED;
	return (uint8_t)((m & 0x01) << 5 | (m & 0x02) << 3 | (m & 0x0c) << 4);
}

static uint8_t read_locked(struct uart *u, unsigned reg)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? u->dll : 0;
	case REG_IER:
		return dlab ? u->dlm : u->ier;
	case REG_IIR:
		return iir_read(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		return LSR_EMPTY;
	case REG_MSR:
		return msr_read(u);
	case REG_SCR:
		return u->scr;
	default:
		return 0xff;
	}
}

uint8_t uart_read(struct uart *u, unsigned reg)
{
	uint8_t v;

	pthread_mutex_lock(&u->lock);
	v = read_locked(u, reg);
	irq_update(u);
	pthread_mutex_unlock(&u->lock);
	return v;
}

static void write_locked(struct uart *u, unsigned reg, uint8_t v, uint64_t now_ns)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			u->dll = v;
		else
			transmit(u, v, now_ns);
		break;
	case REG_IER:
		if (dlab) {
			u->dlm = v;
			break;
		}
		/* Asking for the interrupt while the transmitter is empty raises it at once. */
		u->thre_pending = u->thre_pending || (v & ~u->ier & IER_THRI);
		u->ier = v & IER_MASK;
		break;
	case REG_IIR:
		u->fcr = v;
		break;
	case REG_LCR:
		u->lcr = v;
		break;
	case REG_MCR:
		u->mcr = v & MCR_MASK;
		break;
	case REG_SCR:
		u->scr = v;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

void uart_write(struct uart *u, unsigned reg, uint8_t v, uint64_t now_ns)
{
	pthread_mutex_lock(&u->lock);
	write_locked(u, reg, v, now_ns);
	irq_update(u);
	pthread_mutex_unlock(&u->lock);
}

size_t uart_console_read(struct uart *u, uint64_t off, void *buf, size_t cap, uint64_t *ret_off,
			 uint64_t *ret_end)
{
	uint64_t oldest;
	size_t i, len;

	pthread_mutex_lock(&u->lock);
	oldest = u->total > UART_RING_BYTES ? u->total - UART_RING_BYTES : 0;
	off = min_u64(max_u64(off, oldest), u->total);
	len = (size_t)min_u64(u->total - off, cap);
	for (i = 0; i < len; i++)
		((uint8_t *)buf)[i] = u->ring[(off + i) % UART_RING_BYTES];
	*ret_off = off;
	*ret_end = u->total;
	pthread_mutex_unlock(&u->lock);
	return len;
}
