#define SUITE_NAME "phy machine"
#include <errno.h>

#include "phy/crc.h"
#include "phy/sensing/energy.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/link.h"

enum { MAX_TOTAL = 200000, MAX_KEPT = 400 };

/* What a test keeps of a signal: the frame's pointers end with the step. */
struct kept {
    struct phy_signal signal;
    uint32_t psdu_crc, noise_crc;
};

struct log {
    size_t n;
    struct kept kept[MAX_KEPT];
};

static void keep(struct log *log, const struct phy_update *update)
{
    for (size_t i = 0; i < update->n_signals; i++) {
        ck_assert(log->n < MAX_KEPT);
        struct kept *k = &log->kept[log->n++];
        k->signal = update->signals[i];
        if (k->signal.kind == PHY_FRAME) {
            k->psdu_crc = phy_crc32(k->signal.frame.psdu, k->signal.frame.psdu_len);
            k->noise_crc = k->signal.frame.noise_db ? phy_crc32((const uint8_t *)k->signal.frame.noise_db, 256) : 0;
            k->signal.frame.psdu = NULL;
            k->signal.frame.noise_db = NULL;
        }
        if (log->n > 1)
            ck_assert_uint_ge(k->signal.sample, log->kept[log->n - 2].signal.sample);
    }
}

static struct log *run_samples(struct link_phy *l, const float complex *x, size_t total, size_t max_cut, uint64_t seed)
{
    static struct phy_update update;
    struct log *log = calloc(1, sizeof *log);
    for (size_t at = 0; at < total;) {
        size_t n = max_cut > 1 ? 1 + link_random(&seed) % max_cut : 1;
        n = n < total - at ? n : total - at;
        link_samples(l, x + at, n, &update);
        keep(log, &update);
        at += n;
    }
    return log;
}

static const struct phy_signal *find(const struct log *log, enum phy_signal_kind kind, size_t index)
{
    for (size_t i = 0; i < log->n; i++)
        if (log->kept[i].signal.kind == kind && index-- == 0)
            return &log->kept[i].signal;
    return NULL;
}

static size_t count(const struct log *log, enum phy_signal_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < log->n; i++)
        n += log->kept[i].signal.kind == kind;
    return n;
}

/* Noise at -80 dBFS and three frames at SNR 20, one of them cut to pieces by a burst. */
static float complex *make_scene(size_t *total_out)
{
    float complex *x = calloc(MAX_TOTAL, sizeof *x);
    size_t at = 1234;
    at += link_add_frame(x + at, 300, 1, 1e-3f, 1) + 777;
    size_t jammed = at;
    at += link_add_frame(x + at, 500, 2, 1e-3f, 2) + 1555;
    at += link_add_frame(x + at, 50, 0, 1e-3f, 3) + 2000;
    link_add_noise(x + jammed + 700, 800, -57.0, 4);
    link_add_noise(x, at, -80.0, 5);
    x[3000] = NAN;
    x[3001] = INFINITY + 0.0f * I;
    *total_out = at;
    return x;
}

START_TEST(signals_do_not_depend_on_how_samples_are_cut)
{
    size_t total;
    float complex *x = make_scene(&total);
    struct phy_config cfg = link_config();
    cfg.first_sample = UINT64_C(987654321);
    struct log *reference = NULL;
    const size_t cuts[] = {4096, 1, 50, 300, 1000, 4096, 17, 2500};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct link_phy l = link_open(&cfg);
        static struct phy_update update;
        struct phy_event sense = {.kind = PHY_EV_SENSE, .sense = {cfg.first_sample + 333, 5001, 1e-3}};
        ck_assert_int_eq(phy_step(l.phy, &sense, &update), 0);
        struct log *log = run_samples(&l, x, total, cuts[i], i);
        if (!reference) {
            reference = log;
            ck_assert_uint_eq(count(log, PHY_FRAME), 3);
            ck_assert_uint_eq(count(log, PHY_SENSED), 1);
            ck_assert_uint_ge(count(log, PHY_CCA_BUSY), 3);
            struct phy_stats stats;
            phy_stats(l.phy, &stats);
            ck_assert_uint_eq(stats.n_nan_samples, 2);
            ck_assert_uint_eq(stats.n_samples, total);
        } else {
            ck_assert_uint_eq(log->n, reference->n);
            ck_assert_mem_eq(log->kept, reference->kept, log->n * sizeof *log->kept);
            free(log);
        }
        link_close(&l);
    }
    free(reference);
    free(x);
}
END_TEST

