/* The detector alone, on observation sequences as each situation makes them. */
#define SUITE_NAME "mac detector"
#include "tests/unit/check_main.h"

#include "mac/detector.h"
#include "mac/draw.h"

#include <math.h>
#include <string.h>

#define MS INT64_C(1000000)
#define US INT64_C(1000)

struct bench {
    struct mac_jam jam;
    int64_t now_ns;
    uint64_t n_draws;
    unsigned n_verdicts, n_attacks;
    struct mac_jam_verdict last;
    int64_t blocked_ns;
    uint64_t seed;
};

static void open_bench(struct bench *b)
{
    struct mac_jam_config cfg = {.window_ns = 250 * MS, .min_frames = 6, .noise_dbfs = -60, .collision_ns = 26 * US};
    memset(b, 0, sizeof *b);
    b->seed = 3;
    b->now_ns = 1000 * MS;
    mac_jam_init(&b->jam, &cfg, 0);
}

static double draw(struct bench *b)
{
    struct mac_draw_key key = {.seed = b->seed};
    return (double)(mac_draw(&key, MAC_DRAW_BACKOFF, b->n_draws++) >> 11) / 9007199254740992.0;
}

static void observe(struct bench *b, struct mac_jam_observation seen)
{
    struct mac_jam_verdict verdict;
    seen.now_ns = b->now_ns;
    seen.blocked_ns = b->blocked_ns;
    if (!mac_jam_observe(&b->jam, &seen, &verdict))
        return;
    b->last = verdict;
    b->n_verdicts++;
    b->n_attacks += mac_jam_is_attack(verdict.kind);
}

static void wait(struct bench *b, int64_t ns)
{
    int64_t until_ns = b->now_ns + ns;
    while (mac_jam_deadline(&b->jam) <= until_ns) {
        if (mac_jam_deadline(&b->jam) > b->now_ns)
            b->now_ns = mac_jam_deadline(&b->jam);
        int64_t before_ns = mac_jam_deadline(&b->jam);
        observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_TICK});
        ck_assert_int_ne(mac_jam_deadline(&b->jam), before_ns);
    }
    b->now_ns = until_ns;
}

enum frame_fate { GOOD, ALIGNED, STEPPED, WEAK, CUT };

/* One frame of 700 us with the energy around it. */
static void hear_frame(struct bench *b, enum frame_fate fate, int64_t rise_ns)
{
    struct mac_rx_quality q = {.start_ns = b->now_ns, .header_ok = fate != CUT, .fcs_ok = fate == GOOD, .rise_ns = -1};
    q.head_dbfs = fate == WEAK ? -55 : -40;
    q.rssi_dbfs = q.head_dbfs;
    if (fate == STEPPED || fate == CUT) {
        q.rise_ns = rise_ns;
        q.rise_db = 8;
        q.rssi_dbfs += 7;
    }
    if (fate == ALIGNED)
        q.head_dbfs = q.rssi_dbfs = -37;
    observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_BUSY, .power_dbfs = q.rssi_dbfs});
    b->now_ns += 40 * US;
    observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_LOCK});
    b->now_ns += (fate == CUT ? 160 : 660) * US;
    q.end_ns = b->now_ns;
    observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_FRAME, .quality = &q});
    b->now_ns += 8 * US;
    observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_IDLE});
}

START_TEST(a_reactive_jammer_is_named_within_150_ms_at_40_frames_a_second)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 400; i++) {
        hear_frame(&b, draw(&b) < .08 ? ALIGNED : GOOD, 0);
        wait(&b, 24 * MS);
    }
    ck_assert_uint_eq(b.n_attacks, 0);
    int64_t start_ns = b.now_ns;
    for (int i = 0; i < 40 && b.n_attacks == 0; i++) {
        hear_frame(&b, i % 2 ? CUT : STEPPED, (int64_t)(40 + 16 * draw(&b)) * US);
        if (b.n_attacks == 0)
            wait(&b, 24 * MS);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_REACTIVE);
    ck_assert_int_le(b.last.at_ns - start_ns, 150 * MS);
    ck_assert_int_ge(b.last.from_ns, start_ns - 130 * MS);
    ck_assert_int_ge(b.last.mean_rise_us, 40);
    ck_assert_int_le(b.last.mean_rise_us, 56);
    ck_assert_uint_ge(b.last.confidence_permille, 600);
    printf("reactive after %lld ms, confidence %u\n", (long long)((b.last.at_ns - start_ns) / MS), b.last.confidence_permille);
}
END_TEST

