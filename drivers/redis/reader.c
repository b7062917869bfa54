/* SPDX-License-Identifier: MIT */
/*
 * The only file that includes hiredis. Its parser calls our functions for each object; a child
 * finds its place in the array that its parent made, the root is remembered in the reader.
 *
 * hiredis 0.14 counts elements with int and knows neither doubles nor booleans; since 1.0 it is
 * size_t, and nesting is no longer cut at 7 by the library.
 */
#include "drivers/redis/reader.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <string.h>

#include "core/error.h"
#include "drivers/redis/arena.h"

#define MAX_DEPTH    32
#define KEEP_UNUSED  (256 * 1024)
#define ROOM_AN_ITEM 32 /* a first guess at the bytes of an array's element */
#define ROOM_MAX     (16 * 1024)

struct hr__redis_reader {
    redisReader *parser;
    size_t max_reply;
    hr_reply *root;   /* of the reply being read; the parser frees it when it gives up */
    int refused;      /* code and reason why an object was not made */
    const char *what; /* a literal */
};

static void *refuse(struct hr__redis_reader *reader, int code, const char *what)
{
    reader->refused = code;
    reader->what = what;
    return NULL;
}

/* Where the object goes; the root is made, with room for what is known to come. NULL: refused. */
static hr_reply *place_of(const redisReadTask *task, size_t room)
{
    struct hr__redis_reader *reader = task->privdata;
    size_t used = task->parent ? hr_reply_size(reader->root) : 0;
    if (room > reader->max_reply || used > reader->max_reply - room)
        return refuse(reader, -EMSGSIZE, "the reply is larger than max_reply");
    if (task->parent)
        return &((hr_reply *)task->parent->obj)->items[task->idx];

    reader->root = hr__reply_new(room);
    return reader->root ? reader->root : refuse(reader, -ENOMEM, "no memory for the reply");
}

static enum hr_reply_type type_of(int type)
{
    switch (type) {
    case REDIS_REPLY_STATUS:
        return HR_REPLY_STATUS;
    case REDIS_REPLY_ERROR:
        return HR_REPLY_ERROR;
    default:
        return HR_REPLY_STR;
    }
}

static void *create_string(const redisReadTask *task, char *bytes, size_t len)
{
    struct hr__redis_reader *reader = task->privdata;
    hr_reply *at = place_of(task, (len + 8) & ~(size_t)7);
    if (!at)
        return NULL;
    if (hr__reply_set_str(reader->root, at, type_of(task->type), bytes, len) < 0)
        return refuse(reader, -ENOMEM, "no memory for the reply");
    return at;
}

static void *make_array(const redisReadTask *task, size_t n)
{
    struct hr__redis_reader *reader = task->privdata;
    unsigned depth = 0;
    for (const redisReadTask *up = task->parent; up; up = up->parent)
        depth++;
    if (depth >= MAX_DEPTH)
        return refuse(reader, -EBADMSG, "the reply is nested too deep");

    size_t guess = n < ROOM_MAX / ROOM_AN_ITEM ? n * ROOM_AN_ITEM : ROOM_MAX;
    if (n > reader->max_reply / sizeof(hr_reply))
        return refuse(reader, -EMSGSIZE, "the reply is larger than max_reply");
    hr_reply *at = place_of(task, n * sizeof(hr_reply) + (task->parent ? 0 : guess));
    if (!at)
        return NULL;
    if (hr__reply_set_array(reader->root, at, n) < 0)
        return refuse(reader, -ENOMEM, "no memory for the reply");
    return at;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    hr_reply *at = place_of(task, 0);
    if (at) {
        at->type = HR_REPLY_INT;
        at->integer = value;
    }
    return at;
}

static void *create_nil(const redisReadTask *task)
{
    return place_of(task, 0); /* places start as nil */
}

static void free_object(void *object)
{
    (void)hr_reply_free(object);
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t n)
{
    return make_array(task, n);
}

static void *create_double(const redisReadTask *task, double value, char *bytes, size_t len)
{
    return create_string(task, bytes, len);
}

static void *create_bool(const redisReadTask *task, int value)
{
    return create_integer(task, value);
}
#else
static void *create_array(const redisReadTask *task, int n)
{
    return make_array(task, (size_t)n);
}
#endif

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
};

struct hr__redis_reader *hr__redis_reader_new(size_t max_reply)
{
    struct hr__redis_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return NULL;
    reader->max_reply = max_reply;
    reader->parser = redisReaderCreateWithFunctions(&functions);
    if (!reader->parser) {
        free(reader);
        return NULL;
    }
    reader->parser->privdata = reader;
    reader->parser->maxbuf = KEEP_UNUSED;
    return reader;
}

void hr__redis_reader_free(struct hr__redis_reader *reader)
{
    if (!reader)
        return;
    redisReaderFree(reader->parser);
    free(reader);
}

int hr__redis_reader_feed(struct hr__redis_reader *reader, const char *bytes, size_t n)
{
    if (redisReaderFeed(reader->parser, bytes, n) != REDIS_OK)
        return hr_fail(-ENOMEM, "no memory for what the server sent");
    return 0;
}

int hr__redis_reader_next(struct hr__redis_reader *reader, hr_reply **ret)
{
    redisReader *parser = reader->parser;
    void *object = NULL;
    if (redisReaderGetReply(parser, &object) != REDIS_OK) {
        reader->root = NULL;
        if (reader->refused < 0)
            return hr_fail(reader->refused, "%s", reader->what);
        return hr_fail(parser->err == REDIS_ERR_OOM ? -ENOMEM : -EBADMSG,
                       "the server does not speak the protocol: %s", parser->errstr);
    }
    if (object) {
        *ret = object;
        reader->root = NULL;
        return 1;
    }
    /* A string is made only when it is whole: until then the bytes wait with the parser. */
    if (parser->len - parser->pos > reader->max_reply)
        return hr_fail(-EMSGSIZE, "the reply is larger than max_reply");
    return 0;
}
