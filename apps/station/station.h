/* One station: a PHY and a MAC for each channel, a ledger node, and the policy that spans them (deeds, quiet periods, sensing,
 * lease and traffic, verdict to evidence). A pure machine like its parts; the virtual, replay and live loops only drive it.
 *
 * Time is now_ns of the station's sample clock, from first_sample; its clock of block time is genesis.time_ns + clock_offset_ns + now_ns.
 * How a loop drives it, for each block of samples [t, t'):
 *   1. app_station_listens(channel) -> render and app_station_hear() each such channel, app_station_skip() the others;
 *   2. app_station_step(t') until app_station_deadline() > t': each step gives at most one emission and one chain update;
 *      the loop writes the chain update's rows (apps/carry.h) and puts the emission through the gate before the next step.
 * Nothing in here knows whether samples are real. */
#ifndef APPS_STATION_STATION_H
#define APPS_STATION_STATION_H

#include "apps/station/respond.h"
#include "chain/holder.h"
#include "chain/hopper.h"
#include "chain/node.h"
#include "mac/mac.h"
#include "mac/repair.h"
#include "phy/waveform.h"

enum {
    APP_STATION_MIN_PAYLOAD = 16, /* octets of a data message */
    APP_STATION_MAX_PAYLOAD = 1400,
    APP_STATION_MAX_NOTES = 64,
    APP_STATION_MAX_DEEDS = CHAIN_MAX_CHANNELS * 2
};

/* What a station's processor and disk take for one of each; a station is one processor and one disk, each a queue.
 * ACK, CTS and CCA are exempt: the MAC profile covers them. */
struct app_station_processing {
    int64_t verify_ns, sign_ns, execute_ns, persist_ns;
};

struct app_station_traffic { /* data of a lease holder; interval_ns 0: none */
    int64_t start_ns, stop_ns, interval_ns;
    uint32_t to;
    uint32_t payload_bytes; /* APP_STATION_MIN_PAYLOAD..MAX_PAYLOAD */
    uint32_t n_wanted, wanted[CHAIN_MAX_CHANNELS];
};

struct app_station_config {
    uint64_t seed;
    uint64_t boot;                      /* mac_config: 0 where the station never ran before */
    uint32_t id;                        /* member id */
    const struct chain_genesis *genesis; /* outlives the station */
    struct chain_node_config node;      /* self, genesis, engine, signer set by the caller */
    const struct phy_waveform *waveform;
    const struct phy_packet_tables *packet; /* packet fidelity; NULL: iq. Borrowed */
    uint32_t sample_rate_hz;
    uint64_t first_sample;              /* index of the first sample that will come */
    double noise_dbfs;
    struct mac_profile profile;         /* of every channel */
    bool vote_slots;                    /* proposals on the control channel reserve slots for the votes (apps/station/slots.h); the same at
                                         * every station, as node.overheard, and not together with repair */
    bool repair;                        /* messages to all are mended on the control channel (mac/repair.h); the same at every station */
    int64_t cca_ns;                     /* block of the energy CCA; a loop's blocks end on its multiples */
    int64_t reassembly_ns, jam_window_ns; /* mac_config */
    int64_t clock_offset_ns;
    int64_t settle_from_ns;             /* from then on the station originates nothing new */
    uint64_t settle_from_height;        /* nor once its ledger has so many blocks; 0: no such bound */
    char call_sign[CHAIN_MAX_NAME];
    int32_t x_cm, y_cm;
    struct app_station_processing processing;
    struct app_station_traffic traffic;
    struct app_responses responses;
    int64_t retune_ns;                  /* what the receiver takes to be on another channel; where the control channel hops */
    bool copies;                        /* an attacker: its data frames go under the address of station `copied` */
    uint32_t copied;
};

/* A deed: the right to transmit on a channel. Control and hop set: deeded by genesis to every member, without expiry. */
struct app_station_deed {
    uint32_t channel;
    int64_t until_ns;     /* station time */
    bool responses_only;  /* a peer of the lease: ACK and CTS */
};

enum app_station_note_kind {
    APP_NOTE_DATA_SENT, APP_NOTE_DATA_ACKED, APP_NOTE_DATA_LOST, APP_NOTE_DATA_RECEIVED, APP_NOTE_VERDICT, APP_NOTE_SENSED, APP_NOTE_PROPOSAL,
    APP_NOTE_HOLDER, APP_NOTE_SUBMITTED, APP_NOTE_SPOOF
};

/* Why the transmitter address of a frame is thought another's: a message under it was not signed by its author; the radio's carrier
 * offset and power do not fit (mac/fingerprint.h); it is one's own. */
enum app_spoof_reason { APP_SPOOF_SIGNATURE, APP_SPOOF_FINGERPRINT, APP_SPOOF_OWN_ADDRESS, APP_SPOOF_N_REASONS };
/* "signature", "fingerprint", "own-address" */
const char *app_spoof_reason_name(enum app_spoof_reason reason);