START_TEST(a_jammer_weaker_than_the_frames_shows_by_where_their_errors_begin)
{
    for (int errors = 0; errors <= 1; errors++) {
        struct bench b;
        open_bench(&b);
        for (int i = 0; i < 12; i++) {
            struct mac_rx_quality q = {.start_ns = b.now_ns, .end_ns = b.now_ns + 700 * US, .header_ok = true, .head_dbfs = -40,
                                       .rssi_dbfs = -39.5, .rise_ns = -1, .error_ns = errors ? (int64_t)(120 + 8 * (i % 3)) * US : -1};
            b.now_ns += 700 * US;
            observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_FRAME, .quality = &q});
            wait(&b, 10 * MS);
        }
        ck_assert_uint_eq(b.n_attacks, (unsigned)errors);
        ck_assert_int_eq(b.last.kind, errors ? MAC_JAM_REACTIVE : MAC_JAM_CONGESTION);
    }
}
END_TEST

START_TEST(an_attack_is_over_when_the_window_has_passed_without_it)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 20; i++) {
        hear_frame(&b, STEPPED, 60 * US);
        wait(&b, 10 * MS);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_REACTIVE);
    ck_assert_uint_eq(b.n_attacks, 1); /* said once */
    int64_t end_ns = b.now_ns;
    wait(&b, 300 * MS); /* and nobody sends at all */
    ck_assert_int_eq(b.last.kind, MAC_JAM_NONE);
    ck_assert_int_le(b.last.at_ns, end_ns + 250 * MS);
    for (int i = 0; i < 200; i++) {
        hear_frame(&b, draw(&b) < .1 ? ALIGNED : GOOD, 0);
        wait(&b, 10 * MS);
    }
    ck_assert_uint_eq(b.n_attacks, 1);
    for (int i = 0; i < 20; i++) {
        hear_frame(&b, STEPPED, 60 * US);
        wait(&b, 10 * MS);
    }
    ck_assert_uint_eq(b.n_attacks, 2);
}
END_TEST

START_TEST(no_attack_is_raised_from_what_lies_before_the_window_or_by_a_good_frame)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 4; i++)
        hear_frame(&b, STEPPED, 60 * US);
    wait(&b, 260 * MS);
    hear_frame(&b, STEPPED, 60 * US);
    ck_assert_uint_eq(b.n_attacks, 0);
    wait(&b, 260 * MS);
    for (int i = 0; i < 50; i++)
        hear_frame(&b, GOOD, 0);
    wait(&b, 500 * MS);
    ck_assert_uint_eq(b.n_attacks, 0);
}
END_TEST

/* Contention in bursts: quiet traffic, then rounds of replies with up to 30 % collisions, aligned or one slot apart. */
START_TEST(a_thousand_seconds_of_ordinary_contention_give_no_attack)
{
    struct bench b;
    open_bench(&b);
    unsigned n_frames = 0, n_bad = 0;
    int64_t end_ns = b.now_ns + 1000000 * MS;
    while (b.now_ns < end_ns) {
        double share = draw(&b) < .5 ? .05 : .3;
        int n = 3 + (int)(draw(&b) * 27);
        for (int i = 0; i < n; i++) {
            double fate = draw(&b);
            bool bad = fate < share;
            if (bad && fate < share * .4)
                hear_frame(&b, STEPPED, (int64_t)(8 + 16 * draw(&b)) * US); /* the next slot, or a late carrier sense */
            else
                hear_frame(&b, bad ? ALIGNED : GOOD, 0);
            n_frames++;
            n_bad += bad;
            wait(&b, (int64_t)(draw(&b) * 3000) * US);
        }
        wait(&b, (int64_t)(draw(&b) * 400) * MS);
    }
    printf("%u frames, %u bad, %u opinions\n", n_frames, n_bad, b.n_verdicts);
    ck_assert_uint_gt(n_bad, 10000);
    ck_assert_uint_eq(b.n_attacks, 0);
}
END_TEST

