#include <errno.h>
#include <string.h>

#include "chain/ledger_entries.h"
#include "chain/snapshot.h"

static const char MAGIC[] = "airdeed-snapshot";

struct counted {
    size_t n, octets;
};

static size_t head_octets(uint64_t value)
{
    return value < 24 ? 1 : value <= UINT8_MAX ? 2 : value <= UINT16_MAX ? 3 : value <= UINT32_MAX ? 5 : 9;
}

static struct counted count_entries(const struct chain_ledger *l)
{
    struct counted count = {0};
    struct chain_ledger_cursor cursor = {0};
    struct chain_ledger_entry e;
    for (; chain_ledger_next_entry(l, &cursor, &e); count.n++)
        count.octets += 1 + head_octets(e.table) + head_octets(e.id) + head_octets(e.sub) + head_octets(e.value_len) + e.value_len;
    return count;
}

static size_t count_bits(uint64_t n)
{
    size_t count = 0;
    for (; n; n &= n - 1)
        count++;
    return count;
}

size_t chain_snapshot_bytes(const struct chain_ledger *l)
{
    struct counted count = count_entries(l);
    return 1 + 1 + sizeof MAGIC + CHAIN_MAX_HEADER_BYTES + 3 + 64 * (2 + CHAIN_HASH_BYTES) + head_octets(count.n) + count.octets;
}

size_t chain_snapshot_max_bytes(const struct chain_genesis *genesis)
{
    static const size_t heads = 1 + 3 * 9 + 5; /* of an entry, its three numbers and its value */
    return 1 + 1 + sizeof MAGIC + CHAIN_MAX_HEADER_BYTES + 3 + 64 * (2 + CHAIN_HASH_BYTES) + 9 +
           chain_ledger_max_entries(genesis) * (heads + CHAIN_MAX_ENTRY_VALUE);
}

long chain_snapshot_encode(const struct chain_ledger *l, uint8_t *out, size_t cap)
{
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    uint8_t header[CHAIN_MAX_HEADER_BYTES];
    long header_len = chain_header_encode(&l->tip, header, sizeof header);
    chain_cbor_put_array(&w, 4);
    chain_cbor_put_text(&w, MAGIC);
    chain_cbor_put_bytes(&w, header, (size_t)header_len);
    size_t n_roots = count_bits(l->below.n);
    chain_cbor_put_array(&w, n_roots);
    for (size_t i = 0; i < n_roots; i++)
        chain_cbor_put_bytes(&w, l->below.stack[i].octets, CHAIN_HASH_BYTES);
    chain_cbor_put_array(&w, count_entries(l).n);
    struct chain_ledger_cursor cursor = {0};
    struct chain_ledger_entry e;
    while (chain_ledger_next_entry(l, &cursor, &e)) {
        chain_cbor_put_array(&w, 4);
        chain_cbor_put_uint(&w, e.table);
        chain_cbor_put_uint(&w, e.id);
        chain_cbor_put_uint(&w, e.sub);
        chain_cbor_put_bytes(&w, e.value, e.value_len);
    }
    return chain_cbor_finish(&w);
}

static void read_head(struct chain_cbor_reader *r, struct chain_header *header)
{
    char magic[sizeof MAGIC];
    size_t len;
    chain_cbor_expect_array(r, 4);
    chain_cbor_get_text(r, magic, sizeof magic);
    const uint8_t *octets = chain_cbor_get_bytes(r, &len);
    if (r->bad || strcmp(magic, MAGIC) != 0 || chain_header_decode(header, octets, len) != 0)
        r->bad = true;
}

int chain_snapshot_header(const uint8_t *data, size_t len, struct chain_header *out)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    read_head(&r, out);
    return r.bad ? -EBADMSG : 0;
}

static int load_history(struct chain_ledger *l, struct chain_cbor_reader *r)
{
    struct chain_hash root;
    size_t n = chain_cbor_get_array(r, 64);
    if (r->bad || n != count_bits(l->tip.height))
        return -EBADMSG;
    l->below.n = l->tip.height;
    for (size_t i = 0; i < n; i++)
        chain_cbor_get_fixed(r, l->below.stack[i].octets, CHAIN_HASH_BYTES);
    chain_merkle_finish(&l->below, &root);
    return r->bad || memcmp(&root, &l->tip.history_root, sizeof root) != 0 ? -EBADMSG : 0;
}

static int load_entries(struct chain_ledger *l, struct chain_cbor_reader *r)
{
    uint64_t last[3] = {0};
    size_t n = chain_cbor_get_array(r, chain_ledger_max_entries(&l->genesis));
    for (size_t i = 0; i < n && !r->bad; i++) {
        size_t len;
        chain_cbor_expect_array(r, 4);
        uint64_t table = chain_cbor_get_uint(r), id = chain_cbor_get_uint(r), sub = chain_cbor_get_uint(r);
        const uint8_t *value = chain_cbor_get_bytes(r, &len);
        bool ascends = table != last[0] ? table > last[0] : id != last[1] ? id > last[1] : sub > last[2];
        if (r->bad || (i > 0 && !ascends) || chain_ledger_load_entry(l, table, id, sub, value, len) != 0)
            return -EBADMSG;
        last[0] = table, last[1] = id, last[2] = sub;
    }
    return chain_cbor_end(r);
}

int chain_snapshot_load(struct chain_ledger *l, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    struct chain_header header;
    struct chain_hash root;
    read_head(&r, &header);
    if (r.bad)
        return -EBADMSG;
    chain_ledger_clear(l);
    l->tip = header;
    chain_header_hash(&header, &l->tip_hash);
    if (load_history(l, &r) != 0 || load_entries(l, &r) != 0)
        return -EBADMSG;
    chain_ledger_rebuild_root(l, &root);
    return memcmp(&root, &header.state_root, sizeof root) == 0 ? 0 : -EBADMSG;
}
