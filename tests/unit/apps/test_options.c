#define SUITE_NAME "apps/options"
#include "tests/unit/check_main.h"

#include "apps/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct values {
    bool json, json_given;
    const char *out;
    uint64_t seed;
    double snr_db, freq_hz;
    int64_t duration_ns;
    int n_positional, exit_code, result;
    char text[2048]; /* what stdout and stderr got */
};

static void start_capture(int saved[2], FILE **file)
{
    fflush(stdout);
    fflush(stderr);
    *file = tmpfile();
    ck_assert_ptr_nonnull(*file);
    saved[0] = dup(1);
    saved[1] = dup(2);
    dup2(fileno(*file), 1);
    dup2(fileno(*file), 2);
}

static void end_capture(int saved[2], FILE *file, char *out, size_t cap)
{
    fflush(stdout);
    fflush(stderr);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(saved[0]);
    close(saved[1]);
    rewind(file);
    out[fread(out, 1, cap - 1, file)] = '\0';
    fclose(file);
}

static void parse(struct values *v, char **argv)
{
    const struct app_option options[] = {
        {"json", APP_FLAG, &v->json, NULL, "one JSON object on stdout", 0, 0, &v->json_given},
        {"out", APP_TEXT, &v->out, "DIR", "run folder; default run", 0, 0, NULL},
        {"seed", APP_U64, &v->seed, "N", "default 1", 0, 0, NULL},
        {"snr", APP_REAL, &v->snr_db, "DB", "default 20", -50, 100, NULL},
        {"freq", APP_FREQ_HZ, &v->freq_hz, "HZ", "default 5.2G", 1e6, 6e9, NULL},
        {"duration", APP_DURATION_NS, &v->duration_ns, "TIME", "default 10s", 1e6, 3.6e12, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int argc = 0, saved[2];
    while (argv[argc])
        argc++;
    FILE *file;
    start_capture(saved, &file);
    v->result = app_options_parse(argc, argv, options, "run [SCENARIO] [options]", "Runs a scenario.", &v->n_positional, &v->exit_code);
    end_capture(saved, file, v->text, sizeof v->text);
}

#define PARSE(v, ...) parse((v), (char *[]){"run", __VA_ARGS__, NULL})

static void expect_refusal(const struct values *v, const char *text)
{
    ck_assert_int_eq(v->result, 1);
    ck_assert_int_eq(v->exit_code, APP_BAD_USAGE);
    ck_assert_str_eq(v->text, text);
}

START_TEST(each_kind_of_option_is_read_in_both_spellings)
{
    struct values v = {0};
    PARSE(&v, "--json", "--out=a", "--seed", "0x10", "--snr", "-3.5", "--freq=5.2G", "--duration", "600ms");
    ck_assert_int_eq(v.result, 0);
    ck_assert(v.json && v.json_given);
    ck_assert_str_eq(v.out, "a");
    ck_assert_uint_eq(v.seed, 16);
    ck_assert_double_eq(v.snr_db, -3.5);
    ck_assert_double_eq(v.freq_hz, 5200000000.0);
    ck_assert_int_eq(v.duration_ns, 600000000);
    ck_assert_str_eq(v.text, "");
}
END_TEST

START_TEST(positional_arguments_move_to_the_front)
{
    struct values v = {0};
    char *argv[] = {"run", "one", "--seed", "3", "-", "--json", "--", "--out", NULL};
    parse(&v, argv);
    ck_assert_int_eq(v.result, 0);
    ck_assert_int_eq(v.n_positional, 3);
    ck_assert_str_eq(argv[1], "one");
    ck_assert_str_eq(argv[2], "-");
    ck_assert_str_eq(argv[3], "--out");
    ck_assert_uint_eq(v.seed, 3);
    ck_assert_ptr_null(v.out);
}
END_TEST

START_TEST(an_unknown_option_is_named_with_where_to_look)
{
    struct values v = {0};
    PARSE(&v, "--foo=1");
    expect_refusal(&v, "airdeed run: unknown option '--foo'; 'airdeed run --help' lists them\n");
    PARSE(&v, "-x");
    expect_refusal(&v, "airdeed run: unknown option '-x'; 'airdeed run --help' lists them\n");
    PARSE(&v, "--see", "1");
    expect_refusal(&v, "airdeed run: unknown option '--see'; 'airdeed run --help' lists them\n");
}
END_TEST

START_TEST(a_missing_value_does_not_swallow_the_next_option)
{
    struct values v = {0};
    PARSE(&v, "--out", "--json");
    expect_refusal(&v, "airdeed run: option '--out' needs a value: DIR\n");
    ck_assert_ptr_null(v.out);
    PARSE(&v, "--seed");
    expect_refusal(&v, "airdeed run: option '--seed' needs a value: N\n");
    PARSE(&v, "--json=yes");
    expect_refusal(&v, "airdeed run: option '--json' takes no value\n");
}
END_TEST

START_TEST(out_of_range_values_are_refused_with_the_range_in_units)
{
    struct values v = {0};
    PARSE(&v, "--snr", "900");
    expect_refusal(&v, "airdeed run: option '--snr': '900' is out of range, it must be from -50 to 100 dB\n");
    PARSE(&v, "--freq", "7G");
    expect_refusal(&v, "airdeed run: option '--freq': '7G' is out of range, it must be from 1M to 6G Hz\n");
    PARSE(&v, "--duration", "5ns");
    expect_refusal(&v, "airdeed run: option '--duration': '5ns' is out of range, it must be from 1ms to 1h\n");
    PARSE(&v, "--seed", "99999999999999999999");
    expect_refusal(&v, "airdeed run: option '--seed': '99999999999999999999' is larger than any value allowed\n");
}
END_TEST

START_TEST(a_wrong_number_is_refused_with_an_example)
{
    struct values v = {0};
    PARSE(&v, "--seed", "3x");
    expect_refusal(&v, "airdeed run: option '--seed': '3x' is not a whole number\n");
    PARSE(&v, "--seed", "-3");
    expect_refusal(&v, "airdeed run: option '--seed': '-3' is not a whole number\n");
    PARSE(&v, "--snr", "nan");
    expect_refusal(&v, "airdeed run: option '--snr': 'nan' is not a number\n");
    PARSE(&v, "--duration", "10");
    expect_refusal(&v, "airdeed run: option '--duration': '10' is not a duration such as 10s, 600ms or 13us\n");
    PARSE(&v, "--freq", "5.2T");
    expect_refusal(&v, "airdeed run: option '--freq': '5.2T' is not a frequency such as 5.2G, 5200M or plain Hz\n");
}
END_TEST

START_TEST(help_shows_usage_and_every_option)
{
    struct values v = {0};
    PARSE(&v, "--help", "--foo");
    ck_assert_int_eq(v.result, 1);
    ck_assert_int_eq(v.exit_code, APP_OK);
    ck_assert_str_eq(v.text, "usage: airdeed run [SCENARIO] [options]\n"
                             "\n"
                             "Runs a scenario.\n"
                             "\n"
                             "options:\n"
                             "  --json                    one JSON object on stdout\n"
                             "  --out DIR                 run folder; default run\n"
                             "  --seed N                  default 1\n"
                             "  --snr DB                  default 20\n"
                             "  --freq HZ                 default 5.2G\n"
                             "  --duration TIME           default 10s\n"
                             "  --help                    prints this and exits\n");
}
END_TEST

START_TEST(frequencies_are_rounded_once)
{
    static const struct {
        const char *text;
        double hz;
    } good[] = {{"5.2G", 5200000000}, {"5200M", 5200000000}, {"20k", 20000}, {"7e6", 7000000},  {"2412000000", 2412000000},
                {"0.1k", 100},        {"-1M", -1000000},     {"10MHz", 1e7}, {"100Hz", 100}, {"5.1850001G", 5185000100}};
    static const char *const bad[] = {"", "M", "5.2T", "5 G", " 5G", "5G ", "nan", "inf", "0x10", "1e3M", "1e999", "Hz", "5.2GG"};
    double hz;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(app_parse_freq(good[i].text, &hz) == 0, "%s", good[i].text);
        ck_assert_msg(hz == good[i].hz, "%s: %.17g", good[i].text, hz);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(app_parse_freq(bad[i], &hz) == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(durations_are_exact_to_the_nanosecond)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"10s", 10000000000},     {"600ms", 600000000}, {"13us", 13000},      {"4ns", 4},
                {"2m", 120000000000},     {"1h", 3600000000000}, {"1.5us", 1500},     {"0.000000001s", 1},
                {"2.4s", 2400000000},     {"-300us", -300000},   {"0s", 0},           {".5m", 30000000000},
                {"0.25h", 900000000000},  {"1.10s", 1100000000}, {"2562000h", 9223200000000000000}};
    static const char *const bad[] = {"", "10", "s", "10 s", "1e3s", "1.s", "0.5ns", "1.0000000001s", "1d", "10S", "--1s", "0x1s"};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(app_parse_duration(good[i].text, &ns) == 0, "%s", good[i].text);
        ck_assert_msg(ns == good[i].ns, "%s: %lld", good[i].text, (long long)ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(app_parse_duration(bad[i], &ns) == -EINVAL, "%s", bad[i]);
    ck_assert_int_eq(app_parse_duration("99999999999h", &ns), -ERANGE);
    ck_assert_int_eq(app_parse_duration("99999999999999999999ns", &ns), -ERANGE);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *options = tcase_create("options");
    tcase_add_test(options, each_kind_of_option_is_read_in_both_spellings);
    tcase_add_test(options, positional_arguments_move_to_the_front);
    tcase_add_test(options, an_unknown_option_is_named_with_where_to_look);
    tcase_add_test(options, a_missing_value_does_not_swallow_the_next_option);
    tcase_add_test(options, out_of_range_values_are_refused_with_the_range_in_units);
    tcase_add_test(options, a_wrong_number_is_refused_with_an_example);
    tcase_add_test(options, help_shows_usage_and_every_option);
    suite_add_tcase(suite, options);
    TCase *quantity = tcase_create("quantity");
    tcase_add_test(quantity, frequencies_are_rounded_once);
    tcase_add_test(quantity, durations_are_exact_to_the_nanosecond);
    suite_add_tcase(suite, quantity);
}
