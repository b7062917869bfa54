/* SPDX-License-Identifier: MIT */
/*
 * What it costs to read a reply: our parser into arenas beside hiredis' into its own objects, fed
 * the same bytes in the same pieces, as a socket that is never empty gives them.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "drivers/redis/reader.h"

#define PIECE ((size_t)64 * 1024)

struct load {
    const char *name;
    size_t items; /* bulk strings of an array; 0: text is the reply */
    const char *text;
    long replies;
};

static const struct load loads[] = {
    {"+OK",          0,    "+OK\r\n",                     4000000},
    {":1234",        0,    ":1234\r\n",                   4000000},
    {"$16",          0,    "$16\r\n0123456789abcdef\r\n", 4000000},
    {"*10 of $16",   10,   NULL,                          800000 },
    {"*1000 of $16", 1000, NULL,                          10000  },
};

/* As many whole replies as fit into some megabytes, so that pieces end anywhere. */
static size_t fill(char *stream, size_t size, const struct load *load, long *ret_replies)
{
    size_t used = 0;
    *ret_replies = 0;
    while (used + 32 + load->items * 24 <= size && *ret_replies < load->replies) {
        char *at = stream + used;
        if (load->text)
            at = stpcpy(at, load->text);
        else
            at += sprintf(at, "*%zu\r\n", load->items);
        for (size_t i = 0; i < load->items; i++)
            at = stpcpy(at, "$16\r\n0123456789abcdef\r\n");
        used = (size_t)(at - stream);
        (*ret_replies)++;
    }
    return used;
}

static long read_ours(const char *stream, size_t size)
{
    static struct hr__redis_reader *reader;
    long count = 0;
    if (!reader)
        reader = hr__redis_reader_new((size_t)512 << 20);
    for (size_t at = 0; at < size; at += PIECE) {
        hr_reply *reply = NULL;
        hr__redis_reader_feed(reader, stream + at, size - at < PIECE ? size - at : PIECE);
        for (; hr__redis_reader_next(reader, &reply) > 0; count++)
            reply = hr_reply_free(reply);
    }
    return count;
}

static long read_hiredis(const char *stream, size_t size)
{
    static redisReader *reader;
    long count = 0;
    if (!reader)
        reader = redisReaderCreate();
    for (size_t at = 0; at < size; at += PIECE) {
        void *reply = NULL;
        redisReaderFeed(reader, stream + at, size - at < PIECE ? size - at : PIECE);
        for (; redisReaderGetReply(reader, &reply) == REDIS_OK && reply; count++)
            freeReplyObject(reply);
    }
    return count;
}

/* Nanoseconds of CPU a reply, the best of some rounds. */
static double measure(long (*read_all)(const char *, size_t), const char *stream, size_t size,
                      long replies, long wanted)
{
    double best = 1e18;
    for (int round = 0; round < 5; round++) {
        long done = 0;
        struct timespec from, to;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        while (done < wanted / 5) {
            long n = read_all(stream, size);
            if (n != replies) {
                fprintf(stderr, "resp: %ld replies instead of %ld\n", n, replies);
                exit(1);
            }
            done += n;
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        if (ns / (double)done < best)
            best = ns / (double)done;
    }
    return best;
}

int main(void)
{
    static char stream[4 << 20];
    printf("%-14s %10s %10s\n", "ns a reply", "ours", "hiredis");
    for (size_t i = 0; i < HR_ARRAY_LEN(loads); i++) {
        const struct load *load = &loads[i];
        long replies = 0;
        size_t size = fill(stream, sizeof(stream), load, &replies);
        double ours = measure(read_ours, stream, size, replies, load->replies);
        double theirs = measure(read_hiredis, stream, size, replies, load->replies);
        printf("%-14s %10.1f %10.1f  %.2f times\n", load->name, ours, theirs, theirs / ours);
    }
    return 0;
}
