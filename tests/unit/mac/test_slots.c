#define SUITE_NAME "mac/slots"
#include "tests/unit/check_main.h"

#include "tests/unit/mac/sim.h"

enum { VOTE_BYTES = 120, PROPOSAL_BYTES = 400 };

static struct mac_slot_plan make_plan(size_t n_phases, size_t n)
{
    struct mac_slot_plan plan = {.slot_ns = 16000 + sim_airtime_11a(NULL, MAC_DATA_OVERHEAD_BYTES + VOTE_BYTES, 0), .n_phases = n_phases};
    int64_t at_ns = 16000;
    for (size_t i = 0; i < n_phases; i++) {
        plan.phases[i].offset_ns = (at_ns + 999) / 1000 * 1000;
        plan.phases[i].n = n;
        for (size_t k = 0; k < n; k++)
            plan.phases[i].order[k] = (uint16_t)(k + 1);
        at_ns += (int64_t)n * plan.slot_ns;
    }
    return plan;
}

/* ---- the wire form */

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

START_TEST(a_plan_survives_its_wire_form_and_no_beginning_of_it_does)
{
    uint64_t x = 42;
    for (unsigned trial = 0; trial < 2000; trial++) {
        struct mac_slot_plan plan = {.rate_index = (unsigned)(next_random(&x) % 8), .slot_ns = 1000 * (int64_t)(1 + next_random(&x) % 65535),
                                     .n_phases = 1 + next_random(&x) % MAC_SLOT_PHASES};
        for (size_t i = 0; i < plan.n_phases; i++) {
            plan.phases[i].offset_ns = 1000 * (int64_t)(next_random(&x) % 2147483647);
            plan.phases[i].n = 1 + next_random(&x) % MAC_SLOT_STATIONS;
            for (size_t k = 0; k < plan.phases[i].n; k++)
                plan.phases[i].order[k] = (uint16_t)next_random(&x);
        }
        uint8_t octets[MAC_SLOT_PLAN_BYTES + 1] = {0};
        struct mac_slot_plan again;
        size_t len = mac_slot_plan_write(&plan, octets, MAC_SLOT_PLAN_BYTES);
        SIM_REQUIRE(len > 0 && mac_slot_plan_write(&plan, octets, len - 1) == 0);
        SIM_REQUIRE(mac_slot_plan_read(octets, len, &again) == MAC_SLOT_GOOD && memcmp(&plan, &again, sizeof plan) == 0);
        for (size_t n = 0; n < len; n++)
            SIM_REQUIRE(mac_slot_plan_read(octets, n, &again) == MAC_SLOT_MALFORMED);
        SIM_REQUIRE(mac_slot_plan_read(octets, len + 1, &again) == MAC_SLOT_MALFORMED);
    }
}
END_TEST

static enum mac_slot_fault check(const struct mac_slot_plan *plan)
{
    return mac_slot_plan_check(plan, 8, 8, 16000, INT64_C(1000000000));
}

START_TEST(a_plan_with_strangers_overlaps_or_impossible_times_is_refused_by_reason)
{
    const struct mac_slot_plan good = make_plan(2, 5);
    struct mac_slot_plan bad = good;
    ck_assert_int_eq(check(&good), MAC_SLOT_GOOD);
    bad.phases[1].order[4] = 8;
    ck_assert_int_eq(check(&bad), MAC_SLOT_STRANGER);
    bad = good;
    bad.phases[0].order[4] = bad.phases[0].order[0];
    ck_assert_int_eq(check(&bad), MAC_SLOT_OVERLAP);
    bad = good;
    bad.phases[1].offset_ns -= 1000;
    ck_assert_int_eq(check(&bad), MAC_SLOT_OVERLAP);
    bad = good;
    bad.phases[0].offset_ns = 15000;
    ck_assert_int_eq(check(&bad), MAC_SLOT_LATE);
    bad = good;
    bad.phases[1].offset_ns = 1000000000;
    ck_assert_int_eq(check(&bad), MAC_SLOT_TOO_LONG);
    bad = good;
    bad.rate_index = 8;
    ck_assert_int_eq(check(&bad), MAC_SLOT_MALFORMED);
}
END_TEST

