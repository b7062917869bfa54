/* SPDX-License-Identifier: MIT */
/*
 * The command line: options may stand anywhere; a command takes those that mean something to it.
 */
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "config/suggest.h"
#include "daemon/headracectl/ctl.h"
#include "daemon/headracectl/print.h"

enum { SOCKET = 256, CONFIG, CLASS, LIMIT, JSON, ALL, DRY_RUN, ONLINE };

static const struct option known[] = {
    {"socket",  required_argument, NULL, SOCKET },
    {"config",  required_argument, NULL, CONFIG },
    {"class",   required_argument, NULL, CLASS  },
    {"limit",   required_argument, NULL, LIMIT  },
    {"json",    no_argument,       NULL, JSON   },
    {"all",     no_argument,       NULL, ALL    },
    {"dry-run", no_argument,       NULL, DRY_RUN},
    {"online",  no_argument,       NULL, ONLINE },
    {"version", no_argument,       NULL, 'V'    },
    {"help",    no_argument,       NULL, 'h'    },
    {NULL,      0,                 NULL, 0      },
};

static const struct {
    unsigned takes;
    const char *line;
} option_lines[] = {
    {TAKES_SOCKET, "      --socket PATH      the daemon's admin socket"                        },
    {TAKES_CONFIG, "  -c, --config FILE|DIR  configuration; default /etc/headrace"             },
    {TAKES_CHOICE, "      --all              all dead letters"                                 },
    {TAKES_CLASS,  "      --class CLASS      those of an error class: row, decode, expect, ..."},
    {TAKES_LIMIT,  "      --limit N          at most so many"                                  },
    {TAKES_CHOICE, "      --dry-run          only say how many it would be"                    },
    {~0U,          "      --json             print one JSON value"                             },
    {~0U,          "  -V, --version          print the version, exit"                          },
    {~0U,          "  -h, --help             print this, exit; also behind a command"          },
};

/* How a command says that an option is not for it. */
static const struct {
    unsigned takes;
    const char *refusal;
} foreign_options[] = {
    {TAKES_SOCKET, "--socket: it reads files"    },
    {TAKES_CONFIG, "--config: it asks the daemon"},
    {TAKES_CHOICE, "--all or --dry-run"          },
    {TAKES_CLASS,  "--class"                     },
    {TAKES_LIMIT,  "--limit"                     },
    {TAKES_ONLINE, "--online"                    },
};

int ctl_fail(const struct ctl *ctl, int status, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(stderr, "headracectl: %s\n", text);
    if (ctl->json) {
        printf("{\"error\":");
        print_json_string(stdout, text, strlen(text));
        printf(",\"exit\":%d}\n", status);
    }
    return status;
}

static void print_options(unsigned takes)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(option_lines); i++) {
        if (option_lines[i].takes & takes)
            puts(option_lines[i].line);
    }
}

static int print_help(const struct command *command)
{
    if (command) {
        printf("Usage: headracectl %s%s%s [OPTION]...\n\n", command->name,
               command->args[0] ? " " : "", command->args);
        printf("%c%s.\n%s\n", command->does[0] - 'a' + 'A', command->does + 1,
               command->more ? command->more : "");
        print_options(command->takes | 1U << 31);
        return EX_OK;
    }
    puts("Usage: headracectl COMMAND [ARGUMENT]... [OPTION]...\n\n"
         "Asks a running headraced, or reads its configuration.\n");
    for (const struct command *c = commands; c->name; c++)
        printf("  %-10s %-29s %s\n", c->name, c->args, c->does);
    puts("");
    print_options(~0U);
    puts(
        "\nExit status: 0 done, 1 failures found, 64 usage, 65 input data, 69 daemon or server not\n"
        "reachable, 70 internal, 75 try again, 77 not permitted, 78 configuration.\n"
        "See headracectl(1), headrace.yaml(5) and headraced(8).");
    return EX_OK;
}

/* getopt's complaint in our words. */
static int refuse_option(const struct ctl *ctl, int argc, char **argv, int missing)
{
    const char *word = argv[optind - 1];
    if (missing)
        return ctl_fail(ctl, EX_USAGE, "%s needs a value (see headracectl --help)", word);
    if (strncmp(word, "--", 2) != 0)
        return ctl_fail(ctl, EX_USAGE, "unknown option -%c (see headracectl --help)", optopt);
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *meant = hr_conf_suggest(name, known, HR_ARRAY_LEN(known) - 1, sizeof(known[0]));
    if (meant)
        return ctl_fail(ctl, EX_USAGE, "unknown option --%s (did you mean --%s?)", name, meant);
    return ctl_fail(ctl, EX_USAGE, "unknown option --%s (see headracectl --help)", name);
}

