/* Slots that hang in three lists each: their author's, by nonce; a queue, of their class or of the height they were proposed for; and one
 * by age. Octets lie in pieces of one size, chained. */
#include "chain/mempool.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { PIECE_BYTES = 512 };
enum list_kind { BY_AUTHOR, BY_QUEUE, BY_AGE };
#define NO_SLOT UINT32_MAX

struct list {
    uint32_t first, last;
};

struct author {
    struct list txs; /* by nonce */
    size_t n_txs, n_ops, n_pieces;
};

struct chain_mempool {
    struct chain_mempool_config cfg;
    size_t n, n_pieces_free, n_pieces, waiting_octets, waiting_ops;
    uint64_t n_evicted;
    uint32_t free_slot, free_piece;
    struct list waiting[CHAIN_CLASSES], proposed[CHAIN_WINDOW + 1];
    struct list ages[2]; /* [own] */
    struct author authors[CHAIN_MAX_KEYS];
    struct chain_mempool_tx *slots;
    uint32_t *next_piece;
    uint8_t *pieces;
};

static size_t round_up(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

static size_t count_pieces(size_t octets)
{
    return (octets + PIECE_BYTES - 1) / PIECE_BYTES;
}

size_t chain_mempool_bytes(const struct chain_mempool_config *cfg)
{
    size_t n_pieces = cfg->max_octets / PIECE_BYTES;
    return round_up(sizeof(struct chain_mempool)) + round_up(cfg->max_txs * sizeof(struct chain_mempool_tx)) +
           round_up(n_pieces * sizeof(uint32_t)) + n_pieces * PIECE_BYTES;
}

static void empty(struct list *lists, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lists[i] = (struct list){NO_SLOT, NO_SLOT};
}

static const char *find_bad_field(const struct chain_mempool_config *cfg)
{
    if (cfg->max_txs < 4 || cfg->max_txs > 65536)
        return "mempool_txs";
    if (cfg->max_octets < 16 * PIECE_BYTES || cfg->max_octets > (size_t)1 << 30)
        return "mempool_octets";
    if (cfg->max_tx_octets == 0)
        return "max_tx_octets";
    if (cfg->max_txs_of_one == 0 || cfg->max_ops_of_one == 0)
        return "max_txs_of_one";
    return cfg->max_age_ns <= 0 || cfg->max_own_age_ns <= 0 ? "max_age_ns" : NULL;
}

int chain_mempool_init(void *mem, size_t len, const struct chain_mempool_config *cfg, struct chain_mempool **out,
                       const char **bad_field_out)
{
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    assert(len >= chain_mempool_bytes(cfg));
    struct chain_mempool *p = mem;
    memset(p, 0, sizeof(*p));
    p->cfg = *cfg;
    p->n_pieces = p->n_pieces_free = cfg->max_octets / PIECE_BYTES;
    uint8_t *at = (uint8_t *)mem + round_up(sizeof(*p));
    p->slots = (struct chain_mempool_tx *)(void *)at;
    at += round_up(cfg->max_txs * sizeof(struct chain_mempool_tx));
    p->next_piece = (uint32_t *)(void *)at;
    p->pieces = at + round_up(p->n_pieces * sizeof(uint32_t));
    empty(p->waiting, CHAIN_CLASSES);
    empty(p->proposed, CHAIN_WINDOW + 1);
    empty(p->ages, 2);
    for (size_t i = 0; i < CHAIN_MAX_KEYS; i++)
        empty(&p->authors[i].txs, 1);
    for (uint32_t i = 0; i < cfg->max_txs; i++)
        p->slots[i].link[BY_QUEUE].next = i + 1 < cfg->max_txs ? i + 1 : NO_SLOT;
    for (uint32_t i = 0; i < p->n_pieces; i++)
        p->next_piece[i] = i + 1 < p->n_pieces ? i + 1 : NO_SLOT;
    *out = p;
    return 0;
}

/* Puts slot i behind slot `after`; NO_SLOT: in front. */
static void insert(struct chain_mempool *p, struct list *list, enum list_kind kind, uint32_t i, uint32_t after)
{
    uint32_t before = after == NO_SLOT ? list->first : p->slots[after].link[kind].next;
    p->slots[i].link[kind] = (struct chain_mempool_link){.previous = after, .next = before};
    *(after == NO_SLOT ? &list->first : &p->slots[after].link[kind].next) = i;
    *(before == NO_SLOT ? &list->last : &p->slots[before].link[kind].previous) = i;
}

static void unlink_from(struct chain_mempool *p, struct list *list, enum list_kind kind, uint32_t i)
{
    struct chain_mempool_link link = p->slots[i].link[kind];
    *(link.previous == NO_SLOT ? &list->first : &p->slots[link.previous].link[kind].next) = link.next;
    *(link.next == NO_SLOT ? &list->last : &p->slots[link.next].link[kind].previous) = link.previous;
}

static struct list *queue_of(struct chain_mempool *p, const struct chain_mempool_tx *tx)
{
    return tx->height == 0 ? &p->waiting[tx->class] : &p->proposed[tx->height % (CHAIN_WINDOW + 1)];
}

static void count_waiting(struct chain_mempool *p, const struct chain_mempool_tx *tx, bool more)
{
    p->waiting_octets += more ? tx->len : -tx->len;
    p->waiting_ops += more ? tx->n_ops : -(size_t)tx->n_ops;
}


static void remove_tx(struct chain_mempool *p, uint32_t i)
{
    struct chain_mempool_tx *tx = &p->slots[i];
    struct author *author = &p->authors[tx->author];
    unlink_from(p, &author->txs, BY_AUTHOR, i);
    unlink_from(p, queue_of(p, tx), BY_QUEUE, i);
    unlink_from(p, &p->ages[tx->own], BY_AGE, i);
    if (tx->height == 0)
        count_waiting(p, tx, false);
    size_t n_pieces = count_pieces(tx->len);
    uint32_t last = tx->first_piece;
    for (size_t k = 1; k < n_pieces; k++)
        last = p->next_piece[last];
    p->next_piece[last] = p->free_piece;
    p->free_piece = tx->first_piece;
    p->n_pieces_free += n_pieces;
    author->n_txs--;
    author->n_ops -= tx->n_ops;
    author->n_pieces -= n_pieces;
    tx->link[BY_QUEUE].next = p->free_slot;
    p->free_slot = i;
    p->n--;
}

/* The author's last slot whose first nonce is not above the given one; walked from the nearer end. */
static uint32_t find_not_above(const struct chain_mempool *p, uint32_t author, uint64_t nonce)
{
    const struct list *list = &p->authors[author].txs;
    if (list->first == NO_SLOT || p->slots[list->first].seq > nonce)
        return NO_SLOT;
    uint64_t low = p->slots[list->first].seq, high = p->slots[list->last].seq;
    if (nonce >= high || high - nonce < nonce - low) {
        uint32_t i = list->last;
        while (p->slots[i].seq > nonce)
            i = p->slots[i].link[BY_AUTHOR].previous;
        return i;
    }
    uint32_t i = list->first;
    for (uint32_t next = i; next != NO_SLOT && p->slots[next].seq <= nonce; next = p->slots[next].link[BY_AUTHOR].next)
        i = next;
    return i;
}

static bool covers(const struct chain_mempool_tx *tx, uint64_t nonce)
{
    return tx->seq <= nonce && nonce - tx->seq < tx->n_ops;
}

static enum chain_mempool_class class_of(enum chain_op_kind op)
{
    switch (op) {
    case CHAIN_OP_HEARTBEAT:
        return CHAIN_CLASS_HEARTBEAT;
    case CHAIN_OP_EVIDENCE:
    case CHAIN_OP_UNAUTHORISED:
    case CHAIN_OP_EQUIVOCATION:
    case CHAIN_OP_RECONFIGURE:
    case CHAIN_OP_HOP_EPOCH:
    case CHAIN_OP_ADMIT:
    case CHAIN_OP_SPECTRUM: /* an incumbent appears */
        return CHAIN_CLASS_EVIDENCE;
    case CHAIN_OP_SENSE_COMMIT:
    case CHAIN_OP_SENSE_REVEAL:
    case CHAIN_OP_PUT:
        return CHAIN_CLASS_SENSING;
    default:
        return CHAIN_CLASS_REQUEST;
    }
}

int chain_mempool_classify(const uint8_t *body, size_t len, enum chain_mempool_class *class_out)
{
    struct chain_tx_reader r;
    struct chain_op op;
    int n = chain_tx_begin(&r, body, len);
    *class_out = CHAIN_CLASS_HEARTBEAT;
    for (int i = 0; i < n; i++) {
        if (chain_tx_next(&r, &op) != 0)
            return -EBADMSG;
        enum chain_mempool_class class = class_of(op.kind);
        *class_out = class > *class_out ? class : *class_out;
    }
    return n;
}

static int find_name(const struct chain_mempool *p, const struct chain_msg *tx, uint32_t n_ops)
{
    uint32_t below = find_not_above(p, tx->author, tx->seq);
    uint32_t above = below == NO_SLOT ? p->authors[tx->author].txs.first : p->slots[below].link[BY_AUTHOR].next;
    if (below != NO_SLOT && covers(&p->slots[below], tx->seq)) {
        const struct chain_mempool_tx *known = &p->slots[below];
        return known->seq == tx->seq && memcmp(known->digest.octets, tx->digest.octets, CHAIN_HASH_BYTES) == 0 ? -EALREADY : -EEXIST;
    }
    return above != NO_SLOT && p->slots[above].seq - tx->seq < n_ops ? -EEXIST : 0;
}

/* What the pool misses for one more envelope. */
struct want {
    uint32_t author;
    size_t n_ops, n_pieces;
};

static bool author_has_room(const struct chain_mempool *p, const struct want *want, const struct author *a)
{
    return a->n_txs < p->cfg.max_txs_of_one && a->n_ops + want->n_ops <= p->cfg.max_ops_of_one &&
           a->n_pieces + want->n_pieces <= p->n_pieces / 4;
}

static bool has_room(const struct chain_mempool *p, const struct want *want)
{
    return p->n < p->cfg.max_txs && want->n_pieces <= p->n_pieces_free;
}

/* The latest of the least urgent ones, if it is less urgent than class. */
static uint32_t find_victim(const struct chain_mempool *p, enum chain_mempool_class class)
{
    for (uint32_t c = CHAIN_CLASSES - 1; c > class; c--)
        if (p->waiting[c].last != NO_SLOT)
            return p->waiting[c].last;
    return NO_SLOT;
}

static uint32_t find_own_victim(const struct chain_mempool *p, uint32_t author, enum chain_mempool_class class)
{
    uint32_t victim = NO_SLOT;
    for (uint32_t i = p->authors[author].txs.last; i != NO_SLOT; i = p->slots[i].link[BY_AUTHOR].previous)
        if (p->slots[i].height == 0 && p->slots[i].class > (victim == NO_SLOT ? class : p->slots[victim].class))
            victim = i;
    return victim;
}

int chain_mempool_admits(const struct chain_mempool *p, const struct chain_msg *tx, enum chain_mempool_class class, uint32_t n_ops,
                         size_t len)
{
    struct want want = {tx->author, n_ops, count_pieces(len)};
    if (tx->author >= CHAIN_MAX_KEYS || n_ops == 0 || tx->seq > UINT64_MAX - n_ops)
        return -EBADMSG;
    if (len == 0 || len > p->cfg.max_tx_octets || want.n_pieces > p->n_pieces / 4 || n_ops > p->cfg.max_ops_of_one)
        return -EMSGSIZE;
    int rc = find_name(p, tx, n_ops);
    if (rc != 0)
        return rc;
    if (!author_has_room(p, &want, &p->authors[tx->author]))
        return class < CHAIN_CLASS_SENSING && find_own_victim(p, tx->author, class) != NO_SLOT ? 0 : -ENOBUFS;
    return has_room(p, &want) || find_victim(p, class) != NO_SLOT ? 0 : -ENOBUFS;
}

/* Drops what has to make room. False if that does not suffice: what is gone then was less urgent, and its senders say it again. */
static bool make_room(struct chain_mempool *p, const struct want *want, enum chain_mempool_class class)
{
    for (;;) {
        bool own_full = !author_has_room(p, want, &p->authors[want->author]);
        if (!own_full && has_room(p, want))
            return true;
        uint32_t victim = own_full ? find_own_victim(p, want->author, class) : find_victim(p, class);
        if (victim == NO_SLOT)
            return false;
        remove_tx(p, victim);
        p->n_evicted++;
    }
}

static uint32_t store(struct chain_mempool *p, const uint8_t *octets, size_t len)
{
    uint32_t first = p->free_piece, last = first;
    for (size_t at = 0; at < len; at += PIECE_BYTES) {
        last = p->free_piece;
        memcpy(p->pieces + (size_t)last * PIECE_BYTES, octets + at, len - at < PIECE_BYTES ? len - at : PIECE_BYTES);
        p->free_piece = p->next_piece[last];
        p->n_pieces_free--;
    }
    p->next_piece[last] = NO_SLOT;
    return first;
}

int chain_mempool_add(struct chain_mempool *p, const struct chain_msg *tx, enum chain_mempool_class class, uint32_t n_ops,
                      const uint8_t *octets, size_t len, bool own, int64_t now_ns, struct chain_mempool_tx **tx_out)
{
    int rc = chain_mempool_admits(p, tx, class, n_ops, len);
    if (rc != 0)
        return rc;
    struct want want = {tx->author, n_ops, count_pieces(len)};
    if (!make_room(p, &want, class))
        return -ENOBUFS;
    uint32_t i = p->free_slot;
    struct chain_mempool_tx *entry = &p->slots[i];
    p->free_slot = entry->link[BY_QUEUE].next;
    *entry = (struct chain_mempool_tx){.author = tx->author, .n_ops = n_ops, .seq = tx->seq, .digest = tx->digest, .class = class, .own = own,
                                       .since_ns = now_ns, .gossip_at_ns = INT64_MAX, .len = len, .first_piece = store(p, octets, len)};
    struct author *author = &p->authors[tx->author];
    insert(p, &author->txs, BY_AUTHOR, i, find_not_above(p, tx->author, tx->seq));
    insert(p, &p->waiting[class], BY_QUEUE, i, p->waiting[class].last);
    insert(p, &p->ages[own], BY_AGE, i, p->ages[own].last);
    author->n_txs++;
    author->n_ops += n_ops;
    author->n_pieces += want.n_pieces;
    count_waiting(p, entry, true);
    p->n++;
    if (tx_out)
        *tx_out = entry;
    return 0;
}

void chain_mempool_copy(const struct chain_mempool *p, const struct chain_mempool_tx *tx, uint8_t *out)
{
    uint32_t piece = tx->first_piece;
    for (size_t at = 0; at < tx->len; at += PIECE_BYTES) {
        memcpy(out + at, p->pieces + (size_t)piece * PIECE_BYTES, tx->len - at < PIECE_BYTES ? tx->len - at : PIECE_BYTES);
        piece = p->next_piece[piece];
    }
}

void chain_mempool_used(struct chain_mempool *p, uint32_t author, uint64_t nonce)
{
    if (author >= CHAIN_MAX_KEYS)
        return;
    uint32_t i = find_not_above(p, author, nonce);
    if (i != NO_SLOT && covers(&p->slots[i], nonce))
        remove_tx(p, i);
    while ((i = p->authors[author].txs.first) != NO_SLOT && p->slots[i].seq < nonce && nonce - p->slots[i].seq >= CHAIN_NONCE_WINDOW)
        remove_tx(p, i);
}

void chain_mempool_follow(struct chain_mempool *p, const struct chain_ledger *l)
{
    for (uint32_t author = 0; author < CHAIN_MAX_KEYS; author++)
        for (uint32_t i = p->authors[author].txs.first, next; i != NO_SLOT; i = next) {
            const struct chain_mempool_tx *tx = &p->slots[i];
            next = tx->link[BY_AUTHOR].next;
            if (!chain_ledger_nonces_unused(l, author, tx->seq, tx->n_ops))
                remove_tx(p, i);
        }
}

static int64_t expiry_of(const struct chain_mempool *p, bool own)
{
    if (p->ages[own].first == NO_SLOT)
        return INT64_MAX;
    return p->slots[p->ages[own].first].since_ns + (own ? p->cfg.max_own_age_ns : p->cfg.max_age_ns);
}

size_t chain_mempool_expire(struct chain_mempool *p, int64_t now_ns)
{
    size_t n_before = p->n;
    for (int own = 0; own < 2; own++)
        while (expiry_of(p, own) <= now_ns)
            remove_tx(p, p->ages[own].first);
    return n_before - p->n;
}

/* By author, and each author's by nonce, among which few are out of order. */
static void sort(const struct chain_mempool_tx *txs[CHAIN_MAX_BATCH_TXS], size_t n)
{
    const struct chain_mempool_tx *sorted[CHAIN_MAX_BATCH_TXS];
    size_t begins[CHAIN_MAX_KEYS + 1] = {0}, counts[CHAIN_MAX_KEYS] = {0};
    for (size_t i = 0; i < n; i++)
        begins[txs[i]->author + 1]++;
    for (size_t a = 0; a < CHAIN_MAX_KEYS; a++)
        begins[a + 1] += begins[a];
    for (size_t i = 0; i < n; i++) {
        size_t first = begins[txs[i]->author], at = first + counts[txs[i]->author]++;
        for (; at > first && sorted[at - 1]->seq > txs[i]->seq; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = txs[i];
    }
    memcpy(txs, sorted, n * sizeof(txs[0]));
}

size_t chain_mempool_choose(struct chain_mempool *p, uint64_t height, size_t max_octets, size_t overhead,
                            const struct chain_mempool_tx *chosen[CHAIN_MAX_BATCH_TXS])
{
    enum { MAX_MISFITS = 32 };
    size_t n = 0, octets = 0, n_ops = 0, n_misfits = 0;
    for (uint32_t class = 0; class < CHAIN_CLASSES; class++)
        for (uint32_t i = p->waiting[class].first, next; i != NO_SLOT && n < CHAIN_MAX_BATCH_TXS && n_misfits < MAX_MISFITS; i = next) {
            struct chain_mempool_tx *tx = &p->slots[i];
            next = tx->link[BY_QUEUE].next;
            if (octets + tx->len + overhead > max_octets || n_ops + tx->n_ops > CHAIN_MAX_BATCH_OPS) {
                n_misfits++;
                continue;
            }
            octets += tx->len + overhead;
            n_ops += tx->n_ops;
            unlink_from(p, &p->waiting[class], BY_QUEUE, i);
            count_waiting(p, tx, false);
            tx->height = height;
            insert(p, queue_of(p, tx), BY_QUEUE, i, queue_of(p, tx)->last);
            chosen[n++] = tx;
        }
    sort(chosen, n);
    return n;
}

static void release(struct chain_mempool *p, uint64_t low, uint64_t high)
{
    for (size_t k = 0; k <= CHAIN_WINDOW; k++)
        for (uint32_t i = p->proposed[k].last, previous; i != NO_SLOT; i = previous) {
            struct chain_mempool_tx *tx = &p->slots[i];
            if (tx->height < low || tx->height > high)
                break;
            previous = tx->link[BY_QUEUE].previous;
            unlink_from(p, &p->proposed[k], BY_QUEUE, i);
            tx->height = 0;
            insert(p, &p->waiting[tx->class], BY_QUEUE, i, NO_SLOT);
            count_waiting(p, tx, true);
        }
}

void chain_mempool_release(struct chain_mempool *p, uint64_t height)
{
    release(p, 0, height);
}

void chain_mempool_put_back(struct chain_mempool *p, uint64_t height)
{
    release(p, height, height);
}

size_t chain_mempool_size(const struct chain_mempool *p)
{
    return p->n;
}

uint64_t chain_mempool_evicted(const struct chain_mempool *p)
{
    return p->n_evicted;
}

int64_t chain_mempool_pending_since(const struct chain_mempool *p)
{
    int64_t since_ns = INT64_MAX;
    for (int own = 0; own < 2; own++)
        if (p->ages[own].first != NO_SLOT && p->slots[p->ages[own].first].since_ns < since_ns)
            since_ns = p->slots[p->ages[own].first].since_ns;
    return since_ns;
}

int64_t chain_mempool_waiting_since(const struct chain_mempool *p)
{
    int64_t since_ns = INT64_MAX;
    for (size_t c = 0; c < CHAIN_CLASSES; c++)
        if (p->waiting[c].first != NO_SLOT && p->slots[p->waiting[c].first].since_ns < since_ns)
            since_ns = p->slots[p->waiting[c].first].since_ns;
    return since_ns;
}

size_t chain_mempool_waiting_octets(const struct chain_mempool *p)
{
    return p->waiting_octets;
}

size_t chain_mempool_waiting_ops(const struct chain_mempool *p)
{
    return p->waiting_ops;
}

int64_t chain_mempool_expires_at(const struct chain_mempool *p)
{
    return expiry_of(p, false) < expiry_of(p, true) ? expiry_of(p, false) : expiry_of(p, true);
}

struct chain_mempool_tx *chain_mempool_first_own(struct chain_mempool *p)
{
    return p->ages[1].first == NO_SLOT ? NULL : &p->slots[p->ages[1].first];
}

struct chain_mempool_tx *chain_mempool_next_own(struct chain_mempool *p, const struct chain_mempool_tx *tx)
{
    uint32_t next = tx->link[BY_AGE].next;
    return next == NO_SLOT ? NULL : &p->slots[next];
}
