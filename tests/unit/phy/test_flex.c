#define SUITE_NAME "phy flex"
#include <errno.h>
#include <liquid/liquid.h>

#include "phy/sensing/energy.h"
#include "phy/flex/flex_frame.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/link.h"

enum { CAP = 70000 };

struct heard {
    unsigned n_locks, n_frames;
    uint64_t base, lock_at, end_at;
    struct phy_frame frame;
    uint8_t psdu[PHY_MAX_PSDU_BYTES];
    void *memory;
};

static void hear_lock(void *ctx, size_t offset)
{
    struct heard *h = ctx;
    h->n_locks++;
    h->lock_at = h->base + offset;
}

static void hear_frame(void *ctx, size_t end_offset, const struct phy_frame *frame)
{
    struct heard *h = ctx;
    h->n_frames++;
    h->end_at = h->base + end_offset;
    h->frame = *frame;
    h->frame.start_sample += h->base;
    h->frame.end_sample += h->base;
    if (frame->psdu_len)
        memcpy(h->psdu, frame->psdu, frame->psdu_len);
}

static struct phy_waveform_demod *open_flex(struct heard *h)
{
    struct phy_waveform_demod *d;
    struct phy_waveform_config cfg = {.sample_rate_hz = 10000000, .on_lock = hear_lock, .on_frame = hear_frame, .ctx = h};
    h->memory = aligned_alloc(64, (phy_waveform_flex()->bytes() + 63) / 64 * 64);
    ck_assert_ptr_nonnull(h->memory);
    ck_assert_int_eq(phy_waveform_flex()->open(h->memory, &cfg, &d), 0);
    return d;
}

static void fill_psdu(uint8_t *psdu, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++)
        psdu[i] = (uint8_t)link_random(&seed);
}

START_TEST(modulate_writes_as_many_samples_as_announced_at_every_length_and_rate)
{
    const struct phy_waveform *w = phy_waveform_flex();
    struct heard h = {0};
    struct phy_waveform_demod *d = open_flex(&h);
    float complex *out = malloc(CAP * sizeof *out);
    uint8_t psdu[PHY_MAX_PSDU_BYTES];
    fill_psdu(psdu, sizeof psdu, 1);
    for (unsigned rate = 0; rate < w->n_rates; rate++) {
        for (size_t len = 1; len <= PHY_MAX_PSDU_BYTES; len += len < 60 ? 1 : 127) {
            long n = w->modulate(d, psdu, len, rate, out, CAP);
            ck_assert_int_eq(n, (long)w->frame_samples(len, rate));
            ck_assert_int_eq(w->modulate(d, psdu, len, rate, out, (size_t)n - 1), -ENOBUFS);
        }
        const size_t shown[] = {14, 200, 400, 1500};
        for (size_t i = 0; i < 4; i++)
            printf("rate %u: %zu octets take %.1f us at 10 Msps\n", rate, shown[i], (double)w->frame_samples(shown[i], rate) / 10.0);
    }
    ck_assert_int_eq(w->modulate(d, psdu, 0, 0, out, CAP), -EINVAL);
    ck_assert_int_eq(w->modulate(d, psdu, PHY_MAX_PSDU_BYTES + 1, 0, out, CAP), -EINVAL);
    ck_assert_int_eq(w->modulate(d, psdu, 10, w->n_rates, out, CAP), -EINVAL);
    free(out);
    w->close(d);
    free(h.memory);
}
END_TEST

START_TEST(preamble_header_and_body_have_mean_power_one)
{
    const struct phy_waveform *w = phy_waveform_flex();
    struct heard h = {0};
    struct phy_waveform_demod *d = open_flex(&h);
    float complex *out = malloc(CAP * sizeof *out);
    uint8_t psdu[1500];
    fill_psdu(psdu, sizeof psdu, 2);
    for (unsigned rate = 0; rate < w->n_rates; rate++) {
        long n = w->modulate(d, psdu, sizeof psdu, rate, out, CAP);
        ck_assert_double_eq_tol(phy_energy_sum(out, 240) / 240, 1.0, 0.02);
        ck_assert_double_eq_tol(phy_energy_sum(out + 240, 320) / 320, 1.0, 0.05);
        ck_assert_double_eq_tol(phy_energy_sum(out + 560, (size_t)n - 560) / ((double)n - 560), 1.0, 0.02);
    }
    free(out);
    w->close(d);
    free(h.memory);
}
END_TEST

