/* One MAC on several channels: what it knows of a medium stays behind, what waits goes along, and the detector keeps each channel apart. */
#define SUITE_NAME "mac retune"
#include "tests/unit/check_main.h"
#include "tests/unit/mac/one.h"

#include <errno.h>

static const int64_t eifs_ns = SIFS + ACK_NS + DIFS;

static struct mac_config config_of(uint32_t n_channels)
{
    struct mac_config cfg = sim_config_11a();
    cfg.n_channels = n_channels;
    cfg.jam = (struct mac_jam_config){.window_ns = 250 * MS, .min_frames = 6, .noise_dbfs = -90};
    return cfg;
}

static int retune(uint32_t channel, bool busy, int64_t now_ns)
{
    struct mac_event event = {.kind = MAC_EV_RETUNE, .now_ns = now_ns};
    event.retune.channel = channel;
    event.retune.busy = busy;
    return mac_step(mac, &event, &out);
}

START_TEST(it_goes_only_to_channels_that_it_was_told_of)
{
    struct mac_config cfg = config_of(0);
    open_one(&cfg);
    ck_assert_int_eq(retune(0, false, 1 * MS), -EBADMSG);
    sim_close(&s);
    cfg = config_of(3);
    open_one(&cfg);
    ck_assert_int_eq(retune(2, false, 1 * MS), 0);
    ck_assert_int_eq(retune(3, false, 2 * MS), -EBADMSG);
    ck_assert_uint_eq(stats().bad_event, 1);
    sim_close(&s);
}
END_TEST

START_TEST(a_reservation_stays_behind_and_the_queue_comes_along)
{
    struct mac_config cfg = config_of(2);
    struct mac_frame cts = {.kind = MAC_FRAME_CTS, .receiver = mac_address_of(9), .duration_us = 3000}, frame;
    open_one(&cfg);
    hear(&cts, 1 * MS);
    send(1 * MS + 10 * US, mac_broadcast, 100);
    ck_assert_int_eq(retune(1, false, 2 * MS), 0);
    int64_t at_ns = next_frame(&frame);
    ck_assert_int_ge(at_ns, 2 * MS + eifs_ns); /* nothing is known of what goes on there */
    ck_assert_int_lt(at_ns, 4 * MS);           /* NAV would have held it */
    ck_assert_int_eq((at_ns - 2 * MS - eifs_ns) % SLOT, 0);
    sim_close(&s);
}
END_TEST

START_TEST(a_busy_channel_is_waited_for)
{
    struct mac_config cfg = config_of(2);
    struct mac_frame frame;
    open_one(&cfg);
    send(1 * MS, mac_broadcast, 100);
    ck_assert_int_eq(retune(1, true, 1 * MS), 0);
    ck_assert_int_eq(mac_deadline(mac) <= 3 * MS, 0);
    ck_assert_int_eq(feed(MAC_EV_CCA_IDLE, 5 * MS), 0);
    ck_assert_int_ge(next_frame(&frame), 5 * MS + DIFS);
    sim_close(&s);
}
END_TEST

START_TEST(holds_are_the_stations_and_stay)
{
    struct mac_config cfg = config_of(2);
    struct mac_frame frame;
    open_one(&cfg);
    struct mac_event hold = {.kind = MAC_EV_HOLD, .now_ns = 1 * MS};
    hold.hold.from_ns = 2 * MS;
    hold.hold.to_ns = 6 * MS;
    ck_assert_int_eq(mac_step(mac, &hold, &out), 0);
    ck_assert_int_eq(retune(1, false, 2 * MS), 0);
    send(3 * MS, mac_broadcast, 100);
    ck_assert_int_ge(next_frame(&frame), 6 * MS);
    sim_close(&s);
}
END_TEST

/* A plan of 5 answers whose slots would reach over the edge: once it waits. */
START_TEST(a_proposal_does_not_ask_for_answers_behind_an_edge)
{
    for (int hops = 0; hops < 2; hops++) {
        struct mac_config cfg = config_of(hops ? 2 : 0);
        struct mac_frame frame;
        cfg.slot_stations = 8;
        cfg.slot_rates = 8;
        struct mac_slot_plan plan = {.slot_ns = 1000 * US, .n_phases = 1, .phases[0] = {.offset_ns = 16 * US, .n = 5, .order = {1, 2, 3, 4, 5}}};
        open_one(&cfg);
        struct mac_event hold = {.kind = MAC_EV_HOLD, .now_ns = 1 * MS};
        hold.hold.from_ns = 4 * MS;
        hold.hold.to_ns = 5 * MS;
        ck_assert_int_eq(mac_step(mac, &hold, &out), 0);
        struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = 2 * MS};
        event.send.to = mac_broadcast;
        event.send.category = MAC_CAT_PROPOSAL;
        event.send.message = message;
        event.send.len_bytes = 100;
        event.send.slots = &plan;
        ck_assert_int_eq(mac_step(mac, &event, &out), 0);
        int64_t at_ns = next_frame(&frame);
        ck_assert(hops ? at_ns >= 5 * MS : at_ns < 3 * MS);
        sim_close(&s);
    }
}
END_TEST

