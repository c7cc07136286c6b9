#define SUITE_NAME "phy air"
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/air/air.h"
#include "phy/air/awgn.h"
#include "phy/sensing/energy.h"
#include "tests/unit/check_main.h"

enum { N_NODES = 3, N_CHANNELS = 2, FS = 10000000, LEN = 5000 };

struct air_case {
    double noise_dbfs[N_NODES], offset_hz[N_NODES];
    struct phy_air_link links[N_NODES * N_NODES];
    struct phy_air_config cfg;
    void *mem;
    struct phy_air *air;
};

static struct air_case *quiet_case(void)
{
    struct air_case *c = calloc(1, sizeof *c);
    for (size_t i = 0; i < N_NODES; i++)
        c->noise_dbfs[i] = -INFINITY;
    c->cfg = (struct phy_air_config){
        .seed = 1, .n_nodes = N_NODES, .n_channels = N_CHANNELS, .sample_rate_hz = FS, .noise_dbfs = c->noise_dbfs,
        .carrier_offset_hz = c->offset_hz, .links = c->links, .max_emissions = 4,
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

static float complex *signal_of(unsigned kind)
{
    float complex *x = malloc(LEN * sizeof *x);
    for (size_t i = 0; i < LEN; i++)
        x[i] = (float)((i * (kind + 3)) % 23) - 11.0f + (float complex)I * ((float)((i * 7 + kind) % 19) - 9.0f);
    return x;
}

START_TEST(gain_delay_and_amplitude_shape_what_is_heard)
{
    struct air_case *c = quiet_case();
    c->links[0 * N_NODES + 1] = (struct phy_air_link){-20.0f, 17};
    open_air(c);
    float complex *x = signal_of(0), out[LEN + 200];
    ck_assert_int_ge(phy_air_emit(c->air, 0, 1, 100, x, LEN, 2.0f), 0);
    phy_air_render(c->air, 1, 1, 0, LEN + 200, out);
    for (size_t i = 0; i < LEN + 200; i++) {
        float complex expected = i >= 117 && i < 117 + LEN ? 0.2f * x[i - 117] : 0.0f;
        ck_assert_float_le(cabsf(out[i] - expected), 1e-5f);
    }
    phy_air_render(c->air, 1, 0, 0, LEN, out); /* the other channel */
    ck_assert_double_eq(phy_energy_sum(out, LEN), 0.0);
    phy_air_render(c->air, 0, 1, 0, LEN, out); /* own emission */
    ck_assert_double_eq(phy_energy_sum(out, LEN), 0.0);
    free(x);
    close_air(c);
}
END_TEST

START_TEST(carrier_offsets_rotate_by_their_difference)
{
    struct air_case *c = quiet_case();
    c->offset_hz[0] = 5000.0;
    c->offset_hz[1] = -2500.0;
    open_air(c);
    float complex *x = signal_of(1), *out = malloc(LEN * sizeof *out);
    const uint64_t start = UINT64_C(123456789012);
    ck_assert_int_ge(phy_air_emit(c->air, 0, 0, start, x, LEN, 1.0f), 0);
    phy_air_render(c->air, 1, 0, start, LEN, out);
    for (size_t i = 0; i < LEN; i++) {
        double turns = fmod(7500.0 / FS * (double)((start + i) % FS), 1.0); /* 7500 whole turns a second */
        double complex expected = (double complex)x[i] * cexp(2.0 * I * acos(-1.0) * turns);
        ck_assert_double_le(cabs((double complex)out[i] - expected), 3e-5);
    }
    free(x);
    free(out);
    close_air(c);
}
END_TEST

START_TEST(emissions_add_up)
{
    struct air_case *c = quiet_case();
    c->offset_hz[1] = 300.0;
    open_air(c);
    float complex *x = signal_of(1), *y = signal_of(2), a[LEN], b[LEN], sum[LEN];
    ck_assert_int_ge(phy_air_emit(c->air, 0, 0, 0, x, LEN, 1.0f), 0);
    phy_air_render(c->air, 2, 0, 0, LEN, a);
    struct air_case *d = quiet_case();
    d->offset_hz[1] = 300.0;
    open_air(d);
    ck_assert_int_ge(phy_air_emit(d->air, 1, 0, 0, y, LEN, 1.0f), 0);
    phy_air_render(d->air, 2, 0, 0, LEN, b);
    ck_assert_int_eq(phy_air_emit(c->air, 1, 0, 0, y, LEN, 1.0f), -EINVAL); /* rendered already */
    close_air(c);
    c = quiet_case();
    c->offset_hz[1] = 300.0;
    open_air(c);
    ck_assert_int_ge(phy_air_emit(c->air, 1, 0, 0, y, LEN, 1.0f), 0);
    ck_assert_int_ge(phy_air_emit(c->air, 0, 0, 0, x, LEN, 1.0f), 0);
    phy_air_render(c->air, 2, 0, 0, LEN, sum);
    for (size_t i = 0; i < LEN; i++)
        ck_assert_float_le(cabsf(sum[i] - a[i] - b[i]), 1e-5f);
    free(x);
    free(y);
    close_air(c);
    close_air(d);
}
END_TEST

/* Two airs with the same emissions, put there in different orders and read in different cuts. */
static struct air_case *busy_case(const float complex *x, const float complex *y, bool swapped)
{
    struct air_case *c = quiet_case();
    for (size_t i = 0; i < N_NODES; i++) {
        c->noise_dbfs[i] = 3.0;
        c->offset_hz[i] = 1234.5 * (double)i;
    }
    c->links[0 * N_NODES + 2] = (struct phy_air_link){-3.0f, 5};
    open_air(c);
    for (int k = 0; k < 2; k++) {
        if ((k == 0) != swapped)
            ck_assert_int_ge(phy_air_emit(c->air, 0, 0, 700, x, LEN, 1.0f), 0);
        else
            ck_assert_int_ge(phy_air_emit_loop(c->air, 1, 0, 300, UINT64_MAX, y, 777, 5, 1.0f), 0);
    }
    return c;
}

START_TEST(what_is_heard_depends_neither_on_cuts_nor_on_order_nor_on_other_listeners)
{
    enum { TOTAL = 20000 };
    float complex *x = signal_of(1), *y = signal_of(2);
    struct air_case *c = busy_case(x, y, false), *d = busy_case(x, y, true);
    float complex *whole = malloc(TOTAL * sizeof *whole), *cut = malloc(TOTAL * sizeof *cut), other[700];
    phy_air_render(c->air, 2, 0, 0, TOTAL, whole);
    uint64_t state = 7;
    for (size_t at = 0; at < TOTAL;) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t n = 1 + (size_t)(state >> 33) % 600;
        n = n < TOTAL - at ? n : TOTAL - at;
        phy_air_render(d->air, 0, 0, at, n, other);
        phy_air_render(d->air, 2, 0, at, n, cut + at);
        phy_air_render(d->air, 2, 1, at, n, other);
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

START_TEST(a_loop_plays_from_its_phase_until_its_end)
{
    struct air_case *c = quiet_case();
    open_air(c);
    float complex *x = signal_of(3), out[2000];
    ck_assert_int_ge(phy_air_emit_loop(c->air, 0, 0, 100, 1500, x, 333, 1000, 1.0f), 0);
    phy_air_render(c->air, 1, 0, 0, 2000, out);
    for (size_t i = 0; i < 2000; i++) {
        float complex expected = i >= 100 && i < 1500 ? x[(i + 1000) % 333] : 0.0f;
        ck_assert_float_eq(crealf(out[i]), crealf(expected));
        ck_assert_float_eq(cimagf(out[i]), cimagf(expected));
    }
    free(x);
    close_air(c);
}
END_TEST

START_TEST(a_full_air_refuses_until_ended_emissions_are_forgotten)
{
    struct air_case *c = quiet_case();
    c->links[0 * N_NODES + 1].delay_samples = 50;
    open_air(c);
    float complex *x = signal_of(0);
    for (uint64_t i = 0; i < 4; i++)
        ck_assert_int_eq(phy_air_emit(c->air, 0, 0, i * 10, x, 100, 1.0f), (long)i);
    ck_assert_int_eq(phy_air_emit(c->air, 0, 0, 0, x, 100, 1.0f), -ENOBUFS);
    phy_air_forget(c->air, 149); /* the first ends at 100 and is heard until 150 */
    ck_assert_int_eq(phy_air_emit(c->air, 0, 0, 0, x, 100, 1.0f), -ENOBUFS);
    phy_air_forget(c->air, 150);
    ck_assert_int_eq(phy_air_emit(c->air, 0, 0, 0, x, 100, 1.0f), 4);
    ck_assert_int_eq(phy_air_emit(c->air, N_NODES, 0, 0, x, 100, 1.0f), -EINVAL);
    ck_assert_int_eq(phy_air_emit(c->air, 0, N_CHANNELS, 0, x, 100, 1.0f), -EINVAL);
    ck_assert_int_eq(phy_air_emit(c->air, 0, 0, 0, x, 0, 1.0f), -EINVAL);
    free(x);
    close_air(c);
}
END_TEST

START_TEST(each_listener_has_its_own_noise_of_its_own_power)
{
    enum { TOTAL = 400000 };
    struct air_case *c = quiet_case();
    c->noise_dbfs[0] = -90.0;
    c->noise_dbfs[1] = -70.0;
    open_air(c);
    float complex *a = malloc(TOTAL * sizeof *a), *b = malloc(TOTAL * sizeof *b);
    phy_air_render(c->air, 0, 0, 0, TOTAL, a);
    phy_air_render(c->air, 1, 0, 0, TOTAL, b);
    double bound = 3.5 / sqrt((double)TOTAL), cross = 0.0;
    ck_assert_double_le(fabs(phy_energy_sum(a, TOTAL) / TOTAL / 1e-9 - 1.0), bound);
    ck_assert_double_le(fabs(phy_energy_sum(b, TOTAL) / TOTAL / 1e-7 - 1.0), bound);
    for (size_t i = 0; i < TOTAL; i++)
        cross += (double)crealf(a[i] * conjf(b[i]));
    ck_assert_double_le(fabs(cross / TOTAL / 1e-8), bound);
    free(a);
    free(b);
    close_air(c);
}
END_TEST

START_TEST(unusable_configurations_name_their_field)
{
    struct air_case *c = quiet_case();
    const char *bad_field;
    struct phy_air *air;
    static _Alignas(64) char mem[64];
    struct phy_air_config cfg = c->cfg;
    cfg.n_nodes = 0;
    ck_assert_int_eq(phy_air_init(mem, sizeof mem, &cfg, &air, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "n_nodes");
    cfg = c->cfg;
    cfg.n_channels = PHY_AIR_MAX_CHANNELS + 1;
    ck_assert_int_eq(phy_air_init(mem, sizeof mem, &cfg, &air, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "n_channels");
    c->offset_hz[1] = NAN;
    ck_assert_int_eq(phy_air_init(mem, sizeof mem, &c->cfg, &air, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "carrier_offset_hz");
    c->offset_hz[1] = 0.0;
    c->links[4].gain_db = NAN;
    ck_assert_int_eq(phy_air_init(mem, sizeof mem, &c->cfg, &air, &bad_field), -EINVAL);
    ck_assert_str_eq(bad_field, "links");
    free(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("air");
    tcase_add_test(tcase, gain_delay_and_amplitude_shape_what_is_heard);
    tcase_add_test(tcase, carrier_offsets_rotate_by_their_difference);
    tcase_add_test(tcase, emissions_add_up);
    tcase_add_test(tcase, what_is_heard_depends_neither_on_cuts_nor_on_order_nor_on_other_listeners);
    tcase_add_test(tcase, a_loop_plays_from_its_phase_until_its_end);
    tcase_add_test(tcase, a_full_air_refuses_until_ended_emissions_are_forgotten);
    tcase_add_test(tcase, each_listener_has_its_own_noise_of_its_own_power);
    tcase_add_test(tcase, unusable_configurations_name_their_field);
    suite_add_tcase(suite, tcase);
}