START_TEST(the_same_frame_has_the_same_samples_whatever_was_sent_before)
{
    const struct phy_waveform *w = phy_waveform_flex();
    struct heard h = {0}, other = {0};
    struct phy_waveform_demod *d = open_flex(&h), *e = open_flex(&other);
    float complex *a = malloc(CAP * sizeof *a), *b = malloc(CAP * sizeof *b);
    uint8_t psdu[101];
    fill_psdu(psdu, sizeof psdu, 3);
    for (unsigned rate = 0; rate < w->n_rates; rate++) {
        w->modulate(d, psdu, 55, (rate + 1) % w->n_rates, a, CAP);
        long n = w->modulate(d, psdu, sizeof psdu, rate, a, CAP);
        ck_assert_int_eq(w->modulate(e, psdu, sizeof psdu, rate, b, CAP), n);
        ck_assert_mem_eq(a, b, (size_t)n * sizeof *a);
    }
    free(a);
    free(b);
    w->close(d);
    free(h.memory);
    w->close(e);
    free(other.memory);
}
END_TEST

/* Feeds noise, a frame, noise in calls of random length; the frame starts at `start`. */
static void send_over(struct phy_waveform_demod *d, struct heard *h, size_t start, size_t len, unsigned rate, double cfo_turns,
                      double snr_db, uint64_t seed)
{
    const struct phy_waveform *w = phy_waveform_flex();
    size_t total = start + w->frame_samples(len, rate) + 600;
    float complex *x = calloc(total, sizeof *x);
    uint8_t psdu[PHY_MAX_PSDU_BYTES];
    fill_psdu(psdu, len, seed);
    long n = w->modulate(d, psdu, len, rate, x + start, total - start);
    ck_assert_int_gt(n, 0);
    for (size_t i = 0; i < (size_t)n; i++)
        x[start + i] *= (float complex)cexp(2.0 * I * acos(-1.0) * fmod(cfo_turns * (double)i, 1.0));
    link_add_noise(x, total, -snr_db, seed);
    uint64_t state = seed;
    for (size_t at = 0; at < total;) {
        size_t n_here = 1 + link_random(&state) % 300;
        n_here = n_here < total - at ? n_here : total - at;
        w->execute(d, x + at, n_here);
        at += n_here;
        h->base += n_here;
    }
    free(x);
}

START_TEST(frames_come_back_with_exact_stamps_and_delays)
{
    const struct phy_waveform *w = phy_waveform_flex();
    struct heard h = {0};
    struct phy_waveform_demod *d = open_flex(&h);
    int64_t worst_start = 0;
    uint64_t worst_lock = 0;
    unsigned n_sent = 0;
    for (unsigned rate = 0; rate < w->n_rates; rate++) {
        for (unsigned k = 0; k < 30; k++) {
            size_t start = 500 + 37 * k, len = 14 + 61 * k;
            uint64_t true_start = h.base + start;
            double cfo = ((double)k - 15.0) / 15.0 * 1e-3; /* +-10 kHz at 10 Msps */
            uint8_t psdu[PHY_MAX_PSDU_BYTES];
            fill_psdu(psdu, len, 100 * rate + k);
            send_over(d, &h, start, len, rate, cfo, 30.0, 100 * rate + k);
            ck_assert_uint_eq(h.n_frames, ++n_sent);
            ck_assert_uint_eq(h.n_locks, n_sent);
            ck_assert(h.frame.header_ok);
            ck_assert_uint_eq(h.frame.psdu_len, len);
            ck_assert_mem_eq(h.psdu, psdu, len);
            ck_assert_uint_eq(h.frame.end_sample - h.frame.start_sample, w->frame_samples(len, rate));
            ck_assert_uint_eq(h.frame.rate_kbps, w->rate_kbps_at_1msps[rate]);
            ck_assert_double_eq_tol(h.frame.cfo_hz, cfo, 1e-4);
            ck_assert_double_le(h.frame.evm_db, -26.0);
            ck_assert_int_ge((int64_t)(h.end_at - h.frame.end_sample), 0);
            int64_t off = llabs((int64_t)(h.frame.start_sample - true_start));
            worst_start = off > worst_start ? off : worst_start;
            worst_lock = h.lock_at - true_start > worst_lock ? h.lock_at - true_start : worst_lock;
        }
    }
    printf("%u frames at 30 dB: start off by at most %lld samples, lock after at most %llu\n", n_sent, (long long)worst_start,
           (unsigned long long)worst_lock);
    ck_assert_int_le(worst_start, 2);
    ck_assert_uint_le(worst_lock, w->lock_delay_samples);
    w->close(d);
    free(h.memory);
}
END_TEST

