/* SPDX-License-Identifier: MIT */
/*
 * Dead letters in the log: a line with all that is new, at most one in ten seconds, the rest at the
 * end.
 */
#include "daemon/dead_log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "tests/support/hrtest.h"

static const struct server_conf server = {.name = "queue"};
static const struct job_conf conf = {.name = "orders", .dead.server = &server};

/* What a call writes to standard error. */
static const char *told(struct dead_log *log, const struct job *job, bool last)
{
    static char text[1024];
    int ends[2], before = dup(STDERR_FILENO);
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    dead_log_tell(log, job, last);
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t n = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

TEST(dead_letters_are_told_by_class_ten_seconds_apart)
{
    struct dead_log log = {0};
    static struct job job;
    job = (struct job){.conf = &conf};
    ASSERT_STR(told(&log, &job, false), "");
    job.stats.dead_by_class[CLASS_ROW] = 1;
    ASSERT_STR(
        told(&log, &job, false),
        "headraced: warning: job orders: 1 dead letter: 1 row (headracectl dead ls orders)\n");
    job.stats.dead_by_class[CLASS_ROW] = 1000;
    job.stats.dead_by_class[CLASS_EXPECT] = 2;
    ASSERT_ERR(hr_sleep(hr_seconds(9)), 0);
    ASSERT_STR(told(&log, &job, false), "");
    ASSERT_ERR(hr_sleep(hr_seconds(1)), 0);
    ASSERT_STR(told(&log, &job, false), "headraced: warning: job orders: 1001 dead letters: 999 "
                                        "row, 2 expect (headracectl dead ls orders)\n");
    ASSERT_ERR(hr_sleep(hr_seconds(20)), 0);
    ASSERT_STR(told(&log, &job, true), "");
    job.stats.dead_by_class[CLASS_DECODE] = 3;
    ASSERT_STR(told(&log, &job, true), "headraced: warning: job orders: 3 dead letters: 3 decode "
                                       "(headracectl dead ls orders)\n");
}
