#define SUITE_NAME "airdeed air: its emitters"
#include "tests/unit/check_main.h"

#include "apps/air.h"
#include "phy/crc.h"
#include "phy/waveform.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Everything through the file that a user writes, then block by block as the mixer does; 102400 samples at 1 Msps, -10 dBFS. */
enum { RATE = 1000000, N = 102400, BLOCK = 256 };
static const double pi = 3.14159265358979323846;

static float complex heard[N], again[N];

static int read_text(const char *text, struct app_air_config *cfg, char *error)
{
    char path[] = "/tmp/airdeed-emitters-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int err = app_air_read_links(path, cfg, error);
    unlink(path);
    return err;
}

static struct app_air_config make_config(uint32_t block)
{
    struct app_air_config cfg = {.n_ports = 2, .rate_hz = RATE, .block_samples = block, .seed = 5, .common_noise_dbfs = -INFINITY};
    for (uint32_t i = 0; i < APP_AIR_MAX_NODES; i++)
        cfg.noise_dbfs[i] = -INFINITY;
    return cfg;
}

/* What port 2 hears while port 1 sends `sent` (NULL: nothing). */
static void run_air(const char *emitter, uint32_t block, const float complex *sent, float complex *out)
{
    char text[400], error[APP_AIR_MAX_ERROR];
    struct app_air_config cfg = make_config(block);
    int code;
    snprintf(text, sizeof text, "emitters:\n  - {power_dbfs: -10, %s}\n", emitter);
    ck_assert_msg(read_text(text, &cfg, error) == 0, "%s", error);
    cfg.links[0][1].gain_db = -400;
    struct app_air_mix *m = app_air_mix_open(&cfg, error, &code);
    ck_assert_msg(m != NULL, "%s", error);
    for (size_t at = 0; at + block <= N; at += block) {
        const float complex *tx[2] = {sent ? sent + at : NULL, NULL};
        float complex *rx[2] = {NULL, out + at};
        app_air_mix_block(m, tx, rx);
    }
    ck_assert_uint_eq(app_air_mix_dropped(m), 0);
    app_air_mix_close(m);
}

static size_t count_on(const float complex *x, size_t n, double *power_out)
{
    size_t n_on = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double p = (double)crealf(x[i]) * (double)crealf(x[i]) + (double)cimagf(x[i]) * (double)cimagf(x[i]);
        n_on += p > 0;
        sum += p;
    }
    *power_out = n_on ? sum / (double)n_on : 0;
    return n_on;
}

/* Of 1024 samples at the middle: the share of power at a frequency, cycles a sample */
static double find_share(double frequency)
{
    double complex sum = 0;
    double power = 0;
    for (int i = 0; i < 1024; i++) {
        double complex x = (double complex)heard[N / 2 + i];
        sum += x * cexp(-2.0 * pi * I * frequency * i);
        power += creal(x * conj(x));
    }
    return creal(sum * conj(sum)) / 1024 / power;
}

START_TEST(those_without_pause_begin_at_their_start_with_their_power)
{
    static const struct {
        const char *text;
        double tolerance; /* of the power */
    } rows[] = {{"kind: tone, start: 10ms, offset: 125k", 1e-4},
                {"kind: noise, start: 10ms", 3.5 / 304},
                {"kind: noise, start: 10ms, bandwidth: 250k, offset: -100k", 3.5 / 152},
                {"kind: sweep, start: 10ms, sweep_low: -200k, sweep_high: 300k, sweep: 2ms", 1e-4},
                {"kind: pilot, start: 10ms", .02},
                {"kind: pilot, start: 10ms, waveform: flex", .02}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double power;
        run_air(rows[i].text, BLOCK, NULL, heard);
        ck_assert_uint_eq(count_on(heard, 10000, &power), 0);
        ck_assert_msg(count_on(heard + 10000, N - 10000, &power) > N - 10010, "%s: has pauses", rows[i].text);
        ck_assert_msg(fabs(power / .1 - 1) < rows[i].tolerance, "%s: power %g", rows[i].text, power);
    }
}
END_TEST

START_TEST(a_tone_and_pilots_stand_where_they_are_asked_to)
{
    run_air("kind: tone, offset: 125k", BLOCK, NULL, heard);
    ck_assert_double_gt(find_share(.125), .999);
    run_air("kind: pilot", BLOCK, NULL, heard);
    double share = find_share(7 / 64.0) + find_share(-7 / 64.0) + find_share(21 / 64.0) + find_share(-21 / 64.0);
    ck_assert_double_gt(share, .99);
    ck_assert_double_gt(find_share(21 / 64.0), .2);
}
END_TEST