/* The error vectors of a subcarrier under a tone stand out. */
START_TEST(noise_per_subcarrier_shows_where_a_tone_sits)
{
    const struct phy_waveform *w = phy_waveform_flex();
    struct heard h = {0};
    struct phy_waveform_demod *d = open_flex(&h);
    enum { TONE = 10, LEN = 600 };
    size_t total = w->frame_samples(LEN, 1) + 400;
    float complex *x = calloc(total, sizeof *x);
    uint8_t psdu[LEN];
    fill_psdu(psdu, LEN, 5);
    ck_assert_int_gt(w->modulate(d, psdu, LEN, 1, x + 200, total - 200), 0);
    for (size_t i = 0; i < total; i++)
        x[i] += 0.04f * (float complex)cexp(2.0 * I * acos(-1.0) * (double)(i * TONE % 64) / 64.0);
    link_add_noise(x, total, -30.0, 5);
    w->execute(d, x, total);
    ck_assert_uint_eq(h.n_frames, 1);
    ck_assert_mem_eq(h.psdu, psdu, LEN);
    ck_assert(isnan(h.frame.noise_db[0]) && isnan(h.frame.noise_db[32]));
    for (int k = 1; k <= 28; k++)
        ck_assert(k == TONE || isnan(h.frame.noise_db[k]) || h.frame.noise_db[k] < h.frame.noise_db[TONE] - 6.0f);
    free(x);
    w->close(d);
    free(h.memory);
}
END_TEST

/* liquid's own receiver reads our frames: this is its ofdmflexframe. */
static int stock_callback(unsigned char *header, int header_ok, unsigned char *payload, unsigned len, int payload_ok,
                          framesyncstats_s stats, void *ctx)
{
    (void)header;
    (void)payload_ok;
    (void)stats;
    struct heard *h = ctx;
    h->n_frames += header_ok != 0;
    if (header_ok)
        memcpy(h->psdu, payload, len < sizeof h->psdu ? len : sizeof h->psdu);
    return 0;
}

START_TEST(the_librarys_own_receiver_reads_our_frames)
{
    const struct phy_waveform *w = phy_waveform_flex();
    struct heard h = {0}, stock = {0};
    struct phy_waveform_demod *d = open_flex(&h);
    unsigned char types[PHY_FLEX_N_FFT];
    phy_flex_subcarriers(types);
    ofdmflexframesync sync = ofdmflexframesync_create(PHY_FLEX_N_FFT, PHY_FLEX_CP, PHY_FLEX_TAPER, types, stock_callback, &stock);
    ofdmflexframesync_set_header_len(sync, PHY_FLEX_USER_HEADER_BYTES);
    float complex *x = calloc(CAP, sizeof *x);
    uint8_t psdu[300];
    fill_psdu(psdu, sizeof psdu, 6);
    for (unsigned rate = 0; rate < w->n_rates; rate++) {
        memset(x, 0, CAP * sizeof *x);
        long n = w->modulate(d, psdu, sizeof psdu, rate, x + 64, CAP - 64);
        ofdmflexframesync_reset(sync);
        ofdmflexframesync_execute(sync, x, (unsigned)n + 200);
        ck_assert_uint_eq(stock.n_frames, rate + 1);
        ck_assert_mem_eq(stock.psdu, psdu, sizeof psdu);
    }
    ofdmflexframesync_destroy(sync);
    free(x);
    w->close(d);
    free(h.memory);
}
END_TEST

/* A stranger's frame that asks for a convolutional code, which this build of the library cannot make. */
START_TEST(headers_that_ask_for_other_schemes_are_refused)
{
    struct phy_flex_header header;
    const uint8_t good[PHY_FLEX_HEADER_BYTES] = {0, 97, 105, 0, 102, LIQUID_MODEM_QPSK, LIQUID_FEC_GOLAY2412 | LIQUID_CRC_NONE << 5,
                                                 LIQUID_FEC_NONE};
    ck_assert(phy_flex_read_header(good, &header));
    ck_assert_uint_eq(header.psdu_len, 97);
    ck_assert_uint_eq(header.rate_index, 1);
    for (size_t i = 0; i < PHY_FLEX_HEADER_BYTES; i++) {
        for (unsigned v = 0; v < 256; v++) {
            uint8_t bad[PHY_FLEX_HEADER_BYTES];
            memcpy(bad, good, sizeof bad);
            bad[i] = (uint8_t)v;
            bool same_padding = i == 1 && v > 96 && v <= 102;
            bool unused_bits = i == 7 && (v & 31) == LIQUID_FEC_NONE;
            ck_assert(phy_flex_read_header(bad, &header) == (v == good[i] || same_padding || unused_bits));
        }
    }
}
END_TEST

