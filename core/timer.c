/* SPDX-License-Identifier: MIT */
/*
 * How it works: a slot of the first level is a microsecond, one of the second a whole first level
 * (1,024 µs), and each level from there on is 64 times as wide. The highest bits in which a
 * deadline differs from the wheel's own moment name the level, and its bits there name the slot.
 * When the wheel moves into a slot, its timers are placed anew, one level or more further down. The
 * first two levels are wide because a move costs a cache miss: what sleeps for less than a second
 * is moved once.
 *
 * Order needs neither sorting nor sequence numbers: a slot of the first level holds one deadline,
 * and two timers of one deadline always share a slot, because the earlier one is moved down before
 * the later one could be placed below it, and all moves keep the order of the list. Only what is
 * armed for the past stands in `near`, which is sorted.
 */
#include "core/timer.h"

#define WIDE_BITS    10 /* the first two levels */
#define NARROW_BITS  6
#define WIDE_SLOTS   (1 << WIDE_BITS)
#define NARROW_SLOTS (1 << NARROW_BITS)

/* So many deadlines in so short a span are waited for together. Programming a timer and waking up
 * costs 2 to 20 µs, the more in virtual machines; the kernel's own slack is 50 µs. */
#define TOGETHER      4
#define TOGETHER_SPAN 256

/* Slots with more timers than this are not searched for the earliest one. */
#define SEARCH_MAX 32

void hr__timers_init(struct hr__timers *timers, hr_usec now)
{
    *timers = (struct hr__timers){.now = now};
    hr_list_init(&timers->near);
    hr_list_init(&timers->never);
    for (int i = 0; i < HR__WHEEL_SLOTS; i++)
        hr_list_init(&timers->slots[i]);
}

static struct hr__timer *timer_of(struct hr_list *node)
{
    return hr_list_entry(node, struct hr__timer, link);
}

/* Where a level begins: its first slot, and the bits of a moment below it. */
static int level_slot(int level)
{
    return level < 2 ? level * WIDE_SLOTS : 2 * WIDE_SLOTS + (level - 2) * NARROW_SLOTS;
}

static int level_shift(int level)
{
    return level < 2 ? level * WIDE_BITS : 2 * WIDE_BITS + (level - 2) * NARROW_BITS;
}

/* Most timers come in order, so the walk starts at the end. */
static void insert_near(struct hr__timers *timers, struct hr__timer *timer)
{
    struct hr_list *where = timers->near.prev;
    if (where != &timers->near && timer_of(timers->near.next)->deadline > timer->deadline)
        where = &timers->near;
    while (where != &timers->near && timer_of(where)->deadline > timer->deadline)
        where = where->prev;
    hr_list_insert_before(where->next, &timer->link);
}

static void place(struct hr__timers *timers, struct hr__timer *timer)
{
    if (timer->deadline == HR_FOREVER) {
        hr_list_append(&timers->never, &timer->link);
        return;
    }
    if (timer->deadline <= timers->now) {
        insert_near(timers, timer);
        return;
    }
    uint64_t moment = (uint64_t)timer->deadline;
    int bit = 63 - __builtin_clzll(moment ^ (uint64_t)timers->now);
    int level = bit < 2 * WIDE_BITS ? bit / WIDE_BITS : 2 + (bit - 2 * WIDE_BITS) / NARROW_BITS;
    unsigned mask = level < 2 ? WIDE_SLOTS - 1 : NARROW_SLOTS - 1;
    unsigned slot = (unsigned)level_slot(level) + ((moment >> level_shift(level)) & mask);
    timers->used[slot / 64] |= UINT64_C(1) << slot % 64;
    hr_list_append(&timers->slots[slot], &timer->link);
}

void hr__timer_arm(struct hr__timers *timers, struct hr__timer *timer, hr_usec deadline)
{
    timer->deadline = deadline;
    timers->count++;
    place(timers, timer);
}

