/* The detector of clause 17 preambles: how fast it listens, how often it is wrong, how seldom it misses. */
#include "tests/bench/phy_rows.h"

#include <complex.h>
#include <liquid/liquid.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/flex/flex_frame.h"
#include "phy/phy.h"
#include "phy/waveform.h"
#include "phy/wifi/detect.h"
#include "phy/wifi/modulate.h"

enum { STEP = 4000, N_BUFFER = STEP * 25, N_IDLE = 10 * N_BUFFER, N_PIECE = 1 << 16, FRAME_BYTES = 100, GAP = 600, MAX_BURST = 4000 };

struct detect {
    enum phy_simd simd;
    struct phy_wifi_detect *detector;
    struct phy *listener;
    struct phy_update update;
    struct phy_awgn awgn;
    float complex *noise;  /* N_BUFFER, as a radio's driver uses its buffers again and again */
    float complex *stream; /* what the detector still needs, and a piece behind it */
    float complex *burst;
    ofdmflexframesync stock;
    uint64_t random;
};

static struct phy_wifi_detect *open_detector(struct detect *x, int max_subcarriers)
{
    struct phy_wifi_detect_config cfg = {.simd = x->simd, .max_subcarriers = max_subcarriers};
    return phy_wifi_detect_init(x->detector, &cfg);
}

/* --- speed --- */

/* The whole receiver: power, CCA and detection, behind the PHY machine. */
static double run_idle(void *ctx)
{
    struct detect *x = ctx;
    for (size_t at = 0; at < N_IDLE; at += STEP) {
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {x->noise + at % N_BUFFER, STEP}};
        if (phy_step(x->listener, &event, &x->update))
            phy_rows_fail("phy_step");
    }
    return 0;
}

static bool check_idle(void *ctx)
{
    struct detect *x = ctx;
    struct phy_stats stats;
    phy_stats(x->listener, &stats);
    return stats.n_samples > 0 && stats.n_locks == 0;
}

static double run_stock(void *ctx)
{
    struct detect *x = ctx;
    for (size_t at = 0; at < N_IDLE; at += STEP)
        ofdmflexframesync_execute(x->stock, x->noise + at % N_BUFFER, STEP);
    return 0;
}

static int ignore_frame(unsigned char *header, int header_ok, unsigned char *payload, unsigned len, int payload_ok,
                        framesyncstats_s stats, void *ctx)
{
    (void)header, (void)header_ok, (void)payload, (void)len, (void)payload_ok, (void)stats, (void)ctx;
    return 0;
}

/* --- false alarms --- */

struct tone {
    double amplitude, frequency; /* turns a sample */
};

/* Tones in steady steps of phase: exact to some 1e-5 over a piece. */
static void add_tone(float complex *out, size_t n, const struct tone *tone, uint64_t start)
{
    const double two_pi = 6.283185307179586;
    for (size_t at = 0; at < n; at += 256) {
        double turns = tone->frequency * (double)(start + at);
        double angle = two_pi * (turns - floor(turns));
        float complex step = CMPLXF((float)cos(two_pi * tone->frequency), (float)sin(two_pi * tone->frequency));
        float complex phasor = CMPLXF((float)(tone->amplitude * cos(angle)), (float)(tone->amplitude * sin(angle)));
        for (size_t i = at; i < at + 256; i++) {
            out[i] += phasor;
            phasor = CMPLXF(crealf(phasor) * crealf(step) - cimagf(phasor) * cimagf(step),
                            crealf(phasor) * cimagf(step) + cimagf(phasor) * crealf(step));
        }
    }
}

/* Preambles found in n samples of noise of power 1 and a tone. */
static double count_alarms(struct detect *x, uint64_t first, uint64_t n, const struct tone *tone, int max_subcarriers)
{
    struct phy_wifi_detect *d = open_detector(x, max_subcarriers);
    size_t n_kept = 0;
    uint64_t n_found = 0;
    for (uint64_t end = N_PIECE; end < n + N_PIECE; end += N_PIECE) {
        float complex *piece = x->stream + n_kept;
        struct phy_wifi_preamble found;
        memset(piece, 0, N_PIECE * sizeof *piece);
        phy_awgn_add(&x->awgn, first + end - N_PIECE, 1.0f, piece, N_PIECE);
        if (tone)
            add_tone(piece, N_PIECE, tone, end - N_PIECE);
        while (phy_wifi_detect(d, x->stream, end - N_PIECE - n_kept, end, &found))
            n_found++;
        size_t n_needed = (size_t)(end - phy_wifi_detect_needs(d));
        memmove(x->stream, piece + N_PIECE - n_needed, n_needed * sizeof *piece);
        n_kept = n_needed;
    }
    return (double)n_found;
}

static double count_noise_alarms(void *ctx)
{
    return count_alarms(ctx, 0, 1000000000, NULL, 0);
}

