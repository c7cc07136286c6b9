/* Operations: what a transaction asks the ledger to do. A transaction is a chain_msg of kind TX whose body is an array of operations
 * in deterministic CBOR (chain/tx.h); author = sender, seq = the first one's nonce. */
#ifndef CHAIN_OP_H
#define CHAIN_OP_H

#include "chain/genesis.h"
#include "chain/msg.h"

enum { CHAIN_MAX_OP_BYTES = 1664, CHAIN_SALT_BYTES = 16, CHAIN_MAX_PUT_BYTES = 400 };
enum { CHAIN_CURVE_BYTES = 32, CHAIN_HOP_KEY_BYTES = 32, CHAIN_HOP_BOX_BYTES = CHAIN_HOP_KEY_BYTES + 16 };

enum chain_op_kind {
    CHAIN_OP_REGISTER = 1, CHAIN_OP_SENSE_COMMIT, CHAIN_OP_SENSE_REVEAL, CHAIN_OP_GRANT, CHAIN_OP_HEARTBEAT, CHAIN_OP_RELINQUISH,
    CHAIN_OP_EVIDENCE, CHAIN_OP_ADMIT, CHAIN_OP_MOVE, CHAIN_OP_DEREGISTER, CHAIN_OP_RECONFIGURE, CHAIN_OP_EQUIVOCATION,
    CHAIN_OP_SPECTRUM, CHAIN_OP_WITHDRAW, CHAIN_OP_PUT, CHAIN_OP_UNAUTHORISED, CHAIN_OP_PAY, CHAIN_OP_HOP_EPOCH, CHAIN_OP_N
};
const char *chain_op_name(enum chain_op_kind kind); /* "register", "sense-commit", ... */

struct chain_sense_report {
    uint64_t window;
    uint32_t n_channels;
    bool occupied[CHAIN_MAX_CHANNELS];
    int32_t power_cdb[CHAIN_MAX_CHANNELS]; /* mean power, 1/100 dB re full scale */
    uint8_t salt[CHAIN_SALT_BYTES];
};

enum chain_spectrum_kind { CHAIN_SPECTRUM_INCUMBENT = 1, CHAIN_SPECTRUM_WHITE_SPACE = 2 };

/* What a database says of a band around a place: an incumbent to protect there, or white space to use. */
struct chain_spectrum {
    enum chain_spectrum_kind kind;
    uint64_t low_hz, high_hz;
    int64_t from_ns, until_ns;     /* block time, [from, until) */
    int32_t lat_e7, lon_e7;
    uint32_t radius_m;
    int32_t protection_cdbm_mhz;   /* the most that an incumbent bears there, or that white space permits; 1/100 dBm/MHz */
};

struct chain_op {
    enum chain_op_kind kind;
    union {
        struct {
            char call_sign[CHAIN_MAX_NAME];
            int32_t lat_e7, lon_e7, height_cm;
        } reg;
        struct {
            uint64_t window;
            struct chain_hash commitment; /* chain_sense_commitment of the report */
        } commit;
        struct chain_sense_report reveal;
        struct {
            uint64_t low_hz, high_hz;
            int32_t max_eirp_cdbm_mhz;
            uint32_t n_peers;
            uint32_t peers[8]; /* ACK and CTS of these are covered by the lease */
        } grant;
        struct {
            uint64_t grant_id;
        } lease; /* heartbeat, relinquish */
        struct {
            uint32_t channel;
            uint8_t kind; /* number of a mac_jam_kind; chain only stores it */
            int64_t from_ns, at_ns; /* block time */
            uint32_t confidence_permille;
            uint32_t n_frames, n_good;
        } evidence;
        struct {
            uint8_t key[CHAIN_KEY_BYTES];
        } admit;
        struct {
            int32_t lat_e7, lon_e7, height_cm;
        } move;
        struct {
            bool add;        /* or remove */
            uint32_t key_id; /* who gets or loses a seat */
        } reconfigure;
        struct chain_equivocation equivocation;
        struct chain_spectrum spectrum;
        struct {
            uint64_t record_id;
        } withdraw;
        struct {
            uint32_t key;
            const uint8_t *value; /* borrowed from what was decoded */
            size_t value_len;
        } put;
        struct {
            uint32_t channel;
            uint32_t suspect; /* CHAIN_MAX_KEYS: nobody knows */
            int64_t from_ns, at_ns;
            int32_t level_cdb;
        } unauthorised;
        struct {
            uint32_t to;
            uint64_t amount;
        } pay;
        struct {
            uint32_t epoch;
            uint8_t mask;                         /* bit c: it hops over channel c */
            int64_t from_ns;                      /* block time */
            struct chain_hash commitment;         /* to the group key (chain/hop.h) */
            uint8_t ephemeral[CHAIN_CURVE_BYTES]; /* of all boxes */
            const uint8_t *boxes;                 /* CHAIN_HOP_BOX_BYTES for each seat; borrowed from what was decoded */
            size_t boxes_len;
        } hop;
    };
};

int chain_sense_commitment(uint32_t author, const struct chain_sense_report *report, struct chain_hash *out);
long chain_op_encode(const struct chain_op *op, uint8_t *out, size_t cap);
/* The operation that data begins with; used_out: its octets. 0 or -EBADMSG. */
__attribute__((warn_unused_result)) int chain_op_decode_prefix(struct chain_op *out, const uint8_t *data, size_t len, size_t *used_out);
__attribute__((warn_unused_result)) int chain_op_decode(struct chain_op *out, const uint8_t *data, size_t len);
#endif
