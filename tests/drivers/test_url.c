/* SPDX-License-Identifier: MIT */
/*
 * URLs that name servers: a table of good ones, and of bad ones with the place of the mistake.
 */
#include "drivers/url.h"

#include <string.h>

#include "tests/support/hrtest.h"

struct good {
    const char *text;
    struct {
        enum hr_url_scheme scheme;
        const char *user, *password, *host;
        uint16_t port;
        const char *socket;
        unsigned db;
        const char *database;
        enum hr_tls_verify tls;
        const char *others, *master, *sentinel;
    } url;
};

static const struct good good_urls[] = {
    {"redis://localhost",                                                               {HR_URL_REDIS, .host = "localhost", .port = 6379}                     },
    {"redis://localhost/",                                                              {HR_URL_REDIS, .host = "localhost", .port = 6379}                     },
    {"REDIS://Host:1/3",                                                                {HR_URL_REDIS, .host = "Host", .port = 1, .db = 3}                    },
    {"redis://app@127.0.0.1:6380/0",
     {HR_URL_REDIS, .user = "app", .host = "127.0.0.1", .port = 6380}                                                                                         },
    {"redis://:s3cret@h",                                                               {HR_URL_REDIS, .password = "s3cret", .host = "h", .port = 6379}       },
    {"redis://u:p%40%3a%2F%25@h/15",
     {HR_URL_REDIS, .user = "u", .password = "p@:/%", .host = "h", .port = 6379, .db = 15}                                                                    },
    {"redis://u:@h",                                                                    {HR_URL_REDIS, .user = "u", .password = "", .host = "h", .port = 6379}},
    {"redis://[::1]:7000/1",                                                            {HR_URL_REDIS, .host = "::1", .port = 7000, .db = 1}                  },
    {"redis://[fe80::1%25eth0]",                                                        {HR_URL_REDIS, .host = "fe80::1%eth0", .port = 6379}                  },
    {"rediss://h:65535",                                                                {HR_URL_REDISS, .host = "h", .port = 65535, .tls = HR_TLS_FULL}       },
    {"unix:///run/redis.sock",                                                          {HR_URL_UNIX, .socket = "/run/redis.sock"}                            },
    {"unix:///run/redis.sock?db=2",                                                     {HR_URL_UNIX, .socket = "/run/redis.sock", .db = 2}                   },
    {"unix://u:p@/a%20b/s",                                                             {HR_URL_UNIX, .user = "u", .password = "p", .socket = "/a b/s"}       },
    {"mysql://h@127.0.0.1:3307/shop",
     {HR_URL_MYSQL, .user = "h", .host = "127.0.0.1", .port = 3307, .database = "shop"}                                                                       },
    {"mysql://h:p:w@db.example/m%c3%b6bel",
     {HR_URL_MYSQL, .user = "h", .password = "p:w", .host = "db.example", .port = 3306,
      .database = "m\xc3\xb6"
                  "bel"}                                                                                                                                      },
    {"mysql://user@/db?socket=/run/mysqld/mysqld.sock",
     {HR_URL_MYSQL, .user = "user", .port = 3306, .database = "db",
      .socket = "/run/mysqld/mysqld.sock"}                                                                                                                    },
    {"redis+sentinel://u:p@a:1,[::1]:2,c/main/3?sentinel_user=s&sentinel_password=%25",
     {HR_URL_SENTINEL, .user = "u", .password = "p", .host = "a", .port = 1, .db = 3,
      .others = "::1 2, c 26379, ", .master = "main", .sentinel = "s %"}                                                                                      },
    {"redis+sentinel://a/main",                                                         {HR_URL_SENTINEL, .host = "a", .port = 26379, .master = "main"}       },
    {"rediss+sentinel://a/b/",
     {HR_URL_SENTINEL, .host = "a", .port = 26379, .master = "b", .tls = HR_TLS_FULL}                                                                         },
    {"redis+cluster://:p@a:7000,b:7001",
     {HR_URL_CLUSTER, .password = "p", .host = "a", .port = 7000, .others = "b 7001, "}                                                                       },
    {"rediss+cluster://[::1]",                                                          {HR_URL_CLUSTER, .host = "::1", .port = 6379, .tls = HR_TLS_FULL}     },
    {"mysql://u@h?tls=ca",
     {HR_URL_MYSQL, .user = "u", .host = "h", .port = 3306, .tls = HR_TLS_CA}                                                                                 },
    {"mysql://u@h",                                                                     {HR_URL_MYSQL, .user = "u", .host = "h", .port = 3306}                },
};

