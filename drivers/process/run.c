/* SPDX-License-Identifier: MIT */
/*
 * A program from beginning to end: tasks feed it and take what it says at the same time, so that
 * neither side waits for the other for ever.
 */
#include <errno.h>

#include "core/buf.h"
#include "core/group.h"
#include "core/timeout.h"
#include "drivers/process/impl.h"

#define PIECE ((size_t)64 * 1024)

struct run {
    const struct hr_process_options *options;
    hr_process *process;
    struct hr_task_group group;
    struct output {
        struct run *run;
        int stream;
        struct hr_buf buf;
    } outputs[2];
    struct hr_error error; /* why it was ended early, the first reason */
    struct hr_child_exit exit;
};

static int note(struct run *run, int code)
{
    if (code < 0 && code != -ECANCELED && run->error.code == 0)
        hr_error_copy(&run->error, hr_last_error());
    return code;
}

static int feed(void *arg)
{
    struct run *run = arg;
    int r = hr_process_write(run->process, run->options->input, run->options->input_size);
    if (r == -EPIPE) /* it has read what it wanted */
        r = 0;
    if (r == 0)
        hr_process_close_input(run->process);
    return note(run, r);
}

static int drain(void *arg)
{
    struct output *output = arg;
    char *room;
    for (;;) {
        int r = hr_buf_reserve(&output->buf, PIECE, &room);
        if (r < 0)
            return note(output->run, hr_fail(r, "no memory for what a program says"));
        ssize_t n = hr_process_read(output->run->process, output->stream, room, PIECE);
        if (n <= 0)
            return note(output->run, (int)n);
        hr_buf_commit(&output->buf, (size_t)n);
        if (hr_buf_size(&output->buf) > output->run->options->max_output)
            return note(output->run,
                        hr_fail(-EMSGSIZE, "%s said more than %zu bytes",
                                output->run->options->argv[0], output->run->options->max_output));
    }
}

/* Starts who feeds and drains, and waits for the program; they end with it. */
static int attend(struct run *run)
{
    bool ok = true;
    if (run->options->input)
        ok = hr_task_group_spawn(&run->group, "feed", feed, run);
    else
        hr_process_close_input(run->process); /* nobody else has its other end */
    for (int i = 0; i < 2 && ok; i++) {
        if (run->options->streams[i + 1].kind == HR_CHILD_PIPE)
            ok = hr_task_group_spawn(&run->group, "drain", drain, &run->outputs[i]);
    }
    return ok ? hr_process_wait(run->process, &run->exit) : hr_last_error()->code;
}

static int attend_within_limit(struct run *run)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, run->options->limit > 0 ? run->options->limit : HR_FOREVER);
    if (r < 0)
        return r;
    r = hr_task_group_enter(&run->group);
    if (r == 0)
        r = hr_task_group_leave(&run->group, attend(run));
    return hr_timeout_leave(&limit, r);
}

/* Nobody comes back from SIGKILL: that wait is short, and a cancel can wait as well. */
static void put_down(struct run *run)
{
    hr__process_kill_all(run->process);
    hr_shield_enter();
    int r = hr_process_wait(run->process, NULL);
    hr_shield_leave();
    (void)r; /* how it ended is nobody's question any more */
}

static int take_output(struct output *output, bool piped, char **ret, size_t *ret_size)
{
    *ret = piped ? hr_buf_take(&output->buf, ret_size) : NULL;
    return *ret || !piped ? 0 : hr_fail(-ENOMEM, "no memory for what a program said");
}

static int finish(struct run *run, int r, struct hr_process_output *ret)
{
    const struct hr_child_stream *streams = run->options->streams;
    struct hr_process_output said = {.exit = run->exit};
    if (r == -ETIMEDOUT && hr_process_stop(run->process, NULL) == -ECANCELED)
        r = -ECANCELED;
    if (r < 0)
        put_down(run);
    if (r == -ETIMEDOUT)
        hr_fail(r, "%s was not done in %.1f s", run->options->argv[0],
                hr_in_seconds(run->options->limit));
    if (r == HR_EGROUP && run->error.code < 0)
        r = hr_error_raise(&run->error);
    if (r == 0)
        r = take_output(&run->outputs[0], streams[1].kind == HR_CHILD_PIPE, &said.out,
                        &said.out_size);
    if (r == 0)
        r = take_output(&run->outputs[1], streams[2].kind == HR_CHILD_PIPE, &said.err,
                        &said.err_size);
    if (r < 0)
        hr_process_output_done(&said);
    else
        *ret = said;
    return r;
}

int(hr_process_run)(const struct hr_process_options *options, struct hr_process_output *ret)
{
    struct hr_process_options own = options ? *options : (struct hr_process_options){0};
    if (own.input)
        own.streams[0] = (struct hr_child_stream){HR_CHILD_PIPE, 0};
    for (int i = 1; i < 3; i++) {
        if (own.streams[i].kind == HR_CHILD_INHERIT)
            own.streams[i].kind = HR_CHILD_PIPE;
    }
    own.max_output = own.max_output ? own.max_output : (size_t)16 << 20;
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "only a task can wait");
    hr_auto(hr_process_freep) hr_process *process = hr_process_start(&own);
    if (!process)
        return hr_last_error()->code;
    struct run run = {.options = &own, .process = process};
    for (int i = 0; i < 2; i++) {
        run.outputs[i] = (struct output){.run = &run, .stream = i + 1};
        hr_buf_init(&run.outputs[i].buf, SIZE_MAX);
    }
    int r = finish(&run, attend_within_limit(&run), ret);
    for (int i = 0; i < 2; i++)
        hr_buf_done(&run.outputs[i].buf);
    hr_error_done(&run.error);
    return r;
}

void hr_process_output_done(struct hr_process_output *output)
{
    free(output->out);
    free(output->err);
    output->out = output->err = NULL;
    output->out_size = output->err_size = 0;
}
