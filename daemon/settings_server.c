/* SPDX-License-Identifier: MIT */
/*
 * Settings of the servers, and the names by which jobs refer to them.
 */
#include <errno.h>
#include <string.h>

#include "config/suggest.h"
#include "daemon/settings_tables.h"
#include "drivers/url.h"

static int refuse_url(struct hr_conf *conf, const struct hr_conf_node *node, const char *what)
{
    return hr_conf_error(conf, node, "%s", what);
}

/* Parses the URL at node, which must be a text. The caller frees *ret with hr_url_done(). */
static int parse_url(struct hr_conf *conf, const struct hr_conf_node *node,
                     enum hr_url_servers servers, struct hr_url *ret)
{
    if (node->kind != HR_CONF_SCALAR || !node->text[0])
        return refuse_url(conf, node, "has to be a URL");
    const char *what;
    size_t offset;
    int r = hr_url_parse_for(servers, node->text, ret, &what, &offset);
    return r == -EINVAL ? hr_conf_error_at(conf, node, offset, "%s", what) : r;
}

static int read_redis_url(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    hr_auto(hr_url_done) struct hr_url url = {0};
    int r = parse_url(conf, node, HR_URL_NO_CLUSTER, &url);
    if (r < 0)
        return r;
    *(const char **)target = node->text;
    return 0;
}

static int read_mysql_url(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    hr_auto(hr_url_done) struct hr_url url = {0};
    int r = parse_url(conf, node, HR_URL_MYSQLS, &url);
    if (r < 0)
        return r;
    if (!url.database)
        return refuse_url(conf, node, "names no database (mysql://host:port/database)");
    *(const char **)target = node->text;
    return 0;
}

/* The URL may say how the server is verified; the files stand beside it in any case. */
static int check_tls(struct hr_conf *conf, const struct hr_conf_node *map,
                     struct server_conf *server, const struct hr_url *url)
{
    const struct hr_conf_node *tls = hr_conf_get(map, "tls");
    if (!tls) {
        server->tls.verify = url->tls;
        return 0;
    }
    if (url->socket)
        return hr_conf_error_key(conf, tls, "is of no use on a unix socket");
    if (server->tls.key && !server->tls.cert)
        return hr_conf_error_key(conf, hr_conf_get(tls, "key"), "is of no use without cert");
    if (hr_conf_get(tls, "verify") && url->tls != HR_TLS_OFF)
        return hr_conf_error_key(conf, hr_conf_get(tls, "verify"), "is given in the URL as well");
    if (server->tls.verify == HR_TLS_NONE && server->tls.ca)
        return hr_conf_error_key(conf, hr_conf_get(tls, "ca"), "is of no use with verify: none");
    if (server->tls.verify == HR_TLS_OFF)
        server->tls.verify = url->tls != HR_TLS_OFF ? url->tls : HR_TLS_FULL;
    return 0;
}

/* A user or password in the URL and beside it: one of them would silently lose. */
static int check_server(struct hr_conf *conf, const struct hr_conf_node *map, void *object)
{
    struct server_conf *server = object;
    hr_auto(hr_url_done) struct hr_url url = {0};
    if (!server->url || hr_url_parse(server->url, &url, NULL, NULL) < 0)
        return 0;
    int r = 0;
    if (url.user && server->user)
        r = hr_conf_error_key(conf, hr_conf_get(map, "user"), "is given in the URL as well");
    if (url.password && server->password)
        r = hr_conf_error_key(conf, hr_conf_get(map, "password"), "is given in the URL as well");
    int tls = check_tls(conf, map, server, &url);
    return tls < 0 ? tls : r;
}

static const struct hr_conf_choice verifications[] = {
    {"full", HR_TLS_FULL},
    {"ca",   HR_TLS_CA  },
    {"none", HR_TLS_NONE},
    {NULL,   0          },
};

static const struct hr_conf_field tls_fields[] = {
    HR_CONF_CHOICE(struct server_conf, "verify", tls.verify, NULL, verifications,
                   "What of the server's certificate: signed by a trusted authority for this host "
                   "(full), signed by one (ca), or nothing (none). full when the group is given."),
    HR_CONF_STR(struct server_conf, "ca", tls.ca, NULL,
                "File of the trusted authorities (PEM); without it the system's."),
    HR_CONF_STR(struct server_conf, "cert", tls.cert, NULL, "File of the daemon's certificate."),
    HR_CONF_STR(struct server_conf, "key", tls.key, NULL,
                "File of its private key, when it does not stand in cert."),
    HR_CONF_END,
};
static const struct hr_conf_section tls_section = {.fields = tls_fields};

static const struct hr_conf_field redis_timeouts[] = {
    HR_CONF_SPAN(struct server_conf, "connect", connect_timeout, "3s", "10ms", "5m",
                 "How long a connection may take to open."),
    HR_CONF_SPAN(struct server_conf, "command", command_timeout, "5s", "10ms", "1h",
                 "How long a reply may take."),
    HR_CONF_END,
};

static const struct hr_conf_field mysql_timeouts[] = {
    HR_CONF_SPAN(struct server_conf, "connect", connect_timeout, "3s", "10ms", "5m",
                 "How long a connection may take to open."),
    HR_CONF_SPAN(struct server_conf, "query", command_timeout, "30s", "10ms", "1d",
                 "How long a statement may take."),
    HR_CONF_END,
};

static const struct hr_conf_section redis_timeouts_section = {.fields = redis_timeouts};
static const struct hr_conf_section mysql_timeouts_section = {.fields = mysql_timeouts};

