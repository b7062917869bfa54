/* SPDX-License-Identifier: MIT */
#include "tests/drivers/names.h"

#include <netdb.h>
#include <string.h>
#include <unistd.h>

atomic_int test_names_asked, test_names_answered;
atomic_bool test_names_stuck;

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **res);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **res);

static int look_up(const char *node, const char *service, const struct addrinfo *hints,
                   struct addrinfo **res)
{
    if (strcmp(node, "gone.test") == 0)
        return EAI_NONAME;
    if (strcmp(node, "down.test") == 0)
        return EAI_AGAIN;
    bool dead = strcmp(node, "dead.test") == 0, slow = strcmp(node, "slow.test") == 0;
    for (int i = 0; (slow || (dead && i < 500)) && atomic_load(&test_names_stuck); i++)
        usleep(1000);
    if (dead)
        return EAI_AGAIN;
    int r = __real_getaddrinfo("127.0.0.1", service, hints, res);
    if (r == 0 && strcmp(node, "two.test") == 0)
        r = __real_getaddrinfo("::1", service, hints, &(*res)->ai_next);
    if (r == 0 && strcmp(node, "pair.test") == 0)
        r = __real_getaddrinfo("127.0.0.2", service, hints, &(*res)->ai_next);
    return r;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **res)
{
    atomic_fetch_add(&test_names_asked, 1);
    int r = look_up(node, service, hints, res);
    atomic_fetch_add(&test_names_answered, 1);
    return r;
}
