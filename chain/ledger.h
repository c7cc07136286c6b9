/* The ledger: a deterministic function of (state, transaction, block time). Integers only. Pure.
 * Keys, members, stations, sensing windows with fusion and reputation, white-space and incumbent records, leases with the CBRS life cycle
 * (WINNF-TS-0016 states and response codes), evidence of jamming, of unauthorised use and of equivocation, access history, units, and
 * applications' records, hop epochs. */
#ifndef CHAIN_LEDGER_H
#define CHAIN_LEDGER_H

#include "chain/batch.h"
#include "chain/hop.h"
#include "chain/tx.h"

enum {
    CHAIN_MAX_GRANTS = 64,
    CHAIN_MAX_EVIDENCE = 64,
    CHAIN_MAX_SPECTRUM = 32,
    CHAIN_MAX_MOTIONS = 64,     /* two for each seat */
    CHAIN_MAX_BATCH_OPS = 1024, /* operations in a block, over all envelopes */
    CHAIN_NONCE_WINDOW = 1024,  /* below an author's highest nonce: older ones count as used */
    CHAIN_MAX_LEDGER_EVENTS = 8192
};

enum chain_response { /* WINNF-TS-0016 */
    CHAIN_SUCCESS = 0, CHAIN_VERSION = 100, CHAIN_BLACKLISTED = 101, CHAIN_MISSING_PARAM = 102, CHAIN_INVALID_VALUE = 103, CHAIN_CERT_ERROR = 104,
    CHAIN_DEREGISTER = 105, CHAIN_REG_PENDING = 200, CHAIN_UNSUPPORTED_SPECTRUM = 300, CHAIN_INTERFERENCE = 400,
    CHAIN_GRANT_CONFLICT = 401, CHAIN_TERMINATED_GRANT = 500, CHAIN_SUSPENDED_GRANT = 501, CHAIN_UNSYNC_OP_PARAM = 502,
    /* not of WINNF-TS-0016, which has nothing to say here */
    CHAIN_NOT_ENTITLED = 600,     /* others than the sender may ask for that */
    CHAIN_LIMIT = 601,            /* a table is full */
    CHAIN_FUNDS = 602,            /* the balance is too small */
    CHAIN_BUSY = 603              /* a change of members is on its way in this block; a node has no room for what it is handed */
};
const char *chain_response_name(enum chain_response code);

enum chain_channel_status { CHAIN_CHANNEL_UNKNOWN, CHAIN_CHANNEL_WHITE, CHAIN_CHANNEL_INCUMBENT };

struct chain_channel_record {
    enum chain_channel_status status;
    uint64_t since_window;
    int64_t since_ns;       /* block time */
    uint32_t free_windows;  /* consecutive, up to now */
};

enum chain_grant_state { CHAIN_GRANT_IDLE, CHAIN_GRANT_GRANTED, CHAIN_GRANT_AUTHORIZED };

struct chain_grant {
    uint64_t id;             /* from 1 */
    uint32_t holder, channel;
    uint32_t n_peers, peers[8];
    uint64_t low_hz, high_hz;
    int32_t max_eirp_cdbm_mhz;
    enum chain_grant_state state; /* IDLE: ended */
    bool suspended;          /* GRANTED again by an incumbent (501) */
    int64_t granted_ns, grant_expire_ns;
    int64_t transmit_expire_ns; /* 0 before the first heartbeat */
    int64_t suspended_ns, ended_ns; /* 0 if not */
    uint32_t paid;           /* ledger units, for the time up to its end */
    /* where reuse_m counts: its stations' way. Within trail_m of the first place that one of them left, somebody may still send until
     * trail_until_ns. */
    int64_t moved_ns;        /* when one of them last moved; 0: never */
    int64_t trail_until_ns;  /* 0: there is no trail */
    int32_t trail_lat_e7, trail_lon_e7;
    uint32_t trail_m;
};

enum { CHAIN_EVIDENCE_UNAUTHORISED = 255 }; /* kind of a record of unauthorised use; the others are kinds of jamming */

/* What the authority says of a band, a time and a place (RFC 7545). */
struct chain_spectrum_record {
    uint64_t id;             /* from 1 */
    struct chain_spectrum what;
    bool begun;              /* its time has come */
};

