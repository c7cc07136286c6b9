#define SUITE_NAME "phy emitter"
#include <errno.h>
#include <fftw3.h>
#include <math.h>
#include <string.h>

#include "phy/sensing/energy.h"
#include "phy/air/emitter.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/link.h"

enum { TOTAL = 20000, MAX_BURSTS = 400 };

struct bursts {
    size_t n;
    struct phy_emitter_burst b[MAX_BURSTS];
};

static struct phy_emitter_config reactive_config(void)
{
    return (struct phy_emitter_config){
        .kind = PHY_EMITTER_REACTIVE, .seed = 5, .stream = 6, .power_dbfs = -60.0, .to_sample = UINT64_MAX, .burst_samples = 1000,
        .react_samples = 200, .block_samples = 32, .noise_dbfs = -80.0, .threshold_db = 6.0,
    };
}

static struct phy_emitter *open_emitter(const struct phy_emitter_config *cfg)
{
    const char *bad_field;
    struct phy_emitter *j;
    void *mem = aligned_alloc(64, phy_emitter_bytes());
    ck_assert_int_eq(phy_emitter_init(mem, phy_emitter_bytes(), cfg, &j, &bad_field), 0);
    return j;
}

static struct bursts run(const struct phy_emitter_config *cfg, const float complex *x, size_t total, uint64_t seed)
{
    struct bursts all = {0};
    static struct phy_emitter_update update;
    struct phy_emitter *j = open_emitter(cfg);
    for (size_t at = 0; at < total;) {
        size_t n = 1 + link_random(&seed) % cfg->react_samples;
        n = n < total - at ? n : total - at;
        ck_assert_int_eq(phy_emitter_step(j, x + at, n, &update), 0);
        at += n;
        for (size_t i = 0; i < update.n_bursts; i++) {
            ck_assert_uint_ge(update.bursts[i].start_sample, cfg->first_sample + at);
            all.b[all.n++] = update.bursts[i];
        }
    }
    free(j);
    return all;
}

static float complex *make_scene(void)
{
    float complex *x = calloc(TOTAL, sizeof *x);
    for (size_t i = 3210; i < 4000; i++)
        x[i] = 1e-3f;
    for (size_t i = 9000; i < 12000; i++)
        x[i] = 1e-3f;
    link_add_noise(x, TOTAL, -80.0, 1);
    return x;
}

START_TEST(it_answers_each_transmission_after_its_reaction_time)
{
    float complex *x = make_scene();
    struct phy_emitter_config cfg = reactive_config();
    struct bursts all = run(&cfg, x, TOTAL, 1);
    ck_assert_uint_eq(all.n, 4);
    ck_assert_uint_eq(all.b[0].start_sample, 3232 + 200); /* the block [3200, 3232) has enough of it */
    ck_assert_uint_eq(all.b[0].n_samples, 1000);
    ck_assert_uint_eq(all.b[1].start_sample, 9024 + 200);
    /* while it sends it hears nothing: the next whole block after the burst, and its reaction time again */
    ck_assert_uint_eq(all.b[2].start_sample, (9224 + 1000 + 31) / 32 * 32 + 32 + 200);
    free(x);
}
END_TEST

START_TEST(its_decisions_do_not_depend_on_how_samples_are_cut)
{
    float complex *x = make_scene();
    struct phy_emitter_config cfg = reactive_config();
    cfg.first_sample = 1000003;
    struct bursts reference = run(&cfg, x, TOTAL, 1);
    for (uint64_t seed = 2; seed < 20; seed++) {
        struct bursts again = run(&cfg, x, TOTAL, seed);
        ck_assert_uint_eq(again.n, reference.n);
        ck_assert_mem_eq(again.b, reference.b, again.n * sizeof *again.b);
    }
    free(x);
}
END_TEST

START_TEST(it_keeps_silent_outside_its_time)
{
    float complex *x = make_scene();
    struct phy_emitter_config cfg = reactive_config();
    cfg.from_sample = 5000;
    cfg.to_sample = 9500;
    struct bursts all = run(&cfg, x, TOTAL, 1);
    ck_assert_uint_eq(all.n, 1);
    ck_assert_uint_eq(all.b[0].start_sample, 9224);
    ck_assert_uint_eq(all.b[0].start_sample + all.b[0].n_samples, 9500);
    free(x);
}
END_TEST

