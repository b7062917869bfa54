/* SPDX-License-Identifier: MIT */
/*
 * Two MySQL servers are asked side by side who their users are.
 *
 *     cc two_mysql.c $(pkg-config --cflags --libs headrace-clients) -o two_mysql
 *     ./two_mysql 127.0.0.1:3306 127.0.0.1:3307
 */
#include <core/headrace.h>
#include <drivers/mysql/cursor.h>
#include <stdio.h>

struct question {
    const char *name, *server;
    hr_mysql_result *rows;
};

static int ask(void *arg)
{
    struct question *q = arg;
    printf("start %s\n", q->name);
    char url[128];
    snprintf(url, sizeof(url), "mysql://app:secret@%s/mysql", q->server);
    hr_auto(hr_mysql_pool_freep) hr_mysql_pool *pool =
        hr_mysql_pool_new(&(struct hr_mysql_options){.url = url});
    if (!pool)
        return hr_last_error()->code;
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(pool, &conn);
    if (r < 0)
        return r;
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    r = hr_mysql_execute(cursor, "SELECT Host, User FROM user WHERE User = ? ORDER BY Host",
                         HR_ARGS(hr_s("app")));
    return r < 0 ? r : hr_mysql_fetch_all(cursor, &q->rows);
}

static int run(void *arg)
{
    char **servers = arg;
    struct question questions[] = {
        {"first",  servers[1], NULL},
        {"second", servers[2], NULL}
    };
    hr_auto(hr_futures_done) struct hr_futures both = {0};
    for (int i = 0; i < 2; i++)
        hr_futures_add(&both, hr_create_task(questions[i].name, ask, &questions[i]));
    int r = hr_gather(&both, HR_CANCEL_REST);
    for (int i = 0; i < 2; i++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = questions[i].rows;
        for (size_t row = 0; r >= 0 && row < hr_mysql_rows(rows); row++)
            printf("%s@%s\n", hr_mysql_text(rows, row, 1, NULL), hr_mysql_text(rows, row, 0, NULL));
    }
    return r;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST:PORT HOST:PORT\n", argv[0]);
        return 1;
    }
    int r = hr_run(run, argv);
    if (r < 0)
        fprintf(stderr, "two_mysql: %s\n", hr_error_message(r));
    return r < 0;
}
