/* SPDX-License-Identifier: MIT */
/*
 * Everything is borrowed from the arguments; nothing is copied before it is formatted.
 */
#include "drivers/redis/words.h"

#include <stdio.h>
#include <string.h>

int hr__words_init(struct hr__words *words, size_t most)
{
    words->count = 0;
    words->heap = NULL;
    words->argv = words->few_argv;
    words->lens = words->few_lens;
    if (most <= HR__WORDS_ON_STACK)
        return 0;
    words->heap = calloc(most, sizeof(*words->argv) + sizeof(*words->lens));
    if (!words->heap)
        return hr_fail(-ENOMEM, "redis: no memory for the command");
    words->argv = words->heap;
    words->lens = (size_t *)(words->argv + most);
    return 0;
}

void hr__words_done(struct hr__words *words)
{
    free(words->heap);
    words->heap = NULL;
}

void hr__words_add(struct hr__words *words, const char *data, size_t len)
{
    words->argv[words->count] = data;
    words->lens[words->count++] = len;
}

void hr__words_add_text(struct hr__words *words, const char *text)
{
    hr__words_add(words, text, text ? strlen(text) : SIZE_MAX);
}

void hr__words_add_count(struct hr__words *words, size_t count)
{
    int len = snprintf(words->number, sizeof(words->number), "%zu", count);
    hr__words_add(words, words->number, (size_t)len);
}

void hr__words_add_args(struct hr__words *words, size_t n, const struct hr_redis_arg *args)
{
    for (size_t i = 0; i < n; i++)
        hr__words_add(words,
                      args[i].data || args[i].len >= sizeof(args[i].number) ? args[i].data
                                                                            : args[i].number,
                      args[i].len);
}

int hr__words_init_call(struct hr__words *words, const char *command, const char *what,
                        size_t n_keys, const struct hr_redis_arg *keys, size_t n_args,
                        const struct hr_redis_arg *args)
{
    int r = hr__words_init(words, 3 + n_keys + n_args);
    if (r < 0)
        return r;
    hr__words_add_text(words, command);
    hr__words_add_text(words, what);
    hr__words_add_count(words, n_keys);
    hr__words_add_args(words, n_keys, keys);
    hr__words_add_args(words, n_args, args);
    return 0;
}
