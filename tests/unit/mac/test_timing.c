/* The instants at which one MAC acts, event by event. */
#define SUITE_NAME "mac timing"
#include "tests/unit/check_main.h"

#include "mac/draw.h"
#include "mac/frame.h"

#include <errno.h>
#include <string.h>

#define MS INT64_C(1000000)
#define US INT64_C(1000)

enum { SLOT = 13000, SIFS = 32000, DIFS = 58000, LOCK_DELAY = 44000 };

static _Alignas(64) uint8_t memory[8 << 20];
static struct mac *mac;
static struct mac_update out;
static uint8_t message[3000];

static int64_t airtime_ns(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    (void)ctx;
    (void)rate_index;
    return 100000 + (int64_t)(mpdu_len + 4) * 1500;
}

static const int64_t ack_ns = 100000 + 14 * 1500;

static struct mac_config describe(void)
{
    return (struct mac_config){.seed = 5, .station_id = 1, .channel = 2, .profile = mac_profile_dot11_10(LOCK_DELAY),
        .airtime_ns = airtime_ns, .queue_messages = 8, .queue_bytes = 20000, .max_peers = 4, .reassembly_ns = 200 * MS,
        .jam = {.window_ns = 250 * MS, .min_frames = 6, .noise_dbfs = -60}};
}

static void open_mac(void)
{
    struct mac_config cfg = describe();
    const char *bad_field;
    ck_assert_int_eq(mac_init(memory, sizeof memory, &cfg, &mac, &bad_field), 0);
}

static int feed(enum mac_event_kind kind, int64_t now_ns)
{
    struct mac_event event = {.kind = kind, .now_ns = now_ns};
    return mac_step(mac, &event, &out);
}

static void send(int64_t now_ns, struct mac_address to, size_t len)
{
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = now_ns};
    event.send.to = to;
    event.send.category = MAC_CAT_DATA;
    event.send.message = message;
    event.send.len_bytes = len;
    ck_assert_int_eq(mac_step(mac, &event, &out), 0);
}

static void hear(int64_t start_ns, int64_t end_ns, int64_t now_ns, const struct mac_frame *frame, bool good)
{
    uint8_t mpdu[MAC_MAX_MPDU_BYTES];
    struct mac_event event = {.kind = MAC_EV_FRAME, .now_ns = now_ns};
    event.frame.mpdu = mpdu;
    ck_assert_int_eq(mac_frame_write(frame, mpdu, sizeof mpdu, &event.frame.len_bytes), 0);
    event.frame.quality = (struct mac_rx_quality){.start_ns = start_ns, .end_ns = end_ns, .header_ok = true, .fcs_ok = good,
                                                  .head_dbfs = -40, .rssi_dbfs = -40, .rise_ns = -1};
    ck_assert_int_eq(mac_step(mac, &event, &out), 0);
}

static struct mac_frame data_to(struct mac_address to, uint16_t duration_us)
{
    return (struct mac_frame){.kind = MAC_FRAME_DATA, .duration_us = duration_us, .receiver = to, .transmitter = mac_address_of(7),
                              .bssid = mac_bssid, .sequence = 9, .payload = message, .payload_len = 20};
}

/* Ticks until the MAC hands out a frame, a turnaround before its start; returns when. */
static int64_t run_to_hand_out(int64_t turnaround_ns)
{
    for (int i = 0; i < 100; i++) {
        int64_t at_ns = mac_deadline(mac);
        ck_assert_int_ne(at_ns, INT64_MAX);
        ck_assert_int_eq(feed(MAC_EV_TICK, at_ns), 0);
        if (out.transmit) {
            ck_assert_int_eq(out.start_ns, at_ns + turnaround_ns);
            return at_ns;
        }
    }
    ck_abort_msg("it never sends");
    return 0;
}

static int64_t run_to_send(void)
{
    return run_to_hand_out(0);
}

