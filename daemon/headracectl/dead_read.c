/* SPDX-License-Identifier: MIT */
/*
 * dead ls and dead show: why items died, and the items.
 */
#include <inttypes.h>
#include <string.h>

#include "daemon/headracectl/ask.h"
#include "daemon/headracectl/print.h"
#include "daemon/item/plural.h"

#define LIST_DEFAULT 50
#define PAGE_MOST    1000

static void print_row(const struct json_value *letter)
{
    struct text id = reply_text(letter, "id"), class = reply_text(letter, "error.class");
    struct text code = reply_text(letter, "error.code"), at = reply_text(letter, "last_seen");
    struct text column = reply_text(letter, "error.column");
    struct text message = reply_text(letter, "error.message");
    if (reply_truth(letter, "unreadable")) {
        printf("index %" PRIu64 ": not a dead letter, %" PRIu64 " %s\n",
               reply_number(letter, "index"), reply_number(letter, "bytes"),
               plural(reply_number(letter, "bytes"), "byte", "bytes"));
        return;
    }
    print_safely(stdout, id.bytes, id.len);
    printf("%*s  %-11.*s  %5.*s  ", id.len < 36 ? (int)(36 - id.len) : 0, "", (int)class.len,
           class.bytes, code.len ? (int)code.len : 1, code.len ? code.bytes : "-");
    print_safely(stdout, column.len ? column.bytes : "-", column.len ? column.len : 1);
    size_t width = column.len ? print_width(column.bytes, column.len) : 1;
    printf("%*s  %-20.*s  ", width < 14 ? (int)(14 - width) : 0, "", at.len > 19 ? 19 : (int)at.len,
           at.bytes);
    print_safely(stdout, message.bytes, message.len);
    puts("");
}

/* A list on its way to standard output: in JSON it is printed when it is whole. */
struct list {
    FILE *json; /* NULL: a table, printed as it comes */
    char *text;
    size_t len;
    uint64_t shown;
};

static int list_open(const struct ctl *ctl, struct list *list)
{
    *list = (struct list){0};
    if (ctl->json)
        list->json = open_memstream(&list->text, &list->len);
    return ctl->json && !list->json ? ctl_fail(ctl, EX_SOFTWARE, "out of memory") : 0;
}

static void list_done(struct list *list)
{
    if (list->json)
        fclose(list->json);
    free(list->text);
}

static void list_add(struct list *list, struct arena *arena, const struct json_value *letter)
{
    const char *text;
    size_t len;
    struct failure why;
    list->shown++;
    if (!list->json)
        return;
    fputs(list->shown > 1 ? ",\n" : "\n", list->json);
    if (json_write(arena, letter, &text, &len, &why) == 0)
        fwrite(text, 1, len, list->json);
}

static void list_print(struct list *list)
{
    fflush(list->json);
    fwrite(list->text, 1, list->len, stdout);
}

/* One page from *offset on; UINT64_MAX at the end of the list. Returns an exit status. */
static int list_page(struct ctl *ctl, uint64_t most, struct list *list, uint64_t *offset,
                     uint64_t *total)
{
    hr_auto(hr_freep) char *class = ask_escape(ctl->class ? ctl->class : "");
    hr_auto(ask_done) struct reply reply = {0};
    char rest[256];
    snprintf(rest, sizeof(rest), "/dead?offset=%" PRIu64 "&limit=%" PRIu64 "%s%.100s", *offset,
             most < PAGE_MOST ? most : PAGE_MOST, ctl->class ? "&class=" : "", class);
    hr_auto(hr_freep) char *path = ask_job_path(ctl->args[0], rest);
    int status = ask(ctl, path, NULL, 0, &reply);
    if (status != 0)
        return status;
    const struct json_value *key, *letter;
    struct json_iter each = reply_each(reply.json, "dead");
    if (!ctl->json && list->shown == 0 && each.left > 0)
        printf("%-36s  %-11s  %5s  %-14s  %-20s  %s\n", "ID", "CLASS", "CODE", "COLUMN",
               "LAST SEEN (UTC)", "MESSAGE");
    while (json_next(&each, &key, &letter)) {
        if (!ctl->json)
            print_row(letter);
        list_add(list, reply.arena, letter);
    }
    *total = reply_number(reply.json, "total");
    struct text next = reply_text(reply.json, "next");
    *offset = next.len ? reply_number(reply.json, "next") : UINT64_MAX;
    return 0;
}

