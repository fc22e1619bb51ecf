/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

/*
 * The micro-guest: a kernel of our own that tries the machine from inside and tells on the serial port. It uses
 * general registers only, so that it also runs where KVM emulates every instruction. Its command line is a list of
 * words, done in order.
 */

void guest_main(const uint8_t *boot_params);
void ap_main(void);
extern const uint8_t ap_begin[], ap_end[];
extern void trap_entry(void), trap_entry_code(void), irq_entry(void);
volatile uint32_t irq_cnt;
volatile uint64_t skip_len;
volatile uint32_t caught;

static volatile uint32_t ap_cnt, ap_id;

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t mem32(uint64_t at)
{
	return *(volatile uint32_t *)at;
}

static inline void mem32_set(uint64_t at, uint32_t v)
{
	*(volatile uint32_t *)at = v;
}

static void print(const char *s)
{
	while (*s)
		outb(0x3f8, (uint8_t)*s++);
}

static void print_hex(uint64_t v, unsigned digits)
{
	while (digits--)
		outb(0x3f8, (uint8_t) "0123456789abcdef"[v >> 4 * digits & 15]);
}

static void cpuid_print(uint32_t leaf, uint32_t sub)
{
	uint32_t a = leaf, b, c = sub, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	print("cpuid ");
	print_hex(leaf, 8);
	print(".");
	print_hex(sub, 1);
	print(" ");
	print_hex(a, 8);
	print(" ");
	print_hex(b, 8);
	print(" ");
	print_hex(c, 8);
	print(" ");
	print_hex(d, 8);
	print("\n");
}

static void do_cpuid(void)
{
	static const uint32_t leaves[][2] = {
		{ 0, 0 },          { 1, 0 },          { 5, 0 },          { 0xa, 0 },
		{ 0xb, 0 },        { 0xb, 1 },        { 0xb, 2 },        { 0x40000000, 0 },
		{ 0x40000001, 0 }, { 0x80000001, 0 }, { 0x80000008, 0 }, { 0x8000000a, 0 },
		{ 0x8000001e, 0 },
	};
	unsigned i;

	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		cpuid_print(leaves[i][0], leaves[i][1]);
}

static uint32_t cf8_read(unsigned slot, unsigned off)
{
	outl(0xcf8, 0x80000000u | slot << 11 | off);
	return inl(0xcfc);
}

static void do_pci(void)
{
	unsigned slot, off, differ = 0;

	for (slot = 0; slot < 32; slot++) {
		uint32_t id = cf8_read(slot, 0);

		if (id == 0xffffffff)
			continue;
		print("pci ");
		print_hex(slot, 2);
		print(" ");
		print_hex(id & 0xffff, 4);
		print(":");
		print_hex(id >> 16, 4);
		print(" class ");
		print_hex(cf8_read(slot, 8) >> 8, 6);
		print("\n");
		for (off = 0; off < 64; off += 4)
			differ += mem32(0xe0000000u + (slot << 15) + off) != cf8_read(slot, off);
	}
	print(differ ? "ecam differs\n" : "ecam same\n");
	print(mem32(0xe00f8000u) == mem32(0xe0000000u + (31u << 15)) ? "ecam lpc\n" : "ecam ?\n");
	/* Nothing answers here: ones, and writes vanish. */
	mem32_set(0xd0000000u, 1);
	print(mem32(0xd0000000u) == 0xffffffff ? "hole ones\n" : "hole ?\n");
}

