#define SUITE_NAME "phy machine at packet fidelity"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/crc.h"
#include "phy/decibel.h"
#include "phy/packet/receive.h"
#include "phy/phy.h"
#include "tests/unit/check_main.h"

enum { FS = 10000000, LEN = 204, MAX_KEPT = 4000 };

/* Receives without fault above 10 dB and never below 0; a tone costs nothing, other frames as much as noise does. */
static struct phy_packet_tables make_tables(void)
{
    struct phy_packet_tables t = {.waveform = "flex", .n_rates = 4, .lock_delay_samples = 330, .frame_delay_samples = 7,
                                  .max_cut_samples = 40, .captures = true, .n_snr = 3, .snr_first_db = 0.0f, .snr_step_db = 5.0f,
                                  .lock = {0.0f, 0.5f, 1.0f}, .header_loss = {4.0f, -3.0f, PHY_PACKET_NO_LOSS},
                                  .n_grid_snr = 2, .n_grid_sir = 2, .grid_snr_db = {0.0f, 30.0f}, .grid_sir_db = {0.0f, 10.0f}};
    for (unsigned r = 0; r < t.n_rates; r++) {
        const float loss[3] = {4.0f, -6.0f, PHY_PACKET_NO_LOSS};
        memcpy(t.symbol_loss[r], loss, sizeof loss);
    }
    for (unsigned k = 1; k < PHY_N_INTERFERENCE; k++)
        for (unsigned i = 0; i < 2; i++)
            for (unsigned j = 0; j < 2; j++) {
                bool bad = k != PHY_INTERFERENCE_TONE && j == 0;
                t.grid_lock[0][k][i][j] = t.grid_lock[1][k][i][j] = bad ? 0.0f : 1.0f;
                t.grid_header_loss[k][i][j] = bad ? 4.0f : PHY_PACKET_NO_LOSS;
                for (unsigned r = 0; r < t.n_rates; r++)
                    t.grid_symbol_loss[0][k][r][i][j] = t.grid_symbol_loss[1][k][r][i][j] = bad ? 4.0f : PHY_PACKET_NO_LOSS;
            }
    /* twins within 20 samples cost nothing at a SIR of 10 dB; at 0 dB and beginning together half of the frames, apart all */
    t.twins = (struct phy_packet_twins){.n_offset = 2, .n_cfo = 1, .n_snr = 2, .n_sir = 2, .offset = {0.0f, 20.0f}, .cfo = {0.0f},
                                       .snr_db = {0.0f, 30.0f}, .sir_db = {0.0f, 10.0f}, .span_samples = 20};
    for (unsigned o = 0; o < 2; o++)
        for (unsigned i = 0; i < 2; i++)
            for (unsigned j = 0; j < 2; j++) {
                t.twins.lock[o][i][j] = 1.0f;
                t.twins.other_header_loss[o][i][j] = j == 0 ? 4.0f : PHY_PACKET_NO_LOSS;
                for (unsigned r = 0; r < t.n_rates; r++) {
                    t.twins.header_loss[r][o][i][j] = t.twins.symbol_loss[r][o][i][j] = PHY_PACKET_NO_LOSS;
                    t.twins.frame_loss[r][o][i][j] = j == 1 ? PHY_PACKET_NO_LOSS : o == 0 ? 0.0f : 4.0f;
                }
            }
    return t;
}

struct scene {
    struct phy_packet_tables tables;
    struct phy *phy;
    void *mem;
    size_t n_arrivals;
    struct phy_arrival arrivals[64];
    uint64_t position;
    size_t n_kept;
    struct phy_signal kept[MAX_KEPT];
    uint8_t psdu[LEN];
};

