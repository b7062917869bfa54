/* SPDX-License-Identifier: MIT */
/*
 * dead retry and dead rm: what becomes of dead letters.
 */
#include <inttypes.h>
#include <string.h>

#include "daemon/headracectl/ask.h"
#include "daemon/headracectl/print.h"
#include "daemon/item/plural.h"

/* What the daemon is asked to do, as JSON; to be freed. NULL: no memory. */
static char *write_order(const struct ctl *ctl, size_t *ret_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);
    if (!out)
        return NULL;
    if (ctl->n_args == 1)
        fputs("{\"all\":true", out);
    else
        fputs("{\"ids\":[", out);
    for (size_t i = 1; i < ctl->n_args; i++) {
        fputs(i > 1 ? "," : "", out);
        print_json_string(out, ctl->args[i], strlen(ctl->args[i]));
    }
    fputs(ctl->n_args == 1 ? "" : "]", out);
    if (ctl->class) {
        fputs(",\"class\":", out);
        print_json_string(out, ctl->class, strlen(ctl->class));
    }
    if (ctl->limit)
        fprintf(out, ",\"limit\":%" PRIu64, ctl->limit);
    fprintf(out, ",\"dry_run\":%s}", ctl->dry_run ? "true" : "false");
    return fclose(out) == 0 ? text : NULL;
}

static int check_choice(const struct ctl *ctl)
{
    bool some = ctl->n_args > 1;
    if (some && ctl->all)
        return ctl_fail(ctl, EX_USAGE, "%s: ids or --all, not both", ctl->command->name);
    if (!some && !ctl->all && !ctl->class)
        return ctl_fail(ctl, EX_USAGE,
                        "%s: which ones? Ids (headracectl dead ls %s), --all, or --class CLASS",
                        ctl->command->name, ctl->args[0]);
    return 0;
}

static size_t say_missing(const struct ctl *ctl, const struct json_value *answer)
{
    const struct json_value *key, *id;
    struct json_iter each = reply_each(answer, "missing");
    size_t n = each.left;
    while (json_next(&each, &key, &id)) {
        size_t len;
        const char *text = json_text(id, &len);
        fprintf(stderr, "headracectl: job %s has no dead letter %.*s%s%s\n", ctl->args[0], (int)len,
                text, ctl->class ? " of class " : "", ctl->class ? ctl->class : "");
    }
    return n;
}

static int act(struct ctl *ctl, const char *rest, const char *key, const char *done)
{
    int status = check_choice(ctl);
    if (status != 0)
        return status;
    size_t len;
    hr_auto(hr_freep) char *order = write_order(ctl, &len);
    hr_auto(hr_freep) char *path = ask_job_path(ctl->args[0], rest);
    hr_auto(ask_done) struct reply reply = {0};
    if (!order)
        return ctl_fail(ctl, EX_SOFTWARE, "out of memory");
    status = ask(ctl, path, order, len, &reply);
    if (status != 0)
        return status;

    uint64_t n = reply_number(reply.json, key), doubled = reply_number(reply.json, "doubled");
    uint64_t unreadable = reply_number(reply.json, "unreadable");
    if (ctl->json)
        ask_print(&reply);
    else
        printf("%s: %" PRIu64 " dead %s %s%s\n", ctl->args[0], n, plural(n, "letter", "letters"),
               ctl->dry_run ? "would be " : "", done);
    if (!ctl->json && doubled > 0)
        printf("%s: %" PRIu64 " more had been pushed twice and are gone\n", ctl->args[0], doubled);
    if (unreadable > 0)
        fprintf(stderr,
                "headracectl: %" PRIu64 " cannot be put back: no dead letters, or their payload is "
                "gone (headracectl dead ls %s; dead rm removes them)\n",
                unreadable, ctl->args[0]);
    size_t missing = say_missing(ctl, reply.json);
    if (reply_truth(reply.json, "disturbed")) {
        fprintf(stderr, "headracectl: others change the list all the time: try again\n");
        return EX_TEMPFAIL;
    }
    return unreadable > 0 || missing > 0 ? EX_FOUND : EX_OK;
}

int dead_retry_command(struct ctl *ctl)
{
    return act(ctl, "/dead/retry", "retried", "put back to be processed");
}

int dead_rm_command(struct ctl *ctl)
{
    return act(ctl, "/dead/rm", "removed", "removed");
}
