/* Saturated DCF on the small medium, against the closed forms of the freeze-corrected model (802.11a, 6 Mb/s, 1000 octets). */
#define SUITE_NAME "mac dcf"
#include "tests/unit/check_main.h"
#include "tests/unit/mac/sim.h"

#include <math.h>

enum { MESSAGE_BYTES = 996 }; /* with the fragment header 1000 octets behind LLC/SNAP: an MPDU of 1036 with FCS, 1408 us */

static void send_again(struct sim *s, size_t i, const struct mac_report *report)
{
    static const uint8_t message[MESSAGE_BYTES];
    struct mac_address to = mac_address_of((uint32_t)((i + 1) % s->n));
    (void)report;
    SIM_REQUIRE(sim_send(s, i, to, MAC_CAT_DATA, message, sizeof message) == 0);
}

struct saturation {
    double s_mbps, p;
    uint64_t n_attempts;
};

static struct saturation saturate(size_t n, int64_t duration_ns, uint64_t seed)
{
    static struct sim s;
    struct mac_config cfg = sim_config_11a();
    cfg.seed = seed;
    cfg.max_peers = 4;
    sim_open(&s, n, &cfg);
    s.on_report = send_again;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            send_again(&s, i, NULL);
    sim_run_until(&s, duration_ns);
    uint64_t acked = 0, no_ack = 0;
    for (size_t i = 0; i < n; i++) {
        struct mac_stats stats = sim_stats(&s, i);
        acked += stats.acked;
        no_ack += stats.no_ack;
        ck_assert_uint_eq(s.stations[i].n_attacks, 0);
    }
    sim_close(&s);
    return (struct saturation){.s_mbps = (double)acked * 8000.0 / ((double)duration_ns / 1000.0),
                               .p = (double)no_ack / (double)(acked + no_ack),
                               .n_attempts = acked + no_ack};
}

static void check_saturation(size_t n, int64_t duration_ns, double s_mbps, double p)
{
    struct saturation got = saturate(n, duration_ns, 7);
    printf("n = %zu: S %.4f Mb/s (%.4f), p %.4f (%.4f), %llu attempts\n", n, got.s_mbps, s_mbps, got.p, p,
           (unsigned long long)got.n_attempts);
    ck_assert_double_eq_tol(got.s_mbps, s_mbps, .01 * s_mbps);
    /* attempts of one collision fail together: the binomial error is widened by n colliders */
    double error = sqrt(p * (1 - p) * 2.0 / (double)got.n_attempts);
    ck_assert_double_eq_tol(got.p, p, 3.5 * error + .01 * p);
}

START_TEST(two_saturated_stations_share_the_channel_as_the_standard_lets_them)
{
    check_saturation(2, INT64_C(60000000000), 4.8845, .1107);
}
END_TEST

START_TEST(ten_saturated_stations_share_the_channel_as_the_standard_lets_them)
{
    check_saturation(10, INT64_C(60000000000), 4.1750, .3669);
}
END_TEST

START_TEST(fifty_saturated_stations_share_the_channel_as_the_standard_lets_them)
{
    check_saturation(50, INT64_C(30000000000), 3.2253, .6117);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("saturated");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, two_saturated_stations_share_the_channel_as_the_standard_lets_them);
    tcase_add_test(tc, ten_saturated_stations_share_the_channel_as_the_standard_lets_them);
    tcase_add_test(tc, fifty_saturated_stations_share_the_channel_as_the_standard_lets_them);
    suite_add_tcase(suite, tc);
}
