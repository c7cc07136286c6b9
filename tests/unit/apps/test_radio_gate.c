#define SUITE_NAME "radio_gate"
#include "tests/unit/check_main.h"

#include <math.h>
#include <string.h>

#include "apps/radio_gate.h"

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

static struct app_radio_gate gate;
static const struct app_radio_deed deed = {.low_hz = 5.180e9, .high_hz = 5.190e9, .until_ns = 100 * S};

static struct app_radio_limits good_limits(void)
{
    struct app_radio_limits l = app_radio_limits_default();
    l.transmit = true;
    l.band_low_hz = 5.170e9;
    l.band_high_hz = 5.190e9;
    return l;
}

static enum app_radio_verdict tick(int64_t sample_ns, int64_t monotonic_ns, int64_t wall_ns)
{
    struct app_radio_clocks now = {sample_ns, monotonic_ns, wall_ns};
    return app_radio_gate_tick(&gate, &now);
}

/* all three clocks in step */
static enum app_radio_verdict turn(int64_t now_ns)
{
    return tick(now_ns, 7 * S + now_ns, 1700000000 * S + now_ns);
}

static void open_gate(void)
{
    struct app_radio_limits l = good_limits();
    app_radio_gate_init(&gate, &l);
    turn(0);
}

static enum app_radio_verdict ask_at(int64_t now_ns, int64_t start_ns, int64_t len_ns, double center_hz, double occupied_hz)
{
    struct app_radio_emission e = {.start_ns = start_ns, .end_ns = start_ns + len_ns, .center_hz = center_hz, .occupied_hz = occupied_hz};
    return app_radio_gate_admit(&gate, 7 * S + now_ns, &e, &deed, 1);
}

static enum app_radio_verdict ask(int64_t start_ns, int64_t len_ns)
{
    turn(start_ns);
    return ask_at(start_ns, start_ns, len_ns, 5.185e9, 10e6);
}

START_TEST(zeros_and_defaults_let_nothing_pass)
{
    struct app_radio_limits none = {.transmit = false}, l = app_radio_limits_default();
    app_radio_gate_init(&gate, &none);
    turn(0);
    ck_assert_int_eq(ask(0, 1 * MS), APP_RADIO_TX_OFF);
    none.transmit = true;
    app_radio_gate_init(&gate, &none);
    turn(0);
    ck_assert_int_ne(ask(0, 1 * MS), APP_RADIO_OPEN);
    app_radio_gate_init(&gate, &l);
    turn(0);
    ck_assert_int_eq(ask(0, 1 * MS), APP_RADIO_TX_OFF);
    l.transmit = true; /* the default band is empty */
    app_radio_gate_init(&gate, &l);
    turn(0);
    ck_assert_int_eq(ask(0, 1 * MS), APP_RADIO_BAND);
    ck_assert_int_eq(ask_at(0, 0, 1 * MS, 0, 1), APP_RADIO_BAND);
    ck_assert_int_eq(ask_at(0, 0, 1 * MS, 0, 0), APP_RADIO_BAND);
}
END_TEST

