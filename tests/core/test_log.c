/* SPDX-License-Identifier: MIT */
/*
 * The log hook.
 */
#include "core/log.h"

#include <string.h>

#include "tests/support/hrtest.h"

static char heard[1024];

static void listen_to(const char *area, const char *line, void *cookie)
{
    snprintf(heard, sizeof heard, "%s: %s%s", area, line, (const char *)cookie);
}

static int asked;

static int costly(void)
{
    return ++asked;
}

TEST_PLAIN(without_a_hook_nothing_is_said_and_nothing_looked_at)
{
    asked = 0;
    hr_debug("test", "%d", costly());
    ASSERT_EQ(asked, 0);
}

TEST_PLAIN(the_hook_gets_lines_until_it_is_taken_away)
{
    static char mark[] = "!";
    hr_log_set(listen_to, mark);
    hr_debug("redis", "connected to %s", "there");
    ASSERT_STR(heard, "redis: connected to there!");
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    hr_debug("redis", "%s", long_text);
    ASSERT_EQ(strlen(heard), strlen("redis: !") + 500);
    hr_log_set(NULL, NULL);
    heard[0] = '\0';
    hr_debug("redis", "anybody?");
    ASSERT_STR(heard, "");
}
