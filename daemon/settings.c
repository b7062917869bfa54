/* SPDX-License-Identifier: MIT */
/*
 * The daemon's configuration: headrace.yaml, and one struct settings out of it and its jobs.
 *
 * The main file is read first, so that jobs can refer to servers; what a job is made of is put
 * together by settings_files.c. A mistake in one file never hides those of another.
 */
#include "daemon/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/settings_files.h"
#include "daemon/settings_tables.h"

#define INSTANCE_MAX 128

static const struct hr_conf_choice version_choices[] = {
    {"1", 1},
    {NULL  }
};

static const struct hr_conf_choice log_to_choices[] = {
    {"auto",          LOG_TO_AUTO},
    {"journal",               LOG_TO_JOURNAL},
    {"stderr",LOG_TO_STDERR},
    {NULL       },
};

static const struct hr_conf_choice log_level_choices[] = {
    {"error",      LOG_ERR},
    {"warning",            LOG_WARNING},
    {"notice",LOG_NOTICE},
    {"info",     LOG_INFO},
    {"debug",            LOG_DEBUG},
    {NULL},
};

/* What %x stands for in the instance, or NULL. */
static const char *specifier(const struct hr_conf *conf, char letter, char *buf, size_t size)
{
    switch (letter) {
    case 'H':
        if (gethostname(buf, size) < 0)
            return "localhost";
        buf[size - 1] = '\0';
        return buf;
    case 'i': {
        const char *unit = conf->lookup(conf, "HEADRACE_UNIT_INSTANCE");
        return unit ? unit : "";
    }
    case 'p':
        snprintf(buf, size, "%ld", (long)getpid());
        return buf;
    case '%':
        return "%";
    default:
        return NULL;
    }
}

/* The instance is part of a file's name and of words in Redis. */
static bool is_instance(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > INSTANCE_MAX || text[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c >= 0x7f || c == '/')
            return false;
    }
    return true;
}

static int read_instance(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    if (node->kind != HR_CONF_SCALAR)
        return hr_conf_error(conf, node, "has to be a name");
    char name[2 * INSTANCE_MAX] = "";
    size_t len = 0;
    for (const char *s = node->text; *s && len < sizeof(name) - 1; s++) {
        char buf[INSTANCE_MAX + 2];
        const char *part = (char[]){*s, '\0'};
        if (*s == '%') {
            part = specifier(conf, s[1], buf, sizeof(buf));
            if (!part)
                return hr_conf_error_at(conf, node, (size_t)(s - node->text),
                                        "%% stands before H (host name), i (unit instance), p "
                                        "(process id) or %% only");
            s++;
        }
        int n = snprintf(name + len, sizeof(name) - len, "%s", part);
        len += n > 0 ? (size_t)n : 0;
    }
    if (!is_instance(name))
        return hr_conf_error(conf, node,
                             "is not a name (no blanks, no /, no . at the beginning, 1 "
                             "to 128 characters)");
    char *copy = hr_conf_strndup(conf->mem, name, strlen(name));
    if (!copy)
        return -ENOMEM;
    *(const char **)target = copy;
    return 0;
}

/* 127.0.0.1:9410 or [::1]:9410 */
static bool is_address(const char *text)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof(host))
        return false;
    size_t len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';

    size_t digits = strspn(colon + 1, "0123456789");
    long port = digits > 0 && digits <= 5 && !colon[1 + digits] ? strtol(colon + 1, NULL, 10) : 0;
    if (port < 1 || port > 65535)
        return false;
    struct in6_addr address;
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &address) == 1;
    }
    return inet_pton(AF_INET, host, &address) == 1;
}

