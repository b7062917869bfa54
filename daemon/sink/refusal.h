/* SPDX-License-Identifier: MIT */
/*
 * Why the server refused a row, in the words of a dead letter: the column and the value come from
 * the message, as the protocol has no field for them.
 */
#pragma once

#include "core/error.h"
#include "daemon/item/failure.h"
#include "daemon/sink/rows.h"

/* Fills in class, number, message, column and value. */
void refusal_explain(const struct hr_error *error, int code, const struct rows *rows, size_t row,
                     struct failure *ret);
