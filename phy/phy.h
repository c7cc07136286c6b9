/* The PHY machine: one channel of one station. It takes samples and commands, and gives stamped signals.
 *
 * This is the seam between the two fidelities: at IQ fidelity a waveform demodulates real samples; a packet-level machine
 * would give the same signals from tables. MAC and station cannot tell which one runs.
 * Pure: no I/O, no clock. Time on this channel is a sample index; index i is the instant i / sample_rate_hz.
 * The receiver is never told that a frame was sent, where it is, its offset or its gain. */
#ifndef PHY_PHY_H
#define PHY_PHY_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phy/simd.h"

enum {
    PHY_MAX_PSDU_BYTES = 2346,   /* that a station sends */
    PHY_MAX_RX_PSDU_BYTES = 4095, /* that a stranger may send: the largest that an 802.11 SIGNAL field can name */
    PHY_N_SUBCARRIERS = 64,
    PHY_MAX_SIGNALS = 192,
    PHY_MAX_STEP_SAMPLES = 4096
};

struct phy;
struct phy_waveform;      /* phy/waveform.h */
struct phy_packet_tables; /* phy/packet/tables.h */

struct phy_config {
    const struct phy_waveform *waveform; /* for instance phy_waveform_flex() */
    uint32_t sample_rate_hz;             /* of this channel, complex samples */
    double noise_dbfs;                   /* calibrated noise power of the front end in the full sample rate, dB re full scale 1.0 */
    double cca_energy_db;                /* energy CCA fires this far above noise_dbfs */
    uint32_t cca_samples;                /* block length of the energy CCA, 32..1024; blocks start at multiples of it */
    double squelch_db;                   /* preambles are looked for only where power is this far above noise_dbfs; 0: the
                                          * default of 1.5 dB, which noise passes once in a thousand blocks; negative: everywhere */
    uint64_t first_sample;               /* index of the first sample that will come */
    enum phy_simd simd;                  /* PHY_SIMD_AUTO: the best that there is */
    const struct phy_packet_tables *packet; /* packet fidelity: takes arrivals in the place of samples; NULL: iq fidelity. Borrowed */
    uint64_t seed, stream;               /* packet fidelity: of its draws; stream: (station, channel) */
};

/* At packet fidelity: an emission on its way through the receiver. */
struct phy_arrival {
    uint64_t id;             /* of the emission, the same for all its receivers */
    uint64_t start_sample, end_sample; /* at the receiver; end: first sample after it */
    double power;            /* mean |x|^2 at the receiver, full scale 1.0 */
    unsigned interference;   /* what it is to other frames, enum phy_interference */
    const uint8_t *psdu;     /* a frame of the waveform in use, FCS included; NULL: something else. Borrowed for the call */
    size_t psdu_len;
    unsigned rate_index;
    double cfo_hz;
    const float complex *samples; /* of what is no frame: scale times these arrive from start_sample on; NULL: not known. Borrowed */
    float scale;
};

enum phy_format {
    PHY_FORMAT_PLAIN, /* the waveform's own; for wifi: clause 17 (802.11a/g) */
    PHY_FORMAT_HT     /* clause 19 (802.11n), mixed format: named, its payload is not decoded */
};

/* One received frame. Pointers are valid until the next phy_step on the same machine. */
struct phy_frame {
    uint64_t start_sample;   /* first sample of the preamble, as the receiver found it */
    uint64_t end_sample;     /* first sample after the frame */
    uint32_t rate_kbps;      /* of the payload */
    bool header_ok;          /* the PHY header decoded; otherwise psdu_len is 0 */
    enum phy_format format;
    int ht_mcs;              /* PHY_FORMAT_HT: MCS and PSDU length from HT-SIGNAL; else -1 and 0. Its psdu_len is 0, fcs_ok false */
    uint32_t ht_len;
    bool ht_wide, ht_short_guard; /* 40 MHz; guard intervals of half the length */
    bool fcs_ok;             /* IEEE CRC-32 at the end of the PSDU holds */
    const uint8_t *psdu;     /* with FCS */
    size_t psdu_len;         /* octets, FCS included */
    double rssi_dbfs;        /* mean power over the frame */
    double head_dbfs;        /* mean power over the preamble */
    double snr_db;           /* mean power of the body over noise_dbfs, noise subtracted */
    double noise_dbfs;       /* noise power in the full sample rate as this frame shows it, known beforehand or not; NAN if unknown. wifi: from
                              * the difference of the two long training symbols, +-.6 dB (52 subcarriers), -INFINITY if there is
                              * none; interference that differs between them counts, too. flex and packet fidelity: unknown */
    double evm_db;           /* error vector magnitude over the payload, dB; NAN if unknown */
    double cfo_hz;           /* carrier offset, rx = tx exp(+j 2 pi f t) */
    int32_t corrected_bits;  /* coded bits that the decoder changed, -1 where the waveform cannot tell */
    int64_t rise_samples;    /* offset into the frame at which the power rose by rise_db and stayed, -1 if it did not */
    double rise_db;          /* by how much, 0 if it did not */
    int64_t error_samples;   /* offset of the first symbol from which on the error vectors are four times as strong as before, for two
                              * symbols at least: where the errors begin. -1 if they do not, or where the waveform cannot tell (all but wifi) */
    const float *noise_db;   /* PHY_N_SUBCARRIERS values in FFT order (DC first): error power per subcarrier relative to the mean
                              * signal, dB; NAN where no data is sent; NULL if unknown */
};