START_TEST(a_frame_of_a_strangers_scheme_ends_as_a_bad_header)
{
    const struct phy_waveform *w = phy_waveform_flex();
    struct heard h = {0};
    struct phy_waveform_demod *d = open_flex(&h);
    unsigned char types[PHY_FLEX_N_FFT];
    phy_flex_subcarriers(types);
    ofdmflexframegenprops_s props = {.check = LIQUID_CRC_16, .fec0 = LIQUID_FEC_HAMMING74, .fec1 = LIQUID_FEC_NONE,
                                     .mod_scheme = LIQUID_MODEM_QPSK};
    ofdmflexframegen gen = ofdmflexframegen_create(PHY_FLEX_N_FFT, PHY_FLEX_CP, PHY_FLEX_TAPER, types, &props);
    ofdmflexframegen_set_header_len(gen, PHY_FLEX_USER_HEADER_BYTES);
    uint8_t psdu[120];
    fill_psdu(psdu, sizeof psdu, 7);
    ofdmflexframegen_assemble(gen, psdu, psdu, sizeof psdu);
    float complex *x = calloc(CAP, sizeof *x);
    ofdmflexframegen_write(gen, x + 64, 10000);
    w->execute(d, x, 10200);
    ck_assert_uint_eq(h.n_locks, 1);
    ck_assert_uint_eq(h.n_frames, 1);
    ck_assert(!h.frame.header_ok);
    send_over(d, &h, 300, 99, 1, 0.0, 30.0, 9); /* and it listens again */
    ck_assert_uint_eq(h.n_frames, 2);
    ck_assert(h.frame.header_ok);
    ofdmflexframegen_destroy(gen);
    free(x);
    w->close(d);
    free(h.memory);
}
END_TEST

START_TEST(it_recovers_from_resets_in_mid_frame_and_from_garbage)
{
    const struct phy_waveform *w = phy_waveform_flex();
    struct heard h = {0};
    struct phy_waveform_demod *d = open_flex(&h);
    float complex *x = calloc(CAP, sizeof *x);
    uint8_t psdu[200];
    fill_psdu(psdu, sizeof psdu, 8);
    uint64_t state = 1;
    for (unsigned k = 0; k < 60; k++) {
        memset(x, 0, CAP * sizeof *x);
        long n = w->modulate(d, psdu, sizeof psdu, k % w->n_rates, x + 100, CAP - 100);
        size_t n_cut = 100 + link_random(&state) % (size_t)n;
        if (k % 3 == 1) /* a preamble, then loud noise instead of the body */
            link_add_noise(x + 360, (size_t)n, 20.0, k);
        if (k % 3 == 2) /* steps over the whole range of floats that the machine lets through */
            for (size_t i = 0; i < (size_t)n; i++)
                x[i] = (float)ldexp((double)(link_random(&state) % 256) - 128.0, (int)(link_random(&state) % 140) - 120);
        w->execute(d, x, n_cut);
        w->reset(d);
        unsigned n_before = h.n_frames;
        h.base = 0;
        send_over(d, &h, 200, sizeof psdu, k % w->n_rates, 2e-4, 30.0, 8);
        ck_assert_uint_eq(h.n_frames, n_before + 1);
        ck_assert(h.frame.header_ok);
        ck_assert_uint_eq(h.frame.psdu_len, sizeof psdu);
    }
    free(x);
    w->close(d);
    free(h.memory);
}
END_TEST

START_TEST(waveforms_are_found_by_name)
{
    ck_assert_ptr_eq(phy_waveform_find("flex"), phy_waveform_flex());
    ck_assert_ptr_null(phy_waveform_find("other"));
    ck_assert_ptr_null(phy_waveform_find(""));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("flex");
    tcase_add_test(tcase, modulate_writes_as_many_samples_as_announced_at_every_length_and_rate);
    tcase_add_test(tcase, preamble_header_and_body_have_mean_power_one);
    tcase_add_test(tcase, the_same_frame_has_the_same_samples_whatever_was_sent_before);
    tcase_add_test(tcase, frames_come_back_with_exact_stamps_and_delays);
    tcase_add_test(tcase, noise_per_subcarrier_shows_where_a_tone_sits);
    tcase_add_test(tcase, the_librarys_own_receiver_reads_our_frames);
    tcase_add_test(tcase, headers_that_ask_for_other_schemes_are_refused);
    tcase_add_test(tcase, a_frame_of_a_strangers_scheme_ends_as_a_bad_header);
    tcase_add_test(tcase, it_recovers_from_resets_in_mid_frame_and_from_garbage);
    tcase_add_test(tcase, waveforms_are_found_by_name);
    suite_add_tcase(suite, tcase);
}
