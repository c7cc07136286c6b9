#include "chain/light.h"

#include <errno.h>
#include <string.h>

#include "chain/cbor.h"
#include "chain/members.h"

void chain_light_init(struct chain_light *light, const struct chain_genesis *genesis, const struct chain_signer *signer)
{
    memset(light, 0, sizeof *light);
    light->byzantine = strcmp(genesis->engine, "pbft") == 0;
    light->members = genesis->members;
    light->signer = *signer;
}

uint32_t chain_light_quorum(const struct chain_light *light)
{
    return light->byzantine ? chain_pbft_quorum(light->members.n) : chain_majority(light->members.n);
}

int chain_light_verify(const struct chain_light *light, const struct chain_header *header, const uint8_t *cert, size_t cert_len,
                       uint32_t *n_signers_out)
{
    struct chain_certificate certificate;
    struct chain_hash hash;
    if (chain_certificate_decode(&certificate, cert, cert_len) != 0)
        return -EBADMSG;
    chain_header_hash(header, &hash);
    int n = chain_certificate_check(&certificate, &light->members, &light->signer, header->height, &hash);
    if (n < 0 || (uint32_t)n < chain_light_quorum(light))
        return -EBADMSG;
    *n_signers_out = (uint32_t)n;
    return 0;
}

int chain_light_feed(struct chain_light *light, const uint8_t *header, size_t header_len, const uint8_t *cert, size_t cert_len)
{
    struct chain_header next;
    uint32_t n_signers;
    if (chain_header_decode(&next, header, header_len) != 0 || chain_light_verify(light, &next, cert, cert_len, &n_signers) != 0)
        return -EBADMSG;
    if (light->has_tip && next.height <= light->tip.height)
        return -EINVAL;
    if (light->has_tip && next.height == light->tip.height + 1 && memcmp(&next.parent, &light->tip_hash, sizeof next.parent) != 0)
        return -ESTALE;
    if (light->has_tip && next.time_ns <= light->tip.time_ns)
        return -ESTALE;
    light->has_tip = true;
    light->tip = next;
    light->n_signers = n_signers;
    chain_hash_of(header, header_len, &light->tip_hash);
    return 0;
}

size_t chain_entry_key(uint64_t table, uint64_t id, uint64_t sub, uint8_t out[CHAIN_ENTRY_KEY_BYTES])
{
    struct chain_cbor_writer w = {.out = out, .cap = CHAIN_ENTRY_KEY_BYTES};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, table);
    chain_cbor_put_uint(&w, id);
    chain_cbor_put_uint(&w, sub);
    return w.len;
}

int chain_light_next_epoch(struct chain_light *light, const struct chain_header *last, const uint8_t *members, size_t len,
                           const struct chain_map_proof *path)
{
    uint8_t octets[CHAIN_ENTRY_KEY_BYTES];
    struct chain_hash key, value;
    struct chain_members next = light->members;
    struct chain_cbor_reader r = {.data = members, .len = len};
    chain_hash_of(octets, chain_entry_key(CHAIN_MEMBERS_TABLE, 0, 0, octets), &key);
    chain_hash_of(members, len, &value);
    if (chain_map_check(path, &key, &last->state_root) != CHAIN_MAP_PRESENT || memcmp(&path->value, &value, sizeof value) != 0 ||
        !chain_members_get_seats(&next, &r) || chain_cbor_end(&r) != 0 || next.epoch != light->members.epoch + 1)
        return -EBADMSG;
    light->members = next;
    return 0;
}

bool chain_light_has_header(const struct chain_light *light, uint64_t height, const struct chain_hash *hash,
                            const struct chain_merkle_path *path)
{
    struct chain_hash leaf;
    if (!light->has_tip)
        return false;
    chain_merkle_leaf(hash->octets, CHAIN_HASH_BYTES, &leaf);
    return chain_merkle_check(path, height, light->tip.height, &leaf, &light->tip.history_root);
}
