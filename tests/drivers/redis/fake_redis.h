/* SPDX-License-Identifier: MIT */
/*
 * A server that misbehaves on purpose: a task of the test's own loop that listens on a unix socket
 * and lets the test speak for each connection.
 */
#pragma once

#include "core/io.h"
#include "core/loop.h"
#include "drivers/redis.h"

#define FAKE_PEERS_MAX 64

struct fake_peer {
    int fd;
    hr_io *io;
    int number;         /* 1 for the first connection */
    const char *run_id; /* which server it says it is: "fake", unless serve() sets it */
    void *arg;
    void (*serve)(struct fake_peer *peer);
    hr_task *task;
    char in[64 * 1024];
    size_t start, end;
};

struct fake_redis {
    char dir[40], path[64], url[80];
    uint16_t port; /* 0: a unix socket */
    int fd;
    hr_task *listener;
    void (*serve)(struct fake_peer *peer);
    void *arg;
    int accepted;
    struct fake_peer *peers[FAKE_PEERS_MAX];
};

/* Speaks serve(peer) on each connection, in a task; the connection is closed when it returns. */
void fake_start(struct fake_redis *fake, void (*serve)(struct fake_peer *peer), void *arg);
void fake_start_tcp(struct fake_redis *fake, void (*serve)(struct fake_peer *peer), void *arg);
void fake_start_at(struct fake_redis *fake, const char *place, uint16_t port,
                   void (*serve)(struct fake_peer *peer), void *arg);
void fake_end(struct fake_redis *fake);

/* Refuses connections from now on; those that it has go on. */
void fake_refuse(struct fake_redis *fake);

/* The next command, its words joined by blanks; NULL when the client is gone. Valid until the next
 * call. */
const char *fake_next(struct fake_peer *peer);

/* Says these bytes; false when the client is gone. */
bool fake_say(struct fake_peer *peer, const char *bytes);
bool fake_say_bytes(struct fake_peer *peer, const char *bytes, size_t n);

/* Answers INFO server. */
bool fake_say_server(struct fake_peer *peer);

/* Answers a client's introduction up to PING. */
bool fake_introduce(struct fake_peer *peer);

/* Does nothing until the client hangs up. */
void fake_silence(struct fake_peer *peer);

/* A client of the fake with short limits. */
hr_redis *fake_client(const struct fake_redis *fake, const struct hr_redis_options *options);
void fake_client_end(hr_redis *redis, struct fake_redis *fake);

/* Ways to serve: answers every command with its own words, as a string; nothing after the
 * introduction. */
void fake_echo(struct fake_peer *peer);
void fake_introduce_only(struct fake_peer *peer);

/* One of many tasks that ask at the same time: fake_ask sends GET with its number, and matched says
 * that the reply was its own. */
struct fake_asker {
    hr_redis *redis;
    int number, code;
    bool sent, matched;
};
int fake_ask(void *arg);
