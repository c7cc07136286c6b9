/* The MAC machine: one access entity on one channel of one station. IEEE 802.11 DCF (clause 10): carrier sense, NAV, backoff,
 * ACK, retry, duplicate filter, and fragmentation of messages larger than a frame. Pure: no I/O, no clock; every event carries
 * now_ns, and mac_deadline says when to call again though nothing happened. Times are int64_t ns of the station's receive
 * sample clock. */
#ifndef MAC_MAC_H
#define MAC_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mac/jam.h"
#include "mac/slot_plan.h"

enum {
    MAC_MAX_MPDU_BYTES = 2342,     /* without FCS */
    MAC_MAX_MESSAGE_BYTES = 65536, /* one message = one MSDU, or several by fragmentation */
    MAC_MAX_COPIES = 4,
    MAC_MAX_DELIVERIES = 8,
    MAC_MAX_REPORTS = 16
};

struct mac_address {
    uint8_t octets[6];
};
extern const struct mac_address mac_broadcast;
/* Locally administered unicast address of a station id. */
struct mac_address mac_address_of(uint32_t station_id);
/* The station id behind such an address, or UINT32_MAX. */
uint32_t mac_station_of(const struct mac_address *address);

/* Higher first. */
enum mac_category { MAC_CAT_VOTE, MAC_CAT_PROPOSAL, MAC_CAT_GOSSIP, MAC_CAT_DATA, MAC_N_CATEGORIES };

/* How a station gains the medium. DCF: carrier sense and backoff. ALOHA: a message that finds the queue empty goes at once, whatever
 * is on the air; what failed, or waited behind another, goes after a draw of up to CW slots of aloha_slot_ns. SLOTTED_ALOHA: a station
 * with something to send begins in each slot of aloha_slot_ns (counted from time 0) with probability 1 / aloha_one_in. ACK and retry
 * limit are alike in all three. */
enum mac_access { MAC_ACCESS_DCF, MAC_ACCESS_ALOHA, MAC_ACCESS_SLOTTED_ALOHA };

/* IEEE 802.11 clause 17 timing with its own numbers for the waveform in use. */
struct mac_profile {
    const char *name;       /* "dot11-10" */
    enum mac_access access;
    int64_t slot_ns, sifs_ns;
    /* From the decision to send to the first sample: a frame that won its contention is handed out this long before its slot
     * begins (10.3.7: TxDIFS = DIFS - aRxTxTurnaroundTime). 0: decided and sent in one instant. At most SIFS, below slot. */
    int64_t turnaround_ns;
    int64_t rx_start_delay_ns; /* from a frame's first sample to its lock: ACKTimeout = SIFS + slot + this */
    uint32_t cw_min[MAC_N_CATEGORIES]; /* 2^k - 1 */
    uint32_t cw_max;
    unsigned aifsn[MAC_N_CATEGORIES]; /* AIFS = SIFS + aifsn slots (10.23.2.4); 2 is DIFS */
    bool edca;                 /* each category contends by itself (10.23.2); else a lower one only while the higher ones have nothing */
    unsigned retry_limit;      /* attempts in all for a unicast frame */
    size_t rts_threshold_bytes; /* a unicast MPDU longer than this follows an RTS and its CTS; SIZE_MAX: none does */
    unsigned rts_retry_limit;  /* RTS in all for a unicast frame, counted apart from its attempts; 0: endless */
    bool cts_to_self;          /* a group MPDU longer than the threshold follows a CTS to oneself */
    int64_t group_gap_ns;      /* a reservation of a group frame is dropped when nothing begins for so long; 0: as after an RTS */
    int64_t lifetime_ns;       /* a message not sent by then is dropped and reported */
    unsigned data_rate, basic_rate; /* indices of the waveform's rates; ACKs and broadcasts use basic_rate */
    size_t fragment_bytes;     /* an MPDU's body is at most this */
    int64_t txop_ns;           /* fragments of one message follow each other SIFS apart for at most this long; 0: each contends */
    int64_t aloha_slot_ns;     /* both kinds of Aloha; a slot of slotted Aloha should hold a frame, SIFS, ACK and the ACK's timeout */
    unsigned aloha_one_in;     /* slotted Aloha; n saturated stations do best with n */
    unsigned n_rates;          /* 0: unicast data go at data_rate; else a rate of 0..n_rates - 1 is chosen for each neighbour by sampling */
};

