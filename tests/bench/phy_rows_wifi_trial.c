#include "tests/bench/wifi_trial.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/air/front_end.h"
#include "phy/crc.h"
#include "phy/phy.h"
#include "phy/waveform.h"
#include "phy/wifi/modulate.h"
#include "phy/wifi/wifi.h"
#include "tests/bench/phy_rows.h"

enum { MAX_FRAME = 120000, MAX_GAP = 1000, TAIL = 700, N_KERNEL = 24, MAX_BLOCK = MAX_FRAME + MAX_GAP + TAIL + N_KERNEL,
       MAX_RECEIVED = MAX_BLOCK + MAX_BLOCK / 4096 + PHY_FRONT_END_MAX_AHEAD };
static const double pi = 3.14159265358979324;

struct work {
    struct phy *phy;
    struct phy_front_end *front_end; /* NULL: none */
    struct phy_update update;
    struct phy_awgn noise, pulses;
    uint64_t random, position;
    uint8_t psdu[PHY_WIFI_MAX_PSDU];
    float complex frame[MAX_FRAME], block[MAX_BLOCK], pulse[MAX_BLOCK], received[MAX_RECEIVED];
};

static double draw(struct work *w) /* 0..1 */
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(w->random >> 11) / 9007199254740992.0;
}

static double complex draw_gaussian(struct work *w)
{
    double size = sqrt(-log(draw(w) + 1e-300)), angle = 2.0 * pi * draw(w);
    return size * cexp(I * angle);
}

static size_t make_frame(struct work *w, unsigned rate_index, size_t len)
{
    for (size_t i = 0; i < len; i++)
        w->psdu[i] = (uint8_t)(256.0 * draw(w));
    if (len > PHY_FCS_BYTES) {
        uint32_t fcs = phy_crc32(w->psdu, len - PHY_FCS_BYTES);
        for (size_t i = 0; i < PHY_FCS_BYTES; i++)
            w->psdu[len - PHY_FCS_BYTES + i] = (uint8_t)(fcs >> 8 * i);
    }
    struct phy_wifi_modulate cfg = {.rate_index = rate_index, .scrambler = (uint8_t)(1 + 126.9 * draw(w))};
    long n = phy_wifi_modulate(&cfg, w->psdu, len, w->frame, MAX_FRAME);
    if (n < 0)
        phy_rows_fail("modulate");
    return (size_t)n;
}

/* Impulse response of the trial's channel, a fraction of a sample of delay included. */
static void draw_channel(struct work *w, const struct wifi_trial *t, float complex kernel[N_KERNEL])
{
    static const int delay[3] = {0, 3, 7};
    static const double power[3] = {0.57065, 0.28600, 0.14335}; /* 0, -3, -6 dB, their sum 1 */
    double complex sum[N_KERNEL] = {0};
    unsigned n_taps = t->kind == WIFI_TRIAL_RAYLEIGH ? 3 : 1;
    double fraction = draw(w);
    for (unsigned tap = 0; tap < n_taps; tap++) {
        double complex gain = n_taps == 1 ? cexp(2.0 * I * pi * draw(w)) : sqrt(power[tap]) * draw_gaussian(w);
        for (int i = 0; i < 17; i++) { /* windowed sinc about 8 + fraction */
            double x = i - 8 - fraction, sinc = fabs(x) < 1e-9 ? 1.0 : sin(pi * x) / (pi * x);
            if (i + delay[tap] < N_KERNEL)
                sum[i + delay[tap]] += gain * sinc * (0.5 + 0.5 * cos(pi * x / 9.0));
        }
    }
    for (unsigned i = 0; i < N_KERNEL; i++)
        kernel[i] = (float complex)sum[i];
}

static void pass_channel(struct work *w, const struct wifi_trial *t, size_t n_frame, float complex *out)
{
    float complex kernel[N_KERNEL];
    draw_channel(w, t, kernel);
    for (size_t k = 0; k < N_KERNEL; k++) {
        float re = crealf(kernel[k]), im = cimagf(kernel[k]);
        const float *x = (const float *)w->frame;
        float *y = (float *)(out + k);
        for (size_t i = 0; i < n_frame; i++) {
            y[2 * i] += re * x[2 * i] - im * x[2 * i + 1];
            y[2 * i + 1] += re * x[2 * i + 1] + im * x[2 * i];
        }
    }
    double cfo = t->cfo_exact ? (draw(w) < 0.5 ? -1.0 : 1.0) : 2.0 * draw(w) - 1.0;
    double complex step = cexp(2.0 * I * pi * cfo * t->cfo_subcarriers / 64.0), turn = 1.0;
    for (size_t i = 0; i < n_frame + N_KERNEL; i++, turn *= step)
        out[i] *= (float complex)turn;
}

