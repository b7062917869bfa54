/* SPDX-License-Identifier: MIT */
/*
 * Arrays of UPDATE and DELETE, rows that a bulk gives back, and what it does not take.
 */
#include <math.h>
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/once.h"
#include "tests/drivers/mysql/mysql_test.h"

enum { ROWS = 40 };

struct batch {
    int64_t ids[ROWS], values[ROWS];
    struct hr_mysql_column columns[2]; /* v, id */
};

/* v becomes 100 + id where it was id. */
static void batch_init(struct batch *b)
{
    for (int i = 0; i < ROWS; i++) {
        b->ids[i] = i;
        b->values[i] = 100 + i;
    }
    b->columns[0] = (struct hr_mysql_column){.type = HR_MYSQL_INT, .ints = b->values};
    b->columns[1] = (struct hr_mysql_column){.type = HR_MYSQL_INT, .ints = b->ids};
    mysql_test_table("id INT AUTO_INCREMENT PRIMARY KEY, v TINYINT UNSIGNED UNIQUE");
    mariadb_server_sql(mariadb_server_shared(), "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; "
                                                "INSERT INTO t SELECT seq, seq FROM seq_0_to_39");
}

static const char update[] = "/* all */ UPDATE t SET v = ? WHERE id = ?";
static const char changed[] = "SELECT COUNT(*) FROM test.t WHERE v <> id";

enum where { BY_ITSELF, AFTER_A_SCOPE, IN_A_SCOPE, IN_ONE_BEGUN_BY_HAND, WHERES };

static bool is_inside(enum where where)
{
    return where == IN_A_SCOPE || where == IN_ONE_BEGUN_BY_HAND;
}

static hr_mysql_conn *enter(hr_mysql_pool *pool, enum where where, bool plain)
{
    bool scope = where == IN_A_SCOPE || where == AFTER_A_SCOPE;
    hr_mysql_conn *conn = scope ? mysql_test_begin(pool) : mysql_test_acquire(pool);
    if (where == AFTER_A_SCOPE)
        ASSERT_ERR(hr_mysql_commit(conn), 0);
    if (where == IN_ONE_BEGUN_BY_HAND)
        ASSERT_ERR(hr_mysql_exec(conn, "BEGIN", HR_NO_ARGS), 0);
    conn->has_bulk = !plain;
    return conn;
}

static void leave(hr_mysql_conn *conn, enum where where)
{
    if (where == IN_A_SCOPE)
        ASSERT_ERR(hr_mysql_commit(conn), 0);
    else if (where == IN_ONE_BEGUN_BY_HAND)
        ASSERT_ERR(hr_mysql_exec(conn, "COMMIT", HR_NO_ARGS), 0);
    conn->has_bulk = true;
    hr_mysql_release(conn);
}

TEST_REAL(a_bulk_updates_and_deletes)
{
    struct batch b;
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int way = 0; way < 2 * WHERES; way++) {
        batch_init(&b);
        hr_mysql_conn *conn = enter(pool, (enum where)(way / 2), way % 2);
        ASSERT_EQ(hr_mysql_bulk(conn, update, b.columns, 2, 0, ROWS), ROWS);
        ASSERT_EQ(hr_mysql_bulk(conn, update, b.columns, 2, 0, ROWS), 0);
        ASSERT_EQ(hr_mysql_bulk(conn, "DELETE FROM t WHERE id = ?", &b.columns[1], 1, 10, 3), 3);
        leave(conn, (enum where)(way / 2));
        ASSERT_EQ(mysql_test_number(changed), ROWS - 3);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t WHERE v = 100 + id"), ROWS - 3);
    }
    mysql_test_done(pool);
}

