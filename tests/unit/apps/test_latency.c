#define SUITE_NAME "latency"
#include "tests/unit/check_main.h"

#include <complex.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "apps/latency.h"
#include "apps/latency_work.h"

/* A radio on a clock of its own: blocks arrive some time after their last sample, work takes time, and a burst is late unless it is
 * handed over true_lead samples ahead of the device's present. */
static struct {
    struct phy_radio radio;
    int64_t now_ns;
    uint64_t next;
    size_t block;
    int64_t arrival_ns, jitter_ns, work_ns;
    uint64_t true_lead;
    unsigned one_late_in, n_bursts; /* now and then a burst is late by bad luck, up to extra more */
    uint64_t extra;
    bool gone, refuses;
    uint64_t state;
    struct phy_radio_report report;
    bool has_report;
    float peak;
    unsigned n_sent_after_stop;
} fake;

static uint64_t draw(void)
{
    fake.state ^= fake.state << 13, fake.state ^= fake.state >> 7, fake.state ^= fake.state << 17;
    return fake.state;
}

static int64_t device_ns(uint64_t sample)
{
    return (int64_t)sample * 1000; /* 1 Msps */
}

static int fake_receive(struct phy_radio *r, float complex *out, size_t cap, int64_t timeout_ns, struct phy_radio_block *block)
{
    (void)r;
    if (fake.gone)
        return -ENODEV;
    int64_t at_ns = device_ns(fake.next + fake.block) + fake.arrival_ns + (fake.jitter_ns ? (int64_t)(draw() % (uint64_t)fake.jitter_ns) : 0);
    if (at_ns > fake.now_ns + timeout_ns) {
        fake.now_ns += timeout_ns;
        return -EAGAIN;
    }
    fake.now_ns = at_ns > fake.now_ns ? at_ns : fake.now_ns;
    ck_assert(fake.block <= cap);
    memset(out, 0, fake.block * sizeof *out);
    *block = (struct phy_radio_block){.start_sample = fake.next, .n = fake.block};
    fake.next += fake.block;
    return 0;
}

static int fake_transmit(struct phy_radio *r, uint64_t start, const float complex *samples, size_t n)
{
    (void)r;
    if (fake.refuses)
        return -EPERM;
    for (size_t i = 0; i < n; i++)
        fake.peak = fmaxf(fake.peak, cabsf(samples[i]));
    uint64_t lead = fake.true_lead;
    if (fake.one_late_in && ++fake.n_bursts % fake.one_late_in == 0)
        lead += fake.extra;
    bool late = device_ns(start) < fake.now_ns + (int64_t)lead * 1000;
    fake.report = (struct phy_radio_report){late ? PHY_RADIO_LATE : PHY_RADIO_BURST_DONE, start + n};
    fake.has_report = true;
    return 0;
}

static int fake_report(struct phy_radio *r, struct phy_radio_report *out)
{
    (void)r;
    if (!fake.has_report || device_ns(fake.report.sample) > fake.now_ns)
        return 0;
    fake.has_report = false;
    *out = fake.report;
    return 1;
}

static const struct phy_radio_ops fake_ops = {.name = "fake", .receive = fake_receive, .transmit = fake_transmit, .report = fake_report};

static int64_t fake_now(void *ctx)
{
    (void)ctx;
    return fake.now_ns;
}

static void fake_work(void *ctx)
{
    (void)ctx;
    fake.now_ns += fake.work_ns;
}

static struct app_latency_result result;
static char error[APP_LATENCY_MAX_ERROR];

static struct app_latency_config set_up(void)
{
    memset(&fake, 0, sizeof fake);
    fake.radio = (struct phy_radio){.ops = &fake_ops, .sample_rate_hz = 1000000, .center_hz = 2.4e9};
    fake.block = 500;
    fake.arrival_ns = 300000;
    fake.true_lead = 2000;
    fake.state = 88172645463325252u;
    return (struct app_latency_config){.radio = &fake.radio,
                                       .n_burst = 200,
                                       .n_search = 10,
                                       .n_trials = 200,
                                       .cap = 4096,
                                       .max_lead_samples = 500000,
                                       .now_ns = fake_now,
                                       .wall_ns = fake_now,
                                       .work = fake_work};
}

START_TEST(the_lead_found_is_what_the_radio_needs_counted_from_the_end_of_a_block)
{
    static const uint64_t needs[] = {0, 150, 2000, 20000, 200000};
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        struct app_latency_config cfg = set_up();
        fake.true_lead = needs[i];
        fake.work_ns = 700000;
        ck_assert_msg(app_latency_measure(&cfg, &result, error) == 0, "%s", error);
        double truth = 300 + 700 + (double)needs[i]; /* on the way to the host, the work, the way out */
        ck_assert((double)result.lead_samples >= truth);
        ck_assert((double)result.lead_samples <= truth * 17 / 16 + 102);
        ck_assert_uint_eq(result.block_samples, 500);
        ck_assert_uint_eq(result.n_trials, 200);
        ck_assert_uint_eq(result.n_other, 0);
        ck_assert_uint_gt(result.n_sent, 200);
    }
}
END_TEST