START_TEST(a_change_of_channel_ends_a_plan)
{
    struct mac_config cfg = config_of(2);
    struct mac_frame frame;
    cfg.slot_stations = 8;
    cfg.slot_rates = 8;
    struct mac_slot_plan plan = {.slot_ns = 1000 * US, .n_phases = 1, .phases[0] = {.offset_ns = 16 * US, .n = 3, .order = {1, 2, 0}}};
    uint8_t octets[MAC_SLOT_PLAN_BYTES];
    open_one(&cfg);
    struct mac_frame proposal = data_of(1, 1, false);
    proposal.receiver = mac_broadcast;
    proposal.transmitter = mac_address_of(3);
    proposal.slots = octets;
    proposal.slots_len = mac_slot_plan_write(&plan, octets, sizeof octets);
    hear(&proposal, 1 * MS);
    ck_assert_uint_eq(stats().plans_followed, 1);
    ck_assert_int_eq(retune(1, false, 1500 * US), 0);
    send(1600 * US, mac_broadcast, 100);
    ck_assert_int_lt(next_frame(&frame), 3 * MS); /* the plan would have kept it until 4 ms */
    sim_close(&s);
}
END_TEST

/* --- the detector ------------------------------------------------------------------------------------------------------------------ */

struct told {
    unsigned n, n_attacks;
    struct mac_jam_verdict first;
};

static void note_verdict(struct told *told)
{
    if (!out.has_verdict)
        return;
    told->n++;
    if (mac_jam_is_attack(out.verdict.kind) && told->n_attacks++ == 0)
        told->first = out.verdict;
}

/* A frame of 700 us; a reactive jammer's power rises 300 us in. */
static void hear_one(bool jammed, int64_t now_ns, struct told *told)
{
    ck_assert_int_eq(feed(MAC_EV_CCA_BUSY, now_ns), 0);
    note_verdict(told);
    ck_assert_int_eq(feed(MAC_EV_LOCK, now_ns + 20 * US), 0);
    note_verdict(told);
    struct mac_event event = {.kind = MAC_EV_FRAME, .now_ns = now_ns + 700 * US};
    uint8_t mpdu[100] = {0};
    event.frame.mpdu = mpdu;
    event.frame.len_bytes = sizeof mpdu;
    event.frame.quality = (struct mac_rx_quality){.start_ns = now_ns, .end_ns = now_ns + 700 * US, .header_ok = true, .fcs_ok = !jammed,
                                                  .head_dbfs = -40, .rssi_dbfs = jammed ? -36 : -40, .snr_db = 30,
                                                  .rise_ns = jammed ? 300 * US : -1, .rise_db = jammed ? 6 : 0};
    ck_assert_int_eq(mac_step(mac, &event, &out), 0);
    note_verdict(told);
    ck_assert_int_eq(feed(MAC_EV_CCA_IDLE, now_ns + 700 * US), 0);
    note_verdict(told);
}

/* 40 ms on each of the channels in turn, ten frames in each; those on channel 1 are jammed. visits: of channel 1. */
static struct told watch_in_turn(uint32_t n_channels, unsigned visits)
{
    struct told told = {0};
    struct mac_config cfg = config_of(2);
    open_one(&cfg);
    int64_t now_ns = 1000 * MS;
    for (unsigned i = 0; i < visits * n_channels; i++) {
        uint32_t channel = n_channels == 1 ? 1 : i % n_channels;
        ck_assert_int_eq(retune(channel, false, now_ns), 0);
        note_verdict(&told);
        for (int k = 0; k < 10; k++)
            hear_one(channel == 1, now_ns + (k * 4 + 1) * MS, &told);
        now_ns += 40 * MS;
    }
    sim_close(&s);
    return told;
}

START_TEST(jamming_of_one_channel_is_told_of_that_channel_alone)
{
    struct told told = watch_in_turn(2, 4);
    ck_assert_uint_eq(told.n_attacks, 1);
    ck_assert_uint_eq(told.first.channel, 1);
    ck_assert_int_eq(told.first.kind, MAC_JAM_REACTIVE);
    ck_assert_int_ge(told.first.at_ns, 1040 * MS); /* its first visit */
    ck_assert_int_lt(told.first.at_ns, 1320 * MS);
    ck_assert_uint_eq(told.first.n_good, 0);       /* the good frames are of the other one */
}
END_TEST

START_TEST(visits_with_pauses_between_give_the_verdict_of_one_long_visit)
{
    struct told whole = watch_in_turn(1, 4), parts = watch_in_turn(2, 4);
    ck_assert_uint_eq(whole.n_attacks, 1);
    ck_assert_int_eq(whole.first.kind, parts.first.kind);
    ck_assert_uint_eq(whole.first.n_frames, parts.first.n_frames);
    ck_assert_uint_eq(whole.first.busy_permille, parts.first.busy_permille);
    ck_assert_uint_eq(whole.first.confidence_permille, parts.first.confidence_permille);
    int64_t into_ns = whole.first.at_ns - 1000 * MS, visit = into_ns / (40 * MS);
    ck_assert_int_eq(parts.first.at_ns, 1000 * MS + into_ns + (visit + 1) * 40 * MS);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("retune");
    tcase_add_test(tc, it_goes_only_to_channels_that_it_was_told_of);
    tcase_add_test(tc, a_reservation_stays_behind_and_the_queue_comes_along);
    tcase_add_test(tc, a_busy_channel_is_waited_for);
    tcase_add_test(tc, holds_are_the_stations_and_stay);
    tcase_add_test(tc, a_proposal_does_not_ask_for_answers_behind_an_edge);
    tcase_add_test(tc, a_change_of_channel_ends_a_plan);
    tcase_add_test(tc, jamming_of_one_channel_is_told_of_that_channel_alone);
    tcase_add_test(tc, visits_with_pauses_between_give_the_verdict_of_one_long_visit);
    suite_add_tcase(suite, tc);
}
