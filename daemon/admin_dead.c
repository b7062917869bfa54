/* SPDX-License-Identifier: MIT */
/*
 * Dead letters over the admin socket: listed, shown, put back, removed.
 *
 * Values of items stand in these answers only. Logs say how many letters were treated, of which
 * job, and nothing of what is in them.
 */
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/admin.h"
#include "daemon/app.h"
#include "daemon/dead.h"
#include "daemon/hash_set.h"
#include "daemon/item/plural.h"
#include "daemon/log.h"

/* What one answer lists at most, and about how many bytes of it. */
#define LIST_MOST  1000
#define LIST_BYTES ((size_t)2 * 1024 * 1024)

#define IDS_MOST  1000
#define BODY_ROOM ((size_t)32 * 1024 * 1024)

/* So often in a row may others change the list under us before it is given up. */
#define DISTURBED_MOST 1000

/* The list where a job's dead letters lie; NULL when they go to standard error. */
static struct queue *dead_queue(const struct admin_call *call)
{
    return call->job->source->queue;
}

static int refuse_without_list(struct admin_call *call)
{
    return admin_refuse(call, 400, "dead letters of job %s go to standard error: there is no list",
                        call->job->conf->name);
}

static int count_letters(const struct queue *queue, uint64_t *ret)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_command(queue->dead_redis, &reply, "LLEN %s", queue->dead);
    if (r >= 0)
        *ret = (uint64_t)hr_reply_int(reply);
    return r;
}

#define CLASSES                                                                                    \
    "(there are: row, size, unknown, decode, expect, expression, precision, max_payload, crash, "  \
    "transient, environment)"

static bool is_class(const char *name)
{
    return strcmp(error_class_name(error_class_named(name)), name) == 0;
}

static bool has_class(const struct dead_letter *letter, const char *class)
{
    size_t len;
    const char *text = dead_text(letter, "error", "class", &len);
    return !class || (text && len == strlen(class) && memcmp(text, class, len) == 0);
}

static bool has_id(const struct dead_letter *letter, const char *id, size_t id_len)
{
    size_t len;
    const char *text = dead_text(letter, NULL, "id", &len);
    return text && len == id_len && memcmp(text, id, len) == 0;
}

/* The letter's object with its index added. */
static void put_letter(struct evbuffer *to, struct dead_walk *walk,
                       const struct dead_letter *letter)
{
    const char *text;
    size_t len;
    struct failure why;
    if (!letter->json || json_write(walk->arena, letter->json, &text, &len, &why) < 0) {
        evbuffer_add_printf(to, "{\"unreadable\":true,\"bytes\":%zu,\"index\":%zu}", letter->len,
                            letter->index);
        return;
    }
    evbuffer_add(to, text, len - 1);
    if (dead_text(letter, NULL, "payload_at", &len)) {
        evbuffer_add_printf(to, ",\"payload_key\":");
        admin_put_string(to, walk->queue->oversize, strlen(walk->queue->oversize));
    }
    evbuffer_add_printf(to, "%s\"index\":%zu}", json_count(letter->json) > 0 ? "," : "",
                        letter->index);
}

static int list_letters(struct admin_call *call, struct dead_walk *walk, const char *class,
                        uint64_t limit)
{
    uint64_t total, n = 0;
    int r = count_letters(walk->queue, &total);
    if (r < 0)
        return r;
    evbuffer_add_printf(call->answer, "{\"total\":%" PRIu64 ",\"dead\":[", total);
    struct dead_letter letter = {0};
    bool more = false;
    while (!more && (r = dead_walk_next(walk, &letter)) > 0) {
        if (!has_class(&letter, class))
            continue;
        more = n == limit || evbuffer_get_length(call->answer) > LIST_BYTES;
        if (more)
            break;
        evbuffer_add_printf(call->answer, n++ > 0 ? ",\n" : "\n");
        put_letter(call->answer, walk, &letter);
    }
    if (r < 0)
        return r;
    evbuffer_add_printf(call->answer, "],\"next\":");
    if (more)
        evbuffer_add_printf(call->answer, "%zu}\n", letter.index);
    else
        evbuffer_add_printf(call->answer, "null}\n");
    return 200;
}

static int show_letter(struct admin_call *call, struct dead_walk *walk, const char *id)
{
    struct dead_letter letter;
    int r;
    while ((r = dead_walk_next(walk, &letter)) > 0) {
        if (!has_id(&letter, id, strlen(id)))
            continue;
        put_letter(call->answer, walk, &letter);
        evbuffer_add(call->answer, "\n", 1);
        return 200;
    }
    return r < 0 ? r
                 : admin_refuse(call, 404, "job %s has no dead letter %.80s", call->job->conf->name,
                                id);
}

