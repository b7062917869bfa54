/* SPDX-License-Identifier: MIT */
#include "tests/support/certificates.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/hrtest.h"
#include "tests/support/ticker.h"

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

const char *test_certificates(void)
{
    if (folder[0])
        return folder;
    TICKER_EXCUSED();
    snprintf(folder, sizeof(folder), "/tmp/hr-tls-XXXXXX");
    ASSERT_TRUE(mkdtemp(folder));
    atexit(remove_folder);
    char command[512];
    snprintf(command, sizeof(command), "%s/certificates.sh %s", TEST_SUPPORT, folder);
    ASSERT_EQ(system(command), 0);
    return folder;
}

const char *test_certificate(const char *name)
{
    static char paths[16][96];
    char path[sizeof(paths[0])];
    snprintf(path, sizeof(path), "%s/%s", test_certificates(), name);
    size_t i = 0;
    while (paths[i][0] && strcmp(paths[i], path) != 0)
        ASSERT_TRUE(++i < HR_ARRAY_LEN(paths));
    return strcpy(paths[i], path);
}
