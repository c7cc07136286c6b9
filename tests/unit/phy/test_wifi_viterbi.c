#define SUITE_NAME "phy wifi viterbi"
#include "phy/air/awgn.h"
#include "phy/wifi/code.h"
#include "phy/wifi/viterbi.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/viterbi_double.h"

#include <math.h>
#include <string.h>

#ifdef AIRDEED_HAVE_FEC
#include <fec.h>
#endif

enum { MAX_BITS = 4096 };

/* A block sent over a noisy channel at one of the code rates; n_bits is a multiple of 6. */
struct block {
    size_t n_bits;
    uint8_t bits[MAX_BITS];
    float llr[2 * MAX_BITS];  /* positive for 0; 0 where punctured; the noiseless value is +-1 */
    int8_t soft[2 * MAX_BITS];
};

static uint64_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* rate_index 0: code rate 1/2, 6: 2/3, 7: 3/4. gain: the soft value of a noiseless bit. */
static void send(struct block *b, uint64_t seed, size_t n_bits, unsigned rate_index, float sigma, float gain)
{
    static float complex noise[MAX_BITS];
    static uint8_t coded[2 * MAX_BITS];
    struct phy_awgn awgn;
    unsigned period;
    const uint8_t *kept = phy_wifi_puncture_pattern(rate_index, &period);
    phy_awgn_init(&awgn, seed, 0, PHY_SIMD_BASELINE);
    memset(noise, 0, sizeof noise);
    phy_awgn_add(&awgn, 0, 2 * sigma * sigma, noise, n_bits);
    b->n_bits = n_bits;
    for (size_t i = 0; i < n_bits; i++)
        b->bits[i] = i + 6 < n_bits ? (uint8_t)(draw(&seed) & 1u) : 0;
    phy_wifi_encode(b->bits, n_bits, coded);
    for (size_t i = 0; i < 2 * n_bits; i++) {
        float n = i % 2 ? cimagf(noise[i / 2]) : crealf(noise[i / 2]);
        b->llr[i] = kept[i % period] ? (coded[i] ? -1.0f : 1.0f) + n : 0;
        b->soft[i] = (int8_t)lrintf(fmaxf(-127, fminf(127, gain * b->llr[i])));
    }
}

static struct phy_viterbi *open_decoder(size_t max_bits, enum phy_simd simd)
{
    void *mem = aligned_alloc(64, (phy_viterbi_bytes(max_bits) + 63) / 64 * 64);
    ck_assert_ptr_nonnull(mem);
    return phy_viterbi_init(mem, max_bits, simd);
}

static unsigned unpack(const uint8_t *packed, size_t i)
{
    return (unsigned)packed[i / 8] >> i % 8 & 1u;
}

static size_t count_errors(const struct block *b, const uint8_t *packed)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_bits; i++)
        n += b->bits[i] != unpack(packed, i);
    return n;
}

/* How well coded bits fit what was received: what the decoder has to make as large as can be. */
static long correlate(const struct block *b, const uint8_t *bits)
{
    static uint8_t coded[2 * MAX_BITS];
    long sum = 0;
    phy_wifi_encode(bits, b->n_bits, coded);
    for (size_t i = 0; i < 2 * b->n_bits; i++)
        sum += coded[i] ? -b->soft[i] : b->soft[i];
    return sum;
}

static long correlate_packed(const struct block *b, const uint8_t *packed)
{
    static uint8_t bits[MAX_BITS];
    for (size_t i = 0; i < b->n_bits; i++)
        bits[i] = (uint8_t)unpack(packed, i);
    return correlate(b, bits);
}

static const struct { unsigned rate_index; float sigma; } noisy[] = {{0, 0.8f}, {6, 0.6f}, {7, 0.52f}};

START_TEST(without_noise_every_bit_comes_back_at_each_code_rate)
{
    static struct block b;
    uint8_t packed[MAX_BITS / 8];
    struct phy_viterbi *v = open_decoder(MAX_BITS, PHY_SIMD_AUTO);
    for (unsigned rate = 0; rate < PHY_WIFI_N_RATES; rate++)
        for (size_t n = 12; n <= 4092; n = 2 * n + 12) {
            send(&b, rate * 1000 + n, n - n % 6, rate, 0, 1);
            phy_viterbi_decode(v, b.soft, b.n_bits, 1, packed);
            ck_assert_uint_eq(count_errors(&b, packed), 0);
        }
    free(v);
}
END_TEST

