/* airdeed: one program, subcommands. */
#include "apps/options.h"
#include "phy/radio/uhd.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const struct app_command *const commands[] = {
    &app_command_run,
    &app_command_station,
    &app_command_keygen,
    &app_command_node,
    &app_command_ledger,
    &app_command_sense,
    &app_command_replay,
    &app_command_modulate,
    &app_command_validate,
    &app_command_probe,
    &app_command_latency_probe,
    &app_command_record,
    &app_command_air,
    &app_command_calibrate,
    NULL,
};

static void print_usage(FILE *out)
{
    fprintf(out, "airdeed %s: radios that agree, over the air, on who may use the air\n\n", AIRDEED_VERSION);
    fprintf(out, "usage: airdeed COMMAND [options]; airdeed COMMAND --help for each\n\n");
    for (size_t i = 0; commands[i]; i++)
        fprintf(out, "  %-14s %s\n", commands[i]->name, commands[i]->summary);
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return APP_BAD_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return APP_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        char uhd[64];
        phy_uhd_version(uhd, sizeof uhd);
        printf("airdeed %s (radios: %szmq)\n", AIRDEED_VERSION, *uhd ? "uhd, " : "");
        return APP_OK;
    }
    if (sodium_init() < 0) {
        fprintf(stderr, "airdeed: libsodium cannot start\n");
        return APP_SYSTEM_FAILED;
    }
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->main(argc - 1, argv + 1);
    fprintf(stderr, "airdeed: unknown command '%s'; 'airdeed --help' lists them\n", argv[1]);
    return APP_BAD_USAGE;
}

/* What was printed may still lie in stdio's buffer: only flushing it tells that it arrived. Codes 2 and 3 have their line already. */
static int check_output(int code)
{
    errno = 0;
    bool bad = fflush(stdout) != 0 || ferror(stdout);
    if (!bad || code == APP_BAD_USAGE || code == APP_SYSTEM_FAILED)
        return code;
    fprintf(stderr, "airdeed: standard output: cannot write: %s\n", strerror(errno ? errno : EIO));
    return APP_SYSTEM_FAILED;
}

int main(int argc, char **argv)
{
    return check_output(run_command(argc, argv));
}
