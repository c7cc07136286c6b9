/* The parts of one station and how its files call each other. */
#ifndef APPS_STATION_INTERNAL_H
#define APPS_STATION_INTERNAL_H

#include "apps/station/slots.h"
#include "apps/station/station.h"
#include "mac/fingerprint.h"

enum {
    MAX_SIGNALS = CHAIN_MAX_CHANNELS * PHY_MAX_SIGNALS,
    INBOX_SLOTS = 64,
    OUTBOX_SLOTS = 96,
    OP_SLOTS = 32,
    PERSIST_SLOTS = 64,
    MAX_FINGERPRINTS = 16, /* stations told apart on a channel */
    MAX_BUNDLE_BYTES = MAC_MAX_MESSAGE_BYTES
};

/* A bundle that waits: for the processor (inbox), or to be handed to the MAC (outbox). */
struct letter {
    int64_t due_ns;
    uint32_t to; /* outbox only */
    struct mac_address from; /* inbox only */
    enum chain_node_urgency urgency;
    unsigned rounds, signatures; /* outbox only: as chain_node_send's */
    size_t len_bytes;
    uint8_t *octets; /* MAX_BUNDLE_BYTES of the station's memory */
};

struct letter_ring {
    struct letter *slots;
    size_t n_slots, head, count;
};

struct timed_op {
    int64_t due_ns;
    struct chain_op op;
};

struct op_ring {
    struct timed_op slots[OP_SLOTS];
    size_t head, count;
};

struct persist_ring {
    struct {
        int64_t due_ns;
        uint64_t seq;
    } slots[PERSIST_SLOTS];
    size_t head, count;
};

/* Ledger events wait for the disk: what a station acts on is on it. */
enum { HELD_EVENTS = 2 * CHAIN_MAX_LEDGER_EVENTS };
struct held_events {
    struct {
        uint64_t seq;
        struct chain_ledger_event event;
    } slots[HELD_EVENTS];
    size_t head, count;
};

struct sensing {
    uint64_t window;          /* being prepared or measured, per channel the same number */
    int64_t end_ns;           /* of the latest channel's window, station time */
    bool open;
    bool have[CHAIN_MAX_CHANNELS];
    struct phy_sense result[CHAIN_MAX_CHANNELS];
    struct chain_sense_report report; /* of the last window committed to, until revealed */
    bool unrevealed;
    int64_t reveal_ns;        /* when to look again whether it may be revealed */
};

struct traffic {
    int64_t next_ns;
    uint64_t n_sent;
    bool outstanding;
};

struct transmitter {
    bool busy;       /* an emission was given out and its end is not yet reported to the MAC */
    uint32_t channel;
    int64_t end_ns;
};

struct hopping {
    bool on, waits;      /* waits: an epoch that it brings has not yet been handed to the node */
    struct chain_hopper hopper;
    int64_t edge_ns;     /* of the slot that comes next */
    int64_t held_ns;     /* the last edge around which the medium is held */
    int64_t bound_ns;    /* retuning: when the MAC is on the new channel; INT64_MAX: it is */
    uint64_t n_hops;
};

struct app_station {
    struct app_station_config cfg;
    uint32_t n_channels, control;
    uint32_t tuned;                       /* channel that the control MAC works on */
    struct hopping hopping;
    struct phy *phys[CHAIN_MAX_CHANNELS];
    struct mac *macs[CHAIN_MAX_CHANNELS]; /* NULL: a channel of the hop set, which the control MAC goes to */
    int64_t mac_deadline_ns[CHAIN_MAX_CHANNELS]; /* as of each MAC's last step */
    struct chain_node *node;
    int64_t node_deadline_ns; /* station time, as of the node's last step */
    struct chain_node_update *chain_update;
    struct mac_update mac_update;
    struct mac_repair *repair;  /* NULL: messages to all go as they are */
    struct phy_update phy_update;
    struct chain_holder holder;
    bool has_holder;
    bool started;
    int64_t now_ns;  /* of the latest step */
    int64_t grid_ns; /* CCA time: the loop's blocks end on its multiples */

    struct {
        uint32_t channel;
        struct phy_signal signal;
    } signals[MAX_SIGNALS];
    size_t n_signals, i_signal;
    bool busy[CHAIN_MAX_CHANNELS]; /* by each channel's own CCA */
    struct app_station_received heard[MAX_SIGNALS];
    size_t n_heard;

