/* SPDX-License-Identifier: MIT */
/*
 * A walk over the words of a command, with a rule that says which of them are keys. Most commands
 * have one key, their first argument, and need no rule.
 */
#include "drivers/redis/slot.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/error.h"

/* CRC-16/XMODEM of four bits. */
static const uint16_t crc_table[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
};

static uint16_t crc16(const char *bytes, size_t len)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        crc = (uint16_t)((crc << 4) ^ crc_table[(crc >> 12) ^ (byte >> 4)]);
        crc = (uint16_t)((crc << 4) ^ crc_table[(crc >> 12) ^ (byte & 15)]);
    }
    return crc;
}

unsigned hr__redis_slot(const char *key, size_t len)
{
    const char *open = memchr(key, '{', len);
    if (open) {
        const char *tag = open + 1;
        const char *close = memchr(tag, '}', len - (size_t)(tag - key));
        if (close && close > tag)
            return crc16(tag, (size_t)(close - tag)) % HR__REDIS_SLOTS;
    }
    return crc16(key, len) % HR__REDIS_SLOTS;
}

/* --- rules */

enum where {
    KEYS_NONE,
    KEYS_RANGE,   /* words first to last, every step-th; last ≤ 0 counts from the end */
    KEYS_COUNTED, /* word last says how many there are from the word behind it on; first is one more
                     of them, or 0 */
    KEYS_STREAMS, /* the first half of what stands behind STREAMS */
    KEYS_STORED,  /* word first, and what stands behind STORE or STOREDIST from word last on */
    KEYS_MIGRATE, /* word first; where it is empty, all behind KEYS, from word last on */
};

struct rule {
    const char *name;
    enum where where;
    signed char first, last, step;
};

static const struct rule by_default = {"", KEYS_RANGE, 1, 1, 1};