START_TEST(an_ack_starts_sifs_after_the_frame_whatever_the_medium_does)
{
    open_mac();
    struct mac_frame frame = data_to(mac_address_of(1), 200);
    ck_assert_int_eq(feed(MAC_EV_CCA_BUSY, 1 * MS), 0);
    hear(1 * MS, 2 * MS, 2 * MS + 8000, &frame, true); /* energy still says busy */
    ck_assert(out.transmit && out.is_response);
    ck_assert_int_eq(out.start_ns, 2 * MS + SIFS);
    ck_assert_uint_eq(out.mpdu_len, MAC_ACK_BYTES);
    ck_assert_uint_eq(out.n_deliveries, 1);
    ck_assert_uint_eq(mac_station_of(&out.deliveries[0].from), 7);
    struct mac_frame ack;
    ck_assert_int_eq(mac_frame_read(out.mpdu, out.mpdu_len, &ack), 0);
    ck_assert_int_eq(ack.kind, MAC_FRAME_ACK);
    ck_assert_uint_eq(mac_station_of(&ack.receiver), 7);
    ck_assert_uint_eq(ack.duration_us, 200 - 153); /* less SIFS and the ACK's 121 us */
}
END_TEST

START_TEST(an_ack_that_would_be_late_is_not_sent_but_counted)
{
    open_mac();
    struct mac_frame frame = data_to(mac_address_of(1), 200);
    hear(1 * MS, 2 * MS, 2 * MS + SIFS + 1, &frame, true);
    struct mac_stats stats;
    mac_stats(mac, &stats);
    ck_assert(!out.transmit);
    ck_assert_uint_eq(out.n_deliveries, 1);
    ck_assert_uint_eq(stats.late_response, 1);
}
END_TEST

START_TEST(after_a_busy_medium_a_frame_waits_difs_and_whole_slots_from_the_frame_end)
{
    bool seen[16] = {false};
    for (int i = 0; i < 400; i++) {
        struct mac_config cfg = describe();
        const char *bad_field;
        cfg.seed = (uint64_t)i;
        ck_assert_int_eq(mac_init(memory, sizeof memory, &cfg, &mac, &bad_field), 0);
        ck_assert_int_eq(feed(MAC_EV_CCA_BUSY, 1 * MS), 0);
        ck_assert_int_eq(feed(MAC_EV_LOCK, 1 * MS + 44000), 0);
        send(1 * MS + 50000, mac_address_of(3), 100);
        struct mac_frame frame = data_to(mac_broadcast, 0);
        int64_t end_ns = 2 * MS + 777;
        hear(1 * MS, end_ns, end_ns + 5000, &frame, true);
        ck_assert_int_eq(feed(MAC_EV_CCA_IDLE, end_ns + 13000), 0); /* known a block later, counted from the frame's end */
        int64_t wait_ns = run_to_send() - end_ns - DIFS;
        ck_assert_int_ge(wait_ns, 0);
        ck_assert_int_eq(wait_ns % SLOT, 0);
        ck_assert_int_le(wait_ns / SLOT, 15);
        seen[wait_ns / SLOT] = true;
    }
    for (int i = 0; i < 16; i++)
        ck_assert(seen[i]);
}
END_TEST

START_TEST(a_frame_is_handed_out_a_turnaround_before_its_slot_begins)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct mac_config cfg = describe();
        const char *bad_field;
        struct mac_frame frame = data_to(mac_broadcast, 0);
        int64_t end_ns = 2 * MS + 777, handed_ns[2], start_ns[2];
        cfg.seed = seed;
        for (int i = 0; i < 2; i++) { /* the same draw with and without */
            cfg.profile.turnaround_ns = i * 9000;
            ck_assert_int_eq(mac_init(memory, sizeof memory, &cfg, &mac, &bad_field), 0);
            ck_assert_int_eq(feed(MAC_EV_LOCK, 1 * MS + 44000), 0);
            send(1 * MS + 50000, mac_address_of(3), 100);
            hear(1 * MS, end_ns, end_ns + 5000, &frame, true);
            handed_ns[i] = run_to_hand_out(i * 9000);
            start_ns[i] = out.start_ns;
        }
        ck_assert_int_eq(start_ns[1], start_ns[0]);
        ck_assert_int_eq((start_ns[1] - end_ns - DIFS) % SLOT, 0);
        ck_assert_int_eq(feed(MAC_EV_TX_DONE, handed_ns[1]), 0); /* refused: its start lies ahead */
        struct mac_stats stats;
        mac_stats(mac, &stats);
        ck_assert_uint_eq(stats.refused, 1);
    }
}
END_TEST

