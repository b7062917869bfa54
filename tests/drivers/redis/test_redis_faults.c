/* SPDX-License-Identifier: MIT */
/*
 * A crowd on one client of one server, through every fault, plain and over TLS.
 */
#include "tests/drivers/redis/fault_crowd.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

static void run(struct test_redis *server, bool damaged, const enum fault *faults, size_t n)
{
    struct fault_crowd crowd = {.damaged = damaged};
    char url[64];
    fault_crowd_add(&crowd, server->tls ? NULL : server->socket, server->port);
    snprintf(url, sizeof(url), "%s://127.0.0.1:%u/0", server->tls ? "rediss" : "redis",
             server->port);
    struct hr_redis_options options =
        fault_crowd_options(url, server->tls ? test_certificate("ca.pem") : NULL);
    crowd.redis = hr_redis_new(&options);
    fault_crowd_run(&crowd, faults, n);
}

TEST_REAL(through_every_fault_each_redis_call_has_one_outcome_and_it_is_true)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    run(&server, false, fault_crowd_honest, HR_ARRAY_LEN(fault_crowd_honest));
}

TEST_REAL(over_tls_a_flipped_bit_is_but_one_more_redis_fault)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start_tls(&server, false);
    run(&server, false, fault_crowd_flipping, HR_ARRAY_LEN(fault_crowd_flipping));
}

TEST_REAL(a_redis_client_survives_bits_that_flip_unseen)
{
    static const enum fault flips[] = {FAULT_FLIP};
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    run(&server, true, flips, HR_ARRAY_LEN(flips));
}
