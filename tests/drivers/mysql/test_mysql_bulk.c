/* SPDX-License-Identifier: MIT */
/*
 * Bulk inserts: by arrays, and by VALUES as for servers that take no arrays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/columns.h"
#include "drivers/mysql/conn.h"
#include "drivers/mysql/values.h"
#include "tests/drivers/mysql/mysql_test.h"

#define ROWS 10000

static const char insert_sql[] = "INSERT INTO t (id, s, u, d, b) VALUES (?, ?, ?, ?, ?)";

struct batch {
    int64_t ids[ROWS];
    char words[ROWS][24];
    const char *texts[ROWS];
    unsigned long lengths[ROWS];
    uint64_t uints[ROWS];
    double doubles[ROWS];
    bool nulls[ROWS];
    struct hr_mysql_column columns[5];
};

static struct batch *batch_new(void)
{
    struct batch *b = calloc(1, sizeof(*b));
    for (int i = 0; i < ROWS; i++) {
        b->ids[i] = i;
        b->lengths[i] = (unsigned long)snprintf(b->words[i], sizeof(b->words[i]), "w'\\%c%d",
                                                i % 7 ? 'x' : '\0', i);
        b->lengths[i] = i % 7 ? strlen(b->words[i]) : 3;
        b->texts[i] = b->words[i];
        b->uints[i] = UINT64_MAX - (uint64_t)i;
        b->doubles[i] = i / 8.0;
        b->nulls[i] = i % 3 == 0;
    }
    b->columns[0] = (struct hr_mysql_column){HR_MYSQL_INT, {.ints = b->ids}};
    b->columns[1] =
        (struct hr_mysql_column){HR_MYSQL_TEXT, {.texts = b->texts}, b->lengths, b->nulls};
    b->columns[2] = (struct hr_mysql_column){HR_MYSQL_UINT, {.uints = b->uints}};
    b->columns[3] =
        (struct hr_mysql_column){HR_MYSQL_DOUBLE, {.doubles = b->doubles}, NULL, b->nulls};
    b->columns[4] = (struct hr_mysql_column){HR_MYSQL_BYTES, {.texts = b->texts}, b->lengths};
    return b;
}

static void make_table(void)
{
    mysql_test_table("id INT PRIMARY KEY, s VARCHAR(12), u BIGINT UNSIGNED, d DOUBLE, "
                     "b VARBINARY(12) NOT NULL");
}

/* A transaction as on MariaDB (0) or as on a server without arrays (1). */
static hr_mysql_tx *begin(hr_mysql_pool *pool, int plain)
{
    hr_mysql_tx *tx = mysql_test_begin(pool);
    tx->has_bulk = !plain;
    return tx;
}

static void end(hr_mysql_tx *tx)
{
    tx->has_bulk = true;
    hr_mysql_tx_end(&tx);
}

TEST_REAL(ten_thousand_rows_arrive_as_they_were)
{
    hr_auto(hr_freep) struct batch *b = batch_new();
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int plain = 0; plain < 2; plain++) {
        make_table();
        hr_mysql_tx *tx = begin(pool, plain);
        ASSERT_EQ(hr_mysql_bulk(tx, insert_sql, b->columns, 5, 0, ROWS), ROWS);
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        end(tx);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), ROWS);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t WHERE s IS NULL AND d IS NULL"),
                  (ROWS + 2) / 3);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t WHERE u = 18446744073709551615 - id "
                                    "AND (d IS NULL OR d = id / 8) AND (s IS NULL OR s = b)"),
                  ROWS);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t WHERE "
                                    "b = CONCAT('w\\'\\\\x', id) OR b = 'w\\'\\\\'"),
                  ROWS);
    }
    mysql_test_done(pool);
}

TEST_REAL(a_bulk_takes_a_part_of_the_rows)
{
    hr_auto(hr_freep) struct batch *b = batch_new();
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int plain = 0; plain < 2; plain++) {
        make_table();
        hr_mysql_tx *tx = begin(pool, plain);
        ASSERT_EQ(hr_mysql_bulk(tx, insert_sql, b->columns, 5, 100, 50), 50);
        ASSERT_EQ(hr_mysql_bulk(tx, insert_sql, b->columns, 5, 99, 1), 1);
        ASSERT_EQ(hr_mysql_bulk(tx, insert_sql, b->columns, 5, 99, 0), 0);
        ASSERT_ERR(hr_mysql_commit(tx), 0);
        end(tx);
        ASSERT_EQ(mysql_test_number("SELECT MIN(id) * 1000 + MAX(id) FROM t"), 99149);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 51);
    }
    mysql_test_done(pool);
}

