/* SPDX-License-Identifier: MIT */
/*
 * Which families are cooperative, and whether the caller is a task.
 *
 * A child that a task forked still finds itself inside that task, but the loop's descriptors are
 * its parent's: there every call is plain, until the child runs a loop of its own.
 */
#include "core/patch/patch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/loop.h"
#include "core/patch/connect.h"
#include "core/patch/patch_impl.h"

static atomic_uint families = HR_PATCH_ALL;
static uint64_t inherited; /* the number of the loop that ran when this process was forked */

static const struct {
    const char *word;
    unsigned families;
} words[] = {
    {"all",    HR_PATCH_ALL   },
    {"none",   0              },
    {"time",   HR_PATCH_TIME  },
    {"stream", HR_PATCH_STREAM},
    {"file",   HR_PATCH_FILE  },
    {"socket", HR_PATCH_SOCKET},
    {"poll",   HR_PATCH_POLL  },
    {"names",  HR_PATCH_NAMES },
};

bool hr__patch_on(enum hr_patch_family family)
{
    return (atomic_load_explicit(&families, memory_order_relaxed) & family) && hr_current_task() &&
           hr_running_loop_number() != inherited;
}

int hr_patch(unsigned wanted)
{
    if (wanted & ~(unsigned)HR_PATCH_ALL)
        return -EINVAL;
    atomic_store(&families, wanted);
    return 0;
}

unsigned hr_patched(void)
{
    return atomic_load(&families);
}

/* Adds or takes away what a word names. False: it names nothing. */
static bool apply(const char *word, size_t length, unsigned *set)
{
    bool away = length > 0 && word[0] == '-';
    word += away;
    length -= away;
    for (size_t i = 0; i < HR_ARRAY_LEN(words); i++) {
        if (strlen(words[i].word) != length || memcmp(words[i].word, word, length) != 0)
            continue;
        *set = away ? *set & ~words[i].families : *set | words[i].families;
        return true;
    }
    return false;
}

static void complain(const char *word, size_t length)
{
    fprintf(stderr, "headrace: HEADRACE_PATCH: no such family: %.*s; it is left out. There are:",
            (int)length, word);
    for (size_t i = 0; i < HR_ARRAY_LEN(words); i++)
        fprintf(stderr, " %s", words[i].word);
    fputc('\n', stderr);
}

/* The words that are known hold, whatever stands between them. */
static void choose(const char *text)
{
    unsigned set = text[0] == '-' ? HR_PATCH_ALL : 0;
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, ",");
        if (length > 0 && !apply(word, length, &set))
            complain(word, length);
        word += length + (word[length] == ',');
    }
    atomic_store(&families, set);
}

static void forked(void)
{
    hr__patch_let_go_of_attempts();
    inherited = hr_running_loop_number();
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = secure_getenv("HEADRACE_PATCH");
    if (text)
        choose(text);
    pthread_atfork(hr__patch_hold_attempts, hr__patch_let_go_of_attempts, forked);
}
