/* SPDX-License-Identifier: MIT */
/*
 * Slots of keys, and the keys of commands.
 */
#include "drivers/redis/slot.h"

#include <string.h>

#include "core/buf.h"
#include "drivers/redis/format.h"
#include "tests/support/hrtest.h"

TEST_PLAIN(a_key_has_the_slot_that_redis_gives_it)
{
    /* As CLUSTER KEYSLOT of redis-server 7.0 answers. */
    static const struct {
        const char *key;
        unsigned slot;
    } keys[] = {
        {"123456789",     12739},
        {"foo",           12182},
        {"",              0    },
        {"{foo}",         12182},
        {"a{foo}b",       12182},
        {"{user1000}.x",  3443 },
        {"user1000",      3443 },
        {"foo{}{bar}",    8363 },
        {"foo{{bar}}zap", 4015 },
        {"{bar",          4015 },
        {"foo{bar}{zap}", 5061 },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(keys); i++)
        ASSERT_EQ(hr__redis_slot(keys[i].key, strlen(keys[i].key)), keys[i].slot);
}

/* The slot of a command whose words stand in one text; its code. */
static int slot_of(const char *words, unsigned *ret)
{
    const char *argv[32];
    char copy[400];
    size_t argc = 0;
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = strcmp(word, "~") == 0 ? "" : word;
    hr_auto(hr_buf_done) struct hr_buf bytes;
    hr_buf_init(&bytes, SIZE_MAX);
    struct hr__redis_request request = {.argc = argc, .argv = argv};
    ASSERT_EQ(hr__redis_format(&bytes, &request), 0);
    return hr__redis_slot_of_command(hr_buf_data(&bytes), hr_buf_size(&bytes), ret);
}

TEST_PLAIN(the_keys_of_a_command_are_found)
{
    /* All with the slot of k, or without a slot. */
    static const char *const with[] = {
        "GET k",
        "set k v",
        "XYZZY.ADD k x",
        "DEL k {k}1 {k}2",
        "MSET k 1 {k}x 2",
        "BLPOP k {k}2 0",
        "LMOVE k {k}2 LEFT RIGHT",
        "BITOP AND k {k}2 {k}3",
        "EVAL script 2 k {k}2 other",
        "EVAL_RO script 2 k {k}2 other",
        "EVALSHA script 2 k {k}2 other",
        "EVALSHA_RO script 2 k {k}2 other",
        "FCALL f 1 k x y",
        "ZUNIONSTORE k 2 {k}1 {k}2 WEIGHTS 1 2",
        "ZINTER 2 k {k}1 WITHSCORES",
        "BLMPOP 0 2 k {k}2 LEFT",
        "LMPOP 1 k LEFT",
        "XREAD COUNT 2 STREAMS k {k}2 0 0",
        "XREADGROUP GROUP g c STREAMS k >",
        "XREADGROUP COUNT 1 GROUP streams STREAMS STREAMS k {k}2 > >",
        "XGROUP CREATE k g $",
        "OBJECT ENCODING k",
        "zunion 1 k",
        "SORT k BY STORE GET STORE LIMIT 0 STORE STORE {k}2",
        "SORT k DESC",
        "GEORADIUS k 1 2 3 km COUNT 1 STOREDIST {k}2",
        "GEORADIUSBYMEMBER k STORE 3 km STORE {k}2",
        "MIGRATE STORE 6379 k 0 1000 COPY KEYS",
        "MIGRATE host 6379 ~ 0 1000 REPLACE AUTH2 KEYS AUTH KEYS k {k}2 {k}3",
    };
    static const char *const without[] = {"PING", "info all", "SCRIPT LOAD x", "EVAL x 0 k", "GET"};
    unsigned k = hr__redis_slot("k", 1), slot;
    for (size_t i = 0; i < HR_ARRAY_LEN(with); i++) {
        int r = slot_of(with[i], &slot);
        if (r != 0 || slot != k)
            test_fail(__FILE__, __LINE__, "%s: %d, slot %u", with[i], r, slot);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(without); i++) {
        ASSERT_EQ(slot_of(without[i], &slot), 0);
        if (slot != HR__REDIS_NO_SLOT)
            test_fail(__FILE__, __LINE__, "%s: slot %u", without[i], slot);
    }
}

static int cross(void *arg)
{
    unsigned slot = 7;
    int r = slot_of(arg, &slot);
    ASSERT_EQ(slot, 7);
    return r;
}

TEST(keys_of_two_slots_are_refused_by_name)
{
    ASSERT_ERR(cross((void *)"MGET one {one}x two"), -EINVAL);
    ASSERT_STR(hr_last_error()->message,
               "MGET: the keys one and two are of different slots; only what stands in {} counts, "
               "where there is such a part");
    ASSERT_ERR(cross((void *)"ZUNIONSTORE a 1 b"), -EINVAL);
    ASSERT_ERR(cross((void *)"SORT a BY x STORE b"), -EINVAL);
    ASSERT_ERR(cross((void *)"GEORADIUS a 1 2 3 km STORE b"), -EINVAL);
    ASSERT_ERR(cross((void *)"MIGRATE host 6379 ~ 0 1000 KEYS a b"), -EINVAL);
    ASSERT_ERR(cross((void *)"XREAD STREAMS a b 0 0"), -EINVAL);
    ASSERT_ERR(cross((void *)"EVAL s 2 a b"), -EINVAL);
    ASSERT_ERR(cross((void *)"MSET a 1 b 2"), -EINVAL);
}