START_TEST(a_frame_reports_its_level_offset_and_quality)
{
    struct phy_config cfg = link_config();
    for (unsigned k = 0; k < 8; k++) {
        float complex *x = calloc(MAX_TOTAL, sizeof *x);
        size_t n = link_add_frame(x + 1000, 700, 1, 0.01f, k);
        double cfo = 1000.0 * ((double)k - 4.0);
        for (size_t i = 0; i < n; i++)
            x[1000 + i] *= (float complex)cexp(2.0 * I * acos(-1.0) * fmod(cfo / LINK_FS * (double)i, 1.0));
        double snr_db = 10.0 + 2.0 * k; /* the frame stands at -40 dBFS */
        cfg.noise_dbfs = -40.0 - snr_db;
        link_add_noise(x, n + 3000, cfg.noise_dbfs, k);
        struct link_phy l = link_open(&cfg);
        struct log *log = run_samples(&l, x, n + 3000, 4096, k);
        const struct phy_signal *s = find(log, PHY_FRAME, 0);
        ck_assert_ptr_nonnull(s);
        ck_assert_uint_eq(count(log, PHY_FRAME), 1);
        ck_assert(s->frame.fcs_ok && s->frame.header_ok);
        ck_assert_uint_eq(s->frame.psdu_len, 700);
        ck_assert_uint_eq(s->frame.rate_kbps, 6000);
        ck_assert_uint_eq(s->frame.start_sample, 1000);
        ck_assert_uint_eq(s->frame.end_sample, 1000 + n);
        ck_assert_uint_ge(s->sample, s->frame.end_sample);
        double rssi = 10.0 * log10(1e-4 + pow(10.0, cfg.noise_dbfs / 10.0));
        ck_assert_double_eq_tol(s->frame.rssi_dbfs, rssi, 0.15);
        ck_assert_double_eq_tol(s->frame.head_dbfs, rssi, 0.7);
        ck_assert_double_eq_tol(s->frame.snr_db, snr_db, 0.2);
        ck_assert_double_eq_tol(s->frame.evm_db, -snr_db, 1.0);
        ck_assert_double_eq_tol(s->frame.cfo_hz, cfo, 1500.0);
        ck_assert_int_eq(s->frame.rise_samples, -1);
        free(log);
        free(x);
        link_close(&l);
    }
}
END_TEST

START_TEST(a_burst_within_a_frame_shows_as_a_rise_at_its_place)
{
    struct phy_config cfg = link_config();
    for (unsigned k = 0; k < 12; k++) {
        float complex *x = calloc(MAX_TOTAL, sizeof *x);
        size_t n = link_add_frame(x + 1000, 400, 1, 1e-3f, k);
        size_t jam_at = 280 + 90 * k, jam_len = k % 2 ? 1500 : 600;
        link_add_noise(x + 1000 + jam_at, jam_len, -57.0, 100 + k); /* 3 dB above the frame */
        link_add_noise(x, n + 3000, -80.0, k);
        struct link_phy l = link_open(&cfg);
        struct log *log = run_samples(&l, x, n + 3000, 4096, k);
        const struct phy_signal *s = find(log, PHY_FRAME, 0);
        ck_assert_ptr_nonnull(s);
        ck_assert(!s->frame.fcs_ok);
        ck_assert_int_ge(s->frame.rise_samples, (int64_t)jam_at - 80);
        ck_assert_int_le(s->frame.rise_samples, (int64_t)jam_at + 160);
        ck_assert_double_ge(s->frame.rise_db, 3.5);
        ck_assert_double_le(s->frame.rise_db, 6.5);
        free(log);
        free(x);
        link_close(&l);
    }
}
END_TEST

START_TEST(clean_frames_rarely_seem_to_rise)
{
    struct phy_config cfg = link_config();
    unsigned n_frames = 0, n_rises = 0;
    for (unsigned k = 0; k < 400; k++) {
        float complex *x = calloc(MAX_TOTAL, sizeof *x);
        double snr_db = 2.0 + (double)(k % 20);
        size_t n = link_add_frame(x + 1000 + k % 80, 20 + 3 * k, k % 4, (float)pow(10.0, (snr_db - 80.0) / 20.0), k);
        link_add_noise(x, n + 2000, -80.0, k);
        struct link_phy l = link_open(&cfg);
        struct log *log = run_samples(&l, x, n + 2000, 4096, k);
        for (size_t i = 0; i < count(log, PHY_FRAME); i++) {
            n_frames++;
            n_rises += find(log, PHY_FRAME, i)->frame.rise_samples >= 0;
        }
        free(log);
        free(x);
        link_close(&l);
    }
    printf("%u frames at 2 to 21 dB, %u with a rise\n", n_frames, n_rises);
    ck_assert_uint_ge(n_frames, 390);
    ck_assert_uint_le(n_rises, 1);
}
END_TEST