static int read_listen(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    const char *text = *(const char **)target;
    if (strncmp(text, "unix:", 5) != 0) {
        if (is_address(text))
            return 0;
        return hr_conf_error(conf, node,
                             "has to be unix:/path or an address and a port "
                             "(127.0.0.1:9410, [::1]:9410)");
    }
    if (text[5] != '/')
        return hr_conf_error(conf, node, "the path after unix: has to begin with /");
    if (strlen(text + 5) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return hr_conf_error(conf, node, "the path after unix: is longer than 107 bytes");
    return 0;
}

static int keep_node(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    if (node->kind != HR_CONF_MAP)
        return hr_conf_error(conf, node, "has to be a map, not %s", hr_conf_kind_name(node->kind));
    *(const struct hr_conf_node **)target = node;
    return 0;
}

static const struct hr_conf_field limits_fields[] = {
    HR_CONF_SIZE(struct main_file, "memory", settings.memory_limit, "512MiB", "8MiB", "16TiB",
                 "Everything that buffers items charges it; claiming stops at 80 %."),
    HR_CONF_END,
};

static const struct hr_conf_field http_fields[] = {
    HR_CONF_STRINGS(struct main_file, "listen", settings.listen, settings.n_listen,
                    "[\"unix:${RUNTIME_DIRECTORY}/admin.sock\"]", read_listen,
                    "Where the admin server listens: unix:/path serves everything, address:port "
                    "metrics and health only."),
    HR_CONF_END,
};

static const struct hr_conf_field log_fields[] = {
    HR_CONF_CHOICE(struct main_file, "to", settings.log_to, "auto", log_to_choices,
                   "auto: the journal under systemd, else standard error."),
    HR_CONF_CHOICE(struct main_file, "level", settings.log_level, "info", log_level_choices,
                   "What is less important is not written."),
    HR_CONF_STRINGS(
        struct main_file, "redact", settings.log_redact, settings.n_log_redact, "[password, token]",
        NULL,
        "Fields whose values are blanked in dead letters that go to standard error, where "
        "the log is. No other line holds values."),
    HR_CONF_END,
};

static const struct hr_conf_field shutdown_fields[] = {
    HR_CONF_SPAN(struct main_file, "grace", settings.grace, "25s", "0s", "1h",
                 "How long batches that are begun may take to finish after SIGTERM."),
    HR_CONF_END,
};

static const struct hr_conf_section limits_section = {.fields = limits_fields};
static const struct hr_conf_section http_section = {.fields = http_fields};
static const struct hr_conf_section log_section = {.fields = log_fields};
static const struct hr_conf_section shutdown_section = {.fields = shutdown_fields};

static const struct hr_conf_field main_fields[] = {
    {.key = "version",
     .type = HR_CONF_TYPE_CHOICE,
     .required = true,
     .offset = HR_CONF_AT_ENUM(struct main_file, version),
     .choices = version_choices,
     .doc = "The version of the configuration language."},
    HR_CONF_HOOK(struct main_file, "instance", settings.instance, "\"%H\"", read_instance,
                 "The identity of this daemon; no two may run under one. %H is the host name, %i "
                 "the unit's instance, %p the process id."),
    HR_CONF_TABLE_OF(struct main_file, "servers", settings.servers, settings.n_servers,
                     &server_section, "The servers, by names that jobs use; each one of:"),
    HR_CONF_GROUP("limits", &limits_section, "Limits of the process."),
    HR_CONF_GROUP("http", &http_section, "The admin server."),
    HR_CONF_GROUP("log", &log_section, "The log."),
    HR_CONF_GROUP("shutdown", &shutdown_section, "The end."),
    HR_CONF_HOOK(struct main_file, "defaults", defaults, NULL, keep_node,
                 "Settings of a job; merged under every job."),
    HR_CONF_HOOK(struct main_file, "jobs", jobs, NULL, keep_node,
                 "Jobs by name, instead of or beside files in jobs.d."),
    HR_CONF_END,
};

static const struct hr_conf_section main_section = {.fields = main_fields};

/* RUNTIME_DIRECTORY has a stand-in, so that ${RUNTIME_DIRECTORY} works without systemd too. */
static const char *look_up(const struct hr_conf *conf, const char *name)
{
    if (strcmp(name, "RUNTIME_DIRECTORY") == 0)
        return ((const struct loading *)conf->user)->settings->runtime_dir;
    return getenv(name);
}

char *settings_runtime_dir(struct hr_conf_mem *mem)
{
    const char *given = getenv("RUNTIME_DIRECTORY");
    if (given && given[0])
        return hr_conf_strndup(mem, given, strcspn(given, ":")); /* systemd may list several */
    if (geteuid() == 0)
        return hr_conf_printf(mem, "/run/headrace");
    const char *users = getenv("XDG_RUNTIME_DIR");
    if (users && users[0])
        return hr_conf_printf(mem, "%s/headrace", users);
    return hr_conf_printf(mem, "/tmp/headrace-%u", (unsigned)geteuid());
}

/* Two jobs on one list would take each other's batches and write them elsewhere. */
static void check_lists(struct hr_conf *conf, const struct settings *s,
                        const struct job_file *files)
{
    for (size_t i = 0; i < s->n_jobs; i++) {
        const struct source_conf *a = &s->jobs[i].source;
        for (size_t k = 0; a->key && a->server && k < i; k++) {
            const struct source_conf *b = &s->jobs[k].source;
            if (b->server == a->server && b->key && strcmp(a->key, b->key) == 0) {
                hr_conf_error(conf, hr_conf_get(files[i].node, "source"),
                              "the job %s reads this list already (limits.concurrency says how "
                              "many of its batches are under way at a time)",
                              s->jobs[k].name);
                break;
            }
        }
    }
}

static int read_jobs(struct hr_conf *conf, struct settings *s, const struct job_file *files,
                     size_t n)
{
    struct job_conf *jobs = hr_conf_alloc(conf->mem, n * sizeof(*jobs));
    if (!jobs)
        return -ENOMEM;
    s->jobs = jobs;
    s->n_jobs = n;
    for (size_t i = 0; i < n; i++) {
        jobs[i].name = files[i].name;
        jobs[i].origin = files[i].origin;
        if (hr_conf_fill(conf, files[i].node, &job_section, &jobs[i]) == -ENOMEM)
            return -ENOMEM;
    }
    check_lists(conf, s, files);
    return 0;
}

/* Somebody checks a file of jobs.d by itself: a job is nothing without the servers it names. */
static bool is_job(const struct hr_conf_node *root)
{
    return root->kind == HR_CONF_MAP &&
           (hr_conf_get(root, "source") || hr_conf_get(root, "sink")) &&
           !hr_conf_get(root, "servers") && !hr_conf_get(root, "jobs");
}

static int refuse_job(struct hr_conf *conf, const struct hr_conf_node *root, const char *path)
{
    static const char folder[] = "jobs.d";
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0, end = sizeof(folder) - 1;
    if (len < end || memcmp(path + len - end, folder, end) != 0 ||
        (len > end && path[len - end - 1] != '/'))
        return hr_conf_error(conf, root,
                             "is a job: put it into jobs.d beside headrace.yaml, and give that "
                             "folder (--config DIR)");
    size_t above = len > end + 1 ? len - end - 1 : len - end;
    return hr_conf_error(conf, root,
                         "is a job: give the folder with headrace.yaml, which names its servers "
                         "(--config %.*s)",
                         above ? (int)above : 1, above ? path : ".");
}

static int read_all(struct hr_conf *conf, const char *path, struct main_file *file)
{
    struct loading *loading = conf->user;
    struct paths paths;
    int r = settings_find_files(conf, path, &paths);
    if (r < 0)
        return r;

    struct hr_conf_node *root;
    r = hr_conf_read(conf, paths.main, &root);
    if (r == -EINVAL && access(paths.main, F_OK) < 0)
        hr_conf_diags_add(conf->diags, HR_CONF_NOTE, paths.main, 0, 0, "",
                          "--config FILE|DIR says where the configuration is");
    if (r == 0 && is_job(root))
        return refuse_job(conf, root, path);
    loading->servers_known = r == 0;
    if (r == 0)
        r = hr_conf_fill(conf, root, &main_section, file);
    if (r == -ENOMEM)
        return r;
    loading->defaults = file->defaults;

    struct job_file *files;
    size_t n;
    r = settings_collect_jobs(conf, &paths, file->jobs, file->defaults, &files, &n);
    if (r < 0)
        return r;
    return read_jobs(conf, &file->settings, files, n);
}

int settings_load(const char *path, unsigned flags, struct settings **ret,
                  struct hr_conf_diags *diags)
{
    hr_auto(hr_conf_mem_freep) struct hr_conf_mem *mem = hr_conf_mem_new();
    struct main_file *file = mem ? hr_conf_alloc(mem, sizeof(*file)) : NULL;
    if (!file)
        return -ENOMEM;
    struct settings *s = &file->settings;
    struct loading loading = {.settings = s};
    struct hr_conf conf = {
        .mem = mem,
        .diags = diags,
        .lookup = look_up,
        .lenient_credentials = flags & SETTINGS_WITHOUT_CREDENTIALS,
        .user = &loading,
    };
    s->runtime_dir = settings_runtime_dir(mem);
    if (!s->runtime_dir)
        return -ENOMEM;

    int r = read_all(&conf, path, file);
    hr_conf_diags_sort(diags);
    if (r == -ENOMEM || hr_conf_result(&conf) < 0)
        return r == -ENOMEM ? r : hr_conf_result(&conf);
    s->credentials_unread = conf.credentials_unread;
    s->mem = hr_take(mem);
    *ret = s;
    return 0;
}

struct settings *settings_free(struct settings *s)
{
    if (s)
        hr_conf_mem_free(s->mem); /* s lies in it */
    return NULL;
}

void settings_print_man(FILE *out)
{
    fputs(".SS headrace.yaml\n", out);
    hr_conf_print_man(out, &main_section, "");
    fputs(".SS A job: jobs.d/NAME.yaml, or below jobs.NAME in headrace.yaml\n", out);
    hr_conf_print_man(out, &job_section, "");
}