START_TEST(a_turnaround_that_no_slot_or_sifs_holds_is_refused)
{
    static const int64_t bad_ns[] = {-1, SLOT, SIFS + 1};
    for (size_t i = 0; i < sizeof bad_ns / sizeof *bad_ns; i++) {
        struct mac_config cfg = describe();
        const char *bad_field;
        cfg.profile.turnaround_ns = bad_ns[i];
        ck_assert_int_eq(mac_init(memory, sizeof memory, &cfg, &mac, &bad_field), -EINVAL);
        ck_assert_str_eq(bad_field, "profile.turnaround_ns");
    }
}
END_TEST

START_TEST(after_a_bad_frame_it_waits_eifs_and_a_good_one_ends_that)
{
    struct mac_frame frame = data_to(mac_broadcast, 0);
    open_mac();
    send(900 * US, mac_broadcast, 100);
    ck_assert_int_eq(feed(MAC_EV_LOCK, 910 * US), 0);
    hear(900 * US, 2 * MS, 2 * MS, &frame, false);
    int64_t bad_ns = run_to_send();
    ck_assert_int_ge(bad_ns, 2 * MS + SIFS + ack_ns + DIFS);
    open_mac();
    send(900 * US, mac_broadcast, 100); /* the same draw */
    ck_assert_int_eq(feed(MAC_EV_LOCK, 910 * US), 0);
    hear(900 * US, 1900 * US, 1900 * US, &frame, false);
    ck_assert_int_eq(feed(MAC_EV_LOCK, 1960 * US), 0);
    hear(1920 * US, 2 * MS, 2 * MS, &frame, true);
    ck_assert_int_eq(bad_ns - run_to_send(), SIFS + ack_ns);
}
END_TEST

START_TEST(the_counter_freezes_while_the_medium_is_busy)
{
    int64_t due_ns = 0;
    for (uint64_t seed = 0; due_ns < 1 * MS + 5 * SLOT; seed++) { /* a draw of five slots or more */
        struct mac_config cfg = describe();
        const char *bad_field;
        cfg.seed = seed;
        ck_assert_int_eq(mac_init(memory, sizeof memory, &cfg, &mac, &bad_field), 0);
        send(1 * MS, mac_broadcast, 100);
        due_ns = mac_deadline(mac);
    }
    int64_t busy_ns = due_ns - 4 * SLOT - 1; /* all but a nanosecond of the fifth slot from the end is gone: it does not count */
    ck_assert_int_eq(feed(MAC_EV_CCA_BUSY, busy_ns), 0);
    ck_assert_int_eq(feed(MAC_EV_CCA_IDLE, busy_ns + 500 * US), 0);
    ck_assert_int_eq(run_to_send(), busy_ns + 500 * US + DIFS + 5 * SLOT);
}
END_TEST

START_TEST(a_slot_reached_in_the_instant_of_a_busy_medium_is_still_used)
{
    open_mac();
    send(1 * MS, mac_broadcast, 100);
    int64_t due_ns = mac_deadline(mac);
    ck_assert_int_eq(feed(MAC_EV_CCA_BUSY, due_ns), 0);
    ck_assert_int_eq(mac_deadline(mac), due_ns);
    ck_assert_int_eq(feed(MAC_EV_TICK, due_ns), 0);
    ck_assert(out.transmit);
}
END_TEST

