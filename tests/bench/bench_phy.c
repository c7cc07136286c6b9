/* Speeds of the PHY's inner parts beside those of liquid-dsp, in one program, interleaved; CPU time, median of the rounds.
 * Prints one JSON object. */
#include <complex.h>
#include <liquid/liquid.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "phy/air/awgn.h"
#include "phy/flex/flex_frame.h"
#include "phy/phy.h"
#include "phy/waveform.h"
#include "phy/sensing/welch.h"
#include "tests/bench/cpu_name.h"

enum { N_ROUNDS = 9, STEP = 4000, N_STEPS = 250, N_SAMPLES = STEP * N_STEPS, N_FFT = 1024 };

struct bench {
    float complex *noise, *frames, *out;
    struct phy_awgn awgn;
    struct phy *listener;
    struct phy_update update;
    ofdmflexframesync stock;
    struct phy_welch *welch;
    spgramcf spgram;
};

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_phy: %s failed\n", what);
    exit(3);
}

/* --- what is measured: each handles N_SAMPLES --- */

static void run_awgn(struct bench *b)
{
    for (size_t at = 0; at < N_SAMPLES; at += STEP)
        phy_awgn_add(&b->awgn, at, 1.0f, b->out + at, STEP);
}

static void run_randnf(struct bench *b)
{
    for (size_t at = 0; at < N_SAMPLES; at++)
        b->out[at] = randnf() + (float complex)_Complex_I * randnf();
}

static void listen(struct bench *b, const float complex *samples)
{
    for (size_t at = 0; at < N_SAMPLES; at += STEP) {
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples + at, STEP}};
        if (phy_step(b->listener, &event, &b->update))
            fail("phy_step");
    }
}

static void run_listen(struct bench *b)
{
    listen(b, b->noise);
}

static void run_receive(struct bench *b)
{
    listen(b, b->frames);
}

static void run_stock_listen(struct bench *b)
{
    ofdmflexframesync_execute(b->stock, b->noise, N_SAMPLES);
}

static void run_stock_receive(struct bench *b)
{
    ofdmflexframesync_execute(b->stock, b->frames, N_SAMPLES);
}

static void run_welch(struct bench *b)
{
    phy_welch_push(b->welch, b->noise, N_SAMPLES);
}

static void run_spgram(struct bench *b)
{
    spgramcf_write(b->spgram, b->noise, N_SAMPLES);
}

