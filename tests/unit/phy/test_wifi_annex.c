/* The transmitter against the worked example of IEEE 802.11 (802.11a-1999 Annex G, 802.11-2012 Annex L), table by table: bits exact,
 * samples to the three decimals printed. The tables are not kept with the sources: AIRDEED_SHARED names the folder that holds
 * vectors/ieee80211-annex-example.json. */
#define SUITE_NAME "phy wifi annex"
#include "phy/crc.h"
#include "phy/wifi/code.h"
#include "phy/wifi/modulate.h"
#include "tests/unit/check_main.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { RATE_36 = 5, SEED = 0x5d, N_SYMBOLS = 6, N_DBPS = 144, N_SAMPLES = 881 };

static json_t *tables;
static uint8_t psdu[100], scrambled[N_SYMBOLS * N_DBPS];

static json_t *open_tables(void)
{
    char path[4096];
    const char *folder = getenv("AIRDEED_SHARED");
    snprintf(path, sizeof path, "%s/vectors/ieee80211-annex-example.json", folder ? folder : "../shared");
    return json_load_file(path, 0, NULL);
}

static const json_t *find_values(const char *name, size_t n)
{
    const json_t *values = json_object_get(json_object_get(json_object_get(tables, "tables"), name), "values");
    ck_assert_msg(values != NULL, "no table %s", name);
    ck_assert_uint_eq(json_array_size(values), n);
    return values;
}

static void prepare(void)
{
    tables = open_tables();
    const json_t *octets = find_values("psdu_octets", sizeof psdu);
    for (size_t i = 0; i < sizeof psdu; i++)
        psdu[i] = (uint8_t)json_integer_value(json_array_get(octets, i));
    ck_assert_uint_eq(phy_wifi_data_bits(RATE_36, SEED, psdu, sizeof psdu, scrambled), sizeof scrambled);
}

static void clean_up(void)
{
    json_decref(tables);
}

/* The table packs bits most significant first. */
static void compare_bits(const char *name, const uint8_t *bits, size_t n)
{
    const json_t *values = find_values(name, n / 8);
    for (size_t i = 0; i < n; i++) {
        unsigned octet = (unsigned)json_integer_value(json_array_get(values, i / 8));
        ck_assert_msg(bits[i] == (octet >> (7 - i % 8) & 1u), "%s: bit %zu", name, i);
    }
}

/* To half of the last digit, and what rounding it from single precision may add. */
static void compare_points(const char *name, const float complex *points, float scale, size_t n)
{
    const json_t *values = find_values(name, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(values, i);
        double re = json_number_value(json_array_get(pair, 0)), im = json_number_value(json_array_get(pair, 1));
        float complex got = scale * points[i];
        ck_assert_msg(fabs(crealf(got) - re) < 0.000502 && fabs(cimagf(got) - im) < 0.000502, "%s: %zu is %.6f %+.6fj, not %.3f %+.3fj",
                      name, i, (double)crealf(got), (double)cimagf(got), re, im);
    }
}

static void interleave(unsigned rate_index, const uint8_t *coded, uint8_t *out)
{
    unsigned period, n_sent = 0;
    const uint8_t *kept = phy_wifi_puncture_pattern(rate_index, &period);
    for (unsigned i = 0; i < 2 * phy_wifi_rate(rate_index)->n_dbps; i++)
        if (kept[i % period])
            out[phy_wifi_interleaver(rate_index)[n_sent++]] = coded[i];
    ck_assert_uint_eq(n_sent, phy_wifi_rate(rate_index)->n_cbps);
}

START_TEST(the_signal_field_is_coded_interleaved_and_mapped_as_printed)
{
    uint8_t signal[24], coded[48], places[48];
    unsigned state = 0;
    float complex bins[64];
    phy_wifi_signal_bits(RATE_36, sizeof psdu, signal);
    phy_wifi_encode(signal, 24, coded);
    compare_bits("signal_coded_bits", coded, 48);
    interleave(0, coded, places);
    compare_bits("signal_interleaved_bits", places, 48);
    phy_wifi_map_symbol(0, 0, signal, &state, bins);
    compare_points("signal_freq_with_pilots", bins, 1, 64);
}
END_TEST

START_TEST(data_bits_come_out_before_and_after_scrambling_as_printed)
{
    uint8_t data[sizeof scrambled];
    compare_bits("scrambled_bits_first_144", scrambled, 144);
    compare_bits("scrambled_bits_last_144", scrambled + sizeof data - 144, 144);
    memcpy(data, scrambled, sizeof data);
    phy_wifi_scramble(data, sizeof data, SEED);
    memset(data + 16 + 8 * sizeof psdu, 0, 6);
    compare_bits("data_bits_first_144", data, 144);
    compare_bits("data_bits_last_144", data + sizeof data - 144, 144);
}
END_TEST

