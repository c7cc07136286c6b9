/* airdeed record: what a radio hears, as a SigMF recording. */
#include "apps/radio_options.h"
#include "apps/sense.h"
#include "phy/radio/sigmf.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK_SAMPLES = 16384 };

static const int64_t receive_timeout_ns = 100000000;
static const int64_t patience_ns = 5000000000; /* without a sample */

struct record {
    struct app_radio_options options;
    const char *out, *type;
    struct phy_sigmf_meta meta;
    struct phy_sigmf_writer *writer;
    struct phy_radio *radio;
    uint64_t n_wanted, n_written, n_lost, n_clipped;
    unsigned n_gaps;
    char error[PHY_SIGMF_MAX_ERROR];
    float complex block[BLOCK_SAMPLES];
};

/* 0 to go on, 1 to leave with *exit_out */
static int parse(int argc, char **argv, struct record *r, int *exit_out)
{
    app_radio_options_init(&r->options);
    r->type = "ci16_le";
    struct app_option options[APP_RADIO_MAX_ROWS + 4];
    size_t n = app_radio_options_rows(&r->options, APP_RADIO_ASK_RECEIVE | APP_RADIO_ASK_LENGTH, options);
    const struct app_option own[] = {
        {"out", APP_TEXT, &r->out, "NAME", "writes NAME.sigmf-data and NAME.sigmf-meta", 0, 0, NULL},
        {"type", APP_TEXT, &r->type, "TYPE", "ci16_le (default), cf32_le or ci8", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    memcpy(options + n, own, sizeof own);
    int n_positional;
    if (app_options_parse(argc, argv, options, "record --radio URI --freq HZ --out NAME [options]",
                          "Writes what a radio hears to a SigMF recording, until --nsamps, --duration or an interrupt ends it.", &n_positional,
                          exit_out))
        return 1;
    *exit_out = APP_BAD_USAGE;
    if (n_positional > 0 || !r->out) {
        fprintf(stderr, "airdeed record: %s%s\n", n_positional > 0 ? argv[1] : "--out NAME is missing",
                n_positional > 0 ? " is not expected" : "");
        return 1;
    }
    if (r->options.n_samples > 0 && r->options.duration_ns > 0) {
        fprintf(stderr, "airdeed record: --nsamps and --duration exclude each other\n");
        return 1;
    }
    static const enum phy_sigmf_type types[] = {PHY_SIGMF_CI16_LE, PHY_SIGMF_CF32_LE, PHY_SIGMF_CI8};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(r->type, phy_sigmf_type_name(types[i])) == 0) {
            r->meta.type = types[i];
            return 0;
        }
    fprintf(stderr, "airdeed record: option '--type': '%s' is none of ci16_le, cf32_le, ci8\n", r->type);
    return 1;
}

/* Of the first sample of a block that came just now. */
static void set_datetime(struct record *r, size_t n)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)((double)n * 1e9 / r->radio->sample_rate_hz);
    time_t secs = (time_t)(ns / 1000000000);
    size_t len = gmtime_r(&secs, &utc) ? strftime(r->meta.datetime, sizeof r->meta.datetime, "%Y-%m-%dT%H:%M:%S", &utc) : 0;
    if (len > 0)
        snprintf(r->meta.datetime + len, sizeof r->meta.datetime - len, ".%06dZ", (int)(ns % 1000000000 / 1000));
}

static int create(struct record *r, size_t n)
{
    const struct phy_radio_config *c = &r->options.config;
    r->meta.sample_rate_hz = r->radio->sample_rate_hz;
    r->meta.noise_dbfs = (double)NAN;
    r->meta.n_captures = 1;
    r->meta.captures[0].frequency_hz = r->radio->center_hz;
    const char *colon = strchr(r->options.radio, ':'), *address = colon ? colon + 1 : c->address;
    snprintf(r->meta.receiver.hardware, sizeof r->meta.receiver.hardware, "%s%s%.*s", r->radio->ops->name, *address ? " " : "",
             PHY_RADIO_MAX_TEXT - 1, address);
    memcpy(r->meta.receiver.antenna, c->antenna_rx, sizeof r->meta.receiver.antenna);
    r->meta.receiver.gain_db = c->rx_gain_db;
    set_datetime(r, n);
    return phy_sigmf_create(r->out, &r->meta, &r->writer, r->error);
}

