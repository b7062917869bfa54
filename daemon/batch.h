/* SPDX-License-Identifier: MIT */
/*
 * A batch: items that were claimed together, and what became of each.
 *
 * The batch is the unit of claim, lease, commit and acknowledgement; the item is the unit of
 * failure. Its content never changes, and its id names exactly this content, for ever.
 */
#pragma once

#include "core/headrace.h"
#include "daemon/errors.h"
#include "daemon/item/envelope.h"
#include "daemon/item/expr.h"
#include "daemon/item/json.h"
#include "drivers/redis/reply.h"

enum fate {
    FATE_LIVE,      /* goes to the sink */
    FATE_DROPPED,   /* a rule of the job's dropped it */
    FATE_DUPLICATE, /* the sink had it already, which is as good as done */
    FATE_DEAD,      /* to the dead letters */
    FATE_RETRY,     /* to the delayed items */
};

struct item {
    const char *payload; /* as it lay in the list */
    size_t len;
    const struct envelope *envelope; /* of a retried item, else NULL */
    struct expr_env env;             /* $job and $meta, where a program mentions them */
    const struct json_value *value;  /* decoded; NULL until then */
    enum fate fate;
    bool settled;                  /* decided before the sink saw it: an attempt cannot change it */
    const struct failure *failure; /* why, when dead or to be retried; in the batch's arena */
    hr_usec delay;                 /* when to be retried */
};

struct batch {
    struct hr_list link; /* among the batches that the job holds */
    char id[33], token[33];
    unsigned generation; /* 1 for the claimer, +1 at each takeover */
    unsigned crashes;
    uint64_t digest; /* over the lengths and bytes of all entries in order */
    hr_usec until;   /* hr_boottime() when the lease surely still holds */
    bool stale;      /* somebody else owns it now: drop it */
    bool begun;      /* a transaction may have been begun with it, by us or an earlier owner */
    bool inherited;  /* taken over: its rows may be in, by a commit of an earlier owner's, also of
                      * the batch that it was cut from */
    bool unknown;    /* a COMMIT was sent whose outcome is not known */
    bool learned;    /* the ledger told the outcome: it had been decided before */
    bool split;      /* decided: to be cut into smaller batches */
    bool collided;   /* the ledger knows its id with another content: it needs a new one */

    struct item *items;
    size_t n, bytes; /* bytes of all entries */
    size_t charged;  /* to the budget */

    hr_reply *reply; /* holds the entries … */
    char *lines;     /* … or this does */
    struct envelope *envelopes;
    size_t n_envelopes;
    struct arena *arena;       /* holds the decoded items and what became of them */
    struct arena_mark settled; /* what lies behind it is the sink's, for one attempt */
    int64_t seen;              /* when it was claimed or taken over, ms since 1970 … */
    hr_usec came;              /* … and by hr_now() */
};

/* Makes a batch of the entries of a reply from place first on, of which the first d are envelopes;
 * takes the reply over in any case. A damaged envelope makes a dead item, not an error. NULL: no
 * memory, or a reply that is none of ours; the record tells. */
struct batch *batch_new(const char *id, const char *token, hr_reply *reply, size_t first, size_t d);

/* Makes a batch of the lines in data (malloc'ed, taken over in any case), each ended by a newline
 * but perhaps the last; there is at least one. It has no token: Redis holds nothing of it. */
struct batch *batch_of_lines(const char *id, char *data, size_t len);

/* Makes a batch of n items of another one from place first on, as they are now; it borrows them, so
 * it has to be freed first. k tells the parts of one batch apart. NULL: no memory. */
struct batch *batch_part(const struct batch *whole, unsigned k, size_t first, size_t n);

struct batch *batch_free(struct batch *batch);
void batch_freep(struct batch **batch);

/* True when nothing may be begun with the batch any more: it is stale, or its lease may be over. */
bool batch_expired(const struct batch *batch);

/* Redis keeps it for another attempt, under our token. Not so at most once, and lines. */
static inline bool batch_is_kept(const struct batch *batch)
{
    return batch->token[0] != '\0';
}

/* Decides an item's fate with the reason, which is copied. When memory is out the reason is lost,
 * the fate is not. */
void batch_fail(struct batch *batch, size_t i, enum fate fate, const struct failure *failure);

/* Makes an item live again. */
void batch_clear(struct batch *batch, size_t i);

/* How many items have that fate. */
size_t batch_count(const struct batch *batch, enum fate fate);

/* What decoding, contract and steps decided stays; from now on it is the sink's turn. */
void batch_settle(struct batch *batch);

/* Takes back what the sink decided, for another attempt at the whole batch. */
void batch_rewind(struct batch *batch);

/* The item's own failed attempts so far, and when it was first seen, ms since 1970. */
unsigned batch_attempts(const struct batch *batch, size_t i);
int64_t batch_first_seen(const struct batch *batch, size_t i);

/* The id that the item's dead letter has or will have. */
void batch_item_id(const struct batch *batch, size_t i, char ret[ENVELOPE_ID_MAX]);

/* Has an item that found no room in the arena met its neighbours there, rather than the limit of
 * what one item may take? To be asked when what it took itself is given back. */
bool batch_is_crowded(const struct batch *batch);

/* Bytes of memory it holds, for the budget. */
size_t batch_memory(const struct batch *batch);

/* Frees the arenas that are kept for the next batches. */
void batch_free_spares(void);
