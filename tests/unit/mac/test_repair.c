/* Messages to all that arrive whole although pieces are lost: a small shared medium in virtual time, one frame at a time. */
#define SUITE_NAME "mac repair"
#include "tests/unit/check_main.h"

#include "mac/draw.h"
#include "mac/repair.h"
#include "mac/repair_wire.h"

#include <stdbool.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STATIONS = 12, FIFO = 8, PIECE_BYTES = 100, MAX_MESSAGE = 1000 };
static const int64_t piece_ns = 2000000, ask_ns = 200000;

struct station {
    struct mac_repair *repair;
    void *memory;
    uint8_t out[FIFO][MAX_MESSAGE];
    size_t out_len[FIFO], n_out;
    unsigned n_delivered;
    uint32_t from;
    uint8_t message[MAX_MESSAGE];
    size_t message_len;
};

struct world {
    unsigned n;
    struct station stations[MAX_STATIONS];
    int64_t now_ns;
    double loss;
    uint64_t seed, n_draws;
    bool (*lost)(struct world *w, unsigned from, unsigned to, const uint8_t *octets, size_t len); /* in place of chance */
    unsigned n_frames;
    bool silent[MAX_STATIONS];
};

static struct mac_repair_config config(unsigned id)
{
    return (struct mac_repair_config){.seed = 3, .station_id = id, .first_serial = 7, .piece_bytes = PIECE_BYTES,
                                      .max_message_bytes = MAX_MESSAGE, .n_messages = 4, .piece_ns = piece_ns, .ask_ns = ask_ns,
                                      .keep_ns = INT64_C(1000000000), .max_asks = 12};
}

static void open_world(struct world *w, unsigned n, double loss, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->n = n;
    w->loss = loss;
    w->seed = seed;
    for (unsigned i = 0; i < n; i++) {
        struct mac_repair_config cfg = config(i);
        const char *bad_field;
        size_t len = mac_repair_bytes(&cfg);
        w->stations[i].memory = malloc(len);
        ck_assert_int_eq(mac_repair_init(w->stations[i].memory, len, &cfg, &w->stations[i].repair, &bad_field), 0);
    }
}

static void close_world(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++)
        free(w->stations[i].memory);
}

static int feed(struct world *w, unsigned i, enum mac_repair_event_kind kind, uint32_t from, const uint8_t *octets, size_t len)
{
    struct station *st = &w->stations[i];
    struct mac_repair_event event = {.kind = kind, .now_ns = w->now_ns, .from = from, .octets = octets, .len_bytes = len};
    struct mac_repair_update update;
    int rc = mac_repair_step(st->repair, &event, &update);
    if (update.has_frame) {
        ck_assert_uint_lt(st->n_out, FIFO);
        memcpy(st->out[st->n_out], update.frame, update.frame_len);
        st->out_len[st->n_out++] = update.frame_len;
    }
    if (update.has_delivery) {
        st->n_delivered++;
        st->from = update.from;
        memcpy(st->message, update.message, update.message_len);
        st->message_len = update.message_len;
    }
    return rc;
}

static bool is_lost(struct world *w, unsigned from, unsigned to, const uint8_t *octets, size_t len)
{
    if (w->silent[from] || w->silent[to])
        return true;
    if (w->lost)
        return w->lost(w, from, to, octets, len);
    struct mac_draw_key key = {.seed = w->seed};
    return (double)(mac_draw(&key, MAC_DRAW_BACKOFF, w->n_draws++) >> 11) / 9007199254740992.0 < w->loss;
}

/* The station whose turn it is sends its oldest frame to all. */
static void send_one(struct world *w, unsigned i)
{
    struct station *st = &w->stations[i];
    uint8_t octets[MAX_MESSAGE];
    size_t len = st->out_len[0];
    memcpy(octets, st->out[0], len);
    st->n_out--;
    memmove(st->out[0], st->out[1], st->n_out * sizeof st->out[0]);
    memmove(st->out_len, st->out_len + 1, st->n_out * sizeof st->out_len[0]);
    w->now_ns += len > MAC_REPAIR_ASK_BYTES ? piece_ns : ask_ns;
    w->n_frames++;
    ck_assert_int_eq(feed(w, i, MAC_REPAIR_EV_LEFT, 0, NULL, 0), 0);
    for (unsigned k = 0; k < w->n; k++)
        if (k != i && !is_lost(w, i, k, octets, len))
            ck_assert_int_eq(feed(w, k, MAC_REPAIR_EV_HEARD, i, octets, len), 0);
}

