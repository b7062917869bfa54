/* SPDX-License-Identifier: MIT */
/*
 * How it works: time is cut into ticks of 1,024 µs. A timer of the present tick, or an overdue one,
 * stands in `near`, sorted. Any other stands in the wheel: the highest group of six bits in which
 * its tick differs from the wheel's own names the level, and its bits there name the slot. When the
 * wheel moves into a slot, the slot's timers are placed anew, one level or more further down.
 *
 * Order needs no sequence numbers: two timers of one deadline always share a slot, because the
 * earlier one is moved down before the later one could be placed below it, and all moves keep the
 * order of the list. The sort into `near` is stable.
 */
#include "core/timer.h"

#define TICK_BITS  10
#define LEVEL_BITS 6

/* Slots with more timers than this are not searched for the earliest one. */
#define SEARCH_MAX 32

void hr__timers_init(struct hr__timers *timers, hr_usec now)
{
    *timers = (struct hr__timers){.tick = (uint64_t)now >> TICK_BITS};
    hr_list_init(&timers->near);
    hr_list_init(&timers->never);
    for (int level = 0; level < HR__WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < HR__WHEEL_SLOTS; slot++)
            hr_list_init(&timers->slots[level][slot]);
    }
}

static struct hr__timer *timer_of(struct hr_list *node)
{
    return hr_list_entry(node, struct hr__timer, link);
}

static uint64_t tick_of(hr_usec moment)
{
    return moment < 0 ? 0 : (uint64_t)moment >> TICK_BITS;
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
    uint64_t tick = tick_of(timer->deadline);
    if (tick <= timers->tick) {
        insert_near(timers, timer);
        return;
    }
    int level = (63 - __builtin_clzll(tick ^ timers->tick)) / LEVEL_BITS;
    unsigned slot = (tick >> (level * LEVEL_BITS)) % HR__WHEEL_SLOTS;
    timers->used[level] |= UINT64_C(1) << slot;
    hr_list_append(&timers->slots[level][slot], &timer->link);
}

void hr__timer_arm(struct hr__timers *timers, struct hr__timer *timer, hr_usec deadline)
{
    timer->deadline = deadline;
    timers->count++;
    place(timers, timer);
}

/* Sorts the first count nodes of from, stably, and appends them to the empty list to. */
static void merge_sort(struct hr_list *from, size_t count, struct hr_list *to)
{
    if (count <= 1) {
        if (count == 1)
            hr_list_append(to, hr_list_pop(from));
        return;
    }
    struct hr_list left, right;
    hr_list_init(&left);
    hr_list_init(&right);
    merge_sort(from, count / 2, &left);
    merge_sort(from, count - count / 2, &right);
    while (!hr_list_empty(&left) && !hr_list_empty(&right)) {
        bool keep = timer_of(left.next)->deadline <= timer_of(right.next)->deadline;
        hr_list_append(to, hr_list_pop(keep ? &left : &right));
    }
    hr_list_splice(to, &left);
    hr_list_splice(to, &right);
}

/* The first used slot after the wheel's position, and the tick at which it begins. */
static struct hr_list *first_slot(struct hr__timers *timers, int *ret_level, uint64_t *ret_tick)
{
    for (int level = 0; level < HR__WHEEL_LEVELS; level++) {
        int shift = level * LEVEL_BITS;
        while (timers->used[level]) {
            /* All of a level's used slots lie after the wheel's position in it. */
            int slot = __builtin_ctzll(timers->used[level]);
            struct hr_list *list = &timers->slots[level][slot];
            if (hr_list_empty(list)) { /* its timers were disarmed */
                timers->used[level] &= ~(UINT64_C(1) << slot);
                continue;
            }
            *ret_level = level;
            *ret_tick = (timers->tick >> shift >> LEVEL_BITS << LEVEL_BITS | (uint64_t)slot)
                        << shift;
            return list;
        }
    }
    return NULL;
}

/* Moves the wheel into the slot at tick and places its timers anew. */
static void enter_slot(struct hr__timers *timers, struct hr_list *list, int level, uint64_t tick)
{
    struct hr_list moved;
    hr_list_init(&moved);
    hr_list_splice(&moved, list);
    timers->used[level] &= ~(UINT64_C(1) << ((tick >> (level * LEVEL_BITS)) % HR__WHEEL_SLOTS));
    timers->tick = tick;

    struct hr_list now;
    size_t count = 0;
    hr_list_init(&now);
    for (struct hr_list *node; (node = hr_list_pop(&moved));) {
        if (tick_of(timer_of(node)->deadline) > tick) {
            place(timers, timer_of(node));
        } else {
            hr_list_append(&now, node);
            count++;
        }
    }
    /* near is empty: everything in it was due before this tick began. */
    merge_sort(&now, count, &timers->near);
}

hr_usec hr__timers_run(struct hr__timers *timers, hr_usec now)
{
    uint64_t target = tick_of(now);
    hr_usec lag = 0;

    for (;;) {
        while (!hr_list_empty(&timers->near)) {
            struct hr__timer *timer = timer_of(timers->near.next);
            if (timer->deadline > now)
                return lag;
            hr__timer_disarm(timers, timer);
            if (now - timer->deadline > lag)
                lag = now - timer->deadline;
            timer->fire(timer);
        }
        int level;
        uint64_t tick;
        struct hr_list *list = timers->tick < target ? first_slot(timers, &level, &tick) : NULL;
        if (!list || tick > target)
            break;
        enter_slot(timers, list, level, tick);
    }
    if (now == HR_FOREVER) {
        for (struct hr_list *node; (node = hr_list_pop(&timers->never)); timers->count--)
            timer_of(node)->fire(timer_of(node));
    }
    if (timers->tick < target)
        timers->tick = target;
    return lag;
}

hr_usec hr__timers_next(struct hr__timers *timers)
{
    if (!hr_list_empty(&timers->near))
        return timer_of(timers->near.next)->deadline;

    int level;
    uint64_t tick;
    struct hr_list *list = first_slot(timers, &level, &tick);
    if (!list)
        return HR_FOREVER;

    hr_usec earliest = HR_FOREVER;
    int searched = 0;
    hr_list_foreach (node, list) {
        if (++searched > SEARCH_MAX) /* waking up when the slot begins will split it */
            return (hr_usec)(tick << TICK_BITS);
        if (timer_of(node)->deadline < earliest)
            earliest = timer_of(node)->deadline;
    }
    return earliest;
}