/* In the order of strcasecmp(), for which '_' stands before all letters. */
static const struct rule rules[] = {
    {"ACL",               KEYS_NONE,    0, 0,  0},
    {"AUTH",              KEYS_NONE,    0, 0,  0},
    {"BGREWRITEAOF",      KEYS_NONE,    0, 0,  0},
    {"BGSAVE",            KEYS_NONE,    0, 0,  0},
    {"BITOP",             KEYS_RANGE,   2, 0,  1},
    {"BLMOVE",            KEYS_RANGE,   1, 2,  1},
    {"BLMPOP",            KEYS_COUNTED, 0, 2,  0},
    {"BLPOP",             KEYS_RANGE,   1, -1, 1},
    {"BRPOP",             KEYS_RANGE,   1, -1, 1},
    {"BRPOPLPUSH",        KEYS_RANGE,   1, 2,  1},
    {"BZMPOP",            KEYS_COUNTED, 0, 2,  0},
    {"BZPOPMAX",          KEYS_RANGE,   1, -1, 1},
    {"BZPOPMIN",          KEYS_RANGE,   1, -1, 1},
    {"CLIENT",            KEYS_NONE,    0, 0,  0},
    {"CLUSTER",           KEYS_NONE,    0, 0,  0},
    {"COMMAND",           KEYS_NONE,    0, 0,  0},
    {"CONFIG",            KEYS_NONE,    0, 0,  0},
    {"COPY",              KEYS_RANGE,   1, 2,  1},
    {"DBSIZE",            KEYS_NONE,    0, 0,  0},
    {"DEL",               KEYS_RANGE,   1, 0,  1},
    {"ECHO",              KEYS_NONE,    0, 0,  0},
    {"EVAL",              KEYS_COUNTED, 0, 2,  0},
    {"EVAL_RO",           KEYS_COUNTED, 0, 2,  0},
    {"EVALSHA",           KEYS_COUNTED, 0, 2,  0},
    {"EVALSHA_RO",        KEYS_COUNTED, 0, 2,  0},
    {"EXISTS",            KEYS_RANGE,   1, 0,  1},
    {"FCALL",             KEYS_COUNTED, 0, 2,  0},
    {"FCALL_RO",          KEYS_COUNTED, 0, 2,  0},
    {"FLUSHALL",          KEYS_NONE,    0, 0,  0},
    {"FLUSHDB",           KEYS_NONE,    0, 0,  0},
    {"FUNCTION",          KEYS_NONE,    0, 0,  0},
    {"GEORADIUS",         KEYS_STORED,  1, 5,  1},
    {"GEORADIUSBYMEMBER", KEYS_STORED,  1, 5,  1},
    {"GEOSEARCHSTORE",    KEYS_RANGE,   1, 2,  1},
    {"HELLO",             KEYS_NONE,    0, 0,  0},
    {"INFO",              KEYS_NONE,    0, 0,  0},
    {"KEYS",              KEYS_NONE,    0, 0,  0},
    {"LASTSAVE",          KEYS_NONE,    0, 0,  0},
    {"LATENCY",           KEYS_NONE,    0, 0,  0},
    {"LCS",               KEYS_RANGE,   1, 2,  1},
    {"LMOVE",             KEYS_RANGE,   1, 2,  1},
    {"LMPOP",             KEYS_COUNTED, 0, 1,  0},
    {"MEMORY",            KEYS_RANGE,   2, 2,  1},
    {"MGET",              KEYS_RANGE,   1, 0,  1},
    {"MIGRATE",           KEYS_MIGRATE, 3, 6,  1},
    {"MODULE",            KEYS_NONE,    0, 0,  0},
    {"MSET",              KEYS_RANGE,   1, 0,  2},
    {"MSETNX",            KEYS_RANGE,   1, 0,  2},
    {"OBJECT",            KEYS_RANGE,   2, 2,  1},
    {"PFCOUNT",           KEYS_RANGE,   1, 0,  1},
    {"PFMERGE",           KEYS_RANGE,   1, 0,  1},
    {"PING",              KEYS_NONE,    0, 0,  0},
    {"PUBLISH",           KEYS_NONE,    0, 0,  0},
    {"PUBSUB",            KEYS_NONE,    0, 0,  0},
    {"RANDOMKEY",         KEYS_NONE,    0, 0,  0},
    {"RENAME",            KEYS_RANGE,   1, 2,  1},
    {"RENAMENX",          KEYS_RANGE,   1, 2,  1},
    {"ROLE",              KEYS_NONE,    0, 0,  0},
    {"RPOPLPUSH",         KEYS_RANGE,   1, 2,  1},
    {"SAVE",              KEYS_NONE,    0, 0,  0},
    {"SCAN",              KEYS_NONE,    0, 0,  0},
    {"SCRIPT",            KEYS_NONE,    0, 0,  0},
    {"SDIFF",             KEYS_RANGE,   1, 0,  1},
    {"SDIFFSTORE",        KEYS_RANGE,   1, 0,  1},
    {"SHUTDOWN",          KEYS_NONE,    0, 0,  0},
    {"SINTER",            KEYS_RANGE,   1, 0,  1},
    {"SINTERCARD",        KEYS_COUNTED, 0, 1,  0},
    {"SINTERSTORE",       KEYS_RANGE,   1, 0,  1},
    {"SLOWLOG",           KEYS_NONE,    0, 0,  0},
    {"SMOVE",             KEYS_RANGE,   1, 2,  1},
    {"SORT",              KEYS_STORED,  1, 2,  1},
    {"SUNION",            KEYS_RANGE,   1, 0,  1},
    {"SUNIONSTORE",       KEYS_RANGE,   1, 0,  1},
    {"TIME",              KEYS_NONE,    0, 0,  0},
    {"TOUCH",             KEYS_RANGE,   1, 0,  1},
    {"UNLINK",            KEYS_RANGE,   1, 0,  1},
    {"WAIT",              KEYS_NONE,    0, 0,  0},
    {"WATCH",             KEYS_RANGE,   1, 0,  1},
    {"XGROUP",            KEYS_RANGE,   2, 2,  1},
    {"XINFO",             KEYS_RANGE,   2, 2,  1},
    {"XREAD",             KEYS_STREAMS, 0, 0,  0},
    {"XREADGROUP",        KEYS_STREAMS, 0, 0,  0},
    {"ZDIFF",             KEYS_COUNTED, 0, 1,  0},
    {"ZDIFFSTORE",        KEYS_COUNTED, 1, 2,  0},
    {"ZINTER",            KEYS_COUNTED, 0, 1,  0},
    {"ZINTERCARD",        KEYS_COUNTED, 0, 1,  0},
    {"ZINTERSTORE",       KEYS_COUNTED, 1, 2,  0},
    {"ZMPOP",             KEYS_COUNTED, 0, 1,  0},
    {"ZRANGESTORE",       KEYS_RANGE,   1, 2,  1},
    {"ZUNION",            KEYS_COUNTED, 0, 1,  0},
    {"ZUNIONSTORE",       KEYS_COUNTED, 1, 2,  0},
};

