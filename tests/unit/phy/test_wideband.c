#define SUITE_NAME "phy wideband"
#include "phy/sensing/wideband.h"

#include <errno.h>

#include "phy/sensing/energy.h"
#include "tests/unit/phy/link.h"
#include "tests/unit/check_main.h"

static struct phy_wideband *open_bank(unsigned n_channels)
{
    struct phy_wideband *w = NULL;
    ck_assert_int_eq(phy_wideband_open(&w, n_channels), 0);
    return w;
}

static double db(double ratio)
{
    return 10 * log10(ratio > 1e-30 ? ratio : 1e-30);
}

/* Mean power of a tone in each channel, over outputs from when the filters are filled. */
static void measure_tone(unsigned n_channels, double frequency, double *power_out)
{
    enum { N_OUT = 600, SKIP = 2 * PHY_WIDEBAND_SEMI_LENGTH };
    static float complex in[N_OUT * PHY_WIDEBAND_MAX_CHANNELS], out[N_OUT * PHY_WIDEBAND_MAX_CHANNELS];
    struct phy_wideband *w = open_bank(n_channels);
    size_t n = N_OUT * n_channels;
    for (size_t i = 0; i < n; i++)
        in[i] = (float complex)cexp(CMPLX(0, 2 * acos(-1) * fmod(frequency * (double)i, 1)));
    ck_assert_uint_eq(phy_wideband_push(w, in, n, out, N_OUT), N_OUT);
    for (unsigned k = 0; k < n_channels; k++)
        power_out[k] = phy_energy_sum(out + k * N_OUT + SKIP, N_OUT - SKIP) / (N_OUT - SKIP);
    phy_wideband_close(w);
}

START_TEST(a_tone_is_in_its_channel_only_and_keeps_its_power)
{
    double worst_pass = 0, worst_stop = -200;
    const unsigned sizes[] = {2, 3, 4, 5, 8, 16, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned k = 0; k < sizes[i]; k += 1 + sizes[i] / 5)
            for (int offset = -44; offset <= 44; offset += 11) { /* hundredths of a channel */
                double power[PHY_WIDEBAND_MAX_CHANNELS];
                measure_tone(sizes[i], phy_wideband_center(sizes[i], k) + offset * .01 / sizes[i], power);
                worst_pass = fmax(worst_pass, fabs(db(power[k])));
                for (unsigned other = 0; other < sizes[i]; other++)
                    if (other != k)
                        worst_stop = fmax(worst_stop, db(power[other]));
            }
    printf("passband flat to %.3f dB, other channels at most %.1f dB\n", worst_pass, worst_stop);
    ck_assert_double_le(worst_pass, .2);
    ck_assert_double_le(worst_stop, -60);
}
END_TEST

/* Puts a channel's samples (at the channel's rate) into the wide band: zeros between, then a filter of its own, 128 taps a
 * branch and 100 dB down. */
static void add_channel(float complex *wide, const float complex *narrow, size_t n_narrow, unsigned n_channels, unsigned k)
{
    enum { HALF = 40 };
    double pi = acos(-1), center = phy_wideband_center(n_channels, k);
    for (size_t i = 0; i < n_narrow * n_channels; i++) {
        double complex sum = 0;
        size_t at = i / n_channels;
        for (size_t m = at > HALF ? at - HALF : 0; m < n_narrow && m <= at + HALF; m++) {
            double t = (double)i / n_channels - (double)m;
            double sinc = fabs(t) < 1e-12 ? 1 : sin(pi * t) / (pi * t);
            double window = fabs(t) > HALF ? 0 : pow(cos(pi * t / (2 * HALF)), 2);
            sum += sinc * window * (double complex)narrow[m];
        }
        wide[i] += (float complex)(sum * cexp(CMPLX(0, 2 * pi * fmod(center * (double)i, 1))));
    }
}

enum { N_CHANNELS = 4, N_NARROW = 6000, FRAME_AT = 1000 };

static size_t make_frame(const struct phy_waveform *waveform, float complex *out)
{
    static struct phy_update update;
    struct phy_config cfg = link_config();
    uint8_t mpdu[196];
    uint64_t state = 3;
    for (size_t i = 0; i < sizeof mpdu; i++)
        mpdu[i] = (uint8_t)link_random(&state);
    cfg.waveform = waveform;
    struct link_phy sender = link_open(&cfg);
    struct phy_event event = {.kind = PHY_EV_TRANSMIT, .transmit = {0, mpdu, sizeof mpdu, 1}};
    ck_assert_int_eq(phy_step(sender.phy, &event, &update), 0);
    size_t n = update.burst_len;
    ck_assert_uint_le(FRAME_AT + n + 100, N_NARROW);
    memcpy(out, update.burst, n * sizeof *out);
    link_close(&sender);
    return n;
}

