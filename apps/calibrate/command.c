/* airdeed calibrate: measures the tables of packet fidelity, or compares both fidelities. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apps/calibrate/jam.h"
#include "apps/calibrate/measure.h"
#include "apps/calibrate/tables.h"
#include "apps/options.h"

struct calibrate_options {
    const char *waveform, *out, *compare, *twins;
    double sample_rate_hz, snr_db, rate_mbps;
    uint64_t seed, n_frames, psdu_len, n_jam;
    bool json;
};

static int parse(int argc, char **argv, struct calibrate_options *o, int *exit_out)
{
    *o = (struct calibrate_options){.waveform = "wifi", .sample_rate_hz = 10e6, .snr_db = 20, .seed = 1, .n_frames = 200, .psdu_len = 500,
                                    .rate_mbps = NAN};
    const struct app_option options[] = {
        {"waveform", APP_TEXT, &o->waveform, "NAME", "wifi or flex (default wifi)", 0, 0, NULL},
        {"sample-rate", APP_FREQ_HZ, &o->sample_rate_hz, "HZ", "of the channel (default 10M)", 1e5, 100e6, NULL},
        {"frames", APP_U64, &o->n_frames, "N", "frames measured for each entry (default 200)", 20, 1000000, NULL},
        {"seed", APP_U64, &o->seed, "S", "of every draw (default 1)", 0, 0, NULL},
        {"out", APP_TEXT, &o->out, "FILE", "where the tables go (default standard output)", 0, 0, NULL},
        {"compare", APP_TEXT, &o->compare, "FILE", "compare both fidelities with these tables instead; 'shipped': those compiled in", 0, 0, NULL},
        {"twins", APP_TEXT, &o->twins, "FILE", "measure only what frames cost that begin together, and keep the rest of these tables; 'shipped'", 0, 0, NULL},
        {"rate", APP_REAL, &o->rate_mbps, "MBPS", "compare: the frames' rate at this sample rate (default the third)", 0, 1000, NULL},
        {"psdu", APP_U64, &o->psdu_len, "OCTETS", "compare: the frames' length, FCS included (default 500)", 40, 2000, NULL},
        {"snr", APP_REAL, &o->snr_db, "DB", "compare: of the frames (default 20)", -10, 60, NULL},
        {"json", APP_FLAG, &o->json, NULL, "compare: one JSON object", 0, 0, NULL},
        {"jam", APP_U64, &o->n_jam, "N", "instead: N training episodes a class through the jam detector, a JSON object each", 1, 100000, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    int n_positional;
    if (app_options_parse(argc, argv, options, "calibrate [options]",
                          "Measures at iq fidelity the tables that packet fidelity draws from, and writes them as JSON.", &n_positional,
                          exit_out))
        return 1;
    if (n_positional == 0 && phy_waveform_find(o->waveform))
        return 0;
    if (n_positional)
        fprintf(stderr, "airdeed calibrate: takes no file as it stands; 'airdeed calibrate --help' tells how\n");
    else
        fprintf(stderr, "airdeed calibrate: option '--waveform': '%.40s' is not known; known: wifi, flex\n", o->waveform);
    *exit_out = APP_BAD_USAGE;
    return 1;
}

static void show_progress(void *ctx, const char *what, double share)
{
    const bool *show = ctx;
    if (*show)
        fprintf(stderr, "\rcalibrate: %-8s %3.0f %% ", what, 100.0 * share);
}

static struct app_measure_config describe(const struct calibrate_options *o, bool *show)
{
    *show = isatty(STDERR_FILENO);
    return (struct app_measure_config){.waveform = phy_waveform_find(o->waveform),
                                       .sample_rate_hz = (uint32_t)o->sample_rate_hz,
                                       .seed = o->seed,
                                       .n_frames = (uint32_t)o->n_frames,
                                       .progress = show_progress,
                                       .ctx = show};
}

static int fail(const char *what, int err)
{
    fprintf(stderr, "airdeed calibrate: %s: %s\n", what, err == -EDOM ? "the receiver loses frames at 25 dB" : strerror(-err));
    return APP_SYSTEM_FAILED;
}

static int write_json(const json_t *json, const char *path)
{
    FILE *file = path ? fopen(path, "wb") : stdout;
    if (!file)
        return -errno;
    errno = 0;
    bool bad = json_dumpf(json, file, JSON_COMPACT | JSON_REAL_PRECISION(7)) != 0 || fputc('\n', file) == EOF;
    if (path && fclose(file) != 0)
        bad = true;
    return bad ? errno ? -errno : -EIO : 0;
}

static const char *find_file(const char *given)
{
    return strcmp(given, "shipped") == 0 ? "" : given;
}

static int load(const struct calibrate_options *o, const char *path, struct phy_packet_tables *out)
{
    char error[APP_TABLES_MAX_ERROR];
    uint32_t measured_hz;
    int rc = app_tables_load(find_file(path), o->waveform, out, &measured_hz, error);
    if (rc == 0 && strcmp(out->waveform, o->waveform) != 0) {
        snprintf(error, sizeof error, "%.200s: measured for waveform %s, not %.20s", path, out->waveform, o->waveform);
        rc = -EINVAL;
    }
    if (rc)
        fprintf(stderr, "airdeed calibrate: %s\n", error);
    return rc;
}

static json_t *describe_origin(const struct calibrate_options *o, const struct app_measure_config *cfg)
{
    char command[240];
    snprintf(command, sizeof command, "airdeed calibrate --waveform %s --sample-rate %u --frames %u --seed %llu%s%.80s", o->waveform,
             cfg->sample_rate_hz, cfg->n_frames, (unsigned long long)o->seed, o->twins ? " --twins " : "", o->twins ? o->twins : "");
    return json_pack("{s:s, s:s, s:s, s:I, s:I}", "command", command, "version", AIRDEED_VERSION, "simd", phy_simd_name(PHY_SIMD_AUTO),
                     "seed", (json_int_t)o->seed, "frames", (json_int_t)o->n_frames);
}

static int measure(const struct calibrate_options *o)
{
    static struct phy_packet_tables tables;
    bool show;
    struct app_measure_config cfg = describe(o, &show);
    if (o->twins && load(o, o->twins, &tables))
        return APP_BAD_USAGE;
    int rc = o->twins ? app_measure_twins_again(&cfg, &tables) : app_measure_tables(&cfg, &tables);
    if (show)
        fprintf(stderr, "\r%40s\r", "");
    if (rc)
        return fail(o->waveform, rc);
    json_t *origin = describe_origin(o, &cfg), *before = o->twins ? app_tables_provenance(find_file(o->twins), o->waveform) : NULL;
    if (before) /* all but the twins is as it was */
        json_object_set_new(before, "twins", origin);
    json_t *json = app_tables_json(&tables, cfg.sample_rate_hz, before ? before : origin);
    rc = json ? write_json(json, o->out) : -ENOMEM;
    json_decref(json);
    return rc ? fail(o->out ? o->out : "standard output", rc) : APP_OK;
}

