/* The live loop on radios in memory. */
#define SUITE_NAME "live loop"
#include "tests/unit/check_main.h"

#include "tests/unit/apps/live_fixture.h"

enum { SECOND = LIVE_RATE };

START_TEST(two_stations_agree_and_acknowledge_and_nothing_is_late)
{
    live_waveform = _i == 0 ? "flex" : "wifi";
    live_open(2, "raft", 512);
    ck_assert_int_eq(live_run(4 * SECOND), 0);
    ck_assert_uint_ge(live_height(0), 5);
    ck_assert_uint_ge(live_mac(0).acked + live_mac(1).acked, 5);
    for (uint32_t i = 0; i < 2; i++) {
        const struct live_station *s = &live.stations[i];
        ck_assert_uint_gt(s->n_fcs_ok, 20);
        ck_assert_uint_gt(s->n_events, 5);
        ck_assert_uint_eq(s->radio.n_late, 0);
        ck_assert_uint_eq(live_mac(i).late_response, 0);
        ck_assert_uint_eq(s->loop.counts.late_frames + s->loop.counts.late_responses, 0);
        ck_assert_uint_eq(s->loop.counts.sent, s->radio.n_taken);
    }
    ck_assert_uint_gt(live.stations[0].loop.counts.sent_responses + live.stations[1].loop.counts.sent_responses, 5);
    live_close();
}
END_TEST

/* Every burst's sender, start and samples. */
static uint64_t fold_bursts(uint64_t until)
{
    uint64_t fold = 0;
    for (size_t i = 0; i < live.n_bursts; i++) {
        const struct live_burst *b = &live.bursts[i];
        if (b->start >= until) /* in the order of being handed over, which is not that of starts */
            continue;
        uint64_t hash = b->start * 0x9e3779b97f4a7c15u + b->from;
        for (size_t k = 0; k < b->n; k++) {
            uint64_t word;
            memcpy(&word, &b->samples[k], sizeof word);
            hash = (hash ^ word) * 0x100000001b3u;
        }
        fold += hash; /* whatever the order */
    }
    return fold;
}

START_TEST(what_is_sent_does_not_depend_on_how_samples_come_in_blocks)
{
    static const size_t blocks[] = {512, 256, 100, 333};
    uint64_t fold[4];
    for (size_t i = 0; i < 4; i++) {
        live_open(2, "pbft", blocks[i]);
        ck_assert_int_eq(live_run(2 * SECOND), 0);
        fold[i] = fold_bursts(2 * SECOND - 4096);
        ck_assert_uint_gt(live.n_bursts, 20);
        live_close();
        ck_assert_uint_eq(fold[i], fold[0]);
    }
}
END_TEST

START_TEST(lost_samples_are_skipped_and_the_station_keeps_its_place)
{
    live_open(2, "raft", 500);
    live.stations[1].radio.lose_at = SECOND;
    live.stations[1].radio.n_lose = 5000;
    ck_assert_int_eq(live_run(4 * SECOND), 0);
    const struct app_live_counts *c = &live.stations[1].loop.counts;
    ck_assert_uint_eq(c->gaps, 1);
    ck_assert_uint_eq(c->lost_samples, 5000);
    struct phy_stats phy;
    app_station_phy_stats(live.stations[1].station, 0, &phy);
    ck_assert_uint_eq(phy.n_skipped, 5000);
    ck_assert_uint_eq(live.stations[1].loop.now, live.stations[1].radio.next);
    ck_assert_uint_ge(live_height(0), 5);
    ck_assert_uint_ge(live_height(1) + 1, live_height(0));
    live_close();
}
END_TEST

