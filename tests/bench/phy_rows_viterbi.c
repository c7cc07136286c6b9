/* The soft decoder of the K = 7 code beside Debian's libfec: bits decoded, on the same noisy blocks. And what its eight soft bits lose
 * against double precision. */
#include "tests/bench/phy_rows.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/wifi/code.h"
#include "phy/wifi/viterbi.h"
#include "tests/unit/phy/viterbi_double.h"

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

/* --- loss --- */

enum { N_LOSS_BITS = 996, N_LOSS_BLOCKS = 3000 };

struct loss {
    struct phy_viterbi *ours;
    unsigned rate_index;
    float sigma; /* some 5 % of the blocks are lost */
    struct phy_awgn awgn;
    float complex noise[N_LOSS_BITS];
    uint8_t bits[N_LOSS_BITS], coded[2 * N_LOSS_BITS], decided[N_LOSS_BITS], packed[N_LOSS_BITS / 8 + 1];
    float llr[2 * N_LOSS_BITS];
    int8_t soft[2 * N_LOSS_BITS];
};

static void send(struct loss *l, size_t i_block, float sigma)
{
    unsigned period;
    const uint8_t *kept = phy_wifi_puncture_pattern(l->rate_index, &period);
    for (size_t i = 0; i < N_LOSS_BITS; i++)
        l->bits[i] = i + 6 < N_LOSS_BITS ? (uint8_t)(((i + i_block) * (i + 77) * 2654435761u >> 13) & 1u) : 0;
    phy_wifi_encode(l->bits, N_LOSS_BITS, l->coded);
    memset(l->noise, 0, sizeof l->noise);
    phy_awgn_add(&l->awgn, i_block * N_LOSS_BITS, 2 * sigma * sigma, l->noise, N_LOSS_BITS);
    for (size_t i = 0; i < 2 * N_LOSS_BITS; i++) {
        float n = i % 2 ? cimagf(l->noise[i / 2]) : crealf(l->noise[i / 2]);
        l->llr[i] = kept[i % period] ? (l->coded[i] ? -1.0f : 1.0f) + n : 0;
        l->soft[i] = (int8_t)lrintf(fmaxf(-127, fminf(127, 40 * l->llr[i])));
    }
}

/* Decibels: how much more the floating-point decoder could bear to lose as many blocks. From the losses of both on the same noise and
 * the slope of its own between this noise and .25 dB less. */
static double run_loss(void *ctx)
{
    struct loss *l = ctx;
    double n_ours = 0, n_double = 0, n_double_less = 0;
    for (size_t i = 0; i < N_LOSS_BLOCKS; i++) {
        send(l, i, l->sigma);
        phy_viterbi_decode(l->ours, l->soft, N_LOSS_BITS, 1, l->packed);
        bool wrong = false;
        for (size_t k = 0; k < N_LOSS_BITS; k++)
            wrong |= (l->packed[k / 8] >> k % 8 & 1) != l->bits[k];
        n_ours += wrong;
        if (!viterbi_double(l->llr, N_LOSS_BITS, l->decided))
            phy_rows_fail("memory");
        n_double += memcmp(l->decided, l->bits, N_LOSS_BITS) != 0;
        send(l, i, l->sigma * 0.971628f);
        if (!viterbi_double(l->llr, N_LOSS_BITS, l->decided))
            phy_rows_fail("memory");
        n_double_less += memcmp(l->decided, l->bits, N_LOSS_BITS) != 0;
    }
    return 0.25 * log(n_ours / n_double) / log(n_double / n_double_less);
}

static void add_loss(struct phy_rows *rows, const char *name, unsigned rate_index, float sigma)
{
    struct loss *l = phy_rows_memory(sizeof *l);
    l->ours = phy_viterbi_init(phy_rows_memory(phy_viterbi_bytes(N_LOSS_BITS)), N_LOSS_BITS, rows->simd);
    l->rate_index = rate_index;
    l->sigma = sigma;
    phy_awgn_init(&l->awgn, 1, 3 + rate_index, PHY_SIMD_BASELINE);
    phy_rows_add(rows, (struct phy_row){name, "dB", NULL, 0, run_loss, NULL, NULL, l});
}

/* --- speed --- */

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
    add_loss(rows, "viterbi_k7_loss_1_2", 0, 0.75f);
    add_loss(rows, "viterbi_k7_loss_2_3", 6, 0.59f);
    add_loss(rows, "viterbi_k7_loss_3_4", 7, 0.52f);
}