START_TEST(noise_of_some_bandwidth_stays_in_it)
{
    run_air("kind: noise, bandwidth: 250k, offset: -100k", BLOCK, NULL, heard);
    double in = 0, out = 0;
    for (int k = -512; k < 512; k++) {
        double f = k / 1024.0, share = find_share(f);
        *(fabs(f + .1) < .16 ? &in : &out) += share;
    }
    ck_assert_double_gt(in, .98);
    ck_assert_double_lt(out, .01);
}
END_TEST

START_TEST(a_sweep_runs_from_low_to_high_in_its_time)
{
    run_air("kind: sweep, sweep_low: -200k, sweep_high: 300k, sweep: 2ms", BLOCK, NULL, heard);
    for (size_t i = 4100; i < 20000; i++) {
        double f = carg((double complex)(heard[i + 1] * conjf(heard[i]))) / (2 * pi), want = -.2 + .5 * (double)(i % 2000) / 2000;
        if (i % 2000 > 2 && i % 2000 < 1997)
            ck_assert_msg(fabs(f - want) < 1e-3, "sample %zu: %g, not %g", i, f, want);
    }
}
END_TEST

START_TEST(a_pulse_has_its_duty)
{
    double power;
    run_air("kind: pulse, burst: 100us, period: 800us, start: 3ms, stop: 83ms", BLOCK, NULL, heard);
    for (size_t i = 0; i < N; i++)
        ck_assert_msg((heard[i] != 0) == (i >= 3000 && i < 83000 && (i - 3000) % 800 < 100), "sample %zu", i);
    count_on(heard, N, &power);
    ck_assert_double_eq_tol(power / .1, 1, 3.5 / 100);
}
END_TEST

START_TEST(random_noise_is_on_and_off_for_its_mean_times)
{
    double power;
    size_t n_starts = 0, n_on;
    run_air("kind: random, mean_on: 300us, mean_off: 700us", BLOCK, NULL, heard);
    n_on = count_on(heard, N, &power);
    for (size_t i = 1; i < N; i++)
        n_starts += heard[i] != 0 && heard[i - 1] == 0;
    /* some 100 rounds; a sum of n exponential times deviates by 1/sqrt(n) of itself */
    ck_assert_double_eq_tol((double)n_on / (double)(n_starts + 1) / 300, 1, 3.5 / 10);
    ck_assert_double_eq_tol((double)(N - n_on) / (double)(n_starts + 1) / 700, 1, 3.5 / 10);
    ck_assert_double_eq_tol(power / .1, 1, 3.5 / 160);
}
END_TEST

START_TEST(a_reactive_one_answers_what_it_hears_and_nothing_else)
{
    static float complex sent[N];
    memset(sent, 0, sizeof sent);
    for (size_t i = 0; i < 160; i++)
        sent[20000 + i] = sent[70000 + i] = .05f;
    run_air("kind: reactive, react: 600us, burst: 1ms, threshold_db: 8", BLOCK, sent, heard);
    double power;
    ck_assert_uint_eq(count_on(heard, N, &power), 2000);
    ck_assert_double_eq_tol(power / .1, 1, 3.5 / 45);
    /* heard in the block of 80 that ends at 20080, 70080 */
    for (size_t i = 0; i < N; i++)
        ck_assert_msg((heard[i] != 0) == ((i >= 20680 && i < 21680) || (i >= 70680 && i < 71680)), "sample %zu", i);
}
END_TEST

static size_t n_frames, n_good, n_locks;

static void take_lock(void *ctx, size_t offset)
{
    (void)ctx;
    (void)offset;
    n_locks++;
}

static void take_frame(void *ctx, size_t end_offset, const struct phy_frame *frame)
{
    (void)ctx;
    (void)end_offset;
    n_frames++;
    if (frame->psdu_len <= PHY_FCS_BYTES)
        return;
    const uint8_t *fcs = frame->psdu + frame->psdu_len - PHY_FCS_BYTES;
    uint32_t sent = (uint32_t)fcs[0] | (uint32_t)fcs[1] << 8 | (uint32_t)fcs[2] << 16 | (uint32_t)fcs[3] << 24;
    n_good += phy_crc32(frame->psdu, frame->psdu_len - PHY_FCS_BYTES) == sent;
}

static void demodulate(void)
{
    const struct phy_waveform *wifi = phy_waveform_find("wifi");
    const struct phy_waveform_config cfg = {.sample_rate_hz = RATE, .on_lock = take_lock, .on_frame = take_frame};
    struct phy_waveform_demod *d;
    void *mem = aligned_alloc(64, (wifi->bytes() + 63) / 64 * 64);
    n_frames = n_good = n_locks = 0;
    ck_assert_int_eq(wifi->open(mem, &cfg, &d), 0);
    wifi->execute(d, heard, N);
    wifi->close(d);
    free(mem);
}