TEST_TICKING(t9_a_bulk_update_with_a_poison_row_changes_nothing)
{
    struct batch b;
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int way = 0; way < 2 * WHERES; way++) {
        for (int kind = 0; kind < 2; kind++) {
            batch_init(&b);
            b.values[30] = kind ? 107 : 300; /* a duplicate, out of range */
            hr_mysql_conn *conn = enter(pool, (enum where)(way / 2), way % 2);
            if (is_inside((enum where)(way / 2)))
                ASSERT_EQ(hr_mysql_exec(conn, "UPDATE t SET v = 200 WHERE id = 39", HR_NO_ARGS), 1);
            ASSERT_ERR(hr_mysql_bulk(conn, update, b.columns, 2, 0, ROWS), HR_EREPLY);
            ASSERT_EQ(hr_last_error()->native, kind ? 1062 : 1264);
            ASSERT_EQ(hr_mysql_refused_row(conn), way % 2 ? 31 : 0);
            /* The connection is as it was before, and so are the rows. */
            ASSERT_EQ(hr_mysql_in_transaction(conn), is_inside((enum where)(way / 2)));
            ASSERT_EQ(hr_mysql_exec(conn, "UPDATE t SET v = 201 WHERE id = 38", HR_NO_ARGS), 1);
            leave(conn, (enum where)(way / 2));
            ASSERT_EQ(mysql_test_number(changed), is_inside((enum where)(way / 2)) ? 2 : 1);
        }
    }
    mysql_test_done(pool);
}

/* The server would store them as 0 in a DECIMAL. */
TEST_REAL(a_double_that_is_no_number_is_refused_in_every_way)
{
    const double doubles[] = {0.5, NAN, INFINITY, -INFINITY};
    const bool nulls[] = {false, false, true, true};
    struct hr_mysql_column column = {HR_MYSQL_DOUBLE, {.doubles = doubles}};
    mysql_test_table("n DECIMAL(5,2)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const char *insert = "INSERT INTO t VALUES (?)";
    for (size_t i = 1; i < HR_ARRAY_LEN(doubles); i++)
        ASSERT_ERR(hr_mysql_exec(conn, insert, HR_ARGS(hr_d(doubles[i]))), -EINVAL);
    ASSERT_STR(hr_last_error()->message, "value 1 is -inf, and no column holds that");
    ASSERT_EQ(hr_mysql_exec(conn, insert, HR_ARGS(hr_d(0.25))), 1);
    for (int arrays = 0; arrays < 2; arrays++) {
        conn->has_bulk = arrays;
        column.nulls = NULL;
        ASSERT_ERR(hr_mysql_bulk(conn, insert, &column, 1, 0, 3), -EINVAL);
        ASSERT_TRUE(strstr(hr_last_error()->message, "row 2: value 1 is ") != NULL);
        column.nulls = nulls;
        ASSERT_EQ(hr_mysql_bulk(conn, insert, &column, 1, 2, 2), 2);
    }
    hr_mysql_release(conn);
    hr_mysql_tx *tx = NULL;
    ASSERT_ERR(hr_mysql_tx_acquire(pool, &tx), 0);
    ASSERT_ERR(hr_mysql_once(tx, "DO 1", insert, &column, 1, 4), -EINVAL);
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 5);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(n) FROM t"), 1);
}

TEST_REAL(a_bulk_insert_by_itself_is_whole_beyond_one_packet_too)
{
    struct batch b;
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int plain = 0; plain < 2; plain++) {
        batch_init(&b);
        mysql_test_table("v INT PRIMARY KEY, id INT");
        b.values[30] = b.values[29];
        hr_mysql_conn *conn = enter(pool, BY_ITSELF, plain);
        size_t packet = conn->max_packet;
        conn->max_packet = 256; /* a few rows */
        ASSERT_ERR(hr_mysql_bulk(conn, "INSERT INTO t VALUES (?, ?)", b.columns, 2, 0, ROWS),
                   HR_EREPLY);
        ASSERT_FALSE(hr_mysql_in_transaction(conn));
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), 0);
        b.values[30] = 130;
        ASSERT_EQ(hr_mysql_bulk(conn, "INSERT INTO t VALUES (?, ?)", b.columns, 2, 0, ROWS), ROWS);
        ASSERT_FALSE(hr_mysql_in_transaction(conn));
        conn->max_packet = packet;
        leave(conn, BY_ITSELF);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), ROWS);
    }
    mysql_test_done(pool);
}

