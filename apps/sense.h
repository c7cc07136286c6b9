/* What the files of `airdeed sense` share. */
#ifndef APPS_SENSE_H
#define APPS_SENSE_H

#include "phy/radio/sigmf.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

enum app_sense_format { APP_SENSE_TEXT, APP_SENSE_JSON, APP_SENSE_RTL_POWER };
enum { APP_SENSE_BLOCK = 1 << 14, APP_SENSE_MAX_ANNOTATIONS = 100000, APP_SENSE_MAX_PATH = 4096 };

struct app_sense_options {
    const char *command; /* in messages */
    const char *path;
    const char *out;       /* NULL: standard output */
    const char *waterfall; /* NULL: none */
    enum app_sense_format format;
    bool annotate;
    double p_fa;
    uint64_t n_fft;
    bool n_fft_given;
    double floor_dbfs; /* NAN: estimate it */
    int64_t join_ns, min_ns, interval_ns;
    const char *method; /* with it, or more than one channel: decisions in place of bursts; NULL: energy */
    uint64_t n_channels, lag_samples;
    double uncertainty_db;
};

/* What a first pass over the recording tells. */
struct app_sense_scan {
    double noise_power;       /* 0 where the recording is silent throughout */
    const char *floor_method; /* "given", "declared", "quiet time", "quiet band" */
    uint64_t n_clipped, n_lost;
    double silent_share; /* of the windows in which every sample is zero */
};

struct app_sense_burst {
    uint64_t start_sample, file_sample, n_samples;
    double mean_dbfs, peak_dbfs, snr_db;
    bool has_band;
    double low_hz, high_hz; /* relative to the centre */
};

/* Everything one run works with. */
struct app_sense {
    struct app_sense_options options;
    struct phy_radio *radio;
    struct phy_sigmf_meta meta;
    struct app_sense_scan scan;
    FILE *report;
    float complex *block; /* APP_SENSE_BLOCK samples */
};

/* A line on standard error while it is a terminal and the recording is large; done: wipes it. */
void app_sense_progress(const struct app_sense *s, const char *what, uint64_t n_done, bool done);
/* A file under a temporary name, so that nothing half-written stays behind; what is no regular file (a pipe, a terminal, a
 * device) is written as it is and never replaced. path NULL: standard output. close: code is how it went so far; the file is
 * removed where it is not 0. Both return 0 or an exit code, having printed one line. */
struct app_sense_out {
    FILE *file;
    const char *path;
    char partial[APP_SENSE_MAX_PATH];
    sigset_t signals_before;
};
int app_sense_out_open(struct app_sense_out *o, const char *path);
int app_sense_out_close(struct app_sense_out *o, int code);
/* While a file has its temporary name SIGINT and SIGTERM wait: the passes end early (without a line) where one came, the file is
 * removed, and the signal then does what it does. */
void app_sense_hold_signals(sigset_t *before_out);
bool app_sense_interrupted(void);
/* Each returns 0 or an exit code, having printed one line on standard error. The scan is what `airdeed replay` uses, too: it
 * takes command, path, n_fft and floor_dbfs of the options, and leaves the stream at its end. */
int app_sense_fail_to_read(const struct app_sense *s, int err);
int app_sense_next_block(struct app_sense *s, size_t most, struct phy_radio_block *block_out); /* into s->block; n 0: the end */
int app_sense_make_scan(struct app_sense *s);
int app_sense_report_bursts(struct app_sense *s);
int app_sense_report_rtl_power(struct app_sense *s);
int app_sense_report_verdicts(struct app_sense *s);
int app_sense_draw_waterfall(struct app_sense *s);
/* report.c */
void app_sense_print_head(const struct app_sense *s);
void app_sense_print_burst(const struct app_sense *s, uint64_t index, const struct app_sense_burst *burst);
void app_sense_print_tail(const struct app_sense *s, uint64_t n_bursts, double occupied_share);
#endif