/* ---- on the air */

struct table {
    struct mac_slot_plan plan;
    size_t n_voters;
    int64_t proposal_end_ns, first_start_ns[SIM_MAX_STATIONS];
    unsigned n_votes_heard[SIM_MAX_STATIONS], n_proposals_heard[SIM_MAX_STATIONS];
    bool silent[SIM_MAX_STATIONS]; /* has nothing to say */
};

static void vote(struct sim *s, size_t i)
{
    uint8_t octets[VOTE_BYTES] = {(uint8_t)i};
    SIM_REQUIRE(sim_send(s, i, mac_broadcast, MAC_CAT_VOTE, octets, sizeof octets) == 0);
}

static void on_delivery(struct sim *s, size_t i, const struct mac_delivery *delivery)
{
    struct table *t = s->ctx;
    if (delivery->len_bytes != PROPOSAL_BYTES) {
        t->n_votes_heard[i]++;
        return;
    }
    t->n_proposals_heard[i]++;
    t->proposal_end_ns = delivery->rx_end_ns;
    if (i <= t->n_voters && !t->silent[i])
        vote(s, i);
}

static bool note_start(struct sim *s, size_t i, const struct mac_update *out)
{
    struct table *t = s->ctx;
    if (t->first_start_ns[i] == 0)
        t->first_start_ns[i] = out->start_ns;
    return true;
}

static void propose(struct sim *s, const struct mac_slot_plan *plan)
{
    uint8_t octets[PROPOSAL_BYTES] = {0};
    struct mac_event event = {.kind = MAC_EV_SEND};
    event.send.to = mac_broadcast;
    event.send.category = MAC_CAT_PROPOSAL;
    event.send.message = octets;
    event.send.len_bytes = sizeof octets;
    event.send.slots = plan;
    SIM_REQUIRE(sim_feed(s, 0, &event) == 0);
}

static void open_table(struct sim *s, struct table *t, size_t n, size_t n_voters, uint32_t slot_stations)
{
    struct mac_config cfg = sim_config_11a();
    cfg.slot_stations = slot_stations;
    cfg.slot_rates = 8;
    memset(t, 0, sizeof *t);
    t->plan = make_plan(1, n_voters);
    t->n_voters = n_voters;
    cfg.profile.group_gap_ns = 120000000;
    sim_open(s, n, &cfg);
    s->on_delivery = on_delivery;
    s->gate = note_start;
    s->ctx = t;
    sim_run_until(s, 5000000);
}

static int64_t slot_start_ns(const struct table *t, size_t station)
{
    return t->proposal_end_ns + t->plan.phases[0].offset_ns + ((int64_t)station - 1) * t->plan.slot_ns;
}

START_TEST(votes_leave_in_the_order_of_the_plan_each_at_its_instant_and_all_hear_all)
{
    static struct sim s;
    struct table t;
    for (size_t n = 2; n <= 20; n += 3) {
        open_table(&s, &t, n, n - 1, (uint32_t)n);
        propose(&s, &t.plan);
        sim_run_until(&s, s.now_ns + 20000000);
        ck_assert_uint_eq(s.n_collided, 0);
        ck_assert_uint_eq(s.n_frames, n);
        for (size_t i = 1; i < n; i++) {
            ck_assert_int_eq(t.first_start_ns[i], slot_start_ns(&t, i));
            ck_assert_uint_eq(t.n_votes_heard[i], n - 2);
            ck_assert_uint_eq(sim_stats(&s, i).slots_used, 1);
        }
        ck_assert_uint_eq(t.n_votes_heard[0], n - 1);
        sim_close(&s);
    }
}
END_TEST

