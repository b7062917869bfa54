/* SPDX-License-Identifier: MIT */
#include "daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/item/failure.h"
#include "daemon/log_writer.h"

#define LINE_MAX_BYTES 1024

/* What the last lines may take to be written when nobody reads. */
#define LAST_WORDS hr_seconds(1)

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

/* One write a line, so lines of several processes do not mix. Nobody is told when it fails. */
static void write_stderr(const struct log_entry *entry)
{
    static const char *const words[] = {"emerg",   "alert",  "crit", "error",
                                        "warning", "notice", "info", "debug"};
    char line[LINE_MAX_BYTES + 128];
    int len = snprintf(line, sizeof(line), "headraced: %s: %s%s%s%s\n", words[entry->level & 7],
                       entry->job ? "job " : "", entry->job ? entry->job : "",
                       entry->job ? ": " : "", entry->text);
    if (len > (int)sizeof(line) - 1) {
        len = (int)sizeof(line) - 1;
        line[len - 1] = '\n';
    }
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    while (write(STDERR_FILENO, line, (size_t)len) < 0) {
        /* Somebody we share it with may have made it non-blocking. */
        if (errno != EINTR && (errno != EAGAIN || poll(&room, 1, -1) < 0))
            return;
    }
}

static void write_journal(const struct log_entry *entry)
{
    if (entry->job)
        sd_journal_send("PRIORITY=%d", entry->level, "SYSLOG_IDENTIFIER=headraced",
                        "HEADRACE_JOB=%s", entry->job, "HEADRACE_CLASS=%s",
                        error_class_name(entry->class), "MESSAGE=job %s: %s", entry->job,
                        entry->text, NULL);
    else
        sd_journal_send("PRIORITY=%d", entry->level, "SYSLOG_IDENTIFIER=headraced", "MESSAGE=%s",
                        entry->text, NULL);
}

static void write_entry(const struct log_entry *entry)
{
    if (log_state.journal)
        write_journal(entry);
    else
        write_stderr(entry);
}

void log_open(enum log_to to, int level)
{
    log_state.journal = to == LOG_TO_JOURNAL || (to == LOG_TO_AUTO && stderr_is_journal());
    log_state.level = level;
    log_writer_start(write_entry);
}

void log_close(void)
{
    log_writer_stop(LAST_WORDS);
}

/* What servers say may hold anything: a line stays one line of valid UTF-8 that moves no cursor. */
static size_t clean(char *ret, size_t size, const char *text)
{
    size_t len = text_excerpt(ret, size, text, strlen(text));
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)ret[i];
        bool c1 = c == 0xc2 && (unsigned char)ret[i + 1] < 0xa0; /* U+0080 to U+009F */
        if (c < 0x20 || c == 0x7f || c1)
            ret[i] = ' ';
        if (c1)
            ret[++i] = ' ';
    }
    return len;
}

static struct log_entry *new_entry(int level, const char *job, enum error_class class,
                                   const char *text)
{
    char line[LINE_MAX_BYTES];
    size_t len = clean(line, sizeof(line), text), job_len = job ? strlen(job) : 0;
    size_t size = sizeof(struct log_entry) + job_len + 1 + len + 1;
    struct log_entry *entry = malloc(size);
    if (!entry)
        return NULL;
    char *texts = (char *)(entry + 1);
    *entry = (struct log_entry){
        .size = size,
        .level = level,
        .class = class,
        .job = job ? texts : NULL,
        .text = texts + job_len + 1,
    };
    memcpy(texts, job ? job : "", job_len + 1);
    memcpy(texts + job_len + 1, line, len + 1);
    return entry;
}

hr_printf_like(4, 0) static void emit(int level, const char *job, enum error_class class,
                                      const char *fmt, va_list args)
{
    if (level > log_state.level)
        return;
    char text[LINE_MAX_BYTES + 4]; /* longer than a line, so that one that is too long shows it */
    vsnprintf(text, sizeof(text), fmt, args);
    struct log_entry *entry = new_entry(level, job, class, text);
    if (log_writer_put(entry) || !entry)
        return;
    write_entry(entry);
    free(entry);
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

void log_report(const struct hr_report *report, void *cookie)
{
    char why[HR_ERROR_MESSAGE_MAX] = "";
    if (report->error)
        error_describe(report->error->code, report->error, why, sizeof(why));
    log_warn("%s%s%s%s%s%s", report->task[0] ? "task " : "", report->task,
             report->task[0] ? ": " : "", report->message, report->error ? ": " : "", why);
}
