/* What a user of the MAC notices: messages arrive, once, whole, in bounded time, and never in a quiet period. */
#define SUITE_NAME "mac"
#include "tests/unit/check_main.h"
#include "tests/unit/mac/sim.h"

#include <errno.h>

#define MS INT64_C(1000000)
#define US INT64_C(1000)

static struct sim s;
static uint8_t pattern[MAC_MAX_MESSAGE_BYTES];

/* flex on 10 Msps: about 100 us a frame and 1.5 us an octet */
static int64_t airtime_flex(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    (void)ctx;
    return 100000 + (int64_t)(mpdu_len + 4) * (rate_index == 0 ? 1500 : 750);
}

static struct mac_config config_10(void)
{
    struct mac_config cfg = sim_config_11a();
    cfg.profile = mac_profile_dot11_10(44000);
    cfg.airtime_ns = airtime_flex;
    return cfg;
}

static void fill_pattern(void)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void expect_pattern(struct sim *sim, size_t i, const struct mac_delivery *delivery)
{
    (void)sim;
    (void)i;
    if (memcmp(delivery->message, pattern, delivery->len_bytes) != 0)
        ck_abort_msg("the message has other octets");
}

static void open_sim(size_t n, const struct mac_config *cfg)
{
    fill_pattern();
    sim_open(&s, n, cfg);
    s.on_delivery = expect_pattern;
}

START_TEST(a_unicast_message_on_an_idle_medium_goes_at_once_and_is_acknowledged)
{
    struct mac_config cfg = config_10();
    open_sim(3, &cfg);
    s.now_ns = 5 * MS;
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), MAC_CAT_DATA, pattern, 400), 0);
    ck_assert_int_eq(mac_deadline(s.stations[0].mac), 5 * MS);
    sim_run_until(&s, 50 * MS);
    ck_assert_uint_eq(s.stations[0].n_acked, 1);
    ck_assert_uint_eq(s.stations[1].n_delivered, 1);
    ck_assert_uint_eq(s.stations[2].n_delivered, 0);
    ck_assert_uint_eq(s.n_frames, 2);
    ck_assert_uint_eq(s.n_response_frames, 1);
    ck_assert_uint_eq(sim_stats(&s, 2).nav_set, 1); /* the bystander spares the ACK */
    sim_close(&s);
}
END_TEST

START_TEST(a_broadcast_reaches_all_and_is_reported_as_sent)
{
    struct mac_config cfg = config_10();
    open_sim(4, &cfg);
    ck_assert_int_eq(sim_send(&s, 2, mac_broadcast, MAC_CAT_VOTE, pattern, 200), 0);
    sim_run_until(&s, 50 * MS);
    ck_assert_uint_eq(s.stations[2].n_sent, 1);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(s.stations[i].n_delivered, i != 2);
    sim_close(&s);
}
END_TEST

static void reply(struct sim *sim, size_t i, const struct mac_delivery *delivery)
{
    if (delivery->len_bytes == 300)
        SIM_REQUIRE(sim_send(sim, i, mac_broadcast, MAC_CAT_VOTE, pattern, 100) == 0);
}

START_TEST(replies_to_a_broadcast_draw_a_backoff_and_rarely_collide)
{
    struct mac_config cfg = config_10();
    unsigned n_rounds = 500, n_whole = 0;
    open_sim(4, &cfg);
    s.on_delivery = reply;
    uint64_t before = 0;
    for (unsigned i = 0; i < n_rounds; i++) {
        ck_assert_int_eq(sim_send(&s, 0, mac_broadcast, MAC_CAT_PROPOSAL, pattern, 300), 0);
        sim_run_until(&s, s.now_ns + 20 * MS);
        n_whole += s.stations[0].n_delivered == before + 3;
        before = s.stations[0].n_delivered;
    }
    /* three of 64 slots: all differ with 63/64 * 62/64 = .9536, error of 500 rounds .0094 */
    printf("all three replies arrived in %u of %u rounds, expected %.1f\n", n_whole, n_rounds, n_rounds * 63.0 * 62 / 4096);
    ck_assert_double_eq_tol((double)n_whole / n_rounds, 63.0 * 62 / 4096, 3.5 * .0094);
    sim_close(&s);
}
END_TEST

