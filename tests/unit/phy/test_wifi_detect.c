/* The preamble detector. Frames come from the transmitter; what a channel does to them is put in here. */
#define SUITE_NAME "phy wifi detect"
#include <complex.h>
#include <math.h>
#include <string.h>

#include "phy/radio/sigmf.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/wifi_preambles.h"

enum { RATE_6 = 0, RATE_54 = 7 };

static void check_same(const struct phy_wifi_preamble *a, const struct phy_wifi_preamble *b) /* to the bit */
{
    ck_assert_uint_eq(a->start_sample, b->start_sample);
    ck_assert_uint_eq(a->long_sample, b->long_sample);
    ck_assert_uint_eq(a->known_sample, b->known_sample);
    ck_assert_mem_eq(&a->cfo, &b->cfo, sizeof a->cfo);
    ck_assert_mem_eq(&a->quality, &b->quality, sizeof a->quality);
    ck_assert_mem_eq(&a->power, &b->power, sizeof a->power);
}

START_TEST(a_clean_preamble_is_found_at_its_sample)
{
    for (size_t shift = 0; shift < 64; shift++) {
        memset(air, 0, 2000 * sizeof *air);
        send(&(struct sending){.at = 300 + shift, .len_bytes = 20, .amplitude = 0.01, .cfo = 0.5 / 64});
        ck_assert_uint_eq(find(&plain, 2000), 1);
        ck_assert_uint_eq(found[0].start_sample, 300 + shift);
        ck_assert_uint_eq(found[0].long_sample, 300 + shift + 192);
        ck_assert_float_eq_tol(found[0].cfo * 64, 0.5f, 1e-4f);
        ck_assert_float_eq_tol(found[0].power, 1e-4f, 0.1e-4f);
        ck_assert_float_gt(found[0].quality, 0.9f);
    }
}
END_TEST

START_TEST(a_preamble_is_confirmed_when_delay_samples_have_come_and_its_history_is_bounded)
{
    for (size_t shift = 0; shift < 16; shift++) {
        memset(air, 0, 2000 * sizeof *air);
        send(&(struct sending){.at = 300 + shift, .len_bytes = 20, .amplitude = 1.0});
        struct phy_wifi_detect *d = open_detector(&plain);
        bool seen = false;
        for (size_t end = 1; end <= 300 + shift + PHY_WIFI_DETECT_DELAY && !seen; end++) {
            seen = phy_wifi_detect(d, air, 0, end, found);
            ck_assert_uint_le(phy_wifi_detect_needs(d), end);
            ck_assert_uint_le(end - phy_wifi_detect_needs(d), PHY_WIFI_DETECT_HISTORY);
            if (seen) {
                ck_assert_uint_eq(found[0].known_sample, end);
                ck_assert_uint_gt(end + 32, 300 + shift + PHY_WIFI_DETECT_DELAY);
            }
        }
        ck_assert(seen);
        free(d);
    }
}
END_TEST

static void check_cutting(double tone)
{
    size_t at = 100;
    while (at < 60000)
        at = send(&(struct sending){.at = at, .len_bytes = 30, .rate_index = RATE_54, .amplitude = 1.0}) + (size_t)(draw() * 300.0);
    add_noise(noise_of_es_n0(4.0), 3);
    add_tone(tone, 0.123, 20000); /* it ends where frames go on */
    add_tone(tone, 0.2, 50000);
    size_t n_whole = find(&plain, 64000), n_cut = 0;
    ck_assert_uint_gt(n_whole, 50);
    struct phy_wifi_detect *d = open_detector(&plain);
    struct phy_wifi_preamble next;
    float complex *piece = NULL;
    for (size_t end = 0; end < 64000;) {
        end += (size_t)(draw() * draw() * 3000.0);
        end = end > 64000 ? 64000 : end;
        /* only what it says it needs, in memory of exactly that length */
        uint64_t base = phy_wifi_detect_needs(d);
        base = base > end ? end : base;
        free(piece);
        piece = malloc((end - base + 1) * sizeof *piece);
        memcpy(piece, air + base, (end - base) * sizeof *piece);
        while (phy_wifi_detect(d, piece, base, end, &next)) {
            ck_assert_uint_lt(n_cut, n_whole);
            check_same(&next, &found[n_cut]);
            n_cut++;
        }
    }
    ck_assert_uint_eq(n_cut, n_whole);
    free(piece);
    free(d);
}

