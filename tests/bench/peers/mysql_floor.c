/* SPDX-License-Identifier: MIT */
/*
 * What the server gives to a client that does nothing: a prepared SELECT's request is bytes made
 * once, of its answer only the end is looked at, and all connections hang on one epoll. Who sleeps
 * until there is an answer can hardly be faster.
 *
 *   mysql_floor mysql_select CONNECTIONS COUNT SOCKET
 */
#include <errno.h>
#include <mysql.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/bench/clients_rows.h"
#include "tests/bench/measure.h"

#define EVENTS 64
#define END    9 /* the last packet of an answer: its header, and 0xfe with warnings and status */

/* COM_STMT_EXECUTE with one argument, a BIGINT. */
struct __attribute__((packed)) request {
    uint8_t length[3], number, command;
    uint32_t statement;
    uint8_t flags;
    uint32_t once;
    uint8_t nulls, with_types, type, type_flags;
    int64_t id;
};

struct connection {
    MYSQL *mysql;
    MYSQL_STMT *stmt;
    int fd;
    struct request request;
    uint64_t dice, left;
    unsigned char answer[4096];
    size_t have;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "mysql_floor: %s: %s\n", what, why);
    exit(1);
}

static void ask(struct connection *c)
{
    c->request.id = 1 + (int64_t)(measure_draw(&c->dice) % CLIENTS_ROWS);
    c->have = 0;
    if (send(c->fd, &c->request, sizeof(c->request), MSG_NOSIGNAL) != sizeof(c->request))
        die("send", strerror(errno));
}

/* Whether the answer is there whole. */
static bool hear(struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->have, sizeof(c->answer) - c->have, 0);
    if (n <= 0)
        die("recv", n < 0 ? strerror(errno) : "the server is gone");
    c->have += (size_t)n;
    if (c->answer[4] == 0xff)
        die("select", "refused");
    if (c->have < (size_t)2 * END)
        return false;
    const unsigned char *end = c->answer + c->have - END;
    return end[0] == END - 4 && end[4] == 0xfe;
}

static void open_one(struct connection *c, const char *where, uint64_t each)
{
    c->mysql = mysql_init(NULL);
    if (!c->mysql || !mysql_real_connect(c->mysql, "localhost", "app", "", "shop", 0, where, 0))
        die("connect", c->mysql ? mysql_error(c->mysql) : "no memory");
    c->stmt = mysql_stmt_init(c->mysql);
    if (!c->stmt || mysql_stmt_prepare(c->stmt, CLIENTS_SELECT, strlen(CLIENTS_SELECT)))
        die(CLIENTS_SELECT, mysql_error(c->mysql));
    c->fd = mysql_get_socket(c->mysql);
    c->request = (struct request){
        .length = {sizeof(struct request) - 4},
        .command = COM_STMT_EXECUTE,
        .statement = (uint32_t)c->stmt->stmt_id,
        .once = 1,
        .with_types = 1,
        .type = MYSQL_TYPE_LONGLONG,
        .id = 1,
    };
    c->dice = measure_seed((uintptr_t)c);
    c->left = each;
}

static void run(struct connection *all, uint64_t connections, int watch)
{
    struct epoll_event events[EVENTS];
    for (uint64_t i = 0; i < connections; i++)
        ask(&all[i]);
    for (uint64_t busy = connections; busy > 0;) {
        int n = epoll_wait(watch, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!hear(c))
                continue;
            if (--c->left > 0)
                ask(c);
            else
                busy--;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("usage", "mysql_floor mysql_select CONNECTIONS COUNT SOCKET");
    uint64_t connections = strtoull(argv[2], NULL, 10);
    uint64_t each = strtoull(argv[3], NULL, 10) / connections;
    struct connection *all = calloc(connections, sizeof(*all));
    int watch = epoll_create1(EPOLL_CLOEXEC);
    if (!all || watch < 0)
        die("connections", "no memory");
    for (uint64_t i = 0; i < connections; i++) {
        open_one(&all[i], argv[4], each);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        if (epoll_ctl(watch, EPOLL_CTL_ADD, all[i].fd, &event) < 0)
            die("epoll", strerror(errno));
    }
    struct measure begun = measure_begin();
    run(all, connections, watch);
    measure_end(&begun, argv[1], each * connections);
    for (uint64_t i = 0; i < connections; i++) {
        mysql_stmt_close(all[i].stmt);
        mysql_close(all[i].mysql);
    }
    free(all);
    return 0;
}
