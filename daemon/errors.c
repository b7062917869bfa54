/* SPDX-License-Identifier: MIT */
/*
 * Two sorted-by-class lists, searched linearly: errors are rare, and a list is what people read.
 */
#include "daemon/errors.h"

#include <stdio.h>
#include <string.h>

static const char *const names[CLASS_COUNT] = {
    [CLASS_CONNECTION] = "connection",
    [CLASS_FAILOVER] = "failover",
    [CLASS_TRANSIENT] = "transient",
    [CLASS_ROW] = "row",
    [CLASS_SIZE] = "size",
    [CLASS_CONFIG] = "config",
    [CLASS_ENVIRONMENT] = "environment",
    [CLASS_UNKNOWN] = "unknown",
    [CLASS_DECODE] = "decode",
    [CLASS_EXPECT] = "expect",
    [CLASS_EXPRESSION] = "expression",
    [CLASS_PRECISION] = "precision",
    [CLASS_MAX_PAYLOAD] = "max_payload",
    [CLASS_CRASH] = "crash",
};

#define NUMBERS_MAX 20

static const struct {
    enum error_class class;
    int numbers[NUMBERS_MAX]; /* ends with 0 */
} mysql_classes[] = {
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
};

static const struct {
    enum error_class class;
    const char *kind;
} redis_classes[] = {
    {CLASS_CONNECTION,  "LOADING"    },
    {CLASS_CONNECTION,  "MASTERDOWN" },
    {CLASS_CONNECTION,  "CLUSTERDOWN"},
    {CLASS_CONNECTION,  "TRYAGAIN"   },
    {CLASS_CONNECTION,  "UNBLOCKED"  },
    {CLASS_FAILOVER,    "READONLY"   },
    {CLASS_FAILOVER,    "MOVED"      },
    {CLASS_FAILOVER,    "ASK"        },
    {CLASS_FAILOVER,    "NOREPLICAS" },
    {CLASS_TRANSIENT,   "BUSY"       },
    {CLASS_CONFIG,      "NOAUTH"     },
    {CLASS_CONFIG,      "WRONGPASS"  },
    {CLASS_CONFIG,      "NOPERM"     },
    {CLASS_CONFIG,      "WRONGTYPE"  },
    {CLASS_ENVIRONMENT, "OOM"        },
    {CLASS_ENVIRONMENT, "MISCONF"    },
};

const char *error_class_name(enum error_class class)
{
    return class < CLASS_COUNT ? names[class] : "unknown";
}

enum error_class error_class_named(const char *name)
{
    for (int i = 0; i < CLASS_COUNT; i++) {
        if (strcmp(names[i], name) == 0)
            return (enum error_class)i;
    }
    return CLASS_UNKNOWN;
}

enum error_class error_classify_mysql(int number)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(mysql_classes); i++) {
        for (const int *n = mysql_classes[i].numbers; *n; n++) {
            if (*n == number)
                return mysql_classes[i].class;
        }
    }
    return CLASS_UNKNOWN;
}

static enum error_class classify_redis(const char *kind)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(redis_classes); i++) {
        if (strcmp(redis_classes[i].kind, kind) == 0)
            return redis_classes[i].class;
    }
    return CLASS_UNKNOWN;
}

enum error_class error_classify(int code, const struct hr_error *error)
{
    bool told = error && error->code == code;
    if (told && error->native)
        return error_classify_mysql(error->native);
    if (told && error->kind[0])
        return classify_redis(error->kind);
    switch (code) {
    case MISCONFIGURED:
        return CLASS_CONFIG;
    case -ENOTCONN:
    case -ETIMEDOUT:
    case HR_ELOST:
    case HR_ECLOSED:
        return CLASS_CONNECTION;
    case -ENOMEM:
    case -ENOBUFS:
    case -EMFILE:
    case -ENFILE:
        return CLASS_ENVIRONMENT;
    default:
        return CLASS_UNKNOWN;
    }
}

void error_describe(int code, const struct hr_error *error, char *ret, size_t size)
{
    enum error_class class = error_classify(code, error);
    bool told = error && error->code == code;
    bool server = told && (error->native || error->kind[0]);
    bool quotes = server && class != CLASS_CONFIG && !error_is_outage(class);
    char number[32] = "";
    if (told && error->native)
        snprintf(number, sizeof(number), "error %d: ", error->native);
    if (quotes)
        snprintf(ret, size, "%sclass %s", number, error_class_name(class));
    else
        snprintf(ret, size, "%s%s", number, told ? error->message : hr_error_text(code));
}