/* The profile for 10 MHz channels, "dot11-10": slot 13 us, SIFS 32 us, DIFS 58 us (IEEE 802.11 table 17-21, 10 MHz column). */
struct mac_profile mac_profile_dot11_10(int64_t rx_start_delay_ns);

/* The profiles with a name of their own; slot and SIFS of table 17-21 in us:
 *   dot11a-20 9, 16   dot11-10 13, 32   dot11p-10 13, 32, AIFSN 2, 3, 6, 9 of EDCA (table 9-156, outside a BSS)   dot11-5 21, 64
 * Returns 0, or -ENOENT. */
__attribute__((warn_unused_result)) int mac_profile_by_name(const char *name, int64_t rx_start_delay_ns, struct mac_profile *out);
/* The i-th such name, NULL behind the last. */
const char *mac_profile_name(size_t i);

/* What a radio that is driven from a host can do; `airdeed latency-probe` measures turnaround_ns. */
struct mac_host_timing {
    int64_t turnaround_ns;     /* from the instant at which a sample is on the antenna to the earliest one at which what it caused
                                * can be: samples' way to the host, their demodulation, lead of a timed burst; a bound, not a mean */
    int64_t cca_delay_ns;      /* from a frame's first sample to a busy medium */
    int64_t rx_start_delay_ns; /* from a frame's first sample to its lock */
    int64_t ack_ns;            /* airtime of an ACK */
    bool no_hidden_stations;   /* everyone hears everyone: the Duration field may fall short of the ACK */
};

/* The profile "host" that follows from it (IEEE 802.11 clause 10.3.7, DCF timing relations, with everything between antenna and
 * decision in one turnaround), rounded up to 100 us, 1 us of it (300 m) for propagation:
 *   SIFS = turnaround; slot = CCA delay + propagation + turnaround; DIFS = SIFS + 2 slot; ACK timeout = SIFS + slot + RX start delay.
 * Every station of a cluster has to use the same one: the slowest member's. Returns 0; -EINVAL for a time that is none;
 * -ERANGE where it cannot hold: SIFS and ACK exceed what a Duration field can say, 32767 us, so that stations which do not hear
 * the receiver would send into its ACK; or a slot beyond 1 s. Then *why_out is one line. */
__attribute__((warn_unused_result)) int mac_profile_host(const struct mac_host_timing *timing, struct mac_profile *out,
                                                         const char **why_out);

struct mac_config {
    uint64_t seed;
    uint64_t boot;             /* 0: the station never ran before; else a number that each of its starts has for itself (docs/mac.md) */
    uint32_t station_id;
    uint32_t channel;          /* enters keyed draws and verdicts; where it begins */
    uint32_t n_channels;       /* RETUNE goes to 0 .. n_channels - 1; the detector of jamming keeps its own state of each. 0: nowhere */
    struct mac_profile profile;
    /* airtime of an MPDU of len octets (FCS not counted) at a rate */
    int64_t (*airtime_ns)(void *ctx, size_t mpdu_len, unsigned rate_index);
    void *airtime_ctx;
    size_t queue_messages;     /* per category */
    size_t queue_bytes;        /* over all categories */
    size_t max_peers;          /* duplicate filter and reassembly: stations remembered */
    int64_t reassembly_ns;     /* a message not complete by then is dropped, counted */
    uint32_t slot_stations;    /* slot plans of stations with ids below are followed; 0: nobody's are */
    unsigned slot_rates;       /* rates that airtime_ns knows: 0 .. slot_rates - 1; for plans that others send */
    struct mac_jam_config jam;
};

