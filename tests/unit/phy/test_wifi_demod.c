#define SUITE_NAME "wifi demodulator"
#include <stdio.h>

#include "phy/wifi/code.h"
#include "phy/wifi/demod.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/wifi_link.h"

enum { LEAD = 100, MAX_SAMPLES = 120000 };

struct bench {
    struct phy_wifi_demod *demod;
    float complex *clean, *x;
    uint8_t psdu[PHY_WIFI_MAX_PSDU];
    size_t len, n;
    struct phy_frame frame;
};

static void open_bench(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->demod = phy_wifi_demod_init(aligned_alloc(64, (phy_wifi_demod_bytes() + 63) / 64 * 64), PHY_SIMD_AUTO);
    b->clean = calloc(MAX_SAMPLES, sizeof *b->clean);
    b->x = calloc(MAX_SAMPLES, sizeof *b->x);
}

static void close_bench(struct bench *b)
{
    free(b->demod);
    free(b->clean);
    free(b->x);
}

/* A frame, clean, LEAD samples into x. */
static void make(struct bench *b, unsigned rate_index, size_t len, uint64_t seed)
{
    b->len = len;
    wifi_draw_psdu(b->psdu, len, seed);
    memset(b->x, 0, MAX_SAMPLES * sizeof *b->x);
    b->n = wifi_put_frame(b->x + LEAD, b->psdu, len, rate_index);
}

static void receive(struct bench *b, double cfo, int late)
{
    struct phy_wifi_preamble preamble = {
        .start_sample = LEAD, .long_sample = (uint64_t)(LEAD + 192 + late), .cfo = (float)cfo, .quality = 1.0f, .power = 1.0f};
    phy_wifi_demod_begin(b->demod, &preamble, b->x, 0);
    uint64_t first, end, last = 0;
    do {
        end = phy_wifi_demod_wants(b->demod, &first);
        ck_assert_uint_ge(end, last);
        ck_assert_uint_lt(end, MAX_SAMPLES);
        last = end;
    } while (!phy_wifi_demod_symbol(b->demod, b->x, 0));
    phy_wifi_demod_finish(b->demod, &b->frame);
}

static bool is_right(const struct bench *b)
{
    return b->frame.header_ok && b->frame.psdu_len == b->len && memcmp(b->frame.psdu, b->psdu, b->len) == 0;
}

START_TEST(every_rate_and_length_comes_out_octet_by_octet)
{
    struct bench b;
    open_bench(&b);
    const size_t lens[] = {1, 5, 14, 100, 1004, 2346};
    for (unsigned rate = 0; rate < PHY_WIFI_N_RATES; rate++)
        for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
            make(&b, rate, lens[i], rate * 10 + i);
            receive(&b, 0.0, 0);
            ck_assert_msg(is_right(&b), "rate %u, %zu octets", rate, lens[i]);
            ck_assert_uint_eq(b.frame.rate_kbps, phy_wifi_rate(rate)->kbps_at_20msps / 20);
            ck_assert_uint_eq(b.frame.start_sample, LEAD);
            ck_assert_uint_eq(b.frame.end_sample, LEAD + b.n);
            ck_assert_int_eq(b.frame.corrected_bits, 0);
            ck_assert_double_lt(b.frame.evm_db, -50.0);
            ck_assert_int_eq(b.frame.ht_mcs, -1);
        }
    make(&b, 0, PHY_WIFI_MAX_PSDU, 1);
    receive(&b, 0.0, 0);
    ck_assert(is_right(&b));
    close_bench(&b);
}
END_TEST

START_TEST(offset_and_timing_errors_of_the_preamble_do_not_matter)
{
    struct bench b;
    open_bench(&b);
    for (int late = -6; late <= 6; late += 3)
        for (int k = -3; k <= 3; k++) {
            double cfo = 0.5 * k / 64.0, error = 0.02 * k / 64.0;
            make(&b, 4, 300, (uint64_t)(k + 10));
            wifi_turn(b.x + LEAD, b.n, 0.3, cfo, k);
            wifi_add_noise(b.x, b.n + 2 * LEAD, 20.0 * log10(0.3) - 25.0, (uint64_t)(late + 50));
            receive(&b, cfo + error, late);
            ck_assert_msg(is_right(&b), "offset %g, %d samples late", cfo, late);
            ck_assert_double_eq_tol(b.frame.cfo_hz, cfo, 2e-5);
        }
    close_bench(&b);
}
END_TEST

