/* SPDX-License-Identifier: MIT */
/*
 * Requests that are none: each is refused before anything is sent, with a sentence that says what
 * is wrong with it and shows nothing that may be secret.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/http.h"
#include "tests/support/hrtest.h"

#define METHOD "http: this is no method, which is a word of capitals: "
#define BLANK  "http: blanks and control characters in a URL are written %XX: "

static void refused(hr_http_session *session, const struct hr_http_request *request,
                    const char *sentence)
{
    hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_send(session, request, &response), -EINVAL);
    ASSERT_STR(hr_last_error()->message, sentence);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_PTR(response, NULL);
}

TEST_REAL(s24_18_what_is_wrong_with_a_url_is_said)
{
    static const char scheme[] = "http: the URL does not begin with http:// or https://";
    static const char no_host[] = "http: the URL names no host: http://host:port/path";
    static const char port[] = "http: the port in the URL is not a number up to 65535";
    static const char naked[] = "http: an IPv6 address in a URL stands in brackets: http://[::1]/";
    static const char open[] = "http: the bracket of the IPv6 address in the URL is not closed";
    static const char behind[] = "http: only a port may follow the bracket in the URL";
    static const char no_address[] = "http: no IPv6 address stands between the brackets of the URL";
    static const struct {
        const char *url, *sentence;
    } wrong[] = {
        {"",                               scheme                                             },
        {"a",                              scheme                                             },
        {"example.org/path",               scheme                                             },
        {"user:secret@example.org",        scheme                                             },
        {"ftp://example.org/",             "http: ftp:// is neither http:// nor https://"     },
        {"file:///etc/passwd",             "http: file:// is neither http:// nor https://"    },
        {"httpx://example.org/",           "http: httpx:// is neither http:// nor https://"   },
        {"h2+x-1.z://a/",                  "http: h2+x-1.z:// is neither http:// nor https://"},
        {"abcdefghijklmnopqrst://a/",
         "http: abcdefghijklmnopqrst:// is neither http:// nor https://"                      },
        {"abcdefghijklmnopqrstu://a/",     scheme                                             },
        {"2http://a/",                     scheme                                             },
        {"s@cret://a/",                    scheme                                             },
        {"s{cret://a/",                    scheme                                             },
        {"http://",                        no_host                                            },
        {"http://:80/",                    no_host                                            },
        {"https://user:secret@/",          no_host                                            },
        {"http://127.0.0.1:65536/",        port                                               },
        {"http://127.0.0.1:x/",            port                                               },
        {"http://127.0.0.1:8o/",           port                                               },
        {"http://127.0.0.1:-1/",           port                                               },
        {"http://u:secret@[::1]:a/",       port                                               },
        {"http://a:99999999999999999999/", port                                               },
        {"http://::1/",                    naked                                              },
        {"http://[::1/",                   open                                               },
        {"http://[::1]80/",                behind                                             },
        {"http://[::1]8/",                 behind                                             },
        {"http://[::1]:65536/",            port                                               },
        {"http://[::x]:/",                 no_address                                         },
        {"http://[::x]/",                  no_address                                         },
        {"http://a b/",                    BLANK "byte 9"                                     },
        {"http://a/b\n",                   BLANK "byte 11"                                    },
        {"http://a/\x7f",                  BLANK "byte 10"                                    },
    };
    hr_auto(hr_http_session_freep) hr_http_session *plain = hr_http_session_new(NULL);
    hr_auto(hr_http_session_freep) hr_http_session *counting =
        hr_http_session_new(&(struct hr_http_options){.limit_per_host = 1});
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        refused(plain, &(struct hr_http_request){.url = wrong[i].url}, wrong[i].sentence);
        refused(counting, &(struct hr_http_request){.url = wrong[i].url}, wrong[i].sentence);
    }
    refused(plain, &(struct hr_http_request){0}, "http: no URL");

    /* libcurl has its own word for the rest, which differs from version to version. */
    hr_http_response *response = NULL;
    ASSERT_ERR(hr_http_get(plain, "http://a{b/", &response), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "http: this URL is none: "));
    ASSERT_ERR(hr_http_get(plain, "http://a{b:65535/", &response), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "http: this URL is none: "));
    ASSERT_ERR(hr_http_get(plain, "http://[::x]:80/", &response), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "http: this URL is none: "));
}

