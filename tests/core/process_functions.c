/* SPDX-License-Identifier: MIT */
/*
 * What the workers of this test program do. It is its own worker: main() is hrtest.c's.
 */
#include "tests/core/process_functions.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/process_impl.h"

static int upper(const void *in, size_t size, struct hr_buf *out)
{
    const char *text = in;
    for (size_t i = 0; i < size; i++) {
        char c = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
        int r = hr_buf_append(out, &c, 1);
        if (r < 0)
            return r;
    }
    return (int)(size % 100);
}

static int echo(const void *in, size_t size, struct hr_buf *out)
{
    return hr_buf_append(out, in, size);
}

static int refuse(const void *in, size_t size, struct hr_buf *out)
{
    return hr_fail_native(-EDOM, 1213, "40001", "DEADLOCK", true, "no %.*s", (int)size,
                          (const char *)in);
}

/* Says nothing of why. */
static int fail_silently(const void *in, size_t size, struct hr_buf *out)
{
    return -EDOM;
}

int written_by_parent;

static int read_memory(const void *in, size_t size, struct hr_buf *out)
{
    return written_by_parent;
}

/* Its number and its group's. */
static int who(const void *in, size_t size, struct hr_buf *out)
{
    return hr_buf_printf(out, "%d %d", (int)getpid(), (int)getpgrp());
}

static int die(const void *in, size_t size, struct hr_buf *out)
{
    signal(SIGSEGV, SIG_DFL);
    return raise(*(const int *)in);
}

static int leave(const void *in, size_t size, struct hr_buf *out)
{
    _exit(3);
}

static int hang_up(const void *in, size_t size, struct hr_buf *out)
{
    close(3);
    return 0;
}

static int talk_nonsense(const void *in, size_t size, struct hr_buf *out)
{
    char nonsense[512] = "nonsense";
    return write(3, nonsense, sizeof(nonsense)) < 0 ? -errno : 0;
}

static int promise_too_much(const void *in, size_t size, struct hr_buf *out)
{
    struct hr__answer answer = {.magic = HR__FRAME_MAGIC, .size = (uint64_t)1 << 40};
    return write(3, &answer, sizeof(answer)) < 0 ? -errno : 0;
}

static int print(const void *in, size_t size, struct hr_buf *out)
{
    printf("%.*s\n", (int)size, (const char *)in);
    fprintf(stderr, "%s", "");
    fflush(stdout);
    return getchar() == EOF ? 0 : -EIO; /* nothing to read there */
}

/* Makes a file with its number to say that it has begun, and stays until the one that it was given
 * is removed. */
static int stay(const void *in, size_t size, struct hr_buf *out)
{
    char half[128], whole[128];
    snprintf(half, sizeof(half), "%s.half", (const char *)in);
    snprintf(whole, sizeof(whole), "%s.began", (const char *)in);
    FILE *file = fopen(half, "we");
    if (!file)
        return -errno;
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    rename(half, whole);
    while (access(in, F_OK) == 0)
        usleep(500);
    return 0;
}

/* Dies and leaves a process behind that stays for the door, and holds all its descriptors. */
static int leave_behind(const char *in, size_t size, bool in_group)
{
    if (fork() == 0) {
        if (!in_group)
            setsid();
        _exit(-stay(in, size, NULL));
    }
    char whole[128];
    snprintf(whole, sizeof(whole), "%s.began", in);
    while (access(whole, F_OK) < 0)
        usleep(500);
    return raise(SIGKILL);
}

static int die_in_company(const void *in, size_t size, struct hr_buf *out)
{
    return leave_behind(in, size, true);
}

static int die_in_distant_company(const void *in, size_t size, struct hr_buf *out)
{
    return leave_behind(in, size, false);
}

/* How many are open here; and in tens, how many a program run from here would find. */
static int descriptors(const void *in, size_t size, struct hr_buf *out)
{
    int n = 0;
    for (int fd = 0; fd < 100; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0)
            n += flags & FD_CLOEXEC ? 1 : 11;
    }
    return n;
}

