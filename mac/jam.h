/* Jamming detector: several statistics at once over a sliding window of one channel, one verdict out.
 * It tells congestion and weak links from jamming and names the kind. Pure. */
#ifndef MAC_JAM_H
#define MAC_JAM_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers stand in ledgers: new kinds come at the end. */
enum mac_jam_kind {
    MAC_JAM_NONE, MAC_JAM_CONGESTION, MAC_JAM_WEAK_LINK, MAC_JAM_CONSTANT, MAC_JAM_PULSE, MAC_JAM_REACTIVE,
    MAC_JAM_UNKNOWN,  /* jammed, and by nothing that has a name here */
    MAC_JAM_FOREIGN,  /* somebody else's emission, such as a primary user without a record */
    MAC_JAM_TONE, MAC_JAM_SWEEP, MAC_JAM_PREAMBLE, MAC_JAM_PILOT, MAC_JAM_DECEPTIVE,
    MAC_JAM_N_KINDS
};
/* "none", "congestion", "weak-link", "constant", "pulse", "reactive", "jammed", "foreign", "tone", ...; "invalid" for no kind */
const char *mac_jam_kind_name(enum mac_jam_kind kind);
/* Kinds that accuse somebody: all but none, congestion, weak link and foreign. */
bool mac_jam_is_attack(enum mac_jam_kind kind);

struct mac_jam_config {
    int64_t window_ns;       /* statistics look back this far */
    unsigned min_frames;     /* no opinion on fewer locks in the window */
    double noise_dbfs;       /* calibrated floor */
    int64_t collision_ns;    /* a power step earlier in a frame than this is another member that began in the same or the next slot;
                              * 0: the MAC takes two slots */
    uint32_t nameless;       /* kinds, by bit, that this detector is not to know: training leaves them out one by one. 0: it knows all */
};

struct mac_jam_verdict {
    enum mac_jam_kind kind;
    uint32_t channel;
    int64_t from_ns, at_ns;   /* first suspicious observation, and when the verdict was reached */
    unsigned confidence_permille; /* how often such a verdict was right in training: of this kind, on so much evidence */
    unsigned level;           /* of evidence: 0, 1, 2 */
    /* the statistics it rests on */
    unsigned n_frames, n_good;
    unsigned busy_permille;
    int32_t mean_rise_us;     /* where in the frame the power rose, -1 if it did not */
    int32_t rssi_bad_cdb;     /* mean strength of bad frames over the noise floor, 1/100 dB */
    int32_t low_khz, high_khz; /* the band it covers, from the channel's middle; both 0: all of it, or unknown */
    int32_t kurtosis_permille, narrow_permille, repeat_permille, spread_khz; /* of energy without frames (docs/mac.md); 0: none was seen */
};
#endif
