/* SPDX-License-Identifier: MIT */
/*
 * The context switch for aarch64 (AAPCS64).
 *
 * Callee-saved are x19 to x30 and the low halves of v8 to v15; the floating-point control register
 * belongs to the thread of execution as well. It is written only when it differs. x18 is the
 * platform's and left alone.
 *
 * Where a call may land there is a landing pad for branch target identification (a hint, nothing on
 * older processors). The way out is a return, which needs none. Return addresses are not signed
 * here; those of C functions may be: each coroutine keeps the stack that they are signed with.
 */
    .text

/* What a call keeps goes onto the stack, and where it lies there into *x0. Loses x9 and x10. */
    .macro save_to_x0
    sub sp, sp, #176
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mrs x9, fpcr
    str x9, [sp, #160]
    mov x10, sp
    str x10, [x0]
    .endm

/* The way back from there. */
    .macro restore_and_return
    mrs x9, fpcr
    ldr x10, [sp, #160]
    cmp x9, x10
    b.eq 1f
    msr fpcr, x10
1:  ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #176
    ret
    .endm

/* void hr__context_swap(void **from, void *to) */
    .globl hr__context_swap
    .hidden hr__context_swap
    .type hr__context_swap, %function
    .p2align 4
hr__context_swap:
    .cfi_startproc
    hint #34 /* bti c */
    save_to_x0
    mov sp, x1
    restore_and_return
    .cfi_endproc
    .size hr__context_swap, . - hr__context_swap

/* void hr__context_begin(void **from, void *top, void (*entry)(void *), void *arg,
 *                        const uint64_t *control)
 *
 * It is jumped to, not called: whatever it switches to by hr__context_resume() returns to where the
 * last call before the jump came from, as the return predictor expects. */
    .globl hr__context_begin
    .hidden hr__context_begin
    .type hr__context_begin, %function
    .p2align 4
hr__context_begin:
    .cfi_startproc
    hint #34 /* bti c */
    save_to_x0
    mov sp, x1
    mrs x9, fpcr
    ldr x10, [x4]
    cmp x9, x10
    b.eq 1f
    msr fpcr, x10
1:  mov x16, x2 /* a jump by x16 may land where a call may */
    mov x0, x3
    mov x29, xzr
    adr x30, begun
    br x16
    .cfi_endproc
    .size hr__context_begin, . - hr__context_begin

/* Never reached. The undefined return address tells debuggers that the stack ends here. */
    .type begun, %function
    .cfi_startproc
    .cfi_undefined x30
    nop
begun:
    brk #1
    .cfi_endproc
    .size begun, . - begun

/* void hr__context_resume(void *to) */
    .globl hr__context_resume
    .hidden hr__context_resume
    .type hr__context_resume, %function
    .p2align 4
hr__context_resume:
    .cfi_startproc
    hint #34 /* bti c */
    mov sp, x0
    restore_and_return
    .cfi_endproc
    .size hr__context_resume, . - hr__context_resume

    .section .note.GNU-stack, "", %progbits

/* Branch target identification is supported. */
    .section .note.gnu.property, "a", %note
    .p2align 3
    .long 4          /* length of the name */
    .long 16         /* length of the property */
    .long 5          /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .long 0xc0000000 /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
    .long 4
    .long 1          /* BTI */
    .long 0
