#include "chain/batch.h"

#include <errno.h>
#include <string.h>

#include "chain/cbor.h"
#include "chain/merkle.h"

enum { HEADER_VERSION = 2 };

long chain_batch_encode(const struct chain_batch_view *batch, uint8_t *out, size_t cap)
{
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_int(&w, batch->time_ns);
    chain_cbor_put_array(&w, batch->n_txs);
    for (size_t i = 0; i < batch->n_txs; i++)
        chain_cbor_put_bytes(&w, batch->txs[i].data, batch->txs[i].len);
    return chain_cbor_finish(&w);
}

static int64_t read_time(struct chain_cbor_reader *r)
{
    chain_cbor_expect_array(r, 2);
    int64_t time_ns = chain_cbor_get_int(r);
    if (time_ns < 0 || time_ns > CHAIN_MAX_TIME_NS)
        r->bad = true;
    return time_ns;
}

int chain_batch_time(const uint8_t *data, size_t len, int64_t *time_ns_out)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    *time_ns_out = read_time(&r);
    return r.bad ? -EBADMSG : 0;
}

int chain_batch_decode(struct chain_batch_view *out, const uint8_t *data, size_t len)
{
    out->time_ns = 0;
    out->n_txs = 0;
    if (len == 0)
        return 0;
    if (len > CHAIN_MAX_BATCH_BYTES)
        return -EBADMSG;
    struct chain_cbor_reader r = {.data = data, .len = len};
    int64_t time_ns = read_time(&r);
    size_t n = chain_cbor_get_array(&r, CHAIN_MAX_BATCH_TXS);
    for (size_t i = 0; i < n && !r.bad; i++)
        out->txs[i].data = chain_cbor_get_bytes(&r, &out->txs[i].len);
    if (chain_cbor_end(&r) != 0)
        return -EBADMSG;
    out->time_ns = time_ns;
    out->n_txs = n;
    return 0;
}

void chain_batch_tx_root(const struct chain_batch_view *batch, struct chain_hash *out)
{
    struct chain_merkle tree;
    chain_merkle_init(&tree);
    for (size_t i = 0; i < batch->n_txs; i++)
        chain_merkle_add(&tree, batch->txs[i].data, batch->txs[i].len, NULL, 0);
    chain_merkle_finish(&tree, out);
}

void chain_batch_digest_over(const struct chain_members *members, const int64_t *time_ns, const struct chain_hash *tx_root,
                             struct chain_hash *out)
{
    uint8_t preimage[96];
    struct chain_cbor_writer w = {.out = preimage, .cap = sizeof preimage};
    chain_cbor_put_array(&w, 5);
    chain_cbor_put_text(&w, "airdeed-batch");
    chain_cbor_put_bytes(&w, members->chain_id, sizeof members->chain_id);
    chain_cbor_put_uint(&w, members->epoch);
    if (time_ns)
        chain_cbor_put_int(&w, *time_ns);
    else
        chain_cbor_put_null(&w);
    chain_cbor_put_bytes(&w, tx_root->octets, CHAIN_HASH_BYTES);
    chain_hash_of(preimage, w.len, out);
}

int chain_batch_digest(const struct chain_members *members, const uint8_t *data, size_t len, struct chain_hash *out)
{
    struct chain_batch_view batch;
    struct chain_hash root;
    if (chain_batch_decode(&batch, data, len) != 0)
        return -EBADMSG;
    chain_batch_tx_root(&batch, &root);
    chain_batch_digest_over(members, len > 0 ? &batch.time_ns : NULL, &root, out);
    return 0;
}

long chain_header_encode(const struct chain_header *header, uint8_t *out, size_t cap)
{
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, 8);
    chain_cbor_put_uint(&w, HEADER_VERSION);
    chain_cbor_put_uint(&w, header->height);
    chain_cbor_put_int(&w, header->time_ns);
    chain_cbor_put_bytes(&w, header->parent.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_bytes(&w, header->batch_digest.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_bytes(&w, header->tx_root.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_bytes(&w, header->state_root.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_bytes(&w, header->history_root.octets, CHAIN_HASH_BYTES);
    return chain_cbor_finish(&w);
}

int chain_header_decode(struct chain_header *out, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    struct chain_header header = {0};
    chain_cbor_expect_array(&r, 8);
    if (chain_cbor_get_uint(&r) != HEADER_VERSION)
        r.bad = true;
    header.height = chain_cbor_get_uint(&r);
    header.time_ns = chain_cbor_get_int(&r);
    chain_cbor_get_fixed(&r, header.parent.octets, CHAIN_HASH_BYTES);
    chain_cbor_get_fixed(&r, header.batch_digest.octets, CHAIN_HASH_BYTES);
    chain_cbor_get_fixed(&r, header.tx_root.octets, CHAIN_HASH_BYTES);
    chain_cbor_get_fixed(&r, header.state_root.octets, CHAIN_HASH_BYTES);
    chain_cbor_get_fixed(&r, header.history_root.octets, CHAIN_HASH_BYTES);
    if (chain_cbor_end(&r) != 0)
        return -EBADMSG;
    *out = header;
    return 0;
}

void chain_header_hash(const struct chain_header *header, struct chain_hash *out)
{
    uint8_t octets[CHAIN_MAX_HEADER_BYTES];
    long len = chain_header_encode(header, octets, sizeof octets);
    chain_hash_of(octets, (size_t)len, out);
}

long chain_certificate_encode(const struct chain_certificate *cert, uint8_t *out, size_t cap)
{
    uint8_t sigs[CHAIN_MAX_MEMBERS * CHAIN_SIG_BYTES];
    size_t len = 0;
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        if (!(cert->signers >> i & 1))
            continue;
        memcpy(sigs + len, cert->sigs[i], CHAIN_SIG_BYTES);
        len += CHAIN_SIG_BYTES;
    }
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_uint(&w, cert->signers);
    chain_cbor_put_bytes(&w, sigs, len);
    return chain_cbor_finish(&w);
}

int chain_certificate_decode(struct chain_certificate *out, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    chain_cbor_expect_array(&r, 2);
    uint64_t signers = chain_cbor_get_uint(&r);
    size_t sigs_len;
    const uint8_t *sigs = chain_cbor_get_bytes(&r, &sigs_len);
    if (chain_cbor_end(&r) != 0 || signers >> CHAIN_MAX_MEMBERS != 0)
        return -EBADMSG;
    size_t want = 0;
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++)
        want += (size_t)(signers >> i & 1) * CHAIN_SIG_BYTES;
    if (want != sigs_len)
        return -EBADMSG;
    memset(out, 0, sizeof *out);
    out->signers = signers;
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        if (!(signers >> i & 1))
            continue;
        memcpy(out->sigs[i], sigs, CHAIN_SIG_BYTES);
        sigs += CHAIN_SIG_BYTES;
    }
    return 0;
}

int chain_certificate_check(const struct chain_certificate *cert, const struct chain_members *members,
                            const struct chain_signer *signer, uint64_t height, const struct chain_hash *header_hash)
{
    if (members->n < 64 && cert->signers >> members->n != 0)
        return -EBADMSG;
    int n_valid = 0;
    for (uint32_t i = 0; i < members->n; i++) {
        if (!(cert->signers >> i & 1))
            continue;
        struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .author = i, .seq = height, .digest = *header_hash};
        memcpy(vote.sig, cert->sigs[i], CHAIN_SIG_BYTES);
        if (signer->verify(signer->ctx, members, &vote) != 0)
            return -EBADMSG;
        n_valid++;
    }
    return n_valid;
}