static void check_sentinel(const struct good *good, const struct hr_url *url)
{
    char others[200] = "", sentinel[80] = "";
    for (size_t i = 0; i < url->n_others; i++) {
        size_t n = strlen(others);
        snprintf(others + n, sizeof(others) - n, "%s %u, ", url->others[i].host,
                 url->others[i].port);
    }
    if (url->sentinel_user)
        snprintf(sentinel, sizeof(sentinel), "%s %s", url->sentinel_user, url->sentinel_password);
    ASSERT_STR(others, good->url.others ? good->url.others : "");
    ASSERT_STR(sentinel, good->url.sentinel ? good->url.sentinel : "");
    ASSERT_STR(url->master, good->url.master);
}

TEST_PLAIN(urls_are_taken_apart)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(good_urls); i++) {
        const struct good *good = &good_urls[i];
        struct hr_url url = {0};
        const char *what = "";
        int r = hr_url_parse(good->text, &url, &what, NULL);
        if (r != 0)
            test_fail(__FILE__, __LINE__, "%s is refused: %s", good->text, what);
        ASSERT_EQ(url.scheme, good->url.scheme);
        ASSERT_STR(url.user, good->url.user);
        ASSERT_STR(url.password, good->url.password);
        ASSERT_STR(url.host, good->url.host);
        ASSERT_EQ(url.port, good->url.port);
        ASSERT_STR(url.socket, good->url.socket);
        ASSERT_EQ(url.db, good->url.db);
        ASSERT_STR(url.database, good->url.database);
        ASSERT_EQ(url.tls, good->url.tls);
        check_sentinel(good, &url);
        hr_url_done(&url);
    }
}

TEST_PLAIN(a_mysql_url_names_several_hosts_and_which_of_them_will_do)
{
    struct hr_url url;
    ASSERT_ERR(hr_url_parse("mysql://u@a,[::1]:3307,c:1/db?role=primary&compress=zlib&tls=verify",
                            &url, NULL, NULL),
               0);
    ASSERT_STR(url.host, "a");
    ASSERT_EQ(url.port, 3306);
    ASSERT_EQ(url.n_others, 2);
    ASSERT_STR(url.others[0].host, "::1");
    ASSERT_EQ(url.others[0].port, 3307);
    ASSERT_STR(url.others[1].host, "c");
    ASSERT_EQ(url.others[1].port, 1);
    ASSERT_EQ(url.role, HR_URL_PRIMARY);
    ASSERT_EQ(url.tls, HR_TLS_FULL);
    ASSERT_TRUE(url.compress);
    hr_url_done(&url);

    ASSERT_ERR(hr_url_parse("mysql://u@a?role=any&compress=none", &url, NULL, NULL), 0);
    ASSERT_EQ(url.role, HR_URL_ANY);
    ASSERT_FALSE(url.compress);
    hr_url_done(&url);
}

struct bad {
    const char *text;
    size_t offset;
    const char *what; /* how the sentence begins */
};

