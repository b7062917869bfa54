/* SPDX-License-Identifier: MIT */
/*
 * getaddrinfo and getnameinfo: names are looked up in the default pool.
 *
 * Name servers take as long as they like, so a cancel or a limit interrupts the wait: the thread
 * works on copies, and what it finds for nobody is freed. A numeric address needs no thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "core/executor.h"
#include "core/patch/patch_impl.h"
#include "core/patch/plain.h"

static int errno_of(int code)
{
    return code < 0 && code > -1000 ? -code : EIO;
}

/* Runs a job whose arg is its value, too, freed by free_arg unless the job was done: then 0, and
 * arg is the caller's. Else errno. */
static int ask(hr_job_fn *job, void *arg, hr_free_fn *free_arg)
{
    struct hr_job_options options = {.free_value = free_arg, .free_arg = free_arg};
    int before = errno; /* a lookup that succeeds leaves it alone */
    hr_future *future = hr_run_in_executor_with(&options, job, arg);
    if (!future) {
        free_arg(arg);
        errno = errno_of(hr_last_error()->code);
        return -1;
    }
    int r = hr_await(future);
    if (r >= 0)
        hr_future_take(future);
    hr_future_unref(future);
    errno = r >= 0 ? before : errno_of(r);
    return r < 0 ? -1 : 0;
}

struct lookup {
    char *host, *service;
    struct addrinfo hints, *found;
    int result, error;
};

static void lookup_free(void *arg)
{
    struct lookup *lookup = arg;
    if (lookup->found)
        freeaddrinfo(lookup->found);
    free(lookup->host);
    free(lookup->service);
    free(lookup);
}

static int look_up(void *arg, void **ret_value)
{
    struct lookup *lookup = arg;
    lookup->result =
        hr__plain()->getaddrinfo(lookup->host, lookup->service, &lookup->hints, &lookup->found);
    lookup->error = errno;
    *ret_value = lookup;
    return 0;
}

static struct lookup *lookup_new(const char *host, const char *service,
                                 const struct addrinfo *hints)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (!lookup)
        return NULL;
    if (hints)
        lookup->hints = *hints;
    else /* what libc takes for none */
        lookup->hints.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG;
    lookup->host = host ? strdup(host) : NULL;
    lookup->service = service ? strdup(service) : NULL;
    if ((host && !lookup->host) || (service && !lookup->service)) {
        lookup_free(lookup);
        return NULL;
    }
    return lookup;
}

/* Whether nothing has to be looked up. */
static bool is_numeric(const char *host, const char *service, const struct addrinfo *hints)
{
    struct in6_addr bytes;
    bool host_is = !host || (hints && hints->ai_flags & AI_NUMERICHOST) ||
                   inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1;
    return host_is && (!service || service[strspn(service, "0123456789")] == '\0');
}

HR_PUBLIC int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                          struct addrinfo **ret)
{
    if (!hr__patch_on(HR_PATCH_NAMES) || is_numeric(host, service, hints))
        return hr__plain()->getaddrinfo(host, service, hints, ret);
    struct lookup *lookup = lookup_new(host, service, hints);
    if (!lookup)
        return EAI_MEMORY;
    if (ask(look_up, lookup, lookup_free) < 0)
        return EAI_SYSTEM;
    int result = lookup->result, error = lookup->error;
    if (result == 0)
        *ret = hr_take(lookup->found);
    lookup_free(lookup);
    if (result == EAI_SYSTEM)
        errno = error;
    return result;
}

struct reverse {
    struct sockaddr_storage address;
    socklen_t size, host_size, service_size;
    int flags, result, error;
    char texts[]; /* host, then service */
};

static int look_back(void *arg, void **ret_value)
{
    struct reverse *reverse = arg;
    char *host = reverse->host_size > 0 ? reverse->texts : NULL;
    char *service = reverse->service_size > 0 ? reverse->texts + reverse->host_size : NULL;
    reverse->result = hr__plain()->getnameinfo((struct sockaddr *)&reverse->address, reverse->size,
                                               host, reverse->host_size, service,
                                               reverse->service_size, reverse->flags);
    reverse->error = errno;
    *ret_value = reverse;
    return 0;
}

HR_PUBLIC int getnameinfo(const struct sockaddr *address, socklen_t size, char *host,
                          socklen_t host_size, char *service, socklen_t service_size, int flags)
{
    struct reverse *reverse;
    bool numeric = !host || host_size == 0 || flags & NI_NUMERICHOST;
    if (numeric || size > sizeof(reverse->address) || !hr__patch_on(HR_PATCH_NAMES))
        return hr__plain()->getnameinfo(address, size, host, host_size, service, service_size,
                                        flags);
    service_size = service ? service_size : 0;
    reverse = calloc(1, sizeof(*reverse) + host_size + service_size);
    if (!reverse)
        return EAI_MEMORY;
    memcpy(&reverse->address, address, size);
    reverse->size = size;
    reverse->host_size = host_size;
    reverse->service_size = service_size;
    reverse->flags = flags;
    if (ask(look_back, reverse, free) < 0)
        return EAI_SYSTEM;
    int result = reverse->result, error = reverse->error;
    if (result == 0) {
        memcpy(host, reverse->texts, host_size);
        if (service)
            memcpy(service, reverse->texts + host_size, service_size);
    }
    free(reverse);
    if (result == EAI_SYSTEM)
        errno = error;
    return result;
}