/* For the journal; nothing that the station does depends on who reads it. */
struct app_station_note {
    enum app_station_note_kind kind;
    int64_t at_ns;
    uint32_t channel;
    uint64_t id;                     /* data: serial number; proposal: height; holder: state; sensed: window; submitted: op kind;
                                      * spoof: station whose address it is */
    size_t len_bytes;                /* proposal: octets of the bundle */
    bool occupied;
    double power_dbfs;
    struct mac_jam_verdict verdict;
    enum app_spoof_reason reason;
    double offset_hz, expected_hz, spread_hz; /* spoof by fingerprint: of the frame, of the station's own, of one estimate */
};

struct app_station_emission {
    uint32_t channel;
    uint64_t start_sample;
    const float complex *burst;   /* valid until the next step; NULL at packet fidelity */
    size_t burst_len;
    const uint8_t *mpdu;          /* without FCS */
    size_t mpdu_len;
    const uint8_t *psdu;          /* with FCS */
    size_t psdu_len;
    unsigned rate_index;
    bool is_response;
};

struct app_station_update {
    bool has_emission;
    struct app_station_emission emission;
    const struct chain_node_update *chain; /* NULL: nothing */
    size_t n_notes;
    struct app_station_note notes[APP_STATION_MAX_NOTES];
};

/* A frame as one of the receivers gave it, for captures and accounts. */
struct app_station_received {
    uint32_t channel;
    struct phy_frame frame;
};

struct app_station;

size_t app_station_bytes(const struct app_station_config *cfg);
__attribute__((warn_unused_result)) int app_station_init(void *mem, size_t len, const struct app_station_config *cfg,
                                                         struct app_station **out, const char **bad_field_out);
/* May be fed from a store, START included, before the first step. */
struct chain_node *app_station_node(struct app_station *s);
/* The channel that the control MAC works on, by what the station knows of the hop epoch; now or, if nothing changes until then, later. Without
 * hopping the control channel. */
uint32_t app_station_control_channel(const struct app_station *s, int64_t now_ns);
/* The channel that control is on now; a data channel while the ledger names the station holder or peer; the others in quiet periods. */
bool app_station_listens(const struct app_station *s, uint32_t channel, int64_t now_ns);
/* The next n samples of a channel; frames heard are also given to the caller through app_station_heard until the next step. */
void app_station_hear(struct app_station *s, uint32_t channel, const float complex *samples, size_t n);
/* The same at packet fidelity: all emissions that overlap the next n samples (phy/phy.h, PHY_EV_ARRIVALS). */
void app_station_hear_arrivals(struct app_station *s, uint32_t channel, const struct phy_arrival *arrivals, size_t n_arrivals,
                               uint64_t n);
void app_station_skip(struct app_station *s, uint32_t channel, uint64_t n);
/* Frames that ended within the samples heard since the last step began, in order of channel and time. */
size_t app_station_heard(const struct app_station *s, const struct app_station_received **out);
/* One unit of work that is due at now_ns. 0, or a negative errno that is fatal to the station (-EILSEQ: two header hashes). */
__attribute__((warn_unused_result)) int app_station_step(struct app_station *s, int64_t now_ns, struct app_station_update *out);
int64_t app_station_deadline(const struct app_station *s);
/* First sample after which one of the PHYs has something to tell though nothing was heard; UINT64_MAX. */
uint64_t app_station_phy_deadline(const struct app_station *s);
/* Takes a client's encoded, signed transaction as a step of its own. *result_out: chain_node_update.submit_result, or -EAGAIN while the
 * station has too much on hand. Returns what a step does. */
__attribute__((warn_unused_result)) int app_station_submit(struct app_station *s, int64_t now_ns, const uint8_t *tx, size_t len,
                                                           struct app_station_update *out, int *result_out);
/* The loop's answer to an emission: it left and ended at end_ns, or the gate refused it. */
void app_station_sent(struct app_station *s, uint32_t channel, int64_t end_ns);
void app_station_refused(struct app_station *s, uint32_t channel, int64_t now_ns);
/* The deed table that the gate reads. */
size_t app_station_deeds(const struct app_station *s, struct app_station_deed out[APP_STATION_MAX_DEEDS]);
/* Quiet window of a channel in station time that ends last before or next after now. */
void app_station_quiet(const struct app_station *s, uint32_t channel, int64_t now_ns, int64_t *start_ns_out, int64_t *end_ns_out);
void app_station_mac_stats(const struct app_station *s, uint32_t channel, struct mac_stats *out);
void app_station_phy_stats(const struct app_station *s, uint32_t channel, struct phy_stats *out);
/* Zero where nothing is repaired. */
void app_station_repair_stats(const struct app_station *s, struct mac_repair_stats *out);
/* How often, by reason; of one address and reason there is a note a second. */
void app_station_spoofs(const struct app_station *s, uint64_t out[APP_SPOOF_N_REASONS]);
struct app_station_hop_stats {
    uint64_t n_hops;               /* changes of channel */
    uint64_t n_brought, n_useless; /* epochs that this station asked for; whose key did not open for it */
    uint32_t epoch;                /* the latest; 0: none */
};
/* Zero where the station does not hop. */
void app_station_hop_stats(const struct app_station *s, struct app_station_hop_stats *out);
uint64_t app_station_inbox_full(const struct app_station *s); /* messages dropped because the processor fell behind */
void app_station_close(struct app_station *s);
#endif
