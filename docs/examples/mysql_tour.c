/* SPDX-License-Identifier: MIT */
/*
 * What the MySQL client offers, in a bank of three accounts; docs/mysql.md quotes from here.
 *
 *     cc mysql_tour.c $(pkg-config --cflags --libs headrace-clients) -o mysql_tour
 *     ./mysql_tour 'mysql://user@127.0.0.1/test'
 *
 * It makes the table tour_accounts anew and drops it at the end.
 */
#include <core/headrace.h>
#include <drivers/mysql/bind.h>
#include <drivers/mysql/bulk.h>
#include <drivers/mysql/load.h>
#include <drivers/mysql/savepoint.h>
#include <drivers/mysql/transaction.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int set_up(hr_mysql_pool *pool)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(pool, &conn);
    if (r >= 0)
        r = hr_mysql_exec(conn, "DROP TABLE IF EXISTS tour_accounts", HR_NO_ARGS);
    if (r >= 0)
        r = hr_mysql_exec(conn,
                          "CREATE TABLE tour_accounts (id INT PRIMARY KEY, name VARCHAR(32), "
                          "cents BIGINT NOT NULL, closed DATE) ENGINE=InnoDB",
                          HR_NO_ARGS);
    return r;
}

/* The rows come from wherever a function finds them; here from a text, in pieces. */
static int next_piece(void *arg, char *buffer, size_t size)
{
    const char **rest = arg;
    size_t len = strlen(*rest) < size ? strlen(*rest) : size;
    memcpy(buffer, *rest, len);
    *rest += len;
    return (int)len;
}

static int load_accounts(hr_mysql_conn *conn)
{
    const char *rows = "1,Ann,5000,\\N\n2,Bob,100,\\N\n3,Cid,0,2026-01-31\n";
    return hr_mysql_load(conn,
                         "LOAD DATA LOCAL INFILE 'accounts' INTO TABLE tour_accounts "
                         "FIELDS TERMINATED BY ','",
                         next_piece, &rows);
}

/* Row by row, whatever their number: memory holds one at a time. */
static int print_accounts(hr_mysql_conn *conn, int64_t least)
{
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    if (!cursor)
        return -ENOMEM;
    int r = hr_mysql_execute(cursor,
                             "SELECT name, cents FROM tour_accounts WHERE cents >= :least "
                             "ORDER BY id",
                             HR_ARGS(hr_named("least", hr_i(least))));
    const hr_mysql_result *row;
    while (r >= 0 && (r = hr_mysql_fetch_one(cursor, &row)) > 0) {
        int64_t cents;
        int got = hr_mysql_get_int(row, 0, 1, &cents);
        if (got < 0)
            return got;
        printf("%s has %" PRId64 "\n", hr_mysql_text(row, 0, 0, NULL), cents);
    }
    return r;
}

/* A row as a struct. */
struct account {
    int32_t id;
    char name[33];
    struct hr_mysql_time closed;
    bool is_open;
};
static const struct hr_mysql_member account_members[] = {
    HR_MEMBER(struct account, id, "id"),
    HR_MEMBER(struct account, name, "name"),
    HR_MEMBER_OR_NULL(struct account, closed, "closed", is_open),
};
static const struct hr_mysql_shape account = HR_MYSQL_SHAPE(struct account, account_members);

static int print_closed(hr_mysql_conn *conn)
{
    hr_auto(hr_freep) struct account *accounts = NULL;
    int n = hr_mysql_select(conn, &account, &accounts, "SELECT * FROM tour_accounts", HR_NO_ARGS);
    for (int i = 0; i < n; i++) {
        if (!accounts[i].is_open)
            printf("%s left in %u\n", accounts[i].name, accounts[i].closed.year);
    }
    return n;
}

struct transfer {
    int from, to;
    int64_t cents;
};

/* Run anew when others' locks were in the way; committed when it returns 0 or more. */
static int transfer(hr_mysql_tx *tx, void *arg)
{
    const struct transfer *t = arg;
    int r =
        hr_mysql_exec(tx, "UPDATE tour_accounts SET cents = cents - ? WHERE id = ? AND cents >= ?",
                      HR_ARGS(hr_i(t->cents), hr_i(t->from), hr_i(t->cents)));
    if (r == 0)
        return hr_fail(-EDQUOT, "account %d has less than %" PRId64, t->from, t->cents);
    if (r > 0)
        r = hr_mysql_exec(tx, "UPDATE tour_accounts SET cents = cents + ? WHERE id = ?",
                          HR_ARGS(hr_i(t->cents), hr_i(t->to)));
    return r;
}

/* What fails inside a savepoint takes back nothing before it. */
static int give_interest(hr_mysql_tx *tx, void *arg)
{
    int r = hr_mysql_exec(tx, "UPDATE tour_accounts SET cents = cents + 1", HR_NO_ARGS);
    if (r < 0)
        return r;
    hr_auto(hr_mysql_savepoint_end) struct hr_mysql_savepoint bonus = {0};
    r = hr_mysql_savepoint(tx, &bonus);
    if (r >= 0)
        r = transfer(tx, arg);
    if (r == -EDQUOT)
        return 0;
    return r < 0 ? r : hr_mysql_savepoint_release(&bonus);
}

/* Many rows in one statement; all of them or none. */
static int rename_accounts(hr_mysql_conn *conn)
{
    static const char *const names[] = {"Anna", "Robert"};
    static const unsigned long lengths[] = {4, 6};
    static const int64_t ids[] = {1, 2};
    const struct hr_mysql_column columns[] = {
        {.type = HR_MYSQL_TEXT, .texts = names, .lengths = lengths},
        {.type = HR_MYSQL_INT,                     .ints = ids               },
    };
    return hr_mysql_bulk(conn, "UPDATE tour_accounts SET name = ? WHERE id = ?", columns, 2, 0, 2);
}

static int use_connection(hr_mysql_pool *pool)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(pool, &conn);
    if (r >= 0)
        r = load_accounts(conn);
    if (r >= 0)
        r = rename_accounts(conn);
    if (r >= 0)
        r = print_closed(conn);
    return r;
}

static int tour(void *arg)
{
    hr_mysql_pool *pool = arg;
    struct transfer rent = {1, 2, 1500}, too_much = {3, 1, 1000000};
    int r = set_up(pool);
    if (r >= 0)
        r = use_connection(pool);
    if (r >= 0)
        r = hr_mysql_transaction(pool, NULL, transfer, &rent);
    if (r >= 0)
        r = hr_mysql_transaction(pool, NULL, give_interest, &too_much);
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    if (r >= 0)
        r = hr_mysql_acquire(pool, &conn);
    if (r >= 0)
        r = print_accounts(conn, 100);
    return r < 0 ? r : hr_mysql_exec(conn, "DROP TABLE tour_accounts", HR_NO_ARGS);
}

static int run(void *arg)
{
    hr_auto(hr_mysql_pool_freep) hr_mysql_pool *pool = hr_mysql_pool_new(&(struct hr_mysql_options){
        .url = arg, .query_timeout = hr_seconds(10), .kill_query = true});
    if (!pool)
        return hr_last_error()->code;
    int r = tour(pool);
    if (r < 0)
        fprintf(stderr, "mysql_tour: %s\n", hr_error_message(r));
    int closed = hr_mysql_pool_close(pool);
    return r < 0 ? r : closed;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: mysql_tour mysql://user@host/database\n");
        return 2;
    }
    return hr_run(run, argv[1]) < 0;
}
