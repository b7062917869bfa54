/* SPDX-License-Identifier: MIT */
/*
 * readv, writev and getaddrinfo that pass the call on, and preadv2 and pwritev2 that may refuse.
 */
#include "tests/patch/witness.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static bool seen;
static sem_t answers; /* all zero bits: none has come */
static atomic_bool refusing;

static void note(void)
{
    pthread_mutex_lock(&lock);
    thread = pthread_self();
    seen = true;
    pthread_mutex_unlock(&lock);
}

void witness_reset(void)
{
    pthread_mutex_lock(&lock);
    seen = false;
    pthread_mutex_unlock(&lock);
}

bool witness_thread(pthread_t *ret)
{
    pthread_mutex_lock(&lock);
    bool any = seen;
    if (any)
        *ret = thread;
    pthread_mutex_unlock(&lock);
    return any;
}

void witness_answer(void)
{
    sem_post(&answers);
}

HR_PUBLIC ssize_t readv(int fd, const struct iovec *items, int count)
{
    __typeof__(readv) *next = (__typeof__(readv) *)dlsym(RTLD_NEXT, "readv");
    note();
    return next(fd, items, count);
}

HR_PUBLIC ssize_t writev(int fd, const struct iovec *items, int count)
{
    __typeof__(writev) *next = (__typeof__(writev) *)dlsym(RTLD_NEXT, "writev");
    note();
    return next(fd, items, count);
}

HR_PUBLIC int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                          struct addrinfo **ret)
{
    __typeof__(getaddrinfo) *next = (__typeof__(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");
    note();
    if (host && strcmp(host, WITNESS_SLOW_NAME) == 0) {
        while (sem_wait(&answers) < 0)
            ;
        host = "127.0.0.1";
    }
    return next(host, service, hints, ret);
}

void witness_old_kernel(bool old)
{
    refusing = old;
}

HR_PUBLIC ssize_t preadv2(int fd, const struct iovec *items, int count, off_t place, int flags)
{
    __typeof__(preadv2) *next = (__typeof__(preadv2) *)dlsym(RTLD_NEXT, "preadv2");
    if (!refusing)
        return next(fd, items, count, place, flags);
    errno = EOPNOTSUPP;
    return -1;
}

HR_PUBLIC ssize_t pwritev2(int fd, const struct iovec *items, int count, off_t place, int flags)
{
    __typeof__(pwritev2) *next = (__typeof__(pwritev2) *)dlsym(RTLD_NEXT, "pwritev2");
    if (!refusing)
        return next(fd, items, count, place, flags);
    errno = EOPNOTSUPP;
    return -1;
}
