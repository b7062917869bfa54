/* SPDX-License-Identifier: MIT */
/*
 * A process pool from the inside: what crosses the socket between a pool and a worker, and who
 * keeps the workers. Inside core/ only.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "core/child.h"
#include "core/process_pool.h"

#define HR__WORKER_SOCKET 3 /* its number in a worker */

/* The first argument, with the parent's number behind it. */
#define HR__WORKER_OPTION "--headrace-worker-of="

/* --- frames: a struct of fixed size, then its bytes. Both ends are the same program. --- */

#define HR__FRAME_MAGIC UINT32_C(0x48520003)

struct hr__hello { /* a worker's first word */
    uint32_t magic;
    uint32_t functions; /* what hr__process_functions_mark() gives */
};

struct hr__question {
    uint32_t magic;
    uint32_t function; /* its place in the table */
    uint64_t size;     /* of the argument, which follows */
    uint64_t max_answer;
};

struct hr__answer {
    uint32_t magic;
    int32_t status;
    uint64_t size; /* of the answer, which follows */
    int32_t native;
    bool sent;
    char state[6];
    char kind[16];
    char message[HR_ERROR_MESSAGE_MAX];
};

/* Sends a frame, blocking. 0 or -errno, -EPIPE when the other end is gone. */
int hr__frame_send(int fd, const void *head, size_t head_size, const void *bytes, size_t size);

/* Receives exactly so many bytes, blocking. 0, -errno, -EPIPE when the other end is gone. */
int hr__frame_receive(int fd, void *bytes, size_t size);

/* The same, for bytes that there is no memory for. */
int hr__frame_skip(int fd, size_t size);

/* --- the table of functions --- */

/* What hr_process_pool_main() was given; NULL before. */
extern const struct hr_process_function *hr__process_functions;
extern const char *hr__process_program; /* argv[0] */

/* A number that tells two tables apart. */
uint32_t hr__process_functions_mark(void);

/* --- workers and their keeper --- */

/* Starts a worker, in the thread that it shall end with; name is for ps. Its socket is the caller's
 * to close. NULL, with a record: as hr_child_spawn(), or no socket. */
hr_child *hr__process_start(const char *name, int *ret_socket);

typedef struct hr__keeper hr__keeper;

struct hr__worker {
    int socket;
    pid_t pid;
    unsigned jobs;       /* done */
    atomic_bool greeted; /* its hello was received */
};

hr__keeper *hr__keeper_new(const char *name);

/* Ends the workers, none of which is in use any more, and the keeper. In a forked child, whose
 * parent has them, it leaves them all alone. */
void hr__keeper_free(hr__keeper *keeper);

/* An idle worker, or else a new one, for the calling thread alone. 0, HR_EBROKEN, or why none could
 * be started. */
int hr__keeper_lend(hr__keeper *keeper, struct hr__worker **ret);

/* Takes a worker back for others, or with retire lets it end. */
void hr__keeper_return(hr__keeper *keeper, struct hr__worker *worker, bool retire);

/* Takes a worker back that has stopped talking (-EPIPE), or talks nonsense: it is ended, and the
 * pool broken. Returns HR_EBROKEN, with a record that says how it ended. */
int hr__keeper_return_dead(hr__keeper *keeper, struct hr__worker *worker, int code);

/* 0, HR_EBROKEN, or HR_ESHUTDOWN (a forked child asks), with a record. */
int hr__keeper_check(hr__keeper *keeper);

/* Breaks the pool and kills all workers; in a forked child nothing. */
void hr__keeper_kill(hr__keeper *keeper);