START_TEST(responses_that_the_radio_calls_late_are_counted_and_never_sent)
{
    live_open(2, "raft", 512);
    live.stations[0].radio.refuses_responses = live.stations[1].radio.refuses_responses = true;
    ck_assert_int_eq(live_run(4 * SECOND), 0);
    uint64_t n_late = 0, n_no_ack = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const struct app_live_counts *c = &live.stations[i].loop.counts;
        ck_assert_uint_eq(c->late_responses, live.stations[i].radio.n_late);
        ck_assert_uint_eq(c->sent_responses, 0);
        ck_assert_uint_eq(live_mac(i).acked, 0);
        n_late += c->late_responses;
        n_no_ack += live_mac(i).no_ack;
    }
    ck_assert_uint_gt(n_late, 5);
    ck_assert_uint_gt(n_no_ack, 5);
    live_close();
}
END_TEST

START_TEST(responses_that_are_late_at_the_device_are_told_from_other_frames)
{
    live_open(2, "raft", 512);
    live.stations[0].radio.loses_responses = live.stations[1].radio.loses_responses = true;
    ck_assert_int_eq(live_run(4 * SECOND), 0);
    uint64_t n_told = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const struct app_live_counts *c = &live.stations[i].loop.counts;
        ck_assert_uint_le(live.stations[i].radio.n_late_told - c->device_late_responses, 1); /* the last may wait */
        ck_assert_uint_eq(c->device_late_frames, 0);
        ck_assert_uint_eq(c->reports[PHY_RADIO_LATE], c->device_late_responses);
        ck_assert_uint_eq(live_mac(i).acked, 0);
        n_told += c->device_late_responses;
    }
    ck_assert_uint_gt(n_told, 5);
    live_close();
}
END_TEST

START_TEST(a_station_does_not_report_on_channels_that_its_radio_does_not_hear)
{
    live_open_channels(2, "raft", 512, 2);
    ck_assert_int_eq(live_run(3 * SECOND), 0);
    struct phy_stats phy;
    app_station_phy_stats(live.stations[0].station, 1, &phy);
    ck_assert_uint_eq(phy.n_skipped, live.stations[0].loop.now);
    ck_assert_uint_gt(phy.n_sense_spoiled, 3);
    ck_assert(chain_ledger_registered(chain_node_ledger(app_station_node(live.stations[1].station)), 0));
    ck_assert_uint_le(live_height(0), 2); /* registrations, no report */
    live_close();
}
END_TEST

START_TEST(a_station_does_not_hear_itself)
{
    live_open(2, "raft", 512);
    live.stations[0].radio.hears_itself = live.stations[1].radio.hears_itself = true;
    ck_assert_int_eq(live_run(3 * SECOND), 0);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(live_mac(i).rx_own, 0);
        ck_assert_uint_gt(live_mac(i).rx_ok, 5);
    }
    live_close();
}
END_TEST

START_TEST(a_radio_that_vanishes_ends_the_station_with_one_line)
{
    live_open(2, "raft", 512);
    ck_assert_int_eq(live_run(SECOND / 10), 0);
    live.stations[0].radio.is_gone = true;
    ck_assert_int_eq(live_run(SECOND), -ENODEV);
    ck_assert_str_eq(live.stations[0].loop.error, "the radio is gone: memory: the device vanished");
    live_close();
}
END_TEST

START_TEST(a_sample_count_that_goes_back_ends_the_station)
{
    live_open(1, "raft", 512);
    ck_assert_int_eq(live_run(SECOND / 10), 0);
    live.stations[0].radio.goes_back = true;
    ck_assert_int_eq(live_run(SECOND), -ETIME);
    ck_assert_ptr_nonnull(strstr(live.stations[0].loop.error, "went back"));
    live_close();
}
END_TEST

static void make_it_radiate(uint32_t i, bool transmit, double high_hz)
{
    struct app_live_loop *l = &live.stations[i].loop;
    l->cfg.radiates = true;
    l->cfg.limits = app_radio_limits_default();
    l->cfg.limits.transmit = transmit;
    l->cfg.limits.band_low_hz = 5180e6;
    l->cfg.limits.band_high_hz = high_hz;
    app_radio_gate_init(&l->gate, &l->cfg.limits);
}

