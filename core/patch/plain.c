/* SPDX-License-Identifier: MIT */
/*
 * How it works: all are looked up at once when the library is loaded, or by the first call of a
 * constructor that runs before. After that it is one load, so that handlers of signals may call.
 */
#include "core/patch/plain.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const char *const names[] = {
#define NAME(name) #name,
    HR__PATCH_CALLS(NAME)
#undef NAME
};

static struct hr__patch_calls calls;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool found;

_Static_assert(sizeof(calls) == sizeof(names), "one pointer a name");

static void find_all(void)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        void *call = dlsym(RTLD_NEXT, names[i]);
        hr_assert(call);
        memcpy((char *)&calls + i * sizeof(call), &call, sizeof(call));
    }
    atomic_store_explicit(&found, true, memory_order_release);
}

__attribute__((constructor)) static void find_early(void)
{
    pthread_once(&once, find_all);
}

const struct hr__patch_calls *hr__plain(void)
{
    if (hr_unlikely(!atomic_load_explicit(&found, memory_order_acquire)))
        pthread_once(&once, find_all);
    return &calls;
}