START_TEST(an_offset_that_is_a_whole_subcarrier_off_is_put_right)
{
    struct bench b;
    open_bench(&b);
    for (int off = -1; off <= 1; off += 2)
        for (unsigned k = 0; k < 10; k++) {
            make(&b, 2, 300, k);
            wifi_turn(b.x + LEAD, b.n, 1.0, 0.004, k);
            wifi_add_noise(b.x, b.n + 2 * LEAD, -10.0, k);
            receive(&b, 0.004 + off / 64.0, 0);
            ck_assert(is_right(&b));
            ck_assert_double_eq_tol(b.frame.cfo_hz, 0.004, 5e-5);
        }
    close_bench(&b);
}
END_TEST

START_TEST(a_tone_that_begins_within_a_frame_costs_only_what_it_covers)
{
    struct bench b;
    open_bench(&b);
    for (int sir_db = 0; sir_db >= -5; sir_db -= 5)
        for (unsigned k = 0; k < 40; k++) {
            double bin = -26.0 + 1.31 * k;
            make(&b, 2, 1004, k);
            size_t first = LEAD + PHY_WIFI_HEAD + 61 * k; /* anywhere within a symbol */
            size_t end = k % 2 ? b.n + 2 * LEAD : first + 700;
            for (size_t i = first; i < end; i++)
                b.x[i] += (float complex)(pow(10.0, -sir_db / 20.0) * cexp(I * (k + 2.0 * wifi_pi * bin / 64.0 * (double)i)));
            wifi_add_noise(b.x, b.n + 2 * LEAD, -wifi_snr_db(20.0), k);
            receive(&b, 0.0, 0);
            ck_assert_msg(is_right(&b), "SIR %d dB, tone at %g", sir_db, bin);
        }
    close_bench(&b);
}
END_TEST

START_TEST(a_sample_clock_that_is_off_by_40_ppm_is_followed_through_the_longest_frame)
{
    struct bench b;
    open_bench(&b);
    for (int sign = -1; sign <= 1; sign += 2) {
        make(&b, 0, PHY_WIFI_MAX_PSDU, 3);
        memcpy(b.clean, b.x, MAX_SAMPLES * sizeof *b.x);
        wifi_resample(b.clean, MAX_SAMPLES, 40.0 * sign, 0.0, b.x, LEAD + b.n + 40);
        wifi_add_noise(b.x, b.n + 2 * LEAD, -20.0, 3);
        receive(&b, 0.0, 0);
        ck_assert(is_right(&b));
        ck_assert_double_eq_tol(b.frame.evm_db, -20.0 - 10.0 * log10(64.0 / 52.0), 0.7);
    }
    close_bench(&b);
}
END_TEST

START_TEST(error_vector_and_noise_are_those_that_were_added)
{
    struct bench b;
    open_bench(&b);
    for (unsigned k = 0; k < 6; k++) {
        double es_n0_db = 15.0 + 4.0 * k;
        make(&b, 2, 1004, k);
        wifi_turn(b.x + LEAD, b.n, 1.0, 0.003, 1.0);
        wifi_add_noise(b.x, b.n + 2 * LEAD, -wifi_snr_db(es_n0_db), k);
        receive(&b, 0.003, 0);
        ck_assert(is_right(&b));
        ck_assert_double_eq_tol(b.frame.evm_db, -es_n0_db, 0.4);
        double mean = 0.0;
        for (int i = 0; i < PHY_WIFI_N_FFT; i++) {
            bool used = i != 0 && (i <= 26 || i >= 38);
            ck_assert_int_eq(isnan(b.frame.noise_db[i]), !used);
            mean += used ? pow(10.0, (double)b.frame.noise_db[i] / 10.0) / 52.0 : 0.0;
        }
        ck_assert_double_eq_tol(10.0 * log10(mean), -es_n0_db, 0.4);
    }
    close_bench(&b);
}
END_TEST

/* One echo within the guard interval and noise at 30 dB: the error vector stays near the noise, whatever the delay. */
START_TEST(an_echo_anywhere_within_the_guard_interval_leaves_no_error_floor)
{
    struct bench b;
    open_bench(&b);
    for (int echo_db = -20; echo_db <= -6; echo_db += 14)
        for (int delay = 1; delay <= 15; delay++) {
            double evm = 0.0;
            unsigned n_right = 0;
            for (unsigned k = 0; k < 10; k++) {
                make(&b, 7, 504, 100 * k + (unsigned)delay);
                float complex gain = (float complex)(pow(10.0, echo_db / 20.0) * cexp(2.0 * I * wifi_pi * (0.1 * k + 0.03)));
                for (size_t i = LEAD + b.n + 15; i >= (size_t)(LEAD + delay); i--)
                    b.x[i] += gain * b.x[i - (size_t)delay];
                wifi_add_noise(b.x, b.n + 2 * LEAD, -30.0, 7000 + 20 * k + (unsigned)delay);
                receive(&b, 0.0, 0);
                n_right += is_right(&b);
                evm += pow(10.0, b.frame.evm_db / 10.0) / 10.0;
            }
            ck_assert_msg(n_right == 10 && 10.0 * log10(evm) < -28.0, "echo of %d dB after %d samples: %u of 10, EVM %.1f dB", echo_db,
                          delay, n_right, 10.0 * log10(evm));
        }
    close_bench(&b);
}
END_TEST

