/* The soft decoder of the K = 7 code beside Debian's libfec: bits decoded, on the same noisy blocks. */
#include "tests/bench/phy_rows.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/wifi/code.h"
#include "phy/wifi/viterbi.h"

#ifdef AIRDEED_HAVE_FEC
#include <fec.h>
#endif

enum { N_BITS = 8208, N_BLOCKS = 16 }; /* 1024 octets and a tail */

struct viterbi {
    struct phy_viterbi *ours;
    void *fec;
    uint8_t bits[N_BITS];
    int8_t soft[N_BLOCKS][2 * N_BITS];
    uint8_t symbols[N_BLOCKS][2 * N_BITS], packed[N_BITS / 8 + 8];
};

static double run_viterbi(void *ctx)
{
    struct viterbi *v = ctx;
    for (size_t i = 0; i < N_BLOCKS; i++)
        phy_viterbi_decode(v->ours, v->soft[i], N_BITS, 1, v->packed);
    return 0;
}

#ifdef AIRDEED_HAVE_FEC
static double run_fec(void *ctx)
{
    struct viterbi *v = ctx;
    for (size_t i = 0; i < N_BLOCKS; i++) {
        init_viterbi27(v->fec, 0);
        update_viterbi27_blk(v->fec, v->symbols[i], N_BITS);
        chainback_viterbi27(v->fec, v->packed, N_BITS - 6, 0);
    }
    return 0;
}
#endif

static bool check_bits(void *ctx)
{
    struct viterbi *v = ctx;
    run_viterbi(v);
    size_t n_wrong = 0;
    for (size_t i = 0; i < N_BITS; i++)
        n_wrong += (v->packed[i / 8] >> i % 8 & 1) != v->bits[i];
    return n_wrong < N_BITS / 1000;
}

/* Es/N0 2 dB a coded bit: what QPSK at rate 1/2 sees at 5 dB. */
static void make_blocks(struct viterbi *v)
{
    static uint8_t coded[2 * N_BITS];
    static float complex noise[N_BITS];
    static struct phy_awgn awgn;
    for (size_t i = 0; i < N_BITS; i++)
        v->bits[i] = i + 6 < N_BITS ? (uint8_t)((i * i * 2654435761u >> 13) & 1u) : 0;
    phy_wifi_encode(v->bits, N_BITS, coded);
    phy_awgn_init(&awgn, 1, 2, PHY_SIMD_BASELINE);
    for (size_t k = 0; k < N_BLOCKS; k++) {
        memset(noise, 0, sizeof noise);
        phy_awgn_add(&awgn, k * N_BITS, 0.63f, noise, N_BITS);
        for (size_t i = 0; i < 2 * N_BITS; i++) {
            float n = i % 2 ? cimagf(noise[i / 2]) : crealf(noise[i / 2]);
            v->soft[k][i] = (int8_t)lrintf(fmaxf(-127, fminf(127, 40 * ((coded[i] ? -1.0f : 1.0f) + n))));
            v->symbols[k][i] = (uint8_t)(127 - v->soft[k][i]);
        }
    }
}

void phy_rows_viterbi(struct phy_rows *rows)
{
    struct viterbi *v = phy_rows_memory(sizeof *v);
    v->ours = phy_viterbi_init(phy_rows_memory(phy_viterbi_bytes(N_BITS)), N_BITS, rows->simd);
    make_blocks(v);
    struct phy_row row = {"viterbi_k7", "Mbit/s", "libfec viterbi27", (double)N_BLOCKS * N_BITS, run_viterbi, NULL, check_bits, v};
#ifdef AIRDEED_HAVE_FEC
    v->fec = create_viterbi27(N_BITS);
    row.run_peer = run_fec;
#endif
    phy_rows_add(rows, row);
}
