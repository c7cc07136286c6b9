/* The flex receiver: headers as octets, and whatever samples the air may bring, behind a real preamble or without one. */
#include <assert.h>
#include <complex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "phy/flex_frame.h"
#include "phy/phy.h"
#include "phy/waveform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MAX_SAMPLES = 32768, LEAD = 560 }; /* preamble and header of a frame of ours */

static void try_header(const uint8_t *data, size_t len)
{
    struct phy_flex_header header;
    if (len < PHY_FLEX_HEADER_BYTES || !phy_flex_read_header(data, &header))
        return;
    assert(header.rate_index < PHY_FLEX_N_RATES && header.psdu_len > 0 && header.psdu_len <= PHY_MAX_PSDU_BYTES);
    assert(phy_flex_padded_bytes(header.psdu_len, header.rate_index) <= PHY_FLEX_MAX_PADDED_BYTES);
}

static struct phy *open_phy(void **mem_out)
{
    struct phy_config cfg = {
        .waveform = phy_waveform_flex(), .sample_rate_hz = 10000000, .noise_dbfs = -40.0, .cca_energy_db = 6.0, .cca_samples = 40,
    };
    struct phy *phy = NULL;
    const char *bad_field;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    *mem_out = aligned_alloc(64, len);
    if (!*mem_out || phy_init(*mem_out, len, &cfg, &phy, &bad_field))
        abort();
    return phy;
}

/* Lead of a frame of 2 to 511 octets, then the input as samples of 8 bits a part; its first octet chooses. */
static size_t make_samples(struct phy *phy, struct phy_update *update, const uint8_t *data, size_t len, float complex *out)
{
    size_t n = 0;
    if (data[0] & 1) {
        static const uint8_t mpdu[512];
        struct phy_event event = {.kind = PHY_EV_TRANSMIT, .transmit = {0, mpdu, 1 + 4u * (data[0] >> 1), data[0] >> 6}};
        if (phy_step(phy, &event, update))
            abort();
        memcpy(out, update->burst, LEAD * sizeof *out);
        n = LEAD;
    }
    for (size_t i = 1; i + 1 < len && n < MAX_SAMPLES; i += 2)
        out[n++] = (float)(int8_t)data[i] / 64.0f + (float)(int8_t)data[i + 1] / 64.0f * (float complex)_Complex_I;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static float complex samples[MAX_SAMPLES + 4096];
    static struct phy_update update;
    void *mem;
    if (len == 0)
        return 0;
    try_header(data, len);
    struct phy *phy = open_phy(&mem);
    size_t n = make_samples(phy, &update, data, len, samples);
    size_t step = 1 + data[len - 1] * 16u;
    for (size_t at = 0; at < n; at += step) {
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples + at, step}};
        if (phy_step(phy, &event, &update))
            abort();
        for (size_t i = 0; i < update.n_signals; i++)
            assert(update.signals[i].sample <= at + step);
    }
    phy_close(phy);
    free(mem);
    return 0;
}
