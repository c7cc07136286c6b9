/* RTS, CTS, NAV and the access methods: the instants of one MAC, and many on the small medium against closed forms. */
#define SUITE_NAME "mac exchange"
#include "tests/unit/check_main.h"
#include "tests/unit/mac/one.h"

#include <math.h>

/* NAVTimeout (10.3.2.4): 2 SIFS + CTS + PHY start delay + 2 slots */
static const int64_t nav_timeout_ns = 2 * SIFS + ACK_NS + START_DELAY + 2 * SLOT;

static struct mac_config config_rts(void)
{
    struct mac_config cfg = sim_config_11a();
    cfg.profile.rts_threshold_bytes = 0;
    cfg.profile.rts_retry_limit = 7;
    return cfg;
}

START_TEST(a_frame_over_the_threshold_follows_rts_and_cts)
{
    struct mac_config cfg = config_rts();
    struct mac_frame frame, cts = {.kind = MAC_FRAME_CTS, .receiver = mac_address_of(0)};
    open_one(&cfg);
    send(1 * MS, mac_address_of(3), 1000);
    int64_t rts_ns = next_frame(&frame), data_ns = sim_airtime_11a(NULL, 1036, 0);
    ck_assert_int_eq(rts_ns, 1 * MS);
    ck_assert_int_eq(frame.kind, MAC_FRAME_RTS);
    ck_assert_uint_eq(mac_station_of(&frame.transmitter), 0);
    ck_assert_int_eq(frame.duration_us, (3 * SIFS + 2 * ACK_NS + data_ns) / 1000);
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, rts_ns + RTS_NS), 0);
    ck_assert_int_eq(mac_deadline(mac), rts_ns + RTS_NS + SIFS + SLOT + START_DELAY); /* CTSTimeout, 10.3.2.9 */
    hear(&cts, rts_ns + RTS_NS + SIFS + ACK_NS);
    ck_assert(out.transmit && !out.is_response);
    ck_assert_int_eq(out.start_ns, rts_ns + RTS_NS + SIFS + ACK_NS + SIFS);
    ck_assert_int_eq(mac_frame_read(out.mpdu, out.mpdu_len, &frame), 0);
    ck_assert_int_eq(frame.kind, MAC_FRAME_DATA);
    ck_assert_int_eq(frame.duration_us, (SIFS + ACK_NS) / 1000);
    sim_close(&s);
}
END_TEST

START_TEST(an_rts_is_retried_as_often_as_its_own_limit_says)
{
    for (unsigned limit = 0; limit <= 5; limit += 5) {
        struct mac_config cfg = config_rts();
        cfg.profile.rts_retry_limit = limit;
        struct mac_frame frame;
        open_one(&cfg);
        send(1 * MS, mac_address_of(3), 1000);
        for (unsigned i = 0; i < (limit ? limit : 40); i++) {
            int64_t start_ns = next_frame(&frame);
            ck_assert_int_eq(frame.kind, MAC_FRAME_RTS);
            ck_assert_int_eq(feed(MAC_EV_TX_DONE, start_ns + RTS_NS), 0);
            ck_assert_int_eq(feed(MAC_EV_TICK, mac_deadline(mac)), 0);
        }
        ck_assert_uint_eq(out.n_reports, limit ? 1 : 0);
        if (limit) {
            ck_assert_int_eq(out.reports[0].result, MAC_NO_ACK);
            ck_assert_uint_eq(out.reports[0].attempts, 0);
        }
        ck_assert_uint_eq(stats().no_cts, limit ? limit : 40);
        sim_close(&s);
    }
}
END_TEST

