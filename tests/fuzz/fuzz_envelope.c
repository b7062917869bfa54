/* SPDX-License-Identifier: MIT */
/*
 * Envelopes and dead letters as they may lie in Redis: read, and what was read is written the same.
 */
#include "daemon/item/deadletter.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The checksum would keep the fuzzer out, so the bytes get the right one: FNV-1a over the rest. */
static void seal(char *bytes, size_t len)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 12; i < len; i++)
        sum = (sum ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < 8; i++)
        bytes[4 + i] = (char)(sum >> (8 * i));
}

static void envelopes(const uint8_t *data, size_t size)
{
    hr_auto(hr_freep) char *bytes = malloc(size);
    memcpy(bytes, data, size);
    seal(bytes, size);
    struct envelope e;
    if (envelope_decode(bytes, size, &e) < 0)
        return;
    hr_auto(hr_freep) char *again = malloc(envelope_size(&e));
    if (envelope_encode(&e, again) != size || memcmp(again, bytes, size) != 0)
        __builtin_trap();
}

static void dead_letters(const uint8_t *data, size_t size)
{
    hr_auto(arena_freep) struct arena *a = arena_new((size_t)1024 * 1024);
    struct deadletter d, again;
    struct failure why;
    const char *text;
    size_t len;
    if (deadletter_read(a, (const char *)data, size, &d, &why) < 0 ||
        deadletter_write(a, &d, &text, &len) < 0)
        return;
    if (deadletter_read(a, text, len, &again, &why) == 0 &&
        (strcmp(d.id, again.id) != 0 || d.payload_len != again.payload_len))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 12)
        envelopes(data, size);
    dead_letters(data, size);
    return 0;
}