/* Runs until nobody has anything to do before end_ns. */
static void run_until(struct world *w, int64_t end_ns)
{
    for (unsigned turn = 0; w->now_ns < end_ns; turn++) {
        int64_t next_ns = end_ns;
        unsigned busy = w->n;
        for (unsigned i = 0; i < w->n; i++) {
            struct station *st = &w->stations[i];
            for (unsigned n = 0; mac_repair_deadline(st->repair) <= w->now_ns; n++) {
                ck_assert_uint_lt(n, 100);
                ck_assert_int_eq(feed(w, i, MAC_REPAIR_EV_TICK, 0, NULL, 0), 0);
            }
            if (mac_repair_deadline(st->repair) < next_ns)
                next_ns = mac_repair_deadline(st->repair);
            unsigned at = (turn + i) % w->n;
            if (busy == w->n && w->stations[at].n_out > 0)
                busy = at;
        }
        if (busy < w->n)
            send_one(w, busy);
        else
            w->now_ns = next_ns;
    }
}

static void fill(uint8_t *message, size_t len)
{
    for (size_t i = 0; i < len; i++)
        message[i] = (uint8_t)(i * 7 + i / 256 + 1);
}

static void check_arrived(const struct world *w, unsigned i, unsigned from, const uint8_t *message, size_t len)
{
    const struct station *st = &w->stations[i];
    ck_assert_msg(st->n_delivered == 1, "station %u got %u messages, seed %llu", i, st->n_delivered, (unsigned long long)w->seed);
    ck_assert_uint_eq(st->from, from);
    ck_assert_uint_eq(st->message_len, len);
    ck_assert_int_eq(memcmp(st->message, message, len), 0);
}

START_TEST(messages_of_all_lengths_arrive_whole_at_every_loss)
{
    static const double losses[] = {0, .1, .3, .5};
    static struct world w;
    uint8_t message[MAX_MESSAGE];
    fill(message, sizeof message);
    for (unsigned trial = 0; trial < 60; trial++) {
        size_t len = 1 + (trial * 389) % MAX_MESSAGE;
        open_world(&w, 6, len > PIECE_BYTES ? losses[trial % 4] : 0, trial);
        ck_assert_int_eq(feed(&w, 2, MAC_REPAIR_EV_SEND, 0, message, len), 0);
        run_until(&w, INT64_C(900000000));
        for (unsigned i = 0; i < w.n; i++)
            if (i != 2 && (len > PIECE_BYTES || w.loss == 0))
                check_arrived(&w, i, 2, message, len);
        close_world(&w);
    }
}
END_TEST

static bool lose_third_pieces(struct world *w, unsigned from, unsigned to, const uint8_t *octets, size_t len)
{
    struct mac_repair_frame f;
    ck_assert(mac_repair_read(octets, len, &f));
    (void)w;
    (void)from;
    return f.kind == MAC_REPAIR_PIECE && f.number < f.k && f.number % 5 == to % 5;
}

START_TEST(one_round_of_three_further_pieces_mends_different_losses_of_all)
{
    static struct world w;
    struct mac_repair_stats stats;
    uint8_t message[MAX_MESSAGE];
    fill(message, sizeof message);
    open_world(&w, 6, 0, 1);
    w.lost = lose_third_pieces;
    ck_assert_int_eq(feed(&w, 0, MAC_REPAIR_EV_SEND, 0, message, sizeof message), 0);
    run_until(&w, INT64_C(500000000));
    for (unsigned i = 1; i < 6; i++)
        check_arrived(&w, i, 0, message, sizeof message);
    /* ten pieces, of which each listener misses two others; one ask, or two if both were under way at once */
    mac_repair_stats(w.stations[0].repair, &stats);
    ck_assert_uint_eq(stats.pieces, 10);
    ck_assert_uint_eq(stats.further_pieces, 3); /* one to spare */
    ck_assert_uint_le(w.n_frames, 15);
    close_world(&w);
}
END_TEST

static bool lose_for_last(struct world *w, unsigned from, unsigned to, const uint8_t *octets, size_t len)
{
    struct mac_repair_frame f;
    ck_assert(mac_repair_read(octets, len, &f));
    if (f.kind == MAC_REPAIR_PIECE && f.left == 0 && from == 0)
        w->silent[0] = true; /* its last word */
    return to == w->n - 1 && from == 0 && f.number > 6;
}

START_TEST(whoever_has_a_message_mends_it_when_its_sender_is_gone)
{
    static struct world w;
    uint8_t message[MAX_MESSAGE];
    fill(message, sizeof message);
    open_world(&w, 5, 0, 1);
    w.lost = lose_for_last;
    ck_assert_int_eq(feed(&w, 0, MAC_REPAIR_EV_SEND, 0, message, sizeof message), 0);
    run_until(&w, INT64_C(500000000));
    check_arrived(&w, 4, 0, message, sizeof message);
    close_world(&w);
}
END_TEST

