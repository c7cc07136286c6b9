#include "chain/proof.h"

#include <errno.h>
#include <string.h>

#include "chain/cbor.h"

enum { VERSION = 1, MAX_EPOCHS = 4096 };
static const char MAGIC[] = "airdeed-proof";

static void put_map(struct chain_cbor_writer *w, const struct chain_map_proof *map, bool with_value)
{
    if (map->empty) {
        chain_cbor_put_null(w);
        return;
    }
    chain_cbor_put_array(w, with_value ? 3 : 1);
    if (with_value) {
        chain_cbor_put_bytes(w, map->key.octets, CHAIN_HASH_BYTES);
        chain_cbor_put_bytes(w, map->value.octets, CHAIN_HASH_BYTES);
    }
    chain_cbor_put_array(w, 2 * map->n_steps);
    for (size_t i = 0; i < map->n_steps; i++) {
        chain_cbor_put_uint(w, map->steps[i].bit);
        chain_cbor_put_bytes(w, map->steps[i].sibling.octets, CHAIN_HASH_BYTES);
    }
}

static void put_path(struct chain_cbor_writer *w, const struct chain_merkle_path *path)
{
    chain_cbor_put_array(w, path->n);
    for (size_t i = 0; i < path->n; i++)
        chain_cbor_put_bytes(w, path->nodes[i].octets, CHAIN_HASH_BYTES);
}

static void put_claim(struct chain_cbor_writer *w, const struct chain_proof_claim *c)
{
    static const uint8_t n_items[] = {[CHAIN_PROOF_TX] = 5, [CHAIN_PROOF_ENTRY] = 6, [CHAIN_PROOF_ABSENT] = 5, [CHAIN_PROOF_CONSISTENCY] = 4};
    chain_cbor_put_array(w, n_items[c->kind]);
    chain_cbor_put_uint(w, c->kind);
    if (c->kind == CHAIN_PROOF_TX) {
        chain_cbor_put_uint(w, c->index);
        chain_cbor_put_uint(w, c->n_txs);
        chain_cbor_put_bytes(w, c->tx, c->tx_len);
        put_path(w, &c->path);
    } else if (c->kind == CHAIN_PROOF_CONSISTENCY) {
        chain_cbor_put_bytes(w, c->earlier, c->earlier_len);
        put_path(w, &c->path);
        put_path(w, &c->history);
    } else {
        chain_cbor_put_uint(w, c->table);
        chain_cbor_put_uint(w, c->id);
        chain_cbor_put_uint(w, c->sub);
        if (c->kind == CHAIN_PROOF_ENTRY)
            chain_cbor_put_bytes(w, c->value, c->value_len);
        put_map(w, &c->map, c->kind == CHAIN_PROOF_ABSENT);
    }
}

void chain_proof_put_epoch(struct chain_cbor_writer *w, const struct chain_proof_epoch *e)
{
    chain_cbor_put_array(w, 4);
    chain_cbor_put_bytes(w, e->header, e->header_len);
    chain_cbor_put_bytes(w, e->cert, e->cert_len);
    chain_cbor_put_bytes(w, e->members, e->members_len);
    put_map(w, e->path, false);
}

long chain_proof_encode(const struct chain_proof_parts *parts, uint8_t *out, size_t cap)
{
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, 7);
    chain_cbor_put_text(&w, MAGIC);
    chain_cbor_put_uint(&w, VERSION);
    chain_cbor_put_bytes(&w, parts->genesis, parts->genesis_len);
    chain_cbor_put_array(&w, parts->n_epochs);
    for (size_t i = 0; i < parts->n_epochs; i++)
        chain_proof_put_epoch(&w, &parts->epochs[i]);
    chain_cbor_put_bytes(&w, parts->header, parts->header_len);
    chain_cbor_put_bytes(&w, parts->cert, parts->cert_len);
    put_claim(&w, parts->claim);
    return chain_cbor_finish(&w);
}