START_TEST(energy_cca_follows_the_blocks)
{
    struct phy_config cfg = link_config();
    cfg.cca_samples = 50;
    struct link_phy l = link_open(&cfg);
    float complex *x = calloc(MAX_TOTAL, sizeof *x);
    for (size_t i = 1010; i < 1990; i++) /* strong from within block [1000, 1050) to within [1950, 2000) */
        x[i] = 0.001f;
    link_add_noise(x, 4000, -80.0, 1);
    struct log *log = run_samples(&l, x, 4000, 333, 1);
    ck_assert_uint_eq(count(log, PHY_CCA_BUSY), 1);
    ck_assert_uint_eq(count(log, PHY_CCA_IDLE), 1);
    ck_assert_uint_eq(find(log, PHY_CCA_BUSY, 0)->sample, 1050);
    ck_assert_uint_eq(find(log, PHY_CCA_IDLE, 0)->sample, 2050);
    ck_assert_double_eq_tol(find(log, PHY_CCA_BUSY, 0)->power_dbfs, -60.0 + 10.0 * log10(40.0 / 50.0), 0.8);
    free(log);
    free(x);
    link_close(&l);
}
END_TEST

START_TEST(the_medium_is_busy_within_the_announced_delay)
{
    struct phy_config cfg = link_config();
    uint64_t worst = 0;
    for (unsigned k = 0; k < 80; k++) {
        struct link_phy l = link_open(&cfg);
        float complex *x = calloc(MAX_TOTAL, sizeof *x);
        size_t n = link_add_frame(x + 1000 + k, 30, 0, 1e-3f, k);
        link_add_noise(x, n + 2000, -80.0, k);
        struct log *log = run_samples(&l, x, n + 2000, 4096, 1);
        uint64_t delay = find(log, PHY_CCA_BUSY, 0)->sample - 1000 - k;
        worst = delay > worst ? delay : worst;
        free(log);
        free(x);
        link_close(&l);
    }
    printf("busy at most %llu samples after the frame's first\n", (unsigned long long)worst);
    ck_assert_uint_le(worst, cfg.waveform->cca_delay_samples);
}
END_TEST

START_TEST(a_skip_ends_lock_and_busy_medium_and_spoils_the_window)
{
    struct phy_config cfg = link_config();
    struct link_phy l = link_open(&cfg);
    static struct phy_update update;
    float complex *x = calloc(MAX_TOTAL, sizeof *x);
    link_add_frame(x + 500, 800, 1, 1e-3f, 1);
    link_add_noise(x, 10000, -80.0, 1);
    struct phy_event sense = {.kind = PHY_EV_SENSE, .sense = {1900, 500, 1e-3}};
    ck_assert_int_eq(phy_step(l.phy, &sense, &update), 0);
    struct log *log = run_samples(&l, x, 2000, 4096, 1);
    ck_assert_uint_eq(count(log, PHY_LOCK), 1);
    struct phy_event skip = {.kind = PHY_EV_SKIP, .skip = {150}};
    ck_assert_int_eq(phy_step(l.phy, &skip, &update), 0);
    ck_assert_uint_eq(update.n_signals, 2);
    ck_assert_int_eq(update.signals[0].kind, PHY_CCA_IDLE);
    ck_assert_uint_eq(update.signals[0].sample, 2000);
    ck_assert_int_eq(update.signals[1].kind, PHY_FRAME);
    ck_assert(!update.signals[1].frame.header_ok && !update.signals[1].frame.fcs_ok);
    ck_assert_uint_eq(update.signals[1].frame.end_sample, 2000);
    struct log *after = run_samples(&l, x + 2150, 5000, 4096, 1);
    ck_assert_uint_eq(count(after, PHY_SENSED), 0);
    ck_assert_uint_eq(count(after, PHY_CCA_BUSY), 1); /* the rest of the frame */
    ck_assert_uint_eq(find(after, PHY_CCA_BUSY, 0)->sample, 2200); /* the first whole block after the skip */
    struct phy_stats stats;
    phy_stats(l.phy, &stats);
    ck_assert_uint_eq(stats.n_sense_spoiled, 1);
    ck_assert_uint_eq(stats.n_aborted, 1);
    ck_assert_uint_eq(stats.n_skipped, 150);
    free(log);
    free(after);
    free(x);
    link_close(&l);
}
END_TEST