START_TEST(what_is_found_does_not_depend_on_how_the_stream_is_cut_or_where_it_lies)
{
    check_cutting(0.0);
    memset(air, 0, LEN * sizeof *air);
    check_cutting(0.8);
}
END_TEST

START_TEST(every_instruction_set_finds_the_same)
{
    add_tone(1.5, -0.0777, LEN / 2);
    size_t at = 100;
    while (at < 100000)
        at = send(&(struct sending){.at = at, .len_bytes = 60, .rate_index = 3, .amplitude = 1.0, .cfo = 0.7 / 64}) + 100;
    add_noise(noise_of_es_n0(1.0), 3);
    static struct phy_wifi_preamble best[MAX_FOUND];
    size_t n_best = find(&plain, LEN);
    memcpy(best, found, sizeof best);
    plain.simd = PHY_SIMD_BASELINE;
    ck_assert_uint_gt(n_best, 50);
    ck_assert_uint_eq(find(&plain, LEN), n_best);
    for (size_t i = 0; i < n_best; i++)
        check_same(&best[i], &found[i]);
}
END_TEST

START_TEST(frames_with_six_samples_between_them_are_all_found)
{
    size_t at = 10, starts[MAX_FOUND], n_sent = 0;
    while (at < 100000) {
        starts[n_sent++] = at;
        at = send(&(struct sending){.at = at, .len_bytes = 100, .rate_index = (unsigned)(n_sent % 8), .amplitude = 1.0}) + 6;
    }
    add_noise(noise_of_es_n0(25.0), 4);
    ck_assert_uint_eq(find(&plain, LEN), n_sent);
    for (size_t i = 0; i < n_sent; i++)
        ck_assert_uint_eq(found[i].start_sample, starts[i]);
}
END_TEST

START_TEST(a_frame_behind_one_twenty_db_stronger_is_found_and_a_stronger_one_within_another_too)
{
    size_t end = send(&(struct sending){.at = 200, .len_bytes = 300, .rate_index = RATE_54, .amplitude = 1.0});
    size_t next = end + 6;
    end = send(&(struct sending){.at = next, .len_bytes = 1000, .rate_index = RATE_6, .amplitude = 0.1, .cfo = -0.4 / 64});
    ck_assert_uint_gt(end, next + 20000);
    send(&(struct sending){.at = next + 10000, .len_bytes = 100, .rate_index = RATE_6, .amplitude = 0.2, .cfo = 0.2 / 64});
    add_noise(1e-4, 5);
    ck_assert_uint_eq(find(&plain, LEN), 3);
    ck_assert_uint_eq(found[0].start_sample, 200);
    ck_assert_uint_eq(found[1].start_sample, next);
    ck_assert_uint_eq(found[2].start_sample, next + 10000);
}
END_TEST

START_TEST(what_is_left_of_a_short_training_field_is_enough)
{
    for (size_t cut = 0; cut <= 96; cut += 3) {
        memset(air, 0, LEN * sizeof *air);
        size_t end = send(&(struct sending){.at = 0, .len_bytes = 300, .rate_index = RATE_54, .amplitude = 1.0});
        size_t at = end - cut; /* one frame's samples, then at once the other's */
        send(&(struct sending){.at = at, .len_bytes = 50, .rate_index = RATE_54, .amplitude = 1.0, .cut = cut});
        add_noise(noise_of_es_n0(20.0), cut);
        ck_assert_msg(find(&plain, at + 3000) == 2, "%zu samples cut away", cut);
        ck_assert_uint_eq(found[1].start_sample, at);
    }
}
END_TEST

