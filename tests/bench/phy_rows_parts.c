/* Noise and spectra. */
#include "tests/bench/phy_rows.h"

#include <complex.h>
#include <liquid/liquid.h>

#include "phy/air/awgn.h"
#include "phy/sensing/welch.h"

enum { STEP = 4000, N_SAMPLES = STEP * 250, N_BUFFER = STEP * 25, N_FFT = 1024 };

struct parts {
    float complex *noise; /* N_BUFFER, as a radio's driver uses its buffers again and again */
    float complex *out;
    struct phy_awgn awgn;
    struct phy_welch *welch;
    spgramcf spgram;
};

static double run_awgn(void *ctx)
{
    struct parts *p = ctx;
    for (size_t at = 0; at < N_SAMPLES; at += STEP)
        phy_awgn_add(&p->awgn, at, 1.0f, p->out + at, STEP);
    return 0;
}

static double run_randnf(void *ctx)
{
    struct parts *p = ctx;
    for (size_t at = 0; at < N_SAMPLES; at++)
        p->out[at] = randnf() + (float complex)_Complex_I * randnf();
    return 0;
}

static double run_welch(void *ctx)
{
    struct parts *p = ctx;
    for (size_t at = 0; at < N_SAMPLES; at += STEP)
        phy_welch_push(p->welch, p->noise + at % N_BUFFER, STEP);
    return 0;
}

static double run_spgram(void *ctx)
{
    struct parts *p = ctx;
    for (size_t at = 0; at < N_SAMPLES; at += STEP)
        spgramcf_write(p->spgram, p->noise + at % N_BUFFER, STEP);
    return 0;
}

void phy_rows_parts(struct phy_rows *rows)
{
    struct parts *p = phy_rows_memory(sizeof *p);
    p->noise = phy_rows_memory(N_BUFFER * sizeof *p->noise);
    p->out = phy_rows_memory(N_SAMPLES * sizeof *p->out);
    phy_awgn_init(&p->awgn, 1, 1, rows->simd);
    phy_awgn_add(&p->awgn, 0, 0.01f, p->noise, N_BUFFER);
    p->spgram = spgramcf_create(N_FFT, LIQUID_WINDOW_HANN, N_FFT, N_FFT / 2);
    if (!p->spgram || phy_welch_open(&p->welch, N_FFT, rows->simd))
        phy_rows_fail("opening the spectra");
    phy_rows_add(rows, (struct phy_row){"awgn", "Msps", "liquid randnf", N_SAMPLES, run_awgn, run_randnf, NULL, p});
    phy_rows_add(rows, (struct phy_row){"welch_1024", "Msps", "liquid spgramcf", N_SAMPLES, run_welch, run_spgram, NULL, p});
}