START_TEST(a_transmission_appends_the_fcs_and_is_done_at_its_end)
{
    struct phy_config cfg = link_config();
    struct link_phy l = link_open(&cfg), receiver = link_open(&cfg);
    static struct phy_update update;
    const uint8_t mpdu[100] = {1, 2, 3};
    struct phy_event event = {.kind = PHY_EV_TRANSMIT, .transmit = {500, mpdu, sizeof mpdu, 2}};
    ck_assert_int_eq(phy_step(l.phy, &event, &update), 0);
    ck_assert_uint_eq(update.burst_len, cfg.waveform->frame_samples(sizeof mpdu + 4, 2));
    size_t n = update.burst_len;
    float complex *x = calloc(n + 1000, sizeof *x);
    memcpy(x + 500, update.burst, n * sizeof *x);
    link_add_noise(x, n + 1000, -30.0, 1);
    ck_assert_int_eq(phy_step(l.phy, &event, &update), -EBADMSG); /* one at a time */
    struct phy_event withdraw = {.kind = PHY_EV_WITHDRAW};
    ck_assert_int_eq(phy_step(l.phy, &withdraw, &update), 0);
    ck_assert_int_eq(phy_step(l.phy, &withdraw, &update), -EBADMSG); /* nothing left to withdraw */
    ck_assert_int_eq(phy_step(l.phy, &event, &update), 0);
    struct phy_event skip = {.kind = PHY_EV_SKIP, .skip = {500 + n - 1}};
    ck_assert_int_eq(phy_step(l.phy, &skip, &update), 0);
    ck_assert_uint_eq(update.n_signals, 0);
    skip.skip.n = 100;
    ck_assert_int_eq(phy_step(l.phy, &skip, &update), 0);
    ck_assert_uint_eq(update.n_signals, 1);
    ck_assert_int_eq(update.signals[0].kind, PHY_TX_DONE);
    ck_assert_uint_eq(update.signals[0].sample, 500 + n);

    link_samples(&receiver, x, n + 1000, &update);
    bool found = false;
    for (size_t i = 0; i < update.n_signals; i++) {
        const struct phy_signal *s = &update.signals[i];
        if (s->kind != PHY_FRAME)
            continue;
        found = true;
        ck_assert(s->frame.fcs_ok);
        ck_assert_uint_eq(s->frame.psdu_len, sizeof mpdu + 4);
        ck_assert_mem_eq(s->frame.psdu, mpdu, sizeof mpdu);
        uint32_t crc = phy_crc32(mpdu, sizeof mpdu);
        for (size_t b = 0; b < 4; b++)
            ck_assert_uint_eq(s->frame.psdu[sizeof mpdu + b], (crc >> (8 * b)) & 255);
    }
    ck_assert(found);
    free(x);
    link_close(&l);
    link_close(&receiver);
}
END_TEST

