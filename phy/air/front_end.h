/* A receiver's front end: what lies between the antenna and the samples that a host gets.
 *
 * In order: the local oscillator (offset and phase noise), the mixer's I/Q imbalance, the gain that an AGC sets, DC offset, and a
 * converter of some bits that clips. The oscillator also drives the sample clock. The gain is undone after the converter, sample
 * by sample, so that levels keep their meaning: an output sample of power 1.0 was an input sample of power 1.0, in dBFS of a
 * receiver at gain 0 dB. What an AGC costs stays: clipping until it has reacted, and quantisation steps as coarse as its gain is low.
 * docs/air.md has the formulas and says where the defaults come from.
 *
 * State moves on by sample index alone: the output depends on (configuration, samples so far) and not on how they were cut into
 * calls. Pure, nothing allocated. Memory is the caller's, phy_front_end_bytes() octets, 64-byte aligned. */
#ifndef PHY_FRONT_END_H
#define PHY_FRONT_END_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct phy_front_end;

struct phy_front_end_config {
    uint64_t seed, stream;      /* of the phase noise */
    uint32_t sample_rate_hz;
    double carrier_hz;          /* that it is tuned to: scales ppm */
    double ppm;                 /* by which its oscillator runs fast, +-200: signals appear ppm * carrier lower, samples lie closer */
    double phase_noise_deg;     /* rms; 0: none */
    double phase_noise_hz;      /* corner of its spectrum, that of the synthesiser's loop */
    double iq_gain_db;          /* of Q over I */
    double iq_phase_deg;        /* by which Q misses the right angle */
    double dc_dbfs;             /* of the converter's full scale, in both parts alike; -INFINITY: none */
    unsigned adc_bits;          /* 4..16 in each part, full scale 1.0; 0: no converter, no clipping */
    bool agc;                   /* off: gain 0 dB */
    double agc_min_gain_db, agc_max_gain_db; /* in steps of 1 dB */
    double agc_high_dbfs;       /* above this at the converter the gain falls, until the power is at agc_target_dbfs */
    double agc_target_dbfs;
    double agc_low_dbfs;        /* below this for agc_hold_ns the gain rises; in between it is locked */
    double agc_attack_ns;       /* time constant of a fall */
    double agc_hold_ns;
    double agc_rise_db_per_us;
    double switch_ns;           /* after own transmission it hears nothing for so long */
};

enum { PHY_FRONT_END_AGC_WINDOW = 16, PHY_FRONT_END_MAX_AHEAD = 16 };

/* "ideal" (changes nothing but for a converter of 16 bits) or "b210" (an Ettus B210: AD9361, TCXO); carrier_hz: b210's phase noise
 * depends on it. Returns 0, or -ENOENT. */
__attribute__((warn_unused_result)) int phy_front_end_preset(const char *name, double carrier_hz, uint32_t sample_rate_hz,
                                                             struct phy_front_end_config *out);
size_t phy_front_end_bytes(void);
/* Returns 0, or -EINVAL with the offending field's name. */
__attribute__((warn_unused_result)) int phy_front_end_init(void *mem, size_t len, const struct phy_front_end_config *cfg,
                                                           struct phy_front_end **out, const char **bad_field_out);
/* Takes n samples and writes those that the host gets, at most n + n / 4096 + PHY_FRONT_END_MAX_AHEAD; returns how many. With ppm 0
 * these are n, and `out` may be `in`. Else output sample k lies at input time k / (1 + ppm / 1e6), and comes once the 12 input
 * samples after it are in. */
size_t phy_front_end_receive(struct phy_front_end *f, const float complex *in, size_t n, float complex *out);
/* n samples pass that nobody is given: the receiver is switched off, or sends itself (then it stays deaf for switch_ns). Gain is
 * held; phase noise begins anew. Only with ppm 0, where in and out keep step. */
void phy_front_end_skip(struct phy_front_end *f, uint64_t n, bool sending);
/* Gain in use, dB; output samples have it undone. */
double phy_front_end_gain_db(const struct phy_front_end *f);
/* Output samples of which a part was at the converter's limit. */
uint64_t phy_front_end_clipped(const struct phy_front_end *f);
#endif
