/* SPDX-License-Identifier: MIT */
/*
 * libevent alone: a timer that is added and deleted, over and over.
 *
 *   libevent waitfor COUNT
 */
#include <event2/event.h>

#include "tests/bench/measure.h"

static void too_late(evutil_socket_t fd, short events, void *arg)
{
    abort();
}

int main(int argc, char **argv)
{
    if (argc < 3 || strcmp(argv[1], "waitfor") != 0)
        return 2;
    uint64_t count = strtoull(argv[2], NULL, 10);
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    struct event *timer = evtimer_new(base, too_late, NULL);
    struct timeval limit = {.tv_sec = 1};

    struct measure begun = measure_begin();
    for (uint64_t i = 0; i < count; i++) {
        evtimer_add(timer, &limit);
        evtimer_del(timer);
    }
    measure_end(&begun, argv[1], count);
    event_free(timer);
    event_base_free(base);
    event_config_free(config);
    return 0;
}