START_TEST(an_rts_is_answered_only_where_nobody_else_has_reserved)
{
    struct mac_config cfg = sim_config_11a();
    struct mac_frame rts = {.kind = MAC_FRAME_RTS, .duration_us = 1600, .receiver = mac_address_of(0), .transmitter = mac_address_of(5)};
    struct mac_frame cts = {.kind = MAC_FRAME_CTS, .duration_us = 1000, .receiver = mac_address_of(8)}, answer;
    open_one(&cfg);
    hear(&rts, 1 * MS);
    ck_assert(out.transmit && out.is_response);
    ck_assert_int_eq(out.start_ns, 1 * MS + SIFS);
    ck_assert_int_eq(mac_frame_read(out.mpdu, out.mpdu_len, &answer), 0);
    ck_assert_int_eq(answer.kind, MAC_FRAME_CTS);
    ck_assert_uint_eq(mac_station_of(&answer.receiver), 5);
    ck_assert_uint_eq(answer.duration_us, 1600 - (SIFS + ACK_NS) / 1000);
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, 1 * MS + SIFS + ACK_NS), 0);
    hear(&cts, 10 * MS);
    hear(&rts, 10 * MS + 999 * US);
    ck_assert(!out.transmit);
    hear(&rts, 10 * MS + 1000 * US);
    ck_assert(out.transmit);
    ck_assert_uint_eq(stats().rts_refused, 1);
    ck_assert_uint_eq(stats().sent_cts, 2);
    sim_close(&s);
}
END_TEST

START_TEST(a_long_group_frame_follows_a_cts_to_oneself_where_asked_for)
{
    struct mac_config cfg = config_rts();
    struct mac_frame frame;
    cfg.profile.rts_threshold_bytes = 500;
    cfg.profile.cts_to_self = true;
    open_one(&cfg);
    send(1 * MS, mac_broadcast, 1000);
    int64_t start_ns = next_frame(&frame);
    ck_assert_int_eq(frame.kind, MAC_FRAME_CTS);
    ck_assert_uint_eq(mac_station_of(&frame.receiver), 0);
    ck_assert_int_eq(frame.duration_us, (SIFS + sim_airtime_11a(NULL, 1036, 0)) / 1000);
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, start_ns + ACK_NS), 0);
    ck_assert(out.transmit);
    ck_assert_int_eq(out.start_ns, start_ns + ACK_NS + SIFS);
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, out.start_ns + sim_airtime_11a(NULL, 1036, 0)), 0);
    ck_assert_uint_eq(out.n_reports, 1);
    ck_assert_int_eq(out.reports[0].result, MAC_SENT);
    send(10 * MS, mac_broadcast, 100);
    (void)next_frame(&frame);
    ck_assert_int_eq(frame.kind, MAC_FRAME_DATA);
    sim_close(&s);
}
END_TEST

START_TEST(a_reservation_that_nothing_follows_is_dropped)
{
    static const enum mac_frame_kind kinds[] = {MAC_FRAME_RTS, MAC_FRAME_DATA};
    for (size_t i = 0; i < 2; i++)
        for (int follows = 0; follows < 2; follows++) {
            struct mac_config cfg = sim_config_11a();
            struct mac_frame frame = {.kind = kinds[i], .duration_us = 30000, .receiver = mac_address_of(3), .transmitter = mac_address_of(5),
                                      .bssid = mac_bssid, .payload = message, .payload_len = 10}, sent;
            open_one(&cfg);
            hear(&frame, 1 * MS);
            if (follows)
                ck_assert_int_eq(feed(MAC_EV_LOCK, 1 * MS + nav_timeout_ns), 0);
            frame.duration_us = 0;
            if (follows)
                hear(&frame, 1 * MS + 500 * US);
            send(2 * MS, mac_address_of(4), 100);
            int64_t start_ns = next_frame(&sent);
            if (follows)
                ck_assert_int_ge(start_ns, 31 * MS + DIFS);
            else
                ck_assert_int_eq(start_ns, 2 * MS);
            sim_close(&s);
        }
}
END_TEST

START_TEST(until_navtimeout_has_passed_the_reservation_stands)
{
    struct mac_config cfg = sim_config_11a();
    struct mac_frame frame = {.kind = MAC_FRAME_RTS, .duration_us = 30000, .receiver = mac_address_of(3), .transmitter = mac_address_of(5)}, sent;
    open_one(&cfg);
    hear(&frame, 1 * MS);
    send(1 * MS + 1, mac_address_of(4), 100);
    int64_t start_ns = next_frame(&sent);
    ck_assert_int_ge(start_ns, 1 * MS + nav_timeout_ns + DIFS);
    ck_assert_int_le(start_ns, 1 * MS + nav_timeout_ns + DIFS + 15 * SLOT);
    ck_assert_int_eq((start_ns - 1 * MS - nav_timeout_ns - DIFS) % SLOT, 0);
    sim_close(&s);
}
END_TEST

