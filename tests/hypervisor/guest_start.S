/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of the micro-guest (guest.c): 64-bit mode, identity map of 4 GiB, boot_params in RSI; and the real-mode start
 * of its other processors, copied to 0x8000.
 */
	.section .text.start, "ax"
	.code64
	.globl _start
_start:
	leaq	stack_top(%rip), %rsp
	movq	%rsi, %rdi
	call	guest_main
1:	hlt
	jmp	1b

/* Every exception: count it in caught, skip as many bytes as skip_len says. */
	.globl trap_entry, trap_entry_code
trap_entry_code:
	addq	$8, %rsp	/* error code */
trap_entry:
	pushq	%rax
	movq	skip_len(%rip), %rax
	addq	%rax, 8(%rsp)
	popq	%rax
	incl	caught(%rip)
	iretq

/* A message from a device: count it, tell the APIC. */
	.globl irq_entry
irq_entry:
	pushq	%rax
	incl	irq_cnt(%rip)
	movl	$0xfee000b0, %eax
	movl	$0, (%rax)
	popq	%rax
	iretq

	.code16
	.globl ap_begin, ap_end
ap_begin:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	0x8000 + (ap_gdtr - ap_begin)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$0x20, $(0x8000 + (ap_32 - ap_begin))
	.code32
ap_32:
	movw	$0x18, %ax
	movw	%ax, %ds
	movl	$0x20, %eax	/* PAE */
	movl	%eax, %cr4
	movl	$0x9000, %eax	/* the boot processor's page tables */
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	xorl	%edx, %edx
	movl	$0x100, %eax	/* LME */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax
	movl	%eax, %cr0
	ljmpl	$0x10, $(0x8000 + (ap_64 - ap_begin))
	.code64
ap_64:
	movw	$0x18, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movq	$ap_stack_top, %rsp
	movq	$ap_main, %rax
	call	*%rax
1:	hlt
	jmp	1b
	.balign 8
ap_gdt:
	.quad	0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
ap_gdtr:
	.word	. - ap_gdt - 1
	.long	0x8000 + (ap_gdt - ap_begin)
ap_end:

	.bss
	.balign 16
	.space	16384
	.globl stack_top
stack_top:
	.space	4096
ap_stack_top:
	.section .note.GNU-stack, "", @progbits