    struct letter_ring inbox, outbox;
    struct op_ring ops;
    struct persist_ring persists;
    struct held_events held;
    uint64_t n_inbox_full, n_outbox_full;
    struct mac_fingerprint fingerprints[CHAIN_MAX_CHANNELS];
    struct mac_fingerprint_peer fingerprint_peers[CHAIN_MAX_CHANNELS][MAX_FINGERPRINTS];
    uint64_t n_spoofs[APP_SPOOF_N_REASONS];
    uint8_t spoofed[MAC_MAX_MPDU_BYTES]; /* of an attacker: the frame that is out */
    struct {
        int64_t at_ns;
        uint32_t station;
    } spoof_noted[APP_SPOOF_N_REASONS]; /* the last one that was */
    int64_t cpu_free_ns, disk_free_ns;
    uint64_t n_proposed;   /* by the node, ever */
    bool proposal_waits;   /* one of them has not yet left for the MAC */

    struct app_jammed jammed[CHAIN_MAX_CHANNELS];
    unsigned n_lost;        /* data messages in a row */
    int64_t collapsed_ns[CHAIN_MAX_CHANNELS]; /* data were lost in a row there: avoided until then */
    int64_t leave_ns;       /* an attack was named: the holder looks at it then; INT64_MAX */
    bool waits, gossip_waits; /* for the control channel's medium: what the node was told of votes and proposals, and of those with gossip */
    struct app_links links; /* on the control channel */
    struct mac_exposure exposure; /* how messages to all go there: what its MAC was told */

    struct transmitter tx;
    struct sensing sensing;
    struct traffic traffic;
    int64_t last_evidence_ns[CHAIN_MAX_CHANNELS], last_copied_ns[CHAIN_MAX_CHANNELS];
    bool named[CHAIN_MAX_CHANNELS];           /* ledger names us holder or peer */
    int64_t peer_until_ns[CHAIN_MAX_CHANNELS]; /* station time; INT64_MIN: no peer */
    int64_t listen_until_ns[CHAIN_MAX_CHANNELS], listen_from_ns[CHAIN_MAX_CHANNELS]; /* quiet window to sense */
};

/* Clocks: block time is what the ledger speaks. */
static inline int64_t block_time(const struct app_station *s, int64_t now_ns)
{
    return s->cfg.genesis->time_ns + s->cfg.clock_offset_ns + now_ns;
}
static inline int64_t station_time(const struct app_station *s, int64_t block_ns)
{
    return block_ns - s->cfg.genesis->time_ns - s->cfg.clock_offset_ns;
}
/* Sample instants in whole ns (rates divide 1e9 or are rounded down); and the first sample not before an instant. */
static inline int64_t sample_ns(const struct app_station *s, uint64_t sample)
{
    uint64_t rate = s->cfg.sample_rate_hz;
    return (int64_t)(sample / rate * 1000000000u + sample % rate * 1000000000u / rate);
}
static inline uint64_t sample_at(const struct app_station *s, int64_t t_ns)
{
    uint64_t t = t_ns < 0 ? 0 : (uint64_t)t_ns, rate = s->cfg.sample_rate_hz;
    return t / 1000000000u * rate + (t % 1000000000u * rate + 999999999u) / 1000000000u;
}

/* rings.c */
struct letter *letter_push(struct letter_ring *ring, int64_t due_ns, const uint8_t *data, size_t len);
struct letter *letter_peek(const struct letter_ring *ring);
void letter_pop(struct letter_ring *ring);
bool op_push(struct op_ring *ring, int64_t due_ns, const struct chain_op *op);

/* station.c: what the votes of this cluster need */
struct app_slots_config station_slots(const struct app_station_config *cfg);

/* radio.c: PHY signals and MAC work */
int radio_signal(struct app_station *s, struct app_station_update *out);
int radio_tick(struct app_station *s, uint32_t channel, int64_t now_ns, struct app_station_update *out);
int radio_send(struct app_station *s, uint32_t channel, int64_t now_ns, const struct mac_event *send, struct app_station_update *out);
int radio_tx_done(struct app_station *s, struct app_station_update *out);
void radio_hold(struct app_station *s, uint32_t channel, int64_t now_ns, int64_t from_ns, int64_t to_ns);
/* How messages to all go on a channel from here on. */
void radio_expose(struct app_station *s, uint32_t channel, int64_t now_ns, const struct mac_exposure *exposure);
void radio_drop_queue(struct app_station *s, uint32_t channel);
int radio_retune(struct app_station *s, const struct mac_event *retune, struct app_station_update *out);

