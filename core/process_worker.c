/* SPDX-License-Identifier: MIT */
/*
 * The worker's side of a process pool: says hello, then answers one question after the other until
 * its parent hangs up.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/process_impl.h"

const struct hr_process_function *hr__process_functions;
const char *hr__process_program;

static size_t count_functions(void)
{
    size_t n = 0;
    while (hr__process_functions[n].name)
        n++;
    return n;
}

static void describe(struct hr__answer *answer, int code)
{
    if (hr_last_error()->code != code)
        hr_fail(code, "%s", hr_error_text(code));
    const struct hr_error *error = hr_last_error();
    answer->native = error->native;
    answer->sent = error->sent;
    memcpy(answer->state, error->state, sizeof(answer->state));
    memcpy(answer->kind, error->kind, sizeof(answer->kind));
    memcpy(answer->message, error->message, sizeof(answer->message));
}

static int answer(const struct hr__question *question, const void *argument)
{
    hr_auto(hr_buf_done) struct hr_buf out;
    struct hr__answer head = {.magic = HR__FRAME_MAGIC};
    size_t size = 0;

    hr_buf_init(&out, question->max_answer);
    hr_error_raise(&(struct hr_error){0});
    head.status =
        argument
            ? hr__process_functions[question->function].fn(argument, question->size, &out)
            : hr_fail(-ENOMEM, "no memory in the worker for %zu bytes", (size_t)question->size);
    if (head.status < 0)
        describe(&head, head.status);
    else
        head.size = size = hr_buf_size(&out);
    return hr__frame_send(HR__WORKER_SOCKET, &head, sizeof(head), hr_buf_data(&out), size);
}

static int serve(void)
{
    struct hr__question question;
    int r = hr__frame_receive(HR__WORKER_SOCKET, &question, sizeof(question));
    if (r < 0)
        return r;
    if (question.magic != HR__FRAME_MAGIC || question.function >= count_functions())
        return -EPROTO;
    hr_auto(hr_freep) char *argument = malloc(question.size + 1);
    r = argument ? hr__frame_receive(HR__WORKER_SOCKET, argument, question.size)
                 : hr__frame_skip(HR__WORKER_SOCKET, question.size);
    if (argument)
        argument[question.size] = '\0';
    return r < 0 ? r : answer(&question, argument);
}

/* The parent may end in any way, and a job may run for long: the kernel tells. Its thread that
 * started us stays for as long as the pool does. */
static void end_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_SUCCESS);
}

_Noreturn static void work(pid_t parent)
{
    int domain = 0;
    socklen_t size = sizeof(domain);
    if (getsockopt(HR__WORKER_SOCKET, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
        domain != AF_UNIX) {
        fprintf(stderr, "%s is for the workers of this program\n", HR__WORKER_OPTION);
        exit(2);
    }
    end_with_parent(parent);
    fcntl(HR__WORKER_SOCKET, F_SETFD, FD_CLOEXEC);

    struct hr__hello hello = {HR__FRAME_MAGIC, hr__process_functions_mark()};
    int r = hr__frame_send(HR__WORKER_SOCKET, &hello, sizeof(hello), NULL, 0);
    while (r == 0)
        r = serve();
    exit(r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE);
}

void hr_process_pool_main(int argc, char **argv, const struct hr_process_function *functions)
{
    size_t length = strlen(HR__WORKER_OPTION);
    hr__process_functions = functions;
    hr__process_program = argc > 0 ? argv[0] : "worker";
    if (argc > 1 && strncmp(argv[1], HR__WORKER_OPTION, length) == 0)
        work((pid_t)strtol(argv[1] + length, NULL, 10));
}
