/* What the accounts make of a made-up course of events. */
#define SUITE_NAME "accounts"
#include "tests/unit/check_main.h"

#include <string.h>
#include <unistd.h>

#include "apps/run/accounts.h"

enum { MS = 1000000 };
static struct app_scenario scenario;
static struct chain_genesis genesis;
static struct app_accounts accounts;
static struct app_journal *journal;
static char path[64];

/* Station 0 holds leases on channel 1 or 2, primary user 0 comes to channel 1. */
static void open_accounts(void)
{
    memset(&scenario, 0, sizeof scenario);
    memset(&genesis, 0, sizeof genesis);
    scenario.n_stations = 2;
    scenario.n_channels = 3;
    scenario.n_primaries = 1;
    scenario.primaries[0] = (struct app_scenario_primary){.channel = 1, .start_ns = 1000 * MS, .stop_ns = 3000ll * MS};
    scenario.n_traffic = 1;
    scenario.traffic[0].to = 1;
    scenario.duration_ns = 10000ll * MS;
    snprintf(genesis.engine, sizeof genesis.engine, "raft");
    genesis.transmit_expire_ns = 2400ll * MS;
    genesis.stop_ns = 600 * MS;
    genesis.quiet_period_ns = 200 * MS;
    genesis.quiet_length_ns = 4 * MS;
    genesis.fuse_after_ns = 150 * MS;
    genesis.n_channels = 3;
    for (int i = 0; i < 3; i++)
        genesis.channels[i].quiet_phase_ns = 100 * MS;
    snprintf(path, sizeof path, "/tmp/airdeed-accounts-%ld", (long)getpid());
    ck_assert_int_eq(app_journal_open(path, &journal), 0);
    ck_assert_int_eq(app_accounts_open(&accounts, &scenario, &genesis, NULL, 16000, journal), 0);
}

static void close_accounts(void)
{
    app_accounts_close(&accounts);
    ck_assert_int_eq(app_journal_close(journal), 0);
    unlink(path);
}

/* At both stations at once. */
static void tell(enum chain_ledger_event_kind kind, uint64_t id, uint32_t channel, int64_t t_ms, int code)
{
    struct chain_ledger_event e = {
        .kind = kind, .id = id, .channel = channel, .station = 0, .block_time_ns = t_ms * MS, .code = (enum chain_response)code};
    for (uint32_t station = 0; station < 2; station++)
        app_accounts_lease_event(&accounts, station, &e, t_ms * MS, station == 0);
}

static void grant(uint64_t id, uint32_t channel, int64_t t_ms)
{
    tell(CHAIN_LE_GRANTED, id, channel, t_ms, 0);
    tell(CHAIN_LE_AUTHORIZED, id, channel, t_ms + 10, 0);
}

static void send_at(uint32_t channel, int64_t t_ms)
{
    static const uint8_t mpdu[30];
    struct app_station_emission e = {.channel = channel, .mpdu = mpdu, .mpdu_len = sizeof mpdu};
    app_accounts_emission(&accounts, 0, &e, t_ms * MS, (t_ms + 1) * MS);
}

static int64_t last_ms(size_t lease)
{
    int64_t last_ns = accounts.leases[lease].last_emission_ns;
    return last_ns == INT64_MIN ? -1 : last_ns / MS;
}

START_TEST(an_emission_belongs_to_the_lease_that_lives)
{
    grant(1, 1, 0);
    send_at(1, 100);
    tell(CHAIN_LE_RELINQUISHED, 1, 1, 200, 0);
    grant(2, 1, 300);
    send_at(1, 400);
    ck_assert_int_eq(last_ms(0), 101);
    ck_assert_int_eq(last_ms(1), 401);
}
END_TEST

START_TEST(during_stop_an_emission_belongs_to_the_suspended_lease_until_there_is_another)
{
    grant(1, 1, 0);
    tell(CHAIN_LE_SUSPENDED, 1, 1, 1200, 501);
    send_at(1, 1300);
    ck_assert_int_eq(last_ms(0), 1301);
    grant(2, 1, 4000);
    send_at(1, 4100);
    ck_assert_int_eq(last_ms(0), 1301);
    ck_assert_int_eq(last_ms(1), 4101);
    ck_assert_uint_eq(accounts.n_violations, 0);
}
END_TEST

