/* Reassembly and the duplicate filter, fed with fragments in every order. */
#define SUITE_NAME "mac fragment"
#include "tests/unit/check_main.h"

#include "mac/draw.h"
#include "mac/dup.h"
#include "mac/fragment.h"

#include <string.h>

enum { N_SLOTS = 3 };

static struct mac_reassembly r;
static struct mac_reassembly_slot slots[N_SLOTS];
static uint8_t buffers[N_SLOTS * MAC_REASSEMBLY_BYTES];
static uint8_t message[MAC_MAX_MESSAGE_BYTES];
static const uint8_t *got;
static size_t got_len;

static void open_reassembly(void)
{
    mac_reassembly_init(&r, slots, N_SLOTS, buffers, 1000);
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 13 + (i >> 8));
}

static bool add(uint32_t from, uint16_t id, size_t len, size_t payload, unsigned fragment, int64_t now_ns)
{
    unsigned last = (unsigned)((len - 1) / payload);
    struct mac_frame frame = {.kind = MAC_FRAME_DATA, .ours = true, .receiver = mac_broadcast, .transmitter = mac_address_of(from),
                              .message_id = id, .fragment = (uint8_t)fragment, .last_fragment = (uint8_t)last,
                              .payload = message + fragment * payload,
                              .payload_len = fragment < last ? payload : len - last * payload};
    return mac_reassembly_add(&r, &frame, now_ns, &got, &got_len);
}

START_TEST(fragments_in_any_order_and_twice_give_the_message_once)
{
    struct mac_draw_key key = {.seed = 8};
    uint64_t c = 0;
    open_reassembly();
    for (int trial = 0; trial < 500; trial++) {
        size_t payload = 256 + mac_draw(&key, MAC_DRAW_BACKOFF, c++) % 1000;
        size_t len = payload + 1 + mac_draw(&key, MAC_DRAW_BACKOFF, c++) % (20 * payload);
        unsigned n = (unsigned)((len - 1) / payload) + 1, order[256], n_done = 0;
        for (unsigned i = 0; i < n; i++) {
            unsigned k = (unsigned)(mac_draw(&key, MAC_DRAW_BACKOFF, c++) % (i + 1));
            order[i] = order[k];
            order[k] = i;
        }
        for (unsigned i = 0; i < n; i++) {
            bool done = add(1, (uint16_t)trial, len, payload, order[i], 10);
            n_done += done;
            if (done && (i + 1 != n || got_len != len || memcmp(got, message, len) != 0))
                ck_abort_msg("trial %d: not the message", trial);
            if (i > 0 && i + 1 < n)
                n_done += add(1, (uint16_t)trial, len, payload, order[i - 1], 10);
        }
        if (n_done != 1)
            ck_abort_msg("trial %d: delivered %u times", trial, n_done);
    }
    ck_assert_uint_eq(r.n_done, 500);
    ck_assert_uint_eq(r.n_dropped, 0);
}
END_TEST

START_TEST(messages_of_several_stations_grow_side_by_side)
{
    open_reassembly();
    for (unsigned i = 0; i < 10; i++)
        for (uint32_t from = 0; from < 3; from++)
            ck_assert_int_eq(add(from, 5, 3000, 300, i, 0), i == 9);
}
END_TEST

START_TEST(the_longest_message_fits_its_last_fragment_first)
{
    open_reassembly();
    for (int i = 255; i >= 0; i--)
        ck_assert_int_eq(add(1, 1, 65536, 256, (unsigned)i, 0), i == 0);
    ck_assert_uint_eq(got_len, 65536);
    ck_assert_mem_eq(got, message, got_len);
}
END_TEST

START_TEST(what_is_not_whole_in_time_is_dropped_and_counted)
{
    open_reassembly();
    ck_assert(!add(1, 1, 1000, 300, 0, 0));
    ck_assert_int_eq(mac_reassembly_deadline(&r), 1000);
    mac_reassembly_expire(&r, 999);
    ck_assert_uint_eq(r.n_dropped, 0);
    mac_reassembly_expire(&r, 1000);
    ck_assert_uint_eq(r.n_dropped, 1);
    ck_assert_int_eq(mac_reassembly_deadline(&r), INT64_MAX);
}
END_TEST