START_TEST(a_tone_shows_on_its_subcarrier_and_costs_no_frame)
{
    struct bench b;
    open_bench(&b);
    for (int k = 0; k < 20; k++) {
        double bin = -26.0 + 2.7 * k;
        if (fabs(bin) < 1.0)
            continue;
        make(&b, 2, 1004, (uint64_t)k);
        for (size_t i = 0; i < b.n + 2 * LEAD; i++)
            b.x[i] += (float complex)cexp(I * (k + 2.0 * wifi_pi * bin / 64.0 * (double)i)); /* SIR 0 dB */
        wifi_add_noise(b.x, b.n + 2 * LEAD, -wifi_snr_db(20.0), (uint64_t)k);
        receive(&b, 0.0, 0);
        ck_assert_msg(is_right(&b), "tone at %g", bin);
        int near = ((int)lround(bin) + 64) % 64;
        for (int i = 0; i < PHY_WIFI_N_FFT; i++)
            if (!isnan(b.frame.noise_db[i]) && abs((i - near + 96) % 64 - 32) > 1)
                ck_assert_float_gt(b.frame.noise_db[near], b.frame.noise_db[i]);
        ck_assert_float_gt(b.frame.noise_db[near], 8.0f); /* 17 dB at its middle, 13 dB between two */
    }
    close_bench(&b);
}
END_TEST

/* Turns the sign of data subcarrier i_data of DATA symbol i_symbol of a clean frame. */
static void flip(struct bench *b, unsigned rate_index, unsigned i_symbol, unsigned i_data)
{
    float complex *symbol = b->x + LEAD + PHY_WIFI_HEAD + (size_t)i_symbol * PHY_WIFI_SYMBOL;
    unsigned bin = phy_wifi_data_bin[i_data];
    double complex sum = 0.0;
    (void)rate_index;
    for (int i = 0; i < 64; i++)
        sum += (double complex)symbol[16 + i] * cexp(-2.0 * I * wifi_pi * bin * i / 64.0) / 64.0;
    for (int i = 0; i < 80; i++)
        symbol[i] -= (float complex)(2.0 * sum * cexp(2.0 * I * wifi_pi * bin * (i - 16) / 64.0));
}

START_TEST(corrected_bits_counts_the_coded_bits_that_came_wrong)
{
    struct bench b;
    open_bench(&b);
    for (unsigned rate = 0; rate < 4; rate++) {
        unsigned n_bpsc = phy_wifi_rate(rate)->n_bpsc;
        make(&b, rate, 1004, rate);
        for (unsigned k = 0; k < 11; k++)
            flip(&b, rate, 5 * k + 2, 4 * k + 1);
        receive(&b, 0.0, 0);
        ck_assert(is_right(&b));
        ck_assert_int_eq(b.frame.corrected_bits, (int)(11 * n_bpsc));
    }
    close_bench(&b);
}
END_TEST

/* Frames in noise alone: how many are lost. */
static unsigned count_lost(struct bench *b, unsigned rate, double es_n0_db, unsigned n)
{
    unsigned n_lost = 0;
    for (unsigned k = 0; k < n; k++) {
        double cfo = (double)(k % 17) * 1e-3 - 8e-3;
        make(b, rate, 1004, k);
        wifi_turn(b->x + LEAD, b->n, 1.0, cfo, k);
        wifi_add_noise(b->x, b->n + 2 * LEAD, -wifi_snr_db(es_n0_db), 1000 + k);
        receive(b, cfo, 0);
        n_lost += !is_right(b);
    }
    return n_lost;
}

START_TEST(in_noise_it_loses_little_to_a_perfect_receiver)
{
    struct bench b;
    open_bench(&b);
    /* 1 % at 1.35 and 4.32 dB with all known; 200 frames at .4 dB more, of which 3.5 standard errors more than 1 % may be lost */
    unsigned bpsk = count_lost(&b, 0, 1.75, 200), qpsk = count_lost(&b, 2, 4.72, 200);
    printf("of 200 frames %u lost at Es/N0 1.75 dB (BPSK 1/2), %u at 4.72 dB (QPSK 1/2)\n", bpsk, qpsk);
    ck_assert_uint_le(bpsk, 7);
    ck_assert_uint_le(qpsk, 7);
    close_bench(&b);
}
END_TEST

