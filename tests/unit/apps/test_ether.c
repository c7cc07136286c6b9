#define SUITE_NAME "ether"
#include "apps/ether.h"
#include "tests/unit/check_main.h"

#include <math.h>
#include <string.h>

enum { MESSAGE_BYTES = 200, MESSAGE_AIRTIME_NS = 344000 }; /* 240 octets with FCS: 81 symbols */

struct watch {
    struct app_ether *ether;
    size_t n;
    uint64_t digest, n_frames, n_delivered, n_reports[4];
    int64_t start_ns[8], rx_end_ns; /* of the first frames; of the last delivery */
    bool again, refuse;
};

static void send_one(struct watch *w, size_t i, const struct mac_address *to)
{
    static const uint8_t message[MESSAGE_BYTES] = {7};
    int rc = app_ether_send(w->ether, i, to, MAC_CAT_DATA, message, sizeof message, 0);
    if (rc != 0)
        ck_abort_msg("send: %d", rc);
}

static void send_next(struct watch *w, size_t i)
{
    struct mac_address to = mac_address_of((uint32_t)((i + 1) % w->n));
    send_one(w, i, &to);
}

static void on_frame(void *ctx, size_t station, int64_t start_ns, const uint8_t *mpdu, size_t len_bytes, bool is_response)
{
    struct watch *w = ctx;
    (void)is_response;
    if (w->n_frames < 8)
        w->start_ns[w->n_frames] = start_ns;
    w->n_frames++;
    w->digest = (w->digest ^ (uint64_t)start_ns ^ station << 48) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < len_bytes; i++)
        w->digest = (w->digest ^ mpdu[i]) * UINT64_C(0x100000001b3);
}

static void on_delivery(void *ctx, size_t station, const struct mac_delivery *delivery)
{
    struct watch *w = ctx;
    (void)station;
    w->n_delivered++;
    w->rx_end_ns = delivery->rx_end_ns;
}

static void on_report(void *ctx, size_t station, const struct mac_report *report)
{
    struct watch *w = ctx;
    w->n_reports[report->result]++;
    if (w->again)
        send_next(w, station);
}

static bool gate(void *ctx, size_t station, const struct mac_update *update)
{
    struct watch *w = ctx;
    (void)station, (void)update;
    return !w->refuse;
}

static struct app_ether_config configure(size_t n)
{
    return (struct app_ether_config){
        .n = n, .mac = app_ether_config_11a(), .on_frame = on_frame, .on_delivery = on_delivery, .on_report = on_report, .gate = gate};
}

static void open_ether(struct watch *w, struct app_ether_config *cfg)
{
    const char *why;
    w->n = cfg->n;
    cfg->ctx = w;
    w->ether = app_ether_open(cfg, &why);
    ck_assert_msg(w->ether != NULL, "%s", why);
}

/* n stations with always something to send, for so long. */
static struct app_ether_stats saturate(struct watch *w, struct app_ether_config *cfg, int64_t until_ns)
{
    struct app_ether_stats stats;
    w->again = true;
    open_ether(w, cfg);
    for (size_t i = 0; i < cfg->n; i++)
        for (int k = 0; k < 2; k++)
            send_next(w, i);
    app_ether_run(w->ether, until_ns);
    app_ether_stats(w->ether, &stats);
    app_ether_close(w->ether);
    return stats;
}

START_TEST(frames_that_begin_in_one_instant_are_locked_by_nobody)
{
    struct app_ether_config cfg = configure(4);
    struct watch w = {0};
    struct mac_stats third;
    open_ether(&w, &cfg);
    app_ether_run(w.ether, 1000000);
    send_next(&w, 0); /* the medium has been idle for long: both go at once */
    send_next(&w, 1);
    app_ether_run(w.ether, 1000000 + MESSAGE_AIRTIME_NS + 1000);
    app_ether_mac_stats(w.ether, 3, &third);
    ck_assert_uint_eq(w.n_frames, 2);
    ck_assert_uint_eq(third.rx_ok + third.rx_fcs_bad, 0);
    ck_assert_int_eq(third.busy_ns, MESSAGE_AIRTIME_NS);
    app_ether_run(w.ether, 100000000);
    ck_assert_uint_eq(w.n_reports[MAC_ACKED], 2);
    app_ether_close(w.ether);
}
END_TEST

START_TEST(a_frame_that_begins_in_another_one_destroys_it)
{
    static const bool triple[9] = {false, true, false, true, false, true, false, true, false};
    struct app_ether_config cfg = configure(3);
    struct watch w = {0};
    struct mac_stats middle;
    cfg.hears = triple;
    open_ether(&w, &cfg);
    struct mac_address to = mac_address_of(1);
    app_ether_run(w.ether, 1000000);
    send_one(&w, 0, &to);
    app_ether_run(w.ether, 1100000);
    send_one(&w, 2, &to);
    app_ether_run(w.ether, 1100000 + MESSAGE_AIRTIME_NS);
    app_ether_mac_stats(w.ether, 1, &middle);
    ck_assert_uint_eq(middle.rx_fcs_bad, 1);
    ck_assert_uint_eq(middle.rx_ok, 0);
    ck_assert_int_eq(middle.busy_ns, MESSAGE_AIRTIME_NS + 100000); /* to the end of the second */
    app_ether_close(w.ether);
}
END_TEST

