/* Guards the transmitter where the standard's worked example (test_wifi_annex.c) is not at hand, and at the rates it does not show. */
#define SUITE_NAME "phy wifi code"
#include "phy/crc.h"
#include "phy/wifi/code.h"
#include "phy/wifi/modulate.h"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { MAX_SAMPLES = PHY_WIFI_HEAD + PHY_WIFI_MAX_SYMBOLS * PHY_WIFI_SYMBOL + PHY_WIFI_MAX_WINDOW };

static void fill_psdu(uint8_t *psdu, size_t len)
{
    for (size_t i = 0; i < len; i++)
        psdu[i] = (uint8_t)(i * 73 + 11);
}

/* The points of all symbols in thousandths, as a CRC: those of a second program, written from the clauses for this test. */
START_TEST(the_points_of_every_rate_are_those_of_a_second_implementation)
{
    static const uint32_t expected[PHY_WIFI_N_RATES] = {
        0x8328206b, 0xd6ccf5d7, 0xd1ba7206, 0x62fd938f,
        0x21f7c05b, 0xe5e9f61e, 0x11f672bd, 0x07d3872b};
    uint8_t psdu[61], bits[PHY_WIFI_MAX_DATA_BITS], octets[6 * 64 * 40];
    fill_psdu(psdu, sizeof psdu);
    for (unsigned rate = 0; rate < PHY_WIFI_N_RATES; rate++) {
        size_t n = 0, n_bits = phy_wifi_data_bits(rate, 0x2b, psdu, sizeof psdu, bits);
        unsigned n_dbps = phy_wifi_rate(rate)->n_dbps, state = 0;
        for (unsigned i = 0; i < n_bits / n_dbps; i++) {
            float complex bins[64];
            phy_wifi_map_symbol(rate, i + 1, bits + i * n_dbps, &state, bins);
            for (unsigned k = 0; k < 128; k++) {
                long v = lrintf(1000 * (k % 2 ? cimagf(bins[k / 2]) : crealf(bins[k / 2])));
                octets[n++] = (uint8_t)(v & 0xff);
                octets[n++] = (uint8_t)(v >> 8 & 0xff);
            }
        }
        ck_assert_msg(phy_crc32(octets, n) == expected[rate], "rate %u: %08x", rate, phy_crc32(octets, n));
    }
}
END_TEST

START_TEST(the_rates_are_those_of_table_17_4)
{
    static const unsigned mbps[PHY_WIFI_N_RATES] = {6, 9, 12, 18, 24, 36, 48, 54};
    for (unsigned i = 0; i < PHY_WIFI_N_RATES; i++) {
        const struct phy_wifi_rate *rate = phy_wifi_rate(i);
        ck_assert_uint_eq(rate->kbps_at_20msps, 1000 * mbps[i]);
        ck_assert_uint_eq(rate->n_dbps, 4 * mbps[i]);
        ck_assert_uint_eq(rate->n_cbps, 48 * rate->n_bpsc);
        ck_assert_uint_eq(rate->n_cbps * rate->code_num, rate->n_dbps * rate->code_den);
        ck_assert_int_eq(phy_wifi_rate_of_signal(rate->signal), (int)i);
    }
    ck_assert_ptr_null(phy_wifi_rate(PHY_WIFI_N_RATES));
    unsigned n_known = 0;
    for (unsigned signal = 0; signal < 256; signal++)
        n_known += phy_wifi_rate_of_signal((uint8_t)signal) >= 0;
    ck_assert_uint_eq(n_known, PHY_WIFI_N_RATES);
    /* Table 17-5: 100 octets at 36 Mb/s are 6 symbols; 1500 octets at 54 Mb/s take 244 us */
    ck_assert_uint_eq(phy_wifi_n_symbols(100, 5), 6);
    ck_assert_uint_eq(phy_wifi_frame_samples(1500, 7), 244 * 20);
    ck_assert_uint_eq(phy_wifi_n_symbols(PHY_WIFI_MAX_PSDU, 0), PHY_WIFI_MAX_SYMBOLS);
    for (unsigned i = 0; i < PHY_WIFI_N_RATES; i++)
        ck_assert_uint_le(phy_wifi_n_symbols(PHY_WIFI_MAX_PSDU, i) * phy_wifi_rate(i)->n_dbps, PHY_WIFI_MAX_DATA_BITS);
}
END_TEST

