/* Restarts: a sender or a receiver that has forgotten its past, seen from one MAC. */
#define SUITE_NAME "mac restart"
#include "tests/unit/check_main.h"
#include "tests/unit/mac/one.h"

static size_t deliver(uint16_t sequence, uint16_t message_id, bool retry, int64_t end_ns)
{
    struct mac_frame frame = data_of(sequence, message_id, retry);
    hear(&frame, end_ns);
    size_t n = out.n_deliveries;
    if (out.transmit)
        ck_assert_int_eq(feed(MAC_EV_TX_DONE, end_ns + SIFS + ACK_NS), 0);
    return n;
}

START_TEST(a_sender_that_starts_again_is_not_taken_for_its_past)
{
    struct mac_config cfg = sim_config_11a();
    cfg.profile.lifetime_ns = 500 * MS;
    open_one(&cfg);
    ck_assert_uint_eq(deliver(7, 100, false, 1 * MS), 1);
    ck_assert_uint_eq(deliver(7, 100, true, 2 * MS), 0);
    ck_assert_uint_eq(deliver(7, 101, true, 3 * MS), 1);   /* the number again, another message */
    ck_assert_uint_eq(deliver(7, 100, true, 503 * MS), 1); /* nobody retries for so long */
    sim_close(&s);
    /* and its numbers are drawn anew at each start */
    uint16_t numbers[8];
    for (unsigned i = 0; i < 8; i++) {
        struct mac_frame frame;
        cfg.boot = i;
        open_one(&cfg);
        send(1 * MS, mac_address_of(3), 100);
        (void)next_frame(&frame);
        numbers[i] = (uint16_t)(frame.sequence ^ frame.message_id);
        for (unsigned k = 0; k < i; k++)
            ck_assert_uint_ne(numbers[i], numbers[k]);
        sim_close(&s);
    }
}
END_TEST

START_TEST(a_receiver_that_starts_again_delivers_nothing_that_it_may_have_delivered_before)
{
    struct mac_config cfg = sim_config_11a();
    cfg.profile.lifetime_ns = 500 * MS;
    cfg.boot = 1;
    open_one(&cfg);
    ck_assert_uint_eq(deliver(7, 100, true, 1 * MS), 0);
    ck_assert(!out.transmit); /* nor is it acknowledged: the sender knows that it failed */
    ck_assert_uint_eq(deliver(8, 101, false, 2 * MS), 1);
    ck_assert_uint_eq(deliver(9, 102, true, 3 * MS), 1); /* its first attempt was in this life */
    ck_assert_uint_eq(stats().rx_unsure, 1);
    sim_close(&s);
    open_one(&cfg);
    ck_assert_uint_eq(deliver(6, 99, false, 1 * MS), 1); /* the first event */
    sim_close(&s);
    cfg.boot = 0;
    open_one(&cfg);
    ck_assert_uint_eq(deliver(7, 100, true, 1 * MS), 1);
    sim_close(&s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("restart");
    tcase_add_test(tc, a_sender_that_starts_again_is_not_taken_for_its_past);
    tcase_add_test(tc, a_receiver_that_starts_again_delivers_nothing_that_it_may_have_delivered_before);
    suite_add_tcase(suite, tc);
}
