#define SUITE_NAME "phy air: taps and clocks"
#include <math.h>
#include <string.h>

#include "phy/air/air.h"
#include "phy/air/awgn.h"
#include "tests/unit/check_main.h"

enum { N_NODES = 3, FS = 10000000, LEN = 9000 };

static const double pi = 3.14159265358979323846;

struct air_case {
    double noise_dbfs[N_NODES], offset_hz[N_NODES], clock_ppm[N_NODES];
    struct phy_air_link links[N_NODES * N_NODES];
    struct phy_fading fading;
    const struct phy_fading *fadings[N_NODES * N_NODES];
    struct phy_air_config cfg;
    void *mem;
    struct phy_air *air;
};

static struct air_case *quiet_case(void)
{
    struct air_case *c = calloc(1, sizeof *c);
    for (size_t i = 0; i < N_NODES; i++)
        c->noise_dbfs[i] = -INFINITY;
    for (size_t i = 0; i < N_NODES * N_NODES; i++)
        c->fadings[i] = &c->fading;
    c->fading = (struct phy_fading){.kind = PHY_FADING_FIXED, .n_taps = 3, .taps = {{0, 0.0f}, {3, -3.0f}, {300, -6.0f}}};
    c->cfg = (struct phy_air_config){
        .seed = 1, .n_nodes = N_NODES, .n_channels = 1, .sample_rate_hz = FS, .noise_dbfs = c->noise_dbfs,
        .carrier_offset_hz = c->offset_hz, .links = c->links, .max_emissions = 4, .fading = c->fadings, .clock_ppm = c->clock_ppm,
    };
    return c;
}

static void open_air(struct air_case *c)
{
    const char *bad_field;
    size_t len = (phy_air_bytes(&c->cfg) + 63) / 64 * 64;
    c->mem = aligned_alloc(64, len);
    ck_assert_int_eq(phy_air_init(c->mem, len, &c->cfg, &c->air, &bad_field), 0);
}

static void close_air(struct air_case *c)
{
    free(c->mem);
    free(c);
}

static float complex *make_signal(uint64_t stream)
{
    static struct phy_awgn g;
    float complex *x = calloc(LEN, sizeof *x);
    phy_awgn_init(&g, 1, stream, PHY_SIMD_AUTO);
    phy_awgn_add(&g, 0, 1.0f, x, LEN);
    return x;
}

START_TEST(every_tap_brings_its_copy_later_and_weaker)
{
    struct air_case *c = quiet_case();
    c->links[0 * N_NODES + 1] = (struct phy_air_link){-20.0f, 17};
    open_air(c);
    float complex *x = make_signal(1), *out = malloc((LEN + 600) * sizeof *out);
    ck_assert_int_ge(phy_air_emit(c->air, 0, 0, 100, x, LEN, 2.0f), 0);
    phy_air_render(c->air, 1, 0, 0, LEN + 600, out);
    double total = 1.0 + pow(10.0, -0.3) + pow(10.0, -0.6);
    for (size_t i = 0; i < LEN + 600; i++) {
        double complex expected = 0.0;
        for (size_t t = 0; t < 3; t++) {
            size_t later = 117 + c->fading.taps[t].delay_samples;
            if (i >= later && i < later + LEN)
                expected += 0.2 * sqrt(pow(10.0, -0.3 * (double)t) / total) * (double complex)x[i - later];
        }
        ck_assert_double_le(cabs((double complex)out[i] - expected), 1e-6);
    }
    phy_air_forget(c->air, 100 + LEN + phy_air_tail(c->air, LEN) - 1);
    ck_assert_uint_eq(phy_air_tail(c->air, LEN), 317);
    float complex last;
    phy_air_render(c->air, 1, 0, 100 + LEN + 316, 1, &last);
    ck_assert_float_gt(cabsf(last), 0.0f); /* still heard */
    free(x);
    free(out);
    close_air(c);
}
END_TEST

/* Bursts and a loop through moving taps, with clocks and carriers that differ, and noise. */
static struct air_case *busy_case(const float complex *x, const float complex *y, enum phy_simd simd, bool with_other)
{
    struct air_case *c = quiet_case();
    c->fading = (struct phy_fading){.kind = PHY_FADING_RICIAN, .n_taps = 3, .taps = {{0, 0.0f}, {4, -3.0f}, {9, -6.0f}}, .k_db = 3.0,
                                    .doppler_hz = 900.0};
    c->cfg.simd = simd;
    for (size_t i = 0; i < N_NODES; i++) {
        c->noise_dbfs[i] = -20.0;
        c->offset_hz[i] = 1234.5 * (double)i;
        c->clock_ppm[i] = 30.0 * (double)i - 25.0;
    }
    c->links[0 * N_NODES + 2] = (struct phy_air_link){-3.0f, 5};
    open_air(c);
    ck_assert_int_ge(phy_air_emit(c->air, 0, 0, 700, x, LEN, 1.0f), 0);
    if (with_other)
        ck_assert_int_ge(phy_air_emit_loop(c->air, 1, 0, 300, UINT64_MAX, y, 777, 5, 1.0f), 0);
    return c;
}

START_TEST(what_is_heard_depends_neither_on_cuts_nor_on_the_instruction_set)
{
    enum { TOTAL = 20000 };
    float complex *x = make_signal(1), *y = make_signal(2);
    struct air_case *c = busy_case(x, y, PHY_SIMD_AUTO, true), *d = busy_case(x, y, PHY_SIMD_BASELINE, true);
    float complex *whole = malloc(TOTAL * sizeof *whole), *cut = malloc(TOTAL * sizeof *cut), other[700];
    phy_air_render(c->air, 2, 0, 0, TOTAL, whole);
    uint64_t state = 7;
    for (size_t at = 0; at < TOTAL;) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t n = 1 + (size_t)(state >> 33) % 600;
        n = n < TOTAL - at ? n : TOTAL - at;
        phy_air_render(d->air, 0, 0, at, n, other);
        phy_air_render(d->air, 2, 0, at, n, cut + at);
        at += n;
    }
    ck_assert_mem_eq(whole, cut, TOTAL * sizeof *whole);
    free(x);
    free(y);
    free(whole);
    free(cut);
    close_air(c);
    close_air(d);
}
END_TEST

