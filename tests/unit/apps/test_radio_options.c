#define SUITE_NAME "radio_options"
#include "tests/unit/check_main.h"

#include <math.h>
#include <string.h>

#include "apps/radio_options.h"

static struct app_radio_options options;

/* Parses and resolves "--a --b ..."; the exit code, 0 to go on. */
static int resolve(const char *line)
{
    static char text[512];
    char *argv[40] = {(char *)(uintptr_t) "test"};
    struct app_option rows[APP_RADIO_MAX_ROWS + 1];
    int argc = 1, n_positional, code = 0;
    strcpy(text, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    app_radio_options_init(&options);
    size_t n = app_radio_options_rows(
        &options, APP_RADIO_ASK_RECEIVE | APP_RADIO_ASK_TRANSMIT | APP_RADIO_ASK_CONDUCTED | APP_RADIO_ASK_LENGTH, rows);
    ck_assert_uint_le(n, APP_RADIO_MAX_ROWS);
    rows[n] = (struct app_option){.name = ""};
    if (app_options_parse(argc, argv, rows, "test", "", &n_positional, &code))
        return code;
    return app_radio_options_resolve(&options, "test");
}

START_TEST(by_default_nothing_is_transmitted_and_the_band_is_empty)
{
    struct app_radio_limits limits = app_radio_limits_default();
    ck_assert_int_eq(resolve("--freq 5.18G"), APP_OK);
    ck_assert(!options.config.transmit);
    ck_assert(options.band_low_hz == 0 && options.band_high_hz == 0);
    ck_assert(options.config.max_tx_gain_db == 0);
    app_radio_options_limit(&options, &limits);
    ck_assert(!limits.transmit && !(limits.band_low_hz < limits.band_high_hz));
    ck_assert(isnan(options.config.rx_gain_db));
    ck_assert_uint_eq(options.config.sample_rate_hz, 1000000);
}
END_TEST

START_TEST(every_option_reaches_the_radio)
{
    ck_assert_int_eq(resolve("--args type=b200 --freq 2.412G --rate 2M --gain 30 --ant RX2 --subdev A:A --channel 1 --bw 5M --ref external "
                             "--pps gpsdo --wirefmt sc12 --lo-offset=-3M --tx --tx-gain 10 --max-tx-gain 20 --tx-ant TX/RX "
                             "--band 2.4G:2.4835G --conducted --nsamps 7"),
                     APP_OK);
    const struct phy_radio_config *c = &options.config;
    ck_assert_str_eq(c->address, "type=b200");
    ck_assert(c->center_hz == 2.412e9 && c->sample_rate_hz == 2000000 && c->rx_gain_db == 30 && c->channel == 1);
    ck_assert(c->bandwidth_hz == 5e6 && c->lo_offset_hz == -3e6 && c->transmit && c->tx_gain_db == 10 && c->max_tx_gain_db == 20);
    ck_assert_str_eq(c->antenna_rx, "RX2");
    ck_assert_str_eq(c->antenna_tx, "TX/RX");
    ck_assert_str_eq(c->subdev, "A:A");
    ck_assert_str_eq(c->clock_source, "external");
    ck_assert_str_eq(c->time_source, "gpsdo");
    ck_assert_str_eq(c->wire_format, "sc12");
    ck_assert(options.conducted && options.n_samples == 7);
    ck_assert(options.band_low_hz == 2.4e9 && options.band_high_hz == 2.4835e9);
}
END_TEST

START_TEST(transmission_needs_a_band_that_holds_the_whole_rate)
{
    ck_assert_int_eq(resolve("--freq 5.18G --rate 10M --tx"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--freq 5.18G --rate 10M --tx --band 5.175G:5.185G"), APP_OK);
    ck_assert_int_eq(resolve("--freq 5180001k --rate 10M --tx --band 5.175G:5.185G"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--freq 5.18G --rate 10000002 --tx --band 5.175G:5.185G"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--freq 5.18G --rate 10M --tx --band 5.185G:5.175G"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--freq 5.18G --rate 10M --tx --band 5.18G"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--rate 10M --tx --band 5.175G:5.185G"), APP_BAD_USAGE); /* no --freq */
    /* programs that are joined radiate nothing */
    ck_assert_int_eq(resolve("--radio zmq:tx=tcp://127.0.0.1:1,rx=tcp://127.0.0.1:2 --tx"), APP_OK);
    ck_assert(app_radio_radiates("uhd") && app_radio_radiates("uhd:zmq") && app_radio_radiates("zmqx:") && !app_radio_radiates("zmq:tx=a"));
}
END_TEST

START_TEST(the_gain_is_capped)
{
    ck_assert_int_eq(resolve("--freq 1G --tx-gain 0.1"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--freq 1G --tx-gain 30 --max-tx-gain 29.9"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--freq 1G --tx-gain 30 --max-tx-gain 30"), APP_OK);
    ck_assert_int_eq(resolve("--freq 1G --max-tx-gain=-10"), APP_OK);
    ck_assert(options.config.tx_gain_db == -10);
}
END_TEST

START_TEST(what_is_too_long_or_given_twice_is_refused)
{
    ck_assert_int_eq(resolve("--freq 1G --ant ABCDEFGHIJKLMNOP"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--freq 1G --radio uhd:type=b200 --args type=x300"), APP_BAD_USAGE);
    ck_assert_int_eq(resolve("--freq 1G --wirefmt sc16bits"), APP_BAD_USAGE);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("options");
    tcase_add_test(tc, by_default_nothing_is_transmitted_and_the_band_is_empty);
    tcase_add_test(tc, every_option_reaches_the_radio);
    tcase_add_test(tc, transmission_needs_a_band_that_holds_the_whole_rate);
    tcase_add_test(tc, the_gain_is_capped);
    tcase_add_test(tc, what_is_too_long_or_given_twice_is_refused);
    suite_add_tcase(suite, tc);
}
