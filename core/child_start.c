/* SPDX-License-Identifier: MIT */
/*
 * Starting a program: posix_spawn(), with the descriptors put in their places.
 *
 * How it works: posix_spawn() lends the new process our memory until it runs its own program, so it
 * copies nothing and no code of ours runs in between, however many threads there are. Descriptors
 * are first lifted above the places that are filled, so that filling one never covers another.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include "core/child_impl.h"

extern char **environ;

struct plan {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int lowest;                       /* the first number above all places */
    int lifted[3 + HR_CHILD_FDS_MAX]; /* to be closed here once the program runs */
    size_t lifted_count;
    int ours[3]; /* our ends of pipes */
};

/* Puts a descriptor above all places, where close() here is ours to do. */
static int lift(struct plan *plan, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, plan->lowest);
    if (copy < 0)
        return -errno;
    plan->lifted[plan->lifted_count++] = copy;
    return copy;
}

static int place(struct plan *plan, int fd, int where)
{
    int copy = lift(plan, fd);
    return copy < 0 ? copy : -posix_spawn_file_actions_adddup2(&plan->actions, copy, where);
}

static int place_pipe(struct plan *plan, int where)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int ours = where == STDIN_FILENO ? ends[1] : ends[0];
    int theirs = where == STDIN_FILENO ? ends[0] : ends[1];
    plan->ours[where] = ours;
    int r = fcntl(ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : place(plan, theirs, where);
    close(theirs);
    return r;
}

static int place_stream(struct plan *plan, const struct hr_child_stream *stream, int where)
{
    switch (stream->kind) {
    case HR_CHILD_INHERIT:
        return 0;
    case HR_CHILD_NULL:
        return -posix_spawn_file_actions_addopen(&plan->actions, where, "/dev/null", O_RDWR, 0);
    case HR_CHILD_PIPE:
        return place_pipe(plan, where);
    case HR_CHILD_FD:
        return place(plan, stream->fd, where);
    }
    return -EINVAL;
}

static int plan_descriptors(struct plan *plan, const struct hr_child_options *options)
{
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++)
        r = place_stream(plan, &options->streams[i], i);
    for (size_t i = 0; i < options->fd_count && r == 0; i++)
        r = place(plan, options->fds[i], 3 + (int)i);
    if (r == 0)
        r = -posix_spawn_file_actions_addclosefrom_np(&plan->actions, plan->lowest);
    if (r == 0 && options->directory)
        r = -posix_spawn_file_actions_addchdir_np(&plan->actions, options->directory);
    return r;
}

static int plan_attributes(struct plan *plan, const struct hr_child_options *options)
{
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&plan->attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&plan->attributes, &signals);
    if (options->group == HR_CHILD_OWN_GROUP)
        flags |= POSIX_SPAWN_SETPGROUP; /* number 0: its own */
    if (options->group == HR_CHILD_OWN_SESSION)
        flags |= POSIX_SPAWN_SETSID;
    return -posix_spawnattr_setflags(&plan->attributes, flags);
}

/* posix_spawn() cannot tell of a program that is missing where processes are emulated. */
static int look_for(const char *file)
{
    return file[0] != '/' || faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

static int run(struct plan *plan, const struct hr_child_options *options, pid_t *ret)
{
    const char *file = options->file ? options->file : options->argv[0];
    char *const *argv = (char *const *)options->argv;
    char *const *env = options->env ? (char *const *)options->env : environ;
    int r = look_for(file);
    if (r < 0)
        return r;
    return strchr(file, '/')
               ? -posix_spawn(ret, file, &plan->actions, &plan->attributes, argv, env)
               : -posix_spawnp(ret, file, &plan->actions, &plan->attributes, argv, env);
}

static int start(struct plan *plan, const struct hr_child_options *options, pid_t *ret)
{
    if (posix_spawn_file_actions_init(&plan->actions) != 0)
        return -ENOMEM;
    int r = -posix_spawnattr_init(&plan->attributes);
    if (r == 0) {
        r = plan_attributes(plan, options);
        if (r == 0)
            r = plan_descriptors(plan, options);
        if (r == 0)
            r = run(plan, options, ret);
        posix_spawnattr_destroy(&plan->attributes);
    }
    posix_spawn_file_actions_destroy(&plan->actions);
    return r;
}

int hr__child_start(const struct hr_child_options *options, int pipes[3], pid_t *ret)
{
    if (!options->argv || !options->argv[0])
        return hr_fail(-EINVAL, "argv is missing: the name that the program sees, at least");
    if (options->fd_count > HR_CHILD_FDS_MAX)
        return hr_fail(-EINVAL, "a child takes at most %d descriptors", HR_CHILD_FDS_MAX);
    struct plan plan = {
        .lowest = 3 + (int)options->fd_count, .ours = {-1, -1, -1}
    };
    int r = start(&plan, options, ret);
    for (size_t i = 0; i < plan.lifted_count; i++)
        close(plan.lifted[i]);
    if (r < 0) {
        for (int i = 0; i < 3; i++) {
            if (plan.ours[i] >= 0)
                close(plan.ours[i]);
        }
        return hr_fail(r, "%s cannot be started%s%s: %s",
                       options->file ? options->file : options->argv[0],
                       options->directory ? " in " : "",
                       options->directory ? options->directory : "", hr_error_text(r));
    }
    memcpy(pipes, plan.ours, sizeof(plan.ours));
    return 0;
}
