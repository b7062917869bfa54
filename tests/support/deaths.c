/* SPDX-License-Identifier: MIT */
#include "tests/support/deaths.h"

#include "tests/support/hrtest.h"

bool test_is_dead(pid_t pid)
{
    char name[64], state = 'Z';
    snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(name, "re");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    if (file)
        fclose(file);
    return state == 'Z';
}

void test_wait_until_dead(pid_t pid)
{
    for (int i = 0; i < 10000 && !test_is_dead(pid); i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_TRUE(test_is_dead(pid));
}
