/* SPDX-License-Identifier: MIT */
/*
 * Which files a configuration is made of.
 *
 * In jobs.d a job is NAME.yaml, and the .yaml files in NAME.yaml.d are its drop-ins. Hidden files
 * and other endings (editors' and package managers' copies) are left alone, but for .yml, which
 * somebody meant.
 */
#include "daemon/settings_files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct collection {
    struct hr_conf *conf;
    struct job_file *files;
    size_t n;
};

/* The names in a folder, in byte order. */
struct names {
    char **items;
    size_t n;
};

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
    free(names->items);
}

static void dir_close(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int report_file(struct hr_conf *conf, const char *path, const char *what, int error)
{
    hr_conf_diags_add(conf->diags, HR_CONF_ERROR, path, 0, 0, "", "%s%s%s", what, error ? ": " : "",
                      error ? strerror(error) : "");
    return -EINVAL;
}

static int add_name(struct names *names, const char *name)
{
    char **larger = reallocarray(names->items, names->n + 1, sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    names->items = larger;
    larger[names->n] = strdup(name);
    if (!larger[names->n])
        return -ENOMEM;
    names->n++;
    return 0;
}

/* A folder that does not exist has no names. */
static int list_names(struct hr_conf *conf, const char *path, struct names *ret)
{
    hr_auto(dir_close) DIR *dir = opendir(path);
    if (!dir && errno == ENOENT)
        return 0;
    if (!dir)
        return errno == ENOMEM ? -ENOMEM : report_file(conf, path, "cannot be read", errno);
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry && errno)
            return report_file(conf, path, "cannot be read", errno);
        if (!entry)
            break;
        if (entry->d_name[0] != '.' && add_name(ret, entry->d_name) < 0)
            return -ENOMEM;
    }
    if (ret->n)
        qsort(ret->items, ret->n, sizeof(*ret->items), by_bytes);
    return 0;
}

/* Whether name is stem + ending; stem is not empty. */
static bool ends_with(const char *name, const char *ending, size_t *ret_stem)
{
    size_t len = strlen(name), end = strlen(ending);
    if (len <= end || strcmp(name + len - end, ending) != 0)
        return false;
    *ret_stem = len - end;
    return true;
}

static struct job_file *find_job(struct collection *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strlen(c->files[i].name) == len && memcmp(c->files[i].name, name, len) == 0)
            return &c->files[i];
    }
    return NULL;
}

static int add_job(struct collection *c, const char *name, size_t len, const char *origin,
                   const struct hr_conf_node *node)
{
    void *files = hr_conf_grow(c->conf->mem, c->files, c->n, sizeof(*c->files));
    char *copy = hr_conf_strndup(c->conf->mem, name, len);
    if (!files || !copy)
        return -ENOMEM;
    c->files = files;
    c->files[c->n++] = (struct job_file){copy, origin, node};
    return 0;
}

/* The jobs of the main file. Those with a bad name are reported and kept, for their other
 * mistakes. */
static int add_main_jobs(struct collection *c, const char *path, const struct hr_conf_node *jobs)
{
    int r = 0;
    for (size_t i = 0; jobs && i < jobs->n && r == 0; i++) {
        const struct hr_conf_node *job = jobs->items[i];
        if (!hr_conf_is_name(job->key))
            hr_conf_error_key(c->conf, job, "is not a name (%s)", HR_CONF_NAME_RULE);
        r = add_job(c, job->key, strlen(job->key), path, job);
    }
    return r;
}

static int read_job_file(struct collection *c, const char *dir, const char *name, size_t stem)
{
    struct hr_conf *conf = c->conf;
    const char *path = hr_conf_printf(conf->mem, "%s/%s", dir, name);
    if (!path)
        return -ENOMEM;
    char job[80];
    snprintf(job, sizeof(job), "%.*s", (int)stem, name);
    if (stem >= sizeof(job) || !hr_conf_is_name(job)) {
        hr_conf_diags_add(conf->diags, HR_CONF_ERROR, path, 0, 0, "",
                          "the file's name is not a job's name (%s)", HR_CONF_NAME_RULE);
    }
    const struct job_file *same = find_job(c, name, stem);
    if (same) {
        hr_conf_diags_add(conf->diags, HR_CONF_ERROR, path, 0, 0, "",
                          "the job %s stands in %s already", same->name, same->origin);
        return 0;
    }
    struct hr_conf_node *node;
    int r = hr_conf_read(conf, path, &node);
    return r == 0 ? add_job(c, name, stem, path, node) : r == -ENOMEM ? r : 0;
}

