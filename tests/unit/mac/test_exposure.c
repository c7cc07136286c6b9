/* How much of a message is on the air at once, as the caller changes it. */
#define SUITE_NAME "mac exposure"
#include "tests/unit/check_main.h"
#include "tests/unit/mac/one.h"

#include <errno.h>

#include "mac/fragment.h"

enum { FRAGMENT = 600 };

static int expose(int64_t now_ns, unsigned copies, unsigned rate, size_t fragment_bytes)
{
    struct mac_event event = {.kind = MAC_EV_EXPOSE, .now_ns = now_ns};
    event.expose = (struct mac_exposure){.copies = copies, .rate_index = rate, .fragment_bytes = fragment_bytes};
    return mac_step(mac, &event, &out);
}

/* The next frame, which leaves; returns its end. */
static int64_t leave(struct mac_frame *frame, int64_t after_ns)
{
    int64_t start_ns = next_frame(frame);
    ck_assert_int_ge(start_ns, after_ns);
    int64_t end_ns = start_ns + sim_airtime_11a(NULL, out.mpdu_len, out.rate_index);
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, end_ns), 0);
    return end_ns;
}

START_TEST(each_fragment_to_all_goes_twice_and_each_time_contends)
{
    struct mac_config cfg = sim_config_11a();
    struct mac_frame first, again;
    open_one(&cfg);
    size_t payload = FRAGMENT - MAC_LLC_BYTES - MAC_FRAGMENT_HEADER_BYTES;
    ck_assert_int_eq(expose(MS, 2, 1, FRAGMENT), 0);
    send(MS, mac_broadcast, 2 * payload + 10);
    int64_t end_ns = MS;
    for (unsigned i = 0; i < 3; i++) {
        end_ns = leave(&first, end_ns + (i ? DIFS : 0));
        ck_assert_uint_eq(out.n_reports, 0);
        end_ns = leave(&again, end_ns + DIFS);
        ck_assert(!first.retry && again.retry);
        ck_assert_uint_eq(first.sequence, again.sequence);
        ck_assert_uint_eq(first.fragment, i);
        ck_assert_uint_eq(again.fragment, i);
        ck_assert_uint_eq(first.last_fragment, 2);
        ck_assert_uint_eq(again.payload_len, i < 2 ? payload : 10);
        ck_assert_uint_eq(first.duration_us, 0);
    }
    ck_assert_uint_eq(out.n_reports, 1);
    ck_assert_int_eq(out.reports[0].result, MAC_SENT);
    ck_assert_uint_eq(out.reports[0].attempts, 6);
    ck_assert_uint_eq(stats().sent_broadcast, 6);
    sim_close(&s);
}
END_TEST

START_TEST(the_rate_changes_and_comes_back)
{
    struct mac_config cfg = sim_config_11a();
    struct mac_frame frame;
    open_one(&cfg);
    ck_assert_int_eq(expose(MS, 1, 1, FRAGMENT), 0);
    send(MS, mac_broadcast, 100);
    next_frame(&frame);
    ck_assert_uint_eq(out.rate_index, 1);
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, mac_deadline(mac)), 0);
    ck_assert_int_eq(expose(10 * MS, 0, 0, 0), 0);
    send(10 * MS, mac_broadcast, 2 * FRAGMENT);
    next_frame(&frame);
    ck_assert_uint_eq(out.rate_index, cfg.profile.basic_rate);
    ck_assert_uint_eq(frame.last_fragment, 0);
    sim_close(&s);
}
END_TEST

START_TEST(what_is_acknowledged_goes_once_and_falls_back_to_the_basic_rate)
{
    struct mac_config cfg = sim_config_11a();
    struct mac_frame frame;
    cfg.profile.data_rate = 0;
    open_one(&cfg);
    ck_assert_int_eq(expose(MS, 2, 1, FRAGMENT), 0);
    send(MS, mac_address_of(3), 100);
    for (unsigned i = 0; i < 4; i++) {
        int64_t start_ns = next_frame(&frame);
        ck_assert_uint_eq(out.rate_index, i < 3 ? 1 : cfg.profile.basic_rate);
        ck_assert_int_eq(feed(MAC_EV_TX_DONE, start_ns + sim_airtime_11a(NULL, out.mpdu_len, out.rate_index)), 0);
        ck_assert_int_eq(feed(MAC_EV_TICK, mac_deadline(mac)), 0); /* no ACK comes */
    }
    ck_assert_uint_eq(stats().no_ack, 4);
    sim_close(&s);
}
END_TEST

START_TEST(a_message_that_waits_keeps_its_fragments)
{
    struct mac_config cfg = sim_config_11a();
    struct mac_frame frame;
    open_one(&cfg);
    send(MS, mac_broadcast, 2 * FRAGMENT);
    ck_assert_int_eq(expose(MS, 1, 1, FRAGMENT), 0);
    next_frame(&frame);
    ck_assert_uint_eq(frame.last_fragment, 0);
    ck_assert_uint_eq(frame.payload_len, 2 * FRAGMENT);
    sim_close(&s);
}
END_TEST

START_TEST(a_receiver_delivers_both_copies_once)
{
    struct mac_config cfg = sim_config_11a();
    open_one(&cfg);
    struct mac_frame frame = data_of(7, 3, false);
    frame.receiver = mac_broadcast;
    hear(&frame, 2 * MS);
    ck_assert_uint_eq(out.n_deliveries, 1);
    frame.retry = true;
    hear(&frame, 3 * MS);
    ck_assert_uint_eq(out.n_deliveries, 0);
    ck_assert_uint_eq(stats().rx_duplicate, 1);
    sim_close(&s);
}
END_TEST

START_TEST(what_is_out_of_bounds_is_refused)
{
    struct mac_config cfg = sim_config_11a();
    open_one(&cfg);
    ck_assert_int_eq(expose(MS, MAC_MAX_COPIES + 1, 0, FRAGMENT), -EBADMSG);
    ck_assert_int_eq(expose(MS, 1, 16, FRAGMENT), -EBADMSG);
    ck_assert_int_eq(expose(MS, 1, 0, MAC_MIN_FRAGMENT_BYTES - 1), -EBADMSG);
    ck_assert_int_eq(expose(MS, 1, 0, cfg.profile.fragment_bytes + 1), -EBADMSG);
    ck_assert_uint_eq(stats().bad_event, 4);
    ck_assert_int_eq(expose(MS, MAC_MAX_COPIES, 0, cfg.profile.fragment_bytes), 0);
    sim_close(&s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("exposure");
    tcase_add_test(tc, each_fragment_to_all_goes_twice_and_each_time_contends);
    tcase_add_test(tc, the_rate_changes_and_comes_back);
    tcase_add_test(tc, what_is_acknowledged_goes_once_and_falls_back_to_the_basic_rate);
    tcase_add_test(tc, a_message_that_waits_keeps_its_fragments);
    tcase_add_test(tc, a_receiver_delivers_both_copies_once);
    tcase_add_test(tc, what_is_out_of_bounds_is_refused);
    suite_add_tcase(suite, tc);
}