START_TEST(hidden_stations_whose_frames_meet_anywhere_are_no_attack)
{
    unsigned n_attacks = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct bench b;
        open_bench(&b);
        b.seed = seed;
        for (int i = 0; i < 5000; i++) {
            if (draw(&b) < .6)
                hear_frame(&b, STEPPED, (int64_t)(draw(&b) * 660) * US);
            else
                hear_frame(&b, GOOD, 0);
            wait(&b, (int64_t)(draw(&b) * 1000) * US);
        }
        n_attacks += b.n_attacks;
    }
    ck_assert_uint_eq(n_attacks, 0);
}
END_TEST

START_TEST(saturated_collisions_are_congestion)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 200; i++) {
        hear_frame(&b, draw(&b) < .4 ? ALIGNED : GOOD, 0);
        wait(&b, 100 * US);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_CONGESTION);
    ck_assert_uint_eq(b.n_attacks, 0);
    for (int i = 0; i < 400; i++) {
        hear_frame(&b, GOOD, 0);
        wait(&b, 10 * MS);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_NONE);
}
END_TEST

START_TEST(bad_frames_near_the_sensitivity_are_a_weak_link)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 100; i++) {
        hear_frame(&b, draw(&b) < .7 ? WEAK : GOOD, 0);
        wait(&b, 10 * MS);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_WEAK_LINK);
    ck_assert_uint_eq(b.n_attacks, 0);
}
END_TEST

static void make_burst(struct bench *b, int64_t len_ns)
{
    observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_BUSY, .power_dbfs = -35});
    b->now_ns += len_ns;
    observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_IDLE});
}

static void hear_among_bursts(struct bench *b, int64_t len_ns)
{
    open_bench(b);
    for (int i = 0; i < 400; i++) {
        make_burst(b, len_ns);
        wait(b, 500 * US - len_ns);
        if (i % 8 == 3)
            hear_frame(b, draw(b) < .7 ? STEPPED : GOOD, (int64_t)(draw(b) * 660) * US);
        else
            wait(b, 708 * US);
        wait(b, 2 * MS);
    }
}

START_TEST(regular_bursts_without_a_frame_that_kill_frames_are_pulses)
{
    struct bench b;
    hear_among_bursts(&b, 200 * US);
    ck_assert_int_eq(b.last.kind, MAC_JAM_PULSE);
}
END_TEST

START_TEST(bursts_as_short_as_the_pulses_of_a_radar_accuse_nobody)
{
    struct bench b;
    hear_among_bursts(&b, 16 * US);
    ck_assert_uint_eq(b.n_attacks, 0);
    hear_among_bursts(&b, 46 * US);
    ck_assert_uint_eq(b.n_attacks, 0);
}
END_TEST

START_TEST(a_radar_is_told_once_though_its_pulses_spare_frames)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 2000; i++) {
        make_burst(&b, 16 * US);
        wait(&b, 284 * US);
        if (i % 8 == 3)
            hear_frame(&b, GOOD, 0);
        wait(&b, 700 * US);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_FOREIGN);
    ck_assert_uint_le(b.n_verdicts, 2);
    wait(&b, 300 * MS);
    ck_assert_int_eq(b.last.kind, MAC_JAM_NONE);
}
END_TEST

START_TEST(energy_for_a_second_with_a_stuck_queue_is_constant_jamming)
{
    struct bench b;
    open_bench(&b);
    observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_BUSY, .power_dbfs = -35});
    for (int i = 0; i < 30; i++) { /* nobody here wants to send: no verdict */
        b.now_ns += 100 * MS;
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_TICK});
    }
    ck_assert_uint_eq(b.n_attacks, 0);
    b.blocked_ns = 200 * MS;
    observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_TICK});
    ck_assert_int_eq(b.last.kind, MAC_JAM_CONSTANT);
    ck_assert_uint_eq(b.last.busy_permille, 1000);
    observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_IDLE});
    b.blocked_ns = 0;
    wait(&b, 600 * MS);
    ck_assert_int_eq(b.last.kind, MAC_JAM_NONE);
}
END_TEST

