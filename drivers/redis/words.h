/* SPDX-License-Identifier: MIT */
/*
 * The words of a command that is put together from arguments: a few of them on the stack, many on
 * the heap.
 */
#pragma once

#include "drivers/redis/format.h"
#include "drivers/redis/script.h"

#define HR__WORDS_ON_STACK 32

struct hr__words {
    size_t count;
    const char **argv;
    size_t *lens;
    void *heap;
    const char *few_argv[HR__WORDS_ON_STACK];
    size_t few_lens[HR__WORDS_ON_STACK];
    char number[24]; /* of hr__words_add_count() */
};

/* Room for so many. 0 or -ENOMEM, with a record. Its address must stay until done. */
int hr__words_init(struct hr__words *words, size_t most);
void hr__words_done(struct hr__words *words);

/* A NULL is a word, too: it is refused where the command is sent. */
void hr__words_add(struct hr__words *words, const char *data, size_t len);
void hr__words_add_text(struct hr__words *words, const char *text);
void hr__words_add_count(struct hr__words *words, size_t count); /* once */
void hr__words_add_args(struct hr__words *words, size_t n, const struct hr_redis_arg *args);

/* Makes the words of a call that is given keys: EVALSHA, FCALL. 0 or -ENOMEM; to be done in any
 * case. */
int hr__words_init_call(struct hr__words *words, const char *command, const char *what,
                        size_t n_keys, const struct hr_redis_arg *keys, size_t n_args,
                        const struct hr_redis_arg *args);

static inline struct hr__redis_request hr__words_request(const struct hr__words *words)
{
    return (struct hr__redis_request){
        .argc = words->count, .argv = words->argv, .lens = words->lens};
}