enum mac_event_kind {
    MAC_EV_TICK,    /* the deadline passed */
    MAC_EV_SEND,
    MAC_EV_CCA_BUSY,
    MAC_EV_CCA_IDLE,
    MAC_EV_LOCK,    /* the receiver believes that a frame began */
    MAC_EV_FRAME,   /* a lock ended */
    MAC_EV_TX_DONE, /* own frame has left */
    MAC_EV_HOLD,    /* no exchange may overlap [from_ns, to_ns): quiet periods, a closed gate */
    MAC_EV_DEAF,    /* the station's transmitter works on another channel until until_ns: medium unknown, EIFS after it */
    MAC_EV_SHAPE,   /* what energy without a frame looks like */
    MAC_EV_RETUNE,  /* from now on the station is on another channel: what was known of the medium, NAV and slot plans included, is of the
                     * one before; the queue stays, and so does every hold */
    MAC_EV_EXPOSE,  /* from here on messages go like this */
    MAC_EV_FLUSH    /* the right to send is gone: what is queued expires now and is reported at the next TICK */
};

struct mac_rx_quality {
    int64_t start_ns, end_ns;  /* of the frame */
    bool header_ok, fcs_ok;
    double rssi_dbfs, head_dbfs, snr_db, evm_db, cfo_hz;
    int64_t rise_ns;           /* offset of a power step inside the frame, -1 if none */
    double rise_db;
    int64_t error_ns;          /* offset at which the errors begin, where power shows nothing, too; 0 or less: unknown, or nowhere */
};

/* How much of a message is on the air at once: for a medium on which long frames are lost. With copies, no fragment follows another one in a
 * burst, so that one disturbance costs one frame. Frames that announce slots or go in one go once. */
struct mac_exposure {
    unsigned copies;       /* of each frame to all, 1..MAC_MAX_COPIES, each with its own access; 0: all is as the profile says */
    unsigned rate_index;   /* of frames to all, and of the first tries of the others where their rate is fixed */
    size_t fragment_bytes; /* as mac_profile's and at most that; of messages that are given from here on */
};

/* As the PHY saw some energy in which there was no frame, for the detector of jamming (docs/mac.md). */
struct mac_shape {
    double power_dbfs, centre_hz;
    double kurtosis, narrow, repeat;
};

struct mac_event {
    enum mac_event_kind kind;
    int64_t now_ns;
    union {
        struct {
            uint64_t id;               /* caller's; comes back in the report */
            struct mac_address to;
            enum mac_category category;
            const uint8_t *message;    /* copied */
            size_t len_bytes;          /* 1..MAC_MAX_MESSAGE_BYTES */
            const struct mac_slot_plan *slots; /* of a group message: reserves the medium for the answers; NULL: does not. Copied; one
                                                * plan serves all such messages that wait, the one given last */
        } send;
        struct {
            const uint8_t *mpdu;       /* without FCS, borrowed; may be NULL when the header was bad */
            size_t len_bytes;
            struct mac_rx_quality quality;
        } frame;
        struct {
            double power_dbfs;
            bool elsewhere; /* busy on a channel that the station's one transmitter must leave free: no evidence about this one */
        } cca;
        struct mac_shape shape;
        struct mac_exposure expose;
        struct {
            int64_t from_ns, to_ns;
        } hold;
        struct {
            int64_t until_ns;
        } deaf;
        struct {
            uint32_t channel;  /* below mac_config.n_channels */
            bool busy;         /* by that channel's CCA */
        } retune;
    };
};

struct mac_delivery {
    struct mac_address from;
    bool broadcast;
    const uint8_t *message; /* valid until the next mac_step */
    size_t len_bytes;
    int64_t rx_end_ns;
    double snr_db;
};

