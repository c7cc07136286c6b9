/* Fingerprints on drawn estimates; `airdeed validate spoof` has the statistics on measured ones. */
#define SUITE_NAME "mac fingerprint"
#include "tests/unit/check_main.h"

#include <math.h>

#include "mac/fingerprint.h"

enum { PEERS = 4, LENGTH_NS = 312000 };
static const double spread_hz = 6.3; /* at 20 dB and that length */

static struct mac_fingerprint f;
static struct mac_fingerprint_peer peers[PEERS];
static int64_t now_ns;
static uint64_t state;

static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(state >> 11) + .5) / 9007199254740992.0;
}

static double gaussian(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.28318530717958648 * uniform());
}

static void setup(void)
{
    struct mac_fingerprint_config cfg = mac_fingerprint_wifi(5.2e9);
    mac_fingerprint_init(&f, &cfg, peers, PEERS);
    now_ns = 0;
    state = 1;
}

static struct mac_rx_quality frame_at(double offset_hz, double power_db)
{
    now_ns += 50000000;
    return (struct mac_rx_quality){.start_ns = now_ns, .end_ns = now_ns + LENGTH_NS, .header_ok = true, .fcs_ok = true,
                                   .rssi_dbfs = -40 + power_db, .snr_db = 20, .cfo_hz = offset_hz + spread_hz * gaussian()};
}

static struct mac_fingerprint_reading hear(uint32_t station, double offset_hz, double power_db)
{
    struct mac_address address = mac_address_of(station);
    struct mac_rx_quality q = frame_at(offset_hz, power_db);
    struct mac_fingerprint_reading reading;
    mac_fingerprint_observe(&f, &address, &q, &reading);
    return reading;
}

static unsigned hear_many(uint32_t station, unsigned n, double offset_hz, double power_db)
{
    unsigned flags = 0;
    for (unsigned i = 0; i < n; i++)
        flags += hear(station, offset_hz, power_db).verdict != MAC_FINGERPRINT_NONE;
    return flags;
}

START_TEST(knows_a_station_by_its_offset_and_the_spread_of_one_estimate)
{
    ck_assert_uint_eq(hear_many(1, 2000, 12345, 0), 0);
    struct mac_fingerprint_reading r = hear(1, 12345, 0);
    ck_assert_double_eq_tol(r.offset_hz, 12345, 3.5 * spread_hz / 4);
    ck_assert_double_eq_tol(r.spread_hz, spread_hz, .25 * spread_hz);
    ck_assert_uint_eq(r.n_frames, 2001);
}
END_TEST

START_TEST(a_copy_three_spreads_off_is_flagged_while_the_station_goes_on_too)
{
    hear_many(1, 300, 0, 0);
    unsigned n = 0;
    enum mac_fingerprint_verdict verdict = MAC_FINGERPRINT_NONE;
    for (; n < 20 && verdict == MAC_FINGERPRINT_NONE; n++) {
        verdict = hear(1, 3 * spread_hz, 0).verdict;
        if (verdict == MAC_FINGERPRINT_NONE)
            verdict = hear(1, 0, 0).verdict;
    }
    ck_assert_int_eq(verdict, MAC_FINGERPRINT_COPIED);
    struct mac_fingerprint_reading r = hear(1, 0, 0);
    ck_assert_double_eq_tol(r.offset_hz, 0, 1.5 * spread_hz); /* the copy has not drawn it near */
}
END_TEST

START_TEST(a_single_wild_estimate_accuses_nobody)
{
    hear_many(1, 300, 0, 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(hear(1, i % 2 ? 1e6 : -1e6, -30).verdict, MAC_FINGERPRINT_NONE);
        ck_assert_uint_eq(hear_many(1, 20, 0, 0), 0);
    }
}
END_TEST

START_TEST(a_radio_that_took_the_stations_place_is_told_and_learned_anew)
{
    hear_many(1, 300, 0, 0);
    unsigned copied = 0, moved = 0;
    for (int i = 0; i < 300; i++) {
        enum mac_fingerprint_verdict v = hear(1, 5000, 0).verdict;
        copied += v == MAC_FINGERPRINT_COPIED;
        moved += v == MAC_FINGERPRINT_MOVED;
        ck_assert(i != 20 || copied > 0);
    }
    ck_assert_uint_eq(moved, 1);
    ck_assert_double_eq_tol(hear(1, 5000, 0).offset_hz, 5000, 3 * spread_hz);
    ck_assert_uint_eq(hear_many(1, 300, 5000, 0), 0);
}
END_TEST

