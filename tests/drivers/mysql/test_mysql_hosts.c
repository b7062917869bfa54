/* SPDX-License-Identifier: MIT */
/*
 * Hosts that stand in for each other: which of them a pool leads to, and what moves it.
 */
#include <stdio.h>
#include <string.h>

#include "tests/drivers/mysql/mysql_test.h"

/* Two servers that take the place of each other; users without rights over read_only. */
static struct mariadb_server *one(void)
{
    static struct mariadb_server server;
    if (!server.dir[0]) {
        mariadb_server_start(&server, 1, NULL);
        mariadb_server_sql(&server, "CREATE TABLE test.w (id INT) ENGINE=InnoDB;"
                                    "CREATE USER writer@'%';"
                                    "GRANT SELECT, INSERT ON test.* TO writer@'%'");
    }
    if (!server.pid)
        mariadb_server_revive(&server);
    return &server;
}

static struct mariadb_server *two(void)
{
    struct mariadb_server *server = mariadb_server_shared();
    mariadb_server_sql(server, "CREATE TABLE IF NOT EXISTS test.w (id INT) ENGINE=InnoDB;"
                               "CREATE USER IF NOT EXISTS writer@'%';"
                               "GRANT SELECT, INSERT ON test.* TO writer@'%'");
    return server;
}

/* As after a failover: this one takes writes and that one does not. */
static void promote(struct mariadb_server *primary, struct mariadb_server *replica)
{
    mariadb_server_sql(replica, "SET GLOBAL read_only = 1");
    mariadb_server_sql(primary, "SET GLOBAL read_only = 0");
}

static void end_replication(void)
{
    mariadb_server_sql(one(), "SET GLOBAL read_only = 0");
    mariadb_server_sql(two(), "SET GLOBAL read_only = 0");
}

static hr_mysql_pool *pool_with(const char *parameters, struct hr_mysql_options options)
{
    char url[128];
    snprintf(url, sizeof(url), "mysql://writer@127.0.0.1:%u,127.0.0.1:%u/test%s", one()->port,
             two()->port, parameters);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the loop has not seen how long a start takes */
    options.url = url;
    options.password = "";
    return mysql_test_pool(&options);
}

static hr_mysql_pool *pool_of(const char *parameters, hr_usec connect_timeout)
{
    return pool_with(parameters, (struct hr_mysql_options){.connect_timeout = connect_timeout});
}

static bool leads_to(const hr_mysql_conn *conn, const struct mariadb_server *server)
{
    char name[32];
    snprintf(name, sizeof(name), "127.0.0.1:%u", server->port);
    return strcmp(hr_mysql_host(conn), name) == 0;
}

static bool lends(hr_mysql_pool *pool, const struct mariadb_server *server)
{
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    bool right = leads_to(conn, server);
    hr_mysql_release(conn);
    return right;
}

TEST_REAL(of_several_hosts_the_first_that_takes_writes_is_used)
{
    promote(two(), one());
    hr_mysql_pool *pool = pool_of("", 0), *any = pool_of("?role=any", 0);
    hr_mysql_conn *conn = mysql_test_acquire(pool), *reader = mysql_test_acquire(any);
    ASSERT_TRUE(leads_to(conn, two()));
    ASSERT_FALSE(hr_mysql_is_read_only(conn));
    ASSERT_TRUE(leads_to(reader, one()));
    ASSERT_TRUE(hr_mysql_is_read_only(reader));
    hr_mysql_release(conn);
    hr_mysql_release(reader);
    mysql_test_done(pool);
    mysql_test_done(any);

    /* A host that is named alone is used as it is. */
    char url[64];
    snprintf(url, sizeof(url), "mysql://writer@127.0.0.1:%u/test", one()->port);
    pool = mysql_test_pool(&(struct hr_mysql_options){.url = url, .password = ""});
    ASSERT_TRUE(lends(pool, one()));
    mysql_test_done(pool);

    mariadb_server_sql(two(), "SET GLOBAL read_only = 1");
    pool = pool_of("", 0);
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
    ASSERT_EQ(hr_last_error()->native, 1290);
    ASSERT_TRUE(strstr(hr_last_error()->message, "it is read-only, and a primary is asked for"));
    ASSERT_TRUE(strstr(hr_last_error()->message, "nor any of the 1 hosts after it"));
    mysql_test_done(pool);
    end_replication();
}

