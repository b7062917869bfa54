/* SPDX-License-Identifier: MIT */
/*
 * A program of tasks in worlds that seeds decide; docs/simulation.md quotes from here.
 *
 *     cc simulation.c $(pkg-config --cflags --libs headrace) -o simulation
 *     ./simulation               many worlds, then trouble at every step of one
 *     ./simulation 7             the world of seed 7, with a line for each event
 *     ./simulation forgetful     a shop with a mistake in it: some seed finds it
 *     ./simulation forgetful 7   the world of seed 7 with that shop
 */
#include <core/headrace.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ORDERS = 8, WORLDS = 100 };

static const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 7000};

/* What is checked at the end of a run. */
static bool forgetful;
static struct order {
    int sold, told; /* by the shop, to the buyer */
    int fd;         /* the buyer's connection; 0: none */
} orders[ORDERS];

static int read_order(hr_io *io, unsigned char *ret)
{
    ssize_t r = hr_io_read(io, ret, 1);
    return r == 0 ? -EPIPE : r < 0 ? (int)r : *ret < ORDERS ? 0 : -EBADMSG;
}

/* The fake peer, one task a connection: a shop that is slow at times, and knows what it sold. */
static int serve(int fd, void *arg)
{
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(fd);
    unsigned char number = 0;
    int r = io ? read_order(io, &number) : hr_last_error()->code;
    if (r == 0)
        r = hr_sleep(hr_ms((int64_t)(hr_random() % 12)));
    if (r < 0)
        return r;
    if (orders[number].sold == 0 || forgetful)
        orders[number].sold++;
    return hr_io_write(io, &number, 1, NULL);
}

/* What is tested: it buys with a limit, and asks again until it is told. */
static int ask(unsigned char number)
{
    int r = hr_connect((const struct sockaddr *)&address, sizeof(address), &orders[number].fd);
    if (r < 0)
        return r;
    hr_io *io = hr_io_new(orders[number].fd);
    r = io ? hr_io_write(io, &number, 1, NULL) : hr_last_error()->code;
    if (r == 0)
        r = read_order(io, &number);
    hr_io_free(io);
    close(orders[number].fd);
    orders[number].fd = 0;
    return r;
}

static int buy(void *arg)
{
    struct order *order = arg;
    for (;;) {
        struct hr_timeout limit = {0};
        int r = hr_timeout_enter(&limit, hr_ms(10));
        if (r == 0)
            r = hr_timeout_leave(&limit, ask((unsigned char)(order - orders)));
        if (r == 0)
            order->told++;
        if (r == 0 || r == -ECANCELED)
            return r;
        r = hr_sleep(hr_ms((int64_t)(hr_random() % 20)));
        if (r < 0)
            return r;
    }
}

/* Whatever happens, an order is sold once at most, and no buyer is told of one that is not sold. */
static int check(bool finished)
{
    for (int i = 0; i < ORDERS; i++) {
        const struct order *order = &orders[i];
        if (order->sold > 1)
            return hr_fail(-EINVAL, "order %d was sold %d times", i, order->sold);
        if (order->told > order->sold || (finished && order->told != 1))
            return hr_fail(-EINVAL, "order %d: sold %d, told %d", i, order->sold, order->told);
        if (order->fd)
            return hr_fail(-EINVAL, "order %d: the connection is open", i);
    }
    return 0;
}

static int program(void *arg)
{
    memset(orders, 0, sizeof(orders));
    int r = hr_sim_listen((const struct sockaddr *)&address, sizeof(address), serve, NULL);
    if (r < 0)
        return r;
    hr_auto(hr_futures_done) struct hr_futures buyers = {0};
    for (int i = 0; i < ORDERS; i++)
        hr_futures_add(&buyers, hr_create_task("buyer", buy, &orders[i]));
    r = hr_gather(&buyers, HR_CANCEL_REST);
    int wrong = check(r == 0);
    return wrong < 0 ? wrong : r;
}

static struct hr_sim_options options = {
    .seed = 1, .shuffle = true, .resets = 20, .silences = 20, .refusals = 100, .spurious = 20};

static int run_world(uint64_t *ret_trace)
{
    hr_sim *sim = hr_sim_new(&options);
    if (!sim)
        return hr_fail(-ENOMEM, "no memory for a world");
    int r = hr_sim_run(sim, program, NULL);
    *ret_trace = hr_sim_trace(sim);
    hr_sim_free(sim);
    if (r < 0)
        fprintf(stderr, "seed %d: %s\n", (int)options.seed, hr_error_message(r));
    return r;
}

/* A hook: the connections that there are break. */
static void cut(hr_task *suspended, void *arg)
{
    for (int i = 0; i < ORDERS; i++)
        if (orders[i].fd)
            hr_sim_reset(orders[i].fd);
}

static int run_everywhere(const char *what, hr_sim_hook *hook)
{
    uint64_t runs;
    int r = hr_sim_everywhere(&options, program, hook, NULL, &runs);
    if (r < 0)
        fprintf(stderr, "%s at step %d: %s\n", what, (int)runs, hr_error_message(r));
    else
        printf("%s at each of %d steps: all is well\n", what, (int)runs - 1);
    return r;
}

static int run_all(void)
{
    uint64_t trace = 0, again = 0;
    for (options.seed = 1; options.seed <= WORLDS; options.seed++) {
        int r = run_world(&trace);
        if (r == 0)
            r = run_world(&again);
        if (r < 0)
            return r;
        if (trace != again) {
            fprintf(stderr, "seed %d: another world each time\n", (int)options.seed);
            return -EINVAL;
        }
    }
    printf("%d worlds: all is well, and the same again\n", WORLDS);
    int r = run_everywhere("a task is cancelled", hr_sim_cancel);
    return r < 0 ? r : run_everywhere("connections break", cut);
}

int main(int argc, char **argv)
{
    forgetful = argc > 1 && strcmp(argv[1], "forgetful") == 0;
    const char *seed = argc > 1 ? argv[1 + forgetful] : NULL;
    if (!seed)
        return run_all() < 0;
    uint64_t trace;
    options.seed = strtoull(seed, NULL, 10);
    options.trace = stdout;
    return run_world(&trace) < 0;
}