/* --- the words of a command */

struct word {
    const char *at;
    size_t len;
};

struct walk {
    const char *at, *end;
    size_t count; /* words in all */
    size_t next;  /* the number of the one that comes next */
};

/* The number behind the kind of a header; at is behind its line afterwards. */
static size_t read_header(struct walk *walk)
{
    size_t number = 0;
    while (walk->at < walk->end && *walk->at != '\n') {
        if (*walk->at >= '0' && *walk->at <= '9')
            number = number * 10 + (size_t)(*walk->at - '0');
        walk->at++;
    }
    walk->at++;
    return number;
}

static bool next_word(struct walk *walk, struct word *ret)
{
    if (walk->next >= walk->count || walk->at >= walk->end)
        return false;
    ret->len = read_header(walk);
    ret->at = walk->at;
    if (ret->len > (size_t)(walk->end - walk->at))
        return false;
    walk->at += ret->len + 2;
    walk->next++;
    return true;
}

static bool is_word(const struct word *word, const char *name)
{
    return strlen(name) == word->len && strncasecmp(word->at, name, word->len) == 0;
}

static int compare(const struct word *word, const char *name)
{
    size_t len = strlen(name);
    int order = strncasecmp(word->at, name, word->len < len ? word->len : len);
    return order != 0 ? order : word->len < len ? -1 : word->len > len;
}

static const struct rule *find_rule(const struct word *name)
{
    size_t low = 0, high = HR_ARRAY_LEN(rules);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(name, rules[middle].name);
        if (order == 0)
            return &rules[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return &by_default;
}

static size_t read_number(const struct word *word)
{
    size_t number = 0;
    for (size_t i = 0; i < word->len && number < SIZE_MAX / 16; i++) {
        if (word->at[i] < '0' || word->at[i] > '9')
            return 0;
        number = number * 10 + (size_t)(word->at[i] - '0');
    }
    return number;
}

/* Which words are keys: first to last, every step-th; and one more, or 0. */
struct keys {
    size_t first, last, step, extra;
    size_t deaf; /* words before this one are arguments, whatever they say */
};

/* Options whose arguments may look like options: of SORT, MIGRATE and XREADGROUP. */
static const struct {
    const char *name;
    size_t words;
} with_arguments[] = {
    {"AUTH",  1},
    {"AUTH2", 2},
    {"BY",    1},
    {"GET",   1},
    {"GROUP", 2},
    {"LIMIT", 2},
};

static void skip_arguments(const struct word *word, size_t number, struct keys *keys)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(with_arguments); i++) {
        if (is_word(word, with_arguments[i].name))
            keys->deaf = number + 1 + with_arguments[i].words;
    }
}

