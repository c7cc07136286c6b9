#define SUITE_NAME "profile"
#include "tests/unit/check_main.h"

#include <errno.h>

#include "mac/mac.h"

#define US INT64_C(1000)

static struct mac_host_timing good(void)
{
    return (struct mac_host_timing){
        .turnaround_ns = 1930 * US, .cca_delay_ns = 80 * US, .rx_start_delay_ns = 400 * US, .ack_ns = 900 * US};
}

START_TEST(sifs_is_the_turnaround_and_a_slot_adds_carrier_sense_and_300_m)
{
    struct mac_host_timing t = good();
    struct mac_profile p;
    const char *why;
    ck_assert_int_eq(mac_profile_host(&t, &p, &why), 0);
    ck_assert_int_eq(p.sifs_ns, 2000 * US);
    ck_assert_int_eq(p.slot_ns, 2100 * US); /* 1930 + 80 + 1, rounded up to 100 */
    ck_assert_int_eq(p.rx_start_delay_ns, 400 * US);
    ck_assert_ptr_null(why);
    t.cca_delay_ns = 70 * US; /* 2000 us but for the microsecond of propagation */
    ck_assert_int_eq(mac_profile_host(&t, &p, &why), 0);
    ck_assert_int_eq(p.slot_ns, 2100 * US);
    t.cca_delay_ns = 69 * US;
    ck_assert_int_eq(mac_profile_host(&t, &p, &why), 0);
    ck_assert_int_eq(p.slot_ns, 2000 * US);
}
END_TEST

START_TEST(sifs_and_slot_are_never_shorter_than_the_radio_needs)
{
    for (int64_t us = 1; us < 31000; us += 137) {
        struct mac_host_timing t = good();
        struct mac_profile p;
        const char *why;
        t.turnaround_ns = us * US;
        ck_assert_int_eq(mac_profile_host(&t, &p, &why), 0);
        ck_assert_int_eq(p.turnaround_ns, t.turnaround_ns);
        ck_assert(p.sifs_ns >= t.turnaround_ns);
        ck_assert(p.sifs_ns < t.turnaround_ns + 100 * US);
        ck_assert(p.slot_ns >= t.turnaround_ns + t.cca_delay_ns);
        ck_assert(p.lifetime_ns >= (p.cw_min[MAC_CAT_DATA] + 2) * p.slot_ns);
    }
}
END_TEST

START_TEST(a_profile_that_no_duration_field_covers_is_refused)
{
    struct mac_host_timing t = good();
    struct mac_profile p;
    const char *why;
    t.turnaround_ns = 32700 * US;
    t.ack_ns = 67 * US;
    ck_assert_int_eq(mac_profile_host(&t, &p, &why), 0);
    t.ack_ns = 67 * US + 1;
    ck_assert_int_eq(mac_profile_host(&t, &p, &why), -ERANGE);
    ck_assert_ptr_nonnull(strstr(why, "32767 us"));
    t.no_hidden_stations = true;
    ck_assert_int_eq(mac_profile_host(&t, &p, &why), 0);
    t.turnaround_ns = 1000000 * US;
    ck_assert_int_eq(mac_profile_host(&t, &p, &why), -ERANGE);
}
END_TEST

START_TEST(times_that_are_none_are_refused)
{
    struct mac_profile p;
    const char *why;
    int64_t *fields[4];
    struct mac_host_timing t;
    fields[0] = &t.turnaround_ns, fields[1] = &t.cca_delay_ns, fields[2] = &t.rx_start_delay_ns, fields[3] = &t.ack_ns;
    for (size_t i = 0; i < 4; i++) {
        const int64_t bad[] = {-1, INT64_MIN, INT64_MAX, 1000000001};
        for (size_t k = 0; k < 4; k++) {
            t = good();
            *fields[i] = bad[k];
            ck_assert_int_eq(mac_profile_host(&t, &p, &why), -EINVAL);
            ck_assert_ptr_nonnull(why);
        }
    }
    t = good();
    t.turnaround_ns = 0;
    ck_assert_int_eq(mac_profile_host(&t, &p, &why), -EINVAL);
}
END_TEST

static int64_t fixed_airtime(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    (void)ctx;
    (void)rate_index;
    return (int64_t)mpdu_len * 8000;
}

START_TEST(a_mac_accepts_the_profile)
{
    struct mac_host_timing t = good();
    struct mac_config cfg = {.seed = 1, .station_id = 1, .airtime_ns = fixed_airtime, .queue_messages = 4, .queue_bytes = 65536, .max_peers = 2,
                             .reassembly_ns = 1000000 * US, .jam = {.window_ns = 100000 * US, .min_frames = 8, .noise_dbfs = -60}};
    const char *why, *bad_field;
    struct mac *m;
    ck_assert_int_eq(mac_profile_host(&t, &cfg.profile, &why), 0);
    void *mem = malloc(mac_bytes(&cfg));
    ck_assert_int_eq(mac_init(mem, mac_bytes(&cfg), &cfg, &m, &bad_field), 0);
    mac_close(m);
    free(mem);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("host");
    tcase_add_test(tc, sifs_is_the_turnaround_and_a_slot_adds_carrier_sense_and_300_m);
    tcase_add_test(tc, sifs_and_slot_are_never_shorter_than_the_radio_needs);
    tcase_add_test(tc, a_profile_that_no_duration_field_covers_is_refused);
    tcase_add_test(tc, times_that_are_none_are_refused);
    tcase_add_test(tc, a_mac_accepts_the_profile);
    suite_add_tcase(suite, tc);
}
