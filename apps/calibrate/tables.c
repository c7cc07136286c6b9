#include "apps/calibrate/tables.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/embedded.h"

enum { FORMAT = 2 };

__attribute__((format(printf, 3, 4))) static int refuse(char *error_out, const char *name, const char *format, ...)
{
    char why[256];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    snprintf(error_out, APP_TABLES_MAX_ERROR, "%.120s: %s", name, why);
    for (char *c = error_out; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    return -EINVAL;
}

/* --- writing --- */

static json_t *row_json(const float *row, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_real(round((double)row[i] * 1e5) / 1e5));
    return array;
}

static json_t *grid_json(const float grid[][PHY_PACKET_MAX_GRID], size_t n_snr, size_t n_sir)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n_snr; i++)
        json_array_append_new(array, row_json(grid[i], n_sir));
    return array;
}

static json_t *twin_grid_json(const struct phy_packet_twins *w, const phy_packet_twin_grid grid)
{
    json_t *array = json_array();
    for (size_t i = 0; i < (size_t)w->n_offset * w->n_cfo; i++)
        json_array_append_new(array, grid_json(grid[i], w->n_snr, w->n_sir));
    return array;
}

static json_t *twin_rates_json(const struct phy_packet_tables *t, const phy_packet_twin_grid *grids)
{
    json_t *array = json_array();
    for (unsigned r = 0; r < t->n_rates; r++)
        json_array_append_new(array, twin_grid_json(&t->twins, grids[r]));
    return array;
}

static json_t *twins_json(const struct phy_packet_tables *t)
{
    const struct phy_packet_twins *w = &t->twins;
    json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:I}", "offset_samples", row_json(w->offset, w->n_offset), "cfo_subcarriers",
                             row_json(w->cfo, w->n_cfo), "snr_db", row_json(w->snr_db, w->n_snr), "sir_db", row_json(w->sir_db, w->n_sir),
                             "span_samples", (json_int_t)w->span_samples);
    json_object_set_new(json, "lock", twin_grid_json(w, w->lock));
    json_object_set_new(json, "other_header_loss_log2", twin_grid_json(w, w->other_header_loss));
    json_object_set_new(json, "header_loss_log2", twin_rates_json(t, w->header_loss));
    json_object_set_new(json, "frame_loss_log2", twin_rates_json(t, w->frame_loss));
    json_object_set_new(json, "symbol_loss_log2", twin_rates_json(t, w->symbol_loss));
    return json;
}

static json_t *interference_json(const struct phy_packet_tables *t, unsigned kind)
{
    json_t *losses[2] = {json_array(), json_array()};
    for (unsigned sudden = 0; sudden < 2; sudden++)
        for (unsigned r = 0; r < t->n_rates; r++)
            json_array_append_new(losses[sudden], grid_json(t->grid_symbol_loss[sudden][kind][r], t->n_grid_snr, t->n_grid_sir));
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "lock", grid_json(t->grid_lock[0][kind], t->n_grid_snr, t->n_grid_sir), "fresh_lock",
                     grid_json(t->grid_lock[1][kind], t->n_grid_snr, t->n_grid_sir), "header_loss_log2",
                     grid_json(t->grid_header_loss[kind], t->n_grid_snr, t->n_grid_sir), "symbol_loss_log2", losses[0], "sudden_symbol_loss_log2", losses[1]);
}

json_t *app_tables_json(const struct phy_packet_tables *t, uint32_t sample_rate_hz, json_t *provenance)
{
    json_t *rates = json_array(), *interference = json_object();
    for (unsigned r = 0; r < t->n_rates; r++)
        json_array_append_new(rates, row_json(t->symbol_loss[r], t->n_snr));
    for (unsigned k = PHY_INTERFERENCE_NOISE + 1; k < PHY_N_INTERFERENCE; k++)
        json_object_set_new(interference, phy_interference_name((enum phy_interference)k), interference_json(t, k));
    json_t *json = json_pack("{s:i, s:s, s:I, s:o, s:I, s:I, s:I}", "airdeed_tables", FORMAT, "waveform", t->waveform, "sample_rate_hz",
                             (json_int_t)sample_rate_hz, "provenance", provenance, "lock_delay_samples",
                             (json_int_t)t->lock_delay_samples, "frame_delay_samples", (json_int_t)t->frame_delay_samples,
                             "max_cut_samples", (json_int_t)t->max_cut_samples);
    if (!json)
        return NULL;
    json_object_set_new(json, "cca_delay_samples", json_integer(t->cca_delay_samples));
    json_object_set_new(json, "captures", json_boolean(t->captures));
    json_object_set_new(json, "snr_first_db", json_real((double)t->snr_first_db));
    json_object_set_new(json, "snr_step_db", json_real((double)t->snr_step_db));
    json_object_set_new(json, "lock", row_json(t->lock, t->n_snr));
    json_object_set_new(json, "header_loss_log2", row_json(t->header_loss, t->n_snr));
    json_object_set_new(json, "symbol_loss_log2", rates);
    json_object_set_new(json, "grid_snr_db", row_json(t->grid_snr_db, t->n_grid_snr));
    json_object_set_new(json, "grid_sir_db", row_json(t->grid_sir_db, t->n_grid_sir));
    json_object_set_new(json, "interference", interference);
    json_object_set_new(json, "twins", twins_json(t));
    return json;
}