START_TEST(what_a_cts_reserves_beyond_the_longest_frame_is_cut)
{
    struct mac_config cfg = sim_config_11a();
    struct mac_frame cts = {.kind = MAC_FRAME_CTS, .duration_us = 32767, .receiver = mac_address_of(3)}, sent;
    open_one(&cfg);
    hear(&cts, 1 * MS);
    send(1 * MS + 1, mac_address_of(4), 100);
    int64_t longest_ns = sim_airtime_11a(NULL, MAC_MAX_MPDU_BYTES, 0) + 2 * SIFS + ACK_NS, start_ns = next_frame(&sent);
    ck_assert_int_ge(start_ns, 1 * MS + longest_ns + DIFS);
    ck_assert_int_le(start_ns, 1 * MS + longest_ns + DIFS + 15 * SLOT);
    ck_assert_uint_eq(stats().nav_cut, 1);
    sim_close(&s);
}
END_TEST

static void send_again(struct sim *sim, size_t i, const struct mac_report *report)
{
    (void)report;
    if (i != 0)
        SIM_REQUIRE(sim_send(sim, i, mac_address_of(0), MAC_CAT_DATA, message, 996) == 0);
}

static uint64_t count(const struct sim *sim, uint64_t (*of)(const struct mac_stats *stats))
{
    uint64_t n = 0;
    for (size_t i = 0; i < sim->n; i++) {
        struct mac_stats one = sim_stats(sim, i);
        n += of(&one);
    }
    return n;
}

static uint64_t acked(const struct mac_stats *one)
{
    return one->acked;
}

static uint64_t no_ack(const struct mac_stats *one)
{
    return one->no_ack;
}

/* A and C do not hear each other and both send to B. */
static double saturate_hidden(struct mac_config *cfg, int64_t duration_ns, double *p_out)
{
    cfg->seed = 11;
    sim_open(&s, 3, cfg);
    s.deaf_to[1][2] = s.deaf_to[2][1] = true;
    s.on_report = send_again;
    for (size_t i = 1; i < 3; i++)
        for (int k = 0; k < 2; k++)
            send_again(&s, i, NULL);
    sim_run_until(&s, duration_ns);
    uint64_t n_acked = count(&s, acked), n_not = count(&s, no_ack);
    *p_out = (double)n_not / (double)(n_acked + n_not);
    double s_mbps = (double)n_acked * 8000.0 / ((double)duration_ns / 1000.0);
    sim_close(&s);
    return s_mbps;
}

START_TEST(hidden_stations_are_as_bad_and_rts_helps_as_much_as_published)
{
    double p;
    struct mac_config cfg = sim_config_11a();
    double s_mbps = saturate_hidden(&cfg, 60000 * MS, &p);
    printf("hidden, basic: S %.3f Mb/s (1.274), p %.3f (.810)\n", s_mbps, p);
    ck_assert_double_eq_tol(s_mbps, 1.274, .04 * 1.274);
    ck_assert_double_eq_tol(p, .810, .01);
    cfg = config_rts();
    cfg.profile.rts_retry_limit = 0;
    s_mbps = saturate_hidden(&cfg, 30000 * MS, &p);
    printf("hidden, RTS: S %.3f Mb/s (4.651), %.4f of data frames lost\n", s_mbps, p);
    ck_assert_double_eq_tol(s_mbps, 4.651, .01 * 4.651);
}
END_TEST

static bool is_quiet(const struct sim *sim)
{
    for (size_t i = 0; i < sim->n; i++)
        if (sim->stations[i].on_air || sim->stations[i].waiting)
            return false;
    return true;
}

