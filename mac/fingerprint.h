/* Whether the frames that claim a station's address come from that station's radio. For each address a running estimate of the
 * carrier offset at which its frames arrive, and of their power; frames that claim the address and do not fit accuse.
 *
 * Offset: a Kalman filter of offset and rate, which follows an oscillator that wanders by +-drift_hz within drift_period_ns; frames
 * that fit (within two spreads) move it, others do not, and none while suspicion is up: a copy cannot draw it near, and two sources
 * that alternate stay two. The spread of one estimate is what SNR and length of a frame let expect, times a factor that is learned
 * from the frames that fit, for each octave of length.
 * Test: Page's CUSUM (E. S. Page, Biometrika 41, 1954), one above and one below, over scores whose exponential has a mean of at most 1
 * over frames of the station itself (a half of nobody's and a half of a copy's likelihood, each at most what the frame gives). By
 * G. Lorden, Ann. Math. Statist. 42, 1971, each then accuses falsely at most once in exp(threshold) frames. Power is a second score,
 * weighted less: fading changes it, too, and alone it never accuses.
 *
 * Pure, + - * / and sqrt only; the memory is the caller's. docs/mac.md has the numbers. */
#ifndef MAC_FINGERPRINT_H
#define MAC_FINGERPRINT_H

#include "mac/mac.h"

struct mac_fingerprint_config {
    double spread_turns;     /* standard deviation of the receiver's offset estimate at an SNR of 0 dB, times the length of the frame;
                              * a tenth of it at 20 dB and above. Within a factor of 4 is good enough */
    double drift_hz;         /* how far oscillators of both ends together wander from their mean: 1 ppm of the carrier, say */
    int64_t drift_period_ns; /* and in what time there and back, at the fastest */
};

enum { MAC_FINGERPRINT_LENGTHS = 8, MAC_FINGERPRINT_KNOWN = 32 };

struct mac_fingerprint_peer {
    struct mac_address address;
    uint64_t used;          /* serial of its last frame; 0: free */
    uint32_t n_frames;
    int64_t last_ns;
    double offset_hz, rate_hz_s;
    double p_ff, p_fr, p_rr; /* covariance of offset and rate */
    struct {
        double scale;        /* variance of an estimate over what is expected */
        uint32_t n;
    } lengths[MAC_FINGERPRINT_LENGTHS]; /* up to 128 us, 256 us and so on */
    double power_db, power_variance;
    double above, below;     /* CUSUMs */
    uint64_t fits;           /* of the last 64 frames, the newest in bit 0 */
};

struct mac_fingerprint {
    struct mac_fingerprint_config cfg;
    struct mac_fingerprint_peer *peers;
    size_t n_peers;
    uint64_t serial;
};

/* NONE: nothing to say, or fewer than MAC_FINGERPRINT_KNOWN frames. COPIED: frames that are not the known radio's. MOVED: hardly any
 * of the last 64 is; the address is learned anew. Both accuse. */
enum mac_fingerprint_verdict { MAC_FINGERPRINT_NONE, MAC_FINGERPRINT_COPIED, MAC_FINGERPRINT_MOVED };

struct mac_fingerprint_reading {
    enum mac_fingerprint_verdict verdict;
    bool fits;               /* this frame */
    uint32_t n_frames;       /* heard under that address */
    double offset_hz;        /* where the station's own frames are */
    double spread_hz;        /* of one estimate around it */
    double deviation;        /* of this frame, in spreads of its prediction */
};

/* For the receiver of clause 17 frames, whose pilots track the offset through the frame, and oscillators of +-1 ppm that go there and
 * back in an hour. */
struct mac_fingerprint_config mac_fingerprint_wifi(double carrier_hz);
void mac_fingerprint_init(struct mac_fingerprint *f, const struct mac_fingerprint_config *cfg, struct mac_fingerprint_peer *peers,
                          size_t n_peers);
/* A frame with a valid FCS that claims this address. One whose estimates are no numbers teaches nothing. When all places are taken the
 * one heard longest ago goes, among those that are not known if there are any: a flood of made-up addresses forgets no station. */
void mac_fingerprint_observe(struct mac_fingerprint *f, const struct mac_address *address, const struct mac_rx_quality *quality,
                             struct mac_fingerprint_reading *out);
#endif
