/* SPDX-License-Identifier: MIT */
/*
 * Why a row was refused: column and value, out of the messages of MariaDB and MySQL.
 */
#include "daemon/sink/refusal.h"

#include <string.h>

#include "tests/support/hrtest.h"

/* One row: uid 'u1', note 'some note', customer_id 42, amount NULL. */
static const char *const uids[] = {"u1"}, *const notes[] = {"some note"};
static const unsigned long uid_lens[] = {2}, note_lens[] = {9};
static const int64_t customers[] = {42}, amounts[] = {0};
static const bool no[] = {false}, yes[] = {true};

static const struct param_conf params[] = {
    {.name = "u",       .column = "uid"},
    {.name = "n",                 .column = "note"},
    {.name = "c",.column = "customer_id"},
    {.name = "a",       .column = "amount"},
    {.name = "x"                },
};

static struct hr_mysql_column columns[] = {
    {.type = HR_MYSQL_TEXT, .texts = uids, .lengths = uid_lens,   .nulls = no},
    {.type = HR_MYSQL_TEXT,                     .texts = notes,              .lengths = note_lens, .nulls = no},
    {.type = HR_MYSQL_INT,          .ints = customers,                       .nulls = no                        },
    {.type = HR_MYSQL_INT,          .ints = amounts, .nulls = yes},
    {.type = HR_MYSQL_INT,         .ints = customers,                      .nulls = no                                             },
};

static const struct {
    int number;
    const char *message, *column, *value;
} cases[] = {
    {1406, "Data too long for column 'note' at row 1",                                           "note",        "some note"       },
    {1264, "Out of range value for column 'CUSTOMER_ID' at row 3",                               "CUSTOMER_ID", "42"              },
    {1265, "Data truncated for column 'note' at row 1",                                          "note",        "some note"       },
    {1048, "Column 'amount' cannot be null",                                                     "amount",      ""                },
    {1364, "Field 'uid' doesn't have a default value",                                           "uid",         "u1"              },
    {1366, "Incorrect integer value: 'abc' for column `shop`.`orders`.`customer_id` at row 1",
     "customer_id",                                                                                             "42"              },
    {1366, "Incorrect string value: '\\xFF' for column `note` at row 1",                         "note",        "some note"       },
    {1366, "Incorrect integer value: 'column 'uid'' for column `shop`.`orders`.`note` at row 1",
     "note",                                                                                                    "some note"       },
    {1292, "Incorrect datetime value: '2026-02-30' for column `shop`.`orders`.`gone` at row 1",
     "gone",                                                                                                    ""                },
    {1292, "Truncated incorrect DOUBLE value: 'abc'",                                            "",            ""                },
    {1062, "Duplicate entry 'u1' for key 'uid'",                                                 "uid",         "u1"              },
    {1062, "Duplicate entry 'u1' for key 'orders.uid'",                                          "orders.uid",  "u1"              },
    {1062, "Duplicate entry 'it's' for key 'x' for key 'uid'",                                   "uid",         "it's' for key 'x"},
    {1062, "Duplicate entry '' for key 'uid'",                                                   "uid",         ""                },
    {1062, "Duplicate entry",                                                                    "",            ""                },
    {1452,
     "Cannot add or update a child row: a foreign key constraint fails (`shop`.`orders`, "
     "CONSTRAINT `fk` FOREIGN KEY (`customer_id`) REFERENCES `customers` (`id`))",               "customer_id", "42"              },
    {4025, "CONSTRAINT `positive` failed for `shop`.`orders`",                                   "",            ""                },
    {1644, "the trigger says no",                                                                "",            ""                },
    {1406, "Data too long for column 'note",                                                     "",            ""                },
    {1366, "for column `",                                                                       "",            ""                },
    {1366, "for column `a`.`",                                                                   "a",           ""                },
    {1366, "",                                                                                   "",            ""                },
};

TEST(the_column_and_its_value_are_found_in_every_shape_of_message)
{
    struct rows rows = {.params = params, .n_params = 5, .n = 1, .columns = columns};
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct failure failure;
        hr_fail_native(HR_EREPLY, cases[i].number, "HY000", NULL, true, "%s", cases[i].message);
        refusal_explain(hr_last_error(), HR_EREPLY, &rows, 0, &failure);
        ASSERT_STR(failure.error_class, "row");
        ASSERT_EQ(failure.code, cases[i].number);
        char message[HR_ERROR_MESSAGE_MAX];
        snprintf(message, sizeof(message), "%s", cases[i].message);
        char *row = strstr(message, " at row ");
        if (row)
            *row = '\0';
        ASSERT_STR(failure.message, message);
        ASSERT_STR(failure.column, cases[i].column);
        ASSERT_STR(failure.value, cases[i].value);
    }
}

TEST(the_row_of_a_batch_is_left_out_but_not_what_a_trigger_says)
{
    static const char *const messages[][2] = {
        {"Data truncated for column 'note' at row 3", "Data truncated for column 'note'"},
        {"value ' at row 1' is odd at row 12",        "value ' at row 1' is odd"        },
        {"look at row 3 of the price list",           "look at row 3 of the price list" },
        {"look at row ",                              "look at row "                    },
    };
    struct rows rows = {.params = params, .n_params = 5, .n = 1, .columns = columns};
    for (size_t i = 0; i < HR_ARRAY_LEN(messages); i++) {
        struct failure failure;
        hr_fail_native(HR_EREPLY, 1265, "01000", NULL, true, "%s", messages[i][0]);
        refusal_explain(hr_last_error(), HR_EREPLY, &rows, 0, &failure);
        ASSERT_STR(failure.message, messages[i][1]);
    }
}

TEST(names_and_values_without_end_are_cut)
{
    struct rows rows = {.params = params, .n_params = 5, .n = 1, .columns = columns};
    struct failure failure;
    char message[500];
    memset(message, 'x', sizeof(message));
    memcpy(message, "Duplicate entry '", 17);
    memcpy(message + 250, "' for key '", 11);
    message[sizeof(message) - 1] = '\0';
    hr_fail_native(HR_EREPLY, 1062, "23000", NULL, true, "%s", message);
    refusal_explain(hr_last_error(), HR_EREPLY, &rows, 0, &failure);
    ASSERT_TRUE(strlen(failure.value) < FAILURE_VALUE_MAX);
    ASSERT_TRUE(strlen(failure.column) < FAILURE_COLUMN_MAX);
}