/* HT-SIGNAL's bits (19.3.9.4.3): MCS 7, length 16, eleven more, CRC-8 over these 34, tail */
static void make_ht_bits(unsigned mcs, unsigned len, bool good, uint8_t bits[48])
{
    memset(bits, 0, 48);
    for (unsigned i = 0; i < 7; i++)
        bits[i] = mcs >> i & 1;
    for (unsigned i = 0; i < 16; i++)
        bits[8 + i] = len >> i & 1;
    bits[24] = bits[25] = bits[26] = 1;
    uint8_t crc[8] = {1, 1, 1, 1, 1, 1, 1, 1}; /* Figure 19-8: c0 first */
    for (unsigned i = 0; i < 34; i++) {
        uint8_t in = crc[7] ^ bits[i];
        memmove(crc + 1, crc, 7);
        crc[0] = in;
        crc[1] ^= in;
        crc[2] ^= in;
    }
    for (unsigned i = 0; i < 8; i++)
        bits[34 + i] = crc[7 - i] ^ 1;
    bits[34] ^= !good;
}

static void put_symbol(const float complex bins[64], float complex *out)
{
    for (int i = 0; i < 80; i++) {
        double complex sum = 0.0;
        for (int k = 0; k < 64; k++)
            sum += (double complex)bins[k] * cexp(2.0 * I * wifi_pi * k * (i - 16) / 64.0);
        out[i] = (float complex)(sum / sqrt(52.0));
    }
}

/* A legacy frame of 6 Mb/s whose first symbols become HT-SIGNAL. */
static void make_ht(struct bench *b, unsigned mcs, unsigned len, bool good)
{
    uint8_t bits[48];
    unsigned state = 0;
    make(b, 0, 200, mcs);
    make_ht_bits(mcs, len, good, bits);
    for (unsigned i = 0; i < 2; i++) {
        float complex bins[64];
        phy_wifi_map_symbol(0, i + 1, bits + 24 * i, &state, bins);
        for (unsigned k = 0; k < PHY_WIFI_N_DATA; k++)
            bins[phy_wifi_data_bin[k]] *= (float complex)I;
        put_symbol(bins, b->x + LEAD + PHY_WIFI_HEAD + 80 * i);
    }
}

START_TEST(an_ht_frame_is_named_with_its_mcs_and_length)
{
    struct bench b;
    open_bench(&b);
    const uint32_t kbps[] = {325, 650, 975, 1300, 1950, 2600, 2925, 3250};
    for (unsigned mcs = 0; mcs < 32; mcs++) {
        make_ht(&b, mcs, 100 + 2000 * mcs, true);
        wifi_turn(b.x + LEAD, b.n, 1.0, 0.002, mcs);
        wifi_add_noise(b.x, b.n + 2 * LEAD, -12.0, mcs);
        receive(&b, 0.002, 0);
        ck_assert(b.frame.header_ok);
        ck_assert_int_eq(b.frame.format, PHY_FORMAT_HT);
        ck_assert_int_eq(b.frame.ht_mcs, (int)mcs);
        ck_assert_uint_eq(b.frame.ht_len, 100 + 2000 * mcs);
        ck_assert_uint_eq(b.frame.rate_kbps, kbps[mcs % 8] * (1 + mcs / 8));
        ck_assert_uint_eq(b.frame.psdu_len, 0);
        ck_assert_uint_eq(b.frame.end_sample, LEAD + b.n); /* as SIGNAL says */
    }
    make_ht(&b, 3, 500, false);
    receive(&b, 0.0, 0);
    ck_assert(!b.frame.header_ok);
    ck_assert_uint_eq(b.frame.psdu_len, 0);
    close_bench(&b);
}
END_TEST

START_TEST(a_frame_that_is_cut_off_keeps_its_length_and_what_came)
{
    struct bench b;
    open_bench(&b);
    make(&b, 2, 1004, 9);
    struct phy_wifi_preamble preamble = {.start_sample = LEAD, .long_sample = LEAD + 192, .quality = 1.0f, .power = 1.0f};
    phy_wifi_demod_begin(b.demod, &preamble, b.x, 0);
    ck_assert(!phy_wifi_demod_has_header(b.demod));
    for (int i = 0; i < 40; i++)
        ck_assert(!phy_wifi_demod_symbol(b.demod, b.x, 0));
    ck_assert(phy_wifi_demod_has_header(b.demod));
    phy_wifi_demod_finish(b.demod, &b.frame);
    ck_assert(b.frame.header_ok);
    ck_assert_uint_eq(b.frame.psdu_len, 1004);
    ck_assert_mem_eq(b.frame.psdu, b.psdu, 39 * 6 - 10); /* 48 bits a symbol, less SERVICE and the decoder's memory */
    ck_assert_mem_ne(b.frame.psdu, b.psdu, 1004);
    close_bench(&b);
}
END_TEST

