/* SPDX-License-Identifier: MIT */
/*
 * LOAD DATA LOCAL from memory; servers that ask for files; several statements in one text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io.h"
#include "drivers/mysql/conn.h"
#include "drivers/mysql/cursor.h"
#include "drivers/mysql/load.h"
#include "drivers/resolve.h"
#include "tests/drivers/mysql/mysql_test.h"

static const char load_sql[] = "LOAD DATA LOCAL INFILE 'rows' INTO TABLE t "
                               "FIELDS TERMINATED BY ',' (id, v)";

struct source {
    int row, rows;
    int fail_at, code; /* the row to fail at, and how; a code > 0 is given as it is */
    hr_usec nap;
};

static int give_rows(void *arg, char *buffer, size_t size)
{
    struct source *source = arg;
    size_t n = 0;
    if (source->nap > 0) {
        int r = hr_sleep(source->nap);
        if (r < 0)
            return r;
    }
    while (source->row < source->rows && size - n > 32) {
        if (source->code && source->row == source->fail_at)
            return source->code > 0 ? source->code : hr_fail(source->code, "the source is dry");
        n += (size_t)snprintf(buffer + n, size - n, "%d,%d\n", source->row, source->row * 2);
        source->row++;
    }
    return (int)n;
}

static int load(hr_mysql_conn *conn, struct source *source)
{
    return hr_mysql_load(conn, load_sql, give_rows, source);
}

TEST_REAL(data_is_loaded_from_a_function_that_may_wait)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (int naps = 0; naps < 2; naps++) {
        mysql_test_table("id INT PRIMARY KEY, v INT");
        int rows = naps ? 2000 : 100000;
        struct source source = {.rows = rows, .nap = naps ? hr_ms(1) : 0};
        ASSERT_ERR(load(conn, &source), rows);
        ASSERT_EQ(mysql_test_number("SELECT SUM(v) FROM test.t"), (long long)rows * (rows - 1));
    }
    struct source none = {.rows = 0};
    ASSERT_ERR(load(conn, &none), 0);
    struct source again = {.rows = 5};
    ASSERT_ERR(hr_mysql_load(conn,
                             "LOAD DATA LOCAL INFILE 'x' REPLACE INTO TABLE t FIELDS TERMINATED "
                             "BY ',' (id, v)",
                             give_rows, &again),
               5);
    ASSERT_ERR(hr_mysql_load(conn, "DELETE FROM t", give_rows, &again), -EINVAL);
    ASSERT_ERR(
        hr_mysql_load(conn, "LOAD DATA LOCAL INFILE 'x' INTO TABLE nosuch", give_rows, &again),
        HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1146);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(what_does_not_fit_where_data_is_loaded_is_warned_of)
{
    mysql_test_table("id INT PRIMARY KEY, v TINYINT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    struct source source = {.row = 62, .rows = 66}; /* 124, 126, 128 and 130 */
    ASSERT_ERR(load(conn, &source), 4);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *warnings = NULL;
    ASSERT_EQ(hr_mysql_warnings(conn, &warnings), 2);
    struct source again = {.row = 65, .rows = 67}; /* one is there already */
    ASSERT_ERR(load(conn, &again), 1);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(data_that_breaks_off_is_not_loaded)
{
    const int codes[] = {-ENOENT, -ECANCELED, 1 << 20};
    const int become[] = {-ENOENT, -ECANCELED, -EINVAL};
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    for (size_t i = 0; i < HR_ARRAY_LEN(codes); i++) {
        mysql_test_table("id INT PRIMARY KEY, v INT");
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        struct source source = {.rows = 100000, .fail_at = 50000, .code = codes[i]};
        ASSERT_ERR(load(conn, &source), become[i]);
        if (codes[i] == -ENOENT)
            ASSERT_STR(hr_last_error()->message, "the source is dry");
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
        char gone[128];
        snprintf(gone, sizeof(gone),
                 "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id = %lu",
                 mysql_thread_id(conn->mysql));
        hr_mysql_release(conn);
        mysql_test_until(gone, 0);
        ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), 0);
    }
    mysql_test_done(pool);
}

