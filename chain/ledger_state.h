/* Inside of the ledger, shared by chain/ledger*.c only. */
#ifndef CHAIN_LEDGER_STATE_H
#define CHAIN_LEDGER_STATE_H

#include "chain/ledger.h"
#include "chain/ledger_fuse.h"
#include "chain/map.h"
#include "chain/merkle.h"

enum { CHAIN_MAX_WINDOWS = 12, CHAIN_NONCE_WORDS = CHAIN_NONCE_WINDOW / 64 };
enum { CHAIN_MAX_ENTRY_KEY = 32, CHAIN_MAX_ENTRY_VALUE = 1280, CHAIN_MAX_TOUCHED = 1536, CHAIN_TOUCH_SLOTS = 2048 };

struct chain_station {
    bool registered, departed; /* never both */
    int64_t registered_ns;
    struct chain_fuse_record sensing;
    char call_sign[CHAIN_MAX_NAME];
    int32_t lat_e7, lon_e7, height_cm;
};

struct chain_nonces {
    uint64_t top;  /* highest nonce seen + 1; 0 if none */
    uint64_t used[CHAIN_NONCE_WORDS]; /* bit i: nonce top - 1 - i was used */
};

/* What one station said of one window. */
struct chain_sensing {
    bool committed, revealed;
    uint64_t commit_height;
    struct chain_hash commitment;
    uint8_t occupied; /* bit per channel */
};

struct chain_window_state {
    uint64_t window;
    bool any_revealed; /* the commitments are closed */
    struct chain_sensing by_station[CHAIN_MAX_KEYS];
};

/* The control channel's hopping (chain/hop.h). */
struct chain_hop {
    struct chain_hop_epoch current;
    uint32_t members_epoch, issuer;
    uint64_t repaired;     /* bitmap of key ids: who brought an epoch that was not due, since the last one that was */
    uint64_t sealed_to;    /* bitmap of key ids */
    uint8_t ephemeral[CHAIN_CURVE_BYTES];
    uint8_t boxes[CHAIN_MAX_KEYS][CHAIN_HOP_BOX_BYTES];
    int64_t held_until_ns[CHAIN_MAX_CHANNELS]; /* 0: never was */
};

/* Entries that the block in execution changed, each once; n > CHAIN_MAX_TOUCHED: too many to list. */
struct chain_touched {
    size_t n;
    uint16_t index[CHAIN_TOUCH_SLOTS]; /* number in keys + 1; 0: free */
    struct {
        uint32_t table;
        uint64_t id, sub;
    } keys[CHAIN_MAX_TOUCHED];
};

struct chain_ledger {
    struct chain_genesis genesis;
    struct chain_signer signer;
    struct chain_hash genesis_hash, tip_hash;
    struct chain_header tip;
    struct chain_station stations[CHAIN_MAX_KEYS];
    struct chain_nonces nonces[CHAIN_MAX_KEYS];
    struct chain_channel_record channels[CHAIN_MAX_CHANNELS];
    uint64_t next_window; /* windows below it are decided or lost */
    size_t n_windows;     /* open ones, ascending */
    struct chain_window_state windows[CHAIN_MAX_WINDOWS];
    uint64_t next_grant_id, next_evidence_id;
    size_t n_grants, n_evidence; /* ids ascending */
    struct chain_grant grants[CHAIN_MAX_GRANTS];
    struct chain_evidence evidence[CHAIN_MAX_EVIDENCE];
    uint64_t next_record_id;
    size_t n_records; /* ids ascending */
    struct chain_spectrum_record records[CHAIN_MAX_SPECTRUM];
    uint64_t next_motion_id;
    size_t n_motions; /* ids ascending */
    struct chain_motion motions[CHAIN_MAX_MOTIONS];
    uint32_t convicted; /* seats of this epoch */
    struct {
        uint32_t n, convicted; /* n 0: there was none */
        uint8_t seats[CHAIN_MAX_MEMBERS];
    } former;                  /* the epoch before */
    uint64_t treasury, balances[CHAIN_MAX_KEYS];
    struct chain_access access[CHAIN_MAX_KEYS][CHAIN_MAX_CHANNELS];
    struct chain_put *puts; /* [key id][put key] */
    struct chain_hop hop;
    struct chain_map *map; /* over all entries, as of the last block */
    struct chain_touched touched;
    struct chain_merkle below; /* over the hashes of the headers below the tip */
    /* the block that is being executed */
    bool recheck; /* grants against records, once its operations are done */
    struct {
        bool due, add;
        uint32_t key_id;
    } reseat;           /* at its end */
    uint32_t n_accused; /* proofs of equivocation looked at */
    uint64_t height;
    int64_t time_ns;
    struct chain_ledger_event *events;
    size_t n_events, cap_events;
};

