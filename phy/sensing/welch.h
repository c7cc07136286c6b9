/* Welch's power spectral density: Hann window, 50 % overlap. */
#ifndef PHY_WELCH_H
#define PHY_WELCH_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/simd.h"

struct phy_welch;

/* n_fft: a power of two, 16..65536. simd: spectra are the same to the bit. Returns 0 or -EINVAL, -ENOMEM (wraps an FFTW plan: heap
 * objects). */
__attribute__((warn_unused_result)) int phy_welch_open(struct phy_welch **out, size_t n_fft, enum phy_simd simd);
/* Accumulates; keeps the tail of a segment between calls. */
void phy_welch_push(struct phy_welch *w, const float complex *samples, size_t n);
/* psd_out: n_fft values, linear power per bin so that their sum is the mean power; DC in the middle (index n_fft/2).
 * Returns the number of segments averaged. */
uint64_t phy_welch_psd(const struct phy_welch *w, float *psd_out);
void phy_welch_reset(struct phy_welch *w);
void phy_welch_close(struct phy_welch *w);
#endif