/* The first used slot, and the moment at which it begins; NULL: all are empty. Levels come in
 * order, and in each all used slots lie after the wheel's position. */
static struct hr_list *first_slot(struct hr__timers *timers, hr_usec *ret_begin)
{
    for (unsigned word = 0; word < HR__WHEEL_SLOTS / 64; word++) {
        while (timers->used[word]) {
            unsigned slot = word * 64 + (unsigned)__builtin_ctzll(timers->used[word]);
            struct hr_list *list = &timers->slots[slot];
            if (hr_list_empty(list)) { /* its timers were disarmed */
                timers->used[word] &= timers->used[word] - 1;
                continue;
            }
            int level = slot < 2 * WIDE_SLOTS ? (int)slot / WIDE_SLOTS
                                              : 2 + ((int)slot - 2 * WIDE_SLOTS) / NARROW_SLOTS;
            int shift = level_shift(level), above = level_shift(level + 1);
            uint64_t begin = above < 64 ? (uint64_t)timers->now >> above << above : 0;
            *ret_begin = (hr_usec)(begin | (uint64_t)((int)slot - level_slot(level)) << shift);
            return list;
        }
    }
    return NULL;
}

/* Moves the wheel into a slot and places its timers anew. */
static void enter_slot(struct hr__timers *timers, struct hr_list *list, hr_usec begin)
{
    size_t slot = (size_t)(list - timers->slots);
    timers->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    timers->now = begin;
    if (slot < WIDE_SLOTS) { /* near is empty, and these are due */
        hr_list_splice(&timers->near, list);
        return;
    }
    struct hr_list moved;
    hr_list_init(&moved);
    hr_list_splice(&moved, list);
    for (struct hr_list *node; (node = hr_list_pop(&moved));)
        place(timers, timer_of(node));
}

hr_usec hr__timers_run(struct hr__timers *timers, hr_usec now)
{
    hr_usec lag = 0;

    for (;;) {
        while (!hr_list_empty(&timers->near)) {
            struct hr__timer *timer = timer_of(timers->near.next);
            hr__timer_disarm(timers, timer);
            if (now - timer->deadline > lag)
                lag = now - timer->deadline;
            timer->fire(timer);
        }
        hr_usec begin;
        struct hr_list *list = timers->now < now ? first_slot(timers, &begin) : NULL;
        if (!list || begin > now)
            break;
        enter_slot(timers, list, begin);
    }
    if (now == HR_FOREVER) {
        for (struct hr_list *node; (node = hr_list_pop(&timers->never)); timers->count--)
            timer_of(node)->fire(timer_of(node));
    }
    if (timers->now < now)
        timers->now = now;
    return lag;
}

hr_usec hr__timers_next(struct hr__timers *timers)
{
    if (!hr_list_empty(&timers->near))
        return timer_of(timers->near.next)->deadline;

    hr_usec begin;
    struct hr_list *list = first_slot(timers, &begin);
    if (!list)
        return HR_FOREVER;

    hr_usec earliest = HR_FOREVER;
    int searched = 0;
    hr_list_foreach (node, list) {
        if (++searched > SEARCH_MAX) /* waking up when the slot begins will split it */
            return begin;
        if (timer_of(node)->deadline < earliest)
            earliest = timer_of(node)->deadline;
    }
    return earliest;
}

hr_usec hr__timers_wake(struct hr__timers *timers)
{
    hr_usec next = hr__timers_next(timers);
    hr_usec begin = timers->now - timers->now % WIDE_SLOTS; /* of what the first level covers */
    if (next <= timers->now || next >= begin + WIDE_SLOTS)
        return next;
    int together = 0;
    unsigned first = (unsigned)(next - begin) / 64;
    for (unsigned i = 0; i < TOGETHER_SPAN / 64 && first + i < WIDE_SLOTS / 64; i++)
        together += __builtin_popcountll(timers->used[first + i]);
    return together < TOGETHER ? next : next + TOGETHER_SPAN;
}
