/* airdeed sense: what a recording says about the use of the spectrum. */
#include "apps/sense.h"
#include "apps/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void app_sense_progress(const struct app_sense *s, const char *what, uint64_t n_done, bool done)
{
    enum { LARGE_SAMPLES = 20000000, STEP_BLOCKS = 64 };
    if (s->meta.n_samples < LARGE_SAMPLES || !isatty(STDERR_FILENO))
        return;
    if (done)
        fprintf(stderr, "\r%*s\r", 40, "");
    else if (n_done / APP_SENSE_BLOCK % STEP_BLOCKS == 0)
        fprintf(stderr, "\r%s: %3.0f %%", what, 100 * (double)n_done / (double)s->meta.n_samples);
}

static int parse_format(struct app_sense_options *o, const char *format, bool json)
{
    static const char *const names[] = {"text", "json", "rtl-power"};
    if (json && format && strcmp(format, "json") != 0) {
        fprintf(stderr, "airdeed sense: --json and --format %s exclude each other\n", format);
        return APP_BAD_USAGE;
    }
    for (size_t i = 0; i < 3; i++)
        if (strcmp(format ? format : json ? "json" : "text", names[i]) == 0) {
            o->format = (enum app_sense_format)i;
            return 0;
        }
    fprintf(stderr, "airdeed sense: option '--format': '%s' is none of text, json, rtl-power\n", format);
    return APP_BAD_USAGE;
}

/* Decisions, rather than bursts or spectra. */
static bool wants_verdicts(const struct app_sense_options *o)
{
    return o->method || o->n_channels > 1;
}

static int check_options(const struct app_sense_options *o, bool lag_given, bool uncertainty_given)
{
    if (o->n_fft & (o->n_fft - 1)) {
        fprintf(stderr, "airdeed sense: option '--fft': '%llu' is no power of two\n", (unsigned long long)o->n_fft);
        return APP_BAD_USAGE;
    }
    if (o->annotate && o->format == APP_SENSE_RTL_POWER) {
        fprintf(stderr, "airdeed sense: --annotate marks bursts, --format rtl-power finds none\n");
        return APP_BAD_USAGE;
    }
    if (wants_verdicts(o) && (o->annotate || o->format == APP_SENSE_RTL_POWER)) {
        fprintf(stderr, "airdeed sense: --method and --channels give decisions, no %s\n",
                o->annotate ? "bursts for --annotate" : "spectra for --format rtl-power");
        return APP_BAD_USAGE;
    }
    if (lag_given && (!o->method || strcmp(o->method, "cp") != 0)) {
        fprintf(stderr, "airdeed sense: option '--lag' goes with --method cp\n");
        return APP_BAD_USAGE;
    }
    if (uncertainty_given && (!wants_verdicts(o) || (o->method && strcmp(o->method, "energy") != 0))) {
        fprintf(stderr, "airdeed sense: option '--uncertainty' goes with --method energy\n");
        return APP_BAD_USAGE;
    }
    return 0;
}

