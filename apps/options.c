/* Command-line options from a table. */
#include "apps/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HELP_COLUMN = 28 };

struct parse {
    const struct app_option *options;
    const char *command;
};

static void print_help(const struct app_option *options, const char *usage, const char *about)
{
    printf("usage: airdeed %s\n", usage);
    if (about && *about)
        printf("\n%s\n", about);
    printf("\noptions:\n");
    for (const struct app_option *o = options; *o->name; o++) {
        int column = printf("  --%s%s%s", o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
        if (column >= HELP_COLUMN)
            column = printf("\n") - 1;
        printf("%*s%s\n", HELP_COLUMN - column, "", o->help ? o->help : "");
    }
    printf("  --%-*s%s\n", HELP_COLUMN - 4, "help", "prints this and exits");
}

static const struct app_option *find_option(const struct app_option *options, const char *name, size_t len)
{
    for (; *options->name; options++)
        if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
            return options;
    return NULL;
}

static int refuse(const struct parse *p, const struct app_option *o, const char *value, const char *why)
{
    fprintf(stderr, "airdeed %s: option '--%s': '%s' %s\n", p->command, o->name, value, why);
    return -EINVAL;
}

/* What the help calls a value, where that is a unit, as a sentence writes it. */
static const char *find_unit(const struct app_option *o)
{
    static const struct {
        const char *metavar, *unit;
    } units[] = {{"DB", " dB"}, {"DBFS", " dBFS"}, {"HZ", " Hz"}, {"MBPS", " Mb/s"}, {"PPM", " ppm"}, {"SAMPLES", " samples"},
                 {"BINS", " bins"}, {"OCTETS", " octets"}, {"FRAMES", " frames"}, {"S", " s"}};
    for (size_t i = 0; o->metavar && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(o->metavar, units[i].metavar) == 0)
            return units[i].unit;
    return "";
}

static int check_range(const struct parse *p, const struct app_option *o, const char *text, double value)
{
    if ((o->min == 0 && o->max == 0) || (value >= o->min && value <= o->max))
        return 0;
    char low[APP_QUANTITY_TEXT], high[APP_QUANTITY_TEXT];
    app_format_quantity(o->kind, o->min, low, sizeof low);
    app_format_quantity(o->kind, o->max, high, sizeof high);
    fprintf(stderr, "airdeed %s: option '--%s': '%s' is out of range, it must be from %s to %s%s\n", p->command, o->name, text,
            low, high, find_unit(o)); /* durations carry their unit */
    return -ERANGE;
}

static int set_number(const struct parse *p, const struct app_option *o, const char *text)
{
    static const char *const wanted[] = {
        [APP_U64] = "is not a whole number",
        [APP_REAL] = "is not a number",
        [APP_FREQ_HZ] = "is not a frequency such as 5.2G, 5200M or plain Hz",
        [APP_DURATION_NS] = "is not a duration such as 10s, 600ms or 13us",
    };
    uint64_t u64 = 0;
    int64_t ns = 0;
    double real = 0;
    int err = -EINVAL;
    switch (o->kind) {
    case APP_U64: err = app_parse_u64(text, &u64); real = (double)u64; break;
    case APP_REAL: err = app_parse_real(text, &real); break;
    case APP_FREQ_HZ: err = app_parse_freq(text, &real); break;
    case APP_DURATION_NS: err = app_parse_duration(text, &ns); real = (double)ns; break;
    case APP_FLAG:
    case APP_TEXT: break;
    }
    if (err)
        return refuse(p, o, text, err == -ERANGE ? "is larger than any value allowed" : wanted[o->kind]);
    if (check_range(p, o, text, real))
        return -ERANGE;
    if (o->kind == APP_U64)
        *(uint64_t *)o->value = u64;
    else if (o->kind == APP_DURATION_NS)
        *(int64_t *)o->value = ns;
    else
        *(double *)o->value = real;
    return 0;
}

static int set_value(const struct parse *p, const struct app_option *o, const char *text)
{
    if (o->kind == APP_FLAG) {
        *(bool *)o->value = true;
        return 0;
    }
    if (o->kind != APP_TEXT)
        return set_number(p, o, text);
    *(const char **)o->value = text;
    return 0;
}

/* One option at argv[i]; *n_used_out: how many arguments it took */
static int take_option(const struct parse *p, int argc, char **argv, int i, int *n_used_out)
{
    const char *name = argv[i] + (argv[i][1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");
    const char *inline_value = name[len] == '=' ? name + len + 1 : NULL;
    const struct app_option *o = argv[i][1] == '-' ? find_option(p->options, name, len) : NULL;
    if (!o) {
        fprintf(stderr, "airdeed %s: unknown option '%.*s'; 'airdeed %s --help' lists them\n", p->command,
                (int)(len + (size_t)(name - argv[i])), argv[i], p->command);
        return -EINVAL;
    }
    const char *value = inline_value;
    *n_used_out = 1;
    if (o->kind == APP_FLAG && inline_value) {
        fprintf(stderr, "airdeed %s: option '--%s' takes no value\n", p->command, o->name);
        return -EINVAL;
    }
    if (o->kind != APP_FLAG && !inline_value) {
        /* a forgotten value must not swallow the option after it */
        if (i + 1 >= argc || strncmp(argv[i + 1], "--", 2) == 0) {
            fprintf(stderr, "airdeed %s: option '--%s' needs a value%s%s\n", p->command, o->name, o->metavar ? ": " : "",
                    o->metavar ? o->metavar : "");
            return -EINVAL;
        }
        value = argv[i + 1];
        *n_used_out = 2;
    }
    if (set_value(p, o, value))
        return -EINVAL;
    if (o->given)
        *o->given = true;
    return 0;
}

int app_options_parse(int argc, char **argv, const struct app_option *options, const char *usage, const char *about,
                      int *n_positional_out, int *exit_out)
{
    struct parse p = {options, argv[0]};
    int n_positional = 0;
    bool only_positional = false;
    for (int i = 1; i < argc;) {
        if (only_positional || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[1 + n_positional++] = argv[i++];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            only_positional = true;
            i++;
            continue;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(options, usage, about);
            *exit_out = APP_OK;
            return 1;
        }
        int n_used;
        if (take_option(&p, argc, argv, i, &n_used)) {
            *exit_out = APP_BAD_USAGE;
            return 1;
        }
        i += n_used;
    }
    *n_positional_out = n_positional;
    return 0;
}
