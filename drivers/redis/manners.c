/* SPDX-License-Identifier: MIT */
/*
 * One table, looked up by the first word. Most commands are told apart by their first letter.
 */
#include "drivers/redis/manners.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/error.h"
#include "drivers/redis/format.h"

#define EXEC      "hr_redis_pipeline_exec()"
#define WATCH     "hr_redis_watch()"
#define SUBSCRIBE "hr_redis_subscribe()"
#define URL       "the client's URL and options"
#define OWN       "hr_redis_conn_command() on a connection of one's own"

static const struct hr__redis_manner manners[] = {
    {"ASKING",       "a hr_redis_cluster",     false},
    {"AUTH",         URL,                      false},
    {"BLMOVE",       OWN,                      true },
    {"BLMPOP",       OWN,                      true },
    {"BLPOP",        OWN,                      true },
    {"BRPOP",        OWN,                      true },
    {"BRPOPLPUSH",   OWN,                      true },
    {"BZMPOP",       OWN,                      true },
    {"BZPOPMAX",     OWN,                      true },
    {"BZPOPMIN",     OWN,                      true },
    {"DISCARD",      EXEC,                     false},
    {"EXEC",         EXEC,                     false},
    {"HELLO",        URL,                      false},
    {"MONITOR",      "redis-cli",              false},
    {"MULTI",        EXEC,                     false},
    {"PSUBSCRIBE",   SUBSCRIBE,                false},
    {"PSYNC",        "redis-cli",              false},
    {"PUNSUBSCRIBE", "hr_redis_unsubscribe()", false},
    {"QUIT",         "hr_redis_close()",       false},
    {"READONLY",     OWN,                      false},
    {"READWRITE",    OWN,                      false},
    {"RESET",        OWN,                      false},
    {"SELECT",       URL,                      false},
    {"SSUBSCRIBE",   SUBSCRIBE,                false},
    {"SUBSCRIBE",    SUBSCRIBE,                false},
    {"SUNSUBSCRIBE", "hr_redis_unsubscribe()", false},
    {"SYNC",         "redis-cli",              false},
    {"UNSUBSCRIBE",  "hr_redis_unsubscribe()", false},
    {"UNWATCH",      WATCH,                    false},
    {"WAIT",         OWN,                      true },
    {"WAITAOF",      OWN,                      true },
    {"WATCH",        WATCH,                    false},
};

#define LETTER(c) (1U << ((c)&31))
static const unsigned letters = LETTER('A') | LETTER('B') | LETTER('D') | LETTER('E') |
                                LETTER('H') | LETTER('M') | LETTER('P') | LETTER('Q') |
                                LETTER('R') | LETTER('S') | LETTER('U') | LETTER('W');

const struct hr__redis_manner *hr__redis_manner_of(const char *word, size_t len)
{
    if (len < 4) /* the shortest are AUTH, EXEC, QUIT, WAIT */
        return NULL;
    unsigned first = LETTER(word[0]);
    if (!(letters & first))
        return NULL;
    for (size_t i = 0; i < HR_ARRAY_LEN(manners); i++) {
        const char *name = manners[i].name;
        if (LETTER(name[0]) == first && strlen(name) == len && strncasecmp(name, word, len) == 0)
            return &manners[i];
    }
    return NULL;
}

static int refuse(const struct hr__redis_manner *manner, const char *whom)
{
    return hr_fail(-EINVAL, "redis: %s would %s %s; use %s", manner->name,
                   manner->blocks ? "hold up" : "change the commands of", whom, manner->instead);
}

/* The first two words of a command; the second is empty where there is none. */
struct opening {
    const char *first, *second;
    size_t first_len, second_len;
    bool waits; /* a read of streams that is to block */
};

static bool is_word(const char *word, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(word, name, len) == 0;
}

static bool reads_streams(const struct opening *words)
{
    return is_word(words->first, words->first_len, "XREAD") ||
           is_word(words->first, words->first_len, "XREADGROUP");
}

/* Looks for BLOCK among the options of a read of streams, word by word. GROUP has two names behind
 * it; behind STREAMS there are keys only. */
struct options {
    unsigned skip;
    bool over, blocks;
};

static void look_at_option(struct options *options, const char *word, size_t len)
{
    if (options->skip > 0)
        options->skip--;
    else if (is_word(word, len, "GROUP"))
        options->skip = 2;
    else if (is_word(word, len, "BLOCK"))
        options->over = options->blocks = true;
    else if (is_word(word, len, "STREAMS"))
        options->over = true;
}

static struct opening opening_of_format(const char *fmt)
{
    struct opening words = {.first = fmt + strspn(fmt, " ")};
    words.first_len = strcspn(words.first, " ");
    words.second = words.first + words.first_len;
    words.second += strspn(words.second, " ");
    words.second_len = strcspn(words.second, " ");
    return words;
}