static struct scene *open_scene(uint64_t seed)
{
    struct scene *s = calloc(1, sizeof *s);
    s->tables = make_tables();
    struct phy_config cfg = {.waveform = phy_waveform_flex(), .sample_rate_hz = FS, .noise_dbfs = -80.0, .cca_energy_db = 8.0,
                             .cca_samples = 80, .packet = &s->tables, .seed = seed, .stream = 3};
    const char *bad_field;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    s->mem = aligned_alloc(64, len);
    ck_assert_int_eq(phy_init(s->mem, len, &cfg, &s->phy, &bad_field), 0);
    for (size_t i = 0; i < LEN; i++)
        s->psdu[i] = (uint8_t)(i * 7);
    return s;
}

static void close_scene(struct scene *s)
{
    phy_close(s->phy);
    free(s->mem);
    free(s);
}

static struct phy_arrival *add(struct scene *s, uint64_t start, uint64_t n, double snr_db, enum phy_interference kind)
{
    struct phy_arrival *a = &s->arrivals[s->n_arrivals];
    *a = (struct phy_arrival){.id = s->n_arrivals, .start_sample = start, .end_sample = start + n, .power = phy_from_db(snr_db - 80.0),
                              .interference = kind};
    s->n_arrivals++;
    return a;
}

static uint64_t frame_samples(void)
{
    return phy_waveform_flex()->frame_samples(LEN, 1);
}

static void add_frame(struct scene *s, uint64_t start, double snr_db)
{
    struct phy_arrival *a = add(s, start, frame_samples(), snr_db, PHY_INTERFERENCE_OFDM);
    a->psdu = s->psdu;
    a->psdu_len = LEN;
    a->rate_index = 1;
    a->cfo_hz = 1234.0;
}

static float complex shaped[60 * 2048];

static void add_noise(struct scene *s, uint64_t start, uint64_t n, double snr_db)
{
    static struct phy_awgn g;
    struct phy_arrival *a = add(s, start, n, snr_db, PHY_INTERFERENCE_NOISE);
    memset(shaped, 0, sizeof shaped);
    phy_awgn_init(&g, 7, 7, PHY_SIMD_AUTO);
    phy_awgn_add(&g, 0, 1.0f, shaped, n);
    a->samples = shaped;
    a->scale = (float)sqrt(a->power);
}

static void step(struct scene *s, const struct phy_event *event)
{
    static struct phy_update update;
    ck_assert_int_eq(phy_step(s->phy, event, &update), 0);
    for (size_t i = 0; i < update.n_signals; i++) {
        ck_assert(s->n_kept < MAX_KEPT);
        s->kept[s->n_kept++] = update.signals[i];
    }
}

static void run_until(struct scene *s, uint64_t end, uint64_t cut)
{
    while (s->position < end) {
        uint64_t n = end - s->position < cut ? end - s->position : cut;
        struct phy_arrival here[64];
        size_t n_here = 0;
        for (size_t i = 0; i < s->n_arrivals; i++)
            if (s->arrivals[i].start_sample < s->position + n && s->arrivals[i].end_sample > s->position)
                here[n_here++] = s->arrivals[i];
        struct phy_event event = {.kind = PHY_EV_ARRIVALS, .arrivals = {n, here, n_here}};
        step(s, &event);
        s->position += n;
    }
}

static void skip(struct scene *s, uint64_t n)
{
    struct phy_event event = {.kind = PHY_EV_SKIP, .skip.n = n};
    step(s, &event);
    s->position += n;
}

static const struct phy_signal *find(const struct scene *s, enum phy_signal_kind kind, size_t index)
{
    for (size_t i = 0; i < s->n_kept; i++)
        if (s->kept[i].kind == kind && index-- == 0)
            return &s->kept[i];
    return NULL;
}