/* Without a value of its own the leaf is the one that the claim names. */
static void get_map(struct chain_cbor_reader *r, bool with_value, struct chain_map_proof *map)
{
    map->n_steps = 0;
    map->empty = with_value && chain_cbor_get_null(r);
    if (map->empty)
        return;
    chain_cbor_expect_array(r, with_value ? 3 : 1);
    if (with_value) {
        chain_cbor_get_fixed(r, map->key.octets, CHAIN_HASH_BYTES);
        chain_cbor_get_fixed(r, map->value.octets, CHAIN_HASH_BYTES);
    }
    size_t n = chain_cbor_get_array(r, 2 * CHAIN_MAP_MAX_STEPS);
    if (n % 2 != 0)
        r->bad = true;
    for (size_t i = 0; i < n / 2 && !r->bad; i++) {
        uint64_t bit = chain_cbor_get_uint(r);
        if (bit > UINT8_MAX)
            r->bad = true;
        map->steps[i].bit = (uint8_t)bit;
        chain_cbor_get_fixed(r, map->steps[i].sibling.octets, CHAIN_HASH_BYTES);
        map->n_steps = i + 1;
    }
}

static void get_path(struct chain_cbor_reader *r, struct chain_merkle_path *path)
{
    path->n = chain_cbor_get_array(r, CHAIN_MERKLE_MAX_PATH);
    for (size_t i = 0; i < path->n && !r->bad; i++)
        chain_cbor_get_fixed(r, path->nodes[i].octets, CHAIN_HASH_BYTES);
}

static void get_claim(struct chain_cbor_reader *r, struct chain_proof_claim *c)
{
    size_t n = chain_cbor_get_array(r, 6);
    uint64_t kind = chain_cbor_get_uint(r);
    if (kind == CHAIN_PROOF_TX && n == 5) {
        c->index = chain_cbor_get_uint(r);
        c->n_txs = chain_cbor_get_uint(r);
        c->tx = chain_cbor_get_bytes(r, &c->tx_len);
        get_path(r, &c->path);
    } else if (kind == CHAIN_PROOF_CONSISTENCY && n == 4) {
        c->earlier = chain_cbor_get_bytes(r, &c->earlier_len);
        get_path(r, &c->path);
        get_path(r, &c->history);
    } else if ((kind == CHAIN_PROOF_ENTRY && n == 6) || (kind == CHAIN_PROOF_ABSENT && n == 5)) {
        c->table = chain_cbor_get_uint(r);
        c->id = chain_cbor_get_uint(r);
        c->sub = chain_cbor_get_uint(r);
        if (kind == CHAIN_PROOF_ENTRY)
            c->value = chain_cbor_get_bytes(r, &c->value_len);
        get_map(r, kind == CHAIN_PROOF_ABSENT, &c->map);
    } else {
        r->bad = true;
    }
    c->kind = (enum chain_proof_kind)kind;
}

static const char *check_tx(const struct chain_proof_result *p)
{
    const struct chain_proof_claim *c = &p->claim;
    struct chain_hash leaf;
    chain_merkle_leaf(c->tx, c->tx_len, &leaf);
    return chain_merkle_check(&c->path, c->index, c->n_txs, &leaf, &p->header.tx_root) ? NULL : "the transaction is not under the header's tx root";
}

static const char *check_entry(struct chain_proof_result *p)
{
    struct chain_proof_claim *c = &p->claim;
    uint8_t octets[CHAIN_ENTRY_KEY_BYTES];
    struct chain_hash key;
    chain_hash_of(octets, chain_entry_key(c->table, c->id, c->sub, octets), &key);
    if (c->kind == CHAIN_PROOF_ENTRY) {
        c->map.key = key;
        chain_hash_of(c->value, c->value_len, &c->map.value);
    }
    enum chain_map_answer answer = chain_map_check(&c->map, &key, &p->header.state_root);
    if (answer == CHAIN_MAP_UNPROVED)
        return "the path does not lead to the header's state root";
    if (c->kind == CHAIN_PROOF_ABSENT && answer == CHAIN_MAP_PRESENT)
        return "the entry is there";
    return NULL;
}

static const char *check_consistency(struct chain_proof_result *p)
{
    const struct chain_proof_claim *c = &p->claim;
    struct chain_hash hash, leaf;
    if (chain_header_decode(&p->earlier, c->earlier, c->earlier_len) != 0)
        return "the earlier header is none";
    chain_hash_of(c->earlier, c->earlier_len, &hash);
    chain_merkle_leaf(hash.octets, CHAIN_HASH_BYTES, &leaf);
    if (!chain_merkle_check(&c->path, p->earlier.height, p->header.height, &leaf, &p->header.history_root))
        return "the earlier header is not in the later one's history";
    if (p->earlier.height > 0 && !chain_merkle_check_consistency(&c->history, p->earlier.height, &p->earlier.history_root,
                                                                 p->header.height, &p->header.history_root))
        return "the later history does not begin with the earlier one";
    return NULL;
}