START_TEST(grant_expire_time_ends_a_lease_and_transmit_expire_time_does_not)
{
    grant(1, 1, 0);
    tell(CHAIN_LE_EXPIRED, 1, 1, 500, 0);
    ck_assert_int_eq(accounts.leases[0].ended_ns, INT64_MAX);
    tell(CHAIN_LE_EXPIRED, 1, 1, 700, CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(accounts.leases[0].ended_ns, 700 * MS);
    send_at(1, 800);
    ck_assert_int_eq(last_ms(0), -1);
}
END_TEST

START_TEST(vacating_is_counted_for_the_lease_that_the_primary_user_found)
{
    grant(1, 1, 0);
    send_at(1, 900);
    ck_assert_int_eq(app_accounts_vacate_ns(&accounts), -1);
    send_at(1, 1200);
    tell(CHAIN_LE_SUSPENDED, 1, 1, 1190, 501);
    tell(CHAIN_LE_RELINQUISHED, 1, 1, 1250, 0);
    ck_assert_int_eq(app_accounts_vacate_ns(&accounts), 201 * MS);
    /* granted later, after the primary user left: nothing to do with it */
    grant(2, 1, 6000);
    send_at(1, 7000);
    ck_assert_int_eq(app_accounts_vacate_ns(&accounts), 201 * MS);
}
END_TEST

START_TEST(a_lease_that_ended_before_the_primary_user_came_need_not_vacate)
{
    grant(1, 1, 0);
    send_at(1, 100);
    tell(CHAIN_LE_RELINQUISHED, 1, 1, 200, 0);
    grant(2, 1, 5000);
    send_at(1, 6000);
    ck_assert_int_eq(app_accounts_vacate_ns(&accounts), -1);
}
END_TEST

START_TEST(nobody_is_late_in_vacating_beyond_the_stop_of_the_primary_user)
{
    scenario.primaries[0].stop_ns = 1050 * MS;
    grant(1, 1, 0);
    send_at(1, 1049);
    send_at(1, 1500);
    ck_assert_int_eq(app_accounts_vacate_ns(&accounts), 50 * MS);
    ck_assert_int_eq(last_ms(0), 1501);
}
END_TEST

START_TEST(each_message_sent_is_acknowledged_lost_or_unanswered)
{
    static const enum app_station_note_kind kinds[] = {APP_NOTE_DATA_SENT,     APP_NOTE_DATA_SENT,  APP_NOTE_DATA_SENT,
                                                       APP_NOTE_DATA_RECEIVED, APP_NOTE_DATA_ACKED, APP_NOTE_DATA_LOST};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        app_accounts_note(&accounts, 0, &(struct app_station_note){.kind = kinds[i], .channel = 1});
    json_t *summary = json_object();
    app_accounts_summarise(&accounts, summary);
    json_t *data = json_object_get(summary, "data");
    ck_assert_int_eq(json_integer_value(json_object_get(data, "sent")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(data, "acked")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(data, "lost")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(data, "unanswered")), 1);
    /* windows at 100 ms, 300 ms ... 9.7 s are decided within 10 s: 49 on each of 3 channels */
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(summary, "sensing"), "undecided")), 3 * 49);
    json_decref(summary);
}
END_TEST

START_TEST(a_verdict_matches_a_jammer_that_sends_as_it_says)
{
    static const struct {
        const char *jammer;
        enum mac_jam_kind verdict;
    } cases[] = {{"tone", MAC_JAM_TONE},   {"noise", MAC_JAM_CONSTANT}, {"sweep", MAC_JAM_SWEEP},       {"pilot", MAC_JAM_PILOT},
                 {"pulse", MAC_JAM_PULSE}, {"random", MAC_JAM_PULSE},   {"reactive", MAC_JAM_REACTIVE}, {"preamble", MAC_JAM_PREAMBLE},
                 {"deceptive", MAC_JAM_DECEPTIVE}, {"follower", MAC_JAM_REACTIVE}, {"follower", MAC_JAM_CONSTANT}, {"insider", MAC_JAM_CONSTANT}};
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct app_station_note verdict = {.kind = APP_NOTE_VERDICT, .at_ns = 1500 * MS, .verdict = {.kind = cases[i].verdict, .channel = 2}};
        scenario.n_jammers = 1;
        scenario.jammers[0] = (struct app_scenario_jammer){.n_channels = 1, .channels = {2}, .start_ns = 1000 * MS, .stop_ns = 2000ll * MS};
        strcpy(scenario.jammers[0].kind, cases[i].jammer);
        app_accounts_verdict(&accounts, 0, &verdict);
        ck_assert_msg(accounts.n_false_verdicts == i, "%s", cases[i].jammer);
        verdict.verdict.kind = cases[i].verdict == MAC_JAM_PULSE ? MAC_JAM_CONSTANT : MAC_JAM_PULSE;
        app_accounts_verdict(&accounts, 0, &verdict);
        ck_assert_msg(accounts.n_false_verdicts == i + 1, "%s", cases[i].jammer);
    }
}
END_TEST

START_TEST(at_packet_fidelity_verdicts_have_to_name_the_kind_too)
{
    struct app_station_note verdict = {.kind = APP_NOTE_VERDICT, .at_ns = 1500 * MS, .verdict = {.kind = MAC_JAM_TONE, .channel = 2}};
    strcpy(scenario.fidelity, "packet");
    scenario.n_jammers = 1;
    scenario.jammers[0] = (struct app_scenario_jammer){.n_channels = 1, .channels = {2}, .start_ns = 1000 * MS, .stop_ns = 2000ll * MS, .kind = "tone"};
    app_accounts_verdict(&accounts, 0, &verdict);
    ck_assert_uint_eq(accounts.n_false_verdicts, 0);
    verdict.verdict.kind = MAC_JAM_CONSTANT;
    app_accounts_verdict(&accounts, 0, &verdict);
    ck_assert_uint_eq(accounts.n_false_verdicts, 1);
    strcpy(scenario.jammers[0].kind, "noise");
    app_accounts_verdict(&accounts, 0, &verdict);
    ck_assert_uint_eq(accounts.n_false_verdicts, 1);
}
END_TEST

