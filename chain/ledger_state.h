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
    bool registered;
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
    struct chain_map *map; /* over all entries, as of the last block */
    struct chain_touched touched;
    struct chain_merkle below; /* over the hashes of the headers below the tip */
    /* the block that is being executed */
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
/* Every change of something that chain_ledger_entries lists calls chain_ledger_touch: the root costs what a block changed. A new table gets
 * its number here and its functions in ledger_entries.h. */
enum chain_ledger_table {
    CHAIN_TABLE_COUNTERS, CHAIN_TABLE_KEYS, CHAIN_TABLE_MEMBERS, CHAIN_TABLE_STATIONS, CHAIN_TABLE_NONCES, CHAIN_TABLE_CHANNELS,
    CHAIN_TABLE_SENSING, CHAIN_TABLE_GRANTS, CHAIN_TABLE_EVIDENCE, CHAIN_TABLES
};
void chain_ledger_touch(struct chain_ledger *l, enum chain_ledger_table table, uint64_t id, uint64_t sub);
#endif