static int keep(struct record *r, const struct phy_radio_block *block)
{
    size_t n = block->n;
    int rc = r->writer ? 0 : create(r, n);
    if (r->n_wanted > 0 && n > r->n_wanted - r->n_written)
        n = (size_t)(r->n_wanted - r->n_written);
    if (rc == 0 && block->n_lost > 0) {
        r->n_gaps++;
        r->n_lost += block->n_lost;
        rc = phy_sigmf_new_capture(r->writer, block->n_lost, r->radio->center_hz, r->error);
    }
    if (rc == 0)
        rc = phy_sigmf_write(r->writer, r->block, n, r->error);
    if (rc == 0) {
        r->n_written += n;
        r->n_clipped += block->n_clipped;
    }
    return rc;
}

static int fail_radio(struct record *r, int rc)
{
    const char *why = r->radio->ops->last_error ? r->radio->ops->last_error(r->radio) : strerror(-rc);
    snprintf(r->error, sizeof r->error, "%s%.200s", rc == -ENODEV ? "the radio is gone: " : "", why && *why ? why : strerror(-rc));
    return rc;
}

/* 0 when all that was wanted is there, or an interrupt ended it. */
static int take_samples(struct record *r)
{
    int64_t silent_ns = 0;
    while ((r->n_wanted == 0 || r->n_written < r->n_wanted) && !app_sense_interrupted()) {
        struct phy_radio_block block;
        int rc = r->radio->ops->receive(r->radio, r->block, BLOCK_SAMPLES, receive_timeout_ns, &block);
        silent_ns = rc == -EAGAIN ? silent_ns + receive_timeout_ns : 0;
        if (rc == -EAGAIN && silent_ns < patience_ns)
            continue;
        if (rc == -EAGAIN) {
            snprintf(r->error, sizeof r->error, "no samples came for %d s", (int)(patience_ns / 1000000000));
            return -ETIMEDOUT;
        }
        if (rc != 0)
            return fail_radio(r, rc);
        if (r->radio->ops->idle_until && r->radio->ops->idle_until(r->radio, block.start_sample + block.n) < 0)
            return fail_radio(r, -EIO);
        rc = block.n > 0 ? keep(r, &block) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* What was recorded before a radio vanished, or before the gaps became too many, is kept; a full disk leaves nothing. */
static int finish(struct record *r, int rc)
{
    bool keeps = r->writer && r->n_written > 0 && (rc == 0 || rc == -ENODEV || rc == -ENOBUFS || rc == -ETIMEDOUT);
    char error[PHY_SIGMF_MAX_ERROR];
    int finish_rc = keeps ? phy_sigmf_finish(r->writer, "", NULL, 0, error) : 0;
    if (r->writer && (!keeps || finish_rc != 0))
        phy_sigmf_abort(r->writer);
    if (rc != 0)
        fprintf(stderr, "airdeed record: %s\n", r->error);
    if (finish_rc != 0)
        fprintf(stderr, "airdeed record: %s\n", error);
    if (rc == 0 && !keeps)
        fprintf(stderr, "airdeed record: nothing was recorded\n");
    if (keeps && finish_rc == 0)
        printf("%s: %llu samples, %u gaps with %llu lost, %llu clipped\n", r->out, (unsigned long long)r->n_written, r->n_gaps,
               (unsigned long long)r->n_lost, (unsigned long long)r->n_clipped);
    return rc == 0 && keeps && finish_rc == 0 ? APP_OK : APP_SYSTEM_FAILED;
}

static int record_radio(struct record *r)
{
    int code = app_radio_options_open(&r->options, "record", &r->radio);
    if (code)
        return code;
    double rate = r->radio->sample_rate_hz;
    r->n_wanted = r->options.n_samples > 0 ? r->options.n_samples : (uint64_t)((double)r->options.duration_ns * 1e-9 * rate + .5);
    code = finish(r, take_samples(r));
    app_radio_print_counters(r->radio, "record");
    r->radio->ops->close(r->radio);
    return code;
}

static int record(int argc, char **argv)
{
    struct record *r = calloc(1, sizeof *r);
    int code = APP_SYSTEM_FAILED;
    if (!r) {
        fprintf(stderr, "airdeed record: not enough memory\n");
        return code;
    }
    if (!parse(argc, argv, r, &code)) {
        code = app_radio_options_resolve(&r->options, "record");
        sigset_t before;
        app_sense_hold_signals(&before);
        code = code ? code : record_radio(r);
        app_radio_release_signals(&before);
    }
    free(r);
    return code;
}

const struct app_command app_command_record = {"record", "records what a radio hears as SigMF", record};
