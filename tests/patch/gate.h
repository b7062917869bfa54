/* SPDX-License-Identifier: MIT */
/*
 * A server, in a thread, that answers nobody until so many clients have asked: those that wait one
 * after the other wait for ever.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum gate_protocol {
    GATE_HTTP,    /* each request gets its path as a body */
    GATE_POSTGRES /* each query gets its text as the only value */
};

struct gate {
    enum gate_protocol protocol;
    unsigned clients;
    uint16_t port;
    int listener;
    pthread_t thread;
};

/* Opens the server on a free port of 127.0.0.1. */
void gate_open(struct gate *gate, enum gate_protocol protocol, unsigned clients);

/* Waits until it has answered, or has waited for twenty seconds; true: everybody was answered. */
bool gate_close(struct gate *gate);
