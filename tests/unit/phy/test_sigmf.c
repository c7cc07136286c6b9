#define SUITE_NAME "SigMF: reading"
#include "tests/unit/check_main.h"

#include "phy/radio/sigmf.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

enum { META_BYTES = 4096 };

static struct phy_sigmf_meta meta;
static char error[PHY_SIGMF_MAX_ERROR];

static float complex make(float re, float im)
{
    const float parts[2] = {re, im};
    float complex sample;
    memcpy(&sample, parts, sizeof sample);
    return sample;
}

static int open_text(const char *json, const void *data, size_t len, struct phy_radio **out)
{
    error[0] = '\0';
    return phy_sigmf_open_memory("test", json, strlen(json), data, len, out, &meta, error);
}

/* Opens a recording whose metadata is this text; its refusal must hold this fragment, be one line and name the file. */
static void expect_refusal(const char *json, size_t data_len, const char *fragment)
{
    static const uint8_t data[64];
    struct phy_radio *r = NULL;
    int err = open_text(json, data, data_len, &r);
    ck_assert_msg(err == -EINVAL, "%s: returned %d", json, err);
    ck_assert_ptr_null(r);
    ck_assert_msg(strstr(error, fragment) != NULL, "'%s' lacks '%s'", error, fragment);
    ck_assert_msg(strncmp(error, "test: ", 6) == 0, "'%s' does not begin with the file", error);
    ck_assert_ptr_null(strchr(error, '\n'));
}

static void expect_global_refusal(const char *global, const char *fragment)
{
    char json[META_BYTES];
    snprintf(json, sizeof json, "{\"global\": {%s}, \"captures\": [{\"core:sample_start\": 0}], \"annotations\": []}", global);
    expect_refusal(json, 64, fragment);
}

#define GLOBAL "\"core:datatype\": \"ci8\", \"core:version\": \"1.2.5\", \"core:sample_rate\": 1e6"

static void expect_captures_refusal(const char *captures, const char *fragment)
{
    char json[META_BYTES];
    snprintf(json, sizeof json, "{\"global\": {" GLOBAL "}, \"captures\": [%s], \"annotations\": []}", captures);
    expect_refusal(json, 64, fragment);
}

START_TEST(what_is_no_json_is_refused_with_its_line)
{
    expect_refusal("", 4, "line 1: not JSON");
    expect_refusal("{\n\"global\": {},\n\"captures\" []}", 4, "line 3: not JSON");
    expect_refusal("{\"global\": {}, \"global\": {}}", 4, "line 1: not JSON: duplicate");
    expect_refusal("{\"global\": {\"core:sample_rate\": NaN}}", 4, "not JSON");
    expect_refusal("[1, 2]", 4, "no object");
}
END_TEST

START_TEST(a_missing_part_of_the_top_level_is_named)
{
    expect_refusal("{\"captures\": [], \"annotations\": []}", 4, "required field 'global' is missing");
    expect_refusal("{\"global\": {}, \"annotations\": []}", 4, "required field 'captures' is missing");
    expect_refusal("{\"global\": {}, \"captures\": []}", 4, "required field 'annotations' is missing");
    expect_refusal("{\"global\": [], \"captures\": [], \"annotations\": []}", 4, "field 'global' must be an object");
    expect_refusal("{\"global\": {}, \"captures\": {}, \"annotations\": []}", 4, "field 'captures' must be an array");
    expect_refusal("{\"global\": {}, \"captures\": [], \"annotations\": [], \"extra\": 1}", 4, "unknown field 'extra'");
}
END_TEST

