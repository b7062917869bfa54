/* SPDX-License-Identifier: MIT */
/*
 * Error records, semantics 0 and 21.
 */
#include "tests/support/hrtest.h"

static int fails(void *arg)
{
    return hr_fail(-ENOENT, "order %d: sold out", 7);
}

TEST(s21_1_an_awaited_tasks_record_travels)
{
    ASSERT_ERR(hr_join(hr_create_task("shop", fails, NULL)), -ENOENT);
    ASSERT_STR(hr_last_error()->message, "order 7: sold out");
    ASSERT_STR(hr_last_error()->task, "shop");
}
