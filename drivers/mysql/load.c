/* SPDX-License-Identifier: MIT */
/*
 * How libmariadb is kept from files: the login says that we could (mysql/conn.c), and the library
 * is told that it may only inside this call, with a function of ours in place of its file.
 */
#include "drivers/mysql/load.h"

#include <stdio.h>
#include <string.h>

#include "drivers/missing.h"
#include "drivers/mysql/call.h"
#include "drivers/mysql/excerpt.h"
#include "drivers/mysql/words.h"

struct load {
    hr_mysql_conn *conn;
    hr_mysql_load_fn *fn;
    void *arg;
    bool asked;
    struct hr_error error; /* of the function */
};

/* The library would send an end of data after an error: the socket goes first. */
static void give_up(struct load *load, int code)
{
    hr_error_copy(&load->error, hr_last_error());
    load->error.code = code;
    load->conn->wait.failed = code;
    mariadb_cancel(load->conn->mysql);
}

static int load_init(void **ret, const char *name, void *arg)
{
    struct load *load = arg;
    *ret = load;
    if (load->asked)
        give_up(load, hr_fail(-EINVAL, "a text of several statements loads data once"));
    bool again = load->asked;
    load->asked = true;
    return again;
}

static int load_read(void *arg, char *buffer, unsigned size)
{
    struct load *load = arg;
    int n = load->fn(load->arg, buffer, size);
    if (n >= 0 && (unsigned)n <= size)
        return n;
    if (n >= 0)
        n = hr_fail(-EINVAL, "a function gave %d bytes for a buffer of %u", n, size);
    give_up(load, n);
    return -1;
}

static void load_end(void *arg) {}

static int load_error(void *arg, char *message, unsigned size)
{
    snprintf(message, size, "no data");
    return 1;
}

static hr_async int run(struct load *load, const char *sql)
{
    hr_mysql_conn *conn = load->conn;
    MYSQL *m = conn->mysql;
    const unsigned on = 1, off = 0;
    if (mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &on))
        return hr_fail(-ENOMEM, "mysql %s: no memory to load data", conn->host->name);
    mysql_set_local_infile_handler(m, load_init, load_read, load_end, load_error, load);
    int r = hr__mysql_text(conn, sql, strlen(sql));
    if (r >= 0)
        r = hr__mysql_drain_counting(conn);
    mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_set_local_infile_handler(m, NULL, NULL, NULL, NULL, NULL);
    return r;
}

static bool is_load(const char *sql)
{
    const char *start = hr__mysql_skip_space(sql);
    return *start && hr__mysql_is_word(start, hr__mysql_skip_piece(start), "load");
}

int(hr_mysql_load)(hr_mysql_conn *conn, const char *sql, hr_mysql_load_fn *fn, void *arg)
{
    if (!conn)
        return hr__missing_object("mysql: a connection");
    if (!sql || !fn)
        return hr__mysql_missing(conn, sql ? "the function that gives data" : "the statement");
    if (!is_load(sql)) {
        char excerpt[HR__MYSQL_EXCERPT_MAX];
        hr__mysql_excerpt(sql, excerpt);
        return hr_fail(-EINVAL, "this is no LOAD DATA LOCAL: %s", excerpt);
    }
    struct load load = {.conn = conn, .fn = fn, .arg = arg};
    struct hr__mysql_call call;
    int r = hr__mysql_enter_statement(&call, conn, sql, 0);
    if (r < 0)
        return r;
    r = hr__mysql_leave(&call, run(&load, sql));
    /* A cancel is for the call to tell from its deadline. */
    if (load.error.code < 0 && load.error.code != -ECANCELED)
        r = hr_error_raise(&load.error);
    hr_error_done(&load.error);
    return r;
}
