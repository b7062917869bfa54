/* SPDX-License-Identifier: MIT */
/*
 * Chaining: one future's outcome becomes another's, and the other's cancel goes back.
 *
 * How it works: one record watches both ends. Whichever is done first settles the other, and the
 * record is unlinked from both before, so neither direction meets a future that is done. The record
 * keeps the destination alive, not the source: a source that everybody let go of can never
 * complete, and takes the record with it.
 */
#include "core/error_impl.h"
#include "core/future.h"
#include "core/park.h"

struct chain {
    struct hr__watch of_source, of_destination;
    hr_future *source;      /* borrowed */
    hr_future *destination; /* a reference */
};

static void chain_free(struct chain *chain)
{
    hr_list_remove(&chain->of_source.link);
    hr_list_remove(&chain->of_destination.link);
    hr_future_unref(chain->destination);
    free(chain);
}

/* The value moves; the source still shows it, the destination destroys it. */
static void copy_outcome(hr_future *source, hr_future *destination)
{
    if (!hr_future_done(source) || hr_future_cancelled(source)) {
        hr__future_keep_sent(destination, source->error);
        hr_future_cancel(destination, source->cancel_reason);
    } else if (source->status < 0) {
        hr_future_set_error_record(destination, hr_future_error(source));
    } else {
        destination->value = source->value;
        destination->free_value = hr_take(source->free_value);
        hr__future_finish(destination, source->status);
    }
}

static void source_done(struct hr__watch *watch)
{
    struct chain *chain = hr_container_of(watch, struct chain, of_source);
    hr_list_remove(&chain->of_destination.link);
    copy_outcome(chain->source, chain->destination);
    chain_free(chain);
}

static void destination_done(struct hr__watch *watch)
{
    struct chain *chain = hr_container_of(watch, struct chain, of_destination);
    /* A task may take its time to end; what it ends with then is nobody's. */
    hr_list_remove(&chain->of_source.link);
    if (hr_future_cancelled(chain->destination))
        hr_future_cancel(chain->source, chain->destination->cancel_reason);
    chain_free(chain);
}

int hr_future_chain(hr_future *source, hr_future *destination)
{
    if (!source || !destination)
        return hr__missing("a future to chain");
    if (destination->is_task)
        return hr_fail(-EINVAL, "a task's outcome is what its function returns");
    if (hr_future_done(destination))
        return hr_fail(HR_EINVALIDSTATE, "the destination is done already");
    if (hr_future_done(source)) {
        copy_outcome(source, destination);
        return 0;
    }
    struct chain *chain = malloc(sizeof(*chain));
    if (!chain)
        return hr_fail(-ENOMEM, "no memory to chain two futures");
    *chain = (struct chain){
        .of_source.done = source_done,
        .of_destination.done = destination_done,
        .source = source,
        .destination = hr_future_ref(destination),
    };
    hr_list_init(&chain->of_source.link);
    hr_list_init(&chain->of_destination.link);
    hr__future_watch(source, &chain->of_source);
    hr__future_watch(destination, &chain->of_destination);
    return 0;
}
