/* SPDX-License-Identifier: MIT */
/*
 * One table: each sentence says for which jobs it holds.
 */
#include "daemon/headracectl/promise.h"

/* What a job is, as far as promises differ. */
enum trait {
    ONCE = 1 << 0, /* exactly_once */
    LEAST = 1 << 1,
    MOST = 1 << 2,
    LIST = 1 << 3, /* items from a list in Redis */
    LINES = 1 << 4,
    MYSQL = 1 << 5,
    PRINT = 1 << 6,
    REMOTE_DEAD = 1 << 7, /* dead letters on another server */
};

/* All of `needs`, and of `one_of` at least one unless it is 0. */
static const struct {
    unsigned needs, one_of;
    struct promise promise;
} promises[] = {
    {LIST,
     ONCE,            {PROMISE_KEPT, "a daemon is killed, freezes or loses its host, at any moment",
      "its batch is taken over after the lease (at once by a daemon started again under its name); "
      "the ledger tells whether its rows are in"}                                                      },
    {LIST,
     ONCE,            {PROMISE_KEPT, "the reply to a COMMIT is lost", "the ledger is asked before anything else"}},
    {LIST,
     LEAST,           {PROMISE_DOUBLED,
      "a daemon is killed, or a connection is lost, after the items went out and "
      "before they were acknowledged",
      "the whole batch goes out again"}                                                               },
    {LIST | MYSQL,
     LEAST,           {PROMISE_KEPT, "such a batch meets its own rows under a unique key",
      "a duplicate key then means that the row is in already, and is counted so"}                     },
    {LIST,
     LEAST,           {PROMISE_DOUBLED, "a daemon is killed while it writes dead letters",
      "the same dead letter may be written twice, with the same id"}                                  },
    {LIST,
     MOST,            {PROMISE_LOST, "a daemon is killed, or a connection is lost, while it holds items",
      "these items are gone: they are taken from the list before they go out"}                         },
    {LIST,
     MOST,            {PROMISE_LOST, "an item cannot be processed for a reason that would pass",
      "it is a dead letter at once, or gone: there is no second attempt"}                              },
    {LINES,
     0,               {PROMISE_LOST, "the daemon ends before the end of the input",
      "what has been read and not yet gone out is lost; the next start begins at the beginning"}          },
    {LINES,        0, {PROMISE_DOUBLED, "the same input is read again", "everything goes out again"}             },
    {LIST,
     ONCE | LEAST,
     {PROMISE_KEPT, "Redis restarts with all that it confirmed", "work resumes by itself"}                       },
    {LIST,
     0,               {PROMISE_LOST,
      "Redis loses pushes that it had confirmed (appendfsync everysec: up to a "
      "second; an asynchronous failover; a restored snapshot)",
      "nothing above Redis can know of them"}                                                             },
    {LIST,
     ONCE,            {PROMISE_DOUBLED, "Redis falls back to an older state in the same way",
      "batches that were claimed and committed within the time it lost are claimed again under "
      "another id: their rows come twice, or as dead letters where a unique key stops them"}           },
    {LIST,
     LEAST,           {PROMISE_DOUBLED, "Redis falls back to an older state in the same way",
      "what was done within the time it lost is done again"}                                          },
    {MYSQL,
     0,               {PROMISE_LOST,
      "MySQL loses rows that it had confirmed (innodb_flush_log_at_trx_commit other "
      "than 1; an asynchronous failover)",
      "Redis has forgotten their items by then"}                                                          },
    {LIST | MYSQL,
     ONCE | LEAST,
     {PROMISE_WAITS, "MySQL is away, read-only, full or refuses connections",
      "items wait; no attempt is used and nothing becomes a dead letter"}                                        },
    {LIST,         0, {PROMISE_WAITS, "Redis is away", "nothing is claimed until it is back"}                    },
    {MYSQL,
     0,               {PROMISE_WAITS, "the statement or the grants are wrong",
      "the job pauses, says so, and looks again every 30 s; nothing becomes a dead letter"}               },
    {REMOTE_DEAD,
     0,               {PROMISE_DOUBLED,
      "a daemon is killed between pushing dead letters to their own server and "
      "acknowledging the batch",
      "they are pushed again with the same id; dead retry and dead rm treat the two as one"}              },
    {LIST,
     ONCE | LEAST,
     {PROMISE_KEPT, "an item crashes the daemon",
      "after retry.crash_limit crashes alone it is a dead letter of class crash; so is an innocent "
      "one whose daemon is killed that often while it works on it alone"}                                        },
    {LIST,         0, {PROMISE_DOUBLED, "a producer pushes an item twice", "these are two items"}                },
};

const char *promise_name(enum promise_kind kind)
{
    static const char *const names[] = {
        [PROMISE_KEPT] = "kept",
        [PROMISE_LOST] = "lost",
        [PROMISE_DOUBLED] = "doubled",
        [PROMISE_WAITS] = "waits",
    };
    return names[kind];
}

static unsigned traits_of(const struct job_conf *job)
{
    static const unsigned deliveries[] = {
        [EXACTLY_ONCE] = ONCE, [AT_LEAST_ONCE] = LEAST, [AT_MOST_ONCE] = MOST};
    bool list = job->source.kind == SOURCE_REDIS_LIST;
    unsigned traits = deliveries[job->delivery] | (list ? LIST : LINES);
    traits |= job->sink.kind == SINK_MYSQL ? MYSQL : PRINT;
    if (list && job->dead.server && job->dead.server != job->source.server)
        traits |= REMOTE_DEAD;
    return traits;
}

void promise_each(const struct job_conf *job,
                  void (*each)(const struct promise *promise, void *cookie), void *cookie)
{
    unsigned traits = traits_of(job);
    for (size_t i = 0; i < HR_ARRAY_LEN(promises); i++) {
        unsigned needs = promises[i].needs, one_of = promises[i].one_of;
        if ((traits & needs) == needs && (!one_of || (traits & one_of)))
            each(&promises[i].promise, cookie);
    }
}
