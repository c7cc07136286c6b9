#define SUITE_NAME "gate"
#include "tests/unit/check_main.h"

#include <string.h>

#include "apps/gate.h"
#include "apps/run/world.h"

#define MS 1000000LL

static struct app_world *world;
static char folder[] = "/tmp/airdeed-gate-XXXXXX";

static void open_world(void)
{
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    world = calloc(1, sizeof *world);
    ck_assert_ptr_nonnull(world);
    ck_assert_int_eq(app_scenario_load("quickstart", NULL, &world->scenario, world->error), 0);
    world->seed = 3;
    world->recorded = UINT32_MAX;
    ck_assert_msg(app_world_open(world, folder) == 0, "%s", world->error);
}

static void close_world(void)
{
    char command[100];
    app_world_close(world);
    free(world);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static enum app_gate_verdict ask(uint32_t station, uint32_t channel, int64_t start_ns, int64_t end_ns, bool response)
{
    return app_gate_check(world->stations[station].station, channel, start_ns, start_ns, end_ns, response);
}

START_TEST(the_control_channel_is_open_to_every_member_but_not_in_quiet_periods)
{
    /* quiet windows of the quickstart: [100, 104) ms and every 200 ms; each clock may be off by max_skew */
    for (uint32_t i = 0; i < world->scenario.n_stations; i++) {
        int64_t offset_ns = world->scenario.stations[i].clock_offset_ns, skew_ns = world->genesis.max_skew_ns;
        int64_t start_ns = 100 * MS - offset_ns - skew_ns, end_ns = 104 * MS - offset_ns + skew_ns;
        ck_assert_int_eq(ask(i, 0, 50 * MS, 51 * MS, false), APP_GATE_OPEN);
        ck_assert_int_eq(ask(i, 0, start_ns - 1 * MS, start_ns, false), APP_GATE_OPEN);
        ck_assert_int_eq(ask(i, 0, start_ns - 1 * MS, start_ns + 1, false), APP_GATE_QUIET);
        ck_assert_int_eq(ask(i, 0, start_ns + 1 * MS, start_ns + 2 * MS, true), APP_GATE_QUIET);
        ck_assert_int_eq(ask(i, 0, end_ns - 1, end_ns + 1 * MS, false), APP_GATE_QUIET);
        ck_assert_int_eq(ask(i, 0, end_ns, end_ns + 1 * MS, false), APP_GATE_OPEN);
        ck_assert_int_eq(ask(i, 0, start_ns - 1 * MS, end_ns + 1 * MS, false), APP_GATE_QUIET);
    }
}
END_TEST

START_TEST(a_data_channel_is_shut_without_a_lease)
{
    for (uint32_t i = 0; i < world->scenario.n_stations; i++)
        for (uint32_t c = 1; c < world->scenario.n_channels; c++) {
            ck_assert_int_eq(ask(i, c, 50 * MS, 51 * MS, false), APP_GATE_NO_DEED);
            ck_assert_int_eq(ask(i, c, 50 * MS, 51 * MS, true), APP_GATE_NO_DEED);
        }
}
END_TEST

START_TEST(what_should_have_begun_already_does_not_leave)
{
    ck_assert_int_eq(app_gate_check(world->stations[0].station, 0, 50 * MS, 50 * MS - 1, 51 * MS, false), APP_GATE_LATE);
}
END_TEST

START_TEST(every_verdict_has_a_name)
{
    for (int v = APP_GATE_OPEN; v <= APP_GATE_LATE; v++)
        ck_assert_uint_gt(strlen(app_gate_name((enum app_gate_verdict)v)), 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("gate");
    tcase_add_checked_fixture(tc, open_world, close_world);
    tcase_add_test(tc, the_control_channel_is_open_to_every_member_but_not_in_quiet_periods);
    tcase_add_test(tc, a_data_channel_is_shut_without_a_lease);
    tcase_add_test(tc, what_should_have_begun_already_does_not_leave);
    tcase_add_test(tc, every_verdict_has_a_name);
    suite_add_tcase(suite, tc);
}
