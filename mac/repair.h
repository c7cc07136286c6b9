/* Group messages that arrive whole although frames are lost: a message is cut into pieces, each a MAC message of one frame; who misses
 * some says how many, and whoever has the whole message sends that many further pieces of an erasure code (mac/erasure.h), of which each
 * replaces any that a listener lost. A machine of its own above the MAC; docs/mac.md gives format and timing. Pure; memory is the caller's.
 *
 * Nothing here is signed: a forged piece spoils a message as noise does, and what the message holds proves itself. */
#ifndef MAC_REPAIR_H
#define MAC_REPAIR_H

#include "mac/mac.h"

enum {
    MAC_REPAIR_MAX_PIECES = 64,
    MAC_REPAIR_HEADER_BYTES = 15, /* of a piece */
    MAC_REPAIR_MAX_MESSAGES = 256
};

struct mac_repair_config {
    uint64_t seed;
    uint32_t station_id;
    uint32_t first_serial;    /* of the messages to be sent; a station that restarts goes on above those that it used */
    size_t piece_bytes;       /* octets of message in a piece */
    size_t max_message_bytes; /* at most MAC_REPAIR_MAX_PIECES pieces */
    size_t n_messages;        /* kept at a time, own and others', whole or not */
    int64_t piece_ns;         /* what a piece takes, with its access to the medium */
    int64_t ask_ns;           /* what an ask takes; the unit of the waits by which stations let each other go first */
    int64_t keep_ns;          /* a message of which nothing was heard for so long is forgotten */
    unsigned max_asks;        /* a message that is not whole after so many of our asks is given up */
    bool repeat;              /* for comparison: send again what was lost, instead of further pieces */
};

enum mac_repair_event_kind {
    MAC_REPAIR_EV_SEND,
    MAC_REPAIR_EV_HEARD, /* a MAC message that another station sent to all */
    MAC_REPAIR_EV_LEFT,  /* a frame that was handed out has been sent, or dropped */
    MAC_REPAIR_EV_TICK
};

struct mac_repair_event {
    enum mac_repair_event_kind kind;
    int64_t now_ns;
    uint32_t from;              /* HEARD: station id of its sender */
    enum mac_category category; /* SEND: of the message and its pieces */
    const uint8_t *octets;
    size_t len_bytes;
};

struct mac_repair_update {
    bool has_frame;
    enum mac_category category; /* of the frame: an ask goes as a vote; a piece that was asked for as a proposal, if the message is another's */
    const uint8_t *frame;       /* for all; valid until the next step */
    size_t frame_len;
    bool has_delivery;
    uint32_t from;          /* who made the message */
    const uint8_t *message; /* valid until the next step */
    size_t message_len;
};

struct mac_repair_stats {
    uint64_t pieces, further_pieces, asks; /* sent */
    uint64_t whole, decoded;               /* messages of several pieces that arrived; with help of further pieces */
    uint64_t given_up;                     /* messages of which pieces were heard, but never enough */
    uint64_t malformed, contradicting;     /* octets that are no frame of this kind; that do not fit what was heard before */
};

struct mac_repair;

size_t mac_repair_bytes(const struct mac_repair_config *cfg);
__attribute__((warn_unused_result)) int mac_repair_init(void *mem, size_t len, const struct mac_repair_config *cfg,
                                                        struct mac_repair **out, const char **bad_field_out);
/* Returns 0; -EMSGSIZE for a message to send that is empty or too long; -ENOBUFS when all places hold messages that are being sent;
 * -EBADMSG for octets that make no sense (counted). A message of one frame is handed out by its SEND; all else, at most two frames at
 * a time, by a TICK at the deadline. HEARD and LEFT hand out nothing. */
__attribute__((warn_unused_result)) int mac_repair_step(struct mac_repair *r, const struct mac_repair_event *in,
                                                        struct mac_repair_update *out);
/* INT64_MAX when only events can wake it. */
int64_t mac_repair_deadline(const struct mac_repair *r);
void mac_repair_stats(const struct mac_repair *r, struct mac_repair_stats *out);
void mac_repair_close(struct mac_repair *r);
#endif
