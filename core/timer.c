/* SPDX-License-Identifier: MIT */
/*
 * How it works: the first level has a slot for each microsecond of the wheel's present millisecond
 * (of 1,024 µs), the second one for each of the 1,024 milliseconds from now on. What lies further
 * ahead stands on levels of 64 slots, the third of 1,024 ms each, the next 64 times as wide: the
 * highest bits in which a deadline differs from the wheel's own moment name the level, and its bits
 * there name the slot. When the wheel moves into a slot, its timers are placed anew, one level or
 * more further down. So what sleeps for less than a second moves once.
 *
 * Order needs neither sorting nor sequence numbers. A slot of the first level holds one deadline,
 * and moves keep the order of a list. Of two timers of one deadline the earlier stands on the
 * higher level, if they are not in the same slot; its slot is entered first, and what is moved goes
 * in front of what is there. Only what is armed for the past stands in `near`, which is sorted.
 *
 * With a hundred thousand sleepers every touch of one is a cache miss, and in a list each waits for
 * the one before. So they are sent for beforehand, several at a time: a slot knows the timers that
 * came last, and each timer one that came some places before it. That is a hint and nothing else
 * (it may have been disarmed, and its memory be something else by now), and slots are therefore
 * emptied backwards. New timers stand in a short list until there are several, so that the ends of
 * their slots are sent for together.
 */
#include "core/timer.h"

#define WIDE_BITS    10 /* the first two levels */
#define NARROW_BITS  6
#define WIDE_SLOTS   (1u << WIDE_BITS)
#define NARROW_SLOTS (1u << NARROW_BITS)
#define LEVELS       10

/* Programming a timer and waking up costs 2 to 20 µs, the more in virtual machines; the kernel's
 * own slack is 50 µs. So this many deadlines are waited for together when they stand in so short a
 * span, and a crowd, as dense, when it stands in what is left of the wheel's millisecond. */
#define TOGETHER      4
#define TOGETHER_SPAN 256
#define CROWD         16

#define AT_ONCE 16 /* timers sent for beforehand */

void hr__timers_init(struct hr__timers *timers, hr_usec now)
{
    timers->now = timers->quiet = now;
    timers->bound = HR_FOREVER;
    timers->count = timers->new_count = 0;
    hr_list_init(&timers->fresh);
    hr_list_init(&timers->near);
    hr_list_init(&timers->never);
    for (size_t i = 0; i < HR_ARRAY_LEN(timers->used); i++)
        timers->used[i] = 0;
}

static struct hr__timer *timer_of(struct hr_list *node)
{
    return hr_list_entry(node, struct hr__timer, link);
}

/* Where a level begins: its first slot, and the bits of a moment below it. */
static unsigned level_slot(int level)
{
    return level < 2 ? (unsigned)level * WIDE_SLOTS
                     : 2 * WIDE_SLOTS + (unsigned)(level - 2) * NARROW_SLOTS;
}

static int level_shift(int level)
{
    return level < 2 ? level * WIDE_BITS : 2 * WIDE_BITS + (level - 2) * NARROW_BITS;
}

/* The slot of a deadline that lies ahead: those of the first level come first. */
static unsigned slot_for(const struct hr__timers *timers, hr_usec deadline)
{
    uint64_t moment = (uint64_t)deadline, now = (uint64_t)timers->now;
    if ((moment >> WIDE_BITS) == (now >> WIDE_BITS))
        return moment % WIDE_SLOTS;
    if ((moment >> WIDE_BITS) - (now >> WIDE_BITS) < WIDE_SLOTS)
        return WIDE_SLOTS + (moment >> WIDE_BITS) % WIDE_SLOTS;
    int bit = 63 - __builtin_clzll(moment ^ now);
    int level = 2 + (bit - 2 * WIDE_BITS) / NARROW_BITS;
    return level_slot(level) + (moment >> level_shift(level)) % NARROW_SLOTS;
}

static struct hr_list *list_of(struct hr__timers *timers, unsigned slot)
{
    return slot < WIDE_SLOTS ? &timers->ticks[slot] : &timers->slots[slot - WIDE_SLOTS].timers;
}

static bool is_used(const struct hr__timers *timers, unsigned slot)
{
    return timers->used[slot / 64] >> slot % 64 & 1;
}