START_TEST(a_bad_field_of_the_global_object_is_named)
{
    expect_global_refusal("", "required field 'core:datatype' is missing");
    expect_global_refusal("\"core:datatype\": 7", "field 'core:datatype' must be a string");
    expect_global_refusal("\"core:datatype\": \"rf64_le\"", "supported are cf32_le, ci16_le, ci8 and cu8");
    expect_global_refusal("\"core:datatype\": \"ci8\"", "required field 'core:version' is missing");
    expect_global_refusal("\"core:datatype\": \"ci8\", \"core:version\": \"2.0.0\"", "field 'core:version' is '2.0.0'");
    expect_global_refusal("\"core:datatype\": \"ci8\", \"core:version\": \"1.2.5\"", "'core:sample_rate' is missing");
    expect_global_refusal(GLOBAL ", \"core:num_channels\": 2", "field 'core:num_channels' is 2, supported is 1");
    expect_global_refusal(GLOBAL ", \"core:dataset\": \"x\"", "field 'core:dataset' is not supported");
    expect_global_refusal(GLOBAL ", \"core:metadata_only\": true", "there are no samples");
    expect_global_refusal(GLOBAL ", \"core:offset\": 5", "field 'core:offset' is 5");
    expect_global_refusal(GLOBAL ", \"core:trailing_bytes\": 5", "field 'core:trailing_bytes' is 5");
    expect_global_refusal(GLOBAL ", \"core:sha512\": \"12\"", "field 'core:sha512' must be 128 hexadecimal digits");
    expect_global_refusal(GLOBAL ", \"core:extensions\": {}", "field 'core:extensions' must be an array");
    expect_global_refusal(GLOBAL ", \"core:extensions\": [{\"name\": \"x\"}]", "entry 0: needs a name");
    expect_global_refusal(GLOBAL ", \"core:extensions\": [{\"name\": \"x\\ny\", \"version\": \"1.0.0\", \"optional\": false}]",
                          "extension 'x?y' is not optional and not supported");
    expect_global_refusal(GLOBAL ", \"airdeed:waveform\": 3", "field 'airdeed:waveform' must be a string");
    expect_global_refusal(GLOBAL ", \"airdeed:waveform\": \"a-name-of-many-letters\"", "longer than 15 octets");
    expect_global_refusal(GLOBAL ", \"airdeed:noise_dbfs\": \"low\"", "field 'airdeed:noise_dbfs' must be a number");
}
END_TEST

START_TEST(a_sample_rate_that_no_radio_has_is_refused)
{
    static const char *const rates[] = {"0", "-1", "0.5", "1e300", "4000000001"};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        char global[200];
        snprintf(global, sizeof global, "\"core:datatype\": \"ci8\", \"core:version\": \"1.2.5\", \"core:sample_rate\": %s", rates[i]);
        expect_global_refusal(global, "field 'core:sample_rate' is ");
    }
    expect_global_refusal("\"core:datatype\": \"ci8\", \"core:version\": \"1.2.5\", \"core:sample_rate\": \"1e6\"",
                          "field 'core:sample_rate' must be a number");
}
END_TEST

START_TEST(a_bad_capture_is_named_by_its_place)
{
    expect_captures_refusal("7", "captures[0]: must be an object");
    expect_captures_refusal("{}", "captures[0]: required field 'core:sample_start' is missing");
    expect_captures_refusal("{\"core:sample_start\": -1}", "captures[0]: field 'core:sample_start' must be a non-negative integer");
    expect_captures_refusal("{\"core:sample_start\": 0.5}", "must be a non-negative integer");
    expect_captures_refusal("{\"core:sample_start\": 4}, {\"core:sample_start\": 4}", "captures[1]: field 'core:sample_start' is 4");
    expect_captures_refusal("{\"core:sample_start\": 0, \"core:global_index\": 100}, {\"core:sample_start\": 4}",
                            "captures[1]: field 'core:global_index' is 4, but the captures before reach to 104");
    expect_captures_refusal("{\"core:sample_start\": 0, \"core:frequency\": 1e13}", "field 'core:frequency'");
    expect_captures_refusal("{\"core:sample_start\": 0, \"core:header_bytes\": 8}", "field 'core:header_bytes' is 8");
    expect_captures_refusal("{\"core:sample_start\": 0, \"core:datetime\": \"yesterday\"}", "field 'core:datetime' must look like");
    static const char *const impossible[] = {"2020-13-01T00:00:00Z", "2020-00-01T00:00:00Z", "2020-02-30T00:00:00Z", "2021-02-29T00:00:00Z",
                                             "1900-02-29T00:00:00Z", "2020-04-31T00:00:00Z", "2020-01-00T00:00:00Z",
                                             "2020-01-01T24:00:00Z", "2020-01-01T00:60:00Z", "2020-01-01T00:00:61Z"};
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        char capture[100];
        snprintf(capture, sizeof capture, "{\"core:sample_start\": 0, \"core:datetime\": \"%s\"}", impossible[i]);
        expect_captures_refusal(capture, "there is no such time");
    }
    expect_captures_refusal("{\"core:sample_start\": 32}", "holds 32 samples, but the metadata's last capture begins");
}
END_TEST

