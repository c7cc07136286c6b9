/* One writer a database. flock on a file of its own: closing a second descriptor of the database would drop SQLite's locks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain/store/store_internal.h"

static int name_of(const char *path, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s.lock", path);
    return len > 0 && len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The file we locked may have been removed by its former holder in the meantime. */
static bool is_still_there(int fd, const char *name)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && stat(name, &named) == 0 && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

int store_lock(const char *path, int *fd_out)
{
    char name[PATH_MAX];
    int rc = name_of(path, name);
    for (int attempt = 0; attempt < 10 && rc == 0; attempt++) {
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int error = errno;
            close(fd);
            return error == EWOULDBLOCK ? -EBUSY : -error;
        }
        if (is_still_there(fd, name)) {
            *fd_out = fd;
            return 0;
        }
        close(fd);
    }
    return rc != 0 ? rc : -EBUSY;
}

void store_unlock(const char *path, int fd)
{
    char name[PATH_MAX];
    if (name_of(path, name) == 0)
        unlink(name);
    close(fd);
}
