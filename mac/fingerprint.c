#include "mac/fingerprint.h"
#include "mac/frame.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { KNOWN = MAC_FINGERPRINT_KNOWN, FEW_FITS = 16, LEAST_LENGTH_NS = 128000 };

static const double gate = 2.0;            /* in spreads: what fits */
static const double variance_in_gate = .774; /* of a normal law cut off there */
static const double least_shift = 3.0;     /* in spreads: what the scores are made for */
static const double log_half = -0.693147;
static const double most_score = 5.0;      /* one or two frames never accuse */
static const double threshold = 11.0;      /* two CUSUMs: at most 2 exp(-11) = 3.3e-5 false accusations a frame */
static const double suspicion = 3.0;       /* of either: no frame moves the filter, lest a copy draw it near */
static const double maneuver = 5.0;        /* the filter's acceleration over the oscillator's largest: it lags less than its spread */
static const double most_scale = 16;       /* of the variance: what a length of frame begins with */
static const double least_scale = 1 / 64.0;
static const double two_pi = 6.283185307179586;

struct mac_fingerprint_config mac_fingerprint_wifi(double carrier_hz)
{
    return (struct mac_fingerprint_config){.spread_turns = .02, .drift_hz = 1e-6 * carrier_hz, .drift_period_ns = 3600000000000};
}

void mac_fingerprint_init(struct mac_fingerprint *f, const struct mac_fingerprint_config *cfg, struct mac_fingerprint_peer *peers,
                          size_t n_peers)
{
    assert(n_peers > 0 && cfg->spread_turns > 0 && cfg->drift_hz > 0 && cfg->drift_period_ns > 0);
    memset(peers, 0, n_peers * sizeof *peers);
    *f = (struct mac_fingerprint){.cfg = *cfg, .peers = peers, .n_peers = n_peers};
}

/* --- places --- */

static bool goes_before(const struct mac_fingerprint_peer *a, const struct mac_fingerprint_peer *b)
{
    bool known_a = a->n_frames >= KNOWN, known_b = b->n_frames >= KNOWN;
    return known_a != known_b ? known_b : a->used < b->used;
}

static struct mac_fingerprint_peer *find(struct mac_fingerprint *f, const struct mac_address *address)
{
    struct mac_fingerprint_peer *first = &f->peers[0];
    for (size_t i = 0; i < f->n_peers; i++) {
        struct mac_fingerprint_peer *peer = &f->peers[i];
        if (peer->used && mac_address_equal(&peer->address, address))
            return peer;
        if (goes_before(peer, first))
            first = peer;
    }
    *first = (struct mac_fingerprint_peer){.address = *address};
    return first;
}

/* --- the offset --- */

/* 10^(-db / 10) by + - * / alone, straight between whole dB: within 1 %. Estimates get little better above 20 dB. */
static double falling_with(double snr_db)
{
    static const double tenths[10] = {1, .7943282, .6309573, .5011872, .3981072, .3162278, .2511886, .1995262, .1584893, .1258925};
    double db = snr_db < 0 ? 0 : snr_db > 20 ? 20 : snr_db, decade = 1;
    for (; db >= 10; db -= 10)
        decade *= .1;
    int whole = (int)db;
    double next = whole == 9 ? .1 : tenths[whole + 1];
    return decade * (tenths[whole] + (db - whole) * (next - tenths[whole]));
}

static double expected_variance(const struct mac_fingerprint_config *cfg, const struct mac_rx_quality *q)
{
    double length_s = q->end_ns > q->start_ns ? (double)(q->end_ns - q->start_ns) * 1e-9 : 1e-6;
    return cfg->spread_turns / length_s * (cfg->spread_turns / length_s) * falling_with(q->snr_db);
}

static size_t octave_of(const struct mac_rx_quality *q)
{
    size_t octave = 0;
    for (int64_t ns = LEAST_LENGTH_NS; ns < q->end_ns - q->start_ns && octave < MAC_FINGERPRINT_LENGTHS - 1; ns *= 2)
        octave++;
    return octave;
}

static double radians_a_second(const struct mac_fingerprint_config *cfg)
{
    return two_pi * 1e9 / (double)cfg->drift_period_ns;
}

static void enrol(const struct mac_fingerprint_config *cfg, struct mac_fingerprint_peer *p, const struct mac_rx_quality *q)
{
    double rate = cfg->drift_hz * radians_a_second(cfg);
    p->n_frames = 0;
    p->offset_hz = q->cfo_hz;
    p->rate_hz_s = 0;
    p->p_ff = most_scale * expected_variance(cfg, q);
    p->p_fr = 0;
    p->p_rr = rate * rate;
    for (size_t i = 0; i < MAC_FINGERPRINT_LENGTHS; i++) {
        p->lengths[i].scale = most_scale;
        p->lengths[i].n = 0;
    }
    p->power_db = q->rssi_dbfs;
    p->power_variance = 9; /* until it is known better */
    p->above = p->below = 0;
    p->fits = 0;
}

