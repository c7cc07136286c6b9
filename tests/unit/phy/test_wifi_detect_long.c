/* Preambles of which the long training field alone is left: found behind noise, behind another frame and behind a gap, and not in what
 * only resembles them. */
#define SUITE_NAME "phy wifi long training"
#include <stdio.h>

#include "phy/wifi/detect.h"
#include "phy/wifi/detect_long.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/wifi_link.h"

enum { LEN = 1 << 17, MAX_FOUND = 64, LEFT = 320, LONG_AT = 192, RATE_54 = 7 };

static float complex *air; /* LEN samples, zero at first */
static struct phy_wifi_preamble found[MAX_FOUND];
static uint64_t random_state;

static void prepare(void)
{
    air = calloc(LEN, sizeof *air);
    ck_assert_ptr_nonnull(air);
    random_state = 1;
}

static void clean_up(void)
{
    free(air);
}

static double draw(void) /* uniform in [0, 1) */
{
    return (double)wifi_random(&random_state) / 2147483648.0;
}

/* Adds a frame whose first `cut` samples are missing: air[at] is the first that is left. Returns the end. */
static size_t send_rest(size_t at, size_t cut, size_t len, unsigned rate_index, double cfo_subcarriers)
{
    static float complex frame[PHY_WIFI_HEAD + PHY_WIFI_SYMBOL * PHY_WIFI_MAX_SYMBOLS];
    uint8_t psdu[PHY_WIFI_MAX_PSDU];
    wifi_draw_psdu(psdu, len, random_state++);
    size_t n = wifi_put_frame(frame, psdu, len, rate_index);
    wifi_turn(frame, n, 1.0, cfo_subcarriers / 64.0, 6.28 * draw());
    ck_assert_uint_le(at + n - cut, LEN);
    for (size_t i = cut; i < n; i++)
        air[at + i - cut] += frame[i];
    return at + n - cut;
}

static struct phy_wifi_detect *open_detector(const struct phy_wifi_detect_config *cfg)
{
    void *mem = aligned_alloc(64, phy_wifi_detect_bytes());
    ck_assert_ptr_nonnull(mem);
    return phy_wifi_detect_init(mem, cfg);
}

static size_t find(size_t n, enum phy_simd simd, int max_subcarriers)
{
    struct phy_wifi_detect *d = open_detector(&(struct phy_wifi_detect_config){.simd = simd, .max_subcarriers = max_subcarriers});
    size_t n_found = 0;
    while (n_found < MAX_FOUND && phy_wifi_detect(d, air, 0, n, &found[n_found]))
        n_found++;
    free(d);
    return n_found;
}

/* Of n_trials frames without a short training field, how many are found where they are, and with their offset? */
static size_t try_many(double es_n0_db, double max_cfo, size_t n_trials)
{
    enum { N = 2500 };
    size_t n_detected = 0;
    for (size_t i = 0; i < n_trials; i++) {
        double cfo = max_cfo * (2.0 * draw() - 1.0);
        size_t at = 600 + (size_t)(96.0 * draw()), cut = 144 + (size_t)(32.0 * draw());
        memset(air, 0, N * sizeof *air);
        send_rest(at, cut, 40, 3, cfo);
        wifi_add_noise(air, N, -wifi_snr_db(es_n0_db), i);
        size_t n_found = find(N, PHY_SIMD_AUTO, max_cfo > 1.5 ? 4 : 0);
        ck_assert_uint_le(n_found, 1);
        if (n_found == 0)
            continue;
        ck_assert_int_le(labs((long)(found[0].long_sample + cut) - (long)(at + LONG_AT)), 2);
        ck_assert_uint_le(found[0].known_sample, found[0].start_sample + PHY_WIFI_DETECT_BARE_DELAY);
        ck_assert_double_lt(fabs((double)found[0].cfo * 64.0 - cfo), 0.1);
        n_detected++;
    }
    printf("Es/N0 %g dB, offsets to %g subcarriers: %zu of %zu\n", es_n0_db, max_cfo, n_detected, n_trials);
    return n_detected;
}

START_TEST(frames_without_a_short_training_field_are_found_with_their_offset)
{
    ck_assert_uint_eq(try_many(20.0, 1.4, 500), 500);
    ck_assert_uint_eq(try_many(10.0, 1.4, 500), 500);
    ck_assert_uint_eq(try_many(10.0, 3.9, 250), 250);
}
END_TEST