/* Which no statement changes: the server is started so. */
TEST_REAL(a_host_whose_tables_are_read_only_is_no_primary)
{
    struct mariadb_server frozen;
    const char *const options[] = {"--innodb-read-only=1", NULL};
    mariadb_server_start(&frozen, 1, options);
    char url[128];
    snprintf(url, sizeof(url), "mysql://root@127.0.0.1:%u/test?role=primary", frozen.port);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.url = url, .password = ""});
    hr_mysql_conn *conn = NULL;
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), -ENOTCONN);
    ASSERT_EQ(hr_last_error()->native, 1290);
    mysql_test_done(pool);
    mariadb_server_stop(&frozen);
}

/* Sessions that are there already go on writing. */
TEST_REAL(a_host_whose_sessions_begin_read_only_is_no_primary)
{
    promote(one(), two());
    hr_mysql_pool *pool = pool_of("", 0);
    hr_mysql_conn *elder = mysql_test_acquire(pool);
    ASSERT_TRUE(leads_to(elder, one()));
    mariadb_server_sql(two(), "SET GLOBAL read_only = 0");
    mariadb_server_sql(one(), "SET GLOBAL TRANSACTION READ ONLY");
    ASSERT_ERR(hr_mysql_exec(elder, "INSERT INTO w VALUES (1)", HR_NO_ARGS), 1);
    ASSERT_TRUE(lends(pool, two()));
    hr_mysql_release(elder);
    mysql_test_done(pool);

    /* Named alone it is used, and left again each time that it says so. */
    char url[64];
    snprintf(url, sizeof(url), "mysql://writer@127.0.0.1:%u/test", one()->port);
    pool = mysql_test_pool(&(struct hr_mysql_options){.url = url, .password = ""});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_TRUE(hr_mysql_is_read_only(conn));
    ASSERT_ERR(hr_mysql_exec(conn, "INSERT INTO w VALUES (2)", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1792);
    hr_mysql_release(conn);
    mariadb_server_sql(one(), "SET GLOBAL TRANSACTION READ WRITE");
    conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "INSERT INTO w VALUES (3)", HR_NO_ARGS), 1);
    hr_mysql_release(conn);
    mysql_test_done(pool);
    end_replication();
}

TEST_REAL(a_primary_that_becomes_read_only_is_left_with_all_connections)
{
    promote(one(), two());
    hr_mysql_pool *pool = pool_of("", 0);
    hr_mysql_conn *a = mysql_test_acquire(pool), *b = mysql_test_acquire(pool);
    ASSERT_TRUE(leads_to(a, one()) && leads_to(b, one()));
    ASSERT_ERR(hr_mysql_exec(a, "INSERT INTO w VALUES (1)", HR_NO_ARGS), 1);

    promote(two(), one());
    ASSERT_ERR(hr_mysql_exec(a, "INSERT INTO w VALUES (2)", HR_NO_ARGS), HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1290);
    hr_mysql_release(a);
    hr_mysql_release(b);
    hr_mysql_conn *c = mysql_test_acquire(pool);
    ASSERT_TRUE(leads_to(c, two()));
    ASSERT_ERR(hr_mysql_exec(c, "INSERT INTO w VALUES (3)", HR_NO_ARGS), 1);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.open, 1);

    promote(one(), two()); /* and back */
    ASSERT_ERR(hr_mysql_exec(c, "INSERT INTO w VALUES (4)", HR_NO_ARGS), HR_EREPLY);
    hr_mysql_release(c);
    ASSERT_TRUE(lends(pool, one()));
    mysql_test_done(pool);
    end_replication();
}

TEST_REAL(a_host_that_is_down_or_silent_is_passed_over)
{
    hr_mysql_pool *pool = pool_of("", hr_seconds(20));
    ASSERT_TRUE(lends(pool, one()));
    mariadb_server_kill(one());
    ASSERT_TRUE(lends(pool, two()));

    (void)one(); /* lives again */
    hr_mysql_pool *patient = pool_of("", hr_seconds(2));
    mariadb_server_freeze(one());
    hr_usec start = hr_now();
    ASSERT_TRUE(lends(patient, two()));
    ASSERT_TRUE(hr_now() - start >= hr_ms(950) && hr_now() - start < hr_seconds(2));
    mariadb_server_thaw(one());
    mysql_test_done(patient);
    mysql_test_done(pool);
}