START_TEST(without_a_tail_the_likeliest_end_is_found)
{
    static struct block b;
    uint8_t packed[MAX_BITS / 8], coded[2 * MAX_BITS];
    struct phy_viterbi *v = open_decoder(MAX_BITS, PHY_SIMD_AUTO);
    send(&b, 5, 600, 0, 0, 20);
    b.bits[599] = b.bits[597] = b.bits[596] = 1;
    phy_wifi_encode(b.bits, 600, coded);
    for (size_t i = 0; i < 1200; i++)
        b.soft[i] = coded[i] ? -20 : 20;
    phy_viterbi_decode(v, b.soft, 600, 0, packed);
    ck_assert_uint_eq(count_errors(&b, packed), 0);
    free(v);
}
END_TEST

/* Enumerates every message of a short block. */
START_TEST(no_message_fits_better_than_the_one_returned)
{
    static struct block b;
    uint8_t packed[MAX_BITS / 8], bits[MAX_BITS] = {0};
    struct phy_viterbi *v = open_decoder(MAX_BITS, PHY_SIMD_AUTO);
    for (uint64_t seed = 0; seed < 60; seed++) {
        send(&b, seed, 18, noisy[seed % 3].rate_index, 1, seed % 2 ? 127 : 5);
        phy_viterbi_decode(v, b.soft, 18, 1, packed);
        long best = -1000000;
        for (unsigned message = 0; message < 1u << 12; message++) {
            for (unsigned i = 0; i < 12; i++)
                bits[i] = message >> i & 1u;
            long fit = correlate(&b, bits);
            best = fit > best ? fit : best;
        }
        ck_assert_int_eq(correlate_packed(&b, packed), best);
    }
    free(v);
}
END_TEST

START_TEST(both_simd_levels_return_the_same_bits)
{
    static struct block b;
    uint8_t one[MAX_BITS / 8], two[MAX_BITS / 8];
    struct phy_viterbi *plain = open_decoder(MAX_BITS, PHY_SIMD_BASELINE), *fast = open_decoder(MAX_BITS, PHY_SIMD_AVX2);
    uint64_t seed = 3;
    for (unsigned trial = 0; trial < 300; trial++) {
        size_t n = 6 + draw(&seed) % (MAX_BITS - 12);
        send(&b, draw(&seed), n - n % 6, trial % 8, 0.3f + 0.1f * (float)(trial % 13), (float)(1 + draw(&seed) % 200));
        if (trial % 10 == 0) /* no code word at all: extremes and nothing in between */
            for (size_t i = 0; i < 2 * b.n_bits; i++)
                b.soft[i] = draw(&seed) % 2 ? 127 : -127;
        memset(one, 0xaa, sizeof one);
        memset(two, 0x55, sizeof two);
        phy_viterbi_decode(plain, b.soft, b.n_bits, trial % 3 > 0, one);
        phy_viterbi_decode(fast, b.soft, b.n_bits, trial % 3 > 0, two);
        ck_assert_int_eq(memcmp(one, two, (b.n_bits + 7) / 8), 0);
        ck_assert_uint_eq(two[(b.n_bits + 7) / 8], 0x55);
    }
    free(plain);
    free(fast);
}
END_TEST

START_TEST(the_longest_data_field_is_decoded)
{
    enum { N = PHY_WIFI_MAX_DATA_BITS };
    uint8_t *bits = calloc(N, 1), *coded = malloc(2 * N), *packed = malloc(N / 8 + 1);
    int8_t *soft = malloc(2 * N);
    struct phy_viterbi *v = open_decoder(N, PHY_SIMD_AUTO);
    ck_assert(bits && coded && packed && soft);
    uint64_t seed = 1;
    for (size_t i = 0; i < N - 6; i++)
        bits[i] = (uint8_t)(draw(&seed) & 1u);
    phy_wifi_encode(bits, N, coded);
    for (size_t i = 0; i < 2 * N; i++) /* loud, with one value in 16 reversed: what 16-bit metrics must bear */
        soft[i] = (int8_t)((coded[i] ? -127 : 127) * (draw(&seed) % 16 ? 1 : -1));
    phy_viterbi_decode(v, soft, N, 1, packed);
    size_t n_wrong = 0;
    for (size_t i = 0; i < N; i++)
        n_wrong += bits[i] != unpack(packed, i);
    ck_assert_uint_lt(n_wrong, N / 50);
    free(bits), free(coded), free(packed), free(soft), free(v);
}
END_TEST

/* On the same noise: blocks that only one of the two gets wrong are as often the one's as the other's, to 3.5 standard errors, and few.
 * (bench_phy measures the loss in decibels.) */
