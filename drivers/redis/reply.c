/* SPDX-License-Identifier: MIT */
/*
 * The arena: the first block holds the reply itself and, sized by what is known then, often all of
 * it; further blocks double. Elements stand side by side, so walking an array follows no pointers.
 */
#include "drivers/redis/reply.h"

#include <errno.h>
#include <string.h>

#include "drivers/redis/arena.h"

#define BLOCK_MIN 256
#define BLOCK_MAX (64 * 1024)

struct block {
    struct block *next;
    max_align_t data[];
};

struct arena {
    struct block *blocks; /* behind the first */
    char *at, *end;       /* free room of the newest block */
    size_t size;
    size_t next_size;
    struct hr_reply root;
    max_align_t data[];
};

static struct arena *arena_of(const hr_reply *root)
{
    return (struct arena *)((char *)root - offsetof(struct arena, root));
}

hr_reply *hr__reply_new(size_t room)
{
    struct arena *arena = malloc(sizeof(*arena) + room);
    if (!arena)
        return NULL;
    arena->blocks = NULL;
    arena->at = (char *)arena->data;
    arena->end = arena->at + room;
    arena->size = sizeof(*arena) + room;
    arena->next_size = BLOCK_MIN;
    arena->root.type = HR_REPLY_NIL;
    arena->root.len = 0;
    arena->root.items = NULL;
    return &arena->root;
}

static void *alloc_block(struct arena *arena, size_t n)
{
    size_t size = n > arena->next_size ? n : arena->next_size;
    struct block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    if (arena->next_size < BLOCK_MAX)
        arena->next_size *= 2;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->size += sizeof(*block) + size;
    /* A large piece takes a block of its own; the room that is left elsewhere stays in use. */
    if (size - n >= (size_t)(arena->end - arena->at)) {
        arena->at = (char *)block->data + n;
        arena->end = (char *)block->data + size;
    }
    return block->data;
}

void *hr__reply_alloc(hr_reply *root, size_t n)
{
    struct arena *arena = arena_of(root);
    n = (n + 7) & ~(size_t)7;
    if (n > (size_t)(arena->end - arena->at))
        return alloc_block(arena, n);
    void *piece = arena->at;
    arena->at += n;
    return piece;
}

int hr__reply_set_str(hr_reply *root, hr_reply *at, enum hr_reply_type type, const char *bytes,
                      size_t len)
{
    char *str = hr__reply_alloc(root, len + 1);
    if (!str)
        return -ENOMEM;
    memcpy(str, bytes, len);
    str[len] = '\0';
    at->type = type;
    at->len = len;
    at->str = str;
    return 0;
}

int hr__reply_set_array(hr_reply *root, hr_reply *at, size_t n)
{
    if (n > SIZE_MAX / 2 / sizeof(hr_reply))
        return -ENOMEM;
    hr_reply *items = n > 0 ? hr__reply_alloc(root, n * sizeof(*items)) : NULL;
    if (n > 0 && !items)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        items[i].type = HR_REPLY_NIL;
        items[i].len = 0;
        items[i].items = NULL;
    }
    at->type = HR_REPLY_ARRAY;
    at->len = n;
    at->items = items;
    return 0;
}

enum hr_reply_type hr_reply_type(const hr_reply *reply)
{
    return reply->type;
}

static bool is_text(const hr_reply *reply)
{
    return reply->type == HR_REPLY_STR || reply->type == HR_REPLY_STATUS ||
           reply->type == HR_REPLY_ERROR;
}

const char *hr_reply_str(const hr_reply *reply, size_t *len)
{
    if (!is_text(reply))
        return NULL;
    if (len)
        *len = reply->len;
    return reply->str;
}

bool hr_reply_equals(const hr_reply *reply, const char *text)
{
    return (reply->type == HR_REPLY_STR || reply->type == HR_REPLY_STATUS) &&
           reply->len == strlen(text) && memcmp(reply->str, text, reply->len) == 0;
}

/* A decimal number and nothing else; false also when it does not fit. */
static bool parse_int(const char *text, size_t len, int64_t *ret)
{
    bool negative = len > 0 && text[0] == '-';
    uint64_t value = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (len == (size_t)negative || len > 20)
        return false;
    for (size_t i = negative; i < len; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (digit > 9 || value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = (int64_t)(negative ? 0 - value : value);
    return true;
}

int64_t hr_reply_int(const hr_reply *reply)
{
    int64_t value = 0;
    if (reply->type == HR_REPLY_INT)
        return reply->integer;
    if (reply->type == HR_REPLY_STR || reply->type == HR_REPLY_STATUS)
        (void)parse_int(reply->str, reply->len, &value);
    return value;
}

size_t hr_reply_len(const hr_reply *reply)
{
    return reply->type == HR_REPLY_ARRAY ? reply->len : 0;
}

const hr_reply *hr_reply_at(const hr_reply *reply, size_t i)
{
    return i < hr_reply_len(reply) ? &reply->items[i] : NULL;
}

size_t hr_reply_size(const hr_reply *reply)
{
    return arena_of(reply)->size;
}

hr_reply *hr_reply_free(hr_reply *reply)
{
    if (!reply)
        return NULL;
    struct arena *arena = arena_of(reply);
    while (arena->blocks) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    free(arena);
    return NULL;
}

void hr_reply_freep(hr_reply **reply)
{
    *reply = hr_reply_free(*reply);
}