START_TEST(who_stayed_silent_is_asked_once_more_and_an_empty_slot_is_nobodys)
{
    static struct sim s;
    struct table t;
    open_table(&s, &t, 6, 5, 6);
    s.deaf_to[2][0] = true; /* misses the proposal; */
    s.deaf_to[0][4] = true; /* its vote is missed */
    propose(&s, &t.plan);
    sim_run_until(&s, s.now_ns + 1700000); /* into the last slot */
    s.deaf_to[2][0] = s.deaf_to[0][4] = false;
    ck_assert_uint_eq(t.n_proposals_heard[2], 0);
    for (size_t i = 3; i <= 5; i++) /* as if station 2 had used its slot */
        ck_assert_int_eq(t.first_start_ns[i], slot_start_ns(&t, i));
    sim_run_until(&s, s.now_ns + 20000000);
    ck_assert_uint_eq(sim_stats(&s, 0).plans_again, 1);
    ck_assert_uint_eq(t.n_proposals_heard[2], 1);
    ck_assert_uint_eq(t.n_proposals_heard[1], 1); /* the second copy is a duplicate */
    ck_assert_uint_eq(t.n_votes_heard[0], 5);
    ck_assert_uint_eq(s.n_collided, 0);
    ck_assert_uint_eq(s.n_frames, 1 + 4 + 1 + 2);
    sim_close(&s);
}
END_TEST

START_TEST(one_that_never_answers_is_asked_twice_in_all_and_then_the_medium_is_free)
{
    static struct sim s;
    struct table t;
    open_table(&s, &t, 4, 3, 4);
    t.silent[2] = true;
    propose(&s, &t.plan);
    sim_run_until(&s, s.now_ns + 20000000);
    ck_assert_uint_eq(sim_stats(&s, 0).plans_sent, 2);
    ck_assert_uint_eq(sim_stats(&s, 2).slots_unused, 2);
    vote(&s, 2);
    sim_run_until(&s, s.now_ns + 20000000);
    ck_assert_uint_eq(t.n_votes_heard[0], 3);
    sim_close(&s);
}
END_TEST

START_TEST(a_station_outside_the_group_that_hears_only_a_voter_keeps_silent_to_the_plans_end)
{
    static struct sim s;
    struct table t;
    open_table(&s, &t, 7, 5, 6); /* station 6 is none of the group */
    for (size_t i = 0; i < 6; i++)
        s.deaf_to[6][i] = i != 1; /* it hears the first voter only */
    propose(&s, &t.plan);
    int64_t vote_end_ns = s.now_ns + 1000000;
    sim_run_until(&s, vote_end_ns); /* past the first vote's end, or in the second one */
    ck_assert_uint_ge(sim_stats(&s, 6).nav_set, 1);
    uint8_t octets[50] = {0};
    SIM_REQUIRE(sim_send(&s, 6, mac_broadcast, MAC_CAT_DATA, octets, sizeof octets) == 0);
    sim_run_until(&s, s.now_ns + 20000000);
    int64_t end_ns = t.proposal_end_ns + mac_slot_plan_end_ns(&t.plan) - 16000;
    ck_assert_int_ge(t.first_start_ns[6], end_ns + 34000);
    ck_assert_int_le(t.first_start_ns[6], end_ns + 34000 + 15 * 9000 + 1000);
    ck_assert_uint_eq(t.n_votes_heard[0], 5 + 1);
    sim_close(&s);
}
END_TEST