START_TEST(more_captures_than_the_bound_are_refused)
{
    static char json[1 << 16];
    size_t at = (size_t)snprintf(json, sizeof json, "{\"global\": {" GLOBAL "}, \"captures\": [");
    for (int i = 0; i <= PHY_SIGMF_MAX_CAPTURES; i++)
        at += (size_t)snprintf(json + at, sizeof json - at, "%s{\"core:sample_start\": %d}", i ? ", " : "", i);
    snprintf(json + at, sizeof json - at, "], \"annotations\": []}");
    expect_refusal(json, 64, "captures: there are 257; at most 256 are read");
}
END_TEST

START_TEST(a_bad_annotation_is_named_by_its_place)
{
    expect_refusal("{\"global\": {" GLOBAL "}, \"captures\": [], \"annotations\": [{\"core:sample_start\": 0}, {}]}", 64,
                   "annotations[1]: required field 'core:sample_start' is missing");
    expect_refusal("{\"global\": {" GLOBAL "}, \"captures\": [], \"annotations\": [4]}", 64, "annotations[0]: must be an object");
}
END_TEST

START_TEST(data_that_does_not_fit_the_metadata_is_refused)
{
    static const char json[] = "{\"global\": {" GLOBAL "}, \"captures\": [], \"annotations\": []}";
    expect_refusal(json, 0, "is empty");
    expect_refusal(json, 7, "7 octets are no multiple of the 2 that a sample of ci8 takes");
}
END_TEST

START_TEST(a_hash_that_does_not_match_is_refused_and_one_that_does_is_accepted)
{
    uint8_t data[64], hash[crypto_hash_sha512_BYTES];
    char hex[2 * sizeof hash + 1], json[META_BYTES];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    crypto_hash_sha512(hash, data, sizeof data);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(json, sizeof json, "{\"global\": {" GLOBAL ", \"core:sha512\": \"%s\"}, \"captures\": [], \"annotations\": []}", hex);
    struct phy_radio *r;
    ck_assert_int_eq(open_text(json, data, sizeof data, &r), 0);
    r->ops->close(r);
    data[17] ^= 1;
    ck_assert_int_eq(open_text(json, data, sizeof data, &r), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "SHA-512 is "));
}
END_TEST

static struct phy_radio *open_type(const char *type, const void *data, size_t len)
{
    char json[META_BYTES];
    snprintf(json, sizeof json,
             "{\"global\": {\"core:datatype\": \"%s\", \"core:version\": \"1.2.5\", \"core:sample_rate\": 2000000}, \"captures\": [], "
             "\"annotations\": []}", type);
    struct phy_radio *r;
    ck_assert_msg(open_text(json, data, len, &r) == 0, "%s", error);
    return r;
}

static void expect_samples(const char *type, const void *data, size_t len, const float complex *wanted, size_t n,
                           uint64_t n_clipped)
{
    struct phy_radio *r = open_type(type, data, len);
    float complex got[16];
    struct phy_radio_block block;
    ck_assert_int_eq(r->ops->receive(r, got, 16, 0, &block), 0);
    ck_assert_uint_eq(block.n, n);
    ck_assert_uint_eq(block.n_clipped, n_clipped);
    for (size_t i = 0; i < n; i++) {
        ck_assert_float_eq_tol(crealf(got[i]), crealf(wanted[i]), 1e-7f);
        ck_assert_float_eq_tol(cimagf(got[i]), cimagf(wanted[i]), 1e-7f);
    }
    ck_assert_int_eq(r->ops->receive(r, got, 16, 0, &block), 0);
    ck_assert_uint_eq(block.n, 0);
    ck_assert(r->ops->transmit == NULL);
    r->ops->close(r);
}