START_TEST(a_strong_frame_comes_through_with_exact_times_and_levels)
{
    struct scene *s = open_scene(1);
    add_frame(s, 10007, 20.0);
    run_until(s, 40000, 4096);
    const struct phy_signal *lock = find(s, PHY_LOCK, 0), *frame = find(s, PHY_FRAME, 0);
    ck_assert(lock && frame && !find(s, PHY_FRAME, 1));
    ck_assert_uint_eq(lock->sample, 10007 + 330);
    ck_assert_uint_eq(frame->sample, 10007 + frame_samples() + 7);
    ck_assert(frame->frame.header_ok && frame->frame.fcs_ok);
    ck_assert_uint_eq(frame->frame.start_sample, 10007);
    ck_assert_uint_eq(frame->frame.end_sample, 10007 + frame_samples());
    ck_assert_uint_eq(frame->frame.psdu_len, LEN);
    ck_assert_uint_eq(frame->frame.rate_kbps, 6000);
    ck_assert_double_eq_tol(frame->frame.snr_db, 20.0, 0.3);
    ck_assert_double_eq_tol(frame->frame.rssi_dbfs, -60.0, 0.4);
    ck_assert_double_eq_tol(frame->frame.evm_db, -20.0, 0.1);
    ck_assert_double_eq_tol(frame->frame.cfo_hz, 1234.0, 1e-9);
    const struct phy_signal *busy = find(s, PHY_CCA_BUSY, 0), *idle = find(s, PHY_CCA_IDLE, 0);
    ck_assert(busy && idle && !find(s, PHY_CCA_BUSY, 1));
    ck_assert_uint_eq(busy->sample, 10080);
    ck_assert(idle->sample >= frame->frame.end_sample && idle->sample <= frame->frame.end_sample + 160);
    close_scene(s);
}
END_TEST

START_TEST(results_do_not_depend_on_how_time_is_cut)
{
    size_t n_shapes = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct scene *a = open_scene(seed), *b = open_scene(seed);
        struct scene *both[2] = {a, b};
        for (unsigned k = 0; k < 2; k++) {
            struct scene *s = both[k];
            add_frame(s, 1000, 7.0);
            add(s, 2345, 777, 5.0, PHY_INTERFERENCE_PULSED);
            add_frame(s, 1003 + 2 * frame_samples(), 9.0);
            add_frame(s, 1203 + 2 * frame_samples(), 4.0);
            add_noise(s, 1500 + 3 * frame_samples(), 20000, 12.0);
            add_frame(s, 8000 + 3 * frame_samples(), 5.0);
            run_until(s, 60000, k == 0 ? 4096 : 37);
        }
        ck_assert_uint_eq(a->n_kept, b->n_kept);
        for (size_t i = 0; i < a->n_kept; i++) {
            a->kept[i].frame.psdu = b->kept[i].frame.psdu = NULL;
            ck_assert_uint_eq(a->kept[i].kind, b->kept[i].kind);
            ck_assert_uint_eq(a->kept[i].sample, b->kept[i].sample);
            if (a->kept[i].kind == PHY_FRAME)
                ck_assert_mem_eq(&a->kept[i].frame, &b->kept[i].frame, sizeof a->kept[i].frame);
            if (a->kept[i].kind == PHY_SHAPE)
                ck_assert_mem_eq(&a->kept[i].shape, &b->kept[i].shape, sizeof a->kept[i].shape);
            n_shapes += a->kept[i].kind == PHY_SHAPE;
        }
        close_scene(a);
        close_scene(b);
    }
    ck_assert_uint_ge(n_shapes, 20 * 5);
}
END_TEST

static size_t mean_shape(const struct scene *s, struct phy_shape *mean)
{
    const struct phy_signal *signal;
    size_t n = 0;
    memset(mean, 0, sizeof *mean);
    for (; (signal = find(s, PHY_SHAPE, n)) != NULL; n++) {
        mean->power_dbfs += signal->shape.power_dbfs;
        mean->kurtosis += signal->shape.kurtosis;
        mean->narrow += signal->shape.narrow;
        mean->repeat += signal->shape.repeat;
    }
    mean->power_dbfs /= (double)n;
    mean->kurtosis /= (double)n;
    mean->narrow /= (double)n;
    mean->repeat /= (double)n;
    return n;
}

