/* SPDX-License-Identifier: MIT */
/*
 * The hand-written loop that headraced is measured against: claim, bulk insert, acknowledge, and
 * nothing else.
 *
 * Two threads with blocking connections of their own. A batch is one Lua call, one array insert,
 * which is a transaction by itself, and one Lua call. There is no lease, no ledger, no check of an
 * item, and an error of any kind ends the program: what is left is what the servers cost.
 *
 *   limit REDIS-SOCKET MYSQL-SOCKET LIST      until SIGTERM
 */
#include <hiredis/hiredis.h>
#include <mysql.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#define BATCH   1000
#define COLUMNS 6
#define THREADS 2

static const char claim_lua[] = "local items = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)\n"
                                "if #items == 0 then return items end\n"
                                "redis.call('LTRIM', KEYS[1], #items, -1)\n"
                                "redis.call('RPUSH', KEYS[2], unpack(items))\n"
                                "redis.call('HSET', KEYS[3], KEYS[2], ARGV[2])\n"
                                "return items\n";

static const char ack_lua[] = "redis.call('DEL', KEYS[1])\n"
                              "return redis.call('HDEL', KEYS[2], KEYS[1])\n";

static const char insert_sql[] =
    "INSERT INTO orders (uid, customer_id, amount, currency, note, placed_at)"
    " VALUES (?, ?, ?, ?, ?, ?)";

struct worker {
    pthread_t thread;
    const char *redis_path, *mysql_path, *list;
    char batch_key[64];
    redisContext *redis;
    MYSQL *mysql;
    MYSQL_STMT *insert;
    char claim[41], ack[41];

    yyjson_doc *docs[BATCH];
    const char *texts[COLUMNS][BATCH];
    unsigned long lengths[COLUMNS][BATCH];
    long long customers[BATCH];
    char times[BATCH][20];
};

static atomic_bool stopping;

static void on_term(int number)
{
    stopping = true;
}

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "limit: %s: %s\n", what, why);
    exit(1);
}

static redisReply *checked(struct worker *w, redisReply *reply)
{
    if (!reply)
        die("redis", w->redis->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        die("redis", reply->str);
    return reply;
}

static void load_script(struct worker *w, const char *text, char ret[41])
{
    redisReply *reply = checked(w, redisCommand(w->redis, "SCRIPT LOAD %s", text));
    snprintf(ret, 41, "%s", reply->str);
    freeReplyObject(reply);
}

static void connect_servers(struct worker *w)
{
    w->redis = redisConnectUnix(w->redis_path);
    if (!w->redis || w->redis->err)
        die("redis", w->redis ? w->redis->errstr : "out of memory");
    load_script(w, claim_lua, w->claim);
    load_script(w, ack_lua, w->ack);

    w->mysql = mysql_init(NULL);
    mysql_options(w->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(w->mysql, NULL, "app", NULL, "shop", 0, w->mysql_path, 0))
        die("mysql", mysql_error(w->mysql));
    w->insert = mysql_stmt_init(w->mysql);
    if (mysql_stmt_prepare(w->insert, insert_sql, sizeof(insert_sql) - 1))
        die("prepare", mysql_stmt_error(w->insert));
}

static redisReply *claim(struct worker *w)
{
    return checked(w, redisCommand(w->redis, "EVALSHA %s 3 %s %s limit:own %d %s", w->claim,
                                   w->list, w->batch_key, BATCH, "owner"));
}

/* Waits for an item, which lies in the batch's list then. */
static redisReply *wait_for_one(struct worker *w)
{
    return checked(w, redisCommand(w->redis, "BLMOVE %s %s LEFT RIGHT 0.2", w->list, w->batch_key));
}

static void acknowledge(struct worker *w)
{
    freeReplyObject(
        checked(w, redisCommand(w->redis, "EVALSHA %s 2 %s limit:own", w->ack, w->batch_key)));
}

static void take_text(struct worker *w, size_t column, size_t row, const yyjson_val *value)
{
    w->texts[column][row] = yyjson_get_str((yyjson_val *)value);
    w->lengths[column][row] = yyjson_get_len((yyjson_val *)value);
}

static void parse(struct worker *w, size_t row, const redisReply *item)
{
    yyjson_doc *doc = yyjson_read(item->str, item->len, 0);
    yyjson_val *order = yyjson_doc_get_root(doc);
    const char *time = yyjson_get_str(yyjson_obj_get(order, "placed_at"));
    if (!time || strlen(time) < 19)
        die("item", item->str);
    w->docs[row] = doc;
    take_text(w, 0, row, yyjson_obj_get(order, "order_uid"));
    w->customers[row] = yyjson_get_sint(yyjson_obj_get(order, "customer_id"));
    take_text(w, 2, row, yyjson_obj_get(order, "amount"));
    w->texts[3][row] = "EUR";
    w->lengths[3][row] = 3;
    take_text(w, 4, row, yyjson_obj_get(order, "note"));
    memcpy(w->times[row], time, 19);
    w->times[row][10] = ' ';
    w->texts[5][row] = w->times[row];
    w->lengths[5][row] = 19;
}

static void insert(struct worker *w, size_t n)
{
    MYSQL_BIND binds[COLUMNS] = {0};
    for (size_t k = 0; k < COLUMNS; k++) {
        binds[k].buffer_type = MYSQL_TYPE_STRING;
        binds[k].buffer = w->texts[k];
        binds[k].length = w->lengths[k];
    }
    binds[1].buffer_type = MYSQL_TYPE_LONGLONG;
    binds[1].buffer = w->customers;
    unsigned rows = (unsigned)n;
    mysql_stmt_attr_set(w->insert, STMT_ATTR_ARRAY_SIZE, &rows);
    if (mysql_stmt_bind_param(w->insert, binds) || mysql_stmt_execute(w->insert))
        die("insert", mysql_stmt_error(w->insert));
}

static void carry(struct worker *w, redisReply **items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        parse(w, i, items[i]);
    insert(w, n);
    acknowledge(w);
    for (size_t i = 0; i < n; i++)
        yyjson_doc_free(w->docs[i]);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    connect_servers(w);
    while (!stopping) {
        redisReply *reply = claim(w);
        if (reply->elements > 0) {
            carry(w, reply->element, reply->elements);
        } else {
            freeReplyObject(reply);
            reply = wait_for_one(w);
            if (reply->type == REDIS_REPLY_STRING)
                carry(w, &reply, 1);
        }
        freeReplyObject(reply);
    }
    mysql_stmt_close(w->insert);
    mysql_close(w->mysql);
    redisFree(w->redis);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage", "limit REDIS-SOCKET MYSQL-SOCKET LIST");
    signal(SIGTERM, on_term);
    mysql_library_init(0, NULL, NULL);
    static struct worker workers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        struct worker *w = &workers[i];
        *w = (struct worker){.redis_path = argv[1], .mysql_path = argv[2], .list = argv[3]};
        snprintf(w->batch_key, sizeof(w->batch_key), "limit:batch:%zu", i);
        pthread_create(&w->thread, NULL, work, w);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    mysql_library_end();
    return 0;
}
