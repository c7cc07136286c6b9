/* Anything in the place of SIGNAL and HT-SIGNAL of a good preamble, and anything behind it, through the wifi receiver: it never reads
 * or writes outside its buffers, each lock ends in one frame or is still open, and no frame is longer than SIGNAL can say.
 * Input: 3 octets of SIGNAL, 6 of HT-SIGNAL, an octet of flags, then samples of one octet a component. */
#include <assert.h>
#include <complex.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "phy/phy.h"
#include "phy/waveform.h"
#include "phy/wifi/code.h"
#include "phy/wifi/modulate.h"

enum { HEADER = 10, MAX_SAMPLES = 40000, TURNED = 1, RAW = 2, SMALL_CUTS = 4 };

static void put_symbol(const uint8_t *octets, unsigned i_symbol, unsigned *state, bool turned, float complex *out)
{
    uint8_t bits[24];
    float complex bins[PHY_WIFI_N_FFT];
    for (unsigned i = 0; i < 24; i++)
        bits[i] = octets[i / 8] >> i % 8 & 1;
    phy_wifi_map_symbol(0, i_symbol, bits, state, bins);
    for (unsigned i = 0; turned && i < PHY_WIFI_N_DATA; i++)
        bins[phy_wifi_data_bin[i]] *= (float complex)_Complex_I;
    for (int i = 0; i < PHY_WIFI_SYMBOL; i++) {
        float complex sum = 0.0f;
        for (int k = 0; k < PHY_WIFI_N_FFT; k++) {
            float angle = 6.2831853f * (float)(k * ((i + 48) % 64) % 64) / 64.0f;
            sum += bins[k] * CMPLXF(cosf(angle), sinf(angle));
        }
        out[i] = 0.0138675f * sum; /* a tenth of full scale */
    }
}

static size_t make_samples(const uint8_t *data, size_t len, float complex *out)
{
    const uint8_t psdu[5] = {1, 2, 3, 4, 5};
    struct phy_wifi_modulate cfg = {.scrambler = 1};
    unsigned state = 0;
    size_t n = 20;
    if (!(data[9] & RAW)) {
        if (phy_wifi_modulate(&cfg, psdu, sizeof psdu, out + n, MAX_SAMPLES - n) < 0)
            abort();
        for (size_t i = 0; i < PHY_WIFI_HEAD; i++)
            out[n + i] *= 0.1f;
        n += PHY_WIFI_HEAD - PHY_WIFI_SYMBOL;
        put_symbol(data, 0, &state, false, out + n);
        state = 0;
        for (unsigned i = 0; i < 2; i++)
            put_symbol(data + 3 + 3 * i, i + 1, &state, data[9] & TURNED, out + n + (i + 1) * PHY_WIFI_SYMBOL);
        n += 3 * PHY_WIFI_SYMBOL;
    }
    for (size_t i = HEADER; i + 1 < len && n < MAX_SAMPLES; i += 2)
        out[n++] = CMPLXF((float)(int8_t)data[i] / 512.0f, (float)(int8_t)data[i + 1] / 512.0f);
    return n + 2000 < MAX_SAMPLES ? n + 2000 : MAX_SAMPLES; /* then silence */
}

static void check_frame(const struct phy_frame *f)
{
    assert(f->psdu_len <= PHY_MAX_RX_PSDU_BYTES && (f->psdu || f->psdu_len == 0));
    assert(f->header_ok || f->psdu_len == 0);
    assert(!f->fcs_ok || f->psdu_len > 4);
    assert((f->format == PHY_FORMAT_HT) == (f->ht_mcs >= 0));
    unsigned sum = 0;
    for (size_t i = 0; i < f->psdu_len; i++)
        sum += f->psdu[i];
    assert(sum <= 255 * PHY_MAX_RX_PSDU_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static float complex samples[MAX_SAMPLES];
    static struct phy_update update;
    static void *mem;
    struct phy_config cfg = {.waveform = phy_waveform_wifi(), .sample_rate_hz = 20000000, .noise_dbfs = -60.0, .cca_energy_db = 6.0,
                             .cca_samples = 64};
    const char *bad_field;
    struct phy *phy;
    if (len < HEADER)
        return 0;
    size_t mem_len = (phy_bytes(&cfg) + 63) / 64 * 64;
    if (!mem)
        mem = aligned_alloc(64, mem_len);
    if (phy_init(mem, mem_len, &cfg, &phy, &bad_field))
        abort();
    memset(samples, 0, sizeof samples);
    size_t n = make_samples(data, len, samples), n_locks = 0, n_frames = 0;
    for (size_t at = 0; at < n;) {
        size_t n_step = data[9] & SMALL_CUTS ? 1 + at % 333 : PHY_MAX_STEP_SAMPLES;
        n_step = n_step < n - at ? n_step : n - at;
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples + at, n_step}};
        if (phy_step(phy, &event, &update))
            abort();
        for (size_t i = 0; i < update.n_signals; i++) {
            n_locks += update.signals[i].kind == PHY_LOCK;
            if (update.signals[i].kind != PHY_FRAME)
                continue;
            n_frames++;
            check_frame(&update.signals[i].frame);
            assert(n_frames == n_locks);
        }
        at += n_step;
    }
    assert(n_locks == n_frames || n_locks == n_frames + 1);
    phy_close(phy);
    return 0;
}
