/* SPDX-License-Identifier: MIT */
/*
 * How it works: a loop on a virtual clock looks around before every pass. There its world is asked
 * what is ready, and the pass is cut down to one slice of the task that the world picks; the rest
 * waits in a queue of its own until the next look. So nothing of this is on the way of a loop that
 * has no table.
 */
#include "core/world.h"

#include <errno.h>
#include <sys/random.h>

#include "core/loop_impl.h"

uint64_t hr_random(void)
{
    struct hr_world *world = hr__loop_running ? hr__loop_running->world : NULL;
    if (world && world->random)
        return world->random(world);
    uint64_t bits;
    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits))
        bits = (uint64_t)hr_clock_monotonic()->now(NULL) * UINT64_C(0x9e3779b97f4a7c15);
    return bits;
}

bool hr__world_owns(const hr_loop *loop, int fd)
{
    struct hr_world *world = loop->world;
    return hr_unlikely(world) && world->ready && world->ready(world, fd, 0) >= 0;
}

void hr__world_look(hr_loop *loop)
{
    struct hr_world *world = loop->world;
    if (world->look)
        world->look(world);
    struct hr_list asked;
    hr_list_init(&asked);
    hr_list_splice(&asked, &loop->faked);
    for (struct hr_list *node; (node = hr_list_pop(&asked));) {
        struct hr__fake *fake = hr_list_entry(node, struct hr__fake, link);
        hr_list_append(&loop->faked, node);
        if (world->ready(world, fake->fd, fake->direction) > 0)
            fake->fired(fake);
    }
}

void hr__world_gather(hr_loop *loop)
{
    hr__ready_splice(&loop->held, &loop->ready);
    hr__ready_splice(&loop->ready, &loop->held);
}

/* The link to the index-th task of the queue; NULL: it has not so many. */
static struct hr__ready **find_task(struct hr__ready_queue *queue, size_t index)
{
    for (struct hr__ready **link = &queue->first; *link; link = &(*link)->next) {
        if ((*link)->run == hr__task_run && index-- == 0)
            return link;
    }
    return NULL;
}

static size_t count_tasks(const struct hr__ready_queue *queue)
{
    size_t count = 0;
    for (const struct hr__ready *entry = queue->first; entry; entry = entry->next)
        count += entry->run == hr__task_run;
    return count;
}

void hr__world_cut(hr_loop *loop)
{
    struct hr_world *world = loop->world;
    size_t count = world->pick || world->resume ? count_tasks(&loop->ready) : 0;
    if (count == 0)
        return;
    size_t index = world->pick ? world->pick(world, count) : 0;
    hr_assert(index < count);
    if (world->resume) {
        struct hr__ready *next = *find_task(&loop->ready, index);
        world->resume(world, &hr_container_of(next, struct hr__task, ready)->future);
    }

    struct hr__ready **link = find_task(&loop->ready, index); /* resume() may have queued more */
    struct hr__ready *chosen = *link;
    struct hr__ready **first = find_task(&loop->ready, 0);
    *link = chosen->next;
    if (!*link)
        loop->ready.end = link;
    if (*first)
        loop->held = (struct hr__ready_queue){*first, loop->ready.end};
    *first = NULL;
    loop->ready.end = first;
    hr__ready_append(&loop->ready, chosen);
}
