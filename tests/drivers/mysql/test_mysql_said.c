/* SPDX-License-Identifier: MIT */
/*
 * What messages say: which statement was cut short and by what limit, never what is in its values;
 * and what to do about a server's limits.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/mysql/cursor.h"
#include "drivers/mysql/excerpt.h"
#include "drivers/mysql/once.h"
#include "tests/drivers/mysql/mysql_test.h"

/* The record's message, which is "mysql HOST: " and that. */
static void assert_said(const hr_mysql_conn *conn, const char *what)
{
    char message[HR_ERROR_MESSAGE_MAX];
    snprintf(message, sizeof(message), "mysql %s: %s", hr_mysql_host(conn), what);
    ASSERT_STR(hr_last_error()->message, message);
}

static hr_mysql_pool *patient_for(hr_usec limit)
{
    return mysql_test_pool(&(struct hr_mysql_options){.query_timeout = limit, .kill_query = true});
}

TEST_REAL(a_statement_without_an_answer_is_named_with_its_limit_and_without_its_values)
{
    static const char *const said[] = {
        "no answer within 150 ms to \"DO SLEEP(…), '…'\"",
        "no answer within 150 ms to \"SELECT SLEEP(…), ?\"",
        "no answer within 150 ms to \"DO SLEEP(…)\"",
        "no answer within 150 ms to \"DO SLEEP(…), :secret\"",
    };
    const struct hr_mysql_args secret = HR_ARGS(hr_s("s3cret"));
    const struct hr_mysql_args named = HR_ARGS(hr_named("secret", hr_s("s3cret")));
    hr_mysql_pool *pool = patient_for(hr_ms(150));
    for (size_t way = 0; way < HR_ARRAY_LEN(said); way++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
        hr_mysql_result *rows = NULL;
        int r = way == 0   ? hr_mysql_exec(conn, "DO\n SLEEP(60), 's3cret'", HR_NO_ARGS)
                : way == 1 ? hr_mysql_query(conn, &rows, "SELECT SLEEP(60), ?", secret)
                : way == 2 ? hr_mysql_execute(cursor, "DO SLEEP(61) -- it's", HR_NO_ARGS)
                           : hr_mysql_execute(cursor, "DO SLEEP(60), :secret", named);
        ASSERT_ERR(r, -ETIMEDOUT);
        ASSERT_TRUE(hr_last_error()->sent);
        assert_said(conn, said[way]);
        hr_mysql_release(conn);
    }
    mysql_test_done(pool);
}

static const char slow_rows[] = "SELECT REPEAT('x', 9000), SLEEP(IF(seq > 9, 60, 0)) "
                                "FROM seq_1_to_10";

TEST_REAL(rows_that_do_not_come_in_time_are_those_of_their_statement)
{
    hr_mysql_pool *pool = patient_for(hr_ms(150));
    for (int way = 0; way < 2; way++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
        char sql[sizeof(slow_rows)];
        const hr_mysql_result *row;
        strcpy(sql, slow_rows);
        ASSERT_ERR(hr_mysql_execute(cursor, sql, HR_NO_ARGS), 0);
        memset(sql, 0, sizeof(sql)); /* it need not live longer */
        int r = way;
        while (way == 0 && (r = hr_mysql_fetch_one(cursor, &row)) > 0)
            ;
        if (way == 1)
            r = hr_mysql_next_result(cursor);
        ASSERT_ERR(r, -ETIMEDOUT);
        assert_said(conn, "no answer within 150 ms to "
                          "\"SELECT REPEAT('…', …), SLEEP(IF(seq > …, …, …)) FROM seq_1_to_10\"");
        hr_mysql_release(conn);
    }
    mysql_test_done(pool);
}

static int kill_sleeper(void *arg)
{
    static const char asleep[] = "SELECT COALESCE(MAX(id), 0) FROM information_schema.PROCESSLIST "
                                 "WHERE user = 'app' AND state = 'User sleep'";
    char sql[64];
    long long id;
    while ((id = mysql_test_number(asleep)) == 0)
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    snprintf(sql, sizeof(sql), "KILL %lld", id);
    mariadb_server_sql(mariadb_server_shared(), sql);
    return 0;
}

/* By its limit, and by the end of the connection. */
TEST_REAL(a_statement_that_waits_behind_rows_that_are_left_has_not_been_sent)
{
    mysql_test_table("id INT PRIMARY KEY");
    for (int killed = 0; killed < 2; killed++) {
        hr_mysql_pool *pool = patient_for(killed ? hr_seconds(30) : hr_ms(150));
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
        ASSERT_ERR(hr_mysql_execute(cursor, slow_rows, HR_NO_ARGS), 0);
        hr_task *killer = killed ? hr_create_task("killer", kill_sleeper, NULL) : NULL;
        ASSERT_ERR(hr_mysql_execute(cursor, "INSERT INTO t VALUES (1)", HR_NO_ARGS),
                   killed ? -ENOTCONN : -ETIMEDOUT);
        ASSERT_FALSE(hr_last_error()->sent);
        if (killed)
            ASSERT_ERR(hr_join(killer), 0);
        else
            assert_said(conn, "could not be sent within 150 ms: \"INSERT INTO t VALUES (…)\"");
        hr_mysql_release(conn);
        mysql_test_done(pool);
    }
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 0);
}