static int get_dead(struct admin_call *call)
{
    if (!dead_queue(call))
        return refuse_without_list(call);
    hr_auto(hr_freep) char *id = admin_query_text(call, "id");
    hr_auto(hr_freep) char *class = admin_query_text(call, "class");
    if (class && !is_class(class))
        return admin_refuse(call, 400, "there is no error class %.40s " CLASSES, class);
    uint64_t limit = admin_query_number(call, "limit", 100);
    hr_auto(dead_walk_done) struct dead_walk walk;
    int r = dead_walk_init(&walk, dead_queue(call), admin_query_number(call, "offset", 0));
    if (r < 0)
        return r;
    return id ? show_letter(call, &walk, id)
              : list_letters(call, &walk, class, limit < LIST_MOST ? limit : LIST_MOST);
}

/* An id that was asked for. */
struct wanted {
    const char *id;
    size_t len;
    bool found;
};

/* What is to be done with which letters, and how far it has come. */
struct work {
    bool retry, dry, all;
    struct wanted ids[IDS_MOST]; /* unless all */
    size_t n_ids;
    char class[FAILURE_CLASS_MAX]; /* "": any */
    uint64_t limit;

    uint64_t looked, done, unreadable, doubled, disturbed;
    bool given_up;
    struct hash_set seen; /* ids, where a letter may have been pushed twice */
};

/* One id may lie in the list twice: readers are to see it once (protocol.md 5.4). */
static bool may_double(const struct queue *queue)
{
    return queue->dead_remote || queue->conf->delivery != EXACTLY_ONCE;
}

/* Is it one of those asked for? Which of the ids it is goes to *ret_id (NULL: any letter). */
static bool is_wanted(struct work *work, const struct dead_letter *letter, struct wanted **ret_id)
{
    if (!has_class(letter, work->class[0] ? work->class : NULL))
        return false;
    size_t len;
    const char *id = dead_text(letter, NULL, "id", &len);
    for (size_t i = 0; i < work->n_ids && id; i++) {
        struct wanted *wanted = &work->ids[i];
        if (wanted->len != len || memcmp(wanted->id, id, len) != 0)
            continue;
        *ret_id = wanted;
        return true;
    }
    return work->all;
}

static bool is_finished(const struct work *work)
{
    if (work->done >= work->limit)
        return true;
    for (size_t i = 0; i < work->n_ids; i++) {
        if (!work->ids[i].found)
            return false;
    }
    return !work->all && !work->seen.wanted;
}

/* Does it to one letter; returns 0 or a code. */
static int treat(struct work *work, struct dead_walk *walk, const struct dead_letter *letter)
{
    size_t len;
    const char *id = dead_text(letter, NULL, "id", &len);
    bool again = id && hash_set_has(&work->seen, id, len);
    enum dead_done done = DEAD_DONE;
    int r = 0;
    if (!work->dry)
        r = work->retry && !again ? dead_retry(walk, letter, &done)
                                  : dead_remove(walk, letter, &done);
    if (r < 0)
        return r;
    if (done == DEAD_CHANGED) {
        work->given_up = ++work->disturbed > DISTURBED_MOST;
        work->looked = work->done + work->doubled;
        work->unreadable = 0;
        dead_walk_seek(walk, 0);
        return 0;
    }
    work->disturbed = 0;
    work->looked++;
    work->unreadable += done == DEAD_UNREADABLE;
    work->doubled += done == DEAD_DONE && again;
    work->done += done == DEAD_DONE && !again;
    return done == DEAD_DONE && id ? hash_set_add(&work->seen, id, len) : 0;
}

/* Goes through the letters that are there now; those that come back meanwhile are not met again. */
static int treat_letters(struct work *work, struct dead_walk *walk)
{
    uint64_t total;
    int r = count_letters(walk->queue, &total);
    while (r >= 0 && work->looked < total && !work->given_up && !is_finished(work)) {
        struct dead_letter letter;
        struct wanted *id = NULL;
        r = dead_walk_next(walk, &letter);
        if (r <= 0)
            break;
        if (!is_wanted(work, &letter, &id)) {
            work->looked++;
            continue;
        }
        uint64_t before = work->looked;
        r = treat(work, walk, &letter);
        if (id && work->looked > before)
            id->found = true;
    }
    return r;
}

static void put_missing(struct evbuffer *to, const struct work *work)
{
    const char *between = "";
    evbuffer_add_printf(to, "\"missing\":[");
    for (size_t i = 0; i < work->n_ids; i++) {
        if (work->ids[i].found)
            continue;
        evbuffer_add_printf(to, "%s", between);
        admin_put_string(to, work->ids[i].id, work->ids[i].len);
        between = ",";
    }
    evbuffer_add_printf(to, "]");
}