/* Of 512 samples of noise the correlations have a mean of sqrt(pi / (4 x 512)), 64 fewer of them sqrt(pi / (4 x 448)). */
START_TEST(noise_tones_and_frames_that_nobody_locks_on_have_their_shapes)
{
    enum { N = 60 * 2048 };
    struct phy_shape mean;
    struct scene *s = open_scene(1);
    add_noise(s, 0, N, 20.0);
    run_until(s, N, 80);
    ck_assert_uint_ge(mean_shape(s, &mean), 55);
    ck_assert_double_eq_tol(mean.power_dbfs, -60.0 + 0.04, 0.1);
    ck_assert_double_eq_tol(mean.kurtosis, 2.0, 0.06);
    ck_assert_double_eq_tol(mean.narrow, sqrt(3.14159 / 2048.0), 0.01);
    ck_assert_double_eq_tol(mean.repeat, sqrt(3.14159 / 1792.0), 0.012);
    close_scene(s);
    s = open_scene(2);
    for (size_t i = 0; i < N; i++)
        shaped[i] = CMPLXF(cosf(0.3f * (float)(i % 1000)), sinf(0.3f * (float)(i % 1000)));
    struct phy_arrival *tone = add(s, 0, N, 20.0, PHY_INTERFERENCE_TONE);
    tone->samples = shaped;
    tone->scale = (float)sqrt(tone->power);
    run_until(s, N, 80);
    ck_assert_uint_ge(mean_shape(s, &mean), 55);
    ck_assert_double_lt(mean.kurtosis, 1.1);
    ck_assert_double_gt(mean.narrow, 0.95);
    close_scene(s);
    s = open_scene(3);
    skip(s, 2048);
    for (uint64_t i = 0; i < 40; i++) { /* their preambles are missed */
        s->n_arrivals = 0;
        add_frame(s, s->position - 1000, 20.0);
        s->arrivals[0].id = i;
        run_until(s, s->position + frame_samples() - 1000, 80);
        skip(s, 2048);
    }
    ck_assert_uint_ge(mean_shape(s, &mean), 30);
    ck_assert_double_eq_tol(mean.kurtosis, 2.0, 0.1);
    ck_assert_double_eq_tol(mean.repeat, 0.2, 0.04);
    close_scene(s);
}
END_TEST

START_TEST(a_locked_frame_and_what_has_no_samples_have_no_shape)
{
    struct scene *s = open_scene(1);
    add_frame(s, 10007, 20.0);
    add(s, 40000, 20000, 20.0, PHY_INTERFERENCE_NOISE);
    run_until(s, 80000, 4096);
    ck_assert(find(s, PHY_FRAME, 0) != NULL);
    ck_assert(find(s, PHY_CCA_BUSY, 1) != NULL);
    ck_assert(find(s, PHY_SHAPE, 0) == NULL);
    close_scene(s);
}
END_TEST

START_TEST(locks_and_frames_are_lost_as_often_as_the_tables_say)
{
    const size_t n = 4000;
    size_t n_locks = 0, n_ok = 0, n_header_bad = 0;
    struct scene *s = open_scene(5);
    for (size_t i = 0; i < n; i++) {
        s->n_arrivals = 0;
        add_frame(s, s->position + 100, 5.0);
        s->arrivals[0].id = i;
        s->n_kept = 0;
        run_until(s, s->position + frame_samples() + 1000, 4096);
        const struct phy_signal *frame = find(s, PHY_FRAME, 0);
        n_locks += find(s, PHY_LOCK, 0) != NULL;
        n_header_bad += frame && !frame->frame.header_ok;
        n_ok += frame && frame->frame.fcs_ok;
    }
    double p_header = exp2(-exp2(-3.0)), n_symbols = floor(((double)frame_samples() - 400.0) / 80.0);
    double p_frame = exp2(-n_symbols * exp2(-6.0)), locks = (double)n_locks;
    ck_assert_double_eq_tol(locks / (double)n, 0.5, 3.5 * sqrt(0.25 / (double)n));
    ck_assert_double_eq_tol((double)n_header_bad / locks, 1.0 - p_header, 3.5 * sqrt(p_header * (1.0 - p_header) / locks));
    double p = p_header * p_frame;
    ck_assert_double_eq_tol((double)n_ok / locks, p, 3.5 * sqrt(p * (1.0 - p) / locks));
    close_scene(s);
}
END_TEST

