/* SPDX-License-Identifier: MIT */
/*
 * Fault points. A library built without them gets its own here: they are tested in every build.
 */
#ifdef HR_FAULT_POINTS
#include "core/fault.h"
#else
#define HR_FAULT_POINTS
#include "core/fault.c"
#endif

#include <errno.h>
#include <stdlib.h>

#include "tests/support/hrtest.h"

TEST_PLAIN(a_point_that_is_not_armed_never_fires)
{
    hr_fault_reset();
    ASSERT_FALSE(HR_FAULT("a"));
    ASSERT_EQ(hr_fault_arm("b", 1), 0);
    ASSERT_FALSE(HR_FAULT("a"));
    hr_fault_reset();
    ASSERT_FALSE(HR_FAULT("b"));
}

TEST_PLAIN(a_point_fires_once_at_the_hit_it_was_armed_for)
{
    hr_fault_reset();
    ASSERT_EQ(hr_fault_arm("a", 3), 0);
    ASSERT_FALSE(HR_FAULT("a"));
    ASSERT_FALSE(HR_FAULT("a"));
    ASSERT_TRUE(HR_FAULT("a"));
    ASSERT_FALSE(HR_FAULT("a"));
    ASSERT_EQ(hr_fault_arm("a", 1), 0);
    ASSERT_TRUE(HR_FAULT("a"));
    hr_fault_reset();
}

TEST_PLAIN(the_environments_form_names_several_points)
{
    hr_fault_reset();
    ASSERT_EQ(hr_fault_arm_all(" one two:2,three:1 "), 0);
    ASSERT_TRUE(HR_FAULT("one"));
    ASSERT_FALSE(HR_FAULT("two"));
    ASSERT_TRUE(HR_FAULT("two"));
    ASSERT_TRUE(HR_FAULT("three"));
    ASSERT_EQ(hr_fault_arm_all(""), 0);
    ASSERT_EQ(hr_fault_arm_all("x:"), -EINVAL);
    ASSERT_EQ(hr_fault_arm_all("x:0"), -EINVAL);
    ASSERT_EQ(hr_fault_arm_all("x:many"), -EINVAL);
    ASSERT_EQ(hr_fault_arm_all(":3"), -EINVAL);
    hr_fault_reset();
}

TEST_PLAIN(the_table_and_its_names_are_bounded)
{
    hr_fault_reset();
    char name[16];
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof name, "p%d", i);
        ASSERT_EQ(hr_fault_arm(name, 1), 0);
    }
    ASSERT_EQ(hr_fault_arm("one-more", 1), -ENOBUFS);
    ASSERT_EQ(hr_fault_arm("p31", 2), 0); /* arming again needs no room */
    hr_fault_reset();
    ASSERT_EQ(hr_fault_arm("a-name-that-is-a-good-deal-longer-than-it-should-be", 1), -EINVAL);
    ASSERT_EQ(hr_fault_arm("a", 0), -EINVAL);
    ASSERT_EQ(hr_fault_arm("", 1), -EINVAL);
}