START_TEST(power_alone_never_accuses_and_helps_where_the_offset_differs)
{
    hear_many(1, 300, 0, 0);
    ck_assert_uint_eq(hear_many(1, 200, 0, 25), 0); /* someone opened a door */
    setup();
    hear_many(1, 300, 0, 0);
    unsigned with = 0, without = 0;
    while (hear(1, 3 * spread_hz, 25).verdict == MAC_FINGERPRINT_NONE)
        with++;
    setup();
    hear_many(1, 300, 0, 0);
    while (hear(1, 3 * spread_hz, 0).verdict == MAC_FINGERPRINT_NONE)
        without++;
    ck_assert_uint_le(with, without);
}
END_TEST

START_TEST(fading_power_and_an_oscillator_that_wanders_accuse_nobody)
{
    unsigned flags = 0;
    const unsigned n = 100000;
    for (unsigned i = 0; i < n; i++) {
        double wander = 5200 * sin(6.28318530717958648 * (double)now_ns * 1e-9 / 3600);
        flags += hear(1, wander, 10 * log10(-log(uniform()))).verdict != MAC_FINGERPRINT_NONE;
    }
    ck_assert_uint_le(flags, 10); /* 1e-4 a frame */
}
END_TEST

START_TEST(a_flood_of_made_up_addresses_forgets_no_station)
{
    hear_many(1, 300, 0, 0);
    for (uint32_t i = 0; i < 10000; i++)
        hear(1000 + i, 100, 0);
    ck_assert_uint_eq(hear(1, 0, 0).n_frames, 301);
}
END_TEST

START_TEST(estimates_that_are_no_numbers_teach_nothing)
{
    struct mac_address address = mac_address_of(1);
    struct mac_fingerprint_reading r;
    const double bad[] = {NAN, INFINITY, -INFINITY};
    hear_many(1, 300, 0, 0);
    for (size_t i = 0; i < 9; i++) {
        struct mac_rx_quality q = frame_at(0, 0);
        *(i % 3 == 0 ? &q.cfo_hz : i % 3 == 1 ? &q.snr_db : &q.rssi_dbfs) = bad[i / 3];
        mac_fingerprint_observe(&f, &address, &q, &r);
        ck_assert_int_eq(r.verdict, MAC_FINGERPRINT_NONE);
    }
    struct mac_rx_quality q = frame_at(0, 0);
    q.start_ns -= 3600000000000; /* an instant before the last one, and a frame without a length */
    q.end_ns = q.start_ns;
    mac_fingerprint_observe(&f, &address, &q, &r);
    ck_assert_uint_eq(hear(1, 0, 0).n_frames, 302);
}
END_TEST

START_TEST(after_a_long_silence_the_oscillator_may_be_elsewhere)
{
    hear_many(1, 300, 0, 0);
    now_ns += 1800000000000;
    ck_assert_uint_eq(hear_many(1, 300, 4000, 0), 0);
    ck_assert_double_eq_tol(hear(1, 4000, 0).offset_hz, 4000, 3 * spread_hz);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("fingerprint");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, knows_a_station_by_its_offset_and_the_spread_of_one_estimate);
    tcase_add_test(t, a_copy_three_spreads_off_is_flagged_while_the_station_goes_on_too);
    tcase_add_test(t, a_single_wild_estimate_accuses_nobody);
    tcase_add_test(t, a_radio_that_took_the_stations_place_is_told_and_learned_anew);
    tcase_add_test(t, power_alone_never_accuses_and_helps_where_the_offset_differs);
    tcase_add_test(t, fading_power_and_an_oscillator_that_wanders_accuse_nobody);
    tcase_add_test(t, a_flood_of_made_up_addresses_forgets_no_station);
    tcase_add_test(t, estimates_that_are_no_numbers_teach_nothing);
    tcase_add_test(t, after_a_long_silence_the_oscillator_may_be_elsewhere);
    suite_add_tcase(suite, t);
}
