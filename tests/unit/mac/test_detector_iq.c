/* The detector behind the real receiver: flex frames in noise, jammed or met by other frames, as samples. */
#define SUITE_NAME "mac detector on samples"
#include "tests/unit/check_main.h"

#include "mac/detector.h"
#include "tests/unit/phy/link.h"

enum { GAP = 800, SCENE = 16000, US = LINK_FS / 1000000 };
#define MS INT64_C(1000000)

static const double noise_dbfs = -60, frame_dbfs = -40;

struct bench {
    struct link_phy l;
    struct mac_jam jam;
    uint64_t sample, random;
    unsigned n_sent, n_locks, n_good, n_rises, n_attacks;
    int64_t first_rise_us, last_rise_us;
    struct mac_jam_verdict last;
};

static float complex scene[SCENE], other[SCENE];

static void open_bench(struct bench *b, uint64_t seed)
{
    struct phy_config cfg = link_config();
    cfg.noise_dbfs = noise_dbfs;
    cfg.cca_energy_db = 8;
    cfg.cca_samples = 80;
    struct mac_jam_config jam = {.window_ns = 250 * MS, .min_frames = 6, .noise_dbfs = noise_dbfs, .collision_ns = 26000};
    *b = (struct bench){.l = link_open(&cfg), .random = seed};
    b->first_rise_us = INT64_MAX;
    b->last_rise_us = -1;
    mac_jam_init(&b->jam, &jam, 0);
}

static int64_t sample_ns(uint64_t sample)
{
    return (int64_t)(sample * (1000 / US));
}

static float amplitude(double dbfs)
{
    return (float)pow(10.0, dbfs / 20.0);
}

static void take_frame(struct bench *b, const struct phy_signal *signal, struct mac_jam_observation *seen, struct mac_rx_quality *q)
{
    const struct phy_frame *f = &signal->frame;
    *q = (struct mac_rx_quality){.start_ns = sample_ns(f->start_sample), .end_ns = sample_ns(f->end_sample), .header_ok = f->header_ok,
        .fcs_ok = f->fcs_ok, .rssi_dbfs = f->rssi_dbfs, .head_dbfs = f->head_dbfs, .snr_db = f->snr_db,
        .rise_ns = f->rise_samples < 0 ? -1 : sample_ns((uint64_t)f->rise_samples), .rise_db = f->rise_db};
    seen->kind = MAC_JAM_SEEN_FRAME;
    seen->quality = q;
    b->n_locks++;
    b->n_good += f->fcs_ok;
    if (f->rise_samples < 0 || f->fcs_ok)
        return;
    b->n_rises++;
    b->first_rise_us = q->rise_ns / 1000 < b->first_rise_us ? q->rise_ns / 1000 : b->first_rise_us;
    b->last_rise_us = q->rise_ns / 1000 > b->last_rise_us ? q->rise_ns / 1000 : b->last_rise_us;
}

static void hear_scene(struct bench *b)
{
    static struct phy_update update;
    link_add_noise(scene, SCENE, noise_dbfs, link_random(&b->random));
    for (size_t at = 0; at < SCENE; at += 80) {
        link_samples(&b->l, scene + at, 80, &update);
        for (size_t i = 0; i < update.n_signals; i++) {
            struct mac_rx_quality q;
            struct mac_jam_verdict verdict;
            struct mac_jam_observation seen = {.now_ns = sample_ns(update.signals[i].sample)};
            switch (update.signals[i].kind) {
            case PHY_CCA_BUSY: seen.kind = MAC_JAM_SEEN_BUSY; break;
            case PHY_CCA_IDLE: seen.kind = MAC_JAM_SEEN_IDLE; break;
            case PHY_LOCK: seen.kind = MAC_JAM_SEEN_LOCK; break;
            case PHY_FRAME: take_frame(b, &update.signals[i], &seen, &q); break;
            case PHY_TX_DONE:
            case PHY_SHAPE:
            case PHY_SENSED:
            default: continue;
            }
            if (mac_jam_observe(&b->jam, &seen, &verdict)) {
                b->last = verdict;
                b->n_attacks += mac_jam_is_attack(verdict.kind);
            }
        }
    }
    b->sample += SCENE;
}

static size_t begin_scene(struct bench *b)
{
    memset(scene, 0, sizeof scene);
    size_t len = 100 + link_random(&b->random) % 300;
    b->n_sent++;
    return link_add_frame(scene + GAP + link_random(&b->random) % 80, len, 0, amplitude(frame_dbfs), link_random(&b->random));
}