START_TEST(a_stronger_frame_captures_the_receiver_and_a_weaker_one_does_not)
{
    struct scene *s = open_scene(2);
    add_frame(s, 1000, 15.0);
    add_frame(s, 3000, 35.0);
    run_until(s, 30000, 4096);
    const struct phy_signal *first = find(s, PHY_FRAME, 0), *second = find(s, PHY_FRAME, 1);
    ck_assert(first && second && !find(s, PHY_FRAME, 2));
    ck_assert(!first->frame.fcs_ok && second->frame.fcs_ok);
    ck_assert_uint_eq(first->sample, 3330);
    ck_assert_uint_eq(second->frame.start_sample, 3000);
    close_scene(s);
    s = open_scene(2);
    add_frame(s, 1000, 35.0);
    add_frame(s, 3000, 15.0);
    run_until(s, 30000, 4096);
    first = find(s, PHY_FRAME, 0);
    ck_assert(first && !find(s, PHY_FRAME, 1));
    ck_assert(first->frame.fcs_ok && first->frame.start_sample == 1000);
    close_scene(s);
}
END_TEST

START_TEST(where_the_waveform_does_not_capture_the_first_frame_keeps_the_receiver)
{
    struct scene *s = open_scene(2);
    s->tables.captures = false;
    add_frame(s, 1000, 15.0);
    add_frame(s, 1500, 45.0);
    add_frame(s, 1500 + 2 * frame_samples(), 15.0);
    run_until(s, 60000, 4096);
    const struct phy_signal *first = find(s, PHY_FRAME, 0), *second = find(s, PHY_FRAME, 1);
    ck_assert(first && second && !find(s, PHY_FRAME, 2));
    ck_assert(!first->frame.fcs_ok && first->frame.start_sample == 1000);
    ck_assert(second->frame.fcs_ok && second->frame.start_sample == 1500 + 2 * frame_samples());
    close_scene(s);
}
END_TEST

START_TEST(kinds_of_interference_cost_what_their_tables_say)
{
    static const struct {
        enum phy_interference kind;
        bool lives;
    } cases[] = {{PHY_INTERFERENCE_NOISE, false}, {PHY_INTERFERENCE_TONE, true}, {PHY_INTERFERENCE_PULSED, false},
                 {PHY_INTERFERENCE_OFDM, false}};
    for (size_t i = 0; i < 4; i++) {
        struct scene *s = open_scene(2);
        add_frame(s, 1000, 20.0);
        add(s, 2000, 800, 21.0, cases[i].kind);
        run_until(s, 30000, 4096);
        const struct phy_signal *frame = find(s, PHY_FRAME, 0);
        ck_assert(frame && frame->frame.header_ok);
        ck_assert_int_eq(frame->frame.fcs_ok, cases[i].lives);
        ck_assert_int_eq(phy_crc32(frame->frame.psdu, 0) == 0, 1);
        close_scene(s);
    }
}
END_TEST

static const struct phy_frame *hear_twins(struct scene *s, uint64_t apart, double sir_db, size_t other_len)
{
    add_frame(s, 1000, 30.0 - sir_db);
    s->arrivals[0].psdu_len = other_len;
    add_frame(s, 1000 + apart, 30.0);
    run_until(s, 30000, 4096);
    ck_assert(find(s, PHY_LOCK, 0) && !find(s, PHY_LOCK, 1) && find(s, PHY_FRAME, 0) && !find(s, PHY_FRAME, 1));
    return &find(s, PHY_FRAME, 0)->frame;
}

