#include "chain/members.h"

#include <string.h>

void chain_members_put_seats(const struct chain_members *members, struct chain_cbor_writer *w)
{
    chain_cbor_put_array(w, 2);
    chain_cbor_put_uint(w, members->epoch);
    chain_cbor_put_array(w, members->n);
    for (uint32_t i = 0; i < members->n; i++) {
        chain_cbor_put_array(w, 2);
        chain_cbor_put_uint(w, members->seats[i]);
        chain_cbor_put_bytes(w, members->keys[members->seats[i]], CHAIN_KEY_BYTES);
    }
}

bool chain_members_get_seats(struct chain_members *members, struct chain_cbor_reader *r)
{
    chain_cbor_expect_array(r, 2);
    uint32_t epoch = chain_cbor_get_u32(r);
    size_t n = chain_cbor_get_array(r, CHAIN_MAX_MEMBERS);
    if (n == 0)
        return false;
    memset(members->keys, 0, sizeof members->keys);
    memset(members->seats, 0, sizeof members->seats);
    uint32_t n_keys = 0;
    for (size_t i = 0; i < n; i++) {
        chain_cbor_expect_array(r, 2);
        uint32_t id = chain_cbor_get_u32(r);
        if (r->bad || id >= CHAIN_MAX_KEYS || id < n_keys)
            return false;
        chain_cbor_get_fixed(r, members->keys[id], CHAIN_KEY_BYTES);
        members->seats[i] = (uint8_t)id;
        n_keys = id + 1;
    }
    members->n = (uint32_t)n;
    members->n_keys = n_keys;
    members->epoch = epoch;
    return !r->bad;
}