int dead_ls_command(struct ctl *ctl)
{
    uint64_t limit = ctl->limit ? ctl->limit : LIST_DEFAULT;
    uint64_t offset = 0, total = 0;
    hr_auto(list_done) struct list list;
    int status = list_open(ctl, &list);
    while (status == 0 && offset != UINT64_MAX && list.shown < limit)
        status = list_page(ctl, limit - list.shown, &list, &offset, &total);
    if (status != 0)
        return status;
    if (ctl->json) {
        printf("{\"total\":%" PRIu64 ",\"dead\":[", total);
        list_print(&list);
        puts(offset == UINT64_MAX ? "],\"more\":false}" : "],\"more\":true}");
    } else if (list.shown == 0) {
        printf("%s: no dead letters%s\n", ctl->args[0], ctl->class ? " of this class" : "");
    } else if (offset != UINT64_MAX) {
        printf("%" PRIu64 " shown of %" PRIu64 " (--limit N shows more)\n", list.shown, total);
    }
    return EX_OK;
}

static void print_text(const char *title, struct text text)
{
    if (text.len == 0)
        return;
    printf("%-12s ", title);
    print_safely(stdout, text.bytes, text.len);
    puts("");
}

static void print_letter(const struct json_value *letter)
{
    struct text code = reply_text(letter, "error.code");
    struct text payload_key = reply_text(letter, "payload_key");
    print_text("id", reply_text(letter, "id"));
    print_text("job", reply_text(letter, "job"));
    print_text("class", reply_text(letter, "error.class"));
    print_text("code", code);
    print_text("message", reply_text(letter, "error.message"));
    print_text("column", reply_text(letter, "error.column"));
    print_text("value", reply_text(letter, "error.value"));
    print_text("attempts", reply_text(letter, "attempts"));
    print_text("first seen", reply_text(letter, "first_seen"));
    print_text("last seen", reply_text(letter, "last_seen"));
    print_text("host", reply_text(letter, "host"));
    if (payload_key.len > 0) {
        struct text at = reply_text(letter, "payload_at");
        printf("payload      %" PRIu64 " bytes, apart in Redis: HGET '",
               reply_number(letter, "payload_bytes"));
        print_safely(stdout, payload_key.bytes, payload_key.len);
        printf("' '");
        print_safely(stdout, at.bytes, at.len);
        puts("'");
    } else if (reply_has(letter, "payload_base64")) {
        print_text("payload", reply_text(letter, "payload_base64"));
        puts("             (base64: it is not UTF-8)");
    } else {
        print_text("payload", reply_text(letter, "payload"));
    }
}

/* Asks for one letter; a missing one is only noted. Returns an exit status. */
static int show(struct ctl *ctl, const char *letter_id, struct list *list)
{
    hr_auto(hr_freep) char *id = ask_escape(letter_id);
    char rest[512];
    snprintf(rest, sizeof(rest), "/dead?id=%.400s", id);
    hr_auto(hr_freep) char *path = ask_job_path(ctl->args[0], rest);
    hr_auto(ask_done) struct reply reply = {0};
    int status = ask_one(ctl, path, &reply);
    if (status != 0)
        return status;
    if (!ctl->json && list->shown > 0)
        puts("");
    if (!ctl->json)
        print_letter(reply.json);
    list_add(list, reply.arena, reply.json);
    return EX_OK;
}

int dead_show_command(struct ctl *ctl)
{
    hr_auto(list_done) struct list list;
    int worst = list_open(ctl, &list);
    if (worst != 0)
        return worst;
    hr_auto(hr_freep) const char **missing = calloc(ctl->n_args, sizeof(*missing));
    size_t n_missing = 0;
    for (size_t i = 1; i < ctl->n_args && missing; i++) {
        int status = show(ctl, ctl->args[i], &list);
        if (status == EX_FOUND)
            missing[n_missing++] = ctl->args[i];
        else if (status != 0)
            return status;
    }
    if (ctl->json) {
        fputs("{\"dead\":[", stdout);
        list_print(&list);
        fputs("],\"missing\":[", stdout);
    }
    for (size_t i = 0; i < n_missing; i++) {
        fprintf(stderr, "headracectl: job %s has no dead letter %s\n", ctl->args[0], missing[i]);
        if (ctl->json) {
            fputs(i > 0 ? "," : "", stdout);
            print_json_string(stdout, missing[i], strlen(missing[i]));
        }
    }
    if (ctl->json)
        puts("]}");
    return n_missing > 0 ? EX_FOUND : EX_OK;
}