START_TEST(the_whole_occupied_bandwidth_lies_inside_the_band)
{
    open_gate();
    struct app_radio_deed wide = {.low_hz = 0, .high_hz = 1e10, .until_ns = 100 * S};
    const struct {
        double center_hz, occupied_hz;
        enum app_radio_verdict expected;
    } cases[] = {
        {5.180e9, 20e6, APP_RADIO_OPEN},       {5.180e9, 20e6 + 2, APP_RADIO_BAND}, {5.180e9 + 1, 20e6, APP_RADIO_BAND},
        {5.180e9 - 1, 20e6, APP_RADIO_BAND},   {5.165e9, 5e6, APP_RADIO_BAND},      {5.200e9, 5e6, APP_RADIO_BAND},
        {(double)NAN, 5e6, APP_RADIO_BAND},    {5.180e9, (double)NAN, APP_RADIO_BAND}, {5.180e9, 0, APP_RADIO_BAND},
        {5.180e9, -1, APP_RADIO_BAND},         {(double)INFINITY, 5e6, APP_RADIO_BAND}, {5.171e9, 2e6, APP_RADIO_OPEN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t start_ns = (int64_t)i * 10 * MS;
        struct app_radio_emission e = {start_ns, start_ns + MS, cases[i].center_hz, cases[i].occupied_hz};
        turn(start_ns);
        ck_assert_msg(app_radio_gate_admit(&gate, 7 * S + start_ns, &e, &wide, 1) == cases[i].expected, "case %zu", i);
    }
    struct app_radio_limits l = good_limits();
    l.band_low_hz = (double)NAN;
    app_radio_gate_init(&gate, &l);
    ck_assert_int_eq(ask(0, MS), APP_RADIO_BAND);
    l = good_limits();
    l.band_low_hz = 5.190e9;
    l.band_high_hz = 5.170e9;
    app_radio_gate_init(&gate, &l);
    ck_assert_int_eq(ask(0, MS), APP_RADIO_BAND);
}
END_TEST

START_TEST(it_lies_inside_one_deed_in_frequency_and_in_time)
{
    open_gate();
    ck_assert_int_eq(ask_at(0, 0, MS, 5.185e9, 10e6), APP_RADIO_OPEN);
    ck_assert_int_eq(ask_at(0, 2 * MS, MS, 5.185e9 - 1, 10e6), APP_RADIO_NO_DEED);
    ck_assert_int_eq(ask_at(0, 2 * MS, MS, 5.185e9 - 1, 10e6 - 2), APP_RADIO_OPEN);
    struct app_radio_emission e = {4 * MS, 5 * MS, 5.185e9, 10e6};
    ck_assert_int_eq(app_radio_gate_admit(&gate, 7 * S, &e, NULL, 0), APP_RADIO_NO_DEED);
    struct app_radio_deed brief = deed, other[2] = {{5.170e9, 5.186e9, 100 * S}, {5.184e9, 5.190e9, 100 * S}};
    brief.until_ns = 5 * MS - 1;
    ck_assert_int_eq(app_radio_gate_admit(&gate, 7 * S, &e, &brief, 1), APP_RADIO_NO_DEED);
    ck_assert_int_eq(app_radio_gate_admit(&gate, 7 * S, &e, other, 2), APP_RADIO_NO_DEED);
    brief.until_ns = 5 * MS;
    ck_assert_int_eq(app_radio_gate_admit(&gate, 7 * S, &e, &brief, 1), APP_RADIO_OPEN);
    ck_assert_uint_eq(gate.count[APP_RADIO_NO_DEED], 4);
    ck_assert_uint_eq(gate.count[APP_RADIO_OPEN], 3);
}
END_TEST

START_TEST(a_burst_is_finite_and_they_do_not_overlap)
{
    open_gate();
    ck_assert_int_eq(ask(0, 100 * MS + 1), APP_RADIO_LENGTH);
    ck_assert_int_eq(ask(0, 0), APP_RADIO_LENGTH);
    ck_assert_int_eq(ask(0, -1), APP_RADIO_LENGTH);
    struct app_radio_emission far = {INT64_MIN, INT64_MAX, 5.185e9, 10e6};
    ck_assert_int_eq(app_radio_gate_admit(&gate, 7 * S, &far, &deed, 1), APP_RADIO_LENGTH);
    ck_assert_int_eq(ask(0, 100 * MS), APP_RADIO_OPEN);
    ck_assert_int_eq(ask(100 * MS - 1, MS), APP_RADIO_ORDER);
    ck_assert_int_eq(ask(100 * MS, MS), APP_RADIO_OPEN);
}
END_TEST

/* What any window holds, counted the slow way. */
static int64_t most_in_a_window(const int64_t *start_ns, const int64_t *end_ns, size_t n, int64_t window_ns)
{
    int64_t most_ns = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t on_ns = 0, from_ns = end_ns[i] - window_ns;
        for (size_t k = 0; k <= i; k++) {
            int64_t a = start_ns[k] > from_ns ? start_ns[k] : from_ns;
            on_ns += end_ns[k] > a ? end_ns[k] - a : 0;
        }
        most_ns = on_ns > most_ns ? on_ns : most_ns;
    }
    return most_ns;
}

