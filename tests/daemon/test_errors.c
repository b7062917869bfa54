/* SPDX-License-Identifier: MIT */
/*
 * Error classes: each number and word lands where the documentation says, and nothing that a server
 * quotes gets into a log.
 */
#include "daemon/errors.h"

#include <string.h>

#include "tests/support/hrtest.h"

static const struct {
    enum error_class class;
    int numbers[20]; /* ends with 0 */
} mysql_table[] = {
    {CLASS_CONNECTION,
     {2002, 2003, 2005, 2006, 2013, 2026, 2055, 4031, 1927, 1053, 1040, 1047, 1129, 1203, 1226}       },
    {CLASS_FAILOVER,    {1290, 1792, 1836, 3100}                                                      },
    {CLASS_TRANSIENT,   {1205, 1213, 1317, 1614, 1969, 3024, 3572}                                    },
    {CLASS_ROW,
     {1048, 1062, 1264, 1265, 1292, 1364, 1366, 1406, 1416, 1452, 1451, 1690, 3140, 3156, 3819,
      4025, 1644}                                                                                     },
    {CLASS_SIZE,        {1153, 1301}                                                                  },
    {CLASS_CONFIG,      {1044, 1045, 1049, 1054, 1064, 1130, 1136, 1142, 1143, 1146, 1227, 1698, 2061}},
    {CLASS_ENVIRONMENT, {1021, 1114, 3, 28, 1030}                                                     },
    {CLASS_UNKNOWN,     {4242, 1, 9999}                                                               },
};

static const struct {
    enum error_class class;
    const char *kinds[6];
} redis_table[] = {
    {CLASS_CONNECTION,  {"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED"}},
    {CLASS_FAILOVER,    {"READONLY", "MOVED", "ASK", "NOREPLICAS"}                       },
    {CLASS_TRANSIENT,   {"BUSY"}                                                         },
    {CLASS_CONFIG,      {"NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE"}                   },
    {CLASS_ENVIRONMENT, {"OOM", "MISCONF"}                                               },
    {CLASS_UNKNOWN,     {"ERR", "HRINUSE", "BUSYGROUP", "loading"}                       },
};

static enum error_class class_of(int code, int native, const char *kind, char *told, size_t size)
{
    hr_fail_native(code, native, native ? "HY000" : NULL, kind, true, "%s SECRET quoted",
                   kind ? kind : "server:");
    error_describe(code, hr_last_error(), told, size);
    return error_classify(code, hr_last_error());
}

/* What may quote an item is told by number and class alone; the rest in the server's words. */
static void assert_told(const char *told, enum error_class class)
{
    bool says_all = error_is_outage(class) || class == CLASS_CONFIG;
    if (says_all != (strstr(told, "SECRET") != NULL))
        test_fail(__FILE__, __LINE__, "class %s is told as \"%s\"", error_class_name(class), told);
    ASSERT_TRUE(says_all || strstr(told, error_class_name(class)));
}

TEST(every_number_of_mysql_lands_in_its_class)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(mysql_table); i++) {
        for (const int *n = mysql_table[i].numbers; *n; n++) {
            char told[200], number[32];
            ASSERT_EQ(class_of(HR_EREPLY, *n, NULL, told, sizeof(told)), mysql_table[i].class);
            ASSERT_EQ(error_classify_mysql(*n), mysql_table[i].class);
            snprintf(number, sizeof(number), "error %d: ", *n);
            ASSERT_EQ(strncmp(told, number, strlen(number)), 0);
            assert_told(told, mysql_table[i].class);
        }
    }
}

TEST(every_word_of_redis_lands_in_its_class)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(redis_table); i++) {
        for (const char *const *kind = redis_table[i].kinds; *kind; kind++) {
            char told[200];
            ASSERT_EQ(class_of(HR_EREPLY, 0, *kind, told, sizeof(told)), redis_table[i].class);
            assert_told(told, redis_table[i].class);
        }
    }
}

TEST(codes_without_a_servers_word_have_classes_too)
{
    static const struct {
        int code;
        enum error_class class;
    } cases[] = {
        {-ENOTCONN,     CLASS_CONNECTION },
        {-ETIMEDOUT,    CLASS_CONNECTION },
        {HR_ELOST,      CLASS_CONNECTION },
        {HR_ECLOSED,    CLASS_CONNECTION },
        {-ENOMEM,       CLASS_ENVIRONMENT},
        {-EMFILE,       CLASS_ENVIRONMENT},
        {MISCONFIGURED, CLASS_CONFIG     },
        {HR_EREPLY,     CLASS_UNKNOWN    },
        {-EBADMSG,      CLASS_UNKNOWN    },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        hr_fail(cases[i].code, "by ourselves");
        ASSERT_EQ(error_classify(cases[i].code, hr_last_error()), cases[i].class);
        ASSERT_EQ(error_classify(cases[i].code, NULL), cases[i].class);
    }
}

TEST(a_record_of_another_failure_decides_nothing)
{
    char told[200];
    hr_fail_native(HR_EREPLY, 1062, "23000", NULL, true, "Duplicate entry 'SECRET' for key 'uid'");
    ASSERT_EQ(error_classify(-ENOTCONN, hr_last_error()), CLASS_CONNECTION);
    error_describe(-ENOTCONN, hr_last_error(), told, sizeof(told));
    ASSERT_STR(told, hr_error_text(-ENOTCONN));
}

TEST_PLAIN(names_and_classes_belong_together)
{
    for (int class = 0; class < CLASS_COUNT; class ++)
        ASSERT_EQ(error_class_named(error_class_name((enum error_class) class)), class);
    ASSERT_EQ(error_class_named("nonsense"), CLASS_UNKNOWN);
    ASSERT_EQ(error_class_named(""), CLASS_UNKNOWN);
}