START_TEST(noise_and_pulses_keep_their_beat)
{
    float complex *x = calloc(TOTAL, sizeof *x);
    struct phy_emitter_config cfg = reactive_config();
    cfg.kind = PHY_EMITTER_NOISE;
    cfg.from_sample = 3000;
    cfg.to_sample = 9700;
    struct bursts all = run(&cfg, x, TOTAL, 1);
    ck_assert_uint_eq(all.n, 7);
    for (size_t i = 0; i < all.n; i++)
        ck_assert_uint_eq(all.b[i].start_sample, 3000 + 1000 * i);
    ck_assert_uint_eq(all.b[6].n_samples, 700);
    cfg.kind = PHY_EMITTER_PULSE;
    cfg.burst_samples = 100;
    cfg.period_samples = 500;
    cfg.from_sample = 0; /* the first that it can announce in time is the second */
    all = run(&cfg, x, TOTAL, 1);
    ck_assert_uint_eq(all.n, 19);
    ck_assert_uint_eq(all.b[0].start_sample, 500);
    ck_assert_uint_eq(all.b[18].start_sample, 9500);
    free(x);
}
END_TEST

START_TEST(a_burst_is_noise_of_the_power_asked_for)
{
    enum { N = 100000 };
    struct phy_emitter_config cfg = reactive_config();
    struct phy_emitter *j = open_emitter(&cfg);
    float complex *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    phy_emitter_fill(j, &(struct phy_emitter_burst){.start_sample = 777, .n_samples = N}, a);
    phy_emitter_fill(j, &(struct phy_emitter_burst){.start_sample = 777, .n_samples = N}, b);
    ck_assert_mem_eq(a, b, N * sizeof *a);
    ck_assert_double_le(fabs(phy_energy_sum(a, N) / N / 1e-6 - 1.0), 3.5 / sqrt((double)N));
    free(a);
    free(b);
    free(j);
}
END_TEST

enum { FOLLOWED = 3 };

/* Channel after channel of what a follower hears; frames on 1, on 2 and, a weaker one, on 0 at the same time as on 1. */
static float complex *make_channels(void)
{
    float complex *x = calloc(FOLLOWED * TOTAL, sizeof *x);
    for (size_t i = 3210; i < 4000; i++)
        x[TOTAL + i] = 1e-3f;
    for (size_t i = 9000; i < 12000; i++) {
        x[2 * TOTAL + i] = 1e-3f;
        x[i] = 7e-4f;
    }
    for (size_t c = 0; c < FOLLOWED; c++)
        link_add_noise(x + c * TOTAL, TOTAL, -80.0, 1 + c);
    return x;
}

static struct phy_emitter_config follower_config(void)
{
    struct phy_emitter_config cfg = reactive_config();
    cfg.kind = PHY_EMITTER_FOLLOWER;
    cfg.n_channels = FOLLOWED;
    cfg.dwell_samples = 2500;
    cfg.retune_samples = 70;
    return cfg;
}

static struct bursts run_follower(const struct phy_emitter_config *cfg, const float complex *x, uint64_t seed)
{
    struct bursts all = {0};
    static struct phy_emitter_update update;
    static float complex block[FOLLOWED * 200];
    struct phy_emitter *j = open_emitter(cfg);
    for (size_t at = 0; at < TOTAL;) {
        size_t n = 1 + link_random(&seed) % cfg->react_samples;
        n = n < TOTAL - at ? n : TOTAL - at;
        for (size_t c = 0; c < FOLLOWED; c++)
            memcpy(block + c * n, x + c * TOTAL + at, n * sizeof *block);
        ck_assert_int_eq(phy_emitter_step(j, block, n, &update), 0);
        at += n;
        for (size_t i = 0; i < update.n_bursts; i++) {
            ck_assert_uint_ge(update.bursts[i].start_sample, cfg->first_sample + at);
            all.b[all.n++] = update.bursts[i];
        }
    }
    free(j);
    return all;
}

