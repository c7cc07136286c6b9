/* The virtual air at packet fidelity: who sends what when and how strong it arrives, without samples. */
#ifndef PHY_PACKET_AIR_H
#define PHY_PACKET_AIR_H

#include "phy/air/air.h"
#include "phy/packet/tables.h"

enum { PHY_PACKET_MAX_ARRIVALS = 256 };

struct phy_packet_air;

/* A stretch of constant power of something that is no frame. */
struct phy_packet_run {
    uint32_t n_samples;
    float power; /* mean |x|^2 as sent */
};

struct phy_packet_emission {
    uint32_t emitter, channel;
    uint64_t start_sample, end_sample;
    double power;                  /* mean |x|^2 as sent */
    enum phy_interference kind;
    const uint8_t *psdu;           /* a frame's octets with FCS, copied (<= PHY_MAX_PSDU_BYTES); NULL: no frame */
    size_t psdu_len;
    unsigned rate_index;
    const float complex *samples; /* of what is no frame: sqrt(power) times these are sent, one period of the runs where there are any; NULL:
                                   * not known. Borrowed until phy_packet_air_forget passes the emission */
    const struct phy_packet_run *runs; /* not NULL: its power follows these, in a loop from start_sample on; borrowed */
    size_t n_runs;
};

/* Takes of the configuration what matters here: n_nodes, n_channels, carrier_offset_hz, links, max_emissions. */
size_t phy_packet_air_bytes(const struct phy_air_config *cfg);
struct phy_packet_air *phy_packet_air_init(void *mem, const struct phy_air_config *cfg);
/* 0, -ENOBUFS when max_emissions are on air, -EINVAL. Ids rise in the order of calls. */
__attribute__((warn_unused_result)) int phy_packet_air_emit(struct phy_packet_air *air, const struct phy_packet_emission *e);
/* What overlaps [start, start + n) at the listener, in the order of ids, own emissions excluded. Returns how many; what does not fit
 * in cap is the latest, and is counted. psdu stays valid until phy_packet_air_forget passes the emission. */
size_t phy_packet_air_arrivals(struct phy_packet_air *air, uint32_t listener, uint32_t channel, uint64_t start_sample, uint64_t n,
                               struct phy_arrival *out, size_t cap);
/* First sample, not before `sample`, at which something arrives anywhere; `sample` itself while something does or did less than
 * `linger` samples ago; UINT64_MAX: never. */
uint64_t phy_packet_air_quiet_until(const struct phy_packet_air *air, uint64_t sample, uint64_t linger);
uint64_t phy_packet_air_dropped(const struct phy_packet_air *air);
/* Drops what ended, with the longest delay, before the sample. */
void phy_packet_air_forget(struct phy_packet_air *air, uint64_t before_sample);
/* Samples as runs: blocks of 80 whose powers are within 1 dB are one. Returns how many of at most cap; 0 for silence. */
size_t phy_packet_runs(const float complex *samples, size_t n, struct phy_packet_run *out, size_t cap);
#endif
