/* A fixed set of slots and an index over them, sorted by (class, author, nonce). */
#include "chain/mempool.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct chain_mempool {
    struct chain_mempool_config cfg;
    size_t n;
    uint64_t n_evicted;
    bool stale; /* the two times below have to be found anew */
    int64_t pending_since_ns, expires_at_ns;
    uint32_t n_by_author[CHAIN_MAX_KEYS];
    uint32_t *order; /* slot numbers: the first n in order, the rest free */
    struct chain_mempool_tx *slots;
};

/* Lower goes first. */
static uint32_t class_of(enum chain_op_kind op)
{
    switch (op) {
    case CHAIN_OP_HEARTBEAT:
        return 0;
    case CHAIN_OP_EVIDENCE:
        return 1;
    case CHAIN_OP_GRANT:
    case CHAIN_OP_RELINQUISH:
    case CHAIN_OP_REGISTER:
        return 2;
    default:
        return 3;
    }
}

static size_t round_up(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

size_t chain_mempool_bytes(const struct chain_mempool_config *cfg)
{
    return round_up(sizeof(struct chain_mempool)) + round_up(cfg->max_txs * sizeof(uint32_t)) +
           cfg->max_txs * sizeof(struct chain_mempool_tx);
}

int chain_mempool_init(void *mem, size_t len, const struct chain_mempool_config *cfg, struct chain_mempool **out,
                       const char **bad_field_out)
{
    *bad_field_out = NULL;
    if (cfg->max_txs < 4 || cfg->max_txs > 65536)
        *bad_field_out = "mempool_txs";
    else if (cfg->max_per_author == 0)
        *bad_field_out = "max_per_author";
    else if (cfg->max_age_ns <= 0 || cfg->max_own_age_ns <= 0)
        *bad_field_out = "max_age_ns";
    if (*bad_field_out)
        return -EINVAL;
    assert(len >= chain_mempool_bytes(cfg));
    struct chain_mempool *p = mem;
    *p = (struct chain_mempool){.cfg = *cfg, .stale = true};
    uint8_t *at = (uint8_t *)mem + round_up(sizeof(*p));
    p->order = (uint32_t *)(void *)at;
    p->slots = (struct chain_mempool_tx *)(void *)(at + round_up(cfg->max_txs * sizeof(uint32_t)));
    for (uint32_t i = 0; i < cfg->max_txs; i++)
        p->order[i] = i;
    *out = p;
    return 0;
}

/* Negative, zero or positive as the entry sorts before, at or after (op's class, author, nonce). */
static int compare(const struct chain_mempool_tx *a, uint32_t class, uint32_t author, uint64_t nonce)
{
    uint32_t a_class = class_of(a->op);
    if (a_class != class)
        return a_class < class ? -1 : 1;
    if (a->msg.author != author)
        return a->msg.author < author ? -1 : 1;
    if (a->msg.seq != nonce)
        return a->msg.seq < nonce ? -1 : 1;
    return 0;
}

/* First index that does not sort before the key. */
static size_t lower_bound(const struct chain_mempool *p, uint32_t class, uint32_t author, uint64_t nonce)
{
    size_t low = 0, high = p->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare(&p->slots[p->order[mid]], class, author, nonce) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Index in order, or n when it is not there. The class is not part of a transaction's name. */
static size_t find(const struct chain_mempool *p, uint32_t author, uint64_t nonce)
{
    for (uint32_t class = 0; class < 4; class++) {
        size_t i = lower_bound(p, class, author, nonce);
        if (i < p->n && compare(&p->slots[p->order[i]], class, author, nonce) == 0)
            return i;
    }
    return p->n;
}

static void remove_at(struct chain_mempool *p, size_t i)
{
    uint32_t slot = p->order[i];
    p->n_by_author[p->slots[slot].msg.author]--;
    memmove(&p->order[i], &p->order[i + 1], (p->n - i - 1) * sizeof(*p->order));
    p->n--;
    p->order[p->n] = slot;
    p->stale = true;
}

int chain_mempool_admits(const struct chain_mempool *p, const struct chain_msg *tx, enum chain_op_kind op)
{
    if (tx->author >= CHAIN_MAX_KEYS)
        return -EBADMSG;
    size_t i = find(p, tx->author, tx->seq);
    if (i < p->n) {
        const struct chain_msg *known = &p->slots[p->order[i]].msg;
        bool same = memcmp(known->digest.octets, tx->digest.octets, CHAIN_HASH_BYTES) == 0 && known->view == tx->view;
        return same ? -EALREADY : -EEXIST;
    }
    if (p->n_by_author[tx->author] >= p->cfg.max_per_author)
        return -ENOBUFS;
    if (p->n < p->cfg.max_txs)
        return 0;
    return class_of(p->slots[p->order[p->n - 1]].op) > class_of(op) ? 0 : -ENOBUFS;
}

int chain_mempool_add(struct chain_mempool *p, const struct chain_msg *tx, enum chain_op_kind op, const uint8_t *octets,
                      size_t len, int64_t now_ns, struct chain_mempool_tx **tx_out)
{
    int rc = chain_mempool_admits(p, tx, op);
    if (rc != 0)
        return rc;
    if (len > CHAIN_MEMPOOL_TX_BYTES)
        return -EMSGSIZE;
    assert(tx->body_len == 0 || (tx->body >= octets && tx->body + tx->body_len <= octets + len));
    if (p->n == p->cfg.max_txs) {
        remove_at(p, p->n - 1);
        p->n_evicted++;
    }
    size_t i = lower_bound(p, class_of(op), tx->author, tx->seq);
    uint32_t slot = p->order[p->n];
    memmove(&p->order[i + 1], &p->order[i], (p->n - i) * sizeof(*p->order));
    p->order[i] = slot;
    p->n++;
    p->n_by_author[tx->author]++;

    struct chain_mempool_tx *entry = &p->slots[slot];
    memcpy(entry->octets, octets, len);
    entry->len = len;
    entry->msg = *tx;
    entry->op = op;
    entry->own = false;
    entry->executable = true;
    entry->since_ns = now_ns;
    entry->gossip_at_ns = INT64_MAX;
    entry->gossip_wait_ns = 0;
    entry->msg.body = tx->body_len > 0 ? entry->octets + (tx->body - octets) : NULL;
    p->stale = true;
    if (tx_out)
        *tx_out = entry;
    return 0;
}

bool chain_mempool_remove(struct chain_mempool *p, uint32_t author, uint64_t nonce)
{
    size_t i = find(p, author, nonce);
    if (i == p->n)
        return false;
    remove_at(p, i);
    return true;
}

void chain_mempool_recheck(struct chain_mempool *p, const struct chain_ledger *ledger)
{
    for (size_t i = p->n; i-- > 0;) {
        struct chain_mempool_tx *entry = &p->slots[p->order[i]];
        int code = chain_ledger_check_tx(ledger, &entry->msg);
        if (code == -EALREADY)
            remove_at(p, i);
        else
            entry->executable = code == CHAIN_SUCCESS;
    }
    p->stale = true;
}

static int64_t expiry_of(const struct chain_mempool *p, const struct chain_mempool_tx *entry)
{
    return entry->since_ns + (entry->own ? p->cfg.max_own_age_ns : p->cfg.max_age_ns);
}

size_t chain_mempool_expire(struct chain_mempool *p, int64_t now_ns)
{
    size_t n_before = p->n;
    for (size_t i = p->n; i-- > 0;)
        if (expiry_of(p, &p->slots[p->order[i]]) <= now_ns)
            remove_at(p, i);
    return n_before - p->n;
}

size_t chain_mempool_size(const struct chain_mempool *p)
{
    return p->n;
}

uint64_t chain_mempool_evicted(const struct chain_mempool *p)
{
    return p->n_evicted;
}

struct chain_mempool_tx *chain_mempool_at(struct chain_mempool *p, size_t i)
{
    assert(i < p->n);
    return &p->slots[p->order[i]];
}

static void find_times(struct chain_mempool *p)
{
    if (!p->stale)
        return;
    p->stale = false;
    p->pending_since_ns = INT64_MAX;
    p->expires_at_ns = INT64_MAX;
    for (size_t i = 0; i < p->n; i++) {
        const struct chain_mempool_tx *entry = &p->slots[p->order[i]];
        int64_t expiry_ns = expiry_of(p, entry);
        if (entry->executable && entry->since_ns < p->pending_since_ns)
            p->pending_since_ns = entry->since_ns;
        if (expiry_ns < p->expires_at_ns)
            p->expires_at_ns = expiry_ns;
    }
}

int64_t chain_mempool_pending_since(struct chain_mempool *p)
{
    find_times(p);
    return p->pending_since_ns;
}

int64_t chain_mempool_expires_at(struct chain_mempool *p)
{
    find_times(p);
    return p->expires_at_ns;
}