START_TEST(each_datatype_is_scaled_to_full_scale_one)
{
    const uint8_t i16[] = {0x00, 0x40, 0x00, 0xc0, 0x00, 0x80, 0x01, 0x00};
    expect_samples("ci16_le", i16, sizeof i16, (float complex[]){make(.5f, -.5f), make(-1, 1 / 32768.f)}, 2, 1);
    const uint8_t i8[] = {0x40, 0xc0, 0x7f, 0x01};
    expect_samples("ci8", i8, sizeof i8, (float complex[]){make(.5f, -.5f), make(127 / 128.f, 1 / 128.f)}, 2, 1);
    const uint8_t u8[] = {255, 0, 128, 127};
    expect_samples("cu8", u8, sizeof u8, (float complex[]){make(1, -1), make(.5f / 127.5f, -.5f / 127.5f)}, 2, 1);
    const uint8_t f32[] = {0, 0, 0x80, 0x3e, 0, 0, 0x80, 0xbf};
    expect_samples("cf32_le", f32, sizeof f32, (float complex[]){make(.25f, -1)}, 1, 1);
}
END_TEST

START_TEST(a_float_type_without_byte_order_is_taken_as_little_endian_with_a_warning)
{
    const uint8_t f32[] = {0, 0, 0x80, 0x3e, 0, 0, 0x80, 0xbf};
    expect_samples("cf32", f32, sizeof f32, (float complex[]){make(.25f, -1)}, 1, 1);
    ck_assert_ptr_nonnull(strstr(meta.warning, "'cf32' without a byte order; taken as cf32_le"));
    expect_samples("cf32_le", f32, sizeof f32, (float complex[]){make(.25f, -1)}, 1, 1);
    ck_assert_str_eq(meta.warning, "");
}
END_TEST

/* The bad one lies beyond what one read takes. */
START_TEST(the_first_sample_that_is_no_number_is_named_and_refused)
{
    enum { N = 20000, AT = 12345 };
    static float values[2 * N];
    static const struct {
        float value;
        const char *why;
    } bad[] = {{NAN, "test: sample 12345 is not finite: it holds NaN"},
               {INFINITY, "test: sample 12345 is not finite: it holds infinity"},
               {-INFINITY, "test: sample 12345 is not finite: it holds infinity"},
               {3e38f, "test: sample 12345 holds 3e+38, which is beyond any full scale"},
               {-2e9f, "test: sample 12345 holds -2e+09, which is beyond any full scale"}};
    static const char json[] =
        "{\"global\": {\"core:datatype\": \"cf32_le\", \"core:version\": \"1.2.5\", \"core:sample_rate\": 1e6}, "
        "\"captures\": [{\"core:sample_start\": 0}], \"annotations\": []}";
    struct phy_radio *r;
    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++) {
        values[2 * AT + i % 2] = bad[i / 2].value;
        values[2 * N - 1] = NAN;
        ck_assert_int_eq(open_text(json, values, sizeof values, &r), -EINVAL);
        ck_assert_str_eq(error, bad[i / 2].why);
        values[2 * AT + i % 2] = 0;
    }
    values[2 * N - 1] = 1e9f;
    ck_assert_msg(open_text(json, values, sizeof values, &r) == 0, "%s", error);
    r->ops->close(r);
}
END_TEST