static int sleep_with_limit(void *conn)
{
    int r = hr_mysql_exec(conn, "DO SLEEP(60)", HR_NO_ARGS);
    assert_said(conn, "cancelled before the answer (limit: 1500000 ms) to \"DO SLEEP(…)\"");
    return r;
}

static int sleep_without_limit(void *conn)
{
    int r = hr_mysql_exec(conn, "DO SLEEP(60)", HR_NO_ARGS);
    assert_said(conn, "cancelled before the answer (limit: none) to \"DO SLEEP(…)\"");
    return r;
}

TEST_REAL(a_statement_that_is_cancelled_is_named_with_its_limit)
{
    for (int endless = 0; endless < 2; endless++) {
        hr_mysql_pool *pool = patient_for(endless ? HR_FOREVER : hr_ms(1500000));
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_task *task =
            hr_create_task("victim", endless ? sleep_without_limit : sleep_with_limit, conn);
        mysql_test_until("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE user = 'app' "
                         "AND info = 'DO SLEEP(60)'",
                         1);
        hr_task_cancel(task, NULL);
        ASSERT_ERR(hr_join(task), -ECANCELED);
        hr_mysql_release(conn);
        mysql_test_done(pool);
        mysql_test_until("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE user = 'app'",
                         0);
    }
}

/* What is written out by the client is not what is told. */
TEST_REAL(of_a_transaction_in_one_request_the_statement_is_named_without_its_rows)
{
    mysql_test_table("id INT PRIMARY KEY, s VARCHAR(9)");
    hr_mysql_pool *pool = patient_for(hr_ms(150));
    hr_mysql_tx *tx = NULL;
    ASSERT_ERR(hr_mysql_tx_acquire(pool, &tx), 0);
    const int64_t ids[] = {1};
    const char *const texts[] = {"s3cret"};
    const unsigned long lengths[] = {6};
    const struct hr_mysql_column columns[] = {
        {HR_MYSQL_INT,  {.ints = ids},    NULL,    NULL},
        {HR_MYSQL_TEXT, {.texts = texts}, lengths, NULL},
    };
    ASSERT_ERR(hr_mysql_once(tx, "DO SLEEP(60)", "INSERT INTO t VALUES (?, ?)", columns, 2, 1),
               -ETIMEDOUT);
    assert_said(tx, "no answer within 150 ms to \"INSERT INTO t VALUES (?, ?)\"");
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

TEST_PLAIN(a_statement_s_excerpt_is_one_short_line_without_its_values)
{
#define NAME "abcdefghij"
#define LONG "SELECT " NAME "," NAME "," NAME "," NAME "," NAME "," NAME ","
    static const struct {
        const char *sql, *excerpt;
    } cases[] = {
        {"",                                                    ""                                      },
        {" /* hint */ SELECT\t\n  a ",                          "SELECT a"                              },
        {"SELECT 'it''s', \"a\\\"b\", `c'd` -- 'x\nFROM t",     "SELECT '…''…', '…', `c'd` FROM t"},
        {"INSERT INTO t VALUES ('left open",                    "INSERT INTO t VALUES ('…'"           },
        {"SELECT \1\x7f, ü, \xff\xc3)",                        "SELECT ??, ü, ?"
                                        "?)"                    },
        {"SELECT \xe2\x82",                                     "SELECT ??"                             },
        {LONG "abcdef",                                         LONG "abcdef"                           },
        {LONG "abcdefg",                                        LONG "abc…"                           },
        {LONG "abc'4'",                                         LONG "abc…"                           },
        {LONG "abcü4567",                                      LONG "abc…"                           },
        {LONG "abc,45",                                         LONG "abc…"                           },
        {"SELECT 0, -1, 2.5, .5, 3., t.*",                      "SELECT …, -…, …, …, …, t.*"  },
        {"SELECT 1e9, 1.5E-3, .1e+2, 0xC0FFEE, 0b101",          "SELECT …, …, …, …, …"        },
        {"WHERE id=4111111111111111",                           "WHERE id=…"                          },
        {"SELECT 5-3, 1.5x, 1e5x, (7)",                         "SELECT …-…, …x, …x, (…)"     },
        {"SELECT t1.col_2, 2fa, t.2fa, `3`, @4, 0xyz, 5e, :p6",
         "SELECT t1.col_2, 2fa, t.2fa, `3`, @4, 0xyz, 5e, :p6"                                          },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        char excerpt[HR__MYSQL_EXCERPT_MAX];
        hr__mysql_excerpt(cases[i].sql, excerpt);
        ASSERT_STR(excerpt, cases[i].excerpt);
    }
}

TEST_REAL(a_server_with_too_many_prepared_statements_says_what_to_do)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    long long most = mysql_test_number("SELECT @@max_prepared_stmt_count");
    char sql[64];
    snprintf(sql, sizeof(sql), "SET GLOBAL max_prepared_stmt_count = %lld", most);
    mariadb_server_sql(mariadb_server_shared(), "SET GLOBAL max_prepared_stmt_count = 0");
    int r = hr_mysql_exec(conn, "DO ?", HR_ARGS(hr_i(1)));
    mariadb_server_sql(mariadb_server_shared(), sql);
    ASSERT_ERR(r, HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1461);
    ASSERT_STR(hr_last_error()->message,
               "Can't create more than max_prepared_stmt_count statements (current value: 0): all "
               "clients' together are too many; have pools keep fewer (statements), or raise it");
    ASSERT_ERR(hr_mysql_exec(conn, "DO ?", HR_ARGS(hr_i(1))), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