static const struct row {
    const char *name, *peer;
    void (*run)(struct bench *);
    void (*run_peer)(struct bench *);
} rows[] = {
    {"awgn", "liquid randnf", run_awgn, run_randnf},
    {"flex_listen", "liquid ofdmflexframesync", run_listen, run_stock_listen},
    {"flex_receive", "liquid ofdmflexframesync", run_receive, run_stock_receive},
    {"welch_1024", "liquid spgramcf", run_welch, run_spgram},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

/* --- preparation --- */

static int ignore_frame(unsigned char *header, int header_ok, unsigned char *payload, unsigned len, int payload_ok,
                        framesyncstats_s stats, void *ctx)
{
    (void)header, (void)header_ok, (void)payload, (void)len, (void)payload_ok, (void)stats, (void)ctx;
    return 0;
}

static struct phy *open_phy(void)
{
    struct phy_config cfg = {
        .waveform = phy_waveform_flex(), .sample_rate_hz = 10000000, .noise_dbfs = -20.0, .cca_energy_db = 6.0, .cca_samples = 40,
    };
    const char *bad_field;
    struct phy *phy;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    void *mem = aligned_alloc(64, len);
    if (!mem || phy_init(mem, len, &cfg, &phy, &bad_field))
        fail("phy_init");
    return phy;
}

/* QPSK frames of 1000 octets, 400 samples apart, at 20 dB. */
static void make_frames(struct bench *b, struct phy *sender)
{
    uint8_t mpdu[996];
    for (size_t i = 0; i < sizeof mpdu; i++)
        mpdu[i] = (uint8_t)(i * 131 + 7);
    for (size_t at = 400;;) {
        struct phy_event event = {.kind = PHY_EV_TRANSMIT, .transmit = {at, mpdu, sizeof mpdu, 1}};
        if (phy_step(sender, &event, &b->update))
            fail("transmit");
        size_t n = b->update.burst_len;
        if (at + n + 400 > N_SAMPLES)
            break;
        memcpy(b->frames + at, b->update.burst, n * sizeof *b->frames);
        at += n + 400;
        struct phy_event skip = {.kind = PHY_EV_SKIP, .skip = {n + 400}};
        if (phy_step(sender, &skip, &b->update))
            fail("skip");
    }
}

static void open_bench(struct bench *b)
{
    static const size_t bytes = N_SAMPLES * sizeof(float complex);
    unsigned char types[PHY_FLEX_N_FFT];
    b->noise = aligned_alloc(64, bytes);
    b->frames = aligned_alloc(64, bytes);
    b->out = aligned_alloc(64, bytes);
    if (!b->noise || !b->frames || !b->out)
        fail("memory");
    memset(b->noise, 0, bytes);
    memset(b->frames, 0, bytes);
    memset(b->out, 0, bytes);
    phy_awgn_init(&b->awgn, 1, 1, phy_simd_best());
    struct phy *sender = open_phy();
    make_frames(b, sender);
    phy_awgn_add(&b->awgn, 0, 0.01f, b->noise, N_SAMPLES);
    phy_awgn_add(&b->awgn, N_SAMPLES, 0.01f, b->frames, N_SAMPLES);
    b->listener = open_phy();
    phy_flex_subcarriers(types);
    b->stock = ofdmflexframesync_create(PHY_FLEX_N_FFT, PHY_FLEX_CP, PHY_FLEX_TAPER, types, ignore_frame, NULL);
    ofdmflexframesync_set_header_len(b->stock, PHY_FLEX_USER_HEADER_BYTES);
    b->spgram = spgramcf_create(N_FFT, LIQUID_WINDOW_HANN, N_FFT, N_FFT / 2);
    if (!b->stock || !b->spgram || phy_welch_open(&b->welch, N_FFT))
        fail("opening");
}

/* --- measurement --- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, N_ROUNDS, sizeof *values, compare);
    return values[N_ROUNDS / 2];
}

static double measure_msps(struct bench *b, void (*run)(struct bench *))
{
    double start = cpu_s();
    run(b);
    return N_SAMPLES / (cpu_s() - start) / 1e6;
}

int main(void)
{
    static struct bench b;
    static double ours[N_ROWS][N_ROUNDS], peers[N_ROWS][N_ROUNDS];
    char cpu[200];
    open_bench(&b);
    for (size_t round = 0; round < N_ROUNDS; round++)
        for (size_t i = 0; i < N_ROWS; i++) {
            ours[i][round] = measure_msps(&b, rows[i].run);
            peers[i][round] = measure_msps(&b, rows[i].run_peer);
        }
    struct phy_stats stats;
    phy_stats(b.listener, &stats);
    if (stats.n_frames_ok == 0 || stats.n_fcs_bad > 0)
        fail("reception");
    read_cpu_name(cpu, sizeof cpu);
    printf("{\"bench\": \"phy\", \"version\": \"%s\", \"cpu\": \"%s, %s\", \"results\": [", AIRDEED_VERSION, cpu,
           phy_simd_name(phy_simd_best()));
    for (size_t i = 0; i < N_ROWS; i++) {
        double value = median(ours[i]), peer = median(peers[i]);
        printf("%s\n  {\"name\": \"%s\", \"value\": %.1f, \"unit\": \"Msps\", \"peer\": \"%s\", \"peer_value\": %.1f, \"ratio\": %.2f}",
               i ? "," : "", rows[i].name, value, rows[i].peer, peer, value / peer);
    }
    printf("\n]}\n");
    return 0;
}
