/* File names, whole small files in and out, and the wording of refusals. */
#include "phy/radio/sigmf_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int phy_sigmf_fail(char *error_out, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error_out, PHY_SIGMF_MAX_ERROR, format, args);
    va_end(args);
    /* names and values come from outside: keep the message one line and harmless to a terminal */
    for (char *p = error_out; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return err;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len > end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

int phy_sigmf_paths(const char *path, char meta_out[SIGMF_MAX_PATH], char data_out[SIGMF_MAX_PATH], char *error_out)
{
    size_t len = strlen(path);
    if (len == 0)
        return phy_sigmf_fail(error_out, -EINVAL, "the name of the recording is empty");
    if (ends_with(path, len, ".sigmf"))
        return phy_sigmf_fail(error_out, -EINVAL,
                              "%s: is a SigMF archive; unpack it (tar -xf) and name the .sigmf-meta file in it", path);
    if (ends_with(path, len, ".sigmf-collection"))
        return phy_sigmf_fail(error_out, -EINVAL, "%s: is a SigMF collection; name one of its .sigmf-meta files", path);
    if (ends_with(path, len, ".sigmf-meta") || ends_with(path, len, ".sigmf-data"))
        len -= strlen(".sigmf-meta");
    if (len + sizeof ".sigmf-meta.partial" > SIGMF_MAX_PATH)
        return phy_sigmf_fail(error_out, -ENAMETOOLONG, "%.60s...: the name is too long", path);
    snprintf(meta_out, SIGMF_MAX_PATH, "%.*s.sigmf-meta", (int)len, path);
    snprintf(data_out, SIGMF_MAX_PATH, "%.*s.sigmf-data", (int)len, path);
    return 0;
}

static int read_all(FILE *file, const char *path, char **octets_out, size_t *len_out, char *error_out)
{
    size_t cap = 1 << 16, len = 0;
    char *octets = NULL;
    for (;;) {
        char *more = realloc(octets, cap);
        if (!more) {
            free(octets);
            return phy_sigmf_fail(error_out, -ENOMEM, "%s: no memory for %zu octets", path, cap);
        }
        octets = more;
        len += fread(octets + len, 1, cap - len, file);
        if (len < cap)
            break;
        if (cap >= PHY_SIGMF_MAX_META_BYTES) {
            free(octets);
            return phy_sigmf_fail(error_out, -EINVAL, "%s: is larger than %d MiB, this is no metadata file", path,
                                  PHY_SIGMF_MAX_META_BYTES >> 20);
        }
        cap *= 2;
    }
    if (ferror(file)) {
        free(octets);
        return phy_sigmf_fail(error_out, -EIO, "%s: cannot read: %s", path, strerror(errno));
    }
    *octets_out = octets;
    *len_out = len;
    return 0;
}

int phy_sigmf_slurp(const char *path, char **octets_out, size_t *len_out, char *error_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    FILE *file = fd >= 0 && fstat(fd, &st) == 0 ? fdopen(fd, "rb") : NULL;
    if (!file) {
        int err = -errno;
        if (fd >= 0)
            close(fd);
        return phy_sigmf_fail(error_out, err, "%s: cannot open: %s", path, strerror(-err));
    }
    if (!S_ISREG(st.st_mode)) {
        fclose(file);
        return phy_sigmf_fail(error_out, -EINVAL, "%s: is no regular file", path);
    }
    int err = read_all(file, path, octets_out, len_out, error_out);
    fclose(file);
    return err;
}

int phy_sigmf_write_json(const char *path, const json_t *root, char *error_out)
{
    char partial[SIGMF_MAX_PATH + 16];
    struct stat st;
    bool there = lstat(path, &st) == 0;
    if (there && !S_ISREG(st.st_mode))
        return phy_sigmf_fail(error_out, -EINVAL, "%s: is no regular file; it is not replaced", path);
    /* renaming asks the folder alone */
    if (there && !(st.st_mode & S_IWUSR))
        return phy_sigmf_fail(error_out, -EPERM, "%s: is read-only (mode %04o); it is not replaced", path, (unsigned)(st.st_mode & 07777));
    snprintf(partial, sizeof partial, "%s.partial", path);
    FILE *file = fopen(partial, "wb");
    if (!file) {
        int err = -errno;
        return phy_sigmf_fail(error_out, err, "%s: cannot create: %s", path, strerror(-err));
    }
    errno = 0;
    int bad = json_dumpf(root, file, JSON_INDENT(1));
    bad |= fputc('\n', file) == EOF;
    bad |= fflush(file) != 0 || (there && fchmod(fileno(file), st.st_mode & 07777) != 0) || fsync(fileno(file)) != 0;
    int err = bad ? -(errno ? errno : EIO) : 0;
    if (fclose(file) != 0 && !err)
        err = -errno;
    if (!err && rename(partial, path) != 0)
        err = -errno;
    if (!err)
        return 0;
    unlink(partial);
    return phy_sigmf_fail(error_out, err, "%s: cannot write: %s", path, strerror(-err));
}

static int set_edge(json_t *object, const char *key, double hz)
{
    return isfinite(hz) ? json_object_set_new(object, key, json_real(hz)) : 0;
}

json_t *phy_sigmf_annotation_json(const struct phy_sigmf_annotation *a, const char *generator)
{
    json_t *object = json_pack("{s:I, s:I}", "core:sample_start", (json_int_t)a->sample_start, "core:sample_count",
                               (json_int_t)a->sample_count);
    if (!object)
        return NULL;
    int bad = 0;
    /* the specification wants both edges or none */
    if (isfinite(a->low_hz) && isfinite(a->high_hz)) {
        bad |= set_edge(object, "core:freq_lower_edge", a->low_hz);
        bad |= set_edge(object, "core:freq_upper_edge", a->high_hz);
    }
    if (a->label)
        bad |= json_object_set_new(object, "core:label", json_stringn(a->label, strnlen(a->label, PHY_SIGMF_MAX_LABEL)));
    if (a->comment)
        bad |= json_object_set_new(object, "core:comment", json_string(a->comment));
    if (generator)
        bad |= json_object_set_new(object, "core:generator", json_string(generator));
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}
