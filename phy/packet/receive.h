/* The receiver at packet fidelity: in the place of samples it is told which emissions arrive and how strong, and draws from tables what
 * the iq receiver would have made of them. Part of the PHY machine (phy/phy.h), whose signals, sensing and energy CCA it shares.
 *
 * Powers are whole multiples of 1/1024 of the noise power, times are sample indices, sums are integers: nothing depends on how time
 * is cut into steps, nor on the processor. Draws are keyed by (seed, stream, purpose, arrival or block). */
#ifndef PHY_PACKET_RECEIVE_H
#define PHY_PACKET_RECEIVE_H

#include "phy/packet/tables.h"

struct phy_packet;

struct phy_packet_config {
    const struct phy_packet_tables *tables; /* borrowed */
    uint64_t seed, stream;                  /* stream: (station, channel) */
    double noise_power;                     /* mean |x|^2, full scale 1.0 */
    uint32_t sample_rate_hz;
    uint32_t cca_samples, profile_samples;
    uint64_t first_sample;
};

/* What the machine does with what the packet receiver tells it. */
struct phy_packet_sink {
    void (*on_lock)(void *ctx, uint64_t sample);
    /* absolute indices, cfo in Hz, FCS decided; rate_kbps left to the machine */
    void (*on_frame)(void *ctx, uint64_t sample, unsigned rate_index, const struct phy_frame *frame);
    void (*on_profile)(void *ctx, uint64_t block, double power);               /* mean power of block `block` of profile_samples */
    void (*on_cca)(void *ctx, uint64_t end_sample, double power);              /* of a CCA block that ended */
    void *ctx;
};

size_t phy_packet_bytes(void);
struct phy_packet *phy_packet_init(void *mem, const struct phy_packet_config *cfg, const struct phy_packet_sink *sink);
/* [position, position + n): every emission that overlaps it, in the order of ids. busy: the energy CCA stands at busy, so that blocks
 * without an arrival are told, too (else noise alone is taken not to pass its threshold). */
void phy_packet_advance(struct phy_packet *p, const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t n, bool busy);
/* n samples did not reach the receiver: it starts anew after them. */
void phy_packet_skip(struct phy_packet *p, uint64_t n);
/* Measures the mean |x|^2 over a window to come, noise and its fluctuation included; one at a time. */
void phy_packet_sense(struct phy_packet *p, uint64_t start_sample, uint64_t n_samples);
/* True once, when the window has ended. */
bool phy_packet_sensed(struct phy_packet *p, double *mean_power_out);
#endif
