/* The K = 7 decoder in double precision, as the textbook has it: what soft decision could give at best. For tests and benches. */
#ifndef TESTS_UNIT_PHY_VITERBI_DOUBLE_H
#define TESTS_UNIT_PHY_VITERBI_DOUBLE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* llr: 2 n_bits values, positive for 0; terminated in state 0. bits_out: one octet a bit. False if there is no memory. */
static inline int viterbi_double(const float *llr, size_t n_bits, uint8_t *bits_out)
{
    double metrics[2][64];
    uint8_t(*from)[64] = malloc(n_bits * sizeof *from);
    if (!from)
        return 0;
    for (unsigned s = 0; s < 64; s++)
        metrics[0][s] = s ? -1e9 : 0;
    for (size_t i = 0; i < n_bits; i++)
        for (unsigned s = 0; s < 64; s++) {
            double best = -1e300;
            for (unsigned old = s >> 1; old < 64; old += 32) {
                unsigned window = old << 1 | (s & 1u);
                double a = llr[2 * i], b = llr[2 * i + 1];
                double sum = metrics[i % 2][old] + (__builtin_parity(window & 0x6d) ? -a : a) + (__builtin_parity(window & 0x4f) ? -b : b);
                if (sum > best) {
                    best = sum;
                    from[i][s] = (uint8_t)old;
                }
            }
            metrics[(i + 1) % 2][s] = best;
        }
    unsigned state = 0;
    for (size_t i = n_bits; i-- > 0; state = from[i][state])
        bits_out[i] = state & 1u;
    free(from);
    return 1;
}
#endif