/* SENT: a broadcast that has left. NO_ACK: the retry limit was reached. EXPIRED: not sent within its lifetime, or a broadcast
 * that the caller's gate refused. */
enum mac_report_result { MAC_SENT, MAC_ACKED, MAC_NO_ACK, MAC_EXPIRED };

struct mac_report {
    uint64_t id;
    enum mac_report_result result;
    unsigned attempts; /* data frames that were handed out for it, over all its fragments */
};

struct mac_update {
    /* At most one frame, to start at start_ns: now_ns + turnaround for a frame that won its contention, SIFS after a frame's end for a
     * response or the next fragment of a burst. The caller answers TX_DONE: at the frame's end, or at once if it does not send it. */
    bool transmit;
    int64_t start_ns;
    const uint8_t *mpdu; /* valid until the next mac_step */
    size_t mpdu_len;
    unsigned rate_index;
    bool is_response;    /* ACK, CTS: goes SIFS after what it answers */
    size_t n_deliveries;
    struct mac_delivery deliveries[MAC_MAX_DELIVERIES];
    size_t n_reports;
    struct mac_report reports[MAC_MAX_REPORTS];
    bool has_verdict;    /* the detector's opinion changed */
    struct mac_jam_verdict verdict;
};

struct mac_stats {
    uint64_t rx_ok, rx_other, nav_set, rx_fcs_bad, rx_header_bad, rx_malformed, rx_duplicate, rx_own;
    uint64_t queued, sent_frames, sent_broadcast, retries, acked, no_ack, expired, queue_full;
    uint64_t reassembled, reassembly_dropped, late_response;
    uint64_t sent_rts, sent_cts, no_cts; /* sent_cts: answers, and to itself */
    uint64_t rts_refused;     /* an RTS to this station that it may not answer: reserved by others, a hold, busy itself */
    uint64_t nav_dropped;     /* reservations that nothing followed */
    uint64_t nav_cut;         /* of an ACK or a CTS, for longer than any frame takes */
    uint64_t rx_unsure;       /* retries soon after a restart, which may have been delivered before it */
    uint64_t refused;     /* frames that the caller did not let out */
    uint64_t bad_event;   /* mac_step said -EBADMSG */
    uint64_t plans_sent, plans_again;   /* slot plans announced; to ask those again whose slot stayed empty */
    uint64_t plans_announced;           /* frames that say what is left of a long one */
    uint64_t plans_followed;            /* in which this station has a slot */
    uint64_t plans_refused[MAC_SLOT_N_FAULTS];
    uint64_t slots_used, slots_unused;  /* own ones; unused: nothing to say in time, nothing that fits, or not allowed */
    int64_t busy_ns;      /* medium seen busy */
    int64_t access_delay_ns; /* smoothed: head of queue to start of transmission */
};

struct mac;

size_t mac_bytes(const struct mac_config *cfg);
__attribute__((warn_unused_result)) int mac_init(void *mem, size_t len, const struct mac_config *cfg, struct mac **out,
                                                 const char **bad_field_out);
/* Returns 0; -ENOBUFS for a SEND that finds its queue full (counted, nothing else changes); -EBADMSG for a malformed event (counted).
 * HOLD, DEAF, EXPOSE and FLUSH never fill *out, RETUNE nothing but the verdict; they take effect at in->now_ns, the instant from which the medium counts as unusable or unknown.
 * A TX_DONE for a refused frame never asks for another frame in the same update. */
__attribute__((warn_unused_result)) int mac_step(struct mac *m, const struct mac_event *in, struct mac_update *out);
/* INT64_MAX when only events can wake it. */
int64_t mac_deadline(const struct mac *m);
/* Since when the message that waits longest in a category does, the one on the air included; INT64_MAX: none. */
int64_t mac_waiting_since(const struct mac *m, enum mac_category category);
void mac_stats(const struct mac *m, struct mac_stats *out);
void mac_close(struct mac *m);
#endif