START_TEST(a_follower_goes_where_the_strongest_is_and_looks_again_after_its_dwell_time)
{
    float complex *x = make_channels();
    struct phy_emitter_config cfg = follower_config();
    struct bursts all = run_follower(&cfg, x, 1);
    ck_assert_uint_eq(all.n, 9);
    /* the dwell in pieces of 1000, one after another, on the frame's channel */
    uint64_t first = 3232 + 200 + 70, second = 9024 + 200 + 70;
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(all.b[i].start_sample, (i < 3 ? first : second) + i % 3 * 1000);
        ck_assert_uint_eq(all.b[i].n_samples, i % 3 < 2 ? 1000 : 500);
        ck_assert_uint_eq(all.b[i].channel, i < 3 ? 1 : 2);
    }
    /* the frame is still there: its transmitter stands on the channel, and need not be tuned */
    ck_assert_uint_eq(all.b[6].start_sample, (second + 2500 + 31) / 32 * 32 + 32 + 200);
    ck_assert_uint_eq(all.b[6].channel, 2);
    for (uint64_t seed = 2; seed < 20; seed++) {
        struct bursts again = run_follower(&cfg, x, seed);
        ck_assert_uint_eq(again.n, all.n);
        ck_assert_mem_eq(again.b, all.b, again.n * sizeof *again.b);
    }
    cfg.from_sample = 8000;
    cfg.to_sample = 10000;
    all = run_follower(&cfg, x, 3);
    ck_assert_uint_eq(all.n, 1);
    ck_assert_uint_eq(all.b[0].start_sample + all.b[0].n_samples, 10000);
    free(x);
}
END_TEST

