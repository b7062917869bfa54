/* SPDX-License-Identifier: MIT */
/*
 * The floor: what tasks with stacks of their own cost when they can do nothing but the row.
 *
 * No errors, no cancellation, no results, no descriptors, no guard pages: an intrusive queue, a
 * pool of stacks, a wheel of milliseconds, and registers that change hands. What a runtime promises
 * beyond that is what its ratio to these figures pays for. Only calls stay calls: those of a
 * library cannot be woven into the program that makes them; and a switch is a call, so it keeps
 * what the ABI says that a call keeps. Built with BARE it loses the floating-point control words
 * nevertheless.
 *
 *   floor ROW COUNT [TIMES]
 */
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/coro.h"
#include "tests/bench/measure.h"

#define CALLED __attribute__((noinline)) static

#define STRIDE      16384
#define WHEEL_SLOTS 1024 /* no sleep of a row is longer than this many milliseconds */

struct task {
    void *sp;
    struct task *next, **link; /* in a queue, or in a slot of the wheel */
    struct task *joiner;
    void (*body)(uint64_t arg);
    uint64_t arg;
    bool over;
};

struct queue {
    struct task *first, **last;
};

static struct task main_task, *running = &main_task;
static struct queue ready = {.last = &ready.first};
static uint64_t count, times, left;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

/* --- switching */

#if defined(BARE)
#define STORE_CONTROL ""
#define LOAD_CONTROL  ""
#elif defined(__x86_64__)
#define STORE_CONTROL "    stmxcsr -56(%rsp)\n    fnstcw -52(%rsp)\n"
#define LOAD_CONTROL  "    ldmxcsr (%rsp)\n    fldcw 4(%rsp)\n"
#elif defined(__aarch64__)
#define STORE_CONTROL "    mrs x9, fpcr\n    str x9, [sp, #160]\n"
#define LOAD_CONTROL  "    ldr x9, [sp, #160]\n    msr fpcr, x9\n"
#endif

void floor_switch(void **from, void *to);
__asm__(".pushsection .text\n"
        ".p2align 5\n"
        ".type floor_switch, @function\n"
        "floor_switch:\n"
#if defined(__x86_64__)
        STORE_CONTROL /* begun first, since it is slow */
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n" /* from here on the other's */
        LOAD_CONTROL            /* the word below the registers */
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    popq %rcx\n"
        "    jmp *%rcx\n" /* a ret would be predicted to go elsewhere */
#define FRAME_WORDS   8   /* control words, six registers and where to go on */
#define FRAME_CONTROL 0
#define FRAME_ENTRY   7
#elif defined(__aarch64__)
        "    sub sp, sp, #176\n"
        "    stp x19, x20, [sp]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n" STORE_CONTROL /* the word above the registers */
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n" /* from here on the other's */
        LOAD_CONTROL       /* the same word */
        "    ldp x19, x20, [sp]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #176\n"
        "    br x30\n"
#define FRAME_WORDS   22
#define FRAME_CONTROL 20
#define FRAME_ENTRY   11
#endif
        ".size floor_switch, . - floor_switch\n"
        ".popsection\n");

static inline void append(struct queue *queue, struct task *task)
{
    task->next = NULL;
    *queue->last = task;
    queue->last = &task->next;
}

static inline struct task *pop(struct queue *queue)
{
    struct task *task = queue->first;
    queue->first = task->next;
    if (!queue->first)
        queue->last = &queue->first;
    return task;
}

static void let_time_pass(void);

static inline struct task *next_ready(void)
{
    while (!ready.first)
        let_time_pass();
    return pop(&ready);
}

/* Leaves the running task until somebody appends it to the ready queue. */
static inline void suspend(void)
{
    struct task *self = running, *next = next_ready();
    if (next == self)
        return;
    running = next;
    floor_switch(&self->sp, next->sp);
}

CALLED void yield(void)
{
    append(&ready, running);
    suspend();
}

/* --- tasks: each sits at the top of its own stack */