START_TEST(a_restart_forgets_what_came_before)
{
    send(&(struct sending){.at = 300, .len_bytes = 100, .amplitude = 1.0});
    struct phy_wifi_detect *d = open_detector(&plain);
    ck_assert(!phy_wifi_detect(d, air, 0, 300 + 350, found));
    /* from the middle of the preamble on: nothing of the part before may count */
    phy_wifi_detect_restart(d, 300 + 180);
    ck_assert_uint_ge(phy_wifi_detect_needs(d), 300 + 180);
    ck_assert(!phy_wifi_detect(d, air, 0, 2000, found));
    phy_wifi_detect_restart(d, 200);
    ck_assert(phy_wifi_detect(d, air, 0, 2000, found));
    ck_assert_uint_eq(found[0].start_sample, 300);
    free(d);
}
END_TEST

/* --- statistics; 3.5 standard errors --- */

struct trials {
    double es_n0_db;
    size_t n_trials;
    double max_cfo;   /* subcarriers, uniform to either side */
    bool is_faded;    /* three Rayleigh taps at 0, 3, 7 samples with 0, -3, -6 dB, normalised to their mean power */
};

struct outcome {
    size_t n_detected, n_other, n_early, n_late; /* early, late: the first path is 3 samples or more away */
    size_t n_unusable;                           /* an FFT window 4 samples early sees another symbol through a tap above -15 dB */
    double cfo_error2;                           /* mean square, subcarriers */
};

static void draw_taps(float complex taps[8], bool is_faded)
{
    const double powers[3] = {1.0, 0.5012, 0.2512};
    memset(taps, 0, 8 * sizeof *taps);
    taps[0] = 1.0f;
    if (!is_faded)
        return;
    taps[0] = draw_normal(powers[0] / 1.7524);
    taps[3] = draw_normal(powers[1] / 1.7524);
    taps[7] = draw_normal(powers[2] / 1.7524);
}

static float power_of(float complex z)
{
    return crealf(z) * crealf(z) + cimagf(z) * cimagf(z);
}

static bool is_usable(const float complex taps[8], long late)
{
    float total = 0.0f, outside = 0.0f;
    for (long k = 0; k < 8; k++) {
        float power = power_of(taps[k]);
        total += power;
        long into_window = k - late + 4; /* the guard holds 16 samples: taps 0..15 samples behind the window's lead are clean */
        outside += into_window < 0 || into_window > 15 ? power : 0.0f;
    }
    return outside < 0.03f * total;
}

static struct outcome try_many(const struct trials *t)
{
    struct outcome o = {0};
    for (size_t i = 0; i < t->n_trials; i++) {
        float complex taps[8];
        draw_taps(taps, t->is_faded);
        memset(air, 0, 2500 * sizeof *air);
        size_t at = 400 + (size_t)(draw() * 64.0);
        double cfo = t->max_cfo * (2.0 * draw() - 1.0) / 64.0;
        send(&(struct sending){.at = at, .len_bytes = 40, .rate_index = 3, .amplitude = 1.0, .cfo = cfo, .taps = taps, .n_taps = 8});
        static struct phy_awgn g;
        phy_awgn_init(&g, i, 6, PHY_SIMD_AUTO);
        phy_awgn_add(&g, 0, (float)noise_of_es_n0(t->es_n0_db), air, 2500);
        size_t n_found = find(&plain, 2500);
        bool is_detected = false;
        for (size_t k = 0; k < n_found; k++) {
            long late = (long)(found[k].start_sample - at);
            if (labs(late) > 8) {
                o.n_other++;
                continue;
            }
            double error = (double)found[k].cfo * 64.0 - cfo * 64.0;
            o.cfo_error2 += error * error;
            o.n_early += late <= -3;
            o.n_late += late >= 3;
            o.n_unusable += !is_usable(taps, late);
            is_detected = true;
        }
        o.n_detected += is_detected;
    }
    o.cfo_error2 /= (double)(o.n_detected ? o.n_detected : 1);
    printf("Es/N0 %g dB, offsets to %g subcarriers%s, n %zu: detected %zu, elsewhere %zu, 3 early %zu, 3 late %zu, unusable %zu, "
           "offset error %.5f subcarriers rms\n", t->es_n0_db, t->max_cfo, t->is_faded ? ", faded" : "", t->n_trials, o.n_detected,
           o.n_other, o.n_early, o.n_late, o.n_unusable, sqrt(o.cfo_error2));
    return o;
}