static int find_rate(const struct calibrate_options *o, const struct app_measure_config *cfg, unsigned *out)
{
    for (unsigned r = 0; r < cfg->waveform->n_rates; r++) {
        double mbps = cfg->waveform->rate_kbps_at_1msps[r] * 1e-9 * cfg->sample_rate_hz;
        *out = r;
        if (isnan(o->rate_mbps) ? r == 2 : fabs(mbps - o->rate_mbps) < 0.01 * mbps)
            return 0;
    }
    fprintf(stderr, "airdeed calibrate: option '--rate': %g Mb/s is no rate of %s at this sample rate\n", o->rate_mbps, o->waveform);
    return -EINVAL;
}

static json_t *delays_json(const struct app_compare_delays *d)
{
    return json_pack("{s:f, s:f, s:f}", "cca_samples", d->cca, "lock_samples", d->lock, "frame_samples", d->frame);
}

static void print_cells(const struct calibrate_options *o, const struct app_compare_cell *cells, size_t n,
                        const struct app_compare_delays delays[2])
{
    json_t *rows = json_array();
    double worst = 0.0;
    if (!o->json)
        printf("kind    overlap  J/S dB   PER iq  PER packet\n");
    for (size_t i = 0; i < n; i++) {
        const struct app_compare_cell *c = &cells[i];
        worst = fmax(worst, fabs(c->per_iq - c->per_packet));
        if (!o->json)
            printf("%-7s %5.0f %%  %6.0f   %6.3f  %10.3f\n", phy_interference_name(c->kind), 100 * c->overlap, c->js_db, c->per_iq,
                   c->per_packet);
        json_array_append_new(rows, json_pack("{s:s, s:f, s:f, s:f, s:f}", "kind", phy_interference_name(c->kind), "overlap", c->overlap,
                                              "js_db", c->js_db, "per_iq", c->per_iq, "per_packet", c->per_packet));
    }
    json_t *json = json_pack("{s:s, s:I, s:I, s:f, s:f, s:o, s:o, s:o}", "waveform", o->waveform, "seed", (json_int_t)o->seed, "frames",
                             (json_int_t)o->n_frames, "snr_db", o->snr_db, "worst_difference", worst, "iq", delays_json(&delays[0]), "packet",
                             delays_json(&delays[1]), "results", rows);
    if (o->json) {
        json_dumpf(json, stdout, JSON_REAL_PRECISION(6));
        printf("\n");
    } else {
        for (int k = 0; k < 2; k++)
            printf("%-6s busy %.1f and lock %.1f samples after a frame's first, frame %.1f after its last\n", k ? "packet" : "iq",
                   delays[k].cca, delays[k].lock, delays[k].frame);
        printf("worst difference %.3f, %llu frames each\n", worst, (unsigned long long)o->n_frames);
    }
    json_decref(json);
}

static int compare(const struct calibrate_options *o)
{
    static struct phy_packet_tables tables;
    static struct app_compare_cell cells[APP_COMPARE_MAX_CELLS];
    bool show;
    struct app_compare_delays delays[2];
    size_t n;
    unsigned rate;
    struct app_measure_config cfg = describe(o, &show);
    if (load(o, o->compare, &tables))
        return APP_BAD_USAGE;
    if (find_rate(o, &cfg, &rate))
        return APP_BAD_USAGE;
    int rc = app_compare(&cfg, &tables, o->snr_db, rate, (size_t)o->psdu_len, cells, &n, &delays[0], &delays[1]);
    if (show)
        fprintf(stderr, "\r%40s\r", "");
    if (rc)
        return fail("compare", rc);
    print_cells(o, cells, n, delays);
    return APP_OK;
}

static int main_calibrate(int argc, char **argv)
{
    struct calibrate_options options;
    int code;
    if (parse(argc, argv, &options, &code))
        return code;
    if (options.n_jam > 0)
        return app_calibrate_jam(options.n_jam, options.seed);
    return options.compare ? compare(&options) : measure(&options);
}

const struct app_command app_command_calibrate = {"calibrate", "measures the tables of packet fidelity", main_calibrate};
