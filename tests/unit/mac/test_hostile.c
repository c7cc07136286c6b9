/* Octets and events that no honest caller or station would send, and memory: nothing breaks, everything is counted, and after
 * init nothing is allocated. */
#define SUITE_NAME "mac hostile"
#include "tests/unit/check_main.h"
#include "tests/unit/mac/sim.h"

#include <errno.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* of the sanitizers' run-time library; not every compiler ships the header */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t), void (*on_free)(const volatile void *));

static size_t n_allocations;

static void on_malloc(const volatile void *p, size_t len)
{
    (void)p;
    (void)len;
    n_allocations++;
}

static void on_free(const volatile void *p)
{
    (void)p;
}

static void count_allocations(void)
{
    (void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
extern void *__libc_malloc(size_t len);

static size_t n_allocations;

void *malloc(size_t len)
{
    n_allocations++;
    return __libc_malloc(len);
}

static void count_allocations(void)
{
}
#endif

static struct sim s;
static uint8_t message[MAC_MAX_MESSAGE_BYTES];

static uint64_t next(uint64_t *c)
{
    struct mac_draw_key key = {.seed = 31};
    return mac_draw(&key, MAC_DRAW_BACKOFF, (*c)++);
}

/* A data frame of ours, changed at random, or plain noise. */
static size_t make_mpdu(uint64_t *c, uint8_t *mpdu)
{
    size_t len = next(c) % 120;
    if (next(c) % 4 == 0) {
        for (size_t i = 0; i < len; i++)
            mpdu[i] = (uint8_t)next(c);
        return len;
    }
    struct mac_frame frame = {.kind = (enum mac_frame_kind)(next(c) % 4), .retry = next(c) % 2 != 0, .duration_us = (uint16_t)(next(c) % 200),
        .receiver = next(c) % 2 ? mac_address_of(0) : mac_broadcast, .transmitter = mac_address_of((uint32_t)(next(c) % 5)),
        .bssid = mac_bssid, .sequence = (uint16_t)(next(c) % 64), .message_id = (uint16_t)(next(c) % 4), .last_fragment = (uint8_t)(next(c) % 4),
        .payload = message, .payload_len = next(c) % 40};
    frame.fragment = (uint8_t)(next(c) % (frame.last_fragment + 1u));
    SIM_REQUIRE(mac_frame_write(&frame, mpdu, MAC_MAX_MPDU_BYTES, &len) == 0);
    if (next(c) % 2)
        mpdu[next(c) % len] ^= (uint8_t)(1u << next(c) % 8);
    if (next(c) % 4 == 0)
        len = next(c) % (len + 1);
    return len;
}

START_TEST(mpdus_of_random_octets_are_counted_and_nothing_breaks)
{
    static struct mac_update out;
    struct mac_config cfg = sim_config_11a();
    cfg.profile = mac_profile_dot11_10(44000);
    cfg.max_peers = 4;
    uint64_t c = 0, n_good = 0, n_bad = 0;
    sim_open(&s, 1, &cfg);
    int64_t now_ns = 0;
    for (int i = 0; i < 100000; i++) {
        uint8_t mpdu[MAC_MAX_MPDU_BYTES];
        struct mac_event event = {.kind = MAC_EV_FRAME, .now_ns = now_ns};
        event.frame.len_bytes = make_mpdu(&c, mpdu);
        event.frame.mpdu = mpdu;
        event.frame.quality = (struct mac_rx_quality){.start_ns = now_ns - 500000, .end_ns = now_ns, .header_ok = next(&c) % 8 != 0,
            .fcs_ok = next(&c) % 8 != 0, .head_dbfs = -60, .rssi_dbfs = -60, .rise_ns = (int64_t)(next(&c) % 400000) - 1, .rise_db = 3};
        bool good = event.frame.quality.header_ok && event.frame.quality.fcs_ok;
        n_good += good;
        n_bad += !good;
        SIM_REQUIRE(mac_step(s.stations[0].mac, &event, &out) == 0);
        SIM_REQUIRE(out.n_deliveries <= 1 && (out.n_deliveries == 0 || out.deliveries[0].len_bytes <= MAC_MAX_MESSAGE_BYTES));
        if (out.transmit) {
            SIM_REQUIRE(out.is_response);
            now_ns = out.start_ns + 100000;
            event = (struct mac_event){.kind = MAC_EV_TX_DONE, .now_ns = now_ns};
            SIM_REQUIRE(mac_step(s.stations[0].mac, &event, &out) == 0);
        }
        now_ns += (int64_t)(next(&c) % 1000000);
    }
    struct mac_stats stats = sim_stats(&s, 0);
    ck_assert_uint_eq(stats.rx_fcs_bad + stats.rx_header_bad, n_bad);
    ck_assert_uint_eq(stats.rx_ok + stats.rx_malformed, n_good);
    ck_assert_uint_gt(stats.rx_malformed, 1000);
    ck_assert_uint_gt(stats.rx_own, 100);
    ck_assert_uint_gt(stats.rx_duplicate, 30);
    ck_assert_uint_gt(stats.rx_other, 1000);
    ck_assert_uint_gt(stats.reassembled, 5);
    ck_assert_uint_gt(stats.reassembly_dropped, 100);
    sim_close(&s);
}
END_TEST

/* Fills in what an event of this kind carries, mostly as no caller would. */
static void fill_event(uint64_t *c, struct mac_event *event, uint8_t *mpdu)
{
    int64_t now_ns = event->now_ns;
    if (event->kind == MAC_EV_SEND) {
        event->send.to = next(c) % 2 ? mac_broadcast : mac_address_of(5);
        event->send.category = (enum mac_category)(next(c) % 5);
        event->send.message = message;
        event->send.len_bytes = next(c) % 4000;
    } else if (event->kind == MAC_EV_FRAME) {
        event->frame.len_bytes = make_mpdu(c, mpdu);
        event->frame.mpdu = mpdu;
        event->frame.quality = (struct mac_rx_quality){.start_ns = now_ns - (int64_t)(next(c) % 900000), .end_ns = now_ns,
            .header_ok = true, .fcs_ok = next(c) % 2, .head_dbfs = -60, .rssi_dbfs = -60, .rise_ns = -1};
    } else if (event->kind == MAC_EV_HOLD) {
        event->hold.from_ns = now_ns + (int64_t)(next(c) % 1000000) - 100000;
        event->hold.to_ns = now_ns + (int64_t)(next(c) % 1000000);
    } else if (event->kind == MAC_EV_DEAF) {
        event->deaf.until_ns = now_ns + (int64_t)(next(c) % 500000);
    }
}

START_TEST(random_events_in_any_order_never_break_the_machine)
{
    static struct mac_update out;
    struct mac_config cfg = sim_config_11a();
    cfg.profile = mac_profile_dot11_10(44000);
    cfg.max_peers = 4;
    uint64_t c = 1000000000, n_sent = 0, n_reports = 0, n_taken = 0;
    sim_open(&s, 1, &cfg);
    int64_t now_ns = 0;
    for (int i = 0; i < 300000; i++) {
        uint8_t mpdu[MAC_MAX_MPDU_BYTES];
        enum mac_event_kind kind = (enum mac_event_kind)(next(&c) % 10);
        bool rare = (kind == MAC_EV_HOLD || kind == MAC_EV_DEAF) && next(&c) % 16 != 0;
        int64_t due_ns = mac_deadline(s.stations[0].mac);
        if (rare || next(&c) % 2) {
            kind = MAC_EV_TICK;
            if (due_ns > now_ns && due_ns < now_ns + 2000000)
                now_ns = due_ns;
        }
        struct mac_event event = {.kind = kind, .now_ns = now_ns};
        fill_event(&c, &event, mpdu);
        int rc = mac_step(s.stations[0].mac, &event, &out);
        SIM_REQUIRE(rc == 0 || rc == -EBADMSG || rc == -ENOBUFS);
        n_taken += event.kind == MAC_EV_SEND && rc == 0;
        SIM_REQUIRE(!out.transmit || out.start_ns >= now_ns);
        n_sent += out.transmit;
        n_reports += out.n_reports;
        if (next(&c) % 4 == 0 && mac_deadline(s.stations[0].mac) > now_ns)
            now_ns += (int64_t)(next(&c) % 200000);
    }
    ck_assert_uint_gt(n_sent, 500);
    while (mac_deadline(s.stations[0].mac) != INT64_MAX) { /* and in the end every message has its report */
        if (mac_deadline(s.stations[0].mac) > now_ns)
            now_ns = mac_deadline(s.stations[0].mac);
        struct mac_event tick = {.kind = MAC_EV_TICK, .now_ns = now_ns};
        SIM_REQUIRE(mac_step(s.stations[0].mac, &tick, &out) == 0);
        n_reports += out.n_reports;
    }
    ck_assert_uint_eq(n_reports, n_taken);
    sim_close(&s);
}
END_TEST

START_TEST(nothing_is_allocated_after_init)
{
    struct mac_config cfg = sim_config_11a();
    sim_open(&s, 4, &cfg);
    s.loss = .1;
    count_allocations();
    void *volatile witness = malloc(1); /* the counter counts */
    free(witness);
    ck_assert_uint_gt(n_allocations, 0);
    size_t before = n_allocations;
    for (int i = 0; i < 400; i++) {
        struct mac_address to = i % 3 ? mac_address_of((uint32_t)(i + 1) % 4) : mac_broadcast;
        (void)sim_send(&s, (size_t)i % 4, to, (enum mac_category)(i % 4), message, 1 + (size_t)i * 20);
        sim_run_until(&s, s.now_ns + 3000000);
    }
    size_t after = n_allocations;
    ck_assert_uint_eq(after, before);
    ck_assert_uint_gt(s.n_frames, 400);
    sim_close(&s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("hostile");
    tcase_add_test(tc, mpdus_of_random_octets_are_counted_and_nothing_breaks);
    tcase_add_test(tc, random_events_in_any_order_never_break_the_machine);
    tcase_add_test(tc, nothing_is_allocated_after_init);
    suite_add_tcase(suite, tc);
}
