/* SPDX-License-Identifier: MIT */
/*
 * Programs as streams, and programs that are kept at work; docs/programs.md quotes from here.
 *
 *     cc programs_tour.c $(pkg-config --cflags --libs headrace-clients) -o programs_tour
 */
#include <core/headrace.h>
#include <drivers/process.h>
#include <drivers/worker_pool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a program says is read as it comes; leaving the scope ends it with all that it started. */
static int follow(void)
{
    hr_auto(hr_process_freep) hr_process *shell = hr_process_start(&(struct hr_process_options){
        .argv = (const char *const[]){"sh", "-c", "echo one; echo two; sleep 60 & wait", NULL},
        .streams[1].kind = HR_CHILD_PIPE,
    });
    if (!shell)
        return hr_last_error()->code;
    int r = 1;
    for (int lines = 0; r > 0 && lines < 2; lines++) {
        const char *line;
        r = hr_process_read_line(shell, 1, &line, NULL);
        if (r > 0)
            printf("it says %s\n", line);
    }
    struct hr_child_exit end;
    char how[64];
    if (r >= 0)
        r = hr_process_stop(shell, &end);
    if (r >= 0)
        printf("it %s\n", hr_child_exit_text(&end, how, sizeof(how)));
    return r;
}

/* Says the length of each line; "crash" is too much for it. */
static const char *const lengths[] = {
    "sh", "-c", "while read -r l; do [ $l = crash ] && exit 3; echo ${#l}; done", NULL};

struct question {
    hr_worker_pool *pool;
    const char *line;
    char answer[HR_ERROR_MESSAGE_MAX];
};

static int ask(void *arg)
{
    struct question *q = arg;
    char *answer;
    int r = hr_worker_pool_ask(q->pool, q->line, strlen(q->line), &answer, NULL);
    if (r < 0) {
        snprintf(q->answer, sizeof(q->answer), "%s", hr_last_error()->message);
        return 0;
    }
    snprintf(q->answer, sizeof(q->answer), "%s", answer);
    free(answer);
    return 0;
}

/* Two workers, three questions: a worker that dies takes its own question with it and no other. */
static int keep_at_work(void)
{
    hr_auto(hr_worker_pool_freep) hr_worker_pool *pool =
        hr_worker_pool_new(&(struct hr_worker_pool_options){.argv = lengths, .workers = 2});
    if (!pool)
        return hr_last_error()->code;
    struct question questions[] = {
        {pool, "one",   ""},
        {pool, "crash", ""},
        {pool, "three", ""}
    };
    hr_auto(hr_futures_done) struct hr_futures asks = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&asks, hr_create_task(NULL, ask, &questions[i]));
    int r = hr_gather(&asks, HR_CANCEL_REST);
    for (int i = 0; i < 3 && r >= 0; i++)
        printf("%s: %s\n", questions[i].line, questions[i].answer);
    return r < 0 ? r : hr_worker_pool_close(pool);
}

static int tour(void *arg)
{
    (void)arg;
    int r = follow();
    return r < 0 ? r : keep_at_work();
}

int main(void)
{
    int r = hr_run(tour, NULL);
    if (r < 0)
        fprintf(stderr, "programs_tour: %s\n", hr_error_message(r));
    return r < 0;
}
