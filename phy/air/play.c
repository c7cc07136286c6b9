#include "phy/air/play.h"

#include <errno.h>
#include <liquid/liquid.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "phy/sensing/energy.h"
#include "phy/machine.h"
#include "phy/air/simd_math.h"

static bool ratio_is_usable(double rate_in_hz, double rate_out_hz)
{
    const double limit = 1000.0;
    return rate_in_hz > 0.0 && rate_out_hz > 0.0 && isfinite(rate_in_hz) && isfinite(rate_out_hz) &&
           rate_in_hz <= limit * rate_out_hz && rate_out_hz <= limit * rate_in_hz;
}

static size_t loop_samples(size_t n, double ratio)
{
    return (size_t)((double)n * ratio);
}

size_t phy_play_capacity(size_t n, double rate_in_hz, double rate_out_hz)
{
    const double most = 4e9;
    if (!ratio_is_usable(rate_in_hz, rate_out_hz) || (double)n * (rate_out_hz / rate_in_hz) > most)
        return 0;
    return loop_samples(n, rate_out_hz / rate_in_hz) + 1;
}

/* Runs input through the resampler and keeps what comes out, from *n_out on, up to cap. out NULL: throws it away. */
static void resample(msresamp_crcf resampler, const float complex *in, size_t n, double ratio, float complex *out, size_t cap,
                     size_t *n_out)
{
    enum { IN = 512, OUT = 4096 };
    float complex from[IN], to[OUT];
    size_t n_step = (size_t)(OUT / 2 / (ratio + 1.0)) + 1;
    n_step = n_step < IN ? n_step : IN;
    for (size_t at = 0; at < n; at += n_step) {
        size_t n_here = n - at < n_step ? n - at : n_step;
        unsigned n_made = 0;
        phy_copy_finite(from, in + at, n_here);
        msresamp_crcf_execute(resampler, from, (unsigned)n_here, to, &n_made);
        if (!out)
            continue;
        size_t n_keep = n_made < cap - *n_out ? n_made : cap - *n_out;
        memcpy(out + *n_out, to, n_keep * sizeof *out);
        *n_out += n_keep;
    }
}

/* The filter is primed with the recording's end and drained with its beginning: the loop has no seam. */
static int resample_loop(const float complex *in, size_t n, double ratio, float complex *out, size_t n_wanted, size_t *n_out)
{
    const float stop_band_db = 60.0f;
    msresamp_crcf resampler = msresamp_crcf_create((float)ratio, stop_band_db);
    if (!resampler)
        return -ENOMEM;
    size_t n_prime = (size_t)(2.0f * msresamp_crcf_get_delay(resampler)) + 64;
    for (size_t n_left = n_prime; n_left > 0;) {
        size_t n_here = n_left % n ? n_left % n : n;
        resample(resampler, in + (n - n_here), n_here, ratio, NULL, 0, NULL);
        n_left -= n_here;
    }
    *n_out = 0;
    resample(resampler, in, n, ratio, out, n_wanted, n_out);
    while (*n_out < n_wanted)
        resample(resampler, in, n < 64 ? n : 64, ratio, out, n_wanted, n_out);
    msresamp_crcf_destroy(resampler);
    return 0;
}

void phy_play_shift(float complex *out, size_t n, double turns_per_sample)
{
    double cycles = round(turns_per_sample * (double)n);
    double turns = cycles / (double)n;
    float *x = (float *)out;
    for (size_t i = 0; i < n; i++) {
        double phase = turns * (double)i;
        float c, s;
        phy_cos_sin_turns((uint32_t)(int64_t)llround((phase - floor(phase)) * 4294967296.0), &c, &s);
        float re = x[2 * i], im = x[2 * i + 1];
        x[2 * i] = re * c - im * s;
        x[2 * i + 1] = re * s + im * c;
    }
}

int phy_play_prepare(const float complex *in, size_t n, double rate_in_hz, double rate_out_hz, double offset_hz,
                     float complex *out, size_t cap, size_t *n_out)
{
    size_t n_needed = phy_play_capacity(n, rate_in_hz, rate_out_hz);
    if (n == 0 || n_needed == 0 || !(fabs(offset_hz) <= rate_out_hz / 2.0))
        return -EINVAL;
    if (cap < n_needed)
        return -ENOBUFS;
    double ratio = rate_out_hz / rate_in_hz;
    if (ratio > 1.0 || ratio < 1.0) {
        size_t n_wanted = loop_samples(n, ratio);
        int status = n_wanted > 0 ? resample_loop(in, n, ratio, out, n_wanted, n_out) : -EINVAL;
        if (status < 0)
            return status;
    } else {
        phy_copy_finite(out, in, n);
        *n_out = n;
    }
    double power = phy_energy_sum(out, *n_out) / (double)*n_out;
    if (!(power > 1e-30))
        return -ENODATA;
    float scale = (float)(1.0 / sqrt(power));
    for (size_t i = 0; i < *n_out; i++)
        out[i] *= scale;
    phy_play_shift(out, *n_out, offset_hz / rate_out_hz);
    return 0;
}
