/* Catching up, both sides: asking a member that signed a higher header, and answering such a question. */
#include "chain/node_internal.h"

#include <string.h>

enum { FETCH_ANYONE = 4, FETCH_MAX_HINTS = 12 };
static const int64_t NEXT_FETCH_NS = 2000000; /* the member that asks is catching up: what comes next, it asks for soon */

/* Body of BLOCK: [batch, header, certificate]; a certificate alone comes with the other two empty. */
static void put_block(struct chain_node *m, const struct chain_node_block *block, uint32_t to, size_t *bytes)
{
    struct chain_cbor_writer w = {.out = m->scratch, .cap = CHAIN_MAX_MSG_BYTES};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_bytes(&w, block->batch, block->batch_len);
    chain_cbor_put_bytes(&w, block->header, block->header_len);
    chain_cbor_put_bytes(&w, block->cert, block->cert_len);
    long len = chain_cbor_finish(&w);
    struct chain_msg msg = {.kind = CHAIN_MSG_BLOCK, .author = m->cfg.self, .seq = block->height, .body = m->scratch};
    if (len <= 0)
        return;
    msg.body_len = (size_t)len;
    *bytes += msg.body_len;
    if (chain_msg_digest(m->members, msg.kind, msg.body, msg.body_len, &msg.digest) == 0 &&
        m->signer.sign(m->signer.ctx, m->members, &msg) == 0)
        node_put(m, &msg, to, CHAIN_URGENT_GOSSIP, 0);
}

/* An epoch's last block or a snapshot's is kept for its header: without the batch it is no block. */
static bool is_complete(const struct chain_node *m, const struct chain_node_block *block)
{
    struct chain_header header;
    struct chain_hash digest;
    return block->batch_len > 0 || (chain_header_decode(&header, block->header, block->header_len) == 0 &&
                                    chain_batch_digest(m->members, block->batch, 0, &digest) == 0 &&
                                    memcmp(&digest, &header.batch_digest, sizeof(digest)) == 0);
}

/* A block from memory, with what is known of its certificate, or from the store. False if it cannot be had. */
static bool read_block(struct chain_node *m, uint64_t height, uint8_t cert_octets[CHAIN_MAX_CERT_BYTES],
                       struct chain_node_block *out)
{
    bool lies_back = m->cfg.serve_blocks > 0 && height + m->cfg.serve_blocks <= node_tip(m);
    struct node_block *block = lies_back ? NULL : node_find_block(m, height);
    if (!block)
        return m->cfg.read_block && m->cfg.read_block(m->cfg.read_block_ctx, height, out) == 0 && out->cert_len > 0 && is_complete(m, out);
    if (block->persist_seq > m->persisted_seq)
        return false; /* our vote in its certificate is not on disk */
    *out = (struct chain_node_block){.height = height,
                                     .batch = block->batch,
                                     .batch_len = block->batch_len,
                                     .header = block->header_octets,
                                     .header_len = block->header_len,
                                     .cert = block->cert,
                                     .cert_len = block->cert_len};
    if (block->cert_len == 0) {
        struct chain_certificate cert;
        node_gather_cert(m, block, &cert);
        out->cert = cert_octets;
        out->cert_len = (size_t)chain_certificate_encode(&cert, cert_octets, CHAIN_MAX_CERT_BYTES);
    }
    return true;
}

/* One bundle at most. count 0 asks for certificates alone. */
static void serve_from(struct chain_node *m, uint64_t height, uint64_t count, uint32_t to)
{
    uint8_t cert_octets[CHAIN_MAX_CERT_BYTES];
    uint64_t limit = count > 0 && count < NODE_FETCH_BLOCKS ? count : NODE_FETCH_BLOCKS;
    size_t bytes = 0;
    for (uint64_t i = 0; i < limit && height + i <= node_tip(m); i++) {
        struct chain_node_block block;
        if (!read_block(m, height + i, cert_octets, &block)) {
            if (i == 0)
                node_tell_pruned(m, height, to);
            return;
        }
        if (count == 0)
            block.batch_len = block.header_len = 0;
        size_t size = block.batch_len + block.header_len + block.cert_len + 2 * CHAIN_TX_OVERHEAD;
        if (bytes > 0 && bytes + size > node_max_bundle(m))
            return;
        bytes += CHAIN_TX_OVERHEAD;
        put_block(m, &block, to, &bytes);
    }
}

/* The same question again at once is a copy on the way, not a new wish. */
static bool asked_just_now(const struct chain_node *m, const struct chain_msg *msg)
{
    int64_t since_ns = m->served_ns[msg->author];
    return m->served_height[msg->author] == msg->seq && since_ns != INT64_MIN && m->now_ns - since_ns < m->cfg.gossip_ns / 2;
}

