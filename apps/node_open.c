#include "apps/node_open.h"

#include "apps/options.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int app_node_open_signals(int *fd_out)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is reported as a full disk is */
    *fd_out = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd_out < 0 ? -errno : 0;
}

bool app_node_asked_to_stop(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info;
}

int app_node_code_of(int err)
{
    bool is_files = err == -EINVAL || err == -EILSEQ || err == -ENOENT || err == -ENOTDIR || err == -EISDIR || err == -ENAMETOOLONG;
    return is_files ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
}

int app_node_open_store(const struct app_node_config *config, const struct app_node_log *log, struct chain_store **out)
{
    char error[CHAIN_STORE_MAX_ERROR];
    struct chain_store_owner owner = {config->self, config->member};
    int err = chain_store_open(config->database_path, &config->cluster.genesis, &owner, CHAIN_STORE_SYNC_FULL, out, error);
    if (!err) {
        chain_store_keep(*out, config->prune, config->snapshot_every);
        return 0;
    }
    *out = NULL;
    app_node_log(log, "%s", error);
    return app_node_code_of(err);
}
