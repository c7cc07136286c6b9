#include "mac/queue.h"

#include <assert.h>
#include <string.h>

enum { CHUNK_BYTES = 256 };
static const uint32_t no_chunk = UINT32_MAX;

/* Each message wastes less than one chunk, so that octets and messages are the only bounds that a caller meets. */
size_t mac_queue_chunks(const struct mac_config *cfg)
{
    return cfg->queue_bytes / CHUNK_BYTES + 1 + (size_t)MAC_N_CATEGORIES * cfg->queue_messages;
}

size_t mac_queue_items_bytes(const struct mac_config *cfg)
{
    return (size_t)MAC_N_CATEGORIES * cfg->queue_messages * sizeof(struct mac_queue_item);
}

size_t mac_queue_links_bytes(const struct mac_config *cfg)
{
    return mac_queue_chunks(cfg) * sizeof(uint32_t);
}

size_t mac_queue_chunks_bytes(const struct mac_config *cfg)
{
    return mac_queue_chunks(cfg) * CHUNK_BYTES;
}

void mac_queue_init(struct mac_queue *q, const struct mac_config *cfg, void *items, void *links, void *chunks)
{
    memset(q, 0, sizeof *q);
    q->items = items;
    q->next_chunk = links;
    q->chunks = chunks;
    q->ring_len = cfg->queue_messages;
    q->bytes_max = cfg->queue_bytes;
    size_t n_chunks = mac_queue_chunks(cfg);
    for (size_t i = 0; i < n_chunks; i++)
        q->next_chunk[i] = i + 1 < n_chunks ? (uint32_t)(i + 1) : no_chunk;
    q->free_chunk = 0;
}

static uint32_t store(struct mac_queue *q, const uint8_t *message, size_t len_bytes)
{
    uint32_t first = q->free_chunk, at = first;
    for (size_t done = 0;;) {
        assert(at != no_chunk);
        size_t len = len_bytes - done < CHUNK_BYTES ? len_bytes - done : CHUNK_BYTES;
        memcpy(q->chunks + (size_t)at * CHUNK_BYTES, message + done, len);
        done += len;
        if (done == len_bytes)
            break;
        at = q->next_chunk[at];
    }
    q->free_chunk = q->next_chunk[at];
    q->next_chunk[at] = no_chunk;
    return first;
}

struct mac_queue_item *mac_queue_push(struct mac_queue *q, enum mac_category category, const uint8_t *message, size_t len_bytes)
{
    if (q->count[category] == q->ring_len || len_bytes > q->bytes_max - q->bytes_used)
        return NULL;
    size_t slot = (q->first[category] + q->count[category]) % q->ring_len;
    struct mac_queue_item *item = &q->items[(size_t)category * q->ring_len + slot];
    memset(item, 0, sizeof *item);
    item->len_bytes = len_bytes;
    item->first_chunk = store(q, message, len_bytes);
    q->bytes_used += len_bytes;
    q->count[category]++;
    q->filled |= 1u << category;
    return item;
}

struct mac_queue_item *mac_queue_head(struct mac_queue *q, enum mac_category category)
{
    return q->count[category] == 0 ? NULL : &q->items[(size_t)category * q->ring_len + q->first[category]];
}

void mac_queue_pop(struct mac_queue *q, enum mac_category category)
{
    struct mac_queue_item *item = mac_queue_head(q, category);
    assert(item);
    uint32_t last = item->first_chunk;
    while (q->next_chunk[last] != no_chunk)
        last = q->next_chunk[last];
    q->next_chunk[last] = q->free_chunk;
    q->free_chunk = item->first_chunk;
    q->bytes_used -= item->len_bytes;
    q->first[category] = (q->first[category] + 1) % q->ring_len;
    if (--q->count[category] == 0)
        q->filled &= ~(1u << category);
}

void mac_queue_copy(const struct mac_queue *q, const struct mac_queue_item *item, size_t offset, size_t len, uint8_t *out)
{
    assert(offset + len <= item->len_bytes);
    uint32_t at = item->first_chunk;
    for (; offset >= CHUNK_BYTES; offset -= CHUNK_BYTES)
        at = q->next_chunk[at];
    while (len > 0) {
        size_t n = CHUNK_BYTES - offset < len ? CHUNK_BYTES - offset : len;
        memcpy(out, q->chunks + (size_t)at * CHUNK_BYTES + offset, n);
        out += n;
        len -= n;
        offset = 0;
        at = q->next_chunk[at];
    }
}

void mac_queue_expire(struct mac_queue *q, int64_t now_ns)
{
    for (size_t c = 0; c < MAC_N_CATEGORIES; c++)
        for (size_t i = 0; i < q->count[c]; i++) {
            struct mac_queue_item *item = &q->items[c * q->ring_len + (q->first[c] + i) % q->ring_len];
            if (item->expires_ns > now_ns)
                item->expires_ns = now_ns;
        }
}