/* Finds the command that the first words name, and how many words those are. */
static const struct command *find_command(const struct ctl *ctl, size_t *ret_words)
{
    for (const struct command *c = commands; c->name && ctl->n_args > 0; c++) {
        size_t first = strcspn(c->name, " ");
        bool two = c->name[first] == ' ';
        if (strlen(ctl->args[0]) != first || strncmp(c->name, ctl->args[0], first) != 0 ||
            (two && (ctl->n_args < 2 || strcmp(c->name + first + 1, ctl->args[1]) != 0)))
            continue;
        *ret_words = two ? 2 : 1;
        return c;
    }
    return NULL;
}

static int refuse_command(const struct ctl *ctl)
{
    if (ctl->n_args == 0)
        return ctl_fail(ctl, EX_USAGE, "a command is missing (see headracectl --help)");
    char words[64];
    bool group = strcmp(ctl->args[0], "dead") == 0;
    if (group && ctl->n_args == 1)
        return ctl_fail(ctl, EX_USAGE, "dead what? There are: ls, show, retry, rm");
    snprintf(words, sizeof(words), "%s%s%s", ctl->args[0], group ? " " : "",
             group ? ctl->args[1] : "");
    size_t n = 0;
    while (commands[n].name)
        n++;
    const char *meant = hr_conf_suggest(words, commands, n, sizeof(commands[0]));
    if (meant)
        return ctl_fail(ctl, EX_USAGE, "unknown command: %s (did you mean %s?)", words, meant);
    return ctl_fail(ctl, EX_USAGE, "unknown command: %s (see headracectl --help)", words);
}

static int check_use(const struct ctl *ctl, unsigned used)
{
    const struct command *c = ctl->command;
    if (used & TAKES_ONLINE & c->takes)
        return ctl_fail(ctl, EX_USAGE,
                        "check --online is not in this version: check reads files only");
    for (size_t i = 0; i < HR_ARRAY_LEN(foreign_options); i++) {
        if (used & foreign_options[i].takes & ~c->takes)
            return ctl_fail(ctl, EX_USAGE, "%s does not take %s (see headracectl %s --help)",
                            c->name, foreign_options[i].refusal, c->name);
    }
    if (ctl->n_args >= c->least && ctl->n_args <= c->most)
        return -1;
    const char *what = ctl->n_args < c->least ? "an argument is missing" : "too many arguments";
    return ctl_fail(ctl, EX_USAGE, "%s (usage: headracectl %s%s%s%s)", what, c->name,
                    c->args[0] ? " " : "", c->args,
                    c->takes & TAKES_CONFIG ? " [--config FILE|DIR]" : "");
}

static bool parse_limit(const char *text, uint64_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits])
        return false;
    *ret = strtoull(text, NULL, 10);
    return *ret > 0;
}

int options_parse(struct ctl *ctl, int argc, char **argv)
{
    unsigned used = 0;
    bool help = false, bad_limit = false;
    int c, wrong = 0;
    /* An error before --json is to be told in JSON too. */
    for (int i = 1; i < argc; i++)
        ctl->json |= strcmp(argv[i], "--json") == 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":c:Vh", known, NULL)) != -1) {
        switch (c) {
        case SOCKET:
            ctl->socket = optarg;
            used |= TAKES_SOCKET;
            break;
        case 'c':
        case CONFIG:
            ctl->config = optarg;
            used |= TAKES_CONFIG;
            break;
        case CLASS:
            ctl->class = optarg;
            used |= TAKES_CLASS;
            break;
        case LIMIT:
            bad_limit |= !parse_limit(optarg, &ctl->limit);
            used |= TAKES_LIMIT;
            break;
        case JSON:
            ctl->json = true;
            break;
        case ALL:
            ctl->all = true;
            used |= TAKES_CHOICE;
            break;
        case DRY_RUN:
            ctl->dry_run = true;
            used |= TAKES_CHOICE;
            break;
        case ONLINE:
            used |= TAKES_ONLINE;
            break;
        case 'V':
            puts("headracectl " HEADRACE_VERSION);
            return EX_OK;
        case 'h':
            help = true;
            break;
        default:
            wrong = c;
            break;
        }
        if (wrong)
            return refuse_option(ctl, argc, argv, wrong == ':');
    }
    ctl->args = (const char *const *)argv + optind;
    ctl->n_args = (size_t)(argc - optind);
    size_t words = 0;
    ctl->command = find_command(ctl, &words);
    if (help && (ctl->command || ctl->n_args == 0))
        return print_help(ctl->command);
    if (!ctl->command)
        return refuse_command(ctl);
    ctl->args += words;
    ctl->n_args -= words;
    if (bad_limit)
        return ctl_fail(ctl, EX_USAGE, "--limit has to be a number from 1 on");
    return check_use(ctl, used);
}