/* The list of a slot that is about to be used. */
static struct hr_list *open_slot(struct hr__timers *timers, unsigned slot)
{
    struct hr_list *list = list_of(timers, slot);
    if (!is_used(timers, slot)) {
        timers->used[slot / 64] |= UINT64_C(1) << slot % 64;
        hr_list_init(list);
        if (slot >= WIDE_SLOTS)
            timers->slots[slot - WIDE_SLOTS] = (struct hr__slot){
                .timers = {list, list},
                  .earliest = HR_FOREVER
            };
    }
    return list;
}

static void note_deadline(struct hr__timers *timers, unsigned slot, hr_usec deadline)
{
    if (slot >= WIDE_SLOTS && deadline < timers->slots[slot - WIDE_SLOTS].earliest)
        timers->slots[slot - WIDE_SLOTS].earliest = deadline;
}

/* Remembers the timer as the slot's latest, and in the timer whom to send for when its turn comes.
 */
static void leave_hint(struct hr__slot *slot, struct hr__timer *timer)
{
    size_t last = HR_ARRAY_LEN(slot->latest) - 1;
    timer->hint = slot->latest[0];
    for (size_t i = 0; i < last; i++)
        slot->latest[i] = slot->latest[i + 1];
    slot->latest[last] = timer;
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
    } else if (timer->deadline <= timers->now) {
        insert_near(timers, timer);
    } else {
        unsigned slot = slot_for(timers, timer->deadline);
        if (timer->deadline < timers->quiet)
            timers->quiet = timers->now;
        if (timer->deadline < timers->bound)
            timers->bound = timer->deadline;
        hr_list_append(open_slot(timers, slot), &timer->link);
        note_deadline(timers, slot, timer->deadline);
        if (slot >= WIDE_SLOTS)
            leave_hint(&timers->slots[slot - WIDE_SLOTS], timer);
    }
}

/* Places what was armed since the last time. */
static void place_fresh(struct hr__timers *timers)
{
    hr_list_foreach (node, &timers->fresh) {
        hr_usec deadline = timer_of(node)->deadline;
        if (deadline > timers->now && deadline != HR_FOREVER) {
            unsigned slot = slot_for(timers, deadline);
            if (is_used(timers, slot))
                __builtin_prefetch(list_of(timers, slot)->prev, 1);
        }
    }
    for (struct hr_list *node; (node = hr_list_pop(&timers->fresh));)
        place(timers, timer_of(node));
    timers->new_count = 0;
}

void hr__timer_arm(struct hr__timers *timers, struct hr__timer *timer, hr_usec deadline)
{
    timer->deadline = deadline;
    timers->count++;
    hr_list_append(&timers->fresh, &timer->link);
    if (++timers->new_count == AT_ONCE)
        place_fresh(timers);
}

/* The first used slot of a level, and the moment at which it begins; < 0: all are empty. Slots come
 * in a ring, and the wheel stands at one of them. */
static int first_on_level(struct hr__timers *timers, int level, hr_usec *ret_begin)
{
    unsigned first = level_slot(level), count = level < 2 ? WIDE_SLOTS : NARROW_SLOTS;
    uint64_t here = (uint64_t)timers->now >> level_shift(level);
    unsigned from = here & (count - 1), words = count / 64;
    uint64_t before = (UINT64_C(1) << from % 64) - 1; /* in its word, looked at last */

    for (unsigned i = 0; i <= words; i++) {
        unsigned word = first / 64 + ((from / 64 + i) & (words - 1));
        uint64_t bits = timers->used[word] & (i == 0       ? ~before
                                              : i == words ? before
                                                           : ~UINT64_C(0));
        for (; bits; bits &= bits - 1) {
            unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (!hr_list_empty(list_of(timers, slot))) {
                *ret_begin =
                    (hr_usec)((here + ((slot - first - from) & (count - 1))) << level_shift(level));
                return (int)slot;
            }
            timers->used[word] &= ~(UINT64_C(1) << slot % 64); /* its timers were disarmed */
        }
    }
    return -1;
}

/* The slot that the wheel comes to first, and the moment at which it begins; < 0: all are empty. Of
 * those that begin together the widest: what stands there belongs in front. Of the first level all
 * begin before those of the others. */
static int first_slot(struct hr__timers *timers, hr_usec *ret_begin)
{
    int first = first_on_level(timers, 0, ret_begin);
    for (int level = 1; (first < 0 || (unsigned)first >= WIDE_SLOTS) && level < LEVELS; level++) {
        hr_usec begin;
        int slot = first_on_level(timers, level, &begin);
        if (slot >= 0 && (first < 0 || begin <= *ret_begin)) {
            first = slot;
            *ret_begin = begin;
        }
    }
    return first;
}

