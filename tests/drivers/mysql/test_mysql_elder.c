/* SPDX-License-Identifier: MIT */
/*
 * A server that speaks the protocol and is not MariaDB: the same calls do the same by other ways.
 */
#include <stdio.h>
#include <string.h>

#include "tests/drivers/mysql/mysql_test.h"
#include "tests/drivers/mysql/relay.h"

enum { ROWS = 5 };

struct batch {
    int64_t ids[ROWS];
    const char *texts[ROWS];
    unsigned long lengths[ROWS];
    bool nulls[ROWS];
    struct hr_mysql_column columns[2]; /* text, number */
};

static void batch_init(struct batch *b)
{
    static const char *const texts[ROWS] = {"one", "it's", "\\three\"", "", "five"};
    for (int i = 0; i < ROWS; i++) {
        b->ids[i] = i + 1;
        b->texts[i] = texts[i];
        b->lengths[i] = strlen(texts[i]);
        b->nulls[i] = i == 3;
    }
    b->columns[0] = (struct hr_mysql_column){
        .type = HR_MYSQL_TEXT, .texts = b->texts, .lengths = b->lengths, .nulls = b->nulls};
    b->columns[1] = (struct hr_mysql_column){.type = HR_MYSQL_INT, .ints = b->ids};
}

static void run_bulks(hr_mysql_conn *conn)
{
    static const char insert[] = "INSERT INTO t (s, id) VALUES (?, ?)";
    static const char update[] = "UPDATE t SET s = ? WHERE id = ?";
    static const char all[] = "SELECT GROUP_CONCAT(id, IFNULL(s, '-') ORDER BY id) FROM t";
    struct batch b;
    batch_init(&b);
    ASSERT_EQ(hr_mysql_bulk(conn, insert, b.columns, 2, 0, ROWS), ROWS);
    ASSERT_STR(mysql_test_value(conn, all, HR_NO_ARGS), "1one,2it's,3\\three\",4-,5five");

    b.texts[1] = "two";
    b.lengths[1] = 3;
    ASSERT_EQ(hr_mysql_bulk(conn, update, b.columns, 2, 0, ROWS), 1);
    ASSERT_EQ(hr_mysql_bulk(conn, "DELETE FROM t WHERE id = ?", &b.columns[1], 1, 3, 2), 2);
    ASSERT_STR(mysql_test_value(conn, all, HR_NO_ARGS), "1one,2two,3\\three\"");

    /* The third row is too long, in either: named, and nothing is left of those before it. */
    b.texts[2] = "much too long";
    b.lengths[2] = strlen(b.texts[2]);
    b.texts[0] = "zero";
    b.lengths[0] = 4;
    ASSERT_ERR(hr_mysql_bulk(conn, update, b.columns, 2, 0, 3), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1406);
    ASSERT_EQ(hr_mysql_refused_row(conn), 3);
    ASSERT_EQ(hr_mysql_exec(conn, "DELETE FROM t WHERE id > 1", HR_NO_ARGS), 2);
    b.ids[0] = 10;
    ASSERT_ERR(hr_mysql_bulk(conn, insert, b.columns, 2, 0, 3), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1406);
    ASSERT_EQ(hr_mysql_refused_row(conn), 3);
    ASSERT_STR(mysql_test_value(conn, all, HR_NO_ARGS), "1one");
}

TEST_TICKING(t10_a_server_without_arrays_gets_the_same_rows_as_text_and_one_by_one)
{
    mysql_test_table("id INT PRIMARY KEY, s VARCHAR(9)");
    struct relay relay = {.elder = true};
    relay_start(&relay, mariadb_server_shared()->port);
    char url[96];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@127.0.0.1:%u/test", relay.port);
    hr_mysql_pool *pool =
        mysql_test_pool(&(struct hr_mysql_options){.url = url,
                                                   .connections = 1,
                                                   .write_timeout = hr_seconds(5),
                                                   .statement_time = hr_seconds(5)});
    hr_mysql_conn *conn = mysql_test_acquire(pool); /* and sets nothing that MySQL has not */
    ASSERT_FALSE(hr_mysql_is_mariadb(conn));
    ASSERT_FALSE(hr_mysql_has_bulk(conn));
    ASSERT_EQ(hr_mysql_version(conn), 80036);
    run_bulks(conn);
    hr_mysql_release(conn);
    mysql_test_done(pool);
    ASSERT_EQ(relay.bulks, 0);
    relay_end(&relay);
}
