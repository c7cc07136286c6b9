/* Carrier-offset fingerprints. What the estimate of an offset is worth is measured: frames of the production modulator through noise
 * into the production receiver. Long runs draw their errors from the estimates of those frames, and the oscillator wanders beneath. */
#include "apps/calibrate/link.h"
#include "apps/options.h"
#include "apps/validate/validate.h"
#include "mac/fingerprint.h"
#include "phy/waveform.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RATE_HZ = 10000000, MEASURED = 1000, LEARNED = 256, WITHIN = 20, WITHIN_MIXED = 40, RUN_FRAMES = 2000, FCS = 4 };
enum purpose { DRAW_ERROR = 1, DRAW_PHASE, DRAW_GAP, DRAW_SIDE, DRAW_WHO };

static const double carrier_hz = 5.2e9, drift_ppm = 1, drift_period_s = 3600, shift_in_spreads = 3;
static const double gap_s = .1; /* mean time from frame to frame, uniform between a tenth of it and nineteen tenths */

/* What the receiver said of each frame. */
struct measured {
    struct mac_rx_quality quality[MEASURED]; /* cfo_hz: the error */
    size_t n;
    double mean_hz, spread_hz;
};

static int measure(const struct app_validate *v, struct measured *m)
{
    const struct phy_waveform *wifi = phy_waveform_wifi();
    size_t psdu_len = (size_t)v->values[VALIDATE_PAYLOAD] + FCS;
    int64_t length_ns = (int64_t)(wifi->frame_samples(psdu_len, 0) * (1000000000u / RATE_HZ));
    struct app_link_config cfg = {.waveform = wifi, .sample_rate_hz = RATE_HZ, .seed = v->seed};
    struct app_link *link;
    int rc = app_link_open(&cfg, &link);
    double sum = 0, squares = 0;
    if (rc)
        return rc;
    for (uint64_t i = 0; i < MEASURED && rc == 0; i++) {
        struct app_link_trial trial = {.counter = i, .rate_index = 0, .psdu_len = psdu_len, .snr_db = v->values[VALIDATE_SNR]};
        struct app_link_outcome o;
        rc = app_link_run(link, &trial, &o);
        if (rc || !o.frame_ok)
            continue;
        m->quality[m->n++] = (struct mac_rx_quality){.end_ns = length_ns, .header_ok = true, .fcs_ok = true, .rssi_dbfs = o.rssi_dbfs,
                                                     .head_dbfs = o.rssi_dbfs, .snr_db = o.snr_db, .cfo_hz = o.cfo_error_hz};
        sum += o.cfo_error_hz;
        squares += o.cfo_error_hz * o.cfo_error_hz;
    }
    app_link_close(link);
    if (rc == 0 && m->n < MEASURED / 2)
        rc = -1;
    m->mean_hz = sum / (double)(m->n ? m->n : 1);
    m->spread_hz = sqrt(squares / (double)(m->n ? m->n : 1) - m->mean_hz * m->mean_hz);
    return rc;
}

/* One station under one address, frame by frame. */
struct source {
    const struct measured *measured;
    struct mac_fingerprint fingerprint;
    struct mac_fingerprint_peer peers[2];
    uint64_t seed, run, frame;
    double phase, time_s;
};

static double draw(const struct source *s, enum purpose purpose)
{
    return app_link_draw(s->seed ^ s->run * 0x9e3779b97f4a7c15u, purpose, s->frame);
}

static void begin(struct source *s, uint64_t seed, uint64_t run, const struct measured *m)
{
    struct mac_fingerprint_config cfg = mac_fingerprint_wifi(carrier_hz);
    *s = (struct source){.measured = m, .seed = seed, .run = run};
    mac_fingerprint_init(&s->fingerprint, &cfg, s->peers, 2);
    s->phase = 6.28318530717958648 * draw(s, DRAW_PHASE);
}

