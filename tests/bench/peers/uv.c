/* SPDX-License-Identifier: MIT */
/*
 * libuv: callbacks, not tasks, so it has only the rows that can be had by a callback.
 *
 *   uv ROW COUNT [TIMES] | uv echo PORT
 */
#include <pthread.h>
#include <uv.h>

#include "tests/bench/measure.h"

static uv_loop_t *loop;
static uint64_t count, times, left;

/* --- timers */

struct sleeper {
    uv_timer_t timer;
    uint64_t dice, done;
};

static void woken(uv_timer_t *timer)
{
    struct sleeper *s = timer->data;
    if (++s->done < times)
        uv_timer_start(timer, woken, measure_draw(&s->dice) % 1000, 0);
}

static void row_sleep(void)
{
    struct sleeper *all = malloc(count * sizeof(*all));
    if (!all)
        exit(1);
    for (uint64_t i = 0; i < count; i++) {
        all[i].dice = measure_seed(i);
        all[i].done = 0;
        all[i].timer.data = &all[i];
        uv_timer_init(loop, &all[i].timer);
        uv_timer_start(&all[i].timer, woken, measure_draw(&all[i].dice) % 1000, 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
}

static void row_waitfor(void)
{
    uv_timer_t timer;
    uv_timer_init(loop, &timer);
    for (uint64_t i = 0; i < count; i++) {
        uv_timer_start(&timer, woken, 1000, 0);
        uv_timer_stop(&timer);
    }
}

/* --- its thread pool */

static void no_job(uv_work_t *work) {}

static void again(uv_work_t *work, int status)
{
    if (--left > 0)
        uv_queue_work(loop, work, no_job, again);
}

static void row_executor(void)
{
    uv_work_t work;
    left = count;
    uv_queue_work(loop, &work, no_job, again);
    uv_run(loop, UV_RUN_DEFAULT);
}

static void counted(uv_work_t *work, int status)
{
    left--;
}

static void row_executor_batch(void)
{
    uv_work_t *all = malloc(count * sizeof(*all));
    if (!all)
        exit(1);
    left = count;
    for (uint64_t i = 0; i < count; i++)
        uv_queue_work(loop, &all[i], no_job, counted);
    uv_run(loop, UV_RUN_DEFAULT);
    free(all);
    if (left > 0)
        exit(1);
}

/* --- calls from another thread: the loop answers each before the next is made */

static uv_async_t async;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static uint64_t asked, answers;

static void answer(uv_async_t *handle)
{
    pthread_mutex_lock(&lock);
    answers = asked;
    pthread_cond_signal(&answered);
    pthread_mutex_unlock(&lock);
    if (answers == count)
        uv_close((uv_handle_t *)handle, NULL);
}

static void *ask(void *arg)
{
    pthread_mutex_lock(&lock);
    while (asked < count) {
        asked++;
        uv_async_send(&async);
        while (answers < asked)
            pthread_cond_wait(&answered, &lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void row_submit(void)
{
    pthread_t thread;
    uv_async_init(loop, &async, answer);
    if (pthread_create(&thread, NULL, ask, NULL) != 0)
        exit(1);
    uv_run(loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
}

/* --- echo */

static char shared[256 * 1024];

struct rest {
    uv_write_t write;
    char data[];
};

static void closed(uv_handle_t *handle)
{
    free(handle);
}

static void lend(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    *buffer = uv_buf_init(shared, sizeof(shared));
}

static void written(uv_write_t *write, int status)
{
    free(write);
}

static void readable(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    uv_buf_t out = uv_buf_init(shared, got > 0 ? (unsigned)got : 0);
    int sent = got > 0 ? uv_try_write(stream, &out, 1) : 0;
    if (got < 0 || (sent < 0 && sent != UV_EAGAIN)) {
        uv_close((uv_handle_t *)stream, closed);
        return;
    }
    size_t gone = sent < 0 ? 0 : (size_t)sent, len = (size_t)got - gone;
    struct rest *rest = len > 0 ? malloc(sizeof(*rest) + len) : NULL;
    if (!rest)
        return;
    memcpy(rest->data, shared + gone, len);
    out = uv_buf_init(rest->data, (unsigned)len);
    uv_write(&rest->write, stream, &out, 1, written);
}

static void accepted(uv_stream_t *listener, int status)
{
    uv_tcp_t *client = malloc(sizeof(*client));
    if (!client)
        exit(1);
    uv_tcp_init(loop, client);
    if (uv_accept(listener, (uv_stream_t *)client) < 0)
        exit(1);
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, lend, readable);
}

static int serve(int port)
{
    static uv_tcp_t listener;
    struct sockaddr_in here;
    uv_ip4_addr("127.0.0.1", port, &here);
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&here, 0) < 0 ||
        uv_listen((uv_stream_t *)&listener, 128, accepted) < 0)
        return 1;
    return uv_run(loop, UV_RUN_DEFAULT);
}

static const struct row {
    const char *name;
    void (*run)(void);
} rows[] = {
    {"waitfor",        row_waitfor       },
    {"sleep100k",      row_sleep         },
    {"sleep1m",        row_sleep         },
    {"executor",       row_executor      },
    {"executor_batch", row_executor_batch},
    {"submit",         row_submit        },
};

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    loop = uv_default_loop();
    if (strcmp(argv[1], "echo") == 0)
        return serve((int)strtol(argv[2], NULL, 10));
    count = strtoull(argv[2], NULL, 10);
    times = argc > 3 ? strtoull(argv[3], NULL, 10) : strcmp(argv[1], "sleep100k") == 0 ? 10 : 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(rows[i].name, argv[1]) != 0)
            continue;
        struct measure begun = measure_begin();
        rows[i].run();
        measure_end(&begun, argv[1], count);
        return 0;
    }
    return 2;
}
