/* SPDX-License-Identifier: MIT */
/*
 * The log on standard error: lines are whole, clean and in order, and a pipe that nobody reads
 * stops nobody.
 */
#include "daemon/log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

/* Standard error, in a pipe. */
struct capture {
    int before, reader;
    char text[256 * 1024];
    size_t len;
};

static void capture_begin(struct capture *capture)
{
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    capture->before = dup(STDERR_FILENO);
    capture->reader = ends[0];
    capture->len = 0;
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

/* Reads until the text holds the words. */
static void read_until(struct capture *capture, const char *words)
{
    capture->text[capture->len] = '\0';
    while (!strstr(capture->text, words)) {
        ssize_t n = read(capture->reader, capture->text + capture->len,
                         sizeof(capture->text) - 1 - capture->len);
        if (n <= 0)
            break;
        capture->len += (size_t)n;
        capture->text[capture->len] = '\0';
    }
}

/* Puts standard error back and reads what is left. */
static void capture_end(struct capture *capture)
{
    dup2(capture->before, STDERR_FILENO);
    close(capture->before);
    read_until(capture, "\xff");
    close(capture->reader);
}

TEST_PLAIN(text_from_outside_is_one_line_of_valid_text)
{
    static struct capture capture;
    capture_begin(&capture);
    log_open(LOG_TO_STDERR, LOG_INFO);
    log_warn("near '%s'", "a\nb\r\tc\x1b[2J \xff\xc3 \xc2\x9b\xc3\xa9");
    log_debug("not at this level");
    log_job(LOG_ERR, "orders", CLASS_CONFIG, "%s", "no table");
    log_close();
    capture_end(&capture);
    ASSERT_STR(capture.text, "headraced: warning: near 'a b  c [2J \xef\xbf\xbd\xef\xbf\xbd   "
                             "\xc3\xa9'\n"
                             "headraced: error: job orders: no table\n");
}

TEST_PLAIN(a_line_that_is_too_long_ends_with_dots)
{
    static struct capture capture;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    capture_begin(&capture);
    log_open(LOG_TO_STDERR, LOG_INFO);
    log_info("%s", text);
    log_close();
    capture_end(&capture);
    ASSERT_TRUE(capture.len > 1000 && capture.len < 1100);
    ASSERT_STR(capture.text + capture.len - 5, "x…\n");
}

/* Each line says its number. Those that are there are in order; how many are not, a line tells. */
TEST_PLAIN(a_pipe_that_nobody_reads_costs_lines_that_are_counted)
{
    enum { LINES = 5000 };
    static struct capture capture;
    capture_begin(&capture);
    log_open(LOG_TO_STDERR, LOG_INFO);
    for (int i = 0; i < LINES; i++)
        log_info("line %d of a log that is longer than a pipe and what may wait for it", i);
    read_until(&capture, " lines were not logged: nobody read the log in time\n");
    log_info("the last one");
    log_close();
    capture_end(&capture);

    int seen = 0, dropped = 0, last = -1;
    for (char *line = strtok(capture.text, "\n"); line; line = strtok(NULL, "\n")) {
        int number, count;
        if (sscanf(line, "headraced: info: line %d of", &number) == 1) {
            ASSERT_TRUE(number > last);
            last = number;
            seen++;
        } else if (sscanf(line, "headraced: warning: %d lines were not", &count) == 1) {
            dropped += count;
        } else {
            ASSERT_STR(line, "headraced: info: the last one");
        }
    }
    ASSERT_TRUE(seen > 500 && dropped > 500);
    ASSERT_EQ(seen + dropped, LINES);
}

TEST_PLAIN(a_log_that_is_stuck_lets_go_at_the_end)
{
    static struct capture capture;
    capture_begin(&capture);
    int filler = open("/dev/stderr", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    ASSERT_TRUE(filler >= 0);
    memset(capture.text, '.', 4096);
    ssize_t n;
    do
        n = write(filler, capture.text, 4096);
    while (n > 0);
    close(filler);
    log_open(LOG_TO_STDERR, LOG_INFO);
    log_info("nobody reads this in time");
    log_close();
    capture.len = 0;
    read_until(&capture, "nobody reads this in time\n");
    log_close();
    capture_end(&capture);
}

TEST_PLAIN(a_report_has_its_parts_apart)
{
    static struct capture capture;
    const struct hr_error lost = {.code = HR_ELOST, .message = "the server went away"};
    const struct hr_error row = {.code = HR_EREPLY, .native = 1062, .message = "entry 'secret'"};
    capture_begin(&capture);
    log_open(LOG_TO_STDERR, LOG_INFO);
    log_report(&(struct hr_report){"failed", &lost, "probe"}, NULL);
    log_report(&(struct hr_report){"failed", &row, ""}, NULL);
    log_report(&(struct hr_report){"held the loop up for 300 ms", NULL, "worker"}, NULL);
    log_close();
    capture_end(&capture);
    ASSERT_STR(capture.text, "headraced: warning: task probe: failed: the server went away\n"
                             "headraced: warning: failed: error 1062: class row\n"
                             "headraced: warning: task worker: held the loop up for 300 ms\n");
}