static char *stacks;       /* one reserved range */
static size_t stacks_made; /* from its beginning */
static struct task *spare; /* over, their stacks still warm */
static uint64_t control;   /* what a task begins with */

static void reserve_stacks(uint64_t n)
{
    stacks = mmap(NULL, n * STRIDE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        die("no address space");
}

static _Noreturn void task_main(void)
{
    struct task *self = running;
    self->body(self->arg);
    self->over = true;
    if (self->joiner)
        append(&ready, self->joiner);
    self->next = spare;
    spare = self;
    running = next_ready();
    void *nowhere;
    floor_switch(&nowhere, running->sp);
    __builtin_unreachable();
}

CALLED struct task *spawn(void (*body)(uint64_t arg), uint64_t arg)
{
    struct task *task = spare;
    if (task)
        spare = task->next;
    else
        task = (struct task *)(stacks + ++stacks_made * STRIDE) - 1;

    /* The entry finds the stack as a call would have left it. */
    void **frame = (void **)((uintptr_t)task & ~(uintptr_t)15) - 1 - FRAME_WORDS;
    frame[FRAME_ENTRY] = (void *)task_main;
    frame[FRAME_CONTROL] = (void *)control;
    *task = (struct task){.sp = frame, .body = body, .arg = arg};
    append(&ready, task);
    return task;
}

CALLED void join(struct task *task)
{
    if (task->over)
        return;
    task->joiner = running;
    suspend();
}

/* The last of many tells the main task. */
static void one_less(void)
{
    if (--left == 0)
        append(&ready, &main_task);
}

/* --- time */

static struct task *wheel[WHEEL_SLOTS];
static uint64_t wheel_now, wheel_began, wheel_armed;

CALLED void arm(struct task *task, uint64_t ms)
{
    struct task **slot = &wheel[(wheel_now + ms + 1) % WHEEL_SLOTS];
    task->next = *slot;
    task->link = slot;
    if (*slot)
        (*slot)->link = &task->next;
    *slot = task;
    wheel_armed++;
}

CALLED void disarm(struct task *task)
{
    *task->link = task->next;
    if (task->next)
        task->next->link = task->link;
    wheel_armed--;
}

/* Nothing is ready: sleeps until the wheel may turn, and turns it. */
static void let_time_pass(void)
{
    if (wheel_armed == 0)
        die("everybody waits");
    uint64_t past = measure_now() - wheel_began;
    if (past / 1000000 <= wheel_now) {
        struct timespec rest = {.tv_nsec = (long)((wheel_now + 1) * 1000000 - past)};
        nanosleep(&rest, NULL);
        past = measure_now() - wheel_began;
    }
    while (wheel_now < past / 1000000) {
        struct task *task = wheel[++wheel_now % WHEEL_SLOTS];
        wheel[wheel_now % WHEEL_SLOTS] = NULL;
        for (struct task *next; task; task = next) {
            next = task->next;
            wheel_armed--;
            append(&ready, task);
        }
    }
}

/* --- the rows */

static void yield_in_turn(uint64_t arg)
{
    while (left > 0) {
        left--;
        yield();
    }
}

static void row_switch(void)
{
    left = count;
    struct task *a = spawn(yield_in_turn, 0), *b = spawn(yield_in_turn, 0);
    join(a);
    join(b);
}

static void nothing(uint64_t arg) {}

static void row_spawn(void)
{
    for (uint64_t i = 0; i < count; i++)
        join(spawn(nothing, i));
}

static struct queue gate = {.last = &gate.first};

static void pass_gate(uint64_t arg)
{
    append(&gate, running);
    suspend();
    one_less();
}

static void row_gather(void)
{
    for (int round = 0; round < 10; round++) {
        left = count / 10;
        for (uint64_t i = 0; i < count / 10; i++)
            spawn(pass_gate, i);
        yield();
        while (gate.first)
            append(&ready, pop(&gate));
        suspend();
    }
}

/* A ring of any power of two, with one reader and one writer. */
struct channel {
    uint64_t *items;
    size_t head, used, room;
    struct task *reader, *writer;
};
static struct channel there, back;

CALLED void put(struct channel *channel, uint64_t item)
{
    while (channel->used == channel->room) {
        channel->writer = running;
        suspend();
    }
    channel->items[(channel->head + channel->used++) & (channel->room - 1)] = item;
    if (channel->reader) {
        append(&ready, channel->reader);
        channel->reader = NULL;
    }
}

CALLED uint64_t get(struct channel *channel)
{
    while (channel->used == 0) {
        channel->reader = running;
        suspend();
    }
    uint64_t item = channel->items[channel->head++ & (channel->room - 1)];
    channel->used--;
    if (channel->writer) {
        append(&ready, channel->writer);
        channel->writer = NULL;
    }
    return item;
}

static void answer(uint64_t arg)
{
    for (uint64_t i = 0; i < count; i++)
        put(&back, get(&there) + 1);
}

static void row_pingpong(void)
{
    uint64_t one, other, ball = 0;
    there = (struct channel){.items = &one, .room = 1};
    back = (struct channel){.items = &other, .room = 1};
    spawn(answer, 0);
    for (uint64_t i = 0; i < count; i++) {
        put(&there, ball);
        ball = get(&back);
    }
    if (ball != count)
        die("a ball was lost");
}

static void produce(uint64_t arg)
{
    for (uint64_t i = 0; i < count; i++)
        put(&there, i);
}

static void row_stream(void)
{
    static uint64_t ring[1024];
    there = (struct channel){.items = ring, .room = 1024};
    uint64_t sum = 0;
    spawn(produce, 0);
    for (uint64_t i = 0; i < count; i++)
        sum += get(&there);
    if (sum != count * (count - 1) / 2)
        die("an item was lost");
}

static void yield_for_ever(uint64_t arg)
{
    for (;;)
        yield();
}

/* A limit around one yield to somebody else. */
static void row_waitfor_yield(void)
{
    static struct task limit;
    spawn(yield_for_ever, 0);
    for (uint64_t i = 0; i < count; i++) {
        arm(&limit, 1000);
        yield();
        disarm(&limit);
    }
}

static unsigned permits = 500;

static void with_permit(uint64_t arg)
{
    while (permits == 0) {
        append(&gate, running);
        suspend();
    }
    permits--;
    yield();
    permits++;
    if (gate.first)
        append(&ready, pop(&gate));
    one_less();
}

static void sleep_often(uint64_t i)
{
    uint64_t dice = measure_seed(i);
    for (uint64_t k = 0; k < times; k++) {
        arm(running, measure_draw(&dice) % 1000);
        suspend();
    }
    one_less();
}

static void row_sem(void)
{
    left = count;
    for (uint64_t i = 0; i < count; i++)
        spawn(with_permit, i);
    suspend();
}

static void row_sleep(void)
{
    left = count;
    for (uint64_t i = 0; i < count; i++)
        spawn(sleep_often, i);
    suspend();
}

static const struct row {
    const char *name;
    void (*run)(void);
    unsigned operations; /* for one of count */
} rows[] = {
    {"switch",        row_switch,        1},
    {"spawn",         row_spawn,         1},
    {"gather",        row_gather,        1},
    {"pingpong",      row_pingpong,      2},
    {"stream",        row_stream,        1},
    {"waitfor_yield", row_waitfor_yield, 1},
    {"sem",           row_sem,           1},
    {"sleep100k",     row_sleep,         1},
    {"sleep1m",       row_sleep,         1},
};

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: floor ROW COUNT [TIMES]");
    count = strtoull(argv[2], NULL, 10);
    times = argc > 3 ? strtoull(argv[3], NULL, 10) : strcmp(argv[1], "sleep100k") == 0 ? 10 : 1;
    reserve_stacks(count + 2);
    control = hr__context_control();
    wheel_began = measure_now();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(rows[i].name, argv[1]) != 0)
            continue;
        struct measure begun = measure_begin();
        rows[i].run();
        measure_end(&begun, argv[1], count * rows[i].operations);
        return 0;
    }
    die("no such row");
}