START_TEST(malformed_events_are_refused_and_counted)
{
    struct phy_config cfg = link_config();
    struct link_phy l = link_open(&cfg);
    static struct phy_update update;
    static float complex zeros[PHY_MAX_STEP_SAMPLES + 1];
    static uint8_t mpdu[PHY_MAX_PSDU_BYTES];
    link_samples(&l, zeros, 100, &update);
    const struct phy_event bad[] = {
        {.kind = PHY_EV_SAMPLES, .samples = {NULL, 5}},
        {.kind = PHY_EV_TRANSMIT, .transmit = {99, mpdu, 10, 0}},
        {.kind = PHY_EV_TRANSMIT, .transmit = {100, NULL, 10, 0}},
        {.kind = PHY_EV_TRANSMIT, .transmit = {100, mpdu, 0, 0}},
        {.kind = PHY_EV_TRANSMIT, .transmit = {100, mpdu, PHY_MAX_PSDU_BYTES - 3, 0}},
        {.kind = PHY_EV_TRANSMIT, .transmit = {100, mpdu, 10, 99}},
        {.kind = PHY_EV_SENSE, .sense = {99, 10, 0.1}},
        {.kind = PHY_EV_SENSE, .sense = {100, 0, 0.1}},
        {.kind = PHY_EV_SENSE, .sense = {100, 10, 0.0}},
        {.kind = PHY_EV_SENSE, .sense = {100, 10, NAN}},
        {.kind = (enum phy_event_kind)77},
    };
    size_t n_bad = sizeof bad / sizeof *bad;
    for (size_t i = 0; i < n_bad; i++)
        ck_assert_int_eq(phy_step(l.phy, &bad[i], &update), -EBADMSG);
    struct phy_event sense = {.kind = PHY_EV_SENSE, .sense = {100, 10, 0.1}};
    ck_assert_int_eq(phy_step(l.phy, &sense, &update), 0);
    ck_assert_int_eq(phy_step(l.phy, &sense, &update), -EBADMSG);
    struct phy_event large = {.kind = PHY_EV_SAMPLES, .samples = {zeros, PHY_MAX_STEP_SAMPLES + 1}};
    ck_assert_int_eq(phy_step(l.phy, &large, &update), -EAGAIN);
    struct phy_stats stats;
    phy_stats(l.phy, &stats);
    ck_assert_uint_eq(stats.n_bad_events, n_bad + 1);
    ck_assert_uint_eq(stats.n_samples, 100);
    link_close(&l);
}
END_TEST

START_TEST(unusable_configurations_name_their_field)
{
    struct phy_config cfg = link_config();
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    void *mem = aligned_alloc(64, len);
    struct phy *phy;
    const char *bad_field;
    struct phy_config bad[6] = {cfg, cfg, cfg, cfg, cfg, cfg};
    const char *fields[] = {"waveform", "sample_rate_hz", "noise_dbfs", "cca_energy_db", "cca_samples", "squelch_db"};
    bad[0].waveform = NULL;
    bad[1].sample_rate_hz = 0;
    bad[2].noise_dbfs = NAN;
    bad[3].cca_energy_db = -1.0;
    bad[4].cca_samples = 31;
    bad[5].squelch_db = NAN;
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(phy_init(mem, len, &bad[i], &phy, &bad_field), -EINVAL);
        ck_assert_str_eq(bad_field, fields[i]);
    }
    free(mem);
}
END_TEST

/* The worst that a step of full length can bring: alternating blocks, noise bursts of every level, nothing finite. */
START_TEST(no_input_overruns_a_step)
{
    struct phy_config cfg = link_config();
    cfg.cca_samples = 32;
    struct link_phy l = link_open(&cfg);
    static struct phy_update update;
    static float complex x[PHY_MAX_STEP_SAMPLES];
    uint64_t state = 3;
    size_t most = 0;
    for (unsigned k = 0; k < 120; k++) {
        for (size_t i = 0; i < PHY_MAX_STEP_SAMPLES; i++) {
            uint32_t bits[2] = {(uint32_t)link_random(&state) << 1, (uint32_t)link_random(&state) << 1};
            if (k % 2)
                memcpy(&x[i], bits, sizeof bits);
            else
                x[i] = (i / 32) % 2 ? 1.0f : 0.0f;
        }
        link_samples(&l, x, PHY_MAX_STEP_SAMPLES, &update);
        most = update.n_signals > most ? update.n_signals : most;
    }
    ck_assert_uint_ge(most, PHY_MAX_STEP_SAMPLES / 32 - 1);
    link_close(&l);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("machine");
    tcase_add_test(tcase, signals_do_not_depend_on_how_samples_are_cut);
    tcase_add_test(tcase, a_frame_reports_its_level_offset_and_quality);
    tcase_add_test(tcase, a_burst_within_a_frame_shows_as_a_rise_at_its_place);
    tcase_add_test(tcase, clean_frames_rarely_seem_to_rise);
    tcase_add_test(tcase, energy_cca_follows_the_blocks);
    tcase_add_test(tcase, the_medium_is_busy_within_the_announced_delay);
    tcase_add_test(tcase, a_skip_ends_lock_and_busy_medium_and_spoils_the_window);
    tcase_add_test(tcase, a_transmission_appends_the_fcs_and_is_done_at_its_end);
    tcase_add_test(tcase, malformed_events_are_refused_and_counted);
    tcase_add_test(tcase, unusable_configurations_name_their_field);
    tcase_add_test(tcase, no_input_overruns_a_step);
    suite_add_tcase(suite, tcase);
}
