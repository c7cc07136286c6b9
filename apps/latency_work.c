#include "apps/latency_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "phy/phy.h"

enum { GUARD_SAMPLES = 2048, SYMBOL_SAMPLES = 80, ALIGN = 64, RATE_INDEX = 1 };

struct app_latency_work {
    struct phy *phy;
    void *mem;
    float complex *samples; /* silence, a frame, the symbol after which it is known */
    size_t n, n_head;
    struct phy_update update;
};

static void feed(struct app_latency_work *w, size_t from, size_t to)
{
    while (from < to) {
        size_t n = to - from < PHY_MAX_STEP_SAMPLES ? to - from : PHY_MAX_STEP_SAMPLES;
        struct phy_event event = {.kind = PHY_EV_SAMPLES};
        event.samples.samples = w->samples + from;
        event.samples.n = n;
        int rc = phy_step(w->phy, &event, &w->update);
        (void)rc; /* what was not decoded is missing from the count */
        from += n;
    }
}

void app_latency_work_prepare(void *ctx)
{
    struct app_latency_work *w = ctx;
    feed(w, 0, w->n_head);
}

void app_latency_work_run(void *ctx)
{
    struct app_latency_work *w = ctx;
    feed(w, w->n_head, w->n);
}

uint64_t app_latency_work_decoded(const struct app_latency_work *w)
{
    struct phy_stats stats;
    phy_stats(w->phy, &stats);
    return stats.n_frames_ok;
}

/* A faint hiss, so that nothing is zero that never is. */
static float complex hiss(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return CMPLXF((float)((int32_t)*state >> 16) * 3e-8f, (float)((int32_t)(*state << 16) >> 16) * 3e-8f);
}

static int make_samples(struct app_latency_work *w, size_t block_samples)
{
    uint8_t mpdu[APP_LATENCY_FRAME_OCTETS];
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof mpdu; i++)
        mpdu[i] = (uint8_t)(i * 37);
    struct phy_event event = {.kind = PHY_EV_TRANSMIT};
    event.transmit.start_sample = GUARD_SAMPLES;
    event.transmit.mpdu = mpdu;
    event.transmit.len_bytes = sizeof mpdu;
    event.transmit.rate_index = RATE_INDEX;
    int rc = phy_step(w->phy, &event, &w->update);
    if (rc != 0)
        return rc;
    w->n = GUARD_SAMPLES + w->update.burst_len + 2 * SYMBOL_SAMPLES;
    w->n_head = w->n > block_samples ? w->n - block_samples : 0;
    w->samples = calloc(w->n, sizeof *w->samples);
    if (!w->samples)
        return -ENOMEM;
    for (size_t i = 0; i < w->n; i++)
        w->samples[i] = hiss(&state);
    for (size_t i = 0; i < w->update.burst_len; i++)
        w->samples[GUARD_SAMPLES + i] += .1f * w->update.burst[i];
    event.kind = PHY_EV_WITHDRAW;
    return phy_step(w->phy, &event, &w->update);
}

int app_latency_work_open(const struct phy_waveform *waveform, uint32_t sample_rate_hz, size_t block_samples, struct app_latency_work **out)
{
    struct phy_config cfg = {
        .waveform = waveform, .sample_rate_hz = sample_rate_hz, .noise_dbfs = -60, .cca_energy_db = 8, .cca_samples = 64};
    struct app_latency_work *w = calloc(1, sizeof *w);
    size_t len = phy_bytes(&cfg);
    const char *bad_field;
    if (!w)
        return -ENOMEM;
    w->mem = aligned_alloc(ALIGN, (len + ALIGN - 1) / ALIGN * ALIGN);
    int rc = w->mem ? phy_init(w->mem, len, &cfg, &w->phy, &bad_field) : -ENOMEM;
    rc = rc ? rc : make_samples(w, block_samples);
    if (rc != 0) {
        app_latency_work_close(w);
        return rc;
    }
    *out = w;
    return 0;
}

void app_latency_work_close(struct app_latency_work *w)
{
    if (w->phy)
        phy_close(w->phy);
    free(w->mem);
    free(w->samples);
    free(w);
}