/* A pool in a worker: its job goes on when the group of its parent is interrupted. */
static int interrupt_group(const void *in, size_t size, struct hr_buf *out)
{
    hr_process_pool *pool = hr_process_pool_new(&(struct hr_process_pool_options){.workers = 1});
    hr_thread_future *before = hr_process_pool_submit(pool, "who", NULL, 0);
    int r = hr_thread_future_wait(before, HR_FOREVER);
    signal(SIGINT, SIG_IGN);
    kill(0, SIGINT); /* as the terminal does */
    hr_thread_future *after = hr_process_pool_submit(pool, "who", NULL, 0);
    if (r >= 0)
        r = hr_thread_future_wait(after, HR_FOREVER);
    if (r >= 0) {
        const struct hr_process_bytes *a = hr_thread_future_result(before),
                                      *b = hr_thread_future_result(after);
        r = strcmp(a->bytes, b->bytes) == 0 ? 0 : hr_fail(-EIO, "another worker");
    }
    hr_thread_future_unref(before);
    hr_thread_future_unref(after);
    hr_process_pool_free(pool, false);
    return r;
}

/* A parent that is killed while its worker is at a job. */
static int die_as_parent(const void *in, size_t size, struct hr_buf *out)
{
    hr_process_pool *pool = hr_process_pool_new(&(struct hr_process_pool_options){.workers = 2});
    hr_thread_future *stays = hr_process_pool_submit(pool, "stay", in, size);
    char whole[128];
    snprintf(whole, sizeof(whole), "%s.began", (const char *)in);
    while (access(whole, F_OK) < 0)
        usleep(500);
    hr_thread_future_unref(stays);
    return raise(SIGKILL);
}

const struct hr_process_function test_process_functions[] = {
    {"upper",                  upper                 },
    {"echo",                   echo                  },
    {"refuse",                 refuse                },
    {"fail silently",          fail_silently         },
    {"read memory",            read_memory           },
    {"who",                    who                   },
    {"die",                    die                   },
    {"leave",                  leave                 },
    {"die in company",         die_in_company        },
    {"die in distant company", die_in_distant_company},
    {"hang up",                hang_up               },
    {"talk nonsense",          talk_nonsense         },
    {"promise too much",       promise_too_much      },
    {"print",                  print                 },
    {"stay",                   stay                  },
    {"descriptors",            descriptors           },
    {"interrupt group",        interrupt_group       },
    {"die as parent",          die_as_parent         },
    {NULL,                     NULL                  },
};

hr_process_pool *pool_of(unsigned workers)
{
    hr_process_pool *pool =
        hr_process_pool_new(&(struct hr_process_pool_options){.workers = workers});
    ASSERT_TRUE(pool);
    return pool;
}

hr_future *run(hr_process_pool *pool, const char *function, const char *text)
{
    return hr_run_in_process(pool, function, text, strlen(text) + 1);
}

const char *text_of(hr_future *future)
{
    const struct hr_process_bytes *bytes = hr_future_result(future);
    return bytes->bytes;
}

/* Neither a worker nor a zombie is left, nor anybody else's child. */
void assert_no_child_left(void)
{
    siginfo_t info;
    ASSERT_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    ASSERT_EQ(errno, ECHILD);
}

void end(hr_process_pool *pool)
{
    hr_process_pool_free(pool, false);
    assert_no_child_left();
}

/* A file that a worker stays for. */
char door[64], began[80];

void close_door(void)
{
    snprintf(door, sizeof(door), "/tmp/headrace-door.XXXXXX");
    int fd = mkstemp(door);
    ASSERT_TRUE(fd >= 0);
    close(fd);
    snprintf(began, sizeof(began), "%s.began", door);
}

void await_began(void)
{
    for (int i = 0; i < 10000 && access(began, F_OK) < 0; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(access(began, F_OK), 0);
}

void open_door(void)
{
    unlink(door);
}

void remove_door(void)
{
    unlink(door);
    unlink(began);
}
