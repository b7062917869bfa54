/* SPDX-License-Identifier: MIT */
/*
 * libmariadb's blocking calls in as many threads as there are connections.
 *
 *   mysql_threads mysql_select|mysql_bulk THREADS COUNT SOCKET|PORT
 */
#include <mysql.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/bench/clients_rows.h"
#include "tests/bench/measure.h"

static const char *where;
static uint64_t each;
static pthread_barrier_t gate;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "mysql_threads: %s: %s\n", what, why);
    exit(1);
}

static MYSQL *connected(void)
{
    MYSQL *mysql = mysql_init(NULL);
    bool by_path = where[0] == '/';
    const char *ca = getenv("PEER_CA");
    my_bool verify = 1;
    if (ca) {
        mysql_options(mysql, MYSQL_OPT_SSL_CA, ca);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    }
    if (!mysql_real_connect(
            mysql, by_path ? "localhost" : "127.0.0.1", "app", by_path ? "" : "secret", "shop",
            by_path ? 0 : (unsigned)strtoul(where, NULL, 10), by_path ? where : NULL, 0))
        die("connect", mysql_error(mysql));
    return mysql;
}

static MYSQL_STMT *prepared(MYSQL *mysql, const char *sql)
{
    MYSQL_STMT *stmt = mysql_stmt_init(mysql);
    if (!stmt || mysql_stmt_prepare(stmt, sql, strlen(sql)))
        die(sql, mysql_error(mysql));
    return stmt;
}

static void select_one(MYSQL_STMT *stmt, long long id)
{
    char text[64];
    unsigned long length;
    MYSQL_BIND in = {
        .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &id, .buffer_length = sizeof(id)};
    MYSQL_BIND out = {.buffer_type = MYSQL_TYPE_STRING,
                      .buffer = text,
                      .buffer_length = sizeof(text),
                      .length = &length};
    if (mysql_stmt_bind_param(stmt, &in) || mysql_stmt_execute(stmt) ||
        mysql_stmt_bind_result(stmt, &out) || mysql_stmt_store_result(stmt) ||
        mysql_stmt_fetch(stmt) != 0)
        die("select", mysql_stmt_error(stmt));
    mysql_stmt_free_result(stmt);
}

static void *select_often(void *arg)
{
    MYSQL *mysql = connected();
    MYSQL_STMT *stmt = prepared(mysql, CLIENTS_SELECT);
    select_one(stmt, 1);
    pthread_barrier_wait(&gate);
    uint64_t dice = measure_seed((uintptr_t)mysql);
    for (uint64_t i = 0; i < each; i++)
        select_one(stmt, 1 + (long long)(measure_draw(&dice) % CLIENTS_ROWS));
    mysql_stmt_close(stmt);
    mysql_close(mysql);
    return NULL;
}

static void run_select(uint64_t threads)
{
    pthread_t *all = calloc(threads, sizeof(*all));
    if (!all)
        die("threads", "no memory");
    pthread_barrier_init(&gate, NULL, (unsigned)threads + 1);
    for (uint64_t i = 0; i < threads; i++)
        pthread_create(&all[i], NULL, select_often, NULL);
    pthread_barrier_wait(&gate);
    struct measure begun = measure_begin();
    for (uint64_t i = 0; i < threads; i++)
        pthread_join(all[i], NULL);
    measure_end(&begun, "mysql_select", each * threads);
    free(all);
}

static void run_bulk(uint64_t count)
{
    static long long numbers[CLIENTS_BATCH];
    static const char *texts[CLIENTS_BATCH];
    static unsigned long lengths[CLIENTS_BATCH];
    for (size_t i = 0; i < CLIENTS_BATCH; i++) {
        numbers[i] = (long long)i;
        texts[i] = CLIENTS_VALUE;
        lengths[i] = strlen(CLIENTS_VALUE);
    }
    MYSQL *mysql = connected();
    if (mysql_query(mysql, CLIENTS_EMPTY))
        die("truncate", mysql_error(mysql));
    MYSQL_STMT *stmt = prepared(mysql, CLIENTS_INSERT);
    MYSQL_BIND in[2] = {
        {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = numbers},
        { .buffer_type = MYSQL_TYPE_STRING,           .buffer = (void *)texts, .length = lengths},
    };
    unsigned rows = CLIENTS_BATCH;
    struct measure begun = measure_begin();
    for (uint64_t i = 0; i < count; i += CLIENTS_BATCH) {
        mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &rows);
        if (mysql_stmt_bind_param(stmt, in) || mysql_stmt_execute(stmt))
            die("insert", mysql_stmt_error(stmt));
    }
    measure_end(&begun, "mysql_bulk", count);
    mysql_stmt_close(stmt);
    mysql_close(mysql);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("usage", "mysql_threads ROW THREADS COUNT SOCKET|PORT");
    uint64_t threads = strtoull(argv[2], NULL, 10);
    uint64_t count = strtoull(argv[3], NULL, 10);
    where = argv[4];
    each = count / threads;
    mysql_library_init(0, NULL, NULL);
    if (strcmp(argv[1], "mysql_bulk") == 0)
        run_bulk(count);
    else
        run_select(threads);
    mysql_library_end();
    return 0;
}