static int say_done(struct admin_call *call, const struct work *work)
{
    const char *what = work->retry ? "retried" : "removed";
    if (!work->dry && work->done + work->doubled > 0)
        log_info("job %s: %" PRIu64 " dead letters %s by admin socket", call->job->conf->name,
                 work->done + work->doubled, what);
    evbuffer_add_printf(call->answer,
                        "{\"%s\":%" PRIu64 ",\"dry_run\":%s,\"unreadable\":%" PRIu64
                        ",\"doubled\":%" PRIu64 ",\"disturbed\":%s,",
                        what, work->done, work->dry ? "true" : "false", work->unreadable,
                        work->doubled, work->given_up ? "true" : "false");
    put_missing(call->answer, work);
    evbuffer_add_printf(call->answer, "}\n");
    return 200;
}

/* Takes the ids, each once. False: they are not what they have to be. */
static bool read_ids(struct work *work, const struct json_value *ids)
{
    const struct json_value *key, *value;
    struct json_iter each = json_iter(ids);
    if (json_type(ids) != JSON_ARRAY || json_count(ids) > IDS_MOST)
        return false;
    while (json_next(&each, &key, &value)) {
        if (json_type(value) != JSON_STRING)
            return false;
        struct wanted id = {0};
        id.id = json_text(value, &id.len);
        bool again = false;
        for (size_t i = 0; i < work->n_ids; i++)
            again |= work->ids[i].len == id.len && memcmp(work->ids[i].id, id.id, id.len) == 0;
        if (!again)
            work->ids[work->n_ids++] = id;
    }
    return true;
}

/* Reads the body, which has to live as long as work. 0, or the status of a refusal. */
static int read_work(struct admin_call *call, struct arena *arena, struct work *work)
{
    static const char shape[] =
        "the body has to be {\"ids\": [\"…\"]} with up to 1000 ids, or {\"all\": true}; it may "
        "have class, limit and dry_run";
    const struct json_value *body;
    struct failure why;
    if (json_parse(arena, call->body, call->body_len, &body, &why) < 0)
        return admin_refuse(call, 400, "%s", shape);
    const struct json_value *all = json_get(body, "all", 3), *ids = json_get(body, "ids", 3);
    const struct json_value *limit = json_get(body, "limit", 5),
                            *class = json_get(body, "class", 5);
    const struct json_value *dry = json_get(body, "dry_run", 7);
    work->all = all && json_is_true(all);
    if (work->all ? ids != NULL : !ids || !read_ids(work, ids))
        return admin_refuse(call, 400, "%s", shape);
    size_t len;
    const char *text = class ? json_text(class, &len) : NULL;
    if (text)
        snprintf(work->class, sizeof(work->class), "%.*s", (int)len, text);
    if (class && (!text || !is_class(work->class)))
        return admin_refuse(call, 400, "there is no error class %s " CLASSES, work->class);
    const char *digits = limit ? json_text(limit, &len) : NULL;
    work->limit = digits ? strtoull(digits, NULL, 10) : UINT64_MAX;
    work->dry = dry && json_is_true(dry);
    return 0;
}

static int act(struct admin_call *call, bool retry)
{
    struct queue *queue = dead_queue(call);
    if (!queue)
        return refuse_without_list(call);
    if (retry && call->job->conf->source.kind != SOURCE_REDIS_LIST)
        return admin_refuse(call, 400, "job %s has no list in Redis to put its items back to",
                            call->job->conf->name);
    hr_auto(arena_freep) struct arena *arena = arena_new(BODY_ROOM);
    hr_auto(hr_freep) struct work *work = calloc(1, sizeof(*work));
    if (!arena || !work)
        return hr_fail(-ENOMEM, "treating dead letters: out of memory");
    work->retry = retry;
    work->seen.wanted = may_double(queue);
    int status = read_work(call, arena, work);
    if (status != 0)
        return status;

    hr_auto(dead_walk_done) struct dead_walk walk;
    int r = dead_walk_init(&walk, queue, 0);
    if (r >= 0)
        r = treat_letters(work, &walk);
    hash_set_done(&work->seen);
    if (r >= 0 || work->done == 0)
        return r < 0 ? r : say_done(call, work);
    bool outage = error_is_outage(error_classify(r, hr_last_error()));
    log_warn("job %s: after %" PRIu64 " dead %s by admin socket: %s", call->job->conf->name,
             work->done, plural(work->done, "letter", "letters"), hr_error_message(r));
    return admin_refuse(call, outage ? 503 : 500, "%" PRIu64 " %s %s, then: %s", work->done,
                        plural(work->done, "letter was", "letters were"),
                        retry ? "retried" : "removed", hr_error_message(r));
}

static int retry_dead(struct admin_call *call)
{
    return act(call, true);
}

static int remove_dead(struct admin_call *call)
{
    return act(call, false);
}

const struct admin_route admin_dead_routes[] = {
    {"GET",  "/jobs/NAME/dead",       get_dead,    false},
    {"POST", "/jobs/NAME/dead/retry", retry_dead,  false},
    {"POST", "/jobs/NAME/dead/rm",    remove_dead, false},
    {NULL,   NULL,                    NULL,        false},
};
