#define SUITE_NAME "wifi receiver"
#include <stdio.h>

#include "phy/phy.h"
#include "phy/waveform.h"
#include "phy/wifi/modulate.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/wifi_link.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* of the sanitizers' run-time library; not every compiler ships the header */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t), void (*on_free)(const volatile void *));

static size_t n_allocations;

static void on_malloc(const volatile void *p, size_t len)
{
    (void)p, (void)len;
    n_allocations++;
}

static void on_free(const volatile void *p)
{
    (void)p;
}

static void count_allocations(void)
{
    (void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
extern void *__libc_malloc(size_t len);

static size_t n_allocations;

void *malloc(size_t len)
{
    n_allocations++;
    return __libc_malloc(len);
}

static void count_allocations(void)
{
}
#endif

enum { FS = 20000000, MAX_FRAMES = 400, MAX_SIGNALS = 2000, MAX_SAMPLES = 1 << 20 };

struct kept_frame {
    struct phy_frame frame;
    uint64_t sample;
    uint32_t psdu_crc, noise_crc;
};

struct scene {
    float complex *x;
    size_t n;
    struct kept_frame frames[MAX_FRAMES];
    size_t n_frames, n_locks;
    uint64_t locks[MAX_FRAMES];
    struct phy_stats stats;
};

/* What was sent. */
struct sent {
    uint64_t at;
    size_t len, n;
    unsigned rate;
    uint64_t seed;
};

static struct scene *make_scene(void)
{
    struct scene *s = calloc(1, sizeof *s);
    s->x = calloc(MAX_SAMPLES, sizeof *s->x);
    return s;
}

static void free_scene(struct scene *s)
{
    free(s->x);
    free(s);
}

static struct sent put(struct scene *s, uint64_t at, size_t len, unsigned rate, double gain, uint64_t seed)
{
    static uint8_t psdu[PHY_WIFI_MAX_PSDU];
    static float complex frame[120000];
    wifi_draw_psdu(psdu, len, seed);
    size_t n = wifi_put_frame(frame, psdu, len, rate);
    wifi_turn(frame, n, gain, 1e-3 * (double)(seed % 13) - 6e-3, (double)seed);
    ck_assert_uint_le(at + n, MAX_SAMPLES);
    for (size_t i = 0; i < n; i++)
        s->x[at + i] += frame[i];
    if (at + n > s->n)
        s->n = at + n;
    return (struct sent){at, len, n, rate, seed};
}

static bool is_frame(const struct kept_frame *k, const struct sent *sent)
{
    static uint8_t psdu[PHY_WIFI_MAX_PSDU];
    wifi_draw_psdu(psdu, sent->len, sent->seed);
    return k->frame.fcs_ok && k->frame.psdu_len == sent->len && k->psdu_crc == phy_crc32(psdu, sent->len) &&
           k->frame.start_sample + 8 >= sent->at && k->frame.start_sample <= sent->at + 8;
}

static size_t count_received(const struct scene *s, const struct sent *sent, size_t n)
{
    size_t n_good = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s->n_frames; k++)
            if (is_frame(&s->frames[k], &sent[i])) {
                n_good++;
                break;
            }
    return n_good;
}

static struct phy_config make_config(double noise_dbfs)
{
    return (struct phy_config){.waveform = phy_waveform_wifi(), .sample_rate_hz = FS, .noise_dbfs = noise_dbfs, .cca_energy_db = 6.0,
                               .cca_samples = 40};
}

static void keep(struct scene *s, const struct phy_update *update)
{
    for (size_t i = 0; i < update->n_signals; i++) {
        const struct phy_signal *signal = &update->signals[i];
        if (signal->kind == PHY_LOCK) {
            ck_assert_uint_eq(s->n_locks, s->n_frames); /* locks and frames take turns */
            ck_assert_uint_lt(s->n_locks, MAX_FRAMES);
            s->locks[s->n_locks++] = signal->sample;
        }
        if (signal->kind != PHY_FRAME)
            continue;
        ck_assert_uint_eq(s->n_locks, s->n_frames + 1);
        struct kept_frame *k = &s->frames[s->n_frames++];
        memset(k, 0, sizeof *k);
        k->frame = signal->frame;
        k->sample = signal->sample;
        k->psdu_crc = phy_crc32(signal->frame.psdu, signal->frame.psdu_len);
        k->noise_crc = signal->frame.noise_db ? phy_crc32((const uint8_t *)signal->frame.noise_db, 256) : 0;
        k->frame.psdu = NULL;
        k->frame.noise_db = NULL;
    }
}

static void receive_cut(struct scene *s, const struct phy_config *cfg, size_t max_cut, uint64_t seed)
{
    static struct phy_update update;
    const char *bad_field;
    struct phy *phy;
    size_t len = (phy_bytes(cfg) + 63) / 64 * 64;
    void *mem = aligned_alloc(64, len);
    ck_assert_int_eq(phy_init(mem, len, cfg, &phy, &bad_field), 0);
    s->n_frames = s->n_locks = 0;
    for (size_t at = 0; at < s->n;) {
        size_t n = max_cut > 1 ? 1 + wifi_random(&seed) % max_cut : 1;
        n = n < s->n - at ? n : s->n - at;
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {s->x + at, n}};
        ck_assert_int_eq(phy_step(phy, &event, &update), 0);
        keep(s, &update);
        at += n;
    }
    phy_stats(phy, &s->stats);
    phy_close(phy);
    free(mem);
}