START_TEST(whatever_is_cut_away_up_to_the_long_symbols_a_frame_behind_another_is_found_once)
{
    for (size_t cut = 0; cut <= LONG_AT - 8; cut++) {
        memset(air, 0, 4000 * sizeof *air);
        size_t end = send_rest(300, 0, 200, RATE_54, 0.3);
        size_t rest = send_rest(end, cut, 50, RATE_54, -0.7);
        wifi_add_noise(air, 4000, -wifi_snr_db(20.0), cut);
        ck_assert_uint_lt(rest, 4000);
        ck_assert_msg(find(4000, PHY_SIMD_AUTO, 0) == 2, "%zu samples cut away", cut);
        ck_assert_uint_eq(found[0].long_sample, 300 + LONG_AT);
        ck_assert_uint_eq(found[1].long_sample + cut, end + LONG_AT);
    }
}
END_TEST

START_TEST(after_a_gap_in_the_stream_the_first_samples_may_be_the_long_field)
{
    for (size_t gap = 1000; gap < 1096; gap++) {
        memset(air, 0, 4000 * sizeof *air);
        send_rest(gap, 164, 50, RATE_54, 0.4);
        wifi_add_noise(air, 4000, -wifi_snr_db(15.0), gap);
        struct phy_wifi_detect *d = open_detector(&(struct phy_wifi_detect_config){.simd = PHY_SIMD_AUTO});
        ck_assert(!phy_wifi_detect(d, air, 0, 700, found));
        phy_wifi_detect_restart(d, gap); /* nothing before is read: it lies outside this memory */
        size_t n = 3000;
        float complex *rest = malloc(n * sizeof *rest);
        memcpy(rest, air + gap, n * sizeof *rest);
        ck_assert_uint_ge(phy_wifi_detect_needs(d), gap);
        ck_assert(phy_wifi_detect(d, rest, gap, gap + n, found));
        ck_assert_uint_eq(found[0].long_sample, gap + LONG_AT - 164);
        ck_assert(!phy_wifi_detect(d, rest, gap, gap + n, found));
        free(rest);
        free(d);
    }
}
END_TEST

START_TEST(what_is_found_does_not_depend_on_cuts_or_instruction_set_and_its_history_is_bounded)
{
    static struct phy_wifi_preamble whole[MAX_FOUND];
    size_t at = 100, n_cut = 0;
    for (size_t i = 0; i < 40; i++)
        at = send_rest(at, i % 3 ? 150 + i % 30 : 0, 60, (unsigned)(i % 8), 1.2 * (2.0 * draw() - 1.0)) + (i % 5 ? 0 : 400);
    wifi_add_noise(air, LEN, -wifi_snr_db(25.0), 3);
    size_t n_whole = find(LEN, PHY_SIMD_AUTO, 0);
    ck_assert_uint_eq(n_whole, 40);
    memcpy(whole, found, sizeof whole);
    ck_assert_uint_eq(find(LEN, PHY_SIMD_BASELINE, 0), n_whole);
    ck_assert_mem_eq(whole, found, n_whole * sizeof *whole);
    struct phy_wifi_detect *d = open_detector(&(struct phy_wifi_detect_config){.simd = PHY_SIMD_AUTO});
    for (size_t end = 0; end < at + 1000;) {
        end += 1 + (size_t)(draw() * draw() * 900.0);
        uint64_t base = phy_wifi_detect_needs(d);
        ck_assert_uint_le(base, end);
        float complex *piece = malloc((end - base) * sizeof *piece);
        memcpy(piece, air + base, (end - base) * sizeof *piece);
        struct phy_wifi_preamble next;
        while (phy_wifi_detect(d, piece, base, end, &next)) {
            ck_assert_uint_lt(n_cut, n_whole);
            ck_assert_mem_eq(&next, &whole[n_cut], sizeof next);
            ck_assert_uint_ge(next.long_sample, base + 8); /* receivers read from there on */
            ck_assert_uint_le(next.known_sample, end);
            ck_assert(n_cut == 0 || next.known_sample >= whole[n_cut - 1].known_sample);
            n_cut++;
        }
        ck_assert_uint_le(end - phy_wifi_detect_needs(d), PHY_WIFI_DETECT_HISTORY);
        free(piece);
    }
    ck_assert_uint_eq(n_cut, n_whole);
    free(d);
}
END_TEST

/* --- what is no long training field: the stage on its own, so that no short training field is asked for --- */

