#define SUITE_NAME "apps/station/respond"
#include "tests/unit/check_main.h"

#include "apps/calibrate/tables.h"
#include "apps/station/respond.h"

#include <math.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

START_TEST(a_channel_stays_jammed_for_a_hold_off_behind_the_attack)
{
    struct app_jammed j;
    app_jammed_init(&j);
    app_jammed_verdict(&j, MAC_JAM_CONGESTION, SECOND);
    app_jammed_verdict(&j, MAC_JAM_NONE, SECOND);
    ck_assert(!app_jammed_at(&j, SECOND));
    app_jammed_verdict(&j, MAC_JAM_PULSE, 2 * SECOND);
    ck_assert(app_jammed_at(&j, 100 * SECOND));
    app_jammed_verdict(&j, MAC_JAM_NONE, 100 * SECOND);
    app_jammed_verdict(&j, MAC_JAM_WEAK_LINK, 101 * SECOND); /* does not begin it anew */
    ck_assert(app_jammed_at(&j, 102 * SECOND - 1));
    ck_assert(!app_jammed_at(&j, 102 * SECOND));
    ck_assert_int_eq(j.kind, MAC_JAM_PULSE);
}
END_TEST

START_TEST(an_attack_that_comes_back_soon_doubles_the_hold_off_up_to_a_bound)
{
    struct app_jammed j;
    app_jammed_init(&j);
    int64_t now_ns = SECOND, hold_s[] = {2, 4, 8, 16, 32, 32};
    for (size_t i = 0; i < 6; i++) {
        app_jammed_verdict(&j, MAC_JAM_PULSE, now_ns);
        app_jammed_verdict(&j, MAC_JAM_NONE, now_ns + MS);
        app_jammed_verdict(&j, MAC_JAM_REACTIVE, now_ns + 2 * MS); /* within it: no new attack */
        app_jammed_verdict(&j, MAC_JAM_NONE, now_ns + 3 * MS);
        int64_t end_ns = now_ns + 3 * MS + hold_s[i] * SECOND;
        ck_assert(app_jammed_at(&j, end_ns - 1) && !app_jammed_at(&j, end_ns));
        now_ns = end_ns + SECOND;
    }
    now_ns += 40 * SECOND;
    app_jammed_verdict(&j, MAC_JAM_PULSE, now_ns);
    app_jammed_verdict(&j, MAC_JAM_NONE, now_ns);
    ck_assert(!app_jammed_at(&j, now_ns + 2 * SECOND));
}
END_TEST

static struct mac_exposure respond(enum mac_jam_kind kind, double snr_db, int64_t age_ns)
{
    struct mac_profile profile = mac_profile_dot11_10(40000);
    struct app_links links;
    app_links_init(&links);
    app_links_heard(&links, 1, 30, 5 * SECOND - age_ns);
    app_links_heard(&links, 2, snr_db, 5 * SECOND - age_ns);
    return app_respond_exposure(kind, &links, phy_waveform_wifi(), &profile, 5 * SECOND);
}

START_TEST(between_pulses_frames_are_as_short_as_the_weakest_link_carries)
{
    struct mac_exposure e = respond(MAC_JAM_PULSE, 20, 0);
    ck_assert_uint_eq(e.rate_index, 5);
    ck_assert_uint_eq(e.copies, 2);
    ck_assert_uint_eq(e.fragment_bytes, 700);
    ck_assert_uint_eq(respond(MAC_JAM_PULSE, 14, 0).rate_index, 4);
    ck_assert_uint_eq(respond(MAC_JAM_PULSE, 40, 0).rate_index, 7);
    ck_assert_uint_eq(respond(MAC_JAM_PULSE, 2, 0).rate_index, 0);
}
END_TEST

START_TEST(where_there_is_no_gap_frames_go_once_and_whole_at_the_most_robust_rate)
{
    static const enum mac_jam_kind kinds[] = {MAC_JAM_CONSTANT, MAC_JAM_TONE, MAC_JAM_SWEEP, MAC_JAM_PREAMBLE, MAC_JAM_PILOT};
    struct mac_exposure e = respond(kinds[_i], 20, 0);
    ck_assert_uint_eq(e.rate_index, 0);
    ck_assert_uint_eq(e.copies, 1);
    ck_assert_uint_eq(e.fragment_bytes, mac_profile_dot11_10(40000).fragment_bytes);
}
END_TEST

START_TEST(where_nobody_was_heard_of_late_the_rate_is_the_most_robust)
{
    ck_assert_uint_eq(respond(MAC_JAM_PULSE, 20, 3 * SECOND).rate_index, 0);
}
END_TEST

START_TEST(rates_that_nobody_measured_are_not_chosen)
{
    struct mac_profile profile = mac_profile_dot11_10(40000);
    struct app_links links;
    app_links_init(&links);
    app_links_heard(&links, 1, 60, SECOND);
    ck_assert_uint_eq(app_respond_exposure(MAC_JAM_PULSE, &links, phy_waveform_flex(), &profile, SECOND).rate_index, 0);
}
END_TEST

/* 99 of 100 frames of 750 octets, by the tables that packet fidelity runs on. */
START_TEST(the_rates_thresholds_are_those_of_the_shipped_tables)
{
    static const unsigned bits_per_symbol[PHY_MAX_RATES] = {24, 36, 48, 72, 96, 144, 192, 216};
    struct phy_packet_tables *t = malloc(sizeof *t);
    uint32_t rate_hz;
    char error[APP_TABLES_MAX_ERROR];
    ck_assert_msg(app_tables_load("", "wifi", t, &rate_hz, error) == 0, "%s", error);
    for (unsigned r = 0; r < PHY_MAX_RATES; r++) {
        double symbols = ceil((16 + 8 * 750 + 6) / (double)bits_per_symbol[r]), first_db = INFINITY;
        for (unsigned i = t->n_snr; i-- > 0 && pow(1 - fmin(1, exp2((double)t->symbol_loss[r][i])), symbols) >= .99;)
            first_db = (double)t->snr_first_db + i * (double)t->snr_step_db;
        ck_assert_msg(fabs(first_db - (double)phy_waveform_wifi()->sure_snr_db[r]) < 1e-3, "rate %u: %.2f dB by the tables", r, first_db);
    }
    free(t);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("respond");
    tcase_add_test(tc, a_channel_stays_jammed_for_a_hold_off_behind_the_attack);
    tcase_add_test(tc, an_attack_that_comes_back_soon_doubles_the_hold_off_up_to_a_bound);
    tcase_add_test(tc, between_pulses_frames_are_as_short_as_the_weakest_link_carries);
    tcase_add_loop_test(tc, where_there_is_no_gap_frames_go_once_and_whole_at_the_most_robust_rate, 0, 5);
    tcase_add_test(tc, where_nobody_was_heard_of_late_the_rate_is_the_most_robust);
    tcase_add_test(tc, rates_that_nobody_measured_are_not_chosen);
    tcase_add_test(tc, the_rates_thresholds_are_those_of_the_shipped_tables);
    suite_add_tcase(suite, tc);
}