START_TEST(a_lost_frame_is_sent_again_and_delivered_once)
{
    struct mac_config cfg = config_10();
    open_sim(2, &cfg);
    s.loss = .4; /* data and ACKs alike */
    unsigned n_messages = 300;
    for (unsigned i = 0; i < n_messages; i++) {
        ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), MAC_CAT_DATA, pattern, 300), 0);
        sim_run_until(&s, s.now_ns + 300 * MS);
    }
    struct mac_stats tx = sim_stats(&s, 0), rx = sim_stats(&s, 1);
    ck_assert_uint_eq(s.stations[0].n_acked + s.stations[0].n_no_ack, n_messages);
    ck_assert_uint_ge(s.stations[1].n_delivered, s.stations[0].n_acked);
    ck_assert_uint_le(s.stations[1].n_delivered, n_messages);
    ck_assert_uint_gt(rx.rx_duplicate, 0);
    ck_assert_uint_gt(tx.retries, n_messages / 3);
    /* an attempt succeeds with .36: seven fail with .64^7 = .044 */
    double error = 3.5 * .0118;
    printf("%llu of %u messages gave up, expected share .044\n", (unsigned long long)s.stations[0].n_no_ack, n_messages);
    ck_assert_double_eq_tol((double)s.stations[0].n_no_ack / n_messages, .044, error);
    sim_close(&s);
}
END_TEST

START_TEST(an_absent_receiver_costs_seven_attempts_with_growing_windows)
{
    struct mac_config cfg = config_10();
    open_sim(1, &cfg);
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(9), MAC_CAT_DATA, pattern, 100), 0);
    sim_run_until(&s, 400 * MS);
    struct mac_stats stats = sim_stats(&s, 0);
    ck_assert_uint_eq(s.stations[0].n_no_ack, 1);
    ck_assert_uint_eq(stats.sent_frames, 7);
    ck_assert_uint_eq(stats.retries, 6);
    ck_assert_uint_eq(stats.no_ack, 7);
    sim_close(&s);
}
END_TEST

START_TEST(votes_leave_before_proposals_before_gossip_before_data)
{
    static const enum mac_category order[] = {MAC_CAT_DATA, MAC_CAT_GOSSIP, MAC_CAT_PROPOSAL, MAC_CAT_VOTE};
    struct mac_config cfg = config_10();
    open_sim(2, &cfg);
    s.on_delivery = NULL;
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(sim_send(&s, 0, mac_broadcast, order[i], pattern, 100 + i), 0);
    size_t seen_len = 103;
    while (s.stations[1].n_delivered < 4) {
        uint64_t bytes = s.stations[1].n_delivered_bytes, n = s.stations[1].n_delivered;
        while (s.stations[1].n_delivered == n)
            sim_run_until(&s, s.now_ns + 100 * US);
        ck_assert_uint_eq(s.stations[1].n_delivered, n + 1);
        ck_assert_uint_eq(s.stations[1].n_delivered_bytes - bytes, seen_len--);
    }
    sim_close(&s);
}
END_TEST

START_TEST(long_messages_arrive_whole_as_bursts_of_fragments)
{
    static const size_t lengths[] = {1488, 1489, 2976, 20000, 65536};
    struct mac_config cfg = config_10();
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        open_sim(3, &cfg);
        ck_assert_int_eq(sim_send(&s, 0, mac_broadcast, MAC_CAT_GOSSIP, pattern, lengths[i]), 0);
        ck_assert_int_eq(sim_send(&s, 1, mac_address_of(2), MAC_CAT_DATA, pattern, lengths[i]), 0);
        sim_run_until(&s, 2000 * MS);
        ck_assert_uint_eq(s.stations[1].n_delivered, 1);
        ck_assert_uint_eq(s.stations[2].n_delivered, 2);
        ck_assert_uint_eq(s.stations[2].n_delivered_bytes, 2 * lengths[i]);
        ck_assert_uint_eq(sim_stats(&s, 0).sent_broadcast, (lengths[i] + 1487) / 1488);
        sim_close(&s);
    }
}
END_TEST

