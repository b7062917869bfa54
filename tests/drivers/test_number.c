/* SPDX-License-Identifier: MIT */
/*
 * Numbers as some locale may have written them.
 */
#include "drivers/number.h"

#include <stdio.h>

#include "tests/support/hrtest.h"

TEST_PLAIN(a_number_has_a_point_in_every_locale)
{
    static const char *const cases[][2] = {
        {"1,5",                     "1.5"                    },
        {"-1\xd9\xab"
         "25e-07",         "-1.25e-07"              }, /* U+066B ARABIC DECIMAL SEPARATOR */
        {"0.10000000000000001",     "0.10000000000000001"    },
        {"3",                       "3"                      },
        {"'-nan'",                  "'-nan'"                 },
        {"'INF'",                   "'INF'"                  },
        {"1,7976931348623157e+308", "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%s", cases[i][0]);
        hr__put_point(text);
        ASSERT_STR(text, cases[i][1]);
    }
}
