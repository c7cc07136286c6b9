/* The wifi waveform's receiver: how fast it receives beside liquid-dsp's OFDM frames of the same modulation, and what it loses to
 * noise, fading and interference. Each frame has its own gap, fraction of a sample of delay, phase and carrier offset. */
#include "tests/bench/phy_rows.h"

#include <complex.h>
#include <liquid/liquid.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/flex/flex_frame.h"
#include "phy/phy.h"
#include "phy/waveform.h"
#include "tests/bench/wifi_trial.h"

enum { STEP = 4000, N_SAMPLES = STEP * 250, LEN = 1004, GAP = 80, N_FER = 2000 };

/* --- speed --- */

struct speed {
    float complex *ours, *peers;
    struct phy *listener;
    struct phy_update update;
    ofdmflexframesync stock;
};

static double run_receive(void *ctx)
{
    struct speed *s = ctx;
    for (size_t at = 0; at < N_SAMPLES; at += STEP) {
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {s->ours + at, STEP}};
        if (phy_step(s->listener, &event, &s->update))
            phy_rows_fail("phy_step");
    }
    return 0;
}

static double run_stock(void *ctx)
{
    struct speed *s = ctx;
    ofdmflexframesync_execute(s->stock, s->peers, N_SAMPLES);
    return 0;
}

static bool check_reception(void *ctx)
{
    struct speed *s = ctx;
    struct phy_stats stats;
    phy_stats(s->listener, &stats);
    /* the stream starts anew with each run, within a frame */
    return stats.n_frames_ok > 100 && stats.n_fcs_bad + stats.n_header_bad <= stats.n_frames_ok / 50;
}

static int ignore_frame(unsigned char *header, int header_ok, unsigned char *payload, unsigned len, int payload_ok,
                        framesyncstats_s stats, void *ctx)
{
    (void)header, (void)header_ok, (void)payload, (void)len, (void)payload_ok, (void)stats, (void)ctx;
    return 0;
}

static struct phy *open_phy(const struct phy_waveform *waveform, enum phy_simd simd)
{
    struct phy_config cfg = {.waveform = waveform, .sample_rate_hz = 20000000, .noise_dbfs = -20.0, .cca_energy_db = 6.0,
                             .cca_samples = 80, .simd = simd};
    const char *bad_field;
    struct phy *phy;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    if (phy_init(phy_rows_memory(len), len, &cfg, &phy, &bad_field))
        phy_rows_fail("phy_init");
    return phy;
}

/* Frames of 1000 octets and FCS one after the other at 20 dB. */
static float complex *make_frames(const struct phy_waveform *waveform, unsigned rate_index, enum phy_simd simd)
{
    struct phy *sender = open_phy(waveform, simd);
    struct phy_update *update = phy_rows_memory(sizeof *update);
    struct phy_awgn *awgn = phy_rows_memory(sizeof *awgn);
    float complex *out = phy_rows_memory(N_SAMPLES * sizeof *out);
    uint8_t mpdu[LEN - 4];
    for (size_t i = 0; i < sizeof mpdu; i++)
        mpdu[i] = (uint8_t)(i * 131 + 7);
    for (size_t at = GAP;;) {
        mpdu[0]++;
        struct phy_event event = {.kind = PHY_EV_TRANSMIT, .transmit = {at, mpdu, sizeof mpdu, rate_index}};
        if (phy_step(sender, &event, update))
            phy_rows_fail("transmit");
        size_t n = update->burst_len;
        if (at + n + GAP > N_SAMPLES)
            break;
        memcpy(out + at, update->burst, n * sizeof *out);
        at += n + GAP;
        struct phy_event skip = {.kind = PHY_EV_SKIP, .skip = {n + GAP}};
        if (phy_step(sender, &skip, update))
            phy_rows_fail("skip");
    }
    phy_awgn_init(awgn, 1, 1, simd);
    phy_awgn_add(awgn, 0, 0.01f, out, N_SAMPLES);
    return out;
}

/* By the whole receiver over two million samples of frames, once it is open. */
static double run_allocations(void *ctx)
{
    size_t before = phy_rows_allocations();
    run_receive(ctx);
    run_receive(ctx);
    return (double)(phy_rows_allocations() - before);
}

/* Is an allocation counted at all, and were frames received? */
static bool check_allocations(void *ctx)
{
    size_t before = phy_rows_allocations();
    void *volatile some = malloc(1);
    free(some);
    return phy_rows_allocations() > before && check_reception(ctx);
}

static struct speed *add_speed(struct phy_rows *rows)
{
    struct speed *s = phy_rows_memory(sizeof *s);
    unsigned char types[PHY_FLEX_N_FFT];
    s->ours = make_frames(phy_waveform_wifi(), 2, rows->simd);
    s->peers = make_frames(phy_waveform_flex(), 1, rows->simd);
    s->listener = open_phy(phy_waveform_wifi(), rows->simd);
    phy_flex_subcarriers(types);
    s->stock = ofdmflexframesync_create(PHY_FLEX_N_FFT, PHY_FLEX_CP, PHY_FLEX_TAPER, types, ignore_frame, NULL);
    if (!s->stock)
        phy_rows_fail("opening liquid's receiver");
    ofdmflexframesync_set_header_len(s->stock, PHY_FLEX_USER_HEADER_BYTES);
    phy_rows_add(rows, (struct phy_row){"rx_frames_qpsk12", "Msps", "liquid ofdmflexframesync, QPSK, Golay", N_SAMPLES, run_receive,
                                        run_stock, check_reception, s});
    return s;
}