START_TEST(fragments_survive_random_loss_by_retries)
{
    struct mac_config cfg = config_10();
    cfg.profile.lifetime_ns = 10000 * MS;
    open_sim(2, &cfg);
    s.loss = .15;
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), MAC_CAT_DATA, pattern, 9000), 0);
        sim_run_until(&s, s.now_ns + 500 * MS);
    }
    ck_assert_uint_ge(s.stations[1].n_delivered, 39);
    ck_assert_uint_ge(s.stations[1].n_delivered, s.stations[0].n_acked);
    sim_close(&s);
}
END_TEST

START_TEST(a_broadcast_that_lost_a_fragment_is_dropped_and_counted)
{
    struct mac_config cfg = config_10();
    open_sim(2, &cfg);
    s.loss = .3;
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(sim_send(&s, 0, mac_broadcast, MAC_CAT_GOSSIP, pattern, 5000), 0);
        sim_run_until(&s, s.now_ns + 100 * MS);
    }
    s.loss = 0;
    sim_run_until(&s, s.now_ns + 2000 * MS);
    struct mac_stats stats = sim_stats(&s, 1);
    ck_assert_uint_gt(stats.reassembly_dropped, 5);
    ck_assert_uint_eq(stats.reassembled, s.stations[1].n_delivered);
    ck_assert_uint_le(stats.reassembled + stats.reassembly_dropped, 40);
    sim_close(&s);
}
END_TEST

START_TEST(full_queues_refuse_and_count)
{
    struct mac_config cfg = config_10();
    cfg.queue_messages = 4;
    cfg.queue_bytes = 3000;
    open_sim(1, &cfg);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(sim_send(&s, 0, mac_address_of(3), MAC_CAT_DATA, pattern, 100), 0);
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(3), MAC_CAT_DATA, pattern, 100), -ENOBUFS);
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(3), MAC_CAT_VOTE, pattern, 2601), -ENOBUFS);
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(3), MAC_CAT_VOTE, pattern, 2600), 0);
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(3), MAC_CAT_GOSSIP, pattern, 1), -ENOBUFS);
    ck_assert_uint_eq(sim_stats(&s, 0).queue_full, 3);
    sim_run_until(&s, 5000 * MS);
    ck_assert_uint_eq(s.stations[0].n_no_ack + s.stations[0].n_expired, 5);
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(3), MAC_CAT_GOSSIP, pattern, 3000), 0);
    sim_close(&s);
}
END_TEST

static bool refuse_all(struct sim *sim, size_t i, const struct mac_update *out)
{
    (void)sim;
    (void)i;
    (void)out;
    return false;
}

START_TEST(a_message_that_cannot_go_expires_after_its_lifetime)
{
    struct mac_config cfg = config_10();
    cfg.profile.lifetime_ns = 30 * MS;
    open_sim(2, &cfg);
    struct mac_event busy = {.kind = MAC_EV_CCA_BUSY};
    ck_assert_int_eq(sim_feed(&s, 0, &busy), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), MAC_CAT_DATA, pattern, 100), 0);
    sim_run_until(&s, 29 * MS);
    ck_assert_uint_eq(s.stations[0].n_expired, 0);
    sim_run_until(&s, 30 * MS);
    ck_assert_uint_eq(s.stations[0].n_expired, 3);
    ck_assert_uint_eq(sim_stats(&s, 0).expired, 3);
    ck_assert_uint_eq(s.n_frames, 0);
    sim_close(&s);
}
END_TEST