/* With noise, and enough of it behind the last frame that the receiver comes to an end. */
static void receive(struct scene *s, double noise_dbfs, uint64_t seed)
{
    struct phy_config cfg = make_config(noise_dbfs);
    s->n += 600;
    ck_assert_uint_le(s->n, MAX_SAMPLES);
    if (noise_dbfs > -200.0)
        wifi_add_noise(s->x, s->n, noise_dbfs, seed);
    receive_cut(s, &cfg, PHY_MAX_STEP_SAMPLES, seed);
}

START_TEST(frames_of_any_length_rate_and_gap_from_6_samples_all_arrive_without_noise)
{
    uint64_t seed = 11;
    for (unsigned round = 0; round < 4; round++) {
        struct scene *s = make_scene();
        struct sent sent[60];
        uint64_t at = 50;
        for (unsigned i = 0; i < 60; i++) {
            size_t len = 5 + wifi_random(&seed) % (i % 10 == 0 ? 1500 : 300);
            sent[i] = put(s, at, len, (unsigned)(wifi_random(&seed) % 8), 0.02 * (double)(1 + wifi_random(&seed) % 20), 60 * round + i);
            at += sent[i].n + 6 + (wifi_random(&seed) % 3 ? 0 : wifi_random(&seed) % 500);
        }
        receive(s, -240.0, 1);
        ck_assert_uint_eq(count_received(s, sent, 60), 60);
        ck_assert_uint_eq(s->n_frames, 60);
        free_scene(s);
    }
}
END_TEST

START_TEST(frames_whose_short_training_field_is_missing_arrive_at_all_rates)
{
    struct scene *s = make_scene();
    struct sent sent[64];
    for (unsigned i = 0; i < 64; i++) {
        sent[i] = put(s, i == 0 ? 300 : sent[i - 1].at + sent[i - 1].n + 40 + 10 * i, 120, i % 8, 0.1, i);
        memset(s->x + sent[i].at, 0, (130 + i % 50) * sizeof *s->x);
    }
    receive(s, -20.0 - 30.0, 4);
    ck_assert_uint_eq(count_received(s, sent, 64), 64);
    ck_assert_uint_eq(s->n_frames, 64);
    free_scene(s);
}
END_TEST

START_TEST(what_is_received_does_not_depend_on_how_samples_are_cut)
{
    struct scene *s = make_scene(), *reference = NULL;
    struct phy_config cfg = make_config(-60.0);
    cfg.first_sample = UINT64_C(987654321);
    put(s, 1234, 300, 2, 0.1, 1);
    put(s, 9000, 20, 0, 0.01, 2);
    put(s, 12000, 700, 7, 0.3, 3);
    put(s, 14100, 100, 1, 0.5, 4);
    put(s, 19000, 1000, 3, 0.004, 5);
    s->n += 1000;
    wifi_add_noise(s->x, s->n, -60.0, 3);
    const size_t cuts[] = {4096, 1, 50, 300, 1000, 17, 2500};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        receive_cut(s, &cfg, cuts[i], i);
        if (!reference) {
            reference = calloc(1, sizeof *reference);
            *reference = *s;
            ck_assert_uint_ge(s->n_frames, 4);
        } else {
            ck_assert_uint_eq(s->n_frames, reference->n_frames);
            ck_assert_mem_eq(s->locks, reference->locks, s->n_locks * sizeof *s->locks);
            ck_assert_mem_eq(s->frames, reference->frames, s->n_frames * sizeof *s->frames);
        }
    }
    free(reference);
    free_scene(s);
}
END_TEST

