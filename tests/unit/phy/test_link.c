#define SUITE_NAME "phy link"
#include "phy/air/air.h"
#include "tests/unit/check_main.h"
#include "tests/unit/phy/link.h"

enum { N_NODES = 4, STEP = 2000, MAX_BURST = 70000 };

struct net {
    struct phy_air *air;
    void *air_mem;
    struct link_phy nodes[N_NODES];
    uint64_t at;
    float complex burst[MAX_BURST];
    struct phy_update update;
};

struct tally {
    unsigned n_sent, n_due, n_good, n_other;
    int64_t worst_start;
};

static struct net *open_net(double snr_db)
{
    double noise_dbfs[N_NODES], offset_hz[N_NODES];
    struct phy_air_link links[N_NODES * N_NODES];
    struct net *net = calloc(1, sizeof *net);
    for (size_t i = 0; i < N_NODES; i++) {
        noise_dbfs[i] = -80.0;
        offset_hz[i] = -2500.0 + 5000.0 / 3.0 * (double)i; /* up to 5 kHz between two of them */
    }
    for (size_t i = 0; i < N_NODES * N_NODES; i++)
        links[i] = (struct phy_air_link){(float)(snr_db - 80.0), (uint32_t)(i % 5)};
    struct phy_air_config air_cfg = {
        .seed = 42, .n_nodes = N_NODES, .n_channels = 1, .sample_rate_hz = LINK_FS, .noise_dbfs = noise_dbfs,
        .carrier_offset_hz = offset_hz, .links = links, .max_emissions = 8,
    };
    const char *bad_field;
    size_t len = (phy_air_bytes(&air_cfg) + 63) / 64 * 64;
    net->air_mem = aligned_alloc(64, len);
    ck_assert_int_eq(phy_air_init(net->air_mem, len, &air_cfg, &net->air, &bad_field), 0);
    struct phy_config cfg = link_config();
    for (size_t i = 0; i < N_NODES; i++)
        net->nodes[i] = link_open(&cfg);
    return net;
}

static void close_net(struct net *net)
{
    for (size_t i = 0; i < N_NODES; i++)
        link_close(&net->nodes[i]);
    free(net->air_mem);
    free(net);
}

static void tally_frames(struct tally *t, const struct phy_update *update, const uint8_t *mpdu, size_t len, uint64_t start)
{
    for (size_t i = 0; i < update->n_signals; i++) {
        const struct phy_signal *s = &update->signals[i];
        if (s->kind != PHY_FRAME)
            continue;
        if (s->frame.fcs_ok && s->frame.psdu_len == len + 4 && memcmp(s->frame.psdu, mpdu, len) == 0) {
            int64_t off = (int64_t)(s->frame.start_sample - start);
            t->n_good++;
            t->worst_start = llabs(off) > t->worst_start ? llabs(off) : t->worst_start;
        } else {
            t->n_other++;
        }
    }
}

/* One node sends, the others listen until the frame is over. */
static void exchange(struct net *net, struct tally *t, size_t sender, size_t len, unsigned rate, uint64_t *state)
{
    static float complex samples[STEP];
    uint8_t mpdu[PHY_MAX_PSDU_BYTES];
    for (size_t i = 0; i < len; i++)
        mpdu[i] = (uint8_t)link_random(state);
    uint64_t start = net->at + 300 + link_random(state) % 1000;
    struct phy_event transmit = {.kind = PHY_EV_TRANSMIT, .transmit = {start, mpdu, len, rate}};
    ck_assert_int_eq(phy_step(net->nodes[sender].phy, &transmit, &net->update), 0);
    size_t n_burst = net->update.burst_len;
    memcpy(net->burst, net->update.burst, n_burst * sizeof *net->burst);
    ck_assert_int_ge(phy_air_emit(net->air, (uint32_t)sender, 0, start, net->burst, n_burst, 1.0f), 0);
    t->n_sent++;
    t->n_due += N_NODES - 1;
    for (uint64_t end = start + n_burst + 100; net->at < end; net->at += STEP) {
        for (size_t i = 0; i < N_NODES; i++) {
            struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples, STEP}};
            struct phy_event skip = {.kind = PHY_EV_SKIP, .skip = {STEP}};
            if (i != sender)
                phy_air_render(net->air, (uint32_t)i, 0, net->at, STEP, samples);
            ck_assert_int_eq(phy_step(net->nodes[i].phy, i == sender ? &skip : &event, &net->update), 0);
            tally_frames(t, &net->update, mpdu, len, start);
        }
    }
    phy_air_forget(net->air, net->at);
}

static struct tally run(double snr_db, unsigned n_frames, unsigned n_rates, size_t max_len)
{
    struct net *net = open_net(snr_db);
    struct tally t = {0};
    uint64_t state = 99;
    for (unsigned k = 0; k < n_frames; k++)
        exchange(net, &t, k % N_NODES, 16 + link_random(&state) % (max_len - 16), k / N_NODES % n_rates, &state);
    close_net(net);
    return t;
}

START_TEST(four_nodes_hear_each_other_at_20_db)
{
    struct tally t = run(20.0, 300, 3, 1500);
    printf("20 dB, rates 0 to 2, 20 to 1500 octets: %u sent, %u of %u received, %u others, start off by at most %lld samples\n",
           t.n_sent, t.n_good, t.n_due, t.n_other, (long long)t.worst_start);
    ck_assert_uint_ge(t.n_good * 1000, t.n_due * 995);
    ck_assert_int_le(t.worst_start, 6); /* the path's delay is up to 4 of it */
}
END_TEST

START_TEST(nothing_comes_through_at_minus_10_db)
{
    struct tally t = run(-10.0, 60, 3, 600);
    printf("-10 dB: %u of %u received, %u others\n", t.n_good, t.n_due, t.n_other);
    ck_assert_uint_eq(t.n_good, 0);
}
END_TEST

START_TEST(ten_million_samples_of_noise_give_no_good_frame)
{
    struct phy_config cfg = link_config();
    cfg.squelch_db = -1.0; /* so that the synchroniser sees all of it */
    struct link_phy l = link_open(&cfg);
    static struct phy_awgn g;
    static float complex x[4000];
    static struct phy_update update;
    phy_awgn_init(&g, 1234, 1, phy_simd_best());
    for (uint64_t at = 0; at < 10000000; at += 4000) {
        memset(x, 0, sizeof x);
        phy_awgn_add(&g, at, 1e-8f, x, 4000);
        link_samples(&l, x, 4000, &update);
    }
    struct phy_stats stats;
    phy_stats(l.phy, &stats);
    printf("10 M samples of noise: %llu locks, %llu bad headers, %llu bad FCS\n", (unsigned long long)stats.n_locks,
           (unsigned long long)stats.n_header_bad, (unsigned long long)stats.n_fcs_bad);
    ck_assert_uint_eq(stats.n_frames_ok, 0);
    ck_assert_uint_eq(stats.n_fcs_bad, 0);
    link_close(&l);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("link");
    tcase_add_test(tcase, four_nodes_hear_each_other_at_20_db);
    tcase_add_test(tcase, nothing_comes_through_at_minus_10_db);
    tcase_add_test(tcase, ten_million_samples_of_noise_give_no_good_frame);
    suite_add_tcase(suite, tcase);
}
