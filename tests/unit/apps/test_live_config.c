/* A station's file, its MAC timing, and an air's clock. */
#define SUITE_NAME "live config"
#include "tests/unit/check_main.h"

#include "apps/live/clock.h"
#include "apps/live/config.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static struct app_live_config config;
static char error[APP_NODE_MAX_ERROR];

static const char head[] = "cluster: c.yaml\nmember: s0\nkey: s0.key\ndatabase: s0.db\n";

static int read_file(const char *rest)
{
    char text[2048];
    int n = snprintf(text, sizeof text, "%s%s", head, rest);
    return app_live_config_read_text("s0.yaml", text, (size_t)n, &config, error);
}

START_TEST(a_short_file_has_defaults)
{
    ck_assert_int_eq(read_file("radio: {uri: \"uhd:addr=192.168.10.2\", sample_rate: 5M}\nprofile: {turnaround: 8ms}\n"), 0);
    ck_assert_str_eq(config.node.member, "s0");
    ck_assert_str_eq(config.uri, "uhd:addr=192.168.10.2");
    ck_assert_uint_eq(config.radio.sample_rate_hz, 5000000);
    ck_assert_int_eq(config.turnaround_ns, 8000000);
    ck_assert_str_eq(config.time, "wall");
    ck_assert(isnan(config.noise_dbfs));
    ck_assert(config.band_low_hz == 0 && config.band_high_hz == 0); /* empty */
    ck_assert(app_live_radiates(&config));
    ck_assert_uint_eq(app_live_block_samples(&config), 5000);
    ck_assert_int_eq(read_file("radio: {uri: \"zmq:rx=tcp://127.0.0.1:1\", sample_rate: 1M, block: 64}\nprofile: {turnaround: 1ms}\n"), 0);
    ck_assert(!app_live_radiates(&config));
    ck_assert_uint_eq(app_live_block_samples(&config), 64);
}
END_TEST