/* What goes wrong with row k, and what the server says. */
static const int rows_of_a_batch = 1000;

static void spoil(struct batch *b, int kind, size_t k)
{
    switch (kind) {
    case 1406:
        b->texts[k] = "a text that is far too long";
        b->lengths[k] = strlen(b->texts[k]);
        b->nulls[k] = false;
        break;
    case 1062:
        b->ids[k] = b->ids[k - 1];
        break;
    default: /* 1048 */
        b->columns[4].nulls = calloc(ROWS, sizeof(bool));
        ((bool *)b->columns[4].nulls)[k] = true;
    }
}

TEST_REAL(a_refused_row_is_named_and_leaves_nothing_behind)
{
    const int kinds[] = {1406, 1062, 1048};
    const size_t rows[] = {2, 500, 1000};
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int plain = 0; plain < 2; plain++) {
        for (size_t i = 0; i < 9; i++) {
            int kind = kinds[i / 3];
            size_t k = rows[i % 3];
            hr_auto(hr_freep) struct batch *b = batch_new();
            make_table();
            spoil(b, kind, k - 1);
            hr_mysql_tx *tx = begin(pool, plain);
            ASSERT_EQ(hr_mysql_exec(tx, "INSERT INTO t VALUES (-1, '', 0, 0, '')", HR_NO_ARGS), 1);
            ASSERT_ERR(hr_mysql_bulk(tx, insert_sql, b->columns, 5, 0, rows_of_a_batch), HR_EREPLY);
            ASSERT_EQ(hr_last_error()->native, kind);
            int row = hr_mysql_refused_row(tx);
            /* Text errors without "at row n" say nothing where GET DIAGNOSTICS is not to be had. */
            ASSERT_EQ(row, plain && kind != 1406 ? 0 : k);
            ASSERT_EQ(hr_mysql_refused_row(tx), plain && kind == 1406 ? k : 0);
            ASSERT_TRUE(hr_mysql_in_transaction(tx));
            ASSERT_STR(mysql_test_value(tx, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "1");
            ASSERT_EQ(hr_mysql_bulk(tx, insert_sql, b->columns, 5, 0, k - 1), k - 1);
            ASSERT_ERR(hr_mysql_commit(tx), 0);
            end(tx);
            ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), k);
            if (kind == 1048)
                free((void *)b->columns[4].nulls);
        }
    }
    mysql_test_done(pool);
}

/* Which of five rows is refused when the third has this value. */
static int refused_of_five(hr_mysql_pool *pool, int plain, const char *value)
{
    const char *texts[] = {"1", "2", value, "4", "5"};
    unsigned long lengths[5];
    for (size_t i = 0; i < 5; i++)
        lengths[i] = strlen(texts[i]);
    const struct hr_mysql_column column = {HR_MYSQL_TEXT, {.texts = texts}, lengths};
    hr_mysql_tx *tx = begin(pool, plain);
    ASSERT_ERR(hr_mysql_bulk(tx, "INSERT INTO t VALUES (?)", &column, 1, 0, 5), HR_EREPLY);
    int row = hr_mysql_refused_row(tx);
    ASSERT_ERR(hr_mysql_rollback(tx), 0);
    end(tx);
    return row;
}

TEST_REAL(a_value_cannot_lay_the_blame_on_another_row)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int plain = 0; plain < 2; plain++) {
        mysql_test_table("v INT");
        ASSERT_EQ(refused_of_five(pool, plain, "it stands at row 1"), 3);

        mysql_test_table("v VARCHAR(50)");
        mariadb_server_sql(mariadb_server_shared(),
                           "CREATE TRIGGER fussy BEFORE INSERT ON t FOR EACH ROW BEGIN "
                           "IF LENGTH(NEW.v) > 1 THEN SIGNAL SQLSTATE '45000' "
                           "SET MESSAGE_TEXT = NEW.v; END IF; END");
        int row = refused_of_five(pool, plain, "no at row 1");
        ASSERT_TRUE(row == 3 || row == 0);
    }
    mysql_test_done(pool);
}

