/* SPDX-License-Identifier: MIT */
#include "tests/drivers/pool_driver.h"

#include <stdlib.h>
#include <string.h>

struct fake_driver driver;

static int fake_open(void *arg, void **ret)
{
    ASSERT_PTR(arg, &driver);
    if (++driver.in_flight > driver.most_in_flight)
        driver.most_in_flight = driver.in_flight;
    int r = driver.opening_takes > 0 ? hr_sleep(driver.opening_takes) : 0;
    driver.in_flight--;
    if (r < 0)
        return r;
    if (driver.fail_with < 0)
        return hr_fail_native(driver.fail_with, 1040, NULL, NULL, false, "too many");
    struct fake_conn *conn = calloc(1, sizeof(*conn));
    ASSERT_TRUE(conn);
    conn->number = ++driver.opened;
    *ret = conn;
    return 0;
}

static void fake_close(void *conn, bool polite)
{
    driver.closed++;
    driver.polite += polite;
    free(conn);
}

static int fake_ping(void *conn)
{
    driver.pinged++;
    int r = hr_sleep(hr_ms(1));
    if (r < 0)
        return r;
    return ((struct fake_conn *)conn)->fails_ping ? -ECONNRESET : 0;
}

static int fake_reset(void *conn)
{
    driver.reset++;
    int r = hr_sleep(driver.reset_takes);
    if (r < 0)
        return r;
    return ((struct fake_conn *)conn)->fails_reset ? -EIO : 0;
}

static bool fake_alive(void *conn)
{
    return !((struct fake_conn *)conn)->dead;
}

const struct hr_conn_ops fake_ops = {.name = "fake",
                                     .open = fake_open,
                                     .close = fake_close,
                                     .ping = fake_ping,
                                     .reset = fake_reset,
                                     .alive = fake_alive};

hr_pool *pool_new(unsigned limit)
{
    memset(&driver, 0, sizeof(driver));
    struct hr_pool_options options = {
        .limit = limit,
        .idle = hr_seconds(60),
        .max_age = HR_FOREVER,
        .ping_after = hr_seconds(10),
        .backoff = {.first = hr_ms(100), .max = hr_seconds(1), .factor = 2},
    };
    hr_pool *pool = hr_pool_new(&fake_ops, &driver, &options);
    ASSERT_TRUE(pool);
    return pool;
}

void pool_end(hr_pool *pool)
{
    ASSERT_ERR(hr_pool_close(pool), 0);
    hr_pool_free(pool);
    ASSERT_EQ(driver.opened, driver.closed);
}

struct fake_conn *acquire(hr_pool *pool)
{
    void *conn = NULL;
    ASSERT_ERR(hr_pool_acquire(pool, &conn), 0);
    return conn;
}

int borrow(void *arg)
{
    struct borrower *b = arg;
    void *conn = NULL;
    b->code = hr_pool_acquire(b->pool, &conn);
    b->got_at = test_clock_now();
    if (b->code < 0)
        return 0;
    b->rank = ++*b->order;
    int r = hr_sleep(b->keeps);
    hr_pool_release(b->pool, conn, HR_POOL_CLEAN);
    return r;
}