START_TEST(nav_of_any_frame_for_others_silences_the_station)
{
    static const enum mac_frame_kind kinds[] = {MAC_FRAME_DATA, MAC_FRAME_ACK, MAC_FRAME_CTS, MAC_FRAME_RTS};
    for (size_t i = 0; i < 4; i++) {
        struct mac_frame frame = data_to(mac_address_of(3), 3500);
        struct mac_frame next = {.kind = MAC_FRAME_ACK, .receiver = mac_address_of(7)};
        frame.kind = kinds[i];
        open_mac();
        send(900 * US, mac_broadcast, 100);
        hear(800 * US, 901 * US, 901 * US, &frame, true);
        ck_assert_int_eq(feed(MAC_EV_LOCK, 901 * US + SIFS + LOCK_DELAY), 0); /* the exchange goes on */
        hear(901 * US + SIFS, 901 * US + SIFS + ack_ns, 901 * US + SIFS + ack_ns, &next, true);
        ck_assert_int_ge(run_to_send(), 901 * US + 3500 * US + DIFS);
        open_mac();
        frame.receiver = mac_address_of(1); /* a frame to the station itself reserves for its own answer */
        if (kinds[i] == MAC_FRAME_DATA || kinds[i] == MAC_FRAME_RTS)
            continue;
        send(900 * US, mac_broadcast, 100);
        hear(800 * US, 901 * US, 901 * US, &frame, true);
        ck_assert_int_lt(run_to_send(), 3 * MS);
    }
}
END_TEST

START_TEST(an_ack_is_awaited_for_sifs_slot_and_start_delay_and_a_lock_prolongs_it)
{
    open_mac();
    send(1 * MS, mac_address_of(3), 100);
    int64_t end_ns = run_to_send() + airtime_ns(NULL, out.mpdu_len, 0);
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, end_ns), 0);
    ck_assert_int_eq(mac_deadline(mac), end_ns + SIFS + SLOT + LOCK_DELAY);
    ck_assert_int_eq(feed(MAC_EV_LOCK, end_ns + SIFS + SLOT + LOCK_DELAY), 0);
    ck_assert_int_gt(mac_deadline(mac), end_ns + SIFS + ack_ns);
    struct mac_frame ack = {.kind = MAC_FRAME_ACK, .receiver = mac_address_of(1)};
    hear(end_ns + SIFS, end_ns + SIFS + ack_ns, end_ns + SIFS + ack_ns + 8000, &ack, true);
    ck_assert_uint_eq(out.n_reports, 1);
    ck_assert_int_eq(out.reports[0].result, MAC_ACKED);
    ck_assert_uint_eq(out.reports[0].attempts, 1);
}
END_TEST

START_TEST(another_frame_in_place_of_the_ack_is_a_failure_and_is_still_received)
{
    open_mac();
    send(1 * MS, mac_address_of(3), 100);
    int64_t end_ns = run_to_send() + airtime_ns(NULL, out.mpdu_len, 0);
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, end_ns), 0);
    ck_assert_int_eq(feed(MAC_EV_LOCK, end_ns + 80 * US), 0);
    struct mac_frame frame = data_to(mac_broadcast, 0);
    hear(end_ns + 40 * US, end_ns + 300 * US, end_ns + 300 * US, &frame, true);
    ck_assert_uint_eq(out.n_deliveries, 1);
    int64_t again_ns = run_to_send();
    struct mac_frame again;
    ck_assert_int_eq(mac_frame_read(out.mpdu, out.mpdu_len, &again), 0);
    ck_assert(again.retry);
    ck_assert_int_ge(again_ns, end_ns + 300 * US + DIFS);
}
END_TEST

START_TEST(after_the_transmitter_was_elsewhere_eifs_passes_first)
{
    open_mac();
    send(1 * MS, mac_broadcast, 100);
    struct mac_event deaf = {.kind = MAC_EV_DEAF, .now_ns = 1 * MS};
    deaf.deaf.until_ns = 3 * MS;
    ck_assert_int_eq(mac_step(mac, &deaf, &out), 0);
    ck_assert(!out.transmit);
    ck_assert_int_ge(run_to_send(), 3 * MS + SIFS + ack_ns + DIFS);
}
END_TEST

