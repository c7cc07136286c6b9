/* SigMF recordings, written: samples as they come, metadata at the end, both under temporary names until then. */
#include "phy/radio/sigmf_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITE_SAMPLES = 4096, MAX_SAMPLE_BYTES = 8 };

struct phy_sigmf_writer {
    struct phy_sigmf_meta meta;
    uint64_t n_samples;
    int fd;
    crypto_hash_sha512_state hash;
    char meta_path[SIGMF_MAX_PATH], data_path[SIGMF_MAX_PATH];
    char partial_path[SIGMF_MAX_PATH + 16]; /* of the data */
    uint8_t octets[WRITE_SAMPLES * MAX_SAMPLE_BYTES];
};

static int check_meta(const struct phy_sigmf_meta *meta, const char *path, char *error_out)
{
    if (meta->type == PHY_SIGMF_CU8)
        return phy_sigmf_fail(error_out, -EINVAL, "%s: cu8 is read, not written", path);
    if (!(meta->sample_rate_hz >= 1 && meta->sample_rate_hz <= 4e9))
        return phy_sigmf_fail(error_out, -EINVAL, "%s: a sample rate of %g Hz cannot be written", path, meta->sample_rate_hz);
    if (meta->n_captures > PHY_SIGMF_MAX_CAPTURES)
        return phy_sigmf_fail(error_out, -EINVAL, "%s: more than %d captures", path, PHY_SIGMF_MAX_CAPTURES);
    return 0;
}

