/* SPDX-License-Identifier: MIT */
/*
 * The loop is made and freed by the owner, and run and closed by the thread in between.
 */
#include "core/loop_thread.h"

#include <stdio.h>
#include <time.h>

#include "core/loop_impl.h"
#include "core/thread.h"

struct hr_loop_thread {
    hr_loop *loop;
    pthread_t thread;
    char name[16];
};

static void *thread_main(void *arg)
{
    hr_loop_thread *self = arg;
    pthread_setname_np(pthread_self(), self->name);
    while (hr_loop_run_forever(self->loop) == HR_EFATAL)
        ; /* one task's end is not the thread's */
    hr_loop_close(self->loop);
    return NULL;
}

static int start(hr_loop_thread *self)
{
    int r = hr__thread_start(&self->thread, thread_main, self);
    return r < 0 ? hr_fail(r, "no thread for a loop: %s", hr_error_text(r)) : 0;
}

hr_loop_thread *hr_loop_thread_new(const char *name, const struct hr_loop_options *options)
{
    hr_loop_thread *self = calloc(1, sizeof(*self));
    if (!self) {
        hr_fail(-ENOMEM, "no memory for a loop's thread");
        return NULL;
    }
    snprintf(self->name, sizeof(self->name), "%s", name ? name : "loop");
    self->loop = hr_loop_new(options);
    if (self->loop) {
        self->loop->threaded = true;
        if (start(self) == 0)
            return self;
    }
    hr_loop_free(self->loop);
    free(self);
    return NULL;
}

hr_loop *hr_loop_thread_loop(hr_loop_thread *self)
{
    return self->loop;
}

static void stop(void *loop)
{
    hr_loop_stop(loop);
}

hr_loop_thread *hr_loop_thread_free(hr_loop_thread *self)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    if (!self || !hr__is_here(self->loop->home)) /* the thread is our parent's */
        return NULL;
    while (hr_call_soon_threadsafe(self->loop, stop, self->loop) == -ENOMEM)
        nanosleep(&moment, NULL); /* there is no other way in */
    pthread_join(self->thread, NULL);
    hr_loop_free(self->loop);
    free(self);
    return NULL;
}

void hr_loop_thread_freep(hr_loop_thread **thread)
{
    *thread = hr_loop_thread_free(*thread);
}
