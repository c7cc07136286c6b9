#define SUITE_NAME "apps/run/responses"
#include "tests/unit/check_main.h"

#include "apps/run/responses.h"
#include "apps/run/scenario.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char head[] = "name: some\n"
                           "channels: [{name: control, low: 5.18G, high: 5.19G}]\n"
                           "control: control\n"
                           "stations: [{name: alpha}, {name: bravo}]\n";

static int load(const char *section, struct app_scenario *out, char *error_out)
{
    char path[] = "/tmp/airdeed-responses-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *file = fdopen(fd, "w");
    fprintf(file, "%s%s", head, section);
    fclose(file);
    int rc = app_scenario_load(path, NULL, out, error_out);
    remove(path);
    return rc;
}

START_TEST(names_switch_what_they_name)
{
    struct app_responses r;
    char why[APP_RESPONSES_MAX_WHY];
    ck_assert_int_eq(app_responses_parse("all", &r, why), 0);
    ck_assert(r.hop && r.rate && r.slots && r.timers && r.migrate);
    ck_assert_int_eq(app_responses_parse("none", &r, why), 0);
    ck_assert(!r.hop && !r.rate && !r.slots && !r.timers && !r.migrate);
    ck_assert_int_eq(app_responses_parse("timers,rate", &r, why), 0);
    ck_assert(!r.hop && r.rate && !r.slots && r.timers && !r.migrate);
    json_t *list = app_responses_json(&r);
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(json_string_value(json_array_get(list, 0)), "rate");
    ck_assert_str_eq(json_string_value(json_array_get(list, 1)), "timers");
    json_decref(list);
}
END_TEST

START_TEST(anything_else_is_refused)
{
    static const char *const bad[] = {"", "rates", "rat", "rate,", ",rate", "rate,rate", "rate,none", "all,rate", "RATE", "rate timers"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct app_responses r;
        char why[APP_RESPONSES_MAX_WHY] = "";
        ck_assert_msg(app_responses_parse(bad[i], &r, why) == -EINVAL && why[0], "'%s' was taken", bad[i]);
    }
}
END_TEST

START_TEST(a_scenario_has_none_unless_it_says_so)
{
    struct app_scenario s;
    char error[APP_SCENARIO_MAX_ERROR];
    ck_assert_msg(load("", &s, error) == 0, "%s", error);
    ck_assert(!s.responses.hop && !s.responses.rate && !s.responses.slots && !s.responses.timers && !s.responses.migrate);
    ck_assert_msg(load("responses: {hop: true, migrate: true}\n", &s, error) == 0, "%s", error);
    ck_assert(s.responses.hop && !s.responses.rate && !s.responses.slots && !s.responses.timers && s.responses.migrate);
}
END_TEST

START_TEST(an_unknown_name_is_refused_with_its_line)
{
    struct app_scenario s;
    char error[APP_SCENARIO_MAX_ERROR];
    ck_assert_int_eq(load("responses: {rate: true,\n  dodge: true}\n", &s, error), -EINVAL);
    ck_assert_msg(strstr(error, ":6: ") && strstr(error, "dodge"), "%s", error);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("responses");
    tcase_add_test(tc, names_switch_what_they_name);
    tcase_add_test(tc, anything_else_is_refused);
    tcase_add_test(tc, a_scenario_has_none_unless_it_says_so);
    tcase_add_test(tc, an_unknown_name_is_refused_with_its_line);
    suite_add_tcase(suite, tc);
}
