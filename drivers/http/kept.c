/* SPDX-License-Identifier: MIT */
/*
 * What requests leave behind for those to come: libcurl's handles, and responses' memory. The last
 * that came is the first to go, since it is still near; what nobody wanted for a while is dropped.
 */
#include "drivers/http/impl.h"

/* One call's share, so that what a burst leaves behind does not hold the loop up. */
#define SWEPT_AT_A_TIME 64

void *hr__http_kept_take(struct hr__http_kept *kept)
{
    if (kept->count == 0) {
        kept->least = 0;
        return NULL;
    }
    void *thing = kept->things[--kept->count];
    if (kept->count < kept->least)
        kept->least = kept->count;
    return thing;
}

static bool has_room(struct hr__http_kept *kept)
{
    if (kept->count < kept->room)
        return true;
    size_t room = kept->room ? kept->room * 2 : 16;
    void **things = reallocarray(kept->things, room, sizeof(things[0]));
    if (!things)
        return false;
    kept->things = things;
    kept->room = room;
    return true;
}

bool hr__http_kept_give(hr_http_session *session, struct hr__http_kept *kept, void *thing)
{
    if (!session->sweeper || kept->count >= kept->most || !has_room(kept))
        return false;
    kept->things[kept->count++] = thing;
    return true;
}

static void drop(struct hr__http_kept *kept, size_t n)
{
    while (n-- > 0)
        kept->drop(kept->things[--kept->count]);
}

/* Drops what nobody wanted since the last time; whether there is more of that. */
static bool sweep_one(struct hr__http_kept *kept)
{
    size_t unwanted = kept->least;
    bool more = unwanted > SWEPT_AT_A_TIME;
    drop(kept, more ? SWEPT_AT_A_TIME : unwanted);
    kept->least = more ? unwanted - SWEPT_AT_A_TIME : kept->count;
    return more;
}

static void drop_all(hr_http_session *session)
{
    drop(&session->handles, session->handles.count);
    drop(&session->responses, session->responses.count);
}

static bool arm(hr_http_session *session, hr_usec span);

/* With none left nor under way there is nothing to sweep until one is made. */
static void sweep(void *arg)
{
    hr_http_session *session = arg;
    session->sweeper = hr_handle_unref(session->sweeper);
    bool more = sweep_one(&session->handles);
    more = sweep_one(&session->responses) || more;
    bool any = session->handles.count + session->responses.count > 0 ||
               !hr_list_empty(&session->transfers);
    if (any && !arm(session, more ? hr_ms(1) : session->kept_life))
        drop_all(session);
}

static bool arm(hr_http_session *session, hr_usec span)
{
    if (!session->sweeper)
        session->sweeper = hr_handle_ref(hr_call_later(span, sweep, session));
    return session->sweeper;
}

bool hr__http_kept_begin(hr_http_session *session)
{
    return arm(session, session->kept_life);
}

void hr__http_kept_end(hr_http_session *session)
{
    drop_all(session);
    free(hr_take(session->handles.things));
    free(hr_take(session->responses.things));
    hr_handle_cancel(session->sweeper);
    session->sweeper = hr_handle_unref(session->sweeper);
    session->handles.room = session->responses.room = 0;
}
