/* airdeed keygen: a key pair for a node or a client. */
#include "apps/keyfile.h"
#include "apps/options.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>

static int run_keygen(int argc, char **argv)
{
    const char *dir = ".";
    bool force = false;
    const struct app_option options[] = {
        {"out", APP_TEXT, &dir, "DIR", "folder for NAME.key and NAME.pub; default: this one", 0, 0, NULL},
        {"force", APP_FLAG, &force, NULL, "overwrites existing files; the old key is lost", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, exit_code;
    if (app_options_parse(argc, argv, options, "keygen NAME [options]",
                          "Makes the keys of a ledger node or client: NAME.key (secret, mode 0600) and NAME.pub, whose line goes into\n"
                          "the cluster file. NAME: a-z, 0-9 and -, at most 31. Prints that line.",
                          &n_positional, &exit_code))
        return exit_code;
    if (n_positional != 1) {
        fprintf(stderr, "airdeed keygen: one NAME is needed; 'airdeed keygen --help' says more\n");
        return APP_BAD_USAGE;
    }
    if (!app_keyfile_name_ok(argv[1])) {
        fprintf(stderr, "airdeed keygen: '%s' is no name: a-z, 0-9 and -, at most 31\n", argv[1]);
        return APP_BAD_USAGE;
    }
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is reported as a full disk is */
    struct app_keyfile key;
    char error[APP_KEYFILE_MAX_ERROR], line[APP_KEYFILE_LINE];
    app_keyfile_make(argv[1], &key);
    int err = app_keyfile_write(&key, dir, force, error);
    app_keyfile_line(&key, line);
    sodium_memzero(&key, sizeof key);
    if (err) {
        fprintf(stderr, "airdeed keygen: %s\n", error);
        return err == -EEXIST || err == -ENOENT || err == -ENOTDIR || err == -ENAMETOOLONG ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    }
    printf("%s\n", line);
    return APP_OK;
}

const struct app_command app_command_keygen = {"keygen", "makes the keys of a ledger node or client", run_keygen};