static void add_interference(struct work *w, const struct wifi_trial *t, size_t n)
{
    double power = pow(10.0, -t->sir_db / 10.0);
    if (t->kind == WIFI_TRIAL_TONE) {
        double complex step = cexp(2.0 * I * pi * (52.0 * draw(w) - 26.0) / 64.0), turn = sqrt(power) * cexp(2.0 * I * pi * draw(w));
        for (size_t i = 0; i < n; i++, turn *= step)
            w->block[i] += (float complex)turn;
    } else if (t->kind == WIFI_TRIAL_PULSE) {
        memset(w->pulse, 0, n * sizeof *w->pulse);
        phy_awgn_add(&w->pulses, w->position, (float)power, w->pulse, n);
        for (size_t i = 0; i < n; i++)
            w->block[i] += (w->position + i) % 800 < 80 ? w->pulse[i] : 0.0f;
    }
}

/* Feeds n samples; true if the frame came out of them. */
static bool receive(struct work *w, const float complex *samples, size_t n, size_t len)
{
    bool found = false;
    for (size_t at = 0; at < n; at += PHY_MAX_STEP_SAMPLES) {
        size_t n_step = n - at < PHY_MAX_STEP_SAMPLES ? n - at : PHY_MAX_STEP_SAMPLES;
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples + at, n_step}};
        if (phy_step(w->phy, &event, &w->update))
            phy_rows_fail("phy_step");
        for (size_t i = 0; i < w->update.n_signals; i++) {
            const struct phy_signal *s = &w->update.signals[i];
            found = found || (s->kind == PHY_FRAME && s->frame.fcs_ok && s->frame.psdu_len == len &&
                              memcmp(s->frame.psdu, w->psdu, len) == 0);
        }
    }
    return found;
}

static bool try_frame(struct work *w, const struct wifi_trial *t)
{
    size_t len = t->psdu_len ? t->psdu_len : (size_t)(5.0 + 1500.0 * draw(w) * draw(w));
    unsigned rate_index = t->psdu_len ? t->rate_index : (unsigned)(8.0 * draw(w));
    size_t gap = t->psdu_len ? 100 + (size_t)(800.0 * draw(w)) : 6 + (draw(w) < 0.5 ? 0 : (size_t)(300.0 * draw(w)));
    size_t n_frame = make_frame(w, rate_index, len);
    /* without noise frames stand as close as gap says; the receiver knows the end of each when it is there */
    size_t n = gap + n_frame + N_KERNEL + (isinf(t->es_n0_db) ? 0 : TAIL);
    memset(w->block, 0, n * sizeof *w->block);
    if (isinf(t->es_n0_db)) {
        memcpy(w->block + gap, w->frame, n_frame * sizeof *w->frame);
        n -= N_KERNEL;
    } else {
        pass_channel(w, t, n_frame, w->block + gap);
        double noise = pow(10.0, -(t->es_n0_db - 10.0 * log10(64.0 / 52.0)) / 10.0);
        phy_awgn_add(&w->noise, w->position, (float)noise, w->block, n);
    }
    add_interference(w, t, n);
    w->position += n;
    if (!w->front_end)
        return receive(w, w->block, n, len);
    for (size_t i = 0; i < n; i++)
        w->block[i] *= 0.0316f;
    n = phy_front_end_receive(w->front_end, w->block, n, w->received);
    return receive(w, w->received, n, len);
}

static void open_front_end(struct work *w, const struct wifi_trial *t)
{
    static void *mem;
    struct phy_front_end_config cfg;
    const char *bad_field;
    w->front_end = NULL;
    if (!t->b210)
        return;
    if (phy_front_end_preset("b210", 5.18e9, 20000000, &cfg))
        phy_rows_fail("the front end's preset");
    cfg.ppm = 2.0; /* of the carrier, beside the offset that the trial draws, and of the sample clock */
    if (!mem)
        mem = phy_rows_memory(phy_front_end_bytes());
    if (phy_front_end_init(mem, (phy_front_end_bytes() + 63) / 64 * 64, &cfg, &w->front_end, &bad_field))
        phy_rows_fail(bad_field);
}

unsigned wifi_trial_count_lost(const struct wifi_trial *t)
{
    static struct work *w; /* some megabytes, kept for the next trial */
    static void *mem;
    struct phy_config cfg = {.waveform = phy_waveform_wifi(), .sample_rate_hz = 20000000, .noise_dbfs = -20.0, .cca_energy_db = 10.0,
                             .cca_samples = 64, .simd = t->simd};
    const char *bad_field;
    if (!w) {
        w = phy_rows_memory(sizeof *w);
        mem = phy_rows_memory(phy_bytes(&cfg));
    }
    if (phy_init(mem, (phy_bytes(&cfg) + 63) / 64 * 64, &cfg, &w->phy, &bad_field))
        phy_rows_fail("phy_init");
    open_front_end(w, t);
    w->random = 1;
    w->position = 0;
    phy_awgn_init(&w->noise, 1, 1, t->simd);
    phy_awgn_init(&w->pulses, 1, 2, t->simd);
    unsigned n_lost = 0;
    for (unsigned i = 0; i < t->n_frames; i++)
        n_lost += !try_frame(w, t);
    phy_close(w->phy);
    return n_lost;
}
