/* SPDX-License-Identifier: MIT */
/*
 * What a job says of itself: the gravest word counts, and whoever said it must take it back.
 */
#include "daemon/status.h"

#include "tests/support/hrtest.h"

TEST_PLAIN(a_job_runs_until_somebody_says_otherwise)
{
    struct status status = {.job = "orders"};
    ASSERT_EQ(status_state(&status), JOB_RUNNING);
    ASSERT_STR(status_reason(&status), "");
    ASSERT_TRUE(status_healthy(&status));
}

TEST_PLAIN(the_good_news_of_one_speaker_does_not_hide_the_trouble_of_another)
{
    struct status status = {.job = "orders"};
    status_say(&status, SPEAKER_PROBE, JOB_MISCONFIGURED, CLASS_CONFIG, "no such table");
    status_works(&status, SPEAKER_SOURCE);
    status_works(&status, SPEAKER_SINK);
    ASSERT_EQ(status_state(&status), JOB_MISCONFIGURED);
    ASSERT_STR(status_reason(&status), "no such table");
    ASSERT_FALSE(status_healthy(&status));
    status_works(&status, SPEAKER_PROBE);
    ASSERT_EQ(status_state(&status), JOB_RUNNING);
    ASSERT_TRUE(status_healthy(&status));
}

TEST_PLAIN(the_gravest_word_counts_in_whatever_order_they_come)
{
    struct status status = {.job = "orders"};
    status_say(&status, SPEAKER_SOURCE, JOB_PAUSED, CLASS_CONFIG, "by hand");
    ASSERT_TRUE(status_healthy(&status));
    status_say(&status, SPEAKER_SINK, JOB_WAITING, CLASS_CONNECTION, "gone");
    ASSERT_EQ(status_state(&status), JOB_WAITING);
    status_say(&status, SPEAKER_RECOVERY, JOB_MISCONFIGURED, CLASS_CONFIG, "not ours");
    status_say(&status, SPEAKER_QUEUE, JOB_WAITING, CLASS_CONNECTION, "gone too");
    ASSERT_STR(status_reason(&status), "not ours");
    status_works(&status, SPEAKER_RECOVERY);
    status_works(&status, SPEAKER_SINK);
    ASSERT_STR(status_reason(&status), "gone too");
    status_works(&status, SPEAKER_QUEUE);
    ASSERT_EQ(status_state(&status), JOB_PAUSED);
}

TEST_PLAIN(a_speaker_replaces_what_it_said)
{
    struct status status = {.job = "orders"};
    status_say(&status, SPEAKER_SINK, JOB_WAITING, CLASS_CONNECTION, "refused");
    status_say(&status, SPEAKER_SINK, JOB_WAITING, CLASS_CONNECTION, "timed out");
    ASSERT_STR(status_reason(&status), "timed out");
}

TEST_PLAIN(nothing_counts_after_the_end)
{
    struct status status = {.job = "orders"};
    status_say(&status, SPEAKER_SINK, JOB_WAITING, CLASS_CONNECTION, "gone");
    status_stop(&status);
    status_say(&status, SPEAKER_PROBE, JOB_MISCONFIGURED, CLASS_CONFIG, "no such table");
    ASSERT_EQ(status_state(&status), JOB_STOPPED);
    ASSERT_STR(status_reason(&status), "");
    ASSERT_FALSE(status_healthy(&status));
}
