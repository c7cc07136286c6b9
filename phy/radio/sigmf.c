/* SigMF recordings as a radio: opened, checked, streamed. */
#include "phy/radio/sigmf_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 16 };

struct sigmf_reader {
    struct phy_radio radio; /* first: the port's pointer is the reader's */
    struct phy_sigmf_meta meta;
    int fd;                 /* -1: the data is memory */
    const uint8_t *memory;
    uint64_t next_sample; /* in the file */
    size_t i_capture;     /* that next_sample lies in */
    uint8_t octets[READ_BYTES];
};

static struct sigmf_reader *reader_of(struct phy_radio *r)
{
    return (struct sigmf_reader *)(void *)r;
}

/* Up to len octets at an offset; fewer only where the file has shrunk since it was opened. */
static int read_octets(struct sigmf_reader *s, uint64_t offset, size_t len, const uint8_t **out, size_t *n_out)
{
    if (s->fd < 0) {
        *out = s->memory + offset;
        *n_out = len;
        return 0;
    }
    size_t n = 0;
    while (n < len) {
        ssize_t got = pread(s->fd, s->octets + n, len - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *out = s->octets;
    *n_out = n;
    return 0;
}

/* Samples of the file, at most up to its end. */
static int read_samples(struct sigmf_reader *s, uint64_t file_sample, float complex *out, size_t cap,
                        struct phy_radio_block *counts)
{
    size_t bytes = phy_sigmf_sample_bytes(s->meta.type);
    uint64_t left = file_sample < s->meta.n_samples ? s->meta.n_samples - file_sample : 0;
    if (cap > left)
        cap = (size_t)left;
    while (counts->n < cap) {
        size_t want = cap - counts->n;
        if (want > READ_BYTES / bytes)
            want = READ_BYTES / bytes;
        const uint8_t *octets = NULL;
        size_t n_octets = 0;
        int err = read_octets(s, (file_sample + counts->n) * bytes, want * bytes, &octets, &n_octets);
        if (err)
            return err;
        if (n_octets < want * bytes)
            return -EIO;
        phy_sigmf_decode(s->meta.type, octets, want, out + counts->n, counts);
        if (counts->n_nonfinite)
            return -EIO; /* it was checked when it was opened: somebody writes to the file */
        counts->n += want;
    }
    return 0;
}

static int receive(struct phy_radio *r, float complex *out, size_t cap, int64_t timeout_ns, struct phy_radio_block *block_out)
{
    (void)timeout_ns;
    struct sigmf_reader *s = reader_of(r);
    const struct phy_sigmf_meta *meta = &s->meta;
    *block_out = (struct phy_radio_block){0};
    if (s->i_capture + 1 < meta->n_captures && s->next_sample == meta->captures[s->i_capture + 1].sample_start) {
        const struct phy_sigmf_capture *before = &meta->captures[s->i_capture], *now = before + 1;
        block_out->n_lost = now->global_index - before->global_index - (now->sample_start - before->sample_start);
        s->i_capture++;
    }
    const struct phy_sigmf_capture *capture = &meta->captures[s->i_capture];
    uint64_t end = s->i_capture + 1 < meta->n_captures ? capture[1].sample_start : meta->n_samples;
    if (cap > end - s->next_sample)
        cap = (size_t)(end - s->next_sample);
    r->center_hz = capture->frequency_hz;
    block_out->start_sample = capture->global_index + (s->next_sample - capture->sample_start);
    int err = read_samples(s, s->next_sample, out, cap, block_out);
    if (!err)
        s->next_sample += block_out->n;
    return err;
}

static void close_reader(struct phy_radio *r)
{
    struct sigmf_reader *s = reader_of(r);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

static const struct phy_radio_ops sigmf_ops = {.name = "sigmf", .receive = receive, .transmit = NULL, .close = close_reader};

void phy_sigmf_rewind(struct phy_radio *r)
{
    struct sigmf_reader *s = reader_of(r);
    s->next_sample = 0;
    s->i_capture = 0;
    r->center_hz = s->meta.captures[0].frequency_hz;
}

int phy_sigmf_read_at(struct phy_radio *r, uint64_t file_sample, float complex *out, size_t cap, size_t *n_out)
{
    struct phy_radio_block counts = {0};
    int err = read_samples(reader_of(r), file_sample, out, cap, &counts);
    *n_out = counts.n;
    return err;
}

uint64_t phy_sigmf_file_sample(const struct phy_sigmf_meta *meta, uint64_t global_sample)
{
    size_t i = meta->n_captures;
    while (i > 1 && meta->captures[i - 1].global_index > global_sample)
        i--;
    return meta->captures[i - 1].sample_start + (global_sample - meta->captures[i - 1].global_index);
}

static int refuse_sample(const char *data_name, uint64_t sample, float value, char *error_out)
{
    unsigned long long i = sample;
    if (isfinite(value))
        return phy_sigmf_fail(error_out, -EINVAL, "%s: sample %llu holds %g, which is beyond any full scale", data_name, i, (double)value);
    return phy_sigmf_fail(error_out, -EINVAL, "%s: sample %llu is not finite: it holds %s", data_name, i, isnan(value) ? "NaN" : "infinity");
}

/* Every octet once: the hash, where the metadata gives it, and what no sample may be. Data that was changed is told as such first. */
static int check_octets(struct sigmf_reader *s, const char *data_name, uint64_t n_bytes, const char *wanted, char *error_out)
{
    size_t bytes = phy_sigmf_sample_bytes(s->meta.type);
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    uint64_t bad_sample = s->meta.n_samples;
    float bad_value = 0;
    for (uint64_t at = 0; at < n_bytes;) {
        size_t want = n_bytes - at < READ_BYTES ? (size_t)(n_bytes - at) : READ_BYTES;
        const uint8_t *octets = NULL;
        size_t n = 0;
        int err = read_octets(s, at, want, &octets, &n);
        if (!err && n < want)
            err = -EIO;
        if (err)
            return phy_sigmf_fail(error_out, err, "%s: cannot read: %s", data_name, strerror(-err));
        if (*wanted)
            crypto_hash_sha512_update(&state, octets, n);
        size_t i_bad = bad_sample == s->meta.n_samples ? phy_sigmf_find_bad(s->meta.type, octets, n / bytes, &bad_value) : n / bytes;
        if (i_bad < n / bytes)
            bad_sample = at / bytes + i_bad;
        at += n;
    }
    uint8_t hash[crypto_hash_sha512_BYTES];
    char hex[SIGMF_HASH_HEX];
    crypto_hash_sha512_final(&state, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    if (*wanted && strcmp(hex, wanted) != 0)
        return phy_sigmf_fail(error_out, -EINVAL,
                              "%s: SHA-512 is %.16s..., but the metadata's core:sha512 is %.16s...: the data was changed or cut",
                              data_name, hex, wanted);
    return bad_sample < s->meta.n_samples ? refuse_sample(data_name, bad_sample, bad_value, error_out) : 0;
}

/* The data against the metadata. */
static int check_data(struct sigmf_reader *s, const char *data_name, uint64_t n_bytes, const struct phy_sigmf_parsed *parsed,
                      char *error_out)
{
    struct phy_sigmf_meta *meta = &s->meta;
    size_t bytes = phy_sigmf_sample_bytes(meta->type);
    if (n_bytes == 0)
        return phy_sigmf_fail(error_out, -EINVAL, "%s: is empty", data_name);
    if (n_bytes % bytes)
        return phy_sigmf_fail(error_out, -EINVAL, "%s: %llu octets are no multiple of the %zu that a sample of %s takes: cut short?",
                              data_name, (unsigned long long)n_bytes, bytes, phy_sigmf_type_name(meta->type));
    meta->n_samples = n_bytes / bytes;
    const struct phy_sigmf_capture *last = &meta->captures[meta->n_captures - 1];
    if (last->sample_start >= meta->n_samples)
        return phy_sigmf_fail(error_out, -EINVAL,
                              "%s: holds %llu samples, but the metadata's last capture begins at core:sample_start %llu", data_name,
                              (unsigned long long)meta->n_samples, (unsigned long long)last->sample_start);
    if (!parsed->sha512[0] && meta->type != PHY_SIGMF_CF32_LE)
        return 0; /* whatever the octets, they are samples */
    return check_octets(s, data_name, n_bytes, parsed->sha512, error_out);
}

static void finish_open(struct sigmf_reader *s, struct phy_radio **out, struct phy_sigmf_meta *meta_out)
{
    s->radio.ops = &sigmf_ops;
    s->radio.sample_rate_hz = (uint32_t)llround(s->meta.sample_rate_hz);
    phy_sigmf_rewind(&s->radio);
    *meta_out = s->meta;
    *out = &s->radio;
}

static int open_data(struct sigmf_reader *s, const char *path, uint64_t *n_bytes_out, char *error_out)
{
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (s->fd < 0 || fstat(s->fd, &st) != 0) {
        int err = -errno;
        return phy_sigmf_fail(error_out, err, "%s: cannot open: %s", path, strerror(-err));
    }
    if (!S_ISREG(st.st_mode))
        return phy_sigmf_fail(error_out, -EINVAL, "%s: is no regular file", path);
    *n_bytes_out = (uint64_t)st.st_size;
    return 0;
}

int phy_sigmf_open(const char *path, struct phy_radio **out, struct phy_sigmf_meta *meta_out, char *error_out)
{
    char meta_path[SIGMF_MAX_PATH], data_path[SIGMF_MAX_PATH];
    char *json = NULL;
    size_t len = 0;
    uint64_t n_bytes = 0;
    struct phy_sigmf_parsed parsed = {""};
    *out = NULL;
    int err = phy_sigmf_paths(path, meta_path, data_path, error_out);
    if (!err)
        err = phy_sigmf_slurp(meta_path, &json, &len, error_out);
    if (err)
        return err;
    struct sigmf_reader *s = calloc(1, sizeof *s);
    if (!s) {
        free(json);
        return phy_sigmf_fail(error_out, -ENOMEM, "%s: no memory", path);
    }
    s->fd = -1;
    err = phy_sigmf_parse(meta_path, json, len, &s->meta, &parsed, error_out);
    free(json);
    err = err ? err : open_data(s, data_path, &n_bytes, error_out);
    err = err ? err : check_data(s, data_path, n_bytes, &parsed, error_out);
    if (err) {
        close_reader(&s->radio);
        return err;
    }
    finish_open(s, out, meta_out);
    return 0;
}

int phy_sigmf_open_memory(const char *name, const void *meta, size_t meta_len, const void *data, size_t data_len,
                          struct phy_radio **out, struct phy_sigmf_meta *meta_out, char *error_out)
{
    *out = NULL;
    struct sigmf_reader *s = calloc(1, sizeof *s);
    if (!s)
        return phy_sigmf_fail(error_out, -ENOMEM, "%s: no memory", name);
    s->fd = -1;
    s->memory = data;
    struct phy_sigmf_parsed parsed = {""};
    int err = phy_sigmf_parse(name, meta, meta_len, &s->meta, &parsed, error_out);
    err = err ? err : check_data(s, name, data_len, &parsed, error_out);
    if (err) {
        close_reader(&s->radio);
        return err;
    }
    finish_open(s, out, meta_out);
    return 0;
}