START_TEST(a_frame_reports_its_level_offset_and_quality)
{
    for (unsigned k = 0; k < 8; k++) {
        struct scene *s = make_scene();
        double snr_db = 10.0 + 3.0 * k;
        struct sent sent = put(s, 1000, 700, 2, 0.01, k);
        receive(s, -40.0 - snr_db, k);
        ck_assert_uint_eq(s->n_frames, 1);
        ck_assert(is_frame(&s->frames[0], &sent));
        const struct phy_frame *f = &s->frames[0].frame;
        double rssi = 10.0 * log10(1e-4 + pow(10.0, -4.0 - snr_db / 10.0));
        ck_assert_uint_le(f->start_sample, 1001);
        ck_assert_uint_ge(f->start_sample, 999);
        ck_assert_uint_eq(f->end_sample, f->start_sample + sent.n);
        ck_assert_uint_ge(s->frames[0].sample, f->end_sample);
        ck_assert_uint_le(s->frames[0].sample, f->end_sample + 80);
        ck_assert_uint_eq(f->rate_kbps, 12000);
        ck_assert_double_eq_tol(f->rssi_dbfs, rssi, 0.2);
        ck_assert_double_eq_tol(f->head_dbfs, rssi, 0.7);
        ck_assert_double_eq_tol(f->snr_db, snr_db, 0.25);
        ck_assert_double_eq_tol(f->evm_db, -snr_db - 10.0 * log10(64.0 / 52.0), 0.6);
        ck_assert_double_eq_tol(f->cfo_hz, FS * (1e-3 * k - 6e-3), 400.0);
        ck_assert_int_eq(f->rise_samples, -1);
        ck_assert_int_eq(f->format, PHY_FORMAT_PLAIN);
        ck_assert_int_ge(f->corrected_bits, 0);
        ck_assert(s->frames[0].noise_crc != 0);
        free_scene(s);
    }
}
END_TEST

START_TEST(every_rate_prints_as_the_standard_names_it_at_20_msps)
{
    struct scene *s = make_scene();
    const uint32_t kbps[] = {6000, 9000, 12000, 18000, 24000, 36000, 48000, 54000};
    for (unsigned i = 0; i < 8; i++)
        put(s, 500 + 4000 * i, 100, i, 0.1, i);
    receive(s, -60.0, 1);
    ck_assert_uint_eq(s->n_frames, 8);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert(s->frames[i].frame.fcs_ok);
        ck_assert_uint_eq(s->frames[i].frame.rate_kbps, kbps[i]);
    }
    free_scene(s);
}
END_TEST

START_TEST(the_longest_frame_that_signal_can_name_arrives)
{
    struct scene *s = make_scene();
    struct sent sent[2] = {put(s, 300, 4095, 0, 0.1, 1), put(s, 111000, 4095, 7, 0.1, 2)};
    receive(s, -55.0, 1);
    ck_assert_uint_eq(count_received(s, sent, 2), 2);
    free_scene(s);
}
END_TEST

START_TEST(a_lock_comes_within_the_promised_delay)
{
    uint64_t seed = 3, worst = 0;
    struct scene *s = make_scene();
    struct sent sent[100];
    for (unsigned i = 0; i < 100; i++)
        sent[i] = put(s, 500 + 2000 * i + wifi_random(&seed) % 400, 14, 2, 0.1, i);
    receive(s, -35.0, 1);
    ck_assert_uint_eq(count_received(s, sent, 100), 100);
    ck_assert_uint_eq(s->n_locks, 100);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_uint_ge(s->locks[i], sent[i].at + 320);
        worst = s->locks[i] - sent[i].at > worst ? s->locks[i] - sent[i].at : worst;
    }
    printf("the slowest of 100 locks came %llu samples after its frame's first\n", (unsigned long long)worst);
    ck_assert_uint_le(worst, phy_waveform_wifi()->lock_delay_samples);
    free_scene(s);
}
END_TEST