START_TEST(a_message_that_nobody_can_complete_is_given_up_and_its_place_free)
{
    static struct world w;
    struct mac_repair_stats stats;
    struct mac_repair_frame f = {.kind = MAC_REPAIR_PIECE, .source = 1, .k = 3, .left = 2, .message_len = 300, .len_bytes = 100};
    uint8_t octets[MAC_REPAIR_HEADER_BYTES + 100] = {0};
    open_world(&w, 2, 0, 1);
    w.silent[1] = true;
    for (f.serial = 0; f.serial < 1000; f.serial++) {
        (void)mac_repair_write_header(&f, octets);
        ck_assert_int_eq(feed(&w, 0, MAC_REPAIR_EV_HEARD, 1, octets, sizeof octets), 0);
        w.stations[0].n_out = 0;
    }
    mac_repair_stats(w.stations[0].repair, &stats);
    ck_assert_uint_eq(stats.given_up, 996);
    run_until(&w, INT64_C(10000000000));
    mac_repair_stats(w.stations[0].repair, &stats);
    ck_assert_uint_eq(stats.given_up, 1000);
    ck_assert_uint_le(stats.asks, 4 * 12);
    ck_assert_int_eq(mac_repair_deadline(w.stations[0].repair), INT64_MAX);
    close_world(&w);
}
END_TEST

START_TEST(pieces_that_contradict_each_other_are_counted_and_spoil_nothing)
{
    static struct world w;
    struct mac_repair_stats stats;
    uint8_t message[MAX_MESSAGE], octets[MAC_REPAIR_HEADER_BYTES + 100] = {0};
    fill(message, sizeof message);
    open_world(&w, 2, 0, 1);
    ck_assert_int_eq(feed(&w, 0, MAC_REPAIR_EV_SEND, 0, message, sizeof message), 0);
    run_until(&w, 3 * piece_ns);
    struct mac_repair_frame f = {.kind = MAC_REPAIR_PIECE, .source = 0, .serial = 7, .k = 3, .number = 2, .message_len = 300, .len_bytes = 100};
    (void)mac_repair_write_header(&f, octets);
    ck_assert_int_eq(feed(&w, 1, MAC_REPAIR_EV_HEARD, 0, octets, sizeof octets), -EBADMSG);
    run_until(&w, INT64_C(500000000));
    check_arrived(&w, 1, 0, message, sizeof message);
    mac_repair_stats(w.stations[1].repair, &stats);
    ck_assert_uint_eq(stats.contradicting, 1);
    close_world(&w);
}
END_TEST

START_TEST(any_octets_are_survived)
{
    static struct world w;
    uint8_t octets[160];
    struct mac_draw_key key = {.seed = 8};
    open_world(&w, 1, 0, 1);
    for (unsigned trial = 0; trial < 200000; trial++) {
        uint64_t word = mac_draw(&key, MAC_DRAW_BACKOFF, trial);
        size_t len = word % sizeof octets;
        for (size_t i = 0; i < len; i++)
            octets[i] = (uint8_t)(mac_draw(&key, MAC_DRAW_SEQUENCE, trial * 20 + i / 8) >> 8 * (i % 8));
        if (len > 10) { /* most of them would be refused at the first octet */
            octets[0] = (uint8_t)(word >> 20 & 3);
            memset(octets + 1, 0, 7);
            octets[9] &= 15;
            octets[12] = 0;
            octets[13] &= 3;
        }
        (void)feed(&w, 0, MAC_REPAIR_EV_HEARD, 3, octets, len);
        w.now_ns += 100000;
        (void)feed(&w, 0, MAC_REPAIR_EV_LEFT, 0, NULL, 0);
        w.stations[0].n_out = 0;
    }
    close_world(&w);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("repair");
    tcase_add_test(tc, messages_of_all_lengths_arrive_whole_at_every_loss);
    tcase_add_test(tc, one_round_of_three_further_pieces_mends_different_losses_of_all);
    tcase_add_test(tc, whoever_has_a_message_mends_it_when_its_sender_is_gone);
    tcase_add_test(tc, a_message_that_nobody_can_complete_is_given_up_and_its_place_free);
    tcase_add_test(tc, pieces_that_contradict_each_other_are_counted_and_spoil_nothing);
    tcase_add_test(tc, any_octets_are_survived);
    suite_add_tcase(suite, tc);
}