/* Sends a frame in every channel, one at a time; the most that a channel beside it gets, and one further off, dB. */
static void measure_leakage(const struct phy_waveform *waveform, double *next_out, double *others_out)
{
    static float complex narrow[N_NARROW], wide[N_NARROW * N_CHANNELS], out[N_NARROW * N_CHANNELS];
    memset(narrow, 0, sizeof narrow);
    size_t n_frame = make_frame(waveform, narrow + FRAME_AT);
    double sent = phy_energy_sum(narrow + FRAME_AT, n_frame) / (double)n_frame;
    *next_out = *others_out = -200;
    for (unsigned k = 0; k < N_CHANNELS; k++) {
        memset(wide, 0, sizeof wide);
        add_channel(wide, narrow, N_NARROW, N_CHANNELS, k);
        struct phy_wideband *w = open_bank(N_CHANNELS);
        ck_assert_uint_eq(phy_wideband_push(w, wide, N_NARROW * N_CHANNELS, out, N_NARROW), N_NARROW);
        for (unsigned other = 0; other < N_CHANNELS; other++) {
            double power = phy_energy_sum(out + other * N_NARROW + FRAME_AT + PHY_WIDEBAND_SEMI_LENGTH, n_frame) / (double)n_frame;
            unsigned apart = (other + N_CHANNELS - k) % N_CHANNELS;
            if (apart == 0)
                ck_assert_double_eq_tol(db(power / sent), 0, .1);
            else if (apart == 1 || apart == N_CHANNELS - 1)
                *next_out = fmax(*next_out, db(power / sent));
            else
                *others_out = fmax(*others_out, db(power / sent));
        }
        phy_wideband_close(w);
    }
    printf("%s: beside the frame's channel at most %.1f dB, elsewhere %.1f dB\n", waveform->name, *next_out, *others_out);
}

START_TEST(a_strong_frame_leaks_less_than_40_db_into_its_neighbours)
{
    const struct phy_waveform *const waveforms[] = {phy_waveform_flex(), phy_waveform_wifi()};
    for (size_t i = 0; i < 2; i++) {
        double next, others;
        measure_leakage(waveforms[i], &next, &others);
        ck_assert_double_le(next, -40);
        ck_assert_double_le(others, -90);
    }
}
END_TEST

START_TEST(frames_in_all_channels_at_once_are_received)
{
    static float complex narrow[N_NARROW], wide[N_NARROW * N_CHANNELS], out[N_NARROW * N_CHANNELS];
    static struct phy_update update;
    memset(wide, 0, sizeof wide);
    for (unsigned k = 0; k < N_CHANNELS; k++) {
        memset(narrow, 0, sizeof narrow);
        /* neighbours differ by 20 dB */
        link_add_frame(narrow + FRAME_AT, 300 + k, 1, k % 2 ? .1f : .01f, 70 + k);
        add_channel(wide, narrow, N_NARROW, N_CHANNELS, k);
    }
    link_add_noise(wide, N_NARROW * N_CHANNELS, -74, 9); /* -80 dBFS a channel */
    struct phy_wideband *w = open_bank(N_CHANNELS);
    ck_assert_uint_eq(phy_wideband_push(w, wide, N_NARROW * N_CHANNELS, out, N_NARROW), N_NARROW);
    for (unsigned k = 0; k < N_CHANNELS; k++) {
        struct phy_config cfg = link_config();
        struct link_phy l = link_open(&cfg);
        unsigned n_ok = 0;
        for (size_t at = 0; at < N_NARROW; at += 2000) {
            link_samples(&l, out + k * N_NARROW + at, 2000, &update);
            for (size_t i = 0; i < update.n_signals; i++) {
                const struct phy_signal *s = &update.signals[i];
                if (s->kind != PHY_FRAME)
                    continue;
                ck_assert(s->frame.fcs_ok);
                ck_assert_uint_eq(s->frame.psdu_len, 300 + k);
                ck_assert_double_eq_tol((double)s->frame.start_sample, FRAME_AT + PHY_WIDEBAND_SEMI_LENGTH, 8);
                printf("channel %u: SNR %.1f dB, EVM %.1f dB\n", k, s->frame.snr_db, s->frame.evm_db);
                n_ok++;
            }
        }
        ck_assert_uint_eq(n_ok, 1);
        link_close(&l);
    }
    phy_wideband_close(w);
}
END_TEST

