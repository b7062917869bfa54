/* SPDX-License-Identifier: MIT */
/*
 * How it works: one handler a process, put in front of what was there while a loop runs. Whatever
 * the fault was, the handler puts the earlier disposition back and returns: the instruction faults
 * again, and whoever was in charge (nobody, a sanitizer, the program) gets it as if we had never
 * been there. Only what a signal handler may do is done in it.
 */
#include "core/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/loop_impl.h"

#define FAULT_STACK (32u << 10)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned watchers;
static struct sigaction before;

/* The task whose guard the address lies in, if it is the one that runs. */
static const struct hr__task *overflown(const void *address)
{
    const struct hr__task *task = hr__loop_running ? hr__loop_running->current : NULL;
    if (!task || !task->fiber)
        return NULL;
    uintptr_t bottom = (uintptr_t)task->fiber->stack.bottom;
    uintptr_t at = (uintptr_t)address;
    return at < bottom && at >= bottom - task->fiber->stack.guard ? task : NULL;
}

struct text {
    char bytes[160];
    size_t length;
};

static void add(struct text *text, const char *more)
{
    size_t length = strlen(more);
    if (length > sizeof(text->bytes) - text->length)
        length = sizeof(text->bytes) - text->length;
    memcpy(text->bytes + text->length, more, length);
    text->length += length;
}

static void add_number(struct text *text, uint64_t number)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    *--at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(text, at);
}

static void tell(const struct hr__task *task)
{
    struct text text = {.length = 0};
    add(&text, "headrace: ");
    add(&text, task->name[0] ? task->name : "task-");
    if (!task->name[0]) /* its name was never asked for */
        add_number(&text, task->number);
    add(&text, ": ran out of stack, all ");
    add_number(&text, task->fiber->coro.size / 1024);
    add(&text, " KiB of it: give it a larger stack_size\n");
    (void)!write(STDERR_FILENO, text.bytes, text.length);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    const struct hr__task *task = info->si_code > 0 ? overflown(info->si_addr) : NULL;
    if (task)
        tell(task);
    sigaction(number, &before, NULL);
    if (info->si_code <= 0) /* sent by somebody: nothing will fault again */
        raise(number);
}

/* The handler is there while any thread watches, unless the program has put its own in front. */
static void watch(void)
{
    pthread_mutex_lock(&lock);
    if (watchers++ == 0) {
        struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigemptyset(&action.sa_mask);
        sigaction(SIGSEGV, &action, &before);
    }
    pthread_mutex_unlock(&lock);
}

static void unwatch(void)
{
    pthread_mutex_lock(&lock);
    struct sigaction present;
    if (--watchers == 0 && sigaction(SIGSEGV, NULL, &present) == 0 &&
        (present.sa_flags & SA_SIGINFO) && present.sa_sigaction == on_fault)
        sigaction(SIGSEGV, &before, NULL);
    pthread_mutex_unlock(&lock);
}

void hr__overflow_hold(void)
{
    pthread_mutex_lock(&lock);
}

void hr__overflow_let_go(void)
{
    pthread_mutex_unlock(&lock);
}

void hr__overflow_watch(struct hr__fault_stack *stack)
{
    stack_t present;
    watch();
    if (sigaltstack(NULL, &present) < 0 || !(present.ss_flags & SS_DISABLE))
        return; /* somebody else's will do */
    if (!stack->memory) {
        void *memory = mmap(NULL, FAULT_STACK, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return;
        stack->memory = memory;
    }
    stack_t ours = {.ss_sp = stack->memory, .ss_size = FAULT_STACK};
    stack->set = sigaltstack(&ours, NULL) == 0;
}

void hr__overflow_unwatch(struct hr__fault_stack *stack)
{
    static const stack_t none = {.ss_flags = SS_DISABLE};
    if (stack->set)
        sigaltstack(&none, NULL);
    stack->set = false;
    unwatch();
}

void hr__overflow_done(struct hr__fault_stack *stack)
{
    if (stack->memory)
        munmap(stack->memory, FAULT_STACK);
    stack->memory = NULL;
}