START_TEST(of_frames_that_begin_together_the_strongest_is_locked)
{
    struct scene *s = open_scene(2);
    const struct phy_frame *frame = hear_twins(s, 20, 10.0, LEN);
    ck_assert(frame->start_sample == 1020 && frame->fcs_ok);
    close_scene(s);
    s = open_scene(2);
    frame = hear_twins(s, 20, 0.5, LEN);
    ck_assert(frame->start_sample == 1020 && frame->header_ok && !frame->fcs_ok);
    close_scene(s);
    s = open_scene(2);
    frame = hear_twins(s, 20, 0.5, LEN - 100); /* another header beneath it */
    ck_assert(!frame->header_ok);
    close_scene(s);
}
END_TEST

START_TEST(of_twins_as_many_are_lost_as_the_tables_say)
{
    enum { N = 1500 };
    unsigned n_ok = 0;
    for (uint64_t seed = 0; seed < N; seed++) {
        struct scene *s = open_scene(seed);
        n_ok += hear_twins(s, 0, 0.0, LEN)->fcs_ok;
        close_scene(s);
    }
    double share = (double)n_ok / N, error = sqrt(0.25 / N);
    ck_assert_msg(fabs(share - 0.5) < 3.5 * error, "%g of %d lived", share, N);
}
END_TEST

START_TEST(who_was_away_for_the_preamble_hears_energy_but_no_frame)
{
    static const struct {
        uint64_t away;
        bool locks;
    } cases[] = {{1000, true}, {1040, true}, {1041, false}, {1500, false}};
    for (size_t i = 0; i < 4; i++) {
        struct scene *s = open_scene(2);
        add_frame(s, 1000, 20.0);
        skip(s, cases[i].away);
        run_until(s, 30000, 4096);
        ck_assert_int_eq(find(s, PHY_FRAME, 0) != NULL, cases[i].locks);
        ck_assert(find(s, PHY_CCA_BUSY, 0) && find(s, PHY_CCA_IDLE, 0));
        close_scene(s);
    }
}
END_TEST

START_TEST(a_skip_ends_a_frame_and_a_busy_medium)
{
    struct scene *s = open_scene(2);
    add_frame(s, 1000, 20.0);
    run_until(s, 3000, 4096);
    skip(s, 20000); /* and does not touch a window that is still to come */
    const struct phy_signal *frame = find(s, PHY_FRAME, 0), *idle = find(s, PHY_CCA_IDLE, 0);
    ck_assert(frame && idle && frame->sample == 3000 && idle->sample == 3000 && !frame->frame.header_ok);
    struct phy_stats stats;
    phy_stats(s->phy, &stats);
    ck_assert_uint_eq(stats.n_aborted, 1);
    close_scene(s);
}
END_TEST

START_TEST(sensing_has_the_false_alarms_that_were_asked_for)
{
    const size_t n = 20000;
    const double p_fa = 0.01;
    size_t n_occupied = 0;
    struct scene *s = open_scene(9);
    for (size_t i = 0; i < n; i++) {
        struct phy_event sense = {.kind = PHY_EV_SENSE, .sense = {s->position + 5, 1000, p_fa}};
        s->n_kept = 0;
        step(s, &sense);
        run_until(s, s->position + 1100, 4096);
        ck_assert_uint_eq(s->n_kept, 1);
        n_occupied += s->kept[0].sense.occupied;
    }
    ck_assert_double_eq_tol((double)n_occupied / (double)n, p_fa, 3.5 * sqrt(p_fa * (1.0 - p_fa) / (double)n));
    s->n_kept = 0;
    add(s, s->position + 10, 500, 3.0, PHY_INTERFERENCE_NOISE);
    struct phy_event sense = {.kind = PHY_EV_SENSE, .sense = {s->position + 10, 1000, p_fa}};
    step(s, &sense);
    run_until(s, s->position + 1100, 17);
    const struct phy_signal *sensed = find(s, PHY_SENSED, 0);
    ck_assert(sensed && sensed->sense.occupied);
    ck_assert_double_eq_tol(sensed->sense.power_dbfs, -80.0 + 10.0 * log10(1.0 + 0.5 * pow(10.0, 0.3)), 0.6);
    close_scene(s);
}
END_TEST