START_TEST(a_signal_whose_length_points_past_the_next_frame_hides_nothing)
{
    for (unsigned k = 0; k < 12; k++) {
        struct scene *s = make_scene();
        /* the frame breaks off; the next one follows, stronger, as strong or weaker */
        struct sent first = put(s, 1000, 2000, 0, 0.1, k);
        size_t cut = 1000 + 480 + 131 * k;
        memset(s->x + cut, 0, (first.at + first.n - cut) * sizeof *s->x);
        s->n = cut;
        struct sent second = put(s, cut + 6, 500, 2, k % 3 == 0 ? 0.3 : k % 3 == 1 ? 0.1 : 0.03, 100 + k);
        receive(s, -60.0, k);
        ck_assert_uint_eq(s->n_frames, 2);
        ck_assert(s->frames[0].frame.header_ok && !s->frames[0].frame.fcs_ok);
        ck_assert_uint_eq(s->frames[0].frame.psdu_len, 2000);
        ck_assert_uint_le(s->frames[0].frame.end_sample, second.at + phy_waveform_wifi()->lock_delay_samples);
        ck_assert(is_frame(&s->frames[1], &second));
        free_scene(s);
    }
}
END_TEST

START_TEST(a_stronger_frame_captures_the_receiver)
{
    for (unsigned k = 0; k < 6; k++) {
        struct scene *s = make_scene();
        put(s, 1000, 1500, 1, 0.02, k);
        struct sent second = put(s, 3000 + 77 * k, 300, 1, 0.1, 50 + k);
        receive(s, -60.0, k);
        ck_assert_uint_eq(count_received(s, &second, 1), 1);
        free_scene(s);
    }
}
END_TEST

START_TEST(a_weak_preamble_cannot_kill_a_good_frame)
{
    for (unsigned k = 0; k < 12; k++) {
        struct scene *s = make_scene();
        struct sent first = put(s, 1000, 1500, 0, 0.1, k);
        put(s, 3000 + 177 * k, 200, 2, k % 2 ? 0.03 : 0.05, 50 + k); /* 10 and 6 dB below */
        receive(s, -60.0, k);
        ck_assert_uint_eq(count_received(s, &first, 1), 1);
        free_scene(s);
    }
}
END_TEST

/* Preambles without a frame behind them, then a whole frame, closer and closer. */
START_TEST(it_starts_anew_after_a_false_start)
{
    for (unsigned k = 0; k < 40; k++) {
        struct scene *s = make_scene();
        put(s, 1000, 100, 2, 0.1, 1);
        size_t cut = 1000 + 160 + 8 * k; /* within the long training field, or SIGNAL */
        memset(s->x + cut, 0, (s->n - cut) * sizeof *s->x);
        struct sent second = put(s, cut + 20, 500, 3, 0.1, 100 + k);
        receive(s, -60.0, k);
        ck_assert_msg(count_received(s, &second, 1) == 1, "broken off after %u samples", 160 + 8 * k);
        free_scene(s);
    }
}
END_TEST

START_TEST(direct_current_and_image_do_not_lock)
{
    struct scene *s = make_scene();
    s->n = 100000;
    for (size_t i = 0; i < s->n; i++) {
        float complex tone = (float complex)cexp(2.0 * I * wifi_pi * 0.0371 * (double)i);
        s->x[i] = i < s->n / 2 ? 0.1f + 0.02f * tone + 0.004f * conjf(tone) : 0.5f + 0.5f * (float complex)I;
    }
    receive(s, -60.0, 1);
    ck_assert_uint_eq(s->n_locks, 0);
    free_scene(s);
}
END_TEST

START_TEST(frames_survive_direct_current_and_iq_imbalance)
{
    struct scene *s = make_scene();
    struct sent sent[20];
    for (unsigned i = 0; i < 20; i++)
        sent[i] = put(s, 500 + 9000 * i, 300, i % 5, 0.1, i);
    for (size_t i = 0; i < s->n; i++) /* image at -30 dB, direct current at -15 dB */
        s->x[i] += 0.032f * conjf(s->x[i]) + 0.0178f;
    receive(s, -50.0, 1);
    ck_assert_uint_eq(count_received(s, sent, 20), 20);
    free_scene(s);
}
END_TEST

