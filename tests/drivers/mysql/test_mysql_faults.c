/* SPDX-License-Identifier: MIT */
/*
 * 200 tasks on one pool while the network does everything a network may do: each call has one
 * outcome, which is true, no row reaches anybody else, and the pool recovers by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/drivers/mysql/mysql_test.h"
#include "tests/support/certificates.h"
#include "tests/support/fault_proxy.h"

#define TASKS       200
#define CONNECTIONS 16
#define MOST        16384 /* rows of a task */

struct crowd {
    hr_mysql_pool *pool;
    bool over;
    bool damaged; /* what arrives need not be what was sent */
    uint64_t counts[FAULT_OUTCOMES];
    struct member {
        struct crowd *crowd;
        int id, inserted;
        unsigned char outcomes[MOST];
    } members[TASKS];
};

/* Asks for something that only this task asks for. */
static int ask_for_own(struct member *member, hr_mysql_conn *conn)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = hr_mysql_query(conn, &result, "SELECT ?, ?",
                           HR_ARGS(hr_i(member->id), hr_i(member->inserted)));
    if (r >= 0 && !member->crowd->damaged) {
        ASSERT_EQ(hr_mysql_int(result, 0, 0), member->id);
        ASSERT_EQ(hr_mysql_int(result, 0, 1), member->inserted);
    }
    return r;
}

/* A row and what became of it. */
static int insert(struct member *member, hr_mysql_conn *conn)
{
    struct crowd *crowd = member->crowd;
    int r = hr_mysql_exec(conn, "INSERT INTO t VALUES (?, ?)",
                          HR_ARGS(hr_i(member->id), hr_i(member->inserted)));
    if (r >= 0)
        ASSERT_TRUE(crowd->damaged || r == 1);
    enum fault_outcome outcome = fault_outcome_of(r, crowd->damaged);
    member->outcomes[member->inserted++] = outcome;
    crowd->counts[outcome]++;
    return r;
}

static int insert_until_over(void *arg)
{
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    while (!crowd->over && member->inserted < MOST) {
        hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
        int r = hr_mysql_acquire(crowd->pool, &conn);
        if (r < 0 && !crowd->damaged)
            ASSERT_EQ(fault_outcome_of(r, crowd->damaged), FAULT_NEVER_SENT);
        if (r >= 0)
            r = ask_for_own(member, conn);
        if (r >= 0)
            r = insert(member, conn);
        if (r < 0 && hr_sleep(hr_ms(5)) < 0)
            return 0;
    }
    return 0;
}

/* What was done is a row once, what was never sent is none, and of the rest nothing is twice. */
static void compare(struct crowd *crowd)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = mysql_test_acquire(crowd->pool);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    ASSERT_TRUE(hr_mysql_query(conn, &rows, "SELECT id, n FROM t", HR_NO_ARGS) > 0);
    static unsigned char seen[TASKS][MOST];
    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < hr_mysql_rows(rows); i++) {
        int64_t id = hr_mysql_int(rows, i, 0), n = hr_mysql_int(rows, i, 1);
        ASSERT_TRUE(id >= 0 && id < TASKS && n >= 0 && n < crowd->members[id].inserted);
        ASSERT_EQ(seen[id][n]++, 0);
    }
    for (int id = 0; id < TASKS; id++) {
        for (int n = 0; n < crowd->members[id].inserted; n++) {
            if (crowd->members[id].outcomes[n] != FAULT_UNKNOWN)
                ASSERT_EQ(seen[id][n], crowd->members[id].outcomes[n] == FAULT_DONE);
        }
    }
}

/* Each fault in turn, with some success between them. */
static void suffer_all(struct crowd *crowd, struct fault_proxy *proxy, const enum fault *faults,
                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fault_proxy_suffer(proxy, faults[i], CONNECTIONS);
        for (uint64_t done = crowd->counts[FAULT_DONE]; crowd->counts[FAULT_DONE] < done + TASKS;)
            ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    }
}

static void run_crowd(struct mariadb_server *server, bool tls, bool damaged,
                      const enum fault *faults, size_t n)
{
    struct fault_proxy proxy;
    mariadb_server_sql(server, "DROP TABLE IF EXISTS t;"
                               "CREATE TABLE t (id INT, n INT) ENGINE=InnoDB");
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* the loop has not seen how long the start took */
    fault_proxy_start(&proxy, tls ? NULL : server->socket, server->port, 1);
    char url[96];
    snprintf(url, sizeof(url), "mysql://app:s3cret%%2f%%40%%3a@127.0.0.1:%u/test", proxy.port);
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    ASSERT_TRUE(crowd);
    crowd->damaged = damaged;
    crowd->pool = mysql_test_pool(&(struct hr_mysql_options){
        .url = url,
        .tls = {.ca = tls ? test_certificate("ca.pem") : NULL},
        .connections = CONNECTIONS,
        .query_timeout = test_patience(hr_ms(300)),
        .connect_timeout = test_patience(hr_ms(500)),
        .reconnect = { .first = hr_ms(10), .max = hr_ms(40), .factor = 2, .jitter = true}
    });

    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < TASKS; i++) {
        crowd->members[i].crowd = crowd;
        crowd->members[i].id = i;
        hr_futures_add(&all, hr_create_task("member", insert_until_over, &crowd->members[i]));
    }
    do
        suffer_all(crowd, &proxy, faults, n);
    while (proxy.links <= CONNECTIONS); /* what was flipped may have broken none */
    crowd->over = true;
    ASSERT_ERR(hr_gather(&all, 0), 0);
    if (!damaged)
        compare(crowd);
    ASSERT_TRUE(damaged || crowd->counts[FAULT_UNKNOWN] > 0);
    ASSERT_TRUE(proxy.faults > 1);
    mysql_test_done(crowd->pool);
    fault_proxy_end(&proxy);
    free(crowd);
}

static const enum fault honest[] = {FAULT_LATENCY,  FAULT_DRIP,      FAULT_RESET,
                                    FAULT_TRUNCATE, FAULT_HALF_OPEN, FAULT_REFUSE};
static const enum fault with_flips[] = {FAULT_LATENCY,   FAULT_DRIP,   FAULT_RESET, FAULT_TRUNCATE,
                                        FAULT_HALF_OPEN, FAULT_REFUSE, FAULT_FLIP};

TEST_REAL(through_every_fault_each_mysql_call_has_one_outcome_and_it_is_true)
{
    run_crowd(mariadb_server_shared(), false, false, honest, HR_ARRAY_LEN(honest));
}

TEST_REAL(over_tls_a_flipped_bit_is_but_one_more_mysql_fault)
{
    char cert[128], key[128];
    snprintf(cert, sizeof(cert), "--ssl-cert=%s", test_certificate("server.pem"));
    snprintf(key, sizeof(key), "--ssl-key=%s", test_certificate("server.pem"));
    const char *options[] = {cert, key, NULL};
    struct mariadb_server server;
    mariadb_server_start(&server, 1, options);
    run_crowd(&server, true, false, with_flips, HR_ARRAY_LEN(with_flips));
    mariadb_server_stop(&server);
}

TEST_REAL(a_mysql_pool_survives_bits_that_flip_unseen)
{
    static const enum fault flips[] = {FAULT_FLIP};
    run_crowd(mariadb_server_shared(), false, true, flips, HR_ARRAY_LEN(flips));
}