/* --- losses --- */

struct loss {
    struct wifi_trial trial;
    double first_db; /* where the search for a FER of 1 % begins */
};

static double run_fer(void *ctx)
{
    const struct loss *l = ctx;
    return (double)wifi_trial_count_lost(&l->trial) / l->trial.n_frames;
}

/* Es/N0 at which 1 % is lost: up in steps of .2 dB until less is lost, then between the last two, the logarithm of the FER being nearly
 * straight. */
static double run_floor(void *ctx)
{
    struct loss l = *(const struct loss *)ctx;
    const double step = 0.2, aim = log(0.01);
    double last = 0.0;
    for (l.trial.es_n0_db = l.first_db;; l.trial.es_n0_db += step) {
        unsigned n_lost = wifi_trial_count_lost(&l.trial);
        double fer = log((n_lost + 0.5) / l.trial.n_frames);
        if (fer <= aim && l.trial.es_n0_db > l.first_db)
            return l.trial.es_n0_db - step * (aim - fer) / (last - fer);
        if (l.trial.es_n0_db > l.first_db + 10.0)
            return INFINITY;
        last = fer;
    }
}

/* The largest offset, in steps of .1 subcarrier, up to which at most 1 % is lost at 20 dB. */
static double run_cfo_range(void *ctx)
{
    struct loss l = *(const struct loss *)ctx;
    double range = 0.0;
    for (int tenths = 10; tenths <= 25; tenths++) {
        l.trial.cfo_subcarriers = tenths / 10.0;
        if (wifi_trial_count_lost(&l.trial) * 100 > l.trial.n_frames)
            break;
        range = l.trial.cfo_subcarriers;
    }
    return range;
}

static double run_lost(void *ctx)
{
    const struct loss *l = ctx;
    return wifi_trial_count_lost(&l->trial);
}

static double run_bytes(void *ctx)
{
    (void)ctx;
    struct phy_config cfg = {.waveform = phy_waveform_wifi(), .sample_rate_hz = 20000000, .cca_energy_db = 6.0, .cca_samples = 80};
    return (double)phy_bytes(&cfg);
}

static void add_one(struct phy_rows *rows, const char *name, const char *unit, double (*run)(void *), struct loss loss)
{
    struct loss *l = phy_rows_memory(sizeof *l);
    *l = loss;
    l->trial.simd = rows->simd;
    if (l->trial.n_frames == 0)
        l->trial.n_frames = N_FER;
    if (!l->trial.cfo_exact)
        l->trial.cfo_subcarriers = 1.0;
    phy_rows_add(rows, (struct phy_row){name, unit, NULL, 0, run, NULL, NULL, l});
}

/* The row, and the same through a B210-like front end. */
static void add(struct phy_rows *rows, const char *name, const char *b210_name, const char *unit, double (*run)(void *),
                struct loss loss)
{
    add_one(rows, name, unit, run, loss);
    loss.trial.b210 = true;
    add_one(rows, b210_name, unit, run, loss);
}

void phy_rows_wifi(struct phy_rows *rows)
{
    const struct wifi_trial qpsk = {.kind = WIFI_TRIAL_AWGN, .rate_index = 2, .psdu_len = LEN, .es_n0_db = 20.0};
    struct wifi_trial t = qpsk;
    struct speed *speed = add_speed(rows);
    add(rows, "fer_qpsk12_awgn_db", "fer_qpsk12_awgn_b210_db", "dB", run_floor, (struct loss){t, 4.3});
    t.rate_index = 0;
    add(rows, "fer_bpsk12_awgn_db", "fer_bpsk12_awgn_b210_db", "dB", run_floor, (struct loss){t, 1.3});
    t = qpsk;
    t.kind = WIFI_TRIAL_RAYLEIGH;
    t.es_n0_db = 15.0;
    add(rows, "rayleigh_fer_15db", "rayleigh_fer_15db_b210", "share", run_fer, (struct loss){t, 0});
    t.es_n0_db = 20.0;
    add(rows, "rayleigh_fer_20db", "rayleigh_fer_20db_b210", "share", run_fer, (struct loss){t, 0});
    t.kind = WIFI_TRIAL_TONE;
    add(rows, "cw_sir0_fer", "cw_sir0_fer_b210", "share", run_fer, (struct loss){t, 0});
    t.sir_db = -5.0;
    add(rows, "cw_sirm5_fer", "cw_sirm5_fer_b210", "share", run_fer, (struct loss){t, 0});
    t.kind = WIFI_TRIAL_PULSE;
    t.sir_db = -10.0;
    add(rows, "pulse_sirm10_fer", "pulse_sirm10_fer_b210", "share", run_fer, (struct loss){t, 0});
    t = qpsk;
    t.cfo_exact = true;
    add(rows, "cfo_range_subcarriers", "cfo_range_subcarriers_b210", "subcarriers", run_cfo_range, (struct loss){t, 0});
    t = (struct wifi_trial){.kind = WIFI_TRIAL_AWGN, .es_n0_db = INFINITY, .n_frames = 10000};
    add_one(rows, "lost_of_10000_without_noise", "frames", run_lost, (struct loss){t, 0});
    phy_rows_add(rows, (struct phy_row){"receive_alloc", "allocations", NULL, 0, run_allocations, NULL, check_allocations, speed});
    phy_rows_add(rows, (struct phy_row){"receiver_bytes", "octets", NULL, 0, run_bytes, NULL, NULL, NULL});
}