struct chain_evidence {
    uint32_t channel;
    uint8_t kind;
    uint32_t suspect;        /* CHAIN_MAX_KEYS: nobody */
    int32_t lat_e7, lon_e7;  /* where its first witness was */
    int64_t from_ns, at_ns;
    uint64_t witnesses;      /* bitmap of authors; same channel, kind and time (within 1 s) are one record */
    bool confirmed;          /* enough distinct witnesses: f+1, and never fewer than two */
    uint64_t id;             /* from 1 */
};

/* What several members have to say before it happens. */
enum chain_motion_kind { CHAIN_MOTION_ADMIT, CHAIN_MOTION_SEAT, CHAIN_MOTION_UNSEAT };

struct chain_motion {
    uint64_t id;             /* from 1 */
    enum chain_motion_kind kind;
    uint8_t key[CHAIN_KEY_BYTES]; /* ADMIT */
    uint32_t key_id;         /* SEAT, UNSEAT */
    uint32_t opener;
    int64_t opened_ns;
    uint64_t voices;         /* bitmap of key ids */
};

/* A station's last grants of one channel, oldest first, and until when it gets no more. */
struct chain_access {
    uint32_t n;
    int64_t at_ns[CHAIN_MAX_ACCESS];
    int64_t barred_until_ns; /* 0: never was */
};

/* What the state keeps of an application's record. */
struct chain_put {
    struct chain_hash value_hash; /* BLAKE2b-256 of the value */
    uint64_t height;
};

enum chain_ledger_event_kind {
    CHAIN_LE_REGISTERED, CHAIN_LE_WINDOW_FUSED, CHAIN_LE_WHITE_SPACE, CHAIN_LE_INCUMBENT, CHAIN_LE_GRANTED, CHAIN_LE_AUTHORIZED,
    CHAIN_LE_HEARTBEAT, CHAIN_LE_SUSPENDED, CHAIN_LE_EXPIRED, CHAIN_LE_RELINQUISHED, CHAIN_LE_EVIDENCE, CHAIN_LE_EVIDENCE_CONFIRMED,
    CHAIN_LE_MOVED, CHAIN_LE_DEREGISTERED,
    CHAIN_LE_ADMITTED,     /* station: the new key id */
    CHAIN_LE_RECONFIGURED, /* station: who gets or loses a seat; id: the epoch that begins after this block */
    CHAIN_LE_CONVICTED,    /* station: who equivocated; id: in which epoch */
    CHAIN_LE_BARRED,       /* code 101 from now on, on this channel */
    CHAIN_LE_PAID,         /* station: to whom */
    CHAIN_LE_RECORDED, CHAIN_LE_WITHDRAWN, /* a spectrum record; id: its number */
    CHAIN_LE_SHORTENED,    /* a grant's grantExpireTime, for the sake of a record */
    CHAIN_LE_REFUSED, CHAIN_LE_TX, /* every operation, applied or refused: result */
    CHAIN_LE_HOP_EPOCH     /* station: who brought it; id: its number */
};
const char *chain_ledger_event_name(enum chain_ledger_event_kind kind);

struct chain_ledger_event {
    enum chain_ledger_event_kind kind;
    uint64_t height;
    int64_t block_time_ns;
    uint32_t station;        /* author, holder or witness; CHAIN_MAX_KEYS if nobody */
    uint32_t channel;        /* CHAIN_MAX_CHANNELS if none */
    uint64_t id;             /* grant id, window or evidence id */
    uint64_t nonce;          /* of the operation, for TX and REFUSED */
    uint32_t tx, index;      /* for TX and REFUSED: the envelope in the block, and the operation in it */
    uint8_t sig[CHAIN_SIG_BYTES]; /* for TX and REFUSED: the envelope's, which no other one has; 0 where it cannot be read */
    enum chain_op_kind op;   /* EVIDENCE, EVIDENCE_CONFIRMED: by which kind of operation; for TX and REFUSED; 0: the envelope was refused as a whole, by one event with its first nonce */
    enum chain_response code;
    uint32_t n_reports, n_positive; /* WINDOW_FUSED: for this channel */
    bool occupied;                  /* WINDOW_FUSED */
};
/* Order within a block: EXPIRED by grant id (code 500: the grant ended; so it does later where its place is lost; code 0: only transmitExpireTime passed), then each
 * transaction in turn (what it did, REFUSED if it was, TX), then what new or withdrawn records do to grants (SUSPENDED, EXPIRED,
 * SHORTENED), then the windows that this block decides, for each channel
 * WINDOW_FUSED (code 502: void, too few reports, counts as no decision), WHITE_SPACE or INCUMBENT on a change, SUSPENDED. */

