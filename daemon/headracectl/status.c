/* SPDX-License-Identifier: MIT */
/*
 * status: a table of all jobs, or everything about one.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "daemon/headracectl/ask.h"
#include "daemon/headracectl/print.h"

/* Figures of the table; those of Redis are not known while it does not answer. */
static const struct {
    const char *title, *key;
} figures[] = {
    {"READY",     "ready"             },
    {"LEASED",    "leased"            },
    {"DELAYED",   "delayed"           },
    {"DEAD",      "dead"              },
    {"OK",        "finished.ok"       },
    {"DROPPED",   "finished.dropped"  },
    {"DUPLICATE", "finished.duplicate"},
    {"DIED",      "finished.dead"     },
};

/* What people call it: the pause is in Redis before a daemon has come across it. */
static struct text state_of(const struct json_value *job)
{
    struct text state = reply_text(job, "state");
    bool runs = state.len == 7 && memcmp(state.bytes, "running", 7) == 0;
    return runs && reply_truth(job, "paused") ? (struct text){"paused", 6} : state;
}

static size_t longest_name(const struct json_value *answer)
{
    const struct json_value *key, *job;
    struct json_iter each = reply_each(answer, "jobs");
    size_t longest = 3;
    while (json_next(&each, &key, &job)) {
        if (reply_text(job, "name").len > longest)
            longest = reply_text(job, "name").len;
    }
    return longest;
}

static void print_figure(const struct json_value *job, const char *key, int width)
{
    struct text number = reply_text(job, key);
    printf("  %*.*s", width, number.len ? (int)number.len : 1, number.len ? number.bytes : "-");
}

static void print_table(const struct json_value *answer)
{
    const struct json_value *key, *job;
    int name_width = (int)longest_name(answer);
    printf("%-*s  %-17s", name_width, "JOB", "STATE");
    for (size_t i = 0; i < HR_ARRAY_LEN(figures); i++)
        printf("  %9s", figures[i].title);
    puts("");
    struct json_iter each = reply_each(answer, "jobs");
    while (json_next(&each, &key, &job)) {
        struct text name = reply_text(job, "name"), state = state_of(job);
        printf("%-*.*s  %-17.*s", name_width, (int)name.len, name.bytes, (int)state.len,
               state.bytes);
        for (size_t i = 0; i < HR_ARRAY_LEN(figures); i++)
            print_figure(job, figures[i].key, 9);
        puts("");
    }
    each = reply_each(answer, "jobs");
    while (json_next(&each, &key, &job)) {
        struct text name = reply_text(job, "name"), reason = reply_text(job, "reason");
        if (reason.len == 0)
            continue;
        printf("%.*s: ", (int)name.len, name.bytes);
        print_safely(stdout, reason.bytes, reason.len);
        puts("");
    }
}

static void print_progress(const struct json_value *job)
{
    char digits[32];
    struct text text = reply_text(job, "last_progress");
    snprintf(digits, sizeof(digits), "%.*s", (int)text.len, text.bytes);
    double at = strtod(digits, NULL);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double ago = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - at;
    if (at <= 0)
        puts("progress   none since the daemon's start");
    else
        printf("progress   last batch decided %.1f s ago\n", ago > 0 ? ago : 0);
}

static void print_line(const struct json_value *job, const char *title, const char *const *keys,
                       const char *after)
{
    printf("%-9s", title);
    for (; *keys; keys++) {
        const char *dot = strrchr(*keys, '.');
        struct text number = reply_text(job, *keys);
        printf("  %.*s ", number.len ? (int)number.len : 1, number.len ? number.bytes : "-");
        for (const char *c = dot ? dot + 1 : *keys; *c; c++)
            putchar(*c == '_' ? ' ' : *c);
    }
    puts(after);
}

static void print_job(const struct json_value *job)
{
    struct text name = reply_text(job, "name"), state = state_of(job);
    struct text reason = reply_text(job, "reason");
    printf("job        %.*s\nstate      %.*s, %s\n", (int)name.len, name.bytes, (int)state.len,
           state.bytes, reply_truth(job, "healthy") ? "healthy" : "not healthy");
    if (reason.len > 0) {
        printf("reason     ");
        print_safely(stdout, reason.bytes, reason.len);
        puts("");
    }
    print_line(job, "in Redis", (const char *const[]){"ready", "leased", "delayed", "dead", NULL},
               "");
    print_line(job, "finished",
               (const char *const[]){"finished.ok", "finished.dropped", "finished.duplicate",
                                     "finished.dead", NULL},
               "  (this daemon, since its start)");
    print_line(job, "batches", (const char *const[]){"recovered", "ledger_hits", NULL}, "");
    print_line(job, "items",
               (const char *const[]){"claimed", "held", "retried", "handed_back", NULL}, "");
    struct text ledger = reply_text(job, "ledger_queue");
    if (ledger.len > 0)
        printf("ledger     rows of queue 0x%.*s\n", (int)ledger.len, ledger.bytes);
    print_progress(job);
}

int status_command(struct ctl *ctl)
{
    hr_auto(hr_freep) char *path = ctl->n_args ? ask_job_path(ctl->args[0], "") : NULL;
    hr_auto(ask_done) struct reply reply = {0};
    int status = ask(ctl, path ? path : "/jobs", NULL, 0, &reply);
    if (status != 0)
        return status;
    const struct json_value *key, *job;
    bool healthy = path ? reply_truth(reply.json, "healthy") : true;
    struct json_iter each = reply_each(reply.json, "jobs");
    while (!path && json_next(&each, &key, &job))
        healthy &= reply_truth(job, "healthy");
    if (ctl->json)
        ask_print(&reply);
    else if (path)
        print_job(reply.json);
    else
        print_table(reply.json);
    return healthy ? EX_OK : EX_FOUND;
}