/* The proportion may be `least`: less than 3.5 standard errors of it below. */
static void check_at_least(size_t n_good, size_t n, double least)
{
    ck_assert_double_ge((double)n_good / (double)n, least - 3.5 * sqrt(least * (1.0 - least) / (double)n));
}

START_TEST(at_0_db_more_than_99_percent_of_frames_are_detected)
{
    struct outcome o = try_many(&(struct trials){.es_n0_db = 0.0, .n_trials = 2000, .max_cfo = 0.128});
    check_at_least(o.n_detected, 2000, 0.998);
    ck_assert_uint_le(o.n_other, 3);
}
END_TEST

START_TEST(offsets_to_one_and_a_half_subcarriers_cost_nothing)
{
    struct outcome o = try_many(&(struct trials){.es_n0_db = 0.0, .n_trials = 2000, .max_cfo = 1.5});
    check_at_least(o.n_detected, 2000, 0.998);
    o = try_many(&(struct trials){.es_n0_db = 20.0, .n_trials = 1000, .max_cfo = 1.5});
    ck_assert_uint_eq(o.n_detected, 1000);
    ck_assert_double_lt(o.cfo_error2, 0.01 * 0.01); /* never off by a subcarrier */
}
END_TEST

START_TEST(at_low_sample_rates_offsets_to_four_subcarriers_are_found)
{
    plain.max_subcarriers = 4;
    struct outcome o = try_many(&(struct trials){.es_n0_db = 3.0, .n_trials = 1000, .max_cfo = 4.0});
    check_at_least(o.n_detected, 1000, 0.998);
    o = try_many(&(struct trials){.es_n0_db = 20.0, .n_trials = 1000, .max_cfo = 4.0});
    ck_assert_uint_eq(o.n_detected, 1000);
    ck_assert_double_lt(o.cfo_error2, 0.01 * 0.01);
    o = try_many(&(struct trials){.es_n0_db = 20.0, .n_trials = 1000, .max_cfo = 4.0, .is_faded = true});
    check_at_least(o.n_detected, 1000, 0.998);
    ck_assert_double_lt(o.cfo_error2, 0.03 * 0.03);
}
END_TEST

/* Over n products of lag 64, high SNR: var(angle) = 1 / (n snr). Products share noise where they overlap; of 80 products, 16 samples
 * appear both as early and as late ones with opposite sign, which takes 16 / 80 of the variance away. */
START_TEST(the_offset_is_as_exact_as_a_lag_of_64_allows)
{
    struct outcome o = try_many(&(struct trials){.es_n0_db = 20.0, .n_trials = 2000, .max_cfo = 1.5});
    double snr = 1.0 / noise_of_es_n0(20.0);
    double sigma2 = (1.0 - 16.0 / 80.0) / (80.0 * snr) / (two_pi * two_pi); /* subcarriers^2: a subcarrier is a turn in 64 */
    printf("mean square error %.3e, theory %.3e\n", o.cfo_error2, sigma2);
    ck_assert_double_le(fabs(o.cfo_error2 / sigma2 - 1.0), 3.5 * sqrt(2.0 / 2000.0));
}
END_TEST

START_TEST(in_multipath_the_window_stays_within_the_guard)
{
    struct outcome o = try_many(&(struct trials){.es_n0_db = 25.0, .n_trials = 2000, .max_cfo = 0.5, .is_faded = true});
    check_at_least(o.n_detected, 2000, 0.998);
    ck_assert_uint_le(o.n_unusable, 2);
    ck_assert_uint_le(o.n_early, 2);
}
END_TEST

/* --- what is no preamble --- */

static void check_silence(const char *what)
{
    size_t n_found = find(&plain, LEN);
    ck_assert_msg(n_found == 0, "%s: %zu found, quality %.3f", what, n_found, (double)found[0].quality);
}

START_TEST(tones_do_not_trigger)
{
    for (int k = 0; k < 40; k++) {
        /* multiples of the subcarrier spacing, of fs / 16, and between */
        double frequency = k < 16 ? k / 64.0 : k < 24 ? (k - 16) / 16.0 : draw();
        memset(air, 0, LEN * sizeof *air);
        for (size_t i = 0; i < LEN; i++)
            air[i] = turn(frequency * (double)i);
        if (k % 8)
            add_noise(pow(10.0, -(double)(k % 8 * 10 - 30) / 10.0), (uint64_t)k);
        plain.max_subcarriers = k % 3 == 0 ? 4 : 0;
        check_silence("a tone");
    }
}
END_TEST