START_TEST(a_reservation_longer_than_a_duration_field_is_announced_piece_by_piece)
{
    static struct sim s;
    struct table t;
    open_table(&s, &t, 5, 3, 4); /* station 4 is none of the group */
    t.plan.phases[0].offset_ns = 110000000; /* members think for three Duration fields and more */
    propose(&s, &t.plan);
    sim_run_until(&s, s.now_ns + 2000000);
    uint8_t octets[50] = {0};
    SIM_REQUIRE(sim_send(&s, 4, mac_broadcast, MAC_CAT_DATA, octets, sizeof octets) == 0);
    sim_run_until(&s, s.now_ns + 200000000);
    ck_assert_uint_eq(sim_stats(&s, 0).plans_announced, 3);
    ck_assert_int_ge(t.first_start_ns[4], t.proposal_end_ns + mac_slot_plan_end_ns(&t.plan) - 16000 + 34000);
    for (size_t i = 1; i < 4; i++)
        ck_assert_int_eq(t.first_start_ns[i], slot_start_ns(&t, i));
    ck_assert_uint_eq(s.n_collided, 0);
    ck_assert_uint_eq(t.n_proposals_heard[4], 1);
    ck_assert_uint_eq(t.n_votes_heard[4], 3); /* an announcement delivers nothing */
    sim_close(&s);
}
END_TEST

START_TEST(a_member_that_follows_no_plans_still_hears_the_proposal_and_answers_after_the_plan)
{
    static struct sim s;
    struct table t;
    open_table(&s, &t, 4, 3, 0);
    propose(&s, &t.plan); /* nobody here does, the proposer neither: a message like another */
    sim_run_until(&s, s.now_ns + 20000000);
    ck_assert_uint_eq(sim_stats(&s, 0).plans_sent, 0);
    ck_assert_uint_eq(t.n_votes_heard[0], 3);
    sim_close(&s);
}
END_TEST

/* ---- what others may send */

static void forge(struct sim *s, uint32_t from, const uint8_t *slots, size_t len, uint16_t sequence)
{
    uint8_t payload[PROPOSAL_BYTES] = {0}, mpdu[MAC_MAX_MPDU_BYTES];
    struct mac_frame frame = {.kind = MAC_FRAME_DATA, .receiver = mac_broadcast, .transmitter = mac_address_of(from), .bssid = mac_bssid,
        .sequence = sequence, .message_id = sequence, .slots = slots, .slots_len = len, .payload = payload, .payload_len = sizeof payload};
    struct mac_event event = {.kind = MAC_EV_FRAME};
    SIM_REQUIRE(mac_frame_write(&frame, mpdu, sizeof mpdu, &event.frame.len_bytes) == 0);
    event.frame.mpdu = mpdu;
    event.frame.quality = (struct mac_rx_quality){.start_ns = s->now_ns - 600000, .end_ns = s->now_ns, .header_ok = true, .fcs_ok = true,
                                                  .rssi_dbfs = -60, .head_dbfs = -60, .snr_db = 30, .rise_ns = -1};
    SIM_REQUIRE(sim_feed(s, 1, &event) == 0);
}