struct chain_ledger;

size_t chain_ledger_bytes(const struct chain_genesis *genesis);
/* State after the genesis block (height 0). genesis is copied and must be finished (its chain id set). */
__attribute__((warn_unused_result)) int chain_ledger_init(void *mem, size_t len, const struct chain_genesis *genesis,
                                                          const struct chain_signer *signer, struct chain_ledger **out,
                                                          const char **bad_field_out);
/* May this transaction (decoded, signature verified by the caller) enter the mempool now? SUCCESS, or why not.
 * It says nothing about rules that depend on what happens before it is ordered, nor about the single operations of an envelope that holds
 * several: each of those gets its own answer. -EALREADY: a nonce of its range was used. */
int chain_ledger_check_tx(const struct chain_ledger *l, const struct chain_msg *tx);
/* Was a nonce of these used, or are they below what is still taken? */
bool chain_ledger_nonce_used(const struct chain_ledger *l, uint32_t author, uint64_t first, uint64_t n);
/* Would this node vote for the batch? Decodes, checks each envelope's form and signature, and time (> the tip's; <= now + max_ahead).
 * is_next: it would be the block after the tip, so that nonces are checked too; a later one's are left to its execution, which refuses
 * what was used with a code. 0, -EBADMSG (malformed, too many operations, bad signature), -ETIME (time), -EALREADY (a nonce used twice). */
int chain_ledger_check_batch(const struct chain_ledger *l, const uint8_t *batch, size_t len, int64_t now_ns, bool is_next);
/* The same of a batch that this node put together from envelopes whose signatures it has checked. */
int chain_ledger_check_own_batch(const struct chain_ledger *l, const uint8_t *batch, size_t len, int64_t now_ns, bool is_next);
/* The most events that a block of n operations yields; an envelope that is refused as a whole counts as one. */
size_t chain_ledger_events_bound(size_t n);
/* Executes the next block at block time max(batch time, parent's + 1). Operations succeed or fail one by one. An envelope is
 * refused as a whole, with a code and never fatally (a Raft follower executes what was committed), if it is ill-formed or a nonce of its
 * range was used, or if it would be more than the block's CHAIN_MAX_BATCH_OPS.
 * 0; -EBADMSG if the octets are no batch, -ENOSPC if cap, events_out's entries, is below CHAIN_MAX_LEDGER_EVENTS: nothing changed.
 * verify_signatures: also verify every transaction's signature (ledger verify; Raft followers trust the leader's check). */
__attribute__((warn_unused_result)) int chain_ledger_apply(struct chain_ledger *l, const uint8_t *batch, size_t len,
                                                           bool verify_signatures, struct chain_header *header_out,
                                                           struct chain_ledger_event *events_out, size_t cap, size_t *n_out);

uint64_t chain_ledger_height(const struct chain_ledger *l);
const struct chain_header *chain_ledger_tip(const struct chain_ledger *l); /* height 0: genesis header */
/* Who certifies the next block. Keys grow by admission within an epoch; seats and epoch change with the block that executes a
 * reconfiguration. Valid until the next apply. */