TEST_REAL(a_call_loads_once)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.multi_statements = true});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    char twice[2 * sizeof(load_sql) + 2];
    snprintf(twice, sizeof(twice), "%s; %s", load_sql, load_sql);
    struct source source = {.rows = 2};
    ASSERT_ERR(hr_mysql_load(conn, twice, give_rows, &source), -EINVAL);
    ASSERT_STR(hr_last_error()->message, "a text of several statements loads data once");
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), 2);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(loading_ends_with_its_deadline)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.query_timeout = hr_ms(200)});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    struct source source = {.rows = 10, .nap = hr_seconds(60)};
    ASSERT_ERR(load(conn, &source), -ETIMEDOUT);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(without_the_call_no_file_is_sent_whoever_asks)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    char path[128], sql[256], several[280];
    snprintf(path, sizeof(path), "%s/file", mariadb_server_shared()->dir);
    FILE *file = fopen(path, "w");
    ASSERT_TRUE(file && fputs("1,1\n", file) >= 0 && fclose(file) == 0);
    snprintf(sql, sizeof(sql),
             "LOAD DATA LOCAL INFILE '%s' INTO TABLE t FIELDS TERMINATED BY ',' (id, v)", path);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.multi_statements = true});
    for (int after = 0; after < 2; after++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        struct source none = {.rows = 0};
        if (after)
            ASSERT_ERR(load(conn, &none), 0);
        ASSERT_ERR(hr_mysql_exec(conn, sql, HR_NO_ARGS), -EPROTO);
        hr_mysql_release(conn);
    }
    /* Behind another statement, too. */
    snprintf(several, sizeof(several), "DO 1; %s; SELECT 2", sql);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, several, HR_NO_ARGS), -EPROTO);
    hr_mysql_release(conn);
    conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    ASSERT_ERR(hr_mysql_execute(cursor, several, HR_NO_ARGS), 0);
    ASSERT_ERR(hr_mysql_next_result(cursor), -EPROTO);
    hr_mysql_release(conn);
    mysql_test_done(pool);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM test.t"), 0);
    unlink(path);
}

/* A server of a few words: greets, takes any login, any SET and any question about variables, and
 * asks for a file whatever it is asked then. */

struct thief {
    int listener;
    char path[128];
    char heard[4096];
    size_t n_heard; /* behind its question */
    bool left;      /* the client has closed the connection */
};

/* Reads one packet into buffer, which is large enough. */
static int read_packet(int fd, char *buffer, size_t size, size_t *ret)
{
    size_t have = 0, want = 4;
    while (have < want) {
        int r = hr_wait_fd(fd, HR_READ);
        if (r < 0)
            return r;
        ssize_t n = recv(fd, buffer + have, want - have, 0);
        if (n <= 0)
            return -ECONNRESET;
        have += (size_t)n;
        if (want == 4 && have == 4)
            want += (unsigned char)buffer[0] | (size_t)(unsigned char)buffer[1] << 8;
        if (want > size)
            return -EMSGSIZE;
    }
    *ret = have;
    return 0;
}

static int say(int fd, int number, const char *body, size_t len)
{
    char packet[256] = {(char)len, 0, 0, (char)number};
    memcpy(packet + 4, body, len);
    return write(fd, packet, len + 4) == (ssize_t)len + 4 ? 0 : -EIO;
}

#define OK_PACKET "\0\0\0\2\0\0\0"