START_TEST(a_forged_plan_is_counted_by_reason_and_its_message_still_delivered)
{
    static struct sim s;
    struct table t;
    open_table(&s, &t, 4, 3, 4);
    t.silent[1] = true;
    const struct mac_slot_plan good = make_plan(1, 3);
    struct mac_slot_plan plan = good;
    uint8_t octets[MAC_SLOT_PLAN_BYTES], junk[3] = {1, 2, 3};
    uint16_t sequence = 0;
    forge(&s, 0, junk, sizeof junk, sequence++);
    plan.phases[0].order[2] = 77;
    forge(&s, 0, octets, mac_slot_plan_write(&plan, octets, sizeof octets), sequence++);
    plan = good;
    forge(&s, 9, octets, mac_slot_plan_write(&plan, octets, sizeof octets), sequence++); /* of a stranger */
    plan.phases[0].order[2] = plan.phases[0].order[1];
    forge(&s, 0, octets, mac_slot_plan_write(&plan, octets, sizeof octets), sequence++);
    plan = good;
    plan.phases[0].offset_ns = INT64_C(2000000000000);
    forge(&s, 0, octets, mac_slot_plan_write(&plan, octets, sizeof octets), sequence++);
    plan.phases[0].offset_ns = INT64_C(240000000); /* twice what a group frame may reserve */
    forge(&s, 0, octets, mac_slot_plan_write(&plan, octets, sizeof octets), sequence++);
    plan.phases[0].offset_ns = 0;
    forge(&s, 0, octets, mac_slot_plan_write(&plan, octets, sizeof octets), sequence++);
    plan = good;
    forge(&s, 0, octets, mac_slot_plan_write(&plan, octets, sizeof octets), sequence++); /* one that is good, */
    forge(&s, 2, octets, mac_slot_plan_write(&plan, octets, sizeof octets), sequence++); /* and one into it */
    struct mac_stats stats = sim_stats(&s, 1);
    ck_assert_uint_eq(stats.plans_refused[MAC_SLOT_MALFORMED], 1);
    ck_assert_uint_eq(stats.plans_refused[MAC_SLOT_STRANGER], 2);
    ck_assert_uint_eq(stats.plans_refused[MAC_SLOT_OVERLAP], 2);
    ck_assert_uint_eq(stats.plans_refused[MAC_SLOT_TOO_LONG], 2);
    ck_assert_uint_eq(stats.plans_refused[MAC_SLOT_LATE], 1);
    ck_assert_uint_eq(stats.plans_followed, 1);
    ck_assert_uint_eq(t.n_proposals_heard[1], sequence);
    sim_run_until(&s, s.now_ns + 20000000);
    vote(&s, 1); /* the station is as able as before */
    sim_run_until(&s, s.now_ns + 20000000);
    ck_assert_uint_eq(t.n_votes_heard[0], 1);
    sim_close(&s);
}
END_TEST

START_TEST(a_station_keeps_out_of_a_quiet_period_even_in_its_slot)
{
    static struct sim s;
    struct table t;
    open_table(&s, &t, 4, 3, 4);
    struct mac_event hold = {.kind = MAC_EV_HOLD};
    hold.hold.from_ns = s.now_ns + 700000; /* the proposal takes about 600 us */
    hold.hold.to_ns = s.now_ns + 5000000;
    for (size_t i = 1; i < 4; i++)
        SIM_REQUIRE(sim_feed(&s, i, &hold) == 0);
    propose(&s, &t.plan);
    sim_run_until(&s, s.now_ns + 20000000);
    for (size_t i = 1; i < 4; i++) {
        ck_assert_int_ge(t.first_start_ns[i], hold.hold.to_ns);
        ck_assert_uint_ge(sim_stats(&s, i).slots_unused, 1);
    }
    ck_assert_uint_eq(t.n_votes_heard[0], 3);
    sim_close(&s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *wire = tcase_create("wire form");
    tcase_add_test(wire, a_plan_survives_its_wire_form_and_no_beginning_of_it_does);
    tcase_add_test(wire, a_plan_with_strangers_overlaps_or_impossible_times_is_refused_by_reason);
    suite_add_tcase(suite, wire);
    TCase *air = tcase_create("on the air");
    tcase_add_test(air, votes_leave_in_the_order_of_the_plan_each_at_its_instant_and_all_hear_all);
    tcase_add_test(air, who_stayed_silent_is_asked_once_more_and_an_empty_slot_is_nobodys);
    tcase_add_test(air, one_that_never_answers_is_asked_twice_in_all_and_then_the_medium_is_free);
    tcase_add_test(air, a_station_outside_the_group_that_hears_only_a_voter_keeps_silent_to_the_plans_end);
    tcase_add_test(air, a_reservation_longer_than_a_duration_field_is_announced_piece_by_piece);
    tcase_add_test(air, a_member_that_follows_no_plans_still_hears_the_proposal_and_answers_after_the_plan);
    tcase_add_test(air, a_forged_plan_is_counted_by_reason_and_its_message_still_delivered);
    tcase_add_test(air, a_station_keeps_out_of_a_quiet_period_even_in_its_slot);
    suite_add_tcase(suite, air);
}