/* Honest stations exchange frames while a stranger reserves 32767 us forty times a second. */
static uint64_t attack(enum mac_frame_kind kind, bool group, bool armed)
{
    struct mac_config cfg = sim_config_11a();
    sim_open(&s, 4, &cfg);
    s.on_report = send_again;
    for (size_t i = 1; i < 4; i++)
        for (int k = 0; k < 2; k++)
            send_again(&s, i, NULL);
    struct mac_frame frame = {.kind = kind, .duration_us = 32767, .receiver = group ? mac_broadcast : mac_address_of(77),
        .transmitter = mac_address_of(66), .bssid = mac_bssid, .payload = message, .payload_len = 4};
    for (int k = 0; k < 80; k++) {
        sim_run_until(&s, (k + 1) * 25 * MS);
        while (!is_quiet(&s)) /* all are there to hear it */
            sim_run_until(&s, sim_next_ns(&s));
        struct mac_event event = {.kind = MAC_EV_FRAME};
        uint8_t mpdu[100];
        event.frame.mpdu = mpdu;
        ck_assert_int_eq(mac_frame_write(&frame, mpdu, sizeof mpdu, &event.frame.len_bytes), 0);
        event.frame.quality = (struct mac_rx_quality){.start_ns = s.now_ns - 60 * US, .end_ns = s.now_ns, .header_ok = true, .fcs_ok = true,
            .head_dbfs = -40, .rssi_dbfs = -40, .rise_ns = -1};
        for (size_t i = 0; armed && i < 4; i++)
            SIM_REQUIRE(sim_feed(&s, i, &event) == 0);
    }
    uint64_t n = count(&s, acked);
    sim_close(&s);
    return n;
}

START_TEST(forty_reservations_of_32767_us_a_second_leave_honest_stations_half_of_the_medium)
{
    static const enum mac_frame_kind kinds[] = {MAC_FRAME_RTS, MAC_FRAME_CTS, MAC_FRAME_ACK, MAC_FRAME_DATA, MAC_FRAME_DATA};
    uint64_t unarmed = attack(MAC_FRAME_RTS, false, false);
    for (size_t i = 0; i < 5; i++) {
        uint64_t n = attack(kinds[i], i == 4, true);
        printf("reservation by frames of kind %d%s: %.3f of the goodput is left\n", kinds[i], i == 4 ? " to all" : "", (double)n / (double)unarmed);
        ck_assert_uint_ge(2 * n, unarmed);
        ck_assert_uint_lt(n, unarmed);
    }
}
END_TEST

static void send_to_next(struct sim *sim, size_t i, const struct mac_report *report)
{
    (void)report;
    SIM_REQUIRE(sim_send(sim, i, mac_address_of((uint32_t)((i + 1) % sim->n)), MAC_CAT_DATA, message, 996) == 0);
}

START_TEST(saturated_slotted_aloha_carries_what_the_closed_form_says)
{
    static const size_t ns[] = {2, 5, 20};
    for (size_t k = 0; k < 3; k++) {
        size_t n = ns[k];
        struct mac_config cfg = sim_config_11a();
        cfg.profile.access = MAC_ACCESS_SLOTTED_ALOHA;
        cfg.profile.aloha_slot_ns = 1600 * US; /* 1408 + 16 + 44 us, and the time-out */
        cfg.profile.aloha_one_in = (unsigned)n;
        cfg.profile.retry_limit = 1000;
        cfg.profile.lifetime_ns = INT64_C(1000000000000);
        sim_open(&s, n, &cfg);
        s.on_report = send_to_next;
        for (size_t i = 0; i < n; i++)
            for (int j = 0; j < 2; j++)
                send_to_next(&s, i, NULL);
        const uint64_t n_slots = 40000;
        sim_run_until(&s, (int64_t)n_slots * cfg.profile.aloha_slot_ns);
        double got = (double)count(&s, acked) / (double)n_slots, want = pow(1 - 1.0 / (double)n, (double)n - 1);
        double error = sqrt(want * (1 - want) / (double)n_slots);
        printf("slotted Aloha, n = %zu: %.4f of the slots (%.4f), z = %.2f\n", n, got, want, (got - want) / error);
        ck_assert_double_eq_tol(got, want, 3.5 * error);
        sim_close(&s);
    }
}
END_TEST

