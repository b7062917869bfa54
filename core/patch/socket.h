/* SPDX-License-Identifier: MIT */
/*
 * Receiving and sending on sockets that block. Inside core/patch/ only.
 */
#pragma once

#include <sys/socket.h>

#include "core/patch/wait.h"

/* Waits of one call on a socket. */
struct hr__patch_patience {
    int fd;
    int option; /* SO_RCVTIMEO or SO_SNDTIMEO */
    short events;
    bool waited;
    struct hr__patch_limit limit;
};

/* Before the first wait: asks for the timeout. False when the call is not to wait, and errno:
 * EAGAIN for a socket that does not block. */
bool hr__patch_begin_patience(struct hr__patch_patience *patience);

/* Waits until the socket may be ready. False when the call is over, and errno: EAGAIN when the
 * socket's timeout passed, or as begin says. Stop the limit afterwards. */
bool hr__patch_be_patient(struct hr__patch_patience *patience);

/* As the calls of these names, which end at EAGAIN for a socket that does not block. */
ssize_t hr__patch_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t hr__patch_sendmsg(int fd, const struct msghdr *message, int flags);