START_TEST(each_interleaver_is_a_permutation)
{
    for (unsigned rate = 0; rate < PHY_WIFI_N_RATES; rate++) {
        bool taken[PHY_WIFI_MAX_NCBPS] = {false};
        unsigned n = phy_wifi_rate(rate)->n_cbps;
        for (unsigned k = 0; k < n; k++) {
            unsigned place = phy_wifi_interleaver(rate)[k];
            ck_assert(place < n && !taken[place]);
            taken[place] = true;
        }
    }
}
END_TEST

START_TEST(each_constellation_has_mean_power_one_and_gray_neighbours)
{
    for (unsigned n_bpsc = 1; n_bpsc <= 6; n_bpsc += n_bpsc == 1 ? 1 : 2) {
        const float complex *points = phy_wifi_constellation(n_bpsc);
        unsigned n = 1u << n_bpsc, n_neighbours = 0;
        float power = 0, nearest = 9;
        for (unsigned i = 0; i < n; i++)
            for (unsigned j = 0; j < i; j++)
                nearest = fminf(nearest, cabsf(points[i] - points[j]));
        for (unsigned i = 0; i < n; i++) {
            power += crealf(points[i] * conjf(points[i])) / (float)n;
            for (unsigned j = 0; j < i; j++)
                if (cabsf(points[i] - points[j]) < 1.01f * nearest) {
                    ck_assert_int_eq(__builtin_popcount(i ^ j), 1);
                    n_neighbours++;
                }
        }
        unsigned side = n_bpsc == 1 ? 2 : 1u << n_bpsc / 2;
        ck_assert_uint_eq(n_neighbours, n_bpsc == 1 ? 1 : 2 * side * (side - 1));
        ck_assert_float_eq_tol(power, 1, 1e-6f);
    }
}
END_TEST

START_TEST(the_scrambler_runs_through_127_states_and_undoes_itself)
{
    uint8_t sequence[254] = {0}, first[7];
    phy_wifi_scramble(sequence, sizeof sequence, 0x7f);
    for (unsigned i = 0; i < 127; i++) {
        ck_assert_uint_eq(sequence[i], sequence[i + 127]);
        ck_assert_int_eq(phy_wifi_pilot_polarity(i), sequence[i] ? -1 : 1);
    }
    bool seen[128] = {false};
    for (unsigned state = 1; state < 128; state++) {
        unsigned value = 0;
        memset(first, 0, sizeof first);
        phy_wifi_scramble(first, 7, (uint8_t)state);
        for (unsigned i = 0; i < 7; i++)
            value |= (unsigned)first[i] << i;
        ck_assert(value > 0 && !seen[value]);
        seen[value] = true;
    }
}
END_TEST

START_TEST(the_body_has_mean_power_one_at_every_rate)
{
    static float complex frame[MAX_SAMPLES];
    uint8_t psdu[1000];
    fill_psdu(psdu, sizeof psdu);
    for (unsigned rate = 0; rate < PHY_WIFI_N_RATES; rate++) {
        struct phy_wifi_modulate cfg = {.rate_index = rate, .scrambler = 1};
        long n = phy_wifi_modulate(&cfg, psdu, sizeof psdu, frame, MAX_SAMPLES);
        ck_assert_int_eq(n, (long)phy_wifi_frame_samples(sizeof psdu, rate));
        double power = 0, training = 0;
        for (long i = 0; i < n; i++)
            *(i < 320 ? &training : &power) += creal((double complex)frame[i] * conj((double complex)frame[i]));
        ck_assert_double_eq_tol(power / (double)(n - 320), 1, 0.03);
        ck_assert_double_eq_tol(training / 320, 1, 0.01);
    }
}
END_TEST

