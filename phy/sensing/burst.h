/* Bursts: the stretches of a stream in which the power stands above the noise floor.
 *
 * Two sliding windows see the power of the last samples. The long one (.8 us) finds weak bursts; the short one (a third of
 * that; below 8 Msps 1.25 us) finds edges and the dips between frames that follow each other closely; both have at least 4
 * samples. Each has a threshold for its false-alarm probability (phy/energy.h), and a lower one to stay above. A burst that
 * is 20 dB over the floor ends where the short window falls below its lower threshold or 30 dB below the burst, a weaker one
 * where the long window does.
 *
 * Pulses belong together where one message consists of them: a piece joins the one before it when the gap is at most 3.75 us,
 * the one before is no longer than 8 us, and their levels are within 10 dB. So the data of a Mode S reply joins its preamble
 * (5 us, then a gap of 3 to 3.5 us), while frames of OFDM, all longer than 8 us, stay apart even .3 us from each other.
 * Pure, streaming, bounded: the memory is that of the long window. */
#ifndef PHY_BURST_H
#define PHY_BURST_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

struct phy_burst {
    uint64_t start_sample; /* first sample of the burst */
    uint64_t n_samples;
    double mean_power; /* |x|^2, noise included, full scale 1.0 */
    double peak_power; /* of one sample */
};

struct phy_burst_config {
    double sample_rate_hz;
    double noise_power;    /* mean |x|^2 of the floor, > 0 */
    double p_fa;           /* per window that a burst begins though there is only noise, 1e-12 .. .1 */
    double join_us;        /* bursts closer than that are one, whatever they look like; 0: only by the rule above */
    double min_us;         /* shorter ones are dropped */
    uint64_t first_sample; /* index of the first sample that will come */
    void (*on_burst)(void *ctx, const struct phy_burst *burst);
    void *ctx;
};

struct phy_burst_finder;

/* 0 for a configuration that phy_burst_init would refuse. */
size_t phy_burst_bytes(const struct phy_burst_config *cfg);
/* Returns 0 or -EINVAL with the offending field's name. mem: at least phy_burst_bytes(cfg), aligned for double. */
__attribute__((warn_unused_result)) int phy_burst_init(void *mem, size_t len, const struct phy_burst_config *cfg,
                                                       struct phy_burst_finder **out, const char **bad_field_out);
/* Calls on_burst for each burst that is known to have ended, in order. */
void phy_burst_push(struct phy_burst_finder *b, const float complex *samples, size_t n);
/* n samples did not come: a burst ends there. n = 0 ends it too. */
void phy_burst_skip(struct phy_burst_finder *b, uint64_t n);
#endif