void node_serve(struct chain_node *m, const struct chain_msg *msg)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 2);
    uint64_t target = chain_cbor_get_uint(&r);
    uint64_t count = chain_cbor_get_uint(&r);
    if (chain_cbor_end(&r) != 0 || msg->seq == 0 || msg->view != 0) {
        m->stats.refused_malformed++;
        return;
    }
    if (target != m->cfg.self)
        return;
    if (msg->seq > node_tip(m)) {
        m->stats.refused_stale++;
        return;
    }
    if (asked_just_now(m, msg)) {
        m->stats.duplicates++;
        return;
    }
    if (!node_verify(m, msg))
        return;
    m->served_ns[msg->author] = m->now_ns;
    m->served_height[msg->author] = msg->seq;
    m->stats.fetches_served++;
    serve_from(m, msg->seq, count, msg->author);
}

/* The next member after the last one, in turn, that signed a header above height; with none, or when that did not help, the next one at all:
 * who is in a later epoch signs nothing that we could read. */
static uint32_t choose_target(const struct chain_node *m, uint32_t last, uint64_t height)
{
    uint32_t fallback = m->cfg.self;
    for (uint32_t i = 1; i <= CHAIN_MAX_KEYS; i++) {
        uint32_t key = (last + i) % CHAIN_MAX_KEYS;
        bool seated = chain_members_seat(m->members, key) < CHAIN_MAX_MEMBERS;
        if (key == m->cfg.self || (!seated && m->reported[key] <= height))
            continue;
        if (m->reported[key] > height || m->fetch_attempts >= FETCH_ANYONE)
            return key;
        if (fallback == m->cfg.self)
            fallback = key;
    }
    return fallback;
}

static void ask(struct chain_node *m, uint64_t height, uint64_t count)
{
    uint8_t body[16];
    uint32_t *target = &m->fetch_target[count > 0];
    *target = choose_target(m, *target, height - 1);
    struct chain_cbor_writer w = {.out = body, .cap = sizeof(body)};
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_uint(&w, *target);
    chain_cbor_put_uint(&w, count);
    struct chain_msg msg = {.kind = CHAIN_MSG_FETCH, .author = m->cfg.self, .seq = height, .body = body, .body_len = w.len};
    if (chain_msg_digest(m->members, msg.kind, msg.body, msg.body_len, &msg.digest) == 0 &&
        m->signer.sign(m->signer.ctx, m->members, &msg) == 0)
        node_put(m, &msg, *target, CHAIN_URGENT_GOSSIP, 0);
}

void node_fetch_timer(struct chain_node *m)
{
    uint64_t tip = node_tip(m), highest = m->reported_top;
    if (m->later_epoch && highest <= tip)
        highest = tip + 1;
    if (highest <= tip && (m->certified == tip || node_certify_waits(m))) {
        m->fetch_due_ns = INT64_MAX;
        return;
    }
    /* new blocks put a question off, but not for ever where certificates stay behind: one that is lost would never come again */
    bool lags = tip - m->certified >= CHAIN_WINDOW;
    if (m->fetch_due_ns == INT64_MAX || (m->fetch_tip != tip && !lags) || m->fetch_certified != m->certified) {
        bool soon = highest > tip && (m->syncing || highest - tip > CHAIN_WINDOW);
        m->fetch_tip = tip;
        m->fetch_certified = m->certified;
        m->fetch_attempts = 0;
        m->fetch_due_ns = m->now_ns + node_jitter(m, NODE_JITTER_FETCH, soon ? NEXT_FETCH_NS : m->cfg.gossip_ns);
        return;
    }
    if (m->now_ns < m->fetch_due_ns)
        return;
    /* a block beyond the open ones would be refused: what is missing then is certificates, which nobody says again by himself */
    bool every_other = m->fetch_attempts % 2 == (lags ? 0 : 1); /* a claim to be far ahead may be a lie */
    bool want_certs = tip - m->certified >= CHAIN_NODE_MAX_OPEN || (tip > m->certified && every_other);
    if (highest > tip && !want_certs && m->epoch_end == 0)
        ask(m, tip + 1, highest - tip < NODE_FETCH_BLOCKS ? highest - tip : NODE_FETCH_BLOCKS);
    else
        ask(m, m->certified + 1, 0);
    m->fetch_attempts++;
    if (m->fetch_attempts >= FETCH_MAX_HINTS)
        m->later_epoch = false; /* nobody had anything: it may have been said by nobody, too */
    int64_t wait_ns = m->cfg.gossip_ns * (m->fetch_attempts < 3 ? (int64_t)1 << (m->fetch_attempts - 1) : 4);
    m->fetch_due_ns = m->now_ns + node_jitter(m, NODE_JITTER_FETCH, wait_ns);
}
