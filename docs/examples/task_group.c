/* SPDX-License-Identifier: MIT */
/*
 * Tasks that live and die together: one fails, the rest is cancelled, and the error tells of it.
 */
#include <core/headrace.h>
#include <stdio.h>

struct child {
    const char *name;
    int seconds;
    bool fails;
};

static int child(void *arg)
{
    struct child *child = arg;
    int r = hr_sleep(hr_seconds(child->seconds));
    if (r == -ECANCELED)
        printf("%s is cancelled\n", child->name);
    if (r < 0)
        return r;
    if (child->fails)
        return hr_fail(-EIO, "%s has no more paper", child->name);
    printf("%s is done\n", child->name);
    return 0;
}

static int run(void *arg)
{
    struct child children[] = {
        {"A", 1, false},
        {"B", 2, true },
        {"C", 3, false},
    };
    struct hr_task_group group = {0};
    int r = hr_task_group_enter(&group);
    for (int i = 0; i < 3 && r >= 0; i++)
        if (!hr_task_group_spawn(&group, children[i].name, child, &children[i]))
            r = hr_last_error()->code;
    r = hr_task_group_leave(&group, r);

    if (r != HR_EGROUP)
        return r;
    for (const struct hr_error *e = hr_last_error()->members; e; e = e->next)
        printf("failed: %s\n", e->message);
    return 0;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "task_group: %s\n", hr_error_message(r));
    return r < 0;
}
