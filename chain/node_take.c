/* Taking a block from another member: nothing of it is believed but the signatures under its header. */
#include "chain/node_internal.h"

#include <string.h>

struct offer {
    uint64_t height;
    const uint8_t *batch;
    size_t batch_len;
    bool header_given;
    struct chain_header header;
    struct chain_hash hash;
    struct chain_certificate cert;
};

static bool decode_offer(const struct chain_msg *msg, struct offer *out)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    size_t header_len, cert_len;
    chain_cbor_expect_array(&r, 3);
    out->batch = chain_cbor_get_bytes(&r, &out->batch_len);
    const uint8_t *header = chain_cbor_get_bytes(&r, &header_len);
    const uint8_t *cert = chain_cbor_get_bytes(&r, &cert_len);
    if (chain_cbor_end(&r) != 0 || chain_certificate_decode(&out->cert, cert, cert_len) != 0)
        return false;
    out->height = msg->seq;
    out->header_given = header_len > 0;
    if (!out->header_given)
        return out->batch_len == 0;
    if (chain_header_decode(&out->header, header, header_len) != 0 || out->header.height != msg->seq)
        return false;
    chain_hash_of(header, header_len, &out->hash);
    return true;
}

/* Checks the certificate's signatures, each once, and keeps them as votes. */
static bool take_signatures(struct chain_node *m, const struct offer *offer)
{
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        if (!(offer->cert.signers >> i & 1))
            continue;
        if (i >= m->members->n)
            return false;
        if (node_has_vote(m, i, offer->height, &offer->hash))
            continue;
        struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .author = i, .seq = offer->height, .digest = offer->hash};
        memcpy(vote.sig, offer->cert.sigs[i], CHAIN_SIG_BYTES);
        if (!node_verify(m, &vote))
            return false;
        node_add_vote(m, i, offer->height, &offer->hash, vote.sig);
    }
    return true;
}

static bool batch_matches(const struct chain_node *m, const struct offer *offer)
{
    struct chain_hash digest;
    return offer->batch_len <= m->cfg.genesis->max_batch_bytes &&
           chain_batch_digest(m->members, offer->batch, offer->batch_len, &digest) == 0 &&
           memcmp(digest.octets, offer->header.batch_digest.octets, CHAIN_HASH_BYTES) == 0;
}

/* The next block, when enough members vouch for its header. */
static bool execute_offer(struct chain_node *m, const struct offer *offer, struct chain_node_update *out)
{
    struct chain_hash tip_hash;
    chain_header_hash(chain_ledger_tip(m->ledger), &tip_hash);
    uint32_t n_votes = node_count_votes(m, offer->height, &offer->hash);
    bool continues = memcmp(tip_hash.octets, offer->header.parent.octets, CHAIN_HASH_BYTES) == 0;
    if (!continues && n_votes >= m->quorum) {
        node_fail(m, node_tip(m)); /* a certified block on top of another block than ours */
        return false;
    }
    if (!continues || n_votes < m->witness || !batch_matches(m, offer)) {
        m->stats.refused_block++;
        return false;
    }
    struct node_block *block = node_execute(m, offer->batch, offer->batch_len, &offer->header, out);
    if (!block)
        return true;
    m->stats.blocks_fetched++;
    node_pull_stop(m);
    m->syncing = true;
    m->tell_synced = block->height;
    if (n_votes < m->quorum)
        node_vote_for(m, block);
    else if (m->vote_next == block->height)
        m->vote_next++; /* it has its certificate: our vote is wanted only as status */
    return true;
}

bool node_take_block(struct chain_node *m, const struct chain_msg *msg, struct chain_node_update *out)
{
    uint64_t tip = node_tip(m);
    if (msg->seq <= m->certified) {
        m->stats.duplicates++;
        return false;
    }
    struct offer offer;
    if (!decode_offer(msg, &offer)) {
        m->stats.refused_malformed++;
        return false;
    }
    const struct node_block *own = node_find_block(m, msg->seq);
    if (!offer.header_given && own)
        offer.hash = own->hash;
    if (msg->seq > tip + 1 || msg->seq - m->certified > CHAIN_NODE_MAX_OPEN || (!offer.header_given && !own) || (m->epoch_end > 0 && msg->seq > m->epoch_end)) {
        m->stats.refused_block++;
        return false;
    }
    if (!node_verify(m, msg))
        return false;
    if (!take_signatures(m, &offer)) {
        m->stats.refused_block++;
        return false;
    }
    return msg->seq == tip + 1 && execute_offer(m, &offer, out);
}