START_TEST(after_a_skip_in_a_frame_the_next_one_arrives)
{
    struct scene *s = make_scene();
    static struct phy_update update;
    put(s, 500, 1000, 2, 0.1, 1);
    struct sent second = put(s, 15000, 300, 2, 0.1, 2);
    s->n += 600;
    wifi_add_noise(s->x, s->n, -60.0, 1);
    struct phy_config cfg = make_config(-60.0);
    const char *bad_field;
    struct phy *phy;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    void *mem = aligned_alloc(64, len);
    ck_assert_int_eq(phy_init(mem, len, &cfg, &phy, &bad_field), 0);
    for (size_t at = 0; at < s->n; at += 100) {
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {s->x + at, 100}};
        if (at == 3000)
            event = (struct phy_event){.kind = PHY_EV_SKIP, .skip = {100}};
        ck_assert_int_eq(phy_step(phy, &event, &update), 0);
        keep(s, &update);
    }
    ck_assert_uint_eq(s->n_frames, 2);
    const struct phy_frame *cut = &s->frames[0].frame;
    ck_assert(cut->header_ok && !cut->fcs_ok);
    ck_assert_uint_eq(cut->psdu_len, 1000);
    ck_assert_uint_eq(cut->rate_kbps, 12000);
    ck_assert_uint_eq(cut->end_sample, 3000);
    ck_assert(is_frame(&s->frames[1], &second));
    struct phy_stats stats;
    phy_stats(phy, &stats);
    ck_assert_uint_eq(stats.n_locks, 2);
    ck_assert_uint_eq(stats.n_fcs_bad, 1);
    ck_assert_uint_eq(stats.n_frames_ok, 1);
    ck_assert_uint_eq(stats.n_aborted, 0);
    phy_close(phy);
    free(mem);
    free_scene(s);
}
END_TEST

/* Whatever noise_dbfs the machine was given: the frame's own is unbiased, 52 subcarriers spread it by .6 dB. */
START_TEST(a_frame_shows_the_noise_that_it_came_in)
{
    for (int noise_db = -60; noise_db <= -30; noise_db += 15) {
        struct scene *s = make_scene();
        double sum = 0.0;
        for (unsigned k = 0; k < 60; k++)
            put(s, 500 + 3000 * k, 100, 2, 0.1, k);
        s->n += 600;
        wifi_add_noise(s->x, s->n, noise_db, 9);
        receive(s, -100.0, 4096);
        ck_assert_uint_eq(s->n_frames, 60);
        for (unsigned k = 0; k < 60; k++)
            sum += pow(10.0, (s->frames[k].frame.noise_dbfs - noise_db) / 10.0);
        ck_assert_double_eq_tol(sum / 60.0, 1.0, 3.5 / sqrt(52.0 * 60.0));
        free_scene(s);
    }
}
END_TEST

START_TEST(what_it_sends_it_receives)
{
    struct scene *s = make_scene();
    static struct phy_update update;
    struct phy_config cfg = make_config(-60.0);
    const char *bad_field;
    struct phy *phy;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    void *mem = aligned_alloc(64, len);
    ck_assert_int_eq(phy_init(mem, len, &cfg, &phy, &bad_field), 0);
    uint8_t mpdu[PHY_MAX_PSDU_BYTES - 4];
    for (unsigned rate = 0; rate < 8; rate++) {
        wifi_draw_psdu(mpdu, sizeof mpdu, rate);
        struct phy_event event = {.kind = PHY_EV_TRANSMIT, .transmit = {0, mpdu, sizeof mpdu, rate}};
        ck_assert_int_eq(phy_step(phy, &event, &update), 0);
        ck_assert_uint_eq(update.burst_len, phy_wifi_frame_samples(PHY_MAX_PSDU_BYTES, rate));
        memset(s->x, 0, MAX_SAMPLES * sizeof *s->x);
        for (size_t i = 0; i < update.burst_len; i++)
            s->x[777 + i] = 0.1f * update.burst[i];
        s->n = 777 + update.burst_len;
        event = (struct phy_event){.kind = PHY_EV_WITHDRAW};
        ck_assert_int_eq(phy_step(phy, &event, &update), 0);
        receive(s, -60.0, rate);
        ck_assert_uint_eq(s->n_frames, 1);
        ck_assert(s->frames[0].frame.fcs_ok);
    }
    phy_close(phy);
    free(mem);
    free_scene(s);
}
END_TEST