START_TEST(no_window_holds_more_air_time_than_the_duty_limit)
{
    static int64_t start_ns[4000], end_ns[4000];
    size_t n = 0, n_refused = 0;
    open_gate();
    int64_t t_ns = 0;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 4000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        int64_t len_ns = 1 + (int64_t)(x % (uint64_t)(40 * MS));
        t_ns += (int64_t)((x >> 32) % (uint64_t)(20 * MS));
        enum app_radio_verdict v = ask(t_ns, len_ns);
        ck_assert(v == APP_RADIO_OPEN || v == APP_RADIO_DUTY);
        n_refused += v == APP_RADIO_DUTY;
        if (v == APP_RADIO_OPEN) {
            start_ns[n] = t_ns;
            end_ns[n++] = t_ns + len_ns;
            t_ns += len_ns;
        }
    }
    ck_assert_uint_gt(n_refused, 500);
    ck_assert_uint_gt(n, 500);
    int64_t most_ns = most_in_a_window(start_ns, end_ns, n, S);
    ck_assert(most_ns <= 500 * MS);
    ck_assert(most_ns > 450 * MS); /* the limit, not something tighter */
}
END_TEST

START_TEST(more_bursts_than_it_can_remember_are_refused)
{
    open_gate();
    size_t n = 0;
    for (int64_t i = 0; i < APP_RADIO_GATE_BURSTS + 10; i++)
        n += ask(i * 1000, 100) == APP_RADIO_OPEN;
    ck_assert_uint_eq(n, APP_RADIO_GATE_BURSTS);
    ck_assert_uint_eq(gate.count[APP_RADIO_DUTY], 10);
    for (int64_t t_ns = 300 * MS; t_ns < 2 * S; t_ns += 300 * MS)
        turn(t_ns);
    ck_assert_int_eq(ask(2 * S, 100), APP_RADIO_OPEN);
}
END_TEST

START_TEST(a_loop_that_stands_still_shuts_it_for_a_while)
{
    struct app_radio_limits l = good_limits();
    app_radio_gate_init(&gate, &l);
    ck_assert_int_eq(ask_at(0, 0, MS, 5.185e9, 10e6), APP_RADIO_STALLED); /* has not turned yet */
    turn(0);
    ck_assert_int_eq(ask_at(500 * MS, 500 * MS, MS, 5.185e9, 10e6), APP_RADIO_OPEN);
    ck_assert_int_eq(ask_at(500 * MS + 1, 600 * MS, MS, 5.185e9, 10e6), APP_RADIO_STALLED);
    ck_assert_int_eq(turn(500 * MS + 1), APP_RADIO_STALLED);
    int64_t t_ns = 500 * MS + 1;
    for (; t_ns < 1500 * MS; t_ns += 100 * MS)
        ck_assert_int_eq(turn(t_ns), APP_RADIO_STALLED);
    ck_assert_int_eq(turn(1500 * MS + 1), APP_RADIO_OPEN);
    ck_assert_int_eq(ask(1501 * MS, MS), APP_RADIO_OPEN);
}
END_TEST

START_TEST(samples_that_stand_still_shut_it_and_their_catching_up_is_no_step)
{
    open_gate();
    int64_t host_ns = 0;
    for (; host_ns <= 500 * MS; host_ns += 100 * MS)
        ck_assert_int_eq(tick(0, 7 * S + host_ns, 1700000000 * S + host_ns), APP_RADIO_OPEN);
    for (; host_ns <= 900 * MS; host_ns += 100 * MS)
        ck_assert_int_eq(tick(0, 7 * S + host_ns, 1700000000 * S + host_ns), APP_RADIO_STALLED);
    /* a gap of 850 ms: the stream goes on where it would have been */
    ck_assert_int_eq(tick(850 * MS, 7 * S + host_ns, 1700000000 * S + host_ns), APP_RADIO_STALLED);
    for (int64_t t_ns = host_ns; t_ns < host_ns + 1000 * MS; t_ns += 100 * MS)
        turn(t_ns);
    ck_assert_int_eq(turn(host_ns + 1000 * MS), APP_RADIO_OPEN);
}
END_TEST

