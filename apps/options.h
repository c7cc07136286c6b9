/* Command-line options from a table: one place for parsing, ranges, units and --help. */
#ifndef APPS_OPTIONS_H
#define APPS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum app_option_kind { APP_FLAG, APP_TEXT, APP_U64, APP_REAL, APP_FREQ_HZ /* double */, APP_DURATION_NS /* int64_t */ };

struct app_option {
    const char *name;   /* without --; a name of "" ends the table */
    enum app_option_kind kind;
    void *value;        /* bool, const char *, uint64_t, double, double, int64_t */
    const char *metavar; /* "FILE", "HZ"; NULL for flags */
    const char *help;   /* one line, default included */
    double min, max;    /* numbers: refused outside; both 0: no bound */
    bool *given;        /* or NULL */
};

enum { APP_OK = 0, APP_EXPECTATION_FAILED = 1, APP_BAD_USAGE = 2, APP_SYSTEM_FAILED = 3 };

struct app_command {
    const char *name;    /* "run" */
    const char *summary; /* one line for the list */
    int (*main)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
};

/* usage: what follows "airdeed " in the usage line ("run [SCENARIO] [options]"); argv[0]: the command's name in messages.
 * A later option of the same name wins; "--" ends the options; a value that starts with -- is written --name=--value.
 * Parses --name value, --name=value, --help (prints usage and returns 1 with *exit_out 0). Positional arguments are moved to the front:
 * *n_positional_out of them in argv[1..]. Returns 0 to go on; 1 to leave with *exit_out (one line on stderr was printed for errors). */
int app_options_parse(int argc, char **argv, const struct app_option *options, const char *usage, const char *about,
                      int *n_positional_out, int *exit_out);
/* "5.2G", "5200M", "20k", "7e6", plain Hz; an appended "Hz" is read over. 0 or -EINVAL. */
int app_parse_freq(const char *text, double *hz_out);
/* "10s", "600ms", "13us", "4ns", "2m", "1h"; a bare number is refused. 0, -EINVAL, -ERANGE. */
int app_parse_duration(const char *text, int64_t *ns_out);
/* Decimal or 0x hexadecimal digits; a finite decimal number. 0, -EINVAL, -ERANGE. */
int app_parse_u64(const char *text, uint64_t *value_out);
int app_parse_real(const char *text, double *value_out);

enum { APP_QUANTITY_TEXT = 40 };
/* One value or bound in the words that the parser of its kind reads: "5.2G", "600ms", "17". cap APP_QUANTITY_TEXT suffices. */
void app_format_quantity(enum app_option_kind kind, double value, char *out, size_t cap);

extern const struct app_command app_command_run, app_command_sense, app_command_replay, app_command_keygen, app_command_node,
    app_command_ledger, app_command_validate, app_command_modulate, app_command_probe, app_command_latency_probe, app_command_record,
    app_command_air, app_command_calibrate, app_command_station;
#endif