/* What an option says about the words behind it. */
static void heed_option(const struct rule *rule, const struct walk *walk, const struct word *word,
                        struct keys *keys)
{
    size_t number = walk->next - 1;
    if (number < (size_t)rule->last || number < keys->deaf)
        return;
    bool stored = rule->where == KEYS_STORED;
    if (stored && (is_word(word, "STORE") || is_word(word, "STOREDIST")))
        keys->extra = number + 1;
    else if (!stored && is_word(word, "KEYS"))
        *keys = (struct keys){.first = number + 1, .last = walk->count - 1, .step = 1};
    else
        skip_arguments(word, number, keys);
}

/* What the word says about those behind it. */
static void heed_word(const struct rule *rule, const struct walk *walk, const struct word *word,
                      struct keys *keys)
{
    size_t number = walk->next - 1;
    if (rule->where == KEYS_COUNTED && number == (size_t)rule->last) {
        size_t count = read_number(word);
        keys->first = number + 1;
        keys->last = count < walk->count ? number + count : walk->count - 1;
    }
    if (rule->where == KEYS_STREAMS && keys->first == SIZE_MAX && number >= keys->deaf) {
        if (is_word(word, "STREAMS")) {
            keys->first = number + 1;
            keys->last = number + (walk->count - number - 1) / 2;
        }
        skip_arguments(word, number, keys);
    }
    if (rule->where == KEYS_STORED || rule->where == KEYS_MIGRATE)
        heed_option(rule, walk, word, keys);
}

static struct keys keys_of(const struct rule *rule, size_t count)
{
    struct keys keys = {.first = SIZE_MAX, .step = 1};
    if (rule->where == KEYS_COUNTED)
        keys.extra = (size_t)rule->first;
    if (rule->where == KEYS_STORED || rule->where == KEYS_MIGRATE)
        keys.first = keys.last = (size_t)rule->first;
    if (rule->where != KEYS_RANGE)
        return keys;
    keys.first = (size_t)rule->first;
    keys.step = (size_t)rule->step;
    if (rule->last > 0)
        keys.last = (size_t)rule->last;
    else if (count > (size_t)-rule->last)
        keys.last = count - 1 - (size_t)-rule->last;
    return keys;
}

static bool is_key(const struct keys *keys, size_t number)
{
    if (number == keys->extra)
        return true;
    return number >= keys->first && number <= keys->last &&
           (number - keys->first) % keys->step == 0;
}

static int refuse(const struct word *name, const struct word *one, const struct word *other)
{
    return hr_fail(-EINVAL,
                   "%.*s: the keys %.*s and %.*s are of different slots; only what stands in {} "
                   "counts, where there is such a part",
                   (int)(name->len < 20 ? name->len : 20), name->at,
                   (int)(one->len < 40 ? one->len : 40), one->at,
                   (int)(other->len < 40 ? other->len : 40), other->at);
}

int hr__redis_slot_of_command(const char *bytes, size_t len, unsigned *ret)
{
    struct walk walk = {.at = bytes, .end = bytes + len};
    struct word name, word, first = {0};
    unsigned slot = HR__REDIS_NO_SLOT;
    walk.count = read_header(&walk);
    if (next_word(&walk, &name)) {
        const struct rule *rule = find_rule(&name);
        struct keys keys = keys_of(rule, walk.count);
        while (rule->where != KEYS_NONE && next_word(&walk, &word)) {
            size_t number = walk.next - 1;
            bool none = rule->where == KEYS_MIGRATE && word.len == 0;
            if (none || !is_key(&keys, number)) {
                heed_word(rule, &walk, &word, &keys);
                if (rule->where == KEYS_RANGE && number > keys.last)
                    break;
                continue;
            }
            unsigned its = hr__redis_slot(word.at, word.len);
            if (slot != HR__REDIS_NO_SLOT && its != slot)
                return refuse(&name, &first, &word);
            if (slot == HR__REDIS_NO_SLOT)
                first = word;
            slot = its;
        }
    }
    *ret = slot;
    return 0;
}