START_TEST(pure_aloha_sends_at_once_whatever_is_on_the_air_and_retries_after_a_draw)
{
    struct mac_config cfg = sim_config_11a();
    struct mac_frame frame;
    cfg.profile.access = MAC_ACCESS_ALOHA;
    cfg.profile.aloha_slot_ns = 2 * MS;
    open_one(&cfg);
    ck_assert_int_eq(feed(MAC_EV_CCA_BUSY, 500 * US), 0);
    ck_assert_int_eq(feed(MAC_EV_LOCK, 520 * US), 0);
    send(1 * MS, mac_address_of(3), 100);
    int64_t start_ns = next_frame(&frame), spread_ns = 0;
    ck_assert_int_eq(start_ns, 1 * MS);
    for (int i = 0; i < 6; i++) {
        int64_t end_ns = start_ns + sim_airtime_11a(NULL, 136, 0);
        ck_assert_int_eq(feed(MAC_EV_TX_DONE, end_ns), 0);
        start_ns = next_frame(&frame);
        ck_assert(frame.retry);
        spread_ns = start_ns - end_ns > spread_ns ? start_ns - end_ns : spread_ns;
        ck_assert_int_le(start_ns - end_ns, 1024 * cfg.profile.aloha_slot_ns);
    }
    ck_assert_int_gt(spread_ns, 16 * MS); /* in units of frames, not of slots of 9 us */
    sim_close(&s);
}
END_TEST

static uint64_t first_of[MAC_N_CATEGORIES], n_rounds;

static void note_category(struct sim *sim, size_t i, const struct mac_delivery *delivery)
{
    (void)sim;
    if (i == 0 && n_rounds % 2 == 0) {
        first_of[delivery->len_bytes - 100]++;
        n_rounds++;
    }
}

START_TEST(under_edca_each_category_contends_by_itself_with_its_own_aifsn)
{
    struct mac_config cfg = sim_config_11a();
    cfg.profile.edca = true;
    for (unsigned c = 0; c < MAC_N_CATEGORIES; c++)
        cfg.profile.aifsn[c] = 2 + 4 * c;
    sim_open(&s, 2, &cfg);
    s.on_delivery = note_category;
    for (int k = 0; k < 2000; k++) {
        n_rounds = 0;
        SIM_REQUIRE(sim_send(&s, 0, mac_broadcast, MAC_CAT_DATA, message, 500) == 0);
        while (!s.stations[0].on_air) /* AIFS counts from the end of what is on the air */
            sim_run_until(&s, sim_next_ns(&s));
        for (unsigned c = MAC_N_CATEGORIES; c-- > 0;)
            SIM_REQUIRE(sim_send(&s, 1, mac_broadcast, (enum mac_category)c, message, 100 + c) == 0);
        sim_run_until(&s, s.now_ns + 20 * MS);
    }
    printf("first of four: %llu votes, %llu proposals, %llu gossip, %llu data\n", (unsigned long long)first_of[0],
           (unsigned long long)first_of[1], (unsigned long long)first_of[2], (unsigned long long)first_of[3]);
    /* windows of 16 slots, each AIFS 4 slots later than the one above; a tie goes to the higher */
    double want[MAC_N_CATEGORIES] = {0};
    for (int v = 0; v < 16 * 16 * 16 * 16; v++) {
        int best = 0, at[4];
        for (int c = 0, left = v; c < 4; c++, left /= 16) {
            at[c] = left % 16 + 4 * c;
            best = at[c] < at[best] ? c : best;
        }
        want[best] += 1.0 / 65536;
    }
    for (int c = 0; c < 4; c++) {
        double got = (double)first_of[c] / 2000, error = sqrt(want[c] * (1 - want[c]) / 2000);
        ck_assert_double_eq_tol(got, want[c], 3.5 * error + 1e-9);
    }
    sim_close(&s);
}
END_TEST

START_TEST(ten_thousand_strangers_do_not_keep_honest_fragments_from_becoming_a_message)
{
    struct mac_config cfg = sim_config_11a();
    cfg.profile.fragment_bytes = 300;
    open_one(&cfg);
    int64_t now_ns = 1 * MS;
    struct mac_frame honest = data_of(0, 1, false), other = data_of(0, 1, false);
    other.receiver = mac_broadcast;
    size_t n_delivered = 0;
    honest.receiver = mac_broadcast;
    honest.last_fragment = 3;
    other.last_fragment = 9;
    honest.payload_len = other.payload_len = 256;
    for (uint32_t i = 0; i < 10000; i++) {
        other.transmitter = mac_address_of(1000 + i);
        other.fragment = (uint8_t)(i % 10);
        hear(&other, now_ns += 100 * US);
        n_delivered += out.n_deliveries;
        if (i % 20 >= 4)
            continue;
        honest.message_id = (uint16_t)(i / 20);
        honest.sequence = (uint16_t)(i % 4096);
        honest.fragment = (uint8_t)(i % 20);
        hear(&honest, now_ns += 100 * US);
        n_delivered += out.n_deliveries;
    }
    ck_assert_uint_eq(n_delivered, 500);
    struct mac_stats got = stats();
    ck_assert_uint_eq(got.reassembled, 500);
    ck_assert_uint_ge(got.reassembly_dropped, 9000);
    sim_close(&s);
}
END_TEST