START_TEST(blocks_stop_at_captures_and_tell_what_was_lost_before_them)
{
    static const char json[] =
        "{\"global\": {" GLOBAL "}, \"annotations\": [], \"captures\": ["
        "{\"core:sample_start\": 0, \"core:global_index\": 100, \"core:frequency\": 5e9, \"core:datetime\": \"2020-01-01T00:00:00.25Z\"},"
        "{\"core:sample_start\": 10, \"core:global_index\": 117}, {\"core:sample_start\": 12, \"core:global_index\": 119}]}";
    uint8_t data[40];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i / 2);
    struct phy_radio *r;
    ck_assert_msg(open_text(json, data, sizeof data, &r) == 0, "%s", error);
    ck_assert_str_eq(meta.datetime, "2020-01-01T00:00:00.25Z");
    const struct {
        uint64_t start, n, n_lost;
    } wanted[] = {{100, 8, 0}, {108, 2, 0}, {117, 2, 7}, {119, 8, 0}, {127, 0, 0}};
    float complex got[8];
    struct phy_radio_block block;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < 5; i++) {
            ck_assert_int_eq(r->ops->receive(r, got, 8, 0, &block), 0);
            ck_assert_uint_eq(block.start_sample, wanted[i].start);
            ck_assert_uint_eq(block.n, wanted[i].n);
            ck_assert_uint_eq(block.n_lost, wanted[i].n_lost);
            if (i == 1)
                ck_assert_double_eq(r->center_hz, 5e9);
        }
        ck_assert(isnan(r->center_hz));
        phy_sigmf_rewind(r);
    }
    ck_assert_uint_eq(phy_sigmf_file_sample(&meta, 109), 9);
    ck_assert_uint_eq(phy_sigmf_file_sample(&meta, 118), 11);
    ck_assert_uint_eq(phy_sigmf_file_sample(&meta, 120), 13);
    size_t n;
    ck_assert_int_eq(phy_sigmf_read_at(r, 9, got, 8, &n), 0);
    ck_assert_uint_eq(n, 8);
    ck_assert_float_eq(crealf(got[1]), 10 / 128.f);
    ck_assert_int_eq(phy_sigmf_read_at(r, 15, got, 8, &n), 0);
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(phy_sigmf_read_at(r, 20, got, 8, &n), 0);
    ck_assert_uint_eq(n, 0);
    r->ops->close(r);
}
END_TEST

START_TEST(names_that_are_no_recording_are_refused_in_words)
{
    struct phy_radio *r;
    ck_assert_int_eq(phy_sigmf_open("/nowhere/x", &r, &meta, error), -ENOENT);
    ck_assert_str_eq(error, "/nowhere/x.sigmf-meta: cannot open: No such file or directory");
    ck_assert_int_eq(phy_sigmf_open("x.sigmf", &r, &meta, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "is a SigMF archive"));
    ck_assert_int_eq(phy_sigmf_open("x.sigmf-collection", &r, &meta, error), -EINVAL);
    ck_assert_int_eq(phy_sigmf_open("", &r, &meta, error), -EINVAL);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("read");
    tcase_add_test(tc, what_is_no_json_is_refused_with_its_line);
    tcase_add_test(tc, a_missing_part_of_the_top_level_is_named);
    tcase_add_test(tc, a_bad_field_of_the_global_object_is_named);
    tcase_add_test(tc, a_sample_rate_that_no_radio_has_is_refused);
    tcase_add_test(tc, a_bad_capture_is_named_by_its_place);
    tcase_add_test(tc, more_captures_than_the_bound_are_refused);
    tcase_add_test(tc, a_bad_annotation_is_named_by_its_place);
    tcase_add_test(tc, data_that_does_not_fit_the_metadata_is_refused);
    tcase_add_test(tc, a_hash_that_does_not_match_is_refused_and_one_that_does_is_accepted);
    tcase_add_test(tc, each_datatype_is_scaled_to_full_scale_one);
    tcase_add_test(tc, a_float_type_without_byte_order_is_taken_as_little_endian_with_a_warning);
    tcase_add_test(tc, the_first_sample_that_is_no_number_is_named_and_refused);
    tcase_add_test(tc, blocks_stop_at_captures_and_tell_what_was_lost_before_them);
    tcase_add_test(tc, names_that_are_no_recording_are_refused_in_words);
    suite_add_tcase(suite, tc);
}
