/* SPDX-License-Identifier: MIT */
/*
 * What the journal gets: the fields that a line about a job has there, and nobody but the level
 * decides whether it gets them.
 */
#include "daemon/log.h"

#include <stdarg.h>
#include <string.h>

#include "tests/support/hrtest.h"

static char sent[1024]; /* fields of the latest entry, a line each */
static unsigned entries;

/* In the place of libsystemd's: formats of %d and %s, each followed by its values, up to NULL. */
int __wrap_sd_journal_send(const char *format, ...);
int __wrap_sd_journal_send(const char *format, ...)
{
    size_t len = 0;
    va_list args;
    va_start(args, format);
    for (const char *field = format; field; field = va_arg(args, const char *)) {
        for (const char *at = field; *at; at++) {
            if (at[0] != '%')
                len += (size_t)snprintf(sent + len, sizeof(sent) - len, "%c", *at);
            else if (*++at == 'd')
                len += (size_t)snprintf(sent + len, sizeof(sent) - len, "%d", va_arg(args, int));
            else
                len += (size_t)snprintf(sent + len, sizeof(sent) - len, "%s",
                                        va_arg(args, const char *));
        }
        len += (size_t)snprintf(sent + len, sizeof(sent) - len, "\n");
    }
    va_end(args);
    entries++;
    return 0;
}

TEST_PLAIN(the_journal_gets_a_line_with_its_fields)
{
    log_open(LOG_TO_JOURNAL, LOG_INFO);
    log_close(); /* without the thread, lines are written at once */
    entries = 0;
    log_job(LOG_WARNING, "orders", CLASS_CONNECTION, "waiting: %s", "no server");
    ASSERT_STR(sent, "PRIORITY=4\nSYSLOG_IDENTIFIER=headraced\nHEADRACE_JOB=orders\n"
                     "HEADRACE_CLASS=connection\nMESSAGE=job orders: waiting: no server\n");
    log_info("ready: %d jobs", 3);
    ASSERT_STR(sent, "PRIORITY=6\nSYSLOG_IDENTIFIER=headraced\nMESSAGE=ready: 3 jobs\n");
    log_debug("too little to tell");
    ASSERT_EQ(entries, 2);
    log_open(LOG_TO_STDERR, LOG_INFO);
    log_close();
}

TEST_PLAIN(a_daemon_that_systemd_did_not_start_logs_to_standard_error)
{
    setenv("JOURNAL_STREAM", "1:1", 1); /* somebody else's */
    log_open(LOG_TO_AUTO, LOG_ERR);
    entries = 0;
    log_job(LOG_ERR, "orders", CLASS_CONNECTION, "seen by a person");
    log_close();
    ASSERT_EQ(entries, 0);
    unsetenv("JOURNAL_STREAM");
    log_open(LOG_TO_STDERR, LOG_INFO);
    log_close();
}
