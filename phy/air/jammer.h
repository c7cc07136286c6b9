/* Simple jammers, as pure machines over what they hear on one channel. They send bursts of white noise of their own keyed
 * stream and tell each burst to the caller: this is the truth that verdicts are held against. */
#ifndef PHY_JAMMER_H
#define PHY_JAMMER_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum phy_jammer_kind {
    PHY_JAMMER_REACTIVE, /* sends a burst after it heard power */
    PHY_JAMMER_CONSTANT, /* bursts back to back */
    PHY_JAMMER_PULSE     /* a burst a period */
};
/* "reactive", "constant", "pulse" */
const char *phy_jammer_kind_name(enum phy_jammer_kind kind);

enum { PHY_JAMMER_MAX_BURSTS = 64, PHY_JAMMER_MAX_BLOCK_SAMPLES = 1024 };

struct phy_jammer;

struct phy_jammer_config {
    enum phy_jammer_kind kind;
    uint64_t seed, stream;   /* of its noise */
    double power_dbfs;       /* mean power of a burst as sent */
    uint64_t first_sample;   /* index of the first sample that will come */
    uint64_t from_sample, to_sample; /* bursts lie within [from, to) */
    uint32_t burst_samples;  /* length of a burst, at least 16 */
    /* reactive: a block of block_samples (at multiples of it, <= PHY_JAMMER_MAX_BLOCK_SAMPLES) whose mean power exceeds
     * noise_dbfs + threshold_db, and a burst starts react_samples after the block's end. Constant and pulse: bursts are
     * told react_samples ahead. No step may bring more than react_samples samples, so that no burst starts in the past. */
    uint32_t react_samples;
    uint32_t block_samples;
    double noise_dbfs, threshold_db;
    uint32_t period_samples; /* pulse only; >= burst_samples */
};

struct phy_jammer_burst {
    uint64_t start_sample;
    uint64_t n_samples;
};

struct phy_jammer_update {
    size_t n_bursts;
    struct phy_jammer_burst bursts[PHY_JAMMER_MAX_BURSTS]; /* decided in this step, in time order, none before its end */
};

size_t phy_jammer_bytes(void);
/* Returns 0, or -EINVAL with the offending field's name. mem: phy_jammer_bytes() octets, 64-byte aligned. */
__attribute__((warn_unused_result)) int phy_jammer_init(void *mem, size_t len, const struct phy_jammer_config *cfg,
                                                        struct phy_jammer **out, const char **bad_field_out);
/* The next n samples of the channel. What comes while it sends is not heard. Returns 0, or -EAGAIN for more samples than
 * react_samples (state unchanged). Decisions do not depend on how samples are cut into calls. */
__attribute__((warn_unused_result)) int phy_jammer_step(struct phy_jammer *j, const float complex *samples, size_t n,
                                                        struct phy_jammer_update *out);
/* Writes the samples of a burst. */
void phy_jammer_fill(struct phy_jammer *j, const struct phy_jammer_burst *burst, float complex *out);
#endif