START_TEST(the_first_data_symbol_is_coded_punctured_interleaved_and_mapped_as_printed)
{
    uint8_t coded[2 * N_DBPS], sent[192], places[192];
    unsigned state = 0, period, n = 0;
    float complex bins[64];
    const uint8_t *kept = phy_wifi_puncture_pattern(RATE_36, &period);
    phy_wifi_encode(scrambled, N_DBPS, coded);
    for (unsigned i = 0; i < sizeof coded; i++)
        if (kept[i % period])
            sent[n++] = coded[i];
    compare_bits("first_data_symbol_coded_bits", sent, n);
    interleave(RATE_36, coded, places);
    compare_bits("first_data_symbol_interleaved_bits", places, 192);
    phy_wifi_map_symbol(RATE_36, 1, scrambled, &state, bins);
    /* the table leaves the pilots out */
    for (unsigned i = 0; i < 4; i++)
        if (json_number_value(json_array_get(json_array_get(find_values("first_data_symbol_freq", 64), phy_wifi_pilot_bin[i]), 0)) == 0)
            bins[phy_wifi_pilot_bin[i]] = 0;
    compare_points("first_data_symbol_freq", bins, 1, 64);
}
END_TEST

START_TEST(the_whole_packet_and_each_part_of_it_comes_out_as_printed)
{
    struct phy_wifi_modulate cfg = {.rate_index = RATE_36, .scrambler = SEED, .window = 1};
    static float complex packet[N_SAMPLES], head[321];
    /* ours has mean power 1 over the body, the example's transform divides by 64 */
    const float scale = sqrtf(52) / 64;
    ck_assert_int_eq(phy_wifi_modulate(&cfg, psdu, sizeof psdu, packet, N_SAMPLES), N_SAMPLES);
    compare_points("whole_packet_time", packet, scale, N_SAMPLES);
    compare_points("short_training_time_one_period", packet + 64, scale, 64);
    /* the printed fields stand alone: their edges are ramps, to and from nothing */
    cfg.window = 0;
    static float complex bare[N_SAMPLES];
    ck_assert_int_eq(phy_wifi_modulate(&cfg, psdu, sizeof psdu, bare, N_SAMPLES), N_SAMPLES - 1);
    memcpy(head, bare, 160 * sizeof *head);
    head[0] *= 0.5f;
    head[160] = 0.5f * bare[144];
    compare_points("short_training_time_windowed", head, scale, 161);
    memcpy(head, bare + 160, 160 * sizeof *head);
    head[0] *= 0.5f;
    head[160] = 0.5f * bare[160 + 96];
    compare_points("long_training_time_windowed", head, scale, 161);
    memcpy(head, bare + 320, 80 * sizeof *head);
    head[0] *= 0.5f;
    head[80] = 0.5f * bare[320 + 16];
    compare_points("signal_time", head, scale, 81);
}
END_TEST

START_TEST(the_training_fields_are_the_printed_ones_in_frequency)
{
    float complex bins[64];
    for (unsigned i = 0; i < 64; i++)
        bins[i] = phy_wifi_long_training[i];
    compare_points("long_training_freq", bins, 1, 64);
    struct phy_wifi_modulate cfg = {.rate_index = RATE_36, .scrambler = SEED};
    static float complex packet[N_SAMPLES];
    ck_assert_int_gt(phy_wifi_modulate(&cfg, psdu, sizeof psdu, packet, N_SAMPLES), 0);
    for (unsigned k = 0; k < 64; k++) {
        double complex sum = 0;
        for (unsigned i = 0; i < 64; i++)
            sum += packet[i] * cexp(-2.0 * I * M_PI * i * k / 64);
        bins[k] = (float complex)(sum * sqrt(52) / 64);
    }
    compare_points("short_training_freq", bins, 1, 64);
}
END_TEST

/* The example's frame check sequence is one over octets with their bits reversed. */
START_TEST(the_examples_check_sequence_is_not_the_one_that_goes_on_air)
{
    uint32_t printed = (uint32_t)psdu[96] | (uint32_t)psdu[97] << 8 | (uint32_t)psdu[98] << 16 | (uint32_t)psdu[99] << 24;
    ck_assert_uint_ne(phy_crc32(psdu, 96), printed);
    ck_assert_uint_eq(phy_crc32(psdu, 96), 0xb6213367u);
}
END_TEST

START_TEST(nothing_is_compared)
{
    fprintf(stderr, "skipped: AIRDEED_SHARED names no folder with vectors/ieee80211-annex-example.json\n");
}
END_TEST

static void add_cases(Suite *suite)
{
    json_t *there = open_tables();
    TCase *tcase = tcase_create(there ? "annex" : "# SKIP the tables of the worked example are not there");
    json_decref(there);
    if (!there) {
        tcase_add_test(tcase, nothing_is_compared);
        suite_add_tcase(suite, tcase);
        return;
    }
    tcase_add_checked_fixture(tcase, prepare, clean_up);
    tcase_add_test(tcase, the_signal_field_is_coded_interleaved_and_mapped_as_printed);
    tcase_add_test(tcase, data_bits_come_out_before_and_after_scrambling_as_printed);
    tcase_add_test(tcase, the_first_data_symbol_is_coded_punctured_interleaved_and_mapped_as_printed);
    tcase_add_test(tcase, the_whole_packet_and_each_part_of_it_comes_out_as_printed);
    tcase_add_test(tcase, the_training_fields_are_the_printed_ones_in_frequency);
    tcase_add_test(tcase, the_examples_check_sequence_is_not_the_one_that_goes_on_air);
    suite_add_tcase(suite, tcase);
}
