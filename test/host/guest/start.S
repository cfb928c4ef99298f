/*
 * Entry of the guest: QEMU's -kernel jumps here in 32-bit protected mode, as the PVH note asks for
 * (https://xenbits.xen.org/docs/unstable/misc/pvh.html). Segments, stack and interrupt stubs; the rest is guest.c.
 */
    .section .note.Xen, "a", @note
    .long 4, 4, 18                  /* name size, value size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start

    .text
    .globl start
start:
    cli
    mov $stack_top, %esp
    lgdt gdt_pointer
    ljmp $8, $1f
1:  mov $16, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    call main
2:  hlt
    jmp 2b

    .globl on_tick
on_tick:                            /* IRQ 0: count, and tell the interrupt controller that it is done */
    incl ticks
    push %eax
    mov $0x20, %al
    outb %al, $0x20
    pop %eax
    .globl on_other
on_other:
    iret

    .data
    .align 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff        /* 8: code, 4 GiB from 0 */
    .quad 0x00cf92000000ffff        /* 16: data, likewise */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .bss
    .align 16
    .skip 4096
stack_top:

    .section .note.GNU-stack, "", @progbits