static const char *refusal_of(hr_mysql_conn *conn, const struct hr_mysql_column *columns)
{
    ASSERT_ERR(hr_mysql_bulk(conn, "INSERT INTO t (id, v) VALUES (?, ?)", columns, 2, 0, 1),
               -EINVAL);
    return hr_last_error()->message;
}

/* Whether it would be sent as an array or as text. */
TEST_REAL(a_bulk_says_what_a_column_has_not)
{
    const int64_t one[] = {1};
    const char *const texts[] = {"2"};
    const unsigned long lengths[] = {1};
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_tx *tx = mysql_test_begin(pool);
    for (int plain = 0; plain < 2; plain++) {
        tx->has_bulk = !plain;
        struct hr_mysql_column columns[] = {
            {.type = HR_MYSQL_INT,  .ints = one   },
            {.type = HR_MYSQL_TEXT, .texts = texts}
        };
        ASSERT_STR(refusal_of(tx, columns), "column 2 of a bulk has no lengths");
        columns[1].lengths = lengths;
        columns[1].texts = NULL;
        ASSERT_STR(refusal_of(tx, columns), "column 2 of a bulk has no texts");
        columns[1].type = HR_MYSQL_DOUBLE;
        ASSERT_STR(refusal_of(tx, columns), "column 2 of a bulk has no doubles");
        columns[1].type = HR_MYSQL_NULL;
        ASSERT_STR(refusal_of(tx, columns), "column 2 of a bulk has no type");
        columns[0].ints = NULL;
        ASSERT_STR(refusal_of(tx, columns), "column 1 of a bulk has no ints");
    }
    tx->has_bulk = true;
    hr_mysql_tx_end(&tx);
    mysql_test_done(pool);
}

TEST_REAL(a_bulk_gives_back_the_rows_that_the_server_made_of_it)
{
    struct batch b;
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int way = 0; way < 4; way++) { /* arrays or text, in one packet or several */
        batch_init(&b);
        mysql_test_table("id INT AUTO_INCREMENT PRIMARY KEY, v INT");
        hr_mysql_conn *conn = enter(pool, BY_ITSELF, way % 2);
        size_t packet = conn->max_packet;
        if (way / 2)
            conn->max_packet = 256;
        hr_auto(hr_mysql_result_freep) hr_mysql_result *made = NULL;
        ASSERT_EQ(hr_mysql_bulk_returning(conn, &made,
                                          "INSERT INTO t (v) VALUES (?) RETURNING id, v", b.columns,
                                          1, 0, ROWS),
                  ROWS);
        for (int i = 0; i < ROWS; i++) {
            if (i > 0) /* statements leave gaps between them */
                ASSERT_TRUE(hr_mysql_int(made, (size_t)i, 0) >
                            hr_mysql_int(made, (size_t)i - 1, 0));
            ASSERT_EQ(hr_mysql_int(made, (size_t)i, 1), 100 + i);
        }
        hr_auto(hr_mysql_result_freep) hr_mysql_result *gone = NULL;
        ASSERT_EQ(hr_mysql_bulk_returning(conn, &gone, "DELETE FROM t WHERE v = ? RETURNING v",
                                          &b.columns[0], 1, 5, 3),
                  3);
        ASSERT_EQ(hr_mysql_int(gone, 2, 0), 107);
        hr_auto(hr_mysql_result_freep) hr_mysql_result *none = NULL;
        ASSERT_EQ(hr_mysql_bulk_returning(conn, &none, "INSERT INTO t (v) VALUES (?)", b.columns, 1,
                                          0, 2),
                  0);
        ASSERT_EQ(hr_mysql_columns(none), 0);
        conn->max_packet = packet;
        leave(conn, BY_ITSELF);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), ROWS - 3 + 2);
    }
    mysql_test_done(pool);
}