START_TEST(a_lock_whose_end_never_comes_is_given_up)
{
    open_mac();
    send(1 * MS, mac_broadcast, 100);
    ck_assert_int_eq(feed(MAC_EV_LOCK, 1 * MS), 0);
    int64_t longest_ns = airtime_ns(NULL, MAC_MAX_MPDU_BYTES, 0);
    ck_assert_int_ge(run_to_send(), 1 * MS + longest_ns);
}
END_TEST

struct quiet_time {
    int64_t from_ns, to_ns;
};

static void ask_for_holds(struct quiet_time *holds, int n, const struct mac_draw_key *key, uint64_t *c)
{
    for (int h = 0; h < n; h++) {
        struct mac_event hold = {.kind = MAC_EV_HOLD, .now_ns = 0};
        hold.hold.from_ns = holds[h].from_ns = (int64_t)(mac_draw(key, MAC_DRAW_BACKOFF, (*c)++) % 20000) * US;
        hold.hold.to_ns = holds[h].to_ns = holds[h].from_ns + 1 + (int64_t)(mac_draw(key, MAC_DRAW_BACKOFF, (*c)++) % 5000) * US;
        if (mac_step(mac, &hold, &out) != 0 || out.transmit)
            ck_abort_msg("a hold sends");
    }
}

/* Lets a frame go out and end, answered or not; returns when all is over. */
static int64_t let_out(const struct quiet_time *holds, int n, bool answer)
{
    bool unicast = !(out.mpdu[4] & 1);
    int64_t start_ns = out.start_ns, end_ns = start_ns + airtime_ns(NULL, out.mpdu_len, 0);
    int64_t over_ns = unicast ? end_ns + SIFS + ack_ns : end_ns;
    for (int h = 0; h < n; h++)
        if (start_ns < holds[h].to_ns && over_ns > holds[h].from_ns)
            ck_abort_msg("sends [%lld, %lld) in a hold", (long long)start_ns, (long long)over_ns);
    if (feed(MAC_EV_TX_DONE, end_ns) != 0)
        ck_abort_msg("tx done");
    if (!unicast || !answer)
        return end_ns;
    struct mac_frame ack = {.kind = MAC_FRAME_ACK, .receiver = mac_address_of(1)};
    hear(end_ns + SIFS, over_ns, over_ns, &ack, true);
    return over_ns;
}

START_TEST(no_exchange_ever_overlaps_a_hold)
{
    enum { N_HOLDS = 3 };
    struct mac_draw_key key = {.seed = 77};
    uint64_t c = 0;
    unsigned n_sent = 0;
    for (int trial = 0; trial < 300; trial++) {
        struct quiet_time holds[N_HOLDS];
        struct mac_config cfg = describe();
        const char *bad_field;
        cfg.seed = (uint64_t)trial;
        cfg.profile.lifetime_ns = 5000 * MS;
        if (mac_init(memory, sizeof memory, &cfg, &mac, &bad_field) != 0)
            ck_abort_msg("init");
        ask_for_holds(holds, N_HOLDS, &key, &c);
        for (int i = 0; i < 6; i++)
            send(0, i % 2 ? mac_broadcast : mac_address_of(3), 1 + mac_draw(&key, MAC_DRAW_BACKOFF, c++) % 3000);
        int64_t now_ns = 0;
        while (now_ns < 60 * MS && mac_deadline(mac) < 60 * MS) {
            now_ns = mac_deadline(mac) > now_ns ? mac_deadline(mac) : now_ns;
            if (feed(MAC_EV_TICK, now_ns) != 0)
                ck_abort_msg("tick");
            for (; out.transmit; n_sent++)
                now_ns = let_out(holds, N_HOLDS, trial % 2);
        }
    }
    ck_assert_uint_gt(n_sent, 3000);
    printf("%u frames around 900 holds\n", n_sent);
}
END_TEST