/* hop.c: which channel the control MAC works on */
bool hop_start(struct app_station *s);
/* Of a channel, its MAC; of a MAC, the channel that it is on. */
uint32_t mac_of(const struct app_station *s, uint32_t channel);
uint32_t phy_of(const struct app_station *s, uint32_t mac);
/* Does a MAC take what this channel's PHY has to say? */
bool hop_hears(const struct app_station *s, uint32_t channel);
int64_t hop_deadline(const struct app_station *s);
int hop_run(struct app_station *s, int64_t now_ns, struct app_station_update *out);
/* After a block: is there a new epoch, or one to bring? */
void hop_look(struct app_station *s, int64_t now_ns);
void hop_submitted(struct app_station *s, enum chain_op_kind op);

/* group.c: messages to all, mended where frames were lost */
bool group_id(uint64_t report_id); /* of a frame of this file's */
struct mac_repair_config group_config(const struct app_station_config *cfg, const struct mac_config *mac);
int group_send(struct app_station *s, int64_t now_ns, const struct mac_event *send, struct app_station_update *out);
/* A broadcast was heard: true when a whole message came of it. */
bool group_heard(struct app_station *s, const struct mac_delivery *heard, int64_t now_ns, struct mac_repair_update *out);
void group_left(struct app_station *s, int64_t now_ns);
int64_t group_deadline(const struct app_station *s);
int group_run(struct app_station *s, int64_t now_ns, struct app_station_update *out);

/* ledger.c: the ledger node as a processor and a disk with queues */
int ledger_step(struct app_station *s, const struct chain_node_event *event, struct app_station_update *out);
bool ledger_due(const struct app_station *s, int64_t now_ns);
int ledger_run(struct app_station *s, int64_t now_ns, struct app_station_update *out);
int ledger_submit(struct app_station *s, int64_t now_ns, const uint8_t *tx, size_t len, struct app_station_update *out, int *result_out);
int64_t ledger_deadline(const struct app_station *s);

/* spoof.c: addresses that others use */
void spoof_start(struct app_station *s);
void spoof_frame(struct app_station *s, uint32_t channel, const struct mac_event *event, struct app_station_update *out);
/* What an attacker sends in place of this frame. */
const uint8_t *spoof_address(struct app_station *s, const uint8_t *mpdu, size_t len);
/* A message that arrived under this address is not signed by its author. */
void spoof_forged(struct app_station *s, const struct mac_address *transmitter, int64_t now_ns, struct app_station_update *out);

/* adapt.c: what the responses to jamming change */
void adapt_start(struct app_station *s);
void adapt_verdict(struct app_station *s, const struct mac_jam_verdict *verdict, int64_t now_ns);
void adapt_heard(struct app_station *s, const struct mac_delivery *delivery, int64_t now_ns);
/* What became of a message of data. */
void adapt_data(struct app_station *s, uint32_t channel, bool acked, int64_t now_ns);
/* Channels that a lease holder stays away from: bit c. */
uint32_t adapt_avoided(const struct app_station *s, int64_t now_ns);
/* The medium keeps votes, proposals or gossip waiting, or no longer does: when the node has to hear of it; INT64_MAX. */
int64_t adapt_access_due(const struct app_station *s);
struct chain_node_event adapt_access(struct app_station *s, int64_t now_ns);
/* Of votes in slots. */
unsigned adapt_slot_rate(const struct app_station *s, int64_t now_ns);
/* Before a message goes to all on the control channel. */
void adapt_exposure(struct app_station *s, int64_t now_ns);

/* policy.c: what spans the layers */
/* Queues an operation if the station may originate any; false: it does not come. */
bool policy_submit(struct app_station *s, int64_t due_ns, const struct chain_op *op);
void policy_start(struct app_station *s);
void policy_sensed(struct app_station *s, uint32_t channel, const struct phy_sense *sense, int64_t at_ns,
                   struct app_station_update *out);
void policy_ledger_event(struct app_station *s, const struct chain_ledger_event *event, int64_t now_ns,
                         struct app_station_update *out);
/* An operation of ours was signed under this nonce. */
void policy_submitted(struct app_station *s, enum chain_op_kind op, uint64_t nonce, int64_t now_ns);
void policy_verdict(struct app_station *s, const struct mac_jam_verdict *verdict, int64_t now_ns, struct app_station_update *out);
/* A frame that a member's radio cannot have sent came under its address: evidence of unauthorised use of the channel. */
void policy_copied(struct app_station *s, uint32_t channel, const struct mac_rx_quality *quality, int64_t now_ns);
int64_t policy_deadline(const struct app_station *s);
int policy_run(struct app_station *s, int64_t now_ns, struct app_station_update *out);

struct app_station_note *note(struct app_station_update *out, enum app_station_note_kind kind, int64_t at_ns, uint32_t channel);
#endif