static const struct bad bad_urls[] = {
    {"",                                                     0,  "it does not begin with redis://"                        },
    {"localhost:6379",                                       0,  "it does not begin with redis://"                        },
    {"http://h",                                             0,  "it does not begin with redis://"                        },
    {"redis:/h",                                             0,  "it does not begin with redis://"                        },
    {"redis://",                                             8,  "the host is missing"                                    },
    {"redis:///0",                                           8,  "the host is missing"                                    },
    {"redis://:6379",                                        8,  "the host is missing"                                    },
    {"redis://u@",                                           10, "the host is missing"                                    },
    {"redis://h:0",                                          10, "the port is not a number"                               },
    {"redis://h:65536",                                      10, "the port is not a number"                               },
    {"redis://h:99999999999999999999",                       10, "the port is not a number"                               },
    {"redis://h:",                                           10, "the port is not a number"                               },
    {"redis://h:80x",                                        12, "the port is not a number"                               },
    {"redis://::1",                                          8,  "an IPv6 address stands in brackets"                     },
    {"redis://[::1",                                         8,  "the bracket of the IPv6 address is not closed"          },
    {"redis://[h]",                                          9,  "no IPv6 address"                                        },
    {"redis://[::1]x",                                       13, "only a port may follow"                                 },
    {"redis://h/x",                                          10, "the database is not a number"                           },
    {"redis://h/0/1",                                        11, "the database is not a number"                           },
    {"redis://h/-1",                                         10, "the database is not a number"                           },
    {"redis://h/99999999999",                                10, "the database is not a number"                           },
    {"redis://h?db=1",                                       10, "there is no such parameter: a URL of this kind has none"},
    {"redis://h#x",                                          9,  "a # is written %23"                                     },
    {"redis://a@b@h",                                        10, "an @ in a name or password is written %40"              },
    {"redis://u:p%@h",                                       11, "a % needs two hexadecimal digits"                       },
    {"redis://u:%zz@h",                                      10, "a % needs two hexadecimal digits"                       },
    {"redis://u:%2@h",                                       10, "a % needs two hexadecimal digits"                       },
    {"redis://u:%00@h",                                      10, "%00 cannot stand in a URL"                              },
    {"redis://a b",                                          9,  "blanks and control characters"                          },
    {"redis://h\n",                                          9,  "blanks and control characters"                          },
    {"redis://a%2Fb",                                        8,  "that is no host name"                                   },
    {"redis://a%0Ab",                                        8,  "that is no host name"                                   },
    {"mysql://u@one,,two/db",                                14, "the host is missing"                                    },
    {"unix://run/redis.sock",                                7,  "a unix socket has no host"                              },
    {"unix://",                                              7,  "the path of the socket does not begin with /"           },
    {"unix:///s?db",                                         10, "a parameter has the form name=value"                    },
    {"unix:///s?db=x",                                       13, "the database is not a number"                           },
    {"unix:///s?socket=/x",                                  10, "there is no such parameter: unix:// has db"             },
    {"mysql://u@h/a/b",                                      12, "only the name of a database"                            },
    {"mysql://u@h/db?socket=/s",                             10, "a host and a socket exclude each other"                 },
    {"mysql://u@/db?socket=s",                               21, "the path of the socket does not begin with /"           },
    {"mysql://u@/db?socket=/s&socket=/s",                    24, "socket is given twice"                                  },
    {"mysql://u@h?tls=ca&role=any&tls=none",                 28, "tls is given twice"                                     },
    {"unix:///s?db=1&db=2",                                  15, "db is given twice"                                      },
    {"mysql://u@/db",                                        10, "the host is missing"                                    },
    {"mysql://u@h/db?tls=maybe",                             19, "tls is full, ca or none"                                },
    {"mysql://u@/db?socket=/s&tls=full",                     10, "there is no TLS on a unix socket"                       },
    {"mysql://u@h/db?role=king",                             20, "role is primary or any"                                 },
    {"mysql://u@h/db?compress=zstd",                         24, "compress is zlib or none"                               },
    {"mysql://u@h/db?speed=high",                            15,
     "there is no such parameter: mysql:// has socket, tls, role and compress"                                            },
    {"redis://h?tls=full",                                   10, "there is no such parameter: a URL of this kind has none"},
    {"redis://a,b",                                          8,  "that is no host name"                                   },
    {"redis+sentinel://a",                                   17, "the name of the master is missing"                      },
    {"redis+sentinel://a//0",                                17, "the name of the master is missing"                      },
    {"redis+sentinel://a,/m",                                19, "the host is missing"                                    },
    {"redis+sentinel://,a/m",                                17, "the host is missing"                                    },
    {"redis+sentinel://a,b:0/m",                             21, "the port is not a number"                               },
    {"redis+sentinel://a/m/x",                               21, "the database is not a number"                           },
    {"redis+sentinel://a/m%20n",                             19, "the name of a master holds no blanks"                   },
    {"redis+sentinel://a/m?sentinel_user=a&sentinel_user=b", 37, "sentinel_user is given twice"                           },
    {"redis+sentinel://a/m?db=0",                            21,
     "there is no such parameter: a sentinel's URL has sentinel_user"                                                     },
    {"redis+cluster://a/1",                                  16, "a cluster has only the database 0"                      },
    {"redis+cluster://a?sentinel_user=x",                    18,
     "there is no such parameter: a URL of this kind has none"                                                            },
};