START_TEST(every_simd_level_receives_the_same)
{
    struct scene *s = make_scene(), *reference = calloc(1, sizeof *reference);
    struct phy_config cfg = make_config(-60.0);
    uint64_t at = 300;
    for (unsigned i = 0; i < 16; i++)
        at += put(s, at, 100 + 20 * i, i % 8, i % 3 ? 0.1 : 0.006, i).n + 300;
    s->n += 1000;
    wifi_add_noise(s->x, s->n, -60.0, 3);
    cfg.simd = PHY_SIMD_BASELINE;
    receive_cut(s, &cfg, 4096, 1);
    *reference = *s;
    cfg.simd = PHY_SIMD_AUTO;
    receive_cut(s, &cfg, 4096, 1);
    ck_assert_uint_ge(s->n_frames, 14);
    ck_assert_uint_eq(s->n_frames, reference->n_frames);
    ck_assert_mem_eq(s->frames, reference->frames, s->n_frames * sizeof *s->frames);
    free(reference);
    free_scene(s);
}
END_TEST

START_TEST(nothing_is_allocated_once_it_is_open)
{
    struct scene *s = make_scene();
    static struct phy_update update;
    struct phy_config cfg = make_config(-60.0);
    const char *bad_field;
    struct phy *phy;
    for (unsigned i = 0; i < 20; i++)
        put(s, 500 + 9000 * i, 300, i % 8, 0.1, i);
    wifi_add_noise(s->x, s->n + 600, -60.0, 1);
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    void *mem = aligned_alloc(64, len);
    ck_assert_int_eq(phy_init(mem, len, &cfg, &phy, &bad_field), 0);
    count_allocations();
    void *volatile one = malloc(1);
    free(one);
    ck_assert_uint_gt(n_allocations, 0); /* they are counted */
    size_t n_before = n_allocations;
    for (size_t at = 0; at + 1000 <= s->n + 600; at += 1000) {
        struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {s->x + at, 1000}};
        int err = phy_step(phy, &event, &update);
        if (err)
            ck_abort_msg("refused");
    }
    size_t n_after = n_allocations;
    struct phy_stats stats;
    phy_stats(phy, &stats);
    ck_assert_uint_eq(n_after, n_before);
    ck_assert_uint_eq(stats.n_frames_ok, 20);
    printf("a receiver takes %zu octets\n", phy_bytes(&cfg));
    phy_close(phy);
    free(mem);
    free_scene(s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *c = tcase_create("receiver");
    tcase_add_test(c, frames_of_any_length_rate_and_gap_from_6_samples_all_arrive_without_noise);
    tcase_add_test(c, frames_whose_short_training_field_is_missing_arrive_at_all_rates);
    tcase_add_test(c, what_is_received_does_not_depend_on_how_samples_are_cut);
    tcase_add_test(c, a_frame_reports_its_level_offset_and_quality);
    tcase_add_test(c, every_rate_prints_as_the_standard_names_it_at_20_msps);
    tcase_add_test(c, the_longest_frame_that_signal_can_name_arrives);
    tcase_add_test(c, a_lock_comes_within_the_promised_delay);
    tcase_add_test(c, a_signal_whose_length_points_past_the_next_frame_hides_nothing);
    tcase_add_test(c, a_stronger_frame_captures_the_receiver);
    tcase_add_test(c, a_weak_preamble_cannot_kill_a_good_frame);
    tcase_add_test(c, it_starts_anew_after_a_false_start);
    tcase_add_test(c, direct_current_and_image_do_not_lock);
    tcase_add_test(c, frames_survive_direct_current_and_iq_imbalance);
    tcase_add_test(c, after_a_skip_in_a_frame_the_next_one_arrives);
    tcase_add_test(c, a_frame_shows_the_noise_that_it_came_in);
    tcase_add_test(c, what_it_sends_it_receives);
    tcase_add_test(c, every_simd_level_receives_the_same);
    tcase_add_test(c, nothing_is_allocated_once_it_is_open);
    suite_add_tcase(suite, c);
}
