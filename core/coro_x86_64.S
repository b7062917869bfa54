/* SPDX-License-Identifier: MIT */
/*
 * The context switch for x86-64 (System V ABI).
 *
 * The ABI makes six registers, the MXCSR control bits and the x87 control word callee-saved. MXCSR
 * is slow to store, so that is begun first, below the stack pointer, where no signal writes. Both
 * are loaded whatever they hold: to compare would mean to wait until what was stored can be read.
 *
 * The way out is a return. It is predicted well, since whoever is switched to left by the same
 * calls; a jump would save nothing here and put the return predictor out of step for every caller
 * further up (measured: 18 ns instead of 32 for a switch of tasks).
 */
    .text

/* What a call keeps goes onto the stack, and where it lies there into *rdi. Loses rax. */
    .macro save_to_rdi
    leaq -56(%rsp), %rax
    stmxcsr (%rax)
    fnstcw 4(%rax)
    movq %rax, (%rdi)
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

/* The way back from there. */
    .macro restore_and_return
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .endm

/* void hr__context_swap(void **from, void *to) */
    .globl hr__context_swap
    .hidden hr__context_swap
    .type hr__context_swap, @function
    .p2align 4
hr__context_swap:
    .cfi_startproc
    endbr64
    save_to_rdi
    movq %rsi, %rsp
    restore_and_return
    .cfi_endproc
    .size hr__context_swap, . - hr__context_swap

/* void hr__context_begin(void **from, void *top, void (*entry)(void *), void *arg,
 *                        const uint64_t *control)
 *
 * Whoever is begun has the stack as a call would have left it, and a return address that ends it.
 * That is jumped to, not called: whatever it switches to by hr__context_resume() returns to where
 * the last call before the jump came from, as the return predictor expects. Nothing touches memory
 * between the new stack pointer and the first push: the top itself is no part of the stack that
 * valgrind knows. */
    .globl hr__context_begin
    .hidden hr__context_begin
    .type hr__context_begin, @function
    .p2align 4
hr__context_begin:
    .cfi_startproc
    endbr64
    save_to_rdi
    leaq begun(%rip), %rax
    movq %rcx, %rdi
    ldmxcsr (%r8)
    fldcw 4(%r8)
    movq %rsi, %rsp
    pushq %rax
    xorl %ebp, %ebp
    jmp *%rdx
    .cfi_endproc
    .size hr__context_begin, . - hr__context_begin

/* Never reached. The undefined return address tells debuggers that the stack ends here. */
    .type begun, @function
    .cfi_startproc
    .cfi_undefined rip
    nop
begun:
    ud2
    .cfi_endproc
    .size begun, . - begun

/* void hr__context_resume(void *to) */
    .globl hr__context_resume
    .hidden hr__context_resume
    .type hr__context_resume, @function
    .p2align 4
hr__context_resume:
    .cfi_startproc
    endbr64
    movq %rdi, %rsp
    restore_and_return
    .cfi_endproc
    .size hr__context_resume, . - hr__context_resume

    .section .note.GNU-stack, "", @progbits

/* Indirect branch tracking is supported, shadow stacks are not. */
    .section .note.gnu.property, "a", @note
    .p2align 3
    .long 4          /* length of the name */
    .long 16         /* length of the property */
    .long 5          /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .long 0xc0000002 /* GNU_PROPERTY_X86_FEATURE_1_AND */
    .long 4
    .long 1          /* IBT */
    .long 0