static const struct hr_conf_field redis_fields[] = {
    {.key = "url",
     .type = HR_CONF_TYPE_HOOK,
     .required = true,
     .offset = HR_CONF_AT(struct server_conf, url, const char *),
     .hook = read_redis_url,
     .doc = "redis://user@host:port/db, rediss:// with TLS, unix:///path/to/socket?db=0, or "
            "redis+sentinel://user@sentinel:port,sentinel:port/master/db."},
    HR_CONF_STR(struct server_conf, "user", user, NULL,
                "ACL user, when it does not stand in the URL."),
    HR_CONF_SECRET(struct server_conf, "password", password,
                   "Password; best given as ${cred:NAME}."),
    HR_CONF_INT(struct server_conf, "connections", connections, "4", "1", "1024",
                "Connections kept at most."),
    HR_CONF_GROUP("tls", &tls_section, "TLS on TCP; rediss:// in the URL asks for it as well."),
    HR_CONF_GROUP("timeouts", &redis_timeouts_section, "Limits of waiting for the server."),
    HR_CONF_END,
};

static const struct hr_conf_field mysql_fields[] = {
    {.key = "url",
     .type = HR_CONF_TYPE_HOOK,
     .required = true,
     .offset = HR_CONF_AT(struct server_conf, url, const char *),
     .hook = read_mysql_url,
     .doc = "mysql://user@host:port/database or mysql://user@/database?socket=/path/to/socket. "
            "Of several hosts (host:port,host:port) the first is used that takes writes."},
    HR_CONF_STR(struct server_conf, "user", user, NULL, "User, when it does not stand in the URL."),
    HR_CONF_SECRET(struct server_conf, "password", password,
                   "Password; best given as ${cred:NAME}."),
    HR_CONF_INT(struct server_conf, "connections", connections, "4", "1", "1024",
                "Connections kept at most."),
    HR_CONF_GROUP("tls", &tls_section, "TLS on TCP; ?tls=full in the URL asks for it as well."),
    HR_CONF_GROUP("timeouts", &mysql_timeouts_section, "Limits of waiting for the server."),
    HR_CONF_END,
};

static const struct hr_conf_section redis_section = {
    .fields = redis_fields,
    .check = check_server,
};

static const struct hr_conf_section mysql_section = {
    .fields = mysql_fields,
    .check = check_server,
};

static const struct hr_conf_field server_kinds[] = {
    HR_CONF_KIND_OF(struct server_conf, "redis", kind, SERVER_REDIS, &redis_section,
                    "A Redis server (7.0 or newer)."),
    HR_CONF_KIND_OF(struct server_conf, "mysql", kind, SERVER_MYSQL, &mysql_section,
                    "A MySQL or MariaDB server."),
    HR_CONF_END,
};

const struct hr_conf_section server_section = {
    .fields = server_kinds,
    .one_of = true,
    .size = sizeof(struct server_conf),
    .name_offset = offsetof(struct server_conf, name),
};

static const char *kind_name(enum server_kind kind)
{
    return kind == SERVER_REDIS ? "redis" : "mysql";
}

/* The names of the servers of a kind: "queue, archive". How many there are. */
static size_t list_servers(const struct settings *s, enum server_kind kind, char *buf, size_t size)
{
    size_t n = 0, len = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < s->n_servers; i++) {
        if (s->servers[i].kind != kind)
            continue;
        if (len < size)
            len +=
                (size_t)snprintf(buf + len, size - len, "%s%s", n ? ", " : "", s->servers[i].name);
        n++;
    }
    return n;
}

static int report_unknown_server(struct hr_conf *conf, const struct hr_conf_node *node,
                                 enum server_kind kind)
{
    const struct settings *s = ((const struct loading *)conf->user)->settings;
    char quoted[HR_CONF_QUOTE_SIZE], names[200];
    hr_conf_quote(node, quoted, sizeof(quoted));
    const char *meant = node->substituted ? NULL
                                          : hr_conf_suggest(node->text, s->servers, s->n_servers,
                                                            sizeof(*s->servers));
    if (meant)
        return hr_conf_error(conf, node, "no server is called %s (did you mean %s?)", quoted,
                             meant);
    if (list_servers(s, kind, names, sizeof(names)) == 0)
        return hr_conf_error(conf, node,
                             "no server is called %s (servers in headrace.yaml names no %s server)",
                             quoted, kind_name(kind));
    return hr_conf_error(conf, node, "no server is called %s (%s servers in headrace.yaml: %s)",
                         quoted, kind_name(kind), names);
}

static int read_server(struct hr_conf *conf, const struct hr_conf_node *node, void *target,
                       enum server_kind kind)
{
    const struct loading *loading = conf->user;
    const struct settings *s = loading->settings;
    if (node->kind != HR_CONF_SCALAR || !node->text[0])
        return hr_conf_error(conf, node, "has to be the name of a server");
    if (!loading->servers_known)
        return 0;
    for (size_t i = 0; i < s->n_servers; i++) {
        if (strcmp(s->servers[i].name, node->text) != 0)
            continue;
        if (!s->servers[i].url)
            return -EINVAL; /* has a mistake of its own, which is reported */
        if (s->servers[i].kind != kind)
            return hr_conf_error(conf, node, "%s is a %s server, a %s server is needed here",
                                 s->servers[i].name, kind_name(s->servers[i].kind),
                                 kind_name(kind));
        *(const struct server_conf **)target = &s->servers[i];
        return 0;
    }
    return report_unknown_server(conf, node, kind);
}

int read_redis_server(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    return read_server(conf, node, target, SERVER_REDIS);
}

int read_mysql_server(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    return read_server(conf, node, target, SERVER_MYSQL);
}