START_TEST(eight_bits_lose_nothing_against_double_precision)
{
    static struct block b;
    static uint8_t packed[MAX_BITS / 8], bits[MAX_BITS];
    struct phy_viterbi *v = open_decoder(MAX_BITS, PHY_SIMD_AUTO);
    enum { N = 600, N_TRIALS = 900 };
    int n_worse = 0, n_better = 0, n_wrong = 0;
    for (unsigned trial = 0; trial < N_TRIALS; trial++) {
        send(&b, 1000 + trial, N, noisy[trial % 3].rate_index, noisy[trial % 3].sigma, 40);
        phy_viterbi_decode(v, b.soft, N, 1, packed);
        ck_assert(viterbi_double(b.llr, N, bits));
        int ours = count_errors(&b, packed) > 0, theirs = memcmp(bits, b.bits, N) != 0;
        n_worse += ours && !theirs;
        n_better += theirs && !ours;
        n_wrong += theirs;
    }
    ck_assert_msg(n_wrong > N_TRIALS / 20 && n_wrong < N_TRIALS / 2, "%d of %d blocks wrong: no test of anything", n_wrong, N_TRIALS);
    ck_assert_msg(n_worse - n_better < 3.5 * sqrt(n_worse + n_better) + 1, "%d worse, %d better", n_worse, n_better);
    ck_assert_msg(n_worse + n_better < n_wrong / 5, "%d of %d differ", n_worse + n_better, n_wrong);
    free(v);
}
END_TEST

#ifdef AIRDEED_HAVE_FEC
/* Debian's decoder on the same soft bits. It takes an erasure for half a step towards 0, so that its message may fit a little worse,
 * never better; where the noise is not great both are the message sent. */
START_TEST(libfec_never_finds_a_better_message)
{
    static struct block b;
    static uint8_t symbols[2 * MAX_BITS], packed[MAX_BITS / 8], theirs[MAX_BITS / 8 + 1], reversed[MAX_BITS / 8 + 1];
    struct phy_viterbi *v = open_decoder(MAX_BITS, PHY_SIMD_AUTO);
    enum { N = 1200, N_TRIALS = 150 };
    void *fec = create_viterbi27(N);
    unsigned n_equal = 0;
    size_t n_wrong = 0, n_wrong_theirs = 0;
    for (unsigned trial = 0; trial < N_TRIALS; trial++) {
        send(&b, trial, N, noisy[trial % 3].rate_index, noisy[trial % 3].sigma, 40);
        for (size_t i = 0; i < 2 * N; i++)
            symbols[i] = (uint8_t)(127 - b.soft[i]);
        phy_viterbi_decode(v, b.soft, N, 1, packed);
        init_viterbi27(fec, 0);
        update_viterbi27_blk(fec, symbols, N);
        memset(theirs, 0, sizeof theirs);
        chainback_viterbi27(fec, theirs, N - 6, 0);
        memset(reversed, 0, sizeof reversed);
        for (size_t i = 0; i < N - 6; i++)
            reversed[i / 8] |= (uint8_t)((theirs[i / 8] >> (7 - i % 8) & 1) << i % 8);
        ck_assert_int_ge(correlate_packed(&b, packed), correlate_packed(&b, reversed));
        n_equal += memcmp(packed, reversed, N / 8) == 0;
        n_wrong += count_errors(&b, packed);
        n_wrong_theirs += count_errors(&b, reversed);
    }
    ck_assert_msg(n_wrong > 100, "%zu errors: no test of anything", n_wrong);
    ck_assert_msg(n_equal > N_TRIALS * 8 / 10, "%u of %d blocks equal", n_equal, N_TRIALS);
    ck_assert_msg((double)n_wrong < 1.05 * (double)n_wrong_theirs, "%zu bits wrong, libfec %zu", n_wrong, n_wrong_theirs);
    delete_viterbi27(fec);
    free(v);
}
END_TEST
#endif

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("viterbi");
    tcase_add_test(tcase, without_noise_every_bit_comes_back_at_each_code_rate);
    tcase_add_test(tcase, without_a_tail_the_likeliest_end_is_found);
    tcase_add_test(tcase, no_message_fits_better_than_the_one_returned);
    tcase_add_test(tcase, both_simd_levels_return_the_same_bits);
    tcase_add_test(tcase, the_longest_data_field_is_decoded);
    tcase_add_test(tcase, eight_bits_lose_nothing_against_double_precision);
#ifdef AIRDEED_HAVE_FEC
    tcase_add_test(tcase, libfec_never_finds_a_better_message);
#endif
    suite_add_tcase(suite, tcase);
}
