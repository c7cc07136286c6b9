#define SUITE_NAME "air at packet fidelity"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phy/decibel.h"
#include "phy/packet/air.h"
#include "tests/unit/check_main.h"

enum { N_NODES = 3 };

static struct phy_packet_air *open_air(void **mem_out)
{
    static const double carrier_hz[N_NODES] = {1000.0, -500.0, 0.0};
    static struct phy_air_link links[N_NODES * N_NODES];
    for (size_t i = 0; i < N_NODES * N_NODES; i++)
        links[i] = (struct phy_air_link){.gain_db = -40.0f, .delay_samples = 3};
    links[0 * N_NODES + 2].gain_db = -INFINITY;
    struct phy_air_config cfg = {.n_nodes = N_NODES, .n_channels = 2, .sample_rate_hz = 10000000, .carrier_offset_hz = carrier_hz,
                                 .links = links, .max_emissions = 4};
    *mem_out = aligned_alloc(64, (phy_packet_air_bytes(&cfg) + 63) / 64 * 64);
    return phy_packet_air_init(*mem_out, &cfg);
}

START_TEST(a_frame_arrives_at_who_has_a_path_with_gain_delay_and_offset)
{
    void *mem;
    struct phy_packet_air *air = open_air(&mem);
    const uint8_t psdu[40] = "some octets";
    struct phy_packet_emission e = {.emitter = 0, .channel = 1, .start_sample = 100, .end_sample = 900, .power = 1.0,
                                    .kind = PHY_INTERFERENCE_OFDM, .psdu = psdu, .psdu_len = sizeof psdu, .rate_index = 2};
    ck_assert_int_eq(phy_packet_air_emit(air, &e), 0);
    struct phy_arrival got[8];
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 1, 0, 103, got, 8), 0);
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 1, 0, 104, got, 8), 1);
    ck_assert_uint_eq(got[0].start_sample, 103);
    ck_assert_uint_eq(got[0].end_sample, 903);
    ck_assert_double_eq_tol(got[0].power, 1e-4, 1e-16);
    ck_assert_double_eq_tol(got[0].cfo_hz, 1500.0, 1e-9);
    ck_assert_mem_eq(got[0].psdu, psdu, sizeof psdu);
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 1, 902, 100, got, 8), 1);
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 1, 903, 100, got, 8), 0);
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 0, 0, 1000, got, 8), 0);
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 0, 1, 0, 1000, got, 8), 0);
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 2, 1, 0, 1000, got, 8), 0);
    free(mem);
}
END_TEST

START_TEST(runs_loop_and_are_cut_at_the_end)
{
    void *mem;
    struct phy_packet_air *air = open_air(&mem);
    static const float complex played[175];
    const struct phy_packet_run runs[] = {{100, 1.0f}, {50, 0.0f}, {25, 4.0f}};
    struct phy_packet_emission e = {.emitter = 0, .start_sample = 1000, .end_sample = 1300, .power = 2.0, .samples = played, .runs = runs, .n_runs = 3};
    ck_assert_int_eq(phy_packet_air_emit(air, &e), 0);
    struct phy_arrival got[8];
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 0, 0, 5000, got, 8), 3);
    static const uint64_t edges[3][2] = {{1003, 1103}, {1153, 1178}, {1178, 1278}};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(got[i].start_sample, edges[i][0]);
        ck_assert_uint_eq(got[i].end_sample, edges[i][1]);
        ck_assert_double_eq_tol(got[i].power, i == 1 ? 8e-4 : 2e-4, 1e-12);
        ck_assert_ptr_eq(got[i].samples, played + (i == 1 ? 150 : 0));
        ck_assert_double_eq_tol((double)got[i].scale, sqrt(2e-4), 1e-9);
    }
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 0, 1160, 10, got, 8), 1);
    ck_assert_uint_eq(got[0].start_sample, 1153);
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 0, 1110, 40, got, 8), 0);
    free(mem);
}
END_TEST

START_TEST(what_passed_makes_room_and_octets_stay_with_their_frames)
{
    void *mem;
    struct phy_packet_air *air = open_air(&mem);
    struct phy_arrival got[8];
    for (uint8_t i = 0; i < 100; i++) {
        struct phy_packet_emission e = {.emitter = 0, .start_sample = i * 100u, .end_sample = i * 100u + (i % 2 ? 150 : 350),
                                        .power = 1.0, .psdu = &i, .psdu_len = 1};
        int rc = phy_packet_air_emit(air, &e);
        ck_assert_int_eq(rc, 0);
        size_t n = phy_packet_air_arrivals(air, 1, 0, i * 100u + 50u, 10, got, 8);
        ck_assert_uint_ge(n, 1);
        for (size_t k = 0; k < n; k++)
            ck_assert_uint_eq(got[k].psdu[0], (got[k].start_sample - 3) / 100);
        phy_packet_air_forget(air, i * 100u + 100u);
    }
    struct phy_packet_emission endless = {.emitter = 0, .start_sample = 1, .end_sample = UINT64_MAX / 2, .power = 1.0};
    int rc = 0;
    for (size_t i = 0; i < 5 && rc == 0; i++)
        rc = phy_packet_air_emit(air, &endless);
    ck_assert_int_eq(rc, -ENOBUFS);
    endless.emitter = 9;
    ck_assert_int_eq(phy_packet_air_emit(air, &endless), -EINVAL);
    ck_assert_uint_eq(phy_packet_air_arrivals(air, 1, 0, 20000, 10, got, 1), 1);
    ck_assert_uint_gt(phy_packet_air_dropped(air), 0);
    free(mem);
}
END_TEST

START_TEST(samples_become_runs_of_like_power)
{
    float complex x[1000];
    for (size_t i = 0; i < 1000; i++)
        x[i] = i < 400 ? 1.0f : i < 480 ? 0.0f : 2.0f;
    struct phy_packet_run runs[8];
    ck_assert_uint_eq(phy_packet_runs(x, 1000, runs, 8), 3);
    ck_assert(runs[0].n_samples == 400 && runs[1].n_samples == 80 && runs[2].n_samples == 520);
    ck_assert(runs[0].power == 1.0f && runs[1].power == 0.0f && runs[2].power == 4.0f);
    ck_assert_uint_eq(phy_packet_runs(x, 1000, runs, 2), 2);
    ck_assert_uint_eq(runs[0].n_samples + runs[1].n_samples, 1000);
    ck_assert_uint_eq(phy_packet_runs(x + 400, 80, runs, 2), 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("packet air");
    tcase_add_test(tc, a_frame_arrives_at_who_has_a_path_with_gain_delay_and_offset);
    tcase_add_test(tc, runs_loop_and_are_cut_at_the_end);
    tcase_add_test(tc, what_passed_makes_room_and_octets_stay_with_their_frames);
    tcase_add_test(tc, samples_become_runs_of_like_power);
    suite_add_tcase(suite, tc);
}