TEST_REAL(a_connection_to_an_earlier_host_takes_all_others_with_it)
{
    hr_mysql_pool *pool = pool_of("", 0);
    promote(two(), one());
    hr_mysql_conn *a = mysql_test_acquire(pool), *b = mysql_test_acquire(pool);
    ASSERT_TRUE(leads_to(a, two()) && leads_to(b, two()));
    hr_mysql_release(a);
    promote(one(), two());
    /* Nobody has noticed; the next connection finds the new primary, and what idles is closed. */
    hr_mysql_conn *c = mysql_test_acquire(pool), *d = mysql_test_acquire(pool);
    ASSERT_TRUE(leads_to(c, two()) && leads_to(d, one()));
    hr_mysql_release(b);
    hr_mysql_release(c);
    hr_mysql_release(d);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.open, 1);
    ASSERT_TRUE(lends(pool, one()));
    mysql_test_done(pool);
    end_replication();
}

/* A connection that leads past the first host, whose logins are refused meanwhile. */
static hr_mysql_conn *acquire_from_two(hr_mysql_pool *pool)
{
    mariadb_server_sql(one(), "ALTER USER writer@'%' ACCOUNT LOCK");
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    mariadb_server_sql(one(), "ALTER USER writer@'%' ACCOUNT UNLOCK");
    ASSERT_TRUE(leads_to(conn, two()));
    return conn;
}

TEST_REAL(where_any_host_will_do_connections_to_several_are_kept)
{
    hr_mysql_pool *pool = pool_of("?role=any", 0);
    hr_mysql_conn *a = mysql_test_acquire(pool);
    ASSERT_TRUE(leads_to(a, one()));
    hr_mysql_conn *b = acquire_from_two(pool);
    hr_mysql_release(a);
    hr_mysql_release(b);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.idle, 2);
    mysql_test_done(pool);
}

TEST_REAL(a_statement_is_killed_on_the_host_that_runs_it)
{
    hr_mysql_pool *pool = pool_with("?role=any", (struct hr_mysql_options){
                                                     .query_timeout = hr_ms(100),
                                                     .kill_query = true,
                                                 });
    hr_mysql_conn *conn = acquire_from_two(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "DO SLEEP(60)", HR_NO_ARGS), -ETIMEDOUT);
    hr_mysql_release(conn);
    ASSERT_ERR(hr_mysql_pool_close(pool), 0);
    struct hr_mysql_counts counts;
    hr_mysql_pool_get_counts(pool, &counts);
    ASSERT_EQ(counts.killed, 1);
    hr_mysql_pool_free(pool);
}

/* Two hosts by themselves. */

struct question {
    hr_mysql_pool *pool;
    const char *sql, *start, *end;
    char *story;
};

static int ask(void *arg)
{
    const struct question *question = arg;
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = mysql_test_acquire(question->pool);
    strcat(question->story, question->start);
    int r = hr_mysql_exec(conn, question->sql, HR_NO_ARGS);
    strcat(question->story, question->end);
    return r;
}

TEST_TICKING(s23_9_two_hosts_are_asked_side_by_side)
{
    char story[16] = "", urls[2][64];
    snprintf(urls[0], sizeof(urls[0]), "mysql://writer@127.0.0.1:%u/test", one()->port);
    snprintf(urls[1], sizeof(urls[1]), "mysql://writer@127.0.0.1:%u/test", two()->port);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    struct question questions[] = {
        {.sql = "DO GET_LOCK('turn', 30)", .start = "1", .end = "!", .story = story},
        {.sql = "DO SLEEP(0.01)",          .start = "2", .end = "?", .story = story},
    };
    hr_task *asked[2];
    for (int i = 0; i < 2; i++) {
        questions[i].pool =
            mysql_test_pool(&(struct hr_mysql_options){.url = urls[i], .password = ""});
        hr_mysql_release(mysql_test_acquire(questions[i].pool)); /* both are connected */
    }
    hr_mysql_conn *holder = mysql_test_acquire(questions[0].pool); /* until the other is done */
    hr_mysql_release(mysql_test_acquire(questions[0].pool));
    ASSERT_ERR(hr_mysql_exec(holder, "DO GET_LOCK('turn', 0)", HR_NO_ARGS), 0);
    for (int i = 0; i < 2; i++)
        asked[i] = hr_create_task("question", ask, &questions[i]);
    ASSERT_ERR(hr_join(asked[1]), 0);
    ASSERT_ERR(hr_mysql_exec(holder, "DO RELEASE_LOCK('turn')", HR_NO_ARGS), 0);
    ASSERT_ERR(hr_join(asked[0]), 0);
    hr_mysql_release(holder);
    ASSERT_STR(story, "12?!");
    mysql_test_done(questions[0].pool);
    mysql_test_done(questions[1].pool);
}