static int steal(void *arg)
{
    struct thief *thief = arg;
    static const char greeting[] = "\x0a"
                                   "5.5.5-10.11.0-MariaDB\0"
                                   "\1\0\0\0"
                                   "abcdefgh\0"
                                   "\xfe\xf7"
                                   "\x2d"
                                   "\2\0"
                                   "\xff\x81"
                                   "\x15"
                                   "\0\0\0\0\0\0"
                                   "\x1d\0\0\0"
                                   "ijklmnopqrst\0"
                                   "mysql_native_password";
    char question[160] = "\xfb", packet[4096];
    size_t len;
    int r = hr_wait_fd(thief->listener, HR_READ);
    if (r < 0)
        return r;
    int fd = accept4(thief->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    r = say(fd, 0, greeting, sizeof(greeting));
    if (r >= 0)
        r = read_packet(fd, packet, sizeof(packet), &len); /* the login */
    if (r >= 0)
        r = say(fd, packet[3] + 1, OK_PACKET, 7);
    for (int i = 0; r >= 0 && i < 2; i++) { /* SET, SHOW */
        r = read_packet(fd, packet, sizeof(packet), &len);
        if (r >= 0)
            r = say(fd, 1, OK_PACKET, 7);
    }
    if (r >= 0)
        r = read_packet(fd, packet, sizeof(packet), &len);
    size_t n = (size_t)snprintf(question + 1, sizeof(question) - 1, "%s", thief->path) + 1;
    if (r >= 0)
        r = say(fd, 1, question, n);
    while (r >= 0) {
        r = read_packet(fd, packet, sizeof(packet), &len);
        if (r >= 0 && thief->n_heard + len <= sizeof(thief->heard)) {
            memcpy(thief->heard + thief->n_heard, packet, len);
            thief->n_heard += len;
        }
        if (r >= 0 && len == 4)
            r = say(fd, packet[3] + 1, OK_PACKET, 7); /* and it would go on as if nothing were */
    }
    thief->left = r == -ECONNRESET;
    close(fd);
    return 0;
}

TEST_REAL(a_server_that_asks_for_a_file_gets_nothing)
{
    struct thief thief = {0};
    char socket_path[128], url[200];
    snprintf(thief.path, sizeof(thief.path), "%s/secret", mariadb_server_shared()->dir);
    FILE *file = fopen(thief.path, "w");
    ASSERT_TRUE(file && fputs("the secret", file) >= 0 && fclose(file) == 0);
    snprintf(socket_path, sizeof(socket_path), "%s/thief", mariadb_server_shared()->dir);
    snprintf(url, sizeof(url), "mysql://app@/test?socket=%s", socket_path);
    for (int way = 0; way < 4; way++) {
        struct hr_address address;
        ASSERT_ERR(hr_address_unix(socket_path, &address), 0);
        thief.n_heard = 0;
        thief.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ASSERT_EQ(bind(thief.listener, (struct sockaddr *)&address.addr, address.len), 0);
        ASSERT_EQ(listen(thief.listener, 1), 0);
        hr_task *task = hr_create_task("thief", steal, &thief);
        hr_mysql_pool *pool = mysql_test_pool(
            &(struct hr_mysql_options){.url = url, .query_timeout = test_patience(hr_ms(300))});
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
        hr_mysql_result *rows = NULL;
        int r = 0;
        if (way == 0)
            r = hr_mysql_exec(conn, "LOAD DATA LOCAL INFILE '/x' INTO TABLE t", HR_NO_ARGS);
        else if (way == 1)
            r = hr_mysql_query(conn, &rows, "SELECT 1", HR_NO_ARGS);
        else if (way == 2)
            r = hr_mysql_execute(cursor, "SELECT 1", HR_NO_ARGS);
        else
            r = hr_mysql_exec(conn, "SELECT ?", HR_ARGS(hr_i(1))); /* asked of its prepare */
        ASSERT_TRUE(r < 0);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
        hr_mysql_release(conn);
        mysql_test_done(pool);
        ASSERT_ERR(hr_join(task), 0);
        ASSERT_TRUE(memmem(thief.heard, thief.n_heard, "secret", 6) == NULL);
        close(thief.listener);
        unlink(socket_path);
    }
    unlink(thief.path);
}

/* Several statements. */

TEST_REAL(several_statements_in_one_text_go_only_where_they_were_asked_for)
{
    mysql_test_table("id INT PRIMARY KEY, v INT");
    static const char several[] = "INSERT INTO t VALUES (1, 1), (2, 2); SELECT id FROM t; "
                                  "UPDATE t SET v = 7";
    for (int allowed = 0; allowed < 2; allowed++) {
        hr_mysql_pool *pool =
            mysql_test_pool(&(struct hr_mysql_options){.multi_statements = allowed});
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
        if (allowed) {
            hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
            ASSERT_ERR(hr_mysql_execute(cursor, several, HR_NO_ARGS), 2);
            ASSERT_EQ(hr_mysql_next_result(cursor), 1);
            ASSERT_EQ(hr_mysql_fetch_all(cursor, &rows), 2);
            ASSERT_EQ(hr_mysql_next_result(cursor), 1);
            ASSERT_EQ(hr_mysql_cursor_affected(cursor), 2);
            ASSERT_EQ(hr_mysql_next_result(cursor), 0);
            ASSERT_ERR(hr_mysql_execute(cursor, "DO 1; SELECT nosuch; DO 2", HR_NO_ARGS), 0);
            ASSERT_ERR(hr_mysql_next_result(cursor), HR_EREPLY);
            ASSERT_EQ(hr_last_error()->native, 1054);
            ASSERT_ERR(hr_mysql_exec(conn, "DO 1; DO 2", HR_NO_ARGS), 0);
        } else {
            ASSERT_ERR(hr_mysql_execute(cursor, several, HR_NO_ARGS), HR_EREPLY);
            ASSERT_EQ(hr_last_error()->native, 1064);
        }
        ASSERT_EQ(mysql_test_number("SELECT COALESCE(SUM(v), 0) FROM test.t"), allowed ? 14 : 0);
        hr_mysql_release(conn);
        mysql_test_done(pool);
    }
}