/* A zeroed event of the current block with station and channel "none"; never NULL: the bound was checked before. */
struct chain_ledger_event *chain_ledger_emit(struct chain_ledger *l, enum chain_ledger_event_kind kind);

/* For n nonces from first on. -EALREADY if one of them was used or lies below the window; take marks them. */
int chain_ledger_nonce_check(const struct chain_nonces *nonces, uint64_t first, uint64_t n);
void chain_ledger_nonce_take(struct chain_nonces *nonces, uint64_t first, uint64_t n);
/* What the operation's own fields say, without any state but genesis. */
enum chain_response chain_ledger_check_op(const struct chain_ledger *l, const struct chain_op *op);

/* Each applies one operation whose fields are checked; subject: the transaction's event, to fill id and channel. */
enum chain_response chain_ledger_commit(struct chain_ledger *l, uint32_t author, const struct chain_op *op);
enum chain_response chain_ledger_reveal(struct chain_ledger *l, uint32_t author, const struct chain_op *op);
void chain_ledger_fuse_due(struct chain_ledger *l);
enum chain_response chain_ledger_request_grant(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                               struct chain_ledger_event *subject);
enum chain_response chain_ledger_heartbeat(struct chain_ledger *l, uint32_t author, uint64_t id, struct chain_ledger_event *subject);
enum chain_response chain_ledger_relinquish(struct chain_ledger *l, uint32_t author, uint64_t id, struct chain_ledger_event *subject);
void chain_ledger_expire_grants(struct chain_ledger *l);
void chain_ledger_suspend_channel(struct chain_ledger *l, uint32_t channel);
enum chain_response chain_ledger_add_evidence(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                              struct chain_ledger_event *subject);
enum chain_response chain_ledger_add_unauthorised(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                                  struct chain_ledger_event *subject);
enum chain_response chain_ledger_register(struct chain_ledger *l, uint32_t author, const struct chain_op *op);
enum chain_response chain_ledger_move(struct chain_ledger *l, uint32_t author, const struct chain_op *op);
enum chain_response chain_ledger_deregister(struct chain_ledger *l, uint32_t author);
enum chain_response chain_ledger_keep_put(struct chain_ledger *l, uint32_t author, const struct chain_op *op);
enum chain_response chain_ledger_admit(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                       struct chain_ledger_event *subject);
enum chain_response chain_ledger_reconfigure(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                             struct chain_ledger_event *subject);
enum chain_response chain_ledger_accuse(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                        struct chain_ledger_event *subject);
enum chain_response chain_ledger_bring_hop(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                           struct chain_ledger_event *subject);
/* Enough witnesses have just named this channel as jammed. */
void chain_ledger_hold_hop(struct chain_ledger *l, uint32_t channel);
enum chain_response chain_ledger_pay(struct chain_ledger *l, uint32_t author, const struct chain_op *op);
/* After the block's last operation: the new epoch, if a reconfiguration was carried. */
void chain_ledger_take_seats(struct chain_ledger *l);
enum chain_response chain_ledger_add_record(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                            struct chain_ledger_event *subject);
enum chain_response chain_ledger_withdraw(struct chain_ledger *l, uint32_t author, uint64_t id, struct chain_ledger_event *subject);
/* Records begin and end with the block's time. */
void chain_ledger_age_records(struct chain_ledger *l);
/* May this lease (holder, peers, band, EIRP) be where its stations are, and until when by the records? SUCCESS; 300: no white space;
 * 400: an incumbent's, or one comes before everybody could be silent. */
