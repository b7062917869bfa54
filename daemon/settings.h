/* SPDX-License-Identifier: MIT */
/*
 * The daemon's configuration as structs: what headrace.yaml and jobs.d say, checked and complete.
 *
 * settings_load() fills them; the schema tables (settings*.c) hold every key, default, bound and
 * sentence of documentation. All strings and nested objects belong to the struct settings.
 */
#pragma once

#include "config/conf.h"
#include "core/base.h"
#include "daemon/item/bind.h"
#include "drivers/tls.h"

struct expect;
struct expr;

enum server_kind { SERVER_REDIS, SERVER_MYSQL };

struct server_conf {
    const char *name;
    enum server_kind kind;
    const char *url;      /* checked; may hold a user and a password: never printed */
    const char *user;     /* given beside the URL, else NULL; then the URL has none */
    const char *password; /* likewise; never printed */
    struct hr_tls_options tls;
    unsigned connections;
    hr_usec connect_timeout;
    hr_usec command_timeout; /* redis: timeouts.command; mysql: timeouts.query */
};

enum source_kind { SOURCE_REDIS_LIST, SOURCE_LINES };

struct source_conf {
    enum source_kind kind;
    const struct server_conf *server; /* redis_list */
    const char *key;                  /* redis_list: K */
    bool head_right;                  /* redis_list: consume from the right end */
    hr_usec lease;                    /* redis_list; 0 for others */
    size_t max_payload;               /* both: longer items are dead letters, unread */
    const char *path;                 /* lines: a file, or "-" */
};

enum decode_kind { DECODE_JSON, DECODE_RAW };

enum step_kind { STEP_DROP, STEP_MAP };

struct step_conf {
    enum step_kind kind;
    struct expr *expr;  /* drop: when; map: the program */
    const char *reason; /* drop: counted under this name */
};

enum sink_kind { SINK_MYSQL, SINK_PRINT };
enum on_duplicate { DUPLICATE_DEAD_LETTER, DUPLICATE_IGNORE, DUPLICATE_UPDATE };

/* One :name of the statement. Order of params is the order of the names in the SQL text, with
 * repetitions: param i fills the i-th question mark. */
struct param_conf {
    const char *name;
    const char *column; /* the column it goes to where the statement shows it, else NULL */
    struct expr *expr;
    enum bind_as as;
};

struct sink_conf {
    enum sink_kind kind;
    const struct server_conf *server;
    const char *sql;   /* mysql: with ? for each :name */
    const char *table; /* mysql: in backticks, when the statement is an INSERT that can run in bulk,
                          else NULL; then each param has its column */
    struct param_conf *params;
    size_t n_params;
    unsigned batch_rows; /* batch_…: how much one claim takes, for every kind of sink */
    size_t batch_bytes;
    hr_usec batch_wait;
    enum on_duplicate on_duplicate;
};

enum delivery { EXACTLY_ONCE, AT_LEAST_ONCE, AT_MOST_ONCE };

struct retry_conf {
    unsigned attempts;
    hr_usec max_age;
    hr_usec backoff_first, backoff_max;
    double backoff_factor;
    bool jitter_full; /* jitter: full; else none */
    unsigned crash_limit;
};

struct dead_letter_conf {
    const struct server_conf *server; /* NULL: lines without one: standard error */
    const char *key;
    uint64_t limit_items;
};

struct job_conf {
    const char *name;
    const char *origin; /* file the job was read from */
    struct source_conf source;
    enum decode_kind decode;
    struct expect *expect; /* NULL: no contract */
    struct step_conf *steps;
    size_t n_steps;
    struct sink_conf sink;
    enum delivery delivery;
    hr_usec ledger_keep; /* exactly_once */
    struct retry_conf retry;
    struct dead_letter_conf dead;
    unsigned concurrency;
    hr_usec timeout; /* per batch attempt */
};

enum log_to { LOG_TO_AUTO, LOG_TO_JOURNAL, LOG_TO_STDERR };

struct settings {
    const char *instance;
    const char *runtime_dir; /* RUNTIME_DIRECTORY or its stand-in; it may not exist yet */
    const struct server_conf *servers;
    size_t n_servers;
    size_t memory_limit;
    const char **listen; /* "unix:/path" or "address:port" */
    size_t n_listen;
    enum log_to log_to;
    int log_level; /* syslog's numbers: 3 err … 7 debug */
    const char **log_redact;
    size_t n_log_redact;
    hr_usec grace;
    const struct job_conf *jobs;
    size_t n_jobs;
    bool credentials_unread; /* only with SETTINGS_WITHOUT_CREDENTIALS: do not connect with these */

    struct hr_conf_mem *mem; /* owns everything above */
};

enum settings_flags {
    /* A credential that cannot be read is a note: for commands that only read the files. */
    SETTINGS_WITHOUT_CREDENTIALS = 1 << 0,
};

/* Reads the file or folder at path with its jobs.d and drop-ins. 0 (diags may hold notes), or
 *   -EINVAL  with every mistake of every file in diags, in order;
 *   -ENOMEM.
 * ret is freed with settings_free(). */
int settings_load(const char *path, unsigned flags, struct settings **ret,
                  struct hr_conf_diags *diags);
struct settings *settings_free(struct settings *s);
static inline void settings_freep(struct settings **s)
{
    settings_free(*s);
}

/* How long a session of MySQL may be silent before the server ends it, for jobs with leases as long
 * as this: twice that, and a minute at least. No ledger row may be swept before. */
hr_usec settings_session_wait(hr_usec lease);

/* The runtime directory: $RUNTIME_DIRECTORY, else /run/headrace for root, else
 * $XDG_RUNTIME_DIR/headrace or /tmp/headrace-UID. NULL: no memory. */
char *settings_runtime_dir(struct hr_conf_mem *mem);

/* Prints every setting with its type, default and meaning as a man page's list: first those of
 * headrace.yaml, then those of a job. */
void settings_print_man(FILE *out);
