#include "phy/sensing/wideband.h"

#include <errno.h>
#include <liquid/liquid.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct phy_wideband {
    unsigned n_channels;
    unsigned n_turn, i_turn; /* for an even number of channels the band is turned by half a channel, with this period */
    float gain;
    double noise_gain;
    size_t n_held;           /* samples of the block in progress */
    firpfbch_crcf bank;
    float complex held[PHY_WIDEBAND_MAX_CHANNELS];
    float complex out[PHY_WIDEBAND_MAX_CHANNELS]; /* liquid's order: DC first */
    float complex turn[2 * PHY_WIDEBAND_MAX_CHANNELS];
};

static int make_bank(struct phy_wideband *w)
{
    enum { MAX_TAPS = 2 * PHY_WIDEBAND_SEMI_LENGTH * PHY_WIDEBAND_MAX_CHANNELS + 1 };
    const float attenuation_db = 70.0f;
    float taps[MAX_TAPS];
    unsigned n_taps = 2 * PHY_WIDEBAND_SEMI_LENGTH * w->n_channels + 1;
    if (liquid_firdes_kaiser(n_taps, 0.5f / (float)w->n_channels, attenuation_db, 0.0f, taps))
        return -ENOMEM;
    double sum = 0.0, squares = 0.0;
    for (unsigned i = 0; i + 1 < n_taps; i++) { /* the bank does not use the last one */
        sum += (double)taps[i];
        squares += (double)taps[i] * (double)taps[i];
    }
    w->gain = (float)(1.0 / sum);
    w->noise_gain = squares / (sum * sum);
    w->bank = firpfbch_crcf_create(LIQUID_ANALYZER, w->n_channels, 2 * PHY_WIDEBAND_SEMI_LENGTH, taps);
    return w->bank ? 0 : -ENOMEM;
}

int phy_wideband_open(struct phy_wideband **out, unsigned n_channels)
{
    if (n_channels < 2 || n_channels > PHY_WIDEBAND_MAX_CHANNELS)
        return -EINVAL;
    struct phy_wideband *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->n_channels = n_channels;
    int err = make_bank(w);
    if (err) {
        free(w);
        return err;
    }
    /* channel k's centre comes to k' sample_rate / n_channels, k' = k - floor((n_channels - 1) / 2) */
    w->n_turn = n_channels % 2 ? 1 : 2 * n_channels;
    for (unsigned i = 0; i < w->n_turn; i++) {
        double angle = acos(-1.0) * i / n_channels;
        w->turn[i] = n_channels % 2 ? 1.0f : CMPLXF((float)cos(angle), (float)sin(angle));
    }
    *out = w;
    return 0;
}

size_t phy_wideband_outputs(const struct phy_wideband *w, size_t n)
{
    return (w->n_held + n) / w->n_channels;
}

static void split(struct phy_wideband *w, float complex *channels, size_t stride)
{
    firpfbch_crcf_analyzer_execute(w->bank, w->held, w->out);
    unsigned n_below = (w->n_channels - 1) / 2;
    for (unsigned k = 0; k < w->n_channels; k++)
        channels[k * stride] = w->gain * w->out[(k + w->n_channels - n_below) % w->n_channels];
}

size_t phy_wideband_push(struct phy_wideband *w, const float complex *samples, size_t n, float complex *channels, size_t stride)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n; i++) {
        w->held[w->n_held++] = samples[i] * w->turn[w->i_turn];
        w->i_turn = w->i_turn + 1 == w->n_turn ? 0 : w->i_turn + 1;
        if (w->n_held == w->n_channels) {
            split(w, channels + n_out++, stride);
            w->n_held = 0;
        }
    }
    return n_out;
}

double phy_wideband_center(unsigned n_channels, unsigned channel)
{
    return ((double)channel - ((double)n_channels - 1.0) / 2.0) / n_channels;
}

double phy_wideband_noise_gain(const struct phy_wideband *w)
{
    return w->noise_gain;
}

void phy_wideband_reset(struct phy_wideband *w)
{
    firpfbch_crcf_reset(w->bank);
    w->n_held = 0;
    w->i_turn = 0;
}

void phy_wideband_close(struct phy_wideband *w)
{
    if (!w)
        return;
    firpfbch_crcf_destroy(w->bank);
    free(w);
}
