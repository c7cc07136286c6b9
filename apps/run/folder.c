/* A run folder is built beside its place and renamed at the end: it is whole or it is not there. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/run/run.h"

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static int remove_flat(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    char path[1024];
    int rc = 0;
    for (struct dirent *entry; (entry = readdir(dir)) && rc == 0;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && strcmp(entry->d_name, "iq") == 0)
            rc = remove_flat(path);
        else if (unlink(path) != 0)
            rc = -errno;
    }
    closedir(dir);
    return rc == 0 && rmdir(folder) != 0 ? -errno : rc;
}

static bool is_run(const char *folder)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/summary.json", folder);
    return exists(path);
}

static bool is_empty(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return false;
    size_t n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n <= 2;
}

int app_folder_prepare(const char *folder, char *partial_out, size_t cap, char *error_out)
{
    if (strlen(folder) + sizeof ".partial" > cap || folder[0] == 0) {
        snprintf(error_out, WORLD_MAX_ERROR, "--out: the name is too long or empty");
        return -EINVAL;
    }
    if (exists(folder) && !is_run(folder) && !is_empty(folder)) {
        snprintf(error_out, WORLD_MAX_ERROR, "%.300s: exists and is no earlier run: choose another --out", folder);
        return -EINVAL;
    }
    snprintf(partial_out, cap, "%s.partial", folder);
    int rc = exists(partial_out) ? remove_flat(partial_out) : 0;
    if (rc == 0 && mkdir(partial_out, 0777) != 0)
        rc = -errno;
    if (rc != 0)
        snprintf(error_out, WORLD_MAX_ERROR, "%.300s: %s", partial_out, strerror(-rc));
    return rc;
}

int app_folder_publish(const char *partial, const char *folder, char *error_out)
{
    int rc = exists(folder) ? remove_flat(folder) : 0;
    if (rc == 0 && rename(partial, folder) != 0)
        rc = -errno;
    if (rc != 0)
        snprintf(error_out, WORLD_MAX_ERROR, "%.300s: %s; the run is in %.60s", folder, strerror(-rc), partial);
    return rc;
}
