/* A ledger message: what one member says to the others. The signature binds the author, not the transmitter: anyone may relay.
 *
 * Signed octets: CBOR array [ "airdeed-msg", chain_id, epoch, author, kind, view, seq, digest ]. body is bound through digest:
 * if body_len > 0, digest = chain_msg_digest(kind, body). A vote has no body, and its digest names what it votes for, so that a
 * certificate is a list of signatures and one preimage. */
#ifndef CHAIN_MSG_H
#define CHAIN_MSG_H

#include "chain/types.h"

enum chain_msg_kind {
    CHAIN_MSG_TX = 1,           /* body: transaction; author: its sender; seq: nonce */
    CHAIN_MSG_HEADER_VOTE = 2,  /* seq: height, digest: header hash, view 0; the latest one doubles as status */
    CHAIN_MSG_FETCH = 3,        /* seq: first height wanted; body: CBOR [target, count] */
    CHAIN_MSG_BLOCK = 4,        /* seq: height; body: CBOR [batch, header, certificate] */
    CHAIN_MSG_SEEN_ASK = 5,     /* a member that starts: what did you last see signed by my key? seq: a number of its choice */
    CHAIN_MSG_SEEN = 6,         /* the answer, seq repeated; body */
    CHAIN_MSG_SNAPSHOT = 7,     /* seq: height; body: a part of the state (chain/node_pull.c) */
    CHAIN_MSG_SNAPSHOT_ASK = 8, /* seq: height, 0 for the newest; body: CBOR [target, epoch, offset] */
    /* engines */
    CHAIN_MSG_RAFT_APPEND = 16,
    CHAIN_MSG_RAFT_APPEND_REPLY = 17,
    CHAIN_MSG_RAFT_VOTE = 18,
    CHAIN_MSG_RAFT_VOTE_REPLY = 19,
    CHAIN_MSG_RAFT_TIMEOUT_NOW = 20, /* to the member that shall lead next */
    CHAIN_MSG_PBFT_PRE_PREPARE = 32, /* view, seq; body: batch; digest: batch digest */
    CHAIN_MSG_PBFT_PREPARE = 33,
    CHAIN_MSG_PBFT_COMMIT = 34,
    CHAIN_MSG_PBFT_VIEW_CHANGE = 35, /* view: the new one; body */
    CHAIN_MSG_PBFT_NEW_VIEW = 36,
    CHAIN_MSG_PBFT_ASK = 37,     /* view: in which the author works, seq: the first height it lacks; body: what it has of it */
    CHAIN_MSG_PBFT_PROOF = 39    /* seq: height; body: certificate and batch, for one that is behind */
};

struct chain_msg {
    uint8_t kind;
    uint32_t author;  /* a seat of the epoch, or a key id: see chain_msg_by_seat */
    uint64_t view;    /* PBFT view or Raft term */
    uint64_t seq;     /* height, log index or nonce */
    struct chain_hash digest;
    const uint8_t *body; /* borrowed */
    size_t body_len;
    uint8_t sig[CHAIN_SIG_BYTES];
};

/* Votes and what engines say come from a seat and bind the epoch. Transactions and the exchange of blocks, of snapshots and of what was
 * seen come from a key, and hold in every epoch: their epoch is 0. */
bool chain_msg_by_seat(uint8_t kind);
/* True if members lists the author. */
bool chain_msg_author_known(const struct chain_members *members, uint8_t kind, uint32_t author);
/* The octets that are signed; returns how many. */
enum { CHAIN_PREIMAGE_BYTES = 128 };
size_t chain_msg_preimage(const struct chain_members *members, const struct chain_msg *msg, uint8_t out[CHAIN_PREIMAGE_BYTES]);

/* Hash of a body: for PRE_PREPARE the batch digest (chain/batch.h), else BLAKE2b-256 over kind and body. */
int chain_msg_digest(const struct chain_members *members, uint8_t kind, const uint8_t *body, size_t body_len,
                     struct chain_hash *out);

/* Two signatures of one author over two contents of what an honest member says once: the proof that it is none. */
struct chain_equivocation {
    uint8_t kind;
    uint32_t epoch, author; /* a seat of that epoch */
    uint64_t view, seq;
    struct chain_hash digest[2];
    uint8_t sig[2][CHAIN_SIG_BYTES];
};

/* Signing and verifying are a port, so that simulations can swap Ed25519 for something fast. */
struct chain_signer {
    void *ctx;
    /* signs the message as ctx's own identity; author, kind, view, seq, digest are set */
    int (*sign)(void *ctx, const struct chain_members *members, struct chain_msg *msg);
    /* 0, or -EBADMSG */
    int (*verify)(void *ctx, const struct chain_members *members, const struct chain_msg *msg);
    /* For group keys (chain/hop.h), both NULL where there are none. Octets that nobody else can guess, others for each counter; simulations
     * want the same ones each time, everybody else those of the operating system. 0 or a negative errno. */
    int (*draw)(void *ctx, const struct chain_members *members, uint64_t counter, uint8_t *out, size_t len);
    /* What was sealed to ctx's identity, libsodium's crypto_box_seal: the ephemeral key, then the box. out: len - 48 octets. 0, or -EBADMSG. */
    int (*unseal)(void *ctx, const uint8_t *sealed, size_t len, uint8_t *out);
};

/* draw: keyed draws under the secret key. Ed25519 (libsodium; the program calls sodium_init once at start, which picks the fast code). ctx: struct chain_ed25519. */
struct chain_ed25519 {
    uint8_t secret[CHAIN_SECRET_BYTES];
    uint64_t n_signed, n_verified;
};
struct chain_signer chain_signer_ed25519(struct chain_ed25519 *key);
/* Key pair from a 32-octet seed (virtual runs derive it from the run's seed). */
void chain_ed25519_from_seed(const uint8_t seed[32], uint8_t public_out[CHAIN_KEY_BYTES],
                             uint8_t secret_out[CHAIN_SECRET_BYTES]);

/* An empty PRE_PREPARE body is the empty batch: its digest follows from it too. A kind that nobody knows decodes (author < n);
 * whoever dispatches it counts it.
 *
 * Wire form: CBOR array [1, chain_id, epoch, author, kind, view, seq, digest / null when it follows from body, body, sig].
 * encode returns octets written or -ENOSPC. decode returns 0 or -EBADMSG (also for another chain_id, -ESTALE for another
 * epoch), recomputes and checks digest where there is a body, and borrows body from data; it does not verify the signature. */
long chain_msg_encode(const struct chain_members *members, const struct chain_msg *msg, uint8_t *out, size_t cap);
__attribute__((warn_unused_result)) int chain_msg_decode(const struct chain_members *members, const uint8_t *data, size_t len,
                                                         struct chain_msg *out, size_t *consumed_out);
/* The same but for a digest that follows from the body, which stays 0: for whoever does not look at the signature. */
__attribute__((warn_unused_result)) int chain_msg_read(const struct chain_members *members, const uint8_t *data, size_t len,
                                                       struct chain_msg *out, size_t *consumed_out);
#endif