START_TEST(a_radar_is_sent_while_its_beam_looks_this_way)
{
    struct app_scenario_primary p = {.kind = "radar", .start_ns = 1000 * MS, .stop_ns = 3000ll * MS, .pulse_ns = 5000, .period_ns = MS / 2,
                                     .scan_ns = 130 * MS, .dwell_ns = 60 * MS};
    static const struct {
        int from_ms, to_ms, sent;
    } cases[] = {{900, 904, 0}, {1000, 1004, 2}, {1056, 1060, 2}, {1058, 1062, 1}, {1060, 1064, 0}, {1100, 1104, 0},
                 {1128, 1132, 1}, {1300, 1304, 2}, {1500, 1504, 0}, {2998, 3002, 1}, {3100, 3104, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(app_scenario_primary_sends(&p, 10000000, cases[i].from_ms * (int64_t)MS, cases[i].to_ms * (int64_t)MS), cases[i].sent);
    p.scan_ns = p.dwell_ns = 0;
    p.period_ns = 10 * MS; /* windows between two pulses are empty */
    ck_assert_int_eq(app_scenario_primary_sends(&p, 10000000, 1002 * MS, 1006 * MS), 0);
    ck_assert_int_eq(app_scenario_primary_sends(&p, 10000000, 1008 * MS, 1012 * MS), 2);
    p.on_ns = 15 * MS; /* each coming begins with a pulse */
    p.off_ns = 10 * MS;
    ck_assert_int_eq(app_scenario_primary_sends(&p, 10000000, 1025 * MS, 1026 * MS), 2);
    ck_assert_int_eq(app_scenario_primary_sends(&p, 10000000, 1030 * MS, 1031 * MS), 0);
}
END_TEST

START_TEST(a_primary_user_that_comes_and_goes_is_journalled_each_time)
{
    struct app_scenario_primary p = {.start_ns = 1500ll * MS, .stop_ns = 3500ll * MS, .on_ns = 600 * MS, .off_ns = 300 * MS};
    static const int edges_ms[] = {1500, 2100, 2400, 3000, 3300, 3500};
    bool comes;
    int64_t t_ns = 0;
    for (size_t i = 0; i < sizeof edges_ms / sizeof *edges_ms; i++, t_ns++) {
        t_ns = app_scenario_primary_edge(&p, t_ns, &comes);
        ck_assert_int_eq(t_ns, edges_ms[i] * (int64_t)MS);
        ck_assert_int_eq(app_scenario_primary_edge(&p, t_ns, &comes), t_ns); /* also when asked at that very moment */
        ck_assert_int_eq(comes, i % 2 == 0);
    }
    ck_assert_int_eq(app_scenario_primary_edge(&p, t_ns, &comes), INT64_MAX);
    p.stop_ns = 2200ll * MS; /* within a gap: it has gone before */
    ck_assert_int_eq(app_scenario_primary_edge(&p, 2101ll * MS, &comes), INT64_MAX);
    p.stop_ns = 2400ll * MS;
    ck_assert_int_eq(app_scenario_primary_edge(&p, 2101ll * MS, &comes), INT64_MAX);
    p.on_ns = p.off_ns = 0;
    ck_assert_int_eq(app_scenario_primary_edge(&p, 1600ll * MS, &comes), 2400ll * MS);
    ck_assert(!comes);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("accounts");
    tcase_add_checked_fixture(t, open_accounts, close_accounts);
    tcase_add_test(t, an_emission_belongs_to_the_lease_that_lives);
    tcase_add_test(t, during_stop_an_emission_belongs_to_the_suspended_lease_until_there_is_another);
    tcase_add_test(t, grant_expire_time_ends_a_lease_and_transmit_expire_time_does_not);
    tcase_add_test(t, vacating_is_counted_for_the_lease_that_the_primary_user_found);
    tcase_add_test(t, a_lease_that_ended_before_the_primary_user_came_need_not_vacate);
    tcase_add_test(t, nobody_is_late_in_vacating_beyond_the_stop_of_the_primary_user);
    tcase_add_test(t, a_radar_is_sent_while_its_beam_looks_this_way);
    tcase_add_test(t, a_primary_user_that_comes_and_goes_is_journalled_each_time);
    tcase_add_test(t, each_message_sent_is_acknowledged_lost_or_unanswered);
    tcase_add_test(t, a_verdict_matches_a_jammer_that_sends_as_it_says);
    tcase_add_test(t, at_packet_fidelity_verdicts_have_to_name_the_kind_too);
    suite_add_tcase(suite, t);
}
