/* SPDX-License-Identifier: MIT */
/*
 * Errors that hang together: causes below, members of a group beside each other.
 *
 * Where memory is out, or groups are nested too deep to walk on a task's stack, a copy is cut and
 * says so.
 */
#include "core/error.h"

#include "core/error_impl.h"

#define DEPTH_MAX 16

static void copy(struct hr_error *to, const struct hr_error *from, int depth);

static struct hr_error *dup(const struct hr_error *error, int depth)
{
    struct hr_error *copied = depth < DEPTH_MAX ? malloc(sizeof(*copied)) : NULL;
    if (copied)
        copy(copied, error, depth);
    return copied;
}

static void copy_members(struct hr_error *to, const struct hr_error *from, int depth)
{
    struct hr_error **end = &to->members;
    for (const struct hr_error *member = from->members; member; member = member->next) {
        *end = dup(member, depth + 1);
        if (!*end) {
            to->cut = true;
            return;
        }
        end = &(*end)->next;
    }
}

/* The record and its members; not what it follows from, nor what follows it. */
static void copy_one(struct hr_error *to, const struct hr_error *from, int depth)
{
    *to = *from;
    to->cause = to->members = to->next = NULL;
    copy_members(to, from, depth);
}

static void copy(struct hr_error *to, const struct hr_error *from, int depth)
{
    copy_one(to, from, depth);
    for (; (from = from->cause); to = to->cause) {
        to->cause = malloc(sizeof(*to));
        if (!to->cause) {
            to->cut = true;
            return;
        }
        copy_one(to->cause, from, depth);
    }
}

void hr_error_copy(struct hr_error *to, const struct hr_error *from)
{
    copy(to, from, 0);
}

struct hr_error *hr__error_dup(const struct hr_error *error)
{
    return dup(error, 0);
}

void hr__error_free(struct hr_error *error)
{
    struct hr_error *next;
    for (; error; error = next) {
        next = error->next;
        hr_error_done(error);
        free(error);
    }
}

void hr_error_done(struct hr_error *error)
{
    struct hr_error *next;
    for (struct hr_error *cause = error->cause; cause; cause = next) {
        next = cause->cause;
        if (cause->members)
            hr__error_free(cause->members);
        free(cause);
    }
    if (error->members)
        hr__error_free(error->members);
    error->cause = error->members = NULL;
}

const struct hr_error *hr_error_find(const struct hr_error *error, int code)
{
    for (; error; error = error->cause) {
        if (error->code == code)
            return error;
        for (const struct hr_error *member = error->members; member; member = member->next) {
            const struct hr_error *found = hr_error_find(member, code);
            if (found)
                return found;
        }
    }
    return NULL;
}

/* Hangs a part behind the members of a group; takes it over. */
static void append(struct hr_error *group, struct hr_error ***end, struct hr_error *part)
{
    struct hr_error *member = malloc(sizeof(*member));
    if (!member) {
        group->cut = true;
        hr_error_done(part);
        return;
    }
    *member = *part;
    member->next = NULL;
    **end = member;
    *end = &member->next;
}

size_t hr_error_split(const struct hr_error *error, int code, struct hr_error *ret_matching,
                      struct hr_error *ret_rest)
{
    size_t matches = 0;
    struct hr_error **matching_end = &ret_matching->members, **rest_end = &ret_rest->members;

    if (!error->members) {
        bool match = error->code == code;
        *ret_matching = *ret_rest = (struct hr_error){0};
        hr_error_copy(match ? ret_matching : ret_rest, error);
        return match;
    }
    *ret_matching = *ret_rest = *error;
    ret_matching->cause = ret_matching->members = ret_matching->next = NULL;
    ret_rest->cause = ret_rest->members = ret_rest->next = NULL;
    for (const struct hr_error *member = error->members; member; member = member->next) {
        struct hr_error matching, rest;
        matches += hr_error_split(member, code, &matching, &rest);
        if (matching.code)
            append(ret_matching, &matching_end, &matching);
        if (rest.code)
            append(ret_rest, &rest_end, &rest);
    }
    if (!ret_matching->members)
        ret_matching->code = 0;
    if (!ret_rest->members)
        ret_rest->code = 0;
    return matches;
}