/* 0 to go on, 1 to leave with *exit_out */
static int parse_options(int argc, char **argv, struct app_sense_options *o, int *exit_out)
{
    const char *format = NULL;
    bool json = false, p_fa_given = false, interval_given = false, lag_given = false, uncertainty_given = false;
    *o = (struct app_sense_options){.command = "sense", .p_fa = 1e-6, .n_fft = 256, .floor_dbfs = NAN, .min_ns = 4000, .interval_ns = 10000000000,
        .n_channels = 1, .lag_samples = 64};
    const struct app_option options[] = {
        {"format", APP_TEXT, &format, "FORMAT", "text, json or rtl-power (default text)", 0, 0, NULL},
        {"json", APP_FLAG, &json, NULL, "the same as --format json", 0, 0, NULL},
        {"annotate", APP_FLAG, &o->annotate, NULL, "add the bursts to the recording's metadata", 0, 0, NULL},
        {"out", APP_TEXT, &o->out, "FILE", "report to FILE; with --annotate: the metadata to FILE", 0, 0, NULL},
        {"method", APP_TEXT, &o->method, "NAME", "decisions in place of bursts: energy, welch, cp or mme", 0, 0, NULL},
        {"channels", APP_U64, &o->n_channels, "K", "decisions in K equal channels of the band (default 1)", 1, 64, NULL},
        {"uncertainty", APP_REAL, &o->uncertainty_db, "DB", "energy: the noise is known to this, up and down (default 0)", 0, 60,
         &uncertainty_given},
        {"lag", APP_U64, &o->lag_samples, "SAMPLES", "cp: symbol without its prefix (default 64)", 1, 65536, &lag_given},
        {"waterfall", APP_TEXT, &o->waterfall, "FILE.png", "draw the spectrum over time", 0, 0, NULL},
        {"pfa", APP_REAL, &o->p_fa, "P", "false alarms a window of .8 us (default 1e-6) or decision (.01)", 1e-12, .1, &p_fa_given},
        {"fft", APP_U64, &o->n_fft, "BINS", "of a spectrum, a power of two (default 256)", 16, 65536, &o->n_fft_given},
        {"floor", APP_REAL, &o->floor_dbfs, "DBFS", "noise floor, where it is known better (default: estimated)", -300, 100, NULL},
        {"join", APP_DURATION_NS, &o->join_ns, "TIME", "bursts closer than this are one (default: pulses of a message only)",
         0, 1e12, NULL},
        {"min", APP_DURATION_NS, &o->min_ns, "TIME", "shorter bursts are dropped (default 4us)", 0, 1e12, NULL},
        {"interval", APP_DURATION_NS, &o->interval_ns, "TIME", "that a row of rtl-power (default 10s) or a decision (1ms) covers", 1e3, 1e14, &interval_given},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    int n_positional;
    if (app_options_parse(argc, argv, options, "sense FILE.sigmf-meta [options]",
                          "Tells the noise floor of a SigMF recording, the share of time in which it is occupied, and each burst.",
                          &n_positional, exit_out))
        return 1;
    *exit_out = APP_BAD_USAGE;
    if (n_positional != 1) {
        fprintf(stderr, "airdeed sense: %s; 'airdeed sense --help' tells how\n",
                n_positional ? "takes one recording" : "which recording?");
        return 1;
    }
    o->path = argv[1];
    if (wants_verdicts(o)) {
        o->p_fa = p_fa_given ? o->p_fa : .01;
        o->interval_ns = interval_given ? o->interval_ns : 1000000;
    }
    return parse_format(o, format, json) || check_options(o, lag_given, uncertainty_given);
}

/* The first pass, where something of what was asked for needs it; then the others. */
static int report(struct app_sense *s)
{
    bool rtl_power = s->options.format == APP_SENSE_RTL_POWER;
    int code = 0;
    if (!rtl_power || s->options.waterfall) {
        code = app_sense_make_scan(s);
        phy_sigmf_rewind(s->radio);
    }
    if (!code && s->options.waterfall)
        code = app_sense_draw_waterfall(s);
    if (code)
        return code;
    if (wants_verdicts(&s->options))
        return app_sense_report_verdicts(s);
    return rtl_power ? app_sense_report_rtl_power(s) : app_sense_report_bursts(s);
}

static int write_report(struct app_sense *s)
{
    struct app_sense_out out;
    int code = app_sense_out_open(&out, s->options.annotate ? NULL : s->options.out);
    if (code)
        return code;
    s->report = out.file;
    return app_sense_out_close(&out, report(s));
}

static int open_and_sense(struct app_sense *s)
{
    char error[PHY_SIGMF_MAX_ERROR];
    int err = phy_sigmf_open(s->options.path, &s->radio, &s->meta, error);
    if (err) {
        fprintf(stderr, "airdeed sense: %s\n", error);
        return err == -ENOMEM || err == -EIO ? APP_SYSTEM_FAILED : APP_BAD_USAGE;
    }
    if (s->meta.warning[0])
        fprintf(stderr, "airdeed sense: warning: %s\n", s->meta.warning);
    s->block = malloc(APP_SENSE_BLOCK * sizeof *s->block);
    int code = s->block ? write_report(s) : APP_SYSTEM_FAILED;
    free(s->block);
    s->radio->ops->close(s->radio);
    return code;
}

static int sense(int argc, char **argv)
{
    struct app_sense *s = calloc(1, sizeof *s);
    if (!s) {
        fprintf(stderr, "airdeed sense: not enough memory\n");
        return APP_SYSTEM_FAILED;
    }
    int code;
    if (!parse_options(argc, argv, &s->options, &code))
        code = open_and_sense(s);
    free(s);
    return code;
}

const struct app_command app_command_sense = {"sense", "tells what a SigMF recording holds: noise floor, occupied share, bursts", sense};
