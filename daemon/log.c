/* SPDX-License-Identifier: MIT */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LINE_MAX_BYTES 1024

static struct {
    bool journal;
    int level;
} log_state = {false, LOG_INFO};

/* systemd sets JOURNAL_STREAM to device and inode of the standard error it gave us. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(enum log_to to, int level)
{
    log_state.journal = to == LOG_TO_JOURNAL || (to == LOG_TO_AUTO && stderr_is_journal());
    log_state.level = level;
}

static void write_stderr(int level, const char *job, const char *text)
{
    static const char *const words[] = {"emerg",   "alert",  "crit", "error",
                                        "warning", "notice", "info", "debug"};
    char line[LINE_MAX_BYTES + 128];
    int len = snprintf(line, sizeof(line), "headraced: %s: %s%s%s%s\n", words[level & 7],
                       job ? "job " : "", job ? job : "", job ? ": " : "", text);
    if (len > (int)sizeof(line) - 1) {
        len = (int)sizeof(line) - 1;
        line[len - 1] = '\n';
    }
    /* One write a line, so lines of several processes do not mix. Nobody is told when it fails. */
    ssize_t written = write(STDERR_FILENO, line, (size_t)len);
    (void)written;
}

static void write_journal(int level, const char *job, enum error_class class, const char *text)
{
    if (job)
        sd_journal_send("PRIORITY=%d", level, "SYSLOG_IDENTIFIER=headraced", "HEADRACE_JOB=%s", job,
                        "HEADRACE_CLASS=%s", error_class_name(class), "MESSAGE=job %s: %s", job,
                        text, NULL);
    else
        sd_journal_send("PRIORITY=%d", level, "SYSLOG_IDENTIFIER=headraced", "MESSAGE=%s", text,
                        NULL);
}

hr_printf_like(4, 0) static void emit(int level, const char *job, enum error_class class,
                                      const char *fmt, va_list args)
{
    if (level > log_state.level)
        return;
    char text[LINE_MAX_BYTES];
    vsnprintf(text, sizeof(text), fmt, args);
    if (log_state.journal)
        write_journal(level, job, class, text);
    else
        write_stderr(level, job, text);
}

void log_line(int level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    emit(level, NULL, CLASS_UNKNOWN, fmt, args);
    va_end(args);
}

void log_job(int level, const char *job, enum error_class class, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    emit(level, job, class, fmt, args);
    va_end(args);
}
