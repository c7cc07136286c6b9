#include "apps/validate/signals.h"

#include <errno.h>
#include <fftw3.h>
#include <math.h>

/* Steele, Lea and Flood 2014, finaliser by Stafford */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t app_validate_draw(uint64_t seed, uint64_t purpose, uint64_t trial, uint64_t counter)
{
    return mix(mix(mix(mix(seed) ^ purpose) ^ trial) ^ counter);
}

int app_validate_add_ofdm(float complex *out, size_t n, double power, uint64_t seed, uint64_t trial)
{
    enum { N_FFT = VALIDATE_OFDM_FFT, PREFIX = VALIDATE_OFDM_PREFIX, SYMBOL = N_FFT + PREFIX };
    const uint64_t purpose = 0x6f66646d; /* "ofdm" */
    _Alignas(64) float complex work[N_FFT];
    fftwf_plan plan = fftwf_plan_dft_1d(N_FFT, work, work, FFTW_BACKWARD, FFTW_ESTIMATE);
    if (!plan)
        return -ENOMEM;
    float level = (float)sqrt(power / (2.0 * N_FFT));
    size_t first = app_validate_draw(seed, purpose, trial, 0) % SYMBOL;
    for (size_t i_symbol = 0; i_symbol * SYMBOL < first + n; i_symbol++) {
        uint64_t bits[2] = {app_validate_draw(seed, purpose, trial, 2 * i_symbol + 1),
                            app_validate_draw(seed, purpose, trial, 2 * i_symbol + 2)};
        for (size_t k = 0; k < N_FFT; k++)
            work[k] = CMPLXF(bits[0] >> k & 1 ? level : -level, bits[1] >> k & 1 ? level : -level);
        fftwf_execute(plan);
        for (size_t i = 0; i < SYMBOL; i++) {
            size_t at = i_symbol * SYMBOL + i;
            if (at >= first && at - first < n)
                out[at - first] += work[(i + N_FFT - PREFIX) % N_FFT];
        }
    }
    fftwf_destroy_plan(plan);
    return 0;
}
