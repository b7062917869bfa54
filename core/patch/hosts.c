/* SPDX-License-Identifier: MIT */
/*
 * gethostbyname and its family: looked up in the default pool.
 *
 * They fill memory of their caller, so the wait cannot be interrupted. Those that return something
 * static return the latest answer of the process, as ever: a task reads it before it waits again.
 */
#include <errno.h>
#include <stdatomic.h>

#include "core/patch/patch_impl.h"
#include "core/patch/plain.h"
#include "core/patch/pool.h"

/* One of the old calls, all of them: which, with what. */
struct old_call {
    enum { BY_NAME, BY_NAME_2, BY_ADDRESS } which;
    const void *what;
    socklen_t size;
    int family;
    struct hostent *ret;
    char *buffer;
    size_t buffer_size;
    struct hostent **result;
    int *host_error;
    int r, error;
};

static void call_old(void *arg)
{
    const struct hr__patch_calls *plain = hr__plain();
    struct old_call *c = arg;
    switch (c->which) {
    case BY_NAME:
        c->r = plain->gethostbyname_r(c->what, c->ret, c->buffer, c->buffer_size, c->result,
                                      c->host_error);
        break;
    case BY_NAME_2:
        c->r = plain->gethostbyname2_r(c->what, c->family, c->ret, c->buffer, c->buffer_size,
                                       c->result, c->host_error);
        break;
    case BY_ADDRESS:
        c->r = plain->gethostbyaddr_r(c->what, c->size, c->family, c->ret, c->buffer,
                                      c->buffer_size, c->result, c->host_error);
        break;
    }
    c->error = errno;
}

static int old_in_pool(struct old_call *call)
{
    hr__patch_in_pool(call_old, call);
    errno = call->error;
    return call->r;
}

/* With room of the caller's for the answer. */
static int old_into(struct old_call call, struct hostent *ret, char *buffer, size_t size,
                    struct hostent **result, int *host_error)
{
    call.ret = ret;
    call.buffer = buffer;
    call.buffer_size = size;
    call.result = result;
    call.host_error = host_error;
    return old_in_pool(&call);
}

HR_PUBLIC int gethostbyname_r(const char *name, struct hostent *ret, char *buffer, size_t size,
                              struct hostent **result, int *host_error)
{
    if (!hr__patch_on(HR_PATCH_NAMES))
        return hr__plain()->gethostbyname_r(name, ret, buffer, size, result, host_error);
    struct old_call call = {.which = BY_NAME, .what = name};
    return old_into(call, ret, buffer, size, result, host_error);
}

HR_PUBLIC int gethostbyname2_r(const char *name, int family, struct hostent *ret, char *buffer,
                               size_t size, struct hostent **result, int *host_error)
{
    if (!hr__patch_on(HR_PATCH_NAMES))
        return hr__plain()->gethostbyname2_r(name, family, ret, buffer, size, result, host_error);
    struct old_call call = {.which = BY_NAME_2, .what = name, .family = family};
    return old_into(call, ret, buffer, size, result, host_error);
}

HR_PUBLIC int gethostbyaddr_r(const void *address, socklen_t length, int family,
                              struct hostent *ret, char *buffer, size_t size,
                              struct hostent **result, int *host_error)
{
    if (!hr__patch_on(HR_PATCH_NAMES))
        return hr__plain()->gethostbyaddr_r(address, length, family, ret, buffer, size, result,
                                            host_error);
    struct old_call call = {.which = BY_ADDRESS, .what = address, .size = length, .family = family};
    return old_into(call, ret, buffer, size, result, host_error);
}

/* An answer of the calls that have no room for one. */
struct answer {
    struct hostent host;
    char buffer[];
};

static _Atomic(struct answer *) latest;

static struct hostent *keep(struct answer *answer)
{
    free(atomic_exchange(&latest, answer));
    return &answer->host;
}

/* Asks with more and more room. NULL, and h_errno. */
static struct hostent *old_static(struct old_call call)
{
    struct hostent *found = NULL;
    int host_error = NETDB_INTERNAL;
    call.result = &found;
    call.host_error = &host_error;
    for (call.buffer_size = 1024;; call.buffer_size *= 2) {
        struct answer *answer = malloc(sizeof(*answer) + call.buffer_size);
        if (!answer)
            break;
        call.ret = &answer->host;
        call.buffer = answer->buffer;
        int r = old_in_pool(&call);
        if (r == 0 && found)
            return keep(answer);
        free(answer);
        if (r != ERANGE || host_error != NETDB_INTERNAL)
            break;
    }
    h_errno = host_error;
    return NULL;
}

HR_PUBLIC struct hostent *gethostbyname(const char *name)
{
    if (!hr__patch_on(HR_PATCH_NAMES))
        return hr__plain()->gethostbyname(name);
    return old_static((struct old_call){.which = BY_NAME, .what = name});
}

HR_PUBLIC struct hostent *gethostbyname2(const char *name, int family)
{
    if (!hr__patch_on(HR_PATCH_NAMES))
        return hr__plain()->gethostbyname2(name, family);
    return old_static((struct old_call){.which = BY_NAME_2, .what = name, .family = family});
}

HR_PUBLIC struct hostent *gethostbyaddr(const void *address, socklen_t length, int family)
{
    if (!hr__patch_on(HR_PATCH_NAMES))
        return hr__plain()->gethostbyaddr(address, length, family);
    return old_static(
        (struct old_call){.which = BY_ADDRESS, .what = address, .size = length, .family = family});
}
