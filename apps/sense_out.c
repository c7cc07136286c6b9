/* airdeed sense: files that it writes get their name when they are whole. */
#include "apps/options.h"
#include "apps/sense.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void app_sense_hold_signals(sigset_t *before_out)
{
    static const int signals[] = {SIGINT, SIGTERM};
    sigset_t stop;
    sigemptyset(&stop);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction action;
        /* one that is ignored would be kept waiting, too */
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&stop, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &stop, before_out);
}

bool app_sense_interrupted(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 && (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1);
}

int app_sense_out_open(struct app_sense_out *o, const char *path)
{
    sigprocmask(SIG_BLOCK, NULL, &o->signals_before);
    o->path = path;
    o->file = stdout;
    o->partial[0] = '\0';
    if (!path)
        return 0;
    struct stat st;
    bool special = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
    if (!special && snprintf(o->partial, sizeof o->partial, "%s.partial", path) >= (int)sizeof o->partial) {
        fprintf(stderr, "airdeed sense: %.60s...: the name is too long\n", path);
        return APP_BAD_USAGE;
    }
    const char *name = special ? path : o->partial;
    if (!special)
        app_sense_hold_signals(&o->signals_before);
    o->file = fopen(name, "wb");
    if (o->file)
        return 0;
    int err = errno;
    fprintf(stderr, "airdeed sense: %s: cannot create: %s\n", path, strerror(err));
    sigprocmask(SIG_SETMASK, &o->signals_before, NULL);
    return err == ENOMEM || err == EIO || err == ENOSPC ? APP_SYSTEM_FAILED : APP_BAD_USAGE;
}

int app_sense_out_close(struct app_sense_out *o, int code)
{
    const char *name = o->path ? o->path : "standard output";
    errno = 0;
    bool bad = fflush(o->file) != 0 || ferror(o->file);
    int err = errno;
    if (o->file != stdout)
        bad |= fclose(o->file) != 0;
    if (!bad && !code && *o->partial)
        bad = rename(o->partial, o->path) != 0;
    err = err ? err : errno;
    if (*o->partial && (bad || code))
        unlink(o->partial);
    if (bad && !code) {
        fprintf(stderr, "airdeed sense: %s: cannot write: %s\n", name, strerror(err ? err : EIO));
        code = APP_SYSTEM_FAILED;
    }
    sigprocmask(SIG_SETMASK, &o->signals_before, NULL);
    return code;
}