const struct chain_members *chain_ledger_members(const struct chain_ledger *l);
/* Bitmap of seats whose equivocation in this epoch is on the ledger. */
uint32_t chain_ledger_convicted(const struct chain_ledger *l);
size_t chain_ledger_n_motions(const struct chain_ledger *l);
const struct chain_motion *chain_ledger_motion(const struct chain_ledger *l, size_t i); /* oldest first */
const struct chain_channel_record *chain_ledger_channel(const struct chain_ledger *l, uint32_t channel);
/* Is the channel white space by sensing, and nobody's anywhere, in a block of that time? */
bool chain_ledger_channel_free(const struct chain_ledger *l, uint32_t channel, int64_t time_ns);
/* How a grant request (op->grant) would be answered in a block of that time, as long as the table has room. */
enum chain_response chain_ledger_judge_grant(const struct chain_ledger *l, uint32_t author, const struct chain_op *op, int64_t time_ns);
size_t chain_ledger_n_records(const struct chain_ledger *l);
const struct chain_spectrum_record *chain_ledger_record(const struct chain_ledger *l, size_t i); /* oldest first */
size_t chain_ledger_n_grants(const struct chain_ledger *l);
const struct chain_grant *chain_ledger_grant(const struct chain_ledger *l, size_t i); /* oldest first, live ones kept */
size_t chain_ledger_n_evidence(const struct chain_ledger *l);
const struct chain_evidence *chain_ledger_evidence(const struct chain_ledger *l, size_t i);
/* One above the highest nonce that a key used; 0 if it used none. */
uint64_t chain_ledger_next_nonce(const struct chain_ledger *l, uint32_t key_id);
/* May an envelope of the key still use these nonces? */
bool chain_ledger_nonces_unused(const struct chain_ledger *l, uint32_t key_id, uint64_t first, uint64_t n);
bool chain_ledger_registered(const struct chain_ledger *l, uint32_t station);
uint32_t chain_ledger_reputation(const struct chain_ledger *l, uint32_t station);
/* NULL for what is no station or channel. */
const struct chain_access *chain_ledger_access(const struct chain_ledger *l, uint32_t station, uint32_t channel);
bool chain_ledger_barred(const struct chain_ledger *l, uint32_t station, uint32_t channel, int64_t time_ns);
uint64_t chain_ledger_treasury(const struct chain_ledger *l);
uint64_t chain_ledger_balance(const struct chain_ledger *l, uint32_t key_id);
/* NULL if the station keeps nothing under that key. */
const struct chain_put *chain_ledger_put(const struct chain_ledger *l, uint32_t station, uint32_t key);
/* The hop epoch that was brought last; NULL: none yet, or no hop set. It counts from its from_ns on. */
const struct chain_hop_epoch *chain_ledger_hop(const struct chain_ledger *l);
/* What that epoch sealed to a key; NULL: nothing. */
const uint8_t *chain_ledger_hop_box(const struct chain_ledger *l, uint32_t key_id, const uint8_t **ephemeral_out);
/* Over which channels an epoch in a block of that time has to hop: those of the set that no confirmed evidence named within hop_hold_off; all
 * where it named all. */
uint8_t chain_ledger_hop_mask(const struct chain_ledger *l, int64_t time_ns);
/* Would any member's next epoch be taken? None yet, the members changed, or that mask did. */
bool chain_ledger_hop_due(const struct chain_ledger *l, int64_t time_ns);
/* Would this member's, though none is due? Once between two that were due, and not over its own: for a box that does not open. */
bool chain_ledger_hop_may_repair(const struct chain_ledger *l, uint32_t key_id);
/* The latest from_ns that a block of that time takes. */
int64_t chain_ledger_hop_latest_ns(const struct chain_ledger *l, int64_t time_ns);
/* What holds in every state, whatever was executed: units add up to the supply, seats ascend among the keys, no channel has two holders,
 * tables keep their order and bounds. NULL, or what does not. For tests and simulations: it visits the whole state. */
const char *chain_ledger_audit(const struct chain_ledger *l);
/* True while the (station, window) commitment is on the ledger and unrevealed. */
bool chain_ledger_committed(const struct chain_ledger *l, uint32_t station, uint64_t window);
/* Would a block of that time take a reveal? The first reveal closes a window's commitments, so there is none until every station that was
 * registered before the window has committed, or half of fuse_after has passed since its end. */
bool chain_ledger_may_reveal(const struct chain_ledger *l, uint64_t window, int64_t time_ns);
/* A proof-friendly listing of the whole state: entry i as (key, value) CBOR octets; state_root is the Merkle root over them,
 * sorted by key. Returns the number of entries; visits each in order. */
size_t chain_ledger_entries(const struct chain_ledger *l,
                            void (*visit)(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len),
                            void *ctx);
#endif
