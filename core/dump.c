/* SPDX-License-Identifier: MIT */
/*
 * Where does every task wait.
 */
#include "core/dump.h"

#include "core/park.h"
#include "core/place.h"

static void dump_task(struct hr__task *task, FILE *to)
{
    hr_loop *loop = task->future.loop;
    const char *state = "waits for", *what = hr__task_waits_for(task), *whom = "";
    if (loop->current == task) {
        state = "runs";
        what = "";
    } else if (hr__ready_queued(&task->ready)) {
        state = "is ready, waited for";
    }
    if (task->parked && task->parked->future && task->parked->future->is_task) {
        what = "task ";
        whom = hr__task_name(hr__task(task->parked->future));
    }
    hr_usec span = loop->now - task->since;
    fprintf(to, "%-23s %s%s%s%s, since %lld.%03d s, stack %zu KiB", hr__task_name(task), state,
            what[0] ? " " : "", what, whom, (long long)(span / 1000000), (int)(span / 1000 % 1000),
            hr_task_stack_used(&task->future) / 1024);
    char place[HR__PLACE_MAX]; /* of the call itself, which lies before what it returns to */
    fprintf(to, ", made at %s", hr__place_text((const char *)task->site - 1, place, sizeof(place)));
    if (task->cancelling > 0)
        fprintf(to, ", %u times asked to end", task->cancelling);
    fputc('\n', to);
}

void hr_dump_tasks(hr_loop *loop, FILE *to)
{
    loop = loop ? loop : hr__loop_running;
    if (!loop)
        return;
    hr_list_foreach (node, &loop->tasks)
        dump_task(hr_list_entry(node, struct hr__task, all), to);
}
