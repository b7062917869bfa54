/* SPDX-License-Identifier: MIT */
/*
 * How it works: the record of the running task sits in its fiber, at the top of its stack; a thread
 * outside of tasks has one of its own. Only causes live on the heap.
 */
#include "core/error.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/error_impl.h"
#include "core/loop_impl.h"

static _Thread_local struct hr_error thread_record;

static pthread_key_t thread_end_key;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static void thread_end(void *record)
{
    hr_error_done(record);
}

static void thread_end_init(void)
{
    pthread_key_create(&thread_end_key, thread_end);
}

static struct hr_error *record_of_caller(void)
{
    struct hr__task *task = hr__task_running();
    return task ? &task->fiber->error : &thread_record;
}

/* A thread's causes are freed when it ends. */
static void remember_causes(struct hr_error *record)
{
    if (record != &thread_record || (!record->cause && !record->members))
        return;
    pthread_once(&thread_end_once, thread_end_init);
    pthread_setspecific(thread_end_key, record);
}

/* Copies text, cutting it between characters of UTF-8. */
static void copy_text(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size);
    if (length == size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

void hr__error_write(struct hr_error *record, int code, const char *fmt, va_list args)
{
    /* The arguments may point into the record that is being overwritten. */
    char message[HR_ERROR_MESSAGE_MAX + 4];
    vsnprintf(message, sizeof(message), fmt, args);

    struct hr__task *task = hr__task_running();
    *record = (struct hr_error){.code = code};
    copy_text(record->message, sizeof(record->message), message);
    if (task)
        copy_text(record->task, sizeof(record->task), hr__task_name(task));
}

int hr_fail_at(const char *place, int code, const char *fmt, ...)
{
    struct hr_error *record = record_of_caller();
    struct hr_error *cause = hr_take(record->cause), *members = hr_take(record->members);
    va_list args;
    va_start(args, fmt);
    hr__error_write(record, code, fmt, args);
    va_end(args);
    record->place = place;
    if (cause)
        hr__error_free(cause);
    if (members)
        hr__error_free(members);
    return code;
}

int hr_fail_from(const char *place, int code)
{
    struct hr_error *record = record_of_caller();
    if (record->code == code)
        record->place = place;
    return code;
}

int hr_fail_native_at(const char *place, int code, int native, const char *state, const char *kind,
                      bool sent, const char *fmt, ...)
{
    struct hr_error *record = record_of_caller();
    struct hr_error fresh;
    va_list args;
    va_start(args, fmt);
    hr__error_write(&fresh, code, fmt, args);
    va_end(args);
    fresh.place = place;
    fresh.native = native;
    fresh.sent = sent;
    copy_text(fresh.state, sizeof(fresh.state), state ? state : "");
    copy_text(fresh.kind, sizeof(fresh.kind), kind ? kind : "");
    hr_error_done(record);
    *record = fresh;
    return code;
}

int hr_fail_because_at(const char *place, int code, const char *fmt, ...)
{
    struct hr_error *record = record_of_caller();
    struct hr_error *cause = NULL;
    bool cut = record->cut, sent = record->sent;
    if (record->code != 0) {
        cause = malloc(sizeof(*cause));
        if (cause) {
            *cause = *record;
        } else {
            hr_error_done(record);
            cut = true;
        }
    }
    va_list args;
    va_start(args, fmt);
    hr__error_write(record, code, fmt, args);
    va_end(args);
    record->place = place;
    record->cause = cause;
    record->cut = cut;
    record->sent = sent;
    remember_causes(record);
    return code;
}

int hr__error_adopt(struct hr_error *members, bool cut)
{
    struct hr_error *record = record_of_caller();
    hr__error_free(record->members);
    record->members = members;
    record->cut |= cut;
    remember_causes(record);
    return record->code;
}

int hr__error_add_cause(const struct hr_error *cause)
{
    struct hr_error *record = record_of_caller(), *last = record;
    for (; last->cause; last = last->cause) {
        if (last->cause->code == cause->code)
            return record->code;
    }
    last->cause = hr__error_dup(cause);
    if (!last->cause)
        record->cut = true;
    remember_causes(record);
    return record->code;
}

void hr__error_note_sent(void)
{
    record_of_caller()->sent = true;
}

int hr__missing(const char *what)
{
    int code = record_of_caller()->code;
    return code < 0 ? code : hr_fail(-EINVAL, "%s: NULL, and nothing has failed before", what);
}

const struct hr_error *hr_last_error(void)
{
    return record_of_caller();
}

const char *hr_error_message(int code)
{
    const struct hr_error *record = record_of_caller();
    return record->code == code && record->message[0] ? record->message : hr_error_text(code);
}

const char *hr_error_name(int code)
{
    switch (code) {
#define NAME_CASE(name, value, text)                                                               \
    case name:                                                                                     \
        return #name;
        HR_ERROR_CODES(NAME_CASE)
#undef NAME_CASE
    case 0:
        return "OK";
    default:
        break;
    }
    const char *name = code < 0 && code > -1000 ? strerrorname_np(-code) : NULL;
    return name ? name : "?";
}

const char *hr_error_text(int code)
{
    switch (code) {
#define TEXT_CASE(name, value, text)                                                               \
    case name:                                                                                     \
        return text;
        HR_ERROR_CODES(TEXT_CASE)
#undef TEXT_CASE
    case 0:
        return "success";
    default:
        break;
    }
    const char *text = code < 0 && code > -1000 ? strerrordesc_np(-code) : NULL;
    return text ? text : "unknown error";
}

int hr_error_raise(const struct hr_error *error)
{
    struct hr_error *record = record_of_caller();
    if (error != record) {
        struct hr_error copy; /* error may be one of the record's own causes */
        hr_error_copy(&copy, error);
        hr_error_done(record);
        *record = copy;
        remember_causes(record);
    }
    return record->code;
}

_Noreturn void hr_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "headrace: broken promise at %s:%d: %s\n", file, line, cond);
    abort();
}