static uint64_t n_kinds[5];

/* Each frame as text2pcap reads it. */
static bool keep_frame(struct sim *sim, size_t i, const struct mac_update *frame)
{
    struct mac_frame read;
    FILE *file = sim->ctx;
    (void)i;
    SIM_REQUIRE(mac_frame_read(frame->mpdu, frame->mpdu_len, &read) == 0);
    n_kinds[read.kind]++;
    for (size_t k = 0; file && k < frame->mpdu_len; k++) {
        if (k % 16 == 0)
            fprintf(file, "\n%06zx", k);
        fprintf(file, " %02x", frame->mpdu[k]);
    }
    if (file)
        fprintf(file, "\n");
    return true;
}

START_TEST(an_exchange_has_every_kind_of_frame)
{
    const char *path = getenv("AIRDEED_KEEP_FRAMES");
    struct mac_config cfg = config_rts();
    cfg.profile.rts_threshold_bytes = 300;
    cfg.profile.cts_to_self = true;
    sim_open(&s, 3, &cfg);
    s.loss = .1;
    s.gate = keep_frame;
    s.ctx = path ? fopen(path, "w") : NULL;
    for (int k = 0; k < 40; k++) {
        size_t len = k % 4 == 3 ? 4000 : (size_t)(k * 20 + 1);
        SIM_REQUIRE(sim_send(&s, (size_t)k % 3, k % 2 ? mac_broadcast : mac_address_of((uint32_t)(k + 1) % 3), MAC_CAT_VOTE, message, len) == 0);
        sim_run_until(&s, s.now_ns + 100 * MS);
    }
    if (s.ctx)
        fclose(s.ctx);
    for (int kind = MAC_FRAME_DATA; kind <= MAC_FRAME_CTS; kind++)
        ck_assert_uint_gt(n_kinds[kind], 5);
    ck_assert_uint_eq(n_kinds[MAC_FRAME_OTHER], 0);
    sim_close(&s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("instants");
    tcase_add_test(tc, a_frame_over_the_threshold_follows_rts_and_cts);
    tcase_add_test(tc, an_rts_is_retried_as_often_as_its_own_limit_says);
    tcase_add_test(tc, an_rts_is_answered_only_where_nobody_else_has_reserved);
    tcase_add_test(tc, a_long_group_frame_follows_a_cts_to_oneself_where_asked_for);
    tcase_add_test(tc, a_reservation_that_nothing_follows_is_dropped);
    tcase_add_test(tc, until_navtimeout_has_passed_the_reservation_stands);
    tcase_add_test(tc, what_a_cts_reserves_beyond_the_longest_frame_is_cut);
    tcase_add_test(tc, pure_aloha_sends_at_once_whatever_is_on_the_air_and_retries_after_a_draw);
    tcase_add_test(tc, ten_thousand_strangers_do_not_keep_honest_fragments_from_becoming_a_message);
    suite_add_tcase(suite, tc);
    tc = tcase_create("frames");
    tcase_add_test(tc, an_exchange_has_every_kind_of_frame);
    suite_add_tcase(suite, tc);
    tc = tcase_create("many");
    tcase_add_test(tc, hidden_stations_are_as_bad_and_rts_helps_as_much_as_published);
    tcase_add_test(tc, forty_reservations_of_32767_us_a_second_leave_honest_stations_half_of_the_medium);
    tcase_add_test(tc, saturated_slotted_aloha_carries_what_the_closed_form_says);
    tcase_add_test(tc, under_edca_each_category_contends_by_itself_with_its_own_aifsn);
    suite_add_tcase(suite, tc);
}