/* Ten tones and direct current, 1e7 samples of each; multiples of fs / 16 and of the subcarrier spacing among them. */
static double count_tone_alarms(void *ctx)
{
    static const struct tone tones[10] = {
        {1.0, 0.0},          {10.0, 1.0 / 16},    {0.5, 4.0 / 16},   {3.0, -7.0 / 16}, {1.0, 1.0 / 64},
        {30.0, -5.0 / 64},   {2.0, 11.0 / 64},    {1.0, 0.123456},   {100.0, -0.31},   {0.7, 0.4},
    };
    double n_found = 0;
    for (uint64_t i = 0; i < 10; i++)
        n_found += count_alarms(ctx, i << 32, 10000000, &tones[i], i % 2 ? 4 : 0);
    return n_found;
}

/* --- misses --- */

static double draw(struct detect *x)
{
    x->random = x->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(x->random >> 11) / 9007199254740992.0;
}

/* Adds a frame with a carrier offset to an empty stretch with noise; was its preamble found within 8 samples of its place? */
static bool try_frame(struct detect *x, uint64_t key, float noise, double max_cfo)
{
    const double two_pi = 6.283185307179586;
    uint8_t psdu[FRAME_BYTES];
    for (size_t i = 0; i < sizeof psdu; i++)
        psdu[i] = (uint8_t)(256.0 * draw(x));
    struct phy_wifi_modulate cfg = {.rate_index = 4, .scrambler = 93};
    long n_burst = phy_wifi_modulate(&cfg, psdu, sizeof psdu, x->burst, MAX_BURST);
    if (n_burst < 0)
        phy_rows_fail("modulation");
    size_t start = GAP + (size_t)(64.0 * draw(x)), n = start + (size_t)n_burst + GAP;
    double cfo = max_cfo * (2.0 * draw(x) - 1.0);
    memset(x->stream, 0, n * sizeof *x->stream);
    for (size_t i = 0; i < (size_t)n_burst; i++) {
        double angle = two_pi * cfo * (double)i;
        x->stream[start + i] = x->burst[i] * CMPLXF((float)cos(angle), (float)sin(angle));
    }
    phy_awgn_add(&x->awgn, key * N_PIECE, noise, x->stream, n);
    struct phy_wifi_detect *d = open_detector(x, 0);
    struct phy_wifi_preamble found;
    while (phy_wifi_detect(d, x->stream, 0, n, &found))
        if (found.start_sample + 8 >= start && found.start_sample <= start + 8)
            return true;
    return false;
}

/* Es/N0 0 dB, +-40 kHz at 20 Msps. */
static double find_share_at_0_db(void *ctx)
{
    enum { N_TRIALS = 5000 };
    struct detect *x = ctx;
    size_t n_found = 0;
    for (uint64_t i = 0; i < N_TRIALS; i++)
        n_found += try_frame(x, i, 64.0f / 52.0f, 40e3 / 20e6);
    return (double)n_found / N_TRIALS;
}

static struct phy *open_listener(enum phy_simd simd)
{
    struct phy_config cfg = {
        .waveform = phy_waveform_find("wifi"),
        .sample_rate_hz = 20000000,
        .noise_dbfs = -20.0,
        .cca_energy_db = 6.0,
        .cca_samples = 80,
        .simd = simd,
    };
    const char *bad_field;
    struct phy *listener;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    if (phy_init(phy_rows_memory(len), len, &cfg, &listener, &bad_field))
        phy_rows_fail("phy_init");
    return listener;
}

void phy_rows_detect(struct phy_rows *rows)
{
    struct detect *x = phy_rows_memory(sizeof *x);
    x->simd = rows->simd;
    x->detector = phy_rows_memory(phy_wifi_detect_bytes());
    x->listener = open_listener(rows->simd);
    x->noise = phy_rows_memory(N_BUFFER * sizeof *x->noise);
    x->stream = phy_rows_memory((N_PIECE + PHY_WIFI_DETECT_HISTORY) * sizeof *x->stream);
    x->burst = phy_rows_memory(MAX_BURST * sizeof *x->burst);
    x->random = 1;
    phy_awgn_init(&x->awgn, 3, 3, rows->simd);
    phy_awgn_add(&x->awgn, 0, 0.01f, x->noise, N_BUFFER);
    unsigned char types[PHY_FLEX_N_FFT];
    phy_flex_subcarriers(types);
    x->stock = ofdmflexframesync_create(PHY_FLEX_N_FFT, PHY_FLEX_CP, PHY_FLEX_TAPER, types, ignore_frame, NULL);
    if (!x->stock)
        phy_rows_fail("opening liquid's receiver");
    phy_rows_add(rows, (struct phy_row){"idle_detect", "Msps", "liquid ofdmflexframesync", N_IDLE, run_idle, run_stock, check_idle, x});
    phy_rows_add(rows, (struct phy_row){"false_alarms_per_1e9", "preambles", NULL, 0, count_noise_alarms, NULL, NULL, x});
    phy_rows_add(rows, (struct phy_row){"false_alarms_per_1e8_of_tones", "preambles", NULL, 0, count_tone_alarms, NULL, NULL, x});
    phy_rows_add(rows, (struct phy_row){"detect_0db", "share", NULL, 0, find_share_at_0_db, NULL, NULL, x});
}
