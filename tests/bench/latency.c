/* SPDX-License-Identifier: MIT */
/*
 * How long an item takes from its push into an idle list until its row is committed.
 *
 * Items come one a line on standard input, 200 a second. Each is pushed, then its row is asked for
 * by its unique key on a connection that sees committed rows only. Prints p50 and p99 in
 * milliseconds.
 *
 *   latency REDIS-SOCKET MYSQL-SOCKET LIST <items
 */
#include <hiredis/hiredis.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVERY_NS  5000000
#define LOOK_NS   50000
#define GIVE_UP   5.0
#define ITEMS_MAX 100000
#define UID_AT    14 /* behind {"order_uid":" */
#define UID_LEN   36

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "latency: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static MYSQL_STMT *prepare(MYSQL *mysql, char *uid, unsigned long *len)
{
    static const char sql[] = "SELECT 1 FROM orders WHERE uid = ?";
    MYSQL_STMT *look = mysql_stmt_init(mysql);
    MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING, .buffer = uid, .length = len};
    if (mysql_stmt_prepare(look, sql, sizeof(sql) - 1) || mysql_stmt_bind_param(look, &bind))
        die("prepare", mysql_stmt_error(look));
    return look;
}

static int is_there(MYSQL_STMT *look)
{
    if (mysql_stmt_execute(look) || mysql_stmt_store_result(look))
        die("look", mysql_stmt_error(look));
    int there = mysql_stmt_num_rows(look) > 0;
    mysql_stmt_free_result(look);
    return there;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage", "latency REDIS-SOCKET MYSQL-SOCKET LIST");
    redisContext *redis = redisConnectUnix(argv[1]);
    if (!redis || redis->err)
        die("redis", "cannot connect");
    MYSQL *mysql = mysql_init(NULL);
    if (!mysql_real_connect(mysql, NULL, "app", NULL, "shop", 0, argv[2], 0))
        die("mysql", mysql_error(mysql));
    char uid[UID_LEN];
    unsigned long uid_len = UID_LEN;
    MYSQL_STMT *look = prepare(mysql, uid, &uid_len);

    static double took[ITEMS_MAX];
    size_t n = 0, room = 0;
    char *line = NULL;
    ssize_t len;
    struct timespec turn;
    clock_gettime(CLOCK_MONOTONIC, &turn);
    while (n < ITEMS_MAX && (len = getline(&line, &room, stdin)) > UID_AT + UID_LEN) {
        turn.tv_nsec += EVERY_NS;
        turn.tv_sec += turn.tv_nsec / 1000000000;
        turn.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &turn, NULL);

        memcpy(uid, line + UID_AT, UID_LEN);
        double began = now();
        redisReply *reply = redisCommand(redis, "RPUSH %s %b", argv[3], line, (size_t)len - 1);
        if (!reply)
            die("redis", redis->errstr);
        freeReplyObject(reply);
        while (!is_there(look)) {
            if (now() - began > GIVE_UP)
                die("the row did not come", line);
            nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        }
        took[n++] = (now() - began) * 1e3;
    }
    if (n == 0)
        die("usage", "no items");
    qsort(took, n, sizeof(*took), by_size);
    printf("%.3f %.3f\n", took[n / 2], took[n * 99 / 100]);
    free(line);
    mysql_stmt_close(look);
    mysql_close(mysql);
    redisFree(redis);
    return 0;
}