TEST_REAL(nobody_is_asked_for_a_refused_row_when_none_was_refused)
{
    hr_auto(hr_freep) struct batch *b = batch_new();
    make_table();
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_tx *tx = begin(pool, 0);
    ASSERT_EQ(hr_mysql_refused_row(tx), 0);
    spoil(b, 1406, 4);
    ASSERT_ERR(hr_mysql_bulk(tx, insert_sql, b->columns, 5, 0, 10), HR_EREPLY);
    ASSERT_ERR(hr_mysql_exec(tx, "DO 1", HR_NO_ARGS), 0);
    ASSERT_EQ(hr_mysql_refused_row(tx), 0);
    end(tx);
    mysql_test_done(pool);
}

/* Beyond one packet. */

#define BIG_ROWS 40

struct big {
    int64_t ids[BIG_ROWS];
    const char *texts[BIG_ROWS];
    unsigned long lengths[BIG_ROWS];
    struct hr_mysql_column columns[2];
    char *bytes;
};

static struct big *big_new(size_t row)
{
    struct big *b = calloc(1, sizeof(*b));
    b->bytes = malloc(row + 1);
    memset(b->bytes, 'x', row + 1);
    for (int i = 0; i < BIG_ROWS; i++) {
        b->ids[i] = i;
        b->texts[i] = b->bytes;
        b->lengths[i] = row;
    }
    b->columns[0] = (struct hr_mysql_column){HR_MYSQL_INT, {.ints = b->ids}};
    b->columns[1] = (struct hr_mysql_column){HR_MYSQL_TEXT, {.texts = b->texts}, b->lengths};
    return b;
}

static void big_freep(struct big **b)
{
    free((*b)->bytes);
    free(*b);
}

TEST_PLAIN(rows_fit_in_a_packet_with_what_stands_in_front_of_them)
{
    const char *const texts[] = {"", ""};
    const unsigned long lengths[] = {391, 391};
    const struct hr_mysql_column column = {HR_MYSQL_TEXT, {.texts = texts}, lengths, NULL};
    const struct hr__mysql_columns columns = {&column, 1};
    ASSERT_EQ(hr__mysql_columns_bytes(&columns, 1), 400);
    ASSERT_EQ(hr__mysql_columns_fit(&columns, 800 + 67, 0, 2), 2);
    ASSERT_EQ(hr__mysql_columns_fit(&columns, 800 + 66, 0, 2), 1);
    ASSERT_EQ(hr__mysql_columns_fit(&columns, 10, 0, 2), 1); /* to be refused by itself */
}

TEST_REAL(a_bulk_beyond_max_allowed_packet_goes_in_pieces_and_stays_all_or_nothing)
{
    mariadb_server_sql(mariadb_server_shared(), "SET GLOBAL max_allowed_packet = 1048576");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    const char *sql = "INSERT INTO t VALUES (?, ?)";
    for (int plain = 0; plain < 2; plain++) {
        hr_auto(big_freep) struct big *b = big_new(100000);
        mysql_test_table("id INT PRIMARY KEY, s MEDIUMTEXT");
        hr_mysql_tx *tx = begin(pool, plain);
        ASSERT_EQ(hr_mysql_max_packet(tx), 1048576);
        ASSERT_EQ(hr_mysql_bulk(tx, sql, b->columns, 2, 0, BIG_ROWS), BIG_ROWS);
        ASSERT_STR(mysql_test_value(tx, "SELECT SUM(LENGTH(s)) FROM t", HR_NO_ARGS), "4000000");
        ASSERT_ERR(hr_mysql_rollback(tx), 0);

        b->ids[32] = 31; /* refused in a later piece */
        ASSERT_ERR(hr_mysql_restart(tx), 0);
        ASSERT_EQ(hr_mysql_exec(tx, "INSERT INTO t VALUES (-1, '')", HR_NO_ARGS), 1);
        ASSERT_ERR(hr_mysql_bulk(tx, sql, b->columns, 2, 0, BIG_ROWS), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1062);
        ASSERT_EQ(hr_mysql_refused_row(tx), plain ? 0 : 33);
        ASSERT_TRUE(hr_mysql_in_transaction(tx));
        ASSERT_STR(mysql_test_value(tx, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "1");
        ASSERT_ERR(hr_mysql_rollback(tx), 0);
        end(tx);
    }
    mysql_test_done(pool);
    mariadb_server_sql(mariadb_server_shared(), "SET GLOBAL max_allowed_packet = DEFAULT");
}

TEST_REAL(a_row_that_no_packet_can_carry_is_refused_by_number)
{
    mariadb_server_sql(mariadb_server_shared(), "SET GLOBAL max_allowed_packet = 1048576");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int plain = 0; plain < 2; plain++) {
        hr_auto(big_freep) struct big *b = big_new(2 << 20);
        mysql_test_table("id INT PRIMARY KEY, s MEDIUMTEXT");
        for (int i = 0; i < BIG_ROWS; i++)
            b->lengths[i] = i == 7 ? (2 << 20) : 10;
        hr_mysql_tx *tx = begin(pool, plain);
        ASSERT_ERR(hr_mysql_bulk(tx, "INSERT INTO t VALUES (?, ?)", b->columns, 2, 0, BIG_ROWS),
                   HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1153);
        ASSERT_EQ(hr_mysql_refused_row(tx), 8);
        ASSERT_STR(mysql_test_value(tx, "SELECT COUNT(*) FROM t", HR_NO_ARGS), "0");
        ASSERT_ERR(hr_mysql_rollback(tx), 0);
        end(tx);
    }
    mysql_test_done(pool);
    mariadb_server_sql(mariadb_server_shared(), "SET GLOBAL max_allowed_packet = DEFAULT");
}