START_TEST(a_window_changes_ramps_only_and_moves_nothing)
{
    static float complex bare[MAX_SAMPLES], frame[MAX_SAMPLES];
    uint8_t psdu[50];
    fill_psdu(psdu, sizeof psdu);
    struct phy_wifi_modulate cfg = {.rate_index = 3, .scrambler = 99};
    long n = phy_wifi_modulate(&cfg, psdu, sizeof psdu, bare, MAX_SAMPLES);
    for (cfg.window = 1; cfg.window <= PHY_WIFI_MAX_WINDOW; cfg.window++) {
        long more = phy_wifi_modulate(&cfg, psdu, sizeof psdu, frame, MAX_SAMPLES);
        ck_assert_int_eq(more, n + (long)cfg.window);
        for (long i = 0; i < n; i++) {
            long into = i < 320 ? i % 160 : (i - 320) % 80;
            if (into >= (long)cfg.window)
                ck_assert(frame[i] == bare[i]);
        }
        /* the ramps of two neighbours add up to one: the short training field's end goes over into itself, were it repeated */
        for (unsigned i = 0; i < cfg.window; i++) {
            float ramp = cabsf(frame[i]) / cabsf(bare[i]), fall = cabsf(frame[n + (long)i]) / cabsf(bare[n - 64 + (long)i]);
            float mirrored = cabsf(frame[cfg.window - 1 - i]) / cabsf(bare[cfg.window - 1 - i]);
            ck_assert_float_eq_tol(ramp + mirrored, 1, 1e-5f);
            ck_assert_float_eq_tol(fall, mirrored, 1e-4f);
        }
    }
}
END_TEST

START_TEST(what_is_out_of_range_is_refused_and_the_longest_frame_is_made)
{
    static float complex frame[MAX_SAMPLES];
    static uint8_t psdu[PHY_WIFI_MAX_PSDU + 1];
    struct phy_wifi_modulate good = {.rate_index = 0, .scrambler = 127, .window = 8}, bad;
    ck_assert_int_eq(phy_wifi_modulate(&good, psdu, PHY_WIFI_MAX_PSDU, frame, MAX_SAMPLES), MAX_SAMPLES);
    ck_assert_int_eq(phy_wifi_modulate(&good, psdu, PHY_WIFI_MAX_PSDU, frame, MAX_SAMPLES - 1), -ENOBUFS);
    ck_assert_int_eq(phy_wifi_modulate(&good, psdu, PHY_WIFI_MAX_PSDU + 1, frame, MAX_SAMPLES), -EINVAL);
    ck_assert_int_eq(phy_wifi_modulate(&good, psdu, 0, frame, MAX_SAMPLES), -EINVAL);
    bad = good, bad.rate_index = PHY_WIFI_N_RATES;
    ck_assert_int_eq(phy_wifi_modulate(&bad, psdu, 10, frame, MAX_SAMPLES), -EINVAL);
    bad = good, bad.scrambler = 0;
    ck_assert_int_eq(phy_wifi_modulate(&bad, psdu, 10, frame, MAX_SAMPLES), -EINVAL);
    bad = good, bad.scrambler = 128;
    ck_assert_int_eq(phy_wifi_modulate(&bad, psdu, 10, frame, MAX_SAMPLES), -EINVAL);
    bad = good, bad.window = 9;
    ck_assert_int_eq(phy_wifi_modulate(&bad, psdu, 10, frame, MAX_SAMPLES), -EINVAL);
}
END_TEST

START_TEST(the_scrambler_state_follows_the_octets_and_takes_every_value)
{
    unsigned n_seen[128] = {0};
    for (unsigned i = 0; i < 12700; i++) {
        uint8_t psdu[4] = {(uint8_t)i, (uint8_t)(i >> 8), 0x88, 0x41};
        n_seen[phy_wifi_scrambler_of(psdu, sizeof psdu)]++;
    }
    ck_assert_uint_eq(n_seen[0], 0);
    for (unsigned state = 1; state < 128; state++)
        ck_assert_msg(n_seen[state] > 40 && n_seen[state] < 200, "state %u: %u", state, n_seen[state]);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("code");
    tcase_add_test(tcase, the_points_of_every_rate_are_those_of_a_second_implementation);
    tcase_add_test(tcase, the_rates_are_those_of_table_17_4);
    tcase_add_test(tcase, each_interleaver_is_a_permutation);
    tcase_add_test(tcase, each_constellation_has_mean_power_one_and_gray_neighbours);
    tcase_add_test(tcase, the_scrambler_runs_through_127_states_and_undoes_itself);
    tcase_add_test(tcase, the_body_has_mean_power_one_at_every_rate);
    tcase_add_test(tcase, a_window_changes_ramps_only_and_moves_nothing);
    tcase_add_test(tcase, what_is_out_of_range_is_refused_and_the_longest_frame_is_made);
    tcase_add_test(tcase, the_scrambler_state_follows_the_octets_and_takes_every_value);
    suite_add_tcase(suite, tcase);
}
