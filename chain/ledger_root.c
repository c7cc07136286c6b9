/* The state as sorted (key, value) entries, and its root. Keys are CBOR arrays [table, id, sub], so that their octets sort like
 * the numbers; a leaf is key and value after each other. */
#include "chain/cbor.h"
#include "chain/ledger_state.h"
#include "chain/merkle.h"

typedef void visit_fn(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len);

struct walk {
    visit_fn *visit;
    void *ctx;
    size_t n;
    uint8_t value[320];
};

static struct chain_cbor_writer begin(struct walk *walk)
{
    return (struct chain_cbor_writer){.out = walk->value, .cap = sizeof walk->value};
}

static void end(struct walk *walk, const struct chain_cbor_writer *value, uint64_t table, uint64_t id, uint64_t sub)
{
    uint8_t octets[24];
    struct chain_cbor_writer key = {.out = octets, .cap = sizeof octets};
    chain_cbor_put_array(&key, 3);
    chain_cbor_put_uint(&key, table);
    chain_cbor_put_uint(&key, id);
    chain_cbor_put_uint(&key, sub);
    walk->visit(walk->ctx, octets, key.len, walk->value, value->len);
    walk->n++;
}

static void walk_counters(const struct chain_ledger *l, struct walk *walk)
{
    struct chain_cbor_writer w = begin(walk);
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, l->next_window);
    chain_cbor_put_uint(&w, l->next_grant_id);
    chain_cbor_put_uint(&w, l->next_evidence_id);
    end(walk, &w, CHAIN_TABLE_COUNTERS, 0, 0);
}

static void walk_stations(const struct chain_ledger *l, struct walk *walk)
{
    for (uint32_t i = 0; i < l->genesis.members.n_keys; i++) {
        const struct chain_station *s = &l->stations[i];
        if (!s->registered)
            continue;
        struct chain_cbor_writer w = begin(walk);
        chain_cbor_put_array(&w, 6);
        chain_cbor_put_text(&w, s->call_sign);
        chain_cbor_put_int(&w, s->lat_e7);
        chain_cbor_put_int(&w, s->lon_e7);
        chain_cbor_put_int(&w, s->height_cm);
        chain_cbor_put_int(&w, s->registered_ns);
        chain_cbor_put_uint(&w, s->reputation);
        end(walk, &w, CHAIN_TABLE_STATIONS, i, 0);
    }
}

static void walk_nonces(const struct chain_ledger *l, struct walk *walk)
{
    for (uint32_t i = 0; i < l->genesis.members.n_keys; i++) {
        const struct chain_nonces *n = &l->nonces[i];
        if (n->top == 0)
            continue;
        struct chain_cbor_writer w = begin(walk);
        chain_cbor_put_array(&w, 2);
        chain_cbor_put_uint(&w, n->top);
        uint8_t used[CHAIN_NONCE_WINDOW / 8];
        for (size_t k = 0; k < sizeof used; k++)
            used[k] = (uint8_t)(n->used[k / 8] >> (8 * (k % 8)));
        chain_cbor_put_bytes(&w, used, sizeof used);
        end(walk, &w, CHAIN_TABLE_NONCES, i, 0);
    }
}

static void walk_channels(const struct chain_ledger *l, struct walk *walk)
{
    for (uint32_t i = 0; i < l->genesis.n_channels; i++) {
        const struct chain_channel_record *c = &l->channels[i];
        struct chain_cbor_writer w = begin(walk);
        chain_cbor_put_array(&w, 4);
        chain_cbor_put_uint(&w, c->status);
        chain_cbor_put_uint(&w, c->since_window);
        chain_cbor_put_int(&w, c->since_ns);
        chain_cbor_put_uint(&w, c->free_windows);
        end(walk, &w, CHAIN_TABLE_CHANNELS, i, 0);
    }
}

static void walk_sensing(const struct chain_ledger *l, struct walk *walk)
{
    for (size_t i = 0; i < l->n_windows; i++) {
        for (uint32_t j = 0; j < l->genesis.members.n_keys; j++) {
            const struct chain_sensing *s = &l->windows[i].by_station[j];
            if (!s->committed)
                continue;
            struct chain_cbor_writer w = begin(walk);
            chain_cbor_put_array(&w, 3);
            chain_cbor_put_uint(&w, s->commit_height);
            chain_cbor_put_bytes(&w, s->commitment.octets, CHAIN_HASH_BYTES);
            if (s->revealed)
                chain_cbor_put_uint(&w, s->occupied);
            else
                chain_cbor_put_null(&w);
            end(walk, &w, CHAIN_TABLE_SENSING, l->windows[i].window, j);
        }
    }
}

static void walk_grants(const struct chain_ledger *l, struct walk *walk)
{
    for (size_t i = 0; i < l->n_grants; i++) {
        const struct chain_grant *g = &l->grants[i];
        struct chain_cbor_writer w = begin(walk);
        chain_cbor_put_array(&w, 11);
        chain_cbor_put_uint(&w, g->holder);
        chain_cbor_put_uint(&w, g->channel);
        chain_cbor_put_array(&w, g->n_peers);
        for (uint32_t j = 0; j < g->n_peers; j++)
            chain_cbor_put_uint(&w, g->peers[j]);
        chain_cbor_put_int(&w, g->max_eirp_cdbm_mhz);
        chain_cbor_put_uint(&w, g->state);
        chain_cbor_put_bool(&w, g->suspended);
        chain_cbor_put_int(&w, g->granted_ns);
        chain_cbor_put_int(&w, g->grant_expire_ns);
        chain_cbor_put_int(&w, g->transmit_expire_ns);
        chain_cbor_put_int(&w, g->suspended_ns);
        chain_cbor_put_int(&w, g->ended_ns);
        end(walk, &w, CHAIN_TABLE_GRANTS, g->id, 0);
    }
}

static void walk_evidence(const struct chain_ledger *l, struct walk *walk)
{
    for (size_t i = 0; i < l->n_evidence; i++) {
        const struct chain_evidence *e = &l->evidence[i];
        struct chain_cbor_writer w = begin(walk);
        chain_cbor_put_array(&w, 6);
        chain_cbor_put_uint(&w, e->channel);
        chain_cbor_put_uint(&w, e->kind);
        chain_cbor_put_int(&w, e->from_ns);
        chain_cbor_put_int(&w, e->at_ns);
        chain_cbor_put_uint(&w, e->witnesses);
        chain_cbor_put_bool(&w, e->confirmed);
        end(walk, &w, CHAIN_TABLE_EVIDENCE, e->id, 0);
    }
}

size_t chain_ledger_entries(const struct chain_ledger *l, visit_fn *visit, void *ctx)
{
    struct walk walk = {.visit = visit, .ctx = ctx};
    walk_counters(l, &walk);
    walk_stations(l, &walk);
    walk_nonces(l, &walk);
    walk_channels(l, &walk);
    walk_sensing(l, &walk);
    walk_grants(l, &walk);
    walk_evidence(l, &walk);
    return walk.n;
}

void chain_ledger_touch(struct chain_ledger *l, enum chain_ledger_table table, uint64_t id, uint64_t sub)
{
    (void)l, (void)table, (void)id, (void)sub; /* the root is computed anew for each block */
}

static void add_leaf(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    chain_merkle_add(ctx, key, key_len, value, value_len);
}

void chain_ledger_state_root(const struct chain_ledger *l, struct chain_hash *out)
{
    struct chain_merkle tree;
    chain_merkle_init(&tree);
    chain_ledger_entries(l, add_leaf, &tree);
    chain_merkle_finish(&tree, out);
}