TEST_PLAIN(a_wrong_url_is_refused_at_its_mistake)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(bad_urls); i++) {
        const struct bad *bad = &bad_urls[i];
        struct hr_url url = {.db = 77};
        const char *what = NULL;
        size_t offset = 0;
        ASSERT_EQ(hr_url_parse(bad->text, &url, &what, &offset), -EINVAL);
        ASSERT_EQ(url.db, 77);
        if (!what || strncmp(what, bad->what, strlen(bad->what)) != 0 || offset != bad->offset)
            test_fail(__FILE__, __LINE__, "%s: at %zu: %s", bad->text, offset, what);
    }
}

TEST_PLAIN(a_client_s_url_is_one_of_its_own_servers)
{
    static const struct {
        enum hr_url_servers servers;
        const char *text, *refused; /* NULL: it is taken */
    } cases[] = {
        {HR_URL_REDISES,    "redis://h",             NULL                                              },
        {HR_URL_NO_CLUSTER, "rediss+sentinel://h/m", NULL                                              },
        {HR_URL_NO_CLUSTER, "http://h",
         "it does not begin with redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://"},
        {HR_URL_NO_CLUSTER, "redis+cluster://h",     "it is the URL of a cluster"                      },
        {HR_URL_REDISES,    "redis+cluster://h",     NULL                                              },
        {HR_URL_REDISES,    "unix:///s",             NULL                                              },
        {HR_URL_REDISES,    "mysql://u@h/db",        "it does not begin with redis://, rediss://"      },
        {HR_URL_MYSQLS,     "mysql://u@h/db",        NULL                                              },
        {HR_URL_MYSQLS,     "unix:///s",             "it does not begin with mysql://"                 },
        {HR_URL_MYSQLS,     "http://h",              "it does not begin with mysql://"                 },
        {HR_URL_ALL,        "http://h",              "it does not begin with redis://, rediss://"      },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct hr_url url = {0};
        const char *what = "";
        size_t offset = 77;
        int r = hr_url_parse_for(cases[i].servers, cases[i].text, &url, &what, &offset);
        ASSERT_ERR(r, cases[i].refused ? -EINVAL : 0);
        if (cases[i].refused && (strncmp(what, cases[i].refused, strlen(cases[i].refused)) != 0 ||
                                 (strstr(what, "mysql") && cases[i].servers == HR_URL_REDISES)))
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i].text, what);
        if (cases[i].refused)
            ASSERT_EQ(offset, 0);
        hr_url_done(&url);
    }
}

TEST_PLAIN(a_socket_path_that_is_too_long_is_refused)
{
    char text[300] = "unix:///";
    memset(text + 8, 'x', 107);
    struct hr_url url;
    const char *what = NULL;
    ASSERT_EQ(hr_url_parse(text, &url, &what, NULL), -EINVAL);
    ASSERT_STR(what, "the path of the socket is longer than 107 bytes");
    text[8 + 106] = '\0';
    ASSERT_EQ(hr_url_parse(text, &url, NULL, NULL), 0);
    hr_url_done(&url);
}

TEST_PLAIN(a_mistake_never_quotes_the_text)
{
    struct hr_url url;
    const char *what = NULL;
    static const char *const texts[] = {"redis://user:p/ssword@h", "mysql://user:p?ssword=@h",
                                        "mysql://user:p?tls=ssword@h"};
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        ASSERT_EQ(hr_url_parse(texts[i], &url, &what, NULL), -EINVAL);
        ASSERT_TRUE(strstr(what, "ssword") == NULL);
    }
}
