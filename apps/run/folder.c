/* A run folder is built beside its place and renamed at the end: it is whole or it is not there. Nothing is ever removed but a folder
 * whose every entry is a file that a run writes. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/run/run.h"

enum { MAX_PATH = 1024, MAX_FOREIGN = 100, MAX_FOLDER = 480 };

static const char *const run_files[] = {"summary.json",        "events.jsonl",        "air.pcapng",           "report.html",
                                        "ledger-[a-z0-9]*.db", "ledger-[a-z0-9]*.db-wal", "ledger-[a-z0-9]*.db-shm",
                                        "ledger-[a-z0-9]*.db-journal", "ledger-[a-z0-9]*.db.lock", NULL};
static const char *const iq_files[] = {"*-*.sigmf-data", "*-*.sigmf-meta", "*-*.frames.jsonl", "*-*.sigmf-data.partial", "*-*.sigmf-meta.partial",
                                       NULL};

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_among(const char *name, const char *const *patterns)
{
    for (; *patterns; patterns++)
        if (fnmatch(*patterns, name, FNM_PERIOD) == 0)
            return true;
    return false;
}

struct contents {
    size_t n_entries;
    bool has_summary;
    char foreign[MAX_FOREIGN]; /* the first in alphabetical order that no run writes, "" if there is none */
};

static void note_foreign(struct contents *c, const char *prefix, const char *name)
{
    char path[MAX_FOREIGN];
    snprintf(path, sizeof path, "%s%.80s", prefix, name);
    if (c->foreign[0] == 0 || strcmp(path, c->foreign) < 0)
        memcpy(c->foreign, path, sizeof path);
}

static int look_at(const char *folder, bool is_iq, struct contents *c)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
        char path[MAX_PATH];
        struct stat st;
        if (is_dot(entry->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        c->n_entries++;
        if (lstat(path, &st) != 0)
            rc = -errno;
        else if (S_ISDIR(st.st_mode) && !is_iq && strcmp(entry->d_name, "iq") == 0)
            rc = look_at(path, true, c);
        else if (!S_ISREG(st.st_mode) || !is_among(entry->d_name, is_iq ? iq_files : run_files))
            note_foreign(c, is_iq ? "iq/" : "", entry->d_name);
        c->has_summary = c->has_summary || (!is_iq && strcmp(entry->d_name, "summary.json") == 0);
    }
    closedir(dir);
    return rc;
}

/* Of a folder that was looked at. */
static int remove_run(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
        char path[MAX_PATH];
        struct stat st;
        if (is_dot(entry->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            rc = remove_run(path);
        else if (unlink(path) != 0)
            rc = -errno;
    }
    closedir(dir);
    return rc == 0 && rmdir(folder) != 0 ? -errno : rc;
}

static int refuse(char *error_out, const char *folder, const char *why)
{
    snprintf(error_out, WORLD_MAX_ERROR, "--out: %.200s %.180s", folder, why);
    return -EINVAL;
}

/* A summary.json that a run wrote holds the digest of its air. */
static bool has_own_summary(const char *folder)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/summary.json", folder);
    json_t *summary = json_load_file(path, 0, NULL);
    bool own = json_is_string(json_object_get(summary, "air_sha256"));
    json_decref(summary);
    return own;
}

/* May what stands at `folder` be replaced by a run? whole: a folder without summary.json is no run. */
static int check_replaceable(const char *folder, bool whole, char *error_out)
{
    struct stat st;
    struct contents c = {0};
    char why[MAX_FOREIGN + 80];
    if (lstat(folder, &st) != 0)
        return errno == ENOENT ? 0 : refuse(error_out, folder, strerror(errno));
    if (S_ISLNK(st.st_mode))
        return refuse(error_out, folder, "is a symbolic link: name the folder itself");
    if (!S_ISDIR(st.st_mode))
        return refuse(error_out, folder, "is there already and is no folder: choose another");
    int rc = look_at(folder, false, &c);
    if (rc != 0)
        return refuse(error_out, folder, strerror(-rc));
    if (c.foreign[0]) {
        snprintf(why, sizeof why, "holds %s, which no run wrote: choose another", c.foreign);
        return refuse(error_out, folder, why);
    }
    if (whole && c.n_entries > 0 && !c.has_summary)
        return refuse(error_out, folder, "is no earlier run, it has no summary.json: choose another");
    if (whole && c.has_summary && !has_own_summary(folder))
        return refuse(error_out, folder, "is no earlier run, its summary.json is none of a run: choose another");
    return 0;
}

static int check_name(char *folder, size_t cap, char *error_out)
{
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/')
        folder[--len] = 0;
    if (len == 0 || len > MAX_FOLDER || len + sizeof ".partial" > cap)
        return refuse(error_out, "the name", "is too long or empty");
    const char *slash = strrchr(folder, '/'), *last = slash ? slash + 1 : folder;
    if (*last == 0 || is_dot(last))
        return refuse(error_out, folder, "cannot be replaced by a run: name a new folder");
    return 0;
}

int app_folder_prepare(char *folder, char *partial_out, size_t cap, char *error_out)
{
    int rc = check_name(folder, cap, error_out);
    if (rc != 0)
        return rc;
    snprintf(partial_out, cap, "%s.partial", folder);
    rc = check_replaceable(folder, true, error_out);
    if (rc == 0)
        rc = check_replaceable(partial_out, false, error_out);
    if (rc != 0)
        return rc;
    rc = exists(partial_out) ? remove_run(partial_out) : 0;
    if (rc == 0 && mkdir(partial_out, 0777) != 0)
        rc = -errno;
    if (rc != 0)
        snprintf(error_out, WORLD_MAX_ERROR, "%.300s: %s", partial_out, strerror(-rc));
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ENAMETOOLONG ? -EINVAL : rc;
}

int app_folder_publish(const char *partial, const char *folder, char *error_out)
{
    char why[WORLD_MAX_ERROR] = "";
    int rc = check_replaceable(folder, true, why);
    if (rc == 0) {
        rc = exists(folder) ? remove_run(folder) : 0;
        if (rc == 0 && rename(partial, folder) != 0)
            rc = -errno;
        if (rc != 0)
            snprintf(why, sizeof why, "%.150s: %s", folder, strerror(-rc));
    }
    if (rc != 0)
        snprintf(error_out, WORLD_MAX_ERROR, "%.240s; the run is in %.140s", why, partial);
    return rc;
}

void app_folder_discard(const char *partial)
{
    char why[WORLD_MAX_ERROR];
    /* what is left if this fails is no run and is taken for none */
    if (exists(partial) && check_replaceable(partial, false, why) == 0)
        (void)remove_run(partial);
}