START_TEST(more_messages_than_slots_drop_the_oldest)
{
    open_reassembly();
    for (uint16_t id = 0; id < 5; id++)
        ck_assert(!add(1, id, 1000, 300, 0, id));
    ck_assert_uint_eq(r.n_dropped, 2);
    for (unsigned i = 1; i < 4; i++)
        ck_assert_int_eq(add(1, 4, 1000, 300, i, 6), i == 3);
}
END_TEST

START_TEST(fragments_that_contradict_each_other_are_dropped)
{
    open_reassembly();
    ck_assert(!add(1, 1, 1000, 300, 0, 0));
    ck_assert(!add(1, 1, 1000, 299, 1, 0)); /* another length */
    ck_assert_uint_eq(r.n_dropped, 1);
    ck_assert(!add(1, 2, 1000, 300, 0, 0));
    ck_assert(!add(1, 2, 2000, 300, 1, 0)); /* another count */
    ck_assert_uint_eq(r.n_dropped, 2);
    struct mac_frame frame = {.ours = true, .transmitter = mac_address_of(1), .message_id = 3, .fragment = 0, .last_fragment = 255,
                              .payload = message, .payload_len = 257}; /* 255 * 257 + 1 octet is the least it can be: fits */
    ck_assert(!mac_reassembly_add(&r, &frame, 0, &got, &got_len));
    ck_assert_uint_eq(r.n_dropped, 2);
    frame.message_id = 4;
    frame.payload_len = 258; /* more than any message */
    ck_assert(!mac_reassembly_add(&r, &frame, 0, &got, &got_len));
    ck_assert_uint_eq(r.n_dropped, 3);
    frame.message_id = 5;
    frame.payload_len = 0;
    ck_assert(!mac_reassembly_add(&r, &frame, 0, &got, &got_len));
    ck_assert_uint_eq(r.n_dropped, 4);
}
END_TEST

static struct mac_frame numbered(uint32_t from, uint16_t sequence, bool retry)
{
    return (struct mac_frame){.transmitter = mac_address_of(from), .sequence = sequence, .retry = retry};
}

START_TEST(a_retry_of_what_was_seen_is_a_duplicate)
{
    struct mac_dup_peer peers[2];
    struct mac_dup dup;
    mac_dup_init(&dup, peers, 2, 1000);
    struct mac_frame first = numbered(1, 4095, false), again = numbered(1, 4095, true), other = numbered(2, 4095, true);
    ck_assert(!mac_dup_check(&dup, &first, 0));
    ck_assert(mac_dup_check(&dup, &again, 0));
    ck_assert(!mac_dup_check(&dup, &other, 0)); /* another station's */
    ck_assert(!mac_dup_check(&dup, &first, 0)); /* no retry: the numbers have come round */
    for (uint16_t i = 0; i < MAC_DUP_DEPTH; i++) {
        struct mac_frame next = numbered(1, i, false);
        ck_assert(!mac_dup_check(&dup, &next, 0));
    }
    ck_assert(!mac_dup_check(&dup, &again, 0)); /* forgotten */
}
END_TEST

START_TEST(the_station_not_heard_for_longest_is_forgotten_first)
{
    struct mac_dup_peer peers[2];
    struct mac_dup dup;
    mac_dup_init(&dup, peers, 2, 1000);
    for (uint32_t from = 1; from <= 3; from++) {
        struct mac_frame frame = numbered(from, 7, false);
        ck_assert(!mac_dup_check(&dup, &frame, 0));
    }
    struct mac_frame second = numbered(2, 7, true), first = numbered(1, 7, true);
    ck_assert(mac_dup_check(&dup, &second, 0));
    ck_assert(!mac_dup_check(&dup, &first, 0));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("fragments");
    tcase_add_test(tc, fragments_in_any_order_and_twice_give_the_message_once);
    tcase_add_test(tc, messages_of_several_stations_grow_side_by_side);
    tcase_add_test(tc, the_longest_message_fits_its_last_fragment_first);
    tcase_add_test(tc, what_is_not_whole_in_time_is_dropped_and_counted);
    tcase_add_test(tc, more_messages_than_slots_drop_the_oldest);
    tcase_add_test(tc, fragments_that_contradict_each_other_are_dropped);
    tcase_add_test(tc, a_retry_of_what_was_seen_is_a_duplicate);
    tcase_add_test(tc, the_station_not_heard_for_longest_is_forgotten_first);
    suite_add_tcase(suite, tc);
}
