/* SPDX-License-Identifier: MIT */
/*
 * What a loop tells about itself: reports of lost errors, slow slices, numbers.
 */
#include <stdio.h>

#include "core/error_impl.h"
#include "core/loop_impl.h"
#include "core/place.h"

void hr_loop_set_report(hr_loop *loop, hr_report_fn *fn, void *cookie)
{
    loop->report = fn;
    loop->report_cookie = cookie;
}

static void print_report(const struct hr_report *report)
{
    bool named = report->task[0] != '\0';
    fprintf(stderr, "headrace: %s%s%s", named ? report->task : "", named ? ": " : "",
            report->message);
    const char *before = ": ";
    for (const struct hr_error *error = report->error; error; error = error->cause) {
        const char *text = error->message[0] ? error->message : hr_error_text(error->code);
        fprintf(stderr, "%s%s (%s%s%s)", before, text, hr_error_name(error->code),
                error->place ? " at " : "", error->place ? error->place : "");
        before = ", because ";
    }
    fputc('\n', stderr);
}

void hr__report(hr_loop *loop, const char *message, const struct hr_error *error, const char *task)
{
    struct hr_report report = {.message = message, .error = error, .task = task ? task : ""};
    if (loop->report)
        loop->report(&report, loop->report_cookie);
    else
        print_report(&report);
}

void hr__misused(const char *how)
{
    struct hr__task *task = hr__task_running();
    if (task)
        fprintf(stderr, "headrace: task %s: %s\n", hr__task_name(task), how);
    else
        fprintf(stderr, "headrace: %s\n", how);
    abort();
}

static void report_slow(hr_loop *loop, hr_usec took)
{
    char message[96], name[16 + HR__PLACE_MAX], place[HR__PLACE_MAX];
    snprintf(message, sizeof(message), "held the loop up for %lld ms", (long long)(took / 1000));
    if (loop->slice_fn)
        snprintf(name, sizeof(name), "callback %s",
                 hr__place_text(loop->slice_fn, place, sizeof(place)));
    else
        snprintf(name, sizeof(name), "%s", loop->slice_name);
    loop->slow_slices++;
    hr__report(loop, message, NULL, name);
}

void hr__slice_mark(hr_loop *loop, const char *name)
{
    hr_usec now = hr__clock_now(loop);
    if (loop->slice_name[0]) {
        hr_usec took = now - loop->slice_start;
        if (took > loop->longest)
            loop->longest = took;
        if (took > loop->slow_slice)
            report_slow(loop, took);
    }
    loop->slice_start = now;
    loop->slice_fn = NULL;
    snprintf(loop->slice_name, sizeof(loop->slice_name), "%s", name ? name : "");
}

static size_t chain_length(const struct hr__ready *entry)
{
    size_t length = 0;
    for (; entry; entry = entry->next)
        length++;
    return length;
}

void hr_loop_get_stats(hr_loop *loop, struct hr_loop_stats *ret)
{
    *ret = (struct hr_loop_stats){
        .passes = loop->passes,
        .slices = loop->slices,
        .slow_slices = loop->slow_slices,
        .tasks = loop->task_count,
        .timers = loop->timers.count,
        .ready = chain_length(loop->pass) + chain_length(loop->ready.first) +
                 chain_length(loop->held.first),
        .watches = loop->watches,
        .lag = loop->lag,
        .longest = loop->longest,
    };
    loop->longest = 0;
}