START_TEST(a_window_is_measured_when_what_was_missed_ends_before_it)
{
    struct scene *s = open_scene(9);
    struct phy_event sense = {.kind = PHY_EV_SENSE, .sense = {5000, 1000, 0.01}};
    step(s, &sense);
    skip(s, 5000);
    run_until(s, 6000, 80);
    ck_assert(find(s, PHY_SENSED, 0));
    sense.sense.start_sample = 7000;
    step(s, &sense);
    skip(s, 1001);
    run_until(s, 9000, 80);
    ck_assert(!find(s, PHY_SENSED, 1));
    struct phy_stats stats;
    phy_stats(s->phy, &stats);
    ck_assert_uint_eq(stats.n_sense_spoiled, 1);
    close_scene(s);
}
END_TEST

START_TEST(what_is_no_arrival_is_refused)
{
    static struct phy_update update;
    struct scene *s = open_scene(1);
    struct phy_arrival a = {.start_sample = 0, .end_sample = 100, .power = 1.0, .psdu = s->psdu, .psdu_len = 5000};
    struct phy_event event = {.kind = PHY_EV_ARRIVALS, .arrivals = {80, &a, 1}};
    ck_assert_int_eq(phy_step(s->phy, &event, &update), -EBADMSG);
    a.psdu_len = 100;
    a.rate_index = 99;
    ck_assert_int_eq(phy_step(s->phy, &event, &update), -EBADMSG);
    a.rate_index = 0;
    a.power = (double)NAN;
    ck_assert_int_eq(phy_step(s->phy, &event, &update), -EBADMSG);
    a.power = 1.0;
    a.start_sample = 80;
    ck_assert_int_eq(phy_step(s->phy, &event, &update), -EBADMSG);
    float complex x[80] = {0};
    struct phy_event samples = {.kind = PHY_EV_SAMPLES, .samples = {x, 80}};
    ck_assert_int_eq(phy_step(s->phy, &samples, &update), -EBADMSG);
    close_scene(s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("packet");
    tcase_add_test(tc, a_strong_frame_comes_through_with_exact_times_and_levels);
    tcase_add_test(tc, results_do_not_depend_on_how_time_is_cut);
    tcase_add_test(tc, noise_tones_and_frames_that_nobody_locks_on_have_their_shapes);
    tcase_add_test(tc, a_locked_frame_and_what_has_no_samples_have_no_shape);
    tcase_add_test(tc, locks_and_frames_are_lost_as_often_as_the_tables_say);
    tcase_add_test(tc, a_stronger_frame_captures_the_receiver_and_a_weaker_one_does_not);
    tcase_add_test(tc, where_the_waveform_does_not_capture_the_first_frame_keeps_the_receiver);
    tcase_add_test(tc, kinds_of_interference_cost_what_their_tables_say);
    tcase_add_test(tc, of_frames_that_begin_together_the_strongest_is_locked);
    tcase_add_test(tc, of_twins_as_many_are_lost_as_the_tables_say);
    tcase_add_test(tc, who_was_away_for_the_preamble_hears_energy_but_no_frame);
    tcase_add_test(tc, a_skip_ends_a_frame_and_a_busy_medium);
    tcase_add_test(tc, sensing_has_the_false_alarms_that_were_asked_for);
    tcase_add_test(tc, a_window_is_measured_when_what_was_missed_ends_before_it);
    tcase_add_test(tc, what_is_no_arrival_is_refused);
    suite_add_tcase(suite, tc);
}