START_TEST(jitter_of_arrival_is_measured_and_is_part_of_the_lead)
{
    struct app_latency_config cfg = set_up();
    fake.jitter_ns = 400000;
    ck_assert_msg(app_latency_measure(&cfg, &result, error) == 0, "%s", error);
    ck_assert(result.lead_samples >= 2000 + 300 + 380);
    ck_assert(result.lead_samples <= (2000 + 300 + 400) * 9 / 8 + 202);
    ck_assert(app_latency_quantile_ns(&result, 0) == 0);
    ck_assert(llabs(app_latency_quantile_ns(&result, .5) - 200000) < 40000);
    ck_assert(app_latency_quantile_ns(&result, 1) > 380000);
    ck_assert(app_latency_quantile_ns(&result, 1) < 400000);
}
END_TEST

START_TEST(bursts_that_are_late_once_in_a_hundred_lengthen_it)
{
    struct app_latency_config cfg = set_up();
    fake.one_late_in = 100;
    fake.extra = 3000;
    ck_assert_msg(app_latency_measure(&cfg, &result, error) == 0, "%s", error);
    ck_assert(result.lead_samples >= 5300);
    ck_assert(result.lead_samples <= 5300 * 9 / 8 + 202);
}
END_TEST

START_TEST(a_radio_that_is_always_late_or_gone_or_silent_is_told)
{
    struct app_latency_config cfg = set_up();
    fake.true_lead = 10000000;
    ck_assert_int_eq(app_latency_measure(&cfg, &result, error), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(error, "even with the largest lead"));
    cfg = set_up();
    fake.gone = true;
    ck_assert_int_eq(app_latency_measure(&cfg, &result, error), -ENODEV);
    cfg = set_up();
    fake.arrival_ns = INT64_MAX / 2;
    ck_assert_int_eq(app_latency_measure(&cfg, &result, error), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(error, "no samples"));
    cfg = set_up();
    fake.refuses = true;
    ck_assert_int_eq(app_latency_measure(&cfg, &result, error), -EPERM);
}
END_TEST

static int ask_gate(double band_low_hz, double band_high_hz, bool transmit)
{
    static struct app_radio_gate gate;
    struct app_latency_config cfg = set_up();
    struct app_radio_limits limits = app_radio_limits_default();
    limits.transmit = transmit;
    limits.band_low_hz = band_low_hz;
    limits.band_high_hz = band_high_hz;
    app_radio_gate_init(&gate, &limits);
    cfg.gate = &gate;
    cfg.deed = (struct app_radio_deed){band_low_hz, band_high_hz, INT64_MAX};
    return app_latency_measure(&cfg, &result, error);
}

START_TEST(on_a_radio_that_radiates_every_burst_passes_the_gate)
{
    ck_assert_msg(ask_gate(2.3995e9, 2.4005e9, true) == 0, "%s", error);
    ck_assert(fake.peak > 0 && fake.peak <= .1001f);
    ck_assert_int_eq(ask_gate(2.3995e9 + 1, 2.4005e9, true), -EPERM);
    ck_assert(fake.peak == 0);
    ck_assert_int_eq(ask_gate(0, 0, true), -EPERM);
    ck_assert(fake.peak == 0);
    ck_assert_int_eq(ask_gate(2.3995e9, 2.4005e9, false), -EPERM);
    ck_assert(fake.peak == 0);
}
END_TEST

START_TEST(the_work_meanwhile_decodes_a_frame_in_every_trial)
{
    static const char *const names[] = {"wifi", "flex"};
    static const uint32_t rates_hz[] = {500000, 1000000, 20000000};
    struct app_latency_work *w;
    for (size_t k = 0; k < 6; k++) {
        uint32_t rate_hz = rates_hz[k / 2];
        ck_assert_int_eq(app_latency_work_open(phy_waveform_find(names[k % 2]), rate_hz, rate_hz / 1000, &w), 0);
        for (uint64_t i = 1; i <= 2; i++) {
            app_latency_work_prepare(w);
            ck_assert_uint_eq(app_latency_work_decoded(w), i - 1);
            app_latency_work_run(w);
            ck_assert_msg(app_latency_work_decoded(w) == i, "%s at %u Hz", names[k % 2], rate_hz);
        }
        app_latency_work_close(w);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("latency");
    tcase_add_test(tc, the_lead_found_is_what_the_radio_needs_counted_from_the_end_of_a_block);
    tcase_add_test(tc, jitter_of_arrival_is_measured_and_is_part_of_the_lead);
    tcase_add_test(tc, bursts_that_are_late_once_in_a_hundred_lengthen_it);
    tcase_add_test(tc, a_radio_that_is_always_late_or_gone_or_silent_is_told);
    tcase_add_test(tc, on_a_radio_that_radiates_every_burst_passes_the_gate);
    tcase_add_test(tc, the_work_meanwhile_decodes_a_frame_in_every_trial);
    suite_add_tcase(suite, tc);
}