START_TEST(an_ack_is_not_sent_into_a_hold)
{
    open_mac();
    struct mac_event hold = {.kind = MAC_EV_HOLD, .now_ns = 0};
    hold.hold.from_ns = 2 * MS + SIFS + 1000;
    hold.hold.to_ns = 6 * MS;
    ck_assert_int_eq(mac_step(mac, &hold, &out), 0);
    struct mac_frame frame = data_to(mac_address_of(1), 200);
    hear(1 * MS, 2 * MS, 2 * MS, &frame, true);
    ck_assert(!out.transmit);
    ck_assert_uint_eq(out.n_deliveries, 1);
}
END_TEST

START_TEST(a_frame_to_another_network_is_not_answered)
{
    open_mac();
    struct mac_frame frame = data_to(mac_address_of(1), 200);
    frame.bssid.octets[5] ^= 1;
    hear(1 * MS, 2 * MS, 2 * MS, &frame, true);
    struct mac_stats stats;
    mac_stats(mac, &stats);
    ck_assert(!out.transmit);
    ck_assert_uint_eq(out.n_deliveries, 0);
    ck_assert_uint_eq(stats.rx_other, 1);
}
END_TEST

START_TEST(a_reception_cut_off_by_the_own_transmitter_is_no_evidence)
{
    open_mac();
    struct mac_frame frame = data_to(mac_broadcast, 0);
    for (int i = 0; i < 40; i++) {
        int64_t now_ns = (1 + 10 * i) * MS;
        struct mac_event deaf = {.kind = MAC_EV_DEAF, .now_ns = now_ns};
        deaf.deaf.until_ns = now_ns + MS;
        ck_assert_int_eq(mac_step(mac, &deaf, &out), 0);
        hear(now_ns - 300 * US, now_ns, now_ns, &frame, false);
        ck_assert(!out.has_verdict);
    }
}
END_TEST

START_TEST(jammed_frames_make_the_machine_speak_once_and_time_makes_it_take_that_back)
{
    open_mac();
    struct mac_jam_verdict verdict = {.kind = MAC_JAM_NONE};
    unsigned n_verdicts = 0;
    int64_t last_ns = 0;
    for (int i = 0; i < 12; i++) {
        last_ns = (10 + 10 * i) * MS;
        ck_assert_int_eq(feed(MAC_EV_LOCK, last_ns - 400 * US), 0);
        struct mac_event event = {.kind = MAC_EV_FRAME, .now_ns = last_ns};
        event.frame.quality = (struct mac_rx_quality){.start_ns = last_ns - 440 * US, .end_ns = last_ns, .header_ok = false,
            .head_dbfs = -40, .rssi_dbfs = -33, .rise_ns = (60 + i % 3 * 8) * US, .rise_db = 8};
        ck_assert_int_eq(mac_step(mac, &event, &out), 0);
        n_verdicts += out.has_verdict;
        if (out.has_verdict)
            verdict = out.verdict;
    }
    ck_assert_uint_eq(n_verdicts, 1);
    ck_assert_int_eq(verdict.kind, MAC_JAM_REACTIVE);
    ck_assert_uint_eq(verdict.channel, 2);
    ck_assert_int_ge(verdict.mean_rise_us, 60);
    ck_assert_int_eq(verdict.from_ns, 10 * MS - 440 * US);
    ck_assert_int_eq(mac_deadline(mac), last_ns + 250 * MS);
    ck_assert_int_eq(feed(MAC_EV_TICK, last_ns + 250 * MS), 0);
    ck_assert(out.has_verdict);
    ck_assert_int_eq(out.verdict.kind, MAC_JAM_NONE);
}
END_TEST