START_TEST(a_tone_that_comes_and_goes_does_not_trigger)
{
    double frequency = 0.0;
    bool is_on = false;
    for (size_t i = 0; i < LEN; i++) {
        if (draw() < 0.005) {
            is_on = !is_on;
            frequency = draw();
        }
        air[i] = is_on ? turn(frequency * (double)i) : 0.0f;
    }
    add_noise(1e-3, 1);
    check_silence("a keyed tone");
}
END_TEST

START_TEST(several_tones_and_one_that_sweeps_do_not_trigger)
{
    for (int k = 0; k < 24; k++) {
        memset(air, 0, LEN * sizeof *air);
        for (int i = 0; i < 2 + k % 3; i++)
            add_tone(pow(10.0, -draw()), k % 2 ? draw() : floor(16.0 * draw()) / 16.0, LEN);
        add_noise(1e-3, (uint64_t)k);
        check_silence("several tones");
    }
    for (int k = 0; k < 6; k++) {
        double phase = 0.0;
        for (size_t i = 0; i < LEN; i++) {
            air[i] = turn(phase);
            phase += pow(10.0, -k - 2) * (double)i;
        }
        add_noise(1e-3, (uint64_t)k);
        check_silence("a sweep");
    }
}
END_TEST

START_TEST(direct_current_and_the_image_of_an_unbalanced_mixer_do_not_trigger)
{
    for (int k = 0; k < 8; k++) {
        memset(air, 0, LEN * sizeof *air);
        add_noise(pow(10.0, -k), (uint64_t)k);
        for (size_t i = 0; i < LEN; i++)
            air[i] += 0.5f + 0.3f * conjf(air[i]);
        check_silence("direct current and image");
    }
    /* a frame through the same mixer is found once */
    memset(air, 0, LEN * sizeof *air);
    send(&(struct sending){.at = 5000, .len_bytes = 1000, .rate_index = RATE_54, .amplitude = 1.0, .cfo = 0.7 / 64});
    add_noise(1e-3, 9);
    for (size_t i = 0; i < LEN; i++)
        air[i] += 0.1f + 0.1f * conjf(air[i]);
    ck_assert_uint_eq(find(&plain, LEN), 1);
    ck_assert_uint_eq(found[0].start_sample, 5000);
    ck_assert_float_eq_tol(found[0].cfo * 64, 0.7f, 0.02f);
}
END_TEST

START_TEST(noise_whose_level_jumps_and_narrow_noise_do_not_trigger)
{
    static float complex before[LEN];
    add_noise(1.0, 11);
    memcpy(before, air, sizeof before);
    double level = 1.0;
    for (size_t i = 0; i < LEN; i++) {
        if (draw() < 0.003)
            level = pow(10.0, 3.0 * draw() - 1.5);
        air[i] = (float)level * before[i];
    }
    check_silence("jumping noise");
    for (int k = 0; k < 6; k++) { /* one pole near the unit circle: bands of 10 subcarriers to a tenth */
        float radius = (float)(1.0 - 0.5 * pow(10.0, -0.4 * k));
        float complex pole = radius * turn(draw()), state = 0.0f;
        for (size_t i = 0; i < LEN; i++) {
            state = pole * state + sqrtf(1.0f - radius * radius) * before[i];
            air[i] = state;
        }
        check_silence("narrow noise");
    }
}
END_TEST

START_TEST(data_symbols_do_not_trigger)
{
    for (unsigned rate_index = 0; rate_index < PHY_WIFI_N_RATES; rate_index++) {
        memset(air, 0, LEN * sizeof *air);
        size_t at = 0;
        while (at < 80000) /* each frame over the head of which the one before it lies: no preamble is left */
            at = send(&(struct sending){.at = at, .len_bytes = 1200, .rate_index = rate_index, .amplitude = 1.0, .cut = 320});
        add_noise(noise_of_es_n0(30.0), rate_index);
        check_silence("data symbols");
    }
}
END_TEST