static uint8_t sum(const uint8_t *p, uint32_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *table_find(const uint8_t *bp, const char *sig)
{
	const uint8_t *rsdp = (const uint8_t *)*(const uint64_t *)(bp + 0x70);
	const uint8_t *xsdt = (const uint8_t *)*(const uint64_t *)(rsdp + 24);
	uint32_t i, len = *(const uint32_t *)(xsdt + 4);

	for (i = 36; i + 8 <= len; i += 8) {
		const uint8_t *t = (const uint8_t *)*(const uint64_t *)(xsdt + i);

		if (t[0] == sig[0] && t[1] == sig[1] && t[2] == sig[2] && t[3] == sig[3])
			return t;
	}
	return NULL;
}

static void do_tables(const uint8_t *bp)
{
	static const char *const names[] = { "FACP", "APIC", "MCFG" };
	unsigned i;

	for (i = 0; i < 3; i++) {
		const uint8_t *t = table_find(bp, names[i]);

		print(names[i]);
		print(t && sum(t, *(const uint32_t *)(t + 4)) == 0 ? " ok\n" : " bad\n");
	}
	print(sum((const uint8_t *)0xf0000, 31) == 0 ? "smbios ok\n" : "smbios bad\n");
}

static void do_e820(const uint8_t *bp)
{
	unsigned i;

	for (i = 0; i < bp[0x1e8]; i++) {
		const uint8_t *e = bp + 0x2d0 + 20 * i;

		print_hex(*(const uint64_t *)e, 9);
		print(" ");
		print_hex(*(const uint64_t *)(e + 8), 9);
		print(" ");
		print_hex(e[16], 1);
		print("\n");
	}
}

void ap_main(void)
{
	ap_id = mem32(0xfee00020) >> 24;
	ap_cnt = ap_cnt + 1;
}

static void ipi(uint32_t apic, uint32_t what)
{
	mem32_set(0xfee00310, apic << 24);
	mem32_set(0xfee00300, what);
	while (mem32(0xfee00300) & 0x1000)
		;
}

/* Each processor of the MADT in turn: they share one stack. */
static void do_smp(const uint8_t *bp)
{
	const uint8_t *madt = table_find(bp, "APIC"), *e;
	uint8_t *to = (uint8_t *)0x8000;
	const uint8_t *from;
	uint32_t len, seen = 0;

	if (!madt)
		return;
	for (from = ap_begin; from < ap_end; from++)
		*to++ = *from;
	mem32_set(0xfee000f0, 0x1ff); /* APIC on */
	len = *(const uint32_t *)(madt + 4);
	for (e = madt + 44; e < madt + len; e += e[1]) {
		if (e[0] != 0)
			continue;
		print("madt ");
		print_hex(e[3], 2);
		if (e[3] == mem32(0xfee00020) >> 24) {
			print(" boot\n");
			continue;
		}
		ipi(e[3], 0x4500); /* INIT */
		ipi(e[3], 0x4608); /* start-up at 0x8000 */
		seen++;
		while (ap_cnt < seen)
			;
		print(" up ");
		print_hex(ap_id, 2);
		print("\n");
	}
}

struct gate {
	uint16_t lo, sel, flags, mid;
	uint32_t hi, zero;
} __attribute__((packed));
enum { IRQ_VECTOR = 0x40 };
static struct gate idt[IRQ_VECTOR + 1];

static void traps_on(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (uint64_t)idt };
	unsigned i;

	for (i = 0; i <= IRQ_VECTOR; i++) {
		uint64_t at = (uint64_t)(i == 13 ? trap_entry_code : trap_entry);

		if (i == IRQ_VECTOR)
			at = (uint64_t)irq_entry;

		idt[i] = (struct gate){ (uint16_t)at,         0x10, 0x8e00, (uint16_t)(at >> 16),
					(uint32_t)(at >> 32), 0 };
	}
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

static uint64_t rdmsr(uint32_t msr)
{
	uint32_t a = 0, d = 0;

	skip_len = 2;
	__asm__ volatile("rdmsr" : "+a"(a), "+d"(d) : "c"(msr) : "memory");
	return (uint64_t)d << 32 | a;
}

static void wrmsr(uint32_t msr, uint64_t v)
{
	skip_len = 2;
	__asm__ volatile("wrmsr"
			 :
			 : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(msr)
			 : "memory");
}

static void msr_print(uint32_t msr, uint32_t before)
{
	print("msr ");
	print_hex(msr, 8);
	print(caught != before ? " fault\n" : " ok\n");
}

static void do_msr(void)
{
	/* EFER, APIC base, PAT | SVM, VMX, counters, SMM, Hyper-V: refused */
	static const uint32_t msrs[] = { 0xc0000080, 0x1b,       0x277,      0xc0010114,
					 0xc0010117, 0x480,      0x48b,      0xc1,
					 0x186,      0xc0010000, 0x38f,      0x9e,
					 0xc0010111, 0x40000000, 0x40000001, 0x570 };
	uint64_t efer;
	uint32_t before;
	unsigned i;

	traps_on();
	for (i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		before = caught;
		(void)rdmsr(msrs[i]);
		msr_print(msrs[i], before);
	}
	efer = rdmsr(0xc0000080);
	before = caught;
	wrmsr(0xc0000080, efer | 1 << 12);
	print(caught != before ? "svme fault\n" : "svme ok\n");
}

static void cf8_write(unsigned slot, unsigned off, uint32_t v)
{
	outl(0xcf8, 0x80000000u | slot << 11 | off);
	outl(0xcfc, v);
}

static unsigned cap_find(unsigned slot, uint8_t id)
{
	unsigned at = cf8_read(slot, 0x34) & 0xfc;

	while (at && (cf8_read(slot, at) & 0xff) != id)
		at = cf8_read(slot, at) >> 8 & 0xfc;
	return at;
}

static void lapic_on(void)
{
	outb(0x21, 0xff); /* no interrupts of the old controllers */
	outb(0xa1, 0xff);
	mem32_set(0xfee000f0, 0x1ff);
	traps_on();
	__asm__ volatile("sti");
}

/* Identify of the controller in slot 4, its completion told by MSI-X. */
static void do_nvme(void)
{
	enum { SLOT = 4, SQ = 0x3100000, CQ = 0x3101000, DATA = 0x3102000 };
	uint32_t bar = cf8_read(SLOT, 0x10) & ~15u, cap = cap_find(SLOT, 0x11), table;
	unsigned i;

	if (cf8_read(SLOT, 8) >> 8 != 0x010802 || !bar || cf8_read(SLOT, 0x14) || !cap) {
		print("nvme ?\n");
		return;
	}
	cf8_write(SLOT, 4, 6); /* memory, bus master */
	lapic_on();
	table = cf8_read(SLOT, cap + 4);
	table = (cf8_read(SLOT, 0x10 + 4 * (table & 7)) & ~15u) + (table & ~7u);
	mem32_set(table, 0xfee00000);
	mem32_set(table + 4, 0);
	mem32_set(table + 8, IRQ_VECTOR);
	mem32_set(table + 12, 0);
	cf8_write(SLOT, cap, cf8_read(SLOT, cap) | 1u << 31);

	mem32_set(bar + 0x14, 0);
	while (mem32(bar + 0x1c) & 1)
		;
	mem32_set(bar + 0x24, 31 | 31 << 16);
	mem32_set(bar + 0x28, SQ);
	mem32_set(bar + 0x2c, 0);
	mem32_set(bar + 0x30, CQ);
	mem32_set(bar + 0x34, 0);
	mem32_set(bar + 0x14, 0x00460001);
	while (!(mem32(bar + 0x1c) & 1))
		;
	mem32_set(SQ, 0x06 | 1 << 16); /* Identify, command 1 */
	mem32_set(SQ + 24, DATA);
	mem32_set(SQ + 40, 1);
	mem32_set(bar + 0x1000, 1);
	while (!irq_cnt)
		;
	print("nvme ");
	for (i = 24; i < 64; i++)
		outb(0x3f8, *(volatile uint8_t *)((uint64_t)DATA + i));
	print(mem32(CQ + 12) == (1u << 16 | 1) ? " ok" : " failed");
	print(irq_cnt == 1 ? " one message\n" : " messages?\n");
	mem32_set(bar + 0x1004, 1);
}

/* Survives a reset? Nothing may. */
static void do_dirty(void)
{
	print(mem32(0x3000000) == 0 && mem32(0x5000) == 0 ? "ram clean\n" : "ram dirty\n");
	mem32_set(0x3000000, 0xdeadbeef);
	mem32_set(0x5000, 0xdeadbeef);
}

static void do_button(void)
{
	outw(0x602, 1 << 8);
	print("waiting\n");
	while (!(inw(0x600) & 1 << 8))
		;
	outw(0x600, 1 << 8);
	print(inw(0x600) & 1 << 8 ? "button stuck\n" : "button\n");
}

static void do_clock(void)
{
	uint32_t a = inl(0x608), b = inl(0x608);

	print(b != a ? "timer runs\n" : "timer stands\n");
	outb(0x70, 0x0d);
	print(inb(0x71) == 0x80 ? "clock valid\n" : "clock invalid\n");
	outb(0x70, 0x32);
	print("century ");
	print_hex(inb(0x71), 2);
	print("\n");
}

static void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

static int is_word(const char *p, const char *word)
{
	while (*word && *p == *word)
		p++, word++;
	return !*word && (*p == ' ' || !*p);
}

static void word_do(const char *p, const uint8_t *bp)
{
	if (is_word(p, "hello"))
		print("hello\n");
	else if (is_word(p, "cpuid"))
		do_cpuid();
	else if (is_word(p, "pci"))
		do_pci();
	else if (is_word(p, "tables"))
		do_tables(bp);
	else if (is_word(p, "e820"))
		do_e820(bp);
	else if (is_word(p, "smp"))
		do_smp(bp);
	else if (is_word(p, "msr"))
		do_msr();
	else if (is_word(p, "dirty"))
		do_dirty();
	else if (is_word(p, "nvme"))
		do_nvme();
	else if (is_word(p, "button"))
		do_button();
	else if (is_word(p, "clock"))
		do_clock();
	else if (is_word(p, "reset-cf9"))
		outb(0xcf9, 0x06);
	else if (is_word(p, "reset-kbd"))
		outb(0x64, 0xfe);
	else if (is_word(p, "triple"))
		triple_fault();
	else if (is_word(p, "off"))
		outw(0x604, 1 << 13);
	else if (is_word(p, "spin"))
		for (;;)
			__asm__ volatile("" : : : "memory");
}

void guest_main(const uint8_t *boot_params)
{
	const char *p = (const char *)(uint64_t) * (const uint32_t *)(boot_params + 0x228);

	while (*p) {
		word_do(p, boot_params);
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	print("done\n");
}
