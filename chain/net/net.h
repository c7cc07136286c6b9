/* The ledger's messages between processes, over ZeroMQ with CURVE. A member binds one door (ROUTER) and connects to every other
 * member's door (DEALER). The door lets in listed keys only, by a ZAP handler (ZeroMQ RFC 27) that binds each connection to the
 * party whose key it proved; a stranger is refused in the handshake and counted. Clients use the same door for requests.
 *
 * A message is two frames: one octet of kind (CHAIN_NET_BUNDLE, CHAIN_NET_REQUEST, CHAIN_NET_SUBMIT), then up to max_message_bytes. What a
 * caller gets back has the kind CHAIN_NET_REPLY or CHAIN_NET_ANSWERS. Delivery is best effort: what a peer's full or missing connection cannot take is dropped and counted,
 * and the nodes ask again. One thread; everything happens in the calls below. Do not fork while it is open. */
#ifndef CHAIN_NET_NET_H
#define CHAIN_NET_NET_H

#include "chain/types.h"

enum { CHAIN_NET_KEY_BYTES = 32, CHAIN_NET_MAX_ERROR = 320, CHAIN_NET_MAX_CALLER = 16 };

struct chain_net_party {
    uint8_t key[CHAIN_NET_KEY_BYTES]; /* Curve25519, public */
    const char *endpoint;             /* of a member's door: "tcp://10.0.0.7:7400"; NULL for a client */
};

struct chain_net_config {
    uint32_t self;                        /* index into parties, below n_members */
    uint8_t secret[CHAIN_NET_KEY_BYTES];  /* of self */
    const char *bind;                     /* "tcp://0.0.0.0:7400" */
    uint32_t n_members, n_parties;        /* members first, then clients; at most CHAIN_MAX_MEMBERS, CHAIN_MAX_KEYS */
    const struct chain_net_party *parties;
    size_t max_message_bytes;
    uint32_t queue_messages;              /* a connection and direction */
    int wake_fd;                          /* chain_net_poll returns when it is readable; -1: none */
};

/* Who asked: opaque, for chain_net_reply. */
struct chain_net_caller {
    uint8_t len, id[CHAIN_NET_MAX_CALLER];
};

enum chain_net_kind {
    CHAIN_NET_BUNDLE = 'B',  /* a member's messages */
    CHAIN_NET_REQUEST = 'Q', /* a client's or a member's question; answer with chain_net_reply */
    CHAIN_NET_REPLY = 'R',
    CHAIN_NET_SUBMIT = 'S',  /* a client's or a member's operations and transactions; each is answered once it is executed */
    CHAIN_NET_ANSWERS = 'A',
    CHAIN_NET_UP = 1,        /* our connection to member `from` stands */
    CHAIN_NET_DOWN,          /* it does no longer */
    CHAIN_NET_NOT_LET_IN     /* member `from` does not know our key */
};

struct chain_net_event {
    enum chain_net_kind kind;
    uint32_t from;
    struct chain_net_caller caller; /* REQUEST, SUBMIT */
    const uint8_t *data;            /* valid until the next poll */
    size_t len;
};

struct chain_net_stats {
    uint64_t strangers;       /* connections refused for their key */
    uint64_t bad_handshakes;  /* connections that did not even prove one */
    uint64_t received, sent, dropped_full, refused_malformed;
    uint64_t replies_dropped; /* the caller was gone or did not read */
    uint32_t n_up;            /* members that we are connected to */
};

struct chain_net;

/* 0; -EINVAL: configuration; -EADDRINUSE, -EACCES ...: the door cannot be bound. error_out: CHAIN_NET_MAX_ERROR octets, one line. */
__attribute__((warn_unused_result)) int chain_net_open(const struct chain_net_config *cfg, struct chain_net **out, char *error_out);
/* 1: *out is set. 0: nothing for the caller (yet), or wake_fd is readable. Negative errno: the transport failed. */
__attribute__((warn_unused_result)) int chain_net_poll(struct chain_net *net, int timeout_ms, struct chain_net_event *out);
/* to: a member id or UINT32_MAX for every other member. */
void chain_net_send(struct chain_net *net, uint32_t to, const void *data, size_t len);
/* kind: CHAIN_NET_REPLY or CHAIN_NET_ANSWERS */
void chain_net_reply(struct chain_net *net, const struct chain_net_caller *caller, enum chain_net_kind kind, const void *data, size_t len);
bool chain_net_is_up(const struct chain_net *net, uint32_t member);
void chain_net_stats(const struct chain_net *net, struct chain_net_stats *out);
/* Does not wait: what is still queued is dropped. */
void chain_net_close(struct chain_net *net);
#endif
