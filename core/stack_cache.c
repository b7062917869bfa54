/* SPDX-License-Identifier: MIT */
/*
 * How it works: a store for each size that was ever asked for, behind one lock, and in front of it
 * a shelf in each thread, which needs none. Stores stay for good, shelves are cleared when their
 * thread ends.
 */
#include "core/stack_cache.h"

#include <errno.h>
#include <pthread.h>

#include "core/error.h"

#define DEFAULT_SIZE (256u << 10)
#define KEPT_WARM    1024

struct hr__stack_store {
    struct hr__stack_store *next;
    size_t size;
    struct hr__stacks stacks;
};

struct shelf {
    struct shelf *next;
    struct hr__stack_store *store;
    unsigned count;
    struct hr__stack warm[KEPT_WARM];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the stores */
static struct hr__stack_store *stores;

static _Thread_local struct shelf *shelves;
static pthread_key_t shelves_key; /* clears them when the thread ends */
static bool has_key;
static pthread_once_t shelves_once = PTHREAD_ONCE_INIT;

/* With the lock. NULL when memory is out. */
static struct hr__stack_store *store_for(size_t size)
{
    struct hr__stack_store *store = stores;
    while (store && store->size != size)
        store = store->next;
    if (!store && (store = calloc(1, sizeof(*store)))) {
        store->size = size;
        hr__stacks_init(&store->stacks, size, HR__GUARD_AUTO);
        store->next = stores;
        stores = store;
    }
    return store;
}

void hr__stack_cache_hold(void)
{
    pthread_mutex_lock(&lock);
}

void hr__stack_cache_let_go(void)
{
    pthread_mutex_unlock(&lock);
}

static void thread_ends(void *arg)
{
    for (struct shelf *shelf = hr_take(shelves), *next; shelf; shelf = next) {
        next = shelf->next;
        pthread_mutex_lock(&lock);
        while (shelf->count > 0)
            hr__stack_put(&shelf->store->stacks, &shelf->warm[--shelf->count]);
        pthread_mutex_unlock(&lock);
        free(shelf);
    }
}

static void make_key(void)
{
    has_key = pthread_key_create(&shelves_key, thread_ends) == 0;
}

/* This thread's; NULL when memory or keys are out, which only makes stacks dearer. */
static struct shelf *shelf_new(struct hr__stack_store *store)
{
    pthread_once(&shelves_once, make_key);
    struct shelf *shelf = has_key ? calloc(1, sizeof(*shelf)) : NULL;
    if (!shelf || pthread_setspecific(shelves_key, shelf) != 0) {
        free(shelf);
        return NULL;
    }
    shelf->store = store;
    shelf->next = shelves;
    shelves = shelf;
    return shelf;
}

int hr__stack_borrow(size_t size, struct hr__lent_stack *ret)
{
    size = size ? size : DEFAULT_SIZE;
    for (struct shelf *shelf = shelves; shelf; shelf = shelf->next) {
        if (shelf->store->size != size || shelf->count == 0)
            continue;
        *ret = (struct hr__lent_stack){shelf->warm[--shelf->count], shelf->store};
        return 0;
    }

    struct hr__stack stack;
    pthread_mutex_lock(&lock);
    struct hr__stack_store *store = store_for(size);
    int r = store ? hr__stack_get(&store->stacks, &stack) : -ENOMEM;
    pthread_mutex_unlock(&lock);
    if (!store)
        return hr_fail(-ENOMEM, "no memory for a stack");
    if (r == 0)
        *ret = (struct hr__lent_stack){stack, store};
    return r;
}

void hr__stack_return(struct hr__lent_stack *lent)
{
    struct hr__stack_store *store = hr_take(lent->store);
    if (!store)
        return;
    struct shelf *shelf = shelves;
    while (shelf && shelf->store != store)
        shelf = shelf->next;
    if (!shelf)
        shelf = shelf_new(store);
    if (shelf && shelf->count < KEPT_WARM) {
        shelf->warm[shelf->count++] = lent->stack;
        return;
    }
    pthread_mutex_lock(&lock);
    hr__stack_put(&store->stacks, &lent->stack);
    pthread_mutex_unlock(&lock);
}