/* Where the oscillator may have gone since the last frame. What is left unheard for long is known no better than it can wander. */
static void predict(const struct mac_fingerprint_config *cfg, struct mac_fingerprint_peer *p, int64_t now_ns)
{
    double omega = radians_a_second(cfg), dt = now_ns > p->last_ns ? (double)(now_ns - p->last_ns) * 1e-9 : 0;
    double step = maneuver * cfg->drift_hz * omega * omega * dt; /* of the rate */
    p->offset_hz += p->rate_hz_s * dt;
    p->p_ff += dt * (2 * p->p_fr + dt * p->p_rr) + step * step * dt * dt / 4;
    p->p_fr += dt * p->p_rr + step * step * dt / 2;
    p->p_rr += step * step;
    if (p->p_ff > cfg->drift_hz * cfg->drift_hz) {
        p->offset_hz -= p->rate_hz_s * dt;
        p->rate_hz_s = 0;
        p->p_ff = cfg->drift_hz * cfg->drift_hz;
        p->p_fr = 0;
        p->p_rr = p->p_ff * omega * omega;
    }
}

/* A frame that fits. error: against the prediction; total: that error's variance, to which the estimate itself gave `variance`. */
static void correct(struct mac_fingerprint_peer *p, size_t octave, double error, double total, double variance)
{
    double gain_f = p->p_ff / total, gain_r = p->p_fr / total, r = error * error / total;
    p->offset_hz += gain_f * error;
    p->rate_hz_s += gain_r * error;
    p->p_rr -= gain_r * p->p_fr;
    p->p_fr -= gain_f * p->p_fr;
    p->p_ff -= gain_f * p->p_ff;
    if (2 * variance < total) /* mostly the prediction's error, which tells nothing of the estimate's */
        return;
    double *scale = &p->lengths[octave].scale;
    uint32_t n = ++p->lengths[octave].n;
    *scale *= 1 + (r / variance_in_gate - 1) / (n < 4 ? 4 : n < 256 ? n : 256);
    *scale = *scale < least_scale ? least_scale : *scale > most_scale ? most_scale : *scale;
}

/* --- the test --- */

/* Power changes by fading and by a step aside: its score pays for a deviation less than an offset that fits costs. Between -.14 and .6. */
static double score_power(struct mac_fingerprint_peer *p, double rssi_dbfs, bool fits)
{
    const double stays = -.1438, changed = -2.0794; /* half of log 3/4, log 1/8 */
    double error = rssi_dbfs - p->power_db, u = error / sqrt(p->power_variance);
    double l = (changed + least_shift * (u < 0 ? -u : u) - least_shift * least_shift / 2) / 2;
    if (fits) {
        p->power_db += error / 16;
        p->power_variance += (error * error - p->power_variance) / 64;
        p->power_variance = p->power_variance < 1 ? 1 : p->power_variance;
    }
    return l < stays ? stays : l > .6 ? .6 : l;
}

static double score_offset(double error, double shift, double total)
{
    double l = log_half + (error - shift / 2) * shift / total;
    return l < log_half ? log_half : l > most_score ? most_score : l;
}

static double sum_up(double sum, double score)
{
    return sum + score > 0 ? sum + score : 0;
}

static unsigned count_bits(uint64_t x)
{
    unsigned n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}

static enum mac_fingerprint_verdict judge(const struct mac_fingerprint_config *cfg, struct mac_fingerprint_peer *p,
                                          const struct mac_rx_quality *q)
{
    if (p->n_frames >= 64 && count_bits(p->fits) < FEW_FITS) {
        enrol(cfg, p, q);
        return MAC_FINGERPRINT_MOVED;
    }
    if (p->above < threshold && p->below < threshold)
        return MAC_FINGERPRINT_NONE;
    p->above = p->below = 0;
    return MAC_FINGERPRINT_COPIED;
}

static void take_frame(const struct mac_fingerprint_config *cfg, struct mac_fingerprint_peer *p, const struct mac_rx_quality *q,
                       struct mac_fingerprint_reading *out)
{
    size_t octave = octave_of(q);
    predict(cfg, p, q->start_ns);
    double variance = p->lengths[octave].scale * expected_variance(cfg, q), shift = least_shift * sqrt(variance);
    double error = q->cfo_hz - p->offset_hz, total = p->p_ff + variance;
    out->fits = error * error <= gate * gate * total;
    out->spread_hz = sqrt(variance);
    out->deviation = error / sqrt(total);
    double power = score_power(p, q->rssi_dbfs, out->fits);
    if (p->n_frames >= KNOWN) {
        p->above = sum_up(p->above, score_offset(error, shift, total) + power);
        p->below = sum_up(p->below, score_offset(-error, shift, total) + power);
    }
    if (out->fits && p->above < suspicion && p->below < suspicion)
        correct(p, octave, error, total, variance);
}

void mac_fingerprint_observe(struct mac_fingerprint *f, const struct mac_address *address, const struct mac_rx_quality *q,
                             struct mac_fingerprint_reading *out)
{
    *out = (struct mac_fingerprint_reading){0};
    if (!isfinite(q->cfo_hz) || !isfinite(q->snr_db) || !isfinite(q->rssi_dbfs))
        return;
    struct mac_fingerprint_peer *p = find(f, address);
    p->used = ++f->serial;
    if (p->n_frames == 0)
        enrol(&f->cfg, p, q);
    else
        take_frame(&f->cfg, p, q, out);
    p->last_ns = q->start_ns;
    p->fits = p->fits << 1 | out->fits;
    p->n_frames += p->n_frames < UINT32_MAX;
    out->n_frames = p->n_frames;
    out->verdict = judge(&f->cfg, p, q);
    out->offset_hz = p->offset_hz;
}