/* What a link does is keyed by the link: somebody else on the air only adds to it. */
START_TEST(another_emitter_changes_no_other_draw)
{
    enum { TOTAL = 12000 };
    float complex *x = make_signal(1), *y = make_signal(2), *alone = malloc(TOTAL * sizeof *alone),
                  *both = malloc(TOTAL * sizeof *both), *other = malloc(TOTAL * sizeof *other);
    struct air_case *c = busy_case(x, y, PHY_SIMD_AUTO, false), *d = busy_case(x, y, PHY_SIMD_AUTO, true);
    phy_air_render(c->air, 2, 0, 0, TOTAL, alone);
    phy_air_render(d->air, 2, 0, 0, TOTAL, both);
    ck_assert_mem_eq(alone, both, 300 * sizeof *alone); /* until it begins, to the bit */
    close_air(d);
    d = busy_case(x, y, PHY_SIMD_AUTO, true);
    phy_air_forget(d->air, 700 + LEN + phy_air_tail(d->air, LEN)); /* only the loop is left */
    phy_air_render(d->air, 2, 0, 0, TOTAL, other);
    close_air(c);
    c = quiet_case();
    c->noise_dbfs[2] = -20.0;
    open_air(c);
    float complex *noise = malloc(TOTAL * sizeof *noise);
    phy_air_render(c->air, 2, 0, 0, TOTAL, noise);
    for (size_t i = 0; i < TOTAL; i++)
        ck_assert_float_le(cabsf(both[i] + noise[i] - alone[i] - other[i]), 2e-6f);
    free(x);
    free(y);
    free(alone);
    free(both);
    free(other);
    free(noise);
    close_air(c);
    close_air(d);
}
END_TEST

/* A tone of a sender whose clock is D fast is heard D higher, and its phase counts from the burst's arrival. */
START_TEST(clocks_that_differ_stretch_a_burst_from_its_beginning)
{
    struct air_case *c = quiet_case();
    c->cfg.fading = NULL;
    c->clock_ppm[0] = 30.0;
    c->clock_ppm[1] = -20.0;
    c->links[0 * N_NODES + 1].delay_samples = 33;
    c->offset_hz[0] = 5000.0;
    c->offset_hz[1] = -2500.0;
    open_air(c);
    float complex *x = malloc(LEN * sizeof *x), *out = malloc(LEN * sizeof *out);
    const uint64_t start = UINT64_C(9876543210);
    const double tone = 26.0 / 64.0, drift = (1.0 + 30e-6) / (1.0 - 20e-6) - 1.0;
    for (size_t i = 0; i < LEN; i++)
        x[i] = (float complex)cexp(2.0 * I * pi * fmod(tone * (double)i, 1.0));
    ck_assert_int_ge(phy_air_emit(c->air, 0, 0, start, x, LEN, 1.0f), 0);
    phy_air_render(c->air, 1, 0, start + 33, LEN, out);
    double error = 0.0;
    enum { SKIP = 20 };
    for (size_t i = SKIP; i < LEN - SKIP; i++) {
        double carrier = 7500.0 / FS * (double)((start + 33 + i) % FS); /* whole turns in a second */
        double complex e = (double complex)out[i] - cexp(2.0 * I * pi * fmod(tone * (1.0 + drift) * (double)i + carrier, 1.0));
        error += creal(e) * creal(e) + cimag(e) * cimag(e);
    }
    double error_db = 10.0 * log10(error / (LEN - 2 * SKIP));
    printf("outermost subcarrier, clocks 50 ppm apart: error %.1f dB\n", error_db);
    ck_assert_double_le(error_db, -60.0);
    free(x);
    free(out);
    close_air(c);
}
END_TEST

static void hear(struct air_case *c, const float complex *x, uint64_t start, float complex *out)
{
    ck_assert_int_ge(phy_air_emit(c->air, 0, 0, start, x, 100, 1.0f), 0);
    phy_air_render(c->air, 1, 0, start, 100, out);
}

START_TEST(block_fading_is_new_with_each_burst_and_still_within_it)
{
    struct air_case *c = quiet_case();
    c->fading = (struct phy_fading){.kind = PHY_FADING_RAYLEIGH, .n_taps = 1, .per_emission = true};
    open_air(c);
    float complex *x = make_signal(1), first[100], second[100];
    hear(c, x, 1000, first);
    hear(c, x, 5000, second);
    float complex h = first[0] / x[0], g = second[0] / x[0];
    ck_assert_float_gt(cabsf(h - g), 1e-3f);
    for (size_t i = 0; i < 100; i++)
        ck_assert_float_le(cabsf(first[i] - h * x[i]), 1e-5f);
    free(x);
    close_air(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("air");
    tcase_add_test(tcase, every_tap_brings_its_copy_later_and_weaker);
    tcase_add_test(tcase, what_is_heard_depends_neither_on_cuts_nor_on_the_instruction_set);
    tcase_add_test(tcase, another_emitter_changes_no_other_draw);
    tcase_add_test(tcase, clocks_that_differ_stretch_a_burst_from_its_beginning);
    tcase_add_test(tcase, block_fading_is_new_with_each_burst_and_still_within_it);
    suite_add_tcase(suite, tcase);
}