bool chain_proof_get_epoch(struct chain_cbor_reader *r, struct chain_proof_epoch *out, struct chain_map_proof *path)
{
    uint8_t octets[CHAIN_ENTRY_KEY_BYTES];
    chain_cbor_expect_array(r, 4);
    out->header = chain_cbor_get_bytes(r, &out->header_len);
    out->cert = chain_cbor_get_bytes(r, &out->cert_len);
    out->members = chain_cbor_get_bytes(r, &out->members_len);
    out->path = path;
    get_map(r, false, path);
    if (r->bad)
        return false;
    path->empty = false;
    chain_hash_of(octets, chain_entry_key(CHAIN_MEMBERS_TABLE, 0, 0, octets), &path->key);
    chain_hash_of(out->members, out->members_len, &path->value);
    return true;
}

const char *chain_proof_follow_epoch(struct chain_light *light, const struct chain_proof_epoch *end)
{
    struct chain_header header;
    if (chain_header_decode(&header, end->header, end->header_len) != 0)
        return "the last block of an epoch has no header";
    if (chain_light_feed(light, end->header, end->header_len, end->cert, end->cert_len) != 0)
        return "the last block of an epoch is not certified by its members";
    if (chain_light_next_epoch(light, &header, end->members, end->members_len, end->path) != 0)
        return "the members of an epoch are not those of the state before it";
    return NULL;
}

/* One epoch's end: from its members to the next ones. False: the octets are no such thing. */
static bool follow_epoch(struct chain_cbor_reader *r, struct chain_light *light, struct chain_map_proof *path, const char **fault)
{
    struct chain_proof_epoch end;
    struct chain_header header;
    if (!chain_proof_get_epoch(r, &end, path) || chain_header_decode(&header, end.header, end.header_len) != 0)
        return false;
    if (!*fault)
        *fault = chain_proof_follow_epoch(light, &end);
    return true;
}

static bool get_genesis(struct chain_cbor_reader *r, struct chain_proof_result *out)
{
    char magic[sizeof MAGIC];
    size_t len;
    chain_cbor_expect_array(r, 7);
    chain_cbor_get_text(r, magic, sizeof magic);
    uint64_t version = chain_cbor_get_uint(r);
    const uint8_t *octets = chain_cbor_get_bytes(r, &len);
    return !r->bad && strcmp(magic, MAGIC) == 0 && version == VERSION && chain_genesis_decode(&out->genesis, octets, len) == 0 &&
           chain_genesis_finish(&out->genesis, &out->genesis_hash, NULL) == 0;
}

int chain_proof_check(const uint8_t *data, size_t len, const struct chain_signer *signer, struct chain_proof_result *out)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    struct chain_light light;
    size_t header_len, cert_len;
    memset(out, 0, sizeof *out);
    if (!get_genesis(&r, out))
        return -EINVAL;
    chain_light_init(&light, &out->genesis, signer);
    size_t n_epochs = chain_cbor_get_array(&r, MAX_EPOCHS);
    for (size_t i = 0; i < n_epochs; i++)
        if (!follow_epoch(&r, &light, &out->claim.map, &out->fault))
            return -EINVAL;
    const uint8_t *header = chain_cbor_get_bytes(&r, &header_len);
    const uint8_t *cert = chain_cbor_get_bytes(&r, &cert_len);
    memset(&out->claim.map, 0, sizeof out->claim.map);
    get_claim(&r, &out->claim);
    if (chain_cbor_end(&r) != 0 || chain_header_decode(&out->header, header, header_len) != 0)
        return -EINVAL;
    out->byzantine = light.byzantine;
    out->quorum = chain_light_quorum(&light);
    out->epoch = light.members.epoch;
    if (!out->fault && chain_light_verify(&light, &out->header, cert, cert_len, &out->n_signers) != 0)
        out->fault = "the header is not certified by the members of its epoch";
    if (!out->fault && out->claim.kind == CHAIN_PROOF_TX)
        out->fault = check_tx(out);
    else if (!out->fault && out->claim.kind == CHAIN_PROOF_CONSISTENCY)
        out->fault = check_consistency(out);
    else if (!out->fault)
        out->fault = check_entry(out);
    return out->fault ? -EBADMSG : 0;
}
