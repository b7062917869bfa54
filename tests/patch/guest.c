/* SPDX-License-Identifier: MIT */
/*
 * A program of tasks with blocking clients, which is linked with the patch or gets it preloaded.
 *
 * usage: guest who | guest families | guest redis UNIX-SOCKET | guest postgres PORT
 * Says whose clock_nanosleep() it has (sanitizers have none), which families the patch that came
 * along has chosen (as a number), or runs fifty clients and says what
 * went wrong; status 0 if nothing did.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/loop.h"
#include "tests/patch/fifty.h"

#ifdef LINKED
#include "core/patch/patch.h"
#endif

static int run(void *arg)
{
    char **words = arg;
    return strcmp(words[1], "redis") == 0 ? fifty_redis(words[2], 0)
                                          : fifty_postgres(atoi(words[2]));
}

static int say_whose(void)
{
    Dl_info info;
    if (!dladdr(dlsym(RTLD_DEFAULT, "clock_nanosleep"), &info))
        return 1;
    const char *name = strrchr(info.dli_fname, '/');
    puts(name ? name + 1 : info.dli_fname);
    return 0;
}

/* A preloaded patch is unknown where this is linked. */
static int say_families(void)
{
    void *place = dlsym(RTLD_DEFAULT, "hr_patched");
    unsigned (*patched)(void);
    memcpy(&patched, &place, sizeof(patched));
    if (!place)
        return 1;
    printf("%u\n", patched());
    return 0;
}

int main(int count, char **words)
{
    if (count == 2 && strcmp(words[1], "families") == 0)
        return say_families();
#ifdef LINKED
    if (hr_patch(HR_PATCH_ALL) < 0)
        return 1;
#endif
    if (count == 2 && strcmp(words[1], "who") == 0)
        return say_whose();
    if (count != 3)
        return 64;
    alarm(30); /* without the patch the first of them would wait for ever */
    int r = hr_run(run, words);
    if (r < 0)
        printf("%s\n", hr_error_message(r));
    return r < 0;
}
