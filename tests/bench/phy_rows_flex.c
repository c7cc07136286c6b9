/* The flex waveform's receiver beside the one of liquid-dsp that it wraps. */
#include "tests/bench/phy_rows.h"

#include <complex.h>
#include <liquid/liquid.h>
#include <stdint.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/flex/flex_frame.h"
#include "phy/phy.h"
#include "phy/waveform.h"

enum { STEP = 4000, N_SAMPLES = STEP * 250 };

struct flex {
    float complex *noise, *frames;
    struct phy *listener;
    struct phy_update update;
    ofdmflexframesync stock;
};

static void listen(struct flex *f, const float complex *samples)
{
    for (size_t at = 0; at < N_SAMPLES; at += STEP) {
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples + at, STEP}};
        if (phy_step(f->listener, &event, &f->update))
            phy_rows_fail("phy_step");
    }
}

static double run_listen(void *ctx)
{
    struct flex *f = ctx;
    listen(f, f->noise);
    return 0;
}

static double run_receive(void *ctx)
{
    struct flex *f = ctx;
    listen(f, f->frames);
    return 0;
}

static double run_stock_listen(void *ctx)
{
    struct flex *f = ctx;
    ofdmflexframesync_execute(f->stock, f->noise, N_SAMPLES);
    return 0;
}

static double run_stock_receive(void *ctx)
{
    struct flex *f = ctx;
    ofdmflexframesync_execute(f->stock, f->frames, N_SAMPLES);
    return 0;
}

static bool check_reception(void *ctx)
{
    struct flex *f = ctx;
    struct phy_stats stats;
    phy_stats(f->listener, &stats);
    return stats.n_frames_ok > 0 && stats.n_fcs_bad == 0;
}

static int ignore_frame(unsigned char *header, int header_ok, unsigned char *payload, unsigned len, int payload_ok,
                        framesyncstats_s stats, void *ctx)
{
    (void)header, (void)header_ok, (void)payload, (void)len, (void)payload_ok, (void)stats, (void)ctx;
    return 0;
}

static struct phy *open_phy(enum phy_simd simd)
{
    struct phy_config cfg = {
        .waveform = phy_waveform_flex(),
        .sample_rate_hz = 10000000,
        .noise_dbfs = -20.0,
        .cca_energy_db = 6.0,
        .cca_samples = 40,
        .simd = simd,
    };
    const char *bad_field;
    struct phy *phy;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    if (phy_init(phy_rows_memory(len), len, &cfg, &phy, &bad_field))
        phy_rows_fail("phy_init");
    return phy;
}

/* QPSK frames of 1000 octets, 400 samples apart, at 20 dB. */
static void make_frames(struct flex *f, struct phy *sender)
{
    uint8_t mpdu[996];
    for (size_t i = 0; i < sizeof mpdu; i++)
        mpdu[i] = (uint8_t)(i * 131 + 7);
    for (size_t at = 400;;) {
        struct phy_event event = {.kind = PHY_EV_TRANSMIT, .transmit = {at, mpdu, sizeof mpdu, 1}};
        if (phy_step(sender, &event, &f->update))
            phy_rows_fail("transmit");
        size_t n = f->update.burst_len;
        if (at + n + 400 > N_SAMPLES)
            break;
        memcpy(f->frames + at, f->update.burst, n * sizeof *f->frames);
        at += n + 400;
        struct phy_event skip = {.kind = PHY_EV_SKIP, .skip = {n + 400}};
        if (phy_step(sender, &skip, &f->update))
            phy_rows_fail("skip");
    }
}

void phy_rows_flex(struct phy_rows *rows)
{
    struct flex *f = phy_rows_memory(sizeof *f);
    struct phy_awgn *awgn = phy_rows_memory(sizeof *awgn);
    unsigned char types[PHY_FLEX_N_FFT];
    f->noise = phy_rows_memory(N_SAMPLES * sizeof *f->noise);
    f->frames = phy_rows_memory(N_SAMPLES * sizeof *f->frames);
    make_frames(f, open_phy(rows->simd));
    phy_awgn_init(awgn, 1, 1, rows->simd);
    phy_awgn_add(awgn, 0, 0.01f, f->noise, N_SAMPLES);
    phy_awgn_add(awgn, N_SAMPLES, 0.01f, f->frames, N_SAMPLES);
    f->listener = open_phy(rows->simd);
    phy_flex_subcarriers(types);
    f->stock = ofdmflexframesync_create(PHY_FLEX_N_FFT, PHY_FLEX_CP, PHY_FLEX_TAPER, types, ignore_frame, NULL);
    if (!f->stock)
        phy_rows_fail("opening liquid's receiver");
    ofdmflexframesync_set_header_len(f->stock, PHY_FLEX_USER_HEADER_BYTES);
    static const char peer[] = "liquid ofdmflexframesync";
    phy_rows_add(rows, (struct phy_row){"flex_listen", "Msps", peer, N_SAMPLES, run_listen, run_stock_listen, NULL, f});
    phy_rows_add(rows, (struct phy_row){"flex_receive", "Msps", peer, N_SAMPLES, run_receive, run_stock_receive, check_reception, f});
}
