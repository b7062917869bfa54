/* SPDX-License-Identifier: MIT */
/*
 * How names become addresses: a literal is read on the spot; else the cache of this thread is
 * asked, then getaddrinfo() in a thread of the loop's default pool.
 *
 * The lookup is a heap object of its own and is never cancelled: getaddrinfo() cannot be
 * interrupted, so who leaves early merely does not look at the answer.
 */
#include "drivers/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "core/executor.h"
#include "core/timeout.h"

#define NAME_MAX_LEN  256
#define CACHE_SIZE    16
#define KEEP_ANSWERS  hr_seconds(30)
#define KEEP_FAILURES hr_seconds(1)

struct answer {
    int code; /* how many addresses, or the failure */
    struct hr_address addresses[HR_ADDRESSES_MAX];
    char message[96];
};

struct lookup {
    char host[NAME_MAX_LEN];
    struct answer answer;
};

struct cached {
    char host[NAME_MAX_LEN];
    uint64_t loop; /* the number of that whose clock expires is on */
    hr_usec expires;
    struct answer answer; /* code 0: the place is free */
};

/* One loop a thread, so no lock. */
static _Thread_local struct cached cache[CACHE_SIZE];

static void set_port(struct hr_address *address, uint16_t port)
{
    if (address->addr.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->addr)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&address->addr)->sin_port = htons(port);
}

static bool parse_literal(const char *host, struct hr_address *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&ret->addr, &v4, sizeof(v4));
        ret->len = sizeof(v4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(&ret->addr, &v6, sizeof(v6));
        ret->len = sizeof(v6);
        return true;
    }
    return false;
}

static int code_of(int error)
{
    switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return -ENOENT;
    case EAI_MEMORY:
        return -ENOMEM;
    default:
        return -EAGAIN;
    }
}

/* In a thread: must not touch the loop. The failure is data, so that it can be cached. */
static int look_up(void *arg, void **ret_value)
{
    struct lookup *lookup = arg;
    struct answer *answer = &lookup->answer;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(lookup->host, NULL, &hints, &found);
    if (error != 0) {
        answer->code = code_of(error);
        snprintf(answer->message, sizeof(answer->message), "%s",
                 error == EAI_SYSTEM ? "the resolver failed" : gai_strerror(error));
    }
    for (struct addrinfo *at = found; at && answer->code < HR_ADDRESSES_MAX; at = at->ai_next) {
        if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
            continue;
        struct hr_address *address = &answer->addresses[answer->code++];
        memcpy(&address->addr, at->ai_addr, at->ai_addrlen);
        address->len = at->ai_addrlen;
    }
    if (found)
        freeaddrinfo(found);
    if (answer->code == 0) {
        answer->code = -ENOENT;
        snprintf(answer->message, sizeof(answer->message), "no address of a usable family");
    }
    *ret_value = lookup;
    return 0;
}

static int give(const char *host, uint16_t port, const struct answer *answer,
                struct hr_address ret[HR_ADDRESSES_MAX])
{
    if (answer->code < 0)
        return hr_fail(answer->code, "cannot resolve %s: %s", host, answer->message);
    memcpy(ret, answer->addresses, (size_t)answer->code * sizeof(ret[0]));
    for (int i = 0; i < answer->code; i++)
        set_port(&ret[i], port);
    return answer->code;
}

static const struct answer *find(const char *host)
{
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        struct cached *cached = &cache[i];
        if (cached->answer.code != 0 && strcmp(cached->host, host) == 0)
            return cached->loop == hr_running_loop_number() && hr_now() < cached->expires
                       ? &cached->answer
                       : NULL;
    }
    return NULL;
}

/* Keeps a copy in a free place, or in that of the answer which would expire first. */
static void keep(const struct lookup *lookup)
{
    struct cached *place = &cache[0];
    for (size_t i = 0; i < CACHE_SIZE && place->answer.code != 0; i++) {
        if (cache[i].answer.code == 0 || cache[i].expires < place->expires)
            place = &cache[i];
    }
    place->answer = lookup->answer;
    memcpy(place->host, lookup->host, sizeof(place->host));
    place->loop = hr_running_loop_number();
    place->expires = hr_now() + (lookup->answer.code < 0 ? KEEP_FAILURES : KEEP_ANSWERS);
}

static int ask(const char *host, uint16_t port, struct hr_address ret[HR_ADDRESSES_MAX])
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (!lookup)
        return hr_fail(-ENOMEM, "cannot resolve %s: no memory", host);
    snprintf(lookup->host, sizeof(lookup->host), "%s", host);

    hr_auto(hr_future_unrefp) hr_future *answer = hr_run_in_executor(NULL, look_up, lookup, free);
    if (!answer) {
        free(lookup);
        return hr_fail(-ENOMEM, "cannot resolve %s: no thread for it", host);
    }
    int r = hr_shield(hr_future_ref(answer));
    if (r < 0)
        return r;
    const struct lookup *done = hr_future_result(answer);
    hr_resolve_forget(host);
    keep(done);
    return give(host, port, &done->answer, ret);
}

int hr_resolve(const char *host, uint16_t port, struct hr_address ret[HR_ADDRESSES_MAX])
{
    struct hr_address literal = {0};
    if (parse_literal(host, &literal)) {
        ret[0] = literal;
        set_port(&ret[0], port);
        return 1;
    }
    if (strlen(host) >= NAME_MAX_LEN)
        return hr_fail(-ENOENT, "cannot resolve %.40s…: the name is too long", host);
    const struct answer *known = find(host);
    return known ? give(host, port, known, ret) : ask(host, port, ret);
}

int hr_address_unix(const char *path, struct hr_address *ret)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(un.sun_path))
        return hr_fail(-ENAMETOOLONG, "the path of the socket is longer than %zu bytes: %.40s…",
                       sizeof(un.sun_path) - 1, path);
    memcpy(un.sun_path, path, len + 1);
    *ret = (struct hr_address){.len = sizeof(un)};
    memcpy(&ret->addr, &un, sizeof(un));
    return 0;
}

void hr_resolve_forget(const char *host)
{
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        if (strcmp(cache[i].host, host) == 0)
            cache[i].answer.code = 0;
    }
}