/* --- reading --- */

struct reader {
    const char *name;
    char *error;
    int err;
};

static const json_t *member(struct reader *r, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!value && r->err == 0)
        r->err = refuse(r->error, r->name, "field %s is missing", key);
    return value;
}

static double number(struct reader *r, const json_t *value, const char *key, double min, double max)
{
    double x = json_number_value(value);
    if (r->err == 0 && (!json_is_number(value) || !(x >= min && x <= max)))
        r->err = refuse(r->error, r->name, "field %s must be a number from %g to %g", key, min, max);
    return r->err == 0 ? x : min;
}

static uint32_t count(struct reader *r, const json_t *object, const char *key, uint32_t max)
{
    return (uint32_t)number(r, member(r, object, key), key, 0.0, max);
}

/* n numbers, or, where *n is 0, as many as there are up to cap. */
static void read_row(struct reader *r, const json_t *array, const char *key, double min, double max, float *out, uint32_t *n, uint32_t cap)
{
    size_t size = json_array_size(array);
    if (r->err)
        return;
    if (!json_is_array(array) || size == 0 || size > cap || (*n && size != *n)) {
        r->err = refuse(r->error, r->name, "field %s must be an array of %s%u numbers", key, *n ? "" : "1 to ", *n ? *n : cap);
        return;
    }
    *n = (uint32_t)size;
    for (size_t i = 0; i < size; i++)
        out[i] = (float)number(r, json_array_get(array, i), key, min, max);
}

static void read_grid(struct reader *r, const json_t *array, const char *key, double min, double max, uint32_t n_snr, uint32_t n_sir,
                      float grid[][PHY_PACKET_MAX_GRID])
{
    if (r->err == 0 && json_array_size(array) != n_snr)
        r->err = refuse(r->error, r->name, "field %s must have a row for each SNR", key);
    for (uint32_t i = 0; i < n_snr && r->err == 0; i++)
        read_row(r, json_array_get(array, i), key, min, max, grid[i], &n_sir, n_sir);
}

static const double loss_min = -40.0, loss_max = 12.0;

static void read_interference(struct reader *r, struct phy_packet_tables *t, const json_t *kinds, unsigned kind)
{
    const json_t *k = member(r, kinds, phy_interference_name((enum phy_interference)kind));
    read_grid(r, member(r, k, "lock"), "lock", 0.0, 1.0, t->n_grid_snr, t->n_grid_sir, t->grid_lock[0][kind]);
    read_grid(r, member(r, k, "fresh_lock"), "fresh_lock", 0.0, 1.0, t->n_grid_snr, t->n_grid_sir, t->grid_lock[1][kind]);
    read_grid(r, member(r, k, "header_loss_log2"), "header_loss_log2", loss_min, loss_max, t->n_grid_snr, t->n_grid_sir, t->grid_header_loss[kind]);
    static const char *const keys[2] = {"symbol_loss_log2", "sudden_symbol_loss_log2"};
    for (unsigned sudden = 0; sudden < 2; sudden++) {
        const json_t *rates = member(r, k, keys[sudden]);
        if (r->err == 0 && json_array_size(rates) != t->n_rates)
            r->err = refuse(r->error, r->name, "field interference.%s must have a grid for each rate", keys[sudden]);
        for (unsigned i = 0; i < t->n_rates && r->err == 0; i++)
            read_grid(r, json_array_get(rates, i), keys[sudden], loss_min, loss_max, t->n_grid_snr, t->n_grid_sir,
                      t->grid_symbol_loss[sudden][kind][i]);
    }
}

static void read_twin_grid(struct reader *r, const struct phy_packet_twins *w, const json_t *array, const char *key, double min, double max,
                           phy_packet_twin_grid grid)
{
    uint32_t n = w->n_offset * w->n_cfo;
    if (r->err == 0 && json_array_size(array) != n)
        r->err = refuse(r->error, r->name, "field twins.%s must have a grid for each of offset_samples and cfo_subcarriers", key);
    for (uint32_t i = 0; i < n && r->err == 0; i++)
        read_grid(r, json_array_get(array, i), key, min, max, w->n_snr, w->n_sir, grid[i]);
}

