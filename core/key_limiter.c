/* SPDX-License-Identifier: MIT */
/*
 * How it works: a table of semaphores that are made with the first user of a key and freed with the
 * last. It doubles when it gets full; without memory for that it only gets slower.
 */
#include "core/key_limiter.h"

#include <string.h>

#include "core/error_impl.h"

#define FIRST_BUCKETS 16

struct entry {
    struct hr_list link; /* in its bucket */
    uint64_t hash;
    size_t users, holders; /* users: holders and waiters */
    hr_semaphore semaphore;
    char key[];
};

struct hr_key_limiter {
    unsigned each;
    size_t keys, bucket_count; /* a power of two */
    struct hr_list *buckets;
};

static struct hr_list *buckets_new(size_t count)
{
    struct hr_list *buckets = reallocarray(NULL, count, sizeof(*buckets));
    for (size_t i = 0; buckets && i < count; i++)
        hr_list_init(&buckets[i]);
    return buckets;
}

hr_key_limiter *hr_key_limiter_new(unsigned each)
{
    if (each == 0) {
        hr_fail(-EINVAL, "a limit of nobody a key");
        return NULL;
    }
    hr_key_limiter *limiter = malloc(sizeof(*limiter));
    struct hr_list *buckets = buckets_new(FIRST_BUCKETS);
    if (!limiter || !buckets) {
        free(limiter);
        free(buckets);
        hr_fail(-ENOMEM, "no memory for a limiter");
        return NULL;
    }
    *limiter = (hr_key_limiter){each, 0, FIRST_BUCKETS, buckets};
    return limiter;
}

hr_key_limiter *hr_key_limiter_free(hr_key_limiter *limiter)
{
    if (!limiter)
        return NULL;
    if (limiter->keys > 0)
        hr__misused("hr_key_limiter_free(): turns are taken or waited for; release them first");
    free(limiter->buckets);
    free(limiter);
    return NULL;
}

void hr_key_limiter_freep(hr_key_limiter **limiter)
{
    *limiter = hr_key_limiter_free(*limiter);
}

/* FNV-1a; a caller who is attacked by his own keys has other worries. */
static uint64_t hash_of(const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return hash;
}

static struct entry *find(const hr_key_limiter *limiter, const char *key, uint64_t hash)
{
    struct hr_list *bucket = &limiter->buckets[hash & (limiter->bucket_count - 1)];
    hr_list_foreach (node, bucket) {
        struct entry *entry = hr_list_entry(node, struct entry, link);
        if (entry->hash == hash && strcmp(entry->key, key) == 0)
            return entry;
    }
    return NULL;
}

static void grow(hr_key_limiter *limiter)
{
    size_t count = 2 * limiter->bucket_count;
    struct hr_list *buckets = buckets_new(count);
    if (!buckets)
        return;
    for (size_t i = 0; i < limiter->bucket_count; i++) {
        for (struct hr_list *node; (node = hr_list_pop(&limiter->buckets[i]));)
            hr_list_append(&buckets[hr_list_entry(node, struct entry, link)->hash & (count - 1)],
                           node);
    }
    free(limiter->buckets);
    limiter->buckets = buckets;
    limiter->bucket_count = count;
}

static struct entry *add(hr_key_limiter *limiter, const char *key, uint64_t hash)
{
    size_t size = strlen(key) + 1;
    struct entry *entry = malloc(sizeof(*entry) + size);
    if (!entry) {
        hr_fail(-ENOMEM, "no memory for the limit of %.40s", key);
        return NULL;
    }
    if (limiter->keys >= limiter->bucket_count)
        grow(limiter);
    entry->hash = hash;
    entry->users = entry->holders = 0;
    memcpy(entry->key, key, size);
    hr_semaphore_init(&entry->semaphore, limiter->each, true);
    hr_list_append(&limiter->buckets[hash & (limiter->bucket_count - 1)], &entry->link);
    limiter->keys++;
    return entry;
}

static void drop_user(hr_key_limiter *limiter, struct entry *entry)
{
    if (--entry->users > 0)
        return;
    hr_semaphore_done(&entry->semaphore);
    hr_list_remove(&entry->link);
    free(entry);
    limiter->keys--;
}

int hr_key_limiter_acquire(hr_key_limiter *limiter, const char *key)
{
    uint64_t hash = hash_of(key);
    struct entry *entry = find(limiter, key, hash);
    if (!entry)
        entry = add(limiter, key, hash);
    if (!entry)
        return -ENOMEM;
    entry->users++; /* so it stays where it is while we wait */
    int r = hr_semaphore_acquire(&entry->semaphore);
    if (r < 0)
        drop_user(limiter, entry);
    else
        entry->holders++;
    return r;
}

int hr_key_limiter_release(hr_key_limiter *limiter, const char *key)
{
    struct entry *entry = find(limiter, key, hash_of(key));
    if (!entry || entry->holders == 0) /* who waits may have been called and not have run yet */
        return hr_fail(-EINVAL, "limiter: nobody holds %.40s", key);
    entry->holders--;
    (void)hr_semaphore_release(&entry->semaphore);
    drop_user(limiter, entry);
    return 0;
}

int hr_key_limiter_hold(hr_key_limiter *limiter, const char *key, struct hr_key_turn *ret)
{
    int r = hr_key_limiter_acquire(limiter, key);
    if (r == 0)
        *ret = (struct hr_key_turn){limiter, key};
    return r;
}

void hr_key_limiter_releasep(struct hr_key_turn *turn)
{
    if (turn->limiter)
        hr_key_limiter_release(hr_take(turn->limiter), turn->key);
}

size_t hr_key_limiter_keys(const hr_key_limiter *limiter)
{
    return limiter->keys;
}