START_TEST(a_silent_channel_where_every_strong_frame_dies_without_a_trace_is_an_unknown_attack)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 30; i++) {
        hear_frame(&b, ALIGNED, 0);
        wait(&b, 12 * MS);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_UNKNOWN);
}
END_TEST

START_TEST(locks_on_noise_that_become_frames_accuse_nobody)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 60; i++) {
        struct mac_rx_quality q = {.start_ns = b.now_ns, .end_ns = b.now_ns + 300 * US, .head_dbfs = -59, .rssi_dbfs = -42,
                                   .rise_ns = 60 * US, .rise_db = 18};
        b.now_ns += 300 * US;
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_FRAME, .quality = &q});
        wait(&b, 10 * MS);
    }
    ck_assert_uint_eq(b.n_attacks, 0);
}
END_TEST

START_TEST(numbers_that_are_none_accuse_nobody)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 60; i++) {
        struct mac_rx_quality q = {.start_ns = b.now_ns, .end_ns = b.now_ns + 300 * US, .head_dbfs = NAN, .rssi_dbfs = NAN,
                                   .rise_ns = 60 * US, .rise_db = NAN};
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_FRAME, .quality = &q});
        wait(&b, 10 * MS);
    }
    ck_assert_uint_eq(b.n_attacks, 0);
}
END_TEST

START_TEST(a_station_whose_own_frames_are_answered_accuses_nobody)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 40; i++) {
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_ANSWER, .acked = true});
        hear_frame(&b, STEPPED, 60 * US);
        wait(&b, 10 * MS);
    }
    ck_assert_uint_eq(b.n_attacks, 0);
}
END_TEST

static void show_shapes(struct bench *b, unsigned n, const struct mac_shape *shape)
{
    for (unsigned i = 0; i < n; i++) {
        b->now_ns += 205 * US;
        observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_SHAPE, .shape = shape});
    }
}

static void stand_in(struct bench *b, const struct mac_shape *shape)
{
    open_bench(b);
    observe(b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_BUSY, .power_dbfs = -35});
    b->blocked_ns = 10 * MS;
    show_shapes(b, 200, shape);
}

START_TEST(energy_without_a_pause_is_named_by_its_shape_within_50_ms)
{
    static const struct {
        struct mac_shape shape;
        enum mac_jam_kind kind;
    } rows[] = {
        {{.kurtosis = 1.01, .narrow = .99, .centre_hz = 1e6, .repeat = .99}, MAC_JAM_TONE},
        {{.kurtosis = 1.99, .narrow = .035, .centre_hz = 0, .repeat = .04}, MAC_JAM_CONSTANT},
        {{.kurtosis = 1.8, .narrow = .15, .centre_hz = 0, .repeat = .998}, MAC_JAM_PILOT},
        {{.kurtosis = 1.97, .narrow = .5, .centre_hz = 0, .repeat = .2}, MAC_JAM_FOREIGN},
        {{.kurtosis = 1.23, .narrow = .94, .centre_hz = 0, .repeat = .1}, MAC_JAM_FOREIGN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        open_bench(&b);
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_BUSY, .power_dbfs = -35});
        b.blocked_ns = 10 * MS;
        for (unsigned k = 0; k < 200; k++) { /* noise has no centre */
            struct mac_shape shape = rows[i].shape;
            if (rows[i].kind == MAC_JAM_CONSTANT)
                shape.centre_hz = 9e6 * (draw(&b) - .5);
            show_shapes(&b, 1, &shape);
        }
        ck_assert_int_eq(b.last.kind, rows[i].kind);
        ck_assert_int_le(b.last.at_ns, 1050 * MS);
        ck_assert_uint_eq(b.n_attacks, mac_jam_is_attack(rows[i].kind));
    }
}
END_TEST

START_TEST(a_tone_is_named_with_its_band)
{
    struct bench b;
    struct mac_shape shape = {.kurtosis = 1.01, .narrow = .99, .centre_hz = -1.5e6, .repeat = .9};
    stand_in(&b, &shape);
    ck_assert_int_eq(b.last.low_khz, -1501);
    ck_assert_int_eq(b.last.high_khz, -1499);
}
END_TEST