static void read_twin_rates(struct reader *r, const struct phy_packet_tables *t, const json_t *twins, const char *key,
                            phy_packet_twin_grid *grids)
{
    const json_t *rates = member(r, twins, key);
    if (r->err == 0 && json_array_size(rates) != t->n_rates)
        r->err = refuse(r->error, r->name, "field twins.%s must have grids for each rate", key);
    for (unsigned i = 0; i < t->n_rates && r->err == 0; i++)
        read_twin_grid(r, &t->twins, json_array_get(rates, i), key, loss_min, loss_max, grids[i]);
}

static void read_twins(struct reader *r, struct phy_packet_tables *t, const json_t *twins)
{
    struct phy_packet_twins *w = &t->twins;
    read_row(r, member(r, twins, "offset_samples"), "twins.offset_samples", 0.0, 160.0, w->offset, &w->n_offset, PHY_PACKET_MAX_OFFSETS);
    read_row(r, member(r, twins, "cfo_subcarriers"), "twins.cfo_subcarriers", 0.0, 8.0, w->cfo, &w->n_cfo, PHY_PACKET_MAX_OFFSETS);
    read_row(r, member(r, twins, "snr_db"), "twins.snr_db", -100, 100, w->snr_db, &w->n_snr, PHY_PACKET_MAX_GRID);
    read_row(r, member(r, twins, "sir_db"), "twins.sir_db", -100, 100, w->sir_db, &w->n_sir, PHY_PACKET_MAX_GRID);
    w->span_samples = count(r, twins, "span_samples", 160);
    if (r->err == 0 && w->n_offset * w->n_cfo > PHY_PACKET_MAX_TWINS)
        r->err = refuse(r->error, r->name, "field twins has more than %d pairs of offsets", PHY_PACKET_MAX_TWINS);
    read_twin_grid(r, w, member(r, twins, "lock"), "lock", 0.0, 1.0, w->lock);
    read_twin_grid(r, w, member(r, twins, "other_header_loss_log2"), "other_header_loss_log2", loss_min, loss_max, w->other_header_loss);
    read_twin_rates(r, t, twins, "header_loss_log2", w->header_loss);
    read_twin_rates(r, t, twins, "frame_loss_log2", w->frame_loss);
    read_twin_rates(r, t, twins, "symbol_loss_log2", w->symbol_loss);
}

static void check_ascending(struct reader *r, const float *axis, uint32_t n, const char *key)
{
    for (uint32_t i = 1; i < n && r->err == 0; i++)
        if (!(axis[i] > axis[i - 1]))
            r->err = refuse(r->error, r->name, "field %s must ascend", key);
}

static void check_axes(struct reader *r, const struct phy_packet_tables *t)
{
    check_ascending(r, t->grid_snr_db, t->n_grid_snr, "grid_snr_db");
    check_ascending(r, t->grid_sir_db, t->n_grid_sir, "grid_sir_db");
    check_ascending(r, t->twins.offset, t->twins.n_offset, "twins.offset_samples");
    check_ascending(r, t->twins.cfo, t->twins.n_cfo, "twins.cfo_subcarriers");
    check_ascending(r, t->twins.snr_db, t->twins.n_snr, "twins.snr_db");
    check_ascending(r, t->twins.sir_db, t->twins.n_sir, "twins.sir_db");
}

