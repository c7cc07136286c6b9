/* Messages that wait to be sent: one FIFO a category over one pool of octets. Bounded by messages a category and octets in all. */
#ifndef MAC_QUEUE_H
#define MAC_QUEUE_H

#include "mac/mac.h"

struct mac_queue_item {
    uint64_t id;
    struct mac_address to;
    size_t len_bytes;
    int64_t given_ns;
    int64_t head_ns;     /* when it came to the head of its queue */
    int64_t expires_ns;
    uint16_t message_id;
    size_t fragment_bytes; /* octets of the message in each fragment but the last */
    unsigned fragment, last_fragment; /* next to be sent, last of the message */
    unsigned tries;      /* of this fragment */
    unsigned rts_tries;  /* RTS without a CTS since */
    unsigned rate;       /* of the attempt that is next or out */
    unsigned attempts;   /* of all */
    uint16_t sequence;   /* of this fragment, once tried */
    bool answers;        /* goes in a slot */
    bool reserves;       /* its last fragment announces a slot plan */
    bool put_off;        /* it waited once for a change of channel that its plan would have reached over */
    uint32_t first_chunk;
};

struct mac_queue {
    struct mac_queue_item *items; /* MAC_N_CATEGORIES rings of queue_messages */
    uint32_t *next_chunk;
    uint8_t *chunks;
    uint32_t free_chunk;
    size_t ring_len, bytes_used, bytes_max;
    size_t first[MAC_N_CATEGORIES], count[MAC_N_CATEGORIES];
    unsigned filled; /* bit c: category c has a message */
};

size_t mac_queue_chunks(const struct mac_config *cfg);
size_t mac_queue_items_bytes(const struct mac_config *cfg);
size_t mac_queue_links_bytes(const struct mac_config *cfg);
size_t mac_queue_chunks_bytes(const struct mac_config *cfg);
/* items, links and chunks: memory of those sizes. */
void mac_queue_init(struct mac_queue *q, const struct mac_config *cfg, void *items, void *links, void *chunks);
/* Copies the message in; NULL if it does not fit. The caller fills the other fields. */
struct mac_queue_item *mac_queue_push(struct mac_queue *q, enum mac_category category, const uint8_t *message, size_t len_bytes);
/* NULL if the category has none. */
struct mac_queue_item *mac_queue_head(struct mac_queue *q, enum mac_category category);
/* The same of a category that has one, to look at. */
static inline const struct mac_queue_item *mac_queue_peek(const struct mac_queue *q, unsigned category)
{
    return &q->items[category * q->ring_len + q->first[category]];
}
void mac_queue_pop(struct mac_queue *q, enum mac_category category);
/* Every message's lifetime ends at now_ns at the latest. */
void mac_queue_expire(struct mac_queue *q, int64_t now_ns);
/* Copies len octets of the message from offset. */
void mac_queue_copy(const struct mac_queue *q, const struct mac_queue_item *item, size_t offset, size_t len, uint8_t *out);
#endif
