/* SPDX-License-Identifier: MIT */
/*
 * What a Redis server may send, in RESP2 or RESP3: the same replies and the same refusal come out
 * however the bytes are split.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/redis/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT (64 * 1024)

/* Adds what the reply says to a checksum. */
static uint64_t digest(const hr_reply *reply, uint64_t sum)
{
    size_t len = 0;
    const char *str = hr_reply_str(reply, &len);
    sum = (sum ^ (uint64_t)hr_reply_type(reply)) * UINT64_C(0x100000001b3);
    sum = (sum ^ (uint64_t)hr_reply_int(reply)) * UINT64_C(0x100000001b3);
    double real = 0;
    if (hr_reply_get_double(reply, &real) == 0)
        sum = (sum ^ (uint64_t)(real > 0)) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)str[i]) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < hr_reply_len(reply); i++)
        sum = digest(hr_reply_at(reply, i), sum);
    return sum;
}

/* Reads all replies, fed in pieces. */
static uint64_t read_all(const uint8_t *data, size_t size, size_t piece, int *ret_end)
{
    struct hr__redis_reader *reader = hr__redis_reader_new(LIMIT);
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    int r = 0;
    for (size_t at = 0; at < size && r >= 0; at += piece) {
        size_t n = piece < size - at ? piece : size - at;
        char *alone = malloc(n); /* so that a look beyond it is seen */
        if (!alone)
            __builtin_trap();
        memcpy(alone, data + at, n);
        hr__redis_reader_feed(reader, alone, n);
        hr_reply *reply = NULL;
        while (r >= 0 && (r = hr__redis_reader_next(reader, &reply)) == 1) {
            if (hr_reply_size(reply) > 4 * LIMIT)
                __builtin_trap();
            sum = digest(reply, sum);
            reply = hr_reply_free(reply);
        }
        free(alone);
    }
    hr__redis_reader_free(reader);
    *ret_end = r;
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t pieces[] = {1, 3, 1 + (size > 0 ? data[size - 1] % 32U : 0)};
    int whole_end, split_end;
    uint64_t whole = read_all(data, size, size > 0 ? size : 1, &whole_end);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        uint64_t split = read_all(data, size, pieces[i], &split_end);
        if (whole != split || whole_end != split_end)
            __builtin_trap();
    }
    return 0;
}