/* A turn's clocks go on with the samples. */
static int run_in_real_time(uint64_t until)
{
    int rc = 0;
    while (rc == 0 && live.stations[0].loop.now < until) {
        uint64_t next = live.stations[0].loop.now + live.stations[0].loop.cfg.block_samples;
        live.clocks.monotonic_ns = (int64_t)next * 1000;
        live.clocks.wall_ns = INT64_C(1577836800000000000) + live.clocks.monotonic_ns;
        rc = live_run(next);
    }
    return rc;
}

START_TEST(nothing_radiates_without_tx_or_outside_the_band)
{
    static const struct {
        bool transmit;
        double high_hz;
        enum app_radio_verdict verdict;
    } rows[] = {{false, 5190e6, APP_RADIO_TX_OFF}, {true, 5180e6, APP_RADIO_BAND}, {true, 5185.4e6, APP_RADIO_BAND}};
    for (size_t i = 0; i < 3; i++) {
        live_open(2, "raft", 512);
        make_it_radiate(0, rows[i].transmit, rows[i].high_hz);
        make_it_radiate(1, rows[i].transmit, rows[i].high_hz);
        ck_assert_int_eq(run_in_real_time(2 * SECOND), 0);
        ck_assert_uint_eq(live.n_bursts, 0);
        ck_assert_uint_gt(live.stations[0].loop.gate.count[rows[i].verdict], 0);
        live_close();
    }
    live_open(2, "raft", 512);
    make_it_radiate(0, true, 5190e6);
    make_it_radiate(1, true, 5190e6);
    ck_assert_int_eq(run_in_real_time(2 * SECOND), 0);
    ck_assert_uint_gt(live.n_bursts, 10);
    live_close();
}
END_TEST

START_TEST(a_clock_that_jumps_ends_a_station_that_radiates)
{
    live_open(1, "raft", 512);
    make_it_radiate(0, true, 5190e6);
    ck_assert_int_eq(run_in_real_time(SECOND), 0);
    live.clocks.wall_ns += INT64_C(2000000000);
    ck_assert_int_eq(live_run(2 * SECOND), -ETIME);
    ck_assert_ptr_nonnull(strstr(live.stations[0].loop.error, "clock"));
    live_close();
}
END_TEST

START_TEST(a_clients_transaction_that_is_none_is_refused)
{
    live_open(1, "raft", 512);
    ck_assert_int_eq(live_run(SECOND / 10), 0);
    int result = 0;
    static const uint8_t octets[40] = {0x83, 1, 2, 3};
    ck_assert_int_eq(app_live_loop_submit(&live.stations[0].loop, octets, sizeof octets, &result), 0);
    ck_assert_int_lt(result, 0);
    live_close();
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("turns");
    tcase_add_loop_test(tc, two_stations_agree_and_acknowledge_and_nothing_is_late, 0, 2);
    tcase_add_test(tc, what_is_sent_does_not_depend_on_how_samples_come_in_blocks);
    tcase_add_test(tc, lost_samples_are_skipped_and_the_station_keeps_its_place);
    tcase_add_test(tc, responses_that_the_radio_calls_late_are_counted_and_never_sent);
    tcase_add_test(tc, responses_that_are_late_at_the_device_are_told_from_other_frames);
    tcase_add_test(tc, a_station_does_not_report_on_channels_that_its_radio_does_not_hear);
    tcase_add_test(tc, a_station_does_not_hear_itself);
    tcase_add_test(tc, a_radio_that_vanishes_ends_the_station_with_one_line);
    tcase_add_test(tc, a_sample_count_that_goes_back_ends_the_station);
    tcase_add_test(tc, nothing_radiates_without_tx_or_outside_the_band);
    tcase_add_test(tc, a_clock_that_jumps_ends_a_station_that_radiates);
    tcase_add_test(tc, a_clients_transaction_that_is_none_is_refused);
    suite_add_tcase(suite, tc);
}