/* Two cache lines: what a timer is armed for stands beside it. */
static void send_for(const void *place)
{
    __builtin_prefetch(place, 1);
    __builtin_prefetch((const void *)((uintptr_t)place + 64), 1);
}

/* Places the timers of a slot anew, those that came last first; each in front of what is there. */
static void split_slot(struct hr__timers *timers, unsigned slot)
{
    struct hr__slot *upper = &timers->slots[slot - WIDE_SLOTS];
    for (size_t i = HR_ARRAY_LEN(upper->latest); i-- > 0;)
        send_for(upper->latest[i]);
    for (struct hr_list *node = upper->timers.prev, *before; node != &upper->timers;
         node = before) {
        struct hr__timer *timer = timer_of(node);
        before = node->prev;
        send_for(timer->hint);
        unsigned below = slot_for(timers, timer->deadline);
        if (below < WIDE_SLOTS && slot >= 2 * WIDE_SLOTS) /* to where its equals are */
            below = WIDE_SLOTS + (unsigned)(timers->now >> WIDE_BITS) % WIDE_SLOTS;
        hr_list_prepend(open_slot(timers, below), node);
        note_deadline(timers, below, timer->deadline);
    }
}

/* Moves the wheel into a slot. */
static void enter_slot(struct hr__timers *timers, unsigned slot, hr_usec begin)
{
    timers->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    timers->now = begin;
    if (slot < WIDE_SLOTS) /* what is in near is due before these */
        hr_list_splice(&timers->near, &timers->ticks[slot]);
    else
        split_slot(timers, slot);
}

/* Brings some of what is due into near. */
static void turn(struct hr__timers *timers, hr_usec now)
{
    for (int ticks = 0; ticks < AT_ONCE;) {
        hr_usec begin = HR_FOREVER;
        int slot = first_slot(timers, &begin);
        if (slot < 0 || begin > now) {
            timers->quiet = begin;
            break;
        }
        enter_slot(timers, (unsigned)slot, begin);
        ticks += (unsigned)slot < WIDE_SLOTS;
    }
}

/* Fires some of near. */
static void fire(struct hr__timers *timers, hr_usec now, hr_usec *lag)
{
    struct hr_list *node = timers->near.next;
    for (int i = 0; i < AT_ONCE && node != &timers->near; i++, node = node->next)
        send_for(timer_of(node)->ahead);
    for (int i = 0; i < AT_ONCE && !hr_list_empty(&timers->near); i++) {
        struct hr__timer *timer = timer_of(timers->near.next);
        hr__timer_disarm(timers, timer);
        if (now - timer->deadline > *lag)
            *lag = now - timer->deadline;
        timer->fire(timer);
    }
}

hr_usec hr__timers_run(struct hr__timers *timers, hr_usec now)
{
    hr_usec lag = 0;

    for (;;) {
        place_fresh(timers);
        if (hr_list_empty(&timers->near) && now >= timers->quiet)
            turn(timers, now);
        if (hr_list_empty(&timers->near))
            break;
        fire(timers, now, &lag);
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
    place_fresh(timers);
    if (!hr_list_empty(&timers->near))
        return timer_of(timers->near.next)->deadline;

    hr_usec earliest = HR_FOREVER, begin;
    if (first_on_level(timers, 0, &begin) >= 0)
        return begin;
    for (int level = 1; level < LEVELS; level++) {
        int slot = first_on_level(timers, level, &begin);
        if (slot >= 0 && timers->slots[slot - WIDE_SLOTS].earliest < earliest)
            earliest = timers->slots[slot - WIDE_SLOTS].earliest;
    }
    return earliest;
}

hr_usec hr__timers_wake(struct hr__timers *timers)
{
    hr_usec begin = timers->now - timers->now % WIDE_SLOTS; /* of what the first level covers */
    place_fresh(timers);
    if (hr_list_empty(&timers->near) && timers->bound >= begin + WIDE_SLOTS)
        return timers->bound; /* to wake up once for a timer that was disarmed costs less */
    hr_usec next = hr__timers_next(timers);
    timers->bound = next;
    if (next <= timers->now || next >= begin + WIDE_SLOTS)
        return next;
    unsigned first = (unsigned)(next - begin) / 64;
    int together = 0, crowd = 0;
    for (unsigned word = first; word < WIDE_SLOTS / 64; word++) {
        crowd += __builtin_popcountll(timers->used[word]);
        if (word < first + TOGETHER_SPAN / 64)
            together = crowd;
    }
    if (crowd >= CROWD)
        return begin + WIDE_SLOTS;
    return together < TOGETHER ? next : next + TOGETHER_SPAN;
}
