/* A machine under test with its memory, and little helpers around it. */
#ifndef TESTS_UNIT_PHY_LINK_H
#define TESTS_UNIT_PHY_LINK_H
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/phy.h"
#include "phy/waveform.h"

enum { LINK_FS = 10000000 };

struct link_phy {
    struct phy *phy;
    void *mem;
};

static inline struct phy_config link_config(void)
{
    return (struct phy_config){
        .waveform = phy_waveform_flex(), .sample_rate_hz = LINK_FS, .noise_dbfs = -80.0, .cca_energy_db = 6.0, .cca_samples = 40,
    };
}

static inline struct link_phy link_open(const struct phy_config *cfg)
{
    struct link_phy l = {0};
    const char *bad_field;
    size_t len = (phy_bytes(cfg) + 63) / 64 * 64;
    l.mem = aligned_alloc(64, len);
    ck_assert_ptr_nonnull(l.mem);
    ck_assert_int_eq(phy_init(l.mem, len, cfg, &l.phy, &bad_field), 0);
    return l;
}

static inline void link_close(struct link_phy *l)
{
    phy_close(l->phy);
    free(l->mem);
}

static inline uint64_t link_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static inline void link_samples(struct link_phy *l, const float complex *samples, size_t n, struct phy_update *out)
{
    struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples, n}};
    ck_assert_int_eq(phy_step(l->phy, &event, out), 0);
}

/* Adds a frame of len octets (FCS included), drawn from seed, at its place; returns its samples. */
static inline size_t link_add_frame(float complex *out, size_t len_bytes, unsigned rate_index, float amplitude, uint64_t seed)
{
    struct phy_config cfg = link_config();
    struct link_phy sender = link_open(&cfg);
    static struct phy_update update;
    uint8_t mpdu[PHY_MAX_PSDU_BYTES];
    for (size_t i = 0; i < len_bytes; i++)
        mpdu[i] = (uint8_t)link_random(&seed);
    struct phy_event event = {.kind = PHY_EV_TRANSMIT, .transmit = {0, mpdu, len_bytes - 4, rate_index}};
    ck_assert_int_eq(phy_step(sender.phy, &event, &update), 0);
    size_t n = update.burst_len;
    for (size_t i = 0; i < n; i++)
        out[i] += amplitude * update.burst[i];
    link_close(&sender);
    return n;
}

static inline void link_add_noise(float complex *out, size_t n, double power_dbfs, uint64_t seed)
{
    static struct phy_awgn g;
    phy_awgn_init(&g, seed, 77, phy_simd_best());
    phy_awgn_add(&g, 0, (float)pow(10.0, power_dbfs / 10.0), out, n);
}
#endif