START_TEST(shapes_that_no_training_saw_are_an_attack_without_a_name_and_numbers_that_are_none_are_left_out)
{
    struct bench b;
    struct mac_shape odd = {.kurtosis = 5, .narrow = .3, .repeat = .05}, none = {.kurtosis = NAN, .narrow = INFINITY, .repeat = -INFINITY};
    stand_in(&b, &odd);
    ck_assert_int_eq(b.last.kind, MAC_JAM_UNKNOWN);
    stand_in(&b, &none);
    ck_assert_uint_eq(b.n_attacks, 0);
    none.kurtosis = 1;
    none.narrow = 1;
    stand_in(&b, &none);
    ck_assert_uint_eq(b.n_attacks, 0);
}
END_TEST

START_TEST(a_kind_that_it_is_not_to_know_is_an_attack_without_a_name)
{
    struct bench b;
    struct mac_shape pilots = {.kurtosis = 1.8, .narrow = .15, .repeat = .998};
    open_bench(&b);
    b.jam.cfg.nameless = 1u << MAC_JAM_PILOT;
    observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_BUSY, .power_dbfs = -35});
    b.blocked_ns = 10 * MS;
    show_shapes(&b, 200, &pilots);
    ck_assert_int_eq(b.last.kind, MAC_JAM_UNKNOWN);
    stand_in(&b, &pilots);
    ck_assert_int_eq(b.last.kind, MAC_JAM_PILOT);
}
END_TEST

static unsigned accuse_bursts(double repeat, enum mac_jam_kind *kind_out)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 40; i++) {
        struct mac_shape shape = {.kurtosis = 1.99, .narrow = repeat > .1 ? .19 : .035, .repeat = repeat, .centre_hz = 9e6 * (draw(&b) - .5)};
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_BUSY, .power_dbfs = -35});
        show_shapes(&b, 1, &shape);
        b.now_ns += 100 * US;
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_IDLE});
        wait(&b, (int64_t)(draw(&b) * 4) * MS);
    }
    *kind_out = b.last.kind;
    return b.n_attacks;
}

START_TEST(bursts_of_noise_are_pulses_and_of_lost_frames_are_not)
{
    enum mac_jam_kind kind;
    ck_assert_uint_eq(accuse_bursts(.04, &kind), 1);
    ck_assert_int_eq(kind, MAC_JAM_PULSE);
    ck_assert_uint_eq(accuse_bursts(.2, &kind), 0);
}
END_TEST

START_TEST(a_frame_heard_again_and_again_is_deception_and_a_new_one_each_time_is_not)
{
    struct bench b;
    open_bench(&b);
    for (uint64_t i = 0; i < 100; i++) {
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_NAME, .name = i});
        wait(&b, 5 * MS);
    }
    ck_assert_uint_eq(b.n_attacks, 0);
    for (int i = 0; i < 5; i++) {
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_NAME, .name = 7777});
        wait(&b, 5 * MS);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_DECEPTIVE);
}
END_TEST

START_TEST(preambles_that_nothing_follows_are_an_attack)
{
    struct bench b;
    open_bench(&b);
    for (int i = 0; i < 10; i++) {
        struct mac_rx_quality q = {.start_ns = b.now_ns, .end_ns = b.now_ns + 40 * US, .head_dbfs = -40, .rssi_dbfs = -41, .rise_ns = -1};
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_BUSY, .power_dbfs = -40});
        b.now_ns += 32 * US;
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_LOCK});
        b.now_ns += 8 * US;
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_FRAME, .quality = &q});
        b.now_ns += 4 * US;
        observe(&b, (struct mac_jam_observation){.kind = MAC_JAM_SEEN_IDLE});
        wait(&b, MS);
    }
    ck_assert_int_eq(b.last.kind, MAC_JAM_PREAMBLE);
}
END_TEST

