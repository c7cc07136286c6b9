/* The genesis block's content: who, which band, which rules. It deeds the control channel to the admitted keys without expiry and
 * fixes quiet periods in block time. Deterministic CBOR; its hash names the chain. */
#ifndef CHAIN_GENESIS_H
#define CHAIN_GENESIS_H

#include "chain/types.h"

enum { CHAIN_MAX_CHANNELS = 8, CHAIN_MAX_NAME = 32, CHAIN_MAX_GENESIS_BYTES = 4096, CHAIN_MAX_PUT_KEYS = 256, CHAIN_MAX_ACCESS = 16 };

#define CHAIN_MAX_SUPPLY (UINT64_C(1) << 62)

struct chain_channel {
    uint64_t low_hz, high_hz;
    bool control;                 /* deeded to all admitted keys; never leased */
    bool hop;                     /* so is this one, of the set that the control channel hops over (chain/hop.h); not both */
    int64_t quiet_phase_ns;       /* quiet in [k period + phase, k period + phase + length), block time */
};

struct chain_genesis {
    char name[CHAIN_MAX_NAME];
    char engine[8];               /* "pbft" or "raft" */
    int64_t time_ns;              /* Unix, of the genesis block */
    struct chain_members members; /* chain_id is filled by chain_genesis_finish */
    uint32_t n_channels;
    struct chain_channel channels[CHAIN_MAX_CHANNELS];
    int64_t quiet_period_ns, quiet_length_ns;
    int64_t max_skew_ns;          /* any two members' clocks */
    /* leases (CBRS names) */
    int64_t transmit_expire_ns;   /* transmitExpireTime after a heartbeat: 2.4 s scaled, 240 s */
    int64_t heartbeat_ns;         /* heartbeatInterval */
    int64_t stop_ns;              /* silence at the latest this long after suspension or expiry */
    int64_t grant_ns;             /* grantExpireTime after the grant */
    int64_t drift_guard_ns;
    int32_t max_eirp_cdbm_mhz;    /* 1/100 dBm/MHz */
    int64_t abandon_ns;           /* a grant without a heartbeat for this long (since it was given, or its transmitExpireTime) ends; 0: it
                                   * lasts until its grantExpireTime */
    uint32_t reuse_m;             /* two stations farther apart than this may hold the same band; 0: a band is one holder's everywhere */
    bool lease_in_white_space;    /* a lease needs a white-space record of the authority for its band, time and place */
    /* fusion */
    bool fuse_plain;              /* every report counts the same: occupied are fuse_min_positive of them, whoever says so */
    uint32_t local_p_fa_ppb;      /* what a sensing verdict of one station may be wrong, 1e-9 */
    uint32_t fuse_min_positive;   /* verdict occupied needs at least so many stations */
    uint32_t white_after;         /* consecutive free windows that make a channel white space; 0: a database outside says that
                                   * every channel but control ones is, until sensing finds an incumbent (then 1) */
    int64_t fuse_after_ns;        /* window is decided this long after its end, or once every registered station revealed */
    /* blocks */
    int64_t min_block_interval_ns; /* a leader does not propose faster */
    int64_t max_ahead_ns;          /* a block's time may be ahead of a voter's clock by this */
    size_t max_batch_bytes;
    /* who admits and who changes members; 0 everywhere below is today's closed group without prices */
    bool has_authority;
    uint32_t authority;            /* key id whose word alone does; else members have to say the same */
    uint32_t admit_votes;          /* members that open a key together; 0: as many as a block's certificate needs */
    /* evidence and access */
    uint32_t witness_range_m;      /* two witnesses of one thing are at most this far apart; 0: anywhere */
    uint32_t access_threshold;     /* so many grants of a band in access_window_ns bar a station from it; 0: never */
    int64_t access_window_ns;
    int64_t bar_ns;                /* for this long; also a band's confirmed unauthorised user */
    /* ledger units: treasury + balances = supply, always */
    uint64_t supply;               /* in the treasury at first; at most CHAIN_MAX_SUPPLY */
    uint64_t endowment;            /* from the treasury to a station when it first registers */
    uint32_t grant_price;          /* to the treasury */
    uint32_t share_rebate;         /* off the price for each peer that a grant names, never more than the price */
    uint32_t refund_permille;      /* of the price for the time that an early relinquishment leaves */
    uint32_t sense_reward;         /* for a report that agreed with every verdict of its window */
    uint32_t accuse_reward;        /* for the proof that convicts an equivocator */
    /* hopping; all 0 where no channel is of a hop set */
    int64_t hop_dwell_ns;          /* slot k is [k dwell, (k + 1) dwell) of block time */
    uint32_t hop_rendezvous_every; /* slots whose number it divides are on the control channel */
    int64_t hop_hold_off_ns;       /* a channel of the set that evidence names is left alone for so long */
    /* applications */
    uint32_t put_keys;             /* records a station may keep, keys 0 .. put_keys - 1; 0: none */
};

/* Quiet windows lie inside their period: phase + length <= period. heartbeat and drift guard < transmit_expire <= grant;
 * lease_in_white_space needs an authority; max_ahead <= stop + max_skew + 2 drift_guard (docs/ledger.md); fuse_after <= 4 quiet periods; the authority is one of the keys, admit_votes <= members, endowment <= supply; a hop set comes with dwell >= 8 max_skew and rendezvous_every >= 2; channels do not overlap; keys differ; no duration is over 366 days.
 * Checks every field; fills members.chain_id and hash_out. 0 or -EINVAL with the field's name. */
__attribute__((warn_unused_result)) int chain_genesis_finish(struct chain_genesis *g, struct chain_hash *hash_out,
                                                             const char **bad_field_out);
/* At most CHAIN_MAX_GENESIS_BYTES. decode reads the fields only: finish checks them and fills the chain id. */
long chain_genesis_encode(const struct chain_genesis *g, uint8_t *out, size_t cap);
__attribute__((warn_unused_result)) int chain_genesis_decode(struct chain_genesis *out, const uint8_t *data, size_t len);
/* Control or of the hop set: everybody's, and never leased. */
bool chain_genesis_shares(const struct chain_genesis *g, uint32_t channel);
/* Bit c: channel c is of the hop set. */
uint8_t chain_genesis_hop_set(const struct chain_genesis *g);
/* Is a channel white space before anybody has sensed it? */
bool chain_genesis_is_white(const struct chain_genesis *g, uint32_t channel);
/* Quiet window number k of a channel: [start, end) in block time, for the first window that ends after t_ns. */
void chain_genesis_quiet_after(const struct chain_genesis *g, uint32_t channel, int64_t t_ns, uint64_t *window_out,
                               int64_t *start_ns_out, int64_t *end_ns_out);
/* Window k over all channels: from the first channel's start to the last one's end. False if it lies beyond block time. */
bool chain_genesis_window_span(const struct chain_genesis *g, uint64_t window, int64_t *start_ns_out, int64_t *end_ns_out);
#endif