START_TEST(a_flush_drops_what_is_queued_and_reports_it_and_nothing_else)
{
    struct mac_config cfg = config_10();
    open_sim(2, &cfg);
    struct mac_event busy = {.kind = MAC_EV_CCA_BUSY}, idle = {.kind = MAC_EV_CCA_IDLE}, flush = {.kind = MAC_EV_FLUSH};
    ck_assert_int_eq(sim_feed(&s, 0, &busy), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), i == 0 ? MAC_CAT_VOTE : MAC_CAT_DATA, pattern, 100), 0);
    ck_assert_int_eq(sim_feed(&s, 0, &flush), 0);
    ck_assert_uint_eq(s.stations[0].n_expired, 0);
    sim_run_until(&s, 1 * MS);
    ck_assert_uint_eq(s.stations[0].n_expired, 3);
    ck_assert_int_eq(sim_feed(&s, 0, &idle), 0);
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), MAC_CAT_DATA, pattern, 100), 0);
    sim_run_until(&s, 20 * MS);
    ck_assert_uint_eq(s.stations[0].n_acked, 1);
    ck_assert_uint_eq(s.stations[1].n_delivered, 1);
    sim_close(&s);
}
END_TEST

START_TEST(a_channel_busy_elsewhere_defers_and_is_no_evidence)
{
    struct mac_config cfg = config_10();
    open_sim(2, &cfg);
    struct mac_event busy = {.kind = MAC_EV_CCA_BUSY}, idle = {.kind = MAC_EV_CCA_IDLE};
    busy.cca.elsewhere = idle.cca.elsewhere = true;
    ck_assert_int_eq(sim_feed(&s, 0, &busy), 0);
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), MAC_CAT_DATA, pattern, 100), 0);
    sim_run_until(&s, 20 * MS);
    ck_assert_uint_eq(s.n_frames, 0);
    ck_assert_int_eq(sim_feed(&s, 0, &idle), 0);
    sim_run_until(&s, 40 * MS);
    ck_assert_uint_eq(s.stations[0].n_acked, 1);
    sim_close(&s);
}
END_TEST

START_TEST(a_refused_frame_counts_as_lost)
{
    struct mac_config cfg = config_10();
    open_sim(2, &cfg);
    s.gate = refuse_all;
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), MAC_CAT_DATA, pattern, 100), 0);
    ck_assert_int_eq(sim_send(&s, 0, mac_broadcast, MAC_CAT_VOTE, pattern, 5000), 0);
    sim_run_until(&s, 400 * MS);
    ck_assert_uint_eq(s.n_frames, 0);
    ck_assert_uint_eq(s.stations[0].n_no_ack, 1);
    ck_assert_uint_eq(s.stations[0].n_expired, 1);
    ck_assert_uint_eq(sim_stats(&s, 0).refused, 8);
    s.gate = NULL;
    ck_assert_int_eq(sim_send(&s, 0, mac_address_of(1), MAC_CAT_DATA, pattern, 100), 0);
    sim_run_until(&s, 800 * MS);
    ck_assert_uint_eq(s.stations[0].n_acked, 1);
    sim_close(&s);
}
END_TEST

START_TEST(a_caller_that_forgets_tx_done_does_not_silence_the_station)
{
    struct mac_config cfg = config_10();
    static struct mac_update out;
    open_sim(1, &cfg);
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = 1 * MS};
    event.send.to = mac_broadcast;
    event.send.category = MAC_CAT_VOTE;
    event.send.message = pattern;
    event.send.len_bytes = 100;
    unsigned n_frames = 0;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(mac_step(s.stations[0].mac, &event, &out), 0);
        event.now_ns += 1;
    }
    while (event.now_ns < 200 * MS && mac_deadline(s.stations[0].mac) != INT64_MAX) {
        event = (struct mac_event){.kind = MAC_EV_TICK, .now_ns = mac_deadline(s.stations[0].mac)};
        ck_assert_int_eq(mac_step(s.stations[0].mac, &event, &out), 0);
        n_frames += out.transmit;
    }
    ck_assert_uint_eq(n_frames, 3);
    sim_close(&s);
}
END_TEST

