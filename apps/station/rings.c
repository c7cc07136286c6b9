#include "apps/station/internal.h"

#include <string.h>

struct letter *letter_push(struct letter_ring *ring, int64_t due_ns, const uint8_t *data, size_t len)
{
    if (ring->count == ring->n_slots || len > MAX_BUNDLE_BYTES)
        return NULL;
    struct letter *letter = &ring->slots[(ring->head + ring->count) % ring->n_slots];
    letter->due_ns = due_ns;
    letter->len_bytes = len;
    memcpy(letter->octets, data, len);
    ring->count++;
    return letter;
}

struct letter *letter_peek(const struct letter_ring *ring)
{
    return ring->count ? &ring->slots[ring->head] : NULL;
}

void letter_pop(struct letter_ring *ring)
{
    ring->head = (ring->head + 1) % ring->n_slots;
    ring->count--;
}

/* Kept in order of due time: sensing reports are staggered, so a later push may be due earlier. */
bool op_push(struct op_ring *ring, int64_t due_ns, const struct chain_op *op)
{
    if (ring->count == OP_SLOTS)
        return false;
    size_t i = ring->count++;
    while (i > 0) {
        struct timed_op *previous = &ring->slots[(ring->head + i - 1) % OP_SLOTS];
        if (previous->due_ns <= due_ns)
            break;
        ring->slots[(ring->head + i) % OP_SLOTS] = *previous;
        i--;
    }
    struct timed_op *slot = &ring->slots[(ring->head + i) % OP_SLOTS];
    slot->due_ns = due_ns;
    slot->op = *op;
    return true;
}