TEST_REAL(s24_18_a_url_may_have_64_kib)
{
    enum { MOST = 65536 };
    hr_auto(hr_freep) char *url = malloc(MOST + 2);
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
    hr_http_response *response = NULL;
    memset(url, 'a', MOST + 2);
    memcpy(url, "http://127.0.0.1:1/", 19);
    url[MOST + 1] = '\0';
    refused(session, &(struct hr_http_request){.url = url},
            "http: the URL is longer than 64 KiB: what is as long is a body");
    url[MOST] = '\0';
    ASSERT_ERR(hr_http_get(session, url, &response), -ENOTCONN);
}

TEST_REAL(s24_18_what_is_wrong_with_a_method_or_header_is_said)
{
    static const char form[] = "http: header 2 is not of the form \"Name: value\"";
    static const char end[] =
        "http: the header Authorization holds the end of a line: each is one, without it";
    static const struct {
        const char *line, *sentence;
    } wrong[] = {
        {"",                              form},
        {"secret",                        form},
        {": secret",                      form},
        {"X\r\nY: secret",                form},
        {" X: secret",                    form},
        {"X : secret",                    form},
        {"X secret: y",                   form},
        {"X;",                            form},
        {"Authorization: secret\n",       end },
        {"Authorization: secret\r\nX: y", end },
    };
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
    struct hr_http_request request = {.url = "http://127.0.0.1:1/"};
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        const char *const lines[] = {"X-Good: one", wrong[i].line, NULL};
        request.headers = lines;
        refused(session, &request, wrong[i].sentence);
    }
    request.headers = NULL;
    request.content_type = "a\r\nb";
    refused(session, &request,
            "http: the header Content-Type holds the end of a line: each is one, without it");
    char type[256 - sizeof("Content-Type: ") + 2]; /* the first that is */
    memset(type, 'a', sizeof(type) - 1);
    type[sizeof(type) - 1] = '\0';
    request.content_type = type;
    refused(session, &request, "http: this content type is too long");
    const char *const typed[] = {"content-type: text/html", NULL};
    request.content_type = "text/plain";
    request.headers = typed;
    refused(session, &request, "http: two types of content, one of them among the headers");
    request.headers = NULL;
    request.content_type = NULL;
    request.body_size = 5;
    refused(session, &request, "http: body_size says 5 and there is no body");
    refused(session, NULL, "http: no URL");
    request.body_size = 0;
    request.method = "GET / HTTP/1.1\r\nX: y";
    refused(session, &request, METHOD "GET / HTTP/1.1\\x0d\\x0aX: y");
    request.method = "";
    refused(session, &request, METHOD);
    request.method = "get";
    refused(session, &request, METHOD "get");
    request = (struct hr_http_request){.url = "http://127.0.0.1:1/", .stream = true};
    refused(session, &request, "http: a body in pieces begins with hr_http_begin()");
    request.body = "lost";
    ASSERT_ERR(hr_http_begin(session, &request, &(hr_http_response *){NULL}), -EINVAL);
    ASSERT_STR(hr_last_error()->message,
               "http: a body is given whole or comes in pieces, not both");
}

/* It is named by so much of it as there is room for. */
TEST_REAL(s24_18_a_method_may_be_longer_than_what_is_said_of_it)
{
    hr_auto(hr_http_session_freep) hr_http_session *session = hr_http_session_new(NULL);
    for (int size = 100; size < 120; size++) {
        hr_http_response *response = NULL;
        char method[128];
        memset(method, 'M', sizeof(method));
        method[size] = '\0';
        struct hr_http_request request = {.url = "http://127.0.0.1:1/", .method = method};
        ASSERT_ERR(hr_http_send(session, &request, &response), -ENOTCONN);
        const char *said = hr_last_error()->message;
        bool whole = size + strlen(" http://127.0.0.1:1/") < 128;
        ASSERT_EQ(strspn(said, "M"), whole ? size : 20);
        ASSERT_TRUE(said[strspn(said, "M")] == ' ');
    }
}