/* A verdict of the energy sensor over one window. */
struct phy_sense {
    uint64_t start_sample;
    uint64_t n_samples;
    double power_dbfs;      /* statistic: mean power */
    double threshold_dbfs;  /* exact chi-square threshold for p_fa and noise_dbfs (closed form: phy/energy.h) */
    double p_fa;            /* target per decision */
    bool occupied;
};

/* What 512 samples of energy look like in which there is no frame. At packet fidelity only where the samples of all that is there are
 * known, those of frames but for their octets. */
struct phy_shape {
    double power_dbfs;
    double kurtosis;  /* E|x|^4 / (E|x|^2)^2: 1 of a carrier, 2 of noise and of OFDM */
    double narrow;    /* correlation with the sample before: 1 of a carrier, sin(pi b) / (pi b) of a bandwidth of b sample rates */
    double centre_hz; /* centre of gravity of the spectrum */
    double repeat;    /* correlation with the 64th sample before: 1 of carriers on subcarriers, .2 of OFDM with a prefix of a quarter */
};

enum phy_signal_kind { PHY_CCA_BUSY, PHY_CCA_IDLE, PHY_LOCK, PHY_FRAME, PHY_TX_DONE, PHY_SENSED, PHY_SHAPE };

struct phy_signal {
    enum phy_signal_kind kind;
    uint64_t sample; /* when: first sample at which the receiver could know */
    union {
        struct phy_frame frame; /* PHY_FRAME; for every lock, decoded or not */
        struct phy_sense sense; /* PHY_SENSED */
        struct phy_shape shape; /* PHY_SHAPE: of the 512 samples before; at most one in 2048 samples */
        double power_dbfs;      /* PHY_CCA_BUSY by energy */
    };
};

enum phy_event_kind {
    PHY_EV_SAMPLES,  /* the next n samples of the channel */
    PHY_EV_SKIP,     /* the receiver was elsewhere or off (also: while this station transmits): n samples did not reach it.
                      * It starts anew: an open lock ends in a PHY_FRAME, a busy medium in PHY_CCA_IDLE, both at the first sample
                      * skipped. The frame has a header where the waveform had read it by then (wifi), and what came of its octets; a sensing window that loses samples is dropped and counted */
    PHY_EV_TRANSMIT, /* make a frame; PHY_TX_DONE follows when samples or skips have passed its end */
    PHY_EV_WITHDRAW, /* the latest frame was not let out: it is forgotten, no PHY_TX_DONE follows */
    PHY_EV_ARRIVALS, /* packet fidelity: n samples pass, with all emissions that overlap them, in the order of their ids */
    PHY_EV_SENSE     /* measure [start, start+n) when its samples come; one window may be pending at a time */
};

struct phy_event {
    enum phy_event_kind kind;
    union {
        struct {
            const float complex *samples; /* n of them, borrowed for the call */
            size_t n;
        } samples;
        struct {
            uint64_t n;
            const struct phy_arrival *arrivals;
            size_t n_arrivals;
        } arrivals;
        struct {
            uint64_t n;
        } skip;
        struct {
            uint64_t start_sample;
            const uint8_t *mpdu; /* without FCS; the PHY appends it */
            size_t len_bytes;    /* <= PHY_MAX_PSDU_BYTES - 4 */
            unsigned rate_index; /* into the waveform's rates */
        } transmit;
        struct {
            uint64_t start_sample;
            uint64_t n_samples;
            double p_fa;
        } sense;
    };
};

/* What phy_step wants done. Owned by the caller, overwritten by each step. */
struct phy_update {
    size_t n_signals;
    struct phy_signal signals[PHY_MAX_SIGNALS]; /* in time order */
    const float complex *burst;                 /* PHY_EV_TRANSMIT: samples to send, owned by the phy until the next transmit; NULL
                                                 * at packet fidelity */
    size_t burst_len;                           /* samples that the frame takes */
    const uint8_t *psdu;                        /* PHY_EV_TRANSMIT: the frame's octets with FCS, owned likewise */
    size_t psdu_len;
};

struct phy_stats {
    uint64_t n_samples, n_skipped, n_locks, n_header_bad, n_fcs_bad, n_frames_ok, n_sent, n_nan_samples;
    uint64_t n_aborted;      /* locks that a skip ended before their header was read */
    uint64_t n_sense_spoiled; /* sensing windows that a skip ran into */
    uint64_t n_bad_events;   /* refused with -EBADMSG */
};

size_t phy_bytes(const struct phy_config *cfg);
/* Returns 0, or -EINVAL with the offending field's name in *bad_field_out. mem: at least phy_bytes(cfg), 64-byte aligned. */
__attribute__((warn_unused_result)) int phy_init(void *mem, size_t len, const struct phy_config *cfg, struct phy **out,
                                                 const char **bad_field_out);
/* Returns 0; -EAGAIN for more than PHY_MAX_STEP_SAMPLES samples in a call, which could give more signals than fit (state
 * unchanged; cut the block; the same limit holds for arrivals); -EBADMSG for a malformed event, a start in the past, a second sensing window or transmission
 * while one is pending (counted, state unchanged). A sample that is not finite, or 2^30 times full scale, counts as zero.
 * Signals do not depend on how samples are cut into calls. */
__attribute__((warn_unused_result)) int phy_step(struct phy *m, const struct phy_event *in, struct phy_update *out);
/* First sample index after which something is to be told though nothing was heard (the end of a window, of an own frame); UINT64_MAX. */
uint64_t phy_deadline(const struct phy *m);
void phy_stats(const struct phy *m, struct phy_stats *out);
void phy_close(struct phy *m);
#endif