START_TEST(the_streams_do_not_depend_on_how_samples_are_cut)
{
    enum { N = 10007, K = 6, ROW = N / K + 1 };
    static float complex in[N], whole[K * ROW], cut[K * ROW];
    link_add_noise(in, N, -3, 4);
    struct phy_wideband *w = open_bank(K);
    size_t n_whole = phy_wideband_push(w, in, N, whole, ROW), n_cut = 0;
    ck_assert_uint_eq(n_whole, N / K);
    phy_wideband_reset(w);
    uint64_t state = 5;
    for (size_t at = 0; at < N;) {
        size_t n = link_random(&state) % 50;
        n = n < N - at ? n : N - at;
        size_t expected = phy_wideband_outputs(w, n);
        size_t got = phy_wideband_push(w, in + at, n, cut + n_cut, ROW);
        ck_assert_uint_eq(got, expected);
        n_cut += got;
        at += n;
    }
    ck_assert_uint_eq(n_cut, n_whole);
    for (unsigned k = 0; k < K; k++)
        ck_assert_mem_eq(whole + k * ROW, cut + k * ROW, n_whole * sizeof *whole);
    phy_wideband_close(w);
}
END_TEST

START_TEST(noise_raises_the_false_alarms_asked_for_in_every_channel)
{
    enum { K = 4, N = 400, TRIALS = 2000 };
    const double p_fa = .1;
    static float complex in[K * N], out[K * N];
    static struct phy_awgn g;
    struct phy_energy_detector d;
    struct phy_wideband *w = open_bank(K);
    unsigned n_false[K] = {0}, n_all = 0;
    ck_assert_int_eq(phy_energy_init(&d, N, phy_wideband_noise_gain(w), 0, p_fa), 0);
    phy_awgn_init(&g, 12, 1, PHY_SIMD_AUTO);
    for (uint64_t i = 0; i <= TRIALS; i++) {
        memset(in, 0, sizeof in);
        phy_awgn_add(&g, i * K * N, 1, in, K * N);
        ck_assert_uint_eq(phy_wideband_push(w, in, K * N, out, N), N);
        for (unsigned k = 0; i > 0 && k < K; k++) /* the first window fills the filters */
            n_false[k] += phy_energy_judge(&d, out + k * N).occupied;
    }
    double std_error = sqrt(p_fa * (1 - p_fa) / TRIALS);
    printf("noise in a channel: %.4f of %d; P_fa", phy_wideband_noise_gain(w), K);
    for (unsigned k = 0; k < K; k++) {
        printf(" %.4f", (double)n_false[k] / TRIALS);
        ck_assert_double_le(fabs((double)n_false[k] / TRIALS - p_fa), 3.5 * std_error);
        n_all += n_false[k];
    }
    printf("\n");
    ck_assert_double_le(fabs((double)n_all / K / TRIALS - p_fa), 3.5 * std_error / sqrt(K));
    phy_wideband_close(w);
}
END_TEST

START_TEST(only_2_to_64_channels_are_taken)
{
    struct phy_wideband *w = NULL;
    ck_assert_int_eq(phy_wideband_open(&w, 0), -EINVAL);
    ck_assert_int_eq(phy_wideband_open(&w, 1), -EINVAL);
    ck_assert_int_eq(phy_wideband_open(&w, 65), -EINVAL);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("wideband");
    tcase_add_test(tcase, a_tone_is_in_its_channel_only_and_keeps_its_power);
    tcase_add_test(tcase, a_strong_frame_leaks_less_than_40_db_into_its_neighbours);
    tcase_add_test(tcase, frames_in_all_channels_at_once_are_received);
    tcase_add_test(tcase, the_streams_do_not_depend_on_how_samples_are_cut);
    tcase_add_test(tcase, noise_raises_the_false_alarms_asked_for_in_every_channel);
    tcase_add_test(tcase, only_2_to_64_channels_are_taken);
    suite_add_tcase(suite, tcase);
}