int phy_sigmf_create(const char *path, const struct phy_sigmf_meta *meta, struct phy_sigmf_writer **out, char *error_out)
{
    *out = NULL;
    int err = check_meta(meta, path, error_out);
    if (err)
        return err;
    struct phy_sigmf_writer *w = calloc(1, sizeof *w);
    if (!w)
        return phy_sigmf_fail(error_out, -ENOMEM, "%s: no memory", path);
    w->meta = *meta;
    if (w->meta.n_captures == 0) {
        w->meta.captures[0] = (struct phy_sigmf_capture){.frequency_hz = NAN};
        w->meta.n_captures = 1;
    }
    err = phy_sigmf_paths(path, w->meta_path, w->data_path, error_out);
    if (!err) {
        snprintf(w->partial_path, sizeof w->partial_path, "%s.partial", w->data_path);
        w->fd = open(w->partial_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (w->fd < 0)
            err = phy_sigmf_fail(error_out, -errno, "%s: cannot create: %s", w->data_path, strerror(errno));
    }
    if (err) {
        free(w);
        return err;
    }
    crypto_hash_sha512_init(&w->hash);
    *out = w;
    return 0;
}

static int write_octets(struct phy_sigmf_writer *w, size_t len, char *error_out)
{
    for (size_t n = 0; n < len;) {
        ssize_t put = write(w->fd, w->octets + n, len - n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            int err = -errno;
            return phy_sigmf_fail(error_out, err, "%s: cannot write: %s", w->data_path, strerror(-err));
        }
        n += (size_t)put;
    }
    crypto_hash_sha512_update(&w->hash, w->octets, len);
    return 0;
}

int phy_sigmf_write(struct phy_sigmf_writer *w, const float complex *samples, size_t n, char *error_out)
{
    size_t bytes = phy_sigmf_sample_bytes(w->meta.type);
    while (n > 0) {
        size_t n_now = n < WRITE_SAMPLES ? n : WRITE_SAMPLES;
        phy_sigmf_encode(w->meta.type, samples, n_now, w->octets);
        int err = write_octets(w, n_now * bytes, error_out);
        if (err)
            return err;
        w->n_samples += n_now;
        samples += n_now;
        n -= n_now;
    }
    return 0;
}

int phy_sigmf_new_capture(struct phy_sigmf_writer *w, uint64_t n_lost, double frequency_hz, char *error_out)
{
    struct phy_sigmf_meta *meta = &w->meta;
    struct phy_sigmf_capture *last = &meta->captures[meta->n_captures - 1];
    uint64_t global_index = last->global_index + (w->n_samples - last->sample_start) + n_lost;
    if (last->sample_start == w->n_samples) {
        /* nothing came since the last one: it is the same boundary */
        last->global_index = global_index;
        last->frequency_hz = frequency_hz;
        return 0;
    }
    if (meta->n_captures == PHY_SIGMF_MAX_CAPTURES)
        return phy_sigmf_fail(error_out, -ENOBUFS, "%s: samples were lost %d times; a recording holds no more captures",
                              w->meta_path, PHY_SIGMF_MAX_CAPTURES);
    meta->captures[meta->n_captures++] = (struct phy_sigmf_capture){w->n_samples, global_index, frequency_hz};
    return 0;
}

static int set_text(json_t *object, const char *key, const char *text)
{
    return text && *text ? json_object_set_new(object, key, json_string(text)) : 0;
}

static int set_real(json_t *object, const char *key, double value)
{
    return isfinite(value) ? json_object_set_new(object, key, json_real(value)) : 0;
}

static json_t *make_global(const struct phy_sigmf_writer *w, const char *sha512, const char *description)
{
    const struct phy_sigmf_meta *meta = &w->meta;
    json_t *global = json_object();
    int bad = set_text(global, "core:datatype", phy_sigmf_type_name(meta->type));
    bad |= set_real(global, "core:sample_rate", meta->sample_rate_hz);
    bad |= set_text(global, "core:version", SIGMF_VERSION);
    bad |= set_text(global, "core:sha512", sha512);
    bad |= set_text(global, "core:description", description);
    bad |= set_text(global, "core:recorder", "airdeed " AIRDEED_VERSION);
    bad |= set_text(global, "core:hw", meta->receiver.hardware);
    bool told = meta->receiver.hardware[0] && (meta->receiver.antenna[0] || isfinite(meta->receiver.gain_db));
    if (meta->waveform[0] || meta->profile[0] || isfinite(meta->noise_dbfs) || told) {
        bad |= json_object_set_new(global, "core:extensions", json_pack("[{s:s, s:s, s:b}]", "name", "airdeed", "version",
                                                                        SIGMF_AIRDEED_VERSION, "optional", 1));
        bad |= set_text(global, "airdeed:waveform", meta->waveform);
        bad |= set_text(global, "airdeed:profile", meta->profile);
        bad |= set_real(global, "airdeed:noise_dbfs", meta->noise_dbfs);
        bad |= set_text(global, "airdeed:antenna", told ? meta->receiver.antenna : "");
        bad |= set_real(global, "airdeed:rx_gain_db", told ? meta->receiver.gain_db : (double)NAN);
    }
    if (!bad)
        return global;
    json_decref(global);
    return NULL;
}

static json_t *make_captures(const struct phy_sigmf_writer *w)
{
    json_t *list = json_array();
    int bad = !list;
    /* a capture that no sample followed would point past the data */
    for (size_t i = 0; i < w->meta.n_captures && w->meta.captures[i].sample_start < w->n_samples; i++) {
        const struct phy_sigmf_capture *c = &w->meta.captures[i];
        json_t *object = json_pack("{s:I}", "core:sample_start", (json_int_t)c->sample_start);
        if (c->global_index != c->sample_start)
            bad |= json_object_set_new(object, "core:global_index", json_integer((json_int_t)c->global_index));
        bad |= set_real(object, "core:frequency", c->frequency_hz);
        if (i == 0)
            bad |= set_text(object, "core:datetime", w->meta.datetime);
        bad |= json_array_append_new(list, object);
    }
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *make_annotations(const struct phy_sigmf_annotation *annotations, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, phy_sigmf_annotation_json(&annotations[i], NULL))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static int close_data(struct phy_sigmf_writer *w, char *error_out)
{
    int err = fsync(w->fd) != 0 ? -errno : 0;
    if (close(w->fd) != 0 && !err)
        err = -errno;
    w->fd = -1;
    return err ? phy_sigmf_fail(error_out, err, "%s: cannot write: %s", w->data_path, strerror(-err)) : 0;
}

static bool ascend(const struct phy_sigmf_annotation *annotations, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (annotations[i].sample_start < annotations[i - 1].sample_start)
            return false;
    return true;
}

int phy_sigmf_finish(struct phy_sigmf_writer *w, const char *description, const struct phy_sigmf_annotation *annotations,
                     size_t n, char *error_out)
{
    assert(ascend(annotations, n));
    if (w->n_samples == 0)
        return phy_sigmf_fail(error_out, -EINVAL, "%s: no samples were written", w->data_path);
    uint8_t hash[crypto_hash_sha512_BYTES];
    char hex[SIGMF_HASH_HEX];
    crypto_hash_sha512_final(&w->hash, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    json_t *root = json_pack("{s:o, s:o, s:o}", "global", make_global(w, hex, description), "captures", make_captures(w),
                             "annotations", make_annotations(annotations, n));
    if (!root)
        return phy_sigmf_fail(error_out, -ENOMEM, "%s: the metadata cannot be made (a text that is not UTF-8?)", w->meta_path);
    int err = close_data(w, error_out);
    if (!err && rename(w->partial_path, w->data_path) != 0) {
        err = -errno;
        phy_sigmf_fail(error_out, err, "%s: cannot rename to its final name: %s", w->partial_path, strerror(-err));
    }
    if (!err && (err = phy_sigmf_write_json(w->meta_path, root, error_out)))
        unlink(w->data_path);
    json_decref(root);
    if (!err)
        free(w);
    return err;
}

void phy_sigmf_abort(struct phy_sigmf_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    unlink(w->partial_path);
    free(w);
}
