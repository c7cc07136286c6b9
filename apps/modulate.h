/* What the files of `airdeed modulate` share: frames to samples, samples to a recording. */
#ifndef APPS_MODULATE_H
#define APPS_MODULATE_H

#include "phy/air/awgn.h"
#include "phy/crc.h"
#include "phy/radio/sigmf.h"
#include "phy/waveform.h"
#include "phy/wifi/modulate.h"

enum { APP_MODULATE_MAX_FRAMES = 100000 };

/* Either clause 17 with its choices, or a waveform behind its port. */
struct app_modulator {
    uint8_t scrambler; /* 0: follows the octets */
    unsigned window;
    unsigned n_rates;
    const struct phy_waveform *port; /* NULL for wifi */
    struct phy_waveform_demod *demod;
    void *mem;
};

/* Functions below that return int: 0, or an exit code, having printed one line. */
int app_modulator_open(struct app_modulator *m, const char *waveform);
void app_modulator_close(struct app_modulator *m);
double app_modulator_kbps_at_1msps(const struct app_modulator *m, unsigned rate_index);

/* A recording in the making. The caller sets the upper part, the rest is 0. */
struct app_recording {
    const char *path, *waveform;
    enum phy_sigmf_type type;
    double sample_rate_hz, amplitude, noise_power /* 0: none */, cfo_hz, ppm;
    uint64_t seed;

    struct phy_sigmf_writer *writer;
    struct phy_awgn noise;
    float complex *frame, *stretched; /* grow to the longest frame */
    size_t cap;
    uint64_t n_samples, n_clipped, n_frames;
    struct app_recording_note *notes; /* one a frame, grows */
    size_t cap_notes;
};

int app_recording_open(struct app_recording *r);
int app_recording_silence(struct app_recording *r, uint64_t n);
/* One frame at the present end, and its line on standard output. */
int app_recording_frame(struct app_recording *r, struct app_modulator *m, unsigned rate_index, const uint8_t *psdu, size_t psdu_len);
/* Metadata with an annotation a frame, and the last line. */
int app_recording_finish(struct app_recording *r);
/* Removes what was written where it was not finished. */
void app_recording_close(struct app_recording *r);
#endif
