#include "mac/fragment.h"

#include <string.h>

size_t mac_fragment_payload(const struct mac_profile *profile)
{
    return profile->fragment_bytes - MAC_LLC_BYTES - MAC_FRAGMENT_HEADER_BYTES;
}

unsigned mac_fragment_last(size_t payload_bytes, size_t len_bytes)
{
    return (unsigned)((len_bytes - 1) / payload_bytes);
}

void mac_reassembly_init(struct mac_reassembly *r, struct mac_reassembly_slot *slots, size_t n_slots, uint8_t *buffers, int64_t keep_ns)
{
    memset(slots, 0, n_slots * sizeof *slots);
    for (size_t i = 0; i < n_slots; i++)
        slots[i].buffer = buffers + i * MAC_REASSEMBLY_BYTES;
    *r = (struct mac_reassembly){.slots = slots, .n_slots = n_slots, .keep_ns = keep_ns, .deadline_ns = INT64_MAX};
}

static void find_deadline(struct mac_reassembly *r)
{
    r->deadline_ns = INT64_MAX;
    for (size_t i = 0; i < r->n_slots; i++)
        if (r->slots[i].used && r->slots[i].expires_ns < r->deadline_ns)
            r->deadline_ns = r->slots[i].expires_ns;
}

static void free_up(struct mac_reassembly *r, struct mac_reassembly_slot *slot)
{
    slot->used = false;
    find_deadline(r);
}

static void drop(struct mac_reassembly *r, struct mac_reassembly_slot *slot)
{
    free_up(r, slot);
    r->n_dropped++;
}

void mac_reassembly_expire(struct mac_reassembly *r, int64_t now_ns)
{
    if (now_ns < r->deadline_ns)
        return;
    for (size_t i = 0; i < r->n_slots; i++)
        if (r->slots[i].used && r->slots[i].expires_ns <= now_ns)
            drop(r, &r->slots[i]);
}

/* Which of two messages is given up for a new one: the one with fewer fragments, so that single fragments of strangers do not push out
 * what is nearly whole, then the older one. */
static bool is_worth_less(const struct mac_reassembly_slot *a, const struct mac_reassembly_slot *b)
{
    return a->n_have != b->n_have ? a->n_have < b->n_have : a->expires_ns < b->expires_ns;
}

/* The slot of this message; else a free one; else that of the message which is given up for it. */
static struct mac_reassembly_slot *find(struct mac_reassembly *r, const struct mac_frame *frame, int64_t now_ns)
{
    struct mac_reassembly_slot *free_slot = NULL, *least = &r->slots[0];
    bool broadcast = mac_address_is_group(&frame->receiver);
    for (size_t i = 0; i < r->n_slots; i++) {
        struct mac_reassembly_slot *slot = &r->slots[i];
        if (!slot->used) {
            free_slot = free_slot ? free_slot : slot;
            continue;
        }
        if (slot->message_id == frame->message_id && slot->broadcast == broadcast &&
            mac_address_equal(&slot->from, &frame->transmitter))
            return slot;
        if (is_worth_less(slot, least))
            least = slot;
    }
    if (!free_slot) {
        drop(r, least);
        free_slot = least;
    }
    uint8_t *buffer = free_slot->buffer;
    *free_slot = (struct mac_reassembly_slot){.used = true,
                                              .broadcast = broadcast,
                                              .from = frame->transmitter,
                                              .message_id = frame->message_id,
                                              .last_fragment = frame->last_fragment,
                                              .expires_ns = now_ns + r->keep_ns,
                                              .buffer = buffer};
    if (free_slot->expires_ns < r->deadline_ns)
        r->deadline_ns = free_slot->expires_ns;
    return free_slot;
}

/* A fragment must agree with those before it in number and length, and the whole must fit. */
static bool fits(const struct mac_reassembly_slot *slot, const struct mac_frame *frame)
{
    if (frame->last_fragment != slot->last_fragment || frame->payload_len == 0)
        return false;
    if (frame->fragment == frame->last_fragment)
        return slot->fragment_len == 0 || frame->payload_len <= slot->fragment_len;
    if (slot->fragment_len != 0)
        return frame->payload_len == slot->fragment_len;
    return frame->payload_len * frame->last_fragment + (slot->last_len ? slot->last_len : 1) <= MAC_MAX_MESSAGE_BYTES &&
           slot->last_len <= frame->payload_len;
}

static void place(struct mac_reassembly_slot *slot, const struct mac_frame *frame)
{
    size_t at;
    if (frame->fragment == frame->last_fragment) {
        slot->last_len = frame->payload_len;
        at = MAC_MAX_MESSAGE_BYTES; /* parked: its place follows from the length of the others */
    } else {
        slot->fragment_len = frame->payload_len;
        at = (size_t)frame->fragment * slot->fragment_len;
    }
    memcpy(slot->buffer + at, frame->payload, frame->payload_len);
    slot->have[frame->fragment / 8] |= (uint8_t)(1u << frame->fragment % 8);
    slot->n_have++;
}

bool mac_reassembly_add(struct mac_reassembly *r, const struct mac_frame *frame, int64_t now_ns, const uint8_t **message_out,
                        size_t *len_out)
{
    mac_reassembly_expire(r, now_ns);
    if (frame->last_fragment == 0) {
        *message_out = frame->payload;
        *len_out = frame->payload_len;
        return frame->payload_len > 0;
    }
    struct mac_reassembly_slot *slot = find(r, frame, now_ns);
    if (!fits(slot, frame)) {
        drop(r, slot);
        return false;
    }
    if ((slot->have[frame->fragment / 8] >> frame->fragment % 8 & 1) != 0)
        return false;
    place(slot, frame);
    if (slot->n_have <= slot->last_fragment)
        return false;
    size_t head_len = slot->fragment_len * slot->last_fragment;
    if (head_len + slot->last_len > MAC_MAX_MESSAGE_BYTES) {
        drop(r, slot);
        return false;
    }
    memmove(slot->buffer + head_len, slot->buffer + MAC_MAX_MESSAGE_BYTES, slot->last_len);
    free_up(r, slot);
    r->n_done++;
    *message_out = slot->buffer;
    *len_out = head_len + slot->last_len;
    return true;
}