/* One that is missing has no bytes, and so has a NULL, which is refused when it is sent. */
static const char *word_at(const struct hr__redis_request *request, size_t i, size_t *ret_len)
{
    const char *word = i < request->argc ? hr__redis_argv_at(request, i, ret_len) : NULL;
    if (!word)
        *ret_len = 0;
    return word ? word : "";
}

static struct opening opening_of_array(const struct hr__redis_request *request)
{
    struct opening words;
    words.first = word_at(request, 0, &words.first_len);
    words.second = word_at(request, 1, &words.second_len);
    struct options options = {.over = !reads_streams(&words)};
    for (size_t i = 1; i < request->argc && !options.over; i++) {
        size_t len;
        const char *word = word_at(request, i, &len);
        look_at_option(&options, word, len);
    }
    words.waits = options.blocks;
    return words;
}

/* The word whose "$6" is here; returns where the next one's is. */
static const char *take_word(const char *at, const char **ret, size_t *ret_len)
{
    *ret_len = strtoul(at + 1, NULL, 10);
    *ret = strchr(at, '\n') + 1;
    return *ret + *ret_len + 2;
}

/* Of a command as it is sent: "*2", "$6", the word, "$5", the word, each with CR LF behind it. */
static struct opening opening_of_bytes(const char *at)
{
    struct opening words = {.second = ""};
    unsigned long count = strtoul(at + 1, NULL, 10);
    at = take_word(strchr(at, '$'), &words.first, &words.first_len);
    if (count > 1)
        take_word(at, &words.second, &words.second_len);
    struct options options = {.over = !reads_streams(&words)};
    for (; count > 1 && !options.over; count--) {
        const char *word;
        size_t len;
        at = take_word(at, &word, &len);
        look_at_option(&options, word, len);
    }
    words.waits = options.blocks;
    return words;
}

/* CLIENT REPLY OFF or SKIP: a command without a reply would get the next one's. */
static int check_client_reply(const struct opening *words)
{
    if (!is_word(words->first, words->first_len, "CLIENT") ||
        !is_word(words->second, words->second_len, "REPLY"))
        return 0;
    return hr_fail(-EINVAL, "redis: CLIENT REPLY would give a command the reply of another one");
}

static int check_shared(const struct opening *words)
{
    static const struct hr__redis_manner waiting = {"BLOCK", OWN, true};
    const struct hr__redis_manner *manner = hr__redis_manner_of(words->first, words->first_len);
    if (words->waits)
        manner = &waiting;
    return manner ? refuse(manner, "everybody on the shared connection")
                  : check_client_reply(words);
}

static int check_own(const struct opening *words)
{
    const struct hr__redis_manner *manner = hr__redis_manner_of(words->first, words->first_len);
    if (manner && (strstr(manner->name, "SUBSCRIBE") || strcmp(manner->name, "MONITOR") == 0))
        return refuse(manner, "the connection's next borrower");
    return check_client_reply(words);
}

/* What a format puts in is known when it is written. That a read of streams blocks is said behind
 * its first words, and concerns a shared connection only. */
static int check_format(const struct hr__redis_request *request, bool shared)
{
    int (*check)(const struct opening *words) = shared ? check_shared : check_own;
    struct opening words = opening_of_format(request->fmt);
    bool is_client = is_word(words.first, words.first_len, "CLIENT");
    if (!memchr(words.first, '%', words.first_len) && !(shared && reads_streams(&words)) &&
        !(is_client && memchr(words.second, '%', words.second_len)))
        return check(&words);

    hr_auto(hr_buf_done) struct hr_buf sent;
    hr_buf_init(&sent, SIZE_MAX);
    int r = hr__redis_format(&sent, request);
    if (r < 0)
        return r;
    words = opening_of_bytes(hr_buf_data(&sent));
    return check(&words);
}

int hr__redis_check_manners(const struct hr__redis_request *request)
{
    if (request->fmt) {
        const char *word = request->fmt;
        while (*word == ' ')
            word++;
        bool suspect = *word == '%' || (letters | LETTER('C')) & LETTER(*word) ||
                       (LETTER(*word) == LETTER('X') && strncasecmp(word, "XREAD", 5) == 0);
        return suspect ? check_format(request, true) : 0;
    }
    if (request->argc == 0)
        return 0;
    struct opening words = opening_of_array(request);
    return check_shared(&words);
}

int hr__redis_check_own_manners(const struct hr__redis_request *request)
{
    if (!request->fmt)
        return hr_fail(-EINVAL, "redis: the command is empty");
    return check_format(request, false);
}