START_TEST(a_clock_step_shuts_it_for_good)
{
    static const struct {
        int64_t sample_ns, monotonic_ns, wall_ns;
        enum app_radio_verdict expected;
    } steps[] = {
        {0, 0, 250 * MS, APP_RADIO_OPEN},        {0, 0, -250 * MS, APP_RADIO_OPEN},
        {0, 0, 250 * MS + 1, APP_RADIO_CLOCK_STEP}, {0, 0, -250 * MS - 1, APP_RADIO_CLOCK_STEP},
        {0, 0, 3600 * S, APP_RADIO_CLOCK_STEP},  {249 * MS, 0, 0, APP_RADIO_OPEN},
        {260 * MS, 0, 0, APP_RADIO_CLOCK_STEP},  {-1100 * MS, 0, 0, APP_RADIO_CLOCK_STEP},
        {0, -1100 * MS, 0, APP_RADIO_CLOCK_STEP}, {INT64_MAX / 2, 0, 0, APP_RADIO_CLOCK_STEP},
        {0, 0, INT64_MIN, APP_RADIO_CLOCK_STEP}, {0, 0, INT64_MAX / 2, APP_RADIO_CLOCK_STEP},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct app_radio_limits l = good_limits();
        app_radio_gate_init(&gate, &l);
        for (int64_t t_ns = 0; t_ns <= S; t_ns += 100 * MS)
            ck_assert_int_eq(turn(t_ns), APP_RADIO_OPEN);
        int64_t t_ns = S + 100 * MS;
        enum app_radio_verdict v =
            tick(t_ns + steps[i].sample_ns, 7 * S + t_ns + steps[i].monotonic_ns, 1700000000 * S + t_ns + steps[i].wall_ns);
        ck_assert_msg(v == steps[i].expected, "step %zu: %s", i, app_radio_verdict_name(v));
        if (v == APP_RADIO_OPEN)
            continue;
        for (t_ns += 10 * S; t_ns <= 20 * S; t_ns += 100 * MS)
            ck_assert_int_eq(turn(t_ns), APP_RADIO_CLOCK_STEP);
        ck_assert_int_eq(ask_at(20 * S, 20 * S, MS, 5.185e9, 10e6), APP_RADIO_CLOCK_STEP);
    }
}
END_TEST

START_TEST(crystals_that_drift_are_no_step)
{
    for (int64_t ppm = -50; ppm <= 50; ppm += 100) {
        open_gate();
        for (int64_t t_ns = 0; t_ns <= 3600 * S; t_ns += 100 * MS)
            ck_assert_int_eq(tick(t_ns + t_ns / 1000000 * ppm, 7 * S + t_ns, 1700000000 * S + t_ns), APP_RADIO_OPEN);
    }
}
END_TEST

START_TEST(a_signal_shuts_it_for_good)
{
    open_gate();
    ck_assert_int_eq(ask(0, MS), APP_RADIO_OPEN);
    app_radio_gate_stop(&gate);
    ck_assert_int_eq(turn(100 * MS), APP_RADIO_STOPPED);
    ck_assert_int_eq(ask(100 * MS, MS), APP_RADIO_STOPPED);
}
END_TEST

START_TEST(every_verdict_has_its_words)
{
    for (unsigned v = 0; v < APP_RADIO_N_VERDICTS; v++)
        for (unsigned other = 0; other < v; other++)
            ck_assert_str_ne(app_radio_verdict_name(v), app_radio_verdict_name(other));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("gate");
    tcase_add_test(tc, zeros_and_defaults_let_nothing_pass);
    tcase_add_test(tc, the_whole_occupied_bandwidth_lies_inside_the_band);
    tcase_add_test(tc, it_lies_inside_one_deed_in_frequency_and_in_time);
    tcase_add_test(tc, a_burst_is_finite_and_they_do_not_overlap);
    tcase_add_test(tc, no_window_holds_more_air_time_than_the_duty_limit);
    tcase_add_test(tc, more_bursts_than_it_can_remember_are_refused);
    tcase_add_test(tc, a_loop_that_stands_still_shuts_it_for_a_while);
    tcase_add_test(tc, samples_that_stand_still_shut_it_and_their_catching_up_is_no_step);
    tcase_add_test(tc, a_clock_step_shuts_it_for_good);
    tcase_add_test(tc, crystals_that_drift_are_no_step);
    tcase_add_test(tc, a_signal_shuts_it_for_good);
    tcase_add_test(tc, every_verdict_has_its_words);
    suite_add_tcase(suite, tc);
}
