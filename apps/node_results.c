#include "apps/node_results.h"

#include "apps/ledger_db.h"
#include "apps/node_cluster.h"

#include <string.h>

enum whose { NOBODYS, OURS, ANOTHERS };
enum { ANY_TX = UINT32_MAX, MAX_SCAN = 64 };

bool app_node_answer_known(const struct app_node_answer *a)
{
    return a->known == UINT64_MAX >> (64 - a->n_ops);
}

static void note(struct app_node_answer *a, uint32_t i, uint64_t height, int code)
{
    a->height = height;
    a->codes[i] = code;
    a->known |= UINT64_C(1) << i;
}

/* An envelope that was refused as a whole. For its nonce: another one has it. */
static void note_whole(struct app_node_answer *a, uint64_t height, int code)
{
    for (uint32_t i = 0; i < a->n_ops; i++)
        note(a, i, height, code);
    if (code == CHAIN_UNSYNC_OP_PARAM)
        a->taken = APP_NONCE_USED;
}

static bool overlaps(const struct app_node_answer *a, uint64_t first, uint32_t n)
{
    return first >= a->nonce ? first - a->nonce < a->n_ops : a->nonce - first < n;
}

/* Whose a block's envelope is that has a nonce in the answer's range: number tx, or the first such one. */
static enum whose find_in_block(const struct app_node_results *r, uint64_t height, uint32_t tx, const struct app_node_answer *a)
{
    struct chain_node_block block;
    struct chain_batch_view batch;
    const struct chain_members *members = chain_ledger_members(r->ledger);
    if (!r->read_block || r->read_block(r->read_block_ctx, height, &block) != 0 || chain_batch_decode(&batch, block.batch, block.batch_len) != 0)
        return NOBODYS;
    for (uint32_t i = tx == ANY_TX ? 0 : tx; i < batch.n_txs && (tx == ANY_TX || i == tx); i++) {
        struct chain_msg msg;
        size_t consumed;
        if (chain_msg_decode(members, batch.txs[i].data, batch.txs[i].len, &msg, &consumed) != 0 || msg.author != a->author)
            continue;
        int n = chain_tx_count(msg.body, msg.body_len);
        if (msg.seq == a->nonce && memcmp(msg.digest.octets, a->digest.octets, CHAIN_HASH_BYTES) == 0)
            return OURS;
        if (overlaps(a, msg.seq, n > 0 ? (uint32_t)n : 1))
            return ANOTHERS;
    }
    return NOBODYS;
}

static size_t chain_of(uint32_t author, uint64_t nonce)
{
    return (size_t)((nonce ^ (uint64_t)author << 56) * 0x9e3779b97f4a7c15U >> 40) % APP_NODE_RESULTS;
}

/* Its place; APP_NODE_RESULTS: none */
static size_t find_place(const struct app_node_results *r, uint32_t author, uint64_t nonce)
{
    for (uint16_t i = r->chains[chain_of(author, nonce)]; i > 0; i = r->late[i - 1].next)
        if (r->late[i - 1].author == author && r->late[i - 1].nonce == nonce)
            return i - 1U;
    return APP_NODE_RESULTS;
}

static const struct app_node_result *find_late(const struct app_node_results *r, uint32_t author, uint64_t nonce)
{
    size_t place = find_place(r, author, nonce);
    return place < APP_NODE_RESULTS ? &r->late[place] : NULL;
}

static void forget(struct app_node_results *r, size_t place)
{
    uint16_t *link = &r->chains[chain_of(r->late[place].author, r->late[place].nonce)];
    while (*link != place + 1)
        link = &r->late[*link - 1].next;
    *link = r->late[place].next;
}

bool app_node_results_add(struct app_node_results *r, const struct chain_ledger_event *event)
{
    struct app_node_result result = {event->station, event->tx, event->nonce, event->height, (int)event->code, event->op == 0, 0};
    size_t before = find_place(r, result.author, result.nonce);
    if (before < APP_NODE_RESULTS && !(r->late[before].whole && !result.whole))
        return false;
    size_t place = before < APP_NODE_RESULTS ? before : r->n_added++ % APP_NODE_RESULTS;
    if (before < APP_NODE_RESULTS || r->n_added > APP_NODE_RESULTS)
        forget(r, place);
    uint16_t *first = &r->chains[chain_of(result.author, result.nonce)];
    result.next = *first;
    r->late[place] = result;
    *first = (uint16_t)(place + 1);
    return true;
}

void app_node_results_apply(const struct app_node_results *r, const struct chain_ledger_event *event, struct app_node_answer *a)
{
    bool whole = event->op == 0;
    if (a->taken != APP_NONCE_FREE || a->author != event->station || event->nonce < a->nonce || event->nonce - a->nonce >= a->n_ops)
        return;
    /* the operations of one envelope lie in one block: it was looked at with the first of them */
    enum whose whose = a->known != 0 && a->height == event->height ? OURS : find_in_block(r, event->height, event->tx, a);
    if (whose == OURS && whole)
        note_whole(a, event->height, (int)event->code);
    else if (whose == OURS)
        note(a, (uint32_t)(event->nonce - a->nonce), event->height, (int)event->code);
    else if (whose == ANOTHERS && (!whole || event->code == CHAIN_MISSING_PARAM)) /* refused for another reason it uses no nonce */
        a->taken = APP_NONCE_USED;
}

void app_node_results_recall(const struct app_node_results *r, struct app_node_answer *a)
{
    const struct app_node_result *first = find_late(r, a->author, a->nonce);
    if (!first || find_in_block(r, first->height, first->tx, a) != OURS)
        return;
    if (first->whole) {
        note_whole(a, first->height, first->code);
        return;
    }
    for (uint32_t i = 0; i < a->n_ops; i++) {
        const struct app_node_result *late = find_late(r, a->author, a->nonce + i);
        if (late && late->height == first->height && late->tx == first->tx)
            note(a, i, late->height, late->code);
    }
}

/* The blocks whose operations are in no table yet. False: they are too many to look at, or one holds it, whose codes come with the tables. */
static bool scan_blocks(const struct app_node_results *r, uint64_t indexed, struct app_node_answer *a)
{
    uint64_t tip = chain_ledger_height(r->ledger);
    enum whose whose = NOBODYS;
    if (tip > indexed + MAX_SCAN)
        return false;
    for (uint64_t height = indexed + 1; height <= tip && whose == NOBODYS; height++)
        whose = find_in_block(r, height, ANY_TX, a);
    if (whose == OURS)
        return false;
    a->taken = APP_NONCE_USED; /* by another one, or it lies below what the ledger takes and was never executed */
    return true;
}

bool app_node_results_find(const struct app_node_results *r, struct app_node_answer *a)
{
    char error[APP_NODE_MAX_ERROR];
    struct app_ledger_db *db;
    uint64_t height, indexed;
    int code;
    enum whose whose = NOBODYS;
    if (!r->read_block || app_ledger_db_open(r->database_path, &db, error))
        return false;
    for (uint32_t i = 0; i < a->n_ops && whose != ANOTHERS; i++)
        if (app_ledger_db_find_tx(db, a->author, a->nonce + i, &height, &code) == 0 && (whose = find_in_block(r, height, ANY_TX, a)) == OURS)
            note(a, i, height, code);
    bool is_found = whose == ANOTHERS || app_node_answer_known(a);
    app_ledger_db_lag(db, &indexed);
    app_ledger_db_close(db);
    if (whose == ANOTHERS)
        a->taken = APP_NONCE_USED;
    return is_found || scan_blocks(r, indexed, a);
}