/* Refused alike, whether arrays can be sent or not, and the transaction goes on. */
static void expect_no_bulk(const char *sql, const char *what)
{
    struct batch b;
    batch_init(&b);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int plain = 0; plain < 2; plain++) {
        hr_mysql_conn *conn = enter(pool, IN_A_SCOPE, plain);
        ASSERT_EQ(hr_mysql_exec(conn, "UPDATE t SET v = 200 WHERE id = 39", HR_NO_ARGS), !plain);
        ASSERT_ERR(hr_mysql_bulk(conn, sql, &b.columns[1], 1, 0, ROWS), -EINVAL);
        ASSERT_TRUE(strstr(hr_last_error()->message, what));
        ASSERT_EQ(hr_mysql_refused_row(conn), 0);
        ASSERT_TRUE(hr_mysql_in_transaction(conn));
        leave(conn, IN_A_SCOPE);
        ASSERT_EQ(mysql_test_number(changed), 1);
    }
    mysql_test_done(pool);
}

TEST_REAL(a_statement_that_is_no_bulk_is_refused_alike_with_arrays_and_without)
{
    static const char advice[] = "a bulk is an INSERT, REPLACE, UPDATE or DELETE; of others have "
                                 "hr_mysql_exec() or hr_mysql_query() run one a row: ";
    static const char *const others[] = {
        "SELECT ?",
        "VALUES (?)",
        "DO ?",
        "SET @a = ?",
        "EXPLAIN INSERT INTO t (v) VALUES (?)",
        "SET STATEMENT max_statement_time = 9 FOR SELECT ?",
        "",
        "set statement",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(others); i++)
        expect_no_bulk(others[i], advice);
    expect_no_bulk("SELECT 'secret', ? /* x */", "run one a row: \"SELECT '…', ?\"");
    expect_no_bulk("INSERT INTO t (v) SELECT ?",
                   "a bulk statement reads INSERT … VALUES (…) with 1 question marks there");
}

TEST_REAL(a_bulk_deletes_from_several_tables_where_no_array_does)
{
    struct batch b;
    static const char delete[] = "DELETE t FROM t, (SELECT 1) AS one WHERE id = ?";
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int way = 0; way < 2 * WHERES; way++) {
        batch_init(&b);
        hr_mysql_conn *conn = enter(pool, (enum where)(way / 2), way % 2);
        ASSERT_EQ(hr_mysql_bulk(conn, delete, &b.columns[1], 1, 10, 3), 3);
        ASSERT_EQ(hr_mysql_bulk(conn, delete, &b.columns[1], 1, 10, 1), 0);
        leave(conn, (enum where)(way / 2));
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), ROWS - 3);
    }
    mysql_test_done(pool);
}

TEST_REAL(a_bulk_update_with_settings_of_its_own_is_all_or_nothing_too)
{
    struct batch b;
    static const char limited[] = "SET STATEMENT max_statement_time = 9 FOR "
                                  "UPDATE t SET v = ? WHERE id = ?";
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int way = 0; way < 2 * WHERES; way++) {
        batch_init(&b);
        hr_mysql_conn *conn = enter(pool, (enum where)(way / 2), way % 2);
        b.values[30] = 107; /* a duplicate */
        ASSERT_ERR(hr_mysql_bulk(conn, limited, b.columns, 2, 0, ROWS), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        leave(conn, (enum where)(way / 2));
        ASSERT_EQ(mysql_test_number(changed), 0);
        conn = enter(pool, (enum where)(way / 2), way % 2);
        ASSERT_EQ(hr_mysql_bulk(conn, limited, b.columns, 2, 0, 30), 30);
        leave(conn, (enum where)(way / 2));
        ASSERT_EQ(mysql_test_number(changed), 30);
    }
    mysql_test_done(pool);
}