static size_t count_bare(size_t n_samples)
{
    struct phy_wifi_training training;
    struct phy_wifi_long l;
    struct phy_wifi_long_found bare;
    size_t n = 0;
    phy_wifi_training_make(&training);
    phy_wifi_long_restart(&l, 0, 4.5 / 64.0);
    while (phy_wifi_long_find(&l, &training, phy_simd_best(), air, 0, n_samples, &bare))
        n++;
    return n;
}

START_TEST(noise_and_tones_are_no_long_training_field)
{
    wifi_add_noise(air, LEN, 0.0, 1);
    ck_assert_uint_eq(count_bare(LEN), 0);
    for (int k = 0; k < 12; k++) {
        double frequency = k < 4 ? k / 64.0 : k < 7 ? (k - 4) / 16.0 : draw();
        for (size_t i = 0; i < LEN; i++)
            air[i] = (i / 777 + (size_t)k) % 3 ? (float complex)cexp(2.0 * I * wifi_pi * fmod(frequency * (double)i, 1.0)) : 0.0f;
        wifi_add_noise(air, LEN, -10.0 * (k % 5), (uint64_t)k);
        ck_assert_msg(count_bare(LEN) == 0, "tone %d", k);
    }
}
END_TEST

/* What repeats after 64 samples all the time: tones a subcarrier apart, with phases of their own. */
START_TEST(other_symbols_that_repeat_are_no_long_training_field)
{
    enum { N = 64 + 48 * 12 + PHY_WIFI_LONG_DELAY }; /* gates lie at any of four places within the period */
    for (int trial = 0; trial < 50; trial++) {
        float complex symbol[64] = {0};
        for (int k = -26; k <= 26; k++) {
            double phase = draw();
            for (int i = 0; i < 64; i++)
                symbol[i] += (float complex)cexp(2.0 * I * wifi_pi * (phase + k * i / 64.0));
        }
        for (size_t i = 0; i < N; i++)
            air[i] = symbol[i % 64];
        ck_assert_uint_eq(count_bare(N), 0);
    }
}
END_TEST

START_TEST(data_symbols_are_no_long_training_field)
{
    for (unsigned rate_index = 0; rate_index < PHY_WIFI_N_RATES; rate_index++) {
        memset(air, 0, LEN * sizeof *air);
        size_t at = 0;
        while (at < 80000)
            at = send_rest(at, LEFT, 1200, rate_index, 0.2);
        wifi_add_noise(air, LEN, -wifi_snr_db(30.0), rate_index);
        ck_assert_uint_eq(count_bare(LEN), 0);
    }
}
END_TEST

/* 802.11n, mixed format: one long training symbol with its guard for each stream, 80 samples apart, negated here and there, between
 * data symbols. The same 52 subcarriers as the legacy field. */
START_TEST(ht_long_training_symbols_are_no_legacy_field)
{
    struct phy_wifi_training t;
    phy_wifi_training_make(&t);
    for (size_t pattern = 0; pattern < 16; pattern += 3) {
        memset(air, 0, LEN * sizeof *air);
        size_t at = 0, end;
        while ((end = at) < 30000) {
            end = send_rest(at, LEFT, 200, RATE_54, 0.0);
            for (size_t k = 0; k < 4; k++, end += PHY_WIFI_SYMBOL)
                for (size_t i = 0; i < PHY_WIFI_SYMBOL; i++) {
                    size_t j = (i + 48) % 64;
                    air[end + i] = (pattern >> k & 1 ? -1.0f : 1.0f) * CMPLXF(t.long_re[j], t.long_im[j]);
                }
            at = end;
        }
        wifi_add_noise(air, LEN, -30.0, pattern);
        ck_assert_uint_eq(count_bare(LEN), 0);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("long training");
    tcase_add_checked_fixture(tcase, prepare, clean_up);
    tcase_add_test(tcase, frames_without_a_short_training_field_are_found_with_their_offset);
    tcase_add_test(tcase, whatever_is_cut_away_up_to_the_long_symbols_a_frame_behind_another_is_found_once);
    tcase_add_test(tcase, after_a_gap_in_the_stream_the_first_samples_may_be_the_long_field);
    tcase_add_test(tcase, what_is_found_does_not_depend_on_cuts_or_instruction_set_and_its_history_is_bounded);
    tcase_add_test(tcase, noise_and_tones_are_no_long_training_field);
    tcase_add_test(tcase, other_symbols_that_repeat_are_no_long_training_field);
    tcase_add_test(tcase, data_symbols_are_no_long_training_field);
    tcase_add_test(tcase, ht_long_training_symbols_are_no_legacy_field);
    suite_add_tcase(suite, tcase);
}
