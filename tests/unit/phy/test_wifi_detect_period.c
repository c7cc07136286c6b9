/* The long training symbol is known by one period of it, wherever that begins; carriers that repeat as it does are not. */
#define SUITE_NAME "phy wifi detect period"
#include <math.h>
#include <string.h>

#include "phy/wifi/detect_match.h"
#include "phy/wifi/detect_period.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/wifi_preambles.h"

enum { N = 128, N_OFFSETS = 5 };

static float complex samples[N];

static struct phy_wifi_training t;

static float take_share(enum phy_simd simd, double cfo, int subcarriers)
{
    struct phy_wifi_period p;
    phy_wifi_period_take(&p, &t.fft, simd, samples, cfo);
    return phy_wifi_period_share(&p, &t.fft, simd, subcarriers);
}

static float share_of(double cfo, int subcarriers)
{
    float share = take_share(phy_simd_best(), cfo, subcarriers), baseline = take_share(PHY_SIMD_BASELINE, cfo, subcarriers);
    ck_assert_mem_eq(&share, &baseline, sizeof share);
    return share;
}

/* Two echoes as strong as the first path; `shift` samples of the field are gone. */
static void put_symbol(unsigned shift, double cfo)
{
    static const unsigned echoes[] = {0, 4, 7};
    for (unsigned i = 0; i < N; i++) {
        samples[i] = 0.0f;
        for (unsigned k = 0; k < 3; k++) {
            unsigned at = (i + shift - echoes[k]) % 64;
            samples[i] += CMPLXF(t.long_re[at], t.long_im[at]) * turn(0.3 * k + cfo * i);
        }
    }
}

START_TEST(the_long_symbol_explains_itself_at_each_shift_and_offset_and_at_no_other)
{
    phy_wifi_training_make(&t);
    for (unsigned shift = 64; shift < 128; shift++)
        for (int offset = -N_OFFSETS; offset <= N_OFFSETS; offset++) {
            double cfo = ((double)(shift % 10) - 5.0) / 640.0;
            put_symbol(shift, cfo + offset / 64.0);
            for (int other = -N_OFFSETS; other <= N_OFFSETS; other++) {
                float share = share_of(cfo, other);
                ck_assert_msg(other == offset ? share > 0.7f : share < 0.4f, "shift %u, %d for %d: %.3f", shift, other, offset,
                              (double)share);
            }
        }
}
END_TEST

START_TEST(carriers_on_pilot_subcarriers_explain_little_with_any_phases)
{
    static const int subcarriers[] = {-21, -7, 7, 21};
    phy_wifi_training_make(&t);
    for (unsigned trial = 0; trial < 300; trial++) {
        memset(samples, 0, sizeof samples);
        for (unsigned k = 0; k < 4; k++) {
            double phase = draw();
            for (unsigned i = 0; i < N; i++)
                samples[i] += turn(phase + subcarriers[k] * (double)i / 64.0);
        }
        for (int offset = -N_OFFSETS; offset <= N_OFFSETS; offset++)
            ck_assert_float_lt(share_of(0.0, offset), 0.25f);
    }
}
END_TEST

START_TEST(silence_explains_nothing)
{
    phy_wifi_training_make(&t);
    memset(samples, 0, sizeof samples);
    ck_assert(share_of(0.0, 0) == 0.0f);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("period");
    tcase_add_checked_fixture(tcase, prepare, clean_up);
    tcase_add_test(tcase, the_long_symbol_explains_itself_at_each_shift_and_offset_and_at_no_other);
    tcase_add_test(tcase, carriers_on_pilot_subcarriers_explain_little_with_any_phases);
    tcase_add_test(tcase, silence_explains_nothing);
    suite_add_tcase(suite, tcase);
}