START_TEST(propagation_moves_what_is_heard)
{
    struct app_ether_config cfg = configure(2);
    struct watch w = {0};
    cfg.propagation_ns = 700;
    open_ether(&w, &cfg);
    app_ether_run(w.ether, 1000000);
    send_next(&w, 0);
    app_ether_run(w.ether, 10000000);
    ck_assert_int_eq(w.start_ns[0], 1000000);
    ck_assert_int_eq(w.rx_end_ns, 1000000 + MESSAGE_AIRTIME_NS + 700);
    ck_assert_int_eq(w.start_ns[1], w.rx_end_ns + 16000); /* the ACK */
    ck_assert_uint_eq(w.n_reports[MAC_ACKED], 1);
    app_ether_close(w.ether);
}
END_TEST

START_TEST(carrier_sense_that_is_a_slot_late_makes_neighbouring_slots_collide)
{
    struct watch prompt = {0}, late = {0};
    struct app_ether_config cfg = configure(5);
    struct app_ether_stats a = saturate(&prompt, &cfg, 2000000000);
    cfg.cca_latency_ns = 9500;
    struct app_ether_stats b = saturate(&late, &cfg, 2000000000);
    ck_assert_uint_eq(a.n_spoilt, 0); /* all hear all at once: collisions begin in one instant */
    ck_assert_uint_gt(b.n_spoilt, 100);
    ck_assert_uint_lt(late.n_reports[MAC_ACKED], prompt.n_reports[MAC_ACKED]);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_octets_at_the_same_times)
{
    struct watch w[4] = {0};
    struct app_ether_config cfg = configure(7);
    cfg.loss = .1;
    saturate(&w[0], &cfg, 500000000);
    saturate(&w[1], &cfg, 500000000);
    cfg.energy = true; /* tells no MAC anything that it does not know */
    saturate(&w[2], &cfg, 500000000);
    cfg.mac.seed = 2;
    saturate(&w[3], &cfg, 500000000);
    ck_assert_uint_gt(w[0].n_frames, 500);
    ck_assert_uint_eq(w[0].digest, w[1].digest);
    ck_assert_uint_eq(w[0].digest, w[2].digest);
    ck_assert_uint_ne(w[0].digest, w[3].digest);
}
END_TEST

START_TEST(each_receiver_loses_its_own_share)
{
    const uint64_t n_messages = 2000;
    struct app_ether_config cfg = configure(6);
    struct watch w = {0};
    struct app_ether_stats stats;
    cfg.loss = .2;
    open_ether(&w, &cfg);
    for (uint64_t i = 0; i < n_messages; i++) {
        send_one(&w, 0, &mac_broadcast);
        app_ether_run(w.ether, app_ether_now(w.ether) + 2000000);
    }
    app_ether_stats(w.ether, &stats);
    double n = 5.0 * (double)n_messages, lost = 1 - (double)w.n_delivered / n;
    ck_assert_double_le(fabs(lost - .2), 3.5 * sqrt(.2 * .8 / n));
    ck_assert_uint_le(stats.n_fcs_checks, n_messages); /* once a frame, not once a receiver */
    ck_assert_uint_eq(stats.n_fcs_bad, 0);
    app_ether_close(w.ether);
}
END_TEST

START_TEST(a_frame_that_is_refused_never_begins)
{
    struct app_ether_config cfg = configure(2);
    struct watch w = {.refuse = true};
    open_ether(&w, &cfg);
    send_one(&w, 0, &mac_broadcast);
    app_ether_run(w.ether, 10000000);
    ck_assert_uint_eq(w.n_frames, 0);
    ck_assert_uint_eq(w.n_reports[MAC_EXPIRED], 1);
    app_ether_close(w.ether);
}
END_TEST

START_TEST(a_configuration_that_cannot_be_is_refused_by_name)
{
    const char *why;
    struct app_ether_config cfg = configure(0);
    ck_assert_ptr_null(app_ether_open(&cfg, &why));
    ck_assert_str_eq(why, "n");
    cfg = configure(2);
    cfg.propagation_ns = cfg.mac.profile.sifs_ns;
    ck_assert_ptr_null(app_ether_open(&cfg, &why));
    ck_assert_str_eq(why, "propagation_ns");
    cfg = configure(2);
    cfg.loss = NAN;
    ck_assert_ptr_null(app_ether_open(&cfg, &why));
    ck_assert_str_eq(why, "loss");
    cfg = configure(2);
    cfg.mac.profile.slot_ns = 0;
    ck_assert_ptr_null(app_ether_open(&cfg, &why));
    ck_assert_str_eq(why, "profile.slot_ns");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("ether");
    tcase_add_test(tcase, frames_that_begin_in_one_instant_are_locked_by_nobody);
    tcase_add_test(tcase, a_frame_that_begins_in_another_one_destroys_it);
    tcase_add_test(tcase, propagation_moves_what_is_heard);
    tcase_add_test(tcase, carrier_sense_that_is_a_slot_late_makes_neighbouring_slots_collide);
    tcase_add_test(tcase, the_same_seed_gives_the_same_octets_at_the_same_times);
    tcase_add_test(tcase, each_receiver_loses_its_own_share);
    tcase_add_test(tcase, a_frame_that_is_refused_never_begins);
    tcase_add_test(tcase, a_configuration_that_cannot_be_is_refused_by_name);
    suite_add_tcase(suite, tcase);
}