static void pass(struct bench *b, int64_t ns)
{
    static struct phy_update update;
    struct phy_event event = {.kind = PHY_EV_SKIP, .skip = {(uint64_t)(ns / (1000 / US))}};
    ck_assert_int_eq(phy_step(b->l.phy, &event, &update), 0);
    b->sample += event.skip.n;
}

static void print(const struct bench *b, const char *what)
{
    printf("%s: %u frames, %u locks, %u good, %u bad with a step at %lld..%lld us, %u attacks\n", what, b->n_sent, b->n_locks,
           b->n_good, b->n_rises, (long long)(b->n_rises ? b->first_rise_us : -1), (long long)b->last_rise_us, b->n_attacks);
}

static void attack(uint64_t seed, int64_t react_us, double level_dbfs)
{
    struct bench b;
    open_bench(&b, seed);
    for (int i = 0; i < 8; i++) {
        (void)begin_scene(&b);
        hear_scene(&b);
        pass(&b, 18 * MS);
    }
    ck_assert_uint_eq(b.n_attacks, 0);
    int64_t start_ns = sample_ns(b.sample), verdict_ns = -1;
    b.n_sent = b.n_locks = b.n_good = 0;
    for (int i = 0; i < 14; i++) { /* 50 frames a second are heard */
        (void)begin_scene(&b);
        size_t at = GAP + (size_t)react_us * US + 64 + link_random(&b.random) % 80;
        link_add_noise(scene + at, 400 * US, level_dbfs, link_random(&b.random));
        hear_scene(&b);
        pass(&b, 18 * MS);
        if (verdict_ns < 0 && b.n_attacks > 0)
            verdict_ns = b.last.at_ns - start_ns;
    }
    print(&b, "jammed");
    printf("after %lld us at %.0f dBFS: %s after %lld ms, confidence %u\n", (long long)react_us, level_dbfs,
           mac_jam_kind_name(b.last.kind), (long long)(verdict_ns / MS), b.last.confidence_permille);
    ck_assert_int_eq(b.last.kind, MAC_JAM_REACTIVE);
    ck_assert_uint_eq(b.n_attacks, 1);
    ck_assert_int_le(verdict_ns, 150 * MS);
    link_close(&b.l);
}

START_TEST(a_reactive_jammer_is_named_within_150_ms)
{
    static const int64_t react_us[] = {40, 60, 100, 150};
    static const double level_dbfs[] = {-40, -36, -32, -30};
    for (uint64_t i = 0; i < 4; i++)
        for (uint64_t k = 0; k < 4; k++)
            attack(1 + 4 * i + k, react_us[i], level_dbfs[k]);
}
END_TEST

START_TEST(frames_of_members_that_meet_within_two_slots_are_no_attack)
{
    struct bench b;
    open_bench(&b, 9);
    for (int i = 0; i < 400; i++) {
        (void)begin_scene(&b);
        memset(other, 0, sizeof other);
        (void)link_add_frame(other + GAP, 100 + link_random(&b.random) % 300, 0, amplitude(frame_dbfs + 3 * (double)(i % 4)), link_random(&b.random));
        size_t late = link_random(&b.random) % (16 * US); /* carrier sense takes up to two blocks of 8 us */
        for (size_t k = 0; k + late < SCENE; k++)
            scene[k + late] += other[k];
        hear_scene(&b);
        pass(&b, 3 * MS);
        if (i % 3 == 0) {
            (void)begin_scene(&b);
            hear_scene(&b);
        }
    }
    print(&b, "collisions");
    ck_assert_uint_eq(b.n_attacks, 0);
    link_close(&b.l);
}
END_TEST

START_TEST(frames_in_noise_alone_give_no_opinion)
{
    struct bench b;
    open_bench(&b, 17);
    for (int i = 0; i < 300; i++) {
        (void)begin_scene(&b);
        hear_scene(&b);
        pass(&b, 5 * MS);
    }
    print(&b, "noise");
    ck_assert_uint_eq(b.n_attacks, 0);
    ck_assert_int_eq(b.last.kind, MAC_JAM_NONE);
    ck_assert_uint_eq(b.n_good, 300);
    link_close(&b.l);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("samples");
    tcase_add_test(tc, a_reactive_jammer_is_named_within_150_ms);
    tcase_add_test(tc, frames_of_members_that_meet_within_two_slots_are_no_attack);
    tcase_add_test(tc, frames_in_noise_alone_give_no_opinion);
    suite_add_tcase(suite, tc);
}
