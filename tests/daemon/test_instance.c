/* SPDX-License-Identifier: MIT */
/*
 * The lock on an instance name: one holder, any name, nothing outside of its directory.
 */
#include "daemon/instance.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

static void make_folder(char folder[64])
{
    strcpy(folder, "/tmp/headrace-test-XXXXXX");
    ASSERT_TRUE(mkdtemp(folder));
    strcat(folder, "/run");
}

/* Removes the directory, its files and its parent; returns how many files there were. */
static int remove_folder(char folder[64])
{
    int files = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' && strlen(entry->d_name) <= 2)
            continue;
        ASSERT_EQ(unlinkat(dirfd(dir), entry->d_name, 0), 0);
        files++;
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
    *strrchr(folder, '/') = '\0';
    ASSERT_EQ(rmdir(folder), 0);
    return files;
}

TEST_PLAIN(a_name_is_locked_by_one_until_it_lets_go)
{
    char folder[64];
    struct instance one, two, other;
    make_folder(folder);
    ASSERT_ERR(instance_lock(&one, "host-1", folder), 0);
    ASSERT_ERR(instance_lock(&two, "host-1", folder), -EBUSY);
    ASSERT_TRUE(strstr(hr_error_message(-EBUSY), "host-1"));
    ASSERT_ERR(instance_lock(&other, "host-2", folder), 0);
    instance_unlock(&one);
    instance_unlock(&one);
    ASSERT_ERR(instance_lock(&two, "host-1", folder), 0);
    instance_unlock(&two);
    instance_unlock(&other);
    ASSERT_EQ(remove_folder(folder), 2);
}

TEST_PLAIN(no_name_leads_out_of_the_directory_and_no_two_meet)
{
    static const char *const names[] = {"../x",  "..%2fx",      "a b",   "a%20b",
                                        "größe", "/etc/passwd", "x/../y"};
    struct instance locks[HR_ARRAY_LEN(names)];
    char folder[64];
    make_folder(folder);
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++)
        ASSERT_ERR(instance_lock(&locks[i], names[i], folder), 0);
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++)
        instance_unlock(&locks[i]);
    ASSERT_EQ(remove_folder(folder), HR_ARRAY_LEN(names));
}

TEST_PLAIN(a_directory_that_cannot_be_is_an_error_with_its_name)
{
    struct instance lock;
    ASSERT_ERR(instance_lock(&lock, "x", "/proc/no/such"), -ENOENT);
    ASSERT_TRUE(strstr(hr_error_message(-ENOENT), "/proc/no/such"));
}