START_TEST(a_follower_that_cannot_be_is_refused)
{
    struct phy_emitter_config cfg = follower_config();
    const char *bad_field;
    struct phy_emitter *j;
    void *mem = aligned_alloc(64, phy_emitter_bytes());
    cfg.n_channels = 0;
    ck_assert_int_eq(phy_emitter_init(mem, phy_emitter_bytes(), &cfg, &j, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "n_channels");
    cfg = follower_config();
    cfg.block_samples = PHY_EMITTER_MAX_BLOCK_SAMPLES / 2; /* of three channels: no room */
    ck_assert_int_eq(phy_emitter_init(mem, phy_emitter_bytes(), &cfg, &j, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "block_samples");
    cfg = follower_config();
    cfg.dwell_samples = PHY_EMITTER_MIN_BURST;
    ck_assert_int_eq(phy_emitter_init(mem, phy_emitter_bytes(), &cfg, &j, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "dwell_samples");
    free(mem);
}
END_TEST

/* Ready for all kinds: a prepared frame, tones, a sweep. */
static float complex prepared[400];

static struct phy_emitter_config config_of(enum phy_emitter_kind kind)
{
    struct phy_emitter_config cfg = reactive_config();
    for (size_t i = 0; i < 400; i++)
        prepared[i] = 3.0f * (float)(i % 7) - 5.0f * (float complex)I * (float)(i % 3);
    cfg.kind = kind;
    cfg.burst_samples = 400;
    cfg.period_samples = 1600;
    cfg.mean_on_samples = 700.0;
    cfg.mean_off_samples = 2100.0;
    cfg.prepared = prepared;
    cfg.offset = kind == PHY_EMITTER_TONE ? 0.125 : 0.0;
    cfg.sweep_low = -0.25;
    cfg.sweep_high = 0.25;
    cfg.sweep_samples = 1000;
    cfg.n_channels = 3;
    cfg.dwell_samples = 900;
    cfg.n_tones = 4;
    memcpy(cfg.tones, (const double[]){-21.0 / 64, -7.0 / 64, 7.0 / 64, 21.0 / 64}, 4 * sizeof(double));
    return cfg;
}

/* Power is what was asked for, each part of a burst is the same whoever asks for it, and the name leads back to the kind. */
START_TEST(every_kind_sends_at_its_power_by_index_alone)
{
    enum { N = 64000 };
    float complex *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    for (int kind = 0; kind < PHY_EMITTER_N_KINDS; kind++) {
        struct phy_emitter_config cfg = config_of((enum phy_emitter_kind)kind);
        ck_assert_int_eq(phy_emitter_kind_of(phy_emitter_kind_name(cfg.kind)), kind);
        bool is_prepared = kind == PHY_EMITTER_PREAMBLE || kind == PHY_EMITTER_DECEPTIVE;
        size_t n = is_prepared ? 400 : N;
        struct phy_emitter *j = open_emitter(&cfg);
        phy_emitter_fill(j, &(struct phy_emitter_burst){.start_sample = 12345, .n_samples = n}, a);
        for (size_t at = 0; at < n && !is_prepared; at += 1000)
            phy_emitter_fill(j, &(struct phy_emitter_burst){.start_sample = 12345 + at, .n_samples = 1000}, b + at);
        ck_assert(is_prepared || memcmp(a, b, n * sizeof *a) == 0);
        ck_assert_double_le(fabs(phy_energy_sum(a, n) / (double)n / 1e-6 - 1.0), 3.5 / sqrt((double)n));
        free(j);
    }
    ck_assert_int_eq(phy_emitter_kind_of("constant"), -1);
    free(a);
    free(b);
}
END_TEST

/* Power of [0, 64 n) in each of 64 bins, averaged over blocks. */
static void measure_spectrum(const struct phy_emitter_config *cfg, uint64_t start, size_t n_blocks, bool hann, double bins[64])
{
    struct phy_emitter *j = open_emitter(cfg);
    float complex x[64], y[64];
    fftwf_plan plan = fftwf_plan_dft_1d(64, (fftwf_complex *)x, (fftwf_complex *)y, FFTW_FORWARD, FFTW_ESTIMATE);
    memset(bins, 0, 64 * sizeof *bins);
    for (size_t b = 0; b < n_blocks; b++) {
        phy_emitter_fill(j, &(struct phy_emitter_burst){.start_sample = start + 64 * b, .n_samples = 64}, x);
        for (size_t i = 0; i < 64 && hann; i++) /* of mean square 1 */
            x[i] *= 0.8164966f * (1.0f - cosf(0.09817477f * (float)i));
        fftwf_execute(plan);
        for (size_t k = 0; k < 64; k++)
            bins[k] += (double)(crealf(y[k]) * crealf(y[k]) + cimagf(y[k]) * cimagf(y[k])) / 4096.0 / (double)n_blocks / 1e-6;
    }
    fftwf_destroy_plan(plan);
    free(j);
}

START_TEST(tones_stand_on_their_frequencies)
{
    double bins[64];
    struct phy_emitter_config cfg = config_of(PHY_EMITTER_TONE);
    measure_spectrum(&cfg, 777, 10, false, bins);
    ck_assert_double_ge(bins[8], 0.9999);
    cfg = config_of(PHY_EMITTER_PILOT);
    measure_spectrum(&cfg, 777, 10, false, bins);
    for (size_t k = 0; k < 64; k++) {
        bool is_pilot = k == 7 || k == 21 || k == 43 || k == 57;
        ck_assert_double_le(fabs(bins[k] - (is_pilot ? 0.25 : 0.0)), 1e-4);
    }
}
END_TEST

START_TEST(a_sweep_runs_from_low_to_high)
{
    double bins[64];
    struct phy_emitter_config cfg = config_of(PHY_EMITTER_SWEEP);
    cfg.sweep_samples = 64 * 320;
    cfg.from_sample = 128;
    for (uint64_t part = 0; part < 32; part++) { /* 640 samples in which the frequency rises by one bin */
        measure_spectrum(&cfg, 128 + 640 * part, 10, false, bins);
        size_t low = (size_t)(64 - 16 + part) % 64, high = (low + 1) % 64;
        ck_assert_double_ge(bins[low] + bins[high], 0.75);
    }
    measure_spectrum(&cfg, 128 + 64 * 320, 1, false, bins); /* and again from low */
    ck_assert_double_ge(bins[48], 0.9);
}
END_TEST

START_TEST(noise_keeps_to_its_bandwidth)
{
    double bins[64], inside = 0.0, outside = 0.0;
    struct phy_emitter_config cfg = config_of(PHY_EMITTER_NOISE);
    cfg.bandwidth = 0.25;
    cfg.offset = -0.125;
    measure_spectrum(&cfg, 999, 3000, true, bins);
    for (size_t k = 0; k < 64; k++) {
        int f = k < 32 ? (int)k : (int)k - 64;
        if (f >= -17 && f <= 1) /* -16..0, and what leaks into neighbours */
            inside += bins[k];
        else if (f < -20 || f > 4)
            outside += bins[k];
    }
    printf("inside its band %.4f, beyond %.5f of its power\n", inside, outside);
    ck_assert_double_ge(inside, 0.98);
    ck_assert_double_le(outside, 0.0005);
}
END_TEST

/* On for a quarter of the time: a renewal process, whose share on has variance 2 a^2 b^2 (a + b)^-3 / T. */
START_TEST(random_on_and_off_have_their_means)
{
    enum { T = 20000000, STEP = 200 };
    struct phy_emitter_config cfg = config_of(PHY_EMITTER_RANDOM);
    static struct phy_emitter_update update;
    struct phy_emitter *j = open_emitter(&cfg);
    double on = 0.0, n_periods = 0.0;
    uint64_t last_end = 0;
    for (size_t at = 0; at < T; at += STEP) {
        ck_assert_int_eq(phy_emitter_step(j, NULL, STEP, &update), 0);
        for (size_t i = 0; i < update.n_bursts; i++) {
            const struct phy_emitter_burst *b = &update.bursts[i];
            ck_assert_uint_le(b->n_samples, 400);
            ck_assert_uint_ge(b->n_samples, PHY_EMITTER_MIN_BURST);
            ck_assert_uint_ge(b->start_sample, last_end);
            n_periods += b->start_sample > last_end;
            last_end = b->start_sample + b->n_samples;
            on += (double)b->n_samples;
        }
    }
    double a = 700.0, b = 2100.0, error = sqrt(2.0 * a * a * b * b / pow(a + b, 3.0) / T);
    printf("on for %.4f of the time in %.0f periods\n", on / T, n_periods);
    ck_assert_double_le(fabs(on / T - 0.25), 3.5 * error + 0.002); /* draws below 16 samples are 16 */
    ck_assert_double_le(fabs(n_periods / (T / 2800.0) - 1.0), 3.5 * sqrt((a * a + b * b) / (a + b) * 2800.0 / T / 2800.0));
    free(j);
}
END_TEST

START_TEST(steps_longer_than_the_reaction_time_are_refused)
{
    struct phy_emitter_config cfg = reactive_config();
    struct phy_emitter *j = open_emitter(&cfg);
    static struct phy_emitter_update update;
    static float complex x[201];
    ck_assert_int_eq(phy_emitter_step(j, x, 201, &update), -EAGAIN);
    ck_assert_int_eq(phy_emitter_step(j, x, 200, &update), 0);
    free(j);
}
END_TEST

START_TEST(unusable_configurations_name_their_field)
{
    struct phy_emitter_config good = reactive_config(), bad[5] = {good, good, good, good, good};
    const char *fields[] = {"burst_samples", "react_samples", "block_samples", "threshold_db", "period_samples"};
    bad[0].burst_samples = 3;
    bad[1].react_samples = 0;
    bad[2].block_samples = PHY_EMITTER_MAX_BLOCK_SAMPLES + 1;
    bad[3].threshold_db = NAN;
    bad[4].kind = PHY_EMITTER_PULSE;
    void *mem = aligned_alloc(64, phy_emitter_bytes());
    for (size_t i = 0; i < 5; i++) {
        struct phy_emitter *j;
        const char *bad_field;
        ck_assert_int_eq(phy_emitter_init(mem, phy_emitter_bytes(), &bad[i], &j, &bad_field), -EINVAL);
        ck_assert_str_eq(bad_field, fields[i]);
    }
    free(mem);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("emitter");
    tcase_add_test(tcase, it_answers_each_transmission_after_its_reaction_time);
    tcase_add_test(tcase, its_decisions_do_not_depend_on_how_samples_are_cut);
    tcase_add_test(tcase, it_keeps_silent_outside_its_time);
    tcase_add_test(tcase, noise_and_pulses_keep_their_beat);
    tcase_add_test(tcase, a_burst_is_noise_of_the_power_asked_for);
    tcase_add_test(tcase, a_follower_goes_where_the_strongest_is_and_looks_again_after_its_dwell_time);
    tcase_add_test(tcase, a_follower_that_cannot_be_is_refused);
    tcase_add_test(tcase, every_kind_sends_at_its_power_by_index_alone);
    tcase_add_test(tcase, tones_stand_on_their_frequencies);
    tcase_add_test(tcase, a_sweep_runs_from_low_to_high);
    tcase_add_test(tcase, noise_keeps_to_its_bandwidth);
    tcase_add_test(tcase, random_on_and_off_have_their_means);
    tcase_add_test(tcase, steps_longer_than_the_reaction_time_are_refused);
    tcase_add_test(tcase, unusable_configurations_name_their_field);
    suite_add_tcase(suite, tcase);
}
