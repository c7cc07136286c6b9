#include "chain/hop.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "chain/batch.h"
#include "chain/cbor.h"

static_assert(CHAIN_CURVE_BYTES == crypto_box_PUBLICKEYBYTES && CHAIN_HOP_BOX_BYTES == CHAIN_HOP_KEY_BYTES + crypto_box_MACBYTES,
              "libsodium's boxes");

uint64_t chain_hop_slot(const struct chain_genesis *g, int64_t block_ns)
{
    return block_ns <= 0 ? 0 : (uint64_t)(block_ns / g->hop_dwell_ns);
}

int64_t chain_hop_edge_after(const struct chain_genesis *g, int64_t block_ns)
{
    int64_t k = block_ns <= 0 ? 0 : block_ns / g->hop_dwell_ns;
    return k >= CHAIN_MAX_TIME_NS / g->hop_dwell_ns ? CHAIN_MAX_TIME_NS : (k + 1) * g->hop_dwell_ns;
}

bool chain_hop_is_rendezvous(const struct chain_genesis *g, uint64_t slot)
{
    return slot % g->hop_rendezvous_every == 0;
}

static uint64_t word_at(const uint8_t *octets)
{
    uint64_t word = 0;
    for (size_t i = 0; i < 8; i++)
        word = word << 8 | octets[i];
    return word;
}

/* 0 .. n - 1 */
static uint32_t draw_below(const struct chain_members *members, const uint8_t *key, uint32_t epoch, uint64_t slot, uint32_t n)
{
    uint64_t excess = (UINT64_MAX % n + 1) % n; /* 2^64 mod n */
    for (uint64_t draw = 0;; draw++) {
        uint8_t preimage[64], out[64];
        struct chain_cbor_writer w = {.out = preimage, .cap = sizeof preimage};
        chain_cbor_put_array(&w, 5);
        chain_cbor_put_text(&w, "airdeed-hop");
        chain_cbor_put_bytes(&w, members->chain_id, sizeof members->chain_id);
        chain_cbor_put_uint(&w, epoch);
        chain_cbor_put_uint(&w, slot);
        chain_cbor_put_uint(&w, draw);
        int rc = crypto_generichash(out, sizeof out, preimage, w.len, key, CHAIN_HOP_KEY_BYTES);
        assert(rc == 0);
        (void)rc;
        for (size_t i = 0; i < sizeof out; i += 8)
            if (word_at(out + i) <= UINT64_MAX - excess)
                return (uint32_t)(word_at(out + i) % n);
    }
}

uint32_t chain_hop_channel(const struct chain_members *members, const uint8_t key[CHAIN_HOP_KEY_BYTES], uint32_t epoch, uint8_t mask, uint64_t slot)
{
    uint32_t channels[CHAIN_MAX_CHANNELS], n = 0;
    for (uint32_t c = 0; c < CHAIN_MAX_CHANNELS; c++)
        if (mask >> c & 1)
            channels[n++] = c;
    assert(n > 0);
    return n == 1 ? channels[0] : channels[draw_below(members, key, epoch, slot, n)];
}

void chain_hop_commit(const struct chain_members *members, uint32_t epoch, const uint8_t key[CHAIN_HOP_KEY_BYTES], struct chain_hash *out)
{
    uint8_t octets[96];
    struct chain_cbor_writer w = {.out = octets, .cap = sizeof octets};
    chain_cbor_put_array(&w, 4);
    chain_cbor_put_text(&w, "airdeed-hop-key");
    chain_cbor_put_bytes(&w, members->chain_id, sizeof members->chain_id);
    chain_cbor_put_uint(&w, epoch);
    chain_cbor_put_bytes(&w, key, CHAIN_HOP_KEY_BYTES);
    chain_hash_of(octets, w.len, out);
    sodium_memzero(octets, sizeof octets);
}

/* As crypto_box_seal does it, but for the ephemeral key, which is given. */
static bool seal_to(const uint8_t *identity, const uint8_t *key, const uint8_t *secret, const uint8_t *ephemeral, uint8_t *box_out)
{
    uint8_t to[crypto_box_PUBLICKEYBYTES], nonce[crypto_box_NONCEBYTES], both[2 * crypto_box_PUBLICKEYBYTES];
    if (crypto_sign_ed25519_pk_to_curve25519(to, identity) != 0)
        return false;
    memcpy(both, ephemeral, sizeof to);
    memcpy(both + sizeof to, to, sizeof to);
    return crypto_generichash(nonce, sizeof nonce, both, sizeof both, NULL, 0) == 0 &&
           crypto_box_easy(box_out, key, CHAIN_HOP_KEY_BYTES, nonce, to, secret) == 0;
}

int chain_hop_seal(const struct chain_members *members, const uint8_t key[CHAIN_HOP_KEY_BYTES], const uint8_t secret[CHAIN_CURVE_BYTES],
                   uint8_t ephemeral_out[CHAIN_CURVE_BYTES], uint8_t *boxes_out)
{
    if (crypto_scalarmult_base(ephemeral_out, secret) != 0)
        return -EINVAL;
    for (uint32_t seat = 0; seat < members->n; seat++) {
        uint8_t *box = boxes_out + (size_t)seat * CHAIN_HOP_BOX_BYTES;
        if (!seal_to(members->keys[members->seats[seat]], key, secret, ephemeral_out, box))
            memset(box, 0, CHAIN_HOP_BOX_BYTES);
    }
    return 0;
}

int chain_hop_open(const struct chain_signer *signer, const struct chain_members *members, const struct chain_hop_epoch *epoch,
                   const uint8_t ephemeral[CHAIN_CURVE_BYTES], const uint8_t box[CHAIN_HOP_BOX_BYTES], uint8_t key_out[CHAIN_HOP_KEY_BYTES])
{
    uint8_t sealed[CHAIN_CURVE_BYTES + CHAIN_HOP_BOX_BYTES];
    struct chain_hash commitment;
    memcpy(sealed, ephemeral, CHAIN_CURVE_BYTES);
    memcpy(sealed + CHAIN_CURVE_BYTES, box, CHAIN_HOP_BOX_BYTES);
    if (!signer->unseal || signer->unseal(signer->ctx, sealed, sizeof sealed, key_out) != 0)
        return -EBADMSG;
    chain_hop_commit(members, epoch->epoch, key_out, &commitment);
    return memcmp(&commitment, &epoch->commitment, sizeof commitment) == 0 ? 0 : -EBADMSG;
}
