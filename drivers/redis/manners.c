/* SPDX-License-Identifier: MIT */
/*
 * One table, looked up by the first word. Most commands are told apart by their first letter.
 */
#include "drivers/redis/manners.h"

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
    {"ASKING",       "hr_redis_cluster_command()", false},
    {"AUTH",         URL,                          false},
    {"BLMOVE",       OWN,                          true },
    {"BLMPOP",       OWN,                          true },
    {"BLPOP",        OWN,                          true },
    {"BRPOP",        OWN,                          true },
    {"BRPOPLPUSH",   OWN,                          true },
    {"BZMPOP",       OWN,                          true },
    {"BZPOPMAX",     OWN,                          true },
    {"BZPOPMIN",     OWN,                          true },
    {"DISCARD",      EXEC,                         false},
    {"EXEC",         EXEC,                         false},
    {"HELLO",        URL,                          false},
    {"MONITOR",      "redis-cli",                  false},
    {"MULTI",        EXEC,                         false},
    {"PSUBSCRIBE",   SUBSCRIBE,                    false},
    {"PUNSUBSCRIBE", "hr_redis_unsubscribe()",     false},
    {"QUIT",         "hr_redis_close()",           false},
    {"READONLY",     OWN,                          false},
    {"READWRITE",    OWN,                          false},
    {"RESET",        OWN,                          false},
    {"SELECT",       URL,                          false},
    {"SSUBSCRIBE",   SUBSCRIBE,                    false},
    {"SUBSCRIBE",    SUBSCRIBE,                    false},
    {"SUNSUBSCRIBE", "hr_redis_unsubscribe()",     false},
    {"UNSUBSCRIBE",  "hr_redis_unsubscribe()",     false},
    {"UNWATCH",      WATCH,                        false},
    {"WAIT",         OWN,                          true },
    {"WAITAOF",      OWN,                          true },
    {"WATCH",        WATCH,                        false},
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

/* CLIENT REPLY OFF or SKIP: a command without a reply would get the next one's. */
static bool is_client_reply(const char *first, const char *second)
{
    return second && strncasecmp(first, "CLIENT", 6) == 0 && strncasecmp(second, "REPLY", 5) == 0;
}

static int refuse_client_reply(void)
{
    return hr_fail(-EINVAL, "redis: CLIENT REPLY would give a command the reply of another one");
}

static const char *second_word(const char *word)
{
    word += strcspn(word, " ");
    return word + strspn(word, " ");
}

/* The first word, or NULL: it is not known. */
static const char *first_word(const struct hr__redis_request *request)
{
    if (!request->fmt)
        return request->argc > 0 ? request->argv[0] : NULL;
    const char *word = request->fmt;
    while (*word == ' ')
        word++;
    return word;
}

static int check_word(const struct hr__redis_request *request, const char *word)
{
    const char *second = NULL;
    size_t len;
    if (request->fmt) {
        len = strcspn(word, " ");
        second = second_word(word);
    } else {
        len = request->lens ? request->lens[0] : strlen(word);
        second = request->argc > 1 ? request->argv[1] : NULL;
    }
    const struct hr__redis_manner *manner = hr__redis_manner_of(word, len);
    if (manner)
        return refuse(manner, "everybody on the shared connection");
    return is_client_reply(word, second) ? refuse_client_reply() : 0;
}

int hr__redis_check_manners(const struct hr__redis_request *request)
{
    const char *word = first_word(request);
    bool suspect = word && (letters | LETTER('C')) & LETTER(word[0]);
    return suspect ? check_word(request, word) : 0;
}

int hr__redis_check_own_manners(const char *fmt)
{
    const char *word = fmt + strspn(fmt, " ");
    const struct hr__redis_manner *manner = hr__redis_manner_of(word, strcspn(word, " "));
    if (manner && (strstr(manner->name, "SUBSCRIBE") || strcmp(manner->name, "MONITOR") == 0))
        return refuse(manner, "the connection's next borrower");
    return is_client_reply(word, second_word(word)) ? refuse_client_reply() : 0;
}