static void read_tables(struct reader *r, const json_t *json, struct phy_packet_tables *t, uint32_t *sample_rate_hz_out)
{
    const char *waveform = json_string_value(member(r, json, "waveform"));
    if (r->err == 0 && (!waveform || !phy_waveform_find(waveform)))
        r->err = refuse(r->error, r->name, "field waveform names none that is known");
    if (r->err)
        return;
    snprintf(t->waveform, sizeof t->waveform, "%.15s", waveform);
    t->n_rates = phy_waveform_find(waveform)->n_rates;
    if (!json_is_object(member(r, json, "provenance")) && r->err == 0)
        r->err = refuse(r->error, r->name, "field provenance must be an object");
    *sample_rate_hz_out = count(r, json, "sample_rate_hz", 1000000000);
    t->cca_delay_samples = count(r, json, "cca_delay_samples", 4096);
    t->lock_delay_samples = count(r, json, "lock_delay_samples", 4096);
    t->frame_delay_samples = count(r, json, "frame_delay_samples", 4096);
    const json_t *captures = member(r, json, "captures");
    if (r->err == 0 && !json_is_boolean(captures))
        r->err = refuse(r->error, r->name, "field captures must be true or false");
    t->captures = json_is_true(captures);
    t->max_cut_samples = count(r, json, "max_cut_samples", 320);
    t->snr_first_db = (float)number(r, member(r, json, "snr_first_db"), "snr_first_db", -100, 100);
    t->snr_step_db = (float)number(r, member(r, json, "snr_step_db"), "snr_step_db", 0.01, 20);
    read_row(r, member(r, json, "lock"), "lock", 0.0, 1.0, t->lock, &t->n_snr, PHY_PACKET_MAX_SNR);
    read_row(r, member(r, json, "header_loss_log2"), "header_loss_log2", loss_min, loss_max, t->header_loss, &t->n_snr, PHY_PACKET_MAX_SNR);
    const json_t *rates = member(r, json, "symbol_loss_log2");
    if (r->err == 0 && json_array_size(rates) != t->n_rates)
        r->err = refuse(r->error, r->name, "field symbol_loss_log2 must have a row for each of the waveform's %u rates", t->n_rates);
    for (unsigned i = 0; i < t->n_rates && r->err == 0; i++)
        read_row(r, json_array_get(rates, i), "symbol_loss_log2", loss_min, loss_max, t->symbol_loss[i], &t->n_snr, PHY_PACKET_MAX_SNR);
    read_row(r, member(r, json, "grid_snr_db"), "grid_snr_db", -100, 100, t->grid_snr_db, &t->n_grid_snr, PHY_PACKET_MAX_GRID);
    read_row(r, member(r, json, "grid_sir_db"), "grid_sir_db", -100, 100, t->grid_sir_db, &t->n_grid_sir, PHY_PACKET_MAX_GRID);
    read_twins(r, t, member(r, json, "twins"));
    check_axes(r, t);
    const json_t *kinds = member(r, json, "interference");
    for (unsigned k = PHY_INTERFERENCE_NOISE + 1; k < PHY_N_INTERFERENCE && r->err == 0; k++)
        read_interference(r, t, kinds, k);
}

int app_tables_parse(const char *name, const void *text, size_t len, struct phy_packet_tables *out, uint32_t *sample_rate_hz_out,
                     char *error_out)
{
    struct reader r = {.name = name, .error = error_out};
    json_error_t at;
    memset(out, 0, sizeof *out);
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &at);
    if (!json)
        return refuse(error_out, name, "line %d: %.150s", at.line, at.text);
    if (!json_is_object(json) || json_integer_value(json_object_get(json, "airdeed_tables")) != FORMAT)
        r.err = refuse(error_out, name, "is no file of tables (airdeed_tables: %d)", FORMAT);
    if (r.err == 0)
        read_tables(&r, json, out, sample_rate_hz_out);
    json_decref(json);
    return r.err;
}

static int load_file(const char *path, struct phy_packet_tables *out, uint32_t *sample_rate_hz_out, char *error_out)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(APP_TABLES_MAX_BYTES + 1) : NULL;
    int err = 0;
    if (!text) {
        err = file ? -ENOMEM : -errno;
    } else {
        errno = 0;
        size_t len = fread(text, 1, APP_TABLES_MAX_BYTES + 1, file);
        if (ferror(file))
            err = errno ? -errno : -EIO;
        else if (len > APP_TABLES_MAX_BYTES)
            err = refuse(error_out, path, "is larger than %d octets", APP_TABLES_MAX_BYTES);
        else
            err = app_tables_parse(path, text, len, out, sample_rate_hz_out, error_out);
    }
    if (err && err != -EINVAL)
        snprintf(error_out, APP_TABLES_MAX_ERROR, "%.200s: %s", path, strerror(-err));
    if (file)
        fclose(file);
    free(text);
    return err;
}

static const struct app_embedded_file *find_embedded(const char *waveform)
{
    char name[64];
    snprintf(name, sizeof name, "%.15s.tables.json", waveform);
    for (const struct app_embedded_file *f = app_embedded_files; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

int app_tables_load(const char *path, const char *waveform, struct phy_packet_tables *out, uint32_t *sample_rate_hz_out, char *error_out)
{
    if (*path)
        return load_file(path, out, sample_rate_hz_out, error_out);
    const struct app_embedded_file *f = find_embedded(waveform);
    if (f)
        return app_tables_parse(f->name, f->data, f->n_bytes, out, sample_rate_hz_out, error_out);
    snprintf(error_out, APP_TABLES_MAX_ERROR, "no tables for waveform '%.15s' are shipped: measure them with 'airdeed calibrate'", waveform);
    return -ENOENT;
}

json_t *app_tables_provenance(const char *path, const char *waveform)
{
    const struct app_embedded_file *f = *path ? NULL : find_embedded(waveform);
    json_t *json = *path ? json_load_file(path, 0, NULL) : f ? json_loadb((const char *)f->data, f->n_bytes, 0, NULL) : NULL;
    json_t *provenance = json_incref(json_object_get(json, "provenance"));
    json_decref(json);
    return provenance;
}
