#define SUITE_NAME "mac queue"
#include "tests/unit/check_main.h"

#include "mac/draw.h"
#include "mac/queue.h"
#include "tests/unit/mac/one.h"

#include <string.h>

static struct mac_queue q;
static _Alignas(64) uint8_t items[1 << 16], links[1 << 16], chunks[1 << 20];
static uint8_t octets[MAC_MAX_MESSAGE_BYTES], copy[MAC_MAX_MESSAGE_BYTES];

static void open_queue(size_t n_messages, size_t n_bytes)
{
    struct mac_config cfg = {.queue_messages = n_messages, .queue_bytes = n_bytes};
    ck_assert_uint_le(mac_queue_items_bytes(&cfg), sizeof items);
    ck_assert_uint_le(mac_queue_links_bytes(&cfg), sizeof links);
    ck_assert_uint_le(mac_queue_chunks_bytes(&cfg), sizeof chunks);
    mac_queue_init(&q, &cfg, items, links, chunks);
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(i * 31 + (i >> 8) * 17);
}

START_TEST(messages_come_out_in_order_with_their_octets)
{
    static const size_t lengths[] = {1, 255, 256, 257, 1000, 65536};
    open_queue(8, 100000);
    for (size_t i = 0; i < 6; i++)
        ck_assert_ptr_nonnull(mac_queue_push(&q, MAC_CAT_GOSSIP, octets + i, lengths[i] - (i == 5 ? 5 : 0)));
    for (size_t i = 0; i < 6; i++) {
        const struct mac_queue_item *head = mac_queue_head(&q, MAC_CAT_GOSSIP);
        size_t len = lengths[i] - (i == 5 ? 5 : 0), half = len / 2;
        ck_assert_uint_eq(head->len_bytes, len);
        mac_queue_copy(&q, head, 0, half, copy);
        mac_queue_copy(&q, head, half, len - half, copy + half);
        ck_assert_mem_eq(copy, octets + i, len);
        mac_queue_pop(&q, MAC_CAT_GOSSIP);
    }
    ck_assert_ptr_null(mac_queue_head(&q, MAC_CAT_GOSSIP));
}
END_TEST

START_TEST(a_full_category_leaves_room_for_the_others)
{
    open_queue(2, 1000);
    ck_assert_ptr_nonnull(mac_queue_push(&q, MAC_CAT_DATA, octets, 10));
    ck_assert_ptr_nonnull(mac_queue_push(&q, MAC_CAT_DATA, octets, 10));
    ck_assert_ptr_null(mac_queue_push(&q, MAC_CAT_DATA, octets, 10));
    ck_assert_ptr_nonnull(mac_queue_push(&q, MAC_CAT_VOTE, octets, 980));
    ck_assert_ptr_null(mac_queue_push(&q, MAC_CAT_VOTE, octets, 1));
}
END_TEST

START_TEST(the_oldest_message_of_a_category_says_since_when_it_waits)
{
    struct mac_config cfg = sim_config_11a();
    open_one(&cfg);
    ck_assert_int_eq(feed(MAC_EV_CCA_BUSY, MS), 0);
    ck_assert_int_eq(mac_waiting_since(mac, MAC_CAT_DATA), INT64_MAX);
    send(2 * MS, mac_broadcast, 100);
    send(5 * MS, mac_broadcast, 100);
    ck_assert_int_eq(mac_waiting_since(mac, MAC_CAT_DATA), 2 * MS);
    ck_assert_int_eq(mac_waiting_since(mac, MAC_CAT_VOTE), INT64_MAX);
    ck_assert_int_eq(feed(MAC_EV_CCA_IDLE, 9 * MS), 0);
    ck_assert_int_eq(feed(MAC_EV_TICK, mac_deadline(mac)), 0);
    ck_assert_int_eq(mac_waiting_since(mac, MAC_CAT_DATA), 2 * MS); /* on the air */
    ck_assert_int_eq(feed(MAC_EV_TX_DONE, 10 * MS), 0);
    ck_assert_int_eq(mac_waiting_since(mac, MAC_CAT_DATA), 5 * MS); /* from when it was given, not from when it came to the head */
    sim_close(&s);
}
END_TEST

START_TEST(as_many_octets_fit_as_are_configured_however_they_are_cut)
{
    struct mac_draw_key key = {.seed = 2};
    uint64_t c = 0;
    open_queue(16, 20000);
    for (int trial = 0; trial < 20000; trial++) {
        enum mac_category category = (enum mac_category)(mac_draw(&key, MAC_DRAW_BACKOFF, c++) % MAC_N_CATEGORIES);
        size_t len = 1 + mac_draw(&key, MAC_DRAW_BACKOFF, c++) % 3000;
        bool fits = q.count[category] < 16 && q.bytes_used + len <= 20000;
        if ((mac_queue_push(&q, category, octets, len) != NULL) != fits)
            ck_abort_msg("trial %d", trial);
        category = (enum mac_category)(mac_draw(&key, MAC_DRAW_BACKOFF, c++) % MAC_N_CATEGORIES);
        const struct mac_queue_item *head = mac_queue_head(&q, category);
        if (!head)
            continue;
        mac_queue_copy(&q, head, 0, head->len_bytes, copy);
        if (memcmp(copy, octets, head->len_bytes) != 0)
            ck_abort_msg("trial %d: other octets", trial);
        mac_queue_pop(&q, category);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("queue");
    tcase_add_test(tc, messages_come_out_in_order_with_their_octets);
    tcase_add_test(tc, a_full_category_leaves_room_for_the_others);
    tcase_add_test(tc, the_oldest_message_of_a_category_says_since_when_it_waits);
    tcase_add_test(tc, as_many_octets_fit_as_are_configured_however_they_are_cut);
    suite_add_tcase(suite, tc);
}