static uint64_t run_mixed_traffic(uint64_t seed)
{
    struct mac_config cfg = config_10();
    struct mac_draw_key key = {.seed = seed};
    cfg.seed = seed;
    open_sim(6, &cfg);
    s.loss = .05;
    for (uint64_t i = 0; i < 400; i++) {
        size_t from = mac_draw(&key, MAC_DRAW_BACKOFF, 4 * i) % 6;
        uint64_t to = mac_draw(&key, MAC_DRAW_BACKOFF, 4 * i + 1) % 8;
        size_t len = 1 + mac_draw(&key, MAC_DRAW_BACKOFF, 4 * i + 2) % 3000;
        int rc = sim_send(&s, from, to > 5 ? mac_broadcast : mac_address_of((uint32_t)to), (enum mac_category)(i % 4), pattern, len);
        SIM_REQUIRE(rc == 0 || rc == -ENOBUFS);
        sim_run_until(&s, s.now_ns + (int64_t)(mac_draw(&key, MAC_DRAW_BACKOFF, 4 * i + 3) % 8000) * US);
    }
    sim_run_until(&s, s.now_ns + 3000 * MS);
    uint64_t digest = s.digest;
    sim_close(&s);
    return digest;
}

START_TEST(the_same_seed_gives_the_same_air)
{
    uint64_t digest = run_mixed_traffic(11);
    ck_assert_uint_eq(run_mixed_traffic(11), digest);
    ck_assert_uint_ne(run_mixed_traffic(12), digest);
}
END_TEST

START_TEST(hidden_stations_collide_until_retries_help_and_accuse_nobody)
{
    struct mac_config cfg = config_10();
    cfg.profile.lifetime_ns = 100000 * MS;
    open_sim(3, &cfg);
    s.deaf_to[0][2] = s.deaf_to[2][0] = true; /* 1 hears both */
    for (int i = 0; i < 2000; i++) {
        for (size_t from = 0; from < 3; from += 2) {
            int rc = sim_send(&s, from, mac_address_of(1), MAC_CAT_DATA, pattern, 700);
            SIM_REQUIRE(rc == 0 || rc == -ENOBUFS);
        }
        sim_run_until(&s, s.now_ns + 2 * MS);
    }
    struct mac_stats stats = sim_stats(&s, 1);
    ck_assert_uint_gt(stats.rx_fcs_bad, 1000);
    ck_assert_uint_gt(s.stations[0].n_acked + s.stations[2].n_acked, 500);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(s.stations[i].n_attacks, 0);
    sim_close(&s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("messages");
    tcase_add_test(tc, a_unicast_message_on_an_idle_medium_goes_at_once_and_is_acknowledged);
    tcase_add_test(tc, a_broadcast_reaches_all_and_is_reported_as_sent);
    tcase_add_test(tc, replies_to_a_broadcast_draw_a_backoff_and_rarely_collide);
    tcase_add_test(tc, a_lost_frame_is_sent_again_and_delivered_once);
    tcase_add_test(tc, an_absent_receiver_costs_seven_attempts_with_growing_windows);
    tcase_add_test(tc, votes_leave_before_proposals_before_gossip_before_data);
    tcase_add_test(tc, long_messages_arrive_whole_as_bursts_of_fragments);
    tcase_add_test(tc, fragments_survive_random_loss_by_retries);
    tcase_add_test(tc, a_broadcast_that_lost_a_fragment_is_dropped_and_counted);
    tcase_add_test(tc, full_queues_refuse_and_count);
    tcase_add_test(tc, a_message_that_cannot_go_expires_after_its_lifetime);
    tcase_add_test(tc, a_flush_drops_what_is_queued_and_reports_it_and_nothing_else);
    tcase_add_test(tc, a_channel_busy_elsewhere_defers_and_is_no_evidence);
    tcase_add_test(tc, a_refused_frame_counts_as_lost);
    tcase_add_test(tc, a_caller_that_forgets_tx_done_does_not_silence_the_station);
    tcase_add_test(tc, the_same_seed_gives_the_same_air);
    tcase_add_test(tc, hidden_stations_collide_until_retries_help_and_accuse_nobody);
    suite_add_tcase(suite, tc);
}