START_TEST(receivers_lock_to_a_preamble_and_take_a_deceptive_frame_for_somebodys)
{
    double power;
    run_air("kind: deceptive, period: 5ms, start: 1ms, stop: 96ms", BLOCK, NULL, heard);
    count_on(heard, N, &power);
    ck_assert_double_eq_tol(power / .1, 1, .02);
    demodulate();
    ck_assert_msg(n_good == 19, "%zu locks, %zu frames, %zu good", n_locks, n_frames, n_good);
    run_air("kind: preamble, period: 5ms, start: 1ms, stop: 96ms", BLOCK, NULL, heard);
    size_t n_on = count_on(heard, N, &power);
    ck_assert_double_eq_tol(power / .1, 1, .02);
    ck_assert_uint_ge(n_on, 19 * 300);
    ck_assert_uint_le(n_on, 19 * 320);
    demodulate();
    ck_assert_uint_ge(n_locks, 19);
    ck_assert_uint_eq(n_good, 0);
}
END_TEST

START_TEST(but_for_reactive_ones_blocks_of_any_length_carry_the_same)
{
    static const char *const texts[] = {"kind: tone, offset: 10k",    "kind: noise, bandwidth: 100k", "kind: pulse",
                                        "kind: sweep",                "kind: random",                 "kind: preamble",
                                        "kind: pilot, start: 1500us", "kind: deceptive"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        run_air(texts[i], 64, NULL, heard);
        run_air(texts[i], 12800, NULL, again);
        ck_assert_msg(memcmp(heard, again, sizeof heard) == 0, "%s", texts[i]);
    }
}
END_TEST

START_TEST(what_cannot_be_is_refused_with_line_and_field)
{
    static const struct {
        const char *text, *field, *why;
    } rows[] = {{"kind: laser", "kind", ""},
                {"kind: tone, offset: 600k", "offset", "within +-rate/2"},
                {"kind: noise, bandwidth: 2M", "bandwidth", "must not exceed the rate"},
                {"kind: sweep, sweep_low: -501k", "sweep_low", "within +-rate/2"},
                {"kind: sweep, sweep_high: 501k", "sweep_high", "within +-rate/2"},
                {"kind: sweep, sweep: 1us", "sweep", "at least 2 samples"},
                {"kind: pulse, burst: 15us", "burst", "at least 16 samples, 16us"},
                {"kind: pulse, burst: 2ms", "burst", "period is shorter than burst"},
                {"kind: random, mean_on: 15us", "mean_on", "at least 16 samples"},
                {"kind: random, mean_off: 15us", "mean_off", "at least 16 samples"},
                {"kind: reactive, react: 7ms, burst: 100us", "react", "not be longer than 60 bursts"},
                {"kind: preamble, waveform: chirp", "waveform", ""},
                {"kind: tone, start: 2s, stop: 1s", "stop", "is not after start"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct app_air_config cfg = make_config(BLOCK);
        char text[200], error[APP_AIR_MAX_ERROR], where[80];
        snprintf(text, sizeof text, "emitters:\n  - {power_dbfs: -10, %s}\n", rows[i].text);
        snprintf(where, sizeof where, ":2: field emitters[0].%s: ", rows[i].field);
        ck_assert_msg(read_text(text, &cfg, error) == -EINVAL, "%s: accepted", rows[i].text);
        ck_assert_msg(strstr(error, where) && strstr(error, rows[i].why), "%s: %s", rows[i].text, error);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("emitters");
    tcase_add_test(tc, those_without_pause_begin_at_their_start_with_their_power);
    tcase_add_test(tc, a_tone_and_pilots_stand_where_they_are_asked_to);
    tcase_add_test(tc, noise_of_some_bandwidth_stays_in_it);
    tcase_add_test(tc, a_sweep_runs_from_low_to_high_in_its_time);
    tcase_add_test(tc, a_pulse_has_its_duty);
    tcase_add_test(tc, random_noise_is_on_and_off_for_its_mean_times);
    tcase_add_test(tc, a_reactive_one_answers_what_it_hears_and_nothing_else);
    tcase_add_test(tc, receivers_lock_to_a_preamble_and_take_a_deceptive_frame_for_somebodys);
    tcase_add_test(tc, but_for_reactive_ones_blocks_of_any_length_carry_the_same);
    tcase_add_test(tc, what_cannot_be_is_refused_with_line_and_field);
    suite_add_tcase(suite, tc);
}