START_TEST(the_level_of_evidence_grows_with_it)
{
    unsigned before = 0;
    for (unsigned r = 0; r <= 8; r++) {
        struct mac_jam_statistics s = {.last = 8, .last_bad = 8, .last_rises = r, .last_consistent = r};
        unsigned level = mac_jam_level(MAC_JAM_REACTIVE, &s);
        ck_assert_uint_ge(level, before);
        ck_assert_uint_lt(level, MAC_JAM_LEVELS);
        before = level;
    }
    ck_assert_uint_eq(before, MAC_JAM_LEVELS - 1);
    for (enum mac_jam_kind kind = 0; kind < MAC_JAM_N_KINDS; kind++)
        for (unsigned level = 0; level < MAC_JAM_LEVELS; level++) {
            ck_assert_uint_gt(mac_jam_confidences[kind][level], 0);
            ck_assert_uint_lt(mac_jam_confidences[kind][level], 1000);
        }
}
END_TEST

START_TEST(every_kind_has_its_name_and_nine_accuse)
{
    unsigned n = 0;
    for (enum mac_jam_kind kind = 0; kind < MAC_JAM_N_KINDS; kind++) {
        n += mac_jam_is_attack(kind);
        ck_assert_str_ne(mac_jam_kind_name(kind), "invalid");
    }
    ck_assert_uint_eq(n, 9);
    ck_assert_str_eq(mac_jam_kind_name(MAC_JAM_REACTIVE), "reactive");
    ck_assert_str_eq(mac_jam_kind_name(MAC_JAM_WEAK_LINK), "weak-link");
    ck_assert_str_eq(mac_jam_kind_name(MAC_JAM_UNKNOWN), "jammed");
    ck_assert_str_eq(mac_jam_kind_name(MAC_JAM_N_KINDS), "invalid");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("verdicts");
    tcase_add_test(tc, a_reactive_jammer_is_named_within_150_ms_at_40_frames_a_second);
    tcase_add_test(tc, a_jammer_weaker_than_the_frames_shows_by_where_their_errors_begin);
    tcase_add_test(tc, an_attack_is_over_when_the_window_has_passed_without_it);
    tcase_add_test(tc, no_attack_is_raised_from_what_lies_before_the_window_or_by_a_good_frame);
    tcase_add_test(tc, a_thousand_seconds_of_ordinary_contention_give_no_attack);
    tcase_add_test(tc, hidden_stations_whose_frames_meet_anywhere_are_no_attack);
    tcase_add_test(tc, saturated_collisions_are_congestion);
    tcase_add_test(tc, bad_frames_near_the_sensitivity_are_a_weak_link);
    tcase_add_test(tc, regular_bursts_without_a_frame_that_kill_frames_are_pulses);
    tcase_add_test(tc, bursts_as_short_as_the_pulses_of_a_radar_accuse_nobody);
    tcase_add_test(tc, a_radar_is_told_once_though_its_pulses_spare_frames);
    tcase_add_test(tc, energy_for_a_second_with_a_stuck_queue_is_constant_jamming);
    tcase_add_test(tc, a_silent_channel_where_every_strong_frame_dies_without_a_trace_is_an_unknown_attack);
    tcase_add_test(tc, locks_on_noise_that_become_frames_accuse_nobody);
    tcase_add_test(tc, numbers_that_are_none_accuse_nobody);
    tcase_add_test(tc, a_station_whose_own_frames_are_answered_accuses_nobody);
    tcase_add_test(tc, energy_without_a_pause_is_named_by_its_shape_within_50_ms);
    tcase_add_test(tc, a_tone_is_named_with_its_band);
    tcase_add_test(tc, shapes_that_no_training_saw_are_an_attack_without_a_name_and_numbers_that_are_none_are_left_out);
    tcase_add_test(tc, a_kind_that_it_is_not_to_know_is_an_attack_without_a_name);
    tcase_add_test(tc, bursts_of_noise_are_pulses_and_of_lost_frames_are_not);
    tcase_add_test(tc, a_frame_heard_again_and_again_is_deception_and_a_new_one_each_time_is_not);
    tcase_add_test(tc, preambles_that_nothing_follows_are_an_attack);
    tcase_add_test(tc, the_level_of_evidence_grows_with_it);
    tcase_add_test(tc, every_kind_has_its_name_and_nine_accuse);
    suite_add_tcase(suite, tc);
}
