/*
 * A guest that lives, says so, and comes to whatever end it is told to.
 *
 * It writes a heartbeat to its serial console five times a second and takes commands there, one character each:
 *
 *   ?  say PONG                                s  spin with interrupts off (QMP says "running")
 *   i  ignore the power button from now on     h  halt with interrupts off (likewise)
 *   o  power off (ACPI S5)                     r  reset
 *   p  panic, by the pvpanic device            t  triple fault
 *
 * It presses itself off when the ACPI power button is pressed. No kernel boots in a tenth of a second and in 16 MiB, and
 * the agent asks nothing of a guest that this one cannot show.
 *
 * For QEMU's machine type pc: https://www.qemu.org/docs/master/system/i386/pc.html
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

enum {
    COM1 = 0x3f8,
    PIC1 = 0x20,
    PIC2 = 0xa0,
    PIT_CHANNEL_0 = 0x40,
    PIT_MODE = 0x43,
    KEYBOARD_COMMAND = 0x64,
    PVPANIC = 0x505,
    /* SeaBIOS puts the ACPI registers of pc here. */
    PM1_STATUS = 0x600,
    PM1_ENABLE = 0x602,
    PM1_CONTROL = 0x604,
};

enum { POWER_BUTTON = 1 << 8, SLEEP_ENABLE = 1 << 13 };
enum { TICKS_PER_SECOND = 20, TICKS_PER_HEARTBEAT = 4, PIT_HZ = 1193182 };

extern void on_tick(void);
extern void on_other(void);

volatile u32 ticks;

static struct gate {
    u16 offset_low, selector;
    u8 zero, type;
    u16 offset_high;
} __attribute__((packed)) idt[256];

struct table {
    u16 limit;
    u32 base;
} __attribute__((packed));

static void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static void out16(u16 port, u16 value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }

static u8 in8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static u16 in16(u16 port)
{
    u16 value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* Gives up on a console that takes nothing: nobody may be connected to it. */
static void put(char character)
{
    for (int tries = 100000; tries > 0 && !(in8(COM1 + 5) & 0x20); tries--)
        ;
    out8(COM1, character);
}

static void say(const char *text)
{
    while (*text)
        put(*text++);
}

static void say_number(u32 number)
{
    if (number >= 10)
        say_number(number / 10);
    put('0' + number % 10);
}

static void set_gate(int vector, void (*handler)(void))
{
    u32 address = (u32)handler;
    idt[vector] = (struct gate){address & 0xffff, 8, 0, 0x8e, address >> 16};
}

static void set_up_interrupts(void)
{
    for (int vector = 0; vector < 256; vector++)
        set_gate(vector, on_other);
    set_gate(32, on_tick);
    struct table pointer = {sizeof idt - 1, (u32)idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));

    /* IRQ 0 to 15 become vectors 32 to 47, and all but IRQ 0 are masked. */
    out8(PIC1, 0x11), out8(PIC1 + 1, 32), out8(PIC1 + 1, 4), out8(PIC1 + 1, 1), out8(PIC1 + 1, 0xfe);
    out8(PIC2, 0x11), out8(PIC2 + 1, 40), out8(PIC2 + 1, 2), out8(PIC2 + 1, 1), out8(PIC2 + 1, 0xff);

    u16 divisor = PIT_HZ / TICKS_PER_SECOND;
    out8(PIT_MODE, 0x34);
    out8(PIT_CHANNEL_0, divisor & 0xff);
    out8(PIT_CHANNEL_0, divisor >> 8);
}

static void set_up_console(void)
{
    out8(COM1 + 1, 0);    /* no interrupts: it is read at every tick */
    out8(COM1 + 3, 0x80); /* 115200 baud */
    out8(COM1, 1);
    out8(COM1 + 1, 0);
    out8(COM1 + 3, 3); /* 8 bits, no parity, one stop bit */
    out8(COM1 + 2, 7); /* FIFOs on and empty */
    out8(COM1 + 4, 3);
}

static void power_off(void)
{
    say("POWER OFF\n");
    out16(PM1_CONTROL, SLEEP_ENABLE);
}

static void triple_fault(void)
{
    struct table none = {0, 0};
    __asm__ volatile("lidt %0; int3" ::"m"(none));
}

/* QEMU records a pressed button only if the guest has asked for it. */
static int power_button_pressed(void)
{
    if (!(in16(PM1_STATUS) & POWER_BUTTON))
        return 0;
    out16(PM1_STATUS, POWER_BUTTON);
    return 1;
}

static int ignores_power_button;

static void obey(u8 command)
{
    switch (command) {
    case '?':
        say("PONG\n");
        break;
    case 'i':
        say("IGNORING\n");
        ignores_power_button = 1;
        break;
    case 's':
        say("SPIN\n");
        __asm__ volatile("cli");
        for (;;)
            ;
    case 'h':
        say("HALT\n");
        __asm__ volatile("cli");
        for (;;)
            __asm__ volatile("hlt");
    case 'r':
        say("RESET\n");
        out8(KEYBOARD_COMMAND, 0xfe);
        break;
    case 't':
        say("TRIPLE FAULT\n");
        triple_fault();
        break;
    case 'o':
        power_off();
        break;
    case 'p':
        say("PANIC\n");
        out8(PVPANIC, 1);
        break;
    }
}

void main(void)
{
    set_up_console();
    set_up_interrupts();
    out16(PM1_STATUS, POWER_BUTTON);
    out16(PM1_ENABLE, POWER_BUTTON);
    say("READY\n");
    __asm__ volatile("sti");

    for (u32 beats = 0, last = 0;;) {
        __asm__ volatile("hlt");
        if (ticks - last >= TICKS_PER_HEARTBEAT) {
            last = ticks;
            say("HEARTBEAT ");
            say_number(++beats);
            put('\n');
        }
        if (power_button_pressed()) {
            say("POWER BUTTON\n");
            if (!ignores_power_button)
                power_off();
        }
        while (in8(COM1 + 5) & 1)
            obey(in8(COM1));
    }
}