static int read_drop_ins(struct collection *c, const char *dir, const char *name, size_t stem)
{
    struct hr_conf *conf = c->conf;
    const char *path = hr_conf_printf(conf->mem, "%s/%s", dir, name);
    if (!path)
        return -ENOMEM;
    hr_auto(names_done) struct names names = {0};
    int r = list_names(conf, path, &names);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    struct job_file *job = find_job(c, name, stem);
    for (size_t i = 0; i < names.n; i++) {
        size_t ignored;
        const char *file = hr_conf_printf(conf->mem, "%s/%s", path, names.items[i]);
        if (!file)
            return -ENOMEM;
        if (ends_with(names.items[i], ".yml", &ignored))
            report_file(conf, file, "is not read (drop-ins end with .yaml)", 0);
        if (!ends_with(names.items[i], ".yaml", &ignored))
            continue;
        struct hr_conf_node *node;
        r = hr_conf_read(conf, file, &node);
        if (r == -ENOMEM)
            return r;
        if (!job) {
            hr_conf_diags_add(conf->diags, HR_CONF_ERROR, file, 0, 0, "",
                              "there is no job %.*s that this could change", (int)stem, name);
            continue;
        }
        if (r < 0)
            continue;
        if (node->kind != HR_CONF_MAP) {
            hr_conf_error(conf, node, "has to be a map, not %s", hr_conf_kind_name(node->kind));
            continue;
        }
        job->node = hr_conf_merge(conf, job->node, node, HR_CONF_PLACE_UNDER);
        if (!job->node)
            return -ENOMEM;
    }
    return 0;
}

/* Jobs before drop-ins: a drop-in may change a job of the main file too. */
static int read_folder(struct collection *c, const char *dir)
{
    hr_auto(names_done) struct names names = {0};
    int r = list_names(c->conf, dir, &names);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    size_t stem;
    for (size_t i = 0; i < names.n && r == 0; i++) {
        if (ends_with(names.items[i], ".yaml", &stem)) {
            r = read_job_file(c, dir, names.items[i], stem);
        } else if (ends_with(names.items[i], ".yml", &stem)) {
            const char *path = hr_conf_printf(c->conf->mem, "%s/%s", dir, names.items[i]);
            if (!path)
                return -ENOMEM;
            report_file(c->conf, path, "is not read (jobs end with .yaml)", 0);
        }
    }
    for (size_t i = 0; i < names.n && r == 0; i++) {
        if (ends_with(names.items[i], ".yaml.d", &stem))
            r = read_drop_ins(c, dir, names.items[i], stem);
    }
    return r;
}

int settings_find_files(struct hr_conf *conf, const char *path, struct paths *ret)
{
    struct stat st;
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (!folder) {
        const char *slash = strrchr(path, '/');
        len = slash ? (size_t)(slash - path) : 0;
    }
    const char *slash = len == 1 && path[0] == '/' ? "" : "/";
    if (folder)
        ret->main = hr_conf_printf(conf->mem, "%.*s%sheadrace.yaml", (int)len, path, slash);
    else
        ret->main = hr_conf_strndup(conf->mem, path, strlen(path));
    if (len == 0 && path[0] != '/')
        ret->job_dir = hr_conf_printf(conf->mem, "jobs.d");
    else
        ret->job_dir = hr_conf_printf(conf->mem, "%.*s%sjobs.d", (int)len, path, slash);
    return ret->main && ret->job_dir ? 0 : -ENOMEM;
}

int settings_collect_jobs(struct hr_conf *conf, const struct paths *paths,
                          const struct hr_conf_node *jobs, const struct hr_conf_node *defaults,
                          struct job_file **ret, size_t *ret_n)
{
    struct collection c = {.conf = conf};
    int r = add_main_jobs(&c, paths->main, jobs);
    if (r == 0)
        r = read_folder(&c, paths->job_dir);
    if (r < 0)
        return r;
    if (c.n == 0 && conf->diags->errors == 0)
        hr_conf_diags_add(conf->diags, HR_CONF_NOTE, paths->job_dir, 0, 0, "",
                          "there is no job (each is a file NAME.yaml in this folder)");
    for (size_t i = 0; i < c.n; i++) {
        c.files[i].node = hr_conf_merge(conf, defaults, c.files[i].node, HR_CONF_PLACE_OVER);
        if (!c.files[i].node)
            return -ENOMEM;
    }
    *ret = c.files;
    *ret_n = c.n;
    return 0;
}