TEST_REAL(a_bulk_that_is_no_bulk_is_a_mistake)
{
    make_table();
    hr_auto(hr_freep) struct batch *b = batch_new();
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (int plain = 0; plain < 2; plain++) {
        hr_mysql_tx *tx = begin(pool, plain);
        ASSERT_ERR(hr_mysql_bulk(tx, insert_sql, b->columns, 4, 0, 10), -EINVAL);
        ASSERT_ERR(hr_mysql_bulk(tx, insert_sql, b->columns, 0, 0, 10), -EINVAL);
        ASSERT_EQ(hr_mysql_bulk(tx, insert_sql, b->columns, 5, 0, 1), 1);
        end(tx);
    }
    mysql_test_done(pool);
}

/* Taking INSERTs apart. */

static void parses(const char *sql, size_t questions, const char *head, const char *row,
                   const char *tail)
{
    struct hr__mysql_values v;
    ASSERT_ERR(hr__mysql_values_parse(sql, questions, &v), 0);
    ASSERT_TRUE(v.head_len == strlen(head) && memcmp(v.head, head, v.head_len) == 0);
    ASSERT_TRUE(v.row_len == strlen(row) && memcmp(v.row, row, v.row_len) == 0);
    ASSERT_TRUE(v.tail_len == strlen(tail) && memcmp(v.tail, tail, v.tail_len) == 0);
}

TEST_PLAIN(an_insert_is_cut_at_its_row_of_question_marks)
{
    parses("INSERT INTO t VALUES (?)", 1, "INSERT INTO t VALUES ", "(?)", "");
    parses("insert into t (a, b) values(?,NOW(3), ?) on duplicate key update a = VALUES(a)", 2,
           "insert into t (a, b) values", "(?,NOW(3), ?)",
           " on duplicate key update a = VALUES(a)");
    parses("INSERT INTO `values (?)` (`a?`) VALUE /* ( */ (?, '?''\\'?', \"?\")", 1,
           "INSERT INTO `values (?)` (`a?`) VALUE /* ( */ ", "(?, '?''\\'?', \"?\")", "");
    parses("INSERT t -- VALUES (?)\nVALUES # (?)\n(COALESCE(?, (1)))", 1,
           "INSERT t -- VALUES (?)\nVALUES # (?)\n", "(COALESCE(?, (1)))", "");
    parses("INSERT INTO \303\251values(a) VALUES(?)", 1, "INSERT INTO \303\251values(a) VALUES",
           "(?)", "");
}

TEST_PLAIN(what_is_no_such_insert_is_refused)
{
    const char *bad[] = {"INSERT INTO t SELECT ?",
                         "INSERT INTO t VALUES (?, ?)",
                         "INSERT INTO t VALUES (1)",
                         "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = ?",
                         "INSERT INTO t VALUES (?",
                         "INSERT INTO t (a) VALUES '?'",
                         "UPDATE t SET myvalues (?)",
                         "",
                         "VALUES",
                         "INSERT INTO t VALUES ('?)",
                         "/* VALUES (?)"};
    struct hr__mysql_values v;
    for (size_t i = 0; i < HR_ARRAY_LEN(bad); i++)
        ASSERT_ERR(hr__mysql_values_parse(bad[i], 1, &v), -EINVAL);
}
