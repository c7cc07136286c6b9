/* The waveform port: how a PHY machine modulates and demodulates. Implementations: phy/wifi/, phy/flex/. */
#ifndef PHY_WAVEFORM_H
#define PHY_WAVEFORM_H

#include "phy/phy.h"

enum {
    PHY_MAX_RATES = 8,
    PHY_MIN_LOCK_SPACING = 160 /* samples from one lock to the next, of any waveform, at least */
};

struct phy_waveform_demod; /* implementation's own */

/* Called for every lock that ended; `end_offset` counts samples consumed in this execute call when it ended.
 * In the frame, start_sample and end_sample count from this call's first sample (modulo 2^64: a start may lie before it),
 * cfo_hz and rate_kbps are those of a 1 Hz and a 1 Msps clock, and only what a demodulator knows is set: these four,
 * header_ok, psdu, psdu_len, noise_dbfs, evm_db, corrected_bits, noise_db. Pointers are valid within the callback. */
typedef void phy_waveform_on_frame(void *ctx, size_t end_offset, const struct phy_frame *frame);
/* Called when the receiver believes that a frame has begun; `offset` counts samples consumed in this execute call. */
typedef void phy_waveform_on_lock(void *ctx, size_t offset);

struct phy_waveform_config {
    uint32_t sample_rate_hz; /* wifi searches for a larger carrier offset, in subcarriers, where this is 2 Msps or less */
    enum phy_simd simd;
    phy_waveform_on_lock *on_lock;
    phy_waveform_on_frame *on_frame;
    void *ctx;
};

/* Locks and frames take turns: each lock ends in one frame. */
struct phy_waveform {
    const char *name;                          /* "wifi", "flex" */
    unsigned n_rates;                          /* rate 0 is the most robust */
    uint32_t rate_kbps_at_1msps[PHY_MAX_RATES]; /* payload rate for a 1 Msps clock; scale by the sample rate */
    /* SNR over the full sample rate from which on 99 of 100 frames of 750 octets arrive (docs/packet.md); INFINITY: not measured */
    float sure_snr_db[PHY_MAX_RATES];
    unsigned data_rate;                        /* for unicast data where nothing better is known: QPSK, rate 1/2 */
    uint32_t lock_delay_samples;               /* worst case from the first sample of a frame to its lock: sets the ACK timeout */
    uint32_t cca_delay_samples;                /* from the first sample to a busy medium */
    /* samples that a PSDU of psdu_len octets (FCS included) takes at a rate */
    size_t (*frame_samples)(size_t psdu_len, unsigned rate_index);
    size_t (*bytes)(void); /* of caller's memory for open, 64-byte aligned */
    /* 0 or negative errno. Heap-backed objects of liquid-dsp (flex) are the documented exception to caller's memory. */
    int (*open)(void *mem, const struct phy_waveform_config *cfg, struct phy_waveform_demod **out);
    /* Writes at most cap samples; returns how many, or negative errno. psdu includes the FCS. Mean power of the body is 1.0. */
    long (*modulate)(struct phy_waveform_demod *d, const uint8_t *psdu, size_t psdu_len, unsigned rate_index,
                     float complex *out, size_t cap);
    void (*execute)(struct phy_waveform_demod *d, const float complex *samples, size_t n);
    /* No preamble need be looked for where the mean power is at or below this (linear); 0 at first: everywhere. A waveform
     * whose detector is cheap looks everywhere. */
    void (*set_squelch)(struct phy_waveform_demod *d, double power);
    /* No samples follow those that came: a frame in progress whose header was read goes to on_frame as far as it came, at offset 0.
     * NULL where the waveform does not give parts of frames. A reset follows. */
    void (*cut)(struct phy_waveform_demod *d);
    void (*reset)(struct phy_waveform_demod *d); /* forget a frame in progress */
    void (*close)(struct phy_waveform_demod *d);
};

const struct phy_waveform *phy_waveform_wifi(void);
const struct phy_waveform *phy_waveform_flex(void);
/* By name; NULL if there is none. */
const struct phy_waveform *phy_waveform_find(const char *name);
#endif
