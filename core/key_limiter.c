/* SPDX-License-Identifier: MIT */
/*
 * How it works: a table of semaphores that are made with the first user of a key and freed with the
 * last.
 */
#include "core/key_limiter.h"

#include <string.h>

#include "core/error_impl.h"
#include "core/table.h"

struct entry {
    struct hr__table_entry in_table;
    size_t users, holders; /* users: holders and waiters */
    hr_semaphore semaphore;
    char key[];
};

struct hr_key_limiter {
    unsigned each;
    struct hr__table keys;
};

hr_key_limiter *hr_key_limiter_new(unsigned each)
{
    if (each == 0) {
        hr_fail(-EINVAL, "a limit of nobody a key");
        return NULL;
    }
    hr_key_limiter *limiter = malloc(sizeof(*limiter));
    if (!limiter) {
        hr_fail(-ENOMEM, "no memory for a limiter");
        return NULL;
    }
    limiter->each = each;
    hr__table_init(&limiter->keys);
    return limiter;
}

hr_key_limiter *hr_key_limiter_free(hr_key_limiter *limiter)
{
    if (!limiter)
        return NULL;
    if (limiter->keys.count > 0)
        hr__misused("hr_key_limiter_free(): turns are taken or waited for; release them first");
    hr__table_done(&limiter->keys);
    free(limiter);
    return NULL;
}

void hr_key_limiter_freep(hr_key_limiter **limiter)
{
    *limiter = hr_key_limiter_free(*limiter);
}

/* A caller who is attacked by his own keys has other worries. */
static struct entry *find(const hr_key_limiter *limiter, const char *key, uint64_t hash)
{
    hr_list_foreach (link, hr__table_at(&limiter->keys, hash)) {
        struct entry *entry = hr_list_entry(link, struct entry, in_table.link);
        if (entry->in_table.hash == hash && strcmp(entry->key, key) == 0)
            return entry;
    }
    return NULL;
}

static struct entry *add(hr_key_limiter *limiter, const char *key, uint64_t hash)
{
    size_t size = strlen(key) + 1;
    struct entry *entry = malloc(sizeof(*entry) + size);
    if (!entry) {
        hr_fail(-ENOMEM, "no memory for the limit of %.40s", key);
        return NULL;
    }
    entry->users = entry->holders = 0;
    memcpy(entry->key, key, size);
    hr_semaphore_init(&entry->semaphore, limiter->each, true);
    hr__table_add(&limiter->keys, &entry->in_table, hash);
    return entry;
}

static void drop_user(hr_key_limiter *limiter, struct entry *entry)
{
    if (--entry->users > 0)
        return;
    hr_semaphore_done(&entry->semaphore);
    hr__table_remove(&limiter->keys, &entry->in_table);
    free(entry);
}

int hr_key_limiter_acquire(hr_key_limiter *limiter, const char *key)
{
    uint64_t hash = hr__table_hash(key);
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
    struct entry *entry = find(limiter, key, hr__table_hash(key));
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
    return limiter->keys.count;
}
