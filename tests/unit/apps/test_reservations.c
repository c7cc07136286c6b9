/* Members of a ledger that vote in slots, and a stranger who reserves the medium forty times a second. */
#define SUITE_NAME "apps/reservations"
#include "tests/unit/check_main.h"

#include "mac/frame.h"
#include "tests/bench/air_rows.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 4 };
static const int64_t ms_ns = 1000000, run_ns = 4000000000;
static const uint64_t first_nonce = UINT64_C(1577836810000000);

void air_fail(const char *what)
{
    fprintf(stderr, "%s failed\n", what);
    exit(3);
}

static bool is_quiet(const struct air_cluster *c)
{
    for (uint32_t i = 0; i < N; i++)
        if (c->members[i].on_air || c->members[i].waiting)
            return false;
    return true;
}

/* All hear it, wherever the cluster is in its work. */
static void reserve(struct air_cluster *c, const struct mac_frame *frame)
{
    uint8_t mpdu[100];
    struct mac_event heard = {.kind = MAC_EV_FRAME};
    heard.frame.mpdu = mpdu;
    ck_assert_int_eq(mac_frame_write(frame, mpdu, sizeof mpdu, &heard.frame.len_bytes), 0);
    heard.frame.quality = (struct mac_rx_quality){.start_ns = c->now_ns - 60000, .end_ns = c->now_ns, .header_ok = true, .fcs_ok = true,
                                                  .head_dbfs = -40, .rssi_dbfs = -40, .rise_ns = -1};
    for (uint32_t i = 0; i < N; i++) {
        struct mac_event lock = {.kind = MAC_EV_LOCK};
        air_cluster_mac(c, i, &lock);
        air_cluster_mac(c, i, &heard);
    }
}

/* Commits of a leader that always has one more to propose. */
static unsigned count_commits(const char *engine, const struct mac_frame *attack)
{
    struct air_case what = {.engine = engine, .n = N, .mbps = 6, .slots = true, .seed = 1, .group_gap_ns = 40 * ms_ns};
    struct air_cluster *c = air_cluster_open(&what);
    air_cluster_run(c, 2500 * ms_ns);
    air_register_members(c);
    unsigned n = 0;
    uint64_t known = 0;
    int64_t end_ns = c->now_ns + run_ns, next_ns = c->now_ns;
    while (c->now_ns < end_ns) {
        uint32_t leader = air_find_leader(c);
        if (leader < N && (n == 0 || c->members[leader].known > known)) {
            known = c->members[leader].known;
            air_submit(c, leader, first_nonce + n++);
        }
        (void)air_cluster_turn(c, next_ns > c->now_ns ? next_ns : c->now_ns + ms_ns);
        if (c->now_ns >= next_ns && is_quiet(c)) {
            if (attack)
                reserve(c, attack);
            next_ns += 25 * ms_ns;
        }
    }
    air_cluster_close(c);
    return n;
}

START_TEST(forty_reservations_of_32767_us_a_second_leave_half_of_the_commits_in_vote_slots)
{
    static const char *const engines[] = {"raft", "pbft"};
    static const enum mac_frame_kind kinds[] = {MAC_FRAME_RTS, MAC_FRAME_CTS, MAC_FRAME_ACK, MAC_FRAME_DATA, MAC_FRAME_DATA};
    uint8_t payload[4] = {0};
    ck_assert_int_ge(sodium_init(), 0);
    for (size_t e = 0; e < 2; e++) {
        unsigned without = count_commits(engines[e], NULL);
        ck_assert_uint_gt(without, 200);
        for (size_t i = 0; i < 5; i++) {
            struct mac_frame frame = {.kind = kinds[i], .duration_us = MAC_MAX_DURATION_US,
                                      .receiver = i == 4 ? mac_broadcast : mac_address_of(77), .transmitter = mac_address_of(66),
                                      .bssid = mac_bssid, .payload = payload, .payload_len = sizeof payload};
            unsigned with = count_commits(engines[e], &frame);
            printf("%s, reservation by frames of kind %d%s: %u commits of %u\n", engines[e], kinds[i], i == 4 ? " to all" : "", with, without);
            fflush(stdout);
            ck_assert_uint_ge(2 * with, without);
        }
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("reservations");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, forty_reservations_of_32767_us_a_second_leave_half_of_the_commits_in_vote_slots);
    suite_add_tcase(suite, tc);
}