enum chain_response chain_ledger_check_place(const struct chain_ledger *l, const struct chain_grant *g, int64_t time_ns, int64_t *until_ns_out);
/* Within the reuse distance, any station of one of any of the other, or of what the other's have left behind by then. */
bool chain_ledger_is_near(const struct chain_ledger *l, const struct chain_grant *g, const struct chain_grant *other, int64_t time_ns);
/* Do all its stations stand within the reuse distance of its holder, and within twice that of where its trail began? Else it is not valid. */
bool chain_ledger_is_together(const struct chain_ledger *l, const struct chain_grant *g);
uint64_t chain_ledger_widest_trail_m(const struct chain_ledger *l);
/* A station is about to leave its place, from where it may still be sending under a lease until the time. */
void chain_ledger_leave_trail(const struct chain_ledger *l, struct chain_grant *g, uint32_t station, int64_t until_ns);
/* Where records changed or a station moved (recheck): leases are suspended, ended or cut short, each by one event. */
void chain_ledger_recheck_grants(struct chain_ledger *l);
/* Before a station moves: what it leaves is kept with the leases under which it sends. */
void chain_ledger_note_leaving(struct chain_ledger *l, uint32_t station);
/* After a station moved: what is not valid there ends. */
void chain_ledger_recheck_station(struct chain_ledger *l, uint32_t station);
/* A station leaves: its live grants end. */
void chain_ledger_end_grants(struct chain_ledger *l, uint32_t station);
/* Suspends the station's live grants of the channel. */
void chain_ledger_suspend_station(struct chain_ledger *l, uint32_t station, uint32_t channel);
/* For the audit: no two that may be on the air at the tip's time hold one channel. */
bool chain_ledger_held_once(const struct chain_ledger *l);
/* From the treasury, as far as that reaches. */
void chain_ledger_earn(struct chain_ledger *l, uint32_t station, uint64_t amount);
/* What a grant that names so many peers costs; charge takes it from who has it. refund: a share of what was paid for
 * the time from until_ns on; what stays paid is the part before, so that no time is given back twice. */
uint32_t chain_ledger_price(const struct chain_ledger *l, uint32_t n_peers);
void chain_ledger_charge(struct chain_ledger *l, uint32_t station, uint32_t amount);
void chain_ledger_refund(struct chain_ledger *l, struct chain_grant *g, int64_t until_ns);
/* A grant was given: it enters the history, and bars the station if it was one too many. */
void chain_ledger_note_access(struct chain_ledger *l, uint32_t station, uint32_t channel);
void chain_ledger_bar(struct chain_ledger *l, uint32_t station, uint32_t channel);
/* Every change of something that chain_ledger_entries lists calls chain_ledger_touch: the root costs what a block changed. A new table gets
 * its number here and its functions in ledger_entries.h. */
enum chain_ledger_table {
    CHAIN_TABLE_COUNTERS, CHAIN_TABLE_KEYS, CHAIN_TABLE_MEMBERS, CHAIN_TABLE_STATIONS, CHAIN_TABLE_NONCES, CHAIN_TABLE_CHANNELS,
    CHAIN_TABLE_SENSING, CHAIN_TABLE_GRANTS, CHAIN_TABLE_EVIDENCE, CHAIN_TABLE_MOTIONS, CHAIN_TABLE_ACCOUNTS, CHAIN_TABLE_ACCESS,
    CHAIN_TABLE_PUTS, CHAIN_TABLE_RECORDS, CHAIN_TABLE_HOP, CHAIN_TABLES
};
void chain_ledger_touch(struct chain_ledger *l, enum chain_ledger_table table, uint64_t id, uint64_t sub);
#endif
