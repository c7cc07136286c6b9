/* Signals are cut into the stretches that they belong to. */
#define SUITE_NAME "validate stretch log"
#include "tests/unit/check_main.h"

#include "apps/validate/stretch_log.h"

#define US INT64_C(1000)

static void signal_at(struct app_stretch_log *log, enum mac_event_kind kind, int64_t now_ns)
{
    struct mac_event event = {.kind = kind, .now_ns = now_ns};
    app_stretch_signal(log, &event);
}

static void frame_at(struct app_stretch_log *log, int64_t start_ns, int64_t end_ns, bool good)
{
    struct mac_event event = {.kind = MAC_EV_FRAME, .now_ns = end_ns + 4 * US};
    event.frame.quality = (struct mac_rx_quality){.start_ns = start_ns, .end_ns = end_ns, .header_ok = true, .fcs_ok = good};
    app_stretch_signal(log, &event);
}

START_TEST(each_signal_is_of_the_stretch_that_it_came_with)
{
    struct app_stretch_log *log = app_stretch_open();
    app_stretch_begin(log);
    app_stretch_sent(log, false, 1000 * US, 1700 * US, 228); /* data, and its answer by this station: */
    app_stretch_sent(log, true, 1732 * US, 1800 * US, 10);
    app_stretch_sent(log, false, 5000 * US, 5700 * US, 228); /* two that meet */
    app_stretch_sent(log, false, 5004 * US, 5704 * US, 228);
    app_stretch_sent(log, false, 9000 * US, 9068 * US, 10);  /* somebody's answer, unheard */
    app_stretch_sent(log, false, 12000 * US, 12700 * US, 228); /* data, lost */
    app_stretch_sent(log, false, 15000 * US, 15068 * US, 10);  /* an answer that is heard */
    signal_at(log, MAC_EV_CCA_BUSY, 1008 * US);
    signal_at(log, MAC_EV_LOCK, 1032 * US);
    frame_at(log, 1000 * US, 1700 * US, true);
    signal_at(log, MAC_EV_CCA_IDLE, 1708 * US);
    signal_at(log, MAC_EV_CCA_BUSY, 3000 * US); /* a pulse */
    signal_at(log, MAC_EV_CCA_IDLE, 3016 * US);
    signal_at(log, MAC_EV_CCA_BUSY, 5008 * US);
    signal_at(log, MAC_EV_SHAPE, 5300 * US);
    signal_at(log, MAC_EV_CCA_IDLE, 5712 * US);
    frame_at(log, 12000 * US, 12700 * US, false);
    frame_at(log, 15000 * US, 15068 * US, true);
    ck_assert_int_eq(app_stretch_finish(log), 0);

    struct app_stretch data = app_stretch_pick(log, 0, STRETCH_DATA, 0), lost = app_stretch_pick(log, 0, STRETCH_DATA, .9);
    ck_assert_uint_eq(app_stretch_count(log, STRETCH_DATA), 2);
    ck_assert_uint_eq(data.n, 4);
    ck_assert_int_eq(data.heard[0].at_ns, 8 * US);
    ck_assert_int_eq(data.heard[2].quality.start_ns, 0);
    ck_assert_int_eq(data.heard[2].quality.end_ns, 700 * US);
    ck_assert_uint_eq(lost.n, 1);
    ck_assert_double_eq_tol(app_stretch_loss(log, 0), .5, 1e-12); /* one of two data frames, one of two answers: a quarter lives */

    struct app_stretch pulse = app_stretch_pick(log, 0, STRETCH_PULSE, .5), pair = app_stretch_pick(log, 0, STRETCH_PAIR, .5);
    ck_assert_uint_eq(app_stretch_count(log, STRETCH_PULSE), 1);
    ck_assert_uint_eq(pulse.n, 2);
    ck_assert_int_eq(pulse.heard[1].at_ns, 16 * US);
    ck_assert_uint_eq(app_stretch_count(log, STRETCH_PAIR), 1);
    ck_assert_uint_eq(pair.n, 3);
    ck_assert_int_eq(pair.heard[1].kind, MAC_EV_SHAPE);
    ck_assert_int_eq(pair.heard[1].at_ns, 300 * US);

    ck_assert_uint_eq(app_stretch_count(log, STRETCH_SHORT), 2);
    ck_assert_uint_eq(app_stretch_pick(log, 0, STRETCH_SHORT, .25).n, 0);
    ck_assert_uint_eq(app_stretch_count(log, STRETCH_CROWD), 0);
    ck_assert_uint_eq(app_stretch_pick(log, 0, STRETCH_CROWD, .5).n, 0);
    struct mac_shape shape;
    ck_assert(app_stretch_shape(log, 0, .99, &shape));
    app_stretch_close(log);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("stretches");
    tcase_add_test(tc, each_signal_is_of_the_stretch_that_it_came_with);
    suite_add_tcase(suite, tc);
}
