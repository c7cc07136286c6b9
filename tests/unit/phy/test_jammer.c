#define SUITE_NAME "phy jammer"
#include <errno.h>

#include "phy/sensing/energy.h"
#include "phy/air/jammer.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/link.h"

enum { TOTAL = 20000, MAX_BURSTS = 400 };

struct bursts {
    size_t n;
    struct phy_jammer_burst b[MAX_BURSTS];
};

static struct phy_jammer_config reactive_config(void)
{
    return (struct phy_jammer_config){
        .kind = PHY_JAMMER_REACTIVE, .seed = 5, .stream = 6, .power_dbfs = -60.0, .to_sample = UINT64_MAX, .burst_samples = 1000,
        .react_samples = 200, .block_samples = 32, .noise_dbfs = -80.0, .threshold_db = 6.0,
    };
}

static struct phy_jammer *open_jammer(const struct phy_jammer_config *cfg)
{
    const char *bad_field;
    struct phy_jammer *j;
    void *mem = aligned_alloc(64, phy_jammer_bytes());
    ck_assert_int_eq(phy_jammer_init(mem, phy_jammer_bytes(), cfg, &j, &bad_field), 0);
    return j;
}

static struct bursts run(const struct phy_jammer_config *cfg, const float complex *x, size_t total, uint64_t seed)
{
    struct bursts all = {0};
    static struct phy_jammer_update update;
    struct phy_jammer *j = open_jammer(cfg);
    for (size_t at = 0; at < total;) {
        size_t n = 1 + link_random(&seed) % cfg->react_samples;
        n = n < total - at ? n : total - at;
        ck_assert_int_eq(phy_jammer_step(j, x + at, n, &update), 0);
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
    struct phy_jammer_config cfg = reactive_config();
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
    struct phy_jammer_config cfg = reactive_config();
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
    struct phy_jammer_config cfg = reactive_config();
    cfg.from_sample = 5000;
    cfg.to_sample = 9500;
    struct bursts all = run(&cfg, x, TOTAL, 1);
    ck_assert_uint_eq(all.n, 1);
    ck_assert_uint_eq(all.b[0].start_sample, 9224);
    ck_assert_uint_eq(all.b[0].start_sample + all.b[0].n_samples, 9500);
    free(x);
}
END_TEST

START_TEST(constant_and_pulse_keep_their_beat)
{
    float complex *x = calloc(TOTAL, sizeof *x);
    struct phy_jammer_config cfg = reactive_config();
    cfg.kind = PHY_JAMMER_CONSTANT;
    cfg.from_sample = 3000;
    cfg.to_sample = 9700;
    struct bursts all = run(&cfg, x, TOTAL, 1);
    ck_assert_uint_eq(all.n, 7);
    for (size_t i = 0; i < all.n; i++)
        ck_assert_uint_eq(all.b[i].start_sample, 3000 + 1000 * i);
    ck_assert_uint_eq(all.b[6].n_samples, 700);
    cfg.kind = PHY_JAMMER_PULSE;
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
    struct phy_jammer_config cfg = reactive_config();
    struct phy_jammer *j = open_jammer(&cfg);
    float complex *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    phy_jammer_fill(j, &(struct phy_jammer_burst){777, N}, a);
    phy_jammer_fill(j, &(struct phy_jammer_burst){777, N}, b);
    ck_assert_mem_eq(a, b, N * sizeof *a);
    ck_assert_double_le(fabs(phy_energy_sum(a, N) / N / 1e-6 - 1.0), 3.5 / sqrt((double)N));
    free(a);
    free(b);
    free(j);
}
END_TEST

START_TEST(steps_longer_than_the_reaction_time_are_refused)
{
    struct phy_jammer_config cfg = reactive_config();
    struct phy_jammer *j = open_jammer(&cfg);
    static struct phy_jammer_update update;
    static float complex x[201];
    ck_assert_int_eq(phy_jammer_step(j, x, 201, &update), -EAGAIN);
    ck_assert_int_eq(phy_jammer_step(j, x, 200, &update), 0);
    free(j);
}
END_TEST

START_TEST(unusable_configurations_name_their_field)
{
    struct phy_jammer_config good = reactive_config(), bad[5] = {good, good, good, good, good};
    const char *fields[] = {"burst_samples", "react_samples", "block_samples", "threshold_db", "period_samples"};
    bad[0].burst_samples = 3;
    bad[1].react_samples = 0;
    bad[2].block_samples = PHY_JAMMER_MAX_BLOCK_SAMPLES + 1;
    bad[3].threshold_db = NAN;
    bad[4].kind = PHY_JAMMER_PULSE;
    void *mem = aligned_alloc(64, phy_jammer_bytes());
    for (size_t i = 0; i < 5; i++) {
        struct phy_jammer *j;
        const char *bad_field;
        ck_assert_int_eq(phy_jammer_init(mem, phy_jammer_bytes(), &bad[i], &j, &bad_field), -EINVAL);
        ck_assert_str_eq(bad_field, fields[i]);
    }
    free(mem);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("jammer");
    tcase_add_test(tcase, it_answers_each_transmission_after_its_reaction_time);
    tcase_add_test(tcase, its_decisions_do_not_depend_on_how_samples_are_cut);
    tcase_add_test(tcase, it_keeps_silent_outside_its_time);
    tcase_add_test(tcase, constant_and_pulse_keep_their_beat);
    tcase_add_test(tcase, a_burst_is_noise_of_the_power_asked_for);
    tcase_add_test(tcase, steps_longer_than_the_reaction_time_are_refused);
    tcase_add_test(tcase, unusable_configurations_name_their_field);
    suite_add_tcase(suite, tcase);
}