/* The next frame, off by shift_hz from where the station itself would be. */
static enum mac_fingerprint_verdict next(struct source *s, double shift_hz)
{
    const struct mac_address address = mac_address_of(7);
    s->frame++;
    s->time_s += gap_s * (.1 + 1.8 * draw(s, DRAW_GAP));
    struct mac_rx_quality q = s->measured->quality[(size_t)(draw(s, DRAW_ERROR) * (double)s->measured->n)];
    q.cfo_hz += shift_hz + drift_ppm * 1e-6 * carrier_hz * sin(s->phase + 6.28318530717958648 * s->time_s / drift_period_s);
    int64_t length_ns = q.end_ns;
    q.start_ns = (int64_t)(s->time_s * 1e9);
    q.end_ns = q.start_ns + length_ns;
    struct mac_fingerprint_reading reading;
    mac_fingerprint_observe(&s->fingerprint, &address, &q, &reading);
    return reading.verdict;
}

/* Whether one of the first `within` copied frames accuses, or an own one between; `share` of the frames are copies. */
static bool is_flagged(struct source *s, double share, int within)
{
    double shift_hz = shift_in_spreads * s->measured->spread_hz;
    for (int i = 0; i < LEARNED; i++)
        (void)next(s, 0);
    double side = draw(s, DRAW_SIDE) < .5 ? -1 : 1;
    for (int n = 0; n < within;) {
        bool copy = draw(s, DRAW_WHO) < share;
        n += copy;
        if (next(s, copy ? side * shift_hz : 0) != MAC_FINGERPRINT_NONE)
            return true;
    }
    return false;
}

static int run_spoof(struct app_validate *v)
{
    struct measured *m = calloc(1, sizeof *m);
    struct source s;
    uint64_t n_flagged = 0, n_alternating = 0, n_false = 0;
    if (!m || measure(v, m)) {
        fprintf(stderr, "airdeed validate spoof: --snr: frames of this length do not arrive, or there is no memory\n");
        free(m);
        return APP_BAD_USAGE;
    }
    for (uint64_t i = 0; i < v->trials; i++) {
        begin(&s, v->seed, 3 * i, m);
        n_flagged += is_flagged(&s, 1, WITHIN);
        begin(&s, v->seed, 3 * i + 1, m);
        n_alternating += is_flagged(&s, .5, WITHIN_MIXED);
        begin(&s, v->seed, 3 * i + 2, m);
        for (int k = 0; k < RUN_FRAMES; k++)
            n_false += next(&s, 0) != MAC_FINGERPRINT_NONE;
    }
    app_validate_constant(v, "frames_measured", (double)m->n);
    app_validate_constant(v, "cfo_mean_hz", m->mean_hz);
    app_validate_constant(v, "cfo_spread_hz", m->spread_hz);
    app_validate_constant(v, "drift_ppm", drift_ppm);
    app_validate_constant(v, "drift_period_s", drift_period_s);
    app_validate_constant(v, "frames_a_second", 1 / gap_s);
    app_validate_constant(v, "honest_frames", (double)(v->trials * RUN_FRAMES));
    free(m);
    app_validate_bound(v, "p_flag_20", n_flagged, v->trials, .95, true);
    app_validate_bound(v, "p_flag_40_alternating", n_alternating, v->trials, .95, true);
    app_validate_bound(v, "false_per_frame", n_false, v->trials * RUN_FRAMES, 1e-4, false);
    return 0;
}

const struct app_validate_case app_validate_spoof = {
    "spoof",
    "carrier-offset fingerprints (mac/fingerprint.h); their estimates' errors from 1000 frames through the production receiver",
    "p_flag_20 >= .95: an offset 3 standard deviations off accuses within 20 copied frames, or 40 among as many of the station's own; "
    "false_per_frame <= 1e-4 with an oscillator that wanders by +-1 ppm",
    {{VALIDATE_PAYLOAD, 112, 24, 1500}, {VALIDATE_SNR, 20, 3, 40}, {VALIDATE_TRIALS, 2000, 10, 1e6}},
    run_spoof,
};