/* SIGNAL with any 24 bits, tail included, in place of a good frame's. */
START_TEST(whatever_signal_says_the_frame_ends_and_the_field_is_obeyed_or_refused)
{
    struct bench b;
    open_bench(&b);
    uint64_t seed = 5;
    unsigned n_good = 0;
    for (unsigned k = 0; k < 300; k++) {
        uint8_t bits[24] = {0};
        float complex bins[64];
        unsigned state = 0, parity = 0;
        make(&b, k % 8, 60, k);
        for (unsigned i = 0; i < 18; i++)
            parity ^= bits[i] = wifi_random(&seed) & 1;
        int rate = phy_wifi_rate_of_signal((uint8_t)(bits[0] | bits[1] << 1 | bits[2] << 2 | bits[3] << 3));
        unsigned len = 0;
        for (unsigned i = 0; i < 12; i++)
            len |= (unsigned)bits[5 + i] << i;
        phy_wifi_map_symbol(0, 0, bits, &state, bins);
        put_symbol(bins, b.x + LEAD + 320);
        receive(&b, 0.0, 0);
        bool good = rate >= 0 && parity == 0 && bits[4] == 0 && len > 0;
        n_good += good;
        ck_assert_int_eq(b.frame.header_ok, good);
        ck_assert_uint_eq(b.frame.psdu_len, good ? len : 0);
        if (good)
            ck_assert_uint_eq(b.frame.rate_kbps, phy_wifi_rate((unsigned)rate)->kbps_at_20msps / 20);
    }
    ck_assert_uint_ge(n_good, 20);
    close_bench(&b);
}
END_TEST

START_TEST(errors_begin_where_the_interferer_does_and_nowhere_without_one)
{
    struct bench b;
    open_bench(&b);
    for (unsigned k = 0; k < 40; k++) {
        size_t at = 800 + 37 * k; /* samples into the frame */
        make(&b, 2, 400, k);
        wifi_add_noise(b.x, b.n + 2 * LEAD, -3.0 - k % 30, k);
        receive(&b, 0.0, 0);
        ck_assert_int_eq(b.frame.error_samples, -1);
        make(&b, 2, 400, k);
        wifi_add_noise(b.x, b.n + 2 * LEAD, -20.0, k);
        wifi_add_noise(b.x + LEAD + at, b.n - at, -5.0, k + 100); /* 5 dB under the frame */
        receive(&b, 0.0, 0);
        ck_assert_int_ge(b.frame.error_samples, (int64_t)at - PHY_WIFI_SYMBOL);
        ck_assert_int_le(b.frame.error_samples, (int64_t)at + PHY_WIFI_SYMBOL);
    }
    close_bench(&b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *c = tcase_create("demodulator");
    tcase_add_test(c, every_rate_and_length_comes_out_octet_by_octet);
    tcase_add_test(c, offset_and_timing_errors_of_the_preamble_do_not_matter);
    tcase_add_test(c, an_offset_that_is_a_whole_subcarrier_off_is_put_right);
    tcase_add_test(c, a_sample_clock_that_is_off_by_40_ppm_is_followed_through_the_longest_frame);
    tcase_add_test(c, error_vector_and_noise_are_those_that_were_added);
    tcase_add_test(c, an_echo_anywhere_within_the_guard_interval_leaves_no_error_floor);
    tcase_add_test(c, a_tone_shows_on_its_subcarrier_and_costs_no_frame);
    tcase_add_test(c, a_tone_that_begins_within_a_frame_costs_only_what_it_covers);
    tcase_add_test(c, errors_begin_where_the_interferer_does_and_nowhere_without_one);
    tcase_add_test(c, corrected_bits_counts_the_coded_bits_that_came_wrong);
    tcase_add_test(c, in_noise_it_loses_little_to_a_perfect_receiver);
    tcase_add_test(c, an_ht_frame_is_named_with_its_mcs_and_length);
    tcase_add_test(c, a_frame_that_is_cut_off_keeps_its_length_and_what_came);
    tcase_add_test(c, whatever_signal_says_the_frame_ends_and_the_field_is_obeyed_or_refused);
    suite_add_tcase(suite, c);
}
