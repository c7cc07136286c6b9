#define SUITE_NAME "journal"
#include "tests/unit/check_main.h"

#include "apps/run/journal.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void make_path(void)
{
    snprintf(path, sizeof path, "/tmp/airdeed-journal-%ld.jsonl", (long)getpid());
}

static void remove_file(void)
{
    unlink(path);
}

static struct app_journal *open_journal(void)
{
    struct app_journal *j;
    ck_assert_int_eq(app_journal_open(path, &j), 0);
    return j;
}

static size_t read_back(char *out, size_t cap)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t len = fread(out, 1, cap - 1, file);
    out[len] = '\0';
    fclose(file);
    return len;
}

START_TEST(a_line_is_exactly_as_documented)
{
    struct app_journal *j = open_journal();
    app_journal_begin(j, 1500000000, "granted", "alpha");
    app_journal_text(j, "name", "bravo");
    app_journal_int(j, "channel", -2);
    app_journal_bool(j, "fcs_ok", true);
    app_journal_real(j, "snr_db", 19.95, 1);
    app_journal_hex(j, "hash", (const uint8_t[]){0, 0xab, 0xff}, 3);
    app_journal_end(j);
    app_journal_begin(j, INT64_MAX, "x", NULL);
    app_journal_end(j);
    ck_assert_int_eq(app_journal_close(j), 0);
    char text[512];
    read_back(text, sizeof text);
    ck_assert_str_eq(text, "{\"t_ns\":1500000000,\"event\":\"granted\",\"station\":\"alpha\",\"name\":\"bravo\",\"channel\":-2,"
                           "\"fcs_ok\":true,\"snr_db\":20.0,\"hash\":\"00abff\"}\n"
                           "{\"t_ns\":9223372036854775807,\"event\":\"x\",\"station\":null}\n");
}
END_TEST

START_TEST(lines_come_out_in_time_order_and_those_of_one_instant_as_written)
{
    static const struct {
        int64_t t_ns;
        const char *event;
    } lines[] = {{30, "e"}, {10, "a"}, {20, "c"}, {10, "b"}, {25, "d"}, {30, "f"}};
    struct app_journal *j = open_journal();
    for (size_t i = 0; i < 6; i++) {
        app_journal_begin(j, lines[i].t_ns, lines[i].event, NULL);
        app_journal_end(j);
        if (i == 3)
            app_journal_settle(j, 20);
    }
    ck_assert_int_eq(app_journal_close(j), 0);
    char text[512], order[8] = "";
    read_back(text, sizeof text);
    for (const char *at = text; (at = strstr(at, "\"event\":\"")) != NULL; at++)
        order[strlen(order)] = at[strlen("\"event\":\"")];
    ck_assert_str_eq(order, "abcdef");
}
END_TEST

/* Whatever octets a name holds, the line stays JSON and valid UTF-8 comes back as it was. */
START_TEST(every_octet_is_escaped_or_replaced)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"a\"b\\c/d", "a\"b\\c/d"},
        {"\x01\t\n\x1f\x7f", "\x01\t\n\x1f\x7f"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xa1", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xa1"},
        {"\xff" "a", "\xef\xbf\xbd" "a"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},             /* overlong NUL */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},             /* cut short */
        {"\xf5\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct app_journal *j = open_journal();
        app_journal_begin(j, 0, "e", cases[i].in);
        app_journal_end(j);
        ck_assert_int_eq(app_journal_close(j), 0);
        json_error_t why;
        json_t *line = json_load_file(path, 0, &why);
        ck_assert_msg(line != NULL, "case %zu: %s", i, why.text);
        ck_assert_str_eq(json_string_value(json_object_get(line, "station")), cases[i].out);
        json_decref(line);
    }
}
END_TEST

START_TEST(real_numbers_are_rounded_as_stated_and_nan_is_null)
{
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {
        {0.05, 1, "0.1"}, {-0.05, 1, "-0.1"}, {-0.04, 1, "0.0"}, {1.0 / 3, 9, "0.333333333"}, {12, 0, "12"}, {-12.5, 0, "-13"},
        {NAN, 2, "null"}, {INFINITY, 2, "null"}, {1e300, 2, "null"}, {-62.25, 3, "-62.250"}, {1e9, 9, "1000000000.000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct app_journal *j = open_journal();
        app_journal_begin(j, 0, "e", NULL);
        app_journal_real(j, "v", cases[i].value, cases[i].decimals);
        app_journal_end(j);
        ck_assert_int_eq(app_journal_close(j), 0);
        char text[256], expected[256];
        read_back(text, sizeof text);
        snprintf(expected, sizeof expected, "{\"t_ns\":0,\"event\":\"e\",\"station\":null,\"v\":%s}\n", cases[i].text);
        ck_assert_str_eq(text, expected);
    }
}
END_TEST

START_TEST(a_full_disk_is_reported_at_the_end)
{
    struct app_journal *j;
    if (app_journal_open("/dev/full", &j))
        return;
    for (int i = 0; i < 1000; i++) {
        app_journal_begin(j, i, "filler", "alpha");
        app_journal_end(j);
    }
    ck_assert_int_eq(app_journal_close(j), -ENOSPC);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error)
{
    struct app_journal *j;
    ck_assert_int_eq(app_journal_open("/nowhere/at/all/events.jsonl", &j), -ENOENT);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("journal");
    tcase_add_checked_fixture(t, make_path, remove_file);
    tcase_add_test(t, a_line_is_exactly_as_documented);
    tcase_add_test(t, lines_come_out_in_time_order_and_those_of_one_instant_as_written);
    tcase_add_test(t, every_octet_is_escaped_or_replaced);
    tcase_add_test(t, real_numbers_are_rounded_as_stated_and_nan_is_null);
    tcase_add_test(t, a_full_disk_is_reported_at_the_end);
    tcase_add_test(t, a_folder_that_is_not_there_is_an_error);
    suite_add_tcase(suite, t);
}