/* --- real recordings --- */

static float complex *load_recording(const char *name, size_t *n_out)
{
    char path[4096], error[PHY_SIGMF_MAX_ERROR];
    const char *folder = getenv("AIRDEED_SHARED");
    struct phy_radio *radio;
    static struct phy_sigmf_meta meta;
    snprintf(path, sizeof path, "%s/iq/%s.sigmf-meta", folder ? folder : "../shared", name);
    if (phy_sigmf_open(path, &radio, &meta, error))
        return NULL;
    float complex *samples = malloc(meta.n_samples * sizeof *samples);
    ck_assert_ptr_nonnull(samples);
    ck_assert_int_eq(phy_sigmf_read_at(radio, 0, samples, meta.n_samples, n_out), 0);
    radio->ops->close(radio);
    return samples;
}

START_TEST(real_recordings_give_at_least_the_frames_that_another_receiver_decodes)
{
    static const struct {
        const char *name;
        size_t least, most;
    } recordings[] = {
        {"wifi-n210-80211a-6mbps-conducted", 20, 20},
        {"wifi-n210-80211a-24mbps-conducted", 19, 19},
        {"wifi-n210-80211n-26mbps-radiated", 24, 26},
        {"wifi-n210-80211n-6p5mbps-radiated", 70, 72},
    };
    for (size_t i = 0; i < sizeof recordings / sizeof *recordings; i++) {
        size_t n, n_found = 0;
        float complex *samples = load_recording(recordings[i].name, &n);
        if (!samples) {
            fprintf(stderr, "skipped: AIRDEED_SHARED names no folder with iq/%s\n", recordings[i].name);
            continue;
        }
        struct phy_wifi_detect *d = open_detector(&plain);
        while (phy_wifi_detect(d, samples, 0, n, found))
            n_found++;
        printf("%s: %zu preambles\n", recordings[i].name, n_found);
        ck_assert_uint_ge(n_found, recordings[i].least);
        ck_assert_uint_le(n_found, recordings[i].most);
        free(d);
        free(samples);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("detect");
    tcase_add_checked_fixture(tcase, prepare, clean_up);
    tcase_add_test(tcase, a_clean_preamble_is_found_at_its_sample);
    tcase_add_test(tcase, a_preamble_is_confirmed_when_delay_samples_have_come_and_its_history_is_bounded);
    tcase_add_test(tcase, what_is_found_does_not_depend_on_how_the_stream_is_cut_or_where_it_lies);
    tcase_add_test(tcase, every_instruction_set_finds_the_same);
    tcase_add_test(tcase, frames_with_six_samples_between_them_are_all_found);
    tcase_add_test(tcase, a_frame_behind_one_twenty_db_stronger_is_found_and_a_stronger_one_within_another_too);
    tcase_add_test(tcase, what_is_left_of_a_short_training_field_is_enough);
    tcase_add_test(tcase, a_restart_forgets_what_came_before);
    tcase_add_test(tcase, at_0_db_more_than_99_percent_of_frames_are_detected);
    tcase_add_test(tcase, offsets_to_one_and_a_half_subcarriers_cost_nothing);
    tcase_add_test(tcase, at_low_sample_rates_offsets_to_four_subcarriers_are_found);
    tcase_add_test(tcase, the_offset_is_as_exact_as_a_lag_of_64_allows);
    tcase_add_test(tcase, in_multipath_the_window_stays_within_the_guard);
    tcase_add_test(tcase, tones_do_not_trigger);
    tcase_add_test(tcase, several_tones_and_one_that_sweeps_do_not_trigger);
    tcase_add_test(tcase, a_tone_that_comes_and_goes_does_not_trigger);
    tcase_add_test(tcase, direct_current_and_the_image_of_an_unbalanced_mixer_do_not_trigger);
    tcase_add_test(tcase, noise_whose_level_jumps_and_narrow_noise_do_not_trigger);
    tcase_add_test(tcase, data_symbols_do_not_trigger);
    tcase_add_test(tcase, real_recordings_give_at_least_the_frames_that_another_receiver_decodes);
    suite_add_tcase(suite, tcase);
}