START_TEST(a_bad_configuration_names_its_field)
{
    static const struct {
        size_t offset;
        const char *name;
    } zero[] = {{offsetof(struct mac_config, profile.slot_ns), "profile.slot_ns"},
                {offsetof(struct mac_config, profile.lifetime_ns), "profile.lifetime_ns"},
                {offsetof(struct mac_config, profile.fragment_bytes), "profile.fragment_bytes"},
                {offsetof(struct mac_config, queue_messages), "queue_messages"},
                {offsetof(struct mac_config, queue_bytes), "queue_bytes"},
                {offsetof(struct mac_config, max_peers), "max_peers"},
                {offsetof(struct mac_config, reassembly_ns), "reassembly_ns"},
                {offsetof(struct mac_config, jam.window_ns), "jam.window_ns"}};
    const char *bad_field;
    for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++) {
        struct mac_config cfg = describe();
        memset((uint8_t *)&cfg + zero[i].offset, 0, 8);
        ck_assert_int_eq(mac_init(memory, sizeof memory, &cfg, &mac, &bad_field), -EINVAL);
        ck_assert_str_eq(bad_field, zero[i].name);
    }
    struct mac_config cfg = describe();
    cfg.profile.cw_min[2] = 20;
    ck_assert_int_eq(mac_init(memory, sizeof memory, &cfg, &mac, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "profile.cw_min");
    cfg = describe();
    ck_assert_int_eq(mac_init(memory, mac_bytes(&cfg) - 1, &cfg, &mac, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "len");
    ck_assert_int_eq(mac_init(memory, mac_bytes(&cfg), &cfg, &mac, &bad_field), 0);
}
END_TEST

START_TEST(malformed_events_are_refused_and_counted)
{
    open_mac();
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, 0), -EBADMSG);
    ck_assert_int_eq(feed(MAC_EV_SEND, 0), -EBADMSG);
    ck_assert_int_eq(feed(MAC_EV_HOLD, 0), -EBADMSG);
    ck_assert_int_eq(feed((enum mac_event_kind)99, 0), -EBADMSG);
    struct mac_stats stats;
    mac_stats(mac, &stats);
    ck_assert_uint_eq(stats.bad_event, 4);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("instants");
    tcase_add_test(tc, an_ack_starts_sifs_after_the_frame_whatever_the_medium_does);
    tcase_add_test(tc, an_ack_that_would_be_late_is_not_sent_but_counted);
    tcase_add_test(tc, after_a_busy_medium_a_frame_waits_difs_and_whole_slots_from_the_frame_end);
    tcase_add_test(tc, a_frame_is_handed_out_a_turnaround_before_its_slot_begins);
    tcase_add_test(tc, a_turnaround_that_no_slot_or_sifs_holds_is_refused);
    tcase_add_test(tc, after_a_bad_frame_it_waits_eifs_and_a_good_one_ends_that);
    tcase_add_test(tc, the_counter_freezes_while_the_medium_is_busy);
    tcase_add_test(tc, a_slot_reached_in_the_instant_of_a_busy_medium_is_still_used);
    tcase_add_test(tc, nav_of_any_frame_for_others_silences_the_station);
    tcase_add_test(tc, an_ack_is_awaited_for_sifs_slot_and_start_delay_and_a_lock_prolongs_it);
    tcase_add_test(tc, another_frame_in_place_of_the_ack_is_a_failure_and_is_still_received);
    tcase_add_test(tc, after_the_transmitter_was_elsewhere_eifs_passes_first);
    tcase_add_test(tc, a_lock_whose_end_never_comes_is_given_up);
    tcase_add_test(tc, no_exchange_ever_overlaps_a_hold);
    tcase_add_test(tc, an_ack_is_not_sent_into_a_hold);
    tcase_add_test(tc, a_frame_to_another_network_is_not_answered);
    tcase_add_test(tc, a_reception_cut_off_by_the_own_transmitter_is_no_evidence);
    tcase_add_test(tc, jammed_frames_make_the_machine_speak_once_and_time_makes_it_take_that_back);
    tcase_add_test(tc, a_bad_configuration_names_its_field);
    tcase_add_test(tc, malformed_events_are_refused_and_counted);
    suite_add_tcase(suite, tc);
}
