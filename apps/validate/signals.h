/* Known signals for validation, by key: what a call gives depends on (seed, purpose, trial) only. */
#ifndef APPS_VALIDATE_SIGNALS_H
#define APPS_VALIDATE_SIGNALS_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

/* A draw of 64 bits for these four. */
uint64_t app_validate_draw(uint64_t seed, uint64_t purpose, uint64_t trial, uint64_t counter);

enum { VALIDATE_OFDM_FFT = 64, VALIDATE_OFDM_PREFIX = 16 };

/* OFDM with random QPSK on all 64 subcarriers and a prefix of 16 samples, beginning anywhere in a symbol; added with this mean
 * power. 0 or -ENOMEM (FFTW's plan). */
__attribute__((warn_unused_result)) int app_validate_add_ofdm(float complex *out, size_t n, double power, uint64_t seed, uint64_t trial);
#endif
