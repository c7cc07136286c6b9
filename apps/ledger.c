/* airdeed ledger and its commands. */
#include "apps/ledger.h"

#include "apps/options.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *full_name, *summary;
    int (*main)(int argc, char **argv);
} subcommands[] = {
    {"submit", "ledger submit", "signs an operation and waits until it is committed", app_ledger_submit},
    {"show", "ledger show", "where a node or a database stands", app_ledger_show},
    {"status", "ledger status", "how a node is, or all of them: term or view, height, lag, peers, errors", app_ledger_status},
    {"get", "ledger get", "a record that a station put on the ledger, as it is now", app_ledger_get},
    {"leases", "ledger leases", "spectrum leases, from a node or a database", app_ledger_leases},
    {"state", "ledger state", "the state's tables, entry by entry: balances, bars, records and all others", app_ledger_state},
    {"verify", "ledger verify", "executes a database again and compares every row", app_ledger_verify},
    {"prove", "ledger prove", "a proof out of a database", app_ledger_prove},
    {"check", "ledger check", "checks a proof, without any chain", app_ledger_check},
};
enum { N_SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static int run_ledger(int argc, char **argv)
{
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (argc < 2 || help) {
        FILE *out = help ? stdout : stderr;
        fprintf(out, "usage: airdeed ledger COMMAND [options]; airdeed ledger COMMAND --help for each\n\n");
        for (size_t i = 0; i < N_SUBCOMMANDS; i++)
            fprintf(out, "  %-8s %s\n", subcommands[i].name, subcommands[i].summary);
        return help ? APP_OK : APP_BAD_USAGE;
    }
    for (size_t i = 0; i < N_SUBCOMMANDS; i++)
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            argv[1] = (char *)subcommands[i].full_name;
            return subcommands[i].main(argc - 1, argv + 1);
        }
    fprintf(stderr, "airdeed ledger: unknown command '%s'; 'airdeed ledger --help' lists them\n", argv[1]);
    return APP_BAD_USAGE;
}

const struct app_command app_command_ledger = {"ledger", "submits to a ledger, shows it, verifies its databases", run_ledger};