START_TEST(a_bad_field_is_named_with_its_line)
{
    static const struct {
        const char *rest, *words[2];
    } rows[] = {
        {"profile: {turnaround: 1ms}\n", {"radio", "missing"}},
        {"radio: {uri: \"zmq:x\", sample_rate: 1M}\n", {"profile", "missing"}},
        {"radio: {sample_rate: 1M}\nprofile: {turnaround: 1ms}\n", {"radio.uri", "missing"}},
        {"radio: {uri: \"zmq:x\", sample_rate: 1k}\nprofile: {turnaround: 1ms}\n", {"s0.yaml:5: field radio.sample_rate", "range"}},
        {"radio: {uri: \"zmq:x\", sample_rate: 1M}\nprofile: {turnaround: 2s}\n", {"s0.yaml:6: field profile.turnaround", "range"}},
        {"radio: {uri: \"zmq:x\", sample_rate: 1M}\nprofile: {turnaround: 1ms}\nwaveform: morse\n", {"s0.yaml:7: field waveform", "morse"}},
        {"radio: {uri: \"zmq:x\", sample_rate: 1M}\nprofile: {turnaround: 1ms}\ntime: noon\n", {"s0.yaml:7: field time", "wall, samples"}},
        {"radio: {uri: \"uhd\", sample_rate: 1M}\nprofile: {turnaround: 1ms}\ntime: samples\n", {"field time", "wall"}},
        {"radio: {uri: \"uhd\", sample_rate: 1M}\nprofile: {turnaround: 1ms}\ntransmit: {low: 5G, high: 4G}\n", {"transmit.high", "above"}},
        {"radio: {uri: \"uhd\", sample_rate: 1M}\nprofile: {turnaround: 1ms}\ntx_dbfs: 0\n", {"tx_dbfs", "range"}},
        {"radio: {uri: \"uhd\", sample_rate: 1M, volume: 11}\nprofile: {turnaround: 1ms}\n", {"radio.volume", "unknown"}},
        {"bind: nowhere\nradio: {uri: \"uhd\", sample_rate: 1M}\nprofile: {turnaround: 1ms}\n", {"field bind", "tcp://"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(read_file(rows[i].rest), -EINVAL);
        for (size_t k = 0; k < 2; k++)
            ck_assert_msg(strstr(error, rows[i].words[k]) != NULL, "row %zu: '%s' lacks '%s'", i, error, rows[i].words[k]);
        ck_assert_ptr_null(strchr(error, '\n'));
    }
}
END_TEST

static void describe(const char *turnaround)
{
    char rest[256];
    snprintf(rest, sizeof rest, "radio: {uri: \"zmq:rx=a\", sample_rate: 1M, block: 1000}\nprofile: {turnaround: %s}\n", turnaround);
    ck_assert_int_eq(read_file(rest), 0);
}

START_TEST(a_turnaround_has_to_hold_a_symbol_a_block_and_the_radios_lead)
{
    const struct phy_waveform *waveform = phy_waveform_find("flex");
    struct mac_profile profile;
    describe("1579us");
    ck_assert_int_eq(app_live_profile(&config, waveform, 500, &profile, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "1580 us for a block of 1000 samples and a lead of 500"));
    describe("1580us");
    ck_assert_int_eq(app_live_profile(&config, waveform, 500, &profile, error), 0);
    ck_assert_str_eq(profile.name, "host");
    ck_assert_int_eq(profile.turnaround_ns, 1580000);
    ck_assert_int_ge(profile.sifs_ns, profile.turnaround_ns);
    ck_assert_int_gt(profile.slot_ns, profile.turnaround_ns + (int64_t)waveform->cca_delay_samples * 1000);
}
END_TEST

START_TEST(a_turnaround_that_no_duration_field_covers_is_refused_unless_all_hear_all)
{
    const struct phy_waveform *waveform = phy_waveform_find("flex");
    struct mac_profile profile;
    describe("60ms");
    ck_assert_int_eq(app_live_profile(&config, waveform, 0, &profile, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "32767 us"));
    config.no_hidden_stations = true;
    ck_assert_int_eq(app_live_profile(&config, waveform, 0, &profile, error), 0);
}
END_TEST

START_TEST(a_burst_limit_below_the_longest_frame_is_refused_where_it_counts)
{
    const struct phy_waveform *waveform = phy_waveform_find("flex");
    struct mac_profile profile;
    ck_assert_int_eq(read_file("radio: {uri: \"uhd\", sample_rate: 200k, block: 256}\nprofile: {turnaround: 10ms}\n"), 0);
    ck_assert_int_eq(app_live_profile(&config, waveform, 0, &profile, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "transmit.max_burst"));
    config.max_burst_ns = 500000000;
    ck_assert_int_eq(app_live_profile(&config, waveform, 0, &profile, error), 0);
    ck_assert_int_eq(read_file("radio: {uri: \"zmq:rx=a\", sample_rate: 200k, block: 256}\nprofile: {turnaround: 10ms}\n"), 0);
    ck_assert_int_eq(app_live_profile(&config, waveform, 0, &profile, error), 0);
}
END_TEST

START_TEST(the_energy_block_is_what_the_phy_takes)
{
    static const uint32_t rates[] = {100000, 1000000, 4000000, 10000000, 20000000, 100000000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        uint32_t n = app_live_cca_samples(rates[i]);
        ck_assert_uint_ge(n, 32);
        ck_assert_uint_le(n, 1024);
    }
    ck_assert_uint_eq(app_live_cca_samples(10000000), 80);
}
END_TEST

START_TEST(an_airs_clock_is_two_numbers_and_nothing_else)
{
    struct app_live_clock clock;
    ck_assert_int_eq(app_live_clock_parse("512 1577836800000000000", &clock), 0);
    ck_assert_uint_eq(clock.first_sample, 512);
    ck_assert_int_eq(clock.unix_ns, INT64_C(1577836800000000000));
    static const char *const bad[] = {"", "512", "512 ", " 5 5", "-5 5", "5 -5", "5 5 5", "5 x", "99999999999999999999 5", "5 99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(app_live_clock_parse(bad[i], &clock) == -EPROTO, "'%s'", bad[i]);
}
END_TEST

START_TEST(sample_0_is_the_genesis_time_or_what_the_wall_clock_said)
{
    struct app_live_clock clock;
    struct app_live_clock_config cfg = {.time = "samples", .genesis_ns = 1000, .sample_rate_hz = 1000000, .next_sample = 2000000,
                                        .wall_ns = INT64_C(5000000000)};
    ck_assert_int_eq(app_live_clock_set(&cfg, &clock, error), 0);
    ck_assert_int_eq(clock.unix_ns, 1000);
    cfg.time = "wall";
    ck_assert_int_eq(app_live_clock_set(&cfg, &clock, error), 0);
    ck_assert_int_eq(clock.unix_ns, INT64_C(3000000000)); /* two seconds of samples have passed */
    ck_assert_uint_eq(clock.first_sample, 0);
    cfg.genesis_ns = INT64_C(65000000000);
    ck_assert_int_eq(app_live_clock_set(&cfg, &clock, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "61 s before the genesis"));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("files and timing");
    tcase_add_test(tc, a_short_file_has_defaults);
    tcase_add_test(tc, a_bad_field_is_named_with_its_line);
    tcase_add_test(tc, a_turnaround_has_to_hold_a_symbol_a_block_and_the_radios_lead);
    tcase_add_test(tc, a_turnaround_that_no_duration_field_covers_is_refused_unless_all_hear_all);
    tcase_add_test(tc, a_burst_limit_below_the_longest_frame_is_refused_where_it_counts);
    tcase_add_test(tc, the_energy_block_is_what_the_phy_takes);
    tcase_add_test(tc, an_airs_clock_is_two_numbers_and_nothing_else);
    tcase_add_test(tc, sample_0_is_the_genesis_time_or_what_the_wall_clock_said);
    suite_add_tcase(suite, tc);
}
